/* SPDX-License-Identifier: Apache-2.0 */
/* sql.h - the little SQL that the operator's side needs, on SQLite (a file) or PostgreSQL (a URL). The text of a statement is
 * the same for both: parameters are $1, $2 ... in order, types BIGINT, TEXT and BYTEA, ON CONFLICT instead of REPLACE. */
#ifndef PROVISIONING_DB_SQL_H
#define PROVISIONING_DB_SQL_H

#include "apdu/base/bytes.h"

struct sql;
struct sql_rows;

/* postgresql:// or postgres:// */
bool sql_is_url(const char *where);
/* Open a database file (made if it is missing, mode 0600) or connect. Unless the query `present` succeeds, the schema's
 * statements (texts, the last one NULL) are run, alone; a database that is in use is not disturbed. `current` succeeds with a
 * row as long as the schema is the one that was opened. NULL on failure, with a sentence in reason.
 *
 * Whoever has a database open is counted: in SQLite by the lock on the file that a connection to a WAL database holds, in
 * PostgreSQL by an advisory lock that the session shares. */
struct sql_schema {
	const char *present, *current, *const *texts;
};
struct sql *sql_open(const char *where, const struct sql_schema *, char *reason, size_t n);
/* An existing database, with no other connection as long as this one is open; waits two seconds for short ones to end. */
struct sql *sql_open_alone(const char *where, char *reason, size_t n);
/* An existing database, to look at. */
struct sql *sql_open_existing(const char *where, char *reason, size_t n);
void sql_close(struct sql **);

/* begin takes up a lost connection again. ERR_DENIED: the schema is not `current` any more. SQLite: one writer at a time,
 * others wait for up to ten seconds. */
MUST_USE enum status sql_begin(struct sql *);
/* The same to read alone: it waits for no writer. */
MUST_USE enum status sql_begin_reading(struct sql *);
/* After sql_open_alone. strangers: count connections of programs that do not share the lock, too (those of schema 8 and before
 * in PostgreSQL), and keep them out until the end of the transaction. ERR_DENIED, with a sentence: there are some. */
MUST_USE enum status sql_begin_alone(struct sql *, bool strangers, char *reason, size_t n);
/* What went wrong last, in the database's own words, one line. */
void sql_error(struct sql *, char *reason, size_t n);
/* A query whose rows each say what is broken in the database's own structure. */
const char *sql_problems(const struct sql *);
MUST_USE enum status sql_commit(struct sql *);
MUST_USE enum status sql_rollback(struct sql *);

/* types, one letter a parameter: 's' const char *, 'i' uint64_t, 'b' const struct bytes *. What went wrong is sql_done's to
 * tell; a result is never NULL-checked by callers: sql_row and sql_done take NULL. */
struct sql_rows *sql_query(struct sql *, const char *text, const char *types, ...);
/* The next row; its columns are valid until the next call. */
MUST_USE bool sql_row(struct sql_rows *);
void sql_text(const struct sql_rows *, int column, char *out, size_t n);
uint64_t sql_int(const struct sql_rows *, int column);
struct bytes sql_blob(const struct sql_rows *, int column);
/* Run to the end and free. ERR_DENIED: a constraint (what is there already, or missing); ERR_NO_MEMORY, ERR_DISK_...; ERR_IO:
 * anything else. */
enum status sql_done(struct sql_rows *);
/* The same of a result that was read, for whoever has found st in it: st, unless it could not be read to the end. */
MUST_USE enum status sql_end(struct sql_rows *, enum status st);

/* What ends a SELECT whose rows are to be changed, so that other servers wait for them, or pass them over. SQLite has one
 * writer at a time and needs neither. */
const char *sql_for_update(const struct sql *);
const char *sql_skip_locked(const struct sql *);

/* What the two databases implement. */
enum { SQL_PARAMETERS_MAX = 12 };
/* Statements that a connection to PostgreSQL keeps prepared. With one more, the one that has not been used for longest is
 * deallocated. (SQLite's are compiled in this process, for each query.) */
enum { SQL_STATEMENTS_MAX = 64 };
struct sql_parameter {
	char type;
	uint64_t number;
	struct bytes octets; /* of texts, too; they end with a zero that is not counted */
};
enum sql_mode { SQL_CREATE, SQL_EXISTING, SQL_ALONE };
enum { SQL_ALONE_MS = 2000 }; /* patience with others that have it open */
struct sql_driver {
	/* schema: NULL unless the mode is SQL_CREATE */
	struct sql *(*open)(const char *where, enum sql_mode, const struct sql_schema *, char *reason, size_t n);
	void (*close)(struct sql *);
	enum status (*begin)(struct sql *);
	enum status (*begin_reading)(struct sql *);
	enum status (*begin_alone)(struct sql *, bool strangers, char *reason, size_t n);
	void (*error)(struct sql *, char *reason, size_t n);
	enum status (*exec)(struct sql *, const char *text);
	struct sql_rows *(*query)(struct sql *, const char *text, const struct sql_parameter *, size_t n);
	bool (*row)(struct sql_rows *);
	struct bytes (*octets)(const struct sql_rows *, int column);
	uint64_t (*number)(const struct sql_rows *, int column);
	enum status (*done)(struct sql_rows *);
	const char *for_update, *skip_locked, *problems;
};
struct sql {
	const struct sql_driver *driver;
};
struct sql_rows {
	const struct sql_driver *driver;
};
/* Each text in turn, for open. */
MUST_USE enum status sql_exec_all(struct sql *, const char *const *texts);
extern const struct sql_driver sql_sqlite, sql_postgres;

#endif
