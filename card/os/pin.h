/* pin.h - PIN1 and its PUK (TS 102 221 9.5, 11.1.9-13). A try is spent and durable before the comparison. */
#ifndef CARD_OS_PIN_H
#define CARD_OS_PIN_H

#include "card/os/card.h"

enum { PIN_LEN = 8, PIN_TRIES = 3, PUK_TRIES = 10 };

bool pin_is_enabled(struct card *);
/* At birth. */
MUST_USE enum status pin_create(struct store *, struct bytes pin, struct bytes puk, bool enabled);

enum sw cmd_verify_pin(struct command *);
enum sw cmd_change_pin(struct command *);
enum sw cmd_disable_pin(struct command *);
enum sw cmd_enable_pin(struct command *);
enum sw cmd_unblock_pin(struct command *);

#endif
