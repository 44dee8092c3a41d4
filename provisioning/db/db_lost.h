/* SPDX-License-Identifier: Apache-2.0 */
/* db_lost.h - what a lost card and its users have, and what is left of it. A card's users are those that it has now, and those
 * whose key sets it got. */
#ifndef PROVISIONING_DB_DB_LOST_H
#define PROVISIONING_DB_DB_LOST_H

#include "provisioning/db/db.h"

/* Beside db_card_revoke: its users are revoked, its IMSI's bootstrapping contexts go, and its tasks in campaigns, but for those
 * of campaigns whose names begin with `keep`. To be called before it: a duplicate's contexts are another card's. */
struct db_dropped {
	uint64_t contexts, last; /* last: until when the last of them was good */
	uint64_t items, codes, tasks;
};
MUST_USE enum status db_lost_drop(struct db *, const char *iccid, uint64_t now, const char *keep, struct db_dropped *);

/* The next group, in order of URI, that a user of the card is out of though no key says so. ERR_NOT_FOUND: none. */
MUST_USE enum status db_lost_pending(struct db *, const char *iccid, char group[129]);

struct db_lost_user {
	char uri[129];
	uint64_t period; /* number of the last key period of its key sets on the card; 0: none */
};
MUST_USE enum status db_lost_users(struct db *, const char *iccid, void (*each)(void *, const struct db_lost_user *), void *);
/* Another card, lost, that had the user before this one. ERR_NOT_FOUND: none. */
MUST_USE enum status db_lost_before(struct db *, const char *uri, const char *iccid, char lost[21]);
/* The first card, of those that are not the IMSI's, with this IMSI. ERR_NOT_FOUND: none. */
MUST_USE enum status db_lost_duplicate(struct db *, const char *imsi, char iccid[21]);

/* Groups that users of the card are out of, while an older key is not over. number: of the key that says so first; 0: none
 * does yet. */
struct db_lost_group {
	char group[129];
	uint64_t number;
	bool strict;
};
MUST_USE enum status db_lost_groups(struct db *, const char *iccid, void (*each)(void *, const struct db_lost_group *), void *);
/* Groups whose keys this URI signs. */
MUST_USE enum status db_lost_signed(struct db *, const char *manager, void (*each)(void *, const char *group), void *);
/* Members who have not confirmed a group's key of this number or a later one. */
MUST_USE enum status db_lost_without(
        struct db *, const char *group, uint64_t number, void (*each)(void *, const char *uri), void *);
/* Cards for which this list of the revoked waits. */
MUST_USE enum status db_lost_waiting(
        struct db *, const char *kms_uri, uint64_t number, void (*each)(void *, const char *iccid), void *);

/* A line of the card's history (`card why`); at in milliseconds. */
MUST_USE enum status db_lost_note(struct db *, const char *iccid, uint64_t at, const char *campaign, const char *what);

#endif
