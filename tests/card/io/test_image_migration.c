/* SPDX-License-Identifier: Apache-2.0 */
/* Images of format 1, as commit bcfc442 made them (tests/fixtures/bcfc442/images.md), opened by this program. */
#include <jansson.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "card/io/image/image_migration.h"
#include "card/io/image/key_file.h"
#include "card/io/image/secret_table.h"
#include "tests/card/io/vfs_cut.h"
#include "tests/support/support.h"

#define FIXTURES "tests/fixtures/bcfc442/"

static const struct fixture {
	const char *name;
	bool insecure;
	size_t cards, records;
} fixtures[] = {
	{ "card", false, 1, 112 },
	{ "test", true, 1, 104 },
	{ "farm", true, 3, 312 },
};
enum { CARD, TEST, FARM, FIXTURE_COUNT };

static char folder[64], path[96], old[96], before[96];
static const char *vfs;
static struct image_options options;

__attribute__((format(printf, 1, 2))) static void shell(const char *format, ...)
{
	char command[512];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(command, sizeof command, format, args);
	va_end(args);
	ck_assert_msg(system(command) == 0, "%s", command);
}

static bool same(const char *a, const char *b)
{
	char command[256];

	(void)snprintf(command, sizeof command, "cmp -s %s %s", a, b);
	return system(command) == 0;
}

static void setup(void)
{
	(void)snprintf(folder, sizeof folder, "build/test-migration.%d.XXXXXX", (int)getpid());
	ck_assert_ptr_nonnull(mkdtemp(folder));
	(void)snprintf(path, sizeof path, "%s/card.img", folder);
	(void)snprintf(old, sizeof old, "%s/old.img", folder);
	(void)snprintf(before, sizeof before, "%s/before.img", folder);
	vfs = NULL;
}

static void teardown(void)
{
	shell("rm -rf %s", folder);
}

/* The fixture as it was kept, at `path` and at `old`. */
static void take(const struct fixture *f)
{
	shell("rm -f %s*; gzip -dc " FIXTURES "%s.img.gz >%s && cp %s %s", path, f->name, old, old, path);
}

static void take_key(const struct fixture *f, struct secret *key)
{
	char reason[256], file[96];

	if (f->insecure) {
		ck_assert_int_eq(key_file_insecure(key), OK);
		return;
	}
	(void)snprintf(file, sizeof file, "%s/card.key", folder);
	shell("install -m 600 " FIXTURES "card.key %s", file);
	ck_assert_msg(key_file_read(file, NULL, key, reason, sizeof reason) == OK, "%s", reason);
}

static enum image_error open_file(const struct fixture *f, struct image_file **out, bool upgrade)
{
	SECRET key = { 0 };
	enum image_error e;

	take_key(f, &key);
	options = (struct image_options){ .path = path, .vfs = vfs, .key = secret_bytes(&key) };
	e = upgrade ? image_file_open_upgraded(out, &options) : image_file_open(out, &options);
	ck_assert((e == IMAGE_OK) == (*out != NULL));
	return e;
}

/* Open the file and every card in it. */
static enum image_error open_all(const struct fixture *f, bool upgrade)
{
	SECRET key = { 0 };
	struct image_file *file;
	size_t records = 0;
	enum image_error e = open_file(f, &file, upgrade);

	take_key(f, &key);
	if (e != IMAGE_OK)
		return e;
	ck_assert_uint_eq(image_file_count(file), f->cards);
	for (size_t i = 0; e == IMAGE_OK && i < f->cards; i++) {
		struct image *im;

		if ((e = image_open_card(&im, file, secret_bytes(&key), image_file_card(file, i), false)) == IMAGE_OK)
			records += image_record_count(im);
		image_close(&im);
	}
	image_file_close(&file);
	ck_assert(e != IMAGE_OK || records == f->records);
	return e;
}

static struct image *open_one(const struct fixture *f)
{
	SECRET key = { 0 };
	struct image *im;

	take_key(f, &key);
	options = (struct image_options){ .path = path, .vfs = vfs, .key = secret_bytes(&key) };
	ck_assert_int_eq(image_open(&im, &options), IMAGE_OK);
	return im;
}

/* Statements behind the card's back; the number that the last one gives. */
static long sql(const char *statements)
{
	char attach[160];
	sqlite3_stmt *s;
	sqlite3 *db;
	long number = -1;
	int rc;

	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	(void)snprintf(attach, sizeof attach, "ATTACH '%s' AS old", old);
	ck_assert_int_eq(sqlite3_exec(db, attach, NULL, NULL, NULL), SQLITE_OK);
	while (*statements != 0) {
		ck_assert_msg(sqlite3_prepare_v2(db, statements, -1, &s, &statements) == SQLITE_OK, "%s", sqlite3_errmsg(db));
		while ((rc = sqlite3_step(s)) == SQLITE_ROW)
			number = (long)sqlite3_column_int64(s, 0);
		ck_assert_msg(rc == SQLITE_DONE, "%s", sqlite3_errmsg(db));
		(void)sqlite3_finalize(s);
	}
	(void)sqlite3_close(db);
	return number;
}

/* Refused with e, and not an octet is changed. */
static void refused(const struct fixture *f, enum image_error e, const char *why)
{
	enum image_error got;

	shell("cp %s %s", path, before);
	got = open_all(f, true);
	ck_assert_msg(got == e, "%s: %d", why, (int)got);
	ck_assert_msg(same(path, before), "%s", why);
	ck_assert_uint_eq(options.upgraded_from, 0);
}

/* Sealed records and the table of cards as bcfc442 left them; the roots and the number new. */
static void check_rows(const struct fixture *f)
{
	static const char differ[] =
	        "SELECT count(*) FROM (SELECT * FROM (SELECT * FROM main.record WHERE length(name)>0 EXCEPT "
	        "SELECT * FROM old.record) UNION ALL SELECT * FROM (SELECT * FROM old.record WHERE "
	        "length(name)>0 EXCEPT SELECT * FROM main.record))";

	ck_assert_int_eq(sql(differ), 0);
	ck_assert_int_eq(sql("SELECT count(*) FROM main.card NATURAL JOIN old.card"), (long)f->cards);
	ck_assert_int_eq(sql("SELECT count(*) FROM main.record WHERE length(name)=0 AND length(data)=44 AND "
	                     "substr(data,1,4)=X'00000002'"),
	        (long)f->cards);
	ck_assert_int_eq(sql("PRAGMA main.user_version"), 2);
}

START_TEST(an_older_image_is_upgraded_once)
{
	const struct fixture *f = &fixtures[_i];

	take(f);
	ck_assert_int_eq(sql("PRAGMA main.user_version"), 0);
	ck_assert_int_eq(open_all(f, true), IMAGE_OK);
	ck_assert_uint_eq(options.upgraded_from, 1);
	ck_assert_uint_eq(options.format, 2);
	check_rows(f);
	shell("cp %s %s", path, before);
	ck_assert_int_eq(open_all(f, true), IMAGE_OK);
	ck_assert_uint_eq(options.upgraded_from, 0);
	ck_assert_uint_eq(options.format, 2);
	ck_assert(same(path, before));
}
END_TEST

START_TEST(a_new_image_is_of_the_newest_format)
{
	struct image_options o = { .path = path,
		.key = hex("00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF"),
		.create = true,
		.card_id = { 0x98 } };
	struct image *im;

	ck_assert_int_eq(image_open(&im, &o), IMAGE_OK);
	image_close(&im);
	ck_assert_uint_eq(o.format, IMAGE_FORMAT);
	ck_assert_uint_eq(o.upgraded_from, 0);
	take(&fixtures[TEST]); /* for `old` */
	shell("rm %s", path);
	o.create = true;
	ck_assert_int_eq(image_open(&im, &o), IMAGE_OK);
	image_close(&im);
	ck_assert_int_eq(sql("PRAGMA main.user_version"), IMAGE_FORMAT);
	o.create = false;
	ck_assert_int_eq(image_open(&im, &o), IMAGE_OK);
	image_close(&im);
}
END_TEST

/* What `prose-card dump --secrets` of bcfc442 said. */
START_TEST(names_and_secrets_are_those_that_bcfc442_listed)
{
	const struct fixture *f = &fixtures[_i];
	static struct store_work work;
	struct store s;
	struct record_name name = { 0 };
	char file[96], text[2 * SECRET_LARGE_MAX + 1];
	json_t *said, *names, *secrets;
	struct image *im;
	size_t count = 0, found = 0;

	(void)snprintf(file, sizeof file, FIXTURES "%s.secrets.json", f->name);
	ck_assert_ptr_nonnull(said = json_load_file(file, 0, NULL));
	names = json_object_get(said, "records");
	secrets = json_object_get(said, "secrets");
	take(f);
	im = open_one(f);
	store_init(&s, image_backend(im), &work);
	for (; store_next(&s, (struct bytes){ 0 }, name_bytes(&name), &name) == OK; count++) {
		const char *expected = json_string_value(json_array_get(names, count));

		ck_assert(expected != NULL && bytes_equal(bytes_str(expected), name_bytes(&name)));
		for (size_t i = 0; i < secret_row_count; i++) {
			SECRET_LARGE content = { 0 };
			struct bytes prefix = bytes_str(secret_rows[i].record), value;
			json_t *secret;

			if (name.n < prefix.n || memcmp(name.text, prefix.p, prefix.n) != 0 ||
			        store_get_large(&s, name_bytes(&name), &content) != OK ||
			        secret_row_value(&secret_rows[i], secret_large_bytes(&content), &value) != OK)
				continue;
			secret = json_array_get(secrets, found++);
			ck_assert_str_eq(json_string_value(json_object_get(secret, "key")), secret_rows[i].key);
			ck_assert_str_eq(json_string_value(json_object_get(secret, "hex")), hex_encode(value, text));
		}
	}
	ck_assert_uint_eq(count, f->records);
	ck_assert_uint_eq(count, json_array_size(names));
	ck_assert_uint_eq(found + 1, json_array_size(secrets)); /* and the key of the records */
	ck_assert_str_eq(json_string_value(json_object_get(json_array_get(secrets, found), "hex")),
	        hex_encode(image_record_key(im), text));
	image_close(&im);
	json_decref(said);
}
END_TEST

/* One of three tries is spent, the PIN is the changed one, and what the card writes from now on lasts. */
START_TEST(an_upgraded_card_goes_on)
{
	struct image *im;
	struct rig *r;

	take(&fixtures[CARD]);
	im = open_one(&fixtures[CARD]);
	r = rig_on(image_backend(im), true);
	ck_assert_uint_eq(rig_send(r, "00200001"), 0x63C2);
	ck_assert_uint_eq(rig_send(r, "002000010839393939FFFFFFFF"), 0x63C1);
	rig_free(&r);
	image_close(&im);
	im = open_one(&fixtures[CARD]);
	ck_assert_uint_eq(options.upgraded_from, 0);
	r = rig_on(image_backend(im), true);
	ck_assert_uint_eq(rig_send(r, "00200001"), 0x63C1);
	ck_assert_uint_eq(rig_send(r, "002000010834333231FFFFFFFF"), 0x9000);
	ck_assert_uint_eq(rig_send(r, "00A4040C10A0000000871002FFFFFFFF8907090000"), 0x9000);
	ck_assert_uint_eq(rig_send(r, "00A4080C067FFF5F904F05"), 0x9000);
	ck_assert_uint_eq(rig_send(r, "00B0000008"), 0x9000);
	ck_assert(bytes_equal(rig_data(), hex("A00680040010F110"))); /* by OTA */
	rig_free(&r);
	image_close(&im);
}
END_TEST

START_TEST(an_upgraded_farm_goes_on)
{
	SECRET key = { 0 };
	struct image_file *file;
	struct image *im;
	struct rig *r;

	take(&fixtures[FARM]);
	take_key(&fixtures[FARM], &key);
	ck_assert_int_eq(open_file(&fixtures[FARM], &file, true), IMAGE_OK);
	for (size_t i = 0; i < 3; i++) {
		ck_assert_int_eq(image_open_card(&im, file, secret_bytes(&key), image_file_card(file, i), false), IMAGE_OK);
		r = rig_on(image_backend(im), true);
		ck_assert_uint_eq(rig_send(r, i == 1 ? "002000010838373635FFFFFFFF" : "002000010831323334FFFFFFFF"), 0x9000);
		ck_assert_uint_eq(rig_send(r, "00A4040C10A0000000871002FFFFFFFF8907090000"), 0x9000);
		ck_assert_uint_eq(rig_send(r, "00A4080C067FFF5F904F09"), 0x9000);
		ck_assert_uint_eq(rig_send(r, "00B0000004"), 0x9000);
		ck_assert(bytes_equal(rig_data(), hex("11223344")) == (i == 1));
		rig_free(&r);
		image_close(&im);
	}
	image_file_close(&file);
}
END_TEST

#define SOME "(SELECT min(name) FROM main.record WHERE length(name)>0)"
#define LAST_CARD "(SELECT id FROM main.card ORDER BY rowid DESC LIMIT 1)"
static const char *const acts[] = {
	"UPDATE record SET data=CAST(X'00'||substr(data,2) AS BLOB) WHERE name=" SOME " AND card=" LAST_CARD,
	"UPDATE record SET generation=generation-1 WHERE name=" SOME " AND card=" LAST_CARD,
	"DELETE FROM record WHERE name=" SOME " AND card=" LAST_CARD,
	"UPDATE record SET data=(SELECT data FROM main.record r WHERE r.name=(SELECT max(name) FROM main.record) AND "
	"card=" LAST_CARD ") WHERE name=" SOME " AND card=" LAST_CARD,
	"INSERT INTO record SELECT card, X'63', generation, data FROM main.record WHERE name=" SOME " AND card=" LAST_CARD,
	"DELETE FROM record WHERE length(name)=0 AND card=" LAST_CARD,
	"UPDATE record SET data=zeroblob(40) WHERE length(name)=0 AND card=" LAST_CARD,
	"UPDATE record SET data=zeroblob(44) WHERE length(name)=0 AND card=" LAST_CARD,
	"UPDATE record SET data=CAST(X'00000002'||data AS BLOB) WHERE length(name)=0 AND card=" LAST_CARD,
	"UPDATE card SET id=X'02000000000000000000' WHERE id=" LAST_CARD,
	"PRAGMA main.user_version=1",
	"PRAGMA main.user_version=2",
	"PRAGMA main.user_version=3",
	"PRAGMA main.user_version=-1",
};

/* Of a farm it is the last card: those before it are not upgraded either. */
START_TEST(a_tampered_older_image_is_refused_and_left_alone)
{
	for (size_t i = 0; i < sizeof acts / sizeof *acts; i++) {
		take(&fixtures[_i]);
		(void)sql(acts[i]);
		ck_assert(!same(path, old));
		refused(&fixtures[_i], IMAGE_TAMPERED, acts[i]);
	}
}
END_TEST

static void upgrade(const struct fixture *f)
{
	take(f);
	ck_assert_int_eq(open_all(f, true), IMAGE_OK);
}

/* Nobody makes an image look older or newer. */
START_TEST(the_number_of_a_format_is_authentic)
{
	static const char *const lies[] = {
		"PRAGMA main.user_version=0",
		"PRAGMA main.user_version=1",
		"PRAGMA main.user_version=3",
		"PRAGMA main.user_version=-2",
		"UPDATE main.record SET data=CAST(X'00000001'||substr(data,5) AS BLOB) WHERE length(name)=0",
		"UPDATE main.record SET data=CAST(X'00000003'||substr(data,5) AS BLOB) WHERE length(name)=0",
		"UPDATE main.record SET data=CAST(substr(data,5) AS BLOB) WHERE length(name)=0",
		"UPDATE main.record SET data=CAST(substr(data,5) AS BLOB) WHERE length(name)=0; PRAGMA main.user_version=0",
		"UPDATE main.record SET data=CAST(substr(data,1,43) AS BLOB) WHERE length(name)=0",
		"UPDATE main.record SET data=CAST(data||X'00' AS BLOB) WHERE length(name)=0",
		/* the old root, with or without its records */
		"REPLACE INTO main.record SELECT * FROM old.record WHERE length(name)=0",
		"REPLACE INTO main.record SELECT * FROM old.record",
	};
	const struct fixture *f = &fixtures[_i];

	for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
		upgrade(f);
		(void)sql(lies[i]);
		refused(f, IMAGE_TAMPERED, lies[i]);
	}
}
END_TEST

/* The old root says nothing of what was written later; only all of the old image does, and that is README's limit. */
START_TEST(an_old_root_does_not_cover_later_records)
{
	static const char *const splices[] = {
		"REPLACE INTO main.record SELECT * FROM old.record WHERE length(name)=0; PRAGMA main.user_version=0",
		"REPLACE INTO main.record SELECT * FROM old.record WHERE length(name)=0",
	};
	struct image *im;
	struct rig *r;

	for (size_t i = 0; i < 2; i++) {
		take(&fixtures[CARD]);
		im = open_one(&fixtures[CARD]);
		r = rig_on(image_backend(im), true);
		ck_assert_uint_eq(rig_send(r, "002000010839393939FFFFFFFF"), 0x63C1);
		rig_free(&r);
		image_close(&im);
		(void)sql(splices[i]);
		refused(&fixtures[CARD], IMAGE_TAMPERED, splices[i]);
	}
	(void)sql("DELETE FROM main.record; INSERT INTO main.record SELECT * FROM old.record; PRAGMA main.user_version=0");
	ck_assert_int_eq(open_all(&fixtures[CARD], true), IMAGE_OK);
}
END_TEST

START_TEST(one_card_of_a_farm_does_not_go_back)
{
	static const char splice[] = "REPLACE INTO main.record SELECT * FROM old.record WHERE card=" LAST_CARD;

	upgrade(&fixtures[FARM]);
	(void)sql(splice);
	refused(&fixtures[FARM], IMAGE_TAMPERED, "number 2");
	(void)sql("PRAGMA main.user_version=0");
	refused(&fixtures[FARM], IMAGE_TAMPERED, "number 0");
}
END_TEST

START_TEST(a_newer_image_is_refused_and_left_alone)
{
	upgrade(&fixtures[_i]);
	(void)sql("UPDATE main.record SET data=CAST(X'00000003'||substr(data,5)||X'00' AS BLOB) WHERE length(name)=0;"
	          "ALTER TABLE main.card RENAME TO later; PRAGMA main.user_version=3");
	refused(&fixtures[_i], IMAGE_NEWER, "format 3");
	ck_assert_uint_eq(options.format, 3);
}
END_TEST

/* Where the image stands after something went wrong: whole, of the old format or of the new. */
static unsigned whole_format(const struct fixture *f)
{
	ck_assert_int_eq(open_all(f, false), IMAGE_OK);
	if (options.format == 2)
		check_rows(f);
	return options.format;
}

/* Power goes at each write and sync of the upgrade, unsynced sectors dropped or torn. */
START_TEST(power_cuts_of_an_upgrade_leave_old_or_new)
{
	const struct fixture *f = &fixtures[_i];
	unsigned seen[3] = { 0 };

	vfs_cut_register();
	for (int torn = 0; torn < 2; torn++) {
		for (long cut = 0;; cut++) {
			struct image_file *file;
			enum image_error e;
			bool reached;
			unsigned format;

			ck_assert_int_lt(cut, 500);
			take(f);
			vfs = "cut";
			vfs_cut_arm(cut, torn != 0);
			e = open_file(f, &file, true);
			reached = vfs_cut_operations() <= cut;
			vfs_cut_arm(0, torn != 0); /* right after the answer at the latest */
			image_file_close(&file);
			vfs_cut_arm(-1, false);
			vfs = NULL;
			format = whole_format(f);
			ck_assert_msg(e != IMAGE_OK || format == 2, "cut %ld: answered, but not there", cut);
			seen[format]++;
			ck_assert_int_eq(open_all(f, true), IMAGE_OK);
			ck_assert_uint_eq(options.upgraded_from, format == 1 ? 1 : 0);
			check_rows(f);
			if (reached) {
				ck_assert_int_eq(e, IMAGE_OK);
				break;
			}
		}
	}
	ck_assert(seen[1] >= 6 && seen[2] >= 2); /* at least a frame for root and number, header and sync, each way */
}
END_TEST

/* The disk is full from the n-th write on. */
START_TEST(a_full_disk_leaves_the_old_image)
{
	const struct fixture *f = &fixtures[_i];
	enum image_error e;
	long n = 0;

	vfs_cut_register();
	do {
		struct image_file *file;

		ck_assert_int_lt(n, 500);
		take(f);
		vfs = "cut";
		vfs_cut_fill(n++);
		e = open_file(f, &file, true);
		image_file_close(&file);
		vfs_cut_arm(-1, false);
		vfs = NULL;
		if (e != IMAGE_OK) {
			ck_assert_int_eq(e, IMAGE_FULL);
			ck_assert_uint_eq(options.upgraded_from, 0);
			ck_assert(same(path, old));
			ck_assert_int_eq(whole_format(f), 1);
		}
		ck_assert_int_eq(open_all(f, true), IMAGE_OK);
		check_rows(f);
	} while (e != IMAGE_OK);
	ck_assert_int_gt(n, 3);
}
END_TEST

/* Another user's file, another user's folder, both. */
START_TEST(a_read_only_image_is_refused_with_its_cause)
{
	static const mode_t modes[][2] = { { 0444, 0777 }, { 0666, 0555 }, { 0444, 0555 } };
	char place[] = "/tmp/prose-check.XXXXXX", home[96];
	int status;
	pid_t child;

	ck_assert_ptr_nonnull(mkdtemp(place));
	(void)snprintf(home, sizeof home, "%s", path);
	(void)snprintf(path, sizeof path, "%s/card.img", place);
	for (size_t i = 0; i < 3; i++) {
		take(&fixtures[TEST]);
		ck_assert(chmod(path, modes[i][0]) == 0 && chmod(place, modes[i][1]) == 0);
		if ((child = fork()) == 0) {
			struct image_options o = { .path = path };
			struct secret key = { 0 };
			struct image *im;

			if ((geteuid() == 0 && setuid(65534) != 0) || key_file_insecure(&key) != OK)
				_exit(1);
			o.key = secret_bytes(&key);
			_exit(image_open(&im, &o) == IMAGE_READ_ONLY ? 0 : 2);
		}
		ck_assert_int_eq(waitpid(child, &status, 0), child);
		ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%zu: %d", i, WEXITSTATUS(status));
		ck_assert(same(path, old));
		ck_assert(chmod(place, 0700) == 0);
	}
	shell("rm -rf %s", place);
	(void)snprintf(path, sizeof path, "%s", home);
}
END_TEST

Suite *suite_image_migration(void)
{
	Suite *s = suite_create("image_migration");
	TCase *t = tcase_create("image_migration");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, an_older_image_is_upgraded_once, 0, FIXTURE_COUNT);
	tcase_add_test(t, a_new_image_is_of_the_newest_format);
	tcase_add_loop_test(t, names_and_secrets_are_those_that_bcfc442_listed, CARD, FARM);
	tcase_add_test(t, an_upgraded_card_goes_on);
	tcase_add_test(t, an_upgraded_farm_goes_on);
	tcase_add_loop_test(t, a_tampered_older_image_is_refused_and_left_alone, 0, FIXTURE_COUNT);
	tcase_add_loop_test(t, the_number_of_a_format_is_authentic, 0, FIXTURE_COUNT);
	tcase_add_test(t, an_old_root_does_not_cover_later_records);
	tcase_add_test(t, one_card_of_a_farm_does_not_go_back);
	tcase_add_loop_test(t, a_newer_image_is_refused_and_left_alone, 0, FIXTURE_COUNT);
	tcase_add_loop_test(t, power_cuts_of_an_upgrade_leave_old_or_new, 0, FIXTURE_COUNT);
	tcase_add_loop_test(t, a_full_disk_leaves_the_old_image, 0, FIXTURE_COUNT);
	tcase_add_test(t, a_read_only_image_is_refused_with_its_cause);
	suite_add_tcase(s, t);
	return s;
}
