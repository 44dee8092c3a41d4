/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/guarded/pairing1024.h"

#include <stdlib.h>
#include <string.h>

#include "crypto/guarded/sakke_set1.h"

/* The other point (x, y) enters at (-x, i y). The line through (u, v) with slope m is there  i y + L(x),  L = m x + (m u - v),
 * and a vertical line is a value of F_p, which does not count. On the curve (i y)^2 = -E(x), E = x^3 - 3x. */

struct pair pair_new(struct field *f)
{
	struct fp *a = fp_new(f);

	return (struct pair){ a, fp_new(f) };
}

static void pair_mul(struct field *f, struct pair *r, const struct pair *x, const struct pair *y)
{
	const size_t mark = f->used;
	struct fp *t = fp_new(f);

	fp_dot(f, t, (const struct fp_term[]){ { x->a, y->a }, { x->b, y->b, true } }, 2);
	fp_dot(f, r->b, (const struct fp_term[]){ { x->a, y->b }, { x->b, y->a } }, 2);
	fp_move(f, r->a, t);
	f->used = mark;
}

static void pair_square(struct field *f, struct pair *r, const struct pair *x)
{
	const size_t mark = f->used;
	struct fp *s = fp_new(f), *t = fp_new(f);

	fp_add(f, s, x->a, x->b);
	fp_sub(f, t, x->a, x->b);
	fp_mul(f, r->b, x->a, x->b);
	fp_add(f, r->b, r->b, r->b);
	fp_mul(f, r->a, s, t);
	f->used = mark;
}

void pair_ratio(struct field *f, struct fp *out, const struct pair *x)
{
	const size_t mark = f->used;
	struct fp *i = fp_new(f);

	if (fp_is_zero(f, x->a))
		f->failed = true;
	fp_invert(f, i, x->a);
	fp_mul(f, out, x->b, i);
	f->used = mark;
}

bool pairing_is_g(struct field *f, const struct fp *a)
{
	const size_t mark = f->used;
	struct fp *g = fp_new(f);
	bool is;

	fp_constant(f, g, pairing_g);
	is = fp_equal(f, a, g);
	f->used = mark;
	return is;
}

/* ---- once ------------------------------------------------------------------------------------------------------------ */

/* v = v^2 l; c = 2c. The tangent at c, times 2 Y Z^3:  M (x Z^2 + X) - 2 Y^2  +  i y Z' Z^2. */
static void miller_double(struct field *f, struct pair *v, struct point *c, const struct point *s)
{
	const size_t mark = f->used;
	struct fp *m = fp_new(f), *zz = fp_new(f), *yy = fp_new(f), *x = fp_new(f);
	struct pair l = pair_new(f);

	fp_mul(f, zz, c->z, c->z);
	fp_mul(f, yy, c->y, c->y);
	fp_add(f, yy, yy, yy);
	fp_copy(f, x, c->x);
	point_double(f, c, c, m);
	fp_mul(f, l.a, s->x, zz);
	fp_add(f, l.a, l.a, x);
	fp_mul(f, l.a, l.a, m);
	fp_sub(f, l.a, l.a, yy);
	fp_mul(f, l.b, c->z, zz);
	fp_mul(f, l.b, l.b, s->y);
	pair_square(f, v, v);
	pair_mul(f, v, v, &l);
	f->used = mark;
}

/* v = v l; c = c + r. The chord, times Z':  R (x + rx) - ry Z'  +  i y Z'. */
static void miller_add(struct field *f, struct pair *v, struct point *c, const struct point *r, const struct point *s)
{
	const size_t mark = f->used;
	struct fp *e = fp_new(f), *t = fp_new(f);
	struct pair l = pair_new(f);

	point_add_affine(f, c, c, r, e);
	fp_add(f, t, s->x, r->x);
	fp_dot(f, l.a, (const struct fp_term[]){ { e, t }, { r->y, c->z, true } }, 2);
	fp_mul(f, l.b, s->y, c->z);
	pair_mul(f, v, v, &l);
	f->used = mark;
}

void pairing(struct field *f, struct fp *out, const struct point *r, const struct point *s)
{
	const size_t mark = f->used;
	struct point c = point_new(f);
	struct pair v = pair_new(f);

	point_copy(f, &c, r);
	fp_copy(f, v.a, f->one);
	fp_sub(f, v.b, f->one, f->one);
	for (int i = BN_num_bits(f->q) - 2; i >= 0; i--) { /* the bits of q - 1, which are public; q is odd */
		miller_double(f, &v, &c, s);
		if (i > 0 && BN_is_bit_set(f->q, i) != 0)
			miller_add(f, &v, &c, r, s);
	}
	pair_square(f, &v, &v); /* the power (p + 1) / q = 4 */
	pair_square(f, &v, &v);
	pair_ratio(f, out, &v);
	f->used = mark;
}

/* ---- lines ------------------------------------------------------------------------------------------------------------ */

/* q - 1 in base 4 with digits -1, 0, 1, 2, the highest first; it has 511. A step multiplies by 4 and adds a digit. Its rows: */
enum { STEPS = 511, ROWS_0 = 4, ROWS_1 = 5, ROWS_2 = 6 };

static void base4(struct field *f, int digit_at[STEPS])
{
	int carry = 0;

	for (int i = 0; i < STEPS; i++) {
		int bits = (i > 0 ? BN_is_bit_set(f->q, 2 * i) : 0) + 2 * BN_is_bit_set(f->q, 2 * i + 1) + carry;

		carry = bits >= 3;
		digit_at[STEPS - 1 - i] = bits - 4 * carry;
	}
	if (carry != 0 || digit_at[0] != 2)
		f->failed = true;
}

static size_t rows_of(int d)
{
	return d == 0 ? ROWS_0 : d == 2 ? ROWS_2 : ROWS_1;
}

/* What the doublings and additions leave: their results and the slopes' numerators, for one inversion. */
struct trail {
	struct flat *at;
	struct fp *z, *slope;
	size_t n;
};

static void trail_put(struct field *f, struct trail *t, const struct point *p, const struct fp *slope)
{
	fp_copy(f, &t->at[t->n].x, p->x);
	fp_copy(f, &t->at[t->n].y, p->y);
	fp_copy(f, &t->z[t->n], p->z);
	fp_copy(f, &t->slope[t->n++], slope);
}

/* The line m x + c + i y of step n of the trail, which started at the point from. */
static void line_of(struct field *f, const struct trail *t, size_t n, const struct flat *from, struct fp *m, struct fp *c)
{
	fp_mul(f, m, &t->slope[n], &t->z[n]); /* by now 1 / Z */
	fp_mul(f, c, m, &from->x);
	fp_sub(f, c, c, &from->y);
}

enum { DEGREE = 5 };
struct polynomial {
	struct fp *c[DEGREE];
};

static struct polynomial polynomial_new(struct field *f)
{
	struct polynomial p;

	for (int i = 0; i < DEGREE; i++) {
		p.c[i] = fp_new(f);
		fp_sub(f, p.c[i], f->one, f->one);
	}
	return p;
}

/* p /= x + u, without a remainder */
static void divide(struct field *f, struct polynomial *p, const struct fp *u)
{
	const size_t mark = f->used;
	struct fp *t = fp_new(f);

	for (int i = DEGREE - 2; i > 0; i--) { /* from the top: q_(i-1) = p_i - u q_i; the quotient's c_i lies at i + 1 */
		fp_mul(f, t, u, p->c[i + 1]);
		fp_sub(f, p->c[i], p->c[i], t);
	}
	for (int i = 0; i < DEGREE - 1; i++)
		fp_copy(f, p->c[i], p->c[i + 1]);
	fp_sub(f, p->c[DEGREE - 1], f->one, f->one);
	f->used = mark;
}

/* r = p (m x + c) */
static void times_line(
        struct field *f, struct polynomial *r, const struct polynomial *p, const struct fp *m, const struct fp *c)
{
	for (int i = DEGREE - 1; i > 0; i--)
		fp_dot(f, r->c[i], (const struct fp_term[]){ { p->c[i], c }, { p->c[i - 1], m } }, 2);
	fp_mul(f, r->c[0], p->c[0], c);
}

/* r -= p E for p of degree 1 */
static void less_cubic(struct field *f, struct polynomial *r, const struct polynomial *p)
{
	for (int i = 0; i < 2; i++) {
		fp_sub(f, r->c[i + 3], r->c[i + 3], p->c[i]);
		for (int k = 0; k < 3; k++)
			fp_add(f, r->c[i + 1], r->c[i + 1], p->c[i]);
	}
}

/* (a + i y b) *= i y + m x + c, for b of degree 1, then both over x + u */
static void times(
        struct field *f, struct polynomial *a, struct polynomial *b, const struct fp *m, const struct fp *c, const struct fp *u)
{
	const size_t mark = f->used;
	struct polynomial s = polynomial_new(f), t = polynomial_new(f);

	times_line(f, &s, a, m, c);
	less_cubic(f, &s, b); /* a L - b E */
	times_line(f, &t, b, m, c);
	for (int i = 0; i < DEGREE; i++) {
		fp_add(f, b->c[i], t.c[i], a->c[i]); /* b L + a */
		fp_copy(f, a->c[i], s.c[i]);
	}
	divide(f, a, u);
	divide(f, b, u);
	f->used = mark;
}

static void put(struct field *f, struct lines *l, const struct fp *c)
{
	fp_copy(f, &l->row[l->used++], c);
}

/* A step's function: (i y + L1)^2 (i y + L2) / (x + x2)^2 and, for a digit, times the chord over x + x4; for the digit 2 also
 * times the tangent at the start over x + x_start2. Of degrees 2 and 1; 3 and 1; 3 and 2. The leading coefficient that is
 * always the same is left out: b1 = 1, a3 = -1, b2 = -1. */
static void step(struct field *f, struct lines *l, int d, const struct trail *t, size_t n, const struct flat *from,
        const struct flat *twice, const struct fp *start_m, const struct fp *start_c)
{
	const size_t mark = f->used;
	struct polynomial a = polynomial_new(f), b = polynomial_new(f);
	struct fp *m = fp_new(f), *c = fp_new(f), *s = fp_new(f);

	line_of(f, t, n, from, m, c);
	/* (i y + L1)^2 = (L1^2 - E) + i y 2 L1, all times -1 so that b1 becomes 1 */
	fp_add(f, b.c[1], m, m);
	fp_add(f, b.c[0], c, c);
	for (int i = 0; i < 2; i++)
		fp_sub(f, b.c[i], a.c[4], b.c[i]);
	fp_copy(f, a.c[3], f->one);
	fp_mul(f, s, m, m);
	fp_sub(f, a.c[2], a.c[2], s);
	fp_mul(f, s, m, c);
	fp_add(f, s, s, s);
	for (int k = 0; k < 3; k++)
		fp_sub(f, a.c[1], a.c[1], f->one);
	fp_sub(f, a.c[1], a.c[1], s);
	fp_mul(f, s, c, c);
	fp_sub(f, a.c[0], a.c[0], s);
	line_of(f, t, n + 1, &t->at[n], m, c);
	times(f, &a, &b, m, c, &t->at[n].x);
	divide(f, &a, &t->at[n].x);
	divide(f, &b, &t->at[n].x);
	if (d != 0) {
		line_of(f, t, n + 2, &t->at[n + 1], m, c);
		times(f, &a, &b, m, c, &t->at[n + 1].x);
	}
	if (d == 2)
		times(f, &a, &b, start_m, start_c, &twice->x);
	for (int i = 0; i < (d == 2 ? 4 : 3); i++)
		put(f, l, a.c[i]);
	for (int i = 0; i < (d == 0 ? 1 : 2); i++)
		put(f, l, b.c[i]);
	f->used = mark;
}

/* All points and slopes. `plus` are the points added for the digits -1, 1 and 2. */
static void walk(struct field *f, struct trail *t, const int *digits, const struct point *r)
{
	const size_t mark = f->used;
	struct point c = point_new(f), plus[4] = { point_new(f), point_new(f), point_new(f), point_new(f) };
	struct fp *m = fp_new(f);

	point_copy(f, &plus[2], r);
	point_copy(f, &plus[0], r);
	fp_sub(f, plus[0].y, plus[0].y, r->y);
	fp_sub(f, plus[0].y, plus[0].y, r->y);
	point_double(f, &c, r, m);
	trail_put(f, t, &c, m);
	point_copy(f, &plus[3], &c);
	point_normalize(f, &plus[3]);
	for (int i = 1; i < STEPS; i++) {
		for (int k = 0; k < 2; k++) {
			point_double(f, &c, &c, m);
			trail_put(f, t, &c, m);
		}
		if (digits[i] != 0) {
			point_add_affine(f, &c, &c, &plus[digits[i] + 1], m);
			trail_put(f, t, &c, m);
		}
	}
	f->used = mark;
}

enum { TRAIL = 3 * STEPS, LINES_WORK = 5 * TRAIL + 2 };

static void lines_fill(struct field *f, struct lines *l, const int *digits, const struct point *r, struct fp *work)
{
	const size_t mark = f->used;
	struct trail t = { (struct flat *)work, work + 2 * TRAIL, work + 4 * TRAIL, 0 };
	struct flat *start = (struct flat *)(work + 5 * TRAIL);
	struct fp *m = fp_new(f), *c = fp_new(f);
	size_t n = 1;

	walk(f, &t, digits, r);
	flat_normalize(f, t.at, t.n, t.z);
	fp_copy(f, &start->x, r->x);
	fp_copy(f, &start->y, r->y);
	line_of(f, &t, 0, start, m, c);
	put(f, l, m);
	put(f, l, c);
	for (int i = 1; i < STEPS; i++) {
		step(f, l, digits[i], &t, n, &t.at[n - 1], &t.at[0], m, c);
		n += digits[i] != 0 ? 3 : 2;
	}
	f->used = mark;
}

enum status lines_open(struct field *f, struct lines *l, const struct point *r)
{
	struct fp *work = fp_array_new(f, LINES_WORK);
	int digits[STEPS];

	base4(f, digits);
	*l = (struct lines){ NULL, 2, 0 };
	for (int i = 1; i < STEPS; i++)
		l->count += rows_of(digits[i]);
	l->row = fp_array_new(f, l->count);
	if (work != NULL && l->row != NULL)
		lines_fill(f, l, digits, r, work);
	else
		field_starve(f);
	fp_array_free(work, LINES_WORK);
	return field_done(f);
}

size_t lines_size(const struct lines *l)
{
	return l->count * sizeof *l->row;
}

void lines_close(struct lines *l)
{
	fp_array_free(l->row, l->count);
	*l = (struct lines){ 0 };
}

void lines_pairing(struct field *f, struct fp *out, const struct lines *l, const struct point *s)
{
	const size_t mark = f->used;
	struct fp *x2 = fp_new(f), *x3 = fp_new(f), *yx = fp_new(f), *yx2 = fp_new(f), *minus_x3 = fp_new(f),
	          *minus_yx2 = fp_new(f);
	struct pair v = pair_new(f), g = pair_new(f);
	const struct fp *c = l->row;
	int digits[STEPS];

	base4(f, digits);
	fp_mul(f, x2, s->x, s->x);
	fp_mul(f, x3, x2, s->x);
	fp_mul(f, yx, s->x, s->y);
	fp_mul(f, yx2, yx, s->x);
	fp_sub(f, minus_x3, f->one, f->one);
	fp_sub(f, minus_yx2, minus_x3, yx2);
	fp_sub(f, minus_x3, minus_x3, x3);
	fp_mul(f, v.a, &c[0], s->x);
	fp_add(f, v.a, v.a, &c[1]);
	fp_copy(f, v.b, s->y);
	c += 2;
	for (int i = 1; i < STEPS; i++) {
		const int d = digits[i];
		const struct fp *b = c + (d == 2 ? 4 : 3);
		fp_dot(f, g.a, (const struct fp_term[]){ { &c[1], s->x }, { &c[2], x2 }, { &c[3], x3 } }, d == 2 ? 3 : 2);
		fp_add(f, g.a, g.a, &c[0]);
		if (d == -1 || d == 1)
			fp_add(f, g.a, g.a, minus_x3);
		fp_dot(f, g.b, (const struct fp_term[]){ { &b[0], s->y }, { &b[1], yx } }, d == 0 ? 1 : 2);
		if (d == 0)
			fp_add(f, g.b, g.b, yx);
		if (d == 2)
			fp_add(f, g.b, g.b, minus_yx2);
		c += rows_of(d);
		pair_square(f, &v, &v);
		pair_square(f, &v, &v);
		pair_mul(f, &v, &v, &g);
	}
	pair_square(f, &v, &v);
	pair_square(f, &v, &v);
	pair_ratio(f, out, &v);
	f->used = mark;
}

/* ---- powers of g ------------------------------------------------------------------------------------------------------- */

enum { WINDOW = 5, ROWS = 1 << (WINDOW - 1) };

/* a[i] = a[i] b[i] as values of PF_p, (a + b) / (1 - a b), with one inversion for all. scratch has 2 n elements. */
static void ratios_mul(struct field *f, struct fp *a, const struct fp *b, size_t n, struct fp *scratch)
{
	struct fp *h = scratch + n;

	for (size_t i = 0; i < n; i++) {
		fp_mul(f, &h[i], &a[i], &b[i]);
		fp_sub(f, &h[i], f->one, &h[i]);
	}
	fp_invert_many(f, h, n, scratch);
	for (size_t i = 0; i < n; i++) {
		fp_add(f, &a[i], &a[i], &b[i]);
		fp_mul(f, &a[i], &a[i], &h[i]);
	}
}

/* v *= 1 + i t, or 1 - i t where the digit is negative: that is its inverse */
static void power_step(struct field *f, struct pair *v, const fp_words *row, const struct digits *d, unsigned i)
{
	const size_t mark = f->used;
	struct fp *t = fp_new(f), *u = fp_new(f);
	fp_words w;
	uint64_t minus, index = digit(d, i, &minus);

	table_read((const uint64_t *)row, (size_t)1 << (d->width - 1), FP_WORDS, index, w);
	words_negate(f, w, minus);
	fp_load(f, t, w);
	fp_mul(f, u, v->b, t);
	fp_mul(f, t, v->a, t);
	fp_sub(f, v->a, v->a, u);
	fp_add(f, v->b, v->b, t);
	secret_clean(w, sizeof w);
	f->used = mark;
}

size_t powers_size(unsigned width)
{
	return sizeof(fp_words) * ((SCALAR_BITS + width - 1) / width) << (width - 1);
}

static void powers_fill(struct field *f, struct powers *p, struct fp *at)
{
	const unsigned n = p->count, row = 1U << (p->width - 1);
	const size_t mark = f->used;
	struct fp *square = at + n, *scratch = square + n;
	struct pair v = pair_new(f);

	fp_copy(f, v.a, f->one);
	fp_constant(f, v.b, pairing_g);
	for (unsigned i = 0; i < n; i++) {
		pair_ratio(f, &at[i], &v);
		fp_copy(f, &square[i], &at[i]);
		fp_copy(f, v.a, f->one);
		fp_copy(f, v.b, &at[i]);
		for (unsigned k = 0; k < p->width; k++)
			pair_square(f, &v, &v);
	}
	ratios_mul(f, square, at, n, scratch);
	for (unsigned m = 0; m < row; m++) {
		if (m > 0)
			ratios_mul(f, at, square, n, scratch);
		for (unsigned i = 0; i < n; i++)
			fp_store(f, &at[i], p->row[(size_t)i * row + m]);
	}
	f->used = mark;
}

enum status powers_open(struct field *f, struct powers *p, unsigned width)
{
	const unsigned n = (SCALAR_BITS + width - 1) / width;
	struct fp *work = fp_array_new(f, 4 * (size_t)n);

	*p = (struct powers){ width, n, malloc(powers_size(width)) };
	if (work != NULL && p->row != NULL)
		powers_fill(f, p, work);
	else
		field_starve(f);
	fp_array_free(work, 4 * (size_t)n);
	return field_done(f);
}

void powers_close(struct powers *p)
{
	free(p->row); /* of public values */
	*p = (struct powers){ 0 };
}

void powers_power(struct field *f, struct pair *out, const struct powers *p, const BIGNUM *k)
{
	struct digits d;

	digits_of(f, &d, k, p->width);
	fp_copy(f, out->a, f->one);
	fp_sub(f, out->b, f->one, f->one);
	for (unsigned i = 0; i < d.count; i++)
		power_step(f, out, (const fp_words *)p->row + ((size_t)i << (p->width - 1)), &d, i);
	secret_clean(&d, sizeof d);
}

void pairing_power(struct field *f, struct pair *out, const BIGNUM *k)
{
	const size_t mark = f->used;
	struct pair v = pair_new(f), square = pair_new(f);
	fp_words row[ROWS][2], w[2];
	struct digits d;

	fp_copy(f, v.a, f->one);
	fp_constant(f, v.b, pairing_g);
	pair_square(f, &square, &v);
	for (int m = 0; m < ROWS; m++) {
		if (m > 0)
			pair_mul(f, &v, &v, &square);
		fp_store(f, v.a, row[m][0]);
		fp_store(f, v.b, row[m][1]);
	}
	digits_of(f, &d, k, WINDOW);
	for (unsigned i = d.count; i-- > 0;) {
		uint64_t minus, index = digit(&d, i, &minus);

		table_read(row[0][0], ROWS, sizeof row[0] / sizeof(uint64_t), index, w[0]);
		words_negate(f, w[1], minus);
		fp_load(f, v.a, w[0]);
		fp_load(f, v.b, w[1]);
		if (i + 1 == d.count) {
			fp_copy(f, out->a, v.a);
			fp_copy(f, out->b, v.b);
			continue;
		}
		for (int n = 0; n < WINDOW; n++)
			pair_square(f, out, out);
		pair_mul(f, out, out, &v);
	}
	secret_clean(w, sizeof w);
	secret_clean(&d, sizeof d);
	f->used = mark;
}
