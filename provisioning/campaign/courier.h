/* SPDX-License-Identifier: Apache-2.0 */
/* courier.h - packets by hand: an operator's command takes each to its card and brings the answer. It is run by its words, not
 * by a shell: words end at spaces; "..." and '...' keep them together; outside '...', $ICCID, $IN and $OUT stand for the card,
 * a file of SMS-DELIVERs in hex, and the file where the response packet goes, in hex. The same are in its environment. */
#ifndef PROVISIONING_CAMPAIGN_COURIER_H
#define PROVISIONING_CAMPAIGN_COURIER_H

#include "apdu/base/bytes.h"

enum { COURIER_WORDS_MAX = 64, COURIER_TEXT_MAX = 8192 };

struct courier_job {
	const char *iccid, *in, *out;
};
/* The words of a command, in `memory`, NULL behind the last. ERR_MALFORMED: what only a shell understands (an operator outside
 * quotes, a quote that does not end, another $name), or no word; ERR_NO_SPACE. */
MUST_USE enum status courier_words(const char *command, const struct courier_job *, char memory[static COURIER_TEXT_MAX],
        char *words[static COURIER_WORDS_MAX + 1]);

/* One packet, from this process. `messages`: what IN holds. The response packet, or nothing when the card gives none. ERR_IO:
 * the command failed. */
MUST_USE enum status courier_deliver(const char *command, const char *iccid, struct bytes messages, struct buf *response);

/* The same from a process of its own, which goes on running commands when this one may not any more. NULL: no process. */
struct courier;
struct courier *courier_start(const char *command);
MUST_USE enum status courier_ask(struct courier *, const char *iccid, struct bytes messages, struct buf *response);
void courier_end(struct courier **);

#endif
