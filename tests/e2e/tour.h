/* SPDX-License-Identifier: Apache-2.0 */
/* tour.h - stops of a tour through every function of libprose-ue, with a card in the same process (tour_stops.c), and what
 * fails on the way (tour.c). */
#ifndef TESTS_E2E_TOUR_H
#define TESTS_E2E_TOUR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/lib/prose-ue.h"

/* A call, or a few that belong together. It can be made again, whatever became of it before. */
struct stop {
	const char *name;
	enum prose_result (*go)(void);
	enum prose_result expected; /* without a fault */
	enum prose_result again;    /* what it may also say when the card has done it already */
	bool unlike; /* it leaves other states: libcrypto's own random octets, or the counter of a script that failed */
};
extern const struct stop stops[];
extern const size_t stop_count;

/* A function of the library, which is called here. */
#define V(function) (tour_visit(#function), function)
void tour_visit(const char *function);

extern struct prose_card *tour_card; /* NULL: not open */
void tour_set_up(void);
void tour_close(void);

/* The card, wherever it is reached. *n: room in, length out. False: no answer. */
bool tour_carry(const uint8_t *command, size_t command_len, uint8_t *response, size_t *n);
/* What the tour itself does between these two is not counted. */
bool tour_pause(void);
void tour_resume(bool);
/* Octets that no block of memory may hold which the library gives back. */
void tour_secret(const uint8_t *p, size_t n);

#endif
