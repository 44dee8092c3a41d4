/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/guarded/inverse.h"

#include "apdu/base/secret.h"

#include <string.h>

/* Numbers are LIMBS signed limbs of STEPS bits, the lowest first; all but the top one are in 0..2^STEPS-1. A round does STEPS
 * division steps on the lowest words alone and gathers them in a matrix, which is then applied to the long numbers. f and g
 * have at most 1024 bits: by theorem 11.2 of the paper (49 * 1024 + 57) / 17 = 2,954 steps bring g to 0. A round adds at most
 * m / 2 to the absolute value of a coefficient: BOUND m is above what they come to. */
#if defined(__SIZEOF_INT128__) && !defined(INVERSE_NARROW)
enum { LIMBS = 17, STEPS = 62, ROUNDS = 48, BOUND = 32 };
__extension__ typedef __int128 wide;
#else /* 32 bits: products of two limbs fit 64 */
enum { LIMBS = 35, STEPS = 30, ROUNDS = 99, BOUND = 64 };
typedef int64_t wide;
#endif
_Static_assert(STEPS *ROUNDS > (49 * 1024 + 57) / 17, "too few steps");
_Static_assert(ROUNDS / 2 + 1 < BOUND && STEPS * LIMBS > 1024 + 8, "too narrow");

#define LOW ((UINT64_C(1) << STEPS) - 1)

struct number {
	int64_t limb[LIMBS];
};

struct matrix { /* times 2^STEPS; absolute values in a row add up to at most 2^STEPS */
	int64_t u, v, q, r;
};

static void from_words(struct number *n, const uint64_t *w)
{
	for (unsigned i = 0; i < LIMBS; i++) {
		unsigned bit = i * STEPS, at = bit / 64, shift = bit % 64;
		uint64_t x = w[at] >> shift;

		if (shift > 64 - STEPS && at + 1 < INVERSE_WORDS)
			x |= w[at + 1] << (64 - shift);
		n->limb[i] = (int64_t)(x & LOW);
	}
}

static void to_words(const struct number *n, uint64_t *w)
{
	memset(w, 0, INVERSE_WORDS * sizeof *w);
	for (unsigned i = 0; i < LIMBS; i++) {
		unsigned bit = i * STEPS, at = bit / 64, shift = bit % 64;

		w[at] |= (uint64_t)n->limb[i] << shift;
		if (shift > 64 - STEPS && at + 1 < INVERSE_WORDS)
			w[at + 1] |= (uint64_t)n->limb[i] >> (64 - shift);
	}
}

static uint64_t negative(int64_t n) /* all ones, or zero */
{
	return -((uint64_t)n >> 63);
}

/* STEPS steps. Where delta > 0 and g is odd: delta, f, g = 1 - delta, g, (g - f) / 2; otherwise 1 + delta, f, (g + (g mod 2) f)
 * / 2. */
static int64_t divide_steps(int64_t delta, uint64_t f, uint64_t g, struct matrix *t)
{
	uint64_t u = 1, v = 0, q = 0, r = 1;

	for (int i = 0; i < STEPS; i++) {
		uint64_t odd = -(g & 1), swap = odd & ~negative(delta - 1);

		g += ((f ^ swap) - swap) & odd;
		q += ((u ^ swap) - swap) & odd;
		r += ((v ^ swap) - swap) & odd;
		f += g & swap; /* f + (g - f) */
		u += q & swap;
		v += r & swap;
		delta = (int64_t)(((uint64_t)delta ^ swap) - swap) + 1;
		g >>= 1;
		u <<= 1;
		v <<= 1;
	}
	*t = (struct matrix){ (int64_t)u, (int64_t)v, (int64_t)q, (int64_t)r };
	return delta;
}

/* (a x + b y + c m) / 2^STEPS, an integer by the choice of c */
static void combine(struct number *out, int64_t a, const struct number *x, int64_t b, const struct number *y, int64_t c,
        const struct number *m)
{
	wide carry = 0;

	for (int i = 0; i < LIMBS; i++) {
		carry += (wide)a * x->limb[i] + (wide)b * y->limb[i] + (wide)c * m->limb[i];
		if (i > 0)
			out->limb[i - 1] = (int64_t)((uint64_t)carry & LOW);
		carry >>= STEPS;
	}
	out->limb[LIMBS - 1] = (int64_t)carry;
}

/* The c of STEPS signed bits with a x + b y + c m = 0 mod 2^STEPS; negated is -1/m mod 2^64. */
static int64_t filler(int64_t a, const struct number *x, int64_t b, const struct number *y, uint64_t negated)
{
	uint64_t c = ((uint64_t)a * (uint64_t)x->limb[0] + (uint64_t)b * (uint64_t)y->limb[0]) * negated;

	return (int64_t)(c << (64 - STEPS)) >> (64 - STEPS);
}

/* n += c m where mask, with the carries put right */
static void add_masked(struct number *n, int64_t c, const struct number *m, int64_t mask)
{
	wide carry = 0;

	for (int i = 0; i < LIMBS - 1; i++) {
		carry += n->limb[i] + (wide)(c & mask) * m->limb[i];
		n->limb[i] = (int64_t)((uint64_t)carry & LOW);
		carry >>= STEPS;
	}
	n->limb[LIMBS - 1] = (int64_t)(carry + n->limb[LIMBS - 1] + (wide)(c & mask) * m->limb[LIMBS - 1]);
}

/* Into 0..m-1, from above -BOUND m and below BOUND m. */
static void settle(struct number *n, const struct number *m)
{
	add_masked(n, BOUND, m, -1);
	for (int64_t c = BOUND; c > 0; c /= 2) {
		add_masked(n, -c, m, -1);
		add_masked(n, c, m, (int64_t)negative(n->limb[LIMBS - 1]));
	}
}

void inverse(uint64_t r[static INVERSE_WORDS], const uint64_t a[static INVERSE_WORDS], const uint64_t m[static INVERSE_WORDS])
{
	struct number f, g, d = { { 0 } }, e = { { 1 } }, t, modulus;
	struct matrix s;
	uint64_t negated = m[0]; /* five bits of 1/m are right, as m * m = 1 mod 8; each turn doubles them */
	int64_t delta = 1, sign;

	for (int i = 0; i < 5; i++)
		negated *= 2 - m[0] * negated;
	negated = -negated;
	from_words(&modulus, m);
	from_words(&g, a);
	f = modulus;
	/* f = d a and g = e a mod m throughout. */
	for (int i = 0; i < ROUNDS; i++) {
		delta = divide_steps(delta, (uint64_t)f.limb[0] | (uint64_t)f.limb[1] << STEPS,
		        (uint64_t)g.limb[0] | (uint64_t)g.limb[1] << STEPS, &s);
		combine(&t, s.u, &f, s.v, &g, 0, &modulus);
		combine(&g, s.q, &f, s.r, &g, 0, &modulus);
		f = t;
		combine(&t, s.u, &d, s.v, &e, filler(s.u, &d, s.v, &e, negated), &modulus);
		combine(&e, s.q, &d, s.r, &e, filler(s.q, &d, s.r, &e, negated), &modulus);
		d = t;
	}
	/* f is 1 or -1 (m or -m for a = 0, and d = 0): the inverse is d or -d. */
	sign = (int64_t)negative(f.limb[LIMBS - 1]);
	t = (struct number){ { 0 } };
	add_masked(&t, 1 + 2 * sign, &d, -1);
	settle(&t, &modulus);
	to_words(&t, r);
	secret_clean(&f, sizeof f);
	secret_clean(&g, sizeof g);
	secret_clean(&d, sizeof d);
	secret_clean(&e, sizeof e);
	secret_clean(&t, sizeof t);
	secret_clean(&s, sizeof s);
}
