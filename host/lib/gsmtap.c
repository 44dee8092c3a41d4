/* A transport that mirrors every APDU as GSMTAP (UDP 4729, type SIM), for Wireshark; PIN values are blanked. */
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/lib/prose-ue.h"

enum { HEADER_LEN = 16, PAYLOAD_MAX = 1400 };

struct gsmtap {
	struct prose_transport inner;
	int fd;
};

static void mirror(const struct gsmtap *g, const uint8_t *c, size_t c_len, const uint8_t *r, size_t n)
{
	/* version 2, header of 4 words, type 4: SIM, then what only radio has */
	uint8_t packet[HEADER_LEN + PAYLOAD_MAX] = { 2, HEADER_LEN / 4, 4 };
	bool pin = c_len > 5 && (c[0] & 0x80) == 0 && c[1] >= 0x20 && c[1] <= 0x2C;

	if (c_len + n > PAYLOAD_MAX)
		return; /* a datagram would not hold it */
	memcpy(packet + HEADER_LEN, c, c_len);
	if (pin)
		memset(packet + HEADER_LEN + 5, 0, c_len - 5);
	memcpy(packet + HEADER_LEN + c_len, r, n);
	(void)send(g->fd, packet, HEADER_LEN + c_len + n, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static enum prose_result gsmtap_transmit(void *context, const uint8_t *c, size_t c_len, uint8_t *r, size_t *n)
{
	struct gsmtap *g = context;
	enum prose_result result = g->inner.transmit(g->inner.context, c, c_len, r, n);

	if (result == PROSE_OK)
		mirror(g, c, c_len, r, *n);
	return result;
}

static enum prose_result gsmtap_begin(void *context)
{
	struct gsmtap *g = context;

	return g->inner.begin != NULL ? g->inner.begin(g->inner.context) : PROSE_OK;
}

static void gsmtap_end(void *context)
{
	struct gsmtap *g = context;

	if (g->inner.end != NULL)
		g->inner.end(g->inner.context);
}

static enum prose_result gsmtap_reset(void *context)
{
	struct gsmtap *g = context;

	return g->inner.reset != NULL ? g->inner.reset(g->inner.context) : PROSE_IO;
}

static void gsmtap_close(void *context)
{
	struct gsmtap *g = context;

	if (g->inner.close != NULL)
		g->inner.close(g->inner.context);
	(void)close(g->fd);
	free(g);
}

static int dial(const char *host)
{
	const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_DGRAM };
	struct addrinfo *list = NULL;
	int fd = -1;

	if (getaddrinfo(host, "4729", &hints, &list) != 0)
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
	struct gsmtap *g = calloc(1, sizeof *g);

	if (g == NULL || (g->fd = dial(host)) < 0) {
		free(g);
		return PROSE_IO;
	}
	g->inner = inner;
	*out = (struct prose_transport){ NULL, gsmtap_transmit, gsmtap_begin, gsmtap_end, gsmtap_reset, gsmtap_close };
	out->context = g;
	return PROSE_OK;
}
