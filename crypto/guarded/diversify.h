/* SPDX-License-Identifier: Apache-2.0 */
/* diversify.h - a card's key from a batch's secret: NIST SP 800-108 in counter mode with HMAC-SHA-256 (OpenSSL's KBKDF). */
#ifndef CRYPTO_GUARDED_DIVERSIFY_H
#define CRYPTO_GUARDED_DIVERSIFY_H

#include "apdu/base/bytes.h"

enum { DIVERSIFY_MASTER_MIN = 16 };

/* out: n octets, up to 64. label: what the key is for, as apdu/birth.h names it; context: whose it is, the ICCID as in
 * EF_ICCID. ERR_MALFORMED: the secret has less than 16 octets. Time depends on lengths only. */
MUST_USE enum status key_diversify(struct bytes master, const char *label, struct bytes context, uint8_t *out, size_t n);

#endif
