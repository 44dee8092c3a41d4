/* SPDX-License-Identifier: Apache-2.0 */
/* image_error.h - why a card image cannot be opened, read or written. */
#ifndef CARD_IO_IMAGE_IMAGE_ERROR_H
#define CARD_IO_IMAGE_IMAGE_ERROR_H

#include "apdu/base/status.h"

enum image_error {
	IMAGE_OK = 0,
	IMAGE_MISSING = 3,   /* no such file */
	IMAGE_NOT_IMAGE = 4, /* not a card image, or truncated */
	IMAGE_WRONG_KEY = 5,
	IMAGE_TAMPERED = 6, /* a record was edited, replaced, removed or is old */
	IMAGE_BUSY = 7,     /* another process holds it */
	IMAGE_IO = 8,
	IMAGE_FARM = 10,  /* many cards where one was expected */
	IMAGE_NEWER = 11, /* of a format that this program does not know */
	IMAGE_OLD = 12,   /* from before the epoch that its counter has reached (epoch.h) */
	IMAGE_COUNTER_SILENT = 13,
	IMAGE_COUNTER_WANTED = 0x100 | IMAGE_COUNTER_SILENT,
	IMAGE_UNCOUNTED = 0x200 | IMAGE_COUNTER_SILENT,
	IMAGE_COUNTED = 0x300 | IMAGE_COUNTER_SILENT,
	IMAGE_OTHER_COUNTER = 0x400 | IMAGE_COUNTER_SILENT,
	IMAGE_READ_ONLY = 0x100 | IMAGE_IO, /* file or folder */
	IMAGE_FULL = 0x200 | IMAGE_IO,      /* the disk */
	IMAGE_NO_MEMORY = 0x300 | IMAGE_IO,
	IMAGE_LIBRARY = 0x400 | IMAGE_IO, /* ERR_LIBRARY */
	IMAGE_QUOTA = 0x500 | IMAGE_IO,
	IMAGE_ROFS = 0x600 | IMAGE_IO,  /* the file system is read-only */
	IMAGE_BROKEN = 0x700 | IMAGE_IO /* the disk */
};
/* One sentence: what is wrong and what to do. The low octet of a value is the exit code of prose-card. */
const char *image_error_text(enum image_error);
/* A status by which a record or image could not be read: IMAGE_TAMPERED unless it is this machine's fault. And back. */
enum image_error image_error_of(enum status);
enum status image_error_status(enum image_error);

#endif
