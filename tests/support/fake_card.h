/* SPDX-License-Identifier: Apache-2.0 */
/* fake_card.h - as much of a card as campaigns see, for many of them at once: keys, a counter, one file, and how often it was
 * written. The real card's behaviour is tests/e2e/campaign's matter. */
#ifndef TESTS_SUPPORT_FAKE_CARD_H
#define TESTS_SUPPORT_FAKE_CARD_H

#include "provisioning/operator.h"

enum { FAKE_FILE = 8 };
struct fake_card {
	char iccid[21], msisdn[21];
	uint8_t key[16];
	uint64_t counter;
	unsigned updates;
	uint8_t file[FAKE_FILE];
};

/* Card number n. */
void fake_card_init(unsigned n, struct fake_card *);
/* The same, known to the operator's database. */
MUST_USE enum status fake_card_new(struct db *, unsigned n, struct fake_card *);
/* What it answers to a command packet (with its 02 71 00); nothing if the packet is not for it. */
void fake_card_take(struct fake_card *, struct bytes packet, struct buf *response);

#endif
