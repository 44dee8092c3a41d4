/* SPDX-License-Identifier: Apache-2.0 */
#include "card/io/image/image_error.h"

#include <stddef.h>

const char *image_error_text(enum image_error e)
{
	switch (e) {
	case IMAGE_OK: return "ok";
	case IMAGE_MISSING: return "no such card image: create one with `prose-card create`";
	case IMAGE_NOT_IMAGE:
		return "this is not a whole card image (truncated, or another kind of file): restore it from a copy";
	case IMAGE_WRONG_KEY: return "the image key does not fit this image: give the key file that it was created with";
	case IMAGE_TAMPERED:
		return "the image was changed behind the card's back (a record edited, replaced, removed or old): it will not be used";
	case IMAGE_BUSY: return "another process is using this image: stop that card first";
	case IMAGE_FARM: return "this image holds many cards: use `prose-card farm`";
	case IMAGE_NEWER: return "was made by a newer prose-card";
	case IMAGE_OLD: return "an older copy of this card was put back, as its counter says: use the image that ran last";
	case IMAGE_COUNTER_SILENT: return "the counter of this image's epochs does not answer: a card does not run without it";
	case IMAGE_COUNTER_WANTED: return "a counter counts this image's epochs: run it with `prose-card run --counter SOURCE`";
	case IMAGE_UNCOUNTED: return "no counter counts this image's epochs: `prose-card counter` begins that";
	case IMAGE_COUNTED: return "a counter counts this image's epochs already";
	case IMAGE_OTHER_COUNTER: return "the image is ahead of this counter: it is another one's, or the counter was put back";
	case IMAGE_READ_ONLY: return "the image's file or folder is read-only: a card must write, so make both writable";
	case IMAGE_FULL: return "the disk that the image lies on is full: make room there";
	case IMAGE_NO_MEMORY:
	case IMAGE_LIBRARY:
	case IMAGE_QUOTA:
	case IMAGE_ROFS:
	case IMAGE_BROKEN: return status_text(image_error_status(e));
	default: return "the image could not be read or written";
	}
}

static const struct {
	enum image_error error;
	enum status status;
} of_machine[] = { { IMAGE_NO_MEMORY, ERR_NO_MEMORY }, { IMAGE_LIBRARY, ERR_LIBRARY }, { IMAGE_FULL, ERR_DISK_FULL },
	{ IMAGE_QUOTA, ERR_DISK_QUOTA }, { IMAGE_ROFS, ERR_DISK_READ_ONLY }, { IMAGE_BROKEN, ERR_DISK_BROKEN },
	{ IMAGE_IO, ERR_IO } };

enum image_error image_error_of(enum status st)
{
	for (size_t i = 0; i < sizeof of_machine / sizeof *of_machine; i++)
		if (of_machine[i].status == st)
			return of_machine[i].error;
	return st == OK ? IMAGE_OK : IMAGE_TAMPERED;
}

enum status image_error_status(enum image_error e)
{
	for (size_t i = 0; i < sizeof of_machine / sizeof *of_machine; i++)
		if (of_machine[i].error == e)
			return of_machine[i].status;
	return e == IMAGE_OK ? OK : e == IMAGE_READ_ONLY ? ERR_DISK_READ_ONLY : ERR_IO;
}
