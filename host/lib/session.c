/* SPDX-License-Identifier: Apache-2.0 */
#include "host/lib/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apdu/base/duration.h"
#include "apdu/aids.h"
#include "apdu/base/secret.h"

enum { ROUNDS_MAX = 8 };

const char *prose_result_text(enum prose_result r)
{
	static const char *const text[] = {
		[PROSE_OK] = "done",
		[PROSE_NO_READER] = "no such reader: is pcscd running, and the name right (prose-ue readers)?",
		[PROSE_NO_CARD] = "there is no card in the reader (in a farm: no such card, or it is in use)",
		[PROSE_RESET] = "another program reset the card",
		[PROSE_IO] = "the link to the card failed",
		[PROSE_REFUSED] = "the card refused",
		[PROSE_PIN_NEEDED] = "the card wants PIN1: give --pin-file",
		[PROSE_FORMAT] = "malformed data",
		[PROSE_NOT_FOUND] = "not found",
		[PROSE_NO_SPACE] = "not enough room",
		[PROSE_REPLAYED] = "the message is too old, or the card has seen it, or a later one, before",
		[PROSE_NOT_LET_IN] = ("pcscd does not let this user in: polkit (a rule must allow "
		                      "org.debian.pcsc-lite.access_pcsc and access_card)"),
		[PROSE_INTERFACE] = "the card speaks another version of the ProSe applet's interface",
		[PROSE_PIN_WRONG] = "wrong PIN",
		[PROSE_PIN_BLOCKED] = "the PIN is blocked: its PUK unblocks it (prose-ue pin unblock)",
		[PROSE_PIN_LAST_TRY] = "one try is left: --force spends it",
		[PROSE_PIN_FORMAT] = "a PIN has 4 to 8 digits, a PUK 8: it was not sent to the card",
		[PROSE_NO_MEMORY] = "out of memory: stop other programs, or allow this one more",
		[PROSE_LIBRARY] = "libcrypto could not compute: is it installed whole (openssl version -a)?",
	};
	return (size_t)r < sizeof text / sizeof *text ? text[r] : "unknown result";
}

enum prose_result session_result(enum status st)
{
	switch (st) {
	case OK: return PROSE_OK;
	case ERR_NO_MEMORY: return PROSE_NO_MEMORY;
	case ERR_LIBRARY: return PROSE_LIBRARY;
	case ERR_NO_SPACE: return PROSE_NO_SPACE;
	default: return PROSE_FORMAT;
	}
}

unsigned prose_card_status(const struct prose_card *c)
{
	return c->sw;
}

const char *prose_card_error(const struct prose_card *c)
{
	return c->error;
}

static enum prose_result open_channel(struct prose_card *c)
{
	const struct request q = { 0x00, INS_MANAGE_CHANNEL, 0x00, 0x00, { 0 }, 1 };
	enum prose_result r;

	c->channel = 0;
	r = session_exchange(c, &q);
	if (r == PROSE_REFUSED)
		return PROSE_OK; /* a card with the basic channel only */
	if (r != PROSE_OK)
		return r;
	if (c->answer.n != 1)
		return PROSE_FORMAT;
	c->channel = c->answer.p[0];
	c->channel_open = true;
	return PROSE_OK;
}

static enum prose_result go_to(struct prose_card *c, enum session_place place)
{
	struct request q = { 0x00, INS_SELECT, 0x04, 0x0C, BYTES_STR(AID_PROSE), 0 };

	switch (place) {
	case PLACE_PROSE: return session_exchange(c, &q);
	case PLACE_MF:
		q.p1 = 0x00;
		q.data = BYTES_STR("\x3F\x00");
		return session_exchange(c, &q);
	default: return PROSE_OK;
	}
}

static void session_end(struct prose_card *c)
{
	if (c->transport.end != NULL)
		c->transport.end(c->transport.context);
}

/* Channel and applet. A channel that is open already stays ours: each that is opened anew is one that the card has less. */
static enum prose_result go_in(struct prose_card *c)
{
	enum prose_result r = c->channel_open ? PROSE_OK : open_channel(c);

	c->elsewhere = true;
	return r == PROSE_OK ? go_to(c, PLACE_PROSE) : r;
}

/* The applet stays selected on our channel, so PLACE_PROSE costs nothing unless something else was done there. */
static enum prose_result session_begin(struct prose_card *c, enum session_place place)
{
	enum prose_result r = c->transport.begin != NULL ? c->transport.begin(c->transport.context) : PROSE_OK;

	if (r == PROSE_RESET) {
		c->channel_open = false;
		c->fresh = true; /* until this has been done */
		r = PROSE_OK;
	}
	if (r == PROSE_OK && (c->fresh || (c->elsewhere && place == PLACE_PROSE))) {
		if ((r = go_in(c)) == PROSE_REFUSED)
			r = PROSE_OK; /* a card without the applet still has files */
		c->fresh = c->fresh && r != PROSE_OK;
		c->elsewhere = r != PROSE_OK;
	}
	if (r == PROSE_OK && place == PLACE_MF) {
		c->elsewhere = true;
		r = go_to(c, place);
	}
	if (r != PROSE_OK && r != PROSE_NO_CARD)
		session_end(c);
	return r;
}

bool session_round(struct prose_card *c, enum session_place place, unsigned *round, enum prose_result *r)
{
	if (*round > 0) {
		session_end(c);
		if (*r != PROSE_RESET || *round == ROUNDS_MAX)
			return false;
	}
	do {
		*r = session_begin(c, place);
		++*round;
	} while (*r == PROSE_RESET && *round < ROUNDS_MAX);
	return *r == PROSE_OK;
}

void session_back_to_applet(struct prose_card *c)
{
	const struct request q = { 0x00, INS_SELECT, 0x04, 0x0C, BYTES_STR(AID_PROSE), 0 };
	char kept[sizeof c->error];
	unsigned sw = c->sw;
	enum prose_result r;

	memcpy(kept, c->error, sizeof kept);
	r = session_exchange(c, &q);
	c->elsewhere = r != PROSE_OK && r != PROSE_REFUSED;
	memcpy(c->error, kept, sizeof kept);
	c->sw = sw;
}

enum prose_result session_command(struct prose_card *c, uint8_t ins, uint8_t p1, struct bytes data, size_t ne)
{
	const struct request q = { 0x80, ins, p1, 0, data, ne };
	enum prose_result r = PROSE_OK;

	for (unsigned round = 0; session_round(c, PLACE_PROSE, &round, &r);) {
		r = session_exchange(c, &q);
		if (r == PROSE_REFUSED && c->sw == SW_SECURITY_NOT_SATISFIED && (r = session_verify_pin(c)) == PROSE_OK)
			r = session_exchange(c, &q);
	}
	return r;
}

enum prose_result prose_card_open(
        struct prose_transport transport, const struct prose_options *options, struct prose_card **out)
{
	struct prose_card *c = calloc(1, sizeof *c);
	enum prose_result r = PROSE_NO_MEMORY;

	*out = NULL;
	if (c == NULL) {
		transport.close(transport.context);
		return r;
	}
	c->transport = transport;
	if (options != NULL)
		c->options = *options;
	c->fresh = true;
	for (unsigned round = 0; session_round(c, PLACE_PROSE, &round, &r);)
		;
	if (r != PROSE_OK) {
		prose_card_close(&c);
		return r;
	}
	*out = c;
	return PROSE_OK;
}

/* On the basic channel, without what session_begin does after a reset: a resumption must be the first command. */
static enum prose_result first_command(struct prose_card *c, const struct request *q)
{
	enum prose_result r = c->transport.begin != NULL ? c->transport.begin(c->transport.context) : PROSE_OK;
	unsigned own = c->channel;

	if (r != PROSE_OK && r != PROSE_RESET)
		return r;
	c->channel = 0;
	r = session_exchange(c, q);
	c->channel = own;
	session_end(c);
	return r;
}

enum prose_result prose_card_suspend(struct prose_card *c, uint32_t *seconds, uint8_t token[8])
{
	uint8_t raw[4];
	struct buf b = BUF_OF(raw);
	struct request q = { 0x80, INS_SUSPEND_UICC, 0, 0, { 0 }, 10 };
	enum prose_result r;

	duration_put(&b, 1);
	duration_put(&b, *seconds);
	q.data = buf_bytes(&b);
	if ((r = first_command(c, &q)) != PROSE_OK)
		return r;
	if (c->answer.n != 10)
		return PROSE_FORMAT;
	*seconds = duration_seconds(c->answer.p);
	memcpy(token, c->answer.p + 2, 8);
	return PROSE_OK;
}

enum prose_result prose_card_resume(struct prose_card *c, const uint8_t token[8])
{
	const struct request q = { 0x80, INS_SUSPEND_UICC, 1, 0, { token, 8 }, 0 };
	enum prose_result r = first_command(c, &q);

	c->fresh = r != PROSE_OK; /* as after any reset, then */
	c->channel_open = c->channel_open && !c->fresh;
	return r;
}

void prose_card_spend_last_try(struct prose_card *c, bool yes)
{
	c->spend_last_try = yes;
}

void prose_card_close(struct prose_card **card)
{
	struct prose_card *c = *card;
	struct request q = { 0x00, INS_MANAGE_CHANNEL, 0x80, 0, { 0 }, 0 };

	if (c == NULL)
		return;
	if (c->channel_open && c->transport.begin != NULL && c->transport.begin(c->transport.context) == PROSE_OK) {
		q.p2 = (uint8_t)c->channel;
		c->channel = 0;
		(void)session_exchange(c, &q);
		session_end(c);
	}
	session_forget_pin(c);
	c->transport.close(c->transport.context);
	secret_clean(c, sizeof *c);
	free(c);
	*card = NULL;
}

enum prose_result prose_apdu(struct prose_card *c, const uint8_t *command, size_t command_len, uint8_t *response, size_t *n)
{
	const size_t room = *n;
	enum prose_result r = PROSE_OK;

	for (unsigned round = 0; session_round(c, PLACE_PROSE, &round, &r);) {
		*n = room;
		r = c->transport.transmit(c->transport.context, command, command_len, response, n);
	}
	return r;
}
