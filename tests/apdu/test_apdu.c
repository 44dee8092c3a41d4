/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "apdu/sealed.h"
#include "apdu/tlv.h"
#include "tests/support/support.h"

static uint8_t raw[70000], zeros[70000];

START_TEST(truncated_tlv_is_refused_and_cursor_stays)
{
	struct buf b = BUF_OF(raw);
	struct tlv t;

	tlv_put(&b, 0x7F49, (struct bytes){ zeros, (size_t)_i });
	for (size_t n = 0; n < b.len; n++) {
		struct bytes in = exact_copy((struct bytes){ raw, n }), before = in;

		ck_assert_int_ne(tlv_next(&in, &t), OK);
		ck_assert_ptr_eq(in.p, before.p);
		ck_assert_uint_eq(in.n, before.n);
	}
	struct bytes whole = buf_bytes(&b);
	ck_assert_int_eq(tlv_next(&whole, &t), OK);
	ck_assert_uint_eq(t.tag, 0x7F49);
	ck_assert_uint_eq(t.value.n, (size_t)_i);
	ck_assert_uint_eq(whole.n, 0);
}
END_TEST

START_TEST(tlv_lengths_around_every_form_round_trip)
{
	static const size_t lengths[] = { 0x7F, 0x80, 0x81, 0xFF, 0x100, 0xFFFF, 0x10000 };

	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		struct buf b = BUF_OF(raw);
		struct bytes in;
		struct tlv t;

		tlv_put(&b, 0x82, (struct bytes){ zeros, lengths[i] });
		in = buf_bytes(&b);
		ck_assert_int_eq(tlv_next(&in, &t), OK);
		ck_assert_uint_eq(t.value.n, lengths[i]);
	}
}
END_TEST

START_TEST(bad_tlvs_are_refused)
{
	static const char *const bad[] = { "", "82", "00 00", "FF 00", "82 80", "82 85 00 00 00 00 00", "82 84 FF FF", "1F",
		"1F 81", "1F 81 82 83 84 00", "02 84 FF FF FF FF" };

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct bytes in = hex(bad[i]);
		struct tlv t;

		ck_assert_msg(tlv_next(&in, &t) != OK, "%s", bad[i]);
	}
}
END_TEST

START_TEST(a_failed_writer_stays_failed)
{
	uint8_t small[4];
	struct buf b = BUF_OF(small);

	buf_put_uint(&b, 3, 1);
	buf_put_uint(&b, 2, 1);
	ck_assert(b.failed);
	buf_put_u8(&b, 1);
	ck_assert_uint_eq(b.len, 3);
	ck_assert_int_eq(buf_status(&b), ERR_NO_SPACE);
}
END_TEST

static bool same(const struct command_apdu *a, const struct command_apdu *b)
{
	return a->cla == b->cla && a->ins == b->ins && a->p1 == b->p1 && a->p2 == b->p2 && bytes_equal(a->data, b->data) &&
	       a->has_le == b->has_le && a->ne == b->ne;
}

START_TEST(every_apdu_case_round_trips)
{
	static const size_t lcs[] = { 0, 1, 255, 256, 65535 }, nes[] = { 0, 1, 255, 256, 257, 65535, 65536 };

	for (size_t l = 0; l < 5; l++) {
		for (size_t e = 0; e < 7; e++) {
			struct command_apdu a = { 0x80, 0x12, 1, 2, { zeros, lcs[l] }, nes[e] > 0, false, nes[e] }, out;
			struct buf b = BUF_OF(raw);

			apdu_put(&b, &a);
			ck_assert(!b.failed);
			ck_assert_int_eq(apdu_parse(buf_bytes(&b), &out), OK);
			ck_assert_msg(same(&a, &out), "Lc %zu Ne %zu", lcs[l], nes[e]);
		}
	}
}
END_TEST

START_TEST(bad_apdus_are_refused)
{
	static const char *const bad[] = { "", "00", "00A400", "00A4000C023F", "00A4000C023F000000", "00A4000C00000000",
		"00A4000C000002AA", "00A4000C000001AA00", "00A4000C00000100000000" };

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct command_apdu a;

		ck_assert_msg(apdu_parse(hex(bad[i]), &a) != OK, "%s", bad[i]);
	}
}
END_TEST

START_TEST(base64_round_trips_and_refuses)
{
	static const char *const bad[] = { "A", "AA", "AAA", "A===", "=AAA", "AA=A", "AAAA=", "AAB=", "A A=", "AA==AAAA" };

	for (size_t n = 0; n < 200; n++) {
		uint8_t in[200], text[400], back[400];
		struct buf t = BUF_OF(text), b = BUF_OF(back);

		for (size_t i = 0; i < n; i++)
			in[i] = (uint8_t)(i * 37 + n);
		base64_encode((struct bytes){ in, n }, &t);
		ck_assert_int_eq(base64_decode(buf_bytes(&t), &b), OK);
		ck_assert(bytes_equal(buf_bytes(&b), (struct bytes){ in, n }));
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		uint8_t back[16];
		struct buf b = BUF_OF(back);

		ck_assert_msg(base64_decode(bytes_str(bad[i]), &b) != OK, "%s", bad[i]);
	}
}
END_TEST

START_TEST(bcd_round_trips)
{
	uint8_t out[10];
	char text[21];

	ck_assert_int_eq(bcd_encode("8900101000000000017", out, 10), OK);
	ck_assert_int_eq(bcd_decode(BYTES_OF(out), text), OK);
	ck_assert_str_eq(text, "8900101000000000017");
	ck_assert_int_ne(bcd_encode("89x", out, 10), OK);
	ck_assert_int_ne(bcd_encode("123456789012345678901", out, 10), OK);
}
END_TEST

START_TEST(imsi_there_and_back)
{
	static const char *const imsis[] = { "001010000000001", "00101000000001", "001010" };
	static const char *const contents[] = { "080910100000000010", "0801101000000000f1", "0401101000ffffffff" };
	uint8_t content[EF_IMSI_LEN];
	char digits[IMSI_MAX + 1];

	for (size_t i = 0; i < 3; i++) {
		ck_assert_int_eq(imsi_encode(imsis[i], content), OK);
		if (i < 2)
			ck_assert_msg(bytes_equal(BYTES_OF(content), hex(contents[i])), "%s", imsis[i]);
		ck_assert_int_eq(imsi_decode(BYTES_OF(content), digits), OK);
		ck_assert_str_eq(digits, imsis[i]);
	}
	ck_assert_int_eq(imsi_encode("12345", content), ERR_MALFORMED);
	ck_assert_int_eq(imsi_encode("1234567890123456", content), ERR_MALFORMED);
	ck_assert_int_eq(imsi_decode(hex("090910100000000010"), digits), ERR_MALFORMED);
}
END_TEST

Suite *suite_apdu(void)
{
	Suite *s = suite_create("apdu");
	TCase *t = tcase_create("apdu");

	tcase_add_loop_test(t, truncated_tlv_is_refused_and_cursor_stays, 0, 300);
	tcase_add_test(t, tlv_lengths_around_every_form_round_trip);
	tcase_add_test(t, bad_tlvs_are_refused);
	tcase_add_test(t, a_failed_writer_stays_failed);
	tcase_add_test(t, every_apdu_case_round_trips);
	tcase_add_test(t, bad_apdus_are_refused);
	tcase_add_test(t, base64_round_trips_and_refuses);
	tcase_add_test(t, bcd_round_trips);
	tcase_add_test(t, imsi_there_and_back);
	suite_add_tcase(s, t);
	suite_add_tcase(s, tcase_ranges());
	return s;
}
