/* birth.h - the secrets file of a card order (DESIGN.md 3.4): a TLV sequence inside CMS AuthEnvelopedData for the card
 * maker's certificate. The order itself (identities, no secrets) is JSON. */
#ifndef APDU_BIRTH_H
#define APDU_BIRTH_H

enum birth_tag {
	BIRTH_CARD_ID = 0x80, /* must equal the order's ICCID */
	BIRTH_K,              /* 16 */
	BIRTH_OPC,            /* 16 */
	BIRTH_PIN1,           /* 8, FF padded */
	BIRTH_PUK1,           /* 8 */
	BIRTH_OTA_KVN,        /* 1 */
	BIRTH_OTA_KIC,        /* 16 */
	BIRTH_OTA_KID,        /* 16 */
	BIRTH_TRK_ID,         /* 1 */
	BIRTH_TRK,            /* 32 */
	BIRTH_INK,            /* 32 */
	BIRTH_TIME            /* 8: first floor of the card's time */
};

#endif
