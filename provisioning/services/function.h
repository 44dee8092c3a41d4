/* SPDX-License-Identifier: Apache-2.0 */
/* function.h - the ProSe Function as a server that gives configuration (seed S-6.1, TS 33.303 5.3.3): what a user may do in
 * each PLMN, merged here, sealed to his card, fetched by his phone under Ks_ext_NAF (TLS-PSK or HTTP
 * Digest) or with the card's certificate.
 *
 *   GET /function/v1/permissions   200 with the sealed objects of all PLMNs, one after another; 204: nothing is permitted */
#ifndef PROVISIONING_SERVICES_FUNCTION_H
#define PROVISIONING_SERVICES_FUNCTION_H

#include "provisioning/gba/bsf.h"

/* One card's permission in one place, sealed. */
MUST_USE enum status function_permission(
        struct db *, uint64_t now, const char *iccid, const struct db_permission *, struct buf *out);

struct function_service {
	struct db *db;
	const char *naf; /* our FQDN, as UEs make their keys for it */
	uint8_t body[16384];
	char header[UA_DIGEST_HEADER];
};
void function_service_request(struct function_service *, uint64_t now, const struct http_request *, struct http_reply *);

#endif
