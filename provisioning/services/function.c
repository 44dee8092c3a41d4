/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/services/function.h"

#include <string.h>

#include "apdu/tlv.h"
#include "provisioning/operator.h"

struct giving {
	struct db *db;
	uint64_t now;
	const char *iccid;
	struct buf *out;
};

/* Phones' clocks may be behind ours. */
enum { PHONE_TOLERANCE = 3600 };

enum status function_permission(struct db *db, uint64_t now, const char *iccid, const struct db_permission *p, struct buf *out)
{
	uint8_t raw[PERMISSION_RADIO_MAX + 32];
	struct buf b = BUF_OF(raw);

	tlv_put(&b, PERMISSION_PLMN, bytes_str(p->plmn));
	tlv_put_uint(&b, PERMISSION_RIGHTS, 1, p->rights);
	if (p->radio_len > 0)
		tlv_put(&b, PERMISSION_RADIO, (struct bytes){ p->radio, p->radio_len });
	TRY(buf_status(&b));
	return operator_seal(
	        db, iccid, SEALED_PERMISSION, bytes_str(p->plmn), now - PHONE_TOLERANCE, now + p->valid, buf_bytes(&b), out);
}

static enum status seal_one(void *context, const struct db_permission *p)
{
	const struct giving *g = context;

	return function_permission(g->db, g->now, g->iccid, p, g->out);
}

/* Append the permissions of a card. */
static enum status function_permissions(struct db *db, uint64_t now, const char *iccid, struct buf *out)
{
	struct giving g = { db, now, iccid, out };

	return db_permission_each(db, iccid, seal_one, &g);
}

void function_service_request(struct function_service *s, uint64_t now, const struct http_request *q, struct http_reply *r)
{
	struct buf out = BUF_OF(s->body);
	struct naf_user u;
	enum status st;

	r->status = 404;
	if (strcmp(q->method, "GET") != 0 || strcmp(q->path, "/function/v1/permissions") != 0 ||
	        ua_who(s->db, now, s->naf, q, r, s->header, &u) != OK)
		return;
	r->status = 503;
	if (db_begin(s->db) != OK)
		return;
	if ((st = db_clock_issue(s->db, now)) == OK)
		st = function_permissions(s->db, now, u.iccid, &out);
	if (st == OK)
		st = db_commit(s->db);
	else if (db_rollback(s->db) != OK)
		st = ERR_IO;
	if (st != OK)
		return;
	r->status = out.len > 0 ? 200 : 204;
	r->body = buf_bytes(&out);
	http_reply_header(r, "Content-Type", "application/octet-stream");
}
