/* SPDX-License-Identifier: Apache-2.0 */
/* ecdsa.h - ECDSA on P-256 (FIPS 186-4) for a card's own certificate: all OpenSSL's, constant-time in the key. */
#ifndef CRYPTO_GUARDED_ECDSA_H
#define CRYPTO_GUARDED_ECDSA_H

#include "apdu/base/secret.h"

enum { ECDSA_SCALAR_LEN = 32, ECDSA_POINT_LEN = 65, ECDSA_HASH_LEN = 32, ECDSA_SIGNATURE_LEN = 64 };

/* A new private key, and its public one, uncompressed. */
MUST_USE enum status ecdsa_generate(struct secret *key, uint8_t public_key[static ECDSA_POINT_LEN]);
/* r || s over a hash of 32 octets. */
MUST_USE enum status ecdsa_sign(const struct secret *key, const uint8_t public_key[static ECDSA_POINT_LEN],
        const uint8_t hash[static ECDSA_HASH_LEN], uint8_t signature[static ECDSA_SIGNATURE_LEN]);

#endif
