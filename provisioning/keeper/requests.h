/* SPDX-License-Identifier: Apache-2.0 */
/* requests.h - the rows of the keeper's table, each beside the function that does the work. */
#ifndef PROVISIONING_KEEPER_REQUESTS_H
#define PROVISIONING_KEEPER_REQUESTS_H

#include "provisioning/keeper/keeper.h"

extern const struct keeper_request hss_ask_vector, hss_ask_triplets, hss_ask_resynchronisation; /* cards/hss.c */
extern const struct keeper_request bsf_ask_bootstrapping, bsf_ask_ua_key;                       /* gba/bsf.c */
extern const struct keeper_request function_ask_permissions;                                    /* services/function.c */
extern const struct keeper_request kms_ask_enrolment_key, kms_ask_answer;                       /* services/kms_service.c */
extern const struct keeper_request group_ask_join;                                              /* services/group_service.c */
extern const struct keeper_request ota_ask_packet, ota_ask_response, ota_ask_rotation, ota_ask_rotated,
        ota_ask_psk; /* campaign/ota.c */

/* All of them (services/rows.c). */
extern const struct keeper_request *const keeper_rows[];

#endif
