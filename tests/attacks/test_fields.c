/* SPDX-License-Identifier: Apache-2.0 */
/* Every field of a security document, with a value that must not pass or does not matter, as docs/fields.md says; and sealed
 * objects before and after their time. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apdu/base/hex.h"
#include "apdu/birth.h"
#include "apdu/gba.h"
#include "apdu/tlv.h"
#include "crypto/guarded/seal.h"
#include "protocols/pc3/kms_xml.h"
#include "provisioning/keys/kms.h"
#include "tests/support/operator.h"

#define OWN_KMS "kms.example.org"
#define OTHER_KMS "kms.police.example"
#define POLICE "police.example"
#define SERVER "groups.example.org"
/* What our own documents leave out, put in behind the first KmsUri of a certificate or key set. */
#define OPTIONAL                                                                                                               \
	"<CertUri>c</CertUri><Issuer>" OWN_KMS "</Issuer><ValidFrom>2020-01-01T00:00:00Z</ValidFrom>"                          \
	"<ValidTo>2098-01-01T00:00:00Z</ValidTo><Revoked>false</Revoked>"
enum { ROWS_MAX = 200, KINDS = SEALED_REVOKED, TEXT_MAX = KMS_XML_MAX };

static struct row {
	char document[24], field[24], bad[80], outcome[120];
	bool refused;
} rows[ROWS_MAX];
static size_t row_count;

static void read_table(void)
{
	FILE *f = fopen("docs/fields.md", "re");
	char line[400];

	ck_assert_ptr_nonnull(f);
	row_count = 0;
	while (fgets(line, sizeof line, f) != NULL) {
		struct row *r = &rows[row_count];

		ck_assert_uint_lt(row_count, ROWS_MAX);
		*r = (struct row){ 0 };
		if (sscanf(line, "| %23[^|]| %23[^|]| `%79[^`]` | %119[^|\n]", r->document, r->field, r->bad, r->outcome) !=
		                4 &&
		        sscanf(line, "| %23[^|]| %23[^|]| `` | %119[^|\n]", r->document, r->field, r->outcome) != 3)
			continue;
		r->document[strlen(r->document) - 1] = 0; /* the space before the bar */
		r->field[strlen(r->field) - 1] = 0;
		r->refused = strncmp(r->outcome, "refused", 7) == 0;
		ck_assert_msg(r->refused || strncmp(r->outcome, "ignored: ", 9) == 0, "%s", line);
		row_count++;
	}
	(void)fclose(f);
	ck_assert_uint_gt(row_count, 60);
}

static bool has_row(const char *document, const char *field)
{
	for (size_t i = 0; i < row_count; i++)
		if (strcmp(rows[i].document, document) == 0 && strncmp(rows[i].field, field, strlen(field)) == 0)
			return true;
	return false;
}

/* ---- XML ------------------------------------------------------------------------------------------------------------- */

static const struct kind {
	const char *name, *open; /* where the document's own fields begin */
	const char *close;       /* and end */
} kinds[] = {
	{ "certificate", "<KmsCertificate", "</KmsCertificate>" },
	{ "answer", "<KmsResponse", "<KmsMessage" },
	{ "answer certificate", "<KmsCertificate", "</KmsCertificate>" },
	{ "key set", "<KmsKeySet", "</KmsKeySet>" },
};

static void splice(char *text, size_t at, size_t removed, const char *put)
{
	static char rest[TEXT_MAX];

	(void)snprintf(rest, sizeof rest, "%s", text + at + removed);
	(void)snprintf(text + at, TEXT_MAX - at, "%s%s", put, rest);
}

/* A document of this kind with every field that one may have. */
static void good(const struct kind *k, char text[TEXT_MAX])
{
	static uint8_t raw[TEXT_MAX];
	struct buf b = BUF_OF(raw);
	struct kms_certificate_info c;
	struct kms_response r = { .user_uri = ALICE,
		.kms_uri = OWN_KMS,
		.client_url = "u",
		.time = NOW,
		.certificates = 1,
		.kind = strcmp(k->name, "key set") == 0 ? KMS_KEY_PROVISION : KMS_INIT,
		.period_number = 7 };
	KMS kms = { 0 };
	const char *at;

	ck_assert_int_eq(kms_load(db, &kms), OK);
	kms_describe(&kms, &c);
	c.validity.issuer[0] = 0;
	r.certificate[0] = c;
	r.user_id = hex("1111");
	r.objects = hex("7F5000");
	ck_assert_int_eq(k == kinds ? kms_certificate_put(&c, &b) : kms_response_put(&r, NULL, &b), OK);
	(void)snprintf(text, TEXT_MAX, "%.*s", (int)b.len, (const char *)raw);
	if (strcmp(k->name, "answer") != 0) {
		at = strstr(strstr(text, k->open), "</KmsUri>");
		splice(text, (size_t)(at - text) + strlen("</KmsUri>"), 0, OPTIONAL);
	}
	if (k == kinds)
		splice(text, (size_t)(strstr(text, "</KmsCertificate>") - text), 0,
		        "<KmsDomainList><KmsDomain>" POLICE "</KmsDomain></KmsDomainList>");
}

/* Put another value into a field of it, an element or an attribute. */
static void change(const struct kind *k, const struct row *r, char text[TEXT_MAX])
{
	char name[40];
	const char *from = strstr(text, k->open), *at, *end;

	(void)snprintf(name, sizeof name, "<%s>", r->field);
	if ((at = strstr(from, name)) == NULL) {
		(void)snprintf(name, sizeof name, " %s=\"", r->field);
		at = strstr(from, name);
	}
	ck_assert_msg(at != NULL, "%s has no %s", r->document, r->field);
	at += strlen(name);
	end = at + strcspn(at, "<\"");
	splice(text, (size_t)(at - text), (size_t)(end - at), r->bad);
}

static bool taken(const struct kind *k, const char *text)
{
	static struct kms_received got;
	const struct kms_request asked = { .user_uri = ALICE, .kms_uri = OWN_KMS };
	struct kms_certificate_info c;

	if (k == kinds) /* as `kms trust` does */
		return kms_certificate_parse(bytes_str(text), &c) == OK &&
		       kms_certificate_refused(&c, KMS_ROOT, c.kms_uri, NOW) == NULL;
	return kms_response_parse(bytes_str(text), &got) == OK && kms_response_refused(&got, &asked, NOW) == NULL;
}

START_TEST(fields_of_xml)
{
	static char text[TEXT_MAX];
	size_t used = 0;

	read_table();
	for (const struct kind *k = kinds; k < kinds + sizeof kinds / sizeof *kinds; k++) {
		good(k, text);
		ck_assert_msg(taken(k, text), "%s: %s", k->name, text);
		for (size_t i = 0; i < row_count; i++) {
			if (strcmp(rows[i].document, k->name) != 0)
				continue;
			used++;
			good(k, text);
			change(k, &rows[i], text);
			ck_assert_msg(taken(k, text) != rows[i].refused, "%s, %s: %s", k->name, rows[i].field, text);
		}
		good(k, text); /* and every element with a text in it has a row */
		for (const char *at = strstr(text, k->open), *end = strstr(at, k->close); at < end; at = strchr(at + 1, '<')) {
			char name[40];

			if (sscanf(at, "<%39[A-Za-z]", name) == 1 && at[strcspn(at, ">") + 1] != '<' &&
			        strcmp(name, k->open + 1) != 0)
				ck_assert_msg(has_row(k->name, name), "%s, %s has no row in docs/fields.md", k->name, name);
		}
	}
	ck_assert_uint_gt(used, 40);
}
END_TEST

/* An answer with more key sets than there is room for, or one more revoked behind a good one, is none. */
START_TEST(every_key_set_of_an_answer_is_judged)
{
	static char text[TEXT_MAX], set[4096];
	const struct kind *k = &kinds[3];
	const char *from, *end;

	for (size_t more = 1; more <= KMS_SETS_MAX; more++)
		for (int revoked = 0; revoked < 2; revoked++) {
			good(k, text);
			from = strstr(text, k->open);
			end = strstr(from, k->close) + strlen(k->close);
			(void)snprintf(set, sizeof set, "%.*s", (int)(end - from), from);
			for (size_t i = 0; i < more; i++)
				splice(text, (size_t)(end - text), 0, set);
			if (revoked) {
				char *last = text, *at;

				for (at = text; (at = strstr(at, "<Revoked>")) != NULL; at++)
					last = at;
				splice(text, (size_t)(last - text), strlen("<Revoked>false"), "<Revoked>true");
			}
			ck_assert(taken(k, text) == (more < KMS_SETS_MAX && !revoked));
		}
}
END_TEST

/* ---- sealed objects -------------------------------------------------------------------------------------------------- */

static void kms_payload(struct buf *b, const char *uri, const char *domain)
{
	KMS k = { 0 };

	ck_assert_int_eq(kms_load(db, &k), OK);
	tlv_put(b, KMSC_URI, bytes_str(uri));
	tlv_put(b, KMSC_Z, (struct bytes){ k.public_key, 257 });
	tlv_put(b, KMSC_KPAK, (struct bytes){ k.kpak, 65 });
	tlv_put_uint(b, KMSC_PERIOD, 8, k.record.period);
	tlv_put_uint(b, KMSC_OFFSET, 8, 0);
	if (domain != NULL)
		tlv_put(b, KMSC_DOMAIN, bytes_str(domain));
}

/* What is in the last of these objects. */
static void opened(struct bytes all, struct buf *b)
{
	SECRET_LARGE plain = { 0 };
	SEAL_KEYS k = { 0 };
	struct bytes last = all;
	struct sealed s;
	struct tlv t;

	while (all.n > 0) {
		last = all;
		ck_assert_int_eq(tlv_next(&all, &t), OK);
	}
	ck_assert_int_eq(sealed_parse(last, &s), OK);
	ck_assert_int_eq(operator_seal_keys(db, ICCID_1, &k), OK);
	ck_assert_int_eq(seal_open(secret_bytes(&k.trk), secret_bytes(&k.ink), &s, &plain), OK);
	buf_put(b, secret_large_bytes(&plain));
}

static void new_transport_keys(struct buf *b)
{
	static const uint8_t key[SEALED_KEY_LEN] = { 1 };

	tlv_put_uint(b, BIRTH_TRK_ID, 1, 2);
	tlv_put(b, BIRTH_TRK, BYTES_OF(key));
	tlv_put(b, BIRTH_INK, BYTES_OF(key));
}

static void group_key(struct buf *b)
{
	tlv_put(b, GROUP_KEY_URI, BYTES_STR(GROUP));
	tlv_put_uint(b, GROUP_KEY_ID, 4, 0x01020304);
	tlv_put(b, GROUP_KEY_GMK, BYTES_STR("0123456789abcdef"));
	tlv_put_uint(b, GROUP_KEY_NOT_BEFORE, 8, NOW);
	tlv_put_uint(b, GROUP_KEY_NOT_AFTER, 8, NOW + 86400);
	tlv_put_uint(b, GROUP_KEY_MADE, 8, NOW);
}

/* What an object of this kind carries, and under which name. */
static const char *payload_of(unsigned kind, struct buf *b)
{
	static uint8_t raw[4096];
	struct buf sealed = BUF_OF(raw);

	switch (kind) {
	case SEALED_KMS_CERTIFICATE: kms_payload(b, OWN_KMS, NULL); return OWN_KMS;
	case SEALED_KEY_SET: opened(issue(ALICE, NOW), b); return ALICE;
	case SEALED_GROUP:
		ck_assert_int_eq(group_record(db, GROUP, ALICE, 1, &sealed), OK);
		opened(buf_bytes(&sealed), b);
		return GROUP;
	case SEALED_DISCOVERY_KEY:
		ck_assert_int_eq(discovery_renew(db, "me", DISCOVERY_33303, 1), OK);
		ck_assert_int_eq(discovery_grant(db, "me", ICCID_1, RIGHT_ANNOUNCE, 0, UINT64_MAX, &sealed), OK);
		opened(buf_bytes(&sealed), b);
		return "me";
	case SEALED_TIME: tlv_put_uint(b, TIME_FLOOR, 8, NOW); return "time";
	case SEALED_TRANSPORT_KEYS: new_transport_keys(b); return "trk";
	case SEALED_GROUP_SIGNER:
		ck_assert_int_eq(group_delegate(db, GROUP, ALICE, NOW, &sealed), OK);
		opened(buf_bytes(&sealed), b);
		return "sip:gms@example.org";
	case SEALED_NAF: tlv_put(b, NAF_ID, BYTES_STR(SERVER "\x01\x00\x00\x00\x02")); return "naf";
	case SEALED_GROUP_KEY: group_key(b); return GROUP;
	case SEALED_REVOKED:
		tlv_put(b, REVOKED_KMS, BYTES_STR(OWN_KMS));
		tlv_put_uint(b, REVOKED_NUMBER, 8, 1);
		tlv_put(b, REVOKED_UIDS, BYTES_STR("0123456789abcdef"));
		return OWN_KMS;
	case SEALED_EXTERNAL_KMS: kms_payload(b, OTHER_KMS, POLICE); return OTHER_KMS;
	default:
		tlv_put(b, PERMISSION_PLMN, BYTES_STR("26201"));
		tlv_put_uint(b, PERMISSION_RIGHTS, 1, PERMISSION_MONITOR);
		return "26201";
	}
}

static struct sealed_header header_of(struct rig *r, unsigned kind, const char *name)
{
	static uint64_t sequence = 1000;

	return (struct sealed_header){ .domain = BYTES_STR(AID_PROSE),
		.card_id = BYTES_OF(r->env.card_id),
		.trk_id = 1,
		.kind = (enum sealed_kind)kind,
		.name = bytes_str(name),
		.sequence = sequence++,
		.not_after = UINT64_MAX };
}

static unsigned give(struct rig *r, const struct sealed_header *h, struct bytes payload)
{
	static uint8_t raw[SEALED_OBJECT_MAX];
	struct buf b = BUF_OF(raw);
	SEAL_KEYS k = { 0 };

	ck_assert_int_eq(operator_seal_keys(db, ICCID_1, &k), OK);
	ck_assert_int_eq(seal(&rng_system, secret_bytes(&k.trk), secret_bytes(&k.ink), h, payload, &b), OK);
	return rig_prose(r, INS_PROSE_INSTALL, 0, buf_bytes(&b));
}

/* A card with everything that some kind builds on, and its clock at NOW. */
static struct rig *ready(void)
{
	struct rig *r = known_card();
	uint8_t raw[64];
	struct buf b = BUF_OF(raw);
	struct sealed_header h = header_of(r, SEALED_TIME, "time");

	provision(r);
	tlv_put_uint(&b, TIME_FLOOR, 8, NOW - 10);
	(void)give(r, &h, buf_bytes(&b)); /* not if the card's birth is later */
	ck_assert_uint_eq(permit(r, PERMISSION_OFF_NETWORK, PERMISSION_ANNOUNCE | PERMISSION_MONITOR, 0, UINT64_MAX), 0x9000);
	ck_assert_uint_eq(rig_pass(r, NOW), 0x9000); /* the card's time, for periods */
	return r;
}

static void change_payload(const struct row *row, struct bytes in, struct buf *out)
{
	const uint32_t tag = (uint32_t)strtoul(row->field, NULL, 16);
	bool found = false;
	struct tlv t;

	while (in.n > 0) {
		ck_assert_int_eq(tlv_next(&in, &t), OK);
		found = found || t.tag == tag;
		tlv_put(out, t.tag, t.tag == tag ? hex(row->bad) : t.value);
	}
	if (!found) /* an optional one */
		tlv_put(out, tag, hex(row->bad));
}

static void change_header(const struct row *row, struct sealed_header *h)
{
	const struct bytes v = hex(row->bad);

	switch (strtoul(row->field, NULL, 16)) {
	case 0x81: h->domain = v; break;
	case 0x82: h->card_id = v; break;
	case 0x83: h->trk_id = v.p[0]; break;
	case 0x84: h->kind = (enum sealed_kind)v.p[0]; break;
	case 0x85: h->name = v; break;
	case 0x86: h->sequence = bytes_uint(v); break;
	case 0x87: h->not_before = bytes_uint(v); break;
	case 0x88: h->not_after = bytes_uint(v); break;
	default: ck_abort_msg("%s", row->field);
	}
}

START_TEST(fields_of_sealed_objects)
{
	static uint8_t raw[SEALED_MAX], changed_raw[SEALED_MAX];
	size_t used = 0;

	read_table();
	for (size_t i = 0; i < row_count; i++) {
		const bool whole = strcmp(rows[i].document, "sealed object") == 0;
		unsigned kind = SEALED_KMS_CERTIFICATE, sw;
		struct buf payload = BUF_OF(raw), changed = BUF_OF(changed_raw);
		struct sealed_header h;
		struct store_mem before;
		struct bytes in;
		struct tlv t;
		struct rig *r;

		if (!whole && sscanf(rows[i].document, "kind %u", &kind) != 1)
			continue;
		used++;
		r = ready();
		h = header_of(r, kind, payload_of(kind, &payload));
		if (whole)
			change_header(&rows[i], &h);
		else
			change_payload(&rows[i], buf_bytes(&payload), &changed);
		store_mem_copy(&before, &r->store);
		sw = give(r, &h, whole ? buf_bytes(&payload) : buf_bytes(&changed));
		ck_assert_msg((sw != 0x9000) == rows[i].refused, "%s, %s: %04X", rows[i].document, rows[i].field, sw);
		ck_assert(!rows[i].refused || store_mem_equal(&before, &r->store));
		h = header_of(r, kind, payload_of(kind, &(struct buf){ changed_raw, 0, sizeof changed_raw, false }));
		sw = give(r, &h, buf_bytes(&payload)); /* as it should be */
		ck_assert_msg(sw == 0x9000, "%s: %04X", rows[i].document, sw);
		for (in = buf_bytes(&payload); !whole && in.n > 0;) {
			char name[8];

			ck_assert_int_eq(tlv_next(&in, &t), OK);
			(void)snprintf(name, sizeof name, "%02X ", (unsigned)t.tag);
			ck_assert_msg(has_row(rows[i].document, name), "%s, %s has no row", rows[i].document, name);
		}
		store_mem_free(&before);
		rig_free(&r);
	}
	ck_assert_uint_gt(used, 45);
}
END_TEST

/* Each kind before its time, in its last second, and after it, by what the card knows of the time; and what lies in wait. */
START_TEST(periods_of_sealed_objects)
{
	static uint8_t raw[SEALED_MAX];

	for (unsigned kind = 1; kind <= KINDS; kind++)
		for (int d = 0; d < 4; d++) {
			const bool waits = kind == SEALED_DISCOVERY_KEY || kind == SEALED_PERMISSION;
			struct rig *r = ready();
			struct buf payload = BUF_OF(raw);
			struct sealed_header h = header_of(r, kind, payload_of(kind, &payload));
			unsigned sw;

			h.not_before = d == 0 ? NOW + 1 : d == 1 ? NOW : 0;
			h.not_after = d == 2 ? NOW + 1 : d == 3 ? NOW : UINT64_MAX;
			sw = give(r, &h, buf_bytes(&payload));
			ck_assert_msg(sw == (d == 1 || d == 2 || waits ? 0x9000 : SW_PROSE_EXPIRED), "kind %u, %d: %04X", kind,
			        d, sw);
			rig_free(&r);
		}
}
END_TEST

/* What was kept is not found any more when its time is over: own KMS, another's, key set, group. */
START_TEST(what_is_kept_ends)
{
	static const struct {
		unsigned kind, sw;
	} cases[] = { { SEALED_KMS_CERTIFICATE, SW_PROSE_NOT_PROVISIONED }, { SEALED_KEY_SET, SW_PROSE_NOT_PROVISIONED },
		{ SEALED_GROUP, SW_PROSE_NO_KEY } };
	static uint8_t raw[SEALED_MAX];

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct rig *r = ready();
		struct buf payload = BUF_OF(raw);
		struct sealed_header h = header_of(r, cases[i].kind, payload_of(cases[i].kind, &payload));
		unsigned sw;

		ck_assert_uint_eq(import(r, NOW, rekey(NOW, NOW, NOW + 1000)), 0x9000);
		h.not_after = NOW + 100;
		ck_assert_uint_eq(give(r, &h, buf_bytes(&payload)), 0x9000);
		for (unsigned later = 99; later <= 100; later++) {
			uint8_t offer[200];
			struct buf b = BUF_OF(offer);

			tlv_put_uint(&b, TAG_TIME, 8, NOW + later);
			tlv_put(&b, TAG_GROUP_URI, BYTES_STR(GROUP));
			sw = rig_prose(r, INS_PROSE_START_SESSION, 0, buf_bytes(&b));
			ck_assert_msg(
			        sw == (later < 100 ? 0x9000U : cases[i].sw), "kind %u, %u: %04X", cases[i].kind, later, sw);
		}
		rig_free(&r);
	}
}
END_TEST

TCase *tcase_fields(void)
{
	TCase *t = tcase_create("fields");

	tcase_set_timeout(t, 120);
	tcase_add_checked_fixture(t, open_operator, close_operator);
	tcase_add_test(t, fields_of_xml);
	tcase_add_test(t, every_key_set_of_an_answer_is_judged);
	tcase_add_test(t, fields_of_sealed_objects);
	tcase_add_test(t, periods_of_sealed_objects);
	tcase_add_test(t, what_is_kept_ends);
	return t;
}
