/* SPDX-License-Identifier: Apache-2.0 */
#include "protocols/mikey/keys/sakke_message.h"

#include <string.h>

#include "crypto/common/aes.h"
#include "crypto/guarded/eccsi.h"
#include "crypto/common/hash.h"
#include "crypto/guarded/sakke.h"

enum { EXT_MARK = 0x43, ORDER_MARK = 0x4F, ALG_AES_128_GCM = 1, AAD_LEN = 32, PARAMETERS_IV_LEN = 16, STATUS_NOT_REVOKED = 1 };
enum { FC_PARAMETERS = 0x53, SAKKE_PARAMS_1 = 1, IEI_GROUP = 0x01 };

void sakke_message_put(struct buf *b, const struct sakke_message *m)
{
	const struct mikey_header h = {
		.data_type = MIKEY_SAKKE, .prf = MIKEY_PRF_SHA256, .csb_id = m->csb_id, .map_type = MIKEY_MAP_EMPTY
	};
	const enum mikey_payload after_parameters = m->order.n > 0 ? MIKEY_EXT : MIKEY_SIGN;

	mikey_put_header(b, &h, MIKEY_T);
	mikey_put_time(b, m->ntp, MIKEY_RAND);
	mikey_put_rand(b, m->rand, MIKEY_IDR);
	mikey_put_idr(b, MIKEY_ROLE_INITIATOR, m->initiator_uri, MIKEY_IDR);
	mikey_put_idr(b, MIKEY_ROLE_RESPONDER, m->responder_uri, MIKEY_IDR);
	mikey_put_idr(b, MIKEY_ROLE_KMS_INITIATOR, m->initiator_kms_uri, MIKEY_IDR);
	mikey_put_idr(b, MIKEY_ROLE_KMS_RESPONDER, m->responder_kms_uri, MIKEY_SAKKE_PAYLOAD);
	buf_put_u8(b, (uint8_t)(m->key_parameters.n > 0 ? MIKEY_EXT : after_parameters));
	buf_put_u8(b, SAKKE_PARAMS_1);
	buf_put_u8(b, SAKKE_ID_SCHEME_UID);
	buf_put_uint(b, 2, m->sakke_data.n);
	buf_put(b, m->sakke_data);
	if (m->key_parameters.n > 0)
		mikey_put_ext(b, MIKEY_EXT_KEY_PARAMETERS, m->key_parameters, after_parameters);
	if (m->order.n > 0)
		mikey_put_ext(b, MIKEY_EXT_ORDER, m->order, MIKEY_SIGN);
	mikey_put_sign_header(b);
}

/* DPCK (33.180 F.1.5): low 128 bits of KDF(key, 53, id). */
static enum status parameters_key(struct bytes key, struct bytes id, struct secret *out)
{
	uint8_t digest[SHA256_LEN];

	TRY(kdf_33220(key, FC_PARAMETERS, &id, 1, digest));
	TRY(secret_set(out, (struct bytes){ digest + 16, 16 }));
	secret_clean(digest, sizeof digest);
	return OK;
}

/* The container of E.6: what is in front of the length is authenticated, too; the mark says what is inside. */
static enum status seal_container(
        struct rng *rng, struct bytes key, uint8_t mark, uint32_t key_id, uint64_t created, struct bytes plain, struct buf *out)
{
	uint8_t iv[PARAMETERS_IV_LEN], aad_raw[AAD_LEN];
	struct buf aad = BUF_OF(aad_raw);
	SECRET k = { 0 };
	uint8_t *text;

	TRY(rng_fill(rng, iv, sizeof iv));
	buf_put_u8(&aad, mark);
	buf_put_uint(&aad, 5, created);
	buf_put_uint(&aad, 4, 0);
	buf_put_u8(&aad, 0);
	buf_put_u8(&aad, ALG_AES_128_GCM);
	buf_put(&aad, BYTES_OF(iv));
	buf_put_uint(&aad, 4, key_id);
	TRY(parameters_key(key, (struct bytes){ aad_raw + 28, 4 }, &k));
	buf_put(out, buf_bytes(&aad));
	buf_put_u8(out, 0);
	buf_put_uint(out, 2, plain.n + GCM_TAG_LEN);
	text = buf_reserve(out, plain.n + GCM_TAG_LEN);
	if (text == NULL)
		return ERR_NO_SPACE;
	return aes_gcm_seal(secret_bytes(&k), BYTES_OF(iv), buf_bytes(&aad), plain, text);
}

enum status key_parameters_seal(
        struct rng *rng, struct bytes key, uint32_t key_id, uint64_t created, const struct key_parameters *p, struct buf *out)
{
	uint8_t raw[512];
	struct buf plain = BUF_OF(raw);

	buf_put_u8(&plain, p->key_type);
	buf_put_uint(&plain, 4, p->revoked ? 0 : STATUS_NOT_REVOKED);
	buf_put_uint(&plain, 5, p->activation);
	buf_put_uint(&plain, 5, p->expiry);
	buf_put_uint(&plain, 2, p->text.n);
	buf_put(&plain, p->text);
	buf_put_uint(&plain, 2, p->group.n > 0 ? 4 + p->group.n : 1);
	buf_put_u8(&plain, p->group.n > 0 ? 1 : 0);
	if (p->group.n > 0) {
		buf_put_u8(&plain, IEI_GROUP);
		buf_put_uint(&plain, 2, p->group.n);
		buf_put(&plain, p->group);
	}
	TRY(buf_status(&plain));
	return seal_container(rng, key, EXT_MARK, key_id, created, buf_bytes(&plain), out);
}

enum status order_seal(
        struct rng *rng, struct bytes key, uint32_t key_id, uint64_t created, const struct gmk_order *o, struct buf *out)
{
	uint8_t raw[ORDER_PLAIN_MAX];
	struct buf plain = BUF_OF(raw);

	order_put(&plain, o);
	TRY(buf_status(&plain));
	return seal_container(rng, key, ORDER_MARK, key_id, created, buf_bytes(&plain), out);
}

static enum status parse_plain(struct bytes in, struct key_parameters *out)
{
	struct bytes groups = { 0 };
	uint64_t type, status, n;

	*out = (struct key_parameters){ 0 };
	if (!bytes_take_uint(&in, 1, &type) || !bytes_take_uint(&in, 4, &status) ||
	        !bytes_take_uint(&in, 5, &out->activation) || !bytes_take_uint(&in, 5, &out->expiry) ||
	        !bytes_take_uint(&in, 2, &n) || !bytes_take(&in, (size_t)n, &out->text))
		return ERR_MALFORMED;
	out->key_type = (uint8_t)type;
	out->revoked = (status & STATUS_NOT_REVOKED) == 0;
	if (in.n > 0 && (!bytes_take_uint(&in, 2, &n) || !bytes_take(&in, (size_t)n, &groups) || in.n != 0))
		return ERR_MALFORMED;
	if (groups.n == 0 || !bytes_take_uint(&groups, 1, &n) || n == 0)
		return OK;
	if (!bytes_take_uint(&groups, 1, &n) || !bytes_take_uint(&groups, 2, &n) ||
	        !bytes_take(&groups, (size_t)n, &out->group))
		return ERR_MALFORMED;
	return OK;
}

static enum status open_container(
        struct bytes key, uint8_t mark, struct bytes data, struct secret_large *plain, uint32_t *key_id)
{
	struct bytes aad, text;
	SECRET k = { 0 };
	uint64_t flags, n;

	secret_large_wipe(plain);
	if (!bytes_take(&data, AAD_LEN, &aad) || !bytes_take_uint(&data, 1, &flags) || !bytes_take_uint(&data, 2, &n) ||
	        !bytes_take(&data, (size_t)n, &text) || data.n != 0 || text.n < GCM_TAG_LEN || text.n > sizeof plain->data)
		return ERR_MALFORMED;
	if (aad.p[0] != mark || aad.p[11] != ALG_AES_128_GCM)
		return ERR_MALFORMED;
	TRY(parameters_key(key, (struct bytes){ aad.p + 28, 4 }, &k));
	TRY(aes_gcm_open(secret_bytes(&k), (struct bytes){ aad.p + 12, PARAMETERS_IV_LEN }, aad, text, plain->data));
	plain->len = text.n - GCM_TAG_LEN;
	*key_id = (uint32_t)bytes_uint((struct bytes){ aad.p + 28, 4 });
	return OK;
}

enum status key_parameters_open(struct bytes key, struct bytes data, struct secret_large *plain, struct key_parameters *out)
{
	uint32_t key_id;

	TRY(open_container(key, EXT_MARK, data, plain, &key_id));
	TRY(parse_plain(secret_large_bytes(plain), out));
	out->key_id = key_id;
	return OK;
}

enum status order_open(struct bytes key, uint32_t key_id, struct bytes data, struct gmk_order *out)
{
	SECRET_LARGE plain = { 0 };
	uint32_t made_for;

	TRY(open_container(key, ORDER_MARK, data, &plain, &made_for));
	TRY(order_parse(secret_large_bytes(&plain), out));
	return made_for == key_id ? OK : ERR_MALFORMED;
}

enum status gmk_message_build(struct rng *rng, const struct gmk_message *g, struct buf *out)
{
	uint8_t data[SAKKE_DATA_LEN], uid[MIKEY_UID_LEN], parameters_raw[512], order_raw[ORDER_PLAIN_MAX + 64],
	        signature[ECCSI_SIGNATURE_LEN];
	struct buf parameters = BUF_OF(parameters_raw), order = BUF_OF(order_raw);
	const struct mikey_kms *to = g->member_kms != NULL ? g->member_kms : g->kms;
	struct sakke_message m = { .ntp = mikey_ntp(g->now),
		.initiator_uri = g->signer_uri,
		.responder_uri = g->member_uri,
		.initiator_kms_uri = g->kms->uri,
		.responder_kms_uri = to->uri };
	size_t start = out->len;

	TRY(mikey_uid(to, g->member_uri, mikey_period_number(to, g->now), uid));
	if (g->sakke_data != NULL)
		memcpy(data, g->sakke_data, sizeof data);
	else
		TRY(sakke_encapsulate(g->z, BYTES_OF(uid), &g->gmk, data));
	TRY(mikey_guk_id(secret_bytes(&g->gmk), g->member_uri, g->gmk_id, &m.csb_id));
	TRY(key_parameters_seal(rng, secret_bytes(&g->gmk), m.csb_id, g->now, &g->parameters, &parameters));
	if (g->order.number > 0)
		TRY(order_seal(rng, secret_bytes(&g->gmk), m.csb_id, g->now, &g->order, &order));
	if (g->rand.n < MIKEY_RAND_MIN)
		return ERR_BUG;
	m.rand = g->rand;
	m.sakke_data = BYTES_OF(data);
	m.key_parameters = buf_bytes(&parameters);
	m.order = buf_bytes(&order);
	sakke_message_put(out, &m);
	TRY(buf_status(out));
	TRY(eccsi_sign(rng, g->hs, g->ssk, g->pvt, (struct bytes){ out->p + start, out->len - start }, signature));
	buf_put(out, BYTES_OF(signature));
	return buf_status(out);
}
