/* SPDX-License-Identifier: Apache-2.0 */
/* text.h - texts in fields of a fixed size: all of a text, or none of it. */
#ifndef APDU_BASE_TEXT_H
#define APDU_BASE_TEXT_H

#include "apdu/base/bytes.h"

/* Format into a field, with the final zero. False, and an empty field, where it does not fit. */
MUST_USE bool text_put(char *out, size_t room, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* All of a text is a whole number, in decimal: not "", " 1", "1x", or what does not fit. */
MUST_USE bool text_number(const char *text, long long *out);

/* A text as a string of JSON, with its quotes, whatever it holds; octets that are not UTF-8 become U+FFFD. Cut at `room`
 * octets, between characters, the closing quote and zero included: TEXT_JSON(n) is room for all of n octets. Returns out. */
#define TEXT_JSON(n) (6 * (n) + 3)
const char *text_json(const char *text, char *out, size_t room);

/* The longest value that an option of the command line may have. */
struct text_limit {
	const char *option;
	size_t at; /* of a `const char *` among the arguments; NULL there: not given */
	size_t max;
};
/* The first option that is longer than it may be, said in a sentence. True: there is none. */
MUST_USE bool text_limits_hold(const struct text_limit *limits, size_t n, const void *arguments, char *sentence, size_t room);

#endif
