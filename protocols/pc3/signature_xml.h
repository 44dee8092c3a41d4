/* SPDX-License-Identifier: Apache-2.0 */
/* signature_xml.h - XML Signature (W3C xmldsig-core, RFC 6931), the one form of it that KMS messages have: HMAC-SHA-256 under a
 * key that a card holds, over one element, both in exclusive canonical form (libxml2's). The element is found by its place and
 * never by its name, so that nothing can be wrapped around it. For kms_xml.c only. */
#ifndef PROTOCOLS_PC3_SIGNATURE_XML_H
#define PROTOCOLS_PC3_SIGNATURE_XML_H

#include "apdu/base/bytes.h"

struct _xmlNode; /* libxml2's */

enum { SIGNED_INFO_MAX = 1024, SIGNATURE_VALUE_LEN = 32, SIGNATURE_KEY_NAME_MAX = 160 };

#define XML_DSIG "http://www.w3.org/2000/09/xmldsig#"

/* An element of this namespace and name; the text of one that has nothing else, or "". Not for NULL. */
bool xml_is(const struct _xmlNode *, const char *ns, const char *name);
const char *xml_text(const struct _xmlNode *);

struct xml_signature {
	char key_name[SIGNATURE_KEY_NAME_MAX];
	uint8_t signed_info[SIGNED_INFO_MAX]; /* what the MAC is over */
	size_t signed_info_len;
	uint8_t value[SIGNATURE_VALUE_LEN];
};

/* Append to parent a Signature of the element, whose attribute Id is id. ERR_NO_SPACE: no memory. */
MUST_USE enum status xml_sign(
        struct _xmlNode *parent, struct _xmlNode *element, const char *id, const char *key_name, struct bytes key);
/* Take a Signature apart that has to be of this element, and check the digest; the MAC is for who has the key. ERR_MALFORMED:
 * another form; ERR_CRYPTO: the element is not what was signed. */
MUST_USE enum status xml_signature_read(const struct _xmlNode *signature, struct _xmlNode *element, struct xml_signature *out);

#endif
