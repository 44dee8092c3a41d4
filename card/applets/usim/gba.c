/* SPDX-License-Identifier: Apache-2.0 */
/* GBA_U on the card (TS 31.102 7.1.1.3, TS 33.220 clause 5): Ks and Ks_int_NAF stay, RES and Ks_ext_NAF go out. */
#include <string.h>

#include "apdu/files.h"
#include "apdu/tlv.h"
#include "card/applets/usim/usim.h"
#include "crypto/guarded/gba.h"

enum { MODE_BOOTSTRAPPING = 0xDD, MODE_NAF_DERIVATION = 0xDE, TAG_RESULT = 0xDB, TAG_NAF_ID = 0x80, TAG_B_TID = 0x81 };
enum { NAF_KEY_LEN = GBA_KEY_LEN };

static const struct bytes ks_name = { (const uint8_t *)"ks", 2 };

/* EF_GBABP: RAND, then B-TID and lifetime, which the phone writes later. */
static enum status write_gbabp(struct applet *a, struct bytes rand)
{
	uint8_t raw[RECORD_MAX], index = usim_file(a, FID_GBABP);
	struct buf b = BUF_OF(raw);

	if (index == FILE_NONE || a->card->fs.file[index].size < rand.n + 3)
		return ERR_NO_SPACE;
	buf_put_u8(&b, (uint8_t)rand.n);
	buf_put(&b, rand);
	buf_put_zeros(&b, 2);
	memset(raw + b.len, 0xFF, a->card->fs.file[index].size - b.len);
	b.len = a->card->fs.file[index].size;
	return file_write(&a->card->fs, index, buf_bytes(&b));
}

static enum sw bootstrap(struct command *c, struct bytes in)
{
	AKA_SUBSCRIBER s = { 0 };
	SECRET ks = { 0 };
	AKA_KEYS keys = { 0 };
	struct bytes rand, autn;
	bool synchronised;
	enum status st;
	enum sw sw;

	if (!bytes_take_field(&in, &rand) || !bytes_take_field(&in, &autn) || in.n != 0 || rand.n != RAND_LEN)
		return SW_WRONG_LENGTH;
	sw = usim_authenticate(c->applet, &s, rand, autn, true, &keys, &synchronised, c->rsp);
	if (sw == SW_OK && synchronised) {
		struct buf b = { ks.data, 0, sizeof ks.data, false };
		SECRET_LARGE record = { 0 };
		struct buf r = { record.data, 0, sizeof record.data, false };

		buf_put(&b, (struct bytes){ keys.ck, s.ck_len });
		buf_put(&b, (struct bytes){ keys.ik, s.ik_len });
		buf_put(&r, rand);
		buf_put(&r, buf_bytes(&b));
		if ((st = buf_status(&r)) != OK || (st = applet_put(c->applet, ks_name, buf_bytes(&r))) != OK ||
		        (st = write_gbabp(c->applet, rand)) != OK)
			sw = st == ERR_NO_SPACE ? SW_GBA_NO_MEMORY : sw_of(st);
		else
			tlv_put(c->rsp, TAG_RESULT, (struct bytes){ keys.res, s.res_len });
	}
	return sw;
}

/* The record of EF_GBANL for a NAF: its own, else an empty one, else the one used longest ago. *use: the next use counter. */
static enum status choose_record(struct applet *a, uint8_t records, struct bytes naf_id, uint8_t *chosen, uint32_t *use)
{
	uint32_t oldest = UINT32_MAX;
	bool own = false;

	*chosen = 0;
	*use = 1;
	for (uint8_t i = 1; i <= records; i++) {
		SECRET_LARGE record = { 0 };
		struct record_name name = name_format("naf/%02x", (unsigned)i);
		enum status st = applet_get(a, name_bytes(&name), &record);
		struct bytes in = secret_large_bytes(&record), id = { 0 }, key;
		uint64_t when = 0;

		if (st != OK && st != ERR_NOT_FOUND)
			return st;
		if (st == OK &&
		        (!bytes_take(&in, NAF_KEY_LEN, &key) || !bytes_take_uint(&in, 4, &when) || !bytes_take_field(&in, &id)))
			return ERR_MALFORMED;
		if (when >= *use)
			*use = (uint32_t)when + 1;
		if (st == OK && !own && bytes_equal(id, naf_id)) {
			own = true;
			*chosen = i;
		}
		if (!own && when < oldest) {
			oldest = (uint32_t)when;
			*chosen = i;
		}
	}
	return *chosen != 0 ? OK : ERR_NO_SPACE;
}

static enum status write_gbanl(struct applet *a, uint8_t index, uint8_t record, struct bytes naf_id, struct bytes b_tid)
{
	uint8_t raw[RECORD_MAX], entry_raw[255];
	const struct file *f = &a->card->fs.file[index];
	struct buf b = BUF_OF(raw), entry = BUF_OF(entry_raw);

	TRY(file_read(&a->card->fs, index, &b));
	tlv_put(&entry, TAG_NAF_ID, naf_id);
	tlv_put(&entry, TAG_B_TID, b_tid);
	if (entry.failed || entry.len > f->record_len)
		return ERR_NO_SPACE;
	memset(raw + (size_t)(record - 1) * f->record_len, 0xFF, f->record_len);
	memcpy(raw + (size_t)(record - 1) * f->record_len, entry_raw, entry.len);
	return file_write(&a->card->fs, index, buf_bytes(&b));
}

/* B-TID as the phone wrote it into EF_GBABP behind RAND. */
static enum status read_b_tid(struct applet *a, struct buf *raw, struct bytes *b_tid)
{
	uint8_t index = usim_file(a, FID_GBABP);
	struct bytes in, rand;

	if (index == FILE_NONE)
		return ERR_NOT_FOUND;
	TRY(file_read(&a->card->fs, index, raw));
	in = buf_bytes(raw);
	return bytes_take_field(&in, &rand) && bytes_take_field(&in, b_tid) ? OK : ERR_MALFORMED;
}

static enum status keep_internal(struct applet *a, struct bytes naf_id, const uint8_t key[NAF_KEY_LEN])
{
	uint8_t raw[RECORD_MAX], index = usim_file(a, FID_GBANL), record;
	SECRET_LARGE value = { 0 };
	struct buf file = BUF_OF(raw), b = { value.data, 0, sizeof value.data, false };
	struct bytes b_tid = { 0 };
	struct record_name name;
	uint32_t use;

	if (index == FILE_NONE)
		return ERR_NO_SPACE;
	TRY(choose_record(a, a->card->fs.file[index].record_count, naf_id, &record, &use));
	TRY(read_b_tid(a, &file, &b_tid));
	TRY(write_gbanl(a, index, record, naf_id, b_tid));
	buf_put(&b, (struct bytes){ key, NAF_KEY_LEN });
	buf_put_uint(&b, 4, use);
	buf_put_u8(&b, (uint8_t)naf_id.n);
	buf_put(&b, naf_id);
	TRY(buf_status(&b));
	name = name_format("naf/%02x", (unsigned)record);
	return applet_put(a, name_bytes(&name), buf_bytes(&b));
}

static enum sw derive(struct command *c, struct bytes in)
{
	SECRET_LARGE record = { 0 };
	SECRET internal = { 0 };
	SECRET external = { 0 };
	struct bytes naf_id, impi, rand, ks;
	enum status st;

	if (!bytes_take_field(&in, &naf_id) || !bytes_take_field(&in, &impi) || in.n != 0 || naf_id.n == 0)
		return SW_WRONG_LENGTH;
	st = applet_get(c->applet, ks_name, &record);
	if (st == ERR_NOT_FOUND)
		return SW_CONDITIONS_NOT_SATISFIED; /* no bootstrapping has been run */
	ks = secret_large_bytes(&record);
	if (st != OK || !bytes_take(&ks, RAND_LEN, &rand) ||
	        (st = gba_naf_key(GBA_ME, ks, rand, impi, naf_id, external.data)) != OK ||
	        (st = gba_naf_key(GBA_U, ks, rand, impi, naf_id, internal.data)) != OK ||
	        (st = keep_internal(c->applet, naf_id, internal.data)) != OK)
		return st == ERR_NO_SPACE ? SW_GBA_NO_MEMORY : sw_of(st);
	tlv_put(c->rsp, TAG_RESULT, (struct bytes){ external.data, NAF_KEY_LEN });
	return SW_OK;
}

/* The same in one USIM. */
static enum status internal_key_of(struct applet *a, struct bytes naf_id, struct secret *out)
{
	struct record_name name = { 0 };

	while (applet_next(a, BYTES_STR("naf/"), name_bytes(&name), &name) == OK) {
		SECRET_LARGE record = { 0 };
		struct bytes in, id, key;
		uint64_t use;

		TRY(applet_get(a, name_bytes(&name), &record));
		in = secret_large_bytes(&record);
		if (bytes_take(&in, NAF_KEY_LEN, &key) && bytes_take_uint(&in, 4, &use) && bytes_take_field(&in, &id) &&
		        bytes_equal(id, naf_id))
			return secret_set(out, key);
	}
	return ERR_NOT_FOUND;
}

enum status usim_internal_key(struct card *card, struct bytes naf_id, struct secret *out)
{
	enum status st = ERR_NOT_FOUND;

	for (size_t i = 0; i < card->applet_count && st == ERR_NOT_FOUND; i++)
		if (card->applet[i].class == &usim_class && card->applet[i].aid_len > 0)
			st = internal_key_of(&card->applet[i], naf_id, out);
	return st;
}

enum sw usim_gba(struct command *c)
{
	struct bytes in = c->data;
	uint64_t mode;

	if (!bytes_take_uint(&in, 1, &mode))
		return SW_WRONG_LENGTH;
	switch (mode) {
	case MODE_BOOTSTRAPPING: return bootstrap(c, in);
	case MODE_NAF_DERIVATION: return derive(c, in);
	default: return SW_WRONG_DATA;
	}
}
