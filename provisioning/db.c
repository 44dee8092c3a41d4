#include "provisioning/db.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apdu/hex.h"
#include "crypto/aes.h"
#include "crypto/rng.h"

struct db {
	sqlite3 *sql;
	struct secret master;
};

enum { MASTER_LEN = 32, WRAPPED_MAX = SECRET_LARGE_MAX + GCM_IV_LEN + GCM_TAG_LEN };

static const char schema[] =
        "CREATE TABLE IF NOT EXISTS card(iccid TEXT PRIMARY KEY, imsi TEXT NOT NULL, secrets BLOB NOT NULL,"
        " ota_counter INTEGER NOT NULL DEFAULT 0, sequence INTEGER NOT NULL DEFAULT 0);"
        "CREATE TABLE IF NOT EXISTS kms(uri TEXT PRIMARY KEY, period INTEGER NOT NULL, offset INTEGER NOT NULL, keys BLOB NOT NULL);"
        "CREATE TABLE IF NOT EXISTS user(uri TEXT PRIMARY KEY, iccid TEXT NOT NULL REFERENCES card(iccid));"
        "CREATE TABLE IF NOT EXISTS grp(uri TEXT PRIMARY KEY, manager TEXT NOT NULL, policy INTEGER NOT NULL);"
        "CREATE TABLE IF NOT EXISTS member(grp TEXT NOT NULL REFERENCES grp(uri), user TEXT NOT NULL REFERENCES user(uri), PRIMARY KEY(grp, user));"
        "CREATE TABLE IF NOT EXISTS gmk(grp TEXT NOT NULL REFERENCES grp(uri), id INTEGER NOT NULL, not_before INTEGER NOT NULL,"
        " not_after INTEGER NOT NULL, key BLOB NOT NULL, PRIMARY KEY(grp, id));"
        "CREATE TABLE IF NOT EXISTS discovery(name TEXT PRIMARY KEY, profile INTEGER NOT NULL, slot_seconds INTEGER NOT NULL, keys BLOB NOT NULL);"
        "CREATE TABLE IF NOT EXISTS hss(imsi TEXT PRIMARY KEY, sqn INTEGER NOT NULL);"
        "CREATE INDEX IF NOT EXISTS card_imsi ON card(imsi);";

static enum status read_master(const char *path, bool create, struct secret *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat info;
	bool ok;

	if (fd < 0 && errno == ENOENT && create) {
		fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd < 0 || rng_secret(&rng_system, out, MASTER_LEN) != OK ||
		        write(fd, out->data, MASTER_LEN) != MASTER_LEN || fsync(fd) != 0 || lseek(fd, 0, SEEK_SET) != 0) {
			if (fd >= 0)
				(void)close(fd);
			return ERR_IO;
		}
	}
	if (fd < 0)
		return ERR_NOT_FOUND;
	out->len = MASTER_LEN;
	ok = fstat(fd, &info) == 0 && (info.st_mode & 077) == 0 && read(fd, out->data, MASTER_LEN) == MASTER_LEN;
	(void)close(fd);
	return ok ? OK : ERR_DENIED;
}

struct db *db_open(const char *folder, const char *key_path, char *reason, size_t n)
{
	struct db *db = calloc(1, sizeof *db);
	char path[PATH_MAX];
	enum status st;

	(void)mkdir(folder, 0700);
	(void)snprintf(path, sizeof path, "%s/state.db", folder);
	if (db == NULL)
		return NULL;
	st = read_master(key_path, access(path, F_OK) != 0, &db->master);
	if (st != OK) {
		(void)snprintf(reason, n, "%s: %s", key_path,
		        st == ERR_DENIED ? "must be a 0600 file of 32 octets"
		                         : "no such master key (it is made together with a new database only)");
		db_close(&db);
	} else if (sqlite3_open_v2(path, &db->sql, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) != SQLITE_OK ||
	           sqlite3_busy_timeout(db->sql, 10000) != SQLITE_OK ||
	           sqlite3_exec(db->sql, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;", NULL,
	                   NULL, NULL) != SQLITE_OK ||
	           sqlite3_exec(db->sql, schema, NULL, NULL, NULL) != SQLITE_OK) {
		(void)snprintf(reason, n, "%s: %s", path, db->sql != NULL ? sqlite3_errmsg(db->sql) : "no memory");
		db_close(&db);
	} else {
		(void)chmod(path, 0600);
	}
	return db;
}

void db_close(struct db **db)
{
	if (*db == NULL)
		return;
	(void)sqlite3_close((*db)->sql);
	secret_wipe(&(*db)->master);
	free(*db);
	*db = NULL;
}

static enum status exec(struct db *db, const char *sql)
{
	return sqlite3_exec(db->sql, sql, NULL, NULL, NULL) == SQLITE_OK ? OK : ERR_IO;
}

enum status db_begin(struct db *db)
{
	return exec(db, "BEGIN IMMEDIATE");
}

enum status db_commit(struct db *db)
{
	return exec(db, "COMMIT");
}

enum status db_rollback(struct db *db)
{
	return exec(db, "ROLLBACK");
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

/* Prepare and bind: 's' const char *, 'i' uint64_t (as long long), 'b' struct bytes *. */
static sqlite3_stmt *prepare(struct db *db, const char *sql, const char *types, ...)
{
	sqlite3_stmt *s = NULL;
	va_list args;

	if (sqlite3_prepare_v2(db->sql, sql, -1, &s, NULL) != SQLITE_OK)
		return NULL;
	va_start(args, types);
	for (int i = 0; types[i] != 0; i++) {
		if (types[i] == 's') {
			(void)sqlite3_bind_text(s, i + 1, va_arg(args, const char *), -1, SQLITE_TRANSIENT);
		} else if (types[i] == 'i') {
			(void)sqlite3_bind_int64(s, i + 1, va_arg(args, sqlite3_int64));
		} else {
			const struct bytes *b = va_arg(args, const struct bytes *);

			(void)sqlite3_bind_blob(s, i + 1, b->p, (int)b->n, SQLITE_TRANSIENT);
		}
	}
	va_end(args);
	return s;
}

static enum status finish(sqlite3_stmt *s)
{
	int rc = s != NULL ? sqlite3_step(s) : SQLITE_ERROR;

	(void)sqlite3_finalize(s);
	return rc == SQLITE_DONE ? OK : (rc & 0xFF) == SQLITE_CONSTRAINT ? ERR_DENIED : ERR_IO;
}

static bool row(sqlite3_stmt *s)
{
	return s != NULL && sqlite3_step(s) == SQLITE_ROW;
}

static void text(sqlite3_stmt *s, int column, char *out, size_t n)
{
	(void)snprintf(out, n, "%s", (const char *)sqlite3_column_text(s, column));
}

static struct bytes blob(sqlite3_stmt *s, int column)
{
	return (struct bytes){ sqlite3_column_blob(s, column), (size_t)sqlite3_column_bytes(s, column) };
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
	return finish(prepare(db, "INSERT INTO card(iccid, imsi, secrets) VALUES(?,?,?)", "ssb", c->iccid, c->imsi, &wrapped));
}

enum status db_card_get(struct db *db, const char *iccid, struct db_card *c, struct secret_large *secrets)
{
	sqlite3_stmt *s = prepare(db, "SELECT imsi, secrets, ota_counter, sequence FROM card WHERE iccid=?", "s", iccid);
	enum status st = ERR_NOT_FOUND;
	char label[256];

	*c = (struct db_card){ 0 };
	if (row(s)) {
		(void)snprintf(c->iccid, sizeof c->iccid, "%s", iccid);
		text(s, 0, c->imsi, sizeof c->imsi);
		c->ota_counter = (uint64_t)sqlite3_column_int64(s, 2);
		c->sequence = (uint64_t)sqlite3_column_int64(s, 3);
		label_of("card", iccid, label);
		st = bcd_encode(iccid, c->card_id, sizeof c->card_id);
		if (st == OK && secrets != NULL)
			st = unwrap(db, label, blob(s, 1), secrets);
	}
	(void)sqlite3_finalize(s);
	return st;
}

enum status db_card_by_imsi(struct db *db, const char *imsi, char iccid[21])
{
	sqlite3_stmt *s = prepare(db, "SELECT iccid FROM card WHERE imsi=?", "s", imsi);
	enum status st = ERR_NOT_FOUND;

	if (row(s)) {
		text(s, 0, iccid, 21);
		st = OK;
	}
	(void)sqlite3_finalize(s);
	return st;
}

static enum status next_number(struct db *db, const char *sql, const char *iccid, uint64_t *out)
{
	sqlite3_stmt *s = prepare(db, sql, "s", iccid);
	enum status st = ERR_NOT_FOUND;

	if (row(s)) {
		*out = (uint64_t)sqlite3_column_int64(s, 0);
		st = sqlite3_step(s) == SQLITE_DONE ? OK : ERR_IO;
	}
	(void)sqlite3_finalize(s);
	return st;
}

enum status db_card_next_sequence(struct db *db, const char *iccid, uint64_t *out)
{
	return next_number(db, "UPDATE card SET sequence=sequence+1 WHERE iccid=? RETURNING sequence", iccid, out);
}

/* SEQ goes up by one and IND to the next slot, whatever came before (TS 33.102 C.1.1.1 with C.3.2's slots in turn). */
enum status db_hss_next_sqn(struct db *db, const char *imsi, uint64_t *out)
{
	return next_number(db,
	        "INSERT INTO hss VALUES(?,33) ON CONFLICT(imsi) DO UPDATE SET sqn=((sqn/32+1)*32)|((sqn+1)&31) RETURNING sqn",
	        imsi, out);
}

enum status db_hss_set_sqn(struct db *db, const char *imsi, uint64_t sqn)
{
	return finish(prepare(db, "REPLACE INTO hss VALUES(?,?)", "si", imsi, (sqlite3_int64)sqn));
}

enum status db_card_next_counter(struct db *db, const char *iccid, uint64_t *out)
{
	return next_number(db, "UPDATE card SET ota_counter=ota_counter+1 WHERE iccid=? RETURNING ota_counter", iccid, out);
}

enum status db_kms_set(struct db *db, const struct db_kms *k, struct bytes keys)
{
	uint8_t raw[WRAPPED_MAX];
	struct buf b = BUF_OF(raw);
	struct bytes wrapped;
	sqlite3_stmt *s = prepare(db, "SELECT 1 FROM kms", "");
	bool exists = row(s);

	(void)sqlite3_finalize(s);
	if (exists)
		return ERR_DENIED;
	TRY(wrap(db, "kms", keys, &b));
	wrapped = buf_bytes(&b);
	return finish(prepare(db, "INSERT INTO kms VALUES(?,?,?,?)", "siib", k->uri, (sqlite3_int64)k->period,
	        (sqlite3_int64)k->offset, &wrapped));
}

enum status db_kms_get(struct db *db, struct db_kms *k, struct secret_large *keys)
{
	sqlite3_stmt *s = prepare(db, "SELECT uri, period, offset, keys FROM kms", "");
	enum status st = ERR_NOT_FOUND;

	if (row(s)) {
		text(s, 0, k->uri, sizeof k->uri);
		k->period = (uint64_t)sqlite3_column_int64(s, 1);
		k->offset = (uint64_t)sqlite3_column_int64(s, 2);
		st = unwrap(db, "kms", blob(s, 3), keys);
	}
	(void)sqlite3_finalize(s);
	return st;
}

enum status db_user_set(struct db *db, const char *uri, const char *iccid)
{
	return finish(prepare(db, "REPLACE INTO user VALUES(?,?)", "ss", uri, iccid));
}

enum status db_user_card(struct db *db, const char *uri, char iccid[21])
{
	sqlite3_stmt *s = prepare(db, "SELECT iccid FROM user WHERE uri=?", "s", uri);
	enum status st = ERR_NOT_FOUND;

	if (row(s)) {
		text(s, 0, iccid, 21);
		st = OK;
	}
	(void)sqlite3_finalize(s);
	return st;
}

enum status db_group_add(struct db *db, const struct db_group *g)
{
	return finish(prepare(db, "INSERT INTO grp VALUES(?,?,?)", "ssi", g->uri, g->manager_uri, (sqlite3_int64)g->policy));
}

enum status db_group_get(struct db *db, const char *uri, struct db_group *g)
{
	sqlite3_stmt *s = prepare(db, "SELECT manager, policy FROM grp WHERE uri=?", "s", uri);
	enum status st = ERR_NOT_FOUND;

	*g = (struct db_group){ 0 };
	if (row(s)) {
		(void)snprintf(g->uri, sizeof g->uri, "%s", uri);
		text(s, 0, g->manager_uri, sizeof g->manager_uri);
		g->policy = (unsigned)sqlite3_column_int(s, 1);
		st = OK;
	}
	(void)sqlite3_finalize(s);
	return st;
}

enum status db_member_set(struct db *db, const char *group, const char *user, bool member)
{
	return finish(
	        prepare(db, member ? "INSERT OR IGNORE INTO member VALUES(?,?)" : "DELETE FROM member WHERE grp=? AND user=?",
	                "ss", group, user));
}

enum status db_member_each(struct db *db, const char *group, enum status (*each)(void *, const char *user), void *context)
{
	sqlite3_stmt *s = prepare(db, "SELECT user FROM member WHERE grp=? ORDER BY user", "s", group);
	enum status st = s != NULL ? OK : ERR_IO;

	while (st == OK && row(s))
		st = each(context, (const char *)sqlite3_column_text(s, 0));
	(void)sqlite3_finalize(s);
	return st;
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
	return finish(prepare(db, "INSERT INTO gmk VALUES(?,?,?,?,?)", "siiib", group, (sqlite3_int64)id,
	        (sqlite3_int64)not_before, (sqlite3_int64)not_after, &wrapped));
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
	return finish(prepare(db, "REPLACE INTO discovery VALUES(?,?,?,?)", "siib", d->name, (sqlite3_int64)d->profile,
	        (sqlite3_int64)d->slot_seconds, &wrapped));
}

enum status db_discovery_get(struct db *db, const char *name, struct db_discovery *d, struct secret_large *keys)
{
	sqlite3_stmt *s = prepare(db, "SELECT profile, slot_seconds, keys FROM discovery WHERE name=?", "s", name);
	enum status st = ERR_NOT_FOUND;
	char label[256];

	*d = (struct db_discovery){ 0 };
	if (row(s)) {
		(void)snprintf(d->name, sizeof d->name, "%s", name);
		d->profile = (unsigned)sqlite3_column_int(s, 0);
		d->slot_seconds = (unsigned)sqlite3_column_int(s, 1);
		label_of("discovery", name, label);
		st = unwrap(db, label, blob(s, 2), keys);
	}
	(void)sqlite3_finalize(s);
	return st;
}
