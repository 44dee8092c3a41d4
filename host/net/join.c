/* SPDX-License-Identifier: Apache-2.0 */
/* prose-ue group create, invitation, join and expel: groups whose keys the network makes and pushes (seed S-3.2); and what a
 * phone does with a pushed message. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apdu/gba.h"
#include "apdu/push.h"
#include "crypto/common/hash.h"
#include "apdu/base/text.h"
#include "host/cli/cli.h"
#include "host/net/gba.h"

enum { USERS_MAX = 256, INVITATION_LIFE = 86400, REQUEST_LIFE = 600 };

/* ---- push ----------------------------------------------------------------------------------------------------------- */

/* The message is the network's: its MAC is under the key that the card has just made. */
static bool genuine(const struct push *p, const struct secret *external)
{
	uint8_t mac[SHA256_LEN];

	return hmac_sha256(secret_bytes(external), &p->maced, 1, mac) == OK &&
	       secret_equals((struct bytes){ mac, PUSH_MAC_LEN }, p->mac);
}

enum prose_result take_push(struct arguments *a, struct bytes message, size_t *done)
{
	SECRET external = { .len = 32 };
	char impi[IMPI_MAX];
	struct prose_aka k;
	struct push p;
	enum prose_result r;
	bool ok;

	if (push_parse(message, &p) != OK)
		return PROSE_FORMAT;
	if (p.expires <= now_seconds())
		return PROSE_REPLAYED;
	if ((r = gba_impi(a, impi)) != PROSE_OK || (r = prose_gba_bootstrap(a->card, p.rand.p, p.autn.p, &k)) != PROSE_OK)
		return r;
	ok = !k.synchronisation_failure; /* else seen before, or overtaken by others: nothing has changed */
	secret_clean(&k, sizeof k);
	if (!ok)
		return PROSE_REPLAYED;
	if ((r = prose_gba_naf_key(a->card, p.naf_id.p, p.naf_id.n, impi, external.data)) != PROSE_OK)
		return r;
	return genuine(&p, &external) ? install_objects(a, p.objects, done) : PROSE_FORMAT;
}

int gba_push(struct arguments *a)
{
	static uint8_t content[PUSH_MAX];
	enum prose_result r;
	size_t n, done = 0;

	if (!read_file("gba push", a->words[1], content, sizeof content, &n))
		return EXIT_FAILURE;
	if ((r = take_push(a, (struct bytes){ content, n }, &done)) != PROSE_OK)
		return ue_complain(a, "gba push", a->words[1], r);
	(void)printf("%zu pushed object%s installed\n", done, done == 1 ? "" : "s");
	return 0;
}

/* ---- what the card vouches for -------------------------------------------------------------------------------------- */

/* 0: none, one that is too long to be a URI, or no such file. */
static size_t read_users(const char *path, char users[USERS_MAX][129])
{
	FILE *f = fopen(path, "re");
	char line[256];
	size_t n = 0;

	while (f != NULL && n < USERS_MAX && fgets(line, sizeof line, f) != NULL) {
		line[strcspn(line, "\r\n")] = 0;
		if (line[0] != 0 && !text_put(users[n++], 129, "%s", line)) {
			n = 0;
			break;
		}
	}
	if (f != NULL)
		(void)fclose(f);
	return n;
}

struct wish {
	enum vouched_type type;
	const char *const *users;
	size_t user_count;
	struct bytes invitation;
	uint64_t life;
};

/* Bootstrap, and let the card make the message. 0, or an exit code and a sentence. */
static int vouch(struct arguments *a, struct gba *g, const struct wish *w, uint8_t *out, size_t *n)
{
	int rc = gba_connect(a, a->from != NULL ? a->from : "https://nobody", g);
	enum prose_result r;

	if (rc != 0)
		return rc;
	r = prose_vouch(a->card, w->type, a->words[1], a->user, strchr(g->identity, ';') + 1, w->users, w->user_count,
	        now_seconds() + w->life, w->invitation.p, w->invitation.n, out, n);
	return r == PROSE_OK ? 0 : ue_complain(a, "group", a->words[1], r);
}

static int ask(struct arguments *a, const struct wish *w)
{
	static uint8_t message[VOUCHED_MAX];
	GBA g = { 0 };
	size_t n = sizeof message;
	int rc = vouch(a, &g, w, message, &n);

	if (rc != 0)
		return rc;
	g.exchange.post = true;
	g.exchange.body = (struct bytes){ message, n };
	if (!gba_talk(&g.exchange, "/groups/v1/vouched"))
		return EXIT_FAILURE;
	if (g.exchange.status == 204)
		return w->type == VOUCHED_REMOVE ? 0 : fetch_items(a, &g.exchange);
	g.exchange.answer[g.exchange.n < sizeof g.exchange.answer ? g.exchange.n : sizeof g.exchange.answer - 1] = 0;
	return gba_refused(
	        a->from, g.exchange.status == 403 && g.exchange.n > 0 ? (char *)g.exchange.answer : "this is no group manager");
}

static int invitation(struct arguments *a)
{
	uint8_t message[VOUCHED_MAX];
	GBA g = { 0 };
	const struct wish w = { .type = VOUCHED_INVITATION,
		.users = &a->words[2],
		.user_count = 1,
		.life = a->valid > 0 ? (uint64_t)a->valid : INVITATION_LIFE };
	size_t n = sizeof message;
	int rc = vouch(a, &g, &w, message, &n);

	if (rc != 0)
		return rc;
	return write_private(a->out, message, n) ? 0 : usage_error("group invitation", "--out cannot be written");
}

static int create(struct arguments *a)
{
	static char lines[USERS_MAX][129];
	static const char *users[USERS_MAX];
	struct wish w = { .type = VOUCHED_CREATE, .users = users, .life = REQUEST_LIFE };

	if (a->members != NULL && (w.user_count = read_users(a->members, lines)) == 0)
		return usage_error(
		        "group create", "--members has no users, or one of more than 128 characters, or cannot be read");
	for (size_t i = 0; i < w.user_count; i++)
		users[i] = lines[i];
	return ask(a, &w);
}

static int join(struct arguments *a)
{
	static uint8_t content[VOUCHED_MAX];
	struct wish w = { .type = VOUCHED_JOIN, .life = REQUEST_LIFE };
	size_t n = 0;

	if (a->word_count == 3) {
		if (!read_file("group join", a->words[2], content, sizeof content, &n))
			return EXIT_FAILURE;
		w.invitation = (struct bytes){ content, n };
	}
	return ask(a, &w);
}

static int expel(struct arguments *a)
{
	const struct wish w = {
		.type = VOUCHED_REMOVE, .users = &a->words[2], .user_count = a->word_count - 2, .life = REQUEST_LIFE
	};

	return ask(a, &w);
}

const struct group_verb group_verbs[] = {
	{ "create", create, 2, 2, true, false },
	{ "invitation", invitation, 3, 3, false, true },
	{ "join", join, 2, 3, true, false },
	{ "expel", expel, 3, WORDS_MAX, true, false },
	{ NULL, NULL, 0, 0, false, false },
};

int group_join(struct arguments *a, const struct group_verb *v)
{
	if (a->word_count < v->words_min || a->word_count > v->words_max || a->user == NULL || a->naf == NULL ||
	        (v->online && a->from == NULL) || (v->writes && a->out == NULL))
		return usage_error("group",
		        "create GROUP, invitation GROUP USER, join GROUP [INVITATION] and expel GROUP USER need --user and --naf,"
		        " and --from or (invitation) --out");
	return v->run(a);
}
