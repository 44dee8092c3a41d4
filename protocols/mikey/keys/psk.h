/* SPDX-License-Identifier: Apache-2.0 */
/* psk.h - the MIKEY pre-shared-key I_MESSAGE that carries a group session key under a GMK (RFC 3830 3.1; seed 003 6.Z.4.5).
 * Profile A: PRF 0, SRTP-ID map, HMAC-SHA-1, as GStreamer and tshark read it. Profile B: PRF 1, empty map, Key-ID
 * extension (RFC 4563, type 241) with the GMK-ID, HMAC-SHA-256. */
#ifndef PROTOCOLS_MIKEY_KEYS_PSK_H
#define PROTOCOLS_MIKEY_KEYS_PSK_H

#include "apdu/base/secret.h"
#include "protocols/mikey/message.h"

/* An IPv4 address and a port. */
enum { MIKEY_MEDIA_AT_LEN = 6 };
enum mikey_profile { MIKEY_PROFILE_A = 1, MIKEY_PROFILE_B = 2 };

struct mikey_offer {
	enum mikey_profile profile;
	uint32_t csb_id; /* GUK-ID of the sender */
	uint32_t gmk_id; /* profile B */
	uint32_t ssrc;   /* profile A; profile B leaves it to the SDP */
	uint64_t ntp;
	struct bytes rand;         /* 16, fresh: (GMK, RAND, CSB ID, T) must never repeat */
	struct bytes sender_uri;   /* IDi; empty to leave out */
	struct bytes receiver_uri; /* IDr: the group; empty to leave out */
	struct bytes sp;           /* SRTP policy parameters; empty to leave out */
	struct bytes mki;          /* SPI of the key; empty for none */
	struct bytes media_at;     /* where the media go, MIKEY_MEDIA_AT_LEN octets; empty to leave out */
	bool signed_by_sender;     /* KEMAC.next = SIGN; the caller appends the SIGN header and the signature */
};

/* The SRTP policy of our offers: AES-CM-128, HMAC-SHA-1 with an 80-bit tag. */
extern const struct bytes mikey_sp_aes_cm_sha1_80;

/* Append the message with gsk and salt as TEK+SALT, encrypted and MACed under psk. */
MUST_USE enum status mikey_psk_build(
        struct bytes psk, const struct mikey_offer *, const struct secret *gsk, const struct secret *salt, struct buf *out);

/* Check the MAC under psk, decrypt, take the first TEK+SALT. ERR_CRYPTO for a wrong MAC; gsk and salt empty on any error. */
MUST_USE enum status mikey_psk_open(struct bytes psk, const struct mikey *, struct secret *gsk, struct secret *salt);

/* The GMK-ID in profile B's Key-ID extension, or ERR_NOT_FOUND. */
MUST_USE enum status mikey_psk_gmk_id(const struct mikey *, uint32_t *out);

/* The SSRC of the first crypto session of an SRTP-ID map, or ERR_NOT_FOUND. */
MUST_USE enum status mikey_psk_ssrc(const struct mikey *, uint32_t *out);

/* Where the media go, as the sender says under the MAC (a Vendor ID extension: "prose-at", address, port), or ERR_NOT_FOUND.
 * The SDP around a message is covered by nothing. */
MUST_USE enum status mikey_psk_media_at(const struct mikey *, struct bytes *out);

#endif
