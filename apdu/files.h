/* SPDX-License-Identifier: Apache-2.0 */
/* files.h - the files that a UICC has (TS 102 221 13, TS 31.102 4): identifiers, the names that people type and read instead,
 * and what their contents and access rules mean to more than one side. */
#ifndef APDU_FILES_H
#define APDU_FILES_H

#include <stddef.h>

enum {
	FID_MF = 0x3F00,
	FID_CURRENT_ADF = 0x7FFF,
	FID_DIR = 0x2F00,
	FID_PL = 0x2F05,
	FID_ARR_MF = 0x2F06,
	FID_ICCID = 0x2FE2,
	FID_ADF_USIM = 0x7FF0, /* internal handle; a phone selects by AID or 7FFF */
	FID_IMSI = 0x6F07,
	FID_ARR = 0x6F06,
	FID_AD = 0x6FAD,
	FID_UST = 0x6F38,
	FID_ACC = 0x6F78,
	FID_LOCI = 0x6F7E,
	FID_EPSLOCI = 0x6FE3,
	FID_GBABP = 0x6FD6,
	FID_GBANL = 0x6FDA,
	FID_UMPC = 0x2F08,
	FID_DF_5GS = 0x5FC0,
	FID_ROUTING_INDICATOR = 0x4F0A,
	FID_DF_SAIP = 0x5FD0,
	FID_SUCI_CALC_INFO_USIM = 0x4F01,
	FID_DF_PROSE = 0x5F90,
	FID_PROSE_MON = 0x4F01,
	FID_PROSE_ANN = 0x4F02,
	FID_PROSE_FUNC = 0x4F03,
	FID_PROSE_RADIO_COM = 0x4F04,
	FID_PROSE_RADIO_MON = 0x4F05,
	FID_PROSE_RADIO_ANN = 0x4F06,
	FID_PROSE_POLICY = 0x4F07,
	FID_PROSE_PLMN = 0x4F08,
	FID_PROSE_GC = 0x4F09,
	FID_PST = 0x4F10,
	FID_PROSE_UIRC = 0x4F11,
	FID_PROSE_GM_DISCOVERY = 0x4F12,
	FID_PROSE_RELAY = 0x4F13,
	FID_PROSE_RELAY_DISCOVERY = 0x4F14,
	FID_PROSE_KMS = 0x4F20 /* ours: TLV with the FQDN of the KMS */
};
enum { EF_PROSE_KMS_TAG = 0x80, EF_PROSE_KMS_MAX = 128, EF_PROSE_KMS_NAME_MAX = 120 };

/* File descriptor octet (TS 102 221 11.1.1.4.3): structure, and whether several channels may have the file current. */
enum file_descriptor {
	FDB_TRANSPARENT = 0x01,
	FDB_LINEAR = 0x02,
	FDB_CYCLIC = 0x06,
	FDB_DF = 0x38,
	FDB_BER_TLV = 0x39,
	FDB_STRUCTURE = 0x3F,
	FDB_SHAREABLE = 0x40
};

/* Services of EF_UST (TS 31.102 4.2.8) that the card's code looks at. */
enum usim_service {
	SERVICE_GSM_ACCESS = 27,
	SERVICE_SMS_PP = 28,
	SERVICE_GSM_CONTEXT = 38,
	SERVICE_VGCS_SECURITY = 57,
	SERVICE_GBA = 68,
	SERVICE_MBMS = 69,
	SERVICE_LOCAL_KEY = 76,
	SERVICE_PROSE = 101,
	SERVICE_SUCI = 124,
	SERVICE_SUCI_BY_USIM = 125
};

/* Access rule references: records of EF_ARR that every profile of ours carries, in this order. */
enum arr_record {
	ARR_READ_ALWAYS = 1,  /* READ always, the rest ADM1 */
	ARR_READ_PIN,         /* READ PIN1, UPDATE and (de)activate ADM1 */
	ARR_UPDATE_PIN,       /* READ and UPDATE PIN1, (de)activate ADM1 */
	ARR_ADM,              /* all ADM1 */
	ARR_READ_ALWAYS_ONLY, /* READ always, everything else never */
	ARR_PIN2,             /* READ PIN1, UPDATE PIN2, the rest ADM1 */
	ARR_COUNTER,          /* READ and INCREASE PIN1, UPDATE PIN2, the rest ADM1: EF_ACM */
	ARR_OPEN,             /* READ always, UPDATE PIN1, the rest ADM1 */
	ARR_RECORDS = ARR_OPEN
};

struct ef_name {
	const char *path; /* file ids joined by /, 7FFF for the application */
	const char *name; /* "EF_IMSI", "DF_PROSE" */
};

/* In the order of a tree: a directory before what is in it. */
extern const struct ef_name ef_names[];
extern const size_t ef_name_count;

#endif
