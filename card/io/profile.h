/* profile.h - the file tree and applets that a card is born with. */
#ifndef CARD_IO_PROFILE_H
#define CARD_IO_PROFILE_H

#include "card/os/card.h"

struct card_identity {
	char iccid[21]; /* digits */
	char imsi[16];
	bool pin1_enabled;
};

/* Fill an empty store: files, PIN1, applets, keys. secrets: the TLVs of apdu/birth.h. card is scratch memory. */
MUST_USE enum status profile_install(
        struct card *card, const struct card_env *, const struct card_identity *, struct bytes secrets);

#endif
