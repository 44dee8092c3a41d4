/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "apdu/base/disk_sqlite.h"
#include "provisioning/db/sql.h"

enum { BUSY_MS = 10000 };

struct lite {
	struct sql base; /* first */
	sqlite3 *db;
	int rc; /* of what failed last */
};

struct lite_rows {
	struct sql_rows base; /* first */
	struct lite *lite;
	sqlite3_stmt *statement;
	int rc; /* of the last step */
};

static struct lite *lite_of(struct sql *s)
{
	return (struct lite *)(void *)s;
}

static struct lite_rows *rows_of(const struct sql_rows *r)
{
	return (struct lite_rows *)r;
}

static enum status failed(struct lite *l, int rc)
{
	l->rc = rc;
	return disk_sqlite_status(l->db, rc);
}

static enum status lite_exec(struct sql *s, const char *text)
{
	int rc = sqlite3_exec(lite_of(s)->db, text, NULL, NULL, NULL);

	if (rc == SQLITE_OK || strcmp(text, "ROLLBACK") == 0) /* what failed before it is what is told */
		return rc == SQLITE_OK ? OK : ERR_IO;
	return failed(lite_of(s), rc);
}

static enum status lite_begin(struct sql *s)
{
	/* There was no memory for a ROLLBACK. */
	if (sqlite3_get_autocommit(lite_of(s)->db) == 0)
		TRY(lite_exec(s, "ROLLBACK"));
	return lite_exec(s, "BEGIN IMMEDIATE");
}

static void lite_close(struct sql *s)
{
	(void)sqlite3_close(lite_of(s)->db);
	free(s);
}

static void lite_error(struct sql *s, char *reason, size_t n)
{
	struct lite *l = lite_of(s);
	enum status st = disk_sqlite_status(l->db, l->rc);

	switch (st == ERR_IO || st == ERR_DISK_READ_ONLY ? l->rc & 0xFF : SQLITE_OK) {
	case SQLITE_OK: (void)snprintf(reason, n, "%s", status_text(st)); return;
	case SQLITE_BUSY:
		(void)snprintf(reason, n,
		        "another prose-net has it open: stop the servers first, or wait until its upgrade has ended");
		return;
	case SQLITE_CANTOPEN:
	case SQLITE_READONLY:
		(void)snprintf(
		        reason, n, "%s: it, its folder and the file system must be there, and writable", sqlite3_errstr(l->rc));
		return;
	default: (void)snprintf(reason, n, "%s", st != ERR_IO ? status_text(st) : sqlite3_errmsg(l->db));
	}
}

static void refuse(struct lite *l, const char *path, char *reason, size_t n)
{
	char why[200];

	lite_error(&l->base, why, sizeof why);
	(void)snprintf(reason, n, "%s: %s", path, why);
}

static enum status lite_begin_reading(struct sql *s)
{
	return s->driver->exec(s, "BEGIN");
}

static enum status lite_begin_alone(struct sql *s, bool strangers, char *reason, size_t n)
{
	enum status st = lite_exec(s, "BEGIN EXCLUSIVE");

	(void)strangers; /* the lock on the file, which this connection has had since it was opened, knows them all */
	if (st != OK)
		lite_error(s, reason, n);
	return st;
}

static bool lite_create(struct lite *l, const struct sql_schema *schema)
{
	enum status st;

	if (lite_exec(&l->base, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;") != OK)
		return false;
	if ((st = lite_exec(&l->base, schema->present)) == OK)
		return true;
	/* SQLITE_ERROR: there is no such table */
	return st == ERR_IO && (l->rc & 0xFF) == SQLITE_ERROR && lite_begin(&l->base) == OK &&
	       sql_exec_all(&l->base, schema->texts) == OK && lite_exec(&l->base, "COMMIT") == OK;
}

static bool lite_prepare(struct lite *l, enum sql_mode mode, const struct sql_schema *schema)
{
	(void)sqlite3_busy_timeout(l->db, mode == SQL_ALONE ? SQL_ALONE_MS : BUSY_MS);
	switch (mode) {
	case SQL_CREATE: return lite_create(l, schema);
	/* In this locking mode the first access takes the file as a whole, or finds that another connection has it open. */
	case SQL_ALONE:
		return lite_exec(&l->base,
		               "PRAGMA locking_mode=EXCLUSIVE; PRAGMA synchronous=FULL; BEGIN EXCLUSIVE; COMMIT;") == OK;
	default: return lite_exec(&l->base, "PRAGMA query_only=ON; PRAGMA foreign_keys=ON;") == OK;
	}
}

static struct sql *lite_open(const char *path, enum sql_mode mode, const struct sql_schema *schema, char *reason, size_t n)
{
	struct lite *l = calloc(1, sizeof *l);
	int flags = SQLITE_OPEN_READWRITE | (mode == SQL_CREATE ? SQLITE_OPEN_CREATE : 0);
	bool opened;

	if (l == NULL) {
		(void)snprintf(reason, n, "%s: %s", path, status_text(ERR_NO_MEMORY));
		return NULL;
	}
	l->base.driver = &sql_sqlite;
	l->rc = sqlite3_open_v2(path, &l->db, flags, NULL);
	opened = l->rc == SQLITE_OK;
	if (opened && mode == SQL_CREATE && chmod(path, 0600) != 0)
		(void)snprintf(reason, n, "%s: %s", path, disk_text(errno));
	else if (opened && lite_prepare(l, mode, schema))
		return &l->base;
	else
		refuse(l, path, reason, n);
	lite_close(&l->base);
	return NULL;
}

static int bind(sqlite3_stmt *s, int at, const struct sql_parameter *p)
{
	switch (p->type) {
	case 's': return sqlite3_bind_text(s, at, (const char *)p->octets.p, (int)p->octets.n, SQLITE_TRANSIENT);
	case 'i': return sqlite3_bind_int64(s, at, (sqlite3_int64)p->number);
	default:
		return sqlite3_bind_blob(
		        s, at, p->octets.n > 0 ? (const void *)p->octets.p : "", (int)p->octets.n, SQLITE_TRANSIENT);
	}
}

static struct sql_rows *lite_query(struct sql *s, const char *text, const struct sql_parameter *p, size_t n)
{
	struct lite_rows *r = calloc(1, sizeof *r);

	if (r == NULL)
		return NULL;
	r->base.driver = &sql_sqlite;
	r->lite = lite_of(s);
	r->rc = sqlite3_prepare_v2(lite_of(s)->db, text, -1, &r->statement, NULL);
	for (size_t i = 0; r->rc == SQLITE_OK && i < n; i++)
		r->rc = bind(r->statement, (int)i + 1, &p[i]);
	return &r->base;
}

static bool lite_row(struct sql_rows *rows)
{
	struct lite_rows *r = rows_of(rows);

	if (r->rc == SQLITE_OK || r->rc == SQLITE_ROW)
		r->rc = sqlite3_step(r->statement);
	return r->rc == SQLITE_ROW;
}

static struct bytes lite_octets(const struct sql_rows *rows, int column)
{
	sqlite3_stmt *s = rows_of(rows)->statement;

	return (struct bytes){ sqlite3_column_blob(s, column), (size_t)sqlite3_column_bytes(s, column) };
}

static uint64_t lite_number(const struct sql_rows *rows, int column)
{
	return (uint64_t)sqlite3_column_int64(rows_of(rows)->statement, column);
}

static enum status lite_done(struct sql_rows *rows)
{
	struct lite_rows *r = rows_of(rows);
	enum status st;

	while (lite_row(rows))
		;
	st = r->rc == SQLITE_DONE ? OK : failed(r->lite, r->rc);
	if ((r->rc & 0xFF) == SQLITE_CONSTRAINT)
		st = ERR_DENIED;
	(void)sqlite3_finalize(r->statement);
	free(r);
	return st;
}

static const char lite_problems[] = "SELECT integrity_check FROM pragma_integrity_check WHERE integrity_check<>'ok' UNION ALL"
                                    " SELECT 'a row of ' || \"table\" || ' names a row of ' || parent || ' that is not there'"
                                    " FROM pragma_foreign_key_check";

const struct sql_driver sql_sqlite = { lite_open, lite_close, lite_begin, lite_begin_reading, lite_begin_alone, lite_error,
	lite_exec, lite_query, lite_row, lite_octets, lite_number, lite_done, "", "", lite_problems };
