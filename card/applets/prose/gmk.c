/* SPDX-License-Identifier: Apache-2.0 */
/* IMPORT GMK: a whole MIKEY-SAKKE I_MESSAGE. Signer, signature, recipient and time are checked before anything is decrypted
 * (RFC 6509 2, seed 003 6.Z.4.4); its order (order.c), which only members may read, afterwards. */
#include <string.h>

#include "apdu/tlv.h"
#include "card/applets/prose/prose.h"
#include "crypto/guarded/eccsi.h"
#include "crypto/guarded/sakke_ring.h"
#include "protocols/mikey/message.h"
#include "protocols/mikey/keys/sakke_message.h"

enum { SAKKE_PARAMS_1 = 1, TOLERANCE = 60, PURPOSE_SHIFT = 28 };

struct import {
	struct applet *a;
	struct mikey m;
	uint64_t now, sent;                        /* seconds since 1970 */
	struct prose_kms_certificate kms, signers; /* ours, and that of who signs */
	struct prose_key_set key_set;
	struct secret gmk;
	struct key_parameters parameters;
	struct secret_large parameters_plain;
	struct gmk_order order;
};

static void import_wipe(struct import *i)
{
	secret_clean(i, sizeof *i);
}

/* Whether any group on this card names this signer. */
static bool signer_is_expected(struct applet *a, struct bytes uri)
{
	struct record_name name = { 0 };

	while (applet_next(a, BYTES_STR("grp/"), name_bytes(&name), &name) == OK) {
		GROUP g = { 0 };

		if (applet_get(a, name_bytes(&name), &g.record) == OK && prose_parse_group(&g) == OK &&
		        bytes_equal(g.signer_uri, uri))
			return true;
	}
	return false;
}

static enum sw check_addresses(struct import *i)
{
	const struct bytes *role = i->m.role;
	enum sw sw;

	if (i->m.header.data_type != MIKEY_SAKKE || i->m.sakke.params != SAKKE_PARAMS_1 ||
	        i->m.sakke.id_scheme != SAKKE_ID_SCHEME_UID || role[MIKEY_ROLE_INITIATOR].p == NULL ||
	        role[MIKEY_ROLE_RESPONDER].p == NULL)
		return SW_WRONG_DATA;
	if (prose_load_kms(i->a, &i->kms) != OK)
		return SW_PROSE_NOT_PROVISIONED;
	if (!bytes_equal(role[MIKEY_ROLE_KMS_RESPONDER], i->kms.kms.uri))
		return SW_PROSE_RECIPIENT;
	if (prose_load_kms_of(i->a, role[MIKEY_ROLE_INITIATOR], &i->signers) != OK ||
	        !bytes_equal(role[MIKEY_ROLE_KMS_INITIATOR], i->signers.kms.uri))
		return SW_PROSE_SIGNER; /* a KMS that we do not know, or whose user this is not */
	sw = sw_verdict(prose_load_key_set(i->a, mikey_period_number(&i->kms.kms, i->sent), &i->key_set), SW_PROSE_NO_KEY);
	if (sw != SW_OK)
		return sw;
	if (!bytes_equal(role[MIKEY_ROLE_RESPONDER], i->key_set.user_uri))
		return SW_PROSE_RECIPIENT;
	return signer_is_expected(i->a, role[MIKEY_ROLE_INITIATOR]) ? SW_OK : SW_PROSE_SIGNER;
}

static enum sw check_signature(struct import *i)
{
	uint8_t uid[MIKEY_UID_LEN];
	enum sw sw;
	enum status st =
	        mikey_uid(&i->signers.kms, i->m.role[MIKEY_ROLE_INITIATOR], mikey_period_number(&i->signers.kms, i->sent), uid);

	if (st != OK)
		return sw_of(st);
	if ((sw = prose_not_revoked(i->a, &i->signers.kms, BYTES_OF(uid))) != SW_OK)
		return sw;
	return sw_verdict(eccsi_verify(i->signers.kpak, BYTES_OF(uid), i->m.signed_part, i->m.signature), SW_PROSE_SIGNATURE);
}

static enum sw decapsulate(struct import *i)
{
	uint8_t uid[MIKEY_UID_LEN];
	struct bytes ext;
	enum status st;

	st = mikey_uid(&i->kms.kms, i->key_set.user_uri, i->key_set.period_number, uid);
	if (st == OK)
		st = sakke_ring_decapsulate(
		        i->a->card->env.ring, i->kms.z, BYTES_OF(uid), i->key_set.rsk, i->m.sakke.data, &i->gmk);
	if (st != OK || secret_repeats(secret_bytes(&i->gmk)))
		return status_failed(st) ? sw_of(st) : SW_PROSE_DECAPSULATION;
	if ((st = mikey_ext(&i->m, MIKEY_EXT_KEY_PARAMETERS, &ext)) != OK ||
	        (st = key_parameters_open(secret_bytes(&i->gmk), ext, &i->parameters_plain, &i->parameters)) != OK)
		return sw_verdict(st, SW_WRONG_DATA);
	if (i->parameters.key_type != MIKEY_PURPOSE_GMK || i->parameters.group.n == 0 ||
	        i->parameters.key_id != i->m.header.csb_id ||
	        (i->parameters.expiry != 0 && i->parameters.expiry <= i->parameters.activation))
		return SW_WRONG_DATA;
	if (mikey_ext(&i->m, MIKEY_EXT_ORDER, &ext) == OK &&
	        (st = order_open(secret_bytes(&i->gmk), i->m.header.csb_id, ext, &i->order)) != OK)
		return sw_verdict(st, SW_WRONG_DATA);
	return SW_OK;
}

/* The key, or that it is one no longer. */
static enum sw store_gmk(struct import *i, const struct prose_group *g, uint32_t id)
{
	GMK gmk = { .stamp = i->m.time,
		.not_before = i->parameters.activation,
		.rank = prose_rank(&i->order, i->m.time),
		.says = i->order,
		.id = id,
		.key = i->gmk };
	enum sw sw;

	if (i->parameters.revoked)
		return sw_of(prose_gmk_revoke(i->a, g, id, gmk.rank));
	gmk.not_after = i->parameters.expiry != 0 ? i->parameters.expiry : UINT64_MAX;
	gmk.prf = i->m.header.prf;
	if (i->m.rand.n <= sizeof gmk.rand) { /* a longer one: no gmk-direct with this key */
		gmk.rand_len = i->m.rand.n;
		memcpy(gmk.rand, i->m.rand.p, i->m.rand.n);
	}
	return (sw = prose_gmk_admit(i->a, g, &gmk, i->now)) != SW_OK ? sw : sw_of(prose_gmk_put(i->a, g, &gmk));
}

static enum sw import(struct import *i, struct bytes message, struct buf *rsp)
{
	GROUP g = { 0 };
	uint32_t id;
	enum status st;
	enum sw sw;

	if (mikey_parse(message, &i->m) != OK)
		return SW_WRONG_DATA;
	i->sent = mikey_unix(i->m.time);
	if ((sw = check_addresses(i)) != SW_OK || (sw = check_signature(i)) != SW_OK)
		return sw;
	if (i->sent > i->now + TOLERANCE)
		return SW_PROSE_TIME;
	if ((sw = decapsulate(i)) != SW_OK)
		return sw;
	if ((st = prose_load_group(i->a, i->parameters.group, &g)) != OK)
		return sw_verdict(st, SW_PROSE_NO_KEY);
	if (!bytes_equal(g.signer_uri, i->m.role[MIKEY_ROLE_INITIATOR]))
		return SW_PROSE_SIGNER;
	if (i->parameters.expiry != 0 && i->parameters.expiry <= i->now)
		return SW_PROSE_EXPIRED;
	if ((st = mikey_guk_id(secret_bytes(&i->gmk), i->key_set.user_uri, i->m.header.csb_id, &id)) != OK)
		return sw_of(st);
	if (id >> PURPOSE_SHIFT != MIKEY_PURPOSE_GMK)
		return SW_WRONG_DATA;
	if (((id & GMK_ID_ADHOC) != 0) != ((g.policy & GROUP_POLICY_ADHOC) != 0))
		return SW_PROSE_POLICY; /* a key of the network's for an ad-hoc group, or the reverse */
	if ((sw = store_gmk(i, &g, id)) != SW_OK)
		return sw;
	tlv_put(rsp, TAG_GROUP_URI, g.uri);
	tlv_put_uint(rsp, TAG_GMK_ID, 4, id);
	tlv_put_uint(rsp, TAG_NOT_BEFORE, 8, i->parameters.activation);
	tlv_put_uint(rsp, TAG_NOT_AFTER, 8, i->parameters.expiry != 0 ? i->parameters.expiry : UINT64_MAX);
	return SW_OK;
}

enum sw prose_cmd_import_gmk(struct command *c)
{
	__attribute__((cleanup(import_wipe))) struct import i = { .a = c->applet };
	struct bytes time, message;
	enum status st;

	if (tlv_find(c->data, TAG_TIME, &time) != OK || time.n != 8 || tlv_find(c->data, TAG_MESSAGE, &message) != OK)
		return SW_WRONG_DATA;
	if ((st = prose_time_judge(c->applet, bytes_uint(time), &i.now) /* no PIN is asked for */) != OK)
		return sw_of(st);
	return import(&i, message, c->rsp);
}
