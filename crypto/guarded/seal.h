/* SPDX-License-Identifier: Apache-2.0 */
/* seal.h - make and open sealed objects: AES-256-GCM under TrK inside HMAC-SHA-256 under InK (DESIGN.md 3.4). */
#ifndef CRYPTO_GUARDED_SEAL_H
#define CRYPTO_GUARDED_SEAL_H

#include "apdu/sealed.h"
#include "crypto/common/rng.h"

/* Append the sealed object of this header and payload. trk and ink are 32 octets. */
MUST_USE enum status seal(
        struct rng *, struct bytes trk, struct bytes ink, const struct sealed_header *, struct bytes payload, struct buf *out);

/* Check the MAC first, then decrypt. ERR_CRYPTO, with nothing in *payload, if either fails. */
MUST_USE enum status seal_open(struct bytes trk, struct bytes ink, const struct sealed *, struct secret_large *payload);

#endif
