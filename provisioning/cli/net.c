/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/cli/net.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "provisioning/campaign/campaign.h"

int net_fail(const char *verb, const char *about, const char *why, int code)
{
	(void)fprintf(stderr, "prose-net %s: %s%s%s\n", verb, about != NULL ? about : "", about != NULL ? ": " : "", why);
	return code;
}

int net_report(const char *verb, const char *about, enum status st)
{
	switch (st) {
	case OK: return 0;
	case ERR_NOT_FOUND: return net_fail(verb, about, "not known here: create it first", EXIT_REFUSED);
	case ERR_DENIED: return net_fail(verb, about, "exists already", EXIT_REFUSED);
	case ERR_NO_SPACE:
		return net_fail(verb, about, "does not fit (an update takes at most 16 short messages: about 2,000 octets)",
		        EXIT_REFUSED);
	default: return net_fail(verb, about, status_text(st), EXIT_FAILURE);
	}
}

int net_too_long(const char *verb, const char *what, size_t n, size_t max)
{
	(void)fprintf(stderr, "prose-net %s: %s has %zu characters: at most %zu fit\n", verb, what, n, max);
	return EXIT_USAGE;
}

uint64_t net_now(void)
{
	return (uint64_t)time(NULL);
}

int net_clock(const char *verb, const struct arguments *a)
{
	char sentence[DB_SENTENCE_MAX];
	uint64_t last = 0;
	enum status st = db_clock_last(a->db, &last);

	if (st != OK || net_now() + CLOCK_TOLERANCE >= last)
		return net_report(verb, NULL, st);
	db_clock_sentence(a->db, net_now(), sentence);
	return net_fail(verb, NULL, sentence, EXIT_REFUSED);
}

/* Files become visible only after the transaction that made them: a counter or sequence number that anybody has seen is one
 * the database remembers. Until then they are called PATH.new. */
static char *pending[4096];
static size_t pending_count;

enum status net_write_file(const char *path, struct bytes content)
{
	char new_path[PATH_MAX];
	bool ok;
	int fd;

	(void)snprintf(new_path, sizeof new_path, "%s.new", path);
	if (pending_count == sizeof pending / sizeof *pending || (pending[pending_count] = strdup(path)) == NULL)
		return ERR_NO_SPACE;
	pending_count++;
	fd = open(new_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ok = fd >= 0 && write(fd, content.p, content.n) == (ssize_t)content.n && fsync(fd) == 0;
	if (fd >= 0)
		(void)close(fd);
	return ok ? OK : ERR_IO;
}

enum status net_publish_files(bool committed)
{
	char new_path[PATH_MAX];
	enum status st = OK;

	for (size_t i = 0; i < pending_count; i++) {
		(void)snprintf(new_path, sizeof new_path, "%s.new", pending[i]);
		if ((committed ? rename(new_path, pending[i]) : unlink(new_path)) != 0 && committed)
			st = ERR_IO;
		free(pending[i]);
	}
	pending_count = 0;
	return st;
}

uint8_t net_output[OUTPUT_MAX];

bool net_flags_of(const char *text, const char *const *names, unsigned *flags)
{
	*flags = 0;
	while (text != NULL && *text != 0) {
		size_t n = strcspn(text, ","), i = 0;

		while (names[i] != NULL && (strlen(names[i]) != n || strncmp(names[i], text, n) != 0))
			i++;
		if (names[i] == NULL || n == 0)
			return false;
		*flags |= 1U << i;
		text += n + (text[n] == ',');
	}
	return true;
}

/* What campaigns that are not over name, and --sealed. */
static enum status sealed_folders(const struct arguments *a, struct sandbox *s)
{
	static char folders[SANDBOX_READS - 1][CAMPAIGN_FOLDER_MAX];
	size_t n;

	TRY(campaign_folders(a->db, folders, SANDBOX_READS - 1, &n));
	s->read[0] = a->sealed;
	for (size_t i = 0; i < n; i++)
		s->read[i + (a->sealed != NULL ? 1 : 0)] = folders[i];
	return OK;
}

/* Where the certificates lie, and where links say that they do: they are read again at SIGHUP, and may be other files then. */
static void certificate_folders(const struct arguments *a, struct sandbox *s)
{
	static char folders[6][PATH_MAX];
	const char *const files[] = { a->certificate, a->certificate_key, a->client_ca };
	size_t n = 0;

	for (size_t i = 0; i < sizeof files / sizeof *files && files[i] != NULL; i++) {
		char *whole = realpath(files[i], NULL);

		sandbox_folder(files[i], folders[n], sizeof folders[n]);
		s->read[n] = folders[n];
		n++;
		if (whole == NULL)
			continue;
		sandbox_folder(whole, folders[n], sizeof folders[n]);
		s->read[n] = folders[n];
		n++;
		free(whole);
	}
}

/* The master key is its keeper's alone. */
static void keep_key_away(const struct arguments *a, enum sandbox_role role, const char *verb, struct sandbox *s)
{
	struct sandbox less = *s;

	memset(less.read, 0, sizeof less.read);
	if (role == SANDBOX_KEEPER || a->key_file == NULL || !sandbox_reads(s, a->key_file))
		return;
	if (role == SANDBOX_SERVE_HTTP && !sandbox_reads(&less, a->key_file)) {
		*s = less;
		(void)fprintf(
		        stderr, "prose-net %s: certificates are read once: the master key lies in a folder of theirs\n", verb);
	} else {
		(void)fprintf(stderr,
		        "prose-net %s: this server may read %s, whoever has taken it over: put it elsewhere (not below /etc)\n",
		        verb, a->key_file);
	}
}

int net_sandbox(const struct arguments *a, enum sandbox_role role, const char *verb, const char *own)
{
	const bool database = strstr(a->state, "://") != NULL;
	struct sandbox s = { .database = database };
	char folder[PATH_MAX], sentence[200];
	size_t n = 0;

	if (!PROSE_SANDBOX || a->no_sandbox)
		return 0;
	if (role == SANDBOX_SERVE_OTA && sealed_folders(a, &s) != OK)
		return net_report(verb, NULL, ERR_IO);
	if (role == SANDBOX_SERVE_HTTP && a->certificate != NULL)
		certificate_folders(a, &s);
	if (!database)
		s.write[n++] = a->state;
	if (own != NULL) {
		sandbox_folder(own, folder, sizeof folder);
		s.write[n] = folder;
	}
	keep_key_away(a, role, verb, &s);
	if (!sandbox_enter(role, &s, sentence, sizeof sentence))
		return net_fail(verb, NULL, sentence, EXIT_FAILURE);
	if (sentence[0] != 0)
		(void)fprintf(stderr, "prose-net %s: %s\n", verb, sentence);
	return 0;
}
