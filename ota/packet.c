/* SPDX-License-Identifier: Apache-2.0 */
#include "ota/packet.h"

#include <string.h>

#include "crypto/common/aes.h"
#include "crypto/common/des.h"

enum { SPI_AT = 3, HEADER_LEN = 10, CHL_FIXED = 13, RHL_FIXED = 10, CRC16_LEN = 2, CRC32_LEN = 4, BLOCK_MAX = AES_BLOCK };

static const uint8_t response_udh[] = { 0x02, 0x71, 0x00 };
static const uint8_t zeros[BLOCK_MAX];

const char *ota_rsc_text(uint8_t rsc)
{
	static const char *const text[] = { "done", "RC, CC or DS failed", "counter too low: seen before", "counter too high",
		"counter blocked: the key set has had its last command", "ciphering error",
		"unidentified security error: key set, MAC, padding or minimum security level", "not enough memory",
		"needs more time", "TAR unknown", "security level too low for this TAR", "the answer follows by SMS-SUBMIT",
		"the answer follows by USSD" };

	return rsc < sizeof text / sizeof *text ? text[rsc] : "unknown status";
}

uint8_t ota_algorithm_named(const char *name)
{
	static const struct {
		const char *name;
		uint8_t type;
	} names[] = { { "aes", KEY_AES }, { "3des-2", KEY_3DES_2 }, { "3des-3", KEY_3DES_3 } };

	for (size_t i = 0; name != NULL && i < sizeof names / sizeof *names; i++)
		if (strcmp(names[i].name, name) == 0)
			return names[i].type;
	return 0;
}

static uint8_t type_of(uint8_t type)
{
	return type == 0 ? KEY_AES : type;
}

static bool key_fits(uint8_t type, struct bytes key)
{
	switch (type_of(type)) {
	case KEY_AES: return key.n == 16 || key.n == 24 || key.n == 32;
	case KEY_3DES_2: return key.n == 16;
	case KEY_3DES_3: return key.n == 24;
	default: return false;
	}
}

static bool is_key_algorithm(uint8_t nibble)
{
	return nibble == KEY_AES || nibble == KEY_3DES_2 || nibble == KEY_3DES_3;
}

/* What is wrong with one key octet for its use. */
static const char *key_fault(const struct ota_keys *k, uint8_t octet, bool is_kic)
{
	uint8_t nibble = octet & 0x0F;

	if (nibble == KEY_DES || nibble == 0x0D)
		return is_kic ? "KIc: single DES is broken and refused; use AES (2)"
		              : "KID: a single DES MAC is broken and refused; use AES (2)";
	if (!is_key_algorithm(nibble))
		return is_kic ? "KIc: the algorithm is implicit, reserved or proprietary; say which (2, 5 or 9)"
		              : "KID: the algorithm is implicit, reserved or proprietary; say which (2, 5 or 9)";
	if (octet >> 4 == 0)
		return is_kic ? "KIc: key set 0 names none; use 1 to 15" : "KID: key set 0 names none; use 1 to 15";
	if (k == NULL)
		return NULL;
	if (octet >> 4 != k->kvn)
		return is_kic ? "KIc: names a key set that was not given" : "KID: names a key set that was not given";
	if (nibble != type_of(is_kic ? k->kic_type : k->kid_type) || !key_fits(nibble, is_kic ? k->kic : k->kid))
		return is_kic ? "KIc: the key is for another algorithm" : "KID: the key is for another algorithm";
	return NULL;
}

const char *ota_command_fault(const struct ota_keys *k, const struct ota_command *c)
{
	bool ciphered = (c->spi1 & SPI1_CIPHERED) != 0, cc = (c->spi1 & SPI1_INTEGRITY) == SPI1_CC;
	const char *fault = NULL;

	if ((c->spi1 & SPI1_RFU) != 0)
		return "SPI1: bits 6 to 8 are reserved";
	if ((c->spi1 & SPI1_INTEGRITY) == SPI1_DS)
		return "SPI1: digital signatures are not supported; use CC (2)";
	if ((c->spi2 & 0xC0) != 0 || (c->spi2 & SPI2_POR) == SPI2_POR)
		return "SPI2: reserved value";
	if ((c->spi2 & SPI2_POR_INTEGRITY) == SPI2_POR_INTEGRITY)
		return "SPI2: digital signatures are not supported";
	if (ciphered)
		fault = key_fault(k, c->kic, true);
	if (fault == NULL && cc)
		fault = key_fault(k, c->kid, false);
	if (fault == NULL && ciphered && cc && c->kic >> 4 != c->kid >> 4)
		fault = "KIc and KID name different key sets";
	if (fault == NULL && (c->spi1 & SPI1_INTEGRITY) == SPI1_RC && (c->kid & 0x0F) != KID_CRC16 &&
	        (c->kid & 0x0F) != KID_CRC32)
		fault = "KID: with RC it is 1 (CRC-16) or 5 (CRC-32)";
	return fault;
}

/* What protects one packet. */
struct protection {
	const struct ota_keys *keys;
	uint8_t kind; /* SPI1_RC, SPI1_CC or 0 */
	bool crc32;
	bool ciphered;
	size_t check_len, block; /* block 1: no padding */
};

static size_t cipher_block(const struct ota_keys *k)
{
	return type_of(k->kic_type) == KEY_AES ? AES_BLOCK : DES_BLOCK_LEN;
}

static size_t cc_length(const struct ota_keys *k)
{
	return type_of(k->kid_type) == KEY_AES && k->cc_len != 0 ? k->cc_len : OTA_CC_MAX;
}

static struct protection protection_of(const struct ota_keys *k, uint8_t kind, bool ciphered, uint8_t kid)
{
	struct protection p = { .keys = k, .kind = kind, .ciphered = ciphered, .crc32 = (kid & 0x0F) != KID_CRC16 };

	p.check_len = kind == SPI1_CC ? cc_length(k) : kind == SPI1_RC ? (p.crc32 ? CRC32_LEN : CRC16_LEN) : 0;
	p.block = ciphered ? cipher_block(k) : 1;
	return p;
}

static uint8_t padding(const struct protection *p, size_t n)
{
	return (uint8_t)((p->block - n % p->block) % p->block);
}

/* Reflected CRC over the parts: CRC-32 of ISO 3309 and the 16-bit one beside it, both starting from and ending with all ones.
 */
static void crc(bool wide, const struct bytes *parts, size_t n, uint8_t *out)
{
	const uint32_t polynomial = wide ? 0xEDB88320U : 0x8408U, ones = wide ? 0xFFFFFFFFU : 0xFFFFU;
	uint32_t r = ones;

	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < parts[i].n; k++) {
			r ^= parts[i].p[k];
			for (int bit = 0; bit < 8; bit++)
				r = (r >> 1) ^ (polynomial & (0U - (r & 1)));
		}
	bytes_from_uint(r ^ ones, out, wide ? CRC32_LEN : CRC16_LEN);
}

static enum status check_value(const struct protection *p, const struct bytes *parts, size_t n, uint8_t out[OTA_CC_MAX])
{
	uint8_t mac[AES_BLOCK];

	if (p->kind == SPI1_RC)
		crc(p->crc32, parts, n, out);
	if (p->kind != SPI1_CC)
		return OK;
	if (type_of(p->keys->kid_type) != KEY_AES)
		return des3_mac(p->keys->kid, parts, n, out);
	TRY(aes_cmac(p->keys->kid, parts, n, mac));
	memcpy(out, mac, OTA_CC_MAX);
	return OK;
}

static enum status encrypt(const struct protection *p, uint8_t *at, size_t n)
{
	if (!p->ciphered)
		return OK;
	return type_of(p->keys->kic_type) == KEY_AES ? aes_cbc_encrypt(p->keys->kic, (struct bytes){ at, n }, at)
	                                             : des3_cbc_encrypt(p->keys->kic, (struct bytes){ at, n }, at);
}

static enum status decrypt(const struct protection *p, struct bytes in, struct secret_large *out)
{
	if (in.n > sizeof out->data || in.n % p->block != 0)
		return ERR_CRYPTO;
	out->len = in.n;
	if (!p->ciphered) {
		if (in.n > 0)
			memcpy(out->data, in.p, in.n);
		return OK;
	}
	return type_of(p->keys->kic_type) == KEY_AES ? aes_cbc_decrypt(p->keys->kic, in, out->data)
	                                             : des3_cbc_decrypt(p->keys->kic, in, out->data);
}

/* Behind `clear` octets of a head: the rest of the head, the check value, data and padding, ciphered. */
static enum status put_protected(
        const struct protection *p, struct bytes head, size_t clear, struct bytes data, uint8_t pad, struct buf *out)
{
	uint8_t check[OTA_CC_MAX];
	size_t start;

	TRY(check_value(p, (struct bytes[]){ head, data, { zeros, pad } }, 3, check));
	buf_put(out, (struct bytes){ head.p, clear });
	start = out->len;
	buf_put(out, (struct bytes){ head.p + clear, head.n - clear });
	buf_put(out, (struct bytes){ check, p->check_len });
	buf_put(out, data);
	buf_put_zeros(out, pad);
	TRY(buf_status(out));
	return encrypt(p, out->p + start, out->len - start);
}

enum status ota_command_build(const struct ota_keys *k, const struct ota_command *c, struct buf *out)
{
	struct protection p;
	uint8_t head[16], pad;
	struct buf h = BUF_OF(head);
	size_t n;

	if (ota_command_fault(k, c) != NULL || c->counter > OTA_COUNTER_BLOCKED)
		return ERR_DENIED;
	p = protection_of(k, c->spi1 & SPI1_INTEGRITY, (c->spi1 & SPI1_CIPHERED) != 0, c->kid);
	n = OTA_COUNTER_LEN + 1 + p.check_len + c->data.n;
	pad = padding(&p, n);
	n += pad;
	if (n > OTA_PACKET_MAX)
		return ERR_NO_SPACE;
	buf_put_uint(&h, 2, HEADER_LEN - 2 + n);
	buf_put_u8(&h, (uint8_t)(CHL_FIXED + p.check_len));
	buf_put(&h, (struct bytes){ (const uint8_t[]){ c->spi1, c->spi2, c->kic, c->kid }, 4 });
	buf_put(&h, BYTES_OF(c->tar));
	buf_put_uint(&h, OTA_COUNTER_LEN, c->counter);
	buf_put_u8(&h, pad);
	return put_protected(&p, buf_bytes(&h), HEADER_LEN, c->data, pad, out);
}

enum status ota_command_peek(struct bytes in, struct ota_command *out)
{
	uint64_t cpl, chl;
	struct bytes b;

	*out = (struct ota_command){ 0 };
	if (!bytes_take_uint(&in, 2, &cpl) || cpl != in.n || !bytes_take_uint(&in, 1, &chl) || chl < CHL_FIXED || chl > in.n ||
	        !bytes_take(&in, 4, &b) || !bytes_take_copy(&in, out->tar, OTA_TAR_LEN))
		return ERR_MALFORMED;
	out->spi1 = b.p[0];
	out->spi2 = b.p[1];
	out->kic = b.p[2];
	out->kid = b.p[3];
	return OK;
}

enum status ota_command_open(const struct ota_keys *k, struct bytes packet, struct secret_large *plain, struct ota_command *out)
{
	struct bytes head, text, fixed, pad_octet, check;
	uint8_t expected[OTA_CC_MAX];
	struct protection p;
	uint64_t chl;

	secret_large_wipe(plain);
	TRY(ota_command_peek(packet, out));
	if (ota_command_fault(k, out) != NULL)
		return ERR_CRYPTO;
	p = protection_of(k, out->spi1 & SPI1_INTEGRITY, (out->spi1 & SPI1_CIPHERED) != 0, out->kid);
	chl = packet.p[2];
	if (!bytes_take(&packet, HEADER_LEN, &head) || decrypt(&p, packet, plain) != OK)
		return ERR_CRYPTO;
	text = secret_large_bytes(plain);
	fixed = (struct bytes){ text.p, OTA_COUNTER_LEN + 1 };
	if (!bytes_take_uint(&text, OTA_COUNTER_LEN, &out->counter) || !bytes_take(&text, 1, &pad_octet) ||
	        !bytes_take(&text, p.check_len, &check) ||
	        check_value(&p, (struct bytes[]){ head, fixed, text }, 3, expected) != OK)
		return ERR_CRYPTO;
	secret_declassify(pad_octet.p, pad_octet.n); /* with the MAC right, everybody may see how long the script is */
	if (!secret_equals((struct bytes){ expected, p.check_len }, check) || chl != CHL_FIXED + p.check_len ||
	        pad_octet.p[0] > text.n || pad_octet.p[0] >= BLOCK_MAX || (!p.ciphered && pad_octet.p[0] != 0))
		return ERR_CRYPTO;
	out->data = (struct bytes){ text.p, text.n - pad_octet.p[0] };
	return OK;
}

void ota_command_pretend(struct bytes packet, struct secret_large *plain)
{
	static const uint8_t nobody[24] = { 0 };
	uint8_t copy[OTA_PACKET_MAX];
	struct ota_keys k = { .kvn = 1 };
	struct ota_command c;

	if (packet.n > sizeof copy || ota_command_peek(packet, &c) != OK)
		return;
	k.kic_type = is_key_algorithm(c.kic & 0x0F) ? c.kic & 0x0F : KEY_AES;
	k.kid_type = is_key_algorithm(c.kid & 0x0F) ? c.kid & 0x0F : KEY_AES;
	k.kic = (struct bytes){ nobody, k.kic_type == KEY_3DES_3 ? 24U : 16U };
	k.kid = (struct bytes){ nobody, k.kid_type == KEY_3DES_3 ? 24U : 16U };
	memcpy(copy, packet.p, packet.n);
	copy[SPI_AT] = (uint8_t)(SPI1_CC | (c.spi1 & SPI1_CIPHERED));
	copy[SPI_AT + 1] = 0;
	copy[SPI_AT + 2] = (uint8_t)(k.kvn << 4 | k.kic_type);
	copy[SPI_AT + 3] = (uint8_t)(k.kvn << 4 | k.kid_type);
	(void)!ota_command_open(&k, (struct bytes){ copy, packet.n }, plain, &c);
	secret_large_wipe(plain);
}

void ota_response_put(struct buf *out, struct bytes user_data)
{
	buf_put(out, BYTES_OF(response_udh));
	buf_put(out, user_data);
}

bool ota_is_response(struct bytes packet)
{
	return packet.n > sizeof response_udh &&
	       bytes_equal((struct bytes){ packet.p, sizeof response_udh }, BYTES_OF(response_udh));
}

/* What SPI2 asks for; a CRC of a response is the wide one, unless the KID that it answers to could say otherwise. */
static struct protection response_protection(const struct ota_keys *k, uint8_t spi2)
{
	uint8_t kind = (spi2 & SPI2_POR_INTEGRITY) == SPI2_POR_CC   ? SPI1_CC
	               : (spi2 & SPI2_POR_INTEGRITY) == SPI2_POR_RC ? SPI1_RC
	                                                            : 0;

	if (k == NULL)
		return (struct protection){ .block = 1 };
	return protection_of(k, kind, (spi2 & SPI2_POR_CIPHERED) != 0, KID_CRC32);
}

enum status ota_response_build(const struct ota_keys *k, uint8_t spi2, const struct ota_response *r, struct buf *out)
{
	const struct protection p = response_protection(k, spi2);
	size_t n = OTA_COUNTER_LEN + 2 + p.check_len + r->data.n;
	uint8_t pad = padding(&p, n), head[32];
	struct buf h = BUF_OF(head);

	n += pad;
	buf_put(&h, BYTES_OF(response_udh));
	buf_put_uint(&h, 2, 1 + OTA_TAR_LEN + n);
	buf_put_u8(&h, (uint8_t)(RHL_FIXED + p.check_len));
	buf_put(&h, BYTES_OF(r->tar));
	buf_put_uint(&h, OTA_COUNTER_LEN, k != NULL ? r->counter : 0);
	buf_put_u8(&h, pad);
	buf_put_u8(&h, r->rsc);
	return put_protected(&p, buf_bytes(&h), 9, r->data, pad, out);
}

/* An error from before the MAC was right is never secured, whatever SPI2 asked for. */
static enum status open_unsecured(struct bytes in, struct ota_response *out)
{
	uint64_t pad, rsc;

	if (!bytes_take_uint(&in, OTA_COUNTER_LEN, &out->counter) || !bytes_take_uint(&in, 1, &pad) ||
	        !bytes_take_uint(&in, 1, &rsc) || pad != 0)
		return ERR_MALFORMED;
	out->rsc = (uint8_t)rsc;
	out->data = in;
	return OK;
}

enum status ota_response_open(const struct ota_keys *k, uint8_t spi2, struct bytes packet, struct secret_large *plain,
        struct ota_response *out, bool *secured)
{
	const struct protection p = response_protection(k, spi2);
	struct bytes udh, whole = packet, text, fixed, check, head;
	uint64_t rpl, rhl, pad, rsc;
	uint8_t expected[OTA_CC_MAX];

	secret_large_wipe(plain);
	*out = (struct ota_response){ 0 };
	*secured = false;
	if (!bytes_take(&packet, sizeof response_udh, &udh) || !bytes_equal(udh, BYTES_OF(response_udh)) ||
	        !bytes_take_uint(&packet, 2, &rpl) || rpl != packet.n || !bytes_take_uint(&packet, 1, &rhl) ||
	        !bytes_take_copy(&packet, out->tar, OTA_TAR_LEN) || packet.n > sizeof plain->data)
		return ERR_MALFORMED;
	head = (struct bytes){ whole.p, whole.n - packet.n };
	if (rhl == RHL_FIXED && (p.check_len > 0 || !p.ciphered)) {
		TRY(open_unsecured(packet, out));
		/* Good news without the protection that was asked for are nobody's. */
		return out->rsc == RSC_OK && p.check_len > 0 ? ERR_CRYPTO : OK;
	}
	if (rhl != RHL_FIXED + p.check_len)
		return ERR_MALFORMED;
	TRY(decrypt(&p, packet, plain));
	text = secret_large_bytes(plain);
	fixed = (struct bytes){ text.p, OTA_COUNTER_LEN + 2 };
	if (!bytes_take_uint(&text, OTA_COUNTER_LEN, &out->counter) || !bytes_take_uint(&text, 1, &pad) ||
	        !bytes_take_uint(&text, 1, &rsc) || !bytes_take(&text, p.check_len, &check))
		return ERR_MALFORMED;
	TRY(check_value(&p, (struct bytes[]){ head, fixed, text }, 3, expected));
	if (!secret_equals((struct bytes){ expected, p.check_len }, check) || pad > text.n || pad >= BLOCK_MAX)
		return ERR_CRYPTO;
	out->rsc = (uint8_t)rsc;
	out->data = (struct bytes){ text.p, text.n - (size_t)pad };
	*secured = p.kind == SPI1_CC;
	return OK;
}
