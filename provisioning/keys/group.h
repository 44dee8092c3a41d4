/* SPDX-License-Identifier: Apache-2.0 */
/* group.h - the order of a group's keys, as their messages say it (protocols/mikey/keys/order.h). The database counts keys: 1,
 * 2, 3; between two of the network's numbers there is room for those of cards that manage the group. */
#ifndef PROVISIONING_KEYS_GROUP_H
#define PROVISIONING_KEYS_GROUP_H

#include "protocols/mikey/keys/order.h"
#include "provisioning/db/db.h"

/* The number of a group's nth key, and the floor of "nobody talks under those before the nth" (0: there is none). */
uint64_t group_number(uint64_t n);
uint64_t group_floor(uint64_t n);
/* What the message of the group's next key, the nth, says; it is decided hereby. kms: ours, to name those excluded; NULL:
 * nobody is named, for a group without a signer. */
MUST_USE enum status group_order(
        struct db *, const struct mikey_kms *, const char *group, uint64_t now, uint64_t *n, struct gmk_order *out);

#endif
