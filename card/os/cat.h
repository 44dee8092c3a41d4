/* cat.h - the proactive session of TS 102 223 on the card: a queue of commands, one of them with the terminal at a time. */
#ifndef CARD_OS_CAT_H
#define CARD_OS_CAT_H

#include "apdu/bytes.h"
#include "apdu/sw.h"

struct card;
struct command;

enum { CAT_QUEUE_MAX = 1024, CAT_COMMAND_MAX = 255 };
enum refresh_mode { REFRESH_INIT_AND_FULL_FILE_CHANGE = 0x00, REFRESH_FILE_CHANGE = 0x01, REFRESH_UICC_RESET = 0x04 };

/* The queue: length octet, then the command (tag D0). The first one is what FETCH gives out. */
struct cat {
	uint8_t queue[CAT_QUEUE_MAX];
	size_t len;
	uint8_t next_number; /* command numbers 1 to FE, in turn */
	bool fetched;        /* the first one is with the terminal */
};

void cat_reset(struct cat *);
/* Octets of the command that waits, 0 if none does: what 91xx announces. */
size_t cat_waiting(const struct cat *);
/* Queue a command: its type, qualifier, destination device and further TLVs. ERR_NO_SPACE if the queue is full. */
MUST_USE enum status cat_queue(struct cat *, uint8_t type, uint8_t qualifier, uint8_t to, struct bytes tlvs);
/* REFRESH; files: indexes whose paths a file change lists (TS 102 223 6.6.13). */
MUST_USE enum status cat_refresh(struct card *, enum refresh_mode, struct bytes files);

enum sw cmd_fetch(struct command *);
enum sw cmd_terminal_response(struct command *);

#endif
