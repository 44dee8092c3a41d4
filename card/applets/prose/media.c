/* SPDX-License-Identifier: Apache-2.0 */
/* Media: keys straight from the GMK (TS 33.180 7.4), SSRCs that never come twice, and SRTP on the card for groups whose keys
 * stay there. */
#include <string.h>

#include "apdu/tlv.h"
#include "card/applets/prose/prose.h"
#include "crypto/common/hash.h"
#include "crypto/common/srtp.h"
#include "protocols/mikey/message.h"
#include "protocols/mikey/keys/prf.h"

enum { CS_ID_MCPTT_GROUP = 4, RTP_HEADER = 12, SSRC_KEY_LEN = 16, SSRC_ROUNDS = 4, SEQUENCE_END = 0xFFFF };

static const struct bytes ssrc_name = { (const uint8_t *)"ssrc", 4 };

/* A permutation of 32 bits: four Feistel rounds. */
static enum status permute(struct bytes key, uint32_t n, uint32_t *out)
{
	uint16_t left = (uint16_t)(n >> 16), right = (uint16_t)n;

	for (unsigned round = 0; round < SSRC_ROUNDS; round++) {
		const uint8_t in[] = { (uint8_t)round, (uint8_t)(right >> 8), (uint8_t)right };
		const struct bytes part = BYTES_OF(in);
		uint8_t digest[SHA256_LEN];
		uint16_t next;

		TRY(hmac_sha256(key, &part, 1, digest));
		next = (uint16_t)(left ^ (digest[0] << 8 | digest[1]));
		left = right;
		right = next;
	}
	*out = (uint32_t)left << 16 | right;
	return OK;
}

/* The record: key(16) || how many so far(4). Written before an SSRC is used: a pair of SSRC and index never comes twice,
 * whenever the power goes. */
enum status prose_ssrc_new(struct command *c, uint32_t *ssrc)
{
	SECRET_LARGE record = { 0 };
	enum status st = applet_get(c->applet, ssrc_name, &record);
	struct bytes key = { record.data, SSRC_KEY_LEN };
	uint32_t n = 0;

	if (st == ERR_NOT_FOUND)
		st = rng_fill(c->card->env.rng, record.data, SSRC_KEY_LEN);
	else if (st == OK)
		n = (uint32_t)bytes_uint((struct bytes){ record.data + SSRC_KEY_LEN, 4 });
	TRY(st);
	do { /* 0 means none */
		struct buf b = { record.data, SSRC_KEY_LEN, sizeof record.data, false };

		if (n == UINT32_MAX)
			return ERR_NO_SPACE;
		TRY(permute(key, n++, ssrc));
		buf_put_uint(&b, 4, n);
		record.len = b.len;
	} while (*ssrc == 0);
	return applet_put(c->applet, ssrc_name, secret_large_bytes(&record));
}

enum sw prose_session_check(struct applet *a, const struct prose_session *s)
{
	GMKS all = { 0 };
	uint64_t now;
	enum status st = prose_time_effective(a, &now);

	if (st != OK || (st = prose_gmks_load(a, s->group, &all)) != OK)
		return sw_of(st);
	if (s->direct && now >= s->not_after)
		return SW_PROSE_EXPIRED;
	/* IMPORT GMK moves no clock, but the time that a key's signer says has been verified. */
	for (size_t i = 0; i < all.n; i++)
		if (mikey_unix(all.key[i].stamp) > now)
			now = mikey_unix(all.key[i].stamp);
	return prose_gmk_ended_by(&all, s->rank, s->gmk_id, now, s->judged) != NULL ? SW_PROSE_OLD_KEY : SW_OK;
}

enum status prose_talker_key(const struct prose_session *s, uint32_t guk_id, struct secret *key, struct secret *salt)
{
	const struct bytes rand = { s->rand, s->rand_len };

	TRY(mikey_derive(s->prf, secret_bytes(&s->gsk), MIKEY_FROM_TGK_TEK, CS_ID_MCPTT_GROUP, guk_id, rand, key, GSK_LEN));
	return mikey_derive(
	        s->prf, secret_bytes(&s->gsk), MIKEY_FROM_TGK_SALT, CS_ID_MCPTT_GROUP, guk_id, rand, salt, DIRECT_SALT_LEN);
}

/* A session under the group's current GMK. Nobody has to offer it, so that late entry is free. */
enum sw prose_cmd_open_direct(struct command *c)
{
	struct bytes time, uri;
	struct prose_session *s;
	KEY_SET keys = { 0 };
	GROUP g = { 0 };
	GMK gmk = { 0 };
	uint64_t now;
	enum status st;
	enum sw sw;

	if (tlv_find(c->data, TAG_TIME, &time) != OK || time.n != 8 || tlv_find(c->data, TAG_GROUP_URI, &uri) != OK)
		return SW_WRONG_DATA;
	if ((st = prose_time_accept(c->applet, bytes_uint(time), &now)) != OK)
		return sw_of(st);
	if ((st = prose_load_group(c->applet, uri, &g)) != OK)
		return sw_verdict(st, SW_PROSE_NO_KEY);
	if ((g.policy & GROUP_POLICY_DIRECT) == 0)
		return SW_PROSE_POLICY;
	if ((st = prose_load_talker(c->applet, &g, now, &keys)) != OK)
		return sw_verdict(st, SW_PROSE_NOT_PROVISIONED);
	if ((sw = prose_gmk_current(c->applet, g.digest, now, &gmk)) != SW_OK)
		return sw;
	if (gmk.rand_len == 0)
		return SW_PROSE_NO_KEY;
	if ((s = prose_session_new(c, &g)) == NULL)
		return SW_TECHNICAL_PROBLEM;
	s->direct = true;
	s->gsk = gmk.key;
	s->gmk_id = gmk.id;
	s->rank = s->judged = gmk.rank;
	s->not_after = gmk.not_after;
	s->prf = gmk.prf;
	s->rand_len = gmk.rand_len;
	memcpy(s->rand, gmk.rand, sizeof s->rand);
	if ((st = mikey_guk_id(secret_bytes(&gmk.key), keys.user_uri, gmk.id, &s->guk_id)) != OK)
		return sw_of(st);
	tlv_put(c->rsp, TAG_SESSION_ID, BYTES_OF(s->id));
	tlv_put_uint(c->rsp, TAG_GMK_ID, 4, gmk.id);
	tlv_put_uint(c->rsp, TAG_GUK_ID, 4, s->guk_id);
	tlv_put_uint(c->rsp, TAG_NOT_AFTER, 8, gmk.not_after);
	tlv_put_uint(c->rsp, TAG_POLICY, 1, g.policy);
	return SW_OK;
}

static enum sw session_of(struct command *c, struct prose_session **s)
{
	struct bytes id;

	if (tlv_find(c->data, TAG_SESSION_ID, &id) != OK)
		return SW_WRONG_DATA;
	*s = prose_session_find(prose_state(c->applet), id);
	if (*s == NULL)
		return SW_REFERENCE_NOT_FOUND;
	return prose_session_check(c->applet, *s);
}

/* Whether somebody else is known to send with this SSRC; malformed lists are. */
static bool taken(struct command *c, const struct prose_session *s, uint32_t ssrc)
{
	struct bytes in = c->data;
	unsigned n = 0;
	struct tlv t;

	if (!s->started && !s->direct && ssrc == s->ssrc)
		return true; /* the starter's */
	while (in.n > 0) {
		if (tlv_next(&in, &t) != OK || (t.tag == TAG_SSRC && (t.value.n != 4 || ++n > PROSE_SSRCS_MAX)))
			return true;
		if (t.tag == TAG_SSRC && bytes_uint(t.value) == ssrc)
			return true;
	}
	return false;
}

static bool well_formed(struct bytes in)
{
	unsigned n = 0;
	struct tlv t;

	while (in.n > 0)
		if (tlv_next(&in, &t) != OK ||
		        (t.tag == TAG_SSRC ? t.value.n != 4 || ++n > PROSE_SSRCS_MAX : t.tag != TAG_SESSION_ID))
			return false;
	return true;
}

/* This card's SSRC in the session: of whoever has started it the one that was offered, else a new one, unless somebody else is
 * heard with it. A new one for each power-on and each collision. */
enum sw prose_cmd_talk(struct command *c)
{
	struct prose_session *s;
	enum status st;
	enum sw sw = session_of(c, &s);

	if (sw != SW_OK)
		return sw;
	if (!well_formed(c->data))
		return SW_WRONG_DATA;
	if (!s->started && !s->direct && (s->policy & GROUP_POLICY_SHARED) == 0)
		return SW_PROSE_POLICY; /* under his own GSK */
	if (!s->talks && s->started)
		s->talks = true;
	for (int i = 0; !s->talks || s->collided || taken(c, s, s->talks_as); i++) {
		if (i > PROSE_SSRCS_MAX + 1)
			return SW_TECHNICAL_PROBLEM;
		if ((st = prose_ssrc_new(c, &s->talks_as)) != OK)
			return sw_of(st);
		s->talks = true;
		s->collided = false;
		s->sequence = 0;
		s->out = NULL;
	}
	tlv_put_uint(c->rsp, TAG_SSRC, 4, s->talks_as);
	return SW_OK;
}

static struct bytes mki(const struct prose_session *s, uint32_t guk_id, uint8_t raw[static DIRECT_MKI_LEN])
{
	struct buf b = { raw, 0, DIRECT_MKI_LEN, false };

	if (!s->direct)
		return (struct bytes){ NULL, 0 };
	buf_put_uint(&b, 4, s->gmk_id);
	buf_put_uint(&b, 4, guk_id);
	return buf_bytes(&b);
}

static struct srtp_stream *stream_new(const struct prose_session *s, uint32_t guk_id, uint32_t ssrc)
{
	uint8_t raw[DIRECT_MKI_LEN];
	SECRET key = s->gsk;
	SECRET salt = s->salt;

	if (s->direct && prose_talker_key(s, guk_id, &key, &salt) != OK)
		return NULL;
	return srtp_stream_new(&(struct srtp_options){ .profile = s->direct ? SRTP_AES_GCM : SRTP_AES_CM_SHA1_80,
	        .key = secret_bytes(&key),
	        .salt = secret_bytes(&salt),
	        .mki = mki(s, guk_id, raw),
	        .ssrc = ssrc,
	        .outbound = ssrc != 0 });
}

/* Where the card ciphers: for in-card groups, and for gmk-direct ones whose keys may not leave. */
static bool ciphers(const struct prose_session *s)
{
	return (s->policy & GROUP_POLICY_IN_CARD) != 0 || (s->direct && (s->policy & GROUP_POLICY_EXPORT) == 0);
}

_Static_assert((int)PROSE_SRTP_PACKET_MAX == (int)PROSE_PACKET_MAX + (int)SRTP_OVERHEAD, "what PROTECT makes UNPROTECT takes");

static enum sw packet_of(struct command *c, struct prose_session **s, uint8_t *packet, size_t most, size_t *n)
{
	struct bytes in;
	enum sw sw = session_of(c, s);

	if (sw != SW_OK)
		return sw;
	if (tlv_find(c->data, TAG_PACKET, &in) != OK || in.n < RTP_HEADER || in.n > most || in.p[0] >> 6 != 2)
		return SW_WRONG_DATA;
	if (!ciphers(*s))
		return SW_PROSE_POLICY;
	memcpy(packet, in.p, in.n);
	*n = in.n;
	return SW_OK;
}

/* Sequence number and SSRC are the card's. At the end of the sequence numbers the SSRC changes, so that whoever comes late
 * never has to know how often they have turned over. */
enum sw prose_cmd_protect(struct command *c)
{
	uint8_t packet[PROSE_SRTP_PACKET_MAX];
	struct buf header = { packet, 2, RTP_HEADER, false };
	uint32_t stamp;
	struct prose_session *s;
	size_t n;
	enum status st;
	enum sw sw = packet_of(c, &s, packet, PROSE_PACKET_MAX, &n);

	if (sw != SW_OK)
		return sw;
	if (!s->talks)
		return SW_CONDITIONS_NOT_SATISFIED;
	if (s->collided)
		return SW_PROSE_COLLISION;
	if (s->sequence == SEQUENCE_END) {
		if ((st = prose_ssrc_new(c, &s->talks_as)) != OK)
			return sw_of(st);
		s->sequence = 0;
		s->out = NULL;
	}
	if (s->out == NULL && (s->out = stream_new(s, s->guk_id, s->talks_as)) == NULL)
		return SW_TECHNICAL_PROBLEM;
	stamp = (uint32_t)bytes_uint((struct bytes){ packet + 4, 4 });
	buf_put_uint(&header, 2, s->sequence++);
	buf_put_uint(&header, 4, stamp);
	buf_put_uint(&header, 4, s->talks_as);
	if (srtp_stream_protect(s->out, packet, &n) != OK)
		return SW_TECHNICAL_PROBLEM;
	s->opened = ++prose_state(c->applet)->opened;
	tlv_put(c->rsp, TAG_PACKET, (struct bytes){ packet, n });
	return SW_OK;
}

static struct talker *known_talker(struct prose_session *s, uint32_t guk_id)
{
	for (size_t i = 0; i < TALKERS_MAX; i++)
		if (s->in[i].stream != NULL && s->in[i].guk_id == guk_id)
			return &s->in[i];
	return NULL;
}

/* A talker who has proved to be one; the one not heard for longest makes room. */
static struct talker *new_talker(struct prose_session *s, uint32_t guk_id, struct srtp_stream *stream)
{
	struct talker *t = &s->in[0];

	for (size_t i = 1; i < TALKERS_MAX; i++)
		if (s->in[i].used < t->used)
			t = &s->in[i];
	srtp_stream_free(&t->stream);
	*t = (struct talker){ guk_id, 0, stream };
	return t;
}

/* In place. What does not open, from whomever it says it is, takes nothing from those who talk. */
static enum sw open_packet(struct command *c, struct prose_session *s, uint32_t guk_id, uint8_t *packet, size_t *n)
{
	struct talker *t = known_talker(s, guk_id);
	struct srtp_stream *fresh = t == NULL ? stream_new(s, guk_id, 0) : NULL;

	if (t == NULL && fresh == NULL)
		return SW_TECHNICAL_PROBLEM;
	if (srtp_stream_unprotect(t != NULL ? t->stream : fresh, packet, n) != OK) {
		srtp_stream_free(&fresh);
		return SW_PROSE_SIGNATURE;
	}
	if (t == NULL)
		t = new_talker(s, guk_id, fresh);
	t->used = s->opened = ++prose_state(c->applet)->opened;
	return SW_OK;
}

enum sw prose_cmd_unprotect(struct command *c)
{
	uint8_t packet[PROSE_SRTP_PACKET_MAX];
	struct prose_session *s;
	uint32_t guk_id = 0;
	size_t n;
	enum sw sw = packet_of(c, &s, packet, sizeof packet, &n);

	if (sw != SW_OK)
		return sw;
	if (s->direct) {
		if (n < RTP_HEADER + DIRECT_MKI_LEN)
			return SW_WRONG_DATA;
		if (bytes_uint((struct bytes){ packet + n - DIRECT_MKI_LEN, 4 }) != s->gmk_id)
			return SW_PROSE_NO_KEY;
		guk_id = (uint32_t)bytes_uint((struct bytes){ packet + n - 4, 4 });
	}
	if ((sw = open_packet(c, s, guk_id, packet, &n)) != SW_OK)
		return sw;
	/* Under a GSK of several talkers two with one SSRC would use one key stream. */
	if (!s->direct && s->talks && bytes_uint((struct bytes){ packet + 8, 4 }) == s->talks_as)
		s->collided = true;
	tlv_put(c->rsp, TAG_PACKET, (struct bytes){ packet, n });
	return SW_OK;
}
