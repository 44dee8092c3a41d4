/* SPDX-License-Identifier: Apache-2.0 */
/* Card images: patches (offset 3, length 1, octets) on a born card's file, and on one of format 1 that opening upgrades. The
 * image is refused, or every record it gives is the one that was written. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "card/io/image/key_file.h"
#include "card/io/image/store_sqlite.h"
#include "tests/support/rows.h"

#define OLDER "tests/fixtures/bcfc442/test.img.gz"

enum { RECORDS = 40, BASE_MAX = 1 << 18 };
static char path[64];

/* A file, and what an image of it holds. */
static struct base {
	struct secret key;
	uint8_t octets[BASE_MAX];
	size_t n;
	struct rows rows;
} newest, older;

static size_t value_of(unsigned i, uint8_t out[600])
{
	for (size_t k = 0; k < i * 13 + 1; k++)
		out[k] = (uint8_t)(i * 7 + k);
	return i * 13 + 1;
}

static void remove_files(void)
{
	char wal[80];

	(void)unlink(path);
	(void)snprintf(wal, sizeof wal, "%s-wal", path);
	(void)unlink(wal);
	(void)snprintf(wal, sizeof wal, "%s-journal", path);
	(void)unlink(wal);
}

static void read_base(struct base *b, FILE *f)
{
	b->n = f != NULL ? fread(b->octets, 1, sizeof b->octets, f) : 0;
	if (b->n == 0 || b->n == sizeof b->octets)
		abort();
}

static void write_file(const uint8_t *octets, size_t n)
{
	FILE *f;

	remove_files();
	if ((f = fopen(path, "w")) == NULL || fwrite(octets, 1, n, f) != n || fclose(f) != 0)
		abort();
}

static void keep_rows(struct base *b)
{
	struct image_options o = { .path = path, .key = secret_bytes(&b->key) };
	struct record_name name = { 0 };
	struct image *im;

	write_file(b->octets, b->n);
	rows_init(&b->rows);
	if (image_open(&im, &o) != IMAGE_OK)
		abort();
	while (image_backend(im)->next(image_backend(im), (struct bytes){ 0 }, name_bytes(&name), &name) == OK) {
		uint8_t raw[RECORD_MAX];
		struct buf value = BUF_OF(raw);

		if (image_backend(im)->load(image_backend(im), name_bytes(&name), &value) != OK ||
		        b->rows.backend.write(&b->rows.backend,
		                &(struct store_change){ name_bytes(&name), buf_bytes(&value), false }, 1) != OK)
			abort();
	}
	image_close(&im);
}

static void make_newest(struct base *b)
{
	struct image_options o = { .path = path, .create = true, .card_id = { 1 } };
	struct image *im;
	FILE *f;

	if (key_file_insecure(&b->key) != OK)
		abort();
	o.key = secret_bytes(&b->key);
	if (image_open(&im, &o) != IMAGE_OK)
		abort();
	for (unsigned i = 0; i < RECORDS; i++) {
		struct record_name n = name_format("record/%02x", i);
		uint8_t value[600];
		const struct store_change c = { name_bytes(&n), { value, value_of(i, value) }, false };

		if (image_backend(im)->write(image_backend(im), &c, 1) != OK)
			abort();
	}
	image_close(&im);
	read_base(b, f = fopen(path, "r"));
	(void)fclose(f);
}

static void make_older(struct base *b)
{
	FILE *f = popen("gzip -dc " OLDER, "r");

	read_base(b, f);
	if (pclose(f) != 0 || key_file_insecure(&b->key) != OK)
		abort();
}

static void make_bases(void)
{
	(void)snprintf(
	        path, sizeof path, "%s/fuzz-image.%d", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp", (int)getpid());
	(void)atexit(remove_files);
	make_newest(&newest);
	make_older(&older);
	keep_rows(&newest);
	keep_rows(&older);
}

static void check(const struct base *b, struct image *im)
{
	for (size_t i = 0; i < b->rows.count; i++) {
		const struct row *r = &b->rows.row[i];
		uint8_t raw[RECORD_MAX];
		struct buf value = BUF_OF(raw);

		if (image_backend(im)->load(image_backend(im), name_bytes(&r->name), &value) != OK ||
		        !bytes_equal(buf_bytes(&value), (struct bytes){ r->value, r->n }))
			abort();
	}
	if (image_record_count(im) != b->rows.count)
		abort();
}

static void patch_and_open(const struct base *b, struct bytes in)
{
	static uint8_t patched[BASE_MAX];
	struct image_options o = { .path = path, .key = secret_bytes(&b->key) };
	struct bytes patch;
	uint64_t at, len;
	struct image *im;

	memcpy(patched, b->octets, b->n);
	while (bytes_take_uint(&in, 3, &at) && bytes_take_uint(&in, 1, &len) && bytes_take(&in, (size_t)len, &patch))
		for (size_t i = 0; i < patch.n; i++)
			patched[(at + i) % b->n] = patch.p[i];
	write_file(patched, b->n);
	/* Again, after an upgrade of an image whose free pages a patch may have damaged. */
	for (int turn = 0; turn < 2; turn++) {
		if (image_open(&im, &o) == IMAGE_OK)
			check(b, im);
		image_close(&im);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	if (newest.n == 0)
		make_bases();
	patch_and_open(&newest, (struct bytes){ data, n });
	patch_and_open(&older, (struct bytes){ data, n });
	return 0;
}
