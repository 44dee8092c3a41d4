/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/common/failure.h"

#include <openssl/err.h>
#include <stdbool.h>

/* Callers inside libcrypto put errors of their own behind the one that says it. */
static bool no_memory(void)
{
	bool found = false;
	unsigned long e;

	while ((e = ERR_get_error()) != 0)
		found = found || ERR_GET_REASON(e) == ERR_R_MALLOC_FAILURE;
	return found;
}

enum status crypto_failed(void)
{
	return no_memory() ? ERR_NO_MEMORY : ERR_LIBRARY;
}

enum status crypto_refused(void)
{
	return no_memory() ? ERR_NO_MEMORY : ERR_CRYPTO;
}
