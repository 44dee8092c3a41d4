/* SPDX-License-Identifier: Apache-2.0 */
/* srtp.h - SRTP on libsrtp2: AES-CM-128 with HMAC-SHA-1-80 (RFC 3711), or AES-128-GCM with a 16-octet tag (RFC 7714). One key a
 * stream; inbound streams take any SSRC under it, unless one is named. Packets begin with a whole RTP header. */
#ifndef CRYPTO_COMMON_SRTP_H
#define CRYPTO_COMMON_SRTP_H

#include "apdu/base/secret.h"

enum srtp_profile { SRTP_AES_CM_SHA1_80, SRTP_AES_GCM };
enum { SRTP_KEY_LEN = 16, SRTP_SALT_LEN = 14, SRTP_GCM_SALT_LEN = 12, SRTP_MKI_MAX = 16, SRTP_OVERHEAD = 48 };

struct srtp_options {
	enum srtp_profile profile;
	struct bytes key, salt;
	struct bytes mki; /* sent behind each packet, and expected there; empty: none */
	uint32_t ssrc;    /* 0: any, for inbound ones */
	bool outbound;
};

struct srtp_stream;

/* NULL if libsrtp2 refuses, or a length is not the profile's. */
struct srtp_stream *srtp_stream_new(const struct srtp_options *);
void srtp_stream_free(struct srtp_stream **);

/* In place; packet has room for *n + SRTP_OVERHEAD octets. ERR_CRYPTO where an index comes twice. */
MUST_USE enum status srtp_stream_protect(struct srtp_stream *, uint8_t *packet, size_t *n);
/* In place. ERR_CRYPTO for a wrong tag, another MKI or a replay. */
MUST_USE enum status srtp_stream_unprotect(struct srtp_stream *, uint8_t *packet, size_t *n);

#endif
