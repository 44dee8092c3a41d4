/* SPDX-License-Identifier: Apache-2.0 */
/* message.h - MIKEY messages (RFC 3830 section 6, 6043, 6509): one parser for all of them, and the payload writers.
 * Every inner length is bounded by its outer one; unknown payloads, trailing octets, second KEMAC, SAKKE, SIGN, T, RAND
 * and repeated IDR roles are refused. Views point into the input. */
#ifndef PROTOCOLS_MIKEY_MESSAGE_H
#define PROTOCOLS_MIKEY_MESSAGE_H

#include "apdu/base/bytes.h"

enum mikey_data_type { MIKEY_PSK_INIT = 0, MIKEY_SAKKE = 26 };
enum mikey_payload {
	MIKEY_LAST = 0,
	MIKEY_KEMAC = 1,
	MIKEY_SIGN = 4,
	MIKEY_T = 5,
	MIKEY_ID = 6,
	MIKEY_SP = 10,
	MIKEY_RAND = 11,
	MIKEY_IDR = 14,
	MIKEY_KEY_DATA = 20,
	MIKEY_EXT = 21,
	MIKEY_SAKKE_PAYLOAD = 26
};
enum mikey_prf { MIKEY_PRF_SHA1 = 0, MIKEY_PRF_SHA256 = 1 };
enum mikey_map { MIKEY_MAP_SRTP = 0, MIKEY_MAP_EMPTY = 1, MIKEY_MAP_GENERIC = 2 };
enum mikey_encr { MIKEY_ENCR_AES_CM_128 = 1 };
enum mikey_mac { MIKEY_MAC_HMAC_SHA1 = 1, MIKEY_MAC_HMAC_SHA256 = 2 };
enum mikey_role {
	MIKEY_ROLE_INITIATOR = 1,
	MIKEY_ROLE_RESPONDER = 2,
	MIKEY_ROLE_KMS_INITIATOR = 6,
	MIKEY_ROLE_KMS_RESPONDER = 7,
	MIKEY_ROLE_UID_INITIATOR = 8,
	MIKEY_ROLE_UID_RESPONDER = 9,
	MIKEY_ROLES = 10
};
enum mikey_ext {
	MIKEY_EXT_VENDOR_ID = 0,
	MIKEY_EXT_KEY_ID = 3,
	MIKEY_EXT_KEY_PARAMETERS = 7,
	MIKEY_EXT_ORDER = 251
}; /* 241-255: private use */
enum { MIKEY_EXT_MAX = 4, MIKEY_ECCSI_LEN = 129, MIKEY_RAND_MIN = 16, MIKEY_MESSAGE_MAX = 2048 };

struct mikey_header {
	uint8_t data_type;
	uint8_t prf;
	bool answer_wanted; /* the V bit */
	uint32_t csb_id;
	uint8_t cs_count, map_type;
	struct bytes map; /* cs_count entries */
};

struct mikey {
	struct mikey_header header;
	uint64_t time; /* NTP: seconds since 1900 << 32 | fraction */
	struct bytes time_octets;
	struct bytes rand;
	struct bytes id[2];             /* IDi, IDr of ID payloads */
	struct bytes role[MIKEY_ROLES]; /* IDR payloads by role */
	struct bytes sp;                /* parameters of the first security policy */
	struct {
		uint8_t type;
		struct bytes data;
	} ext[MIKEY_EXT_MAX];
	size_t ext_count;
	struct {
		uint8_t encr, mac_alg;
		struct bytes data, mac;
		struct bytes maced; /* everything before the MAC octets */
	} kemac;
	struct {
		uint8_t params, id_scheme;
		struct bytes data;
	} sakke;
	struct bytes signature;   /* ECCSI, 129 octets; empty if none */
	struct bytes signed_part; /* everything before the signature octets */
};

/* Parse a PSK (type 0) or SAKKE (type 26) I_MESSAGE. */
MUST_USE enum status mikey_parse(struct bytes in, struct mikey *out);

/* The data of the extension of that type, or ERR_NOT_FOUND. */
MUST_USE enum status mikey_ext(const struct mikey *, uint8_t type, struct bytes *out);

/* Writers. `next` is the payload that follows. */
void mikey_put_header(struct buf *, const struct mikey_header *, enum mikey_payload next);
void mikey_put_time(struct buf *, uint64_t ntp, enum mikey_payload next);
void mikey_put_rand(struct buf *, struct bytes rand, enum mikey_payload next);
void mikey_put_id(struct buf *, struct bytes uri, enum mikey_payload next);
void mikey_put_idr(struct buf *, enum mikey_role, struct bytes uri, enum mikey_payload next);
void mikey_put_sp(struct buf *, struct bytes parameters, enum mikey_payload next);
void mikey_put_ext(struct buf *, enum mikey_ext type, struct bytes data, enum mikey_payload next);
/* The two octets in front of an ECCSI signature; the signature covers everything up to and including them. */
void mikey_put_sign_header(struct buf *);

#define MIKEY_NTP_TO_UNIX UINT64_C(2208988800)

/* Seconds since 1970 to an NTP time stamp and back: 1970 to 2104, as its 32 bits of seconds turn over on 2036-02-07. */
uint64_t mikey_ntp(uint64_t unix_seconds);
uint64_t mikey_unix(uint64_t ntp);
/* What grows with the time of a stamp, across the turn, too. Stamps themselves do not. */
uint64_t mikey_order(uint64_t ntp);

#endif
