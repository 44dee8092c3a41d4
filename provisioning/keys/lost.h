/* SPDX-License-Identifier: Apache-2.0 */
/* lost.h - a lost card out of everything, in two steps: at once it gets nothing more (lost_shut_out), then each of its groups
 * gets a key without it. Both may be done again, and then do what is missing. */
#ifndef PROVISIONING_KEYS_LOST_H
#define PROVISIONING_KEYS_LOST_H

#include "provisioning/db/db_lost.h"
#include "provisioning/keys/revoked.h"

struct lost {
	struct db_dropped dropped;
	struct revoked_summary list;
	bool list_full; /* its key sets run on to the end of their period */
};
/* No vectors, bootstrapping or key sets; its users are revoked, on a new list, and out of their groups, whose next keys say so;
 * nothing waits for it. strict: a group's older keys are no longer listened to. `keep`: campaigns that go on. */
MUST_USE enum status lost_shut_out(
        struct db *, uint64_t now, const char *iccid, bool strict, const char *keep, struct lost *out);

/* A new key for a group, of whichever kind it is, that is good for so many seconds. */
MUST_USE enum status lost_rekey(struct db *, uint64_t now, const char *group, uint64_t valid);
/* Why that was not possible, in one sentence. */
const char *lost_why_no_key(struct db *, const char *group, enum status);

#endif
