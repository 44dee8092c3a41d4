/* SPDX-License-Identifier: Apache-2.0 */
/* COMPUTE CODES, ANNOUNCE and MATCH: discovery keys at work (TR 33.833 6.2.1, TS 33.303 6.1.3.4). */
#include <string.h>

#include "apdu/tlv.h"
#include "card/applets/prose/prose.h"
#include "crypto/guarded/discovery.h"

struct discovery_key {
	struct secret_large record;
	struct bytes name, code, application_key;
	struct discovery_keys_33303 keys;
	uint8_t profile, rights;
	uint64_t not_before, not_after, slot_seconds;
};

static void discovery_key_wipe(struct discovery_key *k)
{
	secret_clean(k, sizeof *k);
}

#define DISCOVERY_KEY __attribute__((cleanup(discovery_key_wipe))) struct discovery_key

static enum status parse_payload(struct bytes in, struct discovery_key *k)
{
	struct bytes v;

	TRY(tlv_find(in, DISC_PROFILE, &v));
	if (v.n != 1)
		return ERR_MALFORMED;
	k->profile = v.p[0];
	TRY(tlv_find(in, DISC_RIGHTS, &v));
	if (v.n != 1)
		return ERR_MALFORMED;
	k->rights = v.p[0];
	TRY(tlv_find(in, DISC_SLOT_SECONDS, &v));
	k->slot_seconds = v.n <= 2 ? bytes_uint(v) : 0;
	TRY(tlv_find(in, DISC_CODE, &k->code));
	if (k->slot_seconds < 1 || k->slot_seconds > 3600 || k->code.n < 1 || k->code.n > PROSE_CODE_LEN || k->rights == 0 ||
	        k->rights > (RIGHT_ANNOUNCE | RIGHT_MONITOR))
		return ERR_MALFORMED;
	switch (k->profile) {
	case DISCOVERY_TR_21:
		TRY(tlv_find(in, DISC_APPLICATION_KEY, &k->application_key));
		return k->application_key.n >= DISCOVERY_KEY_MIN ? OK : ERR_DENIED;
	case DISCOVERY_33303:
		TRY(tlv_find(in, DISC_DUSK, &k->keys.dusk));
		TRY(tlv_find(in, DISC_DUIK, &k->keys.duik));
		k->keys.code = k->code;
		return k->keys.dusk.n >= DISCOVERY_KEY_MIN && k->keys.duik.n >= DISCOVERY_KEY_MIN ? OK : ERR_DENIED;
	default: return ERR_MALFORMED;
	}
}

enum status prose_discovery_check(struct bytes payload)
{
	DISCOVERY_KEY k = { 0 };

	TRY(secret_large_set(&k.record, payload));
	return parse_payload(secret_large_bytes(&k.record), &k);
}

static enum status load(struct applet *a, struct bytes record_name, struct discovery_key *k)
{
	struct bytes in, v, w;

	TRY(applet_get(a, record_name, &k->record));
	in = secret_large_bytes(&k->record);
	TRY(tlv_find(in, TAG_NAME, &k->name));
	TRY(tlv_find(in, TAG_NOT_BEFORE, &v));
	TRY(tlv_find(in, TAG_NOT_AFTER, &w));
	k->not_before = bytes_uint(v);
	k->not_after = bytes_uint(w);
	/* The payload stands behind the three. */
	for (int i = 0; i < 3; i++) {
		struct tlv t;

		TRY(tlv_next(&in, &t));
	}
	return parse_payload(in, k);
}

static enum sw usable(const struct discovery_key *k, uint8_t right, uint64_t now)
{
	if ((k->rights & right) == 0)
		return SW_PROSE_RIGHT;
	return k->not_before <= now && now < k->not_after ? SW_OK : SW_PROSE_EXPIRED;
}

static enum status code_of(const struct discovery_key *k, uint64_t slot, uint8_t code[static PROSE_CODE_LEN])
{
	if (k->profile == DISCOVERY_TR_21)
		return discovery_tr21_code(&prose_profile_default, k->application_key, k->code, (uint32_t)slot, code);
	return discovery_33303_code(&prose_profile_default, &k->keys, (uint32_t)slot, code);
}

static bool spend(struct applet *a, uint32_t slots)
{
	struct prose_state *s = prose_state(a);

	if (slots > PROSE_SLOT_BUDGET - s->slots_spent)
		return false;
	s->slots_spent += slots;
	return true;
}

/* Entries of one key: index(2) || slot(8) || code(23) or look-up value(16). */
static enum sw put_codes(struct applet *a, const struct discovery_key *k, unsigned index, uint64_t from, uint64_t to,
        bool announce, size_t *left, struct buf *rsp)
{
	uint8_t code[PROSE_CODE_LEN], lookup[PROSE_LOOKUP_LEN];

	for (uint64_t slot = from / k->slot_seconds; slot <= to / k->slot_seconds; slot++) {
		if (*left == 0)
			return SW_NO_MEMORY;
		(*left)--;
		if (!spend(a, 1))
			return SW_PROSE_BUDGET;
		if (code_of(k, slot, code) != OK || (!announce && discovery_lookup(code, lookup) != OK))
			return SW_TECHNICAL_PROBLEM;
		buf_put_uint(rsp, 2, index);
		buf_put_uint(rsp, 8, slot);
		buf_put(rsp, announce ? BYTES_OF(code) : BYTES_OF(lookup));
	}
	secret_clean(code, sizeof code);
	return SW_OK;
}

struct codes_request {
	struct bytes time, from, to, name, plmn;
};

static enum status codes_request_parse(struct bytes in, struct codes_request *r)
{
	struct tlv t;

	*r = (struct codes_request){ 0 };
	while (in.n > 0) {
		TRY(tlv_next(&in, &t));
		switch (t.tag) {
		case TAG_TIME: TRY(tlv_set_once(&r->time, t.value)); break;
		case TAG_NOT_BEFORE: TRY(tlv_set_once(&r->from, t.value)); break;
		case TAG_NOT_AFTER: TRY(tlv_set_once(&r->to, t.value)); break;
		case TAG_NAME: TRY(tlv_set_once(&r->name, t.value)); break;
		case TAG_PLMN: TRY(tlv_set_once(&r->plmn, t.value)); break;
		default: return ERR_MALFORMED;
		}
	}
	return r->time.n == 8 && r->from.n == 8 && r->to.n == 8 && bytes_uint(r->from) <= bytes_uint(r->to) ? OK
	                                                                                                    : ERR_MALFORMED;
}

static enum permission permission_of(uint8_t right)
{
	return right == RIGHT_ANNOUNCE ? PERMISSION_ANNOUNCE : PERMISSION_MONITOR;
}

/* The PLMN that ANNOUNCE and MATCH may name, then whether it is permitted there. */
static enum sw may(struct command *c, uint8_t right, uint64_t now)
{
	struct bytes plmn = { 0 };
	enum status st = tlv_find(c->data, TAG_PLMN, &plmn);

	return st != OK && st != ERR_NOT_FOUND ? SW_WRONG_DATA : prose_may(c->applet, plmn, permission_of(right), now);
}

/* P1: RIGHT_ANNOUNCE gives codes, RIGHT_MONITOR look-up values, of all usable keys or of the named one. */
enum sw prose_cmd_compute_codes(struct command *c)
{
	struct record_name name = { 0 };
	struct codes_request r;
	unsigned index = 0;
	uint64_t now, from, to;
	size_t left = PROSE_CODES_MAX;
	enum sw sw = SW_OK, named = SW_PROSE_NO_KEY;
	enum status st;

	if (c->p1 != RIGHT_ANNOUNCE && c->p1 != RIGHT_MONITOR)
		return SW_WRONG_P1P2;
	if (codes_request_parse(c->data, &r) != OK)
		return SW_WRONG_DATA;
	from = bytes_uint(r.from);
	to = bytes_uint(r.to);
	if ((st = prose_time_accept(c->applet, bytes_uint(r.time), &now)) != OK)
		return sw_of(st);
	if ((sw = prose_may(c->applet, r.plmn, permission_of(c->p1), now)) != SW_OK)
		return sw;
	if (!prose_time_in_window(c->applet, from) || !prose_time_in_window(c->applet, to))
		return SW_PROSE_TIME;
	while (sw == SW_OK && applet_next(c->applet, BYTES_STR("d/"), name_bytes(&name), &name) == OK) {
		DISCOVERY_KEY k = { 0 };
		enum sw may;

		if ((st = load(c->applet, name_bytes(&name), &k)) != OK)
			return sw_of(st);
		may = usable(&k, c->p1, now);
		if (r.name.n > 0 && bytes_equal(r.name, k.name))
			named = may;
		if (may == SW_OK && (r.name.n == 0 || bytes_equal(r.name, k.name)))
			sw = put_codes(c->applet, &k, index, from, to, c->p1 == RIGHT_ANNOUNCE, &left, c->rsp);
		index++;
	}
	return r.name.n > 0 && named != SW_OK ? named : sw;
}

/* One frame for the slot of the phone's time. tr-2.1 has no MIC: those octets are random. */
enum sw prose_cmd_announce(struct command *c)
{
	DISCOVERY_KEY k = { 0 };
	uint8_t frame[PROSE_FRAME_LEN], digest[DIGEST_LEN];
	struct record_name record;
	struct bytes time, name;
	uint64_t now, t, slot;
	enum status st;
	enum sw sw;

	if (tlv_find(c->data, TAG_TIME, &time) != OK || time.n != 8 || tlv_find(c->data, TAG_NAME, &name) != OK)
		return SW_WRONG_DATA;
	t = bytes_uint(time);
	if ((st = prose_time_accept(c->applet, t, &now)) != OK || (st = prose_digest(&name, 1, digest)) != OK)
		return sw_of(st);
	if ((sw = may(c, RIGHT_ANNOUNCE, now)) != SW_OK)
		return sw;
	record = prose_record_name("d", digest);
	if ((st = load(c->applet, name_bytes(&record), &k)) != OK)
		return st == ERR_NOT_FOUND ? SW_PROSE_NO_KEY : sw_of(st);
	if ((sw = usable(&k, RIGHT_ANNOUNCE, now)) != SW_OK)
		return sw;
	if (!prose_time_in_window(c->applet, t))
		return SW_PROSE_TIME;
	if (!spend(c->applet, 1))
		return SW_PROSE_BUDGET;
	slot = t / k.slot_seconds;
	if (k.profile == DISCOVERY_33303) {
		st = discovery_33303_frame(&prose_profile_default, &k.keys, (uint32_t)slot, frame);
	} else {
		st = rng_fill(c->card->env.rng, frame, sizeof frame);
		frame[0] = DISCOVERY_TYPE_ANNOUNCE;
		frame[PROSE_FRAME_LEN - 1] = (uint8_t)slot;
		if (st == OK)
			st = code_of(&k, slot, frame + 1);
	}
	if (st != OK)
		return sw_of(st);
	tlv_put_uint(c->rsp, TAG_SLOT, 8, slot);
	tlv_put(c->rsp, TAG_FRAME, BYTES_OF(frame));
	return SW_OK;
}

/* Whether the frame is this key's at the slot its low octet names, one slot of tolerance each side. */
static enum status matches(const struct discovery_key *k, uint64_t t, struct bytes frame, uint64_t *slot, bool *match)
{
	uint32_t now = (uint32_t)(t / k->slot_seconds);
	uint32_t counter = discovery_counter(now, frame.p[PROSE_FRAME_LEN - 1]);
	uint8_t code[PROSE_CODE_LEN];

	*match = false;
	/* The counter on the air has 32 bits; time has more. */
	*slot = t / k->slot_seconds + (uint64_t)(int32_t)(counter - now);
	if ((uint32_t)(counter + 1 - now) > 2)
		return OK;
	if (k->profile == DISCOVERY_33303)
		return discovery_33303_check(&prose_profile_default, &k->keys, counter, frame, match);
	TRY(code_of(k, counter, code));
	*match = frame.p[0] == DISCOVERY_TYPE_ANNOUNCE &&
	         secret_equals(BYTES_OF(code), (struct bytes){ frame.p + 1, PROSE_CODE_LEN });
	secret_clean(code, sizeof code);
	return OK;
}

/* Match or no match, never a MIC. With an index only that key is tried. */
enum sw prose_cmd_match(struct command *c)
{
	struct bytes time, frame, only = { 0 };
	struct record_name name = { 0 };
	unsigned index = 0;
	uint64_t now, t, slot;
	enum status st;
	enum sw sw;

	if (tlv_find(c->data, TAG_TIME, &time) != OK || time.n != 8 || tlv_find(c->data, TAG_FRAME, &frame) != OK ||
	        frame.n != PROSE_FRAME_LEN)
		return SW_WRONG_DATA;
	st = tlv_find(c->data, TAG_INDEX, &only);
	if (st != OK && st != ERR_NOT_FOUND)
		return SW_WRONG_DATA;
	t = bytes_uint(time);
	if ((st = prose_time_accept(c->applet, t, &now)) != OK)
		return sw_of(st);
	if ((sw = may(c, RIGHT_MONITOR, now)) != SW_OK)
		return sw;
	if (!prose_time_in_window(c->applet, t))
		return SW_PROSE_TIME;
	for (; applet_next(c->applet, BYTES_STR("d/"), name_bytes(&name), &name) == OK; index++) {
		DISCOVERY_KEY k = { 0 };
		bool match = false;

		if (only.n > 0 && bytes_uint(only) != index)
			continue;
		if ((st = load(c->applet, name_bytes(&name), &k)) != OK)
			return sw_of(st);
		if (usable(&k, RIGHT_MONITOR, now) != SW_OK)
			continue;
		if (!spend(c->applet, 1))
			return SW_PROSE_BUDGET;
		if ((st = matches(&k, t, frame, &slot, &match)) != OK)
			return sw_of(st);
		if (match) {
			tlv_put_uint(c->rsp, TAG_MATCH, 1, 1);
			tlv_put(c->rsp, TAG_NAME, k.name);
			tlv_put_uint(c->rsp, TAG_SLOT, 8, slot);
			return SW_OK;
		}
	}
	tlv_put_uint(c->rsp, TAG_MATCH, 1, 0);
	return SW_OK;
}
