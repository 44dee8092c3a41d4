/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/services/function.h"

#include <string.h>

#include "apdu/tlv.h"
#include "provisioning/keeper/requests.h"
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

/* ICCID: the permissions of the card, sealed, one after another. */
static enum status answer_permissions(const struct desk *d, struct bytes in, struct buf *out)
{
	char iccid[21];
	struct giving g = { d->db, d->now, iccid, out };

	TRY(keeper_take_text(&in, iccid, sizeof iccid));
	if (in.n != 0)
		return ERR_MALFORMED;
	TRY(keeper_card(d, iccid));
	TRY(db_clock_issue(d->db, d->now));
	return db_permission_each(d->db, iccid, seal_one, &g);
}
const struct keeper_request function_ask_permissions = { ASK_PERMISSIONS, "permissions", KEEPER_FUNCTION, 21, KEEPER_WRITES,
	answer_permissions };

void function_service_request(struct function_service *s, uint64_t now, const struct http_request *q, struct http_reply *r)
{
	struct buf out = BUF_OF(s->body), question;
	uint8_t raw[21];
	struct naf_user u;

	r->status = 404;
	if (strcmp(q->method, "GET") != 0 || strcmp(q->path, "/function/v1/permissions") != 0 ||
	        ua_who(s->db, now, s->naf, q, r, s->header, &u) != OK)
		return;
	question = BUF_OF(raw);
	keeper_put_text(&question, u.iccid);
	r->status = 503;
	if (keeper_ask(s->db, now, &function_ask_permissions, buf_bytes(&question), &out) != OK)
		return;
	r->status = out.len > 0 ? 200 : 204;
	r->body = buf_bytes(&out);
	http_reply_header(r, "Content-Type", "application/octet-stream");
}
