#include "provisioning/kms_service.h"

#include <stdio.h>
#include <string.h>

#include "crypto/enrol.h"
#include "provisioning/kms.h"

/* ---- requests ------------------------------------------------------------------------------------------------------- */

/* Whom a connection belongs to. */
struct ue {
	char iccid[21];
	char code[ENROL_IDENTITY_MAX]; /* "": by GBA */
	char uri[129];                 /* with a code: the one user it is for */
};

static enum status ue_of(
        struct kms_service *s, uint64_t now, const char *identity, bool tls13, struct ue *ue, struct secret *key)
{
	struct db_enrolment e;
	struct naf_user u;

	*ue = (struct ue){ 0 };
	if (strncmp(identity, ENROL_PREFIX, sizeof ENROL_PREFIX - 1) != 0) {
		TRY(ua_user(s->db, now, s->naf, identity, tls13, &u, key));
		(void)snprintf(ue->iccid, sizeof ue->iccid, "%s", u.iccid);
		return OK;
	}
	if (strlen(identity) >= sizeof ue->code)
		return ERR_NOT_FOUND;
	TRY(db_enrolment_get(s->db, now, identity, &e, key));
	(void)snprintf(ue->code, sizeof ue->code, "%s", identity);
	(void)snprintf(ue->iccid, sizeof ue->iccid, "%s", e.iccid);
	(void)snprintf(ue->uri, sizeof ue->uri, "%s", e.uri);
	return OK;
}

bool kms_service_key(struct kms_service *s, uint64_t now, const char *identity, bool tls13, struct secret *key)
{
	struct ue ue;

	return ue_of(s, now, identity, tls13, &ue, key) == OK && key->len > 0;
}

static void certificate_of(const struct kms *k, struct kms_certificate_info *c)
{
	(void)snprintf(c->kms_uri, sizeof c->kms_uri, "%s", k->record.uri);
	c->period = k->record.period;
	c->offset = k->record.offset;
	c->pub_enc_key = (struct bytes){ k->public_key, 257 };
	c->pub_auth_key = (struct bytes){ k->kpak, 65 };
}

/* Which identities a card may hold is the operator's table of users (`prose-net kms allow`). */
static bool may_hold(struct kms_service *s, const struct ue *ue, const char *uri)
{
	char iccid[21];

	return db_user_card(s->db, uri, iccid) == OK && strcmp(iccid, ue->iccid) == 0 &&
	       (ue->code[0] == 0 || strcmp(ue->uri, uri) == 0);
}

static enum status fill(struct kms_service *s, uint64_t now, const struct ue *ue, const struct kms_request *q,
        struct kms_response *r, uint8_t uid[MIKEY_UID_LEN], struct kms *k, struct buf *objects)
{
	if (kms_load(s->db, k) != OK || strcmp(q->kms_uri, k->record.uri) != 0) {
		(void)snprintf(r->error, sizeof r->error, "this is not the KMS %.80s", q->kms_uri);
		return OK;
	}
	if (r->kind != KMS_CERTIFICATES && !may_hold(s, ue, q->user_uri)) {
		(void)snprintf(r->error, sizeof r->error, "this card may not hold %.80s", q->user_uri);
		return OK;
	}
	certificate_of(k, &r->certificate);
	if (r->kind == KMS_INIT)
		TRY(kms_seal_certificate(s->db, k, NULL, ue->iccid, objects));
	if (r->kind == KMS_KEY_PROVISION) {
		r->period_number = mikey_period_number(&k->identity, now);
		TRY(mikey_uid(&k->identity, bytes_str(q->user_uri), r->period_number, uid));
		r->user_id = (struct bytes){ uid, MIKEY_UID_LEN };
		TRY(kms_issue(s->db, &s->tables, now, NULL, ue->iccid, q->user_uri, now, objects));
		if (mikey_period_number(&k->identity, now + k->record.period / KMS_EARLY) != r->period_number)
			TRY(kms_issue(s->db, &s->tables, now, NULL, ue->iccid, q->user_uri, now + k->record.period / KMS_EARLY,
			        objects));
		if (ue->code[0] != 0)
			TRY(db_enrolment_drop(s->db, ue->code));
	}
	r->objects = buf_bytes(objects);
	return OK;
}

static enum status answer(struct kms_service *s, uint64_t now, const struct ue *ue, const struct kms_request *q,
        enum kms_message kind, struct buf *out)
{
	static uint8_t objects_raw[KMS_OBJECTS_MAX];
	struct buf objects = BUF_OF(objects_raw);
	struct kms_response r = { .kind = kind, .time = now };
	KMS k = { 0 };
	uint8_t uid[MIKEY_UID_LEN];

	(void)snprintf(r.user_uri, sizeof r.user_uri, "%s", q->user_uri);
	(void)snprintf(r.kms_uri, sizeof r.kms_uri, "%s", q->kms_uri);
	(void)snprintf(r.client_url, sizeof r.client_url, "%s", q->client_url[0] != 0 ? q->client_url : s->naf);
	TRY(fill(s, now, ue, q, &r, uid, &k, &objects));
	return kms_response_put(&r, out);
}

/* A UE that proves itself by HTTP Digest: the status, and in *r what to ask it. */
static unsigned digest_user(
        struct kms_service *s, uint64_t now, const struct http_request *q, struct http_reply *r, struct ue *ue)
{
	struct naf_user u;
	enum status st = ua_digest(s->db, now, s->naf, q, r, s->header, &u);

	*ue = (struct ue){ 0 };
	if (st == OK)
		(void)snprintf(ue->iccid, sizeof ue->iccid, "%s", u.iccid);
	return st == OK ? 200 : st == ERR_DENIED ? 401 : 503;
}

void kms_service_request(struct kms_service *s, uint64_t now, const struct http_request *q, struct http_reply *r)
{
	SECRET
	key = { 0 };
	struct buf out = BUF_OF(s->body);
	struct kms_request request;
	enum kms_message kind;
	struct ue ue;
	enum status st;

	r->status = strcmp(q->method, "POST") != 0         ? 405
	            : kms_message_of(q->path, &kind) != OK ? 404
	            : q->identity == NULL                  ? digest_user(s, now, q, r, &ue)
	            : ue_of(s, now, q->identity, false, &ue, &key) != OK
	                    ? 403 /* it has expired, or was used up, since the handshake */
	                    : 200;
	if (r->status == 200 && kms_request_parse(q->body, &request) != OK)
		r->status = 400;
	if (r->status != 200)
		return;
	if ((st = db_begin(s->db)) == OK) {
		st = answer(s, now, &ue, &request, kind, &out);
		if (st == OK)
			st = db_commit(s->db);
		else if (db_rollback(s->db) != OK)
			st = ERR_IO;
	}
	if (st != OK) {
		r->status = 503;
		return;
	}
	r->body = buf_bytes(&out);
	http_reply_header(r, "Content-Type", "application/xml");
}
