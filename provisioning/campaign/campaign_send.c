/* SPDX-License-Identifier: Apache-2.0 */
/* Claiming cards, and the packets that they get. */
#include "apdu/aids.h"
#include "provisioning/campaign/campaign_engine.h"

#include <stdlib.h>
#include <string.h>

#include "ota/script.h"
#include "ota/sms.h"

enum { CLAIM_MAX = 64 };

/* What the next message to this card says. */
static enum status next_packet(
        struct engine *e, uint64_t now, const struct job *job, const struct campaign *c, struct task *t, struct buf *packet)
{
	uint8_t raw[OTA_PACKET_MAX], more_raw[OTA_PACKET_MAX];
	struct buf script = BUF_OF(raw), more = BUF_OF(more_raw);
	unsigned commands;

	if (c->https[0] != 0)
		return http_trigger(e, c, t, packet);
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
	TRY(task_note(e, now, t, text));
	*over = true;
	if (t->tries >= c->retries) {
		(void)snprintf(text, sizeof text,
		        t->hint[0] == 0 ? "no answer to %u messages" : "no signed answer to %u messages; %.100s", t->tries,
		        t->hint);
		return task_finish(e, now, t, TASK_FAILED, text);
	}
	if (t->step == STEP_CALLED && !http_may_run_twice(job))
		return task_finish(e, now, t, TASK_FAILED, "no answer; the card may have run the commands, or not");
	if (c->https[0] != 0)
		t->step = STEP_UPDATE;
	else if (t->step == STEP_UPDATE && !job->repeat && job->rotate == 0 && job->sealed[0] == 0 && !job->audit) {
		if (job->commands_count > 0 && (job->files == 0 || memcmp(job->tar, TAR_RFM_PROSE, TAR_LEN) != 0))
			return task_finish(e, now, t, TASK_FAILED, "no answer; the card may have run the commands, or not");
		t->step = STEP_PROBE;
		t->piece = 0;
	}
	*over = false;
	return OK;
}

static const char *why_no_packet(enum status st)
{
	switch (st) {
	case ERR_NOT_FOUND: return "this card's keys, or its sealed objects, are not there"; /* keys for HTTPS among them */
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
uint64_t task_patience(const struct campaign *c, const struct task *t)
{
	return (c->answer * UINT64_C(1000)) << (t->tries < 3 ? t->tries : 3);
}

static enum status send_one(
        struct engine *e, uint64_t now, const struct job *job, const struct campaign *c, struct task *t, struct sending *s)
{
	struct campaign_packet *p = &s->head[s->count];
	struct buf packet = { s->memory + s->at[s->count], 0, OTA_PACKET_MAX, false };
	bool over = false;
	char text[CAMPAIGN_REASON_MAX];
	enum status st;

	if (t->msisdn[0] == 0 && !e->by_hand)
		return task_finish(e, now, t, TASK_FAILED, "no telephone number is known for this card");
	if (t->counter > 0)
		TRY(after_silence(e, now, job, c, t, &over));
	if (over)
		return OK;
	if (status_failed(st = next_packet(e, now, job, c, t, &packet)))
		return st;
	if (st != OK)
		return task_finish(e, now, t, TASK_FAILED, why_no_packet(st));
	if (t->step == STEP_UPDATE)
		t->updated = t->counter;
	TRY(sql_done(sql_query(db_sql(e->db),
	        "UPDATE task SET counter=$1, updated=$2, step=$3, piece=$4, tries=tries+1, due=$5 WHERE campaign=$6 AND iccid=$7",
	        "iiiiiss", t->counter, t->updated, (uint64_t)t->step, (uint64_t)t->piece, now + task_patience(c, t),
	        t->campaign, t->iccid)));
	(void)snprintf(text, sizeof text, "%s, counter %llu, %u short message%s",
	        t->step == STEP_PROBE || job->audit ? "asked what it holds"
	        : c->https[0] != 0                  ? "told to call"
	                                            : "sent",
	        (unsigned long long)t->counter, sms_parts(packet.len), sms_parts(packet.len) == 1 ? "" : "s");
	TRY(task_note(e, now, t, text));
	*p = (struct campaign_packet){ .counter = t->counter, .expires = c->expires, .packet = buf_bytes(&packet) };
	memcpy(p->iccid, t->iccid, sizeof p->iccid);
	memcpy(p->msisdn, t->msisdn, sizeof p->msisdn);
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
	struct sum *s = engine_sum(e, c->name, c->stage);

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
	char text[900];
	struct sql_rows *r;

	/* A card that another campaign is talking to waits: its answers would get mixed. Neighbours together: a database writes
	 * a page of its log for the first change of each page, so that a million cards in random order cost half as much again.
	 */
	(void)snprintf(text, sizeof text,
	        "UPDATE task SET due=$1 WHERE campaign=$2 AND iccid IN (SELECT t.iccid FROM task t WHERE t.campaign=$2"
	        " AND t.stage=$3 AND t.state=0 AND t.due<=$4 AND NOT EXISTS (SELECT 1 FROM task o WHERE o.iccid=t.iccid"
	        " AND o.state=0 AND o.counter>0 AND o.campaign<>t.campaign) ORDER BY t.due, t.iccid LIMIT $5%s)"
	        " RETURNING iccid, step, tries, lows, piece, counter, updated, reason,"
	        " (SELECT msisdn FROM card WHERE card.iccid=task.iccid)",
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
		sql_text(r, 8, t->msisdn, sizeof t->msisdn);
	}
	return sql_done(r);
}

static enum status claim_of(struct engine *e, uint64_t now, const struct campaign *c, unsigned limit, struct sending *s)
{
	struct task tasks[CLAIM_MAX];
	const struct job *job;
	uint64_t left, messages = 0;
	unsigned count, before = s->count;

	TRY(engine_job(e, c->name, &job));
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

static enum status claim_all(struct engine *e, uint64_t now, unsigned limit, struct sending *s)
{
	struct running r;

	TRY(engine_running(e, &r));
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

enum status engine_twin(struct engine *e, uint64_t now, const char *name, const char *iccid, struct buf *packet)
{
	struct task t = { .step = STEP_UPDATE };
	const struct job *job;
	struct campaign c;

	TRY(campaign_get(e->db, name, &c));
	TRY(engine_job(e, name, &job));
	if (c.https[0] != 0)
		return ERR_DENIED;
	(void)snprintf(t.iccid, sizeof t.iccid, "%s", iccid);
	return next_packet(e, now, job, &c, &t, packet);
}

/* The short messages of a script in a packet like every other. */
static enum status messages_of(struct bytes script, unsigned *messages)
{
	static const uint8_t key[16];
	const struct ota_keys k = { .kvn = 1, .kic = BYTES_OF(key), .kid = BYTES_OF(key) };
	const uint8_t names = 1 << 4 | KEY_AES;
	const struct ota_command c = { SPI1_DEFAULT, SPI2_DEFAULT, names, names, { 0 }, 1, script };
	uint8_t raw[OTA_PACKET_MAX];
	struct buf packet = BUF_OF(raw);

	TRY(ota_command_build(&k, &c, &packet));
	*messages = sms_parts(packet.len);
	return *messages > 0 ? OK : ERR_NO_SPACE;
}

/* What one card gets; for sealed objects, this one. PUT KEY of two keys always has the same length. */
static enum status cost_of(const struct job *job, const char *iccid, unsigned *messages)
{
	enum { PUT_KEY_LEN = 5 + 1 + 2 * (3 + 16 + 1 + 3) };
	uint8_t raw[OTA_PACKET_MAX], more_raw[OTA_PACKET_MAX];
	struct buf script = BUF_OF(raw), more = BUF_OF(more_raw);
	unsigned commands, all = 0;

	for (unsigned piece = 0; job->audit && piece < job_pieces(job); piece++, all += *messages) {
		script.len = 0;
		TRY(job_read_script(job, piece, &script));
		TRY(messages_of(buf_bytes(&script), messages));
	}
	*messages = all;
	if (job->audit)
		return OK;
	if (job->rotate > 0)
		buf_put_zeros(&script, PUT_KEY_LEN);
	else if (job->sealed[0] != 0 && job_sealed(job->sealed, iccid, 0, &more) != OK)
		return ERR_NOT_FOUND;
	else
		TRY(job_script(job, buf_bytes(&more), &script, &commands));
	return messages_of(buf_bytes(&script), messages);
}

enum status campaign_cost(struct db *db, const char *name, struct campaign_cost *out)
{
	struct engine *e = engine_new(db);
	const struct job *job = NULL;
	enum status st = e != NULL ? engine_job(e, name, &job) : ERR_NO_SPACE;
	struct sql_rows *r = sql_query(db_sql(db),
	        "SELECT card.iccid, card.msisdn FROM task JOIN card ON card.iccid=task.iccid WHERE campaign=$1 AND state=0",
	        "s", name);
	unsigned messages = 0;

	*out = (struct campaign_cost){ 0 };
	while (st == OK && sql_row(r)) {
		char iccid[21];
		enum status one = OK;

		sql_text(r, 0, iccid, sizeof iccid);
		if (out->cards++ == 0 || job->sealed[0] != 0)
			one = cost_of(job, iccid, &messages);
		if (one == ERR_NOT_FOUND)
			out->without_objects++;
		else if (one != OK)
			st = one;
		else
			out->messages += messages;
		if (sql_blob(r, 1).n == 0)
			out->without_number++;
	}
	engine_free(&e);
	return sql_end(r, st);
}
