/* SPDX-License-Identifier: Apache-2.0 */
/* What a command leaves in memory: the card runs on a stack of its own, painted before; afterwards no twelve octets in a row of
 * a secret are on it, nor in what the card has given back to the heap, nor in what all commands share. */
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "apdu/birth.h"
#include "apdu/prose.h"
#include "apdu/tlv.h"
#include "crypto/guarded/aka.h"
#include "ota/gp_key.h"
#include "tests/support/frames.h"
#include "tests/support/operator.h"
#include "tests/support/scp.h"

enum { STACK_LEN = 8 << 20, SECRETS_MAX = 64, WINDOW = 12, PAINT = 0xA5 };

static struct {
	const char *name;
	uint8_t octets[64];
	size_t n;
} secrets[SECRETS_MAX];
static size_t secret_count;
static uint8_t *stack;
static size_t used;                /* of the stack, from its top */
static volatile bool armed;        /* the card is running: what it frees is looked at; free is not known to read it */
static const char *volatile found; /* of the heap */
static const char *volatile below; /* of the stack, while the command ran */

static void know(const char *name, struct bytes value)
{
	ck_assert_uint_lt(secret_count, SECRETS_MAX);
	secrets[secret_count].name = name;
	secrets[secret_count].n = value.n < 64 ? value.n : 64;
	memcpy(secrets[secret_count].octets, value.p, secrets[secret_count].n);
	secret_count++;
	frames_learn(value.p, value.n);
}

static bool flat(const uint8_t *p, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (p[i] != p[0])
			return false;
	return true;
}

/* The name of a secret of which a window is there; NULL: none. */
static const char *search(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < secret_count; i++) {
		const size_t w = secrets[i].n < WINDOW ? secrets[i].n : WINDOW;

		for (size_t at = 0; at + w <= secrets[i].n; at += 4)
			if (!flat(secrets[i].octets + at, w) && memmem(p, n, secrets[i].octets + at, w) != NULL)
				return secrets[i].name;
	}
	return NULL;
}

void __real_free(void *);
void __wrap_free(void *);
void __wrap_free(void *p)
{
	if (armed && found == NULL && p != NULL)
		found = search(p, malloc_usable_size(p));
	__real_free(p);
}

/* Whatever is wiped is wiped at the end of a function: what those that it has called left is below it on the stack, where the
 * next ones would write over it before the command ends. */
static void look_below(const uint8_t *here)
{
	enum { NEAR = 32768, OURS = 1024 };
	const uint8_t *from = here - stack > NEAR ? here - NEAR : stack;

	if (armed && below == NULL && here > stack + OURS && here < stack + STACK_LEN)
		below = search(from, (size_t)(here - OURS - from));
}

#define WATCHED(name, type)                                                                                                    \
	void __real_##name(type);                                                                                              \
	void __wrap_##name(type);                                                                                              \
	__attribute__((noinline)) void __wrap_##name(type what)                                                                \
	{                                                                                                                      \
		look_below(__builtin_frame_address(0));                                                                        \
		if (sizeof *what == sizeof(struct secret) && what->len <= SECRET_MAX) /* larger ones hold much that is none */ \
			frames_learn(what->data, what->len);                                                                   \
		__real_##name(what);                                                                                           \
	}
WATCHED(secret_wipe, struct secret *)
WATCHED(secret_large_wipe, struct secret_large *)

struct run {
	struct rig *rig;
	struct bytes command;
	unsigned sw;
};

static void *on_the_stack(void *argument)
{
	struct run *r = argument;

	armed = true;
	r->sw = rig_send_bytes(r->rig, r->command);
	armed = false;
	return NULL;
}

/* One command on the painted stack. */
static unsigned run(struct rig *r, struct bytes command)
{
	struct run job = { r, command, 0 };
	pthread_attr_t how;
	pthread_t thread;

	memset(stack, PAINT, STACK_LEN);
	found = below = NULL;
	ck_assert_int_eq(pthread_attr_init(&how), 0);
	ck_assert_int_eq(pthread_attr_setstack(&how, stack, STACK_LEN), 0);
	ck_assert_int_eq(pthread_create(&thread, &how, on_the_stack, &job), 0);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	(void)pthread_attr_destroy(&how);
	for (used = STACK_LEN; used > 0 && stack[STACK_LEN - used] == PAINT; used--)
		;
	ck_assert_uint_lt(used, STACK_LEN);
	return job.sw;
}

/* After what the last command did. */
static void nothing_left(const char *what)
{
	const char *on_stack = search(stack + STACK_LEN - used, used), *shared = search((uint8_t *)&rig_work, sizeof rig_work);

	ck_assert_msg(on_stack == NULL, "%s: %s on the stack", what, on_stack);
	ck_assert_msg(below == NULL, "%s: %s on the stack below what still ran", what, below);
	ck_assert_msg(found == NULL, "%s: %s in freed memory", what, found);
	ck_assert_msg(shared == NULL, "%s: %s in the card's working memory", what, shared);
}

static unsigned runs(struct rig *r, const char *command, const char *what)
{
	const unsigned sw = run(r, hex(command));

	nothing_left(what);
	return sw;
}

static void know_births(const struct rig *r)
{
	static const struct {
		uint32_t tag;
		const char *name;
	} rows[] = { { BIRTH_K, "K" }, { BIRTH_OPC, "OPc" }, { BIRTH_TRK, "TrK" }, { BIRTH_INK, "InK" },
		{ BIRTH_ISD_ENC, "SCP03 ENC" }, { BIRTH_ISD_MAC, "SCP03 MAC" }, { BIRTH_ISD_DEK, "SCP03 DEK" },
		{ BIRTH_OTA_KIC, "KIc" }, { BIRTH_OTA_KID, "KID" } };
	struct bytes v;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		ck_assert_int_eq(tlv_find(r->secrets, rows[i].tag, &v), OK);
		know(rows[i].name, v);
	}
}

static void setup(void)
{
	open_operator();
	secret_count = 0;
	ck_assert_int_eq(posix_memalign((void **)&stack, 4096, STACK_LEN), 0);
}

static void teardown(void)
{
	free(stack);
	close_operator();
}

/* The oracle sees: a planted window on the stack, and in freed memory. */
START_TEST(the_oracle_sees)
{
	uint8_t *block = malloc(64);

	know("planted", BYTES_STR("0123456789abcdef"));
	memset(stack, PAINT, STACK_LEN);
	ck_assert_ptr_null(search(stack, STACK_LEN));
	memcpy(stack + 12345, "456789abcdef", WINDOW);
	ck_assert_ptr_nonnull(search(stack, STACK_LEN));
	memset(block, 0, 64);
	memcpy(block + 7, "0123456789ab", WINDOW);
	found = NULL;
	__asm__ volatile("" ::"r"(block) : "memory"); /* it is written, whatever the compiler thinks of it */
	armed = true;
	free(block);
	armed = false;
	ck_assert_ptr_nonnull(found);
}
END_TEST

/* So does the one of frames: at any place, one octet less is nothing, and few values are no secret. */
START_TEST(the_frames_see)
{
	static const char secret[] = "fedcba9876543210", none[16] = { 1, 2, 3 };
	uint8_t frame[64] = { 0 };

	frames_learn(secret, 16);
	frames_learn(none, sizeof none);
	ck_assert(!frames_found(frame, sizeof frame));
	ck_assert(!frames_found(none, sizeof none));
	for (size_t at = 0; at + WINDOW <= sizeof frame; at++) {
		memset(frame, 0, sizeof frame);
		memcpy(frame + at, secret + 4, WINDOW);
		ck_assert(frames_found(frame, sizeof frame));
		ck_assert(!frames_found(frame + at, WINDOW - 1));
	}
}
END_TEST

#ifdef FRAMES
/* So do the hooks: what is left ends the program, what was wiped does not. */
START_TEST(the_hooks_see)
{
	static const char secret[17] = "0f1e2d3c4b5a6978";

	frames_learn(secret, 16);
	for (int wiped = 0; wiped < 2; wiped++) {
		const pid_t pid = fork();
		int status;

		if (pid == 0) {
			(void)fclose(stderr);
			frames_plant(secret, wiped != 0);
			_exit(0);
		}
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert(wiped != 0 ? WIFEXITED(status) : WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	}
}
END_TEST

/* And the product is built so that they are called. */
START_TEST(the_product_calls_them)
{
	const size_t before = frames_returned();
	struct rig *r = rig_new();

	ck_assert_uint_eq(rig_send(r, "00A4040C07F050524F534501"), 0x9000);
	ck_assert_uint_gt(frames_returned(), before + 100);
	rig_free(&r);
}
END_TEST
#endif

/* VERIFY, right and wrong, CHANGE and UNBLOCK: PINs and PUKs. */
START_TEST(pins)
{
	struct rig *r = known_card();

	know("the PIN", BYTES_STR("1234\xFF\xFF\xFF\xFF"));
	know("a wrong PIN", BYTES_STR("98761234"));
	know("the new PIN", BYTES_STR("56781111"));
	ck_assert_uint_eq(runs(r, "00A4040C10A0000000871002FFFFFFFF8907090000", "SELECT"), 0x9000);
	ck_assert_uint_eq(runs(r, "00200001083938373631323334", "VERIFY"), 0x63C2);
	ck_assert_uint_eq(runs(r, "002000010831323334FFFFFFFF", "VERIFY"), 0x9000);
	ck_assert_uint_eq(runs(r, "002400011031323334FFFFFFFF3536373831313131", "CHANGE PIN"), 0x9000);
	ck_assert_uint_eq(runs(r, "00200001083536373831313131", "VERIFY"), 0x9000);
	ck_assert_uint_eq(runs(r, "00260001083536373831313131", "DISABLE PIN"), 0x9000);
	ck_assert_uint_eq(runs(r, "00280001083536373831313131", "ENABLE PIN"), 0x9000);
	rig_free(&r);
}
END_TEST

/* AUTHENTICATE: K and OPc, and what comes of them, in one answer and by GET RESPONSE. */
START_TEST(subscribers)
{
	struct rig *r = known_card();
	struct aka_subscriber s;
	struct aka_keys keys;
	struct bytes command;

	know_births(r);
	rig_subscriber(r, &s);
	ck_assert_int_eq(aka_f2345(&s, hex(TEST_RAND).p, &keys), OK);
	know("CK", (struct bytes){ keys.ck, 16 });
	know("IK", (struct bytes){ keys.ik, 16 });
	know("RES", (struct bytes){ keys.res, 8 });
	ck_assert_uint_eq(rig_send(r, "00A4040C10A0000000871002FFFFFFFF8907090000"), 0x9000);
	ck_assert_uint_eq(rig_send(r, "002000010831323334FFFFFFFF"), 0x9000);
	command = rig_authenticate(r, 1 << 5);
	ck_assert_uint_eq(run(r, command), 0x9000);
	nothing_left("AUTHENTICATE");
	command = rig_authenticate(r, 2 << 5);
	command.n--; /* without Le */
	ck_assert_uint_eq(run(r, command) & 0xFF00, 0x6100);
	ck_assert_ptr_null(search(stack + STACK_LEN - used, used));
	ck_assert_uint_eq(run(r, hex("00C0000000")), 0x9000);
	nothing_left("GET RESPONSE");
	command = rig_authenticate(r, 2 << 5); /* not fresh: AUTS */
	ck_assert_uint_eq(run(r, command), 0x9000);
	nothing_left("AUTHENTICATE with AUTS");
	rig_free(&r);
}
END_TEST

static unsigned prose(struct rig *r, uint8_t ins, struct bytes data)
{
	static uint8_t raw[PROSE_REQUEST_MAX + 16];
	struct buf b = BUF_OF(raw);

	apdu_put(&b, &(struct command_apdu){ .cla = 0x80,
	                     .ins = ins,
	                     .data = data,
	                     .has_le = ins != INS_PROSE_INSTALL,
	                     .ne = 65536,
	                     .extended = true });
	return run(r, buf_bytes(&b));
}

static void install_each(struct rig *r, struct bytes in)
{
	while (in.n > 0) {
		struct bytes start = in;
		struct tlv t;

		ck_assert_int_eq(tlv_next(&in, &t), OK);
		ck_assert_uint_eq(prose(r, INS_PROSE_INSTALL, (struct bytes){ start.p, start.n - in.n }), 0x9000);
		nothing_left("INSTALL SEALED OBJECT");
	}
}

static struct bytes start_data(void)
{
	static uint8_t raw[256];
	struct buf b = BUF_OF(raw);

	tlv_put_uint(&b, TAG_TIME, 8, NOW + 10);
	tlv_put(&b, TAG_GROUP_URI, BYTES_STR(GROUP));
	tlv_put_uint(&b, TAG_SSRC, 4, 0x01020304);
	return buf_bytes(&b);
}

/* Sealed objects, a group's key, a session of it: TrK, InK, GMK and GSK. */
START_TEST(groups)
{
	static uint8_t kept[STACK_LEN];
	struct rig *r = known_card();
	struct db_group g = { .uri = GROUP, .manager_uri = "sip:gms@example.org", .policy = GROUP_POLICY_SIGN };
	uint8_t id[16], offer[PROSE_REQUEST_MAX], raw[PROSE_REQUEST_MAX + 32];
	struct buf b = BUF_OF(raw), mikey = BUF_OF(offer);
	struct secret gmk = { 0 };
	struct bytes v, message;
	struct db_gmk newest;
	size_t kept_len;

	know_births(r);
	ck_assert_uint_eq(rig_send(r, "00A4040C07F050524F534501"), 0x9000);
	ck_assert_uint_eq(rig_send(r, "002000010831323334FFFFFFFF"), 0x9000);
	install_each(r, issue(ALICE, NOW));
	ck_assert_int_eq(db_group_add(db, &g), OK);
	ck_assert_int_eq(db_member_set(db, GROUP, ALICE, true), OK);
	objects = BUF_OF(object_memory);
	ck_assert_int_eq(group_record(db, GROUP, ALICE, 1, &objects), OK);
	install_each(r, buf_bytes(&objects));
	message = rekey(NOW, NOW, NOW + 86400);
	ck_assert_int_eq(db_gmk_latest(db, GROUP, NOW, &newest, &gmk), OK);
	know("the GMK", secret_bytes(&gmk));
	ck_assert_uint_eq(prose(r, INS_PROSE_IMPORT_GMK, with_time(NOW + 10, TAG_MESSAGE, message)), 0x9000);
	nothing_left("IMPORT GMK");
	ck_assert_uint_eq(prose(r, INS_PROSE_START_SESSION, start_data()), 0x9000);
	nothing_left("START SESSION");
	kept_len = used;
	memcpy(kept, stack + STACK_LEN - used, used);
	ck_assert_int_eq(tlv_find(rig_data(), TAG_SESSION_ID, &v), OK);
	memcpy(id, v.p, v.n < sizeof id ? v.n : sizeof id);
	tlv_put(&b, TAG_SESSION_ID, (struct bytes){ id, v.n });
	ck_assert_int_eq(tlv_find(rig_data(), TAG_MESSAGE, &v), OK);
	buf_put(&mikey, v);
	ck_assert_uint_eq(prose(r, INS_PROSE_RELEASE_KEY, buf_bytes(&b)), 0x9000);
	ck_assert_int_eq(tlv_find(rig_data(), TAG_GSK, &v), OK);
	know("the GSK", v);
	nothing_left("RELEASE KEY");
	ck_assert_ptr_null(search(kept, kept_len)); /* nor when it was made */
	ck_assert_uint_eq(prose(r, INS_PROSE_JOIN_SESSION, with_time(NOW + 20, TAG_MESSAGE, buf_bytes(&mikey))), 0x9000);
	nothing_left("JOIN SESSION");
	rig_free(&r);
}
END_TEST

/* A secure channel: static keys, session keys and what PUT KEY brings. */
START_TEST(channels)
{
	static const uint8_t host[SCP03_S8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	struct rig *r = known_card();
	struct secret key = { 0 };
	struct scp03_keys k;
	uint8_t challenge[SCP03_S8], cryptogram[SCP03_S8], raw[100];
	struct buf b = BUF_OF(raw);
	struct scp03 s;
	struct bytes c, dek;

	know_births(r);
	ck_assert_int_eq(tlv_find(r->secrets, BIRTH_ISD_ENC, &k.enc), OK);
	ck_assert_int_eq(tlv_find(r->secrets, BIRTH_ISD_MAC, &k.mac), OK);
	ck_assert_int_eq(tlv_find(r->secrets, BIRTH_ISD_DEK, &dek), OK);
	ck_assert_uint_eq(rig_send(r, "00A4040C08A000000151000000"), 0x9000);
	ck_assert_uint_eq(runs(r, "8050000008010203040506070800", "INITIALIZE UPDATE"), 0x9000);
	memcpy(challenge, rig_data().p + 13, sizeof challenge);
	ck_assert_int_eq(scp03_open(&s, &k, host, challenge, SCP03_S8), OK);
	know("S-ENC", (struct bytes){ s.enc, 16 });
	know("S-MAC", (struct bytes){ s.mac, 16 });
	know("S-RMAC", (struct bytes){ s.rmac, 16 });
	ck_assert_int_eq(scp03_cryptogram(&s, false, host, challenge, cryptogram), OK);
	c = scp_wrapped(&s, 0x82, 0x33, 0, BYTES_OF(cryptogram));
	c.n--;
	ck_assert_uint_eq(run(r, c), 0x9000);
	nothing_left("EXTERNAL AUTHENTICATE");
	buf_put_u8(&b, 0x02);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(
		        secret_set(&key, hex(i == 0 ? "A0A1A2A3A4A5A6A7A8A9AAABACADAEAF" : "B0B1B2B3B4B5B6B7B8B9BABBBCBDBEBF")),
		        OK);
		know("a new key", secret_bytes(&key));
		ck_assert_int_eq(gp_key_put(dek, &key, &b), OK);
	}
	ck_assert_uint_eq(run(r, scp_wrapped(&s, 0xD8, 0x00, 0x81, buf_bytes(&b))), 0x9000);
	nothing_left("PUT KEY");
	ck_assert_uint_eq(run(r, rig_ota(r, 1, "000000", "00A40004023F00")), 0x9000);
	nothing_left("a secured packet");
	rig_free(&r);
}
END_TEST

Suite *suite_wipe(void)
{
	Suite *s = suite_create("wipe");
	TCase *t = tcase_create("wipe");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, the_oracle_sees);
	tcase_add_test(t, the_frames_see);
#ifdef FRAMES
	tcase_add_test(t, the_hooks_see);
	tcase_add_test(t, the_product_calls_them);
#endif
	tcase_add_test(t, pins);
	tcase_add_test(t, subscribers);
	tcase_add_test(t, groups);
	tcase_add_test(t, channels);
	suite_add_tcase(s, t);
	return s;
}
