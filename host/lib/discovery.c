/* SPDX-License-Identifier: Apache-2.0 */
/* The watch list: an open-addressing table of look-up values for the current slot and one on each side. */
#include <stdlib.h>
#include <string.h>

#include "apdu/prose.h"
#include "apdu/tlv.h"
#include "crypto/common/lookup.h"
#include "host/lib/session.h"

enum { ENTRY_LEN = 2 + 8 + PROSE_LOOKUP_LEN, HEARD_MAX = 1024, TOLERANCE = 1, ASKS_MAX = 8 };

struct entry {
	uint8_t lookup[PROSE_LOOKUP_LEN];
	uint64_t slot;
	uint16_t index;
	uint8_t asked;    /* how often the card was: copies with another MIC would spend its budget */
	bool used, heard; /* heard: reported in this slot, so a second copy is a replay */
};

struct prose_watch {
	struct entry *table;
	size_t mask, count;
	uint64_t covers;       /* the time the table was made for; 0: never */
	uint64_t slot_seconds; /* the shortest of the keys */
	struct {
		uint16_t index;
		uint64_t slot;
	} heard[HEARD_MAX]; /* survives a new table */
	size_t heard_next;
};

enum prose_result prose_watch_new(struct prose_watch **out)
{
	*out = calloc(1, sizeof **out);
	return *out != NULL ? PROSE_OK : PROSE_NO_MEMORY;
}

void prose_watch_free(struct prose_watch **w)
{
	if (*w != NULL)
		free((*w)->table);
	free(*w);
	*w = NULL;
}

size_t prose_watch_size(const struct prose_watch *w)
{
	return w->count;
}

/* Look-up values are hashes already: their first octets spread evenly. */
static size_t home(const struct prose_watch *w, const uint8_t *lookup)
{
	return (size_t)bytes_uint((struct bytes){ lookup, 8 }) & w->mask;
}

static struct entry *find(const struct prose_watch *w, const uint8_t *lookup)
{
	if (w->table == NULL)
		return NULL;
	for (size_t i = home(w, lookup); w->table[i].used; i = (i + 1) & w->mask)
		if (memcmp(w->table[i].lookup, lookup, PROSE_LOOKUP_LEN) == 0)
			return &w->table[i];
	return NULL;
}

static bool was_heard(const struct prose_watch *w, uint16_t index, uint64_t slot)
{
	for (size_t i = 0; i < HEARD_MAX; i++)
		if (w->heard[i].slot == slot && w->heard[i].index == index && slot != 0)
			return true;
	return false;
}

static enum prose_result fill(struct prose_watch *w, struct bytes in)
{
	size_t n = in.n / ENTRY_LEN, size = 16;
	uint64_t index, slot;
	struct bytes lookup;

	while (size < 2 * n)
		size *= 2;
	free(w->table);
	w->count = 0;
	w->mask = size - 1;
	if (in.n % ENTRY_LEN != 0 || (w->table = calloc(size, sizeof *w->table)) == NULL) {
		w->table = NULL;
		return in.n % ENTRY_LEN != 0 ? PROSE_FORMAT : PROSE_NO_MEMORY;
	}
	while (bytes_take_uint(&in, 2, &index) && bytes_take_uint(&in, 8, &slot) &&
	        bytes_take(&in, PROSE_LOOKUP_LEN, &lookup)) {
		size_t i = home(w, lookup.p);

		while (w->table[i].used)
			i = (i + 1) & w->mask;
		w->table[i] = (struct entry){ .slot = slot, .index = (uint16_t)index, .used = true };
		memcpy(w->table[i].lookup, lookup.p, PROSE_LOOKUP_LEN);
		w->table[i].heard = was_heard(w, (uint16_t)index, slot);
		w->count++;
	}
	return PROSE_OK;
}

static void shortest_slot(void *context, const struct prose_entry *e)
{
	struct prose_watch *w = context;

	if ((e->rights & RIGHT_MONITOR) != 0 && e->slot_seconds > 0 &&
	        (w->slot_seconds == 0 || e->slot_seconds < w->slot_seconds))
		w->slot_seconds = e->slot_seconds;
}

enum prose_result prose_watch_update(struct prose_watch *w, struct prose_card *c, uint64_t now)
{
	uint8_t raw[64];
	struct buf b = BUF_OF(raw);
	enum prose_result r;

	if (w->covers != 0 && now / w->slot_seconds == w->covers / w->slot_seconds)
		return PROSE_OK;
	w->covers = 0; /* until it does again */
	w->slot_seconds = 0;
	if ((r = prose_list(c, PROSE_DISCOVERY_KEYS, shortest_slot, w)) != PROSE_OK)
		return r;
	if (w->slot_seconds == 0)
		w->slot_seconds = 1;
	tlv_put_uint(&b, TAG_TIME, 8, now);
	tlv_put_uint(&b, TAG_NOT_BEFORE, 8, now - TOLERANCE * w->slot_seconds);
	tlv_put_uint(&b, TAG_NOT_AFTER, 8, now + TOLERANCE * w->slot_seconds);
	r = session_permitted(c, PROSE_MAY_MONITOR, INS_PROSE_COMPUTE_CODES, RIGHT_MONITOR, &b, APDU_NE_MAX);
	if (r == PROSE_OK && (r = fill(w, c->answer)) == PROSE_OK)
		w->covers = now;
	return r;
}

/* The card has the last word: it knows the MIC. */
static enum prose_result ask_card(
        struct prose_card *c, uint64_t now, const uint8_t *frame, uint16_t index, struct prose_match *m)
{
	uint8_t raw[128];
	struct buf b = BUF_OF(raw);
	struct bytes v;
	enum prose_result r;

	tlv_put_uint(&b, TAG_TIME, 8, now);
	tlv_put(&b, TAG_FRAME, (struct bytes){ frame, PROSE_FRAME_LEN });
	tlv_put_uint(&b, TAG_INDEX, 2, index);
	if ((r = session_permitted(c, PROSE_MAY_MONITOR, INS_PROSE_MATCH, 0, &b, 256)) != PROSE_OK)
		return r;
	if (tlv_find(c->answer, TAG_MATCH, &v) != OK || v.n != 1)
		return PROSE_FORMAT;
	if (v.p[0] != 1)
		return PROSE_NOT_FOUND;
	if (tlv_find(c->answer, TAG_NAME, &v) != OK || v.n >= sizeof m->name)
		return PROSE_FORMAT;
	memcpy(m->name, v.p, v.n);
	m->name[v.n] = 0;
	return PROSE_OK;
}

enum prose_result prose_watch_frame(
        struct prose_watch *w, struct prose_card *c, uint64_t now, const uint8_t frame[29], struct prose_match *match)
{
	uint8_t lookup[DISCOVERY_LOOKUP_LEN];
	struct entry *e;
	enum prose_result r = session_result(discovery_lookup(frame + 1, lookup));

	if (r != PROSE_OK)
		return r;
	e = find(w, lookup);
	if (e == NULL || e->heard || e->asked == ASKS_MAX)
		return PROSE_NOT_FOUND;
	e->asked++;
	if ((r = ask_card(c, now, frame, e->index, match)) != PROSE_OK)
		return r;
	e->heard = true;
	match->slot = e->slot;
	w->heard[w->heard_next].index = e->index;
	w->heard[w->heard_next].slot = e->slot;
	w->heard_next = (w->heard_next + 1) % HEARD_MAX;
	return PROSE_OK;
}
