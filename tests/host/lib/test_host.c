/* SPDX-License-Identifier: Apache-2.0 */
/* libprose-ue over a card in the same process: what happens to a call when another client resets the card in the middle. */
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apdu/ins.h"
#include "apdu/base/limits.h"
#include "apdu/files.h"
#include "apdu/prose.h"
#include "apdu/sw.h"
#include "host/lib/prose-ue.h"
#include "tests/support/support.h"

enum { CUTS_MAX = 64 };

/* As pcscd does it: once the card was reset, nothing is sent until the handle has been connected again. */
struct link {
	struct rig *rig;
	int sent, reset_before; /* the reset comes before this command; -1: never */
	bool dead, every_time, one_channel;
	unsigned reconnections, verifies; /* the latter with a PIN */
	const char *pin;
};

static enum prose_result link_transmit(void *context, const uint8_t *c, size_t c_len, uint8_t *r, size_t *n)
{
	struct link *l = context;
	struct buf b = { r, 0, *n, false };

	if (!l->dead && (l->sent++ == l->reset_before || l->every_time)) {
		card_reset(&l->rig->card);
		l->dead = true;
	}
	*n = 0;
	if (l->dead)
		return PROSE_RESET;
	l->verifies += c_len > 5 && c[1] == INS_VERIFY_PIN ? 1 : 0;
	if (l->one_channel && c[1] == INS_MANAGE_CHANNEL) {
		buf_put_uint(&b, 2, SW_CHANNEL_NOT_SUPPORTED);
		*n = b.len;
		return PROSE_OK;
	}
	card_transmit(&l->rig->card, (struct bytes){ c, c_len }, &b);
	*n = b.len;
	return PROSE_OK;
}

static enum prose_result link_begin(void *context)
{
	struct link *l = context;

	if (!l->dead)
		return PROSE_OK;
	l->dead = false;
	l->reconnections++;
	return PROSE_RESET;
}

static void link_close(void *context)
{
	(void)context;
}

static bool pin_1234(void *context, char pin[9])
{
	const struct link *l = context;

	memcpy(pin, "1234", 5);
	if (l != NULL && l->pin != NULL)
		memcpy(pin, l->pin, strlen(l->pin) + 1);
	return true;
}

static struct prose_card *open_card(struct link *l)
{
	const struct prose_options o = { pin_1234, l };
	struct prose_card *c;

	ck_assert_int_eq(
	        prose_card_open((struct prose_transport){ l, link_transmit, link_begin, NULL, NULL, link_close }, &o, &c),
	        PROSE_OK);
	return c;
}

static enum prose_result read_imsi(struct prose_card *c)
{
	static const uint16_t path[] = { FID_CURRENT_ADF, FID_IMSI };
	uint8_t content[EF_IMSI_LEN];
	size_t n = sizeof content;
	enum prose_result r = prose_file_read(c, path, 2, content, &n);

	if (r == PROSE_OK)
		ck_assert_uint_eq(n, EF_IMSI_LEN);
	return r;
}

static enum prose_result update_language(struct prose_card *c)
{
	static const uint16_t path[] = { FID_CURRENT_ADF, 0x6F05 };

	return prose_file_update(c, path, 2, 0, (const uint8_t *)"de", 2);
}

static enum prose_result pin_status(struct prose_card *c)
{
	unsigned tries;
	enum prose_result r = prose_pin(c, PROSE_PIN_STATUS, PROSE_PIN1, NULL, NULL, &tries);

	if (r == PROSE_OK)
		ck_assert_uint_eq(tries, 3);
	return r;
}

static enum prose_result read_state(struct prose_card *c)
{
	struct prose_state s;

	return prose_state_read(c, &s);
}

static enum prose_result naf_key(struct prose_card *c)
{
	uint8_t key[32];

	return prose_gba_naf_key(c, (const uint8_t *)"naf\1\0\0\0\0", 8, "001010000000001@ims", key);
}

static enum prose_result read_iccid(struct prose_card *c)
{
	char digits[21];

	return prose_iccid(c, digits);
}

static enum prose_result toolkit(struct prose_card *c)
{
	return prose_cat(c, (const uint8_t *)"\xFF\xFF\xFF\xFF", 4, NULL, NULL);
}

static enum prose_result raw_status(struct prose_card *c)
{
	uint8_t answer[64];
	size_t n = sizeof answer;

	return prose_apdu(c, (const uint8_t *)"\x80\xF2\x00\x0C\x00", 5, answer, &n);
}

static const struct call {
	enum prose_result (*run)(struct prose_card *);
	enum prose_result expected;
} calls[] = { { read_imsi, PROSE_OK }, { update_language, PROSE_OK }, { pin_status, PROSE_OK }, { read_state, PROSE_OK },
	{ naf_key, PROSE_REFUSED }, { read_iccid, PROSE_OK }, { toolkit, PROSE_OK }, { raw_status, PROSE_OK } };

/* Whichever of its commands the reset hits, the call ends as if nothing had happened. */
START_TEST(calls_survive_a_foreign_reset)
{
	const struct call *call = &calls[_i];
	int cut = 0;
	bool hit = true;

	for (; hit; cut++) {
		struct link l = { .rig = rig_new(), .reset_before = -1 };
		struct prose_card *c = open_card(&l);

		l.reset_before = l.sent + cut;
		ck_assert_int_eq(call->run(c), call->expected);
		hit = l.reconnections > 0;
		prose_card_close(&c);
		rig_free(&l.rig);
		ck_assert_int_lt(cut, CUTS_MAX);
	}
	ck_assert_int_gt(cut, 1);
}
END_TEST

START_TEST(opening_survives_a_foreign_reset)
{
	for (int cut = 0; cut < 2; cut++) {
		struct link l = { .rig = rig_new(), .reset_before = cut };
		struct prose_card *c = open_card(&l);

		ck_assert_uint_eq(l.reconnections, 1);
		ck_assert_int_eq(read_imsi(c), PROSE_OK);
		prose_card_close(&c);
		rig_free(&l.rig);
	}
}
END_TEST

START_TEST(a_card_that_is_reset_for_ever_is_given_up)
{
	struct link l = { .rig = rig_new(), .reset_before = -1 };
	struct prose_card *c = open_card(&l);

	l.every_time = true;
	ck_assert_int_eq(read_imsi(c), PROSE_RESET);
	ck_assert_uint_gt(l.reconnections, 1);
	l.every_time = false;
	ck_assert_int_eq(read_imsi(c), PROSE_OK);
	prose_card_close(&c);
	rig_free(&l.rig);
}
END_TEST

/* The power goes and comes back; channel, applet and PIN are where they were, and the next call needs no reconnection. */
START_TEST(a_suspended_session_goes_on)
{
	struct link l = { .rig = rig_new(), .reset_before = -1 };
	struct prose_card *c = open_card(&l);
	uint32_t seconds = 1000;
	uint8_t token[8];
	int before;

	ck_assert_int_eq(read_imsi(c), PROSE_OK);
	ck_assert_int_eq(prose_card_suspend(c, &seconds, token), PROSE_OK);
	ck_assert_uint_eq(seconds, 1020); /* in minutes */
	card_reset(&l.rig->card);
	ck_assert_int_eq(prose_card_resume(c, token), PROSE_OK);
	before = l.sent;
	ck_assert_int_eq(read_state(c), PROSE_OK);
	ck_assert_int_eq(l.sent, before + 1); /* neither channel nor applet had to be asked for again */
	ck_assert_int_eq(prose_card_suspend(c, &seconds, token), PROSE_OK);
	card_reset(&l.rig->card);
	token[3] ^= 1;
	ck_assert_int_eq(prose_card_resume(c, token), PROSE_REFUSED);
	ck_assert_int_eq(read_imsi(c), PROSE_OK); /* from the beginning */
	prose_card_close(&c);
	rig_free(&l.rig);
}
END_TEST

/* A message that fits a command is sent, whatever the card says to it; one octet more is not. */
START_TEST(what_no_command_holds_is_not_sent)
{
	static const uint8_t zeros[PROSE_REQUEST_MAX];
	const size_t most = PROSE_REQUEST_MAX - (2 + 8) - (1 + 3); /* the time, and the message's tag and length */
	struct link l = { .rig = rig_new(), .reset_before = -1 };
	struct prose_card *c = open_card(&l);
	struct prose_gmk g;
	int before = l.sent;

	ck_assert_int_eq(prose_import_gmk(c, 1, zeros, most + 1, &g), PROSE_NO_SPACE);
	ck_assert_int_eq(l.sent, before);
	ck_assert_int_eq(prose_import_gmk(c, 1, zeros, most, &g), PROSE_REFUSED);
	ck_assert_uint_ne(prose_card_status(c), SW_WRONG_LENGTH);
	prose_card_close(&c);
	rig_free(&l.rig);
}
END_TEST

/* A card that answers to everything, and to STATUS with this; channels and selections succeed. */
static enum prose_result scripted_transmit(void *context, const uint8_t *c, size_t c_len, uint8_t *r, size_t *n)
{
	struct buf b = { r, 0, *n, false };

	if (c_len > 1 && c[1] == INS_MANAGE_CHANNEL)
		buf_put(&b, BYTES_STR("\1"));
	if (c_len > 1 && c[1] == INS_PROSE_STATUS)
		buf_put(&b, hex(context));
	buf_put(&b, BYTES_STR("\x90\0"));
	*n = b.len;
	return b.failed ? PROSE_IO : PROSE_OK;
}

#define OLD_STATUS                                                                                                             \
	"96080000000000000001"                                                                                                 \
	"97080000000000000001"                                                                                                 \
	"9904001000"

/* The version that a card tells, also with tags that are not known; none is 0.0. Who needs more is told so in a sentence. */
START_TEST(a_cards_interface_has_a_version)
{
	static const struct {
		const char *status;
		unsigned major, minor;
		bool has_1_0, has_1_2;
	} rows[] = { { OLD_STATUS "00", 0, 0, false, false }, { OLD_STATUS "009F26020100", 1, 0, true, false },
		{ "9F7701AA" OLD_STATUS "009F260201029F7700", 1, 2, true, true },
		{ OLD_STATUS "009F260201FF", 1, 255, true, true }, { OLD_STATUS "009F26020200", 2, 0, false, false } };

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct prose_options o = { pin_1234, NULL };
		struct prose_card *c;
		struct prose_state s;

		ck_assert_int_eq(prose_card_open((struct prose_transport){ (void *)(uintptr_t)rows[i].status, scripted_transmit,
		                                         NULL, NULL, NULL, link_close },
		                         &o, &c),
		        PROSE_OK);
		ck_assert_int_eq(prose_state_read(c, &s), PROSE_OK);
		ck_assert_uint_eq(s.interface_major, rows[i].major);
		ck_assert_uint_eq(s.interface_minor, rows[i].minor);
		ck_assert_int_eq(prose_interface_at_least(c, 1, 0), rows[i].has_1_0 ? PROSE_OK : PROSE_INTERFACE);
		ck_assert_int_eq(prose_interface_at_least(c, 1, 2), rows[i].has_1_2 ? PROSE_OK : PROSE_INTERFACE);
		if (!rows[i].has_1_2)
			ck_assert_ptr_nonnull(strstr(prose_card_error(c),
			        i == 0 ? "version 0.0 of the ProSe applet's interface and this needs 1.2: use a newer card"
			        : i == 1
			                ? "version 1.0 of the ProSe applet's interface and this needs 1.2: use a newer card"
			                : "version 2.0 of the ProSe applet's interface and this needs 1.2: use a newer phone"));
		prose_card_close(&c);
	}
}
END_TEST

/* Our own card's. */
START_TEST(this_cards_interface_is_ours)
{
	struct link l = { .rig = rig_new(), .reset_before = -1 };
	struct prose_card *c = open_card(&l);

	ck_assert_int_eq(prose_interface_at_least(c, PROSE_INTERFACE_MAJOR, PROSE_INTERFACE_MINOR), PROSE_OK);
	ck_assert_int_eq(prose_interface_at_least(c, PROSE_INTERFACE_MAJOR, PROSE_INTERFACE_MINOR + 1), PROSE_INTERFACE);
	prose_card_close(&c);
	rig_free(&l.rig);
}
END_TEST

static bool holds(const char *text, const uint8_t *p, size_t n)
{
	char digits[2 * 32 + 1];
	char *c = digits;

	for (size_t i = 0; i < n && i < 32; i++)
		c += snprintf(c, 3, "%02x", p[i]);
	return strstr(text, digits) != NULL;
}

/* AUTHENTICATE and VERIFY by a card behind a trace; what stands in it. */
static const char *traced(const char *path, bool whole, struct prose_aka *v)
{
	static char text[20000];
	const struct prose_options o = { pin_1234, NULL };
	struct link l = { .rig = rig_new() };
	struct prose_transport t;
	struct prose_card *c;
	struct bytes command;
	unsigned tries;
	FILE *f;

	ck_assert_int_eq(
	        prose_trace_open((struct prose_transport){ &l, link_transmit, link_begin, NULL, NULL, link_close }, path, &t),
	        PROSE_OK);
	if (whole)
		prose_tap_secrets(&t);
	ck_assert_int_eq(prose_card_open(t, &o, &c), PROSE_OK);
	ck_assert_int_eq(prose_pin(c, PROSE_PIN_VERIFY, PROSE_PIN1, "1234", NULL, &tries), PROSE_OK);
	command = rig_authenticate(l.rig, 1 << 5);
	ck_assert_int_eq(prose_authenticate(c, command.p + 6, command.p + 6 + 17, v), PROSE_OK);
	prose_card_close(&c);
	rig_free(&l.rig);
	f = fopen(path, "r");
	ck_assert_ptr_nonnull(f);
	text[fread(text, 1, sizeof text - 1, f)] = 0;
	(void)fclose(f);
	return text;
}

/* A trace has no PIN, and none of what proves a subscriber or deciphers unless that was asked for; it is its owner's. */
START_TEST(a_trace_keeps_secrets)
{
	static const char path[] = "build/test-trace";
	static const uint8_t pin[] = { '1', '2', '3', '4', 0xFF, 0xFF, 0xFF, 0xFF };
	struct prose_aka v;
	struct stat info;

	for (int whole = 0; whole <= 1; whole++) {
		const char *text;
		FILE *f = fopen(path, "w"); /* it was there before, for all to read */

		ck_assert(f != NULL && fclose(f) == 0 && chmod(path, 0644) == 0);
		text = traced(path, whole == 1, &v);
		ck_assert_uint_gt(v.ck_len, 0);
		ck_assert(holds(text, v.ck, v.ck_len) == (whole == 1));
		ck_assert(holds(text, v.ik, v.ik_len) == (whole == 1));
		ck_assert(holds(text, v.res, v.res_len) == (whole == 1));
		ck_assert(!holds(text, pin, sizeof pin));
		ck_assert_ptr_nonnull(strstr(text, "..9000\n") != NULL || whole == 1 ? text : NULL); /* status words stay */
		ck_assert_ptr_nonnull(strstr(text, "2000010800") == NULL ? text : NULL);
		ck_assert_int_eq(stat(path, &info), 0);
		ck_assert_uint_eq(info.st_mode & 0777, 0600);
		ck_assert_int_eq(unlink(path), 0);
	}
}
END_TEST

/* What GET RESPONSE brings is as secret as what it belongs to. */
static enum prose_result in_parts(void *context, const uint8_t *c, size_t c_len, uint8_t *r, size_t *n)
{
	(void)context, (void)c_len;
	*n = c[1] == INS_GET_RESPONSE ? 10 : 2;
	memcpy(r, c[1] == INS_GET_RESPONSE ? "\x51\x52\x53\x54\x55\x56\x57\x58\x90\x00" : "\x61\x08", *n);
	return PROSE_OK;
}

START_TEST(a_trace_knows_whose_answer_it_is)
{
	static const char path[] = "build/test-trace-parts";
	static const uint8_t authenticate[] = { 0x00, 0x88, 0x00, 0x81, 0x01, 0xAA },
	                     status[] = { 0x80, 0xF2, 0x00, 0x00, 0x01 }, get[] = { 0x00, 0xC0, 0x00, 0x00, 0x08 };
	struct prose_transport t;
	char text[400] = "";
	uint8_t answer[20];
	size_t n;
	FILE *f;

	(void)unlink(path);
	ck_assert_int_eq(
	        prose_trace_open((struct prose_transport){ NULL, in_parts, NULL, NULL, NULL, NULL }, path, &t), PROSE_OK);
	ck_assert_int_eq(t.transmit(t.context, authenticate, sizeof authenticate, answer, &n), PROSE_OK);
	ck_assert_int_eq(t.transmit(t.context, get, sizeof get, answer, &n), PROSE_OK);
	ck_assert_int_eq(t.transmit(t.context, get, sizeof get, answer, &n), PROSE_OK);
	ck_assert_int_eq(t.transmit(t.context, status, sizeof status, answer, &n), PROSE_OK);
	ck_assert_int_eq(t.transmit(t.context, get, sizeof get, answer, &n), PROSE_OK);
	t.close(t.context);
	f = fopen(path, "r");
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_gt(fread(text, 1, sizeof text - 1, f), 0);
	(void)fclose(f);
	ck_assert_str_eq(text, ">00880081"
	                       "01aa\n<6108\n>00c0000008\n<................9000\n>00c0000008\n<................9000\n"
	                       ">80f2000001\n<6108\n>00c0000008\n<51525354555657589000\n");
	ck_assert_int_eq(unlink(path), 0);
}
END_TEST

/* What each instruction hides, by its class: the table against what the card answers with keys. */
START_TEST(what_is_secret)
{
	static const uint8_t hides_answer[][2] = { { 0x00, 0x88 }, { 0x41, 0x88 }, { 0x03, 0x89 },
		{ 0x80, INS_PROSE_RELEASE_KEY }, { 0x81, INS_PROSE_COMPUTE_CODES }, { 0xC3, INS_PROSE_UNPROTECT } };
	static const uint8_t hides_data[][2] = { { 0x00, 0x20 }, { 0x01, 0x24 }, { 0x02, 0x26 }, { 0x42, 0x28 }, { 0x00, 0x2C },
		{ 0x80, INS_PROSE_PROTECT } };
	unsigned hidden = 0;

	for (size_t i = 0; i < sizeof hides_answer / sizeof *hides_answer; i++)
		ck_assert_uint_eq(ins_hides(hides_answer[i][0], hides_answer[i][1]), INS_HIDES_ANSWER);
	for (size_t i = 0; i < sizeof hides_data / sizeof *hides_data; i++)
		ck_assert_uint_eq(ins_hides(hides_data[i][0], hides_data[i][1]), INS_HIDES_DATA);
	for (unsigned ins = 0; ins < 256; ins++)
		hidden += (ins_hides(0x00, (uint8_t)ins) != 0 ? 1U : 0) + (ins_hides(0x80, (uint8_t)ins) != 0 ? 1U : 0);
	ck_assert_uint_eq(hidden, 7 + 4); /* and nothing else is */
}
END_TEST

/* ---- PIN1 --------------------------------------------------------------------------------------------------------- */

static enum prose_result list_groups(struct prose_card *c)
{
	return prose_list(c, PROSE_GROUPS, NULL, NULL);
}

/* What another program on a channel of its own may do. */
static unsigned others_list(struct rig *r)
{
	ck_assert_uint_eq(rig_send(r, "0070000500"), 0x9000);
	ck_assert_uint_eq(rig_send(r, "41A4040C07F050524F534501"), 0x9000);
	return rig_send(r, "C11C020000");
}

static unsigned others_imsi(struct rig *r)
{
	ck_assert_uint_eq(rig_send(r, "41A4040C10A0000000871002FFFFFFFF8907090000"), 0x9000);
	ck_assert_uint_eq(rig_send(r, "41A4000C026F07"), 0x9000);
	return rig_send(r, "41B0000009");
}

/* While our program runs and after it, another one has no PIN by it: not for the applet, not for files; on cards with one
 * channel not after it. */
START_TEST(our_pin_opens_nothing_to_others)
{
	struct link l = { .rig = rig_new(), .reset_before = -1, .one_channel = _i != 0 };
	struct prose_card *c = open_card(&l);

	ck_assert_int_eq(_i == 2 ? list_groups(c) : read_imsi(c), PROSE_OK);
	ck_assert_int_eq(list_groups(c), PROSE_OK);
	ck_assert_int_eq(update_language(c), PROSE_OK);
	ck_assert_uint_eq(l.verifies, 1);
	ck_assert_uint_eq(others_list(l.rig), 0x6982);
	ck_assert_uint_eq(others_imsi(l.rig), 0x6982);
	ck_assert_int_eq(list_groups(c), PROSE_OK);
	prose_card_close(&c);
	ck_assert_uint_eq(rig_send(l.rig, "00A4040C07F050524F534501"), 0x9000);
	ck_assert_uint_eq(rig_send(l.rig, "801C020000"), 0x6982);
	rig_free(&l.rig);
}
END_TEST

static void says(struct prose_card *c, enum prose_result is, enum prose_result expected, const char *sentence)
{
	ck_assert_int_eq(is, expected);
	ck_assert_msg(strcmp(prose_card_error(c), sentence) == 0, "%s", prose_card_error(c));
}

/* Each wrong PIN says what is left; the last try is not spent unasked; a blocked PIN is called blocked. */
START_TEST(tries_are_told_and_the_last_one_is_kept)
{
	struct link l = { .rig = rig_new(), .reset_before = -1, .pin = "9999" };
	struct prose_card *c = open_card(&l);
	unsigned tries;

	says(c, list_groups(c), PROSE_PIN_WRONG, "wrong PIN, 2 tries left");
	says(c, read_imsi(c), PROSE_PIN_WRONG, "wrong PIN, 1 try left");
	ck_assert_uint_eq(l.verifies, 2);
	says(c, list_groups(c), PROSE_PIN_LAST_TRY, "one try is left for PIN1: --force spends it");
	says(c, prose_pin(c, PROSE_PIN_VERIFY, PROSE_PIN1, "1234", NULL, &tries), PROSE_PIN_LAST_TRY,
	        "one try is left for PIN1: --force spends it");
	ck_assert_uint_eq(tries, 1);
	ck_assert_uint_eq(l.verifies, 2);
	prose_card_spend_last_try(c, true);
	says(c, list_groups(c), PROSE_PIN_WRONG,
	        "wrong PIN, and it is blocked now: its PUK unblocks it (prose-ue pin unblock)");
	says(c, list_groups(c), PROSE_PIN_BLOCKED, "PIN1 is blocked: its PUK unblocks it (prose-ue pin unblock)");
	ck_assert_uint_eq(l.verifies, 3);
	for (unsigned i = 10; i > 1; i--) {
		ck_assert_int_eq(prose_pin(c, PROSE_PIN_UNBLOCK, PROSE_PIN1, "00000000", "1234", &tries), PROSE_PIN_WRONG);
		ck_assert_uint_eq(tries, i - 1);
	}
	prose_card_spend_last_try(c, false);
	says(c, prose_pin(c, PROSE_PIN_UNBLOCK, PROSE_PIN1, "00000000", "1234", &tries), PROSE_PIN_LAST_TRY,
	        "one try is left for the PUK of PIN1: --force spends it");
	prose_card_spend_last_try(c, true);
	says(c, prose_pin(c, PROSE_PIN_UNBLOCK, PROSE_PIN1, "00000000", "1234", &tries), PROSE_PIN_WRONG,
	        "wrong PUK, and it is blocked now");
	says(c, prose_pin(c, PROSE_PIN_UNBLOCK, PROSE_PIN1, "00000000", "1234", &tries), PROSE_PIN_BLOCKED,
	        "the PUK of PIN1 is blocked, too: nothing unblocks it on this card");
	prose_card_close(&c);
	rig_free(&l.rig);
}
END_TEST

/* What is no PIN never reaches the card; what is the shortest and the longest does. */
START_TEST(what_is_no_pin_is_not_sent)
{
	static const char *const none[] = { "", "123", "12a4", "1234 ", "-123" };
	struct link l = { .rig = rig_new(), .reset_before = -1 };
	struct prose_card *c = open_card(&l);
	unsigned tries;

	for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
		l.pin = none[i];
		ck_assert_int_eq(list_groups(c), PROSE_PIN_FORMAT);
		ck_assert_int_eq(prose_pin(c, PROSE_PIN_VERIFY, PROSE_PIN1, none[i], NULL, &tries), PROSE_PIN_FORMAT);
		ck_assert_int_eq(prose_pin(c, PROSE_PIN_CHANGE, PROSE_PIN1, "1234", none[i], &tries), PROSE_PIN_FORMAT);
	}
	ck_assert_int_eq(prose_pin(c, PROSE_PIN_VERIFY, PROSE_PIN1, "123456789", NULL, &tries), PROSE_PIN_FORMAT);
	ck_assert_int_eq(prose_pin(c, PROSE_PIN_UNBLOCK, PROSE_PIN1, "1234567", "1234", &tries), PROSE_PIN_FORMAT);
	ck_assert_uint_eq(l.verifies, 0);
	ck_assert_int_eq(pin_status(c), PROSE_OK); /* three tries */
	ck_assert_int_eq(prose_pin(c, PROSE_PIN_CHANGE, PROSE_PIN1, "1234", "12345678", &tries), PROSE_OK);
	l.pin = "12345678";
	ck_assert_int_eq(list_groups(c), PROSE_OK);
	prose_card_close(&c);
	rig_free(&l.rig);
}
END_TEST

/* A card that cannot write says so, and is not taken for one that wants another PIN. */
START_TEST(a_memory_problem_is_no_wrong_pin)
{
	struct link l = { .rig = rig_new(), .reset_before = -1 };
	struct prose_card *c = open_card(&l);

	l.rig->store.cut_after = l.rig->store.writes;
	ck_assert_int_eq(list_groups(c), PROSE_REFUSED);
	ck_assert_uint_eq(prose_card_status(c), SW_MEMORY_PROBLEM);
	l.rig->store.cut_after = -1;
	prose_card_close(&c);
	rig_free(&l.rig);
}
END_TEST

Suite *suite_host(void)
{
	Suite *s = suite_create("host");
	TCase *t = tcase_create("host");

	tcase_add_loop_test(t, calls_survive_a_foreign_reset, 0, sizeof calls / sizeof *calls);
	tcase_add_test(t, opening_survives_a_foreign_reset);
	tcase_add_test(t, a_card_that_is_reset_for_ever_is_given_up);
	tcase_add_test(t, a_suspended_session_goes_on);
	tcase_add_test(t, a_cards_interface_has_a_version);
	tcase_add_test(t, this_cards_interface_is_ours);
	tcase_add_test(t, what_no_command_holds_is_not_sent);
	tcase_add_test(t, a_trace_keeps_secrets);
	tcase_add_test(t, a_trace_knows_whose_answer_it_is);
	tcase_add_test(t, what_is_secret);
	tcase_add_loop_test(t, our_pin_opens_nothing_to_others, 0, 3);
	tcase_add_test(t, tries_are_told_and_the_last_one_is_kept);
	tcase_add_test(t, what_is_no_pin_is_not_sent);
	tcase_add_test(t, a_memory_problem_is_no_wrong_pin);
	suite_add_tcase(s, t);
	suite_add_tcase(s, tcase_hearing());
	suite_add_tcase(s, tcase_callers());
	return s;
}
