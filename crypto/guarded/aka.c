/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/guarded/aka.h"

#include <string.h>

#include "apdu/birth.h"
#include "apdu/tlv.h"

#include <openssl/evp.h>

#include "crypto/common/aes.h"
#include "crypto/common/failure.h"

enum { TUAK_BLOCK = 136 /* the rate of SHAKE256 */, TUAK_AT_CK = 32, TUAK_AT_IK = 64, TUAK_AT_AK = 96 };

void aka_subscriber_wipe(struct aka_subscriber *s)
{
	secret_clean(s, sizeof *s);
}

void aka_keys_wipe(struct aka_keys *k)
{
	secret_clean(k, sizeof *k);
}

void aka_defaults(struct aka_subscriber *s, enum aka_algorithm algorithm)
{
	static const uint8_t rotation[5] = { 64, 0, 32, 64, 96 }, last[5] = { 0, 1, 2, 4, 8 };

	*s = (struct aka_subscriber){
		.algorithm = algorithm,
		.k_len = 16,
		.opc_len = algorithm == AKA_TUAK       ? 32
		           : algorithm == AKA_MILENAGE ? 16
		                                       : 0,
		.mac_len = 8,
		.res_len = algorithm == AKA_XOR ? 16 : 8,
		.ck_len = 16,
		.ik_len = 16,
		.iterations = 1,
	};
	memcpy(s->rotation, rotation, sizeof rotation);
	for (int i = 0; i < 5; i++)
		s->constant[i][15] = last[i];
}

static bool tuak_length(unsigned n, bool four)
{
	return (four && n == 4) || n == 8 || n == 16 || n == 32;
}

enum status aka_check(const struct aka_subscriber *s)
{
	bool tuak = s->algorithm == AKA_TUAK;

	if (s->algorithm != AKA_MILENAGE && s->algorithm != AKA_TUAK && s->algorithm != AKA_XOR)
		return ERR_MALFORMED;
	for (int i = 0; i < 5; i++)
		if (s->rotation[i] >= 128 || s->rotation[i] % 8 != 0)
			return ERR_MALFORMED;
	if (s->k_len != 16 && !(tuak && s->k_len == 32))
		return ERR_MALFORMED;
	if (s->opc_len != (tuak ? 32 : s->algorithm == AKA_MILENAGE ? 16 : 0))
		return ERR_MALFORMED;
	if (tuak ? !tuak_length(s->mac_len, false) || !tuak_length(s->res_len, true) || s->iterations == 0 || s->iterations > 64
	         : s->mac_len != MAC_LEN || s->res_len < 4 || s->res_len > (s->algorithm == AKA_XOR ? 16 : 8))
		return ERR_MALFORMED;
	if ((s->ck_len != 16 && !(tuak && s->ck_len == 32)) || (s->ik_len != 16 && !(tuak && s->ik_len == 32)))
		return ERR_MALFORMED;
	return OK;
}

static struct bytes key_of(const struct aka_subscriber *s)
{
	return (struct bytes){ s->k, s->k_len };
}

static void xor_into(uint8_t *to, const uint8_t *a, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] ^= a[i];
}

/* OUT_n's block before encryption: rot(TEMP xor OPc, r_n) xor c_n. */
static void milenage_input(const struct aka_subscriber *s, const uint8_t temp[16], int n, uint8_t out[16])
{
	unsigned shift = s->rotation[n] / 8U;

	for (unsigned i = 0; i < 16; i++)
		out[i] = (uint8_t)(temp[(i + shift) % 16] ^ s->opc[(i + shift) % 16] ^ s->constant[n][i]);
}

static enum status milenage_temp(const struct aka_subscriber *s, const uint8_t rand[RAND_LEN], uint8_t temp[16])
{
	memcpy(temp, rand, 16);
	xor_into(temp, s->opc, 16);
	return aes_ecb(key_of(s), (struct bytes){ temp, 16 }, temp);
}

static enum status milenage_f1(const struct aka_subscriber *s, const uint8_t *rand, const uint8_t *sqn, const uint8_t *amf,
        uint8_t *mac, uint8_t *mac_star)
{
	uint8_t temp[16], in1[16], block[16];
	unsigned shift = s->rotation[0] / 8U;

	TRY(milenage_temp(s, rand, temp));
	for (int half = 0; half < 2; half++) {
		memcpy(in1 + 8 * half, sqn, SQN_LEN);
		memcpy(in1 + 8 * half + SQN_LEN, amf, AMF_LEN);
	}
	xor_into(in1, s->opc, 16);
	for (unsigned i = 0; i < 16; i++)
		block[i] = (uint8_t)(temp[i] ^ in1[(i + shift) % 16] ^ s->constant[0][i]);
	TRY(aes_ecb(key_of(s), BYTES_OF(block), block));
	xor_into(block, s->opc, 16);
	if (mac != NULL)
		memcpy(mac, block, MAC_LEN);
	if (mac_star != NULL)
		memcpy(mac_star, block + MAC_LEN, MAC_LEN);
	secret_clean(temp, sizeof temp);
	secret_clean(block, sizeof block);
	return OK;
}

static enum status milenage_f2345(const struct aka_subscriber *s, const uint8_t *rand, struct aka_keys *out)
{
	uint8_t temp[16], block[4][16];

	TRY(milenage_temp(s, rand, temp));
	for (int n = 1; n < 5; n++)
		milenage_input(s, temp, n, block[n - 1]);
	TRY(aes_ecb(key_of(s), (struct bytes){ block[0], sizeof block }, block[0]));
	for (int n = 0; n < 4; n++)
		xor_into(block[n], s->opc, 16);
	memcpy(out->res, block[0] + 8, 8);
	memcpy(out->ak, block[0], AK_LEN);
	memcpy(out->ck, block[1], 16);
	memcpy(out->ik, block[2], 16);
	memcpy(out->ak_star, block[3], AK_LEN);
	secret_clean(temp, sizeof temp);
	secret_clean(block, sizeof block);
	return OK;
}

static void put_reversed(uint8_t **at, const uint8_t *in, size_t n)
{
	for (size_t i = 0; i < n; i++)
		*(*at)++ = in[n - 1 - i];
}

/* The Keccak sponge of TUAK: its padding 1F .. 80 at octet 136 is SHAKE256's, so the state after the n-th permutation begins
 * with the n-th block that SHAKE256 squeezes. TOP or TOPc, INSTANCE, ALGONAME, RAND, AMF, SQN, K, every field byte-reversed. */
static enum status tuak(const struct aka_subscriber *s, const uint8_t top[32], uint8_t instance, const uint8_t *rand,
        const uint8_t *amf, const uint8_t *sqn, uint8_t out[TUAK_BLOCK])
{
	static const uint8_t zero[RAND_LEN];
	uint8_t in[96], all[64 * TUAK_BLOCK], *at = in;
	size_t n = (size_t)s->iterations * TUAK_BLOCK;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok;

	put_reversed(&at, top, 32);
	*at++ = s->k_len == 32 ? instance | 1 : instance;
	put_reversed(&at, (const uint8_t *)"TUAK1.0", 7);
	put_reversed(&at, rand != NULL ? rand : zero, RAND_LEN);
	put_reversed(&at, amf != NULL ? amf : zero, AMF_LEN);
	put_reversed(&at, sqn != NULL ? sqn : zero, SQN_LEN);
	put_reversed(&at, s->k, s->k_len);
	memset(at, 0, sizeof in - (size_t)(at - in));
	ok = ctx != NULL && n <= sizeof all && EVP_DigestInit_ex(ctx, EVP_shake256(), NULL) == 1 &&
	     EVP_DigestUpdate(ctx, in, sizeof in) == 1 && EVP_DigestFinalXOF(ctx, all, n) == 1;
	EVP_MD_CTX_free(ctx);
	if (ok)
		memcpy(out, all + n - TUAK_BLOCK, TUAK_BLOCK);
	secret_clean(in, sizeof in);
	secret_clean(all, sizeof all);
	return ok ? OK : crypto_failed();
}

static void take_reversed(const uint8_t block[TUAK_BLOCK], size_t at, uint8_t *out, size_t n)
{
	for (size_t i = 0; i < n; i++)
		out[i] = block[at + n - 1 - i];
}

static enum status tuak_f1(const struct aka_subscriber *s, const uint8_t *rand, const uint8_t *sqn, const uint8_t *amf,
        uint8_t *mac, uint8_t *mac_star)
{
	/* MAC of 64, 128 or 256 bits: 08, 10, 20 */
	uint8_t length = s->mac_len, block[TUAK_BLOCK];

	if (mac != NULL) {
		TRY(tuak(s, s->opc, length, rand, amf, sqn, block));
		take_reversed(block, 0, mac, s->mac_len);
	}
	if (mac_star != NULL) {
		TRY(tuak(s, s->opc, 0x80 | length, rand, amf, sqn, block));
		take_reversed(block, 0, mac_star, s->mac_len);
	}
	secret_clean(block, sizeof block);
	return OK;
}

static enum status tuak_f2345(const struct aka_subscriber *s, const uint8_t *rand, struct aka_keys *out)
{
	/* RES of 32 bits is coded 00, the others as their octets */
	uint8_t instance =
	        (uint8_t)(0x40 | (s->res_len == 4 ? 0 : s->res_len) | (s->ck_len == 32 ? 4 : 0) | (s->ik_len == 32 ? 2 : 0));
	uint8_t block[TUAK_BLOCK];

	TRY(tuak(s, s->opc, instance, rand, NULL, NULL, block));
	take_reversed(block, 0, out->res, s->res_len);
	take_reversed(block, TUAK_AT_CK, out->ck, s->ck_len);
	take_reversed(block, TUAK_AT_IK, out->ik, s->ik_len);
	take_reversed(block, TUAK_AT_AK, out->ak, AK_LEN);
	TRY(tuak(s, s->opc, 0xC0, rand, NULL, NULL, block));
	take_reversed(block, TUAK_AT_AK, out->ak_star, AK_LEN);
	secret_clean(block, sizeof block);
	return OK;
}

static void xor_algorithm(const struct aka_subscriber *s, const uint8_t *rand, struct aka_keys *out)
{
	for (unsigned i = 0; i < 16; i++)
		out->res[i] = s->k[i] ^ rand[i];
	for (unsigned i = 0; i < 16; i++) {
		out->ck[i] = out->res[(i + 1) % 16];
		out->ik[i] = out->res[(i + 2) % 16];
	}
	memcpy(out->ak, out->res + 3, AK_LEN);
	memcpy(out->ak_star, out->ak, AK_LEN);
}

enum status aka_derive_opc(struct aka_subscriber *s, struct bytes op)
{
	uint8_t block[TUAK_BLOCK];

	if (op.n != s->opc_len || op.n == 0)
		return ERR_MALFORMED;
	if (s->algorithm == AKA_MILENAGE) {
		TRY(aes_ecb(key_of(s), op, s->opc));
		xor_into(s->opc, op.p, 16);
		return OK;
	}
	TRY(tuak(s, op.p, 0, NULL, NULL, NULL, block));
	take_reversed(block, 0, s->opc, 32);
	return OK;
}

enum status aka_f1(const struct aka_subscriber *s, const uint8_t rand[static RAND_LEN], const uint8_t sqn[static SQN_LEN],
        const uint8_t amf[static AMF_LEN], uint8_t *mac, uint8_t *mac_star)
{
	AKA_KEYS x = { 0 };

	switch (s->algorithm) {
	case AKA_MILENAGE: return milenage_f1(s, rand, sqn, amf, mac, mac_star);
	case AKA_TUAK: return tuak_f1(s, rand, sqn, amf, mac, mac_star);
	case AKA_XOR:
		xor_algorithm(s, rand, &x);
		xor_into(x.res, sqn, SQN_LEN);
		xor_into(x.res + SQN_LEN, amf, AMF_LEN);
		if (mac != NULL)
			memcpy(mac, x.res, MAC_LEN);
		if (mac_star != NULL)
			memcpy(mac_star, x.res, MAC_LEN);
		return OK;
	default: return ERR_BUG;
	}
}

enum status aka_f2345(const struct aka_subscriber *s, const uint8_t rand[static RAND_LEN], struct aka_keys *out)
{
	switch (s->algorithm) {
	case AKA_MILENAGE: return milenage_f2345(s, rand, out);
	case AKA_TUAK: return tuak_f2345(s, rand, out);
	case AKA_XOR: xor_algorithm(s, rand, out); return OK;
	default: return ERR_BUG;
	}
}

enum status aka_autn(const struct aka_subscriber *s, const uint8_t rand[static RAND_LEN], const uint8_t sqn[static SQN_LEN],
        const uint8_t amf[static AMF_LEN], struct aka_keys *keys, uint8_t autn[static AUTN_LEN])
{
	if (s->mac_len != MAC_LEN)
		return ERR_BUG;
	TRY(aka_f2345(s, rand, keys));
	memcpy(autn, sqn, SQN_LEN);
	xor_into(autn, keys->ak, AK_LEN);
	memcpy(autn + SQN_LEN, amf, AMF_LEN);
	return aka_f1(s, rand, sqn, amf, autn + SQN_LEN + AMF_LEN, NULL);
}

void aka_gsm(const struct aka_subscriber *s, const struct aka_keys *keys, uint8_t sres[static 4], uint8_t kc[static 8])
{
	uint8_t res[16] = { 0 };

	memcpy(res, keys->res, s->res_len < sizeof res ? s->res_len : sizeof res);
	for (unsigned i = 0; i < 4; i++)
		sres[i] = res[i] ^ res[4 + i] ^ res[8 + i] ^ res[12 + i];
	for (unsigned i = 0; i < 8; i++)
		kc[i] = keys->ck[i] ^ keys->ck[8 + i] ^ keys->ik[i] ^ keys->ik[8 + i];
	secret_clean(res, sizeof res);
}

static const uint8_t amf_star[AMF_LEN];

enum status aka_auts_build(const struct aka_subscriber *s, const uint8_t rand[static RAND_LEN],
        const uint8_t sqn_ms[static SQN_LEN], uint8_t auts[static AUTS_LEN])
{
	AKA_KEYS keys = { 0 };
	uint8_t mac[AKA_MAC_MAX];

	TRY(aka_f2345(s, rand, &keys));
	TRY(aka_f1(s, rand, sqn_ms, amf_star, NULL, mac));
	memcpy(auts, sqn_ms, SQN_LEN);
	xor_into(auts, keys.ak_star, AK_LEN);
	memcpy(auts + SQN_LEN, mac, MAC_LEN);
	return OK;
}

enum status aka_auts_open(const struct aka_subscriber *s, const uint8_t rand[static RAND_LEN],
        const uint8_t auts[static AUTS_LEN], uint8_t sqn_ms[static SQN_LEN])
{
	AKA_KEYS keys = { 0 };
	uint8_t mac[AKA_MAC_MAX];

	TRY(aka_f2345(s, rand, &keys));
	memcpy(sqn_ms, auts, SQN_LEN);
	xor_into(sqn_ms, keys.ak_star, AK_LEN);
	TRY(aka_f1(s, rand, sqn_ms, amf_star, NULL, mac));
	return secret_equals((struct bytes){ mac, MAC_LEN }, (struct bytes){ auts + SQN_LEN, MAC_LEN }) ? OK : ERR_CRYPTO;
}

/* One field, if it is there, into a fixed place. */
static enum status take_parameter(struct bytes in, uint32_t tag, uint8_t *out, size_t n)
{
	struct bytes v;
	enum status st = tlv_find(in, tag, &v);

	if (st == ERR_NOT_FOUND)
		return OK;
	if (st != OK || v.n != n)
		return ERR_MALFORMED;
	memcpy(out, v.p, n);
	return OK;
}

static enum status take_key(struct bytes in, uint32_t tag, uint8_t *out, uint8_t *len)
{
	struct bytes v;
	enum status st = tlv_find(in, tag, &v);

	*len = 0;
	if (st == ERR_NOT_FOUND)
		return OK;
	if (st != OK || v.n > AKA_KEY_MAX)
		return ERR_MALFORMED;
	memcpy(out, v.p, v.n);
	*len = (uint8_t)v.n;
	return OK;
}

enum status aka_parse(struct bytes in, struct aka_subscriber *s)
{
	uint8_t algorithm = AKA_MILENAGE, iterations[2] = { 0, 1 }, lengths[4];

	TRY(take_parameter(in, AKA_TAG_ALGORITHM, &algorithm, 1));
	aka_defaults(s, algorithm);
	TRY(take_parameter(in, AKA_TAG_ROTATION, s->rotation, sizeof s->rotation));
	TRY(take_parameter(in, AKA_TAG_CONSTANT, s->constant[0], sizeof s->constant));
	TRY(take_parameter(in, AKA_TAG_ITERATIONS, iterations, sizeof iterations));
	s->iterations = (uint16_t)bytes_uint(BYTES_OF(iterations));
	lengths[0] = s->mac_len, lengths[1] = s->res_len, lengths[2] = s->ck_len, lengths[3] = s->ik_len;
	TRY(take_parameter(in, AKA_TAG_LENGTHS, lengths, sizeof lengths));
	s->mac_len = lengths[0], s->res_len = lengths[1], s->ck_len = lengths[2], s->ik_len = lengths[3];
	TRY(take_key(in, AKA_TAG_K, s->k, &s->k_len));
	TRY(take_key(in, AKA_TAG_OPC, s->opc, &s->opc_len));
	return aka_check(s);
}

enum status aka_put(struct bytes secrets, struct buf *out)
{
	struct bytes v;

	TRY(tlv_find(secrets, BIRTH_K, &v));
	tlv_put(out, AKA_TAG_K, v);
	if (tlv_find(secrets, BIRTH_OPC, &v) == OK)
		tlv_put(out, AKA_TAG_OPC, v);
	if (tlv_find(secrets, BIRTH_AKA, &v) == OK)
		buf_put(out, v);
	return buf_status(out);
}
