/* SPDX-License-Identifier: Apache-2.0 */
/* witness.h - a second client of a card that others are using, on channels of its own: a file that it reads, a call whose keys
 * stay on the card, an administrator's session. Nobody else's commands may disturb one of them. */
#ifndef TESTS_FUZZ_WITNESS_H
#define TESTS_FUZZ_WITNESS_H

#include "card/os/card.h"
#include "ota/scp03.h"

enum { WITNESS_ADMIN = 3 /* secure messaging has no further channels */, WITNESS_CALL = 18, WITNESS_FILE = 19 };

struct witness {
	void (*send)(struct bytes command, struct buf *response); /* the whole R-APDU */
	struct bytes card_id, secrets;                            /* TLVs of apdu/birth.h */
	bool calls, administers; /* had from the card; the PIN may be another or blocked by now, the card locked */
	uint8_t call[8];
	unsigned sequence;                    /* of the call's next packet */
	unsigned long long packets, commands; /* of calls, of sessions, so far */
	uint32_t budget;                      /* slots left when it was looked at last */
	uint64_t latest;                      /* the card's time then */
	struct scp03 session;
};

/* What the card is told once, after birth: a group and its key. False: it would not. */
bool witness_prepare(struct witness *);
/* Begin, after power-on and after every reset. */
void witness_open(struct witness *);
/* NULL, or the law that is broken. */
const char *witness_look(struct witness *);
/* A command that means one of its channels. */
bool witness_owns(const uint8_t *command, size_t n);

#endif
