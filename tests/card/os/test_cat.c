/* SPDX-License-Identifier: Apache-2.0 */
/* The proactive session: what the toolkit rules of a profile ask of a terminal, octet by octet, and terminals that misbehave.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "card/io/birth/birth.h"
#include "card/io/birth/profile_toolkit.h"
#include "tests/support/support.h"

#define PROFILE "8010000002FFFF"

/* A test card with these rules. */
static struct rig *card_with(const char *rules)
{
	char text[4096 + 64];

	(void)snprintf(text, sizeof text, "{\"toolkit\": %s}", rules);
	return rig_profile(text);
}

/* Fetch, and expect this command. */
static void expect(struct rig *r, const char *command)
{
	struct bytes c = hex(command);
	char fetch[16];

	(void)snprintf(fetch, sizeof fetch, "80120000%02X", (unsigned)c.n);
	ck_assert_uint_eq(rig_send(r, "80F2000C00"), 0x9100 | (unsigned)c.n);
	ck_assert_uint_eq(rig_send(r, fetch), 0x9000);
	ck_assert_msg(bytes_equal(rig_data(), c), "expected %s", command);
}

/* Answer with these TLVs; the status word says whether another command waits. */
static unsigned respond(struct rig *r, const char *tlvs)
{
	char text[256];

	(void)snprintf(text, sizeof text, "80140000%02X%s", (unsigned)(strlen(tlvs) / 2), tlvs);
	return rig_send(r, text);
}

/* Nothing before the profile download; then each command in the order of the rules, with its own number. */
START_TEST(each_proactive_command_as_the_specification_has_it)
{
	static const char rules[] =
	        "[{\"when\": \"profile-download\", \"do\": \"set-up-event-list\", \"events\": [\"data-available\", \"channel-status\"]},"
	        "{\"when\": \"profile-download\", \"do\": \"poll-interval\", \"seconds\": 30},"
	        "{\"when\": \"profile-download\", \"do\": \"poll-interval\", \"seconds\": 600},"
	        "{\"when\": \"profile-download\", \"do\": \"provide-local-information\", \"what\": \"imei\"},"
	        "{\"when\": \"profile-download\", \"do\": \"send-short-message\", \"tpdu\": \"01000481214300F6030102AA\"},"
	        "{\"when\": \"profile-download\", \"do\": \"timer-management\", \"action\": \"start\", \"timer\": 3, \"seconds\": 3725}]";
	struct rig *r = card_with(rules);

	ck_assert_uint_eq(rig_send(r, "80F2000C00"), 0x9000);
	ck_assert_uint_eq(rig_send(r, "8012000000"), 0x6985);
	ck_assert_uint_eq(rig_send(r, PROFILE), 0x910F);
	expect(r, "D00D8103010500820281829902090A"); /* set up event list */
	ck_assert_uint_eq(respond(r, "810301050082028281830100"), 0x910F);
	expect(r, "D00D810302030082028182840201"
	          "1E");
	ck_assert_uint_eq(respond(r, "8103020300820282818301008402011E"), 0x910F);
	expect(r, "D00D810303030082028182840200"
	          "0A");
	ck_assert_uint_eq(respond(r, "810303030082028281830100"), 0x910B);
	expect(r, "D009810304260182028182");
	ck_assert_uint_eq(respond(r, "81030426018202828183010094081234567890123456"), 0x9119);
	expect(r, "D017810305130082028183"
	          "8B0C01000481214300F6030102AA");
	ck_assert_uint_eq(respond(r, "010305130002028281030100"), 0x9113); /* comprehension bits do not matter */
	expect(r, "D011810306270082028182"
	          "A40103"
	          "A503102050");
	ck_assert_uint_eq(respond(r, "810306270082028281830100A40103"), 0x9000);
	ck_assert_uint_eq(rig_send(r, PROFILE), 0x9000); /* the same terminal again: nothing begins twice */
	rig_free(&r);
}
END_TEST

/* OPEN CHANNEL, SEND DATA on the channel that the terminal gave, data available, RECEIVE DATA, CLOSE CHANNEL. */
START_TEST(a_channel_from_opening_to_closing)
{
	static const char rules[] =
	        "[{\"when\": \"profile-download\", \"do\": \"set-up-event-list\", \"events\": [\"data-available\"]},"
	        "{\"when\": \"profile-download\", \"do\": \"open-channel\", \"address\": \"192.0.2.9\", \"port\": 8443, \"buffer\": 1400},"
	        "{\"when\": \"done open-channel\", \"do\": \"send-data\", \"data\": \"48656C6C6F\"},"
	        "{\"when\": \"failed open-channel\", \"do\": \"provide-local-information\", \"what\": \"location\"},"
	        "{\"when\": \"event data-available\", \"do\": \"receive-data\", \"length\": 200},"
	        "{\"when\": \"done receive-data\", \"do\": \"close-channel\"}]";
	struct rig *r = card_with(rules);

	ck_assert_uint_eq(rig_send(r, PROFILE), 0x910E);
	expect(r, "D00C810301050082028182990109");
	ck_assert_uint_eq(respond(r, "810301050082028281830100"), 0x911E);
	expect(r, "D01C810302400182028182B50103B9020578BC030220FBBE0521C0000209");
	ck_assert_uint_eq(rig_send(r, "80C2000009D6079901098202828"
	                              "1"),
	        0x9300); /* events wait for the session's end */
	ck_assert_uint_eq(respond(r, "810302400182028281830100B8028500B50103B9020578"), 0x9112);
	expect(r, "D010810303430182028125B60548656C6C6F");
	ck_assert_uint_eq(respond(r, "810303430182028281830100B701FF"), 0x9000);
	/* Data on a channel that is not ours, then on ours. */
	ck_assert_uint_eq(rig_send(r, "80C200000ED60C99010982028281B8028100B70120"), 0x6700);
	ck_assert_uint_eq(rig_send(r, "80C2000010D60E99010982028281B8028100B70120"), 0x9000);
	ck_assert_uint_eq(rig_send(r, "80C2000010D60E99010982028281B8028500B70120"), 0x910E);
	expect(r, "D00C810304420082028125B701C8");
	ck_assert_uint_eq(respond(r, "810304420082028281830100B602AABBB70100"), 0x910B);
	expect(r, "D009810305410082028125");
	ck_assert_uint_eq(respond(r, "810305410082028281830100"), 0x9000);
	/* The channel is nobody's now. */
	ck_assert_uint_eq(rig_send(r, "80C2000010D60E99010982028281B8028500B70120"), 0x9000);
	card_reset(&r->card);
	/* A terminal that cannot: the other rule. */
	ck_assert_uint_eq(rig_send(r, PROFILE), 0x910E);
	expect(r, "D00C810301050082028182990109");
	ck_assert_uint_eq(respond(r, "810301050082028281830100"), 0x911E);
	expect(r, "D01C810302400182028182B50103B9020578BC030220FBBE0521C0000209");
	ck_assert_uint_eq(respond(r, "81030240018202828183023A01"), 0x910B);
	expect(r, "D009810303260082028182");
	rig_free(&r);
}
END_TEST

START_TEST(timers_and_the_link_that_goes)
{
	static const char rules[] =
	        "[{\"when\": \"profile-download\", \"do\": \"timer-management\", \"action\": \"start\", \"timer\": 1, \"seconds\": 10},"
	        "{\"when\": \"timer 1\", \"do\": \"timer-management\", \"action\": \"start\", \"timer\": 1, \"seconds\": 86399},"
	        "{\"when\": \"timer 2\", \"do\": \"provide-local-information\", \"what\": \"date-time\"}]";
	struct rig *r = card_with(rules);

	ck_assert_uint_eq(rig_send(r, "80C200000ED70C82028281A40101A503000001"), 0x6985); /* nobody started one */
	ck_assert_uint_eq(rig_send(r, PROFILE), 0x9113);
	expect(r, "D011810301270082028182A40101A503000001");
	ck_assert_uint_eq(respond(r, "810301270082028281830100A40101"), 0x9000);
	ck_assert_uint_eq(rig_send(r, "80C200000ED70C82028281A40102A503000001"), 0x6985); /* not started */
	ck_assert_uint_eq(rig_send(r, "80C200000ED70C82028281A40109A503000001"), 0x6985);
	ck_assert_uint_eq(rig_send(r, "80C2000006D70482028281"), 0x6A80); /* no timer */
	ck_assert_uint_eq(rig_send(r, "80C200000ED70C82028281A40101A503000001"), 0x9113);
	expect(r, "D011810302270082028182A40101A503329595");
	/* A terminal without a free timer: it may not expire. */
	ck_assert_uint_eq(respond(r, "810302270082028281830120A40101"), 0x9000);
	ck_assert_uint_eq(rig_send(r, "80C200000ED70C82028281A40101A503000001"), 0x6985);
	rig_free(&r);
}
END_TEST

/* Answers that nobody asked for, for another command, cut short, doubled: refused, and the session goes on. */
START_TEST(bad_answers_change_nothing)
{
	static const char *const bad[] = { "", "81", "8103", "810301030083", "8103010300", "830100", "8103020300830100",
		"8103010400830100", "81030103008103010300830100", "8103010300830100830100", "810301030083", "81030103008300" };
	struct rig *r = card_with("[{\"when\": \"profile-download\", \"do\": \"poll-interval\", \"seconds\": 30}]");

	ck_assert_uint_eq(respond(r, "8103010300820282818301"
	                             "00"),
	        0x6985);
	ck_assert_uint_eq(rig_send(r, PROFILE), 0x910F);
	ck_assert_uint_eq(respond(r, "810301030082028281830100"), 0x6985); /* not fetched */
	expect(r, "D00D8103010300820281828402011E");
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		unsigned sw = respond(r, bad[i]);

		ck_assert_msg(sw == 0x6A80 || sw == 0x6700, "%s: %04X", bad[i], sw);
	}
	ck_assert_uint_eq(rig_send(r, "801200000F"), 0x9000); /* it may still be fetched again */
	ck_assert_uint_eq(respond(r, "810301030082028281830100"), 0x9000);
	rig_free(&r);
}
END_TEST

/* Rules that ask for more and more end when the queue is full, not the card. */
START_TEST(a_full_queue_is_no_trouble)
{
	static const char rule[] = "{\"when\": \"%s\", \"do\": \"send-short-message\", \"tpdu\": \"%0200d\"}";
	char rules[4096] = "[";

	for (int i = 0; i < 8; i++) {
		(void)snprintf(rules + strlen(rules), sizeof rules - strlen(rules), rule,
		        i == 7 ? "done send-short-message" : "profile-download", 0);
		(void)strcat(rules, i == 7 ? "]" : ",");
	}
	{
		struct rig *r = card_with(rules);

		ck_assert_uint_eq(rig_send(r, PROFILE), 0x9171);
		for (unsigned n = 1; n < 40; n++) {
			char answer[64];

			ck_assert_uint_eq(rig_send(r, "8012000071"), 0x9000);
			(void)snprintf(answer, sizeof answer, "8103%02X130082028281830100", n);
			ck_assert_uint_eq(respond(r, answer), 0x9171);
		}
		card_reset(&r->card);
		ck_assert_uint_eq(rig_send(r, "80F2000C00"), 0x9000);
		rig_free(&r);
	}
}
END_TEST

START_TEST(rules_are_checked_and_come_back_from_a_dump)
{
	static const struct {
		const char *text, *says;
	} bad[] = { { "{}", "must be a list" }, { "[7]", "\"when\"" },
		{ "[{\"when\": \"timer 9\", \"do\": \"close-channel\"}]", "\"when\"" },
		{ "[{\"when\": \"event rain\", \"do\": \"close-channel\"}]", "\"when\"" },
		{ "[{\"when\": \"done dinner\", \"do\": \"close-channel\"}]", "\"when\"" },
		{ "[{\"when\": \"profile-download now\", \"do\": \"close-channel\"}]", "\"when\"" },
		{ "[{\"when\": \"profile-download\", \"do\": \"play-tone\"}]", "\"do\"" },
		{ "[{\"when\": \"profile-download\", \"do\": \"poll-interval\"}]", "\"seconds\"" },
		{ "[{\"when\": \"profile-download\", \"do\": \"poll-interval\", \"seconds\": 0}]", "\"seconds\"" },
		{ "[{\"when\": \"profile-download\", \"do\": \"open-channel\", \"address\": \"example.org\"}]", "\"address\"" },
		{ "[{\"when\": \"profile-download\", \"do\": \"send-data\", \"data\": \"0G\"}]", "\"data\"" },
		{ "[{\"when\": \"profile-download\", \"do\": \"set-up-event-list\", \"events\": [\"rain\"]}]", "\"events\"" } };
	static const char good[] =
	        "[{\"when\": \"profile-download\", \"do\": \"set-up-event-list\", \"events\": [\"location-status\", \"channel-status\"]},"
	        "{\"when\": \"timer 8\", \"do\": \"timer-management\", \"action\": \"start\", \"timer\": 8, \"seconds\": 86399},"
	        "{\"when\": \"failed timer-management\", \"do\": \"timer-management\", \"action\": \"stop\", \"timer\": 8},"
	        "{\"when\": \"event location-status\", \"do\": \"open-channel\", \"address\": \"192.0.2.9\", \"port\": 1, \"buffer\": 65535},"
	        "{\"when\": \"done open-channel\", \"do\": \"send-data\", \"data\": \"0102\"},"
	        "{\"when\": \"done send-data\", \"do\": \"close-channel\"}]";
	uint8_t raw[1024];
	char reason[256];
	size_t index;
	struct rig *r;
	json_t *list, *profile;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct buf b = BUF_OF(raw);

		list = json_loads(bad[i].text, 0, NULL);
		ck_assert_ptr_nonnull(list);
		ck_assert_int_eq(toolkit_encode(list, &b, &index, reason, sizeof reason), ERR_MALFORMED);
		ck_assert_msg(strstr(reason, bad[i].says) != NULL, "%s: %s", bad[i].text, reason);
		json_decref(list);
	}
	r = card_with(good);
	list = json_loads(good, 0, NULL);
	profile = profile_of_card(&r->card);
	ck_assert(json_equal(json_object_get(profile, "toolkit"), list));
	json_decref(profile);
	json_decref(list);
	rig_free(&r);
}
END_TEST

Suite *suite_cat(void)
{
	Suite *s = suite_create("cat");
	TCase *t = tcase_create("cat");

	tcase_add_test(t, each_proactive_command_as_the_specification_has_it);
	tcase_add_test(t, a_channel_from_opening_to_closing);
	tcase_add_test(t, timers_and_the_link_that_goes);
	tcase_add_test(t, bad_answers_change_nothing);
	tcase_add_test(t, a_full_queue_is_no_trouble);
	tcase_add_test(t, rules_are_checked_and_come_back_from_a_dump);
	suite_add_tcase(s, t);
	return s;
}
