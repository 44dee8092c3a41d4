/* prose-ue call start|join: the key press, the offer, the media. Talking sends PCMA from an A-law WAV file as SRTP. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apdu/hex.h"
#include "apdu/secret.h"
#include "crypto/srtp.h"
#include "host/cli/cli.h"
#include "mikey/sdp.h"

enum { FRAME_MS = 20, FRAME_SAMPLES = 160, RTP_HEADER = 12, PCMA = 8, ALAW_SILENCE = 0xD5, AUDIO_MAX = 1 << 20 };
enum { REFRESH_SECONDS = 30, WAV_ALAW = 6 };

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
	struct prose_session session;
	struct multicast offers, media;
	struct srtp_stream *srtp;
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
	enum prose_result r =
	        prose_call_start(t->a->card, now_seconds(), t->a->group, t->session.ssrc, refresh, &t->session, message, &n);

	if (r != PROSE_OK)
		return r;
	sdp_put(&b, &(struct sdp_offer){
	                    bytes_str(t->a->group), t->media.address, t->media.port, t->session.ssrc, { message, n } });
	t->sdp_len = b.len;
	t->refreshed = now_microseconds();
	return b.failed ? PROSE_NO_SPACE : PROSE_OK;
}

static bool send_offer(struct talk *t)
{
	t->offered = now_microseconds();
	return multicast_send(&t->offers, t->sdp, t->sdp_len);
}

static bool send_frame(struct talk *t, struct bytes samples)
{
	uint8_t packet[RTP_HEADER + FRAME_SAMPLES + SRTP_OVERHEAD];
	struct buf b = BUF_OF(packet);
	size_t n;

	buf_put_u8(&b, 0x80);
	buf_put_u8(&b, (uint8_t)(PCMA | (t->sequence == 1 ? 0x80 : 0)));
	buf_put_uint(&b, 2, t->sequence++);
	buf_put_uint(&b, 4, t->stamp);
	buf_put_uint(&b, 4, t->session.ssrc);
	buf_put(&b, samples);
	t->stamp += FRAME_SAMPLES;
	n = b.len;
	return !b.failed && srtp_stream_protect(t->srtp, packet, &n) == OK && multicast_send(&t->media, packet, n);
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

	if (now - t->refreshed >= (uint64_t)REFRESH_SECONDS * 1000000) {
		enum prose_result r = make_offer(t, t->session.id);

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
	long lead = t->a->lead_in / FRAME_MS;
	enum prose_result r;

	memset(silence, ALAW_SILENCE, sizeof silence);
	for (uint64_t i = 0; samples.n > 0; i++) {
		struct bytes frame = BYTES_OF(silence);
		uint64_t due = start + i * FRAME_MS * 1000, now;

		if ((long)i >= lead && !bytes_take(&samples, FRAME_SAMPLES, &frame)) {
			memset(last, ALAW_SILENCE, sizeof last);
			memcpy(last, samples.p, samples.n);
			samples.n = 0;
			frame = BYTES_OF(last);
		}
		if (!send_frame(t, frame))
			return PROSE_IO;
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

static enum prose_result talk(struct talk *t, struct bytes samples, uint64_t pressed)
{
	SECRET
	gsk = { .len = SRTP_KEY_LEN };
	SECRET
	salt = { .len = SRTP_SALT_LEN };
	uint64_t released;
	enum prose_result r = make_offer(t, NULL);

	if (r != PROSE_OK || (r = prose_call_key(t->a->card, t->session.id, gsk.data, salt.data, &released)) != PROSE_OK)
		return r;
	t->srtp = srtp_stream_new(secret_bytes(&gsk), secret_bytes(&salt), t->session.ssrc, true);
	if (t->srtp == NULL || !send_offer(t))
		return PROSE_IO;
	event("key-press", pressed);
	event("offer", t->offered);
	r = send_media(t, samples, now_microseconds());
	srtp_stream_free(&t->srtp);
	return r;
}

static int call_start(struct arguments *a)
{
	static struct talk t;
	struct prose_state warm;
	struct bytes samples;
	uint64_t pressed;
	size_t n;
	enum prose_result r;

	if (a->group == NULL || a->audio == NULL || a->media == NULL || a->offers == NULL)
		return usage_error("call start", "needs --group, --audio, --media and --offers");
	if (!read_file("call start", a->audio, audio, sizeof audio, &n))
		return EXIT_FAILURE;
	if (!wav_samples((struct bytes){ audio, n }, &samples))
		return usage_error("call start", "the audio must be an A-law, mono, 8 kHz WAV file");
	t = (struct talk){ .a = a, .sequence = 1 };
	if (!multicast_open(a->media, false, &t.media) || !multicast_open(a->offers, false, &t.offers))
		return usage_error("call start", "--media and --offers are multicast ADDRESS:PORT");
	/* A phone has its card open and PIN verified long before the key is pressed. */
	if ((r = prose_state_read(a->card, &warm)) != PROSE_OK)
		return complain(a, "call start", NULL, r);
	(void)prose_list(a->card, PROSE_GROUPS, NULL, NULL);
	pressed = now_microseconds();
	t.session.ssrc = (uint32_t)(pressed * 2654435761U >> 3) | 1;
	r = talk(&t, samples, pressed);
	multicast_close(&t.media);
	multicast_close(&t.offers);
	return r == PROSE_OK ? 0 : complain(a, "call start", a->group, r);
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

/* Receive media until a packet opens under the key. */
static bool first_packet(struct arguments *a, const struct multicast *media, struct srtp_stream *srtp)
{
	uint64_t end = now_microseconds() + (uint64_t)a->seconds * 1000000;
	uint8_t packet[1500];

	while (now_microseconds() < end) {
		long got = multicast_receive(media, packet, sizeof packet, 100);
		size_t n = got > 0 ? (size_t)got : 0;

		if (n > 0 && srtp_stream_unprotect(srtp, packet, &n) == OK) {
			event("first-decrypted", now_microseconds());
			return true;
		}
	}
	return false;
}

static void print_joined(const struct prose_session *s, const struct sdp_media *m, uint64_t released, const struct secret *gsk,
        const struct secret *salt)
{
	char key[2 * SRTP_KEY_LEN + 1], hex[2 * SRTP_SALT_LEN + 1];

	(void)printf(
	        "{\"event\": \"joined\", \"us\": %llu, \"sender\": \"%s\", \"address\": \"%s\", \"port\": %u, \"ssrc\": %lu, "
	        "\"known\": %s, \"released\": %llu, \"srtp_key\": \"%s%s\"}\n",
	        (unsigned long long)now_microseconds(), s->sender_uri, m->address, (unsigned)m->port, (unsigned long)m->ssrc,
	        s->known ? "true" : "false", (unsigned long long)released, hex_encode(secret_bytes(gsk), key),
	        hex_encode(secret_bytes(salt), hex));
	(void)fflush(stdout);
	secret_clean(key, sizeof key);
	secret_clean(hex, sizeof hex);
}

static int call_join(struct arguments *a)
{
	SECRET
	gsk = { .len = SRTP_KEY_LEN };
	SECRET
	salt = { .len = SRTP_SALT_LEN };
	struct multicast offers, media;
	struct prose_session s;
	struct prose_state warm;
	struct sdp_media m;
	struct srtp_stream *srtp;
	uint8_t raw[2048];
	struct buf mikey = BUF_OF(raw);
	uint64_t released;
	char at[96];
	enum prose_result r;
	bool heard = true;

	if (a->group == NULL || a->offers == NULL || !multicast_open(a->offers, true, &offers))
		return usage_error("call join", "needs --group and --offers as multicast ADDRESS:PORT");
	(void)prose_state_read(a->card, &warm);
	(void)prose_list(a->card, PROSE_GROUPS, NULL, NULL);
	event("listening", now_microseconds());
	if (!next_offer(a, &offers, &m, &mikey)) {
		multicast_close(&offers);
		(void)fprintf(stderr, "prose-ue call join: no offer for %s within %ld s\n", a->group, a->seconds);
		return EXIT_FAILURE;
	}
	multicast_close(&offers);
	/* In the media group before the card is asked: what is sent meanwhile waits in the socket. */
	(void)snprintf(at, sizeof at, "%s:%u", m.address, (unsigned)m.port);
	if (a->first_packet && !multicast_open(at, true, &media))
		return usage_error("call join", "the offer's media address cannot be joined");
	r = prose_call_join(a->card, now_seconds(), mikey.p, mikey.len, &s);
	if (r == PROSE_OK)
		r = prose_call_key(a->card, s.id, gsk.data, salt.data, &released);
	if (r != PROSE_OK)
		return complain(a, "call join", a->group, r);
	if (a->first_packet) {
		srtp = srtp_stream_new(secret_bytes(&gsk), secret_bytes(&salt), m.ssrc, false);
		heard = srtp != NULL && first_packet(a, &media, srtp);
		multicast_close(&media);
		srtp_stream_free(&srtp);
	}
	print_joined(&s, &m, released, &gsk, &salt);
	return heard ? 0 : EXIT_FAILURE;
}

int verb_call(struct arguments *a)
{
	if (a->word_count == 1 && strcmp(a->words[0], "start") == 0)
		return call_start(a);
	if (a->word_count == 1 && strcmp(a->words[0], "join") == 0)
		return call_join(a);
	return usage_error("call", "say `call start` or `call join`");
}
