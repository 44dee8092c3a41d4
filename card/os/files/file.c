/* SPDX-License-Identifier: Apache-2.0 */
#include "card/os/files/file.h"

#include <string.h>

#include "apdu/files.h"
#include "apdu/tlv.h"

enum { ROW_LEN = 32, RULE_MAX = 128 };

static const struct bytes table_name = { (const uint8_t *)"fs", 2 };

/* "f/1c": name_format would take longer than the rest of a READ BINARY. */
static struct record_name indexed_name(char kind, uint8_t index)
{
	static const char digits[] = "0123456789abcdef";

	return (struct record_name){ 4, { (uint8_t)kind, '/', (uint8_t)digits[index >> 4], (uint8_t)digits[index & 15] } };
}

static struct record_name content_name(uint8_t index)
{
	return indexed_name('f', index);
}

static struct record_name rule_name(uint8_t index)
{
	return indexed_name('r', index);
}

static enum status take_row(struct bytes *in, struct file *f)
{
	uint64_t fid, size;
	struct bytes b, row;

	if (!bytes_take(in, ROW_LEN, &row) || !bytes_take_uint(&row, 2, &fid) || !bytes_take(&row, 7, &b) ||
	        !bytes_take_uint(&row, 2, &size))
		return ERR_TRUNCATED;
	*f = (struct file){
		.fid = (uint16_t)fid,
		.parent = b.p[0],
		.type = b.p[1],
		.sfi = b.p[2],
		.life = b.p[3],
		.arr_record = b.p[4],
		.record_len = b.p[5],
		.record_count = b.p[6],
		.size = (uint16_t)size,
	};
	if (!bytes_take(&row, 1, &b) || b.p[0] > sizeof f->aid)
		return ERR_MALFORMED;
	f->aid_len = b.p[0];
	if (!bytes_take_copy(&row, f->aid, sizeof f->aid) || !bytes_take(&row, 1, &b))
		return ERR_TRUNCATED;
	f->shareable = b.p[0] == 0; /* an octet that was zero before there were unshareable files */
	return OK;
}

enum status file_system_load(struct file_system *fs, struct store *store)
{
	uint8_t raw[RECORD_MAX];
	struct buf b = BUF_OF(raw);
	struct bytes in;

	fs->store = store;
	fs->dirty = false;
	fs->count = 0;
	TRY(store_get(store, table_name, &b));
	in = buf_bytes(&b);
	while (in.n > 0) {
		if (fs->count == FILES_MAX)
			return ERR_MALFORMED;
		TRY(take_row(&in, &fs->file[fs->count]));
		if (fs->file[fs->count].parent >= FILES_MAX || fs->file[fs->count].type > FILE_BER_TLV)
			return ERR_MALFORMED;
		fs->count++;
	}
	return fs->count > 0 ? OK : ERR_MALFORMED;
}

enum status file_system_save(struct file_system *fs)
{
	uint8_t raw[FILES_MAX * ROW_LEN];
	struct buf b = BUF_OF(raw);

	fs->dirty = true;
	for (size_t i = 0; i < fs->count; i++) {
		const struct file *f = &fs->file[i];
		size_t start = b.len;

		buf_put_uint(&b, 2, f->fid);
		buf_put(&b, (struct bytes){ (const uint8_t[]){ f->parent, f->type, f->sfi, f->life, f->arr_record,
		                                    f->record_len, f->record_count },
		                    7 });
		buf_put_uint(&b, 2, f->size);
		buf_put_u8(&b, f->aid_len);
		buf_put(&b, BYTES_OF(f->aid));
		buf_put_u8(&b, f->shareable ? 0 : 1);
		buf_put_zeros(&b, ROW_LEN - (b.len - start));
	}
	TRY(buf_status(&b));
	return store_put(fs->store, table_name, buf_bytes(&b));
}

bool file_is_df(const struct file *f)
{
	return f->type == FILE_DF || f->type == FILE_ADF;
}

enum status file_add(struct file_system *fs, const struct file *f, struct bytes content, uint8_t *index)
{
	struct record_name name;
	size_t at = 0;

	while (at < fs->count && fs->file[at].type != FILE_FREE)
		at++;
	if (at == FILES_MAX)
		return ERR_NO_SPACE;
	if (at == fs->count)
		fs->count++;
	*index = (uint8_t)at;
	fs->dirty = true;
	fs->file[at] = *f;
	if (f->type != FILE_BER_TLV)
		fs->file[at].size = (uint16_t)content.n;
	if (file_is_df(f))
		return OK;
	name = content_name(*index);
	return store_put(fs->store, name_bytes(&name), content);
}

uint8_t file_child(const struct file_system *fs, uint8_t parent, uint16_t fid)
{
	for (size_t i = 1; i < fs->count; i++)
		if (fs->file[i].type != FILE_FREE && fs->file[i].parent == parent && fs->file[i].fid == fid)
			return (uint8_t)i;
	return FILE_NONE;
}

uint8_t file_by_sfi(const struct file_system *fs, uint8_t df, uint8_t sfi)
{
	for (size_t i = 1; i < fs->count; i++)
		if (fs->file[i].type != FILE_FREE && fs->file[i].parent == df && fs->file[i].sfi == sfi && sfi != 0)
			return (uint8_t)i;
	return FILE_NONE;
}

uint8_t file_by_aid(const struct file_system *fs, struct bytes name, uint8_t after)
{
	for (size_t i = after == FILE_NONE ? 0 : (size_t)after + 1; i < fs->count; i++) {
		const struct file *f = &fs->file[i];

		if (f->type == FILE_ADF && f->aid_len >= name.n && bytes_equal((struct bytes){ f->aid, name.n }, name))
			return (uint8_t)i;
	}
	return FILE_NONE;
}

uint8_t file_adf_of(const struct file_system *fs, uint8_t index)
{
	while (index != FILE_MF && fs->file[index].type != FILE_ADF)
		index = fs->file[index].parent;
	return index;
}

enum status file_read(struct file_system *fs, uint8_t index, struct buf *out)
{
	struct record_name name = content_name(index);

	return store_get(fs->store, name_bytes(&name), out);
}

enum status file_write(struct file_system *fs, uint8_t index, struct bytes content)
{
	struct record_name name = content_name(index);

	return content.n == fs->file[index].size || (fs->file[index].type == FILE_BER_TLV && content.n < fs->file[index].size)
	               ? store_put(fs->store, name_bytes(&name), content)
	               : ERR_BUG;
}

enum status file_remove(struct file_system *fs, uint8_t index)
{
	struct record_name content = content_name(index), rule = rule_name(index);
	const struct file f = fs->file[index];

	fs->dirty = true;
	fs->file[index] = (struct file){ .type = FILE_FREE };
	if (!file_is_df(&f))
		TRY(store_erase(fs->store, name_bytes(&content)));
	return f.arr_record == ARR_OWN ? store_erase(fs->store, name_bytes(&rule)) : OK;
}

enum status file_set_rule(struct file_system *fs, uint8_t index, struct bytes rule)
{
	struct record_name name = rule_name(index);

	return store_put(fs->store, name_bytes(&name), rule);
}

enum status file_rule(struct file_system *fs, uint8_t index, struct buf *out)
{
	struct record_name name = rule_name(index);

	return store_get(fs->store, name_bytes(&name), out);
}

bool file_is_terminated(const struct file *f)
{
	return f->life >= LIFE_TERMINATED;
}

bool file_is_active(const struct file *f)
{
	return (f->life & ~2) == LIFE_ACTIVATED;
}

bool file_is_deactivated(const struct file *f)
{
	return (f->life & ~2) == LIFE_DEACTIVATED;
}

static const uint8_t structures[] = { [FILE_DF] = FDB_DF,
	[FILE_ADF] = FDB_DF,
	[FILE_TRANSPARENT] = FDB_TRANSPARENT,
	[FILE_LINEAR] = FDB_LINEAR,
	[FILE_CYCLIC] = FDB_CYCLIC,
	[FILE_BER_TLV] = FDB_BER_TLV };

enum file_type file_type_of(uint8_t descriptor)
{
	for (size_t i = FILE_DF; i < sizeof structures; i++)
		if (structures[i] == (descriptor & FDB_STRUCTURE))
			return (enum file_type)i;
	return FILE_FREE;
}

static uint8_t descriptor(const struct file *f)
{
	return structures[f->type] | (f->shareable || file_is_df(f) ? FDB_SHAREABLE : 0);
}

void file_put_fcp(struct file_system *fs, uint8_t index, struct bytes pins, struct buf *out)
{
	const struct file *f = &fs->file[index];
	uint8_t raw[224], fd[5] = { descriptor(f), 0x21, 0, f->record_len, f->record_count };
	struct buf b = BUF_OF(raw);
	bool records = f->type == FILE_LINEAR || f->type == FILE_CYCLIC;

	tlv_put(&b, 0x82, (struct bytes){ fd, records ? 5 : 2 });
	if (f->type == FILE_ADF)
		tlv_put(&b, 0x84, (struct bytes){ f->aid, f->aid_len });
	else
		tlv_put_uint(&b, 0x83, 2, f->fid);
	if (index == FILE_MF)
		tlv_put(&b, 0xA5, BYTES_STR("\x80\x01\x71"));
	tlv_put_uint(&b, 0x8A, 1, f->life);
	if (f->arr_record == ARR_OWN) {
		uint8_t rule_raw[RULE_MAX];
		struct buf rule = BUF_OF(rule_raw);

		if (file_rule(fs, index, &rule) == OK)
			tlv_put(&b, 0xAB, buf_bytes(&rule));
	} else {
		tlv_put_uint(&b, 0x8B, 3,
		        (uint64_t)(file_adf_of(fs, index) == FILE_MF || f->type == FILE_ADF ? FID_ARR_MF : FID_ARR) << 8 |
		                f->arr_record);
	}
	if (file_is_df(f)) {
		tlv_put(&b, 0xC6, pins);
	} else {
		tlv_put_uint(&b, 0x80, 2, f->size);
		if (f->sfi != 0)
			tlv_put_uint(&b, 0x88, 1, (uint64_t)f->sfi << 3);
		else
			tlv_put(&b, 0x88, (struct bytes){ 0 });
	}
	tlv_put(out, 0x62, buf_bytes(&b));
}
