/* SPDX-License-Identifier: Apache-2.0 */
/* db_inside.h - what the parts of the database share: db.c (opening, cards, counters), db_keys.c (KMS, users, groups,
 * discovery), db_network.c (bootstrapping, outbox). */
#ifndef PROVISIONING_DB_DB_INSIDE_H
#define PROVISIONING_DB_DB_INSIDE_H

#include "crypto/common/aes.h"
#include "provisioning/db/db.h"
#include "provisioning/db/sql.h"

struct db {
	struct sql *sql;
	struct secret master; /* empty: keeper has it */
	struct keeper *keeper;
	bool outdated;
};

enum { WRAPPED_MAX = SECRET_LARGE_MAX + GCM_IV_LEN + GCM_TAG_LEN };

/* Encrypt under the master key, append; the reverse. The label (table/key) is authenticated, so that wrapped values cannot be
 * swapped. */
enum { DB_LABEL_MAX = 256 };
void db_label(const char *table, const char *key, char out[static DB_LABEL_MAX]);
MUST_USE enum status db_wrap(struct db *, const char *label, struct bytes plain, struct buf *out);
MUST_USE enum status db_unwrap(struct db *, const char *label, struct bytes wrapped, struct secret_large *out);

#endif
