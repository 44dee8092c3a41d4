/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "apdu/base/text.h"
#include "host/cli/cli.h"

const uint8_t terminal_profile[TERMINAL_PROFILE_LEN] = { 0x03, 0x00, 0x88, 0x02, 0x01, 0x0C, 0x00, 0x07, 0x00, 0x00, 0x00, 0x0F,
	0xE0, 0x00, 0x00, 0x00, 0x01 };

int ue_complain(const struct arguments *a, const char *verb, const char *about, enum prose_result r)
{
	bool said = r == PROSE_REFUSED || r == PROSE_INTERFACE || r == PROSE_PIN_WRONG || r == PROSE_PIN_BLOCKED ||
	            r == PROSE_PIN_LAST_TRY;
	const char *why = said && a->card != NULL ? prose_card_error(a->card) : prose_result_text(r);

	(void)fprintf(stderr, "prose-ue %s: %s%s%s\n", verb, about != NULL ? about : "", about != NULL ? ": " : "", why);
	return said || r == PROSE_PIN_NEEDED || r == PROSE_PIN_FORMAT                ? EXIT_REFUSED
	       : r == PROSE_NO_CARD || r == PROSE_NO_READER || r == PROSE_NOT_LET_IN ? EXIT_NO_CARD
	                                                                             : EXIT_FAILURE;
}

int usage_error(const char *verb, const char *sentence)
{
	(void)fprintf(stderr, "prose-ue %s: %s\n", verb, sentence);
	return EXIT_USAGE;
}

int usage_too_long(const char *verb, const char *what, size_t n, size_t max)
{
	(void)fprintf(stderr, "prose-ue %s: %s has %zu characters: at most %zu fit\n", verb, what, n, max);
	return EXIT_USAGE;
}

bool read_file(const char *verb, const char *path, uint8_t *out, size_t room, size_t *n)
{
	FILE *f = fopen(path, "rbe");
	bool ok;

	if (f == NULL) {
		(void)fprintf(stderr, "prose-ue %s: %s: %s\n", verb, path, strerror(errno));
		return false;
	}
	*n = fread(out, 1, room, f);
	ok = ferror(f) == 0 && fgetc(f) == EOF;
	if (!ok)
		(void)fprintf(stderr, "prose-ue %s: %s: larger than %zu octets, or unreadable\n", verb, path, room);
	(void)fclose(f);
	return ok;
}

bool write_private(const char *path, const uint8_t *data, size_t n)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	bool ok = fd >= 0 && fchmod(fd, 0600) == 0 && write(fd, data, n) == (ssize_t)n;

	return fd >= 0 && close(fd) == 0 && ok;
}

/* Without stdio, whose buffer would keep it. */
static bool take_line(int fd, struct secret *out)
{
	size_t n = 0;
	ssize_t got;

	while (n < sizeof out->data - 1 && (got = read(fd, out->data + n, sizeof out->data - 1 - n)) > 0)
		n += (size_t)got;
	out->data[n] = 0;
	out->len = strcspn((char *)out->data, "\r\n");
	secret_clean(out->data + out->len, sizeof out->data - out->len);
	return n > 0;
}

bool read_line(const char *path, struct secret *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool ok = fd >= 0 && take_line(fd, out);

	if (fd >= 0)
		(void)close(fd);
	return ok;
}

bool read_secret(const char *path, struct secret *out)
{
	struct stat info;

	return stat(path, &info) == 0 && (info.st_mode & 077) == 0 && read_line(path, out);
}

uint64_t now_microseconds(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

uint64_t now_seconds(void)
{
	return now_microseconds() / 1000000;
}

bool multicast_open(const char *text, bool receive, struct multicast *m)
{
	const char *colon = text != NULL ? strrchr(text, ':') : NULL;
	struct sockaddr_in at = { .sin_family = AF_INET };
	struct ip_mreqn group = { 0 };
	unsigned char loop = 1;
	long long port;
	int one = 1;

	*m = (struct multicast){ .fd = -1 };
	if (colon == NULL || (size_t)(colon - text) >= sizeof m->address)
		return false;
	memcpy(m->address, text, (size_t)(colon - text));
	if (!text_number(colon + 1, &port) || port < 1 || port > UINT16_MAX)
		return false;
	m->port = (uint16_t)port;
	at.sin_port = htons(m->port);
	if (inet_pton(AF_INET, m->address, &at.sin_addr) != 1 || (m->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) < 0)
		return false;
	group.imr_multiaddr = at.sin_addr;
	group.imr_address.s_addr = htonl(INADDR_LOOPBACK);
	if (setsockopt(m->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
	        setsockopt(m->fd, IPPROTO_IP, IP_MULTICAST_IF, &group, sizeof group) != 0 ||
	        setsockopt(m->fd, IPPROTO_IP, IP_MULTICAST_LOOP, &loop, sizeof loop) != 0 ||
	        (receive && (bind(m->fd, (const struct sockaddr *)&at, sizeof at) != 0 ||
	                            setsockopt(m->fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof group) != 0)) ||
	        (!receive && connect(m->fd, (const struct sockaddr *)&at, sizeof at) != 0)) {
		multicast_close(m);
		return false;
	}
	return true;
}

bool multicast_send(const struct multicast *m, const uint8_t *data, size_t n)
{
	return send(m->fd, data, n, 0) == (ssize_t)n;
}

long multicast_receive(const struct multicast *m, uint8_t *out, size_t room, int ms)
{
	struct pollfd p = { m->fd, POLLIN, 0 };
	int ready = poll(&p, 1, ms);

	return ready <= 0 ? ready : recv(m->fd, out, room, 0);
}

void multicast_close(struct multicast *m)
{
	if (m->fd >= 0)
		(void)close(m->fd);
	m->fd = -1;
}
