/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/common/aes.h"

#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>

#include "crypto/common/failure.h"

enum mode { MODE_CTR, MODE_CBC, MODE_GCM, MODE_ECB };

/* Fetching an algorithm costs more than a short message does, so each is fetched once a process. */
static const EVP_CIPHER *cipher_of(enum mode mode, size_t key_len)
{
	static const char *const names[4][3] = { { "AES-128-CTR", "AES-192-CTR", "AES-256-CTR" },
		{ "AES-128-CBC", "AES-192-CBC", "AES-256-CBC" }, { "AES-128-GCM", "AES-192-GCM", "AES-256-GCM" },
		{ "AES-128-ECB", "AES-192-ECB", "AES-256-ECB" } };
	static EVP_CIPHER *fetched[4][3];
	size_t size = key_len / 8 - 2;

	if (key_len % 8 != 0 || size > 2)
		return NULL;
	if (fetched[mode][size] == NULL)
		fetched[mode][size] = EVP_CIPHER_fetch(NULL, names[mode][size], NULL);
	return fetched[mode][size];
}

static enum status cipher(enum mode mode, bool encrypt, struct bytes key, const uint8_t *iv, struct bytes in, uint8_t *out)
{
	const EVP_CIPHER *c = cipher_of(mode, key.n);
	EVP_CIPHER_CTX *ctx;
	int n = 0;
	bool ok;

	if (in.n > INT_MAX || key.n % 8 != 0 || key.n < 16 || key.n > 32 ||
	        ((mode == MODE_CBC || mode == MODE_ECB) && in.n % AES_BLOCK != 0))
		return ERR_BUG;
	ctx = EVP_CIPHER_CTX_new();
	ok = c != NULL && ctx != NULL && EVP_CipherInit_ex(ctx, c, NULL, key.p, iv, encrypt ? 1 : 0) == 1 &&
	     EVP_CIPHER_CTX_set_padding(ctx, 0) == 1 &&
	     (in.n == 0 || (EVP_CipherUpdate(ctx, out, &n, in.p, (int)in.n) == 1 && (size_t)n == in.n));
	EVP_CIPHER_CTX_free(ctx);
	return ok ? OK : crypto_failed();
}

enum status aes_ctr(struct bytes key, const uint8_t iv[static AES_BLOCK], struct bytes in, uint8_t *out)
{
	return cipher(MODE_CTR, true, key, iv, in, out);
}

enum status aes_ecb(struct bytes key, struct bytes in, uint8_t *out)
{
	return cipher(MODE_ECB, true, key, NULL, in, out);
}

static const uint8_t zero_iv[AES_BLOCK];

enum status aes_cbc_encrypt(struct bytes key, struct bytes in, uint8_t *out)
{
	return cipher(MODE_CBC, true, key, zero_iv, in, out);
}

enum status aes_cbc_decrypt(struct bytes key, struct bytes in, uint8_t *out)
{
	return cipher(MODE_CBC, false, key, zero_iv, in, out);
}

enum status aes_cbc_iv_encrypt(struct bytes key, const uint8_t iv[static AES_BLOCK], struct bytes in, uint8_t *out)
{
	return cipher(MODE_CBC, true, key, iv, in, out);
}

enum status aes_cbc_iv_decrypt(struct bytes key, const uint8_t iv[static AES_BLOCK], struct bytes in, uint8_t *out)
{
	return cipher(MODE_CBC, false, key, iv, in, out);
}

enum status aes_cmac(struct bytes key, const struct bytes *parts, size_t n, uint8_t out[static AES_BLOCK])
{
	static EVP_MAC *mac;
	EVP_MAC_CTX *ctx;
	char name[] = "AES-128-CBC";
	OSSL_PARAM params[] = { OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_CIPHER, name, 0), OSSL_PARAM_END };
	size_t written = 0;
	bool ok;

	if (mac == NULL)
		mac = EVP_MAC_fetch(NULL, "CMAC", NULL);
	ctx = mac != NULL ? EVP_MAC_CTX_new(mac) : NULL;
	if (key.n == 24)
		name[4] = '1', name[5] = '9', name[6] = '2';
	else if (key.n == 32)
		name[4] = '2', name[5] = '5', name[6] = '6';
	ok = ctx != NULL && EVP_MAC_init(ctx, key.p, key.n, params) == 1;
	for (size_t i = 0; ok && i < n; i++)
		ok = EVP_MAC_update(ctx, parts[i].p, parts[i].n) == 1;
	ok = ok && EVP_MAC_final(ctx, out, &written, AES_BLOCK) == 1;
	EVP_MAC_CTX_free(ctx);
	return ok ? OK : crypto_failed();
}

/* A GCM context with key and IV set, or NULL. */
static EVP_CIPHER_CTX *gcm_start(bool encrypt, struct bytes key, struct bytes iv, struct bytes aad)
{
	const EVP_CIPHER *c = cipher_of(MODE_GCM, key.n);
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int n = 0;

	if (c != NULL && ctx != NULL && aad.n <= INT_MAX && iv.n >= 1 && iv.n <= 16 &&
	        EVP_CipherInit_ex(ctx, c, NULL, NULL, NULL, encrypt ? 1 : 0) == 1 &&
	        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_IVLEN, (int)iv.n, NULL) == 1 &&
	        EVP_CipherInit_ex(ctx, NULL, NULL, key.p, iv.p, encrypt ? 1 : 0) == 1 &&
	        (aad.n == 0 || EVP_CipherUpdate(ctx, NULL, &n, aad.p, (int)aad.n) == 1))
		return ctx;
	EVP_CIPHER_CTX_free(ctx);
	return NULL;
}

enum status aes_gcm_seal(struct bytes key, struct bytes iv, struct bytes aad, struct bytes in, uint8_t *out)
{
	EVP_CIPHER_CTX *ctx = gcm_start(true, key, iv, aad);
	int n = 0;
	bool ok = ctx != NULL && in.n <= INT_MAX && (in.n == 0 || EVP_EncryptUpdate(ctx, out, &n, in.p, (int)in.n) == 1) &&
	          EVP_EncryptFinal_ex(ctx, out + in.n, &n) == 1 &&
	          EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, GCM_TAG_LEN, out + in.n) == 1;

	EVP_CIPHER_CTX_free(ctx);
	return ok ? OK : crypto_failed();
}

enum status aes_gcm_open(struct bytes key, struct bytes iv, struct bytes aad, struct bytes in, uint8_t *out)
{
	uint8_t expected[GCM_TAG_LEN];
	EVP_CIPHER_CTX *ctx;
	struct bytes text;
	enum status st = OK;
	int n = 0;

	if (in.n < GCM_TAG_LEN || in.n > INT_MAX || !bytes_take(&in, in.n - GCM_TAG_LEN, &text) ||
	        !bytes_take_copy(&in, expected, GCM_TAG_LEN))
		return ERR_TRUNCATED;
	ctx = gcm_start(false, key, iv, aad);
	if (ctx == NULL || (text.n > 0 && EVP_DecryptUpdate(ctx, out, &n, text.p, (int)text.n) != 1) ||
	        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, GCM_TAG_LEN, expected) != 1)
		st = crypto_failed();
	else if (EVP_DecryptFinal_ex(ctx, out + text.n, &n) != 1)
		st = crypto_refused();
	EVP_CIPHER_CTX_free(ctx);
	if (st != OK)
		secret_clean(out, text.n);
	return st;
}
