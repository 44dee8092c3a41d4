/* SPDX-License-Identifier: Apache-2.0 */
/* prose-card: create, run, reader, farm, info, dump, maker, key. One verb a function; argp makes --help. */
#include <argp.h>
#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "apdu/aids.h"
#include "apdu/birth.h"
#include "apdu/base/hex.h"
#include "apdu/base/status.h"
#include "apdu/base/text.h"
#include "apdu/tlv.h"
#include "card/io/birth/birth.h"
#include "card/io/cli/cli.h"
#include "card/io/image/image_file.h"
#include "card/io/image/image_migration.h"
#include "card/io/image/key_file.h"
#include "card/io/link/reader.h"
#include "card/io/image/secret_table.h"
#include "card/io/link/vpcd.h"
#include "crypto/guarded/sakke_ring.h"

const char *argp_program_version = "prose-card " PROSE_VERSION;

enum { KEY_PERIODS = 3 }; /* whose tables a card keeps: what it keeps key sets of */

static struct card the_card;
static struct card_work work;

static bool parse_size(const char *text, size_t *out)
{
	long long n;

	if (!text_number(text, &n) || n < 0 || (unsigned long long)n > SIZE_MAX)
		return false;
	*out = (size_t)n;
	return true;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *a = state->input;

	switch (key) {
	case 'k': a->image_key = arg; return 0;
	case 'r': a->reader = arg; return 0;
	case 'q': a->quiet = true; return 0;
	case OPT_NO_SANDBOX: a->no_sandbox = true; return 0;
	case OPT_INSECURE: a->insecure = true; return 0;
	case OPT_MAKER: a->maker_key = arg; return 0;
	case OPT_SECRETS_FLAG: a->with_secrets = true; return 0;
	case OPT_PROFILE: a->as_profile = true; return 0;
	case OPT_JSON: a->json = true; return 0;
	case OPT_FOLDER: a->folder = arg; return 0;
	case OPT_COUNT: return parse_size(arg, &a->cards) ? 0 : EINVAL;
	case OPT_READERS: return parse_size(arg, &a->readers) ? 0 : EINVAL;
	case OPT_SOCKET: a->socket = arg; return 0;
	case OPT_SEED: a->seed = arg; return 0;
	case OPT_LIST: a->list = arg; return 0;
	case OPT_COUNTER: a->counter = arg; return 0;
	case OPT_END: a->end = true; return 0;
	case ARGP_KEY_ARG:
		if (a->count > READERS_MAX)
			argp_error(state, "too many arguments (at most %d cards in one world)", READERS_MAX);
		a->words[a->count++] = arg;
		/* Everything behind "--" is the command of `reader`. */
		return 0;
	default: return ARGP_ERR_UNKNOWN;
	}
}

#define KEY_OPTIONS                                                                                                            \
	{ "image-key", 'k', "SOURCE", 0, "Image key: a 0600 file outside the image's folder, fd:N, or credential:NAME", 0 },   \
	{                                                                                                                      \
		"insecure-test-key", OPT_INSECURE, NULL, 0, "Use the key that everybody knows (cards of PLMN 001-01 only)", 0  \
	}

static int birth_secrets(const struct arguments *a, const struct order *o, struct secret_large *secrets)
{
	struct bytes id;
	char reason[256] = "";
	enum status st;

	if (a->count < 3)
		return (st = birth_test_secrets(o, secrets, reason, sizeof reason)) == OK
		               ? 0
		               : cli_refuse("create", reason[0] != 0 ? reason : status_text(st), EXIT_REFUSED);
	if (a->maker_key == NULL)
		return cli_refuse("create", "an order with a secrets file needs --maker-key FILE", EXIT_USAGE);
	if (a->insecure)
		return cli_refuse("create", "--insecure-test-key is for test cards, without a secrets file", EXIT_USAGE);
	if (birth_secrets_open(a->words[1], a->maker_key, secrets, reason, sizeof reason) != OK)
		return cli_refuse("create", reason, EXIT_REFUSED);
	if (tlv_find(secret_large_bytes(secrets), BIRTH_CARD_ID, &id) != OK || !bytes_equal(id, BYTES_OF(o->card_id)))
		return cli_refuse("create", "the secrets file belongs to another order", EXIT_REFUSED);
	return 0;
}

static int create_image(const struct arguments *a, const struct order *o, const char *path, struct bytes secrets)
{
	SECRET key = { 0 };
	struct image_options io = { .path = path, .create = true, .insecure_test_key = a->insecure };
	struct card_env env = { .rng = &rng_system, .work = &work };
	char reason[512] = "";
	struct counter *counter = NULL;
	struct image *image;
	enum image_error e;
	enum status st;
	int rc = cli_load_key("create", a, path, &key);

	if (rc != 0 || (rc = cli_open_counter("create", a, &counter)) != 0)
		return rc;
	io.key = secret_bytes(&key);
	memcpy(io.card_id, o->card_id, sizeof io.card_id);
	if ((e = image_open(&image, &io)) != IMAGE_OK) {
		(void)fprintf(stderr, "prose-card create: %s: %s\n", path,
		        e == IMAGE_BUSY ? "exists already: a card is born once" : image_error_text(e));
		cli_close_counter(&counter);
		return (int)e;
	}
	env.backend = image_backend(image);
	memcpy(env.card_id, o->card_id, sizeof env.card_id);
	st = profile_install(&the_card, &env, &o->who, secrets, reason, sizeof reason);
	card_power_off(&the_card);
	if (st == OK && counter != NULL)
		e = epoch_begin(image_backend(image), counter);
	image_close(&image);
	cli_close_counter(&counter);
	if (st != OK || e != IMAGE_OK)
		(void)unlink(path);
	if (st != OK)
		return cli_refuse("create", reason[0] != 0 ? reason : status_text(st), EXIT_REFUSED);
	return e == IMAGE_OK ? 0 : cli_refuse("create", image_error_text(e), (int)e & 0xFF);
}

static int create(struct arguments *a, struct order *o, const char *path)
{
	SECRET_LARGE secrets = { 0 };
	int rc = birth_secrets(a, o, &secrets);

	return rc != 0 ? rc : create_image(a, o, path, secret_large_bytes(&secrets));
}

static int verb_create(struct arguments *a)
{
	struct order o;
	char reason[512];
	const char *path = a->count > 0 ? a->words[a->count - 1] : NULL;
	int rc;

	if (path == NULL || a->count > 3)
		return cli_refuse("create", "needs [PROFILE] IMAGE, or ORDER SECRETS IMAGE (see --help)", EXIT_USAGE);
	if (order_read(a->count > 1 ? a->words[0] : NULL, &o, reason, sizeof reason) != OK)
		rc = cli_refuse("create", reason, EXIT_REFUSED);
	else
		rc = create(a, &o, path);
	if (rc == 0 && a->count == 3 && file_shred(a->words[1]) != OK)
		rc = cli_refuse("create", "the card is born, but the secrets file could not be shredded: remove it yourself",
		        EXIT_FAILURE);
	if (rc == 0)
		(void)printf("%s: card %s\n", path, o.who.iccid);
	order_free(&o);
	return rc;
}

static int run_card(const struct arguments *a, struct card_env *env, const char *path, const struct vpcd_options *v)
{
	const enum sandbox_role role = a->counter != NULL ? SANDBOX_CARD_COUNTED : SANDBOX_CARD_RUN;
	enum status st;
	int rc = 0;

	if ((st = sakke_ring_new(KEY_PERIODS, true, &env->ring)) == OK && (st = card_power_on(&the_card, env)) == OK &&
	        (rc = cli_sandbox(a, role, "run", path, NULL)) == 0)
		st = vpcd_run(&the_card, v, &cli_stop);
	card_power_off(&the_card);
	sakke_ring_free(&env->ring);
	return st == OK ? rc : cli_refuse("run", status_text(st), EXIT_FAILURE);
}

static int run_image(struct arguments *a, const char *path, const struct vpcd_options *v)
{
	struct card_env env = { .rng = &rng_system, .work = &work };
	struct counter *counter = NULL;
	struct image_options o;
	struct image *image;
	struct epoch epoch;
	int rc = cli_open_image("run", a, path, &image, &o);

	if (rc != 0)
		return rc;
	if ((rc = cli_open_counter("run", a, &counter)) == 0 &&
	        (rc = cli_report_open("run", &o, epoch_open(&epoch, image_backend(image), counter))) == 0) {
		env.backend = &epoch.backend;
		memcpy(env.card_id, o.card_id, sizeof env.card_id);
		rc = run_card(a, &env, path, v);
	}
	image_close(&image);
	cli_close_counter(&counter);
	return rc;
}

/* Without an image: a test card of the standard profile, which is gone afterwards. */
static int run_test_card(struct arguments *a, const struct vpcd_options *v)
{
	char folder[] = "/tmp/prose-card.XXXXXX", path[64], reason[512] = "";
	struct order o;
	int rc;

	if (mkdtemp(folder) == NULL)
		return cli_refuse("run", "no temporary folder can be made in /tmp", EXIT_FAILURE);
	(void)snprintf(path, sizeof path, "%s/card.img", folder);
	a->leave = "/tmp";
	a->insecure = true;
	if (order_read(NULL, &o, reason, sizeof reason) != OK)
		rc = cli_refuse("run", reason, EXIT_FAILURE);
	else if ((rc = create(a, &o, path)) == 0)
		(void)fprintf(stderr, "prose-card: test card %s, IMSI %s, PIN 1234, published keys\n", o.who.iccid, o.who.imsi);
	order_free(&o);
	if (rc == 0)
		rc = run_image(a, path, v);
	(void)unlink(path);
	(void)rmdir(folder);
	return rc;
}

static int verb_run(struct arguments *a)
{
	struct vpcd_options v = { .quiet = a->quiet };

	if (a->count > 1 || vpcd_parse(a->reader != NULL ? a->reader : "127.0.0.1:35963", &v) != OK)
		return cli_refuse("run", "needs at most one IMAGE, and --reader as ADDRESS:PORT", EXIT_USAGE);
	if (a->count == 0 && (a->image_key != NULL || a->counter != NULL))
		return cli_refuse("run", "--image-key and --counter go with an IMAGE", EXIT_USAGE);
	cli_harden();
	return a->count == 0 ? run_test_card(a, &v) : run_image(a, a->words[0], &v);
}

static int verb_reader(struct arguments *a)
{
	struct reader_options o = { .program = "/proc/self/exe",
		.key = a->image_key,
		.counter = a->counter,
		.folder = a->folder,
		.command = a->command };
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

	if (n > 0) {
		self[n] = 0;
		o.program = self;
	}
	if (a->count == 0 || a->command == NULL || a->insecure == (a->image_key != NULL))
		return cli_refuse(
		        "reader", "needs IMAGE... -- COMMAND, and --image-key SOURCE or --insecure-test-key", EXIT_USAGE);
	if (a->counter != NULL && a->count > 1)
		return cli_refuse("reader", "--counter goes with one IMAGE: each image has a counter of its own", EXIT_USAGE);
	for (size_t i = 0; i < a->count && i < READERS_MAX; i++)
		o.images[o.count++] = a->words[i];
	return reader_run(&o);
}

struct found {
	size_t records;
	bool counted; /* the last card, by something outside */
	uint64_t epoch;
};

/* Every record of every card is opened and its root checked. */
static enum image_error check_cards(struct image_file *file, struct bytes key, struct found *f)
{
	enum image_error e = IMAGE_OK;

	for (size_t i = 0; i < image_file_count(file) && e == IMAGE_OK; i++) {
		struct image *image;

		if ((e = image_open_card(&image, file, key, image_file_card(file, i), false)) == IMAGE_OK)
			f->records += image_record_count(image);
		if (e == IMAGE_OK)
			f->counted = epoch_read(image_backend(image), &f->epoch);
		image_close(&image);
	}
	return e;
}

static void print_info(const struct arguments *a, struct image_file *file, const struct image_options *o, const struct found *f)
{
	char iccid[2 * CARD_ID_LEN + 1] = "";
	size_t cards = image_file_count(file);

	if (bcd_decode((struct bytes){ image_file_card(file, 0), CARD_ID_LEN }, iccid) != OK)
		iccid[0] = 0;
	if (a->json) {
		json_t *j = json_pack("{s:s,s:I,s:I,s:b,s:s,s:I}", "iccid", iccid, "cards", (json_int_t)cards, "records",
		        (json_int_t)f->records, "insecure_test_key", o->insecure_test_key ? 1 : 0, "seed", o->seed, "format",
		        (json_int_t)o->format);

		if (f->counted)
			(void)json_object_set_new(j, "epoch", json_integer((json_int_t)f->epoch));
		(void)json_dumpf(j, stdout, 0);
		(void)putchar('\n');
		json_decref(j);
		return;
	}
	if (cards == 1)
		(void)printf("card      %s\n", iccid);
	else
		(void)printf("cards     %zu, the first is %s\n", cards, iccid);
	(void)printf("records   %zu, all authentic\nformat    %u\nimage key %s\n", f->records, o->format,
	        o->insecure_test_key ? "INSECURE TEST KEY: everybody can read this image" : "secret");
	if (f->counted)
		(void)printf("epoch     %llu, which a counter outside counts\n", (unsigned long long)f->epoch);
	if (o->seed[0] != 0)
		(void)printf("keys      MADE FROM THE SEED \"%s\": whoever knows it has them\n", o->seed);
}

static int verb_info(struct arguments *a)
{
	SECRET key = { 0 };
	struct image_options o = { 0 };
	struct image_file *file;
	enum image_error e;
	struct found found = { 0 };
	int rc;

	if (a->count != 1)
		return cli_refuse("info", "needs IMAGE", EXIT_USAGE);
	if ((rc = cli_load_key("info", a, a->words[0], &key)) != 0)
		return rc;
	o = (struct image_options){ .path = a->words[0], .key = secret_bytes(&key) };
	if ((e = image_file_open_upgraded(&file, &o)) == IMAGE_OK && (e = check_cards(file, o.key, &found)) == IMAGE_OK)
		print_info(a, file, &o, &found);
	image_file_close(&file);
	return cli_report_open("info", &o, e);
}

static void dump_secrets(struct store *s, const struct record_name *name, json_t *list)
{
	SECRET_LARGE content = { 0 };
	char hex[2 * SECRET_LARGE_MAX + 1];
	struct bytes value;

	for (size_t i = 0; i < secret_row_count; i++) {
		struct bytes prefix = bytes_str(secret_rows[i].record);

		if (name->n < prefix.n || !bytes_equal((struct bytes){ name->text, prefix.n }, prefix) ||
		        store_get_large(s, name_bytes(name), &content) != OK ||
		        secret_row_value(&secret_rows[i], secret_large_bytes(&content), &value) != OK)
			continue;
		(void)json_array_append_new(
		        list, json_pack("{s:s,s:s%,s:s,s:b}", "key", secret_rows[i].key, "record", (const char *)name->text,
		                      name->n, "hex", hex_encode(value, hex), "leaves_card", secret_rows[i].leaves ? 1 : 0));
	}
	secret_clean(hex, sizeof hex);
}

static int dump_profile(struct image *image, const struct image_options *o)
{
	struct card_env env = { .backend = image_backend(image), .rng = &rng_system, .work = &work };
	json_t *profile;

	memcpy(env.card_id, o->card_id, sizeof env.card_id);
	if (card_power_on(&the_card, &env) != OK || (profile = profile_of_card(&the_card)) == NULL)
		return cli_refuse("dump", "this card has no USIM profile", EXIT_FAILURE);
	(void)json_dumpf(profile, stdout, JSON_INDENT(2));
	(void)putchar('\n');
	json_decref(profile);
	card_power_off(&the_card);
	return 0;
}

static int verb_dump(struct arguments *a)
{
	static struct store s;
	struct record_name name = { 0 };
	struct image_options o;
	struct image *image;
	json_t *records = json_array(), *secrets = json_array(), *root;
	int rc;

	if (a->count != 1)
		return cli_refuse("dump", "needs IMAGE", EXIT_USAGE);
	if ((rc = cli_open_image("dump", a, a->words[0], &image, &o)) != 0)
		return rc;
	if (a->as_profile) {
		json_decref(records);
		json_decref(secrets);
		rc = dump_profile(image, &o);
		image_close(&image);
		return rc;
	}
	store_init(&s, image_backend(image), &work.store);
	while (store_next(&s, (struct bytes){ 0 }, name_bytes(&name), &name) == OK) {
		(void)json_array_append_new(records, json_stringn((const char *)name.text, name.n));
		if (a->with_secrets)
			dump_secrets(&s, &name, secrets);
	}
	root = json_pack("{s:o}", "records", records);
	if (a->with_secrets) {
		char hex[2 * SECRET_MAX + 1];

		(void)json_array_append_new(secrets, json_pack("{s:s,s:s,s:b}", "key", "record key", "hex",
		                                             hex_encode(image_record_key(image), hex), "leaves_card", 0));
		secret_clean(hex, sizeof hex);
	}
	if (a->with_secrets)
		(void)json_object_set(root, "secrets", secrets);
	(void)json_dumpf(root, stdout, JSON_INDENT(2));
	(void)putchar('\n');
	json_decref(root);
	json_decref(secrets);
	image_close(&image);
	return 0;
}

static int verb_maker(struct arguments *a)
{
	char reason[256];

	if (a->count != 2)
		return cli_refuse("maker", "needs KEY.pem CERTIFICATE.pem, both new", EXIT_USAGE);
	return birth_make_maker(a->words[0], a->words[1], reason, sizeof reason) == OK
	               ? 0
	               : cli_refuse("maker", reason, EXIT_REFUSED);
}

static int verb_key(struct arguments *a)
{
	if (a->count != 1)
		return cli_refuse("key", "needs FILE", EXIT_USAGE);
	return key_file_create(a->words[0]) == OK
	               ? 0
	               : cli_refuse("key", "the file exists already, or cannot be written", EXIT_REFUSED);
}

#define SANDBOX                                                                                                                \
	{                                                                                                                      \
		"no-sandbox", OPT_NO_SANDBOX, NULL, 0, "Without seccomp and landlock, for a debugger", 0                       \
	}
#define COUNTER_OPTION                                                                                                         \
	{                                                                                                                      \
		"counter", OPT_COUNTER, "SOURCE", 0,                                                                           \
		        "What counts the image's epochs: tpm:INDEX[,TCTI], or file:PATH for tests", 0                          \
	}
static const struct argp_option run_options[] = { KEY_OPTIONS, COUNTER_OPTION,
	{ "reader", 'r', "ADDRESS:PORT", 0, "vpcd reader slot to join (default 127.0.0.1:35963)", 0 },
	{ "quiet", 'q', NULL, 0, "No line when the card enters a reader", 0 }, SANDBOX, { 0 } };
static const struct argp_option counter_options[] = { KEY_OPTIONS, COUNTER_OPTION,
	{ "end", OPT_END, NULL, 0, "From now on nothing counts them; older copies are taken again", 0 }, { 0 } };
static const struct argp_option create_options[] = { KEY_OPTIONS, COUNTER_OPTION,
	{ "maker-key", OPT_MAKER, "FILE", 0, "Card maker's private key (PEM), from `prose-card maker`", 0 }, { 0 } };
static const struct argp_option farm_options[] = { KEY_OPTIONS,
	{ "count", OPT_COUNT, "N", 0, "Make a farm of N cards first", 0 },
	{ "seed", OPT_SEED, "TEXT", 0, "With --count: keys made from TEXT, the same each time (PLMN 001-01 only)", 0 },
	{ "list", OPT_LIST, "FILE", 0, "With --count: write identities and keys as CSV, for the operator", 0 },
	{ "socket", OPT_SOCKET, "PATH", 0, "UNIX socket at which every card can be had (default farm.sock)", 0 },
	{ "readers", OPT_READERS, "N", 0, "The first N cards also go into vpcd readers (default 0)", 0 },
	{ "reader", 'r', "ADDRESS:PORT", 0, "The first of these readers (default 127.0.0.1:35963)", 0 },
	{ "quiet", 'q', NULL, 0, "No progress", 0 }, SANDBOX, { 0 } };
static const struct argp_option reader_options[] = { KEY_OPTIONS, COUNTER_OPTION,
	{ "folder", OPT_FOLDER, "DIR", 0, "Keep logs and reader configuration here (default: a temporary folder)", 0 }, { 0 } };
static const struct argp_option info_options[] = { KEY_OPTIONS, { "json", OPT_JSON, NULL, 0, "Machine-readable", 0 }, { 0 } };
static const struct argp_option dump_options[] = { KEY_OPTIONS,
	{ "profile", OPT_PROFILE, NULL, 0, "A profile that `create` would make the same files from, without secrets", 0 },
	{ "secrets", OPT_SECRETS_FLAG, NULL, 0, "Print the keys too (the table of DESIGN 3.3)", 0 }, { 0 } };
static const struct argp_option no_options[] = { { 0 } };

static const struct verb {
	const char *name;
	int (*run)(struct arguments *);
	const struct argp_option *options;
	const char *words, *help, *example;
} verbs[] = {
	{ "create", verb_create, create_options, "[PROFILE] IMAGE\nORDER SECRETS IMAGE",
	        "Birth: a test card (PLMN 001-01), or a card from an order; its secrets file is shredded",
	        "prose-card create --maker-key maker.pem --image-key keys/image.key order.json order.secrets card.img" },
	{ "run", verb_run, run_options, "[IMAGE]", "Put a card (or a passing test card) into a vpcd reader until SIGTERM",
	        "prose-card run --image-key keys/image.key card.img" },
	{ "reader", verb_reader, reader_options, "IMAGE... -- COMMAND...",
	        "Run COMMAND in a private world with pcscd, a reader and a card for each image",
	        "prose-card reader --image-key keys/image.key a.img b.img -- opensc-tool -l" },
	{ "farm", verb_farm, farm_options, "[PROFILE] [IMAGE]",
	        "Run many cards of one image; with --count, make them first (without IMAGE: passing test cards)",
	        "prose-card farm --image-key keys/image.key --count 1000 --list farm.csv profile.json farm.img" },
	{ "info", verb_info, info_options, "IMAGE", "Check an image and say whose it is",
	        "prose-card info --image-key keys/image.key card.img" },
	{ "counter", verb_counter, counter_options, "IMAGE",
	        "From now on let a TPM count an image's epochs, so that no older copy is taken",
	        "prose-card counter --image-key keys/image.key --counter tpm:01500020 card.img" },
	{ "dump", verb_dump, dump_options, "IMAGE", "List an image's records as JSON",
	        "prose-card dump --image-key keys/image.key card.img" },
	{ "maker", verb_maker, no_options, "KEY CERTIFICATE", "Make the card maker's key pair",
	        "prose-card maker maker.pem maker.crt" },
	{ "key", verb_key, no_options, "FILE", "Make an image key, mode 0600", "prose-card key keys/image.key" },
};

static void usage(FILE *out)
{
	(void)fprintf(out, "Usage: prose-card VERB [OPTION...] ARGUMENT...\nA software UICC.\n\n");
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
		(void)fprintf(out, "  %-8s %s\n", verbs[i].name, verbs[i].help);
	(void)fprintf(out, "\nExamples:\n");
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
		(void)fprintf(out, "  %s\n", verbs[i].example);
	(void)fprintf(out, "\n`prose-card VERB --help` explains a verb. Exit status: 0 done, 2 usage, 3 no image, 4 not an\n"
	                   "image, 5 wrong image key, 6 image tampered with, 7 image in use, 8 I/O, 9 refused,\n"
	                   "10 an image of many cards, 11 an image of a newer prose-card, 12 an older copy put back,\n"
	                   "13 the counter of its epochs.\n");
}

static int run_verb(const struct verb *v, int argc, char **argv)
{
	char doc[512], called[40];
	struct arguments a = { 0 };
	error_t error;
	struct argp argp = { v->options, parse, v->words, doc, NULL, NULL, NULL };

	(void)snprintf(doc, sizeof doc, "%s.\vExample:\n  %s", v->help, v->example);
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--") == 0 && v->run == verb_reader) {
			a.command = argv + i + 1;
			argv[i] = NULL;
			argc = i;
		}
	}
	(void)snprintf(called, sizeof called, "prose-card %s", v->name);
	argv[0] = called; /* what argp says in usage and errors */
	if ((error = argp_parse(&argp, argc, argv, 0, NULL, &a)) != 0) {
		if (error == ENOMEM) /* argp tells of usage only */
			(void)fprintf(stderr, "%s: %s\n", called, status_text(ERR_NO_MEMORY));
		return EXIT_USAGE;
	}
	return v->run(&a);
}

int main(int argc, char **argv)
{
	argp_err_exit_status = EXIT_USAGE;
	if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
		usage(argc < 2 ? stderr : stdout);
		return argc < 2 ? EXIT_USAGE : 0;
	}
	if (strcmp(argv[1], "--version") == 0) {
		(void)puts(argp_program_version);
		return 0;
	}
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
		if (strcmp(argv[1], verbs[i].name) == 0)
			return run_verb(&verbs[i], argc - 1, argv + 1);
	(void)fprintf(stderr, "prose-card: no verb \"%s\"; try prose-card --help\n", argv[1]);
	return EXIT_USAGE;
}
