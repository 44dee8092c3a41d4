/* SPDX-License-Identifier: Apache-2.0 */
/* epoch.h - going back to a whole older image is seen by a number that something outside the image counts. The image's record
 * "epoch" has the number too, and may be one ahead, never behind: it is written first, so that power may fail in between.
 *
 * The number moves when the card is powered on and before a try of a PIN or a failure counter is spent (store_spend), never
 * with another commit. So a copy of an earlier epoch is refused; a copy of the present one is taken until the number moves
 * again: one step of loss, in which no tries come back. */
#ifndef CARD_IO_IMAGE_EPOCH_H
#define CARD_IO_IMAGE_EPOCH_H

#include "card/io/image/store_sqlite.h"

/* What counts: a TPM, or a file for tests (counter.h). */
struct counter {
	enum status (*read)(struct counter *, uint64_t *);
	enum status (*increment)(struct counter *); /* by one; durable after OK. Any other answer: it may have counted */
	void (*close)(struct counter *);
};

/* A store on an image, which moves the epoch. */
struct epoch {
	struct store_backend backend; /* first: the card sees only this */
	struct store_backend *image;
	struct counter *counter; /* NULL: this image is not counted */
	uint64_t value;          /* of the image's record */
	bool ahead;              /* the counter may be one behind it */
};

/* From now on the image is counted by this counter, from where it stands. IMAGE_COUNTED if it is counted already. */
enum image_error epoch_begin(struct store_backend *image, struct counter *);
/* No longer. */
enum image_error epoch_end(struct store_backend *image);
/* The epoch in the image's record; false: it is not counted. */
bool epoch_read(struct store_backend *image, uint64_t *value);
/* Power on: hold the image against its counter and move both. Nothing has changed after IMAGE_OLD (the counter has gone on),
 * IMAGE_OTHER_COUNTER (the image is more than one ahead), IMAGE_UNCOUNTED (a counter for an image without a record) and
 * IMAGE_COUNTER_WANTED (the reverse). IMAGE_COUNTER_SILENT: the counter does not answer. Image and counter stay open longer. */
enum image_error epoch_open(struct epoch *, struct store_backend *image, struct counter *);

#endif
