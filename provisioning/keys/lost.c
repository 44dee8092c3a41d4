/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/keys/lost.h"

#include "provisioning/keys/join.h"
#include "provisioning/keys/kms.h"
#include "provisioning/operator.h"

static enum status leave_groups(struct db *db, const char *iccid, bool strict)
{
	struct db_member in;
	size_t n;

	for (;;) { /* each exclusion makes the list shorter */
		TRY(db_card_members(db, iccid, &in, 1, &n));
		if (n == 0)
			return OK;
		TRY(db_invited_set(db, in.group, in.uri, false));
		TRY(group_exclude(db, in.group, in.uri, strict));
	}
}

enum status lost_shut_out(struct db *db, uint64_t now, const char *iccid, bool strict, const char *keep, struct lost *out)
{
	enum status st;

	*out = (struct lost){ .list_full = false };
	TRY(db_lost_drop(db, iccid, now, keep, &out->dropped));
	TRY(leave_groups(db, iccid, strict));
	TRY(db_card_revoke(db, iccid, now));
	st = revoked_publish(db, now, false, &out->list);
	out->list_full = st == ERR_NO_SPACE;
	return out->list_full ? OK : st;
}

enum status lost_rekey(struct db *db, uint64_t now, const char *group, uint64_t valid)
{
	struct db_joinable j;
	unsigned members;
	uint32_t id;
	enum status st = db_joinable_get(db, group, &j);

	if (st == OK) /* it has no signer: its members have the server's word */
		return join_refresh(db, now, group, valid, &members);
	return st == ERR_NOT_FOUND ? group_rekey(db, group, now, now, now + valid, NULL, NULL, &id) : st;
}

const char *lost_why_no_key(struct db *db, const char *group, enum status st)
{
	struct db_joinable j;
	KMS k = { 0 };

	if (db_joinable_get(db, group, &j) == OK)
		return st == ERR_NOT_FOUND || st == ERR_DENIED
		               ? "a member's card cannot be pushed to: it has never bootstrapped,"
		                 " or is lost (`group status`); `group remove` it"
		               : status_text(st);
	if (kms_load(db, &k) == ERR_NOT_FOUND)
		return "its manager's key is not here, as there is no KMS: whoever manages it has to make the next key";
	if (st == ERR_DENIED)
		return "a member is revoked: `group remove` that one, and run this again";
	return st == ERR_NOT_FOUND ? "a guest's KMS is not trusted any more: `kms trust`, or `group remove` the guest"
	                           : status_text(st);
}
