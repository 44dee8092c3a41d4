/* SPDX-License-Identifier: Apache-2.0 */
/* pages.h - memory for large tables that are worth a key: not swapped out as far as the limit on locked memory lets, not in
 * core files, wiped when it is given back. Internal to crypto/. */
#ifndef CRYPTO_GUARDED_PAGES_H
#define CRYPTO_GUARDED_PAGES_H

#include <stddef.h>

/* Zeroed; NULL without memory. */
void *pages_new(size_t n);
void pages_free(void *p, size_t n); /* p may be NULL */

#endif
