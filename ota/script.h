/* SPDX-License-Identifier: Apache-2.0 */
/* script.h - remote command scripts and their answers: compact (TS 102 226 5.1), C-APDUs back to back in T=0 form; and expanded
 * (5.2), TLVs of definite or indefinite length. */
#ifndef OTA_SCRIPT_H
#define OTA_SCRIPT_H

#include "apdu/apdu.h"

/* Take the next command. P3 is Le for commands that only read, Lc for the others. ERR_MALFORMED if it does not fit. */
MUST_USE enum status script_next(struct bytes *in, struct command_apdu *out);

enum { SCRIPT_DATA_MAX = 250 }; /* of one command that we write */

/* Append SELECT by FID and the like. */
void script_put(struct buf *, uint8_t ins, uint8_t p1, uint8_t p2, struct bytes data);
void script_put_select(struct buf *, uint16_t fid);
/* UPDATE RECORD number `record`, or (0) as many UPDATE BINARYs from offset on as it takes. How many commands these are. */
unsigned script_put_write(struct buf *, unsigned record, size_t offset, struct bytes content);
void script_put_read(struct buf *, uint8_t ins, uint8_t p1, uint8_t p2, uint8_t le);

struct script_result {
	uint8_t executed; /* commands run, the failing one included */
	uint16_t sw;      /* of the last */
	struct bytes data;
};

void script_result_put(struct buf *, const struct script_result *);
MUST_USE enum status script_result_parse(struct bytes in, struct script_result *out);

/* ---- expanded format ---------------------------------------------------------------------------------------------- */

struct expanded_script {
	struct bytes left;
	bool indefinite;
};
enum expanded_kind {
	EXPANDED_COMMAND = 0x22,   /* a C-APDU, whole */
	EXPANDED_IMMEDIATE = 0x81, /* an action for the card at once */
	EXPANDED_ON_ERROR = 0x82,  /* an action if a later command fails */
	EXPANDED_CHAINING = 0x83   /* this script is a part of a longer one */
};
struct expanded_item {
	enum expanded_kind kind;
	struct command_apdu command; /* EXPANDED_COMMAND */
	struct bytes value;          /* of the TLV */
};
/* What is wrong with a script, as its answer says it (5.2.2). */
enum expanded_fault { EXPANDED_FINE = 0, EXPANDED_UNKNOWN_TAG = 1, EXPANDED_WRONG_LENGTH = 2, EXPANDED_NO_LENGTH = 3 };

/* The template around a script: tag AA, or AE with 80 ... 00 00. ERR_MALFORMED for anything else. */
MUST_USE enum status expanded_open(struct bytes script, struct expanded_script *);
/* The next item. ERR_NOT_FOUND at the end; ERR_MALFORMED with *fault. */
MUST_USE enum status expanded_next(struct expanded_script *, struct expanded_item *, enum expanded_fault *fault);
/* Append a C-APDU as an item; put the template around all items. */
void expanded_put(struct buf *items, struct bytes command);
void expanded_close(struct buf *out, struct bytes items, bool indefinite);

/* The answer: how many commands ran, and the R-APDU (data and status word) of each that gets one. */
void expanded_answer_put(struct buf *items, struct bytes data, uint16_t sw);
void expanded_answer_close(struct buf *out, bool indefinite, unsigned executed, struct bytes items, enum expanded_fault);
struct expanded_answer {
	unsigned executed;
	struct bytes last; /* R-APDU of the last command that has one */
	enum expanded_fault fault;
};
MUST_USE enum status expanded_answer_parse(struct bytes in, struct expanded_answer *out);

#endif
