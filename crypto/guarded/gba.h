/* SPDX-License-Identifier: Apache-2.0 */
/* gba.h - keys of the generic bootstrapping architecture (TS 33.220 annex B.3 and 5.3.2), for the card and for the network. */
#ifndef CRYPTO_GUARDED_GBA_H
#define CRYPTO_GUARDED_GBA_H

#include "apdu/base/secret.h"

enum { GBA_KEY_LEN = 32, GBA_MAC_LEN = 8 };
enum gba_key { GBA_ME, GBA_U }; /* Ks_NAF or Ks_ext_NAF; Ks_int_NAF */

/* Ks: CK || IK, 32 octets; naf_id: FQDN and five octets of the Ua protocol. */
MUST_USE enum status gba_naf_key(enum gba_key, struct bytes ks, struct bytes rand, struct bytes impi, struct bytes naf_id,
        uint8_t out[static GBA_KEY_LEN]);
/* MAC of AUTN to MAC* and back: xor the first octets of SHA-1(IK), so that only a card that does GBA_U accepts it. */
MUST_USE enum status gba_u_mac(struct bytes ik, uint8_t mac[static GBA_MAC_LEN]);

/* TrK and InK of sealed objects under SEALED_TRK_GBA, and the key under which a card vouches (apdu/push.h): HMAC-SHA-256 of
 * Ks_int_NAF and a label. */
#define GBA_LABEL_TRK "prose-trk"
#define GBA_LABEL_INK "prose-ink"
#define GBA_LABEL_JOIN "prose-join"
MUST_USE enum status gba_label_key(const struct secret *ks_int_naf, const char *label, struct secret *out);

#endif
