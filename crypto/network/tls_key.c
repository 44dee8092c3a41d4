/* SPDX-License-Identifier: Apache-2.0 */
/* OpenSSL 3 would have a provider for this; its older key methods do the same in a page, and are what its PKCS#11 engines use.
 */
#define OPENSSL_API_COMPAT 0x10100000L
#include "crypto/network/tls_key.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

enum { HASH_LEN = 32, SCALAR_LEN = 32 };

static EC_KEY_METHOD *method;
static int where = -1;

static ECDSA_SIG *sign(const unsigned char *hash, int n, const BIGNUM *inverse, const BIGNUM *r, EC_KEY *key)
{
	const struct tls_certificate *c = EC_KEY_get_ex_data(key, where);
	uint8_t raw[2 * SCALAR_LEN];
	ECDSA_SIG *out;
	BIGNUM *x, *y;

	(void)inverse, (void)r;
	if (c == NULL || n != HASH_LEN || !c->sign(c->context, hash, raw) || (out = ECDSA_SIG_new()) == NULL)
		return NULL;
	x = BN_bin2bn(raw, SCALAR_LEN, NULL);
	y = BN_bin2bn(raw + SCALAR_LEN, SCALAR_LEN, NULL);
	if (x != NULL && y != NULL && ECDSA_SIG_set0(out, x, y) == 1)
		return out;
	BN_free(x);
	BN_free(y);
	ECDSA_SIG_free(out);
	return NULL;
}

static bool make_method(void)
{
	int (*whole)(
	        int, const unsigned char *, int, unsigned char *, unsigned int *, const BIGNUM *, const BIGNUM *, EC_KEY *);
	int (*setup)(EC_KEY *, BN_CTX *, BIGNUM **, BIGNUM **);

	if (method != NULL)
		return true;
	where = EC_KEY_get_ex_new_index(0, NULL, NULL, NULL, NULL);
	method = where >= 0 ? EC_KEY_METHOD_new(EC_KEY_OpenSSL()) : NULL;
	if (method == NULL)
		return false;
	EC_KEY_METHOD_get_sign(method, &whole, &setup, NULL);
	EC_KEY_METHOD_set_sign(method, whole, setup, sign);
	return true;
}

static EVP_PKEY *key_of(const X509 *certificate, const struct tls_certificate *c)
{
	EVP_PKEY *public_key = X509_get_pubkey((X509 *)certificate), *out = EVP_PKEY_new();
	EC_KEY *key = public_key != NULL ? EVP_PKEY_get1_EC_KEY(public_key) : NULL;

	if (key != NULL && out != NULL && EC_KEY_set_method(key, method) == 1 &&
	        EC_KEY_set_ex_data(key, where, (void *)c) == 1 && EVP_PKEY_assign_EC_KEY(out, key) == 1)
		key = NULL;
	else {
		EVP_PKEY_free(out);
		out = NULL;
	}
	EC_KEY_free(key);
	EVP_PKEY_free(public_key);
	return out;
}

bool tls_use_certificate(void *ssl_ctx, const struct tls_certificate *c)
{
	EVP_PKEY *key = NULL;
	bool ok = make_method() && SSL_CTX_use_certificate_chain_file(ssl_ctx, c->path) == 1 &&
	          (key = key_of(SSL_CTX_get0_certificate(ssl_ctx), c)) != NULL && SSL_CTX_use_PrivateKey(ssl_ctx, key) == 1;

	EVP_PKEY_free(key);
	return ok;
}

bool tls_public_key(const uint8_t point[static 65], char *pem, size_t room)
{
	EC_KEY *key = EC_KEY_new_by_curve_name(NID_X9_62_prime256v1);
	BIO *b = BIO_new(BIO_s_mem());
	int n = key != NULL && b != NULL && EC_KEY_oct2key(key, point, 65, NULL) == 1 && PEM_write_bio_EC_PUBKEY(b, key) == 1
	                ? BIO_read(b, pem, (int)room - 1)
	                : -1;
	bool ok = n > 0 && BIO_pending(b) == 0;

	pem[ok ? n : 0] = 0;
	BIO_free(b);
	EC_KEY_free(key);
	return ok;
}
