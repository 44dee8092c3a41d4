/* SPDX-License-Identifier: Apache-2.0 */
/* prose-net group: groups, members, new keys, what has been delivered. */
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "apdu/sw.h"
#include "provisioning/cli/net.h"
#include "provisioning/keys/join.h"
#include "provisioning/keys/lost.h"

/* What makes no sense together. */
static const char *policy_wrong(unsigned policy)
{
	const bool direct = (policy & GROUP_POLICY_DIRECT) != 0;

	if ((policy & GROUP_POLICY_EXPORT) != 0 && (!direct || (policy & GROUP_POLICY_IN_CARD) != 0))
		return "`export=period` is for `direct` groups that are not `in-card`";
	if (direct && (policy & (GROUP_POLICY_SHARED | GROUP_POLICY_PROFILE_B | GROUP_POLICY_SIGN)) != 0)
		return "`direct` groups have no offers: nothing to sign, share or have a profile of";
	return NULL;
}

/* What is listened to under a key that a newer one has put an end to. */
static bool listening_of(const char *text, bool *listen)
{
	*listen = text != NULL && strcmp(text, "listen") == 0;
	return text == NULL || *listen || strcmp(text, "strict") == 0;
}

/* Only signed offers show who makes them. */
static bool may_listen(unsigned policy)
{
	return (policy & (GROUP_POLICY_SIGN | GROUP_POLICY_SHARED | GROUP_POLICY_DIRECT)) == GROUP_POLICY_SIGN;
}

int group_create(struct arguments *a)
{
	static const char *const names[] = { "sign", "in-card", "profile-b", "(ad-hoc)", "direct", "export=period", "shared",
		NULL };
	struct db_group g = { 0 };
	bool listen;

	if (a->count != 1 || a->manager == NULL || strlen(a->words[0]) > PROSE_URI_MAX || strlen(a->manager) > PROSE_URI_MAX)
		return net_fail("group create", NULL, "needs GROUP and --manager URI", EXIT_USAGE);
	if (!net_flags_of(a->policy, names, &g.policy) || (g.policy & GROUP_POLICY_ADHOC) != 0)
		return net_fail("group create", a->policy,
		        "a policy is a list of sign, in-card, profile-b, shared, direct, export=period, with commas",
		        EXIT_USAGE);
	if (policy_wrong(g.policy) != NULL)
		return net_fail("group create", a->policy, policy_wrong(g.policy), EXIT_USAGE);
	if (!listening_of(a->listening, &listen) || (listen && !may_listen(g.policy)))
		return net_fail("group create", a->listening,
		        "listening is `strict`, or in groups with `sign` that are neither `shared` nor `direct` `listen`",
		        EXIT_USAGE);
	g.policy |= listen ? GROUP_POLICY_LISTEN : 0;
	(void)snprintf(g.uri, sizeof g.uri, "%s", a->words[0]);
	(void)snprintf(g.manager_uri, sizeof g.manager_uri, "%s", a->manager);
	return net_report("group create", g.uri, db_group_add(a->db, &g));
}

/* A user of an agency whose KMS we trust; its operator gives him the group's record. */
static bool is_guest(struct arguments *a, const char *user)
{
	const char *at = strrchr(user, '@');
	struct db_external_kms k;
	char iccid[21];

	return db_user_card(a->db, user, iccid) == ERR_NOT_FOUND && at != NULL && db_external_kms_get(a->db, at + 1, &k) == OK;
}

int group_add(struct arguments *a)
{
	struct buf b = BUF_OF(net_output);
	enum status st;

	if (a->count != 2)
		return net_fail("group add", NULL, "needs GROUP USER", EXIT_USAGE);
	if ((st = db_excluded_drop(a->db, a->words[0], a->words[1])) != OK)
		return net_report("group add", a->words[1], st);
	if (is_guest(a, a->words[1]))
		return net_report("group add", a->words[0],
		        db_guest_set(a->db, a->words[0], a->words[1], true) == OK ? OK : ERR_NOT_FOUND);
	st = db_member_set(a->db, a->words[0], a->words[1], true);
	if (st == ERR_DENIED)
		st = ERR_NOT_FOUND; /* foreign key */
	if (st == OK && (st = group_record(a->db, a->words[0], a->words[1], net_now(), &b)) == OK && a->out != NULL)
		st = net_write_file(a->out, buf_bytes(&b));
	return st == ERR_DENIED ? net_fail("group add", a->words[1], "is revoked: `kms allow` first", EXIT_REFUSED)
	                        : net_report("group add", a->words[1], st);
}

int group_remove(struct arguments *a)
{
	struct db_group g;
	enum status st;

	if (a->count != 2)
		return net_fail("group remove", NULL, "needs GROUP USER", EXIT_USAGE);
	if ((st = db_group_get(a->db, a->words[0], &g)) == OK)
		st = group_exclude(a->db, a->words[0], a->words[1], false);
	return net_report("group remove", a->words[1], st);
}

int group_give_signer(struct arguments *a)
{
	struct buf b = BUF_OF(net_output);
	enum status st;

	if (a->count != 2)
		return net_fail("group delegate", NULL, "needs GROUP USER", EXIT_USAGE);
	st = group_delegate(a->db, a->words[0], a->words[1], net_now(), &b);
	if (st == OK && a->out != NULL)
		st = net_write_file(a->out, buf_bytes(&b));
	return st == ERR_DENIED ? net_fail("group delegate", a->words[1], "is revoked", EXIT_REFUSED)
	                        : net_report("group delegate", a->words[1], st);
}

struct rekey_output {
	const char *folder;
	unsigned members;
};

static enum status write_message(void *context, const char *user, const char *iccid, struct bytes message)
{
	struct rekey_output *o = context;
	char path[PATH_MAX];
	size_t n = o->folder != NULL ? strlen(o->folder) : 0;

	(void)snprintf(path, sizeof path, "%s/%s.mikey", o->folder, iccid[0] != 0 ? iccid : user);
	for (char *p = path + n + 1; o->folder != NULL && (p = strchr(p, '/')) != NULL;)
		*p = '_';
	if (o->folder != NULL)
		TRY(net_write_file(path, message));
	o->members++;
	if (isatty(2))
		(void)fprintf(stderr, "\r%u members, now %-40.40s", o->members, user);
	return OK;
}

int group_new_key(struct arguments *a)
{
	struct rekey_output o = { a->out, 0 };
	uint64_t t = net_now();
	uint32_t id = 0;
	enum status st;

	if (a->count != 1)
		return net_fail("group rekey", NULL, "needs GROUP", EXIT_USAGE);
	if (a->out != NULL)
		(void)mkdir(a->out, 0700);
	t = (uint64_t)((long long)t + a->starts);
	st = group_rekey(a->db, a->words[0], net_now(), t, t + (uint64_t)a->valid, write_message, &o, &id);
	if (isatty(2))
		(void)fputc('\n', stderr);
	if (st == OK)
		(void)printf("%s: GMK %08lx for %u members\n", a->words[0], (unsigned long)id, o.members);
	return net_report("group rekey", a->words[0], st);
}

static const char *state_text(const struct db_item *i, char text[128])
{
	if (i->refused != 0) {
		(void)snprintf(text, 128, "refused, %04X (%s)", i->refused, sw_text(i->refused));
		return text;
	}
	return i->confirmed != 0 ? "delivered" : i->fetched != 0 ? "fetched, not confirmed" : "waiting";
}

static void status_line(void *context, const struct db_item *i)
{
	struct arguments *a = context;
	char text[128];
	json_t *j;

	if (i->confirmed == 0 || i->refused != 0)
		a->failed = true;
	if (!a->json) {
		(void)printf("%-36s %-20s  %s%08llx  %s\n", i->uri, i->iccid, i->gmk_id != 0 ? "GMK " : "record ",
		        (unsigned long long)i->gmk_id, state_text(i, text));
		return;
	}
	j = json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:i}", "user", i->uri, "iccid", i->iccid, "kind",
	        i->gmk_id != 0 ? "gmk" : "record", "gmk_id", (json_int_t)i->gmk_id, "at", (json_int_t)i->at, "fetched",
	        (json_int_t)i->fetched, "confirmed", (json_int_t)i->confirmed, "refused", (int)i->refused);
	(void)json_dumpf(j, stdout, JSON_COMPACT);
	(void)putchar('\n');
	json_decref(j);
}

int group_status(struct arguments *a)
{
	enum status st;

	if (a->count != 1)
		return net_fail("group status", NULL, "needs GROUP", EXIT_USAGE);
	a->failed = false;
	st = db_outbox_each(a->db, a->words[0], status_line, a);
	return st != OK ? net_report("group status", a->words[0], st) : a->failed ? EXIT_REFUSED : 0;
}

int group_show(struct arguments *a)
{
	static const struct {
		unsigned bit;
		const char *name;
	} names[] = { { GROUP_POLICY_SIGN, "sign" }, { GROUP_POLICY_IN_CARD, "in-card" },
		{ GROUP_POLICY_PROFILE_B, "profile-b" }, { GROUP_POLICY_DIRECT, "direct" },
		{ GROUP_POLICY_EXPORT, "export=period" }, { GROUP_POLICY_SHARED, "shared" } };
	struct db_group g;
	uint64_t keys, floor;
	enum status st;

	if (a->count != 1)
		return net_fail("group show", NULL, "needs GROUP", EXIT_USAGE);
	if ((st = db_group_get(a->db, a->words[0], &g)) != OK || (st = db_group_floor(a->db, g.uri, &floor)) != OK ||
	        (st = db_group_issued(a->db, g.uri, &keys)) != OK)
		return net_report("group show", a->words[0], st);
	(void)printf("%s: manager %s, policy", g.uri, g.manager_uri);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if ((g.policy & names[i].bit) != 0)
			(void)printf(" %s", names[i].name);
	(void)printf("%s, listening %s, %llu keys", (g.policy & ~(unsigned)GROUP_POLICY_LISTEN) == 0 ? " none" : "",
	        (g.policy & GROUP_POLICY_LISTEN) != 0 ? "listen" : "strict", (unsigned long long)keys);
	if (floor > 0)
		(void)printf(", no card talks under those before key %llu", (unsigned long long)floor);
	(void)putchar('\n');
	return 0;
}

enum status leave_groups(struct arguments *a, const struct db_member *in, size_t n)
{
	enum status st = OK;
	uint64_t keys = 0;

	for (size_t i = 0; st == OK && i < n; i++)
		if ((st = group_exclude(a->db, in[i].group, in[i].uri, true)) == OK &&
		        (st = lost_rekey(a->db, net_now(), in[i].group, (uint64_t)a->valid)) == OK &&
		        (st = db_group_issued(a->db, in[i].group, &keys)) == OK)
			(void)printf("%s: without it from key %llu on\n", in[i].group, (unsigned long long)keys);
	return st;
}

int group_refresh(struct arguments *a)
{
	struct timespec began, ended;
	unsigned members;
	enum status st;

	if (a->count != 1)
		return net_fail("group refresh", NULL, "needs GROUP", EXIT_USAGE);
	(void)clock_gettime(CLOCK_MONOTONIC, &began);
	st = join_refresh(a->db, net_now(), a->words[0], (uint64_t)a->valid, &members);
	(void)clock_gettime(CLOCK_MONOTONIC, &ended);
	if (st == OK)
		(void)printf("%s: a new key for %u members in %.0f ms\n", a->words[0], members,
		        (double)(ended.tv_sec - began.tv_sec) * 1e3 + (double)(ended.tv_nsec - began.tv_nsec) / 1e6);
	return net_report("group refresh", a->words[0], st);
}
