/* SPDX-License-Identifier: Apache-2.0 */
/* A second client of the card, any program that pcscd lets in: what it selects, leaves, closes or gets wrong on its own channel
 * ends nothing of the first one's, and gives it nothing that the first one has. */
#include <string.h>

#include "apdu/aids.h"
#include "apdu/birth.h"
#include "apdu/tlv.h"
#include "tests/support/operator.h"
#include "tests/support/scp.h"

enum { FIRST = 0, SECOND = 1 };

/* A command on a channel; its answer is in rig_data. */
static unsigned on(struct rig *r, unsigned channel, struct command_apdu a)
{
	static uint8_t raw[APDU_COMMAND_MAX];
	struct buf b = BUF_OF(raw);

	a.cla = apdu_cla(a.cla, channel);
	apdu_put(&b, &a);
	return rig_send_bytes(r, buf_bytes(&b));
}

static unsigned prose(struct rig *r, unsigned channel, uint8_t ins, uint8_t p1, struct bytes data)
{
	return on(r, channel,
	        (struct command_apdu){
	                .cla = 0x80, .ins = ins, .p1 = p1, .data = data, .has_le = true, .ne = 65536, .extended = true });
}

static unsigned select_aid(struct rig *r, unsigned channel, struct bytes aid)
{
	return on(r, channel, (struct command_apdu){ .ins = INS_SELECT, .p1 = 0x04, .p2 = 0x0C, .data = aid });
}

static unsigned verify(struct rig *r, unsigned channel, const char *pin)
{
	uint8_t raw[8];

	memset(raw, 0xFF, sizeof raw);
	memcpy(raw, pin, strlen(pin));
	return on(r, channel, (struct command_apdu){ .ins = INS_VERIFY_PIN, .p2 = 0x01, .data = BYTES_OF(raw) });
}

static void open_channel(struct rig *r, unsigned channel)
{
	ck_assert_uint_eq(on(r, 0, (struct command_apdu){ .ins = INS_MANAGE_CHANNEL, .p2 = (uint8_t)channel }), 0x9000);
}

static unsigned close_channel(struct rig *r, unsigned channel)
{
	return on(r, 0, (struct command_apdu){ .ins = INS_MANAGE_CHANNEL, .p1 = 0x80, .p2 = (uint8_t)channel });
}

/* With the applet selected and PIN1 verified there. */
static void client(struct rig *r, unsigned channel)
{
	if (channel != 0)
		open_channel(r, channel);
	ck_assert_uint_eq(select_aid(r, channel, BYTES_STR(AID_PROSE)), 0x9000);
	ck_assert_uint_eq(verify(r, channel, "1234"), 0x9000);
}

/* ALICE's card in a group of this policy, with its key. */
static struct rig *member(unsigned policy)
{
	struct db_group g = { .uri = GROUP, .manager_uri = "sip:gms@example.org", .policy = policy };
	struct rig *r = known_card();

	ck_assert_int_eq(db_group_add(db, &g), OK);
	provision(r);
	ck_assert_uint_eq(import(r, NOW, rekey(NOW, NOW, NOW + 1000)), 0x9000);
	card_reset(&r->card);
	return r;
}

static uint8_t call[PROSE_SESSION_ID_LEN];

static unsigned start(struct rig *r, unsigned channel, uint64_t now)
{
	unsigned sw = prose(r, channel, INS_PROSE_START_SESSION, 0, with_time(now, TAG_GROUP_URI, BYTES_STR(GROUP)));
	struct bytes id;

	if (sw == 0x9000 && tlv_find(rig_data(), TAG_SESSION_ID, &id) == OK && id.n == sizeof call)
		memcpy(call, id.p, sizeof call);
	return sw;
}

/* A packet of the call, by the card; the sequence number that it wrote. */
static unsigned protect(struct rig *r, unsigned channel, unsigned *sequence)
{
	static const uint8_t rtp[20] = { 0x80, 8 };
	uint8_t raw[64];
	struct buf b = BUF_OF(raw);
	struct bytes v;
	unsigned sw;

	tlv_put(&b, TAG_SESSION_ID, BYTES_OF(call));
	tlv_put(&b, TAG_PACKET, BYTES_OF(rtp));
	sw = prose(r, channel, INS_PROSE_PROTECT, 0, buf_bytes(&b));
	if (sw == 0x9000 && tlv_find(rig_data(), TAG_PACKET, &v) == OK)
		*sequence = (unsigned)bytes_uint((struct bytes){ v.p + 2, 2 });
	return sw;
}

static unsigned talk(struct rig *r, unsigned channel)
{
	uint8_t raw[16];
	struct buf b = BUF_OF(raw);

	tlv_put(&b, TAG_SESSION_ID, BYTES_OF(call));
	return prose(r, channel, INS_PROSE_TALK, 0, buf_bytes(&b));
}

/* A call whose keys stay on the card goes on whatever another client does, and ends with the last who has the applet selected.
 */
START_TEST(a_call_is_not_anothers_to_end)
{
	struct rig *r = member(GROUP_POLICY_IN_CARD);
	unsigned sequence = 0;

	client(r, FIRST);
	ck_assert_uint_eq(start(r, FIRST, NOW), 0x9000);
	ck_assert_uint_eq(talk(r, FIRST), 0x9000);
	ck_assert_uint_eq(protect(r, FIRST, &sequence), 0x9000);
	/* What `prose-ue list` does beside it; what reading a file does; what a client does that dies. */
	client(r, SECOND);
	ck_assert_uint_eq(prose(r, SECOND, INS_PROSE_LIST, PROSE_LIST_GMKS, (struct bytes){ 0 }), 0x9000);
	ck_assert_uint_eq(close_channel(r, SECOND), 0x9000);
	ck_assert_uint_eq(protect(r, FIRST, &sequence), 0x9000);
	client(r, SECOND);
	ck_assert_uint_eq(select_aid(r, SECOND, BYTES_STR(AID_USIM)), 0x9000);
	ck_assert_uint_eq(protect(r, FIRST, &sequence), 0x9000);
	ck_assert_uint_eq(sequence, 2);
	/* The first one leaves: the second could go on with it, and now nobody can. */
	ck_assert_uint_eq(select_aid(r, SECOND, BYTES_STR(AID_PROSE)), 0x9000);
	ck_assert_uint_eq(select_aid(r, FIRST, BYTES_STR(AID_USIM)), 0x9000);
	ck_assert_uint_eq(protect(r, SECOND, &sequence), 0x9000);
	ck_assert_uint_eq(close_channel(r, SECOND), 0x9000);
	ck_assert_uint_eq(select_aid(r, FIRST, BYTES_STR(AID_PROSE)), 0x9000);
	ck_assert_uint_eq(protect(r, FIRST, &sequence), SW_REFERENCE_NOT_FOUND);
	rig_free(&r);
}
END_TEST

/* A call of a card that sleeps goes on where it was, and the next packet is the next one; what sleeps for ever leaks nothing.
 */
START_TEST(a_call_outlives_a_suspension)
{
	struct rig *r = member(GROUP_POLICY_IN_CARD);
	uint8_t resume[13] = { 0x80, 0x76, 0x01, 0x00, 0x08 };
	unsigned sequence = 0;

	client(r, FIRST);
	ck_assert_uint_eq(start(r, FIRST, NOW), 0x9000);
	ck_assert_uint_eq(talk(r, FIRST), 0x9000);
	ck_assert_uint_eq(protect(r, FIRST, &sequence), 0x9000);
	for (unsigned i = 1; i < 3; i++) {
		ck_assert_uint_eq(rig_send(r, "8076000004000A0105"), 0x610A);
		ck_assert_uint_eq(rig_send(r, "00C000000A"), 0x9000);
		memcpy(resume + 5, rig_data().p + 2, 8);
		card_reset(&r->card);
		ck_assert_uint_eq(rig_send_bytes(r, BYTES_OF(resume)), 0x9000);
		ck_assert_uint_eq(protect(r, FIRST, &sequence), 0x9000);
		ck_assert_uint_eq(sequence, i);
	}
	ck_assert_uint_eq(rig_send(r, "8076000004000A0105"), 0x610A);
	card_reset(&r->card);
	rig_free(&r);
}
END_TEST

static unsigned join(struct rig *r, unsigned channel, struct bytes offer)
{
	struct bytes known;
	unsigned sw = prose(r, channel, INS_PROSE_JOIN_SESSION, 0, with_time(NOW, TAG_MESSAGE, offer));

	if (sw != 0x9000)
		return sw;
	ck_assert_int_eq(tlv_find(rig_data(), TAG_KNOWN, &known), OK);
	return known.p[0];
}

/* An offer that another client has opened is news to this one, and a replay is none, whoever brings it. */
START_TEST(what_was_told_is_the_channels)
{
	struct rig *r = member(0);
	struct bytes offer;

	client(r, FIRST);
	client(r, SECOND);
	ck_assert_uint_eq(start(r, SECOND, NOW), 0x9000);
	ck_assert_int_eq(tlv_find(rig_data(), TAG_MESSAGE, &offer), OK);
	offer = exact_copy(offer);
	ck_assert_uint_eq(join(r, SECOND, offer), 0);
	ck_assert_uint_eq(join(r, FIRST, offer), 0);
	ck_assert_uint_eq(join(r, FIRST, offer), 1);
	ck_assert_uint_eq(join(r, SECOND, offer), 1);
	/* A channel that is opened anew has been told nothing; without an open call the offer is an old one. */
	ck_assert_uint_eq(close_channel(r, SECOND), 0x9000);
	client(r, SECOND);
	ck_assert_uint_eq(join(r, SECOND, offer), 0);
	ck_assert_uint_eq(close_channel(r, SECOND), 0x9000);
	ck_assert_uint_eq(select_aid(r, FIRST, BYTES_STR(AID_USIM)), 0x9000);
	ck_assert_uint_eq(select_aid(r, FIRST, BYTES_STR(AID_PROSE)), 0x9000);
	ck_assert_uint_eq(join(r, FIRST, offer), 1);
	rig_free(&r);
}
END_TEST

/* A discovery key of the card's, for codes of a second each. */
static void give_discovery_key(struct rig *r)
{
	ck_assert_int_eq(discovery_renew(db, "here", DISCOVERY_33303, 1), OK);
	objects = BUF_OF(object_memory);
	ck_assert_int_eq(discovery_grant(db, "here", ICCID_1, RIGHT_MONITOR, 0, NOW + 100000, &objects), OK);
	ck_assert_uint_eq(install(r, buf_bytes(&objects)), 0x9000);
}

static unsigned codes(struct rig *r, unsigned channel, uint64_t now, uint64_t from, uint64_t to)
{
	uint8_t raw[64];
	struct buf b = BUF_OF(raw);

	tlv_put_uint(&b, TAG_TIME, 8, now);
	tlv_put_uint(&b, TAG_NOT_BEFORE, 8, from);
	tlv_put_uint(&b, TAG_NOT_AFTER, 8, to);
	return prose(r, channel, INS_PROSE_COMPUTE_CODES, RIGHT_MONITOR, buf_bytes(&b));
}

static uint64_t of_status(struct rig *r, unsigned channel, uint32_t tag)
{
	struct bytes v;

	ck_assert_uint_eq(prose(r, channel, INS_PROSE_STATUS, 0, (struct bytes){ 0 }), 0x9000);
	ck_assert_int_eq(tlv_find(rig_data(), tag, &v), OK);
	return bytes_uint(v);
}

/* What has been spent and the time that was seen stay until the power goes, whoever selects or closes what. */
START_TEST(selecting_gives_no_budget_and_no_time_back)
{
	struct rig *r = member(0);
	uint64_t budget;

	give_discovery_key(r);
	ck_assert_uint_eq(permit(r, PERMISSION_OFF_NETWORK, PERMISSION_ANNOUNCE | PERMISSION_MONITOR, 0, UINT64_MAX), 0x9000);
	client(r, FIRST);
	ck_assert_uint_eq(codes(r, FIRST, NOW + 30, NOW, NOW + 59), 0x9000);
	budget = of_status(r, FIRST, TAG_BUDGET);
	ck_assert_uint_eq(budget, PROSE_SLOT_BUDGET - 60);
	ck_assert_uint_eq(of_status(r, FIRST, TAG_LATEST), NOW + 30);
	ck_assert_uint_eq(select_aid(r, FIRST, BYTES_STR(AID_USIM)), 0x9000);
	ck_assert_uint_eq(select_aid(r, FIRST, BYTES_STR(AID_PROSE)), 0x9000);
	ck_assert_uint_eq(of_status(r, FIRST, TAG_BUDGET), budget);
	ck_assert_uint_eq(of_status(r, FIRST, TAG_LATEST), NOW + 30);
	client(r, SECOND);
	ck_assert_uint_eq(close_channel(r, SECOND), 0x9000);
	ck_assert_uint_eq(of_status(r, FIRST, TAG_BUDGET), budget);
	ck_assert_uint_eq(of_status(r, FIRST, TAG_LATEST), NOW + 30);
	rig_reboot(r);
	client(r, FIRST);
	ck_assert_uint_eq(of_status(r, FIRST, TAG_BUDGET), PROSE_SLOT_BUDGET);
	rig_free(&r);
}
END_TEST

/* ---- PIN1 --------------------------------------------------------------------------------------------------------------- */

static unsigned list(struct rig *r, unsigned channel)
{
	return prose(r, channel, INS_PROSE_LIST, PROSE_LIST_GROUPS, (struct bytes){ 0 });
}

/* EF_IMSI, which PIN1 guards. */
static unsigned read_imsi(struct rig *r, unsigned channel)
{
	ck_assert_uint_eq(select_aid(r, channel, BYTES_STR(AID_USIM)), 0x9000);
	ck_assert_uint_eq(
	        on(r, channel, (struct command_apdu){ .ins = INS_SELECT, .p2 = 0x0C, .data = BYTES_STR("\x6F\x07") }), 0x9000);
	return on(r, channel, (struct command_apdu){ .ins = INS_READ_BINARY, .has_le = true, .ne = 9 });
}

static unsigned forget_pin(struct rig *r, unsigned channel)
{
	return on(r, channel, (struct command_apdu){ .ins = INS_VERIFY_PIN, .p1 = 0xFF, .p2 = 0x01 });
}

static void open_prose(struct rig *r, unsigned channel)
{
	open_channel(r, channel);
	ck_assert_uint_eq(select_aid(r, channel, BYTES_STR(AID_PROSE)), 0x9000);
}

/* A PIN that our program has given opens nothing to another: neither the ProSe applet nor the USIM. */
START_TEST(a_pin_opens_one_channel)
{
	struct rig *r = member(0);

	open_prose(r, 1);
	open_prose(r, 2);
	ck_assert_uint_eq(verify(r, 1, "1234"), 0x9000);
	ck_assert_uint_eq(list(r, 1), 0x9000);
	ck_assert_uint_eq(list(r, 2), 0x6982);
	ck_assert_uint_eq(read_imsi(r, 2), 0x6982);
	ck_assert_uint_eq(read_imsi(r, 0), 0x6982);
	ck_assert_uint_eq(read_imsi(r, 1), 0x9000);
	ck_assert_uint_eq(select_aid(r, 1, BYTES_STR(AID_PROSE)), 0x9000);
	ck_assert_uint_eq(list(r, 1), 0x9000);
	/* Tries are the card's: what another gets wrong costs one, and takes nothing away that was verified. */
	ck_assert_uint_eq(select_aid(r, 2, BYTES_STR(AID_PROSE)), 0x9000);
	ck_assert_uint_eq(verify(r, 2, "9999"), 0x63C2);
	ck_assert_uint_eq(on(r, 1, (struct command_apdu){ .ins = INS_VERIFY_PIN, .p2 = 0x01 }), 0x63C2);
	ck_assert_uint_eq(list(r, 1), 0x9000);
	ck_assert_uint_eq(verify(r, 1, "9999"), 0x63C1);
	ck_assert_uint_eq(list(r, 1), 0x6982);
	rig_free(&r);
}
END_TEST

/* It ends with the channel, with a reset, and when its holder says so; nobody else says so. */
START_TEST(a_pin_ends_with_its_channel)
{
	struct rig *r = member(0);

	open_prose(r, 1);
	open_prose(r, 2);
	ck_assert_uint_eq(verify(r, 1, "1234"), 0x9000);
	ck_assert_uint_eq(verify(r, 2, "1234"), 0x9000);
	ck_assert_uint_eq(on(r, 1, (struct command_apdu){ .ins = INS_VERIFY_PIN, .p1 = 0x01, .p2 = 0x01 }), 0x6A86);
	ck_assert_uint_eq(rig_send(r, "0120FF010831323334FFFFFFFF"), 0x6700);
	ck_assert_uint_eq(list(r, 1), 0x9000);
	ck_assert_uint_eq(forget_pin(r, 1), 0x9000);
	ck_assert_uint_eq(list(r, 1), 0x6982);
	ck_assert_uint_eq(list(r, 2), 0x9000);
	ck_assert_uint_eq(close_channel(r, 2), 0x9000);
	open_prose(r, 2);
	ck_assert_uint_eq(list(r, 2), 0x6982);
	ck_assert_uint_eq(verify(r, 2, "1234"), 0x9000);
	card_reset(&r->card);
	open_prose(r, 2);
	ck_assert_uint_eq(list(r, 2), 0x6982);
	rig_free(&r);
}
END_TEST

/* PIN1 of TS 102 221 is the card's: verified anywhere but in the ProSe applet it opens files on every channel, and the applet
 * on that channel only. VERIFY has no P1 FF there. */
START_TEST(the_standards_pin_is_the_cards)
{
	struct rig *r = member(0);

	open_prose(r, 2);
	ck_assert_uint_eq(verify(r, 0, "1234"), 0x9000);
	ck_assert_uint_eq(forget_pin(r, 0), 0x6A86);
	ck_assert_uint_eq(list(r, 2), 0x6982);
	ck_assert_uint_eq(read_imsi(r, 2), 0x9000);
	ck_assert_uint_eq(select_aid(r, 0, BYTES_STR(AID_PROSE)), 0x9000);
	ck_assert_uint_eq(list(r, 0), 0x9000);
	/* Said in the applet, it is over there; the files stay open. */
	ck_assert_uint_eq(forget_pin(r, 0), 0x9000);
	ck_assert_uint_eq(list(r, 0), 0x6982);
	ck_assert_uint_eq(read_imsi(r, 2), 0x9000);
	/* A wrong PIN takes back what the standard had given, on all channels. */
	ck_assert_uint_eq(verify(r, 2, "9999"), 0x63C2);
	ck_assert_uint_eq(read_imsi(r, 0), 0x6982);
	rig_free(&r);
}
END_TEST

/* ---- security domains ---------------------------------------------------------------------------------------------------- */

#define SELECT_ISD "00A4040C08A000000151000000"

static unsigned get_status(struct rig *r, struct scp03 *s)
{
	return scp_send(r, s, 0xF2, 0x80, 0x02, hex("4F00"));
}

/* An administrator's session stands whatever others do at the same domain: select and leave it, begin a session of their own,
 * send a wrong MAC. It is one channel's: elsewhere its MAC is worth nothing. */
START_TEST(an_administrator_is_not_disturbed)
{
	struct rig *r = rig_new();
	struct scp03_keys k;
	struct scp03 s;
	struct bytes copy;

	ck_assert_int_eq(tlv_find(r->secrets, BIRTH_ISD_ENC, &k.enc), OK);
	ck_assert_int_eq(tlv_find(r->secrets, BIRTH_ISD_MAC, &k.mac), OK);
	ck_assert_uint_eq(scp_authenticate(r, SELECT_ISD, &s, &k, 0x01), 0x9000);
	open_channel(r, SECOND);
	ck_assert_uint_eq(select_aid(r, SECOND, BYTES_STR(AID_ISD)), 0x9000);
	ck_assert_uint_eq(select_aid(r, SECOND, BYTES_STR(AID_USIM)), 0x9000);
	ck_assert_uint_eq(get_status(r, &s), 0x9000);
	ck_assert_uint_eq(select_aid(r, SECOND, BYTES_STR(AID_ISD)), 0x9000);
	ck_assert_uint_eq(rig_send(r, "8150000008010203040506070800"), 0x9000);
	ck_assert_uint_eq(get_status(r, &s), 0x9000);
	ck_assert_uint_eq(rig_send(r, "85F280020A4F00112233445566778800"), 0x6982);
	ck_assert_uint_eq(get_status(r, &s), 0x9000);
	ck_assert_uint_eq(close_channel(r, SECOND), 0x9000);
	ck_assert_uint_eq(get_status(r, &s), 0x9000);
	/* The administrator's own command on another channel: no session there. */
	open_channel(r, SECOND);
	ck_assert_uint_eq(select_aid(r, SECOND, BYTES_STR(AID_ISD)), 0x9000);
	copy = exact_copy(scp_wrapped(&s, 0xF2, 0x80, 0x02, hex("4F00")));
	((uint8_t *)(uintptr_t)copy.p)[0] |= SECOND;
	ck_assert_uint_eq(rig_send_bytes(r, copy), 0x6982);
	((uint8_t *)(uintptr_t)copy.p)[0] &= (uint8_t)~SECOND;
	ck_assert_uint_eq(rig_send_bytes(r, copy), 0x9000);
	/* It ends with the selection. */
	ck_assert_uint_eq(select_aid(r, FIRST, BYTES_STR(AID_USIM)), 0x9000);
	ck_assert_uint_eq(rig_send(r, SELECT_ISD), 0x9000);
	ck_assert_uint_eq(get_status(r, &s), 0x6982);
	rig_free(&r);
}
END_TEST

TCase *tcase_clients(void)
{
	TCase *t = tcase_create("clients");

	tcase_add_checked_fixture(t, open_operator, close_operator);
	tcase_add_test(t, a_call_is_not_anothers_to_end);
	tcase_add_test(t, a_call_outlives_a_suspension);
	tcase_add_test(t, what_was_told_is_the_channels);
	tcase_add_test(t, selecting_gives_no_budget_and_no_time_back);
	tcase_add_test(t, a_pin_opens_one_channel);
	tcase_add_test(t, a_pin_ends_with_its_channel);
	tcase_add_test(t, the_standards_pin_is_the_cards);
	tcase_add_test(t, an_administrator_is_not_disturbed);
	return t;
}
