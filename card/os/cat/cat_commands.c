/* SPDX-License-Identifier: Apache-2.0 */
/* Proactive commands as TLVs (TS 102 223 6.6). */
#include "apdu/base/hex.h"
#include "apdu/tlv.h"
#include "card/os/cat/cat.h"

enum { UNIT_MINUTES = 0x00, UNIT_SECONDS = 0x01, DAY = 86400, OPEN_IMMEDIATE = 0x01 };
enum { SEND_AT_ONCE = 0x01 };

void cat_command_init(struct cat_command *c, enum cat_type type, uint8_t qualifier, uint8_t to)
{
	c->type = (uint8_t)type;
	c->qualifier = qualifier;
	c->to = to;
	c->tlvs = BUF_OF(c->raw);
}

void cat_send_short_message(struct cat_command *c, struct bytes tpdu)
{
	cat_command_init(c, CAT_SEND_SHORT_MESSAGE, 0x00, DEVICE_NETWORK);
	tlv_put(&c->tlvs, CAT_TAG_TPDU, tpdu);
}

void cat_poll_interval(struct cat_command *c, unsigned seconds)
{
	bool minutes = seconds > 255;
	unsigned n = minutes ? (seconds + 59) / 60 : seconds;

	cat_command_init(c, CAT_POLL_INTERVAL, 0x00, DEVICE_TERMINAL);
	tlv_put(&c->tlvs, CAT_TAG_DURATION,
	        (struct bytes){ (const uint8_t[]){ minutes ? UNIT_MINUTES : UNIT_SECONDS, (uint8_t)n }, 2 });
	if (n < 1 || n > 255)
		c->tlvs.failed = true;
}

void cat_provide_local_information(struct cat_command *c, enum cat_information what)
{
	cat_command_init(c, CAT_PROVIDE_LOCAL_INFORMATION, (uint8_t)what, DEVICE_TERMINAL);
}

void cat_timer_management(struct cat_command *c, enum cat_timer_action action, unsigned timer, unsigned seconds)
{
	const uint8_t value[3] = { bcd_swapped(seconds / 3600), bcd_swapped(seconds / 60 % 60), bcd_swapped(seconds % 60) };

	cat_command_init(c, CAT_TIMER_MANAGEMENT, (uint8_t)action, DEVICE_TERMINAL);
	tlv_put_uint(&c->tlvs, CAT_TAG_TIMER, 1, timer);
	if (action == TIMER_START)
		tlv_put(&c->tlvs, CAT_TAG_TIMER_VALUE, BYTES_OF(value));
	if (timer < 1 || timer > CAT_TIMERS || (action == TIMER_START && (seconds < 1 || seconds >= DAY)))
		c->tlvs.failed = true;
}

void cat_set_up_event_list(struct cat_command *c, uint32_t events)
{
	uint8_t list[EVENTS_MAX];
	size_t n = 0;

	for (unsigned i = 0; i < EVENTS_MAX; i++)
		if ((events >> i & 1) != 0)
			list[n++] = (uint8_t)i;
	cat_command_init(c, CAT_SET_UP_EVENT_LIST, 0x00, DEVICE_TERMINAL);
	tlv_put(&c->tlvs, CAT_TAG_EVENT_LIST, (struct bytes){ list, n });
}

void cat_open_channel(struct cat_command *c, struct bytes connection)
{
	cat_command_init(c, CAT_OPEN_CHANNEL, OPEN_IMMEDIATE, DEVICE_TERMINAL);
	buf_put(&c->tlvs, connection);
}

void cat_more_time(struct cat_command *c)
{
	cat_command_init(c, CAT_MORE_TIME, 0x00, DEVICE_TERMINAL);
}

static void to_channel(struct cat_command *c, enum cat_type type, uint8_t qualifier, unsigned channel)
{
	cat_command_init(c, type, qualifier, (uint8_t)(DEVICE_CHANNEL_0 + channel));
	if (channel < 1 || channel > CAT_CHANNELS)
		c->tlvs.failed = true;
}

void cat_close_channel(struct cat_command *c, unsigned channel)
{
	to_channel(c, CAT_CLOSE_CHANNEL, 0x00, channel);
}

void cat_send_data(struct cat_command *c, unsigned channel, struct bytes data, bool at_once)
{
	to_channel(c, CAT_SEND_DATA, at_once ? SEND_AT_ONCE : 0x00, channel);
	tlv_put(&c->tlvs, CAT_TAG_CHANNEL_DATA, data);
}

void cat_receive_data(struct cat_command *c, unsigned channel, uint8_t length)
{
	to_channel(c, CAT_RECEIVE_DATA, 0x00, channel);
	tlv_put_uint(&c->tlvs, CAT_TAG_CHANNEL_DATA_LENGTH, 1, length);
}
