/* sms.h - SMS-PP transport of a secured packet (TS 23.040, 31.115 clause 4, 31.111 7.1.1): one message, no concatenation. */
#ifndef OTA_SMS_H
#define OTA_SMS_H

#include "apdu/bytes.h"

enum { SMS_PACKET_MAX = 137, SMS_TPDU_MAX = 180 };

/* Append an SMS-DELIVER TPDU: PID 7F, DCS F6, UDH 02 70 00, then the packet. ERR_NO_SPACE above 137 octets. */
MUST_USE enum status sms_deliver_put(struct buf *, struct bytes packet);

/* The packet inside an SMS-DELIVER with the security header. ERR_NOT_FOUND for an ordinary short message. */
MUST_USE enum status sms_deliver_parse(struct bytes tpdu, struct bytes *packet);

/* Append the data of an ENVELOPE (SMS-PP DOWNLOAD). */
void sms_envelope_put(struct buf *, struct bytes tpdu);

#endif
