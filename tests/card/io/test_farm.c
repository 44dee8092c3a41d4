/* SPDX-License-Identifier: Apache-2.0 */
/* The farm's socket: raw clients that are slow, rude or somebody else's. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "card/io/link/farm.h"
#include "tests/support/support.h"

static char folder[64], image[96], path[96];
static pid_t server;
static volatile sig_atomic_t ended;

static void on_term(int number)
{
	(void)number;
	ended = 1;
}

static void serve(struct bytes key)
{
	struct image_options o = { .path = image, .key = key };
	const struct farm_service s = { .socket = path };
	const struct sigaction action = { .sa_handler = on_term };
	struct farm *f;

	(void)sigaction(SIGTERM, &action, NULL);
	if (farm_open(&f, &o) != IMAGE_OK || farm_serve(f, &s, &ended) != OK)
		_exit(1);
	farm_close(&f);
	_exit(0);
}

static void start(void)
{
	static const uint8_t key[32] = { 7 };
	struct order order;
	struct farm_birth b = { image, BYTES_OF(key), true, 3, &order, NULL, NULL };
	char reason[256] = "";

	(void)snprintf(folder, sizeof folder, "/tmp/prose-check.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	ck_assert_int_eq(chmod(folder, 0755), 0);
	(void)snprintf(image, sizeof image, "%s/farm.img", folder);
	(void)snprintf(path, sizeof path, "%s/farm.sock", folder);
	ck_assert_int_eq(order_read(NULL, &order, reason, sizeof reason), OK);
	order.keys = KEYS_RANDOM;
	ck_assert_int_eq(farm_create(&b, reason, sizeof reason), IMAGE_OK);
	order_free(&order);
	if ((server = fork()) == 0)
		serve(BYTES_OF(key));
	for (int i = 0; access(path, F_OK) != 0 && i < 6000; i++)
		(void)usleep(10000);
}

static void finish(void)
{
	int status;

	(void)kill(server, SIGTERM);
	ck_assert_int_eq(waitpid(server, &status, 0), server);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	ck_assert_int_ne(access(path, F_OK), 0);
	(void)unlink(image);
	ck_assert_int_eq(rmdir(folder), 0);
}

static int dial(void)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)snprintf(to.sun_path, sizeof to.sun_path, "%s", path);
	for (int i = 0; i < 6000; i++, (void)usleep(10000)) /* between bind and listen nobody answers */
		if (connect(fd, (const struct sockaddr *)&to, sizeof to) == 0)
			return fd;
	(void)close(fd);
	return -1;
}

static void say(int fd, const void *message, size_t n)
{
	const uint8_t head[2] = { (uint8_t)(n >> 8), (uint8_t)n };

	ck_assert_int_eq(send(fd, head, 2, MSG_NOSIGNAL), 2);
	ck_assert_int_eq(send(fd, message, n, MSG_NOSIGNAL), (ssize_t)n);
}

/* Octets of one answer, or -1 when the connection has ended. */
static int hear(int fd, uint8_t *out, size_t room)
{
	uint8_t head[2];
	size_t n;

	if (recv(fd, head, 2, MSG_WAITALL) != 2)
		return -1;
	n = (size_t)(head[0] << 8 | head[1]);
	ck_assert_uint_le(n, room);
	return n == 0 ? 0 : recv(fd, out, n, MSG_WAITALL) == (ssize_t)n ? (int)n : -1;
}

static int attach(const char *card)
{
	uint8_t out[64];
	int fd = dial();

	say(fd, card, strlen(card));
	ck_assert_int_eq(hear(fd, out, sizeof out), (int)card_atr.n);
	ck_assert_int_eq(memcmp(out, card_atr.p, card_atr.n), 0);
	return fd;
}

static unsigned select_mf(int fd)
{
	uint8_t out[300];

	say(fd, "\x00\xA4\x00\x0C\x02\x3F\x00", 7);
	ck_assert_int_eq(hear(fd, out, sizeof out), 2);
	return (unsigned)(out[0] << 8 | out[1]);
}

START_TEST(a_card_has_one_client_at_a_time)
{
	uint8_t out[64];
	int first, second;

	start();
	first = attach("#1");
	second = dial();
	say(second, "#1", 2);
	ck_assert_int_eq(hear(second, out, sizeof out), 0);
	ck_assert_int_eq(hear(second, out, sizeof out), -1);
	ck_assert_uint_eq(select_mf(first), 0x9000);
	(void)close(first);
	(void)close(second);
	/* Free again, once the farm has noticed; nothing of the session is left. */
	for (int i = 0, n = 0; n <= 0 && i < 200; i++) {
		first = dial();
		say(first, "#1", 2);
		n = hear(first, out, sizeof out);
		if (n <= 0)
			(void)close(first);
	}
	ck_assert_uint_eq(select_mf(first), 0x9000);
	(void)close(first);
	finish();
}
END_TEST

/* Half a length, half a message, or nothing at all: other clients do not notice. */
START_TEST(slow_clients_hold_nobody_up)
{
	int half_head, half_message, silent, good;

	start();
	half_head = dial();
	ck_assert_int_eq(send(half_head, "", 1, 0), 1);
	half_message = attach("#0");
	ck_assert_int_eq(send(half_message, "\0\7\0\xA4", 4, 0), 4);
	silent = dial();
	good = attach("#2");
	for (int i = 0; i < 100; i++)
		ck_assert_uint_eq(select_mf(good), 0x9000);
	/* The half message, octet by octet. */
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(send(half_message, &"\0\x0C\2\x3F"[i], 1, 0), 1);
	(void)close(half_head);
	(void)close(half_message);
	(void)close(silent);
	(void)close(good);
	finish();
}
END_TEST

/* A client that sends without reading fills its own socket, and nobody else's. */
START_TEST(a_client_that_does_not_read_waits_alone)
{
	static const uint8_t message[] = { 0, 8, 0x00, 0xA4, 0x00, 0x04, 0x02, 0x3F, 0x00, 0x00 };
	int deaf, good;
	long sent = 0;

	start();
	deaf = attach("#0");
	for (int i = 0; i < 200000; i++) {
		ssize_t n = send(deaf, message + sent % 10, sizeof message - (size_t)(sent % 10), MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0)
			break;
		sent += n;
	}
	good = attach("#1");
	ck_assert_uint_eq(select_mf(good), 0x9000);
	/* Each of its commands is answered once it listens. */
	for (long i = 0; i < sent / 10; i++) {
		uint8_t out[300];

		ck_assert_int_gt(hear(deaf, out, sizeof out), 2);
	}
	(void)close(deaf);
	(void)close(good);
	finish();
}
END_TEST

START_TEST(names_that_are_no_cards_are_refused)
{
	static const char *const names[] = { "#", "#3", "#-1", "#1x", "#18446744073709551616", "1", "card",
		"89001010000000000170000", "\n", "#00000000000000000000000000000000000000000001" };
	uint8_t out[64];

	start();
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		int fd = dial();

		say(fd, names[i], strlen(names[i]));
		ck_assert_int_eq(hear(fd, out, sizeof out), 0);
		ck_assert_int_eq(hear(fd, out, sizeof out), -1);
		(void)close(fd);
	}
	(void)close(attach("#2"));
	finish();
}
END_TEST

/* Even where the socket's mode would let them. */
START_TEST(other_users_are_turned_away)
{
	int status;
	pid_t stranger;

	if (geteuid() != 0)
		return; /* only root can be somebody else */
	start();
	ck_assert_int_eq(chmod(path, 0666), 0);
	if ((stranger = fork()) == 0) {
		uint8_t out[64];
		int fd;

		if (setuid(65534) != 0 || (fd = dial()) < 0)
			_exit(2);
		(void)send(fd, "\0\2#0", 4, MSG_NOSIGNAL);
		_exit(hear(fd, out, sizeof out) == -1 ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(stranger, &status, 0), stranger);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 0);
	(void)close(attach("#0"));
	finish();
}
END_TEST

Suite *suite_farm(void)
{
	Suite *s = suite_create("farm");
	TCase *t = tcase_create("farm");

	tcase_add_test(t, a_card_has_one_client_at_a_time);
	tcase_add_test(t, slow_clients_hold_nobody_up);
	tcase_add_test(t, a_client_that_does_not_read_waits_alone);
	tcase_add_test(t, names_that_are_no_cards_are_refused);
	tcase_add_test(t, other_users_are_turned_away);
	suite_add_tcase(s, t);
	return s;
}
