/* SPDX-License-Identifier: Apache-2.0 */
/* secret_table.h - DESIGN.md 3.3 as data: which records of an image hold which key, and whether it may leave the card.
 * `prose-card dump --secrets` and, through it, the leak check's search list are generated from these rows. */
#ifndef CARD_IO_IMAGE_SECRET_TABLE_H
#define CARD_IO_IMAGE_SECRET_TABLE_H

#include "card/os/store.h"

struct secret_row {
	const char *key;    /* name in DESIGN.md 3.3 */
	const char *record; /* prefix of the record's name */
	uint32_t tag;       /* value of this TLV of the record; 0: the whole record */
	size_t at, len;     /* part of that value; len 0: to its end */
	bool leaves;        /* true: the phone gets it by design */
};

extern const struct secret_row secret_rows[];
extern const size_t secret_row_count;

/* The secret a row names inside a record's content; ERR_NOT_FOUND if this record has none. */
MUST_USE enum status secret_row_value(const struct secret_row *, struct bytes content, struct bytes *out);

#endif
