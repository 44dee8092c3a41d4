#include "card/os/cat.h"

#include <string.h>

#include "apdu/tlv.h"
#include "card/os/card.h"
#include "card/os/commands.h"

enum {
	TAG_PROACTIVE = 0xD0,
	TAG_DETAILS = 0x81,
	TAG_DEVICES = 0x82,
	TAG_RESULT = 0x83,
	TAG_FILE_LIST = 0x92,
	COMPREHENSION = 0x80
};
enum { TYPE_REFRESH = 0x01, DEVICE_UICC = 0x81, DEVICE_TERMINAL = 0x82, NUMBER_MAX = 0xFE };

void cat_reset(struct cat *cat)
{
	*cat = (struct cat){ .next_number = 1 };
}

size_t cat_waiting(const struct cat *cat)
{
	return cat->len > 0 && !cat->fetched ? cat->queue[0] : 0;
}

enum status cat_queue(struct cat *cat, uint8_t type, uint8_t qualifier, uint8_t to, struct bytes tlvs)
{
	uint8_t body_raw[CAT_COMMAND_MAX], raw[CAT_COMMAND_MAX];
	struct buf body = BUF_OF(body_raw), b = BUF_OF(raw);

	tlv_put(&body, TAG_DETAILS, (struct bytes){ (const uint8_t[]){ cat->next_number, type, qualifier }, 3 });
	tlv_put(&body, TAG_DEVICES, (struct bytes){ (const uint8_t[]){ DEVICE_UICC, to }, 2 });
	buf_put(&body, tlvs);
	tlv_put(&b, TAG_PROACTIVE, buf_bytes(&body));
	if (body.failed || b.failed || sizeof cat->queue - cat->len < 1 + b.len)
		return ERR_NO_SPACE;
	cat->queue[cat->len++] = (uint8_t)b.len;
	memcpy(cat->queue + cat->len, raw, b.len);
	cat->len += b.len;
	cat->next_number = cat->next_number == NUMBER_MAX ? 1 : (uint8_t)(cat->next_number + 1);
	return OK;
}

/* 3F00, then the DFs down to the file; 7FFF stands for the application. */
static void put_path(const struct file_system *fs, uint8_t index, struct buf *out)
{
	if (index == FILE_MF) {
		buf_put_uint(out, 2, fs->file[FILE_MF].fid);
		return;
	}
	put_path(fs, fs->file[index].parent, out);
	buf_put_uint(out, 2, fs->file[index].type == FILE_ADF ? FID_CURRENT_ADF : fs->file[index].fid);
}

enum status cat_refresh(struct card *card, enum refresh_mode mode, struct bytes files)
{
	uint8_t raw[CAT_COMMAND_MAX], list_raw[CAT_COMMAND_MAX];
	struct buf b = BUF_OF(raw), list = BUF_OF(list_raw);

	if (mode == REFRESH_FILE_CHANGE) {
		buf_put_u8(&list, (uint8_t)files.n);
		for (size_t i = 0; i < files.n; i++)
			put_path(&card->fs, files.p[i], &list);
		tlv_put(&b, TAG_FILE_LIST, buf_bytes(&list));
		if (list.failed || b.failed)
			return cat_refresh(card, REFRESH_INIT_AND_FULL_FILE_CHANGE, (struct bytes){ 0 });
	}
	return cat_queue(&card->cat, TYPE_REFRESH, (uint8_t)mode, DEVICE_TERMINAL, buf_bytes(&b));
}

/* A terminal that lost the answer may fetch again until it has responded. */
enum sw cmd_fetch(struct command *c)
{
	struct cat *cat = &c->card->cat;

	if (cat->len == 0 || !c->card->terminal_profile)
		return SW_CONDITIONS_NOT_SATISFIED;
	if (c->ne != 256 && c->ne != cat->queue[0])
		return (enum sw)(SW_WRONG_LE | cat->queue[0]);
	buf_put(c->rsp, (struct bytes){ cat->queue + 1, cat->queue[0] });
	cat->fetched = true;
	return SW_OK;
}

/* Command details of a TLV list, comprehension bits ignored. */
static bool find_details(struct bytes in, struct bytes *details, bool *result)
{
	struct tlv t;

	*result = false;
	while (in.n > 0) {
		if (tlv_next(&in, &t) != OK)
			return false;
		if ((t.tag | COMPREHENSION) == TAG_DETAILS && tlv_set_once(details, t.value) != OK)
			return false;
		*result |= (t.tag | COMPREHENSION) == TAG_RESULT && t.value.n >= 1;
	}
	return details->n == 3;
}

/* Only the answer to the command that was fetched ends it; anything else changes nothing. */
enum sw cmd_terminal_response(struct command *c)
{
	struct cat *cat = &c->card->cat;
	struct bytes details = { 0 }, whole = { cat->queue + 1, cat->queue[0] };
	struct tlv outer, sent;
	bool result;

	if (cat->len == 0 || !cat->fetched)
		return SW_CONDITIONS_NOT_SATISFIED;
	if (tlv_next(&whole, &outer) != OK || tlv_next(&outer.value, &sent) != OK)
		return SW_TECHNICAL_PROBLEM;
	if (!find_details(c->data, &details, &result) || !result || !bytes_equal(details, sent.value))
		return SW_WRONG_DATA;
	cat->fetched = false;
	cat->len -= 1U + cat->queue[0];
	memmove(cat->queue, cat->queue + 1 + cat->queue[0], cat->len);
	return SW_OK;
}
