/* SPDX-License-Identifier: Apache-2.0 */
/* profile_toolkit.h - "toolkit" in a profile: a list of rules such as
 * {"when": "profile-download", "do": "poll-interval", "seconds": 30} (card/profiles/README.md), to and from the octets that the
 * toolkit applet keeps. */
#ifndef CARD_IO_BIRTH_PROFILE_TOOLKIT_H
#define CARD_IO_BIRTH_PROFILE_TOOLKIT_H

#include "apdu/base/bytes.h"

struct json_t;

/* All rules, each with two octets of length. ERR_MALFORMED with *index (the rule) and a sentence. */
MUST_USE enum status toolkit_encode(const struct json_t *list, struct buf *out, size_t *index, char *reason, size_t n);
/* One rule back. NULL if it is not one. */
struct json_t *toolkit_decode(struct bytes rule);

#endif
