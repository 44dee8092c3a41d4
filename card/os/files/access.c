/* SPDX-License-Identifier: Apache-2.0 */
#include "card/os/files/access.h"

#include "apdu/files.h"
#include "apdu/tlv.h"
#include "card/os/pin.h"

enum {
	TAG_AM = 0x80,
	TAG_AM_INS = 0x84,
	TAG_SC_ALWAYS = 0x90,
	TAG_SC_NEVER = 0x97,
	TAG_SC_CRT = 0xA4,
	TAG_SC_OR = 0xA0,
	TAG_SC_AND = 0xAF
};

#define RULE(s)                                                                                                                \
	{                                                                                                                      \
		(const uint8_t *)(s), sizeof(s) - 1                                                                            \
	}

#define PIN1 "\xA4\x06\x83\x01\x01\x95\x01\x08"
#define PIN2 "\xA4\x06\x83\x01\x81\x95\x01\x08"
#define ADM1 "\xA4\x06\x83\x01\x0A\x95\x01\x08"
#define AM(m) "\x80\x01" m
#define AM_INS(m) "\x84\x01" m
#define ALWAYS "\x90\x00"
#define NEVER "\x97\x00"

/* Rules of files; the bits 7A are all but reading: delete, terminate, activate, deactivate, and update where it is not apart.
 * For a DF (the first rule) they allow its creation and deletion of files to ADM1. RESIZE goes with the administrator. */
const struct bytes arr_rules[ARR_RECORDS] = {
	RULE(AM("\x01") ALWAYS AM("\x7E") ADM1 AM_INS("\xD4") ADM1),
	RULE(AM("\x01") PIN1 AM("\x7A") ADM1 AM_INS("\xD4") ADM1),
	RULE(AM("\x03") PIN1 AM("\x78") ADM1 AM_INS("\xD4") ADM1),
	RULE(AM("\x7B") ADM1 AM_INS("\xD4") ADM1),
	RULE(AM("\x01") ALWAYS AM("\x7A") NEVER),
	RULE(AM("\x01") PIN1 AM("\x02") PIN2 AM("\x78") ADM1),
	RULE(AM("\x01") PIN1 AM("\x02") PIN2 AM("\x78") ADM1 AM_INS("\x32") PIN1),
	RULE(AM("\x01") ALWAYS AM("\x02") PIN1 AM("\x78") ADM1),
};

bool access_verified(struct card *card, const struct channel *ch, uint8_t key_reference)
{
	return ch->adm || (key_reference != KEY_ADM1 && pin_is_satisfied(card, ch, key_reference));
}

static bool condition_holds(struct card *card, const struct channel *ch, const struct tlv *sc);

/* OR over the conditions in a template (any = true), or AND (any = false); an empty template never holds. */
static bool template_holds(struct card *card, const struct channel *ch, struct bytes in, bool any)
{
	struct tlv sc;
	bool seen = false;

	while (in.n > 0) {
		if (tlv_next(&in, &sc) != OK)
			return false;
		seen = true;
		if (condition_holds(card, ch, &sc) == any)
			return any;
	}
	return seen && !any;
}

static bool condition_holds(struct card *card, const struct channel *ch, const struct tlv *sc)
{
	struct bytes reference;

	switch (sc->tag) {
	case TAG_SC_ALWAYS: return true;
	case TAG_SC_CRT:
		return tlv_find(sc->value, 0x83, &reference) == OK && reference.n == 1 &&
		       access_verified(card, ch, reference.p[0]);
	case TAG_SC_OR: return template_holds(card, ch, sc->value, true);
	case TAG_SC_AND: return template_holds(card, ch, sc->value, false);
	default: return false; /* TAG_SC_NEVER, and whatever this card does not know */
	}
}

/* AM_DO followed by one or more SC_DO, repeated; FF padding ends it. All conditions behind a matching AM must hold. */
static bool rule_allows(struct card *card, const struct channel *ch, struct bytes rule, enum access_mode mode)
{
	bool matching = false, holds = false;
	struct tlv t;

	while (rule.n > 0 && tlv_next(&rule, &t) == OK) {
		if (t.tag >= 0x80 && t.tag <= 0x8F) {
			if (matching && holds)
				return true;
			matching = t.value.n == 1 && (t.tag == TAG_AM              ? (t.value.p[0] & mode) != 0
			                                     : t.tag == TAG_AM_INS ? t.value.p[0] == mode >> 8
			                                                           : false);
			holds = matching;
		} else {
			holds = holds && condition_holds(card, ch, &t);
		}
	}
	return matching && holds;
}

/* EF_ARR of the file's DF or the nearest parent (9.2.7): 6F06 inside an application, 2F06 at the MF. */
static uint8_t find_arr(const struct file_system *fs, uint8_t index)
{
	uint8_t df = file_is_df(&fs->file[index]) && fs->file[index].type != FILE_ADF ? index : fs->file[index].parent;

	for (;; df = fs->file[df].parent) {
		uint8_t arr = file_child(fs, df, df == FILE_MF ? FID_ARR_MF : FID_ARR);

		if (arr != FILE_NONE || df == FILE_MF)
			return arr;
	}
}

enum sw access_check(struct card *card, const struct channel *ch, uint8_t index, enum access_mode mode)
{
	uint8_t raw[2048];
	struct buf b = BUF_OF(raw);
	const struct file *f = &card->fs.file[index];
	uint8_t arr = find_arr(&card->fs, index);
	struct bytes rule;

	if (f->arr_record == ARR_OWN)
		return file_rule(&card->fs, index, &b) == OK && rule_allows(card, ch, buf_bytes(&b), mode)
		               ? SW_OK
		               : SW_SECURITY_NOT_SATISFIED;
	if (arr == FILE_NONE || f->arr_record == 0 || f->arr_record > card->fs.file[arr].record_count ||
	        file_read(&card->fs, arr, &b) != OK)
		return SW_SECURITY_NOT_SATISFIED;
	rule = (struct bytes){ raw + (size_t)(f->arr_record - 1) * card->fs.file[arr].record_len,
		card->fs.file[arr].record_len };
	return rule_allows(card, ch, rule, mode) ? SW_OK : SW_SECURITY_NOT_SATISFIED;
}
