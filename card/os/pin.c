/* SPDX-License-Identifier: Apache-2.0 */
#include "card/os/pin.h"

#include <string.h>

#include "apdu/tlv.h"

/* For each PIN, record "pin/RR": state, PIN and PUK; record "pin/RR/t": the tries, which store_spend writes alone. */
static const struct pin_row {
	uint8_t reference;
	struct bytes name, tries;
} pins[] = {
	{ KEY_PIN1, { (const uint8_t *)"pin/01", 6 }, { (const uint8_t *)"pin/01/t", 8 } },
	{ KEY_PIN2, { (const uint8_t *)"pin/81", 6 }, { (const uint8_t *)"pin/81/t", 8 } },
	{ KEY_UNIVERSAL, { (const uint8_t *)"pin/11", 6 }, { (const uint8_t *)"pin/11/t", 8 } },
};
enum { PINS = sizeof pins / sizeof *pins, AT_STATE = 0, AT_PIN = 1, AT_PUK = 9, PIN_RECORD_LEN = 17, TRY_PIN = 0, TRY_PUK = 1 };
enum { VERIFY_NO_MORE = 0xFF };

static const struct pin_row *row_of(uint8_t reference)
{
	for (size_t i = 0; i < PINS; i++)
		if (pins[i].reference == reference)
			return &pins[i];
	return NULL;
}

static uint8_t bit_of(const struct pin_row *row)
{
	return (uint8_t)(1U << (row - pins));
}

static bool is_own(const struct channel *ch)
{
	return ch->applet != NULL && ch->applet->class->own_pins;
}

static void set_bit(uint8_t *bits, const struct pin_row *row, bool set)
{
	*bits = (uint8_t)(set ? *bits | bit_of(row) : *bits & ~bit_of(row));
}

/* Nobody else gains or loses by what is verified for an application with PIN states of its own. */
static void set_verified(const struct command *c, const struct pin_row *row, bool verified)
{
	if (is_own(c->channel)) {
		set_bit(&c->channel->pins_own, row, verified);
		return;
	}
	set_bit(&c->card->pins_verified, row, verified);
	set_bit(&c->channel->pins_here, row, verified);
}

static enum status load_tries(struct card *card, const struct pin_row *row, uint8_t tries[2])
{
	struct buf b = { tries, 0, 2, false };

	TRY(store_get(&card->store, row->tries, &b));
	return b.len == 2 ? OK : ERR_MALFORMED;
}

static enum status load_pin(struct card *card, const struct pin_row *row, struct secret *out)
{
	TRY(store_get_secret(&card->store, row->name, out));
	return out->len == PIN_RECORD_LEN ? OK : ERR_MALFORMED;
}

static enum pin_state state_of(struct card *card, const struct pin_row *row)
{
	SECRET record = { 0 };
	enum status st = row == NULL ? ERR_NOT_FOUND : load_pin(card, row, &record);

	if (st == ERR_NOT_FOUND)
		return PIN_ABSENT;
	return st != OK || record.data[AT_STATE] > PIN_REPLACED ? PIN_ENABLED : (enum pin_state)record.data[AT_STATE];
}

enum pin_state pin_state(struct card *card, uint8_t reference)
{
	return state_of(card, row_of(reference));
}

static bool holds(struct card *card, uint8_t verified, uint8_t reference)
{
	const struct pin_row *row = row_of(reference);

	if (row == NULL)
		return false;
	if ((verified & bit_of(row)) != 0)
		return true;
	switch (state_of(card, row)) {
	case PIN_DISABLED: return true;
	case PIN_REPLACED: return holds(card, verified, KEY_UNIVERSAL);
	default: return false;
	}
}

bool pin_is_satisfied(struct card *card, const struct channel *ch, uint8_t reference)
{
	return holds(card, card->pins_verified | ch->pins_own, reference);
}

bool pin_is_held(struct card *card, const struct channel *ch, uint8_t reference)
{
	return holds(card, (ch->pins_here & card->pins_verified) | ch->pins_own, reference);
}

void pin_put_status(struct card *card, struct buf *out)
{
	uint8_t refs_raw[32], ps = 0, bit = 0x80;
	struct buf refs = BUF_OF(refs_raw);

	for (size_t i = 0; i < PINS; i++) {
		enum pin_state state = state_of(card, &pins[i]);

		if (state == PIN_ABSENT)
			continue;
		if (pins[i].reference == KEY_UNIVERSAL) /* usage: whether it stands in for the application's PIN */
			tlv_put_uint(&refs, 0x95, 1, state_of(card, &pins[0]) == PIN_REPLACED ? 0x08 : 0x00);
		tlv_put_uint(&refs, 0x83, 1, pins[i].reference);
		if (state == PIN_ENABLED)
			ps |= bit;
		bit >>= 1;
	}
	tlv_put_uint(out, 0x90, 1, ps);
	buf_put(out, buf_bytes(&refs));
}

enum status pin_create(struct store *s, uint8_t reference, struct bytes pin, struct bytes puk, bool enabled)
{
	const uint8_t tries[2] = { PIN_TRIES, PUK_TRIES };
	const struct pin_row *row = row_of(reference);
	SECRET record = { 0 };
	struct buf b = { record.data, 0, PIN_RECORD_LEN, false };

	buf_put_u8(&b, enabled ? PIN_ENABLED : PIN_DISABLED);
	buf_put(&b, pin);
	buf_put(&b, puk);
	if (row == NULL || b.failed || b.len != PIN_RECORD_LEN)
		return ERR_MALFORMED;
	TRY(store_put(s, row->name, (struct bytes){ record.data, PIN_RECORD_LEN }));
	return store_put(s, row->tries, BYTES_OF(tries));
}

static enum sw tries_left(uint8_t n)
{
	return (enum sw)(SW_TRIES_LEFT | (n & 15U));
}

/* Spend a try, make that durable, compare, and give the tries back. `which` is TRY_PIN or TRY_PUK; on 9000 the full count is
 * pending in the overlay, so it becomes durable together with whatever the command changes. */
static enum sw spend_and_compare(
        const struct command *c, const struct pin_row *row, int which, struct bytes given, struct secret *record)
{
	struct card *card = c->card;
	static const uint8_t full[2] = { PIN_TRIES, PUK_TRIES };
	uint8_t tries[2];
	struct bytes expected;
	enum status st;

	if ((st = load_tries(card, row, tries)) != OK || (st = load_pin(card, row, record)) != OK)
		return sw_of(st);
	if (tries[which] == 0)
		return SW_METHOD_BLOCKED;
	tries[which]--;
	if ((st = store_spend(&card->store, row->tries, BYTES_OF(tries))) != OK)
		return sw_of(st);
	expected = (struct bytes){ record->data + (which == TRY_PIN ? AT_PIN : AT_PUK), PIN_LEN };
	if (!secret_equals(expected, given)) {
		if (which == TRY_PIN)
			set_verified(c, row, false);
		return tries_left(tries[which]);
	}
	tries[which] = full[which];
	if (which == TRY_PUK)
		tries[TRY_PIN] = full[TRY_PIN];
	return store_put(&card->store, row->tries, BYTES_OF(tries)) == OK ? SW_OK : SW_MEMORY_PROBLEM;
}

/* Empty data asks for the tries left and changes nothing. */
static enum sw report_tries(struct card *card, const struct pin_row *row, int which)
{
	uint8_t tries[2];
	enum status st = load_tries(card, row, tries);

	if (st != OK)
		return sw_of(st);
	return tries[which] == 0 ? SW_METHOD_BLOCKED : tries_left(tries[which]);
}

/* The PIN that P2 names: it must exist, and a local one needs its application. */
static enum sw find_pin(const struct command *c, const struct pin_row **row, enum pin_state *state)
{
	*row = row_of(c->p2);
	*state = state_of(c->card, *row);
	if (*state == PIN_ABSENT || ((c->p2 & 0x80) != 0 && c->channel->adf == FILE_NONE))
		return SW_REFERENCE_NOT_FOUND;
	return SW_OK;
}

static bool is_pin(struct bytes pin)
{
	size_t digits = 0;

	while (digits < pin.n && pin.p[digits] >= '0' && pin.p[digits] <= '9')
		digits++;
	for (size_t i = digits; i < pin.n; i++)
		if (pin.p[i] != 0xFF)
			return false;
	return pin.n == PIN_LEN && digits >= 4;
}

static enum sw save(struct card *card, const struct pin_row *row, struct secret *record)
{
	return store_put(&card->store, row->name, secret_bytes(record)) == OK ? SW_OK : SW_MEMORY_PROBLEM;
}

/* P1: 00; FF, for an application with PIN states of its own: not verified any more (ISO 7816-4:2013, 11.5.6). */
enum sw cmd_verify_pin(struct command *c)
{
	SECRET record = { 0 };
	const struct pin_row *row;
	enum pin_state state;
	enum sw sw = find_pin(c, &row, &state);

	if (c->p1 != 0 && (c->p1 != VERIFY_NO_MORE || !is_own(c->channel)))
		return SW_WRONG_P1P2;
	if (sw != SW_OK)
		return sw;
	if (c->p1 == VERIFY_NO_MORE) {
		if (c->data.n != 0)
			return SW_WRONG_LENGTH;
		c->channel->pins_here &= (uint8_t)~bit_of(row);
		set_verified(c, row, false);
		return SW_OK;
	}
	if (c->data.n == 0)
		return report_tries(c->card, row, TRY_PIN);
	if (c->data.n != PIN_LEN)
		return SW_WRONG_LENGTH;
	if (state != PIN_ENABLED)
		return SW_DATA_INVALIDATED;
	sw = spend_and_compare(c, row, TRY_PIN, c->data, &record);
	if (sw == SW_OK)
		set_verified(c, row, true);
	return sw;
}

/* A new value, for the old one (CHANGE) or for the PUK (UNBLOCK, which enables the PIN as well). */
static enum sw replace_pin(struct command *c, int which)
{
	SECRET record = { 0 };
	const struct pin_row *row;
	enum pin_state state;
	struct bytes in = c->data, given, new;
	enum sw sw = find_pin(c, &row, &state);

	if (sw != SW_OK)
		return sw;
	if (which == TRY_PUK && c->data.n == 0)
		return report_tries(c->card, row, TRY_PUK);
	if (!bytes_take(&in, PIN_LEN, &given) || !bytes_take(&in, PIN_LEN, &new) || in.n != 0)
		return SW_WRONG_LENGTH;
	if (which == TRY_PIN && state != PIN_ENABLED)
		return SW_DATA_INVALIDATED;
	if (!is_pin(new))
		return SW_WRONG_DATA;
	if ((sw = spend_and_compare(c, row, which, given, &record)) != SW_OK)
		return sw;
	memcpy(record.data + AT_PIN, new.p, PIN_LEN);
	record.data[AT_STATE] = PIN_ENABLED;
	set_verified(c, row, true);
	return save(c->card, row, &record);
}

enum sw cmd_change_pin(struct command *c)
{
	return replace_pin(c, TRY_PIN);
}

enum sw cmd_unblock_pin(struct command *c)
{
	return replace_pin(c, TRY_PUK);
}

static enum sw switch_pin(struct command *c, enum pin_state wanted)
{
	SECRET record = { 0 };
	const struct pin_row *row;
	enum pin_state state;
	enum sw sw = find_pin(c, &row, &state);

	if (sw != SW_OK)
		return sw;
	if (c->data.n != PIN_LEN)
		return SW_WRONG_LENGTH;
	if ((state == PIN_ENABLED) == (wanted == PIN_ENABLED))
		return SW_DATA_INVALIDATED;
	sw = spend_and_compare(c, row, TRY_PIN, c->data, &record);
	if (sw != SW_OK)
		return sw;
	record.data[AT_STATE] = (uint8_t)wanted;
	set_verified(c, row, wanted == PIN_ENABLED);
	return save(c->card, row, &record);
}

/* P1: 00 plain; b8 set and a reference: that PIN takes its place (11.1.11.1). */
enum sw cmd_disable_pin(struct command *c)
{
	if (c->p1 == 0)
		return switch_pin(c, PIN_DISABLED);
	if (c->p1 != (0x80 | KEY_UNIVERSAL) || c->p2 != KEY_PIN1)
		return SW_WRONG_P1P2;
	if (pin_state(c->card, KEY_UNIVERSAL) == PIN_ABSENT)
		return SW_REFERENCE_NOT_FOUND;
	return switch_pin(c, PIN_REPLACED);
}

enum sw cmd_enable_pin(struct command *c)
{
	return switch_pin(c, PIN_ENABLED);
}
