/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/cli/explain.h"

#include <jansson.h>
#include <string.h>
#include <sys/stat.h>

#include "apdu/apdu.h"
#include "apdu/cat.h"
#include "apdu/aids.h"
#include "apdu/files.h"
#include "apdu/base/hex.h"
#include "apdu/ins.h"
#include "apdu/sw.h"
#include "apdu/tlv.h"
#include "apdu/prose.h"
#include "apdu/sealed.h"
#include "ota/cell_broadcast.h"
#include "ota/http_admin.h"
#include "ota/script.h"
#include "ota/sms.h"

enum { SHOWN = 32 };

static const struct tar_name {
	const char *tar, *name;
	bool expanded, objects;
} tars[] = {
	{ TAR_RFM_UICC, "remote file management, UICC", false },
	{ TAR_RFM_USIM, "remote file management, USIM", false },
	{ TAR_RFM_PROSE, "remote file management, DF_ProSe, all or nothing", false },
	{ TAR_RFM_UICC_EXPANDED, "remote file management, UICC, expanded", true },
	{ TAR_RFM_PROSE_EXPANDED, "remote file management, DF_ProSe, all or nothing, expanded", true },
	{ TAR_CARD_MANAGER, "card manager (remote application management)", false },
	{ TAR_PROSE, "ProSe applet: sealed objects and I_MESSAGEs", false, true },
};

static const struct tar_name *tar_of(const uint8_t tar[OTA_TAR_LEN])
{
	for (size_t i = 0; i < sizeof tars / sizeof *tars; i++)
		if (memcmp(tars[i].tar, tar, OTA_TAR_LEN) == 0)
			return &tars[i];
	return NULL;
}

/* At most SHOWN octets. */
static const char *shown(struct bytes b, char text[2 * SHOWN + 4])
{
	bool more = b.n > SHOWN;

	if (more)
		b.n = SHOWN;
	(void)hex_encode(b, text);
	if (more)
		memcpy(text + strlen(text), "...", 4);
	return text;
}

static const char *algorithm(uint8_t nibble, bool crc)
{
	switch (nibble) {
	case 0x0: return "algorithm not said";
	case KEY_DES: return crc ? "CRC-16" : "single DES: broken";
	case KEY_AES: return "AES";
	case KEY_3DES_2: return crc ? "CRC-32" : "3DES, two keys";
	case KEY_3DES_3: return "3DES, three keys";
	case 0xD: return "DES-ECB: broken";
	default: return "proprietary";
	}
}

static void header(const struct ota_command *c, FILE *out)
{
	static const char *const integrity[] = { "nothing protects it", "RC (anybody can make one)", "CC",
		"digital signature" };
	static const char *const counters[] = { "no counter", "counter not checked", "counter must be higher",
		"counter must be the next" };
	static const char *const por[] = { "none", "always", "on error", "reserved" };
	static const char *const por_integrity[] = { "unprotected", "RC", "CC", "digital signature" };
	const struct tar_name *t = tar_of(c->tar);
	bool crc = (c->spi1 & SPI1_INTEGRITY) == SPI1_RC;
	char text[7];

	(void)fprintf(out, "SPI1    %02X      %s, %s, %s\n", c->spi1, integrity[c->spi1 & 3],
	        (c->spi1 & SPI1_CIPHERED) != 0 ? "ciphered" : "in clear", counters[c->spi1 >> 3 & 3]);
	(void)fprintf(out, "SPI2    %02X      proof of receipt: %s, %s, %s, %s\n", c->spi2, por[c->spi2 & 3],
	        por_integrity[c->spi2 >> 2 & 3], (c->spi2 & SPI2_POR_CIPHERED) != 0 ? "ciphered" : "in clear",
	        (c->spi2 & SPI2_POR_SUBMIT) != 0 ? "by SMS-SUBMIT" : "by delivery report");
	(void)fprintf(
	        out, "KIc     %02X      key set %u, %s\n", c->kic, (unsigned)(c->kic >> 4), algorithm(c->kic & 15, false));
	(void)fprintf(out, "KID     %02X      key set %u, %s\n", c->kid, (unsigned)(c->kid >> 4), algorithm(c->kid & 15, crc));
	(void)fprintf(out, "TAR     %s  %s\n", hex_encode(BYTES_OF(c->tar), text), t != NULL ? t->name : "unknown here");
}

static void one_command(const struct command_apdu *a, FILE *out)
{
	const struct ins_name *n = ins_name(a->ins);
	char text[2 * SHOWN + 4];
	const char *file = "";

	for (size_t i = 0; a->ins == INS_SELECT && a->data.n == 2 && i < ef_name_count; i++)
		if (strlen(ef_names[i].path) >= 4 &&
		        strcasecmp(ef_names[i].path + strlen(ef_names[i].path) - 4, shown(a->data, text)) == 0 && file[0] == 0)
			file = ef_names[i].name;
	(void)fprintf(out, "        %s %02X %02X", n != NULL ? n->name : "unknown command", a->p1, a->p2);
	if (a->data.n > 0)
		(void)fprintf(out, " %s", n != NULL && n->kind == INS_PIN ? "(not shown)" : shown(a->data, text));
	if (a->has_le)
		(void)fprintf(out, " Le %zu", a->ne);
	(void)fprintf(out, "%s%s\n", file[0] != 0 ? "  " : "", file);
}

static void objects(struct bytes in, FILE *out)
{
	struct sealed sealed;
	struct bytes start;
	struct tlv t;

	for (start = in; in.n > 0 && tlv_next(&in, &t) == OK; start = in) {
		if (t.tag == TAG_SEALED && sealed_parse((struct bytes){ start.p, start.n - in.n }, &sealed) == OK)
			(void)fprintf(out, "        sealed object of kind %u, sequence %llu, \"%.*s\"\n",
			        (unsigned)sealed.header.kind, (unsigned long long)sealed.header.sequence,
			        (int)sealed.header.name.n, (const char *)sealed.header.name.p);
		else
			(void)fprintf(out, "        %s, %zu octets\n",
			        t.tag == TAG_IMPORT ? "I_MESSAGE" : "an object that the card refuses", t.value.n);
	}
	if (in.n > 0)
		(void)fprintf(out, "        then %zu octets that are no object\n", in.n);
}

/* False: it is no order to call a server. */
static bool trigger(struct bytes in, FILE *out)
{
	struct admin_trigger t;
	struct bytes transport, address;
	char text[2 * SHOWN + 4];

	if (admin_trigger_parse(in, &t) != OK)
		return false;
	(void)fprintf(out, "call    https://%.*s%.*s as %.*s, key %02X/%02X\n", (int)t.host.n, (const char *)t.host.p,
	        (int)t.uri.n, (const char *)t.uri.p, (int)t.identity.n, (const char *)t.identity.p, t.kvn, t.kid);
	if (tlv_find(t.connection, CAT_TAG_TRANSPORT_LEVEL, &transport) == OK && transport.n == 3 &&
	        tlv_find(t.connection, CAT_TAG_OTHER_ADDRESS, &address) == OK && address.n == 5)
		(void)fprintf(out, "        TCP to %u.%u.%u.%u:%u", address.p[1], address.p[2], address.p[3], address.p[4],
		        (unsigned)bytes_uint((struct bytes){ transport.p + 1, 2 }));
	else
		(void)fprintf(out, "        channel %s", shown(t.connection, text));
	(void)fprintf(out, ", tried %u times more, %u s apart\n", t.retries, t.delay);
	return true;
}

static void script(struct bytes in, bool expanded, FILE *out)
{
	struct expanded_script s;
	struct expanded_item item;
	enum expanded_fault fault = EXPANDED_FINE;
	struct command_apdu a;
	char text[2 * SHOWN + 4];

	(void)fprintf(out, "script  %zu octets, %s\n", in.n, expanded ? "expanded" : "compact");
	if (expanded && expanded_open(in, &s) == OK) {
		while (expanded_next(&s, &item, &fault) == OK)
			if (item.kind == EXPANDED_COMMAND)
				one_command(&item.command, out);
			else
				(void)fprintf(out, "        action %02X %s\n", (unsigned)item.kind, shown(item.value, text));
		if (fault != EXPANDED_FINE)
			(void)fprintf(out, "        then a TLV that a card refuses (fault %02X)\n", (unsigned)fault);
		return;
	}
	while (in.n > 0 && script_next(&in, &a) == OK)
		one_command(&a, out);
	if (in.n > 0)
		(void)fprintf(out, "        then %zu octets that are no command: %s\n", in.n, shown(in, text));
}

/* What one of our cards would do, in the order in which it looks. */
static void verdict(const struct ota_command *c, const char *fault, bool opened, bool have_keys, FILE *out)
{
	const struct tar_name *t = tar_of(c->tar);

	(void)fputs("a card  ", out);
	if ((c->spi1 & SPI1_INTEGRITY) != SPI1_CC)
		(void)fputs("refuses it, RSC 06: only a CC proves where it comes from (SPI1 bits 2 and 1)\n", out);
	else if (fault != NULL)
		(void)fprintf(out, "refuses it, RSC 06 without a reason. The reason: %s\n", fault);
	else if (!have_keys)
		(void)fputs("checks the CC first: give --card or --keys to know what it finds\n", out);
	else if (!opened)
		(void)fputs(
		        "refuses it, RSC 06 without a reason. The reason: the CC is wrong (other keys, or changed on the way)\n",
		        out);
	else if (t == NULL)
		(void)fputs("answers RSC 09: no application has this TAR\n", out);
	else if ((c->spi1 & SPI1_DEFAULT) != SPI1_DEFAULT)
		(void)fputs("answers RSC 0A: below the minimum security level 16 (CC, ciphered, counter higher)\n", out);
	else
		(void)fprintf(out, "runs it if %llu is %s its key set's counter, else answers RSC 02%s\n",
		        (unsigned long long)c->counter,
		        (c->spi1 & SPI1_COUNTER) == SPI1_COUNTER_STRICT ? "just above" : "above",
		        (c->spi1 & SPI1_COUNTER) == SPI1_COUNTER_STRICT ? " or 03" : "");
}

static enum status command_packet(struct bytes packet, const struct ota_keys *k, FILE *out)
{
	SECRET_LARGE plain = { 0 };
	struct ota_command c;
	const char *fault;
	bool opened;

	TRY(ota_command_peek(packet, &c));
	(void)fprintf(out, "command packet, %zu octets\n", packet.n);
	header(&c, out);
	fault = ota_command_fault(k, &c);
	opened = k != NULL && fault == NULL && ota_command_open(k, packet, &plain, &c) == OK;
	if (opened) {
		const struct tar_name *t = tar_of(c.tar);

		(void)fprintf(out, "counter %llu\n", (unsigned long long)c.counter);
		if (t != NULL && t->objects)
			objects(c.data, out);
		else if (!trigger(c.data, out))
			script(c.data, t != NULL && t->expanded, out);
	}
	verdict(&c, fault, opened, k != NULL, out);
	return OK;
}

static enum status response_packet(struct bytes packet, const struct ota_keys *k, uint8_t spi2, FILE *out)
{
	SECRET_LARGE plain = { 0 };
	struct ota_response r;
	struct script_result s;
	struct expanded_answer e;
	bool secured = false;
	char text[2 * SHOWN + 4];
	enum status st = ota_response_open(k, k != NULL ? spi2 : 0, packet, &plain, &r, &secured);

	(void)fprintf(out, "response packet, %zu octets\nTAR     %s\n", packet.n, shown(BYTES_OF(r.tar), text));
	if (st != OK) {
		(void)fputs(k == NULL ? "        protected: give --card or --keys (and --spi2 of the command) to open it\n"
		                      : "        does not open with these keys and this SPI2\n",
		        out);
		return OK;
	}
	(void)fprintf(out, "counter %llu\nstatus  %02X      %s\nproof   %s\n", (unsigned long long)r.counter, r.rsc,
	        ota_rsc_text(r.rsc), secured ? "CC right: this card has answered" : "none: anybody could have sent this");
	if (r.rsc == RSC_OK && expanded_answer_parse(r.data, &e) == OK)
		(void)fprintf(out, "answer  %u commands ran, the last R-APDU is %s\n", e.executed, shown(e.last, text));
	else if (r.rsc == RSC_OK && script_result_parse(r.data, &s) == OK)
		(void)fprintf(out, "answer  %u commands ran, %04X (%s)%s%s\n", s.executed, s.sw, sw_text(s.sw),
		        s.data.n > 0 ? ", " : "", shown(s.data, text));
	return OK;
}

/* An SMS-DELIVER has a command, an SMS-SUBMIT its answer. */
static enum status short_message(
        const struct sms_part *part, bool submit, size_t n, const struct ota_keys *k, uint8_t spi2, FILE *out)
{
	uint8_t raw[SMS_TPDU_MAX];
	struct buf b = BUF_OF(raw);

	(void)fprintf(
	        out, "%s, %zu octets, part %u of %u\n", submit ? "SMS-SUBMIT" : "SMS-DELIVER", n, part->number, part->total);
	if (part->total > 1) {
		(void)fputs("        one part alone cannot be opened: give all of them\n", out);
		return OK;
	}
	if (!submit)
		return command_packet(part->payload, k, out);
	ota_response_put(&b, part->payload);
	return response_packet(buf_bytes(&b), k, spi2, out);
}

static enum status cell_broadcast(struct bytes page, const struct ota_keys *k, FILE *out)
{
	struct sms_part part;
	enum status st = cb_page_parse(page, &part);

	if (st == ERR_NOT_FOUND)
		(void)fputs("cell broadcast for people: its message identifier is not 1080 to 10FF\n", out);
	if (st != OK)
		return st == ERR_NOT_FOUND ? OK : st;
	(void)fprintf(out, "cell broadcast, serial number %04X, page %u of %u, never answered\n", part.reference, part.number,
	        part.total);
	if (part.total > 1) {
		(void)fputs("        one page alone cannot be opened: put the contents together and explain the packet\n", out);
		return OK;
	}
	TRY(cb_packet_end(&part.payload));
	return command_packet(part.payload, k, out);
}

enum status explain(struct bytes in, const struct ota_keys *k, uint8_t spi2, FILE *out)
{
	struct command_apdu a;
	struct sms_part part;
	struct bytes body, tpdu;
	bool broadcast = false;
	uint32_t tag;
	struct tlv t;

	if (apdu_parse(in, &a) == OK && a.ins == INS_ENVELOPE) {
		body = a.data;
		if (tlv_next(&body, &t) != OK || (t.tag != CAT_TAG_SMS_PP_DOWNLOAD && t.tag != CAT_TAG_CELL_BROADCAST))
			return ERR_MALFORMED;
		broadcast = t.tag == CAT_TAG_CELL_BROADCAST;
		(void)fprintf(out, "ENVELOPE, %s download\n", broadcast ? "cell broadcast" : "SMS-PP");
		tag = broadcast ? CAT_TAG_CELL_BROADCAST_PAGE : CAT_TAG_TPDU;
		if (tlv_find(t.value, tag, &tpdu) != OK && tlv_find(t.value, tag & ~(uint32_t)CAT_COMPREHENSION, &tpdu) != OK)
			return ERR_MALFORMED;
		in = tpdu;
	}
	if (broadcast)
		return cell_broadcast(in, k, out);
	if (ota_is_response(in))
		return response_packet(in, k, spi2, out);
	if (sms_deliver_parse(in, &part) == OK)
		return short_message(&part, false, in.n, k, spi2, out);
	if (sms_submit_parse(in, &part) == OK)
		return short_message(&part, true, in.n, k, spi2, out);
	return command_packet(in, k, out);
}

enum status explain_keys(const char *path, struct secret_large *memory, struct ota_keys *k)
{
	struct buf kic = { memory->data, 0, SECRET_MAX, false }, kid = { memory->data + SECRET_MAX, 0, SECRET_MAX, false };
	json_t *root = json_load_file(path, 0, NULL);
	const char *kic_hex = json_string_value(json_object_get(root, "kic")),
	           *kid_hex = json_string_value(json_object_get(root, "kid"));
	enum status st = ERR_MALFORMED;
	struct stat info;

	*k = (struct ota_keys){ .kvn = (uint8_t)json_integer_value(json_object_get(root, "kvn")),
		.cc_len = (uint8_t)json_integer_value(json_object_get(root, "cc")) };
	k->kic_type = k->kid_type = ota_algorithm_named(json_string_value(json_object_get(root, "algorithm")));
	if (k->kic_type != 0 && kic_hex != NULL && kid_hex != NULL && hex_decode(bytes_str(kic_hex), &kic) == OK &&
	        hex_decode(bytes_str(kid_hex), &kid) == OK) {
		memory->len = 2 * (size_t)SECRET_MAX;
		k->kic = buf_bytes(&kic);
		k->kid = buf_bytes(&kid);
		st = stat(path, &info) == 0 && (info.st_mode & 077) == 0 ? OK : ERR_DENIED;
	}
	json_decref(root);
	return st;
}
