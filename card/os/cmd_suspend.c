/* SPDX-License-Identifier: Apache-2.0 */
/* SUSPEND UICC (TS 102 221 11.1.22): the terminal may take the power away and find channels, selections and verified PINs
 * again. The state waits in memory behind a token; the first command after a reset is either the resumption or its end. The
 * card has no clock while it has no power, so how long it slept is the terminal's to know. */
#include "apdu/files.h"
#include "card/os/suspend.h"

#include <stdlib.h>
#include <string.h>

#include "apdu/base/duration.h"
#include "card/os/card.h"
#include "card/os/commands.h"

enum { TOKEN_LEN = 8, UMPC_FLAGS = 2, UMPC_SUSPEND = 0x02, P1_SUSPEND = 0, P1_RESUME = 1 };

struct suspension {
	uint8_t token[TOKEN_LEN];
	bool reset_seen;
	struct channel channel[CHANNELS + 1];
	void *transient[APPLETS_MAX];
	uint8_t pins_verified;
	bool terminal_profile;
	struct cat cat;
};

static void swap_memory(struct applet *a, void **other)
{
	void *own = a->transient;

	a->transient = *other;
	*other = own;
}

void suspension_drop(struct card *card)
{
	struct suspension *s = card->suspension;

	if (s == NULL)
		return;
	for (unsigned i = 0; i <= CHANNELS; i++)
		channel_init(&s->channel[i], i, false);
	for (size_t i = 0; i < card->applet_count; i++)
		if (s->transient[i] != NULL) {
			swap_memory(&card->applet[i], &s->transient[i]);
			applet_forget(&card->applet[i]); /* what it keeps on the heap, too */
			swap_memory(&card->applet[i], &s->transient[i]);
			free(s->transient[i]);
		}
	secret_clean(s, sizeof *s);
	free(s);
	card->suspension = NULL;
}

/* The state moves over; card_reset then finds nothing to wipe. Without memory there is nothing to resume. */
void suspension_keep(struct card *card)
{
	struct suspension *s = card->suspension;

	if (s == NULL || s->reset_seen)
		return;
	s->reset_seen = true;
	memcpy(s->channel, card->channel, sizeof s->channel);
	memset(card->channel, 0, sizeof card->channel);
	s->pins_verified = card->pins_verified;
	s->terminal_profile = card->terminal_profile;
	s->cat = card->cat;
	for (size_t i = 0; i < card->applet_count; i++) {
		size_t n = card->applet[i].class->transient_len;

		if (n == 0)
			continue;
		if ((s->transient[i] = calloc(1, n)) == NULL) {
			suspension_drop(card);
			return;
		}
		swap_memory(&card->applet[i], &s->transient[i]);
	}
}

void suspension_end(struct card *card, const struct command_apdu *a)
{
	bool resumes = a->ins == INS_SUSPEND_UICC && a->p1 == P1_RESUME;
	bool fetches_token = a->ins == INS_GET_RESPONSE && card->suspension != NULL && !card->suspension->reset_seen;

	if (!resumes && !fetches_token)
		suspension_drop(card);
}

static enum sw suspend(struct command *c)
{
	struct card *card = c->card;
	uint32_t min, max;
	struct suspension *s;

	if (c->data.n != 2 * DURATION_LEN)
		return SW_WRONG_LENGTH;
	min = duration_seconds(c->data.p);
	max = duration_seconds(c->data.p + DURATION_LEN);
	if (min == 0 || max < min)
		return SW_WRONG_DATA;
	if (card->cat.fetched)
		return SW_CONDITIONS_NOT_SATISFIED; /* a proactive command is with the terminal */
	suspension_drop(card);
	if ((s = calloc(1, sizeof *s)) == NULL || rng_fill(card->env.rng, s->token, TOKEN_LEN) != OK) {
		free(s);
		return SW_TECHNICAL_PROBLEM;
	}
	card->suspension = s;
	buf_put(c->rsp, (struct bytes){ c->data.p + DURATION_LEN, DURATION_LEN });
	buf_put(c->rsp, BYTES_OF(s->token));
	return SW_OK;
}

static enum sw resume(struct command *c)
{
	struct card *card = c->card;
	struct suspension *s = card->suspension;

	if (c->data.n != TOKEN_LEN)
		return SW_WRONG_LENGTH;
	if (s == NULL || !s->reset_seen)
		return SW_CONDITIONS_NOT_SATISFIED;
	if (!secret_equals(BYTES_OF(s->token), c->data)) {
		suspension_drop(card); /* one try */
		return SW_AKA_MAC;
	}
	for (unsigned i = 0; i <= CHANNELS; i++)
		channel_init(&card->channel[i], i, false);
	memcpy(card->channel, s->channel, sizeof card->channel);
	memset(s->channel, 0, sizeof s->channel);
	card->pins_verified = s->pins_verified;
	card->terminal_profile = s->terminal_profile;
	card->cat = s->cat;
	for (size_t i = 0; i < card->applet_count; i++)
		if (s->transient[i] != NULL)
			swap_memory(&card->applet[i], &s->transient[i]);
	suspension_drop(card);
	return SW_OK;
}

/* Whether EF_UMPC says that this card can be suspended (13.6). */
static bool is_supported(struct card *card)
{
	uint8_t raw[RECORD_MAX], index = file_child(&card->fs, FILE_MF, FID_UMPC);
	struct buf b = BUF_OF(raw);

	return index != FILE_NONE && !file_is_df(&card->fs.file[index]) && file_read(&card->fs, index, &b) == OK &&
	       b.len > UMPC_FLAGS && (raw[UMPC_FLAGS] & UMPC_SUSPEND) != 0;
}

enum sw cmd_suspend_uicc(struct command *c)
{
	if (!is_supported(c->card))
		return SW_INS_NOT_SUPPORTED;
	return c->p1 == P1_SUSPEND ? suspend(c) : resume(c);
}
