/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/db/db_lost.h"

#include <stdio.h>

#include "provisioning/db/db_inside.h"

/* What follows is over a card, $1. */
#define OWN_IMSI "(SELECT imsi FROM card WHERE iccid=$1 AND duplicate_of='')"
#define ITS_USERS "(SELECT uri FROM users WHERE iccid=$1 UNION SELECT uri FROM kms_log WHERE iccid=$1)"

enum { TASK_IS_CANCELLED = 4 }; /* enum task_state */

static enum status count(struct db *db, const char *query, const char *iccid, uint64_t *n, uint64_t *more)
{
	struct sql_rows *r = sql_query(db->sql, query, "s", iccid);

	if (sql_row(r)) {
		*n = sql_int(r, 0);
		if (more != NULL)
			*more = sql_int(r, 1);
	}
	return sql_done(r);
}

/* A stage counts the card no more: it has neither done its part nor failed. */
static enum status cancel_tasks(struct db *db, const char *iccid, uint64_t now, const char *keep, uint64_t *tasks)
{
	char like[48], campaign[48];
	enum status st = OK;
	struct sql_rows *r;

	(void)snprintf(like, sizeof like, "%s%%", keep);
	r = sql_query(db->sql,
	        "UPDATE task SET state=$1, reason='the card is lost' WHERE iccid=$2 AND state=0 AND campaign NOT LIKE $3"
	        " RETURNING campaign, stage",
	        "iss", (uint64_t)TASK_IS_CANCELLED, iccid, like);
	for (*tasks = 0; st == OK && sql_row(r); ++*tasks) {
		sql_text(r, 0, campaign, sizeof campaign);
		st = sql_done(sql_query(db->sql, "UPDATE stage SET total=total-1 WHERE campaign=$1 AND stage=$2", "si",
		        campaign, sql_int(r, 1)));
		if (st == OK)
			st = db_lost_note(db, iccid, now * 1000, campaign, "withdrawn: the card is lost");
	}
	return sql_end(r, st);
}

enum status db_lost_drop(struct db *db, const char *iccid, uint64_t now, const char *keep, struct db_dropped *d)
{
	*d = (struct db_dropped){ 0 };
	TRY(count(
	        db, "SELECT COUNT(*), COALESCE(MAX(expires), 0) FROM gba WHERE imsi=" OWN_IMSI, iccid, &d->contexts, &d->last));
	TRY(count(db, "SELECT COUNT(*) FROM outbox WHERE iccid=$1 AND confirmed=0", iccid, &d->items, NULL));
	TRY(count(db, "SELECT COUNT(*) FROM enrol WHERE iccid=$1", iccid, &d->codes, NULL));
	TRY(sql_done(sql_query(db->sql, "DELETE FROM gba WHERE imsi=" OWN_IMSI, "s", iccid)));
	TRY(sql_done(sql_query(db->sql, "UPDATE users SET revoked=$1 WHERE iccid=$2 AND revoked=0", "is", now, iccid)));
	return cancel_tasks(db, iccid, now, keep, &d->tasks);
}

/* The first column of the first row. */
static enum status one_text(struct sql_rows *r, char *out, size_t n)
{
	enum status st = ERR_NOT_FOUND;

	if (sql_row(r)) {
		sql_text(r, 0, out, n);
		st = OK;
	}
	return sql_end(r, st);
}

enum status db_lost_pending(struct db *db, const char *iccid, char group[129])
{
	return one_text(
	        sql_query(db->sql,
	                "SELECT grp FROM expelled WHERE number=0 AND uri IN " ITS_USERS " AND grp>$2 ORDER BY grp LIMIT 1",
	                "ss", iccid, group),
	        group, 129);
}

enum status db_lost_users(struct db *db, const char *iccid, void (*each)(void *, const struct db_lost_user *), void *context)
{
	struct sql_rows *r = sql_query(db->sql,
	        "SELECT uri, MAX(period) FROM (SELECT uri, 0 AS period FROM users WHERE iccid=$1 UNION ALL SELECT uri, period"
	        " FROM kms_log WHERE iccid=$1) AS held GROUP BY uri ORDER BY uri",
	        "s", iccid);

	while (sql_row(r)) {
		struct db_lost_user u = { .period = sql_int(r, 1) };

		sql_text(r, 0, u.uri, sizeof u.uri);
		each(context, &u);
	}
	return sql_done(r);
}

enum status db_lost_before(struct db *db, const char *uri, const char *iccid, char lost[21])
{
	return one_text(sql_query(db->sql,
	                        "SELECT l.iccid FROM kms_log l JOIN card c ON c.iccid=l.iccid WHERE l.uri=$1 AND l.iccid<>$2"
	                        " AND c.revoked<>0 ORDER BY l.n DESC LIMIT 1",
	                        "ss", uri, iccid),
	        lost, 21);
}

enum status db_lost_duplicate(struct db *db, const char *imsi, char iccid[21])
{
	return one_text(sql_query(db->sql, "SELECT iccid FROM card WHERE imsi=$1 AND duplicate_of<>'' ORDER BY iccid LIMIT 1",
	                        "s", imsi),
	        iccid, 21);
}

enum status db_lost_groups(struct db *db, const char *iccid, void (*each)(void *, const struct db_lost_group *), void *context)
{
	struct sql_rows *r = sql_query(db->sql,
	        "SELECT grp, MIN(number), MAX(strict) FROM expelled WHERE uri IN " ITS_USERS " GROUP BY grp ORDER BY grp", "s",
	        iccid);

	while (sql_row(r)) {
		struct db_lost_group g = { .number = sql_int(r, 1), .strict = sql_int(r, 2) != 0 };

		sql_text(r, 0, g.group, sizeof g.group);
		each(context, &g);
	}
	return sql_done(r);
}

static enum status each_text(struct sql_rows *r, void (*each)(void *, const char *), void *context)
{
	char text[129];

	while (sql_row(r)) {
		sql_text(r, 0, text, sizeof text);
		each(context, text);
	}
	return sql_done(r);
}

enum status db_lost_signed(struct db *db, const char *manager, void (*each)(void *, const char *group), void *context)
{
	return each_text(sql_query(db->sql, "SELECT uri FROM grp WHERE manager=$1 ORDER BY uri", "s", manager), each, context);
}

enum status db_lost_without(
        struct db *db, const char *group, uint64_t number, void (*each)(void *, const char *uri), void *context)
{
	return each_text(
	        sql_query(db->sql,
	                "SELECT uri FROM member m WHERE grp=$1 AND NOT EXISTS (SELECT 1 FROM outbox o JOIN gmk k ON"
	                " k.grp=o.grp AND k.id=o.gmk WHERE o.grp=$1 AND o.uri=m.uri AND o.confirmed<>0 AND o.refused=0 AND"
	                " k.number>=$2) ORDER BY uri",
	                "si", group, number),
	        each, context);
}

enum status db_lost_waiting(
        struct db *db, const char *kms_uri, uint64_t number, void (*each)(void *, const char *iccid), void *context)
{
	return each_text(
	        sql_query(db->sql,
	                "SELECT DISTINCT iccid FROM outbox WHERE grp='' AND uri=$1 AND gmk=$2 AND confirmed=0 ORDER BY iccid",
	                "si", kms_uri, number),
	        each, context);
}

enum status db_lost_note(struct db *db, const char *iccid, uint64_t at, const char *campaign, const char *what)
{
	return sql_done(sql_query(db->sql, "INSERT INTO event VALUES($1,$2,$3,$4)", "siss", iccid, at, campaign, what));
}
