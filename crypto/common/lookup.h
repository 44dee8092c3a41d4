/* SPDX-License-Identifier: Apache-2.0 */
/* lookup.h - the look-up value of discovery: what a monitor key yields, and what the phone computes of a received code. */
#ifndef CRYPTO_COMMON_LOOKUP_H
#define CRYPTO_COMMON_LOOKUP_H

#include "apdu/base/secret.h"

enum { DISCOVERY_CODE_LEN = 23, DISCOVERY_LOOKUP_LEN = 16 };

/* SHA-256 of the 23 code octets on the air, first 16 octets. Knowing it does not help to announce. */
MUST_USE enum status discovery_lookup(
        const uint8_t code[static DISCOVERY_CODE_LEN], uint8_t lookup[static DISCOVERY_LOOKUP_LEN]);

#endif
