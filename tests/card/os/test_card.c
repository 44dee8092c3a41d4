/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apdu/birth.h"
#include "apdu/tlv.h"
#include "card/os/pin.h"
#include "ota/packet.h"
#include "ota/script.h"
#include "tests/support/support.h"

/* Golden scripts: the same files run over PC/SC in tests/e2e/scripts. A line: command, "->", expected data (.. for any), SW. */
START_TEST(golden_scripts_over_loopback)
{
	static const char *const files[] = { "tests/scripts/select.apdu", "tests/scripts/files.apdu", "tests/scripts/pin.apdu",
		"tests/scripts/errors.apdu", "tests/scripts/search.apdu", "tests/scripts/pin2.apdu",
		"tests/scripts/status.apdu", "tests/scripts/admin/applications.apdu", "tests/scripts/admin/channels.apdu",
		"tests/scripts/admin/files.apdu", "tests/scripts/admin/data.apdu" };

	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		struct rig *r = rig_new();
		FILE *f = fopen(files[i], "r");
		char line[1024], text[600];
		int number = 0;

		ck_assert_ptr_nonnull(f);
		while (fgets(line, sizeof line, f) != NULL) {
			char *arrow = strstr(line, "->"), got[600];
			unsigned sw;

			number++;
			if (line[0] == '#' || line[0] == '\n')
				continue;
			if (strncmp(line, "reset", 5) == 0) {
				card_reset(&r->card);
				continue;
			}
			if (strncmp(line, "adm", 3) == 0) {
				r->card.channel[0].adm = true; /* as if a secure channel stood */
				continue;
			}
			ck_assert_ptr_nonnull(arrow);
			*arrow = 0;
			sw = rig_send(r, line);
			(void)snprintf(got, sizeof got, "%s%04x", hex_encode(rig_data(), text), sw);
			arrow += 2;
			arrow += strspn(arrow, " ");
			arrow[strcspn(arrow, "\n #")] = 0;
			ck_assert_msg(strncmp(arrow, "..", 2) == 0 ? strcasecmp(arrow + 2, got + strlen(got) - 4) == 0
			                                           : strcasecmp(arrow, got) == 0,
			        "%s:%d: %s-> %s, expected %s", files[i], number, line, got, arrow);
		}
		(void)fclose(f);
		rig_free(&r);
	}
	covers("R-020");
	covers("R-025");
}
END_TEST

/* What waits for GET RESPONSE belongs to its channel: two clients of one card must not take it from each other. */
START_TEST(waiting_answers_belong_to_their_channel)
{
	struct rig *r = rig_new();
	uint8_t fcp[64];
	size_t n;

	ck_assert_uint_eq(rig_send(r, "0070000001"), 0x9000);
	ck_assert_uint_eq(rig_send(r, "00A40004023F0000"), 0x9000);
	n = rig_data().n;
	memcpy(fcp, rig_data().p, n);
	ck_assert_uint_eq(rig_send(r, "00A40004023F00"), 0x6100 | n);
	ck_assert_uint_eq(rig_send(r, "01A40004022FE2") & 0xFF00, 0x6100);
	ck_assert_uint_eq(rig_send(r, "01B000000A"), 0x9000); /* drops channel 1's answer, not channel 0's */
	ck_assert_uint_eq(rig_send(r, "01C0000010"), 0x6985);
	ck_assert_uint_eq(rig_send(r, "00C0000000"), 0x9000);
	ck_assert(bytes_equal(rig_data(), (struct bytes){ fcp, n }));
	ck_assert_uint_eq(rig_send(r, "00C0000000"), 0x6985);
	/* A chain of commands is one channel's as well: the other may work, and chain, in between. */
	ck_assert_uint_eq(rig_send(r, "10A4000C012F"), 0x9000);
	ck_assert_uint_eq(rig_send(r, "01B000000A"), 0x9000);
	ck_assert_uint_eq(rig_send(r, "11A4000C012F"), 0x9000);
	ck_assert_uint_eq(rig_send(r, "00A4000C01E2"), 0x9000);
	ck_assert_uint_eq(rig_send(r, "00B000000A"), 0x9000);
	ck_assert_uint_eq(rig_send(r, "01A4000C0106"), 0x9000);
	ck_assert_uint_eq(rig_send(r, "01B000000A"), 0x6981); /* EF_ARR has records */
	ck_assert_uint_eq(rig_send(r, "10A4000C012F"), 0x9000);
	ck_assert_uint_eq(rig_send(r, "00B000000A"), 0x6883); /* another command on the channel ends the chain */
	ck_assert_uint_eq(rig_send(r, "00A4000C01E2"), 0x6700);
	rig_free(&r);
}
END_TEST

/* What the terminal had before the power went is there again, for the holder of the token, once. */
START_TEST(a_suspended_card_resumes_where_it_was)
{
	struct rig *r = rig_new();
	uint8_t raw[13 + 8] = { 0x80, 0x76, 0x01, 0x00, 0x08 };
	struct bytes resume = { raw, 13 };

	ck_assert_uint_eq(rig_send(r, "8076010008"
	                              "0000000000000000"),
	        0x6985);
	ck_assert_uint_eq(rig_send(r, "0070000001"), 0x9000);
	ck_assert_uint_eq(rig_send(r, "002000010831323334FFFFFFFF"), 0x9000);
	ck_assert_uint_eq(rig_send(r, "01A4040C10A0000000871002FFFFFFFF8907090000"), 0x9000);
	ck_assert_uint_eq(rig_send(r, "01A4000C026F07"), 0x9000);
	ck_assert_uint_eq(rig_send(r, "8076000003010A01"), 0x6700);
	ck_assert_uint_eq(rig_send(r, "8076000004010A0109"), 0x6A80); /* at least 10 s, at most 9 */
	ck_assert_uint_eq(rig_send(r, "8076000004000005FF"), 0x6A80); /* no such unit */
	ck_assert_uint_eq(rig_send(r, "8076020004000A0105"), 0x6A86);
	ck_assert_uint_eq(rig_send(r, "8076000004000A0105"), 0x610A);
	ck_assert_uint_eq(rig_send(r, "00C000000A"), 0x9000);
	ck_assert(bytes_equal((struct bytes){ rig_data().p, 2 }, hex("0105")));
	memcpy(raw + 5, rig_data().p + 2, 8);
	ck_assert_uint_eq(rig_send_bytes(r, resume), 0x6985); /* the power has not gone yet */
	card_reset(&r->card);
	card_reset(&r->card);
	ck_assert_uint_eq(rig_send_bytes(r, resume), 0x9000);
	ck_assert_uint_eq(rig_send(r, "01B0000009"), 0x9000); /* EF_IMSI of channel 1, under PIN1 */
	ck_assert_uint_eq(rig_send_bytes(r, resume), 0x6985); /* once */
	/* Any other first command ends it, and so does a wrong token. */
	for (int wrong = 0; wrong < 2; wrong++) {
		ck_assert_uint_eq(rig_send(r, "8076000004000A0105"), 0x610A);
		ck_assert_uint_eq(rig_send(r, "00C000000A"), 0x9000);
		memcpy(raw + 5, rig_data().p + 2, 8);
		card_reset(&r->card);
		raw[5] ^= (uint8_t)wrong;
		if (wrong == 0)
			ck_assert_uint_eq(rig_send(r, "00A4000C023F00"), 0x9000);
		else
			ck_assert_uint_eq(rig_send_bytes(r, resume), 0x9862);
		raw[5] ^= (uint8_t)wrong;
		ck_assert_uint_eq(rig_send_bytes(r, resume), 0x6985);
		ck_assert_uint_eq(rig_send(r, "01B0000009"), 0x6881);
		ck_assert_uint_eq(rig_send(r, "0070000001"), 0x9000);
	}
	ck_assert_uint_eq(rig_send(r, "8076000004000A0105"), 0x610A);
	rig_free(&r); /* suspended: nothing leaks */
}
END_TEST

/* Only where EF_UMPC says so. */
START_TEST(a_card_without_suspension_says_so)
{
	struct rig *r = rig_new();

	r->card.channel[0].adm = true;
	ck_assert_uint_eq(rig_send(r, "00A4000C022F08"), 0x9000);
	ck_assert_uint_eq(rig_send(r, "00D600020100"), 0x9000);
	ck_assert_uint_eq(rig_send(r, "8076000004000A0105"), 0x6D00);
	rig_free(&r);
}
END_TEST

START_TEST(the_right_pin_at_the_last_try_works_and_wrong_ones_block)
{
	struct rig *r = rig_new();

	ck_assert_uint_eq(rig_send(r, "002000010839393939FFFFFFFF"), 0x63C2);
	ck_assert_uint_eq(rig_send(r, "002000010839393939FFFFFFFF"), 0x63C1);
	ck_assert_uint_eq(rig_send(r, "002000010831323334FFFFFFFF"), 0x9000);
	ck_assert_uint_eq(rig_send(r, "0020000100"), 0x63C3);
	for (unsigned left = 3; left > 0; left--)
		ck_assert_uint_eq(rig_send(r, "002000010839393939FFFFFFFF"), 0x63C0 | (left - 1));
	ck_assert_uint_eq(rig_send(r, "002000010831323334FFFFFFFF"), 0x6983);
	ck_assert_uint_eq(rig_send(r, "002C0001103132333435363738"
	                              "35363738FFFFFFFF"),
	        0x9000);
	card_reset(&r->card);
	ck_assert_uint_eq(rig_send(r, "002000010835363738FFFFFFFF"), 0x9000);
	rig_free(&r);
}
END_TEST

/* Cut the power at every write of a command: afterwards the store is the old one or the new one, and what the card said
 * 9000 to is durable. `spent` commands (VERIFY) may also leave a third state: the try spent, nothing else. */
static void sweep(const char *prepare, struct bytes command, unsigned good_sw, bool spends)
{
	struct store_mem before, after, spent;
	struct rig *r = rig_new();
	long writes;

	if (prepare != NULL)
		ck_assert_uint_eq(rig_send(r, prepare), 0x9000);
	store_mem_copy(&before, &r->store);
	r->store.writes = 0;
	ck_assert_uint_eq(rig_send_bytes(r, command), good_sw);
	writes = r->store.writes;
	ck_assert_int_gt(writes, 0);
	store_mem_copy(&after, &r->store);
	rig_free(&r);
	for (long cut = 0; cut < writes; cut++) {
		unsigned sw;
		bool is_old, is_new, is_spent = false;

		r = rig_new();
		if (prepare != NULL)
			ck_assert_uint_eq(rig_send(r, prepare), 0x9000);
		r->store.writes = 0;
		r->store.cut_after = cut;
		sw = rig_send_bytes(r, command);
		is_old = store_mem_equal(&r->store, &before);
		is_new = store_mem_equal(&r->store, &after);
		if (spends && cut == 1) {
			store_mem_copy(&spent, &r->store);
			is_spent = !is_old && !is_new;
			store_mem_free(&spent);
		}
		ck_assert_msg(is_old || is_new || is_spent, "cut %ld left something between", cut);
		ck_assert_msg(sw != 0x9000 || is_new, "cut %ld: 9000 for a change that is lost", cut);
		rig_reboot(r);
		rig_free(&r);
	}
	store_mem_free(&before);
	store_mem_free(&after);
}

START_TEST(power_cuts_leave_old_or_new)
{
	sweep(NULL, hex("002000010831323334FFFFFFFF"), 0x9000, true);
	sweep(NULL,
	        hex("00240001103132333435FFFFFF"
	            "35363738FFFFFFFF"),
	        0x63C2, true);
	sweep(NULL,
	        hex("002400011031323334FFFFFFFF"
	            "35363738FFFFFFFF"),
	        0x9000, true);
	sweep(NULL, hex("002600010831323334FFFFFFFF"), 0x9000, true);
	sweep(NULL,
	        hex("002C0001103132333435363738"
	            "35363738FFFFFFFF"),
	        0x9000, true);
}
END_TEST

/* A try that the card answered is spent for ever: cutting the power after the comparison never gives it back. */
START_TEST(a_wrong_pin_is_counted_before_it_is_compared)
{
	struct rig *r = rig_new();

	r->store.cut_after = 0; /* the decrement cannot be stored: the card must not compare at all */
	ck_assert_uint_eq(rig_send(r, "002000010831323334FFFFFFFF"), 0x6581);
	ck_assert_uint_eq(r->card.pins_verified, 0);
	rig_reboot(r);
	for (unsigned i = 0; i < 3; i++) {
		(void)rig_send(r, "002000010839393939FFFFFFFF");
		rig_reboot(r);
	}
	ck_assert_uint_eq(rig_send(r, "0020000100"), 0x6983);
	rig_free(&r);
}
END_TEST

static uint8_t por_rsc(const struct rig *r, struct script_result *result)
{
	static struct secret_large plain;
	struct ota_keys k = { .kvn = 1 };
	struct ota_response out;
	bool secured;

	ck_assert_int_eq(tlv_find(r->secrets, BIRTH_OTA_KIC, &k.kic), OK);
	ck_assert_int_eq(tlv_find(r->secrets, BIRTH_OTA_KID, &k.kid), OK);
	ck_assert_int_eq(ota_response_open(&k, 0x19, rig_data(), &plain, &out, &secured), OK);
	*result = (struct script_result){ 0 };
	if (out.rsc == 0)
		ck_assert_int_eq(script_result_parse(out.data, result), OK);
	else
		ck_assert(out.rsc != RSC_COUNTER_LOW || secured);
	return out.rsc;
}

START_TEST(ota_runs_once_whole_or_not_at_all)
{
	static const char ok[] = "00A40004024F0500D6000004AABBCCDD", half[] = "00A40004024F0500D600000411223344"
	                                                                      "00A40004021234";
	struct rig *r = rig_new();
	struct script_result result;
	struct store_mem before;
	struct bytes first;

	ck_assert_uint_eq(rig_send_bytes(r, rig_ota(r, 5, "B05F90", ok)), 0x9000);
	ck_assert_uint_eq(por_rsc(r, &result), RSC_OK);
	ck_assert_uint_eq(result.executed, 2);
	store_mem_copy(&before, &r->store);
	ck_assert_uint_eq(rig_send_bytes(r, rig_ota(r, 5, "B05F90", ok)), 0x9000);
	ck_assert_uint_eq(por_rsc(r, &result), RSC_COUNTER_LOW);
	ck_assert(store_mem_equal(&before, &r->store));
	ck_assert_uint_eq(rig_send_bytes(r, rig_ota(r, 4, "B05F90", ok)), 0x9000);
	ck_assert_uint_eq(por_rsc(r, &result), RSC_COUNTER_LOW);
	ck_assert_uint_eq(rig_send_bytes(r, rig_ota(r, 6, "B05F90", half)), 0x9000);
	ck_assert_uint_eq(por_rsc(r, &result), RSC_OK);
	ck_assert_uint_eq(result.executed, 0);
	ck_assert_uint_eq(result.sw, 0x6A82);
	/* The first half is undone, the counter is not. */
	ck_assert_uint_eq(rig_send(r, "002000010831323334FFFFFFFF"), 0x9000);
	ck_assert_uint_eq(rig_send(r, "00A4040C10A0000000871002FFFFFFFF8907090000"), 0x9000);
	ck_assert_uint_eq(rig_send(r, "00A4080C045F904F05"), 0x6A82); /* the path is from the MF */
	ck_assert_uint_eq(rig_send(r, "00A4080C067FFF5F904F05"), 0x9000);
	ck_assert_uint_eq(rig_send(r, "00B0000004"), 0x9000);
	ck_assert(bytes_equal(rig_data(), hex("AABBCCDD")));
	rig_reboot(r);
	ck_assert_uint_eq(rig_send_bytes(r, rig_ota(r, 6, "B05F90", ok)), 0x9000);
	ck_assert_uint_eq(por_rsc(r, &result), RSC_COUNTER_LOW);
	/* B00011 stops at the error and keeps what ran. */
	ck_assert_uint_eq(rig_send_bytes(r, rig_ota(r, 7, "B00011",
	                                            "00A40004025F90"
	                                            "00A40004024F05"
	                                            "00D600000411223344"
	                                            "00A40004021234")),
	        0x9000);
	ck_assert_uint_eq(por_rsc(r, &result), RSC_OK);
	ck_assert_uint_eq(result.executed, 4);
	ck_assert_uint_eq(rig_send_bytes(r, rig_ota(r, 8, "ABCDEF", ok)), 0x9000);
	ck_assert_uint_eq(por_rsc(r, &result), RSC_TAR_UNKNOWN);
	/* One bit anywhere: refused without a reason, nothing changes. */
	first = rig_ota(r, 9, "B05F90", ok);
	store_mem_free(&before);
	store_mem_copy(&before, &r->store);
	for (size_t i = first.n - 36; i + 1 < first.n; i++) {
		uint8_t *octet = (uint8_t *)(uintptr_t)&first.p[i];

		*octet ^= 1;
		ck_assert_uint_eq(rig_send_bytes(r, first), 0x9000);
		ck_assert_uint_eq(por_rsc(r, &result), RSC_SECURITY_ERROR);
		ck_assert(store_mem_equal_but(&before, &r->store, "/bad/"));
		*octet ^= 1;
	}
	store_mem_free(&before);
	rig_free(&r);
	covers("R-021");
	covers("R-024");
	covers("R-019");
}
END_TEST

/* An OTA script has two writes, the counter and the rest: the counter never goes back, the file is old or new. */
/* An update over the air tells the phone which file to read again; the proactive session survives nonsense. */
START_TEST(refresh_after_an_update_over_the_air)
{
	static const char script[] = "00A40004024F0500D6000004AABBCCDD";
	struct rig *r = rig_new();

	ck_assert_uint_eq(rig_send(r, "8012000000"), 0x6985);
	ck_assert_uint_eq(rig_send(r, "8010000002FFFF"), 0x9000);
	ck_assert_uint_eq(rig_send(r, "8014000003810100"), 0x6985); /* nothing was fetched */
	ck_assert_uint_eq(rig_send_bytes(r, rig_ota(r, 5, "B05F90", script)), 0x9116);
	ck_assert_uint_eq(rig_send(r, "80F2000C00"), 0x9116);
	ck_assert_uint_eq(rig_send(r, "00A40004023F00") & 0xFF00, 0x6100); /* data first */
	ck_assert_uint_eq(rig_send(r, "8012000010"), 0x6C16);
	ck_assert_uint_eq(rig_send(r, "8012000016"), 0x9000);
	ck_assert(bytes_equal(rig_data(), hex("D0148103010101820281829209013F007FFF5F904F05")));
	ck_assert_uint_eq(rig_send_bytes(r, rig_ota(r, 6, "B05F90", script)), 0x9300); /* busy, and the counter is not spent */
	ck_assert_uint_eq(rig_send(r, "8014000003810103"), 0x6A80);
	ck_assert_uint_eq(rig_send(r, "80140000088103020101830100"), 0x6A80); /* another command's number */
	ck_assert_uint_eq(rig_send(r, "80140000058103010101"), 0x6A80);       /* no result */
	ck_assert_uint_eq(rig_send(r, "80140000088103010101830100"), 0x9000);
	ck_assert_uint_eq(rig_send(r, "80140000088103010101830100"), 0x6985);
	ck_assert_uint_eq(rig_send_bytes(r, rig_ota(r, 6, "B05F90", script)), 0x9116);
	card_reset(&r->card); /* a reset ends the session; the terminal reads everything anyway */
	ck_assert_uint_eq(rig_send(r, "8010000002FFFF"), 0x9000);
	ck_assert_uint_eq(rig_send(r, "80F2000C00"), 0x9000);
	rig_free(&r);
}
END_TEST

START_TEST(power_cuts_in_ota_scripts)
{
	static const char script[] = "00A40004024F0500D6000004AABBCCDD"
	                             "00A40004024F0600D6000004AABBCCDD";

	for (long cut = 0; cut < 3; cut++) {
		struct rig *r = rig_new();
		struct bytes envelope = rig_ota(r, 5, "B05F90", script);
		struct script_result result;
		unsigned sw;
		uint8_t a[4] = { 0 }, b[4] = { 0 };

		r->store.writes = 0;
		r->store.cut_after = cut;
		sw = rig_send_bytes(r, envelope);
		ck_assert(cut == 2 ? sw == 0x9000 : sw == 0x6581);
		rig_reboot(r);
		ck_assert_uint_eq(rig_send(r, "002000010831323334FFFFFFFF"), 0x9000);
		ck_assert_uint_eq(rig_send(r, "00A4040C10A0000000871002FFFFFFFF8907090000"), 0x9000);
		ck_assert_uint_eq(rig_send(r, "00A4080C067FFF5F904F05"), 0x9000);
		ck_assert_uint_eq(rig_send(r, "00B0000004"), 0x9000);
		memcpy(a, rig_data().p, 4);
		ck_assert_uint_eq(rig_send(r, "00A4080C067FFF5F904F06"), 0x9000);
		ck_assert_uint_eq(rig_send(r, "00B0000004"), 0x9000);
		memcpy(b, rig_data().p, 4);
		ck_assert_mem_eq(a, b, 4); /* both or none */
		ck_assert((a[0] == 0xAA) == (cut == 2));
		ck_assert_uint_eq(rig_send_bytes(r, envelope), 0x9000);
		ck_assert_uint_eq(por_rsc(r, &result), cut == 0 ? RSC_OK : RSC_COUNTER_LOW);
		rig_free(&r);
	}
}
END_TEST

/* No APDU makes the card crash, hang or answer less than a status word, and none gets at a key record. */
START_TEST(random_apdus_are_answered)
{
	struct rig *r = rig_new();
	uint8_t command[300];
	struct bytes k;

	ck_assert_int_eq(tlv_find(r->secrets, BIRTH_TRK, &k), OK);
	srand(1);
	for (int i = 0; i < 60000; i++) {
		size_t n = (size_t)rand() % 40;

		for (size_t b = 0; b < n; b++)
			command[b] = (uint8_t)rand();
		if (n > 4 && i % 2 == 0)
			command[4] = (uint8_t)(n - 5);
		if (n > 0 && i % 3 == 0)
			command[0] &= 0x83;
		(void)rig_send_bytes(r, (struct bytes){ command, n });
		ck_assert(memmem(rig_data().p, rig_data().n, k.p, 12) == NULL);
	}
	rig_free(&r);
	covers("R-047");
}
END_TEST

/* A record of an applet's at its limit can be read; one octet more is refused, by either put, and the old one stays. */
START_TEST(an_applets_record_can_be_read_again)
{
	static uint8_t full[APPLET_RECORD_MAX + 1];
	struct rig *r = rig_new();
	struct applet *a = applet_by_aid(&r->card, BYTES_STR(AID_PROSE));
	const struct bytes name = BYTES_STR("x"), most = { full, APPLET_RECORD_MAX }, more = { full, APPLET_RECORD_MAX + 1 };
	SECRET_LARGE found = { 0 };

	memset(full, 0x5A, sizeof full);
	ck_assert_int_eq(applet_put(a, name, most), OK);
	ck_assert_int_eq(store_commit(&r->card.store), OK);
	ck_assert_int_eq(applet_put(a, name, more), ERR_NO_SPACE);
	ck_assert_int_eq(applet_put_now(a, name, more), ERR_NO_SPACE);
	ck_assert_int_eq(store_commit(&r->card.store), OK);
	ck_assert_int_eq(applet_get(a, name, &found), OK);
	ck_assert(bytes_equal(secret_large_bytes(&found), most));
	ck_assert_int_eq(applet_put_now(a, BYTES_STR("y"), most), OK);
	ck_assert_int_eq(applet_get(a, BYTES_STR("y"), &found), OK);
	ck_assert(bytes_equal(secret_large_bytes(&found), most));
	rig_free(&r);
}
END_TEST

Suite *suite_card(void)
{
	Suite *s = suite_create("card");
	TCase *t = tcase_create("card");

	tcase_add_test(t, golden_scripts_over_loopback);
	tcase_add_test(t, waiting_answers_belong_to_their_channel);
	tcase_add_test(t, a_suspended_card_resumes_where_it_was);
	tcase_add_test(t, a_card_without_suspension_says_so);
	tcase_add_test(t, the_right_pin_at_the_last_try_works_and_wrong_ones_block);
	tcase_add_test(t, power_cuts_leave_old_or_new);
	tcase_add_test(t, a_wrong_pin_is_counted_before_it_is_compared);
	tcase_add_test(t, ota_runs_once_whole_or_not_at_all);
	tcase_add_test(t, refresh_after_an_update_over_the_air);
	tcase_add_test(t, power_cuts_in_ota_scripts);
	tcase_add_test(t, an_applets_record_can_be_read_again);
	tcase_add_test(t, random_apdus_are_answered);
	suite_add_tcase(s, t);
	return s;
}
