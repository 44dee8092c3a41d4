#include <stdio.h>
#include <string.h>

#include "apdu/tlv.h"
#include "mikey/sakke_message.h"
#include "provisioning/kms.h"

/* For the phone to fetch (group_service.c). */
static enum status put_away(struct db *db, uint64_t now, enum db_item_kind kind, const char *group, const char *user,
        const char *iccid, uint32_t gmk_id, struct bytes body)
{
	struct db_item i = { .at = now, .gmk_id = gmk_id, .kind = kind };

	(void)snprintf(i.iccid, sizeof i.iccid, "%s", iccid);
	(void)snprintf(i.group, sizeof i.group, "%s", group);
	(void)snprintf(i.uri, sizeof i.uri, "%s", user);
	return db_outbox_add(db, &i, body);
}

enum status group_record(struct db *db, const char *group, const char *user, uint64_t now, struct buf *out)
{
	uint8_t raw[512];
	struct buf b = BUF_OF(raw);
	struct db_group g;
	char iccid[21];

	TRY(db_group_get(db, group, &g));
	TRY(db_user_card(db, user, iccid));
	tlv_put(&b, GROUP_URI, bytes_str(g.uri));
	tlv_put(&b, GROUP_SIGNER_URI, bytes_str(g.manager_uri));
	tlv_put_uint(&b, GROUP_POLICY, 1, g.policy);
	TRY(buf_status(&b));
	TRY(operator_seal(db, iccid, SEALED_GROUP, bytes_str(g.uri), 0, UINT64_MAX, buf_bytes(&b), out));
	return put_away(db, now, ITEM_SEALED, group, user, iccid, 0, buf_bytes(out));
}

struct rekey {
	struct db *db;
	struct kms kms;
	struct kms_signer signer;
	struct db_group group;
	struct gmk_message message;
	uint64_t now;
	enum status (*each)(void *, const char *user, const char *iccid, struct bytes message);
	void *context;
};

static void rekey_wipe(struct rekey *r)
{
	secret_clean(r, sizeof *r);
}

/* The I_MESSAGE of one member: its own GUK-ID, encapsulation and signature. */
static enum status member_message(void *context, const char *user)
{
	struct rekey *r = context;
	uint8_t raw[MIKEY_MESSAGE_MAX];
	struct buf b = BUF_OF(raw);
	char iccid[21];

	r->message.member_uri = bytes_str(user);
	TRY(db_user_card(r->db, user, iccid));
	TRY(gmk_message_build(&rng_system, &r->message, &b));
	TRY(put_away(r->db, r->now, ITEM_MIKEY, r->group.uri, user, iccid, r->message.gmk_id, buf_bytes(&b)));
	return r->each != NULL ? r->each(r->context, user, iccid, buf_bytes(&b)) : OK;
}

enum status group_rekey(struct db *db, const char *group, uint64_t now, uint64_t not_before, uint64_t not_after,
        enum status (*each)(void *, const char *user, const char *iccid, struct bytes message), void *context, uint32_t *gmk_id)
{
	__attribute__((cleanup(rekey_wipe))) struct rekey r = { .db = db, .now = now, .each = each, .context = context };
	uint8_t id[4];

	TRY(db_group_get(db, group, &r.group));
	TRY(kms_load(db, &r.kms));
	TRY(kms_signer_new(&r.kms, r.group.manager_uri, now, &r.signer));
	r.message = (struct gmk_message){ .kms = &r.kms.identity,
		.z = r.kms.public_key,
		.signer_uri = bytes_str(r.group.manager_uri),
		.ssk = &r.signer.ssk,
		.pvt = r.signer.pvt,
		.hs = r.signer.hs,
		.now = now,
		.parameters = { .key_type = MIKEY_PURPOSE_GMK,
		        .activation = not_before,
		        .expiry = not_after,
		        .group = bytes_str(r.group.uri) } };
	TRY(rng_secret(&rng_system, &r.message.gmk, GMK_LEN));
	TRY(rng_fill(&rng_system, id, sizeof id));
	*gmk_id = r.message.gmk_id = (uint32_t)bytes_uint(BYTES_OF(id)) & GMK_ID_RANDOM;
	TRY(db_gmk_add(db, group, *gmk_id, not_before, not_after, secret_bytes(&r.message.gmk)));
	return db_member_each(db, group, member_message, &r);
}
