#include "card/os/applet.h"

#include <stdlib.h>
#include <string.h>

#include "apdu/secret.h"
#include "apdu/tlv.h"
#include "card/os/card.h"

static const struct bytes registry_name = { (const uint8_t *)"reg", 3 };

enum { REG_ENTRY = 0xE0, REG_CLASS = 0x80, REG_AID = 0x81 };

static struct applet *instantiate(struct card *card, unsigned class_number, struct bytes aid)
{
	struct applet *a = &card->applet[card->applet_count];

	if (card->applet_count == APPLETS_MAX || class_number >= applet_class_count || aid.n > sizeof a->aid)
		return NULL;
	*a = (struct applet){ .class = applet_classes[class_number], .card = card, .aid_len = aid.n };
	if (a->class->transient_len > 0 && (a->transient = calloc(1, a->class->transient_len)) == NULL)
		return NULL;
	memcpy(a->aid, aid.p, aid.n);
	a->view = (struct store_view){ &card->store, name_format("a%zu/", card->applet_count) };
	card->applet_count++;
	return a;
}

void applet_forget(struct applet *a)
{
	if (a->transient != NULL)
		secret_clean(a->transient, a->class->transient_len);
}

void applet_registry_drop(struct card *card)
{
	for (size_t i = 0; i < card->applet_count; i++) {
		applet_forget(&card->applet[i]);
		free(card->applet[i].transient);
	}
	card->applet_count = 0;
}

enum status applet_registry_load(struct card *card)
{
	uint8_t raw[512];
	struct buf b = BUF_OF(raw);
	struct bytes in, class_number, aid;
	struct tlv entry;

	applet_registry_drop(card);
	TRY(store_get(&card->store, registry_name, &b));
	in = buf_bytes(&b);
	while (in.n > 0) {
		TRY(tlv_next(&in, &entry));
		TRY(tlv_find(entry.value, REG_CLASS, &class_number));
		TRY(tlv_find(entry.value, REG_AID, &aid));
		if (instantiate(card, (unsigned)bytes_uint(class_number), aid) == NULL)
			return ERR_MALFORMED;
	}
	return OK;
}

enum status applet_add(struct card *card, unsigned class_number, struct bytes aid, struct bytes parameters)
{
	uint8_t raw[512], entry_raw[64];
	struct buf b = BUF_OF(raw), entry = BUF_OF(entry_raw);
	enum status st = store_get(&card->store, registry_name, &b);
	struct applet *a;

	if (st != OK && st != ERR_NOT_FOUND)
		return st;
	if ((a = instantiate(card, class_number, aid)) == NULL)
		return ERR_NO_SPACE;
	tlv_put_uint(&entry, REG_CLASS, 1, class_number);
	tlv_put(&entry, REG_AID, aid);
	tlv_put(&b, REG_ENTRY, buf_bytes(&entry));
	TRY(buf_status(&b));
	TRY(store_put(&card->store, registry_name, buf_bytes(&b)));
	return a->class->install != NULL ? a->class->install(a, parameters) : OK;
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

enum status applet_get(struct applet *a, struct bytes name, struct secret_large *out)
{
	struct record_name full;

	TRY(view_name(&a->view, name, &full));
	return store_get_large(a->view.store, name_bytes(&full), out);
}

enum status applet_put(struct applet *a, struct bytes name, struct bytes value)
{
	struct record_name full;

	TRY(view_name(&a->view, name, &full));
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

	TRY(view_name(&a->view, name, &full));
	return store_put_now(a->view.store, name_bytes(&full), value);
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
