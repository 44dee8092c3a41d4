/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/common/hash.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>

#include "crypto/common/failure.h"

static enum status digest(const EVP_MD *md, const struct bytes *parts, size_t n, uint8_t *out)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = ctx != NULL && EVP_DigestInit_ex(ctx, md, NULL) == 1;

	for (size_t i = 0; ok && i < n; i++)
		ok = EVP_DigestUpdate(ctx, parts[i].p, parts[i].n) == 1;
	ok = ok && EVP_DigestFinal_ex(ctx, out, NULL) == 1;
	EVP_MD_CTX_free(ctx);
	return ok ? OK : crypto_failed();
}

enum status sha256(const struct bytes *parts, size_t n, uint8_t out[static SHA256_LEN])
{
	return digest(EVP_sha256(), parts, n, out);
}

enum status sha1(const struct bytes *parts, size_t n, uint8_t out[static SHA1_LEN])
{
	return digest(EVP_sha1(), parts, n, out);
}

/* Fetching the algorithm costs more than the MAC itself (performance.md 7.1), so it is fetched once a process. */
static EVP_MAC *hmac_algorithm(void)
{
	static EVP_MAC *mac;

	if (mac == NULL)
		mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	return mac;
}

static enum status hmac(char *digest, struct bytes key, const struct bytes *parts, size_t n, uint8_t *out, size_t len)
{
	EVP_MAC *mac = hmac_algorithm();
	EVP_MAC_CTX *ctx = mac != NULL ? EVP_MAC_CTX_new(mac) : NULL;
	OSSL_PARAM params[] = { OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0), OSSL_PARAM_END };
	static const uint8_t none[1];
	size_t written = 0;
	bool ok = ctx != NULL && EVP_MAC_init(ctx, key.n > 0 ? key.p : none, key.n, params) == 1;

	for (size_t i = 0; ok && i < n; i++)
		ok = EVP_MAC_update(ctx, parts[i].p, parts[i].n) == 1;
	ok = ok && EVP_MAC_final(ctx, out, &written, len) == 1 && written == len;
	EVP_MAC_CTX_free(ctx);
	return ok ? OK : crypto_failed();
}

enum status hmac_sha256(struct bytes key, const struct bytes *parts, size_t n, uint8_t out[static SHA256_LEN])
{
	char name[] = "SHA256";

	return hmac(name, key, parts, n, out, SHA256_LEN);
}

enum status hmac_sha1(struct bytes key, const struct bytes *parts, size_t n, uint8_t out[static SHA1_LEN])
{
	char name[] = "SHA1";

	return hmac(name, key, parts, n, out, SHA1_LEN);
}

enum status kdf_33220(struct bytes key, uint8_t fc, const struct bytes *params, size_t n, uint8_t out[static SHA256_LEN])
{
	struct bytes parts[1 + 2 * 8];
	uint8_t lengths[8][2];

	if (n > 8)
		return ERR_BUG;
	parts[0] = (struct bytes){ &fc, 1 };
	for (size_t i = 0; i < n; i++) {
		lengths[i][0] = (uint8_t)(params[i].n >> 8);
		lengths[i][1] = (uint8_t)params[i].n;
		parts[1 + 2 * i] = params[i];
		parts[2 + 2 * i] = BYTES_OF(lengths[i]);
	}
	return hmac_sha256(key, parts, 1 + 2 * n, out);
}
