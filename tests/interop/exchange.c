/* SPDX-License-Identifier: Apache-2.0 */
/* SAKKE and ECCSI with somebody else's library: each side plays KMS, sender, receiver, signer and verifier in turn. Rounds
 * whose values begin with zeroes or with a set bit are looked for, since that is where implementations differ. usage: exchange
 * ROUNDS [SEED] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <wolfssl/options.h>

#include <wolfssl/wolfcrypt/eccsi.h>
#include <wolfssl/wolfcrypt/random.h>
#include <wolfssl/wolfcrypt/sakke.h>

#include "crypto/guarded/eccsi.h"
#include "crypto/common/hash.h"
#include "crypto/guarded/pairing1024.h"
#include "crypto/guarded/sakke.h"

enum { ID_LEN = 32, AUTH_LEN = 257 };

static unsigned passed, failures;

static void law(bool ok, const char *what, unsigned round)
{
	if (ok)
		passed++;
	else if (failures++ < 10)
		(void)printf("round %u: %s\n", round, what);
}

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	(void)fprintf(stderr, "exchange: %s\n", what);
	exit(1);
}

/* 32 octets from the seed, the same in each run. */
static uint64_t seed = 1;

static void octets(uint8_t out[static SHA256_LEN], const char *what, unsigned round)
{
	char text[64];
	struct bytes part;

	(void)snprintf(text, sizeof text, "%llu %s %u", (unsigned long long)seed, what, round);
	part = bytes_str(text);
	must(sha256(&part, 1, out) == OK, "SHA-256");
}

struct ours {
	struct secret_large z, rsk;
	struct secret ksak, ssk;
	uint8_t zp[SAKKE_POINT_LEN], kpak[ECCSI_POINT_LEN], pvt[ECCSI_POINT_LEN], hs[ECCSI_HASH_LEN];
	struct sakke_kms *kms;
};

struct theirs {
	SakkeKey kms; /* knows z */
	EccsiKey eccsi, verifier;
	WC_RNG rng;
	uint8_t zp[SAKKE_POINT_LEN], kpak[ECCSI_POINT_LEN];
	struct sakke_kms *tables; /* ours, of their Z */
};

static void open_both(struct ours *o, struct theirs *t)
{
	word32 n = 256;

	must(sakke_kms_new(&rng_system, &o->z, o->zp) == OK && sakke_kms_open(o->zp, &o->kms) == OK &&
	                eccsi_kms_new(&rng_system, &o->ksak, o->kpak) == OK,
	        "our KMS");
	must(wc_InitRng(&t->rng) == 0 && wc_InitSakkeKey_ex(&t->kms, 128, ECC_SAKKE_1, NULL, INVALID_DEVID) == 0 &&
	                wc_MakeSakkeKey(&t->kms, &t->rng) == 0,
	        "their KMS");
	t->zp[0] = t->kpak[0] = 4;
	must(wc_ExportSakkePublicKey(&t->kms, t->zp + 1, &n, 1) == 0 && n == 256, "their Z");
	must(sakke_kms_open(t->zp, &t->tables) == OK, "tables of their Z");
	n = 64;
	must(wc_InitEccsiKey_ex(&t->eccsi, 32, ECC_SECP256R1, NULL, INVALID_DEVID) == 0 &&
	                wc_MakeEccsiKey(&t->eccsi, &t->rng) == 0 && wc_ExportEccsiPublicKey(&t->eccsi, t->kpak + 1, &n, 1) == 0,
	        "their KPAK");
	must(wc_InitEccsiKey_ex(&t->verifier, 32, ECC_SECP256R1, NULL, INVALID_DEVID) == 0 &&
	                wc_ImportEccsiPublicKey(&t->verifier, o->kpak + 1, 64, 1) == 0,
	        "our KPAK there");
}

static bool their_encapsulate(const uint8_t *zp, const uint8_t *id, const uint8_t *ssv, uint8_t *data)
{
	SakkeKey k;
	word16 n = AUTH_LEN;
	bool ok = wc_InitSakkeKey_ex(&k, 128, ECC_SAKKE_1, NULL, INVALID_DEVID) == 0 &&
	          wc_ImportSakkePublicKey(&k, zp + 1, 256, 1) == 0 && wc_SetSakkeIdentity(&k, id, ID_LEN) == 0;

	memcpy(data + AUTH_LEN, ssv, SAKKE_SSV_LEN); /* they mask it where it lies */
	ok = ok && wc_MakeSakkeEncapsulatedSSV(&k, WC_HASH_TYPE_SHA256, data + AUTH_LEN, SAKKE_SSV_LEN, data, &n) == 0;
	wc_FreeSakkeKey(&k);
	return ok && n == AUTH_LEN;
}

static bool their_decapsulate(const uint8_t *zp, const uint8_t *id, const uint8_t *rsk, const uint8_t *data, uint8_t *ssv)
{
	SakkeKey k;
	ecc_point *point = wc_ecc_new_point();
	bool ok = point != NULL && wc_InitSakkeKey_ex(&k, 128, ECC_SAKKE_1, NULL, INVALID_DEVID) == 0 &&
	          wc_ImportSakkePublicKey(&k, zp + 1, 256, 1) == 0 && wc_DecodeSakkeRsk(&k, rsk + 1, 256, point) == 0 &&
	          wc_SetSakkeRsk(&k, point, NULL, 0) == 0 && wc_SetSakkeIdentity(&k, id, ID_LEN) == 0;

	memcpy(ssv, data + AUTH_LEN, SAKKE_SSV_LEN);
	ok = ok && wc_DeriveSakkeSSV(&k, WC_HASH_TYPE_SHA256, ssv, SAKKE_SSV_LEN, data, AUTH_LEN) == 0;
	wc_ecc_del_point(point);
	wc_FreeSakkeKey(&k);
	return ok;
}

static bool their_rsk(struct theirs *t, const uint8_t *id, uint8_t *rsk)
{
	ecc_point *point = wc_ecc_new_point();
	word32 n = 256;
	bool ok = point != NULL && wc_MakeSakkeRsk(&t->kms, id, ID_LEN, point) == 0 &&
	          wc_EncodeSakkeRsk(&t->kms, point, rsk + 1, &n, 1) == 0 && n == 256;

	rsk[0] = 4;
	wc_ecc_del_point(point);
	return ok;
}

static void exchange(struct ours *o, struct theirs *t, const uint8_t *id, const uint8_t *ssv, unsigned round)
{
	struct bytes who = { id, ID_LEN };
	struct secret key = { 0 }, out = { 0 };
	uint8_t data[SAKKE_DATA_LEN], back[SAKKE_DATA_LEN], rsk[SAKKE_POINT_LEN], got[SAKKE_SSV_LEN];

	must(secret_set(&key, (struct bytes){ ssv, SAKKE_SSV_LEN }) == OK, "an SSV");
	/* our KMS */
	law(sakke_kms_extract(o->kms, &o->z, who, &o->rsk) == OK, "we extract", round);
	law(sakke_kms_encapsulate(o->kms, who, &key, data) == OK && their_decapsulate(o->zp, id, o->rsk.data, data, got) &&
	                memcmp(got, ssv, sizeof got) == 0,
	        "they open what we encapsulate", round);
	law(their_encapsulate(o->zp, id, ssv, back) && memcmp(back, data, sizeof data) == 0, "both make the same octets",
	        round);
	law(sakke_decapsulate(o->zp, who, secret_large_bytes(&o->rsk), BYTES_OF(back), &out) == OK &&
	                memcmp(out.data, ssv, SAKKE_SSV_LEN) == 0,
	        "we open what they encapsulate", round);
	/* theirs */
	law(their_rsk(t, id, rsk) && sakke_validate(t->zp, who, BYTES_OF(rsk)) == OK, "we validate their RSK", round);
	law(their_encapsulate(t->zp, id, ssv, data) &&
	                sakke_decapsulate(t->zp, who, BYTES_OF(rsk), BYTES_OF(data), &out) == OK &&
	                memcmp(out.data, ssv, SAKKE_SSV_LEN) == 0,
	        "we open theirs with their RSK", round);
	law(sakke_kms_encapsulate(t->tables, who, &key, back) == OK && memcmp(back, data, sizeof data) == 0,
	        "both make the same octets for their KMS", round);
}

static void sign(struct ours *o, struct theirs *t, const uint8_t *id, unsigned round)
{
	struct bytes who = { id, ID_LEN };
	uint8_t signature[ECCSI_SIGNATURE_LEN], hash[64], pvt_octets[ECCSI_POINT_LEN] = { 4 }, ssk_octets[ECCSI_SCALAR_LEN];
	struct secret ssk = { 0 };
	ecc_point *pvt = wc_ecc_new_point();
	mp_int number;
	byte hash_n = 0;
	word32 n = sizeof signature;
	int verified = 0;

	must(pvt != NULL && mp_init(&number) == 0, "memory");
	law(eccsi_extract(&rng_system, &o->ksak, o->kpak, who, &o->ssk, o->pvt) == OK &&
	                eccsi_validate(o->kpak, who, &o->ssk, o->pvt, o->hs) == OK &&
	                eccsi_sign(&rng_system, o->hs, &o->ssk, o->pvt, BYTES_STR("a message"), signature) == OK &&
	                wc_DecodeEccsiPvtFromSig(&t->verifier, signature, sizeof signature, pvt) == 0 &&
	                wc_HashEccsiId(&t->verifier, WC_HASH_TYPE_SHA256, id, ID_LEN, pvt, hash, &hash_n) == 0 &&
	                wc_SetEccsiHash(&t->verifier, hash, hash_n) == 0 &&
	                wc_VerifyEccsiHash(&t->verifier, WC_HASH_TYPE_SHA256, (const byte *)"a message", 9, signature,
	                        sizeof signature, &verified) == 0 &&
	                verified == 1,
	        "they verify what we sign", round);
	verified = wc_MakeEccsiPair(&t->eccsi, &t->rng, WC_HASH_TYPE_SHA256, id, ID_LEN, &number, pvt);
	law(verified == 0 && wc_HashEccsiId(&t->eccsi, WC_HASH_TYPE_SHA256, id, ID_LEN, pvt, hash, &hash_n) == 0 &&
	                wc_SetEccsiHash(&t->eccsi, hash, hash_n) == 0 && wc_SetEccsiPair(&t->eccsi, &number, pvt) == 0 &&
	                wc_SignEccsiHash(
	                        &t->eccsi, &t->rng, WC_HASH_TYPE_SHA256, (const byte *)"a message", 9, signature, &n) == 0 &&
	                eccsi_verify(t->kpak, who, BYTES_STR("a message"), (struct bytes){ signature, n }) == OK,
	        "we verify what they sign", round);
	signature[round % 64] ^= 1;
	law(eccsi_verify(t->kpak, who, BYTES_STR("a message"), (struct bytes){ signature, n }) == ERR_CRYPTO,
	        "a changed one is refused", round);
	n = sizeof ssk_octets;
	law(wc_EncodeEccsiSsk(&t->eccsi, &number, ssk_octets, &n) == 0 && n == 32 &&
	                secret_set(&ssk, BYTES_OF(ssk_octets)) == OK && (n = 64) != 0 &&
	                wc_EncodeEccsiPvt(&t->eccsi, pvt, pvt_octets + 1, &n, 1) == 0 &&
	                eccsi_validate(t->kpak, who, &ssk, pvt_octets, o->hs) == OK,
	        "we validate their SSK", round);
	mp_clear(&number);
	wc_ecc_del_point(pvt);
}

/* An SSV for which g^r begins with a zero octet, or with a bit of 1. */
static void look_for(const struct powers *powers, const uint8_t *id, bool zero, unsigned round, uint8_t *ssv)
{
	for (unsigned n = 0;; n++) {
		FIELD f = { 0 };
		uint8_t digest[4][SHA256_LEN], a[SHA256_LEN], h[SHA256_LEN] = { 0 }, w[FP_LEN];
		const struct bytes parts[] = { BYTES_OF(h), BYTES_OF(a) };
		struct bytes in[2];
		struct pair v;
		struct fp *g;
		BIGNUM *r;

		octets(a, zero ? "zero" : "one", round * 100000 + n);
		memcpy(ssv, a, SAKKE_SSV_LEN);
		in[0] = (struct bytes){ ssv, SAKKE_SSV_LEN };
		in[1] = (struct bytes){ id, ID_LEN };
		must(sha256(in, 2, a) == OK, "SHA-256"); /* RFC 6508 5.1 once more, written for this test */
		for (int i = 0; i < 4; i++)
			must(sha256(parts, 1, h) == OK && sha256(parts, 2, digest[i]) == OK, "SHA-256");
		must(field_open(&f) == OK, "a field");
		v = pair_new(&f);
		g = fp_new(&f);
		r = scalar_new(&f);
		must(BN_bin2bn(digest[0], sizeof digest, r) != NULL && BN_nnmod(r, r, f.q, f.pool) == 1, "r");
		powers_power(&f, &v, powers, r);
		pair_ratio(&f, g, &v);
		fp_encode(&f, g, w);
		if (zero ? w[0] == 0 : w[0] >= 0x80)
			return;
	}
}

int main(int argc, char **argv)
{
	static struct ours o;
	static struct theirs t;
	const unsigned rounds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 200;
	struct powers powers;
	FIELD f = { 0 };

	seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
	open_both(&o, &t);
	must(field_open(&f) == OK && powers_open(&f, &powers, 6) == OK, "powers of g");
	for (unsigned i = 0; i < rounds; i++) {
		uint8_t id[ID_LEN], ssv[SHA256_LEN];

		octets(id, "identity", i);
		octets(ssv, "ssv", i);
		if (i % 7 == 1)
			id[0] = 0; /* an identity with leading zeroes is a smaller integer */
		if (i % 10 == 3)
			look_for(&powers, id, true, i, ssv);
		if (i % 10 == 6)
			look_for(&powers, id, false, i, ssv);
		exchange(&o, &t, id, ssv, i);
		sign(&o, &t, id, i);
	}
	powers_close(&powers);
	sakke_kms_close(&o.kms);
	sakke_kms_close(&t.tables);
	wc_FreeSakkeKey(&t.kms);
	wc_FreeEccsiKey(&t.eccsi);
	wc_FreeEccsiKey(&t.verifier);
	(void)wc_FreeRng(&t.rng);
	(void)printf("exchanges with libwolfssl: %u rounds, %u laws held, %u failed\n", rounds, passed, failures);
	return failures == 0 ? 0 : 1;
}
