/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/guarded/sakke.h"

#include <stdlib.h>
#include <string.h>

#include "crypto/common/failure.h"
#include "crypto/common/hash.h"
#include "crypto/guarded/pairing1024.h"

/* Windows of the tables that last, in bits: speed against memory (docs/decisions.md). */
enum { KMS_WINDOW = 6, RECEIVER_WINDOW = 5, BATCH = 256 };

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

/* [id]P + Z, with Z = 1 */
static enum status identity_point(struct field *f, const uint8_t *public_key, struct bytes id, struct point *out)
{
	const size_t mark = f->used;
	struct point p = point_new(f), z = point_new(f);
	BIGNUM *a = scalar_new(f);

	TRY(field_done(f));
	TRY(identifier(f, id, a));
	if (!point_decode(f, (struct bytes){ public_key, SAKKE_POINT_LEN }, &z))
		return field_refused(f);
	point_generator(f, &p);
	point_mul_public(f, &p, a, &p);
	point_add(f, out, &p, &z);
	point_normalize(f, out);
	f->used = mark;
	return field_done(f);
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
	return ok ? OK : crypto_failed();
}

/* out = in XOR HashToIntegerRange(w, 2^128), w as 128 octets: the low 16 octets of v_1. */
static enum status mask(struct field *f, const struct fp *w, const uint8_t *in, uint8_t *out)
{
	uint8_t octets[SAKKE_FIELD_LEN], v[SHA256_LEN];
	const struct bytes parts[] = { BYTES_OF(octets) };

	fp_encode(f, w, octets);
	TRY(hash_stream(parts, 1, v, 1));
	for (size_t i = 0; i < SAKKE_SSV_LEN; i++)
		out[i] = in[i] ^ v[SHA256_LEN - SAKKE_SSV_LEN + i];
	secret_clean(octets, sizeof octets);
	secret_clean(v, sizeof v);
	return field_done(f);
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
	k = scalar_new(&f);
	TRY(field_done(&f));
	TRY(load_z(&f, z, k));
	point_generator(&f, &p);
	point_mul(&f, &p, k, &p);
	point_encode(&f, &p, public_key);
	return field_done(&f);
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

/* ---- tables that last --------------------------------------------------------------------------------------------------- */

struct sakke_kms {
	uint8_t public_key[SAKKE_POINT_LEN];
	struct comb p, z;
	struct powers g;
};

void sakke_kms_close(struct sakke_kms **k)
{
	if (*k == NULL)
		return;
	comb_close(&(*k)->p);
	comb_close(&(*k)->z);
	powers_close(&(*k)->g);
	free(*k);
	*k = NULL;
}

static enum status kms_open(struct sakke_kms *k)
{
	FIELD f = { 0 };
	struct point p;

	TRY(field_open(&f));
	p = point_new(&f);
	if (!point_decode(&f, BYTES_OF(k->public_key), &p))
		return field_refused(&f);
	TRY(comb_open(&f, &k->z, KMS_WINDOW, &p));
	point_generator(&f, &p);
	TRY(comb_open(&f, &k->p, KMS_WINDOW, &p));
	return powers_open(&f, &k->g, KMS_WINDOW);
}

enum status sakke_kms_open(const uint8_t public_key[static SAKKE_POINT_LEN], struct sakke_kms **out)
{
	struct sakke_kms *k = calloc(1, sizeof *k);
	enum status st;

	*out = NULL;
	if (k == NULL)
		return ERR_NO_MEMORY;
	memcpy(k->public_key, public_key, SAKKE_POINT_LEN);
	if ((st = kms_open(k)) != OK)
		sakke_kms_close(&k);
	*out = k;
	return st;
}

size_t sakke_kms_size(void)
{
	return sizeof(struct sakke_kms) + 2 * comb_size(KMS_WINDOW) + powers_size(KMS_WINDOW);
}

struct sakke_receiver {
	struct bytes id; /* in octets */
	uint8_t octets[SAKKE_FIELD_LEN];
	struct comb i;
	struct lines k;
	struct fp *work; /* for comb_mul_pairs */
};

void sakke_receiver_close(struct sakke_receiver **r)
{
	if (*r == NULL)
		return;
	fp_array_free((*r)->work, (*r)->work != NULL ? comb_work(&(*r)->i) : 0);
	comb_close(&(*r)->i);
	lines_close(&(*r)->k);
	free(*r);
	*r = NULL;
}

/* <[id]P + Z, RSK> = g (6.1.2) */
static enum status receiver_open(struct sakke_receiver *r, const uint8_t *public_key, struct bytes id, struct bytes rsk)
{
	FIELD f = { 0 };
	struct point i, k;
	struct fp *w;

	TRY(field_open(&f));
	i = point_new(&f);
	k = point_new(&f);
	w = fp_new(&f);
	TRY(identity_point(&f, public_key, id, &i));
	if (!point_decode(&f, rsk, &k))
		return field_refused(&f);
	TRY(lines_open(&f, &r->k, &k));
	lines_pairing(&f, w, &r->k, &i);
	if (!pairing_is_g(&f, w))
		return field_refused(&f);
	TRY(comb_open(&f, &r->i, RECEIVER_WINDOW, &i));
	r->work = fp_array_new(&f, comb_work(&r->i));
	return r->work != NULL ? OK : ERR_NO_MEMORY;
}

enum status sakke_receiver_open(
        const uint8_t public_key[static SAKKE_POINT_LEN], struct bytes id, struct bytes rsk, struct sakke_receiver **out)
{
	struct sakke_receiver *r = calloc(1, sizeof *r);
	enum status st = ERR_MALFORMED;

	*out = NULL;
	if (r == NULL)
		return ERR_NO_MEMORY;
	if (id.n <= sizeof r->octets) {
		memcpy(r->octets, id.p, id.n);
		r->id = (struct bytes){ r->octets, id.n };
		st = receiver_open(r, public_key, id, rsk);
	}
	if (st != OK)
		sakke_receiver_close(&r);
	*out = r;
	return st;
}

size_t sakke_receiver_size(const struct sakke_receiver *r)
{
	return sizeof *r + comb_size(RECEIVER_WINDOW) + lines_size(&r->k) + comb_work(&r->i) * sizeof *r->work;
}

/* ---- extraction --------------------------------------------------------------------------------------------------------- */

static enum status extract(const struct sakke_kms *kms, const struct secret_large *z, struct bytes id, struct secret_large *rsk)
{
	FIELD f = { 0 };
	struct point p;
	BIGNUM *a, *k;

	TRY(field_open(&f));
	p = point_new(&f);
	a = scalar_new(&f);
	k = scalar_new(&f);
	TRY(field_done(&f));
	TRY(identifier(&f, id, a));
	TRY(load_z(&f, z, k));
	if (BN_mod_add_quick(k, k, a, f.q) != 1)
		return crypto_failed();
	if (BN_is_zero(k))
		return ERR_CRYPTO;
	scalar_invert(&f, k, k);
	if (kms != NULL) {
		comb_mul(&f, &p, &kms->p, k);
	} else {
		point_generator(&f, &p);
		point_mul(&f, &p, k, &p);
	}
	rsk->len = SAKKE_POINT_LEN;
	point_encode(&f, &p, rsk->data);
	return field_done(&f);
}

enum status sakke_extract(const struct secret_large *z, struct bytes id, struct secret_large *rsk)
{
	return extract(NULL, z, id, rsk);
}

enum status sakke_kms_extract(
        const struct sakke_kms *kms, const struct secret_large *z, struct bytes id, struct secret_large *rsk)
{
	return extract(kms, z, id, rsk);
}

enum status sakke_validate(const uint8_t public_key[static SAKKE_POINT_LEN], struct bytes id, struct bytes rsk)
{
	FIELD f = { 0 };
	struct point i, k;
	struct fp *w;

	TRY(field_open(&f));
	i = point_new(&f);
	k = point_new(&f);
	w = fp_new(&f);
	TRY(identity_point(&f, public_key, id, &i));
	if (!point_decode(&f, rsk, &k))
		return field_refused(&f);
	pairing(&f, w, &i, &k);
	return pairing_is_g(&f, w) ? field_done(&f) : field_refused(&f);
}

/* ---- encapsulation --------------------------------------------------------------------------------------------------------
 */

/* R and H from [r]([id]P + Z) and g^r (6.2.1, steps 2 and 3), with one inversion for both. */
static enum status finish(
        struct field *f, struct point *point, const struct pair *power, const struct secret *ssv, uint8_t *data)
{
	const size_t mark = f->used;
	struct fp *both = fp_new(f), *t = fp_new(f);
	enum status st;

	fp_mul(f, both, point->z, power->a);
	if (fp_is_zero(f, both))
		return ERR_CRYPTO;
	fp_invert(f, both, both);
	fp_mul(f, t, both, point->z); /* 1 / power->a */
	fp_mul(f, both, both, power->a);
	point_scale(f, point, both);
	data[0] = 0x04;
	fp_encode(f, point->x, data + 1);
	fp_encode(f, point->y, data + 1 + FP_LEN);
	fp_mul(f, t, t, power->b);
	st = mask(f, t, ssv->data, data + SAKKE_POINT_LEN);
	f->used = mark;
	return st;
}

enum status sakke_encapsulate(const uint8_t public_key[static SAKKE_POINT_LEN], struct bytes id, const struct secret *ssv,
        uint8_t data[static SAKKE_DATA_LEN])
{
	FIELD f = { 0 };
	struct point i;
	struct pair w;
	BIGNUM *r;

	if (ssv->len != SAKKE_SSV_LEN)
		return ERR_BUG;
	TRY(field_open(&f));
	i = point_new(&f);
	w = pair_new(&f);
	r = scalar_new(&f);
	TRY(identity_point(&f, public_key, id, &i));
	TRY(hash_to_q(&f, ssv, id, r));
	point_mul(&f, &i, r, &i);
	pairing_power(&f, &w, r);
	return finish(&f, &i, &w, ssv, data);
}

/* r and r id mod q: R = [r]([id]P + Z) = [r id]P + [r]Z */
static enum status scalars(struct field *f, const struct secret *ssv, struct bytes id, BIGNUM *r, BIGNUM *rb)
{
	TRY(identifier(f, id, rb));
	TRY(hash_to_q(f, ssv, id, r));
	/* rb r, by one factor in Montgomery form */
	if (BN_to_montgomery(rb, rb, f->mont_q, f->pool) != 1 || BN_mod_mul_montgomery(rb, rb, r, f->mont_q, f->pool) != 1)
		return crypto_failed();
	return field_done(f);
}

enum status sakke_kms_encapsulate(
        const struct sakke_kms *kms, struct bytes id, const struct secret *ssv, uint8_t data[static SAKKE_DATA_LEN])
{
	FIELD f = { 0 };
	struct point p;
	struct pair w;
	BIGNUM *r, *rb;

	if (ssv->len != SAKKE_SSV_LEN)
		return ERR_BUG;
	TRY(field_open(&f));
	p = point_new(&f);
	w = pair_new(&f);
	r = scalar_new(&f);
	rb = scalar_new(&f);
	TRY(field_done(&f));
	TRY(scalars(&f, ssv, id, r, rb));
	comb_mul(&f, &p, &kms->p, rb);
	comb_mul_add(&f, &p, &kms->z, r);
	powers_power(&f, &w, &kms->g, r);
	return finish(&f, &p, &w, ssv, data);
}

/* What a batch has for its recipients. */
struct batch {
	struct digits r[BATCH], rb[BATCH];
	struct flat *sum, *term;
	struct fp *power, *inverse; /* g^r, two elements each; and room to invert */
};

static enum status batch_run(struct field *f, const struct sakke_kms *kms, size_t n, const struct bytes *id,
        const struct secret *ssv, struct batch *b, uint8_t (*data)[SAKKE_DATA_LEN])
{
	const size_t mark = f->used;
	BIGNUM *r = scalar_new(f), *rb = scalar_new(f);
	struct fp *t = fp_new(f);

	TRY(field_done(f));
	for (size_t k = 0; k < n; k++) {
		TRY(scalars(f, ssv, id[k], r, rb));
		digits_of(f, &b->rb[k], rb, KMS_WINDOW);
		digits_of(f, &b->r[k], r, KMS_WINDOW);
		powers_power(f, &(struct pair){ &b->power[2 * k], &b->power[2 * k + 1] }, &kms->g, r);
	}
	for (unsigned i = 0; i < kms->p.count; i++)
		for (int half = 0; half < 2; half++) {
			for (size_t k = 0; k < n; k++)
				comb_read(f, half == 0 ? &kms->p : &kms->z, half == 0 ? &b->rb[k] : &b->r[k], i,
				        i == 0 && half == 0 ? &b->sum[k] : &b->term[k]);
			if (i > 0 || half > 0)
				flat_add(f, b->sum, b->term, n, b->inverse);
		}
	for (size_t k = 0; k < n; k++)
		fp_copy(f, &b->inverse[k], &b->power[2 * k]);
	fp_invert_many(f, b->inverse, n, &b->term[0].x);
	for (size_t k = 0; k < n; k++) {
		fp_mul(f, t, &b->power[2 * k + 1], &b->inverse[k]);
		TRY(mask(f, t, ssv->data, data[k] + SAKKE_POINT_LEN));
		data[k][0] = 0x04;
		fp_encode(f, &b->sum[k].x, data[k] + 1);
		fp_encode(f, &b->sum[k].y, data[k] + 1 + FP_LEN);
	}
	f->used = mark;
	return field_done(f);
}

enum status sakke_kms_encapsulate_many(const struct sakke_kms *kms, size_t n, const struct bytes *id, const struct secret *ssv,
        uint8_t (*data)[SAKKE_DATA_LEN])
{
	enum { ELEMENTS = 8 * BATCH };
	FIELD f = { 0 };
	struct batch *b = calloc(1, sizeof *b);
	struct fp *work = NULL;
	enum status st = ERR_NO_MEMORY;

	if (b != NULL && field_open(&f) == OK && (work = fp_array_new(&f, ELEMENTS)) != NULL) {
		b->sum = (struct flat *)work;
		b->term = b->sum + BATCH;
		b->power = work + 4 * BATCH;
		b->inverse = work + 6 * BATCH;
		st = ssv->len == SAKKE_SSV_LEN ? OK : ERR_BUG;
		for (size_t done = 0; st == OK && done < n; done += BATCH)
			st = batch_run(&f, kms, n - done < BATCH ? n - done : BATCH, id + done, ssv, b, data + done);
	}
	fp_array_free(work, ELEMENTS);
	if (b != NULL)
		secret_clean(b, sizeof *b);
	free(b);
	return st;
}

/* ---- decapsulation --------------------------------------------------------------------------------------------------------
 */

/* 6.2.2. A point off the curve takes the same road with the generator in its place, and fails at the end. */
static enum status decapsulate(const struct sakke_receiver *ready, const uint8_t *public_key, struct bytes id, struct bytes rsk,
        struct bytes data, struct secret *ssv)
{
	FIELD f = { 0 };
	SECRET candidate = { .len = SAKKE_SSV_LEN };
	struct point i, k, r_point;
	uint8_t test[SAKKE_POINT_LEN];
	struct bytes r_bytes, h;
	BIGNUM *r;
	struct fp *w;
	bool on_curve, equal;

	secret_wipe(ssv);
	if (data.n != SAKKE_DATA_LEN || !bytes_take(&data, SAKKE_POINT_LEN, &r_bytes) || !bytes_take(&data, SAKKE_SSV_LEN, &h))
		return ERR_CRYPTO;
	TRY(field_open(&f));
	i = point_new(&f);
	k = point_new(&f);
	r_point = point_new(&f);
	w = fp_new(&f);
	r = scalar_new(&f);
	if (ready == NULL) {
		TRY(identity_point(&f, public_key, id, &i));
		if (!point_decode(&f, rsk, &k))
			return field_refused(&f);
	}
	on_curve = point_decode(&f, r_bytes, &r_point);
	if (!on_curve)
		point_generator(&f, &r_point);
	if (ready != NULL)
		lines_pairing(&f, w, &ready->k, &r_point);
	else
		pairing(&f, w, &r_point, &k);
	TRY(mask(&f, w, h.p, candidate.data));
	TRY(hash_to_q(&f, &candidate, id, r));
	if (ready != NULL)
		comb_mul_pairs(&f, &i, &ready->i, r, ready->work);
	else
		point_mul(&f, &i, r, &i);
	point_encode(&f, &i, test);
	equal = secret_equals(BYTES_OF(test), r_bytes);
	secret_clean(test, sizeof test);
	TRY(field_done(&f));
	if (!on_curve || !equal)
		return ERR_CRYPTO;
	return secret_set(ssv, secret_bytes(&candidate));
}

enum status sakke_decapsulate(const uint8_t public_key[static SAKKE_POINT_LEN], struct bytes id, struct bytes rsk,
        struct bytes data, struct secret *ssv)
{
	return decapsulate(NULL, public_key, id, rsk, data, ssv);
}

enum status sakke_receiver_decapsulate(const struct sakke_receiver *r, struct bytes data, struct secret *ssv)
{
	return decapsulate(r, NULL, r->id, (struct bytes){ NULL, 0 }, data, ssv);
}
