/* SPDX-License-Identifier: Apache-2.0 */
/* SCP03: the published exchange, both sides against each other at every level and key length, and every octet that may be
 * changed. */
#include <stdio.h>
#include <string.h>

#include "ota/scp03.h"
#include "tests/support/support.h"

/* Keys 00..0F and 10..1F, an exchange of a real card: own code and pySim agree on every value. */
START_TEST(the_published_exchange)
{
	const struct scp03_keys k = { hex("000102030405060708090A0B0C0D0E0F"), hex("101112131415161718191A1B1C1D1E1F") };
	struct bytes host = hex("b13e5f938fc108c4"), card = hex("3eb51047495b249f");
	struct command_apdu a = { .cla = 0x80, .ins = 0x82, .p1 = 0x11 };
	struct secret_large plain = { 0 };
	uint8_t cryptogram[8], raw[64];
	struct buf b = BUF_OF(raw);
	struct scp03 s, c;

	ck_assert_int_eq(scp03_open(&s, &k, host.p, card.p, SCP03_S8), OK);
	ck_assert(bytes_equal((struct bytes){ s.enc, 16 }, hex("c4e87149f2114da66bb015a567d751f9")));
	ck_assert(bytes_equal((struct bytes){ s.mac, 16 }, hex("8b2635556e987a6b84f43d9ffc197d3f")));
	ck_assert(bytes_equal((struct bytes){ s.rmac, 16 }, hex("3f6b2ce3b3abd9a99bd4453afa54cc7b")));
	ck_assert_int_eq(scp03_cryptogram(&s, true, host.p, card.p, cryptogram), OK);
	ck_assert(bytes_equal(BYTES_OF(cryptogram), hex("66c484c1d2ef1948")));
	ck_assert_int_eq(scp03_cryptogram(&s, false, host.p, card.p, cryptogram), OK);
	a.data = BYTES_OF(cryptogram);
	ck_assert_int_eq(scp03_wrap(&s, &a, &b), OK);
	ck_assert(bytes_equal(buf_bytes(&b), hex("84821100107d5f5826a993ebc89eea24957fa0b3ce")));
	ck_assert_int_eq(scp03_open(&c, &k, host.p, card.p, SCP03_S8), OK);
	ck_assert_int_eq(apdu_parse(buf_bytes(&b), &a), OK);
	ck_assert_int_eq(scp03_unwrap(&c, &a, &plain), OK);
	ck_assert(bytes_equal(a.data, BYTES_OF(cryptogram)));
}
END_TEST

static struct bytes v(const char *section, const char *name)
{
	return vector_in("tests/vectors/scp03.txt", section, name);
}

/* tests/vectors/scp03.txt, which the openssl command line has made (tests/e2e/ota): S16 with AES-256 and everything on, S8. */
START_TEST(exchanges_by_the_openssl_command_line)
{
	static const char *const sections[] = { "S16", "S8" };
	const char *at = sections[_i];
	const struct scp03_keys k = { v(at, "enc"), v(at, "mac") };
	struct bytes host = v(at, "host"), card = v(at, "card"), header = v(at, "header"), data;
	struct command_apdu a = { .cla = 0x80, .ins = 0x82, .p1 = v(at, "level").p[0] };
	struct secret_large plain = { 0 };
	uint8_t cryptogram[SCP03_S16], raw[300];
	struct buf b = BUF_OF(raw);
	struct scp03 s, c;

	ck_assert_int_eq(scp03_open(&s, &k, host.p, card.p, host.n), OK);
	ck_assert(bytes_equal((struct bytes){ s.enc, k.enc.n }, v(at, "s_enc")));
	ck_assert(bytes_equal((struct bytes){ s.mac, k.enc.n }, v(at, "s_mac")));
	ck_assert(bytes_equal((struct bytes){ s.rmac, k.enc.n }, v(at, "s_rmac")));
	ck_assert_int_eq(scp03_cryptogram(&s, true, host.p, card.p, cryptogram), OK);
	ck_assert(bytes_equal((struct bytes){ cryptogram, host.n }, v(at, "card_cryptogram")));
	ck_assert_int_eq(scp03_cryptogram(&s, false, host.p, card.p, cryptogram), OK);
	a.data = (struct bytes){ cryptogram, host.n };
	ck_assert_int_eq(scp03_wrap(&s, &a, &b), OK);
	ck_assert(bytes_equal(buf_bytes(&b), v(at, "external_authenticate")));
	ck_assert_int_eq(scp03_open(&c, &k, host.p, card.p, host.n), OK);
	ck_assert_int_eq(apdu_parse(buf_bytes(&b), &a), OK);
	ck_assert_int_eq(scp03_unwrap(&c, &a, &plain), OK);
	c.level = v(at, "level").p[0];
	b.len = 0;
	a = (struct command_apdu){ 0x80, header.p[0], header.p[1], header.p[2], .data = v(at, "data") };
	ck_assert_int_eq(scp03_wrap(&s, &a, &b), OK);
	ck_assert(bytes_equal(buf_bytes(&b), v(at, "command")));
	ck_assert_int_eq(apdu_parse(buf_bytes(&b), &a), OK);
	ck_assert_int_eq(scp03_unwrap(&c, &a, &plain), OK);
	ck_assert(bytes_equal(a.data, v(at, "data")));
	b.len = 0;
	ck_assert_int_eq(scp03_wrap_response(&c, v(at, "answer"), 0x9000, &b), OK);
	ck_assert(bytes_equal(buf_bytes(&b), v(at, "response")));
	ck_assert_int_eq(scp03_unwrap_response(&s, buf_bytes(&b), 0x9000, &plain, &data), OK);
	ck_assert(bytes_equal(data, v(at, "answer")));
}
END_TEST

static const size_t key_lengths[] = { 16, 24, 32 };
static const uint8_t levels[] = { 0x01, 0x03, 0x11, 0x13, 0x33 };

/* A session of twenty commands, with and without data, at one level. */
static void session(size_t key_len, size_t size, uint8_t level)
{
	static const uint8_t material[64] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23,
		24, 25 };
	const struct scp03_keys k = { { material, key_len }, { material + 7, key_len } };
	static struct secret_large plain;
	struct command_apdu open = { .cla = 0x80, .ins = 0x82, .p1 = level }, a;
	struct scp03 host, card;
	uint8_t raw[600], answer_raw[600];
	struct buf b = BUF_OF(raw), answer = BUF_OF(answer_raw);

	ck_assert_int_eq(scp03_open(&host, &k, material, material + 3, size), OK);
	ck_assert_int_eq(scp03_open(&card, &k, material, material + 3, size), OK);
	open.data = (struct bytes){ material, size };
	ck_assert_int_eq(scp03_wrap(&host, &open, &b), OK);
	ck_assert_int_eq(apdu_parse(buf_bytes(&b), &a), OK);
	ck_assert_int_eq(scp03_unwrap(&card, &a, &plain), OK);
	card.level = level;
	for (unsigned i = 0; i < 20; i++) {
		const struct command_apdu sent = {
			.cla = 0x80, .ins = 0xE2, .p1 = (uint8_t)i, .data = { material, i * 3 % 61 }
		};
		struct scp03 copy;
		struct bytes data;

		b.len = answer.len = 0;
		ck_assert_int_eq(scp03_wrap(&host, &sent, &b), OK);
		copy = card;
		for (size_t at = 0; at < b.len && i < 4;
		        at++) { /* nothing may be changed but the channel, and Lc that no longer adds up */
			if (at == 0 || at == 4)
				continue;
			raw[at] ^= 0x80;
			card = copy;
			ck_assert(apdu_parse(buf_bytes(&b), &a) != OK || scp03_unwrap(&card, &a, &plain) != OK);
			raw[at] ^= 0x80;
		}
		card = copy;
		ck_assert_int_eq(apdu_parse(buf_bytes(&b), &a), OK);
		ck_assert_int_eq(scp03_unwrap(&card, &a, &plain), OK);
		ck_assert(bytes_equal(a.data, sent.data));
		if ((level & SCP03_C_ENC) != 0 && sent.data.n > 16)
			ck_assert_mem_ne(raw + 5, material, 16);
		copy = card;
		ck_assert_int_ne(scp03_unwrap(&copy, &a, &plain), OK); /* the same again */
		ck_assert_int_eq(scp03_wrap_response(&card, (struct bytes){ material + i, i * 5 % 47 }, 0x9000, &answer), OK);
		for (size_t at = 0; at < answer.len && i < 4 && (level & SCP03_R_MAC) != 0; at++) {
			answer_raw[at] ^= 1;
			ck_assert_int_ne(scp03_unwrap_response(&host, buf_bytes(&answer), 0x9000, &plain, &data), OK);
			answer_raw[at] ^= 1;
		}
		if ((level & SCP03_R_MAC) != 0)
			ck_assert_int_ne(scp03_unwrap_response(&host, buf_bytes(&answer), 0x6A80, &plain, &data), OK);
		ck_assert_int_eq(scp03_unwrap_response(&host, buf_bytes(&answer), 0x9000, &plain, &data), OK);
		ck_assert(bytes_equal(data, (struct bytes){ material + i, i * 5 % 47 }));
	}
	scp03_wipe(&host);
	scp03_wipe(&card);
}

START_TEST(every_level_and_key_length)
{
	for (size_t size = SCP03_S8; size <= SCP03_S16; size += 8)
		for (size_t l = 0; l < sizeof levels; l++)
			session(key_lengths[_i], size, levels[l]);
}
END_TEST

START_TEST(nothing_without_a_session)
{
	const struct scp03_keys bad = { hex("0001"), hex("0001") },
	                        mixed = { hex("000102030405060708090A0B0C0D0E0F"), hex("00") };
	struct command_apdu a = { .cla = 0x84, .ins = 0xE2, .data = hex("0102030405060708090A") };
	struct secret_large plain = { 0 };
	struct scp03 s = { 0 };

	ck_assert_int_eq(scp03_unwrap(&s, &a, &plain), ERR_CRYPTO);
	ck_assert_int_eq(scp03_open(&s, &bad, hex("0000000000000000").p, hex("0000000000000000").p, 8), ERR_MALFORMED);
	ck_assert_int_eq(scp03_open(&s, &mixed, hex("0000000000000000").p, hex("0000000000000000").p, 8), ERR_MALFORMED);
}
END_TEST

Suite *suite_scp03(void)
{
	Suite *s = suite_create("scp03");
	TCase *t = tcase_create("scp03");

	tcase_add_test(t, the_published_exchange);
	tcase_add_loop_test(t, exchanges_by_the_openssl_command_line, 0, 2);
	tcase_add_loop_test(t, every_level_and_key_length, 0, sizeof key_lengths / sizeof *key_lengths);
	tcase_add_test(t, nothing_without_a_session);
	suite_add_tcase(s, t);
	return s;
}
