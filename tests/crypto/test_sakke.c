/* SPDX-License-Identifier: Apache-2.0 */
/* The arithmetic below SAKKE: two ways to compute, and tables against plain roads. */
#include <stdlib.h>
#include <string.h>

#include "crypto/guarded/fp1024_way.h"
#include "crypto/guarded/inverse.h"
#include "crypto/guarded/pairing1024.h"
#include "crypto/guarded/sakke_ring.h"
#include "crypto/guarded/sakke_set1.h"
#include "tests/support/support.h"

static uint64_t state;

static uint64_t next(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

/* Long runs of ones and zeroes, where carries go far: random operands never meet some of them. */
static void patterned(struct field *f, fp_words w)
{
	bool below = false;

	for (size_t i = 0; i < FP_WORDS; i++) {
		const uint64_t r = next();

		switch (r % 5) {
		case 0: w[i] = 0; break;
		case 1: w[i] = UINT64_MAX; break;
		case 2: w[i] = UINT64_MAX << (r >> 58); break;
		case 3: w[i] = UINT64_MAX >> (r >> 58); break;
		default: w[i] = next(); break;
		}
	}
	while (!below) {
		for (size_t i = FP_WORDS; i-- > 0;) {
			if (w[i] != f->modulus.p[i]) {
				below = w[i] < f->modulus.p[i];
				break;
			}
		}
		if (!below)
			w[FP_WORDS - 1] >>= 1;
	}
}

static void expect(struct field *a, const struct fp *x, struct field *b, const struct fp *y, const char *what, int round)
{
	fp_words u, v;

	fp_store(a, x, u);
	fp_store(b, y, v);
	ck_assert_msg(memcmp(u, v, sizeof u) == 0, "%s, round %d", what, round);
}

/* The kernel, where there is one, and OpenSSL's arithmetic give the same, whatever the operands. */
START_TEST(the_kernel_agrees_with_openssl)
{
	FIELD k = { 0 }, o = { 0 };
	struct fp *ka, *kb, *kr, *oa, *ob, * or ;

	if (!fp_has_kernel())
		return;
	fp_use(FP_KERNEL);
	ck_assert_int_eq(field_open(&k), OK);
	fp_use(FP_OPENSSL);
	ck_assert_int_eq(field_open(&o), OK);
	fp_use(FP_AUTOMATIC);
	ck_assert(k.kernel && !o.kernel);
	ka = fp_new(&k);
	kb = fp_new(&k);
	kr = fp_new(&k);
	oa = fp_new(&o);
	ob = fp_new(&o);
	or = fp_new(&o);
	state = 88172645463325252U;
	for (int i = 0; i < 20000; i++) {
		fp_words a, b;

		patterned(&k, a);
		patterned(&k, b);
		fp_load(&k, ka, a);
		fp_load(&k, kb, b);
		fp_load(&o, oa, a);
		fp_load(&o, ob, b);
		fp_mul(&k, kr, ka, kb);
		fp_mul(&o, or, oa, ob);
		expect(&k, kr, &o, or, "product", i);
		fp_mul(&k, kr, ka, ka);
		fp_mul(&o, or, oa, oa);
		expect(&k, kr, &o, or, "square", i);
		fp_add(&k, kr, ka, kb);
		fp_add(&o, or, oa, ob);
		expect(&k, kr, &o, or, "sum", i);
		fp_sub(&k, kr, ka, kb);
		fp_sub(&o, or, oa, ob);
		expect(&k, kr, &o, or, "difference", i);
		fp_dot(&k, kr, (const struct fp_term[]){ { ka, kb }, { kb, kb, true }, { ka, ka } }, 3);
		fp_dot(&o, or, (const struct fp_term[]){ { oa, ob }, { ob, ob, true }, { oa, oa } }, 3);
		expect(&k, kr, &o, or, "sum of products", i);
		if (i % 20 != 0)
			continue;
		fp_invert(&k, kr, ka);
		fp_invert(&o, or, oa);
		expect(&k, kr, &o, or, "inverse", i);
		fp_mul(&k, kr, kr, ka);
		ck_assert(fp_is_zero(&k, ka) || fp_equal(&k, kr, k.one));
	}
	ck_assert_int_eq(field_done(&k), OK);
	ck_assert_int_eq(field_done(&o), OK);
}
END_TEST

void inverse_narrow(
        uint64_t r[static INVERSE_WORDS], const uint64_t a[static INVERSE_WORDS], const uint64_t m[static INVERSE_WORDS]);

static void words_of(const BIGNUM *n, uint64_t words[static FP_WORDS])
{
	uint8_t octets[8 * FP_WORDS];

	ck_assert_int_eq(BN_bn2lebinpad(n, octets, sizeof octets), sizeof octets);
	memset(words, 0, sizeof octets);
	for (size_t i = 0; i < sizeof octets; i++)
		words[i / 8] |= (uint64_t)octets[i] << (i % 8 * 8);
}

/* 1 / a by OpenSSL, for the ends of the range, powers of two, patterns, and 0. */
START_TEST(inverses_are_inverses)
{
	BN_CTX *pool = BN_CTX_new();
	BIGNUM *a = BN_new(), *i = BN_new();
	FIELD f = { 0 };

	ck_assert_int_eq(field_open(&f), OK);
	state = 1;
	for (int m = 0; m < 2; m++) {
		const BIGNUM *modulus = m == 0 ? f.p : f.q;
		const uint64_t *words = m == 0 ? f.modulus.p : f.q_words;

		for (int n = 0; n < 600; n++) {
			uint64_t in[FP_WORDS], out[FP_WORDS], expected[FP_WORDS];

			if (n < 4)
				ck_assert(BN_set_word(a, (BN_ULONG)n) == 1);
			else if (n < 8)
				ck_assert(BN_copy(a, modulus) != NULL && BN_sub_word(a, (BN_ULONG)(n - 3)) == 1);
			else if (n < 130)
				ck_assert(BN_set_word(a, 0) == 1 && BN_set_bit(a, 8 * (n - 8)) == 1);
			else {
				patterned(&f, in);
				ck_assert(BN_lebin2bn((uint8_t *)in, sizeof in, a) != NULL);
			}
			ck_assert(BN_nnmod(a, a, modulus, pool) == 1);
			words_of(a, in);
			if (BN_is_zero(a))
				BN_zero(i);
			else
				ck_assert(BN_mod_inverse(i, a, modulus, pool) != NULL);
			words_of(i, expected);
			inverse(out, in, words);
			ck_assert_msg(memcmp(out, expected, sizeof out) == 0, "modulus %d, number %d", m, n);
			inverse_narrow(out, in, words);
			ck_assert_msg(memcmp(out, expected, sizeof out) == 0, "modulus %d, number %d, 32 bits", m, n);
		}
	}
	BN_free(a);
	BN_free(i);
	BN_CTX_free(pool);
}
END_TEST

static void both_ways(void (*law)(struct field *))
{
	for (int way = FP_KERNEL; way <= FP_OPENSSL; way++) {
		FIELD f = { 0 };

		if (way == FP_KERNEL && !fp_has_kernel())
			continue;
		fp_use((enum fp_way)way);
		ck_assert_int_eq(field_open(&f), OK);
		law(&f);
		ck_assert_int_eq(field_done(&f), OK);
		fp_use(FP_AUTOMATIC);
	}
}

/* 1, 2, 3, even and odd ones, powers of two, q - 1 and its neighbours */
static void scalar_number(struct field *f, int n, BIGNUM *k)
{
	if (n < 4)
		ck_assert(BN_set_word(k, (BN_ULONG)n + 1) == 1);
	else if (n < 8)
		ck_assert(BN_copy(k, f->q) != NULL && BN_sub_word(k, (BN_ULONG)(n - 3)) == 1);
	else if (n < 12)
		ck_assert(BN_set_word(k, 0) == 1 && BN_set_bit(k, 255 * (n - 7)) == 1);
	else {
		fp_words w;

		patterned(f, w);
		ck_assert(BN_lebin2bn((uint8_t *)w, sizeof w, k) != NULL && BN_nnmod(k, k, f->q, f->pool) == 1);
	}
}

static void multiples(struct field *f)
{
	struct point g = point_new(f), r = point_new(f);
	BIGNUM *k = scalar_new(f);
	struct comb five, six;
	struct fp *work;

	state = 7;
	point_generator(f, &g);
	ck_assert_int_eq(comb_open(f, &five, 5, &g), OK);
	ck_assert_int_eq(comb_open(f, &six, 6, &g), OK);
	ck_assert_ptr_nonnull(work = fp_array_new(f, comb_work(&five)));
	for (int n = 0; n < 16; n++) {
		uint8_t expected[POINT_LEN], out[POINT_LEN];

		scalar_number(f, n, k);
		point_mul_public(f, &r, k, &g);
		point_encode(f, &r, expected);
		point_mul(f, &r, k, &g);
		point_encode(f, &r, out);
		ck_assert_msg(memcmp(out, expected, sizeof out) == 0, "windows, scalar %d", n);
		comb_mul(f, &r, &five, k);
		point_encode(f, &r, out);
		ck_assert_msg(memcmp(out, expected, sizeof out) == 0, "five bits, scalar %d", n);
		comb_mul(f, &r, &six, k);
		point_encode(f, &r, out);
		ck_assert_msg(memcmp(out, expected, sizeof out) == 0, "six bits, scalar %d", n);
		comb_mul_pairs(f, &r, &five, k, work);
		point_encode(f, &r, out);
		ck_assert_msg(memcmp(out, expected, sizeof out) == 0, "in pairs, scalar %d", n);
		ck_assert(point_decode(f, BYTES_OF(out), &r)); /* and on the curve */
	}
	fp_array_free(work, comb_work(&five));
	comb_close(&five);
	comb_close(&six);
}

START_TEST(every_road_to_a_multiple_is_the_same)
{
	both_ways(multiples);
}
END_TEST

static void pairings(struct field *f)
{
	struct point g = point_new(f), a = point_new(f), b = point_new(f);
	struct fp *w = fp_new(f), *v = fp_new(f);
	struct pair power = pair_new(f);
	BIGNUM *k = scalar_new(f);
	struct lines lines;
	struct powers powers;

	state = 9;
	point_generator(f, &g);
	pairing(f, w, &g, &g);
	ck_assert(pairing_is_g(f, w));
	ck_assert_int_eq(powers_open(f, &powers, 6), OK);
	for (int n = 0; n < 14; n += n < 8 ? 3 : 1) {
		scalar_number(f, n, k);
		if (n == 0)
			ck_assert(BN_set_word(k, 5) == 1);
		point_mul(f, &a, k, &g);
		point_normalize(f, &a);
		pairing(f, w, &a, &g);
		ck_assert_int_eq(lines_open(f, &lines, &a), OK);
		lines_pairing(f, v, &lines, &g);
		ck_assert_msg(fp_equal(f, v, w), "lines, scalar %d", n);
		point_double(f, &b, &g, NULL);
		point_normalize(f, &b);
		pairing(f, v, &b, &a);
		lines_pairing(f, w, &lines, &b);
		ck_assert_msg(fp_equal(f, v, w), "either order, scalar %d", n);
		lines_close(&lines);
		/* <[k]P, P> = g^k, by three roads */
		pairing(f, w, &a, &g);
		pairing_power(f, &power, k);
		pair_ratio(f, v, &power);
		ck_assert_msg(fp_equal(f, v, w), "windows, scalar %d", n);
		powers_power(f, &power, &powers, k);
		pair_ratio(f, v, &power);
		ck_assert_msg(fp_equal(f, v, w), "table, scalar %d", n);
	}
	powers_close(&powers);
}

START_TEST(every_road_to_a_pairing_is_the_same)
{
	both_ways(pairings);
}
END_TEST

/* What does not exist is said to fail, and does not give a point. */
START_TEST(infinity_is_no_answer)
{
	FIELD f = { 0 };
	struct point g, h;
	struct lines lines;

	ck_assert_int_eq(field_open(&f), OK);
	g = point_new(&f);
	h = point_new(&f);
	point_generator(&f, &g);
	point_copy(&f, &h, &g);
	point_add_affine(&f, &h, &h, &g, NULL); /* equal points: not this function's case */
	ck_assert(fp_is_zero(&f, h.z));
	point_normalize(&f, &h);
	ck_assert_int_eq(field_done(&f), ERR_CRYPTO);
	field_close(&f);
	ck_assert_int_eq(field_open(&f), OK); /* (0, 0) has order 2: its double is infinite */
	g = point_new(&f);
	fp_sub(&f, g.x, f.one, f.one);
	fp_sub(&f, g.y, f.one, f.one);
	fp_copy(&f, g.z, f.one);
	ck_assert_int_eq(lines_open(&f, &lines, &g), ERR_CRYPTO);
	lines_close(&lines);
}
END_TEST

static uint8_t z_public[SAKKE_POINT_LEN], rsk[SAKKE_POINT_LEN];

static void setup(void)
{
	z_public[0] = rsk[0] = 4;
	memcpy(z_public + 1, vector("11.2", "Zx").p, 128);
	memcpy(z_public + 129, vector("11.2", "Zy").p, 128);
	memcpy(rsk + 1, vector("11.2", "Kbx").p, 128);
	memcpy(rsk + 129, vector("11.2", "Kby").p, 128);
}

static void tables(enum fp_way way)
{
	enum { MEMBERS = 515 }; /* two batches and a bit */
	static uint8_t many[MEMBERS][SAKKE_DATA_LEN];
	static char names[MEMBERS][16];
	struct bytes id[MEMBERS], b = vector("11.2", "b");
	struct secret ssv = { 0 }, out = { 0 };
	struct secret_large z = { .len = SAKKE_FIELD_LEN }, key = { 0 }, key2 = { 0 };
	uint8_t plain[SAKKE_DATA_LEN], fast[SAKKE_DATA_LEN];
	struct bytes zv = vector("11.2", "z");
	struct sakke_kms *k;
	struct sakke_receiver *r;

	fp_use(way);
	ck_assert_int_eq(sakke_kms_open(z_public, &k), OK);
	ck_assert_uint_gt(sakke_kms_size(), 0);
	ck_assert_int_eq(sakke_receiver_open(z_public, b, BYTES_OF(rsk), &r), OK);
	ck_assert_uint_gt(sakke_receiver_size(r), 0);
	for (uint8_t n = 0; n < 3; n++) {
		const uint8_t octets[SAKKE_SSV_LEN] = { n, 0xFF };

		ck_assert_int_eq(secret_set(&ssv, BYTES_OF(octets)), OK);
		ck_assert_int_eq(sakke_encapsulate(z_public, b, &ssv, plain), OK);
		ck_assert_int_eq(sakke_kms_encapsulate(k, b, &ssv, fast), OK);
		ck_assert_mem_eq(plain, fast, sizeof plain);
		ck_assert_int_eq(sakke_receiver_decapsulate(r, BYTES_OF(fast), &out), OK);
		ck_assert_mem_eq(out.data, octets, sizeof octets);
	}
	/* every octet of the ciphertext counts, and nothing comes out */
	for (size_t i = 0; i < SAKKE_DATA_LEN; i += 16) {
		fast[i] ^= 1;
		ck_assert_int_eq(sakke_receiver_decapsulate(r, BYTES_OF(fast), &out), ERR_CRYPTO);
		ck_assert_uint_eq(out.len, 0);
		fast[i] ^= 1;
	}
	ck_assert_int_eq(sakke_receiver_decapsulate(r, (struct bytes){ fast, 272 }, &out), ERR_CRYPTO);
	for (size_t i = 0; i < MEMBERS; i++) {
		(void)snprintf(names[i], sizeof names[i], "member %zu", i);
		id[i] = (struct bytes){ (uint8_t *)names[i], strlen(names[i]) };
	}
	ck_assert_int_eq(sakke_kms_encapsulate_many(k, MEMBERS, id, &ssv, many), OK);
	for (size_t i = 0; i < MEMBERS; i += i == 254 || i == 255 || i == 510 ? 1 : 127) {
		ck_assert_int_eq(sakke_kms_encapsulate(k, id[i], &ssv, fast), OK);
		ck_assert_msg(memcmp(fast, many[i], sizeof fast) == 0, "member %zu", i);
	}
	ck_assert_int_eq(sakke_kms_encapsulate_many(k, 0, id, &ssv, many), OK);
	id[1] = BYTES_STR("\x01"); /* no identifier */
	ck_assert_int_eq(sakke_kms_encapsulate_many(k, 2, id, &ssv, many), ERR_MALFORMED);
	memcpy(z.data + SAKKE_FIELD_LEN - zv.n, zv.p, zv.n);
	ck_assert_int_eq(sakke_extract(&z, id[7], &key), OK);
	ck_assert_int_eq(sakke_kms_extract(k, &z, id[7], &key2), OK);
	ck_assert_mem_eq(key.data, key2.data, SAKKE_POINT_LEN);
	sakke_receiver_close(&r);
	/* keys that are not the receiver's never get tables */
	ck_assert_int_eq(sakke_receiver_open(z_public, id[7], BYTES_OF(rsk), &r), ERR_CRYPTO);
	ck_assert_ptr_null(r);
	rsk[100] ^= 1;
	ck_assert_int_eq(sakke_receiver_open(z_public, b, BYTES_OF(rsk), &r), ERR_CRYPTO);
	rsk[100] ^= 1;
	sakke_kms_close(&k);
	ck_assert_ptr_null(k);
	many[0][5] ^= 1; /* no point any more */
	ck_assert_int_eq(sakke_kms_open(many[0], &k), ERR_CRYPTO);
	fp_use(FP_AUTOMATIC);
}

START_TEST(tables_change_nothing)
{
	if (fp_has_kernel())
		tables(FP_KERNEL);
	tables(FP_OPENSSL);
}
END_TEST

/* A ring of two: the same answers whether tables are there, are made, or have gone. */
static void ring(bool early)
{
	struct bytes b = vector("11.2", "b"), names[3] = { b, BYTES_STR("one"), BYTES_STR("two") };
	struct secret_large z = { .len = SAKKE_FIELD_LEN }, key[3];
	struct bytes zv = vector("11.2", "z");
	uint8_t data[3][SAKKE_DATA_LEN];
	struct secret ssv = { 0 }, out;
	struct sakke_ring *r;

	memcpy(z.data + SAKKE_FIELD_LEN - zv.n, zv.p, zv.n);
	ck_assert_int_eq(secret_set(&ssv, BYTES_STR("0123456789abcdef")), OK);
	ck_assert_int_eq(sakke_ring_new(2, early, &r), OK);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(sakke_extract(&z, names[i], &key[i]), OK);
		ck_assert_int_eq(sakke_encapsulate(z_public, names[i], &ssv, data[i]), OK);
		ck_assert_int_eq(sakke_ring_validate(r, z_public, names[i], secret_large_bytes(&key[i])), OK);
	}
	for (int n = 0; n < 12; n++) {
		const int i = n < 6 ? n / 2 : n % 3;

		ck_assert_int_eq(
		        sakke_ring_decapsulate(r, z_public, names[i], secret_large_bytes(&key[i]), BYTES_OF(data[i]), &out),
		        OK);
		ck_assert_mem_eq(out.data, ssv.data, SAKKE_SSV_LEN);
		ck_assert_int_eq(sakke_ring_decapsulate(
		                         r, z_public, names[i], secret_large_bytes(&key[i]), BYTES_OF(data[(i + 1) % 3]), &out),
		        ERR_CRYPTO);
		ck_assert_uint_eq(out.len, 0);
		ck_assert_int_eq(sakke_ring_validate(r, z_public, names[i], secret_large_bytes(&key[(i + 1) % 3])), ERR_CRYPTO);
	}
	sakke_ring_clear(r);
	ck_assert_int_eq(sakke_ring_validate(r, z_public, names[0], secret_large_bytes(&key[0])), OK);
	sakke_ring_free(&r);
	ck_assert_ptr_null(r);
	ck_assert_int_eq(sakke_ring_validate(NULL, z_public, names[0], secret_large_bytes(&key[0])), OK);
}

START_TEST(a_ring_of_tables_changes_nothing)
{
	ring(true);
	ring(false);
}
END_TEST

Suite *suite_sakke(void)
{
	Suite *s = suite_create("sakke");
	TCase *t = tcase_create("sakke");

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, the_kernel_agrees_with_openssl);
	tcase_add_test(t, inverses_are_inverses);
	tcase_add_test(t, every_road_to_a_multiple_is_the_same);
	tcase_add_test(t, every_road_to_a_pairing_is_the_same);
	tcase_add_test(t, infinity_is_no_answer);
	tcase_add_test(t, tables_change_nothing);
	tcase_add_test(t, a_ring_of_tables_changes_nothing);
	suite_add_tcase(s, t);
	return s;
}
