/* SPDX-License-Identifier: Apache-2.0 */
/* MANAGE CHANNEL, GET CHALLENGE, TERMINAL PROFILE, ENVELOPE (TS 102 221 11.1.17, 11.1.18, 11.2). */
#include <string.h>

#include "apdu/tlv.h"
#include "card/os/commands.h"

static enum sw open_channel(struct command *c)
{
	struct channel *ch = NULL;
	bool by_number = c->p2 != 0;

	if (by_number) {
		if (c->p2 >= CHANNELS)
			return SW_WRONG_P1P2;
		ch = &c->card->channel[c->p2];
		if (ch->open)
			return SW_CHANNEL_NOT_SUPPORTED;
	} else {
		for (size_t i = 1; i < CHANNELS && ch == NULL; i++)
			if (!c->card->channel[i].open)
				ch = &c->card->channel[i];
		if (ch == NULL)
			return SW_CHANNEL_NOT_SUPPORTED;
	}
	channel_init(ch, ch->number, true);
	channel_enter(ch, c->channel->number == 0 ? FILE_MF : c->channel->df);
	if (!by_number)
		buf_put_u8(c->rsp, ch->number);
	return SW_OK;
}

static enum sw close_channel(struct command *c)
{
	struct channel *ch;

	if (c->p2 == 0 || c->p2 >= CHANNELS)
		return SW_WRONG_P1P2;
	ch = &c->card->channel[c->p2];
	if (!ch->open)
		return SW_CHANNEL_NOT_SUPPORTED;
	applet_exit(ch);
	channel_init(ch, ch->number, false);
	return SW_OK;
}

enum sw cmd_manage_channel(struct command *c)
{
	switch (c->p1) {
	case 0x00: return open_channel(c);
	case 0x80: return close_channel(c);
	default: return SW_WRONG_P1P2;
	}
}

enum sw cmd_get_challenge(struct command *c)
{
	uint8_t *out = buf_reserve(c->rsp, c->ne <= 64 ? c->ne : 64);

	if (out == NULL || rng_fill(c->card->env.rng, out, c->rsp->len) != OK)
		return SW_TECHNICAL_PROBLEM;
	return SW_OK;
}

/* A command that only an application has, while none is selected. */
enum sw cmd_needs_application(struct command *c)
{
	(void)c;
	return SW_CONDITIONS_NOT_SATISFIED;
}

/* TS 102 221 11.1.19: what the terminal can do is noted by nobody yet, but must be well formed. */
enum sw cmd_terminal_capability(struct command *c)
{
	struct bytes in = c->data;
	struct tlv outer, t;

	if (tlv_next(&in, &outer) != OK || in.n != 0 || outer.tag != 0xA9)
		return SW_WRONG_DATA;
	while (outer.value.n > 0)
		if (tlv_next(&outer.value, &t) != OK)
			return SW_WRONG_DATA;
	return SW_OK;
}

/* SMS-PP and cell broadcast download (TS 31.111 7.1.1): TPDU or page go to the applet that handles secured packets. Timers and
 * events go to the applets that asked for them. */
enum sw cmd_envelope(struct command *c)
{
	struct bytes in = c->data, data = { 0 };
	struct tlv outer;

	if (c->card->cat.fetched)
		return SW_CAT_BUSY; /* until the proactive session ends */
	if (tlv_next(&in, &outer) != OK || in.n != 0)
		return SW_WRONG_DATA;
	if (outer.tag == CAT_TAG_TIMER_EXPIRATION || outer.tag == CAT_TAG_EVENT_DOWNLOAD)
		return cat_envelope(c->card, (uint8_t)outer.tag, outer.value);
	if (outer.tag != CAT_TAG_SMS_PP_DOWNLOAD && outer.tag != CAT_TAG_CELL_BROADCAST)
		return SW_FUNCTION_NOT_SUPPORTED;
	if (!cat_find(outer.value, outer.tag == CAT_TAG_SMS_PP_DOWNLOAD ? CAT_TAG_TPDU : CAT_TAG_CELL_BROADCAST_PAGE, &data) ||
	        data.n == 0)
		return SW_WRONG_DATA;
	for (size_t i = 0; i < c->card->applet_count; i++)
		if (c->card->applet[i].class->envelope != NULL)
			return c->card->applet[i].class->envelope(&c->card->applet[i], (uint8_t)outer.tag, data, c->rsp);
	return SW_FUNCTION_NOT_SUPPORTED;
}
