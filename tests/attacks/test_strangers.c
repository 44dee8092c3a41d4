/* SPDX-License-Identifier: Apache-2.0 */
/* What who has proved nothing makes a server or a card keep: bootstrapping challenges and sequence numbers, and counters of
 * secure channels. The subscriber and the administrator go on meanwhile. */
#include <arpa/inet.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/queue.h>

#include "apdu/base/hex.h"
#include "apdu/birth.h"
#include "apdu/gba.h"
#include "apdu/tlv.h"
#include "crypto/guarded/aka.h"
#include "crypto/network/http_digest.h"
#include "ota/gp_key.h"
#include "provisioning/db/sql.h"
#include "provisioning/gba/bsf.h"
#include "provisioning/services/group_service.h"
#include "tests/support/operator.h"
#include "tests/support/scp.h"

#define BSF "bsf.example.org"
#define IMSI "001010000000001"
#define IMPI IMSI "@ims.mnc001.mcc001.3gppnetwork.org"
#define SELECT_ISD "00A4040C08A000000151000000"
enum { FLOOD = 1000, LIFETIME = 86400, RATE = BSF_VECTORS_PER_SECOND * LIMIT_BURST_SECONDS };

static struct bsf bsf;
static struct rig *card;
static const char *impi; /* whose challenges are answered, and with how long a RES */
static uint8_t res_len;

static void open_bsf(void)
{
	open_operator();
	card = known_card();
	impi = IMPI;
	res_len = 8;
	bsf = (struct bsf){ .db = db, .name = BSF, .lifetime = LIFETIME };
}

static void close_bsf(void)
{
	limit_free(&bsf.vectors);
	rig_free(&card);
	close_operator();
}

static struct bytes secret_of(uint32_t tag)
{
	struct bytes v;

	ck_assert_int_eq(tlv_find(card->secrets, tag, &v), OK);
	return v;
}

static uint64_t number(const char *question)
{
	struct sql_rows *r = sql_query(db_sql(db), question, "");
	uint64_t n = sql_row(r) ? sql_int(r, 0) : 0;

	ck_assert_int_eq(sql_done(r), OK);
	return n;
}

static uint64_t rows(void)
{
	return number("SELECT COUNT(*) FROM gba");
}

/* Steps of SEQ. */
static uint64_t steps(void)
{
	return number("SELECT sqn/32 FROM hss");
}

/* One request from 192.0.2.x with this Authorization; what was answered. */
static unsigned ask(uint64_t now, uint32_t x, const char *authorization, struct http_digest *challenge)
{
	struct sockaddr_in from = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0xC0000200U + x) };
	struct http_reply r = { 0 };
	struct evkeyvalq headers;
	struct http_request q = { .method = "GET", .path = "/", .headers = &headers, .from = (const struct sockaddr *)&from };

	TAILQ_INIT(&headers);
	ck_assert_int_eq(evhttp_add_header(&headers, "Authorization", authorization), 0);
	bsf_request(&bsf, now, &q, &r);
	evhttp_clear_headers(&headers);
	for (size_t i = 0; i < r.headers; i++)
		if (strcmp(r.name[i], "WWW-Authenticate") == 0)
			ck_assert_int_eq(http_digest_parse(r.value[i], challenge), OK);
	return r.status;
}

static unsigned begin(uint64_t now, uint32_t x, const char *name, struct http_digest *challenge)
{
	char text[300];

	(void)snprintf(
	        text, sizeof text, "Digest username=\"%s\", realm=\"" BSF "\", nonce=\"\", uri=\"/\", response=\"\"", name);
	return ask(now, x, text, challenge);
}

static void split(const struct http_digest *challenge, uint8_t raw[static 48])
{
	struct buf b = { raw, 0, 48, false };

	ck_assert_int_eq(base64_decode(bytes_str(challenge->nonce), &b), OK);
	ck_assert_uint_eq(b.len, RAND_LEN + AUTN_LEN);
}

/* What the subscriber says to a challenge, or with `wrong` who guesses; auts: instead of RES. */
static unsigned answer(
        uint64_t now, uint32_t x, const struct http_digest *challenge, bool wrong, const char *auts, struct http_digest *next)
{
	struct http_digest d = *challenge;
	struct aka_subscriber s;
	struct aka_keys keys;
	uint8_t raw[48];
	char text[700], response[DIGEST_RESPONSE_LEN];

	split(challenge, raw);
	rig_subscriber(card, &s);
	s.res_len = res_len;
	ck_assert_int_eq(aka_f2345(&s, raw, &keys), OK);
	keys.res[0] ^= wrong ? 1 : 0;
	(void)snprintf(d.username, sizeof d.username, "%s", impi);
	(void)snprintf(d.uri, sizeof d.uri, "/");
	(void)snprintf(d.qop, sizeof d.qop, "auth-int");
	(void)snprintf(d.nc, sizeof d.nc, "00000001");
	(void)snprintf(d.cnonce, sizeof d.cnonce, "c");
	ck_assert_int_eq(
	        http_digest_response(&d, (struct bytes){ keys.res, s.res_len }, "GET", (struct bytes){ 0 }, response), OK);
	(void)snprintf(text, sizeof text,
	        "Digest username=\"%s\", realm=\"" BSF "\", nonce=\"%s\", uri=\"/\", qop=auth-int, nc=00000001, cnonce=\"c\", "
	        "response=\"%s\"%s%s%s",
	        d.username, d.nonce, response, auts != NULL ? ", auts=\"" : "", auts != NULL ? auts : "",
	        auts != NULL ? "\"" : "");
	return ask(now, x, text, next);
}

static unsigned bootstrap(uint64_t now, uint32_t x)
{
	struct http_digest c = { 0 };
	unsigned status = begin(now, x, impi, &c);

	return status == 401 ? answer(now, x, &c, false, NULL, &c) : status;
}

static const char *name_of(unsigned i)
{
	static char name[100];

	(void)snprintf(name, sizeof name, IMSI "@stranger%u.example.org", i);
	return name;
}

/* However often strangers ask for a subscriber, by whatever name, and guess: a row and an SQN in minutes; the subscriber
 * bootstraps before, between and after. */
START_TEST(strangers_who_name_a_subscriber)
{
	struct http_digest c = { 0 };
	char whose[100];
	unsigned wrong = 0;

	ck_assert_uint_eq(bootstrap(NOW, 1), 200);
	for (unsigned i = 0; i < FLOOD; i++) {
		ck_assert_uint_eq(begin(NOW, 2 + i % 50, name_of(i), &c), 401);
		ck_assert_uint_eq(answer(NOW, 2 + i % 50, &c, true, NULL, &c), 403);
		wrong += answer(NOW, 2 + i % 50, &c, false, "AAAAAAAAAAAAAAAAAAA=", &c) == 403 ? 1 : 0;
		if (i == FLOOD / 2)
			ck_assert_uint_eq(bootstrap(NOW, 1), 200);
	}
	ck_assert_uint_eq(wrong, FLOOD);
	ck_assert_uint_eq(bootstrap(NOW, 1), 200);
	ck_assert_int_eq(db_gba_impi(db, IMSI, whose), OK); /* not what the stranger called the subscriber */
	ck_assert_str_eq(whose, IMPI);
	/* Each bootstrapping used one up; one more was made after the second. */
	ck_assert_uint_le(rows(), 4);
	ck_assert_uint_le(steps(), 5);
	/* It waits for minutes, not for the life of a bootstrapping: with the next request it is gone. */
	ck_assert_uint_eq(begin(NOW + 1, 2, IMPI, &c), 401);
	ck_assert_uint_eq(answer(NOW + BSF_CHALLENGE_SECONDS + 2, 2, &c, false, NULL, &c), 401);
	ck_assert_uint_eq(number("SELECT COUNT(*) FROM gba WHERE confirmed=1"), 3);
	ck_assert_uint_le(rows(), 4);
	/* And what was confirmed lives as long as it should. */
	ck_assert_uint_eq(begin(NOW + LIFETIME, 2, IMPI, &c), 401);
	ck_assert_uint_eq(number("SELECT COUNT(*) FROM gba WHERE confirmed=1"), 3);
	ck_assert_uint_eq(begin(NOW + LIFETIME + 1, 2, IMPI, &c), 401);
	ck_assert_uint_eq(number("SELECT COUNT(*) FROM gba WHERE confirmed=1"), 0);
}
END_TEST

/* A day of a stranger's, a request each second: an SQN in four minutes at most. */
START_TEST(strangers_who_do_not_stop)
{
	struct http_digest c = { 0 };
	const unsigned seconds = 20000;

	for (unsigned t = 0; t < seconds; t++) {
		ck_assert_uint_eq(begin(NOW + t, 2, IMPI, &c), 401);
		ck_assert_uint_le(rows(), 2);
	}
	ck_assert_uint_le(steps(), 2 + seconds / (BSF_CHALLENGE_SECONDS - BSF_ANSWER_SECONDS));
	ck_assert_uint_eq(bootstrap(NOW + seconds, 1), 200);
}
END_TEST

/* It is given again while there is a minute to answer it, whoever asks; and is good until it ends. */
START_TEST(a_challenge_is_given_again)
{
	const uint64_t last = NOW + BSF_CHALLENGE_SECONDS - BSF_ANSWER_SECONDS;
	struct http_digest first = { 0 }, again = { 0 }, next = { 0 };

	ck_assert_uint_eq(begin(NOW, 2, IMPI, &first), 401);
	ck_assert_uint_eq(begin(last, 1, IMPI, &again), 401);
	ck_assert_str_eq(first.nonce, again.nonce);
	ck_assert_uint_eq(begin(last + 1, 2, IMPI, &next), 401);
	ck_assert_str_ne(first.nonce, next.nonce);
	ck_assert_uint_eq(answer(NOW + BSF_CHALLENGE_SECONDS, 1, &first, false, NULL, &again), 200);
	ck_assert_uint_eq(answer(NOW + BSF_CHALLENGE_SECONDS, 1, &first, false, NULL, &again), 401); /* once */
}
END_TEST

/* A subscriber who answers as somebody else, whose keys that would give: not accepted, and nobody's name changes. */
START_TEST(an_answer_in_anothers_name)
{
	struct http_digest c = { 0 }, next = { 0 };
	char whose[100];

	ck_assert_uint_eq(begin(NOW, 1, IMPI, &c), 401);
	impi = "001010000000777@ims.mnc001.mcc001.3gppnetwork.org";
	ck_assert_uint_eq(answer(NOW, 1, &c, false, NULL, &next), 403);
	ck_assert_int_eq(db_gba_impi(db, IMSI, whose), ERR_NOT_FOUND);
	impi = IMPI;
	ck_assert_uint_eq(answer(NOW, 1, &c, false, NULL, &next), 200);
}
END_TEST

/* A RES that can be guessed takes one answer; a few of them, and for minutes there are no more. */
START_TEST(a_res_that_can_be_guessed)
{
	struct db_card other = { .iccid = "8900101000100000009", .imsi = "001010000000777" };
	const uint8_t lengths[4] = { MAC_LEN, 7, 16, 16 };
	uint8_t raw[40], secrets[300];
	struct buf parameters = BUF_OF(raw), all = BUF_OF(secrets);
	struct http_digest c = { 0 };

	tlv_put(&parameters, AKA_TAG_LENGTHS, BYTES_OF(lengths));
	tlv_put(&all, BIRTH_K, secret_of(BIRTH_K));
	tlv_put(&all, BIRTH_OPC, secret_of(BIRTH_OPC));
	tlv_put(&all, BIRTH_AKA, buf_bytes(&parameters));
	ck_assert_int_eq(bcd_encode(other.iccid, other.card_id, sizeof other.card_id), OK);
	ck_assert_int_eq(db_card_add(db, &other, buf_bytes(&all)), OK);
	impi = "001010000000777@x";
	res_len = lengths[1];
	for (int i = 0; i < BSF_CHALLENGES_MAX; i++) {
		ck_assert_uint_eq(begin(NOW, 2, impi, &c), 401);
		ck_assert_uint_eq(answer(NOW, 2, &c, true, NULL, &c), 403);
	}
	ck_assert_uint_eq(answer(NOW, 2, &c, false, NULL, &c), 429); /* not even the right answer now */
	ck_assert_uint_eq(bootstrap(NOW + BSF_CHALLENGE_SECONDS, 1), 429);
	ck_assert_uint_eq(bootstrap(NOW + BSF_CHALLENGE_SECONDS + 1, 1), 200);
	ck_assert_uint_eq(steps(), BSF_CHALLENGES_MAX + 1);
}
END_TEST

/* The card is ahead: its AUTS brings a vector of its own at once, and only once. */
START_TEST(a_card_that_is_ahead)
{
	struct http_digest c = { 0 }, next = { 0 }, again = { 0 };
	struct aka_subscriber s;
	uint8_t raw[48], auts[14];
	char text[40];
	struct buf b = { (uint8_t *)text, 0, sizeof text - 1, false };
	const uint8_t ahead[SQN_LEN] = { 0, 0, 0, 1, 0, 0 };

	ck_assert_uint_eq(begin(NOW, 1, IMPI, &c), 401);
	split(&c, raw);
	rig_subscriber(card, &s);
	ck_assert_int_eq(aka_auts_build(&s, raw, ahead, auts), OK);
	base64_encode(BYTES_OF(auts), &b);
	text[b.len] = 0;
	ck_assert_uint_eq(answer(NOW, 1, &c, false, text, &next), 401);
	ck_assert_str_ne(c.nonce, next.nonce);
	ck_assert_uint_eq(steps(), 0x10000 / 32 + 1);
	ck_assert_uint_eq(answer(NOW, 1, &c, false, text, &again), 401); /* what was used up brings what is pending */
	ck_assert_str_eq(next.nonce, again.nonce);
	ck_assert_uint_eq(answer(NOW, 1, &next, false, NULL, &again), 200);
}
END_TEST

static void many_subscribers(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct db_card c = { 0 };

		(void)snprintf(c.iccid, sizeof c.iccid, "89001010001%08u", i % 100000000);
		(void)snprintf(c.imsi, sizeof c.imsi, "00101%010u", 5000 + i);
		ck_assert_int_eq(bcd_encode(c.iccid, c.card_id, sizeof c.card_id), OK);
		ck_assert_int_eq(db_card_add(db, &c, card->secrets), OK);
	}
}

static unsigned begin_of(uint64_t now, uint32_t x, unsigned subscriber)
{
	struct http_digest c = { 0 };
	char name[40];

	(void)snprintf(name, sizeof name, "00101%010u@x", 5000 + subscriber);
	return begin(now, x, name, &c);
}

/* One source that names many subscribers has its rate; another is not touched, nor is who asks for what is pending. */
START_TEST(a_source_that_names_many)
{
	const unsigned many = 3 * RATE;
	unsigned given = 0;

	bsf.vectors = limit_new(BSF_VECTORS_PER_SECOND);
	many_subscribers(many);
	for (unsigned i = 0; i < many; i++)
		given += begin_of(NOW, 2, i) == 401 ? 1 : 0;
	ck_assert_uint_eq(given, RATE);
	ck_assert_uint_eq(rows(), RATE);
	ck_assert_uint_eq(begin_of(NOW, 2, many - 1), 429);
	ck_assert_uint_eq(begin_of(NOW, 2, 0), 401);
	ck_assert_uint_eq(bootstrap(NOW, 1), 200);
	ck_assert_uint_eq(rows(), RATE + 1);
}
END_TEST

/* All together have a number, and the oldest go. */
START_TEST(all_together_have_a_number)
{
	struct db_gba g = { .imsi = IMSI, .impi = IMPI };
	char btid[40];

	ck_assert_int_eq(db_begin(db), OK);
	for (unsigned i = 0; i < BSF_CHALLENGES_TOTAL; i++) {
		(void)snprintf(btid, sizeof btid, "%u@" BSF, i);
		(void)snprintf(g.imsi, sizeof g.imsi, "00101%010u", i);
		g.expires = NOW + 1 + (uint64_t)(i * BSF_CHALLENGE_SECONDS / BSF_CHALLENGES_TOTAL);
		ck_assert_int_eq(db_gba_put(db, btid, &g, BYTES_STR("keys")), OK);
	}
	ck_assert_int_eq(db_gba_confirm(db, "1@" BSF, IMPI, NOW + 2), OK); /* who has proved it is not counted */
	ck_assert_int_eq(db_commit(db), OK);
	ck_assert_uint_eq(bootstrap(NOW, 1), 200);
	ck_assert_uint_eq(number("SELECT COUNT(*) FROM gba WHERE confirmed=0"), BSF_CHALLENGES_TOTAL - 1);
	(void)!begin_of(NOW, 2, 0);
	many_subscribers(2);
	ck_assert_uint_eq(begin_of(NOW, 2, 0), 401);
	ck_assert_uint_eq(number("SELECT COUNT(*) FROM gba WHERE confirmed=0"), BSF_CHALLENGES_TOTAL);
	ck_assert_uint_eq(begin_of(NOW, 2, 1), 401);
	ck_assert_uint_eq(number("SELECT COUNT(*) FROM gba WHERE confirmed=0"), BSF_CHALLENGES_TOTAL);
	ck_assert_uint_eq(number("SELECT COUNT(*) FROM gba WHERE btid='0@" BSF "'"), 0);
	ck_assert_uint_eq(number("SELECT COUNT(*) FROM gba WHERE btid='2@" BSF "'"), 1);
}
END_TEST

/* Challenges of a server of before, that live for a month: gone with the first request. */
START_TEST(challenges_of_before)
{
	struct db_gba g = { .imsi = IMSI, .impi = IMPI, .expires = NOW + 30 * LIFETIME };

	ck_assert_int_eq(db_gba_put(db, "old@" BSF, &g, BYTES_STR("keys")), OK);
	ck_assert_int_eq(db_gba_put(db, "good@" BSF, &g, BYTES_STR("keys")), OK);
	ck_assert_int_eq(db_gba_confirm(db, "good@" BSF, IMPI, g.expires), OK);
	ck_assert_uint_eq(bootstrap(NOW, 1), 200);
	ck_assert_uint_eq(rows(), 2);
	ck_assert_uint_eq(number("SELECT COUNT(*) FROM gba WHERE btid='good@" BSF "'"), 1);
}
END_TEST

/* ---- HTTP Digest under Ks_NAF --- */
#define NAF "naf.example.org"
#define REALM UA_DIGEST_REALM NAF

static char btid[BTID_MAX];

static unsigned ask_naf(uint64_t now, const char *authorization, bool again, struct http_digest *challenge)
{
	struct http_reply r = { .status = 200 };
	char header[UA_DIGEST_HEADER];
	struct evkeyvalq headers;
	struct http_request q = { .method = "GET", .path = "/", .headers = &headers, .again = again };
	struct naf_user u;
	enum status st;

	TAILQ_INIT(&headers);
	if (authorization != NULL)
		ck_assert_int_eq(evhttp_add_header(&headers, "Authorization", authorization), 0);
	st = ua_digest(db, now, NAF, &q, &r, header, &u);
	evhttp_clear_headers(&headers);
	if (st == OK)
		return 200;
	ck_assert_int_eq(http_digest_parse(r.value[0], challenge), OK);
	return r.status;
}

/* As the phone says it, with this count. */
static const char *proof(const struct http_digest *challenge, const char *nc)
{
	static char text[900];
	char response[DIGEST_RESPONSE_LEN], password[80];
	struct buf b = { (uint8_t *)password, 0, sizeof password - 1, false };
	struct http_digest d = *challenge;
	struct secret key = { 0 };
	uint8_t raw[NAF_ID_MAX];
	struct buf naf_id = BUF_OF(raw);
	struct naf_user u;

	ck_assert_int_eq(naf_id_of(NAF, UA_DIGEST_PROTOCOL, &naf_id), OK);
	ck_assert_int_eq(naf_lookup(db, NOW, btid, GBA_ME, buf_bytes(&naf_id), &u, &key), OK);
	base64_encode(secret_bytes(&key), &b);
	(void)snprintf(d.username, sizeof d.username, "%s", btid);
	(void)snprintf(d.uri, sizeof d.uri, "/");
	(void)snprintf(d.qop, sizeof d.qop, "auth");
	(void)snprintf(d.nc, sizeof d.nc, "%s", nc);
	(void)snprintf(d.cnonce, sizeof d.cnonce, "c");
	ck_assert_int_eq(http_digest_response(&d, buf_bytes(&b), "GET", (struct bytes){ 0 }, response), OK);
	(void)snprintf(text, sizeof text,
	        "Digest username=\"%s\", realm=\"%s\", nonce=\"%s\", uri=\"/\", qop=auth, nc=%s, cnonce=\"c\", response=\"%s\"",
	        btid, d.realm, d.nonce, nc, response);
	return text;
}

static void bootstrapped(void)
{
	struct sql_rows *r;

	ck_assert_uint_eq(bootstrap(NOW, 1), 200);
	r = sql_query(db_sql(db), "SELECT btid FROM gba WHERE confirmed=1", "");
	ck_assert(sql_row(r));
	sql_text(r, 0, btid, sizeof btid);
	ck_assert_int_eq(sql_done(r), OK);
}

/* A request that somebody has seen, sent again: refused; counts grow (RFC 7616 3.4.1), and each nonce has its own. */
START_TEST(a_proof_is_good_once)
{
	static const char *const bad[] = { "00000000", "", "1", "0000000g", "000000010" };
	struct http_digest c = { 0 }, other = { 0 }, d = { 0 };

	bootstrapped();
	ck_assert_uint_eq(ask_naf(NOW, NULL, false, &c), 401);
	ck_assert_uint_eq(ask_naf(NOW, NULL, false, &other), 401);
	ck_assert_str_ne(c.nonce, other.nonce);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		ck_assert_uint_eq(ask_naf(NOW, proof(&c, bad[i]), false, &d), 401);
	ck_assert_uint_eq(ask_naf(NOW, proof(&c, "00000001"), false, &d), 200);
	ck_assert_uint_eq(ask_naf(NOW, proof(&c, "00000001"), true, &d), 200); /* the server's own second look */
	ck_assert_uint_eq(ask_naf(NOW, proof(&c, "00000001"), false, &d), 401);
	ck_assert_str_ne(c.nonce, d.nonce);
	ck_assert_uint_eq(ask_naf(NOW, proof(&c, "0000000A"), false, &d), 200);
	ck_assert_uint_eq(ask_naf(NOW, proof(&c, "00000009"), false, &d), 401);
	ck_assert_uint_eq(ask_naf(NOW + 299, proof(&c, "0000000B"), false, &d), 200);
	ck_assert_uint_eq(ask_naf(NOW + 300, proof(&c, "0000000C"), false, &d), 401);
	ck_assert_uint_eq(ask_naf(NOW, proof(&other, "00000001"), false, &d), 200);
}
END_TEST

/* The table of used nonces is full: what it has forgotten is refused, not good again. */
START_TEST(a_full_table_forgets_no_proof)
{
	enum { FULL = 4096 };
	struct http_digest first = { 0 }, unused = { 0 }, c = { 0 }, d = { 0 };

	bootstrapped();
	ck_assert_uint_eq(ask_naf(NOW, NULL, false, &first), 401);
	ck_assert_uint_eq(ask_naf(NOW, NULL, false, &unused), 401);
	ck_assert_uint_eq(ask_naf(NOW, proof(&first, "00000001"), false, &d), 200);
	for (unsigned i = 0; i < FULL; i++) {
		ck_assert_uint_eq(ask_naf(NOW + 1 + i / 100, NULL, false, &c), 401);
		ck_assert_uint_eq(ask_naf(NOW + 1 + i / 100, proof(&c, "00000001"), false, &d), 200);
	}
	ck_assert_uint_eq(ask_naf(NOW + 50, proof(&first, "00000001"), false, &d), 401);
	ck_assert_uint_eq(ask_naf(NOW + 50, proof(&unused, "00000001"), false, &d), 401);
	ck_assert_uint_eq(ask_naf(NOW + 50, proof(&d, "00000001"), false, &d), 200);
}
END_TEST

/* ---- secure channels ------------------------------------------------------------------------------------------------ */

static struct scp03 session;

static struct scp03_keys issuer_keys(void)
{
	return (struct scp03_keys){ secret_of(BIRTH_ISD_ENC), secret_of(BIRTH_ISD_MAC) };
}

static unsigned open_channel(void)
{
	const struct scp03_keys k = issuer_keys();

	return scp_authenticate(card, SELECT_ISD, &session, &k, 0x03);
}

/* The issuer's domain counts its challenges, as cards of before do. */
static void counts_from(uint32_t n)
{
	uint8_t raw[3] = { (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n };

	ck_assert_int_eq(
	        applet_put_now(applet_named(&card->card, hex("A000000151000000")), BYTES_STR("seq"), BYTES_OF(raw)), OK);
}

static unsigned initialize_update(void)
{
	ck_assert_uint_eq(rig_send(card, SELECT_ISD), 0x9000);
	return rig_send(card, "8050000008010203040506070800");
}

/* New cards: nothing is written, no two challenges are alike, and i says random. */
START_TEST(random_challenges_keep_nothing)
{
	uint8_t last[8] = { 0 };
	const long writes = card->store.writes;

	for (int i = 0; i < FLOOD; i++) {
		ck_assert_uint_eq(initialize_update(), 0x9000);
		ck_assert_uint_eq(rig_data().n, 29);
		ck_assert(bytes_equal((struct bytes){ rig_data().p + 10, 3 }, hex("300360")));
		ck_assert_mem_ne(rig_data().p + 13, last, sizeof last);
		memcpy(last, rig_data().p + 13, sizeof last);
		ck_assert_uint_eq(rig_send(card, "84820100101122334455667788112233445566778800"), 0x6982);
	}
	ck_assert_int_eq(card->store.writes, writes);
	ck_assert_uint_eq(open_channel(), 0x9000);
	ck_assert_int_eq(card->store.writes, writes);
}
END_TEST

/* A card that counts: strangers do not move its counter, answered challenges do, one each, and none comes twice. */
START_TEST(counters_move_by_proof_alone)
{
	uint8_t first[8];
	struct bytes copy;

	counts_from(0xFFFFFD);
	ck_assert_uint_eq(initialize_update(), 0x9000);
	ck_assert_uint_eq(rig_data().n, 32);
	ck_assert(bytes_equal((struct bytes){ rig_data().p + 10, 3 }, hex("300370")));
	memcpy(first, rig_data().p + 13, sizeof first);
	for (int i = 0; i < FLOOD; i++) {
		ck_assert_uint_eq(initialize_update(), 0x9000);
		ck_assert(bytes_equal((struct bytes){ rig_data().p + 29, 3 }, hex("FFFFFE")));
		ck_assert_uint_eq(rig_send(card, "84820100101122334455667788112233445566778800"), 0x6982);
	}
	ck_assert_uint_eq(open_channel(), 0x9000);
	rig_reboot(card);
	ck_assert_uint_eq(initialize_update(), 0x9000);
	ck_assert(bytes_equal((struct bytes){ rig_data().p + 29, 3 }, hex("FFFFFF")));
	ck_assert_mem_ne(rig_data().p + 13, first, sizeof first);
	ck_assert_uint_eq(open_channel(), 0x9000);
	copy = exact_copy(scp_wrapped(&session, 0xF2, 0x80, 0x02, hex("4F00")));
	ck_assert_uint_eq(rig_send_bytes(card, copy), 0x9000);
	ck_assert_uint_eq(initialize_update(), 0x6985); /* all of them have been used, by who has the keys */
}
END_TEST

/* Power fails while the counter is written: no session, and the challenge is still good, or the session's is used up. */
START_TEST(counters_and_power)
{
	counts_from(6);
	card->store.writes = 0;
	card->store.cut_after = 0;
	ck_assert_uint_ne(open_channel(), 0x9000);
	ck_assert_uint_eq(rig_send_bytes(card, scp_wrapped(&session, 0xF2, 0x80, 0x02, hex("4F00"))), 0x6982);
	card->store.cut_after = -1;
	rig_reboot(card);
	ck_assert_uint_eq(initialize_update(), 0x9000);
	ck_assert(bytes_equal((struct bytes){ rig_data().p + 29, 3 }, hex("000007")));
	ck_assert_uint_eq(open_channel(), 0x9000);
}
END_TEST

static struct bytes new_keys(uint8_t kvn)
{
	static const char *const keys[] = { "C0C1C2C3C4C5C6C7C8C9CACBCCCDCECF", "D0D1D2D3D4D5D6D7D8D9DADBDCDDDEDF",
		"E0E1E2E3E4E5E6E7E8E9EAEBECEDEEEF" };
	static uint8_t raw[150];
	struct buf b = BUF_OF(raw);

	buf_put_u8(&b, kvn);
	for (int i = 0; i < 3; i++) {
		struct secret key = { 0 };

		ck_assert_int_eq(secret_set(&key, hex(keys[i])), OK);
		ck_assert_int_eq(gp_key_put(secret_of(BIRTH_ISD_DEK), &key, &b), OK);
	}
	return buf_bytes(&b);
}

static unsigned put_keys_over_the_air(uint64_t counter)
{
	struct bytes keys = new_keys(0x31);
	uint8_t raw[200];
	struct buf b = BUF_OF(raw);
	char text[2 * sizeof raw + 1];

	buf_put(&b, hex("80D83081"));
	buf_put_u8(&b, (uint8_t)keys.n);
	buf_put(&b, keys);
	return rig_send_bytes(card, rig_ota(card, counter, "000000", hex_encode(buf_bytes(&b), text)));
}

/* A card whose counter is used up: a secured packet's PUT KEY opens it again, with random challenges. */
START_TEST(put_key_begins_anew)
{
	const struct scp03_keys k = { hex("C0C1C2C3C4C5C6C7C8C9CACBCCCDCECF"), hex("D0D1D2D3D4D5D6D7D8D9DADBDCDDDEDF") };

	counts_from(0xFFFFFF);
	ck_assert_uint_eq(initialize_update(), 0x6985);
	ck_assert_uint_eq(put_keys_over_the_air(1), 0x9000);
	ck_assert_uint_eq(initialize_update(), 0x9000);
	ck_assert_uint_eq(rig_data().n, 29);
	ck_assert(bytes_equal((struct bytes){ rig_data().p + 10, 3 }, hex("310360")));
	ck_assert_uint_eq(scp_authenticate(card, SELECT_ISD, &session, &k, 0x33), 0x9000);
}
END_TEST

/* It comes between challenge and answer: the old keys open nothing, and leave no counter to the new ones. */
START_TEST(put_key_between)
{
	static const uint8_t host[SCP03_S8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	const struct scp03_keys k = issuer_keys();
	uint8_t challenge[SCP03_S8], cryptogram[SCP03_S8];
	struct bytes b;

	counts_from(3);
	ck_assert_uint_eq(initialize_update(), 0x9000);
	memcpy(challenge, rig_data().p + 13, sizeof challenge);
	ck_assert_uint_eq(put_keys_over_the_air(1), 0x9000);
	ck_assert_int_eq(scp03_open(&session, &k, host, challenge, SCP03_S8), OK);
	ck_assert_int_eq(scp03_cryptogram(&session, false, host, challenge, cryptogram), OK);
	b = scp_wrapped(&session, 0x82, 0x01, 0, BYTES_OF(cryptogram));
	b.n--;
	ck_assert_uint_eq(rig_send_bytes(card, b), 0x6985);
	ck_assert_uint_eq(rig_send_bytes(card, scp_wrapped(&session, 0xF2, 0x80, 0x02, hex("4F00"))), 0x6982);
	ck_assert_uint_eq(initialize_update(), 0x9000);
	ck_assert_uint_eq(rig_data().n, 29);
}
END_TEST

/* ---- numbers in requests ------------------------------------------------------------------------------------------------ */

static unsigned ask_outbox(const char *method, const char *path, char item[20])
{
	static struct group_service s;
	struct http_request q = { .method = method, .path = path, .identity = HTTP_CERTIFICATE ICCID_1 };
	struct http_reply r = { 0 };

	s = (struct group_service){ .db = db, .naf = "groups.example.org" };
	group_service_request(&s, NOW, &q, &r);
	if (item != NULL)
		(void)snprintf(item, 20, "%s", s.item);
	return r.status;
}

/* What is no number is no request: nothing is confirmed by it, and nobody waits for it. */
START_TEST(what_is_no_number_is_no_request)
{
	static const char *const none[] = { "", "x", "1x", " 1", "+1", "-1", "0x1", "1/", "99999999999999999999" };
	static const char *const behind[] = { "x", " ", "/", "/x", "/9c05x", "/ 9c05", "/-1", "/0x1", "/10000", "/9c05/1" };
	struct db_item i = { .at = NOW, .kind = ITEM_SEALED, .iccid = ICCID_1 };
	char item[20], path[80];
	struct rig *r = known_card();

	for (size_t n = 0; n < sizeof none / sizeof *none; n++) {
		(void)snprintf(path, sizeof path, "/outbox/v1/wait/%s", none[n]);
		ck_assert_msg(ask_outbox("GET", path, NULL) == 400, "wait \"%s\"", none[n]);
	}
	ck_assert_uint_eq(ask_outbox("GET", "/outbox/v1/wait/0", NULL), HTTP_LATER);
	ck_assert_uint_eq(ask_outbox("GET", "/outbox/v1/wait/20", NULL), HTTP_LATER);
	ck_assert_int_eq(db_outbox_add(db, &i, BYTES_STR("object")), OK);
	ck_assert_uint_eq(ask_outbox("GET", "/outbox/v1/wait/20", item), 200);
	for (size_t n = 0; n < sizeof behind / sizeof *behind; n++) {
		(void)snprintf(path, sizeof path, "/outbox/v1/done/%s%s", item, behind[n]);
		ck_assert_msg(ask_outbox("POST", path, NULL) == 400, "done \"%s\"", path);
	}
	ck_assert_uint_eq(ask_outbox("POST", "/outbox/v1/done/", NULL), 400);
	ck_assert_uint_eq(ask_outbox("POST", "/outbox/v1/done/ 1", NULL), 400);
	ck_assert_uint_eq(ask_outbox("POST", "/outbox/v1/done/12345678123456789", NULL), 400);
	ck_assert_uint_eq(ask_outbox("POST", "/outbox/v1/done/1234", NULL), 404); /* a number, and nobody's */
	ck_assert_uint_eq(ask_outbox("GET", "/outbox/v1/next", NULL), 200);
	(void)snprintf(path, sizeof path, "/outbox/v1/done/%s/9c05", item);
	ck_assert_uint_eq(ask_outbox("POST", path, NULL), 204);
	ck_assert_uint_eq(ask_outbox("GET", "/outbox/v1/next", NULL), 204);
	rig_free(&r);
}
END_TEST

TCase *tcase_strangers(void)
{
	TCase *t = tcase_create("strangers");

	tcase_add_checked_fixture(t, open_bsf, close_bsf);
	tcase_add_test(t, strangers_who_name_a_subscriber);
	tcase_add_test(t, strangers_who_do_not_stop);
	tcase_add_test(t, a_challenge_is_given_again);
	tcase_add_test(t, an_answer_in_anothers_name);
	tcase_add_test(t, a_res_that_can_be_guessed);
	tcase_add_test(t, a_card_that_is_ahead);
	tcase_add_test(t, a_source_that_names_many);
	tcase_add_test(t, all_together_have_a_number);
	tcase_add_test(t, challenges_of_before);
	tcase_add_test(t, a_proof_is_good_once);
	tcase_add_test(t, a_full_table_forgets_no_proof);
	tcase_add_test(t, random_challenges_keep_nothing);
	tcase_add_test(t, counters_move_by_proof_alone);
	tcase_add_test(t, counters_and_power);
	tcase_add_test(t, put_key_begins_anew);
	tcase_add_test(t, put_key_between);
	tcase_add_test(t, what_is_no_number_is_no_request);
	return t;
}
