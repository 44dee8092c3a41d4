/* SPDX-License-Identifier: Apache-2.0 */
/* What a processor without a product of 128 bits runs, under a name of its own. */
#define INVERSE_NARROW
#define inverse inverse_narrow
#include "crypto/guarded/inverse.c" /* NOLINT(bugprone-suspicious-include): the same source, built the other way */
