/* SPDX-License-Identifier: Apache-2.0 */
/* store_sqlite.h - the card image: one SQLite file, records sealed with AES-256-GCM under a per-card subkey, and one
 * authenticated root record that vouches for every (name, generation) (DESIGN.md 3.2). WAL, synchronous=FULL.
 * The root begins with the number of the image's format, which its MAC covers; in format 1 it did not. */
#ifndef CARD_IO_IMAGE_STORE_SQLITE_H
#define CARD_IO_IMAGE_STORE_SQLITE_H

#include "apdu/aids.h"
#include "card/io/image/image_error.h"
#include "card/os/store.h"

struct image;
struct image_file;

enum { IMAGE_FORMAT = 2 }; /* what this program writes; image_migration.h brings older images to it */

enum { SEED_MAX = 64 };
struct image_options {
	const char *path;
	const char *vfs;              /* NULL: SQLite's default; tests hand in one that loses power */
	struct bytes key;             /* 32 octets */
	bool create;                  /* a new file; it must not exist */
	uint8_t card_id[CARD_ID_LEN]; /* with create; otherwise filled in */
	bool insecure_test_key;       /* with create: remembered and shown by info; otherwise filled in */
	char seed[SEED_MAX + 1];      /* likewise: what a test farm's keys were made from; empty: random keys */
	unsigned format;              /* filled in, also with IMAGE_NEWER: what the file has now */
	unsigned upgraded_from;       /* filled in: 0, or the format that it had before */
};

/* Open or create an image of one card; an older one is upgraded. Every record is authenticated before this returns. *out must
 * go to image_close. */
enum image_error image_open(struct image **out, struct image_options *);
void image_close(struct image **);
/* One card of an open file, or a new one in it, of the file's format (else IMAGE_TAMPERED). The file must stay open longer. */
enum image_error image_open_card(
        struct image **out, struct image_file *, struct bytes key, const uint8_t card_id[static CARD_ID_LEN], bool create);
struct store_backend *image_backend(struct image *);
/* The key that seals this card's records: for `dump --secrets` and the leak check, nothing else. */
struct bytes image_record_key(const struct image *);
/* For migrations: write the changes, and the root as this format has it, from then on. */
MUST_USE enum status image_rewrite(struct image *, unsigned format, const struct store_change *, size_t n);
size_t image_record_count(const struct image *);

#endif
