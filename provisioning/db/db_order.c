/* SPDX-License-Identifier: Apache-2.0 */
/* What orders events: the numbers of a group's keys, who was excluded with which of them, and the last time that was issued. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "provisioning/db/db_inside.h"

static enum status number_of(struct db *db, const char *query, const char *group, uint64_t *out)
{
	struct sql_rows *r = sql_query(db->sql, query, "s", group);
	enum status st = ERR_NOT_FOUND;

	if (sql_row(r)) {
		*out = sql_int(r, 0);
		st = OK;
	}
	return sql_end(r, st);
}

enum status db_group_issue(struct db *db, const char *group, uint64_t *count)
{
	return number_of(db, "UPDATE grp SET issued=issued+1 WHERE uri=$1 RETURNING issued", group, count);
}

enum status db_group_issued(struct db *db, const char *group, uint64_t *count)
{
	return number_of(db, "SELECT issued FROM grp WHERE uri=$1", group, count);
}

enum status db_group_floor(struct db *db, const char *group, uint64_t *floor)
{
	return number_of(db, "SELECT floor FROM grp WHERE uri=$1", group, floor);
}

enum status db_group_set_floor(struct db *db, const char *group, uint64_t floor)
{
	return sql_done(sql_query(db->sql, "UPDATE grp SET floor=$1 WHERE uri=$2", "is", floor, group));
}

enum status db_excluded_add(struct db *db, const char *group, const char *user, bool strict)
{
	return sql_done(sql_query(db->sql,
	        "INSERT INTO expelled(grp, uri, strict) VALUES($1,$2,$3) ON CONFLICT(grp, uri) DO UPDATE SET number=0,"
	        " strict=CASE WHEN expelled.strict=0 THEN excluded.strict ELSE expelled.strict END",
	        "ssi", group, user, (uint64_t)strict));
}

enum status db_excluded_drop(struct db *db, const char *group, const char *user)
{
	return sql_done(sql_query(db->sql, "DELETE FROM expelled WHERE grp=$1 AND uri=$2", "ss", group, user));
}

enum status db_excluded_by(struct db *db, const char *group, uint64_t number, size_t *count)
{
	struct sql_rows *r = sql_query(
	        db->sql, "UPDATE expelled SET number=$1 WHERE grp=$2 AND number=0 RETURNING uri", "is", number, group);

	for (*count = 0; sql_row(r);)
		(*count)++;
	return sql_done(r);
}

enum status db_excluded_forget(struct db *db, const char *group, uint64_t number)
{
	return sql_done(
	        sql_query(db->sql, "DELETE FROM expelled WHERE grp=$1 AND number<=$2 AND number<>0", "si", group, number));
}

enum status db_excluded_each(
        struct db *db, const char *group, enum status (*each)(void *, const char *user, bool strict), void *context)
{
	struct sql_rows *r = sql_query(db->sql, "SELECT uri, strict FROM expelled WHERE grp=$1 ORDER BY uri", "s", group);
	enum status st = OK;
	char user[129];

	while (st == OK && sql_row(r)) {
		sql_text(r, 0, user, sizeof user);
		st = each(context, user, sql_int(r, 1) != 0);
	}
	return sql_end(r, st);
}

enum status db_clock_last(struct db *db, uint64_t *last)
{
	struct sql_rows *r = sql_query(db->sql, "SELECT value FROM meta WHERE name='issued'", "");
	char text[24] = "";

	if (sql_row(r))
		sql_text(r, 0, text, sizeof text);
	*last = strtoull(text, NULL, 10);
	return sql_done(r);
}

enum status db_clock_set(struct db *db, uint64_t last)
{
	char text[24];
	struct bytes value;

	(void)snprintf(text, sizeof text, "%llu", (unsigned long long)last);
	value = bytes_str(text);
	return sql_done(sql_query(db->sql,
	        "INSERT INTO meta VALUES('issued', $1) ON CONFLICT(name) DO UPDATE SET value=excluded.value", "b", &value));
}

enum status db_clock_issue(struct db *db, uint64_t now)
{
	uint64_t last;

	TRY(db_clock_last(db, &last));
	if (now + CLOCK_TOLERANCE < last)
		return ERR_DENIED;
	return now >= last + CLOCK_STEP ? db_clock_set(db, now) : OK;
}

static const char *time_text(uint64_t at, char out[static 32])
{
	time_t t = (time_t)at;
	struct tm tm;

	(void)strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&t, &tm));
	return out;
}

void db_clock_sentence(struct db *db, uint64_t now, char out[static DB_SENTENCE_MAX])
{
	uint64_t last = 0;
	char clock[32], issued[32];

	(void)!db_clock_last(db, &last);
	(void)snprintf(out, DB_SENTENCE_MAX,
	        "this clock says %s, and keys were issued at %s: set the clock, or if that time was the wrong one, say so with"
	        " `prose-net db clock --accept`",
	        time_text(now, clock), time_text(last, issued));
}
