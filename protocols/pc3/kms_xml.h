/* SPDX-License-Identifier: Apache-2.0 */
/* kms_xml.h - the messages of the KMS interface (TS 33.180 annex D), XML 1.0 by libxml2. Key sets, certificates and transport
 * keys travel as the card's sealed objects, the CipherValues of EncryptedKey elements (xmlenc) with an algorithm of ours, so
 * that nothing between the KMS and the card can read or change them; responses are signed under the card's InK. Messages are
 * checked against protocols/pc3/kms.rng; elements that are not known are passed over; document types and entities are refused.
 */
#ifndef PROTOCOLS_PC3_KMS_XML_H
#define PROTOCOLS_PC3_KMS_XML_H

#include "apdu/base/limits.h"
#include "protocols/pc3/signature_xml.h"

/* KMS_XML_MAX: a document is a whole body. One octet more: it is not made, and not read (ERR_MALFORMED). */
enum {
	KMS_TEXT_MAX = 129,
	KMS_XML_MAX = HTTP_BODY_MAX,
	KMS_OBJECTS_MAX = 8192,
	KMS_CERTIFICATES_MAX = 9,
	KMS_TRANSPORT_MAX = 512,
	KMS_SETS_MAX = 4
};
#define KMS_PATH "/keymanagement/identity/v1/"

struct kms_request {
	char user_uri[KMS_TEXT_MAX], kms_uri[KMS_TEXT_MAX], client_url[KMS_TEXT_MAX];
	uint64_t time;      /* seconds since 1970 */
	uint64_t installed; /* KMS_INSTALLED: the key period number; 0: none */
};

/* Annex D's, and one of ours: the card has the keys of a period. */
enum kms_message { KMS_INIT, KMS_KEY_PROVISION, KMS_CERTIFICATES, KMS_INSTALLED };
/* Which request path this is ("init", "keyprov", "certcache", "installed" behind KMS_PATH). ERR_NOT_FOUND. */
MUST_USE enum status kms_message_of(const char *path, enum kms_message *);
const char *kms_message_path(enum kms_message);

/* What a certificate or a key set says of its own use; each optional: no issuer, no end, not revoked. */
struct kms_validity {
	char issuer[KMS_TEXT_MAX];
	uint64_t from, to; /* to 0: no end */
	bool revoked;
};
enum kms_role { KMS_ROOT, KMS_EXTERNAL, KMS_NO_ROLE };
struct kms_certificate_info {
	char kms_uri[KMS_TEXT_MAX], domain[KMS_TEXT_MAX]; /* domain: of an external KMS's users; "" for the root */
	uint64_t period, offset;                          /* of user keys, seconds */
	uint8_t pub_enc_key[257], pub_auth_key[65];       /* Z_T, KPAK */
	struct kms_validity validity;
	enum kms_role role; /* written as what the domain says */
};
/* A KmsKeySet, its keys apart. */
struct kms_key_set_info {
	char user_uri[KMS_TEXT_MAX], kms_uri[KMS_TEXT_MAX];
	struct kms_validity validity;
};
struct kms_response {
	char user_uri[KMS_TEXT_MAX], kms_uri[KMS_TEXT_MAX], client_url[KMS_TEXT_MAX],
	        error[KMS_TEXT_MAX]; /* error: "" if none */
	uint64_t time;
	enum kms_message kind;
	struct kms_certificate_info certificate[KMS_CERTIFICATES_MAX]; /* KMS_INIT, KMS_CERTIFICATES */
	size_t certificates;
	uint64_t period_number;      /* KMS_KEY_PROVISION */
	struct bytes user_id;        /* UID, 32 octets; likewise */
	struct bytes transport_keys; /* KMS_INIT: sealed NewTransportKey and NewIntegrityKey; may be empty */
	struct bytes objects;        /* sealed, one after another; may be empty */
};
/* InK of a card, by the number of its TrK. */
struct kms_integrity_key {
	unsigned trk_id;
	struct bytes key;
};
/* What a client needs of a response: texts, kind, error, period, objects; and of its signature what the card has to check. */
struct kms_received {
	struct kms_response response; /* its objects are views of the arrays below */
	struct kms_key_set_info set[KMS_SETS_MAX];
	size_t sets;
	bool is_signed;
	unsigned trk_id;
	struct xml_signature signature;
	uint8_t transport_keys[KMS_TRANSPORT_MAX], objects[KMS_OBJECTS_MAX];
};

/* Append the document. ERR_NO_SPACE: no memory, or it does not fit. A response without a key is not signed. */
MUST_USE enum status kms_request_put(const struct kms_request *, struct buf *out);
MUST_USE enum status kms_response_put(const struct kms_response *, const struct kms_integrity_key *, struct buf *out);
MUST_USE enum status kms_certificate_put(const struct kms_certificate_info *, struct buf *out);
/* ERR_MALFORMED: no XML, a document type, another namespace, or something is missing, twice or too long. */
MUST_USE enum status kms_request_parse(struct bytes xml, struct kms_request *out);
MUST_USE enum status kms_certificate_parse(struct bytes xml, struct kms_certificate_info *out);
/* Why a certificate of this role is not to be used at this time, handed over by `issuer`, in a sentence's second half; NULL: it
 * is. docs/fields.md has each field. */
const char *kms_certificate_refused(const struct kms_certificate_info *, enum kms_role, const char *issuer, uint64_t now);
/* The same of an answer to a request: that it is to this, and its certificates and key sets. */
const char *kms_response_refused(const struct kms_received *, const struct kms_request *asked, uint64_t now);
/* As kms_certificate_parse; ERR_CRYPTO: the signature is of something else than this response. */
MUST_USE enum status kms_response_parse(struct bytes xml, struct kms_received *out);

#endif
