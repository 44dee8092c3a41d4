/* SPDX-License-Identifier: Apache-2.0 */
/* explain.h - `prose-net ota explain`: any short message, ENVELOPE, command or response packet in words, and what a card would
 * answer. */
#ifndef PROVISIONING_CLI_EXPLAIN_H
#define PROVISIONING_CLI_EXPLAIN_H

#include <stdio.h>

#include "ota/packet.h"

/* Keys from a 0600 JSON file {"kvn": 1, "algorithm": "aes", "kic": HEX, "kid": HEX, "cc": 8}; they lie in *memory. ERR_DENIED:
 * others could read it; ERR_MALFORMED. */
MUST_USE enum status explain_keys(const char *path, struct secret_large *memory, struct ota_keys *);
/* keys may be NULL; spi2: of the command that a response packet answers. ERR_MALFORMED: nothing that is known here. */
MUST_USE enum status explain(struct bytes octets, const struct ota_keys *, uint8_t spi2, FILE *out);

#endif
