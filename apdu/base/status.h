/* SPDX-License-Identifier: Apache-2.0 */
/* status.h - the one error type used inside the programs; the wire has enum sw (apdu/sw.h). */
#ifndef APDU_BASE_STATUS_H
#define APDU_BASE_STATUS_H

#include <stdbool.h>

enum status {
	OK = 0,
	ERR_TRUNCATED, /* input ends too early */
	ERR_MALFORMED, /* input is not what its format says */
	ERR_NOT_FOUND, /* no such key, file, record, card */
	ERR_DENIED,    /* policy or rights say no */
	ERR_NO_SPACE,  /* a fixed buffer or table is full */
	ERR_CRYPTO,    /* a MAC, signature, tag or point is wrong */
	ERR_IO,        /* the operating system or a peer failed */
	ERR_BUG,       /* a broken promise inside this program */
	ERR_NO_MEMORY, /* the operating system gives none */
	ERR_LIBRARY,   /* libcrypto could not compute */
	/* Of ERR_IO's kind, and what to do is known (apdu/base/disk.h): */
	ERR_DISK_FULL,
	ERR_DISK_QUOTA,
	ERR_DISK_READ_ONLY,
	ERR_DISK_BROKEN
};
enum { STATUS_LAST = ERR_DISK_BROKEN };

#define MUST_USE __attribute__((warn_unused_result))

/* TRY(x): return x's status early unless it is OK. The only control-flow macro here. */
#define TRY(x)                                                                                                                 \
	do {                                                                                                                   \
		enum status st_ = (x);                                                                                         \
		if (st_ != OK)                                                                                                 \
			return st_;                                                                                            \
	} while (0)

/* Whether it failed for reasons of this machine's, whatever the input was: the same may succeed later. */
static inline bool status_failed(enum status st)
{
	return st == ERR_IO || st >= ERR_NO_MEMORY;
}

/* One English phrase for a status ("input ends too early"); never NULL. */
const char *status_text(enum status);

#endif
