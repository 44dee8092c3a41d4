/* SPDX-License-Identifier: Apache-2.0 */
/* The issuer security domain: SCP03 sessions on the card, and PUT KEY by SCP03 and by secured packet. */
#include <stdlib.h>
#include <string.h>

#include "apdu/birth.h"
#include "apdu/tlv.h"
#include "ota/gp_key.h"
#include "ota/packet.h"
#include "ota/scp03.h"
#include "ota/script.h"
#include "ota/sms.h"
#include "tests/support/scp.h"

#define SELECT_ISD "00A4040C08A000000151000000"

static struct bytes secret_of(const struct rig *r, uint32_t tag)
{
	struct bytes v;

	ck_assert_int_eq(tlv_find(r->secrets, tag, &v), OK);
	return v;
}

static struct scp03_keys static_keys(const struct rig *r)
{
	return (struct scp03_keys){ secret_of(r, BIRTH_ISD_ENC), secret_of(r, BIRTH_ISD_MAC) };
}

#define wrapped scp_wrapped
#define answer_of scp_answer
static unsigned authenticate(struct rig *r, struct scp03 *s, const struct scp03_keys *k, uint8_t level)
{
	return scp_authenticate(r, SELECT_ISD, s, k, level);
}

START_TEST(sessions_at_every_level)
{
	static const uint8_t levels[] = { 0x01, 0x03, 0x11, 0x13, 0x33 };
	struct rig *r = rig_new();
	struct scp03_keys k = static_keys(r);
	uint8_t before[8] = { 0 };

	for (size_t i = 0; i < sizeof levels; i++) {
		struct scp03 s;
		struct bytes copy, info;

		ck_assert_uint_eq(authenticate(r, &s, &k, levels[i]), 0x9000);
		ck_assert_uint_eq(rig_send_bytes(r, wrapped(&s, 0xF2, 0x40, 0x02, hex("4F00"))), 0x9000);
		info = answer_of(&s, 0x9000);
		ck_assert_uint_gt(info.n, 40);
		ck_assert_uint_eq(info.p[0], 0xE3);
		copy = exact_copy(wrapped(&s, 0xF2, 0x80, 0x02, hex("4F00")));
		ck_assert_uint_eq(rig_send_bytes(r, copy), 0x9000);
		ck_assert(bytes_equal(answer_of(&s, 0x9000), hex("E3134F08A0000001510000009F70010FC503805C00")));
		ck_assert_uint_eq(
		        rig_send_bytes(r, copy), 0x6982); /* again: the MAC chain has moved on, and the session is over */
		ck_assert_uint_eq(rig_send_bytes(r, wrapped(&s, 0xF2, 0x80, 0x02, hex("4F00"))), 0x6982);
	}
	/* In clear inside a session, without one, by another domain's key; and no challenge twice. */
	{
		struct scp03_keys wrong = { k.mac, k.enc };
		struct scp03 s;

		ck_assert_uint_eq(authenticate(r, &s, &k, 0x01), 0x9000);
		ck_assert_uint_eq(rig_send(r, "80F28002024F0000"), 0x6982);
		card_reset(&r->card);
		ck_assert_uint_eq(rig_send(r, SELECT_ISD), 0x9000);
		ck_assert_uint_eq(rig_send(r, "80F28002024F0000"), 0x6982);
		ck_assert_uint_eq(rig_send(r, "84F280020A4F00112233445566778800"), 0x6982);
		ck_assert_uint_eq(rig_send(r, "84821100101122334455667788112233445566778800"), 0x6982);
		ck_assert_uint_eq(authenticate(r, &s, &wrong, 0x01), 0);
		ck_assert_uint_eq(rig_send(r, "8050310008010203040506070800"), 0x6A88);
		ck_assert_uint_eq(rig_send(r, "805000000701020304050607"), 0x6700);
		for (int i = 0; i < 3; i++) {
			ck_assert_uint_eq(rig_send(r, "8050000008010203040506070800"), 0x9000);
			ck_assert_mem_ne(rig_data().p + 13, before, sizeof before);
			memcpy(before, rig_data().p + 13, sizeof before);
			rig_reboot(r);
			ck_assert_uint_eq(rig_send(r, SELECT_ISD), 0x9000);
		}
	}
	/* Secure messaging is the domain's: elsewhere CLA 84 is what it was. */
	ck_assert_uint_eq(rig_send(r, "00A4040C10A0000000871002FFFFFFFF8907090000"), 0x9000);
	ck_assert_uint_eq(rig_send(r, "84F28002024F0000"), 0x6882);
	rig_free(&r);
}
END_TEST

/* Two AES keys under the DEK with their check values, as PUT KEY has them. */
static struct bytes key_set(const struct rig *r, uint8_t kvn, const char *kic, const char *kid)
{
	static uint8_t raw[100];
	const char *keys[] = { kic, kid };
	struct buf b = BUF_OF(raw);

	buf_put_u8(&b, kvn);
	for (int i = 0; i < 2; i++) {
		struct secret key = { 0 };

		ck_assert_int_eq(secret_set(&key, hex(keys[i])), OK);
		ck_assert_int_eq(gp_key_put(secret_of(r, BIRTH_ISD_DEK), &key, &b), OK);
	}
	return buf_bytes(&b);
}

#define NEW_KIC "A0A1A2A3A4A5A6A7A8A9AAABACADAEAF"
#define NEW_KID "B0B1B2B3B4B5B6B7B8B9BABBBCBDBEBF"

/* RSC of an empty script for DF_ProSe under a key set; 06 if the card does not know it. */
static uint8_t try_key_set(struct rig *r, const struct ota_keys *k, uint64_t counter)
{
	struct ota_command c = { 0x16, 0x19, (uint8_t)(k->kvn << 4 | 2), (uint8_t)(k->kvn << 4 | 2), { 0xB0, 0x5F, 0x90 },
		counter, hex("00A40004024F05") };
	uint8_t packet_raw[200], sms_raw[200], data_raw[250], raw[300];
	struct buf packet = BUF_OF(packet_raw), sms = BUF_OF(sms_raw), data = BUF_OF(data_raw), b = BUF_OF(raw);
	static struct secret_large plain;
	struct ota_response out;
	bool secured;

	ck_assert_int_eq(ota_command_build(k, &c, &packet), OK);
	ck_assert_int_eq(sms_deliver_put(&sms, buf_bytes(&packet)), OK);
	sms_envelope_put(&data, buf_bytes(&sms));
	apdu_put(&b, &(struct command_apdu){
	                     .cla = 0x80, .ins = INS_ENVELOPE, .data = buf_bytes(&data), .has_le = true, .ne = 256 });
	ck_assert_uint_eq(rig_send_bytes(r, buf_bytes(&b)), 0x9000);
	ck_assert_int_eq(ota_response_open(k, 0x19, rig_data(), &plain, &out, &secured), OK);
	return out.rsc;
}

START_TEST(put_key_makes_and_replaces_key_sets)
{
	struct rig *r = rig_new();
	struct scp03_keys k = static_keys(r);
	const struct ota_keys fresh = { .kvn = 5, .kic = hex(NEW_KIC), .kid = hex(NEW_KID) };
	const struct ota_keys turned = { .kvn = 5, .kic = hex(NEW_KID), .kid = hex(NEW_KIC) };
	struct bytes good = exact_copy(key_set(r, 5, NEW_KIC, NEW_KID));
	struct scp03 s;

	ck_assert_uint_eq(try_key_set(r, &fresh, 9), RSC_SECURITY_ERROR);
	ck_assert_uint_eq(authenticate(r, &s, &k, 0x13), 0x9000);
	/* Replacing what is not there, a wrong check value, a key too few, one octet too many: nothing comes of it. */
	ck_assert_uint_eq(rig_send_bytes(r, wrapped(&s, 0xD8, 0x05, 0x81, good)), 0x6A88);
	for (size_t n = 0; n < good.n; n++)
		ck_assert_uint_ne(rig_send_bytes(r, wrapped(&s, 0xD8, 0x00, 0x81, (struct bytes){ good.p, n })), 0x9000);
	((uint8_t *)(uintptr_t)good.p)[good.n - 1] ^= 1;
	ck_assert_uint_eq(rig_send_bytes(r, wrapped(&s, 0xD8, 0x00, 0x81, good)), 0x6982); /* 11.8.3.2 */
	((uint8_t *)(uintptr_t)good.p)[good.n - 1] ^= 1;
	ck_assert_uint_eq(try_key_set(r, &fresh, 9), RSC_SECURITY_ERROR);
	ck_assert_uint_eq(rig_send_bytes(r, wrapped(&s, 0xD8, 0x00, 0x81, good)), 0x9000);
	{
		struct bytes kcvs = answer_of(&s, 0x9000);

		ck_assert_uint_eq(kcvs.n, 1 + 3 + 3);
		ck_assert_uint_eq(kcvs.p[0], 5);
	}
	ck_assert_uint_eq(try_key_set(r, &fresh, 9), RSC_OK);
	ck_assert_uint_eq(rig_send_bytes(r, wrapped(&s, 0xD8, 0x00, 0x81, good)), 0x6A88); /* there already */
	/* GET DATA lists it, and no key. */
	ck_assert_uint_eq(rig_send_bytes(r, wrapped(&s, 0xCA, 0x00, 0xE0, (struct bytes){ 0 })), 0x9000);
	{
		struct bytes info = answer_of(&s, 0x9000);

		ck_assert_uint_eq(info.p[0], 0xE0);
		ck_assert_ptr_nonnull(memmem(info.p, info.n, hex("C00401058810").p, 6));
		ck_assert_ptr_nonnull(memmem(info.p, info.n, hex("C00403308810").p, 6));
		ck_assert_ptr_null(memmem(info.p, info.n, hex(NEW_KIC).p, 4));
	}
	/* The same keys again: taken, but what was sent under them stays a replay. */
	ck_assert_uint_eq(rig_send_bytes(r, wrapped(&s, 0xD8, 0x05, 0x81, good)), 0x9000);
	ck_assert_uint_eq(try_key_set(r, &fresh, 9), RSC_COUNTER_LOW);
	/* Rotation: other keys under the same number; the old ones are gone, the counter begins again. */
	ck_assert_uint_eq(rig_send_bytes(r, wrapped(&s, 0xD8, 0x05, 0x81, key_set(r, 5, NEW_KID, NEW_KIC))), 0x9000);
	ck_assert_uint_eq(try_key_set(r, &fresh, 10), RSC_SECURITY_ERROR);
	ck_assert_uint_eq(try_key_set(r, &turned, 1), RSC_OK);
	rig_free(&r);
}
END_TEST

/* Three AES keys under the DEK: with each key's length before it (GlobalPlatform 2.3.1, table 11-70) or not (11-71). */
static struct bytes domain_keys(struct bytes dek, uint8_t kvn, uint8_t first, bool with_length, bool right)
{
	static uint8_t raw[1 + 3 * (3 + 16 + 4)];
	struct buf b = BUF_OF(raw);

	buf_put_u8(&b, kvn);
	for (uint8_t i = 0; i < 3; i++) {
		struct secret key = { .len = 16 };
		uint8_t one[3 + 16 + 4];
		struct buf o = BUF_OF(one);

		memset(key.data, first + i, key.len);
		ck_assert_int_eq(gp_key_put(dek, &key, &o), OK);
		one[o.len - 1] ^= i == 2 && !right ? 1 : 0;
		if (with_length) {
			buf_put(&b, buf_bytes(&o));
		} else {
			buf_put(&b, (struct bytes){ (const uint8_t[]){ one[0], 16 }, 2 });
			buf_put(&b, (struct bytes){ one + 3, o.len - 3 });
		}
	}
	return buf_bytes(&b);
}

/* The domain's own keys: replaced, in both formats, and not beside the old ones; a refused command leaves them alone. */
START_TEST(put_key_of_the_domain_itself)
{
	struct rig *r = rig_new();
	const struct bytes dek = secret_of(r, BIRTH_ISD_DEK);
	struct scp03_keys k = static_keys(r);
	struct scp03 s;
	uint8_t enc[16], mac[16];

	ck_assert_uint_eq(authenticate(r, &s, &k, 0x13), 0x9000);
	ck_assert_uint_eq(scp_send(r, &s, 0xD8, 0x00, 0x81, domain_keys(dek, 0x31, 0x40, true, true)), 0x6A84);
	ck_assert_uint_eq(scp_send(r, &s, 0xD8, 0x31, 0x81, domain_keys(dek, 0x31, 0x40, true, true)), 0x6A88);
	for (int with_length = 0; with_length < 2; with_length++) {
		ck_assert_uint_eq(
		        scp_send(r, &s, 0xD8, 0x30, 0x81, domain_keys(dek, 0x31, 0x40, with_length != 0, false)), 0x6982);
		ck_assert_uint_eq(authenticate(r, &s, &k, 0x13), 0x9000);
	}
	ck_assert_uint_eq(scp_send(r, &s, 0xD8, 0x30, 0x81, domain_keys(dek, 0x31, 0x40, false, true)), 0x9000);
	ck_assert_uint_eq(answer_of(&s, 0x9000).n, 1 + 3 * 3);
	memset(enc, 0x40, sizeof enc);
	memset(mac, 0x41, sizeof mac);
	ck_assert_uint_eq(authenticate(r, &s, &k, 0x13), 0);
	ck_assert_uint_eq(authenticate(r, &s, &(struct scp03_keys){ BYTES_OF(enc), BYTES_OF(mac) }, 0x13), 0x9000);
	rig_free(&r);
}
END_TEST

#define FCI_OF_ISD "6F108408A000000151000000A5049F6501FF"

/* Without a name (11.9.2.3), by the one that pySim has for it, with the FCI of 11.9.3.1, or with no data where P2 says so. */
START_TEST(the_domain_is_found)
{
	static const struct {
		const char *command, *answer;
		unsigned sw;
	} rows[] = {
		{ "00A4040000", FCI_OF_ISD, 0x9000 },
		{ "00A4040400", FCI_OF_ISD, 0x9000 },
		{ "00A4040C", "", 0x9000 },
		{ "00A4040008A00000015100000000", FCI_OF_ISD, 0x9000 },
		{ "00A4040408A00000000300000000", FCI_OF_ISD, 0x9000 },
		{ "00A4040C08A000000003000000", "", 0x9000 },
		{ "00A4040200", "", 0x6A82 }, /* the next one */
		{ "00A4040007A000000003000000", "", 0x6A82 },
		{ "00A4040009A0000000030000000000", "", 0x6A82 },
		{ "00A4040004A000000100", "", 0x6700 },
	};
	struct rig *r = rig_new();

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		ck_assert_uint_eq(rig_send(r, "00A4040C10A0000000871002FFFFFFFF8907090000"), 0x9000);
		ck_assert_msg(rig_send(r, rows[i].command) == rows[i].sw, "%s", rows[i].command);
		ck_assert_msg(bytes_equal(rig_data(), hex(rows[i].answer)), "%s", rows[i].command);
		ck_assert_uint_eq(rig_send(r, "80CA00E000") == 0x9000, rows[i].sw == 0x9000); /* who is selected */
	}
	rig_free(&r);
}
END_TEST

#define CARD_DATA "6631732F06072A864886FC6B01600C060A2A864886FC6B02020301630906072A864886FC6B03640B06092A864886FC6B0403"

/* What a Security Domain shall say (11.3.2.1), the protocol as INITIALIZE UPDATE has it. */
START_TEST(the_domain_says_what_it_is)
{
	struct rig *r = rig_new();

	for (int counts = 0; counts < 2; counts++) {
		if (counts == 1)
			ck_assert_int_eq(applet_put_now(applet_named(&r->card, hex("A000000151000000")), BYTES_STR("seq"),
			                         hex("000105")),
			        OK);
		ck_assert_uint_eq(rig_send(r, SELECT_ISD), 0x9000);
		ck_assert_uint_eq(rig_send(r, "80CA006600"), 0x9000);
		ck_assert(bytes_equal(rig_data(), hex(counts == 1 ? CARD_DATA "70" : CARD_DATA "60")));
		ck_assert_uint_eq(rig_send(r, "80CA00C100"), counts == 1 ? 0x9000 : 0x6A88);
		if (counts == 1)
			ck_assert(bytes_equal(rig_data(), hex("C103000105")));
		ck_assert_uint_eq(rig_send(r, "80CA004200"), 0x9000);
		ck_assert(bytes_equal(rig_data(), hex("42048900101F")));
		ck_assert_uint_eq(rig_send(r, "80CA004500"), 0x9000);
		ck_assert(bytes_equal(rig_data(), hex("450A8900101000000000017F")));
		ck_assert_uint_eq(rig_send(r, "00CA004500"), 0x9000); /* of the ISO class: the value alone (11.3.3.1) */
		ck_assert(bytes_equal(rig_data(), hex("8900101000000000017F")));
		ck_assert_uint_eq(rig_send(r, "00CA006700"), 0x6A88);
		ck_assert_uint_eq(rig_send(r, "80CA006700"), 0x6A88);
		ck_assert_uint_eq(rig_send(r, "80CA016600"), 0x6A88);
	}
	rig_free(&r);
}
END_TEST

/* Amendment D 5.6: a security error aborts the session, and until another is begun, or the domain selected, nothing is
 * answered. */
START_TEST(an_aborted_session_answers_nothing)
{
	static const char *const errors[] = { "80CA00E000", "00CA00E000", "80F28002024F0000", "84CA00E008112233445566778800" };
	struct rig *r = rig_new();
	struct scp03_keys k = static_keys(r);
	struct scp03 s;

	for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
		ck_assert_uint_eq(authenticate(r, &s, &k, 0x01), 0x9000);
		ck_assert_msg(rig_send(r, errors[i]) == 0x6982, "%s", errors[i]);
		ck_assert_uint_eq(scp_send(r, &s, 0xF2, 0x80, 0x02, hex("4F00")), 0x6982);
		ck_assert_uint_eq(rig_send(r, "80CA00E000"), 0x6982);
		ck_assert_uint_eq(rig_send(r, i == 0 ? SELECT_ISD : "8050000008010203040506070800"), 0x9000);
		ck_assert_uint_eq(rig_send(r, "80CA00E000"), 0x9000);
	}
	/* Selected again, a session is over, and none is aborted. */
	ck_assert_uint_eq(authenticate(r, &s, &k, 0x01), 0x9000);
	ck_assert_uint_eq(rig_send(r, SELECT_ISD), 0x9000);
	ck_assert_uint_eq(rig_send(r, "80CA00E000"), 0x9000);
	ck_assert_uint_eq(scp_send(r, &s, 0xF2, 0x80, 0x02, hex("4F00")), 0x6982);
	/* EXTERNAL AUTHENTICATE answers an INITIALIZE UPDATE, and changes no level afterwards (7.1.2.1). */
	ck_assert_uint_eq(authenticate(r, &s, &k, 0x33), 0x9000);
	ck_assert_uint_eq(scp_send(r, &s, 0x82, 0x01, 0, hex("1122334455667788")), 0x6985);
	s.level = 0x33;
	ck_assert_uint_eq(scp_send(r, &s, 0xF2, 0x80, 0x02, hex("4F00")), 0x9000);
	/* Without a session there is none to abort. */
	ck_assert_uint_eq(rig_send(r, SELECT_ISD), 0x9000);
	ck_assert_uint_eq(rig_send(r, errors[3]), 0x6982);
	ck_assert_uint_eq(rig_send(r, "80CA00E000"), 0x9000);
	rig_free(&r);
}
END_TEST

/* Cut the power at every write of PUT KEY: the old keys or the new ones, never neither. */
START_TEST(put_key_survives_power_cuts)
{
	const struct ota_keys old = { .kvn = 5, .kic = hex(NEW_KIC), .kid = hex(NEW_KID) };
	const struct ota_keys new = { .kvn = 5, .kic = hex(NEW_KID), .kid = hex(NEW_KIC) };

	for (long cut = 0; cut < 3; cut++) {
		struct rig *r = rig_new();
		struct scp03_keys k = static_keys(r);
		struct scp03 s;
		unsigned sw;

		ck_assert_uint_eq(authenticate(r, &s, &k, 0x03), 0x9000);
		ck_assert_uint_eq(rig_send_bytes(r, wrapped(&s, 0xD8, 0x00, 0x81, key_set(r, 5, NEW_KIC, NEW_KID))), 0x9000);
		r->store.writes = 0;
		r->store.cut_after = cut;
		sw = rig_send_bytes(r, wrapped(&s, 0xD8, 0x05, 0x81, key_set(r, 5, NEW_KID, NEW_KIC)));
		rig_reboot(r);
		ck_assert(cut == 0 ? sw == 0x6581 : sw == 0x9000);
		ck_assert_uint_eq(try_key_set(r, cut == 0 ? &old : &new, 3), RSC_OK);
		ck_assert_uint_eq(try_key_set(r, cut == 0 ? &new : &old, 4), RSC_SECURITY_ERROR);
		rig_free(&r);
	}
}
END_TEST

/* The same by a secured packet to the card manager's TAR; other commands of a terminal are not for scripts. */
START_TEST(put_key_over_the_air)
{
	struct rig *r = rig_new();
	const struct ota_keys fresh = { .kvn = 6, .kic = hex(NEW_KIC), .kid = hex(NEW_KID) };
	struct bytes set = key_set(r, 6, NEW_KIC, NEW_KID);
	char text[2 * 120] = "80D8008149", part[2 * 100 + 1];

	text[8] = 0;
	(void)strcat(text, hex_encode((struct bytes){ (const uint8_t[]){ (uint8_t)set.n }, 1 }, part));
	(void)strcat(text, hex_encode(set, part));
	ck_assert_uint_eq(try_key_set(r, &fresh, 1), RSC_SECURITY_ERROR);
	ck_assert_uint_eq(rig_send_bytes(r, rig_ota(r, 1, "000000", text)), 0x9000);
	ck_assert_uint_eq(try_key_set(r, &fresh, 1), RSC_OK);
	ck_assert_uint_eq(rig_send_bytes(r, rig_ota(r, 2, "000000", "805000000801020304050607080000A4000C023F00")), 0x9000);
	{
		struct ota_keys one = { .kvn = 1 };
		static struct secret_large plain;
		struct script_result s;
		struct ota_response out;
		bool secured;

		one.kic = secret_of(r, BIRTH_OTA_KIC);
		one.kid = secret_of(r, BIRTH_OTA_KID);
		ck_assert_int_eq(ota_response_open(&one, 0x19, rig_data(), &plain, &out, &secured), OK);
		ck_assert_int_eq(script_result_parse(out.data, &s), OK);
		ck_assert_uint_eq(s.executed, 1);
		ck_assert_uint_eq(s.sw, 0x6D00);
	}
	rig_free(&r);
}
END_TEST

Suite *suite_isd(void)
{
	Suite *s = suite_create("isd");
	TCase *t = tcase_create("isd");

	tcase_add_test(t, sessions_at_every_level);
	tcase_add_test(t, put_key_makes_and_replaces_key_sets);
	tcase_add_test(t, put_key_of_the_domain_itself);
	tcase_add_test(t, put_key_survives_power_cuts);
	tcase_add_test(t, put_key_over_the_air);
	tcase_add_test(t, the_domain_is_found);
	tcase_add_test(t, the_domain_says_what_it_is);
	tcase_add_test(t, an_aborted_session_answers_nothing);
	suite_add_tcase(s, t);
	return s;
}
