/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/guarded/pages.h"

#include <sys/mman.h>

#include "apdu/base/secret.h"

void *pages_new(size_t n)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	(void)mlock(p, n);
	(void)madvise(p, n, MADV_DONTDUMP);
	return p;
}

void pages_free(void *p, size_t n)
{
	if (p == NULL)
		return;
	secret_clean(p, n);
	(void)munmap(p, n);
}
