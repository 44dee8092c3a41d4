/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/guarded/eccsi.h"
#include "crypto/common/hash.h"
#include "crypto/guarded/sakke.h"
#include "protocols/pc3/kms_xml.h"
#include "protocols/mikey/keys/prf.h"
#include "protocols/mikey/keys/psk.h"
#include "protocols/mikey/keys/sakke_message.h"
#include "protocols/mikey/sdp.h"
#include "tests/support/support.h"

static struct bytes counting(uint8_t first, size_t n)
{
	uint8_t raw[64];

	for (size_t i = 0; i < n; i++)
		raw[i] = (uint8_t)(first + i);
	return exact_copy((struct bytes){ raw, n });
}

START_TEST(prf_matches_the_published_values)
{
	struct bytes tgk = hex("a27b7d578eeb9b1ee7705e385996d300"), rand = hex("4339f62f55aac86348846a482c893802");
	struct secret k = { 0 };

	ck_assert_int_eq(mikey_derive(1, tgk, MIKEY_FROM_TGK_ENCRYPTION, 4, 0x05a85c16, rand, &k, 16), OK);
	ck_assert_mem_eq(k.data, hex("3924935940c154ccbc3c2ad05c8f5181").p, 16);
	ck_assert_int_eq(mikey_derive(1, tgk, MIKEY_FROM_TGK_SALT, 4, 0x05a85c16, rand, &k, 12), OK);
	ck_assert_mem_eq(k.data, hex("1725869b80f370cc9f24e13b").p, 12);
	ck_assert_int_eq(mikey_derive(1, tgk, MIKEY_FROM_TGK_TEK, 4, 0x0633f457, rand, &k, 16), OK);
	ck_assert_mem_eq(k.data, hex("59aaa49ebb54813602b7cc165961b4e8").p, 16);
	ck_assert_int_eq(mikey_derive(0, counting(0, 16), MIKEY_FROM_TGK_TEK, 4, 0x034e884f, counting(0x10, 16), &k, 16), OK);
	ck_assert_mem_eq(k.data, hex("f33b2f99ddd159a5b50b225170f1fe67").p, 16);
}
END_TEST

START_TEST(uids_match_the_published_values)
{
	static const struct {
		uint64_t period, offset, number;
		const char *uid;
	} rows[] = {
		{ 2592000, 0, 1, "74e2af803ab5d72841bbced0ce319ffe64f6fe23c88a2d258aabcf6ac5658ef4" },
		{ 10, 0, 10, "94fb1a697c15d7e9d6b7062066affebda2d9e346e0090d67525c0c3ce666eafa" },
		{ 25920000, 100, 2048, "c88b3fa5e36a08985d10f7b31a631b0265e8249f0312435e4984dbc3765c7f0c" },
		{ 25920000, 45920000, 20393844, "8dc05540167345538475101514f4eabd384abd6ba665782abb312ecaf05934e1" },
	};
	uint8_t uid[32];
	uint32_t guk;

	for (size_t i = 0; i < 4; i++) {
		const struct mikey_kms k = { BYTES_STR("kms.example.org"), rows[i].period, rows[i].offset };

		ck_assert_int_eq(mikey_uid(&k, BYTES_STR("sip:user@example.org"), rows[i].number, uid), OK);
		ck_assert_mem_eq(uid, hex(rows[i].uid).p, 32);
	}
	ck_assert_int_eq(
	        mikey_guk_id(hex("07d1a1677ac36d8e81620484689b3c2d"), BYTES_STR("sip:alice@streamwide.com"), 0x0df9bc39, &guk),
	        OK);
	ck_assert_uint_eq(guk, 0x06a12aea);
}
END_TEST

static struct secret secret_from(struct bytes b)
{
	struct secret s = { 0 };

	ck_assert_int_eq(secret_set(&s, b), OK);
	return s;
}

static void check_profile(const struct mikey_offer *o, const char *expected)
{
	struct secret gsk = secret_from(counting(0xA0, 16)), salt = secret_from(counting(0xB0, 14)), g, s;
	uint8_t raw[512];
	struct buf b = BUF_OF(raw);
	struct mikey m;

	ck_assert_int_eq(mikey_psk_build(counting(0, 16), o, &gsk, &salt, &b), OK);
	ck_assert(bytes_equal(buf_bytes(&b), hex(expected)));
	ck_assert_int_eq(mikey_parse(buf_bytes(&b), &m), OK);
	ck_assert_int_eq(mikey_psk_open(counting(0, 16), &m, &g, &s), OK);
	ck_assert(bytes_equal(secret_bytes(&g), secret_bytes(&gsk)) && bytes_equal(secret_bytes(&s), secret_bytes(&salt)));
	ck_assert_int_eq(mikey_psk_open(counting(1, 16), &m, &g, &s), ERR_CRYPTO);
	for (size_t i = 0; i < b.len; i++) { /* no octet can change */
		raw[i] ^= 1;
		ck_assert(mikey_parse(buf_bytes(&b), &m) != OK || mikey_psk_open(counting(0, 16), &m, &g, &s) != OK);
		raw[i] ^= 1;
	}
	covers("R-082");
	covers("R-117");
}

START_TEST(profiles_a_and_b_match_their_vectors)
{
	struct mikey_offer o = { .profile = MIKEY_PROFILE_A,
		.csb_id = 0x0a0b0c0d,
		.gmk_id = 0x01234567,
		.ssrc = 0x11223344,
		.ntp = UINT64_C(0xe8f2a00000000000),
		.rand = counting(0x10, 16),
		.mki = hex("00000001") };

	check_profile(&o,
	        "010005000a0b0c0d01000011223344000000000b00e8f2a000000000000110101112131415161718191a1b1c1d1e1f00010029727e5b6dd"
	        "d140ca165e8d82d8632b8682e4c0280e9680cd4ae76b65cd899f5529d1ac470c4c6e970b90191db24f1b0b2ee9796a1c4a2e0aceeab96cc36a0");
	o.profile = MIKEY_PROFILE_B;
	check_profile(&o,
	        "010015010a0b0c0d000105030006f104012345670b00e8f2a000000000000110101112131415161718191a1b1c1d1e1f00010029d765505de29"
	        "db88e92cb7445ca8e8b11a0da623733132abdcd36bfd8c735e9bc80c17045e46707053b02ca20bce36406fa51633c93b1084ccbfa3fdf01d240772"
	        "dae79b13c214a827060");
}
END_TEST

/* 12.5 and 12.6 carry a TGK where we want TEK+SALT: the MAC is right, the key data is refused. */
START_TEST(rfc_3830_messages_authenticate)
{
	struct bytes psk = counting(0, 16);
	struct secret g = { 0 }, s = { 0 };
	uint8_t psk2[40];
	struct mikey m;

	ck_assert_int_eq(mikey_parse(vector("12.5", "message (139 octets)"), &m), OK);
	ck_assert_int_eq(mikey_psk_open(psk, &m, &g, &s), ERR_MALFORMED);
	ck_assert(bytes_equal(m.id[0], BYTES_STR("sip:gms@example.org")));
	for (size_t i = 0; i < 40; i++)
		psk2[i] = (uint8_t)(7 * i + 3);
	ck_assert_int_eq(mikey_parse(vector("12.6", "message (230 octets)"), &m), OK);
	ck_assert_int_eq(mikey_psk_open(BYTES_OF(psk2), &m, &g, &s), ERR_MALFORMED);
	ck_assert_int_eq(mikey_psk_open(psk, &m, &g, &s), ERR_CRYPTO);
}
END_TEST

/* Messages IM-1 and IM-2: verify, decapsulate, and the malleated signature too. */
static void check_i_message(struct bytes message, struct bytes id_initiator, struct bytes id_responder, struct bytes rsk,
        struct bytes ssv, struct bytes malleated)
{
	struct secret out = { 0 };
	uint8_t z[SAKKE_POINT_LEN], kpak[65], sig[129];
	struct mikey m;

	z[0] = 4;
	memcpy(z + 1, vector("11.2", "Zx").p, 128);
	memcpy(z + 129, vector("11.2", "Zy").p, 128);
	memcpy(kpak, vector("11.3", "KPAK").p, 65);
	ck_assert_int_eq(mikey_parse(message, &m), OK);
	ck_assert_int_eq(eccsi_verify(kpak, id_initiator, m.signed_part, m.signature), OK);
	memcpy(sig, m.signature.p, 129);
	memcpy(sig + 32, malleated.p, 32);
	ck_assert_int_eq(eccsi_verify(kpak, id_initiator, m.signed_part, BYTES_OF(sig)), OK);
	ck_assert_int_eq(sakke_decapsulate(z, id_responder, rsk, m.sakke.data, &out), OK);
	ck_assert(bytes_equal(secret_bytes(&out), ssv));
}

START_TEST(i_messages_verify_and_decapsulate)
{
	uint8_t rsk[SAKKE_POINT_LEN] = { 4 };

	memcpy(rsk + 1, vector("11.2", "Kbx").p, 128);
	memcpy(rsk + 129, vector("11.2", "Kby").p, 128);
	check_i_message(vector("12.7", "message (531 octets)"), vector("11.2", "b"), vector("11.2", "b"), BYTES_OF(rsk),
	        vector("11.2", "SSV"), vector("12.7", "also valid (malleated) s"));
	check_i_message(vector("12.8", "message (536 octets)"), vector("12.8", "UID gms"), vector("12.8", "UID user"),
	        vector("12.8", "RSK user"), counting(0, 16), vector("12.8", "also valid (malleated) s"));
}
END_TEST

/* Four messages that somebody else's KMS and group manager published. */
START_TEST(third_party_messages_open)
{
	json_t *root = json_load_file("tests/vectors/third-party-imessages.json", 0, NULL), *message, *user;
	json_t *kms = json_object_get(root, "kms");
	struct bytes z, kpak;
	const char *name;
	size_t i, opened = 0;

	ck_assert_ptr_nonnull(root);
	z = hex(json_string_value(json_object_get(kms, "Z")));
	kpak = hex(json_string_value(json_object_get(kms, "KPAK")));
	json_array_foreach (json_object_get(root, "messages"), i, message) {
		struct bytes octets = hex(json_string_value(json_object_get(message, "i_message_hex")));
		struct bytes key = hex(json_string_value(json_object_get(message, "key")));
		struct mikey m;

		ck_assert_int_eq(mikey_parse(octets, &m), OK);
		json_object_foreach(json_object_get(root, "users"), name, user)
		{
			struct bytes uid = hex(json_string_value(json_object_get(user, "uid")));
			struct secret out = { 0 };

			if (!bytes_equal(uid, m.role[MIKEY_ROLE_UID_RESPONDER]))
				continue;
			ck_assert_int_eq(
			        eccsi_verify(kpak.p, m.role[MIKEY_ROLE_UID_INITIATOR], m.signed_part, m.signature), OK);
			ck_assert_int_eq(sakke_validate(z.p, uid, hex(json_string_value(json_object_get(user, "rsk")))), OK);
			ck_assert_int_eq(sakke_decapsulate(z.p, uid, hex(json_string_value(json_object_get(user, "rsk"))),
			                         m.sakke.data, &out),
			        OK);
			ck_assert(bytes_equal(secret_bytes(&out), key));
			opened++;
		}
	}
	json_decref(root);
	ck_assert_uint_eq(opened, 4);
	covers("R-136");
}
END_TEST

START_TEST(key_parameters_round_trip)
{
	const struct key_parameters p = { .activation = 1000, .expiry = 2000, .group = BYTES_STR("sip:fire@example.org") };
	struct key_parameters out;
	struct secret_large plain = { 0 };
	uint8_t raw[512];
	struct buf b = BUF_OF(raw);

	ck_assert_int_eq(key_parameters_seal(&rng_system, counting(0, 16), 7, 1000, &p, &b), OK);
	ck_assert_int_eq(key_parameters_open(counting(0, 16), buf_bytes(&b), &plain, &out), OK);
	ck_assert_uint_eq(out.activation, 1000);
	ck_assert_uint_eq(out.expiry, 2000);
	ck_assert(bytes_equal(out.group, p.group));
	ck_assert_int_ne(key_parameters_open(counting(1, 16), buf_bytes(&b), &plain, &out), OK);
	covers("R-138");
}
END_TEST

/* Every prefix of every message is refused, and so is a message with one octet more. */
START_TEST(truncated_messages_are_refused)
{
	static const char *const names[][2] = { { "12.5", "message (139 octets)" }, { "12.6", "message (230 octets)" },
		{ "12.7", "message (531 octets)" }, { "12.8", "message (536 octets)" } };
	uint8_t longer[600];
	struct mikey m;

	for (size_t i = 0; i < 4; i++) {
		struct bytes whole = vector(names[i][0], names[i][1]);

		for (size_t n = 0; n < whole.n; n++)
			ck_assert_int_ne(mikey_parse(exact_copy((struct bytes){ whole.p, n }), &m), OK);
		memcpy(longer, whole.p, whole.n);
		longer[whole.n] = 0;
		ck_assert_int_ne(mikey_parse((struct bytes){ longer, whole.n + 1 }, &m), OK);
	}
}
END_TEST

START_TEST(sdp_round_trips)
{
	uint8_t text[SDP_MAX], back[256];
	struct buf b = BUF_OF(text), m = BUF_OF(back);
	struct sdp_media media;

	sdp_put(&b, &(struct sdp_offer){ BYTES_STR("sip:fire@example.org"), "239.1.2.3", 6004, 0x89ABCDEF, counting(3, 50) });
	ck_assert_int_eq(sdp_parse(buf_bytes(&b), &media, &m), OK);
	ck_assert(bytes_equal(media.subject, BYTES_STR("sip:fire@example.org")));
	ck_assert_str_eq(media.address, "239.1.2.3");
	ck_assert_uint_eq(media.port, 6004);
	ck_assert_uint_eq(media.ssrc, 0x89ABCDEF);
	ck_assert(bytes_equal(buf_bytes(&m), counting(3, 50)));
	m.len = 0;
	ck_assert_int_ne(sdp_parse(BYTES_STR("v=0\r\nm=audio 99999 RTP/SAVP 8\r\n"), &media, &m), OK);
}
END_TEST

/* Time stamps of 32 bits of seconds say the time that they were made of, from 1970 until 2104, and are in the order of time. */
START_TEST(ntp_turns_over_in_2036)
{
	const uint64_t turn = 2085978496, end = turn + UINT64_C(0x80000000), step = 86399;

	ck_assert_uint_eq(mikey_ntp(turn), 0);
	ck_assert_uint_eq(mikey_ntp(turn - 1), UINT64_C(0xFFFFFFFF00000000));
	ck_assert_uint_eq(mikey_unix(UINT64_C(0xFFFFFFFFFFFFFFFF)), turn - 1);
	for (uint64_t t = 0; t + 2 * step < end; t += step) {
		ck_assert_uint_eq(mikey_unix(mikey_ntp(t)), t);
		ck_assert_uint_eq(mikey_unix(mikey_ntp(t) | 0xFFFFFFFF), t); /* fractions do not count */
		ck_assert_uint_lt(mikey_order(mikey_ntp(t)), mikey_order(mikey_ntp(t + 1)));
		ck_assert_uint_lt(mikey_order(mikey_ntp(t)), mikey_order(mikey_ntp(t + step)));
	}
	ck_assert_uint_eq(mikey_unix(mikey_ntp(end - 1)), end - 1);
	ck_assert_uint_eq(mikey_unix(UINT64_C(0x8000000000000000)), 0); /* 1968 */
}
END_TEST

/* Where the media go stands under the MAC: what comes out is what went in, or nothing; another vendor's extension is passed
 * over. */
START_TEST(media_are_where_the_mac_says)
{
	struct mikey_offer o = { .profile = MIKEY_PROFILE_A, .rand = counting(0x10, 16), .media_at = hex("EFFF2105177A") };
	struct secret gsk = secret_from(counting(0xA0, 16)), salt = secret_from(counting(0xB0, 14)), g, s;
	uint8_t raw[512];
	struct buf b = BUF_OF(raw);
	struct bytes at;
	struct mikey m;

	for (int i = 0; i < 8; i++) {
		o.profile = i % 2 == 0 ? MIKEY_PROFILE_A : MIKEY_PROFILE_B;
		o.sp = i % 4 < 2 ? (struct bytes){ 0 } : mikey_sp_aes_cm_sha1_80;
		o.sender_uri = o.receiver_uri = i < 4 ? (struct bytes){ 0 } : BYTES_STR("sip:fire@example.org");
		b.len = 0;
		ck_assert_int_eq(mikey_psk_build(counting(0, 16), &o, &gsk, &salt, &b), OK);
		ck_assert_int_eq(mikey_parse(buf_bytes(&b), &m), OK);
		ck_assert_int_eq(mikey_psk_media_at(&m, &at), OK);
		ck_assert(bytes_equal(at, o.media_at));
		for (size_t k = 0; k < b.len; k++) {
			raw[k] ^= 1;
			ck_assert(mikey_parse(buf_bytes(&b), &m) != OK || mikey_psk_open(counting(0, 16), &m, &g, &s) != OK);
			raw[k] ^= 1;
		}
	}
	ck_assert_int_eq(mikey_parse(buf_bytes(&b), &m), OK);
	m.ext[m.ext_count - 1].data.n--;
	ck_assert_int_eq(mikey_psk_media_at(&m, &at), ERR_MALFORMED);
	m.ext[m.ext_count - 1].data = BYTES_STR("another's");
	ck_assert_int_eq(mikey_psk_media_at(&m, &at), ERR_NOT_FOUND);
	m.ext[m.ext_count - 1].data.n = 3;
	ck_assert_int_eq(mikey_psk_media_at(&m, &at), ERR_NOT_FOUND);
	m.ext_count = 0;
	ck_assert_int_eq(mikey_psk_media_at(&m, &at), ERR_NOT_FOUND);
}
END_TEST

#define KMS_OPEN "<KmsRequest xmlns=\"urn:3gpp:ns:mcsecKMSInterface:1.0\" Version=\"1.0.0\">"
#define KMS_FIELDS "<UserUri>sip:a@b</UserUri><KmsUri>kms.example.org</KmsUri><Time>2026-11-21T12:00:00.123Z</Time>"

/* KMS messages: what is written is read again; what is not known is passed over; everything that XML can be bad for is refused.
 */
START_TEST(kms_messages)
{
	static const char *const bad[] = { "", "<", "<KmsRequest/>", KMS_OPEN "</KmsRequest>",
		"<KmsRequest xmlns=\"urn:other\">" KMS_FIELDS "</KmsRequest>",
		KMS_OPEN KMS_FIELDS "<UserUri>sip:c@d</UserUri></KmsRequest>",
		KMS_OPEN "<UserUri>sip:a@b<x/></UserUri><KmsUri>k</KmsUri><Time>2026-11-21T12:00:00Z</Time></KmsRequest>",
		KMS_OPEN "<UserUri>sip:a@b</UserUri><KmsUri>k</KmsUri><Time>yesterday</Time></KmsRequest>",
		KMS_OPEN "<UserUri>sip:a@b</UserUri><KmsUri>k</KmsUri><Time>0586-01-15T08:00:00Z</Time></KmsRequest>",
		KMS_OPEN KMS_FIELDS "what the schema does not have</KmsRequest>",
		KMS_OPEN KMS_FIELDS "<KmsMessage/></KmsRequest>",
		KMS_OPEN "<UserUri>sip:a@b</UserUri><KmsUri>k</KmsUri><Time>2026-11-21T12:00:00+01:00</Time></KmsRequest>",
		"<!DOCTYPE KmsRequest [<!ENTITY a \"sip:a@b\">]>" KMS_OPEN "<UserUri>&a;</UserUri><KmsUri>k</KmsUri>"
		"<Time>2026-11-21T12:00:00Z</Time></KmsRequest>",
		"<!DOCTYPE l [<!ENTITY l0 \"l\"><!ENTITY l1 \"&l0;&l0;&l0;&l0;&l0;&l0;&l0;&l0;&l0;&l0;\"><!ENTITY l2 "
		"\"&l1;&l1;&l1;&l1;&l1;&l1;&l1;&l1;&l1;&l1;\">]><l>&l2;</l>",
		"<!DOCTYPE KmsRequest SYSTEM \"file:///etc/passwd\">" KMS_OPEN KMS_FIELDS "</KmsRequest>" };
	static uint8_t raw[KMS_XML_MAX + 10];
	struct buf b = BUF_OF(raw);
	struct kms_request q = { "sip:a@b", "kms.example.org", "https://x/<&\"", 1795262400, 1541 }, again;
	enum kms_message m;
	char deep[4000];
	size_t n = 0;

	ck_assert_int_eq(kms_request_put(&q, &b), OK);
	ck_assert_int_eq(kms_request_parse(exact_copy(buf_bytes(&b)), &again), OK);
	ck_assert_mem_eq(&q, &again, sizeof q);
	for (size_t i = 0; i < b.len - 1; i++)
		ck_assert_int_ne(kms_request_parse(exact_copy((struct bytes){ raw, i }), &again), OK);
	ck_assert_int_eq(kms_request_parse(BYTES_STR(KMS_OPEN "<New>1</New>" KMS_FIELDS "</KmsRequest>"), &again), OK);
	ck_assert_uint_eq(again.time, 1795262400);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		ck_assert_msg(kms_request_parse(bytes_str(bad[i]), &again) == ERR_MALFORMED, "%s", bad[i]);
	while (n < sizeof deep - 10)
		n += (size_t)sprintf(deep + n, "<a>");
	ck_assert_int_eq(kms_request_parse((struct bytes){ (uint8_t *)deep, n }, &again), ERR_MALFORMED);
	memset(raw, ' ', sizeof raw);
	ck_assert_int_eq(kms_request_parse((struct bytes){ raw, sizeof raw }, &again), ERR_MALFORMED);

	q.client_url[0] = 0; /* what is not there is left out, not written empty */
	b = BUF_OF(raw);
	ck_assert_int_eq(kms_request_put(&q, &b), OK);
	ck_assert_int_eq(kms_request_parse(buf_bytes(&b), &again), OK);
	ck_assert_int_eq(kms_message_of("/keymanagement/identity/v1/keyprov", &m), OK);
	ck_assert_int_eq(m, KMS_KEY_PROVISION);
	ck_assert_int_eq(kms_message_of("/keymanagement/identity/v1/keyprov/", &m), ERR_NOT_FOUND);
}
END_TEST

static const struct kms_certificate_info certificate = { "k", "", 2592000, 100, { 4, 1 }, { 4, 2 } },
                                         external = { "kms.police.example", "police.example", 86400, 0, { 4, 3 }, { 4, 4 },
	                                         { "k", 1795262000, 1795263000, false }, KMS_EXTERNAL };

static struct kms_response a_response(enum kms_message kind)
{
	return (struct kms_response){ .user_uri = "sip:a@b",
		.kms_uri = "k",
		.client_url = "c",
		.time = 1795262400,
		.kind = kind,
		.certificate = { certificate, external },
		.certificates = 2,
		.period_number = 1541,
		.user_id = counting(1, 32),
		.transport_keys = kind == KMS_INIT ? counting(3, 60) : (struct bytes){ 0 },
		.objects = counting(7, 61) };
}

START_TEST(kms_responses)
{
	static uint8_t raw[KMS_XML_MAX];
	static struct kms_received got;
	struct buf b = BUF_OF(raw);
	struct kms_response r;
	struct kms_certificate_info c;

	for (enum kms_message kind = KMS_INIT; kind <= KMS_CERTIFICATES; kind++) {
		r = a_response(kind);
		b.len = 0;
		ck_assert_int_eq(kms_response_put(&r, NULL, &b), OK);
		ck_assert_int_eq(kms_response_parse(exact_copy(buf_bytes(&b)), &got), OK);
		ck_assert_int_eq(got.response.kind, kind);
		ck_assert(bytes_equal(got.response.objects, r.objects));
		ck_assert(bytes_equal(got.response.transport_keys, r.transport_keys));
		ck_assert_uint_eq(got.response.period_number, kind == KMS_KEY_PROVISION ? 1541 : 0);
		ck_assert_str_eq(got.response.error, "");
		ck_assert(!got.is_signed);
	}
	r = a_response(KMS_INIT);
	(void)snprintf(r.error, sizeof r.error, "no");
	b.len = 0;
	ck_assert_int_eq(kms_response_put(&r, NULL, &b), OK);
	ck_assert_int_eq(kms_response_parse(buf_bytes(&b), &got), OK);
	ck_assert_str_eq(got.response.error, "no");
	ck_assert_uint_eq(got.response.objects.n, 0);
	for (int i = 0; i < 2; i++) {
		b.len = 0;
		ck_assert_int_eq(kms_certificate_put(i == 0 ? &certificate : &external, &b), OK);
		ck_assert_int_eq(kms_certificate_parse(exact_copy(buf_bytes(&b)), &c), OK);
		ck_assert_mem_eq(&c, i == 0 ? &certificate : &external, sizeof c);
	}
	c = certificate;
	c.offset = c.period; /* of no period */
	b.len = 0;
	ck_assert_int_eq(kms_certificate_put(&c, &b), OK);
	ck_assert_int_eq(kms_certificate_parse(buf_bytes(&b), &c), ERR_MALFORMED);
}
END_TEST

/* In text, what stands for what; the length of the result. */
static size_t replaced(struct bytes text, const char *old, const char *new, char *out)
{
	const char *at = memmem(text.p, text.n, old, strlen(old));
	size_t before;

	ck_assert_msg(at != NULL, "%s", old);
	before = (size_t)(at - (const char *)text.p);
	memcpy(out, text.p, before);
	memcpy(out + before, new, strlen(new));
	memcpy(out + before + strlen(new), at + strlen(old), text.n - before - strlen(old));
	return text.n - strlen(old) + strlen(new);
}

/* XML signatures of responses: every octet of the response counts, and the signature has one form. Whoever has the key accepts
 * it; xmlsec1 does, too (tests/e2e/kms). */
START_TEST(kms_signatures)
{
	static const struct {
		const char *old, *new;
		enum status expected;
	} changes[] = {
		{ ">sip:a@b<", ">sip:A@b<", ERR_CRYPTO },
		{ "<KmsUri>", "<KmsUri >", OK }, /* not in the canonical form */
		{ "<UserUri>", "<!-- a comment --><UserUri>", OK },
		{ "<UserUri>", " <UserUri>", ERR_CRYPTO },
		{ "Id=\"response\"", "Id=\"other\"", ERR_MALFORMED },
		{ "<KmsMessage>", "<New/><KmsMessage>", ERR_CRYPTO },
		{ "hmac-sha256\"/>", "hmac-sha256\"><HMACOutputLength>8</HMACOutputLength></SignatureMethod>", ERR_MALFORMED },
		{ "xmldsig-more#hmac-sha256", "xmldsig#hmac-sha1", ERR_MALFORMED },
		{ "<Transforms>", "<Transforms><Transform Algorithm=\"http://www.w3.org/TR/1999/REC-xpath-19991116\"/>",
		        ERR_MALFORMED },
		{ "URI=\"#response\"", "URI=\"\"", ERR_MALFORMED },
		{ "</SignedInfo>", "<Reference/></SignedInfo>", ERR_MALFORMED },
		{ "<DigestValue>", "<DigestValue>A", ERR_CRYPTO },
		{ "ink.7.", "trk.7.", ERR_MALFORMED },
		{ "ink.7.", "ink.700.", ERR_MALFORMED },
		{ "ink.7.", "ink..", ERR_MALFORMED },
		{ "ink.7.", "ink.4294967303.", ERR_MALFORMED },       /* 7 in 32 bits */
		{ "</KeyInfo>", "<RetrievalMethod/></KeyInfo>", OK }, /* passed over */
		{ "<SignatureValue>", "<SignatureValue>AAAA", ERR_MALFORMED },
		{ "<Signature ", "<Signature2 ", ERR_MALFORMED },
		/* The signed response wrapped away, and another in its place. */
		{ "<KmsResponse ", "<KmsResponse Id=\"response\"/><KmsResponse ", ERR_MALFORMED },
	};
	static uint8_t raw[KMS_XML_MAX];
	static char changed[KMS_XML_MAX];
	static struct kms_received got;
	const struct kms_integrity_key k = { 7, counting(9, 32) };
	struct kms_response r = a_response(KMS_INIT);
	struct buf b = BUF_OF(raw);
	uint8_t mac[32];
	struct bytes info;

	ck_assert_int_eq(kms_response_put(&r, &k, &b), OK);
	ck_assert_int_eq(kms_response_parse(exact_copy(buf_bytes(&b)), &got), OK);
	ck_assert(got.is_signed && got.trk_id == 7 && bytes_equal(got.response.objects, r.objects));
	info = (struct bytes){ got.signature.signed_info, got.signature.signed_info_len };
	ck_assert_int_eq(hmac_sha256(k.key, &info, 1, mac), OK);
	ck_assert_mem_eq(mac, got.signature.value, sizeof mac);
	ck_assert(memcmp(info.p, "<SignedInfo xmlns=", 18) == 0); /* never the start of what else InK signs */
	for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
		size_t n = replaced(buf_bytes(&b), changes[i].old, changes[i].new, changed);
		enum status st = kms_response_parse(exact_copy((struct bytes){ (uint8_t *)changed, n }), &got);

		ck_assert_msg(st == changes[i].expected, "%s -> %s: %d", changes[i].old, changes[i].new, (int)st);
	}
	for (size_t i = 0; i < b.len - 1; i++)
		ck_assert_int_ne(kms_response_parse(exact_copy((struct bytes){ raw, i }), &got), OK);
}
END_TEST

Suite *suite_mikey(void)
{
	Suite *s = suite_create("mikey");
	TCase *t = tcase_create("mikey");

	tcase_add_test(t, prf_matches_the_published_values);
	tcase_add_test(t, uids_match_the_published_values);
	tcase_add_test(t, profiles_a_and_b_match_their_vectors);
	tcase_add_test(t, rfc_3830_messages_authenticate);
	tcase_add_test(t, i_messages_verify_and_decapsulate);
	tcase_add_test(t, third_party_messages_open);
	tcase_add_test(t, key_parameters_round_trip);
	tcase_add_test(t, truncated_messages_are_refused);
	tcase_add_test(t, sdp_round_trips);
	tcase_add_test(t, media_are_where_the_mac_says);
	tcase_add_test(t, ntp_turns_over_in_2036);
	tcase_add_test(t, kms_messages);
	tcase_add_test(t, kms_responses);
	tcase_add_test(t, kms_signatures);
	suite_add_tcase(s, t);
	return s;
}
