/* SPDX-License-Identifier: Apache-2.0 */
#include "card/io/birth/birth.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <openssl/cms.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "apdu/base/disk.h"
#include "apdu/birth.h"
#include "apdu/base/hex.h"
#include "apdu/tlv.h"
#include "crypto/guarded/aka.h"
#include "crypto/guarded/diversify.h"
#include "crypto/common/hash.h"
#include "ota/packet.h"

enum { PROFILE_TEXT_MAX = 1 << 20 };

static enum status fail(enum status st, char *reason, size_t n, const char *where, const char *what)
{
	if (reason != NULL)
		(void)snprintf(reason, n, "%s: %s", where, what);
	return st;
}

static bool digits(const json_t *v, size_t min, size_t max)
{
	const char *s = json_string_value(v);

	return s != NULL && strlen(s) >= min && strlen(s) <= max && strspn(s, "0123456789") == strlen(s);
}

static enum status order_fields(const json_t *root, const char *path, struct order *o, char *reason, size_t n)
{
	const json_t *iccid = json_object_get(root, "iccid"), *imsi = json_object_get(root, "imsi");

	if (!digits(iccid, 18, 20))
		return fail(ERR_MALFORMED, reason, n, path, "\"iccid\" must be a string of 18 to 20 digits");
	if (!digits(imsi, 6, 15))
		return fail(ERR_MALFORMED, reason, n, path, "\"imsi\" must be a string of 6 to 15 digits");
	(void)snprintf(o->who.iccid, sizeof o->who.iccid, "%s", json_string_value(iccid));
	(void)snprintf(o->who.imsi, sizeof o->who.imsi, "%s", json_string_value(imsi));
	o->who.pin1_enabled = !json_is_false(json_object_get(root, "pin1_enabled"));
	o->who.profile = root;
	o->who.path = path;
	return bcd_encode(o->who.iccid, o->card_id, sizeof o->card_id);
}

/* NULL: *error says why; 0: it is empty, or too long. */
static char *read_text(const char *path, size_t *n, int *error)
{
	char *text = malloc(PROFILE_TEXT_MAX);
	FILE *f = text != NULL ? fopen(path, "re") : NULL;

	*n = f != NULL ? fread(text, 1, PROFILE_TEXT_MAX, f) : 0;
	*error = text == NULL ? ENOMEM : f == NULL || ferror(f) != 0 ? errno : 0;
	if (f != NULL)
		(void)fclose(f);
	if (*n == 0 || *n == PROFILE_TEXT_MAX) {
		free(text);
		return NULL;
	}
	return text;
}

enum status order_read(const char *path, struct order *o, char *reason, size_t n)
{
	struct bytes text = profile_standard();
	json_t *root;
	int error;

	*o = (struct order){ 0 };
	if (path != NULL) {
		if ((o->text = read_text(path, &text.n, &error)) == NULL)
			return fail(
			        ERR_NOT_FOUND, reason, n, path, error != 0 ? disk_text(error) : "is empty, or beyond 1 MiB");
		text.p = (const uint8_t *)o->text;
	}
	if ((root = profile_parse((const char *)text.p, text.n, path != NULL ? path : "standard profile", reason, n)) == NULL)
		return ERR_MALFORMED;
	o->who.profile = root;
	o->who.text = text;
	return order_fields(root, path, o, reason, n);
}

void order_free(struct order *o)
{
	json_decref((json_t *)o->who.profile);
	free(o->text);
	*o = (struct order){ 0 };
}

enum status birth_secrets_open(const char *path, const char *maker_key, struct secret_large *out, char *reason, size_t n)
{
	enum status st = fail(ERR_CRYPTO, reason, n, path, "cannot be decrypted with this card maker's key");
	BIO *in = BIO_new_file(path, "rb"), *key_file = BIO_new_file(maker_key, "r");
	BIO *plain = BIO_new(BIO_s_secmem() != NULL ? BIO_s_secmem() : BIO_s_mem());
	EVP_PKEY *key = key_file != NULL ? PEM_read_bio_PrivateKey(key_file, NULL, NULL, NULL) : NULL;
	CMS_ContentInfo *cms = in != NULL ? d2i_CMS_bio(in, NULL) : NULL;
	char *data;
	long len;

	if (key == NULL)
		st = fail(ERR_NOT_FOUND, reason, n, maker_key, "is not a readable private key (PEM)");
	else if (cms == NULL)
		st = fail(ERR_MALFORMED, reason, n, path, "is not a secrets file (CMS, DER)");
	else if (plain != NULL && CMS_decrypt(cms, key, NULL, NULL, plain, CMS_BINARY) == 1 &&
	         (len = BIO_get_mem_data(plain, &data)) > 0) {
		st = secret_large_set(out, (struct bytes){ (const uint8_t *)data, (size_t)len });
		secret_clean(data, (size_t)len);
	}
	CMS_ContentInfo_free(cms);
	EVP_PKEY_free(key);
	BIO_free(plain);
	BIO_free(key_file);
	BIO_free(in);
	return st;
}

/* What a test card has when its profile does not say: TS 35.208 set 1, and PINs that people can remember. */
static const char *standard_value(enum birth_tag tag)
{
	switch (tag) {
	case BIRTH_K: return "465b5ce8b199b49faa5f0a2ee238a6bc";
	case BIRTH_OPC: return "cd63cb71954a9f4e48a5994e37a02baf";
	case BIRTH_PIN1: return "1234";
	case BIRTH_PUK1: return "12345678";
	case BIRTH_PIN2: return "5678";
	case BIRTH_PUK2: return "56785678";
	case BIRTH_UNIVERSAL_PIN: return "0000";
	case BIRTH_UNIVERSAL_PUK: return "00000000";
	default: return NULL; /* the card's own */
	}
}

static bool is_test_plmn(const struct order *o)
{
	return strncmp(o->who.imsi, "00101", 5) == 0;
}

/* n octets of this card's own for one row of the table; a seeded farm's are made from its batch's secret, the SHA-256 of the
 * seed. */
static enum status make_octets(const struct order *o, const struct birth_field *t, uint8_t out[SHA256_LEN], size_t n)
{
	const struct bytes parts[] = { BYTES_STR("prose test key"), BYTES_OF(o->card_id), bytes_str(t->name) };
	uint8_t batch[SHA256_LEN];
	enum status st;

	switch (o->keys) {
	case KEYS_PUBLISHED: return sha256(parts, 3, out);
	case KEYS_SEEDED:
		TRY(sha256(&(struct bytes){ (const uint8_t *)o->seed, strlen(o->seed) }, 1, batch));
		st = key_diversify(BYTES_OF(batch), t->name, BYTES_OF(o->card_id), out, n);
		secret_clean(batch, sizeof batch);
		return st;
	default: return rng_fill(&rng_system, out, SHA256_LEN);
	}
}

static void digits_of(const uint8_t octets[SHA256_LEN], size_t n, char out[BIRTH_PIN_LEN + 1])
{
	for (size_t i = 0; i < n; i++) /* 65536 values to a digit: no digit is noticeably likelier */
		out[i] = (char)('0' + (octets[2 * i] << 8 | octets[2 * i + 1]) % 10);
	out[n] = 0;
}

/* The value of one row: the profile's, the published one, or this card's own. */
static enum status value_of(const struct order *o, const struct birth_field *t, const char *given, size_t own, struct buf *out,
        char *reason, size_t n)
{
	uint8_t octets[SHA256_LEN];
	char digits[BIRTH_PIN_LEN + 1];
	const char *text = given != NULL ? given : standard_value(t->tag);
	size_t start = out->len;
	bool ok = true;

	if (o->keys != KEYS_PUBLISHED && (t->form == BIRTH_KEY || !is_test_plmn(o)))
		text = NULL; /* a farm's keys are its own; only test cards keep PINs that people can remember */
	if (text == NULL)
		TRY(make_octets(o, t, octets, t->form == BIRTH_KEY ? own : sizeof octets));
	if (text == NULL && t->form != BIRTH_KEY) {
		digits_of(octets, t->form == BIRTH_PIN ? 4 : 8, digits);
		text = digits;
	}
	if (text == NULL) {
		buf_put(out, (struct bytes){ octets, own });
	} else if (t->form != BIRTH_KEY) {
		ok = birth_put_pin(out, text) == OK;
	} else {
		ok = hex_decode(bytes_str(text), out) == OK &&
		     (out->len - start == 16 || (out->len - start == 32 && t->tag != BIRTH_OTA_KIC && t->tag != BIRTH_OTA_KID));
	}
	secret_clean(octets, sizeof octets);
	secret_clean(digits, sizeof digits);
	if (!ok)
		return fail(ERR_MALFORMED, reason, n, t->name,
		        t->form != BIRTH_KEY ? "must be 4 to 8 digits" : "must be 16 octets in hex (TUAK: K and TOPc also 32)");
	return OK;
}

/* BIRTH_AKA from "algorithm" and "res_length". */
static enum status put_aka(const json_t *keys, struct aka_subscriber *s, struct buf *out, char *reason, size_t n)
{
	const char *name = json_string_value(json_object_get(keys, "algorithm"));
	unsigned algorithm = name != NULL ? birth_algorithm(name) : AKA_MILENAGE;
	uint8_t raw[32];
	long long res = json_integer_value(json_object_get(keys, "res_length"));
	struct buf aka = BUF_OF(raw);

	if (algorithm == 0)
		return fail(ERR_MALFORMED, reason, n, "algorithm", "must be milenage, tuak or xor");
	aka_defaults(s, algorithm);
	if (res != 0)
		s->res_len = res > 0 && res <= 32 ? (uint8_t)res : 0;
	tlv_put_uint(&aka, AKA_TAG_ALGORITHM, 1, algorithm);
	tlv_put(&aka, AKA_TAG_LENGTHS, (struct bytes){ (const uint8_t[]){ s->mac_len, s->res_len, s->ck_len, s->ik_len }, 4 });
	tlv_put(out, BIRTH_AKA, buf_bytes(&aka));
	return OK;
}

/* BIRTH_OPC where the profile has "op" instead. */
static enum status put_opc(struct aka_subscriber *s, const char *op, struct bytes k, struct buf *out, char *reason, size_t n)
{
	uint8_t raw[32];
	struct buf b = BUF_OF(raw);

	memcpy(s->k, k.p, k.n);
	s->k_len = (uint8_t)k.n;
	if (hex_decode(bytes_str(op), &b) != OK || aka_derive_opc(s, buf_bytes(&b)) != OK)
		return fail(ERR_MALFORMED, reason, n, "op", "must be 16 octets in hex (TUAK: 32)");
	tlv_put(out, BIRTH_OPC, (struct bytes){ s->opc, s->opc_len });
	return OK;
}

/* One more key set: {"kvn": 2, "algorithm": "3des-2", "kic": HEX, "kid": HEX, "cc": 8}. */
static enum status put_key_set(const json_t *set, struct buf *out, char *reason, size_t n)
{
	const json_t *kvn = json_object_get(set, "kvn"), *cc = json_object_get(set, "cc");
	SECRET raw = { 0 };
	SECRET_LARGE tlvs = { 0 };
	struct buf b = { tlvs.data, 0, sizeof tlvs.data, false };
	uint8_t type = ota_algorithm_named(json_string_value(json_object_get(set, "algorithm")));

	if (type == 0 || json_integer_value(kvn) < 1 || json_integer_value(kvn) > 15)
		return fail(ERR_MALFORMED, reason, n, "ota", "needs \"kvn\" 1 to 15 and \"algorithm\" aes, 3des-2 or 3des-3");
	tlv_put_uint(&b, OTA_KEY_KVN, 1, (uint64_t)json_integer_value(kvn));
	for (int kid = 0; kid < 2; kid++) {
		const char *hex = json_string_value(json_object_get(set, kid != 0 ? "kid" : "kic"));
		struct buf key = { raw.data, 0, sizeof raw.data, false };

		if (hex == NULL || hex_decode(bytes_str(hex), &key) != OK)
			return fail(ERR_MALFORMED, reason, n, "ota", "\"kic\" and \"kid\" must be hex");
		tlv_put_uint(&b, kid != 0 ? OTA_KEY_KID_TYPE : OTA_KEY_KIC_TYPE, 1, type);
		tlv_put(&b, kid != 0 ? OTA_KEY_KID : OTA_KEY_KIC, buf_bytes(&key));
	}
	if (cc != NULL)
		tlv_put_uint(&b, OTA_KEY_CC_LEN, 1, (uint64_t)json_integer_value(cc));
	tlv_put(out, BIRTH_OTA_KEY_SET, buf_bytes(&b));
	return buf_status(&b);
}

static enum status put_ota(const json_t *keys, struct buf *out, char *reason, size_t n)
{
	const json_t *sets = json_object_get(keys, "ota"), *policy = json_object_get(keys, "ota_policy");
	const json_int_t submits = json_integer_value(json_object_get(policy, "submits"));
	uint8_t raw[16];
	struct buf b = BUF_OF(raw);

	for (size_t i = 0; i < json_array_size(sets); i++)
		TRY(put_key_set(json_array_get(sets, i), out, reason, n));
	if (policy == NULL)
		return OK;
	tlv_put_uint(&b, OTA_POLICY_SILENT, 1, json_is_true(json_object_get(policy, "silent")) ? 1 : 0);
	tlv_put_uint(&b, OTA_POLICY_MAX_FAILURES, 4, (uint64_t)json_integer_value(json_object_get(policy, "max_failures")));
	if (submits < 0 || submits > 0xFFFF)
		return fail(ERR_MALFORMED, reason, n, "ota_policy", "\"submits\" must be 0 to 65535");
	if (submits > 0)
		tlv_put_uint(&b, OTA_POLICY_SUBMITS, 2, (uint64_t)submits);
	tlv_put(out, BIRTH_OTA_POLICY, buf_bytes(&b));
	return buf_status(out);
}

/* A supplementary domain: {"aid": HEX, "tar": HEX, "sovereign": true, "dap": false, "enc": HEX, "mac", "dek", "kic", "kid",
 * "psk" (or none)}. */
static enum status put_domain(const json_t *domain, struct buf *out, char *reason, size_t n)
{
	static const struct {
		const char *name;
		uint32_t tag;
		size_t min, max;
	} fields[] = { { "aid", DOMAIN_TAG_AID, 5, 16 }, { "tar", DOMAIN_TAG_TAR, 3, 3 }, { "enc", BIRTH_ISD_ENC, 16, 16 },
		{ "mac", BIRTH_ISD_MAC, 16, 16 }, { "dek", BIRTH_ISD_DEK, 16, 16 }, { "kic", BIRTH_OTA_KIC, 16, 16 },
		{ "kid", BIRTH_OTA_KID, 16, 16 }, { "psk", BIRTH_PSK, 16, 64 } };
	SECRET_LARGE tlvs = { 0 };
	struct buf b = { tlvs.data, 0, sizeof tlvs.data, false };
	unsigned flags = (json_is_true(json_object_get(domain, "sovereign")) ? DOMAIN_SOVEREIGN : 0U) |
	                 (json_is_true(json_object_get(domain, "dap")) ? DOMAIN_VERIFIES_DAP : 0U);

	tlv_put_uint(&b, DOMAIN_TAG_FLAGS, 1, flags);
	tlv_put_uint(&b, BIRTH_OTA_KVN, 1, 1);
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
		SECRET value = { 0 };
		struct buf v = { value.data, 0, sizeof value.data, false };
		const char *hex = json_string_value(json_object_get(domain, fields[i].name));

		if (hex == NULL && fields[i].tag == BIRTH_PSK)
			continue;
		if (hex == NULL || hex_decode(bytes_str(hex), &v) != OK || v.len < fields[i].min || v.len > fields[i].max)
			return fail(ERR_MALFORMED, reason, n, fields[i].name, "of a domain must be hex of the right length");
		tlv_put(&b, fields[i].tag, buf_bytes(&v));
	}
	tlv_put(out, BIRTH_DOMAIN, buf_bytes(&b));
	return b.failed ? ERR_NO_SPACE : OK;
}

enum status birth_test_secrets(const struct order *o, struct secret_large *out, char *reason, size_t n)
{
	const json_t *all = json_object_get(o->who.profile, "keys");
	const char *op = json_string_value(json_object_get(all, "op"));
	struct buf b = { out->data, 0, sizeof out->data, false };
	AKA_SUBSCRIBER s = { 0 };

	if (o->keys != KEYS_RANDOM && !is_test_plmn(o))
		return fail(ERR_DENIED, reason, n, o->who.imsi,
		        "keys in clear are for PLMN 001-01 only: order a card with `prose-net card new`");
	tlv_put(&b, BIRTH_CARD_ID, BYTES_OF(o->card_id));
	TRY(put_aka(all, &s, &b, reason, n));
	for (size_t i = 0; i < birth_field_count; i++) {
		const struct birth_field *t = &birth_fields[i];
		const char *given = json_string_value(json_object_get(all, t->name));
		SECRET value = { 0 };
		struct buf v = { value.data, 0, sizeof value.data, false };

		if (t->tag == BIRTH_OPC && (op != NULL || s.algorithm == AKA_XOR))
			continue;
		TRY(value_of(o, t, given, birth_own_length(t->tag, s.algorithm == AKA_TUAK), &v, reason, n));
		tlv_put(&b, t->tag, buf_bytes(&v));
		if (t->tag == BIRTH_K && op != NULL)
			TRY(put_opc(&s, op, buf_bytes(&v), &b, reason, n));
	}
	TRY(put_ota(all, &b, reason, n));
	for (size_t i = 0; i < json_array_size(json_object_get(all, "domains")); i++)
		TRY(put_domain(json_array_get(json_object_get(all, "domains"), i), &b, reason, n));
	tlv_put_uint(&b, BIRTH_OTA_KVN, 1, 1);
	tlv_put_uint(&b, BIRTH_TRK_ID, 1, 1);
	tlv_put_uint(&b, BIRTH_TIME, 8, 1767225600); /* 2026-01-01 */
	out->len = b.len;
	return buf_status(&b);
}

enum status birth_list_head(FILE *f)
{
	(void)fputs("iccid,imsi,msisdn,algorithm", f);
	for (size_t i = 0; i < birth_field_count; i++)
		(void)fprintf(f, ",%s", birth_fields[i].name);
	return fputc('\n', f) == '\n' ? OK : ERR_IO;
}

enum status birth_list_line(FILE *f, const struct order *o, struct bytes secrets)
{
	const char *algorithm = json_string_value(json_object_get(json_object_get(o->who.profile, "keys"), "algorithm"));

	/* A number of ITU-T E.164's test code 999, counted like the IMSI. */
	(void)fprintf(f, "%s,%s,999%s,%s", o->who.iccid, o->who.imsi,
	        o->who.imsi + (strlen(o->who.imsi) > 10 ? strlen(o->who.imsi) - 10 : 0),
	        algorithm != NULL ? algorithm : "milenage");
	for (size_t i = 0; i < birth_field_count; i++) {
		char text[2 * 32 + 1] = "";
		struct bytes v;

		if (tlv_find(secrets, birth_fields[i].tag, &v) != OK)
			v.n = 0;
		if (birth_fields[i].form == BIRTH_KEY && v.n <= 32)
			(void)hex_encode(v, text);
		for (size_t d = 0; birth_fields[i].form != BIRTH_KEY && d < v.n && v.p[d] != 0xFF; d++)
			(void)snprintf(text + d, 2, "%c", v.p[d]);
		(void)fprintf(f, ",%s", text);
		secret_clean(text, sizeof text);
	}
	return fputc('\n', f) == '\n' ? OK : ERR_IO;
}

/* Add to a decimal number in place. False when its digits do not suffice. */
static bool add_decimal(char *digits, size_t n, size_t value)
{
	for (size_t i = n; i > 0 && value > 0; i--) {
		value += (size_t)(digits[i - 1] - '0');
		digits[i - 1] = (char)('0' + value % 10);
		value /= 10;
	}
	return value == 0;
}

/* Of ITU-T E.118: the digit that makes the whole number's Luhn sum a multiple of ten. */
static char luhn_digit(const char *digits, size_t n)
{
	unsigned sum = 0;

	for (size_t i = 0; i < n; i++) {
		unsigned d = (unsigned)(digits[n - 1 - i] - '0') * (i % 2 == 0 ? 2 : 1);

		sum += d > 9 ? d - 9 : d;
	}
	return (char)('0' + (10 - sum % 10) % 10);
}

enum status order_advance(struct order *o, size_t count)
{
	size_t body = strlen(o->who.iccid) - 1, msin = strlen(o->who.imsi);

	if (msin <= 5 || !add_decimal(o->who.imsi + 5, msin - 5, count) || !add_decimal(o->who.iccid, body, count))
		return ERR_NO_SPACE;
	o->who.iccid[body] = luhn_digit(o->who.iccid, body);
	return bcd_encode(o->who.iccid, o->card_id, sizeof o->card_id);
}

static X509 *self_signed(EVP_PKEY *key)
{
	X509 *x = X509_new();
	X509_NAME *name = X509_NAME_new();
	bool ok = x != NULL && name != NULL && X509_set_version(x, 2) == 1 &&
	          ASN1_INTEGER_set_uint64(X509_get_serialNumber(x), (uint64_t)time(NULL)) == 1 &&
	          X509_gmtime_adj(X509_getm_notBefore(x), -3600) != NULL &&
	          X509_gmtime_adj(X509_getm_notAfter(x), 10L * 365 * 86400) != NULL &&
	          X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"prose card maker", -1, -1, 0) ==
	                  1 &&
	          X509_set_subject_name(x, name) == 1 && X509_set_issuer_name(x, name) == 1 && X509_set_pubkey(x, key) == 1 &&
	          X509_sign(x, key, EVP_sha256()) > 0;

	X509_NAME_free(name);
	if (!ok) {
		X509_free(x);
		return NULL;
	}
	return x;
}

enum status birth_make_maker(const char *key_path, const char *certificate_path, char *reason, size_t n)
{
	enum status st = fail(ERR_IO, reason, n, key_path, "cannot be created (it must not exist yet)");
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = key != NULL ? self_signed(key) : NULL;
	int fd = open(key_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	BIO *out = fd >= 0 ? BIO_new_fd(fd, BIO_CLOSE) : NULL, *cert = BIO_new_file(certificate_path, "w");

	if (x != NULL && out != NULL && cert != NULL && PEM_write_bio_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL) == 1 &&
	        PEM_write_bio_X509(cert, x) == 1)
		st = OK;
	BIO_free(cert);
	BIO_free(out);
	X509_free(x);
	EVP_PKEY_free(key);
	return st;
}
