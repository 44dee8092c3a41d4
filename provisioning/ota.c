#include <string.h>

#include "apdu/birth.h"
#include "apdu/tlv.h"
#include "ota/packet.h"
#include "ota/script.h"
#include "ota/sms.h"
#include "provisioning/operator.h"

enum { COMMAND_DATA_MAX = 250 };

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

enum status ota_update(struct db *db, const char *iccid, const struct ota_job *job, struct buf *packet, uint64_t *counter)
{
	SECRET_LARGE
	secrets = { 0 };
	uint8_t script_raw[OTA_PACKET_MAX], fid_octets[2] = { (uint8_t)(job->fid >> 8), (uint8_t)job->fid };
	struct buf script = BUF_OF(script_raw);
	struct ota_command c = { .spi1 = SPI1_DEFAULT, .spi2 = job->spi2 };
	struct bytes content = job->content, part;
	struct ota_keys k;

	TRY(ota_card_keys(db, iccid, &secrets, &k));
	script_put(&script, INS_SELECT, 0x00, 0x04, BYTES_OF(fid_octets));
	if (job->record > 0)
		script_put(&script, INS_UPDATE_RECORD, (uint8_t)job->record, 0x04, content);
	for (size_t at = 0; job->record == 0 && content.n > 0; at += part.n) {
		if (!bytes_take(&content, content.n < COMMAND_DATA_MAX ? content.n : COMMAND_DATA_MAX, &part))
			return ERR_BUG;
		script_put(&script, INS_UPDATE_BINARY, (uint8_t)(at >> 8), (uint8_t)at, part);
	}
	TRY(buf_status(&script));
	TRY(db_card_next_counter(db, iccid, counter));
	c.kic = c.kid = (uint8_t)(k.kvn << 4 | KEY_AES);
	memcpy(c.tar, job->tar, sizeof c.tar);
	c.counter = *counter;
	c.data = buf_bytes(&script);
	TRY(ota_command_build(&k, &c, packet));
	return sms_parts(packet->len) > 0 ? OK : ERR_NO_SPACE;
}

enum status ota_verify(struct db *db, const char *iccid, uint8_t spi2, struct bytes por, struct ota_verdict *v)
{
	SECRET_LARGE
	secrets = { 0 };
	SECRET_LARGE
	plain = { 0 };
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
	return OK;
}
