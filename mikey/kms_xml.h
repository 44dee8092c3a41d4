/* kms_xml.h - the messages of the KMS interface (TS 33.180 annex D), XML 1.0 by libxml2. Key sets and certificates travel as
 * the card's sealed objects in an element of ours, SealedObject in urn:prose-uicc:kms:1.0, so that nothing between the KMS and
 * the card can read or change them. Messages are
 * checked against mikey/kms.rng; elements that are not known are passed over; document types and entities are refused. */
#ifndef MIKEY_KMS_XML_H
#define MIKEY_KMS_XML_H

#include "apdu/bytes.h"

enum { KMS_TEXT_MAX = 129, KMS_XML_MAX = 65536, KMS_OBJECTS_MAX = 8192 };
#define KMS_PATH "/keymanagement/identity/v1/"

struct kms_request {
	char user_uri[KMS_TEXT_MAX], kms_uri[KMS_TEXT_MAX], client_url[KMS_TEXT_MAX];
	uint64_t time; /* seconds since 1970 */
};

enum kms_message { KMS_INIT, KMS_KEY_PROVISION, KMS_CERTIFICATES };
/* What of annex D's request paths this is ("init", "keyprov", "certcache" behind KMS_PATH). ERR_NOT_FOUND. */
MUST_USE enum status kms_message_of(const char *path, enum kms_message *);
const char *kms_message_path(enum kms_message);

struct kms_certificate_info {
	char kms_uri[KMS_TEXT_MAX];
	uint64_t period, offset;   /* of user keys, seconds */
	struct bytes pub_enc_key;  /* Z_T, 257 octets */
	struct bytes pub_auth_key; /* KPAK, 65 octets */
};
struct kms_response {
	char user_uri[KMS_TEXT_MAX], kms_uri[KMS_TEXT_MAX], client_url[KMS_TEXT_MAX],
	        error[KMS_TEXT_MAX]; /* error: "" if none */
	uint64_t time;
	enum kms_message kind;
	struct kms_certificate_info certificate; /* KMS_INIT, KMS_CERTIFICATES */
	uint64_t period_number;                  /* KMS_KEY_PROVISION */
	struct bytes user_id;                    /* UID, 32 octets; likewise */
	struct bytes objects;                    /* sealed, one after another; may be empty */
};

/* Append the document. ERR_NO_SPACE: no memory, or it does not fit. */
MUST_USE enum status kms_request_put(const struct kms_request *, struct buf *out);
MUST_USE enum status kms_response_put(const struct kms_response *, struct buf *out);
/* ERR_MALFORMED: no XML, a document type, another namespace, or something is missing, twice or too long. */
MUST_USE enum status kms_request_parse(struct bytes xml, struct kms_request *out);
/* What a client needs of a response: texts, kind, error and objects, which are appended to *objects. */
MUST_USE enum status kms_response_parse(struct bytes xml, struct kms_response *out, struct buf *objects);

#endif
