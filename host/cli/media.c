/* SPDX-License-Identifier: Apache-2.0 */
#include "host/cli/media.h"

#include <stdlib.h>
#include <string.h>

enum { RTP_HEADER = 12, MKI_LEN = 8, STRANGERS_AT_ONCE = 8, STRANGER_US = 1000000 };

struct look {
	const char *group;
	unsigned policy;
	bool found;
};

static void look_at(void *context, const struct prose_entry *e)
{
	struct look *l = context;

	if (strcmp(e->uri, l->group) != 0)
		return;
	l->policy = e->policy;
	l->found = true;
}

unsigned media_policy(struct prose_card *card, const char *group)
{
	struct look l = { .group = group };

	return prose_list(card, PROSE_GROUPS, look_at, &l) == PROSE_OK ? l.policy : 0;
}

bool media_is_member(struct prose_card *card, const char *group)
{
	struct look l = { .group = group };

	return prose_list(card, PROSE_GROUPS, look_at, &l) == PROSE_OK && l.found;
}

static bool direct(const struct media *m)
{
	return (m->policy & PROSE_POLICY_DIRECT) != 0;
}

bool media_in_card(const struct media *m)
{
	return (m->policy & PROSE_POLICY_IN_CARD) != 0 || (direct(m) && (m->policy & PROSE_POLICY_EXPORT) == 0);
}

enum prose_result media_key(struct media *m, uint32_t guk_id, struct secret *key)
{
	key->len = SRTP_KEY_LEN + (direct(m) ? SRTP_GCM_SALT_LEN : SRTP_SALT_LEN);
	return direct(m) ? prose_direct_key(m->card, m->session.id, guk_id, key->data, key->data + SRTP_KEY_LEN, &m->released)
	                 : prose_call_key(m->card, m->session.id, key->data, key->data + SRTP_KEY_LEN, &m->released);
}

uint32_t media_talker(const struct media *m, const uint8_t *packet, size_t n)
{
	return direct(m) && n > RTP_HEADER + MKI_LEN ? (uint32_t)bytes_uint((struct bytes){ packet + n - 4, 4 }) : 0;
}

static enum prose_result stream(struct media *m, uint32_t guk_id, uint32_t ssrc, struct srtp_stream **out)
{
	SECRET key = { 0 };
	uint8_t raw[MKI_LEN];
	struct buf mki = BUF_OF(raw);
	enum prose_result r = media_key(m, guk_id, &key);

	if (r != PROSE_OK)
		return r;
	if (direct(m)) {
		buf_put_uint(&mki, 4, m->session.gmk_id);
		buf_put_uint(&mki, 4, guk_id != 0 ? guk_id : m->session.guk_id);
	}
	*out = srtp_stream_new(&(struct srtp_options){ .profile = direct(m) ? SRTP_AES_GCM : SRTP_AES_CM_SHA1_80,
	        .key = { key.data, SRTP_KEY_LEN },
	        .salt = { key.data + SRTP_KEY_LEN, key.len - SRTP_KEY_LEN },
	        .mki = buf_bytes(&mki),
	        .ssrc = ssrc,
	        .outbound = ssrc != 0 });
	return *out != NULL ? PROSE_OK : PROSE_NO_SPACE;
}

static void took(struct media *m, uint64_t began)
{
	m->took[m->asked++ % MEDIA_TOOK] = (uint32_t)(now_microseconds() - began);
}

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

unsigned long media_p99(struct media *m)
{
	size_t n = m->asked < MEDIA_TOOK ? m->asked : MEDIA_TOOK;

	qsort(m->took, n, sizeof *m->took, by_value);
	return n > 0 ? m->took[n * 99 / 100] : 0;
}

enum prose_result media_protect(struct media *m, uint8_t *packet, size_t *n)
{
	uint64_t began = now_microseconds();
	enum prose_result r;

	if (media_in_card(m)) {
		r = prose_call_protect(m->card, m->session.id, packet, n, *n + SRTP_OVERHEAD);
		took(m, began);
		return r;
	}
	if (m->out == NULL && (r = stream(m, 0, m->session.ssrc, &m->out)) != PROSE_OK)
		return r;
	return srtp_stream_protect(m->out, packet, n) == OK ? PROSE_OK : PROSE_FORMAT;
}

static void remember(struct media *m, const uint8_t *packet)
{
	uint32_t ssrc = (uint32_t)bytes_uint((struct bytes){ packet + 8, 4 });
	uint16_t sequence = (uint16_t)bytes_uint((struct bytes){ packet + 2, 2 });
	size_t i = 0;

	while (i < m->heard_count && m->heard[i] != ssrc)
		i++;
	if (i == sizeof m->heard / sizeof *m->heard)
		return;
	if (i == m->heard_count) {
		m->heard[m->heard_count++] = ssrc;
		m->count[i].first = m->count[i].highest = 0x10000U + sequence;
	}
	m->count[i].packets++;
	if ((int16_t)(uint16_t)(sequence - (uint16_t)m->count[i].highest) > 0)
		m->count[i].highest += (uint16_t)(sequence - (uint16_t)m->count[i].highest);
}

void media_count(const struct media *m, unsigned long *packets, unsigned long *lost)
{
	*packets = *lost = 0;
	for (size_t i = 0; i < m->heard_count; i++) {
		unsigned long span = m->count[i].highest - m->count[i].first + 1;

		*packets += m->count[i].packets;
		*lost += span > m->count[i].packets ? span - m->count[i].packets : 0;
	}
}

/* The card gives keys for any GUK-ID that stands in a packet, and counts it in its memory: after a few who were not who they
 * said, one a second. */
static bool may_ask(struct media *m, uint64_t now)
{
	return m->strangers < STRANGERS_AT_ONCE || now >= m->stranger_at + STRANGER_US;
}

static size_t talker_row(const struct media *m)
{
	size_t row = 0;

	if (m->talkers < MEDIA_TALKERS)
		return m->talkers;
	for (size_t i = 1; i < MEDIA_TALKERS; i++)
		if (m->talker[i].last < m->talker[row].last)
			row = i;
	return row;
}

/* A talker whom nobody has heard yet. Only with a packet that opens does he take a row, of the one not heard for longest. */
static enum prose_result meet(struct media *m, uint32_t guk_id, uint8_t *packet, size_t *n, uint64_t now)
{
	struct srtp_stream *in = NULL;
	enum prose_result r;
	bool opened;
	size_t row;

	if (!may_ask(m, now))
		return PROSE_NOT_FOUND;
	if ((r = stream(m, guk_id, 0, &in)) != PROSE_OK)
		return r;
	opened = srtp_stream_unprotect(in, packet, n) == OK;
	if (!opened && direct(m)) {
		srtp_stream_free(&in);
		m->strangers++;
		m->stranger_at = now;
		return PROSE_NOT_FOUND;
	}
	row = talker_row(m);
	if (row == m->talkers)
		m->talkers++;
	srtp_stream_free(&m->talker[row].in);
	m->talker[row].guk_id = guk_id;
	m->talker[row].in = in;
	m->talker[row].last = now;
	return opened ? PROSE_OK : PROSE_NOT_FOUND; /* a GSK is the session's, whoever sent this */
}

static enum prose_result unprotect(struct media *m, uint8_t *packet, size_t *n)
{
	const uint32_t guk_id = media_talker(m, packet, *n);
	uint64_t began = now_microseconds();
	size_t i = 0;
	enum prose_result r;

	if (media_in_card(m)) {
		r = prose_call_unprotect(m->card, m->session.id, packet, n, *n);
		took(m, began);
		return r;
	}
	if (direct(m) && (guk_id == 0 || bytes_uint((struct bytes){ packet + *n - MKI_LEN, 4 }) != m->session.gmk_id))
		return PROSE_NOT_FOUND;
	while (i < m->talkers && m->talker[i].guk_id != guk_id)
		i++;
	if (i == m->talkers)
		return meet(m, guk_id, packet, n, began);
	if (srtp_stream_unprotect(m->talker[i].in, packet, n) != OK)
		return PROSE_NOT_FOUND;
	m->talker[i].last = began;
	return PROSE_OK;
}

enum prose_result media_unprotect(struct media *m, uint8_t *packet, size_t *n)
{
	enum prose_result r = *n > RTP_HEADER ? unprotect(m, packet, n) : PROSE_NOT_FOUND;

	if (r == PROSE_OK)
		remember(m, packet);
	return r;
}

void media_close(struct media *m)
{
	srtp_stream_free(&m->out);
	for (size_t i = 0; i < m->talkers; i++)
		srtp_stream_free(&m->talker[i].in);
	m->talkers = 0;
}
