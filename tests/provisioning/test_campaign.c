/* SPDX-License-Identifier: Apache-2.0 */
/* Campaigns: whatever the network loses, doubles and delays, and however often a server dies, every card is updated exactly
 * once and the report says so. Time and chance are the test's own. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "provisioning/campaign/courier.h"
#include "provisioning/campaign/campaign.h"
#include "tests/support/fake_card.h"
#include "tests/support/operator.h"

enum { CARDS = 12, FLYING = 256, START_MS = 1000 };

struct flying { /* a message on its way, either way */
	uint64_t at;
	unsigned card;
	bool up;
	size_t n;
	uint8_t octets[512];
};

static struct {
	struct fake_card card[CARDS];
	struct flying message[FLYING];
	size_t flying;
	uint64_t now, state;
	unsigned loss, twice, dying; /* per cent */
} net;

static unsigned chance(void) /* 0 to 99 */
{
	net.state = net.state * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (unsigned)(net.state >> 33) % 100;
}

static void fly(unsigned card, bool up, struct bytes octets)
{
	unsigned copies = chance() < net.loss ? 0 : chance() < net.twice ? 2 : 1;

	for (unsigned i = 0; i < copies && net.flying < FLYING; i++) {
		struct flying *f = &net.message[net.flying++];

		*f = (struct flying){ .at = net.now + chance() * 140, .card = card, .up = up, .n = octets.n };
		memcpy(f->octets, octets.p, octets.n);
	}
}

static void send_packet(void *context, const struct campaign_packet *p)
{
	bool *dies = context;

	for (unsigned i = 0; i < CARDS && !*dies; i++)
		if (strcmp(net.card[i].msisdn, p->msisdn) == 0)
			fly(i, false, p->packet);
	if (chance() < net.dying)
		*dies = true; /* what was claimed after this one never leaves */
}

static void arrive(struct engine *e, size_t at)
{
	struct flying f = net.message[at];
	uint8_t raw[256];
	struct buf answer = BUF_OF(raw);

	net.message[at] = net.message[--net.flying];
	if (f.up) {
		ck_assert_int_eq(engine_begin(e), OK);
		ck_assert_int_eq(
		        engine_end(e, engine_answer(e, net.now, net.card[f.card].msisdn, (struct bytes){ f.octets, f.n })), OK);
		return;
	}
	fake_card_take(&net.card[f.card], (struct bytes){ f.octets, f.n }, &answer);
	if (answer.len > 0)
		fly(f.card, true, buf_bytes(&answer));
}

static void create(const char *name, const char *job, unsigned retries)
{
	struct campaign_order o = { .name = name,
		.job = job,
		.stages = "3",
		.abort = 1000,
		.retries = retries,
		.answer = 30,
		.valid = 100000,
		.spi2 = SPI2_DEFAULT };
	char reason[256] = "";
	uint64_t cards;

	ck_assert_int_eq(db_begin(db), OK);
	ck_assert_msg(campaign_create(db, &o, net.now, &cards, reason, sizeof reason) == OK, "%s", reason);
	ck_assert_int_eq(db_commit(db), OK);
	ck_assert_uint_eq(cards, CARDS);
}

/* Until no campaign runs; a server that dies is replaced by a new one that knows only the database. */
static void simulate(void)
{
	struct engine *e = engine_new(db);
	unsigned open = 1, count;

	for (unsigned round = 0; open > 0; round++) {
		bool dies = false;

		ck_assert_uint_lt(round, 100000);
		net.now += 500;
		for (size_t i = 0; i < net.flying;)
			if (net.message[i].at <= net.now)
				arrive(e, i);
			else
				i++;
		ck_assert_int_eq(engine_claim(e, net.now, 5, send_packet, &dies, &count), OK);
		ck_assert_int_eq(engine_turn(e, net.now, &open), OK);
		if (dies) {
			engine_free(&e);
			e = engine_new(db);
		}
	}
	engine_free(&e);
}

static void world(uint64_t seed, unsigned loss, unsigned twice, unsigned dying)
{
	open_operator();
	memset(&net, 0, sizeof net);
	net.state = seed;
	net.now = START_MS;
	net.loss = loss;
	net.twice = twice;
	net.dying = dying;
	ck_assert_int_eq(db_begin(db), OK);
	for (unsigned i = 0; i < CARDS; i++)
		ck_assert_int_eq(fake_card_new(db, i, &net.card[i]), OK);
	ck_assert_int_eq(db_commit(db), OK);
}

START_TEST(every_card_once_whatever_is_lost)
{
	static const unsigned bad[][3] = { { 0, 0, 0 }, { 20, 0, 0 }, { 0, 50, 0 }, { 20, 20, 0 }, { 10, 10, 20 },
		{ 40, 30, 10 } };
	struct campaign c;

	world((uint64_t)_i, bad[_i % 6][0], bad[_i % 6][1], bad[_i % 6][2]);
	create("once", "{\"files\": [{\"file\": \"4F05\", \"content\": \"0102030405\"}]}", 100);
	simulate();
	ck_assert_int_eq(campaign_get(db, "once", &c), OK);
	ck_assert_int_eq(c.state, CAMPAIGN_FINISHED);
	ck_assert_uint_eq(c.done, CARDS);
	ck_assert_uint_eq(c.failed, 0);
	for (unsigned i = 0; i < CARDS; i++) {
		ck_assert_uint_eq(net.card[i].updates, 1);
		ck_assert(bytes_equal((struct bytes){ net.card[i].file, 5 }, hex("0102030405")));
	}
	close_operator();
}
END_TEST

/* Counters: never twice, whoever dies; each packet that a card takes is new to it. */
START_TEST(a_job_that_may_run_twice_runs_at_least_once)
{
	struct campaign c;

	world((uint64_t)_i + 77, 30, 30, 10);
	create("again", "{\"files\": [{\"file\": \"4F05\", \"content\": \"AA\"}], \"repeat\": true}", 100);
	simulate();
	ck_assert_int_eq(campaign_get(db, "again", &c), OK);
	ck_assert_uint_eq(c.done, CARDS);
	for (unsigned i = 0; i < CARDS; i++)
		ck_assert_uint_ge(net.card[i].updates, 1);
	close_operator();
}
END_TEST

/* One card never answers: the report says so, all others are done; nobody is forgotten. */
START_TEST(a_dead_card_is_reported)
{
	struct campaign c;

	world(5, 0, 0, 0);
	memset(net.card[4].key, 0xEE, 16); /* it does not understand us */
	create("dead", "{\"files\": [{\"file\": \"4F05\", \"content\": \"AA\"}]}", 3);
	simulate();
	ck_assert_int_eq(campaign_get(db, "dead", &c), OK);
	ck_assert_uint_eq(c.done, CARDS - 1);
	ck_assert_uint_eq(c.failed, 1);
	ck_assert_uint_eq(c.messages, CARDS - 1 + 3);
	ck_assert_uint_eq(net.card[4].updates, 0);
	close_operator();
}
END_TEST

/* The card's counter is ahead, by any amount that jumps can reach; beyond that somebody has to look. */
START_TEST(counters_are_found_again)
{
	static const uint64_t ahead[] = { 1, 15, 300, 5000, 100000, 1000000, 3000000 };
	struct campaign c;

	world(6, 10, 10, 0);
	for (unsigned i = 0; i < 7; i++)
		net.card[i].counter = ahead[i];
	create("ahead", "{\"files\": [{\"file\": \"4F05\", \"content\": \"AA\"}]}", 100);
	simulate();
	ck_assert_int_eq(campaign_get(db, "ahead", &c), OK);
	ck_assert_uint_eq(c.done, CARDS - 1);
	ck_assert_uint_eq(c.failed, 1);
	for (unsigned i = 0; i < CARDS; i++)
		ck_assert_uint_eq(net.card[i].updates, i == 6 ? 0 : 1);
	close_operator();
}
END_TEST

/* Answers that anybody could make change nothing: wrong keys, unsigned, another card's, an old one. */
START_TEST(forged_answers_change_nothing)
{
	struct ota_response r = { .tar = { 0xB0, 0x5F, 0x90 }, .counter = 1, .data = hex("029000") };
	uint8_t raw[512], forged_raw[64];
	struct buf old = BUF_OF(raw), forged = BUF_OF(forged_raw);
	struct ota_keys wrong = {
		.kvn = 1, .kic = hex("00112233445566778899AABBCCDDEEFF"), .kid = hex("00112233445566778899AABBCCDDEEFF")
	};
	struct engine *e;
	struct campaign c;
	unsigned count, open;
	bool dies = false;

	world(8, 100, 0, 0); /* nothing arrives */
	create("forged", "{\"files\": [{\"file\": \"4F05\", \"content\": \"AA\"}]}", 3);
	e = engine_new(db);
	ck_assert_int_eq(engine_claim(e, net.now, 5, send_packet, &dies, &count), OK);
	ck_assert_int_eq(ota_response_build(&wrong, SPI2_DEFAULT, &r, &old), OK);
	ck_assert_int_eq(ota_response_build(NULL, 0, &r, &forged), OK);
	ck_assert_int_eq(engine_begin(e), OK);
	for (unsigned i = 0; i < CARDS; i++) {
		ck_assert_int_eq(engine_answer(e, net.now, net.card[i].msisdn, buf_bytes(&old)), OK);
		ck_assert_int_eq(engine_answer(e, net.now, net.card[i].msisdn, buf_bytes(&forged)), OK);
		ck_assert_int_eq(engine_answer(e, net.now, net.card[i].msisdn, hex("0271000003")), OK);
		ck_assert_int_eq(engine_answer(e, net.now, net.card[i].msisdn, (struct bytes){ 0 }), OK);
	}
	ck_assert_int_eq(engine_answer(e, net.now, "0", buf_bytes(&forged)), OK);
	ck_assert_int_eq(engine_answer(e, net.now, "", buf_bytes(&forged)), OK);
	ck_assert_int_eq(engine_end(e, OK), OK);
	ck_assert_int_eq(engine_turn(e, net.now, &open), OK);
	ck_assert_int_eq(campaign_get(db, "forged", &c), OK);
	ck_assert_uint_eq(c.done + c.failed, 0);
	engine_free(&e);
	close_operator();
}
END_TEST

static const struct courier_job courier_job = { "8900", "/tmp/a b/in", "/tmp/out" };

/* The words of a command, each behind a bar; "refused" instead. */
static const char *words(const char *command)
{
	static char all[400];
	char memory[COURIER_TEXT_MAX], *word[COURIER_WORDS_MAX + 1];

	if (courier_words(command, &courier_job, memory, word) != OK)
		return "refused";
	all[0] = 0;
	for (size_t i = 0; word[i] != NULL; i++)
		(void)snprintf(all + strlen(all), sizeof all - strlen(all), "|%s", word[i]);
	return all;
}

/* What --via names is a program and its words; what only a shell would do is refused instead of done otherwise. */
START_TEST(a_courier_is_run_by_its_words)
{
	static const char *const shells[] = { "", " ", "a; b", "a && b", "a | b", "a > b", "a < b", "a `b`", "a $(b)",
		"a $HOME", "a $", "a 'b", "a \"b", "a \"$HOME\"", "a *", "a ~/b", "a\nb", "a ${IN", "a $INX", "a \\b", "(a)" };
	char long_one[2 * COURIER_WORDS_MAX + 3];

	ck_assert_str_eq(words("ue --reader \"unix:farm.sock#$ICCID\" ota deliver \"$IN\" --out $OUT"),
	        "|ue|--reader|unix:farm.sock#8900|ota|deliver|/tmp/a b/in|--out|/tmp/out");
	ck_assert_str_eq(words("  a  $IN  "), "|a|/tmp/a b/in"); /* one word, whatever is in it */
	ck_assert_str_eq(words("a${ICCID}b ''"), "|a8900b|");
	ck_assert_str_eq(words("sh -c 'cp \"$IN\" x; false'"), "|sh|-c|cp \"$IN\" x; false");
	ck_assert_str_eq(words("a \"b;c|d\""), "|a|b;c|d");
	for (size_t i = 0; i < sizeof shells / sizeof *shells; i++)
		ck_assert_msg(strcmp(words(shells[i]), "refused") == 0, "%s: %s", shells[i], words(shells[i]));
	for (size_t i = 0; i < sizeof long_one; i++)
		long_one[i] = i % 2 == 0 ? 'a' : ' ';
	long_one[2 * COURIER_WORDS_MAX] = 0;
	ck_assert_str_ne(words(long_one), "refused");
	long_one[2 * COURIER_WORDS_MAX] = 'a';
	long_one[2 * COURIER_WORDS_MAX + 1] = 0;
	ck_assert_str_eq(words(long_one), "refused");
}
END_TEST

/* Its answer comes back, from here and from a process of its own; a failure, no answer and no program each say so. */
START_TEST(a_courier_brings_the_answer)
{
	static const struct {
		const char *command;
		enum status st;
		const char *answer;
	} rows[] = { { "sh -c 'test \"$ICCID\" = 8900 && cp \"$IN\" \"$OUT\"'", OK, "abcd" }, { "cp $IN $OUT", OK, "abcd" },
		{ "true", OK, "" }, { "false", ERR_IO, "" }, { "/no/such/program", ERR_IO, "" },
		{ "sh -c 'echo xyz >$OUT'", ERR_IO, "" } };

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		for (int apart = 0; apart <= 1; apart++) {
			uint8_t raw[100];
			struct buf b = BUF_OF(raw);
			struct courier *c = apart ? courier_start(rows[i].command) : NULL;
			enum status st = apart ? courier_ask(c, "8900", BYTES_STR("abcd\n"), &b)
			                       : courier_deliver(rows[i].command, "8900", BYTES_STR("abcd\n"), &b);

			ck_assert_msg(st == rows[i].st, "row %zu: %d", i, (int)st);
			ck_assert(st != OK || bytes_equal(buf_bytes(&b), hex(rows[i].answer)));
			if (apart) /* and again */
				ck_assert_int_eq(courier_ask(c, "8900", BYTES_STR("abcd\n"), &b), rows[i].st);
			courier_end(&c);
		}
}
END_TEST

Suite *suite_campaign(void)
{
	Suite *s = suite_create("campaign");
	TCase *c = tcase_create("campaign");

	tcase_add_loop_test(c, every_card_once_whatever_is_lost, 0, 12);
	tcase_add_loop_test(c, a_job_that_may_run_twice_runs_at_least_once, 0, 3);
	tcase_add_test(c, a_courier_is_run_by_its_words);
	tcase_add_test(c, a_courier_brings_the_answer);
	tcase_add_test(c, a_dead_card_is_reported);
	tcase_add_test(c, counters_are_found_again);
	tcase_add_test(c, forged_answers_change_nothing);
	suite_add_tcase(s, c);
	return s;
}
