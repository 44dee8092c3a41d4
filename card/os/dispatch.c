/* SPDX-License-Identifier: Apache-2.0 */
/* One command, checked once for all: class, channel, INS, P1/P2, Lc/Le, access, then the handler. */
#include <string.h>

#include "card/os/files/access.h"
#include "card/os/commands.h"
#include "card/os/pin.h"

/*     CLA   MASK  INS                   P1    P2    CASE    LC         NEEDS          HANDLER              NAME */
static const struct command_row os_rows[] = {
	{ 0x00, 0x80, INS_SELECT, 0x0F, 0xFF, CASE_4, 0, 255, NEEDS_NOTHING, cmd_select, "SELECT" },
	{ 0x80, 0x80, INS_STATUS, 0x0F, 0x0F, CASE_2, 0, 0, NEEDS_NOTHING, cmd_status, "STATUS" },
	{ 0x00, 0x80, INS_READ_BINARY, 0xFF, 0xFF, CASE_2, 0, 0, NEEDS_NOTHING, cmd_read_binary, "READ BINARY" },
	{ 0x00, 0x80, INS_UPDATE_BINARY, 0xFF, 0xFF, CASE_3, 1, FILE_CONTENT_MAX, NEEDS_NOTHING, cmd_update_binary,
	        "UPDATE BINARY" },
	{ 0x00, 0x80, INS_READ_RECORD, 0xFF, 0xFF, CASE_2, 0, 0, NEEDS_NOTHING, cmd_read_record, "READ RECORD" },
	{ 0x00, 0x80, INS_UPDATE_RECORD, 0xFF, 0xFF, CASE_3, 1, 255, NEEDS_NOTHING, cmd_update_record, "UPDATE RECORD" },
	{ 0x00, 0x80, INS_SEARCH_RECORD, 0xFF, 0xFF, CASE_4, 1, 255, NEEDS_NOTHING, cmd_search_record, "SEARCH RECORD" },
	{ 0x80, 0x80, INS_INCREASE, 0x9F, 0x00, CASE_4, 1, 127, NEEDS_NOTHING, cmd_increase, "INCREASE" },
	{ 0x80, 0x80, INS_RETRIEVE_DATA, 0x00, 0xDF, CASE_4, 0, 3, NEEDS_NOTHING, cmd_retrieve_data, "RETRIEVE DATA" },
	{ 0x80, 0x80, INS_SET_DATA, 0x00, 0xDF, CASE_3, 1, FILE_CONTENT_MAX, NEEDS_NOTHING, cmd_set_data, "SET DATA" },
	{ 0x00, 0x80, INS_CREATE_FILE, 0x00, 0x00, CASE_3, 1, 255, NEEDS_NOTHING, cmd_create_file, "CREATE FILE" },
	{ 0x00, 0x80, INS_DELETE_FILE, 0x0F, 0x00, CASE_3, 2, 16, NEEDS_NOTHING, cmd_delete_file, "DELETE FILE" },
	{ 0x80, 0x80, INS_RESIZE_FILE, 0x00, 0x00, CASE_3, 1, 255, NEEDS_NOTHING, cmd_resize_file, "RESIZE FILE" },
	{ 0x00, 0x80, INS_TERMINATE_EF, 0x0F, 0x00, CASE_3, 0, 16, NEEDS_NOTHING, cmd_terminate_ef, "TERMINATE EF" },
	{ 0x00, 0x80, INS_TERMINATE_DF, 0x0F, 0x00, CASE_3, 2, 16, NEEDS_NOTHING, cmd_terminate_df, "TERMINATE DF" },
	{ 0x00, 0x80, INS_TERMINATE_CARD, 0x00, 0x00, CASE_3, 0, 0, NEEDS_NOTHING, cmd_terminate_card, "TERMINATE CARD USAGE" },
	{ 0x00, 0x80, INS_ACTIVATE_FILE, 0x0F, 0x00, CASE_3, 0, 16, NEEDS_NOTHING, cmd_activate_file, "ACTIVATE FILE" },
	{ 0x00, 0x80, INS_DEACTIVATE_FILE, 0x0F, 0x00, CASE_3, 0, 16, NEEDS_NOTHING, cmd_deactivate_file, "DEACTIVATE FILE" },
	{ 0x00, 0x80, INS_VERIFY_PIN, 0xFF, 0xFF, CASE_3, 0, 255, NEEDS_NOTHING, cmd_verify_pin, "VERIFY PIN" },
	{ 0x00, 0x80, INS_CHANGE_PIN, 0x00, 0xFF, CASE_3, 0, 255, NEEDS_NOTHING, cmd_change_pin, "CHANGE PIN" },
	{ 0x00, 0x80, INS_DISABLE_PIN, 0x9F, 0xFF, CASE_3, 0, 255, NEEDS_NOTHING, cmd_disable_pin, "DISABLE PIN" },
	{ 0x00, 0x80, INS_ENABLE_PIN, 0x00, 0xFF, CASE_3, 0, 255, NEEDS_NOTHING, cmd_enable_pin, "ENABLE PIN" },
	{ 0x00, 0x80, INS_UNBLOCK_PIN, 0x00, 0xFF, CASE_3, 0, 255, NEEDS_NOTHING, cmd_unblock_pin, "UNBLOCK PIN" },
	{ 0x00, 0x80, INS_MANAGE_CHANNEL, 0x80, 0xFF, CASE_2, 0, 0, NEEDS_NOTHING, cmd_manage_channel, "MANAGE CHANNEL" },
	{ 0x00, 0x80, INS_GET_CHALLENGE, 0x00, 0x00, CASE_2, 0, 0, NEEDS_NOTHING, cmd_get_challenge, "GET CHALLENGE" },
	{ 0x00, 0x80, INS_AUTHENTICATE, 0xFF, 0xFF, CASE_4, 0, 255, NEEDS_NOTHING, cmd_needs_application, "AUTHENTICATE" },
	{ 0x00, 0x80, INS_AUTHENTICATE_ODD, 0xFF, 0xFF, CASE_4, 0, 255, NEEDS_NOTHING, cmd_needs_application, "AUTHENTICATE" },
	{ 0x80, 0xFF, INS_SUSPEND_UICC, 0x01, 0x00, CASE_4, 1, 255, NEEDS_NOTHING, cmd_suspend_uicc, "SUSPEND UICC" },
	{ 0x80, 0xFF, INS_FETCH, 0x00, 0x00, CASE_2, 0, 0, NEEDS_NOTHING, cmd_fetch, "FETCH" },
	{ 0x80, 0xFF, INS_TERMINAL_RESPONSE, 0x00, 0x00, CASE_3, 1, 255, NEEDS_NOTHING, cmd_terminal_response,
	        "TERMINAL RESPONSE" },
	{ 0x80, 0x80, INS_TERMINAL_CAPABILITY, 0x00, 0x00, CASE_3, 2, 255, NEEDS_NOTHING, cmd_terminal_capability,
	        "TERMINAL CAPABILITY" },
	{ 0x80, 0xFF, INS_TERMINAL_PROFILE, 0x00, 0x00, CASE_3, 1, 255, NEEDS_NOTHING, cmd_terminal_profile,
	        "TERMINAL PROFILE" },
	{ 0x80, 0xFF, INS_ENVELOPE, 0x00, 0x00, CASE_4, 1, CHAIN_MAX, NEEDS_NOTHING, cmd_envelope, "ENVELOPE" },
};

enum sw sw_of(enum status st)
{
	switch (st) {
	case OK: return SW_OK;
	case ERR_TRUNCATED:
	case ERR_MALFORMED: return SW_WRONG_DATA;
	case ERR_NOT_FOUND: return SW_REFERENCE_NOT_FOUND;
	case ERR_DENIED: return SW_CONDITIONS_NOT_SATISFIED;
	case ERR_NO_SPACE: return SW_NO_MEMORY;
	case ERR_CRYPTO: return SW_PROSE_SIGNATURE;
	case ERR_DISK_FULL:
	case ERR_DISK_QUOTA:
	case ERR_DISK_READ_ONLY:
	case ERR_DISK_BROKEN:
	case ERR_IO:
		return SW_MEMORY_PROBLEM; /* of the non-volatile one */
	/* ERR_NO_MEMORY, ERR_LIBRARY: 6581 and 6400 both say what has become of the non-volatile memory, which is not known
	 * here */
	default: return SW_TECHNICAL_PROBLEM;
	}
}

enum sw sw_verdict(enum status st, enum sw wrong)
{
	return st == OK ? SW_OK : status_failed(st) ? sw_of(st) : wrong;
}

/* The row for INS and class; *seen tells whether the INS exists under another class. */
static const struct command_row *find_row(const struct command_row *rows, size_t n, const struct command_apdu *a, bool *seen)
{
	for (size_t i = 0; i < n; i++) {
		if (rows[i].ins != a->ins)
			continue;
		*seen = true;
		/* A mask of FF means the basic channel only; otherwise the channel bits have been checked already. */
		if ((a->cla & rows[i].mask) == rows[i].cla)
			return &rows[i];
	}
	return NULL;
}

static enum sw check_lengths(const struct command_row *row, const struct command_apdu *a)
{
	bool data_allowed = row->apdu_case == CASE_3 || row->apdu_case == CASE_4;
	bool le_allowed = row->apdu_case == CASE_2 || row->apdu_case == CASE_4;

	if (!data_allowed && a->data.n > 0)
		return SW_WRONG_LENGTH;
	if (data_allowed && (a->data.n < row->lc_min || a->data.n > row->lc_max))
		return SW_WRONG_LENGTH;
	/* Case 3 sent by a T=0 terminal without data carries P3 = 00, which looks like Le: VERIFY asking for tries. */
	if (!le_allowed && a->has_le && !(row->lc_min == 0 && a->data.n == 0 && a->ne == 256))
		return SW_WRONG_LENGTH;
	return SW_OK;
}

static bool has_pin(struct card *card, const struct channel *ch, const struct applet *applet)
{
	if (applet != NULL && applet->class->own_pins)
		return ch->adm || pin_is_held(card, ch, KEY_PIN1);
	return access_verified(card, ch, KEY_PIN1);
}

static enum sw run_row(struct card *card, struct channel *ch, struct applet *applet, const struct command_row *row,
        const struct command_apdu *a, struct buf *rsp)
{
	struct command c = {
		.cla = a->cla,
		.ins = a->ins,
		.p1 = a->p1,
		.p2 = a->p2,
		.data = a->data,
		.ne = a->ne,
		.has_le = a->has_le,
		.extended = a->extended,
		.rsp = rsp,
		.card = card,
		.channel = ch,
		.applet = applet,
	};
	enum sw sw;

	if ((a->p1 & ~row->p1_mask) != 0 || (a->p2 & ~row->p2_mask) != 0)
		return SW_WRONG_P1P2;
	if ((sw = check_lengths(row, a)) != SW_OK)
		return sw;
	if (row->needs == NEEDS_PIN && !has_pin(card, ch, applet))
		return SW_SECURITY_NOT_SATISFIED;
	if (applet != NULL && applet_begin(applet) != OK)
		return SW_TECHNICAL_PROBLEM;
	/* Case 2 without Le is case 1: the terminal wants no data, but T=0 has no way to say so. */
	if (row->apdu_case == CASE_2 && !a->has_le)
		c.ne = 256;
	sw = row->handler(&c);
	return rsp->failed ? SW_TECHNICAL_PROBLEM : sw;
}

enum { P1_SELECT_BY_AID = 0x04 };

/* A locked card talks to its issuer's domain only; a terminated one to nobody (GlobalPlatform 2.3, 5.1.1.4 and 5.1.1.5). */
static bool refused_by_life(
        struct card *card, const struct applet *applet, const struct command_row *row, const struct command_apdu *a)
{
	static const uint8_t still[] = { INS_ENVELOPE, INS_TERMINAL_PROFILE, INS_FETCH, INS_TERMINAL_RESPONSE,
		INS_MANAGE_CHANNEL };
	const struct applet *issuer = applet_issuer(card);

	if (card->life == CARD_TERMINATED || issuer == NULL)
		return true;
	if (applet == issuer && row >= applet->class->rows && row < applet->class->rows + applet->class->row_count)
		return false;
	if (a->ins == INS_SELECT && a->p1 == P1_SELECT_BY_AID && (a->data.n == 0 || a->data.n >= 5))
		return applet_by_name(card, a->data) != issuer;
	return memchr(still, a->ins, sizeof still) == NULL;
}

enum sw card_dispatch(struct card *card, struct channel *ch, const struct command_apdu *a, struct buf *rsp)
{
	struct applet *applet = ch->applet;
	const struct command_row *row = NULL;
	bool seen = false;

	if (applet != NULL && applet->class->rows != NULL)
		row = find_row(applet->class->rows, applet->class->row_count, a, &seen);
	if (row == NULL) {
		applet = NULL;
		row = find_row(os_rows, sizeof os_rows / sizeof *os_rows, a, &seen);
	}
	if (row != NULL && card->life != CARD_SECURED && refused_by_life(card, applet, row, a))
		return SW_CONDITIONS_NOT_SATISFIED;
	if (row != NULL)
		return run_row(card, ch, applet, row, a, rsp);
	return seen ? SW_CLA_NOT_SUPPORTED : SW_INS_NOT_SUPPORTED;
}
