/* Card images: patches (offset 3, length 1, octets) on a born card's file. The image is refused, or every record it gives is
 * the one that was written. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "card/io/store_sqlite.h"

enum { RECORDS = 40, BASE_MAX = 1 << 18 };
static const uint8_t key[32] = { 3 };
static uint8_t base[BASE_MAX], patched[BASE_MAX];
static size_t base_len;
static char path[64];

static struct record_name name_of(unsigned i)
{
	return name_format("record/%02x", i);
}

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

static void make_base(void)
{
	struct image_options o = { .path = path, .key = BYTES_OF(key), .create = true, .card_id = { 1 } };
	struct image *im;
	FILE *f;

	(void)snprintf(
	        path, sizeof path, "%s/fuzz-image.%d", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp", (int)getpid());
	(void)atexit(remove_files);
	if (image_open(&im, &o) != IMAGE_OK)
		abort();
	for (unsigned i = 0; i < RECORDS; i++) {
		struct record_name n = name_of(i);
		uint8_t value[600];
		const struct store_change c = { name_bytes(&n), { value, value_of(i, value) }, false };

		if (image_backend(im)->write(image_backend(im), &c, 1) != OK)
			abort();
	}
	image_close(&im);
	f = fopen(path, "r");
	base_len = f != NULL ? fread(base, 1, sizeof base, f) : 0;
	if (f == NULL || base_len == 0 || base_len == sizeof base)
		abort();
	(void)fclose(f);
}

static void check(struct image *im)
{
	for (unsigned i = 0; i < RECORDS; i++) {
		struct record_name n = name_of(i);
		uint8_t value[600], raw[RECORD_MAX];
		struct buf b = BUF_OF(raw);

		if (image_backend(im)->load(image_backend(im), name_bytes(&n), &b) != OK ||
		        !bytes_equal(buf_bytes(&b), (struct bytes){ value, value_of(i, value) }))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct image_options o = { .path = path, .key = BYTES_OF(key) };
	struct bytes in = { data, n }, patch;
	uint64_t at, len;
	struct image *im;
	FILE *f;

	if (base_len == 0)
		make_base();
	o.path = path;
	memcpy(patched, base, base_len);
	while (bytes_take_uint(&in, 3, &at) && bytes_take_uint(&in, 1, &len) && bytes_take(&in, (size_t)len, &patch))
		for (size_t i = 0; i < patch.n; i++)
			patched[(at + i) % base_len] = patch.p[i];
	remove_files();
	f = fopen(path, "w");
	if (f == NULL || fwrite(patched, 1, base_len, f) != base_len || fclose(f) != 0)
		abort();
	if (image_open(&im, &o) == IMAGE_OK)
		check(im);
	image_close(&im);
	return 0;
}
