/* SPDX-License-Identifier: Apache-2.0 */
/* What the user may do where, before any code is computed (seed KI-5.1, R-015). An instance obeys the permissions of its own
 * domain; what the home network has written into DF_ProSe counts for the operator's instance alone (S-3.3). */
#include <string.h>

#include "apdu/aids.h"
#include "apdu/files.h"
#include "apdu/preset.h"
#include "apdu/tlv.h"
#include "card/applets/applets.h"
#include "card/applets/prose/prose.h"

/* Record "may": one octet. Absent: a card from before there were judgements, open until it is told of a permission. */
enum { MAY_OPEN, MAY_JUDGED };
/* Record "claims": the number of the newest, then entries, newest first: time(8) place(1) PLMN(6, filled up with FF). */
enum { USIM_AID_PREFIX = 7 };
enum { CLAIMS_MAX = 16, CLAIM_PLMN = PLMN_ROOM - 1, CLAIM_WHERE = 1 + CLAIM_PLMN, CLAIM_LEN = 8 + CLAIM_WHERE };

static const struct bytes may_name = { (const uint8_t *)"may", 3 }, claims_name = { (const uint8_t *)"claims", 6 };

struct where {
	enum prose_place place;
	char plmn[PLMN_ROOM];
};

enum status prose_permission_born(struct applet *a, bool open)
{
	const uint8_t may = open ? MAY_OPEN : MAY_JUDGED;

	return applet_put(a, may_name, (struct bytes){ &may, 1 });
}

bool prose_permission_judged(struct applet *a)
{
	SECRET_LARGE record = { 0 };
	struct record_name name = { 0 };
	enum status st = applet_get(a, may_name, &record);

	if (st == OK && record.len == 1 && record.data[0] == MAY_OPEN)
		st = ERR_NOT_FOUND;
	return st != ERR_NOT_FOUND || applet_next(a, BYTES_STR("pl/"), name_bytes(&name), &name) == OK;
}

/* An EF below the USIM, up to `room` octets; nothing where there is none, or it is not active. */
static struct bytes usim_file(struct applet *a, uint16_t df, uint16_t fid, struct buf *out)
{
	struct file_system *fs = &a->card->fs;
	uint8_t at = file_by_aid(fs, (struct bytes){ (const uint8_t *)AID_USIM, USIM_AID_PREFIX }, FILE_NONE);

	out->len = 0;
	if (at != FILE_NONE && df != 0)
		at = file_child(fs, at, df);
	if (at != FILE_NONE)
		at = file_child(fs, at, fid);
	if (at == FILE_NONE || file_is_df(&fs->file[at]) || !file_is_active(&fs->file[at]) || file_read(fs, at, out) != OK)
		return (struct bytes){ 0 };
	return buf_bytes(out);
}

static bool last_registered(struct applet *a, char plmn[static PLMN_ROOM])
{
	/* TS 31.102 4.2.17 and 4.2.91: where PLMN and area code stand. */
	static const struct {
		uint16_t fid;
		uint8_t before;
	} files[] = { { FID_EPSLOCI, 12 }, { FID_LOCI, 4 } };
	uint8_t raw[RECORD_MAX];
	struct buf b = BUF_OF(raw);

	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		struct bytes in = usim_file(a, 0, files[i].fid, &b), skipped, area;

		if (bytes_take(&in, files[i].before, &skipped) && bytes_take(&in, 5, &area) && plmn_of_area(area, plmn))
			return true;
	}
	return false;
}

/* ERR_NOT_FOUND: this domain has said nothing for this time. */
static enum status domain_says(struct applet *a, const char *plmn, uint64_t now, unsigned *rights)
{
	SECRET_LARGE record = { 0 };
	struct record_name name = name_format("pl/%s", plmn);
	struct bytes in, from, until, v;

	TRY(applet_get(a, name_bytes(&name), &record));
	in = secret_large_bytes(&record);
	TRY(tlv_find(in, TAG_NOT_AFTER, &until));
	TRY(tlv_find(in, PERMISSION_RIGHTS, &v));
	*rights = (unsigned)bytes_uint(v);
	if (tlv_find(in, TAG_NOT_BEFORE, &from) == OK && now < bytes_uint(from))
		return ERR_NOT_FOUND;
	return now < bytes_uint(until) ? OK : ERR_NOT_FOUND;
}

static unsigned home_says(struct applet *a, const struct where *w)
{
	uint8_t raw[RECORD_MAX];
	struct buf b = BUF_OF(raw);
	unsigned rights = 0;

	if (a->domain != DOMAIN_ISSUER)
		return 0;
	for (unsigned i = 0; i < RIGHTS_COUNT; i++) {
		const bool may =
		        w->place == PLACE_NAMED
		                ? preset_names(usim_file(a, FID_DF_PROSE, preset_files[i].plmns, &b), bytes_str(w->plmn))
		                : preset_off_network(usim_file(a, FID_DF_PROSE, preset_files[i].radio, &b));

		rights |= may ? 1U << i : 0;
	}
	return rights;
}

/* What holds out of coverage does not hold where a PLMN serves. */
static unsigned rights_at(struct applet *a, const struct where *w, uint64_t now)
{
	unsigned rights = 0;

	if (w->plmn[0] != 0 && domain_says(a, w->plmn, now, &rights) == OK)
		return rights;
	if (w->place != PLACE_NAMED && domain_says(a, PERMISSION_OFF_NETWORK, now, &rights) == OK)
		return rights;
	return home_says(a, w);
}

/* The phone's word is all there is about where it is: what it said, and when first, stays readable. */
static enum status remember(struct applet *a, const struct where *w, uint64_t now)
{
	SECRET_LARGE old = { 0 };
	uint8_t raw[8 + CLAIMS_MAX * CLAIM_LEN], said[CLAIM_WHERE];
	struct buf b = BUF_OF(raw);
	struct bytes in, rest, newest;
	uint64_t number = 0, when;
	enum status st = applet_get(a, claims_name, &old);

	memset(said, 0xFF, sizeof said);
	said[0] = (uint8_t)w->place;
	memcpy(said + 1, w->plmn, strlen(w->plmn));
	if (st != OK && st != ERR_NOT_FOUND)
		return st;
	in = secret_large_bytes(&old);
	rest = in;
	if (st == OK && (!bytes_take_uint(&rest, 8, &number) || rest.n % CLAIM_LEN != 0))
		return ERR_MALFORMED;
	in = rest;
	if (bytes_take_uint(&rest, 8, &when) && bytes_take(&rest, CLAIM_WHERE, &newest) && bytes_equal(newest, BYTES_OF(said)))
		return OK;
	buf_put_uint(&b, 8, number + 1);
	buf_put_uint(&b, 8, now);
	buf_put(&b, BYTES_OF(said));
	if (in.n > (CLAIMS_MAX - 1) * CLAIM_LEN)
		in.n = (CLAIMS_MAX - 1) * CLAIM_LEN;
	buf_put(&b, in);
	TRY(buf_status(&b));
	return applet_put(a, claims_name, buf_bytes(&b));
}

enum sw prose_may(struct applet *a, struct bytes named, enum permission right, uint64_t now)
{
	struct where w = { .place = PLACE_OFF };

	if (named.n > 0 && !plmn_is_valid(named))
		return SW_WRONG_DATA;
	if (!prose_permission_judged(a))
		return SW_OK;
	if (named.n > 0) {
		w.place = PLACE_NAMED;
		memcpy(w.plmn, named.p, named.n);
	} else if (last_registered(a, w.plmn)) {
		w.place = PLACE_LAST;
	}
	if ((rights_at(a, &w, now) & right) == 0)
		return SW_PROSE_PERMISSION;
	return sw_of(remember(a, &w, now));
}

enum status prose_list_claims(const struct secret_large *record, struct buf *rsp)
{
	struct bytes in = secret_large_bytes(record), plmn;
	uint64_t number, time, place;

	if (!bytes_take_uint(&in, 8, &number))
		return ERR_MALFORMED;
	for (; in.n > 0; number--) {
		uint8_t raw[64];
		struct buf e = BUF_OF(raw);

		if (!bytes_take_uint(&in, 8, &time) || !bytes_take_uint(&in, 1, &place) || !bytes_take(&in, CLAIM_PLMN, &plmn))
			return ERR_MALFORMED;
		while (plmn.n > 0 && plmn.p[plmn.n - 1] == 0xFF)
			plmn.n--;
		tlv_put(&e, TAG_PLMN, plmn);
		tlv_put_uint(&e, TAG_PLACE, 1, place);
		tlv_put_uint(&e, TAG_TIME, 8, time);
		tlv_put_uint(&e, TAG_COUNT, 8, number);
		tlv_put(rsp, TAG_ENTRY, buf_bytes(&e));
	}
	return OK;
}

static bool names_a_place(struct bytes plmn)
{
	return plmn_is_valid(plmn) || bytes_equal(plmn, BYTES_STR(PERMISSION_OFF_NETWORK));
}

/* Without rights: the PLMN's permission is taken back. From the first one on this domain's users have what they are given. */
enum sw prose_install_permission(struct applet *a, const struct sealed_header *h, struct bytes payload)
{
	SECRET_LARGE record = { 0 };
	struct buf b = { record.data, 0, sizeof record.data, false };
	struct record_name name;
	struct bytes plmn, rights, radio;
	enum status st;

	if (tlv_find(payload, PERMISSION_PLMN, &plmn) != OK || !names_a_place(plmn) || !bytes_equal(plmn, h->name) ||
	        tlv_find(payload, PERMISSION_RIGHTS, &rights) != OK || rights.n != 1 || rights.p[0] > 7 ||
	        (tlv_find(payload, PERMISSION_RADIO, &radio) == OK && radio.n > PERMISSION_RADIO_MAX))
		return SW_WRONG_DATA;
	name = name_format("pl/%.*s", (int)plmn.n, (const char *)plmn.p);
	if ((st = prose_permission_born(a, false)) != OK)
		return sw_of(st);
	if (rights.p[0] == 0)
		return sw_of(applet_erase(a, name_bytes(&name)));
	if (prose_others(a, BYTES_STR("pl/"), &name) >= PERMISSIONS_MAX)
		return sw_of(ERR_NO_SPACE);
	tlv_put_uint(&b, TAG_NOT_BEFORE, 8, h->not_before);
	tlv_put_uint(&b, TAG_NOT_AFTER, 8, h->not_after);
	buf_put(&b, payload);
	return buf_status(&b) == OK ? sw_of(applet_put(a, name_bytes(&name), buf_bytes(&b))) : SW_WRONG_DATA;
}
