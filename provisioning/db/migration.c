/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/db/migration.h"

#include <stdio.h>
#include <stdlib.h>

#include "provisioning/db/db_schema.h"

/* The first card of each IMSI (migration.h says which): n is 1. */
#define RANKED                                                                                                                 \
	"(SELECT imsi, iccid, ROW_NUMBER() OVER (PARTITION BY imsi ORDER BY CASE WHEN revoked=0 THEN 0 ELSE 1 END, iccid)"     \
	" AS n FROM card) AS k"

static const char *const unique_keys[] = {
	"ALTER TABLE card ADD COLUMN duplicate_of TEXT NOT NULL DEFAULT ''",
	"UPDATE card SET duplicate_of=k.iccid FROM " RANKED " WHERE k.n=1 AND k.imsi=card.imsi AND k.iccid<>card.iccid",
	/* Nobody knows which of the cards has made them. */
	"DELETE FROM gba WHERE imsi IN (SELECT imsi FROM card WHERE duplicate_of<>'')",
	"DROP INDEX card_imsi",
	"CREATE UNIQUE INDEX card_imsi ON card(imsi) WHERE duplicate_of=''",
	"CREATE INDEX card_duplicate ON card(duplicate_of) WHERE duplicate_of<>''",
	"CREATE UNIQUE INDEX kms_one ON kms((uri IS NOT NULL))",
	NULL,
};

/* How many keys of a group there were, and those excluded: what orders them is no clock. Keys from before have number 0. */
static const char *const group_order[] = {
	"ALTER TABLE grp ADD COLUMN issued BIGINT NOT NULL DEFAULT 0",
	"ALTER TABLE grp ADD COLUMN floor BIGINT NOT NULL DEFAULT 0",
	"ALTER TABLE gmk ADD COLUMN number BIGINT NOT NULL DEFAULT 0",
	"CREATE TABLE expelled(grp TEXT NOT NULL REFERENCES grp(uri), uri TEXT NOT NULL, number BIGINT NOT NULL DEFAULT 0,"
	" strict BIGINT NOT NULL DEFAULT 0, PRIMARY KEY(grp, uri))",
	NULL,
};

/* By number, without a gap. */
static const struct migration migrations[] = {
	{ 9, "one card for an IMSI, one KMS", unique_keys },
	{ 10, "an order of group keys that is no clock", group_order },
};
const size_t migration_count = sizeof migrations / sizeof *migrations;

unsigned migration_newest(void)
{
	return SCHEMA_VERSION;
}

enum status migration_version(struct sql *s, unsigned *version)
{
	struct sql_rows *r = sql_query(s, "SELECT value FROM meta WHERE name='schema'", "");
	char text[16] = "";

	if (sql_row(r))
		sql_text(r, 0, text, sizeof text);
	*version = (unsigned)strtoul(text, NULL, 10);
	TRY(sql_done(r));
	return *version == 0 ? ERR_NOT_FOUND : OK;
}

void migration_refusal(unsigned version, char *reason, size_t n)
{
	if (version > SCHEMA_VERSION)
		(void)snprintf(reason, n, "was made by a newer prose-net (schema %u; this one knows %u): use that one", version,
		        migration_newest());
	else if (version < SCHEMA_FIRST)
		(void)snprintf(reason, n,
		        "is of schema %u, older than any that can be upgraded: start a new one and import its cards", version);
	else
		(void)snprintf(reason, n,
		        "is of schema %u, this prose-net needs %u: stop the servers, keep a copy, run `prose-net db upgrade`",
		        version, migration_newest());
}

static enum status set_version(struct sql *s, unsigned version)
{
	char text[16];
	struct bytes value;

	(void)snprintf(text, sizeof text, "%u", version);
	value = bytes_str(text);
	return sql_done(sql_query(s, "UPDATE meta SET value=$1 WHERE name='schema'", "b", &value));
}

/* After begin. */
static enum status run_one(struct sql *s, const struct migration *m, char *reason, size_t n)
{
	char why[200];
	enum status st;

	if ((st = sql_exec_all(s, m->texts)) == OK && (st = set_version(s, m->number)) == OK && (st = sql_commit(s)) == OK)
		return OK;
	sql_error(s, why, sizeof why);
	(void)snprintf(reason, n, "migration %u was taken back: %s", m->number, why);
	(void)!sql_rollback(s);
	return st;
}

enum status migration_run(struct sql *s, migration_step *step, void *context, char *reason, size_t n)
{
	unsigned version;
	enum status st = migration_version(s, &version);

	if (st != OK) {
		sql_error(s, reason, n);
		return st;
	}
	if (version > SCHEMA_VERSION || version < SCHEMA_FIRST) {
		migration_refusal(version, reason, n);
		return ERR_DENIED;
	}
	for (size_t i = version - SCHEMA_FIRST; i < migration_count; i++) {
		/* Servers of schema 8 do not say that they are there. */
		TRY(sql_begin_alone(s, migrations[i].number == SCHEMA_FIRST + 1, reason, n));
		step(context, &migrations[i], false);
		TRY(run_one(s, &migrations[i], reason, n));
		step(context, &migrations[i], true);
	}
	return OK;
}

enum status migration_duplicates(struct sql *s, unsigned version, duplicate_each *each, void *context)
{
	struct sql_rows *r = sql_query(s,
	        version > SCHEMA_FIRST
	                ? "SELECT iccid, imsi, duplicate_of, revoked FROM card WHERE duplicate_of<>'' ORDER BY imsi, iccid"
	                : "SELECT card.iccid, card.imsi, k.iccid, card.revoked FROM card JOIN " RANKED
	                  " ON k.imsi=card.imsi AND k.n=1 AND k.iccid<>card.iccid ORDER BY card.imsi, card.iccid",
	        "");

	while (sql_row(r)) {
		struct duplicate d = { .revoked = sql_int(r, 3) != 0 };

		sql_text(r, 0, d.iccid, sizeof d.iccid);
		sql_text(r, 1, d.imsi, sizeof d.imsi);
		sql_text(r, 2, d.kept, sizeof d.kept);
		each(context, &d);
	}
	return sql_done(r);
}
