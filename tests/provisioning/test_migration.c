/* SPDX-License-Identifier: Apache-2.0 */
/* A database that bcfc442 has made (tests/fixtures) becomes one of the newest schema: nothing is lost, duplicates are named and
 * marked, power may fail at any write, and nobody else is there meanwhile. tests/e2e/migration does the same on PostgreSQL. */
#include <ctype.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "provisioning/db/db_schema.h"
#include "provisioning/keys/kms.h"
#include "provisioning/db/migration.h"
#include "tests/card/io/vfs_cut.h"
#include "tests/support/operator.h"

#define FIXTURE "tests/fixtures/bcfc442/"
#define KEPT "8949000000000000041"
#define LOST "8949000000000000033"
#define MARKED "8949000000000000058"
#define SHARED_IMSI "262010000000003"
enum { TEXT_MAX = 65536 };

static char folder[64], path[96], key[96], reason[512];

static void run(const char *format, const char *a, const char *b)
{
	char command[512];

	(void)snprintf(command, sizeof command, format, a, b);
	ck_assert_int_eq(system(command), 0);
}

static void old_database(void)
{
	run("rm -f %s*; gzip -dc " FIXTURE "state.db.gz >%s", path, path);
}

static void setup(void)
{
	(void)snprintf(folder, sizeof folder, "build/test-migration.%d.XXXXXX", (int)getpid());
	ck_assert_ptr_nonnull(mkdtemp(folder));
	(void)snprintf(path, sizeof path, "%s/state.db", folder);
	(void)snprintf(key, sizeof key, "%s/master.key", folder);
	run("cp " FIXTURE "master.key %s && chmod 600 %s", key, key);
	old_database();
	reason[0] = 0;
}

static void teardown(void)
{
	run("rm -rf %s%s", folder, "");
}

static unsigned steps, first = SCHEMA_FIRST; /* begun and ended, of the last upgrade; the schema before it */
static void step(void *context, const struct migration *m, bool done)
{
	(void)context;
	ck_assert_uint_eq(m->number, first + 1 + steps / 2);
	ck_assert_int_eq(done, steps % 2);
	steps++;
}

static enum status upgrade(void)
{
	struct sql *s = sql_open_alone(path, reason, sizeof reason);
	enum status st = s != NULL ? migration_run(s, step, NULL, reason, sizeof reason) : ERR_DENIED;

	steps = s != NULL ? steps : 0;
	sql_close(&s);
	return st;
}

static void upgraded(void)
{
	steps = 0;
	ck_assert_msg(upgrade() == OK, "%s", reason);
}

/* All rows of a query in one text, columns and rows apart; owned by the caller. */
static char *rows_of(const char *file, const char *query)
{
	char *text = calloc(1, TEXT_MAX);
	sqlite3_stmt *s;
	size_t n = 0;
	sqlite3 *d;

	ck_assert_int_eq(sqlite3_open_v2(file, &d, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	ck_assert_msg(sqlite3_prepare_v2(d, query, -1, &s, NULL) == SQLITE_OK, "%s: %s", query, sqlite3_errmsg(d));
	while (sqlite3_step(s) == SQLITE_ROW) {
		for (int i = 0; i < sqlite3_column_count(s); i++) {
			const uint8_t *p = sqlite3_column_blob(s, i);

			for (int at = 0; at < sqlite3_column_bytes(s, i) && n + 8 < TEXT_MAX; at++)
				n += (size_t)snprintf(text + n, 4, isprint(p[at]) && p[at] != '%' ? "%c" : "%%%02x", p[at]);
			text[n++] = '|';
		}
		text[n++] = '\n';
	}
	ck_assert_uint_lt(n + 16, TEXT_MAX);
	(void)sqlite3_finalize(s);
	(void)sqlite3_close(d);
	return text;
}

static void same_rows(const char *before, const char *after_file, const char *query)
{
	char *after = rows_of(after_file, query);

	ck_assert_msg(strcmp(before, after) == 0, "%s\n%s\n%s", query, before, after);
	free(after);
}

/* What a schema says, however it is spaced: its objects by name. SQLite keeps the text of what made them. */
static char *shape_of(const char *file)
{
	char *text = rows_of(
	        file, "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_stat%' ORDER BY type, name");
	size_t n = 0;

	for (const char *in = text; *in != 0; in++) {
		if (strncmp(in, "IF NOT EXISTS ", 14) == 0)
			in += 14;
		if (*in != ' ' && *in != '"')
			text[n++] = *in;
	}
	text[n] = 0;
	return text;
}

START_TEST(an_upgraded_database_has_the_shape_of_a_new_one)
{
	char other[80], other_key[96], other_path[96], *old_shape, *new_shape;
	struct db *d;

	(void)snprintf(other, sizeof other, "%s/new", folder);
	(void)snprintf(other_key, sizeof other_key, "%s/new.key", folder);
	(void)snprintf(other_path, sizeof other_path, "%s/new/state.db", folder);
	ck_assert_ptr_nonnull(d = db_open(other, other_key, reason, sizeof reason));
	db_close(&d);
	upgraded();
	old_shape = shape_of(path);
	new_shape = shape_of(other_path);
	ck_assert_str_eq(old_shape, new_shape);
	free(old_shape);
	free(new_shape);
}
END_TEST

/* Every table, and what of it an upgrade may not change. */
static const char *const kept_rows[] = {
	"SELECT iccid, imsi, msisdn, secrets, ota_counter, sequence, revoked FROM card ORDER BY iccid",
	"SELECT * FROM gba WHERE imsi<>'001010000000006' AND imsi<>'" SHARED_IMSI "' ORDER BY btid",
	"SELECT * FROM kms",
	"SELECT * FROM users ORDER BY uri",
	"SELECT uri, manager, policy FROM grp ORDER BY uri",
	"SELECT * FROM member ORDER BY grp, uri",
	"SELECT grp, id, not_before, not_after, key FROM gmk ORDER BY grp, id",
	"SELECT * FROM discovery ORDER BY name",
	"SELECT * FROM hss ORDER BY imsi",
	"SELECT * FROM outbox ORDER BY id",
	"SELECT * FROM kms_log ORDER BY n",
	"SELECT * FROM external_kms ORDER BY uri",
	"SELECT * FROM guest ORDER BY grp, uri",
	"SELECT * FROM permission ORDER BY plmn, iccid",
	"SELECT * FROM joinable ORDER BY grp",
	"SELECT * FROM invited ORDER BY grp, uri",
	"SELECT * FROM vouched ORDER BY card, nonce",
	"SELECT * FROM enrol ORDER BY id",
	"SELECT * FROM campaign ORDER BY name",
	"SELECT * FROM stage ORDER BY campaign, stage",
	"SELECT * FROM task ORDER BY campaign, iccid",
	"SELECT * FROM event ORDER BY iccid, at, what",
	"SELECT * FROM meta WHERE name<>'schema'",
};
enum { KEPT_ROWS = sizeof kept_rows / sizeof *kept_rows };

START_TEST(every_row_of_every_table_is_still_there)
{
	char *before[KEPT_ROWS],
	        *tables = rows_of(path, "SELECT name FROM sqlite_master WHERE type='table' AND name NOT LIKE 'sqlite%'");
	size_t count = 0;

	for (const char *at = tables; *at != 0; at++)
		count += *at == '\n';
	ck_assert_uint_eq(count, KEPT_ROWS);
	free(tables);
	for (size_t i = 0; i < KEPT_ROWS; i++) {
		before[i] = rows_of(path, kept_rows[i]);
		ck_assert_msg(before[i][0] != 0, "the fixture has nothing of: %s", kept_rows[i]);
	}
	upgraded();
	ck_assert_uint_eq(steps, 2 * migration_count);
	for (size_t i = 0; i < KEPT_ROWS; i++) {
		same_rows(before[i], path, kept_rows[i]);
		free(before[i]);
	}
	same_rows("10|\n", path, "SELECT value FROM meta WHERE name='schema'");
	same_rows("", path, "SELECT * FROM pragma_foreign_key_check");
}
END_TEST

static void opened(void)
{
	upgraded();
	db = db_open(folder, key, reason, sizeof reason);
	ck_assert_msg(db != NULL, "%s", reason);
}

START_TEST(secrets_unwrap_under_the_master_key)
{
	SECRET_LARGE secrets = { 0 };
	char *cards;
	struct db_kms k;
	struct db_discovery d;
	struct db_card c;

	opened();
	cards = rows_of(path, "SELECT iccid FROM card");
	for (char *at = strtok(cards, "|\n"); at != NULL; at = strtok(NULL, "|\n")) {
		ck_assert_int_eq(db_card_get(db, at, &c, &secrets), OK);
		ck_assert_uint_gt(secrets.len, 32);
	}
	free(cards);
	ck_assert_int_eq(db_kms_get(db, &k, &secrets), OK);
	ck_assert_int_eq(db_discovery_get(db, "open", &d, &secrets), OK);
	ck_assert_int_eq(db_discovery_get(db, "tactical", &d, &secrets), OK);
	db_close(&db);
}
END_TEST

static void collect(void *context, const struct duplicate *d)
{
	char *text = context;
	size_t n = strlen(text);

	(void)snprintf(text + n, 512 - n, "%s %s %s %d\n", d->iccid, d->imsi, d->kept, d->revoked);
}

static char *duplicates(unsigned version)
{
	static char text[512];
	struct sql *s = sql_open_existing(path, reason, sizeof reason);

	text[0] = 0;
	ck_assert_int_eq(migration_duplicates(s, version, collect, text), OK);
	sql_close(&s);
	return text;
}

START_TEST(duplicates_are_named_before_and_after)
{
	static const char expected[] = "8949000000000000066 001010000000006 8900101000000000068 0\n" LOST " " SHARED_IMSI
	                               " " KEPT " 1\n" MARKED " " SHARED_IMSI " " KEPT " 0\n";

	ck_assert_str_eq(duplicates(SCHEMA_FIRST), expected);
	upgraded();
	ck_assert_str_eq(duplicates(SCHEMA_VERSION), expected);
}
END_TEST

START_TEST(only_the_kept_card_is_served)
{
	uint8_t raw[8192];
	struct buf b = BUF_OF(raw);
	struct hss_vector v;
	struct db_card c;
	char iccid[21];

	opened();
	ck_assert_int_eq(db_card_by_imsi(db, SHARED_IMSI, iccid), OK);
	ck_assert_str_eq(iccid, KEPT);
	ck_assert_int_eq(hss_vector(db, SHARED_IMSI, &v), OK);
	ck_assert_int_eq(db_card_get(db, MARKED, &c, NULL), OK);
	ck_assert_str_eq(c.duplicate_of, KEPT);
	ck_assert_int_eq(kms_issue(db, NULL, NOW, NULL, MARKED, "sip:double@example.org", NOW, &b), ERR_DENIED);
	ck_assert_uint_eq(b.len, 0);
	ck_assert_int_eq(
	        kms_issue(db, NULL, NOW, NULL, KEPT, "sip:double@example.org", NOW, &b), OK); /* the marked one's user */
	db_close(&db);
}
END_TEST

START_TEST(the_imsi_of_a_lost_card_goes_to_the_next)
{
	char iccid[21];

	opened();
	ck_assert_int_eq(db_card_revoke(db, KEPT, NOW), OK);
	ck_assert_int_eq(db_card_by_imsi(db, SHARED_IMSI, iccid), OK);
	ck_assert_str_eq(iccid, MARKED);
	ck_assert_int_eq(db_card_revoke(db, MARKED, NOW), OK); /* the last one that is not lost: it stays with it */
	ck_assert_int_eq(db_card_by_imsi(db, SHARED_IMSI, iccid), OK);
	ck_assert_str_eq(iccid, MARKED);
	db_close(&db);
	ck_assert_str_eq(duplicates(SCHEMA_VERSION), "8949000000000000066 001010000000006 8900101000000000068 0\n" LOST
	                                             " " SHARED_IMSI " " MARKED " 1\n" KEPT " " SHARED_IMSI " " MARKED " 1\n");
}
END_TEST

static void refused_key(const char *iccid, const char *imsi, const char *msisdn, const char *why)
{
	struct db_card c = { 0 };
	char text[DB_SENTENCE_MAX];

	(void)snprintf(c.iccid, sizeof c.iccid, "%s", iccid);
	(void)snprintf(c.imsi, sizeof c.imsi, "%s", imsi);
	(void)snprintf(c.msisdn, sizeof c.msisdn, "%s", msisdn);
	ck_assert_int_eq(db_card_add(db, &c, BYTES_STR("secrets")), why != NULL ? ERR_DENIED : OK);
	if (why == NULL)
		return;
	ck_assert_int_eq(db_card_conflict(db, &c, text), OK);
	ck_assert_ptr_nonnull(strstr(text, why));
}

START_TEST(natural_keys_are_unique)
{
	const char *fresh = "8949000000000000090";
	struct db_kms k = { .uri = "other", .period = 1 };

	opened();
	refused_key(KEPT, "262010000000090", "", "known already");
	refused_key(fresh, SHARED_IMSI, "", "IMSI " SHARED_IMSI " is the one of card " KEPT);
	refused_key(fresh, "262010000000090", "9990000000001", "number 9990000000001 is the one of card 8900101000000000019");
	refused_key(fresh, "262010000000090", "9990000000090", NULL);
	ck_assert_int_eq(db_kms_set(db, &k, BYTES_STR("keys")), ERR_DENIED);
	db_close(&db);
}
END_TEST

START_TEST(users_move_only_when_told_to)
{
	const char *user = "sip:user0@example.org", *old = "8900101000000000019", *new = "8949000000000000017";
	uint8_t raw[8192];
	struct buf b = BUF_OF(raw);
	char iccid[21];

	opened();
	ck_assert_int_eq(db_user_set(db, user, new), ERR_DENIED);
	ck_assert_int_eq(db_user_allow(db, user, new, false), ERR_DENIED);
	ck_assert_int_eq(kms_issue(db, NULL, NOW, NULL, new, user, NOW, &b), ERR_DENIED);
	ck_assert_int_eq(db_user_elsewhere(db, user, new, iccid), OK);
	ck_assert_str_eq(iccid, old);
	ck_assert_int_eq(db_user_elsewhere(db, user, old, iccid), ERR_NOT_FOUND);
	ck_assert_int_eq(db_user_card(db, user, iccid), OK);
	ck_assert_str_eq(iccid, old);
	ck_assert_int_eq(db_user_allow(db, user, new, true), OK);
	ck_assert_int_eq(db_card_revoke(db, new, NOW), OK);
	ck_assert_int_eq(db_user_allow(db, user, old, false), OK); /* from a lost card without a word */
	ck_assert_int_eq(db_user_card(db, user, iccid), OK);
	ck_assert_str_eq(iccid, old);
	db_close(&db);
}
END_TEST

static struct db_external_kms external(const char *uri, const char *domain)
{
	struct db_external_kms k = { .period = 7 };

	(void)snprintf(k.uri, sizeof k.uri, "%s", uri);
	(void)snprintf(k.domain, sizeof k.domain, "%s", domain);
	return k;
}

START_TEST(domains_move_only_when_told_to)
{
	const struct db_external_kms same = external("kms.police.example.net", "police.example.net"),
	                             elsewhere = external("kms.police.example.net", "coast.example.net"),
	                             other = external("kms.coast.example.net", "police.example.net");
	struct db_external_kms found;
	char uri[129], domain[129];

	opened();
	ck_assert_int_eq(db_external_kms_conflict(db, &same, uri, domain), ERR_NOT_FOUND);
	ck_assert_int_eq(db_external_kms_set(db, &same, false), OK); /* new keys */
	ck_assert_int_eq(db_external_kms_conflict(db, &elsewhere, uri, domain), OK);
	ck_assert_str_eq(domain, "police.example.net");
	ck_assert_int_eq(db_external_kms_set(db, &elsewhere, false), ERR_DENIED);
	ck_assert_int_eq(db_external_kms_conflict(db, &other, uri, domain), OK);
	ck_assert_str_eq(uri, "kms.police.example.net");
	ck_assert_int_eq(db_external_kms_set(db, &other, false), ERR_DENIED);
	ck_assert_int_eq(db_external_kms_get(db, "police.example.net", &found), OK);
	ck_assert_str_eq(found.uri, "kms.police.example.net");
	ck_assert_int_eq(db_external_kms_set(db, &other, true), OK);
	ck_assert_int_eq(db_external_kms_get(db, "police.example.net", &found), OK);
	ck_assert_str_eq(found.uri, "kms.coast.example.net");
	db_close(&db);
}
END_TEST

static void set_schema(const char *value)
{
	char query[80];

	(void)snprintf(query, sizeof query, "UPDATE meta SET value='%s' WHERE name='schema' RETURNING value", value);
	free(rows_of(path, query));
}

START_TEST(other_schemas_are_refused_with_a_sentence)
{
	static const struct {
		const char *version, *why;
	} row[] = {
		{ "8", "is of schema 8, this prose-net needs 10: stop the servers, keep a copy, run `prose-net db upgrade`" },
		{ "11", "was made by a newer prose-net (schema 11; this one knows 10)" }, { "7", "older than any" }
	};

	set_schema(row[_i].version);
	ck_assert_ptr_null(db = db_open(folder, key, reason, sizeof reason));
	ck_assert_msg(strstr(reason, row[_i].why) != NULL, "%s", reason);
	steps = 0;
	ck_assert_int_eq(upgrade(), _i == 0 ? OK : ERR_DENIED);
	ck_assert_uint_eq(steps, _i == 0 ? 2 * migration_count : 0);
	if (_i > 0)
		ck_assert_msg(strstr(reason, row[_i].why) != NULL, "%s", reason);
}
END_TEST

START_TEST(another_connection_refuses_the_upgrade)
{
	sqlite3 *older;

	ck_assert_int_eq(sqlite3_open(path, &older), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(older, "SELECT * FROM meta", NULL, NULL, NULL), SQLITE_OK); /* and it is idle now */
	ck_assert_int_eq(upgrade(), ERR_DENIED);
	ck_assert_msg(strstr(reason, "another prose-net has it open") != NULL, "%s", reason);
	same_rows("8|\n", path, "SELECT value FROM meta WHERE name='schema'");
	(void)sqlite3_close(older);
	upgraded();
}
END_TEST

/* Power fails at the n-th write or sync; false: there were not that many. */
static bool cut_upgrade(long n, bool torn)
{
	bool cut;

	old_database();
	ck_assert_int_eq(sqlite3_vfs_register(sqlite3_vfs_find("cut"), 1), SQLITE_OK);
	vfs_cut_arm(n, torn);
	steps = 0;
	(void)upgrade();
	cut = vfs_cut_operations() > n;
	vfs_cut_arm(-1, false);
	ck_assert_int_eq(sqlite3_vfs_register(sqlite3_vfs_find("unix"), 1), SQLITE_OK);
	return cut;
}

START_TEST(power_fails_at_every_write)
{
	char *whole[KEPT_ROWS + 1], *shape;
	unsigned old = 0, new = 0;
	long n = 0;

	if (sqlite3_vfs_find("cut") == NULL)
		vfs_cut_register();
	upgraded();
	for (size_t i = 0; i < KEPT_ROWS; i++)
		whole[i] = rows_of(path, kept_rows[i]);
	whole[KEPT_ROWS] = rows_of(path, "SELECT iccid, duplicate_of FROM card ORDER BY iccid");
	shape = shape_of(path);
	for (; cut_upgrade(n, _i == 1); n++) {
		char *version = rows_of(path, "SELECT value FROM meta WHERE name='schema'"), *again;

		first = (unsigned)atoi(version);
		ck_assert_msg(first >= SCHEMA_FIRST && first <= SCHEMA_VERSION, "%ld: %s", n, version);
		*(first == SCHEMA_FIRST ? &old : &new) += 1;
		same_rows("ok|\n", path, "PRAGMA integrity_check");
		free(version);
		steps = 0;
		ck_assert_msg(upgrade() == OK, "%ld: %s", n, reason);
		for (size_t i = 0; i < KEPT_ROWS; i++)
			same_rows(whole[i], path, kept_rows[i]);
		same_rows(whole[KEPT_ROWS], path, "SELECT iccid, duplicate_of FROM card ORDER BY iccid");
		ck_assert_str_eq(again = shape_of(path), shape);
		free(again);
		first = SCHEMA_FIRST;
	}
	ck_assert_uint_gt(old, 10); /* both sides of the commit were seen */
	ck_assert_uint_gt(new, 1);
	for (size_t i = 0; i <= KEPT_ROWS; i++)
		free(whole[i]);
	free(shape);
}
END_TEST

Suite *suite_migration(void)
{
	Suite *s = suite_create("migration");
	TCase *c = tcase_create("migration");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, an_upgraded_database_has_the_shape_of_a_new_one);
	tcase_add_test(c, every_row_of_every_table_is_still_there);
	tcase_add_test(c, secrets_unwrap_under_the_master_key);
	tcase_add_test(c, duplicates_are_named_before_and_after);
	tcase_add_test(c, only_the_kept_card_is_served);
	tcase_add_test(c, the_imsi_of_a_lost_card_goes_to_the_next);
	tcase_add_test(c, natural_keys_are_unique);
	tcase_add_test(c, users_move_only_when_told_to);
	tcase_add_test(c, domains_move_only_when_told_to);
	tcase_add_loop_test(c, other_schemas_are_refused_with_a_sentence, 0, 3);
	tcase_add_test(c, another_connection_refuses_the_upgrade);
	tcase_add_loop_test(c, power_fails_at_every_write, 0, 2);
	suite_add_tcase(s, c);
	return s;
}
