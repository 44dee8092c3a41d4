#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "provisioning/sql.h"

/* "PROSE" as a number: servers that start together make the schema one after the other. */
#define SCHEMA_LOCK "SELECT pg_advisory_xact_lock(344958325573)"
enum { NUMBER_TEXT = 24, STATEMENTS_MAX = 64, STATEMENT_NAME = 8 };

struct postgres {
	struct sql base; /* first */
	PGconn *connection;
	/* Statements by their text: planning one takes longer than running it, so that what comes a second time is prepared. */
	struct {
		char *text;
		bool prepared;
	} statement[STATEMENTS_MAX];
	size_t statements;
};

struct postgres_rows {
	struct sql_rows base; /* first */
	PGresult *result;
	int at; /* row; -1 before the first */
};

static struct postgres *postgres_of(struct sql *s)
{
	return (struct postgres *)(void *)s;
}

static PGconn *connection_of(struct sql *s)
{
	return postgres_of(s)->connection;
}

static void forget_statements(struct postgres *p)
{
	for (size_t i = 0; i < p->statements; i++)
		free(p->statement[i].text);
	p->statements = 0;
}

/* True: the statement of this name has this text. */
static bool prepared(struct postgres *p, const char *text, int parameters, char name[STATEMENT_NAME])
{
	size_t i = 0;
	PGresult *r;

	while (i < p->statements && strcmp(p->statement[i].text, text) != 0)
		i++;
	if (i == STATEMENTS_MAX)
		return false;
	if (i == p->statements) {
		if ((p->statement[i].text = strdup(text)) == NULL)
			return false;
		p->statement[i].prepared = false;
		p->statements++;
		return false;
	}
	(void)snprintf(name, STATEMENT_NAME, "q%zu", i);
	if (p->statement[i].prepared)
		return true;
	r = PQprepare(p->connection, name, text, parameters, NULL);
	p->statement[i].prepared = PQresultStatus(r) == PGRES_COMMAND_OK;
	PQclear(r);
	return p->statement[i].prepared;
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
	forget_statements(postgres_of(s));
	PQreset(connection_of(s));
	return postgres_exec(s, "BEGIN");
}

static void postgres_close(struct sql *s)
{
	PQfinish(connection_of(s));
	forget_statements(postgres_of(s));
	free(s);
}

static struct sql *postgres_open(const char *url, const char *present, const char *const *schema, char *reason, size_t n)
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
	                        sql_exec_all(&p->base, schema) == OK && postgres_exec(&p->base, "COMMIT") == OK)))
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
	char name[STATEMENT_NAME];

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
	r->result = prepared(postgres_of(s), text, (int)n, name)
	                    ? PQexecPrepared(connection_of(s), name, (int)n, values, lengths, formats, 1)
	                    : PQexecParams(connection_of(s), text, (int)n, NULL, values, lengths, formats, 1);
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
