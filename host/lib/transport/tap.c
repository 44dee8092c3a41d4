/* SPDX-License-Identifier: Apache-2.0 */
/* A transport that shows to somebody what another one carries: a file of hex lines, or Wireshark by GSMTAP. What is in a PIN
 * command is never shown; what else apdu/ins.c calls secret, when it is asked for. */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apdu/apdu.h"
#include "apdu/gsmtap.h"
#include "apdu/ins.h"
#include "host/lib/prose-ue.h"

enum { DATAGRAM_MAX = 1400, HEADER_LEN = 5, SW_LEN = 2 };

/* Octets, of which [from, to) are not shown. */
struct view {
	const uint8_t *p;
	size_t n, from, to;
};

struct tap {
	struct prose_transport inner;
	FILE *file; /* or */
	int socket;
	bool whole;          /* secrets are shown, too */
	bool hides_response; /* GET RESPONSE would tell what is secret */
	void (*show)(const struct tap *, const struct view *command, const struct view *response);
};

static void put(FILE *f, char mark, const struct view *v)
{
	(void)fputc(mark, f);
	for (size_t i = 0; i < v->n; i++) {
		if (i < v->from || i >= v->to)
			(void)fprintf(f, "%02x", v->p[i]);
		else
			(void)fputs("..", f);
	}
	(void)fputc('\n', f);
}

static void show_in_file(const struct tap *t, const struct view *command, const struct view *response)
{
	put(t->file, '>', command);
	put(t->file, '<', response);
	(void)fflush(t->file);
}

static void copy_view(uint8_t *out, const struct view *v)
{
	for (size_t i = 0; i < v->n; i++)
		out[i] = i < v->from || i >= v->to ? v->p[i] : 0;
}

static void show_as_gsmtap(const struct tap *t, const struct view *command, const struct view *response)
{
	uint8_t packet[GSMTAP_HEADER_LEN + DATAGRAM_MAX] = { GSMTAP_VERSION, GSMTAP_WORDS, GSMTAP_SIM };

	if (command->n + response->n > DATAGRAM_MAX)
		return; /* a datagram would not hold it */
	copy_view(packet + GSMTAP_HEADER_LEN, command);
	copy_view(packet + GSMTAP_HEADER_LEN + command->n, response);
	(void)send(t->socket, packet, GSMTAP_HEADER_LEN + command->n + response->n, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static enum prose_result tap_transmit(void *context, const uint8_t *c, size_t c_len, uint8_t *r, size_t *n)
{
	struct tap *t = context;
	enum prose_result result = t->inner.transmit(t->inner.context, c, c_len, r, n);
	const uint8_t ins = c_len > 1 ? c[1] : 0;
	const struct ins_name *name = ins_name(ins);
	const unsigned hides = c_len > 1 ? ins_hides(c[0], ins) : 0;
	struct view command = { c, c_len, c_len, c_len }, response = { r, result == PROSE_OK ? *n : 0, 0, 0 };

	if (ins != INS_GET_RESPONSE)
		t->hides_response = (hides & INS_HIDES_ANSWER) != 0;
	if ((hides & INS_HIDES_DATA) != 0 && c_len > HEADER_LEN && (!t->whole || (name != NULL && name->kind == INS_PIN)))
		command.from = HEADER_LEN;
	if (t->hides_response && !t->whole && response.n > SW_LEN)
		response.to = response.n - SW_LEN;
	t->show(t, &command, &response);
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

/* For its owner alone, also when it has been there before and was not. */
static FILE *private_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	struct stat info;
	FILE *f = NULL;

	if (fd >= 0 && fstat(fd, &info) == 0 && (!S_ISREG(info.st_mode) || fchmod(fd, 0600) == 0))
		f = fdopen(fd, "a");
	if (fd >= 0 && f == NULL)
		(void)close(fd);
	return f;
}

enum prose_result prose_trace_open(struct prose_transport inner, const char *path, struct prose_transport *out)
{
	struct tap *t = calloc(1, sizeof *t);

	if (t == NULL || (t->file = private_file(path)) == NULL) {
		bool starved = t == NULL || errno == ENOMEM;

		free(t);
		return starved ? PROSE_NO_MEMORY : PROSE_NO_SPACE;
	}
	t->socket = -1;
	t->show = show_in_file;
	wrap(t, inner, out);
	return PROSE_OK;
}

static enum prose_result dial(const char *host, int *out)
{
	const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_DGRAM };
	struct addrinfo *list = NULL;
	char port[8];
	int fd = -1, rc;

	(void)snprintf(port, sizeof port, "%d", GSMTAP_PORT);
	if ((rc = getaddrinfo(host, port, &hints, &list)) != 0)
		return rc == EAI_MEMORY ? PROSE_NO_MEMORY : PROSE_IO;
	for (const struct addrinfo *a = list; a != NULL && fd < 0; a = a->ai_next) {
		fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);
		if (fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) != 0) {
			(void)close(fd);
			fd = -1;
		}
	}
	freeaddrinfo(list);
	*out = fd;
	return fd >= 0 ? PROSE_OK : PROSE_IO;
}

enum prose_result prose_gsmtap_open(struct prose_transport inner, const char *host, struct prose_transport *out)
{
	struct tap *t = calloc(1, sizeof *t);
	enum prose_result r;

	if (t == NULL)
		return PROSE_NO_MEMORY;
	if ((r = dial(host, &t->socket)) != PROSE_OK) {
		free(t);
		return r;
	}
	t->show = show_as_gsmtap;
	wrap(t, inner, out);
	return PROSE_OK;
}

void prose_tap_secrets(const struct prose_transport *tap)
{
	struct tap *t = tap->context;

	t->whole = true;
}
