/* SPDX-License-Identifier: Apache-2.0 */
/* names.h - tables of words and what they stand for, as profiles use them. A table ends with a NULL name. */
#ifndef CARD_IO_BIRTH_NAMES_H
#define CARD_IO_BIRTH_NAMES_H

#include <stddef.h>
#include <stdint.h>

struct name_value {
	const char *name;
	uint32_t value;
};

/* The row of a word (NULL: none), and of its first n characters. */
const struct name_value *names_find(const struct name_value *table, const char *word);
const struct name_value *names_find_n(const struct name_value *table, const char *word, size_t n);
/* The word for a value, or NULL. */
const char *names_of(const struct name_value *table, uint32_t value);

/* A file's "type" and "access" in a profile. */
extern const struct name_value profile_types[], profile_access[];

#endif
