/* prose-ue provision: sealed objects to the card, from files, or from the KMS of an operator whom the card bootstraps with
 * (TS 33.220, 33.222, 33.180 annex D). The phone carries; Ks and the keys of the key set are the card's. */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "apdu/hex.h"
#include "apdu/ids.h"
#include "apdu/secret.h"
#include "crypto/http_digest.h"
#include "crypto/rng.h"
#include "crypto/tls.h"
#include "host/cli/cli.h"
#include "mikey/kms_xml.h"

enum { OBJECT_ROOM = 16384, IMPI_MAX = 100, BTID_MAX = 160, NAF_ID_MAX = 200, PATIENCE_S = 20, AUTS_LEN = 14 };
#define UA_SUITE "PSK-AES128-GCM-SHA256"
#define UA_PROTOCOL "\x01\x00\x01\x00\xA8"
#define UA_IDENTITY "3GPP-bootstrapping;"

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

static enum prose_result install(struct arguments *a, struct bytes in, size_t *done)
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
		if ((r = install(a, (struct bytes){ content, n }, done)) != PROSE_OK)
			return complain(a, "provision", a->words[i], r);
	}
	return 0;
}

/* ---- HTTP ----------------------------------------------------------------------------------------------------------- */

struct exchange {
	CURL *curl;
	const char *url;
	struct tls_key key;       /* of TLS-PSK; identity NULL: none */
	char authorization[1024]; /* to send; "" for none */
	struct bytes body;        /* likewise */
	long status;
	char challenge[1024], info[1024]; /* WWW-Authenticate and Authentication-Info of the answer */
	uint8_t answer[KMS_XML_MAX];
	size_t n;
};

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

	if (n > len && strncasecmp(line, name, len) == 0)
		(void)snprintf(out, room, "%.*s",
		        (int)(strcspn(line + len, "\r\n") < n - len ? strcspn(line + len, "\r\n") : n - len), line + len);
}

static size_t on_header(char *data, size_t size, size_t n, void *context)
{
	struct exchange *x = context;
	char line[1200];

	(void)snprintf(line, sizeof line, "%.*s", (int)(size * n), data);
	keep_header(line, strlen(line), "WWW-Authenticate: ", x->challenge, sizeof x->challenge);
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

/* The key proves both sides: there are no certificates to look at. */
static void use_psk(struct exchange *x)
{
	(void)curl_easy_setopt(x->curl, CURLOPT_SSL_VERIFYPEER, 0L);
	(void)curl_easy_setopt(x->curl, CURLOPT_SSL_VERIFYHOST, 0L);
	(void)curl_easy_setopt(x->curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2 | (long)CURL_SSLVERSION_MAX_TLSv1_2);
	(void)curl_easy_setopt(x->curl, CURLOPT_SSL_CIPHER_LIST, UA_SUITE);
	(void)curl_easy_setopt(x->curl, CURLOPT_SSL_CTX_FUNCTION, on_tls);
	(void)curl_easy_setopt(x->curl, CURLOPT_SSL_CTX_DATA, x);
}

/* False, with a sentence. */
static bool talk(struct exchange *x, const char *path)
{
	struct curl_slist *headers = NULL;
	char url[600], line[1100];
	CURLcode rc;

	if ((x->curl = curl_easy_init()) == NULL)
		return false;
	(void)snprintf(url, sizeof url, "%s%s", x->url, path);
	x->challenge[0] = x->info[0] = 0;
	x->n = 0;
	(void)curl_easy_setopt(x->curl, CURLOPT_URL, url);
	(void)curl_easy_setopt(x->curl, CURLOPT_PROTOCOLS_STR, "http,https");
	(void)curl_easy_setopt(x->curl, CURLOPT_TIMEOUT, (long)PATIENCE_S);
	(void)curl_easy_setopt(x->curl, CURLOPT_WRITEFUNCTION, on_body);
	(void)curl_easy_setopt(x->curl, CURLOPT_WRITEDATA, x);
	(void)curl_easy_setopt(x->curl, CURLOPT_HEADERFUNCTION, on_header);
	(void)curl_easy_setopt(x->curl, CURLOPT_HEADERDATA, x);
	(void)snprintf(line, sizeof line, "Authorization: %s", x->authorization);
	if (x->authorization[0] != 0)
		headers = curl_slist_append(headers, line);
	if (x->body.n > 0) {
		headers = curl_slist_append(headers, "Content-Type: application/xml");
		(void)curl_easy_setopt(x->curl, CURLOPT_POSTFIELDSIZE, (long)x->body.n);
		(void)curl_easy_setopt(x->curl, CURLOPT_POSTFIELDS, x->body.p);
	}
	(void)curl_easy_setopt(x->curl, CURLOPT_HTTPHEADER, headers);
	if (x->key.identity != NULL)
		use_psk(x);
	rc = curl_easy_perform(x->curl);
	(void)curl_easy_getinfo(x->curl, CURLINFO_RESPONSE_CODE, &x->status);
	curl_easy_cleanup(x->curl);
	curl_slist_free_all(headers);
	if (rc != CURLE_OK)
		(void)fprintf(stderr, "prose-ue provision: %s: %s\n", url, curl_easy_strerror(rc));
	return rc == CURLE_OK;
}

/* ---- bootstrapping -------------------------------------------------------------------------------------------------- */

/* The IMPI that belongs to the IMSI (TS 23.003 13.3): the MNC has as many digits as EF_AD says. */
static enum prose_result impi_of(struct arguments *a, char out[IMPI_MAX])
{
	static const uint16_t imsi_path[] = { FID_CURRENT_ADF, 0x6F07 }, ad_path[] = { FID_CURRENT_ADF, 0x6FAD };
	uint8_t raw[16], ad[16];
	size_t n = sizeof raw, ad_len = sizeof ad;
	char digits[17] = "", mnc[4];
	enum prose_result r;

	if ((r = prose_file_read(a->card, imsi_path, 2, raw, &n)) != PROSE_OK ||
	        (r = prose_file_read(a->card, ad_path, 2, ad, &ad_len)) != PROSE_OK)
		return r;
	for (size_t i = 1; i < n && i <= 8; i++) { /* the first half octet says odd or even */
		if (i > 1)
			(void)snprintf(digits + strlen(digits), sizeof digits - strlen(digits), "%X", raw[i] & 15U);
		(void)snprintf(digits + strlen(digits), sizeof digits - strlen(digits), "%X", raw[i] >> 4U);
	}
	digits[strcspn(digits, "ABCDEF")] = 0;
	if (strlen(digits) < 6 || ad_len < 4)
		return PROSE_FORMAT;
	(void)snprintf(mnc, sizeof mnc, ad[3] == 3 ? "%.3s" : "0%.2s", digits + 3);
	(void)snprintf(out, IMPI_MAX, "%s@ims.mnc%s.mcc%.3s.3gppnetwork.org", digits, mnc, digits);
	return PROSE_OK;
}

static bool nonce_of(const struct http_digest *d, uint8_t out[64])
{
	struct buf b = { out, 0, 64, false };

	return base64_decode(bytes_str(d->nonce), &b) == OK && b.len >= 32;
}

static void put_authorization(struct exchange *x, const struct http_digest *d, const char *response)
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
		http_digest_put(&b, "opaque", d->opaque, true);
		http_digest_put(&b, "algorithm", "AKAv1-MD5", false);
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

	if (to == NULL || (size_t)(to - from) - strlen(open) >= room)
		return false;
	(void)snprintf(out, room, "%.*s", (int)((size_t)(to - from) - strlen(open)), from + strlen(open));
	return true;
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

static int refused(const char *who, const char *why)
{
	(void)fprintf(stderr, "prose-ue provision: %s: %s\n", who, why);
	return EXIT_REFUSED;
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
		return refused(a->bsf, "its challenge has no RAND and AUTN");
	if ((r = prose_gba_bootstrap(a->card, nonce, nonce + 16, &k)) != PROSE_OK)
		return complain(a, "provision", a->bsf, r);
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
	put_authorization(x, d, response);
	if (!talk(x, "/"))
		return EXIT_FAILURE;
	if (*again || x->status != 200)
		return *again && x->status == 401 ? 0 : refused(a->bsf, "it does not accept what the card answered");
	x->answer[x->n < sizeof x->answer ? x->n : sizeof x->answer - 1] = 0;
	if (http_digest_parse(x->info, &info) != OK ||
	        http_digest_response(d, secret_bytes(&res), NULL, (struct bytes){ x->answer, x->n }, response) != OK ||
	        strcmp(response, info.rspauth) != 0)
		return refused(a->bsf, "its answer does not prove that it knows the card");
	if (!between((char *)x->answer, "<btid>", "</btid>", btid, BTID_MAX) ||
	        !between((char *)x->answer, "<lifetime>", "</lifetime>", life, sizeof life))
		return refused(a->bsf, "its answer has no B-TID");
	r = remember(a, nonce, btid, life);
	return r == PROSE_OK ? 0 : complain(a, "provision", "EF_GBABP", r);
}

static int bootstrap(struct arguments *a, const char *impi, char btid[BTID_MAX])
{
	static struct exchange x;
	struct http_digest d = { .uri = "/" };
	bool again = true;
	int rc;

	x = (struct exchange){ .url = a->bsf };
	(void)snprintf(d.username, sizeof d.username, "%s", impi);
	put_authorization(&x, &d, "");
	if (!talk(&x, "/"))
		return EXIT_FAILURE;
	for (int i = 0; again && i < 2; i++) {
		if (x.status != 401 || http_digest_parse(x.challenge, &d) != OK)
			return refused(
			        a->bsf, x.status == 403 ? "it does not know this card" : "it is no bootstrapping server");
		(void)snprintf(d.username, sizeof d.username, "%s", impi);
		(void)snprintf(d.uri, sizeof d.uri, "/");
		if ((rc = answer_challenge(a, &x, &d, btid, &again)) != 0)
			return rc;
	}
	return again ? refused(a->bsf, "it and the card do not agree on a sequence number") : 0;
}

/* ---- keys ----------------------------------------------------------------------------------------------------------- */

static int ask_kms(struct arguments *a, struct exchange *x, enum kms_message m, const char *kms_uri, size_t *done)
{
	static uint8_t body[2048], objects_raw[KMS_OBJECTS_MAX];
	struct buf b = BUF_OF(body), objects = BUF_OF(objects_raw);
	struct kms_request q = { .time = (uint64_t)time(NULL) };
	struct kms_response response;
	enum prose_result r;
	char path[100];

	(void)snprintf(q.user_uri, sizeof q.user_uri, "%s", a->user);
	(void)snprintf(q.kms_uri, sizeof q.kms_uri, "%s", kms_uri);
	(void)snprintf(path, sizeof path, "%s%s", KMS_PATH, kms_message_path(m));
	(void)snprintf(q.client_url, sizeof q.client_url, "%.120s", a->kms);
	if (kms_request_put(&q, &b) != OK)
		return EXIT_FAILURE;
	x->body = buf_bytes(&b);
	if (!talk(x, path))
		return EXIT_FAILURE;
	if (x->status != 200 || kms_response_parse((struct bytes){ x->answer, x->n }, &response, &objects) != OK)
		return refused(a->kms, "this is no answer of a KMS");
	if (response.error[0] != 0)
		return refused(a->kms, response.error);
	r = install(a, buf_bytes(&objects), done);
	return r == PROSE_OK ? 0 : complain(a, "provision", a->kms, r);
}

static int from_kms(struct arguments *a, size_t *done)
{
	SECRET
	key = { 0 };
	static struct exchange x;
	char impi[IMPI_MAX], btid[BTID_MAX], identity[BTID_MAX + sizeof UA_IDENTITY];
	uint8_t raw[NAF_ID_MAX];
	struct buf naf_id = BUF_OF(raw);
	enum prose_result r;
	int rc;

	if ((r = impi_of(a, impi)) != PROSE_OK)
		return complain(a, "provision", "EF_IMSI", r);
	if ((rc = bootstrap(a, impi, btid)) != 0)
		return rc;
	buf_put(&naf_id, bytes_str(a->naf));
	buf_put(&naf_id, BYTES_STR(UA_PROTOCOL));
	key.len = 32;
	if (naf_id.failed || (r = prose_gba_naf_key(a->card, raw, naf_id.len, impi, key.data)) != PROSE_OK)
		return naf_id.failed ? EXIT_USAGE : complain(a, "provision", a->naf, r);
	(void)snprintf(identity, sizeof identity, "%s%s", UA_IDENTITY, btid);
	x = (struct exchange){ .url = a->kms, .key = { identity, &key } };
	rc = ask_kms(a, &x, KMS_INIT, a->kms_uri, done);
	return rc == 0 ? ask_kms(a, &x, KMS_KEY_PROVISION, a->kms_uri, done) : rc;
}

int verb_provision(struct arguments *a)
{
	bool network = a->bsf != NULL;
	size_t done = 0;
	int rc;

	if (network ? a->kms == NULL || a->user == NULL || a->naf == NULL || a->word_count > 0 : a->word_count == 0)
		return usage_error("provision", "needs files of sealed objects, or --bsf, --kms, --naf and --user");
	if (network && strncmp(a->kms, "https://", 8) != 0)
		return usage_error("provision", "--kms must be https://: keys do not travel in the clear");
	if (a->kms_uri == NULL)
		a->kms_uri = a->naf;
	rc = network ? from_kms(a, &done) : from_files(a, &done);
	if (rc == 0)
		(void)printf("%zu object%s installed\n", done, done == 1 ? "" : "s");
	return rc;
}
