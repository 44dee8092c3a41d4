/* SPDX-License-Identifier: Apache-2.0 */
/* One command and its answer, 61xx and 6Cxx followed. */
#include <stdio.h>

#include "apdu/base/secret.h"
#include "host/lib/session.h"

static enum prose_result transmit(struct prose_card *c, const struct command_apdu *a, struct bytes *data)
{
	struct buf b = BUF_OF(c->command);
	size_t n = sizeof c->response;
	enum prose_result r;

	apdu_put(&b, a);
	if (b.failed)
		return PROSE_NO_SPACE;
	r = c->transport.transmit(c->transport.context, b.p, b.len, c->response, &n);
	secret_clean(c->command, b.len);
	if (r != PROSE_OK)
		return r;
	if (n < 2)
		return PROSE_IO;
	c->sw = (unsigned)(c->response[n - 2] << 8 | c->response[n - 1]);
	*data = (struct bytes){ c->response, n - 2 };
	return PROSE_OK;
}

enum prose_result session_exchange(struct prose_card *c, const struct request *q)
{
	struct command_apdu a = {
		.cla = apdu_cla(q->cla, c->channel),
		.ins = q->ins,
		.p1 = q->p1,
		.p2 = q->p2,
		.data = q->data,
		.has_le = q->ne > 0,
		.ne = q->ne,
		.extended = q->ne > 256 || q->data.n > 255,
	};
	struct buf all = BUF_OF(c->gathered);
	struct bytes data;
	enum prose_result r;

	for (;;) {
		if ((r = transmit(c, &a, &data)) != PROSE_OK)
			return r;
		buf_put(&all, data);
		if ((c->sw & 0xFF00) == SW_WRONG_LE && a.has_le && a.ne != (c->sw & 0xFF)) {
			a.ne = (c->sw & 0xFF) == 0 ? 256 : c->sw & 0xFF;
			a.extended = false;
			continue;
		}
		if ((c->sw & 0xFF00) != SW_BYTES_READY)
			break;
		a = (struct command_apdu){ .cla = apdu_cla(0x00, c->channel),
			.ins = INS_GET_RESPONSE,
			.has_le = true,
			.ne = (c->sw & 0xFF) == 0 ? 256 : c->sw & 0xFF };
	}
	c->answer = buf_bytes(&all);
	if (all.failed)
		return PROSE_NO_SPACE;
	(void)snprintf(c->error, sizeof c->error, "%s (%04X)", sw_text(c->sw), c->sw);
	return sw_commits((enum sw)c->sw) && (c->sw & 0xFFF0) != SW_TRIES_LEFT ? PROSE_OK : PROSE_REFUSED;
}
