/* SPDX-License-Identifier: Apache-2.0 */
#include "ota/gp_key.h"

#include "crypto/common/aes.h"

/* The check value of an AES key: the first octets of a block of ones under it. */
static enum status check_value(const struct secret *key, uint8_t out[AES_BLOCK])
{
	static const uint8_t ones[AES_BLOCK] = { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 };

	return aes_ecb(secret_bytes(key), BYTES_OF(ones), out);
}

/* Type, length, the key's length and itself under the DEK. */
static enum status put_sealed(enum gp_key_type type, struct bytes dek, const struct secret *key, struct buf *out)
{
	uint8_t sealed[SECRET_MAX];

	TRY(aes_cbc_encrypt(dek, secret_bytes(key), sealed));
	buf_put(out, (struct bytes){ (const uint8_t[]){ (uint8_t)type, (uint8_t)(key->len + 1), (uint8_t)key->len }, 3 });
	buf_put(out, (struct bytes){ sealed, key->len });
	return buf_status(out);
}

enum status gp_key_put(struct bytes dek, const struct secret *key, struct buf *out)
{
	uint8_t check[AES_BLOCK];

	TRY(check_value(key, check));
	TRY(put_sealed(GP_KEY_AES, dek, key, out));
	buf_put_u8(out, GP_KCV_LEN);
	buf_put(out, (struct bytes){ check, GP_KCV_LEN });
	return buf_status(out);
}

enum status gp_psk_put(struct bytes dek, const struct secret *key, struct buf *out)
{
	TRY(put_sealed(GP_KEY_PSK, dek, key, out));
	buf_put_u8(out, 0);
	return buf_status(out);
}

/* ERR_DENIED: another type. A block of whole cipher blocks is the key alone (11.8.2.3.3). */
static enum status take_sealed(
        struct bytes *in, enum gp_key_type wanted, struct bytes dek, struct secret *key, struct bytes *check)
{
	struct bytes block;
	uint64_t type, n;

	if (!bytes_take_uint(in, 1, &type) || !bytes_take_field(in, &block) || !bytes_take_field(in, check))
		return ERR_MALFORMED;
	if (type != wanted)
		return ERR_DENIED;
	if (block.n % AES_BLOCK == 0)
		n = block.n;
	else if (!bytes_take_uint(&block, 1, &n))
		return ERR_MALFORMED;
	if (n == 0 || n % AES_BLOCK != 0 || n > sizeof key->data || block.n != n)
		return ERR_MALFORMED;
	key->len = (size_t)n;
	return aes_cbc_decrypt(dek, block, key->data);
}

enum status gp_psk_take(struct bytes *in, struct bytes dek, struct secret *key)
{
	struct bytes check;

	TRY(take_sealed(in, GP_KEY_PSK, dek, key, &check));
	return check.n == 0 ? OK : ERR_MALFORMED;
}

enum status gp_key_take(struct bytes *in, struct bytes dek, struct secret *key, struct buf *kcvs)
{
	struct bytes kcv;
	uint8_t check[AES_BLOCK];

	TRY(take_sealed(in, GP_KEY_AES, dek, key, &kcv));
	if ((key->len != 16 && key->len != 32) || kcv.n != GP_KCV_LEN)
		return ERR_MALFORMED;
	TRY(check_value(key, check));
	if (!secret_equals((struct bytes){ check, GP_KCV_LEN }, kcv))
		return ERR_CRYPTO;
	buf_put(kcvs, kcv);
	return buf_status(kcvs);
}
