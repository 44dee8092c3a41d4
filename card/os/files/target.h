/* SPDX-License-Identifier: Apache-2.0 */
/* target.h - the EF a command works on: the current one or the one its SFI names, structure, life and access checked, content
 * read. Shared by the commands on files. */
#ifndef CARD_OS_FILES_TARGET_H
#define CARD_OS_FILES_TARGET_H

#include "card/os/files/access.h"
#include "card/os/commands.h"

enum target_kind { TARGET_BINARY, TARGET_RECORDS, TARGET_CYCLIC, TARGET_BER_TLV };

struct target {
	uint8_t index;
	struct file *file;
	struct buf content;
	uint8_t raw[RECORD_MAX];
};

/* 9000, or in this order 6A82 or 6986, 6981, 6984, 6982. An EF named by SFI becomes current. */
enum sw target_open(struct command *, uint8_t sfi, enum access_mode, enum target_kind, struct target *);
/* Record `number` (1-based, within the file). */
struct bytes target_record(const struct target *, unsigned number);
/* Write the content back; cyclic: put a record in front, the oldest goes, and the pointer is on it. */
enum sw target_save(struct command *, struct target *);
enum sw target_push(struct command *, struct target *, struct bytes record);

#endif
