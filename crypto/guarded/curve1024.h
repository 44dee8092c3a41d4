/* SPDX-License-Identifier: Apache-2.0 */
/* curve1024.h - the curve of SAKKE Parameter Set 1, y^2 = x^3 - 3x over F_p, and its multiples. Internal to crypto/.
 * Multiples by secret scalars take windows of odd signed digits: as many additions for every scalar, and tables that are read
 * whole for each. An addition of equal or opposite points, which such sums meet with a chance of 2^-1000, sets f->failed. */
#ifndef CRYPTO_GUARDED_CURVE1024_H
#define CRYPTO_GUARDED_CURVE1024_H

#include "crypto/guarded/fp1024.h"

enum { POINT_LEN = 1 + 2 * FP_LEN, SCALAR_BITS = 1023 };

struct point { /* Jacobian: x = X/Z^2, y = Y/Z^3; Z = 0 is infinity */
	struct fp *x, *y, *z;
};

struct affine { /* in tables that are read by secret digits */
	fp_words x, y;
};

struct flat { /* at work in great numbers: two elements of fp_array_new */
	struct fp x, y;
};

struct point point_new(struct field *);
void point_copy(struct field *, struct point *r, const struct point *a);
void point_normalize(struct field *, struct point *);                       /* to Z = 1; f->failed for infinity */
void point_scale(struct field *, struct point *, const struct fp *inverse); /* the same, given 1 / Z */

/* 04 || x || y with both below p and on the curve. */
MUST_USE bool point_decode(struct field *, struct bytes in, struct point *out);
void point_encode(struct field *, const struct point *, uint8_t out[static POINT_LEN]);
void point_generator(struct field *, struct point *out);

/* r = 2a, and r = a + b for a b with Z = 1. slope, if not NULL, gets the numerator of the tangent's or chord's slope: the slope
 * is slope / Z of r. r may be a. */
void point_double(struct field *, struct point *r, const struct point *a, struct fp *slope);
void point_add_affine(struct field *, struct point *r, const struct point *a, const struct point *b, struct fp *slope);

/* r = [k]a for public k of 256 bits or so, and r = a + b for any; only for public points. */
void point_mul_public(struct field *, struct point *r, const BIGNUM *k, const struct point *a);
void point_add(struct field *, struct point *r, const struct point *a, const struct point *b);

/* Digits of a scalar of 1..q-1, made odd by adding q if need be: width bits each, digit = 2 m + 1 or its opposite, 0 <= m <
 * 2^(width-1). */
struct digits {
	uint64_t w[FP_WORDS + 1];
	unsigned width, count;
};
void digits_of(const struct field *, struct digits *, const BIGNUM *k, unsigned width);
/* m of digit i; *minus is all ones if it is an opposite. */
uint64_t digit(const struct digits *, unsigned i, uint64_t *minus);
/* w = p - w where minus is all ones; w is not 0. */
void words_negate(const struct field *, fp_words w, uint64_t minus);
/* Copy row `index` of a table of `rows` rows of n words, reading all of them. */
void table_read(const uint64_t *table, size_t rows, size_t n, uint64_t index, uint64_t *out);

/* r = [k]a for secret k and a of order q, without tables that outlive the call. */
void point_mul(struct field *, struct point *r, const BIGNUM *k, const struct point *a);

/* All odd multiples of a point that a scalar's digits ask for: [(2m+1) 2^(width i)]a. */
struct comb {
	unsigned width, count; /* rows of 2^(width-1) points */
	struct affine *row;
};
MUST_USE size_t comb_size(unsigned width); /* octets of its rows */
MUST_USE enum status comb_open(struct field *, struct comb *, unsigned width, const struct point *a);
void comb_close(struct comb *); /* wipes */
/* r = [k]a */
void comb_mul(struct field *, struct point *r, const struct comb *, const BIGNUM *k);
/* The same for a scalar that nobody chose, in less time: the digits' points are added in pairs, affine, by one inversion for
 * all pairs, as long as that pays. work has comb_work(c) elements, and is wiped. */
void comb_mul_pairs(struct field *, struct point *r, const struct comb *, const BIGNUM *k, struct fp *work);
MUST_USE size_t comb_work(const struct comb *);
/* r += [k]a */
void comb_mul_add(struct field *, struct point *r, const struct comb *, const BIGNUM *k);

/* a[i] += b[i], or a[i] = 2a[i] if b is NULL: one inversion for all. scratch has 2 n elements. */
void flat_add(struct field *, struct flat *a, const struct flat *b, size_t n, struct fp *scratch);
/* n Jacobian points made affine by one inversion: their X and Y lie in a, their Z in z, which has n elements more; 1/Z is there
 * afterwards. */
void flat_normalize(struct field *, struct flat *a, size_t n, struct fp *z);
/* The multiple of digit i. */
void comb_read(struct field *, const struct comb *, const struct digits *, unsigned i, struct flat *out);

#endif
