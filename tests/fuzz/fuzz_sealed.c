/* SPDX-License-Identifier: Apache-2.0 */
/* Sealed objects, push messages and what cards vouch for: what parses has the elements that write the same octets again. */
#include <stdlib.h>

#include "apdu/push.h"
#include "apdu/sealed.h"

static void push_and_vouched(struct bytes in)
{
	static uint8_t raw[4096];
	struct buf b = BUF_OF(raw);
	struct vouched v;
	struct push p;

	if (push_parse(in, &p) == OK) {
		push_put_body(&b, &p);
		if (b.failed || b.len > p.maced.n)
			abort();
	}
	b = BUF_OF(raw);
	if (vouched_parse(in, &v) == OK) {
		struct bytes users = v.users, one;

		while (vouched_user(&users, &one)) {
		}
		vouched_put_body(&b, &v);
		if (users.n != 0 || b.failed || b.len > v.maced.n)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	uint8_t raw[512];
	struct buf b = BUF_OF(raw);
	struct sealed s;

	push_and_vouched((struct bytes){ data, n });
	if (sealed_parse((struct bytes){ data, n }, &s) != OK)
		return 0;
	sealed_put_header(&b, &s.header);
	if (b.failed || s.ciphertext.n < SEALED_IV_LEN + SEALED_TAG_LEN)
		abort();
	return 0;
}
