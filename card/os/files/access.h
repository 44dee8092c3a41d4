/* SPDX-License-Identifier: Apache-2.0 */
/* access.h - who may do what to a file: records of EF_ARR (TS 102 221 9.2), and the PIN state they ask for. */
#ifndef CARD_OS_FILES_ACCESS_H
#define CARD_OS_FILES_ACCESS_H

#include "apdu/files.h"
#include "card/os/card.h"

enum access_mode {
	ACCESS_READ = 0x01,
	ACCESS_UPDATE = 0x02,
	ACCESS_DEACTIVATE = 0x08,
	ACCESS_ACTIVATE = 0x10,
	ACCESS_TERMINATE = 0x20,
	ACCESS_DELETE = 0x40,
	ACCESS_CREATE_EF = 0x02,
	ACCESS_CREATE_DF = 0x04,
	ACCESS_DELETE_CHILD = 0x01,
	ACCESS_INCREASE = 0x3200,
	ACCESS_RESIZE = 0xD400 /* by instruction: access mode objects 84 */
};

/* 9000, or 6982. No rule for an operation means never. */
enum sw access_check(struct card *, const struct channel *, uint8_t file, enum access_mode);

/* The rule records that arr_record numbers point to, FF padded to ARR_RECORD_LEN each. */
enum { ARR_RECORD_LEN = 48 };
extern const struct bytes arr_rules[ARR_RECORDS];

/* Whether key reference 01 (PIN1), 0A (ADM1) counts as satisfied on this channel. */
bool access_verified(struct card *, const struct channel *, uint8_t key_reference);

#endif
