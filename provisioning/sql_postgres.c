#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "provisioning/sql.h"

/* "PROSE" as a number: servers that start together make the schema one after the other. */
#define SCHEMA_LOCK "SELECT pg_advisory_xact_lock(344958325573)"
enum { NUMBER_TEXT = 24 };

struct postgres {
	struct sql base; /* first */
	PGconn *connection;
};

struct postgres_rows {
	struct sql_rows base; /* first */
	PGresult *result;
	int at; /* row; -1 before the first */
};

static PGconn *connection_of(struct sql *s)
{
	return ((struct postgres *)(void *)s)->connection;
}

static struct postgres_rows *rows_of(const struct sql_rows *r)
{
	return (struct postgres_rows *)(uintptr_t)r;
}

static void no_notice(void *context, const PGresult *result)
{
	(void)context;
	(void)result;
}

static enum status postgres_exec(struct sql *s, const char *text)
{
	PGresult *r = PQexec(connection_of(s), text);
	ExecStatusType st = PQresultStatus(r);

	PQclear(r);
	return st == PGRES_COMMAND_OK || st == PGRES_TUPLES_OK ? OK : ERR_IO;
}

/* A server that was restarted is found again here, where nothing is under way yet. */
static enum status postgres_begin(struct sql *s)
{
	if (PQstatus(connection_of(s)) == CONNECTION_OK && postgres_exec(s, "BEGIN") == OK)
		return OK;
	if (PQstatus(connection_of(s)) == CONNECTION_OK)
		return ERR_IO;
	PQreset(connection_of(s));
	return postgres_exec(s, "BEGIN");
}

static void postgres_close(struct sql *s)
{
	PQfinish(connection_of(s));
	free(s);
}

static struct sql *postgres_open(const char *url, const char *present, const char *schema, char *reason, size_t n)
{
	struct postgres *p = calloc(1, sizeof *p);
	const char *why;

	if (p == NULL)
		return NULL;
	p->base.driver = &sql_postgres;
	p->connection = PQconnectdb(url);
	(void)PQsetNoticeReceiver(p->connection, no_notice, NULL);
	if (PQstatus(p->connection) == CONNECTION_OK &&
	        (postgres_exec(&p->base, present) == OK ||
	                (postgres_exec(&p->base, "BEGIN") == OK && postgres_exec(&p->base, SCHEMA_LOCK) == OK &&
	                        postgres_exec(&p->base, schema) == OK && postgres_exec(&p->base, "COMMIT") == OK)))
		return &p->base;
	why = PQerrorMessage(p->connection); /* without the password, as libpq promises */
	(void)snprintf(reason, n, "PostgreSQL: %.*s", (int)strcspn(why, "\n"), why);
	postgres_close(&p->base);
	return NULL;
}

/* Numbers travel as text and are inferred from their column; octets in binary. */
static struct sql_rows *postgres_query(struct sql *s, const char *text, const struct sql_parameter *p, size_t n)
{
	struct postgres_rows *r = calloc(1, sizeof *r);
	char numbers[SQL_PARAMETERS_MAX][NUMBER_TEXT];
	const char *values[SQL_PARAMETERS_MAX];
	int lengths[SQL_PARAMETERS_MAX], formats[SQL_PARAMETERS_MAX];

	if (r == NULL)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		(void)snprintf(numbers[i], NUMBER_TEXT, "%lld", (long long)p[i].number);
		values[i] = p[i].type == 'i' ? numbers[i] : p[i].octets.n > 0 ? (const char *)p[i].octets.p : "";
		lengths[i] = (int)p[i].octets.n;
		formats[i] = p[i].type == 'b' ? 1 : 0;
	}
	r->base.driver = &sql_postgres;
	r->at = -1;
	r->result = PQexecParams(connection_of(s), text, (int)n, NULL, values, lengths, formats, 1);
	return &r->base;
}

static bool postgres_row(struct sql_rows *rows)
{
	struct postgres_rows *r = rows_of(rows);

	if (r->at < PQntuples(r->result))
		r->at++;
	return r->at < PQntuples(r->result);
}

static struct bytes postgres_octets(const struct sql_rows *rows, int column)
{
	const struct postgres_rows *r = rows_of(rows);

	return (struct bytes){ (const uint8_t *)PQgetvalue(r->result, r->at, column),
		(size_t)PQgetlength(r->result, r->at, column) };
}

/* Binary integers are big-endian, of 2, 4 or 8 octets. */
static uint64_t postgres_number(const struct sql_rows *rows, int column)
{
	return bytes_uint(postgres_octets(rows, column));
}

static enum status postgres_done(struct sql_rows *rows)
{
	struct postgres_rows *r = rows_of(rows);
	ExecStatusType st = PQresultStatus(r->result);
	const char *state = PQresultErrorField(r->result, PG_DIAG_SQLSTATE);
	enum status result = st == PGRES_COMMAND_OK || st == PGRES_TUPLES_OK ? OK
	                     : state != NULL && strncmp(state, "23", 2) == 0 ? ERR_DENIED /* integrity constraint */
	                                                                     : ERR_IO;

	PQclear(r->result);
	free(r);
	return result;
}

const struct sql_driver sql_postgres = { postgres_open, postgres_close, postgres_begin, postgres_exec, postgres_query,
	postgres_row, postgres_octets, postgres_number, postgres_done, " FOR NO KEY UPDATE", " FOR NO KEY UPDATE SKIP LOCKED" };
