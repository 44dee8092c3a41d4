/* SPDX-License-Identifier: Apache-2.0 */
/* vpcd.h - the card's side of vsmartcard's virtual reader: a TCP client of a reader slot (spec real-clients.md section 1). */
#ifndef CARD_IO_LINK_VPCD_H
#define CARD_IO_LINK_VPCD_H

#include <signal.h>

#include "card/os/card.h"

struct vpcd_options {
	char host[64];
	uint16_t port;
	bool quiet; /* no line per event */
};

/* "HOST:PORT" */
MUST_USE enum status vpcd_parse(const char *text, struct vpcd_options *);

/* A connection to the reader slot, or -1. */
int vpcd_dial(const struct vpcd_options *);
/* Before each recv: vpcd sends length and body apart without TCP_NODELAY, which costs 44 ms an APDU otherwise. Not sticky. */
void vpcd_quick(int fd);
/* What the card answers to one message (without its length): a frame with its length, or nothing. */
void vpcd_answer(struct card *, struct bytes message, struct buf *frame);

/* Serve the card until *stop is set: connect, retry until pcscd is there, come back when it restarts. */
MUST_USE enum status vpcd_run(struct card *, const struct vpcd_options *, volatile sig_atomic_t *stop);

#endif
