/* SPDX-License-Identifier: Apache-2.0 */
#include "card/applets/remote/agent.h"

#include <stdlib.h>
#include <string.h>

#include "apdu/aids.h"
#include "apdu/base/hex.h"
#include "card/applets/domain/domain.h"
#include "card/applets/remote/rfm.h"
#include "crypto/network/tls.h"
#include "ota/http_admin.h"

enum {
	TRIGGER_MAX = 512,
	ANSWER_MAX = 2048,
	SEND_MAX = 200,
	RECEIVE_MAX = 230,
	REQUEST_HEAD_MAX = 1024,
	TIMER = 8,
	SPI1_OF_TLS = 0x16
};

enum phase { CONNECTING, TALKING, COMMITTING, CLOSING, WAITING };

struct agent_session {
	enum phase phase;
	bool asked;  /* a command of this channel is with the terminal */
	bool failed; /* the session was not held: to be tried again */
	bool last;   /* the server has said that it wants no answer */
	uint8_t domain, channel, available;
	uint16_t retries;
	uint32_t runs; /* scripts, as in the record */
	struct admin_trigger t;
	uint8_t trigger[TRIGGER_MAX]; /* memory of t */
	uint8_t uri[ADMIN_URI_MAX], agent[ADMIN_URI_MAX];
	size_t uri_len, agent_len, in_len;
	struct tls *tls;
	struct admin_request request;
	uint8_t answer[ANSWER_MAX]; /* memory of request.answer */
	uint8_t in[ADMIN_HEAD_MAX + ADMIN_BODY_MAX];
};

static const struct bytes runs_name = { (const uint8_t *)"http", 4 };

static struct record_name key_name(uint8_t kvn)
{
	return name_format("psk/%02x", kvn);
}

enum status agent_put_key(struct applet *domain, uint8_t kvn, struct bytes key)
{
	const struct record_name name = key_name(kvn);

	if (kvn < KVN_PSK_FIRST || kvn > KVN_PSK_LAST || key.n < PSK_LEN_MIN || key.n > PSK_LEN_MAX)
		return ERR_MALFORMED;
	return applet_put(domain, name_bytes(&name), key);
}

void agent_end(struct agent_session **s)
{
	if (*s == NULL)
		return;
	tls_free(&(*s)->tls);
	secret_clean(*s, sizeof **s);
	free(*s);
	*s = NULL;
}

/* ---- the channel ---------------------------------------------------------------------------------------------------- */

static enum status ask(struct applet *a, struct agent_session *s, const struct cat_command *c)
{
	s->asked = true;
	return cat_ask(a->card, a, c);
}

static enum status connect_channel(struct applet *a, struct agent_session *s)
{
	SECRET_LARGE key = { 0 };
	const struct record_name name = key_name(s->t.kvn);
	struct cat_command c;

	TRY(applet_get(&a->card->applet[s->domain], name_bytes(&name), &key));
	tls_free(&s->tls);
	if ((s->tls = tls_client(s->t.identity, secret_large_bytes(&key))) == NULL)
		return ERR_NO_SPACE;
	s->phase = CONNECTING;
	s->failed = false;
	s->in_len = 0;
	s->available = 0;
	s->request = (struct admin_request){ .host = s->t.host, .agent = { s->agent, s->agent_len }, .uri = s->t.uri };
	cat_open_channel(&c, s->t.connection);
	return ask(a, s, &c);
}

/* What waits for the server, then what waits for us. */
static enum status pump(struct applet *a, struct agent_session *s)
{
	uint8_t raw[SEND_MAX];
	struct cat_command c;
	size_t n;

	if (s->asked)
		return OK;
	if ((n = tls_output(s->tls, raw, sizeof raw)) > 0) {
		cat_send_data(&c, s->channel, (struct bytes){ raw, n }, !tls_has_output(s->tls));
		return ask(a, s, &c);
	}
	if (s->phase == CLOSING) {
		cat_close_channel(&c, s->channel);
		return ask(a, s, &c);
	}
	if (s->phase == TALKING && s->available > 0) {
		cat_receive_data(&c, s->channel, s->available < RECEIVE_MAX ? s->available : RECEIVE_MAX);
		return ask(a, s, &c);
	}
	return OK;
}

/* Later, if that was asked for. */
static enum status closed(struct applet *a, struct agent_session **session)
{
	struct agent_session *s = *session;
	struct cat_command c;

	s->channel = 0;
	if (s->failed && s->retries > 0) {
		s->retries--;
		s->phase = WAITING;
		cat_timer_management(&c, TIMER_START, TIMER, s->t.delay);
		if (cat_ask(a->card, a, &c) == OK)
			return OK;
	}
	agent_end(session);
	return cat_listen(a->card, a, 0);
}

static enum status close_channel(struct applet *a, struct agent_session **session, bool failed)
{
	struct agent_session *s = *session;

	s->failed = failed;
	if (s->channel == 0)
		return closed(a, session);
	s->phase = CLOSING;
	return pump(a, s);
}

/* ---- scripts -------------------------------------------------------------------------------------------------------- */

/* What the server means, if it belongs to the domain whose key this session has. */
static enum admin_status find_target(struct card *card, const struct agent_session *s, struct bytes aid, struct rfm_target *t)
{
	struct applet *domain = &card->applet[s->domain], *a = aid.n == 0 ? domain : applet_named(card, aid), *keys;
	uint8_t tar[OTA_TAR_LEN];

	if (admin_tar_of_aid(aid, tar)) {
		if (!rfm_target(card, tar, t, &keys))
			return ADMIN_UNKNOWN_APPLICATION;
		return keys == domain_ota_keys(card, domain) ? ADMIN_OK : ADMIN_SECURITY_ERROR;
	}
	if (a == NULL || (a->life & LIFE_LOCKED) != 0)
		return ADMIN_UNKNOWN_APPLICATION;
	if (a->class != &domain_class && a->class != &prose_class)
		return ADMIN_NOT_A_DOMAIN;
	if (a != domain && domain_of(card, a) != domain)
		return ADMIN_SECURITY_ERROR;
	*t = (struct rfm_target){ .kind = a->class == &prose_class ? TARGET_PROSE : TARGET_CARD_MANAGER,
		.all_or_nothing = a->class == &prose_class,
		.msl = a->msl,
		.applet = domain_is_issuer(a) ? NULL : a };
	return ADMIN_OK;
}

static enum status run_script(struct applet *a, struct agent_session *s, const struct admin_answer *r)
{
	struct buf answer = BUF_OF(s->answer);
	struct rfm_target t = { 0 };
	struct cat_command c;
	uint8_t runs[4];
	bool ok;

	s->last = !r->has_next;
	s->uri_len = r->next.n;
	if (r->next.n > 0)
		memcpy(s->uri, r->next.p, r->next.n);
	s->request.uri = (struct bytes){ s->uri, s->uri_len };
	s->request.has_answer = true;
	s->request.etsi = r->etsi;
	s->request.status = find_target(a->card, s, r->target, &t);
	if (s->request.status == ADMIN_OK && !rfm_level_suffices(SPI1_OF_TLS, t.msl))
		s->request.status = ADMIN_SECURITY_ERROR;
	if (s->request.status == ADMIN_OK) {
		t.expanded = true;
		rfm_run_script(a->card, &t, r->script, &ok, &answer);
	}
	s->request.answer = buf_bytes(&answer);
	s->phase = COMMITTING;
	bytes_from_uint(++s->runs, runs, sizeof runs);
	TRY(applet_put(a, runs_name, BYTES_OF(runs)));
	/* The answer waits for the next command: by then this one's changes are durable, or have not been made. */
	cat_more_time(&c);
	return ask(a, s, &c);
}

static enum status send_request(struct applet *a, struct agent_session **session)
{
	struct agent_session *s = *session;
	uint8_t raw[REQUEST_HEAD_MAX + ANSWER_MAX];
	struct buf b = BUF_OF(raw);
	enum status st;

	admin_request_put(&b, &s->request);
	st = b.failed ? ERR_NO_SPACE : tls_write(s->tls, buf_bytes(&b));
	secret_clean(raw, b.len);
	if (st != OK)
		return close_channel(a, session, true);
	s->phase = TALKING;
	return pump(a, s);
}

static enum status after_commit(struct applet *a, struct agent_session **session)
{
	SECRET_LARGE runs = { 0 };
	struct agent_session *s = *session;

	s->in_len = 0;
	if (applet_get(a, runs_name, &runs) != OK || bytes_uint(secret_large_bytes(&runs)) != s->runs)
		return close_channel(a, session, true);
	return s->last ? close_channel(a, session, false) : send_request(a, session);
}

/* ---- what comes ----------------------------------------------------------------------------------------------------- */

static enum status received(struct applet *a, struct agent_session **session, struct bytes data)
{
	struct agent_session *s = *session;
	bool was_ready = tls_ready(s->tls);
	struct admin_answer r;
	enum status st, over = tls_receive(s->tls, data);
	size_t n;

	if (!was_ready && tls_ready(s->tls) && over == OK)
		return send_request(a, session);
	while ((n = tls_read(s->tls, s->in + s->in_len, sizeof s->in - s->in_len)) > 0)
		s->in_len += n;
	if (s->in_len == 0)
		return over == OK ? pump(a, s) : close_channel(a, session, true);
	if ((st = admin_answer_take(s->in, s->in_len, &r)) == ERR_TRUNCATED && over == OK && s->in_len < sizeof s->in)
		return pump(a, s);
	if (st == OK && r.status == 200)
		return run_script(a, s, &r);
	return close_channel(a, session, st != OK || r.status != 204);
}

static enum status answered(struct applet *a, struct agent_session **session, const struct cat_event *e)
{
	struct agent_session *s = *session;
	bool done = e->result < RESULT_BUSY;
	struct bytes data, left;

	s->asked = false;
	if (e->type != CAT_OPEN_CHANNEL && e->type != CAT_CLOSE_CHANNEL && s->channel == 0)
		return close_channel(a, session, true); /* it was lost meanwhile */
	switch (e->type) {
	case CAT_OPEN_CHANNEL:
		s->channel = e->channel;
		s->phase = TALKING;
		return e->channel != 0 ? pump(a, s) : close_channel(a, session, true);
	case CAT_SEND_DATA: return done ? pump(a, s) : close_channel(a, session, true);
	case CAT_RECEIVE_DATA:
		if (!done || !cat_find(e->tlvs, CAT_TAG_CHANNEL_DATA, &data) ||
		        !cat_find(e->tlvs, CAT_TAG_CHANNEL_DATA_LENGTH, &left) || left.n != 1 || data.n == 0)
			return close_channel(a, session, true);
		s->available = left.p[0];
		return received(a, session, data);
	case CAT_MORE_TIME: return s->phase == COMMITTING ? after_commit(a, session) : OK;
	case CAT_CLOSE_CHANNEL: return closed(a, session);
	default: return OK;
	}
}

static enum status heard(struct applet *a, struct agent_session **session, const struct cat_event *e)
{
	struct agent_session *s = *session;
	struct bytes left;

	if (e->number == EVENT_CHANNEL_STATUS && e->channel == s->channel && s->channel != 0) {
		s->channel = 0; /* the link is gone */
		return s->asked ? OK : close_channel(a, session, s->phase != CLOSING);
	}
	if (e->number != EVENT_DATA_AVAILABLE || !cat_find(e->tlvs, CAT_TAG_CHANNEL_DATA_LENGTH, &left) || left.n != 1)
		return OK;
	s->available = left.p[0];
	return s->phase == TALKING ? pump(a, s) : OK;
}

void agent_event(struct applet *a, struct agent_session **session, const struct cat_event *e)
{
	enum status st = OK;

	if (*session == NULL)
		return;
	if (e->kind == CAT_EVENT)
		st = heard(a, session, e);
	else if (e->kind == CAT_TIMER && e->number == TIMER && (*session)->phase == WAITING)
		st = connect_channel(a, *session);
	else if (e->kind == CAT_ANSWER && e->type == CAT_TIMER_MANAGEMENT && (*session)->phase == WAITING)
		st = e->result < RESULT_BUSY ? OK : ERR_IO; /* a terminal without timers: no second try */
	else if (e->kind == CAT_ANSWER && e->type != CAT_SEND_SHORT_MESSAGE)
		st = answered(a, session, e);
	if (st != OK) /* no room in the queue, no memory: what a script did stays, and the server asks again */
		agent_end(session);
}

/* "//se-id/eid/CARD;//aa-id/aid/RID/PIX" of the domain, where the server has not given the card a name. */
static enum status own_name(struct applet *a, struct agent_session *s, const struct applet *domain)
{
	struct buf b = BUF_OF(s->agent);
	char id[2 * CARD_ID_LEN + 1];

	if (s->t.agent.n > 0) {
		buf_put(&b, s->t.agent);
	} else {
		buf_put(&b, BYTES_STR("//se-id/eid/"));
		buf_put(&b, bytes_str(hex_encode(BYTES_OF(a->card->env.card_id), id)));
		buf_put(&b, BYTES_STR(";//aa-id/"));
		admin_aid_put(&b, (struct bytes){ domain->aid, domain->aid_len });
	}
	s->agent_len = b.len;
	return buf_status(&b);
}

static enum status begin(struct applet *a, struct agent_session *s, struct applet *domain)
{
	SECRET_LARGE runs = { 0 };

	s->domain = applet_slot(domain);
	s->retries = s->t.retries;
	if (applet_get(a, runs_name, &runs) == OK)
		s->runs = (uint32_t)bytes_uint(secret_large_bytes(&runs));
	TRY(own_name(a, s, domain));
	TRY(cat_listen(a->card, a, 1U << EVENT_DATA_AVAILABLE | 1U << EVENT_CHANNEL_STATUS));
	return connect_channel(a, s);
}

enum sw agent_call(struct applet *a, struct agent_session **session, struct applet *domain, struct bytes trigger)
{
	struct agent_session *s;
	enum status st;

	if (*session != NULL)
		return SW_CONDITIONS_NOT_SATISFIED; /* one at a time */
	if (trigger.n > TRIGGER_MAX || (s = calloc(1, sizeof *s)) == NULL)
		return SW_NO_MEMORY;
	memcpy(s->trigger, trigger.p, trigger.n);
	if ((st = admin_trigger_parse((struct bytes){ s->trigger, trigger.n }, &s->t)) == OK)
		st = begin(a, s, domain);
	*session = s;
	if (st == OK)
		return SW_OK;
	agent_end(session);
	return st == ERR_NOT_FOUND ? SW_REFERENCE_NOT_FOUND : sw_of(st);
}
