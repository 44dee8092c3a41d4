/* SPDX-License-Identifier: Apache-2.0 */
/* Scripts of remote file management (TS 102 226 clause 7): a TAR table, compact and expanded scripts on a channel of their own.
 */
#include <string.h>

#include "apdu/aids.h"
#include "apdu/files.h"
#include "apdu/prose.h"
#include "apdu/sealed.h"
#include "apdu/tlv.h"
#include "card/applets/domain/domain.h"
#include "card/applets/remote/rfm.h"
#include "card/os/commands.h"
#include "ota/script.h"

enum { COMMAND_ANSWER_MAX = 258, R_APDU_ROOM = COMMAND_ANSWER_MAX + 6, COMPACT_DATA_MAX = 100 };

static const struct rfm_target targets[] = {
	{ TAR_CARD_MANAGER, NULL, 0, 0, false, false, TARGET_CARD_MANAGER, SPI1_DEFAULT },
	{ TAR_RFM_UICC, NULL, 0, 0, false, false, TARGET_FILES, SPI1_DEFAULT },
	{ TAR_RFM_USIM, AID_USIM, 16, 0, false, false, TARGET_FILES, SPI1_DEFAULT },
	{ TAR_RFM_PROSE, AID_USIM, 16, FID_DF_PROSE, false, true, TARGET_FILES, SPI1_DEFAULT },
	{ TAR_RFM_UICC_EXPANDED, NULL, 0, 0, true, false, TARGET_FILES, SPI1_DEFAULT },
	{ TAR_RFM_PROSE_EXPANDED, AID_USIM, 16, FID_DF_PROSE, true, true, TARGET_FILES, SPI1_DEFAULT },
	{ TAR_PROSE, NULL, 0, 0, false, true, TARGET_PROSE, SPI1_DEFAULT },
};

/* INS a script may use (clause 7.1). */
static const uint8_t allowed[] = { INS_SELECT, INS_READ_BINARY, INS_READ_RECORD, INS_UPDATE_BINARY, INS_UPDATE_RECORD,
	INS_SEARCH_RECORD, INS_INCREASE, INS_RETRIEVE_DATA, INS_SET_DATA, INS_ACTIVATE_FILE, INS_DEACTIVATE_FILE,
	INS_CREATE_FILE, INS_DELETE_FILE, INS_RESIZE_FILE, INS_TERMINATE_EF, INS_TERMINATE_DF };

const struct rfm_target *rfm_target_built_in(const uint8_t tar[static OTA_TAR_LEN])
{
	for (size_t i = 0; i < sizeof targets / sizeof *targets; i++)
		if (memcmp(targets[i].tar, tar, OTA_TAR_LEN) == 0)
			return &targets[i];
	return NULL;
}

bool rfm_target(struct card *card, const uint8_t tar[static OTA_TAR_LEN], struct rfm_target *t, struct applet **keys)
{
	const struct rfm_target *built_in = rfm_target_built_in(tar);
	struct applet *a = applet_by_tar(card, tar);

	*keys = domain_ota_keys(card, NULL);
	if (built_in != NULL) {
		*t = *built_in;
		return true;
	}
	if (a == NULL || (a->class != &domain_class && a->class != &prose_class))
		return false;
	*t = (struct rfm_target){ .kind = a->class == &prose_class ? TARGET_PROSE : TARGET_CARD_MANAGER,
		.all_or_nothing = a->class == &prose_class,
		.msl = a->msl,
		.applet = a };
	*keys = domain_ota_keys(card, a->class == &domain_class ? a : domain_of(card, a));
	return (a->life & LIFE_LOCKED) == 0;
}

bool rfm_level_suffices(uint8_t spi1, uint8_t msl)
{
	return (spi1 & SPI1_INTEGRITY) >= (msl & SPI1_INTEGRITY) && (spi1 & msl & SPI1_CIPHERED) == (msl & SPI1_CIPHERED) &&
	       (spi1 & SPI1_COUNTER) >= (msl & SPI1_COUNTER);
}

static bool enter_target(struct card *card, const struct rfm_target *t, struct channel *ch)
{
	uint8_t df = FILE_MF;

	channel_init(ch, CHANNEL_SCRIPT, true);
	ch->adm = t->applet == NULL; /* what a supplementary domain may do, it may do to its own */
	if (t->aid != NULL)
		df = file_by_aid(&card->fs, (struct bytes){ (const uint8_t *)t->aid, t->aid_len }, FILE_NONE);
	if (df != FILE_NONE && t->df != 0)
		df = file_child(&card->fs, df, t->df);
	if (df == FILE_NONE)
		return false;
	channel_enter(ch, df);
	if (t->kind != TARGET_FILES)
		return (ch->applet = t->applet != NULL         ? t->applet
		                     : t->kind == TARGET_PROSE ? applet_by_aid(card, BYTES_STR(AID_PROSE))
		                                               : applet_by_aid(card, BYTES_STR(AID_ISD))) != NULL;
	if (file_adf_of(&card->fs, df) != FILE_MF)
		ch->adf = file_adf_of(&card->fs, df);
	return true;
}

static bool has_row(const struct applet_class *class, uint8_t ins)
{
	for (size_t i = 0; i < class->row_count; i++)
		if (class->rows[i].ins == ins)
			return true;
	return false;
}

static enum sw run_command(
        struct card *card, const struct rfm_target *t, struct channel *ch, const struct command_apdu *a, struct buf *rsp)
{
	if (t->kind == TARGET_PROSE)
		return card_dispatch(card, ch, a, rsp);
	if (t->kind == TARGET_CARD_MANAGER) /* the security domain knows which of its commands a script may use */
		return (a->cla & 0x80) != 0 && has_row(ch->applet->class, a->ins) ? card_dispatch(card, ch, a, rsp)
		                                                                  : SW_INS_NOT_SUPPORTED;
	if (memchr(allowed, a->ins, sizeof allowed) == NULL)
		return SW_INS_NOT_SUPPORTED;
	return card_dispatch(card, ch, a, rsp);
}

/* What a script changed, for the REFRESH that follows it. */
struct changes {
	uint8_t file[8];
	size_t n;
	bool structure; /* files came, went or changed size: the list would not say enough */
};

static void note_change(struct changes *all, uint8_t ins, uint8_t ef)
{
	static const uint8_t content[] = { INS_UPDATE_BINARY, INS_UPDATE_RECORD, INS_INCREASE, INS_SET_DATA };
	static const uint8_t structure[] = { INS_CREATE_FILE, INS_DELETE_FILE, INS_RESIZE_FILE, INS_TERMINATE_EF,
		INS_TERMINATE_DF, INS_ACTIVATE_FILE, INS_DEACTIVATE_FILE };

	if (memchr(structure, ins, sizeof structure) != NULL)
		all->structure = true;
	if (memchr(content, ins, sizeof content) == NULL || memchr(all->file, ef, all->n) != NULL)
		return;
	if (all->n == sizeof all->file)
		all->structure = true;
	else
		all->file[all->n++] = ef;
}

static enum status refresh_after(struct card *card, const struct changes *all)
{
	if (all->structure)
		return cat_refresh(card, REFRESH_INIT_AND_FULL_FILE_CHANGE, (struct bytes){ 0 });
	return all->n > 0 ? cat_refresh(card, REFRESH_FILE_CHANGE, (struct bytes){ all->file, all->n }) : OK;
}

/* One script under way. */
struct run {
	struct card *card;
	const struct rfm_target *target;
	struct channel *channel;
	struct changes changes;
	unsigned executed;
	uint16_t sw; /* of the last command */
	uint8_t raw[COMMAND_ANSWER_MAX];
	struct buf data; /* of the last command, over raw */
};

static void roll_back(struct card *card, struct store_mark to, enum sw *sw)
{
	store_rollback_to(&card->store, to);
	if (card->registry_dirty && applet_registry_load(card) != OK)
		*sw = SW_TECHNICAL_PROBLEM;
}

/* One command; what it did is undone if it failed. */
static void run_one(struct run *r, const struct command_apdu *a)
{
	struct store_mark before = store_savepoint(&r->card->store);
	enum sw sw;

	r->data = BUF_OF(r->raw);
	sw = run_command(r->card, r->target, r->channel, a, &r->data);
	if (!sw_commits(sw))
		roll_back(r->card, before, &sw);
	else
		note_change(&r->changes, a->ins, r->channel->ef);
	r->executed++;
	r->sw = (uint16_t)sw;
}

/* Stops at the first error. Only the last command's data are in the answer; a SELECT's would need an explicit GET RESPONSE. */
static void run_compact(struct run *r, struct bytes script)
{
	struct command_apdu a;

	while (r->sw == SW_OK && script.n > 0) {
		if (script_next(&script, &a) != OK) {
			r->data.len = 0;
			r->executed++;
			r->sw = SW_WRONG_LENGTH;
			return;
		}
		run_one(r, &a);
		if (a.ins == INS_SELECT)
			r->data.len = 0;
	}
}

/* Sealed objects and I_MESSAGEs, one command each; they prove themselves. */
static void run_objects(struct run *r, struct bytes objects)
{
	struct command_apdu a = { .cla = 0x80 };
	struct tlv t;

	while (r->sw == SW_OK && objects.n > 0) {
		struct bytes whole = objects;

		if (tlv_next(&objects, &t) != OK || (t.tag != TAG_SEALED && t.tag != TAG_IMPORT)) {
			r->executed++;
			r->sw = SW_WRONG_DATA;
			return;
		}
		whole.n -= objects.n;
		a.ins = t.tag == TAG_SEALED ? INS_PROSE_INSTALL : INS_PROSE_IMPORT_GMK;
		a.data = t.tag == TAG_SEALED ? whole : t.value;
		run_one(r, &a);
	}
	r->data.len = 0;
}

/* Each R-APDU is in the answer, as long as there is room; the last one always is. */
static enum expanded_fault run_expanded(struct run *r, struct expanded_script *script, struct buf *items)
{
	struct bytes data = { 0 };
	bool left_out = false;
	struct expanded_item item;
	enum expanded_fault fault = EXPANDED_FINE;

	while (r->sw == SW_OK && expanded_next(script, &item, &fault) == OK) {
		if (item.kind != EXPANDED_COMMAND)
			continue; /* actions for the terminal's user and chaining: this card has neither */
		run_one(r, &item.command);
		data = item.command.has_le ? buf_bytes(&r->data) : (struct bytes){ 0 };
		left_out = left_out || items->len + data.n + 2 * (size_t)R_APDU_ROOM > items->cap;
		if (!left_out)
			expanded_answer_put(items, data, r->sw);
	}
	if (left_out)
		expanded_answer_put(items, data, r->sw);
	return fault;
}

/* All or nothing: as if no command had run. */
static void undo(struct run *r, struct store_mark start)
{
	store_rollback_to(&r->card->store, start);
	applets_settle(r->card, false);
	if (r->card->registry_dirty && applet_registry_load(r->card) != OK)
		r->sw = SW_TECHNICAL_PROBLEM;
	if (file_system_load(&r->card->fs, &r->card->store) != OK)
		r->sw = SW_TECHNICAL_PROBLEM;
	r->executed = 0;
	r->data.len = 0;
	r->changes = (struct changes){ 0 };
}

void rfm_run_script(struct card *card, const struct rfm_target *t, struct bytes script, bool *ok, struct buf *answer)
{
	struct store_mark start = store_savepoint(&card->store);
	struct run r = { .card = card, .target = t, .channel = &card->channel[CHANNEL_SCRIPT], .sw = SW_OK };
	struct expanded_script expanded = { 0 };
	enum expanded_fault fault = EXPANDED_FINE;
	uint8_t items_raw[1024];
	struct buf items = BUF_OF(items_raw);

	r.data = BUF_OF(r.raw);
	if (!enter_target(card, t, r.channel))
		r.sw = SW_FILE_NOT_FOUND;
	else if (t->kind == TARGET_PROSE)
		run_objects(&r, script);
	else if (!t->expanded)
		run_compact(&r, script);
	else if (expanded_open(script, &expanded) != OK)
		fault = EXPANDED_UNKNOWN_TAG;
	else
		fault = run_expanded(&r, &expanded, &items);
	*ok = r.sw == SW_OK && fault == EXPANDED_FINE;
	if (!*ok && t->all_or_nothing)
		undo(&r, start);
	if (refresh_after(card, &r.changes) != OK)
		cat_reset(&card->cat); /* a terminal that leaves the queue full will read afresh after its reset */
	channel_init(r.channel, CHANNEL_SCRIPT, false);
	if (t->expanded) {
		expanded_answer_close(answer, expanded.indefinite, r.executed, buf_bytes(&items), fault);
	} else {
		if (r.data.len > COMPACT_DATA_MAX)
			r.data.len = COMPACT_DATA_MAX;
		script_result_put(answer, &(struct script_result){ (uint8_t)r.executed, r.sw, buf_bytes(&r.data) });
	}
}
