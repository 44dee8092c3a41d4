/* SPDX-License-Identifier: Apache-2.0 */
/* rng.h - where random octets come from. The card, the KMS and the tests each hand in their own. */
#ifndef CRYPTO_COMMON_RNG_H
#define CRYPTO_COMMON_RNG_H

#include "apdu/base/secret.h"

struct rng {
	enum status (*fill)(struct rng *, uint8_t *out, size_t n);
};

/* OpenSSL's private DRBG (RAND_priv_bytes). */
extern struct rng rng_system;

MUST_USE enum status rng_fill(struct rng *, uint8_t *out, size_t n);
MUST_USE enum status rng_secret(struct rng *, struct secret *out, size_t n);

#endif
