/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/keys/join.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apdu/gba.h"
#include "apdu/push.h"
#include "apdu/tlv.h"
#include "crypto/common/hash.h"
#include "crypto/common/rng.h"
#include "provisioning/keys/group.h"
#include "provisioning/operator.h"

enum { KEY_LIFE = 7 * 86400, PUSH_LIFE = 30 * 86400, MEMBERS_MAX = 4096 };

/* ---- push ----------------------------------------------------------------------------------------------------------- */

struct pusher {
	struct db *db;
	char iccid[21];
	struct seal_keys keys;
	struct secret external;
	uint8_t rand[16], autn[16], naf_id[NAF_ID_MAX], objects_raw[PUSH_MAX / 2];
	size_t naf_id_len;
	struct buf objects;
};

static void pusher_free(struct pusher **p)
{
	if (*p != NULL)
		secret_clean(*p, sizeof **p);
	free(*p);
	*p = NULL;
}

#define PUSHER __attribute__((cleanup(pusher_free))) struct pusher *

static enum status make_keys(struct pusher *p, const struct hss_vector *v, const char *impi)
{
	SECRET ks = { 0 };
	SECRET internal = { 0 };
	struct buf b = { ks.data, 0, sizeof ks.data, false };
	struct bytes naf_id = { p->naf_id, p->naf_id_len };

	buf_put(&b, (struct bytes){ v->ck, v->ck_len });
	buf_put(&b, (struct bytes){ v->ik, v->ik_len });
	TRY(buf_status(&b));
	internal.len = p->external.len = GBA_KEY_LEN;
	TRY(gba_naf_key(GBA_ME, buf_bytes(&b), BYTES_OF(v->rand), bytes_str(impi), naf_id, p->external.data));
	TRY(gba_naf_key(GBA_U, buf_bytes(&b), BYTES_OF(v->rand), bytes_str(impi), naf_id, internal.data));
	return gba_seal_keys(&internal, &p->keys);
}

static enum status begin(struct pusher *p, const char *iccid, const char *naf)
{
	struct hss_vector v = { 0 };
	struct buf naf_id = BUF_OF(p->naf_id);
	struct db_card card;
	char impi[IMPI_MAX];
	enum status st;

	TRY(db_card_get(p->db, iccid, &card, NULL));
	if (card.revoked != 0 || card.duplicate_of[0] != 0)
		return ERR_DENIED;
	TRY(db_gba_impi(p->db, card.imsi, impi));
	TRY(naf_id_of(naf, UA_PROTOCOL, &naf_id));
	p->naf_id_len = naf_id.len;
	(void)snprintf(p->iccid, sizeof p->iccid, "%s", iccid);
	if ((st = hss_vector(p->db, card.imsi, &v)) == OK &&
	        (st = gba_u_mac((struct bytes){ v.ik, v.ik_len }, v.autn + 8)) == OK)
		st = make_keys(p, &v, impi);
	memcpy(p->rand, v.rand, sizeof p->rand);
	memcpy(p->autn, v.autn, sizeof p->autn);
	secret_clean(&v, sizeof v);
	return st;
}

static enum status pusher_new(struct db *db, const char *iccid, const char *naf, struct pusher **out)
{
	enum status st;

	if ((*out = calloc(1, sizeof **out)) == NULL)
		return ERR_NO_SPACE;
	(*out)->db = db;
	(*out)->objects = BUF_OF((*out)->objects_raw);
	if ((st = begin(*out, iccid, naf)) != OK)
		pusher_free(out);
	return st;
}

static enum status pusher_add(struct pusher *p, enum sealed_kind kind, struct bytes name, struct bytes payload)
{
	return operator_seal_under(p->db, p->iccid, &p->keys, kind, name, 0, UINT64_MAX, payload, &p->objects);
}

static enum status pusher_end(struct pusher *p, uint64_t expires, struct buf *out)
{
	const struct push message = { .rand = BYTES_OF(p->rand),
		.autn = BYTES_OF(p->autn),
		.naf_id = { p->naf_id, p->naf_id_len },
		.expires = expires,
		.objects = buf_bytes(&p->objects) };
	uint8_t raw[PUSH_MAX], mac[SHA256_LEN];
	struct buf b = BUF_OF(raw);
	struct bytes body;

	push_put_body(&b, &message);
	TRY(buf_status(&p->objects));
	TRY(buf_status(&b));
	body = buf_bytes(&b);
	TRY(hmac_sha256(secret_bytes(&p->external), &body, 1, mac));
	push_put(out, body, mac);
	return buf_status(out);
}

/* For the card's phone to fetch. */
static enum status put_away(struct db *db, uint64_t now, enum db_item_kind kind, const char *iccid, struct bytes body)
{
	struct db_item i = { .at = now, .kind = kind };

	(void)snprintf(i.iccid, sizeof i.iccid, "%s", iccid);
	return db_outbox_add(db, &i, body);
}

enum status join_naf(struct db *db, uint64_t now, const char *iccid, const char *naf, bool waits, struct buf *out)
{
	uint8_t id_raw[NAF_ID_MAX], raw[NAF_ID_MAX + 8];
	struct buf id = BUF_OF(id_raw), payload = BUF_OF(raw);

	TRY(naf_id_of(naf, UA_PROTOCOL, &id));
	tlv_put(&payload, NAF_ID, buf_bytes(&id));
	TRY(operator_seal(db, iccid, SEALED_NAF, BYTES_STR("naf"), 0, UINT64_MAX, buf_bytes(&payload), out));
	return waits ? put_away(db, now, ITEM_SEALED, iccid, buf_bytes(out)) : OK;
}

enum status join_push(
        struct db *db, uint64_t now, const char *iccid, const char *naf, const char *uri, bool waits, struct buf *out)
{
	PUSHER p = NULL;

	TRY(pusher_new(db, iccid, naf, &p));
	TRY(uri != NULL ? kms_issue(db, NULL, now, &p->keys, iccid, uri, now, &p->objects)
	                : order_new_transport_keys(db, iccid, now, &p->keys, &p->objects));
	TRY(pusher_end(p, now + PUSH_LIFE, out));
	return !waits ? OK : put_away(db, now, uri != NULL ? ITEM_PUSH : ITEM_TRANSPORT, iccid, buf_bytes(out));
}

/* ---- keys ----------------------------------------------------------------------------------------------------------- */

struct key {
	struct db_gmk k;
	uint64_t floor; /* nobody talks under keys before this one */
	struct secret gmk;
};
static void key_wipe(struct key *k)
{
	secret_clean(k, sizeof *k);
}
#define KEY __attribute__((cleanup(key_wipe))) struct key

static enum status new_key(struct db *db, uint64_t now, const char *group, uint64_t life, struct key *k)
{
	struct gmk_order order;
	uint64_t number;
	uint8_t id[4];

	TRY(group_order(db, NULL, group, now, &number, &order));
	TRY(rng_fill(&rng_system, id, sizeof id));
	k->k = (struct db_gmk){ .id = (uint32_t)bytes_uint(BYTES_OF(id)) & GMK_ID_RANDOM,
		.number = number,
		.not_before = now,
		.not_after = now + life };
	TRY(db_group_floor(db, group, &k->floor));
	TRY(rng_secret(&rng_system, &k->gmk, GMK_LEN));
	return db_gmk_add(db, group, &k->k, secret_bytes(&k->gmk));
}

/* Record and key to one member, waiting for his phone. */
static enum status push_key(
        struct db *db, uint64_t now, const struct db_group *g, const char *naf, const char *user, const struct key *k)
{
	SECRET_LARGE payload = { 0 };
	struct buf b = { payload.data, 0, sizeof payload.data, false };
	uint8_t record_raw[512], raw[PUSH_MAX];
	struct buf record = BUF_OF(record_raw), out = BUF_OF(raw);
	struct db_item i = { .at = now, .gmk_id = k->k.id, .kind = ITEM_PUSH };
	PUSHER p = NULL;

	(void)snprintf(i.group, sizeof i.group, "%s", g->uri);
	(void)snprintf(i.uri, sizeof i.uri, "%s", user);
	TRY(db_user_card(db, user, i.iccid));
	TRY(pusher_new(db, i.iccid, naf, &p));
	group_record_put(&record, g);
	tlv_put(&record, GROUP_MEMBER_URI, bytes_str(user));
	TRY(pusher_add(p, SEALED_GROUP, bytes_str(g->uri), buf_bytes(&record)));
	tlv_put(&b, GROUP_KEY_URI, bytes_str(g->uri));
	tlv_put_uint(&b, GROUP_KEY_ID, 4, k->k.id);
	tlv_put(&b, GROUP_KEY_GMK, secret_bytes(&k->gmk));
	tlv_put_uint(&b, GROUP_KEY_NOT_BEFORE, 8, k->k.not_before);
	tlv_put_uint(&b, GROUP_KEY_NOT_AFTER, 8, k->k.not_after);
	tlv_put_uint(&b, GROUP_KEY_MADE, 8, k->k.not_before);
	if (k->k.number > 0) {
		tlv_put_uint(&b, GROUP_KEY_NUMBER, 8, group_number(k->k.number));
		tlv_put_uint(&b, GROUP_KEY_FLOOR, 8, group_floor(k->floor));
	}
	TRY(buf_status(&b));
	TRY(pusher_add(p, SEALED_GROUP_KEY, bytes_str(g->uri), buf_bytes(&b)));
	TRY(pusher_end(p, now + PUSH_LIFE, &out));
	return db_outbox_add(db, &i, buf_bytes(&out));
}

struct members {
	char (*uri)[129];
	size_t n;
};

static enum status note_member(void *context, const char *user)
{
	struct members *m = context;

	if (m->n == MEMBERS_MAX)
		return ERR_NO_SPACE;
	(void)snprintf(m->uri[m->n++], sizeof *m->uri, "%s", user);
	return OK;
}

enum status join_refresh(struct db *db, uint64_t now, const char *group, uint64_t life, unsigned *members)
{
	KEY k = { 0 };
	struct members m = { calloc(MEMBERS_MAX, 129), 0 };
	struct db_joinable j;
	struct db_group g;
	enum status st;

	*members = 0;
	if (m.uri == NULL)
		return ERR_NO_SPACE;
	if ((st = db_joinable_get(db, group, &j)) == OK && (st = db_group_get(db, group, &g)) == OK &&
	        (st = db_member_each(db, group, note_member, &m)) == OK)
		st = new_key(db, now, group, life, &k);
	for (size_t i = 0; st == OK && i < m.n; i++)
		st = push_key(db, now, &g, j.naf, m.uri[i], &k);
	*members = (unsigned)m.n;
	free(m.uri);
	return st;
}

/* ---- requests ------------------------------------------------------------------------------------------------------- */

struct request {
	struct db *db;
	uint64_t now;
	const char *naf;
	char iccid[21]; /* of the connection */
	char group[129], user[129];
	struct vouched v;
	const char *why;
};

static enum status denied(struct request *q, const char *why)
{
	q->why = why;
	return ERR_DENIED;
}

static bool text_of(struct bytes in, char *out, size_t room)
{
	if (in.n >= room || memchr(in.p, 0, in.n) != NULL)
		return false;
	memcpy(out, in.p, in.n);
	out[in.n] = 0;
	return true;
}

/* A card with this B-TID has made the MAC, and it belongs to the user. *iccid: whose card. */
static enum status check_voucher(struct request *q, const struct vouched *v, char iccid[21])
{
	SECRET internal = { 0 };
	SECRET key = { 0 };
	uint8_t raw[NAF_ID_MAX], mac[SHA256_LEN];
	struct buf naf_id = BUF_OF(raw);
	char btid[BTID_MAX], user[129], holder[21];
	struct naf_user u;

	TRY(naf_id_of(q->naf, UA_PROTOCOL, &naf_id));
	if (!text_of(v->btid, btid, sizeof btid) || !text_of(v->user, user, sizeof user))
		return denied(q, "a name that is none");
	if (naf_lookup(q->db, q->now, btid, GBA_U, buf_bytes(&naf_id), &u, &internal) != OK)
		return denied(q, "its B-TID is nobody's, or not any more");
	TRY(gba_label_key(&internal, GBA_LABEL_JOIN, &key));
	TRY(hmac_sha256(secret_bytes(&key), &v->maced, 1, mac));
	if (!secret_equals((struct bytes){ mac, PUSH_MAC_LEN }, v->mac))
		return denied(q, "no card of ours has vouched for this");
	if (db_user_card(q->db, user, holder) != OK || strcmp(holder, u.iccid) != 0)
		return denied(q, "this card is not that user's");
	if (v->expires <= q->now)
		return denied(q, "it is too old");
	(void)snprintf(iccid, 21, "%s", u.iccid);
	return OK;
}

/* Each user that the message names. */
static enum status for_users(struct request *q, enum status (*each)(struct request *, const char *user))
{
	struct bytes users = q->v.users, one;
	char user[129];
	enum status st = OK;

	while (st == OK && vouched_user(&users, &one))
		st = text_of(one, user, sizeof user) ? each(q, user) : denied(q, "a name that is none");
	return st;
}

static enum status invite_user(struct request *q, const char *user)
{
	return db_invited_set(q->db, q->group, user, true);
}

static enum status admit(struct request *q, const struct db_joinable *j)
{
	KEY k = { 0 };
	struct db_group g;
	enum status st = db_gmk_latest(q->db, q->group, q->now, &k.k, &k.gmk);

	if (st == OK)
		st = db_group_floor(q->db, q->group, &k.floor);
	else if (st == ERR_NOT_FOUND)
		st = new_key(q->db, q->now, q->group, KEY_LIFE, &k);
	TRY(st);
	TRY(db_excluded_drop(q->db, q->group, q->user));
	TRY(db_group_get(q->db, q->group, &g));
	TRY(db_member_set(q->db, q->group, q->user, true));
	return push_key(q->db, q->now, &g, j->naf, q->user, &k);
}

static enum status create(struct request *q)
{
	struct db_group g = { 0 };
	struct db_joinable j = { .listed = q->v.users.n > 0 };

	if (db_group_get(q->db, q->group, &g) != ERR_NOT_FOUND)
		return denied(q, "there is a group of this name");
	(void)snprintf(g.uri, sizeof g.uri, "%s", q->group);
	(void)snprintf(g.manager_uri, sizeof g.manager_uri, "%s", q->naf); /* no identity of any KMS: nobody signs for it */
	(void)snprintf(j.owner, sizeof j.owner, "%s", q->user);
	(void)snprintf(j.naf, sizeof j.naf, "%s", q->naf);
	TRY(db_group_add(q->db, &g));
	TRY(db_joinable_add(q->db, q->group, &j));
	TRY(for_users(q, invite_user));
	return admit(q, &j);
}

/* The invitation: by the owner's card, for this user and this group, and in time. */
static enum status check_invitation(struct request *q, const struct db_joinable *j)
{
	struct vouched v;
	struct bytes users, invitee;
	char iccid[21], inviter[129];

	if (vouched_parse(q->v.invitation, &v) != OK || v.type != VOUCHED_INVITATION)
		return denied(q, "this group is joined with an invitation of its owner's");
	TRY(check_voucher(q, &v, iccid));
	users = v.users;
	if (!text_of(v.user, inviter, sizeof inviter) || strcmp(inviter, j->owner) != 0)
		return denied(q, "the invitation is not the group owner's");
	if (!bytes_equal(v.group, q->v.group))
		return denied(q, "the invitation is for another group");
	if (!vouched_user(&users, &invitee) || users.n != 0 || !bytes_equal(invitee, q->v.user))
		return denied(q, "the invitation is for somebody else");
	return db_vouched_use(q->db, q->now, iccid, v.nonce, v.expires) == OK ? OK
	                                                                      : denied(q, "the invitation was used before");
}

static enum status join(struct request *q)
{
	struct db_joinable j;

	if (db_joinable_get(q->db, q->group, &j) != OK)
		return denied(q, "there is no such group to join");
	if (!j.listed)
		TRY(check_invitation(q, &j));
	else if (db_invited_has(q->db, q->group, q->user) != OK)
		return denied(q, "the group's list does not name this user");
	return admit(q, &j);
}

static enum status remove_user(struct request *q, const char *user)
{
	TRY(db_invited_set(q->db, q->group, user, false));
	return group_exclude(q->db, q->group, user, false);
}

static enum status remove_members(struct request *q)
{
	struct db_joinable j;
	unsigned members;

	if (db_joinable_get(q->db, q->group, &j) != OK || strcmp(j.owner, q->user) != 0)
		return denied(q, "only the group's owner may do that");
	TRY(for_users(q, remove_user));
	return join_refresh(q->db, q->now, q->group, KEY_LIFE, &members);
}

enum status join_request(struct db *db, uint64_t now, const char *naf, const char *btid, struct bytes body, const char **why)
{
	static enum status (*const requests[])(
	        struct request *) = { [VOUCHED_CREATE] = create, [VOUCHED_JOIN] = join, [VOUCHED_REMOVE] = remove_members };
	struct request q = { .db = db, .now = now, .naf = naf };
	enum status st;

	*why = "it is no request";
	if (vouched_parse(body, &q.v) != OK || q.v.type >= sizeof requests / sizeof *requests || requests[q.v.type] == NULL ||
	        !text_of(q.v.group, q.group, sizeof q.group) || !text_of(q.v.user, q.user, sizeof q.user))
		return ERR_DENIED;
	if (!bytes_equal(q.v.btid, bytes_str(btid)))
		st = denied(&q, "it is another connection's");
	else if ((st = check_voucher(&q, &q.v, q.iccid)) == OK)
		st = db_vouched_use(db, now, q.iccid, q.v.nonce, q.v.expires) == OK ? requests[q.v.type](&q)
		                                                                    : denied(&q, "it was seen before");
	*why = q.why != NULL ? q.why : "the server cannot do this now";
	return st;
}
