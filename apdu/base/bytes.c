/* SPDX-License-Identifier: Apache-2.0 */
#include "apdu/base/bytes.h"

#include <string.h>

struct bytes bytes_str(const char *s)
{
	return (struct bytes){ (const uint8_t *)s, strlen(s) };
}

bool bytes_take(struct bytes *in, size_t n, struct bytes *out)
{
	if (in->n < n)
		return false;
	*out = (struct bytes){ in->p, n };
	if (n > 0) {
		in->p += n;
		in->n -= n;
	}
	return true;
}

bool bytes_take_uint(struct bytes *in, size_t width, uint64_t *out)
{
	struct bytes v;

	if (width < 1 || width > 8 || !bytes_take(in, width, &v))
		return false;
	*out = bytes_uint(v);
	return true;
}

bool bytes_take_field(struct bytes *in, struct bytes *out)
{
	uint64_t n;

	return bytes_take_uint(in, 1, &n) && bytes_take(in, (size_t)n, out);
}

bool bytes_take_copy(struct bytes *in, uint8_t *out, size_t n)
{
	struct bytes v;

	if (!bytes_take(in, n, &v))
		return false;
	if (n > 0)
		memcpy(out, v.p, n);
	return true;
}

uint64_t bytes_uint(struct bytes b)
{
	uint64_t v = 0;

	for (size_t i = 0; i < b.n; i++)
		v = v << 8 | b.p[i];
	return v;
}

void bytes_from_uint(uint64_t v, uint8_t *out, size_t width)
{
	for (size_t i = width; i-- > 0; v >>= 8)
		out[i] = (uint8_t)v;
}

bool bytes_equal(struct bytes a, struct bytes b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

struct bytes buf_bytes(const struct buf *b)
{
	return (struct bytes){ b->p, b->len };
}

uint8_t *buf_reserve(struct buf *b, size_t n)
{
	uint8_t *at;

	if (b->failed || b->cap - b->len < n) {
		b->failed = true;
		return NULL;
	}
	at = b->p + b->len;
	b->len += n;
	return at;
}

void buf_put(struct buf *b, struct bytes v)
{
	uint8_t *at = buf_reserve(b, v.n);

	if (at != NULL && v.n > 0)
		memmove(at, v.p, v.n);
}

void buf_put_u8(struct buf *b, uint8_t v)
{
	buf_put(b, (struct bytes){ &v, 1 });
}

void buf_put_uint(struct buf *b, size_t width, uint64_t v)
{
	uint8_t *at = buf_reserve(b, width);

	if (at == NULL)
		return;
	for (size_t i = width; i > 0; i--, v >>= 8)
		at[i - 1] = (uint8_t)v;
}

void buf_put_min_uint(struct buf *b, uint64_t v)
{
	size_t width = 1;

	while (width < 8 && v >> (8 * width) != 0)
		width++;
	buf_put_uint(b, width, v);
}

void buf_put_zeros(struct buf *b, size_t n)
{
	uint8_t *at = buf_reserve(b, n);

	if (at != NULL && n > 0)
		memset(at, 0, n);
}

enum status buf_status(const struct buf *b)
{
	return b->failed ? ERR_NO_SPACE : OK;
}
