/* SPDX-License-Identifier: Apache-2.0 */
#include "card/io/birth/profile.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "apdu/aids.h"
#include "apdu/birth.h"
#include "apdu/base/hex.h"
#include "apdu/files.h"
#include "apdu/tlv.h"
#include "card/applets/applets.h"
#include "ota/packet.h"
#include "card/io/birth/names.h"
#include "card/io/birth/profile_toolkit.h"
#include "card/os/files/access.h"
#include "card/os/pin.h"

enum { UST_MAX = 32, PATH_DEPTH = 5, SPN_MAX = 16, TOOLKIT_MAX = 4096 };

/* The text of card/profiles/standard.json, by the assembler: no generated source, no file to lose. */
__asm__(".section .rodata\n"
        ".global profile_text\n"
        "profile_text: .incbin \"card/profiles/standard.json\"\n"
        "profile_text_end: .byte 0\n"
        ".balign 8\n"
        ".global profile_text_len\n"
        "profile_text_len: .quad profile_text_end - profile_text\n"
        ".previous\n");
extern const uint8_t profile_text[];
extern const uint64_t profile_text_len;

struct bytes profile_standard(void)
{
	return (struct bytes){ profile_text, (size_t)profile_text_len };
}

struct job {
	struct card *card;
	const struct card_identity *who;
	const json_t *root;
	char *reason;
	size_t reason_n;
	char where[96]; /* "files[12] (7FF0/6F07)" */
	size_t index;   /* 12 */
};

/* The line on which the n-th entry of "files" begins: jansson forgets lines once it has parsed. The text is known to be JSON.
 */
static unsigned line_of_file(struct bytes text, size_t n)
{
	unsigned line = 1, depth = 0;
	bool inside = false;
	size_t seen = 0;

	for (size_t i = 0; i < text.n; i++) {
		uint8_t c = text.p[i];

		if (c == '\n')
			line++;
		if (c == '"') {
			if (depth == 1 && text.n - i > 7 && memcmp(text.p + i, "\"files\"", 7) == 0)
				inside = true;
			for (i++; i < text.n && text.p[i] != '"'; i++)
				if (text.p[i] == '\\')
					i++;
		}
		if (c == '{' && depth == 2 && inside && seen++ == n)
			return line;
		if (c == '{' || c == '[')
			depth++;
		if ((c == '}' || c == ']') && depth > 0 && --depth == 1)
			inside = false;
	}
	return line;
}

static enum status fail(struct job *j, const char *format, ...)
{
	va_list args;
	char text[192];

	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (j->reason != NULL && j->who->path != NULL && j->root == j->who->profile)
		(void)snprintf(j->reason, j->reason_n, "%s:%u: %s: %s", j->who->path, line_of_file(j->who->text, j->index),
		        j->where, text);
	else if (j->reason != NULL)
		(void)snprintf(j->reason, j->reason_n, "%s: %s", j->where, text);
	return ERR_MALFORMED;
}

static enum status number(struct job *j, const json_t *file, const char *key, long long min, long long max, long long *out)
{
	const json_t *v = json_object_get(file, key);

	if (!json_is_integer(v) || json_integer_value(v) < min || json_integer_value(v) > max)
		return fail(j, "\"%s\" must be a number from %lld to %lld", key, min, max);
	*out = json_integer_value(v);
	return OK;
}

static enum status hex_value(struct job *j, const json_t *v, const char *key, struct buf *out)
{
	const char *s = json_string_value(v);

	if (s == NULL || hex_decode(bytes_str(s), out) != OK)
		return fail(j, "\"%s\" must be hex%s", key, out->failed ? " that fits the file" : "");
	return OK;
}

/* Named fields: content made from a value at the top of the profile (or of the order). */
static enum status field_iccid(struct job *j, struct buf *out)
{
	buf_put(out, BYTES_OF(j->card->env.card_id));
	return OK;
}

static enum status field_imsi(struct job *j, struct buf *out)
{
	uint8_t content[EF_IMSI_LEN];

	if (imsi_encode(j->who->imsi, content) != OK)
		return fail(j, "\"imsi\" must be 6 to 15 digits");
	buf_put(out, BYTES_OF(content));
	return OK;
}

static enum status field_services(struct job *j, struct buf *out)
{
	const json_t *list = json_object_get(j->root, "services"), *v;
	uint8_t ust[UST_MAX] = { 0 };
	size_t i, room = out->cap < UST_MAX ? out->cap : UST_MAX;

	json_array_foreach (list, i, v) {
		long long n = json_integer_value(v);

		if (!json_is_integer(v) || n < 1 || (size_t)n > room * 8)
			return fail(j, "\"services\"[%zu] must be a number from 1 to %zu", i, room * 8);
		ust[(n - 1) / 8] |= (uint8_t)(1U << (n - 1) % 8);
	}
	buf_put(out, (struct bytes){ ust, room });
	return OK;
}

/* Display bits 00: the name is shown; then up to 16 octets (the GSM default alphabet agrees with ASCII for letters and digits).
 */
static enum status field_spn(struct job *j, struct buf *out)
{
	const char *spn = json_string_value(json_object_get(j->root, "spn"));

	if (spn == NULL || strlen(spn) > SPN_MAX)
		return fail(j, "\"spn\" must be a string of up to %d characters", SPN_MAX);
	buf_put_u8(out, 0);
	buf_put(out, bytes_str(spn));
	return OK;
}

static enum status field_acc(struct job *j, struct buf *out)
{
	return hex_value(j, json_object_get(j->root, "acc"), "acc", out);
}

/* Where keys come from (the FQDN of a KMS, of 1 to 120 characters); a card need not know that. */
static enum status field_kms(struct job *j, struct buf *out)
{
	const json_t *v = json_object_get(j->root, "kms");
	const char *kms = json_string_value(v);

	if (v == NULL)
		return OK;
	if (kms == NULL || kms[0] == 0 || strlen(kms) > EF_PROSE_KMS_NAME_MAX)
		return fail(j, "\"kms\" must be a name of up to %d characters", EF_PROSE_KMS_NAME_MAX);
	tlv_put(out, EF_PROSE_KMS_TAG, bytes_str(kms));
	return OK;
}

static const struct field {
	const char *name;
	enum status (*put)(struct job *, struct buf *);
} fields[] = { { "iccid", field_iccid }, { "imsi", field_imsi }, { "services", field_services }, { "spn", field_spn },
	{ "acc", field_acc }, { "kms", field_kms } };

static enum status put_field(struct job *j, const char *name, struct buf *out)
{
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
		if (strcmp(fields[i].name, name) == 0)
			return fields[i].put(j, out);
	return fail(j, "\"field\" must be iccid, imsi, services, spn, acc or kms");
}

/* The parent and file id of a path such as 7FF0/5F90/4F01; the parent must have come before. */
static enum status place(struct job *j, const json_t *file, struct file *f)
{
	const char *path = json_string_value(json_object_get(file, "path"));
	struct file_system *fs = &j->card->fs;

	f->parent = FILE_MF;
	for (size_t depth = 0; path != NULL && depth < PATH_DEPTH; depth++) {
		uint8_t raw[2];
		struct buf b = BUF_OF(raw);

		if (strlen(path) < 4 || hex_decode((struct bytes){ (const uint8_t *)path, 4 }, &b) != OK)
			break;
		f->fid = (uint16_t)(raw[0] << 8 | raw[1]);
		if (path[4] == 0) {
			if (file_child(fs, f->parent, f->fid) != FILE_NONE || f->fid == FID_MF)
				return fail(j, "\"path\" is there already");
			return OK;
		}
		if (path[4] != '/')
			break;
		f->parent = file_child(fs, f->parent, f->fid);
		if (f->parent == FILE_NONE || !file_is_df(&fs->file[f->parent]))
			return fail(j, "\"path\" goes through a directory that is not in the list before it");
		path += 5;
	}
	return fail(j, "\"path\" must be file ids of four hex digits, joined by /");
}

static enum status add_arr(struct job *j, uint8_t df, uint16_t fid, uint8_t sfi)
{
	uint8_t rules[ARR_RECORDS * ARR_RECORD_LEN], index;
	const struct file f = { .fid = fid,
		.parent = df,
		.type = FILE_LINEAR,
		.sfi = sfi,
		.life = LIFE_ACTIVATED,
		.shareable = true,
		.arr_record = ARR_READ_ALWAYS,
		.record_len = ARR_RECORD_LEN,
		.record_count = ARR_RECORDS };

	memset(rules, 0xFF, sizeof rules);
	for (size_t i = 0; i < ARR_RECORDS; i++)
		memcpy(rules + i * ARR_RECORD_LEN, arr_rules[i].p, arr_rules[i].n);
	return file_add(&j->card->fs, &f, BYTES_OF(rules), &index);
}

/* Content: one hex string, a list of records, or a named field; the rest of the file is FF. */
static enum status content_of(struct job *j, const json_t *file, const struct file *f, uint8_t *content)
{
	const json_t *given = json_object_get(file, "content"), *field = json_object_get(file, "field"), *v;
	struct buf b = { content, 0, f->size, false };
	size_t i;

	memset(content, 0xFF, f->size);
	if (field != NULL)
		return json_is_string(field) ? put_field(j, json_string_value(field), &b) : fail(j, "\"field\" must be a name");
	if (given == NULL)
		return OK;
	if (f->record_len == 0)
		return hex_value(j, given, "content", &b);
	if (!json_is_array(given) || json_array_size(given) > f->record_count)
		return fail(j, "\"content\" must be a list of at most %u records", (unsigned)f->record_count);
	json_array_foreach (given, i, v) {
		b = (struct buf){ content + i * f->record_len, 0, f->record_len, false };
		TRY(hex_value(j, v, "content", &b));
	}
	return OK;
}

static enum status add_directory(struct job *j, const json_t *file, struct file *f)
{
	struct buf aid = { f->aid, 0, sizeof f->aid, false };
	uint8_t index;

	if (f->type == FILE_ADF) {
		TRY(hex_value(j, json_object_get(file, "aid"), "aid", &aid));
		if (aid.len < 5)
			return fail(j, "\"aid\" must be 5 to 16 octets");
		f->aid_len = (uint8_t)aid.len;
	}
	TRY(file_add(&j->card->fs, f, (struct bytes){ 0 }, &index));
	return f->type == FILE_ADF ? add_arr(j, index, FID_ARR, 0x17) : OK;
}

static enum status access_of(struct job *j, const json_t *file, struct file *f, struct buf *rule)
{
	const json_t *access = json_object_get(file, "access");
	const struct name_value *named;

	if (json_is_object(access)) {
		f->arr_record = ARR_OWN;
		return hex_value(j, json_object_get(access, "expanded"), "expanded", rule);
	}
	if ((named = names_find(profile_access, json_string_value(access))) == NULL)
		return fail(j,
		        "\"access\" must be always, pin, pin-update, adm, always-only, pin2, counter, open or {\"expanded\": HEX}");
	f->arr_record = (uint8_t)named->value;
	return OK;
}

static enum status shape_of(struct job *j, const json_t *file, struct file *f)
{
	long long size, record, records;

	if (f->type == FILE_LINEAR || f->type == FILE_CYCLIC) {
		TRY(number(j, file, "record", 1, 255, &record));
		TRY(number(j, file, "records", 1, 254, &records));
		f->record_len = (uint8_t)record;
		f->record_count = (uint8_t)records;
		size = record * records;
	} else {
		TRY(number(j, file, "size", 1, RECORD_MAX, &size));
	}
	if (size > RECORD_MAX)
		return fail(j, "a file holds at most %d octets", RECORD_MAX);
	f->size = (uint16_t)size;
	return OK;
}

static enum status add_file(struct job *j, const json_t *file)
{
	struct file f = { .life = LIFE_ACTIVATED, .shareable = !json_is_false(json_object_get(file, "shareable")) };
	uint8_t content[RECORD_MAX], rule_raw[96], index;
	struct buf rule = BUF_OF(rule_raw);
	const struct name_value *type;
	long long sfi = 0;

	TRY(place(j, file, &f));
	if ((type = names_find(profile_types, json_string_value(json_object_get(file, "type")))) == NULL)
		return fail(j, "\"type\" must be df, adf, transparent, linear, cyclic or ber-tlv");
	f.type = (uint8_t)type->value;
	TRY(access_of(j, file, &f, &rule));
	if (file_is_df(&f))
		return add_directory(j, file, &f);
	if (json_object_get(file, "sfi") != NULL)
		TRY(number(j, file, "sfi", 1, 30, &sfi));
	f.sfi = (uint8_t)sfi;
	if (file_by_sfi(&j->card->fs, f.parent, f.sfi) != FILE_NONE)
		return fail(j, "\"sfi\" %lld is used twice in this directory", sfi);
	TRY(shape_of(j, file, &f));
	if (json_is_false(json_object_get(file, "active")))
		f.life = LIFE_DEACTIVATED;
	if (f.type == FILE_BER_TLV) {
		struct buf b = { content, 0, f.size, false };
		const json_t *given = json_object_get(file, "content");

		if (given != NULL)
			TRY(hex_value(j, given, "content", &b));
		TRY(file_add(&j->card->fs, &f, buf_bytes(&b), &index));
	} else {
		TRY(content_of(j, file, &f, content));
		TRY(file_add(&j->card->fs, &f, (struct bytes){ content, f.size }, &index));
	}
	return f.arr_record == ARR_OWN ? file_set_rule(&j->card->fs, index, buf_bytes(&rule)) : OK;
}

static enum status add_tree(struct job *j)
{
	const json_t *files = json_object_get(j->root, "files"), *file;
	const struct file mf = {
		.fid = FID_MF, .parent = FILE_MF, .type = FILE_DF, .life = LIFE_ACTIVATED, .arr_record = ARR_READ_ALWAYS
	};
	uint8_t index;
	size_t i;

	(void)snprintf(j->where, sizeof j->where, "files");
	if (!json_is_array(files))
		return fail(j, "must be a list");
	j->card->fs.count = 0;
	TRY(file_add(&j->card->fs, &mf, (struct bytes){ 0 }, &index));
	TRY(add_arr(j, FILE_MF, FID_ARR_MF, 0x06));
	json_array_foreach (files, i, file) {
		const char *path = json_string_value(json_object_get(file, "path"));
		enum status st;

		j->index = i;
		(void)snprintf(j->where, sizeof j->where, "files[%zu] (%s)", i, path != NULL ? path : "no path");
		if ((st = add_file(j, file)) == ERR_NO_SPACE)
			return fail(j, "the card has no room for this file");
		TRY(st);
	}
	(void)snprintf(j->where, sizeof j->where, "files");
	return file_system_save(&j->card->fs);
}

static enum status add_pin(
        struct card *card, uint8_t reference, struct bytes secrets, uint32_t pin_tag, uint32_t puk_tag, bool on)
{
	struct bytes pin, puk;

	TRY(tlv_find(secrets, pin_tag, &pin));
	TRY(tlv_find(secrets, puk_tag, &puk));
	return pin_create(&card->store, reference, pin, puk, on);
}

static enum status optional(enum status st)
{
	return st == ERR_NOT_FOUND ? OK : st;
}

/* The toolkit applet, on cards whose profile has rules for it. */
static enum status add_toolkit(struct job *j)
{
	const json_t *rules = json_object_get(j->root, "toolkit");
	uint8_t raw[TOOLKIT_MAX];
	struct buf b = BUF_OF(raw);
	char why[128];
	size_t index;

	if (rules == NULL)
		return OK;
	if (toolkit_encode(rules, &b, &index, why, sizeof why) != OK) {
		if (j->reason != NULL)
			(void)snprintf(j->reason, j->reason_n, "%s: toolkit[%zu]: %s",
			        j->who->path != NULL ? j->who->path : "profile", index, why);
		return ERR_MALFORMED;
	}
	return applet_add(j->card, APPLET_TOOLKIT, BYTES_STR("\xF0\x50\x52\x4F\x53\x45\xF2"), buf_bytes(&b));
}

/* Supplementary domains of the secrets file; they are not the operator's to read. */
static enum status add_domain(struct card *card, struct bytes domain)
{
	struct applet_order o = { .class_number = APPLET_DOMAIN,
		.domain = DOMAIN_ISSUER,
		.life = LIFE_SELECTABLE,
		.msl = SPI1_DEFAULT,
		.privileges = PRIVILEGE_SECURITY_DOMAIN | PRIVILEGE_AUTHORIZED_MANAGEMENT };
	struct bytes flags, tar;

	TRY(tlv_find(domain, DOMAIN_TAG_AID, &o.aid));
	TRY(tlv_find(domain, DOMAIN_TAG_FLAGS, &flags));
	TRY(tlv_find(domain, DOMAIN_TAG_TAR, &tar));
	if (flags.n != 1 || tar.n != TAR_LEN)
		return ERR_MALFORMED;
	o.tar = tar.p;
	o.sovereign = (flags.p[0] & DOMAIN_SOVEREIGN) != 0;
	if (o.sovereign)
		o.domain = DOMAIN_SELF;
	if ((flags.p[0] & DOMAIN_VERIFIES_DAP) != 0)
		o.privileges |= PRIVILEGE_DAP;
	return applet_create(card, &o, domain);
}

static enum status add_domains(struct card *card, struct bytes secrets)
{
	struct tlv t;

	while (secrets.n > 0) {
		TRY(tlv_next(&secrets, &t));
		if (t.tag == BIRTH_DOMAIN)
			TRY(add_domain(card, t.value));
	}
	return OK;
}

/* "permission" in the profile: what the user may do before the operator has said anything. */
static enum status add_prose(struct job *j, struct bytes secrets)
{
	static const struct name_value words[] = { { "closed", 0 }, { "open", 1 }, { 0 } };
	SECRET_LARGE parameters = { 0 };
	struct buf b = { parameters.data, 0, sizeof parameters.data, false };
	const json_t *given = json_object_get(j->root, "permission");
	const struct name_value *word = given == NULL ? words : names_find(words, json_string_value(given));

	(void)snprintf(j->where, sizeof j->where, "permission");
	if (word == NULL)
		return fail(j, "must be closed or open");
	buf_put(&b, secrets);
	if (word->value != 0)
		tlv_put_uint(&b, BIRTH_OPEN, 1, 1);
	TRY(buf_status(&b));
	return applet_add(j->card, APPLET_PROSE, BYTES_STR(AID_PROSE), buf_bytes(&b));
}

static enum status install(struct job *j, struct bytes secrets)
{
	struct card *card = j->card;
	struct bytes isd;

	TRY(add_tree(j));
	TRY(add_pin(card, KEY_PIN1, secrets, BIRTH_PIN1, BIRTH_PUK1, j->who->pin1_enabled));
	TRY(optional(add_pin(card, KEY_PIN2, secrets, BIRTH_PIN2, BIRTH_PUK2, true)));
	TRY(optional(add_pin(card, KEY_UNIVERSAL, secrets, BIRTH_UNIVERSAL_PIN, BIRTH_UNIVERSAL_PUK, true)));
	TRY(applet_add(card, APPLET_USIM, BYTES_STR(AID_USIM), secrets));
	TRY(add_prose(j, secrets));
	TRY(applet_add(card, APPLET_RFM, BYTES_STR("\xF0\x50\x52\x4F\x53\x45\xF1"), secrets));
	if (tlv_find(secrets, BIRTH_ISD_ENC, &isd) == OK)
		TRY(applet_add(card, APPLET_DOMAIN, BYTES_STR(AID_ISD), secrets));
	TRY(add_toolkit(j));
	TRY(add_domains(card, secrets));
	return store_commit(&card->store);
}

enum status profile_install(struct card *card, const struct card_env *env, const struct card_identity *who,
        struct bytes secrets, char *reason, size_t n)
{
	struct job j = { .card = card, .who = who, .root = who->profile, .reason = reason, .reason_n = n };
	json_t *standard = NULL;
	enum status st;

	if (json_object_get(j.root, "files") == NULL) {
		struct bytes text = profile_standard();

		standard = profile_parse((const char *)text.p, text.n, "the standard profile", reason, n);
		if (standard == NULL)
			return ERR_BUG;
		(void)json_object_update_recursive(standard, (json_t *)j.root);
		j.root = standard;
	}
	card->env = *env;
	applet_registry_drop(card);
	store_init(&card->store, env->backend, &env->work->store);
	card->fs.store = &card->store;
	st = install(&j, secrets);
	if (st != OK && reason != NULL && reason[0] == 0)
		(void)snprintf(reason, n, "the card cannot be made from this profile: %s", status_text(st));
	json_decref(standard);
	return st;
}

/* Without memory jansson says that a token is invalid, or nothing. */
static bool starved;

static void *noting_malloc(size_t n)
{
	void *p = malloc(n);

	starved = starved || p == NULL;
	return p;
}

json_t *profile_parse(const char *text, size_t len, const char *path, char *reason, size_t n)
{
	json_error_t error = { 0 };
	json_t *root;

	starved = false;
	json_set_alloc_funcs(noting_malloc, free);
	root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
	if (root == NULL && starved && reason != NULL)
		(void)snprintf(reason, n, "%s: %s", path, status_text(ERR_NO_MEMORY));
	else if (root == NULL && reason != NULL)
		(void)snprintf(reason, n, "%s:%d:%d: %s", path, error.line, error.column, error.text);
	if (root != NULL && !json_is_object(root)) {
		if (reason != NULL)
			(void)snprintf(reason, n, "%s:1: a profile is a JSON object", path);
		json_decref(root);
		return NULL;
	}
	return root;
}
