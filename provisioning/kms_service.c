#include "provisioning/kms_service.h"

#include <stdio.h>
#include <string.h>

#include "crypto/hash.h"
#include "provisioning/kms.h"
#include "provisioning/sql.h"

/* ---- the log -------------------------------------------------------------------------------------------------------- */

static enum status chain(const uint8_t before[SHA256_LEN], const struct kms_log_entry *e, uint8_t out[SHA256_LEN])
{
	uint8_t numbers[24];

	bytes_from_uint(e->number, numbers, 8);
	bytes_from_uint(e->at, numbers + 8, 8);
	bytes_from_uint(e->period, numbers + 16, 8);
	return sha256(
	        (struct bytes[]){ { before, SHA256_LEN }, BYTES_OF(numbers),
	                { (const uint8_t *)e->iccid, strlen(e->iccid) + 1 }, { (const uint8_t *)e->uri, strlen(e->uri) + 1 } },
	        4, out);
}

static void take_entry(struct sql_rows *r, struct kms_log_entry *e)
{
	struct bytes hash = sql_blob(r, 5);

	*e = (struct kms_log_entry){ .number = sql_int(r, 0), .at = sql_int(r, 1), .period = sql_int(r, 4) };
	sql_text(r, 2, e->iccid, sizeof e->iccid);
	sql_text(r, 3, e->uri, sizeof e->uri);
	if (hash.n == sizeof e->hash)
		memcpy(e->hash, hash.p, hash.n);
}

enum status kms_log_append(struct db *db, uint64_t at, const char *iccid, const char *uri, uint64_t period)
{
	char text[128];
	struct sql_rows *r;
	struct kms_log_entry last = { 0 }, e = { .at = at, .period = period };
	struct bytes hash = BYTES_OF(e.hash);

	/* Servers take turns. */
	(void)snprintf(text, sizeof text, "SELECT period FROM kms%s", sql_for_update(db_sql(db)));
	TRY(sql_done(sql_query(db_sql(db), text, "")));
	r = sql_query(db_sql(db), "SELECT n, at, iccid, uri, period, hash FROM kms_log ORDER BY n DESC LIMIT 1", "");
	if (sql_row(r))
		take_entry(r, &last);
	TRY(sql_done(r));
	e.number = last.number + 1;
	(void)snprintf(e.iccid, sizeof e.iccid, "%s", iccid);
	(void)snprintf(e.uri, sizeof e.uri, "%s", uri);
	TRY(chain(last.hash, &e, e.hash));
	return sql_done(sql_query(db_sql(db), "INSERT INTO kms_log VALUES($1,$2,$3,$4,$5,$6)", "iissib", e.number, at, iccid,
	        uri, period, &hash));
}

enum status kms_log_read(struct db *db, void (*each)(void *, const struct kms_log_entry *), void *context,
        struct kms_log_entry *last, uint64_t *broken)
{
	struct sql_rows *r = sql_query(db_sql(db), "SELECT n, at, iccid, uri, period, hash FROM kms_log ORDER BY n", "");
	enum status st = OK;

	*last = (struct kms_log_entry){ 0 };
	*broken = 0;
	while (st == OK && sql_row(r)) {
		struct kms_log_entry e;
		uint8_t hash[SHA256_LEN];

		take_entry(r, &e);
		st = chain(last->hash, &e, hash);
		if (*broken == 0 && (e.number != last->number + 1 || memcmp(hash, e.hash, sizeof hash) != 0))
			*broken = e.number;
		each(context, &e);
		*last = e;
	}
	return sql_done(r) == OK ? st : ERR_IO;
}

/* In the last quarter of a period the next one's key set comes with it. */
enum { EARLY = 4 };

/* ---- requests ------------------------------------------------------------------------------------------------------- */

bool kms_service_key(struct kms_service *s, uint64_t now, const char *identity, struct secret *key)
{
	struct naf_user u;

	return ua_user(s->db, now, s->naf, identity, &u, key) == OK;
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
static bool may_hold(struct kms_service *s, const struct naf_user *u, const char *uri)
{
	char iccid[21];

	return db_user_card(s->db, uri, iccid) == OK && strcmp(iccid, u->iccid) == 0;
}

/* The key set of the period that holds `when`, and its line in the log. */
static enum status issue(struct kms_service *s, uint64_t now, uint64_t when, const struct naf_user *u,
        const struct kms_request *q, const struct kms *k, struct buf *objects)
{
	TRY(kms_issue(s->db, &s->tables, u->iccid, q->user_uri, when, objects));
	return kms_log_append(s->db, now, u->iccid, q->user_uri, mikey_period_number(&k->identity, when));
}

static enum status fill(struct kms_service *s, uint64_t now, const struct naf_user *u, const struct kms_request *q,
        struct kms_response *r, uint8_t uid[MIKEY_UID_LEN], struct kms *k, struct buf *objects)
{
	if (kms_load(s->db, k) != OK || strcmp(q->kms_uri, k->record.uri) != 0) {
		(void)snprintf(r->error, sizeof r->error, "this is not the KMS %.80s", q->kms_uri);
		return OK;
	}
	if (r->kind != KMS_CERTIFICATES && !may_hold(s, u, q->user_uri)) {
		(void)snprintf(r->error, sizeof r->error, "this card may not hold %.80s", q->user_uri);
		return OK;
	}
	certificate_of(k, &r->certificate);
	if (r->kind == KMS_INIT)
		TRY(kms_seal_certificate(s->db, k, u->iccid, objects));
	if (r->kind == KMS_KEY_PROVISION) {
		r->period_number = mikey_period_number(&k->identity, now);
		TRY(mikey_uid(&k->identity, bytes_str(q->user_uri), r->period_number, uid));
		r->user_id = (struct bytes){ uid, MIKEY_UID_LEN };
		TRY(issue(s, now, now, u, q, k, objects));
		if (mikey_period_number(&k->identity, now + k->record.period / EARLY) != r->period_number)
			TRY(issue(s, now, now + k->record.period / EARLY, u, q, k, objects));
	}
	r->objects = buf_bytes(objects);
	return OK;
}

static enum status answer(struct kms_service *s, uint64_t now, const struct naf_user *u, const struct kms_request *q,
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
	TRY(fill(s, now, u, q, &r, uid, &k, &objects));
	return kms_response_put(&r, out);
}

void kms_service_request(struct kms_service *s, uint64_t now, const struct http_request *q, struct http_reply *r)
{
	SECRET
	key = { 0 };
	struct buf out = BUF_OF(s->body);
	struct kms_request request;
	enum kms_message kind;
	struct naf_user u;
	enum status st;

	r->status = strcmp(q->method, "POST") != 0               ? 405
	            : kms_message_of(q->path, &kind) != OK       ? 404
	            : kms_request_parse(q->body, &request) != OK ? 400
	            : ua_user(s->db, now, s->naf, q->identity, &u, &key) != OK
	                    ? 403 /* the key has expired since the handshake */
	                    : 200;
	if (r->status != 200)
		return;
	if ((st = db_begin(s->db)) == OK) {
		st = answer(s, now, &u, &request, kind, &out);
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
