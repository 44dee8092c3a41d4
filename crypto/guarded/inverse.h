/* SPDX-License-Identifier: Apache-2.0 */
/* inverse.h - the inverse modulo an odd number in a fixed number of steps: Bernstein and Yang, "Fast constant-time gcd
 * computation and modular inversion" (2019). Internal to crypto/. */
#ifndef CRYPTO_GUARDED_INVERSE_H
#define CRYPTO_GUARDED_INVERSE_H

#include <stdint.h>

enum { INVERSE_WORDS = 16 };

/* r = 1/a mod m, or 0 for a = 0; a < m, m odd and of at most 1024 bits, their greatest common divisor 1. Constant-time in a. */
void inverse(uint64_t r[static INVERSE_WORDS], const uint64_t a[static INVERSE_WORDS], const uint64_t m[static INVERSE_WORDS]);

#endif
