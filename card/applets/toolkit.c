/* SPDX-License-Identifier: Apache-2.0 */
/* A toolkit applet that plays what the card's profile says: when this happens, ask the terminal for that. For testers of
 * terminals; a card without "toolkit" in its profile has no instance. Each rule is a record: trigger kind, trigger value, enum
 * cat_type, then the command's own octets (profile_toolkit.c writes them). */
#include "card/applets/applets.h"
#include "card/os/card.h"

enum { RULES_MAX = 64 };

struct toolkit_state {
	uint8_t channel; /* the last one opened */
};

/* The rules, back to back with two octets of length each, become records of their own. */
static enum status toolkit_install(struct applet *a, struct bytes rules)
{
	for (unsigned i = 0; rules.n > 0; i++) {
		const struct record_name name = name_format("rule/%02u", i);
		struct bytes rule;
		uint64_t n;

		if (i == RULES_MAX || !bytes_take_uint(&rules, 2, &n) || !bytes_take(&rules, (size_t)n, &rule) || n < 3)
			return ERR_MALFORMED;
		TRY(applet_put(a, name_bytes(&name), rule));
	}
	return OK;
}

static bool triggers(uint8_t kind, uint8_t value, const struct cat_event *e)
{
	bool done = e->result < RESULT_BUSY;

	switch (kind) {
	case WHEN_PROFILE_DOWNLOAD: return e->kind == CAT_PROFILE_DOWNLOAD;
	case WHEN_DONE: return e->kind == CAT_ANSWER && done && e->type == value;
	case WHEN_FAILED: return e->kind == CAT_ANSWER && !done && e->type == value;
	case WHEN_TIMER: return e->kind == CAT_TIMER && e->number == value;
	case WHEN_EVENT: return e->kind == CAT_EVENT && e->number == value;
	default: return false;
	}
}

static enum status ask_timer(struct applet *a, struct bytes in)
{
	struct cat_command c;
	uint64_t action, timer, seconds = 0;

	if (!bytes_take_uint(&in, 1, &action) || !bytes_take_uint(&in, 1, &timer) ||
	        (action == TIMER_START && !bytes_take_uint(&in, 4, &seconds)))
		return ERR_MALFORMED;
	cat_timer_management(&c, (enum cat_timer_action)action, (unsigned)timer, (unsigned)seconds);
	return cat_ask(a->card, a, &c);
}

static enum status ask_channel(struct applet *a, struct bytes in)
{
	uint8_t raw[32];
	struct buf connection = BUF_OF(raw);
	struct bytes address;
	struct cat_command c;
	uint64_t port, buffer;

	if (!bytes_take(&in, 4, &address) || !bytes_take_uint(&in, 2, &port) || !bytes_take_uint(&in, 2, &buffer))
		return ERR_MALFORMED;
	cat_tcp_client_put(&connection, (uint16_t)buffer, address.p, (uint16_t)port);
	cat_open_channel(&c, buf_bytes(&connection));
	return cat_ask(a->card, a, &c);
}

static enum status ask(struct applet *a, uint8_t type, struct bytes in)
{
	const struct toolkit_state *state = a->transient;
	struct cat_command c;

	switch (type) {
	case CAT_SET_UP_EVENT_LIST: return cat_listen(a->card, a, (uint32_t)bytes_uint(in));
	case CAT_TIMER_MANAGEMENT: return ask_timer(a, in);
	case CAT_OPEN_CHANNEL: return ask_channel(a, in);
	case CAT_POLL_INTERVAL: cat_poll_interval(&c, (unsigned)bytes_uint(in)); break;
	case CAT_SEND_SHORT_MESSAGE: cat_send_short_message(&c, in); break;
	case CAT_PROVIDE_LOCAL_INFORMATION: cat_provide_local_information(&c, (enum cat_information)bytes_uint(in)); break;
	case CAT_CLOSE_CHANNEL: cat_close_channel(&c, state->channel); break;
	case CAT_SEND_DATA: cat_send_data(&c, state->channel, in, true); break;
	case CAT_RECEIVE_DATA: cat_receive_data(&c, state->channel, (uint8_t)bytes_uint(in)); break;
	default: return ERR_MALFORMED;
	}
	return cat_ask(a->card, a, &c);
}

/* Every rule that this triggers, in the order of the profile; one that cannot be asked does not stop the others. */
static enum status toolkit_event(struct applet *a, const struct cat_event *e)
{
	struct toolkit_state *state = a->transient;
	struct record_name name = { 0 };

	if (e->kind == CAT_ANSWER && e->type == CAT_OPEN_CHANNEL && e->channel != 0)
		state->channel = e->channel;
	while (applet_next(a, BYTES_STR("rule/"), name_bytes(&name), &name) == OK) {
		SECRET_LARGE rule = { 0 };
		struct bytes in;
		uint64_t kind, value, type;

		TRY(applet_get(a, name_bytes(&name), &rule));
		in = secret_large_bytes(&rule);
		if (bytes_take_uint(&in, 1, &kind) && bytes_take_uint(&in, 1, &value) && bytes_take_uint(&in, 1, &type) &&
		        triggers((uint8_t)kind, (uint8_t)value, e))
			(void)!ask(a, (uint8_t)type, in);
	}
	return OK;
}

const struct applet_class toolkit_class = {
	.name = "toolkit",
	.transient_len = sizeof(struct toolkit_state),
	.install = toolkit_install,
	.toolkit = toolkit_event,
};
