/* SPDX-License-Identifier: Apache-2.0 */
/* sealed.h - the sealed object: one TLV for whatever travels to the card through the phone (DESIGN.md 3.4).
 * 7F50 { 80 version, 81 domain AID, 82 card id, 83 TrK-ID, 84 kind, 85 name, 86 sequence, 87 not-before, 88 not-after,
 *        89 iv(12) || AES-256-GCM ciphertext || tag(16), 8A HMAC-SHA-256 }
 * This file knows the layout only; crypto/guarded/seal.h makes and opens it. */
#ifndef APDU_SEALED_H
#define APDU_SEALED_H

#include "apdu/tlv.h"

enum sealed_kind {
	SEALED_KMS_CERTIFICATE = 1,
	SEALED_KEY_SET,
	SEALED_GROUP,
	SEALED_DISCOVERY_KEY,
	SEALED_TIME,
	SEALED_TRANSPORT_KEYS,
	SEALED_GROUP_SIGNER,
	SEALED_NAF,          /* from which server GBA keys are taken */
	SEALED_GROUP_KEY,    /* a GMK that is no I_MESSAGE's */
	SEALED_EXTERNAL_KMS, /* of another agency: KMSC_ tags with a domain */
	SEALED_PERMISSION,   /* what the user may do in a PLMN */
	SEALED_REVOKED       /* a KMS's list of revoked UIDs */
};

enum { TAG_SEALED = 0x7F50, SEALED_IV_LEN = 12, SEALED_TAG_LEN = 16, SEALED_MAC_LEN = 32, SEALED_VERSION = 1 };
/* SEALED_MAX: IV, ciphertext and tag. One octet more: seal() makes none (ERR_NO_SPACE), sealed_parse refuses it (6A80).
 * SEALED_OBJECT_MAX: the whole object. One more: INSTALL is 6700. */
enum { SEALED_MAX = 2048, SEALED_OBJECT_MAX = SEALED_MAX + 512 };
enum { SEALED_KEY_LEN = 32, SEALED_NAME_MAX = 64, SEALED_TRK_GBA = 0 /* TrK and InK from Ks_int_NAF */ };

struct sealed_header {
	struct bytes domain;  /* AID, 5..16 */
	struct bytes card_id; /* 10 */
	uint8_t trk_id;
	enum sealed_kind kind;
	struct bytes name; /* 1..SEALED_NAME_MAX, what it replaces */
	uint64_t sequence;
	uint64_t not_before, not_after; /* seconds since 1970 */
};

struct sealed {
	struct sealed_header header;
	struct bytes aad;        /* TLVs 80..88 as they stand */
	struct bytes ciphertext; /* value of 89 */
	struct bytes maced;      /* TLVs 80..89 as they stand */
	struct bytes mac;        /* value of 8A */
};

/* Parse exactly one sealed object; every element once and in order, lengths checked, nothing behind it. Views into in. */
MUST_USE enum status sealed_parse(struct bytes in, struct sealed *out);

/* Append TLVs 80..88. */
void sealed_put_header(struct buf *, const struct sealed_header *);

#endif
