/* SPDX-License-Identifier: Apache-2.0 */
/* Landlock, with the kernel's numbers: Debian 12's header ends at the second of its versions (ABI), kernels do not. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "apdu/base/text.h"
#include "sandbox/sandbox_inside.h"

enum { CREATE_RULESET = 444, ADD_RULE = 445, RESTRICT_SELF = 446, ABI_QUESTION = 1, PATH_BENEATH = 1, ABI_MAX = 6 };
enum {
	FS_EXECUTE = 1 << 0,
	FS_WRITE_FILE = 1 << 1,
	FS_READ_FILE = 1 << 2,
	FS_READ_DIR = 1 << 3,
	FS_REMOVE_DIR = 1 << 4,
	FS_REMOVE_FILE = 1 << 5,
	FS_MAKE_REG = 1 << 8,
	FS_MAKE_SOCK = 1 << 9,
	FS_TRUNCATE = 1 << 14
};
enum { FS_READ = FS_READ_FILE | FS_READ_DIR, FS_CHANGE = FS_WRITE_FILE | FS_REMOVE_FILE | FS_MAKE_REG | FS_TRUNCATE };
enum { FS_OF_FILES = FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE, SCOPE_SIGNAL = 2 };

struct ruleset {
	uint64_t fs, net, scoped;
};
struct __attribute__((packed)) beneath {
	uint64_t allowed;
	int32_t parent;
};

/* What each ABI can be asked to watch: rights of files, and the size of the structure. */
static const struct {
	uint64_t fs, scoped;
	size_t size;
} abis[ABI_MAX + 1] = {
	{ 0, 0, 0 },
	{ (1 << 13) - 1, 0, 8 },
	{ (1 << 14) - 1, 0, 8 },
	{ (1 << 15) - 1, 0, 8 },
	{ (1 << 15) - 1, 0, 16 },
	{ (1 << 15) - 1, 0, 16 }, /* the 16th, of devices' ioctls, is left to seccomp */
	{ (1 << 15) - 1, SCOPE_SIGNAL, 24 },
};

/* A path that is not there is no hole. */
static enum status allow(int rules, uint64_t watched, const char *path, uint64_t rights)
{
	int fd = open(path, O_PATH | O_CLOEXEC);
	struct stat info;
	struct beneath b = { rights & watched, fd };
	bool ok;

	if (fd < 0)
		return ERR_NOT_FOUND;
	if (fstat(fd, &info) == 0 && !S_ISDIR(info.st_mode))
		b.allowed &= FS_OF_FILES;
	ok = syscall(ADD_RULE, rules, PATH_BENEATH, &b, 0) == 0;
	(void)close(fd);
	return ok ? OK : ERR_IO;
}

/* What libraries read when they like: names of hosts, time zones, random numbers; nothing of it can be run. */
static const char *const system_folders[] = { "/etc", "/usr", "/lib", "/lib64", "/run/systemd/resolve", "/proc/net",
	"/dev/urandom" };
enum { SYSTEM_FOLDERS = sizeof system_folders / sizeof *system_folders };

static bool is_below(const char *path, const char *folder)
{
	char *whole = realpath(folder, NULL);
	const size_t n = whole != NULL ? strlen(whole) : 0;
	const bool below = n > 0 && strncmp(path, whole, n) == 0 && (path[n] == '/' || path[n] == 0 || n == 1);

	free(whole);
	return below;
}

bool sandbox_reads(const struct sandbox *s, const char *path)
{
	char *whole = realpath(path, NULL);
	bool reads = false;

	for (size_t i = 0; whole != NULL && i < SYSTEM_FOLDERS; i++)
		reads = reads || is_below(whole, system_folders[i]);
	for (size_t i = 0; whole != NULL && i < SANDBOX_READS && s->read[i] != NULL; i++)
		reads = reads || is_below(whole, s->read[i]);
	for (size_t i = 0; whole != NULL && i < SANDBOX_PATHS && s->write[i] != NULL; i++)
		reads = reads || is_below(whole, s->write[i]);
	free(whole);
	return reads;
}

static enum status allow_system(int rules, uint64_t watched)
{
	for (size_t i = 0; i < SYSTEM_FOLDERS; i++)
		if (allow(rules, watched, system_folders[i], FS_READ) == ERR_IO)
			return ERR_IO;
	return allow(rules, watched, "/dev/null", FS_READ_FILE | FS_WRITE_FILE) == ERR_IO ? ERR_IO : OK;
}

/* libpq's: passwords and certificates of the one who runs this. */
static enum status allow_database(int rules, uint64_t watched)
{
	static const char *const names[] = { ".pgpass", ".postgresql", ".pg_service.conf" };
	const char *home = getenv("HOME"), *other = getenv("PGPASSFILE");
	char path[4096];

	for (size_t i = 0; home != NULL && i < sizeof names / sizeof *names; i++)
		if (text_put(path, sizeof path, "%s/%s", home, names[i]) && allow(rules, watched, path, FS_READ) == ERR_IO)
			return ERR_IO;
	return other != NULL && allow(rules, watched, other, FS_READ) == ERR_IO ? ERR_IO : OK;
}

static enum status allow_all(int rules, uint64_t watched, unsigned rights, const struct sandbox *s)
{
	const uint64_t change = FS_READ | FS_CHANGE | ((rights & MAY_LISTEN) != 0 ? FS_MAKE_SOCK : 0);

	TRY(allow_system(rules, watched));
	if (s->database)
		TRY(allow_database(rules, watched));
	if (s->leave != NULL)
		TRY(allow(rules, watched, s->leave, FS_REMOVE_DIR));
	for (size_t i = 0; i < SANDBOX_READS && s->read[i] != NULL; i++)
		if (allow(rules, watched, s->read[i], FS_READ) == ERR_IO)
			return ERR_IO;
	for (size_t i = 0; i < SANDBOX_PATHS && s->write[i] != NULL; i++)
		if (allow(rules, watched, s->write[i], change) != OK)
			return ERR_IO;
	return OK;
}

enum status sandbox_folders(unsigned rights, const struct sandbox *s)
{
	long abi = syscall(CREATE_RULESET, NULL, 0, ABI_QUESTION);
	const size_t at = abi < 0 ? 0 : abi > ABI_MAX ? ABI_MAX : (size_t)abi;
	const struct ruleset r = { .fs = abis[at].fs, .scoped = abis[at].scoped };
	enum status st;
	int rules;

	if (at == 0)
		return ERR_NOT_FOUND;
	if ((rules = (int)syscall(CREATE_RULESET, &r, abis[at].size, 0)) < 0)
		return ERR_IO;
	st = allow_all(rules, r.fs, rights, s);
	if (st == OK && (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || syscall(RESTRICT_SELF, rules, 0) != 0))
		st = ERR_IO;
	(void)close(rules);
	return st;
}
