/* SPDX-License-Identifier: Apache-2.0 */
/* prose-net db: is the database whole and of the newest schema; bring it there. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "provisioning/cli/net.h"
#include "provisioning/db/migration.h"

/* ---- upgrade -------------------------------------------------------------------------------------------------------- */

static int refuse(const char *verb, const struct arguments *a, unsigned version)
{
	char why[DB_SENTENCE_MAX];

	migration_refusal(version, why, sizeof why);
	return net_fail(verb, db_name(a->state), why, EXIT_REFUSED);
}

static void step(void *context, const struct migration *m, bool done)
{
	struct timespec *began = context, t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	if (!done) {
		*began = t;
		(void)printf("migration %u: %s\n", m->number, m->name);
	} else {
		(void)printf("migration %u: done in %.0f ms\n", m->number,
		        (double)(t.tv_sec - began->tv_sec) * 1e3 + (double)(t.tv_nsec - began->tv_nsec) / 1e6);
	}
	(void)fflush(stdout);
}

static void duplicate_line(void *context, const struct duplicate *d)
{
	unsigned *open = context;

	*open += d->revoked ? 0 : 1;
	(void)printf(
	        "%s has the IMSI %s of %s, which keeps it%s\n", d->iccid, d->imsi, d->kept, d->revoked ? " (revoked)" : "");
}

/* The sentence of a number that could not be read. */
static void no_version(const struct arguments *a, struct sql *s, enum status st, char *reason, size_t n)
{
	char why[200];

	sql_error(s, why, sizeof why);
	(void)snprintf(reason, n, "%s: %s", db_name(a->state), st == ERR_NOT_FOUND ? "is no operator's database" : why);
}

/* The schema's number, read beside whoever else has it open; 0, with a sentence, if it cannot be. */
static unsigned version_of(const struct arguments *a, const char *path, char *reason, size_t n)
{
	struct sql *s = sql_open_existing(path, reason, n);
	unsigned version = 0;
	enum status st;

	if (s != NULL && (st = migration_version(s, &version)) != OK)
		no_version(a, s, st, reason, n);
	sql_close(&s);
	return version;
}

static int upgrade(const struct arguments *a, const char *path)
{
	char reason[512] = "";
	unsigned open = 0;
	struct timespec began;
	struct sql *s = sql_open_alone(path, reason, sizeof reason);
	enum status st = ERR_IO;
	bool opened;

	if (s != NULL && (st = migration_run(s, step, &began, reason, sizeof reason)) == OK)
		st = migration_duplicates(s, migration_newest(), duplicate_line, &open);
	opened = s != NULL;
	sql_close(&s);
	if (st != OK)
		return net_fail("db upgrade", opened ? db_name(a->state) : NULL, reason, EXIT_REFUSED);
	if (open > 0)
		(void)printf("`prose-net db check` says what to do about them\n");
	(void)printf("%s is of schema %u now\n", db_name(a->state), migration_newest());
	return 0;
}

int db_upgrade(struct arguments *a)
{
	char path[DB_PATH_MAX], reason[512];
	unsigned version;

	if (a->count != 0)
		return net_fail("db upgrade", NULL, "takes no arguments", EXIT_USAGE);
	db_path(a->state, path);
	if ((version = version_of(a, path, reason, sizeof reason)) == 0)
		return net_fail("db upgrade", NULL, reason, EXIT_REFUSED);
	if (version > migration_newest() || version < SCHEMA_FIRST)
		return refuse("db upgrade", a, version);
	if (version == migration_newest()) {
		(void)printf("%s is of the newest schema already (%u)\n", db_name(a->state), version);
		return 0;
	}
	return upgrade(a, path);
}

/* ---- check ---------------------------------------------------------------------------------------------------------- */

struct findings {
	bool json;
	unsigned version, open; /* open: duplicates that are not revoked */
	json_t *duplicates, *problems;
};

static void find_duplicate(void *context, const struct duplicate *d)
{
	struct findings *f = context;

	if (!f->json) {
		duplicate_line(&f->open, d);
		return;
	}
	f->open += d->revoked ? 0 : 1;
	(void)json_array_append_new(f->duplicates,
	        json_pack("{s:s, s:s, s:s, s:b}", "iccid", d->iccid, "imsi", d->imsi, "kept", d->kept, "revoked", d->revoked));
}

static enum status find_problems(struct sql *s, struct findings *f)
{
	struct sql_rows *r = sql_query(s, sql_problems(s), "");
	char text[DB_SENTENCE_MAX];

	while (sql_row(r)) {
		sql_text(r, 0, text, sizeof text);
		(void)json_array_append_new(f->problems, json_string(text));
	}
	return sql_done(r);
}

static enum status look(struct sql *s, struct findings *f)
{
	TRY(migration_version(s, &f->version));
	TRY(find_problems(s, f));
	if (f->version < SCHEMA_FIRST || f->version > migration_newest())
		return OK;
	return migration_duplicates(s, f->version, find_duplicate, f);
}

static void tell(const struct findings *f)
{
	json_t *p, *j;
	size_t i;

	if (!f->json) {
		json_array_foreach (f->problems, i, p)
			(void)printf("%s\n", json_string_value(p));
		(void)printf("schema %u of %u, %zu problem%s, %u duplicate%s\n", f->version, migration_newest(),
		        json_array_size(f->problems), json_array_size(f->problems) == 1 ? "" : "s", f->open,
		        f->open == 1 ? "" : "s");
		return;
	}
	j = json_pack("{s:I, s:I, s:O, s:O}", "schema", (json_int_t)f->version, "newest", (json_int_t)migration_newest(),
	        "problems", f->problems, "duplicates", f->duplicates);
	(void)json_dumpf(j, stdout, JSON_COMPACT);
	(void)putchar('\n');
	json_decref(j);
}

static int verdict(const struct arguments *a, const struct findings *f)
{
	if (json_array_size(f->problems) > 0)
		return net_fail("db check", db_name(a->state), "is damaged: go back to a copy", EXIT_REFUSED);
	if (f->version != migration_newest())
		return refuse("db check", a, f->version);
	if (f->open > 0)
		return net_fail("db check", db_name(a->state),
		        "has two cards of one IMSI: `card revoke` the one that is not in use, and order another for its user",
		        EXIT_REFUSED);
	return 0;
}

int db_check(struct arguments *a)
{
	struct findings f = { .json = a->json, .duplicates = json_array(), .problems = json_array() };
	char path[DB_PATH_MAX], reason[512] = "";
	struct sql *s;
	enum status st = ERR_IO;
	int rc;

	if (a->count != 0)
		return net_fail("db check", NULL, "takes no arguments", EXIT_USAGE);
	db_path(a->state, path);
	if ((s = sql_open_existing(path, reason, sizeof reason)) != NULL && (st = look(s, &f)) != OK)
		no_version(a, s, st, reason, sizeof reason);
	sql_close(&s);
	if (st == OK)
		tell(&f);
	rc = st == OK ? verdict(a, &f) : net_fail("db check", NULL, reason, EXIT_REFUSED);
	json_decref(f.duplicates);
	json_decref(f.problems);
	return rc;
}

/* What the cards make of it is said where it is decided. */
int db_clock(struct arguments *a)
{
	uint64_t last = 0, now = net_now();
	enum status st = db_clock_last(a->db, &last);

	if (a->count != 0)
		return net_fail("db clock", NULL, "takes no arguments", EXIT_USAGE);
	if (st != OK)
		return net_report("db clock", NULL, st);
	if (now + CLOCK_TOLERANCE >= last) {
		(void)printf("this clock is not behind what was issued: nothing to repair\n");
		return 0;
	}
	if (!a->accept)
		return net_clock("db clock", a);
	(void)printf(
	        "issued by this clock from now on, %llu seconds earlier than before. Cards that have seen the later time go by it "
	        "until it has come: to them key sets and keys that end before it are over. The order of group keys is not "
	        "touched; what was issued with the later date is refused by cards that have not seen it (9C04) until then\n",
	        (unsigned long long)(last - now));
	return net_report("db clock", NULL, db_clock_set(a->db, now));
}
