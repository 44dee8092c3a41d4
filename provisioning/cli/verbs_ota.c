/* SPDX-License-Identifier: Apache-2.0 */
/* prose-net ota: single updates, new key sets, what a card answered, and any message in words. */
#include <stdio.h>
#include <string.h>

#include "apdu/aids.h"
#include "apdu/base/hex.h"
#include "apdu/sw.h"
#include "ota/packet.h"
#include "ota/sms.h"
#include "provisioning/cli/explain.h"
#include "provisioning/cli/net.h"
#include "provisioning/campaign/worker.h"

/* SPI2 for --por report (default) or submit. */
uint8_t por_of(const struct arguments *a)
{
	return a->por != NULL && strcmp(a->por, "submit") == 0 ? SPI2_DEFAULT | SPI2_POR_SUBMIT : SPI2_DEFAULT;
}

static enum status write_messages(const char *path, struct bytes packet, uint8_t reference)
{
	static char text[WORKER_MESSAGES_MAX];
	struct buf out = { (uint8_t *)text, 0, sizeof text, false };

	TRY(worker_messages(packet, reference, &out));
	return net_write_file(path, buf_bytes(&out));
}

int ota_push(struct arguments *a)
{
	uint8_t fid[2], content[OTA_PACKET_MAX], packet_raw[OTA_PACKET_MAX];
	struct ota_file_update update = { .record = (unsigned)a->record, .spi2 = por_of(a) };
	struct buf t = BUF_OF(update.tar), f = BUF_OF(fid), c = BUF_OF(content), packet = BUF_OF(packet_raw);
	uint64_t counter = 0;
	enum status st;

	if (a->card == NULL || a->file == NULL || a->out == NULL || a->count != 1 ||
	        hex_decode(bytes_str(a->tar != NULL ? a->tar : "B05F90"), &t) != OK || t.len != TAR_LEN ||
	        hex_decode(bytes_str(a->file), &f) != OK || f.len != 2 || hex_decode(bytes_str(a->words[0]), &c) != OK)
		return net_fail("ota update", NULL, "needs HEX, --card ICCID, --file FID, --out FILE; --tar is three octets",
		        EXIT_USAGE);
	update.fid = (uint16_t)(fid[0] << 8 | fid[1]);
	update.content = buf_bytes(&c);
	st = ota_update(a->db, a->card, &update, &packet, &counter);
	if (st == OK)
		st = write_messages(a->out, buf_bytes(&packet), (uint8_t)counter);
	if (st == OK)
		(void)printf("%s: counter %llu, %u short message%s\n", a->out, (unsigned long long)counter,
		        sms_parts(packet.len), sms_parts(packet.len) == 1 ? "" : "s");
	return net_report("ota update", a->card, st);
}

/* The response packet in a FILE of hex. */
static bool read_response(const struct arguments *a, struct buf *b)
{
	char text[1024] = "";
	FILE *f = a->count == 1 ? fopen(a->words[0], "re") : NULL;
	bool ok = f != NULL && fgets(text, sizeof text, f) != NULL && hex_decode(bytes_str(text), b) == OK;

	if (f != NULL)
		(void)fclose(f);
	return ok && a->card != NULL;
}

int print_verdict(const struct ota_verdict *v)
{
	if (v->rsc != RSC_OK) {
		(void)printf("RSC %02X (%s), %s\n", (unsigned)v->rsc, ota_rsc_text(v->rsc),
		        v->secured ? "signed by the card" : "NOT signed");
		return EXIT_REFUSED;
	}
	(void)printf("RSC 00, signed by the card: counter %llu, %u commands, %04X (%s)\n", (unsigned long long)v->counter,
	        v->executed, v->sw, sw_text(v->sw));
	return v->sw == SW_OK ? 0 : EXIT_REFUSED;
}

int ota_check(struct arguments *a)
{
	uint8_t raw[512];
	struct buf b = BUF_OF(raw);
	struct ota_verdict v;

	if (!read_response(a, &b))
		return net_fail(
		        "ota verify", NULL, "needs --card ICCID and a FILE with the response packet in hex", EXIT_USAGE);
	if (ota_verify(a->db, a->card, por_of(a), buf_bytes(&b), &v) != OK)
		return net_fail("ota verify", a->words[0], "this is no answer of that card", EXIT_REFUSED);
	return print_verdict(&v);
}

int ota_new_keys(struct arguments *a)
{
	uint8_t raw[OTA_PACKET_MAX];
	struct buf packet = BUF_OF(raw);
	uint64_t counter;
	enum status st;

	if (a->card == NULL || a->out == NULL || a->count != 0 || a->kvn < 1 || a->kvn > 15)
		return net_fail("ota rotate", NULL, "needs --card ICCID, --kvn 1 to 15 (a new one) and --out FILE", EXIT_USAGE);
	st = ota_rotate(a->db, a->card, (uint8_t)a->kvn, &packet, &counter);
	if (st == ERR_DENIED)
		return net_fail("ota rotate", a->card,
		        "this key set is in use, or the security domain's keys of this card are not known", EXIT_REFUSED);
	if (st == OK)
		st = write_messages(a->out, buf_bytes(&packet), (uint8_t)counter);
	return net_report("ota rotate", a->card, st);
}

int ota_transport(struct arguments *a)
{
	uint8_t raw[OTA_PACKET_MAX];
	struct buf packet = BUF_OF(raw);
	uint64_t counter;
	enum status st;

	if (a->card == NULL || a->out == NULL || a->count != 0)
		return net_fail("ota transport", NULL, "needs --card ICCID and --out FILE", EXIT_USAGE);
	st = order_keys_over_the_air(a->db, a->card, net_now(), &packet, &counter);
	if (st == OK)
		st = write_messages(a->out, buf_bytes(&packet), (uint8_t)counter);
	return net_report("ota transport", a->card, st);
}

int ota_confirm(struct arguments *a)
{
	uint8_t raw[512];
	struct buf b = BUF_OF(raw);
	struct ota_verdict v;
	enum status st;

	if (!read_response(a, &b))
		return net_fail(
		        "ota rotated", NULL, "needs --card ICCID and a FILE with the response packet in hex", EXIT_USAGE);
	st = ota_rotated(a->db, a->card, buf_bytes(&b), &v);
	if (st == ERR_NOT_FOUND)
		return net_fail("ota rotated", a->card, "no key set waits for this card: `ota rotate` first", EXIT_REFUSED);
	if (st != OK)
		return net_fail("ota rotated", a->words[0], "this is no answer of that card", EXIT_REFUSED);
	return print_verdict(&v);
}

/* The message of one word, or the packet that is in several short messages. */
static bool take_words(const struct arguments *a, struct buf *b)
{
	static struct sms_assembly assembly;
	struct bytes whole = { 0 };

	if (a->count == 1)
		return hex_decode(bytes_str(a->words[0]), b) == OK && b->len > 0;
	for (size_t i = 0; i < a->count; i++) {
		uint8_t raw[SMS_TPDU_MAX];
		struct buf tpdu = BUF_OF(raw);
		struct sms_part part;

		if (hex_decode(bytes_str(a->words[i]), &tpdu) != OK || sms_deliver_parse(buf_bytes(&tpdu), &part) != OK)
			return false;
		if (sms_assemble(&assembly, &part, &whole) == OK)
			break;
	}
	buf_put(b, whole);
	return b->len > 0 && !b->failed;
}

int ota_explain(struct arguments *a)
{
	SECRET_LARGE memory = { 0 };
	struct buf b = BUF_OF(net_output);
	struct ota_keys k;
	uint8_t spi2 = SPI2_DEFAULT;
	struct buf s = { &spi2, 0, 1, false };
	enum status st;

	if (!take_words(a, &b) || (a->spi2 != NULL && hex_decode(bytes_str(a->spi2), &s) != OK))
		return net_fail("ota explain", NULL,
		        "needs a packet, ENVELOPE or short message in HEX, or all short messages of a packet (and --spi2 as one octet)",
		        EXIT_USAGE);
	if (a->keys != NULL && (st = explain_keys(a->keys, &memory, &k)) != OK)
		return net_fail("ota explain", a->keys,
		        st == ERR_DENIED ? "others can read it: chmod 600"
		                         : "is not {\"kvn\": 1, \"algorithm\": \"aes\", \"kic\": HEX, \"kid\": HEX, \"cc\": 8}",
		        EXIT_REFUSED);
	if (a->keys == NULL && a->card != NULL && (st = ota_card_keys(a->db, a->card, &memory, &k)) != OK)
		return net_report("ota explain", a->card, st);
	if (explain(buf_bytes(&b), a->keys != NULL || a->card != NULL ? &k : NULL, spi2, stdout) != OK)
		return net_fail("ota explain", NULL,
		        "this is no packet, short message or ENVELOPE (CPL must be the octets that follow it)", EXIT_REFUSED);
	return 0;
}
