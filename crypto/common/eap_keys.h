/* SPDX-License-Identifier: Apache-2.0 */
/* eap_keys.h - the key hierarchies of EAP-AKA (RFC 4187 7) and EAP-AKA' (RFC 9048 3.3). Constant-time in keys; lengths are
 * public. */
#ifndef CRYPTO_COMMON_EAP_KEYS_H
#define CRYPTO_COMMON_EAP_KEYS_H

#include "crypto/common/hash.h"

enum { EAP_MAC_LEN = 16, EAP_K_ENCR_LEN = 16, EAP_K_AUT_MAX = 32, EAP_K_RE_LEN = 32, EAP_MSK_LEN = 64 };

/* What one full authentication gives; re-authentications renew msk and emsk. Wipe with secret_clean. */
struct eap_keys {
	bool prime;
	uint8_t mk[SHA1_LEN]; /* EAP-AKA: what re-authentication starts from; EAP-AKA' has k_re */
	uint8_t k_encr[EAP_K_ENCR_LEN], k_aut[EAP_K_AUT_MAX], k_re[EAP_K_RE_LEN], msk[EAP_MSK_LEN], emsk[EAP_MSK_LEN];
};

/* From CK and IK, 16 octets each. network_name and sqn_ak (the first six octets of AUTN) are for EAP-AKA' only. */
MUST_USE enum status eap_keys_full(struct eap_keys *, bool prime, struct bytes identity, const uint8_t ck[static 16],
        const uint8_t ik[static 16], struct bytes network_name, struct bytes sqn_ak);
/* MSK and EMSK of a fast re-authentication: its identity, counter (2 octets) and NONCE_S. */
MUST_USE enum status eap_keys_fast(struct eap_keys *, struct bytes identity, struct bytes counter, struct bytes nonce_s);
/* AT_MAC: the first 16 octets of HMAC-SHA-1, or HMAC-SHA-256, over packet || extra under K_aut. */
MUST_USE enum status eap_keys_mac(
        const struct eap_keys *, struct bytes packet, struct bytes extra, uint8_t out[static EAP_MAC_LEN]);

/* The generator of FIPS 186-2, change notice 1, that RFC 4187 expands MK with. */
MUST_USE enum status prf_fips_186_2(const uint8_t key[static SHA1_LEN], uint8_t *out, size_t n);

#endif
