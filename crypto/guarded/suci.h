/* SPDX-License-Identifier: Apache-2.0 */
/* suci.h - concealing a subscription identifier: ECIES of TS 33.501 annex C.3, profiles A (X25519) and B (P-256, compressed
 * points), with the ANSI X9.63 KDF over SHA-256, AES-128-CTR and HMAC-SHA-256 cut to 8 octets. All OpenSSL's; constant-time as
 * OpenSSL is. */
#ifndef CRYPTO_GUARDED_SUCI_H
#define CRYPTO_GUARDED_SUCI_H

#include "crypto/common/rng.h"

enum suci_scheme { SUCI_NULL = 0, SUCI_PROFILE_A = 1, SUCI_PROFILE_B = 2 };
enum { SUCI_KEY_A_LEN = 32, SUCI_KEY_B_LEN = 33, SUCI_MAC_LEN = 8, SUCI_KEY_MAX = SUCI_KEY_B_LEN };

/* Octets of a public key of a scheme; 0 for the null scheme. */
size_t suci_key_len(enum suci_scheme);
/* The scheme output: ephemeral public key || ciphertext || MAC; the plaintext itself for the null scheme. The ephemeral key's
 * 32 octets come from rng. ERR_MALFORMED: a home network key that is none. */
MUST_USE enum status suci_conceal(
        enum suci_scheme, struct bytes home_public, struct bytes plain, struct rng *, struct buf *out);
/* The home network's side: ERR_CRYPTO if the MAC is wrong. home_private: 32 octets. */
MUST_USE enum status suci_reveal(enum suci_scheme, struct bytes home_private, struct bytes output, struct buf *plain);

#endif
