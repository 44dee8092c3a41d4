/* SPDX-License-Identifier: Apache-2.0 */
/* prose-ue call start|join: the key press, the offer, the media. Talking sends PCMA from an A-law WAV file as SRTP. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apdu/base/hex.h"
#include "apdu/base/secret.h"
#include "apdu/sw.h"
#include "host/cli/media.h"
#include "protocols/mikey/sdp.h"

enum { FRAME_MS = 20, FRAME_SAMPLES = 160, RTP_HEADER = 12, PCMA = 8, ALAW_SILENCE = 0xD5, AUDIO_MAX = 1 << 20 };
enum { REFRESH_SECONDS = 30, WAV_ALAW = 6, SILENCE_US = 1000000 };

static uint8_t audio[AUDIO_MAX];

/* The samples of an A-law, mono, 8 kHz RIFF file. */
static bool wav_samples(struct bytes in, struct bytes *samples)
{
	struct bytes id, head, body;
	bool alaw = false;
	uint64_t n;

	if (!bytes_take(&in, 12, &head) || memcmp(head.p, "RIFF", 4) != 0 || memcmp(head.p + 8, "WAVE", 4) != 0)
		return false;
	while (bytes_take(&in, 4, &id) && bytes_take(&in, 4, &head)) {
		n = (uint64_t)head.p[0] | (uint64_t)head.p[1] << 8 | (uint64_t)head.p[2] << 16 | (uint64_t)head.p[3] << 24;
		if (n > in.n)
			n = in.n; /* a stream that was never finished */
		if (!bytes_take(&in, (size_t)n, &body))
			return false;
		if (memcmp(id.p, "fmt ", 4) == 0 && body.n >= 16)
			alaw = body.p[0] == WAV_ALAW && body.p[2] == 1 && body.p[4] == 0x40 && body.p[5] == 0x1F;
		if (memcmp(id.p, "data", 4) == 0) {
			*samples = body;
			return alaw;
		}
		if (n % 2 == 1 && in.n > 0 && !bytes_take(&in, 1, &body))
			return false;
	}
	return false;
}

struct talk {
	struct arguments *a;
	struct media media;
	struct multicast offers, out;
	bool offering;
	uint8_t sdp[SDP_MAX];
	size_t sdp_len;
	uint16_t sequence;
	uint32_t stamp;
	uint64_t offered, refreshed; /* microseconds */
};

static enum prose_result make_offer(struct talk *t, const uint8_t *refresh)
{
	uint8_t message[2048];
	size_t n = sizeof message;
	struct buf b = BUF_OF(t->sdp);
	enum prose_result r = prose_call_start(
	        t->a->card, now_seconds(), t->a->group, t->media.session.ssrc, refresh, &t->media.session, message, &n);

	if (r != PROSE_OK)
		return r;
	sdp_put(&b, &(struct sdp_offer){
	                    bytes_str(t->a->group), t->out.address, t->out.port, t->media.session.ssrc, { message, n } });
	t->sdp_len = b.len;
	t->refreshed = now_microseconds();
	return b.failed ? PROSE_NO_SPACE : PROSE_OK;
}

static bool send_offer(struct talk *t)
{
	t->offered = now_microseconds();
	return multicast_send(&t->offers, t->sdp, t->sdp_len);
}

static enum prose_result send_frame(struct talk *t, struct bytes samples)
{
	enum prose_result r;
	uint8_t packet[RTP_HEADER + FRAME_SAMPLES + SRTP_OVERHEAD];
	struct buf b = BUF_OF(packet);
	size_t n;

	buf_put_u8(&b, 0x80);
	buf_put_u8(&b, (uint8_t)(PCMA | (t->sequence == 1 ? 0x80 : 0)));
	buf_put_uint(&b, 2, t->sequence++);
	buf_put_uint(&b, 4, t->stamp);
	buf_put_uint(&b, 4, t->media.session.ssrc);
	buf_put(&b, samples);
	t->stamp += FRAME_SAMPLES;
	n = b.len;
	if (b.failed)
		return PROSE_NO_SPACE;
	if ((r = media_protect(&t->media, packet, &n)) != PROSE_OK)
		return r;
	return multicast_send(&t->out, packet, n) ? PROSE_OK : PROSE_IO;
}

static void event(const char *name, uint64_t at)
{
	(void)printf("{\"event\": \"%s\", \"us\": %llu}\n", name, (unsigned long long)at);
	(void)fflush(stdout);
}

/* Late joiners get the same offer again; after 30 s a fresh one under the same GSK (DESIGN.md 3.5). */
static enum prose_result keep_offering(struct talk *t)
{
	uint64_t now = now_microseconds();

	if (!t->offering)
		return PROSE_OK;
	if (now - t->refreshed >= (uint64_t)REFRESH_SECONDS * 1000000) {
		enum prose_result r = make_offer(t, t->media.session.id);

		if (r != PROSE_OK)
			return r;
		(void)send_offer(t);
	} else if (now - t->offered >= (uint64_t)t->a->resend * 1000) {
		(void)send_offer(t);
	}
	return PROSE_OK;
}

static enum prose_result send_media(struct talk *t, struct bytes samples, uint64_t start)
{
	uint8_t silence[FRAME_SAMPLES], last[FRAME_SAMPLES];
	long long lead = t->a->lead_in / FRAME_MS;
	enum prose_result r;

	memset(silence, ALAW_SILENCE, sizeof silence);
	for (uint64_t i = 0; samples.n > 0; i++) {
		struct bytes frame = BYTES_OF(silence);
		uint64_t due = start + i * FRAME_MS * 1000, now;

		if ((long long)i >= lead && !bytes_take(&samples, FRAME_SAMPLES, &frame)) {
			memset(last, ALAW_SILENCE, sizeof last);
			memcpy(last, samples.p, samples.n);
			samples.n = 0;
			frame = BYTES_OF(last);
		}
		if ((r = send_frame(t, frame)) != PROSE_OK)
			return r;
		if (i == 0)
			event("first-packet", now_microseconds());
		if ((r = keep_offering(t)) != PROSE_OK)
			return r;
		now = now_microseconds();
		if (due + FRAME_MS * 1000 > now)
			(void)poll(NULL, 0, (int)((due + FRAME_MS * 1000 - now) / 1000));
	}
	return PROSE_OK;
}

/* An SSRC of the card's, where it has a say. */
static enum prose_result take_ssrc(struct media *m)
{
	return (m->policy & PROSE_POLICY_SHARED) != 0 || media_in_card(m) || (m->policy & PROSE_POLICY_DIRECT) != 0
	               ? prose_call_talk(m->card, m->session.id, m->heard, m->heard_count, &m->session.ssrc)
	               : PROSE_OK;
}

static enum prose_result talk(struct talk *t, struct bytes samples, uint64_t pressed)
{
	enum prose_result r;

	t->offering = (t->media.policy & PROSE_POLICY_DIRECT) == 0;
	r = t->offering ? make_offer(t, NULL) : prose_direct_open(t->a->card, now_seconds(), t->a->group, &t->media.session);
	if (r != PROSE_OK || (r = take_ssrc(&t->media)) != PROSE_OK)
		return r;
	event("key-press", pressed);
	if (t->offering && !send_offer(t))
		return PROSE_IO;
	if (t->offering)
		event("offer", t->offered);
	return send_media(t, samples, now_microseconds());
}

/* What --audio has. */
static bool load_audio(const struct arguments *a, const char *verb, struct bytes *samples)
{
	size_t n;

	if (!read_file(verb, a->audio, audio, sizeof audio, &n))
		return false;
	if (wav_samples((struct bytes){ audio, n }, samples))
		return true;
	(void)usage_error(verb, "the audio must be an A-law, mono, 8 kHz WAV file");
	return false;
}

static int call_start(struct arguments *a)
{
	static struct talk t;
	struct prose_state warm;
	struct bytes samples;
	uint64_t pressed;
	enum prose_result r;

	if (a->group == NULL || a->audio == NULL || a->media == NULL)
		return usage_error("call start", "needs --group, --audio, --media, and --offers unless the group is `direct`");
	if (!load_audio(a, "call start", &samples))
		return EXIT_FAILURE;
	t = (struct talk){ .a = a, .sequence = 1, .media = { .card = a->card }, .offers = { .fd = -1 }, .out = { .fd = -1 } };
	/* A phone has its card open and PIN verified long before the key is pressed. */
	if ((r = prose_state_read(a->card, &warm)) != PROSE_OK)
		return ue_complain(a, "call start", NULL, r);
	t.media.policy = media_policy(a->card, a->group);
	if (!multicast_open(a->media, false, &t.out) ||
	        ((t.media.policy & PROSE_POLICY_DIRECT) == 0 && !multicast_open(a->offers, false, &t.offers)))
		return usage_error("call start", "--media and --offers are multicast ADDRESS:PORT");
	pressed = now_microseconds();
	t.media.session.ssrc = (uint32_t)(pressed * 2654435761U >> 3) | 1;
	r = talk(&t, samples, pressed);
	if (t.media.asked > 0)
		(void)printf(
		        "{\"event\": \"ciphered\", \"packets\": %lu, \"p99_us\": %lu}\n", t.media.asked, media_p99(&t.media));
	media_close(&t.media);
	multicast_close(&t.out);
	multicast_close(&t.offers);
	return r == PROSE_OK ? 0 : ue_complain(a, "call start", a->group, r);
}

/* Wait for an offer of our group; *m holds its media and mikey its message. */
static bool next_offer(struct arguments *a, const struct multicast *offers, struct sdp_media *m, struct buf *mikey)
{
	uint64_t end = now_microseconds() + (uint64_t)a->seconds * 1000000;
	char subject[PROSE_FRAME + 160];
	uint8_t text[SDP_MAX];

	(void)snprintf(subject, sizeof subject, "\ns=%s\r\n", a->group);
	while (now_microseconds() < end) {
		long n = multicast_receive(offers, text, sizeof text, 100);

		if (n <= 0 || memmem(text, (size_t)n, subject, strlen(subject)) == NULL)
			continue;
		mikey->len = 0;
		if (sdp_parse((struct bytes){ text, (size_t)n }, m, mikey) == OK)
			return true;
	}
	return false;
}

/* Receive until a packet opens; with --rtp-to, until a second passes without one, and what opens goes there. *guk_id: the first
 * talker. */
static bool listen(struct arguments *a, const struct multicast *in, struct media *m, uint32_t *guk_id)
{
	uint64_t end = now_microseconds() + (uint64_t)a->seconds * 1000000;
	uint8_t packet[1500];
	struct multicast player = { .fd = -1 };
	uint64_t last = 0;
	unsigned long packets, lost;
	bool heard = false;

	if (a->rtp_to != NULL && !multicast_open(a->rtp_to, false, &player))
		return false;
	while (now_microseconds() < end && (!heard || (a->rtp_to != NULL && now_microseconds() < last + SILENCE_US))) {
		long got = multicast_receive(in, packet, sizeof packet, 100);
		size_t n = got > 0 ? (size_t)got : 0;
		uint32_t talker = n > 0 ? media_talker(m, packet, n) : 0;

		if (n == 0 || media_unprotect(m, packet, &n) != PROSE_OK)
			continue;
		if (!heard) {
			event("first-decrypted", now_microseconds());
			*guk_id = talker;
		}
		heard = true;
		last = now_microseconds();
		if (a->rtp_to != NULL)
			(void)multicast_send(&player, packet, n);
	}
	multicast_close(&player);
	(void)printf("{\"event\": \"heard\", \"ssrcs\": [");
	for (size_t i = 0; i < m->heard_count; i++)
		(void)printf("%s%lu", i > 0 ? ", " : "", (unsigned long)m->heard[i]);
	media_count(m, &packets, &lost);
	(void)printf("], \"packets\": %lu, \"lost\": %lu, \"p99_us\": %lu}\n", packets, lost, media_p99(m));
	if (lost > 0 && a->rtp_to != NULL)
		(void)fprintf(stderr, "prose-ue call join: %lu of %lu packets were lost on the way\n", lost, packets + lost);
	return heard;
}

/* For a player of one's own: the key, and behind it the salt; of gmk-direct also the identifier behind each packet. */
static enum prose_result print_joined(struct media *m, const char *address, unsigned port, uint32_t guk_id)
{
	SECRET key = { 0 };
	char hex[2 * MEDIA_KEY_MAX + 1] = "";
	enum prose_result r = media_in_card(m) ? PROSE_OK : media_key(m, guk_id, &key);

	if (r != PROSE_OK)
		return r;
	(void)printf(
	        "{\"event\": \"joined\", \"us\": %llu, \"sender\": \"%s\", \"address\": \"%s\", \"port\": %u, \"ssrc\": %lu, "
	        "\"known\": %s, \"released\": %llu",
	        (unsigned long long)now_microseconds(), m->session.sender_uri, address, port, (unsigned long)m->session.ssrc,
	        m->session.known ? "true" : "false", (unsigned long long)m->released);
	if ((m->policy & PROSE_POLICY_DIRECT) != 0)
		(void)printf(", \"mki\": \"%08lx%08lx\"", (unsigned long)m->session.gmk_id,
		        (unsigned long)(guk_id != 0 ? guk_id : m->session.guk_id));
	if (m->session.old_key)
		(void)printf(", \"old_key\": true");
	if (key.len > 0)
		(void)printf(", \"srtp_key\": \"%s\"", hex_encode(secret_bytes(&key), hex));
	(void)printf("}\n");
	(void)fflush(stdout);
	secret_clean(hex, sizeof hex);
	return PROSE_OK;
}

/* A member to whose card the offer's key is unknown hears nothing until it comes. */
static int refused_offer(const struct arguments *a, enum prose_result r)
{
	const bool no_key = r == PROSE_REFUSED && prose_card_status(a->card) == SW_PROSE_NO_KEY;
	int rc = ue_complain(a, "call join", a->group, r);

	if (no_key && media_is_member(a->card, a->group))
		(void)fprintf(stderr,
		        "prose-ue call join: this call is under a key of the group's that this card does not have, a newer one as a"
		        " rule: get your message with `group fetch`, or `group import FILE` it from any phone\n");
	return rc;
}

/* Wait for the session: of gmk-direct it is there already. *at: where its media are. */
static int enter(struct arguments *a, struct media *m, struct multicast *in, char *address, size_t room, uint16_t *port)
{
	struct multicast offers;
	struct sdp_media offered;
	uint8_t raw[2048];
	struct buf mikey = BUF_OF(raw);
	char at[96];
	bool found;
	enum prose_result r;

	if ((m->policy & PROSE_POLICY_DIRECT) != 0) {
		if (a->media == NULL || !multicast_open(a->media, true, in))
			return usage_error(
			        "call join", "a `direct` group has no offers: needs --media as multicast ADDRESS:PORT");
		(void)snprintf(address, room, "%s", in->address);
		*port = in->port;
		event("listening", now_microseconds());
		r = prose_direct_open(a->card, now_seconds(), a->group, &m->session);
		return r == PROSE_OK ? 0 : ue_complain(a, "call join", a->group, r);
	}
	if (a->offers == NULL || !multicast_open(a->offers, true, &offers))
		return usage_error("call join", "needs --offers as multicast ADDRESS:PORT");
	event("listening", now_microseconds());
	found = next_offer(a, &offers, &offered, &mikey);
	multicast_close(&offers);
	if (!found) {
		(void)fprintf(stderr, "prose-ue call join: no offer for %s within %lld s\n", a->group, a->seconds);
		return EXIT_FAILURE;
	}
	/* In the media group before the card is asked: what is sent meanwhile waits in the socket. */
	(void)snprintf(at, sizeof at, "%s:%u", offered.address, (unsigned)offered.port);
	if (!multicast_open(at, true, in))
		return usage_error("call join", "the offer's media address cannot be joined");
	(void)snprintf(address, room, "%s", offered.address);
	*port = offered.port;
	r = prose_call_join(a->card, now_seconds(), mikey.p, mikey.len, &m->session);
	if (r != PROSE_OK)
		return refused_offer(a, r);
	m->session.ssrc = offered.ssrc;
	if (m->session.old_key)
		(void)fprintf(stderr, "prose-ue call join: %s talks under an old key, and does not hear who has the new one\n",
		        m->session.sender_uri);
	return 0;
}

/* --audio: talk under the session's key, which a group must share for that. */
static enum prose_result answer_back(struct talk *t, struct bytes samples, const char *address, unsigned port)
{
	char at[96];
	enum prose_result r;

	(void)snprintf(at, sizeof at, "%s:%u", address, port);
	if (!multicast_open(at, false, &t->out))
		return PROSE_IO;
	r = prose_call_talk(t->a->card, t->media.session.id, t->media.heard, t->media.heard_count, &t->media.session.ssrc);
	if (r == PROSE_OK) {
		(void)printf("{\"event\": \"talking\", \"ssrc\": %lu}\n", (unsigned long)t->media.session.ssrc);
		r = send_media(t, samples, now_microseconds());
	}
	multicast_close(&t->out);
	return r;
}

static int call_join(struct arguments *a)
{
	static struct talk t;
	struct multicast in = { .fd = -1 };
	struct prose_state warm;
	struct bytes samples = { 0 };
	char address[64];
	uint32_t guk_id = 0;
	uint16_t port = 0;
	bool heard = true;
	enum prose_result r;
	int rc;

	if (a->group == NULL)
		return usage_error("call join", "needs --group");
	if (a->audio != NULL && !load_audio(a, "call join", &samples))
		return EXIT_FAILURE;
	t = (struct talk){ .a = a, .sequence = 1, .media = { .card = a->card }, .offers = { .fd = -1 }, .out = { .fd = -1 } };
	(void)prose_state_read(a->card, &warm);
	t.media.policy = media_policy(a->card, a->group);
	if ((rc = enter(a, &t.media, &in, address, sizeof address, &port)) == 0) {
		if (a->first_packet || a->rtp_to != NULL)
			heard = listen(a, &in, &t.media, &guk_id);
		r = print_joined(&t.media, address, port, guk_id);
		if (r == PROSE_OK && a->audio != NULL)
			r = answer_back(&t, samples, address, port);
		rc = r != PROSE_OK ? ue_complain(a, "call join", a->group, r) : heard ? 0 : EXIT_FAILURE;
	}
	multicast_close(&in);
	media_close(&t.media);
	return rc;
}

int verb_call(struct arguments *a)
{
	if (a->word_count == 1 && strcmp(a->words[0], "start") == 0)
		return call_start(a);
	if (a->word_count == 1 && strcmp(a->words[0], "join") == 0)
		return call_join(a);
	return usage_error("call", "say `call start` or `call join`");
}
