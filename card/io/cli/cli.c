/* SPDX-License-Identifier: Apache-2.0 */
#include "card/io/cli/cli.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "card/io/image/image_migration.h"
#include "card/io/image/key_file.h"

int cli_refuse(const char *verb, const char *reason, int code)
{
	(void)fprintf(stderr, "prose-card %s: %s\n", verb, reason);
	return code;
}

int cli_report_open(const char *verb, const struct image_options *o, enum image_error e)
{
	char formats[64] = "";

	if (o->upgraded_from > 0) {
		(void)fprintf(
		        stderr, "prose-card %s: %s: upgraded from format %u to %u", verb, o->path, o->upgraded_from, o->format);
		for (unsigned f = o->upgraded_from + 1; f <= o->format; f++)
			(void)fprintf(stderr, "; %s", image_migration_sentence(f));
		(void)fputc('\n', stderr);
	}
	if (e == IMAGE_NEWER)
		(void)snprintf(formats, sizeof formats, " (format %u; this one knows %u): use that one", o->format,
		        (unsigned)IMAGE_FORMAT);
	if (e != IMAGE_OK)
		(void)fprintf(stderr, "prose-card %s: %s: %s%s\n", verb, o->path, image_error_text(e), formats);
	return (int)e;
}

int cli_open_image(const char *verb, const struct arguments *a, const char *path, struct image **image, struct image_options *o)
{
	SECRET key = { 0 };
	enum image_error e;
	int rc = cli_load_key(verb, a, path, &key);

	if (rc != 0)
		return rc;
	*o = (struct image_options){ .path = path, .key = secret_bytes(&key) };
	e = image_open(image, o);
	o->key = (struct bytes){ 0 };
	return cli_report_open(verb, o, e);
}

int cli_load_key(const char *verb, const struct arguments *a, const char *image, struct secret *key)
{
	char reason[256];
	enum status st;

	if (a->insecure == (a->image_key != NULL))
		return cli_refuse(verb, "give either --image-key SOURCE or --insecure-test-key", EXIT_USAGE);
	if (a->insecure)
		return (st = key_file_insecure(key)) == OK ? 0 : cli_refuse(verb, status_text(st), EXIT_FAILURE);
	return key_file_read(a->image_key, image, key, reason, sizeof reason) == OK ? 0
	                                                                            : cli_refuse(verb, reason, EXIT_REFUSED);
}

volatile sig_atomic_t cli_stop;

static void on_signal(int number)
{
	(void)number;
	cli_stop = 1;
}

/* No core dumps, no ptrace by the same user; SIGTERM and SIGINT end the loop between two APDUs. */
void cli_harden(void)
{
	const struct rlimit none = { 0, 0 };
	struct sigaction action = { .sa_handler = on_signal }; /* no SA_RESTART: recv must return */

	(void)prctl(PR_SET_DUMPABLE, 0);
	(void)setrlimit(RLIMIT_CORE, &none);
	(void)sigaction(SIGTERM, &action, NULL);
	(void)sigaction(SIGINT, &action, NULL);
}

int cli_sandbox(const struct arguments *a, enum sandbox_role role, const char *verb, const char *image, const char *own)
{
	char folder[PATH_MAX], other[PATH_MAX], sentence[200];
	struct sandbox s = { .write = { folder }, .leave = a->leave };

	if (!PROSE_SANDBOX || a->no_sandbox)
		return 0;
	sandbox_folder(image, folder, sizeof folder);
	if (own != NULL) {
		sandbox_folder(own, other, sizeof other);
		s.write[1] = other;
	}
	if (!sandbox_enter(role, &s, sentence, sizeof sentence))
		return cli_refuse(verb, sentence, EXIT_FAILURE);
	if (sentence[0] != 0)
		(void)fprintf(stderr, "prose-card: %s\n", sentence);
	return 0;
}
