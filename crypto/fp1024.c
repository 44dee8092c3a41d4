#include "crypto/fp1024.h"

#include "crypto/sakke_set1.h"

#include <string.h>

enum { FP_LEN = 128, FP_WORDS = 1024 / BN_BITS2, Q_BITS = 1022 };

BIGNUM *fp_new(struct field *f)
{
	BIGNUM *n = BN_CTX_get(f->pool);

	/* Full width from the start, so that conditional swaps always have all words. */
	if (n == NULL || BN_set_bit(n, 1023) != 1) {
		f->failed = true;
		return n;
	}
	BN_zero(n);
	BN_set_flags(n, BN_FLG_CONSTTIME);
	return n;
}

struct point point_new(struct field *f)
{
	BIGNUM *x = fp_new(f), *y = fp_new(f);

	return (struct point){ x, y, fp_new(f) };
}

struct pair pair_new(struct field *f)
{
	BIGNUM *a = fp_new(f);

	return (struct pair){ a, fp_new(f) };
}

void field_close(struct field *f)
{
	BN_MONT_CTX_free(f->mont_p);
	BN_MONT_CTX_free(f->mont_q);
	if (f->pool != NULL)
		BN_CTX_end(f->pool);
	BN_CTX_free(f->pool);
	*f = (struct field){ 0 };
}

enum status field_open(struct field *f)
{
	*f = (struct field){ .pool = BN_CTX_new(), .mont_p = BN_MONT_CTX_new(), .mont_q = BN_MONT_CTX_new() };
	if (f->pool == NULL || f->mont_p == NULL || f->mont_q == NULL)
		return ERR_CRYPTO;
	BN_CTX_start(f->pool);
	f->p = fp_new(f);
	f->q = fp_new(f);
	f->one = fp_new(f);
	if (f->failed || BN_bin2bn(prime_p, FP_LEN, f->p) == NULL || BN_bin2bn(order_q, FP_LEN, f->q) == NULL ||
	        BN_MONT_CTX_set(f->mont_p, f->p, f->pool) != 1 || BN_MONT_CTX_set(f->mont_q, f->q, f->pool) != 1 ||
	        BN_one(f->one) != 1 || BN_to_montgomery(f->one, f->one, f->mont_p, f->pool) != 1)
		return ERR_CRYPTO;
	return OK;
}

static void check(struct field *f, int ok)
{
	if (ok != 1)
		f->failed = true;
}

void fp_mul(struct field *f, BIGNUM *r, const BIGNUM *a, const BIGNUM *b)
{
	check(f, BN_mod_mul_montgomery(r, a, b, f->mont_p, f->pool));
}

void fp_add(struct field *f, BIGNUM *r, const BIGNUM *a, const BIGNUM *b)
{
	check(f, BN_mod_add_quick(r, a, b, f->p));
}

void fp_sub(struct field *f, BIGNUM *r, const BIGNUM *a, const BIGNUM *b)
{
	BIGNUM *t;

	BN_CTX_start(f->pool);
	t = BN_CTX_get(f->pool);
	check(f, t != NULL && BN_usub(t, f->p, b) == 1 && BN_mod_add_quick(r, a, t, f->p) == 1);
	BN_CTX_end(f->pool);
}

void fp_invert(struct field *f, BIGNUM *r, const BIGNUM *a)
{
	BIGNUM *e, *t;

	BN_CTX_start(f->pool);
	e = BN_CTX_get(f->pool);
	t = BN_CTX_get(f->pool);
	check(f, t != NULL && BN_from_montgomery(t, a, f->mont_p, f->pool) == 1 && BN_copy(e, f->p) != NULL &&
	                 BN_sub_word(e, 2) == 1 && BN_mod_exp_mont_consttime(t, t, e, f->p, f->pool, f->mont_p) == 1 &&
	                 BN_to_montgomery(r, t, f->mont_p, f->pool) == 1);
	BN_CTX_end(f->pool);
}

bool fp_decode(struct field *f, struct bytes in, BIGNUM *r)
{
	bool ok = in.n == FP_LEN && BN_bin2bn(in.p, FP_LEN, r) != NULL && BN_cmp(r, f->p) < 0;

	secret_declassify(&ok, sizeof ok); /* a coordinate, or none */
	return ok && BN_to_montgomery(r, r, f->mont_p, f->pool) == 1;
}

void fp_encode(struct field *f, const BIGNUM *a, uint8_t *out)
{
	BIGNUM *t;

	BN_CTX_start(f->pool);
	t = BN_CTX_get(f->pool);
	check(f, t != NULL && BN_from_montgomery(t, a, f->mont_p, f->pool) == 1 && BN_bn2binpad(t, out, FP_LEN) == FP_LEN);
	BN_CTX_end(f->pool);
}

static void fp_copy(struct field *f, BIGNUM *r, const BIGNUM *a)
{
	check(f, BN_copy(r, a) != NULL);
}

static void fp_double(struct field *f, BIGNUM *r, const BIGNUM *a)
{
	fp_add(f, r, a, a);
}

static void point_copy(struct field *f, struct point *r, const struct point *a)
{
	fp_copy(f, r->x, a->x);
	fp_copy(f, r->y, a->y);
	fp_copy(f, r->z, a->z);
}

bool point_decode(struct field *f, struct bytes in, struct point *out)
{
	struct bytes form, x, y;
	BIGNUM *l, *r;
	bool ok;

	if (!bytes_take(&in, 1, &form) || form.p[0] != 0x04 || !bytes_take(&in, FP_LEN, &x) || !bytes_take(&in, FP_LEN, &y) ||
	        in.n != 0 || !fp_decode(f, x, out->x) || !fp_decode(f, y, out->y))
		return false;
	fp_copy(f, out->z, f->one);
	BN_CTX_start(f->pool);
	l = fp_new(f);
	r = fp_new(f);
	fp_mul(f, l, out->y, out->y);
	fp_mul(f, r, out->x, out->x); /* x^3 - 3x = x (x^2 - 3) */
	for (int i = 0; i < 3; i++)
		fp_sub(f, r, r, f->one);
	fp_mul(f, r, r, out->x);
	ok = !f->failed && BN_cmp(l, r) == 0;
	secret_declassify(&ok, sizeof ok); /* a key that is on the curve, or is none */
	BN_CTX_end(f->pool);
	return ok;
}

static void point_affine(struct field *f, struct point *r, const struct point *a)
{
	BIGNUM *i, *t;

	BN_CTX_start(f->pool);
	i = fp_new(f);
	t = fp_new(f);
	fp_invert(f, i, a->z);
	fp_mul(f, t, i, i);
	fp_mul(f, r->x, a->x, t);
	fp_mul(f, t, t, i);
	fp_mul(f, r->y, a->y, t);
	fp_copy(f, r->z, f->one);
	BN_CTX_end(f->pool);
}

void point_encode(struct field *f, const struct point *a, uint8_t *out)
{
	struct point t;

	BN_CTX_start(f->pool);
	t = point_new(f);
	point_affine(f, &t, a);
	out[0] = 0x04;
	fp_encode(f, t.x, out + 1);
	fp_encode(f, t.y, out + 1 + FP_LEN);
	BN_CTX_end(f->pool);
}

void point_generator(struct field *f, struct point *out)
{
	if (!fp_decode(f, BYTES_OF(generator_x), out->x) || !fp_decode(f, BYTES_OF(generator_y), out->y))
		f->failed = true;
	fp_copy(f, out->z, f->one);
}

/* M = 3 (X - Z^2)(X + Z^2), the numerator of the tangent's slope; zz = Z^2. */
static void tangent(struct field *f, BIGNUM *m, BIGNUM *zz, const struct point *a)
{
	BIGNUM *t;

	BN_CTX_start(f->pool);
	t = fp_new(f);
	fp_mul(f, zz, a->z, a->z);
	fp_sub(f, m, a->x, zz);
	fp_add(f, t, a->x, zz);
	fp_mul(f, m, m, t);
	fp_double(f, t, m);
	fp_add(f, m, m, t);
	BN_CTX_end(f->pool);
}

/* Finish a doubling from M: S = 4 X Y^2, X' = M^2 - 2S, Y' = M (S - X') - 8 Y^4, Z' = 2 Y Z; yy2 gets 2 Y^2. */
static void double_from(struct field *f, struct point *r, const struct point *a, const BIGNUM *m, BIGNUM *yy2)
{
	BIGNUM *s, *x, *y4;

	BN_CTX_start(f->pool);
	s = fp_new(f);
	x = fp_new(f);
	y4 = fp_new(f);
	fp_mul(f, yy2, a->y, a->y);
	fp_double(f, yy2, yy2);
	fp_mul(f, s, a->x, yy2);
	fp_double(f, s, s);
	fp_mul(f, y4, yy2, yy2);
	fp_double(f, y4, y4);
	fp_mul(f, x, m, m);
	fp_sub(f, x, x, s);
	fp_sub(f, x, x, s);
	fp_mul(f, r->z, a->y, a->z);
	fp_double(f, r->z, r->z);
	fp_copy(f, r->x, x);
	fp_sub(f, s, s, x);
	fp_mul(f, s, s, m);
	fp_sub(f, r->y, s, y4);
	BN_CTX_end(f->pool);
}

void point_double(struct field *f, struct point *r, const struct point *a)
{
	BIGNUM *m, *zz, *yy2;

	BN_CTX_start(f->pool);
	m = fp_new(f);
	zz = fp_new(f);
	yy2 = fp_new(f);
	tangent(f, m, zz, a);
	double_from(f, r, a, m, yy2);
	BN_CTX_end(f->pool);
}

/* General addition of two different, finite points: 12M + 4S, no branches. */
static void add_distinct(struct field *f, struct point *r, const struct point *a, const struct point *b)
{
	BIGNUM *z1, *z2, *u1, *u2, *s1, *s2, *t;

	BN_CTX_start(f->pool);
	z1 = fp_new(f);
	z2 = fp_new(f);
	u1 = fp_new(f);
	u2 = fp_new(f);
	s1 = fp_new(f);
	s2 = fp_new(f);
	t = fp_new(f);
	fp_mul(f, z1, a->z, a->z);
	fp_mul(f, z2, b->z, b->z);
	fp_mul(f, u1, a->x, z2);
	fp_mul(f, u2, b->x, z1);
	fp_mul(f, t, z2, b->z);
	fp_mul(f, s1, a->y, t);
	fp_mul(f, t, z1, a->z);
	fp_mul(f, s2, b->y, t);
	fp_sub(f, u2, u2, u1); /* H */
	fp_sub(f, s2, s2, s1); /* R */
	fp_mul(f, t, a->z, b->z);
	fp_mul(f, r->z, t, u2);
	fp_mul(f, t, u2, u2); /* H^2 */
	fp_mul(f, u1, u1, t); /* U1 H^2 */
	fp_mul(f, t, t, u2);  /* H^3 */
	fp_mul(f, s1, s1, t);
	fp_mul(f, z1, s2, s2);
	fp_sub(f, z1, z1, t);
	fp_sub(f, z1, z1, u1);
	fp_sub(f, r->x, z1, u1);
	fp_sub(f, u1, u1, r->x);
	fp_mul(f, u1, u1, s2);
	fp_sub(f, r->y, u1, s1);
	BN_CTX_end(f->pool);
}

static bool same_point(struct field *f, const struct point *a, const struct point *b)
{
	struct point x, y;
	bool same;

	BN_CTX_start(f->pool);
	x = point_new(f);
	y = point_new(f);
	point_affine(f, &x, a);
	point_affine(f, &y, b);
	same = BN_cmp(x.x, y.x) == 0 && BN_cmp(x.y, y.y) == 0;
	BN_CTX_end(f->pool);
	return same;
}

void point_add(struct field *f, struct point *r, const struct point *a, const struct point *b)
{
	struct point t;

	if (BN_is_zero(a->z)) {
		point_copy(f, r, b);
		return;
	}
	if (BN_is_zero(b->z)) {
		point_copy(f, r, a);
		return;
	}
	BN_CTX_start(f->pool);
	t = point_new(f);
	add_distinct(f, &t, a, b);
	if (BN_is_zero(t.z) && same_point(f, a, b)) /* otherwise opposite: Z = 0 is already infinity */
		point_double(f, &t, a);
	point_copy(f, r, &t);
	BN_CTX_end(f->pool);
}

static void swap_if(BN_ULONG bit, BIGNUM *a, BIGNUM *b)
{
	BN_consttime_swap(bit, a, b, FP_WORDS);
}

/* k + q or k + 2q, whichever has exactly 1023 bits: the ladder's length says nothing about k. */
static const BIGNUM *fixed_length(struct field *f, const BIGNUM *k)
{
	BIGNUM *a = fp_new(f), *b = fp_new(f);

	check(f, BN_uadd(a, k, f->q));
	check(f, BN_uadd(b, a, f->q));
	swap_if((BN_ULONG)(BN_is_bit_set(a, Q_BITS) == 0), a, b);
	return a;
}

void point_mul(struct field *f, struct point *r, const BIGNUM *k, const struct point *a)
{
	struct point lo, hi;
	const BIGNUM *n;

	BN_CTX_start(f->pool);
	n = fixed_length(f, k);
	lo = point_new(f);
	hi = point_new(f);
	point_copy(f, &lo, a);
	point_double(f, &hi, a);
	for (int i = Q_BITS - 1; i >= 0; i--) {
		BN_ULONG bit = (BN_ULONG)BN_is_bit_set(n, i);

		swap_if(bit, lo.x, hi.x);
		swap_if(bit, lo.y, hi.y);
		swap_if(bit, lo.z, hi.z);
		add_distinct(f, &hi, &lo, &hi);
		point_double(f, &lo, &lo);
		swap_if(bit, lo.x, hi.x);
		swap_if(bit, lo.y, hi.y);
		swap_if(bit, lo.z, hi.z);
	}
	point_copy(f, r, &lo);
	BN_CTX_end(f->pool);
}

void point_mul_public(struct field *f, struct point *r, const BIGNUM *k, const struct point *a)
{
	struct point t;

	BN_CTX_start(f->pool);
	t = point_new(f);
	point_copy(f, &t, a);
	for (int i = BN_num_bits(k) - 2; i >= 0; i--) {
		point_double(f, &t, &t);
		if (BN_is_bit_set(k, i))
			point_add(f, &t, &t, a);
	}
	point_copy(f, r, &t);
	BN_CTX_end(f->pool);
}

/* r = x y in F_p[i] */
static void pair_mul(struct field *f, struct pair *r, const struct pair *x, const struct pair *y)
{
	BIGNUM *aa, *bb, *s, *t;

	BN_CTX_start(f->pool);
	aa = fp_new(f);
	bb = fp_new(f);
	s = fp_new(f);
	t = fp_new(f);
	fp_mul(f, aa, x->a, y->a);
	fp_mul(f, bb, x->b, y->b);
	fp_add(f, s, x->a, x->b);
	fp_add(f, t, y->a, y->b);
	fp_mul(f, s, s, t);
	fp_sub(f, s, s, aa);
	fp_sub(f, r->b, s, bb);
	fp_sub(f, r->a, aa, bb);
	BN_CTX_end(f->pool);
}

static void pair_square(struct field *f, struct pair *r, const struct pair *x)
{
	BIGNUM *s, *t;

	BN_CTX_start(f->pool);
	s = fp_new(f);
	t = fp_new(f);
	fp_add(f, s, x->a, x->b);
	fp_sub(f, t, x->a, x->b);
	fp_mul(f, r->b, x->a, x->b);
	fp_double(f, r->b, r->b);
	fp_mul(f, r->a, s, t);
	BN_CTX_end(f->pool);
}

/* The element of PF_p that a + i b stands for: b / a. */
static void pair_ratio(struct field *f, BIGNUM *out, const struct pair *x)
{
	BIGNUM *i;

	BN_CTX_start(f->pool);
	i = fp_new(f);
	fp_invert(f, i, x->a);
	fp_mul(f, out, x->b, i);
	BN_CTX_end(f->pool);
}

void pairing_power(struct field *f, BIGNUM *out, const BIGNUM *k)
{
	struct pair lo, hi;
	const BIGNUM *n;

	BN_CTX_start(f->pool);
	n = fixed_length(f, k); /* the order of 1 + i g in PF_p is q */
	lo = pair_new(f);
	hi = pair_new(f);
	fp_copy(f, lo.a, f->one);
	if (!fp_decode(f, BYTES_OF(pairing_g), lo.b))
		f->failed = true;
	pair_square(f, &hi, &lo);
	for (int i = Q_BITS - 1; i >= 0; i--) {
		BN_ULONG bit = (BN_ULONG)BN_is_bit_set(n, i);

		swap_if(bit, lo.a, hi.a);
		swap_if(bit, lo.b, hi.b);
		pair_mul(f, &hi, &lo, &hi);
		pair_square(f, &lo, &lo);
		swap_if(bit, lo.a, hi.a);
		swap_if(bit, lo.b, hi.b);
	}
	pair_ratio(f, out, &lo);
	BN_CTX_end(f->pool);
}

/* One Miller doubling: v = v^2 l, c = 2c, where l is the tangent at c taken at [i]s and scaled by an element of F_p:
 * M (Qx Z^2 + X) - 2 Y^2  +  i Qy Z' Z^2. */
static void miller_double(struct field *f, struct pair *v, struct point *c, const struct point *s)
{
	BIGNUM *m, *zz, *yy2;
	struct pair l;

	BN_CTX_start(f->pool);
	m = fp_new(f);
	zz = fp_new(f);
	yy2 = fp_new(f);
	l = pair_new(f);
	tangent(f, m, zz, c);
	fp_mul(f, l.a, s->x, zz);
	fp_add(f, l.a, l.a, c->x);
	fp_mul(f, l.a, l.a, m);
	double_from(f, c, c, m, yy2);
	fp_sub(f, l.a, l.a, yy2);
	fp_mul(f, l.b, c->z, zz);
	fp_mul(f, l.b, l.b, s->y);
	pair_square(f, v, v);
	pair_mul(f, v, v, &l);
	BN_CTX_end(f->pool);
}

/* One Miller addition of the affine point r: the chord's line through r, scaled by Z' = Z H:
 * R (Qx + rx) - ry Z'  +  i Qy Z', H = rx Z^2 - X, R = ry Z^3 - Y. */
static void miller_add(struct field *f, struct pair *v, struct point *c, const struct point *r, const struct point *s)
{
	BIGNUM *zz, *h, *e, *hh, *t;
	struct pair l;

	BN_CTX_start(f->pool);
	zz = fp_new(f);
	h = fp_new(f);
	e = fp_new(f);
	hh = fp_new(f);
	t = fp_new(f);
	l = pair_new(f);
	fp_mul(f, zz, c->z, c->z);
	fp_mul(f, h, r->x, zz);
	fp_sub(f, h, h, c->x);
	fp_mul(f, e, zz, c->z);
	fp_mul(f, e, e, r->y);
	fp_sub(f, e, e, c->y);
	fp_mul(f, c->z, c->z, h);
	fp_add(f, l.a, s->x, r->x);
	fp_mul(f, l.a, l.a, e);
	fp_mul(f, t, r->y, c->z);
	fp_sub(f, l.a, l.a, t);
	fp_mul(f, l.b, s->y, c->z);
	/* c = c + r: X' = R^2 - H^3 - 2 X H^2, Y' = R (X H^2 - X') - Y H^3 */
	fp_mul(f, hh, h, h);
	fp_mul(f, t, c->x, hh);
	fp_mul(f, hh, hh, h);
	fp_mul(f, c->x, e, e);
	fp_sub(f, c->x, c->x, hh);
	fp_sub(f, c->x, c->x, t);
	fp_sub(f, c->x, c->x, t);
	fp_sub(f, t, t, c->x);
	fp_mul(f, t, t, e);
	fp_mul(f, c->y, c->y, hh);
	fp_sub(f, c->y, t, c->y);
	pair_mul(f, v, v, &l);
	BN_CTX_end(f->pool);
}

void pairing(struct field *f, BIGNUM *out, const struct point *r, const struct point *s)
{
	struct point c, ra, sa;
	struct pair v;
	BIGNUM *n;

	BN_CTX_start(f->pool);
	c = point_new(f);
	ra = point_new(f);
	sa = point_new(f);
	v = pair_new(f);
	n = fp_new(f);
	point_affine(f, &ra, r);
	point_affine(f, &sa, s);
	point_copy(f, &c, &ra);
	fp_copy(f, v.a, f->one);
	check(f, BN_copy(n, f->q) != NULL && BN_sub_word(n, 1) == 1);
	for (int i = BN_num_bits(n) - 2; i >= 0; i--) { /* the bits of q - 1 below its top one: public */
		miller_double(f, &v, &c, &sa);
		if (BN_is_bit_set(n, i))
			miller_add(f, &v, &c, &ra, &sa);
	}
	pair_square(f, &v, &v); /* the power (p+1)/q = 4 */
	pair_square(f, &v, &v);
	pair_ratio(f, out, &v);
	BN_CTX_end(f->pool);
}

bool fp_is_g(struct field *f, const BIGNUM *a)
{
	uint8_t octets[FP_LEN];

	fp_encode(f, a, octets);
	return !f->failed && secret_equals(BYTES_OF(octets), BYTES_OF(pairing_g));
}
