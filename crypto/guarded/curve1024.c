/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/guarded/curve1024.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/guarded/pages.h"
#include "crypto/guarded/sakke_set1.h"

enum { WINDOW = 5 };

struct point point_new(struct field *f)
{
	struct fp *x = fp_new(f), *y = fp_new(f);

	return (struct point){ x, y, fp_new(f) };
}

void point_copy(struct field *f, struct point *r, const struct point *a)
{
	fp_copy(f, r->x, a->x);
	fp_copy(f, r->y, a->y);
	fp_copy(f, r->z, a->z);
}

static void fp_double(struct field *f, struct fp *r, const struct fp *a)
{
	fp_add(f, r, a, a);
}

bool point_decode(struct field *f, struct bytes in, struct point *out)
{
	const size_t mark = f->used;
	struct fp *l = fp_new(f), *r = fp_new(f);
	struct bytes form, x, y;
	bool ok;

	if (!bytes_take(&in, 1, &form) || form.p[0] != 0x04 || !bytes_take(&in, FP_LEN, &x) || !bytes_take(&in, FP_LEN, &y) ||
	        in.n != 0 || !fp_decode(f, x, out->x) || !fp_decode(f, y, out->y))
		return false;
	fp_copy(f, out->z, f->one);
	fp_mul(f, l, out->y, out->y);
	fp_mul(f, r, out->x, out->x); /* x^3 - 3x = x (x^2 - 3) */
	for (int i = 0; i < 3; i++)
		fp_sub(f, r, r, f->one);
	fp_mul(f, r, r, out->x);
	ok = fp_equal(f, l, r) && !f->failed; /* a key that is on the curve, or is none */
	f->used = mark;
	return ok;
}

void point_scale(struct field *f, struct point *a, const struct fp *inverse)
{
	const size_t mark = f->used;
	struct fp *t = fp_new(f);

	fp_mul(f, t, inverse, inverse);
	fp_mul(f, a->x, a->x, t);
	fp_mul(f, t, t, inverse);
	fp_mul(f, a->y, a->y, t);
	fp_copy(f, a->z, f->one);
	f->used = mark;
}

void point_normalize(struct field *f, struct point *a)
{
	const size_t mark = f->used;
	struct fp *i = fp_new(f);

	if (fp_is_zero(f, a->z))
		f->failed = true;
	fp_invert(f, i, a->z);
	point_scale(f, a, i);
	f->used = mark;
}

void point_encode(struct field *f, const struct point *a, uint8_t out[static POINT_LEN])
{
	const size_t mark = f->used;
	struct point t = point_new(f);

	point_copy(f, &t, a);
	point_normalize(f, &t);
	out[0] = 0x04;
	fp_encode(f, t.x, out + 1);
	fp_encode(f, t.y, out + 1 + FP_LEN);
	f->used = mark;
}

void point_generator(struct field *f, struct point *out)
{
	fp_constant(f, out->x, generator_x);
	fp_constant(f, out->y, generator_y);
	fp_copy(f, out->z, f->one);
}

static void point_load(struct field *f, struct point *r, const struct affine *a)
{
	fp_load(f, r->x, a->x);
	fp_load(f, r->y, a->y);
	fp_copy(f, r->z, f->one);
}

/* M = 3 (X - Z^2)(X + Z^2), S = 4 X Y^2: X' = M^2 - 2S, Y' = M (S - X') - 8 Y^4, Z' = 2 Y Z; the tangent's slope is M / Z'. */
void point_double(struct field *f, struct point *r, const struct point *a, struct fp *slope)
{
	const size_t mark = f->used;
	struct fp *m = fp_new(f), *s = fp_new(f), *t = fp_new(f), *yy = fp_new(f);

	fp_mul(f, t, a->z, a->z);
	fp_sub(f, m, a->x, t);
	fp_add(f, t, a->x, t);
	fp_mul(f, t, m, t);
	fp_double(f, m, t);
	fp_add(f, m, m, t);
	fp_mul(f, r->z, a->y, a->z);
	fp_double(f, r->z, r->z);
	fp_mul(f, yy, a->y, a->y);
	fp_double(f, yy, yy); /* 2 Y^2 */
	fp_mul(f, s, a->x, yy);
	fp_double(f, s, s);
	fp_mul(f, yy, yy, yy);
	fp_double(f, yy, yy); /* 8 Y^4 */
	fp_mul(f, t, m, m);
	fp_sub(f, t, t, s);
	fp_sub(f, r->x, t, s);
	fp_sub(f, s, s, r->x);
	fp_mul(f, s, s, m);
	fp_sub(f, r->y, s, yy);
	if (slope != NULL)
		fp_copy(f, slope, m);
	f->used = mark;
}

/* H = x2 Z^2 - X, R = y2 Z^3 - Y: X' = R^2 - H^3 - 2 X H^2, Y' = R (X H^2 - X') - Y H^3, Z' = Z H; the slope is R / Z'. */
void point_add_affine(struct field *f, struct point *r, const struct point *a, const struct point *b, struct fp *slope)
{
	const size_t mark = f->used;
	struct fp *zz = fp_new(f), *h = fp_new(f), *e = fp_new(f), *t = fp_new(f);

	fp_mul(f, zz, a->z, a->z);
	fp_mul(f, h, b->x, zz);
	fp_sub(f, h, h, a->x);
	fp_mul(f, e, zz, a->z);
	fp_mul(f, e, e, b->y);
	fp_sub(f, e, e, a->y);
	fp_mul(f, r->z, a->z, h);
	fp_mul(f, zz, h, h);
	fp_mul(f, t, a->x, zz);
	fp_mul(f, zz, zz, h);
	fp_mul(f, r->x, e, e);
	fp_add(f, h, t, t); /* sums first: where OpenSSL computes, a difference costs half as much again */
	fp_add(f, h, h, zz);
	fp_sub(f, r->x, r->x, h);
	fp_sub(f, t, t, r->x);
	fp_dot(f, r->y, (const struct fp_term[]){ { t, e }, { a->y, zz, true } }, 2);
	if (slope != NULL)
		fp_copy(f, slope, e);
	f->used = mark;
}

void point_add(struct field *f, struct point *r, const struct point *a, const struct point *b)
{
	const size_t mark = f->used;
	struct point s = point_new(f), t = point_new(f);

	if (fp_is_zero(f, a->z) || fp_is_zero(f, b->z)) {
		point_copy(f, r, fp_is_zero(f, a->z) ? b : a);
	} else {
		point_copy(f, &s, b);
		point_normalize(f, &s);
		point_add_affine(f, &t, a, &s, NULL);
		if (fp_is_zero(f, t.z)) { /* the same point, or its opposite: then Z = 0 is already infinity */
			struct point u = point_new(f);

			point_copy(f, &u, a);
			point_normalize(f, &u);
			if (fp_equal(f, u.y, s.y))
				point_double(f, &t, a, NULL);
		}
		point_copy(f, r, &t);
	}
	f->used = mark;
}

void point_mul_public(struct field *f, struct point *r, const BIGNUM *k, const struct point *a)
{
	const size_t mark = f->used;
	struct point s = point_new(f), t = point_new(f);

	point_copy(f, &s, a);
	point_normalize(f, &s);
	point_copy(f, &t, &s);
	for (int i = BN_num_bits(k) - 2; i >= 0; i--) {
		point_double(f, &t, &t, NULL);
		if (BN_is_bit_set(k, i) == 0)
			continue;
		if (i == 0 && BN_num_bits(k) == 2) /* 3a = 2a + a */
			point_add(f, &t, &t, &s);
		else
			point_add_affine(f, &t, &t, &s, NULL);
	}
	point_copy(f, r, &t);
	f->used = mark;
}

/* An odd n of so many signed bits is the sum of +-2^i, where the sign of bit i is n's bit i + 1, and the top one's is +. */
void digits_of(const struct field *f, struct digits *d, const BIGNUM *k, unsigned width)
{
	uint64_t mask, carry = 0;
	unsigned top;

	d->width = width;
	d->count = (SCALAR_BITS + width - 1) / width;
	if (BN_bn2lebinpad(k, (uint8_t *)d->w, sizeof d->w) < 0)
		memset(d->w, 0, sizeof d->w);
	for (size_t i = 0; i <= FP_WORDS; i++)
		d->w[i] = le64toh(d->w[i]);
	mask = (d->w[0] & 1) - 1;
	for (size_t i = 0; i <= FP_WORDS; i++) {
		uint64_t q = i < FP_WORDS ? f->q_words[i] & mask : 0, sum = d->w[i] + carry;

		carry = sum < carry;
		d->w[i] = sum + q;
		carry += d->w[i] < q;
	}
	top = width * d->count;
	d->w[top / 64] |= UINT64_C(1) << (top % 64);
}

uint64_t digit(const struct digits *d, unsigned i, uint64_t *minus)
{
	unsigned bit = i * d->width + 1, at = bit / 64, shift = bit % 64;
	uint64_t window = d->w[at] >> shift, half = UINT64_C(1) << (d->width - 1);

	if (shift + d->width > 64)
		window |= d->w[at + 1] << (64 - shift);
	*minus = ((window >> (d->width - 1)) & 1) - 1;
	return (window ^ *minus) & (half - 1);
}

/* Sixteen words of all rows at a time, in registers of `octets`. */
#define TABLE_READ(name, octets)                                                                                               \
	static void name(const uint64_t *table, size_t rows, size_t n, uint64_t index, uint64_t *out)                          \
	{                                                                                                                      \
		typedef uint64_t vector __attribute__((vector_size(octets)));                                                  \
		enum { COUNT = FP_WORDS * 8 / (octets) };                                                                      \
                                                                                                                               \
		for (size_t i = 0; i < n; i += FP_WORDS) {                                                                     \
			vector sum[COUNT] = { { 0 } };                                                                         \
                                                                                                                               \
			for (size_t r = 0; r < rows; r++) {                                                                    \
				const uint64_t other = r ^ index, mask = ((other | -other) >> 63) - 1;                         \
				const vector all = (vector){ 0 } + mask;                                                       \
                                                                                                                               \
				_Pragma("GCC unroll 8") for (size_t k = 0; k < COUNT; k++)                                     \
				{                                                                                              \
					vector v;                                                                              \
                                                                                                                               \
					memcpy(&v, table + r * n + i + k * (octets) / 8, sizeof v);                            \
					sum[k] |= v & all;                                                                     \
				}                                                                                              \
			}                                                                                                      \
			memcpy(out + i, sum, sizeof sum);                                                                      \
		}                                                                                                              \
	}

TABLE_READ(read_16, 16)
#ifdef __x86_64__
__attribute__((target("avx2"))) TABLE_READ(read_32, 32)
#endif

        void table_read(const uint64_t *table, size_t rows, size_t n, uint64_t index, uint64_t *out)
{
#ifdef __x86_64__
	if (__builtin_cpu_supports("avx2")) {
		read_32(table, rows, n, index, out);
		return;
	}
#endif
	read_16(table, rows, n, index, out);
}

void words_negate(const struct field *f, fp_words y, uint64_t minus)
{
	uint64_t borrow = 0;

	for (size_t i = 0; i < FP_WORDS; i++) {
		uint64_t a = f->modulus.p[i], b = y[i] + borrow, c = a - b;

		borrow = (b < borrow) | (a < b);
		y[i] = (c & minus) | (y[i] & ~minus);
	}
}

static void affine_read(
        const struct field *f, const struct affine *table, const struct digits *d, unsigned i, struct affine *out)
{
	uint64_t minus, index = digit(d, i, &minus);

	table_read(table->x, (size_t)1 << (d->width - 1), sizeof *table / sizeof(uint64_t), index, (uint64_t *)out);
	words_negate(f, out->y, minus);
}

void comb_read(struct field *f, const struct comb *c, const struct digits *d, unsigned i, struct flat *out)
{
	struct affine a;

	affine_read(f, c->row + ((size_t)i << (c->width - 1)), d, i, &a);
	fp_load(f, &out->x, a.x);
	fp_load(f, &out->y, a.y);
	secret_clean(&a, sizeof a);
}

void flat_add(struct field *f, struct flat *a, const struct flat *b, size_t n, struct fp *scratch)
{
	const size_t mark = f->used;
	struct fp *x3 = fp_new(f), *s = fp_new(f), *t = fp_new(f), *h = scratch + n;

	for (size_t i = 0; i < n; i++) {
		if (b != NULL)
			fp_sub(f, &h[i], &b[i].x, &a[i].x);
		else
			fp_double(f, &h[i], &a[i].y);
	}
	fp_invert_many(f, h, n, scratch);
	for (size_t i = 0; i < n; i++) {
		const struct fp *x2 = b != NULL ? &b[i].x : &a[i].x;

		if (b != NULL) {
			fp_sub(f, s, &b[i].y, &a[i].y);
		} else { /* 3 (x^2 - 1) */
			fp_mul(f, s, x2, x2);
			fp_sub(f, s, s, f->one);
			fp_double(f, t, s);
			fp_add(f, s, s, t);
		}
		fp_mul(f, s, s, &h[i]); /* the slope */
		fp_mul(f, x3, s, s);
		fp_add(f, t, &a[i].x, x2);
		fp_sub(f, x3, x3, t);
		fp_sub(f, t, &a[i].x, x3);
		fp_mul(f, t, t, s);
		fp_sub(f, &a[i].y, t, &a[i].y);
		fp_move(f, &a[i].x, x3);
	}
	f->used = mark;
}

void flat_normalize(struct field *f, struct flat *a, size_t n, struct fp *z)
{
	const size_t mark = f->used;
	struct fp *s = fp_new(f);

	fp_invert_many(f, z, n, z + n);
	for (size_t i = 0; i < n; i++) {
		fp_mul(f, s, &z[i], &z[i]);
		fp_mul(f, &a[i].x, &a[i].x, s);
		fp_mul(f, s, s, &z[i]);
		fp_mul(f, &a[i].y, &a[i].y, s);
	}
	f->used = mark;
}

static void put(struct field *f, const struct point *t, struct flat *a, struct fp *z)
{
	fp_copy(f, &a->x, t->x);
	fp_copy(f, &a->y, t->y);
	fp_copy(f, z, t->z);
}

static void put_affine(struct field *f, const struct flat *a, struct affine *out)
{
	fp_store(f, &a->x, out->x);
	fp_store(f, &a->y, out->y);
}

size_t comb_size(unsigned width)
{
	return sizeof(struct affine) * ((SCALAR_BITS + width - 1) / width) << (width - 1);
}

/* at: the first of each row, then the next of each, in step. work has room for 6 elements a row. */
static void comb_fill(struct field *f, struct comb *c, const struct point *a, struct fp *work)
{
	const unsigned n = c->count, row = 1U << (c->width - 1);
	const size_t mark = f->used;
	struct flat *at = (struct flat *)work, *twice = at + n;
	struct fp *z = work + 4 * (size_t)n;
	struct point t = point_new(f);

	point_copy(f, &t, a);
	for (unsigned i = 0; i < n; i++) {
		put(f, &t, &at[i], &z[i]);
		for (unsigned d = 0; d < c->width; d++)
			point_double(f, &t, &t, NULL);
	}
	flat_normalize(f, at, n, z);
	for (unsigned i = 0; i < n; i++) {
		fp_copy(f, &twice[i].x, &at[i].x);
		fp_copy(f, &twice[i].y, &at[i].y);
	}
	flat_add(f, twice, NULL, n, z);
	for (unsigned m = 0; m < row; m++) {
		if (m > 0)
			flat_add(f, at, twice, n, z);
		for (unsigned i = 0; i < n; i++)
			put_affine(f, &at[i], &c->row[(size_t)i * row + m]);
	}
	f->used = mark;
}

enum status comb_open(struct field *f, struct comb *c, unsigned width, const struct point *a)
{
	const unsigned n = (SCALAR_BITS + width - 1) / width;
	struct fp *work = fp_array_new(f, 6 * (size_t)n);

	*c = (struct comb){ width, n, pages_new(comb_size(width)) };
	if (work != NULL && c->row != NULL)
		comb_fill(f, c, a, work);
	else
		field_starve(f);
	fp_array_free(work, 6 * (size_t)n);
	return field_done(f);
}

void comb_close(struct comb *c)
{
	if (c->row != NULL)
		pages_free(c->row, comb_size(c->width));
	*c = (struct comb){ 0 };
}

static void add_digits(struct field *f, struct point *r, const struct comb *c, const struct digits *d, unsigned from)
{
	const size_t mark = f->used;
	struct point t = point_new(f);
	struct affine a;

	for (unsigned i = from; i < d->count; i++) {
		affine_read(f, c->row + ((size_t)i << (c->width - 1)), d, i, &a);
		point_load(f, &t, &a);
		point_add_affine(f, r, r, &t, NULL);
	}
	secret_clean(&a, sizeof a);
	f->used = mark;
}

void comb_mul_add(struct field *f, struct point *r, const struct comb *c, const BIGNUM *k)
{
	struct digits d;

	digits_of(f, &d, k, c->width);
	add_digits(f, r, c, &d, 0);
	secret_clean(&d, sizeof d);
}

void comb_mul(struct field *f, struct point *r, const struct comb *c, const BIGNUM *k)
{
	struct digits d;
	struct affine a;

	digits_of(f, &d, k, c->width);
	affine_read(f, c->row, &d, 0, &a);
	point_load(f, r, &a);
	add_digits(f, r, c, &d, 1);
	secret_clean(&a, sizeof a);
	secret_clean(&d, sizeof d);
}

size_t comb_work(const struct comb *c)
{
	return 3 * (size_t)c->count; /* two elements a point, and scratch for half as many */
}

void comb_mul_pairs(struct field *f, struct point *r, const struct comb *c, const BIGNUM *k, struct fp *work)
{
	enum { PAYS = 50 }; /* an inversion is worth twenty additions and more */
	struct flat *at = (struct flat *)work;
	struct fp *scratch = work + 2 * (size_t)c->count;
	struct digits d;
	size_t n;

	digits_of(f, &d, k, c->width);
	n = d.count;
	for (unsigned i = 0; i < n; i++)
		comb_read(f, c, &d, i, &at[i]);
	for (; n >= PAYS; n -= n / 2)
		flat_add(f, at, at + (n - n / 2), n / 2, scratch);
	fp_copy(f, r->x, &at[0].x);
	fp_copy(f, r->y, &at[0].y);
	fp_copy(f, r->z, f->one);
	for (size_t i = 1; i < n; i++) {
		const struct point p = { &at[i].x, &at[i].y, f->one };

		point_add_affine(f, r, r, &p, NULL);
	}
	fp_array_wipe(f, work, comb_work(c));
	secret_clean(&d, sizeof d);
}

/* a, 3a, 5a, ... */
static void odd_multiples(struct field *f, const struct point *a, struct fp *work, struct affine *row, size_t rows)
{
	const size_t mark = f->used;
	struct flat *at = (struct flat *)work;
	struct fp *z = work + 2 * rows;
	struct point s = point_new(f), t = point_new(f);

	point_copy(f, &t, a);
	point_normalize(f, &t);
	point_double(f, &s, &t, NULL);
	point_normalize(f, &s);
	for (size_t m = 0; m < rows; m++) {
		if (m > 0)
			point_add_affine(f, &t, &t, &s, NULL);
		put(f, &t, &at[m], &z[m]);
	}
	flat_normalize(f, at, rows, z);
	for (size_t m = 0; m < rows; m++)
		put_affine(f, &at[m], &row[m]);
	f->used = mark;
}

void point_mul(struct field *f, struct point *r, const BIGNUM *k, const struct point *a)
{
	enum { ROWS = 1 << (WINDOW - 1) };
	const size_t mark = f->used;
	struct point s = point_new(f), t = point_new(f);
	struct fp *work = fp_array_new(f, 4 * ROWS);
	struct affine row[ROWS], one;
	struct digits d;

	if (work == NULL) {
		field_starve(f);
		return;
	}
	odd_multiples(f, a, work, row, ROWS);
	fp_array_free(work, 4 * ROWS);
	digits_of(f, &d, k, WINDOW);
	affine_read(f, row, &d, d.count - 1, &one);
	point_load(f, &t, &one);
	for (unsigned i = d.count - 1; i-- > 0;) {
		for (int n = 0; n < WINDOW; n++)
			point_double(f, &t, &t, NULL);
		affine_read(f, row, &d, i, &one);
		point_load(f, &s, &one);
		point_add_affine(f, &t, &t, &s, NULL);
	}
	point_copy(f, r, &t);
	secret_clean(row, sizeof row);
	secret_clean(&one, sizeof one);
	secret_clean(&d, sizeof d);
	f->used = mark;
}
