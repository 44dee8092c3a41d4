/* SPDX-License-Identifier: Apache-2.0 */
/* migration.h - how a database of an older schema becomes one of the newest (db_schema.h): numbered steps, forwards only, each
 * in one transaction together with the change of the number, so that whatever stops an upgrade leaves a whole schema that the
 * next one goes on from. The first schema that can be upgraded is 8 (commit bcfc442). */
#ifndef PROVISIONING_DB_MIGRATION_H
#define PROVISIONING_DB_MIGRATION_H

#include "provisioning/db/sql.h"

enum { SCHEMA_FIRST = 8 };

struct migration {
	unsigned number; /* of the schema that it makes, from the one before */
	const char *name;
	const char *const *texts; /* statements, good for both databases; NULL ends them */
};
extern const size_t migration_count;

/* The number of the newest schema, which this program works with. */
unsigned migration_newest(void);
/* The schema's number. ERR_NOT_FOUND: this is no operator's database. */
MUST_USE enum status migration_version(struct sql *, unsigned *version);
/* Why a database of another schema is not used, and what to do: what comes behind "WHERE ". */
void migration_refusal(unsigned version, char *reason, size_t n);

/* Run what is missing, one by one; `done` is told of each before and after. The database must be open alone. ERR_DENIED: it is
 * newer, or older than SCHEMA_FIRST, or somebody else has it open. With a sentence. */
typedef void migration_step(void *context, const struct migration *, bool done);
MUST_USE enum status migration_run(struct sql *, migration_step *step, void *context, char *reason, size_t n);

/* A card whose IMSI another card has: that one, `kept`, is the first among those of this IMSI: one that is not revoked before
 * one that is, then the one with the lowest ICCID (what both databases know; only SQLite knows which was imported first). */
struct duplicate {
	char iccid[21], imsi[16], kept[21];
	bool revoked;
};
typedef void duplicate_each(void *context, const struct duplicate *);
/* In a database of this schema; one that has not been upgraded yet says what the upgrade would mark. */
MUST_USE enum status migration_duplicates(struct sql *, unsigned version, duplicate_each *, void *context);

#endif
