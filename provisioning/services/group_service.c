/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/services/group_service.h"
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

/* What a card vouches for; refusals are a sentence. */
static enum status vouched(
        struct group_service *s, uint64_t now, const struct naf_user *u, struct bytes body, struct http_reply *r)
{
	const char *why;
	enum status st;

	if (db_clock_issue(s->db, now) != OK)
		return ERR_IO;
	st = join_request(s->db, now, s->naf, u->btid, body, &why);

	r->status = st == OK ? 204 : 403;
	if (st == ERR_DENIED) {
		r->body = bytes_str(why);
		http_reply_header(r, "Content-Type", "text/plain");
	}
	return st;
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
	r->status = 503;
	if (db_begin(s->db) != OK)
		return;
	st = ask ? vouched(s, now, &u, q->body, r) : get ? next(s, now, &u, wait, n, r) : done(s, now, &u, n, refused, r);
	if (st == OK)
		st = db_commit(s->db);
	else if (db_rollback(s->db) != OK)
		st = ERR_IO;
	if (st != OK && !(ask && st == ERR_DENIED))
		*r = (struct http_reply){ .status = 503 };
}
