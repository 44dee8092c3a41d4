/* SPDX-License-Identifier: Apache-2.0 */
/* bytes.h - borrowed byte views that are their own cursor, and a bounded writer whose failure sticks.
 * The only place in the project where input is walked with pointers. Nothing here allocates. */
#ifndef APDU_BASE_BYTES_H
#define APDU_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "apdu/base/status.h"

struct bytes {
	const uint8_t *p; /* may be NULL only when n is 0 */
	size_t n;
};

struct buf {
	uint8_t *p;
	size_t len, cap;
	bool failed; /* set by the first write that does not fit; nothing is written after it */
};

#define BYTES_OF(array) ((struct bytes){ (array), sizeof(array) })
#define BUF_OF(array) ((struct buf){ (array), 0, sizeof(array), false })
#define BYTES_STR(s) ((struct bytes){ (const uint8_t *)(s), sizeof(s) - 1 })

/* A view of a zero-terminated string, without the zero. */
struct bytes bytes_str(const char *s);

/* Take n octets from the front of *in. On false nothing has moved. */
MUST_USE bool bytes_take(struct bytes *in, size_t n, struct bytes *out);

/* Take an unsigned big-endian integer of width octets (1..8). On false nothing has moved. */
MUST_USE bool bytes_take_uint(struct bytes *in, size_t width, uint64_t *out);

/* Take a one-octet length and that many octets. On false *in may have moved. */
MUST_USE bool bytes_take_field(struct bytes *in, struct bytes *out);
/* Copy exactly n octets out. On false nothing has moved. */
MUST_USE bool bytes_take_copy(struct bytes *in, uint8_t *out, size_t n);

/* Big-endian value of 0..8 octets (0 octets give 0). */
uint64_t bytes_uint(struct bytes);

/* The reverse: v in width octets (1..8). */
void bytes_from_uint(uint64_t v, uint8_t *out, size_t width);
/* Equality of public data. Not constant-time: secrets go through secret_equals. */
MUST_USE bool bytes_equal(struct bytes a, struct bytes b);

/* Everything written so far. */
struct bytes buf_bytes(const struct buf *);

void buf_put(struct buf *, struct bytes);
void buf_put_u8(struct buf *, uint8_t v);
void buf_put_uint(struct buf *, size_t width, uint64_t v); /* big-endian, width 1..8 */
void buf_put_min_uint(struct buf *, uint64_t v);           /* fewest octets, zero is one octet 00 */
void buf_put_zeros(struct buf *, size_t n);

/* Reserve n octets and return where they start, or NULL (and failed) if they do not fit. */
uint8_t *buf_reserve(struct buf *, size_t n);

/* OK, or ERR_NO_SPACE if any write did not fit. */
MUST_USE enum status buf_status(const struct buf *);

#endif
