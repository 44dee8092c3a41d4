/* SPDX-License-Identifier: Apache-2.0 */
/* smpp_session.h - one SMPP 3.4 connection without its socket: the caller moves octets and tells the time, this keeps the
 * stream, sequence numbers, the window, enquire_link, and answers what needs no decision. Both sides use it. */
#ifndef OTA_SMPP_SMPP_SESSION_H
#define OTA_SMPP_SMPP_SESSION_H

#include "ota/smpp/smpp.h"

enum { SMPP_IN_MAX = 16384, SMPP_OUT_MAX = 65536, SMPP_SILENCE = 30, SMPP_PATIENCE = 15 /* seconds */ };

struct smpp_session {
	bool bound;
	uint32_t sequence;   /* of our last request */
	unsigned unanswered; /* our requests without a response yet: the window */
	uint64_t heard;      /* when the last octet came */
	bool asked;          /* an enquire_link is out */
	bool unbound;        /* the other side, or we, said good-bye */
	size_t in_at, in_len, out_at, out_len;
	uint8_t in[SMPP_IN_MAX], out[SMPP_OUT_MAX];
};

/* A connection that was just made. now: seconds of a clock that only goes forward. */
void smpp_session_start(struct smpp_session *, uint64_t now);

/* Append a PDU. A request (sequence 0) gets the next number, which is returned; 0: no room, nothing was appended. */
uint32_t smpp_session_put(struct smpp_session *, const struct smpp_pdu *);
/* The response to a request: its command, sequence and this status. id: message_id or system_id; may be NULL. */
bool smpp_session_answer(struct smpp_session *, const struct smpp_pdu *request, enum smpp_status, const char *id);

/* What the socket should send, and that it sent n octets of it. */
struct bytes smpp_session_out(const struct smpp_session *);
void smpp_session_sent(struct smpp_session *, size_t n);
/* Where received octets go (never empty while smpp_session_next is called until it says ERR_TRUNCATED), and that n came. */
uint8_t *smpp_session_room(struct smpp_session *, size_t *n);
void smpp_session_received(struct smpp_session *, size_t n, uint64_t now);

/* The next PDU that the caller has to look at; its message is a view until the next call. ERR_TRUNCATED: none yet. ERR_IO: the
 * stream cannot be followed any more: close the connection. enquire_link, unbind and what is not understood are answered here.
 */
MUST_USE enum status smpp_session_next(struct smpp_session *, struct smpp_pdu *);

/* Call once a second or so: asks a silent peer. ERR_IO: it is gone, or has said good-bye and everything is sent. */
MUST_USE enum status smpp_session_tick(struct smpp_session *, uint64_t now);

#endif
