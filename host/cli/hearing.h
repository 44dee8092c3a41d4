/* SPDX-License-Identifier: Apache-2.0 */
/* hearing.h - what a listener makes of datagrams that anybody can send: which it passed over and why, and which sessions it
 * keeps. Pure. */
#ifndef HOST_CLI_HEARING_H
#define HOST_CLI_HEARING_H

#include "apdu/base/bytes.h"

enum { HEARING_SESSIONS = 8, REASONS_MAX = 12, REASON_LEN = 8, MEDIA_AT_LEN = 6 };

/* Counted, by a word or a status word in hex; what finds no row is in the sum only. */
struct passed_over {
	unsigned long count;
	struct {
		char why[REASON_LEN];
		unsigned long count;
	} reason[REASONS_MAX];
	size_t reasons;
};
/* True: the first one for this reason. */
bool passed_over_add(struct passed_over *, const char *why);
/* "ignored": 3, "reasons": {"9C01": 2, "form": 1} */
void passed_over_put(const struct passed_over *, struct buf *);

/* The row for one more session: a free one, else the first of those of which nothing was heard yet. HEARING_SESSIONS: none, as
 * what has verified media is never replaced. heard: of rows 0 to used - 1. */
size_t hearing_row(const bool *heard, size_t used);

/* A multicast address in dotted decimal, and a port. */
MUST_USE bool media_at_of(const char *address, unsigned port, uint8_t out[static MEDIA_AT_LEN]);

#endif
