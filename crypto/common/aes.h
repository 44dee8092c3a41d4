/* SPDX-License-Identifier: Apache-2.0 */
/* aes.h - AES in the modes the specifications name, all OpenSSL's. Keys of 16, 24 or 32 octets.
 * Input and output may be the same buffer, not overlap otherwise. Constant-time (AES-NI or OpenSSL's bitsliced code). */
#ifndef CRYPTO_COMMON_AES_H
#define CRYPTO_COMMON_AES_H

#include "apdu/base/secret.h"

enum { AES_BLOCK = 16, GCM_IV_LEN = 12, GCM_TAG_LEN = 16 };

/* Counter mode from a full 16-octet initial counter block, 128-bit increment; out gets in.n octets. */
MUST_USE enum status aes_ctr(struct bytes key, const uint8_t iv[static AES_BLOCK], struct bytes in, uint8_t *out);

/* Whole blocks, each by itself: for algorithms built on the block cipher (Milenage). in.n a multiple of 16. */
MUST_USE enum status aes_ecb(struct bytes key, struct bytes in, uint8_t *out);

/* CBC without padding, IV zero (TS 102 225 5.1.2); in.n must be a multiple of 16. */
MUST_USE enum status aes_cbc_encrypt(struct bytes key, struct bytes in, uint8_t *out);
MUST_USE enum status aes_cbc_decrypt(struct bytes key, struct bytes in, uint8_t *out);
/* The same with an IV. */
MUST_USE enum status aes_cbc_iv_encrypt(struct bytes key, const uint8_t iv[static AES_BLOCK], struct bytes in, uint8_t *out);
MUST_USE enum status aes_cbc_iv_decrypt(struct bytes key, const uint8_t iv[static AES_BLOCK], struct bytes in, uint8_t *out);

/* CMAC (SP 800-38B) over the concatenation of n parts. */
MUST_USE enum status aes_cmac(struct bytes key, const struct bytes *parts, size_t n, uint8_t out[static AES_BLOCK]);

/* GCM, iv of 1..16 octets (12 unless a format says otherwise): out gets in.n octets of ciphertext and 16 of tag. */
MUST_USE enum status aes_gcm_seal(struct bytes key, struct bytes iv, struct bytes aad, struct bytes in, uint8_t *out);
/* GCM: in is ciphertext || tag. On a wrong tag ERR_CRYPTO, and out (in.n - 16 octets) is wiped. */
MUST_USE enum status aes_gcm_open(struct bytes key, struct bytes iv, struct bytes aad, struct bytes in, uint8_t *out);

#endif
