/* SPDX-License-Identifier: Apache-2.0 */
/* A stream of APDUs (one-octet lengths) against a born card: always an answer of at least two octets. A length of FF makes the
 * basic channel an administrator's, FE resets the card. */
#include "tests/fuzz/born.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static uint8_t response[APDU_RESPONSE_MAX];
	struct bytes in = { data, n }, command;
	uint64_t len;

	power_on_newborn();
	while (bytes_take_uint(&in, 1, &len)) {
		struct buf b = BUF_OF(response);

		if (len == 0xFF)
			card.channel[0].adm = true;
		if (len == 0xFE)
			card_reset(&card);
		if (len >= 0xFE)
			continue;
		if (!bytes_take(&in, (size_t)len, &command))
			break;

		card_transmit(&card, command, &b);
		if (b.failed || b.len < 2)
			abort();
	}
	return 0;
}
