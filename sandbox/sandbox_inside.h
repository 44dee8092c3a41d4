/* SPDX-License-Identifier: Apache-2.0 */
/* sandbox_inside.h - between the halves of a sandbox: the table of roles. */
#ifndef SANDBOX_SANDBOX_INSIDE_H
#define SANDBOX_SANDBOX_INSIDE_H

#include "sandbox/sandbox.h"

/* Families of sockets that a role may make, and what else it does after start. */
enum sandbox_right {
	MAY_UNIX = 1,
	MAY_INET = 2,    /* TCP and UDP, IPv4 and IPv6 */
	MAY_NETLINK = 4, /* which names are looked up with */
	MAY_CONNECT = 8, /* again */
	MAY_LISTEN = 16, /* it makes its sockets inside */
	MAY_THREAD = 32
};

/* ERR_NOT_FOUND: this kernel has none of it. */
MUST_USE enum status sandbox_filter(unsigned rights);
MUST_USE enum status sandbox_folders(unsigned rights, const struct sandbox *);

#endif
