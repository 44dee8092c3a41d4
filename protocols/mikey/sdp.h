/* SPDX-License-Identifier: Apache-2.0 */
/* sdp.h - the SDP that carries a MIKEY message (RFC 4566, RFC 4567 a=key-mgmt:mikey). */
#ifndef PROTOCOLS_MIKEY_SDP_H
#define PROTOCOLS_MIKEY_SDP_H

#include "apdu/base/bytes.h"

enum { SDP_MAX = 4096 };

struct sdp_offer {
	struct bytes group_uri; /* s= line */
	const char *address;    /* c= and m= of the media: dotted IPv4 */
	uint16_t port;
	uint32_t ssrc;
	struct bytes mikey;
};

/* Append the text of a one-line PCMA RTP/SAVP offer. */
void sdp_put(struct buf *, const struct sdp_offer *);

struct sdp_media {
	struct bytes subject; /* s= line, of the text: whose offer it says that it is */
	char address[64];
	uint16_t port;
	uint32_t ssrc; /* 0 if there is no a=ssrc */
};

/* Read address, port and SSRC, and append the MIKEY octets. ERR_NOT_FOUND without a=key-mgmt:mikey or m=audio. */
MUST_USE enum status sdp_parse(struct bytes text, struct sdp_media *, struct buf *mikey);

#endif
