/* SPDX-License-Identifier: Apache-2.0 */
/* pairing1024.h - the pairing of RFC 6508 3.2 and powers of its values. Internal to crypto/.
 * A value is an element b/a of F_p standing for a + i b in F_p[i], i^2 = -1, up to factors of F_p. */
#ifndef CRYPTO_GUARDED_PAIRING1024_H
#define CRYPTO_GUARDED_PAIRING1024_H

#include "crypto/guarded/curve1024.h"

struct pair { /* a + i b */
	struct fp *a, *b;
};

struct pair pair_new(struct field *);
/* out = b / a. f->failed if a is 0. */
void pair_ratio(struct field *, struct fp *out, const struct pair *);

/* out = <r, s>; both on the curve, with Z = 1. */
void pairing(struct field *, struct fp *out, const struct point *r, const struct point *s);
/* Whether a is g of Parameter Set 1; the answer is public. */
MUST_USE bool pairing_is_g(struct field *, const struct fp *a);

/* All lines of Miller's loop over one point, two doublings and an addition at a time, as polynomials in the other point's x and
 * y. They are worth as much as the point: a receiver's secret key. */
struct lines {
	struct fp *row;
	size_t count, used;
};
MUST_USE enum status lines_open(struct field *, struct lines *, const struct point *r);
void lines_close(struct lines *);                 /* wipes */
MUST_USE size_t lines_size(const struct lines *); /* octets */
void lines_pairing(struct field *, struct fp *out, const struct lines *, const struct point *s);

/* g^k as a pair, for secret k in 1..q-1. */
void pairing_power(struct field *, struct pair *out, const BIGNUM *k);

/* The same from a table of all odd powers of g that a scalar's digits ask for. */
struct powers {
	unsigned width, count;
	fp_words *row;
};
MUST_USE enum status powers_open(struct field *, struct powers *, unsigned width);
void powers_close(struct powers *);
MUST_USE size_t powers_size(unsigned width);
void powers_power(struct field *, struct pair *out, const struct powers *, const BIGNUM *k);

#endif
