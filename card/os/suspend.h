/* SPDX-License-Identifier: Apache-2.0 */
/* suspend.h - what a suspended card keeps over a reset (cmd_suspend.c). */
#ifndef CARD_OS_SUSPEND_H
#define CARD_OS_SUSPEND_H

#include "apdu/apdu.h"

struct card;

/* card_reset calls this first: a card that was suspended puts its state aside. */
void suspension_keep(struct card *);
/* Before each command: any but a resumption ends what was suspended. */
void suspension_end(struct card *, const struct command_apdu *);
/* Wipe and forget. */
void suspension_drop(struct card *);

#endif
