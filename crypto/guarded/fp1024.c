/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/guarded/fp1024.h"

#include "crypto/common/once.h"
#include "crypto/guarded/fp1024_kernel.h"
#include "crypto/guarded/fp1024_way.h"
#include "crypto/guarded/inverse.h"
#include "crypto/guarded/pages.h"
#include "crypto/guarded/sakke_set1.h"

#include <endian.h>
#include <string.h>

#include <openssl/crypto.h>

_Static_assert((int)FP_WORDS == (int)INVERSE_WORDS, "two widths");

static enum fp_way way;

void fp_use(enum fp_way w)
{
	way = w;
}

#ifdef __x86_64__
#define KERNEL(f) ((f)->kernel)
#else
/* No kernel: what would call it is never reached, and names its operands only. */
#define KERNEL(f) ((void)(f), false)
#define NOT_HERE(t, a, b) ((void)(t), (void)(a), (void)(b))
#define fp1024_multiply(t, a, b) NOT_HERE(t, a, b)
#define fp1024_square(t, a) NOT_HERE(t, a, a)
#define fp1024_reduce(r, t, m) NOT_HERE(r, t, m)
#define fp1024_add(r, a, b, p) NOT_HERE(r, a, b)
#define fp1024_sub(r, a, b, p) NOT_HERE(r, a, b)
#define fp1024_wide_add(t, u, p) NOT_HERE(t, u, p)
#define fp1024_wide_sub(t, u, p) NOT_HERE(t, u, p)
#endif

static void check(struct field *f, int ok)
{
	if (ok != 1)
		f->failed = f->starved = true; /* what computes with numbers in range fails for nothing else */
}

void field_starve(struct field *f)
{
	f->failed = f->starved = true;
}

static BIGNUM *wide_number(BIGNUM *n)
{
	/* Full width from the start: no allocation and no length depends on a value. */
	if (n == NULL || BN_set_bit(n, 1087) != 1)
		return NULL;
	BN_zero(n);
	BN_set_flags(n, BN_FLG_CONSTTIME);
	return n;
}

struct fp *fp_new(struct field *f)
{
	struct fp *n = &f->slot[f->used];

	if (f->used + 1 < FIELD_SLOTS)
		f->used++;
	else
		f->failed = true;
	if (!KERNEL(f) && n->n == NULL && (n->n = wide_number(BN_new())) == NULL)
		field_starve(f);
	return n;
}

BIGNUM *scalar_new(struct field *f)
{
	BIGNUM *n = wide_number(BN_CTX_get(f->pool));

	if (n == NULL)
		field_starve(f);
	return n;
}

struct fp *fp_array_new(const struct field *f, size_t n)
{
	struct fp *a = pages_new(n * sizeof *a);

	for (size_t i = 0; !KERNEL(f) && a != NULL && i < n; i++)
		if ((a[i].n = wide_number(BN_new())) == NULL) {
			fp_array_free(a, n);
			return NULL;
		}
	return a;
}

void fp_array_wipe(const struct field *f, struct fp *a, size_t n)
{
	if (KERNEL(f))
		secret_clean(a, n * sizeof *a);
	for (size_t i = 0; !KERNEL(f) && i < n; i++)
		BN_clear(a[i].n);
}

void fp_array_free(struct fp *a, size_t n)
{
	for (size_t i = 0; a != NULL && i < n; i++)
		BN_clear_free(a[i].n);
	pages_free(a, n * sizeof *a);
}

void field_close(struct field *f)
{
	for (size_t i = 0; i < FIELD_SLOTS; i++)
		BN_clear_free(f->slot[i].n);
	if (f->pool != NULL)
		BN_CTX_end(f->pool);
	BN_CTX_free(f->pool); /* wipes what it lent */
	secret_clean(f, sizeof *f);
}

static bool words(const BIGNUM *n, uint64_t *w)
{
	bool ok = BN_bn2lebinpad(n, (uint8_t *)w, FP_LEN) == FP_LEN;

	for (size_t i = 0; i < FP_WORDS; i++)
		w[i] = le64toh(w[i]);
	return ok;
}

static bool number(const uint64_t *w, BIGNUM *n)
{
	fp_words little;
	bool ok;

	for (size_t i = 0; i < FP_WORDS; i++)
		little[i] = htole64(w[i]);
	ok = BN_lebin2bn((const uint8_t *)little, FP_LEN, n) != NULL;
	secret_clean(little, sizeof little);
	return ok;
}

/* What all fields share: made once, then only read. */
static struct {
	BIGNUM *p, *q;
	BN_MONT_CTX *mont_p, *mont_q;
	struct modulus modulus;
	fp_words q_words, one, cube;
} shared;

static void shared_free(void)
{
	BN_free(shared.p);
	BN_free(shared.q);
	BN_MONT_CTX_free(shared.mont_p);
	BN_MONT_CTX_free(shared.mont_q);
}

static bool shared_make(void)
{
	BN_CTX *pool = BN_CTX_new();
	BIGNUM *n = BN_new();
	uint64_t inverse_p;
	bool ready;

	shared.p = BN_bin2bn(prime_p, FP_LEN, NULL);
	shared.q = BN_bin2bn(order_q, FP_LEN, NULL);
	shared.mont_p = BN_MONT_CTX_new();
	shared.mont_q = BN_MONT_CTX_new();
	ready = pool != NULL && n != NULL && shared.p != NULL && shared.q != NULL && shared.mont_p != NULL &&
	        shared.mont_q != NULL && BN_MONT_CTX_set(shared.mont_p, shared.p, pool) == 1 &&
	        BN_MONT_CTX_set(shared.mont_q, shared.q, pool) == 1 && words(shared.p, shared.modulus.p) &&
	        words(shared.q, shared.q_words) && BN_one(n) == 1 && BN_to_montgomery(n, n, shared.mont_p, pool) == 1 &&
	        words(n, shared.one) && BN_to_montgomery(n, n, shared.mont_p, pool) == 1 &&
	        BN_to_montgomery(n, n, shared.mont_p, pool) == 1 && words(n, shared.cube);
	inverse_p = shared.modulus.p[0]; /* right in three bits; each turn doubles them */
	for (int i = 0; i < 5; i++)
		inverse_p *= 2 - shared.modulus.p[0] * inverse_p;
	shared.modulus.inverse = -inverse_p;
	BN_free(n);
	BN_CTX_free(pool);
	if (!ready)
		shared_free();
	return ready;
}

enum status field_open(struct field *f)
{
	static struct once once = ONCE_NOT_YET;

	memset(f, 0, sizeof *f);
	f->kernel = way == FP_KERNEL || (way == FP_AUTOMATIC && fp_has_kernel());
	if (!once_ready(&once, shared_make) || (f->pool = BN_CTX_new()) == NULL)
		return ERR_NO_MEMORY;
	BN_CTX_start(f->pool);
	f->p = shared.p;
	f->q = shared.q;
	f->mont_p = shared.mont_p;
	f->mont_q = shared.mont_q;
	f->modulus = shared.modulus;
	f->q_words = shared.q_words;
	f->one = fp_new(f);
	f->cube = fp_new(f);
	if (f->failed)
		return field_refused(f);
	fp_load(f, f->one, shared.one);
	fp_load(f, f->cube, shared.cube);
	return field_done(f);
}

enum status field_done(const struct field *f)
{
	return f->failed ? field_refused(f) : OK;
}

enum status field_refused(const struct field *f)
{
	return f->starved ? ERR_NO_MEMORY : ERR_CRYPTO;
}

void fp_mul(struct field *f, struct fp *r, const struct fp *a, const struct fp *b)
{
	if (KERNEL(f)) {
		if (a == b)
			fp1024_square(f->wide[0], a->w);
		else
			fp1024_multiply(f->wide[0], a->w, b->w);
		fp1024_reduce(r->w, f->wide[0], &f->modulus);
	} else {
		check(f, BN_mod_mul_montgomery(r->n, a->n, b->n, f->mont_p, f->pool));
	}
}

void fp_add(struct field *f, struct fp *r, const struct fp *a, const struct fp *b)
{
	if (KERNEL(f))
		fp1024_add(r->w, a->w, b->w, f->modulus.p);
	else
		check(f, BN_mod_add_quick(r->n, a->n, b->n, f->p));
}

void fp_sub(struct field *f, struct fp *r, const struct fp *a, const struct fp *b)
{
	if (KERNEL(f)) {
		fp1024_sub(r->w, a->w, b->w, f->modulus.p);
	} else { /* through p - b: BN_mod_sub branches on its operands */
		const size_t mark = f->used;
		struct fp *t = fp_new(f);

		check(f, BN_usub(t->n, f->p, b->n));
		check(f, BN_mod_add_quick(r->n, a->n, t->n, f->p));
		f->used = mark;
	}
}

void fp_copy(struct field *f, struct fp *r, const struct fp *a)
{
	if (KERNEL(f))
		memcpy(r->w, a->w, sizeof r->w);
	else
		check(f, BN_copy(r->n, a->n) != NULL);
}

void fp_move(struct field *f, struct fp *r, struct fp *a)
{
	if (KERNEL(f))
		memcpy(r->w, a->w, sizeof r->w);
	else
		BN_swap(r->n, a->n);
}

static void dot_kernel(struct field *f, struct fp *r, const struct fp_term *t, size_t n)
{
	fp1024_multiply(f->wide[0], t[0].a->w, t[0].b->w);
	for (size_t i = 1; i < n; i++) {
		fp1024_multiply(f->wide[1], t[i].a->w, t[i].b->w);
		if (t[i].minus)
			fp1024_wide_sub(f->wide[0], f->wide[1], f->modulus.p);
		else
			fp1024_wide_add(f->wide[0], f->wide[1], f->modulus.p);
	}
	fp1024_reduce(r->w, f->wide[0], &f->modulus);
}

void fp_dot(struct field *f, struct fp *r, const struct fp_term *t, size_t n)
{
	const size_t mark = f->used;
	struct fp *sum, *product;

	if (KERNEL(f)) {
		dot_kernel(f, r, t, n);
		return;
	}
	sum = fp_new(f);
	product = fp_new(f);
	fp_mul(f, sum, t[0].a, t[0].b);
	for (size_t i = 1; i < n; i++) {
		fp_mul(f, product, t[i].a, t[i].b);
		(t[i].minus ? fp_sub : fp_add)(f, sum, sum, product);
	}
	BN_swap(r->n, sum->n);
	f->used = mark;
}

void fp_load(struct field *f, struct fp *r, const fp_words w)
{
	if (KERNEL(f))
		memcpy(r->w, w, sizeof r->w);
	else
		check(f, number(w, r->n));
}

void fp_store(struct field *f, const struct fp *a, fp_words w)
{
	if (KERNEL(f))
		memcpy(w, a->w, sizeof a->w);
	else
		check(f, words(a->n, w));
}

void fp_invert(struct field *f, struct fp *r, const struct fp *a)
{
	const size_t mark = f->used;
	struct fp *t = fp_new(f);
	fp_words w;

	fp_store(f, a, w);
	inverse(w, w, f->modulus.p);
	fp_load(f, t, w);
	fp_mul(f, r, t, f->cube); /* 1/(a R) times R^3 / R */
	secret_clean(w, sizeof w);
	f->used = mark;
}

void fp_invert_many(struct field *f, struct fp *a, size_t n, struct fp *scratch)
{
	const size_t mark = f->used;
	struct fp *all = fp_new(f), *t = fp_new(f);

	fp_copy(f, all, f->one);
	for (size_t i = 0; i < n; i++) {
		fp_copy(f, &scratch[i], all);
		fp_mul(f, all, all, &a[i]);
	}
	if (fp_is_zero(f, all))
		f->failed = true;
	fp_invert(f, all, all);
	for (size_t i = n; i-- > 0;) {
		fp_mul(f, t, &scratch[i], all);
		fp_mul(f, all, all, &a[i]);
		fp_move(f, &a[i], t);
	}
	f->used = mark;
}

void scalar_invert(struct field *f, BIGNUM *r, const BIGNUM *k)
{
	fp_words w;

	check(f, words(k, w));
	inverse(w, w, f->q_words);
	check(f, number(w, r));
	secret_clean(w, sizeof w);
}

bool fp_is_zero(struct field *f, const struct fp *a)
{
	fp_words w;
	uint64_t any = 0;
	bool zero;

	fp_store(f, a, w);
	for (size_t i = 0; i < FP_WORDS; i++)
		any |= w[i];
	zero = any == 0;
	secret_clean(w, sizeof w);
	secret_declassify(&zero, sizeof zero); /* says so in the header */
	return zero;
}

bool fp_equal(struct field *f, const struct fp *a, const struct fp *b)
{
	const size_t mark = f->used;
	struct fp *t = fp_new(f);
	bool equal;

	fp_sub(f, t, a, b);
	equal = fp_is_zero(f, t);
	f->used = mark;
	return equal;
}

/* From octets to Montgomery form, whatever the way. */
static void enter(struct field *f, BIGNUM *n, struct fp *r)
{
	fp_words w;

	check(f, BN_to_montgomery(n, n, f->mont_p, f->pool));
	check(f, words(n, w));
	fp_load(f, r, w);
	secret_clean(w, sizeof w);
}

bool fp_decode(struct field *f, struct bytes in, struct fp *r)
{
	bool ok;
	BIGNUM *n;

	BN_CTX_start(f->pool);
	n = scalar_new(f);
	ok = n != NULL && in.n == FP_LEN && BN_bin2bn(in.p, FP_LEN, n) != NULL && BN_cmp(n, f->p) < 0;
	secret_declassify(&ok, sizeof ok); /* a coordinate, or none */
	if (ok)
		enter(f, n, r);
	BN_CTX_end(f->pool);
	return ok && !f->failed;
}

void fp_constant(struct field *f, struct fp *r, const uint8_t octets[static FP_LEN])
{
	if (!fp_decode(f, (struct bytes){ octets, FP_LEN }, r))
		f->failed = true;
}

void fp_encode(struct field *f, const struct fp *a, uint8_t out[static FP_LEN])
{
	fp_words w;
	BIGNUM *n;

	BN_CTX_start(f->pool);
	n = scalar_new(f);
	fp_store(f, a, w);
	check(f, n != NULL && number(w, n) && BN_from_montgomery(n, n, f->mont_p, f->pool) == 1 &&
	                 BN_bn2binpad(n, out, FP_LEN) == FP_LEN);
	secret_clean(w, sizeof w);
	BN_CTX_end(f->pool);
}
