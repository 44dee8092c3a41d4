/* SPDX-License-Identifier: Apache-2.0 */
/* scp.h - an SCP03 terminal for the unit tests. */
#ifndef TESTS_SUPPORT_SCP_H
#define TESTS_SUPPORT_SCP_H

#include "ota/scp03.h"
#include "tests/support/support.h"

/* SELECT, INITIALIZE UPDATE and EXTERNAL AUTHENTICATE, the card's cryptogram checked as a terminal would: 0 if it is wrong. */
unsigned scp_authenticate(struct rig *, const char *select, struct scp03 *, const struct scp03_keys *, uint8_t level);
/* A command in the session; valid until the next one. */
struct bytes scp_wrapped(struct scp03 *, uint8_t ins, uint8_t p1, uint8_t p2, struct bytes data);
/* Wrap and send. */
unsigned scp_send(struct rig *, struct scp03 *, uint8_t ins, uint8_t p1, uint8_t p2, struct bytes data);
/* What the last answer says, its MAC checked. */
struct bytes scp_answer(struct scp03 *, unsigned sw);

#endif
