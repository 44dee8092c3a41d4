/* SPDX-License-Identifier: Apache-2.0 */
/* A transport that shows to somebody what another one carries: a file of hex lines, or Wireshark by GSMTAP. What is in a PIN
 * command is never shown. */
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "apdu/gsmtap.h"
#include "host/lib/prose-ue.h"

enum { DATAGRAM_MAX = 1400, HEADER_LEN = 5 };

struct tap {
	struct prose_transport inner;
	FILE *file; /* or */
	int socket;
	void (*show)(const struct tap *, const uint8_t *c, size_t c_len, size_t shown, const uint8_t *r, size_t n);
};

static void put(FILE *f, char mark, const uint8_t *p, size_t n, size_t shown)
{
	(void)fputc(mark, f);
	for (size_t i = 0; i < n; i++) {
		if (i < shown)
			(void)fprintf(f, "%02x", p[i]);
		else
			(void)fputs("..", f);
	}
	(void)fputc('\n', f);
}

static void show_in_file(const struct tap *t, const uint8_t *c, size_t c_len, size_t shown, const uint8_t *r, size_t n)
{
	put(t->file, '>', c, c_len, shown);
	put(t->file, '<', r, n, n);
	(void)fflush(t->file);
}

static void show_as_gsmtap(const struct tap *t, const uint8_t *c, size_t c_len, size_t shown, const uint8_t *r, size_t n)
{
	uint8_t packet[GSMTAP_HEADER_LEN + DATAGRAM_MAX] = { GSMTAP_VERSION, GSMTAP_WORDS, GSMTAP_SIM };

	if (c_len + n > DATAGRAM_MAX)
		return;                               /* a datagram would not hold it */
	memcpy(packet + GSMTAP_HEADER_LEN, c, shown); /* the rest stays zero */
	memcpy(packet + GSMTAP_HEADER_LEN + c_len, r, n);
	(void)send(t->socket, packet, GSMTAP_HEADER_LEN + c_len + n, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static enum prose_result tap_transmit(void *context, const uint8_t *c, size_t c_len, uint8_t *r, size_t *n)
{
	struct tap *t = context;
	enum prose_result result = t->inner.transmit(t->inner.context, c, c_len, r, n);
	bool pin = c_len > HEADER_LEN && (c[0] & 0x80) == 0 && c[1] >= 0x20 && c[1] <= 0x2C;

	t->show(t, c, c_len, pin ? HEADER_LEN : c_len, r, result == PROSE_OK ? *n : 0);
	return result;
}

static enum prose_result tap_begin(void *context)
{
	struct tap *t = context;

	return t->inner.begin != NULL ? t->inner.begin(t->inner.context) : PROSE_OK;
}

static void tap_end(void *context)
{
	struct tap *t = context;

	if (t->inner.end != NULL)
		t->inner.end(t->inner.context);
}

static enum prose_result tap_reset(void *context)
{
	struct tap *t = context;

	if (t->file != NULL)
		(void)fputs("reset\n", t->file);
	return t->inner.reset != NULL ? t->inner.reset(t->inner.context) : PROSE_IO;
}

static void tap_close(void *context)
{
	struct tap *t = context;

	if (t->inner.close != NULL)
		t->inner.close(t->inner.context);
	if (t->file != NULL)
		(void)fclose(t->file);
	if (t->socket >= 0)
		(void)close(t->socket);
	free(t);
}

static void wrap(struct tap *t, struct prose_transport inner, struct prose_transport *out)
{
	t->inner = inner;
	*out = (struct prose_transport){ NULL, tap_transmit, tap_begin, tap_end, tap_reset, tap_close };
	out->context = t;
}

enum prose_result prose_trace_open(struct prose_transport inner, const char *path, struct prose_transport *out)
{
	struct tap *t = calloc(1, sizeof *t);

	if (t == NULL || (t->file = fopen(path, "ae")) == NULL) {
		free(t);
		return PROSE_NO_SPACE;
	}
	t->socket = -1;
	t->show = show_in_file;
	wrap(t, inner, out);
	return PROSE_OK;
}

static int dial(const char *host)
{
	const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_DGRAM };
	struct addrinfo *list = NULL;
	char port[8];
	int fd = -1;

	(void)snprintf(port, sizeof port, "%d", GSMTAP_PORT);

	if (getaddrinfo(host, port, &hints, &list) != 0)
		return -1;
	for (const struct addrinfo *a = list; a != NULL && fd < 0; a = a->ai_next) {
		fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);
		if (fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) != 0) {
			(void)close(fd);
			fd = -1;
		}
	}
	freeaddrinfo(list);
	return fd;
}

enum prose_result prose_gsmtap_open(struct prose_transport inner, const char *host, struct prose_transport *out)
{
	struct tap *t = calloc(1, sizeof *t);

	if (t == NULL || (t->socket = dial(host)) < 0) {
		free(t);
		return PROSE_IO;
	}
	t->show = show_as_gsmtap;
	wrap(t, inner, out);
	return PROSE_OK;
}
