/* SPDX-License-Identifier: Apache-2.0 */
/* A key pair of the card's own for a TLS client certificate (seed S-6.1, R-067): made here, signs here, never leaves. */
#include "apdu/tlv.h"
#include "card/applets/prose/prose.h"
#include "crypto/guarded/ecdsa.h"

static const struct bytes record_name = { (const uint8_t *)"tls", 3 };

static enum status load(struct applet *a, struct secret *key, uint8_t public_key[static ECDSA_POINT_LEN])
{
	SECRET_LARGE record = { 0 };
	struct bytes in, k, p;
	struct buf b = { public_key, 0, ECDSA_POINT_LEN, false };

	TRY(applet_get(a, record_name, &record));
	in = secret_large_bytes(&record);
	if (!bytes_take(&in, ECDSA_SCALAR_LEN, &k) || !bytes_take(&in, ECDSA_POINT_LEN, &p) || in.n != 0)
		return ERR_MALFORMED;
	buf_put(&b, p);
	return secret_set(key, k);
}

/* One there is already is not replaced: its certificate would be worth nothing. */
static enum status make(struct applet *a)
{
	SECRET key = { 0 };
	SECRET_LARGE record = { 0 };
	struct buf b = { record.data, 0, sizeof record.data, false };
	uint8_t public_key[ECDSA_POINT_LEN];
	enum status st = load(a, &key, public_key);

	if (st != ERR_NOT_FOUND)
		return st;
	TRY(ecdsa_generate(&key, public_key));
	buf_put(&b, secret_bytes(&key));
	buf_put(&b, BYTES_OF(public_key));
	return applet_put(a, record_name, buf_bytes(&b));
}

enum sw prose_cmd_certificate(struct command *c)
{
	SECRET key = { 0 };
	uint8_t public_key[ECDSA_POINT_LEN], signature[ECDSA_SIGNATURE_LEN];
	struct bytes hash;
	enum status st;

	if (c->p1 != CERTIFICATE_KEY && c->p1 != CERTIFICATE_SIGN)
		return SW_WRONG_P1P2;
	if (c->p1 == CERTIFICATE_KEY && (st = make(c->applet)) != OK)
		return sw_of(st);
	if ((st = load(c->applet, &key, public_key)) != OK)
		return st == ERR_NOT_FOUND ? SW_PROSE_NO_KEY : sw_of(st);
	if (c->p1 == CERTIFICATE_KEY) {
		tlv_put(c->rsp, TAG_PUBLIC_KEY, BYTES_OF(public_key));
		return SW_OK;
	}
	if (tlv_find(c->data, TAG_HASH, &hash) != OK || hash.n != ECDSA_HASH_LEN)
		return SW_WRONG_DATA;
	if ((st = ecdsa_sign(&key, public_key, hash.p, signature)) != OK)
		return sw_of(st);
	tlv_put(c->rsp, TAG_SIGNATURE, BYTES_OF(signature));
	return SW_OK;
}
