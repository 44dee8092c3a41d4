/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/gba/bsf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "apdu/base/hex.h"
#include "apdu/gba.h"
#include "crypto/common/hash.h"
#include "crypto/network/http_digest.h"
#include "crypto/common/rng.h"
#include "apdu/base/text.h"
#include "provisioning/keeper/requests.h"
#include "provisioning/operator.h"

enum { KS_LEN = 32, AUTS_LEN = 14, RAND_LEN = 16, AUTN_LEN = 16, MAC_AT = 8, OPAQUE_LEN = 16 };
enum { RES_GUESSABLE = 8 }; /* a shorter one takes one answer: strangers have minutes and many addresses */

/* One bootstrapping where the keys are. */
struct bootstrapping {
	struct db *db;
	const char *name;
	uint64_t lifetime;
	bool may_make, clean, here; /* a new vector; old challenges away first; the answer is for the path it came by */
	const char *method;
	struct bytes body;
	char header[1024], reply[1024]; /* memory of the answer */
};

/* What a challenge leaves behind until its answer comes, and Ks after that: RES length, RES, CK || IK, AUTN, wrapped. */
static enum status put_context(struct db *db, const char *btid, const struct db_gba *g, const struct hss_vector *v)
{
	SECRET_LARGE keys = { 0 };
	struct buf b = { keys.data, 0, sizeof keys.data, false };

	buf_put_u8(&b, (uint8_t)v->res_len);
	buf_put(&b, (struct bytes){ v->res, v->res_len });
	buf_put(&b, (struct bytes){ v->ck, v->ck_len });
	buf_put(&b, (struct bytes){ v->ik, v->ik_len });
	buf_put(&b, BYTES_OF(v->autn));
	TRY(buf_status(&b));
	return db_gba_put(db, btid, g, buf_bytes(&b));
}

struct context {
	struct bytes res, ks, autn; /* autn: empty in those of before 2026-11-27 */
};

static bool take_context(const struct secret_large *keys, struct context *c)
{
	struct bytes in = secret_large_bytes(keys);

	if (!bytes_take_field(&in, &c->res) || !bytes_take(&in, KS_LEN, &c->ks))
		return false;
	c->autn = in;
	return in.n == 0 || in.n == AUTN_LEN;
}

static void btid_of(const char *name, struct bytes rand, char out[BTID_MAX])
{
	struct buf b = { (uint8_t *)out, 0, BTID_MAX - 1, false };

	base64_encode(rand, &b);
	buf_put_u8(&b, '@');
	buf_put(&b, bytes_str(name));
	out[b.failed ? 0 : b.len] = 0;
}

/* The digits in front of the @ of an IMPI that is made from an IMSI (TS 23.003 13.3). */
static bool imsi_of(const char *impi, char out[16])
{
	size_t n = strspn(impi, "0123456789");

	return n >= 6 && text_put(out, 16, "%.*s", (int)n, impi) && impi[n] == '@' && strlen(impi) < IMPI_MAX;
}

/* A new vector costs the subscriber an SQN and a row, and nobody has proved anything yet: a source has its rate (the server's
 * to say: may_make), a subscriber a few at a time, and all together a number beyond which the oldest go. */
static enum status make_challenge(struct bootstrapping *s, uint64_t now, bool proved, struct db_gba *g, uint8_t raw[static 32])
{
	struct hss_vector v = { 0 };
	char btid[BTID_MAX];
	enum status st;

	if (!proved && !s->may_make)
		return ERR_NOT_FOUND;
	g->expires = now + BSF_CHALLENGE_SECONDS;
	if ((st = hss_vector(s->db, g->imsi, &v)) == OK)
		st = gba_u_mac((struct bytes){ v.ik, v.ik_len }, v.autn + MAC_AT);
	btid_of(s->name, BYTES_OF(v.rand), btid);
	if (st == OK)
		st = put_context(s->db, btid, g, &v);
	if (st == OK)
		st = db_gba_thin(s->db, g->expires, BSF_CHALLENGES_TOTAL);
	memcpy(raw, v.rand, RAND_LEN);
	memcpy(raw + RAND_LEN, v.autn, AUTN_LEN);
	secret_clean(&v, sizeof v);
	return st;
}

/* The subscriber's challenge that is still to be answered, whoever asked for it. ERR_NOT_FOUND: a new one may be made. */
static enum status pending_challenge(struct bootstrapping *s, uint64_t now, const char *imsi, uint8_t raw[static 32])
{
	SECRET_LARGE keys = { 0 };
	struct buf rand = { raw, 0, RAND_LEN, false };
	char btid[BTID_MAX];
	struct context c;
	struct db_gba g = { 0 };
	unsigned count;

	TRY(db_gba_waiting(s->db, imsi, now + BSF_CHALLENGE_SECONDS, btid, &count));
	if (btid[0] != 0)
		TRY(db_gba_get(s->db, btid, &g, &keys));
	if (btid[0] == 0 || g.expires < now + BSF_ANSWER_SECONDS || !take_context(&keys, &c) || c.autn.n == 0)
		return count < BSF_CHALLENGES_MAX ? ERR_NOT_FOUND : ERR_NO_SPACE;
	memcpy(raw + RAND_LEN, c.autn.p, AUTN_LEN);
	return base64_decode((struct bytes){ (const uint8_t *)btid, strcspn(btid, "@") }, &rand);
}

static enum status put_challenge(struct bootstrapping *s, const uint8_t raw[static 32], struct http_reply *r)
{
	struct buf header = { (uint8_t *)s->header, 0, sizeof s->header - 1, false };
	char nonce[64], opaque_hex[2 * OPAQUE_LEN + 1];
	struct buf n = { (uint8_t *)nonce, 0, sizeof nonce - 1, false };
	uint8_t opaque[OPAQUE_LEN];

	TRY(rng_fill(&rng_system, opaque, sizeof opaque));
	base64_encode((struct bytes){ raw, RAND_LEN + AUTN_LEN }, &n);
	nonce[n.len] = 0;
	buf_put(&header, BYTES_STR("Digest "));
	http_digest_put(&header, "realm", s->name, true);
	http_digest_put(&header, "nonce", nonce, true);
	http_digest_put(&header, "algorithm", "AKAv1-MD5", false);
	http_digest_put(&header, "qop", "auth-int", true);
	http_digest_put(&header, "opaque", hex_encode(BYTES_OF(opaque), opaque_hex), true);
	s->header[header.len] = 0;
	r->status = 401;
	http_reply_header(r, "WWW-Authenticate", s->header);
	return buf_status(&header);
}

static enum status challenge(struct bootstrapping *s, uint64_t now, const char *impi, struct http_reply *r)
{
	uint8_t raw[RAND_LEN + AUTN_LEN];
	struct db_gba g = { 0 };
	enum status st;

	if (!imsi_of(impi, g.imsi))
		return ERR_NOT_FOUND;
	(void)snprintf(g.impi, sizeof g.impi, "%s", impi);
	if ((st = pending_challenge(s, now, g.imsi, raw)) == ERR_NOT_FOUND)
		st = make_challenge(s, now, false, &g, raw);
	TRY(st);
	return put_challenge(s, raw, r);
}

/* The challenge that this nonce was: its RAND names the context. */
static enum status context_of(struct bootstrapping *s, const struct http_digest *d, char btid[BTID_MAX], struct bytes *rand,
        uint8_t raw[static 64], struct db_gba *g, struct secret_large *keys)
{
	struct buf b = { raw, 0, 64, false };

	TRY(base64_decode(bytes_str(d->nonce), &b));
	if (b.len < RAND_LEN)
		return ERR_MALFORMED;
	*rand = (struct bytes){ raw, RAND_LEN };
	btid_of(s->name, *rand, btid);
	return db_gba_get(s->db, btid, g, keys);
}

/* The card is ahead: go on from where it is, once for each challenge. It has proved itself, so that no source is limited. */
static enum status resynchronise(struct bootstrapping *s, uint64_t now, const struct http_digest *d, const char *btid,
        struct bytes rand, struct db_gba *g, struct http_reply *r)
{
	uint8_t auts[AUTS_LEN + 1], raw[RAND_LEN + AUTN_LEN];
	struct buf b = BUF_OF(auts);

	if (base64_decode(bytes_str(d->auts), &b) != OK || b.len != AUTS_LEN)
		return ERR_MALFORMED;
	TRY(hss_resynchronise(s->db, g->imsi, auts, rand.p));
	TRY(db_gba_drop(s->db, btid));
	TRY(make_challenge(s, now, true, g, raw));
	return put_challenge(s, raw, r);
}

static enum status take_answer(struct bootstrapping *s, uint64_t until, const struct http_digest *d, const char *btid,
        struct bytes res, struct http_reply *r)
{
	struct buf header = { (uint8_t *)s->header, 0, sizeof s->header - 1, false };
	char rspauth[DIGEST_RESPONSE_LEN], when[32];
	time_t expires = (time_t)until;
	struct tm tm;

	(void)gmtime_r(&expires, &tm);
	(void)strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &tm);
	(void)snprintf(s->reply, sizeof s->reply,
	        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<BootstrappingInfo xmlns=\"uri:3gpp-gba\"><btid>%s</btid>"
	        "<lifetime>%s</lifetime></BootstrappingInfo>\n",
	        btid, when);
	r->body = bytes_str(s->reply);
	TRY(http_digest_response(d, res, NULL, r->body, rspauth));
	http_digest_put(&header, "qop", d->qop, false);
	http_digest_put(&header, "rspauth", rspauth, true);
	http_digest_put(&header, "cnonce", d->cnonce, true);
	http_digest_put(&header, "nc", d->nc, false);
	s->header[header.len] = 0;
	http_reply_header(r, "Authentication-Info", s->header);
	http_reply_header(r, "Content-Type", "application/vnd.3gpp.bsf+xml");
	r->status = 200;
	TRY(buf_status(&header));
	return db_gba_confirm(s->db, btid, d->username, until);
}

/* Whether this names the subscriber who was challenged; the rest of the IMPI is what the answer proves. */
static bool is_of(const struct db_gba *g, const char *impi)
{
	char imsi[16];

	return imsi_of(impi, imsi) && strcmp(imsi, g->imsi) == 0;
}

/* A wrong answer can be a stranger's: the challenge goes on waiting for the subscriber's, if no guess can be right. */
static enum status refuse(struct bootstrapping *s, const char *btid, struct bytes res, struct http_reply *r)
{
	r->status = 403;
	return res.n < RES_GUESSABLE ? db_gba_spend(s->db, btid) : OK;
}

static enum status answer(struct bootstrapping *s, uint64_t now, const struct http_digest *d, struct http_reply *r)
{
	SECRET_LARGE keys = { 0 };
	char btid[BTID_MAX], expected[DIGEST_RESPONSE_LEN];
	uint8_t raw[64];
	struct bytes rand;
	struct context c;
	struct db_gba g;
	enum status st = context_of(s, d, btid, &rand, raw, &g, &keys);

	if (st == ERR_NOT_FOUND || (st == OK && (g.state != GBA_PENDING || !is_of(&g, d->username))))
		return challenge(s, now, d->username, r); /* old, or not ours: begin again */
	TRY(st);
	if (d->auts[0] != 0)
		return resynchronise(s, now, d, btid, rand, &g, r);
	if (!take_context(&keys, &c) || strcmp(d->qop, "auth-int") != 0 || !s->here)
		return ERR_MALFORMED;
	TRY(http_digest_response(d, c.res, s->method, s->body, expected));
	if (!secret_equals(bytes_str(expected), bytes_str(d->response)))
		return refuse(s, btid, c.res, r);
	return take_answer(s, now + s->lifetime, d, btid, c.res, r);
}

/* ---- asked, and answered ------------------------------------------------------------------------------------------------ */

enum { MAY_MAKE = 1, CLEAN = 2, HERE = 4 };
enum { NO_HEADER, HEADER_CHALLENGE, HEADER_INFO };
enum {
	DIGEST_FIELDS = 9,
	BODY_MAX = 4096,
	METHOD_MAX = 8,
	QUESTION_MAX = BTID_MAX + 9 + METHOD_MAX + (DIGEST_FIELDS * 256) + 2 + BODY_MAX
};

/* The fields of a Digest that count here. */
static void put_digest(struct buf *b, const struct http_digest *d)
{
	const char *const fields[DIGEST_FIELDS] = { d->username, d->realm, d->nonce, d->uri, d->cnonce, d->auts, d->qop, d->nc,
		d->response };

	for (size_t i = 0; i < DIGEST_FIELDS; i++)
		keeper_put_text(b, fields[i]);
}

static enum status take_digest(struct bytes *in, struct http_digest *d)
{
	TRY(keeper_take_text(in, d->username, sizeof d->username));
	TRY(keeper_take_text(in, d->realm, sizeof d->realm));
	TRY(keeper_take_text(in, d->nonce, sizeof d->nonce));
	TRY(keeper_take_text(in, d->uri, sizeof d->uri));
	TRY(keeper_take_text(in, d->cnonce, sizeof d->cnonce));
	TRY(keeper_take_text(in, d->auts, sizeof d->auts));
	TRY(keeper_take_text(in, d->qop, sizeof d->qop));
	TRY(keeper_take_text(in, d->nc, sizeof d->nc));
	return keeper_take_text(in, d->response, sizeof d->response);
}

static enum status expire(const struct bootstrapping *s, uint64_t now)
{
	if (s->clean)
		TRY(db_gba_forget(s->db, now + BSF_CHALLENGE_SECONDS));
	return db_gba_expire(s->db, now);
}

/* HTTP's status, which header, its value, the body. */
static void put_reply(struct buf *out, const struct http_reply *r)
{
	const bool one = r->headers > 0;

	buf_put_uint(out, 2, r->status);
	buf_put_u8(out, !one ? NO_HEADER : r->status == 401 ? HEADER_CHALLENGE : HEADER_INFO);
	keeper_put_long(out, one ? bytes_str(r->value[0]) : (struct bytes){ 0 });
	keeper_put_long(out, r->body);
}

/* Our name, lifetime, flags, method, Digest, body. */
static enum status answer_bootstrapping(const struct desk *desk, struct bytes in, struct buf *out)
{
	char name[BTID_MAX], method[METHOD_MAX];
	struct bootstrapping s = { .db = desk->db, .name = name, .method = method };
	struct http_reply r = { .status = 403 };
	struct http_digest d = { 0 };
	uint64_t flags;
	enum status st;

	TRY(keeper_take_name(desk, &in, name, sizeof name));
	if (!bytes_take_uint(&in, 8, &s.lifetime) || !bytes_take_uint(&in, 1, &flags))
		return ERR_TRUNCATED;
	TRY(keeper_take_text(&in, method, sizeof method));
	TRY(take_digest(&in, &d));
	if (!keeper_take_long(&in, &s.body) || in.n != 0)
		return ERR_MALFORMED;
	if (desk->life != 0 && s.lifetime > desk->life)
		return ERR_DENIED;
	s.may_make = (flags & MAY_MAKE) != 0;
	s.clean = (flags & CLEAN) != 0;
	s.here = (flags & HERE) != 0;
	if ((st = expire(&s, desk->now)) == OK)
		st = d.nonce[0] == 0 ? challenge(&s, desk->now, d.username, &r) : answer(&s, desk->now, &d, &r);
	if (st == OK)
		put_reply(out, &r);
	return st;
}
const struct keeper_request bsf_ask_bootstrapping = { ASK_BOOTSTRAPPING, "bootstrapping", KEEPER_BSF, QUESTION_MAX,
	KEEPER_WRITES, answer_bootstrapping };

/* The views of r lie in s. */
static enum status take_reply(struct bsf *s, struct bytes in, struct http_reply *r)
{
	static const char *const names[] = { NULL, "WWW-Authenticate", "Authentication-Info" };
	struct bytes header, body;
	uint64_t status, which;

	if (!bytes_take_uint(&in, 2, &status) || !bytes_take_uint(&in, 1, &which) || which > HEADER_INFO ||
	        !keeper_take_long(&in, &header) || header.n >= sizeof s->header || !keeper_take_long(&in, &body) ||
	        body.n >= sizeof s->body)
		return ERR_IO;
	*r = (struct http_reply){ .status = (unsigned)status };
	if (!text_put(s->header, sizeof s->header, "%.*s", (int)header.n, (const char *)header.p))
		return ERR_IO;
	memcpy(s->body, body.p, body.n);
	r->body = (struct bytes){ (const uint8_t *)s->body, body.n };
	if (which != NO_HEADER)
		http_reply_header(r, names[which], s->header);
	if (body.n > 0)
		http_reply_header(r, "Content-Type", "application/vnd.3gpp.bsf+xml");
	return OK;
}

static enum status ask(struct bsf *s, uint64_t now, const struct http_request *q, const struct http_digest *d, bool may_make,
        struct http_reply *r)
{
	uint8_t raw[QUESTION_MAX], answer_raw[sizeof s->header + sizeof s->body + 8];
	struct buf question = BUF_OF(raw), a = BUF_OF(answer_raw);

	if (q->body.n > BODY_MAX)
		return ERR_MALFORMED;
	keeper_put_text(&question, s->name);
	buf_put_uint(&question, 8, s->lifetime);
	buf_put_u8(&question, (may_make ? MAY_MAKE : 0) | (s->clean ? 0 : CLEAN) | (strcmp(d->uri, q->path) == 0 ? HERE : 0));
	keeper_put_text(&question, q->method);
	put_digest(&question, d);
	keeper_put_long(&question, q->body);
	TRY(buf_status(&question) == OK ? OK : ERR_MALFORMED);
	TRY(keeper_ask(s->db, now, &bsf_ask_bootstrapping, buf_bytes(&question), &a));
	s->clean = true;
	return take_reply(s, buf_bytes(&a), r);
}

/* Whether a new challenge is needed only the keeper knows, and the source only this process. */
void bsf_request(struct bsf *s, uint64_t now, const struct http_request *q, struct http_reply *r)
{
	const char *authorization = http_header(q, "Authorization");
	const bool free = s->vectors == NULL || q->from == NULL;
	struct http_digest d;
	enum status st = ERR_MALFORMED;

	if (authorization != NULL && (st = http_digest_parse(authorization, &d)) == OK) {
		st = ask(s, now, q, &d, free, r);
		if (st == ERR_NOT_FOUND && !free)
			st = limit_take(s->vectors, q->from, now * 1000) ? ask(s, now, q, &d, true, r) : ERR_NO_SPACE;
	}
	if (st != OK)
		*r = (struct http_reply){ .status = st == ERR_MALFORMED  ? 400
			                            : status_failed(st)  ? 503
			                            : st == ERR_NO_SPACE ? 429
			                                                 : 403 };
}

enum { PROTOCOL_LEN = 5 }; /* zeros are octets like others */

enum status naf_id_of(const char *naf, const char *protocol, struct buf *out)
{
	buf_put(out, bytes_str(naf));
	buf_put(out, (struct bytes){ (const uint8_t *)protocol, PROTOCOL_LEN });
	return buf_status(out);
}

/* The context of a B-TID that is good, and whose it is. */
static enum status user_of(struct db *db, uint64_t now, const char *btid, struct naf_user *u, struct secret_large *keys)
{
	struct db_card card;
	struct db_gba g;

	TRY(db_gba_get(db, btid, &g, keys));
	if (g.state != GBA_CONFIRMED || g.expires <= now)
		return ERR_NOT_FOUND;
	*u = (struct naf_user){ .expires = g.expires };
	(void)snprintf(u->imsi, sizeof u->imsi, "%s", g.imsi);
	(void)snprintf(u->impi, sizeof u->impi, "%s", g.impi);
	(void)snprintf(u->btid, sizeof u->btid, "%s", btid);
	TRY(db_card_by_imsi(db, g.imsi, u->iccid));
	TRY(db_card_get(db, u->iccid, &card, NULL));
	return card.revoked == 0 ? OK : ERR_NOT_FOUND;
}

enum status naf_whose(struct db *db, uint64_t now, const char *btid, struct naf_user *u)
{
	SECRET_LARGE keys = { 0 };

	return user_of(db, now, btid, u, &keys);
}

enum status naf_lookup(struct db *db, uint64_t now, const char *btid, enum gba_key kind, struct bytes naf_id,
        struct naf_user *u, struct secret *key)
{
	SECRET_LARGE keys = { 0 };
	uint8_t raw[64];
	struct buf rand = BUF_OF(raw);
	struct context c;

	TRY(user_of(db, now, btid, u, &keys));
	if (!take_context(&keys, &c) || base64_decode((struct bytes){ (const uint8_t *)btid, strcspn(btid, "@") }, &rand) != OK)
		return ERR_MALFORMED;
	key->len = GBA_KEY_LEN;
	return gba_naf_key(kind, c.ks, buf_bytes(&rand), bytes_str(u->impi), naf_id, key->data);
}

/* What connections of ours are protected by: the keys of these protocols alone are given out, never Ks_int_NAF. */
static const char *const ua_protocols[UA_PROTOCOLS] = {
	[UA_TLS_12] = UA_PROTOCOL, [UA_TLS_13] = UA_PROTOCOL_13, [UA_DIGEST] = UA_DIGEST_PROTOCOL
};

/* Our name, protocol, B-TID: when it ends, IMSI, ICCID, IMPI, Ks_ext_NAF. */
static enum status answer_ua_key(const struct desk *d, struct bytes in, struct buf *out)
{
	SECRET key = { 0 };
	char name[NAF_ID_MAX], btid[BTID_MAX];
	uint8_t raw[NAF_ID_MAX];
	struct buf naf_id = BUF_OF(raw);
	struct naf_user u;
	uint64_t protocol;

	TRY(keeper_take_name(d, &in, name, sizeof name));
	if (!bytes_take_uint(&in, 1, &protocol) || protocol >= UA_PROTOCOLS)
		return ERR_MALFORMED;
	TRY(keeper_take_text(&in, btid, sizeof btid));
	if (in.n != 0)
		return ERR_MALFORMED;
	TRY(naf_id_of(name, ua_protocols[protocol], &naf_id));
	TRY(naf_lookup(d->db, d->now, btid, GBA_ME, buf_bytes(&naf_id), &u, &key));
	buf_put_uint(out, 8, u.expires);
	keeper_put_text(out, u.imsi);
	keeper_put_text(out, u.iccid);
	keeper_put_text(out, u.impi);
	buf_put(out, secret_bytes(&key));
	return OK;
}
const struct keeper_request bsf_ask_ua_key = { ASK_UA_KEY, "Ua key", KEEPER_FUNCTION | KEEPER_KMS | KEEPER_GROUP,
	NAF_ID_MAX + 2 + BTID_MAX, KEEPER_READS, answer_ua_key };

enum status ua_key(struct db *db, uint64_t now, const char *naf, enum ua_protocol protocol, const char *btid,
        struct naf_user *u, struct secret *key)
{
	SECRET_LARGE answer = { 0 };
	uint8_t raw[NAF_ID_MAX + 2 + BTID_MAX];
	struct buf question = BUF_OF(raw), a = { answer.data, 0, sizeof answer.data, false };
	struct bytes in;

	keeper_put_text(&question, naf);
	buf_put_u8(&question, (uint8_t)protocol);
	keeper_put_text(&question, btid);
	TRY(buf_status(&question) == OK ? OK : ERR_NOT_FOUND);
	TRY(keeper_ask(db, now, &bsf_ask_ua_key, buf_bytes(&question), &a));
	in = buf_bytes(&a);
	*u = (struct naf_user){ 0 };
	(void)snprintf(u->btid, sizeof u->btid, "%s", btid);
	if (!bytes_take_uint(&in, 8, &u->expires))
		return ERR_IO;
	TRY(keeper_take_text(&in, u->imsi, sizeof u->imsi));
	TRY(keeper_take_text(&in, u->iccid, sizeof u->iccid));
	TRY(keeper_take_text(&in, u->impi, sizeof u->impi));
	return secret_set(key, in);
}

enum status gba_seal_keys(const struct secret *ks_int_naf, struct seal_keys *out)
{
	out->trk_id = SEALED_TRK_GBA;
	TRY(gba_label_key(ks_int_naf, GBA_LABEL_TRK, &out->trk));
	return gba_label_key(ks_int_naf, GBA_LABEL_INK, &out->ink);
}

enum status naf_seal_keys(struct db *db, uint64_t now, const char *naf, const char *btid, struct seal_keys *out)
{
	SECRET internal = { 0 };
	uint8_t raw[NAF_ID_MAX];
	struct buf naf_id = BUF_OF(raw);
	struct naf_user u;

	TRY(naf_id_of(naf, UA_PROTOCOL, &naf_id));
	TRY(naf_lookup(db, now, btid, GBA_U, buf_bytes(&naf_id), &u, &internal));
	return gba_seal_keys(&internal, out);
}

/* A card's certificate, whose private key it has proved to hold: there is no other key. */
static enum status certified_user(struct db *db, const char *iccid, struct naf_user *u)
{
	struct db_card card;

	*u = (struct naf_user){ .expires = UINT64_MAX };
	TRY(db_card_get(db, iccid, &card, NULL));
	(void)snprintf(u->imsi, sizeof u->imsi, "%s", card.imsi);
	(void)snprintf(u->iccid, sizeof u->iccid, "%s", card.iccid);
	return card.revoked == 0 && card.duplicate_of[0] == 0 ? OK : ERR_NOT_FOUND;
}

enum status ua_user(
        struct db *db, uint64_t now, const char *naf, const char *identity, bool tls13, struct naf_user *u, struct secret *key)
{
	size_t n = sizeof UA_IDENTITY - 1;

	if (strncmp(identity, HTTP_CERTIFICATE, sizeof HTTP_CERTIFICATE - 1) == 0)
		return certified_user(db, identity + sizeof HTTP_CERTIFICATE - 1, u);
	if (strncmp(identity, UA_IDENTITY, n) != 0)
		return ERR_NOT_FOUND;
	return ua_key(db, now, naf, tls13 ? UA_TLS_13 : UA_TLS_12, identity + n, u, key);
}

enum status ua_who(struct db *db, uint64_t now, const char *naf, const struct http_request *q, struct http_reply *r,
        char header[UA_DIGEST_HEADER], struct naf_user *u)
{
	SECRET key = { 0 };
	enum status st;

	if (q->identity == NULL)
		return ua_digest(db, now, naf, q, r, header, u);
	if ((st = ua_user(db, now, naf, q->identity, false, u, &key)) != OK)
		r->status = 403; /* it has expired since the handshake */
	return st;
}
