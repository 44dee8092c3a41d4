/* SPDX-License-Identifier: Apache-2.0 */
/* Campaigns by HTTPS (SCP81): the packet only tells the card to call; what it gets then is the whole job as one script, and its
 * answer comes with its next request. */
#include "apdu/aids.h"
#include "provisioning/campaign/campaign_engine.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "apdu/cat.h"
#include "apdu/sw.h"
#include "apdu/tlv.h"
#include "ota/http_admin.h"
#include "ota/script.h"

enum { CHANNEL_BUFFER = 1400, CARD_RETRIES = 2, CARD_DELAY = 30 };

bool campaign_https_address(const char *text, uint8_t address[static 4], uint16_t *port)
{
	char host[INET_ADDRSTRLEN + 1];
	const char *colon = strrchr(text, ':');
	char *end;
	unsigned long n;

	if (strlen(text) > CAMPAIGN_HTTPS_MAX || colon == NULL || (size_t)(colon - text) >= sizeof host)
		return false;
	(void)snprintf(host, sizeof host, "%.*s", (int)(colon - text), text);
	n = strtoul(colon + 1, &end, 10);
	*port = (uint16_t)n;
	return colon[1] >= '0' && colon[1] <= '9' && *end == 0 && n > 0 && n < 65536 && inet_pton(AF_INET, host, address) == 1;
}

enum status http_trigger(struct engine *e, const struct campaign *c, struct task *t, struct buf *packet)
{
	struct admin_trigger trigger = { .identity = bytes_str(t->iccid),
		.kvn = KVN_PSK_FIRST,
		.kid = 1,
		.retries = CARD_RETRIES,
		.delay = CARD_DELAY,
		.host = bytes_str(c->https),
		.uri = BYTES_STR("/") };
	uint8_t connection_raw[40], raw[400], address[4];
	struct buf connection = BUF_OF(connection_raw), data = BUF_OF(raw);
	uint16_t port;

	if (!campaign_https_address(c->https, address, &port))
		return ERR_BUG;
	cat_tcp_client_put(&connection, CHANNEL_BUFFER, address, port);
	trigger.connection = buf_bytes(&connection);
	admin_trigger_put(&data, &trigger);
	TRY(buf_status(&data));
	return ota_order_call(e->db, t->iccid, c->spi2, buf_bytes(&data), packet, &t->counter);
}

/* Writing files twice is writing them once; a card takes no sealed object twice. */
bool http_may_run_twice(const struct job *job)
{
	return job->repeat || job->commands_count == 0;
}

enum status http_answer_to_trigger(struct engine *e, uint64_t now, struct task *t, unsigned sw)
{
	char text[CAMPAIGN_REASON_MAX];

	if (sw == SW_OK || sw == SW_CONDITIONS_NOT_SATISFIED)
		return task_note(e, now, t, sw == SW_OK ? "the card will call" : "the card is calling already");
	(void)snprintf(text, sizeof text, "the card does not call: %04X (%s)", sw,
	        sw == SW_REFERENCE_NOT_FOUND ? "no pre-shared key 40" : sw_text(sw));
	return task_finish(e, now, t, TASK_FAILED, text);
}

/* Commands one by one in the template; objects as they are. */
static enum status put_script(uint64_t now, const struct job *job, const struct task *t, struct buf *out)
{
	static uint8_t compact_raw[ADMIN_BODY_MAX], items_raw[ADMIN_BODY_MAX];
	struct buf compact = BUF_OF(compact_raw), items = BUF_OF(items_raw);
	struct bytes left, whole;
	struct command_apdu a;
	unsigned commands;

	if (job->sealed[0] != 0)
		return job_sealed(job->sealed, t->iccid, now / 1000, out);
	TRY(job_script(job, (struct bytes){ 0 }, &compact, &commands));
	for (left = buf_bytes(&compact); left.n > 0; expanded_put(&items, whole)) {
		whole = left;
		TRY(script_next(&left, &a));
		whole.n -= left.n;
	}
	expanded_close(out, buf_bytes(&items), true);
	return items.failed ? ERR_NO_SPACE : buf_status(out);
}

static enum status set_called(struct engine *e, const struct task *t, uint64_t due)
{
	return sql_done(
	        sql_query(db_sql(e->db), "UPDATE task SET step=$1, due=$2 WHERE campaign=$3 AND iccid=$4 AND " STILL_OPEN,
	                "iiss", (uint64_t)STEP_CALLED, due, t->campaign, t->iccid));
}

enum status engine_call(struct engine *e, uint64_t now, const char *iccid, uint8_t tar[static TAR_LEN], struct buf *script)
{
	char text[CAMPAIGN_REASON_MAX];
	const struct job *job;
	struct campaign c;
	struct task t;
	enum status st;

	TRY(task_outstanding(e, iccid, &t));
	TRY(engine_campaign(e, t.campaign, &c));
	if (c.https[0] == 0 || c.state != CAMPAIGN_RUNNING)
		return ERR_NOT_FOUND;
	TRY(engine_job(e, t.campaign, &job));
	if (t.step == STEP_CALLED && !http_may_run_twice(job)) {
		TRY(task_finish(e, now, &t, TASK_FAILED, "the link was lost; the card may have run the commands, or not"));
		return ERR_NOT_FOUND;
	}
	if (status_failed(st = put_script(now, job, &t, script)))
		return st;
	if (st != OK) {
		TRY(task_finish(e, now, &t, TASK_FAILED,
		        st == ERR_NOT_FOUND ? "this card's sealed objects are not there" : "its script cannot be made"));
		return ERR_NOT_FOUND;
	}
	memcpy(tar, job->tar, TAR_LEN);
	(void)snprintf(text, sizeof text, "the card has called, and got %zu octets", script->len);
	TRY(task_note(e, now, &t, text));
	return set_called(e, &t, now + task_patience(&c, &t));
}

enum status engine_call_answer(struct engine *e, uint64_t now, const char *iccid, const char *status, struct bytes answer)
{
	struct expanded_answer a;
	char text[CAMPAIGN_REASON_MAX];
	const struct job *job;
	struct task t;
	enum status st = task_outstanding(e, iccid, &t);
	unsigned sw;

	if (st == ERR_NOT_FOUND || (st == OK && t.step != STEP_CALLED))
		return OK; /* late */
	TRY(st);
	TRY(engine_job(e, t.campaign, &job));
	if (strcmp(status, admin_status_text(ADMIN_OK)) != 0) {
		(void)snprintf(text, sizeof text, "the card refuses the script: %.60s", status);
		return task_finish(e, now, &t, TASK_FAILED, text);
	}
	if (expanded_answer_parse(answer, &a) != OK)
		return task_finish(e, now, &t, TASK_FAILED, "the card's answer cannot be read");
	sw = a.last.n >= 2 ? (unsigned)bytes_uint((struct bytes){ a.last.p + a.last.n - 2, 2 }) : SW_OK;
	if (sw == SW_PROSE_REPLAY && job->sealed[0] != 0)
		return task_finish(e, now, &t, TASK_DONE, "done: the card has these objects already");
	(void)snprintf(text, sizeof text,
	        sw == SW_OK && a.fault == EXPANDED_FINE ? "done: %u commands, by HTTPS"
	        : sw != SW_OK                           ? "command %u: %04X (%s)"
	                                                : "after command %u: the script cannot be read",
	        a.executed, sw, sw_text(sw));
	return task_finish(e, now, &t, sw == SW_OK && a.fault == EXPANDED_FINE ? TASK_DONE : TASK_FAILED, text);
}
