/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/db/db.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apdu/base/hex.h"
#include "crypto/common/aes.h"
#include "crypto/common/rng.h"
#include "provisioning/db/db_inside.h"
#include "provisioning/db/db_schema.h"
#include "provisioning/db/master.h"
#include "provisioning/db/migration.h"
#include "provisioning/db/sql.h"

void db_close(struct db **db)
{
	if (*db == NULL)
		return;
	sql_close(&(*db)->sql);
	secret_wipe(&(*db)->master);
	free(*db);
	*db = NULL;
}

bool db_lock(struct db *db)
{
	return mlock(db, sizeof *db) == 0;
}

void db_set_keeper(struct db *db, struct keeper *k)
{
	db->keeper = k;
}

struct keeper *db_keeper(const struct db *db)
{
	return db->keeper;
}

void db_note_outdated(struct db *db)
{
	db->outdated = true;
	(void)raise(SIGTERM);
}

static enum status begun(struct db *db, enum status st)
{
	if (st != ERR_DENIED)
		return st;
	db_note_outdated(db);
	return ERR_IO;
}

enum status db_begin(struct db *db)
{
	return begun(db, sql_begin(db->sql));
}

enum status db_begin_reading(struct db *db)
{
	return begun(db, sql_begin_reading(db->sql));
}

bool db_outdated(const struct db *db)
{
	return db->outdated;
}

enum status db_commit(struct db *db)
{
	return sql_commit(db->sql);
}

enum status db_rollback(struct db *db)
{
	return sql_rollback(db->sql);
}

enum status db_wrap(struct db *db, const char *label, struct bytes plain, struct buf *out)
{
	uint8_t *iv, *text;

	if (db->master.len == 0)
		return ERR_DENIED;
	iv = buf_reserve(out, GCM_IV_LEN);
	text = buf_reserve(out, plain.n + GCM_TAG_LEN);
	if (iv == NULL || text == NULL)
		return ERR_NO_SPACE;
	TRY(rng_fill(&rng_system, iv, GCM_IV_LEN));
	return aes_gcm_seal(secret_bytes(&db->master), (struct bytes){ iv, GCM_IV_LEN }, bytes_str(label), plain, text);
}

enum status db_unwrap(struct db *db, const char *label, struct bytes wrapped, struct secret_large *out)
{
	struct bytes iv;

	secret_large_wipe(out);
	if (db->master.len == 0)
		return ERR_DENIED;
	if (!bytes_take(&wrapped, GCM_IV_LEN, &iv) || wrapped.n < GCM_TAG_LEN || wrapped.n > sizeof out->data)
		return ERR_MALFORMED;
	TRY(aes_gcm_open(secret_bytes(&db->master), iv, bytes_str(label), wrapped, out->data));
	out->len = wrapped.n - GCM_TAG_LEN;
	return OK;
}

/* A value that the master key has wrapped: whoever opens the database with another key learns so at once. ERR_CRYPTO. */
static enum status check_master(struct db *db)
{
	SECRET_LARGE found = { 0 };
	uint8_t raw[64];
	struct buf b = BUF_OF(raw);
	struct sql_rows *r = sql_query(db->sql, "SELECT value FROM meta WHERE name=$1", "s", "master");
	enum status st = ERR_NOT_FOUND;
	struct bytes wrapped;

	if (sql_row(r))
		st = db_unwrap(db, "meta/master", sql_blob(r, 0), &found);
	TRY(sql_done(r));
	if (st != ERR_NOT_FOUND)
		return st;
	TRY(db_wrap(db, "meta/master", BYTES_STR("master"), &b));
	wrapped = buf_bytes(&b);
	return sql_done(sql_query(db->sql, "INSERT INTO meta VALUES($1,$2) ON CONFLICT DO NOTHING", "sb", "master", &wrapped));
}

static enum status get_sealed(struct db *db, struct buf *out)
{
	struct sql_rows *r = sql_query(db->sql, "SELECT value FROM meta WHERE name=$1", "s", "sealed-master");
	bool found = sql_row(r);

	if (found)
		buf_put(out, sql_blob(r, 0));
	TRY(sql_done(r));
	return found ? buf_status(out) : ERR_NOT_FOUND;
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

static enum status check_version(struct db *db, const char *where, char *reason, size_t n)
{
	unsigned version = 0;
	char why[200];
	enum status st = migration_version(db->sql, &version);

	if (st == OK && version == migration_newest())
		return OK;
	if (st == OK || st == ERR_NOT_FOUND)
		migration_refusal(version, why, sizeof why);
	else
		sql_error(db->sql, why, sizeof why);
	(void)snprintf(reason, n, "%s %s", db_name(where), why);
	return ERR_DENIED;
}

const char *db_name(const char *where)
{
	return sql_is_url(where) ? "the database" : where;
}

void db_path(const char *where, char out[static DB_PATH_MAX])
{
	(void)snprintf(out, DB_PATH_MAX, sql_is_url(where) ? "%s" : "%s/state.db", where);
}

static enum status open_database(struct db *db, const char *where, const char *key_path, char *reason, size_t n)
{
	static const struct sql_schema newest = { "SELECT value FROM meta WHERE name='schema'",
		"SELECT 1 FROM meta WHERE name='schema' AND value='" SCHEMA_TEXT(SCHEMA_VERSION) "'", schema };
	char path[DB_PATH_MAX];
	bool url = sql_is_url(where);
	enum status st;

	if (!url)
		(void)mkdir(where, 0700);
	db_path(where, path);
	if (key_path == NULL)
		return (db->sql = sql_open(path, &newest, reason, n)) != NULL ? check_version(db, where, reason, n) : ERR_IO;
	if (!master_is_token(key_path) && (st = master_read(key_path, url || access(path, F_OK) != 0, &db->master)) != OK) {
		(void)snprintf(reason, n, "%s: %s", key_path,
		        st == ERR_DENIED      ? "must be a 0600 file of 32 octets"
		        : st == ERR_NOT_FOUND ? "no such master key (it is made together with a new database only)"
		                              : status_text(st));
		return st;
	}
	if ((db->sql = sql_open(path, &newest, reason, n)) == NULL)
		return ERR_IO;
	TRY(check_version(db, where, reason, n));
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

void db_label(const char *table, const char *key, char out[static DB_LABEL_MAX])
{
	(void)snprintf(out, DB_LABEL_MAX, "%s/%s", table, key);
}

/* OK if the statement returns a row, else this. */
static enum status one_row(struct sql_rows *r, enum status none)
{
	enum status st = sql_row(r) ? OK : none, end = sql_done(r);

	return end == OK ? st : end;
}

enum status db_card_add(struct db *db, const struct db_card *c, struct bytes secrets)
{
	uint8_t raw[WRAPPED_MAX];
	struct buf b = BUF_OF(raw);
	struct bytes wrapped;
	char label[DB_LABEL_MAX];

	db_label("card", c->iccid, label);
	TRY(db_wrap(db, label, secrets, &b));
	wrapped = buf_bytes(&b);
	return one_row(sql_query(db->sql,
	                       "INSERT INTO card(iccid, imsi, msisdn, secrets) VALUES($1,$2,$3,$4) ON CONFLICT DO NOTHING"
	                       " RETURNING iccid",
	                       "sssb", c->iccid, c->imsi, c->msisdn, &wrapped),
	        ERR_DENIED);
}

enum status db_card_conflict(struct db *db, const struct db_card *c, char out[static DB_SENTENCE_MAX])
{
	char other[21];

	(void)snprintf(out, DB_SENTENCE_MAX, "is known already");
	if (db_card_get(db, c->iccid, &(struct db_card){ 0 }, NULL) == OK)
		return OK;
	if (db_card_by_imsi(db, c->imsi, other) == OK)
		(void)snprintf(
		        out, DB_SENTENCE_MAX, "its IMSI %s is the one of card %s: no two cards have the same", c->imsi, other);
	else if (db_card_by_msisdn(db, c->msisdn, other) == OK)
		(void)snprintf(
		        out, DB_SENTENCE_MAX, "its number %s is the one of card %s: `card number` moves it", c->msisdn, other);
	else
		return ERR_NOT_FOUND;
	return OK;
}

void db_card_duplicate(const struct db_card *c, char out[static DB_SENTENCE_MAX])
{
	(void)snprintf(out, DB_SENTENCE_MAX,
	        "has the IMSI of card %s, and only that one is served: order a new card in its place, or, if this is the one in"
	        " use, `prose-net card revoke %s`",
	        c->duplicate_of, c->duplicate_of);
}

enum status db_card_get(struct db *db, const char *iccid, struct db_card *c, struct secret_large *secrets)
{
	struct sql_rows *s = sql_query(db->sql,
	        "SELECT imsi, secrets, ota_counter, sequence, msisdn, revoked, duplicate_of FROM card WHERE iccid=$1", "s",
	        iccid);
	enum status st = ERR_NOT_FOUND;
	char label[DB_LABEL_MAX];

	*c = (struct db_card){ 0 };
	if (sql_row(s)) {
		(void)snprintf(c->iccid, sizeof c->iccid, "%s", iccid);
		sql_text(s, 0, c->imsi, sizeof c->imsi);
		c->ota_counter = sql_int(s, 2);
		c->sequence = sql_int(s, 3);
		sql_text(s, 4, c->msisdn, sizeof c->msisdn);
		c->revoked = sql_int(s, 5);
		sql_text(s, 6, c->duplicate_of, sizeof c->duplicate_of);
		db_label("card", iccid, label);
		st = bcd_encode(iccid, c->card_id, sizeof c->card_id);
		if (st == OK && secrets != NULL)
			st = db_unwrap(db, label, sql_blob(s, 1), secrets);
	}
	return sql_end(s, st);
}

enum status db_card_wrap_secrets(struct db *db, const char *iccid, struct bytes secrets, struct buf *wrapped)
{
	char label[DB_LABEL_MAX];

	db_label("card", iccid, label);
	return db_wrap(db, label, secrets, wrapped);
}

enum status db_card_store_secrets(struct db *db, const char *iccid, struct bytes wrapped)
{
	return sql_done(sql_query(db->sql, "UPDATE card SET secrets=$1 WHERE iccid=$2", "bs", &wrapped, iccid));
}

enum status db_card_set_secrets(struct db *db, const char *iccid, struct bytes secrets)
{
	uint8_t raw[WRAPPED_MAX];
	struct buf b = BUF_OF(raw);

	TRY(db_card_wrap_secrets(db, iccid, secrets, &b));
	return db_card_store_secrets(db, iccid, buf_bytes(&b));
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
	return sql_end(s, st);
}

enum status db_card_by_imsi(struct db *db, const char *imsi, char iccid[21])
{
	return card_by(db, "SELECT iccid FROM card WHERE imsi=$1 AND duplicate_of=''", imsi, iccid);
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
	return sql_end(s, st);
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

/* The IMSI of a card that is lost goes to the first duplicate that is not; what was agreed under it was agreed with the other.
 */
static enum status bequeath(struct db *db, const char *iccid)
{
	char heir[21];
	enum status st = card_by(db,
	        "SELECT iccid FROM card WHERE duplicate_of=$1 AND duplicate_of<>'' AND revoked=0 ORDER BY iccid LIMIT 1", iccid,
	        heir);

	if (st != OK)
		return st == ERR_NOT_FOUND ? OK : st;
	TRY(sql_done(sql_query(db->sql, "UPDATE card SET duplicate_of=$1 WHERE iccid=$2", "ss", heir, iccid)));
	TRY(sql_done(sql_query(db->sql, "UPDATE card SET duplicate_of='' WHERE iccid=$1", "s", heir)));
	TRY(sql_done(sql_query(
	        db->sql, "UPDATE card SET duplicate_of=$1 WHERE duplicate_of=$2 AND duplicate_of<>''", "ss", heir, iccid)));
	return sql_done(sql_query(db->sql, "DELETE FROM gba WHERE imsi=(SELECT imsi FROM card WHERE iccid=$1)", "s", heir));
}

enum status db_card_revoke(struct db *db, const char *iccid, uint64_t now)
{
	TRY(sql_done(sql_query(db->sql, "UPDATE card SET revoked=$1 WHERE iccid=$2 AND revoked=0", "is", now, iccid)));
	TRY(sql_done(sql_query(db->sql, "DELETE FROM enrol WHERE iccid=$1", "s", iccid)));
	TRY(sql_done(sql_query(db->sql, "DELETE FROM outbox WHERE iccid=$1 AND confirmed=0", "s", iccid)));
	return bequeath(db, iccid);
}
