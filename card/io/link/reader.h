/* SPDX-License-Identifier: Apache-2.0 */
/* reader.h - `prose-card reader -- CMD`: a private world with pcscd, n readers and n cards, in which CMD runs. */
#ifndef CARD_IO_LINK_READER_H
#define CARD_IO_LINK_READER_H

#include <stddef.h>

enum { READERS_MAX = 16 };

struct reader_options {
	const char *program; /* to run the cards: our own argv[0] */
	const char *key;     /* image key source, or NULL for --insecure-test-key */
	const char *counter; /* of one image's epochs, or NULL */
	const char *images[READERS_MAX];
	size_t count;
	const char *folder; /* driver copies, readers.conf, logs; NULL: a temporary folder, removed at the end */
	char **command;     /* NULL-terminated */
};

/* Returns CMD's exit status, or 125 when the world could not be built. Nothing of it outlives this call. */
int reader_run(const struct reader_options *);

#endif
