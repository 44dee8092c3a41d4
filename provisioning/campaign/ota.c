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

enum status ota_send(struct db *db, const char *iccid, const uint8_t tar[static TAR_LEN], uint8_t spi2, struct bytes script,
        struct buf *packet, uint64_t *counter)
{
	SECRET_LARGE secrets = { 0 };
	struct ota_command c = { .spi1 = SPI1_DEFAULT, .spi2 = spi2, .data = script };
	struct ota_keys k;

	TRY(ota_card_keys(db, iccid, &secrets, &k));
	TRY(db_card_next_counter(db, iccid, counter));
	c.kic = c.kid = (uint8_t)(k.kvn << 4 | KEY_AES);
	memcpy(c.tar, tar, sizeof c.tar);
	c.counter = *counter;
	TRY(ota_command_build(&k, &c, packet));
	return sms_parts(packet->len) > 0 ? OK : ERR_NO_SPACE;
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

enum status ota_verify(struct db *db, const char *iccid, uint8_t spi2, struct bytes por, struct ota_verdict *v)
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

/* The waiting set replaces what waited before. */
static enum status store_waiting(
        struct db *db, const char *iccid, struct bytes secrets, uint8_t kvn, const struct secret *kic, const struct secret *kid)
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
	return db_card_set_secrets(db, iccid, buf_bytes(&b));
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

enum status ota_rotate(struct db *db, const char *iccid, uint8_t kvn, struct buf *packet, uint64_t *counter)
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
	TRY(ota_send(db, iccid, (const uint8_t *)TAR_CARD_MANAGER, SPI2_DEFAULT, buf_bytes(&script), packet, counter));
	return store_waiting(db, iccid, secret_large_bytes(&secrets), kvn, &kic, &kid);
}

enum status ota_rotated(struct db *db, const char *iccid, struct bytes por, struct ota_verdict *v)
{
	static const uint32_t old[] = { BIRTH_OTA_KEY_SET, BIRTH_OTA_KVN, BIRTH_OTA_KIC, BIRTH_OTA_KID };
	static const uint32_t names[][2] = { { OTA_KEY_KVN, BIRTH_OTA_KVN }, { OTA_KEY_KIC, BIRTH_OTA_KIC },
		{ OTA_KEY_KID, BIRTH_OTA_KID } };
	SECRET_LARGE secrets = { 0 };
	SECRET_LARGE changed = { 0 };
	struct bytes waiting, value;
	struct buf b;
	struct db_card card;

	TRY(ota_verify(db, iccid, SPI2_DEFAULT, por, v));
	TRY(db_card_get(db, iccid, &card, &secrets));
	TRY(tlv_find(secret_large_bytes(&secrets), BIRTH_OTA_KEY_SET, &waiting));
	if (!v->secured || v->rsc != RSC_OK || v->sw != SW_OK)
		return OK;                                      /* what waited goes on waiting; the old set is in use */
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
	return db_card_set_secrets(db, iccid, buf_bytes(&b));
}
