/* SPDX-License-Identifier: Apache-2.0 */
/* SHA1_Transform is the compression function that FIPS 186-2 calls G; OpenSSL 3 has it under "deprecated" only. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "crypto/common/eap_keys.h"

#include <string.h>

#include <openssl/sha.h>

enum { PARTS_MAX = 6, KDF_FC = 0x20, EXPANDED_AKA = 160, EXPANDED_MAX = 208 };

static void put_word(uint8_t *out, SHA_LONG v)
{
	for (int i = 3; i >= 0; i--, v >>= 8)
		out[i] = (uint8_t)v;
}

/* G(t, c): the state after one compression of c padded with zeros, without SHA-1's own padding. */
static bool g(const uint8_t c[SHA1_LEN], uint8_t out[SHA1_LEN])
{
	uint8_t block[64] = { 0 };
	SHA_CTX ctx;

	memcpy(block, c, SHA1_LEN);
	if (SHA1_Init(&ctx) != 1)
		return false;
	SHA1_Transform(&ctx, block);
	put_word(out, ctx.h0);
	put_word(out + 4, ctx.h1);
	put_word(out + 8, ctx.h2);
	put_word(out + 12, ctx.h3);
	put_word(out + 16, ctx.h4);
	secret_clean(block, sizeof block);
	secret_clean(&ctx, sizeof ctx);
	return true;
}

enum status prf_fips_186_2(const uint8_t key[static SHA1_LEN], uint8_t *out, size_t n)
{
	uint8_t x[SHA1_LEN], w[SHA1_LEN];

	memcpy(x, key, sizeof x);
	while (n > 0) {
		size_t take = n < SHA1_LEN ? n : SHA1_LEN;
		unsigned carry = 1; /* x = 1 + x + w mod 2^160 */

		if (!g(x, w))
			return ERR_CRYPTO;
		memcpy(out, w, take);
		out += take;
		n -= take;
		for (int i = SHA1_LEN - 1; i >= 0; i--, carry >>= 8) {
			carry += (unsigned)x[i] + w[i];
			x[i] = (uint8_t)carry;
		}
	}
	secret_clean(x, sizeof x);
	secret_clean(w, sizeof w);
	return OK;
}

/* PRF' of RFC 9048 3.4.1: HMAC-SHA-256, chained. */
static enum status prf_prime(struct bytes key, const struct bytes *parts, size_t count, uint8_t *out, size_t n)
{
	struct bytes in[PARTS_MAX + 2];
	uint8_t t[SHA256_LEN], i = 0;

	if (count > PARTS_MAX)
		return ERR_BUG;
	in[0] = (struct bytes){ t, 0 }; /* T0 is empty */
	memcpy(in + 1, parts, count * sizeof *parts);
	while (n > 0) {
		size_t take = n < SHA256_LEN ? n : SHA256_LEN;

		i++;
		in[count + 1] = (struct bytes){ &i, 1 };
		TRY(hmac_sha256(key, in, count + 2, t));
		in[0].n = sizeof t;
		memcpy(out, t, take);
		out += take;
		n -= take;
	}
	secret_clean(t, sizeof t);
	return OK;
}

static enum status full_aka(
        struct eap_keys *k, struct bytes id, const uint8_t *ck, const uint8_t *ik, uint8_t out[EXPANDED_MAX])
{
	TRY(sha1((struct bytes[]){ id, { ik, 16 }, { ck, 16 } }, 3, k->mk));
	return prf_fips_186_2(k->mk, out, EXPANDED_AKA);
}

static enum status full_prime(struct bytes id, const uint8_t *ck, const uint8_t *ik, struct bytes name, struct bytes sqn_ak,
        uint8_t out[EXPANDED_MAX])
{
	SECRET joined = { .len = 32 };
	SECRET primed = { .len = SHA256_LEN };

	memcpy(joined.data, ck, 16);
	memcpy(joined.data + 16, ik, 16);
	TRY(kdf_33220(secret_bytes(&joined), KDF_FC, (struct bytes[]){ name, sqn_ak }, 2, primed.data)); /* CK' || IK' */
	memcpy(joined.data, primed.data + 16, 16);
	memcpy(joined.data + 16, primed.data, 16);
	return prf_prime(secret_bytes(&joined), (struct bytes[]){ BYTES_STR("EAP-AKA'"), id }, 2, out, EXPANDED_MAX);
}

enum status eap_keys_full(struct eap_keys *k, bool prime, struct bytes identity, const uint8_t ck[static 16],
        const uint8_t ik[static 16], struct bytes network_name, struct bytes sqn_ak)
{
	uint8_t expanded[EXPANDED_MAX];
	struct bytes in = { expanded, prime ? EXPANDED_MAX : EXPANDED_AKA };
	enum status st =
	        prime ? full_prime(identity, ck, ik, network_name, sqn_ak, expanded) : full_aka(k, identity, ck, ik, expanded);

	k->prime = prime;
	if (st == OK &&
	        !(bytes_take_copy(&in, k->k_encr, sizeof k->k_encr) && bytes_take_copy(&in, k->k_aut, prime ? 32 : 16) &&
	                (!prime || bytes_take_copy(&in, k->k_re, sizeof k->k_re)) &&
	                bytes_take_copy(&in, k->msk, sizeof k->msk) && bytes_take_copy(&in, k->emsk, sizeof k->emsk)))
		st = ERR_BUG;
	secret_clean(expanded, sizeof expanded);
	return st;
}

enum status eap_keys_fast(struct eap_keys *k, struct bytes identity, struct bytes counter, struct bytes nonce_s)
{
	uint8_t expanded[2 * EAP_MSK_LEN];
	SECRET xkey = { .len = SHA1_LEN };
	enum status st;

	if (k->prime)
		st = prf_prime(BYTES_OF(k->k_re), (struct bytes[]){ BYTES_STR("EAP-AKA' re-auth"), identity, counter, nonce_s },
		        4, expanded, sizeof expanded);
	else if ((st = sha1((struct bytes[]){ identity, counter, nonce_s, BYTES_OF(k->mk) }, 4, xkey.data)) == OK)
		st = prf_fips_186_2(xkey.data, expanded, sizeof expanded);
	if (st == OK) {
		memcpy(k->msk, expanded, EAP_MSK_LEN);
		memcpy(k->emsk, expanded + EAP_MSK_LEN, EAP_MSK_LEN);
	}
	secret_clean(expanded, sizeof expanded);
	return st;
}

enum status eap_keys_mac(const struct eap_keys *k, struct bytes packet, struct bytes extra, uint8_t out[static EAP_MAC_LEN])
{
	const struct bytes parts[] = { packet, extra };
	uint8_t mac[SHA256_LEN];

	TRY(k->prime ? hmac_sha256((struct bytes){ k->k_aut, 32 }, parts, 2, mac)
	             : hmac_sha1((struct bytes){ k->k_aut, 16 }, parts, 2, mac));
	memcpy(out, mac, EAP_MAC_LEN);
	return OK;
}
