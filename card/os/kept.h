/* SPDX-License-Identifier: Apache-2.0 */
/* kept.h - octets that outlive the command that made them: answers that wait for GET RESPONSE, chains, objects in blocks. On
 * the heap, since few cards keep any; wiped when they are dropped. All zero is empty. */
#ifndef CARD_OS_KEPT_H
#define CARD_OS_KEPT_H

#include "apdu/base/bytes.h"

struct kept {
	uint8_t *p;
	size_t n;
};

/* Append. ERR_NO_SPACE if memory is short; then nothing has changed. */
MUST_USE enum status kept_append(struct kept *, struct bytes);
void kept_drop(struct kept *);
struct bytes kept_bytes(const struct kept *);

#endif
