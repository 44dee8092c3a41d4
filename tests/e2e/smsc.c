/* SPDX-License-Identifier: Apache-2.0 */
/* A store-and-forward short message centre for tests: SMPP 3.4, routing by address range, validity, delivery receipts, and
 * whatever can go wrong on the way, by seed: loss, duplicates, reordering, throttling. usage: smsc [--port N] [--password P]
 * [--loss PERCENT] [--twice PERCENT] [--delay MS] [--rate N] [--seed N] The chosen port is printed first; sums are printed as
 * JSON at SIGUSR1 and at the end. */
#include <argp.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "ota/smpp/smpp_session.h"

enum { CLIENTS = 32, WINDOW = 64, RETRY_MS = 300, DEFAULT_VALIDITY = 3600 };

struct message {
	struct smpp_pdu p; /* as it was submitted; message points to data */
	uint8_t data[SMPP_MESSAGE_MAX];
	uint64_t at, expires; /* ms: when to try next, when to give up */
	unsigned long id;
	char receipt_for[65]; /* a receipt about this message */
	struct message *next; /* in its client's queue */
};

struct client {
	int fd; /* -1: free */
	struct smpp_session s;
	char range[41];
	uint64_t first, last;
	struct message *window[WINDOW]; /* by sequence % WINDOW */
	unsigned out;
	struct message *queue, **queue_end; /* routed here, waiting for the window */
	uint64_t second, in_second;
};

static struct {
	int port, rate, delay;
	double loss, twice;
	unsigned long seed;
	const char *password;
} options = { .password = "" };

static struct client clients[CLIENTS];
static struct message **heap; /* by at */
static size_t heap_n, heap_room;
static unsigned long ids, submitted, delivered, lost, twice, throttled, expired, refused, receipts;
static uint64_t random_state;
static volatile sig_atomic_t stop, show;

static void on_signal(int number)
{
	if (number == SIGUSR1)
		show = 1;
	else
		stop = 1;
}

static uint64_t now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static double chance(void) /* 0 to 100 */
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (double)(random_state >> 11) * 100.0 / 9007199254740992.0;
}

static void push(struct message *m)
{
	size_t i = heap_n++;

	if (heap_n > heap_room) {
		heap_room = heap_room * 2 + 1024;
		if ((heap = realloc(heap, heap_room * sizeof *heap)) == NULL)
			abort();
	}
	for (; i > 0 && heap[(i - 1) / 2]->at > m->at; i = (i - 1) / 2)
		heap[i] = heap[(i - 1) / 2];
	heap[i] = m;
}

static struct message *pop(void)
{
	struct message *top = heap[0], *last = heap[--heap_n];
	size_t i = 0, child;

	while ((child = 2 * i + 1) < heap_n) {
		if (child + 1 < heap_n && heap[child + 1]->at < heap[child]->at)
			child++;
		if (last->at <= heap[child]->at)
			break;
		heap[i] = heap[child];
		i = child;
	}
	heap[i] = last;
	return top;
}

static struct message *copy(const struct smpp_pdu *p)
{
	struct message *m = calloc(1, sizeof *m);

	if (m == NULL)
		abort();
	m->p = *p;
	if (p->message.n > 0)
		memcpy(m->data, p->message.p, p->message.n);
	m->p.message.p = m->data;
	m->id = ++ids;
	m->at = now_ms();
	return m;
}

/* YYMMDDhhmmsstnnR; absolute times are taken as the default. */
static uint64_t validity(const char *text)
{
	unsigned v[6];

	if (strlen(text) != 16 || text[15] != 'R' ||
	        sscanf(text, "%2u%2u%2u%2u%2u%2u", &v[0], &v[1], &v[2], &v[3], &v[4], &v[5]) != 6)
		return DEFAULT_VALIDITY;
	return ((v[0] * 12 + v[1]) * UINT64_C(30) + v[2]) * 86400 + v[3] * UINT64_C(3600) + v[4] * UINT64_C(60) + v[5];
}

static void receipt(const struct message *of, enum smpp_state state)
{
	struct smpp_pdu p = { .command = SMPP_DELIVER, .from = of->p.to, .to = of->p.from, .esm_class = ESM_RECEIPT };
	struct message *m;
	struct buf b;

	if ((of->p.registered & REGISTERED_RECEIPT) == 0 || of->receipt_for[0] != 0)
		return;
	m = copy(&p);
	(void)snprintf(m->receipt_for, sizeof m->receipt_for, "%lu", of->id);
	(void)snprintf(m->p.message_id, sizeof m->p.message_id, "%lu", of->id);
	m->p.state = (uint8_t)state;
	b = BUF_OF(m->data);
	smpp_receipt_put(&b, m->receipt_for, state);
	m->p.message.n = b.len;
	m->expires = m->at + DEFAULT_VALIDITY * UINT64_C(1000);
	receipts++;
	push(m);
}

static void accept_message(struct client *c, const struct smpp_pdu *p)
{
	struct message *m;
	char id[24];

	if (c->second != now_ms() / 1000) {
		c->second = now_ms() / 1000;
		c->in_second = 0;
	}
	if (options.rate > 0 && c->in_second++ >= (uint64_t)options.rate) {
		throttled++;
		(void)smpp_session_answer(&c->s, p, SMPP_THROTTLED, NULL);
		return;
	}
	submitted++;
	m = copy(p);
	m->expires = m->at + validity(p->validity) * 1000;
	(void)snprintf(id, sizeof id, "%lu", m->id);
	(void)smpp_session_answer(&c->s, p, SMPP_OK, id);
	if (chance() < options.loss) {
		lost++;
		free(m);
		return;
	}
	if (chance() < options.twice) {
		struct message *again = copy(p);

		again->expires = m->expires;
		again->p.registered = 0;
		again->at += options.delay > 0 ? (uint64_t)(chance() * options.delay / 100) : 0;
		twice++;
		push(again);
	}
	m->at += options.delay > 0 ? (uint64_t)(chance() * options.delay / 100) : 0;
	push(m);
}

static bool serves(const struct client *c, const char *digits)
{
	uint64_t n = strtoull(digits, NULL, 10);

	if (c->fd < 0 || !c->s.bound || c->range[0] == 0)
		return false;
	return strcmp(c->range, digits) == 0 || (c->last > 0 && n >= c->first && n <= c->last);
}

/* Those who have the same number take turns. */
static struct client *route(const char *digits)
{
	static size_t turn;

	for (size_t i = 0; i < CLIENTS; i++) {
		struct client *c = &clients[(++turn) % CLIENTS];

		if (serves(c, digits))
			return c;
	}
	return NULL;
}

static bool into_window(struct client *c, struct message *m)
{
	struct smpp_pdu p = m->p;
	uint32_t sequence;

	p.command = SMPP_DELIVER;
	p.sequence = 0;
	p.registered = 0;
	p.validity[0] = p.schedule[0] = 0;
	/* The slot of the next sequence number must be free. */
	if (c->out >= WINDOW / 2 || c->window[(c->s.sequence % 0x7FFFFFFF + 1) % WINDOW] != NULL ||
	        (sequence = smpp_session_put(&c->s, &p)) == 0)
		return false;
	c->window[sequence % WINDOW] = m;
	c->out++;
	return true;
}

static void pump(struct client *c)
{
	while (c->queue != NULL && into_window(c, c->queue))
		c->queue = c->queue->next;
	if (c->queue == NULL)
		c->queue_end = &c->queue;
}

static void forward(struct message *m)
{
	struct client *c = route(m->p.to.digits);

	if (now_ms() >= m->expires) {
		expired++;
		receipt(m, SMPP_EXPIRED);
		free(m);
		return;
	}
	if (c == NULL) {
		m->at = now_ms() + RETRY_MS;
		push(m);
		return;
	}
	m->next = NULL;
	*c->queue_end = m;
	c->queue_end = &m->next;
	pump(c);
}

static void answered(struct client *c, const struct smpp_pdu *p)
{
	struct message *m = c->window[p->sequence % WINDOW];

	if (m == NULL)
		return;
	c->window[p->sequence % WINDOW] = NULL;
	c->out--;
	pump(c);
	if (p->status == SMPP_TEMPORARY) {
		m->at = now_ms() + RETRY_MS;
		push(m);
		return;
	}
	if (p->status == SMPP_OK)
		delivered++;
	else
		refused++;
	receipt(m, p->status == SMPP_OK ? SMPP_DELIVERED : SMPP_UNDELIVERABLE);
	free(m);
}

static void gone(struct client *c)
{
	(void)close(c->fd);
	c->fd = -1;
	for (size_t i = 0; i < WINDOW; i++) { /* not acknowledged: again, to whoever comes next */
		if (c->window[i] != NULL) {
			c->window[i]->at = now_ms() + RETRY_MS;
			push(c->window[i]);
		}
		c->window[i] = NULL;
	}
	c->out = 0;
	for (struct message *m = c->queue; m != NULL; m = m->next) {
		m->at = now_ms() + RETRY_MS;
		push(m);
	}
	c->queue = NULL;
	c->queue_end = &c->queue;
}

static void bind_client(struct client *c, const struct smpp_pdu *p)
{
	bool right = strcmp(p->password, options.password) == 0;

	(void)snprintf(c->range, sizeof c->range, "%s", p->address_range);
	if (sscanf(p->address_range, "%lu-%lu", &c->first, &c->last) != 2)
		c->first = c->last = 0;
	(void)smpp_session_answer(&c->s, p, right ? SMPP_OK : SMPP_INVALID_PASSWORD, "smsc");
	c->s.bound = right;
	c->s.unbound = !right;
}

static void handle(struct client *c, const struct smpp_pdu *p)
{
	switch (p->command) {
	case SMPP_BIND_RECEIVER:
	case SMPP_BIND_TRANSMITTER:
	case SMPP_BIND_TRANSCEIVER: bind_client(c, p); return;
	case SMPP_SUBMIT:
		if (c->s.bound)
			accept_message(c, p);
		else
			(void)smpp_session_answer(&c->s, p, SMPP_NOT_BOUND, NULL);
		return;
	case SMPP_DELIVER | SMPP_RESP: answered(c, p); return;
	default: return;
	}
}

static void take(struct client *c)
{
	size_t room;
	uint8_t *at = smpp_session_room(&c->s, &room);
	ssize_t n = recv(c->fd, at, room, MSG_DONTWAIT);
	struct smpp_pdu p;
	enum status st;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		gone(c);
		return;
	}
	smpp_session_received(&c->s, (size_t)n, now_ms() / 1000);
	while ((st = smpp_session_next(&c->s, &p)) == OK)
		handle(c, &p);
	if (st == ERR_IO)
		gone(c);
}

static void flush(struct client *c)
{
	struct bytes out = smpp_session_out(&c->s);
	ssize_t n = out.n > 0 ? send(c->fd, out.p, out.n, MSG_NOSIGNAL | MSG_DONTWAIT) : 0;

	if (n < 0 && errno != EAGAIN)
		gone(c);
	else if (n > 0)
		smpp_session_sent(&c->s, (size_t)n);
	if (c->fd >= 0 && smpp_session_tick(&c->s, now_ms() / 1000) != OK)
		gone(c);
}

static void welcome(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK), one = 1;

	if (fd < 0)
		return;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	for (size_t i = 0; i < CLIENTS; i++)
		if (clients[i].fd < 0) {
			clients[i].fd = fd;
			clients[i].range[0] = 0;
			clients[i].queue_end = &clients[i].queue;
			smpp_session_start(&clients[i].s, now_ms() / 1000);
			return;
		}
	(void)close(fd);
}

static void print_sums(void)
{
	(void)printf(
	        "{\"submitted\": %lu, \"delivered\": %lu, \"lost\": %lu, \"twice\": %lu, \"throttled\": %lu, \"expired\": %lu, "
	        "\"refused\": %lu, \"receipts\": %lu, \"waiting\": %zu}\n",
	        submitted, delivered, lost, twice, throttled, expired, refused, receipts, heap_n);
	(void)fflush(stdout);
}

static int listen_at(int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	socklen_t n = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) != 0 || listen(fd, CLIENTS) != 0 ||
	        getsockname(fd, (struct sockaddr *)&a, &n) != 0) {
		perror("smsc");
		exit(1);
	}
	(void)printf("%d\n", ntohs(a.sin_port));
	(void)fflush(stdout);
	return fd;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	(void)state;
	switch (key) {
	case 'p': options.port = atoi(arg); return 0;
	case 'w': options.password = arg; return 0;
	case 'l': options.loss = atof(arg); return 0;
	case 't': options.twice = atof(arg); return 0;
	case 'd': options.delay = atoi(arg); return 0;
	case 'r': options.rate = atoi(arg); return 0;
	case 's': options.seed = strtoul(arg, NULL, 10); return 0;
	default: return ARGP_ERR_UNKNOWN;
	}
}

int main(int argc, char **argv)
{
	static const struct argp_option list[] = { { "port", 'p', "N", 0, "Port (default: any)", 0 },
		{ "password", 'w', "P", 0, "Of every client (default: none)", 0 }, { "loss", 'l', "PERCENT", 0, "Lose", 0 },
		{ "twice", 't', "PERCENT", 0, "Deliver twice", 0 },
		{ "delay", 'd', "MS", 0, "Delay by up to, each its own", 0 },
		{ "rate", 'r', "N", 0, "Accept so many a second and client", 0 }, { "seed", 's', "N", 0, "Of chance", 0 },
		{ 0 } };
	static const struct argp argp = { list, parse, NULL, "A short message centre for tests", NULL, NULL, NULL };
	struct sigaction action = { .sa_handler = on_signal };
	int listener;

	(void)argp_parse(&argp, argc, argv, 0, NULL, NULL);
	random_state = options.seed * 2654435761U + 88172645463325252U;
	for (size_t i = 0; i < CLIENTS; i++)
		clients[i].fd = -1;
	(void)sigaction(SIGTERM, &action, NULL);
	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGUSR1, &action, NULL);
	listener = listen_at(options.port);
	while (stop == 0) {
		struct pollfd f[CLIENTS + 1] = { { .fd = listener, .events = POLLIN } };
		int wait = 1000;

		while (heap_n > 0 && heap[0]->at <= now_ms())
			forward(pop());
		for (size_t i = 0; i < CLIENTS; i++) {
			if (clients[i].fd >= 0)
				flush(&clients[i]);
			f[i + 1].fd = clients[i].fd;
			f[i + 1].events = POLLIN;
			if (clients[i].fd >= 0 && smpp_session_out(&clients[i].s).n > 0)
				f[i + 1].events |= POLLOUT;
		}
		if (heap_n > 0)
			wait = heap[0]->at > now_ms() ? (int)(heap[0]->at - now_ms()) : 0;
		if (poll(f, CLIENTS + 1, wait < 1000 ? wait : 1000) > 0) {
			for (size_t i = 0; i < CLIENTS; i++)
				if (clients[i].fd >= 0 && f[i + 1].fd == clients[i].fd && (f[i + 1].revents & ~POLLOUT) != 0)
					take(&clients[i]);
			if (f[0].revents != 0)
				welcome(listener);
		}
		if (show != 0) {
			show = 0;
			print_sums();
		}
	}
	print_sums();
	return 0;
}
