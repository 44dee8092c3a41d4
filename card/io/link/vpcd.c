/* SPDX-License-Identifier: Apache-2.0 */
#include "card/io/link/vpcd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "apdu/base/text.h"

enum { CONTROL_OFF = 0, CONTROL_ON = 1, CONTROL_RESET = 2, CONTROL_ATR = 4, RETRY_MS = 100 };

enum status vpcd_parse(const char *text, struct vpcd_options *o)
{
	const char *colon = strrchr(text, ':');
	long long port;

	if (colon == NULL || colon == text || (size_t)(colon - text) >= sizeof o->host)
		return ERR_MALFORMED;
	memcpy(o->host, text, (size_t)(colon - text));
	o->host[colon - text] = 0;
	if (!text_number(colon + 1, &port) || port < 1 || port > 65535)
		return ERR_MALFORMED;
	o->port = (uint16_t)port;
	return OK;
}

int vpcd_dial(const struct vpcd_options *o)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(o->port) };
	int fd, one = 1;

	if (inet_pton(AF_INET, o->host, &to.sin_addr) != 1 || (fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) < 0)
		return -1;
	if (connect(fd, (const struct sockaddr *)&to, sizeof to) != 0) {
		(void)close(fd);
		return -1;
	}
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	return fd;
}

void vpcd_quick(int fd)
{
	int one = 1;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &one, sizeof one);
}

static bool receive(int fd, uint8_t *out, size_t n)
{
	while (n > 0) {
		ssize_t got;

		vpcd_quick(fd);
		got = recv(fd, out, n, 0);
		if (got <= 0)
			return false; /* EINTR too: a signal means stop */
		out += got;
		n -= (size_t)got;
	}
	return true;
}

static bool send_all(int fd, struct bytes left)
{
	while (left.n > 0) {
		ssize_t n = send(fd, left.p, left.n, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		left.p += n;
		left.n -= (size_t)n;
	}
	return true;
}

/* Somebody outside could connect to a port that listens on all addresses (spec recipes.md section 1). */
static void warn_if_open(uint16_t port)
{
	FILE *f = fopen("/proc/net/tcp", "r");
	char line[256];
	unsigned address, p, state;

	while (f != NULL && fgets(line, sizeof line, f) != NULL) {
		/* NOLINTNEXTLINE(cert-err34-c): the kernel's own words, and no field is wider than its number */
		if (sscanf(line, " %*d: %8X:%4X %*8X:%*4X %2X", &address, &p, &state) == 3 && p == port && state == 0x0A &&
		        (ntohl(address) >> 24) != 127) {
			FILE *d = fopen("/proc/net/dev", "r");
			int devices = -2;

			while (d != NULL && fgets(line, sizeof line, d) != NULL)
				devices++;
			if (d != NULL)
				(void)fclose(d);
			if (devices > 1)
				(void)fprintf(stderr,
				        "prose-card: warning: the reader's port %u listens on all addresses, so other hosts can reach it;\n"
				        "  use `prose-card reader -- CMD`, which gives it a network of its own\n",
				        (unsigned)port);
			break;
		}
	}
	if (f != NULL)
		(void)fclose(f);
}

void vpcd_answer(struct card *card, struct bytes message, struct buf *frame)
{
	size_t start = frame->len, n;

	buf_put_uint(frame, 2, 0);
	if (message.n > 1)
		card_transmit(card, message, frame);
	else if (message.n == 1 && message.p[0] == CONTROL_ATR)
		buf_put(frame, card_atr);
	else if (message.n == 1 && message.p[0] <= CONTROL_RESET)
		card_reset(card); /* off, on, reset */
	n = frame->len - start - 2;
	if (n > UINT16_MAX)
		frame->failed = true; /* beyond what the protocol can carry: the reader is better off without the card */
	if (n == 0 || frame->failed)
		frame->len = start;
	else
		bytes_from_uint(n, frame->p + start, 2);
}

struct link {
	int fd;
	struct card *card;
	uint8_t in[65536], out[2 + APDU_RESPONSE_MAX];
};

static bool one_message(struct link *l)
{
	struct buf frame = BUF_OF(l->out);
	uint8_t head[2];
	size_t n;
	bool ok;

	if (!receive(l->fd, head, 2))
		return false;
	n = (size_t)(head[0] << 8 | head[1]);
	if (n == 0)
		return true;
	if (!receive(l->fd, l->in, n))
		return false;
	vpcd_answer(l->card, (struct bytes){ l->in, n }, &frame);
	ok = !frame.failed && send_all(l->fd, buf_bytes(&frame));
	secret_clean(l->in, n);
	secret_clean(l->out, frame.len);
	return ok;
}

enum status vpcd_run(struct card *card, const struct vpcd_options *o, volatile sig_atomic_t *stop)
{
	static struct link l;
	bool warned = false;
	enum status st = OK;

	while (*stop == 0) {
		l.card = card;
		if ((l.fd = vpcd_dial(o)) < 0) {
			(void)poll(NULL, 0, RETRY_MS);
			continue;
		}
		if (!warned)
			warn_if_open(o->port);
		warned = true;
		if (!o->quiet)
			(void)fprintf(stderr, "prose-card: in the reader at %s:%u\n", o->host, (unsigned)o->port);
		card_reset(card);
		while (*stop == 0 && one_message(&l))
			;
		(void)close(l.fd);
		card_reset(card);
		if (*stop == 0)
			(void)poll(NULL, 0, RETRY_MS);
	}
	secret_clean(&l, sizeof l);
	return st;
}
