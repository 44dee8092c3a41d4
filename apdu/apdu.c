/* SPDX-License-Identifier: Apache-2.0 */
#include "apdu/apdu.h"

static enum status parse_short(struct bytes body, struct command_apdu *out)
{
	uint64_t lc, le;

	if (body.n == 1) { /* case 2 */
		out->has_le = true;
		out->ne = body.p[0] == 0 ? 256 : body.p[0];
		return OK;
	}
	if (!bytes_take_uint(&body, 1, &lc) || !bytes_take(&body, (size_t)lc, &out->data))
		return ERR_MALFORMED;
	if (body.n == 0)
		return OK; /* case 3 */
	if (!bytes_take_uint(&body, 1, &le) || body.n != 0)
		return ERR_MALFORMED;
	out->has_le = true;
	out->ne = le == 0 ? 256 : (size_t)le;
	return OK;
}

static enum status parse_extended(struct bytes body, struct command_apdu *out)
{
	uint64_t lc, le;

	out->extended = true;
	if (!bytes_take_uint(&body, 1, &lc) || !bytes_take_uint(&body, 2, &lc))
		return ERR_MALFORMED;
	if (body.n == 0) { /* case 2E */
		out->has_le = true;
		out->ne = lc == 0 ? APDU_NE_MAX : (size_t)lc;
		return OK;
	}
	if (lc == 0 || !bytes_take(&body, (size_t)lc, &out->data))
		return ERR_MALFORMED;
	if (body.n == 0)
		return OK;
	if (!bytes_take_uint(&body, 2, &le) || body.n != 0)
		return ERR_MALFORMED;
	out->has_le = true;
	out->ne = le == 0 ? APDU_NE_MAX : (size_t)le;
	return OK;
}

enum status apdu_parse(struct bytes in, struct command_apdu *out)
{
	struct bytes h;

	*out = (struct command_apdu){ 0 };
	if (!bytes_take(&in, 4, &h))
		return ERR_TRUNCATED;
	out->cla = h.p[0];
	out->ins = h.p[1];
	out->p1 = h.p[2];
	out->p2 = h.p[3];
	if (in.n == 0)
		return OK; /* case 1 */
	/* A first octet 00 with more to come means extended lengths; 00 alone is Le = 256. */
	return in.n > 2 && in.p[0] == 0 ? parse_extended(in, out) : parse_short(in, out);
}

void apdu_put(struct buf *b, const struct command_apdu *a)
{
	bool extended = a->extended || a->data.n > 255 || a->ne > 256;

	buf_put(b, (struct bytes){ (const uint8_t[]){ a->cla, a->ins, a->p1, a->p2 }, 4 });
	if (extended && (a->data.n > 0 || a->has_le))
		buf_put_u8(b, 0);
	if (a->data.n > 0) {
		buf_put_uint(b, extended ? 2 : 1, a->data.n);
		buf_put(b, a->data);
	}
	if (a->has_le)
		buf_put_uint(b, extended ? 2 : 1, a->ne & (extended ? 0xFFFFU : 0xFFU));
}

unsigned apdu_channel(uint8_t cla)
{
	return cla & 0x40 ? 4U + (cla & 0x0FU) : cla & 0x03U;
}

uint8_t apdu_cla(uint8_t base, unsigned channel)
{
	return channel < 4 ? (uint8_t)(base | channel) : (uint8_t)(base | 0x40 | ((channel - 4) & 0x0F));
}
