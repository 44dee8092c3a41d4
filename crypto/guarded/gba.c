/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/guarded/gba.h"

#include "crypto/common/hash.h"

enum { FC_NAF_KEY = 0x01 };

enum status gba_naf_key(enum gba_key kind, struct bytes ks, struct bytes rand, struct bytes impi, struct bytes naf_id,
        uint8_t out[static GBA_KEY_LEN])
{
	const struct bytes label = kind == GBA_ME ? BYTES_STR("gba-me") : BYTES_STR("gba-u");

	return kdf_33220(ks, FC_NAF_KEY, (struct bytes[]){ label, rand, impi, naf_id }, 4, out);
}

enum status gba_u_mac(struct bytes ik, uint8_t mac[static GBA_MAC_LEN])
{
	uint8_t hash[SHA1_LEN];

	TRY(sha1(&ik, 1, hash));
	for (size_t i = 0; i < GBA_MAC_LEN; i++)
		mac[i] ^= hash[i];
	return OK;
}

enum status gba_label_key(const struct secret *ks_int_naf, const char *label, struct secret *out)
{
	struct bytes text = bytes_str(label);

	out->len = SHA256_LEN;
	return hmac_sha256(secret_bytes(ks_int_naf), &text, 1, out->data);
}
