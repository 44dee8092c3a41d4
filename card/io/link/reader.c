/* SPDX-License-Identifier: Apache-2.0 */
#include "card/io/link/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FIRST_PORT = 35963, FAILED = 125, WAIT_MS = 5000 };
/* A folder in front of a file's name: reader_run refuses a longer one. */
#define FOLDER "%.4000s"
enum { FOLDER_MAX = 4000 };
static const char driver[] = "/usr/lib/pcsc/drivers/serial/libifdvpcd.so";
static const char socket_path[] = "/run/pcscd/pcscd.comm";

static int complain(const char *what)
{
	(void)fprintf(stderr, "prose-card reader: %s: %s\n", what, strerror(errno));
	return -1;
}

static int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		(void)close(fd);
	return ok ? 0 : -1;
}

static int loopback_up(void)
{
	struct ifreq r = { 0 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), rc;

	memcpy(r.ifr_name, "lo", 3);
	r.ifr_flags = IFF_UP | IFF_LOOPBACK | IFF_RUNNING | IFF_MULTICAST;
	rc = fd >= 0 ? ioctl(fd, SIOCSIFFLAGS, &r) : -1;
	if (fd >= 0)
		(void)close(fd);
	return rc;
}

/* Own network, mounts and, for ordinary users, own user ids; an empty /run; lo up. */
static int enter_world(void)
{
	uid_t uid = getuid();
	gid_t gid = getgid();
	char map[64];

	if (unshare((uid == 0 ? 0 : CLONE_NEWUSER) | CLONE_NEWNET | CLONE_NEWNS) != 0)
		return complain("own namespaces are forbidden here (see README, Limits)");
	if (uid != 0) {
		(void)write_text("/proc/self/setgroups", "deny");
		(void)snprintf(map, sizeof map, "0 %u 1", (unsigned)uid);
		if (write_text("/proc/self/uid_map", map) != 0)
			return complain("uid_map");
		(void)snprintf(map, sizeof map, "0 %u 1", (unsigned)gid);
		if (write_text("/proc/self/gid_map", map) != 0)
			return complain("gid_map");
	}
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 || mount("tmpfs", "/run", "tmpfs", 0, "mode=755") != 0 ||
	        mkdir("/run/pcscd", 0755) != 0)
		return complain("a private /run");
	return loopback_up() == 0 ? 0 : complain("loopback");
}

static int copy_file(const char *from, const char *to)
{
	char block[65536];
	int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	ssize_t n = -1;

	while (in >= 0 && out >= 0 && (n = read(in, block, sizeof block)) > 0)
		if (write(out, block, (size_t)n) != n) {
			n = -1;
			break;
		}
	if (in >= 0)
		(void)close(in);
	if (out >= 0)
		(void)close(out);
	return n == 0 ? 0 : -1;
}

/* One entry for every two cards, each with its own copy of the driver: the driver keeps its slots in globals. */
static int write_readers(const char *folder, size_t cards)
{
	char path[PATH_MAX];
	FILE *f;

	(void)snprintf(path, sizeof path, FOLDER "/conf", folder);
	(void)mkdir(path, 0755);
	(void)snprintf(path, sizeof path, FOLDER "/conf/readers.conf", folder);
	if ((f = fopen(path, "w")) == NULL)
		return complain(path);
	for (size_t i = 0; 2 * i < cards; i++) {
		unsigned port = FIRST_PORT + 2 * (unsigned)i;

		(void)snprintf(path, sizeof path, FOLDER "/vpcd%zu.so", folder, i);
		if (copy_file(driver, path) != 0) {
			(void)fclose(f);
			return complain("the vpcd driver (package vsmartcard-vpcd) cannot be copied");
		}
		(void)fprintf(f, "FRIENDLYNAME \"Card %zu\"\nDEVICENAME /dev/null:0x%X\nLIBPATH %s\nCHANNELID 0x%X\n\n", i,
		        port, path, port);
	}
	return fclose(f) == 0 ? 0 : -1;
}

static pid_t start(char *const argv[], const char *log)
{
	pid_t pid = fork();

	if (pid == 0) {
		int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

		(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
		if (fd >= 0) {
			(void)dup2(fd, 1);
			(void)dup2(fd, 2);
		}
		(void)execvp(argv[0], argv);
		_exit(FAILED);
	}
	return pid;
}

struct world {
	pid_t pcscd, card[READERS_MAX];
	size_t cards;
};

static pid_t start_card(const struct reader_options *o, size_t i, const char *folder)
{
	char address[32], log[PATH_MAX];
	char *argv[10] = { (char *)o->program, (char *)"run", (char *)"--reader", address };
	size_t n = 4;

	if (o->key == NULL)
		argv[n++] = (char *)"--insecure-test-key";
	else {
		argv[n++] = (char *)"--image-key";
		argv[n++] = (char *)o->key;
	}
	if (o->counter != NULL) {
		argv[n++] = (char *)"--counter";
		argv[n++] = (char *)o->counter;
	}
	argv[n] = (char *)o->images[i];
	(void)snprintf(address, sizeof address, "127.0.0.1:%u", FIRST_PORT + (unsigned)i);
	(void)snprintf(log, sizeof log, FOLDER "/card%zu.log", folder, i);
	return start(argv, log);
}

/* Every card connected: pcscd polls each slot every 400 ms; a listening port whose connection is established is a card in. */
static bool cards_are_in(size_t cards)
{
	FILE *f = fopen("/proc/net/tcp", "r");
	unsigned port, state, seen = 0;
	char line[256];

	while (f != NULL && fgets(line, sizeof line, f) != NULL)
		/* NOLINTNEXTLINE(cert-err34-c): the kernel's own words, and no field is wider than its number */
		if (sscanf(line, " %*d: %*8X:%4X %*8X:%*4X %2X", &port, &state) == 2 && state == 1 && port >= FIRST_PORT &&
		        port < FIRST_PORT + cards)
			seen++;
	if (f != NULL)
		(void)fclose(f);
	return seen == cards;
}

/* pcscd from 2.0 on asks polkit about every client, and turns all away where no polkit runs; 1.9 neither asks nor knows the
 * option. /run is the command's own here, so whoever is in this world may use its cards. */
static bool pcscd_asks_polkit(const char *log)
{
	char *argv[] = { (char *)"pcscd", (char *)"--help", NULL }, line[256];
	bool found = false;
	FILE *f;

	(void)waitpid(start(argv, log), NULL, 0);
	if ((f = fopen(log, "re")) == NULL)
		return false;
	while (fgets(line, sizeof line, f) != NULL)
		found = strstr(line, "--disable-polkit") != NULL || found;
	(void)fclose(f);
	return found;
}

static int start_world(const struct reader_options *o, const char *folder, struct world *w)
{
	char conf[PATH_MAX], log[PATH_MAX];
	char *argv[] = { (char *)"pcscd", (char *)"-f", (char *)"-c", conf, NULL, NULL };
	int waited = 0;

	(void)snprintf(conf, sizeof conf, FOLDER "/conf", folder);
	(void)snprintf(log, sizeof log, FOLDER "/pcscd.log", folder);
	if (pcscd_asks_polkit(log))
		argv[4] = (char *)"--disable-polkit";
	w->pcscd = start(argv, log);
	while (access(socket_path, F_OK) != 0) {
		if (waited++ > WAIT_MS || waitpid(w->pcscd, NULL, WNOHANG) != 0) {
			(void)fprintf(stderr, "prose-card reader: pcscd did not start, see %s\n", log);
			return -1;
		}
		(void)poll(NULL, 0, 1);
	}
	for (size_t i = 0; i < o->count; i++)
		w->card[w->cards++] = start_card(o, i, folder);
	for (waited = 0; !cards_are_in(o->count); waited += 10) {
		for (size_t i = 0; i < w->cards; i++)
			if (waitpid(w->card[i], NULL, WNOHANG) == w->card[i] || waited > WAIT_MS) {
				(void)fprintf(stderr, "prose-card reader: card %zu did not start, see %s/card%zu.log\n", i,
				        folder, i);
				return -1;
			}
		(void)poll(NULL, 0, 10);
	}
	(void)poll(NULL, 0, 450); /* one more round of pcscd's poll, which reads the ATR */
	return 0;
}

static void stop_world(struct world *w)
{
	for (size_t i = 0; i < w->cards; i++)
		(void)kill(w->card[i], SIGTERM);
	for (size_t i = 0; i < w->cards; i++)
		(void)waitpid(w->card[i], NULL, 0);
	if (w->pcscd > 0) {
		(void)kill(w->pcscd, SIGTERM);
		(void)waitpid(w->pcscd, NULL, 0);
	}
}

static int run_command(char **command)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
		(void)execvp(command[0], command);
		(void)fprintf(stderr, "prose-card reader: %s: %s\n", command[0], strerror(errno));
		_exit(127);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return FAILED;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void remove_folder(const char *folder, size_t cards)
{
	char path[PATH_MAX];

	for (size_t i = 0; i < cards; i++) {
		(void)snprintf(path, sizeof path, FOLDER "/vpcd%zu.so", folder, i);
		(void)unlink(path);
		(void)snprintf(path, sizeof path, FOLDER "/card%zu.log", folder, i);
		(void)unlink(path);
	}
	(void)snprintf(path, sizeof path, FOLDER "/pcscd.log", folder);
	(void)unlink(path);
	(void)snprintf(path, sizeof path, FOLDER "/conf/readers.conf", folder);
	(void)unlink(path);
	(void)snprintf(path, sizeof path, FOLDER "/conf", folder);
	(void)rmdir(path);
	(void)rmdir(folder);
}

int reader_run(const struct reader_options *o)
{
	char temporary[] = "/tmp/prose-reader.XXXXXX", absolute[PATH_MAX];
	const char *folder = o->folder;
	struct world w = { 0 };
	int rc = FAILED;

	if (folder == NULL && (folder = mkdtemp(temporary)) == NULL)
		return complain("a temporary folder") == 0 ? 0 : FAILED;
	if (o->folder != NULL)
		(void)mkdir(o->folder, 0700);
	if (realpath(folder, absolute) != NULL)
		folder = absolute;
	if (strlen(folder) > FOLDER_MAX) {
		errno = ENAMETOOLONG;
		(void)complain("--folder");
		return FAILED;
	}
	(void)signal(SIGINT, SIG_IGN); /* for CMD; we leave when it does */
	if (enter_world() == 0 && write_readers(folder, o->count) == 0 && start_world(o, folder, &w) == 0) {
		(void)signal(SIGINT, SIG_DFL);
		rc = run_command(o->command);
	}
	stop_world(&w);
	if (o->folder == NULL)
		remove_folder(folder, o->count);
	return rc;
}
