/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/http/http.h"

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>
#include <event2/util.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "provisioning/http/limit.h"

enum { REST_MS = 100, DESCRIPTORS = 65536, IDENTITY_MAX = 128, WAITING_MAX = 256, PASSES = 8 };

#define SUITES_12                                                                                                              \
	"PSK-AES128-GCM-SHA256:PSK-AES256-GCM-SHA384:PSK-AES128-CBC-SHA256:PSK-AES128-CBC-SHA:ECDHE-PSK-AES128-CBC-SHA256"
#define SUITES_CERTIFICATE ":ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256"
#define SUITES_13 "TLS_AES_128_GCM_SHA256"

struct http_server {
	struct http_handler handler;
	SSL_CTX *tls;
	struct event_base *base;
	struct evhttp *http;
	struct limit *limit;
	struct evconnlistener *door; /* where clients come */
	struct sockaddr_un inner;    /* where evhttp listens: see on_client */
	socklen_t inner_len;
	int waiting[WAITING_MAX]; /* a ring of admitted clients */
	unsigned first, count;
	uint64_t taken; /* of them, so far */
	struct bufferevent *fresh[WAITING_MAX];
	size_t fresh_count;
	struct event *swap, *rested;
	struct held *held, **held_end; /* a queue */
	struct life *life, **life_end; /* likewise, in order of their ends */
	unsigned port;
};

/* A connection: a descriptor and who is there (of IPv4, what fits), for descriptors have several lives. */
struct life {
	struct life *next;
	int fd;
	struct sockaddr_in6 peer;
	uint64_t until; /* milliseconds */
};

/* A request that waits for something to tell. */
struct held {
	struct held *next;
	struct evhttp_request *raw;
	uint64_t until; /* milliseconds */
};

static int identity_index = -1;

static void free_identity(void *parent, void *p, CRYPTO_EX_DATA *data, int index, long argl, void *argp)
{
	(void)parent, (void)data, (void)index, (void)argl, (void)argp;
	free(p);
}

/* The identity stays with the connection: TLS 1.3 does not tell it afterwards. */
static unsigned find_key(SSL *ssl, const char *identity, unsigned char *key, unsigned room)
{
	const struct http_server *s = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	SECRET found = { 0 };
	char *copy;

	if (identity == NULL || strlen(identity) > IDENTITY_MAX ||
	        strncmp(identity, HTTP_CERTIFICATE, sizeof HTTP_CERTIFICATE - 1) == 0 ||
	        !s->handler.key(s->handler.context, identity, SSL_version(ssl) >= TLS1_3_VERSION, &found) || found.len > room ||
	        (copy = strdup(identity)) == NULL)
		return 0;
	free(SSL_get_ex_data(ssl, identity_index));
	(void)SSL_set_ex_data(ssl, identity_index, copy);
	memcpy(key, found.data, found.len);
	return (unsigned)found.len;
}

const char *http_header(const struct http_request *q, const char *name)
{
	return evhttp_find_header(q->headers, name);
}

void http_reply_header(struct http_reply *r, const char *name, const char *value)
{
	if (r->headers == HTTP_HEADERS_MAX)
		return;
	r->name[r->headers] = name;
	r->value[r->headers++] = value;
}

static const char *method_name(enum evhttp_cmd_type t)
{
	return t == EVHTTP_REQ_POST ? "POST" : t == EVHTTP_REQ_GET ? "GET" : "";
}

static void answer(struct evhttp_request *raw, const struct http_reply *r)
{
	struct evbuffer *body = evbuffer_new();

	for (size_t i = 0; i < r->headers; i++)
		(void)evhttp_add_header(evhttp_request_get_output_headers(raw), r->name[i], r->value[i]);
	if (body != NULL && r->body.n > 0)
		(void)evbuffer_add(body, r->body.p, r->body.n);
	evhttp_send_reply(raw, (int)r->status, NULL, body);
	if (body != NULL)
		evbuffer_free(body);
}

/* Whose key it was that the client has proved; a name that was looked up and then not used is nobody's. */
static const char *proved(const SSL *ssl)
{
	const bool used = SSL_version(ssl) >= TLS1_3_VERSION
	                          ? SSL_session_reused(ssl) == 1
	                          : SSL_CIPHER_get_auth_nid(SSL_get_current_cipher(ssl)) == NID_auth_psk;

	return used ? SSL_get_ex_data(ssl, identity_index) : NULL;
}

/* The name in the certificate that the client has proved, behind HTTP_CERTIFICATE. */
static const char *certified(const SSL *ssl, char out[IDENTITY_MAX])
{
	X509 *x = SSL_get_verify_result(ssl) == X509_V_OK ? SSL_get1_peer_certificate(ssl) : NULL;
	int n = sizeof HTTP_CERTIFICATE - 1, len = -1;

	if (x != NULL) {
		memcpy(out, HTTP_CERTIFICATE, (size_t)n);
		len = X509_NAME_get_text_by_NID(X509_get_subject_name(x), NID_commonName, out + n, IDENTITY_MAX - n);
	}
	X509_free(x);
	return len > 0 && strlen(out) == (size_t)n + (size_t)len ? out : NULL;
}

static uint64_t milliseconds(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static bool within_limit(struct http_server *s, const struct sockaddr *from)
{
	return s->limit == NULL || (from != NULL && limit_take(s->limit, from, milliseconds()));
}

/* Whether where the body ends can be read in one way only: there is one Content-Length, or none beside Transfer-Encoding
 * (RFC 9112 6.3). */
static bool well_framed(const struct evkeyvalq *headers)
{
	const struct evkeyval *h;
	unsigned lengths = 0, encodings = 0;

	for (h = headers->tqh_first; h != NULL; h = h->next.tqe_next) {
		lengths += evutil_ascii_strcasecmp(h->key, "Content-Length") == 0 ? 1 : 0;
		encodings += evutil_ascii_strcasecmp(h->key, "Transfer-Encoding") == 0 ? 1 : 0;
	}
	return lengths + encodings <= 1;
}

/* Ask the handler, and answer unless it says later. */
static bool handle(struct http_server *s, struct evhttp_request *raw, bool at_first, unsigned *for_seconds)
{
	struct bufferevent *connection = evhttp_connection_get_bufferevent(evhttp_request_get_connection(raw));
	struct evbuffer *in = evhttp_request_get_input_buffer(raw);
	const SSL *ssl = s->tls != NULL ? bufferevent_openssl_get_ssl(connection) : NULL;
	struct http_request q = { .method = method_name(evhttp_request_get_command(raw)),
		.path = evhttp_request_get_uri(raw),
		.identity = ssl != NULL ? proved(ssl) : NULL,
		.headers = evhttp_request_get_input_headers(raw) };
	struct http_reply r = { .status = 403 };
	struct sockaddr_storage from = { 0 };
	socklen_t n = sizeof from;
	char name[IDENTITY_MAX];

	if (ssl != NULL && q.identity == NULL)
		q.identity = certified(ssl, name);
	q.body.n = evbuffer_get_length(in);
	q.body.p = evbuffer_pullup(in, -1);
	if (getpeername(bufferevent_getfd(connection), (struct sockaddr *)&from, &n) == 0)
		q.from = (const struct sockaddr *)&from;
	q.again = !at_first;
	if (at_first && !within_limit(s, q.from)) {
		r.status = 429;
	} else if (!well_framed(q.headers)) {
		r.status = 400;
		http_reply_header(&r, "Connection", "close"); /* what follows might be anything */
	} else if ((q.identity != NULL || s->tls == NULL || s->handler.anonymous) && (q.body.n == 0 || q.body.p != NULL))
		s->handler.request(s->handler.context, &q, &r);
	*for_seconds = r.hold < HTTP_HOLD_SECONDS ? r.hold : HTTP_HOLD_SECONDS;
	if (r.status != HTTP_LATER)
		answer(raw, &r);
	return r.status != HTTP_LATER;
}

static void hold(struct http_server *s, struct held *h)
{
	h->next = NULL;
	*s->held_end = h;
	s->held_end = &h->next;
}

static void on_request(struct evhttp_request *raw, void *context)
{
	struct http_server *s = context;
	unsigned seconds;
	struct held *h;

	if (handle(s, raw, true, &seconds))
		return;
	if ((h = malloc(sizeof *h)) == NULL) {
		answer(raw, &(struct http_reply){ .status = 204 });
		return;
	}
	*h = (struct held){ .raw = raw, .until = milliseconds() + seconds * 1000U };
	hold(s, h);
}

/* A client that is gone has a request without a connection, which answering ends. */
static size_t end_held(struct http_server *s)
{
	const uint64_t now = milliseconds();
	size_t left = 0;

	s->held_end = &s->held;
	while (*s->held_end != NULL) {
		struct held *h = *s->held_end;

		if (evhttp_request_get_connection(h->raw) != NULL && h->until > now) {
			s->held_end = &h->next;
			left++;
			continue;
		}
		*s->held_end = h->next;
		answer(h->raw, &(struct http_reply){ .status = 204 });
		free(h);
	}
	return left;
}

/* Those that have waited longest since they were asked. */
static void ask_held(struct http_server *s)
{
	size_t n = end_held(s);
	unsigned seconds;

	if (n == 0 || (s->handler.news != NULL && !s->handler.news(s->handler.context)))
		return;
	for (n = n < HTTP_HELD_TURN ? n : HTTP_HELD_TURN; n > 0; n--) {
		struct held *h = s->held;

		if ((s->held = h->next) == NULL)
			s->held_end = &s->held;
		if (handle(s, h->raw, false, &seconds))
			free(h);
		else
			hold(s, h);
	}
}

/* ---- connections ----------------------------------------------------------------------------------------------------
 *
 * evhttp accepts clients itself and tells nobody who they are before it has made all that a connection needs. So clients come
 * to a door of ours, where one that asks too often costs an accept and a close. The others wait in a ring, and for each of
 * them a connection is made to a local socket on which evhttp listens: when it has taken that (fresh), its descriptor becomes
 * the client's. */

static void set_port(struct http_server *s, int fd)
{
	struct sockaddr_storage at = { 0 };
	socklen_t n = sizeof at;

	if (getsockname(fd, (struct sockaddr *)&at, &n) == 0)
		s->port = ntohs(at.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&at)->sin6_port
		                                         : ((struct sockaddr_in *)&at)->sin_port);
}

static bool announce(const struct http_server *s)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	bool ok = fd >= 0 && connect(fd, (const struct sockaddr *)&s->inner, s->inner_len) == 0;

	if (fd >= 0)
		(void)close(fd);
	return ok;
}

static void on_client(struct evconnlistener *l, int fd, struct sockaddr *from, int n, void *context)
{
	struct http_server *s = context;

	(void)l, (void)n;
	if (!limit_take(s->limit, from, s->limit != NULL ? milliseconds() : 0) || s->count == WAITING_MAX || !announce(s)) {
		(void)close(fd);
		return;
	}
	s->waiting[(s->first + s->count++) % WAITING_MAX] = fd;
}

/* No descriptor left, most likely: others have to end first, and asking again at once would only burn time. */
static void on_trouble(struct evconnlistener *l, void *context)
{
	const struct timeval rest = { 0, REST_MS * 1000L };
	struct http_server *s = context;

	(void)evconnlistener_disable(l);
	(void)event_add(s->rested, &rest);
}

static void on_rested(evutil_socket_t none, short what, void *context)
{
	struct http_server *s = context;

	(void)none, (void)what;
	(void)evconnlistener_enable(s->door);
}

/* Whoever opens connections and says nothing has HTTP_PATIENCE_SECONDS for each. */
static void want_descriptors(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) == 0 && l.rlim_cur < DESCRIPTORS) {
		l.rlim_cur = l.rlim_max < DESCRIPTORS ? l.rlim_max : DESCRIPTORS;
		(void)setrlimit(RLIMIT_NOFILE, &l);
	}
}

static struct bufferevent *make_connection(struct http_server *s)
{
	struct bufferevent *b;
	SSL *ssl;

	if (s->tls == NULL)
		return bufferevent_socket_new(s->base, -1, BEV_OPT_CLOSE_ON_FREE);
	if ((ssl = SSL_new(s->tls)) == NULL)
		return NULL;
	b = bufferevent_openssl_socket_new(s->base, -1, ssl, BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
	if (b != NULL)
		bufferevent_openssl_set_allow_dirty_shutdown(b, 1);
	return b;
}

static struct bufferevent *new_connection(struct event_base *base, void *context)
{
	struct http_server *s = context;
	struct bufferevent *b = make_connection(s);

	(void)base;
	if (b != NULL && s->fresh_count < WAITING_MAX) {
		bufferevent_incref(b);
		s->fresh[s->fresh_count++] = b;
		event_active(s->swap, EV_TIMEOUT, 0); /* before anything is read */
	}
	return b;
}

static bool peer_of(int fd, struct sockaddr_in6 *out)
{
	socklen_t n = sizeof *out;

	memset(out, 0, sizeof *out);
	return getpeername(fd, (struct sockaddr *)out, &n) == 0;
}

static void begin_life(struct http_server *s, int fd)
{
	const unsigned seconds = s->handler.life != 0 ? s->handler.life : HTTP_LIFE_SECONDS;
	struct life *l = malloc(sizeof *l);

	if (l == NULL || !peer_of(fd, &l->peer)) {
		(void)shutdown(fd, SHUT_RDWR);
		free(l);
		return;
	}
	l->next = NULL;
	l->fd = fd;
	l->until = milliseconds() + seconds * 1000U;
	*s->life_end = l;
	s->life_end = &l->next;
}

/* evhttp hears of it as of any client that goes. */
static void end_lives(struct http_server *s, uint64_t now)
{
	struct sockaddr_in6 peer;

	for (struct life *l = s->life; l != NULL && l->until <= now; l = s->life) {
		if (peer_of(l->fd, &peer) && memcmp(&peer, &l->peer, sizeof peer) == 0)
			(void)shutdown(l->fd, SHUT_RDWR);
		if ((s->life = l->next) == NULL)
			s->life_end = &s->life;
		free(l);
	}
}

static int next_client(struct http_server *s)
{
	int client = s->waiting[s->first];

	s->first = (s->first + 1) % WAITING_MAX;
	s->count--;
	s->taken++;
	return client;
}

/* What evhttp has just taken becomes the clients'. One without a client gets a closed end, and ends. */
static void on_fresh(evutil_socket_t none, short what, void *context)
{
	struct http_server *s = context;

	(void)none, (void)what;
	for (size_t i = 0; i < s->fresh_count; i++) {
		struct bufferevent *b = s->fresh[i];
		int fd = bufferevent_getfd(b);

		if (s->count > 0 && fd >= 0) {
			int client = next_client(s);

			(void)bufferevent_setfd(b, -1);
			(void)dup3(client, fd, O_CLOEXEC);
			(void)close(client);
			(void)bufferevent_setfd(b, fd);
			begin_life(s, fd);
		}
		bufferevent_decref(b);
	}
	s->fresh_count = 0;
}

static bool use_certificates(struct http_server *s)
{
	const struct http_handler *h = &s->handler;

	if (h->certificate == NULL)
		return true;
	/* With PSK nobody is asked; but TLS 1.3 takes a PSK for a session, which has to have a context then. */
	SSL_CTX_set_verify(s->tls, SSL_VERIFY_PEER | (h->anonymous ? 0 : SSL_VERIFY_FAIL_IF_NO_PEER_CERT), NULL);
	return SSL_CTX_set_session_id_context(s->tls, (const unsigned char *)"prose", 5) == 1 &&
	       SSL_CTX_use_certificate_chain_file(s->tls, h->certificate) == 1 &&
	       SSL_CTX_use_PrivateKey_file(s->tls, h->certificate_key, SSL_FILETYPE_PEM) == 1 &&
	       SSL_CTX_load_verify_file(s->tls, h->client_ca) == 1;
}

static bool start_tls(struct http_server *s)
{
	char suites[400];

	(void)snprintf(suites, sizeof suites, "%s%s", s->handler.suite != NULL ? s->handler.suite : SUITES_12,
	        s->handler.certificate != NULL ? SUITES_CERTIFICATE : "");
	if (identity_index < 0)
		identity_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, free_identity);
	if ((s->tls = SSL_CTX_new(TLS_server_method())) == NULL || SSL_CTX_set_min_proto_version(s->tls, TLS1_2_VERSION) != 1 ||
	        SSL_CTX_set_cipher_list(s->tls, suites) != 1 || SSL_CTX_set_ciphersuites(s->tls, SUITES_13) != 1)
		return false;
	if (s->handler.suite != NULL && SSL_CTX_use_psk_identity_hint(s->tls, s->handler.hint) != 1)
		return false;
	(void)SSL_CTX_set_app_data(s->tls, s);
	SSL_CTX_set_psk_server_callback(s->tls, find_key);
	/* Without tickets and cache: a resumed session would not ask for the key again. */
	(void)SSL_CTX_set_session_cache_mode(s->tls, SSL_SESS_CACHE_OFF);
	(void)SSL_CTX_set_num_tickets(s->tls, 0);
	(void)SSL_CTX_set_options(s->tls, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	return identity_index >= 0 && use_certificates(s);
}

bool http_certificates_again(struct http_server *s)
{
	SSL_CTX *old = s->tls;

	if (s->handler.certificate == NULL || start_tls(s)) {
		if (s->tls != old)
			SSL_CTX_free(old); /* connections keep it */
		return true;
	}
	SSL_CTX_free(s->tls);
	s->tls = old;
	return false;
}

static bool open_inner(struct http_server *s)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	s->inner = (struct sockaddr_un){ .sun_family = AF_UNIX };
	s->inner_len = sizeof s->inner;
	/* No name: the kernel chooses one. */
	if (fd >= 0 && bind(fd, (const struct sockaddr *)&s->inner, sizeof s->inner.sun_family) == 0 &&
	        getsockname(fd, (struct sockaddr *)&s->inner, &s->inner_len) == 0 && listen(fd, SOMAXCONN) == 0 &&
	        evhttp_accept_socket(s->http, fd) == 0)
		return true;
	if (fd >= 0)
		(void)close(fd);
	return false;
}

static bool bind_to(struct http_server *s, const char *where)
{
	struct sockaddr_storage at = { 0 };
	const char *colon = strrchr(where, ':');
	char host[64], *end;
	int n = sizeof at, one = 1;
	unsigned long port;

	if (colon == NULL || (size_t)(colon - where) >= sizeof host || (port = strtoul(colon + 1, &end, 10)) > UINT16_MAX ||
	        end == colon + 1 || *end != 0)
		return false;
	(void)snprintf(host, sizeof host, "%.*s", (int)(colon - where), where);
	if (evutil_parse_sockaddr_port(host, (struct sockaddr *)&at, &n) != 0 || !open_inner(s))
		return false;
	if (at.ss_family == AF_INET6)
		((struct sockaddr_in6 *)&at)->sin6_port = htons((uint16_t)port);
	else
		((struct sockaddr_in *)&at)->sin_port = htons((uint16_t)port);
	s->door = evconnlistener_new_bind(s->base, on_client, s,
	        LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE, SOMAXCONN, (const struct sockaddr *)&at, n);
	if (s->door == NULL)
		return false;
	evconnlistener_set_error_cb(s->door, on_trouble);
	/* What it accepts inherits it. */
	(void)setsockopt(evconnlistener_get_fd(s->door), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	set_port(s, evconnlistener_get_fd(s->door));
	return true;
}

struct http_server *http_serve(const char *where, const struct http_handler *handler, char *reason, size_t n)
{
	struct http_server *s = calloc(1, sizeof *s);

	if (s == NULL)
		return NULL;
	s->handler = *handler;
	s->held_end = &s->held;
	s->life_end = &s->life;
	s->base = event_base_new();
	s->http = s->base != NULL ? evhttp_new(s->base) : NULL;
	s->swap = s->base != NULL ? event_new(s->base, -1, 0, on_fresh, s) : NULL;
	s->rested = s->base != NULL ? event_new(s->base, -1, 0, on_rested, s) : NULL;
	want_descriptors();
	if (handler->limit > 0)
		s->limit = limit_new(handler->limit);
	if (s->http == NULL || s->swap == NULL || s->rested == NULL || (handler->key != NULL && !start_tls(s)) ||
	        (handler->limit > 0 && s->limit == NULL)) {
		(void)snprintf(reason, n,
		        handler->certificate != NULL ? "the certificate, its key or the clients' CA cannot be used"
		                                     : "no memory for a server");
		http_free(&s);
		return NULL;
	}
	evhttp_set_bevcb(s->http, new_connection, s);
	evhttp_set_gencb(s->http, on_request, s);
	evhttp_set_allowed_methods(s->http, EVHTTP_REQ_GET | EVHTTP_REQ_POST);
	evhttp_set_max_headers_size(s->http, HTTP_HEAD_MAX);
	evhttp_set_max_body_size(s->http, HTTP_BODY_MAX);
	evhttp_set_timeout(s->http, HTTP_PATIENCE_SECONDS);
	if (!bind_to(s, where)) {
		(void)snprintf(reason, n, "%s: cannot listen there (ADDRESS:PORT that is free)", where);
		http_free(&s);
	}
	return s;
}

void http_free(struct http_server **s)
{
	if (*s == NULL)
		return;
	if ((*s)->door != NULL)
		evconnlistener_free((*s)->door);
	end_lives(*s, UINT64_MAX);
	for (struct held *h = (*s)->held, *next; h != NULL; h = next) {
		next = h->next;
		answer(h->raw, &(struct http_reply){ .status = 204 });
		free(h);
	}
	for (; (*s)->count > 0; (*s)->count--)
		(void)close((*s)->waiting[((*s)->first + (*s)->count - 1) % WAITING_MAX]);
	if ((*s)->swap != NULL)
		event_free((*s)->swap);
	if ((*s)->rested != NULL)
		event_free((*s)->rested);
	if ((*s)->http != NULL)
		evhttp_free((*s)->http);
	limit_free(&(*s)->limit);
	if ((*s)->base != NULL)
		event_base_free((*s)->base);
	SSL_CTX_free((*s)->tls);
	free(*s);
	*s = NULL;
}

unsigned http_port(const struct http_server *s)
{
	return s->port;
}

/* Clients that wait go from the door to evhttp, and on. One for whom evhttp could not make a connection is turned away: each
 * later client would wait for the next one. */
static void let_in(struct http_server *s)
{
	const uint64_t goal = s->taken + s->count;

	for (int i = 0; i < PASSES && s->taken < goal; i++)
		(void)event_base_loop(s->base, EVLOOP_NONBLOCK);
	while (s->taken < goal && s->count > 0)
		(void)close(next_client(s));
}

void http_run(struct http_server *s, int ms)
{
	const struct timeval wait = { ms / 1000, ms % 1000 * 1000L };

	if (ms > 0)
		(void)event_base_loopexit(s->base, &wait);
	(void)event_base_loop(s->base, ms > 0 ? EVLOOP_ONCE : EVLOOP_NONBLOCK);
	let_in(s);
	end_lives(s, milliseconds());
	ask_held(s);
}
