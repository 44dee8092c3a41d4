#include <string.h>

#include "apdu/birth.h"
#include "apdu/tlv.h"
#include "ota/packet.h"
#include "ota/script.h"
#include "ota/sms.h"
#include "provisioning/operator.h"

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

enum status ota_update(struct db *db, const char *iccid, const uint8_t tar[static TAR_LEN], uint16_t fid, unsigned record,
        struct bytes content, struct buf *tpdu, uint64_t *counter)
{
	SECRET_LARGE
	secrets = { 0 };
	uint8_t script_raw[200], packet_raw[OTA_PACKET_MAX], fid_octets[2] = { (uint8_t)(fid >> 8), (uint8_t)fid };
	struct buf script = BUF_OF(script_raw), packet = BUF_OF(packet_raw);
	struct ota_command c = { .spi1 = SPI1_DEFAULT, .spi2 = SPI2_DEFAULT };
	struct ota_keys k;

	TRY(ota_card_keys(db, iccid, &secrets, &k));
	script_put(&script, INS_SELECT, 0x00, 0x04, BYTES_OF(fid_octets));
	if (record > 0)
		script_put(&script, INS_UPDATE_RECORD, (uint8_t)record, 0x04, content);
	else
		script_put(&script, INS_UPDATE_BINARY, 0x00, 0x00, content);
	TRY(buf_status(&script));
	TRY(db_card_next_counter(db, iccid, counter));
	c.kic = c.kid = (uint8_t)(k.kvn << 4 | KEY_AES);
	memcpy(c.tar, tar, sizeof c.tar);
	c.counter = *counter;
	c.data = buf_bytes(&script);
	TRY(ota_command_build(&k, &c, &packet));
	return sms_deliver_put(tpdu, buf_bytes(&packet));
}

enum status ota_verify(struct db *db, const char *iccid, struct bytes por, struct ota_verdict *v)
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
	TRY(ota_response_open(&k, SPI2_DEFAULT, por, &plain, &r, &v->secured));
	v->rsc = r.rsc;
	v->counter = r.counter;
	if (r.rsc != RSC_OK)
		return OK;
	TRY(script_result_parse(r.data, &result));
	v->executed = result.executed;
	v->sw = result.sw;
	return OK;
}
