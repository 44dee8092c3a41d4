/* SPDX-License-Identifier: Apache-2.0 */
/* The report of `card revoke` for people. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "provisioning/cli/lost_report.h"

enum { COLUMNS = 80, INDENT = 15, SENTENCE_MAX = 8192 };

static const char *text(const json_t *j, const char *name)
{
	const char *t = json_string_value(json_object_get(j, name));

	return t != NULL ? t : "";
}

static unsigned long long figure(const json_t *j, const char *name)
{
	return (unsigned long long)json_integer_value(json_object_get(j, name));
}

static const char *moment(unsigned long long at, char out[static 32])
{
	time_t t = (time_t)at;
	struct tm tm;

	(void)strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&t, &tm));
	return out;
}

/* A label and a sentence, broken between words. */
__attribute__((format(printf, 2, 3))) static void line(const char *label, const char *format, ...)
{
	static char sentence[SENTENCE_MAX];
	size_t column = INDENT;
	char *rest = sentence;
	va_list args;

	va_start(args, format);
	(void)vsnprintf(sentence, sizeof sentence, format, args);
	va_end(args);
	(void)printf("  %-*s", INDENT - 2, label);
	for (char *word; (word = strtok_r(rest, " ", &rest)) != NULL;) {
		if (column > INDENT && column + 1 + strlen(word) > COLUMNS) {
			(void)printf("\n%*s", INDENT, "");
			column = INDENT;
		}
		column += (size_t)printf("%s%s", column > INDENT ? " " : "", word);
	}
	(void)putchar('\n');
}

/* All of a list with commas; those that there is no room for are counted. */
static const char *names(const json_t *list, char *out, size_t n)
{
	size_t len = 0, i;

	out[0] = 0;
	for (i = 0; i < json_array_size(list); i++) {
		const char *t = json_string_value(json_array_get(list, i));

		if (len + strlen(t) + 40 > n)
			break;
		len += (size_t)snprintf(out + len, n - len, "%s%s", i > 0 ? ", " : "", t);
	}
	if (i < json_array_size(list))
		(void)snprintf(out + len, n - len, " and %zu more (--json)", json_array_size(list) - i);
	return out;
}

static const char *plural(unsigned long long n)
{
	return n == 1 ? "" : "s";
}

/* "key 2"; those of before keys were counted have no number. */
static const char *key_text(unsigned long long n, char out[static 40])
{
	(void)snprintf(out, 40, n > 0 ? "key %llu" : "an old key", n);
	return out;
}

static void say_hss(const json_t *j)
{
	const char *holder = text(json_object_get(j, "hss"), "imsi_of");

	if (holder[0] != 0)
		line("HSS", "no vectors; the IMSI %s belongs to card %s", text(j, "imsi"), holder);
	else
		line("HSS", "no vectors for IMSI %s", text(j, "imsi"));
}

static void say_contexts(const json_t *j)
{
	const json_t *g = json_object_get(j, "dropped");
	unsigned long long n = figure(g, "contexts");
	char when[32];

	if (n > 0)
		line("BSF, NAFs", "%llu context%s dropped, good until %s else; no server takes %s now", n, plural(n),
		        moment(figure(g, "last"), when), n == 1 ? "it" : "them");
	else
		line("BSF, NAFs", "no context, and no new one");
}

static void say_user(const json_t *u, unsigned long long now)
{
	char when[32], groups[1024];
	unsigned long long until = figure(u, "until");
	const json_t *signs = json_object_get(u, "signs_for");

	moment(until, when);
	if (json_array_size(signs) > 0)
		line("signs for", "%s %s signed keys as %s until %s: make the group anew with another --manager",
		        names(signs, groups, sizeof groups), until > now ? "can get" : "could get", text(u, "user"), when);
	else if (until == 0)
		line("KMS", "%s: no key sets; it has had none", text(u, "user"));
	else if (until <= now)
		line("KMS", "%s: no key sets; its last (period %llu) was over at %s", text(u, "user"), figure(u, "period"),
		        when);
	else
		line("KMS", "%s: no key sets; its SSK and RSK (period %llu) are good until %s to cards without the list",
		        text(u, "user"), figure(u, "period"), when);
}

static void say_list(const json_t *j)
{
	const json_t *l = json_object_get(j, "list"), *waiting = json_object_get(l, "waiting");
	size_t n = json_array_size(waiting);
	char cards[2048];

	if (json_is_true(json_object_get(j, "list_full")))
		line("list", "is full: the key sets above run on");
	if (l == NULL)
		line("list", "none: no key set is to be on it");
	else if (n == 0)
		line("list", "number %llu of the revoked: no card waits for it", figure(l, "number"));
	else
		line("list", "number %llu of the revoked waits for %zu card%s: %s", figure(l, "number"), n, plural(n),
		        names(waiting, cards, sizeof cards));
}

/* Who still talks under what it has. */
static void say_hearing(const json_t *g, const char *old)
{
	const json_t *without = json_object_get(g, "without_new"), *guests = json_object_get(g, "guests");
	size_t n = json_array_size(without), m = json_array_size(guests);
	char when[32], members[2048], others[1024];

	if (figure(g, "hears_until") == 0) {
		line("", "%s", n + m == 0 ? "every member has it: the card hears nothing new" : "no older key is in use");
		return;
	}
	moment(figure(g, "hears_until"), when);
	names(without, members, sizeof members);
	names(guests, others, sizeof others);
	if (n > 0)
		line("", "it hears %zu member%s without that key, under %s until %s: %s", n, plural(n), old, when, members);
	if (m > 0)
		line("", "guests get it by file, and are heard until they have it, or %s: %s", when, others);
}

static void say_group(const json_t *g)
{
	char old[40], when[32];
	const char *error = text(g, "error");

	key_text(figure(g, "old_key"), old);
	if (figure(g, "new_key") == 0) {
		line("group", "%s: NO NEW KEY: %s", text(g, "group"),
		        error[0] != 0 ? error : "this was interrupted; run it again");
		if (figure(g, "hears_until") != 0)
			line("", "it hears all members under %s until %s", old, moment(figure(g, "hears_until"), when));
		return;
	}
	line("group", "%s: key %llu in place of %s, %s", text(g, "group"), figure(g, "new_key"), old, text(g, "listening"));
	say_hearing(g, old);
}

static void say_card(const json_t *j)
{
	const json_t *c = json_object_get(j, "card");
	const char *state = text(c, "state"), *campaign = text(c, "campaign");
	char when[32];

	moment(figure(c, "until"), when);
	if (strcmp(state, "done") == 0)
		line("card", "is locked (campaign \"%s\")", campaign);
	else if (strcmp(state, "open") != 0)
		line("card", "was not told to lock itself: %s", campaign[0] != 0 ? text(c, "reason") : "no campaign");
	else if (text(c, "number")[0] != 0)
		line("card", "will be told to lock itself by short message to %s, until %s (campaign \"%s\", %s)",
		        text(c, "number"), when, campaign, text(c, "campaign_state"));
	else
		line("card",
		        "will be told to lock itself until %s, but has no number: `card number`, or `serve ota --via` (campaign"
		        " \"%s\", %s)",
		        when, campaign, text(c, "campaign_state"));
}

static void say_withdrawn(const json_t *j)
{
	const json_t *d = json_object_get(j, "dropped");
	unsigned long long items = figure(d, "items"), codes = figure(d, "codes"), tasks = figure(d, "tasks");

	if (items + codes + tasks > 0)
		line("withdrawn", "%llu item%s of its outbox, %llu one-time code%s, %llu campaign%s", items, plural(items),
		        codes, plural(codes), tasks, plural(tasks));
	else
		line("withdrawn", "nothing waited");
}

static void say_permissions(const json_t *j)
{
	const json_t *list = json_object_get(j, "permissions"), *p;
	char when[32], rights[80];
	size_t i;

	if (json_array_size(list) == 0)
		line("permissions", "none");
	json_array_foreach (list, i, p) {
		line(i == 0 ? "permissions" : "", "%s%s: %s until %s at the latest",
		        strcmp(text(p, "plmn"), "off") == 0 ? "" : "PLMN ",
		        strcmp(text(p, "plmn"), "off") == 0 ? "off-network" : text(p, "plmn"),
		        names(json_object_get(p, "rights"), rights, sizeof rights), moment(figure(p, "until"), when));
	}
}

void lost_report_print(const json_t *j)
{
	char when[32];
	const json_t *each;
	size_t i;

	moment(figure(j, "revoked"), when);
	(void)printf("%s: %s%s\n", text(j, "iccid"),
	        json_is_true(json_object_get(j, "dry_run"))   ? "dry run, nothing is done; revoked "
	        : json_is_true(json_object_get(j, "already")) ? "was revoked already, "
	                                                      : "revoked ",
	        when);
	say_hss(j);
	say_contexts(j);
	json_array_foreach (json_object_get(j, "users"), i, each) {
		say_user(each, figure(j, "now"));
	}
	say_list(j);
	json_array_foreach (json_object_get(j, "groups"), i, each) {
		say_group(each);
	}
	say_card(j);
	say_withdrawn(j);
	say_permissions(j);
	json_array_foreach (json_object_get(j, "done"), i, each) {
		line(i == 0 ? "done" : "", "%s %s", moment(figure(each, "at"), when), text(each, "what"));
	}
}
