/* SPDX-License-Identifier: Apache-2.0 */
/* talk.h - talking in a call, which both who starts it and who has joined it do: PCMA from an A-law WAV file as SRTP. */
#ifndef HOST_CLI_TALK_H
#define HOST_CLI_TALK_H

#include "host/cli/hearing.h"
#include "host/cli/media.h"
#include "protocols/mikey/sdp.h"

struct talk {
	struct arguments *a;
	struct media *media;
	struct multicast offers, out;
	bool offering, binds; /* binds: the card says in the offer where the media go */
	uint8_t media_at[MEDIA_AT_LEN];
	uint8_t sdp[SDP_MAX];
	size_t sdp_len;
	uint16_t sequence;
	uint32_t stamp;
	uint64_t offered, refreshed; /* microseconds */
};

/* What --audio has. */
MUST_USE bool talk_audio(const struct arguments *, const char *verb, struct bytes *samples);
/* Offer a session, unless the group has none, and talk. pressed: when the key was. */
enum prose_result talk_begin(struct talk *, struct bytes samples, uint64_t pressed);
/* All of it, in real time, behind --lead-in. */
enum prose_result talk_send(struct talk *, struct bytes samples, uint64_t start);
/* A line of JSON. */
void call_event(const char *name, uint64_t at);

#endif
