/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/common/des.h"

#include <limits.h>
#include <openssl/evp.h>
#include <string.h>

#include "crypto/common/failure.h"

static const EVP_CIPHER *cipher_of(size_t key_len)
{
	return key_len == 16 ? EVP_des_ede_cbc() : key_len == 24 ? EVP_des_ede3_cbc() : NULL;
}

static EVP_CIPHER_CTX *begin(struct bytes key, bool encrypt)
{
	static const uint8_t zero_iv[DES_BLOCK_LEN];
	const EVP_CIPHER *c = cipher_of(key.n);
	EVP_CIPHER_CTX *ctx = c != NULL ? EVP_CIPHER_CTX_new() : NULL;

	if (ctx != NULL && (EVP_CipherInit_ex(ctx, c, NULL, key.p, zero_iv, encrypt ? 1 : 0) != 1 ||
	                           EVP_CIPHER_CTX_set_padding(ctx, 0) != 1)) {
		EVP_CIPHER_CTX_free(ctx);
		return NULL;
	}
	return ctx;
}

static enum status run(struct bytes key, bool encrypt, struct bytes in, uint8_t *out)
{
	EVP_CIPHER_CTX *ctx = in.n % DES_BLOCK_LEN == 0 && in.n <= INT_MAX ? begin(key, encrypt) : NULL;
	int n = 0;
	bool ok = ctx != NULL && (in.n == 0 || (EVP_CipherUpdate(ctx, out, &n, in.p, (int)in.n) == 1 && (size_t)n == in.n));

	EVP_CIPHER_CTX_free(ctx);
	return ok ? OK : crypto_failed();
}

enum status des3_cbc_encrypt(struct bytes key, struct bytes in, uint8_t *out)
{
	return run(key, true, in, out);
}

enum status des3_cbc_decrypt(struct bytes key, struct bytes in, uint8_t *out)
{
	return run(key, false, in, out);
}

/* Blocks one after the other: parts need not be whole ones. */
enum status des3_mac(struct bytes key, const struct bytes *parts, size_t n, uint8_t out[static DES_BLOCK_LEN])
{
	EVP_CIPHER_CTX *ctx = begin(key, true);
	uint8_t block[DES_BLOCK_LEN] = { 0 };
	size_t filled = 0;
	bool ok = ctx != NULL;
	int len;

	memset(out, 0, DES_BLOCK_LEN);
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < parts[i].n; k++) {
			block[filled++] = parts[i].p[k];
			if (filled < sizeof block)
				continue;
			ok = ok && EVP_CipherUpdate(ctx, out, &len, block, sizeof block) == 1;
			filled = 0;
		}
	if (filled > 0) {
		memset(block + filled, 0, sizeof block - filled);
		ok = ok && EVP_CipherUpdate(ctx, out, &len, block, sizeof block) == 1;
	}
	EVP_CIPHER_CTX_free(ctx);
	secret_clean(block, sizeof block);
	return ok ? OK : crypto_failed();
}
