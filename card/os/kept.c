/* SPDX-License-Identifier: Apache-2.0 */
#include "card/os/kept.h"

#include <stdlib.h>
#include <string.h>

#include "apdu/base/secret.h"

enum status kept_append(struct kept *k, struct bytes b)
{
	uint8_t *p;

	if (b.n == 0)
		return OK;
	if ((p = malloc(k->n + b.n)) == NULL) /* not realloc, which would leave a copy behind */
		return ERR_NO_SPACE;
	if (k->n > 0)
		memcpy(p, k->p, k->n);
	memcpy(p + k->n, b.p, b.n);
	b.n += k->n;
	kept_drop(k);
	k->p = p;
	k->n = b.n;
	return OK;
}

void kept_drop(struct kept *k)
{
	if (k->p != NULL)
		secret_clean(k->p, k->n);
	free(k->p);
	*k = (struct kept){ 0 };
}

struct bytes kept_bytes(const struct kept *k)
{
	return (struct bytes){ k->p, k->n };
}
