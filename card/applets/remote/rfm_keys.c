/* SPDX-License-Identifier: Apache-2.0 */
#include "card/applets/remote/rfm.h"

#include <string.h>

#include "apdu/birth.h"
#include "apdu/tlv.h"

enum { COUNTER_OCTETS = OTA_COUNTER_LEN, FAILURE_OCTETS = 4 };

static const struct bytes policy_name = { (const uint8_t *)"policy", 6 };

void rfm_keys_wipe(struct rfm_keys *k)
{
	secret_large_wipe(&k->record);
	*k = (struct rfm_keys){ 0 };
}

static struct record_name name_of(const char *kind, uint8_t kvn)
{
	return name_format("%s/%02x", kind, (unsigned)kvn);
}

static enum status take_octet(struct bytes in, uint32_t tag, uint8_t *out)
{
	struct bytes v;
	enum status st = tlv_find(in, tag, &v);

	*out = 0;
	if (st == ERR_NOT_FOUND)
		return OK;
	if (st != OK || v.n != 1)
		return ERR_MALFORMED;
	*out = v.p[0];
	return OK;
}

static const char *fault_of(const struct ota_keys *k)
{
	const struct ota_command every = {
		.spi1 = SPI1_DEFAULT, .kic = (uint8_t)(k->kvn << 4 | k->kic_type), .kid = (uint8_t)(k->kvn << 4 | k->kid_type)
	};

	return ota_command_fault(k, &every);
}

enum status rfm_keys_parse(struct bytes in, struct ota_keys *k)
{
	*k = (struct ota_keys){ 0 };
	TRY(take_octet(in, OTA_KEY_KVN, &k->kvn));
	TRY(take_octet(in, OTA_KEY_KIC_TYPE, &k->kic_type));
	TRY(take_octet(in, OTA_KEY_KID_TYPE, &k->kid_type));
	TRY(take_octet(in, OTA_KEY_CC_LEN, &k->cc_len));
	TRY(tlv_find(in, OTA_KEY_KIC, &k->kic));
	TRY(tlv_find(in, OTA_KEY_KID, &k->kid));
	return k->kvn >= 1 && k->kvn <= 15 && fault_of(k) == NULL && (k->cc_len == 0 || k->cc_len == 4 || k->cc_len == 8)
	               ? OK
	               : ERR_MALFORMED;
}

enum status rfm_keys_load(struct applet *a, uint8_t kvn, struct rfm_keys *k)
{
	const struct record_name name = name_of("key", kvn);

	TRY(applet_get(a, name_bytes(&name), &k->record));
	return rfm_keys_parse(secret_large_bytes(&k->record), &k->keys);
}

enum status rfm_keys_put(struct applet *a, const struct ota_keys *k)
{
	const struct record_name key = name_of("key", k->kvn), counter = name_of("cnt", k->kvn), bad = name_of("bad", k->kvn);
	static const uint8_t zeros[COUNTER_OCTETS];
	SECRET_LARGE record = { 0 };
	struct buf b = { record.data, 0, sizeof record.data, false };

	tlv_put_uint(&b, OTA_KEY_KVN, 1, k->kvn);
	tlv_put_uint(&b, OTA_KEY_KIC_TYPE, 1, k->kic_type);
	tlv_put(&b, OTA_KEY_KIC, k->kic);
	tlv_put_uint(&b, OTA_KEY_KID_TYPE, 1, k->kid_type);
	tlv_put(&b, OTA_KEY_KID, k->kid);
	tlv_put_uint(&b, OTA_KEY_CC_LEN, 1, k->cc_len);
	TRY(buf_status(&b));
	TRY(applet_put(a, name_bytes(&key), buf_bytes(&b)));
	TRY(applet_put(a, name_bytes(&counter), (struct bytes){ zeros, COUNTER_OCTETS }));
	return applet_put(a, name_bytes(&bad), (struct bytes){ zeros, FAILURE_OCTETS });
}

/* A number of fixed width; absent: 0. */
static enum status read_number(struct applet *a, const struct record_name *name, uint64_t *out)
{
	SECRET_LARGE stored = { 0 };
	enum status st = applet_get(a, name_bytes(name), &stored);

	if (st != OK && st != ERR_NOT_FOUND)
		return st;
	*out = st == OK ? bytes_uint(secret_large_bytes(&stored)) : 0;
	return OK;
}

typedef enum status put_number(struct applet *, struct bytes name, struct bytes value);
static enum status write_number(struct applet *a, const struct record_name *name, size_t width, uint64_t value, put_number *put)
{
	uint8_t raw[8];

	bytes_from_uint(value, raw, width);
	return put(a, name_bytes(name), (struct bytes){ raw, width });
}

enum status rfm_counter_accept(struct applet *a, uint8_t kvn, uint8_t spi1, uint64_t counter, enum ota_rsc *rsc)
{
	const struct record_name name = name_of("cnt", kvn);
	const uint8_t mode = spi1 & SPI1_COUNTER;
	/* Where a TAR's level lets it, nothing is compared, and nothing is set back. */
	const bool compared = mode != 0 && mode != SPI1_COUNTER_UNCHECKED;
	uint64_t last;

	TRY(read_number(a, &name, &last));
	if (last == OTA_COUNTER_BLOCKED)
		*rsc = RSC_COUNTER_BLOCKED;
	else if (compared && counter <= last)
		*rsc = RSC_COUNTER_LOW;
	else if (mode == SPI1_COUNTER_STRICT && counter != last + 1)
		*rsc = RSC_COUNTER_HIGH;
	else
		*rsc = RSC_OK;
	if (*rsc != RSC_OK || !compared)
		return OK;
	return write_number(a, &name, COUNTER_OCTETS, counter, applet_put_now);
}

enum status rfm_failures(struct applet *a, uint8_t kvn, bool one_more, uint32_t *count)
{
	const struct record_name name = name_of("bad", kvn);
	uint64_t n;

	TRY(read_number(a, &name, &n));
	if (one_more && n < UINT32_MAX)
		TRY(write_number(a, &name, FAILURE_OCTETS, ++n, applet_spend));
	*count = (uint32_t)n;
	return OK;
}

enum status rfm_policy(struct applet *a, struct rfm_policy *p)
{
	SECRET_LARGE record = { 0 };
	struct bytes in, v;
	uint8_t silent;
	enum status st = applet_get(a, policy_name, &record);

	*p = (struct rfm_policy){ 0 };
	if (st == ERR_NOT_FOUND)
		return OK;
	TRY(st);
	in = secret_large_bytes(&record);
	TRY(take_octet(in, OTA_POLICY_SILENT, &silent));
	p->silent = silent != 0;
	if (tlv_find(in, OTA_POLICY_MAX_FAILURES, &v) == OK)
		p->max_failures = (uint32_t)bytes_uint(v);
	if (tlv_find(in, OTA_POLICY_SUBMITS, &v) == OK && v.n == 2)
		p->submits = (uint16_t)bytes_uint(v);
	return OK;
}
