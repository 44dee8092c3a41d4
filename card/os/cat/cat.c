/* SPDX-License-Identifier: Apache-2.0 */
#include "card/os/cat/cat.h"

#include <string.h>

#include "apdu/files.h"
#include "apdu/tlv.h"
#include "card/os/card.h"
#include "card/os/commands.h"

enum { NUMBER_MAX = 0xFE, ENTRY_HEAD = 2 };

void cat_reset(struct cat *cat)
{
	*cat = (struct cat){ .next_number = 1 };
}

size_t cat_waiting(const struct cat *cat)
{
	return cat->len > 0 && !cat->fetched ? cat->queue[1] : 0;
}

bool cat_find(struct bytes tlvs, uint8_t tag, struct bytes *value)
{
	bool found = false;
	struct tlv t;

	while (tlvs.n > 0) {
		if (tlv_next(&tlvs, &t) != OK)
			return false;
		if ((t.tag | CAT_COMPREHENSION) != tag)
			continue;
		if (found)
			return false;
		*value = t.value;
		found = true;
	}
	return found;
}

static enum status queue(struct cat *cat, uint8_t owner, const struct cat_command *c)
{
	uint8_t body_raw[CAT_COMMAND_MAX], raw[CAT_COMMAND_MAX];
	struct buf body = BUF_OF(body_raw), b = BUF_OF(raw);

	tlv_put(&body, CAT_TAG_DETAILS, (struct bytes){ (const uint8_t[]){ cat->next_number, c->type, c->qualifier }, 3 });
	tlv_put(&body, CAT_TAG_DEVICES, (struct bytes){ (const uint8_t[]){ DEVICE_UICC, c->to }, 2 });
	buf_put(&body, buf_bytes(&c->tlvs));
	tlv_put(&b, CAT_TAG_PROACTIVE, buf_bytes(&body));
	if (c->tlvs.failed || body.failed || b.failed || sizeof cat->queue - cat->len < ENTRY_HEAD + b.len)
		return ERR_NO_SPACE;
	cat->queue[cat->len++] = owner;
	cat->queue[cat->len++] = (uint8_t)b.len;
	memcpy(cat->queue + cat->len, raw, b.len);
	cat->len += b.len;
	cat->next_number = cat->next_number == NUMBER_MAX ? 1 : (uint8_t)(cat->next_number + 1);
	return OK;
}

static uint8_t number_of(const struct card *card, const struct applet *a)
{
	return a != NULL ? (uint8_t)(a - card->applet) : CAT_NOBODY;
}

/* A timer or channel that is nobody's or this applet's. */
static bool may_use(uint8_t owner, uint8_t applet)
{
	return owner == 0 || owner == applet + 1;
}

enum status cat_ask(struct card *card, struct applet *a, const struct cat_command *c)
{
	struct cat *cat = &card->cat;
	uint8_t applet = number_of(card, a);
	struct bytes id;

	if (c->type == CAT_TIMER_MANAGEMENT) {
		if (!cat_find(buf_bytes(&c->tlvs), CAT_TAG_TIMER, &id) || id.n != 1 || id.p[0] < 1 || id.p[0] > CAT_TIMERS)
			return ERR_MALFORMED;
		if (applet == CAT_NOBODY || !may_use(cat->timer_owner[id.p[0]], applet))
			return ERR_DENIED;
		TRY(queue(cat, applet, c));
		if (c->qualifier == TIMER_START)
			cat->timer_owner[id.p[0]] = (uint8_t)(applet + 1);
		return OK;
	}
	if (c->to > DEVICE_CHANNEL_0 && c->to <= DEVICE_CHANNEL_0 + CAT_CHANNELS &&
	        (applet == CAT_NOBODY || cat->channel_owner[c->to - DEVICE_CHANNEL_0] != applet + 1))
		return ERR_DENIED;
	return queue(cat, applet, c);
}

enum status cat_listen(struct card *card, struct applet *a, uint32_t events)
{
	struct cat *cat = &card->cat;
	struct cat_command c;
	uint32_t all = 0;

	if (a == NULL)
		return ERR_BUG; /* somebody must be there to hear */
	cat->events[number_of(card, a)] = events;
	for (size_t i = 0; i < CAT_OWNERS; i++)
		all |= cat->events[i];
	cat_set_up_event_list(&c, all);
	return cat_ask(card, NULL, &c);
}

/* 3F00, then the DFs down to the file; 7FFF stands for the application. */
static void put_path(const struct file_system *fs, uint8_t index, struct buf *out)
{
	if (index == FILE_MF) {
		buf_put_uint(out, 2, fs->file[FILE_MF].fid);
		return;
	}
	put_path(fs, fs->file[index].parent, out);
	buf_put_uint(out, 2, fs->file[index].type == FILE_ADF ? FID_CURRENT_ADF : fs->file[index].fid);
}

enum status cat_refresh(struct card *card, enum refresh_mode mode, struct bytes files)
{
	uint8_t list_raw[CAT_COMMAND_MAX];
	struct buf list = BUF_OF(list_raw);
	struct cat_command c;

	cat_command_init(&c, CAT_REFRESH, (uint8_t)mode, DEVICE_TERMINAL);
	if (mode == REFRESH_FILE_CHANGE) {
		buf_put_u8(&list, (uint8_t)files.n);
		for (size_t i = 0; i < files.n; i++)
			put_path(&card->fs, files.p[i], &list);
		tlv_put(&c.tlvs, CAT_TAG_FILE_LIST, buf_bytes(&list));
		if (list.failed || c.tlvs.failed)
			return cat_refresh(card, REFRESH_INIT_AND_FULL_FILE_CHANGE, (struct bytes){ 0 });
	}
	return cat_ask(card, NULL, &c);
}

static enum status tell(struct card *card, size_t applet, const struct cat_event *e)
{
	struct store_mark before = store_savepoint(&card->store);
	enum status st = OK;

	if (applet < card->applet_count && card->applet[applet].class->toolkit != NULL)
		st = card->applet[applet].class->toolkit(&card->applet[applet], e);
	if (st != OK)
		store_rollback_to(&card->store, before);
	return st;
}

/* The capabilities of a terminal (TS 102 223 5.2) let proactive commands begin. */
enum sw cmd_terminal_profile(struct command *c)
{
	const struct cat_event e = { .kind = CAT_PROFILE_DOWNLOAD, .tlvs = c->data };
	bool first = !c->card->terminal_profile;

	c->card->terminal_profile = true;
	for (size_t i = 0; first && i < c->card->applet_count; i++)
		if (tell(c->card, i, &e) != OK)
			return SW_OK; /* a toolkit that cannot begin is no reason to refuse the terminal */
	return SW_OK;
}

/* A terminal that lost the answer may fetch again until it has responded. */
enum sw cmd_fetch(struct command *c)
{
	struct cat *cat = &c->card->cat;

	if (cat->len == 0 || !c->card->terminal_profile)
		return SW_CONDITIONS_NOT_SATISFIED;
	if (c->ne != 256 && c->ne != cat->queue[1])
		return (enum sw)(SW_WRONG_LE | cat->queue[1]);
	buf_put(c->rsp, (struct bytes){ cat->queue + ENTRY_HEAD, cat->queue[1] });
	cat->fetched = true;
	return SW_OK;
}

/* The channel that a channel status names, and whether its link is established. */
static uint8_t channel_in(struct bytes tlvs, bool *up)
{
	struct bytes status;
	uint8_t channel;

	*up = false;
	if (!cat_find(tlvs, CAT_TAG_CHANNEL_STATUS, &status) || status.n != 2)
		return 0;
	channel = status.p[0] & 7;
	*up = (status.p[0] & 0x80) != 0;
	return channel;
}

/* What the answer to a command changes of who owns what. */
static void note_answer(struct cat *cat, uint8_t owner, uint8_t to, struct cat_event *e, struct bytes command)
{
	bool done = e->result < RESULT_BUSY, up;
	struct bytes id;

	e->channel = channel_in(e->tlvs, &up);
	if (e->type == CAT_OPEN_CHANNEL && done && up && e->channel != 0 && cat->channel_owner[e->channel] == 0)
		cat->channel_owner[e->channel] = (uint8_t)(owner + 1);
	else if (e->type == CAT_OPEN_CHANNEL)
		e->channel = 0;
	if (e->type == CAT_CLOSE_CHANNEL && done)
		cat->channel_owner[to - DEVICE_CHANNEL_0] = 0;
	if (e->type == CAT_TIMER_MANAGEMENT && cat_find(command, CAT_TAG_TIMER, &id) &&
	        (done ? e->qualifier == TIMER_DEACTIVATE : e->qualifier == TIMER_START))
		cat->timer_owner[id.p[0]] = 0;
}

/* Only the answer to the command that was fetched ends it; anything else changes nothing. */
enum sw cmd_terminal_response(struct command *c)
{
	struct cat *cat = &c->card->cat;
	struct bytes details, result, whole = { cat->queue + ENTRY_HEAD, cat->queue[1] }, sent, devices;
	struct cat_event e = { .kind = CAT_ANSWER, .tlvs = c->data };
	uint8_t owner = cat->queue[0];
	struct tlv outer;

	if (cat->len == 0 || !cat->fetched)
		return SW_CONDITIONS_NOT_SATISFIED;
	if (tlv_next(&whole, &outer) != OK || !cat_find(outer.value, CAT_TAG_DETAILS, &sent) ||
	        !cat_find(outer.value, CAT_TAG_DEVICES, &devices))
		return SW_TECHNICAL_PROBLEM;
	if (!cat_find(c->data, CAT_TAG_DETAILS, &details) || !cat_find(c->data, CAT_TAG_RESULT, &result) || result.n < 1 ||
	        !bytes_equal(details, sent))
		return SW_WRONG_DATA;
	e.type = sent.p[1];
	e.qualifier = sent.p[2];
	e.result = result.p[0];
	note_answer(cat, owner, devices.p[1], &e, outer.value);
	cat->fetched = false;
	cat->len -= (size_t)ENTRY_HEAD + cat->queue[1];
	memmove(cat->queue, cat->queue + ENTRY_HEAD + cat->queue[1], cat->len);
	(void)!tell(c->card, owner, &e);
	return SW_OK;
}

/* Each applet that listens hears an event; a timer's end is for the one that started it. */
enum sw cat_envelope(struct card *card, uint8_t tag, struct bytes tlvs)
{
	struct cat *cat = &card->cat;
	struct cat_event e = { .kind = tag == CAT_TAG_TIMER_EXPIRATION ? CAT_TIMER : CAT_EVENT, .tlvs = tlvs };
	struct bytes id;
	uint8_t owner;
	bool up;

	if (!cat_find(tlvs, tag == CAT_TAG_TIMER_EXPIRATION ? CAT_TAG_TIMER : CAT_TAG_EVENT_LIST, &id) || id.n != 1)
		return SW_WRONG_DATA;
	e.number = id.p[0];
	if (e.kind == CAT_TIMER) {
		if (e.number < 1 || e.number > CAT_TIMERS || (owner = cat->timer_owner[e.number]) == 0)
			return SW_CONDITIONS_NOT_SATISFIED; /* a timer that nobody started */
		cat->timer_owner[e.number] = 0;
		(void)!tell(card, owner - 1U, &e);
		return SW_OK;
	}
	e.channel = channel_in(tlvs, &up);
	if (e.number == EVENT_CHANNEL_STATUS && !up && e.channel != 0) {
		owner = cat->channel_owner[e.channel];
		cat->channel_owner[e.channel] = 0; /* the link is gone */
		if (owner != 0 && (cat->events[owner - 1] >> e.number & 1) != 0)
			(void)!tell(card, owner - 1U, &e);
		return SW_OK;
	}
	for (size_t i = 0; i < CAT_OWNERS && e.number < EVENTS_MAX; i++)
		if ((cat->events[i] >> e.number & 1) != 0 &&
		        (e.number != EVENT_DATA_AVAILABLE || (e.channel != 0 && cat->channel_owner[e.channel] == i + 1)))
			(void)!tell(card, i, &e);
	return SW_OK;
}
