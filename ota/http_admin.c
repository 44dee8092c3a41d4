/* SPDX-License-Identifier: Apache-2.0 */
#include "ota/http_admin.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "apdu/cat.h"
#include "apdu/base/hex.h"
#include "apdu/tlv.h"

enum {
	TAG_SESSION = 0x83,
	TAG_CONNECTION = 0x84,
	TAG_SECURITY = 0x85,
	TAG_RETRY = 0x86,
	TAG_HTTP = 0x89,
	TAG_HOST = 0x8A,
	TAG_AGENT = 0x8B,
	TAG_URI = 0x8C
};
enum { RID_LEN = 5, TAR_AT = 12 };

/* ---- the trigger ---------------------------------------------------------------------------------------------------- */

static void put_field(struct buf *b, struct bytes v)
{
	buf_put_u8(b, (uint8_t)v.n);
	buf_put(b, v);
}

void admin_trigger_put(struct buf *out, const struct admin_trigger *t)
{
	uint8_t session_raw[400], part_raw[260];
	struct buf session = BUF_OF(session_raw), part = BUF_OF(part_raw);
	const uint8_t key[2] = { t->kvn, t->kid };
	const uint8_t delay[3] = { bcd_swapped(t->delay / 3600), bcd_swapped(t->delay / 60 % 60), bcd_swapped(t->delay % 60) };

	tlv_put(&session, TAG_CONNECTION, t->connection);
	put_field(&part, t->identity);
	put_field(&part, BYTES_OF(key));
	tlv_put(&session, TAG_SECURITY, buf_bytes(&part));
	if (t->retries > 0) {
		part.len = 0;
		buf_put_uint(&part, 2, t->retries);
		tlv_put(&part, CAT_TAG_TIMER_VALUE, BYTES_OF(delay));
		tlv_put(&session, TAG_RETRY, buf_bytes(&part));
	}
	part.len = 0;
	tlv_put(&part, TAG_HOST, t->host);
	if (t->agent.n > 0)
		tlv_put(&part, TAG_AGENT, t->agent);
	tlv_put(&part, TAG_URI, t->uri);
	tlv_put(&session, TAG_HTTP, buf_bytes(&part));
	part.len = 0;
	tlv_put_header(out, ADMIN_TAG_TRIGGER, session.len + (session.len < 0x80 ? 2U : session.len < 0x100 ? 3U : 4U));
	tlv_put(out, TAG_SESSION, buf_bytes(&session));
	if (session.failed || part.failed)
		out->failed = true;
}

/* Visible characters only: these go into a request's lines. */
static bool printable(struct bytes b, size_t min, size_t max)
{
	for (size_t i = 0; i < b.n; i++)
		if (b.p[i] <= ' ' || b.p[i] > '~')
			return false;
	return b.n >= min && b.n <= max;
}

static enum status parse_security(struct bytes in, struct admin_trigger *t)
{
	struct bytes key;

	if (!bytes_take_field(&in, &t->identity) || !bytes_take_field(&in, &key) || in.n != 0 || key.n != 2 ||
	        !printable(t->identity, 1, ADMIN_NAME_MAX))
		return ERR_MALFORMED;
	t->kvn = key.p[0];
	t->kid = key.p[1];
	return OK;
}

/* Two digits, the first in the lower half. */
static unsigned digits_of(uint8_t octet)
{
	return (octet & 0x0FU) * 10 + (octet >> 4);
}

static enum status parse_retry(struct bytes in, struct admin_trigger *t)
{
	struct bytes delay;
	uint64_t retries;

	if (!bytes_take_uint(&in, 2, &retries) || tlv_find(in, CAT_TAG_TIMER_VALUE, &delay) != OK || delay.n != 3)
		return ERR_MALFORMED;
	t->delay = digits_of(delay.p[0]) * 3600 + digits_of(delay.p[1]) * 60 + digits_of(delay.p[2]);
	if (t->delay < 1 || t->delay >= 86400)
		return ERR_MALFORMED;
	t->retries = (uint16_t)retries;
	return OK;
}

static enum status parse_http(struct bytes in, struct admin_trigger *t)
{
	TRY(tlv_find(in, TAG_HOST, &t->host));
	TRY(tlv_find(in, TAG_URI, &t->uri));
	if (tlv_find(in, TAG_AGENT, &t->agent) != OK)
		t->agent = (struct bytes){ 0 };
	return printable(t->host, 1, ADMIN_NAME_MAX) && printable(t->agent, 0, ADMIN_URI_MAX) &&
	                       printable(t->uri, 1, ADMIN_URI_MAX) && t->uri.p[0] == '/'
	               ? OK
	               : ERR_MALFORMED;
}

enum status admin_trigger_parse(struct bytes in, struct admin_trigger *t)
{
	struct tlv outer, part;
	struct bytes session, security, http, retry, connection;

	*t = (struct admin_trigger){ 0 };
	if (tlv_next(&in, &outer) != OK || outer.tag != ADMIN_TAG_TRIGGER || in.n != 0 ||
	        tlv_find(outer.value, TAG_SESSION, &session) != OK || tlv_find(session, TAG_CONNECTION, &t->connection) != OK ||
	        tlv_find(session, TAG_SECURITY, &security) != OK || tlv_find(session, TAG_HTTP, &http) != OK ||
	        t->connection.n > ADMIN_CONNECTION_MAX)
		return ERR_MALFORMED;
	for (connection = t->connection; connection.n > 0;)
		TRY(tlv_next(&connection, &part));
	TRY(parse_security(security, t));
	if (tlv_find(session, TAG_RETRY, &retry) == OK)
		TRY(parse_retry(retry, t));
	return parse_http(http, t) == OK ? OK : ERR_MALFORMED;
}

/* ---- targets -------------------------------------------------------------------------------------------------------- */

/* ETSI's RID; 0005: UICC toolkit applications; no country; 89: the TAR follows. */
static const uint8_t tar_aid[16] = { 0xA0, 0x00, 0x00, 0x00, 0x09, 0x00, 0x05, 0xFF, 0xFF, 0xFF, 0xFF, 0x89, 0, 0, 0, 0 };

void admin_aid_of_tar(const uint8_t tar[static 3], uint8_t aid[static 16])
{
	memcpy(aid, tar_aid, sizeof tar_aid);
	memcpy(aid + TAR_AT, tar, 3);
}

bool admin_tar_of_aid(struct bytes aid, uint8_t tar[static 3])
{
	if (aid.n != sizeof tar_aid || memcmp(aid.p, tar_aid, RID_LEN) != 0)
		return false;
	memcpy(tar, aid.p + TAR_AT, 3);
	return true;
}

static void put_text(struct buf *b, const char *text)
{
	buf_put(b, bytes_str(text));
}

/* As Amendment B writes it. */
static const char *upper(char *text)
{
	for (char *c = text; *c != 0; c++)
		if (*c >= 'a')
			*c = (char)(*c - 'a' + 'A');
	return text;
}

static void put_hex(struct buf *b, struct bytes v)
{
	char text[33];

	if (v.n > 16)
		b->failed = true;
	else
		put_text(b, upper(hex_encode(v, text)));
}

void admin_aid_put(struct buf *b, struct bytes aid)
{
	if (aid.n < RID_LEN) {
		b->failed = true;
		return;
	}
	put_text(b, "aid/");
	put_hex(b, (struct bytes){ aid.p, RID_LEN });
	put_text(b, "/");
	put_hex(b, (struct bytes){ aid.p + RID_LEN, aid.n - RID_LEN });
}

static enum status parse_target(struct bytes v, struct admin_answer *out)
{
	static const char prefix[] = "//aid/";
	struct buf aid = BUF_OF(out->aid);
	const uint8_t *slash;

	if (v.n < sizeof prefix - 1 || memcmp(v.p, prefix, sizeof prefix - 1) != 0)
		return ERR_MALFORMED;
	v.p += sizeof prefix - 1;
	v.n -= sizeof prefix - 1;
	if ((slash = memchr(v.p, '/', v.n)) == NULL || slash - v.p != 2 * RID_LEN)
		return ERR_MALFORMED;
	if (hex_decode((struct bytes){ v.p, 2 * RID_LEN }, &aid) != OK ||
	        hex_decode((struct bytes){ slash + 1, v.n - 2 * RID_LEN - 1 }, &aid) != OK)
		return ERR_MALFORMED;
	out->target = buf_bytes(&aid);
	return OK;
}

/* ---- requests ------------------------------------------------------------------------------------------------------- */

const char *admin_status_text(enum admin_status s)
{
	switch (s) {
	case ADMIN_OK: return "ok";
	case ADMIN_UNKNOWN_APPLICATION: return "unknown-application";
	case ADMIN_NOT_A_DOMAIN: return "not-a-security-domain";
	default: return "security-error";
	}
}

static void put_header(struct buf *b, const char *name, struct bytes value)
{
	put_text(b, name);
	put_text(b, ": ");
	buf_put(b, value);
	put_text(b, "\r\n");
}

void admin_request_put(struct buf *b, const struct admin_request *r)
{
	char number[24];

	put_text(b, "POST ");
	buf_put(b, r->uri);
	put_text(b, " HTTP/1.1\r\n");
	put_header(b, "Host", r->host);
	put_header(b, "X-Admin-Protocol", BYTES_STR(ADMIN_PROTOCOL));
	put_header(b, "X-Admin-From", r->agent);
	if (r->has_answer) {
		put_header(b, "X-Admin-Script-Status", bytes_str(admin_status_text(r->status)));
		put_header(b, "Content-Type", bytes_str(r->etsi ? ADMIN_TYPE_ETSI_ANSWER : ADMIN_TYPE_GP_ANSWER));
	}
	(void)snprintf(number, sizeof number, "%zu", r->answer.n);
	put_header(b, "Content-Length", bytes_str(number));
	put_text(b, "\r\n");
	buf_put(b, r->answer);
}

/* ---- answers -------------------------------------------------------------------------------------------------------- */

struct head {
	bool has_length, chunked, has_type, has_target;
	size_t length;
};

static bool same(struct bytes a, const char *b)
{
	return a.n == strlen(b) && strncasecmp((const char *)a.p, b, a.n) == 0;
}

/* A line without its CRLF. ERR_TRUNCATED, or ERR_MALFORMED for a bare CR or LF. */
static enum status take_line(struct bytes *in, struct bytes *line)
{
	const uint8_t *end = in->n > 0 ? memchr(in->p, '\n', in->n) : NULL;

	if (end == NULL)
		return ERR_TRUNCATED;
	*line = (struct bytes){ in->p, (size_t)(end - in->p) };
	if (line->n == 0 || line->p[line->n - 1] != '\r')
		return ERR_MALFORMED;
	line->n--;
	in->n -= line->n + 2;
	in->p = end + 1;
	return line->n > 0 && memchr(line->p, '\r', line->n) != NULL ? ERR_MALFORMED : OK;
}

static enum status parse_number(struct bytes v, unsigned base, size_t *out)
{
	*out = 0;
	for (size_t i = 0; i < v.n; i++) {
		unsigned c = v.p[i], d = c >= '0' && c <= '9'                     ? c - '0'
		                         : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10
		                                                                  : 99;

		if (d >= base || i >= 8)
			return ERR_MALFORMED;
		*out = *out * base + d;
	}
	return v.n > 0 ? OK : ERR_MALFORMED;
}

static enum status parse_type(struct bytes v, struct head *h, struct admin_answer *out)
{
	if (h->has_type || (!same(v, ADMIN_TYPE_GP) && !same(v, ADMIN_TYPE_ETSI)))
		return ERR_MALFORMED;
	h->has_type = true;
	out->etsi = same(v, ADMIN_TYPE_ETSI);
	return OK;
}

/* What this card needs to know; all the rest is passed over. Twice the same is refused. */
static enum status parse_header(struct bytes line, struct head *h, struct admin_answer *out)
{
	const uint8_t *colon = memchr(line.p, ':', line.n);
	struct bytes name, v;

	if (colon == NULL || colon == line.p)
		return ERR_MALFORMED;
	name = (struct bytes){ line.p, (size_t)(colon - line.p) };
	v = (struct bytes){ colon + 1, line.n - name.n - 1 };
	while (v.n > 0 && (v.p[0] == ' ' || v.p[0] == '\t')) {
		v.p++;
		v.n--;
	}
	while (v.n > 0 && (v.p[v.n - 1] == ' ' || v.p[v.n - 1] == '\t'))
		v.n--;
	if (same(name, "Content-Length")) {
		if (h->has_length)
			return ERR_MALFORMED;
		h->has_length = true;
		return parse_number(v, 10, &h->length);
	}
	if (same(name, "Transfer-Encoding")) {
		if (h->chunked || !same(v, "chunked"))
			return ERR_MALFORMED;
		h->chunked = true;
	} else if (same(name, "Content-Type")) {
		return parse_type(v, h, out);
	} else if (same(name, "X-Admin-Next-URI")) {
		if (out->has_next || !printable(v, 1, ADMIN_URI_MAX) || v.p[0] != '/')
			return ERR_MALFORMED;
		out->has_next = true;
		out->next = v;
	} else if (same(name, "X-Admin-Targeted-Application")) {
		if (h->has_target)
			return ERR_MALFORMED;
		h->has_target = true;
		return parse_target(v, out);
	} else if (same(name, "X-Admin-Protocol") && !same(v, ADMIN_PROTOCOL)) {
		return ERR_MALFORMED;
	}
	return OK;
}

/* Chunks (RFC 9112 7.1) joined behind the head, where they stand; NULL: only look whether they are all there. */
static enum status join_chunks(struct bytes in, uint8_t *to, struct bytes *out)
{
	struct bytes line, chunk;
	size_t n, total = 0;

	for (;;) {
		TRY(take_line(&in, &line));
		TRY(parse_number(line, 16, &n));
		if (n > ADMIN_BODY_MAX - total)
			return ERR_NO_SPACE;
		if (n == 0)
			break;
		if (!bytes_take(&in, n, &chunk))
			return ERR_TRUNCATED;
		if (in.n < 2)
			return ERR_TRUNCATED;
		if (in.p[0] != '\r' || in.p[1] != '\n')
			return ERR_MALFORMED;
		if (to != NULL)
			memmove(to + total, chunk.p, n);
		total += n;
		in.p += 2;
		in.n -= 2;
	}
	TRY(take_line(&in, &line));
	*out = (struct bytes){ to, total };
	return line.n == 0 ? OK : ERR_MALFORMED; /* no trailers */
}

static enum status parse_status(struct bytes line, unsigned *status)
{
	static const char version[] = "HTTP/1.1 ";
	size_t n;

	if (line.n < sizeof version - 1 + 3 || memcmp(line.p, version, sizeof version - 1) != 0 ||
	        parse_number((struct bytes){ line.p + sizeof version - 1, 3 }, 10, &n) != OK || n < 100)
		return ERR_MALFORMED;
	*status = (unsigned)n;
	return OK;
}

enum status admin_answer_take(uint8_t *in, size_t n, struct admin_answer *out)
{
	struct bytes left = { in, n }, line;
	struct head h = { 0 };
	enum status st;

	*out = (struct admin_answer){ 0 };
	if ((st = take_line(&left, &line)) == OK)
		st = parse_status(line, &out->status);
	while (st == OK && (st = take_line(&left, &line)) == OK && line.n > 0)
		st = parse_header(line, &h, out);
	if (st == ERR_TRUNCATED && n > ADMIN_HEAD_MAX)
		return ERR_NO_SPACE;
	TRY(st);
	if (out->status == 204)
		return h.chunked || h.length > 0 ? ERR_MALFORMED : OK;
	if (h.chunked == h.has_length || (out->status == 200 && !h.has_type))
		return ERR_MALFORMED;
	if (h.chunked) {
		TRY(join_chunks(left, NULL, &out->script));
		return join_chunks(left, in + (left.p - in), &out->script);
	}
	if (h.length > ADMIN_BODY_MAX)
		return ERR_NO_SPACE;
	return bytes_take(&left, h.length, &out->script) ? OK : ERR_TRUNCATED;
}
