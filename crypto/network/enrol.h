/* SPDX-License-Identifier: Apache-2.0 */
/* enrol.h - a one-time enrolment code: 16 random octets in hex, in groups of four with hyphens, which a person carries. Name
 * and key of TLS-PSK are made of it, so that the server can name the code without holding it. */
#ifndef CRYPTO_NETWORK_ENROL_H
#define CRYPTO_NETWORK_ENROL_H

#include "apdu/base/secret.h"

enum { ENROL_CODE_LEN = 16, ENROL_CODE_TEXT = 40, ENROL_IDENTITY_MAX = 24, ENROL_KEY_LEN = 32 };
#define ENROL_PREFIX "enrol;"

void enrol_text(const struct secret *code, char text[static ENROL_CODE_TEXT]);
/* Hyphens, blanks and line ends are passed over. ERR_MALFORMED: not 32 hex digits. */
MUST_USE enum status enrol_code(struct bytes text, struct secret *code);
/* identity: "enrol;" and 16 hex digits (SHA-256 of label and code); key: HMAC-SHA-256 of the code. */
MUST_USE enum status enrol_key(const struct secret *code, char identity[static ENROL_IDENTITY_MAX], struct secret *key);

#endif
