/* SPDX-License-Identifier: Apache-2.0 */
#include "protocols/mikey/sdp.h"

#include <stdio.h>
#include <string.h>

#include "apdu/base/hex.h"

void sdp_put(struct buf *b, const struct sdp_offer *o)
{
	char line[160];

	buf_put(b, BYTES_STR("v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns="));
	buf_put(b, o->group_uri);
	(void)snprintf(line, sizeof line, "\r\nc=IN IP4 %s/1\r\nt=0 0\r\nm=audio %u RTP/SAVP 8\r\na=ssrc:%lu cname:prose\r\n",
	        o->address, (unsigned)o->port, (unsigned long)o->ssrc);
	buf_put(b, bytes_str(line));
	buf_put(b, BYTES_STR("a=rtpmap:8 PCMA/8000\r\na=sendonly\r\na=key-mgmt:mikey "));
	base64_encode(o->mikey, b);
	buf_put(b, BYTES_STR("\r\n"));
}

static bool starts(struct bytes *line, const char *prefix)
{
	struct bytes head, rest = *line;

	if (!bytes_take(&rest, strlen(prefix), &head) || !bytes_equal(head, bytes_str(prefix)))
		return false;
	*line = rest;
	return true;
}

static bool take_line(struct bytes *text, struct bytes *line)
{
	size_t n = 0;

	if (text->n == 0)
		return false;
	while (n < text->n && text->p[n] != '\n')
		n++;
	*line = (struct bytes){ text->p, n };
	*text = (struct bytes){ text->p + n, text->n - n };
	if (text->n > 0) {
		text->p++;
		text->n--;
	}
	if (line->n > 0 && line->p[line->n - 1] == '\r')
		line->n--;
	return true;
}

static enum status take_number(struct bytes line, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;
	size_t n = 0;

	while (n < line.n && line.p[n] >= '0' && line.p[n] <= '9' && v <= max)
		v = v * 10 + (uint64_t)(line.p[n++] - '0');
	*out = v;
	return n > 0 && v <= max ? OK : ERR_MALFORMED;
}

enum status sdp_parse(struct bytes text, struct sdp_media *m, struct buf *mikey)
{
	bool key = false, audio = false;
	struct bytes line;
	uint64_t v;

	*m = (struct sdp_media){ 0 };
	while (take_line(&text, &line)) {
		if (m->subject.p == NULL && starts(&line, "s=")) {
			m->subject = line;
		} else if (starts(&line, "a=key-mgmt:mikey ")) {
			if (key)
				return ERR_MALFORMED;
			TRY(base64_decode(line, mikey));
			key = true;
		} else if (starts(&line, "m=audio ")) {
			TRY(take_number(line, 65535, &v));
			m->port = (uint16_t)v;
			audio = true;
		} else if (starts(&line, "a=ssrc:")) {
			TRY(take_number(line, UINT32_MAX, &v));
			m->ssrc = (uint32_t)v;
		} else if (starts(&line, "c=IN IP4 ")) {
			size_t n = 0;

			while (n < line.n && n < sizeof m->address - 1 && line.p[n] != '/' && line.p[n] != ' ')
				n++;
			memcpy(m->address, line.p, n);
			m->address[n] = 0;
		}
	}
	return key && audio && m->address[0] != 0 ? OK : ERR_NOT_FOUND;
}
