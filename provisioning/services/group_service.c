/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/services/group_service.h"
#include "provisioning/keeper/requests.h"
#include "provisioning/keys/join.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define NEXT "/outbox/v1/next"
#define WAIT "/outbox/v1/wait/"
#define DONE "/outbox/v1/done/"
#define VOUCHED "/groups/v1/vouched"

/* All of a text in this base, or *end, at most that large: digits and nothing else, with no sign and no space. */
static bool digits(const char *text, const char *end, unsigned base, uint64_t max, uint64_t *out)
{
	static const char all[] = "0123456789abcdef";

	*out = 0;
	for (const char *p = text; p != end; p++) {
		const char *at = memchr(all, tolower((unsigned char)*p), base);

		if (at == NULL || *out > (max - (uint64_t)(at - all)) / base)
			return false;
		*out = *out * base + (uint64_t)(at - all);
	}
	return end != text;
}

static bool is_wait(const char *text, uint64_t *seconds)
{
	return digits(text, text + strlen(text), 10, UINT32_MAX, seconds);
}

/* "ITEM", or "ITEM/SW" when the card refuses it. */
static bool is_done(const char *text, uint64_t *id, uint64_t *refused)
{
	const char *slash = strchr(text, '/'), *end = text + strlen(text);

	*refused = 0;
	return digits(text, slash != NULL ? slash : end, 16, INT64_MAX, id) &&
	       (slash == NULL || digits(slash + 1, end, 16, UINT16_MAX, refused));
}

static enum status next(
        struct group_service *s, uint64_t now, const struct naf_user *u, bool wait, uint64_t seconds, struct http_reply *r)
{
	struct buf body = BUF_OF(s->body);
	struct db_item i;
	enum status st = db_outbox_next(s->db, now, u->iccid, &i, &body);

	r->status = wait ? HTTP_LATER : 204;
	r->hold = (unsigned)seconds;
	if (st != OK)
		return st == ERR_NOT_FOUND ? OK : st;
	(void)snprintf(s->item, sizeof s->item, "%016llx", (unsigned long long)i.id);
	http_reply_header(r, "X-Item", s->item);
	http_reply_header(r, "Content-Type", i.kind == ITEM_MIKEY ? "application/mikey" : "application/octet-stream");
	r->body = buf_bytes(&body);
	r->status = 200;
	return OK;
}

static enum status done(
        struct group_service *s, uint64_t now, const struct naf_user *u, uint64_t id, uint64_t refused, struct http_reply *r)
{
	enum status st = db_outbox_confirm(s->db, now, u->iccid, id, (unsigned)refused);

	r->status = st == ERR_NOT_FOUND ? 404 : 204;
	return st == ERR_NOT_FOUND ? OK : st;
}

/* Our name, B-TID, and what a card vouches for: nothing, or with ERR_DENIED a sentence. */
static enum status answer_join(const struct desk *d, struct bytes in, struct buf *out)
{
	char naf[NAF_ID_MAX], btid[BTID_MAX];
	const char *why;
	struct bytes body;
	enum status st;

	TRY(keeper_take_name(d, &in, naf, sizeof naf));
	TRY(keeper_take_text(&in, btid, sizeof btid));
	if (!keeper_take_long(&in, &body) || in.n != 0)
		return ERR_MALFORMED;
	if (db_clock_issue(d->db, d->now) != OK)
		return ERR_IO;
	if ((st = join_request(d->db, d->now, naf, btid, body, &why)) == ERR_DENIED)
		buf_put(out, bytes_str(why));
	return st;
}
const struct keeper_request group_ask_join = { ASK_JOIN, "join", KEEPER_GROUP, NAF_ID_MAX + BTID_MAX + 4 + VOUCHED_MAX,
	KEEPER_WRITES, answer_join };

static void vouched(struct group_service *s, uint64_t now, const struct naf_user *u, struct bytes body, struct http_reply *r)
{
	uint8_t raw[NAF_ID_MAX + BTID_MAX + 4 + VOUCHED_MAX];
	struct buf question = BUF_OF(raw), why = BUF_OF(s->body);
	enum status st;

	keeper_put_text(&question, s->naf);
	keeper_put_text(&question, u->btid);
	keeper_put_long(&question, body);
	st = question.failed ? ERR_DENIED : keeper_ask(s->db, now, &group_ask_join, buf_bytes(&question), &why);
	r->status = st == OK ? 204 : st == ERR_DENIED ? 403 : 503;
	if (st != ERR_DENIED)
		return;
	r->body = question.failed ? BYTES_STR("it is no request") : buf_bytes(&why);
	http_reply_header(r, "Content-Type", "text/plain");
}

/* Servers of one database may have clocks that differ by so much. */
enum { NEWS_SECONDS = 5 };

bool group_service_news(struct group_service *s, uint64_t now)
{
	return db_outbox_since(s->db, now - NEWS_SECONDS) != ERR_NOT_FOUND;
}

void group_service_request(struct group_service *s, uint64_t now, const struct http_request *q, struct http_reply *r)
{
	bool wait = strcmp(q->method, "GET") == 0 && strncmp(q->path, WAIT, sizeof WAIT - 1) == 0;
	bool get = wait || (strcmp(q->method, "GET") == 0 && strcmp(q->path, NEXT) == 0);
	bool post = strcmp(q->method, "POST") == 0 && strncmp(q->path, DONE, sizeof DONE - 1) == 0;
	bool ask = strcmp(q->method, "POST") == 0 && strcmp(q->path, VOUCHED) == 0;
	uint64_t n = 0, refused = 0; /* seconds, or an item */
	struct naf_user u;
	enum status st;

	r->status =
	        (wait && !is_wait(q->path + sizeof WAIT - 1, &n)) || (post && !is_done(q->path + sizeof DONE - 1, &n, &refused))
	                ? 400
	                : 404;
	if (r->status == 400 || (!get && !post && !ask) || ua_who(s->db, now, s->naf, q, r, s->header, &u) != OK)
		return;
	if (ask) {
		vouched(s, now, &u, q->body, r);
		return;
	}
	r->status = 503;
	if (db_begin(s->db) != OK)
		return;
	st = get ? next(s, now, &u, wait, n, r) : done(s, now, &u, n, refused, r);
	if (st == OK)
		st = db_commit(s->db);
	else if (db_rollback(s->db) != OK)
		st = ERR_IO;
	if (st != OK)
		*r = (struct http_reply){ .status = 503 };
}
