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
