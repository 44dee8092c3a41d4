/* SPDX-License-Identifier: Apache-2.0 */
/* START, JOIN and RELEASE KEY: a group session key under the GMK (seed 003 6.Z.4.5). */
#include <string.h>

#include "apdu/tlv.h"
#include "card/applets/prose/prose.h"
#include "crypto/guarded/eccsi.h"
#include "crypto/common/srtp.h"
#include "protocols/mikey/keys/psk.h"

static const struct bytes offers_name = { (const uint8_t *)"ofr", 3 };

struct prose_session *prose_session_find(struct prose_state *s, struct bytes id)
{
	for (size_t i = 0; i < PROSE_SESSIONS_MAX; i++)
		if (s->session[i].used && bytes_equal(BYTES_OF(s->session[i].id), id))
			return &s->session[i];
	return NULL;
}

static struct prose_session *find_offer(struct prose_state *s, const uint8_t digest[static DIGEST_LEN])
{
	for (size_t i = 0; i < PROSE_SESSIONS_MAX; i++)
		if (s->session[i].used && memcmp(s->session[i].digest, digest, DIGEST_LEN) == 0)
			return &s->session[i];
	return NULL;
}

/* Streams that only one of two states of a row has. */
static void free_streams(struct prose_session *of, const struct prose_session *but)
{
	if (of->out != but->out)
		srtp_stream_free(&of->out);
	for (size_t i = 0; i < TALKERS_MAX; i++)
		if (of->in[i].stream != but->in[i].stream)
			srtp_stream_free(&of->in[i].stream);
}

void prose_settle(void *kept, void *dropped)
{
	const struct prose_session *stays = ((struct prose_state *)kept)->session;
	struct prose_session *goes = ((struct prose_state *)dropped)->session;

	for (size_t i = 0; i < PROSE_SESSIONS_MAX; i++)
		free_streams(&goes[i], &stays[i]);
}

void prose_session_free(struct prose_session *s)
{
	static const struct prose_session none;

	free_streams(s, &none);
	secret_clean(s, sizeof *s);
}

struct prose_session *prose_session_new(struct command *c, const struct prose_group *g)
{
	struct prose_state *s = prose_state(c->applet);
	struct prose_session *best = &s->session[0];

	for (size_t i = 0; i < PROSE_SESSIONS_MAX && best->used; i++)
		if (!s->session[i].used || s->session[i].opened < best->opened)
			best = &s->session[i];
	secret_clean(best, sizeof *best); /* prose_settle frees its streams, or it is as before */
	if (rng_fill(c->card->env.rng, best->id, sizeof best->id) != OK)
		return NULL;
	best->used = true;
	best->opened = ++s->opened;
	best->policy = g->policy;
	memcpy(best->group, g->digest, DIGEST_LEN);
	return best;
}

enum sw prose_gmk_current(struct applet *a, const uint8_t group[static DIGEST_LEN], uint64_t now, struct prose_gmk *out)
{
	GMKS all = { 0 };
	const struct prose_gmk *best = NULL;
	enum status st = prose_gmks_load(a, group, &all);

	if (st != OK)
		return sw_of(st);
	for (size_t i = 0; i < all.n; i++) {
		const struct prose_gmk *k = &all.key[i];

		if (k->not_before <= now && now < k->not_after && prose_gmk_ended_by(&all, k->rank, k->id, now, 0) == NULL &&
		        (best == NULL || prose_gmk_newer(k, best)))
			best = k;
	}
	if (best == NULL)
		return all.n > 0 ? SW_PROSE_EXPIRED : SW_PROSE_NO_KEY;
	*out = *best;
	return SW_OK;
}

static enum sw sign(struct command *c, const struct prose_key_set *k, struct buf *message)
{
	uint8_t signature[ECCSI_SIGNATURE_LEN];
	enum status st;

	if (k->hs == NULL)
		return SW_PROSE_NOT_PROVISIONED;
	mikey_put_sign_header(message);
	if ((st = buf_status(message)) != OK ||
	        (st = eccsi_sign(c->card->env.rng, k->hs, &k->ssk, k->pvt, buf_bytes(message), signature)) != OK)
		return sw_of(st);
	buf_put(message, BYTES_OF(signature));
	return sw_of(buf_status(message));
}

struct start_request {
	struct bytes time, group_uri, ssrc, session, media_at;
};

static enum status start_request_parse(struct bytes in, struct start_request *r)
{
	struct tlv t;

	*r = (struct start_request){ 0 };
	while (in.n > 0) {
		TRY(tlv_next(&in, &t));
		switch (t.tag) {
		case TAG_TIME: TRY(tlv_set_once(&r->time, t.value)); break;
		case TAG_GROUP_URI: TRY(tlv_set_once(&r->group_uri, t.value)); break;
		case TAG_SSRC: TRY(tlv_set_once(&r->ssrc, t.value)); break;
		case TAG_SESSION_ID: TRY(tlv_set_once(&r->session, t.value)); break;
		case TAG_MEDIA_AT: TRY(tlv_set_once(&r->media_at, t.value)); break;
		default: return ERR_MALFORMED;
		}
	}
	return r->time.n == 8 && r->group_uri.n > 0 && r->group_uri.n <= PROSE_URI_MAX && (r->ssrc.n == 0 || r->ssrc.n == 4) &&
	                       (r->media_at.p == NULL || r->media_at.n == MIKEY_MEDIA_AT_LEN)
	               ? OK
	               : ERR_MALFORMED;
}

/* Make GSK and the offer; with a session id, refresh that session's offer under the same GSK (DESIGN.md 3.5). */
enum sw prose_cmd_start_session(struct command *c)
{
	struct start_request r;
	struct prose_session *s;
	KEY_SET keys = { 0 };
	GROUP g = { 0 };
	GMK gmk = { 0 };
	struct mikey_offer offer = { .sp = mikey_sp_aes_cm_sha1_80 };
	uint8_t rand[16], raw[MIKEY_MESSAGE_MAX];
	struct buf message = BUF_OF(raw);
	uint64_t now;
	enum status st;
	enum sw sw;

	if (start_request_parse(c->data, &r) != OK)
		return SW_WRONG_DATA;
	if ((st = prose_time_accept(c->applet, bytes_uint(r.time), &now)) != OK)
		return sw_of(st);
	if ((st = prose_load_group(c->applet, r.group_uri, &g)) != OK)
		return sw_verdict(st, SW_PROSE_NO_KEY);
	if ((st = prose_load_talker(c->applet, &g, now, &keys)) != OK)
		return sw_verdict(st, SW_PROSE_NOT_PROVISIONED);
	if ((g.policy & GROUP_POLICY_DIRECT) != 0)
		return SW_PROSE_POLICY; /* no GSK there */
	if ((sw = prose_gmk_current(c->applet, g.digest, now, &gmk)) != SW_OK)
		return sw;
	if (r.session.n > 0) {
		s = prose_session_find(prose_state(c->applet), r.session);
		if (s == NULL || memcmp(s->group, g.digest, DIGEST_LEN) != 0)
			return SW_REFERENCE_NOT_FOUND;
		if ((sw = prose_session_check(c->applet, s)) != SW_OK)
			return sw; /* who was excluded has its GSK: another session */
	} else {
		if ((s = prose_session_new(c, &g)) == NULL || rng_secret(c->card->env.rng, &s->gsk, GSK_LEN) != OK ||
		        rng_secret(c->card->env.rng, &s->salt, GSK_SALT_LEN) != OK)
			return SW_TECHNICAL_PROBLEM;
		s->started = true;
		s->gmk_id = gmk.id;
		s->rank = s->judged = gmk.rank;
		/* The phone's own, unless others may send under this key, or the card ciphers. */
		if (r.ssrc.n == 4 && (g.policy & (GROUP_POLICY_SHARED | GROUP_POLICY_IN_CARD)) == 0)
			s->ssrc = (uint32_t)bytes_uint(r.ssrc);
		else if ((st = prose_ssrc_new(c, &s->ssrc)) != OK)
			return sw_of(st);
		s->talks_as = s->ssrc;
	}
	if (rng_fill(c->card->env.rng, rand, sizeof rand) != OK)
		return SW_TECHNICAL_PROBLEM;
	offer.profile = (g.policy & GROUP_POLICY_PROFILE_B) != 0 ? MIKEY_PROFILE_B : MIKEY_PROFILE_A;
	offer.gmk_id = gmk.id;
	offer.ssrc = s->ssrc;
	offer.ntp = mikey_ntp(bytes_uint(r.time));
	offer.rand = BYTES_OF(rand);
	offer.sender_uri = keys.user_uri;
	offer.receiver_uri = g.uri;
	offer.media_at = r.media_at;
	offer.signed_by_sender = (g.policy & GROUP_POLICY_SIGN) != 0;
	if ((st = mikey_guk_id(secret_bytes(&gmk.key), keys.user_uri, gmk.id, &offer.csb_id)) != OK ||
	        (st = mikey_psk_build(secret_bytes(&gmk.key), &offer, &s->gsk, &s->salt, &message)) != OK)
		return sw_of(st);
	if (offer.signed_by_sender && (sw = sign(c, &keys, &message)) != SW_OK)
		return sw;
	tlv_put(c->rsp, TAG_SESSION_ID, BYTES_OF(s->id));
	tlv_put_uint(c->rsp, TAG_GMK_ID, 4, gmk.id);
	tlv_put_uint(c->rsp, TAG_SSRC, 4, s->ssrc);
	tlv_put(c->rsp, TAG_MESSAGE, buf_bytes(&message));
	return SW_OK;
}

/* The GMK an offer names: by GUK-ID and sender, by the Key-ID extension where there is one. */
static enum sw offered_gmk(const struct prose_gmks *all, const struct mikey *m, uint64_t now, const struct prose_gmk **out)
{
	uint32_t named = 0, id;
	bool has_id = mikey_psk_gmk_id(m, &named) == OK;
	enum sw sw = SW_PROSE_NO_KEY;

	for (size_t i = 0; i < all->n; i++) {
		const struct prose_gmk *k = &all->key[i];

		enum status st = mikey_guk_id(secret_bytes(&k->key), m->id[0], m->header.csb_id, &id);

		if (status_failed(st))
			return sw_of(st);
		if (st != OK || id != k->id || (has_id && named != k->id))
			continue;
		if (k->not_before > now || now >= k->not_after) {
			sw = SW_PROSE_EXPIRED;
			continue;
		}
		*out = k;
		return SW_OK;
	}
	return sw;
}

/* Who says that he is on his KMS's list is not heard, signed or not. */
static enum sw check_offer_signature(struct applet *a, const struct prose_group *g, const struct mikey *m)
{
	KMS_CERTIFICATE kms = { 0 };
	uint8_t uid[MIKEY_UID_LEN];
	enum sw sw;

	if (m->signature.n == 0 && (g->policy & GROUP_POLICY_SIGN) != 0)
		return SW_PROSE_POLICY;
	if (prose_load_kms_of(a, m->id[0], &kms) != OK)
		return m->signature.n == 0 ? SW_OK : SW_PROSE_NOT_PROVISIONED;
	sw = sw_verdict(
	        mikey_uid(&kms.kms, m->id[0], mikey_period_number(&kms.kms, mikey_unix(m->time)), uid), SW_PROSE_SIGNATURE);
	if (sw != SW_OK)
		return sw;
	if ((sw = prose_not_revoked(a, &kms.kms, BYTES_OF(uid))) != SW_OK || m->signature.n == 0)
		return sw;
	return sw_verdict(eccsi_verify(kms.kpak, BYTES_OF(uid), m->signed_part, m->signature), SW_PROSE_SIGNATURE);
}

/* A session of this key: who offers it again does not open another one, with talkers and replay windows of its own. */
static struct prose_session *find_key(
        struct prose_state *s, const struct prose_group *g, const struct secret *gsk, const struct secret *salt, uint32_t ssrc)
{
	for (size_t i = 0; i < PROSE_SESSIONS_MAX; i++) {
		struct prose_session *one = &s->session[i];

		if (one->used && !one->started && !one->direct && one->ssrc == ssrc &&
		        memcmp(one->group, g->digest, DIGEST_LEN) == 0 &&
		        secret_equals(secret_bytes(&one->gsk), secret_bytes(gsk)) &&
		        secret_equals(secret_bytes(&one->salt), secret_bytes(salt)))
			return one;
	}
	return NULL;
}

static enum sw open_offer(struct command *c, const struct prose_group *g, const struct mikey *m, uint64_t now,
        const uint8_t digest[static DIGEST_LEN], struct prose_session **out)
{
	SECRET gsk = { 0 };
	SECRET salt = { 0 };
	GMKS all = { 0 };
	const struct prose_gmk *gmk = NULL;
	struct prose_session *s;
	uint32_t ssrc = 0;
	enum status st = prose_gmks_load(c->applet, g->digest, &all);
	enum sw sw;

	if (st != OK)
		return sw_of(st);
	if ((sw = offered_gmk(&all, m, now, &gmk)) != SW_OK || (sw = check_offer_signature(c->applet, g, m)) != SW_OK)
		return sw;
	st = mikey_psk_open(secret_bytes(&gmk->key), m, &gsk, &salt);
	if (st == OK && (gsk.len != GSK_LEN || salt.len != GSK_SALT_LEN || secret_repeats(secret_bytes(&gsk))))
		return SW_WRONG_DATA;
	if (st != OK)
		return st == ERR_CRYPTO ? SW_PROSE_SIGNATURE : sw_of(st);
	if ((sw = prose_gmk_listen(c->applet, g, &all, gmk, m->id[0], now)) != SW_OK)
		return sw;
	if (mikey_psk_ssrc(m, &ssrc) != OK)
		ssrc = 0;
	s = find_key(prose_state(c->applet), g, &gsk, &salt, ssrc);
	if (s == NULL && (s = prose_session_new(c, g)) == NULL)
		return SW_TECHNICAL_PROBLEM;
	s->gmk_id = gmk->id;
	s->rank = gmk->rank;
	s->judged = prose_gmks_newest_rank(&all, now);
	s->old_key = prose_gmk_ended_by(&all, gmk->rank, gmk->id, now, 0) != NULL;
	s->gsk = gsk;
	s->salt = salt;
	s->ssrc = ssrc;
	memcpy(s->digest, digest, DIGEST_LEN);
	*out = s;
	return SW_OK;
}

/* Whether this channel has been told of the session before; from now on it has. */
static bool was_told(struct command *c, const struct prose_session *s)
{
	struct prose_told *told = c->channel->session;
	uint8_t *id = told->session[s - prose_state(c->applet)->session];
	bool before = memcmp(id, s->id, sizeof s->id) == 0;

	memcpy(id, s->id, sizeof s->id);
	return before;
}

enum sw prose_cmd_join_session(struct command *c)
{
	struct bytes time, message, media_at;
	struct prose_session *s;
	struct mikey m;
	GROUP g = { 0 };
	uint8_t digest[DIGEST_LEN], authentic[DIGEST_LEN];
	uint64_t now, phone, sent;
	bool seen = false, known;
	enum status st;
	enum sw sw;

	if (tlv_find(c->data, TAG_TIME, &time) != OK || time.n != 8 || tlv_find(c->data, TAG_MESSAGE, &message) != OK ||
	        mikey_parse(message, &m) != OK || m.header.data_type != 0 || m.id[0].n == 0 || m.id[1].n == 0)
		return SW_WRONG_DATA;
	phone = bytes_uint(time);
	sent = mikey_unix(m.time);
	if ((st = prose_time_accept(c->applet, phone, &now)) != OK)
		return sw_of(st);
	if ((st = prose_load_group(c->applet, m.id[1], &g)) != OK)
		return sw_verdict(st, SW_PROSE_NO_KEY);
	if (sent > phone + PROSE_OFFER_WINDOW || sent + PROSE_OFFER_WINDOW < phone)
		return SW_PROSE_TIME;
	/* Known is what was authenticated before; only an identical copy of an open session's offer needs no new check. */
	if ((st = prose_digest((struct bytes[]){ m.kemac.maced, m.kemac.mac }, 2, authentic)) != OK ||
	        (st = prose_digest(&message, 1, digest)) != OK ||
	        (st = prose_ring_seen(c->applet, offers_name, authentic, &seen)) != OK)
		return sw_of(st);
	s = seen ? find_offer(prose_state(c->applet), digest) : NULL;
	known = seen && s == NULL; /* the call is over: a replay, whoever asks */
	if (s != NULL && prose_session_check(c->applet, s) != SW_OK)
		s = NULL; /* a newer key has come since: it is judged again */
	if (s == NULL && (sw = open_offer(c, &g, &m, now, digest, &s)) != SW_OK)
		return sw;
	if (!seen && (st = prose_ring_add(c->applet, offers_name, authentic)) != OK)
		return sw_of(st);
	known = was_told(c, s) || known;
	tlv_put(c->rsp, TAG_SESSION_ID, BYTES_OF(s->id));
	tlv_put_uint(c->rsp, TAG_SSRC, 4, s->ssrc);
	tlv_put_uint(c->rsp, TAG_KNOWN, 1, known ? 1 : 0);
	tlv_put(c->rsp, TAG_SENDER_URI, m.id[0]);
	tlv_put(c->rsp, TAG_GROUP_URI, g.uri);
	if (mikey_psk_media_at(&m, &media_at) == OK)
		tlv_put(c->rsp, TAG_MEDIA_AT, media_at);
	if (s->old_key)
		tlv_put_uint(c->rsp, TAG_OLD_KEY, 1, 1);
	return SW_OK;
}

/* How often keys of this group have left, this time included. */
static enum status count_release(struct applet *a, const struct prose_session *s, uint64_t *count)
{
	SECRET_LARGE stored = { 0 };
	struct record_name name = prose_record_name("rel", s->group);
	uint8_t raw[8];
	struct buf b = BUF_OF(raw);
	enum status st = applet_get(a, name_bytes(&name), &stored);

	if (st != OK && st != ERR_NOT_FOUND)
		return st;
	*count = bytes_uint(secret_large_bytes(&stored)) + 1;
	buf_put_uint(&b, 8, *count);
	return applet_put(a, name_bytes(&name), buf_bytes(&b));
}

/* Key and salt for the phone's SRTP stack, if the group's policy lets them out: the GSK, or of gmk-direct those of one talker.
 */
enum sw prose_cmd_release_key(struct command *c)
{
	struct prose_session *s;
	SECRET key = { 0 };
	SECRET salt = { 0 };
	struct bytes id, guk = { 0 };
	uint64_t count;
	enum status st;
	enum sw sw;

	if (tlv_find(c->data, TAG_SESSION_ID, &id) != OK)
		return SW_WRONG_DATA;
	if ((s = prose_session_find(prose_state(c->applet), id)) == NULL)
		return SW_REFERENCE_NOT_FOUND;
	if (tlv_find(c->data, TAG_GUK_ID, &guk) == OK && (guk.n != 4 || !s->direct))
		return SW_WRONG_DATA;
	if ((s->policy & GROUP_POLICY_IN_CARD) != 0 || (s->direct && (s->policy & GROUP_POLICY_EXPORT) == 0))
		return SW_PROSE_POLICY;
	if ((sw = prose_session_check(c->applet, s)) != SW_OK)
		return sw;
	if (s->direct) {
		if ((st = prose_talker_key(s, guk.n == 4 ? (uint32_t)bytes_uint(guk) : s->guk_id, &key, &salt)) != OK)
			return sw_of(st);
	} else {
		key = s->gsk;
		salt = s->salt;
	}
	if ((st = count_release(c->applet, s, &count)) != OK)
		return sw_of(st);
	tlv_put(c->rsp, TAG_GSK, secret_bytes(&key));
	tlv_put(c->rsp, TAG_SALT, secret_bytes(&salt));
	tlv_put_uint(c->rsp, TAG_COUNT, 8, count);
	return SW_OK;
}
