/* SPDX-License-Identifier: Apache-2.0 */
/* store_sqlite.h - the card image: one SQLite file, records sealed with AES-256-GCM under a per-card subkey, and one
 * authenticated root record that vouches for every (name, generation) (DESIGN.md 3.2). WAL, synchronous=FULL.
 * The root begins with the number of the image's format, which its MAC covers; in format 1 it did not. */
#ifndef CARD_IO_IMAGE_STORE_SQLITE_H
#define CARD_IO_IMAGE_STORE_SQLITE_H

#include "apdu/aids.h"
#include "card/os/store.h"

struct image;
struct image_file;

enum { IMAGE_FORMAT = 2 }; /* what this program writes; image_migration.h brings older images to it */

enum image_error {
	IMAGE_OK = 0,
	IMAGE_MISSING = 3,   /* no such file */
	IMAGE_NOT_IMAGE = 4, /* not a card image, or truncated */
	IMAGE_WRONG_KEY = 5,
	IMAGE_TAMPERED = 6, /* a record was edited, replaced, removed or is old */
	IMAGE_BUSY = 7,     /* another process holds it */
	IMAGE_IO = 8,
	IMAGE_FARM = 10,  /* many cards where one was expected */
	IMAGE_NEWER = 11, /* of a format that this program does not know */
	IMAGE_OLD = 12,   /* from before the epoch that its counter has reached (epoch.h) */
	IMAGE_COUNTER_SILENT = 13,
	IMAGE_COUNTER_WANTED = 0x100 | IMAGE_COUNTER_SILENT,
	IMAGE_UNCOUNTED = 0x200 | IMAGE_COUNTER_SILENT,
	IMAGE_COUNTED = 0x300 | IMAGE_COUNTER_SILENT,
	IMAGE_OTHER_COUNTER = 0x400 | IMAGE_COUNTER_SILENT,
	IMAGE_READ_ONLY = 0x100 | IMAGE_IO, /* file or folder */
	IMAGE_FULL = 0x200 | IMAGE_IO,      /* the disk */
	IMAGE_NO_MEMORY = 0x300 | IMAGE_IO,
	IMAGE_LIBRARY = 0x400 | IMAGE_IO, /* ERR_LIBRARY */
	IMAGE_QUOTA = 0x500 | IMAGE_IO,
	IMAGE_ROFS = 0x600 | IMAGE_IO,  /* the file system is read-only */
	IMAGE_BROKEN = 0x700 | IMAGE_IO /* the disk */
};
/* One sentence: what is wrong and what to do. The low octet of a value is the exit code of prose-card. */
const char *image_error_text(enum image_error);
/* A status by which a record or image could not be read: IMAGE_TAMPERED unless it is this machine's fault. And back. */
enum image_error image_error_of(enum status);
enum status image_error_status(enum image_error);

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
