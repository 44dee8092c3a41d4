/* SPDX-License-Identifier: Apache-2.0 */
/* Which of a group's keys is newer, what a newer one puts an end to, and what is remembered of keys that are gone. No clock
 * has a say in it but for the activation of a key. */
#include "card/applets/prose/prose.h"
#include "protocols/mikey/message.h"

/* A number that a message says is above every T of a message that says none. */
#define RANK_NUMBERED (UINT64_C(1) << 63)

/* Record "fl/<group and signer>": floor(8), last(8), then id(4) and rank(8) of each revoked key. It outlives the keys. */
enum { MARKS_MAX = 8 };
struct floor {
	uint64_t floor, last; /* ranks: nothing up to here is taken any more; the greatest that there was */
	size_t marks;
	struct {
		uint32_t id;
		uint64_t rank;
	} mark[MARKS_MAX];
};

uint64_t prose_rank(const struct gmk_order *says, uint64_t ntp)
{
	return says->number > 0 ? RANK_NUMBERED | says->number : mikey_order(ntp) >> 1;
}

/* Two makers of one number (a server and a card, two cards) are told apart by the GMK-ID, by everybody in the same way. */
bool prose_gmk_newer(const struct prose_gmk *k, const struct prose_gmk *than)
{
	return k->rank != than->rank ? k->rank > than->rank : k->id > than->id;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static enum status floor_name(const struct prose_group *g, struct record_name *out)
{
	uint8_t digest[DIGEST_LEN];

	TRY(prose_digest((struct bytes[]){ BYTES_OF(g->digest), g->signer_uri }, 2, digest));
	*out = prose_record_name("fl", digest);
	return OK;
}

static enum status floor_load(struct applet *a, const struct prose_group *g, struct floor *f)
{
	SECRET_LARGE record = { 0 };
	struct record_name name;
	struct bytes in;
	enum status st;
	uint64_t id;

	*f = (struct floor){ 0 };
	TRY(floor_name(g, &name));
	if ((st = applet_get(a, name_bytes(&name), &record)) != OK)
		return st == ERR_NOT_FOUND ? OK : st;
	in = secret_large_bytes(&record);
	if (!bytes_take_uint(&in, 8, &f->floor) || !bytes_take_uint(&in, 8, &f->last))
		return ERR_MALFORMED;
	for (; f->marks < MARKS_MAX && bytes_take_uint(&in, 4, &id); f->marks++) {
		f->mark[f->marks].id = (uint32_t)id;
		if (!bytes_take_uint(&in, 8, &f->mark[f->marks].rank))
			return ERR_MALFORMED;
	}
	return in.n == 0 ? OK : ERR_MALFORMED;
}

static enum status floor_put(struct applet *a, const struct prose_group *g, const struct floor *f)
{
	uint8_t raw[16 + 12 * MARKS_MAX];
	struct buf b = BUF_OF(raw);
	struct record_name name;

	TRY(floor_name(g, &name));
	buf_put_uint(&b, 8, f->floor);
	buf_put_uint(&b, 8, f->last);
	for (size_t i = 0; i < f->marks; i++) {
		buf_put_uint(&b, 4, f->mark[i].id);
		buf_put_uint(&b, 8, f->mark[i].rank);
	}
	return applet_put(a, name_bytes(&name), buf_bytes(&b));
}

static bool is_marked(const struct floor *f, uint32_t id)
{
	for (size_t i = 0; i < f->marks; i++)
		if (f->mark[i].id == id)
			return true;
	return false;
}

/* The mark that has to make room raises the floor: what is forgotten is refused. */
static void mark(struct floor *f, uint32_t id, uint64_t rank)
{
	if (f->marks == MARKS_MAX) {
		f->floor = larger(f->floor, f->mark[0].rank);
		for (size_t i = 1; i < MARKS_MAX; i++)
			f->mark[i - 1] = f->mark[i];
		f->marks--;
	}
	f->mark[f->marks].id = id;
	f->mark[f->marks++].rank = rank;
}

/* What k says of a key of this rank and id. */
static bool ends(const struct prose_gmk *k, uint64_t rank, uint32_t id)
{
	return k->says.number > 0 && ((k->says.floor > 0 && rank <= (RANK_NUMBERED | k->says.floor)) ||
	                                     (rank < k->rank && order_revokes(&k->says, id)));
}

const struct prose_gmk *prose_gmk_ended_by(
        const struct prose_gmks *all, uint64_t rank, uint32_t id, uint64_t now, uint64_t judged)
{
	for (size_t i = 0; i < all->n; i++)
		if (all->key[i].not_before <= now && all->key[i].rank > judged && ends(&all->key[i], rank, id))
			return &all->key[i];
	return NULL;
}

uint64_t prose_gmks_newest_rank(const struct prose_gmks *all, uint64_t now)
{
	uint64_t rank = 0;

	for (size_t i = 0; i < all->n; i++)
		if (all->key[i].not_before <= now)
			rank = larger(rank, all->key[i].rank);
	return rank;
}

enum sw prose_gmk_admit(struct applet *a, const struct prose_group *g, const struct prose_gmk *k, uint64_t now)
{
	GMKS all = { 0 };
	struct floor f;
	size_t others = 0, older = 0;
	enum status st;

	if ((st = floor_load(a, g, &f)) != OK || (st = prose_gmks_load(a, g->digest, &all)) != OK)
		return sw_of(st);
	if (k->rank <= f.floor || is_marked(&f, k->id) || (k->rank < RANK_NUMBERED && f.last >= RANK_NUMBERED) ||
	        prose_gmk_ended_by(&all, k->rank, k->id, now, 0) != NULL)
		return SW_PROSE_REPLAY;
	for (size_t i = 0; i < all.n; i++) {
		if (all.key[i].id == k->id && k->rank <= all.key[i].rank)
			return SW_PROSE_REPLAY;
		others += all.key[i].id != k->id;
		older += all.key[i].id != k->id && prose_gmk_newer(k, &all.key[i]);
	}
	return others >= GMKS_PER_GROUP && older == 0 ? SW_PROSE_REPLAY : SW_OK;
}

static enum status drop(struct applet *a, const struct prose_group *g, const struct prose_gmk *k)
{
	struct record_name name = prose_gmk_name(g->digest, k->id);

	return applet_erase(a, name_bytes(&name));
}

static enum status write_gmk(struct applet *a, const struct prose_group *g, const struct prose_gmk *k)
{
	struct record_name name = prose_gmk_name(g->digest, k->id);
	SECRET_LARGE record = { 0 };
	struct buf b = { record.data, 0, sizeof record.data, false };

	buf_put_uint(&b, 8, k->stamp);
	buf_put_uint(&b, 8, k->not_before);
	buf_put_uint(&b, 8, k->not_after);
	buf_put_uint(&b, 4, k->id);
	buf_put(&b, secret_bytes(&k->key));
	buf_put_u8(&b, k->prf);
	buf_put_u8(&b, (uint8_t)k->rand_len);
	buf_put(&b, (struct bytes){ k->rand, k->rand_len });
	if (k->says.number > 0)
		order_put(&b, &k->says);
	TRY(buf_status(&b));
	record.len = b.len;
	return applet_put(a, name_bytes(&name), buf_bytes(&b));
}

enum status prose_gmk_put(struct applet *a, const struct prose_group *g, const struct prose_gmk *k)
{
	GMKS all = { 0 };
	struct floor f;

	TRY(floor_load(a, g, &f));
	TRY(write_gmk(a, g, k));
	TRY(prose_gmks_load(a, g->digest, &all));
	f.last = larger(f.last, k->rank);
	if (all.n > GMKS_PER_GROUP) {
		const struct prose_gmk *lowest = &all.key[0];

		for (size_t i = 1; i < all.n; i++)
			if (prose_gmk_newer(lowest, &all.key[i]))
				lowest = &all.key[i];
		TRY(drop(a, g, lowest));
		f.floor = larger(f.floor, lowest->rank);
	}
	return floor_put(a, g, &f);
}

enum status prose_gmk_forget(struct applet *a, const struct prose_group *g)
{
	GMKS all = { 0 };
	struct floor f;

	TRY(floor_load(a, g, &f));
	TRY(prose_gmks_load(a, g->digest, &all));
	for (size_t i = 0; i < all.n; i++) {
		f.last = larger(f.last, all.key[i].rank);
		TRY(drop(a, g, &all.key[i]));
	}
	f.floor = larger(f.floor, f.last);
	return floor_put(a, g, &f);
}

enum status prose_gmk_revoke(struct applet *a, const struct prose_group *g, uint32_t id, uint64_t rank)
{
	GMKS all = { 0 };
	struct floor f;
	const struct prose_gmk *revoked = NULL;

	TRY(floor_load(a, g, &f));
	TRY(prose_gmks_load(a, g->digest, &all));
	for (size_t i = 0; i < all.n; i++)
		if (all.key[i].id == id)
			revoked = &all.key[i];
	for (size_t i = 0; revoked != NULL && i < all.n; i++)
		if (&all.key[i] == revoked || ends(revoked, all.key[i].rank, all.key[i].id))
			TRY(drop(a, g, &all.key[i]));
	if (revoked != NULL && revoked->says.floor > 0)
		f.floor = larger(f.floor, RANK_NUMBERED | revoked->says.floor);
	f.last = larger(f.last, rank);
	mark(&f, id, rank);
	return floor_put(a, g, &f);
}

enum status prose_next_number(struct applet *a, const struct prose_group *g, uint64_t *out)
{
	struct floor f;

	TRY(floor_load(a, g, &f));
	*out = f.last >= RANK_NUMBERED ? (f.last & ~RANK_NUMBERED) + 1 : 1;
	return *out < ORDER_NUMBER_END ? OK : ERR_NO_SPACE;
}

/* Only signed offers show who sends them; of a shared or direct key it does not matter. */
static bool listens(const struct prose_group *g)
{
	const unsigned both = GROUP_POLICY_LISTEN | GROUP_POLICY_SIGN;

	return (g->policy & (both | GROUP_POLICY_SHARED | GROUP_POLICY_DIRECT)) == both;
}

/* In the key period of the message that excludes, whenever the offer was made. */
static bool excludes(struct applet *a, const struct gmk_order *o, struct bytes user)
{
	KMS_CERTIFICATE kms = { 0 };
	uint8_t uid[MIKEY_UID_LEN];

	return prose_load_kms_of(a, user, &kms) != OK ||
	       mikey_uid(&kms.kms, user, mikey_period_number(&kms.kms, o->at), uid) != OK || order_excludes(o, uid);
}

enum sw prose_gmk_listen(struct applet *a, const struct prose_group *g, const struct prose_gmks *all, const struct prose_gmk *k,
        struct bytes sender, uint64_t now)
{
	for (size_t i = 0; i < all->n; i++) {
		const struct prose_gmk *by = &all->key[i];

		if (by->not_before <= now && ends(by, k->rank, k->id) &&
		        (!listens(g) || by->says.strict || excludes(a, &by->says, sender)))
			return SW_PROSE_OLD_KEY;
	}
	return SW_OK;
}
