/* SPDX-License-Identifier: Apache-2.0 */
/* What cards say, and what follows from it. */
#include "provisioning/campaign/campaign_engine.h"

#include "apdu/sw.h"

enum { COUNTER_LAST_JUMP = 6, COUNTER_LOWS_MAX = 8, SOON_MS = 3000 };

/* The card's counter is ahead of ours by an unknown amount: jump, further each time, and not for ever. */
static enum status counter_low(struct engine *e, uint64_t now, const struct job *job, const struct campaign *c, struct task *t)
{
	char text[CAMPAIGN_REASON_MAX];
	uint64_t jump;

	t->lows++;
	if (t->lows == 1) {
		/* Perhaps the network sent the message twice: then this very counter was taken, and the next one will do. */
		TRY(task_note(e, now, t, "counter too low: a message that came twice, or the card is ahead"));
		if (c->https[0] == 0 && !job->repeat && job->rotate == 0 && job->sealed[0] == 0 && !job->audit)
			t->step = STEP_PROBE;
		t->piece = 0;
		t->counter = 0;
		return task_again(e, t, now + SOON_MS);
	}
	if (t->lows > COUNTER_LOWS_MAX)
		return task_finish(
		        e, now, t, TASK_FAILED, "the card's counter is more than a million ahead of ours: give it new keys");
	/* 16, 256, ... 2^20; then twice more without one, in case the last jump arrived twice and its refusal first. */
	jump = t->lows <= COUNTER_LAST_JUMP ? UINT64_C(1) << (4 * (t->lows - 1)) : 1;
	TRY(db_card_skip_counters(e->db, t->iccid, jump));
	(void)snprintf(text, sizeof text, "counter %llu is too low for the card: going on %llu further",
	        (unsigned long long)t->counter, (unsigned long long)jump);
	TRY(task_note(e, now, t, text));
	t->counter = 0;
	return task_again(e, t, now);
}

/* What was read back: the next piece, the end, or what is different. */
static enum status read_back(struct engine *e, uint64_t now, const struct job *job, struct task *t, const struct ota_verdict *v)
{
	char where[64] = "", text[CAMPAIGN_REASON_MAX];
	struct bytes want = job_piece(job, t->piece, where, sizeof where), got = { v->data, v->data_len };

	t->lows = 0;
	if (job_pieces(job) == 0) /* counter low before, accepted now: that counter had been taken by our own packet */
		return task_finish(e, now, t, TASK_DONE, "done: its packet had been taken");
	if (v->sw != SW_OK) {
		(void)snprintf(text, sizeof text, "%s cannot be read: %04X (%s)", where, v->sw, sw_text(v->sw));
		return task_finish(e, now, t, TASK_FAILED, text);
	}
	if (got.n > want.n)
		got.n = want.n;
	if (bytes_equal(want, got)) {
		if (++t->piece == job_pieces(job))
			return task_finish(e, now, t, TASK_DONE, job->audit ? "as it should be" : "done: read back");
		t->counter = 0;
		return task_again(e, t, now);
	}
	if (job->audit) {
		size_t i = 0;

		while (i < got.n && want.p[i] == got.p[i])
			i++;
		(void)snprintf(text, sizeof text, "drift: %s differs from octet %zu of it on (%02X instead of %02X)", where, i,
		        i < got.n ? got.p[i] : 0U, want.p[i]);
		return task_finish(e, now, t, TASK_FAILED, text);
	}
	TRY(task_note(e, now, t, "not updated yet: sending again"));
	t->step = STEP_UPDATE;
	t->piece = 0;
	t->counter = 0;
	return task_again(e, t, now);
}

static enum status ran(struct engine *e, uint64_t now, const struct job *job, struct task *t, const struct ota_verdict *v,
        struct bytes response)
{
	char text[CAMPAIGN_REASON_MAX];
	struct ota_verdict unused;

	if ((t->step == STEP_PROBE || job->audit) && v->counter == t->counter)
		return read_back(e, now, job, t, v);
	if (v->sw == SW_PROSE_REPLAY && job->sealed[0] != 0)
		return task_finish(e, now, t, TASK_DONE, "done: the card has these objects already");
	if (v->sw != SW_OK) {
		(void)snprintf(text, sizeof text, "command %u: %04X (%s)", v->executed, v->sw, sw_text(v->sw));
		return task_finish(e, now, t, TASK_FAILED, text);
	}
	if (job->rotate > 0)
		TRY(ota_rotated(e->db, t->iccid, response, &unused));
	(void)snprintf(text, sizeof text, "done: %u command%s", v->executed, v->executed == 1 ? "" : "s");
	return task_finish(e, now, t, TASK_DONE, text);
}

static enum status judge(struct engine *e, uint64_t now, const struct campaign *c, struct task *t, const struct ota_verdict *v,
        struct bytes response)
{
	char text[CAMPAIGN_REASON_MAX];
	const struct job *job;

	TRY(engine_job(e, t->campaign, &job));
	if (!v->secured) {
		(void)snprintf(text, sizeof text, "an answer without a CC, RSC %02X: %s", v->rsc, ota_rsc_text(v->rsc));
		TRY(task_note(e, now, t, text));
		/* Anybody could have sent it, so nothing follows from it but what people are told in the end. */
		return sql_done(
		        sql_query(db_sql(e->db), "UPDATE task SET reason=$1 WHERE campaign=$2 AND iccid=$3 AND " STILL_OPEN,
		                "sss", text, t->campaign, t->iccid));
	}
	if (v->counter != t->counter && !(v->counter == t->updated && v->rsc == RSC_OK)) {
		(void)snprintf(text, sizeof text, "a late answer to counter %llu", (unsigned long long)v->counter);
		return task_note(e, now, t, text);
	}
	switch (v->rsc) {
	case RSC_OK: return c->https[0] != 0 ? http_answer_to_trigger(e, now, t, v->sw) : ran(e, now, job, t, v, response);
	case RSC_COUNTER_LOW: return counter_low(e, now, job, c, t);
	case RSC_MORE_TIME:
	case RSC_BY_SUBMIT: return task_note(e, now, t, ota_rsc_text(v->rsc));
	case RSC_NO_MEMORY:
		TRY(task_note(e, now, t, ota_rsc_text(v->rsc)));
		t->counter = 0;
		return task_again(e, t, now + c->answer * UINT64_C(1000));
	default: (void)snprintf(text, sizeof text, "the card refuses, RSC %02X: %s", v->rsc, ota_rsc_text(v->rsc));
	}
	return task_finish(e, now, t, TASK_FAILED, text);
}

/* A packet's counter decides if there should be several. */
enum status task_outstanding(struct engine *e, const char *iccid, struct task *t)
{
	char text[256];
	struct sql_rows *r;
	bool found;

	(void)snprintf(text, sizeof text,
	        "SELECT campaign, step, tries, lows, piece, counter, updated FROM task WHERE iccid=$1 AND state=0"
	        " AND counter>0%s",
	        sql_for_update(db_sql(e->db)));
	r = sql_query(db_sql(e->db), text, "s", iccid);
	*t = (struct task){ 0 };
	(void)snprintf(t->iccid, sizeof t->iccid, "%s", iccid);
	if ((found = sql_row(r))) {
		sql_text(r, 0, t->campaign, sizeof t->campaign);
		t->step = (unsigned)sql_int(r, 1);
		t->tries = (unsigned)sql_int(r, 2);
		t->lows = (unsigned)sql_int(r, 3);
		t->piece = (unsigned)sql_int(r, 4);
		t->counter = sql_int(r, 5);
		t->updated = sql_int(r, 6);
	}
	TRY(sql_done(r));
	return found ? OK : ERR_NOT_FOUND;
}

enum status engine_answer(struct engine *e, uint64_t now, const char *msisdn, struct bytes response)
{
	char iccid[21];
	enum status st = db_card_by_msisdn(e->db, msisdn, iccid);

	return st == OK ? engine_answer_of(e, now, iccid, response) : st == ERR_NOT_FOUND ? OK : st;
}

enum status engine_answer_of(struct engine *e, uint64_t now, const char *iccid, struct bytes response)
{
	struct ota_verdict v;
	struct campaign c;
	struct task t;
	enum status st = task_outstanding(e, iccid, &t);

	if (st == ERR_NOT_FOUND)
		return OK; /* late, twice, or from nobody */
	TRY(st);
	TRY(engine_campaign(e, t.campaign, &c));
	if (status_failed(st = ota_verify(e->db, iccid, c.spi2, response, &v)))
		return st;
	if (st != OK)
		return task_note(e, now, &t, "an answer that this card's keys do not open");
	return judge(e, now, &c, &t, &v, response);
}

enum status engine_undeliverable(struct engine *e, uint64_t now, const char *iccid, uint64_t counter, const char *why)
{
	struct task t;
	enum status st = task_outstanding(e, iccid, &t);
	char text[CAMPAIGN_REASON_MAX];

	if (st == ERR_NOT_FOUND || (st == OK && t.counter != counter))
		return OK;
	TRY(st);
	(void)snprintf(text, sizeof text, "the message centre: %s", why);
	return task_finish(e, now, &t, TASK_FAILED, text);
}
