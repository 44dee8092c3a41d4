/* SPDX-License-Identifier: Apache-2.0 */
/* prf.h - key derivation of RFC 3830 section 4.1 (PRF 0, HMAC-SHA-1; PRF 1, HMAC-SHA-256 of RFC 6043). */
#ifndef PROTOCOLS_MIKEY_KEYS_PRF_H
#define PROTOCOLS_MIKEY_KEYS_PRF_H

#include "apdu/base/secret.h"

enum mikey_constant {
	MIKEY_FROM_TGK_TEK = 0x2AD01C64,
	MIKEY_FROM_TGK_SALT = 0x39A2C14B,
	MIKEY_FROM_TGK_ENCRYPTION = 0x15798CEF,
	MIKEY_FROM_TGK_AUTHENTICATION = 0x1B5C7973,
	MIKEY_FROM_PSK_ENCRYPTION = 0x150533E1,
	MIKEY_FROM_PSK_AUTHENTICATION = 0x2D22AC75,
	MIKEY_FROM_PSK_SALT = 0x29B88916
};

enum { MIKEY_CS_ID_MESSAGE = 0xFF };

/* len octets (1..64) from inkey and label = constant || cs_id || csb_id || rand. prf 0 or 1. Constant-time in inkey. */
MUST_USE enum status mikey_derive(unsigned prf, struct bytes inkey, uint32_t constant, uint8_t cs_id, uint32_t csb_id,
        struct bytes rand, struct secret *out, size_t len);

#endif
