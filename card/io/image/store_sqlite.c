/* SPDX-License-Identifier: Apache-2.0 */
#include "card/io/image/store_sqlite.h"

#include <stdlib.h>
#include <string.h>

#include "apdu/aids.h"
#include "card/io/image/image_file.h"
#include "card/io/image/image_migration.h"

#include "crypto/common/aes.h"
#include "crypto/common/hash.h"
#include "crypto/common/rng.h"

enum { ROOT_LEN_1 = 8 + SHA256_LEN, ROOT_LEN = 4 + ROOT_LEN_1 };

/* What lies under the empty name. */
struct root {
	unsigned format;
	uint64_t generation;
	uint8_t mac[SHA256_LEN];
};

/* One record, read at open, so that reading never touches the disk: sealed as it lies in the file; files and the file table in
 * clear. */
struct row {
	uint64_t generation;
	uint8_t *memory; /* name_n octets of name, n of content */
	uint32_t n;
	uint8_t name_n;
	bool plain;
};

struct image {
	struct store_backend backend; /* first: the card sees only this */
	struct image_file *file;
	bool owns_file;
	uint8_t card_id[CARD_ID_LEN];
	struct secret record_key, root_key;
	unsigned format;
	uint64_t generation; /* of the last commit */
	struct row *rows;    /* sorted by name */
	size_t count, cap;
};

static struct bytes row_name(const struct row *r)
{
	return (struct bytes){ r->memory, r->name_n };
}

static struct bytes row_content(const struct row *r)
{
	return (struct bytes){ r->memory + r->name_n, r->n };
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

		if (compare_names(row_name(&im->rows[mid]), name) < 0)
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

static struct row *find_row(struct image *im, struct bytes name)
{
	size_t i = lower_bound(im, name);

	return i < im->count && bytes_equal(row_name(&im->rows[i]), name) ? &im->rows[i] : NULL;
}

static void free_memory(struct row *r)
{
	if (r->memory != NULL && r->plain)
		secret_clean(r->memory, r->name_n + r->n);
	free(r->memory);
	r->memory = NULL;
}

/* Room for one more row at its place. */
static struct row *insert_row(struct image *im, size_t at)
{
	if (im->count == im->cap) {
		size_t cap = im->cap + 16 + im->cap / 4;
		struct row *rows = realloc(im->rows, cap * sizeof *rows);

		if (rows == NULL)
			return NULL;
		im->rows = rows;
		im->cap = cap;
	}
	memmove(im->rows + at + 1, im->rows + at, (im->count - at) * sizeof *im->rows);
	im->count++;
	im->rows[at] = (struct row){ 0 };
	return &im->rows[at];
}

static enum status set_row(struct image *im, struct bytes name, uint64_t generation, struct bytes content, bool plain)
{
	uint8_t *memory;
	struct row *r;

	if (name.n > RECORD_NAME_MAX || content.n > UINT32_MAX)
		return ERR_NO_SPACE;
	if ((memory = malloc(name.n + content.n + 1)) == NULL)
		return ERR_NO_MEMORY;
	memcpy(memory, name.p, name.n);
	if (content.n > 0)
		memcpy(memory + name.n, content.p, content.n);
	if ((r = find_row(im, name)) == NULL && (r = insert_row(im, lower_bound(im, name))) == NULL) {
		free(memory);
		return ERR_NO_MEMORY;
	}
	free_memory(r);
	r->generation = generation;
	r->memory = memory;
	r->n = (uint32_t)content.n;
	r->name_n = (uint8_t)name.n;
	r->plain = plain;
	return OK;
}

static void drop_row(struct image *im, struct bytes name)
{
	struct row *r = find_row(im, name);
	size_t at;

	if (r == NULL)
		return;
	at = (size_t)(r - im->rows);
	free_memory(r);
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

static enum status unseal(const struct image *im, struct bytes name, uint64_t generation, struct bytes sealed, struct buf *out)
{
	uint8_t raw[CARD_ID_LEN + 8 + RECORD_NAME_MAX];
	struct buf aad = BUF_OF(raw);
	struct bytes iv;
	uint8_t *at;

	if (!bytes_take(&sealed, GCM_IV_LEN, &iv) || sealed.n < GCM_TAG_LEN)
		return ERR_MALFORMED;
	if ((at = buf_reserve(out, sealed.n - GCM_TAG_LEN)) == NULL)
		return ERR_NO_SPACE;
	return aes_gcm_open(secret_bytes(&im->record_key), iv, put_aad(im, name, generation, &aad), sealed, at);
}

static enum status backend_load(struct store_backend *b, struct bytes name, struct buf *out)
{
	struct image *im = (struct image *)(void *)b;
	struct row *r = find_row(im, name);

	if (r == NULL)
		return ERR_NOT_FOUND;
	if (!r->plain)
		return unseal(im, name, r->generation, row_content(r), out);
	buf_put(out, row_content(r));
	return buf_status(out);
}

static enum status backend_next(struct store_backend *b, struct bytes prefix, struct bytes after, struct record_name *out)
{
	struct image *im = (struct image *)(void *)b;
	size_t i = lower_bound(im, after.n > 0 ? after : prefix);

	if (i < im->count && after.n > 0 && bytes_equal(row_name(&im->rows[i]), after))
		i++;
	if (i >= im->count || im->rows[i].name_n < prefix.n ||
	        !bytes_equal((struct bytes){ im->rows[i].memory, prefix.n }, prefix))
		return ERR_NOT_FOUND;
	out->n = im->rows[i].name_n;
	memcpy(out->text, im->rows[i].memory, out->n);
	return OK;
}

static void root_put(const struct root *r, struct buf *out)
{
	if (r->format > 1)
		buf_put_uint(out, 4, r->format);
	buf_put_uint(out, 8, r->generation);
	buf_put(out, BYTES_OF(r->mac));
}

static bool root_parse(struct bytes in, struct root *r)
{
	uint64_t format = 1;
	struct bytes mac;

	if ((in.n != ROOT_LEN_1 && (!bytes_take_uint(&in, 4, &format) || format < 2 || format > IMAGE_FORMAT)) ||
	        !bytes_take_uint(&in, 8, &r->generation) || !bytes_take(&in, SHA256_LEN, &mac) || in.n > 0)
		return false;
	r->format = (unsigned)format;
	memcpy(r->mac, mac.p, sizeof r->mac);
	return true;
}

/* HMAC over format, card, generation and every (name, generation) as they will be after the changes. Format 1 began with the
 * card, which is digits in BCD: no octets can be read both ways. */
static enum status root_mac(
        struct image *im, const struct root *root, const struct store_change *changes, size_t n, uint8_t mac[SHA256_LEN])
{
	static const char label[] = "format";
	size_t room = sizeof label + 4 + CARD_ID_LEN + 8 + (im->count + n) * (1 + RECORD_NAME_MAX + 8);
	uint8_t *raw = malloc(room);
	struct buf b = { raw, 0, room, false };
	struct bytes part;
	size_t at = 0, c = 0;
	enum status st;

	if (raw == NULL)
		return ERR_NO_MEMORY;
	if (root->format > 1) {
		buf_put(&b, bytes_str(label));
		buf_put_uint(&b, 4, root->format);
	}
	buf_put(&b, BYTES_OF(im->card_id));
	buf_put_uint(&b, 8, root->generation);
	/* Merge the sorted rows with the changes, which the caller has sorted too. */
	while (at < im->count || c < n) {
		int order = at == im->count ? 1 : c == n ? -1 : compare_names(row_name(&im->rows[at]), changes[c].name);
		struct bytes name = order < 0 ? row_name(&im->rows[at]) : changes[c].name;
		uint64_t g = order < 0 ? im->rows[at].generation : root->generation;
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
		return ERR_NO_MEMORY;
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
	if (!image_file_begin(im->file))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!(changes[i].erase ? image_file_erase(im->file, im->card_id, changes[i].name)
		                       : image_file_put(im->file, im->card_id, changes[i].name, generation, batch->sealed[i])))
			goto fail;
	if (image_file_put(im->file, im->card_id, (struct bytes){ 0 }, generation, root) && image_file_commit(im->file))
		return true;
fail:
	image_file_rollback(im->file);
	return false;
}

enum status image_rewrite(struct image *im, unsigned format, const struct store_change *given, size_t n)
{
	struct store_change changes[STORE_PENDING_MAX] = { 0 };
	struct sealed_batch batch = { 0 };
	struct root root = { .format = format, .generation = im->generation + 1 };
	uint8_t raw[ROOT_LEN];
	struct buf root_record = BUF_OF(raw);
	enum status st;

	if (n > STORE_PENDING_MAX)
		return ERR_BUG;
	if (n > 0) {
		memcpy(changes, given, n * sizeof *changes);
		qsort(changes, n, sizeof *changes, by_name);
	}
	if ((st = root_mac(im, &root, changes, n, root.mac)) != OK ||
	        (st = seal_batch(im, changes, n, root.generation, &batch)) != OK)
		goto out;
	root_put(&root, &root_record);
	if (!write_batch(im, changes, &batch, n, root.generation, buf_bytes(&root_record))) {
		st = image_error_status(image_file_error(im->file));
		goto out;
	}
	im->format = format;
	im->generation = root.generation;
	for (size_t i = 0; i < n && st == OK; i++) {
		bool plain = keeps_plain(changes[i].name);

		if (changes[i].erase)
			drop_row(im, changes[i].name);
		else
			st = set_row(im, changes[i].name, root.generation, plain ? changes[i].value : batch.sealed[i], plain);
	}
out:
	free(batch.memory);
	return st;
}

static enum status backend_write(struct store_backend *b, const struct store_change *changes, size_t n)
{
	struct image *im = (struct image *)(void *)b;

	return image_rewrite(im, im->format, changes, n);
}

struct image_load {
	struct image *image;
	struct root root;
	bool have_root;
};

static enum status subkey(struct bytes key, struct bytes label, const uint8_t *card_id, struct secret *out)
{
	out->len = SHA256_LEN;
	return hmac_sha256(key, (struct bytes[]){ label, { card_id, CARD_ID_LEN } }, 2, out->data);
}

/* One record as the file has it: open it, and keep it sealed unless it may lie in clear. */
static enum status take_record(void *context, struct bytes name, uint64_t generation, struct bytes data)
{
	struct image_load *l = context;
	uint8_t raw[RECORD_MAX];
	struct buf b = BUF_OF(raw);
	bool plain = keeps_plain(name);
	enum status st;

	if (name.n == 0)
		return (l->have_root = root_parse(data, &l->root)) ? OK : ERR_MALFORMED;
	if (name.n > RECORD_NAME_MAX)
		return ERR_NO_SPACE;
	if ((st = unseal(l->image, name, generation, data, &b)) == OK)
		st = set_row(l->image, name, generation, plain ? buf_bytes(&b) : data, plain);
	secret_clean(raw, b.len);
	return st;
}

/* Read and open all records, then check that the root is of the file's format, and its MAC over their generations. */
static enum image_error read_rows(struct image *im)
{
	struct image_load l = { .image = im };
	uint8_t mac[SHA256_LEN];
	enum image_error e = image_file_read(im->file, im->card_id, take_record, &l);
	enum status st;

	if (e != IMAGE_OK)
		return e;
	im->generation = l.root.generation;
	if ((st = root_mac(im, &l.root, NULL, 0, mac)) != OK)
		return image_error_of(st);
	return l.have_root && l.root.format == im->format && secret_equals(BYTES_OF(mac), BYTES_OF(l.root.mac))
	               ? IMAGE_OK
	               : IMAGE_TAMPERED;
}

enum image_error image_open_card(
        struct image **out, struct image_file *file, struct bytes key, const uint8_t card_id[static CARD_ID_LEN], bool create)
{
	struct image *im = calloc(1, sizeof *im);
	enum image_error e;
	enum status st;

	*out = im;
	if (im == NULL)
		return IMAGE_NO_MEMORY;
	im->backend = (struct store_backend){ backend_load, backend_next, backend_write, NULL };
	im->file = file;
	im->format = image_file_format(file);
	memcpy(im->card_id, card_id, CARD_ID_LEN);
	if ((st = subkey(key, BYTES_STR("prose-card records"), card_id, &im->record_key)) != OK ||
	        (st = subkey(key, BYTES_STR("prose-card root"), card_id, &im->root_key)) != OK)
		e = image_error_of(st);
	else if (!create)
		e = read_rows(im);
	else if ((e = image_file_add(file, key, card_id)) == IMAGE_OK)
		e = image_error_of(backend_write(&im->backend, NULL, 0));
	if (e != IMAGE_OK)
		image_close(out);
	return e;
}

enum image_error image_open(struct image **out, struct image_options *o)
{
	struct image_file *file;
	enum image_error e = image_file_open_upgraded(&file, o);

	*out = NULL;
	if (e == IMAGE_OK && !o->create) {
		e = image_file_count(file) == 1 ? IMAGE_OK : image_file_count(file) == 0 ? IMAGE_NOT_IMAGE : IMAGE_FARM;
		if (e == IMAGE_OK)
			memcpy(o->card_id, image_file_card(file, 0), CARD_ID_LEN);
	}
	if (e == IMAGE_OK)
		e = image_open_card(out, file, o->key, o->card_id, o->create);
	if (e == IMAGE_OK)
		(*out)->owns_file = true;
	else {
		bool made = file != NULL && o->create;

		image_file_close(&file);
		if (made)
			image_file_remove(o->path);
	}
	return e;
}

void image_close(struct image **image)
{
	struct image *im = *image;

	if (im == NULL)
		return;
	for (size_t i = 0; i < im->count; i++)
		free_memory(&im->rows[i]);
	free(im->rows);
	if (im->owns_file)
		image_file_close(&im->file);
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
