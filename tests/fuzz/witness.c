/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/witness.h"

#include <string.h>

#include "apdu/aids.h"
#include "apdu/birth.h"
#include "apdu/prose.h"
#include "apdu/sealed.h"
#include "apdu/tlv.h"
#include "crypto/guarded/seal.h"

#define GROUP "sip:witness@example.org"
enum { NOW = 1800000000, INITIALIZE_UPDATE = 0x50, EXTERNAL_AUTHENTICATE = 0x82, GET_STATUS = 0xF2 };

static uint8_t answer_memory[APDU_RESPONSE_MAX];

/* The status word; *data: the rest of the answer. */
static unsigned transmit(struct witness *w, struct bytes command, struct bytes *data)
{
	struct buf answer = BUF_OF(answer_memory);

	w->send(command, &answer);
	*data = (struct bytes){ answer.p, answer.len - 2 };
	return (unsigned)bytes_uint((struct bytes){ answer.p + answer.len - 2, 2 });
}

static unsigned run(struct witness *w, unsigned channel, struct command_apdu a, struct bytes *data)
{
	uint8_t raw[APDU_COMMAND_MAX];
	struct buf b = BUF_OF(raw);

	a.cla = apdu_cla(a.cla, channel);
	apdu_put(&b, &a);
	return transmit(w, buf_bytes(&b), data);
}

static unsigned prose(struct witness *w, uint8_t ins, struct bytes in, struct bytes *out)
{
	return run(w, WITNESS_CALL,
	        (struct command_apdu){ .cla = 0x80, .ins = ins, .data = in, .has_le = true, .ne = 65536, .extended = true },
	        out);
}

static bool take_place(struct witness *w, unsigned channel, struct command_apdu select)
{
	struct bytes data;

	select.ins = INS_SELECT;
	select.p2 = 0x0C;
	return run(w, 0, (struct command_apdu){ .ins = INS_MANAGE_CHANNEL, .p2 = (uint8_t)channel }, &data) == SW_OK &&
	       run(w, channel, select, &data) == SW_OK;
}

/* ---- birth ---------------------------------------------------------------------------------------------------------- */

static bool give(struct witness *w, enum sealed_kind kind, struct bytes payload)
{
	struct sealed_header h = { .domain = BYTES_STR(AID_PROSE),
		.card_id = w->card_id,
		.kind = kind,
		.name = BYTES_STR(GROUP),
		.sequence = 1,
		.not_after = UINT64_MAX };
	uint8_t raw[SEALED_OBJECT_MAX];
	struct buf b = BUF_OF(raw);
	struct bytes id, trk, ink, data;

	if (tlv_find(w->secrets, BIRTH_TRK_ID, &id) != OK || tlv_find(w->secrets, BIRTH_TRK, &trk) != OK ||
	        tlv_find(w->secrets, BIRTH_INK, &ink) != OK)
		return false;
	h.trk_id = id.p[0];
	return seal(&rng_system, trk, ink, &h, payload, &b) == OK &&
	       run(w, 0,
	               (struct command_apdu){ .cla = 0x80, .ins = INS_PROSE_INSTALL, .data = buf_bytes(&b), .extended = true },
	               &data) == SW_OK;
}

bool witness_prepare(struct witness *w)
{
	static const uint8_t key[GMK_LEN] = { 1, 2, 3 };
	uint8_t group_raw[256], key_raw[256];
	struct buf group = BUF_OF(group_raw), gmk = BUF_OF(key_raw);
	struct bytes data;

	tlv_put(&group, GROUP_URI, BYTES_STR(GROUP));
	tlv_put(&group, GROUP_SIGNER_URI, BYTES_STR("sip:gms@example.org"));
	tlv_put_uint(&group, GROUP_POLICY, 1, GROUP_POLICY_IN_CARD);
	tlv_put(&group, GROUP_MEMBER_URI, BYTES_STR("sip:witness.user@example.org"));
	tlv_put(&gmk, GROUP_KEY_URI, BYTES_STR(GROUP));
	tlv_put_uint(&gmk, GROUP_KEY_ID, 4, 1);
	tlv_put(&gmk, GROUP_KEY_GMK, BYTES_OF(key));
	tlv_put_uint(&gmk, GROUP_KEY_NOT_BEFORE, 8, 0);
	tlv_put_uint(&gmk, GROUP_KEY_NOT_AFTER, 8, UINT64_MAX);
	tlv_put_uint(&gmk, GROUP_KEY_MADE, 8, NOW);
	return run(w, 0, (struct command_apdu){ .ins = INS_SELECT, .p1 = 4, .p2 = 0x0C, .data = BYTES_STR(AID_PROSE) },
	               &data) == SW_OK &&
	       give(w, SEALED_GROUP, buf_bytes(&group)) && give(w, SEALED_GROUP_KEY, buf_bytes(&gmk));
}

/* ---- the call ------------------------------------------------------------------------------------------------------- */

static bool start_call(struct witness *w)
{
	static const uint8_t pin[8] = { '1', '2', '3', '4', 0xFF, 0xFF, 0xFF, 0xFF };
	uint8_t raw[128];
	struct buf b = BUF_OF(raw);
	struct bytes data, id;

	if (!take_place(w, WITNESS_CALL, (struct command_apdu){ .p1 = 0x04, .data = BYTES_STR(AID_PROSE) }))
		return false;
	if (run(w, WITNESS_CALL, (struct command_apdu){ .ins = INS_VERIFY_PIN, .p2 = 0x01, .data = BYTES_OF(pin) }, &data) !=
	        SW_OK)
		return false; /* blocked, disabled, or another by now */
	tlv_put_uint(&b, TAG_TIME, 8, NOW);
	tlv_put(&b, TAG_GROUP_URI, BYTES_STR(GROUP));
	if (prose(w, INS_PROSE_START_SESSION, buf_bytes(&b), &data) != SW_OK || tlv_find(data, TAG_SESSION_ID, &id) != OK)
		return false;
	memcpy(w->call, id.p, sizeof w->call);
	b.len = 0;
	tlv_put(&b, TAG_SESSION_ID, BYTES_OF(w->call));
	return prose(w, INS_PROSE_TALK, buf_bytes(&b), &data) == SW_OK;
}

static bool look_at_status(struct witness *w, uint32_t *budget, uint64_t *latest)
{
	struct bytes data, v;

	if (prose(w, INS_PROSE_STATUS, (struct bytes){ 0 }, &data) != SW_OK || tlv_find(data, TAG_BUDGET, &v) != OK)
		return false;
	*budget = (uint32_t)bytes_uint(v);
	if (tlv_find(data, TAG_LATEST, &v) != OK)
		return false;
	*latest = bytes_uint(v);
	return true;
}

static const char *look_at_call(struct witness *w)
{
	static const uint8_t rtp[20] = { 0x80, 8 };
	uint8_t raw[64];
	struct buf b = BUF_OF(raw);
	struct bytes data, packet;
	uint32_t budget;
	uint64_t latest;

	tlv_put(&b, TAG_SESSION_ID, BYTES_OF(w->call));
	tlv_put(&b, TAG_PACKET, BYTES_OF(rtp));
	if (prose(w, INS_PROSE_PROTECT, buf_bytes(&b), &data) != SW_OK || tlv_find(data, TAG_PACKET, &packet) != OK)
		return "the second client lost its call";
	w->packets++;
	if (bytes_uint((struct bytes){ packet.p + 2, 2 }) != w->sequence++)
		return "a packet of the second client's has a number that is not the next";
	if (!look_at_status(w, &budget, &latest))
		return "the second client lost its applet";
	if (budget > w->budget)
		return "slots came back";
	if (latest < w->latest)
		return "the card's time went back";
	w->budget = budget;
	w->latest = latest;
	return NULL;
}

/* ---- the administrator ------------------------------------------------------------------------------------------------ */

static unsigned wrapped(struct witness *w, uint8_t ins, uint8_t p1, uint8_t p2, struct bytes in, struct bytes *data)
{
	uint8_t raw[128];
	struct buf b = BUF_OF(raw);

	if (scp03_wrap(&w->session,
	            &(struct command_apdu){ .cla = 0x80 | WITNESS_ADMIN, .ins = ins, .p1 = p1, .p2 = p2, .data = in },
	            &b) != OK)
		return 0;
	if (ins != EXTERNAL_AUTHENTICATE)
		buf_put_u8(&b, 0); /* Le */
	return transmit(w, buf_bytes(&b), data);
}

static bool start_administration(struct witness *w)
{
	static const uint8_t host[SCP03_S8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	uint8_t card[SCP03_S8], cryptogram[SCP03_S8];
	struct scp03_keys k;
	struct bytes data;

	if (!take_place(w, WITNESS_ADMIN, (struct command_apdu){ .p1 = 0x04, .data = BYTES_STR(AID_ISD) }) ||
	        tlv_find(w->secrets, BIRTH_ISD_ENC, &k.enc) != OK || tlv_find(w->secrets, BIRTH_ISD_MAC, &k.mac) != OK ||
	        run(w, WITNESS_ADMIN,
	                (struct command_apdu){
	                        .cla = 0x80, .ins = INITIALIZE_UPDATE, .data = BYTES_OF(host), .has_le = true, .ne = 256 },
	                &data) != SW_OK ||
	        data.n < 21)
		return false;
	memcpy(card, data.p + 13, sizeof card);
	return scp03_open(&w->session, &k, host, card, SCP03_S8) == OK &&
	       scp03_cryptogram(&w->session, false, host, card, cryptogram) == OK &&
	       wrapped(w, EXTERNAL_AUTHENTICATE, 0x01, 0, BYTES_OF(cryptogram), &data) == SW_OK;
}

/* ---- all of it ---------------------------------------------------------------------------------------------------------- */

void witness_open(struct witness *w)
{
	w->sequence = 0;
	(void)take_place(w, WITNESS_FILE, (struct command_apdu){ .data = BYTES_STR("\x2F\xE2") });
	w->calls = start_call(w) && look_at_status(w, &w->budget, &w->latest);
	w->administers = start_administration(w);
}

const char *witness_look(struct witness *w)
{
	struct bytes data;
	const char *law = w->calls ? look_at_call(w) : NULL;

	if (law != NULL)
		return law;
	if (w->administers && wrapped(w, GET_STATUS, 0x80, 0x02, BYTES_STR("\x4F\x00"), &data) != SW_OK)
		return "the administrator lost the session";
	w->commands += w->administers ? 1 : 0;
	if (run(w, WITNESS_FILE, (struct command_apdu){ .ins = INS_READ_BINARY, .has_le = true, .ne = CARD_ID_LEN }, &data) !=
	                SW_OK ||
	        !bytes_equal(data, w->card_id))
		return "the second client lost its file";
	return NULL;
}

static bool is_ours(unsigned channel)
{
	return channel == WITNESS_ADMIN || channel == WITNESS_CALL || channel == WITNESS_FILE;
}

bool witness_owns(const uint8_t *command, size_t n)
{
	unsigned channel = (command[0] & 0x40) != 0 ? 4U + (command[0] & 0x0F) : command[0] & 3U;

	return is_ours(channel) || (n > 3 && command[1] == INS_MANAGE_CHANNEL && is_ours(command[3]));
}
