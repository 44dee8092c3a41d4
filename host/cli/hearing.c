/* SPDX-License-Identifier: Apache-2.0 */
#include "host/cli/hearing.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

bool passed_over_add(struct passed_over *p, const char *why)
{
	size_t i = 0;

	p->count++;
	while (i < p->reasons && strncmp(p->reason[i].why, why, REASON_LEN - 1) != 0)
		i++;
	if (i == REASONS_MAX)
		return false;
	if (i == p->reasons) {
		(void)snprintf(p->reason[i].why, REASON_LEN, "%s", why);
		p->reasons++;
	}
	return ++p->reason[i].count == 1;
}

void passed_over_put(const struct passed_over *p, struct buf *b)
{
	char text[64];

	(void)snprintf(text, sizeof text, "\"ignored\": %lu, \"reasons\": {", p->count);
	buf_put(b, bytes_str(text));
	for (size_t i = 0; i < p->reasons; i++) {
		(void)snprintf(text, sizeof text, "%s\"%s\": %lu", i > 0 ? ", " : "", p->reason[i].why, p->reason[i].count);
		buf_put(b, bytes_str(text));
	}
	buf_put(b, BYTES_STR("}"));
}

size_t hearing_row(const bool *heard, size_t used)
{
	if (used < HEARING_SESSIONS)
		return used;
	for (size_t i = 0; i < used; i++)
		if (!heard[i])
			return i;
	return HEARING_SESSIONS;
}

bool media_at_of(const char *address, unsigned port, uint8_t out[static MEDIA_AT_LEN])
{
	struct in_addr at;

	if (inet_pton(AF_INET, address, &at) != 1 || !IN_MULTICAST(ntohl(at.s_addr)) || port == 0 || port > 65535)
		return false;
	memcpy(out, &at.s_addr, 4);
	out[4] = (uint8_t)(port >> 8);
	out[5] = (uint8_t)port;
	return true;
}
