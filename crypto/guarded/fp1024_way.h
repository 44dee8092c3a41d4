/* SPDX-License-Identifier: Apache-2.0 */
/* fp1024_way.h - which of its two ways the field takes: for tests and benchmarks, and for fp1024.c, which does as they say. */
#ifndef CRYPTO_GUARDED_FP1024_WAY_H
#define CRYPTO_GUARDED_FP1024_WAY_H

enum fp_way { FP_AUTOMATIC, FP_KERNEL, FP_OPENSSL };
/* What field_open takes from now on. FP_KERNEL where it cannot run stops the program. */
void fp_use(enum fp_way);

#endif
