/* SPDX-License-Identifier: Apache-2.0 */
/* SMPP: what is put is taken again, whatever is cut or changed is refused without a step too far, and a session follows the
 * stream however it is sliced. */
#include <stdio.h>
#include <string.h>

#include "ota/smpp/smpp_session.h"
#include "tests/support/support.h"

static const uint32_t commands[] = { SMPP_BIND_RECEIVER, SMPP_BIND_TRANSMITTER, SMPP_BIND_TRANSCEIVER, SMPP_SUBMIT,
	SMPP_DELIVER, SMPP_UNBIND, SMPP_ENQUIRE_LINK, SMPP_SUBMIT | SMPP_RESP, SMPP_DELIVER | SMPP_RESP,
	SMPP_BIND_TRANSCEIVER | SMPP_RESP, SMPP_ENQUIRE_LINK | SMPP_RESP, SMPP_UNBIND | SMPP_RESP, SMPP_GENERIC_NACK };

static struct smpp_pdu full(uint32_t command)
{
	struct smpp_pdu p = { .command = command,
		.sequence = 7,
		.version = SMPP_VERSION,
		.from = { 1, 2, "12345" },
		.to = { 1, 1, "99900000000000000001" },
		.esm_class = 0x40,
		.pid = 0x7F,
		.registered = 1,
		.dcs = 0xF6,
		.system_id = "fifteen letters",
		.password = "eight ch",
		.address_range = "1-2",
		.validity = "000000000100000R",
		.message_id = "42" };

	p.message = hex("027000001D1516191212B00000");
	return p;
}

/* The layout of SMPP 3.4 4.4.1, octet by octet. */
START_TEST(a_submit_as_in_the_book)
{
	struct smpp_pdu p = {
		.command = SMPP_SUBMIT, .sequence = 2, .from = { 5, 0, "MelroseLabs" }, .to = { 1, 1, "447712345678" }
	};
	uint8_t raw[200];
	struct buf b = BUF_OF(raw);

	p.message = BYTES_STR("Hello World");
	smpp_put(&b, &p);
	ck_assert(bytes_equal(buf_bytes(&b),
	        hex("00000043000000040000000000000002"
	            "0005004D656C726F73654C616273000101343437373132333435363738000000000000000000000B48656C6C6F20576F726C64")));
}
END_TEST

START_TEST(what_is_put_is_taken)
{
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
		struct smpp_pdu p = full(commands[i]), q;
		uint8_t raw[SMPP_PDU_MAX], again_raw[SMPP_PDU_MAX];
		struct buf b = BUF_OF(raw), again = BUF_OF(again_raw);
		struct bytes in;

		smpp_put(&b, &p);
		ck_assert_int_eq(buf_status(&b), OK);
		in = exact_copy(buf_bytes(&b));
		ck_assert_int_eq(smpp_take(&in, &q), OK);
		ck_assert_uint_eq(in.n, 0);
		smpp_put(&again, &q);
		ck_assert(bytes_equal(buf_bytes(&b), buf_bytes(&again)));
		for (size_t n = 0; n < b.len; n++) { /* the rest is still to come: nothing moves */
			in = exact_copy((struct bytes){ raw, n });
			ck_assert_int_eq(smpp_take(&in, &q), ERR_TRUNCATED);
			ck_assert_uint_eq(in.n, n);
		}
		for (size_t n = SMPP_HEADER; n < b.len; n++) { /* shorter than its fields: taken, and refused */
			enum status st;

			bytes_from_uint(n, raw, 4);
			in = exact_copy((struct bytes){ raw, n });
			st = smpp_take(&in, &q);
			ck_assert(st == ERR_MALFORMED || (n == SMPP_HEADER && (commands[i] & SMPP_RESP) != 0 && st == OK));
			ck_assert_uint_eq(in.n, 0);
			ck_assert_uint_eq(q.sequence, 7);
		}
	}
}
END_TEST

/* What a relative period of months and days can say, and no less for more. */
START_TEST(a_validity_does_not_turn_over)
{
	static const struct {
		uint64_t seconds;
		const char *text;
	} periods[] = { { 0, "000000000000000R" }, { 86399, "000000235959000R" }, { 30 * 86400, "000100000000000R" },
		{ 360 * 86400 - 1, "001129235959000R" }, { 360 * 86400, "001129235959000R" },
		{ UINT64_MAX, "001129235959000R" } };
	char text[17];

	for (size_t i = 0; i < sizeof periods / sizeof *periods; i++) {
		smpp_validity(periods[i].seconds, text);
		ck_assert_str_eq(text, periods[i].text);
	}
}
END_TEST

START_TEST(lengths_that_cannot_be)
{
	struct smpp_pdu q;
	struct bytes in = hex("0000000F");

	ck_assert_int_eq(smpp_take(&in, &q), ERR_NO_SPACE);
	in = hex("00000401");
	ck_assert_int_eq(smpp_take(&in, &q), ERR_NO_SPACE);
	in = hex("FFFFFFFF");
	ck_assert_int_eq(smpp_take(&in, &q), ERR_NO_SPACE);
	in = hex("00000010000000770000000000000009"); /* a command that nobody knows */
	ck_assert_int_eq(smpp_take(&in, &q), ERR_NOT_FOUND);
	ck_assert_uint_eq(q.sequence, 9);
}
END_TEST

START_TEST(receipts_with_and_without_optional_fields)
{
	struct smpp_pdu p = { .command = SMPP_DELIVER, .sequence = 1, .esm_class = ESM_RECEIPT, .message_id = "77" }, q;
	uint8_t raw[200], text_raw[80];
	struct buf b = BUF_OF(raw), text = BUF_OF(text_raw);
	struct bytes in;

	smpp_receipt_put(&text, "77", SMPP_DELIVERED);
	p.message = buf_bytes(&text);
	for (int state = 0; state <= SMPP_DELIVERED; state += SMPP_DELIVERED) {
		b.len = 0;
		p.state = (uint8_t)state;
		smpp_put(&b, &p);
		in = buf_bytes(&b);
		ck_assert_int_eq(smpp_take(&in, &q), OK);
		smpp_receipt_parse(&q);
		ck_assert_str_eq(q.message_id, "77");
		ck_assert_uint_eq(q.state, SMPP_DELIVERED);
	}
}
END_TEST

/* Both sides, sliced into pieces of every size: the same PDUs in the same order, and what needs no decision is answered. */
START_TEST(a_session_in_slices)
{
	static struct smpp_session a, b;
	size_t slice = (size_t)_i + 1;
	unsigned messages = 0;
	struct smpp_pdu p = full(SMPP_SUBMIT), q;

	smpp_session_start(&a, 0);
	smpp_session_start(&b, 0);
	p.sequence = 0;
	for (uint32_t i = 1; i <= 5; i++)
		ck_assert_uint_eq(smpp_session_put(&a, &p), i);
	p.command = 0x103; /* data_sm: not known here */
	ck_assert_uint_eq(smpp_session_put(&a, &p), 0);
	ck_assert_uint_eq(a.unanswered, 5);
	ck_assert_uint_ne(smpp_session_put(&a, &(struct smpp_pdu){ .command = SMPP_ENQUIRE_LINK }), 0);
	while (smpp_session_out(&a).n > 0 || smpp_session_out(&b).n > 0) {
		struct smpp_session *const pair[2][2] = { { &a, &b }, { &b, &a } };

		for (int d = 0; d < 2; d++) {
			struct bytes out = smpp_session_out(pair[d][0]);
			size_t room, n = out.n < slice ? out.n : slice;
			uint8_t *at = smpp_session_room(pair[d][1], &room);

			ck_assert_uint_ge(room, n);
			if (n > 0)
				memcpy(at, out.p, n);
			smpp_session_sent(pair[d][0], n);
			smpp_session_received(pair[d][1], n, 0);
			while (smpp_session_next(pair[d][1], &q) == OK)
				if (q.command == SMPP_SUBMIT) {
					messages++;
					ck_assert(bytes_equal(q.message, full(SMPP_SUBMIT).message));
					ck_assert(smpp_session_answer(pair[d][1], &q, SMPP_OK, "1"));
				}
		}
	}
	ck_assert_uint_eq(messages, 5);
	ck_assert_uint_eq(a.unanswered, 0);
}
END_TEST

START_TEST(silence_is_asked_and_then_given_up)
{
	static struct smpp_session s;

	smpp_session_start(&s, 100);
	ck_assert_int_eq(smpp_session_tick(&s, 100 + SMPP_SILENCE - 1), OK);
	ck_assert_uint_eq(smpp_session_out(&s).n, 0);
	ck_assert_int_eq(smpp_session_tick(&s, 100 + SMPP_SILENCE), OK);
	ck_assert_uint_eq(smpp_session_out(&s).n, SMPP_HEADER);
	ck_assert_int_eq(smpp_session_tick(&s, 100 + SMPP_SILENCE + SMPP_PATIENCE - 1), OK);
	ck_assert_uint_eq(smpp_session_out(&s).n, SMPP_HEADER); /* once */
	ck_assert_int_eq(smpp_session_tick(&s, 100 + SMPP_SILENCE + SMPP_PATIENCE), ERR_IO);
}
END_TEST

START_TEST(nonsense_ends_the_session_and_requests_are_refused)
{
	static struct smpp_session s;
	struct bytes bad = hex("00000012000000040000000000000005FFFF"), lost = hex("00000001");
	struct smpp_pdu p;
	struct bytes out;
	size_t room;

	smpp_session_start(&s, 0);
	memcpy(smpp_session_room(&s, &room), bad.p, bad.n);
	smpp_session_received(&s, bad.n, 0);
	ck_assert_int_eq(smpp_session_next(&s, &p), ERR_TRUNCATED);
	out = smpp_session_out(&s);
	ck_assert_int_eq(smpp_take(&out, &p), OK);
	ck_assert_uint_eq(p.command, SMPP_GENERIC_NACK);
	ck_assert_uint_eq(p.sequence, 5);
	ck_assert_uint_eq(p.status, SMPP_INVALID_LENGTH);
	memcpy(smpp_session_room(&s, &room), lost.p, lost.n);
	smpp_session_received(&s, lost.n, 0);
	ck_assert_int_eq(smpp_session_next(&s, &p), ERR_IO);
}
END_TEST

Suite *suite_smpp(void)
{
	Suite *s = suite_create("smpp");
	TCase *c = tcase_create("smpp");

	tcase_add_test(c, a_submit_as_in_the_book);
	tcase_add_test(c, what_is_put_is_taken);
	tcase_add_test(c, lengths_that_cannot_be);
	tcase_add_test(c, a_validity_does_not_turn_over);
	tcase_add_test(c, receipts_with_and_without_optional_fields);
	tcase_add_loop_test(c, a_session_in_slices, 0, 70);
	tcase_add_test(c, silence_is_asked_and_then_given_up);
	tcase_add_test(c, nonsense_ends_the_session_and_requests_are_refused);
	suite_add_tcase(s, c);
	return s;
}
