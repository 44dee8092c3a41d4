/* SPDX-License-Identifier: Apache-2.0 */
/* The terminal's side of a proactive session (TS 102 223), on the basic channel. */
#include <string.h>

#include "apdu/cat.h"
#include "apdu/tlv.h"
#include "host/lib/session.h"

enum { FETCHES_MAX = 512 };

/* Command details and device identities of a proactive command, as the response must repeat them. */
static bool parse_proactive(struct bytes in, struct prose_proactive *out)
{
	struct tlv outer, t;

	if (tlv_next(&in, &outer) != OK || outer.tag != CAT_TAG_PROACTIVE || in.n != 0)
		return false;
	while (outer.value.n > 0) {
		if (tlv_next(&outer.value, &t) != OK)
			return false;
		if ((t.tag | CAT_COMPREHENSION) == CAT_TAG_DETAILS && t.value.n == 3) {
			out->number = t.value.p[0];
			out->type = t.value.p[1];
			out->qualifier = t.value.p[2];
		}
	}
	return out->type != 0;
}

static enum prose_result respond(struct prose_card *c, const struct prose_proactive *p, uint8_t result)
{
	uint8_t raw[255];
	struct buf b = BUF_OF(raw);
	struct request q = { 0x80, INS_TERMINAL_RESPONSE, 0, 0, { 0 }, 0 };

	tlv_put(&b, CAT_TAG_DETAILS, (struct bytes){ (const uint8_t[]){ p->number, p->type, p->qualifier }, 3 });
	tlv_put(&b, CAT_TAG_DEVICES, (struct bytes){ (const uint8_t[]){ DEVICE_TERMINAL, DEVICE_UICC }, 2 });
	tlv_put_uint(&b, CAT_TAG_RESULT, 1, result);
	if (p->response_length <= sizeof p->response)
		buf_put(&b, (struct bytes){ p->response, p->response_length });
	if (b.failed)
		return PROSE_NO_SPACE;
	q.data = buf_bytes(&b);
	return session_exchange(c, &q);
}

static enum prose_result proactive_session(struct prose_card *c, const uint8_t *profile, size_t n,
        uint8_t (*each)(void *context, struct prose_proactive *), void *context)
{
	struct request q = { 0x80, INS_TERMINAL_PROFILE, 0, 0, { profile, n }, 0 };
	enum prose_result r = PROSE_OK;

	if (n > 0)
		r = session_exchange(c, &q);
	q = (struct request){ 0x80, INS_STATUS, 0x00, 0x0C, { 0 }, 0 };
	if (r == PROSE_OK)
		r = session_exchange(c, &q);
	for (int i = 0; r == PROSE_OK && (c->sw & 0xFF00) == SW_FETCH && i < FETCHES_MAX; i++) {
		struct prose_proactive p = { 0 };

		q = (struct request){ 0x80, INS_FETCH, 0, 0, { 0 }, (c->sw & 0xFF) == 0 ? 256 : c->sw & 0xFF };
		if ((r = session_exchange(c, &q)) != PROSE_OK)
			break;
		p.length = c->answer.n < sizeof p.command ? c->answer.n : sizeof p.command;
		memcpy(p.command, c->answer.p, p.length);
		if (!parse_proactive((struct bytes){ p.command, p.length }, &p))
			r = PROSE_FORMAT;
		else
			r = respond(c, &p, each != NULL ? each(context, &p) : RESULT_BEYOND_CAPABILITIES);
	}
	return r;
}

enum prose_result prose_cat(struct prose_card *c, const uint8_t *profile, size_t n,
        uint8_t (*each)(void *context, struct prose_proactive *), void *context)
{
	enum prose_result r = PROSE_OK;

	for (unsigned round = 0; session_round(c, PLACE_ANY, &round, &r);) {
		unsigned own = c->channel;

		c->channel = 0; /* the toolkit lives on the basic channel */
		r = proactive_session(c, profile, n, each, context);
		c->channel = own;
	}
	return r;
}

enum prose_result prose_cat_envelope(struct prose_card *c, const uint8_t *envelope, size_t n)
{
	const struct request q = { 0x80, INS_ENVELOPE, 0, 0, { envelope, n }, 256 };
	enum prose_result r = PROSE_OK;

	for (unsigned round = 0; session_round(c, PLACE_ANY, &round, &r);) {
		unsigned own = c->channel;

		c->channel = 0;
		r = session_exchange(c, &q);
		c->channel = own;
	}
	return r;
}
