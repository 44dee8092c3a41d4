#include "card/os/pin.h"

#include <string.h>

/* Record "pin/01": secrets and state. Record "pin/01/t": the tries, which put_now writes alone. */
static const struct bytes pin_name = { (const uint8_t *)"pin/01", 6 };
static const struct bytes tries_name = { (const uint8_t *)"pin/01/t", 8 };

enum { KEY_PIN1 = 0x01, AT_ENABLED = 0, AT_PIN = 1, AT_PUK = 9, PIN_RECORD_LEN = 17, TRY_PIN = 0, TRY_PUK = 1 };

static enum status load_tries(struct card *card, uint8_t tries[2])
{
	struct buf b = { tries, 0, 2, false };

	TRY(store_get(&card->store, tries_name, &b));
	return b.len == 2 ? OK : ERR_MALFORMED;
}

static enum status load_pin(struct card *card, struct secret *out)
{
	TRY(store_get_secret(&card->store, pin_name, out));
	return out->len == PIN_RECORD_LEN ? OK : ERR_MALFORMED;
}

bool pin_is_enabled(struct card *card)
{
	SECRET
	record = { 0 };

	return load_pin(card, &record) != OK || record.data[AT_ENABLED] != 0;
}

enum status pin_create(struct store *s, struct bytes pin, struct bytes puk, bool enabled)
{
	const uint8_t tries[2] = { PIN_TRIES, PUK_TRIES };
	SECRET
	record = { 0 };
	struct buf b = { record.data, 0, PIN_RECORD_LEN, false };

	buf_put_u8(&b, enabled ? 1 : 0);
	buf_put(&b, pin);
	buf_put(&b, puk);
	if (b.failed || b.len != PIN_RECORD_LEN)
		return ERR_MALFORMED;
	TRY(store_put(s, pin_name, (struct bytes){ record.data, PIN_RECORD_LEN }));
	return store_put(s, tries_name, BYTES_OF(tries));
}

static enum sw tries_left(uint8_t n)
{
	return (enum sw)(SW_TRIES_LEFT | (n & 15U));
}

/* Spend a try, make that durable, compare, and give the tries back. *which is TRY_PIN or TRY_PUK; on 9000 the full count is
 * pending in the overlay, so it becomes durable together with whatever the command changes. */
static enum sw spend_and_compare(struct card *card, int which, struct bytes given, struct secret *record)
{
	static const uint8_t full[2] = { PIN_TRIES, PUK_TRIES };
	uint8_t tries[2];
	struct bytes expected;
	enum status st;

	if ((st = load_tries(card, tries)) != OK || (st = load_pin(card, record)) != OK)
		return sw_of(st);
	if (tries[which] == 0)
		return SW_METHOD_BLOCKED;
	tries[which]--;
	if ((st = store_put_now(&card->store, tries_name, BYTES_OF(tries))) != OK)
		return sw_of(st);
	expected = (struct bytes){ record->data + (which == TRY_PIN ? AT_PIN : AT_PUK), PIN_LEN };
	if (!secret_equals(expected, given)) {
		if (which == TRY_PIN)
			card->pin1_verified = false;
		return tries_left(tries[which]);
	}
	tries[which] = full[which];
	if (which == TRY_PUK)
		tries[TRY_PIN] = full[TRY_PIN];
	return store_put(&card->store, tries_name, BYTES_OF(tries)) == OK ? SW_OK : SW_MEMORY_PROBLEM;
}

/* Empty data asks for the tries left and changes nothing. */
static enum sw report_tries(struct card *card, int which)
{
	uint8_t tries[2];
	enum status st = load_tries(card, tries);

	if (st != OK)
		return sw_of(st);
	return tries[which] == 0 ? SW_METHOD_BLOCKED : tries_left(tries[which]);
}

static enum sw check_reference(const struct command *c)
{
	return c->p2 == KEY_PIN1 ? SW_OK : SW_REFERENCE_NOT_FOUND;
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

static enum sw save(struct card *card, struct secret *record)
{
	return store_put(&card->store, pin_name, secret_bytes(record)) == OK ? SW_OK : SW_MEMORY_PROBLEM;
}

enum sw cmd_verify_pin(struct command *c)
{
	SECRET
	record = { 0 };
	enum sw sw = check_reference(c);

	if (sw != SW_OK)
		return sw;
	if (c->data.n == 0)
		return report_tries(c->card, TRY_PIN);
	if (c->data.n != PIN_LEN)
		return SW_WRONG_LENGTH;
	if (!pin_is_enabled(c->card))
		return SW_DATA_INVALIDATED;
	sw = spend_and_compare(c->card, TRY_PIN, c->data, &record);
	if (sw == SW_OK)
		c->card->pin1_verified = true;
	return sw;
}

enum sw cmd_change_pin(struct command *c)
{
	SECRET
	record = { 0 };
	struct bytes in = c->data, old, new;
	enum sw sw = check_reference(c);

	if (sw != SW_OK)
		return sw;
	if (!bytes_take(&in, PIN_LEN, &old) || !bytes_take(&in, PIN_LEN, &new) || in.n != 0)
		return SW_WRONG_LENGTH;
	if (!pin_is_enabled(c->card))
		return SW_DATA_INVALIDATED;
	if (!is_pin(new))
		return SW_WRONG_DATA;
	sw = spend_and_compare(c->card, TRY_PIN, old, &record);
	if (sw != SW_OK)
		return sw;
	memcpy(record.data + AT_PIN, new.p, PIN_LEN);
	c->card->pin1_verified = true;
	return save(c->card, &record);
}

static enum sw switch_pin(struct command *c, bool enable)
{
	SECRET
	record = { 0 };
	enum sw sw = check_reference(c);

	if (sw != SW_OK)
		return sw;
	if (c->data.n != PIN_LEN)
		return SW_WRONG_LENGTH;
	if (pin_is_enabled(c->card) == enable)
		return SW_DATA_INVALIDATED;
	sw = spend_and_compare(c->card, TRY_PIN, c->data, &record);
	if (sw != SW_OK)
		return sw;
	record.data[AT_ENABLED] = enable ? 1 : 0;
	c->card->pin1_verified = enable;
	return save(c->card, &record);
}

enum sw cmd_disable_pin(struct command *c)
{
	return switch_pin(c, false);
}

enum sw cmd_enable_pin(struct command *c)
{
	return switch_pin(c, true);
}

enum sw cmd_unblock_pin(struct command *c)
{
	SECRET
	record = { 0 };
	struct bytes in = c->data, puk, new;
	enum sw sw = check_reference(c);

	if (sw != SW_OK)
		return sw;
	if (c->data.n == 0)
		return report_tries(c->card, TRY_PUK);
	if (!bytes_take(&in, PIN_LEN, &puk) || !bytes_take(&in, PIN_LEN, &new) || in.n != 0)
		return SW_WRONG_LENGTH;
	if (!is_pin(new))
		return SW_WRONG_DATA;
	sw = spend_and_compare(c->card, TRY_PUK, puk, &record);
	if (sw != SW_OK)
		return sw;
	memcpy(record.data + AT_PIN, new.p, PIN_LEN);
	record.data[AT_ENABLED] = 1;
	c->card->pin1_verified = true;
	return save(c->card, &record);
}
