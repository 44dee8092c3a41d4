/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/fake_card.h"

#include <stdio.h>
#include <string.h>

#include "apdu/birth.h"
#include "apdu/sw.h"
#include "apdu/tlv.h"
#include "ota/script.h"

void fake_card_init(unsigned n, struct fake_card *f)
{
	*f = (struct fake_card){ 0 };
	bytes_from_uint(n, f->key, 8);
	(void)snprintf(f->iccid, sizeof f->iccid, "89001010000%08u", n);
	(void)snprintf(f->msisdn, sizeof f->msisdn, "999%010u", n);
}

enum status fake_card_new(struct db *db, unsigned n, struct fake_card *f)
{
	struct db_card c = { 0 };
	uint8_t raw[64];
	struct buf b = BUF_OF(raw);

	fake_card_init(n, f);
	(void)snprintf(c.iccid, sizeof c.iccid, "%s", f->iccid);
	(void)snprintf(c.msisdn, sizeof c.msisdn, "%s", f->msisdn);
	(void)snprintf(c.imsi, sizeof c.imsi, "00101%010u", n);
	tlv_put_uint(&b, BIRTH_OTA_KVN, 1, 1);
	tlv_put(&b, BIRTH_OTA_KIC, BYTES_OF(f->key));
	tlv_put(&b, BIRTH_OTA_KID, BYTES_OF(f->key));
	return db_card_add(db, &c, buf_bytes(&b));
}

static void run(struct fake_card *f, struct bytes script, struct script_result *r)
{
	struct command_apdu a;

	*r = (struct script_result){ .sw = SW_OK };
	while (script_next(&script, &a) == OK) {
		r->executed++;
		if (a.ins == INS_UPDATE_BINARY && a.data.n <= FAKE_FILE) {
			memcpy(f->file, a.data.p, a.data.n);
			f->updates++;
		} else if (a.ins == INS_READ_BINARY && a.ne <= FAKE_FILE) {
			r->data = (struct bytes){ f->file, a.ne };
		} else if (a.ins != INS_SELECT) {
			r->sw = SW_INS_NOT_SUPPORTED;
			return;
		}
	}
}

void fake_card_take(struct fake_card *f, struct bytes packet, struct buf *response)
{
	SECRET_LARGE plain = { 0 };
	const struct ota_keys k = { .kvn = 1, .kic = BYTES_OF(f->key), .kid = BYTES_OF(f->key) };
	uint8_t raw[64];
	struct buf data = BUF_OF(raw);
	struct ota_response r = { 0 };
	struct script_result result;
	struct ota_command c;

	if (ota_command_open(&k, packet, &plain, &c) != OK)
		return;
	memcpy(r.tar, c.tar, sizeof r.tar);
	r.counter = c.counter;
	if (c.counter <= f->counter) {
		r.rsc = RSC_COUNTER_LOW;
	} else {
		f->counter = c.counter;
		run(f, c.data, &result);
		script_result_put(&data, &result);
		r.data = buf_bytes(&data);
	}
	if (ota_response_build(&k, c.spi2, &r, response) != OK)
		response->len = 0;
}
