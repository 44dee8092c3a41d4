/* SPDX-License-Identifier: Apache-2.0 */
/* keep.h - the process that holds the master key for one that strangers reach (keeper/keeper.h). */
#ifndef PROVISIONING_CLI_KEEP_H
#define PROVISIONING_CLI_KEEP_H

#include "provisioning/cli/net.h"
#include "provisioning/keeper/keeper.h"

/* Start it for this verb and role, with a sandbox of its own; it opens the database, which may be new. *out: where to ask. 0,
 * or an exit code after a sentence. Once a process. */
int keep_start(const char *verb, struct arguments *, enum keeper_role, const char *key, struct keeper **out);
/* It has ended without being told to: SIGTERM was raised. */
bool keep_lost(void);
/* Close the socket, which is its end, and wait for that. */
void keep_end(struct keeper **);

#endif
