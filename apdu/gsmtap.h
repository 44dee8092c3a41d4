/* SPDX-License-Identifier: Apache-2.0 */
/* gsmtap.h - the header in front of an APDU that is mirrored to Wireshark (GSMTAP version 2, UDP 4729): C-APDU and R-APDU
 * follow. */
#ifndef APDU_GSMTAP_H
#define APDU_GSMTAP_H

enum { GSMTAP_PORT = 4729, GSMTAP_HEADER_LEN = 16, GSMTAP_VERSION = 2, GSMTAP_WORDS = GSMTAP_HEADER_LEN / 4, GSMTAP_SIM = 4 };

#endif
