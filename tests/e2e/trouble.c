/* SPDX-License-Identifier: Apache-2.0 */
/* trouble.so: preloaded into a program, it loses LOSSY per cent of the datagrams that the program sends, by a fixed sequence,
 * and its clock is SKEW seconds ahead, or as many as SKEW_FILE says (eight octets, of this machine's order), which may change.
 * The program dies (_exit 99) before the DIE_AT-th of its dealings with a database (statements to PostgreSQL, writes and syncs
 * of SQLite), the first being 1; from its FULL_AT-th write to a file on, the disk is full. PostgreSQL, whose process is FELLED,
 * is killed at the FELL_AT-th COMMIT: before it, or with FELL_LATE before its answer is seen. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

ssize_t send(int fd, const void *data, size_t n, int flags)
{
	static ssize_t (*real)(int, const void *, size_t, int);
	static unsigned long state = 7, percent;
	int type = 0;
	socklen_t len = sizeof type;

	if (real == NULL) {
		void *symbol = dlsym(RTLD_NEXT, "send");
		const char *text = getenv("LOSSY");

		memcpy(&real, &symbol, sizeof real);
		percent = text != NULL ? strtoul(text, NULL, 10) : 0;
	}
	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_DGRAM) {
		state = state * 6364136223846793005UL + 1442695040888963407UL;
		if ((state >> 33) % 100 < percent)
			return (ssize_t)n;
	}
	return real(fd, data, n, flags);
}

/* Found before there is a sandbox. */
static const volatile int64_t *find_skew(void)
{
	static int64_t once;
	const char *text = getenv("SKEW"), *path = getenv("SKEW_FILE");
	const int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *shared = fd >= 0 ? mmap(NULL, sizeof once, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;

	if (fd >= 0)
		(void)close(fd);
	once = text != NULL ? strtol(text, NULL, 10) : 0;
	return shared != MAP_FAILED ? shared : &once;
}

int clock_gettime(clockid_t clock, struct timespec *t)
{
	static int (*real)(clockid_t, struct timespec *);
	static const volatile int64_t *skew;
	int rc;

	if (real == NULL) {
		void *symbol = dlsym(RTLD_NEXT, "clock_gettime");

		memcpy(&real, &symbol, sizeof real);
		skew = find_skew();
	}
	rc = real(clock, t);
	if (clock == CLOCK_REALTIME)
		t->tv_sec += *skew;
	return rc;
}

time_t time(time_t *out)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_REALTIME, &t);
	if (out != NULL)
		*out = t.tv_sec;
	return t.tv_sec;
}

static void *real_of(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}

static unsigned long setting(const char *name)
{
	const char *text = getenv(name);

	return text != NULL ? strtoul(text, NULL, 10) : 0;
}

static void deal(void)
{
	static unsigned long dealings;

	if (++dealings == setting("DIE_AT"))
		_exit(99);
}

ssize_t pwrite64(int fd, const void *data, size_t n, off64_t at)
{
	static unsigned long writes;
	ssize_t (*real)(int, const void *, size_t, off64_t);
	void *symbol = real_of("pwrite64");

	deal();
	if (setting("FULL_AT") != 0 && ++writes >= setting("FULL_AT")) {
		errno = ENOSPC;
		return -1;
	}
	memcpy(&real, &symbol, sizeof real);
	return real(fd, data, n, at);
}

int fdatasync(int fd)
{
	int (*real)(int);
	void *symbol = real_of("fdatasync");

	deal();
	memcpy(&real, &symbol, sizeof real);
	return real(fd);
}

/* libpq's, whose headers are not needed for what is only passed on. */
void *PQexec(void *connection, const char *text);
void *PQprepare(void *connection, const char *name, const char *text, int n, const void *types);
void *PQexecParams(void *connection, const char *text, int n, const void *types, const void *values, const void *lengths,
        const void *formats, int format);
void *PQexecPrepared(
        void *connection, const char *name, int n, const void *values, const void *lengths, const void *formats, int format);

/* The parent first, so that it starts nothing anew; then who serves us. */
static void fell(const void *connection)
{
	int (*pid_of)(const void *);
	void *symbol = real_of("PQbackendPID");

	memcpy(&pid_of, &symbol, sizeof pid_of);
	(void)kill((pid_t)setting("FELLED"), SIGKILL);
	(void)kill(pid_of(connection), SIGKILL);
}

void *PQexec(void *connection, const char *text)
{
	static unsigned long commits;
	void *(*real)(void *, const char *);
	void *symbol = real_of("PQexec");

	deal();
	memcpy(&real, &symbol, sizeof real);
	if (strcmp(text, "COMMIT") == 0 && ++commits == setting("FELL_AT")) {
		if (setting("FELL_LATE") != 0)
			(void)real(connection, text);
		fell(connection);
	}
	return real(connection, text);
}

void *PQprepare(void *connection, const char *name, const char *text, int n, const void *types)
{
	void *(*real)(void *, const char *, const char *, int, const void *);
	void *symbol = real_of("PQprepare");

	deal();
	memcpy(&real, &symbol, sizeof real);
	return real(connection, name, text, n, types);
}

void *PQexecParams(void *connection, const char *text, int n, const void *types, const void *values, const void *lengths,
        const void *formats, int format)
{
	void *(*real)(void *, const char *, int, const void *, const void *, const void *, const void *, int);
	void *symbol = real_of("PQexecParams");

	deal();
	memcpy(&real, &symbol, sizeof real);
	return real(connection, text, n, types, values, lengths, formats, format);
}

void *PQexecPrepared(
        void *connection, const char *name, int n, const void *values, const void *lengths, const void *formats, int format)
{
	void *(*real)(void *, const char *, int, const void *, const void *, const void *, int);
	void *symbol = real_of("PQexecPrepared");

	deal();
	memcpy(&real, &symbol, sizeof real);
	return real(connection, name, n, values, lengths, formats, format);
}
