/* SPDX-License-Identifier: Apache-2.0 */
/* Secured packets on the card (TS 102 225): what a stranger can learn, which key sets and levels are taken, and how answers
 * travel. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apdu/tlv.h"
#include "crypto/common/aes.h"
#include "crypto/common/des.h"
#include "ota/cell_broadcast.h"
#include "ota/packet.h"
#include "ota/script.h"
#include "ota/sms.h"
#include "tests/support/support.h"

#define KIC "000102030405060708090A0B0C0D0E0F"
#define KID "101112131415161718191A1B1C1D1E1F"
#define WRITE "00A40004024F0500D6000004AABBCCDD"

/* Blocks that the ciphers have worked on: tests.mk puts these in front of the real ones. */
static size_t blocks;
enum status __real_aes_cbc_decrypt(struct bytes key, struct bytes in, uint8_t *out);
enum status __real_aes_cmac(struct bytes key, const struct bytes *parts, size_t n, uint8_t out[AES_BLOCK]);
enum status __real_des3_cbc_decrypt(struct bytes key, struct bytes in, uint8_t *out);
enum status __real_des3_mac(struct bytes key, const struct bytes *parts, size_t n, uint8_t out[DES_BLOCK_LEN]);

static size_t total(const struct bytes *parts, size_t n)
{
	size_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += parts[i].n;
	return sum;
}

enum status __wrap_aes_cbc_decrypt(struct bytes key, struct bytes in, uint8_t *out)
{
	blocks += in.n / AES_BLOCK;
	return __real_aes_cbc_decrypt(key, in, out);
}

enum status __wrap_aes_cmac(struct bytes key, const struct bytes *parts, size_t n, uint8_t out[AES_BLOCK])
{
	blocks += 1 + (total(parts, n) + AES_BLOCK - 1) / AES_BLOCK;
	return __real_aes_cmac(key, parts, n, out);
}

enum status __wrap_des3_cbc_decrypt(struct bytes key, struct bytes in, uint8_t *out)
{
	blocks += 3 * in.n / DES_BLOCK_LEN;
	return __real_des3_cbc_decrypt(key, in, out);
}

enum status __wrap_des3_mac(struct bytes key, const struct bytes *parts, size_t n, uint8_t out[DES_BLOCK_LEN])
{
	blocks += 3 * (total(parts, n) + DES_BLOCK_LEN - 1) / DES_BLOCK_LEN;
	return __real_des3_mac(key, parts, n, out);
}

/* A test card whose profile has these "keys": set 1 is KIC and KID above. */
static struct rig *card_with(const char *keys)
{
	char text[1024];

	(void)snprintf(text, sizeof text, "{\"keys\": {\"kic\": \"" KIC "\", \"kid\": \"" KID "\"%s%s}}",
	        keys[0] != 0 ? ", " : "", keys);
	return rig_profile(text);
}

static struct ota_keys set_1(void)
{
	return (struct ota_keys){ .kvn = 1, .kic = hex(KIC), .kid = hex(KID) };
}

static struct ota_command command(uint64_t counter, const char *tar, const char *script)
{
	struct ota_command c = { 0x16, 0x19, 0x12, 0x12, { 0 }, counter, hex(script) };

	memcpy(c.tar, hex(tar).p, 3);
	return c;
}

/* Short messages one after the other; the status word of the last. */
static unsigned send_part(struct rig *r, struct bytes packet, unsigned number)
{
	uint8_t sms_raw[SMS_TPDU_MAX], data_raw[256], raw[300];
	struct buf sms = BUF_OF(sms_raw), data = BUF_OF(data_raw), b = BUF_OF(raw);

	ck_assert_int_eq(sms_deliver_part(&sms, packet, 9, number), OK);
	sms_envelope_put(&data, buf_bytes(&sms));
	apdu_put(&b, &(struct command_apdu){ .cla = 0x80,
	                     .ins = INS_ENVELOPE,
	                     .data = buf_bytes(&data),
	                     .has_le = true,
	                     .ne = 256,
	                     .extended = data.len > 255 });
	ck_assert(!b.failed);
	return rig_send_bytes(r, buf_bytes(&b));
}

static unsigned send_packet(struct rig *r, struct bytes packet)
{
	unsigned sw = 0, parts = sms_parts(packet.n);

	ck_assert_uint_gt(parts, 0);
	for (unsigned i = parts; i >= 1; i--) /* the last one first */
		sw = send_part(r, packet, i);
	return sw;
}

static uint8_t packet_memory[OTA_PACKET_MAX];

static struct bytes build(const struct ota_keys *k, const struct ota_command *c)
{
	struct buf b = BUF_OF(packet_memory);

	ck_assert_int_eq(ota_command_build(k, c, &b), OK);
	return buf_bytes(&b);
}

static struct secret_large plain;

/* What the card answered to a command; secured as SPI2 asked. */
static struct ota_response opened(const struct ota_keys *k, uint8_t spi2, struct bytes por)
{
	struct ota_response out;
	bool secured;

	ck_assert_int_eq(ota_response_open(k, spi2, por, &plain, &out, &secured), OK);
	ck_assert(secured);
	return out;
}

static struct script_result result_of(struct ota_response r)
{
	struct script_result s;

	ck_assert_uint_eq(r.rsc, RSC_OK);
	ck_assert_int_eq(script_result_parse(r.data, &s), OK);
	return s;
}

/* Everything that can be wrong before the MAC is right: one answer, the same work for the same length. */
START_TEST(strangers_learn_nothing)
{
	static const struct {
		uint8_t spi1, kic, kid;
	} headers[] = { { 0x16, 0x12, 0x12 }, { 0x16, 0x22, 0x22 }, { 0x16, 0xF2, 0xF2 }, { 0x16, 0x12, 0x22 },
		{ 0x16, 0x10, 0x10 }, { 0x16, 0x02, 0x02 }, { 0x16, 0x11, 0x11 }, { 0x16, 0x1D, 0x12 }, { 0x14, 0x12, 0x12 },
		{ 0x15, 0x12, 0x12 }, { 0x17, 0x12, 0x12 }, { 0x36, 0x12, 0x12 } };
	struct rig *r = card_with("");
	struct ota_keys k = set_1();
	uint8_t first[64];
	size_t first_n = 0, work = 0;

	for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
		struct ota_command c = command(5, "B05F90", WRITE);
		struct bytes packet = build(&k, &c);

		packet_memory[3] = headers[i].spi1;
		packet_memory[5] = headers[i].kic;
		packet_memory[6] = headers[i].kid;
		packet_memory[packet.n - 1] ^= 1;
		blocks = 0;
		ck_assert_uint_eq(send_packet(r, packet), 0x9000);
		if (i == 0) {
			work = blocks;
			first_n = rig_data().n;
			memcpy(first, rig_data().p, first_n);
			ck_assert(bytes_equal(rig_data(), hex("027100000B0AB05F9000000000000006")));
		}
		ck_assert_msg(blocks == work, "header %zu: %zu blocks, not %zu", i, blocks, work);
		ck_assert_msg(bytes_equal(rig_data(), (struct bytes){ first, first_n }), "header %zu", i);
	}
	/* 3DES nibbles: known and unknown key sets alike. */
	for (unsigned kvn = 1, before = 0; kvn <= 3; kvn++) {
		struct ota_command c = command(5, "B05F90", WRITE);
		struct bytes packet = build(&k, &c);

		packet_memory[5] = packet_memory[6] = (uint8_t)(kvn << 4 | KEY_3DES_2);
		blocks = 0;
		ck_assert_uint_eq(send_packet(r, packet), 0x9000);
		ck_assert(bytes_equal(rig_data(), (struct bytes){ first, first_n }));
		ck_assert(before == 0 || blocks == before);
		before = (unsigned)blocks;
	}
	/* No proof of receipt where SPI2 asks for none, not even a refusal. */
	{
		struct ota_command c = command(5, "B05F90", WRITE);
		struct bytes packet;

		c.spi2 = 0x18;
		packet = build(&k, &c);
		packet_memory[packet.n - 1] ^= 1;
		ck_assert_uint_eq(send_packet(r, packet), 0x9000);
		ck_assert_uint_eq(rig_data().n, 0);
		packet_memory[packet.n - 1] ^= 1;
		ck_assert_uint_eq(send_packet(r, packet), 0x9000);
		ck_assert_uint_eq(rig_data().n, 0); /* it ran, in silence */
		ck_assert_uint_eq(send_packet(r, packet), 0x9000);
	}
	rig_free(&r);
}
END_TEST

/* Policy: silence before the MAC is right; a key set that has seen too many wrong MACs is closed, others are not. */
START_TEST(silence_and_blocking_are_policy)
{
	struct rig *r = card_with("\"ota\": [{\"kvn\": 2, \"algorithm\": \"aes\", \"kic\": \"" KID "\", \"kid\": \"" KIC
	                          "\"}], \"ota_policy\": {\"silent\": true, \"max_failures\": 3}");
	struct ota_keys k = set_1(), other = { .kvn = 2, .kic = hex(KID), .kid = hex(KIC) };
	struct ota_command c = command(1, "B05F90", WRITE);

	for (int i = 0; i < 3; i++) {
		struct bytes packet;

		c.counter++;
		packet = build(&k, &c);
		ck_assert_uint_eq(send_packet(r, packet), 0x9000);
		ck_assert_uint_eq(opened(&k, 0x19, rig_data()).rsc, RSC_OK);
		packet_memory[packet.n - 1] ^= 1;
		ck_assert_uint_eq(send_packet(r, packet), 0x9000);
		ck_assert_uint_eq(rig_data().n, 0);
	}
	rig_reboot(r);
	c.counter++;
	ck_assert_uint_eq(send_packet(r, build(&k, &c)), 0x9000);
	ck_assert_uint_eq(rig_data().n, 0); /* blocked, also after a reset */
	c.kic = c.kid = 0x22;
	c.counter = 1;
	ck_assert_uint_eq(send_packet(r, build(&other, &c)), 0x9000);
	ck_assert_uint_eq(opened(&other, 0x19, rig_data()).rsc, RSC_OK);
	rig_free(&r);
}
END_TEST

/* Key sets of every algorithm, each with a counter of its own. */
START_TEST(a_short_cc_has_a_limit)
{
	struct rig *r = card_with(
	        "\"ota\": [{\"kvn\": 3, \"algorithm\": \"aes\", \"kic\": \"" KIC "\", \"kid\": \"" KID "\", \"cc\": 4}]");
	struct ota_keys k = set_1();
	struct ota_command c = command(1, "B00000", "00A40004022FE2");
	struct applet *rfm = &r->card.applet[2];

	k.kvn = 3;
	k.cc_len = 4;
	c.kic = c.kid = 0x32;
	ck_assert_int_eq(applet_put_now(rfm, BYTES_STR("bad/03"), hex("0000FFFF")), OK);
	ck_assert_uint_eq(send_packet(r, build(&k, &c)), 0x9000);
	ck_assert_uint_eq(result_of(opened(&k, 0x19, rig_data())).sw, 0x9000);
	ck_assert_int_eq(applet_put_now(rfm, BYTES_STR("bad/03"), hex("00010000")), OK);
	c.counter = 2;
	ck_assert_uint_eq(send_packet(r, build(&k, &c)), 0x9000);
	ck_assert(bytes_equal(rig_data(), hex("027100000B0AB0000000000000000006")));
	ck_assert_int_eq(applet_put_now(rfm, BYTES_STR("bad/01"), hex("00010000")), OK); /* eight octets need none */
	k = set_1();
	c = command(1, "B00000", "00A40004022FE2");
	ck_assert_uint_eq(send_packet(r, build(&k, &c)), 0x9000);
	ck_assert_uint_eq(result_of(opened(&k, 0x19, rig_data())).sw, 0x9000);
	rig_free(&r);
}
END_TEST

START_TEST(key_sets_have_their_own_algorithm_and_counter)
{
	struct rig *r =
	        card_with("\"ota\": [{\"kvn\": 2, \"algorithm\": \"3des-2\", \"kic\": \"" KIC "\", \"kid\": \"" KID
	                  "\"}, {\"kvn\": 3, \"algorithm\": \"3des-3\", \"kic\": \"" KIC "2021222324252627\", \"kid\": \"" KID
	                  "2021222324252627\"}, {\"kvn\": 15, \"algorithm\": \"aes\", \"kic\": \"" KIC KID
	                  "\", \"kid\": \"" KID KIC "\", \"cc\": 4}]");
	const struct ota_keys k[] = { set_1(),
		{ .kvn = 2, .kic = hex(KIC), .kid = hex(KID), .kic_type = KEY_3DES_2, .kid_type = KEY_3DES_2 },
		{ .kvn = 3,
		        .kic = hex(KIC "2021222324252627"),
		        .kid = hex(KID "2021222324252627"),
		        .kic_type = KEY_3DES_3,
		        .kid_type = KEY_3DES_3 },
		{ .kvn = 15, .kic = hex(KIC KID), .kid = hex(KID KIC), .cc_len = 4 } };

	for (size_t i = 0; i < sizeof k / sizeof *k; i++) {
		struct ota_command c = command(7, "B05F90", WRITE);
		uint8_t type = k[i].kic_type != 0 ? k[i].kic_type : KEY_AES;

		c.kic = c.kid = (uint8_t)(k[i].kvn << 4 | type);
		ck_assert_uint_eq(send_packet(r, build(&k[i], &c)), 0x9000);
		ck_assert_uint_eq(result_of(opened(&k[i], 0x19, rig_data())).sw, 0x9000);
		ck_assert_uint_eq(
		        send_packet(r, build(&k[i], &c)), 0x9000); /* again, to another TAR: the counter is the key set's */
		memcpy(c.tar, hex("B00000").p, 3);
		ck_assert_uint_eq(send_packet(r, build(&k[i], &c)), 0x9000);
		ck_assert_uint_eq(opened(&k[i], 0x19, rig_data()).rsc, RSC_COUNTER_LOW);
	}
	rig_free(&r);
}
END_TEST

/* 5.1.4: higher, exactly one higher, never back, and the end. */
START_TEST(counters_only_go_up)
{
	static const struct {
		uint8_t spi1;
		uint64_t counter;
		uint8_t rsc;
	} steps[] = { { 0x16, 10, RSC_OK }, { 0x16, 10, RSC_COUNTER_LOW }, { 0x16, 9, RSC_COUNTER_LOW },
		{ 0x1E, 12, RSC_COUNTER_HIGH }, { 0x1E, 10, RSC_COUNTER_LOW }, { 0x1E, 11, RSC_OK },
		{ 0x0E, 3, RSC_LEVEL_TOO_LOW }, { 0x06, 99, RSC_LEVEL_TOO_LOW }, { 0x16, 11, RSC_COUNTER_LOW },
		{ 0x12, 12, RSC_LEVEL_TOO_LOW }, { 0x16, 12, RSC_COUNTER_LOW }, { 0x16, 0xFFFFFFFFFE, RSC_OK },
		{ 0x1E, 0xFFFFFFFFFF, RSC_OK }, { 0x16, 0xFFFFFFFFFF, RSC_COUNTER_BLOCKED }, { 0x16, 1, RSC_COUNTER_BLOCKED } };
	struct rig *r = card_with("");
	struct ota_keys k = set_1();

	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		struct ota_command c = command(steps[i].counter, "B05F90", WRITE);

		c.spi1 = steps[i].spi1;
		ck_assert_uint_eq(send_packet(r, build(&k, &c)), 0x9000);
		ck_assert_msg(opened(&k, 0x19, rig_data()).rsc == steps[i].rsc, "step %zu: %02X", i,
		        opened(&k, 0x19, rig_data()).rsc);
		if (i % 4 == 3)
			rig_reboot(r);
	}
	rig_free(&r);
}
END_TEST

/* A script in five short messages, the last one first; half of one is forgotten by a reset. */
START_TEST(long_scripts_come_in_parts)
{
	struct rig *r = card_with("");
	struct ota_keys k = set_1();
	char script[1400] = "00A40004024F05";
	struct ota_command c;
	struct bytes packet;
	struct script_result s;

	for (unsigned i = 0; i < 100 / 2; i++)
		(void)snprintf(script + strlen(script), sizeof script - strlen(script), "00D600%02X05%02X%02X%02X%02X%02X", i,
		        i, i, i, i, i);
	c = command(3, "B05F90", script);
	packet = build(&k, &c);
	ck_assert_uint_ge(sms_parts(packet.n), 4);
	ck_assert_uint_eq(send_part(r, packet, 1), 0x9000);
	card_reset(&r->card);
	ck_assert_uint_eq(send_packet(r, packet), 0x9000);
	s = result_of(opened(&k, 0x19, rig_data()));
	ck_assert_uint_eq(s.executed, 51);
	ck_assert_uint_eq(s.sw, 0x9000);
	rig_free(&r);
}
END_TEST

/* Whoever selects and leaves the instance takes no part away that has come. */
START_TEST(a_selection_loses_no_part)
{
	struct rig *r = card_with("");
	struct ota_keys k = set_1();
	char script[700] = "00A40004024F05";
	struct ota_command c;
	struct bytes packet;

	for (unsigned i = 0; i < 20; i++)
		(void)snprintf(script + strlen(script), sizeof script - strlen(script), "00D60000050102030405");
	c = command(1, "B05F90", script);
	packet = build(&k, &c);
	for (unsigned i = 1; i <= sms_parts(packet.n); i++) {
		ck_assert_uint_eq(send_part(r, packet, i), 0x9000);
		if (i == 1) {
			ck_assert_uint_eq(rig_send(r, "00A4040C07F050524F5345F1"), 0x9000);
			ck_assert_uint_eq(rig_send(r, "00A4040C10A0000000871002FFFFFFFF8907090000"), 0x9000);
		}
	}
	ck_assert_uint_eq(result_of(opened(&k, 0x19, rig_data())).executed, 21);
	rig_free(&r);
}
END_TEST

/* The rest of a message that does not come within ten minutes is not waited for; one that began later gets its own ten. */
START_TEST(missing_parts_time_out)
{
	struct rig *r = card_with("");
	struct ota_keys k = set_1();
	char script[700] = "00A40004024F05";
	struct ota_command c;
	struct bytes packet;

	for (unsigned i = 0; i < 20; i++)
		(void)snprintf(script + strlen(script), sizeof script - strlen(script), "00D60000050102030405");
	c = command(1, "B05F90", script);
	packet = build(&k, &c);
	ck_assert_uint_eq(sms_parts(packet.n), 2);
	ck_assert_uint_eq(rig_send(r, "8010000002FFFF"), 0x9000);
	ck_assert_uint_eq(send_part(r, packet, 1) & 0xFF00, 0x9100); /* TIMER MANAGEMENT: start 7, ten minutes */
	ck_assert_uint_eq(rig_send(r, "8012000013"), 0x9000);
	ck_assert(bytes_equal(rig_data(), hex("D011"
	                                      "8103012700"
	                                      "82028182"
	                                      "A40107"
	                                      "A503000100")));
	ck_assert_uint_eq(rig_send(r, "801400000F"
	                              "8103012700"
	                              "82028281"
	                              "830100"
	                              "A40107"),
	        0x9000);
	ck_assert_uint_eq(rig_send(r, "80C200000E"
	                              "D70C"
	                              "82028281"
	                              "A40107"
	                              "A503000000"),
	        0x9000);
	ck_assert_uint_eq(send_part(r, packet, 2) & 0xFF00, 0x9100); /* half of nothing */
	ck_assert_uint_eq(rig_data().n, 0);
	ck_assert_uint_eq(rig_send(r, "8012000013"), 0x9000);
	ck_assert_uint_eq(rig_send(r, "801400000F"
	                              "8103022700"
	                              "82028281"
	                              "830100"
	                              "A40107"),
	        0x9000);
	ck_assert_uint_eq(send_part(r, packet, 1) & 0xFF00, 0x9100); /* whole again, in time: REFRESH */
	ck_assert_uint_gt(rig_data().n, 0);
	rig_free(&r);
}
END_TEST

static unsigned broadcast(struct rig *r, struct bytes packet, uint16_t serial)
{
	unsigned sw = 0;

	for (unsigned i = cb_pages(packet.n); i >= 1; i--) {
		uint8_t page_raw[CB_PAGE_LEN], data_raw[120], raw[140];
		struct buf page = BUF_OF(page_raw), data = BUF_OF(data_raw), b = BUF_OF(raw);

		ck_assert_int_eq(cb_page_put(&page, packet, 0x1080, serial, i), OK);
		cb_envelope_put(&data, buf_bytes(&page));
		apdu_put(&b, &(struct command_apdu){
		                     .cla = 0x80, .ins = INS_ENVELOPE, .data = buf_bytes(&data), .has_le = true, .ne = 256 });
		sw = rig_send_bytes(r, buf_bytes(&b));
	}
	return sw;
}

/* By cell broadcast: taken like any other packet, replays refused, never answered. */
START_TEST(cell_broadcasts)
{
	struct rig *r = card_with("");
	struct ota_keys k = set_1();
	struct ota_command c = command(1, "B05F90", "00A40004024F0500D60000050102030405");
	char script[500] = "00A40004024F05";

	ck_assert_uint_eq(broadcast(r, build(&k, &c), 1), 0x9000);
	ck_assert_uint_eq(rig_data().n, 0);
	for (unsigned i = 0; i < 20; i++)
		(void)snprintf(script + strlen(script), sizeof script - strlen(script), "00D600000101");
	(void)snprintf(script + strlen(script), sizeof script - strlen(script), "00D60000020A0B");
	c = command(2, "B05F90", script);
	ck_assert_uint_ge(cb_pages(build(&k, &c).n), 3);
	ck_assert_uint_eq(broadcast(r, build(&k, &c), 2), 0x9000);
	ck_assert_uint_eq(rig_data().n, 0);
	ck_assert_uint_eq(broadcast(r, build(&k, &c), 3), 0x9000); /* again: nothing, and no word about it */
	ck_assert_uint_eq(rig_data().n, 0);
	c.spi2 |= SPI2_POR_SUBMIT;
	c.counter = 3;
	ck_assert_uint_eq(broadcast(r, build(&k, &c), 4), 0x9000);
	ck_assert_uint_eq(rig_send(r, "80F2000C00"), 0x9000); /* no short message either */
	c = command(4, "B05F90", "00A40004024F0500B0000005");
	ck_assert_uint_eq(send_packet(r, build(&k, &c)), 0x9000);
	ck_assert(bytes_equal(result_of(opened(&k, 0x19, rig_data())).data, hex("0A0B030405")));
	rig_free(&r);
}
END_TEST

/* Scripts in scripts, packets in scripts, and commands that are not for scripts. */
START_TEST(scripts_inside_scripts)
{
	static const char *const compact[] = { "80C2000003D10100", "80140000020000", "8012000000", "0070000001", "0088008100",
		"8010000001FF", "00C0000000", "AA0922070070000001" };
	static const char *const expanded[] = { "AA08"
		                                "AA06"
		                                "2204"
		                                "00A40000",
		"AE80"
		"AE80"
		"0000"
		"0000",
		"AA0B"
		"2209"
		"80C2000003D1010000",
		"AA07"
		"2205"
		"0070000001" };
	struct rig *r = card_with("");
	struct ota_keys k = set_1();
	uint64_t counter = 0;

	for (size_t i = 0; i < sizeof compact / sizeof *compact; i++) {
		struct ota_command c = command(++counter, i % 2 == 0 ? "B00000" : "000000", compact[i]);
		struct script_result s;

		ck_assert_uint_eq(send_packet(r, build(&k, &c)), 0x9000);
		s = result_of(opened(&k, 0x19, rig_data()));
		ck_assert_uint_eq(s.executed, 1);
		ck_assert_msg(s.sw != 0x9000 && s.data.n == 0, "%s", compact[i]);
	}
	for (size_t i = 0; i < sizeof expanded / sizeof *expanded; i++) {
		struct ota_command c = command(++counter, "B00120", expanded[i]);
		struct expanded_answer a;

		ck_assert_uint_eq(send_packet(r, build(&k, &c)), 0x9000);
		ck_assert_int_eq(expanded_answer_parse(opened(&k, 0x19, rig_data()).data, &a), OK);
		ck_assert_msg(a.fault != EXPANDED_FINE || bytes_uint((struct bytes){ a.last.p, a.last.n }) != 0x9000, "%s",
		        expanded[i]);
	}
	rig_free(&r);
}
END_TEST

/* Answers by SMS-SUBMIT: 91xx, FETCH, and what the terminal would send opens at the server. */
static struct bytes fetch_submit(struct rig *r, struct sms_assembly *assembly)
{
	unsigned sw = rig_send(r, "80F2000C00");
	struct bytes whole = { 0 }, command_octets, tpdu, in;
	struct sms_part part;
	char text[64];
	struct tlv t;

	while (whole.n == 0) {
		ck_assert_uint_eq(sw & 0xFF00, 0x9100);
		(void)snprintf(text, sizeof text, "80120000%02X", sw & 0xFF);
		ck_assert_uint_eq(rig_send(r, text), 0x9000);
		in = rig_data();
		ck_assert_int_eq(tlv_next(&in, &t), OK);
		command_octets = t.value;
		ck_assert(cat_find(command_octets, CAT_TAG_TPDU, &tpdu));
		ck_assert_int_eq(sms_submit_parse(exact_copy(tpdu), &part), OK);
		ck_assert(cat_find(command_octets, CAT_TAG_DETAILS, &in) && in.p[1] == CAT_SEND_SHORT_MESSAGE);
		(void)snprintf(text, sizeof text, "801400000C8103%02X130082028281830100", in.p[0]);
		(void)!sms_assemble(assembly, &part, &whole);
		sw = rig_send(r, text);
	}
	return whole;
}

static uint64_t counted(const struct rig *r, const char *name)
{
	SECRET_LARGE record = { 0 };
	enum status st = applet_get((struct applet *)(uintptr_t)&r->card.applet[2], bytes_str(name), &record);

	return st == OK ? bytes_uint(secret_large_bytes(&record)) : 0;
}

/* What a stranger sends who wants the answer as a short message: no security at all, or a MAC that is wrong. */
static struct bytes strangers_packet(bool with_mac)
{
	struct ota_keys k = set_1();
	struct ota_command c = command(1, "B00000", "00A40004022FE2");
	struct bytes packet;

	c.spi1 = with_mac ? c.spi1 : 0;
	c.spi2 = 0x21;
	if (!with_mac)
		c.kic = c.kid = 0;
	packet = build(&k, &c);
	packet_memory[packet.n - 1] ^= with_mac ? 1 : 0;
	return packet;
}

/* Without a right MAC the card answers in the delivery report at most, however often: no short message to a number that a
 * stranger has chosen, and a bounded number of writes. */
START_TEST(a_stranger_causes_no_short_message)
{
	struct rig *r = card_with("");
	long writes;

	ck_assert_uint_eq(rig_send(r, "8010000002FFFF"), 0x9000);
	writes = r->store.writes;
	for (int i = 0; i < 300; i++) {
		ck_assert_uint_eq(send_packet(r, strangers_packet(_i == 1)), 0x9000);
		ck_assert(bytes_equal(rig_data(), hex("027100000B0AB0000000000000000006")));
		ck_assert_uint_eq(rig_send(r, "80F2000C00"), 0x9000);
	}
	ck_assert_int_le(r->store.writes - writes, 110);
	ck_assert_uint_eq(counted(r, _i == 1 ? "bad/01" : "bad/00"), 100);
	rig_reboot(r);
	ck_assert_uint_eq(send_packet(r, strangers_packet(_i == 1)), 0x9000);
	ck_assert_uint_eq(counted(r, _i == 1 ? "bad/01" : "bad/00"), 101);
	rig_free(&r);
}
END_TEST

/* Where a limit hangs on the count it is exact, and stops there. */
START_TEST(a_limit_counts_every_wrong_mac)
{
	struct rig *r = card_with("\"ota_policy\": {\"max_failures\": 150}");

	for (int i = 0; i < 400; i++)
		ck_assert_uint_eq(send_packet(r, strangers_packet(true)), 0x9000);
	ck_assert_uint_ge(counted(r, "bad/01"), 150);
	ck_assert_uint_le(counted(r, "bad/01"), 250);
	rig_free(&r);
}
END_TEST

/* A laboratory may have short messages for what is not secured: so many a power-on. */
START_TEST(strangers_short_messages_are_policy)
{
	static struct sms_assembly assembly;
	struct rig *r = card_with("\"ota_policy\": {\"submits\": 2}");

	for (int power_on = 0; power_on < 2; power_on++) {
		ck_assert_uint_eq(rig_send(r, "8010000002FFFF"), 0x9000);
		for (int i = 0; i < 2; i++) {
			ck_assert_uint_eq(send_packet(r, strangers_packet(false)) & 0xFF00, 0x9100);
			ck_assert_uint_eq(rig_data().n, 0);
			(void)fetch_submit(r, &assembly);
		}
		for (int i = 0; i < 3; i++) {
			ck_assert_uint_eq(send_packet(r, strangers_packet(i % 2 == 1)), 0x9000);
			ck_assert(bytes_equal(rig_data(), hex("027100000B0AB0000000000000000006")));
		}
		rig_reboot(r);
	}
	rig_free(&r);
}
END_TEST

/* The originator's number is not under the MAC: a genuine packet that is sent again, by whomever, is answered in the delivery
 * report; the operator's own next one by short message. */
START_TEST(a_replay_causes_no_short_message)
{
	static struct sms_assembly assembly;
	struct rig *r = card_with("");
	struct ota_keys k = set_1();
	struct ota_command c = command(1, "B00000", "00A40004022FE2");

	ck_assert_uint_eq(rig_send(r, "8010000002FFFF"), 0x9000);
	c.spi2 = 0x29;
	for (int i = 0; i < 3; i++, c.counter++) {
		ck_assert_uint_eq(send_packet(r, build(&k, &c)) & 0xFF00, 0x9100);
		(void)fetch_submit(r, &assembly);
		for (int again = 0; again < 3; again++) {
			ck_assert_uint_eq(send_packet(r, build(&k, &c)), 0x9000);
			ck_assert_uint_eq(opened(&k, 0x29, rig_data()).rsc, RSC_COUNTER_LOW);
		}
	}
	rig_free(&r);
}
END_TEST

START_TEST(answers_travel_as_spi2_asks)
{
	static struct sms_assembly assembly;
	struct rig *r = card_with("");
	struct ota_keys k = set_1();
	struct ota_command c = command(1, "B05F90", WRITE);
	struct ota_response out;
	struct bytes por;
	uint8_t raw[600];
	struct buf b = BUF_OF(raw);
	bool secured;

	ck_assert_uint_eq(rig_send(r, "8010000002FFFF"), 0x9000);
	c.spi2 = 0x39;
	ck_assert_uint_eq(send_packet(r, build(&k, &c)) & 0xFF00, 0x9100);
	ck_assert_uint_eq(rig_data().n, 0);
	ck_assert_uint_eq(rig_send(r, "8012000016"), 0x9000); /* the REFRESH of the script comes first */
	ck_assert_uint_eq(rig_send(r, "801400000C810301010182028281830100") & 0xFF00, 0x9100);
	por = fetch_submit(r, &assembly);
	buf_put(&b, hex("027100"));
	buf_put(&b, por);
	ck_assert_int_eq(ota_response_open(&k, 0x39, buf_bytes(&b), &plain, &out, &secured), OK);
	ck_assert(secured);
	ck_assert_uint_eq(result_of(out).executed, 2);
	rig_free(&r);
}
END_TEST

/* Expanded scripts: every R-APDU comes back; too long for a delivery report, RSC 0B says that it follows by SMS-SUBMIT. */
START_TEST(expanded_answers)
{
	static struct sms_assembly assembly;
	struct rig *r = card_with("");
	struct ota_keys k = set_1();
	struct ota_command c = command(1, "B00120", "AA10220700A40004022FE2220500B000000A");
	struct expanded_answer e;
	struct ota_response out;
	uint8_t raw[600], script_raw[200];
	struct buf items = BUF_OF(raw), script = BUF_OF(script_raw);
	bool secured;

	ck_assert_uint_eq(rig_send(r, "8010000002FFFF"), 0x9000);
	ck_assert_uint_eq(send_packet(r, build(&k, &c)), 0x9000);
	out = opened(&k, 0x19, rig_data());
	ck_assert(bytes_equal(out.data, hex("AB1580010223029000230C980001010000000010F79000")));
	ck_assert_int_eq(expanded_answer_parse(out.data, &e), OK);
	ck_assert_uint_eq(e.executed, 2);
	ck_assert(bytes_equal((struct bytes){ e.last.p + 10, 2 }, hex("9000")));
	/* An unknown tag stops the script and is named. */
	c = command(2, "B00120", "AA0B220700A40004022FE2C100");
	ck_assert_uint_eq(send_packet(r, build(&k, &c)), 0x9000);
	ck_assert_int_eq(expanded_answer_parse(opened(&k, 0x19, rig_data()).data, &e), OK);
	ck_assert_int_eq(e.fault, EXPANDED_UNKNOWN_TAG);
	ck_assert_uint_eq(e.executed, 1);
	/* All or nothing: the second command fails, the first is undone. */
	c = command(3, "B05F91", "AA1D220700A40004024F05220900D6000004AABBCCDD220700A40004021234");
	ck_assert_uint_eq(send_packet(r, build(&k, &c)), 0x9000);
	ck_assert_int_eq(expanded_answer_parse(opened(&k, 0x19, rig_data()).data, &e), OK);
	ck_assert_uint_eq(e.executed, 0);
	/* A hundred octets three times. */
	expanded_put(&items, hex("00A40004024F04"));
	for (int i = 0; i < 3; i++)
		expanded_put(&items, hex("00B0000064"));
	expanded_close(&script, buf_bytes(&items), false);
	c = command(4, "B05F91", "");
	c.data = buf_bytes(&script);
	ck_assert_uint_eq(send_packet(r, build(&k, &c)) & 0xFF00, 0x9100);
	rig_free(&r);
	r = card_with("");
	ck_assert_uint_eq(send_packet(r, build(&k, &c)), 0x9000);
	ck_assert_uint_eq(opened(&k, 0x19, rig_data()).rsc, RSC_BY_SUBMIT);
	ck_assert_uint_eq(rig_send(r, "8010000002FFFF") & 0xFF00, 0x9100);
	{
		struct bytes por = fetch_submit(r, &assembly);
		static uint8_t whole[700];
		struct buf w = BUF_OF(whole);

		buf_put(&w, hex("027100"));
		buf_put(&w, por);
		ck_assert_int_eq(ota_response_open(&k, 0x19, buf_bytes(&w), &plain, &out, &secured), OK);
	}
	ck_assert(secured);
	ck_assert_int_eq(expanded_answer_parse(out.data, &e), OK);
	ck_assert_uint_eq(e.executed, 4);
	ck_assert_uint_eq(e.last.n, 102);
	rig_free(&r);
}
END_TEST

Suite *suite_rfm(void)
{
	Suite *s = suite_create("rfm");
	TCase *t = tcase_create("rfm");

	tcase_add_test(t, strangers_learn_nothing);
	tcase_add_test(t, silence_and_blocking_are_policy);
	tcase_add_test(t, a_short_cc_has_a_limit);
	tcase_add_test(t, key_sets_have_their_own_algorithm_and_counter);
	tcase_add_test(t, counters_only_go_up);
	tcase_add_test(t, long_scripts_come_in_parts);
	tcase_add_test(t, a_selection_loses_no_part);
	tcase_add_test(t, missing_parts_time_out);
	tcase_add_test(t, cell_broadcasts);
	tcase_add_test(t, scripts_inside_scripts);
	tcase_add_test(t, answers_travel_as_spi2_asks);
	tcase_add_loop_test(t, a_stranger_causes_no_short_message, 0, 2);
	tcase_add_test(t, a_limit_counts_every_wrong_mac);
	tcase_add_test(t, strangers_short_messages_are_policy);
	tcase_add_test(t, a_replay_causes_no_short_message);
	tcase_add_test(t, expanded_answers);
	suite_add_tcase(s, t);
	return s;
}
