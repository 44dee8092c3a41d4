/* SPDX-License-Identifier: Apache-2.0 */
/* What the servers of campaigns share: sums that are written last, tasks, stages. */
#include "provisioning/campaign/campaign_engine.h"

#include <stdlib.h>
#include <string.h>

struct engine *engine_new(struct db *db)
{
	struct engine *e = calloc(1, sizeof *e);

	if (e != NULL)
		e->db = db;
	return e;
}

void engine_deliver_by_hand(struct engine *e)
{
	e->by_hand = true;
}

void engine_free(struct engine **e)
{
	free(*e);
	*e = NULL;
}

static int by_name(const void *a, const void *b)
{
	const struct sum *x = a, *y = b;
	int order = strcmp(x->campaign, y->campaign);

	return order != 0 ? order : (x->stage > y->stage) - (x->stage < y->stage);
}

static enum status write_sums(struct engine *e)
{
	qsort(e->sum, e->sums, sizeof *e->sum, by_name);
	for (size_t i = 0; i < e->sums; i++)
		TRY(sql_done(sql_query(db_sql(e->db),
		        "UPDATE stage SET done=done+$1, failed=failed+$2, messages=messages+$3 WHERE campaign=$4 AND stage=$5",
		        "iiisi", e->sum[i].done, e->sum[i].failed, e->sum[i].messages, e->sum[i].campaign, e->sum[i].stage)));
	e->sums = 0;
	return OK;
}

struct sum *engine_sum(struct engine *e, const char *campaign, uint64_t stage)
{
	for (size_t i = 0; i < e->sums; i++)
		if (e->sum[i].stage == stage && strcmp(e->sum[i].campaign, campaign) == 0)
			return &e->sum[i];
	if (e->sums == SUMS_MAX)
		return NULL;
	e->sum[e->sums] = (struct sum){ .stage = stage };
	(void)snprintf(e->sum[e->sums].campaign, sizeof e->sum[0].campaign, "%s", campaign);
	return &e->sum[e->sums++];
}

enum status engine_campaign(struct engine *e, const char *name, struct campaign *out)
{
	for (size_t i = 0; i < e->campaigns; i++)
		if (strcmp(e->campaign[i].name, name) == 0) {
			*out = e->campaign[i];
			return OK;
		}
	TRY(campaign_get(e->db, name, out));
	if (e->campaigns < RUNNING_MAX)
		e->campaign[e->campaigns++] = *out;
	return OK;
}

enum status engine_begin(struct engine *e)
{
	e->sums = 0;
	e->campaigns = 0;
	return db_begin(e->db);
}

enum status engine_end(struct engine *e, enum status st)
{
	if (st == OK)
		st = write_sums(e);
	if (st == OK)
		return db_commit(e->db);
	e->sums = 0;
	return db_rollback(e->db) == OK ? st : ERR_IO;
}

enum status engine_job(struct engine *e, const char *name, const struct job **out)
{
	static char text[JOB_TEXT_MAX];
	struct sql_rows *r;
	char reason[128];
	bool found;

	for (unsigned i = 0; i < JOBS_CACHED; i++)
		if (strcmp(e->cached[i].name, name) == 0) {
			*out = &e->cached[i].job;
			return OK;
		}
	r = sql_query(db_sql(e->db), "SELECT job FROM campaign WHERE name=$1", "s", name);
	if ((found = sql_row(r)))
		sql_text(r, 0, text, sizeof text);
	TRY(sql_done(r));
	e->next = (e->next + 1) % JOBS_CACHED;
	e->cached[e->next].name[0] = 0;
	if (!found || job_parse(text, JOB_BY_HTTPS, &e->cached[e->next].job, reason, sizeof reason) != OK)
		return ERR_NOT_FOUND;
	(void)snprintf(e->cached[e->next].name, sizeof e->cached[0].name, "%s", name);
	*out = &e->cached[e->next].job;
	return OK;
}

enum status task_note(struct engine *e, uint64_t now, const struct task *t, const char *what)
{
	return sql_done(
	        sql_query(db_sql(e->db), "INSERT INTO event VALUES($1,$2,$3,$4)", "siss", t->iccid, now, t->campaign, what));
}

enum status task_finish(struct engine *e, uint64_t now, const struct task *t, enum task_state state, const char *reason)
{
	struct sql_rows *r = sql_query(db_sql(e->db),
	        "UPDATE task SET state=$1, reason=$2 WHERE campaign=$3 AND iccid=$4 AND " STILL_OPEN " RETURNING stage", "isss",
	        (uint64_t)state, reason, t->campaign, t->iccid);
	bool mine = sql_row(r);
	uint64_t stage = mine ? sql_int(r, 0) : 0;
	struct sum *s;

	TRY(sql_done(r));
	if (!mine)
		return OK;
	if ((s = engine_sum(e, t->campaign, stage)) == NULL)
		return ERR_NO_SPACE;
	if (state == TASK_DONE)
		s->done++;
	else
		s->failed++;
	return task_note(e, now, t, reason);
}

enum status task_again(struct engine *e, const struct task *t, uint64_t due)
{
	return sql_done(sql_query(db_sql(e->db),
	        "UPDATE task SET due=$1, step=$2, lows=$3, piece=$4, counter=$5 WHERE campaign=$6 AND iccid=$7 AND " STILL_OPEN,
	        "iiiiiss", due, (uint64_t)t->step, (uint64_t)t->lows, (uint64_t)t->piece, t->counter, t->campaign, t->iccid));
}

static void keep_running(void *context, const struct campaign *c)
{
	struct running *r = context;

	if (r->count < RUNNING_MAX)
		r->list[r->count++] = *c;
}

enum status engine_running(struct engine *e, struct running *r)
{
	r->count = 0;
	return campaign_each(e->db, true, keep_running, r);
}

static enum status set_state(struct engine *e, const struct campaign *c, enum campaign_state state, const char *reason)
{
	return sql_done(sql_query(db_sql(e->db), "UPDATE campaign SET state=$1, reason=$2 WHERE name=$3", "iss",
	        (uint64_t)state, reason, c->name));
}

static enum status expire(struct engine *e, const struct campaign *c)
{
	TRY(sql_done(sql_query(db_sql(e->db),
	        "UPDATE task SET state=$1, reason=CASE WHEN tries=0 THEN 'expired before its turn'"
	        " ELSE 'expired without an answer' END WHERE campaign=$2 AND state=0",
	        "is", (uint64_t)TASK_EXPIRED, c->name)));
	TRY(sql_done(sql_query(db_sql(e->db),
	        "UPDATE stage SET failed=failed+(SELECT COUNT(*) FROM task WHERE task.campaign=$1 AND task.stage=stage.stage"
	        " AND task.state=$2) WHERE campaign=$1",
	        "si", c->name, (uint64_t)TASK_EXPIRED)));
	return set_state(e, c, CAMPAIGN_FINISHED, "expired");
}

static enum status turn_one(struct engine *e, uint64_t now, const char *name, unsigned *open)
{
	struct campaign c;
	char text[128];
	struct sql_rows *r;

	(void)snprintf(text, sizeof text, "SELECT stage FROM campaign WHERE name=$1%s", sql_for_update(db_sql(e->db)));
	r = sql_query(db_sql(e->db), text, "s", name);
	TRY(sql_done(r));
	TRY(campaign_get(e->db, name, &c));
	if (c.state != CAMPAIGN_RUNNING)
		return OK;
	if (c.stage_failed * 1000 > c.stage_total * c.abort) {
		(void)snprintf(text, sizeof text, "%llu of %llu cards of stage %u failed", (unsigned long long)c.stage_failed,
		        (unsigned long long)c.stage_total, c.stage);
		return set_state(e, &c, CAMPAIGN_STOPPED, text);
	}
	if (c.stage_done + c.stage_failed >= c.stage_total) {
		if (c.stage == c.stages)
			return set_state(e, &c, CAMPAIGN_FINISHED, "");
		TRY(sql_done(sql_query(db_sql(e->db), "UPDATE campaign SET stage=stage+1 WHERE name=$1", "s", name)));
	}
	if (now >= c.expires)
		return expire(e, &c);
	++*open;
	return OK;
}

enum status engine_turn(struct engine *e, uint64_t now, unsigned *open)
{
	struct running r;
	enum status st;

	*open = 0;
	TRY(engine_begin(e));
	st = engine_running(e, &r);
	for (size_t i = 0; st == OK && i < r.count; i++)
		st = turn_one(e, now, r.list[i].name, open);
	return engine_end(e, st);
}
