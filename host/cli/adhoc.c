/* prose-ue adhoc: groups that the members' cards make alone. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/cli/cli.h"

enum { MESSAGE_ROOM = 4096 };

static int create(struct arguments *a)
{
	struct prose_gmk g;
	enum prose_result r = prose_adhoc_create(a->card, now_seconds(), a->words[1], now_seconds() + (uint64_t)a->valid, &g);

	if (r != PROSE_OK)
		return complain(a, "adhoc create", a->words[1], r);
	print_gmk(a, &g);
	return 0;
}

static int invite(struct arguments *a)
{
	uint8_t message[MESSAGE_ROOM];
	size_t n = sizeof message;
	enum prose_result r = prose_adhoc_invite(a->card, now_seconds(), a->words[1], a->words[2], message, &n);
	int fd;
	bool ok;

	if (r != PROSE_OK)
		return complain(a, "adhoc invite", a->words[2], r);
	fd = open(a->out, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ok = fd >= 0 && write(fd, message, n) == (ssize_t)n;
	if (fd >= 0)
		ok = close(fd) == 0 && ok;
	return ok ? 0 : usage_error("adhoc invite", "--out cannot be written");
}

int verb_adhoc(struct arguments *a)
{
	const char *what = a->word_count > 0 ? a->words[0] : "";
	enum prose_result r;

	if (a->valid == 0)
		a->valid = 86400;
	if (strcmp(what, "create") == 0 && a->word_count == 2 && a->valid > 0)
		return create(a);
	if (strcmp(what, "invite") == 0 && a->word_count == 3 && a->out != NULL)
		return invite(a);
	if (strcmp(what, "accept") != 0 || a->word_count != 3)
		return usage_error("adhoc", "say `create GROUP`, `invite GROUP USER --out FILE` or `accept GROUP SIGNER`");
	r = prose_adhoc_accept(a->card, a->words[1], a->words[2]);
	return r == PROSE_OK ? 0 : complain(a, "adhoc accept", a->words[1], r);
}
