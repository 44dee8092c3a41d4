/* SPDX-License-Identifier: Apache-2.0 */
/* What the user may do where: the PLMNs' permissions on the card, then the home network's preset in DF_ProSe. */
#include <string.h>

#include "apdu/files.h"
#include "apdu/tlv.h"
#include "host/lib/prose-ue.h"

enum { DF_PROSE = 0x5F90, FILE_ROOM = 2048, TAG_POLICY_ENTRY = 0xA0, TAG_ENTRY_PLMN = 0x80 };

/* By item: the file that lists PLMNs, the one whose first octet speaks for out of coverage. */
static const struct {
	uint16_t plmns, radio;
} presets[PROSE_MAY_COUNT] = {
	[PROSE_MAY_ANNOUNCE] = { 0x4F02, 0x4F06 },
	[PROSE_MAY_MONITOR] = { 0x4F01, 0x4F05 },
	[PROSE_MAY_COMMUNICATE] = { 0x4F08, 0x4F04 },
};

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

/* Records A0 { 80 PLMN ... }; what is not written yet is FF. */
static bool names_plmn(struct bytes in, const char *plmn)
{
	while (in.n > 0) {
		struct bytes found;
		struct tlv t;

		if (in.p[0] == 0xFF) {
			in.p++;
			in.n--;
		} else if (tlv_next(&in, &t) != OK) {
			return false;
		} else if (t.tag == TAG_POLICY_ENTRY && tlv_find(t.value, TAG_ENTRY_PLMN, &found) == OK &&
		           bytes_equal(found, bytes_str(plmn))) {
			return true;
		}
	}
	return false;
}

static enum prose_result preset(struct prose_card *c, const char *current, unsigned item, struct prose_permission *out)
{
	const uint16_t path[] = { FID_CURRENT_ADF, DF_PROSE, current != NULL ? presets[item].plmns : presets[item].radio };
	uint8_t content[FILE_ROOM];
	size_t n = sizeof content;
	enum prose_result r = prose_file_read(c, path, 3, content, &n);

	if (r != PROSE_OK)
		return r == PROSE_REFUSED || r == PROSE_NOT_FOUND ? PROSE_OK : r; /* a card without DF_ProSe */
	out->item[item].allowed = current != NULL ? names_plmn((struct bytes){ content, n }, current)
	                                          : n > 0 && content[0] != 0xFF && (content[0] & 1) != 0;
	if (out->item[item].allowed)
		out->item[item].origin = PROSE_FROM_HOME;
	return PROSE_OK;
}

enum prose_result prose_permission(
        struct prose_card *c, uint64_t now, const char *current, const char *last, struct prose_permission *out)
{
	struct search s = { .plmn = current != NULL ? current : last,
		.now = now,
		.origin = current != NULL ? PROSE_FROM_CURRENT : PROSE_FROM_LAST,
		.out = out };
	enum prose_result r = PROSE_OK;

	*out = (struct prose_permission){ .until = UINT64_MAX };
	if (s.plmn != NULL)
		r = prose_list(c, PROSE_PERMISSIONS, look_at, &s);
	for (unsigned i = 0; r == PROSE_OK && !s.found && i < PROSE_MAY_COUNT; i++)
		r = preset(c, current, i, out);
	return r;
}
