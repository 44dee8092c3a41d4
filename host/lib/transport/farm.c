/* SPDX-License-Identifier: Apache-2.0 */
/* A card of `prose-card farm`, over its UNIX socket: vpcd's framing (two octets of length), the first message names the card.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "apdu/base/bytes.h"
#include "apdu/base/secret.h"
#include "host/lib/prose-ue.h"

enum { MESSAGE_MAX = 65535, CONTROL_RESET = 2, NAME_MAX_LEN = 32 };

struct farm_link {
	int fd;
	bool lost;
	uint8_t frame[2 + MESSAGE_MAX];
};

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

static bool receive(int fd, uint8_t *out, size_t n)
{
	while (n > 0) {
		ssize_t got = recv(fd, out, n, 0);

		if (got <= 0)
			return false;
		out += got;
		n -= (size_t)got;
	}
	return true;
}

static bool send_message(struct farm_link *l, struct bytes message)
{
	struct buf b = BUF_OF(l->frame);
	bool ok;

	if (message.n > MESSAGE_MAX)
		return false;
	buf_put_uint(&b, 2, message.n);
	buf_put(&b, message);
	ok = !b.failed && send_all(l->fd, buf_bytes(&b));
	secret_clean(l->frame, b.len);
	return ok;
}

/* *n: room in, length out. */
static bool receive_message(struct farm_link *l, uint8_t *out, size_t *n)
{
	uint8_t head[2];
	size_t len;

	if (!receive(l->fd, head, 2))
		return false;
	len = (size_t)(head[0] << 8 | head[1]);
	if (len > *n || !receive(l->fd, out, len))
		return false;
	*n = len;
	return true;
}

static enum prose_result farm_transmit(void *context, const uint8_t *c, size_t c_len, uint8_t *r, size_t *n)
{
	struct farm_link *l = context;

	/* One octet would be a control message. */
	if (c_len < 2) {
		*n = 0;
		return PROSE_FORMAT;
	}
	if (l->lost || !send_message(l, (struct bytes){ c, c_len }) || !receive_message(l, r, n)) {
		*n = 0;
		l->lost = true; /* where the next message begins is not known any more */
		return PROSE_IO;
	}
	return PROSE_OK;
}

static enum prose_result farm_reset(void *context)
{
	static const uint8_t reset = CONTROL_RESET;

	struct farm_link *l = context;

	l->lost = l->lost || !send_message(l, (struct bytes){ &reset, 1 });
	return l->lost ? PROSE_IO : PROSE_OK;
}

static void farm_close(void *context)
{
	struct farm_link *l = context;

	(void)close(l->fd);
	free(l);
}

/* The card's ATR, or nothing if there is no such card or somebody has it. */
static enum prose_result attach(struct farm_link *l, const char *card)
{
	uint8_t atr[64];
	size_t n = sizeof atr;

	if (strlen(card) < 2 || strlen(card) > NAME_MAX_LEN)
		return PROSE_FORMAT;
	if (!send_message(l, bytes_str(card)) || !receive_message(l, atr, &n))
		return PROSE_IO;
	return n > 0 ? PROSE_OK : PROSE_NO_CARD;
}

enum prose_result prose_farm_open(const char *socket_path, const char *card, struct prose_transport *out)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	struct farm_link *l = calloc(1, sizeof *l);
	enum prose_result r = PROSE_NO_READER;

	if (l == NULL)
		return PROSE_NO_MEMORY;
	l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (l->fd >= 0 && strlen(socket_path) < sizeof to.sun_path) {
		memcpy(to.sun_path, socket_path, strlen(socket_path) + 1);
		if (connect(l->fd, (const struct sockaddr *)&to, sizeof to) == 0)
			r = attach(l, card);
	}
	if (r != PROSE_OK) {
		if (l->fd >= 0)
			(void)close(l->fd);
		free(l);
		return r;
	}
	*out = (struct prose_transport){ l, farm_transmit, NULL, NULL, farm_reset, farm_close };
	return PROSE_OK;
}
