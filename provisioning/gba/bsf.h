/* SPDX-License-Identifier: Apache-2.0 */
/* bsf.h - the bootstrapping server function and its Zn side (TS 33.220 clause 4.5 and 5.3, TS 24.109 clause 4): a UE proves its
 * USIM by HTTP Digest AKA, gets a B-TID, and services look up the key that it has with them. Our cards do GBA_U: AUTN* goes
 * out, and Ks_int_NAF exists in the card and here only. */
#ifndef PROVISIONING_GBA_BSF_H
#define PROVISIONING_GBA_BSF_H

#include "apdu/gba.h"
#include "crypto/guarded/gba.h"
#include "provisioning/db/db.h"
#include "provisioning/http/http.h"
#include "provisioning/http/limit.h"

/* What anybody can ask for without any proof: a challenge lives so long, is given to whoever asks for that subscriber while
 * there is this much left to answer it, and there are so many of a subscriber (429) and of all (the oldest go). */
enum { BSF_CHALLENGE_SECONDS = 300, BSF_ANSWER_SECONDS = 60, BSF_CHALLENGES_MAX = 4, BSF_CHALLENGES_TOTAL = 4096 };
enum { BSF_VECTORS_PER_SECOND = 10 }; /* of one source */

/* One request on Ub. name: the BSF's own, behind the @ of B-TIDs; lifetime in seconds. The keeper does the work. */
struct bsf {
	struct db *db;
	const char *name;
	uint64_t lifetime;
	struct limit *vectors;         /* new challenges of one source; NULL: any number */
	bool clean;                    /* set by the first request, which takes away challenges of before there were minutes */
	char header[1024], body[1024]; /* memory of the reply */
};
void bsf_request(struct bsf *, uint64_t now, const struct http_request *, struct http_reply *);

/* FQDN and Ua protocol (apdu/gba.h). */
MUST_USE enum status naf_id_of(const char *naf, const char *protocol, struct buf *out);

/* Zn: the key of a B-TID for a NAF (FQDN and five octets of Ua protocol) and whose it is. ERR_NOT_FOUND: nobody's, or not any
 * more. */
struct naf_user {
	char imsi[16], iccid[21], impi[IMPI_MAX], btid[BTID_MAX]; /* btid: "" with a certificate */
	uint64_t expires;                                         /* seconds since 1970 */
};
MUST_USE enum status naf_lookup(
        struct db *, uint64_t now, const char *btid, enum gba_key, struct bytes naf_id, struct naf_user *, struct secret *key);

/* Whose it is alone. */
MUST_USE enum status naf_whose(struct db *, uint64_t now, const char *btid, struct naf_user *);

/* What a server may have of it: the phone's key for a connection to this FQDN, from the keeper. ERR_NOT_FOUND. */
enum ua_protocol { UA_TLS_12, UA_TLS_13, UA_DIGEST, UA_PROTOCOLS };
MUST_USE enum status ua_key(
        struct db *, uint64_t now, const char *naf, enum ua_protocol, const char *btid, struct naf_user *, struct secret *key);

/* TrK and InK of SEALED_TRK_GBA, from Ks_int_NAF (crypto/guarded/gba.h). */
struct seal_keys;
MUST_USE enum status gba_seal_keys(const struct secret *ks_int_naf, struct seal_keys *out);
/* The same of a B-TID, for the server of this FQDN. ERR_NOT_FOUND. */
MUST_USE enum status naf_seal_keys(struct db *, uint64_t now, const char *naf, const char *btid, struct seal_keys *out);

/* Ua: TLS_PSK_WITH_AES_128_GCM_SHA256 and its security protocol (TS 33.220 annex H); whose connection this is, by the identity
 * that its key has ("3GPP-bootstrapping;B-TID", TS 33.222 5.4) or by its certificate (http.h), which has none. ERR_NOT_FOUND.
 */
MUST_USE enum status ua_user(
        struct db *, uint64_t now, const char *naf, const char *identity, bool tls13, struct naf_user *, struct secret *key);

/* Ua by HTTP Digest inside TLS with a server's certificate (TS 33.222 5.3, TS 24.109 5.2): B-TID and Ks_NAF are name and
 * password. ERR_DENIED: *r asks for them. header is memory of the reply. */
enum { UA_DIGEST_HEADER = 512 };
MUST_USE enum status ua_digest(struct db *, uint64_t now, const char *naf, const struct http_request *, struct http_reply *r,
        char header[UA_DIGEST_HEADER], struct naf_user *);
/* Either: by the connection's identity, or (it has none) by HTTP Digest. Not OK: *r says why. */
MUST_USE enum status ua_who(struct db *, uint64_t now, const char *naf, const struct http_request *, struct http_reply *r,
        char header[UA_DIGEST_HEADER], struct naf_user *);

#endif
