#include "card/io/store_sqlite.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crypto/aes.h"
#include "crypto/hash.h"
#include "crypto/rng.h"

enum { ROOT_LEN = 8 + SHA256_LEN };

/* One record as it lies in the file: sealed. Loaded at open, so that reading never touches the disk. */
struct row {
	struct record_name name;
	uint64_t generation;
	uint8_t *sealed;
	size_t n;
	uint8_t *plain; /* plain_len octets in clear, of files and the file table only; else NULL */
};

static size_t plain_len(const struct row *r)
{
	return r->n > GCM_IV_LEN + GCM_TAG_LEN ? r->n - GCM_IV_LEN - GCM_TAG_LEN : 0;
}

struct image {
	struct store_backend backend; /* first: the card sees only this */
	sqlite3 *db;
	sqlite3_stmt *put, *erase;
	uint8_t card_id[CARD_ID_LEN];
	struct secret record_key, root_key;
	uint64_t generation; /* of the last commit */
	struct row *rows;    /* sorted by name */
	size_t count, cap;
};

const char *image_error_text(enum image_error e)
{
	switch (e) {
	case IMAGE_OK: return "ok";
	case IMAGE_MISSING: return "no such card image: create one with `prose-card create`";
	case IMAGE_NOT_IMAGE:
		return "this is not a whole card image (truncated, or another kind of file): restore it from a copy";
	case IMAGE_WRONG_KEY: return "the image key does not fit this image: give the key file that it was created with";
	case IMAGE_TAMPERED:
		return "the image was changed behind the card's back (a record edited, replaced, removed or old): it will not be used";
	case IMAGE_BUSY: return "another process is using this image: stop that card first";
	default: return "the image could not be read or written";
	}
}

static int compare_names(struct bytes a, struct bytes b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int c = n > 0 ? memcmp(a.p, b.p, n) : 0;

	return c != 0 ? c : a.n < b.n ? -1 : a.n > b.n;
}

/* Index of the first row whose name is not below `name`. */
static size_t lower_bound(const struct image *im, struct bytes name)
{
	size_t lo = 0, hi = im->count;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (compare_names(name_bytes(&im->rows[mid].name), name) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* Files are what a terminal may read; keys, PINs and counters stay sealed in memory too. */
static bool keeps_plain(struct bytes name)
{
	return name.n >= 2 && (memcmp(name.p, "f/", 2) == 0 || memcmp(name.p, "fs", 2) == 0 || memcmp(name.p, "r/", 2) == 0);
}

static void free_plain(struct row *r)
{
	if (r->plain != NULL)
		secret_clean(r->plain, plain_len(r));
	free(r->plain);
	r->plain = NULL;
}

static struct row *find_row(struct image *im, struct bytes name)
{
	size_t i = lower_bound(im, name);

	return i < im->count && bytes_equal(name_bytes(&im->rows[i].name), name) ? &im->rows[i] : NULL;
}

static enum status set_row(struct image *im, struct bytes name, uint64_t generation, struct bytes sealed)
{
	struct row *r = find_row(im, name);
	uint8_t *copy = malloc(sealed.n);

	if (copy == NULL || name.n > RECORD_NAME_MAX) {
		free(copy);
		return ERR_NO_SPACE;
	}
	memcpy(copy, sealed.p, sealed.n);
	if (r == NULL) {
		size_t at = lower_bound(im, name);

		if (im->count == im->cap) {
			size_t cap = im->cap == 0 ? 64 : 2 * im->cap;
			struct row *rows = realloc(im->rows, cap * sizeof *rows);

			if (rows == NULL) {
				free(copy);
				return ERR_NO_SPACE;
			}
			im->rows = rows;
			im->cap = cap;
		}
		memmove(im->rows + at + 1, im->rows + at, (im->count - at) * sizeof *im->rows);
		im->count++;
		r = &im->rows[at];
		*r = (struct row){ 0 };
		r->name.n = name.n;
		memcpy(r->name.text, name.p, name.n);
	}
	free_plain(r);
	free(r->sealed);
	r->sealed = copy;
	r->n = sealed.n;
	r->generation = generation;
	return OK;
}

static void drop_row(struct image *im, struct bytes name)
{
	struct row *r = find_row(im, name);
	size_t at;

	if (r == NULL)
		return;
	at = (size_t)(r - im->rows);
	free_plain(r);
	free(r->sealed);
	memmove(r, r + 1, (im->count - at - 1) * sizeof *r);
	im->count--;
}

static struct bytes put_aad(const struct image *im, struct bytes name, uint64_t generation, struct buf *aad)
{
	buf_put(aad, BYTES_OF(im->card_id));
	buf_put_uint(aad, 8, generation);
	buf_put(aad, name);
	return buf_bytes(aad);
}

static enum status unseal(const struct image *im, const struct row *r, struct buf *out)
{
	uint8_t raw[CARD_ID_LEN + 8 + RECORD_NAME_MAX];
	struct buf aad = BUF_OF(raw);
	struct bytes sealed = { r->sealed, r->n }, iv;
	uint8_t *at;

	if (!bytes_take(&sealed, GCM_IV_LEN, &iv) || sealed.n < GCM_TAG_LEN)
		return ERR_MALFORMED;
	if ((at = buf_reserve(out, sealed.n - GCM_TAG_LEN)) == NULL)
		return ERR_NO_SPACE;
	return aes_gcm_open(
	        secret_bytes(&im->record_key), iv, put_aad(im, name_bytes(&r->name), r->generation, &aad), sealed, at);
}

static enum status keep_plain(const struct image *im, struct row *r)
{
	size_t n = plain_len(r);
	struct buf b = { malloc(n + 1), 0, n, false };
	enum status st = b.p == NULL ? ERR_NO_SPACE : unseal(im, r, &b);

	if (st != OK) {
		free(b.p);
		return st;
	}
	r->plain = b.p;
	return OK;
}

static enum status backend_load(struct store_backend *b, struct bytes name, struct buf *out)
{
	struct image *im = (struct image *)(void *)b;
	struct row *r = find_row(im, name);

	if (r == NULL)
		return ERR_NOT_FOUND;
	if (r->plain == NULL && !keeps_plain(name))
		return unseal(im, r, out);
	if (r->plain == NULL)
		TRY(keep_plain(im, r));
	buf_put(out, (struct bytes){ r->plain, plain_len(r) });
	return buf_status(out);
}

static enum status backend_next(struct store_backend *b, struct bytes prefix, struct bytes after, struct record_name *out)
{
	struct image *im = (struct image *)(void *)b;
	size_t i = lower_bound(im, after.n > 0 ? after : prefix);

	if (i < im->count && after.n > 0 && bytes_equal(name_bytes(&im->rows[i].name), after))
		i++;
	if (i >= im->count || im->rows[i].name.n < prefix.n ||
	        !bytes_equal((struct bytes){ im->rows[i].name.text, prefix.n }, prefix))
		return ERR_NOT_FOUND;
	*out = im->rows[i].name;
	return OK;
}

/* HMAC over card, generation and every (name, generation) as they will be after the changes. */
static enum status root_mac(
        struct image *im, uint64_t generation, const struct store_change *changes, size_t n, uint8_t mac[SHA256_LEN])
{
	size_t room = CARD_ID_LEN + 8 + (im->count + n) * (1 + RECORD_NAME_MAX + 8);
	uint8_t *raw = malloc(room);
	struct buf b = { raw, 0, room, false };
	struct bytes part;
	size_t at = 0, c = 0;
	enum status st;

	if (raw == NULL)
		return ERR_NO_SPACE;
	buf_put(&b, BYTES_OF(im->card_id));
	buf_put_uint(&b, 8, generation);
	/* Merge the sorted rows with the changes, which the caller has sorted too. */
	while (at < im->count || c < n) {
		int order = at == im->count ? 1 : c == n ? -1 : compare_names(name_bytes(&im->rows[at].name), changes[c].name);
		struct bytes name = order < 0 ? name_bytes(&im->rows[at].name) : changes[c].name;
		uint64_t g = order < 0 ? im->rows[at].generation : generation;
		bool erased = order >= 0 && changes[c].erase;

		if (order <= 0)
			at++;
		if (order >= 0)
			c++;
		if (erased)
			continue;
		buf_put_u8(&b, (uint8_t)name.n);
		buf_put(&b, name);
		buf_put_uint(&b, 8, g);
	}
	part = buf_bytes(&b);
	st = b.failed ? ERR_BUG : hmac_sha256(secret_bytes(&im->root_key), &part, 1, mac);
	free(raw);
	return st;
}

static bool step_put(struct image *im, struct bytes name, uint64_t generation, struct bytes data)
{
	bool ok = sqlite3_bind_blob(im->put, 1, im->card_id, CARD_ID_LEN, SQLITE_STATIC) == SQLITE_OK &&
	          sqlite3_bind_blob(im->put, 2, name.n > 0 ? (const void *)name.p : "", (int)name.n, SQLITE_STATIC) ==
	                  SQLITE_OK &&
	          sqlite3_bind_int64(im->put, 3, (sqlite3_int64)generation) == SQLITE_OK &&
	          sqlite3_bind_blob(im->put, 4, data.p, (int)data.n, SQLITE_STATIC) == SQLITE_OK &&
	          sqlite3_step(im->put) == SQLITE_DONE;

	return sqlite3_reset(im->put) == SQLITE_OK && ok;
}

static bool step_erase(struct image *im, struct bytes name)
{
	bool ok = sqlite3_bind_blob(im->erase, 1, im->card_id, CARD_ID_LEN, SQLITE_STATIC) == SQLITE_OK &&
	          sqlite3_bind_blob(im->erase, 2, name.p, (int)name.n, SQLITE_STATIC) == SQLITE_OK &&
	          sqlite3_step(im->erase) == SQLITE_DONE;

	return sqlite3_reset(im->erase) == SQLITE_OK && ok;
}

/* iv || ciphertext || tag into out. */
static enum status seal_record(const struct image *im, const struct store_change *c, uint64_t generation, struct buf *out)
{
	uint8_t raw[CARD_ID_LEN + 8 + RECORD_NAME_MAX];
	struct buf aad = BUF_OF(raw);
	uint8_t *iv = buf_reserve(out, GCM_IV_LEN);
	uint8_t *text = buf_reserve(out, c->value.n + GCM_TAG_LEN);

	if (iv == NULL || text == NULL)
		return ERR_NO_SPACE;
	TRY(rng_fill(&rng_system, iv, GCM_IV_LEN));
	return aes_gcm_seal(secret_bytes(&im->record_key), (struct bytes){ iv, GCM_IV_LEN },
	        put_aad(im, c->name, generation, &aad), c->value, text);
}

static int by_name(const void *a, const void *b)
{
	return compare_names(((const struct store_change *)a)->name, ((const struct store_change *)b)->name);
}

static bool run(struct image *im, const char *sql)
{
	return sqlite3_exec(im->db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

/* Sealed copies of the changes, made before the transaction opens. */
struct sealed_batch {
	uint8_t *memory;
	struct bytes sealed[STORE_PENDING_MAX];
};

static enum status seal_batch(
        struct image *im, const struct store_change *changes, size_t n, uint64_t generation, struct sealed_batch *out)
{
	size_t room = 1;
	struct buf b;

	for (size_t i = 0; i < n; i++)
		room += changes[i].value.n + GCM_IV_LEN + GCM_TAG_LEN;
	if ((out->memory = malloc(room)) == NULL)
		return ERR_NO_SPACE;
	b = (struct buf){ out->memory, 0, room, false };
	for (size_t i = 0; i < n; i++) {
		size_t start = b.len;

		if (changes[i].erase)
			continue;
		TRY(seal_record(im, &changes[i], generation, &b));
		out->sealed[i] = (struct bytes){ out->memory + start, b.len - start };
	}
	return OK;
}

static bool write_batch(struct image *im, const struct store_change *changes, const struct sealed_batch *batch, size_t n,
        uint64_t generation, struct bytes root)
{
	if (!run(im, "BEGIN IMMEDIATE"))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!(changes[i].erase ? step_erase(im, changes[i].name)
		                       : step_put(im, changes[i].name, generation, batch->sealed[i])))
			goto fail;
	if (step_put(im, (struct bytes){ 0 }, generation, root) && run(im, "COMMIT"))
		return true;
fail:
	(void)run(im, "ROLLBACK");
	return false;
}

static enum status backend_write(struct store_backend *b, const struct store_change *given, size_t n)
{
	struct image *im = (struct image *)(void *)b;
	struct store_change changes[STORE_PENDING_MAX] = { 0 };
	struct sealed_batch batch = { 0 };
	uint64_t generation = im->generation + 1;
	uint8_t raw[ROOT_LEN], mac[SHA256_LEN];
	struct buf root = BUF_OF(raw);
	enum status st;

	if (n > STORE_PENDING_MAX)
		return ERR_BUG;
	if (n > 0) {
		memcpy(changes, given, n * sizeof *changes);
		qsort(changes, n, sizeof *changes, by_name);
	}
	if ((st = root_mac(im, generation, changes, n, mac)) != OK ||
	        (st = seal_batch(im, changes, n, generation, &batch)) != OK)
		goto out;
	buf_put_uint(&root, 8, generation);
	buf_put(&root, BYTES_OF(mac));
	if (!write_batch(im, changes, &batch, n, generation, buf_bytes(&root))) {
		st = ERR_IO;
		goto out;
	}
	im->generation = generation;
	for (size_t i = 0; i < n && st == OK; i++) {
		if (changes[i].erase)
			drop_row(im, changes[i].name);
		else
			st = set_row(im, changes[i].name, generation, batch.sealed[i]);
	}
out:
	free(batch.memory);
	return st;
}

static enum status subkey(struct bytes key, struct bytes label, const uint8_t *card_id, struct secret *out)
{
	out->len = SHA256_LEN;
	return hmac_sha256(key, (struct bytes[]){ label, { card_id, CARD_ID_LEN } }, 2, out->data);
}

static enum image_error sqlite_error(int rc)
{
	switch (rc & 0xFF) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED: return IMAGE_BUSY;
	case SQLITE_NOTADB:
	case SQLITE_CORRUPT: return IMAGE_NOT_IMAGE;
	case SQLITE_CANTOPEN: return IMAGE_MISSING;
	default: return IMAGE_IO;
	}
}

static enum image_error exec(struct image *im, const char *sql)
{
	int rc = sqlite3_exec(im->db, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? IMAGE_OK : sqlite_error(rc == SQLITE_ERROR ? SQLITE_CORRUPT : rc);
}

static enum status key_check(struct bytes key, uint8_t out[SHA256_LEN])
{
	return hmac_sha256(key, (struct bytes[]){ BYTES_STR("prose-card image key check") }, 1, out);
}

static enum image_error create_schema(struct image *im, struct image_options *o)
{
	uint8_t check[SHA256_LEN];
	sqlite3_stmt *s = NULL;
	enum image_error e =
	        exec(im, "PRAGMA application_id=0x50524F53; PRAGMA journal_mode=WAL;"
	                 "CREATE TABLE card(id BLOB PRIMARY KEY, key_check BLOB NOT NULL, insecure INTEGER NOT NULL);"
	                 "CREATE TABLE record(card BLOB NOT NULL, name BLOB NOT NULL, generation INTEGER NOT NULL,"
	                 " data BLOB NOT NULL, PRIMARY KEY(card, name)) WITHOUT ROWID;");

	if (e != IMAGE_OK)
		return e;
	if (key_check(o->key, check) != OK ||
	        sqlite3_prepare_v2(im->db, "INSERT INTO card VALUES(?,?,?)", -1, &s, NULL) != SQLITE_OK)
		return IMAGE_IO;
	(void)sqlite3_bind_blob(s, 1, o->card_id, CARD_ID_LEN, SQLITE_STATIC);
	(void)sqlite3_bind_blob(s, 2, check, sizeof check, SQLITE_STATIC);
	(void)sqlite3_bind_int(s, 3, o->insecure_test_key ? 1 : 0);
	e = sqlite3_step(s) == SQLITE_DONE ? IMAGE_OK : IMAGE_IO;
	(void)sqlite3_finalize(s);
	return e;
}

static enum image_error read_card(struct image *im, struct image_options *o)
{
	uint8_t check[SHA256_LEN];
	enum image_error e = IMAGE_NOT_IMAGE;
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(im->db, "SELECT id, key_check, insecure FROM card", -1, &s, NULL);

	if (rc != SQLITE_OK)
		return sqlite_error(rc == SQLITE_ERROR ? SQLITE_NOTADB : rc);
	rc = sqlite3_step(s);
	if (rc == SQLITE_ROW && sqlite3_column_bytes(s, 0) == CARD_ID_LEN && sqlite3_column_bytes(s, 1) == SHA256_LEN &&
	        key_check(o->key, check) == OK) {
		memcpy(o->card_id, sqlite3_column_blob(s, 0), CARD_ID_LEN);
		o->insecure_test_key = sqlite3_column_int(s, 2) != 0;
		e = secret_equals(BYTES_OF(check), (struct bytes){ sqlite3_column_blob(s, 1), SHA256_LEN }) ? IMAGE_OK
		                                                                                            : IMAGE_WRONG_KEY;
	} else if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
		e = sqlite_error(rc);
	}
	(void)sqlite3_finalize(s);
	return e;
}

/* Read all rows, check the root MAC over them, then open every one of them once. */
static enum image_error read_rows(struct image *im)
{
	uint8_t raw[RECORD_MAX], root[ROOT_LEN] = { 0 }, mac[SHA256_LEN];
	bool have_root = false;
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(
	        im->db, "SELECT name, generation, data FROM record WHERE card=? ORDER BY name", -1, &s, NULL);

	if (rc != SQLITE_OK)
		return sqlite_error(rc == SQLITE_ERROR ? SQLITE_NOTADB : rc);
	(void)sqlite3_bind_blob(s, 1, im->card_id, CARD_ID_LEN, SQLITE_STATIC);
	while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
		struct bytes name = { sqlite3_column_blob(s, 0), (size_t)sqlite3_column_bytes(s, 0) };
		struct bytes data = { sqlite3_column_blob(s, 2), (size_t)sqlite3_column_bytes(s, 2) };

		if (name.n == 0 && data.n == ROOT_LEN) {
			memcpy(root, data.p, ROOT_LEN);
			have_root = true;
		} else if (name.n == 0 || data.n == 0 || set_row(im, name, (uint64_t)sqlite3_column_int64(s, 1), data) != OK) {
			(void)sqlite3_finalize(s);
			return IMAGE_TAMPERED;
		}
	}
	(void)sqlite3_finalize(s);
	if (rc != SQLITE_DONE)
		return sqlite_error(rc);
	im->generation = bytes_uint((struct bytes){ root, 8 });
	if (!have_root || root_mac(im, im->generation, NULL, 0, mac) != OK ||
	        !secret_equals(BYTES_OF(mac), (struct bytes){ root + 8, SHA256_LEN }))
		return IMAGE_TAMPERED;
	for (size_t i = 0; i < im->count; i++) {
		struct buf b = BUF_OF(raw);
		enum status st = unseal(im, &im->rows[i], &b);

		secret_clean(raw, b.len);
		if (st != OK)
			return IMAGE_TAMPERED;
	}
	return IMAGE_OK;
}

static enum image_error open_database(struct image *im, struct image_options *o)
{
	int flags = SQLITE_OPEN_READWRITE | (o->create ? SQLITE_OPEN_CREATE : 0);
	int rc;
	enum image_error e;

	if (o->create && access(o->path, F_OK) == 0)
		return IMAGE_BUSY;
	if ((rc = sqlite3_open_v2(o->path, &im->db, flags, o->vfs)) != SQLITE_OK)
		return sqlite_error(rc);
	/* One process, one writer; locking_mode first, so that WAL needs no shared memory file. */
	e = exec(im, "PRAGMA locking_mode=EXCLUSIVE; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;");
	if (e == IMAGE_OK && !o->create)
		e = exec(im, "PRAGMA journal_mode=WAL; BEGIN IMMEDIATE; COMMIT;");
	if (e == IMAGE_OK && o->create)
		e = create_schema(im, o);
	return e;
}

static enum image_error open_image(struct image *im, struct image_options *o)
{
	enum image_error e = open_database(im, o);

	if (e != IMAGE_OK || (e = read_card(im, o)) != IMAGE_OK)
		return e;
	memcpy(im->card_id, o->card_id, CARD_ID_LEN);
	if (subkey(o->key, BYTES_STR("prose-card records"), im->card_id, &im->record_key) != OK ||
	        subkey(o->key, BYTES_STR("prose-card root"), im->card_id, &im->root_key) != OK ||
	        sqlite3_prepare_v2(im->db, "REPLACE INTO record VALUES(?,?,?,?)", -1, &im->put, NULL) != SQLITE_OK ||
	        sqlite3_prepare_v2(im->db, "DELETE FROM record WHERE card=? AND name=?", -1, &im->erase, NULL) != SQLITE_OK)
		return IMAGE_NOT_IMAGE;
	if (o->create)
		return backend_write(&im->backend, NULL, 0) == OK ? IMAGE_OK : IMAGE_IO;
	return read_rows(im);
}

enum image_error image_test_pragma(struct image *im, const char *pragma)
{
	return exec(im, pragma);
}

enum image_error image_open(struct image **out, struct image_options *o)
{
	struct image *im = calloc(1, sizeof *im);
	enum image_error e;

	*out = NULL;
	if (im == NULL)
		return IMAGE_IO;
	im->backend = (struct store_backend){ backend_load, backend_next, backend_write };
	e = open_image(im, o);
	*out = im;
	if (e != IMAGE_OK)
		image_close(out);
	return e;
}

void image_close(struct image **image)
{
	struct image *im = *image;

	if (im == NULL)
		return;
	for (size_t i = 0; i < im->count; i++) {
		free_plain(&im->rows[i]);
		free(im->rows[i].sealed);
	}
	free(im->rows);
	(void)sqlite3_finalize(im->put);
	(void)sqlite3_finalize(im->erase);
	(void)sqlite3_close(im->db);
	secret_clean(im, sizeof *im);
	free(im);
	*image = NULL;
}

struct store_backend *image_backend(struct image *im)
{
	return &im->backend;
}

struct bytes image_record_key(const struct image *im)
{
	return secret_bytes(&im->record_key);
}

size_t image_record_count(const struct image *im)
{
	return im->count;
}
