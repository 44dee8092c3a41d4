/* SPDX-License-Identifier: Apache-2.0 */
/* The ProSe applet: command table, birth, and what may be read of its state. */
#include "apdu/aids.h"
#include "card/applets/prose/prose.h"

#include <stddef.h>
#include <string.h>

#include "apdu/birth.h"
#include "apdu/tlv.h"
#include "apdu/sealed.h"
#include "card/applets/applets.h"
#include "protocols/mikey/message.h"

struct prose_state *prose_state(struct applet *a)
{
	return a->transient;
}

/* The keys that sealed objects come under (BIRTH_TRK_ID, BIRTH_TRK, BIRTH_INK), or the server from which they come by GBA
 * (BIRTH_NAF), or both; BIRTH_TIME. At birth, or by STORE DATA from the instance's security domain; time does not go back. */
static enum status prose_store_data(struct applet *a, struct bytes parameters)
{
	uint64_t old_floor, latest;
	uint8_t raw[16];
	struct buf time = BUF_OF(raw);
	struct bytes trk, naf, floor;
	bool by_gba = tlv_find(parameters, BIRTH_NAF, &naf) == OK;

	TRY(tlv_find(parameters, BIRTH_TIME, &floor));
	if (floor.n != 8)
		return ERR_MALFORMED;
	buf_put(&time, floor);
	buf_put(&time, floor);
	if (by_gba)
		TRY(prose_set_naf(a, naf));
	if (!by_gba || tlv_find(parameters, BIRTH_TRK, &trk) == OK)
		TRY(prose_set_transport_keys(a, parameters, SEALED_TRK_GBA));
	if (prose_time_read(a, &old_floor, &latest) == OK)
		return OK;
	return applet_put(a, BYTES_STR("time"), buf_bytes(&time));
}

/* Without parameters: its domain personalises it later. */
static enum status prose_install(struct applet *a, struct bytes parameters)
{
	struct bytes open;

	TRY(prose_permission_born(a, tlv_find(parameters, BIRTH_OPEN, &open) == OK && bytes_uint(open) != 0));
	return parameters.n > 0 ? prose_store_data(a, parameters) : OK;
}

static enum sw cmd_prose_status(struct command *c)
{
	KMS_CERTIFICATE kms = { 0 };
	uint64_t floor, latest;
	enum status st = prose_time_read(c->applet, &floor, &latest);

	if (st != OK)
		return sw_of(st);
	tlv_put(c->rsp, TAG_CARD_ID, BYTES_OF(c->card->env.card_id));
	tlv_put_uint(c->rsp, TAG_FLOOR, 8, floor);
	tlv_put_uint(c->rsp, TAG_LATEST, 8, latest);
	tlv_put_uint(c->rsp, TAG_BUDGET, 4, PROSE_SLOT_BUDGET - prose_state(c->applet)->slots_spent);
	if (prose_load_kms(c->applet, &kms) == OK)
		tlv_put(c->rsp, TAG_KMS_URI, kms.kms.uri);
	tlv_put_uint(c->rsp, TAG_INTERFACE, 2, PROSE_INTERFACE_MAJOR << 8 | PROSE_INTERFACE_MINOR);
	tlv_put_uint(c->rsp, TAG_JUDGED, 1, prose_permission_judged(c->applet) ? 1 : 0);
	return SW_OK;
}

static enum status list_key_set(const struct secret_large *record, struct buf *e)
{
	KEY_SET k = { .record = *record };

	TRY(prose_parse_key_set(&k));
	tlv_put(e, TAG_USER_URI, k.user_uri);
	tlv_put_uint(e, TAG_PERIOD_NUMBER, 8, k.period_number);
	return OK;
}

static enum status list_group(const struct secret_large *record, struct buf *e)
{
	GROUP g = { .record = *record };

	TRY(prose_parse_group(&g));
	tlv_put(e, TAG_GROUP_URI, g.uri);
	tlv_put(e, TAG_SENDER_URI, g.signer_uri);
	tlv_put_uint(e, TAG_POLICY, 1, g.policy);
	return OK;
}

static enum status list_gmk(const struct secret_large *record, struct buf *e)
{
	struct bytes in = secret_large_bytes(record);
	uint64_t stamp, not_before, not_after, id;

	if (!bytes_take_uint(&in, 8, &stamp) || !bytes_take_uint(&in, 8, &not_before) || !bytes_take_uint(&in, 8, &not_after) ||
	        !bytes_take_uint(&in, 4, &id))
		return ERR_MALFORMED;
	tlv_put_uint(e, TAG_GMK_ID, 4, id);
	tlv_put_uint(e, TAG_NOT_BEFORE, 8, not_before);
	tlv_put_uint(e, TAG_NOT_AFTER, 8, not_after);
	return OK;
}

/* Name, validity, profile, rights and slot length; the code and the keys stay inside. */
static enum status list_discovery(const struct secret_large *record, struct buf *e)
{
	static const struct {
		uint32_t from, to;
	} shown[] = { { TAG_NAME, TAG_NAME }, { TAG_NOT_BEFORE, TAG_NOT_BEFORE }, { TAG_NOT_AFTER, TAG_NOT_AFTER } };
	struct bytes in = secret_large_bytes(record), v;
	struct tlv t;

	for (size_t i = 0; i < sizeof shown / sizeof *shown; i++) {
		TRY(tlv_next(&in, &t));
		if (t.tag != shown[i].from)
			return ERR_MALFORMED;
		tlv_put(e, shown[i].to, t.value);
	}
	TRY(tlv_find(in, DISC_PROFILE, &v));
	tlv_put(e, TAG_PROFILE, v);
	TRY(tlv_find(in, DISC_RIGHTS, &v));
	tlv_put(e, TAG_RIGHTS, v);
	TRY(tlv_find(in, DISC_SLOT_SECONDS, &v));
	tlv_put(e, TAG_SLOT_SECONDS, v);
	return OK;
}

static enum status list_permission(const struct secret_large *record, struct buf *e)
{
	struct bytes in = secret_large_bytes(record), plmn, rights, radio, until;

	TRY(tlv_find(in, TAG_NOT_AFTER, &until));
	TRY(tlv_find(in, PERMISSION_PLMN, &plmn));
	TRY(tlv_find(in, PERMISSION_RIGHTS, &rights));
	tlv_put(e, TAG_PLMN, plmn);
	tlv_put(e, TAG_RIGHTS, rights);
	tlv_put(e, TAG_NOT_AFTER, until);
	if (tlv_find(in, PERMISSION_RADIO, &radio) == OK)
		tlv_put(e, TAG_RADIO, radio);
	return OK;
}

static enum sw list_claims(struct command *c)
{
	SECRET_LARGE record = { 0 };
	enum status st = applet_get(c->applet, BYTES_STR("claims"), &record);

	return st == ERR_NOT_FOUND ? SW_OK : sw_of(st != OK ? st : prose_list_claims(&record, c->rsp));
}

static enum sw cmd_prose_list(struct command *c)
{
	static const struct {
		const char *prefix;
		enum status (*put)(const struct secret_large *, struct buf *);
	} lists[] = {
		[PROSE_LIST_KEY_SETS] = { "ks/", list_key_set },
		[PROSE_LIST_GROUPS] = { "grp/", list_group },
		[PROSE_LIST_GMKS] = { "gmk/", list_gmk },
		[PROSE_LIST_DISCOVERY] = { "d/", list_discovery },
		[PROSE_LIST_PERMISSIONS] = { "pl/", list_permission },
	};
	struct record_name name = { 0 };
	struct bytes prefix;

	if (c->p1 == PROSE_LIST_CLAIMS)
		return list_claims(c);
	if (c->p1 < PROSE_LIST_KEY_SETS || c->p1 > PROSE_LIST_PERMISSIONS)
		return SW_WRONG_P1P2;
	prefix = bytes_str(lists[c->p1].prefix);
	while (applet_next(c->applet, prefix, name_bytes(&name), &name) == OK) {
		SECRET_LARGE record = { 0 };
		uint8_t raw[512];
		struct buf e = BUF_OF(raw);
		enum status st = applet_get(c->applet, name_bytes(&name), &record);

		if (st != OK || (st = lists[c->p1].put(&record, &e)) != OK || (st = buf_status(&e)) != OK)
			return sw_of(st);
		tlv_put(c->rsp, TAG_ENTRY, buf_bytes(&e));
	}
	return SW_OK;
}

#define ROW(ins, p1_mask, apdu_case, lc_min, lc_max, needs, handler, name)                                                     \
	{                                                                                                                      \
		0x80, 0x80, ins, p1_mask, 0x00, apdu_case, lc_min, lc_max, needs, handler, name                                \
	}

_Static_assert(
        (int)SEALED_MAX + 512 <= (int)APPLET_RECORD_MAX, "what a sealed object carries is a record, whatever is put before it");
_Static_assert((int)SEALED_OBJECT_MAX <= (int)CHAIN_MAX, "a sealed object fits a chain of commands");
_Static_assert((int)PROSE_REQUEST_MAX >= (int)MIKEY_MESSAGE_MAX + 64, "a message with its time fits a command");

/* Guards: INSTALL and IMPORT are authenticated by what they carry, CHECK only says yes or no; the rest acts for the user, who
 * has verified PIN1. */
static const struct command_row rows[] = {
	ROW(INS_PROSE_STATUS, 0x00, CASE_2, 0, 0, NEEDS_NOTHING, cmd_prose_status, "PROSE STATUS"),
	ROW(INS_PROSE_INSTALL, 0x00, CASE_3, 1, SEALED_OBJECT_MAX, NEEDS_NOTHING, prose_cmd_install, "INSTALL SEALED OBJECT"),
	ROW(INS_PROSE_IMPORT_GMK, 0x00, CASE_4, 1, PROSE_REQUEST_MAX, NEEDS_NOTHING, prose_cmd_import_gmk, "IMPORT GMK"),
	ROW(INS_PROSE_START_SESSION, 0x00, CASE_4, 1, 512, NEEDS_PIN, prose_cmd_start_session, "START SESSION"),
	ROW(INS_PROSE_JOIN_SESSION, 0x00, CASE_4, 1, PROSE_REQUEST_MAX, NEEDS_PIN, prose_cmd_join_session, "JOIN SESSION"),
	ROW(INS_PROSE_RELEASE_KEY, 0x00, CASE_4, 1, 64, NEEDS_PIN, prose_cmd_release_key, "RELEASE KEY"),
	ROW(INS_PROSE_LIST, 0x0F, CASE_2, 0, 0, NEEDS_PIN, cmd_prose_list, "LIST"),
	ROW(INS_PROSE_COMPUTE_CODES, 0x03, CASE_4, 1, 256, NEEDS_PIN, prose_cmd_compute_codes, "COMPUTE CODES"),
	ROW(INS_PROSE_ANNOUNCE, 0x00, CASE_4, 1, 256, NEEDS_PIN, prose_cmd_announce, "ANNOUNCE"),
	ROW(INS_PROSE_MATCH, 0x00, CASE_4, 1, 256, NEEDS_PIN, prose_cmd_match, "MATCH"),
	ROW(INS_PROSE_ADHOC, 0x03, CASE_4, 1, PROSE_REQUEST_MAX, NEEDS_PIN, prose_cmd_adhoc, "AD-HOC GROUP"),
	ROW(INS_PROSE_OPEN_DIRECT, 0x00, CASE_4, 1, 256, NEEDS_PIN, prose_cmd_open_direct, "OPEN DIRECT"),
	ROW(INS_PROSE_TALK, 0x00, CASE_4, 1, 512, NEEDS_PIN, prose_cmd_talk, "TALK"),
	ROW(INS_PROSE_PROTECT, 0x00, CASE_4, 1, PROSE_PACKET_REQUEST_MAX, NEEDS_PIN, prose_cmd_protect, "PROTECT"),
	ROW(INS_PROSE_UNPROTECT, 0x00, CASE_4, 1, PROSE_PACKET_REQUEST_MAX, NEEDS_PIN, prose_cmd_unprotect, "UNPROTECT"),
	ROW(INS_PROSE_VOUCH, 0x07, CASE_4, 1, PROSE_REQUEST_MAX, NEEDS_PIN, prose_cmd_vouch, "VOUCH"),
	ROW(INS_PROSE_CERTIFICATE, 0x03, CASE_4, 1, 64, NEEDS_PIN, prose_cmd_certificate, "CERTIFICATE"),
	ROW(INS_PROSE_CHECK, 0x00, CASE_3, 1, 2048, NEEDS_NOTHING, prose_cmd_check, "CHECK SIGNATURE"),
};

/* By a reset, and when nobody has it selected any more. */
static void end_calls(struct applet *a)
{
	for (size_t i = 0; i < PROSE_SESSIONS_MAX; i++)
		prose_session_free(&prose_state(a)->session[i]);
}

const struct applet_class prose_class = {
	.name = "ProSe",
	.aid = { (const uint8_t *)AID_PROSE, sizeof AID_PROSE - 1 },
	.rows = rows,
	.row_count = sizeof rows / sizeof *rows,
	.install = prose_install,
	.store_data = prose_store_data,
	.forget = end_calls,
	.idle = end_calls,
	.own_pins = true,
	.settle = prose_settle,
	.transient_len = sizeof(struct prose_state),
	.undo_len = offsetof(struct prose_state, slots_spent),
	.channel_len = sizeof(struct prose_told),
};
