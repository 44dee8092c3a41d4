/* SPDX-License-Identifier: Apache-2.0 */
#include "apdu/base/secret.h"

#include <openssl/crypto.h>
#include <string.h>
#ifdef TAINT
#include <valgrind/memcheck.h>
#endif

void secret_clean(void *p, size_t n)
{
	if (n > 0)
		OPENSSL_cleanse(p, n);
}

void secret_wipe(struct secret *s)
{
	secret_clean(s, sizeof *s);
}

void secret_large_wipe(struct secret_large *s)
{
	secret_clean(s, sizeof *s);
}

struct bytes secret_bytes(const struct secret *s)
{
	return (struct bytes){ s->data, s->len };
}

struct bytes secret_large_bytes(const struct secret_large *s)
{
	return (struct bytes){ s->data, s->len };
}

enum status secret_set(struct secret *s, struct bytes v)
{
	secret_wipe(s);
	if (v.n > sizeof s->data)
		return ERR_NO_SPACE;
	if (v.n > 0)
		memcpy(s->data, v.p, v.n);
	s->len = v.n;
	return OK;
}

enum status secret_large_set(struct secret_large *s, struct bytes v)
{
	secret_large_wipe(s);
	if (v.n > sizeof s->data)
		return ERR_NO_SPACE;
	if (v.n > 0)
		memcpy(s->data, v.p, v.n);
	s->len = v.n;
	return OK;
}

void secret_declassify(const void *p, size_t n)
{
#ifdef TAINT
	(void)VALGRIND_MAKE_MEM_DEFINED(p, n);
#else
	(void)p;
	(void)n;
#endif
}

bool secret_repeats(struct bytes key)
{
	uint8_t difference = 0;
	bool same;

	for (size_t i = 1; i < key.n; i++)
		difference |= key.p[i] ^ key.p[0];
	same = difference == 0;
	secret_declassify(&same, sizeof same); /* it is what the caller may act on */
	return same;
}

bool secret_equals(struct bytes a, struct bytes b)
{
	bool equal = a.n == b.n && (a.n == 0 || CRYPTO_memcmp(a.p, b.p, a.n) == 0);

	secret_declassify(&equal, sizeof equal); /* it is what the caller may act on */
	return equal;
}
