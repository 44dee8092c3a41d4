/* SPDX-License-Identifier: Apache-2.0 */
/* revoked.h - lists of the revoked (seed R-046): which UIDs of a KMS's cards must not hear any more, though their key sets run
 * on to the end of the period. A list has a number that only grows, and is whole: the newest one is all that a card needs. The
 * UID of a user in a period is one, whatever card holds it: who gets a new card in the same period is off the list. */
#ifndef PROVISIONING_KEYS_REVOKED_H
#define PROVISIONING_KEYS_REVOKED_H

#include "apdu/prose.h"
#include "provisioning/operator.h"

/* REVOKED_LIST_MAX: its octets, REVOKED_ TLVs. */
enum { REVOKED_LIST_MAX = REVOKED_MAX * REVOKED_UID_LEN + 200 };
struct revoked_summary {
	uint64_t number; /* 0: nobody was ever revoked */
	size_t uids, cards;
};

/* Our KMS's list as it has to be now, with a new number if it is not what it was. ERR_NO_SPACE: more than REVOKED_MAX. */
MUST_USE enum status revoked_refresh(struct db *, uint64_t now, struct revoked_summary *, struct buf *list);
/* The same, and if `always` or it has changed, into every card's outbox. Without a KMS: nothing. */
MUST_USE enum status revoked_publish(struct db *, uint64_t now, bool always, struct revoked_summary *);
/* Append our list and other agencies', sealed to a card. */
MUST_USE enum status revoked_seal(struct db *, const char *iccid, struct buf *out);
/* Another agency's list, into every card's outbox. ERR_NOT_FOUND: of a KMS that we do not trust; ERR_DENIED: not newer;
 * ERR_MALFORMED. */
MUST_USE enum status revoked_import(struct db *, uint64_t now, struct bytes list, struct revoked_summary *);

#endif
