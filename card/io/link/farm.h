/* SPDX-License-Identifier: Apache-2.0 */
/* farm.h - many cards in one process and one image: born from one profile with identities and keys of their own, the first few
 * in vpcd readers, all of them behind a UNIX socket.
 *
 * The socket speaks vpcd's framing (two octets of length, then a command APDU, or one octet: 00 off, 01 on, 02 reset, 04 ATR).
 * A client's first message is text, the card it wants: an ICCID, or # and a number from 0. The answer is the card's ATR; an
 * empty message says that there is no such card or that it is in use. A card has one client at a time. */
#ifndef CARD_IO_LINK_FARM_H
#define CARD_IO_LINK_FARM_H

#include "card/io/birth/birth.h"
#include "card/io/link/vpcd.h"

struct farm;

struct farm_birth {
	const char *path; /* of the image, which must not exist */
	struct bytes key;
	bool insecure_test_key;
	size_t count;
	struct order *first;                         /* the profile; its identities and keys are counted on */
	FILE *list;                                  /* the vendor's list of identities and keys, or NULL */
	void (*progress)(size_t done, size_t count); /* may be NULL */
};
/* All cards or none. IMAGE_BUSY: the file exists; IMAGE_IO with a sentence in reason for anything else. */
enum image_error farm_create(const struct farm_birth *, char *reason, size_t n);

/* Open an image of any number of cards: every record is authenticated. Close with farm_close. */
enum image_error farm_open(struct farm **out, struct image_options *);
void farm_close(struct farm **);
size_t farm_count(const struct farm *);

struct farm_service {
	const char *socket;         /* path of a UNIX socket (mode 0600, this user's processes only), or NULL */
	struct vpcd_options reader; /* the first of the readers; the others have the ports behind it */
	size_t readers;
};
/* Serve until *stop is set. ERR_DENIED: the socket's path is taken; ERR_IO otherwise. */
MUST_USE enum status farm_serve(struct farm *, const struct farm_service *, volatile sig_atomic_t *stop);

#endif
