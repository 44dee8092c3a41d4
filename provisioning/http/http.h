/* SPDX-License-Identifier: Apache-2.0 */
/* http.h - an HTTP server, with TLS whose clients prove a pre-shared key (libevent and OpenSSL; TLS 1.2 and 1.3 with SHA-256).
 * One thread: requests are answered inside http_run. */
#ifndef PROVISIONING_HTTP_HTTP_H
#define PROVISIONING_HTTP_HTTP_H

#include "apdu/base/limits.h"
#include "apdu/base/secret.h"

enum { HTTP_HEADERS_MAX = 8 }; /* of a reply; http_reply_header drops one more */
/* Requests that are answered later (long polling, RFC 6202): each is asked again HTTP_HELD_TURN a turn of http_run, in turns,
 * and is answered 204 in the end. */
enum { HTTP_LATER = 0, HTTP_HELD_TURN = 200 };

struct http_request {
	const char *method, *path; /* path with its query */
	const char *identity;      /* of the key that the client has proved; NULL without TLS, or anonymous */
	struct bytes body;
	const void *headers;
	const struct sockaddr *from; /* NULL: not known */
	bool again;                  /* it has been asked before, and HTTP_LATER was said */
};
/* NULL: it has none of this name. */
const char *http_header(const struct http_request *, const char *name);

struct http_reply {      /* filled by the handler; views must live until it returns */
	unsigned status; /* HTTP_LATER: there is nothing yet; the handler is asked again */
	unsigned hold;   /* with HTTP_LATER: for so many seconds, at most HTTP_HOLD_SECONDS */
	const char *name[HTTP_HEADERS_MAX], *value[HTTP_HEADERS_MAX];
	size_t headers;
	struct bytes body;
};
void http_reply_header(struct http_reply *, const char *name, const char *value);

struct http_handler {
	void *context;
	/* False: nobody we know. NULL: no TLS at all. */
	bool (*key)(void *, const char *identity, bool tls13, struct secret *out);
	void (*request)(void *, const struct http_request *, struct http_reply *);
	/* Asked once a turn while requests wait: may any of them be answered now? NULL: they may. */
	bool (*news)(void *);
	/* In TLS 1.2 this suite alone and this hint, where a key depends on them (TS 33.220 annex H); NULL: what is good. */
	const char *suite, *hint;
	/* Connections and requests a second that one source may make (limit.h); 0: any number. More connections are closed
	 * before TLS begins, more requests get 429. */
	unsigned limit;
	/* How many seconds a connection may live, so that who sends an octet now and then holds none for ever; 0:
	 * HTTP_LIFE_SECONDS. So an address has at most (life + LIMIT_BURST_SECONDS) times `limit` connections open. */
	unsigned life;
	/* Besides keys: clients with a certificate of this CA's, whose identity is HTTP_CERTIFICATE and their common name.
	 * NULL: none. All three are PEM files. */
	const char *certificate, *certificate_key, *client_ca;
	/* With a certificate: requests of clients that have proved nothing come, too, with identity NULL. */
	bool anonymous;
};
#define HTTP_CERTIFICATE "certificate;"

struct http_server;
/* Listen at ADDRESS:PORT (port 0: any). NULL with a sentence. */
struct http_server *http_serve(const char *where, const struct http_handler *, char *reason, size_t n);
void http_free(struct http_server **);
/* Read the three files of certificates again, for clients that come from now on. False: what is there cannot be used, and the
 * old ones stay. */
MUST_USE bool http_certificates_again(struct http_server *);
unsigned http_port(const struct http_server *);
/* Wait at most ms for something to happen, and do what is due. */
void http_run(struct http_server *, int ms);

#endif
