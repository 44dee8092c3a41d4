/* SPDX-License-Identifier: Apache-2.0 */
/* rfm.h - remote management inside the card: key sets and counters (rfm_keys.c), scripts (rfm_script.c), secured packets
 * (rfm.c).
 *
 * Records of an instance, KK being the key set in hex:
 *   key/KK    TLVs of enum ota_key_tag (apdu/birth.h)
 *   cnt/KK    the last counter taken, 5 octets, written by put_now before anything runs
 *   bad/KK    packets whose MAC was wrong, 4 octets, written by applet_spend; KK 00 for key sets that there are not
 *   policy    TLVs of enum ota_policy_tag; absent: answer with 06 in the delivery report, never block */
#ifndef CARD_APPLETS_REMOTE_RFM_H
#define CARD_APPLETS_REMOTE_RFM_H

#include "card/applets/applets.h"
#include "card/os/card.h"
#include "ota/packet.h"
#include "ota/sms.h"

struct rfm_policy {
	bool silent;
	uint32_t max_failures;
	uint16_t submits;
};
MUST_USE enum status rfm_policy(struct applet *, struct rfm_policy *);

/* A key set with the record that its keys point into: wipe it. ERR_NOT_FOUND. */
struct rfm_keys {
	struct secret_large record;
	struct ota_keys keys;
};
void rfm_keys_wipe(struct rfm_keys *);
#define RFM_KEYS __attribute__((cleanup(rfm_keys_wipe))) struct rfm_keys
MUST_USE enum status rfm_keys_load(struct applet *, uint8_t kvn, struct rfm_keys *);
/* From TLVs of enum ota_key_tag. ERR_MALFORMED: not a key set that this card can use. */
MUST_USE enum status rfm_keys_parse(struct bytes tlvs, struct ota_keys *);
MUST_USE enum status rfm_keys_put(struct applet *, const struct ota_keys *); /* counter 0, no failures */

/* The counter rule (TS 102 225 5.1.4) on the key set's stored value. RSC_OK after the new value is durable. */
MUST_USE enum status rfm_counter_accept(struct applet *, uint8_t kvn, uint8_t spi1, uint64_t counter, enum ota_rsc *);
/* One more packet with a wrong MAC, durable; how many there are. kvn 0: of a key set that there is not. */
MUST_USE enum status rfm_failures(struct applet *, uint8_t kvn, bool one_more, uint32_t *count);

/* What a TAR stands for. */
struct rfm_target {
	const char *tar;
	const char *aid; /* of the ADF the script starts in; NULL: MF */
	size_t aid_len;
	uint16_t df; /* below it; 0: none */
	bool expanded, all_or_nothing;
	enum { TARGET_FILES, TARGET_CARD_MANAGER, TARGET_PROSE } kind; /* PROSE: objects for the applet instead of commands */
	uint8_t msl;                                                   /* minimum security level, as an SPI1 */
	struct applet *applet; /* that takes the commands or objects; NULL: the issuer's */
};
const struct rfm_target *rfm_target_built_in(const uint8_t tar[static OTA_TAR_LEN]); /* or NULL */
/* Of the card as it is: built in, or an instance's own. *target is filled in; *keys: the applet that has the key sets of its
 * domain. False: unknown, and *keys the issuer's. */
bool rfm_target(struct card *, const uint8_t tar[static OTA_TAR_LEN], struct rfm_target *target, struct applet **keys);
/* Every field of SPI1 at least what the level asks for (TS 102 226 8.2.1.3.2.4.2). */
bool rfm_level_suffices(uint8_t spi1, uint8_t msl);
/* Run a script in the target's directory with the rights of its security domain; append its answer. *ok: every command
 * succeeded. */
void rfm_run_script(struct card *, const struct rfm_target *, struct bytes script, bool *ok, struct buf *answer);

#endif
