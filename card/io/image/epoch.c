/* SPDX-License-Identifier: Apache-2.0 */
#include "card/io/image/epoch.h"

#include <stdlib.h>
#include <string.h>

enum { EPOCH_LEN = 8 };
static const struct bytes epoch_name = { (const uint8_t *)"epoch", 5 };

bool epoch_read(struct store_backend *image, uint64_t *value)
{
	uint8_t raw[EPOCH_LEN];
	struct buf b = BUF_OF(raw);

	if (image->load(image, epoch_name, &b) != OK || b.len != EPOCH_LEN)
		return false;
	*value = bytes_uint(buf_bytes(&b));
	return true;
}

/* The epoch, and with it what is given. */
static enum status write_epoch(struct store_backend *image, uint64_t value, const struct store_change *with, size_t n)
{
	uint8_t raw[EPOCH_LEN];
	struct store_change changes[2] = { { epoch_name, BYTES_OF(raw), false } };

	bytes_from_uint(value, raw, sizeof raw);
	if (n > 0)
		changes[1] = *with;
	return image->write(image, changes, 1 + n);
}

enum image_error epoch_begin(struct store_backend *image, struct counter *counter)
{
	uint64_t value;

	if (epoch_read(image, &value))
		return IMAGE_COUNTED;
	if (counter->read(counter, &value) != OK)
		return IMAGE_COUNTER_SILENT;
	return write_epoch(image, value, NULL, 0) == OK ? IMAGE_OK : IMAGE_IO;
}

enum image_error epoch_end(struct store_backend *image)
{
	const struct store_change change = { epoch_name, { 0 }, true };
	uint64_t value;

	if (!epoch_read(image, &value))
		return IMAGE_UNCOUNTED;
	return image->write(image, &change, 1) == OK ? IMAGE_OK : IMAGE_IO;
}

/* The image first, then the counter. Where the counter may have stayed behind, or have counted without saying so, it is asked,
 * and the image waits for it. */
static enum status move(struct epoch *e, const struct store_change *with, size_t n)
{
	uint64_t counted;

	if (e->ahead) {
		TRY(e->counter->read(e->counter, &counted));
		e->ahead = counted != e->value;
	}
	if (!e->ahead) {
		TRY(write_epoch(e->image, e->value + 1, with, n));
		e->value++;
		e->ahead = true;
	} else if (n > 0) {
		TRY(e->image->write(e->image, with, n));
	}
	TRY(e->counter->increment(e->counter));
	e->ahead = false;
	return OK;
}

static enum status load(struct store_backend *b, struct bytes name, struct buf *out)
{
	struct epoch *e = (struct epoch *)(void *)b;

	return e->image->load(e->image, name, out);
}

static enum status next(struct store_backend *b, struct bytes prefix, struct bytes after, struct record_name *out)
{
	struct epoch *e = (struct epoch *)(void *)b;

	return e->image->next(e->image, prefix, after, out);
}

static enum status write(struct store_backend *b, const struct store_change *changes, size_t n)
{
	struct epoch *e = (struct epoch *)(void *)b;

	return e->image->write(e->image, changes, n);
}

static enum status spend(struct store_backend *b, const struct store_change *change)
{
	struct epoch *e = (struct epoch *)(void *)b;

	return e->counter == NULL ? e->image->write(e->image, change, 1) : move(e, change, 1);
}

enum image_error epoch_open(struct epoch *e, struct store_backend *image, struct counter *counter)
{
	uint64_t counted = 0;
	bool has;

	*e = (struct epoch){ .backend = { load, next, write, spend }, .image = image, .counter = counter };
	has = epoch_read(image, &e->value);
	if (counter == NULL)
		return has ? IMAGE_COUNTER_WANTED : IMAGE_OK;
	if (!has)
		return IMAGE_UNCOUNTED;
	if (counter->read(counter, &counted) != OK)
		return IMAGE_COUNTER_SILENT;
	if (e->value < counted)
		return IMAGE_OLD;
	if (e->value > counted + 1)
		return IMAGE_OTHER_COUNTER;
	e->ahead = e->value != counted;
	switch (move(e, NULL, 0)) {
	case OK: return IMAGE_OK;
	default: return e->ahead ? IMAGE_COUNTER_SILENT : IMAGE_IO;
	}
}
