/* SPDX-License-Identifier: Apache-2.0 */
/* Media keys: straight from the GMK, shared among talkers, and ciphered by the card. A twin is a copy of the card: the same
 * user in another place, who can hear and talk. */
#include <stdlib.h>
#include <string.h>

#include "apdu/prose.h"
#include "apdu/tlv.h"
#include "crypto/guarded/sakke.h"
#include "protocols/mikey/keys/identity.h"
#include "protocols/mikey/message.h"
#include "protocols/mikey/keys/prf.h"
#include "provisioning/keys/kms.h"
#include "tests/support/operator.h"

enum { RTP_LEN = 12 + 160 };

static struct rig *member(unsigned policy)
{
	struct db_group g = { .uri = GROUP, .manager_uri = "sip:gms@example.org", .policy = policy };
	struct rig *r = known_card();

	ck_assert_int_eq(db_group_add(db, &g), OK);
	provision(r);
	return r;
}

static struct rig *twin(const struct rig *r)
{
	struct rig *t = rig_new();

	store_mem_free(&t->store);
	store_mem_copy(&t->store, &r->store);
	t->env.backend = &t->store.backend;
	rig_reboot(t);
	return t;
}

static uint8_t session[PROSE_SESSION_ID_LEN];

static unsigned open_direct(struct rig *r, uint64_t now, uint8_t id[static PROSE_SESSION_ID_LEN], uint32_t *guk_id)
{
	unsigned sw = rig_prose(r, INS_PROSE_OPEN_DIRECT, 0, with_time(now, TAG_GROUP_URI, BYTES_STR(GROUP)));
	struct bytes v;

	if (sw != 0x9000)
		return sw;
	ck_assert_int_eq(tlv_find(rig_data(), TAG_SESSION_ID, &v), OK);
	memcpy(id, v.p, PROSE_SESSION_ID_LEN);
	ck_assert_int_eq(tlv_find(rig_data(), TAG_GUK_ID, &v), OK);
	*guk_id = (uint32_t)bytes_uint(v);
	return sw;
}

static unsigned talk(struct rig *r, const uint8_t *id, const uint32_t *heard, size_t n, uint32_t *ssrc)
{
	uint8_t raw[512];
	struct buf b = BUF_OF(raw);
	struct bytes v;
	unsigned sw;

	tlv_put(&b, TAG_SESSION_ID, (struct bytes){ id, PROSE_SESSION_ID_LEN });
	for (size_t i = 0; i < n; i++)
		tlv_put_uint(&b, TAG_SSRC, 4, heard[i]);
	sw = rig_prose(r, INS_PROSE_TALK, 0, buf_bytes(&b));
	if (sw == 0x9000 && tlv_find(rig_data(), TAG_SSRC, &v) == OK)
		*ssrc = (uint32_t)bytes_uint(v);
	return sw;
}

static unsigned packet(struct rig *r, uint8_t ins, const uint8_t *id, struct bytes in, struct buf *out)
{
	uint8_t raw[2048];
	struct buf b = BUF_OF(raw);
	struct bytes v;
	unsigned sw;

	tlv_put(&b, TAG_SESSION_ID, (struct bytes){ id, PROSE_SESSION_ID_LEN });
	tlv_put(&b, TAG_PACKET, in);
	sw = rig_prose(r, ins, 0, buf_bytes(&b));
	out->len = 0;
	if (sw == 0x9000 && tlv_find(rig_data(), TAG_PACKET, &v) == OK)
		buf_put(out, v);
	return sw;
}

static unsigned release(struct rig *r, const uint8_t *id, uint32_t guk_id)
{
	uint8_t raw[64];
	struct buf b = BUF_OF(raw);

	tlv_put(&b, TAG_SESSION_ID, (struct bytes){ id, PROSE_SESSION_ID_LEN });
	if (guk_id != 0)
		tlv_put_uint(&b, TAG_GUK_ID, 4, guk_id);
	return rig_prose(r, INS_PROSE_RELEASE_KEY, 0, buf_bytes(&b));
}

static struct bytes rtp(uint8_t fill)
{
	static uint8_t raw[RTP_LEN];

	memset(raw, fill, sizeof raw);
	raw[0] = 0x80;
	raw[1] = 8;
	return BYTES_OF(raw);
}

static void take_key(uint8_t out[GSK_LEN + DIRECT_SALT_LEN])
{
	struct bytes key, salt;

	ck_assert_int_eq(tlv_find(rig_data(), TAG_GSK, &key), OK);
	ck_assert_int_eq(tlv_find(rig_data(), TAG_SALT, &salt), OK);
	ck_assert_uint_eq(key.n, GSK_LEN);
	ck_assert_uint_eq(salt.n, DIRECT_SALT_LEN);
	memcpy(out, key.p, key.n);
	memcpy(out + GSK_LEN, salt.p, salt.n);
}

/* The GMK in ALICE's message, by the KMS's own key. */
static void gmk_of(const struct mikey *m, struct secret *gmk)
{
	static struct secret_large rsk;
	KMS k = { 0 };
	uint8_t uid[MIKEY_UID_LEN];

	ck_assert_int_eq(kms_load(db, &k), OK);
	ck_assert_int_eq(mikey_uid(&k.identity, BYTES_STR(ALICE), mikey_period_number(&k.identity, NOW), uid), OK);
	ck_assert_int_eq(sakke_extract(&k.z, BYTES_OF(uid), &rsk), OK);
	ck_assert_int_eq(sakke_decapsulate(k.public_key, BYTES_OF(uid), secret_large_bytes(&rsk), m->sakke.data, gmk), OK);
}

/* TS 33.180 7.4: everybody has everybody's keys, from GMK, GUK-ID and RAND; they leave only where the record says so, and end
 * with the GMK. */
START_TEST(direct_keys_are_those_of_the_specification)
{
	struct rig *r = member(GROUP_POLICY_DIRECT | GROUP_POLICY_EXPORT), *t;
	struct mikey m;
	struct secret gmk = { 0 }, key = { 0 }, salt = { 0 };
	uint8_t id[PROSE_SESSION_ID_LEN], other[PROSE_SESSION_ID_LEN], ours[GSK_LEN + DIRECT_SALT_LEN], theirs[sizeof ours];
	uint32_t guk, guk2, ssrc;
	struct buf out = BUF_OF((uint8_t[2048]){ 0 });
	struct bytes message = rekey(NOW, NOW, NOW + 1000), v;
	uint32_t gmk_id;

	ck_assert_uint_eq(open_direct(r, NOW, id, &guk), SW_PROSE_NO_KEY);
	ck_assert_uint_eq(import(r, NOW, message), 0x9000);
	ck_assert_uint_eq(open_direct(r, NOW, id, &guk), 0x9000);
	ck_assert_int_eq(tlv_find(rig_data(), TAG_GMK_ID, &v), OK);
	gmk_id = (uint32_t)bytes_uint(v);
	ck_assert_uint_eq(release(r, id, 0), 0x9000);
	take_key(ours);
	/* by the operator's GMK and the message's RAND */
	ck_assert_int_eq(mikey_parse(message, &m), OK);
	gmk_of(&m, &gmk);
	ck_assert_uint_eq(m.header.csb_id, guk);
	ck_assert_int_eq(mikey_derive(m.header.prf, secret_bytes(&gmk), MIKEY_FROM_TGK_TEK, 4, guk, m.rand, &key, 16), OK);
	ck_assert_int_eq(mikey_derive(m.header.prf, secret_bytes(&gmk), MIKEY_FROM_TGK_SALT, 4, guk, m.rand, &salt, 12), OK);
	ck_assert_mem_eq(ours, key.data, 16);
	ck_assert_mem_eq(ours + 16, salt.data, 12);
	/* another talker's are others, and another member has the same ones */
	ck_assert_int_eq(mikey_guk_id(secret_bytes(&gmk), BYTES_STR(BOB), gmk_id, &guk2), OK);
	t = twin(r);
	ck_assert_uint_eq(open_direct(t, NOW, other, &guk), 0x9000);
	ck_assert_uint_eq(release(t, other, guk2), 0x9000);
	take_key(theirs);
	ck_assert_mem_ne(ours, theirs, sizeof ours);
	ck_assert_uint_eq(release(t, other, guk), 0x9000);
	take_key(theirs);
	ck_assert_mem_eq(ours, theirs, sizeof ours);
	/* not the card's work, and no offers */
	ck_assert_uint_eq(talk(r, id, NULL, 0, &ssrc), 0x9000);
	ck_assert_uint_eq(packet(r, INS_PROSE_PROTECT, id, rtp(1), &out), SW_PROSE_POLICY);
	ck_assert_uint_eq(
	        rig_prose(r, INS_PROSE_START_SESSION, 0, with_time(NOW, TAG_GROUP_URI, BYTES_STR(GROUP))), SW_PROSE_POLICY);
	/* the end of the GMK's period: by the phone's time, also for a session that is open */
	ck_assert_uint_eq(open_direct(t, NOW + 1001, other, &guk), SW_PROSE_EXPIRED);
	ck_assert_uint_eq(open_direct(r, NOW + 1001, other, &guk), SW_PROSE_EXPIRED);
	ck_assert_uint_eq(release(r, id, 0), 0x9000); /* that was refused, and nothing has happened */
	ck_assert_uint_eq(permit(r, PERMISSION_OFF_NETWORK, PERMISSION_ANNOUNCE | PERMISSION_MONITOR, 0, UINT64_MAX), 0x9000);
	ck_assert_uint_eq(rig_pass(r, NOW + 1001), 0x9000);
	ck_assert_uint_eq(release(r, id, 0), SW_PROSE_EXPIRED);
	ck_assert_uint_eq(talk(r, id, NULL, 0, &ssrc), SW_PROSE_EXPIRED);
	rig_free(&r);
	rig_free(&t);
	covers("R-049");
}
END_TEST

/* Without `export=period` the keys stay, and the card ciphers: what one protects, the other opens; nothing else. */
START_TEST(the_card_ciphers_where_keys_stay)
{
	struct rig *r = member(GROUP_POLICY_DIRECT), *t;
	uint8_t id[PROSE_SESSION_ID_LEN], other[PROSE_SESSION_ID_LEN], raw[2048], changed[2048], plain[2048];
	struct buf srtp = BUF_OF(raw), opened = BUF_OF(plain);
	uint32_t guk, ssrc;

	ck_assert_uint_eq(import(r, NOW, rekey(NOW, NOW, NOW + 1000)), 0x9000);
	t = twin(r);
	ck_assert_uint_eq(open_direct(r, NOW, id, &guk), 0x9000);
	ck_assert_uint_eq(open_direct(t, NOW, other, &guk), 0x9000);
	ck_assert_uint_eq(release(r, id, 0), SW_PROSE_POLICY);
	ck_assert_uint_eq(release(r, id, guk), SW_PROSE_POLICY);
	ck_assert_uint_eq(packet(r, INS_PROSE_PROTECT, id, rtp(1), &srtp), SW_CONDITIONS_NOT_SATISFIED); /* TALK first */
	ck_assert_uint_eq(talk(r, id, NULL, 0, &ssrc), 0x9000);
	for (uint8_t i = 0; i < 20; i++) {
		ck_assert_uint_eq(packet(r, INS_PROSE_PROTECT, id, rtp(i), &srtp), 0x9000);
		ck_assert_uint_eq(srtp.len, RTP_LEN + 16 + DIRECT_MKI_LEN);
		ck_assert_uint_eq(bytes_uint((struct bytes){ raw + 2, 2 }), i); /* its own sequence number */
		ck_assert_uint_eq(bytes_uint((struct bytes){ raw + 8, 4 }), ssrc);
		ck_assert_mem_ne(raw + 12, rtp(i).p + 12, 160);
		for (size_t k = 12; k < srtp.len; k += 17) {
			memcpy(changed, raw, srtp.len);
			changed[k] ^= 1;
			ck_assert_uint_ne(
			        packet(t, INS_PROSE_UNPROTECT, other, (struct bytes){ changed, srtp.len }, &opened), 0x9000);
		}
		ck_assert_uint_eq(packet(t, INS_PROSE_UNPROTECT, other, buf_bytes(&srtp), &opened), 0x9000);
		ck_assert_uint_eq(opened.len, RTP_LEN);
		ck_assert_mem_eq(plain + 12, rtp(i).p + 12, 160);
		ck_assert_uint_eq(
		        packet(t, INS_PROSE_UNPROTECT, other, buf_bytes(&srtp), &opened), SW_PROSE_SIGNATURE); /* again */
	}
	/* packets that are none */
	ck_assert_uint_eq(packet(r, INS_PROSE_PROTECT, id, (struct bytes){ raw, 11 }, &opened), 0x6A80);
	raw[0] = 0x40;
	ck_assert_uint_eq(packet(r, INS_PROSE_PROTECT, id, (struct bytes){ raw, 40 }, &opened), 0x6A80);
	ck_assert_uint_eq(packet(r, INS_PROSE_UNPROTECT, session, rtp(0), &opened), SW_REFERENCE_NOT_FOUND);
	rig_free(&r);
	rig_free(&t);
}
END_TEST

/* The longest RTP packet comes back from the SRTP packet that it became; one octet more is none. */
START_TEST(the_longest_packet_there_and_back)
{
	struct rig *r = member(GROUP_POLICY_DIRECT), *t;
	uint8_t id[PROSE_SESSION_ID_LEN], other[PROSE_SESSION_ID_LEN], raw[2048], plain[2048];
	static uint8_t longest[PROSE_PACKET_MAX + 1] = { 0x80, 8 }, noise[PROSE_SRTP_PACKET_MAX + 1] = { 0x80, 8 };
	struct buf srtp = BUF_OF(raw), opened = BUF_OF(plain);
	uint32_t guk, ssrc;

	memset(longest + 12, 'a', sizeof longest - 12);
	ck_assert_uint_eq(import(r, NOW, rekey(NOW, NOW, NOW + 1000)), 0x9000);
	t = twin(r);
	ck_assert_uint_eq(open_direct(r, NOW, id, &guk), 0x9000);
	ck_assert_uint_eq(open_direct(t, NOW, other, &guk), 0x9000);
	ck_assert_uint_eq(talk(r, id, NULL, 0, &ssrc), 0x9000);
	ck_assert_uint_eq(packet(r, INS_PROSE_PROTECT, id, (struct bytes){ longest, PROSE_PACKET_MAX + 1 }, &srtp), 0x6A80);
	ck_assert_uint_eq(packet(r, INS_PROSE_PROTECT, id, (struct bytes){ longest, PROSE_PACKET_MAX }, &srtp), 0x9000);
	ck_assert_uint_eq(packet(t, INS_PROSE_UNPROTECT, other, buf_bytes(&srtp), &opened), 0x9000);
	ck_assert_uint_eq(opened.len, PROSE_PACKET_MAX);
	ck_assert_mem_eq(plain + 12, longest + 12, PROSE_PACKET_MAX - 12);
	ck_assert_uint_eq(packet(t, INS_PROSE_UNPROTECT, other, BYTES_OF(noise), &opened), 0x6A80);
	ck_assert_uint_eq(packet(t, INS_PROSE_UNPROTECT, other, (struct bytes){ noise, PROSE_SRTP_PACKET_MAX }, &opened),
	        SW_PROSE_NO_KEY);
	rig_free(&r);
	rig_free(&t);
}
END_TEST

/* Packets that say they are of talkers who do not exist take no row from one who was heard: his old packets stay old. */
START_TEST(strangers_take_no_talkers_row)
{
	struct rig *r = member(GROUP_POLICY_DIRECT), *t;
	uint8_t id[PROSE_SESSION_ID_LEN], other[PROSE_SESSION_ID_LEN], raw[2048], forged[2048], plain[2048];
	struct buf srtp = BUF_OF(raw), opened = BUF_OF(plain);
	uint32_t guk, ssrc;

	ck_assert_uint_eq(import(r, NOW, rekey(NOW, NOW, NOW + 1000)), 0x9000);
	t = twin(r);
	ck_assert_uint_eq(open_direct(r, NOW, id, &guk), 0x9000);
	ck_assert_uint_eq(open_direct(t, NOW, other, &guk), 0x9000);
	ck_assert_uint_eq(talk(r, id, NULL, 0, &ssrc), 0x9000);
	ck_assert_uint_eq(packet(r, INS_PROSE_PROTECT, id, rtp(1), &srtp), 0x9000);
	ck_assert_uint_eq(packet(t, INS_PROSE_UNPROTECT, other, buf_bytes(&srtp), &opened), 0x9000);
	for (uint8_t i = 1; i <= 20; i++) {
		memcpy(forged, raw, srtp.len);
		forged[srtp.len - 1] ^= i;
		ck_assert_uint_eq(
		        packet(t, INS_PROSE_UNPROTECT, other, (struct bytes){ forged, srtp.len }, &opened), SW_PROSE_SIGNATURE);
	}
	ck_assert_uint_eq(packet(t, INS_PROSE_UNPROTECT, other, buf_bytes(&srtp), &opened), SW_PROSE_SIGNATURE);
	ck_assert_uint_eq(packet(r, INS_PROSE_PROTECT, id, rtp(2), &srtp), 0x9000);
	ck_assert_uint_eq(packet(t, INS_PROSE_UNPROTECT, other, buf_bytes(&srtp), &opened), 0x9000);
	rig_free(&r);
	rig_free(&t);
}
END_TEST

/* At the end of the sequence numbers the SSRC changes: late ones never need to know how often they turned over. */
START_TEST(sequence_numbers_do_not_turn_over)
{
	struct rig *r = member(GROUP_POLICY_DIRECT);
	uint8_t id[PROSE_SESSION_ID_LEN], raw[2048];
	struct buf srtp = BUF_OF(raw);
	uint32_t guk, ssrc, last = 0;
	unsigned changes = 0;

	ck_assert_uint_eq(import(r, NOW, rekey(NOW, NOW, NOW + 1000)), 0x9000);
	ck_assert_uint_eq(open_direct(r, NOW, id, &guk), 0x9000);
	ck_assert_uint_eq(talk(r, id, NULL, 0, &ssrc), 0x9000);
	for (uint32_t i = 0; i < 66000; i++) {
		ck_assert_uint_eq(packet(r, INS_PROSE_PROTECT, id, rtp(0), &srtp), 0x9000);
		ssrc = (uint32_t)bytes_uint((struct bytes){ raw + 8, 4 });
		if (i > 0 && ssrc != last) {
			changes++;
			ck_assert_uint_eq(bytes_uint((struct bytes){ raw + 2, 2 }), 0);
		}
		last = ssrc;
	}
	ck_assert_uint_eq(changes, 1);
	rig_free(&r);
}
END_TEST

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* A thousand power cuts, at any write, and some resets without one: no pair of SSRC and index comes twice under one GMK. */
START_TEST(no_ssrc_and_index_twice_whenever_power_goes)
{
	enum { CUTS = 1000, PACKETS = 3 };
	static uint64_t seen[CUTS * PACKETS];
	struct rig *r = member(GROUP_POLICY_DIRECT);
	uint8_t id[PROSE_SESSION_ID_LEN], raw[2048];
	struct buf srtp = BUF_OF(raw);
	uint32_t guk, ssrc;
	size_t n = 0;

	ck_assert_uint_eq(import(r, NOW, rekey(NOW, NOW, NOW + 1000)), 0x9000);
	for (int cut = 0; cut < CUTS; cut++) {
		ck_assert_uint_eq(rig_prose(r, INS_PROSE_STATUS, 0, (struct bytes){ 0 }), 0x9000); /* PIN and all */
		r->store.writes = 0;
		r->store.cut_after = cut % 3 == 2 ? -1 : cut % 3;
		if (open_direct(r, NOW + (uint64_t)cut / 2, id, &guk) == 0x9000 && talk(r, id, NULL, 0, &ssrc) == 0x9000)
			for (int i = 0; i < PACKETS && packet(r, INS_PROSE_PROTECT, id, rtp(0), &srtp) == 0x9000; i++)
				seen[n++] = bytes_uint((struct bytes){ raw + 8, 4 }) << 16 |
				            bytes_uint((struct bytes){ raw + 2, 2 });
		r->store.cut_after = -1;
		rig_reboot(r);
	}
	ck_assert_uint_gt(n, CUTS); /* a third were never cut, and of the others some late enough */
	qsort(seen, n, sizeof *seen, by_number);
	for (size_t i = 1; i < n; i++)
		ck_assert(seen[i] != seen[i - 1]);
	rig_free(&r);
}
END_TEST

static unsigned start(struct rig *r, uint8_t *id, uint32_t *ssrc, struct buf *offer)
{
	unsigned sw = rig_prose(r, INS_PROSE_START_SESSION, 0, with_time(NOW, TAG_GROUP_URI, BYTES_STR(GROUP)));
	struct bytes v;

	ck_assert_uint_eq(sw, 0x9000);
	ck_assert_int_eq(tlv_find(rig_data(), TAG_SESSION_ID, &v), OK);
	memcpy(id, v.p, v.n);
	ck_assert_int_eq(tlv_find(rig_data(), TAG_SSRC, &v), OK);
	*ssrc = (uint32_t)bytes_uint(v);
	ck_assert_int_eq(tlv_find(rig_data(), TAG_MESSAGE, &v), OK);
	offer->len = 0;
	buf_put(offer, v);
	return sw;
}

static void join(struct rig *r, struct bytes offer, uint8_t *id)
{
	struct bytes v;

	ck_assert_uint_eq(rig_prose(r, INS_PROSE_JOIN_SESSION, 0, with_time(NOW, TAG_MESSAGE, offer)), 0x9000);
	ck_assert_int_eq(tlv_find(rig_data(), TAG_SESSION_ID, &v), OK);
	memcpy(id, v.p, v.n);
}

/* A session whose media the card opens stays, however many others are opened: the one used least lately makes room. */
START_TEST(a_session_that_is_heard_stays)
{
	struct rig *a = member(GROUP_POLICY_IN_CARD | GROUP_POLICY_SIGN), *b;
	uint8_t id_a[8], id_b[8], id[8], offer_raw[MIKEY_MESSAGE_MAX], waste_raw[MIKEY_MESSAGE_MAX], raw[2048], plain[2048];
	struct buf offer = BUF_OF(offer_raw), waste = BUF_OF(waste_raw), srtp = BUF_OF(raw), opened = BUF_OF(plain);
	uint32_t ssrc;

	ck_assert_uint_eq(import(a, NOW, rekey(NOW, NOW, NOW + 1000)), 0x9000);
	b = twin(a);
	start(a, id_a, &ssrc, &offer);
	join(b, buf_bytes(&offer), id_b);
	ck_assert_uint_eq(talk(a, id_a, NULL, 0, &ssrc), 0x9000);
	for (uint8_t i = 0; i < 2 * PROSE_SESSIONS_MAX; i++) {
		ck_assert_uint_eq(packet(a, INS_PROSE_PROTECT, id_a, rtp(i), &srtp), 0x9000);
		ck_assert_uint_eq(packet(b, INS_PROSE_UNPROTECT, id_b, buf_bytes(&srtp), &opened), 0x9000);
		start(a, id, &ssrc, &waste);
		start(b, id, &ssrc, &waste);
	}
	rig_free(&a);
	rig_free(&b);
}
END_TEST

/* Three talkers under one GSK, whose cards would all take the same SSRC: each gets another, and who is heard with one's own is
 * evaded before the next packet. */
START_TEST(talkers_of_one_key_never_have_one_ssrc)
{
	struct rig *a = member(GROUP_POLICY_SHARED | GROUP_POLICY_IN_CARD | GROUP_POLICY_SIGN), *b, *c;
	uint8_t id_a[8], id_b[8], id_c[8], offer_raw[MIKEY_MESSAGE_MAX], raw[2048], plain[2048];
	struct buf offer = BUF_OF(offer_raw), srtp = BUF_OF(raw), opened = BUF_OF(plain);
	uint32_t ssrc_a, ssrc_b, ssrc_c, again, waste;

	ck_assert_uint_eq(import(a, NOW, rekey(NOW, NOW, NOW + 1000)), 0x9000);
	start(a, id_a, &waste, &offer); /* makes the card's key for SSRCs: twins have it too, and count alike */
	b = twin(a);
	c = twin(a);
	start(a, id_a, &ssrc_a, &offer);
	join(b, buf_bytes(&offer), id_b);
	join(c, buf_bytes(&offer), id_c);
	ck_assert_uint_eq(talk(a, id_a, NULL, 0, &again), 0x9000);
	ck_assert_uint_eq(again, ssrc_a); /* what the offer says */
	ck_assert_uint_eq(talk(b, id_b, NULL, 0, &ssrc_b), 0x9000);
	ck_assert_uint_ne(ssrc_b, ssrc_a); /* although its own count gave that first */
	ck_assert_uint_eq(talk(b, id_b, NULL, 0, &again), 0x9000);
	ck_assert_uint_eq(again, ssrc_b);
	ck_assert_uint_eq(talk(c, id_c, NULL, 0, &ssrc_c), 0x9000);
	ck_assert_uint_eq(ssrc_c, ssrc_b); /* the collision that this is about */
	ck_assert_uint_eq(packet(b, INS_PROSE_PROTECT, id_b, rtp(7), &srtp), 0x9000);
	ck_assert_uint_eq(packet(c, INS_PROSE_UNPROTECT, id_c, buf_bytes(&srtp), &opened), 0x9000);
	ck_assert_uint_eq(packet(c, INS_PROSE_PROTECT, id_c, rtp(8), &srtp), SW_PROSE_COLLISION);
	ck_assert_uint_eq(talk(c, id_c, &ssrc_b, 1, &again), 0x9000);
	ck_assert_uint_ne(again, ssrc_b);
	ck_assert_uint_ne(again, ssrc_a);
	ck_assert_uint_eq(packet(c, INS_PROSE_PROTECT, id_c, rtp(8), &srtp), 0x9000);
	ck_assert_uint_eq(packet(a, INS_PROSE_UNPROTECT, id_a, buf_bytes(&srtp), &opened), 0x9000);
	ck_assert_mem_eq(plain + 12, rtp(8).p + 12, 160);
	/* told of by the phone, before any packet */
	ck_assert_uint_eq(talk(b, id_b, (uint32_t[]){ ssrc_a, ssrc_b, again }, 3, &ssrc_b), 0x9000);
	ck_assert(ssrc_b != ssrc_a && ssrc_b != again && ssrc_b != ssrc_c);
	/* GSK stays; without `shared` only who has started may talk */
	ck_assert_uint_eq(release(a, id_a, 0), SW_PROSE_POLICY);
	rig_free(&a);
	rig_free(&b);
	rig_free(&c);
}
END_TEST

START_TEST(only_the_starter_talks_unless_shared)
{
	struct rig *a = member(GROUP_POLICY_IN_CARD), *b;
	uint8_t id_a[8], id_b[8], offer_raw[MIKEY_MESSAGE_MAX], raw[2048], plain[2048];
	struct buf offer = BUF_OF(offer_raw), srtp = BUF_OF(raw), opened = BUF_OF(plain);
	uint32_t ssrc, guk;

	ck_assert_uint_eq(import(a, NOW, rekey(NOW, NOW, NOW + 1000)), 0x9000);
	b = twin(a);
	start(a, id_a, &ssrc, &offer);
	join(b, buf_bytes(&offer), id_b);
	ck_assert_uint_eq(talk(b, id_b, NULL, 0, &ssrc), SW_PROSE_POLICY);
	ck_assert_uint_eq(packet(b, INS_PROSE_PROTECT, id_b, rtp(7), &srtp), SW_CONDITIONS_NOT_SATISFIED);
	ck_assert_uint_eq(talk(a, id_a, NULL, 0, &ssrc), 0x9000);
	ck_assert_uint_eq(packet(a, INS_PROSE_PROTECT, id_a, rtp(7), &srtp), 0x9000);
	ck_assert_uint_eq(srtp.len, RTP_LEN + 10);
	ck_assert_uint_eq(packet(b, INS_PROSE_UNPROTECT, id_b, buf_bytes(&srtp), &opened), 0x9000);
	ck_assert_mem_eq(plain + 12, rtp(7).p + 12, 160);
	ck_assert_uint_eq(open_direct(a, NOW, id_b, &guk), SW_PROSE_POLICY);
	/* malformed lists */
	ck_assert_uint_eq(rig_prose(a, INS_PROSE_TALK, 0, hex("8608000102030405060787020102")), SW_REFERENCE_NOT_FOUND);
	rig_reboot(a);
	ck_assert_uint_eq(
	        packet(a, INS_PROSE_PROTECT, id_a, rtp(7), &srtp), SW_REFERENCE_NOT_FOUND); /* with the power went the key */
	rig_free(&a);
	rig_free(&b);
}
END_TEST

Suite *suite_media(void)
{
	Suite *s = suite_create("media");
	TCase *t = tcase_create("media");

	tcase_add_checked_fixture(t, open_operator, close_operator);
	tcase_add_test(t, direct_keys_are_those_of_the_specification);
	tcase_add_test(t, the_card_ciphers_where_keys_stay);
	tcase_add_test(t, sequence_numbers_do_not_turn_over);
	tcase_add_test(t, the_longest_packet_there_and_back);
	tcase_add_test(t, strangers_take_no_talkers_row);
	tcase_add_test(t, a_session_that_is_heard_stays);
	tcase_add_test(t, no_ssrc_and_index_twice_whenever_power_goes);
	tcase_add_test(t, talkers_of_one_key_never_have_one_ssrc);
	tcase_add_test(t, only_the_starter_talks_unless_shared);
	suite_add_tcase(s, t);
	return s;
}
