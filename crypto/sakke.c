#include "crypto/sakke.h"

#include <string.h>

#include "crypto/fp1024.h"
#include "crypto/hash.h"

static enum status done(const struct field *f)
{
	return f->failed ? ERR_CRYPTO : OK;
}

/* An identifier as an integer, 2 <= a < q (2.2). */
static enum status identifier(struct field *f, struct bytes id, BIGNUM *a)
{
	while (id.n > 0 && id.p[0] == 0) {
		struct bytes zero;

		if (!bytes_take(&id, 1, &zero))
			return ERR_BUG;
	}
	if (id.n > SAKKE_FIELD_LEN || BN_bin2bn(id.p, (int)id.n, a) == NULL || BN_num_bits(a) < 2 || BN_cmp(a, f->q) >= 0)
		return ERR_MALFORMED;
	return OK;
}

/* [id]P + Z */
static enum status identity_point(struct field *f, const uint8_t *public_key, struct bytes id, struct point *out)
{
	struct point p = point_new(f), z = point_new(f);
	BIGNUM *a = fp_new(f);

	TRY(done(f));
	TRY(identifier(f, id, a));
	if (!point_decode(f, (struct bytes){ public_key, SAKKE_POINT_LEN }, &z))
		return ERR_CRYPTO;
	point_generator(f, &p);
	point_mul_public(f, &p, a, &p);
	point_add(f, out, &p, &z);
	return done(f);
}

/* HashToIntegerRange before the final reduction (5.1): v_1 || .. || v_l for the concatenated input. */
static enum status hash_stream(const struct bytes *in, size_t n, uint8_t *out, size_t blocks)
{
	uint8_t a[SHA256_LEN], h[SHA256_LEN] = { 0 };
	const struct bytes parts[] = { BYTES_OF(h), BYTES_OF(a) };

	TRY(sha256(in, n, a));
	for (size_t i = 0; i < blocks; i++) {
		TRY(sha256(parts, 1, h));
		TRY(sha256(parts, 2, out + i * SHA256_LEN));
	}
	secret_clean(a, sizeof a);
	return OK;
}

/* r = HashToIntegerRange(SSV || id, q). The stream is below 2^1024, so one Montgomery round trip reduces it in fixed time. */
static enum status hash_to_q(struct field *f, const struct secret *ssv, struct bytes id, BIGNUM *r)
{
	const struct bytes parts[] = { secret_bytes(ssv), id };
	uint8_t stream[SAKKE_FIELD_LEN];
	bool ok;

	TRY(hash_stream(parts, 2, stream, 4));
	ok = BN_bin2bn(stream, sizeof stream, r) != NULL && BN_to_montgomery(r, r, f->mont_q, f->pool) == 1 &&
	     BN_from_montgomery(r, r, f->mont_q, f->pool) == 1;
	secret_clean(stream, sizeof stream);
	return ok ? OK : ERR_CRYPTO;
}

/* out = in XOR HashToIntegerRange(w, 2^128), w as 128 octets: the low 16 octets of v_1. */
static enum status mask(struct field *f, const BIGNUM *w, const uint8_t *in, uint8_t *out)
{
	uint8_t octets[SAKKE_FIELD_LEN], v[SHA256_LEN];
	const struct bytes parts[] = { BYTES_OF(octets) };

	fp_encode(f, w, octets);
	TRY(hash_stream(parts, 1, v, 1));
	for (size_t i = 0; i < SAKKE_SSV_LEN; i++)
		out[i] = in[i] ^ v[SHA256_LEN - SAKKE_SSV_LEN + i];
	secret_clean(octets, sizeof octets);
	secret_clean(v, sizeof v);
	return done(f);
}

static enum status load_z(struct field *f, const struct secret_large *z, BIGNUM *out)
{
	bool ok = z->len == SAKKE_FIELD_LEN && BN_bin2bn(z->data, SAKKE_FIELD_LEN, out) != NULL && BN_cmp(out, f->q) < 0 &&
	          BN_num_bits(out) >= 2;

	secret_declassify(&ok, sizeof ok); /* a key that the KMS may have, or none */
	return ok ? OK : ERR_MALFORMED;
}

enum status sakke_kms_public(const struct secret_large *z, uint8_t public_key[static SAKKE_POINT_LEN])
{
	FIELD f = { 0 };
	struct point p;
	BIGNUM *k;

	TRY(field_open(&f));
	p = point_new(&f);
	k = fp_new(&f);
	TRY(done(&f));
	TRY(load_z(&f, z, k));
	point_generator(&f, &p);
	point_mul(&f, &p, k, &p);
	point_encode(&f, &p, public_key);
	return done(&f);
}

enum status sakke_kms_new(struct rng *rng, struct secret_large *z, uint8_t public_key[static SAKKE_POINT_LEN])
{
	for (int i = 0; i < 64; i++) {
		enum status st;

		secret_large_wipe(z);
		TRY(rng_fill(rng, z->data, SAKKE_FIELD_LEN));
		z->data[0] &= 0x3F; /* q has 1022 bits */
		z->len = SAKKE_FIELD_LEN;
		if ((st = sakke_kms_public(z, public_key)) != ERR_MALFORMED)
			return st;
	}
	return ERR_CRYPTO;
}

enum status sakke_extract(const struct secret_large *z, struct bytes id, struct secret_large *rsk)
{
	FIELD f = { 0 };
	struct point p;
	BIGNUM *a, *k, *e;

	TRY(field_open(&f));
	p = point_new(&f);
	a = fp_new(&f);
	k = fp_new(&f);
	e = fp_new(&f);
	TRY(done(&f));
	TRY(identifier(&f, id, a));
	TRY(load_z(&f, z, k));
	if (BN_mod_add_quick(k, k, a, f.q) != 1 || BN_is_zero(k) || BN_copy(e, f.q) == NULL || BN_sub_word(e, 2) != 1 ||
	        BN_mod_exp_mont_consttime(k, k, e, f.q, f.pool, f.mont_q) != 1)
		return ERR_CRYPTO;
	point_generator(&f, &p);
	point_mul(&f, &p, k, &p);
	rsk->len = SAKKE_POINT_LEN;
	point_encode(&f, &p, rsk->data);
	return done(&f);
}

enum status sakke_validate(const uint8_t public_key[static SAKKE_POINT_LEN], struct bytes id, struct bytes rsk)
{
	FIELD f = { 0 };
	struct point i, k;
	BIGNUM *w;

	TRY(field_open(&f));
	i = point_new(&f);
	k = point_new(&f);
	w = fp_new(&f);
	TRY(identity_point(&f, public_key, id, &i));
	if (!point_decode(&f, rsk, &k) || BN_is_zero(i.z))
		return ERR_CRYPTO;
	pairing(&f, w, &i, &k);
	return fp_is_g(&f, w) ? done(&f) : ERR_CRYPTO;
}

enum status sakke_encapsulate(const uint8_t public_key[static SAKKE_POINT_LEN], struct bytes id, const struct secret *ssv,
        uint8_t data[static SAKKE_DATA_LEN])
{
	FIELD f = { 0 };
	struct point i;
	BIGNUM *r, *w;

	if (ssv->len != SAKKE_SSV_LEN)
		return ERR_BUG;
	TRY(field_open(&f));
	i = point_new(&f);
	r = fp_new(&f);
	w = fp_new(&f);
	TRY(identity_point(&f, public_key, id, &i));
	TRY(hash_to_q(&f, ssv, id, r));
	point_mul(&f, &i, r, &i);
	point_encode(&f, &i, data);
	pairing_power(&f, w, r);
	return mask(&f, w, ssv->data, data + SAKKE_POINT_LEN);
}

enum status sakke_decapsulate(const uint8_t public_key[static SAKKE_POINT_LEN], struct bytes id, struct bytes rsk,
        struct bytes data, struct secret *ssv)
{
	FIELD f = { 0 };
	SECRET
	candidate = { .len = SAKKE_SSV_LEN };
	struct point i, k, r_point;
	uint8_t test[SAKKE_POINT_LEN];
	struct bytes r_bytes, h;
	BIGNUM *r, *w;
	bool on_curve, equal;

	secret_wipe(ssv);
	if (data.n != SAKKE_DATA_LEN || !bytes_take(&data, SAKKE_POINT_LEN, &r_bytes) || !bytes_take(&data, SAKKE_SSV_LEN, &h))
		return ERR_CRYPTO;
	TRY(field_open(&f));
	i = point_new(&f);
	k = point_new(&f);
	r_point = point_new(&f);
	r = fp_new(&f);
	w = fp_new(&f);
	TRY(identity_point(&f, public_key, id, &i));
	if (!point_decode(&f, rsk, &k))
		return ERR_CRYPTO;
	/* A point off the curve takes the same road with the generator in its place, and fails at the end. */
	on_curve = point_decode(&f, r_bytes, &r_point);
	if (!on_curve)
		point_generator(&f, &r_point);
	pairing(&f, w, &r_point, &k);
	TRY(mask(&f, w, h.p, candidate.data));
	TRY(hash_to_q(&f, &candidate, id, r));
	point_mul(&f, &i, r, &i);
	point_encode(&f, &i, test);
	equal = secret_equals(BYTES_OF(test), r_bytes);
	secret_clean(test, sizeof test);
	TRY(done(&f));
	if (!on_curve || !equal)
		return ERR_CRYPTO;
	return secret_set(ssv, secret_bytes(&candidate));
}
