/* SPDX-License-Identifier: Apache-2.0 */
/* A card vendor's list of identities and keys, as CSV (libcsv reads it). */
#include <csv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apdu/aids.h"
#include "apdu/birth.h"
#include "apdu/base/hex.h"
#include "apdu/base/text.h"
#include "apdu/sealed.h"
#include "apdu/tlv.h"
#include "crypto/guarded/aka.h"
#include "crypto/guarded/diversify.h"
#include "provisioning/operator.h"

enum { COLUMNS_MAX = 64, FIELD_MAX = 128 };

/* What a column holds: a row of birth_fields, or one of these. */
enum { COLUMN_UNKNOWN = -1, COLUMN_ICCID = -2, COLUMN_IMSI = -3, COLUMN_ALGORITHM = -4, COLUMN_MSISDN = -5 };

struct list {
	struct db *db;
	const char *map;
	struct bytes batch; /* secret that missing keys are made from; empty: they are missing */
	uint64_t now;
	int column[COLUMNS_MAX];
	size_t columns, at; /* at: the field that comes next */
	size_t line, cards;
	struct db_card card;
	unsigned algorithm;
	struct secret_large secrets;
	struct buf tlvs; /* over secrets */
	char *reason;
	size_t reason_n;
	enum status status;
	char conflict[FIELD_MAX + DB_SENTENCE_MAX]; /* the first card that cannot be added to those that are there */
};

static void fail(struct list *l, enum status st, const char *what, const char *why)
{
	if (l->status == OK && l->reason[0] == 0)
		(void)snprintf(l->reason, l->reason_n, "line %zu: %s: %s", l->line, what, why);
	l->status = st;
}

/* What a vendor's name stands for; itself if the map does not say. */
static const char *translated(const char *map, const char *name, char out[FIELD_MAX])
{
	size_t n = strlen(name);

	for (const char *at = map; at != NULL && n > 0; at = strchr(at, ',')) {
		at += *at == ',' ? 1 : 0;
		if (strncmp(at, name, n) != 0 || at[n] != '=')
			continue;
		return text_put(out, FIELD_MAX, "%.*s", (int)strcspn(at + n + 1, ","), at + n + 1) ? out : name;
	}
	return name;
}

static int column_of(const char *map, const char *theirs)
{
	char ours[FIELD_MAX];
	const char *name = translated(map, theirs, ours);

	if (strcmp(name, "iccid") == 0)
		return COLUMN_ICCID;
	if (strcmp(name, "imsi") == 0)
		return COLUMN_IMSI;
	if (strcmp(name, "algorithm") == 0)
		return COLUMN_ALGORITHM;
	if (strcmp(name, "msisdn") == 0)
		return COLUMN_MSISDN;
	for (size_t i = 0; i < birth_field_count; i++)
		if (strcmp(name, birth_fields[i].name) == 0)
			return (int)i;
	return COLUMN_UNKNOWN; /* other columns are the vendor's own */
}

/* What seals objects for a card has one length. */
static bool sealing_key(enum birth_tag tag)
{
	return tag == BIRTH_TRK || tag == BIRTH_INK;
}

static void take_secret(struct list *l, const struct birth_field *f, const char *text)
{
	SECRET value = { 0 };
	struct buf v = { value.data, 0, sizeof value.data, false };

	if (text[0] == 0)
		return;
	if (f->form != BIRTH_KEY) {
		if (birth_put_pin(&v, text) != OK)
			fail(l, ERR_MALFORMED, f->name, "must be 4 to 8 digits");
	} else if (hex_decode(bytes_str(text), &v) != OK || (v.len != 16 && v.len != 32)) {
		fail(l, ERR_MALFORMED, f->name, "must be 16 or 32 octets in hex");
	} else if (sealing_key(f->tag) && v.len != SEALED_KEY_LEN) {
		fail(l, ERR_MALFORMED, f->name, "must be 32 octets in hex");
	}
	tlv_put(&l->tlvs, f->tag, buf_bytes(&v));
}

static void take_digits(struct list *l, const char *name, const char *text, size_t min, char *out, size_t room)
{
	if (strlen(text) < min || strspn(text, "0123456789") != strlen(text) || !text_put(out, room, "%s", text))
		fail(l, ERR_MALFORMED, name, "is not a number of the right length");
}

static void on_field(void *data, size_t n, void *context)
{
	struct list *l = context;
	char text[FIELD_MAX] = "";
	size_t at = l->at++;

	if (l->status != OK)
		return;
	if (n >= sizeof text || at >= COLUMNS_MAX) {
		fail(l, ERR_MALFORMED, "field", "is too long, or one too many");
		return;
	}
	if (n > 0)
		memcpy(text, data, n);
	if (l->columns == 0) {
		l->column[at] = column_of(l->map, text);
	} else if (at >= l->columns) {
		fail(l, ERR_MALFORMED, "line", "has more fields than the header");
	} else {
		int c = l->column[at];

		if (c == COLUMN_ICCID)
			take_digits(l, "iccid", text, 18, l->card.iccid, sizeof l->card.iccid);
		else if (c == COLUMN_IMSI)
			take_digits(l, "imsi", text, 6, l->card.imsi, sizeof l->card.imsi);
		else if (c == COLUMN_MSISDN && text[0] != 0)
			take_digits(l, "msisdn", text, 3, l->card.msisdn, 16);
		else if (c == COLUMN_ALGORITHM && (l->algorithm = birth_algorithm(text)) == 0)
			fail(l, ERR_MALFORMED, "algorithm", "must be milenage, tuak or xor");
		else if (c >= 0)
			take_secret(l, &birth_fields[c], text);
	}
	secret_clean(text, sizeof text);
}

/* Keys that the list does not have. PINs are for the card's user, not for the operator. */
static void derive_missing(struct list *l)
{
	for (size_t i = 0; i < birth_field_count && l->batch.n > 0; i++) {
		const struct birth_field *f = &birth_fields[i];
		size_t n = birth_own_length(f->tag, l->algorithm == AKA_TUAK);
		SECRET key = { 0 };
		struct bytes there, so_far = { l->secrets.data, l->tlvs.len };

		if (f->form != BIRTH_KEY || tlv_find(so_far, f->tag, &there) == OK ||
		        (f->tag == BIRTH_OPC && l->algorithm == AKA_XOR))
			continue;
		if (key_diversify(l->batch, f->name, BYTES_OF(l->card.card_id), key.data, n) != OK)
			l->tlvs.failed = true;
		tlv_put(&l->tlvs, f->tag, (struct bytes){ key.data, n });
	}
}

/* A line that is no card's at all is told of first, wherever it stands. */
static void note_conflict(struct list *l)
{
	char why[DB_SENTENCE_MAX];

	if (l->conflict[0] == 0 && db_card_conflict(l->db, &l->card, why) == OK)
		(void)snprintf(l->conflict, sizeof l->conflict, "line %zu: %s: %s", l->line, l->card.iccid, why);
}

static void add_card(struct list *l)
{
	AKA_SUBSCRIBER s = { 0 };
	SECRET_LARGE record = { 0 };
	struct buf b = { record.data, 0, sizeof record.data, false };
	uint8_t raw[8];
	struct buf aka = BUF_OF(raw);
	enum status st;

	if (bcd_encode(l->card.iccid, l->card.card_id, CARD_ID_LEN) == OK)
		derive_missing(l);
	tlv_put_uint(&aka, AKA_TAG_ALGORITHM, 1, l->algorithm);
	tlv_put(&l->tlvs, BIRTH_AKA, buf_bytes(&aka));
	tlv_put_uint(&l->tlvs, BIRTH_OTA_KVN, 1, 1);
	tlv_put_uint(&l->tlvs, BIRTH_TRK_ID, 1, 1);
	tlv_put_uint(&l->tlvs, BIRTH_TIME, 8, l->now);
	l->secrets.len = l->tlvs.len;
	if (l->card.iccid[0] == 0 || l->card.imsi[0] == 0 || bcd_encode(l->card.iccid, l->card.card_id, CARD_ID_LEN) != OK) {
		fail(l, ERR_MALFORMED, "line", "needs an iccid and an imsi");
	} else if (l->tlvs.failed || aka_put(secret_large_bytes(&l->secrets), &b) != OK || aka_parse(buf_bytes(&b), &s) != OK) {
		fail(l, ERR_MALFORMED, l->card.iccid, "k and opc do not fit the algorithm");
	} else if ((st = db_card_add(l->db, &l->card, secret_large_bytes(&l->secrets))) == ERR_DENIED) {
		note_conflict(l);
	} else if (st != OK) {
		fail(l, st, l->card.iccid, "cannot be stored");
	}
	l->cards++;
}

static void new_line(struct list *l)
{
	secret_large_wipe(&l->secrets);
	l->tlvs = (struct buf){ l->secrets.data, 0, sizeof l->secrets.data, false };
	l->card = (struct db_card){ 0 };
	l->algorithm = AKA_MILENAGE;
	l->at = 0;
	l->line++;
}

static void on_line(int end, void *context)
{
	struct list *l = context;
	bool keys = false;

	(void)end;
	if (l->status == OK && l->columns == 0) {
		l->columns = l->at;
		for (size_t i = 0; i < l->columns; i++)
			keys |= l->column[i] == COLUMN_ICCID;
		if (!keys)
			fail(l, ERR_MALFORMED, "header", "has no column iccid");
	} else if (l->status == OK) {
		add_card(l);
	}
	new_line(l);
}

enum status list_import(struct db *db, const char *path, const char *map, struct bytes batch, uint64_t now, size_t *cards,
        char *reason, size_t n)
{
	struct list l = { .db = db, .map = map, .batch = batch, .now = now, .line = 0, .reason = reason, .reason_n = n };
	struct csv_parser parser;
	FILE *f = fopen(path, "re");
	char chunk[4096];
	size_t got;

	reason[0] = 0;
	new_line(&l);
	if (f == NULL || csv_init(&parser, CSV_APPEND_NULL) != 0) {
		(void)snprintf(reason, n, "%s: cannot be read", path);
		if (f != NULL)
			(void)fclose(f);
		return ERR_NOT_FOUND;
	}
	while (l.status == OK && (got = fread(chunk, 1, sizeof chunk, f)) > 0)
		if (csv_parse(&parser, chunk, got, on_field, on_line, &l) != got)
			fail(&l, ERR_MALFORMED, "file", csv_strerror(csv_error(&parser)));
	if (l.status == OK && csv_fini(&parser, on_field, on_line, &l) != 0)
		fail(&l, ERR_MALFORMED, "file", "ends inside quotes");
	csv_free(&parser);
	(void)fclose(f);
	secret_clean(chunk, sizeof chunk);
	secret_large_wipe(&l.secrets);
	if (l.status == OK && l.cards == 0)
		fail(&l, ERR_MALFORMED, "file", "names no cards");
	if (l.status == OK && l.conflict[0] != 0) {
		(void)snprintf(reason, n, "%s", l.conflict);
		return ERR_DENIED;
	}
	*cards = l.cards;
	return l.status;
}
