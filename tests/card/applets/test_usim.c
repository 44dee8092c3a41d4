/* SPDX-License-Identifier: Apache-2.0 */
/* AUTHENTICATE: the USIM of a test card against vectors that the operator's side makes with the same f1..f5*. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apdu/birth.h"
#include "apdu/tlv.h"
#include "crypto/guarded/aka.h"
#include "crypto/common/hash.h"
#include "crypto/guarded/suci.h"
#include "tests/support/support.h"

#define VERIFY_PIN1 "002000010831323334FFFFFFFF"
#define SELECT_USIM "00A4040C10A0000000871002FFFFFFFF8907090000"

static struct aka_subscriber subscriber;
static const char rand_hex[] = TEST_RAND;

static struct rig *card_in_use(void)
{
	struct rig *r = rig_new();

	rig_subscriber(r, &subscriber);
	ck_assert_uint_eq(rig_send(r, SELECT_USIM), 0x9000);
	ck_assert_uint_eq(rig_send(r, VERIFY_PIN1), 0x9000);
	return r;
}

/* 16 octets of AUTN for a sequence number; star: AUTN* of GBA_U. */
static void make_autn(uint64_t value, bool star, uint8_t autn[16])
{
	uint8_t sqn[SQN_LEN], digest[SHA1_LEN];
	static const uint8_t amf[AMF_LEN] = { 0x80, 0 };
	struct aka_keys keys;

	bytes_from_uint(value, sqn, sizeof sqn);
	ck_assert_int_eq(aka_autn(&subscriber, hex(rand_hex).p, sqn, amf, &keys, autn), OK);
	ck_assert_int_eq(sha1((struct bytes[]){ { keys.ik, 16 } }, 1, digest), OK);
	for (int i = 0; star && i < MAC_LEN; i++)
		autn[8 + i] ^= digest[i];
}

static unsigned authenticate_with(struct rig *r, const uint8_t autn[16], unsigned p2)
{
	char text[128], autn_text[40];

	(void)snprintf(text, sizeof text, p2 == 0x84 ? "0088008423DD10%s10%s00" : "008800812210%s10%s00", rand_hex,
	        hex_encode((struct bytes){ autn, 16 }, autn_text));
	return rig_send(r, text);
}

static unsigned authenticate(struct rig *r, uint64_t sqn)
{
	uint8_t autn[16];

	make_autn(sqn, false, autn);
	return authenticate_with(r, autn, 0x81);
}

/* SQN_MS out of an AUTS answer, or 0 when the answer is success. */
static uint64_t sqn_of_answer(void)
{
	uint8_t sqn[SQN_LEN];

	if (rig_data().p[0] != 0xDC)
		return 0;
	ck_assert_uint_eq(rig_data().n, 16);
	ck_assert_int_eq(aka_auts_open(&subscriber, hex(rand_hex).p, rig_data().p + 2, sqn), OK);
	return bytes_uint(BYTES_OF(sqn));
}

START_TEST(the_answer_is_that_of_35208)
{
	struct rig *r = card_in_use();

	ck_assert_uint_eq(authenticate(r, 32), 0x9000);
	ck_assert(bytes_equal(rig_data(), hex("db08a54211d5e3ba50bf10b40ba9a3c58b2a05bbf0d987b21bf8cb10f769bcd75104460412"
	                                      "7672711c6d344108eae4be823af9a08b")));
	/* The published AUTN itself: its SEQ is beyond delta of a new card, so it is answered with AUTS. */
	ck_assert_uint_eq(
	        rig_send(r, "00880081221023553cbe9637a89d218ae64dae47bf351055f328b43577b9b94a9ffac354dfafb3"), 0x6110);
	rig_free(&r);
}
END_TEST

START_TEST(wrong_macs_never_give_auts_and_change_nothing)
{
	struct rig *r = card_in_use();
	struct store_mem before;
	uint8_t autn[16];

	ck_assert_uint_eq(authenticate(r, 320), 0x9000);
	store_mem_copy(&before, &r->store);
	make_autn(32, false, autn); /* too old as well */
	for (int i = 0; i < 16; i++) {
		autn[i] ^= 0x04;
		ck_assert_uint_eq(authenticate_with(r, autn, 0x81), 0x9862);
		ck_assert_uint_eq(rig_data().n, 0);
		autn[i] ^= 0x04;
	}
	ck_assert(store_mem_equal(&before, &r->store));
	store_mem_free(&before);
	rig_free(&r);
}
END_TEST

START_TEST(sequence_numbers_follow_annex_c)
{
	struct rig *r = card_in_use();
	const uint64_t delta = 1ULL << 28;

	ck_assert_uint_eq(authenticate(r, 100 << 5 | 1), 0x9000);
	ck_assert_uint_eq(sqn_of_answer(), 0);
	/* The same again is stale: AUTS with the highest SEQ and its IND. */
	ck_assert_uint_eq(authenticate(r, 100 << 5 | 1), 0x9000);
	ck_assert_uint_eq(sqn_of_answer(), 100 << 5 | 1);
	/* An older SEQ in a slot of its own is fresh: vectors may arrive out of order. */
	ck_assert_uint_eq(authenticate(r, 50 << 5 | 2), 0x9000);
	ck_assert_uint_eq(sqn_of_answer(), 0);
	ck_assert_uint_eq(authenticate(r, 50 << 5 | 2), 0x9000);
	ck_assert_uint_eq(sqn_of_answer(), 100 << 5 | 1);
	/* Delta itself is allowed, one more is not. */
	ck_assert_uint_eq(authenticate(r, (100 + delta + 1) << 5 | 3), 0x9000);
	ck_assert_uint_eq(sqn_of_answer(), 100 << 5 | 1);
	ck_assert_uint_eq(authenticate(r, (100 + delta) << 5 | 3), 0x9000);
	ck_assert_uint_eq(sqn_of_answer(), 0);
	/* A reset and a power cycle forget nothing. */
	rig_reboot(r);
	ck_assert_uint_eq(rig_send(r, SELECT_USIM), 0x9000);
	ck_assert_uint_eq(rig_send(r, VERIFY_PIN1), 0x9000);
	ck_assert_uint_eq(authenticate(r, 100 << 5 | 1), 0x9000);
	ck_assert_uint_eq(sqn_of_answer(), (100 + delta) << 5 | 3);
	rig_free(&r);
}
END_TEST

/* One write for one authentication; when it fails nothing was given out. */
START_TEST(power_cuts_never_let_a_vector_be_used_twice)
{
	struct rig *r = card_in_use();

	r->store.writes = 0;
	ck_assert_uint_eq(authenticate(r, 32), 0x9000);
	ck_assert_int_eq(r->store.writes, 1);
	r->store.cut_after = r->store.writes;
	ck_assert_uint_eq(authenticate(r, 64), 0x6581);
	ck_assert_uint_eq(rig_data().n, 0);
	rig_free(&r);
}
END_TEST

START_TEST(pin_application_and_contexts)
{
	struct rig *r = rig_new();

	ck_assert_uint_eq(rig_send(r, "008800812210"
	                              "23553cbe9637a89d218ae64dae47bf351055f328b43577b9b94a9ffac354dfafb3"),
	        0x6985);
	ck_assert_uint_eq(rig_send(r, SELECT_USIM), 0x9000);
	ck_assert_uint_eq(rig_send(r, "008800812210"
	                              "23553cbe9637a89d218ae64dae47bf351055f328b43577b9b94a9ffac354dfafb3"),
	        0x6982);
	ck_assert_uint_eq(rig_send(r, VERIFY_PIN1), 0x9000);
	ck_assert_uint_eq(rig_send(r, "00880081021000"), 0x6700);
	ck_assert_uint_eq(rig_send(r, "0088008111"
	                              "1023553cbe9637a89d218ae64dae47bf35"),
	        0x6700);
	ck_assert_uint_eq(rig_send(r, "0088008311"
	                              "1023553cbe9637a89d218ae64dae47bf35"),
	        0x6A86);
	ck_assert_uint_eq(rig_send(r, "0088018111"
	                              "1023553cbe9637a89d218ae64dae47bf35"),
	        0x6A86);
	/* The GSM context weakens AKA: off in this profile, as VGCS, MBMS and local keys are. */
	ck_assert_uint_eq(rig_send(r, "0088008011"
	                              "1023553cbe9637a89d218ae64dae47bf35"),
	        0x9864);
	ck_assert_uint_eq(rig_send(r, "00880082020102"), 0x9864);
	ck_assert_uint_eq(rig_send(r, "0089808502730000"), 0x9864);
	ck_assert_uint_eq(rig_send(r, "0089808602730000"), 0x9864);
	ck_assert_uint_eq(rig_send(r, "00890081027300"), 0x6A86);
	rig_free(&r);
}
END_TEST

static const char naf_derivation[] = "008800845EDE2A6e61662e6d6e633030312e6d63633030312e7075622e336770706e6574776f726b2e6f7267"
                                     "01000000013130303130313030303030303030303140696d732e6d6e633030312e6d63633030312e33677070"
                                     "6e6574776f726b2e6f726700";

START_TEST(gba_keeps_ks_and_the_internal_key)
{
	struct rig *r = card_in_use();
	struct bytes ext = hex("48cc107ae22d53a595f9e3f580b79da020b71e3285ac9ff04c29e087816737d6");
	struct bytes internal = hex("08874fe0be4e8536e218c74ddd18360343a3df9346f38ad5e5c5b06408e3e4e8");
	uint8_t autn[16];
	bool found = false;

	ck_assert_uint_eq(rig_send(r, naf_derivation), 0x6985); /* before any bootstrapping */
	make_autn(32, false, autn);
	ck_assert_uint_eq(authenticate_with(r, autn, 0x84), 0x9862); /* a plain AUTN is not for GBA_U */
	make_autn(32, true, autn);
	ck_assert_uint_eq(authenticate_with(r, autn, 0x81), 0x9862); /* nor AUTN* for a network */
	ck_assert_uint_eq(authenticate_with(r, autn, 0x84), 0x9000);
	ck_assert(bytes_equal(rig_data(), hex("DB08a54211d5e3ba50bf"))); /* RES and nothing else */
	ck_assert_uint_eq(authenticate_with(r, autn, 0x84), 0x9000);
	ck_assert_uint_eq(sqn_of_answer(), 32); /* one array for both contexts */
	ck_assert_uint_eq(rig_send(r, "00A4000C026FD6"), 0x9000);
	ck_assert_uint_eq(rig_send(r, "00B0000014"), 0x9000);
	ck_assert(bytes_equal(rig_data(), hex("1023553cbe9637a89d218ae64dae47bf350000FF")));
	ck_assert_uint_eq(rig_send(r, "00D600110705422D54494400"), 0x9000); /* the phone writes B-TID "B-TID" and no lifetime */
	ck_assert_uint_eq(rig_send(r, naf_derivation), 0x9000);
	ck_assert_uint_eq(rig_data().n, 34);
	ck_assert_mem_eq(rig_data().p + 2, ext.p, 32);
	for (size_t i = 0; i < r->store.count; i++) /* the record of the internal key, and no file */
		if (memmem(r->store.row[i].value, r->store.row[i].n, internal.p, 32) != NULL) {
			ck_assert_mem_eq(r->store.row[i].name.text, "a0/naf/01", 9);
			found = true;
		}
	ck_assert(found);
	ck_assert_uint_eq(rig_send(r, "00A4000C026FDA"), 0x9000);
	ck_assert_uint_eq(rig_send(r, "00B20104A0"), 0x9000);
	ck_assert_mem_eq(rig_data().p, hex("802A6e6166").p, 5);
	/* Ks survives a reset; a new run replaces it. */
	rig_reboot(r);
	ck_assert_uint_eq(rig_send(r, SELECT_USIM), 0x9000);
	ck_assert_uint_eq(rig_send(r, VERIFY_PIN1), 0x9000);
	ck_assert_uint_eq(rig_send(r, naf_derivation), 0x9000);
	ck_assert_mem_eq(rig_data().p + 2, ext.p, 32);
	rig_free(&r);
}
END_TEST

/* More NAFs than EF_GBANL has records: the one derived longest ago goes. */
START_TEST(gba_list_forgets_the_oldest)
{
	struct rig *r = card_in_use();
	uint8_t autn[16];
	char text[64];
	size_t records = 0;

	make_autn(32, true, autn);
	ck_assert_uint_eq(authenticate_with(r, autn, 0x84), 0x9000);
	for (unsigned i = 1; i <= 4; i++) {
		(void)snprintf(text, sizeof text, "008800840BDE0661010000%02X%02X02414200", 0u, i);
		ck_assert_uint_eq(rig_send(r, text), 0x9000);
		if (i == 3) /* NAF 1 again: it becomes the newest */
			ck_assert_uint_eq(rig_send(r, "008800840BDE066101000000010241420000") == 0x6700, 1);
		if (i == 3)
			ck_assert_uint_eq(rig_send(r, "008800840BDE0661010000000102414200"), 0x9000);
	}
	for (size_t i = 0; i < r->store.count; i++)
		records += r->store.row[i].name.n == 9 && memcmp(r->store.row[i].name.text, "a0/naf/", 7) == 0;
	ck_assert_uint_eq(records, 3);
	ck_assert_uint_eq(rig_send(r, "00A4000C026FDA"), 0x9000);
	ck_assert_uint_eq(rig_send(r, "00B20104A0"), 0x9000);
	ck_assert_uint_eq(rig_data().p[7], 1);
	ck_assert_uint_eq(rig_send(r, "00B20204A0"), 0x9000);
	ck_assert_uint_eq(rig_data().p[7], 4); /* NAF 2's place */
	rig_free(&r);
}
END_TEST

/* Set or clear a service of EF_UST, as an administrator would. */
static void set_service(struct rig *r, unsigned service, bool on)
{
	char command[32];
	uint8_t octet;

	ck_assert_uint_eq(rig_send(r, "00A4080C047FFF6F38"), 0x9000);
	(void)snprintf(command, sizeof command, "00B000%02X01", (service - 1) / 8);
	ck_assert_uint_eq(rig_send(r, command), 0x9000);
	octet = rig_data().p[0];
	octet = (uint8_t)(on ? octet | 1U << (service - 1) % 8 : octet & ~(1U << (service - 1) % 8));
	(void)snprintf(command, sizeof command, "00D600%02X01%02X", (service - 1) / 8, octet);
	r->card.channel[0].adm = true;
	ck_assert_uint_eq(rig_send(r, command), 0x9000);
}

/* GET IDENTITY where EF_UST asks for it: a fresh SUCI each time, which the home network opens; the scheme of the highest
 * priority. */
START_TEST(get_identity_conceals_the_imsi)
{
	static const char home_b[] = "f1ab1074477ebcc7f554ea1c5fc368b1616730155e0041ac447d6301975fecda";
	static const char home_a[] = "c53c22208b61860b06c62e5406a7b330c2b577aa5558981510d128247d38bd1d";
	struct rig *r = card_in_use();
	uint8_t first[128], raw[16];
	struct buf plain = BUF_OF(raw);
	struct bytes in;
	struct tlv t;
	size_t n;

	ck_assert_uint_eq(rig_send(r, "8078000100"), 0x6985); /* the terminal's business, says EF_UST */
	set_service(r, 124, true);
	ck_assert_uint_eq(rig_send(r, "8078000100"), 0x6985);
	set_service(r, 125, true);
	ck_assert_uint_eq(rig_send(r, "8078000000"), 0x6A86);
	ck_assert_uint_eq(rig_send(r, "8078010100"), 0x6A86);
	ck_assert_uint_eq(rig_send(r, "0078000100"), 0x6E00);
	ck_assert_uint_eq(rig_send(r, "8078000100"), 0x9000);
	in = rig_data();
	ck_assert_int_eq(tlv_next(&in, &t), OK);
	ck_assert_uint_eq(t.tag, 0xA1);
	/* IMSI type, 001-01, routing indicator 0, profile B, key 27 */
	ck_assert(bytes_equal((struct bytes){ t.value.p, 8 }, hex("0100F110F0FF021B")));
	ck_assert_int_eq(suci_reveal(SUCI_PROFILE_B, hex(home_b), (struct bytes){ t.value.p + 8, t.value.n - 8 }, &plain), OK);
	ck_assert(bytes_equal(buf_bytes(&plain), hex("0000000010")));
	memcpy(first, t.value.p, n = t.value.n);
	ck_assert_uint_eq(rig_send(r, "8078000100"), 0x9000);
	ck_assert_mem_ne(rig_data().p + 2 + 8, first + 8, n - 8);
	/* The order of priority changed: profile A, key 30; then the null scheme. */
	ck_assert_uint_eq(rig_send(r, "00A4080C067FFF5FD04F01"), 0x9000);
	r->card.channel[0].adm = true;
	ck_assert_uint_eq(rig_send(r, "00D600020401020201"), 0x9000);
	ck_assert_uint_eq(rig_send(r, "8078000100"), 0x9000);
	plain.len = 0;
	ck_assert_int_eq(
	        suci_reveal(SUCI_PROFILE_A, hex(home_a), (struct bytes){ rig_data().p + 2 + 8, rig_data().n - 2 - 8 }, &plain),
	        OK);
	ck_assert(bytes_equal(buf_bytes(&plain), hex("0000000010")));
	ck_assert_uint_eq(rig_send(r, "00D60002020000"), 0x9000);
	ck_assert_uint_eq(rig_send(r, "8078000100"), 0x9000);
	ck_assert(bytes_equal(rig_data(), hex("A10D0100F110F0FF00000000000010")));
	/* A key that is not there. */
	ck_assert_uint_eq(rig_send(r, "00D60002020109"), 0x9000);
	ck_assert_uint_eq(rig_send(r, "8078000100"), 0x6A88);
	card_reset(&r->card);
	ck_assert_uint_eq(rig_send(r, SELECT_USIM), 0x9000);
	ck_assert_uint_eq(rig_send(r, "8078000100"), 0x6982);
	rig_free(&r);
}
END_TEST

Suite *suite_usim(void)
{
	Suite *s = suite_create("usim");
	TCase *t = tcase_create("usim");

	tcase_add_test(t, the_answer_is_that_of_35208);
	tcase_add_test(t, wrong_macs_never_give_auts_and_change_nothing);
	tcase_add_test(t, sequence_numbers_follow_annex_c);
	tcase_add_test(t, power_cuts_never_let_a_vector_be_used_twice);
	tcase_add_test(t, pin_application_and_contexts);
	tcase_add_test(t, gba_keeps_ks_and_the_internal_key);
	tcase_add_test(t, gba_list_forgets_the_oldest);
	tcase_add_test(t, get_identity_conceals_the_imsi);
	suite_add_tcase(s, t);
	return s;
}
