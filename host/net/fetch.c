/* SPDX-License-Identifier: Apache-2.0 */
/* prose-ue group fetch and listen: what waits for this card at its operator, by HTTPS under a key of GBA's, now or when it
 * comes; each item is confirmed when the card has it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "apdu/push.h"
#include "apdu/sealed.h"
#include "apdu/sw.h"
#include "host/cli/cli.h"
#include "host/net/gba.h"

enum { ITEMS_MAX = 1000 };

/* An item that the card has seen before is one whose confirmation was lost. */
static bool has_it(const struct arguments *a, enum prose_result r)
{
	return r == PROSE_OK || (r == PROSE_REFUSED && prose_card_status(a->card) == SW_PROSE_REPLAY);
}

static enum prose_result hand_over(struct arguments *a, struct bytes item)
{
	struct prose_gmk g;
	enum prose_result r;
	size_t done = 0;

	if (item.n >= 2 && bytes_uint((struct bytes){ item.p, 2 }) == TAG_PUSH) {
		r = take_push(a, item, &done);
		if (r == PROSE_OK)
			(void)printf("%zu pushed objects installed\n", done);
		return r;
	}
	if (item.n >= 2 && bytes_uint((struct bytes){ item.p, 2 }) == TAG_SEALED) {
		r = install_objects(a, item, &done);
		if (r == PROSE_OK)
			(void)printf("sealed object installed\n");
		return r;
	}
	r = prose_import_gmk(a->card, now_seconds(), item.p, item.n, &g);
	if (r == PROSE_OK)
		print_gmk(a, &g);
	return r;
}

/* One item. 0 and *more, or an exit code and a sentence. */
static int one(struct arguments *a, struct exchange *x, const char *from, bool *more)
{
	char path[100];
	enum prose_result r;
	int refused = 0;

	x->post = false;
	if (!gba_talk(x, from))
		return EXIT_FAILURE;
	*more = x->status == 200;
	if (!*more)
		return x->status == 204 ? 0 : gba_refused(x->url, "this is no group manager");
	r = hand_over(a, (struct bytes){ x->answer, x->n });
	if (!has_it(a, r) && r != PROSE_REFUSED && r != PROSE_REPLAYED && r != PROSE_FORMAT && r != PROSE_NO_SPACE)
		return ue_complain(a, "group fetch", x->url, r);
	(void)snprintf(path, sizeof path, "/outbox/v1/done/%s", x->item);
	if (!has_it(a, r)) { /* it would be refused again, and what is behind it would wait for ever */
		(void)ue_complain(a, "group fetch", "the card refuses an item", r);
		refused = EXIT_REFUSED;
		(void)snprintf(path, sizeof path, "/outbox/v1/done/%s/%04x", x->item,
		        r == PROSE_REPLAYED  ? SW_PROSE_REPLAY
		        : r == PROSE_REFUSED ? prose_card_status(a->card)
		                             : SW_WRONG_DATA);
	}
	x->post = true;
	x->body = (struct bytes){ 0 };
	if (!gba_talk(x, path))
		return EXIT_FAILURE;
	return x->status == 204 ? refused : gba_refused(x->url, "it does not take the confirmation");
}

int fetch_items(struct arguments *a, struct exchange *x)
{
	bool more = true;
	int rc = 0;

	for (int i = 0; (rc == 0 || rc == EXIT_REFUSED) && more && i < ITEMS_MAX; i++) {
		int last = one(a, x, "/outbox/v1/next", &more);

		rc = last != 0 ? last : rc;
	}
	return rc;
}

/* The server answers when there is something, and every few seconds when there is not. */
static int listen_once(struct arguments *a, struct exchange *x, uint64_t seconds)
{
	char path[40];
	bool more;
	int rc;

	(void)snprintf(
	        path, sizeof path, "/outbox/v1/wait/%u", (unsigned)(seconds < HTTP_HOLD_SECONDS ? seconds : HTTP_HOLD_SECONDS));
	x->status = 0;
	rc = one(a, x, path, &more);
	(void)fflush(stdout);
	return rc;
}

/* A server that is away, or does not know this B-TID any more, is met again under a new one. */
static int listen_for_items(struct arguments *a, struct gba *g)
{
	const uint64_t end = now_seconds() + (uint64_t)(a->seconds > 0 ? a->seconds : 0);
	bool lost = false;
	int rc = 0;

	for (uint64_t now = now_seconds(); now < end; now = now_seconds()) {
		int last;

		if (lost) {
			(void)sleep(1);
			gba_wipe(g);
			lost = gba_connect(a, a->from, g) != 0;
			continue;
		}
		last = listen_once(a, &g->exchange, end - now);
		lost = last != 0 && g->exchange.status != 200 && g->exchange.status != 204;
		if (last == EXIT_REFUSED && !lost)
			rc = last; /* of this item; others may come */
		else if (last != 0 && !lost)
			return last;
	}
	return lost ? EXIT_FAILURE : rc;
}

int group_fetch(struct arguments *a)
{
	const bool listens = strcmp(a->words[0], "listen") == 0;
	GBA g = { 0 };
	int rc;

	if (a->from == NULL || a->naf == NULL)
		return usage_error("group fetch", "(and listen) needs --from and --naf");
	rc = gba_connect(a, a->from, &g);
	if (rc == 0 && listens) {
		(void)printf("listening\n");
		(void)fflush(stdout);
	}
	return rc != 0 ? rc : listens ? listen_for_items(a, &g) : fetch_items(a, &g.exchange);
}
