/* SPDX-License-Identifier: Apache-2.0 */
/* prose-ue: the command line of the middleware. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apdu/base/disk.h"
#include "apdu/base/secret.h"
#include "apdu/base/text.h"
#include "apdu/files.h"
#include "apdu/prose.h"
#include "host/cli/cli.h"
#include "ota/smpp/smpp.h"

const char *argp_program_version = "prose-ue " PROSE_VERSION;

static error_t number(struct argp_state *state, const char *option, const char *text, long long *out)
{
	if (!text_number(text, out) || *out < 0)
		argp_error(state, "--%s %s: must be a whole number, 0 or more", option, text);
	return 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *a = state->input;

	switch (key) {
	case 'r': a->reader = arg; return 0;
	case OPT_PIN: a->pin_file = arg; return 0;
	case OPT_FORCE: a->force = true; return 0;
	case OPT_TRACE: a->trace = arg; return 0;
	case OPT_GSMTAP: a->gsmtap = arg; return 0;
	case OPT_TRACE_SECRETS: a->trace_secrets = true; return 0;
	case OPT_GROUP: a->group = arg; return 0;
	case OPT_AUDIO: a->audio = arg; return 0;
	case OPT_MEDIA: a->media = arg; return 0;
	case OPT_OFFERS: a->offers = arg; return 0;
	case OPT_PC5: a->pc5 = arg; return 0;
	case OPT_NAME: a->name = arg; return 0;
	case OPT_OUT: a->out = arg; return 0;
	case OPT_JSON: a->json = true; return 0;
	case OPT_FIRST: a->first_packet = true; return 0;
	case OPT_BSF: a->bsf = arg; return 0;
	case OPT_KMS: a->kms = arg; return 0;
	case OPT_NAF: a->naf = arg; return 0;
	case OPT_USER: a->user = arg; return 0;
	case OPT_KMS_URI: a->kms_uri = arg; return 0;
	case OPT_FROM: a->from = arg; return 0;
	case OPT_RTP_TO: a->rtp_to = arg; return 0;
	case OPT_CODE: a->code = arg; return 0;
	case OPT_CERTIFICATE: a->certificate = arg; return 0;
	case OPT_CA: a->ca = arg; return 0;
	case OPT_PLMN: a->plmn = arg; return 0;
	case OPT_MEMBERS: a->members = arg; return 0;
	case OPT_VALID: return number(state, "valid", arg, &a->valid);
	case OPT_SECONDS: return number(state, "seconds", arg, &a->seconds);
	case OPT_LEAD_IN: return number(state, "lead-in", arg, &a->lead_in);
	case OPT_RESEND: return number(state, "resend", arg, &a->resend);
	case OPT_COUNT: return number(state, "count", arg, &a->count);
	case OPT_SMSC: a->smsc = arg; return 0;
	case OPT_SYSTEM_ID: a->system_id = arg; return 0;
	case OPT_PASSWORD: a->password = arg; return 0;
	case OPT_NUMBER: a->number = arg; return 0;
	case ARGP_KEY_INIT:
		if (state->root_argp->children != NULL && state->child_inputs != NULL)
			state->child_inputs[0] = a;
		return 0;
	case ARGP_KEY_ARG:
		if (a->word_count == WORDS_MAX)
			argp_error(state, "too many arguments");
		a->words[a->word_count++] = arg;
		return 0;
	default: return ARGP_ERR_UNKNOWN;
	}
}

#define JSON                                                                                                                   \
	{                                                                                                                      \
		"json", OPT_JSON, NULL, 0, "Machine-readable", 0                                                               \
	}
#define SECONDS(text)                                                                                                          \
	{                                                                                                                      \
		"seconds", OPT_SECONDS, "N", 0, text, 0                                                                        \
	}

static const struct argp_option none[] = { { 0 } };
static const struct argp_option json_only[] = { JSON, { 0 } };
static const struct argp_option call_options[] = { { "group", OPT_GROUP, "URI", 0, "The group", 0 },
	{ "offers", OPT_OFFERS, "ADDRESS:PORT", 0, "Multicast group that carries SDP offers", 0 },
	{ "media", OPT_MEDIA, "ADDRESS:PORT", 0, "start, and join of a `direct` group: multicast group for SRTP", 0 },
	{ "audio", OPT_AUDIO, "FILE", 0, "A-law, mono, 8 kHz WAV file to send; join: in a group that shares its key", 0 },
	{ "rtp-to", OPT_RTP_TO, "ADDRESS:PORT", 0,
	        "join: what decrypts goes there as RTP, until it has been silent for a second", 0 },
	{ "lead-in", OPT_LEAD_IN, "MS", 0, "start: silence before the audio (default 0)", 0 },
	{ "resend", OPT_RESEND, "MS", 0, "start: repeat the offer this often (default 5000)", 0 },
	{ "first-packet", OPT_FIRST, NULL, 0, "join: wait until a packet decrypts, and say when", 0 },
	SECONDS("join: wait this long for an offer (default 20)"), { 0 } };
#define PLMN                                                                                                                   \
	{                                                                                                                      \
		"plmn", OPT_PLMN, "PLMN", 0, "The PLMN that serves us, 5 or 6 digits (default: none does)", 0                  \
	}
static const struct argp_option announce_options[] = { { "name", OPT_NAME, "NAME", 0, "Discovery key to announce with", 0 },
	{ "pc5", OPT_PC5, "ADDRESS:PORT", 0, "Multicast group that stands for PC5", 0 },
	{ "count", OPT_COUNT, "N", 0, "Frames to send, two a second (default 1)", 0 }, PLMN, { 0 } };
static const struct argp_option discover_options[] = { { "pc5", OPT_PC5, "ADDRESS:PORT", 0,
	                                                       "Multicast group that stands for PC5", 0 },
	{ "count", OPT_COUNT, "N", 0, "Stop after N matches (default: never)", 0 }, SECONDS("Listen this long (default 20)"),
	PLMN, JSON, { 0 } };
static const struct argp_option ota_options[] = { { "out", OPT_OUT, "FILE", 0, "Write the response packet here", 0 },
	SECONDS("Wait this long for a session with a server that the card was told to call (default 20)"), { 0 } };
static const struct argp_option cat_options[] = { SECONDS("Serve the card's channels this long (default 20)"), { 0 } };
static const struct argp_option modem_options[] = { { "smsc", OPT_SMSC, "HOST:PORT", 0, "Message centre (SMPP 3.4)", 0 },
	{ "number", OPT_NUMBER, "DIGITS", 0, "The card's number; of a farm: of its first card, the others count on", 0 },
	{ "count", OPT_COUNT, "N", 0, "Cards of the farm at --reader unix:SOCKET (default 1)", 0 },
	{ "system-id", OPT_SYSTEM_ID, "NAME", 0, "Our name there (default handset)", 0 },
	{ "password-file", OPT_PASSWORD, "FILE", 0, "0600 file with our password there", 0 }, { 0 } };
static const struct argp_option provision_options[] = { { "bsf", OPT_BSF, "URL", 0,
	                                                        "Bootstrapping server (default: the home network's)", 0 },
	{ "kms", OPT_KMS, "URL", 0, "Key management server (default: https:// and --naf)", 0 },
	{ "naf", OPT_NAF, "FQDN", 0, "Its name, for which the card makes its key (default: as EF_PROSE_KMS says)", 0 },
	{ "kms-uri", OPT_KMS_URI, "URI", 0, "Its KMS URI (default: --naf)", 0 },
	{ "user", OPT_USER, "URI", 0, "Whose keys", 0 },
	{ "certificate", OPT_CERTIFICATE, "FILE", 0, "The card's certificate (PEM), instead of --bsf and --naf", 0 },
	{ "ca", OPT_CA, "FILE", 0, "Who certifies the server (PEM): with --certificate, or for HTTP Digest with --bsf", 0 },
	{ "code-file", OPT_CODE, "FILE", 0,
	        "A one-time code (`prose-net kms enrol`) in a 0600 file, instead of --bsf and --naf", 0 },
	{ 0 } };
static const struct argp_option permission_options[] = { JSON,
	{ "bsf", OPT_BSF, "URL", 0, "Bootstrapping server (default: the home network's)", 0 },
	{ "from", OPT_FROM, "URL", 0, "fetch: the ProSe Function", 0 },
	{ "naf", OPT_NAF, "FQDN", 0, "fetch: its name, for which the card makes its key", 0 },
	{ "certificate", OPT_CERTIFICATE, "FILE", 0, "fetch: the card's certificate (PEM), instead of --bsf and --naf", 0 },
	{ "ca", OPT_CA, "FILE", 0, "fetch: who certifies the server (PEM): with --certificate, or for HTTP Digest with --bsf",
	        0 },
	{ 0 } };
static const struct argp_option group_options[] = { JSON,
	{ "bsf", OPT_BSF, "URL", 0, "Bootstrapping server (default: the home network's)", 0 },
	{ "from", OPT_FROM, "URL", 0, "fetch: the group manager's service", 0 },
	{ "naf", OPT_NAF, "FQDN", 0, "fetch: its name, for which the card makes its key", 0 },
	{ "valid", OPT_VALID, "SECONDS", 0, "rekey: life of the key (default 7 days, at most 30)", 0 },
	{ "user", OPT_USER, "URI", 0, "create, invitation, join, expel: whose card this is", 0 },
	{ "members", OPT_MEMBERS, "FILE", 0, "invite: one URI a line; create: the white list", 0 },
	{ "ca", OPT_CA, "FILE", 0, "Who certifies the server (PEM), for HTTP Digest instead of TLS-PSK", 0 },
	SECONDS("listen: this long (default 20)"),
	{ "out", OPT_OUT, "PATH", 0, "invite: the message, or with --members a folder, one file a member", 0 }, { 0 } };
static const struct argp_option adhoc_options[] = { { "valid", OPT_VALID, "SECONDS", 0,
	                                                    "create: life of the key (default a day, at most 30)", 0 },
	{ "out", OPT_OUT, "FILE", 0, "invite: the message, for `group import` there", 0 }, JSON, { 0 } };
static const struct argp_option watch_options[] = { { "count", OPT_COUNT, "N", 0, "Stop after N APDUs (default: never)", 0 },
	SECONDS("Watch this long (default 20)"), { 0 } };
static const struct argp_option put_options[] = { { "count", OPT_COUNT, "N", 0, "Record number (record files)", 0 }, { 0 } };

static const struct verb verbs[] = {
	{ "readers", verb_readers, false, none, "", "List PC/SC readers", "prose-ue readers" },
	{ "info", verb_info, true, json_only, "", "Whose card this is, and its time", "prose-ue --reader 'Card 0' info" },
	{ "list", verb_list, true, none, "", "Key sets, groups, GMKs and discovery keys on the card",
	        "prose-ue --pin-file pin list" },
	{ "file", verb_file, true, put_options, "ls|tree [PATH]\ncat PATH\nput PATH HEX", "Files, by path or name",
	        "prose-ue --pin-file pin file cat EF_IMSI" },
	{ "pin", verb_pin, true, none, "ACTION PIN [VALUE [NEW]]", "PINs: status, verify, change, disable, enable, unblock",
	        "prose-ue pin unblock pin1 @puk @newpin" },
	{ "auth", verb_auth, true, none, "RAND AUTN", "AUTHENTICATE: RES, CK, IK, or AUTS",
	        "prose-ue --pin-file pin auth 23553cbe9637a89d218ae64dae47bf35 55f328b43577b9b94a9ffac354dfafb3" },
	{ "suci", verb_suci, true, none, "", "The concealed identity, fresh each time (where EF_UST lets the card compute it)",
	        "prose-ue --pin-file pin suci" },
	{ "gba", verb_gba, true, none, "bootstrap RAND AUTN\nnaf FQDN PROTOCOL IMPI\npush FILE",
	        "Bootstrapping, keys for a NAF, and keys that a NAF pushes",
	        "prose-ue --pin-file pin gba naf naf.example.org 0100000002 001010000000001@ims.example.org" },
	{ "cat", verb_cat, true, cat_options, "", "Fetch and answer the card's proactive commands", "prose-ue cat" },
	{ "watch", verb_watch, false, watch_options, "", "Print the APDUs that --gsmtap mirrors, decoded",
	        "prose-ue watch --seconds 60" },
	{ "provision", verb_provision, true, provision_options, "[FILE...]",
	        "Sealed objects to the card, from files or from its KMS",
	        "prose-ue --pin-file pin provision --bsf http://bsf:8080 --kms https://kms:8443 --naf kms.example.org --user sip:alice@example.org" },
	{ "certificate", verb_certificate, true, none, "key", "The card's own key for a TLS client certificate",
	        "prose-ue --pin-file pin certificate key >card.pub" },
	{ "permission", verb_permission, true, permission_options, "fetch\nin PLMN\nout [LAST-PLMN]",
	        "What the user may do, in a PLMN's coverage or out of it, and who says so",
	        "prose-ue --pin-file pin permission out 00101" },
	{ "group", verb_group, true, group_options,
	        "import FILE\nfetch\nlisten\nrekey GROUP [EXCLUDED...]\ninvite GROUP [USER]\ncreate GROUP\ninvitation GROUP USER\njoin GROUP [INVITATION]\nexpel GROUP USER...",
	        "Group records and MIKEY-SAKKE messages to the card; and from the card of a group's manager",
	        "prose-ue --pin-file pin group fetch --bsf http://bsf:8080 --from https://groups:8444 --naf groups.example.org" },
	{ "adhoc", verb_adhoc, true, adhoc_options, "create GROUP [EXCLUDED...]\ninvite GROUP USER\naccept GROUP SIGNER",
	        "Groups that cards make alone, without any server",
	        "prose-ue --pin-file pin adhoc create sip:search-party@example.org" },
	{ "call", verb_call, true, call_options, "start|join", "Talk to a group, or listen to it",
	        "prose-ue --pin-file pin call join --group sip:fire@example.org --offers 239.255.33.4:6003" },
	{ "announce", verb_announce, true, announce_options, "", "Announce over PC5",
	        "prose-ue announce --name alice --pc5 239.255.33.3:6000" },
	{ "discover", verb_discover, true, discover_options, "", "Watch PC5 for those we may see",
	        "prose-ue discover --pc5 239.255.33.3:6000 --seconds 10" },
	{ "ota", verb_ota, true, ota_options, "deliver FILE", "Give an OTA short message to the card",
	        "prose-ue ota deliver push.sms --out push.por" },
	{ "modem", verb_modem, false, modem_options, "",
	        "The handset of a message centre: OTA messages to the card, answers back",
	        "prose-ue modem --smsc 127.0.0.1:2775 --number 9990000000001" },
	{ "apdu", verb_apdu, true, none, "HEX...", "Send raw command APDUs", "prose-ue apdu 00A4000C022FE2 00B000000A" },
};

static const struct argp_option common_options[] = {
	{ "reader", 'r', "NAME", 0,
	        "Reader, by the beginning of its name (default: the first with a card), or unix:SOCKET#CARD in a farm", -1 },
	{ "pin-file", OPT_PIN, "FILE", 0, "File that holds PIN1", -1 },
	{ "force", OPT_FORCE, NULL, 0, "Spend the last try of a PIN, too", -1 },
	{ "gsmtap", OPT_GSMTAP, "HOST", 0, "Mirror every APDU to HOST for Wireshark, secrets blanked", -1 },
	{ "trace", OPT_TRACE, "FILE", 0, "Append every APDU here, secrets blanked (mode 0600)", -1 },
	{ "trace-secrets", OPT_TRACE_SECRETS, NULL, 0, "Blank PINs only", -1 }, { 0 }
};

/* A line that is too long for a PIN becomes an empty one, which is none either. */
static bool pin_from_file(void *context, char pin[9])
{
	const struct arguments *a = context;
	SECRET line = { 0 };

	errno = 0;
	if (a->pin_file == NULL || !read_line(a->pin_file, &line)) {
		if (a->pin_file != NULL && errno != 0)
			(void)fprintf(stderr, "prose-ue: %s: %s\n", a->pin_file, disk_text(errno));
		return false;
	}
	if (line.len > 8)
		pin[0] = 0;
	else
		memcpy(pin, line.data, line.len + 1);
	return true;
}

enum prose_result open_reader(const char *name, struct prose_transport *t)
{
	static const char prefix[] = "unix:";
	char path[256];
	const char *mark;

	if (name == NULL || strncmp(name, prefix, sizeof prefix - 1) != 0)
		return prose_pcsc_open(name, t);
	name += sizeof prefix - 1;
	mark = strrchr(name, '#');
	if (mark == NULL || (size_t)(mark - name) >= sizeof path)
		return PROSE_FORMAT;
	memcpy(path, name, (size_t)(mark - name));
	path[mark - name] = 0;
	/* ICCIDs have 18 digits or more; numbers fewer. */
	return prose_farm_open(path, strlen(mark) > 18 ? mark + 1 : mark, t);
}

#define OPTION_LIMIT(name, field, max)                                                                                         \
	{                                                                                                                      \
		name, offsetof(struct arguments, field), max                                                                   \
	}
/* What goes into a field of a fixed size later on. A number of 19 digits: with the last one of a farm, it fills an SMPP address
 * range (5.2.7). */
enum { FOLDER_MAX = PATH_MAX - 300, HOST_MAX = 255, NUMBER_MAX = SMPP_ADDRESS_MAX - 1, URL_MAX = 400, KMS_URL_MAX = 128 };
static const struct text_limit limits[] = { OPTION_LIMIT("reader", reader, 255), OPTION_LIMIT("group", group, PROSE_URI_MAX),
	OPTION_LIMIT("name", name, PROSE_NAME_MAX), OPTION_LIMIT("out", out, FOLDER_MAX), OPTION_LIMIT("smsc", smsc, HOST_MAX),
	OPTION_LIMIT("system-id", system_id, SMPP_SYSTEM_ID_MAX), OPTION_LIMIT("number", number, NUMBER_MAX),
	OPTION_LIMIT("bsf", bsf, URL_MAX), OPTION_LIMIT("kms", kms, KMS_URL_MAX),
	OPTION_LIMIT("naf", naf, EF_PROSE_KMS_NAME_MAX), OPTION_LIMIT("user", user, PROSE_URI_MAX),
	OPTION_LIMIT("kms-uri", kms_uri, PROSE_URI_MAX), OPTION_LIMIT("from", from, URL_MAX) };

static int run_verb(const struct verb *v, struct arguments *a)
{
	struct prose_options o = { pin_from_file, a };
	struct prose_transport t;
	char sentence[100];
	enum prose_result r;
	int rc;

	if (!text_limits_hold(limits, sizeof limits / sizeof *limits, a, sentence, sizeof sentence))
		return usage_error(v->name, sentence);
	if (!v->needs_card)
		return v->run(a);
	r = open_reader(a->reader, &t);
	if (r == PROSE_OK && a->trace != NULL && (r = prose_trace_open(t, a->trace, &t)) != PROSE_OK)
		t.close(t.context);
	if (r == PROSE_OK && a->trace != NULL && a->trace_secrets)
		prose_tap_secrets(&t);
	if (r == PROSE_OK && a->gsmtap != NULL && (r = prose_gsmtap_open(t, a->gsmtap, &t)) != PROSE_OK)
		t.close(t.context);
	if (r == PROSE_OK && a->gsmtap != NULL && a->trace_secrets)
		prose_tap_secrets(&t);
	if (r != PROSE_OK || (r = prose_card_open(t, &o, &a->card)) != PROSE_OK)
		return ue_complain(a, v->name, a->reader, r);
	prose_card_spend_last_try(a->card, a->force);
	rc = v->run(a);
	prose_card_close(&a->card);
	return rc;
}

static void usage(FILE *out)
{
	(void)fprintf(out, "Usage: prose-ue [OPTION...] VERB [OPTION...] ARGUMENT...\nThe phone's side of a ProSe UICC.\n\n");
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
		(void)fprintf(out, "  %-10s %s\n", verbs[i].name, verbs[i].help);
	(void)fprintf(out, "\nExamples:\n");
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
		(void)fprintf(out, "  %s\n", verbs[i].example);
	(void)fprintf(out, "\n`prose-ue VERB --help` explains a verb. Exit status: 0 done, 1 failed, 2 usage, 3 the card\n"
	                   "refused, 4 no reader or card.\n");
}

/* The verb is the first word; options may stand on both sides of it. */
static int verb_index(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (argv[i][0] != '-')
			return i;
		if ((strcmp(argv[i], "--reader") == 0 || strcmp(argv[i], "-r") == 0 || strcmp(argv[i], "--pin-file") == 0 ||
		            strcmp(argv[i], "--trace") == 0 || strcmp(argv[i], "--gsmtap") == 0))
			i++;
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "--version") == 0)
			return 0;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct arguments a = { .seconds = 20, .resend = 5000 };
	error_t error;
	int at = verb_index(argc, argv);

	argp_err_exit_status = EXIT_USAGE;
	if (at == 0) {
		bool asked = argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "--version") == 0);

		if (asked && strcmp(argv[1], "--version") == 0)
			(void)puts(argp_program_version);
		else
			usage(asked ? stdout : stderr);
		return asked ? 0 : EXIT_USAGE;
	}
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
		struct argp common = { .options = common_options, .parser = parse };
		struct argp_child children[] = { { &common, 0, "Every verb:", 1 }, { 0 } };
		char doc[512], called[40];
		struct argp argp = { verbs[i].options, parse, verbs[i].words, doc, children, NULL, NULL };

		if (strcmp(argv[at], verbs[i].name) != 0)
			continue;
		(void)snprintf(doc, sizeof doc, "%s.\vExample:\n  %s", verbs[i].help, verbs[i].example);
		if (strcmp(verbs[i].name, "announce") == 0)
			a.count = 1;
		/* argp sees the words without the verb. */
		memmove(argv + at, argv + at + 1, (size_t)(argc - at) * sizeof *argv);
		(void)snprintf(called, sizeof called, "prose-ue %s", verbs[i].name);
		argv[0] = called; /* what it says in usage and errors */
		if ((error = argp_parse(&argp, argc - 1, argv, 0, NULL, &a)) != 0) {
			if (error == ENOMEM) /* argp tells of usage only */
				(void)fprintf(stderr, "%s: %s\n", called, status_text(ERR_NO_MEMORY));
			return EXIT_USAGE;
		}
		return run_verb(&verbs[i], &a);
	}
	(void)fprintf(stderr, "prose-ue: no verb \"%s\"; try prose-ue --help\n", argv[at]);
	return EXIT_USAGE;
}
