/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/campaign/scp81.h"

#include <stdlib.h>
#include <string.h>

#include "apdu/aids.h"
#include "ota/http_admin.h"
#include "provisioning/campaign/clock.h"
#include "provisioning/http/http.h"

struct scp81 {
	struct db *db;
	struct engine *engine;
	struct http_server *http;
	uint8_t script[ADMIN_BODY_MAX];
	char target[64];
};

static bool find_key(void *context, const char *identity, bool tls13, struct secret *out)
{
	const struct scp81 *s = context;

	(void)tls13; /* the card's key is one for both */
	return ota_card_psk(s->db, identity, out) == OK;
}

/* What it says of its last script, then what it gets next; together or not at all. */
static enum status serve(struct scp81 *s, const struct http_request *q, struct buf *script, uint8_t tar[TAR_LEN])
{
	const char *status = http_header(q, "X-Admin-Script-Status");
	enum status st = OK, next = ERR_NOT_FOUND;

	TRY(engine_begin(s->engine));
	if (status != NULL)
		st = engine_call_answer(s->engine, clock_ms(), q->identity, status, q->body);
	if (st == OK)
		next = st = engine_call(s->engine, clock_ms(), q->identity, tar, script);
	st = engine_end(s->engine, st == ERR_NOT_FOUND ? OK : st);
	return st == OK ? next : st;
}

static void on_request(void *context, const struct http_request *q, struct http_reply *r)
{
	struct scp81 *s = context;
	struct buf script = BUF_OF(s->script), target = { (uint8_t *)s->target, 0, sizeof s->target - 1, false };
	const char *protocol = http_header(q, "X-Admin-Protocol");
	uint8_t tar[TAR_LEN], aid[16];
	enum status st;

	if (strcmp(q->method, "POST") != 0 || protocol == NULL || strcmp(protocol, ADMIN_PROTOCOL) != 0) {
		r->status = 400;
		return;
	}
	http_reply_header(r, "X-Admin-Protocol", ADMIN_PROTOCOL);
	st = serve(s, q, &script, tar);
	r->status = st == OK ? 200 : st == ERR_NOT_FOUND ? 204 : 503;
	if (st != OK)
		return;
	admin_aid_of_tar(tar, aid);
	buf_put(&target, BYTES_STR("//"));
	admin_aid_put(&target, BYTES_OF(aid));
	s->target[target.len] = 0;
	http_reply_header(r, "X-Admin-Next-URI", q->path);
	http_reply_header(r, "X-Admin-Targeted-Application", s->target);
	http_reply_header(r, "Content-Type", ADMIN_TYPE_ETSI);
	r->body = buf_bytes(&script);
}

struct scp81 *scp81_new(struct db *db, struct engine *e, const char *where, char *reason, size_t n)
{
	struct scp81 *s = calloc(1, sizeof *s);
	const struct http_handler handler = { s, find_key, on_request };

	if (s == NULL)
		return NULL;
	s->db = db;
	s->engine = e;
	if ((s->http = http_serve(where, &handler, reason, n)) == NULL)
		scp81_free(&s);
	return s;
}

void scp81_free(struct scp81 **s)
{
	if (*s != NULL)
		http_free(&(*s)->http);
	free(*s);
	*s = NULL;
}

unsigned scp81_port(const struct scp81 *s)
{
	return http_port(s->http);
}

void scp81_run(struct scp81 *s, int ms)
{
	http_run(s->http, ms);
}
