/* Sealed objects: what parses has the header that writes the same octets again. */
#include <stdlib.h>

#include "apdu/sealed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	uint8_t raw[512];
	struct buf b = BUF_OF(raw);
	struct sealed s;

	if (sealed_parse((struct bytes){ data, n }, &s) != OK)
		return 0;
	sealed_put_header(&b, &s.header);
	if (b.failed || s.ciphertext.n < SEALED_IV_LEN + SEALED_TAG_LEN)
		abort();
	return 0;
}
