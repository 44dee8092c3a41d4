/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/wolf.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include <wolfssl/options.h>

#include <wolfssl/wolfcrypt/eccsi.h>
#include <wolfssl/wolfcrypt/random.h>
#include <wolfssl/wolfcrypt/sakke.h>

static double now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void least(double *best, double from)
{
	double us = now() - from;

	if (*best == 0 || us < *best)
		*best = us;
}

static bool failed(const char *what)
{
	(void)fprintf(stderr, "bench: libwolfssl disagrees: %s\n", what);
	return false;
}

/* To an identity that it has not seen yet: it keeps the points of those it has. */
static bool to_another(const struct wolf_input *in, struct wolf_times *t)
{
	static unsigned count;
	SakkeKey key;
	uint8_t ssv[16], auth[512], id[64] = { 0 };
	word16 n = sizeof auth;
	double from;
	bool ok;

	count++;
	memcpy(id, &count, sizeof count);
	memcpy(ssv, in->ssv, 16);
	if (wc_InitSakkeKey_ex(&key, 128, ECC_SAKKE_1, NULL, INVALID_DEVID) != 0 ||
	        wc_ImportSakkePublicKey(&key, in->zp + 1, 256, 1) != 0)
		return failed("Z");
	from = now();
	ok = wc_SetSakkeIdentity(&key, id, 32) == 0 &&
	     wc_MakeSakkeEncapsulatedSSV(&key, WC_HASH_TYPE_SHA256, ssv, 16, auth, &n) == 0;
	least(&t->encapsulate, from);
	wc_FreeSakkeKey(&key);
	return ok && n == 257 ? true : failed("encapsulate");
}

static bool sakke(const struct wolf_input *in, int rounds, struct wolf_times *t)
{
	SakkeKey key, peer;
	ecc_point *rsk;
	bool ok = false;

	if (wc_InitSakkeKey_ex(&key, 128, ECC_SAKKE_1, NULL, INVALID_DEVID) != 0 ||
	        wc_InitSakkeKey_ex(&peer, 128, ECC_SAKKE_1, NULL, INVALID_DEVID) != 0 ||
	        wc_ImportSakkePublicKey(&key, in->zp + 1, 256, 1) != 0 ||
	        wc_ImportSakkePublicKey(&peer, in->zp + 1, 256, 1) != 0)
		return failed("Z");
	if ((rsk = wc_ecc_new_point()) == NULL || wc_DecodeSakkeRsk(&key, in->rsk + 1, 256, rsk) != 0)
		return failed("RSK");
	for (int i = 0; i < rounds; i++) {
		uint8_t ssv[16], auth[512];
		word16 n = sizeof auth;
		double from;
		int valid = 0;

		memcpy(ssv, in->ssv, 16);
		from = now();
		if (wc_SetSakkeIdentity(&key, in->id, (word16)in->id_n) != 0 ||
		        wc_MakeSakkePointI(&key, in->id, (word16)in->id_n) != 0 ||
		        wc_MakeSakkeEncapsulatedSSV(&key, WC_HASH_TYPE_SHA256, ssv, 16, auth, &n) != 0)
			return failed("encapsulate");
		least(&t->encapsulate_again, from);
		if (n != 257 || memcmp(auth, in->data, 257) != 0 || memcmp(ssv, in->data + 257, 16) != 0)
			return failed("encapsulated octets");
		from = now();
		if (wc_ValidateSakkeRsk(&key, in->id, (word16)in->id_n, rsk, &valid) != 0 || valid != 1)
			return failed("validate RSK");
		least(&t->validate, from);
		memcpy(ssv, in->data + 257, 16);
		from = now();
		if (wc_SetSakkeRsk(&peer, rsk, NULL, 0) != 0 || wc_SetSakkeIdentity(&peer, in->id, (word16)in->id_n) != 0 ||
		        wc_MakeSakkePointI(&peer, in->id, (word16)in->id_n) != 0 ||
		        wc_DeriveSakkeSSV(&peer, WC_HASH_TYPE_SHA256, ssv, 16, in->data, 257) != 0)
			return failed("decapsulate");
		least(&t->decapsulate, from);
		if (memcmp(ssv, in->ssv, 16) != 0)
			return failed("SSV");
		ok = true;
	}
	wc_ecc_del_point(rsk);
	wc_FreeSakkeKey(&key);
	wc_FreeSakkeKey(&peer);
	return ok;
}

static bool eccsi(const struct wolf_input *in, int rounds, struct wolf_times *t)
{
	EccsiKey key, public;
	mp_int ssk;
	ecc_point *pvt = wc_ecc_new_point();
	WC_RNG rng;
	uint8_t hash[64], sig[200];
	byte hash_n = 0;

	if (pvt == NULL || wc_InitRng(&rng) != 0 || mp_init(&ssk) != 0 ||
	        wc_InitEccsiKey_ex(&key, 32, ECC_SECP256R1, NULL, INVALID_DEVID) != 0 ||
	        wc_InitEccsiKey_ex(&public, 32, ECC_SECP256R1, NULL, INVALID_DEVID) != 0 ||
	        wc_ImportEccsiPublicKey(&key, in->kpak + 1, 64, 1) != 0 ||
	        wc_ImportEccsiPublicKey(&public, in->kpak + 1, 64, 1) != 0 || wc_DecodeEccsiSsk(&key, in->ssk, 32, &ssk) != 0 ||
	        wc_DecodeEccsiPvt(&key, in->pvt + 1, 64, pvt) != 0)
		return failed("ECCSI keys");
	for (int i = 0; i < rounds; i++) {
		word32 n = sizeof sig;
		int ok = 0;
		double from = now();

		/* HS is made once an identity, as ours does it at installation. */
		if (i == 0 && wc_HashEccsiId(&key, WC_HASH_TYPE_SHA256, in->id, (word32)in->id_n, pvt, hash, &hash_n) != 0)
			return failed("HS");
		from = now();
		if (wc_SetEccsiHash(&key, hash, hash_n) != 0 || wc_SetEccsiPair(&key, &ssk, pvt) != 0 ||
		        wc_SignEccsiHash(&key, &rng, WC_HASH_TYPE_SHA256, in->message, (word32)in->message_n, sig, &n) != 0)
			return failed("sign");
		least(&t->sign, from);
		from = now();
		if (wc_DecodeEccsiPvtFromSig(&public, in->signature, 129, pvt) != 0 ||
		        wc_HashEccsiId(&public, WC_HASH_TYPE_SHA256, in->id, (word32)in->id_n, pvt, hash, &hash_n) != 0 ||
		        wc_SetEccsiHash(&public, hash, hash_n) != 0 ||
		        wc_VerifyEccsiHash(&public, WC_HASH_TYPE_SHA256, in->message, (word32)in->message_n, in->signature, 129,
		                &ok) != 0 ||
		        ok != 1)
			return failed("verify");
		least(&t->verify, from);
	}
	wc_ecc_del_point(pvt);
	wc_FreeEccsiKey(&key);
	wc_FreeEccsiKey(&public);
	(void)wc_FreeRng(&rng);
	return true;
}

bool wolf_run(const struct wolf_input *in, int rounds, struct wolf_times *t)
{
	for (int i = 0; i < rounds; i++)
		if (!to_another(in, t))
			return false;
	return sakke(in, rounds, t) && eccsi(in, rounds, t);
}
