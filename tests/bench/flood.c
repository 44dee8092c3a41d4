/* SPDX-License-Identifier: Apache-2.0 */
/* What a flood costs a server, as ratios of one run; processor time is the server's own. usage: bench_flood [quick]
 *   a source that is refused before TLS, to a bare accept and close
 *   a handshake with an unknown identity, to one that is served
 *   the 95th percentile of served requests while another source asks 2,000 times a second, to that of quiet times */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include "provisioning/http/http.h"
#include "tests/bench/figure.h"

#define SUITE "PSK-AES128-GCM-SHA256"
enum { ROUNDS = 5, BAD_A_SECOND = 2000, LIMIT = 200 };

static const uint8_t key[32] = { 1, 2, 3 };
static const char *identity = "good";
static SSL_CTX *client_tls;
static unsigned long *sent; /* by the flood, shared with it */

static double seconds(clockid_t clock)
{
	struct timespec t;

	(void)clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void must(bool ok, const char *what)
{
	if (!ok) {
		perror(what);
		exit(1);
	}
}

/* ---- servers -------------------------------------------------------------------------------------------------------- */

struct server {
	pid_t pid;
	unsigned port;
	clockid_t clock;
};

static bool find_key(void *context, const char *name, bool tls13, struct secret *out)
{
	(void)context, (void)tls13;
	return strcmp(name, "good") == 0 && secret_set(out, BYTES_OF(key)) == OK;
}

static void say_yes(void *context, const struct http_request *q, struct http_reply *r)
{
	(void)context, (void)q;
	r->status = 200;
	r->body = BYTES_STR("yes");
}

static void serve_bare(int out)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	unsigned port;

	must(bind(fd, (struct sockaddr *)&a, n) == 0 && listen(fd, SOMAXCONN) == 0 &&
	                getsockname(fd, (struct sockaddr *)&a, &n) == 0,
	        "bind");
	port = ntohs(a.sin_port);
	must(write(out, &port, sizeof port) == sizeof port, "write");
	for (;;) {
		int client;

		(void)poll(&p, 1, -1);
		if ((client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0)
			(void)close(client);
	}
}

static void serve_tls(int out, unsigned limit)
{
	const struct http_handler h = { .key = find_key, .request = say_yes, .suite = SUITE, .hint = "hint", .limit = limit };
	char reason[200];
	struct http_server *s = http_serve("127.0.0.1:0", &h, reason, sizeof reason);
	unsigned port = s != NULL ? http_port(s) : 0;

	must(s != NULL && write(out, &port, sizeof port) == sizeof port, "http_serve");
	for (;;)
		http_run(s, 1000);
}

static struct server start(bool bare, unsigned limit)
{
	struct server s = { 0 };
	int pipes[2];

	(void)signal(SIGPIPE, SIG_IGN); /* a client may be killed while it is answered */
	must(pipe(pipes) == 0 && (s.pid = fork()) >= 0, "fork");
	if (s.pid == 0) {
		if (bare)
			serve_bare(pipes[1]);
		serve_tls(pipes[1], limit);
	}
	must(read(pipes[0], &s.port, sizeof s.port) == sizeof s.port && clock_getcpuclockid(s.pid, &s.clock) == 0, "server");
	(void)close(pipes[0]);
	(void)close(pipes[1]);
	return s;
}

static void end(const struct server *s)
{
	(void)kill(s->pid, SIGKILL);
	(void)waitpid(s->pid, NULL, 0);
}

/* ---- clients -------------------------------------------------------------------------------------------------------- */

static int connect_from(uint32_t source, unsigned port)
{
	struct sockaddr_in from = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(source) };
	struct sockaddr_in to = {
		.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(0x7F000001)
	};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	must(fd >= 0 && bind(fd, (struct sockaddr *)&from, sizeof from) == 0, "socket");
	must(connect(fd, (struct sockaddr *)&to, sizeof to) == 0, "connect");
	return fd;
}

static unsigned give_key(SSL *ssl, const char *hint, char *name, unsigned room, unsigned char *out, unsigned out_room)
{
	(void)ssl, (void)hint, (void)out_room;
	(void)snprintf(name, room, "%s", identity);
	memcpy(out, key, sizeof key);
	return sizeof key;
}

/* Served, or refused. */
static bool ask(uint32_t source, unsigned port)
{
	static const char get[] = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
	int fd = connect_from(source, port);
	SSL *ssl = SSL_new(client_tls);
	char answer[500];
	bool ok = SSL_set_fd(ssl, fd) == 1 && SSL_connect(ssl) == 1 && SSL_write(ssl, get, sizeof get - 1) > 0 &&
	          SSL_read(ssl, answer, sizeof answer) > 12 && strncmp(answer, "HTTP/1.1 200", 12) == 0;

	SSL_free(ssl);
	(void)close(fd);
	return ok;
}

/* Connect and be sent away. */
static void knock(uint32_t source, unsigned port)
{
	struct pollfd p = { .fd = connect_from(source, port), .events = POLLIN };

	(void)poll(&p, 1, 5); /* one that is let in says nothing, and hears nothing */
	(void)close(p.fd);
}

/* Processor time of the server for one of `count`. */
static double cost(const struct server *s, void (*once)(uint32_t, unsigned), uint32_t source, unsigned count)
{
	double began;

	for (int i = 0; i < 20; i++)
		once(source, s->port);
	began = seconds(s->clock);
	for (unsigned i = 0; i < count; i++)
		once(source, s->port);
	return (seconds(s->clock) - began) / count * 1e6;
}

static void be_served(uint32_t source, unsigned port)
{
	identity = "good";
	must(ask(source, port), "a served request");
}

static void be_refused(uint32_t source, unsigned port)
{
	identity = "nobody";
	must(!ask(source, port), "a refused handshake");
}

static void compare(const char *text, const struct server *a, void (*of)(uint32_t, unsigned), const struct server *b,
        void (*to)(uint32_t, unsigned), unsigned count, const char *against)
{
	double best[2] = { 1e9, 1e9 };

	for (uint32_t r = 0; r < ROUNDS; r++) { /* a source a round, so that ports last */
		double x = cost(a, of, 0x7F000102 + r, count), y = cost(b, to, 0x7F000102 + r, count);

		best[0] = least(best[0], x);
		best[1] = least(best[1], y);
	}
	figure(text, best[0], "us", best[0] / best[1], against);
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double p95(unsigned port, unsigned count)
{
	static double t[2000];

	for (unsigned i = 0; i < count; i++) {
		double began = seconds(CLOCK_MONOTONIC);

		be_served(0x7F000001, port);
		t[i] = (seconds(CLOCK_MONOTONIC) - began) * 1e6;
		(void)usleep(20000);
	}
	qsort(t, count, sizeof *t, by_size);
	return t[count * 95 / 100];
}

static pid_t flood(unsigned port)
{
	double began;
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	identity = "nobody";
	began = seconds(CLOCK_MONOTONIC);
	for (double n = 0;; n++, ++*sent) {
		(void)ask(0x7F000201, port);
		while (n / BAD_A_SECOND > seconds(CLOCK_MONOTONIC) - began)
			(void)usleep(200);
	}
}

/* The flood is on when its first hundred were refused; *rate: bad requests a second meanwhile. */
static double p95_beside_flood(unsigned port, unsigned count, double *rate)
{
	double began, t;
	pid_t other;

	*sent = 0;
	other = flood(port);
	must(other > 0, "fork");
	while (*(volatile unsigned long *)sent < 100)
		must(waitpid(other, NULL, WNOHANG) == 0 && usleep(1000) == 0, "the flood");
	*sent = 0;
	began = seconds(CLOCK_MONOTONIC);
	t = p95(port, count);
	*rate = (double)*sent / (seconds(CLOCK_MONOTONIC) - began);
	(void)kill(other, SIGKILL);
	(void)waitpid(other, NULL, 0);
	return t;
}

static void flood_figure(unsigned port, unsigned count)
{
	double quiet = 1e9, busy = 1e9, rate = 0, most = 0;
	char text[60];

	sent = mmap(NULL, sizeof *sent, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	must(sent != MAP_FAILED, "mmap");
	for (int r = 0; r < ROUNDS; r++) {
		quiet = least(quiet, p95(port, count));
		busy = least(busy, p95_beside_flood(port, count, &rate));
		most = rate > most ? rate : most;
	}
	(void)snprintf(text, sizeof text, "p95 beside %.0f bad requests a second", most);
	figure(text, busy, "us", busy / quiet, "p95 in quiet (aim 2.0)");
}

int main(int argc, char **argv)
{
	unsigned scale = argc > 1 && strcmp(argv[1], "quick") == 0 ? 4 : 1;
	struct server bare = start(true, 0), limited = start(false, 1), open_to_all = start(false, 0),
	              both = start(false, LIMIT);

	client_tls = SSL_CTX_new(TLS_client_method());
	must(client_tls != NULL && SSL_CTX_set_max_proto_version(client_tls, TLS1_2_VERSION) == 1 &&
	                SSL_CTX_set_cipher_list(client_tls, SUITE) == 1,
	        "SSL_CTX");
	SSL_CTX_set_psk_client_callback(client_tls, give_key);
	compare("refused before TLS", &limited, knock, &bare, knock, 4000 / scale, "a bare accept and close (aim 1.5)");
	compare("refused in the handshake", &open_to_all, be_refused, &open_to_all, be_served, 2000 / scale,
	        "served (aim 0.6)");
	flood_figure(both.port, 100 / scale + 20);
	end(&bare);
	end(&limited);
	end(&open_to_all);
	end(&both);
	SSL_CTX_free(client_tls);
	return 0;
}
