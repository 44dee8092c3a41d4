/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "ota/cell_broadcast.h"
#include "ota/packet.h"
#include "ota/script.h"
#include "ota/sms.h"
#include "tests/support/support.h"

/* Example A: made with own code, equal to pySim's OtaDialectSms bit for bit. */
static const char packet_a[] = "00281516191212B000003A8FC2D83BD1EBE4B7BB2CE7081215FD656FC4C507376C6E0E1CEDC38C3CC744";
static const char por_a[] = "027100002412B00000860ACECFED02ACE7A97E9178C09F3940FF0912CE748F1D8705CA191BA537AF0C";

static struct ota_keys keys_a(void)
{
	return (struct ota_keys){
		.kvn = 1, .kic = hex("0102030405060708090A0B0C0D0E0F10"), .kid = hex("1112131415161718191A1B1C1D1E1F20")
	};
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

/* Every length up to sixteen messages: the parts in any order, each of them twice, give the packet again; cut anywhere they do
 * not. */
START_TEST(short_messages_round_trip)
{
	static uint8_t packet[2200];
	static struct sms_assembly assembly;

	for (size_t i = 0; i < sizeof packet; i++)
		packet[i] = (uint8_t)(i * 7 + 1);
	for (size_t n = 1; n < sizeof packet; n += n < 300 ? 1 : 37) {
		unsigned total = sms_parts(n);
		struct bytes out = { 0 };
		uint8_t raw[SMS_PARTS_MAX][SMS_TPDU_MAX];
		size_t len[SMS_PARTS_MAX];

		ck_assert(total == 0 ? n > SMS_FIRST_PART + 15 * SMS_NEXT_PART : n <= SMS_FIRST_PART + 15 * SMS_NEXT_PART);
		for (unsigned i = 1; i <= total; i++) {
			struct buf b = { raw[i - 1], 0, SMS_TPDU_MAX, false };
			struct sms_part part;

			ck_assert_int_eq(sms_deliver_part(&b, (struct bytes){ packet, n }, (uint8_t)n, i), OK);
			len[i - 1] = b.len;
			for (size_t cut = 0; cut < b.len && n % 50 == 1; cut++)
				ck_assert_int_ne(sms_deliver_parse((struct bytes){ raw[i - 1], cut }, &part), OK);
		}
		for (unsigned k = 0; k < 2 * total; k++) {
			unsigned i = (k * 7 + 3) % total; /* out of order */
			struct sms_part part;
			enum status st;

			ck_assert_int_eq(sms_deliver_parse((struct bytes){ raw[i], len[i] }, &part), OK);
			ck_assert_uint_eq(part.total, total);
			ck_assert_uint_eq(part.number, i + 1);
			st = sms_assemble(&assembly, &part, &out);
			ck_assert(st == OK || st == ERR_NOT_FOUND);
			if (st == OK)
				break;
		}
		if (total % 7 == 0)
			continue; /* this order does not visit every part */
		if (total > 0) {
			ck_assert_uint_eq(out.n, n);
			ck_assert_mem_eq(out.p, packet, n);
		}
	}
}
END_TEST

/* Every length up to fifteen pages of cell broadcast, pages in any order; what is not for the card, or cut. */
START_TEST(cell_broadcast_pages_round_trip)
{
	static uint8_t packet[1300];
	static struct sms_assembly assembly;
	const size_t most = CB_PAGES_MAX * CB_CONTENT_LEN - 3;
	struct sms_part part;
	uint8_t raw[CB_PAGES_MAX][CB_PAGE_LEN + 1];
	struct buf b;

	for (size_t n = 2; n < sizeof packet; n += 13) {
		unsigned total = cb_pages(n);
		struct bytes out = { 0 };
		enum status st = ERR_NOT_FOUND;

		for (size_t i = 0; i < n; i++)
			packet[i] = (uint8_t)(i * 5 + 1);
		packet[0] = (uint8_t)((n - 2) >> 8);
		packet[1] = (uint8_t)(n - 2);
		ck_assert(total == 0 ? n > most : n <= most);
		for (unsigned i = 1; i <= total; i++) {
			b = (struct buf){ raw[i - 1], 0, CB_PAGE_LEN, false };
			ck_assert_int_eq(cb_page_put(&b, (struct bytes){ packet, n }, 0x1081, (uint16_t)n, i), OK);
			ck_assert_uint_eq(b.len, CB_PAGE_LEN);
		}
		for (unsigned i = total; i >= 1; i--) {
			ck_assert_int_eq(cb_page_parse((struct bytes){ raw[i - 1], CB_PAGE_LEN }, &part), OK);
			st = sms_assemble(&assembly, &part, &out);
		}
		if (total == 0)
			continue;
		ck_assert_int_eq(st, OK);
		ck_assert_int_eq(cb_packet_end(&out), OK);
		ck_assert(bytes_equal(out, (struct bytes){ packet, n }));
	}
	b = (struct buf){ raw[0], 0, CB_PAGE_LEN, false };
	ck_assert_int_eq(cb_page_put(&b, (struct bytes){ packet, 40 }, 0x1000, 1, 1), ERR_MALFORMED);
	ck_assert_int_eq(cb_page_put(&b, (struct bytes){ packet, 40 }, 0x1080, 1, 2), ERR_NO_SPACE);
	ck_assert_int_eq(cb_page_put(&b, (struct bytes){ packet, 40 }, 0x1080, 1, 1), OK);
	for (size_t n = 0; n < CB_PAGE_LEN; n++)
		ck_assert_int_eq(cb_page_parse(exact_copy((struct bytes){ raw[0], n }), &part), ERR_MALFORMED);
	raw[0][5] = 0x21; /* page 2 of 1 */
	ck_assert_int_eq(cb_page_parse((struct bytes){ raw[0], CB_PAGE_LEN }, &part), ERR_MALFORMED);
	raw[0][5] = 0x11;
	raw[0][7] = 0x71; /* not the header of a command */
	ck_assert_int_eq(cb_page_parse((struct bytes){ raw[0], CB_PAGE_LEN }, &part), ERR_MALFORMED);
	raw[0][2] = 0x11; /* 1180: a warning for people */
	ck_assert_int_eq(cb_page_parse((struct bytes){ raw[0], CB_PAGE_LEN }, &part), ERR_NOT_FOUND);
}
END_TEST

/* The worked example of 31.115, a reference of 16 bits, and what a stranger may send. */
START_TEST(concatenation_is_parsed_by_its_elements)
{
	static struct sms_assembly assembly;
	static uint8_t packet[170] = { 0x00, 0xA8 };
	uint8_t raw[SMS_TPDU_MAX];
	struct buf b = BUF_OF(raw);
	struct sms_part part;
	struct bytes out;

	ck_assert_int_eq(sms_deliver_part(&b, BYTES_OF(packet), 0x2A, 1), OK);
	ck_assert(bytes_equal((struct bytes){ raw + 16, 10 }, hex("8C"
	                                                          "07"
	                                                          "7000"
	                                                          "00032A0201"
	                                                          "00")));
	b.len = 0;
	ck_assert_int_eq(sms_deliver_part(&b, BYTES_OF(packet), 0x2A, 2), OK);
	ck_assert(bytes_equal((struct bytes){ raw + 16, 7 }, hex("2C"
	                                                         "05"
	                                                         "00032A0202")));
	/* 08: sixteen bits, in front of the security header */
	ck_assert_int_eq(sms_deliver_parse(hex("400881214365877FF6621112000000000C"
	                                       "08"
	                                       "080412340201"
	                                       "7000"
	                                       "AABBCC"),
	                         &part),
	        OK);
	ck_assert_uint_eq(part.reference, 0x1234);
	ck_assert(part.secured && part.total == 2 && part.number == 1);
	ck_assert_int_eq(sms_assemble(&assembly, &part, &out), ERR_NOT_FOUND);
	/* A second part of another message takes its place; a second part that claims the header is none. */
	part.reference = 9;
	part.number = 2;
	ck_assert_int_eq(sms_assemble(&assembly, &part, &out), ERR_MALFORMED);
	part.secured = false;
	ck_assert_int_eq(sms_assemble(&assembly, &part, &out), ERR_NOT_FOUND);
	part.total = part.number = 241; /* no shift by 240: found by the fuzzer */
	ck_assert_int_eq(sms_assemble(&assembly, &part, &out), ERR_MALFORMED);
	part.total = 17;
	part.number = 2;
	ck_assert_int_eq(sms_assemble(&assembly, &part, &out), ERR_MALFORMED);
	ck_assert_int_eq(sms_deliver_parse(hex("400881214365877FF6621112000000000905"
	                                       "00032A0203"
	                                       "AABBCC"),
	                         &part),
	        ERR_MALFORMED); /* 3 of 2 */
	ck_assert_int_eq(sms_deliver_parse(hex("400881214365877FF6621112000000000905"
	                                       "00032A0200"
	                                       "AABBCC"),
	                         &part),
	        ERR_MALFORMED); /* 0 of 2 */
	ck_assert_int_eq(sms_deliver_parse(hex("400881214365877FF6621112000000000905"
	                                       "00042A0201"
	                                       "AABBCC"),
	                         &part),
	        ERR_MALFORMED);
	ck_assert_int_eq(sms_deliver_parse(hex("400881214365877FF6621015110000002D027000"), &part), ERR_MALFORMED);
}
END_TEST

/* The answer by SMS-SUBMIT: what the card builds is what a server takes apart. */
START_TEST(responses_travel_by_submit)
{
	uint8_t raw[SMS_TPDU_MAX];
	struct buf b = BUF_OF(raw);
	struct sms_part part;

	ck_assert_int_eq(sms_submit_part(&b, hex("038119F0"), hex(por_a), 1, 1), OK);
	ck_assert(bytes_equal((struct bytes){ raw, 12 }, hex("4100038119F000F629027100")));
	ck_assert_int_eq(sms_submit_parse(buf_bytes(&b), &part), OK);
	ck_assert(part.secured && bytes_equal(part.payload, hex(por_a + 6)));
	ck_assert(bytes_equal(part.address, hex("038119F0")));
}
END_TEST

/* Example AE of the worked ones: the script, its answer; every way in which a template can be wrong. */
START_TEST(expanded_scripts)
{
	static const struct {
		const char *script;
		enum expanded_fault fault;
	} bad[] = { { "AA02C100", EXPANDED_UNKNOWN_TAG }, { "AA0322FF00", EXPANDED_WRONG_LENGTH },
		{ "AA0122", EXPANDED_NO_LENGTH }, { "AA04220200A4", EXPANDED_WRONG_LENGTH } };
	struct bytes script = hex("AA10220700A40004022FE2220500B000000A");
	struct expanded_script s;
	struct expanded_answer answer;
	struct expanded_item item;
	enum expanded_fault fault;
	uint8_t raw[64], items_raw[64];
	struct buf b = BUF_OF(raw), items = BUF_OF(items_raw);

	ck_assert_int_eq(expanded_open(script, &s), OK);
	ck_assert_int_eq(expanded_next(&s, &item, &fault), OK);
	ck_assert_uint_eq(item.command.ins, INS_SELECT);
	ck_assert_int_eq(expanded_next(&s, &item, &fault), OK);
	ck_assert_uint_eq(item.command.ne, 10);
	ck_assert_int_eq(expanded_next(&s, &item, &fault), ERR_NOT_FOUND);
	expanded_put(&items, hex("00A40004022FE2"));
	expanded_put(&items, hex("00B000000A"));
	expanded_close(&b, buf_bytes(&items), false);
	ck_assert(bytes_equal(buf_bytes(&b), script));
	b.len = 0;
	expanded_close(&b, buf_bytes(&items), true);
	ck_assert_int_eq(expanded_open(buf_bytes(&b), &s), OK);
	ck_assert(s.indefinite && bytes_equal(s.left, buf_bytes(&items)));
	ck_assert_int_eq(expanded_open((struct bytes){ raw, b.len - 1 }, &s), ERR_MALFORMED);
	items.len = b.len = 0;
	expanded_answer_put(&items, (struct bytes){ 0 }, 0x9000);
	expanded_answer_put(&items, hex("98100010325476981032"), 0x9000);
	expanded_answer_close(&b, false, 2, buf_bytes(&items), EXPANDED_FINE);
	ck_assert(bytes_equal(buf_bytes(&b), hex("AB1580010223029000230C981000103254769810329000")));
	ck_assert_int_eq(expanded_answer_parse(buf_bytes(&b), &answer), OK);
	ck_assert_uint_eq(answer.executed, 2);
	ck_assert_uint_eq(answer.last.n, 12);
	b.len = 0;
	expanded_answer_close(&b, true, 1, (struct bytes){ 0 }, EXPANDED_WRONG_LENGTH);
	ck_assert(bytes_equal(buf_bytes(&b), hex("AF80"
	                                         "800101"
	                                         "900102"
	                                         "0000")));
	ck_assert_int_eq(expanded_answer_parse(buf_bytes(&b), &answer), OK);
	ck_assert_int_eq(answer.fault, EXPANDED_WRONG_LENGTH);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		ck_assert_int_eq(expanded_open(hex(bad[i].script), &s), OK);
		ck_assert_int_eq(expanded_next(&s, &item, &fault), ERR_MALFORMED);
		ck_assert_int_eq(fault, bad[i].fault);
	}
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

/* Worked examples of other implementations (pySim, asterix, a real card's log): tests/vectors/ota.txt names them. */
static struct bytes v(const char *section, const char *name)
{
	return vector_in("tests/vectors/ota.txt", section, name);
}

static uint8_t octet(const char *section, const char *name)
{
	return v(section, name).p[0];
}

static const char *const sections[] = { "A", "A4", "AE", "B", "C", "asterix-integrity", "D" };

static struct ota_keys keys_of(const char *section)
{
	return (struct ota_keys){ octet(section, "kvn"), v(section, "kic"), v(section, "kid"), octet(section, "kic_type"),
		octet(section, "kid_type"), octet(section, "cc_len") };
}

START_TEST(worked_examples_octet_by_octet)
{
	const char *section = sections[_i];
	struct ota_keys k = keys_of(section);
	struct bytes spi = v(section, "spi"), key_octets = v(section, "key_octets"), packet = v(section, "packet"),
	             por = v(section, "por");
	struct ota_command c = { spi.p[0], spi.p[1], key_octets.p[0], key_octets.p[1], { 0 }, bytes_uint(v(section, "counter")),
		v(section, "data") },
	                   out;
	struct secret_large plain = { 0 };
	struct ota_response r;
	uint8_t raw[256];
	struct buf b = BUF_OF(raw);
	bool secured;

	memcpy(c.tar, v(section, "tar").p, 3);
	ck_assert_ptr_null(ota_command_fault(&k, &c));
	ck_assert_int_eq(ota_command_build(&k, &c, &b), OK);
	ck_assert_msg(bytes_equal(buf_bytes(&b), packet), "%s", section);
	ck_assert_int_eq(ota_command_open(&k, packet, &plain, &out), OK);
	ck_assert_uint_eq(out.counter, c.counter);
	ck_assert(bytes_equal(out.data, c.data));
	if (por.n <= 1)
		return;
	ck_assert_int_eq(ota_response_open(&k, c.spi2, por, &plain, &r, &secured), OK);
	ck_assert_uint_eq(r.rsc, RSC_OK);
	ck_assert_uint_eq(r.counter, c.counter);
	b.len = 0;
	if (octet(section, "por_rebuilds") != 0) {
		ck_assert_int_eq(ota_response_build(&k, c.spi2, &r, &b), OK);
		ck_assert_msg(bytes_equal(buf_bytes(&b), por), "%s", section);
	}
}
END_TEST

static const struct algorithm {
	uint8_t type, len, cc_len;
} algorithms[] = { { KEY_AES, 16, 8 }, { KEY_AES, 24, 8 }, { KEY_AES, 32, 8 }, { KEY_AES, 16, 4 }, { KEY_3DES_2, 16, 0 },
	{ KEY_3DES_3, 24, 0 } };

/* Every SPI1 and SPI2 that is not reserved, with every algorithm: what is built opens, and what carries a CC opens unchanged
 * only. */
START_TEST(every_spi_with_every_algorithm)
{
	static const uint8_t key[2][32] = { { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23,
		                                    24, 25 },
		{ 0xF1, 2, 0xF3, 4, 5, 6, 7, 8, 9, 0x10, 11, 12, 13, 14, 15, 16, 17, 18, 0x19, 20, 21, 22, 23, 24, 25 } };
	static const uint8_t content[64] = { 7, 1, 8, 2, 8 };
	const struct algorithm *a = &algorithms[_i];
	const struct ota_keys k = { 3, { key[0], a->len }, { key[1], a->len }, a->type, a->type, a->cc_len };
	unsigned built = 0;

	for (unsigned spi1 = 0; spi1 < 256; spi1++)
		for (unsigned n = 0; n < 40; n += 13) {
			struct ota_command c = { (uint8_t)spi1, 0x01, (uint8_t)(0x30 | a->type), (uint8_t)(0x30 | a->type),
				{ 1, 2, 3 }, 77 + n, { content, n } },
			                   out;
			struct secret_large plain = { 0 };
			uint8_t raw[256];
			struct buf b = BUF_OF(raw);

			if ((spi1 & 3) == SPI1_RC)
				c.kid = (n & 1) != 0 ? KID_CRC16 : KID_CRC32;
			if ((spi1 & 0xE0) != 0 || (spi1 & 3) == 3) {
				ck_assert_int_eq(ota_command_build(&k, &c, &b), ERR_DENIED);
				continue;
			}
			ck_assert_int_eq(ota_command_build(&k, &c, &b), OK);
			ck_assert_int_eq(ota_command_open(&k, buf_bytes(&b), &plain, &out), OK);
			ck_assert_uint_eq(out.counter, c.counter);
			ck_assert(bytes_equal(out.data, c.data));
			built++;
			for (size_t i = 0; (spi1 & 3) == SPI1_CC && i < b.len; i++) {
				raw[i] ^= 0x20;
				ck_assert_int_ne(ota_command_open(&k, buf_bytes(&b), &plain, &out), OK);
				raw[i] ^= 0x20;
			}
		}
	ck_assert_uint_eq(built, 4 * 24);
	for (unsigned spi2 = 0; spi2 < 0x20; spi2++)
		for (uint8_t n = 0; n < 40; n += 13) {
			struct ota_response r = { { 1, 2, 3 }, 9, RSC_OK, { content, n } }, out;
			struct secret_large plain = { 0 };
			uint8_t raw[256];
			struct buf b = BUF_OF(raw);
			bool secured;

			if ((spi2 & SPI2_POR_INTEGRITY) == SPI2_POR_INTEGRITY)
				continue;
			ck_assert_int_eq(ota_response_build(&k, (uint8_t)spi2, &r, &b), OK);
			ck_assert_int_eq(ota_response_open(&k, (uint8_t)spi2, buf_bytes(&b), &plain, &out, &secured), OK);
			ck_assert(secured == ((spi2 & SPI2_POR_INTEGRITY) == SPI2_POR_CC));
			ck_assert(bytes_equal(out.data, r.data));
			for (size_t i = 0; secured && i < b.len; i++) {
				bool still;

				raw[i] ^= 0x20;
				ck_assert(ota_response_open(&k, (uint8_t)spi2, buf_bytes(&b), &plain, &out, &still) != OK ||
				          !still);
				raw[i] ^= 0x20;
			}
		}
}
END_TEST

/* Headers that a careless card would follow into a weaker protection are named and refused. */
START_TEST(headers_that_are_refused_say_why)
{
	static const struct {
		uint8_t spi1, spi2, kic, kid;
		const char *says;
	} bad[] = { { 0x16, 0x21, 0x11, 0x12, "single DES" }, { 0x16, 0x21, 0x12, 0x11, "single DES" },
		{ 0x16, 0x21, 0x1D, 0x12, "single DES" }, { 0x16, 0x21, 0x10, 0x12, "implicit" },
		{ 0x16, 0x21, 0x12, 0x13, "proprietary" }, { 0x16, 0x21, 0x02, 0x02, "key set 0" },
		{ 0x16, 0x21, 0x12, 0x22, "not given" }, { 0x16, 0x21, 0x22, 0x22, "not given" },
		{ 0x16, 0x21, 0x15, 0x12, "another algorithm" }, { 0x16, 0x21, 0x12, 0x19, "another algorithm" },
		{ 0x17, 0x21, 0x12, 0x12, "digital signatures" }, { 0x36, 0x21, 0x12, 0x12, "reserved" },
		{ 0x16, 0x23, 0x12, 0x12, "reserved" }, { 0x16, 0x41, 0x12, 0x12, "reserved" },
		{ 0x16, 0x0D, 0x12, 0x12, "digital signatures" }, { 0x11, 0x21, 0x12, 0x12, "CRC-16" } };
	struct ota_keys k = keys_a();
	uint8_t raw[64];
	struct buf b = BUF_OF(raw);

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		const struct ota_command c = { bad[i].spi1, bad[i].spi2, bad[i].kic, bad[i].kid, { 0 }, 1, { 0 } };
		const char *fault = ota_command_fault(&k, &c);

		ck_assert_msg(fault != NULL && strstr(fault, bad[i].says) != NULL, "%zu: %s", i, fault);
		ck_assert_int_eq(ota_command_build(&k, &c, &b), ERR_DENIED);
	}
	{
		const struct ota_command mixed = { 0x16, 0x21, 0x12, 0x22, { 0 }, 1, { 0 } };

		ck_assert_ptr_nonnull(strstr(ota_command_fault(NULL, &mixed), "different key sets"));
	}
}
END_TEST

/* 10^5 messages of which only a part ever comes take no more memory than one, and keep nobody else out. */
START_TEST(open_part_sets_do_not_pile_up)
{
	static struct sms_assembly a;
	uint8_t payload[100] = { 0 };
	struct sms_part p = { .secured = true, .total = 16, .number = 1, .payload = BYTES_OF(payload) };
	struct bytes whole;

	for (unsigned i = 0; i < 100000; i++) {
		p.reference = (uint16_t)i;
		p.total = (uint8_t)(2 + i % 15);
		ck_assert_int_eq(sms_assemble(&a, &p, &whole), ERR_NOT_FOUND);
	}
	p.total = 2;
	ck_assert_int_eq(sms_assemble(&a, &p, &whole), ERR_NOT_FOUND);
	p.number = 2;
	p.secured = false;
	ck_assert_int_eq(sms_assemble(&a, &p, &whole), OK);
	ck_assert_uint_eq(whole.n, 200);
}
END_TEST

Suite *suite_ota(void)
{
	Suite *s = suite_create("ota");
	TCase *t = tcase_create("ota");

	tcase_add_test(t, open_part_sets_do_not_pile_up);
	tcase_add_test(t, example_a_builds_and_opens);
	tcase_add_test(t, example_a_proof_of_receipt);
	tcase_add_test(t, short_messages_round_trip);
	tcase_add_test(t, scripts_split_into_commands);
	tcase_add_test(t, cell_broadcast_pages_round_trip);
	tcase_add_test(t, concatenation_is_parsed_by_its_elements);
	tcase_add_test(t, responses_travel_by_submit);
	tcase_add_test(t, expanded_scripts);
	tcase_add_loop_test(t, worked_examples_octet_by_octet, 0, sizeof sections / sizeof *sections);
	tcase_add_loop_test(t, every_spi_with_every_algorithm, 0, sizeof algorithms / sizeof *algorithms);
	tcase_add_test(t, headers_that_are_refused_say_why);
	suite_add_tcase(s, t);
	return s;
}
