/* SPDX-License-Identifier: Apache-2.0 */
/* prose-net serve bsf, kms, group and function: HTTP until SIGTERM; and what the function permits. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "apdu/base/hex.h"
#include "apdu/gba.h"
#include "apdu/preset.h"
#include "apdu/prose.h"
#include "provisioning/cli/keep.h"
#include "provisioning/cli/net.h"
#include "provisioning/services/function.h"
#include "provisioning/services/group_service.h"
#include "provisioning/services/kms_service.h"

enum { TURN_MS = 200, LAST_TURNS = 10, LAST_TURN_MS = 20, LIFETIME_MAX = 31536000 };

static volatile sig_atomic_t stop, again;

static void on_signal(int number)
{
	if (number == SIGHUP)
		again = 1;
	else
		stop = 1;
}

static const struct arguments *served;

static void read_again(const char *verb, struct http_server *s)
{
	again = 0;
	if (served->certificate == NULL)
		return;
	if (http_certificates_again(s))
		(void)printf("certificates read again\n");
	else
		(void)fprintf(stderr,
		        "prose-net %s: the certificate, its key or the clients' CA cannot be used: the old ones stay\n", verb);
	(void)fflush(stdout);
}

/* Ks_NAF, for servers that know no other keys. */
static bool psk_of(void *context, const char *identity, bool tls13, struct secret *out)
{
	struct naf_user u;

	(void)context;
	return ua_user(served->db, net_now(), served->name, identity, tls13, &u, out) == OK;
}

static int serve(const struct arguments *a, const char *verb, const char *where, struct http_handler h)
{
	struct sigaction action = { .sa_handler = on_signal };
	char reason[200];
	struct http_server *s;
	int rc;

	if (a->limit < 0 || a->limit > 1000000)
		return net_fail(verb, NULL, "--limit is 0 to 1000000", EXIT_USAGE);
	if ((a->certificate == NULL) != (a->certificate_key == NULL) || (a->certificate == NULL) != (a->client_ca == NULL))
		return net_fail(verb, NULL, "--certificate, --certificate-key and --client-ca go together", EXIT_USAGE);
	if (h.key != NULL && (rc = net_clock(verb, a)) != 0) /* the others issue nothing with a date */
		return rc;
	served = a;
	h.limit = (unsigned)a->limit;
	h.certificate = a->certificate;
	h.certificate_key = a->certificate_key;
	h.client_ca = a->client_ca;
	h.anonymous = h.anonymous && a->certificate != NULL;
	if ((s = http_serve(where, &h, reason, sizeof reason)) == NULL)
		return net_fail(verb, NULL, reason, EXIT_REFUSED);
	(void)sigaction(SIGTERM, &action, NULL);
	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGHUP, &action, NULL);
	if ((rc = net_sandbox(a, SANDBOX_SERVE_HTTP, verb, NULL)) != 0) {
		http_free(&s);
		return rc;
	}
	(void)printf("ready at port %u\n", http_port(s));
	(void)fflush(stdout);
	while (stop == 0) {
		http_run(s, TURN_MS);
		if (again != 0)
			read_again(verb, s);
	}
	for (int i = 0; i < LAST_TURNS && keep_lost(); i++) /* who asked when it ended is told */
		http_run(s, LAST_TURN_MS);
	http_free(&s);
	return 0;
}

/* What a running server says of a clock that was set wrong, once. */
static void say_why(const char *verb, const struct http_reply *r)
{
	static bool said;

	if (r->status == 503 && !said)
		said = net_clock(verb, served) != 0;
	else if (r->status == 200)
		said = false;
}

static void on_bsf(void *context, const struct http_request *q, struct http_reply *r)
{
	bsf_request(context, net_now(), q, r);
}

int bsf_serve(struct arguments *a)
{
	static struct bsf s;
	const struct http_handler h = { .context = &s, .request = on_bsf };
	int rc;

	if (a->http == NULL || a->name == NULL || a->count != 0 || a->valid < 1 || a->valid > LIFETIME_MAX)
		return net_fail(
		        "serve bsf", NULL, "needs --http ADDRESS:PORT and --name FQDN; --valid is 1 to 31536000", EXIT_USAGE);
	s.db = a->db;
	s.name = a->name;
	s.lifetime = (uint64_t)a->valid;
	if (a->limit > 0 && (s.vectors = limit_new(BSF_VECTORS_PER_SECOND)) == NULL)
		return net_fail("serve bsf", NULL, "no memory for a server", EXIT_REFUSED);
	rc = serve(a, "serve bsf", a->http, h);
	limit_free(&s.vectors);
	return rc;
}

static bool kms_key(void *context, const char *identity, bool tls13, struct secret *out)
{
	return kms_service_key(context, net_now(), identity, tls13, out);
}

static void on_kms(void *context, const struct http_request *q, struct http_reply *r)
{
	kms_service_request(context, net_now(), q, r);
	say_why("serve kms", r);
}

int kms_serve(struct arguments *a)
{
	static struct kms_service s;
	const struct http_handler h = {
		.context = &s, .key = kms_key, .request = on_kms, .suite = UA_SUITE, .hint = UA_HINT, .anonymous = true
	};

	if (a->https == NULL || a->name == NULL || a->count != 0)
		return net_fail("serve kms", NULL, "needs --https ADDRESS:PORT and --name FQDN", EXIT_USAGE);
	s.db = a->db;
	s.naf = a->name;
	return serve(a, "serve kms", a->https, h);
}

static void on_group(void *context, const struct http_request *q, struct http_reply *r)
{
	group_service_request(context, net_now(), q, r);
	say_why("serve group", r);
}

static bool on_news(void *context)
{
	return group_service_news(context, net_now());
}

int group_serve(struct arguments *a)
{
	static struct group_service s;
	const struct http_handler h = { .context = &s,
		.key = psk_of,
		.request = on_group,
		.news = on_news,
		.suite = UA_SUITE,
		.hint = UA_HINT,
		.anonymous = true };

	if (a->https == NULL || a->name == NULL || a->count != 0)
		return net_fail("serve group", NULL, "needs --https ADDRESS:PORT and --name FQDN", EXIT_USAGE);
	s.db = a->db;
	s.naf = a->name;
	return serve(a, "serve group", a->https, h);
}

static void on_function(void *context, const struct http_request *q, struct http_reply *r)
{
	function_service_request(context, net_now(), q, r);
	say_why("serve function", r);
}

int function_serve(struct arguments *a)
{
	static struct function_service s;
	const struct http_handler h = {
		.context = &s, .key = psk_of, .request = on_function, .suite = UA_SUITE, .hint = UA_HINT, .anonymous = true
	};

	if (a->https == NULL || a->name == NULL || a->count != 0)
		return net_fail("serve function", NULL, "needs --https ADDRESS:PORT and --name FQDN", EXIT_USAGE);
	s.db = a->db;
	s.naf = a->name;
	return serve(a, "serve function", a->https, h);
}

int function_permit(struct arguments *a)
{
	static const char *const names[] = { "announce", "monitor", "communicate", NULL };
	struct db_permission p = { .valid = (uint64_t)a->valid };
	struct buf radio = BUF_OF(p.radio);
	struct db_card card;
	struct buf out = BUF_OF(net_output);
	enum status st = OK;

	if (a->count != 1 || a->valid < 1 ||
	        (!plmn_is_valid(bytes_str(a->words[0])) && strcmp(a->words[0], PERMISSION_OFF_NETWORK) != 0))
		return net_fail(
		        "function permit", NULL, "needs PLMN, 5 or 6 digits, or off, which is where none serves", EXIT_USAGE);
	if (a->out != NULL && a->card == NULL)
		return net_fail("function permit", a->out, "--out needs --card: an object is sealed to one card", EXIT_USAGE);
	if (!net_flags_of(a->rights, names, &p.rights))
		return net_fail("function permit", a->rights,
		        "rights are a list of announce, monitor, communicate, with commas", EXIT_USAGE);
	if (a->radio != NULL && hex_decode(bytes_str(a->radio), &radio) != OK)
		return net_fail("function permit", a->radio, "--radio is hex, at most 128 octets", EXIT_USAGE);
	p.radio_len = radio.len;
	(void)snprintf(p.plmn, sizeof p.plmn, "%s", a->words[0]);
	if (a->card != NULL && (st = db_card_get(a->db, a->card, &card, NULL)) == OK)
		(void)snprintf(p.iccid, sizeof p.iccid, "%s", a->card);
	if (st == OK)
		st = db_permission_set(a->db, &p);
	if (st == OK && a->out != NULL && (st = function_permission(a->db, net_now(), a->card, &p, &out)) == OK)
		st = net_write_file(a->out, buf_bytes(&out));
	return net_report("function permit", a->card, st);
}
