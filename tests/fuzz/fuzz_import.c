/* SPDX-License-Identifier: Apache-2.0 */
/* IMPORT GMK behind the signature: an I_MESSAGE whose octets are changed as the input says is signed then, so that the card
 * gets to what it does with them. It answers, and what it refuses has changed nothing but its clock. Input: pairs of place and
 * difference, two octets each for the place. */
#include "apdu/aids.h"
#include "apdu/prose.h"
#include "apdu/sealed.h"
#include "apdu/tlv.h"
#include "crypto/guarded/eccsi.h"
#include "crypto/guarded/sakke.h"
#include "crypto/guarded/seal.h"
#include "protocols/mikey/keys/sakke_message.h"
#include "tests/fuzz/born.h"

#include "apdu/birth.h"

enum { NOW = 1800000000, PERIOD = 2592000 };
#define USER "sip:a@b"
#define SIGNER "sip:s@b"
#define GROUP "sip:g@b"

static struct rows provisioned;
static uint8_t message[MIKEY_MESSAGE_MAX];
static size_t signed_len;
static struct secret ssk;
static uint8_t pvt[ECCSI_POINT_LEN], hs[ECCSI_HASH_LEN], kpak[ECCSI_POINT_LEN];

static void must(bool ok)
{
	if (!ok)
		abort();
}

static unsigned send(uint8_t cla, uint8_t ins, uint8_t p1, struct bytes data)
{
	static uint8_t raw[8192], response[APDU_RESPONSE_MAX];
	struct buf b = BUF_OF(raw), r = BUF_OF(response);

	apdu_put(&b, &(struct command_apdu){ .cla = cla, .ins = ins, .p1 = p1, .data = data });
	must(!b.failed);
	card_transmit(&card, buf_bytes(&b), &r);
	must(!r.failed && r.len >= 2);
	return (unsigned)bytes_uint((struct bytes){ response + r.len - 2, 2 });
}

static void install(enum sealed_kind kind, struct bytes payload)
{
	static uint64_t sequence;
	static uint8_t raw[SEALED_MAX + 200];
	struct buf b = BUF_OF(raw);
	struct bytes trk, ink, id;
	struct sealed_header h = { .domain = BYTES_STR(AID_PROSE),
		.card_id = BYTES_OF(env.card_id),
		.kind = kind,
		.name = BYTES_STR("x"),
		.sequence = ++sequence,
		.not_after = UINT64_MAX };

	must(tlv_find(secret_large_bytes(&secrets), BIRTH_TRK, &trk) == OK &&
	        tlv_find(secret_large_bytes(&secrets), BIRTH_INK, &ink) == OK &&
	        tlv_find(secret_large_bytes(&secrets), BIRTH_TRK_ID, &id) == OK);
	h.trk_id = id.p[0];
	must(seal(&rng_system, trk, ink, &h, payload, &b) == OK);
	must(send(0x80, INS_PROSE_INSTALL, 0, buf_bytes(&b)) >> 8 == 0x90);
}

static void provision(void)
{
	static uint8_t raw[2048], z_public[SAKKE_POINT_LEN], uid[MIKEY_UID_LEN], data[SAKKE_DATA_LEN], parameters_raw[512];
	const struct mikey_kms kms = { BYTES_STR("kms.b"), PERIOD, 0 };
	const uint64_t period = mikey_period_number(&kms, NOW);
	struct secret ksak = { 0 }, user_ssk = { 0 }, gmk = { .len = GMK_LEN, .data = { 1, 2, 3 } };
	static struct secret_large z, rsk;
	struct buf b = BUF_OF(raw), parameters = BUF_OF(parameters_raw), m = BUF_OF(message);
	static const uint8_t rand[16] = { 7 };
	struct sakke_message s = { .ntp = mikey_ntp(NOW),
		.initiator_uri = BYTES_STR(SIGNER),
		.responder_uri = BYTES_STR(USER),
		.initiator_kms_uri = kms.uri,
		.responder_kms_uri = kms.uri,
		.rand = BYTES_OF(rand) };

	power_on_newborn();
	(void)send(0x00, 0xA4, 0x04, BYTES_STR(AID_PROSE));
	must(sakke_kms_new(&rng_system, &z, z_public) == OK && eccsi_kms_new(&rng_system, &ksak, kpak) == OK);
	tlv_put(&b, KMSC_URI, kms.uri);
	tlv_put(&b, KMSC_Z, BYTES_OF(z_public));
	tlv_put(&b, KMSC_KPAK, BYTES_OF(kpak));
	tlv_put_uint(&b, KMSC_PERIOD, 8, PERIOD);
	tlv_put_uint(&b, KMSC_OFFSET, 8, 0);
	install(SEALED_KMS_CERTIFICATE, buf_bytes(&b));
	must(mikey_uid(&kms, BYTES_STR(USER), period, uid) == OK && sakke_extract(&z, BYTES_OF(uid), &rsk) == OK &&
	        eccsi_extract(&rng_system, &ksak, kpak, BYTES_OF(uid), &user_ssk, pvt) == OK);
	b = BUF_OF(raw);
	tlv_put(&b, KEYSET_KMS_URI, kms.uri);
	tlv_put(&b, KEYSET_USER_URI, BYTES_STR(USER));
	tlv_put_uint(&b, KEYSET_PERIOD_NUMBER, 8, period);
	tlv_put(&b, KEYSET_RSK, secret_large_bytes(&rsk));
	tlv_put(&b, KEYSET_SSK, secret_bytes(&user_ssk));
	tlv_put(&b, KEYSET_PVT, BYTES_OF(pvt));
	install(SEALED_KEY_SET, buf_bytes(&b));
	b = BUF_OF(raw);
	tlv_put(&b, GROUP_URI, BYTES_STR(GROUP));
	tlv_put(&b, GROUP_SIGNER_URI, BYTES_STR(SIGNER));
	tlv_put_uint(&b, GROUP_POLICY, 1, GROUP_POLICY_SIGN);
	install(SEALED_GROUP, buf_bytes(&b));
	must(sakke_encapsulate(z_public, BYTES_OF(uid), &gmk, data) == OK &&
	        mikey_guk_id(secret_bytes(&gmk), BYTES_STR(USER), 0x01234567, &s.csb_id) == OK);
	must(key_parameters_seal(&rng_system, secret_bytes(&gmk), s.csb_id, NOW,
	             &(struct key_parameters){ .activation = NOW, .expiry = NOW + 1000, .group = BYTES_STR(GROUP) },
	             &parameters) == OK);
	s.sakke_data = BYTES_OF(data);
	s.key_parameters = buf_bytes(&parameters);
	sakke_message_put(&m, &s);
	must(!m.failed);
	signed_len = m.len;
	must(mikey_uid(&kms, BYTES_STR(SIGNER), period, uid) == OK &&
	        eccsi_extract(&rng_system, &ksak, kpak, BYTES_OF(uid), &ssk, pvt) == OK &&
	        eccsi_validate(kpak, BYTES_OF(uid), &ssk, pvt, hs) == OK);
	rows_init(&provisioned);
	rows_copy(&provisioned, &store);
}

static bool same_but_time(void)
{
	size_t a = 0;

	if (store.count != provisioned.count)
		return false;
	for (; a < store.count; a++) {
		const struct row *x = &store.row[a], *y = &provisioned.row[a];

		if (x->name.n != y->name.n || memcmp(x->name.text, y->name.text, x->name.n) != 0)
			return false;
		if (memmem(x->name.text, x->name.n, "time", 4) == NULL &&
		        (x->n != y->n || memcmp(x->value, y->value, x->n) != 0))
			return false;
	}
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static uint8_t changed[MIKEY_MESSAGE_MAX + ECCSI_SIGNATURE_LEN], raw[8192];
	uint8_t signature[ECCSI_SIGNATURE_LEN];
	struct buf b = BUF_OF(raw);
	unsigned sw;

	if (signed_len == 0)
		provision();
	rows_copy(&store, &provisioned);
	must(card_power_on(&card, &env) == OK);
	(void)send(0x00, 0xA4, 0x04, BYTES_STR(AID_PROSE));
	memcpy(changed, message, signed_len);
	for (size_t i = 0; i + 3 <= n; i += 3)
		changed[bytes_uint((struct bytes){ data + i, 2 }) % signed_len] ^= data[i + 2];
	must(eccsi_sign(&rng_system, hs, &ssk, pvt, (struct bytes){ changed, signed_len }, signature) == OK);
	memcpy(changed + signed_len, signature, sizeof signature);
	tlv_put_uint(&b, TAG_TIME, 8, NOW + 1);
	tlv_put(&b, TAG_MESSAGE, (struct bytes){ changed, signed_len + sizeof signature });
	must(!b.failed);
	sw = send(0x80, INS_PROSE_IMPORT_GMK, 0, buf_bytes(&b));
	if (memcmp(changed, message, signed_len) == 0)
		must(sw == 0x9000 || sw >> 8 == 0x61);
	if (sw != 0x9000 && sw >> 8 != 0x61 && !same_but_time())
		abort();
	return 0;
}
