/* SPDX-License-Identifier: Apache-2.0 */
#include "ota/smpp/smpp.h"
#include "apdu/base/text.h"

#include <stdio.h>
#include <string.h>

enum field_kind { TEXT, NUMBER, MESSAGE };
struct field {
	enum field_kind kind;
	uint16_t at, room; /* in struct smpp_pdu; room with the final zero */
};
#define TEXT_FIELD(name)                                                                                                       \
	{                                                                                                                      \
		TEXT, offsetof(struct smpp_pdu, name), sizeof((struct smpp_pdu *)0)->name                                      \
	}
#define NUMBER_FIELD(name)                                                                                                     \
	{                                                                                                                      \
		NUMBER, offsetof(struct smpp_pdu, name), 1                                                                     \
	}

static const struct field bind_fields[] = { TEXT_FIELD(system_id), TEXT_FIELD(password), TEXT_FIELD(system_type),
	NUMBER_FIELD(version), NUMBER_FIELD(ton), NUMBER_FIELD(npi), TEXT_FIELD(address_range) };
static const struct field bound_fields[] = { TEXT_FIELD(system_id) };
static const struct field message_fields[] = { TEXT_FIELD(service_type), NUMBER_FIELD(from.ton), NUMBER_FIELD(from.npi),
	TEXT_FIELD(from.digits), NUMBER_FIELD(to.ton), NUMBER_FIELD(to.npi), TEXT_FIELD(to.digits), NUMBER_FIELD(esm_class),
	NUMBER_FIELD(pid), NUMBER_FIELD(priority), TEXT_FIELD(schedule), TEXT_FIELD(validity), NUMBER_FIELD(registered),
	NUMBER_FIELD(replace), NUMBER_FIELD(dcs), NUMBER_FIELD(default_message), { MESSAGE, 0, 0 } };
static const struct field accepted_fields[] = { TEXT_FIELD(message_id) };

#define FIELDS(table) (table), sizeof(table) / sizeof *(table)
static const struct layout {
	uint32_t command;
	const struct field *fields;
	size_t n;
} layouts[] = {
	{ SMPP_BIND_RECEIVER, FIELDS(bind_fields) },
	{ SMPP_BIND_TRANSMITTER, FIELDS(bind_fields) },
	{ SMPP_BIND_TRANSCEIVER, FIELDS(bind_fields) },
	{ SMPP_RESP | SMPP_BIND_RECEIVER, FIELDS(bound_fields) },
	{ SMPP_RESP | SMPP_BIND_TRANSMITTER, FIELDS(bound_fields) },
	{ SMPP_RESP | SMPP_BIND_TRANSCEIVER, FIELDS(bound_fields) },
	{ SMPP_SUBMIT, FIELDS(message_fields) },
	{ SMPP_DELIVER, FIELDS(message_fields) },
	{ SMPP_RESP | SMPP_SUBMIT, FIELDS(accepted_fields) },
	{ SMPP_RESP | SMPP_DELIVER, FIELDS(accepted_fields) },
	{ SMPP_UNBIND, NULL, 0 },
	{ SMPP_RESP | SMPP_UNBIND, NULL, 0 },
	{ SMPP_ENQUIRE_LINK, NULL, 0 },
	{ SMPP_RESP | SMPP_ENQUIRE_LINK, NULL, 0 },
	{ SMPP_GENERIC_NACK, NULL, 0 },
};

enum { TLV_RECEIPTED_ID = 0x001E, TLV_PAYLOAD = 0x0424, TLV_STATE = 0x0427, VALIDITY_END = 360 * 86400 };

const char *smpp_status_text(uint32_t status)
{
	switch (status) {
	case SMPP_OK: return "accepted";
	case SMPP_INVALID_LENGTH: return "wrong length";
	case SMPP_INVALID_COMMAND: return "unknown command";
	case SMPP_NOT_BOUND: return "not bound for this";
	case SMPP_ALREADY_BOUND: return "already bound";
	case SMPP_SYSTEM_ERROR: return "the centre's own error";
	case SMPP_INVALID_DESTINATION: return "no such destination";
	case SMPP_BIND_FAILED: return "bind refused";
	case SMPP_INVALID_PASSWORD: return "wrong password";
	case SMPP_INVALID_SYSTEM_ID: return "unknown system id";
	case SMPP_QUEUE_FULL: return "the centre's queue is full";
	case SMPP_THROTTLED: return "throttled: too many messages a second";
	case SMPP_TEMPORARY: return "temporary error";
	default: return "refused";
	}
}

static const struct layout *layout_of(uint32_t command)
{
	for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++)
		if (layouts[i].command == command)
			return &layouts[i];
	return NULL;
}

static bool take_text(struct bytes *in, char *out, size_t room)
{
	for (size_t i = 0; i < in->n && i < room; i++) {
		if (in->p[i] != 0)
			continue;
		memcpy(out, in->p, i + 1);
		in->p += i + 1;
		in->n -= i + 1;
		return true;
	}
	return false;
}

static bool take_field_of(struct bytes *in, const struct field *f, struct smpp_pdu *p)
{
	uint8_t *at = (uint8_t *)p + f->at;

	if (f->kind == TEXT)
		return take_text(in, (char *)at, f->room);
	if (f->kind == NUMBER)
		return bytes_take_copy(in, at, 1);
	return bytes_take_field(in, &p->message) && p->message.n <= SMPP_MESSAGE_MAX;
}

/* Optional fields; those that we have no use for are passed over (3.3). */
static bool take_optional(struct bytes in, struct smpp_pdu *p)
{
	uint64_t tag, n;
	struct bytes v;

	while (in.n > 0) {
		if (!bytes_take_uint(&in, 2, &tag) || !bytes_take_uint(&in, 2, &n) || !bytes_take(&in, (size_t)n, &v))
			return false;
		if (tag == TLV_RECEIPTED_ID && !take_text(&v, p->message_id, sizeof p->message_id))
			return false;
		if (tag == TLV_STATE && v.n == 1)
			p->state = v.p[0];
		if (tag == TLV_PAYLOAD && p->message.n == 0)
			p->message = v;
	}
	return true;
}

enum status smpp_take(struct bytes *in, struct smpp_pdu *out)
{
	const struct layout *l;
	struct bytes head = *in, body;
	uint64_t length, command, status, sequence;

	*out = (struct smpp_pdu){ 0 };
	if (!bytes_take_uint(&head, 4, &length))
		return ERR_TRUNCATED;
	if (length < SMPP_HEADER || length > SMPP_PDU_MAX)
		return ERR_NO_SPACE;
	if (!bytes_take(in, (size_t)length, &body))
		return ERR_TRUNCATED;
	if (!bytes_take(&body, 4, &head) || !bytes_take_uint(&body, 4, &command) || !bytes_take_uint(&body, 4, &status) ||
	        !bytes_take_uint(&body, 4, &sequence))
		return ERR_BUG;
	out->command = (uint32_t)command;
	out->status = (uint32_t)status;
	out->sequence = (uint32_t)sequence;
	if ((l = layout_of(out->command)) == NULL)
		return ERR_NOT_FOUND;
	if (body.n == 0 && (out->command & SMPP_RESP) != 0)
		return OK; /* a response that refuses has no body (4.1.2) */
	for (size_t i = 0; i < l->n; i++)
		if (!take_field_of(&body, &l->fields[i], out))
			return ERR_MALFORMED;
	return take_optional(body, out) ? OK : ERR_MALFORMED;
}

static void put_field_of(struct buf *b, const struct field *f, const struct smpp_pdu *p)
{
	const uint8_t *at = (const uint8_t *)p + f->at;

	if (f->kind == MESSAGE) {
		if (p->message.n > SMPP_MESSAGE_MAX)
			b->failed = true;
		buf_put_u8(b, (uint8_t)p->message.n);
		buf_put(b, p->message);
	} else {
		buf_put(b, (struct bytes){ at, f->kind == TEXT ? strnlen((const char *)at, f->room - 1U) + 1 : 1 });
	}
}

static void put_optional(struct buf *b, const struct smpp_pdu *p)
{
	size_t n = strlen(p->message_id) + 1;

	if (p->command != SMPP_DELIVER || p->state == 0)
		return;
	buf_put_uint(b, 2, TLV_RECEIPTED_ID);
	buf_put_uint(b, 2, n);
	buf_put(b, (struct bytes){ (const uint8_t *)p->message_id, n });
	buf_put_uint(b, 2, TLV_STATE);
	buf_put_uint(b, 2, 1);
	buf_put_u8(b, p->state);
}

void smpp_put(struct buf *out, const struct smpp_pdu *p)
{
	const struct layout *l = layout_of(p->command);
	uint8_t raw[SMPP_PDU_MAX - SMPP_HEADER];
	struct buf b = BUF_OF(raw);

	/* A response that refuses has no body. */
	for (size_t i = 0; l != NULL && (p->status == SMPP_OK || (p->command & SMPP_RESP) == 0) && i < l->n; i++)
		put_field_of(&b, &l->fields[i], p);
	put_optional(&b, p);
	buf_put_uint(out, 4, SMPP_HEADER + b.len);
	buf_put_uint(out, 4, p->command);
	buf_put_uint(out, 4, p->status);
	buf_put_uint(out, 4, p->sequence);
	buf_put(out, buf_bytes(&b));
	if (b.failed || l == NULL)
		out->failed = true;
}

void smpp_validity(uint64_t seconds, char out[17])
{
	uint64_t days;

	/* Months of 30 days; the centre's own limit is shorter than years, and twelve months would be none. */
	seconds = seconds < VALIDITY_END ? seconds : VALIDITY_END - 1;
	days = seconds / 86400;
	(void)snprintf(out, 17, "00%02u%02u%02u%02u%02u000R", (unsigned)(days / 30), (unsigned)(days % 30),
	        (unsigned)(seconds / 3600 % 24), (unsigned)(seconds / 60 % 60), (unsigned)(seconds % 60));
}

static const struct {
	enum smpp_state state;
	const char *text;
} states[] = { { SMPP_ENROUTE, "ENROUTE" }, { SMPP_DELIVERED, "DELIVRD" }, { SMPP_EXPIRED, "EXPIRED" },
	{ SMPP_UNDELIVERABLE, "UNDELIV" } };

void smpp_receipt_put(struct buf *b, const char *message_id, enum smpp_state state)
{
	const char *text = "UNKNOWN";

	for (size_t i = 0; i < sizeof states / sizeof *states; i++)
		if (states[i].state == state)
			text = states[i].text;
	buf_put(b, BYTES_STR("id:"));
	buf_put(b, bytes_str(message_id));
	buf_put(b, BYTES_STR(" stat:"));
	buf_put(b, bytes_str(text));
}

void smpp_receipt_parse(struct smpp_pdu *p)
{
	char text[SMPP_MESSAGE_MAX + 1] = "", *at;

	if ((p->esm_class & ESM_TYPE) != ESM_RECEIPT || p->state != 0 || p->message.n > SMPP_MESSAGE_MAX)
		return;
	if (p->message.n > 0)
		memcpy(text, p->message.p, p->message.n);
	if ((at = strstr(text, "id:")) != NULL &&
	        !text_put(p->message_id, sizeof p->message_id, "%.*s", (int)strcspn(at + 3, " "), at + 3))
		return; /* none that we were ever given */
	if ((at = strstr(text, "stat:")) == NULL)
		return;
	for (size_t i = 0; i < sizeof states / sizeof *states; i++)
		if (strncmp(at + 5, states[i].text, strlen(states[i].text)) == 0)
			p->state = (uint8_t)states[i].state;
}
