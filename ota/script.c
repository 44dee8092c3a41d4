/* SPDX-License-Identifier: Apache-2.0 */
#include "ota/script.h"

#include "apdu/tlv.h"
#include "ota/gp_key.h"

static bool reads(uint8_t ins)
{
	return ins == INS_READ_BINARY || ins == INS_READ_RECORD || ins == INS_GET_RESPONSE || ins == INS_GET_DATA;
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

void script_put_select(struct buf *b, uint16_t fid)
{
	const uint8_t octets[2] = { (uint8_t)(fid >> 8), (uint8_t)fid };

	script_put(b, INS_SELECT, 0x00, 0x04, BYTES_OF(octets));
}

unsigned script_put_write(struct buf *b, unsigned record, size_t offset, struct bytes content)
{
	struct bytes part;
	unsigned count = 0;

	if (record > 0) {
		script_put(b, INS_UPDATE_RECORD, (uint8_t)record, 0x04, content);
		return 1;
	}
	for (; content.n > 0; offset += part.n, count++) {
		if (!bytes_take(&content, content.n < SCRIPT_DATA_MAX ? content.n : SCRIPT_DATA_MAX, &part))
			break;
		script_put(b, INS_UPDATE_BINARY, (uint8_t)(offset >> 8), (uint8_t)offset, part);
	}
	return count;
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

enum { TAG_SCRIPT = 0xAA, TAG_SCRIPT_INDEFINITE = 0xAE, TAG_ANSWER = 0xAB, TAG_ANSWER_INDEFINITE = 0xAF, INDEFINITE = 0x80 };
enum { TAG_EXECUTED = 0x80, TAG_R_APDU = 0x23, TAG_FAULT = 0x90 };

/* What is inside a template of definite or indefinite length. */
static enum status open_template(
        struct bytes in, uint8_t definite, uint8_t indefinite, struct bytes *inside, bool *is_indefinite)
{
	struct bytes start = in, head;
	struct tlv t;

	if (bytes_take(&in, 2, &head) && head.p[0] == indefinite && head.p[1] == INDEFINITE) {
		if (in.n < 2 || in.p[in.n - 2] != 0 || in.p[in.n - 1] != 0)
			return ERR_MALFORMED;
		*inside = (struct bytes){ in.p, in.n - 2 };
		*is_indefinite = true;
		return OK;
	}
	if (tlv_next(&start, &t) != OK || t.tag != definite || start.n != 0)
		return ERR_MALFORMED;
	*inside = t.value;
	*is_indefinite = false;
	return OK;
}

static void close_template(struct buf *out, uint8_t definite, uint8_t indefinite, struct bytes items, bool is_indefinite)
{
	if (!is_indefinite) {
		tlv_put(out, definite, items);
		return;
	}
	buf_put_u8(out, indefinite);
	buf_put_u8(out, INDEFINITE);
	buf_put(out, items);
	buf_put_zeros(out, 2);
}

enum status expanded_open(struct bytes script, struct expanded_script *s)
{
	return open_template(script, TAG_SCRIPT, TAG_SCRIPT_INDEFINITE, &s->left, &s->indefinite);
}

enum status expanded_next(struct expanded_script *s, struct expanded_item *item, enum expanded_fault *fault)
{
	struct tlv t;

	*fault = EXPANDED_FINE;
	*item = (struct expanded_item){ 0 };
	if (s->left.n == 0)
		return ERR_NOT_FOUND;
	if (tlv_next(&s->left, &t) != OK) {
		*fault = s->left.n < 2 ? EXPANDED_NO_LENGTH : EXPANDED_WRONG_LENGTH;
		return ERR_MALFORMED;
	}
	item->kind = (enum expanded_kind)t.tag;
	item->value = t.value;
	switch (t.tag) {
	case EXPANDED_COMMAND:
		if (apdu_parse(t.value, &item->command) == OK)
			return OK;
		*fault = EXPANDED_WRONG_LENGTH;
		return ERR_MALFORMED;
	case EXPANDED_IMMEDIATE:
	case EXPANDED_ON_ERROR:
	case EXPANDED_CHAINING: return OK;
	default: *fault = EXPANDED_UNKNOWN_TAG; return ERR_MALFORMED;
	}
}

void expanded_put(struct buf *items, struct bytes command)
{
	tlv_put(items, EXPANDED_COMMAND, command);
}

void expanded_close(struct buf *out, struct bytes items, bool indefinite)
{
	close_template(out, TAG_SCRIPT, TAG_SCRIPT_INDEFINITE, items, indefinite);
}

void expanded_answer_put(struct buf *items, struct bytes data, uint16_t sw)
{
	tlv_put_header(items, TAG_R_APDU, data.n + 2);
	buf_put(items, data);
	buf_put_uint(items, 2, sw);
}

void expanded_answer_close(struct buf *out, bool indefinite, unsigned executed, struct bytes items, enum expanded_fault fault)
{
	uint8_t head_raw[4], tail_raw[4];
	struct buf head = BUF_OF(head_raw), tail = BUF_OF(tail_raw);
	size_t n;

	tlv_put_uint(&head, TAG_EXECUTED, executed < 0x100 ? 1 : 2, executed);
	if (fault != EXPANDED_FINE)
		tlv_put_uint(&tail, TAG_FAULT, 1, (uint64_t)fault);
	n = head.len + items.n + tail.len;
	if (indefinite) {
		buf_put_u8(out, TAG_ANSWER_INDEFINITE);
		buf_put_u8(out, INDEFINITE);
	} else {
		tlv_put_header(out, TAG_ANSWER, n);
	}
	buf_put(out, buf_bytes(&head));
	buf_put(out, items);
	buf_put(out, buf_bytes(&tail));
	if (indefinite)
		buf_put_zeros(out, 2);
}

enum status expanded_answer_parse(struct bytes in, struct expanded_answer *out)
{
	struct bytes inside;
	bool indefinite;
	struct tlv t;

	*out = (struct expanded_answer){ 0 };
	TRY(open_template(in, TAG_ANSWER, TAG_ANSWER_INDEFINITE, &inside, &indefinite));
	while (inside.n > 0) {
		TRY(tlv_next(&inside, &t));
		if (t.tag == TAG_EXECUTED && (t.value.n == 1 || t.value.n == 2))
			out->executed = (unsigned)bytes_uint(t.value);
		else if (t.tag == TAG_R_APDU && t.value.n >= 2)
			out->last = t.value;
		else if (t.tag == TAG_FAULT && t.value.n == 1)
			out->fault = (enum expanded_fault)t.value.p[0];
		else
			return ERR_MALFORMED;
	}
	return OK;
}
