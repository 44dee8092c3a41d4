/* SPDX-License-Identifier: Apache-2.0 */
#include "protocols/mikey/keys/psk.h"

#include "crypto/common/aes.h"
#include "crypto/common/hash.h"
#include "protocols/mikey/keys/prf.h"

enum { KEY_TEK_SALT = 3, KV_NULL = 0, KV_SPI = 1, KEY_ID_PROSE = 241, KEY_DATA_MAX = 512 };

static const uint8_t sp_octets[] = { 0, 1, 1, 1, 1, 16, 2, 1, 1, 3, 1, 20, 4, 1, 14, 7, 1, 1, 8, 1, 1, 10, 1, 1, 11, 1, 10 };
const struct bytes mikey_sp_aes_cm_sha1_80 = { sp_octets, sizeof sp_octets };

/* Message keys of one PSK message (RFC 3830 4.1.4). */
struct message_keys {
	struct secret encr, auth;
	uint8_t iv[AES_BLOCK];
};

static void message_keys_wipe(struct message_keys *k)
{
	secret_clean(k, sizeof *k);
}

static enum status message_keys(
        struct bytes psk, unsigned prf, uint32_t csb_id, struct bytes rand, uint64_t ntp, struct message_keys *k)
{
	SECRET salt = { 0 };
	uint8_t mix[14] = { 0 };
	struct buf b = BUF_OF(mix);

	TRY(mikey_derive(prf, psk, MIKEY_FROM_PSK_ENCRYPTION, MIKEY_CS_ID_MESSAGE, csb_id, rand, &k->encr, 16));
	TRY(mikey_derive(prf, psk, MIKEY_FROM_PSK_AUTHENTICATION, MIKEY_CS_ID_MESSAGE, csb_id, rand, &k->auth,
	        prf == MIKEY_PRF_SHA1 ? 20 : 32));
	TRY(mikey_derive(prf, psk, MIKEY_FROM_PSK_SALT, MIKEY_CS_ID_MESSAGE, csb_id, rand, &salt, 14));
	buf_put_uint(&b, 2, 0);
	buf_put_uint(&b, 4, csb_id);
	buf_put_uint(&b, 8, ntp);
	for (size_t i = 0; i < 14; i++)
		k->iv[i] = salt.data[i] ^ mix[i];
	k->iv[14] = k->iv[15] = 0;
	return OK;
}

#define MESSAGE_KEYS __attribute__((cleanup(message_keys_wipe))) struct message_keys

static enum status mac(const struct message_keys *k, unsigned mac_alg, struct bytes maced, uint8_t *out, size_t *len)
{
	*len = mac_alg == MIKEY_MAC_HMAC_SHA1 ? SHA1_LEN : SHA256_LEN;
	return mac_alg == MIKEY_MAC_HMAC_SHA1 ? hmac_sha1(secret_bytes(&k->auth), &maced, 1, out)
	                                      : hmac_sha256(secret_bytes(&k->auth), &maced, 1, out);
}

static void put_key_data(struct buf *b, const struct secret *gsk, const struct secret *salt, struct bytes mki)
{
	buf_put_u8(b, MIKEY_LAST);
	buf_put_u8(b, (uint8_t)(KEY_TEK_SALT << 4 | (mki.n > 0 ? KV_SPI : KV_NULL)));
	buf_put_uint(b, 2, gsk->len);
	buf_put(b, secret_bytes(gsk));
	buf_put_uint(b, 2, salt->len);
	buf_put(b, secret_bytes(salt));
	if (mki.n > 0) {
		buf_put_u8(b, (uint8_t)mki.n);
		buf_put(b, mki);
	}
}

static const struct bytes media_at_name = { (const uint8_t *)"prose-at", 8 };

static void put_media_at(struct buf *b, struct bytes at)
{
	uint8_t raw[8 + MIKEY_MEDIA_AT_LEN];
	struct buf data = BUF_OF(raw);

	buf_put(&data, media_at_name);
	buf_put(&data, at);
	mikey_put_ext(b, MIKEY_EXT_VENDOR_ID, buf_bytes(&data), MIKEY_KEMAC);
	b->failed |= data.failed;
}

static void put_map_and_front(struct buf *b, const struct mikey_offer *o)
{
	uint8_t raw[9] = { 0 };
	struct buf map = BUF_OF(raw);
	struct mikey_header h = { .data_type = MIKEY_PSK_INIT, .csb_id = o->csb_id };
	uint8_t key_id[6] = { KEY_ID_PROSE, 4 };
	struct buf id = { key_id, 2, sizeof key_id, false };
	enum mikey_payload after_sp = o->media_at.n > 0 ? MIKEY_EXT : MIKEY_KEMAC;
	enum mikey_payload after_ids = o->sp.n > 0 ? MIKEY_SP : after_sp;

	if (o->profile == MIKEY_PROFILE_A) {
		buf_put_u8(&map, 0); /* policy number */
		buf_put_uint(&map, 4, o->ssrc);
		buf_put_uint(&map, 4, 0); /* ROC */
		h.cs_count = 1;
		h.map_type = MIKEY_MAP_SRTP;
		h.map = buf_bytes(&map);
		mikey_put_header(b, &h, MIKEY_T);
	} else {
		h.prf = MIKEY_PRF_SHA256;
		h.map_type = MIKEY_MAP_EMPTY;
		mikey_put_header(b, &h, MIKEY_EXT);
		buf_put_uint(&id, 4, o->gmk_id);
		mikey_put_ext(b, MIKEY_EXT_KEY_ID, buf_bytes(&id), MIKEY_T);
	}
	mikey_put_time(b, o->ntp, MIKEY_RAND);
	mikey_put_rand(b, o->rand, o->sender_uri.n > 0 ? MIKEY_ID : after_ids);
	if (o->sender_uri.n > 0) {
		mikey_put_id(b, o->sender_uri, o->receiver_uri.n > 0 ? MIKEY_ID : after_ids);
		if (o->receiver_uri.n > 0)
			mikey_put_id(b, o->receiver_uri, after_ids);
	}
	if (o->sp.n > 0)
		mikey_put_sp(b, o->sp, after_sp);
	if (o->media_at.n > 0)
		put_media_at(b, o->media_at);
}

enum status mikey_psk_build(
        struct bytes psk, const struct mikey_offer *o, const struct secret *gsk, const struct secret *salt, struct buf *out)
{
	unsigned prf = o->profile == MIKEY_PROFILE_A ? MIKEY_PRF_SHA1 : MIKEY_PRF_SHA256;
	unsigned mac_alg = o->profile == MIKEY_PROFILE_A ? MIKEY_MAC_HMAC_SHA1 : MIKEY_MAC_HMAC_SHA256;
	size_t start = out->len, mac_len;
	SECRET_LARGE plain = { 0 };
	struct buf key_data = { plain.data, 0, KEY_DATA_MAX, false };
	MESSAGE_KEYS k = { 0 };
	uint8_t mac_octets[SHA256_LEN];
	uint8_t *data;

	TRY(message_keys(psk, prf, o->csb_id, o->rand, o->ntp, &k));
	put_key_data(&key_data, gsk, salt, o->mki);
	put_map_and_front(out, o);
	buf_put_u8(out, (uint8_t)(o->signed_by_sender ? MIKEY_SIGN : MIKEY_LAST));
	buf_put_u8(out, MIKEY_ENCR_AES_CM_128);
	buf_put_uint(out, 2, key_data.len);
	data = buf_reserve(out, key_data.len);
	if (data == NULL || key_data.failed)
		return ERR_NO_SPACE;
	TRY(aes_ctr(secret_bytes(&k.encr), k.iv, buf_bytes(&key_data), data));
	buf_put_u8(out, (uint8_t)mac_alg);
	TRY(buf_status(out));
	TRY(mac(&k, mac_alg, (struct bytes){ out->p + start, out->len - start }, mac_octets, &mac_len));
	buf_put(out, (struct bytes){ mac_octets, mac_len });
	return buf_status(out);
}

/* The first TEK+SALT sub-payload of decrypted key data. */
static enum status take_key(struct bytes in, struct secret *gsk, struct secret *salt)
{
	uint64_t head, n;
	struct bytes key, salt_bytes;

	if (!bytes_take_uint(&in, 2, &head) || !bytes_take_uint(&in, 2, &n) || !bytes_take(&in, (size_t)n, &key))
		return ERR_MALFORMED;
	if ((head >> 4 & 15) != KEY_TEK_SALT || !bytes_take_uint(&in, 2, &n) || !bytes_take(&in, (size_t)n, &salt_bytes))
		return ERR_MALFORMED;
	TRY(secret_set(gsk, key));
	return secret_set(salt, salt_bytes);
}

enum status mikey_psk_open(struct bytes psk, const struct mikey *m, struct secret *gsk, struct secret *salt)
{
	SECRET_LARGE plain = { 0 };
	MESSAGE_KEYS k = { 0 };
	uint8_t expected[SHA256_LEN];
	enum status st;
	size_t n;

	secret_wipe(gsk);
	secret_wipe(salt);
	if (m->header.data_type != MIKEY_PSK_INIT || m->kemac.encr != MIKEY_ENCR_AES_CM_128 ||
	        m->kemac.data.n > sizeof plain.data)
		return ERR_MALFORMED;
	TRY(message_keys(psk, m->header.prf, m->header.csb_id, m->rand, m->time, &k));
	TRY(mac(&k, m->kemac.mac_alg, m->kemac.maced, expected, &n));
	if (!secret_equals((struct bytes){ expected, n }, m->kemac.mac))
		return ERR_CRYPTO;
	TRY(aes_ctr(secret_bytes(&k.encr), k.iv, m->kemac.data, plain.data));
	plain.len = m->kemac.data.n;
	if ((st = take_key(secret_large_bytes(&plain), gsk, salt)) != OK) {
		secret_wipe(gsk);
		secret_wipe(salt);
	}
	return st;
}

enum status mikey_psk_gmk_id(const struct mikey *m, uint32_t *out)
{
	struct bytes ext;

	TRY(mikey_ext(m, MIKEY_EXT_KEY_ID, &ext));
	if (ext.n != 6 || ext.p[0] != KEY_ID_PROSE || ext.p[1] != 4)
		return ERR_MALFORMED;
	*out = (uint32_t)bytes_uint((struct bytes){ ext.p + 2, 4 });
	return OK;
}

enum status mikey_psk_ssrc(const struct mikey *m, uint32_t *out)
{
	struct bytes map = m->header.map;
	uint64_t policy, ssrc;

	if (m->header.map_type != MIKEY_MAP_SRTP || !bytes_take_uint(&map, 1, &policy) || !bytes_take_uint(&map, 4, &ssrc))
		return ERR_NOT_FOUND;
	*out = (uint32_t)ssrc;
	return OK;
}

enum status mikey_psk_media_at(const struct mikey *m, struct bytes *out)
{
	struct bytes name;

	TRY(mikey_ext(m, MIKEY_EXT_VENDOR_ID, out));
	if (!bytes_take(out, media_at_name.n, &name) || !bytes_equal(name, media_at_name))
		return ERR_NOT_FOUND;
	return out->n == MIKEY_MEDIA_AT_LEN ? OK : ERR_MALFORMED;
}
