/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/scp.h"

#include <string.h>

static uint8_t command_memory[400];

struct bytes scp_wrapped(struct scp03 *s, uint8_t ins, uint8_t p1, uint8_t p2, struct bytes data)
{
	struct buf b = BUF_OF(command_memory);

	ck_assert_int_eq(
	        scp03_wrap(s, &(struct command_apdu){ .cla = 0x80, .ins = ins, .p1 = p1, .p2 = p2, .data = data }, &b), OK);
	buf_put_u8(&b, 0); /* Le */
	return buf_bytes(&b);
}

unsigned scp_send(struct rig *r, struct scp03 *s, uint8_t ins, uint8_t p1, uint8_t p2, struct bytes data)
{
	return rig_send_bytes(r, scp_wrapped(s, ins, p1, p2, data));
}

unsigned scp_authenticate(struct rig *r, const char *select, struct scp03 *s, const struct scp03_keys *k, uint8_t level)
{
	static const uint8_t host[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	uint8_t card[8], cryptogram[8];
	struct bytes b;

	ck_assert_uint_eq(rig_send(r, select), 0x9000);
	ck_assert_uint_eq(rig_send(r, "8050000008010203040506070800"), 0x9000);
	/* i: R-MAC and R-ENC; with b5 the challenge is of a counter, which follows (Amendment D 7.1.1.6, table 5-1). */
	ck_assert_uint_eq(rig_data().p[11], 0x03);
	ck_assert(rig_data().p[12] == 0x60 || rig_data().p[12] == 0x70);
	ck_assert_uint_eq(rig_data().n, 10 + 3 + 8 + 8 + ((rig_data().p[12] & 0x10) != 0 ? 3 : 0));
	memcpy(card, rig_data().p + 13, 8);
	ck_assert_int_eq(scp03_open(s, k, host, card, 8), OK);
	ck_assert_int_eq(scp03_cryptogram(s, true, host, card, cryptogram), OK);
	if (!bytes_equal(BYTES_OF(cryptogram), (struct bytes){ rig_data().p + 21, 8 }))
		return 0;
	ck_assert_int_eq(scp03_cryptogram(s, false, host, card, cryptogram), OK);
	b = scp_wrapped(s, 0x82, level, 0, BYTES_OF(cryptogram));
	b.n--; /* without Le */
	return rig_send_bytes(r, b);
}

struct bytes scp_answer(struct scp03 *s, unsigned sw)
{
	static struct secret_large plain;
	struct bytes data;

	ck_assert_int_eq(scp03_unwrap_response(s, rig_data(), (uint16_t)sw, &plain, &data), OK);
	return data;
}
