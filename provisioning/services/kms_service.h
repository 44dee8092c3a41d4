/* SPDX-License-Identifier: Apache-2.0 */
/* kms_service.h - the KMS on its interface (TS 33.180 annex D): a UE that has proved its B-TID (TLS-PSK under Ks_ext_NAF,
 * TS 33.222) gets the KMS's certificate and the key sets of the identities that its card may hold, sealed to that card and
 * signed under its InK; so does one that has a one-time enrolment code (crypto/network/enrol.h), for that code's user, once.
 * The phone says when its card has them. */
#ifndef PROVISIONING_SERVICES_KMS_SERVICE_H
#define PROVISIONING_SERVICES_KMS_SERVICE_H

#include "protocols/pc3/kms_xml.h"
#include "provisioning/gba/bsf.h"
#include "provisioning/keys/kms.h"

struct kms_service {
	struct db *db;
	const char *naf; /* our FQDN, as UEs make their keys for it */
	uint8_t body[KMS_XML_MAX];
	char header[UA_DIGEST_HEADER];
};
bool kms_service_key(struct kms_service *, uint64_t now, const char *identity, bool tls13, struct secret *key);
void kms_service_request(struct kms_service *, uint64_t now, const struct http_request *, struct http_reply *);

#endif
