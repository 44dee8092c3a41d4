#include <string.h>

#include "ota/packet.h"
#include "ota/script.h"
#include "ota/sms.h"
#include "tests/support/support.h"

/* Example A: made with own code, equal to pySim's OtaDialectSms bit for bit. */
static const char packet_a[] = "00281516191212B000003A8FC2D83BD1EBE4B7BB2CE7081215FD656FC4C507376C6E0E1CEDC38C3CC744";
static const char por_a[] = "027100002412B00000860ACECFED02ACE7A97E9178C09F3940FF0912CE748F1D8705CA191BA537AF0C";

static struct ota_keys keys_a(void)
{
	return (struct ota_keys){ 1, hex("0102030405060708090A0B0C0D0E0F10"), hex("1112131415161718191A1B1C1D1E1F20") };
}

START_TEST(example_a_builds_and_opens)
{
	struct ota_keys k = keys_a();
	struct ota_command c = { 0x16, 0x19, 0x12, 0x12, { 0xB0, 0, 0 }, 1, hex("00A40004022FE200B000000A") }, out;
	struct secret_large plain = { 0 };
	uint8_t raw[256];
	struct buf b = BUF_OF(raw);

	ck_assert_int_eq(ota_command_build(&k, &c, &b), OK);
	ck_assert(bytes_equal(buf_bytes(&b), hex(packet_a)));
	ck_assert_int_eq(ota_command_open(&k, buf_bytes(&b), &plain, &out), OK);
	ck_assert_uint_eq(out.counter, 1);
	ck_assert(bytes_equal(out.data, c.data));
	for (size_t i = 0; i < b.len; i++) {
		raw[i] ^= 1;
		ck_assert_int_ne(ota_command_open(&k, buf_bytes(&b), &plain, &out), OK);
		raw[i] ^= 1;
	}
	for (size_t n = 0; n < b.len; n++)
		ck_assert_int_ne(ota_command_open(&k, exact_copy((struct bytes){ raw, n }), &plain, &out), OK);
	covers("R-022");
	covers("R-023");
}
END_TEST

START_TEST(example_a_proof_of_receipt)
{
	struct ota_keys k = keys_a();
	struct ota_response r = { { 0xB0, 0, 0 }, 1, RSC_OK, hex("02900098100010325476981032") }, out;
	struct secret_large plain = { 0 };
	uint8_t raw[256];
	struct buf b = BUF_OF(raw);
	bool secured;

	ck_assert_int_eq(ota_response_build(&k, 0x19, &r, &b), OK);
	ck_assert(bytes_equal(buf_bytes(&b), hex(por_a)));
	ck_assert_int_eq(ota_response_open(&k, 0x19, buf_bytes(&b), &plain, &out, &secured), OK);
	ck_assert(secured);
	ck_assert(bytes_equal(out.data, r.data));
	raw[20] ^= 1;
	ck_assert_int_ne(ota_response_open(&k, 0x19, buf_bytes(&b), &plain, &out, &secured), OK);
}
END_TEST

START_TEST(short_messages_round_trip)
{
	uint8_t raw[256], packet[SMS_PACKET_MAX + 1] = { 1 };
	struct bytes out;

	for (size_t n = 1; n <= SMS_PACKET_MAX; n++) {
		struct buf b = BUF_OF(raw);

		ck_assert_int_eq(sms_deliver_put(&b, (struct bytes){ packet, n }), OK);
		ck_assert_int_eq(sms_deliver_parse(buf_bytes(&b), &out), OK);
		ck_assert_uint_eq(out.n, n);
		for (size_t cut = 0; cut < b.len; cut++)
			ck_assert_int_ne(sms_deliver_parse((struct bytes){ raw, cut }, &out), OK);
	}
	struct buf b = BUF_OF(raw);
	ck_assert_int_eq(sms_deliver_put(&b, BYTES_OF(packet)), ERR_NO_SPACE);
	ck_assert_int_eq(sms_deliver_parse(hex("400881214365877FF6621015110000002D027000"), &out), ERR_MALFORMED);
}
END_TEST

START_TEST(scripts_split_into_commands)
{
	struct bytes in = hex("00A40004022FE200B000000A");
	struct command_apdu a;

	ck_assert_int_eq(script_next(&in, &a), OK);
	ck_assert_uint_eq(a.ins, INS_SELECT);
	ck_assert_int_eq(script_next(&in, &a), OK);
	ck_assert_uint_eq(a.ne, 10);
	ck_assert_uint_eq(in.n, 0);
	in = hex("00D6000005010203");
	ck_assert_int_eq(script_next(&in, &a), ERR_MALFORMED);
}
END_TEST

Suite *suite_ota(void)
{
	Suite *s = suite_create("ota");
	TCase *t = tcase_create("ota");

	tcase_add_test(t, example_a_builds_and_opens);
	tcase_add_test(t, example_a_proof_of_receipt);
	tcase_add_test(t, short_messages_round_trip);
	tcase_add_test(t, scripts_split_into_commands);
	suite_add_tcase(s, t);
	return s;
}
