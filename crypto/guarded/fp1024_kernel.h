/* SPDX-License-Identifier: Apache-2.0 */
/* fp1024_kernel.h - what crypto/guarded/fp1024.c calls on x86-64. Internal to it. Constant-time. */
#ifndef CRYPTO_GUARDED_FP1024_KERNEL_H
#define CRYPTO_GUARDED_FP1024_KERNEL_H

#include "crypto/guarded/fp1024.h"

#ifdef __x86_64__
/* fp1024_x86_64.S; for processors with BMI2 and ADX only. product is neither a nor b. t < 2^1024 p, and is used up. */
void fp1024_multiply(uint64_t product[2 * FP_WORDS], const fp_words a, const fp_words b);
void fp1024_square(uint64_t square[2 * FP_WORDS], const fp_words a);
void fp1024_reduce(fp_words r, uint64_t t[2 * FP_WORDS], const struct modulus *);

/* r = a + b and a - b mod p */
void fp1024_add(fp_words r, const fp_words a, const fp_words b, const fp_words p);
void fp1024_sub(fp_words r, const fp_words a, const fp_words b, const fp_words p);
/* t = t + u and t - u mod 2^1024 p */
void fp1024_wide_add(uint64_t t[2 * FP_WORDS], const uint64_t u[2 * FP_WORDS], const fp_words p);
void fp1024_wide_sub(uint64_t t[2 * FP_WORDS], const uint64_t u[2 * FP_WORDS], const fp_words p);
#endif

#endif
