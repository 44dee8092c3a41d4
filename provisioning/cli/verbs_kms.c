/* prose-net kms and bsf: who may hold which identity, the log of extractions, and both services. */
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "apdu/hex.h"
#include "provisioning/cli/net.h"
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

static int serve(const char *verb, const char *where, const struct http_handler *h)
{
	struct sigaction action = { .sa_handler = on_signal };
	char reason[200];
	struct http_server *s = http_serve(where, h, reason, sizeof reason);

	if (s == NULL)
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
	return serve("serve bsf", a->http, &h);
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

	if (a->https == NULL || a->name == NULL || a->count != 0)
		return fail("serve kms", NULL, "needs --https ADDRESS:PORT and --name FQDN", EXIT_USAGE);
	s.db = a->db;
	s.naf = a->name;
	return serve("serve kms", a->https, &h);
}
