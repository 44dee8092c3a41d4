/* SPDX-License-Identifier: Apache-2.0 */
/* eap_message.h - packets of EAP-AKA and EAP-AKA' (RFC 4187 8 and 10): taken apart into views, and built. No keys here. */
#ifndef HOST_LIB_EAP_EAP_MESSAGE_H
#define HOST_LIB_EAP_EAP_MESSAGE_H

#include "apdu/base/bytes.h"

enum { EAP_REQUEST = 1, EAP_RESPONSE, EAP_SUCCESS, EAP_FAILURE };
enum { EAP_TYPE_IDENTITY = 1, EAP_TYPE_NAK = 3, EAP_AKA_HEADER_LEN = 8, EAP_KDF_AKA_PRIME = 1 };
enum subtype {
	CHALLENGE = 1,
	AUTHENTICATION_REJECT = 2,
	SYNCHRONIZATION_FAILURE = 4,
	IDENTITY = 5,
	NOTIFICATION = 12,
	REAUTHENTICATION = 13,
	CLIENT_ERROR = 14
};
enum attribute {
	AT_RAND = 1,
	AT_AUTN = 2,
	AT_RES = 3,
	AT_AUTS = 4,
	AT_PADDING = 6,
	AT_PERMANENT_ID_REQ = 10,
	AT_MAC = 11,
	AT_NOTIFICATION = 12,
	AT_ANY_ID_REQ = 13,
	AT_IDENTITY = 14,
	AT_FULLAUTH_ID_REQ = 17,
	AT_COUNTER = 19,
	AT_COUNTER_TOO_SMALL = 20,
	AT_NONCE_S = 21,
	AT_CLIENT_ERROR_CODE = 22,
	AT_KDF_INPUT = 23,
	AT_KDF = 24,
	AT_IV = 129,
	AT_ENCR_DATA = 130,
	AT_NEXT_PSEUDONYM = 132,
	AT_NEXT_REAUTH_ID = 133,
	AT_CHECKCODE = 134,
	AT_SKIPPABLE = 128 /* from here on unknown ones are ignored */
};

/* A received packet, taken apart. Views into it. */
struct eap_message {
	struct bytes packet;
	uint8_t id, subtype;
	struct bytes rand, autn, mac, iv, encrypted, kdf_input, checkcode, next_pseudonym, next_reauth_id, nonce_s, counter;
	bool any_id, fullauth_id, permanent_id, has_checkcode, has_notification, kdf_ok;
	unsigned notification, kdfs;
};

/* False if it is too short, or an attribute is malformed, or unknown and not one to be skipped. */
MUST_USE bool eap_parse(struct bytes packet, struct eap_message *);
/* The attributes of AT_ENCR_DATA, once deciphered, into the same message. */
MUST_USE bool eap_take_attributes(struct eap_message *, struct bytes);

/* An answer: header, attributes, and in the end its length. */
void eap_begin(struct buf *, uint8_t method, uint8_t id, enum subtype);
void eap_put(struct buf *, enum attribute, unsigned head, struct bytes value);
void eap_end(struct buf *);

#endif
