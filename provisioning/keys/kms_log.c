/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/keys/kms_log.h"

#include <stdio.h>
#include <string.h>

#include "crypto/guarded/eccsi.h"
#include "crypto/common/hash.h"
#include "provisioning/db/sql.h"

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
		if (each != NULL)
			each(context, &e);
		*last = e;
	}
	return sql_end(r, st);
}

/* ---- the signed head ------------------------------------------------------------------------------------------------ */

enum { HEAD_TEXT_MAX = 256 };

/* What is signed. */
static enum status head_text(const struct kms *k, const struct kms_head *h, struct buf *out)
{
	buf_put(out, BYTES_STR("prose-uicc kms log head\n"));
	buf_put(out, bytes_str(k->record.uri));
	buf_put_u8(out, '\n');
	buf_put_uint(out, 8, h->entries);
	buf_put_uint(out, 8, h->at);
	buf_put(out, BYTES_OF(h->hash));
	return buf_status(out);
}

enum status kms_head_sign(struct db *db, uint64_t now, struct kms_head *h, uint64_t *broken)
{
	KMS k = { 0 };
	__attribute__((cleanup(kms_signer_wipe))) struct kms_signer s = { 0 };
	uint8_t raw[HEAD_TEXT_MAX];
	struct buf text = BUF_OF(raw);
	struct kms_log_entry last;

	TRY(kms_load(db, &k));
	TRY(kms_log_read(db, NULL, NULL, &last, broken));
	*h = (struct kms_head){ .entries = last.number, .at = now };
	memcpy(h->hash, last.hash, sizeof h->hash);
	TRY(head_text(&k, h, &text));
	TRY(kms_signer_new(&k, k.record.uri, now, &s));
	return eccsi_sign(&rng_system, s.hs, &s.ssk, s.pvt, buf_bytes(&text), h->signature);
}

struct search {
	const struct kms_head *head;
	bool found;
};

static void look_for(void *context, const struct kms_log_entry *e)
{
	struct search *s = context;

	if (e->number == s->head->entries)
		s->found = memcmp(e->hash, s->head->hash, sizeof e->hash) == 0;
}

enum status kms_head_verify(struct db *db, const struct kms_head *h, uint64_t *broken)
{
	KMS k = { 0 };
	uint8_t raw[HEAD_TEXT_MAX], uid[MIKEY_UID_LEN];
	struct buf text = BUF_OF(raw);
	struct search s = { .head = h, .found = h->entries == 0 };
	struct kms_log_entry last;

	TRY(kms_load(db, &k));
	TRY(head_text(&k, h, &text));
	TRY(mikey_uid(&k.identity, bytes_str(k.record.uri), mikey_period_number(&k.identity, h->at), uid));
	TRY(eccsi_verify(k.kpak, BYTES_OF(uid), buf_bytes(&text), BYTES_OF(h->signature)));
	TRY(kms_log_read(db, look_for, &s, &last, broken));
	return s.found && *broken == 0 ? OK : ERR_NOT_FOUND;
}
