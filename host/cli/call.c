/* SPDX-License-Identifier: Apache-2.0 */
/* prose-ue call start|join: the key press, the offer, the media. */
#include "host/cli/call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/talk.h"

/* An older card's offers say nothing of where the media go: who joins must know. */
static bool binds(const struct prose_state *s)
{
	return s->interface_major > 1 || (s->interface_major == 1 && s->interface_minor >= 1);
}

/* Where the media and the offers go. */
static bool open_both(struct talk *t)
{
	return multicast_open(t->a->media, false, &t->out) && media_at_of(t->out.address, t->out.port, t->media_at) &&
	       ((t->media->policy & PROSE_POLICY_DIRECT) != 0 || multicast_open(t->a->offers, false, &t->offers));
}

static int call_start(struct arguments *a)
{
	static struct media media;
	static struct talk t;
	struct prose_state warm;
	struct bytes samples;
	uint64_t pressed;
	enum prose_result r;

	if (a->group == NULL || a->audio == NULL || a->media == NULL)
		return usage_error("call start", "needs --group, --audio, --media, and --offers unless the group is `direct`");
	if (!talk_audio(a, "call start", &samples))
		return EXIT_FAILURE;
	media = (struct media){ .card = a->card };
	t = (struct talk){ .a = a, .sequence = 1, .media = &media, .offers = { .fd = -1 }, .out = { .fd = -1 } };
	/* A phone has its card open and PIN verified long before the key is pressed. */
	if ((r = prose_state_read(a->card, &warm)) != PROSE_OK)
		return ue_complain(a, "call start", NULL, r);
	t.binds = binds(&warm);
	media.policy = media_policy(a->card, a->group);
	if (!open_both(&t))
		return usage_error("call start", "--media and --offers are multicast ADDRESS:PORT");
	pressed = now_microseconds();
	media.session.ssrc = (uint32_t)(pressed * 2654435761U >> 3) | 1;
	r = talk_begin(&t, samples, pressed);
	if (media.asked > 0)
		(void)printf("{\"event\": \"ciphered\", \"packets\": %lu, \"p99_us\": %lu}\n", media.asked, media_p99(&media));
	media_close(&media);
	multicast_close(&t.out);
	multicast_close(&t.offers);
	return r == PROSE_OK ? 0 : ue_complain(a, "call start", a->group, r);
}

int verb_call(struct arguments *a)
{
	if (a->word_count == 1 && strcmp(a->words[0], "start") == 0)
		return call_start(a);
	if (a->word_count == 1 && strcmp(a->words[0], "join") == 0)
		return call_join(a);
	return usage_error("call", "say `call start` or `call join`");
}
