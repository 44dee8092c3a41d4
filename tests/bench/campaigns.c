/* SPDX-License-Identifier: Apache-2.0 */
/* What a campaign costs the operator: cards claimed, packets built and answers matched a second by one and two servers; and the
 * CPU (ours and the database server's) of a card among few and among many, blocks interleaved, minima of the rounds. usage:
 * campaigns WHERE OTHER-WHERE KEY-FILE LARGE, two folders or two URLs of empty databases. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "provisioning/campaign/campaign.h"
#include "provisioning/db/sql.h"
#include "tests/bench/figure.h"
#include "tests/support/fake_card.h"

enum { SMALL = 1000, ROUNDS = 5, BLOCK = 180, CLAIM = 60, THROUGHPUT = 6000, TURNS = 2 };

static double wall(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static uint64_t now_ms(void)
{
	return (uint64_t)time(NULL) * 1000;
}

static void check(enum status st, const char *what)
{
	if (st == OK)
		return;
	(void)fprintf(stderr, "campaigns: %s: %s\n", what, status_text(st));
	exit(1);
}

static struct db *open_db(const char *where, const char *key)
{
	char reason[256] = "";
	struct db *db = db_open(where, key, reason, sizeof reason);

	if (db == NULL) {
		(void)fprintf(stderr, "campaigns: %s\n", reason);
		exit(1);
	}
	return db;
}

static void populate(struct db *db, unsigned first, unsigned n, const char *campaign)
{
	struct campaign_order o = { .name = campaign,
		.job = "{\"files\": [{\"file\": \"4F05\", \"content\": \"0102030405\"}]}",
		.retries = 5,
		.answer = 600,
		.valid = 100000,
		.abort = 1000,
		.spi2 = SPI2_DEFAULT };
	char reason[256] = "", like[32];
	struct fake_card f;
	uint64_t cards;

	check(db_begin(db), "begin");
	for (unsigned i = 0; i < n; i++)
		check(fake_card_new(db, first + i, &f), "a card");
	check(db_commit(db), "commit");
	(void)snprintf(like, sizeof like, "89001010000%%");
	o.like = like;
	check(db_begin(db), "begin");
	if (campaign_create(db, &o, now_ms(), &cards, reason, sizeof reason) != OK) {
		(void)fprintf(stderr, "campaigns: %s\n", reason);
		exit(1);
	}
	check(db_commit(db), "commit");
}

struct claimed {
	struct {
		char msisdn[21];
		size_t n;
		uint8_t answer[256];
	} card[CLAIM];
	unsigned count;
};

static void keep(void *context, const struct campaign_packet *p)
{
	struct claimed *c = context;
	struct fake_card f;
	struct buf b = BUF_OF(c->card[c->count].answer);

	fake_card_init((unsigned)strtoul(p->iccid + 11, NULL, 10), &f);
	fake_card_take(&f, p->packet, &b);
	(void)snprintf(c->card[c->count].msisdn, sizeof c->card[0].msisdn, "%s", p->msisdn);
	c->card[c->count++].n = b.len;
}

/* One claim and its answers; how many. */
static unsigned turn(struct engine *e)
{
	static struct claimed c;
	unsigned count;
	enum status st = OK;

	c.count = 0;
	check(engine_claim(e, now_ms(), CLAIM, keep, &c, &count), "claim");
	if (c.count == 0)
		return 0;
	check(engine_begin(e), "begin");
	for (unsigned i = 0; st == OK && i < c.count; i++)
		st = engine_answer(e, now_ms(), c.card[i].msisdn, (struct bytes){ c.card[i].answer, c.card[i].n });
	check(engine_end(e, st), "answers");
	return c.count;
}

/* Microseconds of CPU: ours, and of the PostgreSQL process that serves us. */
static double cpu(struct db *db, bool url)
{
	struct rusage u;
	double us;
	char path[64];
	FILE *f;
	unsigned long long ns = 0;

	(void)getrusage(RUSAGE_SELF, &u);
	us = (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
	if (url) {
		struct sql_rows *r = sql_query(db_sql(db), "SELECT CAST(pg_backend_pid() AS BIGINT)", "");
		uint64_t pid = sql_row(r) ? sql_int(r, 0) : 0;

		(void)sql_done(r);
		(void)snprintf(path, sizeof path, "/proc/%llu/schedstat", (unsigned long long)pid);
		if ((f = fopen(path, "re")) != NULL) {
			if (fscanf(f, "%llu", &ns) != 1)
				ns = 0;
			(void)fclose(f);
		}
	}
	return us + (double)ns / 1e3;
}

static double block(struct db *db, struct engine *e, bool url)
{
	double before = cpu(db, url);
	unsigned n = 0;

	while (n < BLOCK) {
		unsigned got = turn(e);

		if (got == 0)
			exit(1);
		n += got;
	}
	return (cpu(db, url) - before) / n;
}

static void wipe(struct db *db)
{
	static const char *const tables[] = { "DELETE FROM event", "DELETE FROM task", "DELETE FROM stage",
		"DELETE FROM campaign", "DELETE FROM card" };

	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
		check(sql_done(sql_query(db_sql(db), tables[i], "")), tables[i]);
}

/* Seconds that so many servers take for a campaign. */
static double throughput(const char *where, const char *key, unsigned servers)
{
	struct db *db = open_db(where, key);
	double from;

	wipe(db);
	populate(db, 0, THROUGHPUT, "speed");
	db_close(&db);
	from = wall();
	for (unsigned i = 0; i < servers; i++)
		if (fork() == 0) {
			struct db *own = open_db(where, key);
			struct engine *e = engine_new(own);

			while (turn(e) > 0)
				;
			_exit(0);
		}
	for (unsigned i = 0; i < servers; i++) {
		int status = 0;

		if (wait(&status) < 0 || status != 0)
			exit(1);
	}
	return wall() - from;
}

static void throughput_figure(const char *where, const char *key, const char *name)
{
	double took[2] = { 1e9, 1e9 };
	char text[80];

	for (int round = 0; round < TURNS; round++)
		for (unsigned i = 0; i < 2; i++)
			took[i] = least(took[i], throughput(where, key, i + 1));
	(void)snprintf(text, sizeof text, "campaign's cards, %s, two servers", name);
	figure(text, THROUGHPUT / took[1], "a second", took[0] / took[1], "one server's");
}

/* A database with a campaign for n cards, ready to be measured. */
static struct engine *ready(struct db *db, unsigned n)
{
	struct engine *e = engine_new(db);

	wipe(db);
	populate(db, 0, n, "size");
	(void)turn(e); /* warm */
	return e;
}

int main(int argc, char **argv)
{
	bool url = argc == 5 && sql_is_url(argv[1]);
	const char *name = url ? "PostgreSQL" : "SQLite";
	unsigned sizes[2] = { SMALL, argc == 5 ? (unsigned)strtoul(argv[4], NULL, 10) : 0 };
	double best[2] = { 1e9, 1e9 };
	struct engine *e[2];
	struct db *db[2];
	const char *key = argc == 5 ? argv[3] : "";
	char text[80];

	if (sizes[1] < SMALL) {
		(void)fprintf(stderr, "usage: campaigns WHERE OTHER-WHERE KEY-FILE LARGE\n");
		return 2;
	}
	throughput_figure(argv[1], key, name);
	for (int i = 0; i < 2; i++) {
		db[i] = open_db(argv[1 + i], key);
		e[i] = ready(db[i], sizes[i]);
	}
	for (int round = 0; round < ROUNDS; round++)
		for (int i = 0; i < 2; i++)
			best[i] = least(best[i], block(db[i], e[i], url));
	(void)snprintf(text, sizeof text, "processor of a card among %u, %s", sizes[1], name);
	figure(text, best[1], "us", best[1] / best[0], "among 1,000");
	for (int i = 0; i < 2; i++) {
		engine_free(&e[i]);
		db_close(&db[i]);
	}
	return 0;
}
