/* SPDX-License-Identifier: Apache-2.0 */
/* prose-ue call join: offers are heard and tried until one opens, and on from there. Anybody can send where offers are heard:
 * what the card refuses is counted and waited over, and what no key covers chooses nothing. */
#include "host/cli/call.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apdu/base/hex.h"
#include "apdu/base/secret.h"
#include "apdu/base/text.h"
#include "apdu/prose.h"
#include "apdu/sw.h"
#include "host/cli/talk.h"

enum { SILENCE_US = 1000000, OFFER_MAX = 2048, TICK_MS = 100 };

/* A session that a verified offer has opened, and its media. */
struct heard_session {
	struct media media;
	struct multicast in;
	uint8_t at[MEDIA_AT_LEN];
	uint8_t offer[OFFER_MAX]; /* the one that opened it: copies need no second look */
	size_t offer_len;
	uint32_t guk_id; /* gmk-direct: the first talker */
};

struct listener {
	struct arguments *a;
	unsigned policy;
	bool fixed; /* --media: the only place for this group's media */
	uint8_t fixed_at[MEDIA_AT_LEN];
	struct multicast offers, player;
	struct heard_session session[HEARING_SESSIONS];
	size_t count;
	struct heard_session *first; /* whose media opened first */
	uint64_t last;               /* when any did, in microseconds */
	struct passed_over passed;
	char why[200]; /* the last reason, for people */
};

static void pass_over(struct listener *l, const char *reason, const char *sentence)
{
	(void)snprintf(l->why, sizeof l->why, "%s", sentence);
	if (passed_over_add(&l->passed, reason))
		(void)fprintf(stderr, "prose-ue call join: an offer for %s is passed over: %s\n", l->a->group, sentence);
}

/* A member to whose card the offer's key is unknown hears nothing until it comes. */
static const char no_new_key[] =
        "this call is under a key of the group's that this card does not have, a newer one as a rule: get"
        " your message with `group fetch`, or `group import FILE` it from any phone";

/* What whoever sends an offer can bring about; else it is the card's own trouble. */
static bool passes(struct listener *l, enum prose_result r)
{
	const unsigned sw = prose_card_status(l->a->card);
	char error[sizeof l->why]; /* a look at the groups asks the card for more */
	char reason[REASON_LEN];

	if (r == PROSE_REFUSED && (sw >> 8 == SW_PROSE_SIGNATURE >> 8 || sw == SW_WRONG_DATA)) {
		(void)snprintf(error, sizeof error, "%s", prose_card_error(l->a->card));
		(void)snprintf(reason, sizeof reason, "%04X", sw);
		pass_over(l, reason, sw == SW_PROSE_NO_KEY && media_is_member(l->a->card, l->a->group) ? no_new_key : error);
		return true;
	}
	if (r != PROSE_FORMAT && r != PROSE_NO_SPACE && r != PROSE_REPLAYED)
		return false;
	pass_over(l, "form", prose_result_text(r));
	return true;
}

/* Whether this is where the session's media are: the sender has said so under the offer's MAC, or the user by --media. */
static bool is_place(struct listener *l, const struct prose_session *s, const uint8_t at[static MEDIA_AT_LEN])
{
	if (!s->media_known && !l->fixed) {
		pass_over(l, "unbound", "it does not say under its MAC where the media go: use --media ADDRESS:PORT");
		return false;
	}
	if ((!s->media_known || memcmp(s->media_at, at, MEDIA_AT_LEN) == 0) &&
	        (!l->fixed || memcmp(l->fixed_at, at, MEDIA_AT_LEN) == 0))
		return true;
	pass_over(l, "address", "its media address is not the one that the group or the talker has");
	return false;
}

/* The talker's own offer again, as he repeats it: nothing of what was heard is lost. Cards from before 1.1 open a session for
 * each. */
static bool is_refresh(const struct heard_session *h, const struct prose_session *s, const uint8_t at[static MEDIA_AT_LEN])
{
	const struct prose_session *own = &h->media.session;

	return memcmp(h->at, at, MEDIA_AT_LEN) == 0 &&
	       (memcmp(own->id, s->id, sizeof s->id) == 0 ||
	               (own->ssrc == s->ssrc && s->ssrc != 0 && strcmp(own->sender_uri, s->sender_uri) == 0));
}

static void remember_offer(struct heard_session *h, struct bytes mikey)
{
	h->offer_len = mikey.n <= sizeof h->offer ? mikey.n : 0;
	memcpy(h->offer, mikey.p, h->offer_len);
}

static void seat(struct listener *l, const struct prose_session *s, const struct sdp_media *m,
        const uint8_t at[static MEDIA_AT_LEN], struct bytes mikey)
{
	struct multicast in;
	bool heard[HEARING_SESSIONS];
	char where[96];
	size_t row;

	for (size_t i = 0; i < l->count; i++) {
		if (is_refresh(&l->session[i], s, at)) {
			memcpy(l->session[i].media.session.id, s->id, sizeof s->id);
			remember_offer(&l->session[i], mikey);
			return;
		}
		heard[i] = l->session[i].media.heard_count > 0;
	}
	(void)snprintf(where, sizeof where, "%s:%u", m->address, (unsigned)m->port);
	if ((row = hearing_row(heard, l->count)) == HEARING_SESSIONS || !multicast_open(where, true, &in)) {
		pass_over(l, row == HEARING_SESSIONS ? "full" : "address",
		        row == HEARING_SESSIONS ? "too many talk" : "its media address cannot be joined");
		return;
	}
	if (row < l->count) {
		multicast_close(&l->session[row].in);
		media_close(&l->session[row].media);
	} else {
		l->count++;
	}
	l->session[row] =
	        (struct heard_session){ .media = { .card = l->a->card, .policy = l->policy, .session = *s }, .in = in };
	memcpy(l->session[row].at, at, MEDIA_AT_LEN);
	remember_offer(&l->session[row], mikey);
	if (s->old_key)
		(void)fprintf(stderr, "prose-ue call join: %s talks under an old key, and does not hear who has the new one\n",
		        s->sender_uri);
}

/* A copy of an offer that is open. */
static const struct heard_session *copy_of(const struct listener *l, struct bytes mikey)
{
	for (size_t i = 0; i < l->count; i++)
		if (bytes_equal((struct bytes){ l->session[i].offer, l->session[i].offer_len }, mikey))
			return &l->session[i];
	return NULL;
}

/* One datagram. An error is the card's own. */
static enum prose_result take_offer(struct listener *l, struct bytes text)
{
	const struct heard_session *copy;
	uint8_t raw[OFFER_MAX], at[MEDIA_AT_LEN] = { 0 };
	struct buf mikey = BUF_OF(raw);
	struct prose_session s;
	struct sdp_media m;
	enum status st = sdp_parse(text, &m, &mikey);
	enum prose_result r;

	if (m.subject.p != NULL && !bytes_equal(m.subject, bytes_str(l->a->group)))
		return PROSE_OK; /* another group's */
	if (st != OK || !media_at_of(m.address, m.port, at)) {
		pass_over(l, st != OK ? "form" : "unicast",
		        st != OK ? "it is no offer at all" : "its media address is no multicast address");
		return PROSE_OK;
	}
	if ((copy = copy_of(l, buf_bytes(&mikey))) != NULL) {
		(void)is_place(l, &copy->media.session, at);
		return PROSE_OK;
	}
	if ((r = prose_call_join(l->a->card, now_seconds(), mikey.p, mikey.len, &s)) != PROSE_OK)
		return passes(l, r) ? PROSE_OK : r;
	if (s.ssrc == 0)
		s.ssrc = m.ssrc; /* profile B has none; whoever changes it here changes what is printed */
	if (strcmp(s.group_uri, l->a->group) != 0)
		pass_over(l, "group", "it is another group's, under this one's name");
	else if (is_place(l, &s, at))
		seat(l, &s, &m, at, buf_bytes(&mikey));
	return PROSE_OK;
}

static enum prose_result read_offer(struct listener *l, int ms)
{
	uint8_t text[SDP_MAX];
	long n = multicast_receive(&l->offers, text, sizeof text, ms);

	return n > 0 ? take_offer(l, (struct bytes){ text, (size_t)n }) : PROSE_OK;
}

static void hear(struct listener *l, struct heard_session *h)
{
	uint8_t packet[1500];
	long got = multicast_receive(&h->in, packet, sizeof packet, 0);
	size_t n = got > 0 ? (size_t)got : 0;
	uint32_t talker = n > 0 ? media_talker(&h->media, packet, n) : 0;

	if (n == 0 || media_unprotect(&h->media, packet, &n) != PROSE_OK)
		return;
	l->last = now_microseconds();
	if (l->first == NULL) {
		call_event("first-decrypted", l->last);
		h->guk_id = talker;
		l->first = h;
	}
	if (l->player.fd >= 0)
		(void)multicast_send(&l->player, packet, n);
}

/* Wait for media of all sessions, and for more offers. */
static enum prose_result tick(struct listener *l)
{
	struct pollfd f[1 + HEARING_SESSIONS] = { { l->offers.fd, POLLIN, 0 } };
	size_t count = l->count;

	for (size_t i = 0; i < count; i++)
		f[1 + i] = (struct pollfd){ l->session[i].in.fd, POLLIN, 0 };
	if (poll(f, (nfds_t)(1 + count), TICK_MS) <= 0)
		return PROSE_OK;
	for (size_t i = 0; i < count; i++)
		if (f[1 + i].revents != 0)
			hear(l, &l->session[i]);
	return f[0].revents != 0 ? read_offer(l, 0) : PROSE_OK;
}

static void print_heard(struct media *m, unsigned long *packets, unsigned long *lost)
{
	(void)printf("{\"event\": \"heard\", \"ssrcs\": [");
	for (size_t i = 0; i < m->heard_count; i++)
		(void)printf("%s%lu", i > 0 ? ", " : "", (unsigned long)m->heard[i]);
	media_count(m, packets, lost);
	(void)printf("], \"packets\": %lu, \"lost\": %lu, \"p99_us\": %lu}\n", *packets, *lost, media_p99(m));
}

/* A line for each session of which something was heard, or for the first. */
static void print_all_heard(struct listener *l)
{
	unsigned long packets, lost, all_packets = 0, all_lost = 0;

	for (size_t i = 0; i < l->count; i++) {
		if (l->session[i].media.heard_count == 0 && (l->first != NULL || i > 0))
			continue;
		print_heard(&l->session[i].media, &packets, &lost);
		all_packets += packets;
		all_lost += lost;
	}
	if (all_lost > 0 && l->a->rtp_to != NULL)
		(void)fprintf(stderr, "prose-ue call join: %lu of %lu packets were lost on the way\n", all_lost,
		        all_packets + all_lost);
}

/* Receive until a packet opens; with --rtp-to, until a second passes without one, and what opens goes there. */
static enum prose_result listen(struct listener *l)
{
	uint64_t end = now_microseconds() + (uint64_t)l->a->seconds * 1000000;
	enum prose_result r = PROSE_OK;

	if (l->a->rtp_to != NULL && !multicast_open(l->a->rtp_to, false, &l->player))
		return PROSE_FORMAT;
	while (r == PROSE_OK && now_microseconds() < end &&
	        (l->first == NULL || (l->a->rtp_to != NULL && now_microseconds() < l->last + SILENCE_US)))
		r = tick(l);
	print_all_heard(l);
	return r;
}

/* For a player of one's own: the key, and behind it the salt; of gmk-direct also the identifier behind each packet. */
static enum prose_result print_joined(struct heard_session *h)
{
	struct media *m = &h->media;
	SECRET key = { 0 };
	char hex[2 * MEDIA_KEY_MAX + 1] = "", sender[TEXT_JSON(PROSE_URI_MAX)], at[TEXT_JSON(sizeof "255.255.255.255")];
	enum prose_result r = media_in_card(m) ? PROSE_OK : media_key(m, h->guk_id, &key);

	if (r != PROSE_OK)
		return r;
	(void)printf("{\"event\": \"joined\", \"us\": %llu, \"sender\": %s, \"address\": %s, \"port\": %u, \"ssrc\": %lu, "
	             "\"known\": %s, \"released\": %llu",
	        (unsigned long long)now_microseconds(), text_json(m->session.sender_uri, sender, sizeof sender),
	        text_json(h->in.address, at, sizeof at), (unsigned)h->in.port, (unsigned long)m->session.ssrc,
	        m->session.known ? "true" : "false", (unsigned long long)m->released);
	if ((m->policy & PROSE_POLICY_DIRECT) != 0)
		(void)printf(", \"mki\": \"%08lx%08lx\"", (unsigned long)m->session.gmk_id,
		        (unsigned long)(h->guk_id != 0 ? h->guk_id : m->session.guk_id));
	if (m->session.old_key)
		(void)printf(", \"old_key\": true");
	if (key.len > 0)
		(void)printf(", \"srtp_key\": \"%s\"", hex_encode(secret_bytes(&key), hex));
	(void)printf("}\n");
	(void)fflush(stdout);
	secret_clean(hex, sizeof hex);
	return PROSE_OK;
}

/* gmk-direct: the session is there already. */
static int enter_direct(struct listener *l)
{
	struct heard_session *h = &l->session[0];
	enum prose_result r;

	if (l->a->media == NULL || !multicast_open(l->a->media, true, &h->in))
		return usage_error("call join", "a `direct` group has no offers: needs --media as multicast ADDRESS:PORT");
	h->media = (struct media){ .card = l->a->card, .policy = l->policy };
	l->count = 1;
	call_event("listening", now_microseconds());
	r = prose_direct_open(l->a->card, now_seconds(), l->a->group, &h->media.session);
	return r == PROSE_OK ? 0 : ue_complain(l->a, "call join", l->a->group, r);
}

static int no_offer(const struct listener *l)
{
	if (l->passed.count == 0) {
		(void)fprintf(stderr, "prose-ue call join: no offer for %s within %lld s\n", l->a->group, l->a->seconds);
		return EXIT_FAILURE;
	}
	(void)fprintf(stderr, "prose-ue call join: no offer for %s within %lld s but %lu that were passed over; the last: %s\n",
	        l->a->group, l->a->seconds, l->passed.count, l->why);
	return EXIT_REFUSED;
}

/* Wait for an offer that opens. */
static int enter(struct listener *l)
{
	uint64_t end = now_microseconds() + (uint64_t)l->a->seconds * 1000000;
	enum prose_result r = PROSE_OK;
	struct multicast place;

	if ((l->policy & PROSE_POLICY_DIRECT) != 0)
		return enter_direct(l);
	if (l->a->media != NULL) {
		l->fixed = multicast_open(l->a->media, false, &place) && media_at_of(place.address, place.port, l->fixed_at);
		multicast_close(&place);
		if (!l->fixed)
			return usage_error("call join", "--media is a multicast ADDRESS:PORT");
	}
	if (l->a->offers == NULL || !multicast_open(l->a->offers, true, &l->offers))
		return usage_error("call join", "needs --offers as multicast ADDRESS:PORT");
	call_event("listening", now_microseconds());
	while (r == PROSE_OK && l->count == 0 && now_microseconds() < end)
		r = read_offer(l, TICK_MS);
	if (r != PROSE_OK)
		return ue_complain(l->a, "call join", l->a->group, r);
	return l->count > 0 ? 0 : no_offer(l);
}

/* --audio: talk under the session's key, which a group must share for that. */
static enum prose_result answer_back(struct listener *l, struct heard_session *h, struct bytes samples)
{
	struct talk t = { .a = l->a, .sequence = 1, .media = &h->media, .offers = { .fd = -1 }, .out = { .fd = -1 } };
	struct prose_session *s = &h->media.session;
	char at[96];
	enum prose_result r;

	(void)snprintf(at, sizeof at, "%s:%u", h->in.address, (unsigned)h->in.port);
	if (!multicast_open(at, false, &t.out))
		return PROSE_IO;
	r = prose_call_talk(l->a->card, s->id, h->media.heard, h->media.heard_count, &s->ssrc);
	if (r == PROSE_OK) {
		(void)printf("{\"event\": \"talking\", \"ssrc\": %lu}\n", (unsigned long)s->ssrc);
		r = talk_send(&t, samples, now_microseconds());
	}
	multicast_close(&t.out);
	return r;
}

static int attend(struct listener *l, struct bytes samples)
{
	const bool listens = l->a->first_packet || l->a->rtp_to != NULL;
	struct heard_session *h;
	enum prose_result r = listens ? listen(l) : PROSE_OK;

	h = l->first != NULL ? l->first : &l->session[0];
	if (r == PROSE_OK)
		r = print_joined(h);
	if (r == PROSE_OK && l->a->audio != NULL)
		r = answer_back(l, h, samples);
	if (r != PROSE_OK)
		return ue_complain(l->a, "call join", l->a->group, r);
	return listens && l->first == NULL ? EXIT_FAILURE : 0;
}

static void leave(struct listener *l)
{
	uint8_t raw[400];
	struct buf b = BUF_OF(raw);

	passed_over_put(&l->passed, &b);
	(void)printf("{\"event\": \"ended\", %.*s}\n", (int)b.len, (const char *)b.p);
	for (size_t i = 0; i < l->count; i++) {
		multicast_close(&l->session[i].in);
		media_close(&l->session[i].media);
	}
	multicast_close(&l->offers);
	multicast_close(&l->player);
}

int call_join(struct arguments *a)
{
	static struct listener l;
	struct prose_state warm;
	struct bytes samples = { 0 };
	int rc;

	if (a->group == NULL)
		return usage_error("call join", "needs --group");
	if (a->audio != NULL && !talk_audio(a, "call join", &samples))
		return EXIT_FAILURE;
	l = (struct listener){ .a = a, .offers = { .fd = -1 }, .player = { .fd = -1 } };
	(void)prose_state_read(a->card, &warm);
	l.policy = media_policy(a->card, a->group);
	if ((rc = enter(&l)) == 0)
		rc = attend(&l, samples);
	leave(&l);
	return rc;
}
