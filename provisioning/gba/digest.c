/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP Digest under Ks_NAF. Nonces are a time and its MAC under a secret of this process: nothing is kept. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apdu/base/hex.h"
#include "apdu/gba.h"
#include "crypto/common/hash.h"
#include "crypto/network/http_digest.h"
#include "crypto/common/rng.h"
#include "provisioning/gba/bsf.h"

enum { NONCE_SECONDS = 300, NONCE_TEXT = 33, REALM_MAX = 160 };

static enum status nonce_at(uint64_t at, char out[NONCE_TEXT])
{
	static struct secret ours;
	uint8_t raw[16], mac[SHA256_LEN];
	struct bytes time = { raw, 8 };

	if (ours.len == 0)
		TRY(rng_secret(&rng_system, &ours, 32));
	bytes_from_uint(at, raw, 8);
	TRY(hmac_sha256(secret_bytes(&ours), &time, 1, mac));
	memcpy(raw + 8, mac, 8);
	(void)hex_encode(BYTES_OF(raw), out);
	return OK;
}

static bool nonce_good(uint64_t now, const char *nonce)
{
	uint8_t raw[16];
	char expected[NONCE_TEXT];
	struct buf b = BUF_OF(raw);
	uint64_t at;

	if (hex_decode(bytes_str(nonce), &b) != OK || b.len != sizeof raw)
		return false;
	at = bytes_uint((struct bytes){ raw, 8 });
	return at <= now && now - at < NONCE_SECONDS && nonce_at(at, expected) == OK &&
	       secret_equals(bytes_str(expected), bytes_str(nonce));
}

static enum status challenge(uint64_t now, const char *realm, struct http_reply *r, char header[UA_DIGEST_HEADER])
{
	struct buf b = { (uint8_t *)header, 0, UA_DIGEST_HEADER - 1, false };
	char nonce[NONCE_TEXT];

	TRY(nonce_at(now, nonce));
	buf_put(&b, BYTES_STR("Digest "));
	http_digest_put(&b, "realm", realm, true);
	http_digest_put(&b, "nonce", nonce, true);
	http_digest_put(&b, "algorithm", "MD5", false);
	http_digest_put(&b, "qop", "auth,auth-int", true);
	header[b.len] = 0;
	r->status = 401;
	http_reply_header(r, "WWW-Authenticate", header);
	return ERR_DENIED;
}

/* What the client would have said with the right password. */
static enum status expected(struct db *db, uint64_t now, const char *naf, const struct http_request *q,
        const struct http_digest *d, struct naf_user *u, char out[DIGEST_RESPONSE_LEN])
{
	SECRET key = { 0 };
	SECRET password = { 0 };
	struct buf text = { password.data, 0, sizeof password.data, false };
	uint8_t raw[NAF_ID_MAX];
	struct buf naf_id = BUF_OF(raw);

	TRY(naf_id_of(naf, UA_DIGEST_PROTOCOL, &naf_id));
	TRY(naf_lookup(db, now, d->username, GBA_ME, buf_bytes(&naf_id), u, &key));
	base64_encode(secret_bytes(&key), &text);
	TRY(buf_status(&text));
	return http_digest_response(d, buf_bytes(&text), q->method, q->body, out);
}

enum status ua_digest(struct db *db, uint64_t now, const char *naf, const struct http_request *q, struct http_reply *r,
        char header[UA_DIGEST_HEADER], struct naf_user *u)
{
	const char *authorization = http_header(q, "Authorization");
	char realm[REALM_MAX], right[DIGEST_RESPONSE_LEN];
	struct http_digest d;

	(void)snprintf(realm, sizeof realm, "%s%s", UA_DIGEST_REALM, naf);
	if (authorization == NULL || http_digest_parse(authorization, &d) != OK || strcmp(d.realm, realm) != 0 ||
	        (strcmp(d.qop, "auth") != 0 && strcmp(d.qop, "auth-int") != 0) || strcmp(d.uri, q->path) != 0 ||
	        !nonce_good(now, d.nonce) || expected(db, now, naf, q, &d, u, right) != OK ||
	        !secret_equals(bytes_str(right), bytes_str(d.response)))
		return challenge(now, realm, r, header);
	return OK;
}
