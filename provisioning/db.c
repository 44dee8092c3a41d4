#include "provisioning/db.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apdu/hex.h"
#include "crypto/aes.h"
#include "crypto/rng.h"
#include "provisioning/campaign_schema.h"
#include "provisioning/master.h"
#include "provisioning/sql.h"

struct db {
	struct sql *sql;
	struct secret master;
};

enum { WRAPPED_MAX = SECRET_LARGE_MAX + GCM_IV_LEN + GCM_TAG_LEN };

#define SCHEMA_VERSION "6"

static const char schema[] =
        "CREATE TABLE IF NOT EXISTS meta(name TEXT PRIMARY KEY, value BYTEA NOT NULL);"
        "CREATE TABLE IF NOT EXISTS card(iccid TEXT PRIMARY KEY, imsi TEXT NOT NULL, msisdn TEXT NOT NULL DEFAULT '',"
        " secrets BYTEA NOT NULL, ota_counter BIGINT NOT NULL DEFAULT 0, sequence BIGINT NOT NULL DEFAULT 0,"
        " revoked BIGINT NOT NULL DEFAULT 0);"
        "CREATE TABLE IF NOT EXISTS kms(uri TEXT PRIMARY KEY, period BIGINT NOT NULL, period_offset BIGINT NOT NULL,"
        " keys BYTEA NOT NULL);"
        "CREATE TABLE IF NOT EXISTS users(uri TEXT PRIMARY KEY, iccid TEXT NOT NULL REFERENCES card(iccid));"
        "CREATE TABLE IF NOT EXISTS grp(uri TEXT PRIMARY KEY, manager TEXT NOT NULL, policy BIGINT NOT NULL);"
        "CREATE TABLE IF NOT EXISTS member(grp TEXT NOT NULL REFERENCES grp(uri), uri TEXT NOT NULL REFERENCES users(uri),"
        " PRIMARY KEY(grp, uri));"
        "CREATE TABLE IF NOT EXISTS gmk(grp TEXT NOT NULL REFERENCES grp(uri), id BIGINT NOT NULL, not_before BIGINT NOT NULL,"
        " not_after BIGINT NOT NULL, key BYTEA NOT NULL, PRIMARY KEY(grp, id));"
        "CREATE TABLE IF NOT EXISTS discovery(name TEXT PRIMARY KEY, profile BIGINT NOT NULL, slot_seconds BIGINT NOT NULL,"
        " keys BYTEA NOT NULL);"
        "CREATE TABLE IF NOT EXISTS hss(imsi TEXT PRIMARY KEY, sqn BIGINT NOT NULL);"
        "CREATE TABLE IF NOT EXISTS gba(btid TEXT PRIMARY KEY, imsi TEXT NOT NULL, impi TEXT NOT NULL, keys BYTEA NOT NULL,"
        " expires BIGINT NOT NULL, confirmed BIGINT NOT NULL);"
        "CREATE INDEX IF NOT EXISTS gba_expires ON gba(expires);"
        "CREATE TABLE IF NOT EXISTS outbox(id BIGINT PRIMARY KEY, iccid TEXT NOT NULL REFERENCES card(iccid), at BIGINT NOT NULL,"
        " kind BIGINT NOT NULL, grp TEXT NOT NULL, uri TEXT NOT NULL, gmk BIGINT NOT NULL, body BYTEA NOT NULL,"
        " fetched BIGINT NOT NULL DEFAULT 0, confirmed BIGINT NOT NULL DEFAULT 0, refused BIGINT NOT NULL DEFAULT 0);"
        "CREATE INDEX IF NOT EXISTS outbox_card ON outbox(iccid, at) WHERE confirmed=0;"
        "CREATE INDEX IF NOT EXISTS outbox_group ON outbox(grp);"
        "CREATE TABLE IF NOT EXISTS kms_log(n BIGINT PRIMARY KEY, at BIGINT NOT NULL, iccid TEXT NOT NULL, uri TEXT NOT NULL,"
        " period BIGINT NOT NULL, hash BYTEA NOT NULL);"
        "CREATE INDEX IF NOT EXISTS card_imsi ON card(imsi);"
        "CREATE UNIQUE INDEX IF NOT EXISTS card_msisdn ON card(msisdn) WHERE msisdn<>'';" CAMPAIGN_SCHEMA
        "INSERT INTO meta VALUES('schema', '" SCHEMA_VERSION "') ON CONFLICT DO NOTHING;";

void db_close(struct db **db)
{
	if (*db == NULL)
		return;
	sql_close(&(*db)->sql);
	secret_wipe(&(*db)->master);
	free(*db);
	*db = NULL;
}

enum status db_begin(struct db *db)
{
	return sql_begin(db->sql);
}

enum status db_commit(struct db *db)
{
	return sql_commit(db->sql);
}

enum status db_rollback(struct db *db)
{
	return sql_rollback(db->sql);
}

/* iv || ciphertext || tag; the label (table and key) is authenticated, so that wrapped values cannot be swapped. */
static enum status wrap(struct db *db, const char *label, struct bytes plain, struct buf *out)
{
	uint8_t *iv = buf_reserve(out, GCM_IV_LEN), *text = buf_reserve(out, plain.n + GCM_TAG_LEN);

	if (iv == NULL || text == NULL)
		return ERR_NO_SPACE;
	TRY(rng_fill(&rng_system, iv, GCM_IV_LEN));
	return aes_gcm_seal(secret_bytes(&db->master), (struct bytes){ iv, GCM_IV_LEN }, bytes_str(label), plain, text);
}

static enum status unwrap(struct db *db, const char *label, struct bytes wrapped, struct secret_large *out)
{
	struct bytes iv;

	secret_large_wipe(out);
	if (!bytes_take(&wrapped, GCM_IV_LEN, &iv) || wrapped.n < GCM_TAG_LEN || wrapped.n > sizeof out->data)
		return ERR_MALFORMED;
	TRY(aes_gcm_open(secret_bytes(&db->master), iv, bytes_str(label), wrapped, out->data));
	out->len = wrapped.n - GCM_TAG_LEN;
	return OK;
}

/* A value that the master key has wrapped: whoever opens the database with another key learns so at once. ERR_CRYPTO. */
static enum status check_master(struct db *db)
{
	SECRET_LARGE
	found = { 0 };
	uint8_t raw[64];
	struct buf b = BUF_OF(raw);
	struct sql_rows *r = sql_query(db->sql, "SELECT value FROM meta WHERE name=$1", "s", "master");
	enum status st = ERR_NOT_FOUND;
	struct bytes wrapped;

	if (sql_row(r))
		st = unwrap(db, "meta/master", sql_blob(r, 0), &found);
	if (sql_done(r) != OK)
		return ERR_IO;
	if (st != ERR_NOT_FOUND)
		return st;
	TRY(wrap(db, "meta/master", BYTES_STR("master"), &b));
	wrapped = buf_bytes(&b);
	return sql_done(sql_query(db->sql, "INSERT INTO meta VALUES($1,$2) ON CONFLICT DO NOTHING", "sb", "master", &wrapped));
}

static enum status get_sealed(struct db *db, struct buf *out)
{
	struct sql_rows *r = sql_query(db->sql, "SELECT value FROM meta WHERE name=$1", "s", "sealed-master");
	bool found = sql_row(r);

	if (found)
		buf_put(out, sql_blob(r, 0));
	return sql_done(r) != OK ? ERR_IO : found ? buf_status(out) : ERR_NOT_FOUND;
}

/* The master key that a token has sealed; a new database gets one, and only one, whoever else opens it now. */
static enum status open_token(struct db *db, const char *uri, char *reason, size_t n)
{
	uint8_t raw[MASTER_SEALED_MAX], found_raw[MASTER_SEALED_MAX];
	struct buf sealed = BUF_OF(raw), found = BUF_OF(found_raw);
	enum status st = get_sealed(db, &found);
	uint64_t cards = 0;
	struct sql_rows *r;
	struct bytes value;

	if (st == ERR_NOT_FOUND) {
		r = sql_query(db->sql, "SELECT COUNT(*) FROM meta WHERE name='master'", "");
		if (sql_row(r))
			cards = sql_int(r, 0);
		TRY(sql_done(r));
		if (cards > 0) {
			(void)snprintf(reason, n, "the database has a master key of its own, not one in a token");
			return ERR_DENIED;
		}
		TRY(rng_secret(&rng_system, &db->master, MASTER_LEN));
		TRY(master_seal(uri, &db->master, &sealed, reason, n));
		value = buf_bytes(&sealed);
		TRY(sql_done(sql_query(
		        db->sql, "INSERT INTO meta VALUES($1,$2) ON CONFLICT DO NOTHING", "sb", "sealed-master", &value)));
		st = get_sealed(db, &found);
	}
	return st == OK ? master_open(uri, buf_bytes(&found), &db->master, reason, n) : st;
}

static enum status check_version(struct db *db)
{
	struct sql_rows *r = sql_query(db->sql, "SELECT value FROM meta WHERE name='schema'", "");
	bool same = sql_row(r) && bytes_equal(sql_blob(r, 0), BYTES_STR(SCHEMA_VERSION));

	return sql_done(r) != OK ? ERR_IO : same ? OK : ERR_DENIED;
}

static enum status open_database(struct db *db, const char *where, const char *key_path, char *reason, size_t n)
{
	char path[PATH_MAX];
	bool url = sql_is_url(where);
	enum status st;

	if (!url)
		(void)mkdir(where, 0700);
	(void)snprintf(path, sizeof path, url ? "%s" : "%s/state.db", where);
	if (!master_is_token(key_path) && (st = master_read(key_path, url || access(path, F_OK) != 0, &db->master)) != OK) {
		(void)snprintf(reason, n, "%s: %s", key_path,
		        st == ERR_DENIED ? "must be a 0600 file of 32 octets"
		                         : "no such master key (it is made together with a new database only)");
		return st;
	}
	if ((db->sql = sql_open(path, "SELECT value FROM meta WHERE name='schema'", schema, reason, n)) == NULL)
		return ERR_IO;
	if ((st = check_version(db)) != OK) {
		(void)snprintf(
		        reason, n, "%s was made by another version of prose-net: start a new one and import its cards", where);
		return st;
	}
	if (master_is_token(key_path) && (st = open_token(db, key_path, reason, n)) != OK)
		return st;
	if ((st = check_master(db)) != OK)
		(void)snprintf(reason, n, "%s: %s", key_path,
		        st == ERR_CRYPTO ? "this master key does not fit the database" : status_text(st));
	return st;
}

struct db *db_open(const char *where, const char *key_path, char *reason, size_t n)
{
	struct db *db = calloc(1, sizeof *db);

	if (db != NULL && open_database(db, where, key_path, reason, n) != OK)
		db_close(&db);
	return db;
}

static void label_of(const char *table, const char *key, char out[256])
{
	(void)snprintf(out, 256, "%s/%s", table, key);
}

enum status db_card_add(struct db *db, const struct db_card *c, struct bytes secrets)
{
	uint8_t raw[WRAPPED_MAX];
	struct buf b = BUF_OF(raw);
	struct bytes wrapped;
	char label[256];

	label_of("card", c->iccid, label);
	TRY(wrap(db, label, secrets, &b));
	wrapped = buf_bytes(&b);
	return sql_done(sql_query(db->sql, "INSERT INTO card(iccid, imsi, msisdn, secrets) VALUES($1,$2,$3,$4)", "sssb",
	        c->iccid, c->imsi, c->msisdn, &wrapped));
}

enum status db_card_get(struct db *db, const char *iccid, struct db_card *c, struct secret_large *secrets)
{
	struct sql_rows *s = sql_query(
	        db->sql, "SELECT imsi, secrets, ota_counter, sequence, msisdn, revoked FROM card WHERE iccid=$1", "s", iccid);
	enum status st = ERR_NOT_FOUND;
	char label[256];

	*c = (struct db_card){ 0 };
	if (sql_row(s)) {
		(void)snprintf(c->iccid, sizeof c->iccid, "%s", iccid);
		sql_text(s, 0, c->imsi, sizeof c->imsi);
		c->ota_counter = sql_int(s, 2);
		c->sequence = sql_int(s, 3);
		sql_text(s, 4, c->msisdn, sizeof c->msisdn);
		c->revoked = sql_int(s, 5);
		label_of("card", iccid, label);
		st = bcd_encode(iccid, c->card_id, sizeof c->card_id);
		if (st == OK && secrets != NULL)
			st = unwrap(db, label, sql_blob(s, 1), secrets);
	}
	return sql_done(s) == OK ? st : ERR_IO;
}

enum status db_card_set_secrets(struct db *db, const char *iccid, struct bytes secrets)
{
	uint8_t raw[WRAPPED_MAX];
	struct buf b = BUF_OF(raw);
	struct bytes wrapped;
	char label[256];

	label_of("card", iccid, label);
	TRY(wrap(db, label, secrets, &b));
	wrapped = buf_bytes(&b);
	return sql_done(sql_query(db->sql, "UPDATE card SET secrets=$1 WHERE iccid=$2", "bs", &wrapped, iccid));
}

struct sql *db_sql(struct db *db)
{
	return db->sql;
}

static enum status card_by(struct db *db, const char *text, const char *value, char iccid[21])
{
	struct sql_rows *s = sql_query(db->sql, text, "s", value);
	enum status st = ERR_NOT_FOUND;

	if (sql_row(s)) {
		sql_text(s, 0, iccid, 21);
		st = OK;
	}
	return sql_done(s) == OK ? st : ERR_IO;
}

enum status db_card_by_imsi(struct db *db, const char *imsi, char iccid[21])
{
	return card_by(db, "SELECT iccid FROM card WHERE imsi=$1", imsi, iccid);
}

enum status db_card_by_msisdn(struct db *db, const char *msisdn, char iccid[21])
{
	return msisdn[0] != 0 ? card_by(db, "SELECT iccid FROM card WHERE msisdn=$1 AND msisdn<>''", msisdn, iccid)
	                      : ERR_NOT_FOUND;
}

enum status db_card_set_msisdn(struct db *db, const char *iccid, const char *msisdn)
{
	TRY(sql_done(sql_query(db->sql, "UPDATE card SET msisdn='' WHERE msisdn=$1 AND msisdn<>''", "s", msisdn)));
	return sql_done(sql_query(db->sql, "UPDATE card SET msisdn=$1 WHERE iccid=$2", "ss", msisdn, iccid));
}

enum status db_card_skip_counters(struct db *db, const char *iccid, uint64_t count)
{
	return sql_done(sql_query(db->sql, "UPDATE card SET ota_counter=ota_counter+$1 WHERE iccid=$2", "is", count, iccid));
}

static enum status next_number(struct db *db, const char *sql, const char *iccid, uint64_t *out)
{
	struct sql_rows *s = sql_query(db->sql, sql, "s", iccid);
	enum status st = ERR_NOT_FOUND;

	if (sql_row(s)) {
		*out = sql_int(s, 0);
		st = OK;
	}
	return sql_done(s) == OK ? st : ERR_IO;
}

enum status db_card_next_sequence(struct db *db, const char *iccid, uint64_t *out)
{
	return next_number(db, "UPDATE card SET sequence=sequence+1 WHERE iccid=$1 RETURNING sequence", iccid, out);
}

/* SEQ goes up by one and IND to the next slot, whatever came before (TS 33.102 C.1.1.1 with C.3.2's slots in turn). */
enum status db_hss_next_sqn(struct db *db, const char *imsi, uint64_t *out)
{
	return next_number(db,
	        "INSERT INTO hss VALUES($1,33) ON CONFLICT(imsi)"
	        " DO UPDATE SET sqn=((hss.sqn/32+1)*32)|((hss.sqn+1)&31) RETURNING sqn",
	        imsi, out);
}

enum status db_hss_set_sqn(struct db *db, const char *imsi, uint64_t sqn)
{
	return sql_done(sql_query(
	        db->sql, "INSERT INTO hss VALUES($1,$2) ON CONFLICT(imsi) DO UPDATE SET sqn=excluded.sqn", "si", imsi, sqn));
}

enum status db_card_next_counter(struct db *db, const char *iccid, uint64_t *out)
{
	return next_number(db, "UPDATE card SET ota_counter=ota_counter+1 WHERE iccid=$1 RETURNING ota_counter", iccid, out);
}

enum status db_kms_set(struct db *db, const struct db_kms *k, struct bytes keys)
{
	uint8_t raw[WRAPPED_MAX];
	struct buf b = BUF_OF(raw);
	struct bytes wrapped;
	struct sql_rows *s = sql_query(db->sql, "SELECT 1 FROM kms", "");
	bool exists = sql_row(s);

	(void)sql_done(s);
	if (exists)
		return ERR_DENIED;
	TRY(wrap(db, "kms", keys, &b));
	wrapped = buf_bytes(&b);
	return sql_done(sql_query(db->sql, "INSERT INTO kms VALUES($1,$2,$3,$4)", "siib", k->uri, (uint64_t)k->period,
	        (uint64_t)k->offset, &wrapped));
}

enum status db_kms_get(struct db *db, struct db_kms *k, struct secret_large *keys)
{
	struct sql_rows *s = sql_query(db->sql, "SELECT uri, period, period_offset, keys FROM kms", "");
	enum status st = ERR_NOT_FOUND;

	if (sql_row(s)) {
		sql_text(s, 0, k->uri, sizeof k->uri);
		k->period = sql_int(s, 1);
		k->offset = sql_int(s, 2);
		st = unwrap(db, "kms", sql_blob(s, 3), keys);
	}
	return sql_done(s) == OK ? st : ERR_IO;
}

enum status db_user_set(struct db *db, const char *uri, const char *iccid)
{
	return sql_done(sql_query(db->sql,
	        "INSERT INTO users VALUES($1,$2) ON CONFLICT(uri) DO UPDATE SET iccid=excluded.iccid", "ss", uri, iccid));
}

enum status db_user_card(struct db *db, const char *uri, char iccid[21])
{
	struct sql_rows *s = sql_query(db->sql, "SELECT iccid FROM users WHERE uri=$1", "s", uri);
	enum status st = ERR_NOT_FOUND;

	if (sql_row(s)) {
		sql_text(s, 0, iccid, 21);
		st = OK;
	}
	return sql_done(s) == OK ? st : ERR_IO;
}

enum status db_group_add(struct db *db, const struct db_group *g)
{
	return sql_done(
	        sql_query(db->sql, "INSERT INTO grp VALUES($1,$2,$3)", "ssi", g->uri, g->manager_uri, (uint64_t)g->policy));
}

enum status db_group_get(struct db *db, const char *uri, struct db_group *g)
{
	struct sql_rows *s = sql_query(db->sql, "SELECT manager, policy FROM grp WHERE uri=$1", "s", uri);
	enum status st = ERR_NOT_FOUND;

	*g = (struct db_group){ 0 };
	if (sql_row(s)) {
		(void)snprintf(g->uri, sizeof g->uri, "%s", uri);
		sql_text(s, 0, g->manager_uri, sizeof g->manager_uri);
		g->policy = (unsigned)sql_int(s, 1);
		st = OK;
	}
	return sql_done(s) == OK ? st : ERR_IO;
}

enum status db_member_set(struct db *db, const char *group, const char *user, bool member)
{
	return sql_done(sql_query(db->sql,
	        member ? "INSERT INTO member VALUES($1,$2) ON CONFLICT DO NOTHING"
	               : "DELETE FROM member WHERE grp=$1 AND uri=$2",
	        "ss", group, user));
}

enum status db_member_each(struct db *db, const char *group, enum status (*each)(void *, const char *user), void *context)
{
	struct sql_rows *s = sql_query(db->sql, "SELECT uri FROM member WHERE grp=$1 ORDER BY uri", "s", group);
	enum status st = OK;
	char user[129];

	while (st == OK && sql_row(s)) {
		sql_text(s, 0, user, sizeof user);
		st = each(context, user);
	}
	return sql_done(s) == OK ? st : ERR_IO;
}

enum status db_gmk_add(struct db *db, const char *group, uint32_t id, uint64_t not_before, uint64_t not_after, struct bytes key)
{
	uint8_t raw[128];
	struct buf b = BUF_OF(raw);
	struct bytes wrapped;
	char name[192], label[256];

	(void)snprintf(name, sizeof name, "%s/%08lx", group, (unsigned long)id);
	label_of("gmk", name, label);
	TRY(wrap(db, label, key, &b));
	wrapped = buf_bytes(&b);
	return sql_done(sql_query(db->sql, "INSERT INTO gmk VALUES($1,$2,$3,$4,$5)", "siiib", group, (uint64_t)id,
	        (uint64_t)not_before, (uint64_t)not_after, &wrapped));
}

enum status db_discovery_set(struct db *db, const struct db_discovery *d, struct bytes keys)
{
	uint8_t raw[WRAPPED_MAX];
	struct buf b = BUF_OF(raw);
	struct bytes wrapped;
	char label[256];

	label_of("discovery", d->name, label);
	TRY(wrap(db, label, keys, &b));
	wrapped = buf_bytes(&b);
	return sql_done(sql_query(db->sql,
	        "INSERT INTO discovery VALUES($1,$2,$3,$4) ON CONFLICT(name)"
	        " DO UPDATE SET profile=excluded.profile, slot_seconds=excluded.slot_seconds, keys=excluded.keys",
	        "siib", d->name, (uint64_t)d->profile, (uint64_t)d->slot_seconds, &wrapped));
}

enum status db_discovery_get(struct db *db, const char *name, struct db_discovery *d, struct secret_large *keys)
{
	struct sql_rows *s = sql_query(db->sql, "SELECT profile, slot_seconds, keys FROM discovery WHERE name=$1", "s", name);
	enum status st = ERR_NOT_FOUND;
	char label[256];

	*d = (struct db_discovery){ 0 };
	if (sql_row(s)) {
		(void)snprintf(d->name, sizeof d->name, "%s", name);
		d->profile = (unsigned)sql_int(s, 0);
		d->slot_seconds = (unsigned)sql_int(s, 1);
		label_of("discovery", name, label);
		st = unwrap(db, label, sql_blob(s, 2), keys);
	}
	return sql_done(s) == OK ? st : ERR_IO;
}

enum status db_gba_put(struct db *db, const char *btid, const struct db_gba *g, struct bytes keys)
{
	uint8_t raw[WRAPPED_MAX];
	struct buf b = BUF_OF(raw);
	struct bytes wrapped;
	char label[256];

	label_of("gba", btid, label);
	TRY(wrap(db, label, keys, &b));
	wrapped = buf_bytes(&b);
	return sql_done(sql_query(
	        db->sql, "INSERT INTO gba VALUES($1,$2,$3,$4,$5,0)", "sssbi", btid, g->imsi, g->impi, &wrapped, g->expires));
}

enum status db_gba_get(struct db *db, const char *btid, struct db_gba *g, struct secret_large *keys)
{
	struct sql_rows *r =
	        sql_query(db->sql, "SELECT imsi, impi, keys, expires, confirmed FROM gba WHERE btid=$1", "s", btid);
	enum status st = ERR_NOT_FOUND;
	char label[256];

	*g = (struct db_gba){ 0 };
	if (sql_row(r)) {
		sql_text(r, 0, g->imsi, sizeof g->imsi);
		sql_text(r, 1, g->impi, sizeof g->impi);
		g->expires = sql_int(r, 3);
		g->confirmed = sql_int(r, 4) != 0;
		label_of("gba", btid, label);
		st = unwrap(db, label, sql_blob(r, 2), keys);
	}
	return sql_done(r) == OK ? st : ERR_IO;
}

enum status db_gba_confirm(struct db *db, const char *btid)
{
	return sql_done(sql_query(db->sql, "UPDATE gba SET confirmed=1 WHERE btid=$1", "s", btid));
}

enum status db_gba_drop(struct db *db, const char *btid)
{
	return sql_done(sql_query(db->sql, "DELETE FROM gba WHERE btid=$1", "s", btid));
}

enum status db_gba_expire(struct db *db, uint64_t now)
{
	return sql_done(sql_query(db->sql, "DELETE FROM gba WHERE expires<$1", "i", now));
}

enum status db_outbox_add(struct db *db, const struct db_item *i, struct bytes body)
{
	uint8_t id[8];

	TRY(rng_fill(&rng_system, id, sizeof id));
	id[0] &= 0x7F;
	return sql_done(sql_query(db->sql,
	        "INSERT INTO outbox(id, iccid, at, kind, grp, uri, gmk, body) VALUES($1,$2,$3,$4,$5,$6,$7,$8)", "isiissib",
	        bytes_uint(BYTES_OF(id)), i->iccid, i->at, (uint64_t)i->kind, i->group, i->uri, i->gmk_id, &body));
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

enum status db_card_revoke(struct db *db, const char *iccid, uint64_t now)
{
	TRY(sql_done(sql_query(db->sql, "UPDATE card SET revoked=$1 WHERE iccid=$2 AND revoked=0", "is", now, iccid)));
	return sql_done(sql_query(db->sql, "DELETE FROM outbox WHERE iccid=$1 AND confirmed=0", "s", iccid));
}

enum status db_card_members(struct db *db, const char *iccid, struct db_member *list, size_t room, size_t *n)
{
	struct sql_rows *r = sql_query(db->sql,
	        "SELECT m.grp, m.uri FROM member m JOIN users u ON u.uri=m.uri WHERE u.iccid=$1 ORDER BY m.grp, m.uri", "s",
	        iccid);

	for (*n = 0; sql_row(r) && *n < room; (*n)++) {
		sql_text(r, 0, list[*n].group, sizeof list[*n].group);
		sql_text(r, 1, list[*n].uri, sizeof list[*n].uri);
	}
	return sql_done(r);
}
