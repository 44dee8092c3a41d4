/* SPDX-License-Identifier: Apache-2.0 */
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "provisioning/db/sql.h"

/* "PROSE" as a number: servers that start together make the schema one after the other. */
#define SCHEMA_LOCK "SELECT pg_advisory_xact_lock(344958325573)"
/* "PROSF": who has the database open shares it; an upgrade has it alone. */
#define OPEN_LOCK "344958325574"
enum { DOZE_MS = 100, NUMBER_TEXT = 24, STATEMENT_NAME = 24 };

struct postgres {
	struct sql base; /* first */
	PGconn *connection;
	const char *current;
	bool alone; /* nobody else has it open */
	bool lost;  /* the session, and it was not taken up again yet */
	/* Statements by their text: planning one takes longer than running it, so that what comes a second time is prepared. */
	struct statement {
		char *text;
		bool prepared;
		uint64_t used; /* order of use */
	} statement[SQL_STATEMENTS_MAX];
	size_t statements;
	uint64_t uses;
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
	memset(p->statement, 0, sizeof p->statement);
	p->statements = 0;
}

static enum status postgres_exec(struct sql *s, const char *text)
{
	PGresult *r = PQexec(connection_of(s), text);
	ExecStatusType st = PQresultStatus(r);

	PQclear(r);
	return st == PGRES_COMMAND_OK || st == PGRES_TUPLES_OK ? OK : ERR_IO;
}

static struct statement *find_statement(struct postgres *p, const char *text)
{
	for (size_t i = 0; i < p->statements; i++)
		if (strcmp(p->statement[i].text, text) == 0)
			return &p->statement[i];
	return NULL;
}

static void name_statement(const struct postgres *p, const struct statement *s, char name[STATEMENT_NAME])
{
	(void)snprintf(name, STATEMENT_NAME, "q%zu", (size_t)(s - p->statement));
}

/* False in a transaction that has failed: the statement stays. */
static bool deallocate(struct postgres *p, struct statement *s)
{
	char name[STATEMENT_NAME], text[sizeof "DEALLOCATE " + STATEMENT_NAME];

	if (!s->prepared)
		return true;
	name_statement(p, s, name);
	(void)snprintf(text, sizeof text, "DEALLOCATE %s", name);
	s->prepared = postgres_exec(&p->base, text) != OK;
	return !s->prepared;
}

/* The place of the statement that has not been used for longest, emptied. NULL: it cannot be. */
static struct statement *take_place(struct postgres *p)
{
	struct statement *oldest = &p->statement[0];

	for (size_t i = 1; i < p->statements; i++)
		if (p->statement[i].used < oldest->used)
			oldest = &p->statement[i];
	return deallocate(p, oldest) ? oldest : NULL;
}

/* A text that has no place yet gets one. NULL: none. */
static struct statement *add_statement(struct postgres *p, const char *text)
{
	const bool full = p->statements == SQL_STATEMENTS_MAX;
	struct statement *s = full ? take_place(p) : &p->statement[p->statements];
	char *copy = s != NULL ? strdup(text) : NULL;

	if (copy == NULL)
		return NULL;
	if (!full)
		p->statements++;
	free(s->text);
	*s = (struct statement){ .text = copy };
	return s;
}

/* True: the statement of this name has this text. Who has more texts than places runs for long: there all are prepared at once,
 * for a text may have lost its place when it comes again. */
static bool prepared(struct postgres *p, const char *text, int parameters, char name[STATEMENT_NAME])
{
	const bool full = p->statements == SQL_STATEMENTS_MAX;
	struct statement *s = find_statement(p, text);
	const bool known = s != NULL;
	PGresult *r;

	if (!known && (s = add_statement(p, text)) == NULL)
		return false;
	s->used = ++p->uses;
	if (!known && !full)
		return false;
	name_statement(p, s, name);
	if (s->prepared)
		return true;
	r = PQprepare(p->connection, name, text, parameters, NULL);
	s->prepared = PQresultStatus(r) == PGRES_COMMAND_OK;
	PQclear(r);
	return s->prepared;
}

static struct postgres_rows *rows_of(const struct sql_rows *r)
{
	return (struct postgres_rows *)r;
}

static void no_notice(void *context, const PGresult *result)
{
	(void)context;
	(void)result;
}

static struct sql_rows *postgres_query(struct sql *, const char *text, const struct sql_parameter *, size_t n);

/* The first column of the first row; 0 if there is none. */
static uint64_t number_of(struct sql *s, const char *text)
{
	struct sql_rows *r = postgres_query(s, text, NULL, 0);
	uint64_t value = sql_row(r) ? sql_int(r, 0) : 0;

	return sql_done(r) == OK ? value : 0;
}

static bool share(struct sql *s)
{
	return number_of(s, "SELECT pg_try_advisory_lock_shared(" OPEN_LOCK ")::int") == 1;
}

/* A new session where nothing is under way yet; what the last one had prepared and locked is gone. An upgrade may be at work,
 * or over. */
static enum status take_up_again(struct postgres *p)
{
	forget_statements(p);
	PQreset(p->connection);
	if (PQstatus(p->connection) != CONNECTION_OK || p->alone)
		return ERR_IO;
	if (!share(&p->base)) {
		PQreset(p->connection);
		return ERR_IO;
	}
	return number_of(&p->base, p->current) == 1 ? OK : ERR_DENIED;
}

/* A server that was restarted is found again here. */
static enum status postgres_begin(struct sql *s)
{
	struct postgres *p = postgres_of(s);

	if (!p->lost && PQstatus(p->connection) == CONNECTION_OK && postgres_exec(s, "BEGIN") == OK)
		return OK;
	if (!p->lost && PQstatus(p->connection) == CONNECTION_OK)
		return ERR_IO;
	p->lost = true;
	TRY(take_up_again(p));
	p->lost = false;
	return postgres_exec(s, "BEGIN");
}

static void postgres_error(struct sql *s, char *reason, size_t n)
{
	const char *why = PQerrorMessage(connection_of(s)); /* without the password, as libpq promises */

	(void)snprintf(reason, n, "PostgreSQL: %.*s", (int)strcspn(why, "\n"), why);
}

/* Those of the lock; strangers: sessions of any program. */
#define SHARERS                                                                                                                \
	"SELECT count(*) FROM pg_locks WHERE locktype='advisory' AND granted AND pid<>pg_backend_pid() AND objsubid=1"         \
	" AND database=(SELECT oid FROM pg_database WHERE datname=current_database())"                                         \
	" AND (classid::bigint<<32)+objid::bigint=" OPEN_LOCK
#define STRANGERS                                                                                                              \
	"SELECT count(*) FROM pg_stat_activity WHERE datname=current_database() AND pid<>pg_backend_pid()"                     \
	" AND coalesce(backend_type, 'client backend')='client backend' AND usesysid IS NOT NULL"

/* How many others have it open; 0: from now on it is ours. */
static uint64_t others(struct postgres *p)
{
	if (!p->alone)
		p->alone = number_of(&p->base, "SELECT pg_try_advisory_lock(" OPEN_LOCK ")::int") == 1;
	if (p->alone)
		return 0;
	return number_of(&p->base, SHARERS);
}

static void doze(void)
{
	const struct timespec t = { .tv_nsec = DOZE_MS * 1000000L };

	(void)nanosleep(&t, NULL);
}

/* The lock on meta keeps those out who look at the schema's number before they do anything, as programs of all versions do. */
static enum status shut_out(struct postgres *p, uint64_t *strangers)
{
	TRY(postgres_exec(&p->base, "BEGIN"));
	TRY(postgres_exec(&p->base, "SET LOCAL lock_timeout='1s'"));
	if (postgres_exec(&p->base, "LOCK TABLE meta IN ACCESS EXCLUSIVE MODE") == OK)
		*strangers = number_of(&p->base, STRANGERS);
	else
		*strangers = 1;
	return *strangers == 0 ? postgres_exec(&p->base, "SET LOCAL lock_timeout=0") : postgres_exec(&p->base, "ROLLBACK");
}

static enum status postgres_begin_alone(struct sql *s, bool strangers, char *reason, size_t n)
{
	struct postgres *p = postgres_of(s);
	uint64_t count = 0;
	enum status st = OK;

	if (!strangers)
		return postgres_exec(s, "BEGIN");
	for (unsigned i = 0; i < SQL_ALONE_MS / DOZE_MS; i++) {
		if ((st = shut_out(p, &count)) != OK || count == 0)
			break;
		doze();
	}
	if (st != OK)
		postgres_error(s, reason, n);
	else if (count > 0)
		(void)snprintf(reason, n, "it has %llu other connection%s: stop the servers and whatever else uses it first",
		        (unsigned long long)count, count == 1 ? "" : "s");
	return st != OK ? st : count == 0 ? OK : ERR_DENIED;
}

static void postgres_close(struct sql *s)
{
	PQfinish(connection_of(s));
	forget_statements(postgres_of(s));
	free(s);
}

static bool postgres_create(struct sql *s, const struct sql_schema *schema)
{
	return postgres_exec(s, schema->present) == OK ||
	       (postgres_exec(s, "BEGIN") == OK && postgres_exec(s, SCHEMA_LOCK) == OK &&
	               sql_exec_all(s, schema->texts) == OK && postgres_exec(s, "COMMIT") == OK);
}

/* Alone: a second upgrade does not wait for the first. */
static bool lock_alone(struct postgres *p, char *reason, size_t n)
{
	uint64_t count = 0;

	for (unsigned i = 0; i < SQL_ALONE_MS / DOZE_MS && PQstatus(p->connection) == CONNECTION_OK; i++) {
		if ((count = others(p)) == 0 && p->alone)
			return true;
		if (number_of(&p->base, SHARERS " AND mode='ExclusiveLock'") > 0) {
			(void)snprintf(reason, n, "another `db upgrade` is at work on it");
			return false;
		}
		doze();
	}
	if (count > 0)
		(void)snprintf(reason, n,
		        "other prose-nets have it open (%llu connection%s, two a server): stop the servers first",
		        (unsigned long long)count, count == 1 ? "" : "s");
	else
		postgres_error(&p->base, reason, n);
	return false;
}

static bool lock_shared(struct postgres *p, char *reason, size_t n)
{
	if (share(&p->base))
		return true;
	if (PQstatus(p->connection) == CONNECTION_OK)
		(void)snprintf(reason, n, "the database is being upgraded: wait until `db upgrade` has ended");
	else
		postgres_error(&p->base, reason, n);
	return false;
}

static struct sql *postgres_open(const char *url, enum sql_mode mode, const struct sql_schema *schema, char *reason, size_t n)
{
	struct postgres *p = calloc(1, sizeof *p);
	bool ok = false;

	if (p == NULL)
		return NULL;
	p->base.driver = &sql_postgres;
	p->current = schema != NULL ? schema->current : NULL;
	p->connection = PQconnectdb(url);
	(void)PQsetNoticeReceiver(p->connection, no_notice, NULL);
	/* The locks, between the two, have reasons of their own. */
	if (PQstatus(p->connection) != CONNECTION_OK)
		/* NOLINTNEXTLINE(bugprone-branch-clone) */
		postgres_error(&p->base, reason, n);
	else if (mode == SQL_ALONE)
		ok = lock_alone(p, reason, n);
	else if (lock_shared(p, reason, n) && !(ok = mode != SQL_CREATE || postgres_create(&p->base, schema)))
		postgres_error(&p->base, reason, n);
	if (ok)
		return &p->base;
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

static enum status status_of_state(const char *state)
{
	static const struct {
		const char *begins;
		enum status status;
	} known[] = { { "23", ERR_DENIED } /* integrity constraint */, { "53100", ERR_DISK_FULL }, { "53200", ERR_NO_MEMORY },
		{ "58030", ERR_DISK_BROKEN } };

	for (size_t i = 0; state != NULL && i < sizeof known / sizeof *known; i++)
		if (strncmp(state, known[i].begins, strlen(known[i].begins)) == 0)
			return known[i].status;
	return ERR_IO;
}

static enum status postgres_done(struct sql_rows *rows)
{
	struct postgres_rows *r = rows_of(rows);
	ExecStatusType st = PQresultStatus(r->result);
	const char *state = PQresultErrorField(r->result, PG_DIAG_SQLSTATE);
	enum status result = st == PGRES_COMMAND_OK || st == PGRES_TUPLES_OK ? OK : status_of_state(state);

	PQclear(r->result);
	free(r);
	return result;
}

/* PostgreSQL keeps its constraints itself, but for those that somebody has switched off or a broken build has left. */
static const char postgres_problems[] =
        "SELECT 'the constraint ' || conname || ' was not checked' FROM pg_constraint WHERE NOT convalidated AND"
        " connamespace=current_schema()::regnamespace UNION ALL SELECT 'the index ' || c.relname || ' is not valid' FROM"
        " pg_index i JOIN pg_class c ON c.oid=i.indexrelid WHERE NOT i.indisvalid AND"
        " c.relnamespace=current_schema()::regnamespace";

const struct sql_driver sql_postgres = { postgres_open, postgres_close, postgres_begin, postgres_begin, postgres_begin_alone,
	postgres_error, postgres_exec, postgres_query, postgres_row, postgres_octets, postgres_number, postgres_done,
	" FOR NO KEY UPDATE", " FOR NO KEY UPDATE SKIP LOCKED", postgres_problems };
