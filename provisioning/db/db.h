/* SPDX-License-Identifier: Apache-2.0 */
/* db.h - the operator's state in SQLite or PostgreSQL, secrets wrapped at rest with AES-256-GCM under the master key. */
#ifndef PROVISIONING_DB_DB_H
#define PROVISIONING_DB_DB_H

#include "apdu/aids.h"
#include "apdu/base/secret.h"

struct db;

/* where: a folder (FOLDER/state.db, SQLite) or a postgresql:// URL; what is missing is created. key_path is a 0600 file of 32
 * octets, or credential:NAME of systemd, or a PKCS#11 token's (master.h), made if the database is new and it does not exist.
 * NULL on failure, with a sentence in reason. */
struct db *db_open(const char *where, const char *key_path, char *reason, size_t n);
void db_close(struct db **);
/* What sql.h opens for that `where`. */
enum { DB_PATH_MAX = 4096 };
void db_path(const char *where, char out[static DB_PATH_MAX]);
/* What messages call it: a URL may have a password in it. */
const char *db_name(const char *where);

/* All changes between begin and commit are one transaction; db_close without commit rolls back. If begin finds, after a lost
 * connection, that the database was upgraded meanwhile, it raises SIGTERM, which ends servers: db_outdated tells them why. */
MUST_USE enum status db_begin(struct db *);
MUST_USE enum status db_commit(struct db *);
MUST_USE enum status db_rollback(struct db *);
bool db_outdated(const struct db *);

/* The tables themselves: for campaign.c, which has its own. */
/* Keep the master key in memory that is not written to swap. */
MUST_USE bool db_lock(struct db *);
struct sql *db_sql(struct db *);

struct db_card {
	char iccid[21];
	char imsi[16];
	char msisdn[21]; /* where its short messages go; empty: none known */
	uint8_t card_id[CARD_ID_LEN];
	uint64_t ota_counter; /* last one sent */
	uint64_t sequence;    /* last one used in a sealed object */
	uint64_t revoked;     /* seconds since 1970; 0: it is not */
	/* Not empty: another card has the same IMSI, and this is it. That one is the IMSI's (migration.h says why); this one
	 * gets no vectors, no bootstrapping, no keys. */
	char duplicate_of[21];
};
/* What is wrong with a card that is a duplicate, and what to do, in one sentence behind its ICCID. */
enum { DB_SENTENCE_MAX = 256 };
void db_card_duplicate(const struct db_card *, char out[static DB_SENTENCE_MAX]);

/* ERR_DENIED: the ICCID, the IMSI or the number is another card's; db_card_conflict says which. */
MUST_USE enum status db_card_add(struct db *, const struct db_card *, struct bytes secrets);
/* secrets may be NULL. */
MUST_USE enum status db_card_get(struct db *, const char *iccid, struct db_card *, struct secret_large *secrets);
MUST_USE enum status db_card_conflict(struct db *, const struct db_card *, char out[static DB_SENTENCE_MAX]);
/* Other secrets for a card that is known. */
MUST_USE enum status db_card_set_secrets(struct db *, const char *iccid, struct bytes secrets);
MUST_USE enum status db_card_by_msisdn(struct db *, const char *msisdn, char iccid[21]);
/* The number that reaches the card; another card that had it has none from now on. */
MUST_USE enum status db_card_set_msisdn(struct db *, const char *iccid, const char *msisdn);
/* The one card that the IMSI belongs to. */
MUST_USE enum status db_card_by_imsi(struct db *, const char *imsi, char iccid[21]);
/* The next sequence number SQN (SEQ || IND) of a subscriber, and a new place to go on from. */
MUST_USE enum status db_hss_next_sqn(struct db *, const char *imsi, uint64_t *out);
MUST_USE enum status db_hss_set_sqn(struct db *, const char *imsi, uint64_t sqn);
/* Take the next sequence or counter; durable before it is used. */
MUST_USE enum status db_card_next_sequence(struct db *, const char *iccid, uint64_t *out);
MUST_USE enum status db_card_next_counter(struct db *, const char *iccid, uint64_t *out);
/* Skip counters that the card is ahead of. */
MUST_USE enum status db_card_skip_counters(struct db *, const char *iccid, uint64_t count);

/* Lost: HSS, BSF and KMS know it no longer, and nothing waits for it. Its IMSI goes to the first duplicate that is not lost. */
MUST_USE enum status db_card_revoke(struct db *, const char *iccid, uint64_t now);
/* The groups in which this card's users are, at most room of them. */
struct db_member {
	char group[129], uri[129];
};
MUST_USE enum status db_card_members(struct db *, const char *iccid, struct db_member *, size_t room, size_t *n);

struct db_kms {
	char uri[129];
	uint64_t period, offset;
};
/* keys: z(128) || KSAK(32) || Z(257) || KPAK(65). One KMS a database. */
MUST_USE enum status db_kms_set(struct db *, const struct db_kms *, struct bytes keys);
MUST_USE enum status db_kms_get(struct db *, struct db_kms *, struct secret_large *keys);

/* Other agencies' KMSs: Z(257) || KPAK(65), and what is behind the @ of their users' URIs. */
struct db_external_kms {
	char uri[129], domain[129];
	uint64_t period, offset;
	uint8_t keys[257 + 65];
};
/* A new one, or new keys of one that is known. ERR_DENIED: it speaks for another domain, or another speaks for this one
 * (db_external_kms_conflict says which); move: no longer. */
MUST_USE enum status db_external_kms_set(struct db *, const struct db_external_kms *, bool move);
MUST_USE enum status db_external_kms_conflict(
        struct db *, const struct db_external_kms *, char uri[static 129], char domain[static 129]);
MUST_USE enum status db_external_kms_get(struct db *, const char *domain, struct db_external_kms *);
MUST_USE enum status db_external_kms_each(struct db *, enum status (*each)(void *, const struct db_external_kms *), void *);

/* A user's keys belong on this card; a user who was revoked stays so. ERR_DENIED: they belong on another card that is in use
 * (not lost, no duplicate; db_user_elsewhere). */
MUST_USE enum status db_user_set(struct db *, const char *uri, const char *iccid);
/* The same, and no longer revoked; move: from whatever card. */
MUST_USE enum status db_user_allow(struct db *, const char *uri, const char *iccid, bool move);
/* The other card in use that has the user. ERR_NOT_FOUND: none. */
MUST_USE enum status db_user_elsewhere(struct db *, const char *uri, const char *iccid, char holder[static 21]);
MUST_USE enum status db_user_revoke(struct db *, const char *uri, uint64_t now);
/* ERR_NOT_FOUND: not known. ERR_DENIED: revoked. */
MUST_USE enum status db_user_card(struct db *, const char *uri, char iccid[21]);
struct db_user {
	char uri[129], iccid[21];
	uint64_t revoked, card_revoked; /* seconds since 1970; 0: it is not */
	uint64_t keys, period;          /* key sets given out, and the period number of the last one */
	uint64_t installed;             /* that of the last one which the phone has confirmed; 0: none */
};
/* The phone says that the card has the keys of this period. */
MUST_USE enum status db_user_installed(struct db *, const char *uri, uint64_t period);
MUST_USE enum status db_user_each(struct db *, void (*each)(void *, const struct db_user *), void *);

/* Each card in use that has a user who is not revoked; stops at the first status that is not OK. */
MUST_USE enum status db_user_cards_each(struct db *, enum status (*each)(void *, const char *iccid), void *);
/* A KMS's list of the revoked, as it was given out last. ERR_NOT_FOUND: there was none yet. */
MUST_USE enum status db_revoked_get(struct db *, const char *kms_uri, struct buf *out);
MUST_USE enum status db_revoked_set(struct db *, const char *kms_uri, struct bytes list);

/* One-time enrolment codes, by what names them; their keys are wrapped. */
struct db_enrolment {
	char iccid[21], uri[129];
	uint64_t expires; /* seconds since 1970 */
	bool used;        /* good for a confirmation only */
};
MUST_USE enum status db_enrolment_add(
        struct db *, uint64_t now, const char *id, const struct db_enrolment *, const struct secret *key);
MUST_USE enum status db_enrolment_get(struct db *, uint64_t now, const char *id, struct db_enrolment *, struct secret *key);
/* Used up. ERR_NOT_FOUND: somebody else was faster. */
MUST_USE enum status db_enrolment_use(struct db *, const char *id);
MUST_USE enum status db_enrolment_drop(struct db *, const char *id);

struct db_group {
	char uri[129], manager_uri[129];
	unsigned policy;
};
MUST_USE enum status db_group_add(struct db *, const struct db_group *);
MUST_USE enum status db_group_get(struct db *, const char *uri, struct db_group *);
MUST_USE enum status db_member_set(struct db *, const char *group, const char *user, bool member);
/* The same for another agency's user, and each of them. */
MUST_USE enum status db_guest_set(struct db *, const char *group, const char *user, bool guest);
MUST_USE enum status db_guest_each(struct db *, const char *group, enum status (*each)(void *, const char *user), void *);
/* Call back for every member, in order of URI; stops at the first status that is not OK. */
MUST_USE enum status db_member_each(struct db *, const char *group, enum status (*each)(void *, const char *user), void *);
/* A key of a group. number: 1 for the group's first, 2, 3 (db_order.c); 0: one from before keys were counted. */
struct db_gmk {
	uint32_t id;
	uint64_t number, not_before, not_after;
};
MUST_USE enum status db_gmk_add(struct db *, const char *group, const struct db_gmk *, struct bytes key);
/* The latest key of a group that is not over yet. ERR_NOT_FOUND: none. */
MUST_USE enum status db_gmk_latest(struct db *, const char *group, uint64_t now, struct db_gmk *, struct secret *key);
/* All that are not over yet, the latest first. */
MUST_USE enum status db_gmk_each(
        struct db *, const char *group, uint64_t now, void (*each)(void *, const struct db_gmk *), void *);

/* db_order.c - how many keys a group has had, one more with each db_group_issue; and before which of them nobody is to talk
 * under a key (0: there was no exclusion). */
MUST_USE enum status db_group_issue(struct db *, const char *group, uint64_t *count);
MUST_USE enum status db_group_issued(struct db *, const char *group, uint64_t *count);
MUST_USE enum status db_group_floor(struct db *, const char *group, uint64_t *floor);
MUST_USE enum status db_group_set_floor(struct db *, const char *group, uint64_t floor);
/* The user is out of the group; the next key says so to everybody. strict: then nobody is heard under an older key. */
MUST_USE enum status db_excluded_add(struct db *, const char *group, const char *user, bool strict);
MUST_USE enum status db_excluded_drop(struct db *, const char *group, const char *user);
/* Those that no key has excluded yet are excluded by the key of this number: how many. */
MUST_USE enum status db_excluded_by(struct db *, const char *group, uint64_t number, size_t *count);
/* Exclusions of this number and lower ones concern no living key any more. */
MUST_USE enum status db_excluded_forget(struct db *, const char *group, uint64_t number);
MUST_USE enum status db_excluded_each(
        struct db *, const char *group, enum status (*each)(void *, const char *user, bool strict), void *);

/* The time of what is signed or sealed with a date. ERR_DENIED: the clock is behind the last such time by more than
 * CLOCK_TOLERANCE; db_clock_sentence says so. The time is kept to within CLOCK_STEP. */
enum { CLOCK_TOLERANCE = 60, CLOCK_STEP = 10 };
MUST_USE enum status db_clock_issue(struct db *, uint64_t now);
/* 0: nothing was issued yet. */
MUST_USE enum status db_clock_last(struct db *, uint64_t *last);
MUST_USE enum status db_clock_set(struct db *, uint64_t last);
void db_clock_sentence(struct db *, uint64_t now, char out[static DB_SENTENCE_MAX]);

/* A group that members join by themselves (join.h): its owner, its server, and whether a list says who may. */
struct db_joinable {
	char owner[129], naf[129];
	bool listed;
};
MUST_USE enum status db_joinable_add(struct db *, const char *group, const struct db_joinable *);
MUST_USE enum status db_joinable_get(struct db *, const char *group, struct db_joinable *);
MUST_USE enum status db_invited_set(struct db *, const char *group, const char *user, bool invited);
MUST_USE enum status db_invited_has(struct db *, const char *group, const char *user);
/* ERR_DENIED: this card has used this nonce before. */
MUST_USE enum status db_vouched_use(struct db *, uint64_t now, const char *iccid, struct bytes nonce, uint64_t expires);

/* What users may do in a PLMN: everybody's (iccid empty), or one card's, which goes before it. */
struct db_permission {
	char plmn[7], iccid[21];
	unsigned rights;
	uint64_t valid; /* seconds from when it is given */
	uint8_t radio[128];
	size_t radio_len;
};
MUST_USE enum status db_permission_set(struct db *, const struct db_permission *);
/* Those of a card, by PLMN. */
MUST_USE enum status db_permission_each(
        struct db *, const char *iccid, enum status (*each)(void *, const struct db_permission *), void *);

struct db_discovery {
	char name[65];
	unsigned profile, slot_seconds;
};
/* keys: the payload TLVs of apdu/prose.h without rights. Replaces what was there. */
MUST_USE enum status db_discovery_set(struct db *, const struct db_discovery *, struct bytes keys);
MUST_USE enum status db_discovery_get(struct db *, const char *name, struct db_discovery *, struct secret_large *keys);

/* Bootstrapping contexts, by B-TID; the keys are wrapped. A new one is a challenge that waits for its answer: nobody may use it
 * yet, and anybody can have asked for it. Spent: it takes no answer any more, and counts until it expires. */
enum gba_state { GBA_PENDING = 0, GBA_CONFIRMED, GBA_SPENT };
struct db_gba {
	char imsi[16], impi[100];
	uint64_t expires; /* seconds since 1970 */
	enum gba_state state;
};
MUST_USE enum status db_gba_put(struct db *, const char *btid, const struct db_gba *, struct bytes keys);
MUST_USE enum status db_gba_get(struct db *, const char *btid, struct db_gba *, struct secret_large *keys);
/* The IMPI of a subscriber's last bootstrapping. */
MUST_USE enum status db_gba_impi(struct db *, const char *imsi, char impi[100]);
/* Of a subscriber's contexts that are not confirmed and end by `until`: how many, and the newest that is pending; btid "" and
 * OK: there is none. */
MUST_USE enum status db_gba_waiting(struct db *, const char *imsi, uint64_t until, char btid[160], unsigned *count);
/* The answer was right: whose it is now known, and how long it lives. */
MUST_USE enum status db_gba_confirm(struct db *, const char *btid, const char *impi, uint64_t expires);
MUST_USE enum status db_gba_spend(struct db *, const char *btid);
MUST_USE enum status db_gba_drop(struct db *, const char *btid);
MUST_USE enum status db_gba_expire(struct db *, uint64_t now);
/* Of the contexts that are not confirmed and end by `until`, all but the newest `keep` go; of the others, all. */
MUST_USE enum status db_gba_thin(struct db *, uint64_t until, uint64_t keep);
MUST_USE enum status db_gba_forget(struct db *, uint64_t until);

/* What waits for a card until its phone fetches it; times in seconds since 1970, 0: not yet. */
enum db_item_kind { ITEM_TRANSPORT = 0, ITEM_SEALED = 1, ITEM_MIKEY, ITEM_PUSH }; /* of one second, in this order */
struct db_item {
	uint64_t id, at, gmk_id, fetched, confirmed; /* fetched: for the last time */
	enum db_item_kind kind;
	unsigned refused; /* status word with which the card has refused it, else 0 */
	/* A list of the revoked has no group, its KMS for a URI, and its number as gmk_id. */
	char iccid[21], group[129], uri[129];
};
MUST_USE enum status db_outbox_add(struct db *, const struct db_item *, struct bytes body);
/* The oldest that is not confirmed; notes that it was fetched. ERR_NOT_FOUND: none. */
MUST_USE enum status db_outbox_next(struct db *, uint64_t now, const char *iccid, struct db_item *, struct buf *body);
/* The card has it, or refuses it for good with this status word. ERR_NOT_FOUND: not this card's. */
MUST_USE enum status db_outbox_confirm(struct db *, uint64_t now, const char *iccid, uint64_t id, unsigned refused);
/* All of this kind that were fetched. */
MUST_USE enum status db_outbox_confirm_kind(struct db *, uint64_t now, const char *iccid, enum db_item_kind);
/* OK: something of this kind has not been confirmed yet; ERR_NOT_FOUND: nothing. */
MUST_USE enum status db_outbox_has(struct db *, const char *iccid, enum db_item_kind);
/* The same, and here it is. */
MUST_USE enum status db_outbox_fetch(struct db *, uint64_t now, const char *iccid, enum db_item_kind, struct buf *body);
/* OK: something that was added at this time or later has not been confirmed yet. ERR_NOT_FOUND: nothing. */
MUST_USE enum status db_outbox_since(struct db *, uint64_t at);
/* What a user has not got yet of a group. */
MUST_USE enum status db_outbox_withdraw(struct db *, const char *group, const char *uri);
MUST_USE enum status db_outbox_each(struct db *, const char *group, void (*each)(void *, const struct db_item *), void *);

#endif
