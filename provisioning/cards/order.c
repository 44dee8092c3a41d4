/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/cms.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>

#include "apdu/aids.h"
#include "apdu/birth.h"
#include "apdu/base/hex.h"
#include "apdu/gba.h"
#include "apdu/tlv.h"
#include "crypto/guarded/aka.h"
#include "crypto/guarded/seal.h"
#include "ota/gp_key.h"
#include "provisioning/gba/bsf.h"
#include "provisioning/operator.h"

static enum status put_random(struct buf *b, uint32_t tag, size_t n)
{
	uint8_t *at;

	tlv_put_header(b, tag, n);
	if ((at = buf_reserve(b, n)) == NULL)
		return ERR_NO_SPACE;
	return rng_fill(&rng_system, at, n);
}

/* n digits, uniform: octets of 250 and more are thrown away. */
static enum status random_digits(char *out, size_t n)
{
	uint8_t octet;

	for (size_t i = 0; i < n;) {
		TRY(rng_fill(&rng_system, &octet, 1));
		if (octet < 250)
			out[i++] = (char)('0' + octet % 10);
	}
	out[n] = 0;
	return OK;
}

static void put_pin(struct buf *b, uint32_t tag, const char *digits)
{
	tlv_put_header(b, tag, BIRTH_PIN_LEN);
	if (birth_put_pin(b, digits) != OK)
		b->failed = true;
}

static enum status make_secrets(
        const struct db_card *c, bool tuak, const char *naf, uint64_t now, struct secret_large *out, struct pin_letter *letter)
{
	struct buf b = { out->data, 0, sizeof out->data, false };
	uint8_t raw[8], id_raw[NAF_ID_MAX];
	struct buf aka = BUF_OF(raw), id = BUF_OF(id_raw);

	TRY(random_digits(letter->pin1, 4));
	TRY(random_digits(letter->puk1, 8));
	TRY(random_digits(letter->pin2, 4));
	TRY(random_digits(letter->puk2, 8));
	tlv_put(&b, BIRTH_CARD_ID, BYTES_OF(c->card_id));
	TRY(put_random(&b, BIRTH_K, tuak ? 32 : 16));
	TRY(put_random(&b, BIRTH_OPC, tuak ? 32 : 16));
	if (tuak) {
		tlv_put_uint(&aka, AKA_TAG_ALGORITHM, 1, AKA_TUAK);
		tlv_put(&b, BIRTH_AKA, buf_bytes(&aka));
	}
	put_pin(&b, BIRTH_PIN1, letter->pin1);
	put_pin(&b, BIRTH_PUK1, letter->puk1);
	put_pin(&b, BIRTH_PIN2, letter->pin2);
	put_pin(&b, BIRTH_PUK2, letter->puk2);
	tlv_put_uint(&b, BIRTH_OTA_KVN, 1, 1);
	TRY(put_random(&b, BIRTH_OTA_KIC, 16));
	TRY(put_random(&b, BIRTH_OTA_KID, 16));
	if (naf != NULL) {
		TRY(naf_id_of(naf, UA_PROTOCOL, &id));
		tlv_put(&b, BIRTH_NAF, buf_bytes(&id));
	} else {
		tlv_put_uint(&b, BIRTH_TRK_ID, 1, 1);
		TRY(put_random(&b, BIRTH_TRK, SEALED_KEY_LEN));
		TRY(put_random(&b, BIRTH_INK, SEALED_KEY_LEN));
	}
	tlv_put_uint(&b, BIRTH_TIME, 8, now);
	for (uint32_t tag = BIRTH_ISD_ENC; tag <= BIRTH_ISD_DEK; tag++)
		TRY(put_random(&b, tag, 16));
	TRY(put_random(&b, BIRTH_PSK, 32));
	out->len = b.len;
	return buf_status(&b);
}

static enum status encrypt(struct bytes plain, const char *certificate, struct buf *out)
{
	BIO *file = BIO_new_file(certificate, "r"), *in = BIO_new_mem_buf(plain.p, (int)plain.n);
	X509 *x = file != NULL ? PEM_read_bio_X509(file, NULL, NULL, NULL) : NULL;
	STACK_OF(X509) *to = sk_X509_new_null();
	CMS_ContentInfo *cms = NULL;
	unsigned char *der = NULL;
	int n = -1;

	if (x != NULL && to != NULL && in != NULL && sk_X509_push(to, x) == 1)
		cms = CMS_encrypt(to, in, EVP_aes_256_gcm(), CMS_BINARY);
	if (cms != NULL && (n = i2d_CMS_ContentInfo(cms, &der)) > 0)
		buf_put(out, (struct bytes){ der, (size_t)n });
	OPENSSL_free(der);
	CMS_ContentInfo_free(cms);
	sk_X509_free(to);
	X509_free(x);
	BIO_free(in);
	BIO_free(file);
	return n > 0 ? buf_status(out) : ERR_CRYPTO;
}

enum status order_new(struct db *db, const char *iccid, const char *imsi, bool tuak, const char *naf, uint64_t now,
        const char *maker_certificate, struct buf *cms, struct pin_letter *letter)
{
	SECRET_LARGE secrets = { 0 };
	struct db_card c = { 0 };

	if (strlen(iccid) < 18 || strlen(iccid) > 20 || strlen(imsi) != 15)
		return ERR_MALFORMED;
	(void)snprintf(c.iccid, sizeof c.iccid, "%s", iccid);
	(void)snprintf(c.imsi, sizeof c.imsi, "%s", imsi);
	TRY(bcd_encode(iccid, c.card_id, sizeof c.card_id));
	TRY(make_secrets(&c, tuak, naf, now, &secrets, letter));
	TRY(encrypt(secret_large_bytes(&secrets), maker_certificate, cms));
	return db_card_add(db, &c, secret_large_bytes(&secrets));
}

enum status operator_seal_under(struct db *db, const char *iccid, const struct seal_keys *k, enum sealed_kind kind,
        struct bytes name, uint64_t not_before, uint64_t not_after, struct bytes payload, struct buf *out)
{
	struct sealed_header h = {
		.domain = BYTES_STR(AID_PROSE), .kind = kind, .name = name, .not_before = not_before, .not_after = not_after
	};
	uint8_t card_id[CARD_ID_LEN];

	if (k == NULL)
		return operator_seal(db, iccid, kind, name, not_before, not_after, payload, out);
	h.trk_id = k->trk_id;
	TRY(db_card_next_sequence(db, iccid, &h.sequence));
	TRY(bcd_encode(iccid, card_id, sizeof card_id));
	h.card_id = BYTES_OF(card_id);
	return seal(&rng_system, secret_bytes(&k->trk), secret_bytes(&k->ink), &h, payload, out);
}

void seal_keys_wipe(struct seal_keys *k)
{
	secret_clean(k, sizeof *k);
}

enum status operator_seal_keys(struct db *db, const char *iccid, struct seal_keys *k)
{
	SECRET_LARGE secrets = { 0 };
	struct bytes id, trk, ink;
	struct db_card c;

	TRY(db_card_get(db, iccid, &c, &secrets));
	TRY(tlv_find(secret_large_bytes(&secrets), BIRTH_TRK_ID, &id));
	TRY(tlv_find(secret_large_bytes(&secrets), BIRTH_TRK, &trk));
	TRY(tlv_find(secret_large_bytes(&secrets), BIRTH_INK, &ink));
	k->trk_id = (uint8_t)bytes_uint(id);
	TRY(secret_set(&k->trk, trk));
	return secret_set(&k->ink, ink);
}

enum status operator_seal(struct db *db, const char *iccid, enum sealed_kind kind, struct bytes name, uint64_t not_before,
        uint64_t not_after, struct bytes payload, struct buf *out)
{
	SEAL_KEYS k = { 0 };

	TRY(operator_seal_keys(db, iccid, &k));
	return operator_seal_under(db, iccid, &k, kind, name, not_before, not_after, payload, out);
}

static void put_transport_keys(struct buf *b, const struct seal_keys *k)
{
	tlv_put_uint(b, BIRTH_TRK_ID, 1, k->trk_id);
	tlv_put(b, BIRTH_TRK, secret_bytes(&k->trk));
	tlv_put(b, BIRTH_INK, secret_bytes(&k->ink));
}

/* Everything but the transport keys, and these. */
static enum status keep_transport_keys(struct db *db, const char *iccid, struct bytes secrets, const struct seal_keys *k)
{
	SECRET_LARGE changed = { 0 };
	struct buf b = { changed.data, 0, sizeof changed.data, false };
	struct tlv t;

	while (secrets.n > 0) {
		TRY(tlv_next(&secrets, &t));
		if (t.tag != BIRTH_TRK_ID && t.tag != BIRTH_TRK && t.tag != BIRTH_INK)
			tlv_put(&b, t.tag, t.value);
	}
	put_transport_keys(&b, k);
	TRY(buf_status(&b));
	return db_card_set_secrets(db, iccid, buf_bytes(&b));
}

static enum status make_transport_keys(uint8_t id, struct seal_keys *k)
{
	k->trk_id = id;
	TRY(rng_secret(&rng_system, &k->trk, SEALED_KEY_LEN));
	return rng_secret(&rng_system, &k->ink, SEALED_KEY_LEN);
}

static enum status seal_transport_keys(
        struct db *db, const char *iccid, const struct seal_keys *under, const struct seal_keys *k, struct buf *out)
{
	SECRET_LARGE payload = { 0 };
	struct buf b = { payload.data, 0, sizeof payload.data, false };

	put_transport_keys(&b, k);
	TRY(buf_status(&b));
	return operator_seal_under(
	        db, iccid, under, SEALED_TRANSPORT_KEYS, BYTES_STR("trk"), 0, UINT64_MAX, buf_bytes(&b), out);
}

enum status order_new_transport_keys(
        struct db *db, const char *iccid, uint64_t now, const struct seal_keys *under, struct buf *out)
{
	SECRET_LARGE secrets = { 0 };
	SEAL_KEYS k = { 0 };
	struct db_item item = { .at = now, .kind = ITEM_TRANSPORT };
	struct db_card c;
	struct bytes id;

	TRY(db_outbox_has(db, iccid, ITEM_TRANSPORT) == ERR_NOT_FOUND ? OK : ERR_DENIED);
	TRY(db_card_get(db, iccid, &c, &secrets));
	TRY(tlv_find(secret_large_bytes(&secrets), BIRTH_TRK_ID, &id));
	TRY(make_transport_keys((uint8_t)(bytes_uint(id) % 255 + 1), &k));
	TRY(seal_transport_keys(db, iccid, under, &k, out));
	(void)snprintf(item.iccid, sizeof item.iccid, "%s", iccid);
	if (under == NULL)
		TRY(db_outbox_add(db, &item, buf_bytes(out)));
	return keep_transport_keys(db, iccid, secret_large_bytes(&secrets), &k);
}

/* The keys of the card's record, made now if there are none. */
static enum status first_keys(struct db *db, const char *iccid, struct bytes secrets, struct seal_keys *k)
{
	enum status st = operator_seal_keys(db, iccid, k);

	if (st != ERR_NOT_FOUND)
		return st;
	TRY(make_transport_keys(1, k));
	return keep_transport_keys(db, iccid, secrets, k);
}

enum status order_keys_by_gba(struct db *db, const char *iccid, const struct seal_keys *under, struct buf *out)
{
	SECRET_LARGE secrets = { 0 };
	SEAL_KEYS k = { 0 };
	struct db_card c;
	struct bytes naf;

	TRY(db_card_get(db, iccid, &c, &secrets));
	TRY(tlv_find(secret_large_bytes(&secrets), BIRTH_NAF, &naf));
	TRY(first_keys(db, iccid, secret_large_bytes(&secrets), &k));
	return seal_transport_keys(db, iccid, under, &k, out);
}

/* INSTALL [for personalization] and STORE DATA (GlobalPlatform 2.3 11.5.2.3.6, 11.11) for the ProSe applet. */
enum status order_keys_over_the_air(struct db *db, const char *iccid, uint64_t now, struct buf *packet, uint64_t *counter)
{
	SECRET_LARGE secrets = { 0 };
	SECRET_LARGE script = { 0 };
	SECRET_LARGE data = { 0 };
	SEAL_KEYS k = { 0 };
	struct buf s = { script.data, 0, sizeof script.data, false }, b = { data.data, 0, sizeof data.data, false };
	struct db_card c;

	TRY(db_card_get(db, iccid, &c, &secrets));
	TRY(first_keys(db, iccid, secret_large_bytes(&secrets), &k));
	put_transport_keys(&b, &k);
	tlv_put_uint(&b, BIRTH_TIME, 8, now);
	buf_put(&s, (struct bytes){ (const uint8_t[]){ 0x80, INS_INSTALL, 0x20, 0x00, sizeof AID_PROSE - 1 + 6, 0x00, 0x00,
	                                    sizeof AID_PROSE - 1 },
	                    8 });
	buf_put(&s, BYTES_STR(AID_PROSE));
	buf_put(&s, (struct bytes){ (const uint8_t[]){ 0x00, 0x00, 0x00 }, 3 });
	buf_put(&s, (struct bytes){ (const uint8_t[]){ 0x80, INS_STORE_DATA, 0x80, 0x00, (uint8_t)b.len }, 5 });
	buf_put(&s, buf_bytes(&b));
	TRY(buf_status(&b));
	TRY(buf_status(&s));
	return ota_send(db, iccid, (const uint8_t *)TAR_CARD_MANAGER, SPI2_DEFAULT, buf_bytes(&s), packet, counter);
}
