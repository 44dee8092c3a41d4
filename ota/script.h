/* script.h - compact remote command scripts (TS 102 226 5.1): C-APDUs back to back in T=0 form, and the answer. */
#ifndef OTA_SCRIPT_H
#define OTA_SCRIPT_H

#include "apdu/apdu.h"

/* Take the next command. P3 is Le for commands that only read, Lc for the others. ERR_MALFORMED if it does not fit. */
MUST_USE enum status script_next(struct bytes *in, struct command_apdu *out);

/* Append SELECT by FID and the like. */
void script_put(struct buf *, uint8_t ins, uint8_t p1, uint8_t p2, struct bytes data);
void script_put_read(struct buf *, uint8_t ins, uint8_t p1, uint8_t p2, uint8_t le);

struct script_result {
	uint8_t executed; /* commands run, the failing one included */
	uint16_t sw;      /* of the last */
	struct bytes data;
};

void script_result_put(struct buf *, const struct script_result *);
MUST_USE enum status script_result_parse(struct bytes in, struct script_result *out);

#endif
