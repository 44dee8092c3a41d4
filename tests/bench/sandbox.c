/* SPDX-License-Identifier: Apache-2.0 */
/* What the sandbox costs a card: two of them, with it and without, each in a reader that this program is; blocks of commands
 * interleaved, on one core: which core a card is on costs more than its sandbox. usage: bench_sandbox quick|full PROGRAMS
 * FOLDER, with a card.img */
#include <arpa/inet.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/figure.h"

enum { BLOCK = 300, CARDS = 2, ANSWER_MAX = 300 };

struct reader {
	pid_t card;
	int fd;
};

static _Noreturn void stop(const char *what)
{
	perror(what);
	exit(1);
}

static double now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static pid_t start_card(const char *programs, const char *image, const char *where, int own, const char *option)
{
	char path[512];
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	(void)close(own);
	(void)snprintf(path, sizeof path, "%s/prose-card", programs);
	(void)execl(path, path, "run", "--quiet", "--insecure-test-key", "--reader", where, image, option, (char *)NULL);
	stop(path);
}

/* A message of vpcd's: two octets of length, and so many. */
static void put(int fd, const uint8_t *data, size_t n)
{
	uint8_t message[2 + ANSWER_MAX] = { (uint8_t)(n >> 8), (uint8_t)n };

	memcpy(message + 2, data, n);
	if (send(fd, message, 2 + n, 0) != (ssize_t)(2 + n))
		stop("send");
}

static size_t take(int fd, uint8_t *data)
{
	uint8_t head[2];
	size_t n;

	if (recv(fd, head, 2, MSG_WAITALL) != 2)
		stop("recv");
	n = (size_t)head[0] << 8 | head[1];
	if (n > ANSWER_MAX || recv(fd, data, n, MSG_WAITALL) != (ssize_t)n)
		stop("recv");
	return n;
}

static struct reader reader_open(const char *programs, const char *folder, const char *name, const char *option)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	static const uint8_t power_on = 1;
	socklen_t size = sizeof a;
	char where[40], image[512];
	int own = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct reader r;

	if (own < 0 || bind(own, (struct sockaddr *)&a, sizeof a) != 0 || listen(own, 1) != 0 ||
	        getsockname(own, (struct sockaddr *)&a, &size) != 0)
		stop("socket");
	(void)snprintf(where, sizeof where, "127.0.0.1:%u", ntohs(a.sin_port));
	(void)snprintf(image, sizeof image, "%s/%s", folder, name);
	if ((r.card = start_card(programs, image, where, own, option)) < 0 || (r.fd = accept(own, NULL, NULL)) < 0)
		stop("accept");
	(void)close(own);
	put(r.fd, &power_on, 1);
	return r;
}

static double block(const struct reader *r, const uint8_t *command, size_t n)
{
	uint8_t answer[ANSWER_MAX];
	double from = now();

	for (int i = 0; i < BLOCK; i++) {
		size_t got;

		put(r->fd, command, n);
		got = take(r->fd, answer);
		if (got < 2 || answer[got - 2] != 0x90)
			stop("the card refuses");
	}
	return (now() - from) / BLOCK;
}

static void measure(const char *name, const struct reader r[CARDS], int rounds, const uint8_t *command, size_t n)
{
	double best[CARDS] = { 1e12, 1e12 };

	for (int i = 0; i < rounds; i++)
		for (int k = 0; k < CARDS; k++)
			best[k] = least(best[k], block(&r[k], command, n));
	figure(name, best[0], "us", best[0] / best[1], "the same without (aim 1.10)");
}

int main(int argc, char **argv)
{
	static const uint8_t select[] = { 0x00, 0xA4, 0x00, 0x0C, 0x02, 0x2F, 0xE2 };
	static const uint8_t read_binary[] = { 0x00, 0xB0, 0x00, 0x00, 0x0A };
	static const uint8_t find_usim[] = { 0x00, 0xA4, 0x04, 0x0C, 0x07, 0xA0, 0x00, 0x00, 0x00, 0x87, 0x10, 0x02 };
	static const uint8_t verify[] = { 0x00, 0x20, 0x00, 0x01, 0x08, '1', '2', '3', '4', 0xFF, 0xFF, 0xFF, 0xFF };
	struct reader r[CARDS];
	cpu_set_t one;
	int rounds;

	if (argc != 4)
		return 2;
	CPU_ZERO(&one);
	CPU_SET((size_t)sched_getcpu(), &one);
	if (sched_setaffinity(0, sizeof one, &one) != 0) /* the cards', too */
		stop("sched_setaffinity");
	rounds = strcmp(argv[1], "quick") == 0 ? 7 : 21;
	r[0] = reader_open(argv[2], argv[3], "in.img", "--quiet");
	r[1] = reader_open(argv[2], argv[3], "out.img", "--no-sandbox");
	for (int k = 0; k < CARDS; k++)
		(void)block(&r[k], select, sizeof select);
	measure("READ BINARY in a sandbox", r, rounds, read_binary, sizeof read_binary);
	for (int k = 0; k < CARDS; k++)
		(void)block(&r[k], find_usim, sizeof find_usim);
	measure("VERIFY PIN in a sandbox, durable", r, rounds, verify, sizeof verify);
	for (int k = 0; k < CARDS; k++) {
		(void)kill(r[k].card, SIGTERM);
		(void)waitpid(r[k].card, NULL, 0);
	}
	return 0;
}
