/* SPDX-License-Identifier: Apache-2.0 */
/* pin.h - what may be sent as a PIN, what a try is spent on, and what the card says of it. */
#ifndef HOST_LIB_PIN_H
#define HOST_LIB_PIN_H

#include "host/lib/session.h"

enum { PIN_OCTETS = 8, PIN_DIGITS_MIN = 4 };

/* What a try is spent on. */
struct pin_target {
	uint8_t reference;
	bool puk;
};

/* Digits, filled up with FF. False: not of `least` to 8 digits. */
bool pin_put(struct buf *, const char *digits, size_t least);
/* Before a try is spent. PROSE_PIN_LAST_TRY, PROSE_PIN_BLOCKED: it must not be. */
enum prose_result pin_may_spend(struct prose_card *, const struct pin_target *);
/* What the last command's status word says of the target. Words that are not of PINs stay what they are: PROSE_REFUSED. */
enum prose_result pin_judge(struct prose_card *, const struct pin_target *, enum prose_result, unsigned *tries);

#endif
