/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/keeper/requests.h"

const struct keeper_request *const keeper_rows[] = { &hss_ask_vector, &hss_ask_triplets, &hss_ask_resynchronisation,
	&bsf_ask_bootstrapping, &bsf_ask_ua_key, &function_ask_permissions, &kms_ask_enrolment_key, &kms_ask_answer,
	&group_ask_join, &ota_ask_packet, &ota_ask_response, &ota_ask_rotation, &ota_ask_rotated, &ota_ask_psk, NULL };
