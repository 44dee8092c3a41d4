/* SPDX-License-Identifier: Apache-2.0 */
/* prose-ue provision: sealed objects to the card, from files, or from the KMS of an operator whom the card bootstraps with
 * (TS 33.220, 33.222, 33.180 annex D). The phone carries; Ks and the keys of the key set are the card's. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "apdu/base/text.h"
#include "host/cli/cli.h"
#include "apdu/base/hex.h"
#include "crypto/network/enrol.h"
#include "host/net/gba.h"
#include "protocols/pc3/kms_xml.h"

enum { OBJECT_ROOM = 16384 };

/* ---- objects -------------------------------------------------------------------------------------------------------- */

/* The octets of the next object, whole: 7F50 82 LLLL or 81 LL or LL. */
static bool take_object(struct bytes *in, struct bytes *out)
{
	size_t head = in->n > 3 && in->p[2] == 0x82 ? 5 : in->n > 3 && in->p[2] == 0x81 ? 4 : 3;
	size_t len = head == 5 && in->n > 4 ? (size_t)(in->p[3] << 8 | in->p[4])
	             : head == 4            ? in->p[3]
	             : in->n > 2            ? in->p[2]
	                                    : 0;

	return bytes_take(in, head + len, out);
}

enum prose_result install_objects(struct arguments *a, struct bytes in, size_t *done)
{
	enum prose_result r = PROSE_OK;
	struct bytes object;

	while (r == PROSE_OK && in.n > 0) {
		if (!take_object(&in, &object))
			return PROSE_FORMAT;
		r = prose_install(a->card, object.p, object.n);
		*done += r == PROSE_OK ? 1 : 0;
	}
	return r;
}

static int from_files(struct arguments *a, size_t *done)
{
	static uint8_t content[OBJECT_ROOM];
	enum prose_result r;
	size_t n;

	for (size_t i = 0; i < a->word_count; i++) {
		if (!read_file("provision", a->words[i], content, sizeof content, &n))
			return EXIT_FAILURE;
		if ((r = install_objects(a, (struct bytes){ content, n }, done)) != PROSE_OK)
			return ue_complain(a, "provision", a->words[i], r);
	}
	return 0;
}

/* ---- keys ----------------------------------------------------------------------------------------------------------- */

/* Post a request. False, with a sentence. */
static bool post(struct arguments *a, struct exchange *x, enum kms_message m, const char *kms_uri, struct kms_request *q)
{
	static uint8_t body[2048];
	struct buf b = BUF_OF(body);
	char path[100];

	q->time = (uint64_t)time(NULL);
	if (!text_put(q->user_uri, sizeof q->user_uri, "%s", a->user) ||
	        !text_put(q->kms_uri, sizeof q->kms_uri, "%s", kms_uri) ||
	        !text_put(path, sizeof path, "%s%s", KMS_PATH, kms_message_path(m)) ||
	        !text_put(q->client_url, sizeof q->client_url, "%s", a->kms) || kms_request_put(q, &b) != OK) {
		(void)gba_refused(a->kms, "a request with this name, or the user's or the KMS's, is too long");
		return false;
	}
	x->post = true;
	x->body = buf_bytes(&b);
	return gba_talk(x, path);
}

static enum prose_result check(struct arguments *a, const struct kms_received *k)
{
	return prose_check_signature(
	        a->card, (uint8_t)k->trk_id, k->signature.signed_info, k->signature.signed_info_len, k->signature.value);
}

/* Only the card can tell whether its KMS has signed this: with new keys, if they come along. */
static enum prose_result hand_over(struct arguments *a, const struct kms_received *k, size_t *done)
{
	enum prose_result r = check(a, k);

	if (r == PROSE_REFUSED && k->response.transport_keys.n > 0 &&
	        (r = install_objects(a, k->response.transport_keys, done)) == PROSE_OK)
		r = check(a, k);
	return r == PROSE_OK ? install_objects(a, k->response.objects, done) : r;
}

static int ask_kms(struct arguments *a, struct exchange *x, enum kms_message m, const char *kms_uri, size_t *done)
{
	static struct kms_received k;
	struct kms_request q = { .installed = 0 };
	enum prose_result r;
	enum status st;
	const char *why;
	char sentence[200];

	if (!post(a, x, m, kms_uri, &q))
		return EXIT_FAILURE;
	if (x->status == 403)
		return gba_refused(a->kms, a->code != NULL ? "this code was used before: each is good once"
		                                           : "it does not know this card, or not any more");
	st = x->status == 200 ? kms_response_parse((struct bytes){ x->answer, x->n }, &k) : ERR_MALFORMED;
	if (st != OK)
		return gba_refused(
		        a->kms, st == ERR_CRYPTO ? "its answer is not what it has signed" : "this is no answer of a KMS");
	if (k.response.error[0] != 0)
		return gba_refused(a->kms, k.response.error);
	if (!k.is_signed)
		return gba_refused(a->kms, "its answer is not signed");
	if ((why = kms_response_refused(&k, &q, q.time)) != NULL) {
		(void)snprintf(sentence, sizeof sentence, "its answer, or a certificate or key set in it, %s", why);
		return gba_refused(a->kms, sentence);
	}
	if ((r = hand_over(a, &k, done)) != PROSE_OK)
		return ue_complain(a, "provision", a->kms, r);
	q.installed = k.response.period_number;
	if (m == KMS_KEY_PROVISION && (!post(a, x, KMS_INSTALLED, kms_uri, &q) || x->status != 204))
		return gba_refused(a->kms, "the card has the keys, but this does not take the confirmation");
	return 0;
}

/* A connection under a one-time code. 0, or an exit code and a sentence. */
static int enrol(const struct arguments *a, struct gba *g)
{
	SECRET text = { 0 };
	SECRET code = { 0 };
	char identity[ENROL_IDENTITY_MAX];
	bool ok = read_secret(a->code, &text) && enrol_code(secret_bytes(&text), &code) == OK &&
	          enrol_key(&code, identity, &g->key) == OK;

	if (!ok)
		return usage_error("provision", "--code-file must be a 0600 file with the 32 hex digits of a code");
	(void)snprintf(g->identity, sizeof g->identity, "%s", identity);
	g->exchange.url = a->kms;
	g->exchange.key = (struct tls_key){ g->identity, &g->key };
	return 0;
}

static bool sign_by_card(void *context, const uint8_t hash[static 32], uint8_t signature[static 64])
{
	return prose_certificate_sign(context, hash, signature) == PROSE_OK;
}

/* A connection by certificate, code or bootstrapping. 0, or an exit code and a sentence. */
static int come_to(struct arguments *a, const char *url, struct tls_certificate *certificate, struct gba *g)
{
	if (a->certificate == NULL)
		return a->code != NULL ? enrol(a, g) : gba_connect(a, url, g);
	if (strncmp(url, "https://", 8) != 0)
		return gba_refused(url, "must be https://: keys do not travel in the clear");
	*certificate = (struct tls_certificate){ a->certificate, sign_by_card, a->card };
	g->exchange.url = url;
	g->exchange.certificate = certificate;
	g->exchange.ca = a->ca;
	return 0;
}

static int from_kms(struct arguments *a, size_t *done)
{
	struct tls_certificate certificate;
	GBA g = { 0 };
	int rc = come_to(a, a->kms, &certificate, &g);

	if (rc == 0)
		rc = ask_kms(a, &g.exchange, KMS_INIT, a->kms_uri, done);
	return rc == 0 ? ask_kms(a, &g.exchange, KMS_KEY_PROVISION, a->kms_uri, done) : rc;
}

/* ---- permissions ---------------------------------------------------------------------------------------------------- */

static int from_function(struct arguments *a)
{
	struct tls_certificate certificate;
	GBA g = { 0 };
	size_t done = 0;
	enum prose_result r = PROSE_OK;
	int rc = come_to(a, a->from, &certificate, &g);

	if (rc != 0)
		return rc;
	if (!gba_talk(&g.exchange, "/function/v1/permissions"))
		return EXIT_FAILURE;
	if (g.exchange.status != 200 && g.exchange.status != 204)
		return gba_refused(a->from, "this is no ProSe Function");
	if (g.exchange.status == 200)
		r = install_objects(a, (struct bytes){ g.exchange.answer, g.exchange.n }, &done);
	if (r != PROSE_OK)
		return ue_complain(a, "permission", a->from, r);
	(void)printf("%zu permission%s installed\n", done, done == 1 ? "" : "s");
	return 0;
}

static int show_permission(struct arguments *a, const char *current, const char *last)
{
	static const char *const names[] = { "announce", "monitor", "communicate" };
	static const char *const origins[] = { "nobody", "the current PLMN", "the last PLMN", "the home network",
		"the permission off the network", "the card's birth, open until a permission comes" };
	struct prose_permission p;
	char radio[2 * sizeof p.radio + 1];
	enum prose_result r = prose_permission(a->card, now_seconds(), current, last, &p);

	if (r != PROSE_OK)
		return ue_complain(a, "permission", NULL, r);
	for (size_t i = 0; i < PROSE_MAY_COUNT; i++)
		(void)printf(a->json ? "{\"item\": \"%s\", \"allowed\": %s, \"origin\": \"%s\"}\n" : "%-12s %s, by %s\n",
		        names[i],
		        a->json             ? p.item[i].allowed ? "true" : "false"
		        : p.item[i].allowed ? "yes"
		                            : "no",
		        origins[p.item[i].origin]);
	if (p.radio_len > 0)
		(void)printf(a->json ? "{\"item\": \"radio\", \"value\": \"%s\"}\n" : "radio        %s\n",
		        hex_encode((struct bytes){ p.radio, p.radio_len }, radio));
	return 0;
}

int verb_permission(struct arguments *a)
{
	if (a->word_count == 1 && strcmp(a->words[0], "fetch") == 0 && a->from != NULL &&
	        (a->certificate != NULL ? a->ca != NULL : a->naf != NULL))
		return from_function(a);
	if (a->word_count == 2 && strcmp(a->words[0], "in") == 0)
		return show_permission(a, a->words[1], NULL);
	if (a->word_count >= 1 && a->word_count <= 2 && strcmp(a->words[0], "out") == 0)
		return show_permission(a, NULL, a->word_count == 2 ? a->words[1] : NULL);
	return usage_error("permission",
	        "say `fetch` with --from and: --naf (with --ca: by HTTP Digest), or --certificate and --ca;"
	        " `in PLMN`, or `out [LAST-PLMN]`");
}

/* The card's public key, as PEM, for whoever makes its certificate. */
int verb_certificate(struct arguments *a)
{
	uint8_t point[65];
	char pem[400];
	enum prose_result r;

	if (a->word_count != 1 || strcmp(a->words[0], "key") != 0)
		return usage_error("certificate", "say `key`: the public key as PEM, for whoever makes the certificate");
	if ((r = prose_certificate_key(a->card, point)) != PROSE_OK)
		return ue_complain(a, "certificate", NULL, r);
	if (!tls_public_key(point, pem, sizeof pem))
		return ue_complain(a, "certificate", "its key", PROSE_FORMAT);
	(void)fputs(pem, stdout);
	return 0;
}

static bool has_files_or_way(const struct arguments *a)
{
	const bool certified = a->certificate != NULL, code = a->code != NULL;

	if (a->user == NULL)
		return a->word_count > 0;
	return a->word_count == 0 && (a->bsf != NULL) + code + certified <= 1 &&
	       (!(code || certified) || (a->kms != NULL && a->kms_uri != NULL)) && (!certified || a->ca != NULL) &&
	       !(code && a->ca != NULL);
}

int verb_provision(struct arguments *a)
{
	size_t done = 0;
	int rc = 0;

	if (!has_files_or_way(a))
		return usage_error("provision",
		        "needs files of sealed objects; or --user, and --kms, --bsf and --naf where the card does not know them"
		        " (with --ca: by HTTP Digest); or --user, --kms, --kms-uri and: --code-file; or --certificate and --ca");
	if (a->user != NULL && a->code == NULL && a->certificate == NULL)
		rc = gba_defaults(a, &a->kms);
	if (rc == 0 && a->user != NULL && strncmp(a->kms, "https://", 8) != 0)
		return usage_error("provision", "--kms must be https://: keys do not travel in the clear");
	if (a->kms_uri == NULL)
		a->kms_uri = a->naf;
	if (rc == 0)
		rc = a->user != NULL ? from_kms(a, &done) : from_files(a, &done);
	if (rc == 0)
		(void)printf("%zu object%s installed\n", done, done == 1 ? "" : "s");
	return rc;
}
