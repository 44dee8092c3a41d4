/* SPDX-License-Identifier: Apache-2.0 */
/* sms.h - SMS-PP transport of secured packets (TS 23.040, 31.115 clause 4, 31.111 7.1.1): one short message, or several with
 * the concatenation header of 8 or 16 bits. */
#ifndef OTA_SMS_H
#define OTA_SMS_H

#include "apdu/base/bytes.h"

enum {
	SMS_USER_DATA_MAX = 140,
	SMS_PACKET_MAX = 137,
	SMS_FIRST_PART = 132,
	SMS_NEXT_PART = 134,
	SMS_TPDU_MAX = 180,
	SMS_PARTS_MAX = 16
};
/* Protocol identifier and data coding of a message for the card. */
enum { SMS_PID_USIM_DOWNLOAD = 0x7F, SMS_DCS_CLASS_2 = 0xF6 };

/* Short messages that a packet of n octets takes; 0 if they would be more than SMS_PARTS_MAX. */
unsigned sms_parts(size_t n);

/* Append part number (1...) of a packet as an SMS-DELIVER TPDU: PID 7F, DCS F6. reference: of the concatenation, if there is
 * one. ERR_NO_SPACE: no such part. */
MUST_USE enum status sms_deliver_part(struct buf *, struct bytes packet, uint8_t reference, unsigned number);
/* Its user data alone, header first, as SMPP carries it. */
MUST_USE enum status sms_user_data_part(struct buf *, struct bytes packet, uint8_t reference, unsigned number);
/* An SMS-DELIVER with the user data, originator, protocol identifier and coding that came by SMPP; udhi: with a header. */
MUST_USE enum status sms_deliver_from(
        struct buf *, const char *originator, uint8_t pid, uint8_t dcs, bool udhi, struct bytes user_data);
/* A packet that fits one message. */
MUST_USE enum status sms_deliver_put(struct buf *, struct bytes packet);
/* The same as an SMS-SUBMIT, for a response packet (with its 02 71 00): to the address field of the message that it answers. */
MUST_USE enum status sms_submit_part(
        struct buf *, struct bytes address, struct bytes response, uint8_t reference, unsigned number);

/* One short message taken apart. */
struct sms_part {
	struct bytes address; /* originator or destination: length in digits, type, digits */
	bool secured;         /* has the IE of secured packets, 70 or 71; only the first part of several does */
	uint16_t reference;
	uint8_t total, number; /* 1 and 1 without concatenation */
	struct bytes payload;
	struct bytes user_data; /* header and payload */
};
/* An SMS-DELIVER for the card. ERR_NOT_FOUND: an ordinary short message; ERR_MALFORMED, ERR_TRUNCATED. */
MUST_USE enum status sms_deliver_parse(struct bytes tpdu, struct sms_part *out);
/* An SMS-SUBMIT with a response packet. */
MUST_USE enum status sms_submit_parse(struct bytes tpdu, struct sms_part *out);

/* Digits of an address field; ERR_MALFORMED for letters. out has 21 characters. */
MUST_USE enum status sms_address_digits(struct bytes address, char out[21]);

/* The one message that is being put together: parts in any order, more than once; a part of another message takes its place. */
struct sms_assembly {
	uint16_t reference;
	uint8_t total;
	uint16_t have; /* one bit a part */
	uint8_t len[SMS_PARTS_MAX];
	uint8_t memory[SMS_PARTS_MAX * SMS_USER_DATA_MAX];
};
/* OK and the whole packet (a view into the assembly, or into the part) when nothing is missing; ERR_NOT_FOUND: there is;
 * ERR_MALFORMED: a part that cannot be, or a message that does not begin with the security header; it is forgotten. */
MUST_USE enum status sms_assemble(struct sms_assembly *, const struct sms_part *, struct bytes *packet);

/* Append the data of an ENVELOPE (SMS-PP DOWNLOAD). */
void sms_envelope_put(struct buf *, struct bytes tpdu);

#endif
