/* SPDX-License-Identifier: Apache-2.0 */
/* apdu.h - command APDUs, cases 1 to 4, short and extended (ISO 7816-3 12.1, TS 102 221 10.1). The one parser. */
#ifndef APDU_APDU_H
#define APDU_APDU_H

#include "apdu/base/bytes.h"
#include "apdu/sw.h"

struct command_apdu {
	uint8_t cla, ins, p1, p2;
	struct bytes data; /* Lc octets, borrowed from the input */
	bool has_le;       /* cases 2 and 4 */
	bool extended;     /* three-octet lengths */
	size_t ne;         /* octets expected at most: 0 without Le, 256 or 65536 for an Le of zero */
};

/* Data of a command and of an answer, as extended lengths can say them; header, Lc and Le, status word. */
enum {
	APDU_NC_MAX = 65535,
	APDU_NE_MAX = 65536,
	APDU_COMMAND_MAX = 4 + 3 + APDU_NC_MAX + 2,
	APDU_RESPONSE_MAX = APDU_NE_MAX + 2
};

/* Split a command APDU. ERR_TRUNCATED below four octets, ERR_MALFORMED if the lengths do not add up. */
MUST_USE enum status apdu_parse(struct bytes in, struct command_apdu *out);

/* Append the APDU, extended lengths only where short ones do not do. */
void apdu_put(struct buf *, const struct command_apdu *);

/* Logical channel 0..19 of a class byte (TS 102 221 10.1.1). */
unsigned apdu_channel(uint8_t cla);

/* The class byte for a channel: base 00 or 80, channel 0..19. */
uint8_t apdu_cla(uint8_t base, unsigned channel);

enum instruction {
	INS_DEACTIVATE_FILE = 0x04,
	INS_TERMINAL_PROFILE = 0x10,
	INS_FETCH = 0x12,
	INS_TERMINAL_RESPONSE = 0x14,
	INS_VERIFY_PIN = 0x20,
	INS_CHANGE_PIN = 0x24,
	INS_DISABLE_PIN = 0x26,
	INS_ENABLE_PIN = 0x28,
	INS_UNBLOCK_PIN = 0x2C,
	INS_INCREASE = 0x32,
	INS_ACTIVATE_FILE = 0x44,
	INS_MANAGE_CHANNEL = 0x70,
	INS_SUSPEND_UICC = 0x76,
	INS_GET_IDENTITY = 0x78,
	INS_GET_CHALLENGE = 0x84,
	INS_AUTHENTICATE = 0x88,
	INS_AUTHENTICATE_ODD = 0x89,
	INS_SEARCH_RECORD = 0xA2,
	INS_SELECT = 0xA4,
	INS_TERMINAL_CAPABILITY = 0xAA,
	INS_READ_BINARY = 0xB0,
	INS_READ_RECORD = 0xB2,
	INS_GET_RESPONSE = 0xC0,
	INS_ENVELOPE = 0xC2,
	INS_RETRIEVE_DATA = 0xCB,
	INS_RESIZE_FILE = 0xD4,
	INS_UPDATE_BINARY = 0xD6,
	INS_SET_DATA = 0xDB,
	INS_UPDATE_RECORD = 0xDC,
	INS_CREATE_FILE = 0xE0,
	INS_DELETE_FILE = 0xE4,
	INS_TERMINATE_DF = 0xE6,
	INS_TERMINATE_EF = 0xE8,
	INS_STATUS = 0xF2,
	INS_TERMINATE_CARD = 0xFE
};

#endif
