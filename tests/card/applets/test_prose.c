/* SPDX-License-Identifier: Apache-2.0 */
/* The ProSe applet against the operator's real code, in process: provisioning makes, the card takes or refuses. */
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apdu/prose.h"
#include "apdu/tlv.h"
#include "crypto/common/hash.h"
#include "crypto/guarded/seal.h"
#include "protocols/mikey/message.h"
#include "tests/support/operator.h"

enum { GMKS_MAX = 4 }; /* of a group, on the card */

static unsigned start(struct rig *r, uint64_t now)
{
	uint8_t raw[256];
	struct buf b = BUF_OF(raw);

	tlv_put_uint(&b, TAG_TIME, 8, now);
	tlv_put(&b, TAG_GROUP_URI, BYTES_STR(GROUP));
	tlv_put_uint(&b, TAG_SSRC, 4, 0x01020304);
	return rig_prose(r, INS_PROSE_START_SESSION, 0, buf_bytes(&b));
}

START_TEST(provisioning_order_and_replays)
{
	struct rig *r = known_card();
	struct bytes all = issue(ALICE, NOW), second = all;
	struct tlv t;

	ck_assert_int_eq(tlv_next(&second, &t), OK);
	ck_assert_uint_eq(install(r, second), SW_PROSE_NOT_PROVISIONED); /* key set before certificate */
	ck_assert_uint_eq(install(r, all), 0x9000);
	ck_assert_uint_eq(install(r, all), SW_PROSE_REPLAY);
	rig_reboot(r);
	ck_assert_uint_eq(install(r, all), SW_PROSE_REPLAY);
	all = issue(ALICE, NOW);
	r->card.env.card_id[5] ^= 1;
	ck_assert_uint_eq(install(r, all), SW_PROSE_RECIPIENT);
	r->card.env.card_id[5] ^= 1;
	object_memory[objects.len - 1] ^= 1;
	ck_assert_uint_eq(install(r, second = all), SW_PROSE_SIGNATURE);
	rig_free(&r);
	covers("R-076");
	covers("R-118");
}
END_TEST

/* New transport keys: from then on the old ones open nothing; at each write that loses power, old or new. */
static unsigned adhoc(struct rig *r, enum prose_adhoc what, const char *group, uint32_t tag, const char *uri, uint64_t until)
{
	uint8_t raw[400];
	struct buf b = BUF_OF(raw);

	tlv_put_uint(&b, TAG_TIME, 8, NOW + 10);
	tlv_put(&b, TAG_GROUP_URI, bytes_str(group));
	if (uri != NULL)
		tlv_put(&b, tag, bytes_str(uri));
	if (until != 0)
		tlv_put_uint(&b, TAG_NOT_AFTER, 8, until);
	return rig_prose(r, INS_PROSE_ADHOC, (uint8_t)what, buf_bytes(&b));
}

/* An ad-hoc group: made, invited to, accepted; kept apart from the network's groups and keys. */
START_TEST(adhoc_groups)
{
	static const char party[] = "sip:party@example.org";
	struct rig *r = known_card();
	uint8_t message[MIKEY_MESSAGE_MAX], sealed_raw[600];
	struct buf keep = BUF_OF(message), sealed = BUF_OF(sealed_raw);
	struct db_group g = {
		.uri = "sip:party@example.org", .manager_uri = "sip:gms@example.org", .policy = GROUP_POLICY_SIGN
	};
	struct bytes m, id;

	ck_assert_uint_eq(adhoc(r, ADHOC_CREATE, party, 0, NULL, NOW + 1000), SW_PROSE_NOT_PROVISIONED);
	provision(r);
	ck_assert_uint_eq(adhoc(r, ADHOC_CREATE, party, 0, NULL, NOW), SW_PROSE_TIME);
	ck_assert_uint_eq(adhoc(r, ADHOC_CREATE, party, 0, NULL, NOW + 31 * 86400), SW_PROSE_TIME);
	ck_assert_uint_eq(adhoc(r, ADHOC_CREATE, party, 0, NULL, 0), 0x6A80);
	ck_assert_uint_eq(
	        adhoc(r, ADHOC_CREATE, GROUP, 0, NULL, NOW + 1000), SW_PROSE_POLICY); /* the network's stays the network's */
	ck_assert_uint_eq(adhoc(r, ADHOC_ACCEPT, GROUP, TAG_SENDER_URI, BOB, 0), SW_PROSE_POLICY);
	ck_assert_uint_eq(adhoc(r, ADHOC_INVITE, GROUP, TAG_USER_URI, BOB, 0), SW_PROSE_POLICY);
	ck_assert_uint_eq(adhoc(r, ADHOC_INVITE, party, TAG_USER_URI, BOB, 0), SW_PROSE_NO_KEY);
	ck_assert_uint_eq(adhoc(r, ADHOC_CREATE, party, 0, NULL, NOW + 1000), 0x9000);
	ck_assert_int_eq(tlv_find(rig_data(), TAG_GMK_ID, &id), OK);
	ck_assert_uint_eq(bytes_uint(id) >> 27, 1);
	ck_assert_uint_eq(adhoc(r, ADHOC_INVITE, party, TAG_USER_URI, ALICE, 0), 0x9000);
	ck_assert_int_eq(tlv_find(rig_data(), TAG_MESSAGE, &m), OK);
	buf_put(&keep, m);
	ck_assert_uint_eq(import(r, NOW + 20, buf_bytes(&keep)), SW_PROSE_REPLAY); /* to herself: it is there */
	message[keep.len - 10] ^= 1;
	ck_assert_uint_eq(import(r, NOW + 20, buf_bytes(&keep)), SW_PROSE_SIGNATURE);
	/* another signer: the old one's keys go with him, and he is nobody any more */
	ck_assert_uint_eq(adhoc(r, ADHOC_ACCEPT, party, TAG_SENDER_URI, BOB, 0), 0x9000);
	ck_assert_uint_eq(adhoc(r, ADHOC_INVITE, party, TAG_USER_URI, BOB, 0), SW_PROSE_POLICY);
	message[keep.len - 10] ^= 1;
	ck_assert_uint_eq(import(r, NOW + 20, buf_bytes(&keep)), SW_PROSE_SIGNER);
	/* the network makes a group of that name: nothing of the ad-hoc one is left */
	ck_assert_uint_eq(adhoc(r, ADHOC_ACCEPT, party, TAG_SENDER_URI, ALICE, 0), 0x9000);
	ck_assert_uint_eq(adhoc(r, ADHOC_CREATE, party, 0, NULL, NOW + 1000), 0x9000);
	ck_assert_int_eq(db_group_add(db, &g), OK);
	ck_assert_int_eq(group_record(db, party, ALICE, 1, &sealed), OK);
	ck_assert_uint_eq(install(r, buf_bytes(&sealed)), 0x9000);
	ck_assert_uint_eq(adhoc(r, ADHOC_CREATE, party, 0, NULL, NOW + 1000), SW_PROSE_POLICY);
	ck_assert_uint_eq(rig_prose(r, INS_PROSE_LIST, PROSE_LIST_GMKS, (struct bytes){ 0 }), 0x9000);
	ck_assert_uint_eq(rig_data().n, 0);
	rig_free(&r);
	covers("R-093");
	covers("R-095");
}
END_TEST

static struct bytes signer_object(enum sealed_kind kind, struct bytes payload)
{
	objects = BUF_OF(object_memory);
	ck_assert_int_eq(
	        operator_seal(db, ICCID_1, kind, BYTES_STR("sip:gms@example.org"), 0, UINT64_MAX, payload, &objects), OK);
	return buf_bytes(&objects);
}

/* A card that has the keys of the group's signer makes the group's keys; without them, after its period, and with a key that is
 * not what it says, it does not. */
START_TEST(a_group_is_managed_from_a_card)
{
	struct rig *r = known_card();
	uint8_t raw[600], copy[2048];
	struct buf payload = BUF_OF(raw), sealed = BUF_OF(copy);
	struct bytes id, m;
	struct db_kms k;
	struct secret_large keys = { 0 };

	provision(r);
	ck_assert_uint_eq(adhoc(r, ADHOC_CREATE, GROUP, 0, NULL, NOW + 1000), SW_PROSE_POLICY);
	ck_assert_int_eq(db_kms_get(db, &k, &keys), OK);
	/* a signer without SSK, with an SSK that is not its own, a user's key set without RSK */
	tlv_put(&payload, KEYSET_USER_URI, BYTES_STR("sip:gms@example.org"));
	tlv_put_uint(&payload, KEYSET_PERIOD_NUMBER, 8, 1);
	ck_assert_uint_eq(install(r, signer_object(SEALED_GROUP_SIGNER, buf_bytes(&payload))), 0x6A88);
	tlv_put(&payload, KEYSET_SSK, (struct bytes){ (const uint8_t *)"an SSK that belongs to nobody...", 32 });
	tlv_put(&payload, KEYSET_PVT, (struct bytes){ keys.data + 128 + 32 + 257, 65 }); /* a point on the curve: KPAK */
	ck_assert_uint_eq(install(r, signer_object(SEALED_GROUP_SIGNER, buf_bytes(&payload))), SW_PROSE_SIGNATURE);
	ck_assert_uint_eq(install(r, signer_object(SEALED_KEY_SET, buf_bytes(&payload))), 0x6A80);
	ck_assert_int_eq(group_delegate(db, GROUP, ALICE, NOW, &sealed), OK);
	r->store.writes = 0; /* power fails: nothing is there, and it comes again */
	r->store.cut_after = 0;
	ck_assert_uint_eq(install(r, buf_bytes(&sealed)), 0x6581);
	r->store.cut_after = -1;
	rig_reboot(r);
	ck_assert_uint_eq(adhoc(r, ADHOC_CREATE, GROUP, 0, NULL, NOW + 1000), SW_PROSE_POLICY);
	ck_assert_uint_eq(install(r, buf_bytes(&sealed)), 0x9000);
	ck_assert_uint_eq(install(r, buf_bytes(&sealed)), SW_PROSE_REPLAY);
	ck_assert_uint_eq(adhoc(r, ADHOC_INVITE, GROUP, TAG_USER_URI, BOB, 0), SW_PROSE_EXPIRED); /* no key yet */
	ck_assert_uint_eq(adhoc(r, ADHOC_CREATE, GROUP, 0, NULL, NOW + 1000), 0x9000);
	ck_assert_int_eq(tlv_find(rig_data(), TAG_GMK_ID, &id), OK);
	ck_assert_uint_eq(bytes_uint(id) >> 27, 0);
	ck_assert_uint_eq(start(r, NOW + 10), 0x9000);
	ck_assert_uint_eq(adhoc(r, ADHOC_INVITE, GROUP, TAG_USER_URI, ALICE, 0), 0x9000);
	ck_assert_int_eq(tlv_find(rig_data(), TAG_MESSAGE, &m), OK);
	sealed = BUF_OF(copy);
	buf_put(&sealed, m);
	ck_assert_uint_eq(import(r, NOW + 20, buf_bytes(&sealed)), SW_PROSE_REPLAY);
	/* the next period: its key sets are there, the signer's keys are not */
	ck_assert_uint_eq(install(r, issue(ALICE, NOW + k.period)), 0x9000);
	ck_assert_uint_eq(
	        rig_prose(r, INS_PROSE_ADHOC, ADHOC_CREATE, with_time(NOW + k.period, TAG_GROUP_URI, BYTES_STR(GROUP))),
	        0x6A80);
	payload = BUF_OF(raw);
	tlv_put_uint(&payload, TAG_TIME, 8, NOW + k.period);
	tlv_put(&payload, TAG_GROUP_URI, BYTES_STR(GROUP));
	tlv_put_uint(&payload, TAG_NOT_AFTER, 8, NOW + k.period + 1000);
	ck_assert_uint_eq(rig_prose(r, INS_PROSE_ADHOC, ADHOC_CREATE, buf_bytes(&payload)), SW_PROSE_POLICY);
	secret_large_wipe(&keys);
	rig_free(&r);
	covers("R-131");
}
END_TEST

/* Another agency's KMS: never in the place of our own, with a domain, and not any number of them. */
START_TEST(external_kms_certificates)
{
	struct rig *r = known_card();
	uint8_t raw[600];
	struct buf b = BUF_OF(raw);
	struct secret_large keys = { 0 };
	struct db_kms k;
	char uri[40];

	ck_assert_uint_eq(install(r, signer_object(SEALED_EXTERNAL_KMS, BYTES_STR("\x80\x01x"))), SW_PROSE_NOT_PROVISIONED);
	provision(r);
	ck_assert_int_eq(db_kms_get(db, &k, &keys), OK);
	for (int i = 0; i < 12; i++) {
		const bool own = i == 0, without_domain = i == 1;

		(void)snprintf(uri, sizeof uri, "kms%d.example.net", i);
		b = BUF_OF(raw);
		tlv_put(&b, KMSC_URI, bytes_str(own ? k.uri : uri));
		tlv_put(&b, KMSC_Z, (struct bytes){ keys.data + 128 + 32, 257 });
		tlv_put(&b, KMSC_KPAK, (struct bytes){ keys.data + 128 + 32 + 257, 65 });
		tlv_put_uint(&b, KMSC_PERIOD, 8, 86400);
		tlv_put_uint(&b, KMSC_OFFSET, 8, 0);
		if (!without_domain)
			tlv_put(&b, KMSC_DOMAIN, bytes_str(uri));
		ck_assert_uint_eq(install(r, signer_object(SEALED_EXTERNAL_KMS, buf_bytes(&b))), own || without_domain ? 0x6A80
		                                                                                 : i < 10              ? 0x9000
		                                                                                          : 0x6A84);
	}
	/* Our own group manager's messages are as good as before. */
	ck_assert_uint_eq(import(r, NOW + 20, rekey(NOW, NOW, NOW + 1000)), 0x9000);
	secret_large_wipe(&keys);
	rig_free(&r);
}
END_TEST

/* The key for a certificate: made once, whole or not at all, and what it signs is right by OpenSSL. */
START_TEST(a_certificate_key)
{
	struct rig *r = known_card();
	uint8_t raw[40], hash[32] = { 1, 2, 3 }, point[65], der[80];
	struct buf b = BUF_OF(raw), nothing = BUF_OF(der);
	struct bytes v;
	EVP_PKEY *key = NULL;
	EVP_PKEY_CTX *c;
	OSSL_PARAM params[3];
	ECDSA_SIG *signature;
	unsigned char *out = NULL;
	int n;

	tlv_put(&b, TAG_HASH, BYTES_OF(hash));
	tlv_put(&nothing, TAG_HASH, (struct bytes){ hash, 0 });
	ck_assert_uint_eq(rig_prose(r, INS_PROSE_CERTIFICATE, CERTIFICATE_SIGN, buf_bytes(&b)), SW_PROSE_NO_KEY);
	r->store.writes = 0;
	r->store.cut_after = 0;
	ck_assert_uint_eq(rig_prose(r, INS_PROSE_CERTIFICATE, CERTIFICATE_KEY, buf_bytes(&nothing)), 0x6581);
	r->store.cut_after = -1;
	rig_reboot(r);
	ck_assert_uint_eq(rig_prose(r, INS_PROSE_CERTIFICATE, CERTIFICATE_SIGN, buf_bytes(&b)), SW_PROSE_NO_KEY);
	ck_assert_uint_eq(rig_prose(r, INS_PROSE_CERTIFICATE, CERTIFICATE_KEY, buf_bytes(&nothing)), 0x9000);
	ck_assert_int_eq(tlv_find(rig_data(), TAG_PUBLIC_KEY, &v), OK);
	ck_assert_uint_eq(v.n, sizeof point);
	memcpy(point, v.p, v.n);
	rig_reboot(r);
	ck_assert_uint_eq(rig_prose(r, INS_PROSE_CERTIFICATE, CERTIFICATE_KEY, buf_bytes(&nothing)), 0x9000);
	ck_assert_int_eq(tlv_find(rig_data(), TAG_PUBLIC_KEY, &v), OK);
	ck_assert(bytes_equal(v, BYTES_OF(point)));
	ck_assert_uint_eq(rig_prose(r, INS_PROSE_CERTIFICATE, CERTIFICATE_SIGN, buf_bytes(&nothing)), 0x6A80);
	ck_assert_uint_eq(rig_prose(r, INS_PROSE_CERTIFICATE, 3, buf_bytes(&b)), 0x6A86);
	ck_assert_uint_eq(rig_prose(r, INS_PROSE_CERTIFICATE, CERTIFICATE_SIGN, buf_bytes(&b)), 0x9000);
	ck_assert_int_eq(tlv_find(rig_data(), TAG_SIGNATURE, &v), OK);
	ck_assert_uint_eq(v.n, 64);

	signature = ECDSA_SIG_new();
	ck_assert_int_eq(ECDSA_SIG_set0(signature, BN_bin2bn(v.p, 32, NULL), BN_bin2bn(v.p + 32, 32, NULL)), 1);
	n = i2d_ECDSA_SIG(signature, &out);
	params[0] = OSSL_PARAM_construct_utf8_string("group", (char[]){ "P-256" }, 0);
	params[1] = OSSL_PARAM_construct_octet_string("pub", point, sizeof point);
	params[2] = OSSL_PARAM_construct_end();
	c = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	ck_assert_int_eq(EVP_PKEY_fromdata_init(c), 1);
	ck_assert_int_eq(EVP_PKEY_fromdata(c, &key, EVP_PKEY_PUBLIC_KEY, params), 1);
	EVP_PKEY_CTX_free(c);
	c = EVP_PKEY_CTX_new(key, NULL);
	ck_assert_int_eq(EVP_PKEY_verify_init(c), 1);
	ck_assert_int_eq(EVP_PKEY_verify(c, out, (size_t)n, hash, sizeof hash), 1);
	hash[0] ^= 1;
	ck_assert_int_ne(EVP_PKEY_verify(c, out, (size_t)n, hash, sizeof hash), 1);
	EVP_PKEY_CTX_free(c);
	EVP_PKEY_free(key);
	OPENSSL_free(out);
	ECDSA_SIG_free(signature);
	rig_free(&r);
}
END_TEST

/* A PLMN's permission: listed as it is, taken back, not without a PLMN that is one, and not any number of them. */
START_TEST(permissions_of_plmns)
{
	struct rig *r = known_card();
	uint8_t raw[200];
	char plmn[8];

	for (unsigned i = 0; i < PERMISSIONS_MAX + 2; i++) {
		struct buf b = BUF_OF(raw);

		(void)snprintf(plmn, sizeof plmn, "%05u", 26200 + i);
		tlv_put(&b, PERMISSION_PLMN, bytes_str(plmn));
		tlv_put_uint(&b, PERMISSION_RIGHTS, 1, PERMISSION_MONITOR);
		ck_assert_uint_eq(permit(r, plmn, PERMISSION_MONITOR, 0, 77), i < PERMISSIONS_MAX ? 0x9000 : 0x6A84);
		objects = BUF_OF(object_memory); /* its name says another PLMN */
		ck_assert_int_eq(
		        operator_seal(db, ICCID_1, SEALED_PERMISSION, BYTES_STR("26299"), 0, 77, buf_bytes(&b), &objects), OK);
		ck_assert_uint_eq(install(r, buf_bytes(&objects)), 0x6A80);
	}
	ck_assert_uint_eq(rig_prose(r, INS_PROSE_LIST, PROSE_LIST_PERMISSIONS, (struct bytes){ 0 }), 0x9000);
	ck_assert_uint_eq(rig_data().n, PERMISSIONS_MAX * 23);
	ck_assert(bytes_equal((struct bytes){ rig_data().p, 23 }, hex("A0159F2005323632303091010285080000000000000"
	                                                              "04D")));
	rig_free(&r);
}
END_TEST

/* The signature of a KMS's response: the card, which has InK, says yes or no, and nothing else happens. */
START_TEST(signatures_are_checked_by_the_card)
{
	static const struct {
		uint8_t id;
		size_t mac_len, flipped; /* 32: no octet */
		unsigned sw;
	} cases[] = {
		{ 1, 32, 32, 0x9000 }, { 1, 32, 0, SW_PROSE_SIGNATURE }, { 1, 32, 31, SW_PROSE_SIGNATURE },
		{ 1, 16, 32, 0x6A80 }, /* shorter is not as good */
		{ 1, 0, 32, 0x6A80 }, { 2, 32, 32, SW_PROSE_NO_KEY },
		{ SEALED_TRK_GBA, 32, 32, SW_PROSE_NO_KEY }, /* no server was named */
	};
	struct rig *r = known_card();
	const struct bytes message = BYTES_STR("<SignedInfo xmlns=\"http://www.w3.org/2000/09/xmldsig#\">");
	SEAL_KEYS k = { 0 };
	size_t rows = r->store.count;

	ck_assert_int_eq(operator_seal_keys(db, ICCID_1, &k), OK);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint8_t raw[200], mac[SHA256_LEN + 1];
		struct buf b = BUF_OF(raw);

		ck_assert_int_eq(hmac_sha256(secret_bytes(&k.ink), &message, 1, mac), OK);
		mac[cases[i].flipped] ^= 1;
		tlv_put_uint(&b, TAG_TRK_ID, 1, cases[i].id);
		tlv_put(&b, TAG_MESSAGE, message);
		tlv_put(&b, TAG_SIGNATURE, (struct bytes){ mac, cases[i].mac_len });
		ck_assert_uint_eq(rig_prose(r, INS_PROSE_CHECK, 0, buf_bytes(&b)), cases[i].sw);
		ck_assert_uint_eq(rig_data().n, 0);
		ck_assert_uint_eq(rig_prose(r, INS_PROSE_CHECK, 1, buf_bytes(&b)), 0x6A86);
	}
	ck_assert_uint_eq(r->store.count, rows);
	rig_free(&r);
}
END_TEST

static unsigned put_group(struct rig *r, unsigned policy, const char *member)
{
	uint8_t raw[300], sealed_raw[700];
	struct buf b = BUF_OF(raw), sealed = BUF_OF(sealed_raw);

	tlv_put(&b, GROUP_URI, BYTES_STR(GROUP));
	tlv_put(&b, GROUP_SIGNER_URI, BYTES_STR("groups.example.org"));
	tlv_put_uint(&b, GROUP_POLICY, 1, policy);
	if (member != NULL)
		tlv_put(&b, GROUP_MEMBER_URI, bytes_str(member));
	ck_assert_int_eq(operator_seal(db, ICCID_1, SEALED_GROUP, BYTES_STR(GROUP), 0, UINT64_MAX, buf_bytes(&b), &sealed), OK);
	return install(r, buf_bytes(&sealed));
}

/* A card without any keys of a KMS talks in a group whose key was pushed, as the member whom the record names; it cannot sign,
 * and where nobody is named it does not talk. */
START_TEST(members_without_key_sets)
{
	struct rig *r = known_card();
	uint8_t raw[200], sealed_raw[700];
	struct buf b = BUF_OF(raw), sealed = BUF_OF(sealed_raw);
	struct bytes m;
	struct mikey offer;

	ck_assert_uint_eq(put_group(r, 0, NULL), 0x9000);
	tlv_put(&b, GROUP_KEY_URI, BYTES_STR(GROUP));
	tlv_put_uint(&b, GROUP_KEY_ID, 4, 0x01020304);
	tlv_put(&b, GROUP_KEY_GMK, BYTES_STR("0123456789abcdef"));
	tlv_put_uint(&b, GROUP_KEY_NOT_BEFORE, 8, NOW);
	tlv_put_uint(&b, GROUP_KEY_NOT_AFTER, 8, NOW + 86400);
	tlv_put_uint(&b, GROUP_KEY_MADE, 8, NOW);
	ck_assert_int_eq(
	        operator_seal(db, ICCID_1, SEALED_GROUP_KEY, BYTES_STR(GROUP), 0, UINT64_MAX, buf_bytes(&b), &sealed), OK);
	ck_assert_uint_eq(install(r, buf_bytes(&sealed)), 0x9000);
	ck_assert_uint_eq(start(r, NOW), SW_PROSE_NOT_PROVISIONED);
	ck_assert_uint_eq(put_group(r, GROUP_POLICY_SIGN, ALICE), 0x9000);
	ck_assert_uint_eq(start(r, NOW), SW_PROSE_NOT_PROVISIONED);
	ck_assert_uint_eq(put_group(r, 0, ALICE), 0x9000);
	ck_assert_uint_eq(start(r, NOW), 0x9000);
	ck_assert_int_eq(tlv_find(rig_data(), TAG_MESSAGE, &m), OK);
	ck_assert_int_eq(mikey_parse(m, &offer), OK);
	ck_assert(bytes_equal(offer.id[0], BYTES_STR(ALICE)));
	rig_free(&r);
}
END_TEST

START_TEST(transport_keys_are_replaced)
{
	struct rig *r = known_card();
	struct bytes old = issue(ALICE, NOW), before;
	uint8_t old_memory[4096], keys_raw[600];
	struct buf keys = BUF_OF(keys_raw), again = BUF_OF(old_memory);

	buf_put(&again, old); /* sealed under the first keys */
	ck_assert_int_eq(order_new_transport_keys(db, ICCID_1, 1, NULL, &keys), OK);
	before = issue(ALICE, NOW); /* under the second */
	ck_assert_uint_eq(install(r, before), SW_PROSE_NO_KEY);
	for (long cut = 0; cut < 2; cut++) {
		r->store.writes = 0;
		r->store.cut_after = cut;
		ck_assert_uint_eq(install(r, buf_bytes(&keys)), cut == 0 ? 0x6581 : 0x9000);
		r->store.cut_after = -1;
		rig_reboot(r);
		ck_assert_uint_eq(install(r, before), cut == 0 ? SW_PROSE_NO_KEY : 0x9000);
	}
	ck_assert_uint_eq(install(r, buf_bytes(&again)), SW_PROSE_NO_KEY);
	ck_assert_uint_eq(install(r, buf_bytes(&keys)), SW_PROSE_NO_KEY); /* the first keys' turn is over */
	keys.len = 0;
	ck_assert_int_eq(order_new_transport_keys(db, ICCID_1, 2, NULL, &keys), ERR_DENIED); /* one at a time */
	rig_free(&r);
}
END_TEST

START_TEST(gmk_messages_are_checked_before_they_are_opened)
{
	struct rig *r = known_card();
	struct store_mem before;
	struct bytes m;
	uint8_t changed[MIKEY_MESSAGE_MAX];

	provision(r);
	m = rekey(NOW, NOW, NOW + 1000);
	ck_assert_uint_eq(import(r, NOW - 100, m), SW_PROSE_TIME); /* from the future */
	store_mem_copy(&before, &r->store);
	for (size_t i = 0; i < m.n; i += 7) {
		unsigned sw;

		memcpy(changed, m.p, m.n);
		changed[i] ^= 0x01;
		sw = import(r, NOW, (struct bytes){ changed, m.n });
		ck_assert_msg(sw != 0x9000, "octet %zu may change", i);
		ck_assert(store_mem_equal(&before, &r->store));
	}
	ck_assert_uint_eq(import(r, NOW + 1001, m), SW_PROSE_EXPIRED);
	rig_reboot(r); /* the card has seen NOW + 1001, but nothing made it durable */
	ck_assert_uint_eq(import(r, NOW, m), 0x9000);
	ck_assert_uint_eq(import(r, NOW, m), SW_PROSE_REPLAY);
	rig_reboot(r);
	ck_assert_uint_eq(import(r, NOW, m), SW_PROSE_REPLAY);
	store_mem_free(&before);
	rig_free(&r);
	covers("R-003");
	covers("R-137");
	covers("R-142");
	covers("R-089");
}
END_TEST

START_TEST(another_members_message_and_another_signer_are_refused)
{
	struct rig *r = known_card();
	struct db_group other = { .uri = "sip:police@example.org", .manager_uri = "sip:mallory@example.org" };
	uint32_t id;

	provision(r);
	ck_assert_int_eq(db_user_set(db, BOB, ICCID_1), OK);
	ck_assert_int_eq(db_group_add(db, &other), OK);
	ck_assert_int_eq(db_member_set(db, other.uri, ALICE, true), OK);
	ck_assert_int_eq(group_rekey(db, other.uri, NOW, NOW, NOW + 10, keep_message, NULL, &id), OK);
	ck_assert_uint_eq(import(r, NOW, last_message), SW_PROSE_SIGNER);
	/* The same card with the key set of somebody else is not the recipient. */
	ck_assert_uint_eq(install(r, issue(BOB, NOW)), 0x9000);
	ck_assert_uint_eq(import(r, NOW, rekey(NOW, NOW, NOW + 10)), SW_PROSE_RECIPIENT);
	rig_free(&r);
	covers("R-002");
}
END_TEST

START_TEST(past_current_and_future_periods_are_held)
{
	struct rig *r = known_card();

	provision(r);
	ck_assert_uint_eq(permit(r, PERMISSION_OFF_NETWORK, PERMISSION_ANNOUNCE | PERMISSION_MONITOR, 0, UINT64_MAX), 0x9000);
	ck_assert_uint_eq(start(r, NOW), SW_PROSE_NO_KEY);
	ck_assert_uint_eq(import(r, NOW, rekey(NOW, NOW + 1000, NOW + 2000)), 0x9000); /* the future one first */
	ck_assert_uint_eq(start(r, NOW), SW_PROSE_EXPIRED);
	ck_assert_uint_eq(import(r, NOW, rekey(NOW - 10, NOW - 10, NOW + 1000)), 0x9000); /* older message, valid now */
	ck_assert_uint_eq(start(r, NOW), 0x9000);
	ck_assert_uint_eq(start(r, NOW + 1500), 0x9000);
	ck_assert_uint_eq(start(r, NOW + 2500), SW_PROSE_EXPIRED);
	/* The phone cannot turn its clock back past what the card has accepted; what it refused was nothing. */
	ck_assert_uint_eq(start(r, NOW), 0x9000);
	ck_assert_uint_eq(rig_pass(r, NOW + 2500), 0x9000);
	ck_assert_uint_eq(start(r, NOW), SW_PROSE_EXPIRED);
	rig_free(&r);
	covers("R-004");
	covers("R-090");
	covers("R-091");
	covers("R-144");
}
END_TEST

START_TEST(sessions_carry_the_same_key_to_both_ends)
{
	struct rig *r = known_card();
	uint8_t offer_raw[2048], gsk[16], id[8];
	struct buf offer = BUF_OF(offer_raw);
	struct bytes v;

	provision(r);
	ck_assert_uint_eq(import(r, NOW, rekey(NOW, NOW, NOW + 1000)), 0x9000);
	ck_assert_uint_eq(start(r, NOW), 0x9000);
	ck_assert_int_eq(tlv_find(rig_data(), TAG_MESSAGE, &v), OK);
	buf_put(&offer, v);
	ck_assert_int_eq(tlv_find(rig_data(), TAG_SESSION_ID, &v), OK);
	memcpy(id, v.p, 8);
	ck_assert_uint_eq(rig_prose(r, INS_PROSE_RELEASE_KEY, 0, hex("8600")), 0x6A88);
	{
		uint8_t raw[16];
		struct buf b = BUF_OF(raw);

		tlv_put(&b, TAG_SESSION_ID, BYTES_OF(id));
		ck_assert_uint_eq(rig_prose(r, INS_PROSE_RELEASE_KEY, 0, buf_bytes(&b)), 0x9000);
	}
	ck_assert_int_eq(tlv_find(rig_data(), TAG_GSK, &v), OK);
	memcpy(gsk, v.p, 16);
	/* Joined, known, too late, changed. */
	ck_assert_uint_eq(rig_prose(r, INS_PROSE_JOIN_SESSION, 0, with_time(NOW, TAG_MESSAGE, buf_bytes(&offer))), 0x9000);
	ck_assert_int_eq(tlv_find(rig_data(), TAG_KNOWN, &v), OK);
	ck_assert_uint_eq(v.p[0], 0);
	ck_assert_int_eq(tlv_find(rig_data(), TAG_SESSION_ID, &v), OK);
	memcpy(id, v.p, 8);
	{
		uint8_t raw[16];
		struct buf b = BUF_OF(raw);

		tlv_put(&b, TAG_SESSION_ID, BYTES_OF(id));
		ck_assert_uint_eq(rig_prose(r, INS_PROSE_RELEASE_KEY, 0, buf_bytes(&b)), 0x9000);
	}
	ck_assert_int_eq(tlv_find(rig_data(), TAG_GSK, &v), OK);
	ck_assert_mem_eq(v.p, gsk, 16);
	ck_assert_uint_eq(rig_prose(r, INS_PROSE_JOIN_SESSION, 0, with_time(NOW + 1, TAG_MESSAGE, buf_bytes(&offer))), 0x9000);
	ck_assert_int_eq(tlv_find(rig_data(), TAG_KNOWN, &v), OK);
	ck_assert_uint_eq(v.p[0], 1);
	ck_assert_uint_eq(
	        rig_prose(r, INS_PROSE_JOIN_SESSION, 0, with_time(NOW + 61, TAG_MESSAGE, buf_bytes(&offer))), SW_PROSE_TIME);
	for (size_t i = 0; i < offer.len; i += 5) {
		offer_raw[i] ^= 1;
		ck_assert_uint_ne(
		        rig_prose(r, INS_PROSE_JOIN_SESSION, 0, with_time(NOW, TAG_MESSAGE, buf_bytes(&offer))), 0x9000);
		offer_raw[i] ^= 1;
	}
	/* Reset forgets sessions; the offer opens again and is still known. */
	card_reset(&r->card);
	ck_assert_uint_eq(rig_prose(r, INS_PROSE_JOIN_SESSION, 0, with_time(NOW, TAG_MESSAGE, buf_bytes(&offer))), 0x9000);
	rig_free(&r);
	covers("R-005");
	covers("R-079");
	covers("R-081");
	covers("R-149");
	covers("R-150");
	covers("R-152");
	covers("R-154");
}
END_TEST

/* 2036-02-07 06:28:16, when the seconds of NTP, which MIKEY's T counts in 32 bits, begin again. */
enum { TURN = 2085978496 };

static uint32_t current_gmk(struct rig *r, uint64_t now)
{
	struct bytes v;

	ck_assert_uint_eq(start(r, now), 0x9000);
	ck_assert_int_eq(tlv_find(rig_data(), TAG_GMK_ID, &v), OK);
	return (uint32_t)bytes_uint(v);
}

/* On both sides of the turn, and from the one to the other, keys come and calls are made; T is judged as the time that it is.
 */
START_TEST(calls_on_both_sides_of_the_turn_of_ntp)
{
	static const struct {
		int made, started, joined;
		unsigned sw;
	} at[] = { { -1000, -1000, -990, 0x9000 }, { -30, -10, -1, 0x9000 }, { -30, -1, 0, 0x9000 }, { -30, -20, 20, 0x9000 },
		{ -1, 0, 59, 0x9000 }, { 0, 0, 0, 0x9000 }, { 1000, 1000, 1010, 0x9000 }, { -100, -20, 41, SW_PROSE_TIME },
		{ -100, 41, -20, SW_PROSE_TIME }, { -100, 0, 61, SW_PROSE_TIME } };
	struct rig *r = known_card();
	uint8_t raw[2048];
	struct buf offer = BUF_OF(raw);
	uint64_t turn = TURN;
	struct bytes v;

	provision(r);
	ck_assert_uint_eq(install(r, issue(ALICE, turn)), 0x9000);
	turn += (uint64_t)(int64_t)at[_i].made;
	ck_assert_uint_eq(import(r, turn, rekey(turn, turn, turn + 10000)), 0x9000);
	turn = TURN + (uint64_t)(int64_t)at[_i].started;
	ck_assert_uint_eq(start(r, turn), 0x9000);
	ck_assert_int_eq(tlv_find(rig_data(), TAG_MESSAGE, &v), OK);
	buf_put(&offer, v);
	turn = TURN + (uint64_t)(int64_t)at[_i].joined;
	ck_assert_uint_eq(rig_prose(r, INS_PROSE_JOIN_SESSION, 0, with_time(turn, TAG_MESSAGE, buf_bytes(&offer))), at[_i].sw);
	rig_free(&r);
}
END_TEST

/* A key from after the turn is newer than one from before it, and the one from before makes room. A manager from after the turn
 * is one from the future before it. */
START_TEST(keys_of_both_sides_of_the_turn_of_ntp)
{
	struct rig *r = known_card();
	uint32_t id[GMKS_MAX + 1];
	uint64_t turn = TURN;

	provision(r);
	ck_assert_uint_eq(install(r, issue(ALICE, turn)), 0x9000);
	ck_assert_uint_eq(import(r, turn - 100, rekey(turn, turn - 1000, turn + 10000)), SW_PROSE_TIME);
	ck_assert_uint_eq(import(r, turn - 100, rekey(turn - 100, turn - 1000, turn + 10000)), 0x9000);
	id[0] = current_gmk(r, turn - 90);
	for (size_t i = 1; i <= GMKS_MAX; i++) {
		ck_assert_uint_eq(import(r, turn + i, rekey(turn + i, turn - 1000, turn + 10000)), 0x9000);
		id[i] = current_gmk(r, turn + i);
		for (size_t k = 0; k < i; k++)
			ck_assert_uint_ne(id[i], id[k]);
	}
	ck_assert_uint_eq(rig_prose(r, INS_PROSE_LIST, 3, (struct bytes){ 0 }), 0x9000);
	for (size_t i = 0; i <= GMKS_MAX; i++) {
		const uint8_t raw[6] = { TAG_GMK_ID, 4, (uint8_t)(id[i] >> 24), (uint8_t)(id[i] >> 16), (uint8_t)(id[i] >> 8),
			(uint8_t)id[i] };

		ck_assert((memmem(rig_data().p, rig_data().n, raw, sizeof raw) != NULL) == (i > 0));
	}
	rig_free(&r);
}
END_TEST

static unsigned start_at(struct rig *r, struct bytes session, struct bytes at, struct buf *offer, uint8_t id[static 8])
{
	uint8_t raw[256];
	struct buf b = BUF_OF(raw);
	struct bytes v;
	unsigned sw;

	tlv_put_uint(&b, TAG_TIME, 8, NOW);
	tlv_put(&b, TAG_GROUP_URI, BYTES_STR(GROUP));
	tlv_put_uint(&b, TAG_SSRC, 4, 0x01020304);
	if (session.n > 0)
		tlv_put(&b, TAG_SESSION_ID, session);
	if (at.p != NULL)
		tlv_put(&b, TAG_MEDIA_AT, at);
	if ((sw = rig_prose(r, INS_PROSE_START_SESSION, 0, buf_bytes(&b))) != 0x9000)
		return sw;
	ck_assert_int_eq(tlv_find(rig_data(), TAG_MESSAGE, &v), OK);
	offer->len = 0;
	buf_put(offer, v);
	ck_assert_int_eq(tlv_find(rig_data(), TAG_SESSION_ID, &v), OK);
	memcpy(id, v.p, 8);
	return sw;
}

static void joins(struct rig *r, struct bytes offer, uint8_t id[static 8])
{
	struct bytes v;

	ck_assert_uint_eq(rig_prose(r, INS_PROSE_JOIN_SESSION, 0, with_time(NOW, TAG_MESSAGE, offer)), 0x9000);
	ck_assert_int_eq(tlv_find(rig_data(), TAG_SESSION_ID, &v), OK);
	memcpy(id, v.p, 8);
}

/* Where the media go is in the offer, as the talker's phone said, and comes out where it is opened; without it, nothing does.
 */
START_TEST(an_offer_says_where_the_media_go)
{
	struct rig *r = known_card();
	const struct bytes at = hex("EFFF2105177A"), none = { 0 };
	uint8_t raw[2048], id[8], other[8];
	struct buf offer = BUF_OF(raw);
	struct bytes v;

	provision(r);
	ck_assert_uint_eq(import(r, NOW, rekey(NOW, NOW, NOW + 1000)), 0x9000);
	ck_assert_uint_eq(start_at(r, none, at, &offer, id), 0x9000);
	joins(r, buf_bytes(&offer), other);
	ck_assert_int_eq(tlv_find(rig_data(), TAG_MEDIA_AT, &v), OK);
	ck_assert(bytes_equal(v, at));
	ck_assert_uint_eq(start_at(r, none, none, &offer, id), 0x9000);
	joins(r, buf_bytes(&offer), other);
	ck_assert_int_eq(tlv_find(rig_data(), TAG_MEDIA_AT, &v), ERR_NOT_FOUND);
	ck_assert_uint_eq(start_at(r, none, hex("EFFF210517"), &offer, id), 0x6A80);
	ck_assert_uint_eq(start_at(r, none, hex("EFFF2105177A00"), &offer, id), 0x6A80);
	ck_assert_uint_eq(start_at(r, none, (struct bytes){ raw, 0 }, &offer, id), 0x6A80);
	rig_free(&r);
}
END_TEST

/* A talker's offer under the key that he talks with opens no second session, with replay windows of its own; another key does.
 */
START_TEST(an_offer_again_is_the_same_session)
{
	struct rig *r = known_card();
	const struct bytes at = hex("EFFF2105177A"), none = { 0 };
	uint8_t raw[2048], id[8], again[8], first[8], second[8];
	struct buf offer = BUF_OF(raw);

	provision(r);
	ck_assert_uint_eq(import(r, NOW, rekey(NOW, NOW, NOW + 1000)), 0x9000);
	ck_assert_uint_eq(start_at(r, none, at, &offer, id), 0x9000);
	joins(r, buf_bytes(&offer), first);
	ck_assert_uint_eq(start_at(r, BYTES_OF(id), at, &offer, again), 0x9000);
	ck_assert_mem_eq(again, id, 8);
	joins(r, buf_bytes(&offer), second);
	ck_assert_mem_eq(second, first, 8);
	ck_assert_mem_ne(second, id, 8); /* nor is it the talker's own */
	ck_assert_uint_eq(start_at(r, none, at, &offer, id), 0x9000);
	joins(r, buf_bytes(&offer), second);
	ck_assert_mem_ne(second, first, 8);
	rig_free(&r);
}
END_TEST

static unsigned release(struct rig *r, const uint8_t id[8])
{
	uint8_t raw[16];
	struct buf b = BUF_OF(raw);

	tlv_put(&b, TAG_SESSION_ID, (struct bytes){ id, 8 });
	return rig_prose(r, INS_PROSE_RELEASE_KEY, 0, buf_bytes(&b));
}

/* With one session more than there is room for, the one opened first goes, and no other; a START that is refused takes none. */
START_TEST(the_oldest_session_makes_room)
{
	struct rig *r = known_card();
	uint8_t id[PROSE_SESSIONS_MAX + 1][8];
	struct bytes v;

	provision(r);
	ck_assert_uint_eq(import(r, NOW, rekey(NOW, NOW, NOW + 1000)), 0x9000);
	for (int i = 0; i <= PROSE_SESSIONS_MAX; i++) {
		if (i == PROSE_SESSIONS_MAX) {
			ck_assert_uint_eq(rig_prose(r, INS_PROSE_START_SESSION, 0,
			                          with_time(NOW, TAG_GROUP_URI, BYTES_STR("sip:nowhere@example.org"))),
			        SW_PROSE_NO_KEY);
			ck_assert_uint_eq(release(r, id[0]), 0x9000);
		}
		ck_assert_uint_eq(start(r, NOW), 0x9000);
		ck_assert_int_eq(tlv_find(rig_data(), TAG_SESSION_ID, &v), OK);
		memcpy(id[i], v.p, sizeof id[i]);
	}
	for (int i = 0; i <= PROSE_SESSIONS_MAX; i++)
		ck_assert_uint_eq(release(r, id[i]), i == 0 ? SW_REFERENCE_NOT_FOUND : 0x9000);
	rig_free(&r);
}
END_TEST

/* Commands at their limit are looked at; one octet more is a wrong length. Sealed objects likewise. */
START_TEST(long_commands_are_refused_by_their_length)
{
	static const struct {
		uint8_t ins;
		size_t most;
	} rows[] = { { INS_PROSE_INSTALL, SEALED_OBJECT_MAX }, { INS_PROSE_IMPORT_GMK, PROSE_REQUEST_MAX },
		{ INS_PROSE_JOIN_SESSION, PROSE_REQUEST_MAX }, { INS_PROSE_VOUCH, PROSE_REQUEST_MAX },
		{ INS_PROSE_PROTECT, PROSE_PACKET_REQUEST_MAX } };
	static uint8_t zeros[PROSE_REQUEST_MAX + 1], key[SEALED_KEY_LEN], out_raw[SEALED_OBJECT_MAX];
	const size_t most = SEALED_MAX - SEALED_IV_LEN - SEALED_TAG_LEN;
	const struct sealed_header h = { .domain = BYTES_STR("0123456789ABCDEF"),
		.card_id = BYTES_STR("0123456789"),
		.trk_id = 1,
		.kind = SEALED_TIME,
		.name = { zeros, SEALED_NAME_MAX } };
	struct rig *r = rig_new();
	struct rng_fixed rng = rng_fixed_of((struct bytes){ 0 });
	struct buf out = BUF_OF(out_raw);
	SECRET_LARGE payload = { 0 };
	struct sealed s;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const uint8_t p1 = rows[i].ins == INS_PROSE_VOUCH ? 1 : 0;

		ck_assert_uint_eq(rig_prose(r, rows[i].ins, p1, (struct bytes){ zeros, rows[i].most }), 0x6A80);
		ck_assert_uint_eq(rig_prose(r, rows[i].ins, p1, (struct bytes){ zeros, rows[i].most + 1 }), 0x6700);
	}
	ck_assert_int_eq(seal(&rng.rng, BYTES_OF(key), BYTES_OF(key), &h, (struct bytes){ zeros, most }, &out), OK);
	ck_assert_int_eq(sealed_parse(buf_bytes(&out), &s), OK);
	ck_assert_int_eq(seal_open(BYTES_OF(key), BYTES_OF(key), &s, &payload), OK);
	ck_assert_uint_eq(payload.len, most);
	ck_assert_int_eq(
	        seal(&rng.rng, BYTES_OF(key), BYTES_OF(key), &h, (struct bytes){ zeros, most + 1 }, &out), ERR_NO_SPACE);
	rig_free(&r);
}
END_TEST

static unsigned grant(struct rig *r, const char *name, enum discovery_profile p, unsigned rights)
{
	ck_assert_int_eq(discovery_renew(db, name, p, 1), OK);
	objects = BUF_OF(object_memory);
	ck_assert_int_eq(discovery_grant(db, name, ICCID_1, rights, NOW - 10, NOW + 1000, &objects), OK);
	return install(r, buf_bytes(&objects));
}

/* The counter on the air has 32 bits, and turns over in 2106: a frame of the last second before is heard in the first one
 * after, and the other way round. */
START_TEST(discovery_counters_turn_over)
{
	const uint64_t turn = UINT64_C(1) << 32;
	uint8_t frame[PROSE_FRAME_LEN];
	struct rig *r = known_card();
	struct bytes v;

	ck_assert_uint_eq(permit(r, PERMISSION_OFF_NETWORK, PERMISSION_ANNOUNCE | PERMISSION_MONITOR, 0, UINT64_MAX), 0x9000);
	ck_assert_int_eq(discovery_renew(db, "me", (enum discovery_profile)_i, 1), OK);
	objects = BUF_OF(object_memory);
	ck_assert_int_eq(
	        discovery_grant(db, "me", ICCID_1, RIGHT_ANNOUNCE | RIGHT_MONITOR, turn - 1000, turn + 1000, &objects), OK);
	ck_assert_uint_eq(install(r, buf_bytes(&objects)), 0x9000);
	for (int sent = -1; sent <= 1; sent++) {
		for (int d = -2; d <= 2; d++) {
			const uint64_t at = turn + (uint64_t)(int64_t)sent;

			ck_assert_uint_eq(
			        rig_prose(r, INS_PROSE_ANNOUNCE, 0, with_time(at, TAG_NAME, BYTES_STR("me"))), 0x9000);
			ck_assert_int_eq(tlv_find(rig_data(), TAG_FRAME, &v), OK);
			memcpy(frame, v.p, sizeof frame);
			ck_assert_uint_eq(rig_prose(r, INS_PROSE_MATCH, 0,
			                          with_time(at + (uint64_t)(int64_t)d, TAG_FRAME, BYTES_OF(frame))),
			        0x9000);
			ck_assert_int_eq(tlv_find(rig_data(), TAG_MATCH, &v), OK);
			ck_assert_uint_eq(v.p[0], d >= -1 && d <= 1);
			if (v.p[0] == 0)
				continue;
			ck_assert_int_eq(tlv_find(rig_data(), TAG_SLOT, &v), OK);
			ck_assert_uint_eq(bytes_uint(v), at);
		}
	}
	rig_free(&r);
}
END_TEST

static unsigned codes(struct rig *r, uint8_t right, uint64_t now, uint64_t from, uint64_t to)
{
	uint8_t raw[64];
	struct buf b = BUF_OF(raw);

	tlv_put_uint(&b, TAG_TIME, 8, now);
	tlv_put_uint(&b, TAG_NOT_BEFORE, 8, from);
	tlv_put_uint(&b, TAG_NOT_AFTER, 8, to);
	return rig_prose(r, INS_PROSE_COMPUTE_CODES, right, buf_bytes(&b));
}

START_TEST(discovery_rights_windows_and_matching)
{
	struct rig *r = known_card();
	uint8_t frame[29];
	struct bytes v;

	ck_assert_uint_eq(permit(r, PERMISSION_OFF_NETWORK, PERMISSION_ANNOUNCE | PERMISSION_MONITOR, 0, UINT64_MAX), 0x9000);
	ck_assert_uint_eq(grant(r, "me", DISCOVERY_33303, RIGHT_ANNOUNCE), 0x9000);
	ck_assert_uint_eq(rig_prose(r, INS_PROSE_ANNOUNCE, 0, with_time(NOW, TAG_NAME, BYTES_STR("me"))), 0x9000);
	ck_assert_int_eq(tlv_find(rig_data(), TAG_FRAME, &v), OK);
	memcpy(frame, v.p, 29);
	/* Announce does not mean monitor, and the reverse. */
	ck_assert_uint_eq(rig_prose(r, INS_PROSE_MATCH, 0, with_time(NOW, TAG_FRAME, BYTES_OF(frame))), 0x9000);
	ck_assert(bytes_equal(rig_data(), hex("950100")));
	objects = BUF_OF(object_memory);
	ck_assert_int_eq(discovery_grant(db, "me", ICCID_1, RIGHT_MONITOR, NOW - 10, NOW + 1000, &objects), OK);
	ck_assert_uint_eq(install(r, buf_bytes(&objects)), 0x9000);
	ck_assert_uint_eq(rig_prose(r, INS_PROSE_ANNOUNCE, 0, with_time(NOW, TAG_NAME, BYTES_STR("me"))), SW_PROSE_RIGHT);
	/* One slot of tolerance each side, not two. */
	for (int d = -1; d <= 3; d++) {
		ck_assert_uint_eq(
		        rig_prose(r, INS_PROSE_MATCH, 0, with_time((uint64_t)(NOW + d), TAG_FRAME, BYTES_OF(frame))), 0x9000);
		ck_assert_int_eq(tlv_find(rig_data(), TAG_MATCH, &v), OK);
		ck_assert_uint_eq(v.p[0], d <= 1 ? 1 : 0);
	}
	for (size_t i = 0; i < 29; i++) { /* no bit of the frame is unchecked, the MIC included */
		frame[i] ^= 0x20;
		ck_assert_uint_eq(rig_prose(r, INS_PROSE_MATCH, 0, with_time(NOW, TAG_FRAME, BYTES_OF(frame))), 0x9000);
		ck_assert(bytes_equal(rig_data(), hex("950100")));
		frame[i] ^= 0x20;
	}
	ck_assert_uint_eq(codes(r, RIGHT_MONITOR, NOW, NOW - 1, NOW + 1), 0x9000);
	ck_assert_uint_eq(rig_data().n, 3 * (2 + 8 + PROSE_LOOKUP_LEN));
	ck_assert(memmem(rig_data().p, rig_data().n, frame + 1, 12) == NULL); /* never the code itself */
	ck_assert_uint_eq(codes(r, RIGHT_ANNOUNCE, NOW, NOW, NOW), 0x9000);
	ck_assert_uint_eq(rig_data().n, 0);
	ck_assert_uint_eq(codes(r, RIGHT_MONITOR, NOW, NOW, NOW + 100), SW_PROSE_TIME);
	ck_assert_uint_eq(codes(r, RIGHT_MONITOR, NOW, NOW + 1, NOW), 0x6A80);
	/* Jumping ahead costs the present. */
	ck_assert_uint_eq(codes(r, RIGHT_MONITOR, NOW + 500, NOW + 500, NOW + 500), 0x9000);
	ck_assert_uint_eq(codes(r, RIGHT_MONITOR, NOW, NOW, NOW), SW_PROSE_TIME);
	ck_assert_uint_eq(codes(r, RIGHT_MONITOR, NOW + 2000, NOW + 2000, NOW + 2000), 0x9000); /* expired: nothing comes */
	ck_assert_uint_eq(rig_data().n, 0);
	rig_free(&r);
	covers("R-015");
	covers("R-026");
	covers("R-031");
	covers("R-034");
}
END_TEST

START_TEST(revoked_monitors_stop_matching)
{
	struct rig *r = known_card();
	uint8_t frame[29];
	struct bytes v;

	ck_assert_uint_eq(permit(r, PERMISSION_OFF_NETWORK, PERMISSION_ANNOUNCE | PERMISSION_MONITOR, 0, UINT64_MAX), 0x9000);
	ck_assert_uint_eq(grant(r, "old", DISCOVERY_TR_21, RIGHT_MONITOR), 0x9000);
	ck_assert_uint_eq(grant(r, "new", DISCOVERY_TR_21, RIGHT_ANNOUNCE), 0x9000); /* the announcer's new keys */
	ck_assert_uint_eq(rig_prose(r, INS_PROSE_ANNOUNCE, 0, with_time(NOW, TAG_NAME, BYTES_STR("new"))), 0x9000);
	ck_assert_int_eq(tlv_find(rig_data(), TAG_FRAME, &v), OK);
	memcpy(frame, v.p, 29);
	ck_assert_uint_eq(rig_prose(r, INS_PROSE_MATCH, 0, with_time(NOW, TAG_FRAME, BYTES_OF(frame))), 0x9000);
	ck_assert(bytes_equal(rig_data(), hex("950100")));
	rig_free(&r);
	covers("R-028");
}
END_TEST

/* Power cut at every write of a sealed-object install and of a GMK import: old or new, and the message works afterwards. */
START_TEST(power_cuts_in_install_and_import)
{
	for (int what = 0; what < 2; what++) {
		struct rig *r = known_card();
		struct store_mem before;
		struct bytes m;

		provision(r);
		m = rekey(NOW, NOW, NOW + 1000);
		objects = BUF_OF(object_memory);
		ck_assert_int_eq(group_record(db, GROUP, ALICE, 1, &objects), OK);
		store_mem_copy(&before, &r->store);
		r->store.writes = 0;
		r->store.cut_after = 0;
		ck_assert_uint_eq(what == 0 ? install(r, buf_bytes(&objects)) : import(r, NOW, m), 0x6581);
		ck_assert(store_mem_equal(&before, &r->store));
		ck_assert_int_eq(r->store.writes, 1); /* the whole command is one write: there is no other place to cut */
		rig_reboot(r);
		ck_assert_uint_eq(what == 0 ? install(r, buf_bytes(&objects)) : import(r, NOW, m), 0x9000);
		store_mem_free(&before);
		rig_free(&r);
	}
}
END_TEST

Suite *suite_prose(void)
{
	Suite *s = suite_create("prose");
	TCase *t = tcase_create("prose");

	tcase_add_checked_fixture(t, open_operator, close_operator);
	tcase_add_test(t, provisioning_order_and_replays);
	tcase_add_test(t, adhoc_groups);
	tcase_add_test(t, a_certificate_key);
	tcase_add_test(t, signatures_are_checked_by_the_card);
	tcase_add_test(t, members_without_key_sets);
	tcase_add_test(t, permissions_of_plmns);
	tcase_add_test(t, external_kms_certificates);
	tcase_add_test(t, a_group_is_managed_from_a_card);
	tcase_add_test(t, transport_keys_are_replaced);
	tcase_add_test(t, gmk_messages_are_checked_before_they_are_opened);
	tcase_add_test(t, another_members_message_and_another_signer_are_refused);
	tcase_add_test(t, past_current_and_future_periods_are_held);
	tcase_add_test(t, sessions_carry_the_same_key_to_both_ends);
	tcase_add_test(t, an_offer_says_where_the_media_go);
	tcase_add_loop_test(t, calls_on_both_sides_of_the_turn_of_ntp, 0, 10);
	tcase_add_test(t, keys_of_both_sides_of_the_turn_of_ntp);
	tcase_add_loop_test(t, discovery_counters_turn_over, DISCOVERY_TR_21, DISCOVERY_33303 + 1);
	tcase_add_test(t, an_offer_again_is_the_same_session);
	tcase_add_test(t, the_oldest_session_makes_room);
	tcase_add_test(t, long_commands_are_refused_by_their_length);
	tcase_add_test(t, discovery_rights_windows_and_matching);
	tcase_add_test(t, revoked_monitors_stop_matching);
	tcase_add_test(t, power_cuts_in_install_and_import);
	suite_add_tcase(s, t);
	return s;
}
