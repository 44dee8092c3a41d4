/* SPDX-License-Identifier: Apache-2.0 */
/* Remote management over the air: secured packets by SMS-PP (TS 102 225, 31.115). Before the MAC is right every failure gives
 * one answer, RSC 06 unsecured in the delivery report, or none, after the same number of block cipher calls; the counter is
 * durable before the first command. */
#include <string.h>

#include "apdu/aids.h"
#include "apdu/birth.h"
#include "apdu/tlv.h"
#include "card/applets/remote/agent.h"
#include "card/applets/remote/rfm.h"
#include "ota/cell_broadcast.h"
#include "ota/http_admin.h"
#include "ota/script.h"

enum { ANSWER_MAX = 1200, REPORT_MAX = 140, PART_SECONDS = 600, PART_TIMER = 7 };
/* A CC of four octets could be guessed: never without a limit. */
enum { SHORT_CC_LEN = 4, SHORT_CC_FAILURES = 0x10000 };
/* Writes a power-on for counts of wrong MACs on which nothing hangs. */
enum { COUNTED_MAX = 100 };

struct rfm_state {
	struct sms_assembly assembly;
	uint8_t reference;             /* of the last answer in several short messages */
	uint16_t submits, counted;     /* since power-on: SMS-SUBMITs and writes that strangers have caused */
	struct agent_session *session; /* NULL: none */
	/* A message whose parts have not all come is forgotten after PART_SECONDS, where the terminal has timers. */
	bool timing;
	uint16_t timed; /* reference of the message that was there when the timer began */
};

static enum status rfm_install(struct applet *a, struct bytes parameters)
{
	struct ota_keys k = { .kic_type = KEY_AES, .kid_type = KEY_AES };
	struct bytes kvn;
	struct tlv t;

	TRY(tlv_find(parameters, BIRTH_OTA_KVN, &kvn));
	TRY(tlv_find(parameters, BIRTH_OTA_KIC, &k.kic));
	TRY(tlv_find(parameters, BIRTH_OTA_KID, &k.kid));
	k.kvn = kvn.n == 1 ? kvn.p[0] : 0;
	TRY(rfm_keys_put(a, &k));
	while (parameters.n > 0) {
		TRY(tlv_next(&parameters, &t));
		if (t.tag == BIRTH_OTA_POLICY)
			TRY(applet_put(a, BYTES_STR("policy"), t.value));
		if (t.tag != BIRTH_OTA_KEY_SET)
			continue;
		TRY(rfm_keys_parse(t.value, &k));
		TRY(rfm_keys_put(a, &k));
	}
	return OK;
}

/* One packet on its way through the card. */
struct delivery {
	struct applet *applet;
	bool known; /* the TAR */
	struct rfm_target target;
	struct applet *keys_of; /* where its domain's key sets are */
	struct ota_command command;
	struct secret_large plain;
	struct rfm_keys keys;
	struct rfm_policy policy;
	uint32_t limit;       /* of the key set's wrong MACs; 0: none, or no such key set */
	struct bytes address; /* where an SMS-SUBMIT goes: nothing covers it */
	bool unanswered;      /* a cell broadcast: a whole area would answer (31.115 clause 5) */
	bool fresh;           /* the MAC is right and the counter is new: not a stranger's */
};

static bool por_wanted(const struct delivery *d, bool error)
{
	if (d->unanswered)
		return false;
	switch (d->command.spi2 & SPI2_POR) {
	case SPI2_POR_ALWAYS: return true;
	case SPI2_POR_ON_ERROR: return error;
	default: return false;
	}
}

/* By SMS-SUBMIT: the terminal fetches as many SEND SHORT MESSAGE as the answer takes. */
static enum sw submit(struct delivery *d, struct bytes response)
{
	struct rfm_state *state = d->applet->transient;
	unsigned parts = sms_parts(response.n - 3);

	state->reference++;
	for (unsigned i = 1; i <= parts; i++) {
		uint8_t raw[SMS_TPDU_MAX];
		struct buf b = BUF_OF(raw);
		struct cat_command c;

		if (sms_submit_part(&b, d->address, response, state->reference, i) != OK)
			return SW_TECHNICAL_PROBLEM;
		cat_send_short_message(&c, buf_bytes(&b));
		if (cat_ask(d->applet->card, d->applet, &c) != OK)
			return SW_OK; /* the queue is full: the server will ask again */
	}
	return SW_OK;
}

/* A stranger may write what he likes, or send again what he has heard: that the card then pays for a short message to the
 * number that he has chosen is policy, and limited. */
static bool may_submit(struct delivery *d)
{
	struct rfm_state *state = d->applet->transient;

	if (d->fresh)
		return true;
	if (state->submits >= d->policy.submits)
		return false;
	state->submits++;
	return true;
}

static enum sw answer(struct delivery *d, const struct ota_keys *keys, enum ota_rsc rsc, struct bytes data, struct buf *rsp)
{
	struct ota_response r = { .rsc = (uint8_t)rsc, .counter = d->command.counter, .data = data };
	uint8_t raw[ANSWER_MAX];
	struct buf b = BUF_OF(raw);
	enum status st;

	memcpy(r.tar, d->command.tar, sizeof r.tar);
	if ((st = ota_response_build(keys, keys != NULL ? d->command.spi2 : 0, &r, &b)) != OK)
		return sw_of(st);
	if ((d->command.spi2 & SPI2_POR_SUBMIT) != 0 && may_submit(d))
		return submit(d, buf_bytes(&b));
	if (b.len > REPORT_MAX) { /* a delivery report has no room for it (31.115 clause 4) */
		const bool later = may_submit(d);

		r.rsc = later ? (uint8_t)RSC_BY_SUBMIT : r.rsc;
		r.data = (struct bytes){ 0 };
		if ((st = ota_response_build(keys, d->command.spi2, &r, rsp)) != OK)
			return sw_of(st);
		return later ? submit(d, buf_bytes(&b)) : SW_OK;
	}
	buf_put(rsp, buf_bytes(&b));
	return SW_OK;
}

/* Memory wears out: where no limit hangs on the count, strangers write it so often a power-on and no more. */
static enum status count_failure(struct delivery *d, uint8_t kvn)
{
	struct rfm_state *state = d->applet->transient;
	uint32_t count;

	if (d->limit == 0 && state->counted == COUNTED_MAX)
		return OK;
	if (d->limit == 0)
		state->counted++;
	return rfm_failures(d->keys_of, kvn, true, &count);
}

/* One answer for everything that is wrong before the MAC is right, and it is counted. */
static enum sw refuse(struct delivery *d, uint8_t kvn, struct buf *rsp)
{
	d->command.counter = 0;
	if (count_failure(d, kvn) != OK)
		return SW_MEMORY_PROBLEM;
	if (d->policy.silent || !por_wanted(d, true))
		return SW_OK;
	return answer(d, NULL, RSC_SECURITY_ERROR, (struct bytes){ 0 }, rsp);
}

/* The key set that the header names, if its packets may be looked at; the MAC decides the rest. */
static bool open_packet(struct delivery *d, struct bytes packet, uint8_t *kvn)
{
	const struct rfm_policy *policy = &d->policy;
	uint32_t failures = 0, limit;
	bool usable;

	*kvn = d->command.kid >> 4;
	usable = (d->command.spi1 & SPI1_INTEGRITY) == SPI1_CC && rfm_keys_load(d->keys_of, *kvn, &d->keys) == OK;
	if (!usable)
		*kvn = 0;
	usable = usable && ota_command_fault(&d->keys.keys, &d->command) == NULL &&
	         rfm_failures(d->keys_of, *kvn, false, &failures) == OK;
	limit = policy->max_failures == 0 && usable && d->keys.keys.cc_len == SHORT_CC_LEN ? SHORT_CC_FAILURES
	                                                                                   : policy->max_failures;
	usable = usable && (limit == 0 || failures < limit);
	d->limit = usable ? limit : 0;
	if (!usable) {
		ota_command_pretend(packet, &d->plain);
		return false;
	}
	return ota_command_open(&d->keys.keys, packet, &d->plain, &d->command) == OK;
}

/* For a security domain: not a script, but an order to call the server. */
static bool is_trigger(const struct delivery *d)
{
	return d->target.kind == TARGET_CARD_MANAGER && d->command.data.n > 0 && d->command.data.p[0] == ADMIN_TAG_TRIGGER;
}

static void call(struct delivery *d, bool *ok, struct buf *data)
{
	struct rfm_state *state = d->applet->transient;
	struct applet *domain =
	        d->target.applet != NULL ? d->target.applet : applet_by_aid(d->applet->card, BYTES_STR(AID_ISD));
	enum sw sw = domain != NULL ? agent_call(d->applet, &state->session, domain, d->command.data) : SW_FILE_NOT_FOUND;

	*ok = sw == SW_OK;
	script_result_put(data, &(struct script_result){ .executed = 1, .sw = (uint16_t)sw });
}

static enum sw run_packet(struct delivery *d, uint8_t kvn, struct buf *rsp)
{
	uint8_t raw[ANSWER_MAX];
	struct buf data = BUF_OF(raw);
	enum ota_rsc rsc;
	enum status st;
	bool ok = true;

	if ((st = rfm_counter_accept(d->keys_of, kvn, d->command.spi1, d->command.counter, &rsc)) != OK)
		return sw_of(st);
	d->fresh = rsc == RSC_OK && (d->command.spi1 & SPI1_COUNTER) >= SPI1_COUNTER_HIGHER;
	if (rsc == RSC_OK && !d->known)
		rsc = RSC_TAR_UNKNOWN;
	if (rsc == RSC_OK && !rfm_level_suffices(d->command.spi1, d->target.msl))
		rsc = RSC_LEVEL_TOO_LOW;
	if (rsc == RSC_OK && is_trigger(d))
		call(d, &ok, &data);
	else if (rsc == RSC_OK)
		rfm_run_script(d->applet->card, &d->target, d->command.data, &ok, &data);
	if (!por_wanted(d, rsc != RSC_OK || !ok))
		return SW_OK;
	return answer(d, &d->keys.keys, rsc, buf_bytes(&data), rsp);
}

static void delivery_wipe(struct delivery *d)
{
	secret_large_wipe(&d->plain);
	rfm_keys_wipe(&d->keys);
}

static void time_parts(struct applet *a)
{
	struct rfm_state *state = a->transient;
	struct cat_command c;

	if (state->timing || !a->card->terminal_profile)
		return;
	cat_timer_management(&c, TIMER_START, PART_TIMER, PART_SECONDS);
	state->timing = cat_ask(a->card, a, &c) == OK;
	state->timed = state->assembly.reference;
}

static void parts_are_late(struct applet *a)
{
	struct rfm_state *state = a->transient;

	state->timing = false;
	if (state->assembly.have == 0)
		return;
	if (state->assembly.reference == state->timed)
		state->assembly = (struct sms_assembly){ 0 };
	else
		time_parts(a);
}

static enum sw rfm_envelope(struct applet *a, uint8_t tag, struct bytes data, struct buf *rsp)
{
	__attribute__((cleanup(delivery_wipe))) struct delivery d = { .applet = a };
	const bool broadcast = tag == CAT_TAG_CELL_BROADCAST;
	struct rfm_state *state = a->transient;
	struct sms_part part;
	struct bytes packet;
	enum status st;
	uint8_t kvn;

	if ((broadcast ? cb_page_parse(data, &part) : sms_deliver_parse(data, &part)) != OK)
		return SW_WRONG_DATA;
	if ((st = sms_assemble(&state->assembly, &part, &packet)) == ERR_NOT_FOUND) {
		time_parts(a); /* the rest is on its way */
		return SW_OK;
	}
	if (st != OK || (broadcast && cb_packet_end(&packet) != OK) || ota_command_peek(packet, &d.command) != OK)
		return SW_WRONG_DATA;
	d.unanswered = broadcast;
	if ((st = rfm_policy(a, &d.policy)) != OK)
		return sw_of(st);
	d.address = part.address;
	d.known = rfm_target(a->card, d.command.tar, &d.target, &d.keys_of);
	if (!open_packet(&d, packet, &kvn))
		return refuse(&d, kvn, rsp);
	return run_packet(&d, kvn, rsp);
}

static enum status rfm_toolkit(struct applet *a, const struct cat_event *e)
{
	struct rfm_state *state = a->transient;

	if (e->kind == CAT_TIMER && e->number == PART_TIMER)
		parts_are_late(a);
	else
		agent_event(a, &state->session, e);
	return OK;
}

static void rfm_forget(struct applet *a)
{
	struct rfm_state *state = a->transient;

	agent_end(&state->session);
}

const struct applet_class rfm_class = {
	.name = "RFM",
	.transient_len = sizeof(struct rfm_state),
	.install = rfm_install,
	.forget = rfm_forget,
	.toolkit = rfm_toolkit,
	.envelope = rfm_envelope,
};
