/* SPDX-License-Identifier: Apache-2.0 */
/* profile.h - what a card is born with, as JSON: identities, files, access rules (card/profiles/README.md describes the
 * format). The standard test profile is compiled in; an order gives identities of its own and, if it likes, another file tree.
 */
#ifndef CARD_IO_BIRTH_PROFILE_H
#define CARD_IO_BIRTH_PROFILE_H

#include "card/os/card.h"

struct json_t;

struct card_identity {
	char iccid[21]; /* digits */
	char imsi[16];
	bool pin1_enabled;
	const struct json_t *profile; /* file tree and fields; NULL: the standard profile. Borrowed, as the next two are. */
	const char *path;             /* where it came from, for error messages; may be NULL */
	struct bytes text;
};

/* Fill an empty store: files, PINs, applets, keys. secrets: the TLVs of apdu/birth.h. card is scratch memory. reason (may be
 * NULL) gets a sentence that names the place in the profile and what was expected there. */
MUST_USE enum status profile_install(
        struct card *card, const struct card_env *, const struct card_identity *, struct bytes secrets, char *reason, size_t n);

/* Parse a profile's text. NULL on failure, with line and sentence in reason. Free with json_decref. */
struct json_t *profile_parse(const char *text, size_t len, const char *path, char *reason, size_t n);
/* The standard profile's text. */
struct bytes profile_standard(void);

/* The profile of an existing card, without secrets: what profile_install would make the same files from. NULL on failure. */
struct json_t *profile_of_card(struct card *);

#endif
