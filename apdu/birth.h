/* SPDX-License-Identifier: Apache-2.0 */
/* birth.h - the secrets file of a card order (DESIGN.md 3.4): a TLV sequence inside CMS AuthEnvelopedData for the card
 * maker's certificate. The order itself (identities, no secrets) is JSON. */
#ifndef APDU_BIRTH_H
#define APDU_BIRTH_H

#include "apdu/base/bytes.h"

enum birth_tag {
	BIRTH_CARD_ID = 0x80, /* must equal the order's ICCID */
	BIRTH_K,              /* 16 */
	BIRTH_OPC,            /* 16 */
	BIRTH_PIN1,           /* 8, FF padded */
	BIRTH_PUK1,           /* 8 */
	BIRTH_OTA_KVN,        /* 1 */
	BIRTH_OTA_KIC,        /* 16 */
	BIRTH_OTA_KID,        /* 16 */
	BIRTH_TRK_ID,         /* 1 */
	BIRTH_TRK,            /* 32 */
	BIRTH_INK,            /* 32 */
	BIRTH_TIME,           /* 8: first floor of the card's time */
	BIRTH_PIN2,           /* 8 and 8; optional, as the universal PIN is */
	BIRTH_PUK2,
	BIRTH_UNIVERSAL_PIN,
	BIRTH_UNIVERSAL_PUK,
	BIRTH_AKA,         /* TLVs of enum aka_tag but the keys; absent: Milenage with the defaults of TS 35.206 */
	BIRTH_OTA_KEY_SET, /* any number: TLVs of enum ota_key_tag, beside the AES set of BIRTH_OTA_KVN */
	BIRTH_OTA_POLICY,  /* TLVs of enum ota_policy_tag; optional */
	BIRTH_ISD_ENC,     /* 16 each: SCP03 key set 30; absent: no local administration */
	BIRTH_ISD_MAC,
	BIRTH_ISD_DEK,
	BIRTH_DOMAIN, /* any number: a supplementary security domain, TLVs of enum domain_tag and its BIRTH_ISD_ and BIRTH_OTA_
	                 keys */
	BIRTH_PSK,    /* 32: of SCP81, key set 40; optional */
	BIRTH_NAF,    /* NAF_ID of the server that may push, and from which TrK and InK come if there are none here (GBA) */
	BIRTH_OPEN /* 1: not 0: until its domain has given a permission, the user may announce and monitor anywhere; optional */
};
enum domain_tag {
	DOMAIN_TAG_AID = 0x4F,
	DOMAIN_TAG_FLAGS = 0xC0, /* 1: enum domain_flag */
	DOMAIN_TAG_TAR           /* 3 */
};
enum domain_flag { DOMAIN_SOVEREIGN = 0x01, DOMAIN_VERIFIES_DAP = 0x02 };

/* The names under which people write these secrets: a test profile's "keys", a card vendor's list. */
enum birth_form { BIRTH_KEY, BIRTH_PIN, BIRTH_PUK };
enum { BIRTH_ISD_KVN = 0x30 };
enum { BIRTH_PIN_LEN = 8 };
struct birth_field {
	const char *name;
	enum birth_tag tag;
	enum birth_form form;
};
extern const struct birth_field birth_fields[];
extern const size_t birth_field_count;
/* Octets of a card's own key of this kind, where nobody has given one: 16 or 32. */
size_t birth_own_length(enum birth_tag, bool tuak);
/* AKA_MILENAGE and so on (crypto/guarded/aka.h) for "milenage", "tuak", "xor"; 0 for anything else. */
unsigned birth_algorithm(const char *name);
/* 4 to 8 digits, padded with FF. ERR_MALFORMED for anything else. */
MUST_USE enum status birth_put_pin(struct buf *, const char *digits);

/* A key set for secured packets (TS 102 225). */
enum ota_key_tag {
	OTA_KEY_KVN = 0x80, /* 1 */
	OTA_KEY_KIC_TYPE,   /* 1: enum ota_algorithm of ota/packet.h */
	OTA_KEY_KIC,
	OTA_KEY_KID_TYPE,
	OTA_KEY_KID,
	OTA_KEY_CC_LEN /* 1: 4 or 8; AES only */
};
enum ota_policy_tag {
	OTA_POLICY_SILENT = 0x80, /* 1: nothing at all is answered before the MAC is right */
	OTA_POLICY_MAX_FAILURES,  /* 4: a key set is blocked after so many wrong MACs; 0: never */
	OTA_POLICY_SUBMITS        /* 2: SMS-SUBMITs a power-on that packets without a right MAC and a new counter may cause */
};

/* The parameters of f1..f5*, in a card's USIM record and in an order. */
enum aka_tag {
	AKA_TAG_ALGORITHM = 0x80, /* 1: enum aka_algorithm */
	AKA_TAG_K,                /* 16 or 32 */
	AKA_TAG_OPC,              /* 16 or 32; absent for XOR */
	AKA_TAG_ROTATION,         /* 5: r1..r5 in bits */
	AKA_TAG_CONSTANT,         /* 80: c1..c5 */
	AKA_TAG_LENGTHS,          /* 4: MAC, RES, CK, IK in octets */
	AKA_TAG_ITERATIONS,       /* 2 */
	AKA_TAG_DELTA,            /* 6: how far SEQ may jump */
	AKA_TAG_AGE_LIMIT         /* 6: how old SEQ may be; 0 or absent: no limit */
};

#endif
