/* SPDX-License-Identifier: Apache-2.0 */
#include "card/os/files/target.h"

#include <string.h>

static bool fits(const struct file *f, enum target_kind kind)
{
	switch (kind) {
	case TARGET_BINARY: return f->type == FILE_TRANSPARENT;
	case TARGET_RECORDS: return f->type == FILE_LINEAR || f->type == FILE_CYCLIC;
	case TARGET_CYCLIC: return f->type == FILE_CYCLIC;
	case TARGET_BER_TLV: return f->type == FILE_BER_TLV;
	default: return false;
	}
}

enum sw target_open(struct command *c, uint8_t sfi, enum access_mode mode, enum target_kind kind, struct target *t)
{
	enum status st;
	enum sw sw;

	t->index = c->channel->ef;
	if (sfi != 0 && (t->index = file_by_sfi(&c->card->fs, c->channel->df, sfi)) == FILE_NONE)
		return SW_FILE_NOT_FOUND;
	if (t->index == FILE_NONE)
		return SW_NO_EF_SELECTED;
	t->file = &c->card->fs.file[t->index];
	if (!fits(t->file, kind))
		return SW_WRONG_FILE_STRUCTURE;
	if (!file_is_active(t->file))
		return SW_DATA_INVALIDATED;
	if ((sw = access_check(c->card, c->channel, t->index, mode)) != SW_OK)
		return sw;
	t->content = BUF_OF(t->raw);
	if ((st = file_read(&c->card->fs, t->index, &t->content)) != OK)
		return sw_of(st);
	if (kind != TARGET_BER_TLV && t->content.len != t->file->size)
		return SW_TECHNICAL_PROBLEM;
	if (sfi != 0 && c->channel->ef != t->index) {
		c->channel->ef = t->index;
		c->channel->record = 0;
	}
	return SW_OK;
}

struct bytes target_record(const struct target *t, unsigned number)
{
	return (struct bytes){ t->raw + (size_t)(number - 1) * t->file->record_len, t->file->record_len };
}

enum sw target_save(struct command *c, struct target *t)
{
	return sw_of(file_write(&c->card->fs, t->index, buf_bytes(&t->content)));
}

enum sw target_push(struct command *c, struct target *t, struct bytes record)
{
	memmove(t->raw + record.n, t->raw, record.n * (size_t)(t->file->record_count - 1));
	memcpy(t->raw, record.p, record.n);
	c->channel->record = 1;
	return target_save(c, t);
}
