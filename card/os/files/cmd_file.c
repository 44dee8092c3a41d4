/* SPDX-License-Identifier: Apache-2.0 */
/* READ and UPDATE of transparent and record files, (DE)ACTIVATE (TS 102 221 11.1.3-6, 11.1.14-15). */
#include <string.h>

#include "card/os/files/target.h"

enum { MODE_NEXT = 2, MODE_PREVIOUS = 3, MODE_ABSOLUTE = 4 };

static enum sw binary_address(const struct command *c, uint8_t *sfi, size_t *offset)
{
	if ((c->p1 & 0x80) != 0) {
		if ((c->p1 & 0x60) != 0 || (c->p1 & 0x1F) == 0)
			return SW_WRONG_P1P2;
		*sfi = c->p1 & 0x1F;
		*offset = c->p2;
	} else {
		*sfi = 0;
		*offset = (size_t)c->p1 << 8 | c->p2;
	}
	return SW_OK;
}

enum sw cmd_read_binary(struct command *c)
{
	struct target t;
	size_t offset, left;
	uint8_t sfi;
	enum sw sw = binary_address(c, &sfi, &offset);

	if (sw != SW_OK || (sw = target_open(c, sfi, ACCESS_READ, TARGET_BINARY, &t)) != SW_OK)
		return sw;
	if (offset > t.file->size)
		return SW_WRONG_OFFSET;
	left = t.file->size - offset;
	buf_put(c->rsp, (struct bytes){ t.raw + offset, left < c->ne ? left : c->ne });
	return SW_OK;
}

enum sw cmd_update_binary(struct command *c)
{
	struct target t;
	size_t offset;
	uint8_t sfi;
	enum sw sw = binary_address(c, &sfi, &offset);

	if (sw != SW_OK || (sw = target_open(c, sfi, ACCESS_UPDATE, TARGET_BINARY, &t)) != SW_OK)
		return sw;
	if (offset > t.file->size)
		return SW_WRONG_OFFSET;
	if (c->data.n > t.file->size - offset)
		return SW_WRONG_LENGTH;
	memcpy(t.raw + offset, c->data.p, c->data.n);
	return target_save(c, &t);
}

/* The record a command addresses, 1-based; the pointer moves only for next and previous. */
static enum sw record_number(struct command *c, const struct target *t, unsigned mode, uint8_t *number)
{
	uint8_t count = t->file->record_count, pointer = c->channel->record;

	switch (mode) {
	case MODE_ABSOLUTE:
		*number = c->p1 == 0 ? pointer : c->p1;
		return *number == 0 || *number > count ? SW_RECORD_NOT_FOUND : SW_OK;
	case MODE_NEXT:
		if (pointer == count && t->file->type == FILE_LINEAR)
			return SW_RECORD_NOT_FOUND;
		*number = (uint8_t)(pointer % count + 1);
		break;
	case MODE_PREVIOUS:
		if (pointer == 1 && t->file->type == FILE_LINEAR)
			return SW_RECORD_NOT_FOUND;
		*number = pointer <= 1 ? count : (uint8_t)(pointer - 1);
		break;
	default: return SW_WRONG_P1P2;
	}
	c->channel->record = *number;
	return SW_OK;
}

enum sw cmd_read_record(struct command *c)
{
	struct target t;
	unsigned mode = c->p2 & 7U;
	uint8_t number;
	enum sw sw;

	if (mode < MODE_NEXT || mode > MODE_ABSOLUTE || (mode != MODE_ABSOLUTE && c->p1 != 0))
		return SW_WRONG_P1P2;
	if ((sw = target_open(c, c->p2 >> 3, ACCESS_READ, TARGET_RECORDS, &t)) != SW_OK)
		return sw;
	if (!c->extended && c->ne != 256 && c->ne != t.file->record_len) /* before the pointer moves */
		return (enum sw)(SW_WRONG_LE | t.file->record_len);
	if ((sw = record_number(c, &t, mode, &number)) != SW_OK)
		return sw;
	buf_put(c->rsp, target_record(&t, number));
	return SW_OK;
}

enum sw cmd_update_record(struct command *c)
{
	struct target t;
	unsigned mode = c->p2 & 7U;
	uint8_t number;
	size_t len;
	enum sw sw;

	if (mode < MODE_NEXT || mode > MODE_ABSOLUTE || (mode != MODE_ABSOLUTE && c->p1 != 0))
		return SW_WRONG_P1P2;
	if ((sw = target_open(c, c->p2 >> 3, ACCESS_UPDATE, TARGET_RECORDS, &t)) != SW_OK)
		return sw;
	len = t.file->record_len;
	if (c->data.n != len)
		return SW_WRONG_LENGTH;
	if (t.file->type == FILE_CYCLIC) { /* the oldest record goes, the new one becomes record 1 */
		if (mode != MODE_PREVIOUS)
			return SW_WRONG_P1P2;
		return target_push(c, &t, c->data);
	}
	if ((sw = record_number(c, &t, mode, &number)) != SW_OK)
		return sw;
	memcpy(t.raw + (size_t)(number - 1) * len, c->data.p, len);
	return target_save(c, &t);
}

static enum sw set_life(struct command *c, enum access_mode mode, uint8_t life)
{
	uint8_t index;
	enum sw sw = command_file(c, &index);

	if (sw != SW_OK)
		return sw;
	if (file_is_terminated(&c->card->fs.file[index]))
		return SW_CONDITIONS_NOT_SATISFIED;
	if ((sw = access_check(c->card, c->channel, index, mode)) != SW_OK)
		return sw;
	if (c->card->fs.file[index].life == life)
		return SW_OK;
	c->card->fs.dirty = true;
	c->card->fs.file[index].life = life;
	return sw_of(file_system_save(&c->card->fs));
}

enum sw cmd_activate_file(struct command *c)
{
	return set_life(c, ACCESS_ACTIVATE, LIFE_ACTIVATED);
}

enum sw cmd_deactivate_file(struct command *c)
{
	return set_life(c, ACCESS_DEACTIVATE, LIFE_DEACTIVATED);
}
