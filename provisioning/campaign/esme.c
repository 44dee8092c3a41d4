/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/campaign/esme.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "apdu/base/secret.h"
#include "apdu/base/text.h"

enum { RETRY_MAX_MS = 30000, PAUSE_FIRST_MS = 250, PAUSE_MAX_MS = 8000 };

struct esme {
	struct esme_options o;
	struct esme_handler h;
	int fd; /* -1: none */
	bool connecting, binding;
	uint64_t retry_at, retry_ms;    /* when to connect again */
	uint64_t pause_until, pause_ms; /* the centre was overloaded */
	char reason[160];
	struct smpp_session s;
	/* Messages from `first` on, in a ring: those up to `sent` are in the window. */
	struct esme_message queue[ESME_QUEUE_MAX];
	size_t first, count;
	struct {
		uint32_t sequence; /* 0: free */
		struct esme_message m;
	} window[ESME_WINDOW_MAX];
	size_t in_window;
	struct smpp_pdu delivered[ESME_DELIVERED_MAX]; /* to be answered once they are settled */
	size_t deliveries;
};

static uint64_t now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

struct esme *esme_new(const struct esme_options *o, const struct esme_handler *h)
{
	struct esme *e = calloc(1, sizeof *e);

	if (e == NULL)
		return NULL;
	e->o = *o;
	e->h = *h;
	e->fd = -1;
	if (e->o.bind == 0)
		e->o.bind = SMPP_BIND_TRANSCEIVER;
	if (e->o.window == 0 || e->o.window > ESME_WINDOW_MAX)
		e->o.window = ESME_WINDOW_MAX;
	return e;
}

static bool esme_bound(const struct esme *e)
{
	return e->fd >= 0 && e->s.bound;
}

size_t esme_room(const struct esme *e)
{
	return esme_bound(e) && now_ms() >= e->pause_until ? ESME_QUEUE_MAX - e->count : 0;
}

size_t esme_unsent(const struct esme *e)
{
	return e->count + e->in_window;
}

bool esme_send(struct esme *e, const struct esme_message *m)
{
	if (e->count == ESME_QUEUE_MAX)
		return false;
	e->queue[(e->first + e->count++) % ESME_QUEUE_MAX] = *m;
	return true;
}

/* The link is gone. What was not answered may have arrived or not: the card will tell, or its silence. */
static void down(struct esme *e, const char *why)
{
	if (e->fd >= 0)
		(void)close(e->fd);
	e->fd = -1;
	e->connecting = e->binding = false;
	e->count = e->first = e->in_window = e->deliveries = 0;
	memset(e->window, 0, sizeof e->window);
	e->retry_ms = e->retry_ms == 0 ? 500 : e->retry_ms * 2 > RETRY_MAX_MS ? RETRY_MAX_MS : e->retry_ms * 2;
	e->retry_at = now_ms() + e->retry_ms;
	(void)snprintf(e->reason, sizeof e->reason, "%s", why);
}

static void start(struct esme *e)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };
	struct addrinfo *a = NULL;
	int one = 1;

	if (getaddrinfo(e->o.host != NULL ? e->o.host : "127.0.0.1", e->o.port, &hints, &a) != 0) {
		down(e, "the message centre's name is not known");
		return;
	}
	e->fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (e->fd < 0 || (connect(e->fd, a->ai_addr, a->ai_addrlen) != 0 && errno != EINPROGRESS))
		down(e, strerror(errno));
	else
		e->connecting = true;
	if (e->fd >= 0)
		(void)setsockopt(e->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	freeaddrinfo(a);
}

static void bind_to_centre(struct esme *e)
{
	struct smpp_pdu p = { .command = (uint32_t)e->o.bind, .version = SMPP_VERSION };
	int error = 0;
	socklen_t n = sizeof error;

	if (getsockopt(e->fd, SOL_SOCKET, SO_ERROR, &error, &n) != 0 || error != 0) {
		down(e, strerror(error));
		return;
	}
	e->connecting = false;
	e->binding = true;
	smpp_session_start(&e->s, now_ms() / 1000);
	if (text_put(p.system_id, sizeof p.system_id, "%s", e->o.system_id) &&
	        text_put(p.password, sizeof p.password, "%s", e->o.password != NULL ? e->o.password : "") &&
	        text_put(p.system_type, sizeof p.system_type, "%s", e->o.system_type != NULL ? e->o.system_type : "") &&
	        text_put(p.address_range, sizeof p.address_range, "%s", e->o.address))
		(void)smpp_session_put(&e->s, &p);
	else
		down(e, "a name, password or address of ours is longer than SMPP takes");
	secret_clean(p.password, sizeof p.password);
}

/* Once a pause, however many messages were refused for the same reason. */
static void slow_down(struct esme *e)
{
	uint64_t now = now_ms();

	if (now < e->pause_until)
		return;
	e->pause_ms = e->pause_ms == 0 ? PAUSE_FIRST_MS : e->pause_ms * 2 > PAUSE_MAX_MS ? PAUSE_MAX_MS : e->pause_ms * 2;
	e->pause_until = now + e->pause_ms;
}

/* The centre has said what it makes of a message. */
static void answered(struct esme *e, const struct smpp_pdu *p)
{
	for (size_t i = 0; i < e->o.window; i++) {
		if (e->window[i].sequence != p->sequence || p->sequence == 0)
			continue;
		e->window[i].sequence = 0;
		e->in_window--;
		if (p->status == SMPP_THROTTLED || p->status == SMPP_QUEUE_FULL || p->status == SMPP_TEMPORARY) {
			slow_down(e);
			if (!esme_send(e, &e->window[i].m)) /* not taken: the same message again, later */
				e->h.refused(e->h.context, &e->window[i].m, p->status);
		} else if (p->status != SMPP_OK) {
			e->h.refused(e->h.context, &e->window[i].m, p->status);
		} else if (now_ms() >= e->pause_until) {
			e->pause_ms = 0;
		}
		return;
	}
}

static void settle(struct esme *e)
{
	bool safe = e->deliveries > 0 && e->h.settle(e->h.context);

	for (size_t i = 0; i < e->deliveries; i++)
		(void)smpp_session_answer(&e->s, &e->delivered[i], safe ? SMPP_OK : SMPP_TEMPORARY, "");
	e->deliveries = 0;
}

static void handle(struct esme *e, struct smpp_pdu *p)
{
	switch (p->command) {
	case SMPP_BIND_TRANSCEIVER | SMPP_RESP:
	case SMPP_BIND_TRANSMITTER | SMPP_RESP:
	case SMPP_BIND_RECEIVER | SMPP_RESP:
		e->binding = false;
		if (p->status != SMPP_OK) {
			down(e, smpp_status_text(p->status));
			return;
		}
		e->s.bound = true;
		e->retry_ms = 0;
		e->reason[0] = 0;
		return;
	case SMPP_SUBMIT | SMPP_RESP:
	case SMPP_GENERIC_NACK: answered(e, p); return;
	case SMPP_DELIVER:
		smpp_receipt_parse(p);
		e->h.delivered(e->h.context, p);
		e->delivered[e->deliveries++] = *p;
		if (e->deliveries == ESME_DELIVERED_MAX)
			settle(e);
		return;
	default: return;
	}
}

static void fill_window(struct esme *e)
{
	size_t at = 0;

	while (esme_bound(e) && e->count > 0 && e->in_window < e->o.window && now_ms() >= e->pause_until) {
		const struct esme_message *m = &e->queue[e->first];
		struct smpp_pdu p = { .command = SMPP_SUBMIT, .from = { 1, 1, "" }, .to = { 1, 1, "" } };

		while (e->window[at].sequence != 0)
			at = (at + 1) % e->o.window;
		(void)snprintf(p.from.digits, sizeof p.from.digits, "%s", e->o.address);
		(void)snprintf(p.to.digits, sizeof p.to.digits, "%s", m->to);
		p.esm_class = m->esm_class;
		p.pid = m->pid;
		p.dcs = m->dcs;
		if (m->valid > 0)
			smpp_validity(m->valid, p.validity);
		p.message = (struct bytes){ m->data, m->len };
		e->window[at].m = *m;
		e->window[at].sequence = smpp_session_put(&e->s, &p);
		if (e->window[at].sequence == 0)
			return; /* the socket is slow: the rest goes with the next turn */
		e->in_window++;
		e->first = (e->first + 1) % ESME_QUEUE_MAX;
		e->count--;
	}
}

static void flush(struct esme *e)
{
	while (e->fd >= 0 && !e->connecting) {
		struct bytes out = smpp_session_out(&e->s);
		ssize_t n = out.n > 0 ? send(e->fd, out.p, out.n, MSG_NOSIGNAL | MSG_DONTWAIT) : 0;

		if (n < 0 && errno != EAGAIN && errno != EINTR)
			down(e, "the connection was lost");
		if (n <= 0)
			return;
		smpp_session_sent(&e->s, (size_t)n);
	}
}

static void take(struct esme *e)
{
	size_t room;
	uint8_t *at = smpp_session_room(&e->s, &room);
	ssize_t n = recv(e->fd, at, room, MSG_DONTWAIT);
	struct smpp_pdu p;
	enum status st = OK;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		down(e, e->binding ? "the message centre closed the connection while binding"
		                   : "the message centre closed the connection");
		return;
	}
	smpp_session_received(&e->s, (size_t)n, now_ms() / 1000);
	while (e->fd >= 0 && (st = smpp_session_next(&e->s, &p)) == OK)
		handle(e, &p);
	if (e->fd >= 0)
		settle(e);
	if (status_failed(st))
		down(e, "the message centre sent what is no SMPP");
}

const char *esme_run(struct esme *e, int ms)
{
	struct pollfd p = { .fd = e->fd, .events = POLLIN };

	if (e->fd < 0 && now_ms() >= e->retry_at)
		start(e);
	if (e->fd >= 0 && !e->connecting) {
		fill_window(e);
		flush(e);
	}
	p.fd = e->fd;
	if (e->connecting || (e->fd >= 0 && smpp_session_out(&e->s).n > 0))
		p.events = e->connecting ? POLLOUT : POLLIN | POLLOUT;
	(void)poll(&p, 1, ms);
	if (e->fd >= 0 && e->connecting && p.revents != 0)
		bind_to_centre(e);
	if (e->fd >= 0 && !e->connecting && (p.revents & (POLLIN | POLLHUP | POLLERR)) != 0)
		take(e);
	if (e->fd >= 0 && !e->connecting && smpp_session_tick(&e->s, now_ms() / 1000) != OK)
		down(e, "the message centre does not answer any more");
	fill_window(e);
	flush(e);
	return esme_bound(e) ? NULL : e->reason[0] != 0 ? e->reason : "connecting";
}

void esme_free(struct esme **e)
{
	static const struct smpp_pdu unbind = { .command = SMPP_UNBIND };

	if (*e != NULL && esme_bound(*e)) {
		(void)smpp_session_put(&(*e)->s, &unbind);
		flush(*e);
	}
	if (*e != NULL && (*e)->fd >= 0)
		(void)close((*e)->fd);
	free(*e);
	*e = NULL;
}
