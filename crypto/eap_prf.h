/* eap_prf.h - the key expansions of EAP-AKA and EAP-AKA'. Constant-time in keys; lengths are public. */
#ifndef CRYPTO_EAP_PRF_H
#define CRYPTO_EAP_PRF_H

#include "apdu/bytes.h"
#include "crypto/hash.h"

/* The generator of FIPS 186-2, change notice 1, as RFC 4187 7 uses it: n octets (a multiple of 20 is made) from a 20-octet key.
 */
MUST_USE enum status prf_fips_186_2(const uint8_t key[static SHA1_LEN], uint8_t *out, size_t n);

/* PRF' of RFC 9048 3.4.1: HMAC-SHA-256 chained, over the concatenation of `count` parts (at most 6). */
MUST_USE enum status prf_prime(struct bytes key, const struct bytes *parts, size_t count, uint8_t *out, size_t n);

/* The first 16 octets of HMAC-SHA-1 or HMAC-SHA-256: AT_MAC. */
MUST_USE enum status eap_mac(bool prime, struct bytes key, const struct bytes *parts, size_t count, uint8_t out[static 16]);

#endif
