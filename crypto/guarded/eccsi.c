/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/guarded/eccsi.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/obj_mac.h>
#include <string.h>

#include "crypto/common/failure.h"
#include "crypto/common/hash.h"
#include "crypto/common/once.h"

/* The curve, and Montgomery form for its order: made once, then only read. */
static struct {
	EC_GROUP *group;
	BN_MONT_CTX *mont;
	BIGNUM *less_two; /* q - 2 */
	uint8_t g[ECCSI_POINT_LEN];
} curve;

static bool curve_make(void)
{
	BN_CTX *pool = BN_CTX_new();
	bool ready;

	curve.group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
	curve.mont = BN_MONT_CTX_new();
	ready = pool != NULL && curve.group != NULL && curve.mont != NULL &&
	        (curve.less_two = BN_dup(EC_GROUP_get0_order(curve.group))) != NULL && BN_sub_word(curve.less_two, 2) == 1 &&
	        BN_MONT_CTX_set(curve.mont, EC_GROUP_get0_order(curve.group), pool) == 1 &&
	        EC_POINT_point2oct(curve.group, EC_GROUP_get0_generator(curve.group), POINT_CONVERSION_UNCOMPRESSED, curve.g,
	                sizeof curve.g, pool) == sizeof curve.g;
	BN_CTX_free(pool);
	if (ready)
		return true;
	EC_GROUP_free(curve.group);
	BN_MONT_CTX_free(curve.mont);
	BN_free(curve.less_two);
	curve.less_two = NULL;
	return false;
}

/* One operation's working set: the curve, and a pool that is wiped at the end. */
struct p256 {
	const EC_GROUP *group;
	BN_CTX *pool;
	BN_MONT_CTX *mont;
	const BIGNUM *q;
	const uint8_t *g;
};

static void p256_close(struct p256 *c)
{
	if (c->pool != NULL)
		BN_CTX_end(c->pool);
	BN_CTX_free(c->pool); /* clears every number it lent */
}

static enum status p256_open(struct p256 *c)
{
	static struct once once = ONCE_NOT_YET;

	*c = (struct p256){ 0 };
	if (!once_ready(&once, curve_make) || (c->pool = BN_CTX_secure_new()) == NULL)
		return crypto_failed();
	BN_CTX_start(c->pool);
	c->group = curve.group;
	c->mont = curve.mont;
	c->q = EC_GROUP_get0_order(curve.group);
	c->g = curve.g;
	return OK;
}

#define P256 __attribute__((cleanup(p256_close))) struct p256

static void point_free(EC_POINT **p)
{
	EC_POINT_clear_free(*p);
}

#define POINT __attribute__((cleanup(point_free))) EC_POINT

static BIGNUM *number(struct p256 *c)
{
	BIGNUM *n = BN_CTX_get(c->pool);

	if (n != NULL)
		BN_set_flags(n, BN_FLG_CONSTTIME);
	return n;
}

static BIGNUM *number_of(struct p256 *c, struct bytes b)
{
	BIGNUM *n = number(c);

	return n != NULL && b.n <= 64 && BN_bin2bn(b.p, (int)b.n, n) != NULL ? n : NULL;
}

/* r = a * b mod q, fixed time. */
static bool mul_q(struct p256 *c, BIGNUM *r, const BIGNUM *a, const BIGNUM *b)
{
	BIGNUM *m = number(c);

	return m != NULL && BN_to_montgomery(m, a, c->mont, c->pool) == 1 &&
	       BN_mod_mul_montgomery(r, m, b, c->mont, c->pool) == 1;
}

/* Reduce a 256-bit value mod q. q > 2^255, so one Montgomery round trip does it in fixed time. */
static bool reduce_q(struct p256 *c, BIGNUM *r, const BIGNUM *a)
{
	BIGNUM *one = number(c);

	return one != NULL && BN_one(one) == 1 && mul_q(c, r, a, one);
}

/* r = a^-1 mod q = a^(q-2), fixed time. */
static bool invert_q(struct p256 *c, BIGNUM *r, const BIGNUM *a)
{
	return BN_mod_exp_mont_consttime(r, a, curve.less_two, c->q, c->pool, c->mont) == 1;
}

/* Uncompressed, coordinates below p, on the curve, not infinity: OpenSSL checks all of these on decoding. */
static EC_POINT *decode_point(struct p256 *c, const uint8_t in[static ECCSI_POINT_LEN])
{
	EC_POINT *p = in[0] == 0x04 ? EC_POINT_new(c->group) : NULL;

	if (p != NULL && EC_POINT_oct2point(c->group, p, in, ECCSI_POINT_LEN, c->pool) != 1) {
		EC_POINT_free(p);
		return NULL;
	}
	return p;
}

static bool encode_point(struct p256 *c, const EC_POINT *p, uint8_t out[static ECCSI_POINT_LEN])
{
	return EC_POINT_point2oct(c->group, p, POINT_CONVERSION_UNCOMPRESSED, out, ECCSI_POINT_LEN, c->pool) == ECCSI_POINT_LEN;
}

/* out = [k]G, constant-time in k. */
static bool base_mul(struct p256 *c, const BIGNUM *k, uint8_t out[static ECCSI_POINT_LEN])
{
	POINT *p = EC_POINT_new(c->group);

	return p != NULL && EC_POINT_mul(c->group, p, k, NULL, NULL, c->pool) == 1 && encode_point(c, p, out);
}

/* A random scalar in 1..q-1 by rejection; how often it rejects depends on discarded values only. */
static enum status random_scalar(struct p256 *c, struct rng *rng, BIGNUM *k)
{
	SECRET s = { 0 };

	for (int i = 0; i < 64; i++) {
		TRY(rng_secret(rng, &s, ECCSI_SCALAR_LEN));
		if (BN_bin2bn(s.data, ECCSI_SCALAR_LEN, k) == NULL)
			return crypto_failed();
		if (!BN_is_zero(k) && BN_cmp(k, c->q) < 0)
			return OK;
	}
	return crypto_failed();
}

static enum status hash_hs(
        struct p256 *c, const uint8_t *kpak, struct bytes id, const uint8_t *pvt, uint8_t hs[static ECCSI_HASH_LEN])
{
	const struct bytes parts[] = { { c->g, ECCSI_POINT_LEN }, { kpak, ECCSI_POINT_LEN }, id, { pvt, ECCSI_POINT_LEN } };

	return sha256(parts, 4, hs);
}

static enum status hash_he(const uint8_t *hs, const uint8_t *r, struct bytes message, BIGNUM *he)
{
	const struct bytes parts[] = { { hs, ECCSI_HASH_LEN }, { r, 32 }, message };
	uint8_t digest[SHA256_LEN];

	TRY(sha256(parts, 3, digest));
	return BN_bin2bn(digest, sizeof digest, he) != NULL ? OK : crypto_failed();
}

static enum status secret_of(const BIGNUM *n, struct secret *out)
{
	out->len = ECCSI_SCALAR_LEN;
	return BN_bn2binpad(n, out->data, ECCSI_SCALAR_LEN) == ECCSI_SCALAR_LEN ? OK : crypto_failed();
}

enum status eccsi_kms_new(struct rng *rng, struct secret *ksak, uint8_t kpak[static ECCSI_POINT_LEN])
{
	P256 c = { 0 };
	BIGNUM *k;

	TRY(p256_open(&c));
	if ((k = number(&c)) == NULL)
		return crypto_failed();
	TRY(random_scalar(&c, rng, k));
	TRY(secret_of(k, ksak));
	return base_mul(&c, k, kpak) ? OK : crypto_failed();
}

enum status eccsi_extract(struct rng *rng, const struct secret *ksak, const uint8_t kpak[static ECCSI_POINT_LEN],
        struct bytes id, struct secret *ssk, uint8_t pvt[static ECCSI_POINT_LEN])
{
	uint8_t digest[ECCSI_HASH_LEN];
	BIGNUM *v, *k, *hs, *s;
	P256 c = { 0 };

	TRY(p256_open(&c));
	v = number(&c);
	k = number_of(&c, secret_bytes(ksak));
	hs = number(&c);
	s = number(&c);
	if (v == NULL || k == NULL || hs == NULL || s == NULL)
		return crypto_failed();
	for (int i = 0; i < 8; i++) {
		TRY(random_scalar(&c, rng, v));
		if (!base_mul(&c, v, pvt))
			return crypto_failed();
		TRY(hash_hs(&c, kpak, id, pvt, digest));
		if (BN_bin2bn(digest, sizeof digest, hs) == NULL || !reduce_q(&c, hs, hs) || !mul_q(&c, s, hs, v) ||
		        BN_mod_add_quick(s, s, k, c.q) != 1)
			return crypto_failed();
		if (!BN_is_zero(s) && !BN_is_zero(hs))
			return secret_of(s, ssk);
	}
	return crypto_failed();
}

enum status eccsi_validate(const uint8_t kpak[static ECCSI_POINT_LEN], struct bytes id, const struct secret *ssk,
        const uint8_t pvt[static ECCSI_POINT_LEN], uint8_t hs[static ECCSI_HASH_LEN])
{
	uint8_t left[ECCSI_POINT_LEN];
	P256 c = { 0 };

	TRY(p256_open(&c));
	POINT *a = decode_point(&c, kpak);
	POINT *v = decode_point(&c, pvt);
	POINT *sum = EC_POINT_new(c.group);
	BIGNUM *s = number_of(&c, secret_bytes(ssk)), *h = number(&c);

	if (a == NULL || v == NULL || sum == NULL || s == NULL || h == NULL || ssk->len != ECCSI_SCALAR_LEN || BN_is_zero(s) ||
	        BN_cmp(s, c.q) >= 0)
		return crypto_refused();
	TRY(hash_hs(&c, kpak, id, pvt, hs));
	/* [SSK]G = KPAK + [HS]PVT: the secret is multiplied alone, as one scalar. */
	if (BN_bin2bn(hs, ECCSI_HASH_LEN, h) == NULL || !base_mul(&c, s, left) ||
	        EC_POINT_mul(c.group, sum, NULL, v, h, c.pool) != 1 || EC_POINT_add(c.group, sum, sum, a, c.pool) != 1)
		return crypto_refused();
	POINT *l = decode_point(&c, left);
	return l != NULL && EC_POINT_cmp(c.group, l, sum, c.pool) == 0 ? OK : crypto_refused();
}

enum status eccsi_sign(struct rng *rng, const uint8_t hs[static ECCSI_HASH_LEN], const struct secret *ssk,
        const uint8_t pvt[static ECCSI_POINT_LEN], struct bytes message, uint8_t signature[static ECCSI_SIGNATURE_LEN])
{
	uint8_t point[ECCSI_POINT_LEN];
	BIGNUM *j, *k, *r, *he, *t;
	P256 c = { 0 };

	TRY(p256_open(&c));
	j = number(&c);
	k = number_of(&c, secret_bytes(ssk));
	r = number(&c);
	he = number(&c);
	t = number(&c);
	if (j == NULL || k == NULL || r == NULL || he == NULL || t == NULL)
		return crypto_failed();
	for (int i = 0; i < 8; i++) {
		TRY(random_scalar(&c, rng, j));
		if (!base_mul(&c, j, point) || BN_bin2bn(point + 1, 32, r) == NULL)
			return crypto_failed();
		TRY(hash_he(hs, point + 1, message, he));
		/* s = (HE + r * SSK)^-1 * j */
		if (!reduce_q(&c, r, r) || !reduce_q(&c, he, he) || !mul_q(&c, t, r, k) || BN_mod_add_quick(t, t, he, c.q) != 1)
			return crypto_failed();
		if (BN_is_zero(t))
			continue;
		if (!invert_q(&c, t, t) || !mul_q(&c, t, t, j) || BN_bn2binpad(t, signature + 32, 32) != 32)
			return crypto_failed();
		memcpy(signature, point + 1, 32);
		memcpy(signature + 64, pvt, ECCSI_POINT_LEN);
		return OK;
	}
	return crypto_failed();
}

enum status eccsi_verify(
        const uint8_t kpak[static ECCSI_POINT_LEN], struct bytes id, struct bytes message, struct bytes signature)
{
	uint8_t hs[ECCSI_HASH_LEN];
	struct bytes r_bytes, s_bytes, pvt;
	P256 c = { 0 };

	if (!bytes_take(&signature, 32, &r_bytes) || !bytes_take(&signature, 32, &s_bytes) ||
	        !bytes_take(&signature, ECCSI_POINT_LEN, &pvt) || signature.n != 0)
		return ERR_CRYPTO;
	TRY(p256_open(&c));
	POINT *a = decode_point(&c, kpak);
	POINT *v = decode_point(&c, pvt.p);
	POINT *y = EC_POINT_new(c.group);
	POINT *j = EC_POINT_new(c.group);
	BIGNUM *r = number_of(&c, r_bytes), *s = number_of(&c, s_bytes);
	BIGNUM *h = number(&c), *he = number(&c), *sr = number(&c), *p = number(&c), *x = number(&c);

	if (a == NULL || v == NULL || y == NULL || j == NULL || r == NULL || s == NULL || h == NULL || he == NULL ||
	        sr == NULL || p == NULL || x == NULL || EC_GROUP_get_curve(c.group, p, NULL, NULL, c.pool) != 1)
		return crypto_refused();
	if (BN_is_zero(r) || BN_cmp(r, p) >= 0 || BN_is_zero(s) || BN_cmp(s, c.q) >= 0)
		return ERR_CRYPTO;
	TRY(hash_hs(&c, kpak, id, pvt.p, hs));
	TRY(hash_he(hs, r_bytes.p, message, he));
	/* J = [s]([HE]G + [r]([HS]PVT + KPAK)) = [s HE]G + [s r HS]PVT + [s r]KPAK */
	if (BN_bin2bn(hs, sizeof hs, h) == NULL || !reduce_q(&c, h, h) || !reduce_q(&c, he, he) || !reduce_q(&c, sr, r) ||
	        !mul_q(&c, sr, sr, s) || !mul_q(&c, he, he, s) || !mul_q(&c, h, h, sr) ||
	        EC_POINT_mul(c.group, j, he, v, h, c.pool) != 1 || EC_POINT_mul(c.group, y, NULL, a, sr, c.pool) != 1 ||
	        EC_POINT_add(c.group, j, j, y, c.pool) != 1 || EC_POINT_is_at_infinity(c.group, j) ||
	        EC_POINT_get_affine_coordinates(c.group, j, x, NULL, c.pool) != 1)
		return crypto_refused();
	return !BN_is_zero(x) && BN_cmp(x, r) == 0 ? OK : crypto_refused();
}
