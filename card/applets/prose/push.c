/* SPDX-License-Identifier: Apache-2.0 */
/* Keys that the network and this card have from GBA (seed S-3.2, TS 33.220 and 33.223): objects sealed under them, group keys
 * that come so, and what the card vouches for. Only in a domain that has named the server, which no sovereign one does. */
#include "apdu/push.h"

#include <string.h>

#include "apdu/gba.h"
#include "apdu/tlv.h"
#include "card/applets/prose/prose.h"
#include "card/applets/usim/usim.h"
#include "crypto/guarded/gba.h"
#include "crypto/common/hash.h"
#include "protocols/mikey/message.h"

static const struct bytes naf_name = { (const uint8_t *)"naf", 3 };

/* Whoever could push into a sovereign domain would not need its transport keys. */
static bool sovereign(const struct applet *a)
{
	return a->domain < a->card->applet_count && a->card->applet[a->domain].sovereign;
}

enum status prose_gba_key(struct applet *a, const char *label, struct secret *out)
{
	SECRET_LARGE naf_id = { 0 };
	SECRET internal = { 0 };

	if (sovereign(a))
		return ERR_NOT_FOUND;
	TRY(applet_get(a, naf_name, &naf_id));
	TRY(usim_internal_key(a->card, secret_large_bytes(&naf_id), &internal));
	return gba_label_key(&internal, label, out);
}

enum status prose_set_naf(struct applet *a, struct bytes id)
{
	if (id.n < 6 || id.n > NAF_ID_MAX)
		return ERR_MALFORMED;
	return sovereign(a) ? ERR_DENIED : applet_put(a, naf_name, id);
}

enum sw prose_install_naf(struct applet *a, struct bytes payload)
{
	struct bytes id;
	enum status st;

	if (tlv_find(payload, NAF_ID, &id) != OK)
		return SW_WRONG_DATA;
	st = prose_set_naf(a, id);
	return st == ERR_DENIED ? SW_PROSE_POLICY : sw_of(st);
}

/* GROUP_KEY_NUMBER and _FLOOR, or neither. */
static bool take_number(struct bytes payload, struct gmk_order *out)
{
	struct bytes number, floor;

	if (tlv_find(payload, GROUP_KEY_NUMBER, &number) != OK)
		return true;
	if (number.n != 8 || tlv_find(payload, GROUP_KEY_FLOOR, &floor) != OK || floor.n != 8)
		return false;
	out->number = bytes_uint(number);
	out->floor = bytes_uint(floor);
	return out->number > 0 && out->number < ORDER_NUMBER_END && out->floor < out->number;
}

/* The same key once more: whoever joins again gets it. */
static bool is_here(struct applet *a, const struct prose_group *group, const struct prose_gmk *k)
{
	GMKS all = { 0 };

	if (prose_gmks_load(a, group->digest, &all) != OK)
		return false;
	for (size_t i = 0; i < all.n; i++)
		if (all.key[i].id == k->id && all.key[i].rank == k->rank)
			return true;
	return false;
}

/* A GMK whole: for a group of the network's that this card knows. RAND, for gmk-direct, is of the key. */
enum sw prose_install_group_key(struct applet *a, struct bytes payload)
{
	GROUP group = { 0 };
	GMK g = { 0 };
	struct bytes uri, id, key, from, to, made, label = BYTES_STR("prose-rand");
	uint64_t now;
	enum status st;
	enum sw sw;

	if (tlv_find(payload, GROUP_KEY_URI, &uri) != OK || tlv_find(payload, GROUP_KEY_ID, &id) != OK || id.n != 4 ||
	        tlv_find(payload, GROUP_KEY_GMK, &key) != OK || key.n != GMK_LEN || secret_repeats(key) ||
	        tlv_find(payload, GROUP_KEY_NOT_BEFORE, &from) != OK || from.n != 8 ||
	        tlv_find(payload, GROUP_KEY_NOT_AFTER, &to) != OK || to.n != 8 ||
	        tlv_find(payload, GROUP_KEY_MADE, &made) != OK || made.n != 8 || bytes_uint(id) > GMK_ID_RANDOM)
		return SW_WRONG_DATA;
	if (prose_load_group(a, uri, &group) != OK)
		return SW_PROSE_NO_KEY;
	if ((group.policy & GROUP_POLICY_ADHOC) != 0)
		return SW_PROSE_POLICY;
	if (!take_number(payload, &g.says))
		return SW_WRONG_DATA;
	g.id = (uint32_t)bytes_uint(id);
	g.stamp = mikey_ntp(bytes_uint(made));
	g.rank = prose_rank(&g.says, g.stamp);
	g.not_before = bytes_uint(from);
	g.not_after = bytes_uint(to);
	g.prf = MIKEY_PRF_SHA256;
	g.rand_len = MIKEY_RAND_MIN;
	if ((st = secret_set(&g.key, key)) != OK || (st = hmac_sha256(key, &label, 1, g.rand)) != OK)
		return sw_of(st);
	if ((st = prose_time_effective(a, &now)) != OK)
		return sw_of(st);
	sw = is_here(a, &group, &g) ? SW_OK : prose_gmk_admit(a, &group, &g, now);
	return sw != SW_OK ? sw : sw_of(prose_gmk_put(a, &group, &g));
}

/* The users that the phone names, as elements of the message. */
static enum status take_users(struct bytes in, struct buf *out)
{
	struct tlv t;

	while (in.n > 0) {
		TRY(tlv_next(&in, &t));
		if (t.tag == TAG_USER_URI)
			vouched_put_user(out, t.value);
	}
	return buf_status(out);
}

_Static_assert((int)VOUCHED_MAX / 2 >= (int)PROSE_REQUEST_MAX, "the users of a command fit its answer");
enum sw prose_cmd_vouch(struct command *c)
{
	SECRET key = { 0 };
	static const uint8_t none = 0;
	uint8_t nonce[VOUCHED_NONCE_LEN], mac[SHA256_LEN], users_raw[VOUCHED_MAX / 2], raw[VOUCHED_MAX];
	struct buf users = BUF_OF(users_raw), b = BUF_OF(raw);
	struct vouched v = { .type = (enum vouched_type)c->p1, .nonce = BYTES_OF(nonce), .invitation = { &none, 0 } };
	struct bytes until, body;
	enum status st;

	if (c->p1 < VOUCHED_CREATE || c->p1 > VOUCHED_REMOVE)
		return SW_WRONG_P1P2;
	if (tlv_find(c->data, TAG_GROUP_URI, &v.group) != OK || tlv_find(c->data, TAG_SENDER_URI, &v.user) != OK ||
	        tlv_find(c->data, TAG_NAME, &v.btid) != OK || tlv_find(c->data, TAG_NOT_AFTER, &until) != OK || until.n != 8 ||
	        take_users(c->data, &users) != OK)
		return SW_WRONG_DATA;
	if (c->p1 == VOUCHED_JOIN && tlv_find(c->data, TAG_MESSAGE, &v.invitation) != OK)
		v.invitation = (struct bytes){ &none, 0 };
	v.users = buf_bytes(&users);
	v.expires = bytes_uint(until);
	if ((st = prose_gba_key(c->applet, GBA_LABEL_JOIN, &key)) != OK)
		return sw_verdict(st, SW_PROSE_NO_KEY);
	if ((st = rng_fill(c->card->env.rng, nonce, sizeof nonce)) != OK)
		return sw_of(st);
	vouched_put_body(&b, &v);
	body = buf_bytes(&b);
	if ((st = buf_status(&b)) != OK || (st = hmac_sha256(secret_bytes(&key), &body, 1, mac)) != OK)
		return sw_of(st);
	vouched_put(c->rsp, body, mac);
	return SW_OK;
}
