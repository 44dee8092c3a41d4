/* SPDX-License-Identifier: Apache-2.0 */
/* cli.h - what the verbs of prose-ue share: options, the open card, messages. */
#ifndef HOST_CLI_CLI_H
#define HOST_CLI_CLI_H

#include <argp.h>

#include "apdu/base/secret.h"
#include "host/lib/prose-ue.h"

enum { EXIT_USAGE = 2, EXIT_REFUSED = 3, EXIT_NO_CARD = 4, WORDS_MAX = 64 };

struct arguments {
	const char *reader, *pin_file, *trace, *gsmtap; /* every verb */
	bool trace_secrets;
	const char *group, *audio, *media, *offers, *pc5, *name, *out, *smsc, *system_id, *password, *number, *bsf, *kms, *naf,
	        *user, *kms_uri, *from, *rtp_to, *code, *members, *certificate, *ca, *plmn;
	bool json, first_packet, once, force;
	long long seconds, lead_in, resend, count, offer_skip, valid;
	const char *words[WORDS_MAX];
	size_t word_count;
	struct prose_card *card; /* open while the verb runs; NULL for verbs that need none */
};

struct verb {
	const char *name;
	int (*run)(struct arguments *);
	bool needs_card;
	const struct argp_option *options;
	const char *words, *help, *example;
};

/* One verb a file, listed in main.c. */
int verb_readers(struct arguments *);
int verb_info(struct arguments *);
int verb_list(struct arguments *);
int verb_file(struct arguments *);
int verb_pin(struct arguments *);
int verb_auth(struct arguments *);
int verb_suci(struct arguments *);
int verb_gba(struct arguments *);
int verb_cat(struct arguments *);
int verb_watch(struct arguments *);
int verb_provision(struct arguments *);
int verb_certificate(struct arguments *);
int verb_permission(struct arguments *);
int verb_group(struct arguments *);
int verb_call(struct arguments *);
int verb_announce(struct arguments *);
int verb_discover(struct arguments *);
int verb_ota(struct arguments *);
int verb_modem(struct arguments *);
int verb_adhoc(struct arguments *);
int verb_apdu(struct arguments *);

enum option_key {
	OPT_GROUP = 256,
	OPT_AUDIO,
	OPT_MEDIA,
	OPT_OFFERS,
	OPT_PC5,
	OPT_NAME,
	OPT_OUT,
	OPT_JSON,
	OPT_FIRST,
	OPT_SECONDS,
	OPT_LEAD_IN,
	OPT_RESEND,
	OPT_COUNT,
	OPT_TRACE,
	OPT_TRACE_SECRETS,
	OPT_GSMTAP,
	OPT_PIN,
	OPT_FORCE,
	OPT_ONCE,
	OPT_SKIP,
	OPT_SMSC,
	OPT_SYSTEM_ID,
	OPT_PASSWORD,
	OPT_NUMBER,
	OPT_BSF,
	OPT_KMS,
	OPT_NAF,
	OPT_USER,
	OPT_KMS_URI,
	OPT_FROM,
	OPT_VALID,
	OPT_RTP_TO,
	OPT_CODE,
	OPT_MEMBERS,
	OPT_CERTIFICATE,
	OPT_CA,
	OPT_PLMN
};

/* What this terminal can do (TS 102 223 5.2): profile and SMS-PP download, timers, SEND SHORT MESSAGE, REFRESH, MORE TIME,
 * events, channels over TCP. */
enum { TERMINAL_PROFILE_LEN = 17 };
extern const uint8_t terminal_profile[TERMINAL_PROFILE_LEN];

/* "prose-ue VERB: sentence", and the exit status for a result. */
int ue_complain(const struct arguments *, const char *verb, const char *about, enum prose_result);
int usage_error(const char *verb, const char *sentence);
int usage_too_long(const char *verb, const char *what, size_t n, size_t max);

/* A reader by its name, or "unix:SOCKET#CARD" for a card of a farm, by its number or ICCID. NULL: the first with a card. */
enum prose_result open_reader(const char *name, struct prose_transport *);

/* A whole file into a buffer of room octets. False, with a message, if it cannot be read or is too large. */
bool read_file(const char *verb, const char *path, uint8_t *out, size_t room, size_t *n);

/* A whole file of mode 0600. */
bool write_private(const char *path, const uint8_t *data, size_t n);
/* The first line of a file, at most 63 octets, with a zero behind it; nothing of it stays in a buffer. */
bool read_line(const char *path, struct secret *out);
/* The same of a file of mode 0600. */
bool read_secret(const char *path, struct secret *out);

/* Sealed objects, one after another, to the card; *done counts them (provision.c). */
enum prose_result install_objects(struct arguments *, struct bytes in, size_t *done);

void print_gmk(const struct arguments *, const struct prose_gmk *);
int group_fetch(struct arguments *);
int group_manage(struct arguments *); /* adhoc.c */

/* join.c: the rest of `group`, by name; and a pushed message: GBA bootstrapping from it, its MAC, its objects. */
struct group_verb {
	const char *name;
	int (*run)(struct arguments *);
	size_t words_min, words_max;
	bool online, writes; /* needs --from, --out */
};
extern const struct group_verb group_verbs[];
int group_join(struct arguments *, const struct group_verb *);
int gba_push(struct arguments *); /* a file */
enum prose_result take_push(struct arguments *, struct bytes message, size_t *done);

uint64_t now_seconds(void);
uint64_t now_microseconds(void);

/* UDP on a multicast group of the loopback interface: the simulated PC5, and where offers and media go. */
struct multicast {
	int fd;
	char address[64];
	uint16_t port;
};
/* "ADDRESS:PORT" */
bool multicast_open(const char *text, bool receive, struct multicast *out);
bool multicast_send(const struct multicast *, const uint8_t *data, size_t n);
/* Wait at most ms (negative: for ever) for a datagram. Its length, 0 on time-out, -1 on error. */
long multicast_receive(const struct multicast *, uint8_t *out, size_t room, int ms);
void multicast_close(struct multicast *);

#endif
