/* SPDX-License-Identifier: Apache-2.0 */
/* disk.h - what an errno of the operating system's means for whoever has to do something about it. */
#ifndef APDU_BASE_DISK_H
#define APDU_BASE_DISK_H

#include "apdu/base/status.h"

/* ERR_NO_MEMORY, ERR_DISK_..., or ERR_IO for every other. */
MUST_USE enum status disk_status(int error);
/* What to tell of it: as status_text, and for ERR_IO the system's own words. */
const char *disk_text(int error);

#endif
