/* SPDX-License-Identifier: Apache-2.0 */
/* media.h - a call's packets: by libsrtp2 under keys that the card gave, or by the card. */
#ifndef HOST_CLI_MEDIA_H
#define HOST_CLI_MEDIA_H

#include "crypto/common/srtp.h"
#include "host/cli/cli.h"

enum { MEDIA_TOOK = 1024, MEDIA_TALKERS = 8, MEDIA_KEY_MAX = SRTP_KEY_LEN + SRTP_SALT_LEN };

struct media {
	struct prose_card *card;
	struct prose_session session;
	unsigned policy;
	uint64_t released; /* how often keys of this group have left the card */
	struct srtp_stream *out;
	struct {
		uint32_t guk_id;
		struct srtp_stream *in;
		uint64_t last; /* heard, in microseconds */
	} talker[MEDIA_TALKERS];
	size_t talkers;
	unsigned long strangers; /* GUK-IDs of packets that did not open */
	uint64_t stranger_at;
	uint32_t heard[64]; /* SSRCs */
	size_t heard_count;
	struct {
		uint32_t first, highest; /* sequence numbers, the rounds counted in */
		unsigned long packets;
	} count[64];               /* of each SSRC that was heard */
	uint32_t took[MEDIA_TOOK]; /* microseconds of the card for a packet, the last ones */
	unsigned long asked;
};

/* The group's policy, as its record on the card has it; 0 if there is none. */
unsigned media_policy(struct prose_card *, const char *group);
/* Whether the card has the group's record. */
bool media_is_member(struct prose_card *, const char *group);
/* Whether the card ciphers. */
bool media_in_card(const struct media *);
/* Key || salt of one talker (0: the GSK, or our own of gmk-direct), if they may leave. */
enum prose_result media_key(struct media *, uint32_t guk_id, struct secret *key);
/* In place; packet has room for SRTP_OVERHEAD octets more. */
enum prose_result media_protect(struct media *, uint8_t *packet, size_t *n);
enum prose_result media_unprotect(struct media *, uint8_t *packet, size_t *n);
/* The GUK-ID behind a packet of gmk-direct; 0 else. */
uint32_t media_talker(const struct media *, const uint8_t *packet, size_t n);
/* Packets that came, and how many between them did not, of all talkers. */
void media_count(const struct media *, unsigned long *packets, unsigned long *lost);
/* How long the card took for 99 of 100 packets at most, in microseconds; 0: it was not asked. */
unsigned long media_p99(struct media *);
void media_close(struct media *);

#endif
