/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/guarded/ecdsa.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <string.h>

#include "crypto/common/failure.h"

#define CURVE "P-256"

enum status ecdsa_generate(struct secret *key, uint8_t public_key[static ECDSA_POINT_LEN])
{
	EVP_PKEY *k = EVP_EC_gen(CURVE);
	BIGNUM *d = NULL;
	size_t n = 0;
	bool ok = k != NULL && EVP_PKEY_get_bn_param(k, OSSL_PKEY_PARAM_PRIV_KEY, &d) == 1 &&
	          BN_bn2binpad(d, key->data, ECDSA_SCALAR_LEN) == ECDSA_SCALAR_LEN &&
	          EVP_PKEY_get_octet_string_param(k, OSSL_PKEY_PARAM_PUB_KEY, public_key, ECDSA_POINT_LEN, &n) == 1 &&
	          n == ECDSA_POINT_LEN;

	key->len = ok ? ECDSA_SCALAR_LEN : 0;
	BN_clear_free(d);
	EVP_PKEY_free(k);
	return ok ? OK : crypto_failed();
}

static EVP_PKEY *load(const struct secret *key, const uint8_t *public_key)
{
	OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	BIGNUM *d = BN_secure_new();
	OSSL_PARAM *params = NULL;
	EVP_PKEY *out = NULL;

	if (b != NULL && c != NULL && d != NULL && BN_bin2bn(key->data, (int)key->len, d) != NULL &&
	        OSSL_PARAM_BLD_push_utf8_string(b, OSSL_PKEY_PARAM_GROUP_NAME, CURVE, 0) == 1 &&
	        OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_PRIV_KEY, d) == 1 &&
	        OSSL_PARAM_BLD_push_octet_string(b, OSSL_PKEY_PARAM_PUB_KEY, public_key, ECDSA_POINT_LEN) == 1 &&
	        (params = OSSL_PARAM_BLD_to_param(b)) != NULL && EVP_PKEY_fromdata_init(c) == 1)
		(void)EVP_PKEY_fromdata(c, &out, EVP_PKEY_KEYPAIR, params);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(b);
	EVP_PKEY_CTX_free(c);
	BN_clear_free(d);
	return out;
}

/* OpenSSL's signature is DER. */
static bool raw_of(const uint8_t *der, size_t n, uint8_t out[static ECDSA_SIGNATURE_LEN])
{
	const uint8_t *p = der;
	ECDSA_SIG *s = d2i_ECDSA_SIG(NULL, &p, (long)n);
	bool ok = s != NULL && BN_bn2binpad(ECDSA_SIG_get0_r(s), out, ECDSA_SCALAR_LEN) == ECDSA_SCALAR_LEN &&
	          BN_bn2binpad(ECDSA_SIG_get0_s(s), out + ECDSA_SCALAR_LEN, ECDSA_SCALAR_LEN) == ECDSA_SCALAR_LEN;

	ECDSA_SIG_free(s);
	return ok;
}

enum status ecdsa_sign(const struct secret *key, const uint8_t public_key[static ECDSA_POINT_LEN],
        const uint8_t hash[static ECDSA_HASH_LEN], uint8_t signature[static ECDSA_SIGNATURE_LEN])
{
	EVP_PKEY *k = key->len == ECDSA_SCALAR_LEN ? load(key, public_key) : NULL;
	EVP_PKEY_CTX *c = k != NULL ? EVP_PKEY_CTX_new(k, NULL) : NULL;
	uint8_t der[80];
	size_t n = sizeof der;
	bool ok = c != NULL && EVP_PKEY_sign_init(c) == 1 && EVP_PKEY_sign(c, der, &n, hash, ECDSA_HASH_LEN) == 1 &&
	          raw_of(der, n, signature);

	EVP_PKEY_CTX_free(c);
	EVP_PKEY_free(k);
	return ok ? OK : crypto_failed();
}
