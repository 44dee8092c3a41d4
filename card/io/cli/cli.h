/* SPDX-License-Identifier: Apache-2.0 */
/* cli.h - what the verbs of prose-card share. */
#ifndef CARD_IO_CLI_CLI_H
#define CARD_IO_CLI_CLI_H

#include <signal.h>
#include <stdbool.h>

#include "sandbox/sandbox.h"
#include "apdu/base/secret.h"
#include "card/io/link/reader.h"
#include "card/io/image/counter.h"

enum { EXIT_USAGE = 2, EXIT_REFUSED = 9 };

enum option_key {
	OPT_INSECURE = 256,
	OPT_MAKER,
	OPT_SECRETS_FLAG,
	OPT_PROFILE,
	OPT_JSON,
	OPT_FOLDER,
	OPT_COUNT,
	OPT_READERS,
	OPT_SOCKET,
	OPT_SEED,
	OPT_NO_SANDBOX,
	OPT_LIST,
	OPT_COUNTER,
	OPT_END
};

struct arguments {
	const char *image_key, *reader, *maker_key, *folder, *socket, *seed, *list, *counter, *words[READERS_MAX + 1];
	size_t count, cards, readers;
	bool insecure, json, with_secrets, as_profile, quiet, end, no_sandbox;
	char **command;
	const char *leave; /* where a temporary folder is taken away at the end; or NULL */
};

/* "prose-card VERB: reason" on stderr; returns code. */
int cli_refuse(const char *verb, const char *reason, int code);
/* The image key that the arguments name. 0, or an exit code after a sentence. */
int cli_load_key(const char *verb, const struct arguments *, const char *image, struct secret *key);
/* Say on stderr what opening an image has done: that it was upgraded, or why it failed. 0, or an exit code. */
int cli_report_open(const char *verb, const struct image_options *, enum image_error);
/* Open an existing image of one card. 0, or an exit code after a sentence. */
int cli_open_image(const char *verb, const struct arguments *, const char *path, struct image **, struct image_options *);
/* The counter that --counter names, or NULL without one. 0, or an exit code after a sentence. */
int cli_open_counter(const char *verb, const struct arguments *, struct counter **);
void cli_close_counter(struct counter **);
/* From here on the process is in its role's sandbox: it writes in the image's folder and in that of `own` (or NULL). 0, or an
 * exit code after a sentence. */
int cli_sandbox(const struct arguments *, enum sandbox_role, const char *verb, const char *image, const char *own);
/* No core dumps, no ptrace by the same user; SIGTERM and SIGINT set `stop`. */
void cli_harden(void);
extern volatile sig_atomic_t cli_stop;

int verb_farm(struct arguments *);
int verb_counter(struct arguments *);

#endif
