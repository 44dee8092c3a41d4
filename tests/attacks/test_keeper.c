/* SPDX-License-Identifier: Apache-2.0 */
/* A server in an attacker's hands, and the keeper of the keys that it asks. */
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <pthread.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "provisioning/keeper/requests.h"
#include "provisioning/gba/bsf.h"
#include "tests/support/operator.h"

#define IMSI "001010000000001"
enum { REFUSED = ERR_DENIED, ASKED = 200 };

static struct rig *card;
static uint8_t answer_raw[1 + KEEPER_ANSWER_MAX];
static struct buf out;

static void open_desk(void)
{
	open_operator();
	card = known_card();
}

static void close_desk(void)
{
	rig_free(&card);
	close_operator();
}

/* The status of an answer; what is behind it stays in `out`. */
static unsigned asked(unsigned role, const char *name, struct bytes question, size_t n)
{
	const struct desk d = { .db = db, .now = NOW, .role = role, .name = name };

	out = BUF_OF(answer_raw);
	keeper_answer(&d, keeper_rows, question, n, &out);
	ck_assert_uint_ge(out.len, 1);
	return out.p[0];
}

static struct bytes vector_of(const char *imsi)
{
	static _Thread_local uint8_t raw[300];
	struct buf b = BUF_OF(raw);

	buf_put_u8(&b, ASK_VECTOR);
	keeper_put_text(&b, imsi);
	return buf_bytes(&b);
}

/* Each row is answered for its own roles; the number that is behind a role's rows is refused. */
START_TEST(a_role_gets_its_own_requests)
{
	static const unsigned roles[] = { KEEPER_HSS, KEEPER_BSF, KEEPER_FUNCTION, KEEPER_KMS, KEEPER_GROUP, KEEPER_OTA };
	size_t refused = 0, answered = 0;

	for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
		for (const struct keeper_request *const *q = keeper_rows; *q != NULL; q++) {
			const uint8_t number = (uint8_t)(*q)->number;
			unsigned st = asked(roles[i], NULL, (struct bytes){ &number, 1 }, 1);

			ck_assert_uint_eq(out.len, 1);
			if (((*q)->roles & roles[i]) == 0)
				ck_assert_uint_eq(st, REFUSED);
			else
				ck_assert_uint_ne(st, REFUSED);
			*(((*q)->roles & roles[i]) == 0 ? &refused : &answered) += 1;
		}
	ck_assert_uint_eq(answered, 16);
	ck_assert_uint_eq(refused, 6 * 14 - 16);
	ck_assert_uint_eq(asked(KEEPER_HSS, NULL, vector_of(IMSI), vector_of(IMSI).n), OK);
	ck_assert_uint_eq(asked(KEEPER_KMS, NULL, vector_of(IMSI), vector_of(IMSI).n), REFUSED);
}
END_TEST

/* Of a whole question, each beginning and one octet more; a row's longest, and one more; a message's, and one more. */
START_TEST(what_is_no_question)
{
	static uint8_t raw[1 + KEEPER_QUESTION_MAX];
	struct bytes whole = vector_of(IMSI);
	struct bytes shorter;

	ck_assert_uint_eq(whole.n, 1 + hss_ask_vector.max);
	memcpy(raw, whole.p, whole.n);
	for (size_t n = 0; n < whole.n; n++)
		ck_assert_uint_ne(asked(KEEPER_HSS, NULL, (struct bytes){ raw, n }, n), OK);
	ck_assert_uint_eq(asked(KEEPER_HSS, NULL, (struct bytes){ raw, whole.n + 1 }, whole.n + 1), ERR_NO_SPACE);
	ck_assert_uint_eq(asked(KEEPER_HSS, NULL, whole, whole.n), OK);
	shorter = vector_of("00101");
	ck_assert_uint_eq(asked(KEEPER_HSS, NULL, shorter, shorter.n), ERR_NOT_FOUND);
	ck_assert_uint_eq(asked(KEEPER_HSS, NULL, (struct bytes){ shorter.p, shorter.n + 1 }, shorter.n + 1), ERR_MALFORMED);
	whole = vector_of(IMSI);
	ck_assert_uint_eq(asked(KEEPER_HSS, NULL, (struct bytes){ raw, sizeof raw }, sizeof raw + 1), ERR_NO_SPACE);
	raw[0] = 200;
	ck_assert_uint_eq(asked(~0U, NULL, (struct bytes){ raw, whole.n }, whole.n), ERR_MALFORMED);
	ck_assert_uint_eq(asked(KEEPER_HSS, NULL, whole, whole.n), OK);
}
END_TEST

static enum status said_then;

static enum status answer_something(const struct desk *d, struct bytes in, struct buf *answer)
{
	(void)d, (void)in;
	buf_put(answer, BYTES_STR("something"));
	return said_then;
}

/* A vector that could not be stored as used is not given out: of a failure nothing goes back, of a refusal its sentence does.
 */
START_TEST(of_a_failure_nothing_goes_back)
{
	static const struct keeper_request row = { ASK_VECTOR, "something", KEEPER_HSS, 0, KEEPER_WRITES, answer_something };
	static const struct keeper_request *const rows[] = { &row, NULL };
	static const uint8_t number[] = { ASK_VECTOR };
	const struct desk d = { .db = db, .now = NOW, .role = KEEPER_HSS };

	for (int st = OK; st <= STATUS_LAST; st++) {
		out = BUF_OF(answer_raw);
		said_then = (enum status)st;
		keeper_answer(&d, rows, BYTES_OF(number), sizeof number, &out);
		ck_assert_uint_eq(out.p[0], (unsigned)st);
		ck_assert_uint_eq(out.len, st == OK || st == ERR_DENIED ? 1 + 9 : 1);
		ck_assert(out.len > 1 || memcmp(out.p + 1, "something", 9) != 0); /* nor does it stay */
	}
}
END_TEST

static struct bytes permissions_of(const char *iccid)
{
	static uint8_t raw[300];
	struct buf b = BUF_OF(raw);

	buf_put_u8(&b, ASK_PERMISSIONS);
	keeper_put_text(&b, iccid);
	return buf_bytes(&b);
}

START_TEST(nothing_for_a_card_that_is_lost)
{
	struct bytes q = permissions_of(ICCID_1);

	ck_assert_uint_eq(asked(KEEPER_FUNCTION, NULL, q, q.n), OK);
	ck_assert_int_eq(db_card_revoke(db, ICCID_1, NOW), OK);
	ck_assert_uint_eq(asked(KEEPER_FUNCTION, NULL, q, q.n), REFUSED);
	q = vector_of(IMSI);
	ck_assert_uint_eq(asked(KEEPER_HSS, NULL, q, q.n), REFUSED);
	ck_assert_uint_eq(out.len, 1);
}
END_TEST

/* A server gets keys of connections to itself. */
START_TEST(no_keys_in_anothers_name)
{
	uint8_t raw[300];
	struct buf b = BUF_OF(raw);

	buf_put_u8(&b, ASK_UA_KEY);
	keeper_put_text(&b, "kms.example.org");
	buf_put_u8(&b, UA_TLS_12);
	keeper_put_text(&b, "AAAA@bsf.example.org");
	ck_assert_uint_eq(asked(KEEPER_KMS, "groups.example.org", buf_bytes(&b), b.len), REFUSED);
	ck_assert_uint_eq(asked(KEEPER_KMS, "kms.example.org", buf_bytes(&b), b.len), ERR_NOT_FOUND);
}
END_TEST

static uint64_t now(void)
{
	return NOW;
}

/* Another process answers; or, dies: it ends as soon as a question has come. */
static pid_t answering(bool dies, int *fd)
{
	int ends[2];
	pid_t pid;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
	ck_assert_int_ge(pid = fork(), 0);
	if (pid == 0) {
		const struct desk d = { .db = db, .role = KEEPER_HSS };
		uint8_t octet;

		(void)close(ends[0]);
		if (dies)
			_exit((int)recv(ends[1], &octet, 1, 0));
		keeper_serve(ends[1], &d, keeper_rows, now);
		_exit(0);
	}
	(void)close(ends[1]);
	*fd = ends[0];
	return pid;
}

/* What is broken is answered, an empty message, too, and the next question after it. */
START_TEST(nothing_ends_a_keeper_but_its_server)
{
	static uint8_t raw[1 + KEEPER_QUESTION_MAX + 1] = { ASK_VECTOR };
	static const size_t lengths[] = { 0, 1, sizeof raw - 1, sizeof raw };
	int fd, status;
	pid_t pid = answering(false, &fd);

	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		ck_assert_int_eq(send(fd, raw, lengths[i], 0), (ssize_t)lengths[i]);
		ck_assert_int_eq(recv(fd, answer_raw, sizeof answer_raw, 0), 1);
		ck_assert_uint_ne(answer_raw[0], OK);
	}
	ck_assert_int_eq(send(fd, vector_of(IMSI).p, vector_of(IMSI).n, 0), (ssize_t)vector_of(IMSI).n);
	ck_assert_int_gt(recv(fd, answer_raw, sizeof answer_raw, 0), 1);
	ck_assert_uint_eq(answer_raw[0], OK);
	(void)close(fd);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(a_keeper_that_dies_in_the_middle)
{
	uint8_t raw[200];
	struct buf answer = BUF_OF(raw);
	struct bytes q = vector_of(IMSI), fields = { q.p + 1, q.n - 1 };
	int fd;
	pid_t pid = answering(true, &fd);
	struct keeper *k = keeper_new(fd);

	db_set_keeper(db, k);
	ck_assert_int_eq(keeper_ask(db, NOW, &hss_ask_vector, fields, &answer), ERR_IO);
	ck_assert_int_eq(keeper_ask(db, NOW, &hss_ask_vector, fields, &answer), ERR_IO);
	ck_assert_uint_eq(answer.len, 0);
	db_set_keeper(db, NULL);
	keeper_free(&k);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}
END_TEST

/* HTTP's status for the beginning of a bootstrapping. */
static unsigned begun(void)
{
	struct bsf bsf = { .db = db, .name = "bsf.example.org", .lifetime = 3600 };
	struct evkeyvalq headers;
	struct http_request q = { .method = "GET", .path = "/", .headers = &headers };
	struct http_reply r = { 0 };

	TAILQ_INIT(&headers);
	ck_assert_int_eq(evhttp_add_header(&headers, "Authorization",
	                         "Digest username=\"" IMSI "@ims.mnc001.mcc001.3gppnetwork.org\", realm=\"bsf.example.org\", "
	                         "nonce=\"\", uri=\"/\", response=\"\""),
	        0);
	bsf_request(&bsf, NOW, &q, &r);
	evhttp_clear_headers(&headers);
	return r.status;
}

/* The client is told to come again; it is not to blame. */
START_TEST(a_server_without_its_keeper_is_not_available)
{
	int fd;
	pid_t pid = answering(true, &fd);
	struct keeper *k = keeper_new(fd);

	ck_assert_uint_eq(begun(), 401);
	db_set_keeper(db, k);
	ck_assert_uint_eq(begun(), 503);
	db_set_keeper(db, NULL);
	ck_assert_uint_eq(begun(), 401);
	keeper_free(&k);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}
END_TEST

/* An answer that could not be read is not the next question's: it may be of another subscriber. */
START_TEST(a_late_answer_is_nobodys)
{
	int ends[2];
	struct keeper *k;
	uint8_t raw[16];
	struct buf answer = BUF_OF(raw);

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends), 0);
	k = keeper_new(ends[0]);
	db_set_keeper(db, k);
	ck_assert_int_eq(keeper_ask(db, NOW, &hss_ask_vector, (struct bytes){ 0 }, &answer), ERR_IO);
	(void)send(ends[1], "\0late", 5, MSG_NOSIGNAL);
	ck_assert_int_eq(keeper_ask(db, NOW, &hss_ask_vector, (struct bytes){ 0 }, &answer), ERR_IO);
	ck_assert_uint_eq(answer.len, 0);
	db_set_keeper(db, NULL);
	keeper_free(&k);
	(void)close(ends[1]);
}
END_TEST

/* A cause arrives as it was: the last status is one, the next number is none. */
START_TEST(a_status_arrives_as_it_was)
{
	static const uint8_t answers[][2] = { { ERR_DISK_FULL, ERR_DISK_FULL }, { STATUS_LAST, STATUS_LAST },
		{ STATUS_LAST + 1, ERR_IO } };
	int ends[2];
	struct keeper *k;
	uint8_t raw[16];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
	k = keeper_new(ends[0]);
	db_set_keeper(db, k);
	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
		struct buf answer = BUF_OF(raw);

		ck_assert_int_eq(send(ends[1], answers[i], 1, 0), 1);
		ck_assert_uint_eq(keeper_ask(db, NOW, &hss_ask_vector, (struct bytes){ 0 }, &answer), answers[i][1]);
	}
	db_set_keeper(db, NULL);
	keeper_free(&k);
	(void)close(ends[1]);
}
END_TEST

/* A subscriber, and the status that each question for it is answered with. */
struct asker {
	const char *imsi;
	enum status expected;
	int right;
};

static void *ask_many(void *context)
{
	struct asker *a = context;
	uint8_t raw[200];
	struct bytes q = vector_of(a->imsi), fields = { q.p + 1, q.n - 1 };

	for (int i = 0; i < ASKED; i++) {
		struct buf answer = BUF_OF(raw);

		a->right += keeper_ask(db, NOW, &hss_ask_vector, fields, &answer) == a->expected ? 1 : 0;
	}
	return NULL;
}

/* Two threads with one keeper: one after another. */
START_TEST(two_ask_at_once)
{
	struct asker known = { IMSI, OK, 0 }, unknown = { "001019999999999", ERR_NOT_FOUND, 0 };
	int fd;
	pid_t pid;
	struct keeper *k;
	pthread_t other;

	pid = answering(false, &fd);
	k = keeper_new(fd);
	db_set_keeper(db, k);
	ck_assert_int_eq(pthread_create(&other, NULL, ask_many, &unknown), 0);
	(void)ask_many(&known);
	ck_assert_int_eq(pthread_join(other, NULL), 0);
	ck_assert_int_eq(known.right, ASKED);
	ck_assert_int_eq(unknown.right, ASKED);
	db_set_keeper(db, NULL);
	keeper_free(&k);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}
END_TEST

TCase *tcase_keeper(void)
{
	TCase *t = tcase_create("keeper");

	tcase_add_checked_fixture(t, open_desk, close_desk);
	tcase_add_test(t, a_role_gets_its_own_requests);
	tcase_add_test(t, what_is_no_question);
	tcase_add_test(t, of_a_failure_nothing_goes_back);
	tcase_add_test(t, nothing_for_a_card_that_is_lost);
	tcase_add_test(t, no_keys_in_anothers_name);
	tcase_add_test(t, nothing_ends_a_keeper_but_its_server);
	tcase_add_test(t, a_keeper_that_dies_in_the_middle);
	tcase_add_test(t, a_server_without_its_keeper_is_not_available);
	tcase_add_test(t, a_status_arrives_as_it_was);
	tcase_add_test(t, a_late_answer_is_nobodys);
	tcase_add_test(t, two_ask_at_once);
	return t;
}
