/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/keeper/keeper.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { OUTDATED = 0xFF }; /* instead of a status: the database has another schema now */

struct keeper {
	int fd;
	pthread_mutex_t turn;
	uint8_t question[1 + KEEPER_QUESTION_MAX], answer[1 + KEEPER_ANSWER_MAX];
};

/* ---- fields --------------------------------------------------------------------------------------------------------- */

void keeper_put_text(struct buf *b, const char *text)
{
	const size_t n = strlen(text);

	if (n > UINT8_MAX)
		b->failed = true;
	buf_put_u8(b, (uint8_t)n);
	buf_put(b, bytes_str(text));
}

enum status keeper_take_text(struct bytes *in, char *out, size_t room)
{
	struct bytes t;

	if (!bytes_take_field(in, &t))
		return ERR_TRUNCATED;
	if (t.n >= room || (t.n > 0 && memchr(t.p, 0, t.n) != NULL))
		return ERR_MALFORMED;
	if (t.n > 0)
		memcpy(out, t.p, t.n);
	out[t.n] = 0;
	return OK;
}

void keeper_put_long(struct buf *b, struct bytes v)
{
	if (v.n > UINT16_MAX)
		b->failed = true;
	buf_put_uint(b, 2, v.n);
	buf_put(b, v);
}

bool keeper_take_long(struct bytes *in, struct bytes *out)
{
	uint64_t n;

	return bytes_take_uint(in, 2, &n) && bytes_take(in, (size_t)n, out);
}

enum status keeper_take_name(const struct desk *d, struct bytes *in, char *out, size_t room)
{
	TRY(keeper_take_text(in, out, room));
	return d->name == NULL || strcmp(d->name, out) == 0 ? OK : ERR_DENIED;
}

enum status keeper_card(const struct desk *d, const char *iccid)
{
	struct db_card card;

	TRY(db_card_get(d->db, iccid, &card, NULL));
	return card.revoked == 0 && card.duplicate_of[0] == 0 ? OK : ERR_DENIED;
}

/* ---- the answering end ---------------------------------------------------------------------------------------------- */

static enum status begin(const struct desk *d, const struct keeper_request *q, bool alone)
{
	return q->how == KEEPER_WRITES ? db_begin(d->db) : alone ? db_begin_reading(d->db) : OK;
}

/* alone: there is no transaction around it. A vector that is not stored as used is not given out. */
static enum status judged(const struct desk *d, const struct keeper_request *q, bool alone, struct bytes in, struct buf *out)
{
	enum status st;

	if ((d->role & q->roles) == 0)
		return ERR_DENIED;
	if (in.n > q->max)
		return ERR_NO_SPACE;
	TRY(begin(d, q, alone));
	if ((st = q->answer(d, in, out)) == OK)
		st = buf_status(out);
	if (!alone && q->how == KEEPER_READS)
		return st;
	if (st == OK)
		return db_commit(d->db);
	return db_rollback(d->db) == OK ? st : ERR_IO;
}

/* What goes back of a refusal is a sentence; of a failure, nothing. */
static enum status work(const struct desk *d, const struct keeper_request *q, bool alone, struct bytes in, struct buf *out)
{
	const size_t before = out->len;
	const enum status st = judged(d, q, alone, in, out);

	if (st != OK && st != ERR_DENIED) {
		secret_clean(out->p + before, out->len - before);
		out->len = before;
	}
	return st;
}

void keeper_answer(
        const struct desk *d, const struct keeper_request *const *rows, struct bytes question, size_t n, struct buf *out)
{
	enum status st = n > question.n ? ERR_NO_SPACE : ERR_MALFORMED;
	uint8_t *status = buf_reserve(out, 1);
	uint64_t number;

	if (status == NULL)
		return;
	if (st == ERR_MALFORMED && bytes_take_uint(&question, 1, &number))
		for (; *rows != NULL; rows++)
			if ((*rows)->number == number)
				st = work(d, *rows, true, question, out);
	if (out->failed)
		*out = (struct buf){ out->p, 1, out->cap, false };
	*status = db_outdated(d->db) ? OUTDATED : (uint8_t)st;
}

/* A message without an octet looks like the end, but is not. */
static bool has_ended(int fd)
{
	struct pollfd p = { .fd = fd };

	return poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR)) != 0;
}

void keeper_serve(int fd, const struct desk *desk, const struct keeper_request *const *rows, uint64_t (*clock)(void))
{
	static uint8_t question[1 + KEEPER_QUESTION_MAX], answer[1 + KEEPER_ANSWER_MAX];
	struct desk d = *desk;

	for (;;) {
		struct buf out = BUF_OF(answer);
		ssize_t n = recv(fd, question, sizeof question, MSG_TRUNC);
		size_t got = n > 0 ? (size_t)n : 0;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 || (n == 0 && has_ended(fd)))
			return;
		d.now = clock();
		keeper_answer(&d, rows, (struct bytes){ question, got < sizeof question ? got : sizeof question }, got, &out);
		while ((n = send(fd, out.p, out.len, MSG_NOSIGNAL)) < 0 && errno == EINTR)
			;
		secret_clean(answer, out.len);
		secret_clean(question, got < sizeof question ? got : sizeof question);
		if (n < 0)
			return;
	}
}

/* ---- the asking end ------------------------------------------------------------------------------------------------- */

struct keeper *keeper_new(int fd)
{
	struct keeper *k = calloc(1, sizeof *k);

	if (k == NULL || pthread_mutex_init(&k->turn, NULL) != 0) {
		free(k);
		return NULL;
	}
	k->fd = fd;
	return k;
}

void keeper_free(struct keeper **k)
{
	if (*k == NULL)
		return;
	if ((*k)->fd >= 0)
		(void)close((*k)->fd);
	(void)pthread_mutex_destroy(&(*k)->turn);
	free(*k);
	*k = NULL;
}

/* *answer: the status and what is behind it, in k's memory. */
static enum status exchange(struct keeper *k, enum keeper_number number, struct bytes in, struct bytes *answer)
{
	struct buf b = BUF_OF(k->question);
	ssize_t n;

	buf_put_u8(&b, (uint8_t)number);
	buf_put(&b, in);
	TRY(buf_status(&b));
	while ((n = send(k->fd, b.p, b.len, MSG_NOSIGNAL)) < 0 && errno == EINTR)
		;
	while (n > 0 && (n = recv(k->fd, k->answer, sizeof k->answer, 0)) < 0 && errno == EINTR)
		n = 1;
	secret_clean(k->question, b.len);
	if (n <= 0) { /* an answer may still come, and would be taken for the next one; the keeper ends at this */
		(void)close(k->fd);
		k->fd = -1;
	}
	*answer = (struct bytes){ k->answer, n > 0 ? (size_t)n : 0 };
	return n > 0 ? OK : ERR_IO;
}

static enum status read_answer(struct db *db, struct bytes answer, struct buf *out)
{
	uint64_t status;

	if (!bytes_take_uint(&answer, 1, &status))
		return ERR_IO;
	if (status == OUTDATED) {
		db_note_outdated(db);
		return ERR_IO;
	}
	buf_put(out, answer);
	TRY(buf_status(out));
	return status <= STATUS_LAST ? (enum status)status : ERR_IO;
}

static enum status ask(struct keeper *k, struct db *db, enum keeper_number number, struct bytes in, struct buf *out)
{
	struct bytes answer = { 0 };
	enum status st;

	if (pthread_mutex_lock(&k->turn) != 0)
		return ERR_IO;
	if ((st = exchange(k, number, in, &answer)) == OK)
		st = read_answer(db, answer, out);
	secret_clean(k->answer, answer.n);
	(void)pthread_mutex_unlock(&k->turn);
	return st;
}

enum status keeper_ask(struct db *db, uint64_t now, const struct keeper_request *q, struct bytes in, struct buf *out)
{
	const struct desk own = { .db = db, .now = now, .role = ~0U };

	return db_keeper(db) != NULL ? ask(db_keeper(db), db, q->number, in, out) : work(&own, q, false, in, out);
}
