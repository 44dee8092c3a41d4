/* SPDX-License-Identifier: Apache-2.0 */
/* Key service and group manager at size, on SQLite: key sets for many identities, and new keys for large groups, with what a
 * member costs in the first groups and in the last, and what the database grows by. usage: bench_keys FOLDER IDENTITIES GROUPS
 * MEMBERS */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "apdu/base/hex.h"
#include "apdu/birth.h"
#include "apdu/tlv.h"
#include "crypto/common/rng.h"
#include "crypto/guarded/sakke.h"
#include "provisioning/keys/join.h"
#include "provisioning/keys/kms.h"
#include "provisioning/operator.h"
#include "tests/bench/figure.h"

enum { BATCH = 1000, SLICE = 100, NOW = 1800000000 };

static const char *folder;

static double wall(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double processor(void)
{
	struct rusage r;

	(void)getrusage(RUSAGE_SELF, &r);
	return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) + (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

static void check(enum status st, const char *what)
{
	if (st == OK)
		return;
	(void)fprintf(stderr, "bench_keys: %s: %s\n", what, status_text(st));
	exit(1);
}

static double megabytes(void)
{
	static const char *const names[] = { "state.db", "state.db-wal" };
	char path[400];
	struct stat info;
	double sum = 0;

	for (size_t i = 0; i < 2; i++) {
		(void)snprintf(path, sizeof path, "%s/%s", folder, names[i]);
		sum += stat(path, &info) == 0 ? (double)info.st_size / 1e6 : 0;
	}
	return sum;
}

static const char iccid[] = "8900101000000000017";

/* One card for all: what it holds does not matter to the operator. */
static void add_card(struct db *db)
{
	struct db_card c = { .iccid = "8900101000000000017", .imsi = "001010000000001" };
	uint8_t raw[200];
	struct buf b = BUF_OF(raw);
	uint8_t key[32];

	check(rng_fill(&rng_system, key, sizeof key), "random");
	tlv_put_uint(&b, BIRTH_TRK_ID, 1, 1);
	tlv_put(&b, BIRTH_TRK, BYTES_OF(key));
	tlv_put(&b, BIRTH_INK, BYTES_OF(key));
	tlv_put(&b, BIRTH_K, (struct bytes){ key, 16 });
	tlv_put(&b, BIRTH_OPC, (struct bytes){ key + 16, 16 });
	check(bcd_encode(c.iccid, c.card_id, sizeof c.card_id), "iccid");
	check(db_card_add(db, &c, buf_bytes(&b)), "card");
}

/* What a key set cannot do without: one SAKKE extraction, its KMS's tables ready. Least processor of twenty, in seconds. */
static double bare_extraction(void)
{
	static struct secret_large z, rsk;
	static struct sakke_kms *k;
	uint8_t zp[SAKKE_POINT_LEN];
	double best = 1e9;

	if (k == NULL) {
		check(sakke_kms_new(&rng_system, &z, zp), "a KMS");
		check(sakke_kms_open(zp, &k), "a KMS's tables");
	}
	for (int i = 0; i < 20; i++) {
		double cpu = processor();

		check(sakke_kms_extract(k, &z, BYTES_STR("bench identity of thirty-two oct"), &rsk), "extract");
		best = least(best, processor() - cpu);
	}
	return best;
}

static void key_sets(struct db *db, unsigned n)
{
	static uint8_t raw[16384];
	struct kms_tables tables = { 0 };
	double began = wall(), before = megabytes(), cpu = processor(), best = 1e9, bare = 1e9, beside = 0;
	char user[64];

	for (unsigned i = 0; i < n; i++) {
		struct buf out = BUF_OF(raw);

		if (i % BATCH == 0)
			check(db_begin(db), "begin");
		(void)snprintf(user, sizeof user, "sip:user%u@example.org", i);
		check(kms_issue(db, &tables, NOW, NULL, iccid, user, NOW, &out), "issue");
		if (i % BATCH == BATCH - 1 || i == n - 1)
			check(db_commit(db), "commit");
		if (i % SLICE == SLICE - 1) {
			double paused = wall();

			best = least(best, (processor() - cpu) / SLICE);
			bare = least(bare, bare_extraction());
			beside += wall() - paused;
			cpu = processor();
		}
	}
	kms_tables_close(&tables);
	began += beside;
	(void)printf("key sets for %u identities on one core: %.1f s, %.0f a second, %.1f MB\n", n, wall() - began,
	        n / (wall() - began), megabytes() - before);
	figure("processor of a key set", best * 1e3, "ms", best / bare, "a SAKKE extraction");
}

/* Processor of a message in the last groups, by minima; how much it is in the first. */
static double groups(struct db *db, unsigned count, unsigned members)
{
	double began = wall(), first = 1e9, last = 1e9, before;
	char group[64], user[64];
	unsigned edge = count < 10 ? 1 : count / 10;
	uint32_t id;

	check(db_begin(db), "begin");
	for (unsigned g = 0; g < count; g++) {
		struct db_group row = { .manager_uri = "sip:gms@example.org", .policy = GROUP_POLICY_SIGN };

		(void)snprintf(row.uri, sizeof row.uri, "sip:group%u@example.org", g);
		check(db_group_add(db, &row), "group");
		for (unsigned m = 0; m < members; m++) {
			(void)snprintf(user, sizeof user, "sip:user%u@example.org", m);
			check(db_member_set(db, row.uri, user, true), "member");
		}
	}
	check(db_commit(db), "commit");
	before = megabytes();
	began = wall();
	for (unsigned g = 0; g < count; g++) {
		double cpu = processor();

		(void)snprintf(group, sizeof group, "sip:group%u@example.org", g);
		check(db_begin(db), "begin");
		check(group_rekey(db, group, NOW, NOW, NOW + 86400, NULL, NULL, &id), "rekey");
		check(db_commit(db), "commit");
		cpu = processor() - cpu;
		first = g < edge ? least(first, cpu / members) : first;
		last = g >= count - edge ? least(last, cpu / members) : last;
	}
	(void)printf("new keys for %u groups of %u: %.1f s, %.0f messages a second, %.1f MB, %.0f octets a message\n", count,
	        members, wall() - began, (double)count * members / (wall() - began), megabytes() - before,
	        (megabytes() - before) * 1e6 / ((double)count * members));
	figure("a member's new key in the last groups", last * 1e3, "ms", last / first, "in the first (aim 1.3)");
	return last;
}

/* A group that its members have joined (seed S-3.2): its refresh is one push message a member, each with a Ks of its own. */
static void refresh(struct db *db, unsigned members, double message)
{
	const struct db_gba g = { .imsi = "001010000000001", .impi = "001010000000001@ims", .expires = UINT32_MAX };
	const struct db_group row = { .uri = "sip:joined@example.org", .manager_uri = "groups.example.org" };
	const struct db_joinable j = { .owner = "sip:user0@example.org", .naf = "groups.example.org" };
	double best = 1e9;
	char user[64];
	unsigned n;

	check(db_begin(db), "begin");
	check(db_gba_put(db, "b@tid", &g, BYTES_STR("keys of no use here")), "context");
	check(db_gba_confirm(db, "b@tid", g.impi, g.expires), "context");
	check(db_group_add(db, &row), "group");
	check(db_joinable_add(db, row.uri, &j), "group");
	for (unsigned m = 0; m < members; m++) {
		(void)snprintf(user, sizeof user, "sip:user%u@example.org", m);
		check(db_member_set(db, row.uri, user, true), "member");
	}
	check(db_commit(db), "commit");
	for (int round = 0; round < 3; round++) {
		double cpu = processor();

		check(db_begin(db), "begin");
		check(join_refresh(db, NOW, row.uri, 86400, &n), "refresh");
		check(db_commit(db), "commit");
		best = least(best, (processor() - cpu) / n);
	}
	figure("a member's new key in a joined group, pushed", best * 1e3, "ms", best / message, "one of a large group");
}

int main(int argc, char **argv)
{
	char reason[256], key[400];
	struct db *db;

	if (argc != 5)
		return 2;
	folder = argv[1];
	(void)snprintf(key, sizeof key, "%s.key", folder);
	if ((db = db_open(folder, key, reason, sizeof reason)) == NULL) {
		(void)fprintf(stderr, "bench_keys: %s\n", reason);
		return 1;
	}
	check(db_begin(db), "begin");
	add_card(db);
	check(kms_init(db, "kms.example.org", 2592000, 0), "kms");
	check(db_commit(db), "commit");
	key_sets(db, (unsigned)atoi(argv[2]));
	refresh(db, 100, groups(db, (unsigned)atoi(argv[3]), (unsigned)atoi(argv[4])));
	db_close(&db);
	return 0;
}
