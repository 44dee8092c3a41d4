/* srtp.h - SRTP with AES-CM-128 and HMAC-SHA-1-80 (RFC 3711), on libsrtp2. One stream a session. */
#ifndef CRYPTO_SRTP_H
#define CRYPTO_SRTP_H

#include "apdu/secret.h"

enum { SRTP_KEY_LEN = 16, SRTP_SALT_LEN = 14, SRTP_OVERHEAD = 32 };

struct srtp_stream;

/* Outbound (ssrc known) or inbound stream. NULL if libsrtp2 refuses. */
struct srtp_stream *srtp_stream_new(struct bytes key, struct bytes salt, uint32_t ssrc, bool outbound);
void srtp_stream_free(struct srtp_stream **);

/* In place; packet has room for *n + SRTP_OVERHEAD octets. */
MUST_USE enum status srtp_stream_protect(struct srtp_stream *, uint8_t *packet, size_t *n);
/* In place. ERR_CRYPTO for a wrong tag or a replay. */
MUST_USE enum status srtp_stream_unprotect(struct srtp_stream *, uint8_t *packet, size_t *n);

#endif
