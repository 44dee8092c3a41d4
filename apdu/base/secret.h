/* SPDX-License-Identifier: Apache-2.0 */
/* secret.h - the only home of keys: fixed size, wiped when it goes out of scope, compared in constant time.
 * No log function takes a secret. Declare with SECRET or SECRET_LARGE so that every exit wipes it. */
#ifndef APDU_BASE_SECRET_H
#define APDU_BASE_SECRET_H

#include "apdu/base/bytes.h"

enum { SECRET_MAX = 64, SECRET_LARGE_MAX = 4096 };

struct secret {
	size_t len;
	uint8_t data[SECRET_MAX];
};

struct secret_large { /* key sets, sealed payloads in clear, RSK */
	size_t len;
	uint8_t data[SECRET_LARGE_MAX];
};

void secret_wipe(struct secret *);
void secret_large_wipe(struct secret_large *);

#define SECRET __attribute__((cleanup(secret_wipe))) struct secret
#define SECRET_LARGE __attribute__((cleanup(secret_large_wipe))) struct secret_large

/* Views: valid as long as the secret is. */
struct bytes secret_bytes(const struct secret *);
struct bytes secret_large_bytes(const struct secret_large *);

/* Replace the content. ERR_NO_SPACE if it is too long; the old content is wiped either way. */
MUST_USE enum status secret_set(struct secret *, struct bytes);
MUST_USE enum status secret_large_set(struct secret_large *, struct bytes);

/* Constant-time for equal lengths; lengths are public. */
MUST_USE bool secret_equals(struct bytes a, struct bytes b);

/* All octets are the same, none, or only one: no generator made that key. Constant-time. */
MUST_USE bool secret_repeats(struct bytes key);

/* These octets are public from here on: for the taint check (tests/taint); nothing else happens. Say why where it is called. */
void secret_declassify(const void *p, size_t n);

/* Wipe n octets so that the compiler cannot drop it. */
void secret_clean(void *p, size_t n);

#endif
