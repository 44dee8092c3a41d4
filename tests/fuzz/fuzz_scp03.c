/* SPDX-License-Identifier: Apache-2.0 */
/* SCP03: nothing that the session's keys have not made is ever unwrapped, in either direction, at any level and size. */
#include <stdlib.h>

#include "ota/scp03.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const uint8_t key[32] = { 0x5A }, challenge[16] = { 1 };
	static const uint8_t levels[] = { 0x00, 0x01, 0x03, 0x11, 0x13, 0x33 };
	static struct secret_large plain;
	struct bytes in = { data, n }, out;
	struct command_apdu a;
	struct scp03 s;
	uint64_t head;

	if (!bytes_take_uint(&in, 1, &head))
		return 0;
	{
		const struct scp03_keys k = { { key, 16 + 8 * (head % 3) }, { key, 16 + 8 * (head % 3) } };

		if (scp03_open(&s, &k, challenge, challenge, head & 0x80 ? 16 : 8) != OK)
			abort();
	}
	s.level = levels[(head >> 2) % 6];
	if (apdu_parse(in, &a) == OK && scp03_unwrap(&s, &a, &plain) == OK)
		abort();
	s.level = levels[(head >> 2) % 6];
	if ((s.level & 0x10) != 0 && scp03_unwrap_response(&s, in, 0x9000, &plain, &out) == OK)
		abort();
	return 0;
}
