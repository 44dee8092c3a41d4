/* prose-net kms, bsf and group services: who may hold which identity, the log of extractions, what has been delivered. */
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "apdu/hex.h"
#include "apdu/sw.h"
#include "provisioning/cli/net.h"
#include "provisioning/group_service.h"
#include "provisioning/kms_service.h"

enum { TURN_MS = 200, LIFETIME_MAX = 31536000 };

int kms_allow(struct arguments *a)
{
	struct db_card card;
	enum status st;

	if (a->card == NULL || a->user == NULL || a->count != 0)
		return fail("kms allow", NULL, "needs --card ICCID and --user URI", EXIT_USAGE);
	if ((st = db_card_get(a->db, a->card, &card, NULL)) == OK)
		st = db_user_set(a->db, a->user, a->card);
	return report("kms allow", a->card, st);
}

static void log_line(void *context, const struct kms_log_entry *e)
{
	const struct arguments *a = context;
	time_t t = (time_t)e->at;
	char when[32];
	struct tm tm;
	json_t *j;

	(void)gmtime_r(&t, &tm);
	(void)strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &tm);
	if (!a->json) {
		(void)printf("%6llu  %s  %-20s  period %llu  %s\n", (unsigned long long)e->number, when, e->iccid,
		        (unsigned long long)e->period, e->uri);
		return;
	}
	j = json_pack("{s:I, s:s, s:s, s:I, s:s}", "number", (json_int_t)e->number, "at", when, "iccid", e->iccid, "period",
	        (json_int_t)e->period, "uri", e->uri);
	(void)json_dumpf(j, stdout, JSON_COMPACT);
	(void)putchar('\n');
	json_decref(j);
}

int kms_show_log(struct arguments *a)
{
	struct kms_log_entry last;
	char text[2 * sizeof last.hash + 1];
	uint64_t broken;
	enum status st = kms_log_read(a->db, log_line, a, &last, &broken);

	if (st != OK)
		return report("kms log", NULL, st);
	if (broken != 0) {
		(void)snprintf(text, sizeof text, "entry %llu", (unsigned long long)broken);
		return fail("kms log", text, "does not fit those before it: the log has been changed", EXIT_REFUSED);
	}
	if (!a->json)
		(void)printf("%llu extraction%s, head %s\n", (unsigned long long)last.number, last.number == 1 ? "" : "s",
		        hex_encode(BYTES_OF(last.hash), text));
	return 0;
}

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
	(void)number;
	stop = 1;
}

static int serve(const struct arguments *a, const char *verb, const char *where, struct http_handler h)
{
	struct sigaction action = { .sa_handler = on_signal };
	char reason[200];
	struct http_server *s;

	if (a->limit < 0 || a->limit > 1000000)
		return fail(verb, NULL, "--limit is 0 to 1000000", EXIT_USAGE);
	h.limit = (unsigned)a->limit;
	if ((s = http_serve(where, &h, reason, sizeof reason)) == NULL)
		return fail(verb, NULL, reason, EXIT_REFUSED);
	(void)sigaction(SIGTERM, &action, NULL);
	(void)sigaction(SIGINT, &action, NULL);
	(void)printf("ready at port %u\n", http_port(s));
	(void)fflush(stdout);
	while (stop == 0)
		http_run(s, TURN_MS);
	http_free(&s);
	return 0;
}

static void on_bsf(void *context, const struct http_request *q, struct http_reply *r)
{
	bsf_request(context, now(), q, r);
}

int bsf_serve(struct arguments *a)
{
	static struct bsf s;
	const struct http_handler h = { .context = &s, .request = on_bsf };

	if (a->http == NULL || a->name == NULL || a->count != 0 || a->valid < 1 || a->valid > LIFETIME_MAX)
		return fail(
		        "serve bsf", NULL, "needs --http ADDRESS:PORT and --name FQDN; --valid is 1 to 31536000", EXIT_USAGE);
	s.db = a->db;
	s.name = a->name;
	s.lifetime = (uint64_t)a->valid;
	return serve(a, "serve bsf", a->http, h);
}

static bool kms_key(void *context, const char *identity, struct secret *out)
{
	return kms_service_key(context, now(), identity, out);
}

static void on_kms(void *context, const struct http_request *q, struct http_reply *r)
{
	kms_service_request(context, now(), q, r);
}

int kms_serve(struct arguments *a)
{
	static struct kms_service s;
	const struct http_handler h = { .context = &s, .key = kms_key, .request = on_kms, .suite = UA_SUITE, .hint = UA_HINT };
	int rc;

	if (a->https == NULL || a->name == NULL || a->count != 0)
		return fail("serve kms", NULL, "needs --https ADDRESS:PORT and --name FQDN", EXIT_USAGE);
	s.db = a->db;
	s.naf = a->name;
	rc = serve(a, "serve kms", a->https, h);
	kms_tables_close(&s.tables);
	return rc;
}

static bool group_key(void *context, const char *identity, struct secret *out)
{
	return group_service_key(context, now(), identity, out);
}

static void on_group(void *context, const struct http_request *q, struct http_reply *r)
{
	group_service_request(context, now(), q, r);
}

int group_serve(struct arguments *a)
{
	static struct group_service s;
	const struct http_handler h = {
		.context = &s, .key = group_key, .request = on_group, .suite = UA_SUITE, .hint = UA_HINT
	};

	if (a->https == NULL || a->name == NULL || a->count != 0)
		return fail("serve group", NULL, "needs --https ADDRESS:PORT and --name FQDN", EXIT_USAGE);
	s.db = a->db;
	s.naf = a->name;
	return serve(a, "serve group", a->https, h);
}

static const char *state_text(const struct db_item *i, char text[128])
{
	if (i->refused != 0) {
		(void)snprintf(text, 128, "refused, %04X (%s)", i->refused, sw_text(i->refused));
		return text;
	}
	return i->confirmed != 0 ? "delivered" : i->fetched != 0 ? "fetched, not confirmed" : "waiting";
}

static void status_line(void *context, const struct db_item *i)
{
	struct arguments *a = context;
	char text[128];
	json_t *j;

	if (i->confirmed == 0 || i->refused != 0)
		a->failed = true;
	if (!a->json) {
		(void)printf("%-36s %-20s  %s%08llx  %s\n", i->uri, i->iccid, i->kind == ITEM_MIKEY ? "GMK " : "record ",
		        (unsigned long long)i->gmk_id, state_text(i, text));
		return;
	}
	j = json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:i}", "user", i->uri, "iccid", i->iccid, "kind",
	        i->kind == ITEM_MIKEY ? "gmk" : "record", "gmk_id", (json_int_t)i->gmk_id, "at", (json_int_t)i->at, "fetched",
	        (json_int_t)i->fetched, "confirmed", (json_int_t)i->confirmed, "refused", (int)i->refused);
	(void)json_dumpf(j, stdout, JSON_COMPACT);
	(void)putchar('\n');
	json_decref(j);
}

int group_status(struct arguments *a)
{
	enum status st;

	if (a->count != 1)
		return fail("group status", NULL, "needs GROUP", EXIT_USAGE);
	a->failed = false;
	st = db_outbox_each(a->db, a->words[0], status_line, a);
	return st != OK ? report("group status", a->words[0], st) : a->failed ? EXIT_REFUSED : 0;
}
