/* kms_service.h - the KMS on its interface (TS 33.180 annex D): a UE that has proved its B-TID (TLS-PSK under Ks_ext_NAF,
 * TS 33.222) gets the KMS's certificate and the key sets of the identities that its card may hold, sealed to that card. Every
 * extraction is in a log whose entries hold together. */
#ifndef PROVISIONING_KMS_SERVICE_H
#define PROVISIONING_KMS_SERVICE_H

#include "mikey/kms_xml.h"
#include "provisioning/bsf.h"
#include "provisioning/kms.h"

struct kms_service {
	struct db *db;
	const char *naf; /* our FQDN, as UEs make their keys for it */
	struct kms_tables tables;
	uint8_t body[KMS_XML_MAX];
};
bool kms_service_key(struct kms_service *, uint64_t now, const char *identity, struct secret *key);
void kms_service_request(struct kms_service *, uint64_t now, const struct http_request *, struct http_reply *);

/* The log of extractions, oldest first; *broken: the number of the first entry that does not fit those before it, 0: none. */
struct kms_log_entry {
	uint64_t number, at, period;
	char iccid[21], uri[KMS_TEXT_MAX];
	uint8_t hash[32];
};
MUST_USE enum status kms_log_append(struct db *, uint64_t at, const char *iccid, const char *uri, uint64_t period);
MUST_USE enum status kms_log_read(
        struct db *, void (*each)(void *, const struct kms_log_entry *), void *, struct kms_log_entry *last, uint64_t *broken);

#endif
