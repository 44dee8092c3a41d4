/* SPDX-License-Identifier: Apache-2.0 */
#include "ota/smpp/smpp_session.h"

#include <stdio.h>
#include <string.h>

#include "apdu/base/secret.h"

void smpp_session_start(struct smpp_session *s, uint64_t now)
{
	*s = (struct smpp_session){ .heard = now };
}

struct bytes smpp_session_out(const struct smpp_session *s)
{
	return (struct bytes){ s->out + s->out_at, s->out_len - s->out_at };
}

void smpp_session_sent(struct smpp_session *s, size_t n)
{
	secret_clean(s->out + s->out_at, n); /* a bind has a password in it */
	s->out_at += n;
	if (s->out_at == s->out_len)
		s->out_at = s->out_len = 0;
}

uint32_t smpp_session_put(struct smpp_session *s, const struct smpp_pdu *p)
{
	struct smpp_pdu numbered = *p;
	struct buf b;

	if (s->out_at > 0) {
		memmove(s->out, s->out + s->out_at, s->out_len - s->out_at);
		s->out_len -= s->out_at;
		s->out_at = 0;
	}
	if (numbered.sequence == 0)
		numbered.sequence = s->sequence % 0x7FFFFFFF + 1;
	b = (struct buf){ s->out, s->out_len, sizeof s->out, false };
	smpp_put(&b, &numbered);
	secret_clean(numbered.password, sizeof numbered.password);
	if (b.failed)
		return 0;
	s->out_len = b.len;
	if (p->sequence == 0) {
		s->sequence = numbered.sequence;
		s->unanswered++;
	}
	return numbered.sequence;
}

bool smpp_session_answer(struct smpp_session *s, const struct smpp_pdu *request, enum smpp_status status, const char *id)
{
	struct smpp_pdu p = {
		.command = request->command | SMPP_RESP, .status = (uint32_t)status, .sequence = request->sequence
	};

	if (id != NULL) {
		(void)snprintf(p.message_id, sizeof p.message_id, "%s", id);
		(void)snprintf(p.system_id, sizeof p.system_id, "%.16s", id);
	}
	return smpp_session_put(s, &p) != 0;
}

uint8_t *smpp_session_room(struct smpp_session *s, size_t *n)
{
	if (s->in_at > 0) {
		memmove(s->in, s->in + s->in_at, s->in_len - s->in_at);
		s->in_len -= s->in_at;
		s->in_at = 0;
	}
	*n = sizeof s->in - s->in_len;
	return s->in + s->in_len;
}

void smpp_session_received(struct smpp_session *s, size_t n, uint64_t now)
{
	s->in_len += n;
	s->heard = now;
	s->asked = false;
}

/* What needs no decision. True: it was that. */
static bool answered_here(struct smpp_session *s, const struct smpp_pdu *p)
{
	switch (p->command) {
	case SMPP_ENQUIRE_LINK: (void)smpp_session_answer(s, p, SMPP_OK, NULL); return true;
	case SMPP_ENQUIRE_LINK | SMPP_RESP: return true;
	case SMPP_UNBIND:
		(void)smpp_session_answer(s, p, SMPP_OK, NULL);
		s->bound = false;
		s->unbound = true;
		return true;
	case SMPP_UNBIND | SMPP_RESP: s->unbound = true; return true;
	default: return false;
	}
}

static void refuse(struct smpp_session *s, const struct smpp_pdu *p, enum smpp_status status)
{
	const struct smpp_pdu nack = { .command = SMPP_GENERIC_NACK, .status = (uint32_t)status, .sequence = p->sequence };

	if ((p->command & SMPP_RESP) == 0 && p->sequence != 0)
		(void)smpp_session_put(s, &nack);
}

enum status smpp_session_next(struct smpp_session *s, struct smpp_pdu *p)
{
	for (;;) {
		struct bytes in = { s->in + s->in_at, s->in_len - s->in_at };
		enum status st = smpp_take(&in, p);

		if (st == ERR_TRUNCATED)
			return ERR_TRUNCATED;
		if (st == ERR_NO_SPACE)
			return ERR_IO;
		s->in_at = s->in_len - in.n;
		if ((p->command & SMPP_RESP) != 0 && s->unanswered > 0)
			s->unanswered--;
		if (st == ERR_NOT_FOUND)
			refuse(s, p, SMPP_INVALID_COMMAND);
		else if (st != OK)
			refuse(s, p, SMPP_INVALID_LENGTH);
		else if (!answered_here(s, p))
			return OK;
	}
}

enum status smpp_session_tick(struct smpp_session *s, uint64_t now)
{
	static const struct smpp_pdu enquire = { .command = SMPP_ENQUIRE_LINK };

	if (s->unbound && s->out_len == s->out_at)
		return ERR_IO;
	if (now - s->heard >= SMPP_SILENCE + SMPP_PATIENCE)
		return ERR_IO;
	if (!s->asked && now - s->heard >= SMPP_SILENCE)
		s->asked = smpp_session_put(s, &enquire) != 0;
	return OK;
}
