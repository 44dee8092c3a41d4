/* SPDX-License-Identifier: Apache-2.0 */
/* sakke_set1.h - SAKKE Parameter Set 1, RFC 6509 appendix A: public constants, big-endian. */
#ifndef CRYPTO_GUARDED_SAKKE_SET1_H
#define CRYPTO_GUARDED_SAKKE_SET1_H

#include <stdint.h>

extern const uint8_t prime_p[128];
extern const uint8_t order_q[128];
extern const uint8_t generator_x[128];
extern const uint8_t generator_y[128];
extern const uint8_t pairing_g[128];

#endif
