/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "crypto/common/aes.h"
#include "crypto/guarded/discovery.h"
#include "crypto/guarded/eccsi.h"
#include "crypto/network/enrol.h"
#include "crypto/common/hash.h"
#include "crypto/network/http_digest.h"
#include "crypto/guarded/sakke.h"
#include "crypto/guarded/seal.h"
#include "crypto/guarded/suci.h"
#include "tests/support/support.h"

static void load_z(struct secret_large *z)
{
	struct bytes v = vector("11.2", "z");

	memset(z, 0, sizeof *z);
	z->len = SAKKE_FIELD_LEN;
	memcpy(z->data + SAKKE_FIELD_LEN - v.n, v.p, v.n);
}

static void point_of(const char *section, const char *x, const char *y, uint8_t out[SAKKE_POINT_LEN])
{
	out[0] = 4;
	memcpy(out + 1, vector(section, x).p, 128);
	memcpy(out + 129, vector(section, y).p, 128);
}

static uint8_t z_public[SAKKE_POINT_LEN], rsk_rfc[SAKKE_POINT_LEN];

static void setup(void)
{
	point_of("11.2", "Zx", "Zy", z_public);
	point_of("11.2", "Kbx", "Kby", rsk_rfc);
}

START_TEST(sakke_kms_keys_match_rfc_6508)
{
	struct secret_large z, rsk = { 0 };
	uint8_t out[SAKKE_POINT_LEN];

	load_z(&z);
	ck_assert_int_eq(sakke_kms_public(&z, out), OK);
	ck_assert_mem_eq(out, z_public, sizeof out);
	ck_assert_int_eq(sakke_extract(&z, vector("11.2", "b"), &rsk), OK);
	ck_assert_mem_eq(rsk.data, rsk_rfc, sizeof rsk_rfc);
	ck_assert_int_eq(sakke_extract(&z, vector("12.1", "UID"), &rsk), OK);
	ck_assert_mem_eq(rsk.data, vector("12.1", "RSK").p, SAKKE_POINT_LEN);
	ck_assert_int_eq(sakke_extract(&z, vector("12.4", "UID"), &rsk), OK);
	ck_assert_mem_eq(rsk.data, vector("12.4", "RSK").p, SAKKE_POINT_LEN);
	ck_assert_int_eq(sakke_extract(&z, vector("12.8", "UID user"), &rsk), OK);
	ck_assert_mem_eq(rsk.data, vector("12.8", "RSK user").p, SAKKE_POINT_LEN);
}
END_TEST

static void check_both_ways(struct bytes id, struct bytes rsk, struct bytes ssv_octets, struct bytes expected)
{
	struct secret ssv = { 0 }, back = { 0 };
	uint8_t data[SAKKE_DATA_LEN];

	ck_assert_int_eq(secret_set(&ssv, ssv_octets), OK);
	ck_assert_int_eq(sakke_encapsulate(z_public, id, &ssv, data), OK);
	ck_assert_mem_eq(data, expected.p, expected.n);
	ck_assert_int_eq(sakke_decapsulate(z_public, id, rsk, BYTES_OF(data), &back), OK);
	ck_assert(bytes_equal(secret_bytes(&back), ssv_octets));
}

START_TEST(sakke_encapsulation_matches_every_vector)
{
	uint8_t rfc[SAKKE_POINT_LEN];
	struct bytes b = vector("11.2", "b"), rsk = BYTES_OF(rsk_rfc);

	point_of("11.2", "Rbx", "Rby", rfc);
	check_both_ways(b, rsk, vector("11.2", "SSV"), BYTES_OF(rfc));
	check_both_ways(b, rsk, vector("12.2", "SSV"), vector("12.2", "Encapsulated Data"));
	check_both_ways(b, rsk, vector("12.3", "SSV"), vector("12.3", "Encapsulated Data"));
	check_both_ways(
	        vector("12.4", "UID"), vector("12.4", "RSK"), vector("12.4", "SSV"), vector("12.4", "Encapsulated Data"));
}
END_TEST

START_TEST(sakke_refuses_every_bad_ciphertext_alike)
{
	static const char *const points[] = { "not on the curve", "x not reduced", "negated point", "order 4",
		"on the curve, order not q" };
	struct bytes b = vector("11.2", "b"), rsk = BYTES_OF(rsk_rfc), good = vector("12.3", "Encapsulated Data");
	uint8_t data[SAKKE_DATA_LEN + 1] = { 0 };
	struct secret ssv = { 0 };

	for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
		memcpy(data, vector("13", points[i]).p, SAKKE_POINT_LEN);
		memcpy(data + SAKKE_POINT_LEN, vector("11.2", "H").p, 16);
		ck_assert_int_eq(sakke_decapsulate(z_public, b, rsk, (struct bytes){ data, SAKKE_DATA_LEN }, &ssv), ERR_CRYPTO);
		ck_assert_uint_eq(ssv.len, 0);
		/* nor is such a point a receiver key or a KMS key; order 4 times anything is never g */
		ck_assert_int_eq(sakke_validate(z_public, b, (struct bytes){ data, SAKKE_POINT_LEN }), ERR_CRYPTO);
		ck_assert_int_eq(sakke_validate(data, b, rsk), ERR_CRYPTO);
	}
	memset(data, 0, sizeof data);
	data[0] = 4; /* order 2 */
	ck_assert_int_eq(sakke_decapsulate(z_public, b, rsk, (struct bytes){ data, SAKKE_DATA_LEN }, &ssv), ERR_CRYPTO);
	for (uint8_t form = 0; form < 8; form++) {
		memcpy(data, good.p, good.n);
		data[0] = form;
		ck_assert_int_eq(sakke_decapsulate(z_public, b, rsk, (struct bytes){ data, SAKKE_DATA_LEN }, &ssv),
		        form == 4 ? OK : ERR_CRYPTO);
	}
	memcpy(data, good.p, good.n);
	data[SAKKE_POINT_LEN + 7] ^= 0x10;
	ck_assert_int_eq(sakke_decapsulate(z_public, b, rsk, (struct bytes){ data, SAKKE_DATA_LEN }, &ssv), ERR_CRYPTO);
	ck_assert_int_eq(sakke_decapsulate(z_public, b, rsk, (struct bytes){ data, 272 }, &ssv), ERR_CRYPTO);
	ck_assert_int_eq(sakke_decapsulate(z_public, b, rsk, (struct bytes){ data, 274 }, &ssv), ERR_CRYPTO);
	covers("R-143");
}
END_TEST

START_TEST(sakke_validates_receiver_keys)
{
	struct bytes b = vector("11.2", "b");

	ck_assert_int_eq(sakke_validate(z_public, b, BYTES_OF(rsk_rfc)), OK);
	ck_assert_int_eq(sakke_validate(z_public, vector("12.1", "UID"), BYTES_OF(rsk_rfc)), ERR_CRYPTO);
	ck_assert_int_eq(sakke_validate(z_public, vector("12.1", "UID"), vector("12.1", "RSK")), OK);
	ck_assert_int_eq(sakke_validate(rsk_rfc, b, BYTES_OF(rsk_rfc)), ERR_CRYPTO);
}
END_TEST

START_TEST(sakke_identifiers_have_their_range)
{
	struct secret_large z, rsk = { 0 };
	uint8_t big[SAKKE_FIELD_LEN];

	load_z(&z);
	memset(big, 0xFF, sizeof big);
	ck_assert_int_eq(sakke_extract(&z, BYTES_OF(big), &rsk), ERR_MALFORMED);
	ck_assert_int_eq(sakke_extract(&z, hex("00"), &rsk), ERR_MALFORMED);
	ck_assert_int_eq(sakke_extract(&z, hex("0001"), &rsk), ERR_MALFORMED);
	ck_assert_int_eq(sakke_extract(&z, hex("0002"), &rsk), OK);
}
END_TEST

static struct rng_fixed rng_scalar(const char *section, const char *name)
{
	static uint8_t padded[32];
	struct bytes v = vector(section, name);

	memset(padded, 0, sizeof padded);
	memcpy(padded + 32 - v.n, v.p, v.n);
	return rng_fixed_of(BYTES_OF(padded));
}

START_TEST(eccsi_matches_rfc_6507)
{
	struct rng_fixed r = rng_scalar("11.3", "KSAK");
	struct secret ksak = { 0 }, ssk = { 0 };
	uint8_t kpak[65], pvt[65], hs[32], sig[129];
	struct bytes id = vector("11.3", "ID");

	ck_assert_int_eq(eccsi_kms_new(&r.rng, &ksak, kpak), OK);
	ck_assert_mem_eq(kpak, vector("11.3", "KPAK").p, 65);
	r = rng_scalar("11.3", "v");
	ck_assert_int_eq(eccsi_extract(&r.rng, &ksak, kpak, id, &ssk, pvt), OK);
	ck_assert_mem_eq(ssk.data, vector("11.3", "SSK").p, 32);
	ck_assert_mem_eq(pvt, vector("11.3", "PVT").p, 65);
	ck_assert_int_eq(eccsi_validate(kpak, id, &ssk, pvt, hs), OK);
	ck_assert_mem_eq(hs, vector("11.3", "HS").p, 32);
	r = rng_scalar("11.3", "j");
	ck_assert_int_eq(eccsi_sign(&r.rng, hs, &ssk, pvt, vector("11.3", "M"), sig), OK);
	ck_assert_mem_eq(sig, vector("11.3", "r").p, 32);
	ck_assert_mem_eq(sig + 32, vector("11.3", "s").p, 32);
	ck_assert_int_eq(eccsi_verify(kpak, id, vector("11.3", "M"), BYTES_OF(sig)), OK);
	ssk.data[31] ^= 1;
	ck_assert_int_eq(eccsi_validate(kpak, id, &ssk, pvt, hs), ERR_CRYPTO);
}
END_TEST

START_TEST(eccsi_refuses_forgeries)
{
	struct bytes kpak = vector("11.3", "KPAK"), id = vector("11.3", "ID"), m = vector("11.3", "M");
	struct bytes q = hex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");
	struct bytes p = hex("ffffffff00000001000000000000000000000000ffffffffffffffffffffffff");
	uint8_t good[130] = { 0 }, sig[130], other[65];

	memcpy(good, vector("11.3", "r").p, 32);
	memcpy(good + 32, vector("11.3", "s").p, 32);
	memcpy(good + 64, vector("11.3", "PVT").p, 65);
#define VERIFY(n) eccsi_verify(kpak.p, id, m, (struct bytes){ sig, n })
#define FRESH() memcpy(sig, good, sizeof sig)
	FRESH();
	ck_assert_int_eq(VERIFY(129), OK);
	ck_assert_int_eq(VERIFY(128), ERR_CRYPTO);
	ck_assert_int_eq(VERIFY(130), ERR_CRYPTO);
	memset(sig, 0, 64); /* r = s = 0: CVE-2026-5466 */
	ck_assert_int_eq(VERIFY(129), ERR_CRYPTO);
	FRESH(), memset(sig, 0, 32);
	ck_assert_int_eq(VERIFY(129), ERR_CRYPTO);
	FRESH(), memset(sig + 32, 0, 32);
	ck_assert_int_eq(VERIFY(129), ERR_CRYPTO);
	FRESH(), memcpy(sig + 32, q.p, 32);
	ck_assert_int_eq(VERIFY(129), ERR_CRYPTO);
	FRESH(), memcpy(sig, p.p, 32);
	ck_assert_int_eq(VERIFY(129), ERR_CRYPTO);
	FRESH(), sig[128] ^= 1;
	ck_assert_int_eq(VERIFY(129), ERR_CRYPTO);
	FRESH(), sig[64] = 2;
	ck_assert_int_eq(VERIFY(129), ERR_CRYPTO);
	for (size_t i = 0; i < 129; i++) {
		FRESH();
		sig[i] ^= 0x40;
		ck_assert_int_eq(VERIFY(129), ERR_CRYPTO);
	}
	FRESH();
	memcpy(other, kpak.p, 65);
	other[64] ^= 1;
	ck_assert_int_eq(eccsi_verify(other, id, m, (struct bytes){ sig, 129 }), ERR_CRYPTO);
	ck_assert_int_eq(eccsi_verify(kpak.p, m, m, (struct bytes){ sig, 129 }), ERR_CRYPTO);
	ck_assert_int_eq(eccsi_verify(kpak.p, id, id, (struct bytes){ sig, 129 }), ERR_CRYPTO);
	covers("R-080");
}
END_TEST

START_TEST(aes_and_kdf_known_answers)
{
	uint8_t out[64];
	/* TS 33.303 A.3 layout, computed from TS 33.220 B.2 */
	struct bytes pgk = hex("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");

	ck_assert_int_eq(kdf_33220(pgk, 0x4A, (struct bytes[]){ hex("010203"), hex("0001"), hex("aabbcc") }, 3, out), OK);
	ck_assert_mem_eq(out, hex("89f4080877c407e8d6b0b2a8052ddb6c4067b5495adec6b12409e6eeb36131d8").p, 32);
	/* RFC 4493 example 2 */
	ck_assert_int_eq(aes_cmac(hex("2b7e151628aed2a6abf7158809cf4f3c"),
	                         (struct bytes[]){ hex("6bc1bee22e409f96e93d7e117393172a") }, 1, out),
	        OK);
	ck_assert_mem_eq(out, hex("070a16b46b4d4144f79bdd9dd04a287c").p, 16);
}
END_TEST

START_TEST(sealed_objects_open_only_unchanged)
{
	static uint8_t raw[1024], copy[1024];
	uint8_t key[32] = { 1 }, mac[32] = { 2 };
	struct buf b = BUF_OF(raw);
	const struct sealed_header h = { hex("F050524F534501"), hex("98001010000000000071"), 1, SEALED_TIME, hex("74"), 7, 1,
		2 };
	struct secret_large plain = { 0 };
	struct sealed s;

	ck_assert_int_eq(seal(&rng_system, BYTES_OF(key), BYTES_OF(mac), &h, hex("8001AA"), &b), OK);
	ck_assert_int_eq(sealed_parse(buf_bytes(&b), &s), OK);
	ck_assert_int_eq(seal_open(BYTES_OF(key), BYTES_OF(mac), &s, &plain), OK);
	ck_assert_uint_eq(plain.len, 3);
	for (size_t i = 0; i < b.len; i++) {
		memcpy(copy, raw, b.len);
		copy[i] ^= 1;
		ck_assert(sealed_parse((struct bytes){ copy, b.len }, &s) != OK ||
		          seal_open(BYTES_OF(key), BYTES_OF(mac), &s, &plain) != OK);
	}
	for (size_t n = 0; n < b.len; n++)
		ck_assert_int_ne(sealed_parse((struct bytes){ raw, n }, &s), OK);
	covers("R-001");
}
END_TEST

START_TEST(discovery_frames_are_self_consistent)
{
	const struct discovery_keys_33303 k = { hex("000102030405060708090a0b0c0d0e0f"),
		hex("101112131415161718191a1b1c1d1e1f"), hex("AABBCC") };
	uint8_t a[29], b[29], code[23];
	bool match;

	ck_assert_int_eq(discovery_33303_frame(&prose_profile_default, &k, 1000, a), OK);
	ck_assert_int_eq(discovery_33303_frame(&prose_profile_default, &k, 1001, b), OK);
	ck_assert(memcmp(a + 1, b + 1, 27) != 0); /* a new one every slot */
	ck_assert_int_eq(discovery_33303_code(&prose_profile_default, &k, 1000, code), OK);
	ck_assert_mem_eq(code, a + 1, 23);
	ck_assert_int_eq(discovery_33303_check(&prose_profile_default, &k, 1000, BYTES_OF(a), &match), OK);
	ck_assert(match);
	for (size_t i = 0; i < 29; i++) {
		a[i] ^= 1;
		ck_assert_int_eq(discovery_33303_check(&prose_profile_default, &k, 1000, BYTES_OF(a), &match), OK);
		ck_assert(!match);
		a[i] ^= 1;
	}
	ck_assert_int_eq(discovery_tr21_code(&prose_profile_default, hex("000102030405060708090a0b0c0d0e"), hex("01"), 1, code),
	        ERR_DENIED);
	for (uint32_t now = 1000; now < 1600; now++)
		for (int d = -127; d < 128; d++)
			ck_assert_uint_eq(discovery_counter(now, (uint8_t)((int)now + d)), (uint32_t)((int)now + d));
	covers("R-069");
	covers("R-070");
}
END_TEST

/* TS 33.501 annex C.4: profiles A and B, both directions; every changed octet is noticed. */
START_TEST(suci_as_the_specification_has_it)
{
	static const struct {
		enum suci_scheme scheme;
		const char *home_private, *home_public, *ephemeral, *output;
	} v[] = { { SUCI_PROFILE_A, "c53c22208b61860b06c62e5406a7b330c2b577aa5558981510d128247d38bd1d",
		          "5a8d38864820197c3394b92613b20b91633cbd897119273bf8e4a6f4eec0a650",
		          "c80949f13ebe61af4ebdbd293ea4f942696b9e815d7e8f0096bbf6ed7de62256",
		          "b2e92f836055a255837debf850b528997ce0201cb82adfe4be1f587d07d8457dcb02352410cddd9e730ef3fa87" },
		{ SUCI_PROFILE_B, "f1ab1074477ebcc7f554ea1c5fc368b1616730155e0041ac447d6301975fecda",
		        "0272da71976234ce833a6907425867b82e074d44ef907dfb4b3e21c1c2256ebcd1",
		        "99798858a1dc6a2c68637149a4b1dbfd1fdff5addd62a2142f06699ed7602529",
		        "039aab8376597021e855679a9778ea0b67396e68c66df32c0f41e9acca2da9b9d146a33fc2716ac7dae96aa30a4d" } };
	const struct bytes plain = hex("00012080f6"); /* MSIN 001002086 */

	for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
		struct rng_fixed rng = rng_fixed_of(hex(v[i].ephemeral));
		uint8_t raw[128], back_raw[64], copy[128];
		struct buf out = BUF_OF(raw), back = BUF_OF(back_raw);

		ck_assert_int_eq(suci_conceal(v[i].scheme, hex(v[i].home_public), plain, &rng.rng, &out), OK);
		ck_assert(bytes_equal(buf_bytes(&out), hex(v[i].output)));
		ck_assert_int_eq(suci_reveal(v[i].scheme, hex(v[i].home_private), buf_bytes(&out), &back), OK);
		ck_assert(bytes_equal(buf_bytes(&back), plain));
		for (size_t n = 0; n < out.len; n++) {
			memcpy(copy, raw, out.len);
			copy[n] ^= 0x10;
			back.len = 0;
			ck_assert_int_ne(
			        suci_reveal(v[i].scheme, hex(v[i].home_private), (struct bytes){ copy, out.len }, &back), OK);
		}
		for (size_t n = 0; n < out.len; n++) {
			back.len = 0;
			ck_assert_int_ne(suci_reveal(v[i].scheme, hex(v[i].home_private), (struct bytes){ raw, n }, &back), OK);
		}
		out.len = 0;
		ck_assert_int_eq(suci_conceal(v[i].scheme, hex("0102"), plain, &rng_system, &out), ERR_MALFORMED);
	}
	{
		uint8_t raw[128];
		struct buf out = BUF_OF(raw);

		ck_assert_int_ne(
		        suci_conceal(SUCI_PROFILE_B, hex("0572da71976234ce833a6907425867b82e074d44ef907dfb4b3e21c1c2256ebcd1"),
		                plain, &rng_system, &out),
		        OK);
	}
}
END_TEST

/* RFC 2617 3.5 (qop auth); the server's own response; AKAv1-MD5 differs in its password only (RFC 3310 3.3). */
START_TEST(http_digest_as_the_rfcs_have_it)
{
	static const char header[] =
	        "Digest username=\"Mufasa\", realm=\"testrealm@host.com\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\","
	        " uri=\"/dir/index.html\", qop=auth, nc=00000001, cnonce=\"0a4f113b\","
	        " response=\"6629fae49393a05397450978507c4ef1\", opaque=\"5ccc069c403ebaf9f0171e9517f40e41\", other=x";
	static const char *const bad[] = { "Digest username", "Digest =x", "Digest username=\"a\", username=\"b\"",
		"Digest username=\"a", "Digest username=\"a\\\"b\"", "Digest a=\"b\"c=\"d\"",
		"Digest response=\"0123456789012345678901234567890123\"" };
	struct http_digest d;
	char out[DIGEST_RESPONSE_LEN];
	uint8_t raw[600];
	struct buf b = BUF_OF(raw);

	ck_assert_int_eq(http_digest_parse(header, &d), OK);
	ck_assert_int_eq(http_digest_response(&d, BYTES_STR("Circle Of Life"), "GET", (struct bytes){ 0 }, out), OK);
	ck_assert_str_eq(out, d.response);
	ck_assert_int_eq(http_digest_response(&d, BYTES_STR("circle of life"), "GET", (struct bytes){ 0 }, out), OK);
	ck_assert_str_ne(out, d.response);
	(void)strcpy(d.qop, "auth-int"); /* then the body counts */
	ck_assert_int_eq(http_digest_response(&d, BYTES_STR("x"), NULL, BYTES_STR("a"), out), OK);
	(void)strcpy(d.response, out);
	ck_assert_int_eq(http_digest_response(&d, BYTES_STR("x"), NULL, BYTES_STR("b"), out), OK);
	ck_assert_str_ne(out, d.response);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		ck_assert_msg(http_digest_parse(bad[i], &d) != OK, "%s", bad[i]);
	http_digest_put(&b, "realm", "a\"b", true); /* nobody gets out of the quotes */
	ck_assert(b.failed);
}
END_TEST

/* Name and key by sha256sum and the openssl command. */
START_TEST(enrolment_codes_are_read_as_people_type_them)
{
	struct secret code = { 0 }, key = { 0 };
	char text[ENROL_CODE_TEXT], identity[ENROL_IDENTITY_MAX];
	static const char *const wrong[] = { "", "0011-2233", "0011-2233-4455-6677-8899-aabb-ccdd-eef",
		"0011-2233-4455-6677-8899-aabb-ccdd-eeff-0", "0011-2233-4455-6677-8899-aabb-ccdd-eefg" };

	ck_assert_int_eq(enrol_code(BYTES_STR("0011-2233-4455-6677 8899-AABB-CCDD-eeff\n"), &code), OK);
	enrol_text(&code, text);
	ck_assert_str_eq(text, "0011-2233-4455-6677-8899-aabb-ccdd-eeff");
	ck_assert_int_eq(enrol_key(&code, identity, &key), OK);
	ck_assert_str_eq(identity, "enrol;8d0bda63defc8dd2");
	ck_assert(bytes_equal(secret_bytes(&key), hex("1c7c59f0b2cfe9fe37c4954f7b92124f85b8fada85a91512776a9e0d2a11ccd5")));
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		ck_assert_int_ne(enrol_code(bytes_str(wrong[i]), &code), OK);
}
END_TEST

Suite *suite_crypto(void)
{
	Suite *s = suite_create("crypto");
	TCase *t = tcase_create("crypto");

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, sakke_kms_keys_match_rfc_6508);
	tcase_add_test(t, sakke_encapsulation_matches_every_vector);
	tcase_add_test(t, sakke_refuses_every_bad_ciphertext_alike);
	tcase_add_test(t, sakke_validates_receiver_keys);
	tcase_add_test(t, sakke_identifiers_have_their_range);
	tcase_add_test(t, eccsi_matches_rfc_6507);
	tcase_add_test(t, eccsi_refuses_forgeries);
	tcase_add_test(t, aes_and_kdf_known_answers);
	tcase_add_test(t, sealed_objects_open_only_unchanged);
	tcase_add_test(t, discovery_frames_are_self_consistent);
	tcase_add_test(t, suci_as_the_specification_has_it);
	tcase_add_test(t, http_digest_as_the_rfcs_have_it);
	tcase_add_test(t, enrolment_codes_are_read_as_people_type_them);
	suite_add_tcase(s, t);
	return s;
}
