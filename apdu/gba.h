/* SPDX-License-Identifier: Apache-2.0 */
/* gba.h - GBA between phone and network (TS 33.220 annex H, 33.222, 24.109). A NAF_ID is an FQDN and one of the protocols. */
#ifndef APDU_GBA_H
#define APDU_GBA_H

enum { NAF_ID_MAX = 200, BTID_MAX = 160, IMPI_MAX = 100 };
#define UA_SUITE "PSK-AES128-GCM-SHA256"
#define UA_PROTOCOL "\x01\x00\x01\x00\xA8" /* that suite, in TLS 1.2 */
#define UA_SUITE_13 "TLS_AES_128_GCM_SHA256"
#define UA_PROTOCOL_13 "\x01\x00\x01\x13\x01"
#define UA_DIGEST_PROTOCOL "\x01\x00\x00\x00\x02" /* HTTP Digest inside TLS */
#define UA_HINT "3GPP-bootstrapping"
#define UA_IDENTITY UA_HINT ";"     /* and the B-TID */
#define UA_DIGEST_REALM UA_HINT "@" /* and the FQDN */

#endif
