/* SPDX-License-Identifier: Apache-2.0 */
/* GET IDENTITY (TS 31.102 7.5): the SUCI, computed on the card where EF_UST says so (services 124 and 125). The scheme and the
 * home network's keys are in DF_SAIP's EF_SUCI_Calc_Info, coded as EF_SUCI_Calc_Info of 4.4.11.8; the answer is tag A1 with the
 * 5GS mobile identity of TS 24.501 9.11.3.4 from its octet 4 on. The field coding could not be checked against a phone:
 * docs/decisions.md. */
#include <string.h>

#include "apdu/base/hex.h"
#include "apdu/files.h"
#include "apdu/tlv.h"
#include "card/applets/usim/usim.h"
#include "crypto/guarded/suci.h"

enum { TAG_SCHEMES = 0xA0, TAG_KEYS = 0xA1, TAG_KEY_ID = 0x80, TAG_KEY = 0x81, TAG_SUCI = 0xA1 };
enum { CONTEXT_SUCI = 0x01, TYPE_SUCI_IMSI = 0x01, ROUTING_LEN = 2, IMSI_PLAIN_MAX = 8 };

static bool read_file(struct applet *a, uint16_t df, uint16_t fid, struct buf *out)
{
	const struct file_system *fs = &a->card->fs;
	uint8_t at = usim_file(a, df != 0 ? df : fid);

	if (df != 0 && at != FILE_NONE)
		at = file_child(fs, at, fid);
	return at != FILE_NONE && !file_is_df(&fs->file[at]) && file_read(&a->card->fs, at, out) == OK;
}

/* The first scheme of the list, in the order of priority, and its key; the null scheme when there is no list. */
static bool take_scheme(struct bytes info, uint8_t *scheme, uint8_t *key_id, struct bytes *key)
{
	struct bytes schemes, keys, id = { 0 };
	struct tlv t;

	*scheme = SUCI_NULL;
	*key_id = 0;
	*key = (struct bytes){ 0 };
	if (tlv_find(info, TAG_SCHEMES, &schemes) != OK || schemes.n < 2)
		return true;
	*scheme = schemes.p[0];
	if (*scheme == SUCI_NULL)
		return true;
	if (tlv_find(info, TAG_KEYS, &keys) != OK)
		return false;
	for (unsigned index = 0; keys.n > 0;) {
		if (tlv_next(&keys, &t) != OK)
			return false;
		if (t.tag == TAG_KEY_ID && t.value.n == 1)
			id = t.value;
		if (t.tag == TAG_KEY && ++index == schemes.p[1] && id.n == 1) {
			*key_id = id.p[0];
			*key = t.value;
			return t.value.n == suci_key_len((enum suci_scheme) * scheme);
		}
	}
	return false;
}

static uint8_t two(const char *digits, size_t at, size_t n)
{
	uint8_t low = (uint8_t)(digits[at] - '0'), high = at + 1 < n ? (uint8_t)(digits[at + 1] - '0') : 0x0F;

	return (uint8_t)(high << 4 | low);
}

/* MCC and MNC as TS 24.501 has them; the rest of the IMSI, two digits an octet, into plain. */
static bool split_imsi(struct applet *a, uint8_t plmn[3], struct buf *plain)
{
	uint8_t imsi_raw[RECORD_MAX], ad_raw[RECORD_MAX];
	struct buf imsi = BUF_OF(imsi_raw), ad = BUF_OF(ad_raw);
	char digits[IMSI_MAX + 1];
	size_t n, mnc;

	if (!read_file(a, 0, FID_IMSI, &imsi) || !read_file(a, 0, FID_AD, &ad) || imsi_decode(buf_bytes(&imsi), digits) != OK)
		return false;
	n = strlen(digits);
	mnc = ad.len >= 4 && (ad_raw[3] & 0x0F) == 3 ? 3 : 2;
	if (n <= 3 + mnc)
		return false;
	plmn[0] = two(digits, 0, n);
	plmn[1] = (uint8_t)((mnc == 3 ? digits[5] - '0' : 0x0F) << 4 | (digits[2] - '0'));
	plmn[2] = two(digits, 3, n);
	for (size_t i = 3 + mnc; i < n; i += 2)
		buf_put_u8(plain, two(digits, i, n));
	return !plain->failed;
}

enum sw usim_get_identity(struct command *c)
{
	uint8_t info_raw[RECORD_MAX], routing_raw[RECORD_MAX], plain_raw[IMSI_PLAIN_MAX], plmn[3], raw[128], scheme, key_id;
	struct buf info = BUF_OF(info_raw), routing = BUF_OF(routing_raw), plain = BUF_OF(plain_raw), b = BUF_OF(raw);
	struct applet *a = c->applet;
	struct bytes key;

	if (c->p1 != 0 || c->p2 != CONTEXT_SUCI)
		return SW_WRONG_P1P2;
	if (!usim_service(a, SERVICE_SUCI) || !usim_service(a, SERVICE_SUCI_BY_USIM))
		return SW_CONDITIONS_NOT_SATISFIED;
	if (!split_imsi(a, plmn, &plain) || !read_file(a, FID_DF_SAIP, FID_SUCI_CALC_INFO_USIM, &info) ||
	        !take_scheme(buf_bytes(&info), &scheme, &key_id, &key))
		return SW_REFERENCE_NOT_FOUND;
	if (!read_file(a, FID_DF_5GS, FID_ROUTING_INDICATOR, &routing) || routing.len < ROUTING_LEN)
		memcpy(routing_raw, "\xF0\xFF", ROUTING_LEN); /* routing indicator 0 */
	buf_put_u8(&b, TYPE_SUCI_IMSI);
	buf_put(&b, BYTES_OF(plmn));
	buf_put(&b, (struct bytes){ routing_raw, ROUTING_LEN });
	buf_put_u8(&b, scheme);
	buf_put_u8(&b, key_id);
	if (suci_conceal((enum suci_scheme)scheme, key, buf_bytes(&plain), a->card->env.rng, &b) != OK)
		return SW_TECHNICAL_PROBLEM;
	tlv_put(c->rsp, TAG_SUCI, buf_bytes(&b));
	return SW_OK;
}
