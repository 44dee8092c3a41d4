/* SPDX-License-Identifier: Apache-2.0 */
/* aka-vectors N: lines "K OPc RAND SQN(decimal) AMF AUTN CK IK RES" for N random Milenage subscribers, for tests/e2e/auc. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apdu/base/hex.h"
#include "crypto/guarded/aka.h"
#include "crypto/common/rng.h"

static void print(const uint8_t *p, size_t n)
{
	char text[65];

	(void)printf("%s ", hex_encode((struct bytes){ p, n }, text));
}

int main(int argc, char **argv)
{
	long count = argc == 2 ? atol(argv[1]) : 0;

	for (long i = 0; i < count; i++) {
		uint8_t in[16 + 16 + 16 + 6 + 2], autn[AUTN_LEN];
		const uint8_t *rand = in + 32, *sqn = in + 48, *amf = in + 54;
		struct aka_subscriber s;
		struct aka_keys keys;

		if (rng_fill(&rng_system, in, sizeof in) != OK)
			return 1;
		aka_defaults(&s, AKA_MILENAGE);
		memcpy(s.k, in, 16);
		memcpy(s.opc, in + 16, 16);
		if (aka_autn(&s, rand, sqn, amf, &keys, autn) != OK)
			return 1;
		print(s.k, 16);
		print(s.opc, 16);
		print(rand, 16);
		(void)printf("%llu ", (unsigned long long)bytes_uint((struct bytes){ sqn, 6 }));
		print(amf, 2);
		print(autn, 16);
		print(keys.ck, 16);
		print(keys.ik, 16);
		print(keys.res, 8);
		(void)putchar('\n');
	}
	return count > 0 ? 0 : 2;
}
