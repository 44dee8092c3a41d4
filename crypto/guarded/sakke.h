/* SPDX-License-Identifier: Apache-2.0 */
/* sakke.h - SAKKE identity-based encryption (RFC 6508), Parameter Set 1 (RFC 6509 appendix A).
 * Secret: z, RSK, SSV, r, g^r, w. Their arithmetic is uniform: windows of signed odd digits and tables that are
 * read whole, one error for every reason a decapsulation fails, and the same work for each. Identifiers, points and ciphertexts
 * are public. */
#ifndef CRYPTO_GUARDED_SAKKE_H
#define CRYPTO_GUARDED_SAKKE_H

#include "crypto/common/rng.h"

enum { SAKKE_FIELD_LEN = 128, SAKKE_POINT_LEN = 257, SAKKE_SSV_LEN = 16, SAKKE_DATA_LEN = 273 };

/* KMS: z random in 2..q-1 (128 octets), Z = [z]P. */
MUST_USE enum status sakke_kms_new(struct rng *, struct secret_large *z, uint8_t public_key[static SAKKE_POINT_LEN]);

/* Z for a known z. */
MUST_USE enum status sakke_kms_public(const struct secret_large *z, uint8_t public_key[static SAKKE_POINT_LEN]);

/* KMS: the Receiver Secret Key [(id + z)^-1]P, 257 octets (6.1.1). ERR_MALFORMED if id, as an integer, is below 2 or not below
 * q. */
MUST_USE enum status sakke_extract(const struct secret_large *z, struct bytes id, struct secret_large *rsk);

/* Holder: <[id]P + Z, RSK> = g, which must hold before the key is used (6.1.2). ERR_CRYPTO otherwise. */
MUST_USE enum status sakke_validate(const uint8_t public_key[static SAKKE_POINT_LEN], struct bytes id, struct bytes rsk);

/* Sender: encapsulate a 16-octet SSV to id: R || H, 273 octets (6.2.1). Deterministic in (SSV, id). */
MUST_USE enum status sakke_encapsulate(const uint8_t public_key[static SAKKE_POINT_LEN], struct bytes id,
        const struct secret *ssv, uint8_t data[static SAKKE_DATA_LEN]);

/* Receiver (6.2.2): ssv is set only when the check of R passes; ERR_CRYPTO for every other case. */
MUST_USE enum status sakke_decapsulate(const uint8_t public_key[static SAKKE_POINT_LEN], struct bytes id, struct bytes rsk,
        struct bytes data, struct secret *ssv);

/* Tables of what one KMS's users compute again and again, for senders and for the KMS itself: public, sakke_kms_size() octets,
 * made in the time of about six encapsulations. Any number of threads may use one. ERR_CRYPTO for a public key that is no
 * point. */
struct sakke_kms;
MUST_USE enum status sakke_kms_open(const uint8_t public_key[static SAKKE_POINT_LEN], struct sakke_kms **);
void sakke_kms_close(struct sakke_kms **);
MUST_USE size_t sakke_kms_size(void);
/* As the functions above. */
MUST_USE enum status sakke_kms_extract(
        const struct sakke_kms *, const struct secret_large *z, struct bytes id, struct secret_large *rsk);
MUST_USE enum status sakke_kms_encapsulate(
        const struct sakke_kms *, struct bytes id, const struct secret *ssv, uint8_t data[static SAKKE_DATA_LEN]);
/* One SSV to n identities, faster than one after the other. */
MUST_USE enum status sakke_kms_encapsulate_many(
        const struct sakke_kms *, size_t n, const struct bytes *id, const struct secret *ssv, uint8_t (*data)[SAKKE_DATA_LEN]);

/* Tables of one RSK, worth as much as it is: wiped when they close, never written anywhere. Opening them is sakke_validate,
 * with its errors. One decapsulation at a time. */
struct sakke_receiver;
MUST_USE enum status sakke_receiver_open(
        const uint8_t public_key[static SAKKE_POINT_LEN], struct bytes id, struct bytes rsk, struct sakke_receiver **);
void sakke_receiver_close(struct sakke_receiver **);
MUST_USE size_t sakke_receiver_size(const struct sakke_receiver *);
MUST_USE enum status sakke_receiver_decapsulate(const struct sakke_receiver *, struct bytes data, struct secret *ssv);

#endif
