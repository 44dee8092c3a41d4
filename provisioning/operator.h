/* SPDX-License-Identifier: Apache-2.0 */
/* operator.h - the operator's work: orders, KMS, groups, discovery keys, OTA updates. Each call is one transaction. */
#ifndef PROVISIONING_OPERATOR_H
#define PROVISIONING_OPERATOR_H

#include "apdu/aids.h"
#include "apdu/prose.h"
#include "apdu/sealed.h"
#include "ota/packet.h"
#include "provisioning/db/db.h"

struct pin_letter {
	char pin1[9], puk1[9], pin2[9], puk2[9];
};

struct hss_vector {
	uint64_t sqn; /* that AUTN carries */
	uint8_t rand[16], autn[16], ck[32], ik[32], res[32];
	size_t ck_len, ik_len, res_len;
};

/* order.c - a new card: random K, OPc (tuak: 32 octets each), PIN, PUK, OTA keys, TrK, InK; secrets as apdu/birth.h TLVs and,
 * encrypted to the card maker's certificate (PEM), as CMS AuthEnvelopedData in DER. letter gets the digits for the user; wipe
 * it. naf: no TrK and InK; the card's first ones come from this server by GBA; or NULL. */
MUST_USE enum status order_new(struct db *, const char *iccid, const char *imsi, bool tuak, const char *naf, uint64_t now,
        const char *maker_certificate, struct buf *cms, struct pin_letter *letter);

/* list.c - a card vendor's list: CSV whose first line names the columns (iccid, imsi, msisdn, algorithm, and the names of
 * apdu/birth.h), or others that map translates ("ICC=iccid,KI=k"; NULL: none). Keys that the list does not have are made from
 * the batch's secret (crypto/guarded/diversify.h), if there is one (else empty). All cards or, with a sentence that names the
 * line, none: the caller rolls back. */
MUST_USE enum status list_import(struct db *, const char *path, const char *map, struct bytes batch, uint64_t now,
        size_t *cards, char *reason, size_t n);

/* Seal a payload for a card; takes the card's next sequence. */
MUST_USE enum status operator_seal(struct db *, const char *iccid, enum sealed_kind, struct bytes name, uint64_t not_before,
        uint64_t not_after, struct bytes payload, struct buf *out);

/* The same under other keys than those of the card's record, or (NULL) those. */
struct seal_keys {
	uint8_t trk_id;
	struct secret trk, ink;
};
/* Those of the card's record. ERR_NOT_FOUND: it has none yet. Wipe them. */
MUST_USE enum status operator_seal_keys(struct db *, const char *iccid, struct seal_keys *);
void seal_keys_wipe(struct seal_keys *);
#define SEAL_KEYS __attribute__((cleanup(seal_keys_wipe))) struct seal_keys
MUST_USE enum status operator_seal_under(struct db *, const char *iccid, const struct seal_keys *, enum sealed_kind,
        struct bytes name, uint64_t not_before, uint64_t not_after, struct bytes payload, struct buf *out);

/* order.c - new TrK and InK for a card, sealed under those that it has; what is sealed afterwards is under the new ones. The
 * object also waits in the outbox, in front of all that comes later. Under other keys (a push's): it waits nowhere. ERR_DENIED:
 * the last such object has not been delivered yet. */
MUST_USE enum status order_new_transport_keys(
        struct db *, const char *iccid, uint64_t now, const struct seal_keys *under, struct buf *out);
/* The same, at KmsInit, for a card whose first keys come by GBA (apdu/birth.h, BIRTH_NAF): those of its record, made now if
 * there are none, sealed under what a bootstrapping has given. ERR_NOT_FOUND: its keys come otherwise. */
MUST_USE enum status order_keys_by_gba(struct db *, const char *iccid, const struct seal_keys *under, struct buf *out);
/* The same over the air, as a secured packet for the card manager; sent again, it carries the same keys. */
MUST_USE enum status order_keys_over_the_air(
        struct db *, const char *iccid, uint64_t now, struct buf *packet, uint64_t *counter);

/* kms.c */
MUST_USE enum status kms_init(struct db *, const char *uri, uint64_t period, uint64_t offset);
/* Append the sealed KMS certificate and the sealed key set of `uri` for the period that holds `when`, and a line to the log
 * (kms_log.h). tables are kept from call to call, by whoever issues many; or NULL. ERR_DENIED: the user or the card is
 * revoked, the card is a duplicate, or the user's keys belong on another card. */
struct kms_tables;
MUST_USE enum status kms_issue(struct db *, struct kms_tables *, uint64_t now, const struct seal_keys *, const char *iccid,
        const char *uri, uint64_t when, struct buf *out);

/* group.c - the payload of a group record; one for one member's card, sealed; a new GMK as one I_MESSAGE a member (each may be
 * NULL; of another agency's members the ICCID is empty). Both also wait in the outbox for the phones of our own members. */
void group_record_put(struct buf *, const struct db_group *);
MUST_USE enum status group_record(struct db *, const char *group, const char *user, uint64_t now, struct buf *out);
/* The keys of the group's signer (of the next period, too, in the last quarter of this one) for the card of a user who manages
 * the group from there; in the outbox as well. */
MUST_USE enum status group_delegate(struct db *, const char *group, const char *user, uint64_t now, struct buf *out);
MUST_USE enum status group_rekey(struct db *, const char *group, uint64_t now, uint64_t not_before, uint64_t not_after,
        enum status (*each)(void *, const char *user, const char *iccid, struct bytes message), void *, uint32_t *gmk_id);

/* Out of the group; the next key tells the others. strict: nobody is heard under an older key then. */
MUST_USE enum status group_exclude(struct db *, const char *group, const char *user, bool strict);

/* discovery.c - new keys under a name; a copy of them, with rights, for a card. */
MUST_USE enum status discovery_renew(struct db *, const char *name, enum discovery_profile, unsigned slot_seconds);
MUST_USE enum status discovery_grant(struct db *, const char *name, const char *iccid, unsigned rights, uint64_t not_before,
        uint64_t not_after, struct buf *out);

/* ota.c - a secured packet that updates a file below the TAR's directory, for as many short messages as it takes (ERR_NO_SPACE:
 * more than the card puts together); what the card answered to a command with this SPI2. */
struct ota_file_update {
	uint8_t tar[TAR_LEN];
	uint16_t fid;
	unsigned record; /* 0: transparent */
	struct bytes content;
	uint8_t spi2;
};
MUST_USE enum status ota_update(
        struct db *, const char *iccid, const struct ota_file_update *, struct buf *packet, uint64_t *counter);
/* Any script for a TAR; takes the card's next counter. */
MUST_USE enum status ota_send(struct db *, const char *iccid, const uint8_t tar[static TAR_LEN], uint8_t spi2,
        struct bytes script, struct buf *packet, uint64_t *counter);
/* The same for the card manager, of a card that has a PSK for the call that it orders (ERR_NOT_FOUND: it has none); and the
 * PSK. */
MUST_USE enum status ota_order_call(
        struct db *, const char *iccid, uint8_t spi2, struct bytes trigger, struct buf *packet, uint64_t *counter);
MUST_USE enum status ota_card_psk(struct db *, const char *iccid, struct secret *psk);
struct ota_verdict {
	bool secured;
	uint8_t rsc;
	uint64_t counter;
	unsigned executed, sw; /* with RSC 00 */
	size_t data_len;       /* of the last command's answer */
	uint8_t data[256];
};
/* A new AES key set under this number (1 to 15): PUT KEY for the card manager, as a secured packet under the set in use. The
 * new keys wait in the database until ota_rotated has seen the card's answer; asked again for the same number before that, it
 * sends the same keys. ERR_DENIED: the card has no security domain keys
 * here, or the number is the one in use. */
MUST_USE enum status ota_rotate(struct db *, const char *iccid, uint8_t kvn, struct buf *packet, uint64_t *counter);
/* The card has answered PUT KEY: if it took the waiting set, that is the one in use from now on. ERR_NOT_FOUND: none waits. */
MUST_USE enum status ota_rotated(struct db *, const char *iccid, struct bytes por, struct ota_verdict *);

/* The card's key set; the keys lie in *secrets. */
MUST_USE enum status ota_card_keys(struct db *, const char *iccid, struct secret_large *secrets, struct ota_keys *);
MUST_USE enum status ota_verify(struct db *, const char *iccid, uint8_t spi2, struct bytes por, struct ota_verdict *);

/* hss.c - the home subscriber server: one authentication vector (its sequence number is used up), and the
 * answer to a card that says its sequence number is ahead (ERR_CRYPTO if AUTS is not that card's). */
MUST_USE enum status hss_vector(struct db *, const char *imsi, struct hss_vector *);
MUST_USE enum status hss_resynchronise(
        struct db *, const char *imsi, const uint8_t auts[static 14], const uint8_t rand[static 16]);
/* One datagram of hostapd's eap_sim_db protocol ("AKA-REQ-AUTH IMSI" and so on), in its own transaction. answer gets the reply
 * without a final zero, or stays empty when there is none to send. */
void hss_datagram(struct db *, struct bytes request, struct buf *answer);

#endif
