/* SPDX-License-Identifier: Apache-2.0 */
/* aids.h - application, card and toolkit identifiers used by more than one side. */
#ifndef APDU_AIDS_H
#define APDU_AIDS_H

enum { ICCID_LEN = 10, CARD_ID_LEN = ICCID_LEN, TAR_LEN = 3, AID_MAX = 16 };

/* 3GPP RID, USIM, then country and provider FF as unassigned (TS 101 220 annex E). */
#define AID_USIM "\xA0\x00\x00\x00\x87\x10\x02\xFF\xFF\xFF\xFF\x89\x07\x09\x00\x00"
/* Proprietary, unregistered (ISO 7816-5 category F): "PROSE", instance 01 = the operator's domain. */
#define AID_PROSE "\xF0\x50\x52\x4F\x53\x45\x01"

/* The issuer security domain (GlobalPlatform 2.3 annex H). */
#define AID_ISD "\xA0\x00\x00\x01\x51\x00\x00\x00"
/* Its name on cards before GlobalPlatform had a RID, and in pySim. */
#define AID_ISD_OLD "\xA0\x00\x00\x00\x03\x00\x00\x00"

/* TARs of the remote file management applications (TS 102 226, TS 101 220 annex D). */
#define TAR_CARD_MANAGER "\x00\x00\x00"
#define TAR_RFM_UICC "\xB0\x00\x00"
#define TAR_RFM_USIM "\xB0\x00\x11"
#define TAR_RFM_PROSE "\xB0\x5F\x90" /* ours: DF_ProSe, scripts all or nothing */
#define TAR_RFM_UICC_EXPANDED "\xB0\x01\x20"
#define TAR_RFM_PROSE_EXPANDED "\xB0\x5F\x91" /* ours */
#define TAR_PROSE "\xB0\x5F\x92"              /* ours: the ProSe applet; takes sealed objects and I_MESSAGEs as TLVs */

#endif
