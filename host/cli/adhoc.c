/* SPDX-License-Identifier: Apache-2.0 */
/* prose-ue adhoc: groups that the members' cards make alone. prose-ue group rekey and invite: groups of the network's that are
 * managed with this card. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apdu/base/limits.h"
#include "apdu/base/text.h"
#include "host/cli/cli.h"

enum { MESSAGE_ROOM = PROSE_REQUEST_MAX, MANAGED_VALID = 7 * 86400 };

static int create(struct arguments *a, const char *verb)
{
	struct prose_gmk g;
	enum prose_result r = prose_adhoc_create_without(
	        a->card, now_seconds(), a->words[1], now_seconds() + (uint64_t)a->valid, a->words + 2, a->word_count - 2, &g);

	if (r != PROSE_OK)
		return ue_complain(a, verb, a->words[1], r);
	print_gmk(a, &g);
	return 0;
}

/* 0, or an exit code and a sentence. */
static int invite(struct arguments *a, const char *verb, const char *member, const char *path)
{
	uint8_t message[MESSAGE_ROOM];
	size_t n = sizeof message;
	enum prose_result r = prose_adhoc_invite(a->card, now_seconds(), a->words[1], member, message, &n);

	if (r != PROSE_OK)
		return ue_complain(a, verb, member, r);
	return write_private(path, message, n) ? 0 : usage_error(verb, "--out cannot be written");
}

/* One message a member: FOLDER/URI.mikey. */
static int invite_all(struct arguments *a, FILE *members)
{
	char line[256], path[PATH_MAX];
	unsigned done = 0;
	int rc = 0;

	(void)mkdir(a->out, 0700);
	while (rc == 0 && fgets(line, sizeof line, members) != NULL) {
		line[strcspn(line, "\r\n")] = 0;
		if (line[0] == 0)
			continue;
		if (!text_put(path, sizeof path, "%s/%s.mikey", a->out, line))
			return usage_error("group invite", "the name of a member's file is too long");
		for (char *p = path + strlen(a->out) + 1; *p != 0; p++)
			*p = *p == '/' ? '_' : *p;
		rc = invite(a, "group invite", line, path);
		done += rc == 0;
		if (isatty(2))
			(void)fprintf(stderr, "\r%u members", done);
	}
	if (isatty(2))
		(void)fputc('\n', stderr);
	if (rc == 0)
		(void)printf("%s: %u messages\n", a->words[1], done);
	return rc;
}

int group_manage(struct arguments *a)
{
	FILE *members;
	int rc;

	if (a->valid == 0)
		a->valid = MANAGED_VALID;
	if (strcmp(a->words[0], "rekey") == 0)
		return a->word_count >= 2 && a->valid > 0
		               ? create(a, "group rekey")
		               : usage_error("group rekey", "needs GROUP, and the users that are excluded, if any");
	if (a->word_count == 3 && a->out != NULL && a->members == NULL)
		return invite(a, "group invite", a->words[2], a->out);
	if (a->word_count != 2 || a->out == NULL || a->members == NULL)
		return usage_error("group invite", "needs GROUP USER --out FILE, or GROUP --members FILE --out FOLDER");
	if ((members = fopen(a->members, "re")) == NULL)
		return usage_error("group invite", "--members cannot be read");
	rc = invite_all(a, members);
	(void)fclose(members);
	return rc;
}

int verb_adhoc(struct arguments *a)
{
	const char *what = a->word_count > 0 ? a->words[0] : "";
	enum prose_result r;

	if (a->valid == 0)
		a->valid = 86400;
	if (strcmp(what, "create") == 0 && a->word_count >= 2 && a->valid > 0)
		return create(a, "adhoc create");
	if (strcmp(what, "invite") == 0 && a->word_count == 3 && a->out != NULL)
		return invite(a, "adhoc invite", a->words[2], a->out);
	if (strcmp(what, "accept") != 0 || a->word_count != 3)
		return usage_error(
		        "adhoc", "say `create GROUP [EXCLUDED...]`, `invite GROUP USER --out FILE` or `accept GROUP SIGNER`");
	r = prose_adhoc_accept(a->card, a->words[1], a->words[2]);
	return r == PROSE_OK ? 0 : ue_complain(a, "adhoc accept", a->words[1], r);
}
