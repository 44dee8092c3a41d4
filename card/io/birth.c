#include "card/io/birth.h"

#include <fcntl.h>
#include <jansson.h>
#include <openssl/cms.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "apdu/birth.h"
#include "apdu/hex.h"
#include "apdu/tlv.h"
#include "crypto/hash.h"

static enum status fail(enum status st, char *reason, size_t n, const char *where, const char *what)
{
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
	if (!digits(imsi, 15, 15))
		return fail(ERR_MALFORMED, reason, n, path, "\"imsi\" must be a string of 15 digits");
	(void)snprintf(o->who.iccid, sizeof o->who.iccid, "%s", json_string_value(iccid));
	(void)snprintf(o->who.imsi, sizeof o->who.imsi, "%s", json_string_value(imsi));
	o->who.pin1_enabled = !json_is_false(json_object_get(root, "pin1_enabled"));
	return bcd_encode(o->who.iccid, o->card_id, sizeof o->card_id);
}

enum status order_read(const char *path, struct order *o, char *reason, size_t n)
{
	json_error_t error;
	json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
	enum status st;

	*o = (struct order){ 0 };
	if (root == NULL) {
		(void)snprintf(reason, n, "%s:%d: %s", path, error.line, error.text);
		return ERR_MALFORMED;
	}
	st = order_fields(root, path, o, reason, n);
	json_decref(root);
	return st;
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

enum status birth_test_secrets(const struct order *o, struct secret_large *out)
{
	static const uint8_t k[16] = { 0x46, 0x5b, 0x5c, 0xe8, 0xb1, 0x99, 0xb4, 0x9f, 0xaa, 0x5f, 0x0a, 0x2e, 0xe2, 0x38, 0xa6,
		0xbc };
	static const uint8_t opc[16] = { 0xcd, 0x63, 0xcb, 0x71, 0x95, 0x4a, 0x9f, 0x4e, 0x48, 0xa5, 0x99, 0x4e, 0x37, 0xa0,
		0x2b, 0xaf };
	uint8_t keys[4][SHA256_LEN];
	struct buf b = { out->data, 0, sizeof out->data, false };

	if (strncmp(o->who.imsi, "00101", 5) != 0)
		return ERR_DENIED;
	for (uint8_t i = 0; i < 4; i++)
		TRY(sha256((struct bytes[]){ BYTES_STR("prose test key"), BYTES_OF(o->card_id), { &i, 1 } }, 3, keys[i]));
	tlv_put(&b, BIRTH_CARD_ID, BYTES_OF(o->card_id));
	tlv_put(&b, BIRTH_K, BYTES_OF(k));
	tlv_put(&b, BIRTH_OPC, BYTES_OF(opc));
	tlv_put(&b, BIRTH_PIN1, BYTES_STR("1234\xFF\xFF\xFF\xFF"));
	tlv_put(&b, BIRTH_PUK1, BYTES_STR("12345678"));
	tlv_put(&b, BIRTH_PIN2, BYTES_STR("5678\xFF\xFF\xFF\xFF"));
	tlv_put(&b, BIRTH_PUK2, BYTES_STR("56785678"));
	tlv_put(&b, BIRTH_UNIVERSAL_PIN, BYTES_STR("0000\xFF\xFF\xFF\xFF"));
	tlv_put(&b, BIRTH_UNIVERSAL_PUK, BYTES_STR("00000000"));
	tlv_put_uint(&b, BIRTH_OTA_KVN, 1, 1);
	tlv_put(&b, BIRTH_OTA_KIC, (struct bytes){ keys[0], 16 });
	tlv_put(&b, BIRTH_OTA_KID, (struct bytes){ keys[1], 16 });
	tlv_put_uint(&b, BIRTH_TRK_ID, 1, 1);
	tlv_put(&b, BIRTH_TRK, BYTES_OF(keys[2]));
	tlv_put(&b, BIRTH_INK, BYTES_OF(keys[3]));
	tlv_put_uint(&b, BIRTH_TIME, 8, 1767225600); /* 2026-01-01 */
	out->len = b.len;
	return buf_status(&b);
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
