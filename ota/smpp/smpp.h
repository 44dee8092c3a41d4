/* SPDX-License-Identifier: Apache-2.0 */
/* smpp.h - SMPP 3.4 PDUs, pure: what an OTA server, a handset's side and a short message centre say to each other. */
#ifndef OTA_SMPP_SMPP_H
#define OTA_SMPP_SMPP_H

#include "apdu/base/bytes.h"

enum { SMPP_HEADER = 16, SMPP_PDU_MAX = 1024, SMPP_MESSAGE_MAX = 254 };

/* command_id (5.1.2.1); a response has the top bit set as well. */
#define SMPP_RESP UINT32_C(0x80000000)
enum smpp_command {
	SMPP_BIND_RECEIVER = 0x01,
	SMPP_BIND_TRANSMITTER = 0x02,
	SMPP_SUBMIT = 0x04,
	SMPP_DELIVER = 0x05,
	SMPP_UNBIND = 0x06,
	SMPP_BIND_TRANSCEIVER = 0x09,
	SMPP_ENQUIRE_LINK = 0x15
};
#define SMPP_GENERIC_NACK SMPP_RESP

/* command_status (5.1.3), those that we send or look at. */
enum smpp_status {
	SMPP_OK = 0x00,
	SMPP_INVALID_LENGTH = 0x02,
	SMPP_INVALID_COMMAND = 0x03,
	SMPP_NOT_BOUND = 0x04,
	SMPP_ALREADY_BOUND = 0x05,
	SMPP_SYSTEM_ERROR = 0x08,
	SMPP_INVALID_DESTINATION = 0x0B,
	SMPP_BIND_FAILED = 0x0D,
	SMPP_INVALID_PASSWORD = 0x0E,
	SMPP_INVALID_SYSTEM_ID = 0x0F,
	SMPP_QUEUE_FULL = 0x14,
	SMPP_THROTTLED = 0x58,
	SMPP_TEMPORARY = 0x64
};
/* A few words for people. */
const char *smpp_status_text(uint32_t status);

/* esm_class (5.2.12) */
enum smpp_esm_class {
	ESM_TYPE = 0x3C,         /* mask */
	ESM_RECEIPT = 0x04,      /* the centre tells what became of a message */
	ESM_DELIVERY_ACK = 0x08, /* the handset's delivery report, with what the card said */
	ESM_UDHI = 0x40
};
enum { REGISTERED_RECEIPT = 0x01 /* whatever becomes of it */, SMPP_VERSION = 0x34 };

enum smpp_state { /* message_state (5.2.28) */
	SMPP_ENROUTE = 1,
	SMPP_DELIVERED = 2,
	SMPP_EXPIRED = 3,
	SMPP_UNDELIVERABLE = 5
};

/* Without the final zero (5.2.1, 5.2.2, 5.2.9). */
enum { SMPP_SYSTEM_ID_MAX = 15, SMPP_PASSWORD_MAX = 8, SMPP_ADDRESS_MAX = 20 };
struct smpp_address {
	uint8_t ton, npi;
	char digits[SMPP_ADDRESS_MAX + 1];
};

/* One PDU; fields that its command does not have are zero. */
struct smpp_pdu {
	uint32_t command, status, sequence;
	char system_id[17], password[SMPP_PASSWORD_MAX + 1], system_type[13],
	        address_range[41]; /* bind; system_id of its response, too */
	uint8_t version, ton, npi;
	char service_type[6]; /* submit, deliver */
	struct smpp_address from, to;
	uint8_t esm_class, pid, priority, registered, replace, dcs, default_message;
	char schedule[17], validity[17]; /* "" or YYMMDDhhmmsstnnp */
	struct bytes message;            /* a view of what was parsed; up to 254 octets */
	char message_id[65];             /* responses; of the message that a receipt is about (receipted_message_id) */
	uint8_t state;                   /* of that message, enum smpp_state; 0: not said */
};

/* The first PDU of a stream. ERR_TRUNCATED: the rest is still to come, nothing has moved; ERR_NOT_FOUND: whole, but of a
 * command that is not known here (command and sequence are set: answer with a nack); ERR_MALFORMED with command and sequence
 * set: a field that cannot be; the PDU has been taken. ERR_NO_SPACE: longer than SMPP_PDU_MAX: the stream is lost. */
MUST_USE enum status smpp_take(struct bytes *in, struct smpp_pdu *out);

void smpp_put(struct buf *, const struct smpp_pdu *);

/* A validity period of this many seconds from now, relative form (7.1.1.1). */
void smpp_validity(uint64_t seconds, char out[17]);

/* The text of a delivery receipt (appendix B), and what stands in one that came without the optional fields. */
void smpp_receipt_put(struct buf *, const char *message_id, enum smpp_state);
void smpp_receipt_parse(struct smpp_pdu *);

#endif
