/* SPDX-License-Identifier: Apache-2.0 */
#include "apdu/push.h"

#include "apdu/gba.h"
#include "apdu/prose.h"

enum { TAG_USER = 0x84, TAG_MAC = 0x8E };

/* ---- the push message ----------------------------------------------------------------------------------------------- */

void push_put_body(struct buf *b, const struct push *p)
{
	tlv_put(b, 0x80, p->rand);
	tlv_put(b, 0x81, p->autn);
	tlv_put(b, 0x82, p->naf_id);
	tlv_put_uint(b, 0x83, 8, p->expires);
	tlv_put(b, 0x84, p->objects);
}

static void put_whole(struct buf *b, uint32_t tag, struct bytes body, const uint8_t mac[static PUSH_MAC_LEN])
{
	tlv_put_header(b, tag, body.n + 2 + PUSH_MAC_LEN);
	buf_put(b, body);
	tlv_put(b, TAG_MAC, (struct bytes){ mac, PUSH_MAC_LEN });
}

void push_put(struct buf *b, struct bytes body, const uint8_t mac[static PUSH_MAC_LEN])
{
	put_whole(b, TAG_PUSH, body, mac);
}

/* What the MAC covers, and the MAC. */
static enum status take_apart(struct bytes in, uint32_t tag, struct bytes *body, struct bytes *mac)
{
	struct tlv t;

	TRY(tlv_next(&in, &t));
	if (t.tag != tag || in.n != 0 || t.value.n < 2 + PUSH_MAC_LEN)
		return ERR_MALFORMED;
	*body = (struct bytes){ t.value.p, t.value.n - 2 - PUSH_MAC_LEN };
	in = (struct bytes){ t.value.p + body->n, 2 + PUSH_MAC_LEN };
	TRY(tlv_next(&in, &t));
	*mac = t.value;
	return t.tag == TAG_MAC && in.n == 0 ? OK : ERR_MALFORMED;
}

static enum status take(struct bytes *in, uint32_t tag, size_t min, size_t max, struct bytes *out)
{
	struct tlv t;

	TRY(tlv_next(in, &t));
	*out = t.value;
	return t.tag == tag && t.value.n >= min && t.value.n <= max ? OK : ERR_MALFORMED;
}

enum status push_parse(struct bytes in, struct push *p)
{
	struct bytes rest, expires;

	*p = (struct push){ 0 };
	TRY(take_apart(in, TAG_PUSH, &p->maced, &p->mac));
	rest = p->maced;
	TRY(take(&rest, 0x80, 16, 16, &p->rand));
	TRY(take(&rest, 0x81, 16, 16, &p->autn));
	TRY(take(&rest, 0x82, 6, NAF_ID_MAX, &p->naf_id));
	TRY(take(&rest, 0x83, 8, 8, &expires));
	TRY(take(&rest, 0x84, 1, PUSH_MAX, &p->objects));
	p->expires = bytes_uint(expires);
	return rest.n == 0 ? OK : ERR_MALFORMED;
}

/* ---- what a card vouches for ---------------------------------------------------------------------------------------- */

void vouched_put_body(struct buf *b, const struct vouched *v)
{
	tlv_put_uint(b, 0x80, 1, v->type);
	tlv_put(b, 0x81, v->group);
	tlv_put(b, 0x82, v->user);
	tlv_put(b, 0x83, v->btid);
	buf_put(b, v->users);
	tlv_put_uint(b, 0x85, 8, v->expires);
	tlv_put(b, 0x86, v->nonce);
	tlv_put(b, 0x87, v->invitation);
}

void vouched_put(struct buf *b, struct bytes body, const uint8_t mac[static PUSH_MAC_LEN])
{
	put_whole(b, TAG_VOUCHED, body, mac);
}

void vouched_put_user(struct buf *users, struct bytes uri)
{
	tlv_put(users, TAG_USER, uri);
}

bool vouched_user(struct bytes *users, struct bytes *uri)
{
	return users->n > 0 && take(users, TAG_USER, 1, PROSE_URI_MAX, uri) == OK;
}

enum status vouched_parse(struct bytes in, struct vouched *v)
{
	struct bytes rest, type, expires, user;

	*v = (struct vouched){ 0 };
	TRY(take_apart(in, TAG_VOUCHED, &v->maced, &v->mac));
	rest = v->maced;
	TRY(take(&rest, 0x80, 1, 1, &type));
	TRY(take(&rest, 0x81, 1, PROSE_URI_MAX, &v->group));
	TRY(take(&rest, 0x82, 1, PROSE_URI_MAX, &v->user));
	TRY(take(&rest, 0x83, 1, BTID_MAX, &v->btid));
	v->users = rest;
	while (rest.n > 0 && rest.p[0] == TAG_USER)
		TRY(take(&rest, TAG_USER, 1, PROSE_URI_MAX, &user));
	v->users.n -= rest.n;
	TRY(take(&rest, 0x85, 8, 8, &expires));
	TRY(take(&rest, 0x86, VOUCHED_NONCE_LEN, VOUCHED_NONCE_LEN, &v->nonce));
	TRY(take(&rest, 0x87, 0, VOUCHED_MAX, &v->invitation));
	v->expires = bytes_uint(expires);
	v->type = (enum vouched_type)type.p[0];
	return rest.n == 0 && v->type >= VOUCHED_CREATE && v->type <= VOUCHED_REMOVE ? OK : ERR_MALFORMED;
}
