/* SPDX-License-Identifier: Apache-2.0 */
#include "ota/scp03.h"

#include <string.h>

#include "crypto/common/aes.h"

enum { LABEL_LEN = 12, CONSTANT_CARD = 0x00, CONSTANT_HOST = 0x01, CONSTANT_CHALLENGE = 0x02 };
enum { CONSTANT_S_ENC = 0x04, CONSTANT_S_MAC = 0x06, CONSTANT_S_RMAC = 0x07, INS_EXTERNAL_AUTHENTICATE = 0x82 };
enum { CLA_SECURE = 0x04, CLA_KEPT = 0xF0, RESPONSE_MARK = 0x80 };

void scp03_wipe(struct scp03 *s)
{
	secret_clean(s, sizeof *s);
}

/* The KDF of 4.1.5: CMAC over label, separation, length in bits, counter and context, as often as it takes. */
static enum status derive(struct bytes key, uint8_t constant, struct bytes host, struct bytes card, size_t len, uint8_t *out)
{
	uint8_t block[AES_BLOCK];

	for (uint8_t i = 1; len > 0; i++) {
		uint8_t head[LABEL_LEN + 4] = { 0 };
		size_t bits = (i - 1) * (size_t)AES_BLOCK * 8 + len * 8, n = len < AES_BLOCK ? len : AES_BLOCK;

		head[LABEL_LEN - 1] = constant;
		head[LABEL_LEN + 1] = (uint8_t)(bits >> 8);
		head[LABEL_LEN + 2] = (uint8_t)bits;
		head[LABEL_LEN + 3] = i;
		TRY(aes_cmac(key, (struct bytes[]){ BYTES_OF(head), host, card }, 3, block));
		memcpy(out, block, n);
		out += n;
		len -= n;
	}
	secret_clean(block, sizeof block);
	return OK;
}

enum status scp03_open(struct scp03 *s, const struct scp03_keys *k, const uint8_t *host, const uint8_t *card, size_t size)
{
	const struct bytes h = { host, size }, c = { card, size };
	size_t n = k->enc.n;

	scp03_wipe(s);
	if ((n != 16 && n != 24 && n != 32) || k->mac.n != n || (size != SCP03_S8 && size != SCP03_S16))
		return ERR_MALFORMED;
	s->key_len = n;
	s->size = size;
	TRY(derive(k->enc, CONSTANT_S_ENC, h, c, n, s->enc));
	TRY(derive(k->mac, CONSTANT_S_MAC, h, c, n, s->mac));
	return derive(k->mac, CONSTANT_S_RMAC, h, c, n, s->rmac);
}

enum status scp03_cryptogram(const struct scp03 *s, bool of_card, const uint8_t *host, const uint8_t *card, uint8_t *out)
{
	return derive((struct bytes){ s->mac, s->key_len }, of_card ? CONSTANT_CARD : CONSTANT_HOST,
	        (struct bytes){ host, s->size }, (struct bytes){ card, s->size }, s->size, out);
}

enum status scp03_challenge(const struct scp03_keys *k, uint32_t sequence, struct bytes aid, size_t size, uint8_t *out)
{
	const uint8_t counter[3] = { (uint8_t)(sequence >> 16), (uint8_t)(sequence >> 8), (uint8_t)sequence };

	return derive(k->enc, CONSTANT_CHALLENGE, BYTES_OF(counter), aid, size, out);
}

static void put_length(struct buf *b, size_t n)
{
	if (n <= 255) {
		buf_put_u8(b, (uint8_t)n);
	} else {
		buf_put_u8(b, 0);
		buf_put_uint(b, 2, n);
	}
}

/* The next chaining value: CMAC over the last one, the header (without its channel), Lc with the MAC, and the data. */
static enum status command_mac(struct scp03 *s, const struct command_apdu *a, struct bytes data)
{
	uint8_t raw[8];
	struct buf head = BUF_OF(raw);

	buf_put_u8(&head, (uint8_t)((a->cla & CLA_KEPT & ~0x40) | CLA_SECURE));
	buf_put(&head, (struct bytes){ (const uint8_t[]){ a->ins, a->p1, a->p2 }, 3 });
	put_length(&head, data.n + s->size);
	return aes_cmac((struct bytes){ s->mac, s->key_len }, (struct bytes[]){ BYTES_OF(s->chain), buf_bytes(&head), data }, 3,
	        s->chain);
}

/* The IV of command or response `counter` (6.2.6, 6.2.7). */
static enum status iv_of(const struct scp03 *s, bool response, uint8_t iv[AES_BLOCK])
{
	uint8_t block[AES_BLOCK] = { response ? RESPONSE_MARK : 0 };

	bytes_from_uint(s->counter, block + AES_BLOCK - 4, 4);
	return aes_ecb((struct bytes){ s->enc, s->key_len }, BYTES_OF(block), iv);
}

/* data || 80 00 ..., ciphered, appended to out. */
static enum status put_ciphered(const struct scp03 *s, bool response, struct bytes data, struct buf *out)
{
	size_t n = (data.n / AES_BLOCK + 1) * AES_BLOCK;
	uint8_t iv[AES_BLOCK], *at = buf_reserve(out, n);

	if (at == NULL)
		return ERR_NO_SPACE;
	if (data.n > 0)
		memcpy(at, data.p, data.n);
	memset(at + data.n, 0, n - data.n);
	at[data.n] = 0x80;
	TRY(iv_of(s, response, iv));
	return aes_cbc_iv_encrypt((struct bytes){ s->enc, s->key_len }, iv, (struct bytes){ at, n }, at);
}

static enum status take_ciphered(
        const struct scp03 *s, bool response, struct bytes in, struct secret_large *plain, struct bytes *data)
{
	uint8_t iv[AES_BLOCK];
	size_t n = in.n;

	secret_large_wipe(plain);
	if (in.n == 0 || in.n % AES_BLOCK != 0 || in.n > sizeof plain->data)
		return ERR_CRYPTO;
	TRY(iv_of(s, response, iv));
	TRY(aes_cbc_iv_decrypt((struct bytes){ s->enc, s->key_len }, iv, in, plain->data));
	plain->len = n;
	while (n > 0 && plain->data[n - 1] == 0) /* the MAC was right: this is the other side's own padding */
		n--;
	if (n == 0 || plain->data[n - 1] != 0x80)
		return ERR_CRYPTO;
	*data = (struct bytes){ plain->data, n - 1 };
	return OK;
}

enum status scp03_wrap(struct scp03 *s, const struct command_apdu *a, struct buf *out)
{
	bool opening = a->ins == INS_EXTERNAL_AUTHENTICATE;
	uint8_t raw[APDU_COMMAND_MAX < 4096 ? APDU_COMMAND_MAX : 4096];
	struct buf body = BUF_OF(raw);
	size_t n;

	if (opening)
		s->level = a->p1;
	else
		s->counter++;
	if (!opening && (s->level & SCP03_C_ENC) != 0 && a->data.n > 0)
		TRY(put_ciphered(s, false, a->data, &body));
	else
		buf_put(&body, a->data);
	TRY(buf_status(&body));
	TRY(command_mac(s, a, buf_bytes(&body)));
	n = body.len + s->size;
	buf_put(out, (struct bytes){ (const uint8_t[]){ (uint8_t)(a->cla | CLA_SECURE), a->ins, a->p1, a->p2 }, 4 });
	put_length(out, n);
	buf_put(out, buf_bytes(&body));
	buf_put(out, (struct bytes){ s->chain, s->size });
	return buf_status(out);
}

enum status scp03_unwrap(struct scp03 *s, struct command_apdu *a, struct secret_large *plain)
{
	bool opening = a->ins == INS_EXTERNAL_AUTHENTICATE;
	struct bytes all = a->data, body, mac;

	if (s->key_len == 0 || (!opening && (s->level & SCP03_C_MAC) == 0) || all.n < s->size)
		return ERR_CRYPTO;
	if (!bytes_take(&all, all.n - s->size, &body) || !bytes_take(&all, s->size, &mac))
		return ERR_CRYPTO;
	if (!opening)
		s->counter++;
	TRY(command_mac(s, a, body));
	if (!secret_equals((struct bytes){ s->chain, s->size }, mac))
		return ERR_CRYPTO;
	a->data = body;
	if (!opening && (s->level & SCP03_C_ENC) != 0 && body.n > 0)
		return take_ciphered(s, false, body, plain, &a->data);
	return OK;
}

static enum status response_mac(const struct scp03 *s, struct bytes data, uint16_t sw, uint8_t mac[AES_BLOCK])
{
	const uint8_t word[2] = { (uint8_t)(sw >> 8), (uint8_t)sw };

	return aes_cmac(
	        (struct bytes){ s->rmac, s->key_len }, (struct bytes[]){ BYTES_OF(s->chain), data, BYTES_OF(word) }, 3, mac);
}

enum status scp03_wrap_response(struct scp03 *s, struct bytes data, uint16_t sw, struct buf *out)
{
	size_t start = out->len;
	uint8_t mac[AES_BLOCK];

	if ((s->level & SCP03_R_ENC) != 0 && data.n > 0)
		TRY(put_ciphered(s, true, data, out));
	else
		buf_put(out, data);
	if ((s->level & SCP03_R_MAC) == 0)
		return buf_status(out);
	TRY(response_mac(s, (struct bytes){ out->p + start, out->len - start }, sw, mac));
	buf_put(out, (struct bytes){ mac, s->size });
	return buf_status(out);
}

enum status scp03_unwrap_response(struct scp03 *s, struct bytes in, uint16_t sw, struct secret_large *plain, struct bytes *data)
{
	uint8_t expected[AES_BLOCK];
	struct bytes body = in, mac;

	if ((s->level & SCP03_R_MAC) != 0) {
		if (in.n < s->size || !bytes_take(&in, in.n - s->size, &body) || !bytes_take(&in, s->size, &mac))
			return ERR_CRYPTO;
		TRY(response_mac(s, body, sw, expected));
		if (!secret_equals((struct bytes){ expected, s->size }, mac))
			return ERR_CRYPTO;
	}
	*data = body;
	if ((s->level & SCP03_R_ENC) != 0 && body.n > 0)
		return take_ciphered(s, true, body, plain, data);
	return OK;
}
