/* SPDX-License-Identifier: Apache-2.0 */
/* disk_sqlite.h - what a result code of SQLite's means; in a header, as few who link apdu/ link SQLite. */
#ifndef APDU_BASE_DISK_SQLITE_H
#define APDU_BASE_DISK_SQLITE_H

#include <errno.h>
#include <sqlite3.h>
#include <stddef.h>

#include "apdu/base/disk.h"

/* What the operating system said last of the database or its log; ERR_IO: nothing that is known. SQLite calls EIO a corrupt
 * file where it reads, and any other an I/O error. */
static inline enum status disk_sqlite_said(sqlite3 *db)
{
	static const int files[] = { SQLITE_FCNTL_FILE_POINTER, SQLITE_FCNTL_JOURNAL_POINTER };
	const int now = errno; /* where SQLite keeps none: it is at most that of closing what has failed */
	enum status st = disk_status(sqlite3_system_errno(db));

	for (size_t i = 0; i < sizeof files / sizeof *files && st == ERR_IO; i++) {
		sqlite3_file *file = NULL;
		int error = 0;

		if (sqlite3_file_control(db, "main", files[i], &file) == SQLITE_OK && file != NULL && file->pMethods != NULL &&
		        file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &error) == SQLITE_OK)
			st = disk_status(error);
	}
	return st != ERR_IO ? st : disk_status(now);
}

/* ERR_NO_MEMORY, ERR_DISK_..., or ERR_IO: something else, which the code says. */
static inline enum status disk_sqlite_status(sqlite3 *db, int rc)
{
	if (db == NULL || rc == SQLITE_IOERR_NOMEM)
		return ERR_NO_MEMORY;
	switch (rc & 0xFF) {
	case SQLITE_NOMEM: return ERR_NO_MEMORY;
	case SQLITE_FULL: return ERR_DISK_FULL;
	case SQLITE_READONLY: return ERR_DISK_READ_ONLY;
	case SQLITE_IOERR:
	case SQLITE_CANTOPEN:
	case SQLITE_CORRUPT: return disk_sqlite_said(db);
	default: return ERR_IO;
	}
}

#endif
