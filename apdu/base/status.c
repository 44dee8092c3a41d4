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
		[ERR_NO_MEMORY] = "out of memory: stop other programs, or allow this one more",
		[ERR_LIBRARY] = "libcrypto could not compute: out of memory, or an algorithm is disabled",
		[ERR_DISK_FULL] = "the disk is full: make room there",
		[ERR_DISK_QUOTA] = "the disk quota is used up: make room there, or ask for more",
		[ERR_DISK_READ_ONLY] = "the file system is read-only: mount it for writing",
		[ERR_DISK_BROKEN] = "the disk failed (Input/output error): look at the kernel's log",
	};
	return (size_t)st < sizeof text / sizeof *text ? text[st] : "unknown status";
}
