/* SPDX-License-Identifier: Apache-2.0 */
#include "apdu/base/status.h"

#include <stddef.h>

const char *status_text(enum status st)
{
	static const char *const text[] = {
		[OK] = "ok",
		[ERR_TRUNCATED] = "the data ends too early",
		[ERR_MALFORMED] = "the data is malformed",
		[ERR_NOT_FOUND] = "not found",
		[ERR_DENIED] = "refused by policy",
		[ERR_NO_SPACE] = "too large for its buffer",
		[ERR_CRYPTO] = "a cryptographic check failed",
		[ERR_IO] = "input or output failed",
		[ERR_BUG] = "internal error",
	};
	return (size_t)st < sizeof text / sizeof *text ? text[st] : "unknown status";
}
