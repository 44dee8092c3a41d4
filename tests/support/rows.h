/* SPDX-License-Identifier: Apache-2.0 */
/* rows.h - a store in memory for programs without libcheck: fuzzers, the campaign, the bench. */
#ifndef TESTS_SUPPORT_ROWS_H
#define TESTS_SUPPORT_ROWS_H

#include "card/os/store.h"

enum { ROWS_MAX = 256 };

struct row {
	struct record_name name;
	uint8_t *value;
	size_t n;
};
struct rows {
	struct store_backend backend; /* first */
	struct row row[ROWS_MAX];
	size_t count;
	void (*on_write)(const struct store_change *); /* of each change, or NULL */
};

void rows_init(struct rows *);
void rows_free(struct rows *);
/* *to as *from is; what it held is freed. */
void rows_copy(struct rows *to, const struct rows *from);
struct row *rows_find(struct rows *, struct bytes name);

#endif
