#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "provisioning/sql.h"

enum { BUSY_MS = 10000 };

struct lite {
	struct sql base; /* first */
	sqlite3 *db;
};

struct lite_rows {
	struct sql_rows base; /* first */
	sqlite3_stmt *statement;
	int rc; /* of the last step */
};

static struct lite *lite_of(struct sql *s)
{
	return (struct lite *)(void *)s;
}

static struct lite_rows *rows_of(const struct sql_rows *r)
{
	return (struct lite_rows *)(uintptr_t)r;
}

static enum status lite_exec(struct sql *s, const char *text)
{
	return sqlite3_exec(lite_of(s)->db, text, NULL, NULL, NULL) == SQLITE_OK ? OK : ERR_IO;
}

static enum status lite_begin(struct sql *s)
{
	return lite_exec(s, "BEGIN IMMEDIATE");
}

static void lite_close(struct sql *s)
{
	(void)sqlite3_close(lite_of(s)->db);
	free(s);
}

static struct sql *lite_open(const char *path, const char *present, const char *const *schema, char *reason, size_t n)
{
	struct lite *l = calloc(1, sizeof *l);

	if (l == NULL)
		return NULL;
	l->base.driver = &sql_sqlite;
	if (sqlite3_open_v2(path, &l->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) == SQLITE_OK &&
	        chmod(path, 0600) == 0 && sqlite3_busy_timeout(l->db, BUSY_MS) == SQLITE_OK &&
	        lite_exec(&l->base, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;") == OK &&
	        (lite_exec(&l->base, present) == OK || (lite_begin(&l->base) == OK && sql_exec_all(&l->base, schema) == OK &&
	                                                       lite_exec(&l->base, "COMMIT") == OK)))
		return &l->base;
	(void)snprintf(reason, n, "%s: %s", path, l->db != NULL ? sqlite3_errmsg(l->db) : "no memory");
	lite_close(&l->base);
	return NULL;
}

static bool bind(sqlite3_stmt *s, int at, const struct sql_parameter *p)
{
	switch (p->type) {
	case 's': return sqlite3_bind_text(s, at, (const char *)p->octets.p, (int)p->octets.n, SQLITE_TRANSIENT) == SQLITE_OK;
	case 'i': return sqlite3_bind_int64(s, at, (sqlite3_int64)p->number) == SQLITE_OK;
	default:
		return sqlite3_bind_blob(s, at, p->octets.n > 0 ? (const void *)p->octets.p : "", (int)p->octets.n,
		               SQLITE_TRANSIENT) == SQLITE_OK;
	}
}

static struct sql_rows *lite_query(struct sql *s, const char *text, const struct sql_parameter *p, size_t n)
{
	struct lite_rows *r = calloc(1, sizeof *r);

	if (r == NULL)
		return NULL;
	r->base.driver = &sql_sqlite;
	r->rc = sqlite3_prepare_v2(lite_of(s)->db, text, -1, &r->statement, NULL);
	for (size_t i = 0; r->rc == SQLITE_OK && i < n; i++)
		if (!bind(r->statement, (int)i + 1, &p[i]))
			r->rc = SQLITE_ERROR;
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
	int rc;

	while (lite_row(rows))
		;
	rc = r->rc;
	(void)sqlite3_finalize(r->statement);
	free(r);
	return rc == SQLITE_DONE ? OK : (rc & 0xFF) == SQLITE_CONSTRAINT ? ERR_DENIED : ERR_IO;
}

const struct sql_driver sql_sqlite = { lite_open, lite_close, lite_begin, lite_exec, lite_query, lite_row, lite_octets,
	lite_number, lite_done, "", "" };
