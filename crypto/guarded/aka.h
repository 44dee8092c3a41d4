/* SPDX-License-Identifier: Apache-2.0 */
/* aka.h - authentication and key agreement functions f1..f5* of TS 33.102: Milenage (TS 35.206), TUAK (TS 35.231) and the XOR
 * test algorithm (TS 34.108 8.1.2). Shared by the card, which answers, and the HSS, which makes vectors.
 * AES and Keccak are OpenSSL's; everything is constant-time in keys and outputs, lengths are public. */
#ifndef CRYPTO_GUARDED_AKA_H
#define CRYPTO_GUARDED_AKA_H

#include "apdu/base/secret.h"

enum aka_algorithm { AKA_MILENAGE = 1, AKA_TUAK, AKA_XOR };
enum {
	RAND_LEN = 16,
	SQN_LEN = 6,
	AMF_LEN = 2,
	AK_LEN = 6,
	AKA_MAC_MAX = 32,
	AKA_KEY_MAX = 32,
	AUTS_LEN = 14,
	MAC_LEN = 8,
	AUTN_LEN = 16
};

/* One subscriber's key and the operator's parameters. Holds secrets: wipe with aka_subscriber_wipe, declare with
 * AKA_SUBSCRIBER. */
struct aka_subscriber {
	enum aka_algorithm algorithm;
	uint8_t k[AKA_KEY_MAX], k_len;     /* 16; TUAK also 32 */
	uint8_t opc[AKA_KEY_MAX], opc_len; /* Milenage: OPc, 16. TUAK: TOPc, 32. XOR: none */
	uint8_t rotation[5];               /* Milenage r1..r5 in bits, multiples of 8 */
	uint8_t constant[5][16];           /* Milenage c1..c5 */
	uint8_t mac_len;                   /* 8; TUAK also 16 or 32 */
	uint8_t res_len;                   /* Milenage 4..8, TUAK 4, 8, 16 or 32, XOR 4..16 */
	uint8_t ck_len, ik_len;            /* 16; TUAK also 32 */
	uint16_t iterations;               /* TUAK: Keccak permutations, 1 unless the operator says otherwise */
};
void aka_subscriber_wipe(struct aka_subscriber *);
#define AKA_SUBSCRIBER __attribute__((cleanup(aka_subscriber_wipe))) struct aka_subscriber

/* What f2..f5* give for one RAND. Declare with AKA_KEYS so that every exit wipes it. */
struct aka_keys {
	uint8_t res[32], ck[32], ik[32], ak[AK_LEN], ak_star[AK_LEN];
};
void aka_keys_wipe(struct aka_keys *);
#define AKA_KEYS __attribute__((cleanup(aka_keys_wipe))) struct aka_keys

/* The defaults of an algorithm: Milenage r and c of TS 35.206 4.1, lengths 8/8/16/16, one iteration. Keys are left zero. */
void aka_defaults(struct aka_subscriber *, enum aka_algorithm);
/* ERR_MALFORMED unless all lengths and rotations are ones that the algorithm has. */
MUST_USE enum status aka_check(const struct aka_subscriber *);

/* Keys and parameters as TLVs of enum aka_tag (apdu/birth.h), the form in which cards and orders keep them; what is absent has
 * the algorithm's default. ERR_MALFORMED if they are not a whole subscriber (aka_check). */
MUST_USE enum status aka_parse(struct bytes tlvs, struct aka_subscriber *);
/* Those TLVs out of the secrets that a card is born with: BIRTH_K, BIRTH_OPC, BIRTH_AKA. */
MUST_USE enum status aka_put(struct bytes secrets, struct buf *out);

/* Set opc from the operator's constant OP (Milenage, 16 octets) or TOP (TUAK, 32). k and iterations must be set. */
MUST_USE enum status aka_derive_opc(struct aka_subscriber *, struct bytes op);

/* f1 into mac and f1* into mac_star, mac_len octets each. Either may be NULL. */
MUST_USE enum status aka_f1(const struct aka_subscriber *, const uint8_t rand[static RAND_LEN],
        const uint8_t sqn[static SQN_LEN], const uint8_t amf[static AMF_LEN], uint8_t *mac, uint8_t *mac_star);
/* f2, f3, f4, f5 and f5*. */
MUST_USE enum status aka_f2345(const struct aka_subscriber *, const uint8_t rand[static RAND_LEN], struct aka_keys *);

/* f2 to f5* into keys, and AUTN = (SQN xor AK) || AMF || MAC-A: what an AuC makes (TS 33.102 6.3.2). mac_len must be 8. */
MUST_USE enum status aka_autn(const struct aka_subscriber *, const uint8_t rand[static RAND_LEN],
        const uint8_t sqn[static SQN_LEN], const uint8_t amf[static AMF_LEN], struct aka_keys *keys,
        uint8_t autn[static AUTN_LEN]);

/* The conversions c2 and c3 of TS 33.102 6.8.1.2: the GSM answer from RES, CK and IK of 16 octets. */
void aka_gsm(const struct aka_subscriber *, const struct aka_keys *, uint8_t sres[static 4], uint8_t kc[static 8]);

/* AUTS = (SQN_MS xor f5*) || f1*(SQN_MS, AMF* = 0): the card builds it, the AuC opens it (ERR_CRYPTO if MAC-S is wrong). */
MUST_USE enum status aka_auts_build(const struct aka_subscriber *, const uint8_t rand[static RAND_LEN],
        const uint8_t sqn_ms[static SQN_LEN], uint8_t auts[static AUTS_LEN]);
MUST_USE enum status aka_auts_open(const struct aka_subscriber *, const uint8_t rand[static RAND_LEN],
        const uint8_t auts[static AUTS_LEN], uint8_t sqn_ms[static SQN_LEN]);

#endif
