/* SPDX-License-Identifier: Apache-2.0 */
/* birth.h - from an order (JSON, no secrets) and its secrets file (CMS for the card maker) to a card image (DESIGN.md 3.4). */
#ifndef CARD_IO_BIRTH_BIRTH_H
#define CARD_IO_BIRTH_BIRTH_H

#include <stdio.h>

#include "apdu/aids.h"
#include "card/io/birth/profile.h"
#include "card/io/image/store_sqlite.h"

/* Where keys come from that no secrets file brings: published test values, OpenSSL's generator, or a test farm's seed. */
enum key_source { KEYS_PUBLISHED, KEYS_RANDOM, KEYS_SEEDED };

struct order {
	struct card_identity who;
	enum key_source keys;
	const char *seed; /* with KEYS_SEEDED */
	uint8_t card_id[CARD_ID_LEN];
	char *text; /* of the file */
};

/* Read and check an order or profile file (NULL: the standard profile); the sentence in reason names line, field and what was
 * expected. Free with order_free, also after a failure. */
MUST_USE enum status order_read(const char *path, struct order *, char *reason, size_t n);
void order_free(struct order *);

/* Decrypt the secrets file with the card maker's private key (PEM). The TLVs of apdu/birth.h. */
MUST_USE enum status birth_secrets_open(
        const char *path, const char *maker_key, struct secret_large *out, char *reason, size_t n);

/* Secrets that no secrets file brings. KEYS_PUBLISHED and KEYS_SEEDED for PLMN 001-01 only (ERR_DENIED): those of the profile's
 * "keys", and published test values (TS 35.208 set 1, fixed PINs) for what it does not name; a farm's keys are each card's own.
 * reason may be NULL. */
MUST_USE enum status birth_test_secrets(const struct order *, struct secret_large *out, char *reason, size_t n);

/* Count the order's ICCID (its check digit is made afresh) and IMSI on. ERR_NO_SPACE: no digits left. */
MUST_USE enum status order_advance(struct order *, size_t count);

/* The list that a card vendor sends with its cards, as CSV with a header: ERR_IO if it cannot be written. */
MUST_USE enum status birth_list_head(FILE *);
MUST_USE enum status birth_list_line(FILE *, const struct order *, struct bytes secrets);

/* Make the card maker's key pair: private key PEM (0600) and a self-signed certificate for the operator. */
MUST_USE enum status birth_make_maker(const char *key_path, const char *certificate_path, char *reason, size_t n);

#endif
