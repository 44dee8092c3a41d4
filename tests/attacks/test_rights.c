/* SPDX-License-Identifier: Apache-2.0 */
/* A user who would announce or monitor without being let: by another PLMN's permission, by one that is over, by what holds out
 * of coverage only, by another organisation's. No code leaves the card, and what it let be done stays readable. */
#include <stdio.h>
#include <string.h>

#include "apdu/files.h"
#include "apdu/preset.h"
#include "apdu/tlv.h"
#include "card/applets/applets.h"
#include "crypto/guarded/seal.h"
#include "provisioning/operator.h"
#include "tests/support/operator.h"

enum { BOTH = PERMISSION_ANNOUNCE | PERMISSION_MONITOR, CLAIMS = 16 };
#define OWN_AID "\xF0\x50\x52\x4F\x53\x45\x02"
#define USIM_ADF "\xA0\x00\x00\x00\x87\x10\x02"

static void give_key(struct rig *r)
{
	ck_assert_int_eq(discovery_renew(db, "me", DISCOVERY_33303, 1), OK);
	objects = BUF_OF(object_memory);
	ck_assert_int_eq(
	        discovery_grant(db, "me", ICCID_1, RIGHT_ANNOUNCE | RIGHT_MONITOR, NOW - 10, NOW + 100000, &objects), OK);
	ck_assert_uint_eq(install(r, buf_bytes(&objects)), 0x9000);
}

/* Data of a command in which the phone names a PLMN, or none. */
static struct bytes asked(uint8_t ins, const char *plmn, uint64_t now)
{
	static const uint8_t frame[PROSE_FRAME_LEN];
	static uint8_t raw[128];
	struct buf b = BUF_OF(raw);

	tlv_put_uint(&b, TAG_TIME, 8, now);
	if (ins == INS_PROSE_COMPUTE_CODES) {
		tlv_put_uint(&b, TAG_NOT_BEFORE, 8, now);
		tlv_put_uint(&b, TAG_NOT_AFTER, 8, now);
	} else if (ins == INS_PROSE_MATCH) {
		tlv_put(&b, TAG_FRAME, BYTES_OF(frame));
	} else {
		tlv_put(&b, TAG_NAME, BYTES_STR("me"));
	}
	if (plmn != NULL)
		tlv_put(&b, TAG_PLMN, bytes_str(plmn));
	return buf_bytes(&b);
}

static const struct {
	uint8_t ins, p1;
	unsigned right;
} uses[] = {
	{ INS_PROSE_COMPUTE_CODES, RIGHT_ANNOUNCE, PERMISSION_ANNOUNCE },
	{ INS_PROSE_COMPUTE_CODES, RIGHT_MONITOR, PERMISSION_MONITOR },
	{ INS_PROSE_ANNOUNCE, 0, PERMISSION_ANNOUNCE },
	{ INS_PROSE_MATCH, 0, PERMISSION_MONITOR },
};
enum { USES = sizeof uses / sizeof *uses };

/* Each command of discovery at a place: 9000 with these rights, and 9C14 with no data and nothing changed without. */
static void has(struct rig *r, const char *what, const char *plmn, uint64_t now, unsigned rights)
{
	for (size_t i = 0; i < USES; i++) {
		const bool may = (uses[i].right & rights) != 0;
		struct store_mem before;
		unsigned sw;

		store_mem_copy(&before, &r->store);
		sw = rig_prose(r, uses[i].ins, uses[i].p1, asked(uses[i].ins, plmn, now));
		ck_assert_msg(sw == (may ? 0x9000U : SW_PROSE_PERMISSION), "%s, use %zu: %04X", what, i, sw);
		ck_assert(may ? rig_data().n > 0 : rig_data().n == 0 && store_mem_equal_but(&before, &r->store, "time"));
		store_mem_free(&before);
	}
}

static void write_file(struct rig *r, uint16_t df, uint16_t fid, const char *content)
{
	struct file_system *fs = &r->card.fs;
	uint8_t raw[RECORD_MAX], at = file_by_aid(fs, BYTES_STR(USIM_ADF), FILE_NONE);

	at = file_child(fs, df != 0 ? file_child(fs, at, df) : at, fid);
	ck_assert_uint_ne(at, FILE_NONE);
	memset(raw, 0xFF, sizeof raw);
	ck_assert_uint_le(hex(content).n, fs->file[at].size);
	memcpy(raw, hex(content).p, hex(content).n);
	ck_assert_int_eq(file_write(fs, at, (struct bytes){ raw, fs->file[at].size }), OK);
	ck_assert_int_eq(store_commit(&r->card.store), OK);
}

START_TEST(no_permission_no_code)
{
	struct rig *r = known_card();

	give_key(r);
	has(r, "born closed", NULL, NOW, 0);
	has(r, "born closed, in a PLMN", "00101", NOW, 0);
	ck_assert_uint_eq(permit(r, "00101", 0, 0, UINT64_MAX), 0x9000);
	has(r, "taken back before it was given", "00101", NOW, 0);
	ck_assert_uint_eq(rig_prose(r, INS_PROSE_LIST, PROSE_LIST_CLAIMS, (struct bytes){ 0 }), 0x9000);
	ck_assert_uint_eq(rig_data().n, 0);
	rig_free(&r);
	covers("R-015");
}
END_TEST

/* A card that was born open, and one of before there were permissions: until its domain says something, and not after. */
START_TEST(open_until_its_domain_has_spoken)
{
	for (int old = 0; old < 2; old++) {
		struct rig *r = old ? known_card() : rig_profile("{\"permission\": \"open\"}");
		struct applet *a = applet_named(&r->card, BYTES_STR(AID_PROSE));

		if (!old)
			make_known(r);
		ck_assert(prose_permission_judged(a) == (old != 0));
		if (old) {
			ck_assert_int_eq(applet_erase(a, BYTES_STR("may")), OK);
			ck_assert_int_eq(store_commit(&r->card.store), OK);
			rig_reboot(r);
		}
		give_key(r);
		has(r, "open", NULL, NOW, BOTH);
		has(r, "open, in a PLMN", "99970", NOW, BOTH);
		ck_assert_uint_eq(permit(r, "26201", PERMISSION_MONITOR, 0, UINT64_MAX), 0x9000);
		has(r, "told of a PLMN", "26201", NOW, PERMISSION_MONITOR);
		has(r, "told of another PLMN", "99970", NOW, 0);
		has(r, "told of a PLMN, out of coverage", NULL, NOW, 0);
		ck_assert_uint_eq(permit(r, "26201", 0, 0, UINT64_MAX), 0x9000);
		rig_reboot(r);
		has(r, "its permission taken back", "26201", NOW, 0);
		rig_free(&r);
	}
}
END_TEST

START_TEST(whose_word_counts_where)
{
	/* TMSI(4) MCC MNC(3) LAC(2); GUTI(12) MCC MNC(3) TAC(2) */
	static const char *const loci = "FFFFFFFF62F2101234FF00", *const deleted = "FFFFFFFF62F210FFFEFF01",
	                         *const none = "FFFFFFFF62F2100000FF01",
	                         *const epsloci = "0BF662F21012340100000001"
	                                          "62F220123400";
	struct rig *r = known_card();

	give_key(r);
	ck_assert_uint_eq(permit(r, "26201", PERMISSION_MONITOR, 0, UINT64_MAX), 0x9000);
	has(r, "in it", "26201", NOW, PERMISSION_MONITOR);
	has(r, "in another", "26202", NOW, 0);
	has(r, "in one whose number begins so", "262011", NOW, 0);
	has(r, "off the network", NULL, NOW, 0);
	write_file(r, 0, FID_LOCI, deleted);
	has(r, "the last registration is gone", NULL, NOW, 0);
	write_file(r, 0, FID_LOCI, none);
	has(r, "there was no registration", NULL, NOW, 0);
	write_file(r, 0, FID_LOCI, loci);
	has(r, "registered there last", NULL, NOW, PERMISSION_MONITOR);
	has(r, "in another, registered there last", "26202", NOW, 0);
	write_file(r, 0, FID_EPSLOCI, epsloci); /* 262-02 */
	has(r, "LTE has moved on", NULL, NOW, 0);
	ck_assert_uint_eq(permit(r, PERMISSION_OFF_NETWORK, PERMISSION_ANNOUNCE, 0, UINT64_MAX), 0x9000);
	has(r, "permitted off the network", NULL, NOW, PERMISSION_ANNOUNCE);
	has(r, "what holds out of coverage, while a PLMN serves", "26202", NOW, 0);
	ck_assert_uint_eq(permit(r, "26202", PERMISSION_COMMUNICATE, NOW + 10, NOW + 20), 0x9000);
	has(r, "not yet", "26202", NOW + 9, 0);
	has(r, "not yet, off the network", NULL, NOW + 9, PERMISSION_ANNOUNCE);
	has(r, "without discovery, before the off-network preset", NULL, NOW + 10, 0);
	has(r, "the last second", NULL, NOW + 19, 0);
	has(r, "over", NULL, NOW + 20, PERMISSION_ANNOUNCE);
	for (size_t i = 0; i < USES; i++) {
		ck_assert_uint_eq(rig_prose(r, uses[i].ins, uses[i].p1, asked(uses[i].ins, "2620", NOW + 20)), 0x6A80);
		ck_assert_uint_eq(rig_prose(r, uses[i].ins, uses[i].p1, asked(uses[i].ins, "2620112", NOW + 20)), 0x6A80);
		ck_assert_uint_eq(rig_prose(r, uses[i].ins, uses[i].p1, asked(uses[i].ins, "off", NOW + 20)), 0x6A80);
	}
	rig_free(&r);
}
END_TEST

/* The home network's preset: PLMNs by name, out of coverage by the first octet, and neither for the other. A discoveree of
 * model B does not monitor. */
START_TEST(presets_of_the_home_network)
{
	static const struct {
		const char *mon;
		unsigned rights;
	} models[] = {
		{ "A0078005"
		  "3939393730",
		        PERMISSION_MONITOR },
		{ "FFFFA0078005"
		  "3939393730",
		        PERMISSION_MONITOR },
		{ "A00A8005"
		  "3939393730"
		  "820101",
		        PERMISSION_MONITOR },
		{ "A00A8005"
		  "3939393730"
		  "820103",
		        PERMISSION_MONITOR },
		{ "A00A8005"
		  "3939393730"
		  "820102",
		        0 }, /* a discoveree */
		{ "A00A8005"
		  "3939393730"
		  "820100",
		        0 },
		{ "A0098005"
		  "3939393730"
		  "8200",
		        0 },
		{ "A0078005"
		  "3939393731",
		        0 },
		{ "A0098005"
		  "3939393730",
		        0 }, /* cut off */
	};
	struct rig *r = known_card();

	give_key(r);
	for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
		write_file(r, FID_DF_PROSE, FID_PROSE_MON, models[i].mon);
		has(r, models[i].mon, "99970", NOW, models[i].rights);
		has(r, "not out of coverage", NULL, NOW, 0);
	}
	write_file(r, FID_DF_PROSE, FID_PROSE_RADIO_MON, "01");
	has(r, "out of coverage", NULL, NOW, PERMISSION_MONITOR);
	has(r, "not in it", "99970", NOW, 0);
	write_file(r, FID_DF_PROSE, FID_PROSE_RADIO_MON, "FF");
	has(r, "not written", NULL, NOW, 0);
	write_file(r, FID_DF_PROSE, FID_PROSE_RADIO_ANN, "01");
	has(r, "out of coverage", NULL, NOW, PERMISSION_ANNOUNCE);
	rig_free(&r);
}
END_TEST

/* The newest sixteen, by number, so that what was pushed out shows. The same word twice is one. */
START_TEST(the_phones_word_is_kept)
{
	struct rig *r = known_card();
	struct bytes list, v;
	struct tlv t;
	char plmn[PLMN_ROOM];
	size_t n = 0;

	give_key(r);
	ck_assert_uint_eq(permit(r, PERMISSION_OFF_NETWORK, BOTH, 0, UINT64_MAX), 0x9000);
	for (unsigned i = 0; i < 9; i++) {
		(void)snprintf(plmn, sizeof plmn, "%05u", 26200 + i);
		ck_assert_uint_eq(permit(r, plmn, BOTH, 0, UINT64_MAX), 0x9000);
		has(r, "in it", plmn, NOW + 2 * i, BOTH);
		has(r, "out of it", NULL, NOW + 2 * i + 1, BOTH);
		ck_assert_uint_eq(rig_prose(r, INS_PROSE_LIST, PROSE_LIST_CLAIMS, (struct bytes){ 0 }), 0x9000);
		n = 0;
		for (list = rig_data(); list.n > 0; n++)
			ck_assert_int_eq(tlv_next(&list, &t), OK);
		ck_assert_uint_eq(n, i < CLAIMS / 2 ? 2 * (i + 1) : CLAIMS);
	}
	rig_reboot(r);
	ck_assert_uint_eq(rig_prose(r, INS_PROSE_LIST, PROSE_LIST_CLAIMS, (struct bytes){ 0 }), 0x9000);
	list = rig_data();
	for (unsigned i = 18; i > 18 - CLAIMS; i--) {
		ck_assert_int_eq(tlv_next(&list, &t), OK);
		(void)snprintf(plmn, sizeof plmn, "%05u", 26200 + (i - 1) / 2);
		ck_assert_int_eq(tlv_find(t.value, TAG_PLMN, &v), OK);
		ck_assert(bytes_equal(v, i % 2 == 0 ? (struct bytes){ 0 } : bytes_str(plmn)));
		ck_assert_int_eq(tlv_find(t.value, TAG_PLACE, &v), OK);
		ck_assert_uint_eq(bytes_uint(v), i % 2 == 0 ? PLACE_OFF : PLACE_NAMED);
		ck_assert_int_eq(tlv_find(t.value, TAG_TIME, &v), OK);
		ck_assert_uint_eq(bytes_uint(v), NOW + i - 1);
		ck_assert_int_eq(tlv_find(t.value, TAG_COUNT, &v), OK);
		ck_assert_uint_eq(bytes_uint(v), i);
	}
	ck_assert_uint_eq(list.n, 0);
	rig_free(&r);
}
END_TEST

/* One more instance, of another organisation's domain, whose transport keys are the same here. */
static void second_instance(struct rig *r)
{
	const struct applet_order o = {
		.class_number = APPLET_PROSE, .aid = BYTES_STR(OWN_AID), .domain = 3, .life = LIFE_SELECTABLE
	};

	ck_assert_int_eq(applet_create(&r->card, &o, r->secrets), OK);
	ck_assert_int_eq(store_commit(&r->card.store), OK);
	rig_reboot(r);
}

static unsigned own(struct rig *r, uint8_t ins, uint8_t p1, struct bytes data)
{
	uint8_t raw[1024];
	struct buf b = BUF_OF(raw);
	unsigned sw;

	ck_assert_uint_eq(rig_send(r, "00A4040C07F050524F534502"), 0x9000);
	ck_assert_uint_eq(rig_send(r, "0020000108"
	                              "31323334FFFFFFFF"),
	        0x9000);
	buf_put(&b, (struct bytes){ (const uint8_t[]){ 0x80, ins, p1, 0x00, 0x00 }, 5 });
	buf_put_uint(&b, 2, data.n);
	buf_put(&b, data);
	if (ins != INS_PROSE_INSTALL)
		buf_put_uint(&b, 2, 0);
	sw = rig_send_bytes(r, buf_bytes(&b));
	ck_assert_uint_eq(rig_send(r, "00A4040C07F050524F534501"), 0x9000);
	return sw;
}

static unsigned own_object(struct rig *r, enum sealed_kind kind, const char *name, struct bytes payload, uint64_t sequence)
{
	SEAL_KEYS k = { 0 };
	uint8_t raw[800];
	struct buf b = BUF_OF(raw);
	struct sealed_header h = { .domain = BYTES_STR(OWN_AID),
		.card_id = BYTES_OF(r->env.card_id),
		.kind = kind,
		.name = bytes_str(name),
		.sequence = sequence,
		.not_after = UINT64_MAX };

	ck_assert_int_eq(operator_seal_keys(db, ICCID_1, &k), OK);
	h.trk_id = k.trk_id;
	ck_assert_int_eq(seal(&rng_system, secret_bytes(&k.trk), secret_bytes(&k.ink), &h, payload, &b), OK);
	return own(r, INS_PROSE_INSTALL, 0, buf_bytes(&b));
}

/* Each instance obeys its own domain's word; the home network's preset is for the operator's alone. */
START_TEST(domains_permit_for_themselves)
{
	struct rig *r = known_card();
	SECRET_LARGE key = { 0 };
	struct db_discovery d;
	uint8_t raw[200];
	struct buf b = BUF_OF(raw);

	give_key(r);
	second_instance(r);
	ck_assert_int_eq(db_discovery_get(db, "me", &d, &key), OK);
	tlv_put_uint(&b, DISC_RIGHTS, 1, RIGHT_ANNOUNCE | RIGHT_MONITOR);
	buf_put(&b, secret_large_bytes(&key));
	ck_assert_uint_eq(own_object(r, SEALED_DISCOVERY_KEY, "me", buf_bytes(&b), 1), 0x9000);
	ck_assert_uint_eq(permit(r, "00101", BOTH, 0, UINT64_MAX), 0x9000);
	write_file(r, FID_DF_PROSE, FID_PROSE_ANN, "A00780053030313031");
	write_file(r, FID_DF_PROSE, FID_PROSE_RADIO_ANN, "01");
	has(r, "the operator's", "00101", NOW, BOTH);
	ck_assert_uint_eq(own(r, INS_PROSE_ANNOUNCE, 0, asked(INS_PROSE_ANNOUNCE, "00101", NOW)), SW_PROSE_PERMISSION);
	ck_assert_uint_eq(own(r, INS_PROSE_ANNOUNCE, 0, asked(INS_PROSE_ANNOUNCE, NULL, NOW)), SW_PROSE_PERMISSION);
	b = BUF_OF(raw);
	tlv_put(&b, PERMISSION_PLMN, BYTES_STR("26203"));
	tlv_put_uint(&b, PERMISSION_RIGHTS, 1, PERMISSION_ANNOUNCE);
	ck_assert_uint_eq(own_object(r, SEALED_PERMISSION, "26203", buf_bytes(&b), 1), 0x9000);
	ck_assert_uint_eq(own(r, INS_PROSE_ANNOUNCE, 0, asked(INS_PROSE_ANNOUNCE, "26203", NOW)), 0x9000);
	ck_assert_uint_eq(own(r, INS_PROSE_ANNOUNCE, 0, asked(INS_PROSE_ANNOUNCE, "00101", NOW)), SW_PROSE_PERMISSION);
	has(r, "the other's, by the operator's", "26203", NOW, 0);
	rig_free(&r);
}
END_TEST

/* Power lost at each write of a permission: the old word or the new one. */
START_TEST(power_cuts_between_permissions)
{
	for (long cut = 0; cut < 2; cut++) {
		struct rig *r = known_card();

		give_key(r);
		ck_assert_uint_eq(permit(r, "00101", BOTH, 0, UINT64_MAX), 0x9000);
		r->store.writes = 0;
		r->store.cut_after = cut;
		ck_assert_uint_eq(permit(r, "00101", 0, 0, UINT64_MAX), cut == 0 ? 0x6581 : 0x9000);
		r->store.cut_after = -1;
		rig_reboot(r);
		has(r, "after the cut", "00101", NOW, cut == 0 ? BOTH : 0);
		rig_free(&r);
	}
}
END_TEST

TCase *tcase_rights(void)
{
	TCase *t = tcase_create("rights");

	tcase_add_checked_fixture(t, open_operator, close_operator);
	tcase_add_test(t, no_permission_no_code);
	tcase_add_test(t, open_until_its_domain_has_spoken);
	tcase_add_test(t, whose_word_counts_where);
	tcase_add_test(t, presets_of_the_home_network);
	tcase_add_test(t, the_phones_word_is_kept);
	tcase_add_test(t, domains_permit_for_themselves);
	tcase_add_test(t, power_cuts_between_permissions);
	return t;
}
