/* SPDX-License-Identifier: Apache-2.0 */
/* prose-net campaign: jobs for many cards; and what became of one. */
#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "provisioning/campaign/campaign.h"
#include "apdu/base/text.h"
#include "provisioning/cli/net.h"
#include "provisioning/campaign/clock.h"
#include "provisioning/db/master.h"
#include "provisioning/campaign/worker.h"

enum { BAR = 30 };

static const char *clock_text(uint64_t ms, char out[32])
{
	time_t t = (time_t)(ms / 1000);
	struct tm tm;

	(void)gmtime_r(&t, &tm);
	(void)strftime(out, 32, "%Y-%m-%d %H:%M:%S", &tm);
	return out;
}

static bool read_text(const char *path, char *out, size_t n)
{
	FILE *f = fopen(path, "re");
	size_t got = f != NULL ? fread(out, 1, n - 1, f) : 0;
	bool ok = f != NULL && feof(f) != 0 && ferror(f) == 0;

	out[got] = 0;
	if (f != NULL)
		(void)fclose(f);
	return ok;
}

/* "2" or "0.5", with nothing else. */
static bool percent_of(const char *text, double *out)
{
	char *end;

	*out = strtod(text, &end);
	return text[0] != 0 && strspn(text, "0123456789.") == strlen(text) && *end == 0 && *out <= 100;
}

int campaign_new(struct arguments *a)
{
	static char job[JOB_TEXT_MAX];
	struct campaign_order o = {
		.cards = a->cards, .like = a->like, .group = a->group, .stages = a->stages, .spi2 = por_of(a)
	};
	double percent = 2;
	char reason[256] = "";
	uint64_t cards = 0;
	enum status st;

	if (a->count != 2 || a->retries < 1 || a->retries > 1000 || a->answer < 1 || a->answer > 604800 || a->valid < 1 ||
	        a->rate < 0 || (a->abort != NULL && !percent_of(a->abort, &percent)) ||
	        (a->cards != NULL) + (a->like != NULL) + (a->group != NULL) > 1)
		return net_fail("campaign create", NULL,
		        "needs NAME and JOB, one of --cards, --like, --group at most, and sensible numbers", EXIT_USAGE);
	if (!read_text(a->words[1], job, sizeof job))
		return net_fail("campaign create", a->words[1], "cannot be read, or is longer than 48 KiB", EXIT_REFUSED);
	o.name = a->words[0];
	o.job = job;
	o.abort = (unsigned)(percent * 10 + 0.5);
	o.rate = (unsigned)a->rate;
	o.retries = (unsigned)a->retries;
	o.answer = (unsigned)a->answer;
	o.valid = (uint64_t)a->valid;
	o.https = a->https;
	if ((st = campaign_create(a->db, &o, clock_ms(), &cards, reason, sizeof reason)) != OK)
		return net_fail("campaign create", a->words[0], reason[0] != 0 ? reason : status_text(st), EXIT_REFUSED);
	(void)printf("%s: %llu card%s\n", o.name, (unsigned long long)cards, cards == 1 ? "" : "s");
	return 0;
}

static json_t *campaign_json(const struct campaign *c)
{
	return json_pack("{s:s, s:s, s:s, s:i, s:i, s:I, s:I, s:I, s:I, s:I}", "name", c->name, "state",
	        campaign_state_text(c->state), "reason", c->reason, "stage", (int)c->stage, "stages", (int)c->stages, "cards",
	        (json_int_t)c->total, "done", (json_int_t)c->done, "failed", (json_int_t)c->failed, "messages",
	        (json_int_t)c->messages, "created", (json_int_t)(c->created / 1000));
}

static void print_json(json_t *j)
{
	(void)json_dumpf(j, stdout, JSON_COMPACT);
	(void)putchar('\n');
	json_decref(j);
}

static void list_json(void *context, const struct campaign *c)
{
	(void)json_array_append_new(context, campaign_json(c));
}

static void list_line(void *context, const struct campaign *c)
{
	char when[32];

	(void)context;
	(void)printf("%-20s %-9s stage %u of %u  %llu of %llu done, %llu failed  %s\n", c->name, campaign_state_text(c->state),
	        c->stage, c->stages, (unsigned long long)c->done, (unsigned long long)c->total, (unsigned long long)c->failed,
	        c->reason[0] != 0 ? c->reason : clock_text(c->created, when));
}

int campaign_list(struct arguments *a)
{
	json_t *all = a->json ? json_array() : NULL;
	enum status st = campaign_each(a->db, false, a->json ? list_json : list_line, all);

	if (all != NULL)
		print_json(all);
	return net_report("campaign list", NULL, st);
}

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
	(void)number;
	stop = 1;
}

static void progress(const struct campaign *c, uint64_t began, uint64_t done_before, bool terminal)
{
	char bar[BAR + 1];
	uint64_t over = c->done + c->failed, elapsed = (clock_ms() - began) / 1000, in_this = over - done_before;
	size_t full = c->total > 0 ? (size_t)(over * BAR / c->total) : 0;

	memset(bar, '.', BAR);
	memset(bar, '#', full);
	bar[BAR] = 0;
	(void)printf("%s[%s] %llu/%llu  %llu failed  stage %u/%u", terminal ? "\r\033[K" : "", bar, (unsigned long long)over,
	        (unsigned long long)c->total, (unsigned long long)c->failed, c->stage, c->stages);
	if (elapsed > 2 && in_this > 0 && c->state == CAMPAIGN_RUNNING)
		(void)printf("  %llu s left", (unsigned long long)((c->total - over) * elapsed / in_this));
	if (!terminal)
		(void)putchar('\n');
	(void)fflush(stdout);
}

int campaign_watch(struct arguments *a)
{
	struct sigaction action = { .sa_handler = on_signal };
	bool terminal = isatty(1) != 0;
	uint64_t began = clock_ms(), before = UINT64_MAX, shown = UINT64_MAX;
	struct campaign c = { .state = CAMPAIGN_RUNNING };
	enum status st = OK;

	if (a->count != 1)
		return net_fail("campaign watch", NULL, "needs NAME", EXIT_USAGE);
	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
	while (stop == 0 && c.state == CAMPAIGN_RUNNING && (st = campaign_get(a->db, a->words[0], &c)) == OK) {
		if (before == UINT64_MAX)
			before = c.done + c.failed;
		if (!a->json && (terminal || shown != c.done + c.failed || c.state != CAMPAIGN_RUNNING))
			progress(&c, began, before, terminal);
		shown = c.done + c.failed;
		if (c.state == CAMPAIGN_RUNNING)
			(void)usleep(500000);
	}
	if (st != OK)
		return net_report("campaign watch", a->words[0], st);
	if (a->json)
		print_json(campaign_json(&c));
	else
		(void)printf("%s%s: %s%s%s, %llu messages\n", terminal ? "\n" : "", c.name, campaign_state_text(c.state),
		        c.reason[0] != 0 ? ", " : "", c.reason, (unsigned long long)c.messages);
	return c.state == CAMPAIGN_FINISHED && c.failed == 0 ? 0 : EXIT_REFUSED;
}

static int set_state(struct arguments *a, const char *verb, enum campaign_state state)
{
	enum status st;

	if (a->count != 1)
		return net_fail(verb, NULL, "needs NAME", EXIT_USAGE);
	st = campaign_set_state(a->db, a->words[0], state);
	if (st == ERR_DENIED)
		return net_fail(verb, a->words[0], "is over, or in this state already", EXIT_REFUSED);
	return net_report(verb, a->words[0], st);
}

int campaign_pause(struct arguments *a)
{
	return set_state(a, "campaign pause", CAMPAIGN_PAUSED);
}

int campaign_resume(struct arguments *a)
{
	return set_state(a, "campaign resume", CAMPAIGN_RUNNING);
}

int campaign_cancel(struct arguments *a)
{
	return set_state(a, "campaign cancel", CAMPAIGN_CANCELLED);
}

static void result_line(void *context, const struct campaign_result *r)
{
	const struct arguments *a = context;

	if (a->failed && r->state == TASK_DONE)
		return;
	if (a->csv)
		(void)printf("%s,%s,%u,%u,\"%s\"\n", r->iccid, task_state_text(r->state), r->stage, r->tries, r->reason);
	else if (a->json)
		print_json(json_pack("{s:s, s:s, s:i, s:i, s:s}", "iccid", r->iccid, "state", task_state_text(r->state),
		        "stage", (int)r->stage, "messages", (int)r->tries, "reason", r->reason));
	else
		(void)printf("%-20s %-9s %u message%s  %s\n", r->iccid, task_state_text(r->state), r->tries,
		        r->tries == 1 ? " " : "s", r->reason);
}

int campaign_result_list(struct arguments *a)
{
	struct campaign c;
	enum status st;

	if (a->count != 1)
		return net_fail("campaign result", NULL, "needs NAME", EXIT_USAGE);
	if ((st = campaign_get(a->db, a->words[0], &c)) != OK)
		return net_report("campaign result", a->words[0], st);
	if (a->csv)
		(void)puts("iccid,state,stage,messages,reason");
	return net_report("campaign result", a->words[0], campaign_results(a->db, a->words[0], result_line, a));
}

static int ask_twin(struct arguments *a)
{
	struct engine *e = engine_new(a->db);
	uint8_t raw[OTA_PACKET_MAX], answer_raw[512];
	static char messages[WORKER_MESSAGES_MAX];
	struct buf packet = BUF_OF(raw), answer = BUF_OF(answer_raw),
	           lines = { (uint8_t *)messages, 0, sizeof messages, false };
	struct campaign c;
	struct ota_verdict v;
	enum status st = ERR_NO_SPACE;

	if (e != NULL && (st = campaign_get(a->db, a->words[0], &c)) == OK)
		st = engine_twin(e, clock_ms(), a->words[0], a->card, &packet);
	engine_free(&e);
	if (st == ERR_DENIED)
		return net_fail("campaign dry-run", a->card, "a job that goes by HTTPS has no dry run on a twin", EXIT_REFUSED);
	if (st != OK)
		return net_report("campaign dry-run", a->card, st);
	if (worker_messages(buf_bytes(&packet), 1, &lines) != OK ||
	        courier_deliver(a->via, a->card, buf_bytes(&lines), &answer) != OK || answer.len == 0)
		return net_fail("campaign dry-run", a->card, "the twin gave no answer", EXIT_REFUSED);
	if (ota_verify(a->db, a->card, c.spi2, buf_bytes(&answer), &v) != OK)
		return net_fail("campaign dry-run", a->card, "this is no answer of the twin's", EXIT_REFUSED);
	(void)printf("twin %s: ", a->card);
	return print_verdict(&v);
}

int campaign_dry_run(struct arguments *a)
{
	struct campaign_cost cost;
	enum status st;

	if (a->count != 1 || (a->card == NULL) != (a->via == NULL))
		return net_fail("campaign dry-run", NULL, "needs NAME, and --card with --via for a twin", EXIT_USAGE);
	if ((st = campaign_cost(a->db, a->words[0], &cost)) != OK)
		return net_report("campaign dry-run", a->words[0], st);
	(void)printf("%s: %llu cards, %llu short messages and as many answers\n", a->words[0], (unsigned long long)cost.cards,
	        (unsigned long long)cost.messages);
	if (cost.without_objects > 0)
		(void)printf("%llu cards have no sealed objects there\n", (unsigned long long)cost.without_objects);
	if (cost.without_number > 0)
		(void)printf("%llu cards have no telephone number: `card number`, or a column msisdn in `card import`\n",
		        (unsigned long long)cost.without_number);
	return a->card != NULL ? ask_twin(a) : 0;
}

static void history_line(void *context, uint64_t at, const char *campaign, const char *what)
{
	const struct arguments *a = context;
	char when[32];

	if (a->json)
		print_json(json_pack("{s:I, s:s, s:s}", "at", (json_int_t)at, "campaign", campaign, "what", what));
	else
		(void)printf("%s  %-16s %s\n", clock_text(at, when), campaign, what);
}

int card_why(struct arguments *a)
{
	SECRET_LARGE secrets = { 0 };
	struct db_card card;
	struct ota_keys k;
	char sentence[DB_SENTENCE_MAX];
	enum status st;

	if (a->count != 1)
		return net_fail("card why", NULL, "needs ICCID", EXIT_USAGE);
	if ((st = db_card_get(a->db, a->words[0], &card, NULL)) != OK)
		return net_report("card why", a->words[0], st);
	if (!a->json)
		(void)printf("%s  IMSI %s  number %s  last counter %llu  ", card.iccid, card.imsi,
		        card.msisdn[0] != 0 ? card.msisdn : "not known", (unsigned long long)card.ota_counter);
	if (card.duplicate_of[0] != 0) {
		db_card_duplicate(&card, sentence);
		(void)net_fail("card why", card.iccid, sentence, 0);
	}
	if (!a->json && ota_card_keys(a->db, card.iccid, &secrets, &k) == OK)
		(void)printf("key set %u\n", (unsigned)k.kvn);
	else if (!a->json)
		(void)puts("no OTA keys");
	return net_report("card why", a->words[0], campaign_history(a->db, a->words[0], history_line, a));
}

int card_number(struct arguments *a)
{
	char before[21], sentence[80];
	struct db_card card;
	enum status st;

	if (a->count != 2 || strlen(a->words[1]) < 3 || strlen(a->words[1]) > 15 ||
	        strspn(a->words[1], "0123456789") != strlen(a->words[1]))
		return net_fail("card number", NULL, "needs ICCID and a number of 3 to 15 digits, without +", EXIT_USAGE);
	if ((st = db_card_get(a->db, a->words[0], &card, NULL)) == OK && db_card_by_msisdn(a->db, a->words[1], before) == OK &&
	        strcmp(before, card.iccid) != 0) {
		(void)snprintf(sentence, sizeof sentence, "was the number of card %s, which has none now", before);
		(void)net_fail("card number", a->words[1], sentence, 0);
	}
	if (st == OK)
		st = db_card_set_msisdn(a->db, a->words[0], a->words[1]);
	return net_report("card number", a->words[0], st);
}

int ota_serve(struct arguments *a)
{
	SECRET_LARGE password = { 0 };
	struct sigaction action = { .sa_handler = on_signal };
	struct worker_options o = { .courier = a->courier, .https = a->https, .once = a->once };
	char host[256] = "", *port;
	enum status st;
	int rc;

	if ((a->smsc == NULL) + (a->via == NULL) + (a->https == NULL) == 3 ||
	        (a->via != NULL && (a->smsc != NULL || a->https != NULL)) || a->count != 0 || a->window < 1 ||
	        a->window > ESME_WINDOW_MAX)
		return net_fail("serve ota", NULL,
		        "needs --smsc HOST:PORT and --https ADDRESS:PORT, or one of them, or --via COMMAND alone; --window is"
		        " 1 to 512",
		        EXIT_USAGE);
	if (a->bind != NULL && strcmp(a->bind, "separate") != 0 && strcmp(a->bind, "transceiver") != 0)
		return net_fail("serve ota", a->bind, "--bind is transceiver or separate", EXIT_USAGE);
	if (a->password != NULL && secret_line(a->password, &password) != OK)
		return net_fail("serve ota", a->password, "must be a 0600 file with a password", EXIT_REFUSED);
	if (password.len > SMPP_PASSWORD_MAX)
		return net_too_long("serve ota", "--password-file", password.len, SMPP_PASSWORD_MAX);
	if (a->smsc != NULL) {
		if (!text_put(host, sizeof host, "%s", a->smsc) || (port = strrchr(host, ':')) == NULL)
			return net_fail("serve ota", a->smsc, "is not HOST:PORT", EXIT_USAGE);
		*port++ = 0;
		o.smsc = (struct esme_options){
			.host = host, .port = port, .password = (const char *)password.data, .window = (unsigned)a->window
		};
		o.separate = a->bind != NULL && strcmp(a->bind, "separate") == 0;
		o.smsc.system_id = a->system_id != NULL ? a->system_id : "ota";
		o.smsc.address = a->from != NULL ? a->from : "12345";
	}
	(void)sigaction(SIGTERM, &action, NULL);
	(void)sigaction(SIGINT, &action, NULL);
	if ((rc = net_sandbox(a, SANDBOX_SERVE_OTA, "serve ota", NULL)) != 0)
		return rc;
	(void)printf("ready\n");
	(void)fflush(stdout);
	st = worker_run(a->db, &o, &stop);
	if (st == ERR_DENIED)
		return EXIT_REFUSED;
	return st == OK ? 0 : net_fail("serve ota", NULL, "the database is gone", EXIT_FAILURE);
}
