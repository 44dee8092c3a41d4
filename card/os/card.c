/* SPDX-License-Identifier: Apache-2.0 */
/* The life of an APDU: class, channel, chaining, dispatch, commit, 61xx and GET RESPONSE. */
#include "card/os/card.h"

#include <string.h>

#include "card/os/commands.h"
#include "card/os/suspend.h"

enum { CLA_CHAINING = 0x10 };

static const uint8_t atr_octets[] = { 0x3B, 0x9D, 0x96, 0x80, 0x1F, 0xC7, 0x80, 0x31, 0xE0, 0x73, 0xFE, 0x21, 0x1F, 0x65, 0x50,
	0x52, 0x4F, 0x53, 0x45, 0x8F };
const struct bytes card_atr = { atr_octets, sizeof atr_octets };

static void drop_waiting(struct channel *ch)
{
	kept_drop(&ch->waiting);
	ch->waiting_at = 0;
}

static void drop_chain(struct channel *ch)
{
	kept_drop(&ch->chain);
	ch->chaining = false;
}

void channel_init(struct channel *ch, unsigned number, bool open)
{
	channel_forget(ch);
	drop_waiting(ch);
	drop_chain(ch);
	kept_drop(&ch->transfer);
	*ch = (struct channel){ .open = open, .number = (uint8_t)number, .ef = FILE_NONE, .adf = FILE_NONE };
}

void card_reset(struct card *card)
{
	suspension_keep(card);
	for (size_t i = 0; i < card->applet_count; i++)
		applet_forget(&card->applet[i]);
	for (unsigned i = 0; i <= CHANNELS; i++)
		channel_init(&card->channel[i], i, i == 0);
	card->pins_verified = 0;
	card->terminal_profile = false;
	cat_reset(&card->cat);
	store_abort(&card->store);
}

enum status card_power_on(struct card *card, const struct card_env *env)
{
	card->env = *env;
	store_init(&card->store, env->backend, &env->work->store);
	TRY(file_system_load(&card->fs, &card->store));
	TRY(applet_registry_load(card));
	card->registry_dirty = false;
	card_reset(card);
	return OK;
}

void card_power_off(struct card *card)
{
	if (card->env.work != NULL)
		card_reset(card);
	suspension_drop(card);
	applet_registry_drop(card);
	secret_clean(card, sizeof *card);
}

static void put_sw(struct buf *b, unsigned sw)
{
	buf_put_uint(b, 2, sw);
}

/* Classes of TS 102 221 10.1.1: 0X 4X 6X and 8X CX EX; in the 0X/8X range b4-b3 ask for secure messaging. */
static enum sw check_class(const struct card *card, uint8_t cla)
{
	const struct applet *selected;

	if ((cla & 0x70) == 0x20 || (cla & 0x70) == 0x30 || (cla & 0x7F) == 0x7F)
		return SW_CLA_NOT_SUPPORTED;
	if ((cla & 0x40) != 0 && (cla & 0x20) != 0)
		return SW_SECURE_MESSAGING_NOT_SUPPORTED;
	if (apdu_channel(cla) >= CHANNELS || !card->channel[apdu_channel(cla)].open)
		return SW_CHANNEL_NOT_SUPPORTED;
	selected = card->channel[apdu_channel(cla)].applet;
	if ((cla & 0x40) == 0 && (cla & 0x0C) != 0 &&
	        !((cla & 0x8C) == 0x84 && selected != NULL && selected->class->secure_messaging))
		return SW_SECURE_MESSAGING_NOT_SUPPORTED;
	return SW_OK;
}

/* Take up to ne octets of what waits; 61xx while more is left. */
static void get_response(struct channel *ch, const struct command_apdu *a, struct buf *response)
{
	size_t left = ch->waiting.n - ch->waiting_at, n;

	if (left == 0) {
		put_sw(response, SW_CONDITIONS_NOT_SATISFIED);
		return;
	}
	if (a->p1 != 0 || a->p2 != 0 || a->data.n > 0 || !a->has_le) {
		put_sw(response, a->data.n > 0 || !a->has_le ? SW_WRONG_LENGTH : SW_WRONG_P1P2);
		return;
	}
	if (!a->extended && a->ne > left && a->ne != 256) {
		put_sw(response, SW_WRONG_LE | (unsigned)(left & 0xFF));
		return;
	}
	n = a->ne < left ? a->ne : left;
	buf_put(response, (struct bytes){ ch->waiting.p + ch->waiting_at, n });
	ch->waiting_at += n;
	left -= n;
	if (left > 0) {
		put_sw(response, SW_BYTES_READY | (left < 256 ? (unsigned)left : 0U));
		return;
	}
	drop_waiting(ch);
	put_sw(response, SW_OK);
}

/* Hand the answer out: at once with an Le that fits, else by 61xx (DESIGN.md 3.1). */
static void send_answer(struct channel *ch, const struct command_apdu *a, enum sw sw, struct bytes answer, struct buf *response)
{
	bool case_2 = a->data.n == 0 && a->has_le;

	if (answer.n == 0 || !sw_commits(sw)) {
		put_sw(response, sw);
		return;
	}
	if (a->has_le && case_2 && !a->extended && answer.n < a->ne && a->ne != 256) {
		put_sw(response, SW_WRONG_LE | (unsigned)(answer.n & 0xFF));
		return;
	}
	if (a->has_le && answer.n <= a->ne) {
		buf_put(response, answer);
		put_sw(response, sw);
		return;
	}
	if (kept_append(&ch->waiting, answer) != OK) {
		put_sw(response, SW_MEMORY_PROBLEM);
		return;
	}
	if (a->has_le && a->extended) {
		struct command_apdu get = *a;

		get.data = (struct bytes){ 0 };
		get.p1 = get.p2 = 0;
		get_response(ch, &get, response);
		return;
	}
	put_sw(response, SW_BYTES_READY | (answer.n < 256 ? (unsigned)answer.n : 0U));
}

/* Gather a chained command. True when *a is complete and may run; otherwise the answer has been written. */
static bool gather_chain(struct channel *ch, struct command_apdu *a, struct buf *response)
{
	const uint8_t header[4] = { (uint8_t)(a->cla & ~CLA_CHAINING), a->ins, a->p1, a->p2 };
	bool more = (a->cla & CLA_CHAINING) != 0;

	if (!ch->chaining && !more)
		return true;
	if (ch->chaining && !bytes_equal(BYTES_OF(header), BYTES_OF(ch->chain_header))) {
		drop_chain(ch);
		put_sw(response, SW_LAST_COMMAND_EXPECTED);
		return false;
	}
	if (CHAIN_MAX - ch->chain.n < a->data.n || kept_append(&ch->chain, a->data) != OK) {
		drop_chain(ch);
		put_sw(response, SW_WRONG_LENGTH);
		return false;
	}
	memcpy(ch->chain_header, header, sizeof header);
	ch->chaining = more;
	if (more) {
		put_sw(response, SW_OK);
		return false;
	}
	a->data = kept_bytes(&ch->chain);
	return true;
}

/* A proactive command that waits turns 9000 into 91xx, once the terminal has said that it understands (TS 102 221 7.4.2). */
static void announce_proactive(struct card *card, const struct command_apdu *a, struct buf *response, size_t start)
{
	size_t n = cat_waiting(&card->cat);
	uint8_t *sw = response->p + response->len - 2;

	if (n == 0 || !card->terminal_profile || apdu_channel(a->cla) != 0 || response->failed || response->len < start + 2)
		return;
	if (sw[0] == 0x90 && sw[1] == 0x00) {
		sw[0] = SW_FETCH >> 8;
		sw[1] = (uint8_t)n;
	}
}

/* What a command may have changed in plain memory before it was refused: verified PINs, and a file named by its short
 * identifier. */
struct recall {
	uint8_t pins_verified, pins_here, pins_own, ef, record;
};

static struct recall recall_of(const struct card *card, const struct channel *ch)
{
	return (struct recall){ card->pins_verified, ch->pins_here, ch->pins_own, ch->ef, ch->record };
}

/* What a command has done to memory has not happened. */
static void undo(struct card *card, struct channel *ch, const struct recall *before)
{
	applets_settle(card, false);
	card->pins_verified = before->pins_verified;
	ch->pins_here = before->pins_here;
	ch->pins_own = before->pins_own;
	ch->ef = before->ef;
	ch->record = before->record;
}

/* Commit what the command did, or throw it away: what the terminal is told is what the store holds, and so is what memory
 * says. */
static enum sw settle(struct card *card, struct channel *ch, enum sw sw, const struct recall *before)
{
	if (!sw_commits(sw)) {
		store_abort(&card->store);
		undo(card, ch, before);
		/* A table change that is thrown away must not live on in RAM. */
		if ((card->fs.dirty && file_system_load(&card->fs, &card->store) != OK) ||
		        (card->registry_dirty && applet_registry_load(card) != OK))
			sw = SW_TECHNICAL_PROBLEM;
		card->registry_dirty = false;
		return sw;
	}
	if (store_commit(&card->store) == OK) {
		card->fs.dirty = card->registry_dirty = false;
		applets_settle(card, true);
		return sw;
	}
	undo(card, ch, before);
	if (file_system_load(&card->fs, &card->store) != OK || applet_registry_load(card) != OK)
		card->channel[0].ef = FILE_NONE;
	return SW_MEMORY_PROBLEM;
}

static void transmit(struct card *card, const struct command_apdu *parsed, struct buf *response)
{
	struct buf answer = BUF_OF(card->env.work->answer);
	struct command_apdu a = *parsed;
	struct channel *ch;
	struct recall before;
	enum sw sw;

	if ((sw = check_class(card, a.cla)) != SW_OK) {
		put_sw(response, sw);
		return;
	}
	suspension_end(card, &a);
	ch = &card->channel[apdu_channel(a.cla)];
	if (a.ins == INS_GET_RESPONSE && (a.cla & CLA_CHAINING) == 0) {
		get_response(ch, &a, response);
		return;
	}
	drop_waiting(ch);
	if (!gather_chain(ch, &a, response))
		return;
	a.cla &= (uint8_t)~CLA_CHAINING;
	before = recall_of(card, ch);
	sw = settle(card, ch, card_dispatch(card, ch, &a, &answer), &before);
	drop_chain(ch);
	send_answer(ch, &a, sw, buf_bytes(&answer), response);
	secret_clean(answer.p, answer.len);
}

void card_transmit(struct card *card, struct bytes command, struct buf *response)
{
	struct command_apdu a;
	size_t start = response->len;

	if (apdu_parse(command, &a) != OK) {
		put_sw(response, SW_WRONG_LENGTH);
		return;
	}
	transmit(card, &a, response);
	announce_proactive(card, &a, response, start);
}
