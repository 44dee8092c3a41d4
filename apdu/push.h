/* SPDX-License-Identifier: Apache-2.0 */
/* push.h - group keys by GBA push (seed S-3.2, TS 33.223): the message that carries keys to a phone, and what cards vouch for
 * towards the key server. The octets of TS 33.223's GBA-Push-Info could not be verified: this layout is ours, and this file is
 * the only one that knows it.
 *
 * Push message: 7F51 { 80 RAND(16), 81 AUTN*(16), 82 NAF_ID, 83 expiry(8), 84 sealed objects, 8E MAC(16) }
 *   MAC: HMAC-SHA-256 under Ks_ext_NAF over 80..84, for the phone. The objects are for the card, under TrK-ID 0: keys from
 *   Ks_int_NAF (crypto/guarded/gba.h). Ks is used for this one message.
 * Vouched message: 7F52 { 80 type(1), 81 group, 82 user, 83 B-TID, 84 a user (any number), 85 expiry(8), 86 nonce(8),
 *   87 invitation, 8E MAC(16) }
 *   MAC: HMAC-SHA-256 under a key from Ks_int_NAF over 80..87: made in a card, checked by the key server. */
#ifndef APDU_PUSH_H
#define APDU_PUSH_H

#include "apdu/tlv.h"

enum { TAG_PUSH = 0x7F51, TAG_VOUCHED = 0x7F52, PUSH_MAC_LEN = 16, VOUCHED_NONCE_LEN = 8 };
/* Octets of a whole message. One more: it is not made (ERR_NO_SPACE; 6A84 by VOUCH). */
enum { PUSH_MAX = 8192, VOUCHED_MAX = 8192 };

struct push {
	struct bytes rand, autn, naf_id, objects;
	uint64_t expires; /* seconds since 1970 */
	struct bytes maced, mac;
};
/* Append 80..84, which the MAC covers. */
void push_put_body(struct buf *, const struct push *);
/* Append the whole from body and MAC. */
void push_put(struct buf *, struct bytes body, const uint8_t mac[static PUSH_MAC_LEN]);
/* Exactly one, every element once and in order; views into in. */
MUST_USE enum status push_parse(struct bytes in, struct push *out);

enum vouched_type {
	VOUCHED_CREATE = 1, /* users: the white list; none: by invitation */
	VOUCHED_INVITATION, /* of one user */
	VOUCHED_JOIN,       /* invitation: as it came, or empty with a white list */
	VOUCHED_REMOVE      /* users */
};
struct vouched {
	enum vouched_type type;
	struct bytes group, user, btid;
	struct bytes users; /* TLVs 84, one after another; vouched_user takes them apart */
	uint64_t expires;   /* seconds since 1970 */
	struct bytes nonce, invitation;
	struct bytes maced, mac;
};
void vouched_put_body(struct buf *, const struct vouched *);
void vouched_put(struct buf *, struct bytes body, const uint8_t mac[static PUSH_MAC_LEN]);
MUST_USE enum status vouched_parse(struct bytes in, struct vouched *out);
/* Append one to users; the next of them, false at their end. */
void vouched_put_user(struct buf *users, struct bytes uri);
bool vouched_user(struct bytes *users, struct bytes *uri);

#endif
