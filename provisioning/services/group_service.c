/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/services/group_service.h"
#include "provisioning/keys/join.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NEXT "/outbox/v1/next"
#define WAIT "/outbox/v1/wait/"
#define DONE "/outbox/v1/done/"
#define VOUCHED "/groups/v1/vouched"

static enum status next(struct group_service *s, uint64_t now, const struct naf_user *u, const char *wait, struct http_reply *r)
{
	struct buf body = BUF_OF(s->body);
	struct db_item i;
	enum status st = db_outbox_next(s->db, now, u->iccid, &i, &body);

	r->status = wait != NULL ? HTTP_LATER : 204;
	r->hold = wait != NULL ? (unsigned)strtoul(wait, NULL, 10) : 0;
	if (st != OK)
		return st == ERR_NOT_FOUND ? OK : st;
	(void)snprintf(s->item, sizeof s->item, "%016llx", (unsigned long long)i.id);
	http_reply_header(r, "X-Item", s->item);
	http_reply_header(r, "Content-Type", i.kind == ITEM_MIKEY ? "application/mikey" : "application/octet-stream");
	r->body = buf_bytes(&body);
	r->status = 200;
	return OK;
}

/* "ITEM", or "ITEM/SW" when the card refuses it. */
static enum status done(struct group_service *s, uint64_t now, const struct naf_user *u, const char *item, struct http_reply *r)
{
	char *end;
	uint64_t id = strtoull(item, &end, 16);
	unsigned long refused = *end == '/' ? strtoul(end + 1, &end, 16) : 0;
	enum status st = *item != 0 && *end == 0 && refused <= 0xFFFF
	                         ? db_outbox_confirm(s->db, now, u->iccid, id, (unsigned)refused)
	                         : ERR_NOT_FOUND;

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
	struct naf_user u;
	enum status st;

	r->status = 404;
	if ((!get && !post && !ask) || ua_who(s->db, now, s->naf, q, r, s->header, &u) != OK)
		return;
	r->status = 503;
	if (db_begin(s->db) != OK)
		return;
	st = ask   ? vouched(s, now, &u, q->body, r)
	     : get ? next(s, now, &u, wait ? q->path + sizeof WAIT - 1 : NULL, r)
	           : done(s, now, &u, q->path + sizeof DONE - 1, r);
	if (st == OK)
		st = db_commit(s->db);
	else if (db_rollback(s->db) != OK)
		st = ERR_IO;
	if (st != OK && !(ask && st == ERR_DENIED))
		*r = (struct http_reply){ .status = 503 };
}
