/* SPDX-License-Identifier: Apache-2.0 */
/* image_file.h - the SQLite file below card images: which cards it holds, their sealed records, transactions. It knows no keys
 * beyond a check value, and nothing of what a record says; store_sqlite.c does. */
#ifndef CARD_IO_IMAGE_IMAGE_FILE_H
#define CARD_IO_IMAGE_IMAGE_FILE_H

#include "apdu/aids.h"
#include "card/io/image/store_sqlite.h"

/* Open or create the file. Checks the key against the first card, fills in insecure_test_key, seed and format, and refuses a
 * newer image. An older one is left as it is: image_file_open_upgraded (image_migration.h) is what programs open. */
enum image_error image_file_open(struct image_file **out, struct image_options *);
void image_file_close(struct image_file **);
/* What was made of an image that could not be finished. */
void image_file_remove(const char *path);

/* What user_version claims; each card's root says whether that is true. Set it in the transaction that changes the roots. */
unsigned image_file_format(const struct image_file *);
MUST_USE bool image_file_set_format(struct image_file *, unsigned format);

/* Its cards, in the order of their birth. */
size_t image_file_count(const struct image_file *);
const uint8_t *image_file_card(const struct image_file *, size_t index); /* CARD_ID_LEN octets */
enum image_error image_file_add(struct image_file *, struct bytes key, const uint8_t card_id[static CARD_ID_LEN]);

/* Each record of a card in the order of names; the root has the empty name. What `each` returns ends it (image_error_of). */
enum image_error image_file_read(struct image_file *, const uint8_t card_id[static CARD_ID_LEN],
        enum status (*each)(void *context, struct bytes name, uint64_t generation, struct bytes data), void *context);

/* A transaction; inside a batch the batch's. */
MUST_USE bool image_file_begin(struct image_file *);
MUST_USE bool image_file_commit(struct image_file *);
void image_file_rollback(struct image_file *);
MUST_USE bool image_file_put(struct image_file *, const uint8_t card_id[static CARD_ID_LEN], struct bytes name,
        uint64_t generation, struct bytes data);
MUST_USE bool image_file_erase(struct image_file *, const uint8_t card_id[static CARD_ID_LEN], struct bytes name);

/* One transaction around the birth of many cards: all of them are in the file afterwards, or none. */
MUST_USE bool image_file_begin_batch(struct image_file *);
MUST_USE bool image_file_end_batch(struct image_file *);

/* Why the last write or commit that failed did. */
enum image_error image_file_error(const struct image_file *);

#endif
