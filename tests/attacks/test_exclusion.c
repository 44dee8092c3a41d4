/* SPDX-License-Identifier: Apache-2.0 */
/* A radio that was excluded calls with the key it still has, old messages come again, and clocks go wrong. Several cards in one
 * process, each with a user of its own; the operator is the real code. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apdu/base/hex.h"
#include "apdu/tlv.h"
#include "protocols/mikey/keys/sakke_message.h"
#include "provisioning/keys/kms.h"
#include "tests/support/operator.h"

#define MANAGER "sip:gms@example.org"
#define ERIN "sip:erin@example.org"
enum { MONTH = 2592000, DAY = 86400, SIGNED = GROUP_POLICY_SIGN, LISTEN = GROUP_POLICY_SIGN | GROUP_POLICY_LISTEN };
enum { MESSAGES_MAX = 24 };

/* ---- members -------------------------------------------------------------------------------------------------------- */

static void make_group(unsigned policy)
{
	struct db_group g = { .uri = GROUP, .manager_uri = MANAGER, .policy = policy };

	ck_assert_int_eq(db_group_add(db, &g), OK);
}

static struct rig *member(const char *uri)
{
	struct rig *r = known_card();

	ck_assert_uint_eq(install(r, issue(uri, NOW)), 0x9000);
	ck_assert_int_eq(db_member_set(db, GROUP, uri, true), OK);
	objects = BUF_OF(object_memory);
	ck_assert_int_eq(group_record(db, GROUP, uri, 1, &objects), OK);
	ck_assert_uint_eq(install(r, buf_bytes(&objects)), 0x9000);
	return r;
}

/* What each member is sent, as long as the test runs. */
static struct {
	char user[64];
	uint8_t octets[MIKEY_MESSAGE_MAX];
	size_t n;
} sent[MESSAGES_MAX];
static size_t sent_count;

static enum status keep(void *context, const char *user, const char *iccid, struct bytes m)
{
	(void)context;
	(void)iccid;
	ck_assert_uint_lt(sent_count, MESSAGES_MAX);
	(void)snprintf(sent[sent_count].user, sizeof sent[0].user, "%s", user);
	memcpy(sent[sent_count].octets, m.p, m.n);
	sent[sent_count++].n = m.n;
	return OK;
}

static uint32_t new_key(uint64_t now, uint64_t from, uint64_t to)
{
	uint32_t id;

	ck_assert_int_eq(group_rekey(db, GROUP, now, from, to, keep, NULL, &id), OK);
	return id;
}

/* The last message to this user. */
static struct bytes to(const char *user)
{
	for (size_t i = sent_count; i-- > 0;)
		if (strcmp(sent[i].user, user) == 0)
			return (struct bytes){ sent[i].octets, sent[i].n };
	ck_abort_msg("nothing for %s", user);
}

/* ---- calls ---------------------------------------------------------------------------------------------------------- */

struct call {
	uint8_t offer[MIKEY_MESSAGE_MAX], id[PROSE_SESSION_ID_LEN];
	size_t n;
	uint32_t gmk_id;
	bool old_key; /* the answer to JOIN says so */
};

static unsigned start(struct rig *r, uint64_t now, const uint8_t *refresh, struct call *c)
{
	uint8_t raw[256];
	struct buf b = BUF_OF(raw);
	struct bytes v;
	unsigned sw;

	tlv_put_uint(&b, TAG_TIME, 8, now);
	tlv_put(&b, TAG_GROUP_URI, BYTES_STR(GROUP));
	if (refresh != NULL)
		tlv_put(&b, TAG_SESSION_ID, (struct bytes){ refresh, PROSE_SESSION_ID_LEN });
	if ((sw = rig_prose(r, INS_PROSE_START_SESSION, 0, buf_bytes(&b))) != 0x9000)
		return sw;
	ck_assert_int_eq(tlv_find(rig_data(), TAG_MESSAGE, &v), OK);
	memcpy(c->offer, v.p, c->n = v.n);
	ck_assert_int_eq(tlv_find(rig_data(), TAG_SESSION_ID, &v), OK);
	memcpy(c->id, v.p, sizeof c->id);
	ck_assert_int_eq(tlv_find(rig_data(), TAG_GMK_ID, &v), OK);
	c->gmk_id = (uint32_t)bytes_uint(v);
	return sw;
}

static unsigned join(struct rig *r, uint64_t now, struct call *c)
{
	unsigned sw = rig_prose(r, INS_PROSE_JOIN_SESSION, 0, with_time(now, TAG_MESSAGE, (struct bytes){ c->offer, c->n }));
	struct bytes v;

	ck_assert(sw == 0x9000 || rig_data().n == 0);
	if (sw != 0x9000)
		return sw;
	ck_assert_int_eq(tlv_find(rig_data(), TAG_SESSION_ID, &v), OK);
	memcpy(c->id, v.p, sizeof c->id);
	c->old_key = tlv_find(rig_data(), TAG_OLD_KEY, &v) == OK;
	return sw;
}

static unsigned with_session(struct rig *r, uint8_t ins, const struct call *c, struct bytes packet)
{
	uint8_t raw[300];
	struct buf b = BUF_OF(raw);

	tlv_put(&b, TAG_SESSION_ID, BYTES_OF(c->id));
	if (packet.n > 0)
		tlv_put(&b, TAG_PACKET, packet);
	return rig_prose(r, ins, 0, buf_bytes(&b));
}

static const uint8_t rtp[40] = { 0x80, 8 };
#define NOTHING ((struct bytes){ 0 })

/* The card sees this time, in a command that it takes: what it refuses moves no clock. */
static void see(struct rig *r, uint64_t now)
{
	ck_assert_uint_eq(rig_prose(r, INS_PROSE_START_SESSION, 0, with_time(now, TAG_GROUP_URI, BYTES_STR(GROUP))), 0x9000);
}

/* ---- who is excluded calls ------------------------------------------------------------------------------------------ */

START_TEST(the_excluded_radio_is_heard_by_nobody)
{
	static const unsigned policy[] = { SIGNED, LISTEN, 0, GROUP_POLICY_SHARED };
	static struct call c;
	struct rig *alice, *bob, *erin;
	uint32_t id;

	make_group(policy[_i]);
	alice = member(ALICE);
	bob = member(BOB);
	erin = member(ERIN);
	(void)new_key(NOW, NOW, NOW + DAY);
	ck_assert_uint_eq(import(alice, NOW, to(ALICE)), 0x9000);
	ck_assert_uint_eq(import(bob, NOW, to(BOB)), 0x9000);
	ck_assert_uint_eq(import(erin, NOW, to(ERIN)), 0x9000);
	ck_assert_int_eq(group_exclude(db, GROUP, ERIN, false), OK);
	id = new_key(NOW, NOW + 100, NOW + DAY);
	ck_assert_uint_eq(import(alice, NOW, to(ALICE)), 0x9000); /* Bob is in a tunnel */

	/* Until the new key is active she is a member. */
	ck_assert_uint_eq(start(erin, NOW + 99, NULL, &c), 0x9000);
	ck_assert_uint_eq(join(alice, NOW + 99, &c), 0x9000);
	ck_assert(!c.old_key);
	ck_assert_uint_eq(start(erin, NOW + 100, NULL, &c), 0x9000);
	ck_assert_uint_eq(join(alice, NOW + 100, &c), SW_PROSE_OLD_KEY);
	ck_assert_uint_eq(join(alice, NOW + 100, &c), SW_PROSE_OLD_KEY); /* nor the second time */
	/* An honest one who has no new key: where the group listens, marked. */
	ck_assert_uint_eq(start(bob, NOW + 100, NULL, &c), 0x9000);
	ck_assert_uint_ne(c.gmk_id, id);
	ck_assert_uint_eq(join(alice, NOW + 100, &c), policy[_i] == LISTEN ? 0x9000 : SW_PROSE_OLD_KEY);
	ck_assert(policy[_i] != LISTEN || c.old_key);
	if (policy[_i] == LISTEN) {
		ck_assert_uint_eq(with_session(alice, INS_PROSE_RELEASE_KEY, &c, NOTHING), 0x9000);
		ck_assert_uint_eq(join(alice, NOW + 101, &c), 0x9000); /* the same offer again, marked again */
		ck_assert(c.old_key);
		ck_assert_uint_eq(start(bob, NOW + DAY - 1, NULL, &c), 0x9000);
		ck_assert_uint_eq(join(alice, NOW + DAY, &c), SW_PROSE_EXPIRED);
	}
	/* Nobody who knows of it talks under the old key; Bob cannot hear them, and hears why. */
	ck_assert_uint_eq(start(alice, NOW + 102, NULL, &c), 0x9000);
	ck_assert_uint_eq(c.gmk_id, id);
	ck_assert_uint_eq(join(bob, NOW + 102, &c), SW_PROSE_NO_KEY);
	rig_free(&alice);
	rig_free(&bob);
	rig_free(&erin);
}
END_TEST

/* Her offer is of the next key period, in which she has another UID. */
START_TEST(an_exclusion_holds_in_the_next_period)
{
	static struct call c;
	struct rig *alice, *erin;

	make_group(LISTEN);
	alice = member(ALICE);
	erin = member(ERIN);
	(void)new_key(NOW, NOW, NOW + 3 * MONTH);
	ck_assert_uint_eq(import(alice, NOW, to(ALICE)), 0x9000);
	ck_assert_uint_eq(import(erin, NOW, to(ERIN)), 0x9000);
	ck_assert_uint_eq(install(erin, issue(ERIN, NOW + MONTH)), 0x9000);
	ck_assert_int_eq(group_exclude(db, GROUP, ERIN, false), OK);
	(void)new_key(NOW, NOW, NOW + 3 * MONTH);
	ck_assert_uint_eq(import(alice, NOW, to(ALICE)), 0x9000);
	ck_assert_uint_eq(start(erin, NOW + MONTH, NULL, &c), 0x9000);
	ck_assert_uint_eq(join(alice, NOW + MONTH, &c), SW_PROSE_OLD_KEY);
	rig_free(&alice);
	rig_free(&erin);
}
END_TEST

/* A revoked radio: strict, though the group listens; and it stays so with the next keys, until a key is all that lives. */
START_TEST(a_revoked_radio_makes_a_listening_group_strict)
{
	static struct call c;
	struct rig *alice, *bob;

	make_group(LISTEN);
	alice = member(ALICE);
	bob = member(BOB);
	(void)new_key(NOW, NOW, NOW + DAY);
	ck_assert_uint_eq(import(alice, NOW, to(ALICE)), 0x9000);
	ck_assert_uint_eq(import(bob, NOW, to(BOB)), 0x9000);
	ck_assert_int_eq(group_exclude(db, GROUP, ERIN, true), OK);
	(void)new_key(NOW, NOW, NOW + DAY);
	if (_i == 1) /* Alice misses that one, too; the next says it again */
		(void)new_key(NOW, NOW, NOW + DAY);
	ck_assert_uint_eq(import(alice, NOW, to(ALICE)), 0x9000);
	ck_assert_uint_eq(start(bob, NOW, NULL, &c), 0x9000);
	ck_assert_uint_eq(join(alice, NOW, &c), SW_PROSE_OLD_KEY);
	rig_free(&alice);
	rig_free(&bob);
}
END_TEST

/* As many as a message names, and one more: then it names no end, and nobody is heard under an older key. */
START_TEST(more_excluded_than_a_message_names)
{
	static struct call c;
	struct rig *alice, *bob, *erin;
	char uri[40];

	make_group(LISTEN);
	alice = member(ALICE);
	bob = member(BOB);
	erin = member(ERIN);
	(void)new_key(NOW, NOW, NOW + DAY);
	ck_assert_uint_eq(import(alice, NOW, to(ALICE)), 0x9000);
	ck_assert_uint_eq(import(bob, NOW, to(BOB)), 0x9000);
	ck_assert_uint_eq(import(erin, NOW, to(ERIN)), 0x9000);
	ck_assert_int_eq(group_exclude(db, GROUP, ERIN, false), OK);
	for (int i = 1; i < GMK_EXCLUDED_MAX + _i; i++) {
		(void)snprintf(uri, sizeof uri, "sip:a%d@example.org", i);
		ck_assert_int_eq(group_exclude(db, GROUP, uri, false), OK);
	}
	(void)new_key(NOW, NOW, NOW + DAY);
	ck_assert_uint_eq(import(alice, NOW, to(ALICE)), 0x9000);
	ck_assert_uint_eq(start(bob, NOW, NULL, &c), 0x9000);
	ck_assert_uint_eq(join(alice, NOW, &c), _i == 0 ? 0x9000 : SW_PROSE_OLD_KEY);
	ck_assert_uint_eq(start(erin, NOW, NULL, &c), 0x9000);
	ck_assert_uint_eq(join(alice, NOW, &c), SW_PROSE_OLD_KEY);
	rig_free(&alice);
	rig_free(&bob);
	rig_free(&erin);
}
END_TEST

/* A key's message says the time under its signature: no other command has to tell the card that the key is active. */
START_TEST(a_message_makes_its_key_active)
{
	static struct call own;
	struct rig *alice;

	make_group(SIGNED);
	alice = member(ALICE);
	(void)new_key(NOW, NOW, NOW + DAY);
	ck_assert_uint_eq(import(alice, NOW, to(ALICE)), 0x9000);
	ck_assert_uint_eq(start(alice, NOW, NULL, &own), 0x9000);
	ck_assert_int_eq(group_exclude(db, GROUP, ERIN, false), OK);
	(void)new_key(NOW + 10, NOW + 20, NOW + DAY);
	ck_assert_uint_eq(import(alice, NOW + 10, to(ALICE)), 0x9000);
	ck_assert_uint_eq(with_session(alice, INS_PROSE_TALK, &own, NOTHING), 0x9000); /* not yet */
	(void)new_key(NOW + 20, NOW + 20, NOW + DAY);
	ck_assert_uint_eq(import(alice, NOW + 20, to(ALICE)), 0x9000);
	ck_assert_uint_eq(with_session(alice, INS_PROSE_TALK, &own, NOTHING), SW_PROSE_OLD_KEY);
	rig_free(&alice);
}
END_TEST

/* What was open when the new key became active: nobody talks in it, under a GSK that the excluded radio has. */
START_TEST(open_sessions_end_with_the_key)
{
	static const unsigned policy[] = { SIGNED, GROUP_POLICY_SHARED, GROUP_POLICY_SHARED | GROUP_POLICY_IN_CARD, LISTEN };
	static struct call own, hers, c;
	struct rig *alice, *erin;

	make_group(policy[_i]);
	alice = member(ALICE);
	erin = member(ERIN);
	(void)new_key(NOW, NOW, NOW + DAY);
	ck_assert_uint_eq(import(alice, NOW, to(ALICE)), 0x9000);
	ck_assert_uint_eq(import(erin, NOW, to(ERIN)), 0x9000);
	ck_assert_uint_eq(start(alice, NOW, NULL, &own), 0x9000);
	ck_assert_uint_eq(start(erin, NOW, NULL, &hers), 0x9000);
	ck_assert_uint_eq(join(alice, NOW, &hers), 0x9000);
	ck_assert_int_eq(group_exclude(db, GROUP, ERIN, false), OK);
	(void)new_key(NOW, NOW + 10, NOW + DAY);
	ck_assert_uint_eq(import(alice, NOW, to(ALICE)), 0x9000);
	see(alice, NOW + 9);
	ck_assert_uint_eq(with_session(alice, INS_PROSE_TALK, &own, NOTHING), 0x9000);
	ck_assert_uint_eq(start(alice, NOW + 9, own.id, &own), 0x9000);
	see(alice, NOW + 10);
	for (int i = 0; i < 2; i++) {
		const struct call *s = i == 0 ? &own : &hers;

		ck_assert_uint_eq(with_session(alice, INS_PROSE_TALK, s, NOTHING), SW_PROSE_OLD_KEY);
		ck_assert_uint_eq(with_session(alice, INS_PROSE_PROTECT, s, BYTES_OF(rtp)), SW_PROSE_OLD_KEY);
		ck_assert_uint_eq(with_session(alice, INS_PROSE_UNPROTECT, s, BYTES_OF(rtp)), SW_PROSE_OLD_KEY);
		ck_assert_uint_eq(with_session(alice, INS_PROSE_RELEASE_KEY, s, NOTHING),
		        (policy[_i] & GROUP_POLICY_IN_CARD) != 0 ? SW_PROSE_POLICY : SW_PROSE_OLD_KEY);
	}
	ck_assert_uint_eq(start(alice, NOW + 10, own.id, &c), SW_PROSE_OLD_KEY); /* the same GSK under the new key */
	ck_assert_uint_eq(join(alice, NOW + 10, &hers), SW_PROSE_OLD_KEY);       /* known, and open */
	ck_assert_uint_eq(start(alice, NOW + 10, NULL, &c), 0x9000);
	rig_free(&alice);
	rig_free(&erin);
}
END_TEST

static unsigned open_direct(struct rig *r, uint64_t now, struct call *c)
{
	unsigned sw = rig_prose(r, INS_PROSE_OPEN_DIRECT, 0, with_time(now, TAG_GROUP_URI, BYTES_STR(GROUP)));
	struct bytes v;

	if (sw != 0x9000)
		return sw;
	ck_assert_int_eq(tlv_find(rig_data(), TAG_SESSION_ID, &v), OK);
	memcpy(c->id, v.p, sizeof c->id);
	ck_assert_int_eq(tlv_find(rig_data(), TAG_GMK_ID, &v), OK);
	c->gmk_id = (uint32_t)bytes_uint(v);
	return sw;
}

START_TEST(direct_groups_end_with_the_key)
{
	const unsigned policy = GROUP_POLICY_DIRECT | (_i == 1 ? GROUP_POLICY_EXPORT : 0);
	static struct call old, new;
	struct rig *alice;
	uint32_t id;

	make_group(policy);
	alice = member(ALICE);
	(void)new_key(NOW, NOW, NOW + DAY);
	ck_assert_uint_eq(import(alice, NOW, to(ALICE)), 0x9000);
	ck_assert_uint_eq(open_direct(alice, NOW, &old), 0x9000);
	ck_assert_uint_eq(with_session(alice, INS_PROSE_TALK, &old, NOTHING), 0x9000);
	ck_assert_int_eq(group_exclude(db, GROUP, ERIN, false), OK);
	id = new_key(NOW, NOW, NOW + 10); /* it is over first: nobody goes back to the old one */
	ck_assert_uint_eq(import(alice, NOW, to(ALICE)), 0x9000);
	ck_assert_uint_eq(with_session(alice, INS_PROSE_PROTECT, &old, BYTES_OF(rtp)), SW_PROSE_OLD_KEY);
	ck_assert_uint_eq(with_session(alice, INS_PROSE_UNPROTECT, &old, BYTES_OF(rtp)), SW_PROSE_OLD_KEY);
	ck_assert_uint_eq(
	        with_session(alice, INS_PROSE_RELEASE_KEY, &old, NOTHING), _i == 1 ? SW_PROSE_OLD_KEY : SW_PROSE_POLICY);
	ck_assert_uint_eq(open_direct(alice, NOW, &new), 0x9000);
	ck_assert_uint_eq(new.gmk_id, id);
	ck_assert_uint_eq(open_direct(alice, NOW + 10, &new), SW_PROSE_EXPIRED);
	rig_free(&alice);
}
END_TEST

/* ---- order ---------------------------------------------------------------------------------------------------------- */

/* A message of the manager's that the operator would not make. */
struct craft {
	uint32_t id;
	uint64_t now, from, to;
	bool revoked;
	struct gmk_order order;
};

static struct bytes craft(const struct craft *c)
{
	static const uint8_t rand[MIKEY_RAND_MIN] = { 7 };
	static uint8_t raw[MIKEY_MESSAGE_MAX];
	struct buf b = BUF_OF(raw);
	KMS kms = { 0 };
	__attribute__((cleanup(kms_signer_wipe))) struct kms_signer signer = { 0 };
	struct gmk_message m = { .signer_uri = BYTES_STR(MANAGER),
		.member_uri = BYTES_STR(ALICE),
		.gmk = { .len = GMK_LEN, .data = { 1, 2, (uint8_t)c->id } },
		.gmk_id = c->id,
		.rand = BYTES_OF(rand),
		.now = c->now,
		.parameters = { .activation = c->from, .expiry = c->to, .revoked = c->revoked, .group = BYTES_STR(GROUP) },
		.order = c->order };

	ck_assert_int_eq(kms_load(db, &kms), OK);
	ck_assert_int_eq(kms_signer_new(&kms, MANAGER, c->now, &signer), OK);
	m.kms = &kms.identity;
	m.z = kms.public_key;
	m.ssk = &signer.ssk;
	m.pvt = signer.pvt;
	m.hs = signer.hs;
	ck_assert_int_eq(gmk_message_build(&rng_system, &m, &b), OK);
	return buf_bytes(&b);
}

static unsigned import_key(struct rig *r, uint32_t id, uint64_t number, uint64_t floor)
{
	const struct craft c = {
		.id = id, .now = NOW, .from = NOW, .to = NOW + DAY, .order = { .number = number, .floor = floor, .at = NOW }
	};

	return import(r, NOW, craft(&c));
}

static struct rig *alone(void)
{
	make_group(SIGNED);
	return member(ALICE);
}

static uint32_t current(struct rig *r, uint64_t now)
{
	static struct call c;

	ck_assert_uint_eq(start(r, now, NULL, &c), 0x9000);
	return c.gmk_id;
}

/* Two live keys come in either order, each once, and the greater number is the current one; T has no say in it. */
START_TEST(numbers_order_keys_and_clocks_do_not)
{
	const struct craft first = { 1, NOW + 50, NOW, NOW + DAY, false, { .number = 1, .at = NOW } };
	const struct craft second = { 2, NOW - 7200, NOW - 7200, NOW + DAY, false, { .number = 2, .at = NOW } };
	struct rig *r = alone();

	ck_assert_uint_eq(import(r, NOW, craft(_i == 0 ? &first : &second)), 0x9000);
	ck_assert_uint_eq(import(r, NOW, craft(_i == 0 ? &second : &first)), 0x9000);
	ck_assert_uint_eq(current(r, NOW), 2);
	ck_assert_uint_eq(import(r, NOW, craft(&first)), SW_PROSE_REPLAY);
	ck_assert_uint_eq(import(r, NOW, craft(&second)), SW_PROSE_REPLAY);
	ck_assert_uint_eq(import_key(r, 3, 2, 0), 0x9000); /* another maker's second: all agree by the GMK-ID */
	ck_assert_uint_eq(current(r, NOW), 3);
	rig_free(&r);
}
END_TEST

/* `rekey; remove; rekey` within one second, and two hours back: the newest is current, every time. */
START_TEST(the_newest_key_is_current_whatever_the_clock_says)
{
	struct rig *r = alone();

	for (int i = 0; i < 20; i++) {
		const uint64_t at = i == 19 ? NOW - 7200 : NOW;
		uint32_t id;

		sent_count = 0;
		(void)new_key(at, at, at + DAY);
		ck_assert_uint_eq(import(r, NOW, to(ALICE)), 0x9000);
		ck_assert_int_eq(group_exclude(db, GROUP, ERIN, false), OK);
		id = new_key(at, at, at + DAY);
		ck_assert_uint_eq(import(r, NOW, to(ALICE)), 0x9000);
		ck_assert_uint_eq(current(r, NOW), id);
	}
	rig_free(&r);
}
END_TEST

/* Any number of messages later the first does not come back; a key for which there would be no room is refused, not taken. */
START_TEST(what_was_dropped_stays_away)
{
	const struct craft revocation = { 17, NOW, NOW, NOW + DAY, true, { .number = 190, .at = NOW } };
	struct rig *r = alone();
	struct store_mem before;

	for (uint32_t n = 1; n <= 18; n++)
		ck_assert_uint_eq(import_key(r, n, 10 * n, 0), 0x9000);
	store_mem_copy(&before, &r->store);
	for (uint32_t n = 1; n <= 18; n++)
		ck_assert_uint_eq(import_key(r, n, 10 * n, 0), SW_PROSE_REPLAY);
	ck_assert_uint_eq(import_key(r, 99, 139, 0), SW_PROSE_REPLAY);  /* below what was dropped last */
	ck_assert_uint_eq(import_key(r, 100, 149, 0), SW_PROSE_REPLAY); /* below all that are there */
	ck_assert(store_mem_equal(&before, &r->store));
	rig_reboot(r);
	ck_assert_uint_eq(import_key(r, 1, 10, 0), SW_PROSE_REPLAY);
	ck_assert_uint_eq(import_key(r, 101, 151, 0), 0x9000); /* it takes the place of the lowest */
	ck_assert_uint_eq(import_key(r, 15, 150, 0), SW_PROSE_REPLAY);
	ck_assert_uint_eq(import(r, NOW, craft(&revocation)), 0x9000); /* now there is room */
	ck_assert_uint_eq(import_key(r, 14, 140, 0), SW_PROSE_REPLAY);
	ck_assert_uint_eq(import_key(r, 15, 150, 0), SW_PROSE_REPLAY);
	store_mem_free(&before);
	rig_free(&r);
}
END_TEST

/* What an exclusion has put an end to does not come after it; before it is active, it does. */
START_TEST(an_excluded_key_does_not_come_late)
{
	const struct craft second = { 2, NOW, NOW + (_i == 0 ? 0 : 100), NOW + DAY, false,
		{ .number = 2, .floor = 1, .at = NOW } };
	struct rig *r = alone();

	ck_assert_uint_eq(import(r, NOW, craft(&second)), 0x9000);
	ck_assert_uint_eq(import_key(r, 1, 1, 0), _i == 0 ? SW_PROSE_REPLAY : 0x9000);
	if (_i == 1)
		ck_assert_uint_eq(current(r, NOW + 99), 1);
	ck_assert_uint_eq(current(r, NOW + 100), 2);
	rig_free(&r);
}
END_TEST

/* A GMK-ID with the status revoked ends a key whatever its number says; the other status does not. */
START_TEST(a_revoked_identifier_ends_a_key)
{
	struct craft second = { 2, NOW, NOW, NOW + DAY, false, { .number = 9, .floor = 1, .at = NOW } };
	struct rig *r = alone();

	if (_i == 0)
		order_revoke(&second.order, 7);
	ck_assert_uint_eq(import(r, NOW, craft(&second)), 0x9000);
	ck_assert_uint_eq(import_key(r, 7, 5, 0), _i == 0 ? SW_PROSE_REPLAY : 0x9000);
	rig_free(&r);
}
END_TEST

/* The revocation comes before what it revokes, as often as there are marks and more. */
START_TEST(a_revocation_that_comes_first_leaves_a_mark)
{
	struct rig *r = alone();

	ck_assert_uint_eq(import_key(r, 50, 500, 0), 0x9000);
	for (uint32_t n = 1; n <= 12; n++) {
		const struct craft c = { n, NOW, NOW, NOW + DAY, true, { .number = 100 + n, .at = NOW } };

		ck_assert_uint_eq(import(r, NOW, craft(&c)), 0x9000);
		rig_reboot(r);
	}
	for (uint32_t n = 1; n <= 12; n++)
		ck_assert_uint_eq(import_key(r, n, n, 0), SW_PROSE_REPLAY);
	ck_assert_uint_eq(import_key(r, 12, 600, 0), SW_PROSE_REPLAY); /* nor with another number */
	ck_assert_uint_eq(import_key(r, 51, 501, 0), 0x9000);
	ck_assert_uint_eq(import_key(r, 60, 104, 0), SW_PROSE_REPLAY); /* a mark that made room has raised the floor */
	ck_assert_uint_eq(import_key(r, 61, 105, 0), 0x9000);
	ck_assert_uint_eq(current(r, NOW), 51);
	rig_free(&r);
}
END_TEST

/* A revoked key goes, and what it had put an end to goes with it. */
START_TEST(a_revoked_key_does_not_bring_the_excluded_back)
{
	static struct call c;
	const struct craft revocation = { 2, NOW, NOW, NOW + DAY, true, { .number = 3, .at = NOW } };
	struct rig *r = alone();

	ck_assert_uint_eq(import_key(r, 1, 1, 0), 0x9000);
	ck_assert_uint_eq(import_key(r, 2, 2, 1), 0x9000);
	ck_assert_uint_eq(import(r, NOW, craft(&revocation)), 0x9000);
	ck_assert_uint_eq(start(r, NOW, NULL, &c), SW_PROSE_NO_KEY);
	ck_assert_uint_eq(import_key(r, 1, 1, 0), SW_PROSE_REPLAY);
	ck_assert_uint_eq(import_key(r, 2, 2, 1), SW_PROSE_REPLAY);
	rig_free(&r);
}
END_TEST

/* Messages that say no number: by T among themselves, and not at all once the signer has said one. */
START_TEST(messages_without_a_number)
{
	struct craft old = { 1, NOW - 100, NOW - 100, NOW + DAY, false, { 0 } };
	struct craft later = { 2, NOW, NOW, NOW + DAY, false, { 0 } };
	struct rig *r = alone();

	ck_assert_uint_eq(import(r, NOW, craft(_i == 0 ? &old : &later)), 0x9000);
	ck_assert_uint_eq(import(r, NOW, craft(_i == 0 ? &later : &old)), 0x9000);
	ck_assert_uint_eq(import(r, NOW, craft(&old)), SW_PROSE_REPLAY);
	ck_assert_uint_eq(current(r, NOW), 2);
	ck_assert_uint_eq(import_key(r, 3, 1, 0), 0x9000); /* any number is newer than any T */
	ck_assert_uint_eq(current(r, NOW), 3);
	later.id = 4;
	later.now = NOW + 50;
	ck_assert_uint_eq(import(r, NOW, craft(&later)), SW_PROSE_REPLAY);
	rig_free(&r);
}
END_TEST

/* A record as programs before this one wrote it, on a card that has no floor yet. */
static void as_it_was(struct rig *r)
{
	enum { LEN = 8 + 8 + 8 + 4 + GMK_LEN + 1 + 1 + MIKEY_RAND_MIN };
	struct store_mem *m = &r->store;
	size_t n = 0, keys = 0;

	for (size_t i = 0; i < m->count; i++) {
		const struct bytes name = { m->row[i].name.text, m->row[i].name.n };

		if (memmem(name.p, name.n, "gmk/", 4) != NULL) {
			ck_assert_uint_eq(m->row[i].n, LEN);
			keys++;
		}
		if (memmem(name.p, name.n, "fl/", 3) != NULL)
			free(m->row[i].value);
		else
			m->row[n++] = m->row[i];
	}
	ck_assert_uint_eq(m->count, n + 1);
	ck_assert_uint_eq(keys, 2);
	m->count = n;
	rig_reboot(r);
}

START_TEST(keys_of_older_images)
{
	struct craft old = { 1, NOW - 100, NOW - 100, NOW + DAY, false, { 0 } };
	struct craft later = { 2, NOW, NOW, NOW + DAY, false, { 0 } };
	static struct call c;
	struct rig *r = alone();

	ck_assert_uint_eq(import(r, NOW, craft(&later)), 0x9000);
	ck_assert_uint_eq(import(r, NOW, craft(&old)), 0x9000);
	as_it_was(r);
	ck_assert_uint_eq(current(r, NOW), 2);
	ck_assert_uint_eq(import(r, NOW, craft(&old)), SW_PROSE_REPLAY);
	ck_assert_uint_eq(import(r, NOW, craft(&later)), SW_PROSE_REPLAY);
	ck_assert_uint_eq(import_key(r, 3, 2, 1), 0x9000);
	ck_assert_uint_eq(current(r, NOW), 3);
	ck_assert_uint_eq(start(r, NOW + DAY, NULL, &c), SW_PROSE_EXPIRED);
	rig_free(&r);
}
END_TEST

START_TEST(orders_that_are_none)
{
	static const struct gmk_order none[] = { { .number = 5, .floor = 5 }, { .number = ORDER_NUMBER_END },
		{ .number = UINT64_MAX, .floor = 1 } };
	struct rig *r = alone();
	struct store_mem before;

	store_mem_copy(&before, &r->store);
	for (size_t i = 0; i < sizeof none / sizeof *none; i++)
		ck_assert_uint_eq(import_key(r, 1, none[i].number, none[i].floor), 0x6A80);
	ck_assert(store_mem_equal_but(&before, &r->store, "time"));
	ck_assert_uint_eq(import_key(r, 1, ORDER_NUMBER_END - 1, ORDER_NUMBER_END - 2), 0x9000);
	store_mem_free(&before);
	rig_free(&r);
}
END_TEST

/* What prose-net says is what another implementation reads, from the text of docs/prose-applet.md alone (tests/model). */
START_TEST(another_implementation_reads_the_order)
{
	static const char message[] = "build/test-order.mikey";
	char command[400], hex_text[2 * GMK_LEN + 1], line[200] = "", expected[200];
	SECRET gmk = { 0 };
	struct db_gmk key;
	struct rig *r;
	uint32_t old;
	FILE *f;

	make_group(SIGNED);
	r = member(ALICE);
	old = new_key(NOW, NOW, NOW + DAY);
	ck_assert_int_eq(group_exclude(db, GROUP, ERIN, _i == 1), OK);
	ck_assert_int_eq(group_exclude(db, GROUP, "sip:frank@example.org", false), OK);
	(void)new_key(NOW + 1, NOW, NOW + DAY);
	ck_assert_int_eq(db_gmk_latest(db, GROUP, NOW, &key, &gmk), OK);
	ck_assert_ptr_nonnull(f = fopen(message, "wbe"));
	ck_assert_uint_eq(fwrite(to(ALICE).p, 1, to(ALICE).n, f), to(ALICE).n);
	ck_assert_int_eq(fclose(f), 0);
	for (int i = 0; i < 2; i++) {
		(void)snprintf(command, sizeof command, "python3 tests/model/order.py %s %s kms.example.org 2592000 0 <%s",
		        hex_encode(secret_bytes(&gmk), hex_text), i == 0 ? ERIN : BOB, message);
		(void)snprintf(expected, sizeof expected,
		        "number 131072 floor 131071 at %d strict %d revoked %08lx excluded 2 that one %s\n", NOW + 1, _i,
		        (unsigned long)old, i == 0 ? "yes" : "no");
		ck_assert_ptr_nonnull(f = popen(command, "r")); // NOLINT(cert-env33-c): a test's own words
		ck_assert_ptr_nonnull(fgets(line, sizeof line, f));
		ck_assert_int_eq(pclose(f), 0);
		ck_assert_str_eq(line, expected);
	}
	(void)remove(message);
	rig_free(&r);
}
END_TEST

/* A database that was once a year ahead issues nothing by a clock that is right, until somebody has decided. */
START_TEST(a_clock_behind_what_was_issued)
{
	char sentence[DB_SENTENCE_MAX];
	uint64_t last;

	ck_assert_int_eq(db_clock_issue(db, NOW), OK);
	ck_assert_int_eq(db_clock_issue(db, NOW + 365 * DAY), OK);
	ck_assert_int_eq(db_clock_issue(db, NOW + 365 * DAY - CLOCK_TOLERANCE), OK);
	ck_assert_int_eq(db_clock_issue(db, NOW + 365 * DAY - CLOCK_TOLERANCE - 1), ERR_DENIED);
	ck_assert_int_eq(db_clock_issue(db, NOW), ERR_DENIED);
	ck_assert_int_eq(db_clock_last(db, &last), OK);
	ck_assert_uint_eq(last, NOW + 365 * DAY);
	db_clock_sentence(db, NOW, sentence);
	ck_assert_ptr_nonnull(
	        strstr(sentence, "this clock says 2027-01-15T08:00:00Z, and keys were issued at 2028-01-15T08:00:00Z"));
	ck_assert_int_eq(db_clock_set(db, NOW), OK);
	ck_assert_int_eq(db_clock_issue(db, NOW), OK);
	/* Kept to within a step, and never moved back by the tolerance. */
	ck_assert_int_eq(db_clock_issue(db, NOW + CLOCK_STEP - 1), OK);
	ck_assert_int_eq(db_clock_issue(db, NOW - CLOCK_TOLERANCE), OK);
	ck_assert_int_eq(db_clock_last(db, &last), OK);
	ck_assert_uint_eq(last, NOW);
	ck_assert_int_eq(db_clock_issue(db, NOW + CLOCK_STEP), OK);
	ck_assert_int_eq(db_clock_last(db, &last), OK);
	ck_assert_uint_eq(last, NOW + CLOCK_STEP);
}
END_TEST

/* A card gets what waits for it in the order in which it was made, whatever the clock said meanwhile: what is sealed under new
 * transport keys would be refused before them, and what is under the old ones behind them. */
START_TEST(what_waits_for_a_card_comes_in_its_order)
{
	static const struct {
		enum db_item_kind kind;
		uint64_t at;
	} items[] = { { ITEM_MIKEY, NOW }, { ITEM_SEALED, NOW }, { ITEM_TRANSPORT, NOW }, { ITEM_SEALED, NOW - 3600 },
		{ ITEM_SEALED, NOW + 1 }, { ITEM_MIKEY, NOW + 100 } };
	struct rig *r = known_card();

	for (uint8_t i = 0; i < sizeof items / sizeof *items; i++) {
		struct db_item item = { .kind = items[i].kind, .at = items[i].at, .iccid = ICCID_1 };

		ck_assert_int_eq(db_outbox_add(db, &item, (struct bytes){ &i, 1 }), OK);
	}
	for (uint8_t i = 0; i < sizeof items / sizeof *items; i++) {
		uint8_t raw[4];
		struct buf b = BUF_OF(raw);
		struct db_item item;

		ck_assert_int_eq(db_outbox_next(db, NOW, ICCID_1, &item, &b), OK);
		ck_assert_uint_eq(raw[0], i);
		ck_assert_int_eq(db_outbox_confirm(db, NOW, ICCID_1, item.id, 0), OK);
	}
	rig_free(&r);
}
END_TEST

/* A key set for which there is no room is refused, not taken and dropped. */
START_TEST(an_old_key_set_is_not_dropped_on_arrival)
{
	struct rig *r = known_card();
	struct store_mem before;

	for (uint64_t i = 1; i <= 3; i++)
		ck_assert_uint_eq(install(r, issue(ALICE, NOW + i * MONTH)), 0x9000);
	objects = BUF_OF(object_memory);
	(void)issue(ALICE, NOW);
	{
		struct bytes certificate = buf_bytes(&objects), key_set = certificate;
		struct tlv t;

		ck_assert_int_eq(tlv_next(&key_set, &t), OK);
		ck_assert_uint_eq(install(r, (struct bytes){ certificate.p, certificate.n - key_set.n }), 0x9000);
		store_mem_copy(&before, &r->store);
		ck_assert_uint_eq(install(r, key_set), SW_PROSE_REPLAY);
	}
	ck_assert(store_mem_equal(&before, &r->store));
	ck_assert_uint_eq(install(r, issue(ALICE, NOW + 4 * (uint64_t)MONTH)), 0x9000);
	store_mem_free(&before);
	rig_free(&r);
}
END_TEST

/* ---- cards that make keys ------------------------------------------------------------------------------------------- */

static unsigned adhoc(struct rig *r, enum prose_adhoc what, const char *group, uint32_t tag, const char *uri, size_t times)
{
	uint8_t raw[PROSE_REQUEST_MAX];
	struct buf b = BUF_OF(raw);

	tlv_put_uint(&b, TAG_TIME, 8, NOW);
	tlv_put(&b, TAG_GROUP_URI, bytes_str(group));
	tlv_put_uint(&b, TAG_NOT_AFTER, 8, NOW + DAY);
	for (size_t i = 0; i < times; i++)
		tlv_put(&b, tag, bytes_str(uri));
	return rig_prose(r, INS_PROSE_ADHOC, (uint8_t)what, buf_bytes(&b));
}

static unsigned invite(struct rig *from, const char *group, const char *user)
{
	unsigned sw = adhoc(from, ADHOC_INVITE, group, TAG_USER_URI, user, 1);
	struct bytes m;

	if (sw == 0x9000 && tlv_find(rig_data(), TAG_MESSAGE, &m) == OK)
		(void)keep(NULL, user, "", m);
	return sw;
}

#define PARTY "sip:party@example.org"

/* A forgotten key does not come back, by another signer and the first one again, or because there is no room. */
START_TEST(a_forgotten_adhoc_key_does_not_come_back)
{
	struct rig *alice, *bob;

	make_group(SIGNED);
	alice = member(ALICE);
	bob = member(BOB);
	ck_assert_uint_eq(adhoc(alice, ADHOC_CREATE, PARTY, 0, "", 0), 0x9000);
	ck_assert_uint_eq(invite(alice, PARTY, BOB), 0x9000);
	ck_assert_uint_eq(adhoc(bob, ADHOC_ACCEPT, PARTY, TAG_SENDER_URI, ALICE, 1), 0x9000);
	ck_assert_uint_eq(import(bob, NOW, to(BOB)), 0x9000);
	ck_assert_uint_eq(adhoc(bob, ADHOC_ACCEPT, PARTY, TAG_SENDER_URI, ERIN, 1), 0x9000);
	ck_assert_uint_eq(adhoc(bob, ADHOC_ACCEPT, PARTY, TAG_SENDER_URI, ALICE, 1), 0x9000);
	ck_assert_uint_eq(import(bob, NOW, to(BOB)), SW_PROSE_REPLAY);
	ck_assert_uint_eq(invite(alice, PARTY, BOB), 0x9000); /* the same key, in a message of now */
	ck_assert_uint_eq(import(bob, NOW, to(BOB)), SW_PROSE_REPLAY);
	ck_assert_uint_eq(adhoc(alice, ADHOC_CREATE, PARTY, 0, "", 0), 0x9000);
	rig_reboot(alice);
	ck_assert_uint_eq(invite(alice, PARTY, BOB), 0x9000);
	ck_assert_uint_eq(import(bob, NOW, to(BOB)), 0x9000);
	rig_free(&alice);
	rig_free(&bob);
}
END_TEST

static unsigned start_in(struct rig *r, const char *group, struct call *c)
{
	unsigned sw = rig_prose(r, INS_PROSE_START_SESSION, 0, with_time(NOW, TAG_GROUP_URI, bytes_str(group)));
	struct bytes v;

	if (sw == 0x9000 && tlv_find(rig_data(), TAG_MESSAGE, &v) == OK)
		memcpy(c->offer, v.p, c->n = v.n);
	return sw;
}

/* A card excludes as the network does: of its own group, and of one that it manages for the network. */
START_TEST(cards_exclude_too)
{
	const char *group = _i == 0 ? PARTY : GROUP;
	static struct call c;
	uint8_t raw[2048];
	struct buf sealed = BUF_OF(raw);
	struct rig *alice, *bob, *erin, *maker;

	make_group(LISTEN);
	alice = member(ALICE);
	bob = member(BOB);
	erin = member(ERIN);
	maker = member("sip:chief@example.org");
	if (_i == 1) {
		ck_assert_int_eq(group_delegate(db, GROUP, "sip:chief@example.org", NOW, &sealed), OK);
		ck_assert_uint_eq(install(maker, buf_bytes(&sealed)), 0x9000);
	}
	ck_assert_uint_eq(adhoc(maker, ADHOC_CREATE, group, 0, "", 0), 0x9000);
	for (struct rig **r = (struct rig *[]){ alice, bob, erin, NULL }; *r != NULL; r++) {
		const char *user = *r == alice ? ALICE : *r == bob ? BOB : ERIN;

		ck_assert_uint_eq(adhoc(*r, ADHOC_ACCEPT, group, TAG_SENDER_URI, "sip:chief@example.org", 1),
		        _i == 0 ? 0x9000 : SW_PROSE_POLICY);
		ck_assert_uint_eq(invite(maker, group, user), 0x9000);
		ck_assert_uint_eq(import(*r, NOW, to(user)), 0x9000);
	}
	ck_assert_uint_eq(adhoc(maker, ADHOC_CREATE, group, TAG_USER_URI, ERIN, 1), 0x9000);
	ck_assert_uint_eq(invite(maker, group, ALICE), 0x9000);
	ck_assert_uint_eq(import(alice, NOW, to(ALICE)), 0x9000);
	ck_assert_uint_eq(start_in(erin, group, &c), 0x9000);
	ck_assert_uint_eq(join(alice, NOW, &c), SW_PROSE_OLD_KEY);
	ck_assert_uint_eq(join(maker, NOW, &c), SW_PROSE_OLD_KEY);
	ck_assert_uint_eq(start_in(bob, group, &c), 0x9000); /* ad-hoc groups are strict */
	ck_assert_uint_eq(join(alice, NOW, &c), _i == 0 ? SW_PROSE_OLD_KEY : 0x9000);
	/* The next key excludes nobody more: who was excluded stays so, and nobody is named any more. */
	ck_assert_uint_eq(adhoc(maker, ADHOC_CREATE, group, 0, "", 0), 0x9000);
	ck_assert_uint_eq(invite(maker, group, ALICE), 0x9000);
	ck_assert_uint_eq(import(alice, NOW, to(ALICE)), 0x9000);
	ck_assert_uint_eq(start_in(erin, group, &c), 0x9000);
	ck_assert_uint_eq(join(alice, NOW, &c), SW_PROSE_OLD_KEY);
	ck_assert_uint_eq(start_in(bob, group, &c), 0x9000);
	ck_assert_uint_eq(join(alice, NOW, &c), SW_PROSE_OLD_KEY);
	rig_free(&alice);
	rig_free(&bob);
	rig_free(&erin);
	rig_free(&maker);
}
END_TEST

/* As many as fit, and one more. */
START_TEST(a_card_excludes_many)
{
	static struct call c;
	uint8_t raw[2048];
	struct buf sealed = BUF_OF(raw);
	struct rig *alice, *bob;

	make_group(LISTEN);
	alice = member(ALICE);
	bob = member(BOB);
	ck_assert_int_eq(group_delegate(db, GROUP, ALICE, NOW, &sealed), OK);
	ck_assert_uint_eq(install(alice, buf_bytes(&sealed)), 0x9000);
	ck_assert_uint_eq(adhoc(alice, ADHOC_CREATE, GROUP, 0, "", 0), 0x9000);
	ck_assert_uint_eq(invite(alice, GROUP, BOB), 0x9000);
	ck_assert_uint_eq(import(bob, NOW, to(BOB)), 0x9000);
	ck_assert_uint_eq(adhoc(alice, ADHOC_CREATE, GROUP, TAG_USER_URI, ERIN, GMK_EXCLUDED_MAX + (size_t)_i), 0x9000);
	ck_assert_uint_eq(start(bob, NOW, NULL, &c), 0x9000);
	ck_assert_uint_eq(join(alice, NOW, &c), _i == 0 ? 0x9000 : SW_PROSE_OLD_KEY);
	ck_assert_uint_eq(adhoc(alice, ADHOC_CREATE, GROUP, TAG_USER_URI, "", 1), 0x6A80);
	rig_free(&alice);
	rig_free(&bob);
}
END_TEST

static void begin(void)
{
	sent_count = 0;
	open_operator();
}

TCase *tcase_exclusion(void)
{
	TCase *t = tcase_create("exclusion");

	tcase_add_checked_fixture(t, begin, close_operator);
	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, the_excluded_radio_is_heard_by_nobody, 0, 4);
	tcase_add_test(t, an_exclusion_holds_in_the_next_period);
	tcase_add_loop_test(t, a_revoked_radio_makes_a_listening_group_strict, 0, 2);
	tcase_add_loop_test(t, more_excluded_than_a_message_names, 0, 2);
	tcase_add_test(t, a_message_makes_its_key_active);
	tcase_add_loop_test(t, open_sessions_end_with_the_key, 0, 4);
	tcase_add_loop_test(t, direct_groups_end_with_the_key, 0, 2);
	tcase_add_loop_test(t, numbers_order_keys_and_clocks_do_not, 0, 2);
	tcase_add_test(t, the_newest_key_is_current_whatever_the_clock_says);
	tcase_add_test(t, what_was_dropped_stays_away);
	tcase_add_loop_test(t, an_excluded_key_does_not_come_late, 0, 2);
	tcase_add_loop_test(t, a_revoked_identifier_ends_a_key, 0, 2);
	tcase_add_test(t, a_revocation_that_comes_first_leaves_a_mark);
	tcase_add_test(t, a_revoked_key_does_not_bring_the_excluded_back);
	tcase_add_loop_test(t, messages_without_a_number, 0, 2);
	tcase_add_test(t, keys_of_older_images);
	tcase_add_test(t, orders_that_are_none);
	tcase_add_loop_test(t, another_implementation_reads_the_order, 0, 2);
	tcase_add_test(t, a_clock_behind_what_was_issued);
	tcase_add_test(t, what_waits_for_a_card_comes_in_its_order);
	tcase_add_test(t, an_old_key_set_is_not_dropped_on_arrival);
	tcase_add_test(t, a_forgotten_adhoc_key_does_not_come_back);
	tcase_add_loop_test(t, cards_exclude_too, 0, 2);
	tcase_add_loop_test(t, a_card_excludes_many, 0, 2);
	return t;
}
