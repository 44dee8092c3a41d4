/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/campaign/worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "apdu/base/hex.h"
#include "ota/packet.h"
#include "ota/sms.h"
#include "provisioning/campaign/clock.h"
#include "provisioning/campaign/scp81.h"

enum { CLAIM = 64, TURN_MS = 500 };

struct worker {
	const struct worker_options *o;
	struct engine *engine;
	struct esme *esme, *receiver; /* receiver: with separate connections */
	struct scp81 *https;
	/* Responses that came and are not in the database yet. */
	struct {
		char from[21];
		size_t len;
		uint8_t data[SMPP_MESSAGE_MAX];
	} answer[ESME_DELIVERED_MAX];
	size_t answers;
};

static void say(const struct worker *w, const char *what)
{
	if (!w->o->quiet)
		(void)fprintf(stderr, "prose-net serve ota: %s\n", what);
}

/* ---- SMPP --------------------------------------------------------------------------------------------------------------- */

static void send_packet(void *context, const struct campaign_packet *p)
{
	struct worker *w = context;
	struct esme_message m = {
		.counter = p->counter, .pid = SMS_PID_USIM_DOWNLOAD, .dcs = SMS_DCS_CLASS_2, .esm_class = ESM_UDHI
	};
	uint64_t now = clock_ms();

	(void)snprintf(m.to, sizeof m.to, "%s", p->msisdn);
	(void)snprintf(m.who, sizeof m.who, "%s", p->iccid);
	m.valid = p->expires > now ? (p->expires - now) / 1000 : 1;
	for (unsigned i = 1; i <= sms_parts(p->packet.n); i++) {
		struct buf b = BUF_OF(m.data);

		if (sms_user_data_part(&b, p->packet, (uint8_t)p->counter, i) != OK)
			return;
		m.len = b.len;
		if (!esme_send(w->esme, &m)) /* cannot be: claim has looked for room */
			return;
	}
}

/* In one transaction, before the centre hears that we have them. */
static bool store_answers(void *context)
{
	struct worker *w = context;
	enum status st = OK;

	if (w->answers == 0)
		return true;
	if (engine_begin(w->engine) != OK) {
		w->answers = 0;
		return false;
	}
	for (size_t i = 0; st == OK && i < w->answers; i++)
		st = engine_answer(
		        w->engine, clock_ms(), w->answer[i].from, (struct bytes){ w->answer[i].data, w->answer[i].len });
	w->answers = 0;
	return engine_end(w->engine, st) == OK;
}

static enum status undeliverable(struct worker *w, const char *iccid, uint64_t counter, const char *why)
{
	TRY(engine_begin(w->engine));
	return engine_end(w->engine, engine_undeliverable(w->engine, clock_ms(), iccid, counter, why));
}

static void on_delivered(void *context, const struct smpp_pdu *p)
{
	struct worker *w = context;
	struct bytes m = p->message;

	if ((p->esm_class & ESM_UDHI) == 0 || !ota_is_response(m) || m.n > sizeof w->answer[0].data)
		return; /* receipts say less than the card's own answer, and ordinary messages nothing */
	if (w->answers == ESME_DELIVERED_MAX && !store_answers(w))
		return; /* left over from a connection that was lost */
	(void)snprintf(w->answer[w->answers].from, sizeof w->answer[0].from, "%s", p->from.digits);
	memcpy(w->answer[w->answers].data, m.p, m.n);
	w->answer[w->answers++].len = m.n;
}

static void on_refused(void *context, const struct esme_message *m, uint32_t status)
{
	struct worker *w = context;

	(void)undeliverable(w, m->who, m->counter, smpp_status_text(status));
}

static enum status claim(struct worker *w, unsigned *count)
{
	size_t room = w->esme != NULL ? esme_room(w->esme) / SMS_PARTS_MAX : 0;

	*count = 0;
	/* What waits here is lost when we die, and costs its cards a round: keep the heap small. */
	if (room == 0 || esme_unsent(w->esme) > w->o->smsc.window)
		return OK;
	return engine_claim(w->engine, clock_ms(), room < CLAIM ? (unsigned)room : CLAIM, send_packet, w, count);
}

/* ---- by hand ------------------------------------------------------------------------------------------------------------ */

enum status worker_messages(struct bytes packet, uint8_t reference, struct buf *out)
{
	for (unsigned i = 1; i <= sms_parts(packet.n); i++) {
		uint8_t raw[SMS_TPDU_MAX];
		char hex[2 * SMS_TPDU_MAX + 1];
		struct buf b = BUF_OF(raw);

		TRY(sms_deliver_part(&b, packet, reference, i));
		buf_put(out, bytes_str(hex_encode(buf_bytes(&b), hex)));
		buf_put_u8(out, '\n');
	}
	return buf_status(out);
}

struct by_hand {
	struct campaign_packet head;
	uint8_t packet[OTA_PACKET_MAX];
	bool there;
};

static void keep_packet(void *context, const struct campaign_packet *p)
{
	struct by_hand *h = context;

	h->head = *p;
	memcpy(h->packet, p->packet.p, p->packet.n);
	h->head.packet.p = h->packet;
	h->there = true;
}

static enum status one_by_hand(struct worker *w, unsigned *count)
{
	static struct by_hand h;
	static char messages[WORKER_MESSAGES_MAX];
	struct buf lines = { (uint8_t *)messages, 0, sizeof messages, false };
	uint8_t raw[512];
	struct buf response = BUF_OF(raw);
	enum status st;

	h.there = false;
	TRY(engine_claim(w->engine, clock_ms(), 1, keep_packet, &h, count));
	if (!h.there)
		return OK;
	if ((st = worker_messages(h.head.packet, (uint8_t)h.head.counter, &lines)) == OK)
		st = courier_ask(w->o->courier, h.head.iccid, buf_bytes(&lines), &response);
	if (st != OK || response.len == 0)
		return undeliverable(w, h.head.iccid, h.head.counter,
		        st != OK ? "the command that delivers it failed" : "the card gave no answer");
	TRY(engine_begin(w->engine));
	return engine_end(w->engine, engine_answer_of(w->engine, clock_ms(), h.head.iccid, buf_bytes(&response)));
}

/* ---- the loop ----------------------------------------------------------------------------------------------------------- */

static enum status step(struct worker *w, uint64_t *turn_at, unsigned *open)
{
	unsigned count = 0;

	if (clock_ms() >= *turn_at) {
		TRY(engine_turn(w->engine, clock_ms(), open));
		*turn_at = clock_ms() + TURN_MS;
	}
	if (w->o->courier != NULL) {
		TRY(one_by_hand(w, &count));
		if (count == 0) {
			*turn_at = 0; /* nothing to do: perhaps the next stage has */
			(void)usleep(50000);
		}
		return OK;
	}
	return claim(w, &count);
}

/* Each change of the link, once. */
static void link_state(const struct worker *w, const char *down, char last[200])
{
	const char *now = down == NULL ? "bound" : down;
	char text[300];

	if (strcmp(now, last) == 0 || strcmp(now, "connecting") == 0)
		return;
	(void)snprintf(last, 200, "%s", now);
	(void)snprintf(
	        text, sizeof text, "%s:%s: %s", w->o->smsc.host != NULL ? w->o->smsc.host : "127.0.0.1", w->o->smsc.port, now);
	say(w, text);
}

static enum status loop(struct worker *w, volatile sig_atomic_t *stop)
{
	uint64_t turn_at = 0;
	unsigned open = 1, failures = 0;
	char link[200] = "";

	while (*stop == 0 && (!w->o->once || open > 0)) {
		enum status st = step(w, &turn_at, &open);

		if (w->receiver != NULL)
			(void)esme_run(w->receiver, 1);
		if (w->https != NULL) /* alone, it is what we wait for */
			scp81_run(w->https, w->esme != NULL ? 0 : 50);
		if (w->esme != NULL)
			link_state(w, esme_run(w->esme, w->receiver != NULL ? 1 : 20), link);
		if (st == OK) {
			failures = 0;
			continue;
		}
		/* A database that was restarted is there again soon; begin finds it. */
		if (failures++ == 0)
			say(w, "the database does not answer; trying again");
		if (failures > 60)
			return ERR_IO;
		(void)usleep(500000);
	}
	return OK;
}

static void open_links(struct worker *w)
{
	const struct esme_handler handler = { w, on_delivered, store_answers, on_refused };
	struct esme_options o = w->o->smsc;

	o.bind = w->o->separate ? SMPP_BIND_TRANSMITTER : SMPP_BIND_TRANSCEIVER;
	w->esme = esme_new(&o, &handler);
	o.bind = SMPP_BIND_RECEIVER;
	if (w->o->separate)
		w->receiver = esme_new(&o, &handler);
}

static bool open_https(struct worker *w, struct db *db)
{
	char reason[200];

	if (w->o->https == NULL)
		return true;
	if ((w->https = scp81_new(db, w->engine, w->o->https, reason, sizeof reason)) == NULL)
		say(w, reason);
	else
		(void)snprintf(reason, sizeof reason, "cards may call port %u", scp81_port(w->https));
	if (w->https != NULL)
		say(w, reason);
	return w->https != NULL;
}

enum status worker_run(struct db *db, const struct worker_options *o, volatile sig_atomic_t *stop)
{
	struct worker *w = calloc(1, sizeof *w);
	enum status st = ERR_NO_SPACE;
	bool ready;

	if (w == NULL)
		return ERR_NO_SPACE;
	w->o = o;
	w->engine = engine_new(db);
	ready = w->engine != NULL && open_https(w, db);
	if (ready && o->smsc.port != NULL) {
		open_links(w);
		ready = w->esme != NULL && (w->receiver != NULL || !o->separate);
	} else if (ready && o->courier != NULL) {
		engine_deliver_by_hand(w->engine);
	}
	if (ready)
		st = loop(w, stop);
	else if (o->https != NULL)
		st = ERR_DENIED;
	scp81_free(&w->https);
	esme_free(&w->esme);
	esme_free(&w->receiver);
	engine_free(&w->engine);
	free(w);
	return st;
}
