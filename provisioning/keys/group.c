/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "apdu/tlv.h"
#include "crypto/guarded/sakke.h"
#include "protocols/mikey/keys/sakke_message.h"
#include "provisioning/keys/group.h"
#include "provisioning/keys/kms_log.h"

/* For the phone to fetch (group_service.c). */
static enum status put_away(struct db *db, uint64_t now, enum db_item_kind kind, const char *group, const char *user,
        const char *iccid, uint32_t gmk_id, struct bytes body)
{
	struct db_item i = { .at = now, .gmk_id = gmk_id, .kind = kind };

	(void)snprintf(i.iccid, sizeof i.iccid, "%s", iccid);
	(void)snprintf(i.group, sizeof i.group, "%s", group);
	(void)snprintf(i.uri, sizeof i.uri, "%s", user);
	return db_outbox_add(db, &i, body);
}

void group_record_put(struct buf *b, const struct db_group *g)
{
	tlv_put(b, GROUP_URI, bytes_str(g->uri));
	tlv_put(b, GROUP_SIGNER_URI, bytes_str(g->manager_uri));
	tlv_put_uint(b, GROUP_POLICY, 1, g->policy);
}

enum status group_record(struct db *db, const char *group, const char *user, uint64_t now, struct buf *out)
{
	uint8_t raw[512];
	struct buf b = BUF_OF(raw);
	struct db_group g;
	char iccid[21];

	TRY(db_group_get(db, group, &g));
	TRY(db_user_card(db, user, iccid));
	group_record_put(&b, &g);
	TRY(buf_status(&b));
	TRY(operator_seal(db, iccid, SEALED_GROUP, bytes_str(g.uri), 0, UINT64_MAX, buf_bytes(&b), out));
	return put_away(db, now, ITEM_SEALED, group, user, iccid, 0, buf_bytes(out));
}

/* The signer's keys of one period, on a member's card. */
static enum status seal_signer(struct db *db, const struct kms *k, const struct db_group *g, uint64_t now, uint64_t when,
        const char *iccid, struct buf *out)
{
	SECRET_LARGE payload = { 0 };
	__attribute__((cleanup(kms_signer_wipe))) struct kms_signer s = { 0 };
	struct buf b = { payload.data, 0, sizeof payload.data, false };
	uint64_t period = mikey_period_number(&k->identity, when);

	TRY(kms_signer_new(k, g->manager_uri, when, &s));
	tlv_put(&b, KEYSET_KMS_URI, k->identity.uri);
	tlv_put(&b, KEYSET_USER_URI, bytes_str(g->manager_uri));
	tlv_put_uint(&b, KEYSET_PERIOD_NUMBER, 8, period);
	tlv_put(&b, KEYSET_SSK, secret_bytes(&s.ssk));
	tlv_put(&b, KEYSET_PVT, BYTES_OF(s.pvt));
	TRY(buf_status(&b));
	TRY(operator_seal(db, iccid, SEALED_GROUP_SIGNER, bytes_str(g->manager_uri), 0, UINT64_MAX, buf_bytes(&b), out));
	return kms_log_append(db, now, iccid, g->manager_uri, period);
}

enum status group_delegate(struct db *db, const char *group, const char *user, uint64_t now, struct buf *out)
{
	KMS k = { 0 };
	struct db_group g;
	struct buf next = { out->p, 0, 0, false };
	char iccid[21];

	TRY(db_group_get(db, group, &g));
	TRY(db_user_card(db, user, iccid));
	TRY(kms_load(db, &k));
	TRY(seal_signer(db, &k, &g, now, now, iccid, out));
	TRY(put_away(db, now, ITEM_SEALED, group, user, iccid, 0, buf_bytes(out)));
	if (mikey_period_number(&k.identity, now + k.record.period / KMS_EARLY) == mikey_period_number(&k.identity, now))
		return OK;
	next = (struct buf){ out->p + out->len, 0, out->cap - out->len, false };
	TRY(seal_signer(db, &k, &g, now, now + k.record.period / KMS_EARLY, iccid, &next));
	out->len += next.len;
	return put_away(db, now, ITEM_SEALED, group, user, iccid, 0, buf_bytes(&next));
}

/* ---- the order of a group's keys -------------------------------------------------------------------------------------------
 */

uint64_t group_number(uint64_t n)
{
	return n * ORDER_STEP;
}

uint64_t group_floor(uint64_t n)
{
	return n > 0 ? group_number(n) - 1 : 0;
}

struct ordering {
	struct db *db;
	const struct mikey_kms *kms;
	struct gmk_order *order;
	uint64_t floor, lowest; /* nobody talks under those before `floor`; the oldest key that is not over */
};

static void note_key(void *context, const struct db_gmk *k)
{
	struct ordering *o = context;

	o->lowest = k->number;
	if (k->number < o->floor)
		order_revoke(o->order, k->id);
}

/* By the KMS that a card takes for the user's. */
static enum status name_excluded(void *context, const char *user, bool strict)
{
	const struct ordering *o = context;
	const char *at = strrchr(user, '@');
	struct db_external_kms k;
	struct mikey_kms kms = *o->kms;
	uint8_t uid[MIKEY_UID_LEN];

	if (at != NULL && db_external_kms_get(o->db, at + 1, &k) == OK)
		kms = (struct mikey_kms){ bytes_str(k.uri), k.period, k.offset };
	TRY(mikey_uid(&kms, bytes_str(user), mikey_period_number(&kms, o->order->at), uid));
	order_exclude(o->order, uid);
	o->order->strict = o->order->strict || strict;
	return OK;
}

enum status group_order(
        struct db *db, const struct mikey_kms *kms, const char *group, uint64_t now, uint64_t *n, struct gmk_order *out)
{
	struct ordering o = { .db = db, .kms = kms, .order = out };
	size_t excluded;

	TRY(db_group_issue(db, group, n));
	TRY(db_excluded_by(db, group, *n, &excluded));
	if (excluded > 0)
		TRY(db_group_set_floor(db, group, *n));
	TRY(db_group_floor(db, group, &o.floor));
	*out = (struct gmk_order){ .number = group_number(*n), .floor = group_floor(o.floor), .at = now };
	o.lowest = *n - 1;
	TRY(db_gmk_each(db, group, now, note_key, &o));
	TRY(db_excluded_forget(db, group, o.lowest));
	return kms != NULL ? db_excluded_each(db, group, name_excluded, &o) : OK;
}

enum status group_exclude(struct db *db, const char *group, const char *user, bool strict)
{
	TRY(db_member_set(db, group, user, false));
	TRY(db_guest_set(db, group, user, false));
	TRY(db_excluded_add(db, group, user, strict));
	return db_outbox_withdraw(db, group, user);
}

/* ---- a new GMK for all members ---------------------------------------------------------------------------------------------
 */

enum { TABLES_PAY = 12, THREADS_MAX = 16, THREAD_MEMBERS = 64 }; /* fewer members: tables take longer than they save */

struct member {
	char uri[PROSE_URI_MAX + 1], iccid[21];
	uint8_t uid[MIKEY_UID_LEN];
};

struct rekey {
	struct db *db;
	struct kms kms;
	struct kms_signer signer;
	struct db_group group;
	struct gmk_message message;
	struct member *member;
	uint8_t (*data)[SAKKE_DATA_LEN]; /* each one's encapsulation; or NULL */
	size_t own, count, room;         /* guests come behind our own */
};

static void rekey_wipe(struct rekey *r)
{
	free(r->member);
	free(r->data);
	secret_clean(r, sizeof *r);
}

static enum status make_room(struct rekey *r, const char *user, struct member **out)
{
	struct member *m;

	if (r->count == r->room) {
		r->room = r->room == 0 ? 64 : 2 * r->room;
		if ((m = realloc(r->member, r->room * sizeof *m)) == NULL)
			return ERR_NO_SPACE;
		r->member = m;
	}
	*out = m = &r->member[r->count++];
	*m = (struct member){ 0 };
	(void)snprintf(m->uri, sizeof m->uri, "%s", user);
	return OK;
}

static enum status add_member(void *context, const char *user)
{
	struct rekey *r = context;
	struct member *m;

	TRY(make_room(r, user, &m));
	r->own = r->count;
	TRY(db_user_card(r->db, user, m->iccid));
	return mikey_uid(&r->kms.identity, bytes_str(user), mikey_period_number(&r->kms.identity, r->message.now), m->uid);
}

static enum status add_guest(void *context, const char *user)
{
	struct member *m;

	return make_room(context, user, &m);
}

/* For another agency's user: encapsulated under its KMS. */
static enum status build_for_guest(struct rekey *r, const char *user, struct buf *out)
{
	const char *at = strrchr(user, '@');
	struct db_external_kms k;
	struct mikey_kms kms;

	TRY(db_external_kms_get(r->db, at != NULL ? at + 1 : "", &k));
	kms = (struct mikey_kms){ bytes_str(k.uri), k.period, k.offset };
	r->message.member_kms = &kms;
	r->message.z = k.keys;
	r->message.sakke_data = NULL;
	return gmk_message_build(&rng_system, &r->message, out);
}

/* One thread's members. */
struct share {
	pthread_t thread;
	const struct rekey *rekey;
	const struct sakke_kms *tables;
	size_t first, count;
	bool started;
	enum status st;
};

static void *encapsulate_share(void *argument)
{
	struct share *s = argument;
	const struct rekey *r = s->rekey;
	struct bytes id[THREAD_MEMBERS * 4];

	for (size_t done = 0; s->st == OK && done < s->count;) {
		size_t n = s->count - done < sizeof id / sizeof *id ? s->count - done : sizeof id / sizeof *id;

		for (size_t i = 0; i < n; i++)
			id[i] = (struct bytes){ r->member[s->first + done + i].uid, MIKEY_UID_LEN };
		s->st = sakke_kms_encapsulate_many(s->tables, n, id, &r->message.gmk, r->data + s->first + done);
		done += n;
	}
	return NULL;
}

/* All members' encapsulations, on all processors. */
static enum status encapsulate(struct rekey *r)
{
	struct share share[THREADS_MAX] = { 0 };
	struct sakke_kms *tables;
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	size_t threads = r->own / THREAD_MEMBERS + 1;
	enum status st;

	if (processors > 0 && threads > (size_t)processors)
		threads = (size_t)processors;
	if (threads > THREADS_MAX)
		threads = THREADS_MAX;
	if ((r->data = calloc(r->own, sizeof *r->data)) == NULL)
		return ERR_NO_SPACE;
	TRY(sakke_kms_open(r->kms.public_key, &tables));
	for (size_t i = 0; i < threads; i++) {
		size_t first = r->own * i / threads;

		share[i] = (struct share){
			.rekey = r, .tables = tables, .first = first, .count = r->own * (i + 1) / threads - first, .st = OK
		};
		share[i].started = i > 0 && pthread_create(&share[i].thread, NULL, encapsulate_share, &share[i]) == 0;
		if (i > 0 && !share[i].started)
			(void)encapsulate_share(&share[i]);
	}
	(void)encapsulate_share(&share[0]);
	st = share[0].st;
	for (size_t i = 1; i < threads; i++) {
		if (share[i].started)
			(void)pthread_join(share[i].thread, NULL);
		if (st == OK)
			st = share[i].st;
	}
	sakke_kms_close(&tables);
	return st;
}

enum status group_rekey(struct db *db, const char *group, uint64_t now, uint64_t not_before, uint64_t not_after,
        enum status (*each)(void *, const char *user, const char *iccid, struct bytes message), void *context, uint32_t *gmk_id)
{
	__attribute__((cleanup(rekey_wipe))) struct rekey r = { .db = db };
	struct db_gmk key = { .not_before = not_before, .not_after = not_after };
	uint8_t id[4], rand[MIKEY_RAND_MIN];

	TRY(db_group_get(db, group, &r.group));
	TRY(kms_load(db, &r.kms));
	TRY(kms_signer_new(&r.kms, r.group.manager_uri, now, &r.signer));
	r.message = (struct gmk_message){ .kms = &r.kms.identity,
		.z = r.kms.public_key,
		.signer_uri = bytes_str(r.group.manager_uri),
		.ssk = &r.signer.ssk,
		.pvt = r.signer.pvt,
		.hs = r.signer.hs,
		.now = now,
		.parameters = { .key_type = MIKEY_PURPOSE_GMK,
		        .activation = not_before,
		        .expiry = not_after,
		        .group = bytes_str(r.group.uri) } };
	TRY(rng_secret(&rng_system, &r.message.gmk, GMK_LEN));
	TRY(rng_fill(&rng_system, id, sizeof id));
	TRY(rng_fill(&rng_system, rand, sizeof rand));
	r.message.rand = BYTES_OF(rand);
	*gmk_id = r.message.gmk_id = (uint32_t)bytes_uint(BYTES_OF(id)) & GMK_ID_RANDOM;
	TRY(group_order(db, &r.kms.identity, group, now, &key.number, &r.message.order));
	key.id = *gmk_id;
	TRY(db_gmk_add(db, group, &key, secret_bytes(&r.message.gmk)));
	TRY(db_member_each(db, group, add_member, &r));
	TRY(db_guest_each(db, group, add_guest, &r));
	if (r.own >= TABLES_PAY)
		TRY(encapsulate(&r));
	for (size_t i = 0; i < r.count; i++) { /* each with its own GUK-ID, encapsulation and signature */
		const struct member *m = &r.member[i];
		uint8_t raw[MIKEY_MESSAGE_MAX];
		struct buf b = BUF_OF(raw);

		r.message.member_uri = bytes_str(m->uri);
		r.message.sakke_data = r.data != NULL && i < r.own ? r.data[i] : NULL;
		TRY(i < r.own ? gmk_message_build(&rng_system, &r.message, &b) : build_for_guest(&r, m->uri, &b));
		if (i < r.own)
			TRY(put_away(db, now, ITEM_MIKEY, group, m->uri, m->iccid, *gmk_id, buf_bytes(&b)));
		if (each != NULL)
			TRY(each(context, m->uri, m->iccid, buf_bytes(&b)));
	}
	return OK;
}
