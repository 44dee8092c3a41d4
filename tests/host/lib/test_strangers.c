/* SPDX-License-Identifier: Apache-2.0 */
/* What strangers can send to a phone ends nothing and spends nothing of the card's. */
#include <string.h>

#include "apdu/ins.h"
#include "apdu/prose.h"
#include "apdu/tlv.h"
#include "crypto/common/eap_keys.h"
#include "crypto/common/lookup.h"
#include "host/lib/eap/eap_message.h"
#include "host/lib/prose-ue.h"
#include "tests/support/support.h"

enum { FORGERIES = 100, SLOT = 1000, FULL_KEY = 0x5A };

/* A card with one code in its index, to which no frame's MIC is right; it answers AUTHENTICATE with 5A everywhere. */
struct scripted {
	struct bytes lookup;
	unsigned matches; /* how often it was asked */
	bool right;
};

static void answer(struct scripted *s, uint8_t ins, struct buf *b)
{
	uint8_t raw[64];
	struct buf entry = BUF_OF(raw);

	if (ins == INS_MANAGE_CHANNEL)
		buf_put(b, BYTES_STR("\1"));
	if (ins == INS_PROSE_COMPUTE_CODES) {
		buf_put_uint(&entry, 2, 0);
		buf_put_uint(&entry, 8, SLOT);
		buf_put(&entry, s->lookup);
		buf_put(b, buf_bytes(&entry));
	}
	if (ins == INS_PROSE_MATCH) {
		s->matches++;
		tlv_put_uint(b, TAG_MATCH, 1, s->right);
		tlv_put(b, TAG_NAME, BYTES_STR("alice"));
	}
	if (ins == INS_AUTHENTICATE) {
		memset(raw, FULL_KEY, sizeof raw);
		buf_put(b, BYTES_STR("\xDB\x08"));
		buf_put(b, (struct bytes){ raw, 8 });
		for (int i = 0; i < 2; i++) {
			buf_put_u8(b, 16);
			buf_put(b, (struct bytes){ raw, 16 });
		}
	}
}

static enum prose_result transmit(void *context, const uint8_t *c, size_t c_len, uint8_t *r, size_t *n)
{
	struct buf b = { r, 0, *n, false };

	if (c_len > 1)
		answer(context, c[1], &b);
	buf_put(&b, BYTES_STR("\x90\0"));
	*n = b.len;
	return PROSE_OK;
}

static void close_nothing(void *context)
{
	(void)context;
}

static struct prose_card *scripted_card(struct scripted *s)
{
	struct prose_card *c;

	ck_assert_int_eq(
	        prose_card_open((struct prose_transport){ s, transmit, NULL, NULL, NULL, close_nothing }, NULL, &c), PROSE_OK);
	return c;
}

/* Copies of a frame with other MICs: after a few of them the card is not asked any more in this slot, and asked again in the
 * next. */
START_TEST(forged_frames_do_not_spend_the_cards_budget)
{
	uint8_t frame[PROSE_FRAME] = { 0x41, 1, 2, 3 }, lookup[DISCOVERY_LOOKUP_LEN];
	struct scripted s = { { lookup, PROSE_LOOKUP_LEN }, 0, false };
	struct prose_card *c = scripted_card(&s);
	struct prose_watch *w;
	struct prose_match m;
	unsigned asked;

	ck_assert_int_eq(discovery_lookup(frame + 1, lookup), OK);
	ck_assert_int_eq(prose_watch_new(&w), PROSE_OK);
	ck_assert_int_eq(prose_watch_update(w, c, SLOT), PROSE_OK);
	ck_assert_uint_eq(prose_watch_size(w), 1);
	for (unsigned i = 0; i < FORGERIES; i++) {
		frame[PROSE_FRAME - 1] = (uint8_t)i;
		ck_assert_int_eq(prose_watch_frame(w, c, SLOT, frame, &m), PROSE_NOT_FOUND);
	}
	ck_assert_uint_ge(s.matches, 1);
	ck_assert_uint_le(s.matches, 8);
	asked = s.matches;
	s.right = true;
	ck_assert_int_eq(prose_watch_update(w, c, SLOT + 1), PROSE_OK);
	ck_assert_int_eq(prose_watch_frame(w, c, SLOT + 1, frame, &m), PROSE_OK);
	ck_assert_str_eq(m.name, "alice");
	ck_assert_uint_eq(s.matches, asked + 1);
	prose_watch_free(&w);
	prose_card_close(&c);
}
END_TEST

static enum prose_result packet(struct prose_eap *e, struct bytes in)
{
	uint8_t out[PROSE_EAP_PACKET_MAX];
	size_t n = sizeof out;

	return prose_eap_packet(e, in.p, in.n, out, &n);
}

/* A challenge that the scripted card's keys have made. */
static struct bytes challenge(const char *identity)
{
	static uint8_t raw[200];
	const uint8_t some[16] = { 1, 2, 3, 4, 5, 6, 0x80 };
	uint8_t key[16];
	struct eap_keys k;
	struct buf b = BUF_OF(raw);

	memset(key, FULL_KEY, sizeof key);
	ck_assert_int_eq(eap_keys_full(&k, false, bytes_str(identity), key, key, (struct bytes){ 0 }, (struct bytes){ 0 }), OK);
	eap_begin(&b, PROSE_EAP_AKA, 2, CHALLENGE);
	raw[0] = EAP_REQUEST;
	eap_put(&b, AT_RAND, 0, BYTES_OF(some));
	eap_put(&b, AT_AUTN, 0, BYTES_OF(some));
	eap_put(&b, AT_MAC, 0, (struct bytes){ (const uint8_t[16]){ 0 }, 16 });
	eap_end(&b);
	ck_assert_int_eq(eap_keys_mac(&k, buf_bytes(&b), (struct bytes){ 0 }, raw + b.len - EAP_MAC_LEN), OK);
	return buf_bytes(&b);
}

/* Success and failure are nobody's word: before a challenge was answered, success is passed over; and after success, failure.
 */
START_TEST(eap_results_out_of_turn_are_passed_over)
{
	static const char identity[] = "0001010000000001@example.org";
	const struct bytes success = hex("03010004"), failure = hex("04010004"), who = hex("0101000501");
	struct scripted s = { { NULL, 0 }, 0, false };
	struct prose_card *c = scripted_card(&s);
	uint8_t msk[PROSE_MSK], emsk[PROSE_MSK];
	struct prose_eap *e;
	bool again;

	ck_assert_int_eq(prose_eap_new(c, PROSE_EAP_AKA, identity, NULL, &e), PROSE_OK);
	ck_assert_int_eq(packet(e, failure), PROSE_FORMAT);
	ck_assert_int_eq(prose_eap_state(e), PROSE_EAP_IDLE);
	ck_assert_int_eq(packet(e, who), PROSE_OK);
	ck_assert_int_eq(packet(e, success), PROSE_FORMAT);
	ck_assert_int_eq(prose_eap_state(e), PROSE_EAP_RUNNING);
	ck_assert_int_eq(packet(e, challenge(identity)), PROSE_OK);
	ck_assert_int_eq(packet(e, success), PROSE_OK);
	ck_assert_int_eq(packet(e, failure), PROSE_FORMAT);
	ck_assert_int_eq(prose_eap_state(e), PROSE_EAP_SUCCESS);
	ck_assert_int_eq(prose_eap_keys(e, msk, emsk, &again), PROSE_OK);
	ck_assert_int_eq(packet(e, who), PROSE_OK); /* in its turn, failure is one */
	ck_assert_int_eq(packet(e, failure), PROSE_OK);
	ck_assert_int_eq(prose_eap_state(e), PROSE_EAP_FAILURE);
	ck_assert_int_eq(packet(e, failure), PROSE_OK); /* as is the one that a peer who has given up is told */
	ck_assert_int_eq(packet(e, success), PROSE_FORMAT);
	ck_assert_int_eq(prose_eap_state(e), PROSE_EAP_FAILURE);
	prose_eap_free(&e);
	prose_card_close(&c);
}
END_TEST

TCase *tcase_callers(void)
{
	TCase *t = tcase_create("strangers");

	tcase_add_test(t, forged_frames_do_not_spend_the_cards_budget);
	tcase_add_test(t, eap_results_out_of_turn_are_passed_over);
	return t;
}
