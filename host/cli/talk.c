/* SPDX-License-Identifier: Apache-2.0 */
#include "host/cli/talk.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

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

static enum prose_result make_offer(struct talk *t, const uint8_t *refresh)
{
	uint8_t message[2048];
	size_t n = sizeof message;
	struct buf b = BUF_OF(t->sdp);
	struct prose_session *s = &t->media->session;
	enum prose_result r = prose_call_start_at(
	        t->a->card, now_seconds(), t->a->group, s->ssrc, refresh, t->binds ? t->media_at : NULL, s, message, &n);

	if (r != PROSE_OK)
		return r;
	sdp_put(&b, &(struct sdp_offer){ bytes_str(t->a->group), t->out.address, t->out.port, s->ssrc, { message, n } });
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
	buf_put_uint(&b, 4, t->media->session.ssrc);
	buf_put(&b, samples);
	t->stamp += FRAME_SAMPLES;
	n = b.len;
	if (b.failed)
		return PROSE_NO_SPACE;
	if ((r = media_protect(t->media, packet, &n)) != PROSE_OK)
		return r;
	return multicast_send(&t->out, packet, n) ? PROSE_OK : PROSE_IO;
}

void call_event(const char *name, uint64_t at)
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
		enum prose_result r = make_offer(t, t->media->session.id);

		if (r != PROSE_OK)
			return r;
		(void)send_offer(t);
	} else if (now - t->offered >= (uint64_t)t->a->resend * 1000) {
		(void)send_offer(t);
	}
	return PROSE_OK;
}

enum prose_result talk_send(struct talk *t, struct bytes samples, uint64_t start)
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
			call_event("first-packet", now_microseconds());
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

enum prose_result talk_begin(struct talk *t, struct bytes samples, uint64_t pressed)
{
	enum prose_result r;

	t->offering = (t->media->policy & PROSE_POLICY_DIRECT) == 0;
	r = t->offering ? make_offer(t, NULL) : prose_direct_open(t->a->card, now_seconds(), t->a->group, &t->media->session);
	if (r != PROSE_OK || (r = take_ssrc(t->media)) != PROSE_OK)
		return r;
	call_event("key-press", pressed);
	if (t->offering && !send_offer(t))
		return PROSE_IO;
	if (t->offering)
		call_event("offer", t->offered);
	return talk_send(t, samples, now_microseconds());
}

bool talk_audio(const struct arguments *a, const char *verb, struct bytes *samples)
{
	size_t n;

	if (!read_file(verb, a->audio, audio, sizeof audio, &n))
		return false;
	if (wav_samples((struct bytes){ audio, n }, samples))
		return true;
	(void)usage_error(verb, "the audio must be an A-law, mono, 8 kHz WAV file");
	return false;
}
