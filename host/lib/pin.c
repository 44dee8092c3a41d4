/* SPDX-License-Identifier: Apache-2.0 */
/* PINs (TS 102 221 11.1.9 to 11.1.13). Tries are looked at before one is spent, and what cannot be a PIN is not sent. */
#include <stdio.h>
#include <string.h>

#include "apdu/aids.h"
#include "apdu/base/secret.h"
#include "host/lib/pin.h"

enum { VERIFY_NO_MORE = 0xFF };

static const char *name_of(const struct pin_target *t)
{
	return t->reference == PROSE_PIN1 ? "PIN1" : t->reference == PROSE_PIN2 ? "PIN2" : "the universal PIN";
}

bool pin_put(struct buf *b, const char *digits, size_t least)
{
	size_t n = digits != NULL ? strspn(digits, "0123456789") : 0;

	if (n < least || n > PIN_OCTETS || digits[n] != 0)
		return false;
	buf_put(b, (struct bytes){ (const uint8_t *)digits, n });
	for (; n < PIN_OCTETS; n++)
		buf_put_u8(b, 0xFF);
	return !b->failed;
}

static enum prose_result blocked(struct prose_card *c, const struct pin_target *t)
{
	if (t->puk)
		(void)snprintf(c->error, sizeof c->error, "the PUK of %s is blocked, too: nothing unblocks it on this card",
		        name_of(t));
	else
		(void)snprintf(
		        c->error, sizeof c->error, "%s is blocked: its PUK unblocks it (prose-ue pin unblock)", name_of(t));
	return PROSE_PIN_BLOCKED;
}

static enum prose_result wrong(struct prose_card *c, const struct pin_target *t, unsigned tries)
{
	const char *what = t->puk ? "PUK" : "PIN";

	if (tries == 0)
		(void)snprintf(c->error, sizeof c->error, "wrong %s, and it is blocked now%s", what,
		        t->puk ? "" : ": its PUK unblocks it (prose-ue pin unblock)");
	else
		(void)snprintf(c->error, sizeof c->error, "wrong %s, %u %s left", what, tries, tries == 1 ? "try" : "tries");
	return PROSE_PIN_WRONG;
}

enum prose_result pin_judge(struct prose_card *c, const struct pin_target *t, enum prose_result r, unsigned *tries)
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

/* Cards that do not say how many are left: there is something to spend. */
enum prose_result pin_may_spend(struct prose_card *c, const struct pin_target *t)
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
	const struct pin_target pin1 = { PROSE_PIN1, false };
	const struct request q = { 0x00, INS_VERIFY_PIN, 0, PROSE_PIN1, padded, 0 };
	enum prose_result r = pin_may_spend(c, &pin1);
	unsigned tries;

	if (r == PROSE_OK)
		r = pin_judge(c, &pin1, session_exchange(c, &q), &tries);
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
	is_pin = memchr(pin, 0, sizeof pin) != NULL && pin_put(&b, pin, PIN_DIGITS_MIN);
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
