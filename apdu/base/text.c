/* SPDX-License-Identifier: Apache-2.0 */
#include "apdu/base/text.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool text_put(char *out, size_t room, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(out, room, format, args);
	va_end(args);
	if (n >= 0 && (size_t)n < room)
		return true;
	if (room > 0)
		out[0] = 0;
	return false;
}

bool text_number(const char *text, long long *out)
{
	char *end;

	errno = 0;
	*out = strtoll(text, &end, 10);
	return errno == 0 && end != text && *end == 0 && !isspace((unsigned char)text[0]);
}

/* Octets of the character that a text begins with; 0: it is not UTF-8 (RFC 3629). */
static size_t character(const uint8_t *p)
{
	const size_t n = p[0] < 0x80 ? 1 : p[0] < 0xC2 ? 0 : p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : p[0] < 0xF5 ? 4 : 0;

	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xC0) != 0x80)
			return 0;
	if ((p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xED && p[1] > 0x9F) || (p[0] == 0xF0 && p[1] < 0x90) ||
	        (p[0] == 0xF4 && p[1] > 0x8F))
		return 0; /* longer than it need be, half of a pair, or beyond the last */
	return n;
}

const char *text_json(const char *text, char *out, size_t room)
{
	struct buf b = { (uint8_t *)out, 0, room - 2, false };
	const uint8_t *p = (const uint8_t *)text;

	buf_put_u8(&b, '"');
	while (*p != 0) {
		const size_t n = character(p);
		char escaped[8] = "\\uFFFD";

		if (n == 1 && (*p == '"' || *p == '\\'))
			(void)snprintf(escaped, sizeof escaped, "\\%c", *p);
		else if (n == 1 && (*p < 0x20 || *p == 0x7F))
			(void)snprintf(escaped, sizeof escaped, "\\u%04X", *p);
		else if (n > 0)
			(void)snprintf(escaped, sizeof escaped, "%.*s", (int)n, (const char *)p);
		if (strlen(escaped) > b.cap - b.len)
			break;
		buf_put(&b, bytes_str(escaped));
		p += n > 0 ? n : 1;
	}
	out[b.len] = '"';
	out[b.len + 1] = 0;
	return out;
}

bool text_limits_hold(const struct text_limit *limits, size_t n, const void *arguments, char *sentence, size_t room)
{
	for (size_t i = 0; i < n; i++) {
		const char *value;

		memcpy(&value, (const char *)arguments + limits[i].at, sizeof value);
		if (value == NULL || strlen(value) <= limits[i].max)
			continue;
		(void)snprintf(sentence, room, "--%s has %zu characters: at most %zu fit", limits[i].option, strlen(value),
		        limits[i].max);
		return false;
	}
	return true;
}
