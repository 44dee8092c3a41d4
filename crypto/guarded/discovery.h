/* SPDX-License-Identifier: Apache-2.0 */
/* discovery.h - discovery codes: profile tr-2.1 (TR 33.833 6.2.1, option 2) and 33.303 (6.1.3.4) of restricted discovery.
 * Constant-time in keys. The FC values and scrambling prefix that could not be verified are fields of struct
 * prose_profile with a default; tests of them are self-consistent, not standard. */
#ifndef CRYPTO_GUARDED_DISCOVERY_H
#define CRYPTO_GUARDED_DISCOVERY_H

#include "crypto/common/lookup.h"

enum { DISCOVERY_FRAME_LEN = 29, DISCOVERY_MIC_LEN = 4 };
enum { DISCOVERY_TYPE_ANNOUNCE = 0x81 }; /* restricted, announce, model A (TS 24.334 11.2.1 by way of 24.554) */

struct prose_profile {
	uint8_t fc_mic;          /* A.2 */
	uint8_t fc_scrambling;   /* A.5 */
	uint8_t fc_tr21;         /* ours */
	uint8_t scramble_prefix; /* XORed onto the message type */
};
extern const struct prose_profile prose_profile_default;

/* tr-2.1: leftmost 23 octets of HMAC-SHA-256(ProSe Application Key, FC || ProSe ID || L || slot(4) || L). */
MUST_USE enum status discovery_tr21_code(const struct prose_profile *, struct bytes application_key, struct bytes prose_id,
        uint32_t slot, uint8_t code[static DISCOVERY_CODE_LEN]);

struct discovery_keys_33303 {
	struct bytes dusk, duik; /* 16 or 32 octets */
	struct bytes code;       /* 1..23 octets, right-padded with zeros on the air */
};

/* 33.303 sender: type || code || MIC scrambled, then the counter's low octet: 29 octets. */
MUST_USE enum status discovery_33303_frame(const struct prose_profile *, const struct discovery_keys_33303 *, uint32_t counter,
        uint8_t frame[static DISCOVERY_FRAME_LEN]);

/* The scrambled code octets of a slot: the same in every frame of it, hence what a monitor looks up. */
MUST_USE enum status discovery_33303_code(const struct prose_profile *, const struct discovery_keys_33303 *, uint32_t counter,
        uint8_t code[static DISCOVERY_CODE_LEN]);

/* 33.303 receiver: whether the frame is the one these keys make at this counter, MIC included. */
MUST_USE enum status discovery_33303_check(
        const struct prose_profile *, const struct discovery_keys_33303 *, uint32_t counter, struct bytes frame, bool *match);

/* The counter nearest to `now` whose low octet is lsb. */
uint32_t discovery_counter(uint32_t now, uint8_t lsb);

#endif
