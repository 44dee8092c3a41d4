/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/keys/kms.h"

#include <stdio.h>
#include <string.h>

#include "apdu/tlv.h"
#include "crypto/guarded/eccsi.h"
#include "crypto/guarded/sakke.h"
#include "protocols/mikey/message.h"
#include "provisioning/keys/kms_log.h"

void kms_wipe(struct kms *k)
{
	secret_clean(k, sizeof *k);
}

void kms_signer_wipe(struct kms_signer *s)
{
	secret_clean(s, sizeof *s);
}

enum status kms_init(struct db *db, const char *uri, uint64_t period, uint64_t offset)
{
	SECRET_LARGE z = { 0 };
	SECRET_LARGE keys = { 0 };
	SECRET ksak = { 0 };
	struct buf b = { keys.data, 0, sizeof keys.data, false };
	uint8_t public_key[SAKKE_POINT_LEN], kpak[ECCSI_POINT_LEN];
	struct db_kms k = { .period = period, .offset = offset };

	if (strlen(uri) == 0 || strlen(uri) >= sizeof k.uri || period == 0 || period > KMS_PERIOD_MAX || offset >= period)
		return ERR_MALFORMED;
	(void)snprintf(k.uri, sizeof k.uri, "%s", uri);
	TRY(sakke_kms_new(&rng_system, &z, public_key));
	TRY(eccsi_kms_new(&rng_system, &ksak, kpak));
	buf_put(&b, secret_large_bytes(&z));
	buf_put(&b, secret_bytes(&ksak));
	buf_put(&b, BYTES_OF(public_key));
	buf_put(&b, BYTES_OF(kpak));
	return db_kms_set(db, &k, buf_bytes(&b));
}

enum status kms_load(struct db *db, struct kms *k)
{
	struct bytes in, z, ksak, public_key, kpak;

	TRY(db_kms_get(db, &k->record, &k->keys));
	in = secret_large_bytes(&k->keys);
	if (!bytes_take(&in, SAKKE_FIELD_LEN, &z) || !bytes_take(&in, ECCSI_SCALAR_LEN, &ksak) ||
	        !bytes_take(&in, SAKKE_POINT_LEN, &public_key) || !bytes_take(&in, ECCSI_POINT_LEN, &kpak))
		return ERR_MALFORMED;
	TRY(secret_large_set(&k->z, z));
	TRY(secret_set(&k->ksak, ksak));
	k->public_key = public_key.p;
	k->kpak = kpak.p;
	k->identity = (struct mikey_kms){ bytes_str(k->record.uri), k->record.period, k->record.offset };
	return OK;
}

uint64_t kms_period_end(const struct kms *k, uint64_t number)
{
	return (number + 1) * k->record.period + k->record.offset - MIKEY_NTP_TO_UNIX;
}

void kms_describe(const struct kms *k, struct kms_certificate_info *c)
{
	*c = (struct kms_certificate_info){ .period = k->record.period, .offset = k->record.offset };
	(void)snprintf(c->kms_uri, sizeof c->kms_uri, "%s", k->record.uri);
	(void)snprintf(c->validity.issuer, sizeof c->validity.issuer, "%s", k->record.uri);
	memcpy(c->pub_enc_key, k->public_key, sizeof c->pub_enc_key);
	memcpy(c->pub_auth_key, k->kpak, sizeof c->pub_auth_key);
}

void kms_describe_external(const struct db_external_kms *k, struct kms_certificate_info *c)
{
	*c = (struct kms_certificate_info){ .period = k->period, .offset = k->offset };
	(void)snprintf(c->kms_uri, sizeof c->kms_uri, "%s", k->uri);
	(void)snprintf(c->domain, sizeof c->domain, "%s", k->domain);
	memcpy(c->pub_enc_key, k->keys, sizeof c->pub_enc_key);
	memcpy(c->pub_auth_key, k->keys + sizeof c->pub_enc_key, sizeof c->pub_auth_key);
}

enum status kms_signer_new(const struct kms *k, const char *uri, uint64_t when, struct kms_signer *s)
{
	uint8_t uid[MIKEY_UID_LEN];

	TRY(mikey_uid(&k->identity, bytes_str(uri), mikey_period_number(&k->identity, when), uid));
	TRY(eccsi_extract(&rng_system, &k->ksak, k->kpak, BYTES_OF(uid), &s->ssk, s->pvt));
	return eccsi_validate(k->kpak, BYTES_OF(uid), &s->ssk, s->pvt, s->hs);
}

/* A certificate as the card keeps it; domain: of an external KMS. */
static void put_certificate(struct buf *b, const struct mikey_kms *k, const uint8_t *z, const uint8_t *kpak, const char *domain)
{
	tlv_put(b, KMSC_URI, k->uri);
	tlv_put(b, KMSC_Z, (struct bytes){ z, SAKKE_POINT_LEN });
	tlv_put(b, KMSC_KPAK, (struct bytes){ kpak, ECCSI_POINT_LEN });
	tlv_put_uint(b, KMSC_PERIOD, 8, k->period);
	tlv_put_uint(b, KMSC_OFFSET, 8, k->offset);
	if (domain != NULL)
		tlv_put(b, KMSC_DOMAIN, bytes_str(domain));
}

struct externals {
	struct db *db;
	const struct seal_keys *under;
	const char *iccid;
	struct buf *out;
};

static enum status seal_external(void *context, const struct db_external_kms *k)
{
	const struct externals *e = context;
	const struct mikey_kms kms = { bytes_str(k->uri), k->period, k->offset };
	uint8_t raw[1024];
	struct buf b = BUF_OF(raw);

	put_certificate(&b, &kms, k->keys, k->keys + SAKKE_POINT_LEN, k->domain);
	TRY(buf_status(&b));
	return operator_seal_under(
	        e->db, e->iccid, e->under, SEALED_EXTERNAL_KMS, kms.uri, 0, UINT64_MAX, buf_bytes(&b), e->out);
}

enum status kms_seal_certificate(
        struct db *db, const struct kms *k, const struct seal_keys *under, const char *iccid, struct buf *out)
{
	struct externals e = { db, under, iccid, out };
	uint8_t raw[1024];
	struct buf b = BUF_OF(raw);

	put_certificate(&b, &k->identity, k->public_key, k->kpak, NULL);
	TRY(buf_status(&b));
	TRY(operator_seal_under(db, iccid, under, SEALED_KMS_CERTIFICATE, k->identity.uri, 0, UINT64_MAX, buf_bytes(&b), out));
	return db_external_kms_each(db, seal_external, &e);
}

void kms_tables_close(struct kms_tables *t)
{
	sakke_kms_close(&t->sakke);
}

static enum status extract(struct kms_tables *t, const struct kms *k, struct bytes uid, struct secret_large *rsk)
{
	if (t == NULL)
		return sakke_extract(&k->z, uid, rsk);
	if (t->sakke == NULL || memcmp(t->public_key, k->public_key, sizeof t->public_key) != 0) {
		kms_tables_close(t);
		TRY(sakke_kms_open(k->public_key, &t->sakke));
		memcpy(t->public_key, k->public_key, sizeof t->public_key);
	}
	return sakke_kms_extract(t->sakke, &k->z, uid, rsk);
}

enum status kms_issue(struct db *db, struct kms_tables *tables, uint64_t now, const struct seal_keys *under, const char *iccid,
        const char *uri, uint64_t when, struct buf *out)
{
	SECRET_LARGE rsk = { 0 };
	SECRET_LARGE payload = { 0 };
	struct buf b = { payload.data, 0, sizeof payload.data, false };
	__attribute__((cleanup(kms_wipe))) struct kms k = { 0 };
	__attribute__((cleanup(kms_signer_wipe))) struct kms_signer s = { 0 };
	uint8_t uid[MIKEY_UID_LEN];
	uint64_t number;
	struct db_card card;
	char holder[21];
	enum status st;

	if (strlen(uri) == 0 || strlen(uri) > PROSE_URI_MAX)
		return ERR_MALFORMED;
	TRY(db_card_get(db, iccid, &card, NULL));
	if (card.revoked != 0 || card.duplicate_of[0] != 0 || db_user_card(db, uri, holder) == ERR_DENIED ||
	        db_user_elsewhere(db, uri, iccid, holder) == OK)
		return ERR_DENIED;
	TRY(kms_load(db, &k));
	number = mikey_period_number(&k.identity, when);
	TRY(mikey_uid(&k.identity, bytes_str(uri), number, uid));
	TRY(extract(tables, &k, BYTES_OF(uid), &rsk));
	TRY(kms_signer_new(&k, uri, when, &s));
	tlv_put(&b, KEYSET_KMS_URI, k.identity.uri);
	tlv_put(&b, KEYSET_USER_URI, bytes_str(uri));
	tlv_put_uint(&b, KEYSET_PERIOD_NUMBER, 8, number);
	tlv_put(&b, KEYSET_RSK, secret_large_bytes(&rsk));
	tlv_put(&b, KEYSET_SSK, secret_bytes(&s.ssk));
	tlv_put(&b, KEYSET_PVT, BYTES_OF(s.pvt));
	if ((st = buf_status(&b)) == OK && (st = kms_seal_certificate(db, &k, under, iccid, out)) == OK)
		st = operator_seal_under(db, iccid, under, SEALED_KEY_SET, bytes_str(uri), 0, UINT64_MAX, buf_bytes(&b), out);
	if (st == OK && (st = db_user_set(db, uri, iccid)) == OK)
		st = kms_log_append(db, now, iccid, uri, number);
	return st;
}
