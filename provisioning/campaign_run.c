/* What servers do with campaigns: claim, send, match, go on. */
#include <stdlib.h>
#include <string.h>

#include "apdu/sw.h"
#include "ota/script.h"
#include "ota/sms.h"
#include "provisioning/campaign.h"
#include "provisioning/sql.h"

enum { JOBS_CACHED = 8, SUMS_MAX = 16, CLAIM_MAX = 64, COUNTER_LAST_JUMP = 6, COUNTER_LOWS_MAX = 8, SOON_MS = 3000 };
/* Written so that no planner takes one of the indexes of open tasks for a row whose key is given: they look small to it and
 * need not be. */
#define STILL_OPEN "state+0=0"
enum task_step { STEP_UPDATE = 0, STEP_PROBE = 1 };

struct engine {
	struct db *db;
	bool by_hand;
	struct {
		char name[CAMPAIGN_NAME_MAX + 1];
		struct job job;
	} cached[JOBS_CACHED];
	unsigned next;
	/* What this transaction adds to the stages' sums; written last, in one order, so that servers never wait for one
	 * another in a circle. */
	struct sum {
		char campaign[CAMPAIGN_NAME_MAX + 1];
		uint64_t stage, done, failed, messages;
	} sum[SUMS_MAX];
	size_t sums;
};

struct task {
	char iccid[21], campaign[CAMPAIGN_NAME_MAX + 1], hint[CAMPAIGN_REASON_MAX];
	unsigned step, tries, lows, piece, stage;
	uint64_t counter, updated;
};

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

static struct sum *sum_of(struct engine *e, const char *campaign, uint64_t stage)
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

enum status engine_begin(struct engine *e)
{
	e->sums = 0;
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

/* A campaign's job never changes. */
static enum status load_job(struct engine *e, const char *name, const struct job **out)
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
	if (!found || job_parse(text, &e->cached[e->next].job, reason, sizeof reason) != OK)
		return ERR_NOT_FOUND;
	(void)snprintf(e->cached[e->next].name, sizeof e->cached[0].name, "%s", name);
	*out = &e->cached[e->next].job;
	return OK;
}

static enum status note(struct engine *e, uint64_t now, const struct task *t, const char *what)
{
	return sql_done(
	        sql_query(db_sql(e->db), "INSERT INTO event VALUES($1,$2,$3,$4)", "siss", t->iccid, now, t->campaign, what));
}

/* A card is through: once, whoever else thinks so too. */
static enum status finish(struct engine *e, uint64_t now, const struct task *t, enum task_state state, const char *reason)
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
	if ((s = sum_of(e, t->campaign, stage)) == NULL)
		return ERR_NO_SPACE;
	if (state == TASK_DONE)
		s->done++;
	else
		s->failed++;
	return note(e, now, t, reason);
}

/* Come back to this card at `due`, with another step. */
static enum status again(struct engine *e, const struct task *t, uint64_t due)
{
	return sql_done(sql_query(db_sql(e->db),
	        "UPDATE task SET due=$1, step=$2, lows=$3, piece=$4, counter=$5 WHERE campaign=$6 AND iccid=$7 AND " STILL_OPEN,
	        "iiiiiss", due, (uint64_t)t->step, (uint64_t)t->lows, (uint64_t)t->piece, t->counter, t->campaign, t->iccid));
}

/* ---- sending ------------------------------------------------------------------------------------------------------------ */

/* What the next message to this card says. */
static enum status next_packet(
        struct engine *e, uint64_t now, const struct job *job, const struct campaign *c, struct task *t, struct buf *packet)
{
	uint8_t raw[OTA_PACKET_MAX], more_raw[OTA_PACKET_MAX];
	struct buf script = BUF_OF(raw), more = BUF_OF(more_raw);
	unsigned commands;

	if (t->step == STEP_PROBE || job->audit) {
		if (job_pieces(job) > 0)
			TRY(job_read_script(job, t->piece, &script));
		else /* nothing to read: any command that changes nothing */
			script_put(&script, INS_SELECT, 0x00, 0x04, (struct bytes){ (const uint8_t[]){ 0x3F, 0x00 }, 2 });
		return ota_send(e->db, t->iccid, job_pieces(job) > 0 ? job->tar : (const uint8_t *)TAR_RFM_UICC, c->spi2,
		        buf_bytes(&script), packet, &t->counter);
	}
	if (job->rotate > 0)
		return ota_rotate(e->db, t->iccid, job->rotate, packet, &t->counter);
	if (job->sealed[0] != 0)
		TRY(job_sealed(job->sealed, t->iccid, now / 1000, &more));
	TRY(job_script(job, buf_bytes(&more), &script, &commands));
	return ota_send(e->db, t->iccid, job->tar, c->spi2, buf_bytes(&script), packet, &t->counter);
}

/* The answer to the last message did not come. */
static enum status after_silence(
        struct engine *e, uint64_t now, const struct job *job, const struct campaign *c, struct task *t, bool *over)
{
	char text[CAMPAIGN_REASON_MAX];

	(void)snprintf(text, sizeof text, "no answer to counter %llu", (unsigned long long)t->counter);
	TRY(note(e, now, t, text));
	*over = true;
	if (t->tries >= c->retries) {
		(void)snprintf(text, sizeof text,
		        t->hint[0] == 0 ? "no answer to %u messages" : "no signed answer to %u messages; %.100s", t->tries,
		        t->hint);
		return finish(e, now, t, TASK_FAILED, text);
	}
	if (t->step == STEP_UPDATE && !job->repeat && job->rotate == 0 && job->sealed[0] == 0 && !job->audit) {
		if (job->commands_count > 0 && (job->files == 0 || memcmp(job->tar, TAR_RFM_PROSE, TAR_LEN) != 0))
			return finish(e, now, t, TASK_FAILED, "no answer; the card may have run the commands, or not");
		t->step = STEP_PROBE;
		t->piece = 0;
	}
	*over = false;
	return OK;
}

static const char *why_no_packet(enum status st)
{
	switch (st) {
	case ERR_NOT_FOUND: return "this card's keys, or its sealed objects, are not there";
	case ERR_DENIED: return "this key set is in use, or the security domain's keys are not known";
	case ERR_NO_SPACE: return "does not fit: an update takes at most 16 short messages";
	default: return "its packet cannot be made";
	}
}

struct sending {
	struct campaign_packet head[CLAIM_MAX];
	size_t at[CLAIM_MAX + 1];
	unsigned count;
	size_t cap;
	uint8_t *memory;
};

/* Each silence doubles the wait, up to eight times: a network that is behind is not helped by more messages. */
static uint64_t patience(const struct campaign *c, const struct task *t)
{
	return (c->answer * UINT64_C(1000)) << (t->tries < 3 ? t->tries : 3);
}

static enum status send_one(
        struct engine *e, uint64_t now, const struct job *job, const struct campaign *c, struct task *t, struct sending *s)
{
	struct campaign_packet *p = &s->head[s->count];
	struct buf packet = { s->memory + s->at[s->count], 0, OTA_PACKET_MAX, false };
	struct db_card card;
	bool over = false;
	char text[CAMPAIGN_REASON_MAX];
	enum status st;

	TRY(db_card_get(e->db, t->iccid, &card, NULL));
	if (card.msisdn[0] == 0 && !e->by_hand)
		return finish(e, now, t, TASK_FAILED, "no telephone number is known for this card");
	if (t->counter > 0)
		TRY(after_silence(e, now, job, c, t, &over));
	if (over)
		return OK;
	if ((st = next_packet(e, now, job, c, t, &packet)) == ERR_IO)
		return st;
	if (st != OK)
		return finish(e, now, t, TASK_FAILED, why_no_packet(st));
	if (t->step == STEP_UPDATE)
		t->updated = t->counter;
	TRY(sql_done(sql_query(db_sql(e->db),
	        "UPDATE task SET counter=$1, updated=$2, step=$3, piece=$4, tries=tries+1, due=$5 WHERE campaign=$6 AND iccid=$7",
	        "iiiiiss", t->counter, t->updated, (uint64_t)t->step, (uint64_t)t->piece, now + patience(c, t), t->campaign,
	        t->iccid)));
	(void)snprintf(text, sizeof text, "%s, counter %llu, %u short message%s",
	        t->step == STEP_PROBE || job->audit ? "asked what it holds" : "sent", (unsigned long long)t->counter,
	        sms_parts(packet.len), sms_parts(packet.len) == 1 ? "" : "s");
	TRY(note(e, now, t, text));
	*p = (struct campaign_packet){ .counter = t->counter, .expires = c->expires, .packet = buf_bytes(&packet) };
	(void)snprintf(p->iccid, sizeof p->iccid, "%s", t->iccid);
	(void)snprintf(p->msisdn, sizeof p->msisdn, "%s", card.msisdn);
	(void)snprintf(p->campaign, sizeof p->campaign, "%s", t->campaign);
	s->count++;
	s->at[s->count] = s->at[s->count - 1] + OTA_PACKET_MAX;
	return OK;
}

/* How many messages this campaign may still send in this second; all servers count in its row. */
static enum status allowance(struct engine *e, uint64_t now, const struct campaign *c, uint64_t *left)
{
	char text[128];
	struct sql_rows *r;

	*left = CLAIM_MAX;
	if (c->rate == 0)
		return OK;
	(void)snprintf(text, sizeof text, "SELECT second, used FROM campaign WHERE name=$1%s", sql_for_update(db_sql(e->db)));
	r = sql_query(db_sql(e->db), text, "s", c->name);
	if (sql_row(r)) {
		uint64_t used = sql_int(r, 0) == now / 1000 ? sql_int(r, 1) : 0;

		*left = used < c->rate ? c->rate - used : 0;
	}
	return sql_done(r);
}

static enum status spend(struct engine *e, uint64_t now, const struct campaign *c, uint64_t messages)
{
	struct sum *s = sum_of(e, c->name, c->stage);

	if (s == NULL)
		return ERR_NO_SPACE;
	s->messages += messages;
	if (c->rate == 0)
		return OK;
	return sql_done(sql_query(db_sql(e->db),
	        "UPDATE campaign SET used=CASE WHEN second=$1 THEN used+$2 ELSE $2 END, second=$1 WHERE name=$3", "iis",
	        now / 1000, messages, c->name));
}

static enum status claim_rows(
        struct engine *e, uint64_t now, const struct campaign *c, uint64_t limit, struct task *tasks, unsigned *count)
{
	char text[800];
	struct sql_rows *r;

	/* A card that another campaign is talking to waits: its answers would get mixed. */
	(void)snprintf(text, sizeof text,
	        "UPDATE task SET due=$1 WHERE campaign=$2 AND iccid IN (SELECT t.iccid FROM task t WHERE t.campaign=$2"
	        " AND t.stage=$3 AND t.state=0 AND t.due<=$4 AND NOT EXISTS (SELECT 1 FROM task o WHERE o.iccid=t.iccid"
	        " AND o.state=0 AND o.counter>0 AND o.campaign<>t.campaign) ORDER BY t.due LIMIT $5%s)"
	        " RETURNING iccid, step, tries, lows, piece, counter, updated, reason",
	        sql_skip_locked(db_sql(e->db)));
	r = sql_query(db_sql(e->db), text, "isiii", now + c->answer * UINT64_C(1000), c->name, (uint64_t)c->stage, now, limit);
	*count = 0;
	while (sql_row(r) && *count < CLAIM_MAX) {
		struct task *t = &tasks[(*count)++];

		*t = (struct task){ .step = (unsigned)sql_int(r, 1), .tries = (unsigned)sql_int(r, 2) };
		sql_text(r, 0, t->iccid, sizeof t->iccid);
		(void)snprintf(t->campaign, sizeof t->campaign, "%s", c->name);
		t->lows = (unsigned)sql_int(r, 3);
		t->piece = (unsigned)sql_int(r, 4);
		t->counter = sql_int(r, 5);
		t->updated = sql_int(r, 6);
		sql_text(r, 7, t->hint, sizeof t->hint);
		t->stage = c->stage;
	}
	return sql_done(r);
}

static enum status claim_of(struct engine *e, uint64_t now, const struct campaign *c, unsigned limit, struct sending *s)
{
	struct task tasks[CLAIM_MAX];
	const struct job *job;
	uint64_t left, messages = 0;
	unsigned count, before = s->count;

	TRY(load_job(e, c->name, &job));
	TRY(allowance(e, now, c, &left));
	if (left > limit)
		left = limit;
	if (left == 0)
		return OK;
	TRY(claim_rows(e, now, c, left, tasks, &count));
	for (unsigned i = 0; i < count; i++)
		TRY(send_one(e, now, job, c, &tasks[i], s));
	for (unsigned i = before; i < s->count; i++)
		messages += sms_parts(s->head[i].packet.n);
	return count > 0 ? spend(e, now, c, messages) : OK;
}

struct running {
	struct campaign list[16];
	size_t count;
};

static void keep_running(void *context, const struct campaign *c)
{
	struct running *r = context;

	if (r->count < sizeof r->list / sizeof *r->list)
		r->list[r->count++] = *c;
}

static enum status claim_all(struct engine *e, uint64_t now, unsigned limit, struct sending *s)
{
	struct running r = { .count = 0 };

	TRY(campaign_each(e->db, true, keep_running, &r));
	for (size_t i = 0; i < r.count && s->count < limit; i++)
		TRY(claim_of(e, now, &r.list[i], limit - s->count, s));
	return OK;
}

enum status engine_claim(struct engine *e, uint64_t now, unsigned limit, void (*each)(void *, const struct campaign_packet *),
        void *context, unsigned *count)
{
	struct sending s = { .count = 0 };
	enum status st;

	*count = 0;
	if (limit > CLAIM_MAX)
		limit = CLAIM_MAX;
	if ((s.memory = malloc((size_t)(limit + 1) * OTA_PACKET_MAX)) == NULL)
		return ERR_NO_SPACE;
	if ((st = engine_begin(e)) == OK)
		st = engine_end(e, claim_all(e, now, limit, &s));
	for (unsigned i = 0; st == OK && i < s.count; i++)
		each(context, &s.head[i]);
	free(s.memory);
	*count = s.count;
	return st;
}

/* ---- answers ------------------------------------------------------------------------------------------------------------ */

/* The card's counter is ahead of ours by an unknown amount: jump, further each time, and not for ever. */
static enum status counter_low(struct engine *e, uint64_t now, const struct job *job, struct task *t)
{
	char text[CAMPAIGN_REASON_MAX];
	uint64_t jump;

	t->lows++;
	if (t->lows == 1) {
		/* Perhaps the network sent the message twice: then this very counter was taken, and the next one will do. */
		TRY(note(e, now, t, "counter too low: a message that came twice, or the card is ahead"));
		if (!job->repeat && job->rotate == 0 && job->sealed[0] == 0 && !job->audit)
			t->step = STEP_PROBE;
		t->piece = 0;
		t->counter = 0;
		return again(e, t, now + SOON_MS);
	}
	if (t->lows > COUNTER_LOWS_MAX)
		return finish(
		        e, now, t, TASK_FAILED, "the card's counter is more than a million ahead of ours: give it new keys");
	/* 16, 256, ... 2^20; then twice more without one, in case the last jump arrived twice and its refusal first. */
	jump = t->lows <= COUNTER_LAST_JUMP ? UINT64_C(1) << (4 * (t->lows - 1)) : 1;
	TRY(db_card_skip_counters(e->db, t->iccid, jump));
	(void)snprintf(text, sizeof text, "counter %llu is too low for the card: going on %llu further",
	        (unsigned long long)t->counter, (unsigned long long)jump);
	TRY(note(e, now, t, text));
	t->counter = 0;
	return again(e, t, now);
}

/* What was read back: the next piece, the end, or what is different. */
static enum status read_back(struct engine *e, uint64_t now, const struct job *job, struct task *t, const struct ota_verdict *v)
{
	char where[64] = "", text[CAMPAIGN_REASON_MAX];
	struct bytes want = job_piece(job, t->piece, where, sizeof where), got = { v->data, v->data_len };

	t->lows = 0;
	if (job_pieces(job) == 0) /* counter low before, accepted now: that counter had been taken by our own packet */
		return finish(e, now, t, TASK_DONE, "done: its packet had been taken");
	if (v->sw != SW_OK) {
		(void)snprintf(text, sizeof text, "%s cannot be read: %04X (%s)", where, v->sw, sw_text(v->sw));
		return finish(e, now, t, TASK_FAILED, text);
	}
	if (got.n > want.n)
		got.n = want.n;
	if (bytes_equal(want, got)) {
		if (++t->piece == job_pieces(job))
			return finish(e, now, t, TASK_DONE, job->audit ? "as it should be" : "done: read back");
		t->counter = 0;
		return again(e, t, now);
	}
	if (job->audit) {
		size_t i = 0;

		while (i < got.n && want.p[i] == got.p[i])
			i++;
		(void)snprintf(text, sizeof text, "drift: %s differs from octet %zu of it on (%02X instead of %02X)", where, i,
		        i < got.n ? got.p[i] : 0U, want.p[i]);
		return finish(e, now, t, TASK_FAILED, text);
	}
	TRY(note(e, now, t, "not updated yet: sending again"));
	t->step = STEP_UPDATE;
	t->piece = 0;
	t->counter = 0;
	return again(e, t, now);
}

static enum status ran(struct engine *e, uint64_t now, const struct job *job, struct task *t, const struct ota_verdict *v,
        struct bytes response)
{
	char text[CAMPAIGN_REASON_MAX];
	struct ota_verdict unused;

	if ((t->step == STEP_PROBE || job->audit) && v->counter == t->counter)
		return read_back(e, now, job, t, v);
	if (v->sw == SW_PROSE_REPLAY && job->sealed[0] != 0)
		return finish(e, now, t, TASK_DONE, "done: the card has these objects already");
	if (v->sw != SW_OK) {
		(void)snprintf(text, sizeof text, "command %u: %04X (%s)", v->executed, v->sw, sw_text(v->sw));
		return finish(e, now, t, TASK_FAILED, text);
	}
	if (job->rotate > 0)
		TRY(ota_rotated(e->db, t->iccid, response, &unused));
	(void)snprintf(text, sizeof text, "done: %u command%s", v->executed, v->executed == 1 ? "" : "s");
	return finish(e, now, t, TASK_DONE, text);
}

static enum status judge(struct engine *e, uint64_t now, const struct campaign *c, struct task *t, const struct ota_verdict *v,
        struct bytes response)
{
	char text[CAMPAIGN_REASON_MAX];
	const struct job *job;

	TRY(load_job(e, t->campaign, &job));
	if (!v->secured) {
		(void)snprintf(text, sizeof text, "an answer without a CC, RSC %02X: %s", v->rsc, ota_rsc_text(v->rsc));
		TRY(note(e, now, t, text));
		/* Anybody could have sent it, so nothing follows from it but what people are told in the end. */
		return sql_done(
		        sql_query(db_sql(e->db), "UPDATE task SET reason=$1 WHERE campaign=$2 AND iccid=$3 AND " STILL_OPEN,
		                "sss", text, t->campaign, t->iccid));
	}
	if (v->counter != t->counter && !(v->counter == t->updated && v->rsc == RSC_OK)) {
		(void)snprintf(text, sizeof text, "a late answer to counter %llu", (unsigned long long)v->counter);
		return note(e, now, t, text);
	}
	switch (v->rsc) {
	case RSC_OK: return ran(e, now, job, t, v, response);
	case RSC_COUNTER_LOW: return counter_low(e, now, job, t);
	case RSC_MORE_TIME:
	case RSC_BY_SUBMIT: return note(e, now, t, ota_rsc_text(v->rsc));
	case RSC_NO_MEMORY:
		TRY(note(e, now, t, ota_rsc_text(v->rsc)));
		t->counter = 0;
		return again(e, t, now + c->answer * UINT64_C(1000));
	default: (void)snprintf(text, sizeof text, "the card refuses, RSC %02X: %s", v->rsc, ota_rsc_text(v->rsc));
	}
	return finish(e, now, t, TASK_FAILED, text);
}

/* The message that this card owes an answer to. A packet's counter decides if there should be several. */
static enum status outstanding(struct engine *e, const char *iccid, struct task *t)
{
	char text[256];
	struct sql_rows *r;
	bool found;

	(void)snprintf(text, sizeof text,
	        "SELECT campaign, step, tries, lows, piece, counter, updated, stage FROM task WHERE iccid=$1 AND state=0"
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
		t->stage = (unsigned)sql_int(r, 7);
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
	enum status st = outstanding(e, iccid, &t);

	if (st == ERR_NOT_FOUND)
		return OK; /* late, twice, or from nobody */
	TRY(st);
	TRY(campaign_get(e->db, t.campaign, &c));
	if ((st = ota_verify(e->db, iccid, c.spi2, response, &v)) == ERR_IO)
		return st;
	if (st != OK)
		return note(e, now, &t, "an answer that this card's keys do not open");
	return judge(e, now, &c, &t, &v, response);
}

enum status engine_undeliverable(struct engine *e, uint64_t now, const char *iccid, uint64_t counter, const char *why)
{
	struct task t;
	enum status st = outstanding(e, iccid, &t);
	char text[CAMPAIGN_REASON_MAX];

	if (st == ERR_NOT_FOUND || (st == OK && t.counter != counter))
		return OK;
	TRY(st);
	(void)snprintf(text, sizeof text, "the message centre: %s", why);
	return finish(e, now, &t, TASK_FAILED, text);
}

/* ---- stages ------------------------------------------------------------------------------------------------------------- */

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
	struct running r = { .count = 0 };
	enum status st;

	*open = 0;
	TRY(engine_begin(e));
	st = campaign_each(e->db, true, keep_running, &r);
	for (size_t i = 0; st == OK && i < r.count; i++)
		st = turn_one(e, now, r.list[i].name, open);
	return engine_end(e, st);
}

enum status engine_twin(struct engine *e, uint64_t now, const char *name, const char *iccid, struct buf *packet)
{
	struct task t = { .step = STEP_UPDATE };
	const struct job *job;
	struct campaign c;

	TRY(campaign_get(e->db, name, &c));
	TRY(load_job(e, name, &job));
	(void)snprintf(t.iccid, sizeof t.iccid, "%s", iccid);
	return next_packet(e, now, job, &c, &t, packet);
}

enum status campaign_cost(struct db *db, const char *name, struct campaign_cost *out)
{
	struct engine *e = engine_new(db);
	uint8_t raw[OTA_PACKET_MAX];
	struct buf script = BUF_OF(raw);
	const struct job *job = NULL;
	enum status st = e != NULL ? load_job(e, name, &job) : ERR_NO_SPACE;
	unsigned commands;
	struct sql_rows *r;

	*out = (struct campaign_cost){ 0 };
	if (st == OK)
		st = job->audit ? job_read_script(job, 0, &script) : job_script(job, (struct bytes){ 0 }, &script, &commands);
	/* CPL, CHL and header, counter and padding count, CC, and up to a block of padding. */
	out->messages = sms_parts(16 + 6 + OTA_CC_MAX + (script.len + 15) / 16 * 16);
	if (job != NULL && job->audit)
		out->messages *= job_pieces(job);
	engine_free(&e);
	r = sql_query(db_sql(db),
	        "SELECT COUNT(*), COUNT(CASE WHEN card.msisdn='' THEN 1 END) FROM task JOIN card ON card.iccid=task.iccid"
	        " WHERE campaign=$1 AND state=0",
	        "s", name);
	if (sql_row(r)) {
		out->cards = sql_int(r, 0);
		out->without_number = sql_int(r, 1);
	}
	return sql_done(r) == OK ? st : ERR_IO;
}
