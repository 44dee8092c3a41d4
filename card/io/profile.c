#include "card/io/profile.h"

#include <string.h>

#include "apdu/birth.h"
#include "apdu/hex.h"
#include "apdu/tlv.h"
#include "card/applets/applets.h"
#include "card/os/access.h"
#include "card/os/pin.h"

enum { CONTENT_MAX = 1024, UST_LEN = 20 };

/* One EF of the tree: content is a preset followed by FF up to the size. */
struct ef_row {
	uint16_t fid;
	uint8_t sfi, type, arr;
	uint8_t record_len, record_count; /* record files */
	uint16_t size;                    /* transparent files */
};

static const struct ef_row prose_efs[] = {
	{ FID_PROSE_MON, 0x01, FILE_LINEAR, ARR_READ_PIN, 32, 4, 0 },
	{ FID_PROSE_ANN, 0x02, FILE_LINEAR, ARR_READ_PIN, 32, 4, 0 },
	{ FID_PROSE_FUNC, 0x03, FILE_LINEAR, ARR_READ_PIN, 64, 2, 0 },
	{ FID_PROSE_RADIO_COM, 0x04, FILE_TRANSPARENT, ARR_READ_PIN, 0, 0, 128 },
	{ FID_PROSE_RADIO_MON, 0x05, FILE_TRANSPARENT, ARR_READ_PIN, 0, 0, 128 },
	{ FID_PROSE_RADIO_ANN, 0x06, FILE_TRANSPARENT, ARR_READ_PIN, 0, 0, 128 },
	{ FID_PROSE_POLICY, 0x07, FILE_LINEAR, ARR_READ_PIN, 64, 4, 0 },
	{ FID_PROSE_PLMN, 0x08, FILE_LINEAR, ARR_READ_PIN, 16, 8, 0 },
	{ FID_PROSE_GC, 0x09, FILE_TRANSPARENT, ARR_UPDATE_PIN, 0, 0, 64 },
	{ FID_PST, 0x10, FILE_TRANSPARENT, ARR_READ_PIN, 0, 0, 2 },
	{ FID_PROSE_UIRC, 0x11, FILE_TRANSPARENT, ARR_READ_PIN, 0, 0, 64 },
	{ FID_PROSE_GM_DISCOVERY, 0x12, FILE_LINEAR, ARR_READ_PIN, 64, 2, 0 },
	{ FID_PROSE_RELAY, 0x13, FILE_LINEAR, ARR_READ_PIN, 64, 2, 0 },
	{ FID_PROSE_RELAY_DISCOVERY, 0x14, FILE_TRANSPARENT, ARR_READ_PIN, 0, 0, 64 },
};

static enum status add_df(struct file_system *fs, uint8_t parent, uint16_t fid, struct bytes aid, uint8_t *index)
{
	struct file f = {
		.fid = fid,
		.parent = parent,
		.type = aid.n > 0 ? FILE_ADF : FILE_DF,
		.life = LIFE_ACTIVATED,
		.arr_record = ARR_READ_ALWAYS,
		.aid_len = (uint8_t)aid.n,
	};

	if (aid.n > sizeof f.aid)
		return ERR_BUG;
	if (aid.n > 0)
		memcpy(f.aid, aid.p, aid.n);
	return file_add(fs, &f, (struct bytes){ 0 }, index);
}

static enum status add_ef(struct file_system *fs, uint8_t df, const struct ef_row *row, struct bytes preset)
{
	uint8_t content[CONTENT_MAX], index;
	size_t size = row->type == FILE_TRANSPARENT ? row->size : (size_t)row->record_len * row->record_count;
	const struct file f = {
		.fid = row->fid,
		.parent = df,
		.type = row->type,
		.sfi = row->sfi,
		.life = LIFE_ACTIVATED,
		.shareable = true,
		.arr_record = row->arr,
		.record_len = row->record_len,
		.record_count = row->record_count,
	};

	if (size > sizeof content || preset.n > size)
		return ERR_BUG;
	memset(content, 0xFF, sizeof content);
	if (preset.n > 0)
		memcpy(content, preset.p, preset.n);
	return file_add(fs, &f, (struct bytes){ content, size }, &index);
}

static enum status add_arr(struct file_system *fs, uint8_t df, uint16_t fid, uint8_t sfi)
{
	uint8_t rules[ARR_RECORDS * ARR_RECORD_LEN];
	const struct ef_row row = { fid, sfi, FILE_LINEAR, ARR_READ_ALWAYS, ARR_RECORD_LEN, ARR_RECORDS, 0 };

	memset(rules, 0xFF, sizeof rules);
	for (size_t i = 0; i < ARR_RECORDS; i++)
		memcpy(rules + i * ARR_RECORD_LEN, arr_rules[i].p, arr_rules[i].n);
	return add_ef(fs, df, &row, BYTES_OF(rules));
}

static enum status add_mf(struct file_system *fs, const uint8_t iccid[ICCID_LEN])
{
	static const struct ef_row dir = { FID_DIR, 0x1E, FILE_LINEAR, ARR_READ_ALWAYS, 38, 2, 0 };
	static const struct ef_row id = { FID_ICCID, 0x02, FILE_TRANSPARENT, ARR_READ_ALWAYS_ONLY, 0, 0, ICCID_LEN };
	static const struct ef_row pl = { FID_PL, 0x05, FILE_TRANSPARENT, ARR_READ_ALWAYS, 0, 0, 4 };
	uint8_t raw[38], index;
	struct buf entry = BUF_OF(raw);

	fs->count = 0;
	TRY(add_df(fs, FILE_MF, FID_MF, (struct bytes){ 0 }, &index));
	TRY(add_arr(fs, FILE_MF, FID_ARR_MF, 0x06));
	buf_put(&entry, BYTES_STR("\x61\x1B\x4F\x10"));
	buf_put(&entry, BYTES_STR(AID_USIM));
	buf_put(&entry, BYTES_STR("\x50\x07ProSe-1"));
	TRY(add_ef(fs, FILE_MF, &dir, buf_bytes(&entry)));
	TRY(add_ef(fs, FILE_MF, &id, (struct bytes){ iccid, ICCID_LEN }));
	return add_ef(fs, FILE_MF, &pl, BYTES_STR("en"));
}

/* 31.102 4.2.2: length, then parity nibble 9 and fifteen digits, swapped. */
static enum status imsi_content(const char *imsi, uint8_t out[9])
{
	char digits[17] = "0";

	if (strlen(imsi) != 15)
		return ERR_MALFORMED;
	memcpy(digits + 1, imsi, 16);
	out[0] = 8;
	TRY(bcd_encode(digits, out + 1, 8));
	out[1] = (uint8_t)((out[1] & 0xF0) | 0x09);
	return OK;
}

static void set_service(uint8_t ust[UST_LEN], unsigned service)
{
	ust[(service - 1) / 8] |= (uint8_t)(1U << (service - 1) % 8);
}

static enum status add_usim(struct file_system *fs, const struct card_identity *who)
{
	static const struct ef_row imsi = { FID_IMSI, 0x07, FILE_TRANSPARENT, ARR_READ_PIN, 0, 0, 9 };
	static const struct ef_row ad = { FID_AD, 0x03, FILE_TRANSPARENT, ARR_READ_ALWAYS, 0, 0, 4 };
	static const struct ef_row service = { FID_UST, 0x04, FILE_TRANSPARENT, ARR_READ_PIN, 0, 0, UST_LEN };
	static const struct ef_row gbabp = { FID_GBABP, 0, FILE_TRANSPARENT, ARR_UPDATE_PIN, 0, 0, 160 };
	static const struct ef_row gbanl = { FID_GBANL, 0, FILE_LINEAR, ARR_READ_PIN, 160, 3, 0 };
	static const struct ef_row acc = { FID_ACC, 0x06, FILE_TRANSPARENT, ARR_READ_PIN, 0, 0, 2 };
	uint8_t adf, prose, raw[9], ust[UST_LEN] = { 0 };

	set_service(ust, SERVICE_GSM_ACCESS);
	set_service(ust, SERVICE_SMS_PP);
	set_service(ust, 33); /* shall be 1 */
	set_service(ust, SERVICE_GBA);
	set_service(ust, SERVICE_PROSE);
	TRY(add_df(fs, FILE_MF, FID_ADF_USIM, BYTES_STR(AID_USIM), &adf));
	TRY(add_arr(fs, adf, FID_ARR, 0x17));
	TRY(imsi_content(who->imsi, raw));
	TRY(add_ef(fs, adf, &imsi, BYTES_OF(raw)));
	TRY(add_ef(fs, adf, &ad, BYTES_STR("\x00\x00\x04\x02"))); /* bit 3: ProSe public safety */
	TRY(add_ef(fs, adf, &service, BYTES_OF(ust)));
	TRY(add_ef(fs, adf, &acc, BYTES_STR("\x00\x01")));
	TRY(add_ef(fs, adf, &gbabp, (struct bytes){ 0 }));
	TRY(add_ef(fs, adf, &gbanl, (struct bytes){ 0 }));
	TRY(add_df(fs, adf, FID_DF_PROSE, (struct bytes){ 0 }, &prose));
	for (size_t i = 0; i < sizeof prose_efs / sizeof *prose_efs; i++)
		TRY(add_ef(
		        fs, prose, &prose_efs[i], prose_efs[i].fid == FID_PST ? BYTES_STR("\xFF\x0F") : (struct bytes){ 0 }));
	return OK;
}

enum status profile_install(
        struct card *card, const struct card_env *env, const struct card_identity *who, struct bytes secrets)
{
	struct bytes pin, puk;

	card->env = *env;
	card->applet_count = 0;
	store_init(&card->store, env->backend);
	card->fs.store = &card->store;
	TRY(add_mf(&card->fs, env->card_id));
	TRY(add_usim(&card->fs, who));
	TRY(file_system_save(&card->fs));
	TRY(tlv_find(secrets, BIRTH_PIN1, &pin));
	TRY(tlv_find(secrets, BIRTH_PUK1, &puk));
	TRY(pin_create(&card->store, KEY_PIN1, pin, puk, who->pin1_enabled));
	if (tlv_find(secrets, BIRTH_PIN2, &pin) == OK && tlv_find(secrets, BIRTH_PUK2, &puk) == OK)
		TRY(pin_create(&card->store, KEY_PIN2, pin, puk, true));
	if (tlv_find(secrets, BIRTH_UNIVERSAL_PIN, &pin) == OK && tlv_find(secrets, BIRTH_UNIVERSAL_PUK, &puk) == OK)
		TRY(pin_create(&card->store, KEY_UNIVERSAL, pin, puk, true));
	TRY(applet_add(card, APPLET_USIM, BYTES_STR(AID_USIM), secrets));
	TRY(applet_add(card, APPLET_PROSE, BYTES_STR(AID_PROSE), secrets));
	TRY(applet_add(card, APPLET_RFM, BYTES_STR("\xF0\x50\x52\x4F\x53\x45\xF1"), secrets));
	return store_commit(&card->store);
}
