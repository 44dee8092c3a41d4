/* SPDX-License-Identifier: Apache-2.0 */
/* master.h - the key that wraps the operator's secrets: a 0600 file of 32 octets, credential:NAME of systemd, or one that an
 * RSA key in a PKCS#11 token has encrypted:
 *
 *   pkcs11:token=NAME;object=LABEL?module-path=FILE&pin-source=FILE        (RFC 7512)
 *
 * The encrypted key lies in the database; who has only the database and its backups has nothing. */
#ifndef PROVISIONING_DB_MASTER_H
#define PROVISIONING_DB_MASTER_H

#include "apdu/base/secret.h"

enum { MASTER_LEN = 32, MASTER_SEALED_MAX = 1024 };

/* A file or credential. create: make the file if it is missing. ERR_NOT_FOUND: it is; ERR_DENIED: others can read it, or it has
 * another length. */
MUST_USE enum status master_read(const char *path, bool create, struct secret *out);

/* The first line of a 0600 file, up to 255 characters and a zero behind them. ERR_NOT_FOUND; ERR_DENIED: others can read it, or
 * it is empty or longer. */
MUST_USE enum status secret_line(const char *path, struct secret_large *out);

bool master_is_token(const char *text);
/* Encrypt to the token's key (OAEP), append; the reverse. Errors come with a sentence. */
MUST_USE enum status master_seal(const char *uri, const struct secret *key, struct buf *sealed, char *reason, size_t n);
MUST_USE enum status master_open(const char *uri, struct bytes sealed, struct secret *key, char *reason, size_t n);

#endif
