/* SPDX-License-Identifier: Apache-2.0 */
/* order.h - the ORDER part of a GMK's I_MESSAGE: which message of a group's signer this is, what it puts an end to, and who was
 * excluded. A general extension of a private type inside the signed part, in the container of TS 33.180 E.6 (AES-128-GCM under
 * a key of the GMK's). docs/prose-applet.md, "Order of group keys", has the layout; foreign readers skip it. */
#ifndef PROTOCOLS_MIKEY_KEYS_ORDER_H
#define PROTOCOLS_MIKEY_KEYS_ORDER_H

#include "apdu/base/limits.h"
#include "protocols/mikey/keys/identity.h"

/* Explicit numbers are below this; numbers of the network are multiples of ORDER_STEP, between them those of cards. */
#define ORDER_NUMBER_END (UINT64_C(1) << 62)
enum { ORDER_STEP = 65536, ORDER_PLAIN_MAX = 8 + 8 + 8 + 1 + 1 + 8 * GMK_REVOKED_MAX + 1 + MIKEY_UID_LEN * GMK_EXCLUDED_MAX };

struct gmk_order {
	uint64_t number; /* 0: the message has no ORDER part */
	uint64_t floor;  /* keys of this or a lower number are not talked under once this key is active */
	uint64_t at;     /* seconds since 1970: UIDs are those of the key period that holds this time */
	bool strict;     /* older keys are not listened to either, whatever the group's policy */
	size_t revoked_count, excluded_count;
	uint32_t revoked[GMK_REVOKED_MAX]; /* old GMK-IDs */
	uint8_t excluded[GMK_EXCLUDED_MAX][MIKEY_UID_LEN];
};

/* The octets inside the container. */
void order_put(struct buf *, const struct gmk_order *);
/* ERR_MALFORMED: a number that is none, a floor that is not below it, more than the limits. */
MUST_USE enum status order_parse(struct bytes, struct gmk_order *);

bool order_revokes(const struct gmk_order *, uint32_t gmk_id);
bool order_excludes(const struct gmk_order *, const uint8_t uid[static MIKEY_UID_LEN]);
/* One UID more; beyond the limit it says `strict` instead. */
void order_exclude(struct gmk_order *, const uint8_t uid[static MIKEY_UID_LEN]);
/* One GMK-ID more; beyond the limit the floor says it alone. */
void order_revoke(struct gmk_order *, uint32_t gmk_id);

#endif
