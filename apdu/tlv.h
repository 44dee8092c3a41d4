/* SPDX-License-Identifier: Apache-2.0 */
/* tlv.h - BER-TLV as ISO 7816-4 and TS 102 221 use it: tags of 1..3 octets, definite lengths of 1..4 octets.
 * The indefinite form, tags 00 and FF in front, and lengths beyond the input are refused. */
#ifndef APDU_TLV_H
#define APDU_TLV_H

#include "apdu/base/bytes.h"

struct tlv {
	uint32_t tag; /* all its octets, big-endian: 0x82, 0x7F49 */
	struct bytes value;
};

/* Read one TLV and advance *in past it. On error *in has not moved. */
MUST_USE enum status tlv_next(struct bytes *in, struct tlv *out);

/* The first value with this tag among the siblings in `in`; ERR_NOT_FOUND if none, an error if malformed before it. */
MUST_USE enum status tlv_find(struct bytes in, uint32_t tag, struct bytes *out);

/* Set *slot, which must still be empty: a repeated tag is ERR_MALFORMED. */
MUST_USE enum status tlv_set_once(struct bytes *slot, struct bytes value);

/* Append a TLV, shortest length form. */
void tlv_put(struct buf *, uint32_t tag, struct bytes value);
void tlv_put_uint(struct buf *, uint32_t tag, size_t width, uint64_t v);

/* Append only tag and length of a value of n octets, which the caller appends next. */
void tlv_put_header(struct buf *, uint32_t tag, size_t n);

#endif
