/* SPDX-License-Identifier: Apache-2.0 */
/* usim.h - inside the USIM: what AUTHENTICATE (usim.c), sequence numbers (usim_sqn.c) and GBA (usim_gba.c) share.
 *
 * Records of the instance:
 *   k       enum aka_tag TLVs: the subscriber's key and parameters; written at birth
 *   sqn     SEQ_MS[32], 6 octets each (TS 33.102 annex C)
 *   ks      RAND || Ks of the last GBA bootstrapping (TS 33.220 5.3.2)
 *   naf/NN  Ks_int_NAF (32) || use counter (4) || length of NAF_ID (1) || NAF_ID, for record NN of EF_GBANL */
#ifndef CARD_APPLETS_USIM_USIM_H
#define CARD_APPLETS_USIM_USIM_H

#include "apdu/files.h"
#include "card/applets/applets.h"
#include "card/os/card.h"
#include "crypto/guarded/aka.h"

enum { SEQ_SLOTS = 32, SQN_RECORD_LEN = SEQ_SLOTS * SQN_LEN };

struct usim_limits {
	uint64_t delta, age_limit; /* age_limit 0: none */
};

/* Whether the service is set in EF_UST. */
bool usim_service(struct applet *, enum usim_service);
/* Index of an EF below the instance's ADF, or FILE_NONE. */
uint8_t usim_file(struct applet *, uint16_t fid);

/* usim_sqn.c: accept a sequence number (the new array is put, and durable with the command's commit), or ERR_DENIED with
 * SQN_MS for AUTS. */
MUST_USE enum status usim_sqn_init(struct applet *);
MUST_USE enum status usim_sqn_accept(
        struct applet *, const struct usim_limits *, const uint8_t sqn[static SQN_LEN], uint8_t sqn_ms[static SQN_LEN]);

/* Verify RAND and AUTN (MAC before SQN) and leave the keys: 9000; 9862; or 9000 with AUTS in the answer and *synchronised
 * false. gba: AUTN is AUTN* of TS 33.220 5.3.2. */
enum sw usim_authenticate(struct applet *, struct aka_subscriber *, struct bytes rand, struct bytes autn, bool gba,
        struct aka_keys *, bool *synchronised, struct buf *rsp);

/* usim_identity.c */
enum sw usim_get_identity(struct command *);

/* usim_gba.c: the two modes of P2 = 84. */
enum sw usim_gba(struct command *);
/* Ks_int_NAF of the last derivation for this NAF by any USIM of the card, for an application of the card. ERR_NOT_FOUND. */
MUST_USE enum status usim_internal_key(struct card *, struct bytes naf_id, struct secret *out);

#endif
