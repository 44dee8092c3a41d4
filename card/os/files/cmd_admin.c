/* SPDX-License-Identifier: Apache-2.0 */
/* Administrative commands of TS 102 222: CREATE, DELETE, RESIZE and TERMINATE. They work below the current DF. */
#include <string.h>

#include "apdu/files.h"
#include "apdu/tlv.h"
#include "card/os/files/access.h"
#include "card/os/commands.h"

enum { FCP_TEMPLATE = 0x62, LIFE_CREATION = 0x01, LIFE_INITIALISATION = 0x03 };

struct creation {
	struct bytes descriptor, fid, size, total, sfi, life, reference, rule, name, special, pins, fill, repeat;
};

static enum status parse_creation(struct bytes data, struct creation *n)
{
	const struct field {
		uint32_t tag;
		struct bytes *slot;
	} fields[] = { { 0x82, &n->descriptor }, { 0x83, &n->fid }, { 0x80, &n->size }, { 0x81, &n->total }, { 0x88, &n->sfi },
		{ 0x8A, &n->life }, { 0x8B, &n->reference }, { 0xAB, &n->rule }, { 0x84, &n->name }, { 0xA5, &n->special },
		{ 0xC6, &n->pins } };
	struct bytes in = data;
	struct tlv outer, t;

	*n = (struct creation){ 0 };
	TRY(tlv_next(&in, &outer));
	if (outer.tag != FCP_TEMPLATE || in.n != 0)
		return ERR_MALFORMED;
	while (outer.value.n > 0) {
		bool known = false;

		TRY(tlv_next(&outer.value, &t));
		for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
			if (fields[i].tag == t.tag) {
				TRY(tlv_set_once(fields[i].slot, t.value));
				known = true;
			}
		if (!known)
			return ERR_MALFORMED;
	}
	while (n->special.n > 0) {
		TRY(tlv_next(&n->special, &t));
		if (t.tag == 0xC1)
			n->fill = t.value;
		else if (t.tag == 0xC2)
			n->repeat = t.value;
	}
	return n->descriptor.n >= 2 && n->fid.n == 2 && n->life.n == 1 ? OK : ERR_MALFORMED;
}

static bool reserved_fid(uint64_t fid)
{
	return fid == FID_MF || fid == 0x3FFF || fid == FID_CURRENT_ADF || fid == 0xFFFF || fid == FID_ADF_USIM;
}

static enum status file_of(const struct creation *n, struct file *f)
{
	uint8_t fdb = n->descriptor.p[0];
	uint64_t size = bytes_uint(n->size), len;

	f->shareable = (fdb & FDB_SHAREABLE) != 0;
	f->fid = (uint16_t)bytes_uint(n->fid);
	f->life = n->life.p[0];
	if (reserved_fid(f->fid) || (f->life != LIFE_CREATION && f->life != LIFE_INITIALISATION && f->life != LIFE_ACTIVATED &&
	                                    f->life != LIFE_DEACTIVATED))
		return ERR_MALFORMED;
	if (n->reference.n == 3)
		f->arr_record = n->reference.p[2];
	else if (n->rule.n > 0 && n->reference.n == 0)
		f->arr_record = ARR_OWN;
	else
		return ERR_MALFORMED;
	if (f->arr_record == 0 || (f->arr_record == ARR_OWN && n->rule.n == 0))
		return ERR_MALFORMED;
	f->type = (uint8_t)file_type_of(fdb);
	if (f->type == FILE_DF) /* applications are installed, not created */
		return n->name.n == 0 && n->descriptor.n == 2 ? OK : ERR_MALFORMED;
	if (f->type == FILE_FREE || n->size.n == 0 || n->size.n > 4 || n->sfi.n > 1)
		return ERR_MALFORMED;
	if (size == 0 || size > RECORD_MAX)
		return ERR_NO_SPACE;
	if (n->sfi.p != NULL && n->sfi.n == 1)
		f->sfi = n->sfi.p[0] >> 3;
	else if (n->sfi.p == NULL)
		f->sfi = f->fid & 0x1F;
	f->size = (uint16_t)size;
	if (f->type == FILE_TRANSPARENT || f->type == FILE_BER_TLV)
		return n->descriptor.n == 2 ? OK : ERR_MALFORMED;
	len = n->descriptor.n >= 4 ? bytes_uint((struct bytes){ n->descriptor.p + 2, 2 }) : 0;
	if (len == 0 || len > 255 || size % len != 0 || size / len > 254)
		return ERR_MALFORMED;
	f->record_len = (uint8_t)len;
	f->record_count = (uint8_t)(size / len);
	return OK;
}

/* C1: octets, the last one repeated; C2: repeated from the front, in every record anew. Neither: FF. */
static void fill_content(const struct creation *n, const struct file *f, uint8_t *out)
{
	size_t unit = f->record_len != 0 ? f->record_len : f->size;

	memset(out, 0xFF, f->size);
	for (size_t i = 0; i < f->size; i++) {
		size_t at = i % unit;

		if (n->fill.n > 0)
			out[i] = n->fill.p[at < n->fill.n ? at : n->fill.n - 1];
		else if (n->repeat.n > 0)
			out[i] = n->repeat.p[at % n->repeat.n];
	}
}

enum sw cmd_create_file(struct command *c)
{
	struct file_system *fs = &c->card->fs;
	struct file f = { .parent = c->channel->df };
	uint8_t content[RECORD_MAX], index;
	struct creation n;
	enum status st;
	enum sw sw;

	if (parse_creation(c->data, &n) != OK)
		return SW_WRONG_DATA;
	if ((st = file_of(&n, &f)) != OK)
		return sw_of(st);
	sw = access_check(c->card, c->channel, f.parent, file_is_df(&f) ? ACCESS_CREATE_DF : ACCESS_CREATE_EF);
	if (sw != SW_OK)
		return sw;
	if (file_child(fs, f.parent, f.fid) != FILE_NONE || fs->file[f.parent].fid == f.fid)
		return SW_FILE_EXISTS;
	if (file_by_sfi(fs, f.parent, f.sfi) != FILE_NONE)
		return SW_WRONG_DATA;
	fill_content(&n, &f, content);
	st = file_add(fs, &f, (struct bytes){ content, f.type == FILE_BER_TLV ? 0 : f.size }, &index);
	if (st == OK && f.arr_record == ARR_OWN)
		st = file_set_rule(fs, index, n.rule);
	if (st != OK || (st = file_system_save(fs)) != OK)
		return sw_of(st);
	if (file_is_df(&f)) {
		channel_enter(c->channel, index);
	} else {
		c->channel->ef = index;
		c->channel->record = 0;
	}
	return SW_OK;
}

static bool below(const struct file_system *fs, uint8_t index, uint8_t df)
{
	for (; index != FILE_MF; index = fs->file[index].parent)
		if (index == df)
			return true;
	return false;
}

enum sw cmd_delete_file(struct command *c)
{
	struct file_system *fs = &c->card->fs;
	uint8_t index;
	enum sw sw = command_file(c, &index);
	enum status st = OK;

	if (sw != SW_OK)
		return sw;
	if (index == FILE_MF || fs->file[index].type == FILE_ADF)
		return SW_CONDITIONS_NOT_SATISFIED;
	if ((sw = access_check(c->card, c->channel, index, ACCESS_DELETE)) != SW_OK)
		return sw;
	/* Whoever stands in the tree that goes stands above it afterwards. */
	for (size_t i = 0; i <= CHANNELS; i++) {
		struct channel *ch = &c->card->channel[i];

		if (ch->ef != FILE_NONE && below(fs, ch->ef, index))
			ch->ef = FILE_NONE;
		if (below(fs, ch->df, index))
			channel_enter(ch, fs->file[index].parent);
	}
	for (size_t i = fs->count; i-- > 1 && st == OK;)
		if ((uint8_t)i != index && fs->file[i].type != FILE_FREE && below(fs, (uint8_t)i, index))
			st = file_remove(fs, (uint8_t)i);
	if (st == OK)
		st = file_remove(fs, index);
	return sw_of(st == OK ? file_system_save(fs) : st);
}

enum sw cmd_resize_file(struct command *c)
{
	struct file_system *fs = &c->card->fs;
	uint8_t raw[RECORD_MAX], index;
	struct bytes in = c->data, fid, size_field;
	struct buf content = BUF_OF(raw);
	struct tlv outer;
	struct file *f;
	uint64_t size;
	enum status st;
	enum sw sw;

	if (tlv_next(&in, &outer) != OK || in.n != 0 || outer.tag != FCP_TEMPLATE || tlv_find(outer.value, 0x83, &fid) != OK ||
	        tlv_find(outer.value, 0x80, &size_field) != OK || fid.n != 2 || size_field.n == 0 || size_field.n > 4)
		return SW_WRONG_DATA;
	index = file_child(fs, c->channel->df, (uint16_t)bytes_uint(fid));
	if (index == FILE_NONE)
		return SW_FILE_NOT_FOUND;
	f = &fs->file[index];
	if (file_is_df(f) || f->type == FILE_CYCLIC)
		return SW_WRONG_FILE_STRUCTURE;
	if ((sw = access_check(c->card, c->channel, index, ACCESS_RESIZE)) != SW_OK)
		return sw;
	size = bytes_uint(size_field);
	if (size == 0 || (f->record_len != 0 && (size % f->record_len != 0 || size / f->record_len > 254)))
		return SW_WRONG_DATA;
	if (size > RECORD_MAX)
		return SW_NO_MEMORY;
	if ((st = file_read(fs, index, &content)) != OK)
		return sw_of(st);
	if (f->type == FILE_BER_TLV) {
		if (size < content.len)
			return SW_NO_MEMORY;
	} else {
		if (size > content.len)
			memset(raw + content.len, 0xFF, (size_t)size - content.len);
		content.len = (size_t)size;
	}
	fs->dirty = true;
	f->size = (uint16_t)size;
	if (f->record_len != 0)
		f->record_count = (uint8_t)(size / f->record_len);
	if (f->type != FILE_BER_TLV && (st = file_write(fs, index, buf_bytes(&content))) != OK)
		return sw_of(st);
	return sw_of(file_system_save(fs));
}

static enum sw terminate(struct command *c, uint8_t index)
{
	enum sw sw = access_check(c->card, c->channel, index, ACCESS_TERMINATE);

	if (sw != SW_OK)
		return sw;
	c->card->fs.dirty = true;
	c->card->fs.file[index].life = LIFE_TERMINATED;
	return sw_of(file_system_save(&c->card->fs));
}

static enum sw terminate_kind(struct command *c, bool df)
{
	uint8_t index;
	enum sw sw = command_file(c, &index);

	if (sw != SW_OK)
		return sw;
	if (file_is_df(&c->card->fs.file[index]) != df || index == FILE_MF)
		return SW_WRONG_FILE_STRUCTURE;
	return terminate(c, index);
}

enum sw cmd_terminate_ef(struct command *c)
{
	return terminate_kind(c, false);
}

enum sw cmd_terminate_df(struct command *c)
{
	return terminate_kind(c, true);
}

enum sw cmd_terminate_card(struct command *c)
{
	return terminate(c, FILE_MF);
}
