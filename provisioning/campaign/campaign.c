/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/campaign/campaign.h"

#include <stdlib.h>
#include <string.h>

#include "ota/sms.h"
#include "provisioning/campaign/campaign_engine.h"

const char *campaign_state_text(enum campaign_state s)
{
	switch (s) {
	case CAMPAIGN_RUNNING: return "running";
	case CAMPAIGN_PAUSED: return "paused";
	case CAMPAIGN_STOPPED: return "stopped";
	case CAMPAIGN_FINISHED: return "finished";
	case CAMPAIGN_CANCELLED: return "cancelled";
	default: return "unknown";
	}
}

const char *task_state_text(enum task_state s)
{
	switch (s) {
	case TASK_OPEN: return "open";
	case TASK_DONE: return "done";
	case TASK_FAILED: return "failed";
	case TASK_EXPIRED: return "expired";
	case TASK_CANCELLED: return "cancelled";
	default: return "unknown";
	}
}

static enum status refuse(enum status st, char *reason, size_t n, const char *about, const char *why)
{
	(void)snprintf(reason, n, "%s: %s", about, why);
	return st;
}

/* ---- selection ------------------------------------------------------------------------------------------------------- */

/* "10,1%,100%" as the number of the last card of each stage; the last stage has whatever is left. */
static bool parse_stages(const char *text, uint64_t cards, uint64_t last[STAGES_MAX], unsigned *stages)
{
	*stages = 0;
	while (*text != 0) {
		char *end;
		unsigned long long v = strtoull(text, &end, 10);

		if (*text < '0' || *text > '9' || *stages == STAGES_MAX || (*end == '%' && v > 100))
			return false;
		if (*end == '%') {
			v = (cards * v + 99) / 100;
			end++;
		}
		if (*end != 0 && *end != ',')
			return false;
		if (v > cards)
			v = cards;
		if (v > (*stages > 0 ? last[*stages - 1] : 0))
			last[(*stages)++] = v;
		text = *end == ',' ? end + 1 : end;
	}
	if (*stages == 0 || last[*stages - 1] < cards) {
		if (*stages == STAGES_MAX)
			return false;
		last[(*stages)++] = cards;
	}
	return true;
}

/* The number of the last stage, where most cards belong: they are put there at once. */
static uint64_t last_stage(const struct campaign_order *o)
{
	uint64_t last[STAGES_MAX];
	unsigned stages = 0;

	return parse_stages(o->stages != NULL ? o->stages : "100%", UINT32_MAX, last, &stages) ? stages : 0;
}

static enum status add_from_file(struct db *db, const struct campaign_order *o, uint64_t now, char *reason, size_t n)
{
	FILE *f = fopen(o->cards, "re");
	enum status st = OK;
	char line[64];

	if (f == NULL)
		return refuse(ERR_NOT_FOUND, reason, n, o->cards, "cannot be read");
	while (st == OK && fgets(line, sizeof line, f) != NULL) {
		line[strcspn(line, "\r\n,; \t")] = 0;
		if (line[0] < '0' || line[0] > '9') /* headers, remarks, empty lines */
			continue;
		st = sql_done(sql_query(db_sql(db),
		        "INSERT INTO task(campaign, iccid, due, stage) VALUES($1,$2,$3,$4) ON CONFLICT DO NOTHING", "ssii",
		        o->name, line, now, last_stage(o)));
		if (st == ERR_DENIED)
			st = refuse(ERR_NOT_FOUND, reason, n, line, "is no card of this database");
	}
	(void)fclose(f);
	return st;
}

static enum status select_cards(struct db *db, const struct campaign_order *o, uint64_t now, char *reason, size_t n)
{
	struct db_group g;

	if (o->cards != NULL)
		return add_from_file(db, o, now, reason, n);
	if (o->group != NULL && db_group_get(db, o->group, &g) != OK)
		return refuse(ERR_NOT_FOUND, reason, n, o->group, "no such group");
	if (o->group != NULL)
		return sql_done(sql_query(db_sql(db),
		        "INSERT INTO task(campaign, iccid, due, stage) SELECT DISTINCT CAST($1 AS TEXT), u.iccid, CAST($2 AS BIGINT),"
		        " CAST($3 AS BIGINT) FROM member m JOIN users u ON u.uri=m.uri WHERE m.grp=$4",
		        "siis", o->name, now, last_stage(o), o->group));
	return sql_done(sql_query(db_sql(db),
	        "INSERT INTO task(campaign, iccid, due, stage) SELECT CAST($1 AS TEXT), iccid, CAST($2 AS BIGINT),"
	        " CAST($3 AS BIGINT) FROM card WHERE iccid LIKE $4",
	        "siis", o->name, now, last_stage(o), o->like != NULL ? o->like : "%"));
}

static enum status read_number(struct db *db, const char *text, const char *name, uint64_t *out)
{
	struct sql_rows *r = sql_query(db_sql(db), text, "s", name);
	enum status st = ERR_NOT_FOUND;

	if (sql_row(r)) {
		*out = sql_int(r, 0);
		st = OK;
	}
	return sql_end(r, st);
}

/* Cards are mixed, the same way each time, so that a first stage is not one delivery of one vendor. All are in stage `there`.
 */
static enum status put_stages(struct db *db, const char *name, const uint64_t *last, unsigned stages, uint64_t there)
{
	for (unsigned s = 0; s < stages; s++) {
		uint64_t first = s > 0 ? last[s - 1] : 0;

		TRY(sql_done(sql_query(db_sql(db), "INSERT INTO stage(campaign, stage, total) VALUES($1,$2,$3)", "sii", name,
		        (uint64_t)(s + 1), last[s] - first)));
		if (s + 1 == there)
			continue;
		TRY(sql_done(sql_query(db_sql(db),
		        "UPDATE task SET stage=$1 FROM (SELECT iccid, ROW_NUMBER() OVER (ORDER BY"
		        " CAST(substr(iccid, length(iccid)-8) AS BIGINT) * 7919 % 100003, iccid) AS n FROM task"
		        " WHERE campaign=$2) AS mixed WHERE task.campaign=$2 AND task.iccid=mixed.iccid AND mixed.n>$3"
		        " AND mixed.n<=$4",
		        "isii", (uint64_t)(s + 1), name, first, last[s])));
	}
	return OK;
}

enum status campaign_create(
        struct db *db, const struct campaign_order *o, uint64_t now, uint64_t *cards, char *reason, size_t n)
{
	static struct job job; /* large */
	uint64_t last[STAGES_MAX], exists;
	uint8_t address[4];
	unsigned stages;
	uint16_t port;

	if (o->name[0] == 0 || strlen(o->name) > CAMPAIGN_NAME_MAX)
		return refuse(ERR_MALFORMED, reason, n, "name", "needs 1 to 40 characters");
	if (read_number(db, "SELECT stage FROM campaign WHERE name=$1", o->name, &exists) == OK)
		return refuse(ERR_DENIED, reason, n, o->name, "there is a campaign of this name");
	TRY(job_parse(o->job, o->https != NULL ? JOB_BY_HTTPS : JOB_BY_SMS, &job, reason, n));
	if (o->https != NULL && !campaign_https_address(o->https, address, &port))
		return refuse(ERR_MALFORMED, reason, n, o->https, "is not A.B.C.D:PORT, as the cards reach it");
	if (o->https != NULL && (job.rotate > 0 || job.audit))
		return refuse(ERR_MALFORMED, reason, n, o->name, "new keys and audits go by short messages");
	TRY(sql_done(sql_query(db_sql(db),
	        "INSERT INTO campaign(name, job, state, created, stage, stages, rate, retries, answer, expires, abort, spi2,"
	        " https) VALUES($1,$2,$3,$4,1,1,$5,$6,$7,$8,$9,$10,$11)",
	        "ssiiiiiiiis", o->name, o->job, (uint64_t)CAMPAIGN_RUNNING, now, (uint64_t)o->rate, (uint64_t)o->retries,
	        (uint64_t)o->answer, now + o->valid * 1000, (uint64_t)o->abort, (uint64_t)o->spi2,
	        o->https != NULL ? o->https : "")));
	TRY(select_cards(db, o, now, reason, n));
	/* Both databases plan by what they know of a table. */
	TRY(sql_done(sql_query(db_sql(db), "ANALYZE card", "")));
	TRY(sql_done(sql_query(db_sql(db), "ANALYZE task", "")));
	TRY(read_number(db, "SELECT COUNT(*) FROM task WHERE campaign=$1", o->name, cards));
	if (*cards == 0)
		return refuse(ERR_NOT_FOUND, reason, n, o->name, "no card is selected");
	if (!parse_stages(o->stages != NULL ? o->stages : "100%", *cards, last, &stages))
		return refuse(ERR_MALFORMED, reason, n, o->stages, "stages look like 10,1%,100% and are at most 8");
	TRY(put_stages(db, o->name, last, stages, last_stage(o)));
	return sql_done(sql_query(db_sql(db), "UPDATE campaign SET stages=$1 WHERE name=$2", "is", (uint64_t)stages, o->name));
}

/* ---- what people see --------------------------------------------------------------------------------------------------- */

#define CAMPAIGN_COLUMNS "name, state, reason, created, stage, stages, rate, retries, answer, expires, abort, spi2, https"

static void take_campaign(struct sql_rows *r, struct campaign *c)
{
	*c = (struct campaign){ 0 };
	sql_text(r, 0, c->name, sizeof c->name);
	c->state = (enum campaign_state)sql_int(r, 1);
	sql_text(r, 2, c->reason, sizeof c->reason);
	c->created = sql_int(r, 3);
	c->stage = (unsigned)sql_int(r, 4);
	c->stages = (unsigned)sql_int(r, 5);
	c->rate = (unsigned)sql_int(r, 6);
	c->retries = (unsigned)sql_int(r, 7);
	c->answer = (unsigned)sql_int(r, 8);
	c->expires = sql_int(r, 9);
	c->abort = (unsigned)sql_int(r, 10);
	c->spi2 = (uint8_t)sql_int(r, 11);
	sql_text(r, 12, c->https, sizeof c->https);
}

static enum status add_sums(struct db *db, struct campaign *c)
{
	struct sql_rows *r =
	        sql_query(db_sql(db), "SELECT stage, total, done, failed, messages FROM stage WHERE campaign=$1", "s", c->name);

	while (sql_row(r)) {
		c->total += sql_int(r, 1);
		c->done += sql_int(r, 2);
		c->failed += sql_int(r, 3);
		c->messages += sql_int(r, 4);
		if (sql_int(r, 0) != c->stage)
			continue;
		c->stage_total = sql_int(r, 1);
		c->stage_done = sql_int(r, 2);
		c->stage_failed = sql_int(r, 3);
	}
	return sql_done(r);
}

enum status campaign_get(struct db *db, const char *name, struct campaign *c)
{
	struct sql_rows *r = sql_query(db_sql(db), "SELECT " CAMPAIGN_COLUMNS " FROM campaign WHERE name=$1", "s", name);
	bool found = sql_row(r);

	if (found)
		take_campaign(r, c);
	TRY(sql_done(r));
	return found ? add_sums(db, c) : ERR_NOT_FOUND;
}

enum status campaign_each(struct db *db, bool running, void (*each)(void *, const struct campaign *), void *context)
{
	struct sql_rows *r = sql_query(db_sql(db),
	        running ? "SELECT " CAMPAIGN_COLUMNS " FROM campaign WHERE state=1 ORDER BY created, name"
	                : "SELECT " CAMPAIGN_COLUMNS " FROM campaign ORDER BY created, name",
	        "");
	enum status st = OK;

	while (st == OK && sql_row(r)) {
		struct campaign c;

		take_campaign(r, &c);
		if ((st = add_sums(db, &c)) == OK)
			each(context, &c);
	}
	return sql_end(r, st);
}

enum status campaign_set_state(struct db *db, const char *name, enum campaign_state to)
{
	struct campaign c;

	TRY(campaign_get(db, name, &c));
	if (c.state == to || c.state == CAMPAIGN_FINISHED || c.state == CAMPAIGN_CANCELLED)
		return ERR_DENIED;
	if (to == CAMPAIGN_CANCELLED)
		TRY(sql_done(sql_query(db_sql(db), "UPDATE task SET state=$1, reason=$2 WHERE campaign=$3 AND state=0", "iss",
		        (uint64_t)TASK_CANCELLED, "cancelled", name)));
	/* Who goes on after a stop has seen the failures: they do not stop it again. */
	return sql_done(sql_query(db_sql(db), "UPDATE campaign SET state=$1, reason='', abort=$2 WHERE name=$3", "iis",
	        (uint64_t)to, c.state == CAMPAIGN_STOPPED ? UINT64_C(1000) : (uint64_t)c.abort, name));
}

enum status campaign_results(
        struct db *db, const char *name, void (*each)(void *, const struct campaign_result *), void *context)
{
	struct sql_rows *r = sql_query(db_sql(db),
	        "SELECT iccid, state, stage, tries, reason FROM task WHERE campaign=$1 ORDER BY stage, iccid", "s", name);

	while (sql_row(r)) {
		struct campaign_result t = { 0 };

		sql_text(r, 0, t.iccid, sizeof t.iccid);
		t.state = (enum task_state)sql_int(r, 1);
		t.stage = (unsigned)sql_int(r, 2);
		t.tries = (unsigned)sql_int(r, 3);
		sql_text(r, 4, t.reason, sizeof t.reason);
		each(context, &t);
	}
	return sql_done(r);
}

enum status campaign_history(struct db *db, const char *iccid,
        void (*each)(void *, uint64_t at, const char *campaign, const char *what), void *context)
{
	struct sql_rows *r =
	        sql_query(db_sql(db), "SELECT at, campaign, what FROM event WHERE iccid=$1 ORDER BY at", "s", iccid);

	while (sql_row(r)) {
		char campaign[CAMPAIGN_NAME_MAX + 1], what[CAMPAIGN_REASON_MAX];

		sql_text(r, 1, campaign, sizeof campaign);
		sql_text(r, 2, what, sizeof what);
		each(context, sql_int(r, 0), campaign, what);
	}
	return sql_done(r);
}

enum status campaign_folders(struct db *db, char (*folders)[CAMPAIGN_FOLDER_MAX], size_t max, size_t *count)
{
	static char text[JOB_TEXT_MAX];
	static struct job job;
	char reason[CAMPAIGN_REASON_MAX];
	struct sql_rows *r = sql_query(
	        db_sql(db), "SELECT job FROM campaign WHERE state<$1 ORDER BY created DESC", "i", (uint64_t)CAMPAIGN_FINISHED);

	for (*count = 0; *count < max && sql_row(r);) {
		sql_text(r, 0, text, sizeof text);
		if (job_parse(text, JOB_BY_HTTPS, &job, reason, sizeof reason) == OK && job.sealed[0] != 0)
			(void)snprintf(folders[(*count)++], CAMPAIGN_FOLDER_MAX, "%s", job.sealed);
	}
	return sql_done(r);
}
