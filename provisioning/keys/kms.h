/* SPDX-License-Identifier: Apache-2.0 */
/* kms.h - the KMS's keys inside the operator's process. */
#ifndef PROVISIONING_KEYS_KMS_H
#define PROVISIONING_KEYS_KMS_H

#include "protocols/mikey/keys/identity.h"
#include "protocols/pc3/kms_xml.h"
#include "provisioning/operator.h"

/* In the last quarter of a period the next one's keys are given out, too. */
enum { KMS_EARLY = 4 };
/* Who is revoked, and is not on a list that a card has, is trusted until the end of the period. */
enum { KMS_PERIOD_MAX = 366 * 86400 };

struct kms {
	struct db_kms record;
	struct mikey_kms identity;
	struct secret_large z;
	struct secret ksak;
	struct secret_large keys; /* as stored */
	const uint8_t *public_key, *kpak;
};

void kms_wipe(struct kms *);
#define KMS __attribute__((cleanup(kms_wipe))) struct kms

MUST_USE enum status kms_load(struct db *, struct kms *);
/* The first second after a period, of 1970. */
uint64_t kms_period_end(const struct kms *, uint64_t number);
/* What others have to know of it, and of another agency's. */
void kms_describe(const struct kms *, struct kms_certificate_info *);
void kms_describe_external(const struct db_external_kms *, struct kms_certificate_info *);

/* What makes issuing fast, of the KMS that was used last. All zero at first. */
struct kms_tables {
	uint8_t public_key[257];
	struct sakke_kms *sakke;
};
void kms_tables_close(struct kms_tables *);

/* Append the KMS certificate and those of other agencies, sealed to a card under these keys, or (NULL) its own. */
MUST_USE enum status kms_seal_certificate(
        struct db *, const struct kms *, const struct seal_keys *, const char *iccid, struct buf *out);

/* The signing half of an identity: SSK, PVT and HS of `uri` in the period that holds `when`. */
struct kms_signer {
	struct secret ssk;
	uint8_t pvt[65], hs[32];
};
void kms_signer_wipe(struct kms_signer *);
MUST_USE enum status kms_signer_new(const struct kms *, const char *uri, uint64_t when, struct kms_signer *);

#endif
