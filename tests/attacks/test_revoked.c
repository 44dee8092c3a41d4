/* SPDX-License-Identifier: Apache-2.0 */
/* A revoked user whose key set runs on to the end of its period: cards that have the list of the revoked hear him no more, as a
 * signer of group keys, as a talker, as one to be invited; and an older list never takes the newer one's place. */
#include <stdio.h>
#include <string.h>

#include "apdu/tlv.h"
#include "protocols/mikey/message.h"
#include "provisioning/keys/kms.h"
#include "provisioning/keys/revoked.h"
#include "tests/support/operator.h"

#define MANAGER "sip:gms@example.org"
#define POLICE "kms.police.example"
#define PARTY "sip:party@example.org"

static void uid_of(const char *kms_uri, const char *user, uint64_t when, struct buf *b)
{
	uint8_t uid[MIKEY_UID_LEN];
	KMS k = { 0 };

	ck_assert_int_eq(kms_load(db, &k), OK);
	k.identity.uri = bytes_str(kms_uri);
	ck_assert_int_eq(mikey_uid(&k.identity, bytes_str(user), mikey_period_number(&k.identity, when), uid), OK);
	buf_put(b, (struct bytes){ uid, REVOKED_UID_LEN });
}

static unsigned give_list(struct rig *r, const char *kms, uint64_t number, struct bytes uids)
{
	uint8_t raw[SEALED_MAX];
	struct buf b = BUF_OF(raw);

	tlv_put(&b, REVOKED_KMS, bytes_str(kms));
	tlv_put_uint(&b, REVOKED_NUMBER, 8, number);
	tlv_put(&b, REVOKED_UIDS, uids);
	objects = BUF_OF(object_memory);
	ck_assert_int_eq(
	        operator_seal(db, ICCID_1, SEALED_REVOKED, bytes_str(kms), 0, UINT64_MAX, buf_bytes(&b), &objects), OK);
	return install(r, buf_bytes(&objects));
}

static unsigned revoke(struct rig *r, uint64_t number, const char *user)
{
	uint8_t raw[REVOKED_UID_LEN];
	struct buf uids = BUF_OF(raw);

	if (user != NULL)
		uid_of("kms.example.org", user, NOW, &uids);
	return give_list(r, "kms.example.org", number, buf_bytes(&uids));
}

static struct bytes copy(struct bytes in)
{
	static uint8_t raw[MIKEY_MESSAGE_MAX];

	memcpy(raw, in.p, in.n);
	return (struct bytes){ raw, in.n };
}

START_TEST(a_revoked_signer_is_not_heard)
{
	struct rig *r = known_card();

	provision(r);
	ck_assert_uint_eq(import(r, NOW, rekey(NOW, NOW, NOW + 1000)), 0x9000); /* another's list changes nothing */
	ck_assert_uint_eq(revoke(r, 1, BOB), 0x9000);
	ck_assert_uint_eq(import(r, NOW, rekey(NOW + 1, NOW, NOW + 1000)), 0x9000);
	ck_assert_uint_eq(revoke(r, 2, MANAGER), 0x9000);
	ck_assert_uint_eq(import(r, NOW + 2, rekey(NOW + 2, NOW, NOW + 1000)), SW_PROSE_REVOKED);
	rig_reboot(r);
	ck_assert_uint_eq(import(r, NOW + 2, rekey(NOW + 2, NOW, NOW + 1000)), SW_PROSE_REVOKED);
	ck_assert_uint_eq(revoke(r, 3, NULL), 0x9000); /* whole: who is not on it is not revoked */
	ck_assert_uint_eq(import(r, NOW + 2, rekey(NOW + 2, NOW, NOW + 1000)), 0x9000);
	rig_free(&r);
	covers("R-046");
}
END_TEST

/* The offers of a talker who has the group's key: ALICE's, joined by her own card before and after. */
START_TEST(a_revoked_talker_is_not_heard)
{
	for (int is_signed = 0; is_signed < 2; is_signed++) {
		struct rig *r = known_card();
		uint8_t raw[512];
		struct buf b = BUF_OF(raw);
		struct bytes offer;

		provision(r);
		tlv_put(&b, GROUP_URI, BYTES_STR(GROUP));
		tlv_put(&b, GROUP_SIGNER_URI, BYTES_STR(MANAGER));
		tlv_put_uint(&b, GROUP_POLICY, 1, is_signed ? GROUP_POLICY_SIGN : 0);
		objects = BUF_OF(object_memory);
		ck_assert_int_eq(
		        operator_seal(db, ICCID_1, SEALED_GROUP, BYTES_STR(GROUP), 0, UINT64_MAX, buf_bytes(&b), &objects), OK);
		ck_assert_uint_eq(install(r, buf_bytes(&objects)), 0x9000);
		ck_assert_uint_eq(import(r, NOW, rekey(NOW, NOW, NOW + 1000)), 0x9000);
		ck_assert_uint_eq(
		        rig_prose(r, INS_PROSE_START_SESSION, 0, with_time(NOW, TAG_GROUP_URI, BYTES_STR(GROUP))), 0x9000);
		ck_assert_int_eq(tlv_find(rig_data(), TAG_MESSAGE, &offer), OK);
		offer = copy(offer);
		ck_assert_uint_eq(revoke(r, 1, BOB), 0x9000);
		ck_assert_uint_eq(rig_prose(r, INS_PROSE_JOIN_SESSION, 0, with_time(NOW, TAG_MESSAGE, offer)), 0x9000);
		ck_assert_uint_eq(revoke(r, 2, ALICE), 0x9000);
		card_reset(&r->card); /* the sessions are gone */
		ck_assert_uint_eq(
		        rig_prose(r, INS_PROSE_JOIN_SESSION, 0, with_time(NOW, TAG_MESSAGE, offer)), SW_PROSE_REVOKED);
		rig_free(&r);
	}
}
END_TEST

START_TEST(a_revoked_user_is_not_invited)
{
	struct rig *r = known_card();
	uint8_t raw[300];
	struct buf b = BUF_OF(raw);

	provision(r);
	tlv_put_uint(&b, TAG_TIME, 8, NOW);
	tlv_put(&b, TAG_GROUP_URI, BYTES_STR(PARTY));
	tlv_put_uint(&b, TAG_NOT_AFTER, 8, NOW + 1000);
	ck_assert_uint_eq(rig_prose(r, INS_PROSE_ADHOC, ADHOC_CREATE, buf_bytes(&b)), 0x9000);
	b = BUF_OF(raw);
	tlv_put_uint(&b, TAG_TIME, 8, NOW);
	tlv_put(&b, TAG_GROUP_URI, BYTES_STR(PARTY));
	tlv_put(&b, TAG_USER_URI, BYTES_STR(BOB));
	ck_assert_uint_eq(rig_prose(r, INS_PROSE_ADHOC, ADHOC_INVITE, buf_bytes(&b)), 0x9000);
	ck_assert_uint_eq(revoke(r, 1, BOB), 0x9000);
	ck_assert_uint_eq(rig_prose(r, INS_PROSE_ADHOC, ADHOC_INVITE, buf_bytes(&b)), SW_PROSE_REVOKED);
	rig_free(&r);
}
END_TEST

/* A number a KMS, which only grows, through power cuts; a full list, and one entry more. */
START_TEST(numbers_only_grow)
{
	static uint8_t uids[(REVOKED_MAX + 1) * REVOKED_UID_LEN];
	struct rig *r = known_card();
	uint8_t raw[700];
	struct buf b = BUF_OF(raw), last = { uids, (REVOKED_MAX - 1) * REVOKED_UID_LEN, sizeof uids, false };
	KMS k = { 0 };

	ck_assert_uint_eq(revoke(r, 1, BOB), SW_PROSE_NOT_PROVISIONED);
	provision(r);
	ck_assert_uint_eq(give_list(r, POLICE, 1, (struct bytes){ 0 }), SW_PROSE_NOT_PROVISIONED);
	ck_assert_int_eq(kms_load(db, &k), OK);
	tlv_put(&b, KMSC_URI, BYTES_STR(POLICE));
	tlv_put(&b, KMSC_Z, (struct bytes){ k.public_key, 257 });
	tlv_put(&b, KMSC_KPAK, (struct bytes){ k.kpak, 65 });
	tlv_put_uint(&b, KMSC_PERIOD, 8, 86400);
	tlv_put_uint(&b, KMSC_OFFSET, 8, 0);
	tlv_put(&b, KMSC_DOMAIN, BYTES_STR("police.example"));
	objects = BUF_OF(object_memory);
	ck_assert_int_eq(
	        operator_seal(db, ICCID_1, SEALED_EXTERNAL_KMS, BYTES_STR(POLICE), 0, UINT64_MAX, buf_bytes(&b), &objects), OK);
	ck_assert_uint_eq(install(r, buf_bytes(&objects)), 0x9000);
	ck_assert_uint_eq(revoke(r, 7, MANAGER), 0x9000);
	ck_assert_uint_eq(give_list(r, POLICE, 3, (struct bytes){ 0 }), 0x9000); /* its own numbers */
	for (int later = 0; later < 2; later++) {
		ck_assert_uint_eq(revoke(r, 7, NULL), SW_PROSE_REPLAY);
		ck_assert_uint_eq(revoke(r, 7, MANAGER), 0x9000); /* the same list */
		ck_assert_uint_eq(revoke(r, 6, NULL), SW_PROSE_REPLAY);
		ck_assert_uint_eq(import(r, NOW, rekey(NOW, NOW, NOW + 1000)), SW_PROSE_REVOKED);
		rig_reboot(r);
	}
	ck_assert_uint_eq(rig_prose(r, INS_PROSE_LIST, PROSE_LIST_GROUPS, (struct bytes){ 0 }), 0x9000); /* PIN1 is there */
	r->store.writes = 0;
	r->store.cut_after = 0;
	ck_assert_uint_eq(revoke(r, 8, NULL), 0x6581);
	r->store.cut_after = -1;
	rig_reboot(r);
	ck_assert_uint_eq(import(r, NOW, rekey(NOW, NOW, NOW + 1000)), SW_PROSE_REVOKED);
	ck_assert_uint_eq(give_list(r, "kms.example.org", 9, BYTES_OF(uids)), 0x6A80);
	uid_of("kms.example.org", MANAGER, NOW, &last);
	ck_assert_uint_eq(give_list(r, "kms.example.org", 9, (struct bytes){ uids, REVOKED_MAX * REVOKED_UID_LEN }), 0x9000);
	ck_assert_uint_eq(import(r, NOW, rekey(NOW, NOW, NOW + 1000)), SW_PROSE_REVOKED); /* the last entry counts */
	rig_free(&r);
}
END_TEST

/* The operator's side: a number for each change, none without; the card takes what comes; full, and one more. */
START_TEST(the_operators_list)
{
	struct rig *r = known_card();
	struct revoked_summary s;
	uint8_t raw[REVOKED_LIST_MAX], sealed_raw[SEALED_OBJECT_MAX];
	struct buf list = BUF_OF(raw), sealed = BUF_OF(sealed_raw);
	char user[40];

	provision(r);
	ck_assert_int_eq(revoked_publish(db, NOW, true, &s), OK);
	ck_assert_uint_eq(s.number, 0);
	ck_assert_int_eq(revoked_seal(db, ICCID_1, &sealed), OK);
	ck_assert_uint_eq(sealed.len, 0);
	for (unsigned i = 0; i <= REVOKED_MAX; i++) {
		(void)snprintf(user, sizeof user, "sip:user%u@example.org", i);
		(void)issue(user, NOW);
		ck_assert_int_eq(db_user_revoke(db, user, NOW), OK);
		if (i == 0) {
			for (int again = 0; again < 2; again++) {
				ck_assert_int_eq(revoked_publish(db, NOW, false, &s), OK);
				ck_assert_uint_eq(s.number, 1);
				ck_assert_uint_eq(s.uids, 1);
				ck_assert_uint_eq(s.cards, again ? 0 : 1);
			}
			ck_assert_int_eq(revoked_seal(db, ICCID_1, &sealed), OK);
			ck_assert_uint_eq(install(r, buf_bytes(&sealed)), 0x9000);
		} else if (i >= REVOKED_MAX - 1) {
			list.len = 0;
			ck_assert_int_eq(revoked_refresh(db, NOW, &s, &list), i < REVOKED_MAX ? OK : ERR_NO_SPACE);
		}
	}
	ck_assert_int_eq(db_user_allow(db, user, ICCID_1, true), OK);
	list.len = 0;
	ck_assert_int_eq(revoked_refresh(db, NOW, &s, &list), OK);
	ck_assert_uint_eq(s.number, 2);
	ck_assert_uint_eq(s.uids, REVOKED_MAX);
	list.len = 0; /* periods later their key sets are over */
	ck_assert_int_eq(revoked_refresh(db, NOW + 2 * 2592000, &s, &list), OK);
	ck_assert_uint_eq(s.number, 3);
	ck_assert_uint_eq(s.uids, 0);
	rig_free(&r);
}
END_TEST

START_TEST(another_agencys_list)
{
	struct db_external_kms police = { .uri = POLICE, .domain = "police.example", .period = 86400 };
	struct revoked_summary s;
	struct rig *r = known_card();
	uint8_t raw[200];

	(void)issue(ALICE, NOW);
	for (uint64_t number = 5; number > 2; number--) {
		struct buf b = BUF_OF(raw);

		tlv_put(&b, REVOKED_KMS, BYTES_STR(POLICE));
		tlv_put_uint(&b, REVOKED_NUMBER, 8, number == 3 ? 6 : number);
		tlv_put(&b, REVOKED_UIDS, BYTES_STR("0123456789abcdef"));
		ck_assert_int_eq(revoked_import(db, NOW, (struct bytes){ raw, b.len - 1 }, &s), ERR_MALFORMED);
		if (number == 5) {
			ck_assert_int_eq(revoked_import(db, NOW, buf_bytes(&b), &s), ERR_NOT_FOUND);
			ck_assert_int_eq(db_external_kms_set(db, &police, false), OK);
		}
		ck_assert_int_eq(revoked_import(db, NOW, buf_bytes(&b), &s), number == 4 ? ERR_DENIED : OK);
		ck_assert_int_eq(revoked_import(db, NOW, buf_bytes(&b), &s), ERR_DENIED);
	}
	ck_assert_int_eq(db_card_revoke(db, ICCID_1, NOW), OK); /* a lost card's users are on ours */
	ck_assert_int_eq(revoked_publish(db, NOW, false, &s), OK);
	ck_assert_uint_eq(s.uids, 1);
	ck_assert_uint_eq(s.cards, 0);
	rig_free(&r);
}
END_TEST

TCase *tcase_revoked(void)
{
	TCase *t = tcase_create("revoked");

	tcase_set_timeout(t, 120);
	tcase_add_checked_fixture(t, open_operator, close_operator);
	tcase_add_test(t, a_revoked_signer_is_not_heard);
	tcase_add_test(t, a_revoked_talker_is_not_heard);
	tcase_add_test(t, a_revoked_user_is_not_invited);
	tcase_add_test(t, numbers_only_grow);
	tcase_add_test(t, the_operators_list);
	tcase_add_test(t, another_agencys_list);
	return t;
}
