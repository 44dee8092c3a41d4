/* SPDX-License-Identifier: Apache-2.0 */
/* What a card is sent by who means it harm: group key messages by a hostile manager, who has the group's own signing key and
 * the KMS's public one, by other users, and by other KMSs. Each has its status word, and nothing on the card changes but what
 * it knows of the time. */
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/obj_mac.h>
#include <stdio.h>
#include <string.h>

#include "crypto/guarded/eccsi.h"
#include "crypto/guarded/sakke.h"
#include "crypto/guarded/sakke_set1.h"
#include "protocols/mikey/keys/psk.h"
#include "protocols/mikey/keys/sakke_message.h"
#include "provisioning/keys/kms.h"
#include "tests/support/operator.h"

#define MANAGER "sip:gms@example.org"
enum { KEY_ID = 0x01234567, MONTH = 2592000 };

/* A message in the making. */
struct forgery {
	struct sakke_message s;
	struct key_parameters p;
	struct secret gmk;
	const char *signs_as;
	struct kms *kms, *signs_for; /* that of the signature */
	uint64_t at;
	uint32_t key_id, parameters_id_change;
	uint8_t data[SAKKE_DATA_LEN], signature[ECCSI_SIGNATURE_LEN];
	bool without_parameters;
};

typedef void change(struct forgery *);

static void weak_zero(struct forgery *f)
{
	memset(f->gmk.data, 0, GMK_LEN);
}
static void weak_repeated(struct forgery *f)
{
	memset(f->gmk.data, 0xA5, GMK_LEN);
}
static void from_the_future(struct forgery *f)
{
	f->at = NOW + 600;
}
static void of_an_old_period(struct forgery *f)
{
	f->at = NOW - 2 * MONTH;
}
static void is_over(struct forgery *f)
{
	f->p.activation = NOW - 100;
	f->p.expiry = NOW;
}
static void ends_before_it_begins(struct forgery *f)
{
	f->p.activation = NOW + 1000;
	f->p.expiry = NOW + 500;
}
static void for_no_group(struct forgery *f)
{
	f->p.group.n = 0;
}
static void for_another_group(struct forgery *f)
{
	f->p.group = BYTES_STR("sip:nobody@example.org");
}
static void for_anothers_group(struct forgery *f)
{
	f->p.group = BYTES_STR("sip:police@example.org");
}
static void of_another_purpose(struct forgery *f)
{
	f->p.key_type = 1;
}
static void id_of_another_purpose(struct forgery *f)
{
	f->key_id |= 0x10000000;
}
static void id_of_an_adhoc_key(struct forgery *f)
{
	f->key_id |= GMK_ID_ADHOC;
}
static void ids_swapped(struct forgery *f)
{
	f->parameters_id_change = 1;
}
static void no_parameters(struct forgery *f)
{
	f->without_parameters = true;
}
static void to_another(struct forgery *f)
{
	f->s.responder_uri = BYTES_STR(BOB);
}
static void to_another_kms(struct forgery *f)
{
	f->s.responder_kms_uri = BYTES_STR("kms.elsewhere.org");
}
static void by_another_kms(struct forgery *f)
{
	f->s.initiator_kms_uri = BYTES_STR("kms.elsewhere.org");
}
static void by_a_member(struct forgery *f)
{
	f->signs_as = BOB;
}
static void by_a_member_who_says_so(struct forgery *f)
{
	f->signs_as = BOB;
	f->s.initiator_uri = BYTES_STR(BOB);
}
static void by_a_rogue_kms(struct forgery *f)
{
	static struct secret ksak;
	static uint8_t kpak[ECCSI_POINT_LEN];

	ck_assert_int_eq(eccsi_kms_new(&rng_system, &ksak, kpak), OK);
	f->signs_for->ksak = ksak;
	f->signs_for->kpak = kpak;
}

static const struct {
	const char *name;
	change *before;
	unsigned sw;
} forgeries[] = {
	{ "a GMK of zeros", weak_zero, SW_PROSE_DECAPSULATION },
	{ "a GMK of one octet, repeated", weak_repeated, SW_PROSE_DECAPSULATION },
	{ "a manager whose clock is ten minutes ahead", from_the_future, SW_PROSE_TIME },
	{ "a message of a period whose keys the card does not have", of_an_old_period, SW_PROSE_NO_KEY },
	{ "a key that is over", is_over, SW_PROSE_EXPIRED },
	{ "a key that ends before it begins", ends_before_it_begins, 0x6A80 },
	{ "for no group", for_no_group, 0x6A80 },
	{ "for a group that the card does not know", for_another_group, SW_PROSE_NO_KEY },
	{ "for a group that another manages", for_anothers_group, SW_PROSE_SIGNER },
	{ "parameters of a key that is no GMK", of_another_purpose, 0x6A80 },
	{ "an identifier that is no GMK's", id_of_another_purpose, 0x6A80 },
	{ "an identifier of an ad-hoc key", id_of_an_adhoc_key, SW_PROSE_POLICY },
	{ "swapped key identifiers", ids_swapped, 0x6A80 },
	{ "no parameters", no_parameters, 0x6A80 },
	{ "to another user", to_another, SW_PROSE_RECIPIENT },
	{ "to another KMS's user", to_another_kms, SW_PROSE_RECIPIENT },
	{ "by another KMS's user", by_another_kms, SW_PROSE_SIGNER },
	{ "signed by a member in the manager's name", by_a_member, SW_PROSE_SIGNATURE },
	{ "signed by a member", by_a_member_who_says_so, SW_PROSE_SIGNER },
	{ "signed for a rogue KMS", by_a_rogue_kms, SW_PROSE_SIGNATURE },
};

static struct bytes forge(change *before, change *after)
{
	static uint8_t raw[MIKEY_MESSAGE_MAX], parameters_raw[512];
	static const uint8_t rand[16] = { 7 };
	struct buf b = BUF_OF(raw), parameters = BUF_OF(parameters_raw);
	KMS kms = { 0 };
	KMS other = { 0 };
	__attribute__((cleanup(kms_signer_wipe))) struct kms_signer signer = { 0 };
	struct forgery f = {
		.s = { .initiator_uri = BYTES_STR(MANAGER), .responder_uri = BYTES_STR(ALICE), .rand = BYTES_OF(rand) },
		.p = { .activation = NOW, .expiry = NOW + 1000, .group = BYTES_STR(GROUP) },
		.gmk = { .len = GMK_LEN, .data = { 1, 2, 3 } },
		.signs_as = MANAGER,
		.at = NOW,
		.key_id = KEY_ID
	};
	uint8_t uid[MIKEY_UID_LEN];

	ck_assert_int_eq(kms_load(db, &kms), OK);
	ck_assert_int_eq(kms_load(db, &other), OK);
	f.kms = &kms;
	f.signs_for = &other;
	f.s.initiator_kms_uri = f.s.responder_kms_uri = kms.identity.uri;
	if (before != NULL)
		before(&f);
	ck_assert_int_eq(mikey_uid(&kms.identity, f.s.responder_uri, mikey_period_number(&kms.identity, f.at), uid), OK);
	ck_assert_int_eq(sakke_encapsulate(kms.public_key, BYTES_OF(uid), &f.gmk, f.data), OK);
	ck_assert_int_eq(mikey_guk_id(secret_bytes(&f.gmk), BYTES_STR(ALICE), f.key_id, &f.s.csb_id), OK);
	ck_assert_int_eq(key_parameters_seal(&rng_system, secret_bytes(&f.gmk), f.s.csb_id ^ f.parameters_id_change, f.at, &f.p,
	                         &parameters),
	        OK);
	if (after != NULL)
		after(&f);
	f.s.ntp = mikey_ntp(f.at);
	f.s.sakke_data = BYTES_OF(f.data);
	f.s.key_parameters = f.without_parameters ? (struct bytes){ 0 } : buf_bytes(&parameters);
	sakke_message_put(&b, &f.s);
	ck_assert_int_eq(kms_signer_new(&other, f.signs_as, f.at, &signer), OK);
	ck_assert_int_eq(eccsi_sign(&rng_system, signer.hs, &signer.ssk, signer.pvt, buf_bytes(&b), f.signature), OK);
	buf_put(&b, BYTES_OF(f.signature));
	ck_assert_int_eq(buf_status(&b), OK);
	return buf_bytes(&b);
}

static void refused(struct rig *r, const struct store_mem *before, const char *name, struct bytes m, unsigned sw)
{
	unsigned is = import(r, NOW, m);

	ck_assert_msg(is == sw, "%s: %04X, expected %04X", name, is, sw);
	ck_assert_msg(rig_data().n == 0, "%s: an answer", name);
	ck_assert_msg(store_mem_equal_but(before, &r->store, "time"), "%s: the card has changed", name);
}

/* Alice's card, which knows another manager's group, too. */
static struct rig *target(struct store_mem *before)
{
	struct db_group police = { .uri = "sip:police@example.org", .manager_uri = "sip:chief@example.org" };
	struct rig *r = known_card();

	provision(r);
	ck_assert_int_eq(db_group_add(db, &police), OK);
	objects = BUF_OF(object_memory);
	ck_assert_int_eq(db_member_set(db, police.uri, ALICE, true), OK);
	ck_assert_int_eq(group_record(db, police.uri, ALICE, 1, &objects), OK);
	ck_assert_uint_eq(install(r, buf_bytes(&objects)), 0x9000);
	store_mem_copy(before, &r->store);
	return r;
}

START_TEST(hostile_group_managers)
{
	struct store_mem before;
	struct rig *r = target(&before);

	for (size_t i = 0; i < sizeof forgeries / sizeof *forgeries; i++)
		refused(r, &before, forgeries[i].name, forge(forgeries[i].before, NULL), forgeries[i].sw);
	ck_assert_uint_eq(import(r, NOW, forge(NULL, NULL)), 0x9000); /* what all of them were made of */
	store_mem_free(&before);
	rig_free(&r);
}
END_TEST

/* ---- SAKKE data ------------------------------------------------------------------------------------------------------- */

static void hint_changed(struct forgery *f)
{
	f->data[SAKKE_DATA_LEN - 1] ^= 1;
}
static void compressed(struct forgery *f)
{
	f->data[0] = 2;
}
static void infinity(struct forgery *f)
{
	memset(f->data, 0, SAKKE_POINT_LEN);
	f->data[0] = 4;
}
static void beyond_the_field(struct forgery *f)
{
	memcpy(f->data + 1, prime_p, SAKKE_FIELD_LEN); /* x = p, which is 0 */
}
static void off_the_curve(struct forgery *f)
{
	f->data[SAKKE_POINT_LEN - 1] ^= 1;
}
static void negated(struct forgery *f)
{
	BIGNUM *p = BN_bin2bn(prime_p, SAKKE_FIELD_LEN, NULL),
	       *y = BN_bin2bn(f->data + 1 + SAKKE_FIELD_LEN, SAKKE_FIELD_LEN, NULL);

	ck_assert_int_eq(BN_sub(y, p, y), 1);
	ck_assert_int_eq(BN_bn2binpad(y, f->data + 1 + SAKKE_FIELD_LEN, SAKKE_FIELD_LEN), SAKKE_FIELD_LEN);
	BN_free(p);
	BN_free(y);
}
static void to_anothers_key(struct forgery *f)
{
	ck_assert_int_eq(
	        sakke_encapsulate(f->kms->public_key, BYTES_STR("somebody else's identifier......"), &f->gmk, f->data), OK);
}

START_TEST(points_that_are_none)
{
	static const struct {
		const char *name;
		change *after;
	} points[] = { { "H changed", hint_changed }, { "a compressed point", compressed }, { "zeros", infinity },
		{ "x = p", beyond_the_field }, { "a point off the curve", off_the_curve }, { "-R", negated },
		{ "another's key", to_anothers_key } };
	struct store_mem before;
	struct rig *r = target(&before);

	for (size_t i = 0; i < sizeof points / sizeof *points; i++) /* one status word for all */
		refused(r, &before, points[i].name, forge(NULL, points[i].after), SW_PROSE_DECAPSULATION);
	store_mem_free(&before);
	rig_free(&r);
}
END_TEST

/* ---- octets ----------------------------------------------------------------------------------------------------------- */

/* s in the place of q - s: a signature as good as the one before, and the message is the same. */
static void malleate(uint8_t signature[ECCSI_SIGNATURE_LEN])
{
	EC_GROUP *g = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
	BIGNUM *s = BN_bin2bn(signature + 32, 32, NULL);

	ck_assert_int_eq(BN_sub(s, EC_GROUP_get0_order(g), s), 1);
	ck_assert_int_eq(BN_bn2binpad(s, signature + 32, 32), 32);
	BN_free(s);
	EC_GROUP_free(g);
}

START_TEST(octets_that_are_more_or_less)
{
	struct store_mem before;
	struct rig *r = target(&before);
	uint8_t raw[4200], *at;
	struct bytes m = forge(NULL, NULL);

	memcpy(raw, m.p, m.n);
	for (size_t n = 1; n < m.n; n += 11)
		refused(r, &before, "cut", exact_copy((struct bytes){ raw, n }), 0x6A80);
	raw[m.n] = 0;
	refused(r, &before, "an octet more", exact_copy((struct bytes){ raw, m.n + 1 }), 0x6A80);
	raw[2] = 99; /* next payload */
	refused(r, &before, "an unknown payload", (struct bytes){ raw, m.n }, 0x6A80);
	raw[2] = m.p[2];
	raw[1] = MIKEY_PSK_INIT;
	refused(r, &before, "an offer in the place of a key", (struct bytes){ raw, m.n }, 0x6A80);
	raw[1] = m.p[1];
	at = raw + m.n - ECCSI_SIGNATURE_LEN;
	memset(at, 0, 64);
	refused(r, &before, "r = s = 0", (struct bytes){ raw, m.n }, SW_PROSE_SIGNATURE);
	memcpy(at, m.p + m.n - ECCSI_SIGNATURE_LEN, ECCSI_SIGNATURE_LEN);
	at[64 + 64] ^= 1;
	refused(r, &before, "PVT off the curve", (struct bytes){ raw, m.n }, SW_PROSE_SIGNATURE);
	at[64 + 64] ^= 1;
	memset(raw + m.n, 0, sizeof raw - m.n);
	ck_assert_uint_eq(
	        rig_prose(r, INS_PROSE_IMPORT_GMK, 0, (struct bytes){ raw, sizeof raw }), 0x6700); /* over the limit */
	ck_assert(store_mem_equal_but(&before, &r->store, "time"));

	/* Taken once, whatever is done to its signature. */
	ck_assert_uint_eq(import(r, NOW, (struct bytes){ raw, m.n }), 0x9000);
	store_mem_free(&before);
	store_mem_copy(&before, &r->store);
	malleate(at);
	refused(r, &before, "a malleated signature", (struct bytes){ raw, m.n }, SW_PROSE_REPLAY);
	store_mem_free(&before);
	rig_free(&r);
}
END_TEST

/* ---- offers ----------------------------------------------------------------------------------------------------------- */

/* A member makes an offer: he has the GMK, and a key of his own to sign with. */
struct offer {
	const char *name, *sender, *signs_as, *guk_of;
	uint8_t gsk; /* first octet; 0: all are zero */
	bool is_signed, rogue;
	unsigned sw;
};
#define CAROL "sip:carol@example.org"

static struct bytes make_offer(const struct offer *o)
{
	static uint8_t raw[MIKEY_MESSAGE_MAX];
	static const uint8_t rand[16] = { 9 };
	struct buf b = BUF_OF(raw);
	KMS kms = { 0 };
	__attribute__((cleanup(kms_signer_wipe))) struct kms_signer signer = { 0 };
	const struct secret gmk = { .len = GMK_LEN, .data = { 1, 2, 3 } }, salt = { .len = GSK_SALT_LEN, .data = { 4 } };
	const struct secret gsk = { .len = GSK_LEN, .data = { o->gsk } };
	struct mikey_offer offer = { .profile = MIKEY_PROFILE_A,
		.ssrc = 7,
		.ntp = mikey_ntp(NOW),
		.rand = BYTES_OF(rand),
		.sender_uri = bytes_str(o->sender),
		.receiver_uri = BYTES_STR(GROUP),
		.sp = mikey_sp_aes_cm_sha1_80,
		.signed_by_sender = o->is_signed };
	uint8_t signature[ECCSI_SIGNATURE_LEN], kpak[ECCSI_POINT_LEN];

	ck_assert_int_eq(kms_load(db, &kms), OK);
	ck_assert_int_eq(mikey_guk_id(secret_bytes(&gmk), bytes_str(o->guk_of), KEY_ID, &offer.csb_id), OK);
	ck_assert_int_eq(mikey_psk_build(secret_bytes(&gmk), &offer, &gsk, &salt, &b), OK);
	if (!o->is_signed)
		return buf_bytes(&b);
	if (o->rogue) {
		ck_assert_int_eq(eccsi_kms_new(&rng_system, &kms.ksak, kpak), OK);
		kms.kpak = kpak;
	}
	mikey_put_sign_header(&b);
	ck_assert_int_eq(kms_signer_new(&kms, o->signs_as, NOW, &signer), OK);
	ck_assert_int_eq(eccsi_sign(&rng_system, signer.hs, &signer.ssk, signer.pvt, buf_bytes(&b), signature), OK);
	buf_put(&b, BYTES_OF(signature));
	ck_assert_int_eq(buf_status(&b), OK);
	return buf_bytes(&b);
}

START_TEST(hostile_members)
{
	static const struct offer offers[] = {
		{ "signed by another than who sends it", CAROL, BOB, CAROL, 1, true, false, SW_PROSE_SIGNATURE },
		{ "signed for a rogue KMS", CAROL, CAROL, CAROL, 1, true, true, SW_PROSE_SIGNATURE },
		{ "not signed", CAROL, CAROL, CAROL, 1, false, false, SW_PROSE_POLICY },
		{ "another member's identifier of the key", CAROL, CAROL, BOB, 1, true, false, SW_PROSE_NO_KEY },
		{ "a session key of zeros", CAROL, CAROL, CAROL, 0, true, false, 0x6A80 },
		{ "as it should be", CAROL, CAROL, CAROL, 1, true, false, 0x9000 },
	};
	struct store_mem before;
	struct rig *r = target(&before);
	uint8_t changed[MIKEY_MESSAGE_MAX];
	struct bytes m;
	unsigned sw;

	ck_assert_uint_eq(import(r, NOW, forge(NULL, NULL)), 0x9000);
	store_mem_free(&before);
	store_mem_copy(&before, &r->store);
	for (size_t i = 0; i < sizeof offers / sizeof *offers; i++) {
		m = make_offer(&offers[i]);
		memcpy(changed, m.p, m.n);
		changed[m.n - 100] ^= 1; /* in the signature, or in what is signed */
		sw = rig_prose(r, INS_PROSE_JOIN_SESSION, 0, with_time(NOW, TAG_MESSAGE, (struct bytes){ changed, m.n }));
		ck_assert_msg(sw != 0x9000, "%s, changed", offers[i].name);
		sw = rig_prose(r, INS_PROSE_JOIN_SESSION, 0, with_time(NOW, TAG_MESSAGE, m));
		ck_assert_msg(sw == offers[i].sw, "%s: %04X", offers[i].name, sw);
		ck_assert(sw == 0x9000 || (rig_data().n == 0 && store_mem_equal_but(&before, &r->store, "time")));
	}
	store_mem_free(&before);
	rig_free(&r);
	covers("R-153");
}
END_TEST

TCase *tcase_exclusion(void); /* test_exclusion.c */
Suite *suite_attacks(void)
{
	Suite *s = suite_create("attacks");
	TCase *t = tcase_create("attacks");

	tcase_add_checked_fixture(t, open_operator, close_operator);
	tcase_add_test(t, hostile_group_managers);
	tcase_add_test(t, points_that_are_none);
	tcase_add_test(t, octets_that_are_more_or_less);
	tcase_add_test(t, hostile_members);
	suite_add_tcase(s, t);
	suite_add_tcase(s, tcase_strangers());
	suite_add_tcase(s, tcase_keeper());
	suite_add_tcase(s, tcase_clients());
	suite_add_tcase(s, tcase_refused());
	suite_add_tcase(s, tcase_rights());
	suite_add_tcase(s, tcase_fields());
	suite_add_tcase(s, tcase_revoked());
	suite_add_tcase(s, tcase_exclusion());
	return s;
}
