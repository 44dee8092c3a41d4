/* SPDX-License-Identifier: Apache-2.0 */
#include "apdu/tlv.h"

static enum status take_tag(struct bytes *in, uint32_t *tag)
{
	uint64_t octet;

	if (!bytes_take_uint(in, 1, &octet))
		return ERR_TRUNCATED;
	if (octet == 0x00 || octet == 0xFF)
		return ERR_MALFORMED;
	*tag = (uint32_t)octet;
	if ((octet & 0x1F) != 0x1F)
		return OK;
	for (int i = 0; i < 2; i++) {
		if (!bytes_take_uint(in, 1, &octet))
			return ERR_TRUNCATED;
		*tag = *tag << 8 | (uint32_t)octet;
		if ((octet & 0x80) == 0)
			return OK;
	}
	return ERR_MALFORMED; /* four octets and more are not used by ISO 7816-4 */
}

static enum status take_length(struct bytes *in, size_t *n)
{
	uint64_t first, more;

	if (!bytes_take_uint(in, 1, &first))
		return ERR_TRUNCATED;
	if (first < 0x80) {
		*n = (size_t)first;
		return OK;
	}
	if (first < 0x81 || first > 0x84)
		return ERR_MALFORMED;
	if (!bytes_take_uint(in, (size_t)(first - 0x80), &more))
		return ERR_TRUNCATED;
	*n = (size_t)more;
	return OK;
}

enum status tlv_next(struct bytes *in, struct tlv *out)
{
	struct bytes rest = *in;
	struct tlv t = { 0 };
	size_t n;

	TRY(take_tag(&rest, &t.tag));
	TRY(take_length(&rest, &n));
	if (!bytes_take(&rest, n, &t.value))
		return ERR_TRUNCATED;
	*in = rest;
	*out = t;
	return OK;
}

enum status tlv_find(struct bytes in, uint32_t tag, struct bytes *out)
{
	struct tlv t;

	while (in.n > 0) {
		TRY(tlv_next(&in, &t));
		if (t.tag == tag) {
			*out = t.value;
			return OK;
		}
	}
	return ERR_NOT_FOUND;
}

enum status tlv_set_once(struct bytes *slot, struct bytes value)
{
	if (slot->p != NULL || slot->n > 0)
		return ERR_MALFORMED;
	*slot = value;
	return OK;
}

void tlv_put_header(struct buf *b, uint32_t tag, size_t n)
{
	if (tag > 0xFFFF)
		buf_put_uint(b, 3, tag);
	else
		buf_put_min_uint(b, tag);
	if (n < 0x80)
		buf_put_u8(b, (uint8_t)n);
	else if (n <= 0xFF)
		buf_put_uint(b, 2, 0x8100 | n);
	else if (n <= 0xFFFF)
		buf_put_uint(b, 3, 0x820000 | n);
	else
		buf_put_uint(b, 4, 0x83000000 | n);
}

void tlv_put(struct buf *b, uint32_t tag, struct bytes value)
{
	tlv_put_header(b, tag, value.n);
	buf_put(b, value);
}

void tlv_put_uint(struct buf *b, uint32_t tag, size_t width, uint64_t v)
{
	tlv_put_header(b, tag, width);
	buf_put_uint(b, width, v);
}
