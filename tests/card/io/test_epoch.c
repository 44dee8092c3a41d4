/* SPDX-License-Identifier: Apache-2.0 */
/* A whole older image put back is refused, wherever power failed; tries of a PIN do not come back within an epoch either. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "card/io/image/counter.h"
#include "tests/card/io/vfs_cut.h"
#include "tests/support/operator.h"

static char folder[64], path[96], copy[96], other[96];
static const uint8_t image_key[32] = { 9 };

/* A counter in memory. */
static struct fake {
	struct counter counter; /* first */
	uint64_t value;
	unsigned moves;
	enum { ANSWERS, DEAD, COUNTS_AND_DIES } way;
} fake;

static enum status fake_read(struct counter *c, uint64_t *out)
{
	(void)c;
	*out = fake.value;
	return fake.way == DEAD ? ERR_IO : OK;
}

static enum status fake_increment(struct counter *c)
{
	(void)c;
	if (fake.way == DEAD)
		return ERR_IO;
	fake.value++;
	fake.moves++;
	return fake.way == COUNTS_AND_DIES ? ERR_IO : OK;
}

/* The card, powered on. */
static struct image *image;
static struct epoch epoch;
static struct rig *rig;

static enum image_error power_on_with(const char *vfs, struct counter *counter)
{
	struct image_options o = { .path = path, .vfs = vfs, .key = BYTES_OF(image_key) };
	enum image_error e;

	rig = NULL;
	if ((e = image_open(&image, &o)) == IMAGE_OK && (e = epoch_open(&epoch, image_backend(image), counter)) == IMAGE_OK)
		rig = rig_on(&epoch.backend, true);
	return e;
}

static enum image_error power_on(void)
{
	return power_on_with(NULL, &fake.counter);
}

static void power_off(void)
{
	if (rig != NULL)
		rig_free(&rig);
	image_close(&image);
}

static enum image_error once(void)
{
	enum image_error e = power_on();

	power_off();
	return e;
}

static void run(const char *format, const char *a, const char *b)
{
	char command[256];

	(void)snprintf(command, sizeof command, format, a, b);
	ck_assert_int_eq(system(command), 0);
}

/* The file, and what of it is still in the log. */
static void clone(const char *from, const char *to)
{
	run("rm -f %s-wal %s-shm", to, to);
	run("cp %s %s", from, to);
	run("f=%s; [ ! -e $f-wal ] || cp $f-wal %s-wal", from, to);
}

static void setup(void)
{
	struct image_options o = { .path = path, .key = BYTES_OF(image_key), .create = true };

	fake = (struct fake){ .counter = { fake_read, fake_increment, NULL }, .value = 41 };
	(void)snprintf(folder, sizeof folder, "build/test-epoch.%d.XXXXXX", (int)getpid());
	ck_assert_ptr_nonnull(mkdtemp(folder));
	(void)snprintf(path, sizeof path, "%s/a.img", folder);
	(void)snprintf(copy, sizeof copy, "%s/copy.img", folder);
	(void)snprintf(other, sizeof other, "%s/other.img", folder);
	ck_assert_int_eq(bcd_encode(ICCID_1, o.card_id, sizeof o.card_id), OK);
	ck_assert_int_eq(image_open(&image, &o), IMAGE_OK);
	rig = rig_on(image_backend(image), false);
	ck_assert_int_eq(epoch_begin(image_backend(image), &fake.counter), IMAGE_OK);
	power_off();
}

static void teardown(void)
{
	run("rm -rf %s%s", folder, "");
}

static unsigned verify(const char *digits)
{
	char command[64];

	(void)snprintf(command, sizeof command, "0020000108%sFFFFFFFF", digits);
	return rig_send(rig, command);
}

START_TEST(an_older_copy_is_refused_and_the_right_one_is_not)
{
	clone(path, copy);
	ck_assert_int_eq(once(), IMAGE_OK);
	ck_assert_uint_eq(fake.value, 42);
	clone(path, other);
	clone(copy, path);
	ck_assert_int_eq(once(), IMAGE_OLD);
	ck_assert_uint_eq(fake.value, 42);
	run("cmp %s %s", path, copy); /* and nothing was written */
	clone(other, path);
	ck_assert_int_eq(once(), IMAGE_OK);
	ck_assert_uint_eq(fake.value, 43);
}
END_TEST

static void update(const char *content)
{
	char command[64];

	(void)snprintf(command, sizeof command, "00D6000002%s", content);
	ck_assert_uint_eq(verify("31323334"), 0x9000);
	ck_assert_uint_eq(rig_send(rig, "00A4040C10A0000000871002FFFFFFFF8907090000"), 0x9000);
	ck_assert_uint_eq(rig_send(rig, "00A4080C067FFF5F904F09"), 0x9000);
	ck_assert_uint_eq(rig_send(rig, command), 0x9000);
}

/* What epoch.h says is lost: one step. */
START_TEST(a_copy_of_the_present_epoch_is_taken_once)
{
	ck_assert_int_eq(power_on(), IMAGE_OK);
	update("BEEF");
	clone(path, copy);
	ck_assert_uint_eq(rig_send(rig, "00D6000002CAFE"), 0x9000);
	power_off();
	clone(copy, path);
	ck_assert_int_eq(once(), IMAGE_OK);
	clone(copy, path);
	ck_assert_int_eq(once(), IMAGE_OLD);
}
END_TEST

static unsigned wrong_pin(void)
{
	return verify("39393939");
}
static unsigned right_pin(void)
{
	return verify("31323334");
}
static unsigned wrong_puk(void)
{
	return rig_send(rig, "002C0001103939393939393939"
	                     "31323334FFFFFFFF");
}
static unsigned wrong_mac(void)
{
	struct bytes packet = exact_copy(rig_ota(rig, 5, "B05F90", "00A40004024F05"));
	unsigned sw;

	((uint8_t *)(uintptr_t)packet.p)[packet.n - 9] ^= 1;
	sw = rig_send_bytes(rig, packet);
	return sw >> 8;
}
static const struct {
	const char *name;
	unsigned (*act)(void);
	unsigned sw;
} spends[] = { { "a wrong PIN", wrong_pin, 0x63C2 }, { "a right PIN", right_pin, 0x9000 }, { "a wrong PUK", wrong_puk, 0x63C9 },
	{ "a packet with a wrong MAC", wrong_mac, 0x90 } };

/* The copy is of the same epoch, taken right before. */
START_TEST(tries_do_not_come_back)
{
	uint64_t before;

	ck_assert_int_eq(power_on(), IMAGE_OK);
	clone(path, copy);
	before = fake.value;
	ck_assert_uint_eq(spends[_i].act(), spends[_i].sw);
	ck_assert_msg(fake.value == before + 1, "%s moved the counter by %d", spends[_i].name, (int)(fake.value - before));
	power_off();
	clone(copy, path);
	ck_assert_int_eq(once(), IMAGE_OLD);
}
END_TEST

START_TEST(commits_do_not_move_the_counter)
{
	uint64_t before;

	ck_assert_int_eq(power_on(), IMAGE_OK);
	update("BEEF");
	before = fake.value;
	for (int i = 0; i < 100; i++)
		ck_assert_uint_eq(rig_send(rig, i % 2 == 0 ? "00D6000002CAFE" : "00D6000002BEEF"), 0x9000);
	ck_assert_uint_eq(rig_send_bytes(rig, rig_ota(rig, 5, "B05F90", "00A40004024F05")), 0x9000);
	ck_assert_uint_eq(fake.value, before);
	power_off();
}
END_TEST

/* Nothing is compared before the counter has moved. */
START_TEST(without_its_counter_no_pin_is_tried)
{
	ck_assert_int_eq(power_on(), IMAGE_OK);
	fake.way = DEAD;
	ck_assert_uint_eq(right_pin(), 0x6581);
	ck_assert_uint_eq(wrong_pin(), 0x6581);
	fake.way = ANSWERS;
	ck_assert_uint_eq(rig_send(rig, "0020000100"), 0x63C2); /* one was spent before the counter was found silent */
	ck_assert_uint_eq(right_pin(), 0x9000);
	power_off();
	fake.way = DEAD;
	ck_assert_int_eq(once(), IMAGE_COUNTER_SILENT);
	fake.way = ANSWERS;
	ck_assert_int_eq(once(), IMAGE_OK);
}
END_TEST

START_TEST(a_counter_that_counts_and_dies_is_caught_up_with)
{
	for (int i = 0; i < 3; i++) {
		fake.way = COUNTS_AND_DIES;
		ck_assert_int_eq(once(), IMAGE_COUNTER_SILENT);
		fake.way = ANSWERS;
		ck_assert_int_eq(power_on(), IMAGE_OK);
		fake.way = COUNTS_AND_DIES;
		ck_assert_uint_eq(right_pin(), 0x6581);
		fake.way = ANSWERS;
		ck_assert_uint_eq(right_pin(), 0x9000);
		ck_assert_uint_eq(epoch.value, fake.value);
		power_off();
	}
}
END_TEST

/* Power fails at each write and sync of power on and of a wrong PIN, with the counter reached or not. */
START_TEST(power_may_fail_at_each_point)
{
	bool torn = _i != 0, whole = false;

	vfs_cut_register();
	ck_assert_int_eq(once(), IMAGE_OK);
	clone(path, copy); /* of an older epoch, from the next power on */
	ck_assert_int_eq(once(), IMAGE_OK);
	clone(path, other);
	for (long cut = 1; !whole; cut++) {
		uint64_t start = fake.value;

		ck_assert_int_lt(cut, 400);
		clone(other, path);
		vfs_cut_arm(-1, torn);
		vfs_cut_arm(cut, torn);
		if (power_on_with("cut", &fake.counter) == IMAGE_OK)
			whole = wrong_pin() == 0x63C2 && vfs_cut_operations() <= cut;
		power_off();
		vfs_cut_arm(-1, torn);
		ck_assert_msg(once() == IMAGE_OK, "cut %ld does not open", cut);
		clone(copy, path);
		ck_assert_int_eq(once(), IMAGE_OLD);
		fake.value = start; /* for `other`, which the test puts back */
	}
}
END_TEST

START_TEST(image_and_counter_belong_together)
{
	ck_assert_int_eq(power_on_with(NULL, NULL), IMAGE_COUNTER_WANTED);
	power_off();
	fake.value = 39; /* two behind: another counter */
	ck_assert_int_eq(once(), IMAGE_OTHER_COUNTER);
	fake.value = 40; /* one behind: power failed in between */
	ck_assert_int_eq(once(), IMAGE_OK);
	ck_assert_uint_eq(fake.value, 41);
	ck_assert_int_eq(power_on(), IMAGE_OK);
	ck_assert_int_eq(epoch_begin(image_backend(image), &fake.counter), IMAGE_COUNTED);
	ck_assert_int_eq(epoch_end(image_backend(image)), IMAGE_OK);
	ck_assert_int_eq(epoch_end(image_backend(image)), IMAGE_UNCOUNTED);
	power_off();
	ck_assert_int_eq(once(), IMAGE_UNCOUNTED);
	ck_assert_int_eq(power_on_with(NULL, NULL), IMAGE_OK);
	ck_assert_uint_eq(wrong_pin(), 0x63C2);
	power_off();
}
END_TEST

START_TEST(a_file_counts_for_tests)
{
	char source[120], reason[256];
	struct counter *c;
	uint64_t n;

	(void)snprintf(source, sizeof source, "file:%s/counter", folder);
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_int_eq(counter_open(source, &c, reason, sizeof reason), OK);
		ck_assert_int_eq(c->read(c, &n), OK);
		ck_assert_uint_eq(n, i);
		ck_assert_int_eq(c->increment(c), OK);
		ck_assert_int_eq(c->read(c, &n), OK);
		ck_assert_uint_eq(n, i + 1);
		c->close(c);
	}
	ck_assert_int_eq(truncate(source + 5, 7), 0);
	ck_assert_int_ne(counter_open(source, &c, reason, sizeof reason), OK);
	ck_assert_ptr_nonnull(strstr(reason, "empty or of 8 octets"));
}
END_TEST

static const struct {
	const char *source, *says;
} wrong[] = { { "", "a counter is" }, { "file:", "a counter is" }, { "tpm", "a counter is" },
	{ "file:/none/there", "cannot be used" }, { "tpm:", "hexadecimal" }, { "tpm:1500020x", "hexadecimal" },
	{ "tpm:100000000", "hexadecimal" } };

START_TEST(sources_that_cannot_be_are_refused_in_a_sentence)
{
	char reason[256] = "";
	struct counter *c;

	ck_assert_int_ne(counter_open(wrong[_i].source, &c, reason, sizeof reason), OK);
	ck_assert_ptr_null(c);
	ck_assert_msg(strstr(reason, wrong[_i].says) != NULL, "%s: %s", wrong[_i].source, reason);
}
END_TEST

Suite *suite_epoch(void)
{
	Suite *s = suite_create("epoch");
	TCase *t = tcase_create("epoch");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, an_older_copy_is_refused_and_the_right_one_is_not);
	tcase_add_test(t, a_copy_of_the_present_epoch_is_taken_once);
	tcase_add_loop_test(t, tries_do_not_come_back, 0, (int)(sizeof spends / sizeof *spends));
	tcase_add_test(t, commits_do_not_move_the_counter);
	tcase_add_test(t, without_its_counter_no_pin_is_tried);
	tcase_add_test(t, a_counter_that_counts_and_dies_is_caught_up_with);
	tcase_add_loop_test(t, power_may_fail_at_each_point, 0, 2);
	tcase_add_test(t, image_and_counter_belong_together);
	tcase_add_test(t, a_file_counts_for_tests);
	tcase_add_loop_test(t, sources_that_cannot_be_are_refused_in_a_sentence, 0, (int)(sizeof wrong / sizeof *wrong));
	suite_add_tcase(s, t);
	return s;
}
