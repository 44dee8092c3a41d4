/* SPDX-License-Identifier: Apache-2.0 */
/* prose-ue announce, discover: simulated PC5 as UDP multicast with the real 29 octets. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apdu/base/text.h"
#include "apdu/prose.h"
#include "host/cli/cli.h"

int verb_announce(struct arguments *a)
{
	struct multicast pc5;
	uint8_t frame[PROSE_FRAME];
	enum prose_result r = PROSE_OK;

	if (a->name == NULL || !multicast_open(a->pc5, false, &pc5))
		return usage_error("announce", "needs --name and --pc5 as multicast ADDRESS:PORT");
	r = prose_serving_plmn(a->card, a->plmn);
	for (long i = 0; r == PROSE_OK && i < a->count; i++) {
		if (i > 0)
			(void)poll(NULL, 0, 500);
		if ((r = prose_announce(a->card, now_seconds(), a->name, frame)) == PROSE_OK &&
		        !multicast_send(&pc5, frame, sizeof frame))
			r = PROSE_IO;
	}
	multicast_close(&pc5);
	return r == PROSE_OK ? 0 : ue_complain(a, "announce", a->name, r);
}

static void report(const struct arguments *a, const struct prose_match *m)
{
	char name[TEXT_JSON(PROSE_NAME_MAX)];

	if (a->json)
		(void)printf("{\"name\": %s, \"slot\": %llu, \"us\": %llu}\n", text_json(m->name, name, sizeof name),
		        (unsigned long long)m->slot, (unsigned long long)now_microseconds());
	else
		(void)printf("%s is near (slot %llu)\n", m->name, (unsigned long long)m->slot);
	(void)fflush(stdout);
}

int verb_discover(struct arguments *a)
{
	uint64_t end;
	struct prose_watch *watch = NULL;
	struct prose_match match;
	struct multicast pc5;
	uint8_t frame[64];
	long frames = 0, matches = 0, ignored = 0;
	enum prose_result r;

	if (!multicast_open(a->pc5, true, &pc5))
		return usage_error("discover", "needs --pc5 as multicast ADDRESS:PORT");
	if ((r = prose_serving_plmn(a->card, a->plmn)) == PROSE_OK)
		r = prose_watch_new(&watch);
	if (r == PROSE_OK)
		r = prose_watch_update(watch, a->card, now_seconds());
	(void)printf(a->json ? "{\"watching\": %zu}\n" : "watching, %zu values in the index\n",
	        r == PROSE_OK ? prose_watch_size(watch) : 0);
	(void)fflush(stdout);
	end = now_microseconds() + (uint64_t)a->seconds * 1000000;
	while (r == PROSE_OK && now_microseconds() < end && (a->count == 0 || matches < a->count)) {
		long n;

		if ((r = prose_watch_update(watch, a->card, now_seconds())) != PROSE_OK)
			break;
		n = multicast_receive(&pc5, frame, sizeof frame, 50);
		if (n <= 0)
			continue;
		if (n != PROSE_FRAME) {
			ignored++;
			continue;
		}
		frames++;
		r = prose_watch_frame(watch, a->card, now_seconds(), frame, &match);
		if (r == PROSE_OK) {
			matches++;
			report(a, &match);
		} else if (r == PROSE_NOT_FOUND || r == PROSE_REFUSED) { /* anybody can send a frame */
			ignored += r == PROSE_REFUSED;
			r = PROSE_OK;
		}
	}
	(void)printf(a->json ? "{\"frames\": %ld, \"matches\": %ld, \"ignored\": %ld}\n"
	                     : "%ld frames heard, %ld matches, %ld ignored\n",
	        frames, matches, ignored);
	prose_watch_free(&watch);
	multicast_close(&pc5);
	return r == PROSE_OK ? 0 : ue_complain(a, "discover", NULL, r);
}
