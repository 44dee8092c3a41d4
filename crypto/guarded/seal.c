/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/guarded/seal.h"

#include "crypto/common/aes.h"
#include "crypto/common/hash.h"

enum status seal(struct rng *rng, struct bytes trk, struct bytes ink, const struct sealed_header *h, struct bytes payload,
        struct buf *out)
{
	uint8_t raw[SEALED_OBJECT_MAX];
	uint8_t mac[SHA256_LEN], iv[SEALED_IV_LEN];
	struct buf body = BUF_OF(raw);
	struct bytes header;
	uint8_t *text;

	if (trk.n != SEALED_KEY_LEN || ink.n != SEALED_KEY_LEN)
		return ERR_BUG;
	sealed_put_header(&body, h);
	header = buf_bytes(&body);
	tlv_put_header(&body, 0x89, sizeof iv + payload.n + GCM_TAG_LEN);
	TRY(rng_fill(rng, iv, sizeof iv));
	buf_put(&body, BYTES_OF(iv));
	text = buf_reserve(&body, payload.n + GCM_TAG_LEN);
	if (text == NULL || payload.n > SEALED_MAX - SEALED_IV_LEN - SEALED_TAG_LEN)
		return ERR_NO_SPACE;
	TRY(aes_gcm_seal(trk, BYTES_OF(iv), header, payload, text));
	TRY(hmac_sha256(ink, (struct bytes[]){ buf_bytes(&body) }, 1, mac));
	tlv_put(&body, 0x8A, BYTES_OF(mac));
	tlv_put(out, TAG_SEALED, buf_bytes(&body));
	return body.failed ? ERR_NO_SPACE : buf_status(out);
}

enum status seal_open(struct bytes trk, struct bytes ink, const struct sealed *s, struct secret_large *payload)
{
	uint8_t mac[SHA256_LEN];
	struct bytes text = s->ciphertext, iv;

	secret_large_wipe(payload);
	TRY(hmac_sha256(ink, (struct bytes[]){ s->maced }, 1, mac));
	if (!secret_equals(BYTES_OF(mac), s->mac))
		return ERR_CRYPTO;
	if (!bytes_take(&text, SEALED_IV_LEN, &iv) || text.n < GCM_TAG_LEN || text.n > sizeof payload->data)
		return ERR_MALFORMED;
	TRY(aes_gcm_open(trk, iv, s->aad, text, payload->data));
	payload->len = text.n - GCM_TAG_LEN;
	return OK;
}
