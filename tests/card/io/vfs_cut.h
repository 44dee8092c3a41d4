/* SPDX-License-Identifier: Apache-2.0 */
/* vfs_cut.h - an sqlite3_vfs over the default one that loses power: writes are held back until xSync, and at the cut what was
 * not synced is dropped, or torn (only its first half reaches the disk). */
#ifndef TESTS_CARD_IO_VFS_CUT_H
#define TESTS_CARD_IO_VFS_CUT_H

#include <stdbool.h>

/* Register under the name "cut". Call once. */
void vfs_cut_register(void);
/* Lose power at the n-th write or sync from now (n < 0: never). torn: leave half of each unsynced write on the disk. */
void vfs_cut_arm(long n, bool torn);
/* No power cut: from the n-th write on the disk is full. vfs_cut_arm makes room. */
void vfs_cut_fill(long n);
/* Run a PRAGMA on the connection that was opened last, for tests that plant a mistake. Not after it is closed. */
void vfs_cut_pragma(const char *);
/* How many writes and syncs there were since vfs_cut_arm. */
long vfs_cut_operations(void);

#endif
