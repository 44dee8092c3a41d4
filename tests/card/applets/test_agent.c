/* SPDX-License-Identifier: Apache-2.0 */
/* SCP81: the card's HTTP administration agent against OpenSSL as a TLS server in memory; the terminal is this file, octet by
 * octet what TS 102 223 says. */
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>

#include "apdu/birth.h"
#include "apdu/cat.h"
#include "apdu/tlv.h"
#include "card/applets/remote/agent.h"
#include "card/applets/domain/domain.h"
#include "ota/gp_key.h"
#include "ota/http_admin.h"
#include "ota/packet.h"
#include "ota/script.h"
#include "tests/support/scp.h"

#define IDENTITY "8900101000000000017"
#define ACC "7FF06F78" /* EF_ACC, by expanded scripts below */
#define TERMINAL_PROFILE                                                                                                       \
	"80100000110300880201"                                                                                                 \
	"0C000700"                                                                                                             \
	"00000FE00000"                                                                                                         \
	"0001"

/* ---- the server ------------------------------------------------------------------------------------------------------ */

struct server {
	SSL_CTX *context;
	SSL *ssl;
	BIO *in, *out;
	struct bytes key;
	char seen[64]; /* the identity that the card gave */
	uint8_t request[8192];
	size_t len;
};

static unsigned find_key(SSL *ssl, const char *identity, unsigned char *key, unsigned room)
{
	struct server *s = SSL_get_app_data(ssl);

	(void)snprintf(s->seen, sizeof s->seen, "%s", identity);
	if (strcmp(identity, IDENTITY) != 0 || s->key.n > room)
		return 0;
	memcpy(key, s->key.p, s->key.n);
	return (unsigned)s->key.n;
}

static void server_start(struct server *s, struct bytes key)
{
	*s = (struct server){ .context = SSL_CTX_new(TLS_server_method()), .key = key };
	SSL_CTX_set_psk_server_callback(s->context, find_key);
	(void)SSL_CTX_set_max_proto_version(s->context, TLS1_2_VERSION);
	s->ssl = SSL_new(s->context);
	s->in = BIO_new(BIO_s_mem());
	s->out = BIO_new(BIO_s_mem());
	SSL_set_bio(s->ssl, s->in, s->out);
	(void)SSL_set_app_data(s->ssl, s);
	SSL_set_accept_state(s->ssl);
}

static void server_stop(struct server *s)
{
	SSL_free(s->ssl);
	SSL_CTX_free(s->context);
	*s = (struct server){ 0 };
}

static void server_take(struct server *s, struct bytes data)
{
	int n;

	ck_assert_int_eq(BIO_write(s->in, data.p, (int)data.n), (int)data.n);
	while ((n = SSL_read(s->ssl, s->request + s->len, (int)(sizeof s->request - s->len - 1))) > 0)
		s->len += (size_t)n;
	s->request[s->len] = 0;
}

/* The request is whole: head, and as many octets as it says. */
static bool server_has_request(const struct server *s)
{
	const char *text = (const char *)s->request, *end = strstr(text, "\r\n\r\n"), *n = strstr(text, "Content-Length: ");

	return end != NULL && n != NULL && s->len == (size_t)(end + 4 - text) + strtoul(n + 16, NULL, 10);
}

static void server_say(struct server *s, const char *head, struct bytes body)
{
	ck_assert_int_gt(SSL_write(s->ssl, head, (int)strlen(head)), 0);
	if (body.n > 0)
		ck_assert_int_gt(SSL_write(s->ssl, body.p, (int)body.n), 0);
	s->len = 0;
	s->request[0] = 0;
}

static struct bytes request_body(const struct server *s)
{
	const uint8_t *end = (const uint8_t *)strstr((const char *)s->request, "\r\n\r\n") + 4;

	return (struct bytes){ end, s->len - (size_t)(end - s->request) };
}

static bool request_has(const struct server *s, const char *line)
{
	return strstr((const char *)s->request, line) != NULL;
}

/* ---- the terminal ---------------------------------------------------------------------------------------------------- */

struct terminal {
	struct rig *r;
	struct server *server;
	unsigned sw; /* of the last command */
	bool open, refuse_channel, lost;
	unsigned opened, timers;
	unsigned announced; /* octets that the card was told of */
};

static void respond(struct terminal *t, struct bytes details, const char *result, struct bytes more)
{
	uint8_t raw[300], command[310];
	struct buf b = BUF_OF(raw), c = BUF_OF(command);

	tlv_put(&b, CAT_TAG_DETAILS, details);
	buf_put(&b, hex("82028281"));
	tlv_put(&b, CAT_TAG_RESULT, hex(result));
	buf_put(&b, more);
	ck_assert_uint_le(b.len, 255);
	buf_put(&c, hex("80140000"));
	buf_put_u8(&c, (uint8_t)b.len);
	buf_put(&c, buf_bytes(&b));
	t->sw = rig_send_bytes(t->r, buf_bytes(&c));
}

static void envelope(struct terminal *t, const char *tlvs)
{
	char text[128];

	(void)snprintf(text, sizeof text, "80C20000%02X%s", (unsigned)strlen(tlvs) / 2, tlvs);
	t->sw = rig_send(t->r, text);
}

static unsigned pending(const struct terminal *t)
{
	size_t n = t->open && t->server->ssl != NULL ? BIO_ctrl_pending(t->server->out) : 0;

	return (unsigned)(n < 255 ? n : 255);
}

/* Fetch one command and answer it. */
static void serve_one(struct terminal *t)
{
	uint8_t raw[260], more_raw[260];
	struct buf more = BUF_OF(more_raw);
	struct bytes all, details, data;
	const char *result = "00";
	struct tlv outer;
	char fetch[16];

	(void)snprintf(fetch, sizeof fetch, "80120000%02X", t->sw & 0xFF);
	ck_assert_uint_eq(rig_send(t->r, fetch), 0x9000);
	all = rig_data();
	memcpy(raw, all.p, all.n);
	all.p = raw;
	ck_assert_int_eq(tlv_next(&all, &outer), OK);
	ck_assert_int_eq(tlv_find(outer.value, CAT_TAG_DETAILS, &details), OK);
	switch (details.p[1]) {
	case CAT_OPEN_CHANNEL:
		t->opened++;
		if (t->refuse_channel) {
			result = "3A01";
			break;
		}
		t->open = true;
		buf_put(&more, hex("B8028100B50103B90205DC"));
		break;
	case CAT_SEND_DATA:
		ck_assert_int_eq(tlv_find(outer.value, CAT_TAG_CHANNEL_DATA, &data), OK);
		if (t->lost)
			result = "3A04";
		else
			server_take(t->server, data);
		break;
	case CAT_RECEIVE_DATA: {
		uint8_t got[256];
		int n;

		ck_assert_int_eq(tlv_find(outer.value, CAT_TAG_CHANNEL_DATA_LENGTH, &data), OK);
		n = BIO_read(t->server->out, got, data.p[0]);
		ck_assert_int_gt(n, 0);
		tlv_put(&more, CAT_TAG_CHANNEL_DATA, (struct bytes){ got, (size_t)n });
		tlv_put_uint(&more, CAT_TAG_CHANNEL_DATA_LENGTH, 1, pending(t));
		t->announced = pending(t);
		break;
	}
	case CAT_CLOSE_CHANNEL: t->open = false; break;
	case CAT_TIMER_MANAGEMENT: t->timers++; break;
	default: break;
	}
	respond(t, details, result, buf_bytes(&more));
}

/* Until the card asks for nothing and has heard of everything. */
static void serve(struct terminal *t)
{
	for (int i = 0; i < 2000; i++) {
		if ((t->sw & 0xFF00) == 0x9100) {
			serve_one(t);
		} else if (pending(t) > 0 && t->announced == 0) {
			char text[64];

			t->announced = pending(t);
			(void)snprintf(text, sizeof text,
			        "D60E"
			        "990109"
			        "82028281"
			        "B8028100"
			        "B701%02X",
			        t->announced);
			envelope(t, text);
		} else {
			return;
		}
	}
	ck_abort_msg("the card never comes to an end");
}

/* ---- the operator ---------------------------------------------------------------------------------------------------- */

static struct admin_trigger standard_trigger(void)
{
	static uint8_t raw[40];
	struct buf b = BUF_OF(raw);

	cat_tcp_client_put(&b, 1500, (const uint8_t[]){ 127, 0, 0, 1 }, 8443);
	return (struct admin_trigger){ .connection = buf_bytes(&b),
		.identity = BYTES_STR(IDENTITY),
		.kvn = 0x40,
		.kid = 1,
		.retries = 1,
		.delay = 75,
		.host = BYTES_STR("ota.example.org"),
		.uri = BYTES_STR("/admin?c=1") };
}

static struct bytes trigger_hex(const struct admin_trigger *trigger, char text[1024])
{
	uint8_t raw[500];
	struct buf b = BUF_OF(raw);

	admin_trigger_put(&b, trigger);
	ck_assert_int_eq(buf_status(&b), OK);
	(void)hex_encode(buf_bytes(&b), text);
	return (struct bytes){ 0 };
}

/* The card's answer to a packet for the card manager: the status word that its script, or the call, had. */
static unsigned send_packet(struct terminal *t, uint64_t counter, const char *script)
{
	struct ota_keys k = { .kvn = 1 };
	struct secret_large plain = { 0 };
	struct ota_response out;
	struct script_result result;
	bool secured;

	ck_assert_int_eq(tlv_find(t->r->secrets, BIRTH_OTA_KIC, &k.kic), OK);
	ck_assert_int_eq(tlv_find(t->r->secrets, BIRTH_OTA_KID, &k.kid), OK);
	ck_assert_uint_eq(rig_send_bytes(t->r, rig_ota(t->r, counter, "000000", script)) & 0xFE00, 0x9000);
	if (ota_response_open(&k, 0x19, rig_data(), &plain, &out, &secured) != OK || out.rsc != RSC_OK)
		return 0;
	ck_assert_int_eq(script_result_parse(out.data, &result), OK);
	return result.sw;
}

static unsigned call(struct terminal *t, uint64_t counter, const struct admin_trigger *trigger)
{
	char text[1024];
	unsigned sw;

	(void)trigger_hex(trigger, text);
	sw = send_packet(t, counter, text);
	t->sw = rig_send(t->r, "80F2000C00");
	return sw;
}

static struct bytes psk_of(const struct rig *r)
{
	struct bytes key;

	ck_assert_int_eq(tlv_find(r->secrets, BIRTH_PSK, &key), OK);
	return key;
}

static void start(struct terminal *t, struct server *s, const char *profile)
{
	struct rig *r = profile != NULL ? rig_profile(profile) : rig_new();

	*t = (struct terminal){ .r = r, .server = s };
	ck_assert_uint_eq(rig_send(r, TERMINAL_PROFILE) & 0xF000, 0x9000);
	server_start(s, psk_of(r));
}

static void stop(struct terminal *t)
{
	server_stop(t->server);
	rig_free(&t->r);
}

#define NEXT "X-Admin-Next-URI: /next\r\n"
#define OK_HEAD "HTTP/1.1 200 OK\r\nX-Admin-Protocol: globalplatform-remote-admin/1.0\r\n" NEXT
#define ETSI "Content-Type: application/vnd.etsi.scp.command-data;version=1.0\r\n"
#define GP "Content-Type: application/vnd.globalplatform.card-content-mgt;version=1.0\r\n"
#define TARGET_UICC "X-Admin-Targeted-Application: //aid/A000000009/0005FFFFFFFF89B0000000\r\n"
#define TARGET_PROSE_FILES "X-Admin-Targeted-Application: //aid/A000000009/0005FFFFFFFF89B05F9000\r\n"
/* SELECT 4F05, UPDATE BINARY 5 octets, READ BINARY 5 */
#define SCRIPT                                                                                                                 \
	"AE80"                                                                                                                 \
	"220700A40004024F05"                                                                                                   \
	"220A00D60000050102030405"                                                                                             \
	"220500B0000005"                                                                                                       \
	"0000"

/* "HTTP... Content-Length: N", then the script. */
static void say_script(struct server *s, const char *headers, const char *script)
{
	char head[1024];

	(void)snprintf(head, sizeof head, "%sContent-Length: %zu\r\n\r\n", headers, strlen(script) / 2);
	server_say(s, head, hex(script));
}

static void say_goodbye(struct server *s)
{
	server_say(s, "HTTP/1.1 204 No Content\r\n\r\n", (struct bytes){ 0 });
}

static struct bytes file_4f05(struct terminal *t)
{
	ck_assert_uint_eq(rig_send(t->r, "00A4040C10A0000000871002FFFFFFFF8907090000"), 0x9000);
	ck_assert_uint_eq(rig_send(t->r, "00A4080C047FFF5F90"), 0x9000);
	ck_assert_uint_eq(rig_send(t->r, "00A4000C024F05"), 0x9000);
	ck_assert_uint_eq(rig_send(t->r, "0020000108"
	                                 "31323334FFFFFFFF"),
	        0x9000);
	ck_assert_uint_eq(rig_send(t->r, "00B0000005"), 0x9000);
	return rig_data();
}

/* ---- laws ------------------------------------------------------------------------------------------------------------- */

/* A whole session: the card calls, proves its key, runs two scripts, hears good-bye, closes; and can be called again. */
START_TEST(a_session)
{
	struct terminal t;
	struct server s;
	struct admin_trigger trigger = standard_trigger();

	start(&t, &s, NULL);
	ck_assert_uint_eq(call(&t, 1, &trigger), 0x9000);
	ck_assert_uint_eq(call(&t, 2, &trigger), 0x6985); /* one at a time */
	serve(&t);
	ck_assert_str_eq(s.seen, IDENTITY);
	ck_assert(server_has_request(&s));
	ck_assert_msg(
	        strncmp((char *)s.request, "POST /admin?c=1 HTTP/1.1\r\nHost: ota.example.org\r\n", 48) == 0, "%s", s.request);
	ck_assert(request_has(&s, "X-Admin-Protocol: globalplatform-remote-admin/1.0\r\n"));
	ck_assert(request_has(&s, "X-Admin-From: //se-id/eid/"));
	ck_assert(request_has(&s, ";//aa-id/aid/A000000151/000000\r\n"));
	say_script(&s, OK_HEAD ETSI TARGET_PROSE_FILES, SCRIPT);
	serve(&t);
	ck_assert(server_has_request(&s));
	ck_assert(request_has(&s, "POST /next HTTP/1.1\r\n"));
	ck_assert(request_has(&s, "X-Admin-Script-Status: ok\r\n"));
	ck_assert(request_has(&s, "Content-Type: application/vnd.etsi.scp.response-data;version=1.0\r\n"));
	ck_assert(bytes_equal(request_body(&s), hex("AF80"
	                                            "800103"
	                                            "23029000"
	                                            "23029000"
	                                            "230701020304059000"
	                                            "0000")));
	/* the security domain itself, in chunks that split a command */
	server_say(&s, OK_HEAD GP "Transfer-Encoding: chunked\r\n\r\n4;x=y\r\n", (struct bytes){ 0 });
	serve(&t);
	ck_assert_uint_eq(s.len, 0);
	ck_assert(!t.open); /* an extension of a chunk: refused, and it hangs up */
	stop(&t);

	start(&t, &s, NULL);
	ck_assert_uint_eq(call(&t, 1, &trigger), 0x9000);
	serve(&t);
	server_say(&s, OK_HEAD GP "Transfer-Encoding: chunked\r\n\r\n3\r\n", hex("AA0922"));
	serve(&t);
	ck_assert_uint_eq(s.len, 0); /* the rest is still to come */
	server_say(&s, "\r\n8\r\n", hex("0780F24002024F00"));
	serve(&t);
	server_say(&s, "\r\n0\r\n\r\n", (struct bytes){ 0 });
	serve(&t);
	ck_assert(server_has_request(&s));
	ck_assert(request_has(&s, "Content-Type: application/vnd.globalplatform.card-content-mgt-response;version=1.0\r\n"));
	ck_assert_uint_eq(request_body(&s).p[0], 0xAB);
	say_goodbye(&s);
	serve(&t);
	ck_assert(!t.open);
	server_stop(&s);
	server_start(&s, psk_of(t.r));
	ck_assert_uint_eq(call(&t, 5, &trigger), 0x9000);
	serve(&t);
	ck_assert(server_has_request(&s));
	stop(&t);
}
END_TEST

/* A script that no short messages could carry. */
START_TEST(a_long_script)
{
	static char script[2 * ADMIN_BODY_MAX + 64];
	struct terminal t;
	struct server s;
	struct admin_trigger trigger = standard_trigger();
	size_t n = 0;

	start(&t, &s, NULL);
	ck_assert_uint_eq(call(&t, 1, &trigger), 0x9000);
	serve(&t);
	n += (size_t)sprintf(script + n, "AE80220700A40004024F05");
	while (n < 2 * 15000)
		n += (size_t)sprintf(script + n, "220A00D6000005%02X02030405", (unsigned)(n % 251));
	n += (size_t)sprintf(script + n, "220A00D60000050909090909"
	                                 "0000");
	say_script(&s, OK_HEAD ETSI TARGET_PROSE_FILES, script);
	serve(&t);
	ck_assert(server_has_request(&s));
	ck_assert(request_has(&s, "X-Admin-Script-Status: ok\r\n"));
	{ /* how many commands, and what the last one said; there is no room for all */
		struct expanded_answer answer;

		ck_assert_int_eq(expanded_answer_parse(request_body(&s), &answer), OK);
		ck_assert_uint_eq(answer.executed, 1252);
		ck_assert(bytes_equal(answer.last, hex("9000")));
	}
	say_goodbye(&s);
	serve(&t);
	ck_assert(bytes_equal(file_4f05(&t), hex("0909090909")));
	stop(&t);
}
END_TEST

/* Who has not the key gets nothing; nor does a peer that has it get at what is not its domain's. */
START_TEST(strangers)
{
	struct terminal t;
	struct server s;
	struct admin_trigger trigger = standard_trigger();
	static const char *const bad[] = {
		"HTTP/1.0 200 OK\r\n" ETSI "Content-Length: 2\r\n\r\n",
		OK_HEAD "Content-Type: text/html\r\nContent-Length: 2\r\n\r\n",
		OK_HEAD "Content-Length: 2\r\n\r\n",
		OK_HEAD ETSI "Content-Length: 2\r\nContent-Length: 2\r\n\r\n",
		OK_HEAD ETSI "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
		OK_HEAD ETSI "Content-Length: 99999\r\n\r\n",
		OK_HEAD ETSI "Content-Length: -1\r\n\r\n",
		OK_HEAD ETSI "no colon\r\nContent-Length: 2\r\n\r\n",
		OK_HEAD ETSI "X-Admin-Targeted-Application: //aid/B0\r\nContent-Length: 2\r\n\r\n",
		OK_HEAD ETSI NEXT "Content-Length: 2\r\n\r\n",
		"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 500 Sorry\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 200 OK\nContent-Length: 2\n\n",
	};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		start(&t, &s, NULL);
		trigger.retries = 0;
		ck_assert_uint_eq(call(&t, 1, &trigger), 0x9000);
		serve(&t);
		server_say(&s, bad[i], hex("AA00"));
		serve(&t);
		ck_assert_msg(!t.open && s.len == 0, "%s", bad[i]);
		stop(&t);
	}
	/* another key, another identity */
	for (int i = 0; i < 2; i++) {
		start(&t, &s, NULL);
		if (i == 0)
			s.key = hex("00000000000000000000000000000000");
		else
			trigger.identity = BYTES_STR("somebody");
		ck_assert_uint_eq(call(&t, 1, &trigger), 0x9000);
		serve(&t);
		ck_assert_uint_eq(s.len, 0);
		ck_assert(!t.open || !SSL_is_init_finished(s.ssl));
		stop(&t);
	}
}
END_TEST

#define SSD                                                                                                                    \
	"{\"keys\": {\"domains\": [{\"aid\": \"F04649524501\", \"tar\": \"F1F1F1\", \"sovereign\": true,"                      \
	" \"enc\": \"E0E0E0E0E0E0E0E0E0E0E0E0E0E0E0E0\", \"mac\": \"E1E1E1E1E1E1E1E1E1E1E1E1E1E1E1E1\","                       \
	" \"dek\": \"E2E2E2E2E2E2E2E2E2E2E2E2E2E2E2E2\", \"kic\": \"E3E3E3E3E3E3E3E3E3E3E3E3E3E3E3E3\","                       \
	" \"kid\": \"E4E4E4E4E4E4E4E4E4E4E4E4E4E4E4E4\", \"psk\": \"E5E5E5E5E5E5E5E5E5E5E5E5E5E5E5E5\"}]}}"

/* Targets: the session's own domain, and nothing else. */
START_TEST(targets)
{
	static const struct {
		const char *target, *status;
	} rows[] = {
		{ "", "ok" },
		{ TARGET_UICC, "ok" },
		{ "X-Admin-Targeted-Application: //aid/A000000009/0005FFFFFFFF89F1F1F100\r\n", "security-error" },
		{ "X-Admin-Targeted-Application: //aid/F046495245/01\r\n", "security-error" },
		{ "X-Admin-Targeted-Application: //aid/A000000009/0005FFFFFFFF89ABCDEF00\r\n", "unknown-application" },
		{ "X-Admin-Targeted-Application: //aid/F046495245/99\r\n", "unknown-application" },
		{ "X-Admin-Targeted-Application: //aid/A000000087/1002FFFFFFFF8907090000\r\n", "not-a-security-domain" },
	};
	struct terminal t;
	struct server s;
	struct admin_trigger trigger = standard_trigger();

	start(&t, &s, SSD);
	ck_assert_uint_eq(call(&t, 1, &trigger), 0x9000);
	serve(&t);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char head[512], line[64];

		(void)snprintf(head, sizeof head, OK_HEAD GP "%s", rows[i].target);
		(void)snprintf(line, sizeof line, "X-Admin-Script-Status: %s\r\n", rows[i].status);
		say_script(&s, head,
		        "AA092207"
		        "80F24002024F00");
		serve(&t);
		ck_assert_msg(server_has_request(&s) && request_has(&s, line), "%zu: %s", i, s.request);
	}
	stop(&t);
	/* The fire brigade's key opens a session for its domain, and reaches its domain only. */
	start(&t, &s, SSD);
	s.key = hex("E5E5E5E5E5E5E5E5E5E5E5E5E5E5E5E5");
	ck_assert_uint_eq(call(&t, 1, &trigger), 0x9000); /* by the issuer: with the issuer's key */
	serve(&t);
	ck_assert_uint_eq(s.len, 0);
	trigger.kvn = 0x41;
	stop(&t);
	start(&t, &s, SSD);
	ck_assert_uint_eq(call(&t, 1, &trigger), 0x6A88); /* no such key */
	stop(&t);
}
END_TEST

/* PUT KEY of type 85 over the air; then the new key version is the one that the server must have. */
START_TEST(a_new_key)
{
	struct terminal t;
	struct server s;
	struct admin_trigger trigger = standard_trigger();
	struct secret key = { 0 };
	uint8_t raw[100], script_raw[120];
	struct buf b = BUF_OF(raw), script = BUF_OF(script_raw);
	struct bytes dek;
	char text[300];

	start(&t, &s, NULL);
	ck_assert_int_eq(tlv_find(t.r->secrets, BIRTH_ISD_DEK, &dek), OK);
	ck_assert_int_eq(secret_set(&key, hex("77777777777777777777777777777777"
	                                      "88888888888888888888888888888888")),
	        OK);
	buf_put_u8(&b, 0x42);
	ck_assert_int_eq(gp_psk_put(dek, &key, &b), OK);
	buf_put(&script, hex("80D80001"));
	buf_put_u8(&script, (uint8_t)b.len);
	buf_put(&script, buf_bytes(&b));
	ck_assert_uint_eq(send_packet(&t, 1, hex_encode(buf_bytes(&script), text)), 0x9000);
	trigger.kvn = 0x42;
	s.key = secret_bytes(&key);
	ck_assert_uint_eq(call(&t, 2, &trigger), 0x9000);
	serve(&t);
	ck_assert(server_has_request(&s));
	stop(&t);
}
END_TEST

/* What the card did is durable before the server hears of it: if it cannot be, the server hears nothing. */
START_TEST(power_cuts)
{
	for (int cut = 0; cut < 2; cut++) {
		struct terminal t;
		struct server s;
		struct admin_trigger trigger = standard_trigger();

		trigger.retries = 0;
		start(&t, &s, NULL);
		ck_assert_uint_eq(call(&t, 1, &trigger), 0x9000);
		serve(&t);
		say_script(&s, OK_HEAD ETSI TARGET_PROSE_FILES, SCRIPT);
		t.r->store.writes = 0;
		t.r->store.cut_after = cut;
		serve(&t);
		if (cut == 0) {
			t.r->store.cut_after = -1;
			t.sw = rig_send(t.r, "80F2000C00");
			serve(&t);
		}
		ck_assert_uint_eq(s.len > 0, cut > 0);
		t.r->store.cut_after = -1;
		rig_reboot(t.r);
		ck_assert(bytes_equal(file_4f05(&t), hex("0102030405")) == (cut > 0));
		stop(&t);
	}
}
END_TEST

/* No channel, a lost one, a reset: tried again as often as the trigger says, then no more. */
START_TEST(lost_links)
{
	struct terminal t;
	struct server s;
	struct admin_trigger trigger = standard_trigger();

	start(&t, &s, NULL);
	t.refuse_channel = true;
	ck_assert_uint_eq(call(&t, 1, &trigger), 0x9000);
	serve(&t);
	ck_assert_uint_eq(t.opened, 1);
	ck_assert_uint_eq(t.timers, 1);
	t.refuse_channel = false;
	envelope(&t, "D70C"
	             "82028281"
	             "A40108"
	             "A503000000");
	serve(&t);
	ck_assert_uint_eq(t.opened, 2);
	ck_assert(server_has_request(&s));
	t.lost = true; /* while the answer is on its way */
	say_script(&s, OK_HEAD ETSI TARGET_PROSE_FILES, SCRIPT);
	serve(&t);
	ck_assert(!t.open);
	ck_assert_uint_eq(t.timers, 1); /* it was the last try */
	t.lost = false;
	server_stop(&s);
	server_start(&s, psk_of(t.r));
	ck_assert_uint_eq(call(&t, 2, &trigger), 0x9000);
	serve(&t);
	t.open = false; /* the link goes while nobody speaks */
	envelope(&t, "D60B"
	             "99010A"
	             "82028281"
	             "B8020105");
	serve(&t);
	ck_assert_uint_eq(t.timers, 2);
	rig_reboot(t.r);
	ck_assert_uint_eq(rig_send(t.r, TERMINAL_PROFILE), 0x9000); /* nothing is left of it */
	stop(&t);
}
END_TEST

/* Triggers that cannot be. */
START_TEST(triggers)
{
	static const char *const bad[] = { "81", "8100",
		"810283"
		"00",
		"8125"
		"8323"
		"8400"
		"8506"
		"0141"
		"024001"
		"8916"
		"8A016F"
		"8C112F"
		"20202020202020202020202020202020" };
	struct terminal t;
	struct server s;
	struct admin_trigger trigger = standard_trigger(), parsed;
	uint8_t raw[500];
	struct buf b = BUF_OF(raw);
	char text[1024];

	start(&t, &s, NULL);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		ck_assert_uint_eq(send_packet(&t, i + 1, bad[i]), 0x6A80);
	admin_trigger_put(&b, &trigger);
	ck_assert_int_eq(admin_trigger_parse(buf_bytes(&b), &parsed), OK);
	ck_assert_uint_eq(parsed.delay, 75);
	ck_assert_uint_eq(parsed.retries, 1);
	ck_assert(bytes_equal(parsed.uri, trigger.uri) && bytes_equal(parsed.host, trigger.host));
	for (size_t n = 0; n < b.len; n++) /* no beginning of it is one */
		ck_assert_int_ne(admin_trigger_parse(exact_copy((struct bytes){ raw, n }), &parsed), OK);
	trigger.uri = BYTES_STR("/a b");
	(void)trigger_hex(&trigger, text);
	ck_assert_uint_eq(send_packet(&t, 20, text), 0x6A80);
	trigger.uri = BYTES_STR("/a\r\nX-Evil:1");
	(void)trigger_hex(&trigger, text);
	ck_assert_uint_eq(send_packet(&t, 21, text), 0x6A80);
	stop(&t);
}
END_TEST

Suite *suite_agent(void)
{
	Suite *s = suite_create("agent");
	TCase *t = tcase_create("agent");

	tcase_add_test(t, a_session);
	tcase_add_test(t, a_long_script);
	tcase_add_test(t, strangers);
	tcase_add_test(t, targets);
	tcase_add_test(t, a_new_key);
	tcase_add_test(t, power_cuts);
	tcase_add_test(t, lost_links);
	tcase_add_test(t, triggers);
	suite_add_tcase(s, t);
	return s;
}
