/* SPDX-License-Identifier: Apache-2.0 */
/* keeper.h - what a server that strangers reach asks of the process that holds the master key (cli/keep.c starts it): a few
 * whole pieces of work, each a row beside the function that does it, all of them in one table. Where a database was opened
 * with its master key (commands, tests), the same rows are worked off in this process.
 *
 * A question is one message on a socket: the row's number and its fields; an answer is a status and what there is to say. The
 * keeper believes the asking process nothing but what no key could tell: it looks up cards, users and bootstrappings itself,
 * by its own clock. */
#ifndef PROVISIONING_KEEPER_KEEPER_H
#define PROVISIONING_KEEPER_KEEPER_H

#include "apdu/base/limits.h"
#include "provisioning/db/db.h"

/* Who asks: one bit for each `serve`. */
enum keeper_role { KEEPER_HSS = 1, KEEPER_BSF = 2, KEEPER_FUNCTION = 4, KEEPER_KMS = 8, KEEPER_GROUP = 16, KEEPER_OTA = 32 };
enum keeper_number {
	ASK_VECTOR = 1,
	ASK_TRIPLETS,
	ASK_RESYNCHRONISATION,
	ASK_BOOTSTRAPPING,
	ASK_UA_KEY,
	ASK_PERMISSIONS,
	ASK_ENROLMENT_KEY,
	ASK_KMS_ANSWER,
	ASK_JOIN,
	ASK_PACKET,
	ASK_RESPONSE,
	ASK_ROTATION,
	ASK_ROTATED,
	ASK_PSK
};
/* Octets of a message. One more: ERR_NO_SPACE, and nothing is sent. */
enum { KEEPER_QUESTION_MAX = 16384, KEEPER_ANSWER_MAX = HTTP_BODY_MAX + 1024 };

/* Where a question is answered. */
struct desk {
	struct db *db;
	uint64_t now;     /* seconds since 1970 */
	unsigned role;    /* of who asks; all bits in one's own process */
	const char *name; /* the only server that it may ask for; NULL: any */
	uint64_t life;    /* of what it may have made, in seconds; 0: any */
};

/* A row. WRITES: a transaction of its own around the answer, undone unless that is OK. READS: the asker may be in the middle
 * of one. */
struct keeper_request {
	enum keeper_number number;
	const char *name;
	unsigned roles;
	size_t max; /* octets of its fields */
	enum { KEEPER_READS, KEEPER_WRITES } how;
	/* ERR_DENIED: what is in *out goes back, too, as a sentence. Of another failure nothing does. */
	enum status (*answer)(const struct desk *, struct bytes in, struct buf *out);
};

/* Ask. ERR_DENIED: not in this role; otherwise what the answer says. ERR_IO: the keeper has ended, too. now: for a database
 * with its master key; the keeper has a clock. */
MUST_USE enum status keeper_ask(struct db *, uint64_t now, const struct keeper_request *, struct bytes in, struct buf *out);

/* The asking end of a socket (SOCK_SEQPACKET). Questions of several threads are asked one after another. */
struct keeper;
struct keeper *keeper_new(int fd);
void keeper_free(struct keeper **);

/* The answering end: one message in (n is its true length, however much of it is there), one out. rows end with NULL. */
void keeper_answer(
        const struct desk *, const struct keeper_request *const *rows, struct bytes question, size_t n, struct buf *out);
/* Until the other end is closed. clock: seconds since 1970. */
void keeper_serve(int fd, const struct desk *, const struct keeper_request *const *rows, uint64_t (*clock)(void));

/* Fields: a text in one octet of length and its octets; a text with a zero, or of room and more, is refused. */
void keeper_put_text(struct buf *, const char *);
MUST_USE enum status keeper_take_text(struct bytes *in, char *out, size_t room);
/* Two octets of length, and so many. */
void keeper_put_long(struct buf *, struct bytes);
MUST_USE bool keeper_take_long(struct bytes *in, struct bytes *out);
/* The server's own name: a text. ERR_DENIED: another than the desk's. */
MUST_USE enum status keeper_take_name(const struct desk *, struct bytes *in, char *out, size_t room);
/* A card that is in use. ERR_DENIED: it is revoked or a duplicate; ERR_NOT_FOUND. */
MUST_USE enum status keeper_card(const struct desk *, const char *iccid);

#endif
