/* SPDX-License-Identifier: Apache-2.0 */
/* scp03.h - secure channel protocol 03 (GlobalPlatform Amendment D 1.1.2), both sides, pure: AES-128, 192 and 256, challenges
 * and MACs of 8 octets (S8) or 16 (S16); C-MAC, C-ENC, R-MAC and R-ENC. */
#ifndef OTA_SCP03_H
#define OTA_SCP03_H

#include "apdu/apdu.h"
#include "apdu/base/secret.h"

enum { SCP03_KEY_MAX = 32, SCP03_S8 = 8, SCP03_S16 = 16, SCP03_CHAIN_LEN = 16 };
enum { SCP03_C_MAC = 0x01, SCP03_C_ENC = 0x02, SCP03_R_MAC = 0x10, SCP03_R_ENC = 0x20 };

struct scp03_keys {
	struct bytes enc, mac; /* of one length: 16, 24 or 32 */
};

/* Session keys and what changes with each command. Holds secrets: wipe with scp03_wipe. */
struct scp03 {
	uint8_t enc[SCP03_KEY_MAX], mac[SCP03_KEY_MAX], rmac[SCP03_KEY_MAX];
	size_t key_len, size; /* size: SCP03_S8 or SCP03_S16 */
	uint8_t chain[SCP03_CHAIN_LEN];
	uint32_t counter; /* of commands since EXTERNAL AUTHENTICATE */
	uint8_t level;    /* SCP03_C_MAC and so on; 0: not authenticated yet */
};
void scp03_wipe(struct scp03 *);

/* Session keys from the static keys and both challenges (6.2.1), each of `size` octets. */
MUST_USE enum status scp03_open(
        struct scp03 *, const struct scp03_keys *, const uint8_t *host, const uint8_t *card, size_t size);
/* The cryptogram by which a side proves that it has the keys (6.2.2), size octets. */
MUST_USE enum status scp03_cryptogram(
        const struct scp03 *, bool of_card, const uint8_t *host, const uint8_t *card, uint8_t *out);
/* The card's pseudo-random challenge (6.2.2.1) from its sequence counter and the AID of its security domain. */
MUST_USE enum status scp03_challenge(const struct scp03_keys *, uint32_t sequence, struct bytes aid, size_t size, uint8_t *out);

/* The host's side: append the protected command to out. EXTERNAL AUTHENTICATE (INS 82) is MACed only, and takes the level in
 * P1. */
MUST_USE enum status scp03_wrap(struct scp03 *, const struct command_apdu *, struct buf *out);
/* The card's side: check the MAC and take it and the cipher off; data becomes a view into plain. ERR_CRYPTO ends the session.
 */
MUST_USE enum status scp03_unwrap(struct scp03 *, struct command_apdu *, struct secret_large *plain);
/* The card's answer: data ciphered and a MAC appended, as the level asks. */
MUST_USE enum status scp03_wrap_response(struct scp03 *, struct bytes data, uint16_t sw, struct buf *out);
MUST_USE enum status scp03_unwrap_response(
        struct scp03 *, struct bytes in, uint16_t sw, struct secret_large *plain, struct bytes *data);

#endif
