/* SPDX-License-Identifier: Apache-2.0 */
/* prose-net kms: who may hold which identity, one-time codes, the log of extractions and its signed head. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "apdu/base/hex.h"
#include "provisioning/cli/net.h"
#include "crypto/network/enrol.h"
#include "provisioning/keys/join.h"
#include "provisioning/keys/kms.h"
#include "provisioning/keys/kms_log.h"
#include "provisioning/keys/revoked.h"

enum { HEAD_FILE_MAX = 4096, ENROL_VALID_MAX = 31536000 };

static void time_text(uint64_t at, char out[32])
{
	time_t t = (time_t)at;
	struct tm tm;

	(void)gmtime_r(&t, &tm);
	(void)strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

static bool octets_of(const char *text, uint8_t *out, size_t n)
{
	struct buf b = { out, 0, n, false };

	return hex_decode(bytes_str(text), &b) == OK && b.len == n;
}

/* ---- lists of the revoked -------------------------------------------------------------------------------------------- */

static void say_list(const struct revoked_summary *s)
{
	(void)printf("list %llu of the revoked: %zu key set%s, for %zu card%s\n", (unsigned long long)s->number, s->uids,
	        s->uids == 1 ? "" : "s", s->cards, s->cards == 1 ? "" : "s");
}

/* A full list stops nobody from being revoked: keys and groups are gone all the same. */
enum status revoked_tell(struct arguments *a)
{
	struct revoked_summary s;
	enum status st = revoked_publish(a->db, net_now(), false, &s);

	if (st == ERR_NO_SPACE) {
		(void)fprintf(stderr,
		        "prose-net: the list of the revoked is full (%d key sets): the key sets of this one run on to "
		        "the end of their period\n",
		        REVOKED_MAX);
		return OK;
	}
	if (st == OK && s.cards > 0)
		say_list(&s);
	return st;
}

static int import_list(struct arguments *a)
{
	struct revoked_summary s;
	FILE *f = fopen(a->words[0], "re");
	size_t n = f != NULL ? fread(net_output, 1, sizeof net_output, f) : 0;
	enum status st = revoked_import(a->db, net_now(), (struct bytes){ net_output, n }, &s);

	if (f != NULL)
		(void)fclose(f);
	if (st == ERR_MALFORMED)
		return net_fail("kms revoked", a->words[0], "is no list of the revoked (`kms revoked --out`)", EXIT_REFUSED);
	if (st == ERR_NOT_FOUND)
		return net_fail(
		        "kms revoked", a->words[0], "is of a KMS that we do not trust: `kms trust` first", EXIT_REFUSED);
	if (st == ERR_DENIED)
		return net_fail("kms revoked", a->words[0], "is not newer than the list that we have: ask for theirs again",
		        EXIT_REFUSED);
	if (st == OK)
		say_list(&s);
	return net_report("kms revoked", a->words[0], st);
}

int kms_revoked(struct arguments *a)
{
	struct buf b = BUF_OF(net_output);
	struct revoked_summary s;
	enum status st;

	if (a->count > 1 || (a->count == 1 && (a->out != NULL || a->card != NULL)) || (a->card != NULL && a->out == NULL))
		return net_fail(
		        "kms revoked", NULL, "needs FILE alone, or --out FILE, with --card ICCID or without", EXIT_USAGE);
	if (a->count == 1)
		return import_list(a);
	if (a->out == NULL) {
		if ((st = revoked_publish(a->db, net_now(), true, &s)) == OK)
			say_list(&s);
		return net_report("kms revoked", NULL, st);
	}
	st = revoked_refresh(a->db, net_now(), &s, &b);
	if (st == OK && a->card != NULL) {
		b.len = 0;
		st = revoked_seal(a->db, a->card, &b);
	}
	if (st == OK && b.len == 0)
		return net_fail("kms revoked", a->out, "no user has been revoked: there is no list", EXIT_REFUSED);
	if (st == OK)
		st = net_write_file(a->out, buf_bytes(&b));
	return net_report("kms revoked", a->out, st);
}

/* ---- users ---------------------------------------------------------------------------------------------------------- */

static enum status allow(struct arguments *a)
{
	struct db_card card;

	TRY(db_card_get(a->db, a->card, &card, NULL));
	if (card.revoked != 0)
		return ERR_DENIED;
	return db_user_allow(a->db, a->user, a->card, a->move);
}

int refuse_user(const char *verb, const struct arguments *a, const char *why)
{
	char holder[21], sentence[DB_SENTENCE_MAX];

	if (db_user_elsewhere(a->db, a->user, a->card, holder) != OK)
		return net_fail(verb, a->user, why, EXIT_REFUSED);
	(void)snprintf(sentence, sizeof sentence, "is on card %s: `kms allow --card %s --move` puts the user on this one",
	        holder, a->card);
	return net_fail(verb, a->user, sentence, EXIT_REFUSED);
}

static int allowed(const char *verb, const struct arguments *a, enum status st)
{
	struct db_card card;

	if (st == ERR_DENIED && db_card_get(a->db, a->card, &card, NULL) == OK && card.revoked == 0)
		return refuse_user(verb, a, "is another card's");
	return st == ERR_DENIED ? net_fail(verb, a->card, "is a lost card: its users need another", EXIT_REFUSED)
	                        : net_report(verb, a->card, st);
}

int kms_allow(struct arguments *a)
{
	enum status st;

	if (a->card == NULL || a->user == NULL || a->count != 0)
		return net_fail("kms allow", NULL, "needs --card ICCID and --user URI", EXIT_USAGE);
	if ((st = allow(a)) == OK)
		st = revoked_tell(a);
	return allowed("kms allow", a, st);
}

int kms_enrol(struct arguments *a)
{
	SECRET code = { 0 };
	SECRET key = { 0 };
	struct db_enrolment e = { .expires = net_now() + (uint64_t)a->valid };
	char identity[ENROL_IDENTITY_MAX], text[ENROL_CODE_TEXT];
	enum status st;

	if (a->card == NULL || a->user == NULL || a->count != 0 || a->valid < 1 || a->valid > ENROL_VALID_MAX ||
	        strlen(a->card) >= sizeof e.iccid || strlen(a->user) > PROSE_URI_MAX)
		return net_fail("kms enrol", NULL, "needs --card ICCID and --user URI; --valid is 1 to 31536000", EXIT_USAGE);
	(void)snprintf(e.iccid, sizeof e.iccid, "%s", a->card);
	(void)snprintf(e.uri, sizeof e.uri, "%s", a->user);
	if ((st = allow(a)) == OK && (st = rng_secret(&rng_system, &code, ENROL_CODE_LEN)) == OK &&
	        (st = enrol_key(&code, identity, &key)) == OK &&
	        (st = db_enrolment_add(a->db, net_now(), identity, &e, &key)) == OK) {
		enrol_text(&code, text);
		(void)printf("%s\n", text);
		secret_clean(text, sizeof text);
	}
	return allowed("kms enrol", a, st);
}

int kms_push(struct arguments *a)
{
	struct buf b = BUF_OF(net_output);
	char iccid[21], sentence[DB_SENTENCE_MAX];
	struct db_card card;
	enum status st;

	if (a->user == NULL || a->name == NULL || a->count != 0)
		return net_fail("kms push", NULL, "needs --user URI and --name FQDN", EXIT_USAGE);
	if ((st = db_user_card(a->db, a->user, iccid)) == ERR_DENIED)
		return net_fail("kms push", a->user, "is revoked: `kms allow` first", EXIT_REFUSED);
	if (st == OK && db_card_get(a->db, iccid, &card, NULL) == OK && card.duplicate_of[0] != 0) {
		db_card_duplicate(&card, sentence);
		return net_fail("kms push", iccid, sentence, EXIT_REFUSED);
	}
	if (st == OK && (st = join_push(a->db, net_now(), iccid, a->name, a->user, a->out == NULL, &b)) == ERR_NOT_FOUND)
		return net_fail(
		        "kms push", a->user, "its card has never bootstrapped: there is no IMPI to push to", EXIT_REFUSED);
	if (st == OK && a->out != NULL)
		st = net_write_file(a->out, buf_bytes(&b));
	return net_report("kms push", a->user, st);
}

int kms_revoke(struct arguments *a)
{
	enum { GROUPS_MAX = 256 };
	static struct db_member in[GROUPS_MAX];
	char iccid[21];
	size_t n = 0, of_user = 0;
	enum status st;

	if (a->user == NULL || a->count != 0)
		return net_fail("kms revoke", NULL, "needs --user URI", EXIT_USAGE);
	if ((st = db_user_card(a->db, a->user, iccid)) == ERR_DENIED)
		return net_fail("kms revoke", a->user, "is revoked already", EXIT_REFUSED);
	if (st == OK && (st = db_card_members(a->db, iccid, in, GROUPS_MAX, &n)) == OK)
		st = db_user_revoke(a->db, a->user, net_now());
	for (size_t i = 0; i < n; i++)
		if (strcmp(in[i].uri, a->user) == 0)
			in[of_user++] = in[i];
	if (st == OK)
		st = leave_groups(a, in, of_user);
	if (st == OK)
		st = revoked_tell(a);
	if (st == OK)
		(void)printf("%s: no key sets any more; those of the current period end with it\n", a->user);
	return net_report("kms revoke", a->user, st);
}

static void user_line(void *context, const struct db_user *u)
{
	const struct arguments *a = context;
	char since[32] = "";
	json_t *j;

	if (u->revoked != 0 || u->card_revoked != 0)
		time_text(u->revoked != 0 ? u->revoked : u->card_revoked, since);
	if (!a->json) {
		(void)printf("%-36s %-20s  %s%s", u->uri, u->iccid,
		        u->revoked != 0        ? "revoked "
		        : u->card_revoked != 0 ? "card lost "
		        : u->keys == 0         ? "no keys yet"
		                               : "",
		        since);
		if (u->keys > 0)
			(void)printf("%s%llu key set%s, last of period %llu, %s", *since != 0 ? "; " : "",
			        (unsigned long long)u->keys, u->keys == 1 ? "" : "s", (unsigned long long)u->period,
			        u->installed == u->period ? "installed"
			        : u->installed == 0       ? "not confirmed"
			                                  : "installed an earlier one");
		(void)putchar('\n');
		return;
	}
	j = json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I}", "user", u->uri, "iccid", u->iccid, "revoked",
	        (json_int_t)u->revoked, "card_revoked", (json_int_t)u->card_revoked, "key_sets", (json_int_t)u->keys, "period",
	        (json_int_t)u->period, "installed", (json_int_t)u->installed);
	(void)json_dumpf(j, stdout, JSON_COMPACT);
	(void)putchar('\n');
	json_decref(j);
}

int kms_status(struct arguments *a)
{
	if (a->count != 0)
		return net_fail("kms status", NULL, "takes no arguments", EXIT_USAGE);
	return net_report("kms status", NULL, db_user_each(a->db, user_line, a));
}

/* ---- other agencies ------------------------------------------------------------------------------------------------- */

int kms_certificate(struct arguments *a)
{
	KMS k = { 0 };
	struct kms_certificate_info c;
	struct buf b = BUF_OF(net_output);
	enum status st;

	if (a->out == NULL || a->count != 0)
		return net_fail("kms certificate", NULL, "needs --out FILE", EXIT_USAGE);
	if ((st = kms_load(a->db, &k)) == OK) {
		kms_describe(&k, &c);
		if ((st = kms_certificate_put(&c, &b)) == OK)
			st = net_write_file(a->out, buf_bytes(&b));
	}
	return net_report("kms certificate", a->out, st);
}

static bool read_certificate(const char *path, struct kms_certificate_info *c)
{
	FILE *f = fopen(path, "re");
	size_t n = f != NULL ? fread(net_output, 1, sizeof net_output, f) : 0;

	if (f != NULL)
		(void)fclose(f);
	return n > 0 && n < sizeof net_output && kms_certificate_parse((struct bytes){ net_output, n }, c) == OK;
}

int kms_trust(struct arguments *a)
{
	struct db_external_kms k = { 0 };
	struct kms_certificate_info c;
	char other[129], domain[129], sentence[300];
	const char *why;
	KMS own = { 0 };

	if (a->count != 1 || a->domain == NULL || strlen(a->domain) == 0 || strlen(a->domain) >= sizeof k.domain)
		return net_fail("kms trust", NULL, "needs FILE and --domain NAME", EXIT_USAGE);
	/* Which users it speaks for is ours to say, not its own. */
	if (!read_certificate(a->words[0], &c) || strlen(c.kms_uri) > SEALED_NAME_MAX)
		return net_fail("kms trust", a->words[0], "is no KmsCertificate (`kms certificate --out`, TS 33.180 annex D)",
		        EXIT_REFUSED);
	if ((why = kms_certificate_refused(&c, KMS_ROOT, c.kms_uri, net_now())) != NULL)
		return net_fail("kms trust", a->words[0], why, EXIT_REFUSED);
	(void)snprintf(k.uri, sizeof k.uri, "%s", c.kms_uri);
	(void)snprintf(k.domain, sizeof k.domain, "%s", a->domain);
	k.period = c.period;
	k.offset = c.offset;
	memcpy(k.keys, c.pub_enc_key, sizeof c.pub_enc_key);
	memcpy(k.keys + sizeof c.pub_enc_key, c.pub_auth_key, sizeof c.pub_auth_key);
	if (kms_load(a->db, &own) == OK && strcmp(own.record.uri, k.uri) == 0)
		return net_fail("kms trust", a->words[0], "is our own", EXIT_REFUSED);
	if (!a->move && db_external_kms_conflict(a->db, &k, other, domain) == OK) {
		(void)snprintf(sentence, sizeof sentence, "%s speaks for %s: --move if that is over", other, domain);
		return net_fail("kms trust", k.domain, sentence, EXIT_REFUSED);
	}
	return net_report("kms trust", k.domain, db_external_kms_set(a->db, &k, a->move));
}

/* ---- the log -------------------------------------------------------------------------------------------------------- */

static void log_line(void *context, const struct kms_log_entry *e)
{
	const struct arguments *a = context;
	char when[32];
	json_t *j;

	time_text(e->at, when);
	if (!a->json) {
		(void)printf("%6llu  %s  %-20s  period %llu  %s\n", (unsigned long long)e->number, when, e->iccid,
		        (unsigned long long)e->period, e->uri);
		return;
	}
	j = json_pack("{s:I, s:s, s:s, s:I, s:s}", "number", (json_int_t)e->number, "at", when, "iccid", e->iccid, "period",
	        (json_int_t)e->period, "uri", e->uri);
	(void)json_dumpf(j, stdout, JSON_COMPACT);
	(void)putchar('\n');
	json_decref(j);
}

static int broken_at(uint64_t number)
{
	char text[40];

	(void)snprintf(text, sizeof text, "entry %llu", (unsigned long long)number);
	return net_fail("kms log", text, "does not fit those before it: the log has been changed", EXIT_REFUSED);
}

static int export_head(struct arguments *a)
{
	struct kms_head h;
	char hash[2 * sizeof h.hash + 1], signature[2 * sizeof h.signature + 1];
	uint64_t broken = 0;
	int rc = net_clock("kms log", a);
	enum status st;
	json_t *j;
	char *text;

	if (rc != 0)
		return rc;
	if ((st = db_clock_issue(a->db, net_now())) == OK)
		st = kms_head_sign(a->db, net_now(), &h, &broken);
	if (st == OK && broken != 0)
		return broken_at(broken);
	if (st == OK) {
		j = json_pack("{s:I, s:I, s:s, s:s}", "entries", (json_int_t)h.entries, "at", (json_int_t)h.at, "head",
		        hex_encode(BYTES_OF(h.hash), hash), "signature", hex_encode(BYTES_OF(h.signature), signature));
		text = json_dumps(j, JSON_INDENT(2));
		st = text != NULL ? net_write_file(a->out, bytes_str(text)) : ERR_NO_SPACE;
		free(text);
		json_decref(j);
	}
	return net_report("kms log", a->out, st);
}

static int verify_head(struct arguments *a)
{
	struct kms_head h;
	json_t *j = json_load_file(a->verify, JSON_REJECT_DUPLICATES, NULL);
	json_int_t entries = -1, at = -1;
	const char *hash = "", *signature = "";
	uint64_t broken = 0;
	bool ok = j != NULL &&
	          json_unpack(j, "{s:I, s:I, s:s, s:s}", "entries", &entries, "at", &at, "head", &hash, "signature",
	                  &signature) == 0 &&
	          entries >= 0 && at >= 0 && octets_of(hash, h.hash, sizeof h.hash) &&
	          octets_of(signature, h.signature, sizeof h.signature);
	enum status st;

	json_decref(j);
	if (!ok)
		return net_fail("kms log", a->verify, "is no head that `kms log --out FILE` has written", EXIT_REFUSED);
	h.entries = (uint64_t)entries;
	h.at = (uint64_t)at;
	if ((st = kms_head_verify(a->db, &h, &broken)) == ERR_CRYPTO)
		return net_fail("kms log", a->verify, "is not signed by this KMS", EXIT_REFUSED);
	if (broken != 0)
		return broken_at(broken);
	if (st == ERR_NOT_FOUND)
		return net_fail("kms log", a->verify, "this log does not contain that head: entries were changed or taken away",
		        EXIT_REFUSED);
	if (st == OK)
		(void)printf("%s: the log begins with those %llu entries\n", a->verify, (unsigned long long)h.entries);
	return net_report("kms log", a->verify, st);
}

static int show_log(struct arguments *a)
{
	struct kms_log_entry last;
	char text[2 * sizeof last.hash + 1];
	uint64_t broken;
	enum status st = kms_log_read(a->db, log_line, a, &last, &broken);

	if (st != OK)
		return net_report("kms log", NULL, st);
	if (broken != 0)
		return broken_at(broken);
	if (!a->json)
		(void)printf("%llu extraction%s, head %s\n", (unsigned long long)last.number, last.number == 1 ? "" : "s",
		        hex_encode(BYTES_OF(last.hash), text));
	return 0;
}

int kms_show_log(struct arguments *a)
{
	return a->out != NULL ? export_head(a) : a->verify != NULL ? verify_head(a) : show_log(a);
}
