/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/common/rng.h"

#include <limits.h>
#include <openssl/rand.h>

#include "crypto/common/failure.h"

static enum status system_fill(struct rng *rng, uint8_t *out, size_t n)
{
	(void)rng;
	return n <= INT_MAX && RAND_priv_bytes(out, (int)n) == 1 ? OK : crypto_failed();
}

struct rng rng_system = { system_fill };

enum status rng_fill(struct rng *rng, uint8_t *out, size_t n)
{
	return rng->fill(rng, out, n);
}

enum status rng_secret(struct rng *rng, struct secret *out, size_t n)
{
	if (n > sizeof out->data)
		return ERR_BUG;
	out->len = n;
	return rng_fill(rng, out->data, n);
}
