/* SPDX-License-Identifier: Apache-2.0 */
/* What a listener makes of datagrams that anybody can send. */
#include "host/cli/hearing.h"

#include <string.h>

#include "tests/support/support.h"

/* A row for each of the first sessions; then silent ones make room, in order; what was heard never does. */
START_TEST(what_was_heard_keeps_its_row)
{
	bool heard[HEARING_SESSIONS] = { false };

	for (size_t used = 0; used < HEARING_SESSIONS; used++)
		ck_assert_uint_eq(hearing_row(heard, used), used);
	for (size_t i = 0; i < HEARING_SESSIONS; i++) {
		ck_assert_uint_eq(hearing_row(heard, HEARING_SESSIONS), i);
		heard[i] = true;
	}
	ck_assert_uint_eq(hearing_row(heard, HEARING_SESSIONS), HEARING_SESSIONS);
	heard[3] = false;
	ck_assert_uint_eq(hearing_row(heard, HEARING_SESSIONS), 3);
}
END_TEST

START_TEST(passed_over_by_reason)
{
	struct passed_over p = { 0 };
	char why[2] = "a";
	uint8_t raw[400];
	struct buf b = BUF_OF(raw);

	ck_assert(passed_over_add(&p, "9C01"));
	ck_assert(!passed_over_add(&p, "9C01"));
	ck_assert(passed_over_add(&p, "form"));
	passed_over_put(&p, &b);
	ck_assert(bytes_equal(buf_bytes(&b), BYTES_STR("\"ignored\": 3, \"reasons\": {\"9C01\": 2, \"form\": 1}")));
	for (size_t i = 2; i < REASONS_MAX; i++, why[0]++)
		ck_assert(passed_over_add(&p, why));
	ck_assert(!passed_over_add(&p, "more")); /* counted, without a row */
	ck_assert_uint_eq(p.count, REASONS_MAX + 2);
	ck_assert(!passed_over_add(&p, "form"));
	b.len = 0;
	passed_over_put(&p, &b);
	ck_assert(!b.failed);
}
END_TEST

START_TEST(media_are_at_a_multicast_address)
{
	static const struct {
		const char *address;
		unsigned port;
		bool good;
	} places[] = { { "239.255.33.5", 6010, true }, { "224.0.0.1", 1, true }, { "239.255.255.255", 65535, true },
		{ "223.255.255.255", 6010, false }, { "240.0.0.0", 6010, false }, { "127.0.0.1", 6010, false },
		{ "239.255.33.5", 0, false }, { "239.255.33.5", 65536, false }, { "", 6010, false }, { "::1", 6010, false },
		{ "239.255.33", 6010, false } };
	uint8_t at[MEDIA_AT_LEN];

	for (size_t i = 0; i < sizeof places / sizeof *places; i++)
		ck_assert_msg(media_at_of(places[i].address, places[i].port, at) == places[i].good, "%s:%u", places[i].address,
		        places[i].port);
	ck_assert(media_at_of("239.255.33.5", 6010, at));
	ck_assert_mem_eq(at, hex("EFFF2105177A").p, MEDIA_AT_LEN);
}
END_TEST

TCase *tcase_hearing(void)
{
	TCase *t = tcase_create("hearing");

	tcase_add_test(t, what_was_heard_keeps_its_row);
	tcase_add_test(t, passed_over_by_reason);
	tcase_add_test(t, media_are_at_a_multicast_address);
	return t;
}
