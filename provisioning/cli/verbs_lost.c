/* SPDX-License-Identifier: Apache-2.0 */
/* prose-net card revoke: a lost card out of everything, and one report. First it gets nothing any more (one transaction), then
 * each group gets a key without it (one transaction each): whatever ends this in between, the next run goes on from there. */
#include <stdio.h>
#include <string.h>

#include "apdu/base/text.h"
#include "provisioning/campaign/campaign.h"
#include "provisioning/campaign/clock.h"
#include "provisioning/cli/lost_report.h"
#include "provisioning/cli/net.h"

struct errors {
	struct {
		char group[129];
		const char *why;
	} list[64];
	size_t n;
};

/* ---- which card ------------------------------------------------------------------------------------------------------- */

static int by_imsi(struct arguments *a, const char *word, char iccid[21])
{
	char other[21], sentence[DB_SENTENCE_MAX];
	enum status st = db_card_by_imsi(a->db, word, iccid);

	if (st == ERR_NOT_FOUND)
		return net_fail("card revoke", word, "is no IMSI of a card here", EXIT_REFUSED);
	if (st == OK && db_lost_duplicate(a->db, word, other) == OK) {
		(void)snprintf(sentence, sizeof sentence, "is the IMSI of cards %s and %s: name the lost one by its ICCID",
		        iccid, other);
		return net_fail("card revoke", word, sentence, EXIT_REFUSED);
	}
	return net_report("card revoke", word, st);
}

/* The card that the user has now need not be the one that is lost. */
static int by_user(struct arguments *a, const char *word, char iccid[21])
{
	char before[21], sentence[DB_SENTENCE_MAX];
	enum status st = db_user_card(a->db, word, iccid);

	if (st == ERR_NOT_FOUND)
		return net_fail("card revoke", word, "is no ICCID, no IMSI and no user here (`kms status`)", EXIT_REFUSED);
	if ((st == OK || st == ERR_DENIED) && db_lost_before(a->db, word, iccid, before) == OK) {
		(void)snprintf(sentence, sizeof sentence,
		        "has card %s, and had card %s, which is revoked: name the lost one by its ICCID", iccid, before);
		return net_fail("card revoke", word, sentence, EXIT_REFUSED);
	}
	return net_report("card revoke", word, st == ERR_DENIED ? OK : st); /* revoked, but known */
}

static int find(struct arguments *a, char iccid[21], struct db_card *card)
{
	const char *word = a->words[0];
	size_t n = strlen(word);
	int rc = 0;

	if (n == 0 || strspn(word, "0123456789") != n)
		rc = by_user(a, word, iccid);
	else if (n < sizeof card->imsi)
		rc = by_imsi(a, word, iccid);
	else if (!text_put(iccid, 21, "%s", word))
		iccid[0] = 0; /* longer than an ICCID */
	if (rc != 0)
		return rc;
	if (db_card_get(a->db, iccid, card, NULL) == ERR_NOT_FOUND)
		return net_fail("card revoke", word, "is no card of this database", EXIT_REFUSED);
	return 0;
}

/* ---- the card --------------------------------------------------------------------------------------------------------- */

struct told {
	bool open_or_done;
};

static void look(void *context, const struct campaign_result *t)
{
	struct told *told = context;

	told->open_or_done = t->state == TASK_OPEN || t->state == TASK_DONE;
}

/* It locks itself, which ends all that its keys are good for; a year long it is told so. */
static enum status order_to_lock(struct arguments *a, const char *iccid, const char *name, char *reason, size_t n)
{
	const struct campaign_order o = { .name = name,
		.job = "{\"tar\": \"000000\", \"commands\": [\"80F0807F00\"], \"repeat\": true}",
		.like = iccid,
		.abort = 1000,
		.retries = 20,
		.answer = 60,
		.valid = 31536000,
		.spi2 = SPI2_DEFAULT };
	uint64_t cards;

	return campaign_create(a->db, &o, clock_ms(), &cards, reason, n);
}

/* Once; again, under the next name, if that has failed. */
static enum status tell_card(struct arguments *a, const char *iccid, char *reason, size_t n)
{
	char first[LOST_CAMPAIGN_MAX + 1], name[LOST_CAMPAIGN_MAX + 1];
	struct campaign c;
	enum status st;

	lost_campaign_name(iccid, first);
	for (unsigned i = 1; i < 1000; i++) {
		struct told told = { false };

		(void)snprintf(name, sizeof name, i == 1 ? "%s" : "%s %u", first, i);
		if ((st = campaign_get(a->db, name, &c)) == ERR_NOT_FOUND)
			return order_to_lock(a, iccid, name, reason, n);
		TRY(st);
		TRY(campaign_results(a->db, name, look, &told));
		if (told.open_or_done)
			return OK;
	}
	return ERR_NO_SPACE;
}

/* ---- what is done ----------------------------------------------------------------------------------------------------- */

static enum status note(struct arguments *a, const char *iccid, const char *what)
{
	char campaign[LOST_CAMPAIGN_MAX + 1];

	lost_campaign_name(iccid, campaign);
	return db_lost_note(a->db, iccid, clock_ms(), campaign, what);
}

static enum status note_shut_out(struct arguments *a, const char *iccid, const struct lost *l)
{
	char what[CAMPAIGN_REASON_MAX];

	(void)snprintf(what, sizeof what, "shut out; %llu contexts, %llu items, %llu codes, %llu campaigns withdrawn",
	        (unsigned long long)l->dropped.contexts, (unsigned long long)l->dropped.items,
	        (unsigned long long)l->dropped.codes, (unsigned long long)l->dropped.tasks);
	return note(a, iccid, what);
}

/* What is done so far is so, whatever comes. */
static enum status keep(struct arguments *a)
{
	if (a->dry_run)
		return OK;
	TRY(db_commit(a->db));
	return db_begin(a->db);
}

static enum status new_key(struct arguments *a, const char *iccid, const char *group)
{
	char what[CAMPAIGN_REASON_MAX + 40];
	uint64_t n = 0;

	TRY(lost_rekey(a->db, net_now(), group, (uint64_t)a->valid));
	TRY(db_group_issued(a->db, group, &n));
	(void)snprintf(what, sizeof what, "key %llu of %s goes without it", (unsigned long long)n, group);
	return note(a, iccid, what);
}

/* A group that gets none does not stop the others; a machine that fails does. */
static enum status new_keys(struct arguments *a, const char *iccid, struct errors *e)
{
	char group[129] = "";
	enum status st;

	while ((st = db_lost_pending(a->db, iccid, group)) == OK) {
		enum status made = new_key(a, iccid, group);

		if (status_failed(made) || made == ERR_BUG)
			return made;
		if (made != OK && e->n < sizeof e->list / sizeof *e->list) {
			(void)snprintf(e->list[e->n].group, sizeof e->list[0].group, "%s", group);
			e->list[e->n++].why = lost_why_no_key(a->db, group, made);
		}
		if (made != OK && !a->dry_run) {
			TRY(db_rollback(a->db));
			TRY(db_begin(a->db));
		}
		TRY(keep(a));
	}
	return st == ERR_NOT_FOUND ? OK : st;
}

/* ---- what is said ----------------------------------------------------------------------------------------------------- */

static void say_errors(json_t *groups, const struct errors *e)
{
	json_t *g;
	size_t i;

	json_array_foreach (groups, i, g) {
		for (size_t k = 0; k < e->n; k++)
			if (strcmp(json_string_value(json_object_get(g, "group")), e->list[k].group) == 0) {
				(void)json_object_set_new(g, "error", json_string(e->list[k].why));
				(void)json_object_set_new(g, "new_key", json_integer(0));
			}
	}
}

static int say(
        struct arguments *a, const struct db_card *before, const char *iccid, const struct lost *l, const struct errors *e)
{
	json_t *j;
	enum status st = lost_report(a->db, net_now(), iccid, &j);

	if (st != OK)
		return net_report("card revoke", iccid, st);
	(void)json_object_set_new(j, "now", json_integer((json_int_t)net_now()));
	(void)json_object_set_new(j, "dry_run", json_boolean(a->dry_run));
	(void)json_object_set_new(j, "already", json_boolean(before->revoked != 0));
	(void)json_object_set_new(j, "list_full", json_boolean(l->list_full));
	(void)json_object_set_new(j, "dropped",
	        json_pack("{s:I, s:I, s:I, s:I, s:I}", "contexts", (json_int_t)l->dropped.contexts, "last",
	                (json_int_t)l->dropped.last, "items", (json_int_t)l->dropped.items, "codes",
	                (json_int_t)l->dropped.codes, "tasks", (json_int_t)l->dropped.tasks));
	say_errors(json_object_get(j, "groups"), e);
	if (!a->json)
		lost_report_print(j);
	else if (json_dumpf(j, stdout, JSON_COMPACT) == 0)
		(void)putchar('\n');
	json_decref(j);
	return e->n > 0 ? EXIT_REFUSED : 0;
}

int card_revoke(struct arguments *a)
{
	static struct errors errors;
	const bool listen = a->listening != NULL && strcmp(a->listening, "listen") == 0;
	struct db_card card;
	struct lost lost;
	char iccid[21], name[LOST_CAMPAIGN_MAX + 1], reason[200] = "";
	enum status st;
	int rc;

	if (a->count != 1 || (a->listening != NULL && !listen && strcmp(a->listening, "strict") != 0))
		return net_fail("card revoke", NULL, "needs ICCID, IMSI or USER; --listening is strict or listen", EXIT_USAGE);
	if ((rc = find(a, iccid, &card)) != 0)
		return rc;
	lost_campaign_name(iccid, name);
	st = lost_shut_out(a->db, net_now(), iccid, !listen, name, &lost);
	if (st == OK && card.revoked == 0)
		st = note_shut_out(a, iccid, &lost);
	if (st == OK)
		st = tell_card(a, iccid, reason, sizeof reason);
	if (st == OK)
		st = keep(a);
	if (st == OK)
		st = new_keys(a, iccid, &errors);
	if (st != OK)
		return reason[0] != 0 ? net_fail("card revoke", iccid, reason, EXIT_REFUSED)
		                      : net_report("card revoke", iccid, st);
	rc = say(a, &card, iccid, &lost, &errors);
	if (a->dry_run && (db_rollback(a->db) != OK || db_begin(a->db) != OK))
		return net_report("card revoke", iccid, ERR_IO);
	return rc;
}
