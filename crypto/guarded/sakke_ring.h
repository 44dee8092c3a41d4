/* SPDX-License-Identifier: Apache-2.0 */
/* sakke_ring.h - the tables of the last few RSKs that were used, for whoever holds keys and runs for long: a card, or a farm of
 * cards. Worth as much as the keys: locked as far as the system lets, wiped when others take their place and at the end. Not
 * for two threads at once. */
#ifndef CRYPTO_GUARDED_SAKKE_RING_H
#define CRYPTO_GUARDED_SAKKE_RING_H

#include "crypto/guarded/sakke.h"

struct sakke_ring;

/* Room for `capacity` RSKs, 1.2 MB each, taken as they come. Tables are made when a key is validated if `early` (which makes
 * that three times as long), and otherwise when it is used for the second time. ERR_NO_MEMORY without memory. */
MUST_USE enum status sakke_ring_new(size_t capacity, bool early, struct sakke_ring **);
void sakke_ring_free(struct sakke_ring **);
/* Forget all: after a reset, or when keys are deleted. */
void sakke_ring_clear(struct sakke_ring *);

/* As sakke_validate and sakke_decapsulate, through tables if there are any. ring may be NULL. */
MUST_USE enum status sakke_ring_validate(
        struct sakke_ring *, const uint8_t public_key[static SAKKE_POINT_LEN], struct bytes id, struct bytes rsk);
MUST_USE enum status sakke_ring_decapsulate(struct sakke_ring *, const uint8_t public_key[static SAKKE_POINT_LEN],
        struct bytes id, struct bytes rsk, struct bytes data, struct secret *ssv);

#endif
