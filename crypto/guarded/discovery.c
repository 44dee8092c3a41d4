/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/guarded/discovery.h"

#include <string.h>

#include "crypto/common/hash.h"

enum { AT_CODE = 1, AT_MIC = AT_CODE + DISCOVERY_CODE_LEN, AT_LSB = AT_MIC + DISCOVERY_MIC_LEN };

const struct prose_profile prose_profile_default = {
	.fc_mic = 0x49, .fc_scrambling = 0x4C, .fc_tr21 = 0xF1, .scramble_prefix = 0xFF
};

static struct bytes counter_octets(uint32_t counter, uint8_t out[4])
{
	struct buf b = { out, 0, 4, false };

	buf_put_uint(&b, 4, counter);
	return buf_bytes(&b);
}

enum status discovery_tr21_code(const struct prose_profile *p, struct bytes key, struct bytes id, uint32_t slot,
        uint8_t code[static DISCOVERY_CODE_LEN])
{
	uint8_t digest[SHA256_LEN], raw[4];
	const struct bytes params[] = { id, counter_octets(slot, raw) };

	if (key.n < 16)
		return ERR_DENIED;
	TRY(kdf_33220(key, p->fc_tr21, params, 2, digest));
	memcpy(code, digest, DISCOVERY_CODE_LEN);
	secret_clean(digest, sizeof digest);
	return OK;
}

/* Time-hash-bitsequence: the 27 least significant octets of KDF(DUSK, counter), for code and MIC. */
static enum status keystream(const struct prose_profile *p, struct bytes dusk, uint32_t counter, uint8_t out[static SHA256_LEN])
{
	uint8_t raw[4];
	const struct bytes params[] = { counter_octets(counter, raw) };

	return kdf_33220(dusk, p->fc_scrambling, params, 1, out);
}

enum { KEYSTREAM_AT = SHA256_LEN - DISCOVERY_CODE_LEN - DISCOVERY_MIC_LEN };

/* type || code || MIC || LSB, before scrambling. */
static enum status clear_frame(const struct prose_profile *p, const struct discovery_keys_33303 *k, uint32_t counter,
        uint8_t frame[static DISCOVERY_FRAME_LEN])
{
	uint8_t digest[SHA256_LEN], raw[4];
	struct bytes params[3];

	if (k->code.n < 1 || k->code.n > DISCOVERY_CODE_LEN || k->dusk.n < 16 || k->duik.n < 16)
		return ERR_DENIED;
	memset(frame, 0, DISCOVERY_FRAME_LEN);
	frame[0] = DISCOVERY_TYPE_ANNOUNCE;
	memcpy(frame + AT_CODE, k->code.p, k->code.n);
	params[0] = (struct bytes){ frame, 1 };
	params[1] = (struct bytes){ frame + AT_CODE, DISCOVERY_CODE_LEN };
	params[2] = counter_octets(counter, raw);
	TRY(kdf_33220(k->duik, p->fc_mic, params, 3, digest));
	memcpy(frame + AT_MIC, digest + SHA256_LEN - DISCOVERY_MIC_LEN, DISCOVERY_MIC_LEN);
	frame[AT_LSB] = (uint8_t)counter;
	secret_clean(digest, sizeof digest);
	return OK;
}

enum status discovery_33303_frame(const struct prose_profile *p, const struct discovery_keys_33303 *k, uint32_t counter,
        uint8_t frame[static DISCOVERY_FRAME_LEN])
{
	uint8_t stream[SHA256_LEN];

	TRY(clear_frame(p, k, counter, frame));
	TRY(keystream(p, k->dusk, counter, stream));
	frame[0] ^= p->scramble_prefix;
	for (size_t i = 0; i < DISCOVERY_CODE_LEN + DISCOVERY_MIC_LEN; i++)
		frame[AT_CODE + i] ^= stream[KEYSTREAM_AT + i];
	secret_clean(stream, sizeof stream);
	return OK;
}

enum status discovery_33303_code(const struct prose_profile *p, const struct discovery_keys_33303 *k, uint32_t counter,
        uint8_t code[static DISCOVERY_CODE_LEN])
{
	uint8_t frame[DISCOVERY_FRAME_LEN];

	TRY(discovery_33303_frame(p, k, counter, frame));
	memcpy(code, frame + AT_CODE, DISCOVERY_CODE_LEN);
	secret_clean(frame, sizeof frame);
	return OK;
}

enum status discovery_33303_check(
        const struct prose_profile *p, const struct discovery_keys_33303 *k, uint32_t counter, struct bytes frame, bool *match)
{
	uint8_t expected[DISCOVERY_FRAME_LEN];

	TRY(discovery_33303_frame(p, k, counter, expected));
	*match = secret_equals(BYTES_OF(expected), frame);
	secret_clean(expected, sizeof expected);
	return OK;
}

uint32_t discovery_counter(uint32_t now, uint8_t lsb)
{
	uint32_t ahead = (lsb - now) & 0xFF;

	return ahead < 0x80 ? now + ahead : now + ahead - 0x100;
}
