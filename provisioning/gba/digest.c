/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP Digest under Ks_NAF. Nonces are a time, a random number and their MAC under a secret of this process: nothing is kept of
 * those that are given out, and of those that have been used right, the count that a next use has to exceed (RFC 7616 3.3). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apdu/base/hex.h"
#include "apdu/gba.h"
#include "crypto/common/hash.h"
#include "crypto/network/http_digest.h"
#include "crypto/common/rng.h"
#include "provisioning/gba/bsf.h"

enum { NONCE_SECONDS = 300, PART = 8, NONCE_LEN = 3 * PART, NONCE_TEXT = 2 * NONCE_LEN + 1, REALM_MAX = 160, USED_MAX = 4096 };

struct nonce {
	uint64_t at, random;
};

static enum status nonce_text(const struct nonce *n, char out[NONCE_TEXT])
{
	static struct secret ours;
	uint8_t raw[NONCE_LEN], mac[SHA256_LEN];
	struct bytes what = { raw, 2 * PART };

	if (ours.len == 0)
		TRY(rng_secret(&rng_system, &ours, 32));
	bytes_from_uint(n->at, raw, PART);
	bytes_from_uint(n->random, raw + PART, PART);
	TRY(hmac_sha256(secret_bytes(&ours), &what, 1, mac));
	memcpy(raw + 2 * PART, mac, PART);
	(void)hex_encode(BYTES_OF(raw), out);
	return OK;
}

static bool nonce_good(uint64_t now, const char *text, struct nonce *n)
{
	uint8_t raw[NONCE_LEN];
	char expected[NONCE_TEXT];
	struct buf b = BUF_OF(raw);

	if (hex_decode(bytes_str(text), &b) != OK || b.len != sizeof raw)
		return false;
	n->at = bytes_uint((struct bytes){ raw, PART });
	n->random = bytes_uint((struct bytes){ raw + PART, PART });
	return n->at <= now && now - n->at < NONCE_SECONDS && nonce_text(n, expected) == OK &&
	       secret_equals(bytes_str(expected), bytes_str(text));
}

/* Nonces that have been used, and how often. One that is forgotten while it is still good is as if all of its time and
 * before had been used up: whoever holds one gets another. */
static struct used {
	struct nonce nonce;
	uint64_t count; /* 0: a free place */
} used[USED_MAX];
static uint64_t forgotten; /* nonces of this time and before are not good, unless they are in the table */

/* The place of a nonce, or else a free one, or else the oldest. */
static struct used *place_of(uint64_t now, const struct nonce *n)
{
	struct used *best = &used[0];

	for (struct used *u = used; u < used + USED_MAX; u++) {
		if (u->count != 0 && u->nonce.at == n->at && u->nonce.random == n->random)
			return u;
		if (u->count != 0 && now - u->nonce.at >= NONCE_SECONDS)
			u->count = 0;
		if (best->count != 0 && (u->count == 0 || u->nonce.at < best->nonce.at))
			best = u;
	}
	return best;
}

/* The client has proved itself with this nonce and count: true once, and then for greater counts. */
static bool use_nonce(uint64_t now, const struct nonce *n, const char *text)
{
	uint8_t raw[4];
	struct buf b = BUF_OF(raw);
	struct used *u = place_of(now, n);
	const bool known = u->count != 0 && u->nonce.at == n->at && u->nonce.random == n->random;
	uint64_t count;

	if (hex_decode(bytes_str(text), &b) != OK || b.len != sizeof raw || (count = bytes_uint(BYTES_OF(raw))) == 0)
		return false;
	if (known ? count <= u->count : n->at <= forgotten)
		return false;
	if (!known && u->count != 0)
		forgotten = u->nonce.at;
	*u = (struct used){ *n, count };
	return true;
}

static enum status challenge(uint64_t now, const char *realm, struct http_reply *r, char header[UA_DIGEST_HEADER])
{
	struct buf b = { (uint8_t *)header, 0, UA_DIGEST_HEADER - 1, false };
	struct nonce n = { .at = now };
	char nonce[NONCE_TEXT];

	TRY(rng_fill(&rng_system, (uint8_t *)&n.random, sizeof n.random));
	TRY(nonce_text(&n, nonce));
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

	TRY(ua_key(db, now, naf, UA_DIGEST, d->username, u, &key));
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
	struct nonce n;

	(void)snprintf(realm, sizeof realm, "%s%s", UA_DIGEST_REALM, naf);
	if (authorization == NULL || http_digest_parse(authorization, &d) != OK || strcmp(d.realm, realm) != 0 ||
	        (strcmp(d.qop, "auth") != 0 && strcmp(d.qop, "auth-int") != 0) || strcmp(d.uri, q->path) != 0 ||
	        !nonce_good(now, d.nonce, &n) || expected(db, now, naf, q, &d, u, right) != OK ||
	        !secret_equals(bytes_str(right), bytes_str(d.response)) || (!q->again && !use_nonce(now, &n, d.nc)))
		return challenge(now, realm, r, header);
	return OK;
}
