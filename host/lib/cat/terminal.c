/* SPDX-License-Identifier: Apache-2.0 */
/* What a terminal does for the card's toolkit (TS 102 223): channels of the bearer independent protocol, as TCP clients,
 * timers, and the events that go with them. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "apdu/cat.h"
#include "apdu/base/hex.h"
#include "apdu/tlv.h"
#include "host/lib/session.h"

enum { BUFFER_MAX = 1500, PATIENCE_S = 5, TCP_CLIENT = 0x02, ADDRESS_IPV4 = 0x21, LINK_UP = 0x80, LINK_DROPPED = 0x05 };
enum { RESULT_PARTLY = 0x02, AVAILABLE_MAX = 255 };

struct prose_terminal {
	uint32_t events;                /* that the card wants to hear of, one bit each */
	uint64_t timer[CAT_TIMERS + 1]; /* by number, 1 to 8: when it expires, in seconds of the steady clock; 0: not running */
	struct channel {
		bool open, announced;
		int fd; /* -1: the link is lost */
		size_t len;
		uint8_t in[BUFFER_MAX];
	} channel[CAT_CHANNELS + 1]; /* by number, 1 to 7 */
};

struct prose_terminal *prose_terminal_new(void)
{
	struct prose_terminal *t = calloc(1, sizeof *t);

	for (unsigned i = 1; t != NULL && i <= CAT_CHANNELS; i++)
		t->channel[i].fd = -1;
	return t;
}

static void close_socket(struct channel *ch)
{
	if (ch->fd >= 0)
		(void)close(ch->fd);
	ch->fd = -1;
}

void prose_terminal_free(struct prose_terminal **t)
{
	for (unsigned i = 1; *t != NULL && i <= CAT_CHANNELS; i++)
		close_socket(&(*t)->channel[i]);
	free(*t);
	*t = NULL;
}

unsigned prose_terminal_channels(const struct prose_terminal *t)
{
	unsigned n = 0;

	for (unsigned i = 1; i <= CAT_CHANNELS; i++)
		n += t->channel[i].open ? 1 : 0;
	return n;
}

unsigned prose_terminal_sockets(const struct prose_terminal *t, int sockets[PROSE_TERMINAL_CHANNELS])
{
	unsigned n = 0;

	for (unsigned i = 1; i <= CAT_CHANNELS; i++)
		if (t->channel[i].open && t->channel[i].fd >= 0)
			sockets[n++] = t->channel[i].fd;
	return n;
}

/* A TLV of the command, with or without the comprehension bit. */
static bool find(struct bytes tlvs, uint8_t tag, struct bytes *out)
{
	struct tlv one;

	while (tlvs.n > 0 && tlv_next(&tlvs, &one) == OK)
		if ((one.tag | CAT_COMPREHENSION) == tag) {
			*out = one.value;
			return true;
		}
	return false;
}

static int connect_to(struct bytes address, uint16_t port)
{
	const struct timeval patience = { .tv_sec = PATIENCE_S };
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	if (fd < 0)
		return -1;
	memcpy(&to.sin_addr, address.p + 1, 4);
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience); /* of connect, too */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (connect(fd, (const struct sockaddr *)&to, sizeof to) == 0)
		return fd;
	(void)close(fd);
	return -1;
}

static void answer_put(struct prose_proactive *p, const struct buf *t)
{
	memcpy(p->response, t->p, t->len);
	p->response_length = t->len;
}

static uint8_t open_channel(struct prose_terminal *t, struct bytes in, struct prose_proactive *p)
{
	struct bytes transport, address, size;
	uint8_t raw[32];
	struct buf out = BUF_OF(raw);
	unsigned number = 1;

	if (!find(in, CAT_TAG_TRANSPORT_LEVEL, &transport) || transport.n != 3 || transport.p[0] != TCP_CLIENT ||
	        !find(in, CAT_TAG_OTHER_ADDRESS, &address) || address.n != 5 || address.p[0] != ADDRESS_IPV4 ||
	        !find(in, CAT_TAG_BUFFER_SIZE, &size))
		return RESULT_BEYOND_CAPABILITIES;
	while (number <= CAT_CHANNELS && t->channel[number].open)
		number++;
	if (number > CAT_CHANNELS)
		return RESULT_BIP_ERROR;
	if ((t->channel[number].fd = connect_to(address, (uint16_t)bytes_uint((struct bytes){ transport.p + 1, 2 }))) < 0)
		return RESULT_BIP_ERROR;
	t->channel[number].open = true;
	t->channel[number].announced = false;
	t->channel[number].len = 0;
	tlv_put(&out, CAT_TAG_CHANNEL_STATUS, (struct bytes){ (const uint8_t[]){ (uint8_t)(LINK_UP | number), 0 }, 2 });
	tlv_put_uint(&out, CAT_TAG_BEARER, 1, 0x03);
	tlv_put_uint(&out, CAT_TAG_BUFFER_SIZE, 2, BUFFER_MAX);
	answer_put(p, &out);
	return RESULT_OK;
}

static void put_available(struct buf *out, const struct channel *ch)
{
	tlv_put_uint(out, CAT_TAG_CHANNEL_DATA_LENGTH, 1, ch->len < AVAILABLE_MAX ? ch->len : AVAILABLE_MAX);
}

static uint8_t send_data(struct channel *ch, struct bytes in, struct prose_proactive *p)
{
	struct bytes data;
	uint8_t raw[8];
	struct buf out = BUF_OF(raw);

	if (!find(in, CAT_TAG_CHANNEL_DATA, &data))
		return RESULT_BEYOND_CAPABILITIES;
	while (data.n > 0) {
		ssize_t n = ch->fd >= 0 ? send(ch->fd, data.p, data.n, MSG_NOSIGNAL) : -1;

		if (n <= 0)
			return RESULT_BIP_ERROR;
		data.p += n;
		data.n -= (size_t)n;
	}
	tlv_put_uint(&out, CAT_TAG_CHANNEL_DATA_LENGTH, 1, AVAILABLE_MAX); /* room for more */
	answer_put(p, &out);
	return RESULT_OK;
}

/* What has come, as far as there is room. A socket that is at its end is closed. */
static void fill(struct channel *ch)
{
	while (ch->fd >= 0 && ch->len < sizeof ch->in) {
		ssize_t n = recv(ch->fd, ch->in + ch->len, sizeof ch->in - ch->len, MSG_DONTWAIT);

		if (n > 0) {
			ch->len += (size_t)n;
			continue;
		}
		if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR))
			close_socket(ch);
		return;
	}
}

static uint8_t receive_data(struct channel *ch, struct bytes in, struct prose_proactive *p)
{
	uint8_t raw[sizeof p->response];
	struct buf out = BUF_OF(raw);
	struct bytes wanted;
	size_t n;

	if (!find(in, CAT_TAG_CHANNEL_DATA_LENGTH, &wanted) || wanted.n != 1)
		return RESULT_BEYOND_CAPABILITIES;
	n = wanted.p[0] < ch->len ? wanted.p[0] : ch->len;
	if (n == 0 || n > sizeof raw - 8)
		return RESULT_BIP_ERROR;
	tlv_put(&out, CAT_TAG_CHANNEL_DATA, (struct bytes){ ch->in, n });
	ch->len -= n;
	memmove(ch->in, ch->in + n, ch->len);
	fill(ch);
	ch->announced = ch->len > 0;
	put_available(&out, ch);
	answer_put(p, &out);
	return n == wanted.p[0] ? RESULT_OK : RESULT_PARTLY;
}

static uint8_t set_events(struct prose_terminal *t, struct bytes in)
{
	struct bytes list;

	t->events = 0;
	for (size_t i = 0; find(in, CAT_TAG_EVENT_LIST, &list) && i < list.n; i++)
		t->events |= list.p[i] < EVENTS_MAX ? UINT32_C(1) << list.p[i] : 0;
	return RESULT_OK;
}

static uint64_t steady_seconds(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec + 1;
}

static unsigned digits_of(uint8_t octet)
{
	return (octet & 0x0FU) * 10 + (octet >> 4);
}

static void put_timer(struct buf *out, unsigned id, uint64_t left)
{
	const uint8_t value[3] = { bcd_swapped((unsigned)(left / 3600)), bcd_swapped((unsigned)(left / 60 % 60)),
		bcd_swapped((unsigned)(left % 60)) };

	tlv_put_uint(out, CAT_TAG_TIMER, 1, id);
	tlv_put(out, CAT_TAG_TIMER_VALUE, BYTES_OF(value));
}

static uint8_t manage_timer(struct prose_terminal *t, struct bytes in, struct prose_proactive *p)
{
	struct bytes id, value;
	uint8_t raw[16];
	struct buf out = BUF_OF(raw);
	uint64_t now = steady_seconds(), *timer;

	if (!find(in, CAT_TAG_TIMER, &id) || id.n != 1 || id.p[0] < 1 || id.p[0] > CAT_TIMERS)
		return RESULT_BEYOND_CAPABILITIES;
	timer = &t->timer[id.p[0]];
	if (p->qualifier == TIMER_START) {
		if (!find(in, CAT_TAG_TIMER_VALUE, &value) || value.n != 3)
			return RESULT_BEYOND_CAPABILITIES;
		*timer = now + digits_of(value.p[0]) * 3600 + digits_of(value.p[1]) * 60 + digits_of(value.p[2]);
		return RESULT_OK;
	}
	if (*timer == 0)
		return RESULT_TIMER_CONTRADICTION;
	put_timer(&out, id.p[0], *timer > now ? *timer - now : 0);
	answer_put(p, &out);
	if (p->qualifier == TIMER_DEACTIVATE)
		*timer = 0;
	return RESULT_OK;
}

/* The channel that a command is for: its second device. */
static struct channel *channel_of(struct prose_terminal *t, struct bytes in)
{
	struct bytes devices;

	if (!find(in, CAT_TAG_DEVICES, &devices) || devices.n != 2 || devices.p[1] <= DEVICE_CHANNEL_0 ||
	        devices.p[1] > DEVICE_CHANNEL_0 + CAT_CHANNELS || !t->channel[devices.p[1] - DEVICE_CHANNEL_0].open)
		return NULL;
	return &t->channel[devices.p[1] - DEVICE_CHANNEL_0];
}

bool prose_terminal_command(struct prose_terminal *t, struct prose_proactive *p, uint8_t *result)
{
	struct bytes in = { p->command, p->length };
	struct channel *ch;
	struct tlv outer;

	if (tlv_next(&in, &outer) != OK)
		return false;
	ch = channel_of(t, outer.value);
	switch (p->type) {
	case CAT_SET_UP_EVENT_LIST: *result = set_events(t, outer.value); return true;
	case CAT_MORE_TIME: *result = RESULT_OK; return true;
	case CAT_TIMER_MANAGEMENT: *result = manage_timer(t, outer.value, p); return true;
	case CAT_OPEN_CHANNEL: *result = open_channel(t, outer.value, p); return true;
	case CAT_SEND_DATA: *result = ch != NULL ? send_data(ch, outer.value, p) : RESULT_BIP_ERROR; return true;
	case CAT_RECEIVE_DATA: *result = ch != NULL ? receive_data(ch, outer.value, p) : RESULT_BIP_ERROR; return true;
	case CAT_CLOSE_CHANNEL:
		*result = ch != NULL ? RESULT_OK : RESULT_BIP_ERROR;
		if (ch != NULL) {
			close_socket(ch);
			ch->open = false;
		}
		return true;
	default: return false;
	}
}

static bool wants(const struct prose_terminal *t, enum cat_event_code event)
{
	return (t->events >> event & 1) != 0;
}

static bool event_of(struct prose_terminal *t, unsigned number, struct buf *out)
{
	struct channel *ch = &t->channel[number];
	uint8_t raw[24];
	struct buf tlvs = BUF_OF(raw);
	enum cat_event_code event = EVENT_DATA_AVAILABLE;
	uint8_t status[2] = { (uint8_t)(LINK_UP | number), 0 };

	fill(ch);
	if (ch->len == 0 && ch->fd < 0) { /* nothing is left to read */
		event = EVENT_CHANNEL_STATUS;
		status[0] = (uint8_t)number;
		status[1] = LINK_DROPPED;
		ch->open = false;
	} else if (ch->len == 0 || ch->announced) {
		return false;
	}
	if (!wants(t, event))
		return false;
	ch->announced = true;
	tlv_put_uint(&tlvs, CAT_TAG_EVENT_LIST, 1, event);
	tlv_put(&tlvs, CAT_TAG_DEVICES, (struct bytes){ (const uint8_t[]){ DEVICE_TERMINAL, DEVICE_UICC }, 2 });
	tlv_put(&tlvs, CAT_TAG_CHANNEL_STATUS, BYTES_OF(status));
	if (event == EVENT_DATA_AVAILABLE)
		put_available(&tlvs, ch);
	tlv_put(out, CAT_TAG_EVENT_DOWNLOAD, buf_bytes(&tlvs));
	return !out->failed;
}

static bool timer_event(struct prose_terminal *t, struct buf *out)
{
	uint8_t raw[24];
	struct buf tlvs = BUF_OF(raw);

	for (unsigned i = 1; i <= CAT_TIMERS; i++) {
		if (t->timer[i] == 0 || t->timer[i] > steady_seconds())
			continue;
		t->timer[i] = 0;
		tlv_put(&tlvs, CAT_TAG_DEVICES, (struct bytes){ (const uint8_t[]){ DEVICE_TERMINAL, DEVICE_UICC }, 2 });
		put_timer(&tlvs, i, 0);
		tlv_put(out, CAT_TAG_TIMER_EXPIRATION, buf_bytes(&tlvs));
		return true;
	}
	return false;
}

bool prose_terminal_event(struct prose_terminal *t, uint8_t envelope[PROSE_TERMINAL_EVENT_MAX], size_t *n)
{
	struct buf out = { envelope, 0, PROSE_TERMINAL_EVENT_MAX, false };
	bool found = timer_event(t, &out);

	for (unsigned i = 1; !found && i <= CAT_CHANNELS; i++)
		found = t->channel[i].open && event_of(t, i, &out);
	*n = out.len;
	return found;
}

enum prose_result prose_terminal_serve(
        struct prose_card *c, struct prose_terminal *t, uint8_t (*each)(void *context, struct prose_proactive *), void *context)
{
	uint8_t envelope[PROSE_TERMINAL_EVENT_MAX];
	enum prose_result r = PROSE_OK;
	size_t n;

	while (r == PROSE_OK && prose_terminal_event(t, envelope, &n)) {
		r = prose_cat_envelope(c, envelope, n);
		if (r == PROSE_OK)
			r = prose_cat(c, NULL, 0, each, context);
	}
	return r;
}

enum prose_result prose_terminal_run(struct prose_card *c, struct prose_terminal *t,
        uint8_t (*each)(void *context, struct prose_proactive *), void *context, unsigned seconds)
{
	enum prose_result r = PROSE_OK;
	uint64_t end = steady_seconds() + seconds;

	while (r == PROSE_OK && prose_terminal_channels(t) > 0 && steady_seconds() < end) {
		struct pollfd f[PROSE_TERMINAL_CHANNELS];
		int sockets[PROSE_TERMINAL_CHANNELS];
		unsigned n = prose_terminal_sockets(t, sockets);

		for (unsigned i = 0; i < n; i++)
			f[i] = (struct pollfd){ .fd = sockets[i], .events = POLLIN };
		(void)poll(f, n, 200);
		r = prose_terminal_serve(c, t, each, context);
	}
	return r != PROSE_OK || prose_terminal_channels(t) == 0 ? r : PROSE_IO;
}
