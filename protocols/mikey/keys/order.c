/* SPDX-License-Identifier: Apache-2.0 */
#include "protocols/mikey/keys/order.h"

#include <string.h>

enum { FLAG_STRICT = 1, STATUS_REVOKED = 0, STATUS_NOT_REVOKED = 1 };

void order_put(struct buf *b, const struct gmk_order *o)
{
	buf_put_uint(b, 8, o->number);
	buf_put_uint(b, 8, o->floor);
	buf_put_uint(b, 8, o->at);
	buf_put_u8(b, o->strict ? FLAG_STRICT : 0);
	buf_put_u8(b, (uint8_t)o->revoked_count);
	for (size_t i = 0; i < o->revoked_count; i++) {
		buf_put_uint(b, 4, o->revoked[i]);
		buf_put_uint(b, 4, STATUS_REVOKED);
	}
	buf_put_u8(b, (uint8_t)o->excluded_count);
	for (size_t i = 0; i < o->excluded_count; i++)
		buf_put(b, BYTES_OF(o->excluded[i]));
}

static enum status take_revoked(struct bytes *in, struct gmk_order *o)
{
	uint64_t n, id, status;

	if (!bytes_take_uint(in, 1, &n) || n > GMK_REVOKED_MAX)
		return ERR_MALFORMED;
	for (; n > 0; n--) {
		if (!bytes_take_uint(in, 4, &id) || !bytes_take_uint(in, 4, &status))
			return ERR_MALFORMED;
		if ((status & STATUS_NOT_REVOKED) == 0)
			o->revoked[o->revoked_count++] = (uint32_t)id;
	}
	return OK;
}

static enum status take_excluded(struct bytes *in, struct gmk_order *o)
{
	struct bytes uid;
	uint64_t n;

	if (!bytes_take_uint(in, 1, &n) || n > GMK_EXCLUDED_MAX)
		return ERR_MALFORMED;
	for (; n > 0; n--) {
		if (!bytes_take(in, MIKEY_UID_LEN, &uid))
			return ERR_MALFORMED;
		memcpy(o->excluded[o->excluded_count++], uid.p, uid.n);
	}
	return OK;
}

/* What is behind it is for later versions: signed as well, and skipped. */
enum status order_parse(struct bytes in, struct gmk_order *o)
{
	uint64_t flags;

	*o = (struct gmk_order){ 0 };
	if (!bytes_take_uint(&in, 8, &o->number) || !bytes_take_uint(&in, 8, &o->floor) || !bytes_take_uint(&in, 8, &o->at) ||
	        !bytes_take_uint(&in, 1, &flags))
		return ERR_MALFORMED;
	o->strict = (flags & FLAG_STRICT) != 0;
	TRY(take_revoked(&in, o));
	TRY(take_excluded(&in, o));
	return o->number > 0 && o->number < ORDER_NUMBER_END && o->floor < o->number ? OK : ERR_MALFORMED;
}

bool order_revokes(const struct gmk_order *o, uint32_t gmk_id)
{
	for (size_t i = 0; i < o->revoked_count; i++)
		if (o->revoked[i] == gmk_id)
			return true;
	return false;
}

bool order_excludes(const struct gmk_order *o, const uint8_t uid[static MIKEY_UID_LEN])
{
	for (size_t i = 0; i < o->excluded_count; i++)
		if (memcmp(o->excluded[i], uid, MIKEY_UID_LEN) == 0)
			return true;
	return false;
}

void order_exclude(struct gmk_order *o, const uint8_t uid[static MIKEY_UID_LEN])
{
	if (o->excluded_count < GMK_EXCLUDED_MAX)
		memcpy(o->excluded[o->excluded_count++], uid, MIKEY_UID_LEN);
	else
		o->strict = true;
}

void order_revoke(struct gmk_order *o, uint32_t gmk_id)
{
	if (o->revoked_count < GMK_REVOKED_MAX && !order_revokes(o, gmk_id))
		o->revoked[o->revoked_count++] = gmk_id;
}
