/* SPDX-License-Identifier: Apache-2.0 */
/* Each role's sandbox, entered by a process of its own that then tries what code of an attacker's would: what it is for goes on
 * working, the rest is refused, and running a program or looking into one is the end. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/sandbox.h"
#include "tests/support/support.h"

static char own[64], others[64];

/* Valgrind asks for more than a sandbox gives. */
static bool possible(void)
{
	const char *preload = getenv("LD_PRELOAD");

	return PROSE_SANDBOX && (preload == NULL || strstr(preload, "vgpreload") == NULL);
}

static void setup(void)
{
	(void)snprintf(own, sizeof own, "build/test-own.%d.XXXXXX", (int)getpid());
	(void)snprintf(others, sizeof others, "build/test-others.%d.XXXXXX", (int)getpid());
	ck_assert_ptr_nonnull(mkdtemp(own));
	ck_assert_ptr_nonnull(mkdtemp(others));
}

static void teardown(void)
{
	char command[200];

	(void)snprintf(command, sizeof command, "rm -rf %s %s", own, others);
	ck_assert_int_eq(system(command), 0);
}

static char said[400]; /* by the process, on stderr */

/* How a process ended that entered the sandbox and did this: its exit status, or the signal's number and 1000. */
static int in_sandbox(enum sandbox_role role, bool database, int (*attempt)(void))
{
	const struct sandbox s = { .write = { own }, .database = database };
	int ends[2], status = 0;
	char sentence[200];
	ssize_t n;
	pid_t pid;

	ck_assert_int_eq(pipe(ends), 0);
	ck_assert_int_ge(pid = fork(), 0);
	if (pid == 0) {
		(void)dup2(ends[1], STDERR_FILENO);
		if (!sandbox_enter(role, &s, sentence, sizeof sentence))
			_exit(200);
		if (sentence[0] != 0)
			_exit(201); /* a kernel without one half of it: nothing is shown */
		_exit(attempt());
	}
	(void)close(ends[1]);
	for (size_t at = 0; (n = read(ends[0], said + at, sizeof said - 1 - at)) > 0 || at == 0; at += (size_t)n) {
		said[at + (size_t)(n > 0 ? n : 0)] = 0;
		if (n <= 0)
			break;
	}
	(void)close(ends[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int run_a_program(void)
{
	static char name[] = "true";
	char *const arguments[] = { name, NULL };

	(void)execv("/bin/true", arguments);
	return 1;
}
static int trace_the_parent(void)
{
	return ptrace(PTRACE_ATTACH, getppid(), NULL, NULL) == 0 ? 1 : 2;
}
static int read_another(void)
{
	return (int)syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0) == 0 ? 1 : 2;
}

START_TEST(programs_are_the_end)
{
	static int (*const deadly[])(void) = { run_a_program, trace_the_parent, read_another };

	for (int role = 0; possible() && role < SANDBOX_ROLES; role++)
		for (size_t i = 0; i < sizeof deadly / sizeof *deadly; i++)
			ck_assert_int_eq(in_sandbox((enum sandbox_role)role, false, deadly[i]), 1000 + SIGSYS);
}
END_TEST

static bool refused(int rc, int error)
{
	return rc < 0 && errno == error;
}

static int files_elsewhere(void)
{
	char path[100], mine[100];

	(void)snprintf(path, sizeof path, "%s/planted", others);
	(void)snprintf(mine, sizeof mine, "%s/mine", own);
	return !refused(open(path, O_WRONLY | O_CREAT, 0600), EACCES)                        ? 1
	       : !refused(open("/etc/passwd", O_WRONLY | O_APPEND), EACCES)                  ? 2
	       : !refused(open("/root", O_RDONLY | O_DIRECTORY), EACCES)                     ? 3
	       : !refused(open("/proc/self/environ", O_RDONLY), EACCES)                      ? 4
	       : !refused(open("/tmp/planted", O_WRONLY | O_CREAT, 0600), EACCES)            ? 5
	       : close(open(mine, O_WRONLY | O_CREAT, 0600)) != 0                            ? 6
	       : !refused(rename(mine, path), EXDEV) && !refused(rename(mine, path), EACCES) ? 7
	                                                                                     : 0;
}

static int files_of_its_own(void)
{
	char path[100], next[100];
	int fd;

	(void)snprintf(path, sizeof path, "%s/db-wal", own);
	(void)snprintf(next, sizeof next, "%s/db", own);
	for (int i = 0; i < 2; i++) /* a -wal comes, goes and comes again */
		if ((fd = open(path, O_RDWR | O_CREAT, 0600)) < 0 || pwrite(fd, "x", 1, 0) != 1 || fdatasync(fd) != 0 ||
		        ftruncate(fd, 0) != 0 || close(fd) != 0 || rename(path, next) != 0 || unlink(next) != 0)
			return 1;
	return open("/dev/urandom", O_RDONLY) >= 0 && open("/etc/passwd", O_RDONLY) >= 0 ? 0 : 2;
}

START_TEST(folders_are_its_own)
{
	for (int role = 0; possible() && role < SANDBOX_ROLES; role++) {
		ck_assert_int_eq(in_sandbox((enum sandbox_role)role, false, files_elsewhere), 0);
		ck_assert_int_eq(in_sandbox((enum sandbox_role)role, false, files_of_its_own), 0);
		ck_assert_str_eq(said, "");
	}
}
END_TEST

static int family, type = SOCK_STREAM;

static int make_socket(void)
{
	return socket(family, type, 0) >= 0 ? 0 : errno == EPERM ? 1 : 2;
}

static int connect_again(void)
{
	struct sockaddr_storage to = { .ss_family = (sa_family_t)family };
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0)
		return 3; /* nobody needs it */
	return connect(STDERR_FILENO, (const struct sockaddr *)&to, sizeof to) != 0 && errno == EPERM ? 1 : 0;
}

/* The table of roles, said once more. */
START_TEST(sockets_by_role)
{
	static const int families[] = { AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_VSOCK };
	static const struct {
		enum sandbox_role role;
		bool database;
		const char *made, *connects; /* of families; a point: EPERM */
	} rows[] = { { SANDBOX_CARD_RUN, false, ".46...", "c" }, { SANDBOX_CARD_COUNTED, false, "u46...", "c" },
		{ SANDBOX_CARD_FARM, false, "u46...", "c" }, { SANDBOX_SERVE_HSS, false, "......", "." },
		{ SANDBOX_SERVE_HTTP, false, "u.....", "c" }, { SANDBOX_SERVE_OTA, false, "u46n..", "c" },
		{ SANDBOX_SERVE_HSS, true, "u46n..", "c" }, { SANDBOX_SERVE_HTTP, true, "u46n..", "c" },
		{ SANDBOX_KEEPER, false, "......", "." }, { SANDBOX_KEEPER, true, "u46n..", "c" } };

	for (size_t i = 0; possible() && i < sizeof rows / sizeof *rows; i++) {
		for (size_t k = 0; k < sizeof families / sizeof *families; k++) {
			int rc;

			family = families[k];
			type = family == AF_NETLINK || family == AF_PACKET ? SOCK_RAW : SOCK_STREAM;
			rc = in_sandbox(rows[i].role, rows[i].database, make_socket);
			ck_assert_msg((rc == 1) == (rows[i].made[k] == '.'), "row %zu, family %d: %d", i, family, rc);
		}
		family = AF_UNIX;
		ck_assert_int_eq(in_sandbox(rows[i].role, rows[i].database, connect_again), rows[i].connects[0] == '.' ? 1 : 0);
	}
}
END_TEST

static int unknown_calls(void)
{
	for (int i = 0; i < 3; i++)
		if (!refused((int)syscall(SYS_sethostname, "x", 1), EPERM))
			return 1;
	return refused(kill(getppid(), 0), EPERM) && refused(fork(), EPERM) && refused(chdir("/"), EPERM) &&
	                       refused((int)syscall(SYS_clone3, NULL, 0), ENOSYS) && getpid() > 0
	               ? 0
	               : 2;
}

/* EPERM each time, and one line for each number, which says it. */
START_TEST(what_is_not_listed)
{
	char line[80];

	for (int role = 0; possible() && role < SANDBOX_ROLES; role++) {
		const char *found;

		ck_assert_int_eq(in_sandbox((enum sandbox_role)role, false, unknown_calls), 0);
		(void)snprintf(line, sizeof line, "prose: the sandbox has refused system call %04d (EPERM)\n", SYS_sethostname);
		found = strstr(said, line);
		ck_assert_msg(found != NULL, "%s", said);
		ck_assert_ptr_null(strstr(found + 1, line));
	}
}
END_TEST

static void *nothing(void *argument)
{
	return argument;
}

static int a_thread(void)
{
	pthread_t t;
	int rc = pthread_create(&t, NULL, nothing, NULL);

	return rc != 0 ? rc : pthread_join(t, NULL);
}

static int a_threads_file(void)
{
	pthread_t t;
	char path[100];

	(void)snprintf(path, sizeof path, "%s/planted", others);
	return pthread_create(&t, NULL, nothing, NULL) == 0 && pthread_join(t, NULL) == 0 &&
	                       refused(open(path, O_WRONLY | O_CREAT, 0600), EACCES)
	               ? 0
	               : 1;
}

START_TEST(threads_by_role)
{
	for (int role = 0; possible() && role < SANDBOX_ROLES; role++)
		ck_assert_int_eq(in_sandbox((enum sandbox_role)role, false, a_thread), role == SANDBOX_SERVE_HTTP ? 0 : EPERM);
	if (possible())
		ck_assert_int_eq(in_sandbox(SANDBOX_SERVE_HTTP, false, a_threads_file), 0);
}
END_TEST

/* A folder that is to be written and is not there: not entered. */
START_TEST(a_folder_that_is_not_there)
{
	const struct sandbox s = { .write = { "build/there/is/none" } };
	char sentence[200];
	pid_t pid = possible() ? fork() : -1;
	int status = 0;

	if (pid == 0)
		_exit(sandbox_enter(SANDBOX_CARD_RUN, &s, sentence, sizeof sentence) ? 1
		        : strstr(sentence, "folder") != NULL                         ? 0
		                                                                     : 2);
	if (pid > 0)
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}
END_TEST

START_TEST(folders_of_paths)
{
	char folder[40];

	sandbox_folder("card.img", folder, sizeof folder);
	ck_assert_str_eq(folder, ".");
	sandbox_folder("a/b/card.img", folder, sizeof folder);
	ck_assert_str_eq(folder, "a/b");
	sandbox_folder("/card.img", folder, sizeof folder);
	ck_assert_str_eq(folder, "/");
}
END_TEST

/* What may be read then: what every program may, its folders, by any name; not a folder whose name goes on. */
START_TEST(what_it_may_read)
{
	char longer[80], file[100], link[120], target[80];
	struct sandbox s = { .read = { own } };

	(void)snprintf(longer, sizeof longer, "%s.key", own);
	ck_assert_int_eq(mkdir(longer, 0700), 0);
	(void)snprintf(file, sizeof file, "%s/key", longer);
	(void)snprintf(link, sizeof link, "%s/link", others);
	(void)snprintf(target, sizeof target, "../%s", strchr(own, '/') + 1);
	ck_assert_int_eq(symlink(target, link), 0);
	ck_assert(sandbox_reads(&s, "/etc/passwd"));
	ck_assert(sandbox_reads(&s, own));
	ck_assert(sandbox_reads(&s, link));
	ck_assert(!sandbox_reads(&s, others));
	ck_assert(!sandbox_reads(&s, longer));
	ck_assert(!sandbox_reads(&s, file)); /* not there */
	s = (struct sandbox){ .write = { longer } };
	ck_assert(sandbox_reads(&s, longer));
	ck_assert(!sandbox_reads(&s, own));
	ck_assert_int_eq(unlink(link), 0);
	ck_assert_int_eq(rmdir(longer), 0);
}
END_TEST

Suite *suite_sandbox(void)
{
	Suite *s = suite_create("sandbox");
	TCase *t = tcase_create("sandbox");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, programs_are_the_end);
	tcase_add_test(t, folders_are_its_own);
	tcase_add_test(t, sockets_by_role);
	tcase_add_test(t, what_is_not_listed);
	tcase_add_test(t, threads_by_role);
	tcase_add_test(t, a_folder_that_is_not_there);
	tcase_add_test(t, folders_of_paths);
	tcase_add_test(t, what_it_may_read);
	suite_add_tcase(s, t);
	return s;
}
