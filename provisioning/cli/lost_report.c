/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/cli/lost_report.h"

#include <stdio.h>
#include <string.h>

#include "provisioning/campaign/campaign.h"
#include "provisioning/keys/kms.h"

void lost_campaign_name(const char *iccid, char out[static LOST_CAMPAIGN_MAX + 1])
{
	(void)snprintf(out, LOST_CAMPAIGN_MAX + 1, "revoke %s", iccid);
}

/* What is put together. */
struct report {
	struct db *db;
	uint64_t now;
	struct db_card card;
	struct kms *kms; /* NULL: there is none */
	json_t *all, *list;
	enum status st;
};

static bool starved; /* something of the report is missing for want of memory */

static void set(json_t *j, const char *name, json_t *value)
{
	starved = json_object_set_new(j, name, value) != 0 || starved;
}

static void append(json_t *list, json_t *value)
{
	starved = json_array_append_new(list, value) != 0 || starved;
}

static json_t *number(uint64_t n)
{
	return json_integer((json_int_t)n);
}

static void add_text(void *context, const char *text)
{
	append(context, json_string(text));
}

/* ---- who has it now, and what its users' keys are still good for ----------------------------------------------------- */

static void put_hss(struct report *r)
{
	char holder[21];
	json_t *j = json_object();

	set(j, "vectors", json_false());
	if (r->card.duplicate_of[0] != 0)
		set(j, "imsi_of", json_string(r->card.duplicate_of));
	else if (db_card_by_imsi(r->db, r->card.imsi, holder) == OK && strcmp(holder, r->card.iccid) != 0)
		set(j, "imsi_of", json_string(holder));
	set(r->all, "hss", j);
}

static void put_user(void *context, const struct db_lost_user *u)
{
	struct report *r = context;
	json_t *j = json_object(), *groups = json_array();
	enum status st = db_lost_signed(r->db, u->uri, add_text, groups);

	set(j, "user", json_string(u->uri));
	set(j, "period", number(u->period));
	set(j, "until", number(u->period > 0 && r->kms != NULL ? kms_period_end(r->kms, u->period) : 0));
	set(j, "signs_for", groups);
	append(r->list, j);
	r->st = r->st == OK ? st : r->st;
}

static enum status put_users(struct report *r)
{
	r->list = json_array();
	set(r->all, "users", r->list);
	TRY(db_lost_users(r->db, r->card.iccid, put_user, r));
	return r->st;
}

static enum status put_list(struct report *r)
{
	uint8_t raw[REVOKED_LIST_MAX];
	struct buf b = BUF_OF(raw);
	struct bytes n, uids;
	json_t *j, *waiting;
	enum status st;

	if (r->kms == NULL || (st = db_revoked_get(r->db, r->kms->record.uri, &b)) == ERR_NOT_FOUND)
		return OK;
	TRY(st);
	TRY(tlv_find(buf_bytes(&b), REVOKED_NUMBER, &n));
	TRY(tlv_find(buf_bytes(&b), REVOKED_UIDS, &uids));
	waiting = json_array();
	TRY(db_lost_waiting(r->db, r->kms->record.uri, bytes_uint(n), add_text, waiting));
	j = json_object();
	set(j, "number", number(bytes_uint(n)));
	set(j, "key_sets", number(uids.n / REVOKED_UID_LEN));
	set(j, "waiting", waiting);
	set(r->all, "list", j);
	return OK;
}

/* ---- groups ----------------------------------------------------------------------------------------------------------- */

struct keys {
	uint64_t by;         /* the number of the key that ends others */
	uint64_t old, until; /* the latest of those, and when the last of them is over */
};

static void note_key(void *context, const struct db_gmk *k)
{
	struct keys *keys = context;

	if (keys->by != 0 && k->number >= keys->by)
		return;
	keys->old = k->number > keys->old ? k->number : keys->old;
	keys->until = k->not_after > keys->until ? k->not_after : keys->until;
}

static enum status add_guest(void *context, const char *uri)
{
	add_text(context, uri);
	return OK;
}

static enum status fill_group(struct report *r, const struct db_lost_group *g, json_t *j)
{
	struct keys keys = { .by = g->number };
	struct db_group group;
	json_t *without = json_array(), *guests = json_array();

	set(j, "without_new", without);
	set(j, "guests", guests);
	TRY(db_group_get(r->db, g->group, &group));
	TRY(db_gmk_each(r->db, g->group, r->now, note_key, &keys));
	TRY(db_lost_without(r->db, g->group, g->number != 0 ? g->number : UINT32_MAX, add_text, without));
	TRY(db_guest_each(r->db, g->group, add_guest, guests));
	set(j, "group", json_string(g->group));
	set(j, "old_key", number(keys.old));
	set(j, "new_key", number(g->number));
	set(j, "listening", json_string(g->strict || (group.policy & GROUP_POLICY_LISTEN) == 0 ? "strict" : "listen"));
	set(j, "hears_until",
	        number(json_array_size(without) + json_array_size(guests) > 0 || g->number == 0 ? keys.until : 0));
	return OK;
}

static void put_group(void *context, const struct db_lost_group *g)
{
	struct report *r = context;
	json_t *j = json_object();
	enum status st = fill_group(r, g, j);

	append(r->list, j);
	r->st = r->st == OK ? st : r->st;
}

static enum status put_groups(struct report *r)
{
	r->list = json_array();
	set(r->all, "groups", r->list);
	TRY(db_lost_groups(r->db, r->card.iccid, put_group, r));
	return r->st;
}

/* ---- the card -------------------------------------------------------------------------------------------------------- */

static void take_result(void *context, const struct campaign_result *t)
{
	json_t *j = context;

	set(j, "state", json_string(task_state_text(t->state)));
	set(j, "reason", json_string(t->reason));
	set(j, "tries", number(t->tries));
}

struct last {
	char prefix[LOST_CAMPAIGN_MAX + 1];
	struct campaign c;
};

static void keep_last(void *context, const struct campaign *c)
{
	struct last *l = context;

	if (strncmp(c->name, l->prefix, strlen(l->prefix)) == 0)
		l->c = *c;
}

static enum status put_card(struct report *r)
{
	struct last l = { .c = { .name = "" } };
	json_t *j = json_object();

	set(r->all, "card", j);
	lost_campaign_name(r->card.iccid, l.prefix);
	TRY(campaign_each(r->db, false, keep_last, &l));
	if (l.c.name[0] == 0)
		return OK;
	set(j, "campaign", json_string(l.c.name));
	set(j, "campaign_state", json_string(campaign_state_text(l.c.state)));
	set(j, "number", json_string(r->card.msisdn));
	set(j, "until", number(l.c.expires / 1000));
	return campaign_results(r->db, l.c.name, take_result, j);
}

/* A phone may have fetched one at the last moment. */
static enum status put_permission(void *context, const struct db_permission *p)
{
	static const char *const names[] = { "announce", "monitor", "communicate" };
	struct report *r = context;
	json_t *j = json_object(), *rights = json_array();

	for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
		if ((p->rights & 1U << i) != 0)
			add_text(rights, names[i]);
	set(j, "plmn", json_string(p->plmn));
	set(j, "rights", rights);
	set(j, "until", number(r->card.revoked + p->valid));
	if (json_array_size(rights) > 0)
		append(r->list, j);
	else
		json_decref(j);
	return OK;
}

static enum status put_permissions(struct report *r)
{
	r->list = json_array();
	set(r->all, "permissions", r->list);
	return db_permission_each(r->db, r->card.iccid, put_permission, r);
}

static void put_event(void *context, uint64_t at, const char *campaign, const char *what)
{
	struct report *r = context;
	char prefix[LOST_CAMPAIGN_MAX + 1];
	json_t *j;

	lost_campaign_name(r->card.iccid, prefix);
	if (strncmp(campaign, prefix, strlen(prefix)) != 0)
		return;
	j = json_object();
	set(j, "at", number(at / 1000));
	set(j, "what", json_string(what));
	append(r->list, j);
}

static enum status put_events(struct report *r)
{
	r->list = json_array();
	set(r->all, "done", r->list);
	return campaign_history(r->db, r->card.iccid, put_event, r);
}

static enum status fill(struct report *r, const char *iccid)
{
	TRY(db_card_get(r->db, iccid, &r->card, NULL));
	set(r->all, "iccid", json_string(iccid));
	set(r->all, "imsi", json_string(r->card.imsi));
	set(r->all, "revoked", number(r->card.revoked));
	put_hss(r);
	TRY(put_users(r));
	TRY(put_list(r));
	TRY(put_groups(r));
	TRY(put_card(r));
	TRY(put_permissions(r));
	return put_events(r);
}

enum status lost_report(struct db *db, uint64_t now, const char *iccid, json_t **out)
{
	KMS kms = { 0 };
	struct report r = { .db = db, .now = now, .all = json_object(), .st = OK };
	enum status st = kms_load(db, &kms);

	*out = r.all;
	starved = false;
	r.kms = st == OK ? &kms : NULL;
	if (st == OK || st == ERR_NOT_FOUND)
		st = fill(&r, iccid);
	if (st == OK && starved)
		st = ERR_NO_MEMORY;
	if (st != OK) {
		json_decref(r.all);
		*out = NULL;
	}
	return st;
}
