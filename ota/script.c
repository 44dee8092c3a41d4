#include "ota/script.h"

static bool reads(uint8_t ins)
{
	return ins == INS_READ_BINARY || ins == INS_READ_RECORD || ins == INS_GET_RESPONSE;
}

enum status script_next(struct bytes *in, struct command_apdu *out)
{
	struct bytes rest = *in, h;

	*out = (struct command_apdu){ 0 };
	if (!bytes_take(&rest, 5, &h))
		return ERR_MALFORMED;
	out->cla = h.p[0];
	out->ins = h.p[1];
	out->p1 = h.p[2];
	out->p2 = h.p[3];
	if (reads(out->ins)) {
		out->has_le = true;
		out->ne = h.p[4] == 0 ? 256 : h.p[4];
	} else if (!bytes_take(&rest, h.p[4], &out->data)) {
		return ERR_MALFORMED;
	}
	*in = rest;
	return OK;
}

void script_put(struct buf *b, uint8_t ins, uint8_t p1, uint8_t p2, struct bytes data)
{
	buf_put(b, (struct bytes){ (const uint8_t[]){ 0x00, ins, p1, p2, (uint8_t)data.n }, 5 });
	buf_put(b, data);
	if (data.n > 255)
		b->failed = true;
}

void script_put_read(struct buf *b, uint8_t ins, uint8_t p1, uint8_t p2, uint8_t le)
{
	buf_put(b, (struct bytes){ (const uint8_t[]){ 0x00, ins, p1, p2, le }, 5 });
}

void script_result_put(struct buf *b, const struct script_result *r)
{
	buf_put_u8(b, r->executed);
	buf_put_uint(b, 2, r->sw);
	buf_put(b, r->data);
}

enum status script_result_parse(struct bytes in, struct script_result *out)
{
	uint64_t n, sw;

	if (!bytes_take_uint(&in, 1, &n) || !bytes_take_uint(&in, 2, &sw))
		return ERR_TRUNCATED;
	*out = (struct script_result){ (uint8_t)n, (uint16_t)sw, in };
	return OK;
}
