/* SPDX-License-Identifier: Apache-2.0 */
/* join.h - groups whose keys the network makes and pushes (seed S-3.2): a member's card vouches for what it asks (apdu/push.h),
 * and gets record and key in a message under a Ks of its own (GBA push, TS 33.223), which waits in the outbox. */
#ifndef PROVISIONING_KEYS_JOIN_H
#define PROVISIONING_KEYS_JOIN_H

#include "provisioning/gba/bsf.h"
#include "provisioning/operator.h"

/* Who may push to a card: sealed under its TrK. Here and below, waits: it also waits in the outbox. */
MUST_USE enum status join_naf(struct db *, uint64_t now, const char *iccid, const char *naf, bool waits, struct buf *out);
/* The key set of a user (uri) or (NULL) new transport keys in a push message. */
MUST_USE enum status join_push(
        struct db *, uint64_t now, const char *iccid, const char *naf, const char *uri, bool waits, struct buf *out);

/* What a card vouches for, on a connection under this B-TID. ERR_DENIED with a sentence. */
MUST_USE enum status join_request(
        struct db *, uint64_t now, const char *naf, const char *btid, struct bytes body, const char **why);
/* A new key for all members, pushed. *members: how many. */
MUST_USE enum status join_refresh(struct db *, uint64_t now, const char *group, uint64_t life, unsigned *members);

#endif
