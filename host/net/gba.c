/* SPDX-License-Identifier: Apache-2.0 */
/* GBA on the phone: Ub with HTTP Digest AKA, then TLS with Ks_ext_NAF. Ks stays on the card. */
#include "host/net/gba.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apdu/base/hex.h"
#include "apdu/files.h"
#include "apdu/gba.h"
#include "apdu/prose.h"
#include "apdu/base/text.h"
#include "apdu/tlv.h"
#include "crypto/network/http_digest.h"
#include "crypto/common/rng.h"

enum { AUTS_LEN = 14 };

/* ---- HTTP ----------------------------------------------------------------------------------------------------------- */

static size_t on_body(char *data, size_t size, size_t n, void *context)
{
	struct exchange *x = context;

	if (size * n > sizeof x->answer - x->n)
		return 0; /* longer than any answer may be */
	memcpy(x->answer + x->n, data, size * n);
	x->n += size * n;
	return size * n;
}

static void keep_header(const char *line, size_t n, const char *name, char *out, size_t room)
{
	size_t len = strlen(name);

	/* One that does not fit is as good as none. */
	if (n > len && strncasecmp(line, name, len) == 0 &&
	        !text_put(out, room, "%.*s", (int)strcspn(line + len, "\r\n"), line + len))
		out[0] = 0;
}

static size_t on_header(char *data, size_t size, size_t n, void *context)
{
	struct exchange *x = context;
	char line[1200];

	if (!text_put(line, sizeof line, "%.*s", (int)(size * n), data))
		return size * n; /* none of ours is that long */
	keep_header(line, strlen(line), "WWW-Authenticate: ", x->challenge, sizeof x->challenge);
	keep_header(line, strlen(line), "X-Item: ", x->item, sizeof x->item);
	keep_header(line, strlen(line), "Authentication-Info: ", x->info, sizeof x->info);
	return size * n;
}

static CURLcode on_tls(CURL *curl, void *context, void *exchange)
{
	const struct exchange *x = exchange;

	(void)curl;
	tls_use_key(context, &x->key);
	return CURLE_OK;
}

static CURLcode on_certificate(CURL *curl, void *context, void *exchange)
{
	const struct exchange *x = exchange;

	(void)curl;
	return tls_use_certificate(context, x->certificate) ? CURLE_OK : CURLE_SSL_CERTPROBLEM;
}

static void use_certificate(CURL *curl, struct exchange *x)
{
	(void)curl_easy_setopt(curl, CURLOPT_CAINFO, x->ca);
	(void)curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	(void)curl_easy_setopt(curl, CURLOPT_SSL_CTX_FUNCTION, on_certificate);
	(void)curl_easy_setopt(curl, CURLOPT_SSL_CTX_DATA, x);
}

/* The key proves both sides: there are no certificates to look at. */
static void use_psk(CURL *curl, struct exchange *x)
{
	(void)curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
	(void)curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
	(void)curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2 | (long)CURL_SSLVERSION_MAX_TLSv1_3);
	(void)curl_easy_setopt(curl, CURLOPT_SSL_CIPHER_LIST, UA_SUITE);
	(void)curl_easy_setopt(curl, CURLOPT_TLS13_CIPHERS, UA_SUITE_13);
	(void)curl_easy_setopt(curl, CURLOPT_SSL_CTX_FUNCTION, on_tls);
	(void)curl_easy_setopt(curl, CURLOPT_SSL_CTX_DATA, x);
}

/* False, with a sentence. */
static bool talk_once(struct exchange *x, const char *path)
{
	struct curl_slist *headers = NULL;
	char url[600], line[1100];
	CURLcode rc;

	CURL *curl = curl_easy_init();

	if (curl == NULL)
		return false;
	if (!text_put(url, sizeof url, "%s%s", x->url, path)) {
		curl_easy_cleanup(curl);
		return false;
	}
	x->challenge[0] = x->info[0] = x->item[0] = 0;
	x->n = 0;
	(void)curl_easy_setopt(curl, CURLOPT_URL, url);
	(void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	(void)curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)HTTP_PATIENCE_SECONDS);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, x);
	(void)curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
	(void)curl_easy_setopt(curl, CURLOPT_HEADERDATA, x);
	if (x->authorization[0] != 0 && text_put(line, sizeof line, "Authorization: %s", x->authorization))
		headers = curl_slist_append(headers, line);
	if (x->post) {
		headers = curl_slist_append(headers, "Content-Type: application/xml");
		(void)curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)x->body.n);
		(void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS, x->body.n > 0 ? (const char *)x->body.p : "");
	}
	(void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	if (x->digest)
		(void)curl_easy_setopt(curl, CURLOPT_CAINFO, x->ca);
	else if (x->key.identity != NULL)
		use_psk(curl, x);
	if (x->certificate != NULL)
		use_certificate(curl, x);
	rc = curl_easy_perform(curl);
	(void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &x->status);
	curl_easy_cleanup(curl);
	curl_slist_free_all(headers);
	if (rc != CURLE_OK)
		(void)fprintf(stderr, "prose-ue: %s: %s\n", url,
		        (rc == CURLE_RECV_ERROR || rc == CURLE_SEND_ERROR) && x->certificate != NULL
		                ? "the server does not accept this certificate" /* TLS 1.3 says so late */
		                : curl_easy_strerror(rc));
	return rc == CURLE_OK;
}

/* ---- bootstrapping -------------------------------------------------------------------------------------------------- */

/* The IMPI that belongs to the IMSI (TS 23.003 13.3): the MNC has as many digits as EF_AD says. */
enum prose_result gba_impi(struct arguments *a, char out[IMPI_MAX])
{
	static const uint16_t imsi_path[] = { FID_CURRENT_ADF, 0x6F07 }, ad_path[] = { FID_CURRENT_ADF, 0x6FAD };
	uint8_t raw[16], ad[16];
	size_t n = sizeof raw, ad_len = sizeof ad;
	static const char hex[] = "0123456789ABCDEF";
	char digits[17] = "", mnc[4];
	enum prose_result r;

	if ((r = prose_file_read(a->card, imsi_path, 2, raw, &n)) != PROSE_OK ||
	        (r = prose_file_read(a->card, ad_path, 2, ad, &ad_len)) != PROSE_OK)
		return r;
	for (size_t i = 1; i < n && i <= 8; i++) { /* the first half octet says odd or even */
		if (i > 1)
			digits[2 * i - 3] = hex[raw[i] & 15U];
		digits[2 * i - 2] = hex[raw[i] >> 4U];
	}
	digits[strcspn(digits, "ABCDEF")] = 0;
	if (strlen(digits) < 6 || ad_len < 4)
		return PROSE_FORMAT;
	(void)snprintf(mnc, sizeof mnc, ad[3] == 3 ? "%.3s" : "0%.2s", digits + 3);
	(void)snprintf(out, IMPI_MAX, "%s@ims.mnc%s.mcc%.3s.3gppnetwork.org", digits, mnc, digits);
	return PROSE_OK;
}

/* The name in EF_PROSE_KMS, or that of the KMS's certificate; false: there is none. */
static bool kms_name(struct arguments *a, char *out, size_t room)
{
	static const uint16_t path[] = { FID_CURRENT_ADF, FID_DF_PROSE, FID_PROSE_KMS };
	uint8_t raw[EF_PROSE_KMS_MAX];
	size_t n = sizeof raw;
	struct bytes name;
	struct prose_state s;
	bool found = false;

	if (prose_file_read(a->card, path, 3, raw, &n) == PROSE_OK &&
	        tlv_find((struct bytes){ raw, n }, EF_PROSE_KMS_TAG, &name) == OK)
		found = text_put(out, room, "%.*s", (int)name.n, (const char *)name.p);
	else if (prose_state_read(a->card, &s) == PROSE_OK)
		found = text_put(out, room, "%s", s.kms_uri);
	return found && out[0] != 0;
}

int gba_defaults(struct arguments *a, const char **url)
{
	static char naf[PROSE_URI_MAX + 1], here[PROSE_URI_MAX + 16];

	if (a->naf == NULL) {
		if (!kms_name(a, naf, sizeof naf))
			return gba_refused("the card", "it names no KMS: say --naf");
		a->naf = naf;
	}
	if (*url == NULL) {
		if (!text_put(here, sizeof here, "https://%s", a->naf))
			return usage_too_long("provision", "--naf", strlen(a->naf), PROSE_URI_MAX);
		*url = here;
	}
	return 0;
}

static bool nonce_of(const struct http_digest *d, uint8_t out[64])
{
	struct buf b = { out, 0, 64, false };

	return base64_decode(bytes_str(d->nonce), &b) == OK && b.len >= 32;
}

static void put_authorization(struct exchange *x, const struct http_digest *d, const char *algorithm, const char *response)
{
	struct buf b = { (uint8_t *)x->authorization, 0, sizeof x->authorization - 1, false };

	buf_put(&b, BYTES_STR("Digest "));
	http_digest_put(&b, "username", d->username, true);
	http_digest_put(&b, "realm", d->realm, true);
	http_digest_put(&b, "nonce", d->nonce, true);
	http_digest_put(&b, "uri", d->uri, true);
	if (d->qop[0] != 0) {
		http_digest_put(&b, "qop", d->qop, false);
		http_digest_put(&b, "nc", d->nc, false);
		http_digest_put(&b, "cnonce", d->cnonce, true);
		if (d->opaque[0] != 0)
			http_digest_put(&b, "opaque", d->opaque, true);
		http_digest_put(&b, "algorithm", algorithm, false);
	}
	http_digest_put(&b, "response", response, true);
	if (d->auts[0] != 0)
		http_digest_put(&b, "auts", d->auts, true);
	x->authorization[b.failed ? 0 : b.len] = 0;
}

/* Between two tags; the BSF's answer is two elements, and its rspauth has covered every octet. */
static bool between(const char *text, const char *open, const char *close, char *out, size_t room)
{
	const char *from = strstr(text, open), *to = from != NULL ? strstr(from, close) : NULL;

	if (to == NULL)
		return false;
	return text_put(out, room, "%.*s", (int)((size_t)(to - from) - strlen(open)), from + strlen(open));
}

/* EF_GBABP: RAND, B-TID, life, each with its length. */
static enum prose_result remember(struct arguments *a, const uint8_t rand[16], const char *btid, const char *life)
{
	static const uint16_t path[] = { FID_CURRENT_ADF, 0x6FD6 };
	uint8_t raw[255];
	struct buf b = BUF_OF(raw);

	buf_put_u8(&b, 16);
	buf_put(&b, (struct bytes){ rand, 16 });
	buf_put_u8(&b, (uint8_t)strlen(btid));
	buf_put(&b, bytes_str(btid));
	buf_put_u8(&b, (uint8_t)strlen(life));
	buf_put(&b, bytes_str(life));
	return b.failed ? PROSE_NO_SPACE : prose_file_update(a->card, path, 2, 0, raw, b.len);
}

int gba_refused(const char *who, const char *why)
{
	(void)fprintf(stderr, "prose-ue: %s: %s\n", who, why);
	return EXIT_REFUSED;
}

/* HTTP Digest under Ks_NAF (TS 24.109 5.2): the answer to the server's challenge. */
static bool answer_digest(struct exchange *x, const char *path)
{
	__attribute__((cleanup(secret_wipe))) struct secret password = { 0 };
	struct buf text = { password.data, 0, sizeof password.data, false };
	struct http_digest d;
	uint8_t random[8];
	char response[DIGEST_RESPONSE_LEN];

	if (http_digest_parse(x->challenge, &d) != OK || rng_fill(&rng_system, random, sizeof random) != OK)
		return false;
	(void)snprintf(d.username, sizeof d.username, "%s", strchr(x->key.identity, ';') + 1);
	(void)snprintf(d.uri, sizeof d.uri, "%s", path);
	(void)snprintf(d.qop, sizeof d.qop, "auth-int");
	(void)snprintf(d.nc, sizeof d.nc, "00000001");
	(void)hex_encode(BYTES_OF(random), d.cnonce);
	base64_encode(secret_bytes(x->key.key), &text);
	if (text.failed || http_digest_response(&d, buf_bytes(&text), x->post ? "POST" : "GET",
	                           x->post ? x->body : (struct bytes){ 0 }, response) != OK)
		return false;
	put_authorization(x, &d, "MD5", response);
	return true;
}

bool gba_talk(struct exchange *x, const char *path)
{
	if (x->digest)
		x->authorization[0] = 0;
	if (!talk_once(x, path))
		return false;
	return !x->digest || x->status != 401 || (answer_digest(x, path) && talk_once(x, path));
}

/* The answer to one challenge. *again: the card was ahead, and there is a new challenge. */
static int answer_challenge(struct arguments *a, struct exchange *x, struct http_digest *d, char btid[BTID_MAX], bool *again)
{
	__attribute__((cleanup(secret_wipe))) struct secret res = { 0 };
	struct prose_aka k;
	struct http_digest info;
	uint8_t nonce[64], random[8];
	char response[DIGEST_RESPONSE_LEN], life[40];
	struct buf auts = { (uint8_t *)d->auts, 0, sizeof d->auts - 1, false };
	enum prose_result r;

	if (!nonce_of(d, nonce))
		return gba_refused(a->bsf, "its challenge has no RAND and AUTN");
	if ((r = prose_gba_bootstrap(a->card, nonce, nonce + 16, &k)) != PROSE_OK)
		return ue_complain(a, "gba", a->bsf, r);
	*again = k.synchronisation_failure;
	if (k.synchronisation_failure)
		base64_encode((struct bytes){ k.auts, AUTS_LEN }, &auts);
	else if (secret_set(&res, (struct bytes){ k.res, k.res_len }) != OK)
		return EXIT_FAILURE;
	secret_clean(&k, sizeof k);
	(void)snprintf(d->qop, sizeof d->qop, "auth-int");
	(void)snprintf(d->nc, sizeof d->nc, "00000001");
	if (rng_fill(&rng_system, random, sizeof random) != OK)
		return EXIT_FAILURE;
	(void)hex_encode(BYTES_OF(random), d->cnonce);
	/* With AUTS the password is empty (RFC 3310 3.4). */
	if (http_digest_response(d, secret_bytes(&res), "GET", (struct bytes){ 0 }, response) != OK)
		return EXIT_FAILURE;
	put_authorization(x, d, "AKAv1-MD5", response);
	if (!gba_talk(x, "/"))
		return EXIT_FAILURE;
	if (*again || x->status != 200)
		return *again && x->status == 401 ? 0 : gba_refused(a->bsf, "it does not accept what the card answered");
	x->answer[x->n < sizeof x->answer ? x->n : sizeof x->answer - 1] = 0;
	if (http_digest_parse(x->info, &info) != OK ||
	        http_digest_response(d, secret_bytes(&res), NULL, (struct bytes){ x->answer, x->n }, response) != OK ||
	        strcmp(response, info.rspauth) != 0)
		return gba_refused(a->bsf, "its answer does not prove that it knows the card");
	if (!between((char *)x->answer, "<btid>", "</btid>", btid, BTID_MAX) ||
	        !between((char *)x->answer, "<lifetime>", "</lifetime>", life, sizeof life))
		return gba_refused(a->bsf, "its answer has no B-TID");
	r = remember(a, nonce, btid, life);
	return r == PROSE_OK ? 0 : ue_complain(a, "gba", "EF_GBABP", r);
}

static int bootstrap(struct arguments *a, const char *impi, char btid[BTID_MAX])
{
	static struct exchange x;
	struct http_digest d = { .uri = "/" };
	bool again = true;
	int rc;

	x = (struct exchange){ .url = a->bsf };
	(void)snprintf(d.username, sizeof d.username, "%s", impi);
	put_authorization(&x, &d, "AKAv1-MD5", "");
	if (!gba_talk(&x, "/"))
		return EXIT_FAILURE;
	for (int i = 0; again && i < 2; i++) {
		if (x.status != 401 || http_digest_parse(x.challenge, &d) != OK)
			return gba_refused(
			        a->bsf, x.status == 403 ? "it does not know this card" : "it is no bootstrapping server");
		(void)snprintf(d.username, sizeof d.username, "%s", impi);
		(void)snprintf(d.uri, sizeof d.uri, "/");
		if ((rc = answer_challenge(a, &x, &d, btid, &again)) != 0)
			return rc;
	}
	return again ? gba_refused(a->bsf, "it and the card do not agree on a sequence number") : 0;
}

void gba_wipe(struct gba *g)
{
	secret_clean(g, sizeof *g);
}

static enum prose_result naf_key(struct arguments *a, const char *impi, struct bytes protocol, struct secret *key)
{
	uint8_t raw[NAF_ID_MAX];
	struct buf naf_id = BUF_OF(raw);

	buf_put(&naf_id, bytes_str(a->naf));
	buf_put(&naf_id, protocol);
	key->len = 32;
	return naf_id.failed ? PROSE_NO_SPACE : prose_gba_naf_key(a->card, raw, naf_id.len, impi, key->data);
}

int gba_connect(struct arguments *a, const char *url, struct gba *g)
{
	static char home[64];
	char impi[IMPI_MAX], btid[BTID_MAX];
	enum prose_result r;
	int rc;

	if (strncmp(url, "https://", 8) != 0)
		return gba_refused(url, "must be https://: keys do not travel in the clear");
	if ((r = gba_impi(a, impi)) != PROSE_OK)
		return ue_complain(a, "gba", "EF_IMSI", r);
	if (a->bsf == NULL) {
		(void)snprintf(home, sizeof home, "http://bsf.%.13s.pub.3gppnetwork.org",
		        strstr(impi, "@ims.") + 5); /* "mncXXX.mccYYY" */
		a->bsf = home;
	}
	if ((rc = bootstrap(a, impi, btid)) != 0)
		return rc;
	g->exchange.digest = a->ca != NULL;
	g->exchange.ca = a->ca;
	r = naf_key(a, impi, BYTES_STR(UA_PROTOCOL_13), &g->key13);
	if (r == PROSE_OK && a->ca != NULL)
		r = naf_key(a, impi, BYTES_STR(UA_DIGEST_PROTOCOL), &g->key);
	/* The last one: what the card has of it, from which sealed objects' keys may come, is not the first to be overwritten.
	 */
	if (r == PROSE_OK)
		r = naf_key(a, impi, BYTES_STR(UA_PROTOCOL), a->ca != NULL ? &g->key13 : &g->key);
	if (r != PROSE_OK)
		return ue_complain(a, "gba", a->naf, r);
	(void)snprintf(g->identity, sizeof g->identity, "%s%s", UA_IDENTITY, btid);
	g->exchange.url = url;
	g->exchange.key = (struct tls_key){ g->identity, &g->key, &g->key13 };
	return 0;
}
