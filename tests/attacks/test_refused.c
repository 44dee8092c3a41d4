/* SPDX-License-Identifier: Apache-2.0 */
/* What a refused command leaves behind: nothing, neither in the store nor in memory, but counters of what was spent. And what
 * the card remembers of the time when the power goes right after an answer. */
#include <string.h>

#include "apdu/aids.h"
#include "apdu/tlv.h"
#include "protocols/mikey/message.h"
#include "tests/support/operator.h"

enum { YEARS = 10 * 365 * 86400, RTP_LEN = 20 };

static struct rig *member(unsigned policy)
{
	struct db_group g = { .uri = GROUP, .manager_uri = "sip:gms@example.org", .policy = policy };
	struct rig *r = known_card();

	ck_assert_int_eq(db_group_add(db, &g), OK);
	provision(r);
	ck_assert_uint_eq(import(r, NOW, rekey(NOW, NOW, NOW + 100000)), 0x9000);
	ck_assert_int_eq(discovery_renew(db, "here", DISCOVERY_33303, 1), OK);
	objects = BUF_OF(object_memory);
	ck_assert_int_eq(discovery_grant(db, "here", ICCID_1, RIGHT_MONITOR | RIGHT_ANNOUNCE, 0, NOW + 100000, &objects), OK);
	ck_assert_uint_eq(install(r, buf_bytes(&objects)), 0x9000);
	ck_assert_uint_eq(permit(r, PERMISSION_OFF_NETWORK, PERMISSION_ANNOUNCE | PERMISSION_MONITOR, 0, UINT64_MAX), 0x9000);
	rig_reboot(r);
	return r;
}

static uint64_t latest(struct rig *r)
{
	struct bytes v;

	ck_assert_uint_eq(rig_prose(r, INS_PROSE_STATUS, 0, (struct bytes){ 0 }), 0x9000);
	ck_assert_int_eq(tlv_find(rig_data(), TAG_LATEST, &v), OK);
	return bytes_uint(v);
}

static unsigned codes(struct rig *r, uint64_t now)
{
	uint8_t raw[64];
	struct buf b = BUF_OF(raw);

	tlv_put_uint(&b, TAG_TIME, 8, now);
	tlv_put_uint(&b, TAG_NOT_BEFORE, 8, now);
	tlv_put_uint(&b, TAG_NOT_AFTER, 8, now);
	return rig_prose(r, INS_PROSE_COMPUTE_CODES, RIGHT_MONITOR, buf_bytes(&b));
}

static unsigned start(struct rig *r, uint64_t now)
{
	return rig_prose(r, INS_PROSE_START_SESSION, 0, with_time(now, TAG_GROUP_URI, BYTES_STR(GROUP)));
}

/* The applet is selected and no PIN given. */
static unsigned import_without_pin(struct rig *r, uint64_t now, struct bytes message)
{
	uint8_t raw[4200];
	struct buf b = BUF_OF(raw);

	apdu_put(&b, &(struct command_apdu){ .cla = 0x80,
	                     .ins = INS_PROSE_IMPORT_GMK,
	                     .data = with_time(now, TAG_MESSAGE, message),
	                     .has_le = true,
	                     .ne = 65536,
	                     .extended = true });
	ck_assert_uint_eq(rig_send(r, "00A4040C07F050524F534501"), 0x9000);
	return rig_send_bytes(r, buf_bytes(&b));
}

/* Whoever has no PIN moves no clock: by a message that is refused, and by one that is taken. Otherwise the next command of the
 * user's would make it durable, and discovery were over until a sealed time comes. */
START_TEST(no_clock_is_moved_without_a_pin)
{
	struct rig *r = member(0);
	struct bytes fresh;

	ck_assert_uint_eq(import_without_pin(r, NOW + YEARS, last_message), SW_PROSE_EXPIRED);
	ck_assert_uint_lt(latest(r), NOW + YEARS);
	rekey(NOW + 5, NOW, NOW + 2 * (uint64_t)YEARS);
	fresh = exact_copy(last_message);
	rig_reboot(r);
	ck_assert_uint_eq(import_without_pin(r, NOW + YEARS, fresh), 0x9000);
	ck_assert_uint_lt(latest(r), NOW + YEARS);
	ck_assert_uint_eq(start(r, NOW + 10), 0x9000);
	rig_reboot(r);
	ck_assert_uint_eq(codes(r, NOW + 20), 0x9000);
	rig_free(&r);
}
END_TEST

/* Every command that is told the time, refused for another reason. */
START_TEST(refused_commands_move_no_clock)
{
	static const struct {
		uint8_t ins, p1;
		uint32_t tag;
		const char *value;
		unsigned sw;
	} refused[] = {
		{ INS_PROSE_START_SESSION, 0, TAG_GROUP_URI, "sip:nowhere@example.org", SW_PROSE_NO_KEY },
		{ INS_PROSE_START_SESSION, 0, TAG_GROUP_URI, GROUP, SW_PROSE_NOT_PROVISIONED }, /* that far ahead */
		{ INS_PROSE_OPEN_DIRECT, 0, TAG_GROUP_URI, "sip:nowhere@example.org", SW_PROSE_NO_KEY },
		{ INS_PROSE_OPEN_DIRECT, 0, TAG_GROUP_URI, GROUP, SW_PROSE_POLICY },
		{ INS_PROSE_ANNOUNCE, 0, TAG_NAME, "nothing", SW_PROSE_NO_KEY },
		{ INS_PROSE_ANNOUNCE, 0, TAG_NAME, "here", SW_PROSE_EXPIRED },
		{ INS_PROSE_ADHOC, ADHOC_INVITE, TAG_GROUP_URI, GROUP, SW_PROSE_NO_KEY },
	};
	struct rig *r = member(0);
	uint64_t before;

	ck_assert_uint_eq(codes(r, NOW), 0x9000);
	before = latest(r);
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
		ck_assert_uint_eq(rig_prose(r, refused[i].ins, refused[i].p1,
		                          with_time(NOW + YEARS, refused[i].tag, bytes_str(refused[i].value))),
		        refused[i].sw);
		ck_assert_msg(latest(r) == before, "refused command %zu moved the clock", i);
	}
	ck_assert_uint_eq(codes(r, NOW + 1), 0x9000);
	rig_free(&r);
}
END_TEST

/* Codes leave for a time that a power cut cannot make the card forget: asking ahead costs the present. */
START_TEST(codes_ahead_cost_the_present)
{
	struct rig *r = member(0);

	for (unsigned ahead = 1; ahead <= 5; ahead++) {
		ck_assert_uint_eq(codes(r, NOW + ahead * 559), 0x9000);
		rig_reboot(r);
		ck_assert_uint_eq(codes(r, NOW + (ahead - 1) * 559), SW_PROSE_TIME);
	}
	/* A minute each side is what may be forgotten, and no more. */
	ck_assert_uint_eq(codes(r, NOW + 10000), 0x9000);
	ck_assert_uint_eq(codes(r, NOW + 10060), 0x9000);
	rig_reboot(r);
	ck_assert_uint_eq(codes(r, NOW + 9939), SW_PROSE_TIME);
	ck_assert_uint_eq(codes(r, NOW + 9940), 0x9000);
	rig_free(&r);
}
END_TEST

/* A clock that only goes costs the memory at most one write a minute. */
START_TEST(time_is_written_once_a_minute)
{
	struct rig *r = member(0);
	long before;

	ck_assert_uint_eq(codes(r, NOW), 0x9000);
	before = r->store.writes;
	for (unsigned second = 1; second <= 600; second++)
		ck_assert_uint_eq(codes(r, NOW + second), 0x9000);
	ck_assert_int_le(r->store.writes - before, 10);
	ck_assert_int_ge(r->store.writes - before, 9);
	rig_free(&r);
}
END_TEST

/* ---- calls -------------------------------------------------------------------------------------------------------------- */

static unsigned of_session(struct rig *r, uint8_t ins, const uint8_t *id, struct bytes packet)
{
	uint8_t raw[256];
	struct buf b = BUF_OF(raw);

	tlv_put(&b, TAG_SESSION_ID, (struct bytes){ id, PROSE_SESSION_ID_LEN });
	if (packet.n > 0)
		tlv_put(&b, TAG_PACKET, packet);
	return rig_prose(r, ins, 0, buf_bytes(&b));
}

static void take(uint32_t tag, uint8_t *out, size_t room, size_t *n)
{
	struct buf b = { out, 0, room, false };
	struct bytes v;

	ck_assert_int_eq(tlv_find(rig_data(), tag, &v), OK);
	buf_put(&b, v);
	ck_assert_int_eq(buf_status(&b), OK);
	*n = b.len;
}

static unsigned open_direct(struct rig *r, uint8_t id[PROSE_SESSION_ID_LEN])
{
	unsigned sw = rig_prose(r, INS_PROSE_OPEN_DIRECT, 0, with_time(NOW, TAG_GROUP_URI, BYTES_STR(GROUP)));
	size_t n;

	if (sw == 0x9000)
		take(TAG_SESSION_ID, id, PROSE_SESSION_ID_LEN, &n);
	return sw;
}

/* Forged packets of talkers who are none do not push out the ones who are: a packet that was heard stays heard. */
START_TEST(forged_packets_make_no_room)
{
	static const uint8_t rtp[RTP_LEN] = { 0x80, 8 };
	struct rig *r = member(GROUP_POLICY_DIRECT);
	uint8_t id[PROSE_SESSION_ID_LEN], packet[128];
	size_t n;

	ck_assert_uint_eq(open_direct(r, id), 0x9000);
	ck_assert_uint_eq(of_session(r, INS_PROSE_TALK, id, (struct bytes){ 0 }), 0x9000);
	ck_assert_uint_eq(of_session(r, INS_PROSE_PROTECT, id, BYTES_OF(rtp)), 0x9000);
	take(TAG_PACKET, packet, sizeof packet, &n);
	ck_assert_uint_eq(of_session(r, INS_PROSE_UNPROTECT, id, (struct bytes){ packet, n }), 0x9000);
	for (int i = 1; i <= 20; i++) {
		packet[n - 1] ^= (uint8_t)i;
		ck_assert_uint_eq(of_session(r, INS_PROSE_UNPROTECT, id, (struct bytes){ packet, n }), SW_PROSE_SIGNATURE);
		packet[n - 1] ^= (uint8_t)i;
	}
	ck_assert_uint_eq(of_session(r, INS_PROSE_UNPROTECT, id, (struct bytes){ packet, n }), SW_PROSE_SIGNATURE);
	rig_free(&r);
}
END_TEST

/* A write that fails: the answer is 6581, and the card is where it was. An SSRC that is not durable is never used. */
START_TEST(what_cannot_be_written_has_not_happened)
{
	static const uint8_t rtp[RTP_LEN] = { 0x80, 8 };
	struct rig *r = member(GROUP_POLICY_DIRECT);
	uint8_t first[PROSE_SESSION_ID_LEN], other[PROSE_SESSION_ID_LEN];
	uint64_t before;

	ck_assert_uint_eq(open_direct(r, first), 0x9000);
	before = latest(r);
	r->store.cut_after = r->store.writes;
	ck_assert_uint_eq(of_session(r, INS_PROSE_TALK, first, (struct bytes){ 0 }), 0x6581);
	ck_assert_uint_eq(of_session(r, INS_PROSE_PROTECT, first, BYTES_OF(rtp)), 0x6985);
	ck_assert_uint_eq(rig_prose(r, INS_PROSE_OPEN_DIRECT, 0, with_time(NOW + 90, TAG_GROUP_URI, BYTES_STR(GROUP))), 0x6581);
	ck_assert_uint_eq(codes(r, NOW + 90), 0x6581);
	ck_assert_uint_eq(latest(r), before);
	r->store.cut_after = -1;
	/* Nothing was pushed out, and PIN1 is still verified. */
	for (int i = 1; i < PROSE_SESSIONS_MAX; i++)
		ck_assert_uint_eq(open_direct(r, other), 0x9000);
	ck_assert_uint_eq(of_session(r, INS_PROSE_TALK, first, (struct bytes){ 0 }), 0x9000);
	ck_assert_uint_eq(of_session(r, INS_PROSE_PROTECT, first, BYTES_OF(rtp)), 0x9000);
	rig_free(&r);
}
END_TEST

/* A file that a refused command has named by its short identifier does not become the current one. */
START_TEST(refused_commands_select_nothing)
{
	struct rig *r = rig_new();

	ck_assert_uint_eq(rig_send(r, "00A4000C022FE2"), 0x9000);
	ck_assert_uint_eq(rig_send(r, "00B085FF01"), 0x6B00); /* EF_PL, far behind its end */
	ck_assert_uint_eq(rig_send(r, "00B000000A"), 0x9000);
	ck_assert(bytes_equal(rig_data(), BYTES_OF(r->env.card_id)));
	ck_assert_uint_eq(rig_send(r, "00B0850001"), 0x9000);
	ck_assert_uint_eq(rig_send(r, "00B0000004"), 0x9000); /* what a command has read becomes it */
	rig_free(&r);
}
END_TEST

TCase *tcase_refused(void)
{
	TCase *t = tcase_create("refused");

	tcase_add_checked_fixture(t, open_operator, close_operator);
	tcase_add_test(t, no_clock_is_moved_without_a_pin);
	tcase_add_test(t, refused_commands_move_no_clock);
	tcase_add_test(t, codes_ahead_cost_the_present);
	tcase_add_test(t, time_is_written_once_a_minute);
	tcase_add_test(t, refused_commands_select_nothing);
	tcase_add_test(t, forged_packets_make_no_room);
	tcase_add_test(t, what_cannot_be_written_has_not_happened);
	return t;
}
