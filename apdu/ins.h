/* SPDX-License-Identifier: Apache-2.0 */
/* ins.h - names of instructions, and what their commands carry: for people who read traces and scripts. */
#ifndef APDU_INS_H
#define APDU_INS_H

#include <stdint.h>

enum ins_kind {
	INS_DATA,  /* sends data (cases 3 and 4) */
	INS_READS, /* only asks for some (case 2) */
	INS_PIN    /* sends what is not shown */
};
struct ins_name {
	uint8_t ins;
	const char *name;
	enum ins_kind kind;
};
/* NULL: none that is known. */
const struct ins_name *ins_name(uint8_t ins);

/* What of a command is secret, by its class (with or without a channel) and instruction: keys, answers that prove a
 * subscriber, codes of the future, speech. PINs are of INS_PIN besides. */
enum { INS_HIDES_DATA = 1, INS_HIDES_ANSWER = 2 };
unsigned ins_hides(uint8_t cla, uint8_t ins);

#endif
