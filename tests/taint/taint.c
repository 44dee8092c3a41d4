/* SPDX-License-Identifier: Apache-2.0 */
/* Constant time, looked at by valgrind: secrets are marked as undefined memory, and memcheck then complains wherever a branch
 * or an address depends on them. What OpenSSL does inside is OpenSSL's (tests/taint/openssl.supp says where and why); our own
 * code may not appear. usage: valgrind ... taint [kernel|planted] */
#include <stdio.h>
#include <string.h>
#include <valgrind/memcheck.h>

#include "crypto/common/aes.h"
#include "crypto/guarded/aka.h"
#include "crypto/guarded/eccsi.h"
#include "crypto/guarded/fp1024.h"
#include "crypto/guarded/fp1024_way.h"
#include "crypto/guarded/gba.h"
#include "crypto/common/hash.h"
#include "crypto/guarded/sakke.h"
#include "crypto/guarded/seal.h"
#include "ota/packet.h"

static unsigned failures;

static void secret_is(const void *p, size_t n)
{
	(void)VALGRIND_MAKE_MEM_UNDEFINED(p, n);
}

static void public_is(const void *p, size_t n)
{
	(void)VALGRIND_MAKE_MEM_DEFINED(p, n);
}

static void check(const char *what, enum status st)
{
	public_is(&st, sizeof st);
	(void)printf("  %-40s %s\n", what, st == OK ? "done" : status_text(st));
	failures += st == OK ? 0 : 1;
}

static const uint8_t id[] = "2026-11\0tel:+447700900123";

static void sakke(enum fp_way way)
{
	struct secret_large z = { 0 }, rsk = { 0 };
	struct secret ssv = { 0 }, again = { 0 };
	uint8_t public_key[SAKKE_POINT_LEN], data[SAKKE_DATA_LEN];
	struct bytes who = BYTES_OF(id);

	struct sakke_kms *kms = NULL;
	struct sakke_receiver *receiver = NULL;
	uint8_t many[3][SAKKE_DATA_LEN];
	const struct bytes three[] = { who, BYTES_STR("another"), BYTES_STR("a third") };

	fp_use(way);
	(void)printf("%s\n", way == FP_KERNEL ? "our kernel" : "OpenSSL's field");
	check("SAKKE: a KMS's keys", sakke_kms_new(&rng_system, &z, public_key));
	secret_is(z.data, z.len);
	check("SAKKE: public key", sakke_kms_public(&z, public_key));
	public_is(public_key, sizeof public_key);
	check("SAKKE: extract", sakke_extract(&z, who, &rsk));
	public_is(&rsk.len, sizeof rsk.len);
	secret_is(rsk.data + 1, rsk.len - 1); /* the first octet is the form: 04 */
	check("SAKKE: validate", sakke_validate(public_key, who, secret_large_bytes(&rsk)));
	ssv.len = SAKKE_SSV_LEN;
	(void)!rng_fill(&rng_system, ssv.data, ssv.len);
	secret_is(ssv.data, ssv.len);
	check("SAKKE: encapsulate", sakke_encapsulate(public_key, who, &ssv, data));
	public_is(data, sizeof data); /* it is sent */
	check("SAKKE: decapsulate", sakke_decapsulate(public_key, who, secret_large_bytes(&rsk), BYTES_OF(data), &again));
	public_is(&again, sizeof again);
	check("SAKKE: tables of a KMS", sakke_kms_open(public_key, &kms));
	check("SAKKE: extract, tables", sakke_kms_extract(kms, &z, who, &rsk));
	public_is(&rsk.len, sizeof rsk.len);
	secret_is(rsk.data + 1, rsk.len - 1);
	check("SAKKE: encapsulate, tables", sakke_kms_encapsulate(kms, who, &ssv, data));
	check("SAKKE: encapsulate to many", sakke_kms_encapsulate_many(kms, 3, three, &ssv, many));
	public_is(data, sizeof data);
	check("SAKKE: tables of an RSK", sakke_receiver_open(public_key, who, secret_large_bytes(&rsk), &receiver));
	check("SAKKE: decapsulate, tables", sakke_receiver_decapsulate(receiver, BYTES_OF(data), &again));
	sakke_kms_close(&kms);
	sakke_receiver_close(&receiver);
	fp_use(FP_AUTOMATIC);
	public_is(&again, sizeof again);
	public_is(ssv.data, ssv.len);
	check("SAKKE: it is the same", again.len == ssv.len && memcmp(again.data, ssv.data, ssv.len) == 0 ? OK : ERR_CRYPTO);
}

static void eccsi(void)
{
	struct secret ksak = { 0 }, ssk = { 0 };
	uint8_t kpak[ECCSI_POINT_LEN], pvt[ECCSI_POINT_LEN], hs[ECCSI_HASH_LEN], signature[ECCSI_SIGNATURE_LEN];

	check("ECCSI: a KMS's keys", eccsi_kms_new(&rng_system, &ksak, kpak));
	secret_is(ksak.data, ksak.len);
	check("ECCSI: extract", eccsi_extract(&rng_system, &ksak, kpak, BYTES_OF(id), &ssk, pvt));
	public_is(pvt, sizeof pvt);
	public_is(&ssk.len, sizeof ssk.len);
	secret_is(ssk.data, ssk.len);
	check("ECCSI: validate", eccsi_validate(kpak, BYTES_OF(id), &ssk, pvt, hs));
	public_is(hs, sizeof hs);
	check("ECCSI: sign", eccsi_sign(&rng_system, hs, &ssk, pvt, BYTES_STR("message"), signature));
	public_is(signature, sizeof signature);
	check("ECCSI: verify", eccsi_verify(kpak, BYTES_OF(id), BYTES_STR("message"), BYTES_OF(signature)));
}

static void aka(enum aka_algorithm algorithm, const char *name)
{
	struct aka_subscriber s = { 0 };
	struct aka_keys keys = { 0 };
	uint8_t rand[RAND_LEN] = { 1, 2, 3 }, sqn[SQN_LEN] = { 0, 0, 0, 0, 1, 0 }, amf[AMF_LEN] = { 0x80, 0 }, autn[AUTN_LEN],
	        auts[AUTS_LEN], back[SQN_LEN];
	char what[64];

	aka_defaults(&s, algorithm);
	s.k_len = 16;
	s.opc_len = algorithm == AKA_TUAK ? 32 : 16;
	(void)!rng_fill(&rng_system, s.k, s.k_len);
	(void)!rng_fill(&rng_system, s.opc, s.opc_len);
	secret_is(s.k, s.k_len);
	secret_is(s.opc, s.opc_len);
	(void)snprintf(what, sizeof what, "%s: f1 to f5", name);
	check(what, aka_autn(&s, rand, sqn, amf, &keys, autn));
	(void)snprintf(what, sizeof what, "%s: AUTS and back", name);
	check(what, aka_auts_build(&s, rand, sqn, auts));
	public_is(auts, sizeof auts);
	check(what, aka_auts_open(&s, rand, auts, back));
}

static void messages(void)
{
	uint8_t trk[32], ink[32], raw[400], card_id[10] = { 0x98 };
	struct buf b = BUF_OF(raw);
	struct sealed_header h = { .domain = BYTES_STR("\xF0PROSE\1"),
		.card_id = BYTES_OF(card_id),
		.trk_id = 1,
		.kind = SEALED_TIME,
		.name = BYTES_STR("x"),
		.sequence = 1,
		.not_after = UINT64_MAX };
	struct sealed sealed;
	struct secret_large payload = { 0 };
	struct ota_keys k = { .kvn = 1, .kic = { trk, 16 }, .kid = { ink, 16 }, .kic_type = KEY_AES, .kid_type = KEY_AES };
	struct ota_command c = { 0x16, 0x19, 0x12, 0x12, { 0xB0, 0, 0 }, 1, BYTES_STR("\x00\xA4\x00\x04\x02\x3F\x00") };

	(void)!rng_fill(&rng_system, trk, sizeof trk);
	(void)!rng_fill(&rng_system, ink, sizeof ink);
	secret_is(trk, sizeof trk);
	secret_is(ink, sizeof ink);
	check("sealed object: seal",
	        seal(&rng_system, BYTES_OF(trk), BYTES_OF(ink), &h, BYTES_STR("payload of a sealed object"), &b));
	public_is(raw, sizeof raw);
	check("sealed object: parse", sealed_parse(buf_bytes(&b), &sealed));
	check("sealed object: open", seal_open(BYTES_OF(trk), BYTES_OF(ink), &sealed, &payload));
	public_is(&payload, sizeof payload);
	b.len = 0;
	check("secured packet: build", ota_command_build(&k, &c, &b));
	public_is(raw, sizeof raw);
	check("secured packet: open", ota_command_open(&k, buf_bytes(&b), &payload, &c));
}

static void keys(void)
{
	uint8_t ks[32], out[32], iv[16] = { 0 };

	(void)!rng_fill(&rng_system, ks, sizeof ks);
	secret_is(ks, sizeof ks);
	check("GBA: Ks_int_NAF", gba_naf_key(GBA_U, BYTES_OF(ks), BYTES_OF(iv), BYTES_STR("impi"), BYTES_STR("naf"), out));
	check("AES-CBC", aes_cbc_encrypt(BYTES_OF(ks), BYTES_OF(ks), out));
}

/* What this check is for: an address that depends on a secret. */
static void planted(void)
{
	static const uint8_t table[256] = { 1, 2, 3 };
	volatile uint8_t key[1] = { 7 };
	uint8_t got;

	secret_is((const void *)(uintptr_t)key, 1);
	got = table[key[0]];
	public_is(&got, 1);
	(void)printf("  planted: %u\n", got);
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "planted") == 0) {
		planted();
		return 0;
	}
	if (argc == 2 && strcmp(argv[1], "kernel") == 0) /* which valgrind's own CPUID would deny */
		sakke(FP_KERNEL);
	sakke(FP_OPENSSL);
	eccsi();
	aka(AKA_MILENAGE, "Milenage");
	aka(AKA_TUAK, "TUAK");
	messages();
	keys();
	return failures == 0 ? 0 : 1;
}
