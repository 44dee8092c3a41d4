/* SPDX-License-Identifier: Apache-2.0 */
#include "card/applets/prose/prose.h"

#include <string.h>

#include "apdu/base/hex.h"
#include "apdu/tlv.h"
#include "crypto/guarded/eccsi.h"
#include "crypto/common/hash.h"
#include "crypto/guarded/sakke.h"

enum { RING_ENTRIES = 16 };

enum status prose_digest(const struct bytes *parts, size_t n, uint8_t out[static DIGEST_LEN])
{
	uint8_t digest[SHA256_LEN];

	TRY(sha256(parts, n, digest));
	memcpy(out, digest, DIGEST_LEN);
	return OK;
}

struct record_name prose_record_name(const char *kind, const uint8_t digest[static DIGEST_LEN])
{
	char hex[2 * DIGEST_LEN + 1];

	return name_format("%s/%s", kind, hex_encode((struct bytes){ digest, DIGEST_LEN }, hex));
}

void prose_kms_wipe(struct prose_kms_certificate *k)
{
	secret_clean(k, sizeof *k);
}

void prose_key_set_wipe(struct prose_key_set *k)
{
	secret_clean(k, sizeof *k);
}

void prose_group_wipe(struct prose_group *g)
{
	secret_clean(g, sizeof *g);
}

void prose_gmk_wipe(struct prose_gmk *g)
{
	secret_clean(g, sizeof *g);
}

enum status prose_parse_kms(struct prose_kms_certificate *out)
{
	struct bytes z, kpak, period, offset;

	TRY(tlv_find(secret_large_bytes(&out->record), KMSC_URI, &out->kms.uri));
	TRY(tlv_find(secret_large_bytes(&out->record), KMSC_Z, &z));
	TRY(tlv_find(secret_large_bytes(&out->record), KMSC_KPAK, &kpak));
	TRY(tlv_find(secret_large_bytes(&out->record), KMSC_PERIOD, &period));
	TRY(tlv_find(secret_large_bytes(&out->record), KMSC_OFFSET, &offset));
	if (z.n != SAKKE_POINT_LEN || kpak.n != ECCSI_POINT_LEN || period.n > 8 || offset.n > 8)
		return ERR_MALFORMED;
	out->z = z.p;
	out->kpak = kpak.p;
	out->kms.period = bytes_uint(period);
	out->kms.offset = bytes_uint(offset);
	if (tlv_find(secret_large_bytes(&out->record), KMSC_DOMAIN, &out->domain) != OK)
		out->domain = (struct bytes){ 0 };
	return out->kms.uri.n > 0 && out->kms.uri.n <= PROSE_URI_MAX && out->kms.offset < out->kms.period ? OK : ERR_MALFORMED;
}

uint64_t prose_time_known(struct applet *a)
{
	uint64_t floor, latest;

	if (prose_time_read(a, &floor, &latest) != OK)
		return 0;
	return latest > floor ? latest : floor;
}

enum status prose_put_sealed(
        struct applet *a, const struct record_name *name, const struct sealed_header *h, struct bytes payload)
{
	SECRET_LARGE record = { 0 };
	struct buf b = { record.data, 0, sizeof record.data, false };
	uint8_t raw[16];
	struct buf period = BUF_OF(raw);

	buf_put(&b, payload);
	if (h->not_before > 0 || h->not_after < UINT64_MAX) {
		buf_put_uint(&period, 8, h->not_before);
		buf_put_uint(&period, 8, h->not_after);
		tlv_put(&b, TAG_VALIDITY, buf_bytes(&period));
	}
	TRY(buf_status(&b));
	return applet_put(a, name_bytes(name), buf_bytes(&b));
}

/* A record in its period; ERR_NOT_FOUND outside of it. */
static enum status get_valid(struct applet *a, struct bytes name, struct secret_large *out)
{
	struct bytes period;
	uint64_t from, to, now = prose_time_known(a);

	TRY(applet_get(a, name, out));
	if (tlv_find(secret_large_bytes(out), TAG_VALIDITY, &period) != OK)
		return OK;
	if (!bytes_take_uint(&period, 8, &from) || !bytes_take_uint(&period, 8, &to))
		return ERR_MALFORMED;
	return from <= now && now < to ? OK : ERR_NOT_FOUND;
}

enum status prose_load_kms(struct applet *a, struct prose_kms_certificate *out)
{
	TRY(get_valid(a, BYTES_STR("kms"), &out->record));
	return prose_parse_kms(out);
}

static bool in_domain(struct bytes uri, struct bytes domain)
{
	return uri.n > domain.n && uri.p[uri.n - domain.n - 1] == '@' &&
	       bytes_equal((struct bytes){ uri.p + uri.n - domain.n, domain.n }, domain);
}

enum status prose_load_kms_of(struct applet *a, struct bytes user, struct prose_kms_certificate *out)
{
	struct record_name name = { 0 };

	while (applet_next(a, BYTES_STR("kx/"), name_bytes(&name), &name) == OK) {
		enum status st = get_valid(a, name_bytes(&name), &out->record);

		if (st == ERR_NOT_FOUND)
			continue;
		TRY(st);
		TRY(prose_parse_kms(out));
		if (in_domain(user, out->domain))
			return OK;
	}
	return prose_load_kms(a, out);
}

enum status prose_parse_key_set(struct prose_key_set *k)
{
	struct bytes all = secret_large_bytes(&k->record), ssk, pvt, hs, number;

	TRY(tlv_find(all, KEYSET_USER_URI, &k->user_uri));
	TRY(tlv_find(all, KEYSET_PERIOD_NUMBER, &number));
	if (tlv_find(all, KEYSET_RSK, &k->rsk) != OK)
		k->rsk = (struct bytes){ 0 };
	TRY(tlv_find(all, KEYSET_SSK, &ssk));
	TRY(tlv_find(all, KEYSET_PVT, &pvt));
	if ((k->rsk.n != SAKKE_POINT_LEN && k->rsk.n != 0) || ssk.n != ECCSI_SCALAR_LEN || pvt.n != ECCSI_POINT_LEN ||
	        number.n > 8 || k->user_uri.n == 0 || k->user_uri.n > PROSE_URI_MAX)
		return ERR_MALFORMED;
	k->period_number = bytes_uint(number);
	k->pvt = pvt.p;
	k->hs = tlv_find(all, KEYSET_PVT + 1, &hs) == OK && hs.n == ECCSI_HASH_LEN ? hs.p : NULL;
	return secret_set(&k->ssk, ssk);
}

enum status prose_load_key_set(struct applet *a, uint64_t period_number, struct prose_key_set *out)
{
	struct record_name name = name_format("ks/%016llx", (unsigned long long)period_number);

	TRY(get_valid(a, name_bytes(&name), &out->record));
	TRY(prose_parse_key_set(out));
	return out->rsk.n > 0 ? OK : ERR_MALFORMED;
}

struct record_name prose_signer_name(const uint8_t signer[static DIGEST_LEN], uint64_t period_number)
{
	struct record_name prefix = prose_record_name("gs", signer);

	return name_format("%.*s/%016llx", (int)prefix.n, (const char *)prefix.text, (unsigned long long)period_number);
}

enum status prose_load_signer(struct applet *a, struct bytes uri, uint64_t period_number, struct prose_key_set *out)
{
	uint8_t digest[DIGEST_LEN];
	struct record_name name;

	TRY(prose_digest(&uri, 1, digest));
	name = prose_signer_name(digest, period_number);
	TRY(get_valid(a, name_bytes(&name), &out->record));
	return prose_parse_key_set(out);
}

enum status prose_parse_group(struct prose_group *g)
{
	struct bytes all = secret_large_bytes(&g->record), policy;

	TRY(tlv_find(all, GROUP_URI, &g->uri));
	TRY(tlv_find(all, GROUP_SIGNER_URI, &g->signer_uri));
	TRY(tlv_find(all, GROUP_POLICY, &policy));
	if (g->uri.n == 0 || g->uri.n > PROSE_URI_MAX || g->signer_uri.n == 0 || g->signer_uri.n > PROSE_URI_MAX ||
	        policy.n != 1)
		return ERR_MALFORMED;
	g->policy = policy.p[0];
	if (tlv_find(all, GROUP_MEMBER_URI, &g->member_uri) != OK || g->member_uri.n > PROSE_URI_MAX)
		g->member_uri.n = 0;
	return prose_digest(&g->uri, 1, g->digest);
}

enum status prose_load_talker(struct applet *a, const struct prose_group *g, uint64_t now, struct prose_key_set *out)
{
	KMS_CERTIFICATE kms = { 0 };

	if (prose_load_kms(a, &kms) == OK && prose_load_key_set(a, mikey_period_number(&kms.kms, now), out) == OK)
		return OK;
	prose_key_set_wipe(out);
	*out = (struct prose_key_set){ .user_uri = g->member_uri };
	return g->member_uri.n > 0 ? OK : ERR_NOT_FOUND;
}

enum status prose_load_group(struct applet *a, struct bytes uri, struct prose_group *out)
{
	struct record_name name;

	TRY(prose_digest(&uri, 1, out->digest));
	name = prose_record_name("grp", out->digest);
	TRY(get_valid(a, name_bytes(&name), &out->record));
	return prose_parse_group(out);
}

enum status prose_ring_seen(struct applet *a, struct bytes name, const uint8_t digest[static DIGEST_LEN], bool *seen)
{
	SECRET_LARGE ring = { 0 };
	enum status st = applet_get(a, name, &ring);

	*seen = false;
	if (st == ERR_NOT_FOUND)
		return OK;
	TRY(st);
	for (size_t i = 0; i + DIGEST_LEN <= ring.len; i += DIGEST_LEN)
		if (memcmp(ring.data + i, digest, DIGEST_LEN) == 0)
			*seen = true;
	return OK;
}

enum status prose_ring_add(struct applet *a, struct bytes name, const uint8_t digest[static DIGEST_LEN])
{
	SECRET_LARGE ring = { 0 };
	uint8_t raw[RING_ENTRIES * DIGEST_LEN];
	struct buf b = BUF_OF(raw);
	enum status st = applet_get(a, name, &ring);
	size_t keep;

	if (st != OK && st != ERR_NOT_FOUND)
		return st;
	keep = ring.len < sizeof raw - DIGEST_LEN ? ring.len : sizeof raw - DIGEST_LEN;
	buf_put(&b, (struct bytes){ digest, DIGEST_LEN });
	buf_put(&b, (struct bytes){ ring.data, keep });
	return applet_put(a, name, buf_bytes(&b));
}

void prose_gmks_wipe(struct prose_gmks *g)
{
	secret_clean(g, sizeof *g);
}

struct record_name prose_gmk_name(const uint8_t group[static DIGEST_LEN], uint32_t id)
{
	struct record_name prefix = prose_record_name("gmk", group);

	return name_format("%.*s/%08lx", (int)prefix.n, (const char *)prefix.text, (unsigned long)id);
}

/* What the message said of its order is behind the rest, if it said anything. */
static enum status parse_gmk(struct bytes in, struct prose_gmk *out)
{
	struct bytes key, rand;
	uint64_t id, prf, n;

	*out = (struct prose_gmk){ 0 };
	if (!bytes_take_uint(&in, 8, &out->stamp) || !bytes_take_uint(&in, 8, &out->not_before) ||
	        !bytes_take_uint(&in, 8, &out->not_after) || !bytes_take_uint(&in, 4, &id) || !bytes_take(&in, GMK_LEN, &key) ||
	        !bytes_take_uint(&in, 1, &prf) || !bytes_take_uint(&in, 1, &n) || n > sizeof out->rand ||
	        !bytes_take(&in, (size_t)n, &rand))
		return ERR_MALFORMED;
	if (in.n > 0)
		TRY(order_parse(in, &out->says));
	out->rank = prose_rank(&out->says, out->stamp);
	out->id = (uint32_t)id;
	out->prf = (uint8_t)prf;
	out->rand_len = rand.n;
	if (rand.n > 0)
		memcpy(out->rand, rand.p, rand.n);
	return secret_set(&out->key, key);
}

enum status prose_gmks_load(struct applet *a, const uint8_t group[static DIGEST_LEN], struct prose_gmks *out)
{
	struct record_name prefix = prose_record_name("gmk", group), name = { 0 };
	enum status st;

	for (out->n = 0; (st = applet_next(a, name_bytes(&prefix), name_bytes(&name), &name)) == OK; out->n++) {
		SECRET_LARGE record = { 0 };

		if (out->n == sizeof out->key / sizeof *out->key)
			return ERR_MALFORMED;
		TRY(applet_get(a, name_bytes(&name), &record));
		TRY(parse_gmk(secret_large_bytes(&record), &out->key[out->n]));
	}
	return st == ERR_NOT_FOUND ? OK : st;
}
