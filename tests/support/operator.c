/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/operator.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "apdu/tlv.h"
#include "protocols/mikey/message.h"

struct db *db;
static char folder[64];

void open_operator(void)
{
	char key[80], reason[256] = "";

	(void)snprintf(folder, sizeof folder, "build/test-net.%d.XXXXXX", (int)getpid());
	ck_assert_ptr_nonnull(mkdtemp(folder));
	(void)snprintf(key, sizeof key, "%s/master.key", folder);
	db = db_open(folder, key, reason, sizeof reason);
	ck_assert_msg(db != NULL, "%s", reason);
	ck_assert_int_eq(kms_init(db, "kms.example.org", 2592000, 0), OK);
}

void close_operator(void)
{
	char command[128];

	db_close(&db);
	(void)snprintf(command, sizeof command, "rm -rf %s", folder);
	ck_assert_int_eq(system(command), 0);
}

void make_known(const struct rig *r)
{
	struct db_card c = { .iccid = ICCID_1, .imsi = "001010000000001" };

	ck_assert_int_eq(bcd_encode(c.iccid, c.card_id, sizeof c.card_id), OK);
	(void)!db_card_add(db, &c, r->secrets);
}

struct rig *known_card(void)
{
	struct rig *r = rig_new();

	make_known(r);
	return r;
}

uint8_t object_memory[16384];
struct buf objects;

struct bytes issue(const char *uri, uint64_t when)
{
	objects = BUF_OF(object_memory);
	ck_assert_int_eq(kms_issue(db, NULL, when, NULL, ICCID_1, uri, when, &objects), OK);
	return buf_bytes(&objects);
}

unsigned install(struct rig *r, struct bytes in)
{
	unsigned sw = 0;

	while (in.n > 0) {
		struct bytes start = in;
		struct tlv t;

		ck_assert_int_eq(tlv_next(&in, &t), OK);
		sw = rig_prose(r, INS_PROSE_INSTALL, 0, (struct bytes){ start.p, start.n - in.n });
		if (sw != 0x9000)
			return sw;
	}
	return sw;
}

unsigned permit(struct rig *r, const char *plmn, unsigned rights, uint64_t from, uint64_t until)
{
	uint8_t raw[64];
	struct buf b = BUF_OF(raw);

	tlv_put(&b, PERMISSION_PLMN, bytes_str(plmn));
	tlv_put_uint(&b, PERMISSION_RIGHTS, 1, rights);
	objects = BUF_OF(object_memory);
	ck_assert_int_eq(
	        operator_seal(db, ICCID_1, SEALED_PERMISSION, bytes_str(plmn), from, until, buf_bytes(&b), &objects), OK);
	return install(r, buf_bytes(&objects));
}

void provision(struct rig *r)
{
	struct db_group g = { .uri = GROUP, .manager_uri = "sip:gms@example.org", .policy = GROUP_POLICY_SIGN };

	ck_assert_uint_eq(install(r, issue(ALICE, NOW)), 0x9000);
	(void)!db_group_add(db, &g);
	ck_assert_int_eq(db_member_set(db, GROUP, ALICE, true), OK);
	objects = BUF_OF(object_memory);
	ck_assert_int_eq(group_record(db, GROUP, ALICE, 1, &objects), OK);
	ck_assert_uint_eq(install(r, buf_bytes(&objects)), 0x9000);
}

static uint8_t message_memory[MIKEY_MESSAGE_MAX];
struct bytes last_message;

enum status keep_message(void *context, const char *user, const char *iccid, struct bytes message)
{
	(void)context;
	(void)iccid;
	if (strcmp(user, ALICE) == 0) {
		memcpy(message_memory, message.p, message.n);
		last_message = (struct bytes){ message_memory, message.n };
	}
	return OK;
}

struct bytes rekey(uint64_t now, uint64_t from, uint64_t to)
{
	uint32_t id;

	ck_assert_int_eq(group_rekey(db, GROUP, now, from, to, keep_message, NULL, &id), OK);
	return last_message;
}

struct bytes with_time(uint64_t now, uint32_t tag, struct bytes value)
{
	static uint8_t raw[4096];
	struct buf b = BUF_OF(raw);

	tlv_put_uint(&b, TAG_TIME, 8, now);
	tlv_put(&b, tag, value);
	return buf_bytes(&b);
}

unsigned import(struct rig *r, uint64_t now, struct bytes message)
{
	return rig_prose(r, INS_PROSE_IMPORT_GMK, 0, with_time(now, TAG_MESSAGE, message));
}
