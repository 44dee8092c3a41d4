/* SPDX-License-Identifier: Apache-2.0 */
/* eccsi.h - ECCSI certificateless signatures (RFC 6507) on P-256 with SHA-256. Curve arithmetic is OpenSSL's.
 * Secret: KSAK, SSK, v, j. Everything done with them is constant-time as far as OpenSSL's EC_POINT_mul with one scalar,
 * BN_mod_mul_montgomery and BN_mod_exp_mont_consttime are; verification and validation of public points are not, and need not
 * be. */
#ifndef CRYPTO_GUARDED_ECCSI_H
#define CRYPTO_GUARDED_ECCSI_H

#include "crypto/common/rng.h"

enum { ECCSI_SCALAR_LEN = 32, ECCSI_POINT_LEN = 65, ECCSI_SIGNATURE_LEN = 129, ECCSI_HASH_LEN = 32 };

/* KMS: KSAK random in 1..q-1, KPAK = [KSAK]G (4.2). */
MUST_USE enum status eccsi_kms_new(struct rng *, struct secret *ksak, uint8_t kpak[static ECCSI_POINT_LEN]);

/* KMS: a key pair for id (5.1.1). */
MUST_USE enum status eccsi_extract(struct rng *, const struct secret *ksak, const uint8_t kpak[static ECCSI_POINT_LEN],
        struct bytes id, struct secret *ssk, uint8_t pvt[static ECCSI_POINT_LEN]);

/* Holder: KPAK and PVT on the curve, KPAK = [SSK]G - [HS]PVT (5.1.2); hs is kept for signing. ERR_CRYPTO otherwise. */
MUST_USE enum status eccsi_validate(const uint8_t kpak[static ECCSI_POINT_LEN], struct bytes id, const struct secret *ssk,
        const uint8_t pvt[static ECCSI_POINT_LEN], uint8_t hs[static ECCSI_HASH_LEN]);

/* Signature r || s || PVT over the message (5.2.1). */
MUST_USE enum status eccsi_sign(struct rng *, const uint8_t hs[static ECCSI_HASH_LEN], const struct secret *ssk,
        const uint8_t pvt[static ECCSI_POINT_LEN], struct bytes message, uint8_t signature[static ECCSI_SIGNATURE_LEN]);

/* Check a signature (5.2.2) with 0 < r < p, 0 < s < q and PVT on the curve. Malleable by design: r || q-s || PVT passes
 * too. One error for every reason: ERR_CRYPTO. */
MUST_USE enum status eccsi_verify(
        const uint8_t kpak[static ECCSI_POINT_LEN], struct bytes id, struct bytes message, struct bytes signature);

#endif
