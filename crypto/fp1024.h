/* fp1024.h - the field of SAKKE Parameter Set 1 and its curve y^2 = x^3 - 3x, on OpenSSL's Montgomery arithmetic.
 * Internal to crypto/. Elements are BIGNUMs in Montgomery form, lent by a pool that is wiped when the field closes.
 * Subtraction goes through p - b, never BN_mod_sub, which branches on its operands. */
#ifndef CRYPTO_FP1024_H
#define CRYPTO_FP1024_H

#include <openssl/bn.h>

#include "apdu/secret.h"

struct field {
	BN_CTX *pool;
	BIGNUM *p, *q, *one; /* one is in Montgomery form */
	BN_MONT_CTX *mont_p, *mont_q;
	bool failed; /* an OpenSSL call failed (memory); checked once at the end */
};

struct point { /* Jacobian: x = X/Z^2, y = Y/Z^3; Z = 0 is infinity */
	BIGNUM *x, *y, *z;
};

struct pair { /* a + i b in F_p[i], i^2 = -1 */
	BIGNUM *a, *b;
};

void field_close(struct field *);
MUST_USE enum status field_open(struct field *);
#define FIELD __attribute__((cleanup(field_close))) struct field

BIGNUM *fp_new(struct field *);
struct point point_new(struct field *);
struct pair pair_new(struct field *);

void fp_mul(struct field *, BIGNUM *r, const BIGNUM *a, const BIGNUM *b);
void fp_add(struct field *, BIGNUM *r, const BIGNUM *a, const BIGNUM *b);
void fp_sub(struct field *, BIGNUM *r, const BIGNUM *a, const BIGNUM *b);
void fp_invert(struct field *, BIGNUM *r, const BIGNUM *a); /* a^(p-2); 0 gives 0 */

/* 128 octets, which must be below p. */
MUST_USE bool fp_decode(struct field *, struct bytes in, BIGNUM *r);
void fp_encode(struct field *, const BIGNUM *a, uint8_t *out);

/* 04 || x || y with both below p and on the curve. */
MUST_USE bool point_decode(struct field *, struct bytes in, struct point *out);
void point_encode(struct field *, const struct point *, uint8_t *out);
void point_generator(struct field *, struct point *out);
void point_double(struct field *, struct point *r, const struct point *a);
void point_add(struct field *, struct point *r, const struct point *a, const struct point *b); /* any inputs; public only */

/* r = [k]a for secret k in 1..q-1 and a of order q: fixed-length ladder. */
void point_mul(struct field *, struct point *r, const BIGNUM *k, const struct point *a);
/* r = [k]a for public k >= 1: double and add. */
void point_mul_public(struct field *, struct point *r, const BIGNUM *k, const struct point *a);

/* out = (1 + i g)^k as one field element b/a, for secret k in 1..q-1. */
void pairing_power(struct field *, BIGNUM *out, const BIGNUM *k);
/* out = <r, s> as one field element (RFC 6508 3.2). r and s must be on the curve. */
void pairing(struct field *, BIGNUM *out, const struct point *r, const struct point *s);

/* Whether the affine g of Parameter Set 1 equals a. */
MUST_USE bool fp_is_g(struct field *, const BIGNUM *a);

#endif
