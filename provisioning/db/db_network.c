/* SPDX-License-Identifier: Apache-2.0 */
/* What cards and servers have agreed over the network: bootstrapping contexts, and what waits for cards. */
#include "crypto/common/rng.h"
#include "provisioning/db/db_inside.h"

enum status db_gba_put(struct db *db, const char *btid, const struct db_gba *g, struct bytes keys)
{
	uint8_t raw[WRAPPED_MAX];
	struct buf b = BUF_OF(raw);
	struct bytes wrapped;
	char label[DB_LABEL_MAX];

	db_label("gba", btid, label);
	TRY(db_wrap(db, label, keys, &b));
	wrapped = buf_bytes(&b);
	return sql_done(sql_query(
	        db->sql, "INSERT INTO gba VALUES($1,$2,$3,$4,$5,0)", "sssbi", btid, g->imsi, g->impi, &wrapped, g->expires));
}

enum status db_gba_get(struct db *db, const char *btid, struct db_gba *g, struct secret_large *keys)
{
	struct sql_rows *r =
	        sql_query(db->sql, "SELECT imsi, impi, keys, expires, confirmed FROM gba WHERE btid=$1", "s", btid);
	enum status st = ERR_NOT_FOUND;
	char label[DB_LABEL_MAX];

	*g = (struct db_gba){ 0 };
	if (sql_row(r)) {
		sql_text(r, 0, g->imsi, sizeof g->imsi);
		sql_text(r, 1, g->impi, sizeof g->impi);
		g->expires = sql_int(r, 3);
		g->state = (enum gba_state)sql_int(r, 4);
		db_label("gba", btid, label);
		st = db_unwrap(db, label, sql_blob(r, 2), keys);
	}
	return sql_end(r, st);
}

enum status db_gba_impi(struct db *db, const char *imsi, char impi[100])
{
	struct sql_rows *r = sql_query(
	        db->sql, "SELECT impi FROM gba WHERE imsi=$1 AND confirmed=1 ORDER BY expires DESC LIMIT 1", "s", imsi);
	enum status st = ERR_NOT_FOUND;

	if (sql_row(r)) {
		sql_text(r, 0, impi, 100);
		st = OK;
	}
	return sql_end(r, st);
}

enum status db_joinable_add(struct db *db, const char *group, const struct db_joinable *j)
{
	return sql_done(sql_query(db->sql, "INSERT INTO joinable VALUES($1,$2,$3,$4)", "sssi", group, j->owner, j->naf,
	        (uint64_t)(j->listed ? 1 : 0)));
}

enum status db_joinable_get(struct db *db, const char *group, struct db_joinable *j)
{
	struct sql_rows *r = sql_query(db->sql, "SELECT owner, naf, listed FROM joinable WHERE grp=$1", "s", group);
	enum status st = ERR_NOT_FOUND;

	*j = (struct db_joinable){ 0 };
	if (sql_row(r)) {
		sql_text(r, 0, j->owner, sizeof j->owner);
		sql_text(r, 1, j->naf, sizeof j->naf);
		j->listed = sql_int(r, 2) != 0;
		st = OK;
	}
	return sql_end(r, st);
}

enum status db_invited_set(struct db *db, const char *group, const char *user, bool invited)
{
	return sql_done(sql_query(db->sql,
	        invited ? "INSERT INTO invited VALUES($1,$2) ON CONFLICT DO NOTHING"
	                : "DELETE FROM invited WHERE grp=$1 AND uri=$2",
	        "ss", group, user));
}

enum status db_invited_has(struct db *db, const char *group, const char *user)
{
	struct sql_rows *r = sql_query(db->sql, "SELECT 1 FROM invited WHERE grp=$1 AND uri=$2", "ss", group, user);
	bool found = sql_row(r);

	TRY(sql_done(r));
	return found ? OK : ERR_NOT_FOUND;
}

enum status db_vouched_use(struct db *db, uint64_t now, const char *iccid, struct bytes nonce, uint64_t expires)
{
	uint64_t n = bytes_uint(nonce) & INT64_MAX;
	struct sql_rows *r;
	bool fresh;

	TRY(sql_done(sql_query(db->sql, "DELETE FROM vouched WHERE expires<$1", "i", now)));
	r = sql_query(db->sql, "INSERT INTO vouched VALUES($1,$2,$3) ON CONFLICT DO NOTHING RETURNING nonce", "sii", iccid, n,
	        expires);
	fresh = sql_row(r);
	TRY(sql_done(r));
	return fresh ? OK : ERR_DENIED;
}

enum status db_gba_waiting(struct db *db, const char *imsi, uint64_t until, char btid[160], unsigned *count)
{
	struct sql_rows *r = sql_query(db->sql,
	        "SELECT btid, confirmed FROM gba WHERE imsi=$1 AND confirmed<>1 AND expires<=$2 ORDER BY expires", "si", imsi,
	        until);

	btid[0] = 0;
	for (*count = 0; sql_row(r); ++*count)
		if (sql_int(r, 1) == GBA_PENDING)
			sql_text(r, 0, btid, 160);
	return sql_done(r);
}

enum status db_gba_confirm(struct db *db, const char *btid, const char *impi, uint64_t expires)
{
	return sql_done(sql_query(
	        db->sql, "UPDATE gba SET confirmed=1, impi=$1, expires=$2 WHERE btid=$3", "sis", impi, expires, btid));
}

enum status db_gba_spend(struct db *db, const char *btid)
{
	return sql_done(sql_query(db->sql, "UPDATE gba SET confirmed=2 WHERE btid=$1", "s", btid));
}

enum status db_gba_thin(struct db *db, uint64_t until, uint64_t keep)
{
	return sql_done(sql_query(db->sql,
	        "DELETE FROM gba WHERE btid IN (SELECT btid FROM gba WHERE confirmed<>1 AND expires<=$1 ORDER BY expires DESC"
	        " LIMIT 1000000000 OFFSET $2)",
	        "ii", until, keep));
}

enum status db_gba_forget(struct db *db, uint64_t until)
{
	return sql_done(sql_query(db->sql, "DELETE FROM gba WHERE confirmed<>1 AND expires>$1", "i", until));
}

enum status db_gba_drop(struct db *db, const char *btid)
{
	return sql_done(sql_query(db->sql, "DELETE FROM gba WHERE btid=$1", "s", btid));
}

enum status db_gba_expire(struct db *db, uint64_t now)
{
	return sql_done(sql_query(db->sql, "DELETE FROM gba WHERE expires<$1", "i", now));
}

/* A card gets what waits for it in the order in which it was made, so that what is sealed under new keys comes behind them:
 * each item is later than all that wait, whatever the clock says. */
static enum status later_than_others(struct db *db, const struct db_item *i, uint64_t *at)
{
	struct sql_rows *r = sql_query(db->sql, "SELECT MAX(at) FROM outbox WHERE iccid=$1 AND confirmed=0", "s", i->iccid);
	uint64_t last = sql_row(r) ? sql_int(r, 0) : 0;

	*at = i->at > last ? i->at : last + 1;
	return sql_done(r);
}

enum status db_outbox_add(struct db *db, const struct db_item *i, struct bytes body)
{
	uint64_t at = 0;
	uint8_t id[8];

	TRY(later_than_others(db, i, &at));
	TRY(rng_fill(&rng_system, id, sizeof id));
	id[0] &= 0x7F;
	return sql_done(sql_query(db->sql,
	        "INSERT INTO outbox(id, iccid, at, kind, grp, uri, gmk, body) VALUES($1,$2,$3,$4,$5,$6,$7,$8)", "isiissib",
	        bytes_uint(BYTES_OF(id)), i->iccid, at, (uint64_t)i->kind, i->group, i->uri, i->gmk_id, &body));
}

#define ITEM_COLUMNS "id, iccid, at, kind, grp, uri, gmk, fetched, confirmed, refused"

static void take_item(struct sql_rows *r, struct db_item *i)
{
	*i = (struct db_item){ .id = sql_int(r, 0) };
	sql_text(r, 1, i->iccid, sizeof i->iccid);
	i->at = sql_int(r, 2);
	i->kind = (enum db_item_kind)sql_int(r, 3);
	sql_text(r, 4, i->group, sizeof i->group);
	sql_text(r, 5, i->uri, sizeof i->uri);
	i->gmk_id = sql_int(r, 6);
	i->fetched = sql_int(r, 7);
	i->confirmed = sql_int(r, 8);
	i->refused = (unsigned)sql_int(r, 9);
}

enum status db_outbox_next(struct db *db, uint64_t now, const char *iccid, struct db_item *i, struct buf *body)
{
	struct sql_rows *r = sql_query(db->sql,
	        "SELECT " ITEM_COLUMNS ", body FROM outbox WHERE iccid=$1 AND confirmed=0 ORDER BY at, kind, id LIMIT 1", "s",
	        iccid);
	bool found = sql_row(r);

	if (found) {
		take_item(r, i);
		buf_put(body, sql_blob(r, 10));
	}
	TRY(sql_done(r));
	if (!found)
		return ERR_NOT_FOUND;
	TRY(buf_status(body));
	return sql_done(sql_query(db->sql, "UPDATE outbox SET fetched=$1 WHERE id=$2", "ii", now, i->id));
}

enum status db_outbox_confirm(struct db *db, uint64_t now, const char *iccid, uint64_t id, unsigned refused)
{
	struct sql_rows *r =
	        sql_query(db->sql, "UPDATE outbox SET confirmed=$1, refused=$2 WHERE id=$3 AND iccid=$4 RETURNING id", "iiis",
	                now, (uint64_t)refused, id, iccid);
	bool found = sql_row(r);

	TRY(sql_done(r));
	return found ? OK : ERR_NOT_FOUND;
}

enum status db_outbox_since(struct db *db, uint64_t at)
{
	struct sql_rows *r = sql_query(db->sql, "SELECT id FROM outbox WHERE confirmed=0 AND at>=$1 LIMIT 1", "i", at);
	bool found = sql_row(r);

	TRY(sql_done(r));
	return found ? OK : ERR_NOT_FOUND;
}

enum status db_outbox_confirm_kind(struct db *db, uint64_t now, const char *iccid, enum db_item_kind kind)
{
	return sql_done(
	        sql_query(db->sql, "UPDATE outbox SET confirmed=$1 WHERE iccid=$2 AND kind=$3 AND confirmed=0 AND fetched<>0",
	                "isi", now, iccid, (uint64_t)kind));
}

enum status db_outbox_withdraw(struct db *db, const char *group, const char *uri)
{
	return sql_done(sql_query(db->sql, "DELETE FROM outbox WHERE grp=$1 AND uri=$2 AND confirmed=0", "ss", group, uri));
}

enum status db_outbox_each(struct db *db, const char *group, void (*each)(void *, const struct db_item *), void *context)
{
	struct sql_rows *r =
	        sql_query(db->sql, "SELECT " ITEM_COLUMNS " FROM outbox WHERE grp=$1 ORDER BY uri, at, kind, id", "s", group);

	while (sql_row(r)) {
		struct db_item i;

		take_item(r, &i);
		each(context, &i);
	}
	return sql_done(r);
}

enum status db_outbox_has(struct db *db, const char *iccid, enum db_item_kind kind)
{
	struct sql_rows *r = sql_query(
	        db->sql, "SELECT id FROM outbox WHERE iccid=$1 AND kind=$2 AND confirmed=0", "si", iccid, (uint64_t)kind);
	bool found = sql_row(r);

	TRY(sql_done(r));
	return found ? OK : ERR_NOT_FOUND;
}

enum status db_outbox_fetch(struct db *db, uint64_t now, const char *iccid, enum db_item_kind kind, struct buf *body)
{
	struct sql_rows *r =
	        sql_query(db->sql, "UPDATE outbox SET fetched=$1 WHERE iccid=$2 AND kind=$3 AND confirmed=0 RETURNING body",
	                "isi", now, iccid, (uint64_t)kind);
	bool found = sql_row(r);

	if (found)
		buf_put(body, sql_blob(r, 0));
	TRY(sql_done(r));
	return found ? buf_status(body) : ERR_NOT_FOUND;
}
