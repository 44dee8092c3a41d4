/* SPDX-License-Identifier: Apache-2.0 */
/* identity.h - identifiers of TS 33.180: UIDs (F.2.1), key periods, GUK-IDs (F.1.3). URIs are used exactly as given. */
#ifndef PROTOCOLS_MIKEY_KEYS_IDENTITY_H
#define PROTOCOLS_MIKEY_KEYS_IDENTITY_H

#include "apdu/base/secret.h"

enum { MIKEY_UID_LEN = 32 };
enum mikey_purpose { MIKEY_PURPOSE_GMK = 0, MIKEY_PURPOSE_PCK = 1, MIKEY_PURPOSE_CSK = 2 };

struct mikey_kms {
	struct bytes uri;
	uint64_t period; /* seconds */
	uint64_t offset; /* seconds, below period */
};

/* Number of the key period that holds a time (seconds since 1970; the count starts in 1900). 0 if period is 0. */
uint64_t mikey_period_number(const struct mikey_kms *, uint64_t unix_seconds);

/* UID = SHA-256(00 || "MIKEY-SAKKE-UID" ...): both the ECCSI ID and the SAKKE identifier of a user in a period. */
MUST_USE enum status mikey_uid(
        const struct mikey_kms *, struct bytes user_uri, uint64_t period_number, uint8_t uid[static MIKEY_UID_LEN]);

/* GUK-ID of a user for a GMK-ID, and back: the 28 low bits are XORed with the user's salt, so it is its own inverse. */
MUST_USE enum status mikey_guk_id(struct bytes gmk, struct bytes user_uri, uint32_t gmk_id, uint32_t *out);

#endif
