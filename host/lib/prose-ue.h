/* SPDX-License-Identifier: Apache-2.0 */
/* prose-ue.h - libprose-ue, the phone's side of the ProSe UICC.
 *
 * A phone stack opens a card over a transport (PC/SC is shipped; AT+CGLA, QMI or OMAPI plug in), verifies the PIN, and makes
 * typed calls. Long-term secrets never come out of any of them: the one key that does is a call's GSK, counted by the card.
 * Not thread-safe: one thread a card. Nothing here starts threads, installs signal handlers or reads a clock: the caller
 * gives the time. Each call blocks for its APDUs: about 0.1 ms each over PC/SC, 40 ms where the card does SAKKE. */
#ifndef PROSE_UE_H
#define PROSE_UE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum prose_result {
	PROSE_OK = 0,
	PROSE_NO_READER, /* no such reader, or no pcscd */
	PROSE_NO_CARD,   /* the reader is empty */
	PROSE_RESET,   /* the card was reset under us: selections, PIN and sessions are gone; calls begin again by themselves */
	PROSE_IO,      /* the link failed */
	PROSE_REFUSED, /* the card said no: prose_card_status and prose_card_error tell why */
	PROSE_PIN_NEEDED, /* no PIN was given */
	PROSE_FORMAT,     /* an argument or an answer is malformed */
	PROSE_NOT_FOUND,
	PROSE_NO_SPACE,   /* a buffer is too small */
	PROSE_REPLAYED,   /* too old, or the card has seen this message, or a later one, before */
	PROSE_NOT_LET_IN, /* pcscd runs and turns this user away: polkit */
	PROSE_INTERFACE,  /* the card speaks another version of the applet's interface: prose_card_error says which */
	/* prose_card_error says how many tries are left, and of what. */
	PROSE_PIN_WRONG,    /* a try was spent */
	PROSE_PIN_BLOCKED,  /* no tries are left; nothing was spent */
	PROSE_PIN_LAST_TRY, /* one is left, and was not spent: prose_card_spend_last_try */
	PROSE_PIN_FORMAT,   /* no PIN (4 to 8 digits) or PUK (8): it was not sent */
	PROSE_NO_MEMORY,    /* of this process */
	PROSE_LIBRARY       /* libcrypto could not compute */
};
const char *prose_result_text(enum prose_result);

/* How APDUs reach the card. All functions get context; begin, end and reset may be NULL. */
struct prose_transport {
	void *context;
	/* Send a whole C-APDU (short or extended), get the whole R-APDU. *n: room in, length out. */
	enum prose_result (*transmit)(void *context, const uint8_t *command, size_t command_len, uint8_t *response, size_t *n);
	enum prose_result (*begin)(void *context); /* exclusive use until end */
	void (*end)(void *context);
	enum prose_result (*reset)(void *context);
	void (*close)(void *context);
};

/* PC/SC. reader: a prefix of the reader's name; NULL for the first one with a card. SHARED, T=0 or T=1. */
enum prose_result prose_pcsc_open(const char *reader, struct prose_transport *out);
/* Names, each ended by a zero, an empty one at the end; free() it. NULL unless PROSE_OK. */
enum prose_result prose_pcsc_readers(char **names);
/* A card of `prose-card farm` behind its UNIX socket. card: an ICCID, or # and a number from 0. PROSE_NO_READER: nobody answers
 * at the socket; PROSE_NO_CARD: no such card, or another client has it. Exclusive until it is closed. */
enum prose_result prose_farm_open(const char *socket_path, const char *card, struct prose_transport *out);
/* Write every APDU as a line of hex into a file that its owner alone can read (mode 0600, also if it was there before), keys,
 * proofs, speech and PINs blanked; takes over `inner`, but not on failure. No such file: PROSE_NO_SPACE. */
enum prose_result prose_trace_open(struct prose_transport inner, const char *path, struct prose_transport *out);

/* Mirror every APDU as GSMTAP to UDP port 4729 of a host, for Wireshark, the same blanked; takes over `inner`, but not on
 * failure. PROSE_IO: no such host. Datagrams that get lost are nobody's error. */
enum prose_result prose_gsmtap_open(struct prose_transport inner, const char *host, struct prose_transport *out);
/* Of a transport that one of these two made: show all but PINs. */
void prose_tap_secrets(const struct prose_transport *tap);

struct prose_card;

struct prose_options {
	/* Asked when the card wants PIN1: write 4..8 digits and a zero into pin[9]. false: there is none. */
	bool (*pin)(void *context, char pin[9]);
	void *pin_context;
};

/* Open the card on a logical channel of its own and select the ProSe applet. Takes over the transport, also on failure. PIN1
 * is given to that applet, and then counts on this channel only, for the applet and the USIM's files and commands: other
 * programs that have the card open gain nothing by it, and it ends when the card is closed. A card whose applet has no PIN
 * states of its own counts it for everybody until a reset, as TS 102 221 has it. */
enum prose_result prose_card_open(struct prose_transport, const struct prose_options *, struct prose_card **out);
void prose_card_close(struct prose_card **);
/* Whether the last try of a PIN or PUK may be spent; at first it may not: PROSE_PIN_LAST_TRY. */
void prose_card_spend_last_try(struct prose_card *, bool);
unsigned prose_card_status(const struct prose_card *);   /* last status word */
const char *prose_card_error(const struct prose_card *); /* one sentence for people about it */

/* One raw APDU on the basic channel, nothing followed: the whole R-APDU with its status word. *n: room in, length out. */
enum prose_result prose_apdu(struct prose_card *, const uint8_t *command, size_t command_len, uint8_t *response, size_t *n);

/* ---- files ------------------------------------------------------------------------------------------------------- */

/* ICCID as digits and a zero (TS 102 221 13.2). */
enum prose_result prose_iccid(struct prose_card *, char digits[21]);
/* Content of an EF by its path, e.g. {0x7FFF, 0x5F90, 0x4F05} or {0x2FE2}; 7FFF is the USIM. Record files: records joined. */
enum prose_result prose_file_read(struct prose_card *, const uint16_t *path, size_t path_len, uint8_t *out, size_t *n);
/* UPDATE BINARY at offset 0 / UPDATE RECORD (record >= 1), if the access rules let the PIN's holder. */
enum prose_result prose_file_update(
        struct prose_card *, const uint16_t *path, size_t path_len, unsigned record, const uint8_t *data, size_t n);

/* What SELECT says of a file or directory. */
struct prose_file_info {
	bool directory, records, cyclic, ber_tlv;
	unsigned record_len, record_count, size;
	unsigned sfi;  /* 0: none */
	unsigned life; /* 5: activated; 4: deactivated; from 12: terminated */
};
enum prose_result prose_file_info(struct prose_card *, const uint16_t *path, size_t path_len, struct prose_file_info *out);

/* ---- PINs (TS 102 221 11.1.9 to 11.1.13) ------------------------------------------------------------------------- */

enum { PROSE_PIN1 = 0x01, PROSE_PIN2 = 0x81, PROSE_UNIVERSAL_PIN = 0x11 };
enum prose_pin_action {
	PROSE_PIN_STATUS,
	PROSE_PIN_VERIFY,  /* first: the PIN */
	PROSE_PIN_CHANGE,  /* first: old, second: new */
	PROSE_PIN_DISABLE, /* first: the PIN */
	PROSE_PIN_ENABLE,
	PROSE_PIN_UNBLOCK /* first: the PUK, second: a new PIN */
};
/* PINs are 4 to 8 digits and a zero. PROSE_PIN_WRONG: *tries are left. PROSE_REFUSED: disabled, or see prose_card_status. For
 * the whole card, as TS 102 221 has it: a PIN that is verified here is verified for every program until a reset. */
enum prose_result prose_pin(
        struct prose_card *, enum prose_pin_action, unsigned reference, const char *first, const char *second, unsigned *tries);

/* ---- authentication (TS 31.102 7.1) ------------------------------------------------------------------------------- */

struct prose_aka {
	bool synchronisation_failure; /* then only auts is set: send it to the network */
	uint8_t auts[14];
	uint8_t res[32], ck[32], ik[32], kc[8];
	size_t res_len, ck_len, ik_len;
	bool has_kc;
};
/* RAND and AUTN to the USIM (PIN1 is asked for if needed). PROSE_REFUSED with status 9862: the network is not the home
 * network's, or was tampered with; nothing has changed. Wipe *out after use. */
enum prose_result prose_authenticate(
        struct prose_card *, const uint8_t rand[16], const uint8_t autn[16], struct prose_aka *out);
/* GBA_U bootstrapping (TS 33.220 5.3.2): AUTN* in, RES or AUTS out; Ks stays on the card. */
enum prose_result prose_gba_bootstrap(
        struct prose_card *, const uint8_t rand[16], const uint8_t autn[16], struct prose_aka *out);
/* Ks_ext_NAF for a NAF_ID (FQDN and five octets of protocol id) and an IMPI; Ks_int_NAF stays on the card. Wipe the key. */
enum prose_result prose_gba_naf_key(
        struct prose_card *, const uint8_t *naf_id, size_t naf_id_len, const char *impi, uint8_t ks_ext_naf[32]);

/* GET IDENTITY (31.102 7.5): the SUCI as the 5GS mobile identity of TS 24.501 9.11.3.4 from octet 4 on, fresh each time. *n:
 * room in, length out. PROSE_REFUSED with status 6985: EF_UST leaves the computation to the phone, or there is none. */
enum prose_result prose_suci(struct prose_card *, uint8_t *suci, size_t *n);

/* SUSPEND UICC (TS 102 221 11.1.22): afterwards the card's power may be cut for up to *seconds (in: what is wanted; out: what
 * the card grants). The token is for prose_card_resume; whoever has it finds channels and PINs as they were. */
enum prose_result prose_card_suspend(struct prose_card *, uint32_t *seconds, uint8_t token[8]);
/* After the power is back, before anything else is sent. PROSE_REFUSED: the state is gone; the card is as after any reset. */
enum prose_result prose_card_resume(struct prose_card *, const uint8_t token[8]);

/* ---- EAP-AKA and EAP-AKA' (RFC 4187, RFC 9048) --------------------------------------------------------------------- */

enum prose_eap_method { PROSE_EAP_AKA = 23, PROSE_EAP_AKA_PRIME = 50 };
enum prose_eap_state {
	PROSE_EAP_IDLE,
	PROSE_EAP_RUNNING,
	PROSE_EAP_SUCCESS, /* keys are there */
	PROSE_EAP_FAILURE
};
enum { PROSE_EAP_PACKET_MAX = 1500, PROSE_MSK = 64 };
struct prose_eap;

/* A peer. It keeps pseudonym, re-authentication identity and keys from one run to the next: use one object for as long as the
 * stack lives. identity: NULL for the permanent identity of TS 23.003, made from IMSI and MNC length; network_name: what
 * AT_KDF_INPUT must say (EAP-AKA'), NULL for whatever the server says. card is borrowed; the AKA itself runs on it. */
enum prose_result prose_eap_new(
        struct prose_card *, enum prose_eap_method, const char *identity, const char *network_name, struct prose_eap **out);
void prose_eap_free(struct prose_eap **);
/* A packet from the authenticator; the answer to send, if *response_len is not 0 (room in, length out; PROSE_EAP_PACKET_MAX is
 * enough). PROSE_FORMAT: ignored, as EAP wants it. Any other error comes from the card or from this machine, and the run has
 * failed. */
enum prose_result prose_eap_packet(
        struct prose_eap *, const uint8_t *request, size_t n, uint8_t *response, size_t *response_len);
enum prose_eap_state prose_eap_state(const struct prose_eap *);
/* After PROSE_EAP_SUCCESS: MSK and EMSK. Wipe them. reauthenticated: the run needed no AUTHENTICATE. */
enum prose_result prose_eap_keys(const struct prose_eap *, uint8_t msk[64], uint8_t emsk[64], bool *reauthenticated);

/* ---- card application toolkit (TS 102 223) ------------------------------------------------------------------------ */

struct prose_proactive {
	uint8_t number, type, qualifier; /* type of TS 102 223 9.4; 01: REFRESH */
	uint8_t command[256];            /* the whole command, tag D0 */
	size_t length;
	uint8_t response[240]; /* for `each` to fill: TLVs that follow the result, such as a channel's status */
	size_t response_length;
};
/* Send the terminal profile (n 0: not again), then fetch what waits and answer it, until nothing does: `each` returns the
 * general result of TS 102 223 8.12 (00 performed, 30 beyond this terminal's capabilities). NULL: everything is beyond them. */
enum prose_result prose_cat(struct prose_card *, const uint8_t *profile, size_t n,
        uint8_t (*each)(void *context, struct prose_proactive *), void *context);
/* An event or an expired timer for the card (tag D6 or D7), then prose_cat fetches what it asks. PROSE_REFUSED with status
 * 9300: a proactive session is under way. */
enum prose_result prose_cat_envelope(struct prose_card *, const uint8_t *envelope, size_t n);

/* What a terminal does for the toolkit, for those who have none: channels (OPEN CHANNEL to CLOSE CHANNEL: TCP over IPv4),
 * timers, the event list, MORE TIME. */
struct prose_terminal;
enum { PROSE_TERMINAL_CHANNELS = 7, PROSE_TERMINAL_EVENT_MAX = 40 };
struct prose_terminal *prose_terminal_new(void); /* NULL: no memory */
void prose_terminal_free(struct prose_terminal **);
/* For `each` of prose_cat. False: not one of these commands. *result: what to answer. Connecting and sending block for up to
 * five seconds. */
bool prose_terminal_command(struct prose_terminal *, struct prose_proactive *, uint8_t *result);
/* Channels that are open, and the sockets to wait for; how many. */
unsigned prose_terminal_channels(const struct prose_terminal *);
unsigned prose_terminal_sockets(const struct prose_terminal *, int sockets[PROSE_TERMINAL_CHANNELS]);
/* An event that the card has to hear of now: data have come, a link is lost, a timer has expired. False: none. */
bool prose_terminal_event(struct prose_terminal *, uint8_t envelope[PROSE_TERMINAL_EVENT_MAX], size_t *n);
/* Give the card all of these events, and fetch what it asks for. */
enum prose_result prose_terminal_serve(
        struct prose_card *, struct prose_terminal *, uint8_t (*each)(void *context, struct prose_proactive *), void *context);
/* The same until no channel is open. PROSE_IO: not within so many seconds. */
enum prose_result prose_terminal_run(struct prose_card *, struct prose_terminal *,
        uint8_t (*each)(void *context, struct prose_proactive *), void *context, unsigned seconds);

/* ---- provisioning ------------------------------------------------------------------------------------------------ */

/* Carry a sealed object to the card (DESIGN.md 3.4). */
enum prose_result prose_install(struct prose_card *, const uint8_t *object, size_t n);

struct prose_gmk {
	char group_uri[129];
	uint32_t gmk_id;
	uint64_t not_before, not_after; /* seconds since 1970; UINT64_MAX: no end */
};
/* Hand over a whole MIKEY-SAKKE I_MESSAGE; signer, recipient, time and replay are checked on the card. */
enum prose_result prose_import_gmk(struct prose_card *, uint64_t now, const uint8_t *message, size_t n, struct prose_gmk *out);

/* Groups whose keys this card makes: ad-hoc groups, by the members' cards alone, and groups of the network's, if the network
 * has given this card the keys of the group's signer (then the messages are the signer's, and nobody needs to accept). Create:
 * a key until not_after (at most 30 days), signed by this card's user from now on. Invite: the message for one member, for
 * prose_import_gmk there; *n: room in, length out. Accept: this signer may send the group's keys: ask the user first.
 * PROSE_REFUSED with 9C0B: there is a network's group of this name. */
enum prose_result prose_adhoc_create(
        struct prose_card *, uint64_t now, const char *group, uint64_t not_after, struct prose_gmk *out);
/* The same without these users: the messages say so, and no card that has one talks under an older key. Beyond 16 users the
 * members do not listen under older keys either. PROSE_NO_SPACE: too many for one command. */
enum prose_result prose_adhoc_create_without(struct prose_card *, uint64_t now, const char *group, uint64_t not_after,
        const char *const *users, size_t user_count, struct prose_gmk *out);
enum prose_result prose_adhoc_invite(
        struct prose_card *, uint64_t now, const char *group, const char *member, uint8_t *message, size_t *n);
enum prose_result prose_adhoc_accept(struct prose_card *, const char *group, const char *signer);

/* What this card vouches for towards the key server that its domain has named (GBA push, seed S-3.2): the type is 1 to create a
 * group (users: its white list), 2 an invitation of one user, 3 to join (invitation, or NULL), 4 to remove users. user: whose
 * card this is; btid: of the last bootstrapping, after prose_gba_naf_key for that server. *n: room in, length out.
 * PROSE_REFUSED with 9C07: no server was named, or there is no key for it. */
enum prose_result prose_vouch(struct prose_card *, unsigned type, const char *group, const char *user, const char *btid,
        const char *const *users, size_t user_count, uint64_t expires, const uint8_t *invitation, size_t invitation_len,
        uint8_t *message, size_t *n);

/* Whether a MAC (HMAC-SHA-256 under InK, which only the card has) over a message is right: the signature of a KMS's response,
 * TS 33.180 annex D. trk_id: which InK. PROSE_REFUSED with 9C01: it is not; with 9C07: the card has no InK of this number. */
enum prose_result prose_check_signature(
        struct prose_card *, uint8_t trk_id, const uint8_t *message, size_t n, const uint8_t mac[32]);

/* The card's own key pair for a TLS client certificate (P-256), made when it is first asked for: 04 || x || y. */
enum prose_result prose_certificate_key(struct prose_card *, uint8_t public_key[65]);
/* r || s over a hash of 32 octets, as TLS asks for it. PROSE_REFUSED with 9C07: there is no key yet. */
enum prose_result prose_certificate_sign(struct prose_card *, const uint8_t hash[32], uint8_t signature[64]);

struct prose_state {
	char kms_uri[129];
	uint64_t floor, latest; /* the card's time, seconds since 1970 */
	uint32_t slot_budget;
	unsigned interface_major, interface_minor; /* of the applet; 0.0: a card from before 1.0, which does not say */
	bool judges; /* false: no permission has ever been given, and the card was born open: everything is permitted */
};
enum prose_result prose_state_read(struct prose_card *, struct prose_state *);
/* Whether the card has what this version of the interface has: the same major, and this minor or a later one. PROSE_INTERFACE,
 * and a sentence in prose_card_error, if not. */
enum prose_result prose_interface_at_least(struct prose_card *, unsigned major, unsigned minor);

/* Lists: call back once an entry; unused fields are zero. */
enum prose_list_kind { PROSE_KEY_SETS = 1, PROSE_GROUPS, PROSE_GMKS, PROSE_DISCOVERY_KEYS, PROSE_PERMISSIONS, PROSE_CLAIMS };
/* Of a claim: what the phone named, the last registration, or neither. */
enum prose_claim_place { PROSE_CLAIM_NAMED = 1, PROSE_CLAIM_LAST, PROSE_CLAIM_OFF };
struct prose_entry {
	char uri[129], signer_uri[129], name[65];
	uint64_t period_number, not_before, not_after;
	uint32_t gmk_id;
	unsigned policy, profile, rights, slot_seconds;
	char plmn[7]; /* of a permission (rights are PROSE_MAY_... bits; "off": where no PLMN serves), or of a claim */
	enum prose_claim_place place;
	uint64_t number, time; /* of a claim */
	uint8_t radio[128];
	size_t radio_len;
};
enum prose_result prose_list(
        struct prose_card *, enum prose_list_kind, void (*each)(void *, const struct prose_entry *), void *);

/* The PLMN that serves this phone, MCC and MNC of 5 or 6 digits; NULL (as after opening): none does. The card judges by it what
 * it announces and monitors, and remembers it; out of coverage it goes by its last registration. PROSE_FORMAT: no PLMN. A
 * refusal for want of a permission is PROSE_REFUSED with 9C14, and prose_card_error names the right and who grants it. */
enum prose_result prose_serving_plmn(struct prose_card *, const char *plmn);

/* What the user may do (seed KI-1.1), each with where it comes from: in the coverage of a PLMN what that PLMN permits; out of
 * coverage (current NULL) what the PLMN of the last registration permits, then what is permitted off the network ("off");
 * without such a permission what the home network has written into DF_ProSe: EF_PROSE_ANN, _MON and _PLMN name the PLMNs, the
 * first octet of EF_PROSE_RADIO_ANN, _MON and _COM speaks for out of coverage. PLMNs are MCC and MNC, 5 or 6 digits. */
enum { PROSE_MAY_ANNOUNCE, PROSE_MAY_MONITOR, PROSE_MAY_COMMUNICATE, PROSE_MAY_COUNT };
enum prose_origin {
	PROSE_FROM_NOBODY,
	PROSE_FROM_CURRENT,
	PROSE_FROM_LAST,
	PROSE_FROM_HOME,
	PROSE_FROM_OFF_NETWORK, /* permitted wherever no PLMN serves */
	PROSE_FROM_BIRTH        /* the card does not judge */
};
struct prose_permission {
	struct {
		bool allowed;
		enum prose_origin origin;
	} item[PROSE_MAY_COUNT];
	uint64_t until;     /* of a PLMN's permission; UINT64_MAX: the home network's has no end */
	uint8_t radio[128]; /* of that PLMN */
	size_t radio_len;
};
enum prose_result prose_permission(
        struct prose_card *, uint64_t now, const char *current, const char *last, struct prose_permission *out);

/* ---- group calls ------------------------------------------------------------------------------------------------- */

struct prose_session {
	uint8_t id[8];
	uint32_t ssrc;
	bool known;   /* this very offer was opened before */
	bool old_key; /* the talker lacks the group's newer key, and is heard until the old one is over */
	char sender_uri[129];
	char group_uri[129];
	/* prose_direct_open only */
	uint32_t gmk_id, guk_id; /* the latter this card's: behind each of its packets stands GMK-ID || GUK-ID */
	uint64_t not_after;
	unsigned policy; /* PROSE_POLICY_... */
	/* prose_call_join only: where the media go, IPv4 address and port, as the sender says under the offer's MAC; false for
	 * offers of cards whose interface is older than 1.1 */
	bool media_known;
	uint8_t media_at[6];
};
enum prose_policy {
	PROSE_POLICY_SIGN = 0x01,
	PROSE_POLICY_IN_CARD = 0x02,
	PROSE_POLICY_PROFILE_B = 0x04,
	PROSE_POLICY_ADHOC = 0x08,
	PROSE_POLICY_DIRECT = 0x10, /* prose_direct_open, and no offers */
	PROSE_POLICY_EXPORT = 0x20, /* with DIRECT: prose_direct_key gives keys; else the card ciphers */
	PROSE_POLICY_SHARED = 0x40  /* who joins may talk under the same key, with an SSRC of prose_call_talk */
};
/* Make a session key on the card and the MIKEY-PSK offer that carries it. With refresh, a new offer for that session. */
enum prose_result prose_call_start(struct prose_card *, uint64_t now, const char *group_uri, uint32_t ssrc,
        const uint8_t refresh[8], struct prose_session *out, uint8_t *message, size_t *n);
/* The same, and the offer says under its MAC where the media go, for which the SDP around it is no proof (media_at: IPv4
 * address and port; NULL: it does not). The card's interface is at least 1.1. */
enum prose_result prose_call_start_at(struct prose_card *, uint64_t now, const char *group_uri, uint32_t ssrc,
        const uint8_t refresh[8], const uint8_t media_at[6], struct prose_session *out, uint8_t *message, size_t *n);
/* Open an offer. PROSE_REFUSED is what anybody can cause who sends to where offers are heard: wait for the next one. */
enum prose_result prose_call_join(
        struct prose_card *, uint64_t now, const uint8_t *message, size_t n, struct prose_session *out);
/* The GSK and salt for the SRTP stack, if the group's policy lets them out. Wipe them after the call. */
enum prose_result prose_call_key(
        struct prose_card *, const uint8_t session[8], uint8_t gsk[16], uint8_t salt[14], uint64_t *released);

/* A session of a group with media keys straight from the GMK (TS 33.180 7.4). Nobody offers it: late entry is free. SRTP is
 * AES-128-GCM with a 16-octet tag and a master key identifier of 8 octets. */
enum prose_result prose_direct_open(struct prose_card *, uint64_t now, const char *group_uri, struct prose_session *out);
/* Key and salt of one talker of it, by his GUK-ID; 0: our own. They live as long as the GMK. Wipe them. */
enum prose_result prose_direct_key(
        struct prose_card *, const uint8_t session[8], uint32_t guk_id, uint8_t key[16], uint8_t salt[12], uint64_t *released);
/* Our SSRC in a session, which this card has never used before; heard: those of others (at most 64), where keys are shared. Ask
 * again when somebody else turns up with it. */
enum prose_result prose_call_talk(
        struct prose_card *, const uint8_t session[8], const uint32_t *heard, size_t count, uint32_t *ssrc);
/* SRTP by the card, for groups whose keys stay there: a whole RTP packet in place, *n octets, room for `room` (48 more are
 * enough). Sequence number and SSRC become the card's own. PROSE_REFUSED with 9C0D: another SSRC is needed (prose_call_talk).
 */
enum prose_result prose_call_protect(struct prose_card *, const uint8_t session[8], uint8_t *packet, size_t *n, size_t room);
enum prose_result prose_call_unprotect(struct prose_card *, const uint8_t session[8], uint8_t *packet, size_t *n, size_t room);

/* ---- discovery --------------------------------------------------------------------------------------------------- */

enum { PROSE_FRAME = 29 };
/* One PC5_DISCOVERY frame of a key with the announce right, for the slot of `now`. */
enum prose_result prose_announce(struct prose_card *, uint64_t now, const char *name, uint8_t frame[29]);

/* The index of what may be heard: per slot the card yields a value a key, a received frame is one look-up. */
struct prose_watch;
enum prose_result prose_watch_new(struct prose_watch **out);
void prose_watch_free(struct prose_watch **);
/* Make the index cover now, one slot of tolerance each side. Cheap when the slot has not changed. */
enum prose_result prose_watch_update(struct prose_watch *, struct prose_card *, uint64_t now);
size_t prose_watch_size(const struct prose_watch *);
struct prose_match {
	char name[65];
	uint64_t slot;
};
/* A received frame: PROSE_OK and *match for a new match; PROSE_NOT_FOUND for foreign, forged, late or repeated frames, and in a
 * slot for all of a name after eight that were forged, as the card has a budget. PROSE_REFUSED: count it, and wait on. */
enum prose_result prose_watch_frame(
        struct prose_watch *, struct prose_card *, uint64_t now, const uint8_t frame[29], struct prose_match *match);

/* ---- over the air ------------------------------------------------------------------------------------------------ */

/* An SMS-DELIVER TPDU with a secured packet -> ENVELOPE (SMS-PP download). *n: room in, length of the response packet out. */
enum prose_result prose_ota_deliver(struct prose_card *, const uint8_t *tpdu, size_t tpdu_len, uint8_t *por, size_t *n);

#ifdef __cplusplus
}
#endif
#endif
