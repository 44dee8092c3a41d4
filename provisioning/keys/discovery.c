/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "apdu/tlv.h"
#include "crypto/common/rng.h"
#include "provisioning/operator.h"

static enum status put_random(struct buf *b, uint32_t tag, size_t n)
{
	uint8_t *at;

	tlv_put_header(b, tag, n);
	if ((at = buf_reserve(b, n)) == NULL)
		return ERR_NO_SPACE;
	return rng_fill(&rng_system, at, n);
}

/* Codes and keys come from the generator alone, so they tell nothing about user or subscriber. */
enum status discovery_renew(struct db *db, const char *name, enum discovery_profile profile, unsigned slot_seconds)
{
	SECRET_LARGE keys = { 0 };
	struct buf b = { keys.data, 0, sizeof keys.data, false };
	struct db_discovery d = { .profile = profile, .slot_seconds = profile == DISCOVERY_33303 ? 1 : slot_seconds };

	if (strlen(name) == 0 || strlen(name) >= sizeof d.name || slot_seconds == 0)
		return ERR_MALFORMED;
	(void)snprintf(d.name, sizeof d.name, "%s", name);
	tlv_put_uint(&b, DISC_PROFILE, 1, profile);
	tlv_put_uint(&b, DISC_SLOT_SECONDS, 2, d.slot_seconds);
	TRY(put_random(&b, DISC_CODE, profile == DISCOVERY_33303 ? PROSE_CODE_LEN : 16));
	if (profile == DISCOVERY_33303) {
		TRY(put_random(&b, DISC_DUSK, 16));
		TRY(put_random(&b, DISC_DUIK, 16));
	} else {
		TRY(put_random(&b, DISC_APPLICATION_KEY, 32));
	}
	TRY(buf_status(&b));
	return db_discovery_set(db, &d, buf_bytes(&b));
}

enum status discovery_grant(struct db *db, const char *name, const char *iccid, unsigned rights, uint64_t not_before,
        uint64_t not_after, struct buf *out)
{
	SECRET_LARGE keys = { 0 };
	SECRET_LARGE payload = { 0 };
	struct buf b = { payload.data, 0, sizeof payload.data, false };
	struct db_discovery d;

	if (rights == 0 || rights > (RIGHT_ANNOUNCE | RIGHT_MONITOR))
		return ERR_MALFORMED;
	TRY(db_discovery_get(db, name, &d, &keys));
	tlv_put_uint(&b, DISC_RIGHTS, 1, rights);
	buf_put(&b, secret_large_bytes(&keys));
	TRY(buf_status(&b));
	return operator_seal(db, iccid, SEALED_DISCOVERY_KEY, bytes_str(name), not_before, not_after, buf_bytes(&b), out);
}
