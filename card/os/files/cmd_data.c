/* SPDX-License-Identifier: Apache-2.0 */
/* RETRIEVE DATA and SET DATA on BER-TLV files (TS 102 221 11.3): objects by tag, in blocks. */
#include <string.h>

#include "apdu/tlv.h"
#include "card/os/files/target.h"

enum { BLOCK_MASK = 0xC0, BLOCK_FIRST = 0x80, BLOCK_NEXT = 0x00, BLOCK_AGAIN = 0x40, BLOCK_MAX = 256 };

static uint8_t sfi_of(const struct command *c)
{
	return c->p2 & 0x1F;
}

/* Where the object with this tag lies in the file: its whole TLV, and the value. */
static bool find_object(struct bytes content, uint32_t tag, struct bytes *whole, struct bytes *value)
{
	while (content.n > 0) {
		struct bytes start = content;
		struct tlv t;

		if (tlv_next(&content, &t) != OK)
			return false;
		if (t.tag == tag) {
			*whole = (struct bytes){ start.p, start.n - content.n };
			*value = t.value;
			return true;
		}
	}
	return false;
}

/* The answer is the object's TLV; 62F1 says that another block follows. */
enum sw cmd_retrieve_data(struct command *c)
{
	struct channel *ch = c->channel;
	struct bytes whole, value, rest;
	unsigned block = c->p2 & BLOCK_MASK;
	size_t room = c->extended ? c->ne : c->ne < BLOCK_MAX ? c->ne : BLOCK_MAX;
	struct target t;
	enum sw sw;

	if (c->p1 != 0 || block == BLOCK_MASK)
		return SW_WRONG_P1P2;
	if (room == 0)
		room = BLOCK_MAX;
	if (block == BLOCK_FIRST ? c->data.n < 1 || c->data.n > 3 : c->data.n != 0)
		return SW_WRONG_LENGTH;
	if ((sw = target_open(c, sfi_of(c), ACCESS_READ, TARGET_BER_TLV, &t)) != SW_OK)
		return sw;
	if (block == BLOCK_FIRST) {
		ch->object = (uint32_t)bytes_uint(c->data);
		ch->object_at = ch->object_before = 0;
	} else if (ch->object == 0) {
		return SW_CONDITIONS_NOT_SATISFIED;
	}
	if (block == BLOCK_AGAIN)
		ch->object_at = ch->object_before;
	if (!find_object(buf_bytes(&t.content), ch->object, &whole, &value)) {
		ch->object = 0;
		return SW_REFERENCE_NOT_FOUND;
	}
	if (ch->object_at >= whole.n)
		return SW_CONDITIONS_NOT_SATISFIED;
	rest = (struct bytes){ whole.p + ch->object_at, whole.n - ch->object_at };
	if (rest.n > room)
		rest.n = room;
	if (!c->extended && c->has_le && c->ne != 256 && rest.n < c->ne)
		return (enum sw)(SW_WRONG_LE | rest.n); /* before anything moves: the terminal asks again */
	buf_put(c->rsp, rest);
	ch->object_before = ch->object_at;
	ch->object_at = (uint16_t)(ch->object_at + rest.n);
	return ch->object_at < whole.n ? SW_MORE_DATA : SW_OK;
}

/* Put the object in place of the one with its tag; a value of no octets deletes it. */
static enum sw store_object(struct command *c, struct target *t, struct bytes object)
{
	struct bytes in = object, whole, value;
	uint8_t raw[RECORD_MAX];
	struct buf b = BUF_OF(raw);
	struct tlv new;

	if (tlv_next(&in, &new) != OK || in.n != 0)
		return SW_WRONG_DATA;
	if (find_object(buf_bytes(&t->content), new.tag, &whole, &value)) {
		size_t before = (size_t)(whole.p - t->raw);

		buf_put(&b, (struct bytes){ t->raw, before });
		buf_put(&b, (struct bytes){ t->raw + before + whole.n, t->content.len - before - whole.n });
	} else {
		if (new.value.n == 0)
			return SW_REFERENCE_NOT_FOUND;
		buf_put(&b, buf_bytes(&t->content));
	}
	if (new.value.n > 0)
		buf_put(&b, object);
	if (b.failed || b.len > t->file->size)
		return SW_NO_MEMORY;
	return sw_of(file_write(&c->card->fs, t->index, buf_bytes(&b)));
}

/* Octets of the TLV that begins here, 0 if its header is not one. */
static size_t announced_length(struct bytes in)
{
	size_t tag = in.n > 0 && (in.p[0] & 0x1F) == 0x1F ? in.n > 1 && (in.p[1] & 0x80) != 0 ? 3 : 2 : 1, forms;

	if (in.n <= tag)
		return 0;
	forms = in.p[tag];
	if (forms < 0x80)
		return tag + 1 + forms;
	forms &= 0x7F;
	if (forms == 0 || forms > 2 || in.n < tag + 1 + forms)
		return 0;
	return tag + 1 + forms + (size_t)bytes_uint((struct bytes){ in.p + tag + 1, forms });
}

enum sw cmd_set_data(struct command *c)
{
	struct channel *ch = c->channel;
	unsigned block = c->p2 & BLOCK_MASK;
	struct target t;
	enum sw sw;

	if (c->p1 != 0 || (block != BLOCK_FIRST && block != BLOCK_NEXT))
		return SW_WRONG_P1P2;
	if ((sw = target_open(c, sfi_of(c), ACCESS_UPDATE, TARGET_BER_TLV, &t)) != SW_OK)
		return sw;
	if (block == BLOCK_FIRST) {
		kept_drop(&ch->transfer);
		ch->transfer_total = announced_length(c->data);
		ch->transfer_file = t.index;
		if (ch->transfer_total == 0)
			return SW_WRONG_DATA;
		if (ch->transfer_total > t.file->size)
			return SW_NO_MEMORY;
	} else if (ch->transfer_total == 0 || ch->transfer_file != t.index) {
		return SW_CONDITIONS_NOT_SATISFIED;
	}
	if (c->data.n > ch->transfer_total - ch->transfer.n || kept_append(&ch->transfer, c->data) != OK) {
		ch->transfer_total = 0;
		return SW_WRONG_DATA;
	}
	if (ch->transfer.n < ch->transfer_total)
		return SW_MORE_EXPECTED;
	sw = store_object(c, &t, kept_bytes(&ch->transfer));
	kept_drop(&ch->transfer);
	ch->transfer_total = 0;
	return sw;
}
