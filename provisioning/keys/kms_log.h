/* SPDX-License-Identifier: Apache-2.0 */
/* kms_log.h - who got which keys, when: every extraction of a key set is an entry, each entry's hash covers the one before, and
 * the KMS signs the last one. Who keeps that signed head sees later whether an entry was changed, added in between or taken
 * away. */
#ifndef PROVISIONING_KEYS_KMS_LOG_H
#define PROVISIONING_KEYS_KMS_LOG_H

#include "crypto/guarded/eccsi.h"
#include "protocols/pc3/kms_xml.h"
#include "provisioning/keys/kms.h"

/* Oldest first; each may be NULL; *broken: the number of the first entry that does not fit those before it, 0: none. */
struct kms_log_entry {
	uint64_t number, at, period;
	char iccid[21], uri[KMS_TEXT_MAX];
	uint8_t hash[32];
};
MUST_USE enum status kms_log_append(struct db *, uint64_t at, const char *iccid, const char *uri, uint64_t period);
MUST_USE enum status kms_log_read(
        struct db *, void (*each)(void *, const struct kms_log_entry *), void *, struct kms_log_entry *last, uint64_t *broken);

/* SHA-256 over the hash before (zeros at first), number, time and period (8 octets each), ICCID and URI (each with a zero). The
 * signature is ECCSI by the KMS's own URI in the period of `at`, over "prose-uicc kms log head\n", that URI, "\n", entries and
 * at (8 octets each) and the hash. */
struct kms_head {
	uint64_t entries, at; /* at: seconds since 1970 */
	uint8_t hash[32], signature[ECCSI_SIGNATURE_LEN];
};
MUST_USE enum status kms_head_sign(struct db *, uint64_t now, struct kms_head *, uint64_t *broken);
/* ERR_CRYPTO: not signed by this KMS. ERR_NOT_FOUND: signed, but this log has no such entry any more, or (*broken) does not
 * hold together. */
MUST_USE enum status kms_head_verify(struct db *, const struct kms_head *, uint64_t *broken);

#endif
