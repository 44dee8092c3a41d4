/* SPDX-License-Identifier: Apache-2.0 */
#include "card/io/birth/profile_toolkit.h"

#include <arpa/inet.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "apdu/cat.h"
#include "apdu/base/hex.h"
#include "card/applets/applets.h"
#include "card/io/birth/names.h"

enum { RULE_MAX = 255 };

static const struct name_value events[] = { { "location-status", EVENT_LOCATION_STATUS },
	{ "data-available", EVENT_DATA_AVAILABLE }, { "channel-status", EVENT_CHANNEL_STATUS }, { 0 } };
static const struct name_value information[] = { { "location", INFORMATION_LOCATION }, { "imei", INFORMATION_IMEI },
	{ "date-time", INFORMATION_DATE_TIME }, { 0 } };
static const struct name_value timer_actions[] = { { "start", TIMER_START }, { "stop", TIMER_DEACTIVATE }, { "get", TIMER_GET },
	{ 0 } };

/* The octets of a command, field by field. A number's max is 2^(8 * width) - 1 unless the card's builder knows better. */
enum field_kind { FIELD_END, FIELD_NUMBER, FIELD_HEX, FIELD_NAME, FIELD_EVENTS, FIELD_ADDRESS };
struct field {
	const char *key;
	enum field_kind kind;
	unsigned width; /* octets of a number */
	uint32_t min, max;
	const struct name_value *names;
	bool optional; /* at the end only */
};

static const struct command_form {
	const char *name;
	enum cat_type type;
	struct field field[4];
} forms[] = {
	{ "poll-interval", CAT_POLL_INTERVAL, { { "seconds", FIELD_NUMBER, 2, 1, 15300, NULL, false } } },
	{ "set-up-event-list", CAT_SET_UP_EVENT_LIST, { { "events", FIELD_EVENTS, 4, 0, 0, events, false } } },
	{ "send-short-message", CAT_SEND_SHORT_MESSAGE, { { "tpdu", FIELD_HEX, 0, 0, 0, NULL, false } } },
	{ "provide-local-information", CAT_PROVIDE_LOCAL_INFORMATION, { { "what", FIELD_NAME, 1, 0, 0, information, false } } },
	{ "timer-management", CAT_TIMER_MANAGEMENT,
	        { { "action", FIELD_NAME, 1, 0, 0, timer_actions, false },
	                { "timer", FIELD_NUMBER, 1, 1, CAT_TIMERS, NULL, false },
	                { "seconds", FIELD_NUMBER, 4, 1, 86399, NULL, true } } },
	{ "open-channel", CAT_OPEN_CHANNEL,
	        { { "address", FIELD_ADDRESS, 4, 0, 0, NULL, false }, { "port", FIELD_NUMBER, 2, 1, 65535, NULL, false },
	                { "buffer", FIELD_NUMBER, 2, 1, 65535, NULL, false } } },
	{ "close-channel", CAT_CLOSE_CHANNEL, { { 0 } } },
	{ "send-data", CAT_SEND_DATA, { { "data", FIELD_HEX, 0, 0, 0, NULL, false } } },
	{ "receive-data", CAT_RECEIVE_DATA, { { "length", FIELD_NUMBER, 1, 1, 255, NULL, false } } },
};
enum { FORMS = sizeof forms / sizeof *forms };

static const struct name_value whens[] = { { "profile-download", WHEN_PROFILE_DOWNLOAD }, { "done", WHEN_DONE },
	{ "failed", WHEN_FAILED }, { "timer", WHEN_TIMER }, { "event", WHEN_EVENT }, { 0 } };

static const struct command_form *form_of(const char *name)
{
	for (size_t i = 0; name != NULL && i < FORMS; i++)
		if (strcmp(forms[i].name, name) == 0)
			return &forms[i];
	return NULL;
}

static bool put_events(const json_t *list, const struct name_value *names, struct buf *out)
{
	const json_t *v;
	uint32_t mask = 0;
	size_t i;

	json_array_foreach (list, i, v) {
		const char *s = json_string_value(v);
		const struct name_value *e = s != NULL ? names_find(names, s) : NULL;

		if (e == NULL)
			return false;
		mask |= 1U << e->value;
	}
	buf_put_uint(out, 4, mask);
	return json_is_array(list);
}

static bool put_field(const struct field *f, const json_t *v, struct buf *out)
{
	const char *s = json_string_value(v);
	const struct name_value *named;
	struct in_addr address;

	switch (f->kind) {
	case FIELD_NUMBER:
		if (!json_is_integer(v) || json_integer_value(v) < f->min || json_integer_value(v) > f->max)
			return false;
		buf_put_uint(out, f->width, (uint64_t)json_integer_value(v));
		return true;
	case FIELD_HEX: return s != NULL && hex_decode(bytes_str(s), out) == OK;
	case FIELD_NAME:
		if (s == NULL || (named = names_find(f->names, s)) == NULL)
			return false;
		buf_put_u8(out, (uint8_t)named->value);
		return true;
	case FIELD_EVENTS: return put_events(v, f->names, out);
	case FIELD_ADDRESS:
		if (s == NULL || inet_pton(AF_INET, s, &address) != 1)
			return false;
		buf_put(out, (struct bytes){ (const uint8_t *)&address.s_addr, 4 });
		return true;
	default: return false;
	}
}

/* "event data-available", "timer 1", "done open-channel", "profile-download" */
static bool put_when(const char *text, struct buf *out)
{
	size_t n = text != NULL ? strcspn(text, " ") : 0;
	const struct name_value *when = names_find_n(whens, text, n), *event;
	const struct command_form *form;
	const char *rest;

	if (when == NULL)
		return false;
	rest = text[n] == ' ' ? text + n + 1 : "";
	buf_put_u8(out, (uint8_t)when->value);
	switch (when->value) {
	case WHEN_PROFILE_DOWNLOAD: buf_put_u8(out, 0); return *rest == 0;
	case WHEN_TIMER: buf_put_u8(out, (uint8_t)(rest[0] - '0')); return rest[0] >= '1' && rest[0] <= '8' && rest[1] == 0;
	case WHEN_EVENT:
		event = names_find(events, rest);
		buf_put_u8(out, event != NULL ? (uint8_t)event->value : 0);
		return event != NULL;
	default:
		form = form_of(rest);
		buf_put_u8(out, form != NULL ? (uint8_t)form->type : 0);
		return form != NULL;
	}
}

static enum status fail(char *reason, size_t n, const char *key, const char *what)
{
	(void)snprintf(reason, n, "\"%s\" %s", key, what);
	return ERR_MALFORMED;
}

static enum status put_rule(const json_t *rule, struct buf *out, char *reason, size_t n)
{
	const struct command_form *form = form_of(json_string_value(json_object_get(rule, "do")));

	if (!put_when(json_string_value(json_object_get(rule, "when")), out))
		return fail(reason, n, "when",
		        "must be profile-download, timer 1 to 8, event NAME, done COMMAND or failed COMMAND");
	if (form == NULL)
		return fail(reason, n, "do", "must be a proactive command such as poll-interval or open-channel");
	buf_put_u8(out, (uint8_t)form->type);
	for (const struct field *f = form->field; f->kind != FIELD_END; f++) {
		const json_t *v = json_object_get(rule, f->key);

		if (v == NULL && f->optional)
			break;
		if (!put_field(f, v, out))
			return fail(reason, n, f->key, "is missing, or not what this command takes");
	}
	return out->failed ? fail(reason, n, "do", "is too long for one command") : OK;
}

enum status toolkit_encode(const json_t *list, struct buf *out, size_t *index, char *reason, size_t n)
{
	*index = 0;
	if (!json_is_array(list))
		return fail(reason, n, "toolkit", "must be a list");
	for (; *index < json_array_size(list); ++*index) {
		uint8_t raw[RULE_MAX];
		struct buf b = BUF_OF(raw);

		TRY(put_rule(json_array_get(list, *index), &b, reason, n));
		buf_put_uint(out, 2, b.len);
		buf_put(out, buf_bytes(&b));
	}
	return out->failed ? fail(reason, n, "toolkit", "is too long") : OK;
}

static json_t *take_field(const struct field *f, struct bytes *in)
{
	char text[2 * RULE_MAX + 1];
	json_t *list;
	struct bytes all = *in;
	uint64_t v = 0;

	if (f->kind == FIELD_HEX) {
		in->n = 0;
		return json_string(hex_encode(all, text));
	}
	if (!bytes_take_uint(in, f->width, &v))
		return NULL;
	switch (f->kind) {
	case FIELD_NUMBER: return json_integer((json_int_t)v);
	case FIELD_NAME: return json_string(names_of(f->names, (uint32_t)v));
	case FIELD_ADDRESS: return json_string(inet_ntop(AF_INET, all.p, text, sizeof text));
	default:
		list = json_array();
		for (const struct name_value *e = f->names; e->name != NULL; e++)
			if ((v >> e->value & 1) != 0)
				(void)json_array_append_new(list, json_string(e->name));
		return list;
	}
}

static const struct command_form *form_by_type(uint64_t type)
{
	for (size_t i = 0; i < FORMS; i++)
		if (forms[i].type == (enum cat_type)type)
			return &forms[i];
	return NULL;
}

json_t *toolkit_decode(struct bytes rule)
{
	uint64_t kind, value, type;
	const struct command_form *form, *about;
	const char *name;
	char when[64];
	json_t *o;

	if (!bytes_take_uint(&rule, 1, &kind) || !bytes_take_uint(&rule, 1, &value) || !bytes_take_uint(&rule, 1, &type) ||
	        (form = form_by_type(type)) == NULL || (name = names_of(whens, (uint32_t)kind)) == NULL)
		return NULL;
	about = form_by_type(value);
	if (kind == WHEN_TIMER)
		(void)snprintf(when, sizeof when, "%s %u", name, (unsigned)value);
	else if (kind == WHEN_PROFILE_DOWNLOAD)
		(void)snprintf(when, sizeof when, "%s", name);
	else
		(void)snprintf(when, sizeof when, "%s %s", name,
		        kind == WHEN_EVENT ? names_of(events, (uint32_t)value)
		        : about != NULL    ? about->name
		                           : "");
	o = json_object();
	(void)json_object_set_new(o, "when", json_string(when));
	(void)json_object_set_new(o, "do", json_string(form->name));
	for (const struct field *f = form->field; f->kind != FIELD_END && (rule.n > 0 || !f->optional); f++)
		(void)json_object_set_new(o, f->key, take_field(f, &rule));
	return o;
}
