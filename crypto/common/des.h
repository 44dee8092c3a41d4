/* SPDX-License-Identifier: Apache-2.0 */
/* des.h - triple DES for the OTA key sets that still have it (TS 102 225): CBC with IV zero, and the last block as a MAC. All
 * OpenSSL's; not constant-time as AES-NI is, as DES never was in software. Single DES is not here, on purpose. */
#ifndef CRYPTO_COMMON_DES_H
#define CRYPTO_COMMON_DES_H

#include "apdu/base/secret.h"

enum { DES_BLOCK_LEN = 8 };

/* key: 16 octets (two keys) or 24 (three); in.n a multiple of 8. in and out may be the same. */
MUST_USE enum status des3_cbc_encrypt(struct bytes key, struct bytes in, uint8_t *out);
MUST_USE enum status des3_cbc_decrypt(struct bytes key, struct bytes in, uint8_t *out);
/* The last CBC block over the parts, zero-padded to whole blocks. */
MUST_USE enum status des3_mac(struct bytes key, const struct bytes *parts, size_t n, uint8_t out[static DES_BLOCK_LEN]);

#endif
