/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/keys/revoked.h"

#include <stdio.h>
#include <string.h>

#include "apdu/tlv.h"
#include "provisioning/keys/kms.h"

struct collecting {
	const struct kms *kms;
	uint64_t period; /* now's */
	struct buf uids;
	enum status st;
};

/* Whoever is revoked, or whose card is, by each key set that is not over yet. */
static void collect(void *context, const struct db_user *u)
{
	struct collecting *c = context;
	uint8_t uid[MIKEY_UID_LEN];

	if ((u->revoked == 0 && u->card_revoked == 0) || u->keys == 0)
		return;
	for (uint64_t p = c->period; p <= u->period && c->st == OK; p++)
		if ((c->st = mikey_uid(&c->kms->identity, bytes_str(u->uri), p, uid)) == OK)
			buf_put(&c->uids, (struct bytes){ uid, REVOKED_UID_LEN });
}

static void summary_of(struct bytes list, struct revoked_summary *out)
{
	struct bytes number, uids;

	out->number = tlv_find(list, REVOKED_NUMBER, &number) == OK ? bytes_uint(number) : 0;
	out->uids = tlv_find(list, REVOKED_UIDS, &uids) == OK ? uids.n / REVOKED_UID_LEN : 0;
}

enum status revoked_refresh(struct db *db, uint64_t now, struct revoked_summary *out, struct buf *list)
{
	uint8_t uids_raw[REVOKED_MAX * REVOKED_UID_LEN], old_raw[REVOKED_LIST_MAX];
	struct buf old = BUF_OF(old_raw);
	struct collecting c = { .uids = BUF_OF(uids_raw) };
	struct bytes before = { 0 };
	KMS k = { 0 };
	enum status st;

	*out = (struct revoked_summary){ 0 };
	TRY(kms_load(db, &k));
	c.kms = &k;
	c.period = mikey_period_number(&k.identity, now);
	TRY(db_user_each(db, collect, &c));
	TRY(c.st);
	TRY(buf_status(&c.uids));
	st = db_revoked_get(db, k.record.uri, &old);
	if (st != OK && st != ERR_NOT_FOUND)
		return st;
	summary_of(buf_bytes(&old), out);
	if (st == OK && tlv_find(buf_bytes(&old), REVOKED_UIDS, &before) == OK && bytes_equal(before, buf_bytes(&c.uids))) {
		buf_put(list, buf_bytes(&old));
		return buf_status(list);
	}
	if (st == ERR_NOT_FOUND && c.uids.len == 0)
		return OK;
	tlv_put(list, REVOKED_KMS, k.identity.uri);
	tlv_put_uint(list, REVOKED_NUMBER, 8, out->number + 1);
	tlv_put(list, REVOKED_UIDS, buf_bytes(&c.uids));
	TRY(buf_status(list));
	summary_of(buf_bytes(list), out);
	return db_revoked_set(db, k.record.uri, buf_bytes(list));
}

static enum status seal_list(struct db *db, const char *iccid, struct bytes list, struct buf *out)
{
	struct bytes uri;

	TRY(tlv_find(list, REVOKED_KMS, &uri));
	return operator_seal(db, iccid, SEALED_REVOKED, uri, 0, UINT64_MAX, list, out);
}

struct sending {
	struct db *db;
	uint64_t now;
	struct bytes list;
	const char *kms_uri;
	uint64_t number; /* the list's */
	const char *iccid;
	struct buf *out;
	size_t cards;
};

/* A card whose first keys have not come yet gets the list with them. */
static enum status send_to(void *context, const char *iccid)
{
	struct sending *s = context;
	struct db_item i = { .at = s->now, .kind = ITEM_SEALED };
	uint8_t raw[SEALED_OBJECT_MAX];
	struct buf b = BUF_OF(raw);
	SEAL_KEYS keys = { 0 };
	enum status st = operator_seal_keys(s->db, iccid, &keys);

	if (st == ERR_NOT_FOUND)
		return OK;
	TRY(st);
	TRY(seal_list(s->db, iccid, s->list, &b));
	(void)snprintf(i.iccid, sizeof i.iccid, "%s", iccid);
	(void)snprintf(i.uri, sizeof i.uri, "%s", s->kms_uri);
	i.gmk_id = s->number;
	s->cards++;
	return db_outbox_add(s->db, &i, buf_bytes(&b));
}

static enum status send_to_all(struct db *db, uint64_t now, const char *kms_uri, struct bytes list, size_t *cards)
{
	struct sending s = { .db = db, .now = now, .list = list, .kms_uri = kms_uri };
	struct revoked_summary of;

	summary_of(list, &of);
	s.number = of.number;
	TRY(db_user_cards_each(db, send_to, &s));
	*cards = s.cards;
	return OK;
}

enum status revoked_publish(struct db *db, uint64_t now, bool always, struct revoked_summary *out)
{
	uint8_t raw[REVOKED_LIST_MAX], old_raw[REVOKED_LIST_MAX];
	struct buf list = BUF_OF(raw), old = BUF_OF(old_raw);
	struct db_kms k;
	SECRET_LARGE keys = { 0 };
	enum status st = db_kms_get(db, &k, &keys);

	*out = (struct revoked_summary){ 0 };
	if (st != OK)
		return st == ERR_NOT_FOUND ? OK : st;
	st = db_revoked_get(db, k.uri, &old);
	if (st != OK && st != ERR_NOT_FOUND)
		return st;
	TRY(revoked_refresh(db, now, out, &list));
	if (out->number == 0 || (!always && bytes_equal(buf_bytes(&list), buf_bytes(&old))))
		return OK;
	return send_to_all(db, now, k.uri, buf_bytes(&list), &out->cards);
}

static enum status seal_stored(struct db *db, const char *iccid, const char *kms_uri, struct buf *out)
{
	uint8_t raw[REVOKED_LIST_MAX];
	struct buf list = BUF_OF(raw);
	enum status st = db_revoked_get(db, kms_uri, &list);

	return st == ERR_NOT_FOUND ? OK : st != OK ? st : seal_list(db, iccid, buf_bytes(&list), out);
}

static enum status seal_external(void *context, const struct db_external_kms *k)
{
	const struct sending *s = context;

	return seal_stored(s->db, s->iccid, k->uri, s->out);
}

enum status revoked_seal(struct db *db, const char *iccid, struct buf *out)
{
	struct sending s = { .db = db, .iccid = iccid, .out = out };
	struct db_kms k;
	SECRET_LARGE keys = { 0 };

	TRY(db_kms_get(db, &k, &keys));
	TRY(seal_stored(db, iccid, k.uri, out));
	return db_external_kms_each(db, seal_external, &s);
}

struct looking {
	struct bytes uri;
	bool found;
};

static enum status look(void *context, const struct db_external_kms *k)
{
	struct looking *l = context;

	l->found = l->found || bytes_equal(l->uri, bytes_str(k->uri));
	return OK;
}

enum status revoked_import(struct db *db, uint64_t now, struct bytes list, struct revoked_summary *out)
{
	uint8_t raw[REVOKED_LIST_MAX];
	struct buf old = BUF_OF(raw);
	struct revoked_summary before = { 0 };
	struct looking l = { .found = false };
	struct bytes number, uids;
	char uri[129];
	enum status st;

	*out = (struct revoked_summary){ 0 };
	if (tlv_find(list, REVOKED_KMS, &l.uri) != OK || l.uri.n >= sizeof uri ||
	        tlv_find(list, REVOKED_NUMBER, &number) != OK || number.n != 8 || tlv_find(list, REVOKED_UIDS, &uids) != OK ||
	        uids.n % REVOKED_UID_LEN != 0 || uids.n > REVOKED_MAX * REVOKED_UID_LEN || list.n > REVOKED_LIST_MAX)
		return ERR_MALFORMED;
	TRY(db_external_kms_each(db, look, &l));
	if (!l.found)
		return ERR_NOT_FOUND;
	(void)snprintf(uri, sizeof uri, "%.*s", (int)l.uri.n, (const char *)l.uri.p);
	st = db_revoked_get(db, uri, &old);
	if (st != OK && st != ERR_NOT_FOUND)
		return st;
	summary_of(buf_bytes(&old), &before);
	summary_of(list, out);
	if (out->number <= before.number)
		return ERR_DENIED;
	TRY(db_revoked_set(db, uri, list));
	return send_to_all(db, now, uri, list, &out->cards);
}
