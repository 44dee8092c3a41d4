/* SPDX-License-Identifier: Apache-2.0 */
#include "apdu/base/disk.h"

#include <errno.h>
#include <string.h>

enum status disk_status(int error)
{
	switch (error) {
	case ENOMEM: return ERR_NO_MEMORY;
	case ENOSPC: return ERR_DISK_FULL;
	case EDQUOT: return ERR_DISK_QUOTA;
	case EROFS: return ERR_DISK_READ_ONLY;
	case EIO: return ERR_DISK_BROKEN;
	default: return ERR_IO;
	}
}

const char *disk_text(int error)
{
	enum status st = disk_status(error);

	return st == ERR_IO ? strerror(error) : status_text(st);
}
