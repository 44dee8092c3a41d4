/* SPDX-License-Identifier: Apache-2.0 */
/* What the user may do where: the permissions on the card, then the home network's preset in DF_ProSe. This informs; the card
 * itself has the last word on what it announces and monitors. */
#include <stdio.h>
#include <string.h>

#include "apdu/files.h"
#include "apdu/prose.h"
#include "apdu/tlv.h"
#include "host/lib/session.h"

enum { FILE_ROOM = 2048 };

struct search {
	const char *plmn;
	uint64_t now;
	enum prose_origin origin;
	bool found;
	struct prose_permission *out;
};

static void look_at(void *context, const struct prose_entry *e)
{
	struct search *s = context;

	if (strcmp(e->plmn, s->plmn) != 0 || e->not_after <= s->now)
		return;
	s->found = true;
	for (unsigned i = 0; i < PROSE_MAY_COUNT; i++) {
		s->out->item[i].allowed = (e->rights & 1U << i) != 0;
		s->out->item[i].origin = s->origin;
	}
	s->out->until = e->not_after;
	memcpy(s->out->radio, e->radio, e->radio_len);
	s->out->radio_len = e->radio_len;
}

static enum prose_result preset(struct prose_card *c, const char *current, unsigned item, struct prose_permission *out)
{
	const uint16_t path[] = { FID_CURRENT_ADF, FID_DF_PROSE,
		current != NULL ? preset_files[item].plmns : preset_files[item].radio };
	uint8_t content[FILE_ROOM];
	size_t n = sizeof content;
	enum prose_result r = prose_file_read(c, path, 3, content, &n);

	if (r != PROSE_OK)
		return r == PROSE_REFUSED || r == PROSE_NOT_FOUND ? PROSE_OK : r; /* a card without DF_ProSe */
	out->item[item].allowed = current != NULL ? preset_names((struct bytes){ content, n }, bytes_str(current))
	                                          : preset_off_network((struct bytes){ content, n });
	if (out->item[item].allowed)
		out->item[item].origin = PROSE_FROM_HOME;
	return PROSE_OK;
}

static void everything(struct prose_permission *out)
{
	for (unsigned i = 0; i < PROSE_MAY_COUNT; i++) {
		out->item[i].allowed = true;
		out->item[i].origin = PROSE_FROM_BIRTH;
	}
}

enum prose_result prose_permission(
        struct prose_card *c, uint64_t now, const char *current, const char *last, struct prose_permission *out)
{
	struct search s = { .plmn = current != NULL ? current : last,
		.now = now,
		.origin = current != NULL ? PROSE_FROM_CURRENT : PROSE_FROM_LAST,
		.out = out };
	struct prose_state state;
	enum prose_result r = prose_state_read(c, &state);

	*out = (struct prose_permission){ .until = UINT64_MAX };
	if (r == PROSE_OK && !state.judges)
		everything(out);
	if (r != PROSE_OK || !state.judges)
		return r;
	if (s.plmn != NULL)
		r = prose_list(c, PROSE_PERMISSIONS, look_at, &s);
	if (r == PROSE_OK && !s.found && current == NULL) {
		s.plmn = PERMISSION_OFF_NETWORK;
		s.origin = PROSE_FROM_OFF_NETWORK;
		r = prose_list(c, PROSE_PERMISSIONS, look_at, &s);
	}
	for (unsigned i = 0; r == PROSE_OK && !s.found && i < PROSE_MAY_COUNT; i++)
		r = preset(c, current, i, out);
	return r;
}

enum prose_result prose_serving_plmn(struct prose_card *c, const char *plmn)
{
	if (plmn != NULL && !plmn_is_valid(bytes_str(plmn)))
		return PROSE_FORMAT;
	(void)snprintf(c->plmn, sizeof c->plmn, "%s", plmn != NULL ? plmn : "");
	return PROSE_OK;
}

enum prose_result session_permitted(struct prose_card *c, unsigned item, uint8_t ins, uint8_t p1, struct buf *data, size_t ne)
{
	enum prose_result r;

	if (c->plmn[0] != 0)
		tlv_put(data, TAG_PLMN, bytes_str(c->plmn));
	if (data->failed)
		return PROSE_FORMAT;
	r = session_command(c, ins, p1, buf_bytes(data), ne);
	if (r == PROSE_REFUSED && c->sw == SW_PROSE_PERMISSION)
		(void)snprintf(c->error, sizeof c->error,
		        "the user may not %s %s%s: its grant is with %s ProSe Function, or in the home network's preset (%04X)",
		        item == PROSE_MAY_ANNOUNCE ? "announce" : "monitor", c->plmn[0] != 0 ? "in PLMN " : "out of coverage",
		        c->plmn, c->plmn[0] != 0 ? "that PLMN's" : "the last PLMN's", c->sw);
	return r;
}
