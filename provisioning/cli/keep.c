/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/cli/keep.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "provisioning/keeper/requests.h"

enum { OWN_FD = 3 };

static volatile pid_t keeper;
static volatile sig_atomic_t lost;

/* All of it where there is no limit; else the page of the master key alone. */
static void lock_memory(const char *verb, struct db *db)
{
	struct rlimit l;

	if ((geteuid() == 0 || (getrlimit(RLIMIT_MEMLOCK, &l) == 0 && l.rlim_cur == RLIM_INFINITY)) &&
	        mlockall(MCL_CURRENT | MCL_FUTURE) == 0)
		return;
	if (!db_lock(db))
		(void)fprintf(stderr,
		        "prose-net %s: the master key may be written to swap: this process may lock no memory (RLIMIT_MEMLOCK)\n",
		        verb);
}

/* Signals are for the server: the keeper ends with it. Of what was open it needs the socket and stderr. */
static void leave_the_server(int fd)
{
	(void)signal(SIGTERM, SIG_IGN);
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)prctl(PR_SET_NAME, "prose-keeper");
	(void)prctl(PR_SET_DUMPABLE, 0);
	(void)close(STDIN_FILENO);
	(void)close(STDOUT_FILENO);
	if (fd != OWN_FD)
		(void)dup2(fd, OWN_FD);
	closefrom(OWN_FD + 1);
}

static int keep(const char *verb, struct arguments *a, enum keeper_role role, const char *key)
{
	struct desk desk = { .role = role, .name = a->name, .life = role == KEEPER_BSF ? (uint64_t)a->valid : 0 };
	const uint8_t ready = 0;
	char reason[512];
	int rc;

	if ((a->db = db_open(a->state, key, reason, sizeof reason)) == NULL)
		return net_fail(verb, NULL, reason, EXIT_REFUSED);
	lock_memory(verb, a->db);
	if ((rc = net_sandbox(a, SANDBOX_KEEPER, verb, NULL)) != 0)
		return rc;
	desk.db = a->db;
	if (send(OWN_FD, &ready, sizeof ready, MSG_NOSIGNAL) == sizeof ready)
		keeper_serve(OWN_FD, &desk, keeper_rows, net_now);
	db_close(&a->db);
	return 0;
}

static void on_child(int number)
{
	static const char sentence[] = "prose-net: the keeper of the keys has ended, and so this server does\n";
	const int kept = errno;

	(void)number;
	if (keeper > 0 && lost == 0 && waitpid(keeper, NULL, WNOHANG) == keeper) {
		lost = 1;
		(void)!write(STDERR_FILENO, sentence, sizeof sentence - 1);
		(void)raise(SIGTERM);
	}
	errno = kept;
}

static int await_ready(const char *verb, int fd)
{
	const struct sigaction action = { .sa_handler = on_child, .sa_flags = SA_RESTART };
	uint8_t ready;
	ssize_t n;
	int status = 0;

	while ((n = recv(fd, &ready, sizeof ready, 0)) < 0 && errno == EINTR)
		;
	if (n == 1 && sigaction(SIGCHLD, &action, NULL) == 0) {
		on_child(SIGCHLD); /* if it has ended meanwhile */
		return 0;
	}
	(void)close(fd);
	while (waitpid(keeper, &status, 0) < 0 && errno == EINTR)
		;
	keeper = 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
		return WEXITSTATUS(status); /* it has said why */
	return net_fail(verb, NULL, "the keeper of the keys has ended before it was ready", EXIT_FAILURE);
}

int keep_start(const char *verb, struct arguments *a, enum keeper_role role, const char *key, struct keeper **out)
{
	int ends[2], rc;
	pid_t pid;

	(void)fflush(NULL); /* else both would write it */
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0 || (pid = fork()) < 0)
		return net_fail(verb, NULL, "no process for the keeper of the keys", EXIT_FAILURE);
	if (pid == 0) {
		leave_the_server(ends[1]);
		exit(keep(verb, a, role, key));
	}
	(void)close(ends[1]);
	keeper = pid;
	if ((rc = await_ready(verb, ends[0])) != 0)
		return rc;
	return (*out = keeper_new(ends[0])) != NULL ? 0 : net_fail(verb, NULL, "no memory for a server", EXIT_FAILURE);
}

bool keep_lost(void)
{
	return lost != 0;
}

void keep_end(struct keeper **k)
{
	if (*k == NULL)
		return;
	(void)signal(SIGCHLD, SIG_DFL);
	keeper_free(k);
	while (lost == 0 && keeper > 0 && waitpid(keeper, NULL, 0) < 0 && errno == EINTR)
		;
	keeper = 0;
}
