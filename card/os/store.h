/* SPDX-License-Identifier: Apache-2.0 */
/* store.h - the card's non-volatile memory: one APDU, one commit (DESIGN.md 3.2).
 * Puts gather in RAM and are written together by store_commit, before the response leaves. store_spend and store_put_now alone
 * write at once: PIN tries and failure counters, and other counters, which must survive an abort. Everything under a name is
 * one value of at most RECORD_MAX octets.
 */
#ifndef CARD_OS_STORE_H
#define CARD_OS_STORE_H

#include "apdu/base/limits.h"
#include "apdu/base/secret.h"

/* RECORD_MAX: a record is a file's content, or smaller. One octet more: the put is ERR_NO_SPACE and nothing of this command is
 * kept; likewise beyond STORE_PENDING_MAX changes or STORE_ARENA octets of one command. */
enum { RECORD_NAME_MAX = 48, RECORD_MAX = FILE_CONTENT_MAX, STORE_PENDING_MAX = 2048, STORE_ARENA = 512 * 1024 };

struct record_name {
	size_t n;
	uint8_t text[RECORD_NAME_MAX]; /* printable ASCII, e.g. "pin/01" */
};

struct store_change {
	struct bytes name, value;
	bool erase;
};

/* What a store stands on. write is atomic and durable: after OK all changes survive power loss, after an error none did. */
struct store_backend {
	enum status (*load)(struct store_backend *, struct bytes name, struct buf *out);
	enum status (*next)(struct store_backend *, struct bytes prefix, struct bytes after, struct record_name *out);
	enum status (*write)(struct store_backend *, const struct store_change *, size_t n);
	/* As write, of one change by which a try is spent: what stands outside and counts must know first that the image was of
	 * before (card/io/image/epoch.h). NULL: write. */
	enum status (*spend)(struct store_backend *, const struct store_change *);
};

struct store_pending {
	struct record_name name;
	size_t at, n; /* in the arena */
	bool erase;
};

/* Where changes gather. Used between the first put and commit or abort only, so that cards that run in turn share one. */
struct store_work {
	struct store_pending pending[STORE_PENDING_MAX];
	uint8_t arena[STORE_ARENA];
};

struct store {
	struct store_backend *backend;
	struct store_work *work;
	size_t count, used;
	bool failed; /* a put did not fit: commit will refuse */
};

struct store_mark {
	size_t count, used;
};

void store_init(struct store *, struct store_backend *, struct store_work *);

/* Append the value to out. ERR_NOT_FOUND if there is none. */
MUST_USE enum status store_get(struct store *, struct bytes name, struct buf *out);
MUST_USE enum status store_get_secret(struct store *, struct bytes name, struct secret *out);
MUST_USE enum status store_get_large(struct store *, struct bytes name, struct secret_large *out);

/* The next name after `after` (empty: the first) that begins with prefix. ERR_NOT_FOUND at the end. */
MUST_USE enum status store_next(struct store *, struct bytes prefix, struct bytes after, struct record_name *out);

MUST_USE enum status store_put(struct store *, struct bytes name, struct bytes value);
MUST_USE enum status store_erase(struct store *, struct bytes name);

/* Write and commit this one record now. ERR_BUG if the pending changes already hold it. */
MUST_USE enum status store_put_now(struct store *, struct bytes name, struct bytes value);
/* Likewise, for what an older image must not give back: tries of a PIN, failures. */
MUST_USE enum status store_spend(struct store *, struct bytes name, struct bytes value);

struct store_mark store_savepoint(const struct store *);
void store_rollback_to(struct store *, struct store_mark);

/* Write all pending changes in one transaction. No pending changes: no transaction. */
MUST_USE enum status store_commit(struct store *);
void store_abort(struct store *);

/* A store view cannot name records outside its prefix: what an applet instance gets. */
struct store_view {
	struct store *store;
	struct record_name prefix;
};

/* view's prefix || name, ready for the calls above. ERR_BUG if it is too long. */
MUST_USE enum status view_name(const struct store_view *, struct bytes name, struct record_name *out);
struct bytes name_bytes(const struct record_name *);
/* printf-like helper for names: "gmk/%08x". */
struct record_name name_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
