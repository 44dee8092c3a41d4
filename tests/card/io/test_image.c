/* SPDX-License-Identifier: Apache-2.0 */
/* The card image at rest: whatever is done to the file behind the card's back is noticed when it is opened. */
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apdu/aids.h"
#include "card/io/image/store_sqlite.h"
#include "tests/card/io/vfs_cut.h"
#include "tests/support/support.h"

static char folder[64], path[96], other[96];
static uint8_t key[32] = { 7 };
static const uint8_t card_1[CARD_ID_LEN] = { 1 }, card_2[CARD_ID_LEN] = { 2 };

static const char *vfs;

static enum image_error open_path(const char *p, struct image **out, bool create, const uint8_t *id, uint8_t first)
{
	struct image_options o = { .path = p, .vfs = vfs, .key = BYTES_OF(key), .create = create };
	enum image_error e;

	key[0] = first;
	if (id != NULL)
		memcpy(o.card_id, id, CARD_ID_LEN);
	e = image_open(out, &o);
	key[0] = 7;
	return e;
}

static void write_records(struct image *im, uint8_t value)
{
	const struct store_change c[] = { { BYTES_STR("a"), { &value, 1 }, false }, { BYTES_STR("b"), { &value, 1 }, false } };

	ck_assert_int_eq(image_backend(im)->write(image_backend(im), c, 2), OK);
}

static void make(const char *p, const uint8_t *id)
{
	struct image *im;

	ck_assert_int_eq(open_path(p, &im, true, id, 7), IMAGE_OK);
	write_records(im, 1);
	image_close(&im);
}

static void setup(void)
{
	(void)snprintf(folder, sizeof folder, "build/test-image.%d.XXXXXX", (int)getpid());
	ck_assert_ptr_nonnull(mkdtemp(folder));
	(void)snprintf(path, sizeof path, "%s/a.img", folder);
	(void)snprintf(other, sizeof other, "%s/b.img", folder);
	make(path, card_1);
	make(other, card_2);
}

static void teardown(void)
{
	char command[128];

	(void)snprintf(command, sizeof command, "rm -rf %s", folder);
	ck_assert_int_eq(system(command), 0);
}

static enum image_error reopen(void)
{
	struct image *im;
	enum image_error e = open_path(path, &im, false, NULL, 7);

	ck_assert((e == IMAGE_OK) == (im != NULL));
	image_close(&im);
	return e;
}

static void sql(const char *statement)
{
	sqlite3 *db;
	char *error = NULL;

	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_msg(sqlite3_exec(db, statement, NULL, NULL, &error) == SQLITE_OK, "%s", error);
	(void)sqlite3_close(db);
}

START_TEST(whole_images_open_and_hold_what_was_written)
{
	struct image *im;
	uint8_t raw[8];
	struct buf b = BUF_OF(raw);

	ck_assert_int_eq(open_path(path, &im, false, NULL, 7), IMAGE_OK);
	ck_assert_int_eq(image_backend(im)->load(image_backend(im), BYTES_STR("a"), &b), OK);
	ck_assert_uint_eq(raw[0], 1);
	ck_assert_uint_eq(image_record_count(im), 2);
	{ /* one process at a time */
		struct image *second;

		ck_assert_int_eq(open_path(path, &second, false, NULL, 7), IMAGE_BUSY);
	}
	image_close(&im);
	{ /* a card is born once */
		struct image *again;

		ck_assert_int_ne(open_path(path, &again, true, card_1, 7), IMAGE_OK);
	}
}
END_TEST

START_TEST(wrong_key)
{
	struct image *im;

	ck_assert_int_eq(open_path(path, &im, false, NULL, 8), IMAGE_WRONG_KEY);
}
END_TEST

START_TEST(tampered_records)
{
	static const char *const acts[] = {
		"UPDATE record SET data=CAST(X'00'||substr(data,2) AS BLOB) WHERE name=X'61'",            /* edited */
		"UPDATE record SET generation=generation-1 WHERE name=X'61'",                             /* made to look old */
		"DELETE FROM record WHERE name=X'61'",                                                    /* deleted */
		"UPDATE record SET data=(SELECT data FROM record r WHERE r.name=X'62') WHERE name=X'61'", /* swapped */
		"INSERT INTO record SELECT card, X'63', generation, data FROM record WHERE name=X'61'",   /* added */
		"DELETE FROM record WHERE length(name)=0",                                                /* no root */
		"UPDATE record SET data=zeroblob(40) WHERE length(name)=0",
		"UPDATE card SET id=X'02000000000000000000'",
	};
	for (size_t i = 0; i < sizeof acts / sizeof *acts; i++) {
		teardown();
		setup();
		ck_assert_int_eq(reopen(), IMAGE_OK);
		sql(acts[i]);
		ck_assert_msg(reopen() == IMAGE_TAMPERED, "%s", acts[i]);
	}
	covers("R-025");
}
END_TEST

START_TEST(an_older_record_is_refused)
{
	char statement[256];
	struct image *im;

	(void)snprintf(statement, sizeof statement, "%s.old", path);
	sql("CREATE TABLE kept AS SELECT * FROM record WHERE name=X'61'");
	ck_assert_int_eq(open_path(path, &im, false, NULL, 7), IMAGE_OK);
	write_records(im, 2);
	image_close(&im);
	sql("REPLACE INTO record SELECT * FROM kept");
	ck_assert_int_eq(reopen(), IMAGE_TAMPERED);
}
END_TEST

START_TEST(another_cards_record_is_refused)
{
	char statement[256];

	(void)snprintf(statement, sizeof statement,
	        "ATTACH '%s' AS o; UPDATE record SET data=(SELECT data FROM o.record r WHERE r.name=X'61') WHERE name=X'61'",
	        other);
	sql(statement);
	ck_assert_int_eq(reopen(), IMAGE_TAMPERED);
}
END_TEST

static unsigned mode_of(const char *suffix)
{
	char name[120];
	struct stat info;

	(void)snprintf(name, sizeof name, "%s%s", path, suffix);
	ck_assert_int_eq(stat(name, &info), 0);
	return info.st_mode & 0777;
}

/* An image is its owner's, whatever umask says; one that was made for all to read is closed when it is opened. */
START_TEST(images_are_their_owners)
{
	struct image *im;

	(void)unlink(path);
	(void)umask(0);
	make(path, card_1);
	ck_assert_uint_eq(mode_of(""), 0600);
	ck_assert_int_eq(chmod(path, 0644), 0);
	ck_assert_int_eq(open_path(path, &im, false, card_1, 7), IMAGE_OK);
	write_records(im, 2);
	ck_assert_uint_eq(mode_of(""), 0600);
	ck_assert_uint_eq(mode_of("-wal"), 0600);
	image_close(&im);
	ck_assert_int_eq(chmod(path, 0640), 0);
	ck_assert_int_eq(reopen(), IMAGE_OK);
	ck_assert_uint_eq(mode_of(""), 0600);
	ck_assert_int_eq(open_path(path, &im, true, card_1, 7), IMAGE_BUSY); /* and is not made twice */
}
END_TEST

/* Each failure of the machine's has an error of its own, and none says that the image was changed; all else does. */
START_TEST(a_failing_machine_is_no_tampering)
{
	for (enum status st = ERR_TRUNCATED; st <= ERR_DISK_BROKEN; st++) {
		enum image_error e = image_error_of(st);

		ck_assert_int_eq(e != IMAGE_TAMPERED, status_failed(st));
		if (!status_failed(st))
			continue;
		ck_assert_int_eq(e & 0xFF, IMAGE_IO);
		ck_assert_int_eq(image_error_status(e), st);
		ck_assert_ptr_null(strstr(image_error_text(e), "changed"));
	}
	ck_assert_int_eq(image_error_of(OK), IMAGE_OK);
}
END_TEST

START_TEST(garbage_and_truncated_files)
{
	struct stat info;
	char garbage[4096];
	int fd;

	ck_assert_int_eq(stat(path, &info), 0);
	for (long n = 0; n < info.st_size; n += 4096) {
		ck_assert_int_eq(truncate(path, n), 0);
		ck_assert_int_ne(reopen(), IMAGE_OK);
		teardown();
		setup();
	}
	memset(garbage, 0x5A, sizeof garbage);
	fd = open(path, O_WRONLY | O_TRUNC);
	ck_assert_int_eq(write(fd, garbage, sizeof garbage), (int)sizeof garbage);
	(void)close(fd);
	ck_assert_int_eq(reopen(), IMAGE_NOT_IMAGE);
	(void)unlink(path);
	ck_assert_int_eq(reopen(), IMAGE_MISSING);
}
END_TEST

/* Values of a and b, which every commit makes equal. */
static unsigned value_of(void)
{
	uint8_t raw[8];
	struct buf b = BUF_OF(raw);
	struct image *im;

	ck_assert_int_eq(open_path(path, &im, false, NULL, 7), IMAGE_OK);
	ck_assert_int_eq(image_backend(im)->load(image_backend(im), BYTES_STR("a"), &b), OK);
	ck_assert_int_eq(image_backend(im)->load(image_backend(im), BYTES_STR("b"), &b), OK);
	image_close(&im);
	ck_assert_uint_eq(b.len, 2);
	ck_assert_uint_eq(raw[0], raw[1]);
	return raw[0];
}

/* Lose power at every write and sync of a commit, unsynced sectors dropped or torn. Afterwards the image opens, both records
 * are old or both are new, and a commit that reported OK is there. pragma: what a careless store would say. Returns how often
 * the promise was broken, for the planted mistake. */
static unsigned sweep_real_store(const char *pragma)
{
	unsigned broken = 0;

	for (int with_torn = 0; with_torn < 2; with_torn++) {
		for (long cut = 0; cut < 200; cut++) {
			const uint8_t two = 2;
			const struct store_change c[] = { { BYTES_STR("a"), { &two, 1 }, false },
				{ BYTES_STR("b"), { &two, 1 }, false } };
			struct image *im;
			enum status st;
			bool reached;

			teardown();
			vfs = NULL;
			setup();
			vfs = "cut";
			vfs_cut_arm(-1, false);
			ck_assert_int_eq(open_path(path, &im, false, NULL, 7), IMAGE_OK);
			if (pragma != NULL)
				vfs_cut_pragma(pragma);
			vfs_cut_arm(cut, with_torn != 0);
			st = image_backend(im)->write(image_backend(im), c, 2);
			reached = vfs_cut_operations() <= cut;
			if (reached)
				vfs_cut_arm(0,
				        with_torn != 0); /* power goes right after the answer, before anything else is synced */
			image_close(&im);
			vfs_cut_arm(-1, false);
			vfs = NULL;
			if (value_of() != 2 && st == OK)
				broken++;
			if (reached)
				break;
		}
	}
	vfs = NULL;
	return broken;
}

START_TEST(power_cuts_of_the_real_store_leave_old_or_new)
{
	vfs_cut_register();
	ck_assert_uint_eq(sweep_real_store(NULL), 0);
}
END_TEST

/* The sweep would notice a store that does not wait for the disk. */
START_TEST(the_sweep_notices_synchronous_off)
{
	vfs_cut_register();
	ck_assert_uint_gt(sweep_real_store("PRAGMA synchronous=OFF"), 0);
}
END_TEST

Suite *suite_image(void)
{
	Suite *s = suite_create("image");
	TCase *t = tcase_create("image");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, whole_images_open_and_hold_what_was_written);
	tcase_add_test(t, wrong_key);
	tcase_add_test(t, tampered_records);
	tcase_add_test(t, an_older_record_is_refused);
	tcase_add_test(t, another_cards_record_is_refused);
	tcase_add_test(t, garbage_and_truncated_files);
	tcase_add_test(t, images_are_their_owners);
	tcase_add_test(t, a_failing_machine_is_no_tampering);
	tcase_add_test(t, power_cuts_of_the_real_store_leave_old_or_new);
	tcase_add_test(t, the_sweep_notices_synchronous_off);
	suite_add_tcase(s, t);
	return s;
}
