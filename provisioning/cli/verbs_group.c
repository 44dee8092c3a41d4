/* prose-net group: groups, members, new keys. */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "provisioning/cli/net.h"

/* What makes no sense together. */
static const char *policy_wrong(unsigned policy)
{
	const bool direct = (policy & GROUP_POLICY_DIRECT) != 0;

	if ((policy & GROUP_POLICY_EXPORT) != 0 && (!direct || (policy & GROUP_POLICY_IN_CARD) != 0))
		return "`export` is for `direct` groups that are not `in-card`";
	if (direct && (policy & (GROUP_POLICY_SHARED | GROUP_POLICY_PROFILE_B | GROUP_POLICY_SIGN)) != 0)
		return "`direct` groups have no offers: nothing to sign, share or have a profile of";
	return NULL;
}

int group_create(struct arguments *a)
{
	static const char *const names[] = { "sign", "in-card", "profile-b", "(ad-hoc)", "direct", "export", "shared", NULL };
	struct db_group g = { 0 };

	if (a->count != 1 || a->manager == NULL || strlen(a->words[0]) > PROSE_URI_MAX || strlen(a->manager) > PROSE_URI_MAX)
		return fail("group create", NULL, "needs GROUP and --manager URI", EXIT_USAGE);
	if (!flags_of(a->policy, names, &g.policy) || (g.policy & GROUP_POLICY_ADHOC) != 0)
		return fail("group create", a->policy,
		        "a policy is a list of sign, in-card, profile-b, shared, direct, export, with commas", EXIT_USAGE);
	if (policy_wrong(g.policy) != NULL)
		return fail("group create", a->policy, policy_wrong(g.policy), EXIT_USAGE);
	(void)snprintf(g.uri, sizeof g.uri, "%s", a->words[0]);
	(void)snprintf(g.manager_uri, sizeof g.manager_uri, "%s", a->manager);
	return report("group create", g.uri, db_group_add(a->db, &g));
}

int group_add(struct arguments *a)
{
	struct buf b = BUF_OF(output);
	enum status st;

	if (a->count != 2)
		return fail("group add", NULL, "needs GROUP USER", EXIT_USAGE);
	st = db_member_set(a->db, a->words[0], a->words[1], true);
	if (st == ERR_DENIED)
		st = ERR_NOT_FOUND; /* foreign key */
	if (st == OK && (st = group_record(a->db, a->words[0], a->words[1], now(), &b)) == OK && a->out != NULL)
		st = write_file(a->out, buf_bytes(&b));
	return report("group add", a->words[1], st);
}

int group_remove(struct arguments *a)
{
	enum status st;

	if (a->count != 2)
		return fail("group remove", NULL, "needs GROUP USER", EXIT_USAGE);
	st = db_member_set(a->db, a->words[0], a->words[1], false);
	if (st == OK)
		st = db_outbox_withdraw(a->db, a->words[0], a->words[1]);
	return report("group remove", a->words[1], st);
}

struct rekey_output {
	const char *folder;
	unsigned members;
};

static enum status write_message(void *context, const char *user, const char *iccid, struct bytes message)
{
	struct rekey_output *o = context;
	char path[PATH_MAX];

	(void)snprintf(path, sizeof path, "%s/%s.mikey", o->folder, iccid);
	if (o->folder != NULL)
		TRY(write_file(path, message));
	o->members++;
	if (isatty(2))
		(void)fprintf(stderr, "\r%u members, now %-40.40s", o->members, user);
	return OK;
}

int group_new_key(struct arguments *a)
{
	struct rekey_output o = { a->out, 0 };
	uint64_t t = now();
	uint32_t id = 0;
	enum status st;

	if (a->count != 1)
		return fail("group rekey", NULL, "needs GROUP", EXIT_USAGE);
	if (a->out != NULL)
		(void)mkdir(a->out, 0700);
	t = (uint64_t)((long long)t + a->starts);
	st = group_rekey(a->db, a->words[0], now(), t, t + (uint64_t)a->valid, write_message, &o, &id);
	if (isatty(2))
		(void)fputc('\n', stderr);
	if (st == OK)
		(void)printf("%s: GMK %08lx for %u members\n", a->words[0], (unsigned long)id, o.members);
	return report("group rekey", a->words[0], st);
}
