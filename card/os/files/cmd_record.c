/* SPDX-License-Identifier: Apache-2.0 */
/* SEARCH RECORD and INCREASE (TS 102 221 11.1.7, 11.1.8). */
#include <string.h>

#include "card/os/files/target.h"

enum { SEARCH_FORWARD = 4, SEARCH_BACKWARD = 5, SEARCH_ENHANCED = 6 };
enum { ENHANCED_BYTE = 0x08, FROM_P1_FORWARD = 4, FROM_P1_BACKWARD = 5, FROM_NEXT = 6, FROM_PREVIOUS = 7 };

struct search {
	struct bytes pattern;
	bool backward, relative; /* relative: from the record after or before the pointer */
	bool by_byte;            /* start after the first occurrence of `start` */
	uint8_t start;           /* octet, or offset */
};

static enum sw parse_search(const struct command *c, struct search *s)
{
	uint64_t how, start;

	*s = (struct search){ .pattern = c->data };
	switch (c->p2 & 7) {
	case SEARCH_FORWARD: break;
	case SEARCH_BACKWARD: s->backward = true; break;
	case SEARCH_ENHANCED:
		if (!bytes_take_uint(&s->pattern, 1, &how) || !bytes_take_uint(&s->pattern, 1, &start) || s->pattern.n == 0)
			return SW_WRONG_LENGTH;
		if ((how & 7) < FROM_P1_FORWARD || (how & 0xF0) != 0)
			return SW_WRONG_DATA;
		s->backward = (how & 7) == FROM_P1_BACKWARD || (how & 7) == FROM_PREVIOUS;
		s->relative = (how & 7) >= FROM_NEXT;
		s->by_byte = (how & ENHANCED_BYTE) != 0;
		s->start = (uint8_t)start;
		break;
	default: return SW_WRONG_P1P2;
	}
	return SW_OK;
}

static bool record_matches(struct bytes record, const struct search *s)
{
	size_t from = s->start;

	if (s->by_byte) {
		const uint8_t *found = memchr(record.p, s->start, record.n);

		if (found == NULL)
			return false;
		from = (size_t)(found - record.p) + 1;
	}
	for (; from + s->pattern.n <= record.n; from++)
		if (memcmp(record.p + from, s->pattern.p, s->pattern.n) == 0)
			return true;
	return false;
}

/* The record where the search begins, 1-based; 0: there is none that way. */
static enum sw first_record(const struct command *c, const struct target *t, const struct search *s, unsigned *number)
{
	unsigned count = t->file->record_count, pointer = c->channel->record;

	if (s->relative) {
		if (c->p1 != 0)
			return SW_WRONG_P1P2;
		*number = !s->backward ? pointer + 1 : pointer == 0 ? count : pointer - 1;
	} else {
		*number = c->p1 == 0 ? pointer : c->p1;
		if (*number == 0)
			return SW_RECORD_NOT_FOUND;
	}
	return *number > count && !s->relative ? SW_RECORD_NOT_FOUND : SW_OK;
}

enum sw cmd_search_record(struct command *c)
{
	struct search s;
	struct target t;
	unsigned number;
	uint8_t first = 0;
	enum sw sw = parse_search(c, &s);

	if (sw != SW_OK || (sw = target_open(c, c->p2 >> 3, ACCESS_READ, TARGET_RECORDS, &t)) != SW_OK)
		return sw;
	if (s.pattern.n > t.file->record_len)
		return SW_WRONG_LENGTH;
	if ((sw = first_record(c, &t, &s, &number)) != SW_OK)
		return sw;
	for (; number >= 1 && number <= t.file->record_count; number = s.backward ? number - 1 : number + 1) {
		if (!record_matches(target_record(&t, number), &s))
			continue;
		if (first == 0)
			first = (uint8_t)number;
		buf_put_u8(c->rsp, (uint8_t)number);
	}
	if (first == 0)
		return SW_END_OF_FILE;
	c->channel->record = first;
	return SW_OK;
}

/* Big-endian addition into `to`; false on overflow. */
static bool add(uint8_t *to, size_t n, struct bytes value)
{
	unsigned carry = 0;

	for (size_t i = 0; i < n; i++) {
		unsigned v = i < value.n ? value.p[value.n - 1 - i] : 0;

		carry += to[n - 1 - i] + v;
		to[n - 1 - i] = (uint8_t)carry;
		carry >>= 8;
	}
	return carry == 0;
}

enum sw cmd_increase(struct command *c)
{
	uint8_t sum[255], sfi = 0;
	struct target t;
	size_t len;
	enum sw sw;

	if ((c->p1 & 0x80) != 0) {
		if ((c->p1 & 0x60) != 0 || (c->p1 & 0x1F) == 0)
			return SW_WRONG_P1P2;
		sfi = c->p1 & 0x1F;
	} else if (c->p1 != 0) {
		return SW_WRONG_P1P2;
	}
	if ((sw = target_open(c, sfi, ACCESS_INCREASE, TARGET_CYCLIC, &t)) != SW_OK)
		return sw;
	len = t.file->record_len;
	if (c->data.n > len)
		return SW_WRONG_LENGTH;
	memcpy(sum, target_record(&t, 1).p, len);
	if (!add(sum, len, c->data))
		return SW_INCREASE_MAX;
	buf_put(c->rsp, (struct bytes){ sum, len });
	buf_put_zeros(c->rsp, len - c->data.n);
	buf_put(c->rsp, c->data);
	return target_push(c, &t, (struct bytes){ sum, len });
}
