/* SPDX-License-Identifier: Apache-2.0 */
/* Groups whose manager is a card. Ad-hoc groups are made by the members' cards alone, with no server anywhere (seed P-3.1c):
 * who makes one signs its key's messages with his own identity, and the others' users say whom they let do that. A group of the
 * network's can be managed by a card to which the network has given the keys of the group's signer. */
#include "apdu/tlv.h"
#include "card/applets/prose/prose.h"
#include "protocols/mikey/keys/sakke_message.h"

enum { MESSAGE_MAX = MIKEY_MESSAGE_MAX };

struct who {
	struct prose_kms_certificate kms;
	struct prose_key_set key_set; /* of now */
	struct prose_key_set signer;  /* of the group, for a group of the network's */
	uint64_t now, period;
};

static void who_wipe(struct who *w)
{
	secret_clean(w, sizeof *w);
}
#define WHO __attribute__((cleanup(who_wipe))) struct who

static enum sw load_who(struct command *c, struct who *w)
{
	struct bytes time;
	enum status st;

	if (tlv_find(c->data, TAG_TIME, &time) != OK || time.n != 8)
		return SW_WRONG_DATA;
	if ((st = prose_time_accept(c->applet, bytes_uint(time), &w->now)) != OK)
		return sw_of(st);
	if (prose_load_kms(c->applet, &w->kms) != OK)
		return SW_PROSE_NOT_PROVISIONED;
	w->period = mikey_period_number(&w->kms.kms, w->now);
	if ((st = prose_load_key_set(c->applet, w->period, &w->key_set)) == OK && w->key_set.hs == NULL)
		st = ERR_NOT_FOUND;
	return sw_verdict(st, SW_PROSE_NO_KEY);
}

static bool is_uri(struct bytes b)
{
	return b.n > 0 && b.n <= PROSE_URI_MAX;
}

/* Whether this group is the network's, and this card may sign for it. */
static bool manages(struct applet *a, struct who *w, const struct prose_group *g)
{
	return (g->policy & GROUP_POLICY_ADHOC) == 0 && prose_load_signer(a, g->signer_uri, w->period, &w->signer) == OK &&
	       w->signer.hs != NULL;
}

/* A group of this name that is the network's stays the network's. Another signer's keys go with him. */
static enum sw put_group(struct applet *a, struct bytes uri, struct bytes signer, struct prose_group *g)
{
	uint8_t raw[2 * PROSE_URI_MAX + 32];
	struct buf b = BUF_OF(raw);
	struct record_name name;
	enum status st = prose_load_group(a, uri, g);

	if (st == OK && (g->policy & GROUP_POLICY_ADHOC) == 0)
		return SW_PROSE_POLICY;
	if (st == OK && bytes_equal(g->signer_uri, signer))
		return SW_OK;
	if (st == OK)
		st = prose_gmk_forget(a, g);
	if (st != OK && st != ERR_NOT_FOUND)
		return sw_of(st);
	tlv_put(&b, GROUP_URI, uri);
	tlv_put(&b, GROUP_SIGNER_URI, signer);
	tlv_put_uint(&b, GROUP_POLICY, 1, GROUP_POLICY_SIGN | GROUP_POLICY_ADHOC);
	if ((st = buf_status(&b)) != OK || (st = secret_large_set(&g->record, buf_bytes(&b))) != OK ||
	        (st = prose_parse_group(g)) != OK)
		return sw_of(st);
	name = prose_record_name("grp", g->digest);
	return sw_of(applet_put(a, name_bytes(&name), buf_bytes(&b)));
}

/* The users that the command excludes, in the key period of now. */
static enum sw exclude(struct command *c, uint64_t now, struct gmk_order *o, bool *any)
{
	struct bytes in = c->data;
	uint8_t uid[MIKEY_UID_LEN];
	struct tlv t;
	enum status st;

	for (*any = false; in.n > 0;) {
		KMS_CERTIFICATE kms = { 0 };

		if (tlv_next(&in, &t) != OK || (t.tag == TAG_USER_URI && !is_uri(t.value)))
			return SW_WRONG_DATA;
		if (t.tag != TAG_USER_URI)
			continue;
		if ((st = prose_load_kms_of(c->applet, t.value, &kms)) != OK ||
		        (st = mikey_uid(&kms.kms, t.value, mikey_period_number(&kms.kms, now), uid)) != OK)
			return sw_of(st);
		order_exclude(o, uid);
		*any = true;
	}
	return SW_OK;
}

/* What the message of a new key says. Of those excluded before only UIDs of then are known: while a key of theirs lives, the
 * new message is strict. */
static enum sw say_order(struct command *c, const struct prose_group *g, uint64_t now, struct gmk_order *o)
{
	GMKS all = { 0 };
	bool any;
	enum status st;
	enum sw sw;

	*o = (struct gmk_order){ .at = now };
	if ((sw = exclude(c, now, o, &any)) != SW_OK)
		return sw;
	if ((st = prose_gmks_load(c->applet, g->digest, &all)) != OK ||
	        (st = prose_next_number(c->applet, g, &o->number)) != OK)
		return sw_of(st);
	o->floor = any ? o->number - 1 : 0;
	for (size_t i = 0; i < all.n; i++)
		if (all.key[i].says.floor > o->floor)
			o->floor = all.key[i].says.floor;
	for (size_t i = 0; i < all.n; i++) {
		const struct prose_gmk *k = &all.key[i];

		if (o->floor == 0 || k->not_after <= now || k->says.number > o->floor)
			continue;
		order_revoke(o, k->id);
		o->strict = o->strict || prose_gmk_ended_by(&all, k->rank, k->id, UINT64_MAX, 0) != NULL;
	}
	return SW_OK;
}

static enum sw create(struct command *c)
{
	WHO w = { 0 };
	GROUP group = { 0 };
	GMK gmk = { 0 };
	struct bytes uri, until;
	uint8_t id[4];
	bool managed;
	enum status st;
	enum sw sw = load_who(c, &w);

	if (sw != SW_OK)
		return sw;
	if (tlv_find(c->data, TAG_GROUP_URI, &uri) != OK || !is_uri(uri) || tlv_find(c->data, TAG_NOT_AFTER, &until) != OK ||
	        until.n != 8)
		return SW_WRONG_DATA;
	gmk.stamp = mikey_ntp(w.now);
	gmk.not_before = w.now;
	gmk.not_after = bytes_uint(until);
	if (gmk.not_after <= w.now || gmk.not_after - w.now > PROSE_ADHOC_LIFE_MAX)
		return SW_PROSE_TIME;
	managed = prose_load_group(c->applet, uri, &group) == OK && manages(c->applet, &w, &group);
	if (!managed && (sw = put_group(c->applet, uri, w.key_set.user_uri, &group)) != SW_OK)
		return sw;
	if ((st = rng_secret(c->card->env.rng, &gmk.key, GMK_LEN)) != OK ||
	        (st = rng_fill(c->card->env.rng, id, sizeof id)) != OK ||
	        (st = rng_fill(c->card->env.rng, gmk.rand, MIKEY_RAND_MIN)) != OK)
		return sw_of(st);
	gmk.prf = MIKEY_PRF_SHA256;
	gmk.rand_len = MIKEY_RAND_MIN;
	gmk.id = ((uint32_t)bytes_uint(BYTES_OF(id)) & GMK_ID_RANDOM) | (managed ? 0 : GMK_ID_ADHOC);
	if ((sw = say_order(c, &group, w.now, &gmk.says)) != SW_OK)
		return sw;
	gmk.rank = prose_rank(&gmk.says, gmk.stamp);
	if ((st = prose_gmk_put(c->applet, &group, &gmk)) != OK)
		return sw_of(st);
	tlv_put(c->rsp, TAG_GROUP_URI, group.uri);
	tlv_put_uint(c->rsp, TAG_GMK_ID, 4, gmk.id);
	tlv_put_uint(c->rsp, TAG_NOT_BEFORE, 8, gmk.not_before);
	tlv_put_uint(c->rsp, TAG_NOT_AFTER, 8, gmk.not_after);
	return SW_OK;
}

/* The group's latest key. */
static bool newest(struct applet *a, const struct prose_group *g, uint64_t now, struct prose_gmk *out)
{
	GMKS all = { 0 };
	const struct prose_gmk *best = NULL;

	if (prose_gmks_load(a, g->digest, &all) != OK)
		return false;
	for (size_t i = 0; i < all.n; i++)
		if (all.key[i].not_after > now && (best == NULL || prose_gmk_newer(&all.key[i], best)))
			best = &all.key[i];
	if (best != NULL)
		*out = *best;
	return best != NULL;
}

/* One member: the whole I_MESSAGE, encapsulated and signed here. */
static enum sw invite(struct command *c)
{
	WHO w = { 0 };
	GROUP group = { 0 };
	GMK gmk = { 0 };
	const struct prose_key_set *signer;
	struct gmk_message m;
	KMS_CERTIFICATE members = { 0 };
	struct bytes uri, member;
	uint8_t raw[MESSAGE_MAX], uid[MIKEY_UID_LEN];
	struct buf b = BUF_OF(raw);
	enum status st;
	enum sw sw = load_who(c, &w);

	if (sw != SW_OK)
		return sw;
	if (tlv_find(c->data, TAG_GROUP_URI, &uri) != OK || tlv_find(c->data, TAG_USER_URI, &member) != OK || !is_uri(member))
		return SW_WRONG_DATA;
	if ((st = prose_load_group(c->applet, uri, &group)) != OK)
		return sw_verdict(st, SW_PROSE_NO_KEY);
	signer = manages(c->applet, &w, &group) ? &w.signer : &w.key_set;
	if (!bytes_equal(group.signer_uri, signer->user_uri) ||
	        (signer == &w.key_set && (group.policy & GROUP_POLICY_ADHOC) == 0))
		return SW_PROSE_POLICY; /* not this card's to give out */
	if (!newest(c->applet, &group, w.now, &gmk))
		return SW_PROSE_EXPIRED;
	if ((st = prose_load_kms_of(c->applet, member, &members)) != OK ||
	        (st = mikey_uid(&members.kms, member, mikey_period_number(&members.kms, w.now), uid)) != OK)
		return sw_of(st);
	if ((sw = prose_not_revoked(c->applet, &members.kms, BYTES_OF(uid))) != SW_OK)
		return sw;
	m = (struct gmk_message){ .kms = &w.kms.kms,
		.member_kms = &members.kms,
		.z = members.z,
		.signer_uri = signer->user_uri,
		.member_uri = member,
		.ssk = &signer->ssk,
		.pvt = signer->pvt,
		.hs = signer->hs,
		.gmk = gmk.key,
		.gmk_id = gmk.id,
		.rand = { gmk.rand, gmk.rand_len },
		.now = w.now,
		.parameters = { .key_type = MIKEY_PURPOSE_GMK,
		        .activation = gmk.not_before,
		        .expiry = gmk.not_after,
		        .group = group.uri },
		.order = gmk.says };
	st = gmk_message_build(c->card->env.rng, &m, &b);
	secret_wipe(&m.gmk);
	if (st != OK)
		return sw_of(st);
	tlv_put(c->rsp, TAG_MESSAGE, buf_bytes(&b));
	return SW_OK;
}

/* The user lets this identity send the group's keys. */
static enum sw accept(struct command *c)
{
	GROUP group = { 0 };
	struct bytes uri, signer;

	if (tlv_find(c->data, TAG_GROUP_URI, &uri) != OK || !is_uri(uri) || tlv_find(c->data, TAG_SENDER_URI, &signer) != OK ||
	        !is_uri(signer))
		return SW_WRONG_DATA;
	return put_group(c->applet, uri, signer, &group);
}

enum sw prose_cmd_adhoc(struct command *c)
{
	switch (c->p1) {
	case ADHOC_CREATE: return create(c);
	case ADHOC_INVITE: return invite(c);
	case ADHOC_ACCEPT: return accept(c);
	default: return SW_WRONG_P1P2;
	}
}
