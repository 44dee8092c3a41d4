/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/guarded/suci.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/obj_mac.h>
#include <openssl/param_build.h>

#include "crypto/common/aes.h"
#include "crypto/common/failure.h"
#include "crypto/common/hash.h"

enum { SCALAR_TRIES = 8, PRIVATE_LEN = 32, ENC_LEN = 16, MAC_KEY_LEN = 32, KEY_DATA_LEN = ENC_LEN + AES_BLOCK + MAC_KEY_LEN };

size_t suci_key_len(enum suci_scheme s)
{
	return s == SUCI_PROFILE_A ? SUCI_KEY_A_LEN : s == SUCI_PROFILE_B ? SUCI_KEY_B_LEN : 0;
}

/* A P-256 public key as OpenSSL's object; its point is checked to be on the curve. */
static EVP_PKEY *p256_public(struct bytes point)
{
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	char curve[] = "P-256";
	OSSL_PARAM params[] = { OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, curve, 0),
		OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (void *)point.p, point.n),
		OSSL_PARAM_construct_end() };
	EVP_PKEY *key = NULL;

	if (c == NULL || EVP_PKEY_fromdata_init(c) != 1 || EVP_PKEY_fromdata(c, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(c);
	return key;
}

/* scalar * G, compressed. */
static bool p256_multiply_base(const BIGNUM *scalar, uint8_t out[SUCI_KEY_B_LEN])
{
	EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
	EC_POINT *point = group != NULL ? EC_POINT_new(group) : NULL;
	bool ok = point != NULL && BN_is_zero(scalar) == 0 && BN_cmp(scalar, EC_GROUP_get0_order(group)) < 0 &&
	          EC_POINT_mul(group, point, scalar, NULL, NULL, NULL) == 1 &&
	          EC_POINT_point2oct(group, point, POINT_CONVERSION_COMPRESSED, out, SUCI_KEY_B_LEN, NULL) == SUCI_KEY_B_LEN;

	EC_POINT_clear_free(point);
	EC_GROUP_free(group);
	return ok;
}

/* A P-256 key pair from its scalar: OpenSSL's object, and the compressed public key. NULL if the scalar is not from 1 to n - 1.
 */
static EVP_PKEY *p256_pair(struct bytes scalar, uint8_t public_key[SUCI_KEY_B_LEN])
{
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
	BIGNUM *n = BN_secure_new();
	OSSL_PARAM *params = NULL;
	EVP_PKEY *key = NULL;

	if (n != NULL && BN_bin2bn(scalar.p, (int)scalar.n, n) != NULL && p256_multiply_base(n, public_key) && b != NULL &&
	        OSSL_PARAM_BLD_push_utf8_string(b, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) == 1 &&
	        OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_PRIV_KEY, n) == 1 &&
	        OSSL_PARAM_BLD_push_octet_string(b, OSSL_PKEY_PARAM_PUB_KEY, public_key, SUCI_KEY_B_LEN) == 1 &&
	        (params = OSSL_PARAM_BLD_to_param(b)) != NULL && c != NULL && EVP_PKEY_fromdata_init(c) == 1 &&
	        EVP_PKEY_fromdata(c, &key, EVP_PKEY_KEYPAIR, params) != 1)
		key = NULL;
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(b);
	BN_clear_free(n);
	EVP_PKEY_CTX_free(c);
	return key;
}

static EVP_PKEY *pair_of(enum suci_scheme s, struct bytes scalar, uint8_t public_key[SUCI_KEY_MAX])
{
	size_t n = SUCI_KEY_A_LEN;
	EVP_PKEY *key;

	if (scalar.n != PRIVATE_LEN)
		return NULL;
	if (s == SUCI_PROFILE_B)
		return p256_pair(scalar, public_key);
	key = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, scalar.p, scalar.n);
	if (key != NULL && EVP_PKEY_get_raw_public_key(key, public_key, &n) != 1) {
		EVP_PKEY_free(key);
		return NULL;
	}
	return key;
}

static enum status agree(enum suci_scheme s, EVP_PKEY *own, struct bytes peer, struct secret *out)
{
	EVP_PKEY *other =
	        s == SUCI_PROFILE_A ? EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, peer.p, peer.n) : p256_public(peer);
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(own, NULL);
	size_t n = sizeof out->data;
	enum status st;

	if (other != NULL && c != NULL && EVP_PKEY_derive_init(c) == 1 && EVP_PKEY_derive_set_peer(c, other) == 1 &&
	        EVP_PKEY_derive(c, out->data, &n) == 1) {
		out->len = n;
		st = OK;
	} else {
		st = crypto_refused() == ERR_NO_MEMORY ? ERR_NO_MEMORY : ERR_MALFORMED;
	}
	EVP_PKEY_CTX_free(c);
	EVP_PKEY_free(other);
	return st;
}

/* Encryption key, initial counter block and MAC key (C.3.2 step 2). */
static enum status derive(const struct secret *shared, struct bytes ephemeral, uint8_t out[KEY_DATA_LEN])
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "X963KDF", NULL);
	EVP_KDF_CTX *c = kdf != NULL ? EVP_KDF_CTX_new(kdf) : NULL;
	char digest[] = "SHA256";
	const OSSL_PARAM params[] = { OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SECRET, (void *)shared->data, shared->len),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)ephemeral.p, ephemeral.n),
		OSSL_PARAM_construct_end() };
	enum status st = c != NULL && EVP_KDF_derive(c, out, KEY_DATA_LEN, params) == 1 ? OK : crypto_failed();

	EVP_KDF_CTX_free(c);
	EVP_KDF_free(kdf);
	return st;
}

/* Keys of one message, from our private key and the other side's public one. */
static enum status message_keys(
        enum suci_scheme s, EVP_PKEY *own, struct bytes peer, struct bytes ephemeral, uint8_t keys[KEY_DATA_LEN])
{
	SECRET shared = { 0 };

	TRY(agree(s, own, peer, &shared));
	return derive(&shared, ephemeral, keys);
}

static enum status mac_of(const uint8_t keys[KEY_DATA_LEN], struct bytes ciphertext, uint8_t mac[SHA256_LEN])
{
	return hmac_sha256((struct bytes){ keys + ENC_LEN + AES_BLOCK, MAC_KEY_LEN }, &ciphertext, 1, mac);
}

enum status suci_conceal(enum suci_scheme s, struct bytes home_public, struct bytes plain, struct rng *rng, struct buf *out)
{
	SECRET scalar = { 0 };
	uint8_t ephemeral[SUCI_KEY_MAX], keys[KEY_DATA_LEN] = { 0 }, mac[SHA256_LEN], *ciphertext;
	size_t n = suci_key_len(s);
	EVP_PKEY *own = NULL;
	enum status st = ERR_NO_SPACE;

	if (s == SUCI_NULL) {
		buf_put(out, plain);
		return buf_status(out);
	}
	if (n == 0 || home_public.n != n)
		return ERR_MALFORMED;
	for (int i = 0; own == NULL; i++) { /* a scalar that P-256 does not have comes once in 2^32 */
		TRY(rng_secret(rng, &scalar, PRIVATE_LEN));
		if ((own = pair_of(s, secret_bytes(&scalar), ephemeral)) == NULL &&
		        ((st = crypto_failed()) == ERR_NO_MEMORY || i == SCALAR_TRIES))
			return st;
	}
	buf_put(out, (struct bytes){ ephemeral, n });
	if ((ciphertext = buf_reserve(out, plain.n)) != NULL &&
	        (st = message_keys(s, own, home_public, (struct bytes){ ephemeral, n }, keys)) == OK &&
	        (st = aes_ctr((struct bytes){ keys, ENC_LEN }, keys + ENC_LEN, plain, ciphertext)) == OK &&
	        (st = mac_of(keys, (struct bytes){ ciphertext, plain.n }, mac)) == OK) {
		buf_put(out, (struct bytes){ mac, SUCI_MAC_LEN });
		st = buf_status(out);
	}
	EVP_PKEY_free(own);
	secret_clean(keys, sizeof keys);
	return st;
}

enum status suci_reveal(enum suci_scheme s, struct bytes home_private, struct bytes in, struct buf *plain)
{
	uint8_t public_key[SUCI_KEY_MAX], keys[KEY_DATA_LEN] = { 0 }, mac[SHA256_LEN], *text;
	struct bytes ephemeral, ciphertext;
	EVP_PKEY *own;
	enum status st;

	if (s == SUCI_NULL) {
		buf_put(plain, in);
		return buf_status(plain);
	}
	if (suci_key_len(s) == 0 || !bytes_take(&in, suci_key_len(s), &ephemeral) || in.n < SUCI_MAC_LEN ||
	        !bytes_take(&in, in.n - SUCI_MAC_LEN, &ciphertext) || (text = buf_reserve(plain, ciphertext.n)) == NULL)
		return ERR_MALFORMED;
	if ((own = pair_of(s, home_private, public_key)) == NULL)
		return crypto_refused() == ERR_NO_MEMORY ? ERR_NO_MEMORY : ERR_MALFORMED;
	if ((st = message_keys(s, own, ephemeral, ephemeral, keys)) == OK && (st = mac_of(keys, ciphertext, mac)) == OK)
		st = secret_equals((struct bytes){ mac, SUCI_MAC_LEN }, in)
		             ? aes_ctr((struct bytes){ keys, ENC_LEN }, keys + ENC_LEN, ciphertext, text)
		             : ERR_CRYPTO;
	EVP_PKEY_free(own);
	secret_clean(keys, sizeof keys);
	return st;
}
