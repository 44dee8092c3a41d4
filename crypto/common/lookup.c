/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/common/lookup.h"

#include <string.h>

#include "crypto/common/hash.h"

enum status discovery_lookup(const uint8_t code[static DISCOVERY_CODE_LEN], uint8_t lookup[static DISCOVERY_LOOKUP_LEN])
{
	uint8_t digest[SHA256_LEN];
	const struct bytes part = { code, DISCOVERY_CODE_LEN };

	TRY(sha256(&part, 1, digest));
	memcpy(lookup, digest, DISCOVERY_LOOKUP_LEN);
	return OK;
}
