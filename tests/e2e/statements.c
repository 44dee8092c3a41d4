/* SPDX-License-Identifier: Apache-2.0 */
/* More distinct statements than a connection to PostgreSQL keeps prepared: those used last are, no more than the limit are, and
 * all give the right answer. usage: statements URL */
#include <stdio.h>
#include <string.h>

#include "provisioning/db/sql.h"

enum { TEXT = 80 };
#define LISTING "SELECT statement FROM pg_prepared_statements"

static void fail(const char *what, int which)
{
	(void)printf("%s (%d)\n", what, which);
}

/* Statement number n, whose answer to 7 is n + 7. */
static const char *text_of(int n, char out[TEXT])
{
	(void)snprintf(out, TEXT, "SELECT $1::bigint+%d AS answer", n);
	return out;
}

static bool run(struct sql *s, int n)
{
	char text[TEXT];
	struct sql_rows *r = sql_query(s, text_of(n, text), "i", (uint64_t)7);
	bool right = sql_row(r) && sql_int(r, 0) == (uint64_t)n + 7;

	return sql_done(r) == OK && right;
}

/* Statements from..to-1, one after another. */
static bool sweep(struct sql *s, int from, int to)
{
	for (int n = from; n < to; n++)
		if (!run(s, n)) {
			fail("a wrong answer", n);
			return false;
		}
	return true;
}

/* Whether exactly those of ours that are in from..to-1 are prepared, and no more in all than the limit. */
static bool holds(struct sql *s, int from, int to)
{
	struct sql_rows *r = sql_query(s, LISTING, "");
	int all = 0, ours = 0, n;
	char text[TEXT], own[TEXT];

	for (; sql_row(r); all++) {
		sql_text(r, 0, text, sizeof text);
		for (n = from; n < to && strcmp(text, text_of(n, own)) != 0; n++)
			;
		ours += n < to ? 1 : 0;
	}
	if (sql_done(r) == OK && ours == to - from && all <= ours + 1 && all <= SQL_STATEMENTS_MAX)
		return true;
	(void)printf("%d are prepared, %d of them ours, not %d\n", all, ours, to - from);
	return false;
}

/* The connection itself has asked for its lock: one place is not ours, and LISTING has another. */
enum { OURS = SQL_STATEMENTS_MAX - 2, MORE = 3 * SQL_STATEMENTS_MAX };

/* At the limit all that came twice are prepared; beyond it, those used last. */
static bool limit(struct sql *s)
{
	return sweep(s, 0, OURS) && sweep(s, 0, OURS) && holds(s, 0, OURS) && sweep(s, OURS, MORE) && sweep(s, 0, MORE) &&
	       holds(s, MORE - SQL_STATEMENTS_MAX + 1, MORE);
}

/* What is used again and again stays, however many come by. */
static bool busy(struct sql *s)
{
	struct sql_rows *r;
	bool there;

	for (int n = 1000; n < 1000 + 2 * SQL_STATEMENTS_MAX; n++)
		if (!run(s, 5) || !run(s, n))
			return false;
	r = sql_query(s, "SELECT 1 FROM pg_prepared_statements WHERE statement=$1", "s", "SELECT $1::bigint+5 AS answer");
	there = sql_row(r);
	if (!there)
		fail("a busy statement has lost its place", 5);
	return sql_done(r) == OK && there;
}

/* In a transaction that has failed no place can be had; afterwards all goes on. */
static bool failed_transaction(struct sql *s)
{
	bool refused;

	if (sql_begin(s) != OK)
		return false;
	refused = sql_done(sql_query(s, "SELECT 1/0", "")) != OK && !run(s, 2000);
	if (!refused)
		fail("a failed transaction went on", 2000);
	return sql_rollback(s) == OK && refused && sweep(s, 2000, 2000 + SQL_STATEMENTS_MAX) &&
	       holds(s, 2001, 2000 + SQL_STATEMENTS_MAX);
}

int main(int argc, char **argv)
{
	char reason[200] = "";
	struct sql *s = argc == 2 ? sql_open_existing(argv[1], reason, sizeof reason) : NULL;
	bool ok = s != NULL && limit(s) && busy(s) && failed_transaction(s);

	if (s == NULL)
		(void)printf("statements: %s\n", reason);
	sql_close(&s);
	return ok ? 0 : 1;
}
