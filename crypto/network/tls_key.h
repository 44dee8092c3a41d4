/* SPDX-License-Identifier: Apache-2.0 */
/* tls_key.h - a TLS client's certificate whose private key is elsewhere, on a card: OpenSSL asks a function of ours for each
 * signature. For libraries that have an SSL_CTX of their own (libcurl). */
#ifndef CRYPTO_NETWORK_TLS_KEY_H
#define CRYPTO_NETWORK_TLS_KEY_H

#include "apdu/base/bytes.h"

/* r || s (64 octets) over a hash of 32 octets. */
typedef bool tls_signer(void *context, const uint8_t hash[static 32], uint8_t signature[static 64]);

struct tls_certificate {
	const char *path; /* PEM: the certificate (P-256), then its chain */
	tls_signer *sign;
	void *context;
};
/* False: the file is no certificate with a P-256 key. The structure must outlive the context. */
MUST_USE bool tls_use_certificate(void *ssl_ctx, const struct tls_certificate *);

/* A P-256 point as the PEM of a public key, with a zero. False: it is none, or no room. */
MUST_USE bool tls_public_key(const uint8_t point[static 65], char *pem, size_t room);

#endif
