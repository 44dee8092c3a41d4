/* SPDX-License-Identifier: Apache-2.0 */
/* prose-net: the operator's command line. Nouns and verbs from a table; every run is one database transaction. */
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "apdu/base/hex.h"
#include "apdu/base/status.h"
#include "apdu/prose.h"
#include "apdu/sw.h"
#include "apdu/base/text.h"
#include "apdu/tlv.h"
#include "ota/smpp/smpp.h"
#include "provisioning/campaign/courier.h"
#include "provisioning/cli/keep.h"
#include "provisioning/cli/net.h"
#include "provisioning/keys/kms.h"
#include "provisioning/keys/revoked.h"

const char *argp_program_version = "prose-net " PROSE_VERSION;

static error_t number(struct argp_state *state, const char *option, const char *text, long long *out)
{
	if (!text_number(text, out))
		argp_error(state, "--%s %s: must be a whole number", option, text);
	return 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *a = state->input;

	switch (key) {
	case OPT_STATE: a->state = arg; return 0;
	case OPT_KEY: a->key = arg; return 0;
	case OPT_OUT: a->out = arg; return 0;
	case OPT_CARD: a->card = arg; return 0;
	case OPT_USER: a->user = arg; return 0;
	case OPT_IMSI: a->imsi = arg; return 0;
	case OPT_MAKER: a->maker = arg; return 0;
	case OPT_URI: a->uri = arg; return 0;
	case OPT_MANAGER: a->manager = arg; return 0;
	case OPT_POLICY: a->policy = arg; return 0;
	case OPT_PROFILE: a->profile = arg; return 0;
	case OPT_RIGHTS: a->rights = arg; return 0;
	case OPT_TAR: a->tar = arg; return 0;
	case OPT_FILE: a->file = arg; return 0;
	case OPT_SOCKET: a->socket = arg; return 0;
	case OPT_ALGORITHM: a->algorithm = arg; return 0;
	case OPT_KEYS: a->keys = arg; return 0;
	case OPT_SPI2: a->spi2 = arg; return 0;
	case OPT_POR: a->por = arg; return 0;
	case OPT_KVN: return number(state, "kvn", arg, &a->kvn);
	case OPT_CARDS: a->cards = arg; return 0;
	case OPT_LIKE: a->like = arg; return 0;
	case OPT_GROUP: a->group = arg; return 0;
	case OPT_STAGES: a->stages = arg; return 0;
	case OPT_ABORT: a->abort = arg; return 0;
	case OPT_RATE: return number(state, "rate", arg, &a->rate);
	case OPT_RETRIES: return number(state, "retries", arg, &a->retries);
	case OPT_ANSWER: return number(state, "answer", arg, &a->answer);
	case OPT_JSON: a->json = true; return 0;
	case OPT_CSV: a->csv = true; return 0;
	case OPT_FAILED: a->failed = true; return 0;
	case OPT_SMSC: a->smsc = arg; return 0;
	case OPT_SYSTEM_ID: a->system_id = arg; return 0;
	case OPT_PASSWORD: a->password = arg; return 0;
	case OPT_FROM: a->from = arg; return 0;
	case OPT_WINDOW: return number(state, "window", arg, &a->window);
	case OPT_ONCE: a->once = true; return 0;
	case OPT_VIA: a->via = arg; return 0;
	case OPT_SEALED: a->sealed = arg; return 0;
	case OPT_NO_SANDBOX: a->no_sandbox = true; return 0;
	case OPT_BIND: a->bind = arg; return 0;
	case OPT_MAP: a->map = arg; return 0;
	case OPT_HTTPS: a->https = arg; return 0;
	case OPT_DERIVE: a->derive = arg; return 0;
	case OPT_HTTP: a->http = arg; return 0;
	case OPT_NAME: a->name = arg; return 0;
	case OPT_CERTIFICATE: a->certificate = arg; return 0;
	case OPT_CERTIFICATE_KEY: a->certificate_key = arg; return 0;
	case OPT_CLIENT_CA: a->client_ca = arg; return 0;
	case OPT_KMS: a->kms = arg; return 0;
	case OPT_WITHOUT_KEYS: a->without_keys = true; return 0;
	case OPT_MOVE: a->move = true; return 0;
	case OPT_LISTENING: a->listening = arg; return 0;
	case OPT_ACCEPT: a->accept = true; return 0;
	case OPT_DRY_RUN: a->dry_run = true; return 0;
	case OPT_RADIO: a->radio = arg; return 0;
	case OPT_DOMAIN: a->domain = arg; return 0;
	case OPT_VERIFY: a->verify = arg; return 0;
	case OPT_LIMIT: return number(state, "limit", arg, &a->limit);
	case OPT_PERIOD: return number(state, "period", arg, &a->period);
	case OPT_OFFSET: return number(state, "offset", arg, &a->offset);
	case OPT_VALID: return number(state, "valid", arg, &a->valid);
	case OPT_STARTS: return number(state, "starts", arg, &a->starts);
	case OPT_RECORD: return number(state, "record", arg, &a->record);
	case OPT_SLOT: return number(state, "slot", arg, &a->slot);
	case OPT_SHIFT: return number(state, "shift", arg, &a->shift);
	case ARGP_KEY_INIT:
		if (state->root_argp->children != NULL && state->child_inputs != NULL)
			state->child_inputs[0] = a;
		return 0;
	case ARGP_KEY_ARG:
		if (a->count == WORDS_MAX)
			argp_error(state, "too many arguments");
		a->words[a->count++] = arg;
		return 0;
	default: return ARGP_ERR_UNKNOWN;
	}
}

static int kms_new(struct arguments *a)
{
	if (a->uri == NULL)
		return net_fail("kms init", NULL, "needs --uri", EXIT_USAGE);
	if (a->period > KMS_PERIOD_MAX)
		return net_fail("kms init", a->uri,
		        "--period is at most 31622400 s (366 days): that long a key set outlives its user where no list comes",
		        EXIT_USAGE);
	return net_report("kms init", a->uri, kms_init(a->db, a->uri, (uint64_t)a->period, (uint64_t)a->offset));
}

static int kms_keys(struct arguments *a)
{
	struct buf b = BUF_OF(net_output);
	enum status st;

	if (a->card == NULL || a->user == NULL || a->out == NULL)
		return net_fail("kms issue", NULL, "needs --card ICCID, --user URI and --out FILE", EXIT_USAGE);
	st = kms_issue(
	        a->db, NULL, net_now(), NULL, a->card, a->user, (uint64_t)((long long)net_now() + a->shift * a->period), &b);
	if (st == OK)
		st = revoked_seal(a->db, a->card, &b);
	if (st == OK)
		st = net_write_file(a->out, buf_bytes(&b));
	if (st == ERR_DENIED)
		return refuse_user("kms issue", a, "is revoked: `kms allow` first; or the card is lost");
	return net_report("kms issue", a->user, st);
}

static int discovery_create(struct arguments *a)
{
	enum discovery_profile p = a->profile != NULL && strcmp(a->profile, "tr-2.1") == 0 ? DISCOVERY_TR_21 : DISCOVERY_33303;

	if (a->count != 1 || (a->profile != NULL && strcmp(a->profile, "tr-2.1") != 0 && strcmp(a->profile, "33.303") != 0))
		return net_fail("discovery renew", NULL, "needs NAME, and --profile tr-2.1 or 33.303", EXIT_USAGE);
	return net_report("discovery renew", a->words[0], discovery_renew(a->db, a->words[0], p, (unsigned)a->slot));
}

static int discovery_give(struct arguments *a)
{
	static const char *const names[] = { "announce", "monitor", NULL };
	struct buf b = BUF_OF(net_output);
	unsigned rights;
	enum status st;

	if (a->count != 1 || a->card == NULL || a->out == NULL || !net_flags_of(a->rights, names, &rights) || rights == 0)
		return net_fail("discovery grant", NULL, "needs NAME, --card ICCID, --rights announce,monitor and --out FILE",
		        EXIT_USAGE);
	st = discovery_grant(a->db, a->words[0], a->card, rights, net_now() - 3600, net_now() + (uint64_t)a->valid, &b);
	if (st == OK)
		st = net_write_file(a->out, buf_bytes(&b));
	return net_report("discovery grant", a->words[0], st);
}

#define OUT(text)                                                                                                              \
	{                                                                                                                      \
		"out", OPT_OUT, "PATH", 0, text, 0                                                                             \
	}
#define CARD                                                                                                                   \
	{                                                                                                                      \
		"card", OPT_CARD, "ICCID", 0, "The card", 0                                                                    \
	}
#define USER                                                                                                                   \
	{                                                                                                                      \
		"user", OPT_USER, "URI", 0, "The user's identity", 0                                                           \
	}
#define VALID                                                                                                                  \
	{                                                                                                                      \
		"valid", OPT_VALID, "SECONDS", 0, "Period of use (default 30 days)", 0                                         \
	}

#define POR                                                                                                                    \
	{                                                                                                                      \
		"por", OPT_POR, "report|submit", 0, "How the card answers: delivery report (default) or SMS-SUBMIT", 0         \
	}

static const struct argp_option card_new_options[] = { CARD, { "imsi", OPT_IMSI, "IMSI", 0, "15 digits", 0 },
	{ "maker-cert", OPT_MAKER, "FILE", 0, "Card maker's certificate (PEM)", 0 },
	{ "algorithm", OPT_ALGORITHM, "NAME", 0, "milenage (default) or tuak", 0 },
	{ "kms", OPT_KMS, "FQDN", 0, "The KMS that it is to ask, in EF_PROSE_KMS", 0 },
	{ "no-transport-keys", OPT_WITHOUT_KEYS, NULL, 0,
	        "No TrK and InK in the order: the first ones come by GBA from --kms, or by `ota transport`", 0 },
	OUT("Folder for order, secrets and PIN letter"), { 0 } };
static const struct argp_option ota_transport_options[] = { CARD, OUT("Short message"), { 0 } };
static const struct argp_option card_time_options[] = { CARD, OUT("Sealed object"), { 0 } };
static const struct argp_option kms_init_options[] = { { "uri", OPT_URI, "URI", 0, "The KMS's identity", 0 },
	{ "period", OPT_PERIOD, "SECONDS", 0, "Key period (default 2592000)", 0 },
	{ "offset", OPT_OFFSET, "SECONDS", 0, "Period offset (default 0)", 0 }, { 0 } };
static const struct argp_option kms_issue_options[] = { CARD, USER, OUT("Sealed objects"),
	{ "periods-ahead", OPT_SHIFT, "N", 0, "For the Nth next key period (default 0, the current one)", 0 },
	{ "period", OPT_PERIOD, "SECONDS", 0, "The KMS's key period (default 2592000)", 0 }, { 0 } };
#define LISTENING(text)                                                                                                        \
	{                                                                                                                      \
		"listening", OPT_LISTENING, "strict|listen", 0, text, 0                                                        \
	}
static const struct argp_option revoke_options[] = { VALID,
	LISTENING("Whether members who lack the new keys are still heard where the group's policy says so (default strict)"),
	{ "dry-run", OPT_DRY_RUN, NULL, 0, "The report alone: nothing is changed", 0 },
	{ "json", OPT_JSON, NULL, 0, "The report as JSON", 0 }, { 0 } };
static const struct argp_option clock_options[] = {
	{ "accept", OPT_ACCEPT, NULL, 0, "The last time was wrong, this clock is right: issue by it again", 0 }, { 0 }
};
#define NAF                                                                                                                    \
	{                                                                                                                      \
		"name", OPT_NAME, "FQDN", 0, "The server that pushes, as cards make their keys for it", 0                      \
	}
static const struct argp_option transport_options[] = { CARD, NAF,
	OUT("The sealed object, too; a pushed one: instead of waiting for the phone"), { 0 } };
static const struct argp_option naf_options[] = { CARD, NAF, OUT("The sealed object, instead of waiting for the phone"),
	{ 0 } };
static const struct argp_option certificate_options[] = { OUT("Our KMS's public keys (JSON)"), { 0 } };
static const struct argp_option revoked_options[] = { CARD,
	OUT("Our list, for another agency; with --card: all lists, sealed to that card"), { 0 } };
static const struct argp_option trust_options[] = { { "domain", OPT_DOMAIN, "NAME", 0,
	                                                    "What is behind the @ of its users' URIs", 0 },
	{ "move", OPT_MOVE, NULL, 0, "Though it spoke for another domain, or another KMS for this one: no longer", 0 }, { 0 } };
static const struct argp_option push_options[] = { USER, NAF, OUT("The message, instead of waiting for the phone"), { 0 } };
static const struct argp_option permit_options[] = { CARD,
	{ "rights", OPT_RIGHTS, "LIST", 0, "announce, monitor, communicate; none: take it back", 0 },
	{ "radio", OPT_RADIO, "HEX", 0, "Radio parameters for out of coverage", 0 },
	{ "valid", OPT_VALID, "SECONDS", 0, "From when a phone gets it (default 30 days)", 0 },
	OUT("The sealed object for --card, instead of waiting for the phone"), { 0 } };
static const struct argp_option refresh_options[] = { VALID, { 0 } };
static const struct argp_option kms_allow_options[] = { CARD, USER,
	{ "move", OPT_MOVE, NULL, 0, "Though another card has the user: no longer", 0 }, { 0 } };
static const struct argp_option kms_enrol_options[] = { CARD, USER, VALID, { 0 } };
static const struct argp_option kms_revoke_options[] = { USER, VALID, { 0 } };
#define SANDBOX                                                                                                                \
	{                                                                                                                      \
		"no-sandbox", OPT_NO_SANDBOX, NULL, 0, "Without seccomp and landlock, for a debugger", 0                       \
	}
#define LIMIT                                                                                                                  \
	{                                                                                                                      \
		"limit", OPT_LIMIT, "N", 0, "Connections and requests a second from one address (default 100; 0: any number)", \
		        0                                                                                                      \
	}
static const struct argp_option serve_bsf_options[] = { { "http", OPT_HTTP, "ADDRESS:PORT", 0, "Where UEs bootstrap (Ub)", 0 },
	{ "name", OPT_NAME, "FQDN", 0, "Our name, behind the @ of B-TIDs", 0 },
	{ "valid", OPT_VALID, "SECONDS", 0, "Life of a bootstrapping (default 2592000)", 0 }, LIMIT, SANDBOX, { 0 } };
static const struct argp_option serve_kms_options[] = { { "https", OPT_HTTPS, "ADDRESS:PORT", 0, "Where UEs ask (Ua: TLS-PSK)",
	                                                        0 },
	{ "name", OPT_NAME, "FQDN", 0, "Our name, for which UEs make their keys", 0 }, LIMIT,
	{ "certificate", OPT_CERTIFICATE, "FILE", 0,
	        "Ours (PEM): UEs with a certificate may ask, too; SIGHUP: the three files are read again", 0 },
	{ "certificate-key", OPT_CERTIFICATE_KEY, "FILE", 0, "Its private key (PEM)", 0 },
	{ "client-ca", OPT_CLIENT_CA, "FILE", 0, "Who certifies cards: their common name is the ICCID (PEM)", 0 }, SANDBOX,
	{ 0 } };
static const struct argp_option group_create_options[] = { { "manager", OPT_MANAGER, "URI", 0, "Who signs this group's keys",
	                                                           0 },
	{ "policy", OPT_POLICY, "LIST", 0, "sign, in-card, profile-b, shared, direct, export=period", 0 },
	LISTENING("Offers under a key that an exclusion has put an end to: refused (default), or heard till the key is over"),
	{ 0 } };
static const struct argp_option group_add_options[] = { OUT("Sealed group record for the member's card"), { 0 } };
static const struct argp_option delegate_options[] = { OUT("Sealed objects for that user's card"), { 0 } };
static const struct argp_option rekey_options[] = { OUT("Folder, one message a member"), VALID,
	{ "starts", OPT_STARTS, "SECONDS", 0, "Begin of use from now (default 0; may be negative)", 0 }, { 0 } };
static const struct argp_option renew_options[] = { { "profile", OPT_PROFILE, "NAME", 0, "tr-2.1 or 33.303 (default)", 0 },
	{ "slot", OPT_SLOT, "SECONDS", 0, "Slot length of tr-2.1 (default 1)", 0 }, { 0 } };
static const struct argp_option grant_options[] = { CARD, { "rights", OPT_RIGHTS, "LIST", 0, "announce, monitor", 0 }, VALID,
	OUT("Sealed object"), { 0 } };
static const struct argp_option ota_options[] = { CARD,
	{ "tar", OPT_TAR, "HEX", 0, "Toolkit application (default B05F90, DF_ProSe)", 0 },
	{ "file", OPT_FILE, "FID", 0, "File below the TAR's directory", 0 },
	{ "record", OPT_RECORD, "N", 0, "Record number", 0 }, POR, OUT("SMS-DELIVER in hex, one a line"), { 0 } };
static const struct argp_option hss_options[] = {
	{ "socket", OPT_SOCKET, "PATH", 0, "UNIX datagram socket; hostapd: eap_sim_db=unix:PATH", 0 }, { 0 }
};
static const struct argp_option explain_options[] = { CARD,
	{ "keys", OPT_KEYS, "FILE", 0, "A key set as JSON (0600) instead of a card's", 0 },
	{ "spi2", OPT_SPI2, "HEX", 0, "Of the command that a response answers (default 19)", 0 }, SANDBOX, { 0 } };
static const struct argp_option rotate_options[] = { CARD, { "kvn", OPT_KVN, "N", 0, "Number of the new key set, 1 to 15", 0 },
	OUT("SMS-DELIVER in hex"), { 0 } };
static const struct argp_option verify_options[] = { CARD, POR, { 0 } };
#define JSON_OPTION                                                                                                            \
	{                                                                                                                      \
		"json", OPT_JSON, NULL, 0, "As JSON", 0                                                                        \
	}
#define VIA                                                                                                                    \
	{                                                                                                                      \
		"via", OPT_VIA, "COMMAND", 0,                                                                                  \
		        "Command that hands a packet to a card: $ICCID, $IN (SMS-DELIVERs), $OUT (response); not by a shell",  \
		        0                                                                                                      \
	}
static const struct argp_option campaign_options[] = { { "cards", OPT_CARDS, "FILE", 0, "One ICCID a line (default: all cards)",
	                                                       0 },
	{ "like", OPT_LIKE, "PATTERN", 0, "ICCIDs like this, % for any digits", 0 },
	{ "group", OPT_GROUP, "URI", 0, "The cards of this group's members", 0 },
	{ "https", OPT_HTTPS, "A.B.C.D:PORT", 0, "The cards call this address for the job; else it comes by short messages",
	        0 },
	{ "stages", OPT_STAGES, "LIST", 0, "Canaries first: cards or per cent, as 10,1%,100%", 0 },
	{ "abort", OPT_ABORT, "PERCENT", 0, "Stop when more of a stage's cards fail (default 2)", 0 },
	{ "rate", OPT_RATE, "N", 0, "Messages a second over all servers (default: no limit)", 0 },
	{ "retries", OPT_RETRIES, "N", 0, "Messages to a card before giving up (default 5)", 0 },
	{ "answer", OPT_ANSWER, "SECONDS", 0, "Wait this long for the first answer, then longer (default 60)", 0 },
	{ "valid", OPT_VALID, "SECONDS", 0, "What is open then expires (default 30 days)", 0 }, POR, { 0 } };
static const struct argp_option import_options[] = { { "map", OPT_MAP, "LIST", 0, "A vendor's column names: THEIRS=OURS,...",
	                                                     0 },
	{ "derive", OPT_DERIVE, "FILE", 0,
	        "0600 file with the batch's secret in hex: keys that the list lacks are made from it", 0 },
	{ 0 } };
static const struct argp_option json_options[] = { JSON_OPTION, { 0 } };
static const struct argp_option log_options[] = { JSON_OPTION, OUT("Write the log's head, signed, instead"),
	{ "verify", OPT_VERIFY, "FILE", 0, "Does the log still begin as that head says?", 0 }, { 0 } };
static const struct argp_option result_options[] = { JSON_OPTION, { "csv", OPT_CSV, NULL, 0, "As CSV", 0 },
	{ "failed", OPT_FAILED, NULL, 0, "Only cards that are not done", 0 }, { 0 } };
static const struct argp_option dry_run_options[] = { { "card", OPT_CARD, "ICCID", 0, "The twin: a virtual card", 0 }, VIA,
	{ 0 } };
static const struct argp_option serve_ota_options[] = { { "smsc", OPT_SMSC, "HOST:PORT", 0, "Message centre (SMPP 3.4)", 0 },
	{ "system-id", OPT_SYSTEM_ID, "NAME", 0, "Our name there (default ota)", 0 },
	{ "password-file", OPT_PASSWORD, "FILE", 0, "0600 file with our password there", 0 },
	{ "from", OPT_FROM, "NUMBER", 0, "Our own number, where answers go (default 12345)", 0 },
	{ "bind", OPT_BIND, "HOW", 0, "transceiver (default), or separate: transmitter and receiver", 0 },
	{ "window", OPT_WINDOW, "N", 0, "Messages under way to the centre (default 64)", 0 },
	{ "https", OPT_HTTPS, "ADDRESS:PORT", 0, "Listen for cards that call (campaigns with --https)", 0 },
	{ "once", OPT_ONCE, NULL, 0, "Return when no campaign runs any more", 0 }, VIA,
	{ "sealed", OPT_SEALED, "FOLDER", 0,
	        "Where jobs of later campaigns have sealed objects, too (those of campaigns that there are when this starts are known)",
	        0 },
	SANDBOX, { 0 } };
static const struct argp_option none[] = { { 0 } };

static const struct verb {
	const char *noun, *verb;
	int (*run)(struct arguments *);
	const struct argp_option *options;
	const char *words, *help, *example;
	/* SERVES: runs on, with its own transactions; ALONE: opens what it needs; ISSUES: signs or seals with a date */
	enum { IN_TRANSACTION, SERVES, ALONE, ISSUES } how;
	enum keeper_role keeper; /* strangers reach it: another process has the master key */
} verbs[] = {
	{ "card", "new", card_new, card_new_options, "", "Order a card: identities, encrypted secrets, PIN letter",
	        "prose-net card new --card 8900101000000000017 --imsi 001010000000001 --maker-cert maker.crt --out orders" },
	{ "card", "import", card_import, import_options, "FILE",
	        "Take over a vendor's list of cards and keys (CSV with a header)", "prose-net card import farm.csv" },
	{ "card", "time", card_time, card_time_options, "", "Sealed time for a card",
	        "prose-net card time --card 8900101000000000017 --out time.sealed", ISSUES },
	{ "card", "revoke", card_revoke, revoke_options, "ICCID|IMSI|USER",
	        "A lost card: out of HSS, BSF, KMS and its groups, which get new keys; locked over the air; what stays open, until"
	        " when",
	        "prose-net card revoke 8900101000000000017 --dry-run", ISSUES },
	{ "card", "transport", card_transport, transport_options, "",
	        "New transport keys for a card (TrK, InK), under the old ones; with --name pushed under GBA's",
	        "prose-net card transport --card 8900101000000000017" },
	{ "card", "naf", card_naf, naf_options, "", "Let a server push keys to a card (GBA push)",
	        "prose-net card naf --card 8900101000000000017 --name groups.example.org" },
	{ "kms", "init", kms_new, kms_init_options, "", "Make the KMS's master keys",
	        "prose-net kms init --uri kms.example.org" },
	{ "kms", "issue", kms_keys, kms_issue_options, "", "Key set of a user, sealed to a card",
	        "prose-net kms issue --card 8900101000000000017 --user sip:alice@example.org --out alice.keys", ISSUES },
	{ "kms", "allow", kms_allow, kms_allow_options, "", "A card may hold the keys of a user",
	        "prose-net kms allow --card 8900101000000000017 --user sip:alice@example.org" },
	{ "kms", "enrol", kms_enrol, kms_enrol_options, "", "A code with which a phone without GBA gets a user's keys, once",
	        "prose-net kms enrol --card 8900101000000000017 --user sip:alice@example.org --valid 86400" },
	{ "kms", "certificate", kms_certificate, certificate_options, "", "Our KMS's public keys, for another agency",
	        "prose-net kms certificate --out fire.json" },
	{ "kms", "trust", kms_trust, trust_options, "FILE",
	        "Another agency's KMS: its users may sign, and be in our groups; our cards get its keys with their own",
	        "prose-net kms trust police.json --domain police.example.org" },
	{ "kms", "push", kms_push, push_options, "", "A user's key set now, though his phone has not asked (GBA push)",
	        "prose-net kms push --user sip:alice@example.org --name groups.example.org --out alice.push", ISSUES },
	{ "kms", "revoke", kms_revoke, kms_revoke_options, "",
	        "No keys for a user any more; the groups go on without, under new keys",
	        "prose-net kms revoke --user sip:alice@example.org", ISSUES },
	{ "kms", "revoked", kms_revoked, revoked_options, "[FILE]",
	        "The list of the revoked: into all outboxes, into a file for another agency or one card; or another agency's",
	        "prose-net kms revoked --out fire.revoked" },
	{ "kms", "status", kms_status, json_options, "", "Users, their cards, and what keys they have had",
	        "prose-net kms status" },
	{ "kms", "log", kms_show_log, log_options, "", "Every key set that was given out; checks that nobody has edited it",
	        "prose-net kms log --out head.json" },
	{ "group", "create", group_create, group_create_options, "GROUP", "Create a group",
	        "prose-net group create sip:fire@example.org --manager sip:gm@example.org --policy sign" },
	{ "group", "add", group_add, group_add_options, "GROUP USER", "Make a user a member",
	        "prose-net group add sip:fire@example.org sip:alice@example.org --out alice.group" },
	{ "group", "remove", group_remove, none, "GROUP USER", "Leave a user out from the next key on",
	        "prose-net group remove sip:fire@example.org sip:alice@example.org" },
	{ "group", "delegate", group_give_signer, delegate_options, "GROUP USER",
	        "Give a user's card the group's signing key: it can then make and send the group's keys",
	        "prose-net group delegate sip:fire@example.org sip:chief@example.org", ISSUES },
	{ "group", "refresh", group_refresh, refresh_options, "GROUP",
	        "A new key for a group that its members have joined by themselves, pushed to each",
	        "prose-net group refresh sip:volunteers@example.org", ISSUES },
	{ "group", "status", group_status, json_options, "GROUP",
	        "What each member has got; exit status 3: something waits, or was refused",
	        "prose-net group status sip:fire@example.org" },
	{ "group", "show", group_show, none, "GROUP", "What a group is, and how many keys it has had",
	        "prose-net group show sip:fire@example.org" },
	{ "group", "rekey", group_new_key, rekey_options, "GROUP", "New GMK, one MIKEY-SAKKE message a member",
	        "prose-net group rekey sip:fire@example.org --out rekey", ISSUES },
	{ "discovery", "renew", discovery_create, renew_options, "NAME",
	        "New discovery keys under a name; old ones stop matching", "prose-net discovery renew alice --profile 33.303" },
	{ "discovery", "grant", discovery_give, grant_options, "NAME", "Give a card those keys, with rights",
	        "prose-net discovery grant alice --card 8900101000000000017 --rights announce --out alice.disc", ISSUES },
	{ "ota", "update", ota_push, ota_options, "HEX", "Update a file over the air",
	        "prose-net ota update 01FF --card 8900101000000000017 --file 4F05 --out push.sms" },
	{ "ota", "verify", ota_check, verify_options, "FILE", "What the card answered",
	        "prose-net ota verify --card 8900101000000000017 push.por" },
	{ "ota", "rotate", ota_new_keys, rotate_options, "", "A new key set for the card, over the air (PUT KEY)",
	        "prose-net ota rotate --card 8900101000000000017 --kvn 2 --out push.sms" },
	{ "ota", "transport", ota_transport, ota_transport_options, "",
	        "TrK and InK over the air (STORE DATA), for a card that has none yet",
	        "prose-net ota transport --card 8900101000000000017 --out push.sms" },
	{ "ota", "rotated", ota_confirm, verify_options, "FILE", "The card took it: use the new key set from now on",
	        "prose-net ota rotated --card 8900101000000000017 push.por" },
	{ "ota", "explain", ota_explain, explain_options, "HEX...", "Any OTA message in words, and what a card will answer",
	        "prose-net ota explain --keys set1.json 00281516191212B00000..." },
	{ "card", "number", card_number, none, "ICCID MSISDN", "The telephone number that reaches a card",
	        "prose-net card number 8900101000000000017 9990000000001" },
	{ "card", "why", card_why, json_options, "ICCID", "A card's whole history over the air",
	        "prose-net card why 8900101000000000017" },
	{ "campaign", "create", campaign_new, campaign_options, "NAME JOB", "Send a job (JSON) to many cards",
	        "prose-net campaign create spring job.json --stages 10,1%,100% --abort 2" },
	{ "campaign", "dry-run", campaign_dry_run, dry_run_options, "NAME", "What it costs, and what a virtual twin says",
	        "prose-net campaign dry-run spring --card 8900101000000000017 --via './deliver'" },
	{ "campaign", "list", campaign_list, json_options, "", "All campaigns", "prose-net campaign list" },
	{ "campaign", "watch", campaign_watch, json_options, "NAME", "Progress until it is over",
	        "prose-net campaign watch spring", SERVES },
	{ "campaign", "pause", campaign_pause, none, "NAME", "Send nothing more for now", "prose-net campaign pause spring" },
	{ "campaign", "resume", campaign_resume, none, "NAME", "Go on after a pause or a stop",
	        "prose-net campaign resume spring" },
	{ "campaign", "cancel", campaign_cancel, none, "NAME", "Give up what is open", "prose-net campaign cancel spring" },
	{ "campaign", "result", campaign_result_list, result_options, "NAME", "Each card, with the reason",
	        "prose-net campaign result spring --failed --csv" },
	{ "hss", "vector", hss_new_vector, none, "IMSI", "One authentication vector, used up by asking for it",
	        "prose-net hss vector 001010000000001" },
	{ "hss", "resync", hss_resync, none, "IMSI RAND AUTS", "Go on from the sequence number that a card reports",
	        "prose-net hss resync 001010000000001 23553cbe9637a89d218ae64dae47bf35 b1f3..." },
	{ "db", "check", db_check, json_options, "",
	        "Is the database whole, of the newest schema, without duplicates; exit status 3: no", "prose-net db check",
	        ALONE },
	{ "db", "upgrade", db_upgrade, none, "", "Bring a database of an older prose-net to this one's schema",
	        "prose-net db upgrade", ALONE },
	{ "db", "clock", db_clock, clock_options, "", "The last time at which keys were issued, against this clock",
	        "prose-net db clock" },
	{ "serve", "hss", hss_serve, hss_options, "", "Authentication vectors for hostapd, until SIGTERM",
	        "prose-net serve hss --socket /run/prose/hss.sock", SERVES, KEEPER_HSS },
	{ "serve", "bsf", bsf_serve, serve_bsf_options, "", "Bootstrapping server function, until SIGTERM",
	        "prose-net serve bsf --http 127.0.0.1:8080 --name bsf.mnc001.mcc001.pub.3gppnetwork.org", SERVES, KEEPER_BSF },
	{ "serve", "kms", kms_serve, serve_kms_options, "", "Key management server, until SIGTERM",
	        "prose-net serve kms --https 127.0.0.1:8443 --name kms.example.org", SERVES, KEEPER_KMS },
	{ "serve", "group", group_serve, serve_kms_options, "", "Group records and keys for phones to fetch, until SIGTERM",
	        "prose-net serve group --https 127.0.0.1:8444 --name groups.example.org", SERVES, KEEPER_GROUP },
	{ "function", "permit", function_permit, permit_options, "PLMN|off",
	        "What users, or one card's, may do in a PLMN, or where none serves",
	        "prose-net function permit 00101 --rights announce,monitor,communicate --radio A0..." },
	{ "serve", "function", function_serve, serve_kms_options, "", "ProSe Function: permissions of each PLMN, until SIGTERM",
	        "prose-net serve function --https 127.0.0.1:8445 --name prose.mnc001.mcc001.pub.3gppnetwork.org", SERVES,
	        KEEPER_FUNCTION },
	{ "serve", "ota", ota_serve, serve_ota_options, "", "Send campaigns by SMPP, HTTPS or by hand, until SIGTERM",
	        "prose-net serve ota --smsc 127.0.0.1:2775 --password-file smsc.password", SERVES, KEEPER_OTA },
};

static const struct argp_option common_options[] = {
	{ "state", OPT_STATE, "DIR|URL", 0, "Database: a folder (default ./prose-net) or postgresql://...", -1 },
	{ "master-key", OPT_KEY, "FILE", 0,
	        "What wraps all secrets at rest: a 0600 file, credential:NAME of systemd, or a token's RSA key"
	        " (pkcs11:token=T;object=O?module-path=M&pin-source=P) (default DIR.key)",
	        -1 },
	{ 0 }
};

static void usage(FILE *out)
{
	(void)fprintf(out,
	        "Usage: prose-net NOUN VERB [OPTION...] ARGUMENT...\nThe operator's side: cards, keys, groups, discovery, over the air.\n\n");
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
		(void)fprintf(out, "  %-9s %-7s %s\n", verbs[i].noun, verbs[i].verb, verbs[i].help);
	(void)fprintf(out, "\nExamples:\n");
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
		(void)fprintf(out, "  %s\n", verbs[i].example);
	(void)fprintf(
	        out, "\n`prose-net NOUN VERB --help` explains a verb. Exit status: 0 done, 1 failed, 2 usage, 3 refused.\n");
}

/* No work for a card that is a duplicate (those that name it as an argument look at it, or revoke it). */
static int refuse_duplicate(const char *name, const struct arguments *a)
{
	char sentence[DB_SENTENCE_MAX];
	struct db_card card;

	if (a->card == NULL || db_card_get(a->db, a->card, &card, NULL) != OK || card.duplicate_of[0] == 0)
		return 0;
	db_card_duplicate(&card, sentence);
	return net_fail(name, a->card, sentence, EXIT_REFUSED);
}

#define OPTION_LIMIT(name, field, max)                                                                                         \
	{                                                                                                                      \
		name, offsetof(struct arguments, field), max                                                                   \
	}
/* What goes into a field of a fixed size later on. A path gets names of files behind it. */
enum { FILE_MAX = PATH_MAX - 300, HOST_MAX = 255, ICCID_MAX = 20 };
static const struct text_limit limits[] = { OPTION_LIMIT("state", state, FILE_MAX), OPTION_LIMIT("master-key", key, FILE_MAX),
	OPTION_LIMIT("out", out, FILE_MAX), OPTION_LIMIT("card", card, ICCID_MAX), OPTION_LIMIT("user", user, PROSE_URI_MAX),
	OPTION_LIMIT("uri", uri, PROSE_URI_MAX), OPTION_LIMIT("manager", manager, PROSE_URI_MAX),
	OPTION_LIMIT("group", group, PROSE_URI_MAX), OPTION_LIMIT("domain", domain, PROSE_URI_MAX),
	OPTION_LIMIT("smsc", smsc, HOST_MAX), OPTION_LIMIT("system-id", system_id, SMPP_SYSTEM_ID_MAX),
	OPTION_LIMIT("from", from, SMPP_ADDRESS_MAX) };

static int start_courier(const char *name, struct arguments *a)
{
	const struct courier_job nothing = { "", "", "" };
	char memory[COURIER_TEXT_MAX], *words[COURIER_WORDS_MAX + 1];

	if (courier_words(a->via, &nothing, memory, words) != OK)
		return net_fail(name, a->via,
		        "--via is one command with words, \"...\", '...', $ICCID, $IN and $OUT; say sh -c '...' for a shell's own",
		        EXIT_USAGE);
	return (a->courier = courier_start(a->via)) != NULL ? 0 : net_fail(name, NULL, "no process for --via", EXIT_FAILURE);
}

/* With its master key, or (what strangers reach) without it and with a keeper. A client that goes in the middle of an answer
 * ends its connection alone. */
static int open_database(const struct verb *v, const char *name, struct arguments *a, const char *key, struct keeper **k)
{
	char reason[512];
	int rc;

	if (v->how == SERVES)
		(void)signal(SIGPIPE, SIG_IGN);
	if (v->keeper != 0 && (rc = keep_start(name, a, v->keeper, key, k)) != 0)
		return rc;
	if ((a->db = db_open(a->state, v->keeper != 0 ? NULL : key, reason, sizeof reason)) == NULL)
		return net_fail(name, NULL, reason, EXIT_REFUSED);
	db_set_keeper(a->db, *k);
	return 0;
}

/* A server that goes away at the end may have done it, or not. */
static int commit(const char *verb, const struct arguments *a)
{
	enum status st = db_commit(a->db);

	if (st == ERR_IO && strstr(a->state, "://") != NULL)
		return net_fail(verb, db_name(a->state),
		        "the connection to the database ended at the commit, and whether this was done is not known: run it again",
		        EXIT_FAILURE);
	return net_report(verb, NULL, st);
}

static int run_verb(const struct verb *v, int argc, char **argv)
{
	struct argp common = { .options = common_options, .parser = parse };
	struct argp_child children[] = { { &common, 0, "Every verb:", 1 }, { 0 } };
	struct arguments a = { .state = "prose-net",
		.period = 2592000,
		.valid = 2592000,
		.slot = 1,
		.retries = 5,
		.answer = 60,
		.window = 64,
		.limit = 100 };
	char doc[512], key[PATH_MAX], reason[512], called[80];
	struct argp argp = { v->options, parse, v->words, doc, children, NULL, NULL };
	const char *const name = called + sizeof "prose-net";
	struct keeper *k = NULL;
	error_t error;
	int rc;

	(void)snprintf(doc, sizeof doc, "%s.\vExample:\n  %s", v->help, v->example);
	(void)snprintf(called, sizeof called, "prose-net %s %s", v->noun, v->verb);
	argv[0] = called; /* what argp says in usage and errors */
	if ((error = argp_parse(&argp, argc, argv, 0, NULL, &a)) != 0) {
		if (error == ENOMEM) /* argp tells of usage only */
			(void)fprintf(stderr, "%s: %s\n", called, status_text(ERR_NO_MEMORY));
		return EXIT_USAGE;
	}
	if (!text_limits_hold(limits, sizeof limits / sizeof *limits, &a, reason, sizeof reason))
		return net_fail(name, NULL, reason, EXIT_USAGE);
	(void)snprintf(key, sizeof key, "%s.key", a.state);
	if (v->how == ALONE || (v->run == ota_explain && a.card == NULL)) /* which needs no database */
		return v->run(&a);
	if (a.key == NULL && strstr(a.state, "://") != NULL)
		return net_fail(name, NULL, "a database by URL needs --master-key", EXIT_USAGE);
	if (v->how == SERVES && a.via != NULL && (rc = start_courier(name, &a)) != 0)
		return rc; /* before there is a master key in this process */
	a.key_file = a.key != NULL ? a.key : key;
	if ((rc = open_database(v, name, &a, a.key_file, &k)) != 0)
		return rc;
	rc = v->how == SERVES ? 0 : net_report(name, NULL, db_begin(a.db));
	if (rc == 0)
		rc = refuse_duplicate(name, &a);
	if (rc == 0 && v->how == ISSUES && (rc = net_clock(name, &a)) == 0)
		rc = net_report(name, NULL, db_clock_issue(a.db, net_now()));
	if (rc == 0)
		rc = v->run(&a);
	if (db_outdated(a.db))
		rc = net_fail(name, db_name(a.state), "was upgraded while this ran: go on with a prose-net of that schema",
		        EXIT_REFUSED);
	if (keep_lost() && rc == 0)
		rc = EXIT_FAILURE; /* after its sentence */
	if (rc == 0 && v->how != SERVES)
		rc = commit(name, &a);
	if (net_publish_files(rc == 0) != OK)
		rc = net_fail(name, NULL, "the output files could not be put in place", EXIT_FAILURE);
	db_close(&a.db);
	keep_end(&k);
	courier_end(&a.courier);
	return rc;
}

/* No core dumps, no ptrace by the same user. */
static void harden(void)
{
	const struct rlimit no_core = { 0, 0 };

	(void)prctl(PR_SET_DUMPABLE, 0);
	(void)setrlimit(RLIMIT_CORE, &no_core);
}

int main(int argc, char **argv)
{
	harden();
	argp_err_exit_status = EXIT_USAGE;
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		(void)puts(argp_program_version);
		return 0;
	}
	/* `ota campaign VERB` and `ota card ICCID why`: as people say it */
	if (argc >= 4 && strcmp(argv[1], "ota") == 0 && strcmp(argv[2], "campaign") == 0) {
		argv++;
		argc--;
	} else if (argc >= 5 && strcmp(argv[1], "ota") == 0 && strcmp(argv[2], "card") == 0 && strcmp(argv[4], "why") == 0) {
		char *iccid = argv[3];

		argv[3] = argv[4];
		argv[4] = iccid;
		argv++;
		argc--;
	}
	for (size_t i = 0; argc >= 3 && i < sizeof verbs / sizeof *verbs; i++)
		if (strcmp(argv[1], verbs[i].noun) == 0 && strcmp(argv[2], verbs[i].verb) == 0)
			return run_verb(&verbs[i], argc - 2, argv + 2);
	if (argc >= 3 && argv[1][0] != '-') {
		(void)fprintf(stderr, "prose-net: no verb \"%s %s\"; try prose-net --help\n", argv[1], argv[2]);
		return EXIT_USAGE;
	}
	usage(argc >= 2 && strcmp(argv[1], "--help") == 0 ? stdout : stderr);
	return argc >= 2 && strcmp(argv[1], "--help") == 0 ? 0 : EXIT_USAGE;
}
