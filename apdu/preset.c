/* SPDX-License-Identifier: Apache-2.0 */
#include "apdu/preset.h"

#include "apdu/files.h"
#include "apdu/tlv.h"

enum { TAG_POLICY_ENTRY = 0xA0, TAG_ENTRY_PLMN = 0x80, TAG_ENTRY_MODEL = 0x82, MODEL_A = 0x01, OFF_NETWORK = 0x01 };

const struct preset_files preset_files[RIGHTS_COUNT] = {
	{ FID_PROSE_ANN, FID_PROSE_RADIO_ANN },
	{ FID_PROSE_MON, FID_PROSE_RADIO_MON },
	{ FID_PROSE_PLMN, FID_PROSE_RADIO_COM },
};

static bool entry_names(struct bytes entry, struct bytes plmn)
{
	struct bytes found, model;

	if (tlv_find(entry, TAG_ENTRY_PLMN, &found) != OK || !bytes_equal(found, plmn))
		return false;
	if (tlv_find(entry, TAG_ENTRY_MODEL, &model) == ERR_NOT_FOUND)
		return true;
	return model.n == 1 && (model.p[0] & MODEL_A) != 0;
}

bool preset_names(struct bytes in, struct bytes plmn)
{
	struct bytes unwritten;
	struct tlv t;

	while (in.n > 0) {
		if (in.p[0] == 0xFF) {
			if (!bytes_take(&in, 1, &unwritten))
				return false;
		} else if (tlv_next(&in, &t) != OK) {
			return false;
		} else if (t.tag == TAG_POLICY_ENTRY && entry_names(t.value, plmn)) {
			return true;
		}
	}
	return false;
}

bool preset_off_network(struct bytes content)
{
	return content.n > 0 && content.p[0] != 0xFF && (content.p[0] & OFF_NETWORK) != 0;
}

bool plmn_is_valid(struct bytes plmn)
{
	for (size_t i = 0; i < plmn.n; i++)
		if (plmn.p[i] < '0' || plmn.p[i] > '9')
			return false;
	return plmn.n == 5 || plmn.n == 6;
}

bool plmn_of_area(struct bytes area, char out[static PLMN_ROOM])
{
	/* TS 24.008 10.5.1.3: MCC2 MCC1, MNC3 MCC3, MNC2 MNC1, by nibbles; MNC3 is F in a two-digit MNC. */
	static const uint8_t nibble[PLMN_ROOM - 1] = { 0, 1, 2, 4, 5, 3 };
	struct bytes code;
	size_t n = 0;

	if (area.n != 5 || !bytes_take(&area, 3, &code) || bytes_uint(area) == 0x0000 || bytes_uint(area) == 0xFFFE)
		return false;
	for (size_t i = 0; i < sizeof nibble; i++) {
		const uint8_t octet = code.p[nibble[i] / 2], digit = nibble[i] % 2 == 0 ? octet & 0x0F : octet >> 4;

		if (digit == 0x0F && i == sizeof nibble - 1)
			break;
		out[n++] = (char)('0' + digit);
	}
	out[n] = 0;
	return plmn_is_valid(bytes_str(out));
}
