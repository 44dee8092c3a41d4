#include "ota/gp_key.h"

#include "crypto/aes.h"

/* The check value of an AES key: the first octets of a block of ones under it. */
static enum status check_value(const struct secret *key, uint8_t out[AES_BLOCK])
{
	static const uint8_t ones[AES_BLOCK] = { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 };

	return aes_ecb(secret_bytes(key), BYTES_OF(ones), out);
}

enum status gp_key_put(struct bytes dek, const struct secret *key, struct buf *out)
{
	uint8_t sealed[SECRET_MAX], check[AES_BLOCK];

	TRY(aes_cbc_encrypt(dek, secret_bytes(key), sealed));
	TRY(check_value(key, check));
	buf_put(out, (struct bytes){ (const uint8_t[]){ GP_KEY_AES, (uint8_t)(key->len + 1), (uint8_t)key->len }, 3 });
	buf_put(out, (struct bytes){ sealed, key->len });
	buf_put_u8(out, GP_KCV_LEN);
	buf_put(out, (struct bytes){ check, GP_KCV_LEN });
	return buf_status(out);
}

enum status gp_key_take(struct bytes *in, struct bytes dek, struct secret *key, struct buf *kcvs)
{
	struct bytes block, kcv;
	uint8_t check[AES_BLOCK];
	uint64_t type, n;

	if (!bytes_take_uint(in, 1, &type) || !bytes_take_field(in, &block) || !bytes_take_field(in, &kcv))
		return ERR_MALFORMED;
	if (type != GP_KEY_AES)
		return ERR_DENIED;
	if (!bytes_take_uint(&block, 1, &n) || (n != 16 && n != 32) || block.n != n || kcv.n != GP_KCV_LEN)
		return ERR_MALFORMED;
	key->len = (size_t)n;
	TRY(aes_cbc_decrypt(dek, block, key->data));
	TRY(check_value(key, check));
	if (!secret_equals((struct bytes){ check, GP_KCV_LEN }, kcv))
		return ERR_MALFORMED;
	buf_put(kcvs, kcv);
	return buf_status(kcvs);
}
