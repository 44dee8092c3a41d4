/* vpcd.h - the card's side of vsmartcard's virtual reader: a TCP client of a reader slot (spec real-clients.md section 1). */
#ifndef CARD_IO_VPCD_H
#define CARD_IO_VPCD_H

#include <signal.h>

#include "card/os/card.h"

struct vpcd_options {
	char host[64];
	uint16_t port;
	bool quiet; /* no line per event */
};

/* "HOST:PORT" */
MUST_USE enum status vpcd_parse(const char *text, struct vpcd_options *);

/* Serve the card until *stop is set: connect, retry until pcscd is there, come back when it restarts. */
MUST_USE enum status vpcd_run(struct card *, const struct card_env *, const struct vpcd_options *, volatile sig_atomic_t *stop);

#endif
