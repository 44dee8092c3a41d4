/* SPDX-License-Identifier: Apache-2.0 */
/* sakke_message.h - the MIKEY-SAKKE I_MESSAGE (RFC 6509 section 2, TS 33.180 E.2) and its key parameters (E.6). */
#ifndef PROTOCOLS_MIKEY_KEYS_SAKKE_MESSAGE_H
#define PROTOCOLS_MIKEY_KEYS_SAKKE_MESSAGE_H

#include "crypto/common/rng.h"
#include "protocols/mikey/keys/identity.h"
#include "protocols/mikey/keys/order.h"
#include "protocols/mikey/message.h"

enum { SAKKE_ID_SCHEME_UID = 2, GMK_ID_LIST_MAX = 256 };

struct sakke_message {
	uint32_t csb_id;
	uint64_t ntp;
	struct bytes rand;
	struct bytes initiator_uri, responder_uri;
	struct bytes initiator_kms_uri, responder_kms_uri;
	struct bytes sakke_data;     /* 273 */
	struct bytes key_parameters; /* extension 7; empty to leave out */
	struct bytes order;          /* extension 251; empty to leave out */
};

/* Append HDR .. SAKKE, [EXT], and the SIGN header. The caller appends the ECCSI signature over all of it. */
void sakke_message_put(struct buf *, const struct sakke_message *);

struct key_parameters {
	uint8_t key_type; /* purpose: 0 GMK */
	uint32_t key_id;  /* only when opened: the CSB ID that they were made for */
	bool revoked;
	uint64_t activation, expiry; /* seconds since 1970; expiry 0: none given */
	struct bytes text;
	struct bytes group; /* first group id, empty if none */
};

/* Append extension data: parameters in AES-128-GCM under a key derived from the transported key. */
MUST_USE enum status key_parameters_seal(
        struct rng *, struct bytes key, uint32_t key_id, uint64_t created, const struct key_parameters *, struct buf *out);

/* Decrypt into *plain and read it; views of *out point into *plain. ERR_CRYPTO for a wrong tag or key. */
MUST_USE enum status key_parameters_open(
        struct bytes key, struct bytes data, struct secret_large *plain, struct key_parameters *out);

/* The same for the ORDER part (order.h), which is in a container of the same form. */
MUST_USE enum status order_seal(
        struct rng *, struct bytes key, uint32_t key_id, uint64_t created, const struct gmk_order *, struct buf *);
/* key_id: the CSB ID of the message. ERR_MALFORMED: it was made for another. */
MUST_USE enum status order_open(struct bytes key, uint32_t key_id, struct bytes data, struct gmk_order *out);

/* A whole, signed I_MESSAGE with a group master key for one member: its GUK-ID, encapsulation, parameters and signature. */
struct gmk_message {
	const struct mikey_kms *kms;        /* of the signer */
	const struct mikey_kms *member_kms; /* of the member; NULL: the same */
	const uint8_t *z;                   /* public key of the member's KMS, 257 octets */
	struct bytes signer_uri, member_uri;
	const struct secret *ssk; /* the signer's, in the period of `now` */
	const uint8_t *pvt, *hs;
	struct secret gmk;
	const uint8_t *sakke_data; /* the GMK encapsulated to this member (mikey_uid of it and `now`), or NULL: do it here */
	uint32_t gmk_id;
	struct bytes rand; /* 16 octets, the same for all members of one GMK: gmk-direct keys are made of it */
	uint64_t now;
	struct key_parameters parameters;
	struct gmk_order order; /* number 0: none, as a KMS that does not know of it makes them */
};
MUST_USE enum status gmk_message_build(struct rng *, const struct gmk_message *, struct buf *out);

#endif
