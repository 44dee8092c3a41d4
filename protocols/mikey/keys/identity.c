/* SPDX-License-Identifier: Apache-2.0 */
#include "protocols/mikey/keys/identity.h"

#include "crypto/common/hash.h"
#include "protocols/mikey/message.h"

enum { FC_USER_SALT = 0x50, SALT_MASK = 0x0FFFFFFF };

uint64_t mikey_period_number(const struct mikey_kms *kms, uint64_t unix_seconds)
{
	return kms->period == 0 ? 0 : (unix_seconds + MIKEY_NTP_TO_UNIX - kms->offset) / kms->period;
}

static void put_parameter(struct buf *b, struct bytes p)
{
	buf_put(b, p);
	buf_put_uint(b, 2, p.n);
}

static void put_integer(struct buf *b, uint64_t v)
{
	uint8_t raw[8];
	struct buf n = BUF_OF(raw);

	buf_put_min_uint(&n, v);
	put_parameter(b, buf_bytes(&n));
}

enum status mikey_uid(
        const struct mikey_kms *kms, struct bytes user_uri, uint64_t period_number, uint8_t uid[static MIKEY_UID_LEN])
{
	uint8_t raw[1024];
	struct buf s = BUF_OF(raw);
	struct bytes part;

	buf_put_u8(&s, 0);
	put_parameter(&s, BYTES_STR("MIKEY-SAKKE-UID"));
	put_parameter(&s, user_uri);
	put_parameter(&s, kms->uri);
	put_integer(&s, kms->period);
	put_integer(&s, kms->offset);
	put_integer(&s, period_number);
	TRY(buf_status(&s));
	part = buf_bytes(&s);
	return sha256(&part, 1, uid);
}

enum status mikey_guk_id(struct bytes gmk, struct bytes user_uri, uint32_t gmk_id, uint32_t *out)
{
	uint8_t digest[SHA256_LEN];

	TRY(kdf_33220(gmk, FC_USER_SALT, &user_uri, 1, digest));
	*out = gmk_id ^ ((uint32_t)bytes_uint((struct bytes){ digest + SHA256_LEN - 4, 4 }) & SALT_MASK);
	secret_clean(digest, sizeof digest);
	return OK;
}
