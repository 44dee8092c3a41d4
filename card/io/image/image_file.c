/* SPDX-License-Identifier: Apache-2.0 */
#include "card/io/image/image_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apdu/aids.h"
#include "apdu/base/disk_sqlite.h"
#include "crypto/common/hash.h"
#include "apdu/base/text.h"

struct image_file {
	sqlite3 *db;
	sqlite3_stmt *put, *erase, *read;
	bool batch; /* one transaction around everything */
	unsigned format;
	enum image_error error; /* of the last statement that failed */
	bool insecure, made;    /* made: here, just now */
	char seed[SEED_MAX + 1];
	uint8_t (*cards)[CARD_ID_LEN];
	size_t count;
};

static enum image_error sqlite_error(sqlite3 *db, int rc)
{
	enum status st = disk_sqlite_status(db, rc);

	if (st != ERR_IO && (rc & 0xFF) != SQLITE_READONLY)
		return image_error_of(st);
	switch (rc & 0xFF) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED: return IMAGE_BUSY;
	case SQLITE_ERROR: /* a schema that is not ours */
	case SQLITE_NOTADB:
	case SQLITE_CORRUPT: return IMAGE_NOT_IMAGE;
	case SQLITE_CANTOPEN: return IMAGE_MISSING;
	case SQLITE_READONLY: return IMAGE_READ_ONLY;
	default: return IMAGE_IO;
	}
}

static enum image_error exec(struct image_file *f, const char *sql)
{
	int rc = sqlite3_exec(f->db, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? IMAGE_OK : sqlite_error(f->db, rc);
}

/* Keep why it failed: a rollback forgets it. */
static bool run(struct image_file *f, const char *sql)
{
	enum image_error e = exec(f, sql);

	if (e != IMAGE_OK)
		f->error = e;
	return e == IMAGE_OK;
}

enum image_error image_file_error(const struct image_file *f)
{
	return f->error != IMAGE_OK ? f->error : IMAGE_IO;
}

static enum status key_check(struct bytes key, uint8_t out[SHA256_LEN])
{
	return hmac_sha256(key, (struct bytes[]){ BYTES_STR("prose-card image key check") }, 1, out);
}

static enum image_error grow(struct image_file *f, const void *card_id)
{
	if ((f->count & (f->count - 1)) == 0) { /* powers of two */
		size_t cap = f->count == 0 ? 1 : 2 * f->count;
		void *cards = realloc(f->cards, cap * sizeof *f->cards);

		if (cards == NULL)
			return IMAGE_NO_MEMORY;
		f->cards = cards;
	}
	memcpy(f->cards[f->count++], card_id, CARD_ID_LEN);
	return IMAGE_OK;
}

enum image_error image_file_add(struct image_file *f, struct bytes key, const uint8_t card_id[static CARD_ID_LEN])
{
	uint8_t check[SHA256_LEN];
	sqlite3_stmt *s = NULL;
	enum image_error e;
	enum status st;
	int rc;

	if ((st = key_check(key, check)) != OK)
		return image_error_of(st);
	if ((rc = sqlite3_prepare_v2(f->db, "INSERT INTO card VALUES(?,?,?,?)", -1, &s, NULL)) == SQLITE_OK &&
	        (rc = sqlite3_bind_blob(s, 1, card_id, CARD_ID_LEN, SQLITE_STATIC)) == SQLITE_OK &&
	        (rc = sqlite3_bind_blob(s, 2, check, sizeof check, SQLITE_STATIC)) == SQLITE_OK &&
	        (rc = sqlite3_bind_int(s, 3, f->insecure ? 1 : 0)) == SQLITE_OK &&
	        (rc = sqlite3_bind_text(s, 4, f->seed, -1, SQLITE_STATIC)) == SQLITE_OK)
		rc = sqlite3_step(s);
	e = rc == SQLITE_DONE ? grow(f, card_id) : sqlite_error(f->db, rc);
	(void)sqlite3_finalize(s);
	return e;
}

bool image_file_set_format(struct image_file *f, unsigned format)
{
	char sql[40];

	(void)snprintf(sql, sizeof sql, "PRAGMA user_version=%u", format);
	f->format = format;
	return run(f, sql);
}

static enum image_error create_schema(struct image_file *f)
{
	enum image_error e = exec(f,
	        "PRAGMA application_id=0x50524F53; PRAGMA journal_mode=WAL;"
	        "CREATE TABLE card(id BLOB PRIMARY KEY, key_check BLOB NOT NULL, insecure INTEGER NOT NULL, seed TEXT NOT NULL);"
	        "CREATE TABLE record(card BLOB NOT NULL, name BLOB NOT NULL, generation INTEGER NOT NULL,"
	        " data BLOB NOT NULL, PRIMARY KEY(card, name)) WITHOUT ROWID;");

	if (e != IMAGE_OK)
		return e;
	return image_file_set_format(f, IMAGE_FORMAT) ? IMAGE_OK : image_file_error(f);
}

/* Of every format from 2 on, each root begins with the number that user_version says: no later one may change that. */
static enum image_error check_newer(const struct image_file *f, sqlite3_stmt *s)
{
	struct bytes root = { sqlite3_column_blob(s, 0), (size_t)sqlite3_column_bytes(s, 0) };
	uint64_t format;

	return bytes_take_uint(&root, 4, &format) && format == f->format ? IMAGE_NEWER : IMAGE_TAMPERED;
}

/* Format 1 was made before there were numbers: its user_version is 0. Nothing of a newer image is changed or relied on. */
static enum image_error read_format(struct image_file *f)
{
	static const char root[] = "SELECT data FROM record WHERE length(name)=0 LIMIT 1";
	sqlite3_stmt *s = NULL;
	enum image_error e;
	int rc = sqlite3_prepare_v2(f->db, "PRAGMA user_version", -1, &s, NULL);

	if (rc == SQLITE_OK && (rc = sqlite3_step(s)) == SQLITE_ROW)
		f->format = (unsigned)sqlite3_column_int(s, 0);
	(void)sqlite3_finalize(s);
	if (rc != SQLITE_ROW)
		return sqlite_error(f->db, rc);
	if (f->format <= IMAGE_FORMAT) {
		e = f->format == 1 ? IMAGE_TAMPERED : IMAGE_OK;
		f->format += f->format == 0;
		return e;
	}
	if ((rc = sqlite3_prepare_v2(f->db, root, -1, &s, NULL)) != SQLITE_OK)
		return sqlite_error(f->db, rc);
	rc = sqlite3_step(s);
	e = rc == SQLITE_ROW ? check_newer(f, s) : rc == SQLITE_DONE ? IMAGE_NOT_IMAGE : sqlite_error(f->db, rc);
	(void)sqlite3_finalize(s);
	return e;
}

static enum image_error first_card(struct image_file *f, sqlite3_stmt *s, struct bytes key)
{
	uint8_t check[SHA256_LEN];
	const unsigned char *seed = sqlite3_column_text(s, 3);
	enum status st;

	if (sqlite3_errcode(f->db) == SQLITE_NOMEM)
		return IMAGE_NO_MEMORY;
	if (sqlite3_column_bytes(s, 1) != SHA256_LEN || seed == NULL)
		return IMAGE_NOT_IMAGE;
	if ((st = key_check(key, check)) != OK)
		return image_error_of(st);
	f->insecure = sqlite3_column_int(s, 2) != 0;
	if (!text_put(f->seed, sizeof f->seed, "%s", (const char *)seed))
		return IMAGE_NOT_IMAGE;
	return secret_equals(BYTES_OF(check), (struct bytes){ sqlite3_column_blob(s, 1), SHA256_LEN }) ? IMAGE_OK
	                                                                                               : IMAGE_WRONG_KEY;
}

static enum image_error read_cards(struct image_file *f, struct bytes key)
{
	enum image_error e = IMAGE_OK;
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(f->db, "SELECT id, key_check, insecure, seed FROM card ORDER BY rowid", -1, &s, NULL);

	if (rc != SQLITE_OK)
		return sqlite_error(f->db, rc);
	while (e == IMAGE_OK && (rc = sqlite3_step(s)) == SQLITE_ROW) {
		if (f->count == 0)
			e = first_card(f, s, key);
		if (e == IMAGE_OK)
			e = sqlite3_column_bytes(s, 0) == CARD_ID_LEN ? grow(f, sqlite3_column_blob(s, 0)) : IMAGE_NOT_IMAGE;
	}
	if (e == IMAGE_OK && rc != SQLITE_DONE)
		e = sqlite_error(f->db, rc);
	if (e == IMAGE_OK && f->count == 0)
		e = IMAGE_NOT_IMAGE;
	(void)sqlite3_finalize(s);
	return e;
}

/* SQLite gives its -wal and -journal the mode of the file. */
static bool make_private(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	return fd >= 0 && close(fd) == 0;
}

/* Images of before were made for all to read. One whose owner is another stays as it is. */
static void close_to_others(const char *path)
{
	static const char *const suffixes[] = { "", "-wal", "-journal" };
	char name[PATH_MAX];
	struct stat info;

	for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++)
		if (text_put(name, sizeof name, "%s%s", path, suffixes[i]) && stat(name, &info) == 0 && S_ISREG(info.st_mode) &&
		        (info.st_mode & 077) != 0)
			(void)chmod(name, info.st_mode & 0700);
}

static enum image_error open_database(struct image_file *f, const struct image_options *o)
{
	int flags = SQLITE_OPEN_READWRITE | (o->create ? SQLITE_OPEN_CREATE : 0), rc;
	enum image_error e;

	if (o->create && !make_private(o->path))
		return errno == EEXIST ? IMAGE_BUSY : image_error_of(disk_status(errno));
	f->made = o->create;
	if (!o->create)
		close_to_others(o->path);
	if ((rc = sqlite3_open_v2(o->path, &f->db, flags, o->vfs)) != SQLITE_OK)
		return sqlite_error(f->db, rc);
	if (sqlite3_db_readonly(f->db, "main") == 1)
		return access(o->path, W_OK) != 0 && errno == EROFS ? IMAGE_ROFS : IMAGE_READ_ONLY;
	/* One process, one writer; locking_mode first, so that WAL needs no shared memory file. */
	e = exec(
	        f, "PRAGMA locking_mode=EXCLUSIVE; PRAGMA temp_store=MEMORY; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;");
	if (e != IMAGE_OK)
		return e;
	if (o->create)
		return create_schema(f);
	if ((e = read_format(f)) != IMAGE_OK)
		return e;
	e = exec(f, "PRAGMA journal_mode=WAL; BEGIN IMMEDIATE; COMMIT;");
	return e == IMAGE_OK ? read_cards(f, o->key) : e;
}

static enum image_error prepare(struct image_file *f)
{
	static const char read[] = "SELECT name, generation, data FROM record WHERE card=? ORDER BY name";
	int rc = sqlite3_prepare_v2(f->db, "REPLACE INTO record VALUES(?,?,?,?)", -1, &f->put, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_prepare_v2(f->db, "DELETE FROM record WHERE card=? AND name=?", -1, &f->erase, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_prepare_v2(f->db, read, -1, &f->read, NULL);
	return rc == SQLITE_OK ? IMAGE_OK : sqlite_error(f->db, rc);
}

enum image_error image_file_open(struct image_file **out, struct image_options *o)
{
	struct image_file *f = calloc(1, sizeof *f);
	enum image_error e;

	*out = f;
	if (f == NULL)
		return IMAGE_NO_MEMORY;
	f->insecure = o->insecure_test_key;
	memcpy(f->seed, o->seed, sizeof f->seed);
	if ((e = open_database(f, o)) == IMAGE_OK)
		e = prepare(f);
	o->format = f->format;
	if (e != IMAGE_OK) {
		bool made = f->made;

		image_file_close(out);
		if (made)
			image_file_remove(o->path);
	} else {
		o->insecure_test_key = f->insecure;
		memcpy(o->seed, f->seed, sizeof o->seed);
	}
	return e;
}

void image_file_remove(const char *path)
{
	static const char *const suffixes[] = { "-wal", "-journal", "" };
	char name[PATH_MAX];

	for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++)
		if (text_put(name, sizeof name, "%s%s", path, suffixes[i]))
			(void)unlink(name);
}

void image_file_close(struct image_file **file)
{
	struct image_file *f = *file;

	if (f == NULL)
		return;
	(void)sqlite3_finalize(f->put);
	(void)sqlite3_finalize(f->erase);
	(void)sqlite3_finalize(f->read);
	(void)sqlite3_close(f->db);
	free(f->cards);
	free(f);
	*file = NULL;
}

unsigned image_file_format(const struct image_file *f)
{
	return f->format;
}

size_t image_file_count(const struct image_file *f)
{
	return f->count;
}

const uint8_t *image_file_card(const struct image_file *f, size_t index)
{
	return f->cards[index];
}

enum image_error image_file_read(struct image_file *f, const uint8_t card_id[static CARD_ID_LEN],
        enum status (*each)(void *context, struct bytes name, uint64_t generation, struct bytes data), void *context)
{
	enum image_error e = IMAGE_OK;
	int rc = sqlite3_bind_blob(f->read, 1, card_id, CARD_ID_LEN, SQLITE_STATIC);

	while (rc == SQLITE_OK || rc == SQLITE_ROW) {
		struct bytes name, data;

		if ((rc = sqlite3_step(f->read)) != SQLITE_ROW)
			break;
		name = (struct bytes){ sqlite3_column_blob(f->read, 0), (size_t)sqlite3_column_bytes(f->read, 0) };
		data = (struct bytes){ sqlite3_column_blob(f->read, 2), (size_t)sqlite3_column_bytes(f->read, 2) };
		if (sqlite3_errcode(f->db) == SQLITE_NOMEM)
			e = IMAGE_NO_MEMORY;
		else if (data.n == 0)
			e = IMAGE_TAMPERED;
		else
			e = image_error_of(each(context, name, (uint64_t)sqlite3_column_int64(f->read, 1), data));
		if (e != IMAGE_OK)
			break;
	}
	if (e == IMAGE_OK && rc != SQLITE_DONE)
		e = sqlite_error(f->db, rc);
	(void)sqlite3_reset(f->read);
	return e;
}

bool image_file_begin(struct image_file *f)
{
	return f->batch || run(f, "BEGIN IMMEDIATE");
}

bool image_file_commit(struct image_file *f)
{
	return f->batch || run(f, "COMMIT");
}

void image_file_rollback(struct image_file *f)
{
	f->batch = false;
	(void)exec(f, "ROLLBACK");
}

bool image_file_begin_batch(struct image_file *f)
{
	return f->batch = run(f, "BEGIN IMMEDIATE");
}

bool image_file_end_batch(struct image_file *f)
{
	bool whole = f->batch; /* not after a rollback */

	f->batch = false;
	return whole && run(f, "COMMIT");
}

static bool step_once(struct image_file *f, sqlite3_stmt *s, bool bound)
{
	int rc = bound ? sqlite3_step(s) : SQLITE_NOMEM;

	(void)sqlite3_reset(s);
	if (rc != SQLITE_DONE)
		f->error = sqlite_error(f->db, rc);
	return rc == SQLITE_DONE;
}

bool image_file_put(struct image_file *f, const uint8_t card_id[static CARD_ID_LEN], struct bytes name, uint64_t generation,
        struct bytes data)
{
	const void *text = name.n > 0 ? (const void *)name.p : "";
	bool bound = sqlite3_bind_blob(f->put, 1, card_id, CARD_ID_LEN, SQLITE_STATIC) == SQLITE_OK &&
	             sqlite3_bind_blob(f->put, 2, text, (int)name.n, SQLITE_STATIC) == SQLITE_OK &&
	             sqlite3_bind_int64(f->put, 3, (sqlite3_int64)generation) == SQLITE_OK &&
	             sqlite3_bind_blob(f->put, 4, data.p, (int)data.n, SQLITE_STATIC) == SQLITE_OK;

	return step_once(f, f->put, bound);
}

bool image_file_erase(struct image_file *f, const uint8_t card_id[static CARD_ID_LEN], struct bytes name)
{
	bool bound = sqlite3_bind_blob(f->erase, 1, card_id, CARD_ID_LEN, SQLITE_STATIC) == SQLITE_OK &&
	             sqlite3_bind_blob(f->erase, 2, name.p, (int)name.n, SQLITE_STATIC) == SQLITE_OK;

	return step_once(f, f->erase, bound);
}
