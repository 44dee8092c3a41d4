/* READ and UPDATE of transparent and record files, (DE)ACTIVATE (TS 102 221 11.1.3-6, 11.1.14-15). */
#include <string.h>

#include "card/os/access.h"
#include "card/os/commands.h"

enum { MODE_NEXT = 2, MODE_PREVIOUS = 3, MODE_ABSOLUTE = 4 };

/* An EF and its content, access checked. */
struct target {
	uint8_t index;
	struct file *file;
	struct buf content;
	uint8_t raw[RECORD_MAX];
};

/* The current EF, or the one an SFI names, which then becomes current. */
static enum sw locate(struct command *c, uint8_t sfi, uint8_t *index)
{
	*index = c->channel->ef;
	if (sfi != 0) {
		*index = file_by_sfi(&c->card->fs, c->channel->df, sfi);
		if (*index == FILE_NONE)
			return SW_FILE_NOT_FOUND;
	}
	return *index == FILE_NONE ? SW_NO_EF_SELECTED : SW_OK;
}

static enum sw open_target(struct command *c, uint8_t sfi, enum access_mode mode, bool records, struct target *t)
{
	enum sw sw = locate(c, sfi, &t->index);
	enum status st;

	if (sw != SW_OK)
		return sw;
	t->file = &c->card->fs.file[t->index];
	if ((t->file->type == FILE_TRANSPARENT) == records)
		return SW_WRONG_FILE_STRUCTURE;
	if (t->file->life == LIFE_DEACTIVATED)
		return SW_DATA_INVALIDATED;
	sw = access_check(c->card, c->channel, t->index, mode);
	if (sw != SW_OK)
		return sw;
	t->content = BUF_OF(t->raw);
	if ((st = file_read(&c->card->fs, t->index, &t->content)) != OK)
		return sw_of(st);
	if (t->content.len != t->file->size)
		return SW_TECHNICAL_PROBLEM;
	if (sfi != 0 && c->channel->ef != t->index) {
		c->channel->ef = t->index;
		c->channel->record = 0;
	}
	return SW_OK;
}

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

	if (sw != SW_OK || (sw = open_target(c, sfi, ACCESS_READ, false, &t)) != SW_OK)
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

	if (sw != SW_OK || (sw = open_target(c, sfi, ACCESS_UPDATE, false, &t)) != SW_OK)
		return sw;
	if (offset > t.file->size)
		return SW_WRONG_OFFSET;
	if (c->data.n > t.file->size - offset)
		return SW_WRONG_LENGTH;
	memcpy(t.raw + offset, c->data.p, c->data.n);
	return sw_of(file_write(&c->card->fs, t.index, buf_bytes(&t.content)));
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
	if ((sw = open_target(c, c->p2 >> 3, ACCESS_READ, true, &t)) != SW_OK)
		return sw;
	if (!c->extended && c->ne != 256 && c->ne != t.file->record_len) /* before the pointer moves */
		return (enum sw)(SW_WRONG_LE | t.file->record_len);
	if ((sw = record_number(c, &t, mode, &number)) != SW_OK)
		return sw;
	buf_put(c->rsp, (struct bytes){ t.raw + (size_t)(number - 1) * t.file->record_len, t.file->record_len });
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
	if ((sw = open_target(c, c->p2 >> 3, ACCESS_UPDATE, true, &t)) != SW_OK)
		return sw;
	len = t.file->record_len;
	if (c->data.n != len)
		return SW_WRONG_LENGTH;
	if (t.file->type == FILE_CYCLIC) { /* the oldest record goes, the new one becomes record 1 */
		if (mode != MODE_PREVIOUS)
			return SW_WRONG_P1P2;
		memmove(t.raw + len, t.raw, len * (size_t)(t.file->record_count - 1));
		memcpy(t.raw, c->data.p, len);
		c->channel->record = 1;
	} else {
		if ((sw = record_number(c, &t, mode, &number)) != SW_OK)
			return sw;
		memcpy(t.raw + (size_t)(number - 1) * len, c->data.p, len);
	}
	return sw_of(file_write(&c->card->fs, t.index, buf_bytes(&t.content)));
}

static enum sw set_life(struct command *c, enum access_mode mode, uint8_t life)
{
	uint8_t index = c->channel->ef;
	enum sw sw;

	if (c->p1 != 0 || (c->data.n != 0 && c->data.n != 2))
		return SW_WRONG_P1P2;
	if (c->data.n == 2)
		index = file_child(&c->card->fs, c->channel->df, (uint16_t)bytes_uint(c->data));
	if (index == FILE_NONE)
		return c->data.n == 2 ? SW_FILE_NOT_FOUND : SW_NO_EF_SELECTED;
	if ((sw = access_check(c->card, c->channel, index, mode)) != SW_OK)
		return sw;
	if (c->card->fs.file[index].life == life)
		return SW_OK;
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
