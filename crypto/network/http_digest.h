/* SPDX-License-Identifier: Apache-2.0 */
/* http_digest.h - HTTP Digest with AKAv1-MD5 (RFC 2617, RFC 3310), as the Ub interface of GBA uses it (TS 24.109 clause 4):
 * what stands in the header fields, and the responses. The password is RES. */
#ifndef CRYPTO_NETWORK_HTTP_DIGEST_H
#define CRYPTO_NETWORK_HTTP_DIGEST_H

#include "apdu/base/bytes.h"

enum { DIGEST_FIELD_MAX = 256, DIGEST_RESPONSE_LEN = 33 /* hex and a zero */ };

struct http_digest {
	char username[DIGEST_FIELD_MAX], realm[DIGEST_FIELD_MAX], nonce[DIGEST_FIELD_MAX], uri[DIGEST_FIELD_MAX],
	        cnonce[DIGEST_FIELD_MAX], opaque[DIGEST_FIELD_MAX], auts[DIGEST_FIELD_MAX], algorithm[32], qop[32], nc[16],
	        response[DIGEST_RESPONSE_LEN], rspauth[DIGEST_RESPONSE_LEN];
};

/* The value of WWW-Authenticate, Authorization or Authentication-Info ("Digest " in front, or not). Unknown parameters are
 * passed over. ERR_MALFORMED: not a list of parameters, one of ours twice, or longer than there is room. */
MUST_USE enum status http_digest_parse(const char *value, struct http_digest *out);
/* Append a parameter: name="value", or without the quotes; a comma before all but the first. */
void http_digest_put(struct buf *, const char *name, const char *value, bool quoted);

/* The client's response (method) or the server's (method NULL: A2 begins with the colon) over nonce, nc, cnonce and qop of d.
 * qop auth-int covers the body, anything else does not. */
MUST_USE enum status http_digest_response(const struct http_digest *d, struct bytes password, const char *method,
        struct bytes body, char out[static DIGEST_RESPONSE_LEN]);

#endif
