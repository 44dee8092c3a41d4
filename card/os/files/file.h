/* SPDX-License-Identifier: Apache-2.0 */
/* file.h - the file system of TS 102 221 clause 8: a table of files in RAM, loaded at power-on; contents in the store. */
#ifndef CARD_OS_FILES_FILE_H
#define CARD_OS_FILES_FILE_H

#include "card/os/store.h"

enum file_type { FILE_FREE, FILE_DF, FILE_ADF, FILE_TRANSPARENT, FILE_LINEAR, FILE_CYCLIC, FILE_BER_TLV };
enum { FILES_MAX = 224, FILE_NONE = 0xFF, FILE_MF = 0 };
/* Bit 2 is free in the operational states (TS 102 221 11.1.1.4.9): 05 and 07, 04 and 06. */
enum file_life { LIFE_DEACTIVATED = 0x04, LIFE_ACTIVATED = 0x05, LIFE_TERMINATED = 0x0C };
enum { ARR_OWN = 0xFF }; /* the file has its own expanded rule instead of a record of EF_ARR */

struct file {
	uint16_t fid;
	uint8_t parent; /* index; the MF is its own parent */
	uint8_t type;   /* enum file_type */
	uint8_t sfi;    /* 0: none */
	uint8_t life;
	uint8_t arr_record; /* of the EF_ARR found in the file's DF or its parents */
	uint8_t record_len, record_count;
	uint16_t size;  /* octets of content; BER-TLV: reserved for it */
	bool shareable; /* may be current on several channels at once */
	uint8_t aid_len;
	uint8_t aid[16];
};

struct file_system {
	struct store *store;
	struct file file[FILES_MAX];
	size_t count;
	bool dirty; /* differs from what the store has committed */
};

/* Read the table. ERR_NOT_FOUND on a card that was never born. */
MUST_USE enum status file_system_load(struct file_system *, struct store *);
MUST_USE enum status file_system_save(struct file_system *); /* puts the table record */

/* Add a file with this content (record files: record_count * record_len octets). Sets *index. */
/* A slot that DELETE left is used again. */
MUST_USE enum status file_add(struct file_system *, const struct file *, struct bytes content, uint8_t *index);

/* Take one file (a DF must be empty) out of the table, with its content and rule. */
MUST_USE enum status file_remove(struct file_system *, uint8_t index);
/* The expanded rule of a file with ARR_OWN. */
MUST_USE enum status file_set_rule(struct file_system *, uint8_t index, struct bytes rule);
MUST_USE enum status file_rule(struct file_system *, uint8_t index, struct buf *out);

bool file_is_terminated(const struct file *);
bool file_is_active(const struct file *);
bool file_is_deactivated(const struct file *);
bool file_is_df(const struct file *);
/* The type that a file descriptor octet names; a DF for an application, FILE_FREE for none that this card has. */
enum file_type file_type_of(uint8_t descriptor);
uint8_t file_child(const struct file_system *, uint8_t parent, uint16_t fid); /* FILE_NONE if there is none */
uint8_t file_by_sfi(const struct file_system *, uint8_t df, uint8_t sfi);
/* The application whose AID begins with name; `after`: an index to search behind, or FILE_NONE for the first. */
uint8_t file_by_aid(const struct file_system *, struct bytes name, uint8_t after);
uint8_t file_adf_of(const struct file_system *, uint8_t index); /* the ADF above, or FILE_MF */

/* The content of an EF, appended to out. */
MUST_USE enum status file_read(struct file_system *, uint8_t index, struct buf *out);
MUST_USE enum status file_write(struct file_system *, uint8_t index, struct bytes content);

/* FCP template, tag 62 (TS 102 221 11.1.1.3). pins: the value of the PIN status template, for DFs. */
void file_put_fcp(struct file_system *, uint8_t index, struct bytes pins, struct buf *out);

#endif
