/* SPDX-License-Identifier: Apache-2.0 */
/* f1..f5* of Milenage, TUAK and the XOR test algorithm. */
#include <string.h>

#include "crypto/guarded/aka.h"
#include "crypto/common/eap_keys.h"
#include "tests/support/support.h"

static const char vectors[] = "tests/vectors/aka.txt";

static void load(struct aka_subscriber *s, enum aka_algorithm a, const char *set)
{
	struct bytes k = vector_in(vectors, set, "k"), opc = vector_in(vectors, set, "opc");

	aka_defaults(s, a);
	memcpy(s->k, k.p, k.n);
	s->res_len = (uint8_t)vector_in(vectors, set, "f2").n;
	ck_assert_int_eq(aka_check(s), OK);
	ck_assert_int_eq(aka_derive_opc(s, vector_in(vectors, set, "op")), OK);
	ck_assert(bytes_equal((struct bytes){ s->opc, s->opc_len }, opc));
}

#define EXPECT(field, name) ck_assert_mem_eq(field, vector_in(vectors, set, name).p, vector_in(vectors, set, name).n)

START_TEST(published_test_sets)
{
	static const char *const sets[] = { "milenage-1", "milenage-3", "milenage-4", "milenage-5", "milenage-6", "tuak-1" };
	const char *set = sets[_i];
	uint8_t mac[AKA_MAC_MAX], star[AKA_MAC_MAX];
	struct aka_subscriber s;
	struct aka_keys keys;
	struct bytes rand = vector_in(vectors, set, "rand");

	load(&s, strncmp(set, "tuak", 4) == 0 ? AKA_TUAK : AKA_MILENAGE, set);
	ck_assert_int_eq(aka_f1(&s, rand.p, vector_in(vectors, set, "sqn").p, vector_in(vectors, set, "amf").p, mac, star), OK);
	EXPECT(mac, "f1");
	EXPECT(star, "f1star");
	ck_assert_int_eq(aka_f2345(&s, rand.p, &keys), OK);
	EXPECT(keys.res, "f2");
	EXPECT(keys.ck, "f3");
	EXPECT(keys.ik, "f4");
	EXPECT(keys.ak, "f5");
	EXPECT(keys.ak_star, "f5star");
}
END_TEST

START_TEST(gsm_conversion_and_auts)
{
	struct aka_subscriber s;
	struct aka_keys keys;
	uint8_t sres[4], kc[8], auts[AUTS_LEN], sqn[SQN_LEN];
	struct bytes rand = vector_in(vectors, "milenage-1", "rand"), sqn_ms = vector_in(vectors, "milenage-1", "sqn");

	load(&s, AKA_MILENAGE, "milenage-1");
	ck_assert_int_eq(aka_f2345(&s, rand.p, &keys), OK);
	aka_gsm(&s, &keys, sres, kc);
	ck_assert(bytes_equal(BYTES_OF(sres), hex("46f8416a")));
	ck_assert(bytes_equal(BYTES_OF(kc), hex("eae4be823af9a08b")));
	ck_assert_int_eq(aka_auts_build(&s, rand.p, sqn_ms.p, auts), OK);
	ck_assert(bytes_equal(BYTES_OF(auts), hex("ba853f3c123ccf44e93596e355c6")));
	ck_assert_int_eq(aka_auts_open(&s, rand.p, auts, sqn), OK);
	ck_assert(bytes_equal(BYTES_OF(sqn), sqn_ms));
	for (size_t i = 0; i < AUTS_LEN; i++) {
		auts[i] ^= 0x10;
		ck_assert_int_eq(aka_auts_open(&s, rand.p, auts, sqn), ERR_CRYPTO);
		auts[i] ^= 0x10;
	}
}
END_TEST

/* Every length TUAK has: different lengths are different functions, and more iterations give other octets. */
START_TEST(tuak_lengths_and_iterations)
{
	static const uint8_t lengths[] = { 4, 8, 16, 32 };
	static const uint8_t rand[RAND_LEN] = { 0x42 }, sqn[SQN_LEN] = { 1 }, amf[AMF_LEN] = { 0x80 };
	uint8_t seen[4 * 3][32] = { 0 }, mac[AKA_MAC_MAX], star[AKA_MAC_MAX];
	struct aka_keys keys;
	struct aka_subscriber s;
	int n = 0;

	for (int big = 0; big < 2; big++)
		for (int i = 0; i < 4; i++) {
			aka_defaults(&s, AKA_TUAK);
			s.k_len = big ? 32 : 16;
			s.ck_len = s.ik_len = s.k_len;
			s.res_len = lengths[i];
			s.mac_len = i == 0 ? 8 : lengths[i];
			memset(s.k, 0xAB, s.k_len);
			ck_assert_int_eq(aka_check(&s), OK);
			ck_assert_int_eq(aka_f2345(&s, rand, &keys), OK);
			ck_assert_int_eq(aka_f1(&s, rand, sqn, amf, mac, star), OK);
			ck_assert_mem_ne(mac, star, s.mac_len);
			memcpy(seen[n++], keys.ck, 16);
		}
	s.iterations = 2;
	ck_assert_int_eq(aka_f2345(&s, rand, &keys), OK);
	memcpy(seen[n++], keys.ck, 16);
	for (int a = 0; a < n; a++)
		for (int b = 0; b < a; b++)
			ck_assert_mem_ne(seen[a], seen[b], 16);
	s.res_len = 5;
	ck_assert_int_eq(aka_check(&s), ERR_MALFORMED);
	aka_defaults(&s, AKA_MILENAGE);
	s.rotation[2] = 33;
	ck_assert_int_eq(aka_check(&s), ERR_MALFORMED);
}
END_TEST

START_TEST(xor_algorithm_of_34108)
{
	struct aka_subscriber s;
	struct aka_keys keys;
	uint8_t mac[AKA_MAC_MAX];
	struct bytes k = hex("000102030405060708090a0b0c0d0e0f"), rand = hex("ffffffffffffffffffffffffffffffff");

	aka_defaults(&s, AKA_XOR);
	memcpy(s.k, k.p, 16);
	ck_assert_int_eq(aka_check(&s), OK);
	ck_assert_int_eq(aka_f2345(&s, rand.p, &keys), OK);
	ck_assert(bytes_equal((struct bytes){ keys.res, 16 }, hex("fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0")));
	ck_assert(bytes_equal((struct bytes){ keys.ck, 16 }, hex("fefdfcfbfaf9f8f7f6f5f4f3f2f1f0ff")));
	ck_assert(bytes_equal((struct bytes){ keys.ik, 16 }, hex("fdfcfbfaf9f8f7f6f5f4f3f2f1f0fffe")));
	ck_assert(bytes_equal(BYTES_OF(keys.ak), hex("fcfbfaf9f8f7")));
	ck_assert_int_eq(aka_f1(&s, rand.p, hex("000000000001").p, hex("8000").p, mac, NULL), OK);
	ck_assert(bytes_equal((struct bytes){ mac, 8 }, hex("fffefdfcfbfb79f8")));
}
END_TEST

/* RFC 5448 appendix C, case 1; and the example of FIPS 186-2's change notice for the generator. */
START_TEST(eap_key_expansions)
{
	struct bytes ck_ik = hex("5349fbe098649f948f5d2e973a81c00f9744871ad32bf9bbd1dd5ce54e3e2e5a"),
	             autn = hex("bb52e91c747ac3ab2a5c23d15ee351d5");
	struct eap_keys k;
	uint8_t generated[40];

	ck_assert_int_eq(eap_keys_full(&k, true, BYTES_STR("0555444333222111"), ck_ik.p, ck_ik.p + 16, BYTES_STR("WLAN"),
	                         (struct bytes){ autn.p, 6 }),
	        OK);
	ck_assert(bytes_equal(BYTES_OF(k.k_encr), hex("766fa0a6c317174b812d52fbcd11a179")));
	ck_assert(bytes_equal(BYTES_OF(k.k_aut), hex("0842ea722ff6835bfa2032499fc3ec23c2f0e388b4f07543ffc677f1696d71ea")));
	ck_assert(bytes_equal(BYTES_OF(k.msk), hex("67c42d9aa56c1b79e295e3459fc3d187d42be0bf818d3070e362c5e967a4d544"
	                                           "e8ecfe19358ab3039aff03b7c930588c055babee58a02650b067ec4e9347c75a")));
	ck_assert_int_eq(prf_fips_186_2(hex("bd029bbe7f51960bcf9edb2b61f06f0feb5a38b6").p, generated, sizeof generated), OK);
	ck_assert(bytes_equal(
	        BYTES_OF(generated), hex("2070b3223dba372fde1c0ffc7b2e3b498b2606143c6c18bacb0f6c55babb13788e20d737a3275116")));
}
END_TEST

Suite *suite_aka(void)
{
	Suite *s = suite_create("aka");
	TCase *t = tcase_create("aka");

	tcase_add_loop_test(t, published_test_sets, 0, 6);
	tcase_add_test(t, gsm_conversion_and_auts);
	tcase_add_test(t, tuak_lengths_and_iterations);
	tcase_add_test(t, xor_algorithm_of_34108);
	tcase_add_test(t, eap_key_expansions);
	suite_add_tcase(s, t);
	return s;
}
