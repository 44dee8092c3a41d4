/* SPDX-License-Identifier: Apache-2.0 */
/* commands.h - the operating system's command table (TS 102 221 clause 11). */
#ifndef CARD_OS_COMMANDS_H
#define CARD_OS_COMMANDS_H

#include "card/os/card.h"

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
/* The file that (DE)ACTIVATE, DELETE and TERMINATE name: P1 00 by FID below the current DF, or the current EF without data;
 * 08 and 09 by path. */
enum sw command_file(const struct command *, uint8_t *index);
/* cmd_record.c */
enum sw cmd_search_record(struct command *);
enum sw cmd_increase(struct command *);
/* cmd_data.c */
enum sw cmd_retrieve_data(struct command *);
enum sw cmd_set_data(struct command *);
/* cmd_admin.c */
enum sw cmd_create_file(struct command *);
enum sw cmd_delete_file(struct command *);
enum sw cmd_resize_file(struct command *);
enum sw cmd_terminate_ef(struct command *);
enum sw cmd_terminate_df(struct command *);
enum sw cmd_terminate_card(struct command *);
/* cmd_suspend.c */
enum sw cmd_suspend_uicc(struct command *);
/* cmd_card.c */
enum sw cmd_manage_channel(struct command *);
enum sw cmd_needs_application(struct command *);
enum sw cmd_get_challenge(struct command *);
enum sw cmd_terminal_capability(struct command *);
enum sw cmd_envelope(struct command *);

/* Nothing selected, gathered or waiting. */
void channel_init(struct channel *, unsigned number, bool open);
/* Make df current on a channel: no EF, no record pointer, no application unless the caller sets one. */
void channel_enter(struct channel *, uint8_t df);

#endif
