/* SPDX-License-Identifier: Apache-2.0 */
/* hash.h - SHA-256, HMAC and the 3GPP key derivation, all OpenSSL's. Constant-time in keys and data of equal lengths. */
#ifndef CRYPTO_COMMON_HASH_H
#define CRYPTO_COMMON_HASH_H

#include "apdu/base/secret.h"

enum { SHA256_LEN = 32, SHA1_LEN = 20 };

/* SHA-256 of the concatenation of n parts. */
MUST_USE enum status sha256(const struct bytes *parts, size_t n, uint8_t out[static SHA256_LEN]);

/* SHA-1, where a specification still asks for it (GBA_U, EAP-AKA). */
MUST_USE enum status sha1(const struct bytes *parts, size_t n, uint8_t out[static SHA1_LEN]);

/* HMAC-SHA-256 and HMAC-SHA-1 (RFC 2104) of the concatenation of n parts. */
MUST_USE enum status hmac_sha256(struct bytes key, const struct bytes *parts, size_t n, uint8_t out[static SHA256_LEN]);
MUST_USE enum status hmac_sha1(struct bytes key, const struct bytes *parts, size_t n, uint8_t out[static SHA1_LEN]);

/* KDF of TS 33.220 B.2: HMAC-SHA-256(key, FC || P0 || L0 || P1 || L1 ...), at most 8 parameters. */
MUST_USE enum status kdf_33220(
        struct bytes key, uint8_t fc, const struct bytes *params, size_t n, uint8_t out[static SHA256_LEN]);

#endif
