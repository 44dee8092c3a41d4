/* SPDX-License-Identifier: Apache-2.0 */
#include "apdu/birth.h"

#include <string.h>

const struct birth_field birth_fields[] = {
	{ "k", BIRTH_K, BIRTH_KEY },
	{ "opc", BIRTH_OPC, BIRTH_KEY },
	{ "pin1", BIRTH_PIN1, BIRTH_PIN },
	{ "puk1", BIRTH_PUK1, BIRTH_PUK },
	{ "pin2", BIRTH_PIN2, BIRTH_PIN },
	{ "puk2", BIRTH_PUK2, BIRTH_PUK },
	{ "universal_pin", BIRTH_UNIVERSAL_PIN, BIRTH_PIN },
	{ "universal_puk", BIRTH_UNIVERSAL_PUK, BIRTH_PUK },
	{ "kic", BIRTH_OTA_KIC, BIRTH_KEY },
	{ "kid", BIRTH_OTA_KID, BIRTH_KEY },
	{ "trk", BIRTH_TRK, BIRTH_KEY },
	{ "ink", BIRTH_INK, BIRTH_KEY },
	{ "isd_enc", BIRTH_ISD_ENC, BIRTH_KEY },
	{ "isd_mac", BIRTH_ISD_MAC, BIRTH_KEY },
	{ "isd_dek", BIRTH_ISD_DEK, BIRTH_KEY },
	{ "psk", BIRTH_PSK, BIRTH_KEY },
};
const size_t birth_field_count = sizeof birth_fields / sizeof *birth_fields;

size_t birth_own_length(enum birth_tag tag, bool tuak)
{
	return tag == BIRTH_TRK || tag == BIRTH_INK || tag == BIRTH_PSK || (tag == BIRTH_OPC && tuak) ? 32 : 16;
}

static const char *const algorithms[] = { "milenage", "tuak", "xor" };

unsigned birth_algorithm(const char *name)
{
	for (unsigned i = 0; i < sizeof algorithms / sizeof *algorithms; i++)
		if (strcmp(name, algorithms[i]) == 0)
			return i + 1;
	return 0;
}

enum status birth_put_pin(struct buf *b, const char *digits)
{
	size_t n = strlen(digits);

	if (n < 4 || n > BIRTH_PIN_LEN || strspn(digits, "0123456789") != n)
		return ERR_MALFORMED;
	buf_put(b, bytes_str(digits));
	for (; n < BIRTH_PIN_LEN; n++)
		buf_put_u8(b, 0xFF);
	return buf_status(b);
}
