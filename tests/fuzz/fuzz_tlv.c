/* SPDX-License-Identifier: Apache-2.0 */
/* TLV: what parses is written again as a value that parses to the same. */
#include <stdlib.h>

#include "apdu/tlv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static uint8_t raw[1 << 16];
	struct bytes in = { data, n };
	struct tlv t, again;

	while (tlv_next(&in, &t) == OK) {
		struct buf b = BUF_OF(raw);
		struct bytes back;

		tlv_put(&b, t.tag, t.value);
		if (b.failed)
			continue;
		back = buf_bytes(&b);
		if (tlv_next(&back, &again) != OK || again.tag != t.tag || !bytes_equal(again.value, t.value) || back.n != 0)
			abort();
	}
	return 0;
}
