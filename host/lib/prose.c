/* SPDX-License-Identifier: Apache-2.0 */
/* The ProSe applet's commands as typed calls (docs/prose-applet.md). */
#include <stdio.h>
#include <string.h>

#include "apdu/prose.h"
#include "apdu/base/limits.h"
#include "apdu/base/secret.h"
#include "apdu/tlv.h"
#include "host/lib/session.h"
#include "ota/sms.h"

/* A text field of an answer, zero-terminated. */
static bool take_text(struct bytes in, uint32_t tag, char *out, size_t room)
{
	struct bytes v;

	if (tlv_find(in, tag, &v) != OK || v.n >= room)
		return false;
	memcpy(out, v.p, v.n);
	out[v.n] = 0;
	return true;
}

static bool take_number(struct bytes in, uint32_t tag, uint64_t *out)
{
	struct bytes v;

	if (tlv_find(in, tag, &v) != OK || v.n > 8)
		return false;
	*out = bytes_uint(v);
	return true;
}

enum prose_result prose_install(struct prose_card *c, const uint8_t *object, size_t n)
{
	return session_command(c, INS_PROSE_INSTALL, 0, (struct bytes){ object, n }, 0);
}

static enum prose_result send_message(struct prose_card *c, uint8_t ins, uint64_t now, struct bytes message)
{
	uint8_t raw[PROSE_REQUEST_MAX];
	struct buf b = BUF_OF(raw);

	tlv_put_uint(&b, TAG_TIME, 8, now);
	tlv_put(&b, TAG_MESSAGE, message);
	return b.failed ? PROSE_NO_SPACE : session_command(c, ins, 0, buf_bytes(&b), 256);
}

static enum prose_result take_gmk(struct prose_card *c, struct prose_gmk *out)
{
	uint64_t id;

	*out = (struct prose_gmk){ 0 };
	if (!take_text(c->answer, TAG_GROUP_URI, out->group_uri, sizeof out->group_uri) ||
	        !take_number(c->answer, TAG_GMK_ID, &id) || !take_number(c->answer, TAG_NOT_BEFORE, &out->not_before) ||
	        !take_number(c->answer, TAG_NOT_AFTER, &out->not_after))
		return PROSE_FORMAT;
	out->gmk_id = (uint32_t)id;
	return PROSE_OK;
}

enum prose_result prose_import_gmk(struct prose_card *c, uint64_t now, const uint8_t *message, size_t n, struct prose_gmk *out)
{
	enum prose_result r = send_message(c, INS_PROSE_IMPORT_GMK, now, (struct bytes){ message, n });

	return r == PROSE_OK ? take_gmk(c, out) : r;
}

enum prose_result prose_adhoc_create(
        struct prose_card *c, uint64_t now, const char *group, uint64_t not_after, struct prose_gmk *out)
{
	return prose_adhoc_create_without(c, now, group, not_after, NULL, 0, out);
}

enum prose_result prose_adhoc_create_without(struct prose_card *c, uint64_t now, const char *group, uint64_t not_after,
        const char *const *users, size_t user_count, struct prose_gmk *out)
{
	uint8_t raw[PROSE_REQUEST_MAX];
	struct buf b = BUF_OF(raw);
	enum prose_result r;

	tlv_put_uint(&b, TAG_TIME, 8, now);
	tlv_put(&b, TAG_GROUP_URI, bytes_str(group));
	tlv_put_uint(&b, TAG_NOT_AFTER, 8, not_after);
	for (size_t i = 0; i < user_count; i++)
		tlv_put(&b, TAG_USER_URI, bytes_str(users[i]));
	r = b.failed ? PROSE_NO_SPACE : session_command(c, INS_PROSE_ADHOC, ADHOC_CREATE, buf_bytes(&b), 256);
	return r == PROSE_OK ? take_gmk(c, out) : r;
}

enum prose_result prose_adhoc_invite(
        struct prose_card *c, uint64_t now, const char *group, const char *member, uint8_t *message, size_t *n)
{
	uint8_t raw[400];
	struct buf b = BUF_OF(raw);
	struct bytes found;
	size_t room = *n;
	enum prose_result r;

	*n = 0;
	tlv_put_uint(&b, TAG_TIME, 8, now);
	tlv_put(&b, TAG_GROUP_URI, bytes_str(group));
	tlv_put(&b, TAG_USER_URI, bytes_str(member));
	r = b.failed ? PROSE_NO_SPACE : session_command(c, INS_PROSE_ADHOC, ADHOC_INVITE, buf_bytes(&b), 256);
	if (r != PROSE_OK)
		return r;
	if (tlv_find(c->answer, TAG_MESSAGE, &found) != OK)
		return PROSE_FORMAT;
	if (found.n > room)
		return PROSE_NO_SPACE;
	memcpy(message, found.p, found.n);
	*n = found.n;
	return PROSE_OK;
}

enum prose_result prose_adhoc_accept(struct prose_card *c, const char *group, const char *signer)
{
	uint8_t raw[400];
	struct buf b = BUF_OF(raw);

	tlv_put(&b, TAG_GROUP_URI, bytes_str(group));
	tlv_put(&b, TAG_SENDER_URI, bytes_str(signer));
	return b.failed ? PROSE_NO_SPACE : session_command(c, INS_PROSE_ADHOC, ADHOC_ACCEPT, buf_bytes(&b), 0);
}

enum prose_result prose_vouch(struct prose_card *c, unsigned type, const char *group, const char *user, const char *btid,
        const char *const *users, size_t user_count, uint64_t expires, const uint8_t *invitation, size_t invitation_len,
        uint8_t *message, size_t *n)
{
	uint8_t raw[PROSE_REQUEST_MAX];
	struct buf b = BUF_OF(raw);
	size_t room = *n;
	enum prose_result r;

	*n = 0;
	tlv_put(&b, TAG_GROUP_URI, bytes_str(group));
	tlv_put(&b, TAG_SENDER_URI, bytes_str(user));
	tlv_put(&b, TAG_NAME, bytes_str(btid));
	tlv_put_uint(&b, TAG_NOT_AFTER, 8, expires);
	for (size_t i = 0; i < user_count; i++)
		tlv_put(&b, TAG_USER_URI, bytes_str(users[i]));
	if (invitation != NULL)
		tlv_put(&b, TAG_MESSAGE, (struct bytes){ invitation, invitation_len });
	r = b.failed ? PROSE_NO_SPACE : session_command(c, INS_PROSE_VOUCH, (uint8_t)type, buf_bytes(&b), 256);
	if (r != PROSE_OK)
		return r;
	if (c->answer.n > room)
		return PROSE_NO_SPACE;
	memcpy(message, c->answer.p, c->answer.n);
	*n = c->answer.n;
	return PROSE_OK;
}

static enum prose_result take_octets(struct prose_card *c, uint32_t tag, uint8_t *out, size_t n)
{
	struct bytes v;

	if (tlv_find(c->answer, tag, &v) != OK || v.n != n)
		return PROSE_FORMAT;
	memcpy(out, v.p, n);
	return PROSE_OK;
}

enum prose_result prose_certificate_key(struct prose_card *c, uint8_t public_key[65])
{
	/* An empty data object: the command has data with P1 = 02 only. */
	uint8_t raw[4];
	struct buf b = BUF_OF(raw);
	enum prose_result r;

	tlv_put(&b, TAG_HASH, (struct bytes){ raw, 0 });
	r = session_command(c, INS_PROSE_CERTIFICATE, CERTIFICATE_KEY, buf_bytes(&b), 256);
	return r == PROSE_OK ? take_octets(c, TAG_PUBLIC_KEY, public_key, 65) : r;
}

enum prose_result prose_certificate_sign(struct prose_card *c, const uint8_t hash[32], uint8_t signature[64])
{
	uint8_t raw[40];
	struct buf b = BUF_OF(raw);
	enum prose_result r;

	tlv_put(&b, TAG_HASH, (struct bytes){ hash, 32 });
	r = session_command(c, INS_PROSE_CERTIFICATE, CERTIFICATE_SIGN, buf_bytes(&b), 256);
	return r == PROSE_OK ? take_octets(c, TAG_SIGNATURE, signature, 64) : r;
}

enum prose_result prose_check_signature(
        struct prose_card *c, uint8_t trk_id, const uint8_t *message, size_t n, const uint8_t mac[32])
{
	uint8_t raw[PROSE_REQUEST_MAX];
	struct buf b = BUF_OF(raw);

	tlv_put_uint(&b, TAG_TRK_ID, 1, trk_id);
	tlv_put(&b, TAG_MESSAGE, (struct bytes){ message, n });
	tlv_put(&b, TAG_SIGNATURE, (struct bytes){ mac, 32 });
	return b.failed ? PROSE_NO_SPACE : session_command(c, INS_PROSE_CHECK, 0, buf_bytes(&b), 0);
}

enum prose_result prose_state_read(struct prose_card *c, struct prose_state *out)
{
	enum prose_result r = session_command(c, INS_PROSE_STATUS, 0, (struct bytes){ 0 }, 256);
	uint64_t budget, version, judges;

	if (r != PROSE_OK)
		return r;
	*out = (struct prose_state){ 0 };
	if (!take_number(c->answer, TAG_FLOOR, &out->floor) || !take_number(c->answer, TAG_LATEST, &out->latest) ||
	        !take_number(c->answer, TAG_BUDGET, &budget))
		return PROSE_FORMAT;
	out->slot_budget = (uint32_t)budget;
	(void)take_text(c->answer, TAG_KMS_URI, out->kms_uri, sizeof out->kms_uri);
	if (take_number(c->answer, TAG_INTERFACE, &version)) {
		out->interface_major = (unsigned)(version >> 8 & 0xFF);
		out->interface_minor = (unsigned)(version & 0xFF);
	}
	out->judges = take_number(c->answer, TAG_JUDGED, &judges) && judges != 0;
	return PROSE_OK;
}

enum prose_result prose_interface_at_least(struct prose_card *c, unsigned major, unsigned minor)
{
	struct prose_state s;
	enum prose_result r = prose_state_read(c, &s);

	if (r != PROSE_OK || (s.interface_major == major && s.interface_minor >= minor))
		return r;
	(void)snprintf(c->error, sizeof c->error,
	        "the card has version %u.%u of the ProSe applet's interface and this needs %u.%u: use %s", s.interface_major,
	        s.interface_minor, major, minor, s.interface_major > major ? "a newer phone" : "a newer card");
	return PROSE_INTERFACE;
}

static void fill_entry(struct bytes in, struct prose_entry *e)
{
	struct bytes radio;
	uint64_t v;

	*e = (struct prose_entry){ 0 };
	if (!take_text(in, TAG_GROUP_URI, e->uri, sizeof e->uri))
		(void)take_text(in, TAG_USER_URI, e->uri, sizeof e->uri);
	(void)take_text(in, TAG_SENDER_URI, e->signer_uri, sizeof e->signer_uri);
	(void)take_text(in, TAG_NAME, e->name, sizeof e->name);
	(void)take_number(in, TAG_PERIOD_NUMBER, &e->period_number);
	(void)take_number(in, TAG_NOT_BEFORE, &e->not_before);
	(void)take_number(in, TAG_NOT_AFTER, &e->not_after);
	e->gmk_id = take_number(in, TAG_GMK_ID, &v) ? (uint32_t)v : 0;
	e->policy = take_number(in, TAG_POLICY, &v) ? (unsigned)v : 0;
	e->profile = take_number(in, TAG_PROFILE, &v) ? (unsigned)v : 0;
	e->rights = take_number(in, TAG_RIGHTS, &v) ? (unsigned)v : 0;
	e->slot_seconds = take_number(in, TAG_SLOT_SECONDS, &v) ? (unsigned)v : 0;
	(void)take_text(in, TAG_PLMN, e->plmn, sizeof e->plmn);
	e->place = take_number(in, TAG_PLACE, &v) ? (enum prose_claim_place)v : 0;
	(void)take_number(in, TAG_COUNT, &e->number);
	(void)take_number(in, TAG_TIME, &e->time);
	if (tlv_find(in, TAG_RADIO, &radio) == OK && radio.n <= sizeof e->radio) {
		memcpy(e->radio, radio.p, radio.n);
		e->radio_len = radio.n;
	}
}

enum prose_result prose_list(
        struct prose_card *c, enum prose_list_kind kind, void (*each)(void *, const struct prose_entry *), void *context)
{
	enum prose_result r = session_command(c, INS_PROSE_LIST, (uint8_t)kind, (struct bytes){ 0 }, APDU_NE_MAX);
	struct bytes in = c->answer;
	struct prose_entry e;
	struct tlv t;

	if (r != PROSE_OK)
		return r;
	while (in.n > 0) {
		if (tlv_next(&in, &t) != OK)
			return PROSE_FORMAT;
		fill_entry(t.value, &e);
		if (each != NULL)
			each(context, &e);
	}
	return PROSE_OK;
}

enum prose_result prose_call_start_at(struct prose_card *c, uint64_t now, const char *group_uri, uint32_t ssrc,
        const uint8_t refresh[8], const uint8_t media_at[6], struct prose_session *out, uint8_t *message, size_t *n)
{
	uint8_t raw[PROSE_REQUEST_MAX];
	struct buf b = BUF_OF(raw);
	struct bytes id, offer;
	uint64_t own;
	enum prose_result r;

	tlv_put_uint(&b, TAG_TIME, 8, now);
	tlv_put(&b, TAG_GROUP_URI, bytes_str(group_uri));
	tlv_put_uint(&b, TAG_SSRC, 4, ssrc);
	if (refresh != NULL)
		tlv_put(&b, TAG_SESSION_ID, (struct bytes){ refresh, PROSE_SESSION_ID_LEN });
	if (media_at != NULL)
		tlv_put(&b, TAG_MEDIA_AT, (struct bytes){ media_at, sizeof out->media_at });
	if (b.failed)
		return PROSE_NO_SPACE;
	if ((r = session_command(c, INS_PROSE_START_SESSION, 0, buf_bytes(&b), PROSE_REQUEST_MAX)) != PROSE_OK)
		return r;
	*out = (struct prose_session){ .ssrc = ssrc };
	if (tlv_find(c->answer, TAG_SESSION_ID, &id) != OK || id.n != sizeof out->id ||
	        tlv_find(c->answer, TAG_MESSAGE, &offer) != OK)
		return PROSE_FORMAT;
	if (offer.n > *n)
		return PROSE_NO_SPACE;
	if (take_number(c->answer, TAG_SSRC, &own))
		out->ssrc = (uint32_t)own; /* the card's, where it has its own mind */
	memcpy(out->id, id.p, sizeof out->id);
	memcpy(message, offer.p, offer.n);
	*n = offer.n;
	return PROSE_OK;
}

enum prose_result prose_call_start(struct prose_card *c, uint64_t now, const char *group_uri, uint32_t ssrc,
        const uint8_t refresh[8], struct prose_session *out, uint8_t *message, size_t *n)
{
	return prose_call_start_at(c, now, group_uri, ssrc, refresh, NULL, out, message, n);
}

enum prose_result prose_call_join(
        struct prose_card *c, uint64_t now, const uint8_t *message, size_t n, struct prose_session *out)
{
	enum prose_result r = send_message(c, INS_PROSE_JOIN_SESSION, now, (struct bytes){ message, n });
	struct bytes id;
	uint64_t v;

	if (r != PROSE_OK)
		return r;
	*out = (struct prose_session){ 0 };
	if (tlv_find(c->answer, TAG_SESSION_ID, &id) != OK || id.n != sizeof out->id || !take_number(c->answer, TAG_SSRC, &v))
		return PROSE_FORMAT;
	memcpy(out->id, id.p, sizeof out->id);
	out->ssrc = (uint32_t)v;
	out->known = take_number(c->answer, TAG_KNOWN, &v) && v != 0;
	out->old_key = take_number(c->answer, TAG_OLD_KEY, &v) && v != 0;
	(void)take_text(c->answer, TAG_SENDER_URI, out->sender_uri, sizeof out->sender_uri);
	(void)take_text(c->answer, TAG_GROUP_URI, out->group_uri, sizeof out->group_uri);
	out->media_known = take_octets(c, TAG_MEDIA_AT, out->media_at, sizeof out->media_at) == PROSE_OK;
	return PROSE_OK;
}

enum prose_result prose_call_key(
        struct prose_card *c, const uint8_t session[8], uint8_t gsk[16], uint8_t salt[14], uint64_t *released)
{
	uint8_t raw[32];
	struct buf b = BUF_OF(raw);
	struct bytes k, s;
	enum prose_result r;

	tlv_put(&b, TAG_SESSION_ID, (struct bytes){ session, PROSE_SESSION_ID_LEN });
	if ((r = session_command(c, INS_PROSE_RELEASE_KEY, 0, buf_bytes(&b), 256)) != PROSE_OK)
		return r;
	if (tlv_find(c->answer, TAG_GSK, &k) != OK || k.n != GSK_LEN || tlv_find(c->answer, TAG_SALT, &s) != OK ||
	        s.n != GSK_SALT_LEN || !take_number(c->answer, TAG_COUNT, released))
		return PROSE_FORMAT;
	memcpy(gsk, k.p, k.n);
	memcpy(salt, s.p, s.n);
	secret_clean(c->response, 256);
	secret_clean(c->gathered, 256);
	return PROSE_OK;
}

enum prose_result prose_direct_open(struct prose_card *c, uint64_t now, const char *group_uri, struct prose_session *out)
{
	uint8_t raw[256];
	struct buf b = BUF_OF(raw);
	struct bytes id;
	uint64_t gmk_id, guk_id, policy;
	enum prose_result r;

	tlv_put_uint(&b, TAG_TIME, 8, now);
	tlv_put(&b, TAG_GROUP_URI, bytes_str(group_uri));
	if (b.failed)
		return PROSE_NO_SPACE;
	if ((r = session_command(c, INS_PROSE_OPEN_DIRECT, 0, buf_bytes(&b), 256)) != PROSE_OK)
		return r;
	*out = (struct prose_session){ 0 };
	if (tlv_find(c->answer, TAG_SESSION_ID, &id) != OK || id.n != sizeof out->id ||
	        !take_number(c->answer, TAG_GMK_ID, &gmk_id) || !take_number(c->answer, TAG_GUK_ID, &guk_id) ||
	        !take_number(c->answer, TAG_NOT_AFTER, &out->not_after) || !take_number(c->answer, TAG_POLICY, &policy))
		return PROSE_FORMAT;
	memcpy(out->id, id.p, sizeof out->id);
	out->gmk_id = (uint32_t)gmk_id;
	out->guk_id = (uint32_t)guk_id;
	out->policy = (unsigned)policy;
	return PROSE_OK;
}

enum prose_result prose_direct_key(
        struct prose_card *c, const uint8_t session[8], uint32_t guk_id, uint8_t key[16], uint8_t salt[12], uint64_t *released)
{
	uint8_t raw[32];
	struct buf b = BUF_OF(raw);
	struct bytes k, s;
	enum prose_result r;

	tlv_put(&b, TAG_SESSION_ID, (struct bytes){ session, PROSE_SESSION_ID_LEN });
	if (guk_id != 0)
		tlv_put_uint(&b, TAG_GUK_ID, 4, guk_id);
	if ((r = session_command(c, INS_PROSE_RELEASE_KEY, 0, buf_bytes(&b), 256)) != PROSE_OK)
		return r;
	if (tlv_find(c->answer, TAG_GSK, &k) != OK || k.n != GSK_LEN || tlv_find(c->answer, TAG_SALT, &s) != OK ||
	        s.n != DIRECT_SALT_LEN || !take_number(c->answer, TAG_COUNT, released))
		return PROSE_FORMAT;
	memcpy(key, k.p, k.n);
	memcpy(salt, s.p, s.n);
	secret_clean(c->response, 256);
	secret_clean(c->gathered, 256);
	return PROSE_OK;
}

enum prose_result prose_call_talk(
        struct prose_card *c, const uint8_t session[8], const uint32_t *heard, size_t count, uint32_t *ssrc)
{
	uint8_t raw[512];
	struct buf b = BUF_OF(raw);
	uint64_t own;
	enum prose_result r;

	tlv_put(&b, TAG_SESSION_ID, (struct bytes){ session, PROSE_SESSION_ID_LEN });
	for (size_t i = 0; i < count; i++)
		tlv_put_uint(&b, TAG_SSRC, 4, heard[i]);
	if (b.failed)
		return PROSE_NO_SPACE;
	if ((r = session_command(c, INS_PROSE_TALK, 0, buf_bytes(&b), 256)) != PROSE_OK)
		return r;
	if (!take_number(c->answer, TAG_SSRC, &own))
		return PROSE_FORMAT;
	*ssrc = (uint32_t)own;
	return PROSE_OK;
}

static enum prose_result cipher(
        struct prose_card *c, uint8_t ins, const uint8_t session[8], uint8_t *packet, size_t *n, size_t room)
{
	uint8_t raw[PROSE_PACKET_REQUEST_MAX];
	struct buf b = BUF_OF(raw);
	struct bytes out;
	enum prose_result r;

	tlv_put(&b, TAG_SESSION_ID, (struct bytes){ session, PROSE_SESSION_ID_LEN });
	tlv_put(&b, TAG_PACKET, (struct bytes){ packet, *n });
	if (b.failed)
		return PROSE_NO_SPACE;
	if ((r = session_command(c, ins, 0, buf_bytes(&b), 2048)) != PROSE_OK)
		return r;
	if (tlv_find(c->answer, TAG_PACKET, &out) != OK)
		return PROSE_FORMAT;
	if (out.n > room)
		return PROSE_NO_SPACE;
	memcpy(packet, out.p, out.n);
	*n = out.n;
	return PROSE_OK;
}

enum prose_result prose_call_protect(struct prose_card *c, const uint8_t session[8], uint8_t *packet, size_t *n, size_t room)
{
	return cipher(c, INS_PROSE_PROTECT, session, packet, n, room);
}

enum prose_result prose_call_unprotect(struct prose_card *c, const uint8_t session[8], uint8_t *packet, size_t *n, size_t room)
{
	return cipher(c, INS_PROSE_UNPROTECT, session, packet, n, room);
}

enum prose_result prose_announce(struct prose_card *c, uint64_t now, const char *name, uint8_t frame[29])
{
	uint8_t raw[128];
	struct buf b = BUF_OF(raw);
	struct bytes f;
	enum prose_result r;

	tlv_put_uint(&b, TAG_TIME, 8, now);
	tlv_put(&b, TAG_NAME, bytes_str(name));
	if (b.failed)
		return PROSE_FORMAT;
	if ((r = session_permitted(c, PROSE_MAY_ANNOUNCE, INS_PROSE_ANNOUNCE, 0, &b, 256)) != PROSE_OK)
		return r;
	if (tlv_find(c->answer, TAG_FRAME, &f) != OK || f.n != PROSE_FRAME_LEN)
		return PROSE_FORMAT;
	memcpy(frame, f.p, f.n);
	return PROSE_OK;
}

enum prose_result prose_ota_deliver(struct prose_card *c, const uint8_t *tpdu, size_t tpdu_len, uint8_t *por, size_t *n)
{
	uint8_t raw[512];
	struct buf b = BUF_OF(raw);
	enum prose_result r = PROSE_OK;

	sms_envelope_put(&b, (struct bytes){ tpdu, tpdu_len });
	if (b.failed)
		return PROSE_NO_SPACE;
	for (unsigned round = 0; session_round(c, PLACE_PROSE, &round, &r);) {
		unsigned own = c->channel; /* toolkit commands are for the basic channel */

		c->channel = 0;
		r = session_exchange(c, &(struct request){ 0x80, INS_ENVELOPE, 0, 0, buf_bytes(&b), 256 });
		c->channel = own;
	}
	if (r != PROSE_OK)
		return r;
	if (c->answer.n > *n)
		return PROSE_NO_SPACE;
	if (c->answer.n > 0)
		memcpy(por, c->answer.p, c->answer.n);
	*n = c->answer.n;
	return PROSE_OK;
}
