/* SPDX-License-Identifier: Apache-2.0 */
/* preset.h - what the home network has written into DF_ProSe about the user's rights (TS 31.102 4.4.8), and the PLMN in a file
 * of the last registration. PLMNs are MCC and MNC as text, 5 or 6 digits. */
#ifndef APDU_PRESET_H
#define APDU_PRESET_H

#include "apdu/base/bytes.h"

enum { PLMN_ROOM = 7, RIGHTS_COUNT = 3 };

/* By the bit of enum permission: the file that lists PLMNs, and the one whose first octet speaks for out of coverage. */
struct preset_files {
	uint16_t plmns, radio;
};
extern const struct preset_files preset_files[RIGHTS_COUNT];

/* Records A0 { 80 PLMN, [82 Model] ... }, what is not written FF: whether one names this PLMN, for model A. Without 82 a record
 * means model A; with it, bit 1 does, and bit 2 is a discoveree's of model B. */
bool preset_names(struct bytes content, struct bytes plmn);
bool preset_off_network(struct bytes content);

bool plmn_is_valid(struct bytes plmn);
/* MCC and MNC (3 octets) and area code (2) of EF_LOCI or EF_EPSLOCI. false: no network is registered there (an area code of
 * 0000 or FFFE, TS 23.003 4.1, or no digits). */
bool plmn_of_area(struct bytes area, char out[static PLMN_ROOM]);

#endif
