/* SPDX-License-Identifier: Apache-2.0 */
/* tls.h - a TLS 1.2 client with a pre-shared key (RFC 4279, RFC 5487) over memory: octets in, octets out, no sockets. OpenSSL
 * does the work; record and alert timing is OpenSSL's. */
#ifndef CRYPTO_NETWORK_TLS_H
#define CRYPTO_NETWORK_TLS_H

#include "apdu/base/secret.h"

enum { TLS_IDENTITY_MAX = 64 };

struct tls;
/* identity: 1 to TLS_IDENTITY_MAX octets without a zero; key: 16 to 64 octets, copied, wiped by tls_free. NULL: no memory, or
 * one of them is out of range. The first flight waits in tls_output. */
struct tls *tls_client(struct bytes identity, struct bytes key);
void tls_free(struct tls **);

/* Octets of the server's. ERR_CRYPTO: the handshake failed, a record is forged, or the server has said good-bye: it is over,
 * but an alert may wait in tls_output. */
MUST_USE enum status tls_receive(struct tls *, struct bytes);
/* The handshake is done: both sides have proved that they know the key. */
bool tls_ready(const struct tls *);
/* Encrypt. ERR_CRYPTO: not ready, or over. */
MUST_USE enum status tls_write(struct tls *, struct bytes);
/* Decrypted octets, at most room; 0: none yet. */
size_t tls_read(struct tls *, uint8_t *out, size_t room);
/* Octets for the server, at most room; 0: none. */
size_t tls_output(struct tls *, uint8_t *out, size_t room);
/* More of them wait. */
bool tls_has_output(const struct tls *);

/* For libraries that have an SSL_CTX of their own (libcurl): its handshakes use this key, and a server that shows a certificate
 * instead is refused. The key must outlive the context. */
struct tls_key {
	const char *identity;
	const struct secret *key;   /* of TLS 1.2 */
	const struct secret *key13; /* of TLS 1.3, where it depends on that; NULL: the same */
};
void tls_use_key(void *ssl_ctx, const struct tls_key *);

#endif
