/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/services/kms_service.h"

#include <stdio.h>
#include <string.h>

#include "apdu/gba.h"
#include "apdu/sealed.h"
#include "crypto/network/enrol.h"
#include "provisioning/keeper/requests.h"
#include "provisioning/keys/revoked.h"
#include "provisioning/keys/kms.h"

/* ---- requests ------------------------------------------------------------------------------------------------------- */

/* Whom a connection belongs to. */
struct ue {
	char iccid[21];
	char btid[BTID_MAX];           /* "": not by GBA */
	char code[ENROL_IDENTITY_MAX]; /* "": without one */
	char uri[129];                 /* with a code: the one user it is for */
	bool used;                     /* the code was, and is good for a confirmation only */
};

static void ue_by_gba(const struct naf_user *u, struct ue *ue)
{
	*ue = (struct ue){ .used = false };
	(void)snprintf(ue->iccid, sizeof ue->iccid, "%s", u->iccid);
	(void)snprintf(ue->btid, sizeof ue->btid, "%s", u->btid);
}

static bool is_code(const char *identity)
{
	return identity != NULL && strncmp(identity, ENROL_PREFIX, sizeof ENROL_PREFIX - 1) == 0;
}

static enum status ue_by_code(struct db *db, uint64_t now, const char *identity, struct ue *ue, struct secret *key)
{
	struct db_enrolment e;

	if (strlen(identity) >= sizeof ue->code)
		return ERR_NOT_FOUND;
	TRY(db_enrolment_get(db, now, identity, &e, key));
	*ue = (struct ue){ .used = e.used };
	(void)snprintf(ue->code, sizeof ue->code, "%s", identity);
	(void)snprintf(ue->iccid, sizeof ue->iccid, "%s", e.iccid);
	(void)snprintf(ue->uri, sizeof ue->uri, "%s", e.uri);
	return OK;
}

/* The name of a code that is good: its key. */
static enum status answer_enrolment_key(const struct desk *d, struct bytes in, struct buf *out)
{
	SECRET key = { 0 };
	char identity[ENROL_IDENTITY_MAX];
	struct ue ue;

	TRY(keeper_take_text(&in, identity, sizeof identity));
	if (in.n != 0)
		return ERR_MALFORMED;
	TRY(ue_by_code(d->db, d->now, identity, &ue, &key));
	buf_put(out, secret_bytes(&key));
	return OK;
}
const struct keeper_request kms_ask_enrolment_key = { ASK_ENROLMENT_KEY, "enrolment key", KEEPER_KMS, ENROL_IDENTITY_MAX,
	KEEPER_READS, answer_enrolment_key };

static enum status code_key(struct kms_service *s, uint64_t now, const char *identity, struct secret *key)
{
	uint8_t raw[ENROL_IDENTITY_MAX];
	struct buf question = BUF_OF(raw), answer = { key->data, 0, sizeof key->data, false };

	if (strlen(identity) >= ENROL_IDENTITY_MAX)
		return ERR_NOT_FOUND;
	keeper_put_text(&question, identity);
	TRY(keeper_ask(s->db, now, &kms_ask_enrolment_key, buf_bytes(&question), &answer));
	key->len = answer.len;
	return OK;
}

bool kms_service_key(struct kms_service *s, uint64_t now, const char *identity, bool tls13, struct secret *key)
{
	struct naf_user u;
	enum status st =
	        is_code(identity) ? code_key(s, now, identity, key) : ua_user(s->db, now, s->naf, identity, tls13, &u, key);

	return st == OK && key->len > 0;
}

/* Which identities a card may hold is the operator's table of users (`prose-net kms allow`). */
static bool may_hold(struct db *db, const struct ue *ue, const char *uri)
{
	char iccid[21];

	return db_user_card(db, uri, iccid) == OK && strcmp(iccid, ue->iccid) == 0 &&
	       (ue->code[0] == 0 || strcmp(ue->uri, uri) == 0);
}

static enum status add_external(void *context, const struct db_external_kms *k)
{
	struct kms_response *r = context;

	if (r->certificates < KMS_CERTIFICATES_MAX)
		kms_describe_external(k, &r->certificate[r->certificates++]);
	return OK;
}

/* One answer in the making. */
struct answer {
	struct db *db;
	const char *naf;
	uint64_t now;
	const struct ue *ue;
	const struct kms_request *q;
	struct kms_response *r;
	struct buf transport, objects;
	uint8_t uid[MIKEY_UID_LEN];
};

/* NewTransportKey: the first ones of a card that has them by GBA, or those that wait for it. */
static enum status add_transport_keys(struct answer *a)
{
	SEAL_KEYS under = { 0 };
	enum status st = ERR_NOT_FOUND;

	if (a->ue->btid[0] != 0 && (st = naf_seal_keys(a->db, a->now, a->naf, a->ue->btid, &under)) == OK)
		st = order_keys_by_gba(a->db, a->ue->iccid, &under, &a->transport);
	if (st == ERR_NOT_FOUND)
		st = db_outbox_fetch(a->db, a->now, a->ue->iccid, ITEM_TRANSPORT, &a->transport);
	if (st == OK && a->transport.len > 1 && bytes_uint((struct bytes){ a->transport.p, 2 }) != TAG_SEALED)
		a->transport.len = 0; /* a push, which the phone has to take first */
	a->r->transport_keys = buf_bytes(&a->transport);
	return st == ERR_NOT_FOUND ? OK : st;
}

/* Of the revoked. Without room for all of them they wait for the next change. */
static enum status add_lists(struct answer *a)
{
	static uint8_t raw[KMS_OBJECTS_MAX];
	struct buf lists = BUF_OF(raw);

	TRY(revoked_seal(a->db, a->ue->iccid, &lists));
	if (lists.len <= a->objects.cap - a->objects.len)
		buf_put(&a->objects, buf_bytes(&lists));
	return buf_status(&a->objects);
}

/* Of the one KMS that there is. */
static struct kms_tables tables;

static enum status add_key_sets(struct answer *a, const struct kms *k)
{
	const uint64_t early = a->now + k->record.period / KMS_EARLY;
	struct db *db = a->db;

	a->r->period_number = mikey_period_number(&k->identity, a->now);
	TRY(mikey_uid(&k->identity, bytes_str(a->q->user_uri), a->r->period_number, a->uid));
	a->r->user_id = BYTES_OF(a->uid);
	TRY(kms_issue(db, &tables, a->now, NULL, a->ue->iccid, a->q->user_uri, a->now, &a->objects));
	if (mikey_period_number(&k->identity, early) != a->r->period_number)
		TRY(kms_issue(db, &tables, a->now, NULL, a->ue->iccid, a->q->user_uri, early, &a->objects));
	TRY(add_lists(a));
	return a->ue->code[0] != 0 ? db_enrolment_use(db, a->ue->code) : OK;
}

static enum status refuse(struct answer *a, const char *format, const char *what)
{
	(void)snprintf(a->r->error, sizeof a->r->error, format, what);
	return OK;
}

static enum status fill(struct answer *a, struct kms *k, struct seal_keys *card)
{
	struct db *db = a->db;

	if (kms_load(db, k) != OK || strcmp(a->q->kms_uri, k->record.uri) != 0)
		return refuse(a, "this is not the KMS %.80s", a->q->kms_uri);
	if (a->r->kind != KMS_CERTIFICATES && !may_hold(a->db, a->ue, a->q->user_uri))
		return refuse(a, "this card may not hold %.80s", a->q->user_uri);
	if (a->r->kind == KMS_INIT)
		TRY(add_transport_keys(a));
	if (operator_seal_keys(db, a->ue->iccid, card) != OK)
		return refuse(a, "%s", "the first keys of this card come by GBA");
	if (a->r->kind == KMS_INIT)
		TRY(kms_seal_certificate(db, k, NULL, a->ue->iccid, &a->objects));
	if (a->r->kind == KMS_KEY_PROVISION)
		TRY(add_key_sets(a, k));
	kms_describe(k, &a->r->certificate[a->r->certificates++]);
	TRY(db_external_kms_each(db, add_external, a->r));
	a->r->objects = buf_bytes(&a->objects);
	return OK;
}

static enum status make_answer(struct answer *a, enum kms_message kind, struct buf *out)
{
	static uint8_t objects_raw[KMS_OBJECTS_MAX], transport_raw[KMS_TRANSPORT_MAX];
	static struct kms_response r;
	const struct kms_request *q = a->q;
	SEAL_KEYS card = { 0 };
	KMS k = { 0 };

	a->r = &r;
	a->transport = BUF_OF(transport_raw);
	a->objects = BUF_OF(objects_raw);
	r = (struct kms_response){ .kind = kind, .time = a->now };
	(void)snprintf(r.user_uri, sizeof r.user_uri, "%s", q->user_uri);
	(void)snprintf(r.kms_uri, sizeof r.kms_uri, "%s", q->kms_uri);
	(void)snprintf(r.client_url, sizeof r.client_url, "%s", q->client_url[0] != 0 ? q->client_url : a->naf);
	TRY(db_clock_issue(a->db, a->now));
	TRY(fill(a, &k, &card));
	/* Nothing that could be installed goes without a signature. */
	return kms_response_put(
	        &r, card.ink.len > 0 ? &(struct kms_integrity_key){ card.trk_id, secret_bytes(&card.ink) } : NULL, out);
}

/* Whose answer: who has a code or a B-TID is looked up again; a card's certificate was seen by the server alone. */
static enum status take_ue(const struct desk *d, struct bytes *in, struct ue *ue)
{
	char iccid[21], btid[BTID_MAX], code[ENROL_IDENTITY_MAX];
	struct naf_user u;

	TRY(keeper_take_text(in, iccid, sizeof iccid));
	TRY(keeper_take_text(in, btid, sizeof btid));
	TRY(keeper_take_text(in, code, sizeof code));
	if (code[0] != 0) {
		TRY(ue_by_code(d->db, d->now, code, ue, NULL));
		return ue->used ? ERR_DENIED : OK;
	}
	if (btid[0] != 0) {
		TRY(naf_whose(d->db, d->now, btid, &u));
		ue_by_gba(&u, ue);
		return OK;
	}
	*ue = (struct ue){ .used = false };
	(void)snprintf(ue->iccid, sizeof ue->iccid, "%s", iccid);
	return keeper_card(d, iccid);
}

/* Our name; ICCID, B-TID and code, each perhaps empty; which message, and the request's texts: the response, signed. */
static enum status answer_kms(const struct desk *d, struct bytes in, struct buf *out)
{
	struct kms_request q = { 0 };
	char naf[NAF_ID_MAX];
	struct ue ue;
	struct answer a = { .db = d->db, .naf = naf, .now = d->now, .ue = &ue, .q = &q };
	uint64_t kind;

	TRY(keeper_take_name(d, &in, naf, sizeof naf));
	TRY(take_ue(d, &in, &ue));
	if (!bytes_take_uint(&in, 1, &kind) || kind >= KMS_INSTALLED)
		return ERR_MALFORMED;
	TRY(keeper_take_text(&in, q.user_uri, sizeof q.user_uri));
	TRY(keeper_take_text(&in, q.kms_uri, sizeof q.kms_uri));
	TRY(keeper_take_text(&in, q.client_url, sizeof q.client_url));
	return in.n == 0 ? make_answer(&a, (enum kms_message)kind, out) : ERR_MALFORMED;
}
enum { KMS_QUESTION_MAX = NAF_ID_MAX + 21 + BTID_MAX + ENROL_IDENTITY_MAX + 1 + 3 * KMS_TEXT_MAX };
const struct keeper_request kms_ask_answer = { ASK_KMS_ANSWER, "KMS answer", KEEPER_KMS, KMS_QUESTION_MAX, KEEPER_WRITES,
	answer_kms };

static enum status answer(struct kms_service *s, uint64_t now, const struct ue *ue, const struct kms_request *q,
        enum kms_message kind, struct buf *out)
{
	uint8_t raw[KMS_QUESTION_MAX];
	struct buf question = BUF_OF(raw);

	keeper_put_text(&question, s->naf);
	keeper_put_text(&question, ue->iccid);
	keeper_put_text(&question, ue->btid);
	keeper_put_text(&question, ue->code);
	buf_put_u8(&question, (uint8_t)kind);
	keeper_put_text(&question, q->user_uri);
	keeper_put_text(&question, q->kms_uri);
	keeper_put_text(&question, q->client_url);
	TRY(buf_status(&question));
	return keeper_ask(s->db, now, &kms_ask_answer, buf_bytes(&question), out);
}

/* The phone says what its card has. */
static enum status confirm(
        struct kms_service *s, uint64_t now, const struct ue *ue, const struct kms_request *q, unsigned *status)
{
	*status = q->installed == 0 ? 400 : !may_hold(s->db, ue, q->user_uri) ? 403 : 204;
	if (*status != 204)
		return OK;
	/* It has checked our signature under the InK that went out with KmsInit, so it has that, too. */
	TRY(db_outbox_confirm_kind(s->db, now, ue->iccid, ITEM_TRANSPORT));
	if (ue->code[0] != 0)
		TRY(db_enrolment_drop(s->db, ue->code));
	return db_user_installed(s->db, q->user_uri, q->installed);
}

/* Whose request it is; false: *r says why it is nobody's. */
static bool whose(struct kms_service *s, uint64_t now, const struct http_request *q, struct http_reply *r, struct ue *ue)
{
	struct naf_user u;
	bool ok;

	if (is_code(q->identity)) {
		ok = ue_by_code(s->db, now, q->identity, ue, NULL) == OK;
		r->status = 403;
		return ok;
	}
	ok = ua_who(s->db, now, s->naf, q, r, s->header, &u) == OK;
	ue_by_gba(&u, ue);
	return ok;
}

void kms_service_request(struct kms_service *s, uint64_t now, const struct http_request *q, struct http_reply *r)
{
	struct buf out = BUF_OF(s->body);
	struct kms_request request;
	enum kms_message kind;
	struct ue ue;
	enum status st;

	r->status = strcmp(q->method, "POST") != 0 ? 405 : kms_message_of(q->path, &kind) != OK ? 404 : 200;
	if (r->status != 200 || !whose(s, now, q, r, &ue))
		return;
	r->status = ue.used && kind != KMS_INSTALLED ? 403 : kms_request_parse(q->body, &request) != OK ? 400 : 200;
	if (r->status != 200)
		return;
	if (kind != KMS_INSTALLED) {
		st = answer(s, now, &ue, &request, kind, &out);
	} else if ((st = db_begin(s->db)) == OK) {
		if ((st = confirm(s, now, &ue, &request, &r->status)) == OK)
			st = db_commit(s->db);
		else if (db_rollback(s->db) != OK)
			st = ERR_IO;
	}
	if (st != OK)
		r->status = 503;
	if (r->status != 200)
		return;
	r->body = buf_bytes(&out);
	http_reply_header(r, "Content-Type", "application/xml");
}
