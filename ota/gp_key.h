/* SPDX-License-Identifier: Apache-2.0 */
/* gp_key.h - GlobalPlatform's instructions, and a key inside PUT KEY (GlobalPlatform 2.3, 11.8): type 88, the key's length and
 * itself under the DEK, its check value. The length may be missing. */
#ifndef OTA_GP_KEY_H
#define OTA_GP_KEY_H

#include "apdu/base/secret.h"

enum gp_key_type { GP_KEY_3DES = 0x82, GP_KEY_PSK = 0x85, GP_KEY_AES = 0x88 };
enum { GP_KCV_LEN = 3 };
enum {
	INS_GET_DATA = 0xCA,
	INS_PUT_KEY = 0xD8,
	INS_STORE_DATA = 0xE2,
	INS_DELETE = 0xE4,
	INS_INSTALL = 0xE6,
	INS_LOAD = 0xE8,
	INS_SET_STATUS = 0xF0,
	INS_GET_STATUS = 0xF2
};

/* Append an AES key. */
MUST_USE enum status gp_key_put(struct bytes dek, const struct secret *key, struct buf *out);
/* Take the next key and append its check value to kcvs. ERR_DENIED: not an AES key; ERR_CRYPTO: the check value is wrong;
 * ERR_MALFORMED: anything else. */
MUST_USE enum status gp_key_take(struct bytes *in, struct bytes dek, struct secret *key, struct buf *kcvs);

/* A pre-shared key for TLS, type 85, of 16, 32, 48 or 64 octets, without a check value. */
MUST_USE enum status gp_psk_put(struct bytes dek, const struct secret *key, struct buf *out);
MUST_USE enum status gp_psk_take(struct bytes *in, struct bytes dek, struct secret *key);

#endif
