/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/cli/serve.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "provisioning/cli/net.h"
#include "provisioning/operator.h"

enum { DATAGRAM_MAX = 1024 };

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
	(void)number;
	stop = 1;
}

static int open_socket(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	mode_t mask;
	bool bound;

	if (fd < 0 || strlen(path) >= sizeof a.sun_path) {
		(void)fprintf(
		        stderr, "prose-net serve: %s: a socket path has at most %zu characters\n", path, sizeof a.sun_path - 1);
		if (fd >= 0)
			(void)close(fd);
		return -1;
	}
	memcpy(a.sun_path, path, strlen(path) + 1);
	mask = umask(0177);
	bound = bind(fd, (const struct sockaddr *)&a, sizeof a) == 0;
	(void)umask(mask);
	if (!bound) {
		(void)fprintf(stderr, "prose-net serve: %s: %s%s\n", path, strerror(errno),
		        errno == EADDRINUSE ? " (remove it if no other server runs)" : "");
		(void)close(fd);
		return -1;
	}
	return fd;
}

int serve_hss(const struct arguments *a, struct db *db, const char *socket_path)
{
	struct sigaction action = { .sa_handler = on_signal };
	sigset_t ends, open;
	uint8_t in[DATAGRAM_MAX], out[DATAGRAM_MAX];
	int fd = open_socket(socket_path), rc;

	if (fd < 0)
		return EXIT_FAILURE;
	if ((rc = net_sandbox(a, SANDBOX_SERVE_HSS, "serve hss", socket_path)) != 0)
		return rc;
	(void)sigaction(SIGTERM, &action, NULL);
	(void)sigaction(SIGINT, &action, NULL);
	/* Heard while it waits, and nowhere else: between a look at `stop` and the wait one would be lost. */
	(void)sigemptyset(&ends);
	(void)sigaddset(&ends, SIGTERM);
	(void)sigaddset(&ends, SIGINT);
	(void)sigprocmask(SIG_BLOCK, &ends, &open);
	(void)printf("ready\n");
	(void)fflush(stdout);
	while (stop == 0) {
		struct sockaddr_un from;
		socklen_t n = sizeof from;
		struct pollfd waiting = { .fd = fd, .events = POLLIN };
		struct buf answer = BUF_OF(out);
		ssize_t got;

		if (ppoll(&waiting, 1, NULL, &open) < 0)
			continue;
		got = recvfrom(fd, in, sizeof in, MSG_DONTWAIT, (struct sockaddr *)&from, &n);
		if (got <= 0)
			continue;
		hss_datagram(db, (struct bytes){ in, (size_t)got }, &answer);
		if (answer.len > 0 && !answer.failed)
			(void)sendto(fd, out, answer.len, MSG_DONTWAIT, (const struct sockaddr *)&from, n);
		secret_clean(out, sizeof out);
	}
	(void)close(fd);
	(void)unlink(socket_path);
	return 0;
}
