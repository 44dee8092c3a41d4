#include "ota/packet.h"

#include <string.h>

#include "crypto/aes.h"

enum { HEADER_LEN = 10, CHL = 13 + OTA_CC_LEN, RHL = 10 + OTA_CC_LEN, COUNTER_LEN = 5 };
enum { CIPHERED_FIXED = COUNTER_LEN + 1 + OTA_CC_LEN }; /* CNTR, PCNTR, CC in front of the data */

static const uint8_t response_udh[] = { 0x02, 0x71, 0x00 };

static uint8_t padding(size_t n)
{
	return (uint8_t)((AES_BLOCK - n % AES_BLOCK) % AES_BLOCK);
}

static enum status truncated_cmac(const struct ota_keys *k, const struct bytes *parts, size_t n, uint8_t cc[OTA_CC_LEN])
{
	uint8_t mac[AES_BLOCK];

	TRY(aes_cmac(k->kid, parts, n, mac));
	memcpy(cc, mac, OTA_CC_LEN);
	return OK;
}

static bool speaks(uint8_t spi1, uint8_t kic, uint8_t kid)
{
	return (spi1 & ~(uint8_t)SPI1_COUNTER_STRICT) == (SPI1_CC | SPI1_CIPHERED) && (spi1 & SPI1_COUNTER_HIGHER) != 0 &&
	       (kic & 0x0F) == KEY_AES && (kid & 0x0F) == KEY_AES && kic >> 4 == kid >> 4 && kic >> 4 != 0;
}

enum status ota_command_build(const struct ota_keys *k, const struct ota_command *c, struct buf *out)
{
	uint8_t cc[OTA_CC_LEN], head[16], pad = padding(CIPHERED_FIXED + c->data.n);
	static const uint8_t zeros[AES_BLOCK];
	struct buf h = BUF_OF(head);
	size_t start, n = CIPHERED_FIXED + c->data.n + pad;

	if (!speaks(c->spi1, c->kic, c->kid) || c->counter >= OTA_COUNTER_BLOCKED || n > OTA_PACKET_MAX)
		return ERR_BUG;
	buf_put_uint(&h, 2, HEADER_LEN - 2 + n);
	buf_put_u8(&h, CHL);
	buf_put(&h, (struct bytes){ (const uint8_t[]){ c->spi1, c->spi2, c->kic, c->kid }, 4 });
	buf_put(&h, BYTES_OF(c->tar));
	buf_put_uint(&h, COUNTER_LEN, c->counter);
	buf_put_u8(&h, pad);
	TRY(truncated_cmac(k, (struct bytes[]){ buf_bytes(&h), c->data, { zeros, pad } }, 3, cc));
	buf_put(out, (struct bytes){ head, HEADER_LEN });
	start = out->len;
	buf_put(out, (struct bytes){ head + HEADER_LEN, COUNTER_LEN + 1 });
	buf_put(out, BYTES_OF(cc));
	buf_put(out, c->data);
	buf_put_zeros(out, pad);
	TRY(buf_status(out));
	return aes_cbc_encrypt(k->kic, (struct bytes){ out->p + start, n }, out->p + start);
}

enum status ota_command_peek(struct bytes in, struct ota_command *out)
{
	uint64_t cpl, chl;
	struct bytes b;

	*out = (struct ota_command){ 0 };
	if (!bytes_take_uint(&in, 2, &cpl) || cpl != in.n || !bytes_take_uint(&in, 1, &chl) || chl < 13 || chl > in.n ||
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
	struct bytes head, text, fixed, pad_octet, cc;
	uint8_t expected[OTA_CC_LEN];

	secret_large_wipe(plain);
	TRY(ota_command_peek(packet, out));
	if (!speaks(out->spi1, out->kic, out->kid) || out->kic >> 4 != k->kvn || packet.p[2] != CHL ||
	        !bytes_take(&packet, HEADER_LEN, &head) || packet.n % AES_BLOCK != 0 || packet.n < CIPHERED_FIXED ||
	        packet.n > sizeof plain->data)
		return ERR_CRYPTO;
	TRY(aes_cbc_decrypt(k->kic, packet, plain->data));
	plain->len = packet.n;
	text = secret_large_bytes(plain);
	fixed = (struct bytes){ text.p, COUNTER_LEN + 1 };
	if (!bytes_take_uint(&text, COUNTER_LEN, &out->counter) || !bytes_take(&text, 1, &pad_octet) ||
	        !bytes_take(&text, OTA_CC_LEN, &cc))
		return ERR_CRYPTO;
	TRY(truncated_cmac(k, (struct bytes[]){ head, fixed, text }, 3, expected));
	if (!secret_equals(BYTES_OF(expected), cc) || pad_octet.p[0] >= AES_BLOCK || pad_octet.p[0] > text.n)
		return ERR_CRYPTO;
	out->data = (struct bytes){ text.p, text.n - pad_octet.p[0] };
	return OK;
}

enum status ota_response_build(const struct ota_keys *k, uint8_t spi2, const struct ota_response *r, struct buf *out)
{
	bool with_cc = k != NULL && (spi2 & SPI2_POR_CC) != 0, ciphered = k != NULL && (spi2 & SPI2_POR_CIPHERED) != 0;
	size_t cc_len = with_cc ? OTA_CC_LEN : 0, fixed = COUNTER_LEN + 2 + cc_len, start, n;
	uint8_t pad = ciphered ? padding(fixed + r->data.n) : 0, head[32], cc[OTA_CC_LEN];
	static const uint8_t zeros[AES_BLOCK];
	struct buf h = BUF_OF(head);

	n = fixed + r->data.n + pad;
	buf_put(&h, BYTES_OF(response_udh));
	buf_put_uint(&h, 2, 1 + OTA_TAR_LEN + n);
	buf_put_u8(&h, (uint8_t)(10 + cc_len));
	buf_put(&h, BYTES_OF(r->tar));
	buf_put_uint(&h, COUNTER_LEN, k != NULL ? r->counter : 0);
	buf_put_u8(&h, pad);
	buf_put_u8(&h, r->rsc);
	if (with_cc)
		TRY(truncated_cmac(k, (struct bytes[]){ buf_bytes(&h), r->data, { zeros, pad } }, 3, cc));
	buf_put(out, (struct bytes){ head, 9 });
	start = out->len;
	buf_put(out, (struct bytes){ head + 9, COUNTER_LEN + 2 });
	buf_put(out, (struct bytes){ cc, cc_len });
	buf_put(out, r->data);
	buf_put_zeros(out, pad);
	TRY(buf_status(out));
	return ciphered ? aes_cbc_encrypt(k->kic, (struct bytes){ out->p + start, n }, out->p + start) : OK;
}

enum status ota_response_open(const struct ota_keys *k, uint8_t spi2, struct bytes packet, struct secret_large *plain,
        struct ota_response *out, bool *secured)
{
	struct bytes udh, whole = packet, text, fixed, cc, head;
	bool with_cc = (spi2 & SPI2_POR_CC) != 0, ciphered = (spi2 & SPI2_POR_CIPHERED) != 0;
	uint64_t rpl, rhl, pad, rsc;
	uint8_t expected[OTA_CC_LEN];

	secret_large_wipe(plain);
	*out = (struct ota_response){ 0 };
	*secured = false;
	if (!bytes_take(&packet, sizeof response_udh, &udh) || !bytes_equal(udh, BYTES_OF(response_udh)) ||
	        !bytes_take_uint(&packet, 2, &rpl) || rpl != packet.n || !bytes_take_uint(&packet, 1, &rhl) ||
	        !bytes_take_copy(&packet, out->tar, OTA_TAR_LEN) || packet.n > sizeof plain->data)
		return ERR_MALFORMED;
	head = (struct bytes){ whole.p, whole.n - packet.n };
	if (rhl == 10) { /* an error from before the MAC was right: never secured */
		if (!bytes_take_uint(&packet, COUNTER_LEN, &out->counter) || !bytes_take_uint(&packet, 1, &pad) ||
		        !bytes_take_uint(&packet, 1, &rsc))
			return ERR_MALFORMED;
		out->rsc = (uint8_t)rsc;
		return rsc != RSC_OK ? OK : ERR_CRYPTO;
	}
	if (!with_cc || rhl != RHL || (ciphered && packet.n % AES_BLOCK != 0))
		return ERR_MALFORMED;
	if (ciphered)
		TRY(aes_cbc_decrypt(k->kic, packet, plain->data));
	else if (packet.n > 0)
		memcpy(plain->data, packet.p, packet.n);
	plain->len = packet.n;
	text = secret_large_bytes(plain);
	fixed = (struct bytes){ text.p, COUNTER_LEN + 2 };
	if (!bytes_take_uint(&text, COUNTER_LEN, &out->counter) || !bytes_take_uint(&text, 1, &pad) ||
	        !bytes_take_uint(&text, 1, &rsc) || !bytes_take(&text, OTA_CC_LEN, &cc))
		return ERR_MALFORMED;
	TRY(truncated_cmac(k, (struct bytes[]){ head, fixed, text }, 3, expected));
	if (!secret_equals(BYTES_OF(expected), cc) || pad > text.n || pad >= AES_BLOCK)
		return ERR_CRYPTO;
	out->rsc = (uint8_t)rsc;
	out->data = (struct bytes){ text.p, text.n - (size_t)pad };
	*secured = true;
	return OK;
}
