/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/network/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

/* The suites that the field's servers have (GlobalPlatform Amendment B, RFC 4279 and 5487). */
#define SUITES "PSK-AES128-GCM-SHA256:PSK-AES128-CBC-SHA256:PSK-AES128-CBC-SHA"

/* OpenSSL wipes its copy of the key when it has made the premaster secret. */
static unsigned give(
        const char *name, const struct secret *key, char *identity, unsigned identity_room, unsigned char *out, unsigned room)
{
	if (strlen(name) >= identity_room || key->len > room)
		return 0;
	memcpy(identity, name, strlen(name) + 1);
	memcpy(out, key->data, key->len);
	return (unsigned)key->len;
}

static unsigned give_theirs(
        SSL *ssl, const char *hint, char *identity, unsigned identity_room, unsigned char *key, unsigned key_room)
{
	const struct tls_key *k = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

	(void)hint;
	return give(k->identity, SSL_version(ssl) >= TLS1_3_VERSION && k->key13 != NULL ? k->key13 : k->key, identity,
	        identity_room, key, key_room);
}

/* TLS 1.3 would let a server pass over the key and show a certificate, which nobody looks at. */
static int refuse_certificate(int verified, X509_STORE_CTX *store)
{
	(void)verified, (void)store;
	return 0;
}

void tls_use_key(void *ssl_ctx, const struct tls_key *k)
{
	(void)SSL_CTX_set_app_data((SSL_CTX *)ssl_ctx, (void *)k);
	SSL_CTX_set_psk_client_callback(ssl_ctx, give_theirs);
	SSL_CTX_set_verify(ssl_ctx, SSL_VERIFY_PEER, refuse_certificate);
}

struct tls {
	SSL_CTX *context;
	SSL *ssl;
	BIO *in, *out; /* of ssl */
	char identity[TLS_IDENTITY_MAX + 1];
	struct secret key;
};

static unsigned give_key(
        SSL *ssl, const char *hint, char *identity, unsigned identity_room, unsigned char *key, unsigned key_room)
{
	const struct tls *t = SSL_get_app_data(ssl);

	(void)hint;
	return give(t->identity, &t->key, identity, identity_room, key, key_room);
}

static bool start(struct tls *t)
{
	if ((t->context = SSL_CTX_new(TLS_client_method())) == NULL ||
	        SSL_CTX_set_min_proto_version(t->context, TLS1_2_VERSION) != 1 ||
	        SSL_CTX_set_max_proto_version(t->context, TLS1_2_VERSION) != 1 ||
	        SSL_CTX_set_cipher_list(t->context, SUITES) != 1)
		return false;
	SSL_CTX_set_psk_client_callback(t->context, give_key);
	(void)SSL_CTX_set_session_cache_mode(t->context, SSL_SESS_CACHE_OFF);
	(void)SSL_CTX_set_options(t->context, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	if ((t->ssl = SSL_new(t->context)) == NULL)
		return false;
	t->in = BIO_new(BIO_s_mem());
	t->out = BIO_new(BIO_s_mem());
	if (t->in == NULL || t->out == NULL) {
		BIO_free(t->in);
		BIO_free(t->out);
		return false;
	}
	SSL_set_bio(t->ssl, t->in, t->out);
	(void)SSL_set_app_data(t->ssl, t);
	SSL_set_connect_state(t->ssl);
	return SSL_do_handshake(t->ssl) != 1 && BIO_ctrl_pending(t->out) > 0; /* the hello */
}

struct tls *tls_client(struct bytes identity, struct bytes key)
{
	struct tls *t;

	if (identity.n < 1 || identity.n > TLS_IDENTITY_MAX || memchr(identity.p, 0, identity.n) != NULL || key.n < 16 ||
	        (t = calloc(1, sizeof *t)) == NULL)
		return NULL;
	memcpy(t->identity, identity.p, identity.n);
	if (secret_set(&t->key, key) != OK || !start(t))
		tls_free(&t);
	ERR_clear_error();
	return t;
}

void tls_free(struct tls **t)
{
	if (*t == NULL)
		return;
	SSL_free((*t)->ssl);
	SSL_CTX_free((*t)->context);
	secret_wipe(&(*t)->key);
	free(*t);
	*t = NULL;
}

bool tls_ready(const struct tls *t)
{
	return SSL_is_init_finished(t->ssl) == 1;
}

/* Go on as far as what has come allows. */
static bool go_on(struct tls *t)
{
	uint8_t none;
	int n = tls_ready(t) ? SSL_peek(t->ssl, &none, 1) : SSL_do_handshake(t->ssl);
	int error = SSL_get_error(t->ssl, n);

	ERR_clear_error();
	return n > 0 || error == SSL_ERROR_WANT_READ;
}

enum status tls_receive(struct tls *t, struct bytes data)
{
	if (data.n > 0 && BIO_write(t->in, data.p, (int)data.n) != (int)data.n)
		return ERR_NO_SPACE;
	return go_on(t) ? OK : ERR_CRYPTO;
}

enum status tls_write(struct tls *t, struct bytes data)
{
	bool ok = tls_ready(t) && data.n > 0 && SSL_write(t->ssl, data.p, (int)data.n) == (int)data.n;

	ERR_clear_error();
	return ok ? OK : ERR_CRYPTO;
}

size_t tls_read(struct tls *t, uint8_t *out, size_t room)
{
	int n = tls_ready(t) ? SSL_read(t->ssl, out, (int)room) : 0;

	ERR_clear_error();
	return n > 0 ? (size_t)n : 0;
}

size_t tls_output(struct tls *t, uint8_t *out, size_t room)
{
	int n = BIO_read(t->out, out, (int)room);

	return n > 0 ? (size_t)n : 0;
}

bool tls_has_output(const struct tls *t)
{
	return BIO_ctrl_pending(t->out) > 0;
}
