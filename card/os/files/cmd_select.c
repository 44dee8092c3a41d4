/* SPDX-License-Identifier: Apache-2.0 */
/* SELECT and STATUS (TS 102 221 11.1.1, 11.1.2). A failed SELECT keeps everything as it was. */
#include "apdu/files.h"
#include "apdu/tlv.h"
#include "card/os/commands.h"
#include "card/os/pin.h"

enum { P1_FID = 0x00, P1_CHILD_DF = 0x01, P1_PARENT = 0x03, P1_AID = 0x04, P1_PATH_MF = 0x08, P1_PATH_DF = 0x09 };
enum { P2_FCP = 0x04, P2_TERMINATE = 0x40, P2_OCCURRENCE = 0x03 };

void channel_enter(struct channel *ch, uint8_t df)
{
	ch->df = df;
	ch->ef = FILE_NONE;
	ch->record = 0;
	ch->object = 0;
}

/* The active application of the channel stays 7FFF while the MF's tree is visited (TS 102 221 8.5). */
static uint8_t current_adf(const struct command *c)
{
	return c->channel->adf;
}

/* Search order of 8.4.1: children, the DF itself, its parent, siblings that are DFs, the MF, the current application. */
static uint8_t find_fid(const struct command *c, uint16_t fid)
{
	const struct file_system *fs = &c->card->fs;
	uint8_t df = c->channel->df, parent = fs->file[df].parent, found;

	if (fid == FID_MF)
		return FILE_MF;
	if (fid == FID_CURRENT_ADF)
		return current_adf(c);
	if ((found = file_child(fs, df, fid)) != FILE_NONE)
		return found;
	if (fs->file[df].fid == fid && fs->file[df].type != FILE_ADF)
		return df;
	if (fs->file[parent].fid == fid && fs->file[parent].type != FILE_ADF)
		return parent;
	found = file_child(fs, parent, fid);
	return found != FILE_NONE && fs->file[found].type == FILE_DF ? found : FILE_NONE;
}

static uint8_t walk(const struct command *c, uint8_t from, struct bytes path)
{
	uint64_t fid;

	if (path.n == 0 || path.n % 2 != 0)
		return FILE_NONE;
	for (size_t step = 0; path.n > 0 && from != FILE_NONE; step++) {
		if (!bytes_take_uint(&path, 2, &fid))
			return FILE_NONE;
		if (step == 0 && fid == FID_CURRENT_ADF)
			from = current_adf(c);
		else if (!file_is_df(&c->card->fs.file[from]))
			return FILE_NONE;
		else
			from = file_child(&c->card->fs, from, (uint16_t)fid);
	}
	return from;
}

enum sw command_file(const struct command *c, uint8_t *index)
{
	switch (c->p1) {
	case P1_FID:
		if (c->data.n == 0) {
			*index = c->channel->ef;
			return *index == FILE_NONE ? SW_NO_EF_SELECTED : SW_OK;
		}
		if (c->data.n != 2)
			return SW_WRONG_LENGTH;
		*index = file_child(&c->card->fs, c->channel->df, (uint16_t)bytes_uint(c->data));
		break;
	case P1_PATH_MF: *index = walk(c, FILE_MF, c->data); break;
	case P1_PATH_DF: *index = walk(c, c->channel->df, c->data); break;
	default: return SW_WRONG_P1P2;
	}
	return *index == FILE_NONE ? SW_FILE_NOT_FOUND : SW_OK;
}

static void put_fcp(struct command *c, uint8_t index)
{
	uint8_t raw[32];
	struct buf pins = BUF_OF(raw);

	if (file_is_df(&c->card->fs.file[index]))
		pin_put_status(c->card, &pins);
	file_put_fcp(&c->card->fs, index, buf_bytes(&pins), c->rsp);
}

static enum sw answer_file(struct command *c, uint8_t index)
{
	if ((c->p2 & P2_RETURN_MASK) != P2_NO_DATA)
		put_fcp(c, index);
	if (file_is_terminated(&c->card->fs.file[index]))
		return SW_FILE_TERMINATED;
	return file_is_deactivated(&c->card->fs.file[index]) ? SW_FILE_DEACTIVATED : SW_OK;
}

static bool current_elsewhere(const struct command *c, uint8_t index)
{
	for (size_t i = 0; i < CHANNELS; i++)
		if (&c->card->channel[i] != c->channel && c->card->channel[i].open && c->card->channel[i].ef == index)
			return true;
	return false;
}

/* The instance of an application with a file tree, or NULL. */
static struct applet *application_of(struct card *card, uint8_t adf)
{
	return applet_by_aid(card, (struct bytes){ card->fs.file[adf].aid, card->fs.file[adf].aid_len });
}

static enum sw enter_file(struct command *c, uint8_t index)
{
	const struct file *f = &c->card->fs.file[index];
	struct channel *ch = c->channel;

	if (!f->shareable && !file_is_df(f) && current_elsewhere(c, index))
		return SW_CONDITIONS_NOT_SATISFIED;
	if (file_is_df(f)) {
		uint8_t adf = file_adf_of(&c->card->fs, index);

		if (adf != FILE_MF && applet_enter(ch, application_of(c->card, adf)) != OK)
			return SW_NO_MEMORY;
		channel_enter(ch, index);
		if (adf != FILE_MF)
			ch->adf = adf;
	} else {
		if (f->parent != ch->df)
			ch->df = f->parent;
		ch->ef = index;
		ch->record = 0;
	}
	return answer_file(c, index);
}

/* By DF name: an application with a file tree, or an applet without one. */
static enum sw select_aid(struct command *c)
{
	uint8_t adf = c->data.n > 0 ? file_by_aid(&c->card->fs, c->data, FILE_NONE) : FILE_NONE;
	unsigned occurrence = c->p2 & P2_OCCURRENCE;
	struct applet *a;
	enum sw sw;

	if (c->data.n != 0 && (c->data.n < 5 || c->data.n > AID_MAX))
		return SW_WRONG_LENGTH;
	if (occurrence == 2 && adf != FILE_NONE && file_adf_of(&c->card->fs, c->channel->df) == adf)
		adf = file_by_aid(&c->card->fs, c->data, adf);
	if (adf != FILE_NONE) {
		a = application_of(c->card, adf);
		if (a != NULL && !applet_selectable(a))
			return SW_FILE_NOT_FOUND;
		if ((c->p2 & P2_TERMINATE) != 0) {
			applet_exit(c->channel);
			channel_enter(c->channel, FILE_MF);
			c->channel->adf = FILE_NONE;
			return SW_OK;
		}
		return enter_file(c, adf);
	}
	a = applet_by_name(c->card, c->data);
	if (a == NULL || !applet_selectable(a) || occurrence > 1)
		return SW_FILE_NOT_FOUND;
	if ((c->p2 & P2_TERMINATE) != 0) {
		applet_exit(c->channel);
		return SW_OK;
	}
	sw = a->class->select != NULL ? a->class->select(a, c) : SW_OK;
	if (sw_commits(sw)) {
		if (applet_enter(c->channel, a) != OK)
			return SW_NO_MEMORY;
		channel_enter(c->channel, FILE_MF);
		c->channel->adf = FILE_NONE;
	}
	return sw;
}

enum sw cmd_select(struct command *c)
{
	const struct file_system *fs = &c->card->fs;
	unsigned what = c->p2 & P2_RETURN_MASK;
	uint8_t index = FILE_NONE;

	if (what != P2_FCP && what != P2_NO_DATA && what != 0x00)
		return SW_WRONG_P1P2;
	if (c->p1 != P1_AID && (c->p2 & (P2_TERMINATE | P2_OCCURRENCE)) != 0)
		return SW_WRONG_P1P2;
	switch (c->p1) {
	case P1_FID:
	case P1_CHILD_DF:
		if (c->data.n != 2)
			return SW_WRONG_LENGTH;
		if (c->p1 == P1_FID)
			index = find_fid(c, (uint16_t)bytes_uint(c->data));
		else if ((index = file_child(fs, c->channel->df, (uint16_t)bytes_uint(c->data))) != FILE_NONE &&
		         !file_is_df(&fs->file[index]))
			index = FILE_NONE;
		break;
	case P1_PARENT:
		if (c->data.n != 0)
			return SW_WRONG_LENGTH;
		index = fs->file[c->channel->df].parent;
		break;
	case P1_AID: return select_aid(c);
	case P1_PATH_MF: index = walk(c, FILE_MF, c->data); break;
	case P1_PATH_DF: index = walk(c, c->channel->df, c->data); break;
	default: return SW_WRONG_P1P2;
	}
	return index == FILE_NONE ? SW_FILE_NOT_FOUND : enter_file(c, index);
}

enum sw cmd_status(struct command *c)
{
	uint8_t adf = current_adf(c);

	if (c->p1 > 2)
		return SW_WRONG_P1P2;
	switch (c->p2) {
	case 0x00: put_fcp(c, c->channel->df); return SW_OK;
	case 0x01:
		if (adf == FILE_NONE)
			return SW_REFERENCE_NOT_FOUND;
		tlv_put(c->rsp, 0x84, (struct bytes){ c->card->fs.file[adf].aid, c->card->fs.file[adf].aid_len });
		return SW_OK;
	case 0x0C: return SW_OK;
	default: return SW_WRONG_P1P2;
	}
}
