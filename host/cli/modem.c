/* SPDX-License-Identifier: Apache-2.0 */
/* prose-ue modem: the handset's side of a message centre. What arrives by SMPP goes to the card as SMS-PP download; what the
 * card answers, or asks to send, goes back. One card, or a whole farm with numbers in a row. */
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "apdu/cat.h"
#include "apdu/base/secret.h"
#include "apdu/sw.h"
#include "apdu/base/text.h"
#include "apdu/tlv.h"
#include "host/cli/cli.h"
#include "ota/smpp/smpp_session.h"
#include "ota/sms.h"

enum { OPEN_CARDS = 256, POR_MAX = 256, RETRY_MS = 1000, KEPT_MAX = 64 };

/* What a card has said, until the centre has it. */
struct kept {
	bool used;
	uint32_t sequence; /* under way as; 0: to be sent at `due`, milliseconds */
	uint64_t due;
	struct smpp_pdu p; /* message points to data */
	uint8_t data[SMPP_MESSAGE_MAX];
};

struct modem {
	const struct arguments *a;
	int fd;
	struct smpp_session s;
	uint64_t first, cards; /* numbers first to first + cards - 1 */
	struct {
		uint64_t index;
		struct prose_card *card; /* NULL: free */
		struct prose_terminal *terminal;
	} open[OPEN_CARDS];
	struct prose_card *now; /* the one that is being served, what it has open, and who wrote to it */
	struct prose_terminal *terminal;
	struct smpp_address card_number, correspondent;
	struct kept kept[KEPT_MAX];
	unsigned long delivered, answers, refreshes;
};

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
	(void)number;
	stop = 1;
}

static uint64_t now_milliseconds(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static uint64_t now_seconds_steady(void)
{
	return now_milliseconds() / 1000;
}

static void send_up(struct modem *m, uint8_t esm_class, const char *to, struct bytes user_data)
{
	struct smpp_pdu p = { .command = SMPP_SUBMIT, .from = m->card_number, .to = m->correspondent, .message = user_data };

	p.esm_class = esm_class | ESM_UDHI;
	p.dcs = SMS_DCS_CLASS_2;
	if (to != NULL && !text_put(p.to.digits, sizeof p.to.digits, "%s", to))
		return;
	m->answers++;
	for (size_t i = 0; i < KEPT_MAX; i++)
		if (!m->kept[i].used && user_data.n <= SMPP_MESSAGE_MAX) {
			struct kept *k = &m->kept[i];

			*k = (struct kept){ .used = true, .p = p };
			if (user_data.n > 0)
				memcpy(k->data, user_data.p, user_data.n);
			k->p.message.p = k->data;
			k->sequence = smpp_session_put(&m->s, &k->p);
			return;
		}
	(void)smpp_session_put(&m->s, &p); /* it has one chance */
}

static void submitted(struct modem *m, const struct smpp_pdu *answer)
{
	for (size_t i = 0; i < KEPT_MAX; i++) {
		struct kept *k = &m->kept[i];

		if (!k->used || k->sequence != answer->sequence)
			continue;
		k->used = answer->status == SMPP_THROTTLED || answer->status == SMPP_QUEUE_FULL ||
		          answer->status == SMPP_TEMPORARY;
		k->sequence = 0;
		k->due = now_milliseconds() + RETRY_MS;
	}
}

static void send_again(struct modem *m)
{
	uint64_t now = now_milliseconds();

	for (size_t i = 0; i < KEPT_MAX; i++) {
		struct kept *k = &m->kept[i];

		if (k->used && k->sequence == 0 && now >= k->due && m->s.bound)
			k->sequence = smpp_session_put(&m->s, &k->p);
	}
}

/* SEND SHORT MESSAGE goes on as it is; REFRESH needs nothing, since nothing of the card is kept here. */
static uint8_t on_proactive(void *context, struct prose_proactive *p)
{
	struct modem *m = context;
	struct bytes in = { p->command, p->length }, tpdu;
	struct sms_part part;
	struct tlv outer;
	uint8_t result;
	char to[21];

	if (p->type == CAT_REFRESH) {
		m->refreshes++;
		return RESULT_OK;
	}
	if (prose_terminal_command(m->terminal, p, &result))
		return result;
	if (p->type != CAT_SEND_SHORT_MESSAGE)
		return RESULT_BEYOND_CAPABILITIES;
	if (tlv_next(&in, &outer) != OK || tlv_find(outer.value, CAT_TAG_TPDU, &tpdu) != OK ||
	        sms_submit_parse(tpdu, &part) != OK)
		return RESULT_OK;
	send_up(m, 0, sms_address_digits(part.address, to) == OK ? to : NULL, part.user_data);
	return RESULT_OK;
}

static void close_card(struct modem *m, size_t at)
{
	if (m->open[at].card != NULL)
		prose_card_close(&m->open[at].card);
	prose_terminal_free(&m->open[at].terminal);
}

/* The card behind a number; cards stay powered while there is room, so that messages in several parts come together. */
static enum prose_result card_of(struct modem *m, uint64_t index)
{
	const struct prose_options none = { 0 };
	struct prose_transport t;
	char name[300];
	size_t at = (size_t)(index % OPEN_CARDS);
	enum prose_result r;

	m->now = m->open[at].card;
	m->terminal = m->open[at].terminal;
	if (m->now != NULL && m->open[at].index == index)
		return PROSE_OK;
	if (m->terminal != NULL && prose_terminal_channels(m->terminal) > 0)
		return PROSE_NO_CARD; /* the other one is at work: come back later */
	close_card(m, at);
	if (m->cards > 1 ? !text_put(name, sizeof name, "%s#%llu", m->a->reader, (unsigned long long)index)
	                 : !text_put(name, sizeof name, "%s", m->a->reader != NULL ? m->a->reader : ""))
		return PROSE_FORMAT;
	if ((r = open_reader(name[0] != 0 ? name : NULL, &t)) != PROSE_OK ||
	        (r = prose_card_open(t, &none, &m->open[at].card)) != PROSE_OK)
		return r;
	if ((m->open[at].terminal = prose_terminal_new()) == NULL) {
		close_card(m, at);
		return PROSE_NO_SPACE;
	}
	m->open[at].index = index;
	m->now = m->open[at].card;
	m->terminal = m->open[at].terminal;
	return prose_cat(m->now, terminal_profile, sizeof terminal_profile, on_proactive, m); /* switched on */
}

static bool number_of(const char *digits, uint64_t *out)
{
	char *end;

	*out = strtoull(digits, &end, 10);
	return digits[0] >= '0' && digits[0] <= '9' && *end == 0;
}

static enum smpp_status deliver(struct modem *m, const struct smpp_pdu *p)
{
	uint8_t raw[SMS_TPDU_MAX], por[POR_MAX];
	struct buf tpdu = BUF_OF(raw);
	size_t n = sizeof por;
	enum prose_result r;
	uint64_t number;

	if ((p->esm_class & ESM_TYPE) != 0)
		return SMPP_OK; /* reports are for people */
	if (!number_of(p->to.digits, &number) || number < m->first || number - m->first >= m->cards)
		return SMPP_INVALID_DESTINATION;
	if (sms_deliver_from(&tpdu, p->from.digits, p->pid, p->dcs, (p->esm_class & ESM_UDHI) != 0, p->message) != OK)
		return SMPP_INVALID_LENGTH;
	if (card_of(m, number - m->first) != PROSE_OK)
		return SMPP_TEMPORARY;
	m->card_number = p->to;
	m->correspondent = p->from;
	r = prose_ota_deliver(m->now, raw, tpdu.len, por, &n);
	if (r != PROSE_OK) {
		(void)fprintf(stderr, "prose-ue modem: %s: %s\n", p->to.digits, prose_result_text(r));
		return r == PROSE_REFUSED ? SMPP_SYSTEM_ERROR : SMPP_TEMPORARY;
	}
	m->delivered++;
	if (n > 0)
		send_up(m, ESM_DELIVERY_ACK, NULL, (struct bytes){ por, n });
	if ((prose_card_status(m->now) & 0xFF00) == SW_FETCH)
		(void)prose_cat(m->now, NULL, 0, on_proactive, m);
	return SMPP_OK;
}

static bool handle(struct modem *m, const struct smpp_pdu *p)
{
	if (p->command == (SMPP_BIND_TRANSCEIVER | SMPP_RESP)) {
		m->s.bound = p->status == SMPP_OK;
		if (m->s.bound)
			(void)printf("bound\n");
		else
			(void)fprintf(stderr, "prose-ue modem: %s\n", smpp_status_text(p->status));
		(void)fflush(stdout);
		return m->s.bound;
	}
	if (p->command == (SMPP_SUBMIT | SMPP_RESP))
		submitted(m, p);
	if (p->command == SMPP_DELIVER)
		(void)smpp_session_answer(&m->s, p, deliver(m, p), "");
	return true;
}

static bool flush(struct modem *m)
{
	struct bytes out;

	while ((out = smpp_session_out(&m->s)).n > 0) {
		ssize_t n = send(m->fd, out.p, out.n, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		smpp_session_sent(&m->s, (size_t)n);
	}
	return true;
}

static bool dial(struct modem *m, const char *password)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct smpp_pdu p = { .command = SMPP_BIND_TRANSCEIVER, .version = SMPP_VERSION };
	char host[256];
	const char *colon = strrchr(m->a->smsc, ':');
	struct addrinfo *at = NULL;
	int one = 1;
	bool ok;

	if (!text_put(host, sizeof host, "%.*s", (int)(colon - m->a->smsc), m->a->smsc) ||
	        getaddrinfo(host, colon + 1, &hints, &at) != 0)
		return false;
	m->fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ok = m->fd >= 0 && connect(m->fd, at->ai_addr, at->ai_addrlen) == 0;
	freeaddrinfo(at);
	if (!ok)
		return false;
	(void)setsockopt(m->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	smpp_session_start(&m->s, now_seconds_steady());
	for (size_t i = 0; i < KEPT_MAX; i++)
		m->kept[i].sequence = 0; /* of another connection: again */
	/* Numbers that this handset, or these, have: the centre routes by their common beginning. */
	ok = text_put(p.system_id, sizeof p.system_id, "%s", m->a->system_id != NULL ? m->a->system_id : "handset") &&
	     text_put(p.password, sizeof p.password, "%s", password) &&
	     text_put(p.address_range, sizeof p.address_range, "%llu-%llu", (unsigned long long)m->first,
	             (unsigned long long)(m->first + m->cards - 1)) &&
	     smpp_session_put(&m->s, &p) != 0;
	secret_clean(p.password, sizeof p.password);
	return ok;
}

/* Wait for the message centre and for the channels of all cards. True: the centre has something to say. */
static bool wait_for_octets(struct modem *m)
{
	static struct pollfd f[1 + OPEN_CARDS * PROSE_TERMINAL_CHANNELS];
	nfds_t n = 1;

	f[0] = (struct pollfd){ .fd = m->fd, .events = POLLIN };
	for (size_t i = 0; i < OPEN_CARDS; i++) {
		int sockets[PROSE_TERMINAL_CHANNELS];
		unsigned count = m->open[i].card != NULL ? prose_terminal_sockets(m->open[i].terminal, sockets) : 0;

		for (unsigned k = 0; k < count; k++)
			f[n++] = (struct pollfd){ .fd = sockets[k], .events = POLLIN };
	}
	return poll(f, n, 500) > 0 && f[0].revents != 0;
}

static void serve_channels(struct modem *m)
{
	for (size_t i = 0; i < OPEN_CARDS; i++) {
		if (m->open[i].card == NULL)
			continue;
		m->now = m->open[i].card;
		m->terminal = m->open[i].terminal;
		(void)prose_terminal_serve(m->now, m->terminal, on_proactive, m);
	}
}

/* Until the link is lost or we are asked to stop. */
static bool talk(struct modem *m)
{
	struct smpp_pdu p;
	enum status st;

	while (stop == 0 && flush(m) && smpp_session_tick(&m->s, now_seconds_steady()) == OK) {
		bool ready = wait_for_octets(m);
		size_t room;

		uint8_t *at;
		ssize_t n;

		send_again(m);
		serve_channels(m);
		if (!ready)
			continue;
		at = smpp_session_room(&m->s, &room);
		if ((n = recv(m->fd, at, room, 0)) <= 0)
			return true;
		smpp_session_received(&m->s, (size_t)n, now_seconds_steady());
		while ((st = smpp_session_next(&m->s, &p)) == OK)
			if (!handle(m, &p) || !flush(m))
				return p.command != (SMPP_BIND_TRANSCEIVER | SMPP_RESP);
		if (status_failed(st))
			return true;
	}
	return true;
}

int verb_modem(struct arguments *a)
{
	SECRET password = { 0 };
	static struct modem m;
	struct sigaction action = { .sa_handler = on_signal };
	bool again = true;

	m.a = a;
	m.cards = (uint64_t)(a->count > 0 ? a->count : 1);
	if (a->smsc == NULL || strrchr(a->smsc, ':') == NULL || a->number == NULL || !number_of(a->number, &m.first))
		return usage_error("modem", "needs --smsc HOST:PORT and --number DIGITS");
	if (m.cards > 1 && (a->reader == NULL || strncmp(a->reader, "unix:", 5) != 0 || strchr(a->reader, '#') != NULL))
		return usage_error("modem", "--count needs --reader unix:SOCKET of a farm, without #CARD");
	if (a->password != NULL && !read_secret(a->password, &password))
		return usage_error("modem", "--password-file must be a 0600 file with a password");
	if (password.len > SMPP_PASSWORD_MAX)
		return usage_too_long("modem", "--password-file", password.len, SMPP_PASSWORD_MAX);
	(void)sigaction(SIGTERM, &action, NULL);
	(void)sigaction(SIGINT, &action, NULL);
	while (stop == 0 && again) {
		m.fd = -1;
		if (dial(&m, (const char *)password.data))
			again = talk(&m);
		if (m.fd >= 0)
			(void)close(m.fd);
		if (stop == 0 && again)
			(void)usleep(RETRY_MS * 1000);
	}
	for (size_t i = 0; i < OPEN_CARDS; i++)
		close_card(&m, i);
	(void)printf("%lu messages for cards, %lu from cards, %lu REFRESH\n", m.delivered, m.answers, m.refreshes);
	return again ? 0 : EXIT_FAILURE;
}
