#include "card/io/image_file.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "apdu/text.h"
#include "crypto/hash.h"

struct image_file {
	sqlite3 *db;
	sqlite3_stmt *put, *erase, *read;
	bool batch; /* one transaction around everything */
	bool insecure;
	char seed[SEED_MAX + 1];
	uint8_t (*cards)[CARD_ID_LEN];
	size_t count;
};

static enum image_error sqlite_error(int rc)
{
	switch (rc & 0xFF) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED: return IMAGE_BUSY;
	case SQLITE_ERROR: /* a schema that is not ours */
	case SQLITE_NOTADB:
	case SQLITE_CORRUPT: return IMAGE_NOT_IMAGE;
	case SQLITE_CANTOPEN: return IMAGE_MISSING;
	default: return IMAGE_IO;
	}
}

enum image_error image_file_exec(struct image_file *f, const char *sql)
{
	int rc = sqlite3_exec(f->db, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? IMAGE_OK : sqlite_error(rc);
}

static bool run(struct image_file *f, const char *sql)
{
	return sqlite3_exec(f->db, sql, NULL, NULL, NULL) == SQLITE_OK;
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
			return IMAGE_IO;
		f->cards = cards;
	}
	memcpy(f->cards[f->count++], card_id, CARD_ID_LEN);
	return IMAGE_OK;
}

enum image_error image_file_add(struct image_file *f, struct bytes key, const uint8_t card_id[static CARD_ID_LEN])
{
	uint8_t check[SHA256_LEN];
	sqlite3_stmt *s = NULL;
	enum image_error e = IMAGE_IO;

	if (key_check(key, check) == OK &&
	        sqlite3_prepare_v2(f->db, "INSERT INTO card VALUES(?,?,?,?)", -1, &s, NULL) == SQLITE_OK &&
	        sqlite3_bind_blob(s, 1, card_id, CARD_ID_LEN, SQLITE_STATIC) == SQLITE_OK &&
	        sqlite3_bind_blob(s, 2, check, sizeof check, SQLITE_STATIC) == SQLITE_OK &&
	        sqlite3_bind_int(s, 3, f->insecure ? 1 : 0) == SQLITE_OK &&
	        sqlite3_bind_text(s, 4, f->seed, -1, SQLITE_STATIC) == SQLITE_OK && sqlite3_step(s) == SQLITE_DONE)
		e = grow(f, card_id);
	(void)sqlite3_finalize(s);
	return e;
}

static enum image_error create_schema(struct image_file *f)
{
	return image_file_exec(f,
	        "PRAGMA application_id=0x50524F53; PRAGMA journal_mode=WAL;"
	        "CREATE TABLE card(id BLOB PRIMARY KEY, key_check BLOB NOT NULL, insecure INTEGER NOT NULL, seed TEXT NOT NULL);"
	        "CREATE TABLE record(card BLOB NOT NULL, name BLOB NOT NULL, generation INTEGER NOT NULL,"
	        " data BLOB NOT NULL, PRIMARY KEY(card, name)) WITHOUT ROWID;");
}

static enum image_error first_card(struct image_file *f, sqlite3_stmt *s, struct bytes key)
{
	uint8_t check[SHA256_LEN];
	const unsigned char *seed = sqlite3_column_text(s, 3);

	if (sqlite3_column_bytes(s, 1) != SHA256_LEN || seed == NULL || key_check(key, check) != OK)
		return IMAGE_NOT_IMAGE;
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
		return sqlite_error(rc);
	while (e == IMAGE_OK && (rc = sqlite3_step(s)) == SQLITE_ROW) {
		if (f->count == 0)
			e = first_card(f, s, key);
		if (e == IMAGE_OK)
			e = sqlite3_column_bytes(s, 0) == CARD_ID_LEN ? grow(f, sqlite3_column_blob(s, 0)) : IMAGE_NOT_IMAGE;
	}
	if (e == IMAGE_OK && rc != SQLITE_DONE)
		e = sqlite_error(rc);
	if (e == IMAGE_OK && f->count == 0)
		e = IMAGE_NOT_IMAGE;
	(void)sqlite3_finalize(s);
	return e;
}

static enum image_error open_database(struct image_file *f, const struct image_options *o)
{
	int flags = SQLITE_OPEN_READWRITE | (o->create ? SQLITE_OPEN_CREATE : 0), rc;
	enum image_error e;

	if (o->create && access(o->path, F_OK) == 0)
		return IMAGE_BUSY;
	if ((rc = sqlite3_open_v2(o->path, &f->db, flags, o->vfs)) != SQLITE_OK)
		return sqlite_error(rc);
	/* One process, one writer; locking_mode first, so that WAL needs no shared memory file. */
	e = image_file_exec(f, "PRAGMA locking_mode=EXCLUSIVE; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;");
	if (e != IMAGE_OK)
		return e;
	if (o->create)
		return create_schema(f);
	e = image_file_exec(f, "PRAGMA journal_mode=WAL; BEGIN IMMEDIATE; COMMIT;");
	return e == IMAGE_OK ? read_cards(f, o->key) : e;
}

static enum image_error prepare(struct image_file *f)
{
	static const char read[] = "SELECT name, generation, data FROM record WHERE card=? ORDER BY name";

	return sqlite3_prepare_v2(f->db, "REPLACE INTO record VALUES(?,?,?,?)", -1, &f->put, NULL) == SQLITE_OK &&
	                       sqlite3_prepare_v2(f->db, "DELETE FROM record WHERE card=? AND name=?", -1, &f->erase, NULL) ==
	                               SQLITE_OK &&
	                       sqlite3_prepare_v2(f->db, read, -1, &f->read, NULL) == SQLITE_OK
	               ? IMAGE_OK
	               : IMAGE_NOT_IMAGE;
}

enum image_error image_file_open(struct image_file **out, struct image_options *o)
{
	struct image_file *f = calloc(1, sizeof *f);
	enum image_error e;

	*out = f;
	if (f == NULL)
		return IMAGE_IO;
	f->insecure = o->insecure_test_key;
	memcpy(f->seed, o->seed, sizeof f->seed);
	if ((e = open_database(f, o)) != IMAGE_OK || (e = prepare(f)) != IMAGE_OK)
		image_file_close(out);
	else {
		o->insecure_test_key = f->insecure;
		memcpy(o->seed, f->seed, sizeof o->seed);
	}
	return e;
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

size_t image_file_count(const struct image_file *f)
{
	return f->count;
}

const uint8_t *image_file_card(const struct image_file *f, size_t index)
{
	return f->cards[index];
}

enum image_error image_file_read(struct image_file *f, const uint8_t card_id[static CARD_ID_LEN],
        bool (*each)(void *context, struct bytes name, uint64_t generation, struct bytes data), void *context)
{
	enum image_error e = IMAGE_OK;
	int rc = sqlite3_bind_blob(f->read, 1, card_id, CARD_ID_LEN, SQLITE_STATIC);

	while (rc == SQLITE_OK || rc == SQLITE_ROW) {
		struct bytes name, data;

		if ((rc = sqlite3_step(f->read)) != SQLITE_ROW)
			break;
		name = (struct bytes){ sqlite3_column_blob(f->read, 0), (size_t)sqlite3_column_bytes(f->read, 0) };
		data = (struct bytes){ sqlite3_column_blob(f->read, 2), (size_t)sqlite3_column_bytes(f->read, 2) };
		if (data.n == 0 || !each(context, name, (uint64_t)sqlite3_column_int64(f->read, 1), data)) {
			e = IMAGE_TAMPERED;
			break;
		}
	}
	if (e == IMAGE_OK && rc != SQLITE_DONE)
		e = sqlite_error(rc);
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
	(void)run(f, "ROLLBACK");
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

bool image_file_put(struct image_file *f, const uint8_t card_id[static CARD_ID_LEN], struct bytes name, uint64_t generation,
        struct bytes data)
{
	bool ok =
	        sqlite3_bind_blob(f->put, 1, card_id, CARD_ID_LEN, SQLITE_STATIC) == SQLITE_OK &&
	        sqlite3_bind_blob(f->put, 2, name.n > 0 ? (const void *)name.p : "", (int)name.n, SQLITE_STATIC) == SQLITE_OK &&
	        sqlite3_bind_int64(f->put, 3, (sqlite3_int64)generation) == SQLITE_OK &&
	        sqlite3_bind_blob(f->put, 4, data.p, (int)data.n, SQLITE_STATIC) == SQLITE_OK &&
	        sqlite3_step(f->put) == SQLITE_DONE;

	return sqlite3_reset(f->put) == SQLITE_OK && ok;
}

bool image_file_erase(struct image_file *f, const uint8_t card_id[static CARD_ID_LEN], struct bytes name)
{
	bool ok = sqlite3_bind_blob(f->erase, 1, card_id, CARD_ID_LEN, SQLITE_STATIC) == SQLITE_OK &&
	          sqlite3_bind_blob(f->erase, 2, name.p, (int)name.n, SQLITE_STATIC) == SQLITE_OK &&
	          sqlite3_step(f->erase) == SQLITE_DONE;

	return sqlite3_reset(f->erase) == SQLITE_OK && ok;
}
