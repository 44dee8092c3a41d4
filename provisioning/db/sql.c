/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/db/sql.h"

#include <stdarg.h>
#include <string.h>

bool sql_is_url(const char *where)
{
	return strncmp(where, "postgresql://", 13) == 0 || strncmp(where, "postgres://", 11) == 0;
}

static struct sql *open_as(const char *where, enum sql_mode mode, const struct sql_schema *schema, char *reason, size_t n)
{
	return (sql_is_url(where) ? &sql_postgres : &sql_sqlite)->open(where, mode, schema, reason, n);
}

struct sql *sql_open(const char *where, const struct sql_schema *schema, char *reason, size_t n)
{
	return open_as(where, SQL_CREATE, schema, reason, n);
}

struct sql *sql_open_alone(const char *where, char *reason, size_t n)
{
	return open_as(where, SQL_ALONE, NULL, reason, n);
}

struct sql *sql_open_existing(const char *where, char *reason, size_t n)
{
	return open_as(where, SQL_EXISTING, NULL, reason, n);
}

enum status sql_exec_all(struct sql *s, const char *const *texts)
{
	for (; *texts != NULL; texts++)
		TRY(s->driver->exec(s, *texts));
	return OK;
}

void sql_close(struct sql **s)
{
	if (*s != NULL)
		(*s)->driver->close(*s);
	*s = NULL;
}

enum status sql_begin(struct sql *s)
{
	return s->driver->begin(s);
}

enum status sql_begin_reading(struct sql *s)
{
	return s->driver->begin_reading(s);
}

enum status sql_begin_alone(struct sql *s, bool strangers, char *reason, size_t n)
{
	return s->driver->begin_alone(s, strangers, reason, n);
}

void sql_error(struct sql *s, char *reason, size_t n)
{
	s->driver->error(s, reason, n);
}

const char *sql_problems(const struct sql *s)
{
	return s->driver->problems;
}

enum status sql_commit(struct sql *s)
{
	enum status st = s->driver->exec(s, "COMMIT");

	if (st != OK) /* not half open, so that the next one can begin */
		(void)!s->driver->exec(s, "ROLLBACK");
	return st;
}

enum status sql_rollback(struct sql *s)
{
	return s->driver->exec(s, "ROLLBACK");
}

const char *sql_for_update(const struct sql *s)
{
	return s->driver->for_update;
}

const char *sql_skip_locked(const struct sql *s)
{
	return s->driver->skip_locked;
}

struct sql_rows *sql_query(struct sql *s, const char *text, const char *types, ...)
{
	struct sql_parameter p[SQL_PARAMETERS_MAX] = { 0 };
	size_t n = strlen(types);
	va_list args;

	if (n > SQL_PARAMETERS_MAX)
		return NULL;
	va_start(args, types);
	for (size_t i = 0; i < n; i++) {
		p[i].type = types[i];
		if (types[i] == 's')
			p[i].octets = bytes_str(va_arg(args, const char *));
		else if (types[i] == 'i')
			p[i].number = va_arg(args, uint64_t);
		else
			p[i].octets = *va_arg(args, const struct bytes *);
	}
	va_end(args);
	return s->driver->query(s, text, p, n);
}

bool sql_row(struct sql_rows *r)
{
	return r != NULL && r->driver->row(r);
}

struct bytes sql_blob(const struct sql_rows *r, int column)
{
	return r->driver->octets(r, column);
}

uint64_t sql_int(const struct sql_rows *r, int column)
{
	return r->driver->number(r, column);
}

void sql_text(const struct sql_rows *r, int column, char *out, size_t n)
{
	struct bytes b = sql_blob(r, column);

	if (b.n >= n)
		b.n = n - 1;
	if (b.n > 0)
		memcpy(out, b.p, b.n);
	out[b.n] = 0;
}

enum status sql_done(struct sql_rows *r)
{
	return r != NULL ? r->driver->done(r) : ERR_NO_MEMORY;
}

enum status sql_end(struct sql_rows *r, enum status st)
{
	enum status done = sql_done(r);

	return done == OK ? st : status_failed(done) ? done : ERR_IO;
}
