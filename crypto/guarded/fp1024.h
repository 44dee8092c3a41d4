/* SPDX-License-Identifier: Apache-2.0 */
/* fp1024.h - the field of SAKKE Parameter Set 1: integers mod p, 1024 bits. Internal to crypto/.
 * Two ways to compute: a kernel of our own for x86-64 with BMI2 and ADX, and OpenSSL's Montgomery arithmetic everywhere else;
 * the tests hold one against the other. Elements are in Montgomery form (times 2^1024) in both, and never leave their range.
 * Every function takes the same time for all values, but for what its comment calls public. */
#ifndef CRYPTO_GUARDED_FP1024_H
#define CRYPTO_GUARDED_FP1024_H

#include <openssl/bn.h>

#include "apdu/base/secret.h"

enum { FP_LEN = 128, FP_WORDS = 16, FIELD_SLOTS = 80 };

typedef uint64_t fp_words[FP_WORDS]; /* an element as it lies in tables: Montgomery form, lowest word first, below p */

struct fp {
	fp_words w; /* kernel */
	BIGNUM *n;  /* OpenSSL */
};

struct modulus { /* what the kernel reduces by */
	fp_words p;
	uint64_t inverse; /* -1/p mod 2^64 */
};

struct field {
	bool kernel;
	bool failed;  /* memory, or a zero where none may be; looked at once at the end */
	bool starved; /* memory */
	BN_CTX *pool;
	const BIGNUM *p, *q;
	BN_MONT_CTX *mont_p, *mont_q;
	struct modulus modulus;
	const uint64_t *q_words;
	uint64_t wide[2][2 * FP_WORDS];
	struct fp *one, *cube; /* 1, and 2^3072 for inversions */
	size_t used;
	struct fp slot[FIELD_SLOTS];
};

/* Whether this processor runs the kernel. */
MUST_USE bool fp_has_kernel(void);

/* All that a field lends is wiped when it closes. */
void field_close(struct field *);
MUST_USE enum status field_open(struct field *);
#define FIELD __attribute__((cleanup(field_close))) struct field
MUST_USE enum status field_done(const struct field *);
/* What was given is refused, ERR_CRYPTO, unless it could not be judged for want of memory. */
MUST_USE enum status field_refused(const struct field *);
void field_starve(struct field *);

/* An element of no particular value, lent until f->used is set back to what it was before. */
struct fp *fp_new(struct field *);
/* A scalar of full width; lent until the field closes. */
BIGNUM *scalar_new(struct field *);

void fp_mul(struct field *, struct fp *r, const struct fp *a, const struct fp *b);
void fp_add(struct field *, struct fp *r, const struct fp *a, const struct fp *b);
void fp_sub(struct field *, struct fp *r, const struct fp *a, const struct fp *b);
void fp_invert(struct field *, struct fp *r, const struct fp *a); /* 0 gives 0 */
/* a[i] = 1 / a[i] by one inversion; f->failed if one is 0. scratch has n elements. */
void fp_invert_many(struct field *, struct fp *a, size_t n, struct fp *scratch);
void fp_copy(struct field *, struct fp *r, const struct fp *a);
/* The same; a has no particular value afterwards. */
void fp_move(struct field *, struct fp *r, struct fp *a);

/* r = the sum of +- a b over n terms, n >= 1; the first is +. r may be among them. Cheaper than its parts. */
struct fp_term {
	const struct fp *a, *b;
	bool minus;
};
void fp_dot(struct field *, struct fp *r, const struct fp_term *, size_t n);

/* Says whether a value is zero, or two are equal: the answer is public. */
MUST_USE bool fp_is_zero(struct field *, const struct fp *);
MUST_USE bool fp_equal(struct field *, const struct fp *, const struct fp *);

/* n elements that outlive calls, for fields opened the same way; NULL without memory. fp_array_free wipes them. */
MUST_USE struct fp *fp_array_new(const struct field *, size_t n);
void fp_array_free(struct fp *, size_t n);
void fp_array_wipe(const struct field *, struct fp *, size_t n);

void fp_load(struct field *, struct fp *r, const fp_words);
void fp_store(struct field *, const struct fp *, fp_words);

/* 128 octets, which must be below p. */
MUST_USE bool fp_decode(struct field *, struct bytes in, struct fp *r);
void fp_encode(struct field *, const struct fp *, uint8_t out[static FP_LEN]);

/* The constants of crypto/guarded/sakke_set1.h. */
void fp_constant(struct field *, struct fp *r, const uint8_t octets[static FP_LEN]);

/* 1/k mod q for a secret k, 0 for 0. */
void scalar_invert(struct field *, BIGNUM *r, const BIGNUM *k);

#endif
