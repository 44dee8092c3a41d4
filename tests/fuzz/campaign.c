/* SPDX-License-Identifier: Apache-2.0 */
/* campaign COUNT SEED SCRIPT...: a stream of COUNT real, mutated and random APDUs, the same for the same seed, against a born
 * card: channels, chains, extended lengths, proactive sessions, suspension, resets, power cycles, an administrator now and
 * then. Laws:
 *   - every command is answered with a status word of class 6 or 9;
 *   - a command that fails has written nothing but PIN tries;
 *   - tries come back with the right PIN or PUK only;
 *   - a second client, on channels of its own, always finds its file, its call and its administrator's session (witness.h).
 * The last line is a digest of every answer. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apdu/base/hex.h"
#include "card/io/birth/birth.h"
#include "card/os/pin.h"
#include "crypto/common/hash.h"
#include "tests/fuzz/witness.h"
#include "tests/support/rows.h"

enum { EPOCH = 2000, TEMPLATES_MAX = 4096, TEMPLATE_MAX = 300, LOOK_EVERY = 50 };

static uint64_t state;

/* xorshift64*: the stream must be the same everywhere. */
static uint32_t random32(void)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (uint32_t)(state * 0x2545F4914F6CDD1DULL >> 32);
}

static size_t below(size_t n)
{
	return random32() % n;
}

static enum status fill(struct rng *rng, uint8_t *out, size_t n)
{
	(void)rng;
	for (size_t i = 0; i < n; i++)
		out[i] = (uint8_t)random32();
	return OK;
}

static struct rng rng_stream = { fill };

static struct rows store, born;
static size_t writes_other; /* of anything but PIN tries, in this command */

static void note_write(const struct store_change *c)
{
	if (c->name.n < 2 || memcmp(c->name.p + c->name.n - 2, "/t", 2) != 0)
		writes_other++;
}

static struct card card;
static struct card_work work;
static struct card_env env = { .backend = &store.backend, .rng = &rng_stream, .work = &work };

static struct witness witness;

static void send_quietly(struct bytes command, struct buf *answer)
{
	card_transmit(&card, command, answer);
}

static void send_and_keep(struct bytes command, struct buf *answer);

static void birth(void)
{
	static const char toolkit[] =
	        "{\"toolkit\": [{\"when\": \"profile-download\", \"do\": \"poll-interval\", \"seconds\": 30},"
	        "{\"when\": \"profile-download\", \"do\": \"set-up-event-list\", \"events\": [\"data-available\", \"channel-status\"]},"
	        "{\"when\": \"profile-download\", \"do\": \"timer-management\", \"action\": \"start\", \"timer\": 1, \"seconds\": 9},"
	        "{\"when\": \"timer 1\", \"do\": \"open-channel\", \"address\": \"192.0.2.1\", \"port\": 1, \"buffer\": 9},"
	        "{\"when\": \"done open-channel\", \"do\": \"send-data\", \"data\": \"00\"},"
	        "{\"when\": \"event data-available\", \"do\": \"receive-data\", \"length\": 9}]}";
	struct order o = { .who = { .iccid = "8900101000000000017", .imsi = "001010000000001", .pin1_enabled = true } };
	static struct secret_large secrets;
	char reason[256] = "";

	o.who.profile = profile_parse(toolkit, sizeof toolkit - 1, "toolkit", reason, sizeof reason);
	if (bcd_encode(o.who.iccid, o.card_id, sizeof o.card_id) != OK ||
	        birth_test_secrets(&o, &secrets, reason, sizeof reason) != OK)
		abort();
	memcpy(env.card_id, o.card_id, sizeof env.card_id);
	if (profile_install(&card, &env, &o.who, secret_large_bytes(&secrets), reason, sizeof reason) != OK) {
		(void)fprintf(stderr, "%s\n", reason);
		abort();
	}
	witness = (struct witness){
		.send = send_quietly, .card_id = BYTES_OF(env.card_id), .secrets = secret_large_bytes(&secrets)
	};
	card_power_off(&card);
	if (card_power_on(&card, &env) != OK || !witness_prepare(&witness))
		abort();
	card_power_off(&card);
	witness.send = send_and_keep;
	order_free(&o);
	rows_copy(&born, &store);
}

static struct line {
	uint8_t p[TEMPLATE_MAX];
	size_t n;
} templates[TEMPLATES_MAX];
static size_t template_count;

/* The command of every line "HEX -> ..." of a script. */
static void read_templates(const char *path)
{
	FILE *f = fopen(path, "r");
	char line[2048];

	while (f != NULL && fgets(line, sizeof line, f) != NULL && template_count < TEMPLATES_MAX) {
		struct line *t = &templates[template_count];
		struct buf b = BUF_OF(t->p);
		char *end = strstr(line, "->");

		if (end == NULL)
			continue;
		while (end > line && end[-1] == ' ')
			end--;
		if (hex_decode((struct bytes){ (const uint8_t *)line, (size_t)(end - line) }, &b) == OK && b.len >= 4) {
			t->n = b.len;
			template_count++;
		}
	}
	if (f != NULL)
		(void)fclose(f);
}

static uint8_t response_memory[APDU_RESPONSE_MAX];
static struct buf response;
static uint8_t digest[SHA256_LEN];
static unsigned long long answered, done; /* done: 90xx, 91xx, 61xx */
static bool seen[0x10000];

static unsigned last_sw(void)
{
	return (unsigned)(response.p[response.len - 2] << 8 | response.p[response.len - 1]);
}

static void die(const char *law, struct bytes command)
{
	char text[2 * 64 + 1];

	command.n = command.n < 64 ? command.n : 64;
	(void)fprintf(stderr, "campaign: %s\n  command %s\n  answer %04X\n", law, hex_encode(command, text), last_sw());
	abort();
}

/* Tries left of PIN1, from the store: they go down, and up again only when the right PIN or PUK has come. */
static unsigned tries(void)
{
	const struct row *r = rows_find(&store, BYTES_STR("pin/01/t"));

	return r != NULL && r->n == 2 ? r->value[0] : 0;
}

static bool is_pin_command(uint8_t ins)
{
	return ins == INS_VERIFY_PIN || ins == INS_CHANGE_PIN || ins == INS_DISABLE_PIN || ins == INS_ENABLE_PIN ||
	       ins == INS_UNBLOCK_PIN;
}

static void send(struct bytes command)
{
	uint8_t *exact = malloc(command.n + 1); /* so that a sanitizer sees a read behind the end */
	unsigned sw, before = tries();
	struct command_apdu a;

	if (exact == NULL)
		abort();
	memcpy(exact, command.p, command.n);
	response = BUF_OF(response_memory);
	writes_other = 0;
	card_transmit(&card, (struct bytes){ exact, command.n }, &response);
	free(exact);
	if (response.failed || response.len < 2)
		die("no answer", command);
	sw = last_sw();
	answered++;
	done += sw_commits((enum sw)sw) || (sw & 0xFF00) == SW_BYTES_READY ? 1 : 0;
	seen[sw] = true;
	if ((sw & 0xF000) != 0x6000 && (sw & 0xF000) != 0x9000)
		die("no status word", command);
	if (!sw_commits((enum sw)sw) && (sw & 0xFF00) != SW_BYTES_READY && writes_other > 0)
		die("a refused command has written", command);
	if (tries() > before && (!sw_commits((enum sw)sw) || command.n < 4 || !is_pin_command(command.p[1])))
		die("a try came back", command);
	/* A wrong PIN1 has cost exactly one; chains carry their data elsewhere. */
	if ((sw & 0xFFF0) == SW_TRIES_LEFT && apdu_parse(command, &a) == OK && a.data.n > 0 && (a.cla & 0x10) == 0 &&
	        a.p2 == 0x01 && is_pin_command(a.ins) && a.ins != INS_UNBLOCK_PIN && tries() + 1 != before)
		die("a wrong PIN cost nothing", command);
}

/* The witness's commands keep the same laws. */
static void send_and_keep(struct bytes command, struct buf *answer)
{
	send(command);
	buf_put(answer, buf_bytes(&response));
}

static void look(void)
{
	const char *law = witness_look(&witness);

	if (law != NULL)
		die(law, (struct bytes){ 0 });
}

/* Mostly one that is open, and none of the witness's. */
static size_t pick_channel(void)
{
	size_t channel = below(8);

	channel += channel >= WITNESS_ADMIN ? 1 : 0;
	return card.channel[channel].open || below(16) == 0 ? channel : 0;
}

static uint8_t channel_cla(uint8_t cla, size_t channel)
{
	if ((cla & 0x60) != 0)
		return cla;
	return channel < 4 ? (uint8_t)((cla & ~3U) | channel) : (uint8_t)((cla & 0x90U) | 0x40 | (channel - 4));
}

static void mutate(struct line *t)
{
	for (size_t k = 1 + below(4); k > 0; k--)
		switch (below(6)) {
		case 0: t->p[below(t->n)] ^= (uint8_t)(1U << below(8)); break;
		case 1: t->p[below(t->n)] = (uint8_t)random32(); break;
		case 2: t->p[below(t->n < 5 ? t->n : 5)] = (uint8_t)random32(); break;
		case 3: t->n = 1 + below(t->n); break;
		case 4:
			while (t->n < TEMPLATE_MAX && below(8) != 0)
				t->p[t->n++] = (uint8_t)random32();
			break;
		default:
			if (t->n > 5)
				t->p[4] = (uint8_t)(t->n - 5);
			break;
		}
}

/* A short command with data as an extended one. */
static bool extend(const struct line *t, struct buf *out)
{
	size_t lc = t->n > 5 ? t->p[4] : 0;

	if (lc == 0 || t->n < 5 + lc)
		return false;
	buf_put(out, (struct bytes){ t->p, 4 });
	buf_put_uint(out, 3, lc);
	buf_put(out, (struct bytes){ t->p + 5, lc });
	if (below(2) == 0)
		buf_put_uint(out, 2, below(4) == 0 ? 0 : 1 + below(300));
	return true;
}

/* The same command in two parts. */
static void send_chained(const struct line *t)
{
	size_t lc = t->p[4], first = 1 + below(lc);
	uint8_t raw[TEMPLATE_MAX + 8];
	struct buf b = BUF_OF(raw);

	buf_put_u8(&b, t->p[0] | 0x10);
	buf_put(&b, (struct bytes){ t->p + 1, 3 });
	buf_put_u8(&b, (uint8_t)first);
	buf_put(&b, (struct bytes){ t->p + 5, first });
	send(buf_bytes(&b));
	if (first == lc)
		return;
	b.len = 0;
	buf_put(&b, (struct bytes){ t->p, 4 });
	buf_put_u8(&b, (uint8_t)(lc - first));
	buf_put(&b, (struct bytes){ t->p + 5 + first, lc - first });
	send(buf_bytes(&b));
}

/* What a terminal does next: GET RESPONSE, the right Le, FETCH and TERMINAL RESPONSE. */
static void follow(uint8_t cla)
{
	uint8_t get[] = { (uint8_t)(cla & 0x4F), INS_GET_RESPONSE, 0, 0, 0 }, fetch[] = { 0x80, INS_FETCH, 0, 0, 0 };
	unsigned sw = last_sw();

	if ((sw & 0xFF00) == SW_BYTES_READY) {
		get[4] = (uint8_t)(below(4) == 0 ? below(256) : sw & 0xFF);
		send(BYTES_OF(get));
	} else if ((sw & 0xFF00) == SW_FETCH) {
		fetch[4] = (uint8_t)sw;
		send(BYTES_OF(fetch));
		if (last_sw() == SW_OK && response.len > 7) {
			uint8_t answer[] = { 0x80, INS_TERMINAL_RESPONSE, 0, 0, 16, 0x81, 3, response.p[4], response.p[5],
				response.p[6], 0x82, 2, 0x82, 0x81, 0x83, 1, 0x00, 0xB8, 2, (uint8_t)(0x80 | below(8)), 0 };

			answer[16] = below(3) == 0 ? 0x30 : 0x00;
			send(BYTES_OF(answer));
		}
	}
}

/* The end of the card, now and then only, or most of the stream would be about that. */
static bool ends_the_card(const struct line *t)
{
	return t->n > 1 && t->p[1] == INS_TERMINATE_CARD && below(200) != 0;
}

static bool is_reset(void)
{
	return below(500) == 0;
}

/* One command: a line of a script, changed or not, or random octets. */
static void one(size_t line, size_t channel)
{
	struct line t;
	uint8_t raw[2 * TEMPLATE_MAX];
	struct buf b = BUF_OF(raw);
	size_t kind = below(20);

	if (kind < 18) {
		t = templates[line % template_count];
		t.p[0] = channel_cla(t.p[0], channel);
		if (kind >= 13)
			mutate(&t);
	} else {
		t.n = 4 + below(20);
		(void)fill(NULL, t.p, t.n);
		if (below(2) == 0)
			t.p[0] = channel_cla(below(2) == 0 ? 0x00 : 0x80, channel);
	}
	if (witness_owns(t.p, t.n) || ends_the_card(&t))
		return;
	if (kind == 0 && t.n > 5 && t.p[4] > 0 && t.n >= 5U + t.p[4])
		send_chained(&t);
	else if (kind == 1 && extend(&t, &b))
		send(buf_bytes(&b));
	else
		send((struct bytes){ t.p, t.n });
	if (below(3) != 0)
		follow(t.p[0]);
}

static void verify_pin(void)
{
	static const uint8_t verify[] = { 0x00, 0x20, 0x00, 0x01, 0x08, '1', '2', '3', '4', 0xFF, 0xFF, 0xFF, 0xFF };

	send(BYTES_OF(verify));
}

static void absorb(void)
{
	const struct bytes parts[] = { BYTES_OF(digest), buf_bytes(&response) };

	if (sha256(parts, 2, digest) != OK)
		abort();
}

int main(int argc, char **argv)
{
	unsigned long long n = argc > 3 ? strtoull(argv[1], NULL, 10) : 0;
	char text[2 * SHA256_LEN + 1];
	bool administrator = false;
	size_t words = 0, line = 0, channel = 0, left = 0;

	if (n == 0) {
		(void)fprintf(stderr, "usage: campaign COUNT SEED SCRIPT...\n");
		return 2;
	}
	state = strtoull(argv[2], NULL, 10) * 2 + 1;
	for (int i = 3; i < argc; i++)
		read_templates(argv[i]);
	if (template_count == 0)
		return 2;
	rows_init(&store);
	rows_init(&born);
	store.on_write = note_write;
	birth();
	for (unsigned long long i = 0; i < n; i++) {
		if (i % EPOCH == 0) {
			card_power_off(&card);
			rows_copy(&store, &born); /* PIN, files and domains as they were */
			if (card_power_on(&card, &env) != OK)
				abort();
			administrator = below(3) == 0;
			witness_open(&witness);
		}
		if (is_reset()) {
			if (below(4) == 0)
				card_power_off(&card);
			if (card.env.work == NULL ? card_power_on(&card, &env) != OK : (card_reset(&card), false))
				die("the card does not come up again", (struct bytes){ 0 });
			witness_open(&witness);
		}
		card.channel[0].adm = administrator;
		if (left-- == 0) { /* a passage of a script, on one channel */
			line = below(template_count);
			left = below(12);
			channel = pick_channel();
			if (below(8) == 0)
				verify_pin();
		}
		one(line++, channel);
		absorb();
		if (!administrator && i % LOOK_EVERY == 0)
			look();
	}
	card_power_off(&card);
	rows_free(&store);
	rows_free(&born);
	for (size_t i = 0; i < sizeof seen; i++)
		words += seen[i] ? 1 : 0;
	if (witness.packets == 0 || witness.commands == 0) {
		(void)fprintf(stderr, "campaign: the second client never had a call or a session\n");
		return 1;
	}
	(void)printf("campaign: %llu APDUs of %zu kinds, seed %s: %llu %% done, %zu status words, "
	             "%llu packets and %llu commands of the second client, digest %.16s\n",
	        answered, template_count, argv[2], done * 100 / answered, words, witness.packets, witness.commands,
	        hex_encode(BYTES_OF(digest), text));
	return 0;
}
