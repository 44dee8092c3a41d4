/* SPDX-License-Identifier: Apache-2.0 */
/* INSTALL SEALED OBJECT: what the domain's operator sends through the phone (DESIGN.md 3.4). */
#include <string.h>

#include "apdu/birth.h"
#include "apdu/tlv.h"
#include "card/applets/prose/prose.h"
#include "crypto/guarded/eccsi.h"
#include "crypto/guarded/gba.h"
#include "crypto/common/hash.h"
#include "crypto/guarded/sakke_ring.h"
#include "crypto/guarded/seal.h"

enum { KEY_SETS_MAX = 3, EXTERNAL_MAX = 8 }; /* two periods, and the next one issued early; other agencies */

static enum status load_transport_keys(struct applet *a, uint8_t trk_id, struct secret *trk, struct secret *ink)
{
	SECRET_LARGE record = { 0 };
	struct bytes in, id, t, i;

	if (trk_id == SEALED_TRK_GBA) {
		TRY(prose_gba_key(a, GBA_LABEL_TRK, trk));
		return prose_gba_key(a, GBA_LABEL_INK, ink);
	}
	TRY(applet_get(a, BYTES_STR("trk"), &record));
	in = secret_large_bytes(&record);
	if (!bytes_take(&in, 1, &id) || !bytes_take(&in, SEALED_KEY_LEN, &t) || !bytes_take(&in, SEALED_KEY_LEN, &i))
		return ERR_MALFORMED;
	if (id.p[0] != trk_id)
		return ERR_NOT_FOUND;
	TRY(secret_set(trk, t));
	return secret_set(ink, i);
}

/* The sequence grows per (kind, name). */
static enum sw check_sequence(struct applet *a, const struct sealed_header *h, struct record_name *name)
{
	SECRET_LARGE stored = { 0 };
	uint8_t digest[DIGEST_LEN], kind = (uint8_t)h->kind;
	enum status st = prose_digest((struct bytes[]){ { &kind, 1 }, h->name }, 2, digest);

	if (st != OK)
		return sw_of(st);
	*name = prose_record_name("seq", digest);
	st = applet_get(a, name_bytes(name), &stored);
	if (st != OK && st != ERR_NOT_FOUND)
		return sw_of(st);
	return st == OK && h->sequence <= bytes_uint(secret_large_bytes(&stored)) ? SW_PROSE_REPLAY : SW_OK;
}

static enum sw install_kms(struct applet *a, const struct sealed_header *h, struct bytes payload)
{
	KMS_CERTIFICATE k = { 0 };
	const struct record_name name = name_format("kms");
	enum status st = prose_put_sealed(a, &name, h, payload);

	if (st != OK || (st = prose_load_kms(a, &k)) != OK)
		return sw_of(st);
	return SW_OK;
}

size_t prose_others(struct applet *a, struct bytes prefix, const struct record_name *name)
{
	struct record_name each = { 0 };
	size_t n = 0;

	while (applet_next(a, prefix, name_bytes(&each), &each) == OK)
		n += bytes_equal(name_bytes(&each), name_bytes(name)) ? 0 : 1;
	return n;
}

/* Another agency's, whose users may sign and be written to. It does not take the place of our own. */
static enum sw install_external_kms(struct applet *a, const struct sealed_header *h, struct bytes payload)
{
	KMS_CERTIFICATE own = { 0 };
	KMS_CERTIFICATE k = { 0 };
	uint8_t digest[DIGEST_LEN];
	struct record_name name;
	enum status st;

	if (prose_load_kms(a, &own) != OK)
		return SW_PROSE_NOT_PROVISIONED;
	if ((st = secret_large_set(&k.record, payload)) != OK || (st = prose_parse_kms(&k)) != OK ||
	        (st = prose_digest(&k.kms.uri, 1, digest)) != OK)
		return sw_of(st);
	if (k.domain.n == 0 || k.domain.n > PROSE_URI_MAX || bytes_equal(k.kms.uri, own.kms.uri))
		return SW_WRONG_DATA;
	name = prose_record_name("kx", digest);
	return prose_others(a, BYTES_STR("kx/"), &name) >= EXTERNAL_MAX ? sw_of(ERR_NO_SPACE)
	                                                                : sw_of(prose_put_sealed(a, &name, h, payload));
}

/* Of the records whose names begin so, the first, which is of the earliest period. If that is the new one it has come too late.
 */
static enum sw drop_old_key_sets(struct applet *a, struct bytes prefix, const struct record_name *new)
{
	struct record_name name = { 0 }, first = { 0 };
	size_t n = 0;

	while (applet_next(a, prefix, name_bytes(&name), &name) == OK)
		if (n++ == 0)
			first = name;
	if (n <= KEY_SETS_MAX)
		return SW_OK;
	if (bytes_equal(name_bytes(&first), name_bytes(new)))
		return SW_PROSE_REPLAY;
	sakke_ring_clear(a->card->env.ring); /* the tables of that key go with it */
	return sw_of(applet_erase(a, name_bytes(&first)));
}

/* RSK and SSK are checked against the KMS certificate before they are kept (RFC 6508 6.1.2, RFC 6507 5.1.2). A group's signer
 * has no RSK: nothing is encrypted to it. */
static enum sw install_key_set(struct applet *a, const struct sealed_header *h, struct bytes payload)
{
	KMS_CERTIFICATE kms = { 0 };
	KEY_SET k = { 0 };
	SECRET_LARGE record = { 0 };
	struct buf b = { record.data, 0, sizeof record.data, false };
	uint8_t uid[MIKEY_UID_LEN], hs[ECCSI_HASH_LEN], digest[DIGEST_LEN];
	struct record_name name, prefix = name_format("ks/");
	const bool of_signer = h->kind == SEALED_GROUP_SIGNER;
	struct bytes kms_uri;
	enum status st;

	if (prose_load_kms(a, &kms) != OK)
		return SW_PROSE_NOT_PROVISIONED;
	if ((st = secret_large_set(&k.record, payload)) != OK || (st = prose_parse_key_set(&k)) != OK ||
	        (st = mikey_uid(&kms.kms, k.user_uri, k.period_number, uid)) != OK)
		return sw_of(st);
	if ((k.rsk.n == 0) != of_signer ||
	        (tlv_find(payload, KEYSET_KMS_URI, &kms_uri) == OK && !bytes_equal(kms_uri, kms.kms.uri)))
		return SW_WRONG_DATA;
	if (!of_signer)
		st = sakke_ring_validate(a->card->env.ring, kms.z, BYTES_OF(uid), k.rsk);
	if (st == OK)
		st = eccsi_validate(kms.kpak, BYTES_OF(uid), &k.ssk, k.pvt, hs);
	if (st != OK)
		return sw_verdict(st, SW_PROSE_SIGNATURE);
	buf_put(&b, payload);
	tlv_put(&b, KEYSET_PVT + 1, BYTES_OF(hs));
	name = name_format("ks/%016llx", (unsigned long long)k.period_number);
	if (of_signer) {
		if ((st = prose_digest(&k.user_uri, 1, digest)) != OK)
			return sw_of(st);
		prefix = prose_record_name("gs", digest);
		name = prose_signer_name(digest, k.period_number);
	}
	if ((st = buf_status(&b)) != OK || (st = prose_put_sealed(a, &name, h, buf_bytes(&b))) != OK)
		return sw_of(st);
	return drop_old_key_sets(a, name_bytes(&prefix), &name);
}

static enum sw install_group(struct applet *a, const struct sealed_header *h, struct bytes payload)
{
	GROUP g = { 0 };
	GROUP old = { 0 };
	struct record_name name;
	enum status st = secret_large_set(&g.record, payload);

	if (st != OK || (st = prose_parse_group(&g)) != OK)
		return sw_of(st);
	if ((g.policy & GROUP_POLICY_ADHOC) != 0)
		return SW_WRONG_DATA;
	/* The network's group takes the place of an ad-hoc one; keys that colleagues made are not the network's. Another
	 * signer's keys go with him, too: two signers' numbers do not compare. */
	if (prose_load_group(a, g.uri, &old) == OK &&
	        ((old.policy & GROUP_POLICY_ADHOC) != 0 || !bytes_equal(old.signer_uri, g.signer_uri)) &&
	        (st = prose_gmk_forget(a, &old)) != OK)
		return sw_of(st);
	name = prose_record_name("grp", g.digest);
	return sw_of(prose_put_sealed(a, &name, h, payload));
}

static enum sw install_discovery(struct applet *a, const struct sealed_header *h, struct bytes payload)
{
	SECRET_LARGE record = { 0 };
	struct buf b = { record.data, 0, sizeof record.data, false };
	uint8_t digest[DIGEST_LEN];
	struct record_name name;
	enum status st = prose_digest(&h->name, 1, digest);

	if (st != OK || (st = prose_discovery_check(payload)) != OK)
		return st == ERR_DENIED ? SW_WRONG_DATA : sw_of(st);
	tlv_put(&b, TAG_NAME, h->name);
	tlv_put_uint(&b, TAG_NOT_BEFORE, 8, h->not_before);
	tlv_put_uint(&b, TAG_NOT_AFTER, 8, h->not_after);
	buf_put(&b, payload);
	name = prose_record_name("d", digest);
	if ((st = buf_status(&b)) != OK)
		return sw_of(st);
	return sw_of(applet_put(a, name_bytes(&name), buf_bytes(&b)));
}

static enum sw install_time(struct applet *a, struct bytes payload)
{
	struct bytes floor;
	enum status st = tlv_find(payload, TIME_FLOOR, &floor);

	if (st != OK || floor.n != 8)
		return SW_WRONG_DATA;
	return prose_time_set_floor(a, bytes_uint(floor)) == OK ? SW_OK : SW_PROSE_TIME;
}

enum status prose_set_transport_keys(struct applet *a, struct bytes tlvs, uint8_t other_than)
{
	SECRET_LARGE record = { 0 };
	struct buf b = { record.data, 0, sizeof record.data, false };
	struct bytes id, trk, ink;

	if (tlv_find(tlvs, BIRTH_TRK_ID, &id) != OK || id.n != 1 || id.p[0] == other_than || id.p[0] == SEALED_TRK_GBA ||
	        tlv_find(tlvs, BIRTH_TRK, &trk) != OK || trk.n != SEALED_KEY_LEN || tlv_find(tlvs, BIRTH_INK, &ink) != OK ||
	        ink.n != SEALED_KEY_LEN)
		return ERR_MALFORMED;
	buf_put(&b, id);
	buf_put(&b, trk);
	buf_put(&b, ink);
	return applet_put(a, BYTES_STR("trk"), buf_bytes(&b));
}

/* A MAC under InK over what the phone cannot check itself: the SignedInfo of an XML signature (TS 33.180 annex D). */
enum sw prose_cmd_check(struct command *c)
{
	SECRET trk = { 0 };
	SECRET ink = { 0 };
	struct bytes id, message, said;
	uint8_t mac[SHA256_LEN];
	enum status st;

	if (tlv_find(c->data, TAG_TRK_ID, &id) != OK || id.n != 1 || tlv_find(c->data, TAG_MESSAGE, &message) != OK ||
	        tlv_find(c->data, TAG_SIGNATURE, &said) != OK || said.n != sizeof mac)
		return SW_WRONG_DATA;
	if ((st = load_transport_keys(c->applet, id.p[0], &trk, &ink)) != OK)
		return sw_verdict(st, SW_PROSE_NO_KEY);
	if ((st = hmac_sha256(secret_bytes(&ink), &message, 1, mac)) != OK)
		return sw_of(st);
	return secret_equals(BYTES_OF(mac), said) ? SW_OK : SW_PROSE_SIGNATURE;
}

/* Discovery keys and permissions may wait for their time and are judged at each use; everything else has to be in its period
 * now, by the card's time, and is judged at each use, too, where it is kept. A sealed time counts as the time itself. */
static bool in_period(struct applet *a, const struct sealed_header *h, struct bytes payload)
{
	uint64_t now = prose_time_known(a);
	struct bytes floor;

	if (h->kind == SEALED_DISCOVERY_KEY || h->kind == SEALED_PERMISSION)
		return true;
	if (h->kind == SEALED_TIME && tlv_find(payload, TIME_FLOOR, &floor) == OK && floor.n == 8 && bytes_uint(floor) > now)
		now = bytes_uint(floor);
	return h->not_before <= now && now < h->not_after;
}

static enum sw install(struct applet *a, const struct sealed_header *h, struct bytes payload)
{
	switch (h->kind) {
	case SEALED_KMS_CERTIFICATE: return install_kms(a, h, payload);
	case SEALED_KEY_SET:
	case SEALED_GROUP_SIGNER: return install_key_set(a, h, payload);
	case SEALED_GROUP: return install_group(a, h, payload);
	case SEALED_DISCOVERY_KEY: return install_discovery(a, h, payload);
	case SEALED_TIME: return install_time(a, payload);
	case SEALED_PERMISSION: return prose_install_permission(a, h, payload);
	case SEALED_EXTERNAL_KMS: return install_external_kms(a, h, payload);
	case SEALED_REVOKED: return prose_install_revoked(a, payload);
	case SEALED_NAF: return prose_install_naf(a, payload);
	case SEALED_GROUP_KEY: return prose_install_group_key(a, payload);
	case SEALED_TRANSPORT_KEYS: /* instead of those that have just proved who sends them (TS 33.180 D.3.1) */
		return sw_of(prose_set_transport_keys(a, payload, h->trk_id));
	default: return SW_FUNCTION_NOT_SUPPORTED;
	}
}

enum sw prose_cmd_install(struct command *c)
{
	struct applet *a = c->applet;
	SECRET trk = { 0 };
	SECRET ink = { 0 };
	SECRET_LARGE payload = { 0 };
	struct record_name sequence_name;
	struct sealed s;
	uint8_t raw[8];
	struct buf sequence = BUF_OF(raw);
	enum sw sw;

	if (sealed_parse(c->data, &s) != OK)
		return SW_WRONG_DATA;
	if (!bytes_equal(s.header.domain, (struct bytes){ a->aid, a->aid_len }) ||
	        !bytes_equal(s.header.card_id, BYTES_OF(c->card->env.card_id)))
		return SW_PROSE_RECIPIENT;
	if ((sw = sw_verdict(load_transport_keys(a, s.header.trk_id, &trk, &ink), SW_PROSE_NO_KEY)) != SW_OK)
		return sw;
	if ((sw = sw_verdict(seal_open(secret_bytes(&trk), secret_bytes(&ink), &s, &payload), SW_PROSE_SIGNATURE)) != SW_OK)
		return sw;
	if ((sw = check_sequence(a, &s.header, &sequence_name)) != SW_OK)
		return sw;
	if (!in_period(a, &s.header, secret_large_bytes(&payload)))
		return SW_PROSE_EXPIRED;
	if ((sw = install(a, &s.header, secret_large_bytes(&payload))) != SW_OK)
		return sw;
	buf_put_uint(&sequence, 8, s.header.sequence);
	return sw_of(applet_put(a, name_bytes(&sequence_name), buf_bytes(&sequence)));
}
