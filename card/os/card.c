/* The life of an APDU: class, channel, chaining, dispatch, commit, 61xx and GET RESPONSE. */
#include "card/os/card.h"

#include <string.h>

#include "card/os/commands.h"

enum { CLA_CHAINING = 0x10 };

static const uint8_t atr_octets[] = { 0x3B, 0x9D, 0x96, 0x80, 0x1F, 0xC7, 0x80, 0x31, 0xE0, 0x73, 0xFE, 0x21, 0x1F, 0x65, 0x50,
	0x52, 0x4F, 0x53, 0x45, 0x8F };
const struct bytes card_atr = { atr_octets, sizeof atr_octets };

static void drop_pending(struct card *card)
{
	secret_clean(card->response, card->answer.len < sizeof card->response ? card->answer.len : sizeof card->response);
	card->answer = (struct buf){ card->response, 0, sizeof card->response, false };
	card->pending_at = card->pending_n = 0;
}

static void drop_waiting(struct channel *ch)
{
	secret_clean(ch->waiting, ch->waiting_n);
	ch->waiting_n = 0;
}

/* Another channel's command comes first: keep what waits, unless it is longer than any T=0 client leaves waiting. */
static void park_pending(struct card *card)
{
	struct channel *ch = &card->channel[card->pending_channel];

	if (card->pending_n > 0 && card->pending_n <= WAITING_MAX) {
		memcpy(ch->waiting, card->response + card->pending_at, card->pending_n);
		ch->waiting_n = card->pending_n;
	}
	drop_pending(card);
}

/* Make this channel's answer the pending one again. */
static void unpark_pending(struct card *card, unsigned number)
{
	struct channel *ch = &card->channel[number];

	if (card->pending_n > 0 && card->pending_channel != number)
		park_pending(card);
	if (card->pending_n > 0 || ch->waiting_n == 0)
		return;
	drop_pending(card);
	buf_put(&card->answer, (struct bytes){ ch->waiting, ch->waiting_n });
	card->pending_channel = (uint8_t)number;
	card->pending_n = ch->waiting_n;
	drop_waiting(ch);
}

static void drop_chain(struct card *card)
{
	secret_clean(card->chain, card->chain_n);
	card->chain_n = 0;
	card->chaining = false;
}

void card_reset(struct card *card)
{
	for (size_t i = 0; i < card->applet_count; i++) {
		if (card->applet[i].class->deselect != NULL)
			card->applet[i].class->deselect(&card->applet[i]);
		secret_clean(card->applet[i].transient, sizeof card->applet[i].transient);
	}
	for (size_t i = 0; i <= CHANNELS; i++)
		drop_waiting(&card->channel[i]);
	for (size_t i = 0; i <= CHANNELS; i++)
		card->channel[i] = (struct channel){ .open = i == 0, .number = (uint8_t)i, .ef = FILE_NONE, .adf = FILE_NONE };
	card->pins_verified = 0;
	card->terminal_profile = false;
	cat_reset(&card->cat);
	store_abort(&card->store);
	drop_pending(card);
	drop_chain(card);
}

enum status card_power_on(struct card *card, const struct card_env *env)
{
	card->env = *env;
	card->applet_count = 0;
	card->answer = (struct buf){ card->response, 0, sizeof card->response, false };
	card->chain_n = 0;
	store_init(&card->store, env->backend);
	TRY(file_system_load(&card->fs, &card->store));
	TRY(applet_registry_load(card));
	card_reset(card);
	return OK;
}

void card_power_off(struct card *card)
{
	card_reset(card);
	secret_clean(card, sizeof *card);
}

static void put_sw(struct buf *b, unsigned sw)
{
	buf_put_uint(b, 2, sw);
}

/* Classes of TS 102 221 10.1.1: 0X 4X 6X and 8X CX EX; in the 0X/8X range b4-b3 ask for secure messaging. */
static enum sw check_class(const struct card *card, uint8_t cla)
{
	if ((cla & 0x70) == 0x20 || (cla & 0x70) == 0x30 || (cla & 0x7F) == 0x7F)
		return SW_CLA_NOT_SUPPORTED;
	if ((cla & 0x40) != 0 && (cla & 0x20) != 0)
		return SW_SECURE_MESSAGING_NOT_SUPPORTED;
	if (apdu_channel(cla) >= CHANNELS || !card->channel[apdu_channel(cla)].open)
		return SW_CHANNEL_NOT_SUPPORTED;
	if ((cla & 0x40) == 0 && (cla & 0x0C) != 0)
		return SW_SECURE_MESSAGING_NOT_SUPPORTED;
	return SW_OK;
}

/* Take up to ne octets of what waits; 61xx while more is left. */
static void get_response(struct card *card, const struct command_apdu *a, struct buf *response)
{
	size_t left = card->pending_n, n;

	if (left == 0 || card->pending_channel != apdu_channel(a->cla)) {
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
	buf_put(response, (struct bytes){ card->response + card->pending_at, n });
	card->pending_at += n;
	card->pending_n -= n;
	if (card->pending_n > 0) {
		put_sw(response, SW_BYTES_READY | (card->pending_n < 256 ? (unsigned)card->pending_n : 0U));
		return;
	}
	drop_pending(card);
	put_sw(response, SW_OK);
}

/* Hand the answer out: at once with an Le that fits, else by 61xx (DESIGN.md 3.1). */
static void send_answer(struct card *card, const struct command_apdu *a, enum sw sw, struct buf *response)
{
	size_t n = card->answer.len;
	bool case_2 = a->data.n == 0 && a->has_le;

	if (n == 0 || !sw_commits(sw)) {
		drop_pending(card);
		put_sw(response, sw);
		return;
	}
	if (a->has_le && case_2 && !a->extended && n < a->ne && a->ne != 256) {
		drop_pending(card);
		put_sw(response, SW_WRONG_LE | (unsigned)(n & 0xFF));
		return;
	}
	if (a->has_le && n <= a->ne) {
		buf_put(response, buf_bytes(&card->answer));
		drop_pending(card);
		put_sw(response, sw);
		return;
	}
	card->pending_channel = (uint8_t)apdu_channel(a->cla);
	card->pending_at = 0;
	card->pending_n = n;
	if (a->has_le && a->extended) {
		struct command_apdu get = *a;

		get.data = (struct bytes){ 0 };
		get.p1 = get.p2 = 0;
		get_response(card, &get, response);
		return;
	}
	put_sw(response, SW_BYTES_READY | (n < 256 ? (unsigned)n : 0U));
}

/* Gather a chained command. True when *a is complete and may run; otherwise the answer has been written. */
static bool gather_chain(struct card *card, struct command_apdu *a, struct buf *response)
{
	const uint8_t header[4] = { (uint8_t)(a->cla & ~CLA_CHAINING), a->ins, a->p1, a->p2 };
	bool more = (a->cla & CLA_CHAINING) != 0;

	if (card->chaining && apdu_channel(card->chain_header[0]) != apdu_channel(a->cla)) {
		if (!more)
			return true; /* another channel's whole command may come between */
		put_sw(response, SW_CHAINING_NOT_SUPPORTED);
		return false;
	}
	if (card->chaining && !bytes_equal(BYTES_OF(header), BYTES_OF(card->chain_header))) {
		drop_chain(card);
		put_sw(response, SW_LAST_COMMAND_EXPECTED);
		return false;
	}
	if (!card->chaining && !more)
		return true;
	if (CHAIN_MAX - card->chain_n < a->data.n) {
		drop_chain(card);
		put_sw(response, SW_WRONG_LENGTH);
		return false;
	}
	memcpy(card->chain_header, header, sizeof header);
	if (a->data.n > 0)
		memcpy(card->chain + card->chain_n, a->data.p, a->data.n);
	card->chain_n += a->data.n;
	card->chaining = more;
	if (more) {
		put_sw(response, SW_OK);
		return false;
	}
	a->data = (struct bytes){ card->chain, card->chain_n };
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

static void transmit(struct card *card, const struct command_apdu *parsed, struct buf *response)
{
	struct command_apdu a = *parsed;
	enum sw sw;

	if ((sw = check_class(card, a.cla)) != SW_OK) {
		put_sw(response, sw);
		return;
	}
	if (a.ins == INS_GET_RESPONSE && (a.cla & CLA_CHAINING) == 0) {
		unpark_pending(card, apdu_channel(a.cla));
		get_response(card, &a, response);
		return;
	}
	if (card->pending_n > 0 && card->pending_channel != apdu_channel(a.cla))
		park_pending(card);
	drop_pending(card);
	drop_waiting(&card->channel[apdu_channel(a.cla)]);
	if (!gather_chain(card, &a, response))
		return;
	a.cla &= (uint8_t)~CLA_CHAINING;
	sw = card_dispatch(card, &card->channel[apdu_channel(a.cla)], &a, &card->answer);
	if (!card->chaining)
		drop_chain(card);
	if (!sw_commits(sw)) {
		store_abort(&card->store);
		if (card->fs.dirty && file_system_load(&card->fs, &card->store) != OK)
			sw = SW_TECHNICAL_PROBLEM; /* a table change that is thrown away must not live on in RAM */
	} else if (store_commit(&card->store) == OK) {
		card->fs.dirty = false;
	} else {
		card->pins_verified = 0;
		if (file_system_load(&card->fs, &card->store) != OK)
			card->channel[0].ef = FILE_NONE;
		drop_pending(card);
		sw = SW_MEMORY_PROBLEM;
	}
	send_answer(card, &a, sw, response);
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
