/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/network/http_digest.h"

#include <openssl/evp.h>
#include <string.h>
#include <strings.h>

#include "apdu/base/hex.h"
#include "apdu/base/secret.h"
#include "crypto/common/failure.h"

enum { MD5_LEN = 16 };

static const struct field {
	const char *name;
	size_t at, room;
} fields[] = {
#define FIELD(name)                                                                                                            \
	{                                                                                                                      \
#name, offsetof(struct http_digest, name), sizeof((struct http_digest *)0)->name                               \
	}
	FIELD(username),
	FIELD(realm),
	FIELD(nonce),
	FIELD(uri),
	FIELD(cnonce),
	FIELD(opaque),
	FIELD(auts),
	FIELD(algorithm),
	FIELD(qop),
	FIELD(nc),
	FIELD(response),
	FIELD(rspauth),
#undef FIELD
};

static const char *skip_blanks(const char *at)
{
	return at + strspn(at, " \t");
}

/* A token or a quoted string; quotes inside are not needed by anybody here. NULL: neither. */
static const char *take_value(const char *at, struct bytes *out)
{
	size_t n;

	if (*at == '"') {
		n = strcspn(at + 1, "\"\\");
		*out = (struct bytes){ (const uint8_t *)at + 1, n };
		return at[1 + n] == '"' ? at + n + 2 : NULL;
	}
	n = strcspn(at, ", \t\"");
	*out = (struct bytes){ (const uint8_t *)at, n };
	return at + n;
}

static enum status keep(struct http_digest *d, const char *name, size_t n, struct bytes value)
{
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
		char *to = (char *)d + fields[i].at;

		if (strlen(fields[i].name) != n || strncasecmp(fields[i].name, name, n) != 0)
			continue;
		if (to[0] != 0 || value.n >= fields[i].room)
			return ERR_MALFORMED;
		if (value.n > 0)
			memcpy(to, value.p, value.n);
		to[value.n] = 0;
	}
	return OK;
}

enum status http_digest_parse(const char *at, struct http_digest *d)
{
	struct bytes value;

	memset(d, 0, sizeof *d);
	if (strncasecmp(at, "Digest ", 7) == 0)
		at += 7;
	for (at = skip_blanks(at); *at != 0;) {
		size_t n = strcspn(at, "= ,\t\"");
		const char *name = at;

		if (n == 0 || at[n] != '=' || (at = take_value(at + n + 1, &value)) == NULL)
			return ERR_MALFORMED;
		TRY(keep(d, name, n, value));
		at = skip_blanks(at);
		if (*at != ',' && *at != 0)
			return ERR_MALFORMED;
		at = *at == ',' ? skip_blanks(at + 1) : at;
	}
	return OK;
}

void http_digest_put(struct buf *b, const char *name, const char *value, bool quoted)
{
	if (strpbrk(value, quoted ? "\"\\\r\n" : "\"\\\r\n ,") != NULL)
		b->failed = true;
	if (b->len > 0 && b->p[b->len - 1] != ' ')
		buf_put(b, BYTES_STR(", "));
	buf_put(b, bytes_str(name));
	buf_put(b, quoted ? BYTES_STR("=\"") : BYTES_STR("="));
	buf_put(b, bytes_str(value));
	if (quoted)
		buf_put_u8(b, '"');
}

/* The parts with colons between them; out is in hex. */
static enum status md5_of(const struct bytes *parts, size_t n, char out[DIGEST_RESPONSE_LEN])
{
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	uint8_t hash[MD5_LEN];
	bool ok = c != NULL && EVP_DigestInit_ex(c, EVP_md5(), NULL) == 1;

	for (size_t i = 0; ok && i < n; i++)
		ok = (i == 0 || EVP_DigestUpdate(c, ":", 1) == 1) &&
		     (parts[i].n == 0 || EVP_DigestUpdate(c, parts[i].p, parts[i].n) == 1);
	ok = ok && EVP_DigestFinal_ex(c, hash, NULL) == 1;
	EVP_MD_CTX_free(c);
	if (ok)
		(void)hex_encode(BYTES_OF(hash), out);
	return ok ? OK : crypto_failed();
}

enum status http_digest_response(const struct http_digest *d, struct bytes password, const char *method, struct bytes body,
        char out[static DIGEST_RESPONSE_LEN])
{
	char a1[DIGEST_RESPONSE_LEN], a2[DIGEST_RESPONSE_LEN], body_hash[DIGEST_RESPONSE_LEN];
	bool covered = strcmp(d->qop, "auth-int") == 0;
	enum status st;

	TRY(md5_of((struct bytes[]){ bytes_str(d->username), bytes_str(d->realm), password }, 3, a1));
	st = md5_of(&body, 1, body_hash);
	if (st == OK)
		st = md5_of(
		        (struct bytes[]){ bytes_str(method != NULL ? method : ""), bytes_str(d->uri), bytes_str(body_hash) },
		        covered ? 3 : 2, a2);
	if (st == OK)
		st = md5_of((struct bytes[]){ bytes_str(a1), bytes_str(d->nonce), bytes_str(d->nc), bytes_str(d->cnonce),
		                    bytes_str(d->qop), bytes_str(a2) },
		        6, out);
	secret_clean(a1, sizeof a1);
	return st;
}
