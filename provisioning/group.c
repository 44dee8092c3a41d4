#include <stdio.h>
#include <string.h>

#include "apdu/tlv.h"
#include "crypto/eccsi.h"
#include "crypto/sakke.h"
#include "mikey/sakke_message.h"
#include "provisioning/kms.h"

enum { RAND_LEN = 16, ID_MASK = 0x0FFFFFFF };

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
	struct secret gmk;
	uint32_t id;
	uint64_t now, not_before, not_after;
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
	uint8_t raw[MIKEY_MESSAGE_MAX], data[SAKKE_DATA_LEN], uid[MIKEY_UID_LEN], rand[RAND_LEN], parameters_raw[512];
	uint8_t signature[ECCSI_SIGNATURE_LEN];
	struct buf b = BUF_OF(raw), parameters = BUF_OF(parameters_raw);
	struct sakke_message m = { .ntp = mikey_ntp(r->now) };
	const struct key_parameters p = { .key_type = MIKEY_PURPOSE_GMK,
		.activation = r->not_before,
		.expiry = r->not_after,
		.group = bytes_str(r->group.uri) };
	char iccid[21];

	TRY(db_user_card(r->db, user, iccid));
	TRY(mikey_uid(&r->kms.identity, bytes_str(user), mikey_period_number(&r->kms.identity, r->now), uid));
	TRY(sakke_encapsulate(r->kms.public_key, BYTES_OF(uid), &r->gmk, data));
	TRY(mikey_guk_id(secret_bytes(&r->gmk), bytes_str(user), r->id, &m.csb_id));
	TRY(key_parameters_seal(&rng_system, secret_bytes(&r->gmk), m.csb_id, r->now, &p, &parameters));
	TRY(rng_fill(&rng_system, rand, sizeof rand));
	m.rand = BYTES_OF(rand);
	m.initiator_uri = bytes_str(r->group.manager_uri);
	m.responder_uri = bytes_str(user);
	m.initiator_kms_uri = m.responder_kms_uri = r->kms.identity.uri;
	m.sakke_data = BYTES_OF(data);
	m.key_parameters = buf_bytes(&parameters);
	sakke_message_put(&b, &m);
	TRY(buf_status(&b));
	TRY(eccsi_sign(&rng_system, r->signer.hs, &r->signer.ssk, r->signer.pvt, buf_bytes(&b), signature));
	buf_put(&b, BYTES_OF(signature));
	TRY(buf_status(&b));
	TRY(put_away(r->db, r->now, ITEM_MIKEY, r->group.uri, user, iccid, r->id, buf_bytes(&b)));
	return r->each != NULL ? r->each(r->context, user, iccid, buf_bytes(&b)) : OK;
}

enum status group_rekey(struct db *db, const char *group, uint64_t now, uint64_t not_before, uint64_t not_after,
        enum status (*each)(void *, const char *user, const char *iccid, struct bytes message), void *context, uint32_t *gmk_id)
{
	__attribute__((cleanup(rekey_wipe))) struct rekey r = {
		.db = db, .now = now, .not_before = not_before, .not_after = not_after, .each = each, .context = context
	};
	uint8_t id[4];

	TRY(db_group_get(db, group, &r.group));
	TRY(kms_load(db, &r.kms));
	TRY(kms_signer_new(&r.kms, r.group.manager_uri, now, &r.signer));
	TRY(rng_secret(&rng_system, &r.gmk, GMK_LEN));
	TRY(rng_fill(&rng_system, id, sizeof id));
	*gmk_id = r.id = (uint32_t)bytes_uint(BYTES_OF(id)) & ID_MASK;
	TRY(db_gmk_add(db, group, r.id, not_before, not_after, secret_bytes(&r.gmk)));
	return db_member_each(db, group, member_message, &r);
}
