/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/card/io/vfs_cut.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

/* A write that xSync has not yet made durable. It stands in the real file already; `before` is what the cut puts back. */
struct unsynced {
	struct unsynced *next;
	sqlite3_int64 at;
	int n, had; /* octets there were before */
	sqlite3_int64 size;
	unsigned char *before;
};

struct cut_file {
	sqlite3_file base;
	struct unsynced *list; /* newest first */
	struct cut_file *next_open;
	sqlite3_file *real; /* behind this struct */
};

static sqlite3_vfs *real_vfs, cut_vfs;
static struct cut_file *open_files;
static long operations, cut_at = -1;
static bool torn, dead;
static long full_at = -1, writes;
static sqlite3 *last_connection;

static void forget(struct cut_file *f)
{
	while (f->list != NULL) {
		struct unsynced *u = f->list;

		f->list = u->next;
		free(u->before);
		free(u);
	}
}

/* Undo what was not synced, newest first: dropped, or with its first half kept. */
static void lose_power(void)
{
	dead = true;
	for (struct cut_file *f = open_files; f != NULL; f = f->next_open) {
		for (struct unsynced *u = f->list; u != NULL; u = u->next) {
			int keep = torn ? u->n / 2 : 0;

			if (u->had > keep)
				(void)f->real->pMethods->xWrite(f->real, u->before + keep, u->had - keep, u->at + keep);
			if (u->size < u->at + u->n)
				(void)f->real->pMethods->xTruncate(f->real, u->size > u->at + keep ? u->size : u->at + keep);
		}
		forget(f);
	}
}

static bool tick(void)
{
	if (!dead && cut_at >= 0 && operations >= cut_at)
		lose_power();
	operations++;
	return dead;
}

static int cut_close(sqlite3_file *file)
{
	struct cut_file *f = (struct cut_file *)file, **at = &open_files;

	while (*at != NULL && *at != f)
		at = &(*at)->next_open;
	if (*at != NULL)
		*at = f->next_open;
	forget(f);
	return f->real->pMethods->xClose(f->real);
}

static int cut_read(sqlite3_file *file, void *out, int n, sqlite3_int64 at)
{
	struct cut_file *f = (struct cut_file *)file;

	return f->real->pMethods->xRead(f->real, out, n, at);
}

static int cut_write(sqlite3_file *file, const void *data, int n, sqlite3_int64 at)
{
	struct cut_file *f = (struct cut_file *)file;
	struct unsynced *u;

	if (full_at >= 0 && writes++ >= full_at)
		return SQLITE_FULL;
	if (tick())
		return SQLITE_IOERR_WRITE;
	u = calloc(1, sizeof *u);
	u->at = at;
	u->n = n;
	u->before = calloc(1, (size_t)n);
	(void)f->real->pMethods->xFileSize(f->real, &u->size);
	u->had = u->size <= at ? 0 : u->size - at < n ? (int)(u->size - at) : n;
	if (u->had > 0)
		(void)f->real->pMethods->xRead(f->real, u->before, u->had, at);
	u->next = f->list;
	f->list = u;
	return f->real->pMethods->xWrite(f->real, data, n, at);
}

static int cut_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	struct cut_file *f = (struct cut_file *)file;

	return dead ? SQLITE_IOERR_TRUNCATE : f->real->pMethods->xTruncate(f->real, size);
}

static int cut_sync(sqlite3_file *file, int flags)
{
	struct cut_file *f = (struct cut_file *)file;

	if (tick())
		return SQLITE_IOERR_FSYNC;
	forget(f);
	return f->real->pMethods->xSync(f->real, flags);
}

static int cut_size(sqlite3_file *file, sqlite3_int64 *out)
{
	struct cut_file *f = (struct cut_file *)file;

	return f->real->pMethods->xFileSize(f->real, out);
}

static int cut_lock(sqlite3_file *file, int level)
{
	struct cut_file *f = (struct cut_file *)file;

	return f->real->pMethods->xLock(f->real, level);
}

static int cut_unlock(sqlite3_file *file, int level)
{
	struct cut_file *f = (struct cut_file *)file;

	return f->real->pMethods->xUnlock(f->real, level);
}

static int cut_check(sqlite3_file *file, int *out)
{
	struct cut_file *f = (struct cut_file *)file;

	return f->real->pMethods->xCheckReservedLock(f->real, out);
}

static int cut_control(sqlite3_file *file, int op, void *arg)
{
	struct cut_file *f = (struct cut_file *)file;

	return f->real->pMethods->xFileControl(f->real, op, arg);
}

static int cut_sector(sqlite3_file *file)
{
	(void)file;
	return 512;
}

static int cut_device(sqlite3_file *file)
{
	(void)file;
	return 0; /* no promises: appends are not safe, writes are not atomic */
}

/* Version 1 methods: no shared memory, which locking_mode=EXCLUSIVE does not need. */
static const sqlite3_io_methods methods = { 1, cut_close, cut_read, cut_write, cut_truncate, cut_sync, cut_size, cut_lock,
	cut_unlock, cut_check, cut_control, cut_sector, cut_device, NULL, NULL, NULL, NULL, NULL, NULL };

static int cut_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out_flags)
{
	struct cut_file *f = (struct cut_file *)file;
	int rc;

	(void)vfs;
	memset(f, 0, sizeof *f);
	f->real = (sqlite3_file *)(void *)(f + 1);
	rc = real_vfs->xOpen(real_vfs, name, f->real, flags, out_flags);
	if (rc != SQLITE_OK)
		return rc;
	f->base.pMethods = &methods;
	f->next_open = open_files;
	open_files = f;
	return SQLITE_OK;
}

static int cut_delete(sqlite3_vfs *vfs, const char *name, int sync_folder)
{
	(void)vfs;
	return dead ? SQLITE_IOERR_DELETE : real_vfs->xDelete(real_vfs, name, sync_folder);
}

static int remember_connection(sqlite3 *db, char **error, const struct sqlite3_api_routines *api)
{
	(void)error;
	(void)api;
	last_connection = db;
	return SQLITE_OK;
}

void vfs_cut_pragma(const char *pragma)
{
	if (sqlite3_exec(last_connection, pragma, NULL, NULL, NULL) != SQLITE_OK)
		abort();
}

void vfs_cut_register(void)
{
	/* SQLite's own way to see every connection; the type is that of an extension's entry point. */
	(void)sqlite3_auto_extension((void (*)(void))remember_connection);
	real_vfs = sqlite3_vfs_find(NULL);
	cut_vfs = *real_vfs;
	cut_vfs.zName = "cut";
	cut_vfs.szOsFile = (int)sizeof(struct cut_file) + real_vfs->szOsFile;
	cut_vfs.xOpen = cut_open;
	cut_vfs.xDelete = cut_delete;
	(void)sqlite3_vfs_register(&cut_vfs, 0);
}

void vfs_cut_arm(long n, bool with_torn_sectors)
{
	operations = 0;
	cut_at = n;
	torn = with_torn_sectors;
	dead = false;
	full_at = -1;
}

void vfs_cut_fill(long n)
{
	vfs_cut_arm(-1, false);
	full_at = n;
	writes = 0;
}

long vfs_cut_operations(void)
{
	return operations;
}
