/* SPDX-License-Identifier: Apache-2.0 */
/* key_file.h - where the image key comes from: a 0600 file outside the image's folder, a descriptor, or a systemd credential.
 */
#ifndef CARD_IO_IMAGE_KEY_FILE_H
#define CARD_IO_IMAGE_KEY_FILE_H

#include "apdu/base/secret.h"

/* Read 32 octets (raw, or 64 hex digits) from the source: a path, "fd:N" or "credential:NAME". image is the card image whose
 * folder must not hold the key; NULL skips that check. On error a sentence is in reason. */
MUST_USE enum status key_file_read(const char *source, const char *image, struct secret *key, char *reason, size_t n);

/* The key of --insecure-test-key: known to everybody, for cards of PLMN 001-01 only. */
MUST_USE enum status key_file_insecure(struct secret *key);

/* Make a new key file, mode 0600. ERR_DENIED if it exists. */
MUST_USE enum status key_file_create(const char *path);

/* Fill a file's content with zeros, sync, and remove it. */
MUST_USE enum status file_shred(const char *path);

#endif
