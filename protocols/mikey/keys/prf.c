/* SPDX-License-Identifier: Apache-2.0 */
#include "protocols/mikey/keys/prf.h"

#include "crypto/common/hash.h"
#include "protocols/mikey/message.h"

enum { LABEL_MAX = 9 + 255, INPUT_BLOCK = 32 };

static enum status hmac(unsigned prf, struct bytes key, const struct bytes *parts, size_t n, uint8_t *out)
{
	return prf == MIKEY_PRF_SHA1 ? hmac_sha1(key, parts, n, out) : hmac_sha256(key, parts, n, out);
}

/* out ^= P(s, label, m), as many octets as wanted. */
static enum status xor_p(unsigned prf, struct bytes s, struct bytes label, struct secret *out)
{
	size_t hash_len = prf == MIKEY_PRF_SHA1 ? SHA1_LEN : SHA256_LEN;
	uint8_t a[SHA256_LEN], block[SHA256_LEN];
	struct bytes previous = label;

	for (size_t at = 0; at < out->len; at += hash_len) {
		TRY(hmac(prf, s, &previous, 1, a));
		previous = (struct bytes){ a, hash_len };
		TRY(hmac(prf, s, (struct bytes[]){ previous, label }, 2, block));
		for (size_t i = 0; i < hash_len && at + i < out->len; i++)
			out->data[at + i] ^= block[i];
	}
	secret_clean(a, sizeof a);
	secret_clean(block, sizeof block);
	return OK;
}

enum status mikey_derive(unsigned prf, struct bytes inkey, uint32_t constant, uint8_t cs_id, uint32_t csb_id, struct bytes rand,
        struct secret *out, size_t len)
{
	uint8_t raw[LABEL_MAX];
	struct buf label = BUF_OF(raw);

	if (prf > MIKEY_PRF_SHA256 || len == 0 || len > sizeof out->data || inkey.n == 0)
		return ERR_BUG;
	secret_wipe(out);
	out->len = len;
	buf_put_uint(&label, 4, constant);
	buf_put_u8(&label, cs_id);
	buf_put_uint(&label, 4, csb_id);
	buf_put(&label, rand);
	TRY(buf_status(&label));
	while (inkey.n > 0) {
		struct bytes s;

		if (!bytes_take(&inkey, inkey.n < INPUT_BLOCK ? inkey.n : INPUT_BLOCK, &s))
			return ERR_BUG;
		TRY(xor_p(prf, s, buf_bytes(&label), out));
	}
	return OK;
}
