/* SPDX-License-Identifier: Apache-2.0 */
/* PINs (TS 102 221 11.1.9 to 11.1.13). Tries are looked at before one is spent, and what cannot be a PIN is not sent. */
#include <stdio.h>
#include <string.h>

#include "apdu/aids.h"
#include "apdu/base/secret.h"
#include "host/lib/session.h"

enum { PIN_OCTETS = 8, PIN_DIGITS_MIN = 4, VERIFY_NO_MORE = 0xFF };

static const struct pin_action {
	uint8_t ins;
	bool first, second; /* which of the two values the command carries */
} pin_actions[] = {
	[PROSE_PIN_STATUS] = { INS_VERIFY_PIN, false, false },
	[PROSE_PIN_VERIFY] = { INS_VERIFY_PIN, true, false },
	[PROSE_PIN_CHANGE] = { INS_CHANGE_PIN, true, true },
	[PROSE_PIN_DISABLE] = { INS_DISABLE_PIN, true, false },
	[PROSE_PIN_ENABLE] = { INS_ENABLE_PIN, true, false },
	[PROSE_PIN_UNBLOCK] = { INS_UNBLOCK_PIN, true, true },
};

/* What a try is spent on. */
struct target {
	uint8_t reference;
	bool puk;
};

static const char *name_of(const struct target *t)
{
	return t->reference == PROSE_PIN1 ? "PIN1" : t->reference == PROSE_PIN2 ? "PIN2" : "the universal PIN";
}

static bool put_digits(struct buf *b, const char *digits, size_t least)
{
	size_t n = digits != NULL ? strspn(digits, "0123456789") : 0;

	if (n < least || n > PIN_OCTETS || digits[n] != 0)
		return false;
	buf_put(b, (struct bytes){ (const uint8_t *)digits, n });
	for (; n < PIN_OCTETS; n++)
		buf_put_u8(b, 0xFF);
	return !b->failed;
}

static enum prose_result blocked(struct prose_card *c, const struct target *t)
{
	if (t->puk)
		(void)snprintf(c->error, sizeof c->error, "the PUK of %s is blocked, too: nothing unblocks it on this card",
		        name_of(t));
	else
		(void)snprintf(
		        c->error, sizeof c->error, "%s is blocked: its PUK unblocks it (prose-ue pin unblock)", name_of(t));
	return PROSE_PIN_BLOCKED;
}

static enum prose_result wrong(struct prose_card *c, const struct target *t, unsigned tries)
{
	const char *what = t->puk ? "PUK" : "PIN";

	if (tries == 0)
		(void)snprintf(c->error, sizeof c->error, "wrong %s, and it is blocked now%s", what,
		        t->puk ? "" : ": its PUK unblocks it (prose-ue pin unblock)");
	else
		(void)snprintf(c->error, sizeof c->error, "wrong %s, %u %s left", what, tries, tries == 1 ? "try" : "tries");
	return PROSE_PIN_WRONG;
}

/* What the last command's status word says of the target. Words that are not of PINs stay what they are: PROSE_REFUSED. */
static enum prose_result judge(struct prose_card *c, const struct target *t, enum prose_result r, unsigned *tries)
{
	if (r != PROSE_REFUSED)
		return r;
	if (c->sw == SW_METHOD_BLOCKED)
		return blocked(c, t);
	if ((c->sw & 0xFFF0) != SW_TRIES_LEFT)
		return r;
	*tries = c->sw & 15;
	return wrong(c, t, *tries);
}

/* Before a try is spent. Cards that do not say how many are left: there is something to spend. */
static enum prose_result may_spend(struct prose_card *c, const struct target *t)
{
	const struct request q = { 0x00, t->puk ? INS_UNBLOCK_PIN : INS_VERIFY_PIN, 0x00, t->reference, { 0 }, 0 };
	enum prose_result r = session_exchange(c, &q);

	if (r != PROSE_REFUSED)
		return r;
	if (c->sw == SW_METHOD_BLOCKED || c->sw == SW_TRIES_LEFT)
		return blocked(c, t);
	if (c->sw != (SW_TRIES_LEFT | 1) || c->spend_last_try)
		return PROSE_OK;
	(void)snprintf(c->error, sizeof c->error, "one try is left for %s%s: --force spends it", t->puk ? "the PUK of " : "",
	        name_of(t));
	return PROSE_PIN_LAST_TRY;
}

static enum prose_result verify(struct prose_card *c, struct bytes padded)
{
	const struct target pin1 = { PROSE_PIN1, false };
	const struct request q = { 0x00, INS_VERIFY_PIN, 0, PROSE_PIN1, padded, 0 };
	enum prose_result r = may_spend(c, &pin1);
	unsigned tries;

	if (r == PROSE_OK)
		r = judge(c, &pin1, session_exchange(c, &q), &tries);
	return r == PROSE_REFUSED && c->sw == SW_DATA_INVALIDATED ? PROSE_OK : r; /* disabled: nobody needs it */
}

enum prose_result session_verify_pin(struct prose_card *c)
{
	const struct request select = { 0x00, INS_SELECT, 0x04, 0x0C, BYTES_STR(AID_PROSE), 0 };
	uint8_t padded[PIN_OCTETS];
	struct buf b = BUF_OF(padded);
	char pin[9] = { 0 };
	enum prose_result r;
	bool is_pin;

	if (c->options.pin == NULL || !c->options.pin(c->options.pin_context, pin))
		return PROSE_PIN_NEEDED;
	is_pin = memchr(pin, 0, sizeof pin) != NULL && put_digits(&b, pin, PIN_DIGITS_MIN);
	secret_clean(pin, sizeof pin);
	if (!is_pin)
		return PROSE_PIN_FORMAT;
	/* In our applet it counts on our channel only; a card without the applet knows one PIN state for all. */
	r = session_exchange(c, &select);
	if (r == PROSE_OK || r == PROSE_REFUSED)
		r = verify(c, BYTES_OF(padded));
	secret_clean(padded, sizeof padded);
	c->pin_given = c->pin_given || r == PROSE_OK;
	return r;
}

void session_forget_pin(struct prose_card *c)
{
	const struct request select = { 0x00, INS_SELECT, 0x04, 0x0C, BYTES_STR(AID_PROSE), 0 };
	const struct request q = { 0x00, INS_VERIFY_PIN, VERIFY_NO_MORE, PROSE_PIN1, { 0 }, 0 };
	bool mine = c->pin_given && !c->channel_open && c->channel == 0;

	if (!mine || (c->transport.begin != NULL && c->transport.begin(c->transport.context) != PROSE_OK))
		return; /* the channel has taken it along, or a reset */
	if (session_exchange(c, &select) == PROSE_OK)
		(void)session_exchange(c, &q);
	if (c->transport.end != NULL)
		c->transport.end(c->transport.context);
}

static enum prose_result act(
        struct prose_card *c, const struct target *t, enum prose_pin_action action, const struct request *q, unsigned *tries)
{
	const struct request select = { 0x00, INS_SELECT, 0x04, 0x0C, BYTES_STR(AID_USIM), 0 };
	enum prose_result r = session_exchange(c, &select);

	if (r != PROSE_OK && r != PROSE_REFUSED)
		return r;
	if (action != PROSE_PIN_STATUS && (r = may_spend(c, t)) != PROSE_OK) {
		*tries = r == PROSE_PIN_LAST_TRY ? 1 : 0;
		return r;
	}
	r = judge(c, t, session_exchange(c, q), tries);
	return action == PROSE_PIN_STATUS && r == PROSE_PIN_WRONG ? PROSE_OK : r; /* that is how the card says it */
}

enum prose_result prose_pin(struct prose_card *c, enum prose_pin_action action, unsigned reference, const char *first,
        const char *second, unsigned *tries)
{
	const struct pin_action *a = &pin_actions[action];
	const struct target t = { (uint8_t)reference, action == PROSE_PIN_UNBLOCK };
	uint8_t raw[2 * PIN_OCTETS];
	struct buf b = BUF_OF(raw);
	struct request q = { 0x00, 0, 0x00, (uint8_t)reference, { 0 }, 0 };
	enum prose_result r = PROSE_PIN_FORMAT;

	*tries = 0;
	if ((unsigned)action > PROSE_PIN_UNBLOCK)
		return PROSE_FORMAT;
	if ((!a->first || put_digits(&b, first, t.puk ? PIN_OCTETS : PIN_DIGITS_MIN)) &&
	        (!a->second || put_digits(&b, second, PIN_DIGITS_MIN))) {
		q.ins = a->ins;
		q.data = buf_bytes(&b);
		r = PROSE_OK;
		for (unsigned round = 0; session_round(c, PLACE_MF, &round, &r);) {
			r = act(c, &t, action, &q, tries);
			session_back_to_applet(c);
		}
	}
	secret_clean(raw, sizeof raw);
	return r;
}
