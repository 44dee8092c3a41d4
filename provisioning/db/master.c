/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/db/master.h"

#include <errno.h>
#include <fcntl.h>
#include <libp11.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apdu/base/disk.h"
#include "crypto/common/rng.h"

enum { LINE_MAX_LEN = 256, TOKEN_TRIES = 20, TOKEN_PAUSE_US = 200000 };

/* ---- files ---------------------------------------------------------------------------------------------------------- */

/* "credential:NAME" is a file that systemd hands to the service (LoadCredential=); nobody makes one here. */
static const char *file_of(const char *path, char out[PATH_MAX], bool *create)
{
	static const char prefix[] = "credential:";
	const char *folder = getenv("CREDENTIALS_DIRECTORY");

	if (strncmp(path, prefix, sizeof prefix - 1) != 0)
		return path;
	*create = false;
	(void)snprintf(out, PATH_MAX, "%s/%s", folder != NULL ? folder : "", path + sizeof prefix - 1);
	return out;
}

/* Whole, or not there. */
static enum status make(const char *path, struct secret *out)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	enum status st = fd >= 0 ? rng_secret(&rng_system, out, MASTER_LEN) : disk_status(errno);

	if (fd < 0)
		return st;
	if (st == OK && (write(fd, out->data, MASTER_LEN) != MASTER_LEN || fsync(fd) != 0))
		st = disk_status(errno);
	(void)close(fd);
	if (st != OK)
		(void)unlink(path);
	return st;
}

enum status master_read(const char *path, bool create, struct secret *out)
{
	char name[PATH_MAX];
	struct stat info;
	enum status st = OK;
	ssize_t got;
	int fd;

	path = file_of(path, name, &create);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) < 0 && errno == ENOENT && create)
		return make(path, out);
	if (fd < 0)
		return status_failed(st = disk_status(errno)) && st != ERR_IO ? st : ERR_NOT_FOUND;
	if (fstat(fd, &info) != 0 || (info.st_mode & 077) != 0)
		st = ERR_DENIED;
	else if ((got = read(fd, out->data, MASTER_LEN)) != MASTER_LEN)
		st = got < 0 ? disk_status(errno) : ERR_DENIED;
	out->len = MASTER_LEN;
	(void)close(fd);
	return st;
}

enum status secret_line(const char *path, struct secret_large *out)
{
	struct stat info;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool mine = fd >= 0 && fstat(fd, &info) == 0 && (info.st_mode & 077) == 0;
	ssize_t n = mine ? read(fd, out->data, LINE_MAX_LEN) : -1;

	if (fd >= 0)
		(void)close(fd);
	if (fd < 0)
		return ERR_NOT_FOUND;
	if (n <= 0 || n == LINE_MAX_LEN)
		return ERR_DENIED;
	out->data[n] = 0;
	out->len = strcspn((char *)out->data, "\r\n");
	out->data[out->len] = 0;
	return OK;
}

/* ---- tokens --------------------------------------------------------------------------------------------------------- */

struct token {
	char token[64], object[64], module[PATH_MAX], pin_source[PATH_MAX];
	PKCS11_CTX *context;
	bool loaded;
	PKCS11_SLOT *slots;
	unsigned slot_count;
	PKCS11_SLOT *slot;
};

static enum status refuse(enum status st, char *reason, size_t n, const char *about, const char *why)
{
	(void)snprintf(reason, n, "%s: %s", about, why);
	ERR_clear_error();
	return st;
}

bool master_is_token(const char *text)
{
	return strncmp(text, "pkcs11:", 7) == 0;
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : -1;
}

/* The value of an attribute, %XX taken back. */
static bool attribute(const char *uri, const char *name, char *out, size_t room)
{
	size_t n = strlen(name), len = 0;
	const char *at = uri + strcspn(uri, ":");

	while (*at != 0 && !(strncmp(at + 1, name, n) == 0 && at[1 + n] == '='))
		at += 1 + strcspn(at + 1, ";?&");
	if (*at == 0)
		return false;
	for (at += n + 2; *at != 0 && strchr(";?&", *at) == NULL && len + 1 < room; at++) {
		bool escaped = at[0] == '%' && hex_digit(at[1]) >= 0 && hex_digit(at[2]) >= 0;

		out[len++] = escaped ? (char)(hex_digit(at[1]) * 16 + hex_digit(at[2])) : *at;
		at += escaped ? 2 : 0;
	}
	out[len] = 0;
	return len > 0;
}

static void token_close(struct token *t)
{
	if (t->slots != NULL)
		PKCS11_release_all_slots(t->context, t->slots, t->slot_count);
	if (t->loaded)
		PKCS11_CTX_unload(t->context);
	if (t->context != NULL)
		PKCS11_CTX_free(t->context);
	t->slots = NULL;
	t->context = NULL;
	t->loaded = false;
	ERR_clear_error();
}

static void find_slot(struct token *t)
{
	if (PKCS11_enumerate_slots(t->context, &t->slots, &t->slot_count) != 0)
		return;
	for (unsigned i = 0; i < t->slot_count; i++)
		if (t->slots[i].token != NULL && strcmp(t->slots[i].token->label, t->token) == 0)
			t->slot = &t->slots[i];
}

/* What a token answers to a login, by its name in PKCS #11 2.40, 5.1. `again`: its work with another program is in the way. */
static const struct login_error {
	unsigned long code;
	bool again;
	const char *why;
} login_errors[] = {
	{ 0x05, true, "fails (CKR_GENERAL_ERROR)" },
	{ 0x06, true, "fails (CKR_FUNCTION_FAILED)" },
	{ 0x30, true, "has a fault (CKR_DEVICE_ERROR)" },
	{ 0x31, false, "has no memory left (CKR_DEVICE_MEMORY)" },
	{ 0x32, false, "was taken out (CKR_DEVICE_REMOVED)" },
	{ 0xA0, false, "refuses this PIN (CKR_PIN_INCORRECT)" },
	{ 0xA1, false, "refuses this PIN (CKR_PIN_INVALID)" },
	{ 0xA2, false, "refuses this PIN (CKR_PIN_LEN_RANGE)" },
	{ 0xA3, false, "wants a new PIN first (CKR_PIN_EXPIRED)" },
	{ 0xA4, false, "has locked its PIN after wrong ones: unlock it with the SO PIN (CKR_PIN_LOCKED)" },
	{ 0xE0, true, "is not there any more (CKR_TOKEN_NOT_PRESENT)" },
	{ 0xE1, true, "cannot be read (CKR_TOKEN_NOT_RECOGNIZED)" },
	{ 0x100, false, "is in use: this program is logged in (CKR_USER_ALREADY_LOGGED_IN)" },
	{ 0x102, true, "has no PIN yet: set one (CKR_USER_PIN_NOT_INITIALIZED)" },
	{ 0x104, true, "is in use by another user (CKR_USER_ANOTHER_ALREADY_LOGGED_IN)" },
	{ 0x105, true, "has too many users (CKR_USER_TOO_MANY_TYPES)" },
};

static const struct login_error *login_error(unsigned long error)
{
	static const struct login_error other = { 0, false, "does not let us in" };

	for (size_t i = 0; i < sizeof login_errors / sizeof *login_errors; i++)
		if ((unsigned long)ERR_GET_REASON(error) == login_errors[i].code)
			return &login_errors[i];
	return &other;
}

/* One attempt: the token found and logged in. *why: what was in the way; NULL with ERR_NOT_FOUND, it is not there. */
static enum status token_try(struct token *t, const char *pin, const struct login_error **why)
{
	t->slot = NULL;
	t->context = PKCS11_CTX_new();
	t->loaded = t->context != NULL && PKCS11_CTX_load(t->context, t->module) == 0;
	if (!t->loaded)
		return ERR_MALFORMED;
	find_slot(t);
	*why = NULL;
	if (t->slot == NULL)
		return ERR_NOT_FOUND;
	ERR_clear_error();
	if (PKCS11_login(t->slot, 0, pin) == 0)
		return OK;
	*why = login_error(ERR_peek_last_error());
	return ERR_DENIED;
}

static enum status token_open(struct token *t, const char *uri, char *reason, size_t n)
{
	const struct login_error *why = NULL;
	enum status st;
	SECRET_LARGE pin = { 0 };

	if (!attribute(uri, "token", t->token, sizeof t->token) || !attribute(uri, "object", t->object, sizeof t->object) ||
	        !attribute(uri, "module-path", t->module, sizeof t->module) ||
	        !attribute(uri, "pin-source", t->pin_source, sizeof t->pin_source))
		return refuse(ERR_MALFORMED, reason, n, uri,
		        "needs token=, object=, and behind a ? module-path= and pin-source= (RFC 7512)");
	if (secret_line(t->pin_source, &pin) != OK)
		return refuse(ERR_DENIED, reason, n, t->pin_source, "must be a 0600 file with the token's PIN");
	st = token_try(t, (const char *)pin.data, &why);
	/* A token that another program writes to (SoftHSM at a login) is not there, or fails, for a moment. */
	for (int tries = 1; (st == ERR_NOT_FOUND || (st == ERR_DENIED && why->again)) && tries < TOKEN_TRIES; tries++) {
		token_close(t);
		(void)usleep(TOKEN_PAUSE_US);
		st = token_try(t, (const char *)pin.data, &why);
	}
	if (st == ERR_MALFORMED)
		return refuse(ERR_NOT_FOUND, reason, n, t->module, "is no PKCS#11 module");
	if (st == ERR_NOT_FOUND)
		return refuse(st, reason, n, t->token, "no such token");
	return st == OK ? OK : refuse(st, reason, n, t->token, why->why);
}

/* By its label: libp11 would look for the other half by an identifier that keys need not have. */
static PKCS11_KEY *find_key(struct token *t, bool public)
{
	PKCS11_KEY *keys = NULL;
	unsigned count = 0;

	if ((public ? PKCS11_enumerate_public_keys : PKCS11_enumerate_keys)(t->slot->token, &keys, &count) != 0)
		return NULL;
	for (unsigned i = 0; i < count; i++)
		if (keys[i].label != NULL && strcmp(keys[i].label, t->object) == 0)
			return &keys[i];
	return NULL;
}

typedef int (*crypt_fn)(EVP_PKEY_CTX *, unsigned char *, size_t *, const unsigned char *, size_t);

/* OAEP with SHA-1, which is what tokens have; nothing here rests on its collisions. */
static bool run_rsa(EVP_PKEY *key, int (*init)(EVP_PKEY_CTX *), crypt_fn run, struct bytes in, uint8_t *out, size_t *n)
{
	EVP_PKEY_CTX *c = key != NULL ? EVP_PKEY_CTX_new(key, NULL) : NULL;
	bool ok = c != NULL && init(c) == 1 && EVP_PKEY_CTX_set_rsa_padding(c, RSA_PKCS1_OAEP_PADDING) == 1 &&
	          run(c, out, n, in.p, in.n) == 1;

	EVP_PKEY_CTX_free(c);
	return ok;
}

/* Public key or private: what comes out is the token's key as OpenSSL sees it. */
static enum status with_key(
        const char *uri, bool seal, struct bytes in, uint8_t out[MASTER_SEALED_MAX], size_t *len, char *reason, size_t n)
{
	struct token t = { .context = NULL };
	enum status st = token_open(&t, uri, reason, n);
	PKCS11_KEY *found = st == OK ? find_key(&t, seal) : NULL;
	EVP_PKEY *key = NULL;

	if (found != NULL)
		key = seal ? PKCS11_get_public_key(found) : PKCS11_get_private_key(found);
	if (st == OK && (found == NULL || key == NULL || EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA))
		st = refuse(ERR_NOT_FOUND, reason, n, t.object, "no such RSA key in the token");
	*len = MASTER_SEALED_MAX;
	if (st == OK && !run_rsa(key, seal ? EVP_PKEY_encrypt_init : EVP_PKEY_decrypt_init,
	                        seal ? EVP_PKEY_encrypt : EVP_PKEY_decrypt, in, out, len))
		st = refuse(ERR_CRYPTO, reason, n, t.object, "this key does not open the database's master key");
	EVP_PKEY_free(key);
	token_close(&t);
	return st;
}

enum status master_seal(const char *uri, const struct secret *key, struct buf *sealed, char *reason, size_t n)
{
	uint8_t out[MASTER_SEALED_MAX];
	size_t len;

	TRY(with_key(uri, true, secret_bytes(key), out, &len, reason, n));
	buf_put(sealed, (struct bytes){ out, len });
	return buf_status(sealed);
}

enum status master_open(const char *uri, struct bytes sealed, struct secret *key, char *reason, size_t n)
{
	uint8_t out[MASTER_SEALED_MAX];
	size_t len;
	enum status st = with_key(uri, false, sealed, out, &len, reason, n);

	if (st == OK && len != MASTER_LEN)
		st = refuse(ERR_CRYPTO, reason, n, "master key", "has another length");
	if (st == OK)
		st = secret_set(key, (struct bytes){ out, len });
	secret_clean(out, sizeof out);
	return st;
}
