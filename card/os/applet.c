/* SPDX-License-Identifier: Apache-2.0 */
#include "card/os/applet.h"

#include <stdlib.h>
#include <string.h>

#include "apdu/aids.h"
#include "apdu/base/secret.h"
#include "apdu/tlv.h"
#include "card/os/card.h"

static const struct bytes registry_name = { (const uint8_t *)"reg", 3 };

/* REGISTRY_MAX: entries of the instances that are there, and of AIDs that nobody may take again, for which the rest is. One
 * octet more: INSTALL and DELETE are 6A84. */
enum { REG_ENTRY = 0xE0, REG_GRAVE = 0xE1, REGISTRY_MAX = 2048, REG_ENTRY_MAX = 80 };
_Static_assert(APPLETS_MAX *(REG_ENTRY_MAX + 2) <= (int)REGISTRY_MAX, "the registry has room for every instance");
enum { REG_CLASS = 0x80, REG_AID, REG_SLOT, REG_DOMAIN, REG_LIFE, REG_PRIVILEGES, REG_SOVEREIGN, REG_TAR, REG_MSL };

static const struct applet_class free_class = { .name = "free" };

uint8_t applet_slot(const struct applet *a)
{
	return (uint8_t)(a - a->card->applet);
}

bool applet_selectable(const struct applet *a)
{
	return (a->life & LIFE_LOCKED) == 0 && (a->life & LIFE_SELECTABLE) == LIFE_SELECTABLE;
}

enum status applet_begin(struct applet *a)
{
	if (a->class->undo_len == 0 || a->before != NULL)
		return OK;
	if ((a->before = malloc(a->class->undo_len)) == NULL)
		return ERR_NO_SPACE;
	memcpy(a->before, a->transient, a->class->undo_len);
	return OK;
}

static void settle(struct applet *a, bool kept)
{
	if (a->before == NULL)
		return;
	if (a->class->settle != NULL)
		a->class->settle(kept ? a->transient : a->before, kept ? a->before : a->transient);
	if (!kept)
		memcpy(a->transient, a->before, a->class->undo_len);
	secret_clean(a->before, a->class->undo_len);
	free(a->before);
	a->before = NULL;
}

void applets_settle(struct card *card, bool kept)
{
	for (size_t i = 0; i < card->applet_count; i++)
		settle(&card->applet[i], kept);
}

void applet_forget(struct applet *a)
{
	settle(a, true);
	if (a->transient != NULL && a->class->forget != NULL)
		a->class->forget(a);
	if (a->transient != NULL)
		secret_clean(a->transient, a->class->transient_len);
}

void channel_forget(struct channel *ch)
{
	if (ch->session != NULL)
		secret_clean(ch->session, ch->applet->class->channel_len);
	free(ch->session);
	ch->session = NULL;
	ch->applet = NULL;
}

static bool in_use(const struct applet *a)
{
	size_t i = 0;

	while (i <= CHANNELS && a->card->channel[i].applet != a)
		i++;
	return i <= CHANNELS;
}

enum status applet_enter(struct channel *ch, struct applet *a)
{
	size_t n = a != NULL ? a->class->channel_len : 0;
	void *session = NULL;

	if (ch->applet == a)
		return OK;
	if (n > 0 && (session = calloc(1, n)) == NULL)
		return ERR_NO_SPACE;
	applet_exit(ch);
	ch->applet = a;
	ch->session = session;
	return OK;
}

void applet_exit(struct channel *ch)
{
	struct applet *a = ch->applet;

	channel_forget(ch);
	if (a != NULL && a->transient != NULL && a->class->idle != NULL && !in_use(a))
		a->class->idle(a);
}

void applet_leave(struct applet *a)
{
	for (size_t i = 0; i <= CHANNELS; i++)
		if (a->card->channel[i].applet == a)
			channel_forget(&a->card->channel[i]);
	applet_forget(a);
}

static void free_slot(struct card *card, struct applet *a)
{
	a->card = card;
	applet_leave(a);
	free(a->transient);
	*a = (struct applet){ .class = &free_class, .card = card };
}

/* What may change while an instance lives, or after it: another may have had its slot and AID in what was rolled back. */
static void take_order(struct applet *a, size_t slot, const struct applet_order *o)
{
	a->domain = o->domain == DOMAIN_SELF ? (uint8_t)slot : o->domain;
	a->life = o->life;
	a->sovereign = o->sovereign;
	a->privileges = o->privileges;
	a->msl = o->msl;
	a->has_tar = o->tar != NULL;
	if (o->tar != NULL)
		memcpy(a->tar, o->tar, sizeof a->tar);
}

static enum status fill_slot(struct card *card, size_t slot, const struct applet_order *o)
{
	struct applet *a = &card->applet[slot];

	if (slot >= APPLETS_MAX || o->class_number >= applet_class_count || o->aid.n < 5 || o->aid.n > sizeof a->aid)
		return ERR_MALFORMED;
	*a = (struct applet){ .class = applet_classes[o->class_number], .card = card, .aid_len = o->aid.n };
	if (a->class->transient_len > 0 && (a->transient = calloc(1, a->class->transient_len)) == NULL) {
		a->class = &free_class;
		a->aid_len = 0;
		return ERR_NO_SPACE;
	}
	memcpy(a->aid, o->aid.p, o->aid.n);
	take_order(a, slot, o);
	a->view = (struct store_view){ &card->store, name_format("a%zu/", slot) };
	while (card->applet_count <= slot) { /* slots below that were never used */
		struct applet *below = &card->applet[card->applet_count++];

		if (below->class == NULL)
			*below = (struct applet){ .class = &free_class, .card = card };
	}
	return OK;
}

void applet_registry_drop(struct card *card)
{
	for (size_t i = 0; i < card->applet_count; i++) {
		applet_forget(&card->applet[i]);
		free(card->applet[i].transient);
		card->applet[i] = (struct applet){ 0 };
	}
	card->applet_count = 0;
}

static enum status load_entry(struct card *card, struct bytes entry, bool seen[APPLETS_MAX])
{
	static const uint32_t numbers[] = { REG_CLASS, REG_SLOT, REG_DOMAIN, REG_LIFE, REG_PRIVILEGES, REG_SOVEREIGN, REG_MSL };
	uint64_t v[sizeof numbers / sizeof *numbers];
	struct applet_order o;
	struct bytes tar, one;
	struct applet *a;

	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		TRY(tlv_find(entry, numbers[i], &one));
		v[i] = bytes_uint(one);
	}
	o = (struct applet_order){ .class_number = (unsigned)v[0],
		.domain = (uint8_t)v[2],
		.life = (uint8_t)v[3],
		.privileges = (uint32_t)v[4],
		.sovereign = v[5] != 0,
		.msl = (uint8_t)v[6] };
	TRY(tlv_find(entry, REG_AID, &o.aid));
	if (tlv_find(entry, REG_TAR, &tar) == OK && tar.n == 3)
		o.tar = tar.p;
	if (v[1] >= APPLETS_MAX || seen[v[1]])
		return ERR_MALFORMED;
	seen[v[1]] = true;
	a = &card->applet[v[1]];
	/* The same instance goes on with its session. */
	if (a->class == applet_classes[o.class_number < applet_class_count ? o.class_number : 0] &&
	        bytes_equal((struct bytes){ a->aid, a->aid_len }, o.aid)) {
		take_order(a, (size_t)v[1], &o);
		return OK;
	}
	if (a->class != NULL)
		free_slot(card, a);
	return fill_slot(card, (size_t)v[1], &o);
}

struct applet *applet_issuer(struct card *card)
{
	for (size_t i = 0; i < card->applet_count; i++)
		if (card->applet[i].aid_len > 0 && (card->applet[i].privileges & PRIVILEGE_GLOBAL_REGISTRY) != 0)
			return &card->applet[i];
	return NULL;
}

static void note_life(struct card *card)
{
	const struct applet *issuer = applet_issuer(card);
	bool special = issuer != NULL && (issuer->life == CARD_LOCKED || issuer->life == CARD_TERMINATED);

	card->life = special ? issuer->life : (uint8_t)CARD_SECURED;
}

enum status applet_registry_load(struct card *card)
{
	uint8_t raw[REGISTRY_MAX];
	struct buf b = BUF_OF(raw);
	bool seen[APPLETS_MAX] = { false };
	struct bytes in;
	struct tlv entry;

	TRY(store_get(&card->store, registry_name, &b));
	for (in = buf_bytes(&b); in.n > 0;) {
		TRY(tlv_next(&in, &entry));
		if (entry.tag == REG_ENTRY)
			TRY(load_entry(card, entry.value, seen));
	}
	for (size_t i = 0; i < card->applet_count; i++)
		if (!seen[i])
			free_slot(card, &card->applet[i]);
	note_life(card);
	return OK;
}

static void put_entry(struct buf *b, const struct applet *a)
{
	uint8_t raw[REG_ENTRY_MAX];
	struct buf e = BUF_OF(raw);
	unsigned class_number = 0;

	while (class_number < applet_class_count && applet_classes[class_number] != a->class)
		class_number++;
	tlv_put_uint(&e, REG_CLASS, 1, class_number);
	tlv_put(&e, REG_AID, (struct bytes){ a->aid, a->aid_len });
	tlv_put_uint(&e, REG_SLOT, 1, applet_slot(a));
	tlv_put_uint(&e, REG_DOMAIN, 1, a->domain);
	tlv_put_uint(&e, REG_LIFE, 1, a->life);
	tlv_put_uint(&e, REG_PRIVILEGES, 3, a->privileges);
	tlv_put_uint(&e, REG_SOVEREIGN, 1, a->sovereign ? 1 : 0);
	tlv_put_uint(&e, REG_MSL, 1, a->msl);
	if (a->has_tar)
		tlv_put(&e, REG_TAR, BYTES_OF(a->tar));
	tlv_put(b, REG_ENTRY, buf_bytes(&e));
	if (e.failed)
		b->failed = true;
}

/* Graves stay. */
static enum status save(struct card *card, struct bytes new_grave)
{
	uint8_t raw[REGISTRY_MAX], old_raw[REGISTRY_MAX];
	struct buf b = BUF_OF(raw), old = BUF_OF(old_raw);
	struct bytes in;
	struct tlv t;

	card->registry_dirty = true; /* before anything can fail */
	for (size_t i = 0; i < card->applet_count; i++)
		if (card->applet[i].aid_len > 0)
			put_entry(&b, &card->applet[i]);
	if (store_get(&card->store, registry_name, &old) == OK)
		for (in = buf_bytes(&old); in.n > 0;) {
			TRY(tlv_next(&in, &t));
			if (t.tag == REG_GRAVE)
				tlv_put(&b, REG_GRAVE, t.value);
		}
	if (new_grave.n > 0)
		tlv_put(&b, REG_GRAVE, new_grave);
	TRY(buf_status(&b));
	note_life(card);
	return store_put(&card->store, registry_name, buf_bytes(&b));
}

enum status applet_registry_save(struct card *card)
{
	return save(card, (struct bytes){ 0 });
}

bool applet_reserved(struct card *card, struct bytes aid)
{
	uint8_t raw[REGISTRY_MAX];
	struct buf b = BUF_OF(raw);
	struct bytes in;
	struct tlv t;

	if (store_get(&card->store, registry_name, &b) != OK)
		return false;
	for (in = buf_bytes(&b); in.n > 0 && tlv_next(&in, &t) == OK;) {
		size_t n = t.value.n < aid.n ? t.value.n : aid.n;

		/* Neither may be the beginning of the other: SELECT goes by beginnings. */
		if (t.tag == REG_GRAVE && bytes_equal((struct bytes){ t.value.p, n }, (struct bytes){ aid.p, n }))
			return true;
	}
	return false;
}

enum status applet_create(struct card *card, const struct applet_order *o, struct bytes parameters)
{
	size_t slot = 0;
	struct applet *a;
	enum status st;

	while (slot < card->applet_count && card->applet[slot].aid_len > 0)
		slot++;
	if (slot == APPLETS_MAX)
		return ERR_NO_SPACE;
	TRY(fill_slot(card, slot, o));
	a = &card->applet[slot];
	if ((st = applet_registry_save(card)) == OK && a->class->install != NULL)
		st = a->class->install(a, parameters);
	if (st != OK)
		free_slot(card, a);
	return st;
}

enum status applet_add(struct card *card, unsigned class_number, struct bytes aid, struct bytes parameters)
{
	const struct applet_order o = { .class_number = class_number,
		.aid = aid,
		.domain = DOMAIN_ISSUER,
		.life = LIFE_SELECTABLE,
		.privileges = bytes_equal(aid, BYTES_STR(AID_ISD)) ? (uint32_t)PRIVILEGES_OF_ISSUER : 0 };

	return applet_create(card, &o, parameters);
}

enum status applet_delete(struct card *card, struct applet *a, bool reserve)
{
	uint8_t aid_raw[sizeof a->aid];
	struct bytes aid = { aid_raw, a->aid_len };
	struct record_name name = { 0 };

	memcpy(aid_raw, a->aid, a->aid_len);
	while (applet_next(a, (struct bytes){ 0 }, (struct bytes){ 0 }, &name) == OK)
		TRY(applet_erase(a, name_bytes(&name)));
	free_slot(card, a);
	return save(card, reserve ? aid : (struct bytes){ 0 });
}

struct applet *applet_by_tar(struct card *card, const uint8_t tar[static 3])
{
	for (size_t i = 0; i < card->applet_count; i++)
		if (card->applet[i].has_tar && memcmp(card->applet[i].tar, tar, 3) == 0)
			return &card->applet[i];
	return NULL;
}

struct applet *applet_named(struct card *card, struct bytes aid)
{
	for (size_t i = 0; i < card->applet_count; i++)
		if (card->applet[i].aid_len > 0 &&
		        bytes_equal((struct bytes){ card->applet[i].aid, card->applet[i].aid_len }, aid))
			return &card->applet[i];
	return NULL;
}

struct applet *applet_by_aid(struct card *card, struct bytes prefix)
{
	for (size_t i = 0; i < card->applet_count; i++) {
		struct applet *a = &card->applet[i];

		if (a->aid_len >= prefix.n && bytes_equal((struct bytes){ a->aid, prefix.n }, prefix))
			return a;
	}
	return NULL;
}

struct applet *applet_by_name(struct card *card, struct bytes name)
{
	struct applet *a = name.n > 0 ? applet_by_aid(card, name) : NULL;

	return a == NULL && (name.n == 0 || bytes_equal(name, BYTES_STR(AID_ISD_OLD))) ? applet_issuer(card) : a;
}

enum status applet_get(struct applet *a, struct bytes name, struct secret_large *out)
{
	struct record_name full;

	TRY(view_name(&a->view, name, &full));
	return store_get_large(a->view.store, name_bytes(&full), out);
}

/* What applet_get could not read is not written. */
static enum status put_name(const struct applet *a, struct bytes name, struct bytes value, struct record_name *full)
{
	return value.n <= APPLET_RECORD_MAX ? view_name(&a->view, name, full) : ERR_NO_SPACE;
}

enum status applet_put(struct applet *a, struct bytes name, struct bytes value)
{
	struct record_name full;

	TRY(put_name(a, name, value, &full));
	return store_put(a->view.store, name_bytes(&full), value);
}

enum status applet_erase(struct applet *a, struct bytes name)
{
	struct record_name full;

	TRY(view_name(&a->view, name, &full));
	return store_erase(a->view.store, name_bytes(&full));
}

enum status applet_put_now(struct applet *a, struct bytes name, struct bytes value)
{
	struct record_name full;

	TRY(put_name(a, name, value, &full));
	return store_put_now(a->view.store, name_bytes(&full), value);
}

enum status applet_spend(struct applet *a, struct bytes name, struct bytes value)
{
	struct record_name full;

	TRY(put_name(a, name, value, &full));
	return store_spend(a->view.store, name_bytes(&full), value);
}

enum status applet_next(struct applet *a, struct bytes prefix, struct bytes after, struct record_name *out)
{
	struct record_name full_prefix, full_after = { 0 }, found;

	TRY(view_name(&a->view, prefix, &full_prefix));
	if (after.n > 0)
		TRY(view_name(&a->view, after, &full_after));
	TRY(store_next(a->view.store, name_bytes(&full_prefix), name_bytes(&full_after), &found));
	out->n = found.n - a->view.prefix.n;
	memcpy(out->text, found.text + a->view.prefix.n, out->n);
	return OK;
}
