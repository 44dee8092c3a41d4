/* birth.h - from an order (JSON, no secrets) and its secrets file (CMS for the card maker) to a card image (DESIGN.md 3.4). */
#ifndef CARD_IO_BIRTH_H
#define CARD_IO_BIRTH_H

#include "card/io/profile.h"
#include "card/io/store_sqlite.h"

struct order {
	struct card_identity who;
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

/* Secrets in clear, for PLMN 001-01 only (ERR_DENIED): those of the profile's "keys", and published test values (TS 35.208 set
 * 1, fixed PINs and OTA keys) for what it does not name. reason may be NULL. */
MUST_USE enum status birth_test_secrets(const struct order *, struct secret_large *out, char *reason, size_t n);

/* Make the card maker's key pair: private key PEM (0600) and a self-signed certificate for the operator. */
MUST_USE enum status birth_make_maker(const char *key_path, const char *certificate_path, char *reason, size_t n);

#endif
