/* commands.h - the operating system's command table (TS 102 221 clause 11). */
#ifndef CARD_OS_COMMANDS_H
#define CARD_OS_COMMANDS_H

#include "card/os/card.h"

extern const struct command_row os_rows[];
extern const size_t os_row_count;

/* cmd_select.c */
enum sw cmd_select(struct command *);
enum sw cmd_status(struct command *);
/* cmd_file.c */
enum sw cmd_read_binary(struct command *);
enum sw cmd_update_binary(struct command *);
enum sw cmd_read_record(struct command *);
enum sw cmd_update_record(struct command *);
enum sw cmd_activate_file(struct command *);
enum sw cmd_deactivate_file(struct command *);
/* cmd_card.c */
enum sw cmd_manage_channel(struct command *);
enum sw cmd_needs_application(struct command *);
enum sw cmd_get_challenge(struct command *);
enum sw cmd_terminal_profile(struct command *);
enum sw cmd_envelope(struct command *);

/* Make df current on a channel: no EF, no record pointer, no application unless the caller sets one. */
void channel_enter(struct channel *, uint8_t df);

#endif
