/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/guarded/sakke_ring.h"

#include <stdlib.h>
#include <string.h>

#include "crypto/common/hash.h"

struct held {
	uint8_t name[SHA256_LEN];        /* of public key, identity and RSK */
	uint64_t used;                   /* when; 0: free */
	struct sakke_receiver *receiver; /* NULL: not yet */
};

struct sakke_ring {
	size_t capacity;
	bool early;
	uint64_t clock;
	struct held held[];
};

enum status sakke_ring_new(size_t capacity, bool early, struct sakke_ring **out)
{
	*out = calloc(1, sizeof **out + capacity * sizeof(struct held));
	if (*out == NULL)
		return ERR_NO_MEMORY;
	(*out)->capacity = capacity;
	(*out)->early = early;
	return OK;
}

static void drop(struct held *h)
{
	sakke_receiver_close(&h->receiver);
	secret_clean(h, sizeof *h);
}

void sakke_ring_clear(struct sakke_ring *r)
{
	for (size_t i = 0; r != NULL && i < r->capacity; i++)
		drop(&r->held[i]);
}

void sakke_ring_free(struct sakke_ring **r)
{
	sakke_ring_clear(*r);
	free(*r);
	*r = NULL;
}

static enum status name_of(const uint8_t *public_key, struct bytes id, struct bytes rsk, uint8_t name[static SHA256_LEN])
{
	const struct bytes parts[] = { { public_key, SAKKE_POINT_LEN }, id, rsk };

	return sha256(parts, 3, name);
}

static bool is(const struct held *h, const uint8_t *name)
{
	bool same = h->used != 0 && secret_equals(BYTES_OF(h->name), (struct bytes){ name, SHA256_LEN });

	secret_declassify(&same, sizeof same); /* whether this key was used lately */
	return same;
}

/* The place of this key, or the one that was not used for longest. */
static struct held *place(struct sakke_ring *r, const uint8_t *name)
{
	struct held *oldest = &r->held[0];

	for (size_t i = 0; i < r->capacity; i++) {
		if (is(&r->held[i], name))
			return &r->held[i];
		if (r->held[i].used < oldest->used)
			oldest = &r->held[i];
	}
	return oldest;
}

/* The tables of a key: *out stays NULL where there are none yet. */
static enum status find(struct sakke_ring *r, bool make, const uint8_t *public_key, struct bytes id, struct bytes rsk,
        const struct sakke_receiver **out)
{
	uint8_t name[SHA256_LEN];
	struct held *h;
	bool again;

	*out = NULL;
	if (r == NULL || r->capacity == 0)
		return OK;
	TRY(name_of(public_key, id, rsk, name));
	h = place(r, name);
	again = is(h, name);
	if (!again)
		drop(h);
	memcpy(h->name, name, sizeof name);
	h->used = ++r->clock;
	if (h->receiver == NULL && (r->early || (make && again))) {
		enum status st = sakke_receiver_open(public_key, id, rsk, &h->receiver);

		if (st != OK) {
			drop(h);
			return st;
		}
	}
	*out = h->receiver;
	return OK;
}

enum status sakke_ring_validate(
        struct sakke_ring *r, const uint8_t public_key[static SAKKE_POINT_LEN], struct bytes id, struct bytes rsk)
{
	const struct sakke_receiver *ready;

	TRY(find(r, false, public_key, id, rsk, &ready));
	return ready != NULL ? OK : sakke_validate(public_key, id, rsk); /* tables are only made of keys that are right */
}

enum status sakke_ring_decapsulate(struct sakke_ring *r, const uint8_t public_key[static SAKKE_POINT_LEN], struct bytes id,
        struct bytes rsk, struct bytes data, struct secret *ssv)
{
	const struct sakke_receiver *ready;

	secret_wipe(ssv);
	TRY(find(r, true, public_key, id, rsk, &ready));
	return ready != NULL ? sakke_receiver_decapsulate(ready, data, ssv) : sakke_decapsulate(public_key, id, rsk, data, ssv);
}
