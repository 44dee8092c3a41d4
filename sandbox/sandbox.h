/* SPDX-License-Identifier: Apache-2.0 */
/* sandbox.h - what a program that strangers reach may still ask of the kernel, by its role: seccomp for system calls and
 * families of sockets, landlock for folders. Entered after start, before the first command or client; there is no way out. */
#ifndef SANDBOX_SANDBOX_H
#define SANDBOX_SANDBOX_H

#include "apdu/base/bytes.h"

enum sandbox_role {
	SANDBOX_CARD_RUN,
	SANDBOX_CARD_COUNTED, /* the same, where a TPM counts */
	SANDBOX_CARD_FARM,
	SANDBOX_SERVE_HSS,
	SANDBOX_SERVE_HTTP, /* bsf, kms, group, function */
	SANDBOX_SERVE_OTA,
	SANDBOX_KEEPER, /* the master key's, behind each of those */
	SANDBOX_ROLES
};

enum { SANDBOX_PATHS = 4, SANDBOX_READS = 17 };
struct sandbox {
	const char *write[SANDBOX_PATHS]; /* folders where files are made, changed and removed */
	const char *read[SANDBOX_READS];  /* folders, and all below them; one that is not there is no fault */
	const char *leave;                /* a folder from which the program takes an empty one of its own away; or NULL */
	bool database;                    /* it is elsewhere, and may have to be connected to again */
};

/* False, with a sentence: this kernel could do it, and did not. Where it cannot do a half of it (old, or inside another
 * sandbox), the sentence says so and the result is true; no sentence: "". */
MUST_USE bool sandbox_enter(enum sandbox_role, const struct sandbox *, char *sentence, size_t room);

/* Whether the program may read this path then: it lies below one of those folders, or below what every program may read. A
 * path that is not there is none. */
MUST_USE bool sandbox_reads(const struct sandbox *, const char *path);

/* The folder that a path is in. */
void sandbox_folder(const char *path, char *out, size_t room);

#endif
