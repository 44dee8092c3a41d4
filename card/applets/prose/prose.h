/* SPDX-License-Identifier: Apache-2.0 */
/* prose.h - inside the ProSe applet: its records, its clock, its session table. The wire interface is apdu/prose.h. */
#ifndef CARD_APPLETS_PROSE_PROSE_H
#define CARD_APPLETS_PROSE_PROSE_H

#include "apdu/prose.h"
#include "apdu/sealed.h"
#include "card/os/card.h"
#include "protocols/mikey/keys/identity.h"
#include "protocols/mikey/keys/order.h"

/* Records of an instance: "trk", "time", "kms", "kx/<external KMS>", "ks/<period>", "gs/<signer>/<period>", "grp/<group>",
 * "gmk/<group>/<id>", "fl/<group and signer>", "rel/<group>", "naf", "pl/<PLMN>", "may", "claims",
 * "rv/<KMS>", "tls", "ofr", "ssrc", "seq/<kind>/<name>", "d/<name>"; groups, signers and names by the first 8 octets of their
 * SHA-256. */

/* TALKERS_MAX: talkers of a session whom the card deciphers. One more: the one heard least lately makes room. */
enum { DIGEST_LEN = 8, TALKERS_MAX = 8, GMK_RAND_MAX = 32 };

struct talker {
	uint32_t guk_id; /* 0: any, under a GSK */
	uint64_t used;
	struct srtp_stream *stream;
};

struct prose_session {
	bool used;
	uint8_t id[PROSE_SESSION_ID_LEN];
	uint8_t digest[DIGEST_LEN]; /* of the offer as opened; zero for sessions started here */
	uint8_t group[DIGEST_LEN];
	uint32_t ssrc;
	uint64_t opened; /* order of use */
	uint8_t policy;  /* the group's */
	bool started;    /* here */
	bool old_key;    /* joined under a key that had been put an end to */
	/* Order of its GMK, and the newest key's whose exclusions did not speak against it when it was opened. */
	uint64_t rank, judged;
	struct secret gsk, salt;
	uint32_t gmk_id;
	/* gmk-direct: `gsk` is the GMK */
	bool direct;
	uint32_t guk_id; /* this card's */
	uint64_t not_after;
	uint8_t prf;
	size_t rand_len;
	uint8_t rand[GMK_RAND_MAX];
	/* SRTP on the card */
	bool talks, collided;
	uint32_t talks_as; /* SSRC */
	uint16_t sequence;
	struct srtp_stream *out;
	struct talker in[TALKERS_MAX];
};

/* The instance's memory. Calls end with the last channel that has the instance selected; the rest lives until a reset. */
struct prose_state {
	struct prose_session session[PROSE_SESSIONS_MAX];
	uint64_t latest; /* 0: as the store has it */
	uint64_t opened;
	uint32_t slots_spent; /* from here on nothing comes back when a command is refused */
};

/* A channel's: the sessions that it has been told of, by their rows. What another channel was told is no replay here. */
struct prose_told {
	uint8_t session[PROSE_SESSIONS_MAX][PROSE_SESSION_ID_LEN];
};

struct prose_kms_certificate {
	struct secret_large record; /* the views below point here */
	struct mikey_kms kms;
	const uint8_t *z, *kpak;
	struct bytes domain; /* of an external KMS */
};

struct prose_key_set { /* of a user, or (without RSK) of a group's signer */
	struct secret_large record;
	struct bytes user_uri, rsk;
	uint64_t period_number;
	struct secret ssk;
	const uint8_t *pvt, *hs;
};

struct prose_group {
	struct secret_large record;
	struct bytes uri, signer_uri, member_uri; /* the last may be empty */
	uint8_t policy;
	uint8_t digest[DIGEST_LEN];
};

struct prose_state *prose_state(struct applet *);

/* prose_time.c - DESIGN.md 3.5. Accept the phone's time, of whoever has given the PIN; *effective is the larger of it, `latest`
 * and `floor`. What a power cut makes the card forget of it is at most PROSE_CODE_WINDOW. */
MUST_USE enum status prose_time_accept(struct applet *, uint64_t phone_time, uint64_t *effective);
/* The same, and nothing moves. */
MUST_USE enum status prose_time_judge(struct applet *, uint64_t phone_time, uint64_t *effective);
/* The window for codes: latest +- PROSE_CODE_WINDOW. */
MUST_USE bool prose_time_in_window(struct applet *, uint64_t t);
/* A sealed time: floor moves up by a bounded step, latest is set to it. */
MUST_USE enum status prose_time_set_floor(struct applet *, uint64_t floor);
MUST_USE enum status prose_time_read(struct applet *, uint64_t *floor, uint64_t *latest);
/* The larger of both. */
MUST_USE enum status prose_time_effective(struct applet *, uint64_t *out);

/* prose_install.c */
enum sw prose_cmd_install(struct command *);
enum sw prose_cmd_check(struct command *);
/* Records whose names begin so, without this one. */
size_t prose_others(struct applet *, struct bytes prefix, const struct record_name *);
/* TrK and InK (BIRTH_ tags) whose number is another than this. ERR_MALFORMED. */
MUST_USE enum status prose_set_transport_keys(struct applet *, struct bytes tlvs, uint8_t other_than);

/* prose_records.c - loading and naming */
MUST_USE enum status prose_digest(const struct bytes *parts, size_t n, uint8_t out[static DIGEST_LEN]);
struct record_name prose_record_name(const char *kind, const uint8_t digest[static DIGEST_LEN]);
/* The card's time: the later of what it was told by its domain and what it has seen. 0: it has none yet. */
uint64_t prose_time_known(struct applet *);
/* Keep what a sealed object brings, with its period, outside of which the loads below do not find it. */
MUST_USE enum status prose_put_sealed(
        struct applet *, const struct record_name *, const struct sealed_header *, struct bytes payload);
MUST_USE enum status prose_load_kms(struct applet *, struct prose_kms_certificate *);
/* The KMS that has this user: an external one if his URI is in its domain, else our own. */
MUST_USE enum status prose_load_kms_of(struct applet *, struct bytes user, struct prose_kms_certificate *);
MUST_USE enum status prose_parse_kms(struct prose_kms_certificate *);
MUST_USE enum status prose_load_key_set(struct applet *, uint64_t period_number, struct prose_key_set *);
MUST_USE enum status prose_parse_key_set(struct prose_key_set *);
/* The signing keys of a group's manager, if this card has them. */
struct record_name prose_signer_name(const uint8_t signer[static DIGEST_LEN], uint64_t period_number);
MUST_USE enum status prose_load_signer(struct applet *, struct bytes uri, uint64_t period_number, struct prose_key_set *);
MUST_USE enum status prose_load_group(struct applet *, struct bytes uri, struct prose_group *);
MUST_USE enum status prose_parse_group(struct prose_group *);
/* Who talks in a group: the user whose key set the card has, else the one whom the group's record names, who has no keys to
 * sign with. `out` views the group's record then. */
MUST_USE enum status prose_load_talker(struct applet *, const struct prose_group *, uint64_t now, struct prose_key_set *out);
/* A ring of the last n digests under a name: whether this one is in it, and put it in. */
MUST_USE enum status prose_ring_seen(struct applet *, struct bytes name, const uint8_t digest[static DIGEST_LEN], bool *seen);
MUST_USE enum status prose_ring_add(struct applet *, struct bytes name, const uint8_t digest[static DIGEST_LEN]);
void prose_kms_wipe(struct prose_kms_certificate *);
void prose_key_set_wipe(struct prose_key_set *);
void prose_group_wipe(struct prose_group *);
#define KMS_CERTIFICATE __attribute__((cleanup(prose_kms_wipe))) struct prose_kms_certificate
#define KEY_SET __attribute__((cleanup(prose_key_set_wipe))) struct prose_key_set
#define GROUP __attribute__((cleanup(prose_group_wipe))) struct prose_group

/* One group master key: record "gmk/<group>/<id>". */
struct prose_gmk {
	uint64_t stamp, not_before, not_after; /* stamp: NTP time of its message */
	uint64_t rank;                         /* greater is newer (order.c) */
	struct gmk_order says;                 /* of its message; number 0: nothing */
	uint32_t id;
	struct secret key;
	uint8_t prf; /* of its message, for gmk-direct */
	size_t rand_len;
	uint8_t rand[GMK_RAND_MAX];
};
enum { GMKS_PER_GROUP = 4 };
void prose_gmk_wipe(struct prose_gmk *);
#define GMK __attribute__((cleanup(prose_gmk_wipe))) struct prose_gmk
struct prose_gmks {
	struct prose_gmk key[GMKS_PER_GROUP + 1]; /* one more while another is put */
	size_t n;
};
void prose_gmks_wipe(struct prose_gmks *);
#define GMKS __attribute__((cleanup(prose_gmks_wipe))) struct prose_gmks
/* All keys of a group, by their identifiers. */
MUST_USE enum status prose_gmks_load(struct applet *, const uint8_t group[static DIGEST_LEN], struct prose_gmks *out);
struct record_name prose_gmk_name(const uint8_t group[static DIGEST_LEN], uint32_t id);

/* order.c - keys by number: docs/prose-applet.md, "Order of group keys". */
uint64_t prose_rank(const struct gmk_order *, uint64_t ntp);
bool prose_gmk_newer(const struct prose_gmk *, const struct prose_gmk *than);
/* Whether this key may come: SW_PROSE_REPLAY if it, or a newer one of its signer's, was here and went, if a key that is active
 * now has put an end to it, or if there would be no room for it. */
enum sw prose_gmk_admit(struct applet *, const struct prose_group *, const struct prose_gmk *, uint64_t now);
/* Keep it; of a group at most GMKS_PER_GROUP: past, current, future. The lowest goes, and the floor says so. */
MUST_USE enum status prose_gmk_put(struct applet *, const struct prose_group *, const struct prose_gmk *);
/* All keys of a group go, and none of them comes back. */
MUST_USE enum status prose_gmk_forget(struct applet *, const struct prose_group *);
/* This key goes, with what it had put an end to; a message that brings it later is refused. */
MUST_USE enum status prose_gmk_revoke(struct applet *, const struct prose_group *, uint32_t id, uint64_t rank);
/* A number that the group's signer has not used yet, as far as this card knows. */
MUST_USE enum status prose_next_number(struct applet *, const struct prose_group *, uint64_t *out);
/* A key that is active, newer than `judged`, and has put an end to the one of this rank and id. NULL: none. */
const struct prose_gmk *prose_gmk_ended_by(
        const struct prose_gmks *, uint64_t rank, uint32_t id, uint64_t now, uint64_t judged);
/* The rank of the newest active key; 0: none. */
uint64_t prose_gmks_newest_rank(const struct prose_gmks *, uint64_t now);
/* Whether an offer of this user's under this key is listened to: SW_PROSE_OLD_KEY if not. */
enum sw prose_gmk_listen(struct applet *, const struct prose_group *, const struct prose_gmks *, const struct prose_gmk *,
        struct bytes sender, uint64_t now);

/* prose_session.c */
struct prose_session *prose_session_find(struct prose_state *, struct bytes id);
/* A free row, or the one used least lately, wiped; NULL without random octets. */
struct prose_session *prose_session_new(struct command *, const struct prose_group *);
/* Outside of commands. Within one, streams are only let go of: of the states before and after it one stays, and prose_settle
 * frees what the other has. Both begin as a prose_state. */
void prose_session_free(struct prose_session *);
void prose_settle(void *kept, void *dropped);
/* The current GMK: the newest of those that are active, not over, and not put an end to. SW_PROSE_EXPIRED if there are keys but
 * none is valid. */
enum sw prose_gmk_current(struct applet *, const uint8_t group[static DIGEST_LEN], uint64_t now, struct prose_gmk *out);

/* prose_media.c: an SSRC that this instance has never had; key and salt of a talker straight from the GMK. */
MUST_USE enum status prose_ssrc_new(struct command *, uint32_t *ssrc);
/* By the latest time that the card has seen: SW_PROSE_EXPIRED, or SW_PROSE_OLD_KEY if its GMK has been put an end to. */
enum sw prose_session_check(struct applet *, const struct prose_session *);
MUST_USE enum status prose_talker_key(const struct prose_session *, uint32_t guk_id, struct secret *key, struct secret *salt);
enum sw prose_cmd_open_direct(struct command *);
enum sw prose_cmd_talk(struct command *);
enum sw prose_cmd_protect(struct command *);
enum sw prose_cmd_unprotect(struct command *);

/* prose_push.c: a key of Ks_int_NAF's for the server that this domain has named. ERR_NOT_FOUND: none. */
MUST_USE enum status prose_gba_key(struct applet *, const char *label, struct secret *out);
enum sw prose_install_naf(struct applet *, struct bytes payload);
/* The NAF_ID itself. ERR_DENIED: in a sovereign domain. */
MUST_USE enum status prose_set_naf(struct applet *, struct bytes id);
enum sw prose_install_group_key(struct applet *, struct bytes payload);
enum sw prose_cmd_vouch(struct command *);

/* permission.c: whether the user may do this where the phone says it is (`named`; empty: in no PLMN's coverage).
 * SW_PROSE_PERMISSION if not; if so, the phone's word is kept. */
enum sw prose_may(struct applet *, struct bytes named, enum permission right, uint64_t now);
/* A new instance: open, it judges from the first permission on; otherwise at once. */
MUST_USE enum status prose_permission_born(struct applet *, bool open);
enum sw prose_install_permission(struct applet *, const struct sealed_header *, struct bytes payload);
MUST_USE enum status prose_list_claims(const struct secret_large *record, struct buf *rsp);

/* revoked.c: SW_PROSE_REVOKED for a UID on the list of its KMS. */
enum sw prose_not_revoked(struct applet *, const struct mikey_kms *, struct bytes uid);
enum sw prose_install_revoked(struct applet *, struct bytes payload);

/* prose_gmk.c, prose_session.c, prose_discovery.c */
enum sw prose_cmd_import_gmk(struct command *);
enum sw prose_cmd_start_session(struct command *);
enum sw prose_cmd_join_session(struct command *);
enum sw prose_cmd_release_key(struct command *);
enum sw prose_cmd_compute_codes(struct command *);
enum sw prose_cmd_announce(struct command *);
enum sw prose_cmd_match(struct command *);
enum sw prose_cmd_adhoc(struct command *);       /* prose_adhoc.c */
enum sw prose_cmd_certificate(struct command *); /* prose_certificate.c */
/* The payload of a discovery key; ERR_DENIED for a key that is too short. */
MUST_USE enum status prose_discovery_check(struct bytes payload);

#endif
