/* SPDX-License-Identifier: Apache-2.0 */
/* net.h - what the verbs of prose-net share: arguments, sentences, output files. main.c has the table of verbs. */
#ifndef PROVISIONING_CLI_NET_H
#define PROVISIONING_CLI_NET_H

#include "provisioning/operator.h"
#include "sandbox/sandbox.h"

enum { EXIT_USAGE = 2, EXIT_REFUSED = 3, WORDS_MAX = 20, OUTPUT_MAX = 16384 };

struct arguments {
	const char *state, *key, *key_file, *out, *card, *user, *imsi, *maker, *uri, *manager, *policy, *profile, *rights, *tar,
	        *file, *socket, *algorithm, *keys, *spi2, *por, *cards, *like, *group, *stages, *abort, *smsc, *bind, *map,
	        *system_id, *password, *from, *via, *https, *derive, *http, *name, *verify, *domain, *radio, *certificate,
	        *certificate_key, *client_ca, *kms, *sealed, *listening;
	long long period, offset, valid, starts, record, slot, shift, kvn, rate, retries, answer, window, limit;
	bool json, csv, failed, once, without_keys, move, no_sandbox, accept, dry_run;
	struct courier *courier; /* --via of a server: it was started first */
	const char *words[WORDS_MAX];
	size_t count;
	struct db *db;
};

enum option_key {
	OPT_STATE = 256,
	OPT_KEY,
	OPT_OUT,
	OPT_CARD,
	OPT_USER,
	OPT_IMSI,
	OPT_MAKER,
	OPT_URI,
	OPT_PERIOD,
	OPT_OFFSET,
	OPT_MANAGER,
	OPT_POLICY,
	OPT_VALID,
	OPT_STARTS,
	OPT_PROFILE,
	OPT_RIGHTS,
	OPT_TAR,
	OPT_FILE,
	OPT_RECORD,
	OPT_SLOT,
	OPT_SHIFT,
	OPT_SOCKET,
	OPT_ALGORITHM,
	OPT_KEYS,
	OPT_SPI2,
	OPT_POR,
	OPT_KVN,
	OPT_CARDS,
	OPT_LIKE,
	OPT_GROUP,
	OPT_STAGES,
	OPT_ABORT,
	OPT_RATE,
	OPT_RETRIES,
	OPT_ANSWER,
	OPT_JSON,
	OPT_CSV,
	OPT_FAILED,
	OPT_SMSC,
	OPT_SYSTEM_ID,
	OPT_PASSWORD,
	OPT_FROM,
	OPT_WINDOW,
	OPT_ONCE,
	OPT_VIA,
	OPT_NO_SANDBOX,
	OPT_SEALED,
	OPT_BIND,
	OPT_MAP,
	OPT_HTTPS,
	OPT_DERIVE,
	OPT_HTTP,
	OPT_NAME,
	OPT_LIMIT,
	OPT_VERIFY,
	OPT_DOMAIN,
	OPT_RADIO,
	OPT_CERTIFICATE,
	OPT_CERTIFICATE_KEY,
	OPT_CLIENT_CA,
	OPT_KMS,
	OPT_WITHOUT_KEYS,
	OPT_MOVE,
	OPT_LISTENING,
	OPT_ACCEPT,
	OPT_DRY_RUN
};

/* "prose-net VERB: about: why" on stderr; returns code. */
int net_fail(const char *verb, const char *about, const char *why, int code);
/* The exit code of a status, with a sentence if it is not OK. */
int net_report(const char *verb, const char *about, enum status);
int net_too_long(const char *verb, const char *what, size_t n, size_t max);
uint64_t net_now(void);
/* From here on the process is in its role's sandbox. `own`: another path that it makes or removes; or NULL. 0, or an exit code
 * after a sentence. */
int net_sandbox(const struct arguments *, enum sandbox_role, const char *verb, const char *own);
/* 0, or that this clock is behind what was issued. */
int net_clock(const char *verb, const struct arguments *);
/* A file of mode 0600 that appears under its name only when the transaction has been committed. */
MUST_USE enum status net_write_file(const char *path, struct bytes content);
/* Rename what net_write_file has written, or (not committed) remove it. */
MUST_USE enum status net_publish_files(bool committed);
extern uint8_t net_output[OUTPUT_MAX]; /* for sealed objects and packets on their way to a file */

/* One bit for each of these names (NULL ends them) in a list with commas between them. False: another word. */
MUST_USE bool net_flags_of(const char *text, const char *const *names, unsigned *flags);

/* verbs_card.c */
int card_new(struct arguments *);
int card_import(struct arguments *);
int card_transport(struct arguments *);
int card_naf(struct arguments *);
int card_time(struct arguments *);
/* verbs_lost.c */
int card_revoke(struct arguments *);
/* verbs_group.c */
int group_create(struct arguments *);
int group_add(struct arguments *);
int group_remove(struct arguments *);
int group_new_key(struct arguments *);
int group_give_signer(struct arguments *);
int group_status(struct arguments *);
int group_show(struct arguments *);
int group_refresh(struct arguments *);
/* Out of these groups, each of which gets a new key and a line on stdout. */
MUST_USE enum status leave_groups(struct arguments *, const struct db_member *, size_t n);
/* verbs_ota.c */
int ota_push(struct arguments *);
int ota_check(struct arguments *);
int ota_new_keys(struct arguments *);
int ota_confirm(struct arguments *);
int ota_transport(struct arguments *);
int ota_explain(struct arguments *);
uint8_t por_of(const struct arguments *); /* SPI2 for --por */
int print_verdict(const struct ota_verdict *);
/* verbs_campaign.c */
int campaign_new(struct arguments *);
int campaign_list(struct arguments *);
int campaign_watch(struct arguments *);
int campaign_pause(struct arguments *);
int campaign_resume(struct arguments *);
int campaign_cancel(struct arguments *);
int campaign_result_list(struct arguments *);
int campaign_dry_run(struct arguments *);
int card_why(struct arguments *);
int card_number(struct arguments *);
int ota_serve(struct arguments *);
/* verbs_kms.c */
int kms_allow(struct arguments *);
/* The user is on another card, or else this. */
int refuse_user(const char *verb, const struct arguments *, const char *why);
int kms_enrol(struct arguments *);
int kms_push(struct arguments *);
int kms_certificate(struct arguments *);
int kms_trust(struct arguments *);
int kms_revoked(struct arguments *);
/* After a revocation: a new list to all cards, if it is one. */
MUST_USE enum status revoked_tell(struct arguments *);
int kms_revoke(struct arguments *);
int kms_status(struct arguments *);
int kms_show_log(struct arguments *);
/* verbs_serve.c */
int kms_serve(struct arguments *);
int bsf_serve(struct arguments *);
int group_serve(struct arguments *);
int function_serve(struct arguments *);
int function_permit(struct arguments *);
/* verbs_db.c: these open the database themselves */
int db_check(struct arguments *);
int db_upgrade(struct arguments *);
int db_clock(struct arguments *);
/* verbs_hss.c */
int hss_new_vector(struct arguments *);
int hss_resync(struct arguments *);
int hss_serve(struct arguments *);

#endif
