/* SPDX-License-Identifier: Apache-2.0 */
/* pin.h - PINs and their PUKs (TS 102 221 9.5, 11.1.9-13): PIN1, the application's local PIN2, the universal PIN.
 * A try is spent and durable before the comparison. ADM keys are no PINs here: they are satisfied by a secure channel only. */
#ifndef CARD_OS_PIN_H
#define CARD_OS_PIN_H

#include "card/os/card.h"

enum { PIN_LEN = 8, PIN_TRIES = 3, PUK_TRIES = 10 };
enum key_reference { KEY_PIN1 = 0x01, KEY_ADM1 = 0x0A, KEY_UNIVERSAL = 0x11, KEY_PIN2 = 0x81 };
enum pin_state { PIN_DISABLED = 0, PIN_ENABLED = 1, PIN_REPLACED = 2 /* by the universal PIN */, PIN_ABSENT = 3 };

/* The state of a PIN; PIN_ABSENT for a reference this card does not hold. */
enum pin_state pin_state(struct card *, uint8_t reference);
/* Whether an access condition that names this PIN holds on the channel: verified, disabled, or replaced and the universal PIN
 * verified. Verified: on any channel, as TS 102 221 has it, or on this one for itself. */
bool pin_is_satisfied(struct card *, const struct channel *, uint8_t reference);
/* The same for an application with PIN states of its own: verified on this channel. */
bool pin_is_held(struct card *, const struct channel *, uint8_t reference);
/* Append the C6 template's value: PS_DO, then the key references, PIN1 first (clients look no further). */
void pin_put_status(struct card *, struct buf *);
/* At birth. pin and puk: 8 octets each. */
MUST_USE enum status pin_create(struct store *, uint8_t reference, struct bytes pin, struct bytes puk, bool enabled);

enum sw cmd_verify_pin(struct command *);
enum sw cmd_change_pin(struct command *);
enum sw cmd_disable_pin(struct command *);
enum sw cmd_enable_pin(struct command *);
enum sw cmd_unblock_pin(struct command *);

#endif
