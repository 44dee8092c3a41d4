/* SPDX-License-Identifier: Apache-2.0 */
/* prose-ue file, pin, auth, gba, cat. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "apdu/files.h"
#include "apdu/cat.h"
#include "apdu/base/hex.h"
#include "apdu/base/limits.h"
#include "apdu/base/secret.h"
#include "host/cli/cli.h"

enum { PATH_FIDS = 8, CONTENT_MAX = FILE_CONTENT_MAX };

/* "7FFF/5F90/4F05" or a name such as EF_IMSI. */
static bool parse_path(const char *text, uint16_t *path, size_t *n)
{
	for (size_t i = 0; i < ef_name_count; i++)
		if (strcasecmp(text, ef_names[i].name) == 0) {
			text = ef_names[i].path;
			break;
		}
	for (*n = 0; *text != 0 && *n < PATH_FIDS; (*n)++) {
		uint8_t raw[2];
		struct buf b = BUF_OF(raw);

		if (strlen(text) < 4 || hex_decode((struct bytes){ (const uint8_t *)text, 4 }, &b) != OK)
			return false;
		path[*n] = (uint16_t)(raw[0] << 8 | raw[1]);
		text += 4;
		if (*text == '/')
			text++;
	}
	return *n > 0 && *text == 0;
}

static int file_cat(struct arguments *a, const char *name)
{
	uint16_t path[PATH_FIDS];
	uint8_t content[CONTENT_MAX];
	char hex[2 * sizeof content + 1];
	size_t path_len, n = sizeof content;
	struct prose_file_info info;
	enum prose_result r;

	if (!parse_path(name, path, &path_len))
		return usage_error("file cat", "needs a path such as 7FFF/5F90/4F05 or 2FE2, or a name such as EF_IMSI");
	if ((r = prose_file_info(a->card, path, path_len, &info)) != PROSE_OK ||
	        (r = prose_file_read(a->card, path, path_len, content, &n)) != PROSE_OK)
		return ue_complain(a, "file cat", name, r);
	if (!info.records) {
		(void)puts(hex_encode((struct bytes){ content, n }, hex));
		return 0;
	}
	for (size_t at = 0; at < n; at += info.record_len)
		(void)puts(hex_encode((struct bytes){ content + at, info.record_len }, hex));
	return 0;
}

static int file_put(struct arguments *a)
{
	uint16_t path[PATH_FIDS];
	uint8_t content[255];
	struct buf b = BUF_OF(content);
	size_t path_len;
	enum prose_result r;

	if (a->word_count != 3 || !parse_path(a->words[1], path, &path_len) || hex_decode(bytes_str(a->words[2]), &b) != OK)
		return usage_error("file put", "needs a path or name, and the content in hex");
	r = prose_file_update(a->card, path, path_len, (unsigned)a->count, content, b.len);
	return r == PROSE_OK ? 0 : ue_complain(a, "file put", a->words[1], r);
}

static void print_info(const struct ef_name *e, const struct prose_file_info *f, bool tree)
{
	const char *last = strrchr(e->path, '/');
	int depth = 0;
	char shape[40] = "";

	for (const char *p = e->path; *p != 0; p++)
		depth += *p == '/';
	if (f->records)
		(void)snprintf(
		        shape, sizeof shape, "%s %u x %u", f->cyclic ? "cyclic" : "linear", f->record_count, f->record_len);
	else if (!f->directory)
		(void)snprintf(shape, sizeof shape, "%s %u", f->ber_tlv ? "BER-TLV" : "transparent", f->size);
	(void)printf("%*s%-*s %-26s %-18s", tree ? 2 * depth : 0, "", tree ? 16 - 2 * depth : 16,
	        tree && last != NULL ? last + 1 : e->path, e->name, shape);
	if (f->sfi != 0)
		(void)printf(" SFI %02X", f->sfi);
	if (f->life != 5 && f->life != 7)
		(void)printf(" %s", f->life >= 12 ? "TERMINATED" : "DEACTIVATED");
	(void)putchar('\n');
}

/* A UICC has no command that lists files: ask for every one that the standards name. */
static int file_list(struct arguments *a, bool tree)
{
	const char *below = a->word_count > 1 ? a->words[1] : "";
	size_t found = 0, n = strlen(below);

	for (size_t i = 0; i < ef_name_count; i++) {
		struct prose_file_info info;
		uint16_t path[PATH_FIDS];
		size_t len;
		enum prose_result r;

		if (strncmp(ef_names[i].path, below, n) != 0 || !parse_path(ef_names[i].path, path, &len))
			continue;
		r = prose_file_info(a->card, path, len, &info);
		if (r == PROSE_OK) {
			print_info(&ef_names[i], &info, tree);
			found++;
		} else if (r != PROSE_REFUSED) {
			return ue_complain(a, "file", ef_names[i].path, r);
		}
	}
	return found > 0 ? 0 : ue_complain(a, "file", below, PROSE_NOT_FOUND);
}

int verb_file(struct arguments *a)
{
	const char *what = a->word_count > 0 ? a->words[0] : "";

	if (strcmp(what, "cat") == 0 && a->word_count == 2)
		return file_cat(a, a->words[1]);
	if (strcmp(what, "put") == 0)
		return file_put(a);
	if ((strcmp(what, "ls") == 0 || strcmp(what, "tree") == 0) && a->word_count <= 2)
		return file_list(a, what[0] == 't');
	return usage_error("file", "say `file ls [PATH]`, `file tree`, `file cat PATH` or `file put PATH HEX`");
}

/* A PIN as a word, or from a file as @FILE, so that it need not stand in the process list. */
static const char *pin_word(const char *word, struct secret *line)
{
	if (word == NULL || word[0] != '@')
		return word;
	return read_line(word + 1, line) ? (const char *)line->data : NULL;
}

int verb_pin(struct arguments *a)
{
	static const char *const actions[] = { "status", "verify", "change", "disable", "enable", "unblock" };
	static const struct {
		const char *name;
		unsigned reference;
	} pins[] = { { "pin1", PROSE_PIN1 }, { "pin2", PROSE_PIN2 }, { "universal", PROSE_UNIVERSAL_PIN } };
	SECRET first = { 0 };
	SECRET second = { 0 };
	unsigned tries, reference = 0;
	size_t action = 0;
	enum prose_result r;

	while (action < 6 && (a->word_count == 0 || strcmp(a->words[0], actions[action]) != 0))
		action++;
	for (size_t i = 0; i < 3 && a->word_count > 1; i++)
		if (strcmp(a->words[1], pins[i].name) == 0)
			reference = pins[i].reference;
	if (action == 6 || reference == 0)
		return usage_error("pin",
		        "say `pin status|verify|change|disable|enable|unblock pin1|pin2|universal [VALUE [NEW]]`; @FILE reads a value");
	r = prose_pin(a->card, (enum prose_pin_action)action, reference,
	        pin_word(a->word_count > 2 ? a->words[2] : NULL, &first),
	        pin_word(a->word_count > 3 ? a->words[3] : NULL, &second), &tries);
	if (r == PROSE_OK && action == PROSE_PIN_STATUS)
		(void)printf("%s: %u tries left\n", a->words[1], tries);
	return r == PROSE_OK ? 0 : ue_complain(a, "pin", a->words[1], r);
}

static bool take_hex(const char *word, uint8_t *out, size_t n)
{
	struct buf b = { out, 0, n, false };

	return word != NULL && hex_decode(bytes_str(word), &b) == OK && b.len == n;
}

static void print_field(const char *name, const uint8_t *p, size_t n)
{
	char hex[2 * 32 + 1];

	(void)printf("%-5s %s\n", name, hex_encode((struct bytes){ p, n }, hex));
	secret_clean(hex, sizeof hex);
}

static int print_aka(struct arguments *a, const char *verb, struct prose_aka *k, enum prose_result r)
{
	if (r != PROSE_OK)
		return ue_complain(a, verb, NULL, r);
	if (k->synchronisation_failure) {
		print_field("AUTS", k->auts, sizeof k->auts);
		return EXIT_REFUSED;
	}
	print_field("RES", k->res, k->res_len);
	if (k->ck_len > 0) {
		print_field("CK", k->ck, k->ck_len);
		print_field("IK", k->ik, k->ik_len);
	}
	if (k->has_kc)
		print_field("Kc", k->kc, sizeof k->kc);
	secret_clean(k, sizeof *k);
	return 0;
}

int verb_auth(struct arguments *a)
{
	uint8_t rand[16], autn[16];
	struct prose_aka k;

	if (a->word_count != 2 || !take_hex(a->words[0], rand, 16) || !take_hex(a->words[1], autn, 16))
		return usage_error("auth", "needs RAND and AUTN, 16 octets each in hex");
	return print_aka(a, "auth", &k, prose_authenticate(a->card, rand, autn, &k));
}

/* NAF_ID: FQDN and the five octets of the Ua security protocol. */
static int naf_key(struct arguments *a)
{
	uint8_t raw[255], protocol[5], key[32];
	struct buf id = BUF_OF(raw);
	enum prose_result r;

	if (a->word_count != 4 || !take_hex(a->words[2], protocol, sizeof protocol))
		return usage_error("gba naf", "needs FQDN, PROTOCOL (five octets in hex, such as 0100000002) and IMPI");
	buf_put(&id, bytes_str(a->words[1]));
	buf_put(&id, BYTES_OF(protocol));
	if (id.failed)
		return usage_error("gba naf", "the FQDN is too long");
	if ((r = prose_gba_naf_key(a->card, raw, id.len, a->words[3], key)) != PROSE_OK)
		return ue_complain(a, "gba naf", a->words[1], r);
	print_field("Ks_ext_NAF", key, sizeof key);
	secret_clean(key, sizeof key);
	return 0;
}

int verb_suci(struct arguments *a)
{
	uint8_t suci[256];
	size_t n = sizeof suci;
	enum prose_result r = prose_suci(a->card, suci, &n);

	if (r != PROSE_OK)
		return ue_complain(a, "suci", NULL, r);
	print_field("SUCI", suci, n);
	return 0;
}

int verb_gba(struct arguments *a)
{
	uint8_t rand[16], autn[16];
	struct prose_aka k;

	if (a->word_count > 0 && strcmp(a->words[0], "naf") == 0)
		return naf_key(a);
	if (a->word_count == 2 && strcmp(a->words[0], "push") == 0)
		return gba_push(a);
	if (a->word_count != 3 || strcmp(a->words[0], "bootstrap") != 0 || !take_hex(a->words[1], rand, 16) ||
	        !take_hex(a->words[2], autn, 16))
		return usage_error("gba",
		        "say `gba bootstrap RAND AUTN` (AUTN* of GBA_U), `gba naf FQDN PROTOCOL IMPI` or `gba push FILE`");
	return print_aka(a, "gba bootstrap", &k, prose_gba_bootstrap(a->card, rand, autn, &k));
}

static const struct proactive_name {
	uint8_t type;
	const char *name;
} proactive_names[] = {
	{ CAT_REFRESH, "REFRESH" },
	{ CAT_MORE_TIME, "MORE TIME" },
	{ CAT_POLL_INTERVAL, "POLL INTERVAL" },
	{ CAT_SET_UP_EVENT_LIST, "SET UP EVENT LIST" },
	{ CAT_SEND_SHORT_MESSAGE, "SEND SHORT MESSAGE" },
	{ CAT_PROVIDE_LOCAL_INFORMATION, "PROVIDE LOCAL INFORMATION" },
	{ CAT_TIMER_MANAGEMENT, "TIMER MANAGEMENT" },
	{ CAT_OPEN_CHANNEL, "OPEN CHANNEL" },
	{ CAT_CLOSE_CHANNEL, "CLOSE CHANNEL" },
	{ CAT_RECEIVE_DATA, "RECEIVE DATA" },
	{ CAT_SEND_DATA, "SEND DATA" },
};

/* Date, time and time zone (TS 102 223 8.39), in UTC. */
static void give_time(struct prose_proactive *p)
{
	time_t now = time(NULL);
	struct tm t;

	(void)gmtime_r(&now, &t);
	p->response[0] = CAT_TAG_DATE_TIME;
	p->response[1] = 7;
	p->response[2] = bcd_swapped((unsigned)(t.tm_year));
	p->response[3] = bcd_swapped((unsigned)(t.tm_mon + 1));
	p->response[4] = bcd_swapped((unsigned)(t.tm_mday));
	p->response[5] = bcd_swapped((unsigned)(t.tm_hour));
	p->response[6] = bcd_swapped((unsigned)(t.tm_min));
	p->response[7] = bcd_swapped((unsigned)(t.tm_sec));
	p->response[8] = 0;
	p->response_length = 9;
}

struct session {
	unsigned count;
	struct prose_terminal *terminal;
};

/* This terminal reads files afresh each time, polls when it is asked to, knows the time, and has channels and timers. */
static uint8_t on_proactive(void *context, struct prose_proactive *p)
{
	char hex[2 * sizeof p->command + 1];
	const char *name = "proactive command";
	struct session *s = context;
	bool able = p->type == CAT_REFRESH || p->type == CAT_POLL_INTERVAL;
	uint8_t result = RESULT_BEYOND_CAPABILITIES;

	s->count++;
	for (size_t i = 0; i < sizeof proactive_names / sizeof *proactive_names; i++)
		if (proactive_names[i].type == p->type)
			name = proactive_names[i].name;
	if (p->type == CAT_PROVIDE_LOCAL_INFORMATION && p->qualifier == INFORMATION_DATE_TIME) {
		give_time(p);
		able = true;
	}
	if (able)
		result = RESULT_OK;
	else
		able = prose_terminal_command(s->terminal, p, &result);
	(void)printf("%s %02X/%02X: %s%s\n", name, p->type, p->qualifier,
	        hex_encode((struct bytes){ p->command, p->length }, hex), able ? "" : " (beyond this terminal)");
	return result;
}

int verb_cat(struct arguments *a)
{
	struct session s = { .terminal = prose_terminal_new() };
	enum prose_result r = PROSE_NO_SPACE;

	if (s.terminal != NULL)
		r = prose_cat(a->card, terminal_profile, sizeof terminal_profile, on_proactive, &s);
	if (r == PROSE_OK)
		r = prose_terminal_run(a->card, s.terminal, on_proactive, &s, (unsigned)a->seconds);
	prose_terminal_free(&s.terminal);
	if (r != PROSE_OK)
		return ue_complain(a, "cat", NULL, r);
	if (s.count == 0)
		(void)puts("no proactive command waits");
	return 0;
}
