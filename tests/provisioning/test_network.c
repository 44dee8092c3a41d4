/* SPDX-License-Identifier: Apache-2.0 */
/* What a server refuses before it works: sources that ask too often. */
#include <errno.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "apdu/push.h"
#include "provisioning/http/http.h"
#include "provisioning/http/limit.h"
#include "tests/support/support.h"

enum { TURNS = 20000, RATE = 5, BURST = RATE * LIMIT_BURST_SECONDS };

static struct sockaddr_in v4(uint32_t address)
{
	return (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(address) };
}

static unsigned take(struct limit *l, uint32_t address, uint64_t now, unsigned times)
{
	struct sockaddr_in from = v4(address);
	unsigned taken = 0;

	while (times-- > 0)
		taken += limit_take(l, (const struct sockaddr *)&from, now) ? 1 : 0;
	return taken;
}

START_TEST(a_source_has_its_rate)
{
	struct limit *l = limit_new(RATE);

	ck_assert_ptr_nonnull(l);
	ck_assert_uint_eq(take(l, 1, 1000, 100), BURST);
	ck_assert_uint_eq(take(l, 2, 1000, 100), BURST); /* another has its own */
	ck_assert_uint_eq(take(l, 1, 1100, 1), 0);
	ck_assert_uint_eq(take(l, 1, 1200, 5), 1);
	for (uint64_t t = 2200; t < 20000; t += 1000)
		ck_assert_uint_eq(take(l, 1, t, 100), RATE);
	ck_assert_uint_eq(take(l, 1, 3600000, 100), BURST); /* and no more, however long it was quiet */
	limit_free(&l);
	ck_assert(limit_take(NULL, NULL, 0));
}
END_TEST

START_TEST(a_crowd_does_not_help_the_busy)
{
	struct limit *l = limit_new(RATE);

	ck_assert_uint_eq(take(l, 1, 1000, 100), BURST);
	for (uint32_t other = 2; other < 300000; other++)
		ck_assert_uint_eq(take(l, other, 1000, 1), 1);
	ck_assert_uint_eq(take(l, 1, 1000, 1), 0);
	limit_free(&l);
}
END_TEST

START_TEST(a_household_is_one_source)
{
	struct limit *l = limit_new(RATE);
	struct sockaddr_in6 six = { .sin6_family = AF_INET6 }, mapped = { .sin6_family = AF_INET6 };
	unsigned taken = 0;

	for (unsigned i = 0; i < 100; i++) {
		six.sin6_addr.s6_addr[7] = 9;
		six.sin6_addr.s6_addr[15] = (uint8_t)i;
		taken += limit_take(l, (const struct sockaddr *)&six, 1000) ? 1 : 0;
	}
	ck_assert_uint_eq(taken, BURST);
	ck_assert_uint_eq(take(l, 1, 1000, BURST), BURST); /* ::ffff:0.0.0.1 is 0.0.0.1 */
	mapped.sin6_addr.s6_addr[10] = mapped.sin6_addr.s6_addr[11] = 0xFF;
	mapped.sin6_addr.s6_addr[15] = 1;
	ck_assert(!limit_take(l, (const struct sockaddr *)&mapped, 1000));
	limit_free(&l);
}
END_TEST

static void say_yes(void *context, const struct http_request *q, struct http_reply *r)
{
	unsigned *asked = context;

	(void)q;
	++*asked;
	r->status = 200;
	r->body = BYTES_STR("yes");
}

/* A request on a connection of its own from 127.0.0.x; "" if it is closed at once. */
static const char *ask(struct http_server *s, uint8_t x, const char *request)
{
	static char answer[2000];
	struct sockaddr_in from = v4(0x7F000000U | x), to = v4(0x7F000001);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	ssize_t n = -1;

	to.sin_port = htons((uint16_t)http_port(s));
	ck_assert_int_eq(bind(fd, (const struct sockaddr *)&from, sizeof from), 0);
	ck_assert_int_eq(connect(fd, (const struct sockaddr *)&to, sizeof to), 0);
	ck_assert_int_gt(send(fd, request, strlen(request), MSG_NOSIGNAL), 0);
	for (int i = 0; i < TURNS && n < 0; i++) { /* turns of the server, not time: it runs in this very process */
		http_run(s, 1);
		n = recv(fd, answer, sizeof answer - 1, MSG_DONTWAIT);
		if (n < 0 && errno == ECONNRESET)
			n = 0;
	}
	(void)close(fd);
	ck_assert_int_ge(n, 0);
	answer[n] = 0;
	return answer;
}

/* Connections that say nothing until no descriptor is left: the server waits, and serves again when they are gone. */
static bool survives_a_crowd(void)
{
	enum { CROWD = 60 };
	unsigned asked = 0;
	const struct http_handler h = { .context = &asked, .request = say_yes };
	const struct rlimit limit = { CROWD, CROWD };
	char reason[200];
	int crowd[CROWD], n = 0;
	struct sockaddr_in to = v4(0x7F000001);
	struct http_server *s;

	if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || (s = http_serve("127.0.0.1:0", &h, reason, sizeof reason)) == NULL)
		return false;
	to.sin_port = htons((uint16_t)http_port(s));
	while (n < CROWD && (crowd[n] = socket(AF_INET, SOCK_STREAM, 0)) >= 0 &&
	        connect(crowd[n], (const struct sockaddr *)&to, sizeof to) == 0)
		n++;
	for (int i = 0; i < 50; i++)
		http_run(s, 0);
	if (n < 5)
		return false;
	while (n > 0)
		(void)close(crowd[--n]);
	for (int i = 0; i < 50; i++)
		http_run(s, 10);
	return strncmp(ask(s, 1, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"), "HTTP/1.1 200", 12) == 0;
}

/* Connections that say nothing until no descriptor is left: the server waits, and serves again when they are gone. */
START_TEST(silent_crowds_pass)
{
	int status = -1;
	pid_t pid = fork(); /* the limit is this process's only */

	if (pid == 0)
		_exit(survives_a_crowd() ? 0 : 1);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(who_asks_too_often_is_not_heard)
{
	const char *get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
	unsigned asked = 0, served = 0, told = 0, closed = 0;
	const struct http_handler h = { .context = &asked, .request = say_yes, .limit = RATE };
	char reason[200];
	struct http_server *s = http_serve("127.0.0.1:0", &h, reason, sizeof reason);

	ck_assert_msg(s != NULL, "%s", reason);
	for (int i = 0; i < 1000 && closed == 0; i++) { /* a connection and a request each; time goes on */
		const char *answer = ask(s, 2, get);

		served += strncmp(answer, "HTTP/1.1 200", 12) == 0;
		told += strncmp(answer, "HTTP/1.1 429", 12) == 0;
		closed += *answer == 0;
	}
	ck_assert_uint_eq(served, asked);
	ck_assert_uint_ge(served, BURST / 2);
	ck_assert_uint_eq(closed, 1);
	ck_assert_uint_le(told, 1 + served / 2);
	ck_assert_int_eq(strncmp(ask(s, 3, get), "HTTP/1.1 200", 12), 0); /* its neighbour does not feel it */
	http_free(&s);
}
END_TEST

static struct {
	unsigned asked, hold;
	bool ready, news;
} patience;

static void say_later(void *context, const struct http_request *q, struct http_reply *r)
{
	(void)context, (void)q;
	patience.asked++;
	r->status = patience.ready ? 200 : HTTP_LATER;
	r->hold = patience.hold;
}

static bool news(void *context)
{
	(void)context;
	return patience.news;
}

static int say(const struct http_server *s, const char *request)
{
	struct sockaddr_in to = v4(0x7F000001);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	to.sin_port = htons((uint16_t)http_port(s));
	ck_assert_int_eq(connect(fd, (const struct sockaddr *)&to, sizeof to), 0);
	ck_assert_int_gt(send(fd, request, strlen(request), MSG_NOSIGNAL), 0);
	return fd;
}

/* 0: nothing yet. */
static unsigned said(int fd)
{
	char answer[200];
	ssize_t n = recv(fd, answer, sizeof answer - 1, MSG_DONTWAIT);

	if (n <= 0)
		return 0;
	answer[n] = 0;
	return (unsigned)strtoul(answer + sizeof "HTTP/1.1", NULL, 10);
}

static unsigned answer_of(struct http_server *s, int fd)
{
	unsigned code = 0;

	for (int i = 0; i < TURNS && (code = said(fd)) == 0; i++)
		http_run(s, 1);
	return code;
}

static void turns(struct http_server *s, int n)
{
	while (n-- > 0)
		http_run(s, 5);
}

/* Long polling: who waits is asked again when there is news and not before, is answered when there is something, or when his
 * time is over; who goes away does no harm, and neither does the end of the server. */
START_TEST(answers_may_come_later)
{
	const char *get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
	const struct http_handler h = { .context = &patience, .request = say_later, .news = news };
	char reason[200];
	struct http_server *s = http_serve("127.0.0.1:0", &h, reason, sizeof reason);
	int client[3], many[HTTP_HELD_TURN + 50];

	ck_assert_msg(s != NULL, "%s", reason);
	patience.hold = 60; /* longer than any server waits */
	for (int i = 0; i < 3; i++)
		client[i] = say(s, get);
	turns(s, 20);
	ck_assert_uint_eq(patience.asked, 3);
	(void)close(client[1]);
	patience.news = true; /* for somebody else */
	turns(s, 4);
	ck_assert_uint_ge(patience.asked, 5);
	ck_assert(said(client[0]) == 0 && said(client[2]) == 0);
	patience.ready = true;
	turns(s, 4);
	ck_assert(said(client[0]) == 200 && said(client[2]) == 200);
	patience.ready = patience.news = false;
	patience.hold = 0;
	client[1] = say(s, get);
	ck_assert_uint_eq(answer_of(s, client[1]), 204);
	patience.hold = 60;
	patience.asked = 0;
	for (int i = 0; i < HTTP_HELD_TURN + 50; i++) /* more than are asked in one turn: all have theirs */
		many[i] = say(s, get);
	turns(s, 100);
	ck_assert_uint_eq(patience.asked, HTTP_HELD_TURN + 50);
	patience.news = true;
	http_run(s, 0);
	ck_assert_uint_eq(patience.asked, 2 * HTTP_HELD_TURN + 50);
	http_run(s, 0);
	ck_assert_uint_eq(patience.asked, 3 * HTTP_HELD_TURN + 50);
	http_free(&s);
	for (size_t i = 0; i < sizeof many / sizeof *many; i++)
		(void)close(many[i]);
	for (int i = 0; i < 3; i++)
		(void)close(client[i]);
}
END_TEST

/* One who sends an octet now and then is not idle, and is gone in the end, while who asks and asks again meanwhile is served.
 */
START_TEST(connections_do_not_live_for_ever)
{
	const char *get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
	unsigned asked = 0, sent = 0;
	const struct http_handler h = { .context = &asked, .request = say_yes, .life = 1 };
	char reason[200];
	struct http_server *s = http_serve("127.0.0.1:0", &h, reason, sizeof reason);
	int fd;

	ck_assert_msg(s != NULL, "%s", reason);
	fd = say(s, "G");
	for (; sent < 5000 && send(fd, "E", 1, MSG_NOSIGNAL) == 1; sent++) {
		turns(s, 2);
		if (sent % 20 == 0)
			ck_assert_int_eq(strncmp(ask(s, 1, get), "HTTP/1.1 200", 12), 0);
	}
	ck_assert_uint_gt(sent, 1);
	ck_assert_uint_lt(sent, 5000);
	(void)close(fd);
	http_free(&s);
}
END_TEST

static void take_body(void *context, const struct http_request *q, struct http_reply *r)
{
	*(size_t *)context = q->body.n;
	r->status = 204;
}

/* The answer to a request whose head is padded to, or whose body has, so many octets. */
static unsigned answer_to_octets(struct http_server *s, size_t head, size_t body)
{
	static char request[HTTP_HEAD_MAX + HTTP_BODY_MAX + 2];
	int n = snprintf(request, sizeof request, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\nX: ", body), fd;
	unsigned code;

	while ((size_t)n + 4 < head)
		request[n++] = 'x';
	(void)snprintf(request + n, sizeof request - (size_t)n, "\r\n\r\n%0*d", (int)body, 0);
	fd = say(s, request);
	code = answer_of(s, fd);
	(void)close(fd);
	return code;
}

/* A body and a head at their limits are taken; with one octet more the handler is not asked. */
START_TEST(long_requests_are_refused)
{
	size_t took = 0;
	const struct http_handler h = { .context = &took, .request = take_body };
	char reason[200];
	struct http_server *s = http_serve("127.0.0.1:0", &h, reason, sizeof reason);

	ck_assert_msg(s != NULL, "%s", reason);
	ck_assert_uint_eq(answer_to_octets(s, 0, HTTP_BODY_MAX), 204);
	ck_assert_uint_eq(took, HTTP_BODY_MAX);
	took = 0;
	ck_assert_uint_eq(answer_to_octets(s, 0, HTTP_BODY_MAX + 1), 413);
	ck_assert_uint_eq(answer_to_octets(s, HTTP_HEAD_MAX + 100, 1), 400);
	ck_assert_uint_eq(took, 0);
	ck_assert_uint_eq(answer_to_octets(s, HTTP_HEAD_MAX - 100, 1), 204);
	http_free(&s);
}
END_TEST

/* Every octet of a message changed, and every beginning of it, is refused or says what it says; what is read is what was put.
 */
START_TEST(push_messages)
{
	uint8_t raw[600], body_raw[600], mac[PUSH_MAC_LEN] = { 9 }, users_raw[100];
	struct buf b = BUF_OF(raw), body = BUF_OF(body_raw), users = BUF_OF(users_raw);
	const struct push p = { .rand = hex("000102030405060708090A0B0C0D0E0F"),
		.autn = hex("101112131415161718191A1B1C1D1E1F"),
		.naf_id = BYTES_STR("naf.example.org\x01\x00\x01\x00\xA8"),
		.expires = 1800000000,
		.objects = hex("7F500101") };
	struct vouched v = { .type = VOUCHED_JOIN,
		.group = BYTES_STR("sip:g@example.org"),
		.user = BYTES_STR("sip:u@example.org"),
		.btid = BYTES_STR("AAAA@bsf"),
		.expires = 77,
		.nonce = hex("0102030405060708"),
		.invitation = hex("AABB") };
	struct push q;
	struct vouched w;
	struct bytes one, list;

	push_put_body(&body, &p);
	push_put(&b, buf_bytes(&body), mac);
	ck_assert_int_eq(push_parse(buf_bytes(&b), &q), OK);
	ck_assert(bytes_equal(q.rand, p.rand) && bytes_equal(q.autn, p.autn) && bytes_equal(q.naf_id, p.naf_id) &&
	          bytes_equal(q.objects, p.objects) && q.expires == p.expires && bytes_equal(q.mac, BYTES_OF(mac)) &&
	          bytes_equal(q.maced, buf_bytes(&body)));
	for (size_t n = 0; n < b.len; n++)
		ck_assert_int_ne(push_parse(exact_copy((struct bytes){ raw, n }), &q), OK);
	ck_assert_int_ne(vouched_parse(buf_bytes(&b), &w), OK);
	vouched_put_user(&users, BYTES_STR("sip:a@x"));
	vouched_put_user(&users, BYTES_STR("sip:b@x"));
	v.users = buf_bytes(&users);
	b = BUF_OF(raw);
	body = BUF_OF(body_raw);
	vouched_put_body(&body, &v);
	vouched_put(&b, buf_bytes(&body), mac);
	ck_assert_int_eq(vouched_parse(buf_bytes(&b), &w), OK);
	list = w.users;
	ck_assert(w.type == v.type && bytes_equal(w.group, v.group) && bytes_equal(w.user, v.user) &&
	          bytes_equal(w.btid, v.btid) && w.expires == 77 && bytes_equal(w.nonce, v.nonce) &&
	          bytes_equal(w.invitation, v.invitation) && vouched_user(&list, &one) &&
	          bytes_equal(one, BYTES_STR("sip:a@x")) && vouched_user(&list, &one) &&
	          bytes_equal(one, BYTES_STR("sip:b@x")) && !vouched_user(&list, &one));
	for (size_t n = 0; n < b.len; n++)
		ck_assert_int_ne(vouched_parse(exact_copy((struct bytes){ raw, n }), &w), OK);
	raw[6] = VOUCHED_REMOVE + 1; /* a type that there is not */
	ck_assert_int_ne(vouched_parse(buf_bytes(&b), &w), OK);
}
END_TEST

#define POST "POST / HTTP/1.1\r\nHost: x\r\n"

/* Where a body ends is said once, or a server before this one could read something else (RFC 9112 11.2). */
START_TEST(a_body_ends_in_one_place)
{
	static const char *const bad[] = { "Content-Length: 3\r\nContent-Length: 3\r\n",
		"Content-Length: 3\r\ncontent-length: 0\r\n", "Content-Length: 0\r\nContent-Length: 3\r\n",
		"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n",
		"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "Content-Length: 3, 3\r\n" };
	static const char *const good[] = { POST "Content-Length: 3\r\n\r\nabc",
		POST "Content-Length: 3\r\nX-Content-Length: 9\r\n\r\nabc",
		POST "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" };
	unsigned asked = 0;
	const struct http_handler h = { .context = &asked, .request = say_yes };
	char reason[200], request[400];
	struct http_server *s = http_serve("127.0.0.1:0", &h, reason, sizeof reason);

	ck_assert_msg(s != NULL, "%s", reason);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		int fd;

		(void)snprintf(request, sizeof request,
		        POST "%s\r\n3\r\nabc\r\n0\r\n\r\nGET /hidden HTTP/1.1\r\nHost: x\r\n\r\n", bad[i]);
		fd = say(s, request);
		ck_assert_uint_eq(answer_of(s, fd), 400);
		for (int turn = 0; turn < 50; turn++)
			http_run(s, 0);
		ck_assert_uint_eq(asked, 0); /* nor what came behind it */
		(void)close(fd);
	}
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		ck_assert_int_eq(strncmp(ask(s, 1, good[i]), "HTTP/1.1 200", 12), 0);
	http_free(&s);
}
END_TEST

Suite *suite_network(void)
{
	Suite *s = suite_create("network");
	TCase *c = tcase_create("limit");

	tcase_add_test(c, a_source_has_its_rate);
	tcase_add_test(c, a_crowd_does_not_help_the_busy);
	tcase_add_test(c, a_household_is_one_source);
	tcase_add_test(c, who_asks_too_often_is_not_heard);
	tcase_add_test(c, silent_crowds_pass);
	tcase_add_test(c, answers_may_come_later);
	tcase_add_test(c, connections_do_not_live_for_ever);
	tcase_add_test(c, long_requests_are_refused);
	tcase_add_test(c, a_body_ends_in_one_place);
	tcase_add_test(c, push_messages);
	suite_add_tcase(s, c);
	return s;
}
