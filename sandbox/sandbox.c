/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "apdu/base/text.h"
#include "sandbox/sandbox_inside.h"

/* http.c makes a local socket and connects to its own one for each client; tpm2-tss connects anew for each command. */
static const struct {
	const char *name;
	unsigned rights;
} roles[SANDBOX_ROLES] = {
	[SANDBOX_CARD_RUN] = { "card run", MAY_INET | MAY_CONNECT },
	[SANDBOX_CARD_COUNTED] = { "card run", MAY_UNIX | MAY_INET | MAY_CONNECT },
	[SANDBOX_CARD_FARM] = { "card farm", MAY_UNIX | MAY_INET | MAY_CONNECT | MAY_LISTEN },
	[SANDBOX_SERVE_HSS] = { "serve hss", 0 },
	[SANDBOX_SERVE_HTTP] = { "serve", MAY_UNIX | MAY_CONNECT | MAY_THREAD },
	[SANDBOX_KEEPER] = { "the keeper", 0 },
	[SANDBOX_SERVE_OTA] = { "serve ota", MAY_UNIX | MAY_INET | MAY_NETLINK | MAY_CONNECT | MAY_LISTEN },
};

void sandbox_folder(const char *path, char *out, size_t room)
{
	const char *slash = strrchr(path, '/');

	if (slash == NULL)
		(void)!text_put(out, room, ".");
	else
		(void)!text_put(out, room, "%.*s", slash == path ? 1 : (int)(slash - path), path);
}

bool sandbox_enter(enum sandbox_role role, const struct sandbox *s, char *sentence, size_t room)
{
	const unsigned rights =
	        roles[role].rights | (s->database ? MAY_UNIX | MAY_INET | MAY_NETLINK | MAY_CONNECT | MAY_LISTEN : 0);
	const enum status folders = sandbox_folders(rights, s),
	                  filter = folders == OK || folders == ERR_NOT_FOUND ? sandbox_filter(rights) : ERR_IO;

	sentence[0] = 0;
	if (filter == OK && folders == OK)
		return true;
	if (filter == OK || filter == ERR_NOT_FOUND)
		(void)snprintf(sentence, room, "this kernel has no %s: %s is without that half of its sandbox",
		        filter == OK    ? "landlock"
		        : folders == OK ? "seccomp"
		                        : "landlock and no seccomp",
		        roles[role].name);
	else
		(void)snprintf(sentence, room, "the sandbox of %s cannot be made: %s (--no-sandbox runs without)",
		        roles[role].name,
		        folders != OK && folders != ERR_NOT_FOUND ? "one of its folders cannot be opened"
		        : filter == ERR_NO_MEMORY                 ? status_text(filter)
		                                                  : "the kernel refuses the filter");
	return filter == OK || filter == ERR_NOT_FOUND;
}
