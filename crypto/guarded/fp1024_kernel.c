/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/guarded/fp1024_kernel.h"

#ifdef __x86_64__
#include <cpuid.h>
#include <immintrin.h>

bool fp_has_kernel(void)
{
	unsigned a, b = 0, c, d;

	return __get_cpuid_count(7, 0, &a, &b, &c, &d) == 1 && (b & bit_BMI2) != 0 && (b & bit_ADX) != 0;
}

typedef unsigned long long limb; /* what the intrinsics take: as wide as uint64_t, but another type */

/* sum = a + b + carry of 16 words; the carry */
static inline unsigned char add(limb *sum, const uint64_t *a, const uint64_t *b, unsigned char carry)
{
#pragma GCC unroll 16
	for (int i = 0; i < FP_WORDS; i++)
		carry = _addcarry_u64(carry, a[i], b[i], &sum[i]);
	return carry;
}

static inline unsigned char subtract(limb *difference, const uint64_t *a, const uint64_t *b, unsigned char borrow)
{
#pragma GCC unroll 16
	for (int i = 0; i < FP_WORDS; i++)
		borrow = _subborrow_u64(borrow, a[i], b[i], &difference[i]);
	return borrow;
}

/* r = x - p if that is not negative, else x, for x = sum + carry 2^1024 */
static inline void settle(uint64_t *r, const limb *x, unsigned char carry, const uint64_t *p)
{
	limb less[FP_WORDS];
	unsigned char borrow = 0;
	uint64_t keep;

#pragma GCC unroll 16
	for (int i = 0; i < FP_WORDS; i++)
		borrow = _subborrow_u64(borrow, x[i], p[i], &less[i]);
	keep = -(uint64_t)(borrow & (carry ^ 1));
#pragma GCC unroll 16
	for (int i = 0; i < FP_WORDS; i++)
		r[i] = (x[i] & keep) | (less[i] & ~keep);
}

/* r = x + p if there was a borrow */
static inline void lift(uint64_t *r, const limb *x, unsigned char borrow, const uint64_t *p)
{
	limb more[FP_WORDS];
	unsigned char carry = 0;
	uint64_t mask = -(uint64_t)borrow;

#pragma GCC unroll 16
	for (int i = 0; i < FP_WORDS; i++)
		carry = _addcarry_u64(carry, x[i], p[i] & mask, &more[i]);
	for (int i = 0; i < FP_WORDS; i++)
		r[i] = more[i];
}

void fp1024_add(fp_words r, const fp_words a, const fp_words b, const fp_words p)
{
	limb sum[FP_WORDS];
	unsigned char carry = add(sum, a, b, 0);

	settle(r, sum, carry, p);
}

void fp1024_sub(fp_words r, const fp_words a, const fp_words b, const fp_words p)
{
	limb difference[FP_WORDS];
	unsigned char borrow = subtract(difference, a, b, 0);

	lift(r, difference, borrow, p);
}

void fp1024_wide_add(uint64_t t[2 * FP_WORDS], const uint64_t u[2 * FP_WORDS], const fp_words p)
{
	limb low[FP_WORDS], high[FP_WORDS];
	unsigned char carry = add(low, t, u, 0);

	carry = add(high, t + FP_WORDS, u + FP_WORDS, carry);
	for (int i = 0; i < FP_WORDS; i++)
		t[i] = low[i];
	settle(t + FP_WORDS, high, carry, p);
}

void fp1024_wide_sub(uint64_t t[2 * FP_WORDS], const uint64_t u[2 * FP_WORDS], const fp_words p)
{
	limb low[FP_WORDS], high[FP_WORDS];
	unsigned char borrow = subtract(low, t, u, 0);

	borrow = subtract(high, t + FP_WORDS, u + FP_WORDS, borrow);
	for (int i = 0; i < FP_WORDS; i++)
		t[i] = low[i];
	lift(t + FP_WORDS, high, borrow, p);
}
#else
bool fp_has_kernel(void)
{
	return false;
}
#endif
