/* SPDX-License-Identifier: Apache-2.0 */
/* serve.h - the operator's services: each runs until SIGTERM or SIGINT and returns an exit code. */
#ifndef PROVISIONING_CLI_SERVE_H
#define PROVISIONING_CLI_SERVE_H

#include "provisioning/db/db.h"

/* Answer hostapd's eap_sim_db datagrams on a UNIX socket (mode 0600), which is made and, at the end, removed. */
struct arguments;
int serve_hss(const struct arguments *, struct db *, const char *socket_path);

#endif
