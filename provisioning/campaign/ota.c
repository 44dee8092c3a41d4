/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "apdu/aids.h"
#include "apdu/birth.h"
#include "apdu/sw.h"
#include "apdu/tlv.h"
#include "crypto/common/rng.h"
#include "ota/gp_key.h"
#include "ota/packet.h"
#include "ota/script.h"
#include "ota/sms.h"
#include "provisioning/keeper/requests.h"
#include "provisioning/operator.h"

enum { OTA_KEY_LEN = 16 };

enum status ota_card_keys(struct db *db, const char *iccid, struct secret_large *secrets, struct ota_keys *k)
{
	struct db_card c;
	struct bytes kvn;

	*k = (struct ota_keys){ 0 };
	TRY(db_card_get(db, iccid, &c, secrets));
	TRY(tlv_find(secret_large_bytes(secrets), BIRTH_OTA_KVN, &kvn));
	TRY(tlv_find(secret_large_bytes(secrets), BIRTH_OTA_KIC, &k->kic));
	TRY(tlv_find(secret_large_bytes(secrets), BIRTH_OTA_KID, &k->kid));
	k->kvn = (uint8_t)bytes_uint(kvn);
	return OK;
}

static enum status card_psk(struct db *db, const char *iccid, struct secret *psk)
{
	SECRET_LARGE secrets = { 0 };
	struct db_card card;
	struct bytes key;

	TRY(db_card_get(db, iccid, &card, &secrets));
	TRY(tlv_find(secret_large_bytes(&secrets), BIRTH_PSK, &key));
	return secret_set(psk, key);
}

/* ICCID: the pre-shared key of its connections. */
static enum status answer_psk(const struct desk *d, struct bytes in, struct buf *out)
{
	SECRET psk = { 0 };
	char iccid[21];

	TRY(keeper_take_text(&in, iccid, sizeof iccid));
	if (in.n != 0)
		return ERR_MALFORMED;
	TRY(card_psk(d->db, iccid, &psk));
	buf_put(out, secret_bytes(&psk));
	return OK;
}
const struct keeper_request ota_ask_psk = { ASK_PSK, "PSK", KEEPER_OTA, 21, KEEPER_READS, answer_psk };

enum status ota_card_psk(struct db *db, const char *iccid, struct secret *psk)
{
	uint8_t raw[21];
	struct buf b = BUF_OF(raw), answer = { psk->data, 0, sizeof psk->data, false };

	keeper_put_text(&b, iccid);
	TRY(buf_status(&b) == OK ? OK : ERR_NOT_FOUND);
	TRY(keeper_ask(db, 0, &ota_ask_psk, buf_bytes(&b), &answer));
	psk->len = answer.len;
	return OK;
}

/* ---- packets ---------------------------------------------------------------------------------------------------------
 *
 * The counter is the asker's, in whose transaction it was taken: no keeper could write there at the same time. What is to be
 * stored of a card's keys goes back wrapped, for the same reason. */

enum { ICCID_FIELD = 21, COUNTER_LEN = 8, PACKET_QUESTION_MAX = ICCID_FIELD + COUNTER_LEN + TAR_LEN + 2 + OTA_PACKET_MAX };

static enum status build(struct db *db, const char *iccid, const uint8_t tar[static TAR_LEN], uint8_t spi2, uint64_t counter,
        struct bytes script, struct buf *packet)
{
	SECRET_LARGE secrets = { 0 };
	struct ota_command c = { .spi1 = SPI1_DEFAULT, .spi2 = spi2, .counter = counter, .data = script };
	struct ota_keys k;

	TRY(ota_card_keys(db, iccid, &secrets, &k));
	c.kic = c.kid = (uint8_t)(k.kvn << 4 | KEY_AES);
	memcpy(c.tar, tar, sizeof c.tar);
	return ota_command_build(&k, &c, packet);
}

/* ICCID, counter, TAR, SPI2, whether the card has to have a PSK, script: the packet. */
static enum status answer_packet(const struct desk *d, struct bytes in, struct buf *out)
{
	SECRET psk = { 0 };
	char iccid[ICCID_FIELD];
	uint8_t tar[TAR_LEN];
	uint64_t counter, spi2, calls;

	TRY(keeper_take_text(&in, iccid, sizeof iccid));
	if (!bytes_take_uint(&in, COUNTER_LEN, &counter) || !bytes_take_copy(&in, tar, sizeof tar) ||
	        !bytes_take_uint(&in, 1, &spi2) || !bytes_take_uint(&in, 1, &calls) || calls > 1)
		return ERR_MALFORMED;
	if (calls == 1)
		TRY(card_psk(d->db, iccid, &psk));
	return build(d->db, iccid, tar, (uint8_t)spi2, counter, in, out);
}
const struct keeper_request ota_ask_packet = { ASK_PACKET, "packet", KEEPER_OTA, PACKET_QUESTION_MAX, KEEPER_READS,
	answer_packet };

static enum status send_as(struct db *db, const char *iccid, const uint8_t tar[static TAR_LEN], uint8_t spi2, bool calls,
        struct bytes script, struct buf *packet, uint64_t *counter)
{
	uint8_t raw[PACKET_QUESTION_MAX];
	struct buf b = BUF_OF(raw);

	TRY(db_card_next_counter(db, iccid, counter));
	keeper_put_text(&b, iccid);
	buf_put_uint(&b, COUNTER_LEN, *counter);
	buf_put(&b, (struct bytes){ tar, TAR_LEN });
	buf_put_u8(&b, spi2);
	buf_put_u8(&b, calls ? 1 : 0);
	buf_put(&b, script);
	TRY(buf_status(&b));
	TRY(keeper_ask(db, 0, &ota_ask_packet, buf_bytes(&b), packet));
	return sms_parts(packet->len) > 0 ? OK : ERR_NO_SPACE;
}

enum status ota_send(struct db *db, const char *iccid, const uint8_t tar[static TAR_LEN], uint8_t spi2, struct bytes script,
        struct buf *packet, uint64_t *counter)
{
	return send_as(db, iccid, tar, spi2, false, script, packet, counter);
}

enum status ota_order_call(
        struct db *db, const char *iccid, uint8_t spi2, struct bytes trigger, struct buf *packet, uint64_t *counter)
{
	return send_as(db, iccid, (const uint8_t *)TAR_CARD_MANAGER, spi2, true, trigger, packet, counter);
}

enum status ota_update(
        struct db *db, const char *iccid, const struct ota_file_update *update, struct buf *packet, uint64_t *counter)
{
	uint8_t script_raw[OTA_PACKET_MAX];
	struct buf script = BUF_OF(script_raw);

	script_put_select(&script, update->fid);
	(void)script_put_write(&script, update->record, 0, update->content);
	TRY(buf_status(&script));
	return ota_send(db, iccid, update->tar, update->spi2, buf_bytes(&script), packet, counter);
}

static enum status verify(struct db *db, const char *iccid, uint8_t spi2, struct bytes por, struct ota_verdict *v)
{
	SECRET_LARGE secrets = { 0 };
	SECRET_LARGE plain = { 0 };
	struct ota_response r;
	struct script_result result;
	struct ota_keys k;

	*v = (struct ota_verdict){ 0 };
	TRY(ota_card_keys(db, iccid, &secrets, &k));
	TRY(ota_response_open(&k, spi2, por, &plain, &r, &v->secured));
	v->rsc = r.rsc;
	v->counter = r.counter;
	if (r.rsc != RSC_OK)
		return OK;
	TRY(script_result_parse(r.data, &result));
	v->executed = result.executed;
	v->sw = result.sw;
	if (result.data.n > sizeof v->data)
		return ERR_NO_SPACE;
	v->data_len = result.data.n;
	if (result.data.n > 0)
		memcpy(v->data, result.data.p, result.data.n);
	return OK;
}

/* Whether there is a CC, RSC, counter, commands, SW, data. */
static void put_verdict(struct buf *b, const struct ota_verdict *v)
{
	buf_put_u8(b, v->secured ? 1 : 0);
	buf_put_u8(b, v->rsc);
	buf_put_uint(b, COUNTER_LEN, v->counter);
	buf_put_uint(b, 4, v->executed);
	buf_put_uint(b, 4, v->sw);
	keeper_put_long(b, (struct bytes){ v->data, v->data_len });
}

static enum status take_verdict(struct bytes *in, struct ota_verdict *v)
{
	uint64_t secured, rsc, executed, sw;
	struct bytes data;

	*v = (struct ota_verdict){ 0 };
	if (!bytes_take_uint(in, 1, &secured) || !bytes_take_uint(in, 1, &rsc) ||
	        !bytes_take_uint(in, COUNTER_LEN, &v->counter) || !bytes_take_uint(in, 4, &executed) ||
	        !bytes_take_uint(in, 4, &sw) || !keeper_take_long(in, &data) || data.n > sizeof v->data)
		return ERR_IO;
	v->secured = secured != 0;
	v->rsc = (uint8_t)rsc;
	v->executed = (unsigned)executed;
	v->sw = (unsigned)sw;
	v->data_len = data.n;
	if (data.n > 0)
		memcpy(v->data, data.p, data.n);
	return OK;
}

/* ICCID, SPI2, response packet: the verdict. */
static enum status answer_response(const struct desk *d, struct bytes in, struct buf *out)
{
	char iccid[ICCID_FIELD];
	struct ota_verdict v;
	uint64_t spi2;

	TRY(keeper_take_text(&in, iccid, sizeof iccid));
	if (!bytes_take_uint(&in, 1, &spi2))
		return ERR_MALFORMED;
	TRY(verify(d->db, iccid, (uint8_t)spi2, in, &v));
	put_verdict(out, &v);
	return OK;
}
const struct keeper_request ota_ask_response = { ASK_RESPONSE, "response", KEEPER_OTA, ICCID_FIELD + 1 + OTA_PACKET_MAX,
	KEEPER_READS, answer_response };

enum { VERDICT_MAX = 2 + COUNTER_LEN + 8 + 2 + 256, WRAPPED_SECRETS_MAX = SECRET_LARGE_MAX + 64 };

static enum status ask_of(struct db *db, const struct keeper_request *q, const char *iccid, struct bytes head, struct bytes por,
        struct buf *answer)
{
	uint8_t raw[ICCID_FIELD + 1 + OTA_PACKET_MAX];
	struct buf b = BUF_OF(raw);

	keeper_put_text(&b, iccid);
	buf_put(&b, head);
	buf_put(&b, por);
	TRY(buf_status(&b) == OK ? OK : ERR_MALFORMED);
	return keeper_ask(db, 0, q, buf_bytes(&b), answer);
}

enum status ota_verify(struct db *db, const char *iccid, uint8_t spi2, struct bytes por, struct ota_verdict *v)
{
	uint8_t raw[VERDICT_MAX];
	struct buf answer = BUF_OF(raw);
	struct bytes in;

	*v = (struct ota_verdict){ 0 };
	TRY(ask_of(db, &ota_ask_response, iccid, (struct bytes){ &spi2, 1 }, por, &answer));
	in = buf_bytes(&answer);
	return take_verdict(&in, v);
}

/* ---- another key set ------------------------------------------------------------------------------------------------- */

/* All TLVs but those of one tag. */
static enum status copy_without(struct bytes in, uint32_t tag, struct buf *out)
{
	struct tlv t;

	while (in.n > 0) {
		TRY(tlv_next(&in, &t));
		if (t.tag != tag)
			tlv_put(out, t.tag, t.value);
	}
	return buf_status(out);
}

static enum status put_wrapped(struct db *db, const char *iccid, struct bytes secrets, struct buf *out)
{
	uint8_t raw[WRAPPED_SECRETS_MAX];
	struct buf wrapped = BUF_OF(raw);

	TRY(db_card_wrap_secrets(db, iccid, secrets, &wrapped));
	keeper_put_long(out, buf_bytes(&wrapped));
	return OK;
}

/* The waiting set replaces what waited before. Wrapped, with its length. */
static enum status put_waiting(struct db *db, const char *iccid, struct bytes secrets, uint8_t kvn, const struct secret *kic,
        const struct secret *kid, struct buf *out)
{
	SECRET_LARGE changed = { 0 };
	SECRET_LARGE set = { 0 };
	struct buf b = { changed.data, 0, sizeof changed.data, false }, s = { set.data, 0, sizeof set.data, false };

	tlv_put_uint(&s, OTA_KEY_KVN, 1, kvn);
	tlv_put(&s, OTA_KEY_KIC, secret_bytes(kic));
	tlv_put(&s, OTA_KEY_KID, secret_bytes(kid));
	TRY(copy_without(secrets, BIRTH_OTA_KEY_SET, &b));
	tlv_put(&b, BIRTH_OTA_KEY_SET, buf_bytes(&s));
	TRY(buf_status(&b));
	return put_wrapped(db, iccid, buf_bytes(&b), out);
}

/* The keys that wait under this number. A message that asks for them again asks for the same ones: whichever arrives, and
 * however often, the card ends up with what waits here. */
static enum status waiting_keys(struct bytes secrets, uint8_t kvn, struct secret *kic, struct secret *kid)
{
	struct bytes waiting, number, value;

	TRY(tlv_find(secrets, BIRTH_OTA_KEY_SET, &waiting));
	TRY(tlv_find(waiting, OTA_KEY_KVN, &number));
	if (bytes_uint(number) != kvn)
		return ERR_NOT_FOUND;
	TRY(tlv_find(waiting, OTA_KEY_KIC, &value));
	TRY(secret_set(kic, value));
	TRY(tlv_find(waiting, OTA_KEY_KID, &value));
	return secret_set(kid, value);
}

/* Appends the card's record, wrapped, and the packet. */
static enum status rotate(struct db *db, const char *iccid, uint8_t kvn, uint64_t counter, struct buf *out)
{
	SECRET_LARGE secrets = { 0 };
	SECRET kic = { 0 };
	SECRET kid = { 0 };
	struct secret *const fresh[2] = { &kic, &kid };
	uint8_t set_raw[1 + 2 * 24], script_raw[100];
	struct buf set = BUF_OF(set_raw), script = BUF_OF(script_raw);
	struct ota_keys k;
	struct bytes dek;
	enum status st;

	TRY(ota_card_keys(db, iccid, &secrets, &k));
	if (kvn < 1 || kvn > 15 || kvn == k.kvn || tlv_find(secret_large_bytes(&secrets), BIRTH_ISD_DEK, &dek) != OK)
		return ERR_DENIED;
	st = waiting_keys(secret_large_bytes(&secrets), kvn, &kic, &kid);
	for (int i = 0; st == ERR_NOT_FOUND && i < 2; i++)
		TRY(rng_secret(&rng_system, fresh[i], OTA_KEY_LEN));
	buf_put_u8(&set, kvn);
	for (int i = 0; i < 2; i++)
		TRY(gp_key_put(dek, fresh[i], &set));
	buf_put(&script, (struct bytes){ (const uint8_t[]){ 0x80, INS_PUT_KEY, 0x00, 0x81, (uint8_t)set.len }, 5 });
	buf_put(&script, buf_bytes(&set));
	TRY(buf_status(&script));
	TRY(put_waiting(db, iccid, secret_large_bytes(&secrets), kvn, &kic, &kid, out));
	return build(db, iccid, (const uint8_t *)TAR_CARD_MANAGER, SPI2_DEFAULT, counter, buf_bytes(&script), out);
}

/* ICCID, number of the new set, counter. */
static enum status answer_rotation(const struct desk *d, struct bytes in, struct buf *out)
{
	char iccid[ICCID_FIELD];
	uint64_t kvn, counter;

	TRY(keeper_take_text(&in, iccid, sizeof iccid));
	if (!bytes_take_uint(&in, 1, &kvn) || !bytes_take_uint(&in, COUNTER_LEN, &counter) || in.n != 0)
		return ERR_MALFORMED;
	return rotate(d->db, iccid, (uint8_t)kvn, counter, out);
}
const struct keeper_request ota_ask_rotation = { ASK_ROTATION, "rotation", KEEPER_OTA, ICCID_FIELD + 1 + COUNTER_LEN,
	KEEPER_READS, answer_rotation };

enum status ota_rotate(struct db *db, const char *iccid, uint8_t kvn, struct buf *packet, uint64_t *counter)
{
	uint8_t raw[2 + WRAPPED_SECRETS_MAX + OTA_PACKET_MAX], head[1 + COUNTER_LEN] = { kvn };
	struct buf answer = BUF_OF(raw);
	struct bytes in, wrapped;

	TRY(db_card_next_counter(db, iccid, counter));
	bytes_from_uint(*counter, head + 1, COUNTER_LEN);
	TRY(ask_of(db, &ota_ask_rotation, iccid, BYTES_OF(head), (struct bytes){ 0 }, &answer));
	in = buf_bytes(&answer);
	if (!keeper_take_long(&in, &wrapped))
		return ERR_IO;
	buf_put(packet, in);
	TRY(buf_status(packet));
	TRY(db_card_store_secrets(db, iccid, wrapped));
	return sms_parts(packet->len) > 0 ? OK : ERR_NO_SPACE;
}

/* Appends the card's record, wrapped, with the set that waited in use; empty: it goes on waiting. */
static enum status rotated(struct db *db, const char *iccid, struct bytes por, struct ota_verdict *v, struct buf *out)
{
	static const uint32_t old[] = { BIRTH_OTA_KEY_SET, BIRTH_OTA_KVN, BIRTH_OTA_KIC, BIRTH_OTA_KID };
	static const uint32_t names[][2] = { { OTA_KEY_KVN, BIRTH_OTA_KVN }, { OTA_KEY_KIC, BIRTH_OTA_KIC },
		{ OTA_KEY_KID, BIRTH_OTA_KID } };
	SECRET_LARGE secrets = { 0 };
	SECRET_LARGE changed = { 0 };
	struct bytes waiting, value;
	struct buf b;
	struct db_card card;

	TRY(verify(db, iccid, SPI2_DEFAULT, por, v));
	TRY(db_card_get(db, iccid, &card, &secrets));
	TRY(tlv_find(secret_large_bytes(&secrets), BIRTH_OTA_KEY_SET, &waiting));
	if (!v->secured || v->rsc != RSC_OK || v->sw != SW_OK) {
		keeper_put_long(out, (struct bytes){ 0 });
		return OK;
	}
	for (size_t i = 0; i < sizeof old / sizeof *old; i++) { /* the views below point into `secrets`, which is not touched */
		SECRET_LARGE step = { 0 };

		b = (struct buf){ step.data, 0, sizeof step.data, false };
		TRY(copy_without(i == 0 ? secret_large_bytes(&secrets) : secret_large_bytes(&changed), old[i], &b));
		TRY(secret_large_set(&changed, buf_bytes(&b)));
	}
	b = (struct buf){ changed.data, changed.len, sizeof changed.data, false };
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		TRY(tlv_find(waiting, names[i][0], &value));
		tlv_put(&b, names[i][1], value);
	}
	TRY(buf_status(&b));
	return put_wrapped(db, iccid, buf_bytes(&b), out);
}

/* ICCID, response packet: the verdict, the record. */
static enum status answer_rotated(const struct desk *d, struct bytes in, struct buf *out)
{
	uint8_t raw[2 + WRAPPED_SECRETS_MAX];
	struct buf wrapped = BUF_OF(raw);
	char iccid[ICCID_FIELD];
	struct ota_verdict v;

	TRY(keeper_take_text(&in, iccid, sizeof iccid));
	TRY(rotated(d->db, iccid, in, &v, &wrapped));
	put_verdict(out, &v);
	buf_put(out, buf_bytes(&wrapped));
	return OK;
}
const struct keeper_request ota_ask_rotated = { ASK_ROTATED, "rotated", KEEPER_OTA, ICCID_FIELD + OTA_PACKET_MAX, KEEPER_READS,
	answer_rotated };

enum status ota_rotated(struct db *db, const char *iccid, struct bytes por, struct ota_verdict *v)
{
	uint8_t raw[VERDICT_MAX + 2 + WRAPPED_SECRETS_MAX];
	struct buf answer = BUF_OF(raw);
	struct bytes in, wrapped;

	TRY(ask_of(db, &ota_ask_rotated, iccid, (struct bytes){ 0 }, por, &answer));
	in = buf_bytes(&answer);
	TRY(take_verdict(&in, v));
	if (!keeper_take_long(&in, &wrapped))
		return ERR_IO;
	return wrapped.n > 0 ? db_card_store_secrets(db, iccid, wrapped) : OK;
}
