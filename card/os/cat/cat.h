/* SPDX-License-Identifier: Apache-2.0 */
/* cat.h - the proactive session of TS 102 223 on the card: a queue of commands, one of them with the terminal at a time; who
 * asked for it gets the answer. Timers, channels of the terminal and events belong to the applet that asked for them. */
#ifndef CARD_OS_CAT_CAT_H
#define CARD_OS_CAT_CAT_H

#include "apdu/base/bytes.h"
#include "apdu/cat.h"
#include "apdu/sw.h"
#include "card/os/applet.h"

struct applet;
struct card;
struct command;

enum { CAT_QUEUE_MAX = 1024, CAT_COMMAND_MAX = 255, CAT_OWNERS = APPLETS_MAX };
enum refresh_mode { REFRESH_INIT_AND_FULL_FILE_CHANGE = 0x00, REFRESH_FILE_CHANGE = 0x01, REFRESH_UICC_RESET = 0x04 };

/* The queue: owner octet (the applet's number, or CAT_NOBODY), length octet, then the command (tag D0). The first one is what
 * FETCH gives out. */
enum { CAT_NOBODY = 0xFF };
struct cat {
	uint8_t queue[CAT_QUEUE_MAX];
	size_t len;
	uint8_t next_number;                     /* command numbers 1 to FE, in turn */
	bool fetched;                            /* the first one is with the terminal */
	uint8_t timer_owner[CAT_TIMERS + 1];     /* by timer identifier 1..8; applet number + 1, 0: free */
	uint8_t channel_owner[CAT_CHANNELS + 1]; /* by channel identifier 1..7, likewise */
	uint32_t events[CAT_OWNERS];             /* by applet number: one bit an event */
};

void cat_reset(struct cat *);
/* Octets of the command that waits, 0 if none does: what 91xx announces. */
size_t cat_waiting(const struct cat *);

/* A proactive command being put together: the functions below fill it, cat_ask queues it. */
struct cat_command {
	uint8_t type, qualifier, to; /* enum cat_type, its qualifier, enum cat_device */
	uint8_t raw[CAT_COMMAND_MAX];
	struct buf tlvs; /* behind command details and device identities, over raw */
};
void cat_command_init(struct cat_command *, enum cat_type, uint8_t qualifier, uint8_t to);
/* SEND SHORT MESSAGE of an SMS TPDU (TS 31.111 6.4.10). */
void cat_send_short_message(struct cat_command *, struct bytes tpdu);
/* POLL INTERVAL: 1 to 255 seconds; more in minutes, up to 255. */
void cat_poll_interval(struct cat_command *, unsigned seconds);
void cat_provide_local_information(struct cat_command *, enum cat_information);
/* Timer 1 to 8; seconds up to 24 hours, with TIMER_START only. */
void cat_timer_management(struct cat_command *, enum cat_timer_action, unsigned timer, unsigned seconds);
/* SET UP EVENT LIST: one bit an event, none takes the list away. Applets use cat_listen instead. */
void cat_set_up_event_list(struct cat_command *, uint32_t events);
/* connection: TLVs as cat_tcp_client_put (apdu/cat.h) makes them. */
void cat_open_channel(struct cat_command *, struct bytes connection);
/* For the time between two of our own commands. */
void cat_more_time(struct cat_command *);
/* channel: 1 to 7, as the terminal answered to OPEN CHANNEL. */
void cat_close_channel(struct cat_command *, unsigned channel);
void cat_send_data(struct cat_command *, unsigned channel, struct bytes data, bool at_once);
void cat_receive_data(struct cat_command *, unsigned channel, uint8_t length);

/* Queue it; the answer goes to the applet's toolkit function (NULL: to nobody). ERR_NO_SPACE: the queue is full or the command
 * too long; ERR_DENIED: another applet's timer or channel. */
MUST_USE enum status cat_ask(struct card *, struct applet *, const struct cat_command *);
/* Ask for these events and no others; the terminal gets one list for all applets. */
MUST_USE enum status cat_listen(struct card *, struct applet *, uint32_t events);
/* REFRESH; files: indexes whose paths a file change lists (TS 102 223 6.6.13). */
MUST_USE enum status cat_refresh(struct card *, enum refresh_mode, struct bytes files);

/* What an applet's toolkit function hears. */
enum cat_event_kind {
	CAT_PROFILE_DOWNLOAD, /* the terminal has said what it can; tlvs: the profile's octets */
	CAT_ANSWER,           /* to a command of this applet's */
	CAT_TIMER,            /* a timer of this applet's has expired */
	CAT_EVENT             /* an event that it listens to */
};
struct cat_event {
	enum cat_event_kind kind;
	uint8_t type, qualifier; /* CAT_ANSWER: of the command */
	uint8_t result;          /* CAT_ANSWER: enum cat_result */
	uint8_t number;          /* CAT_TIMER: its identifier; CAT_EVENT: enum cat_event_code */
	uint8_t channel;         /* of OPEN CHANNEL's answer, and of channel events: 1 to 7; else 0 */
	struct bytes tlvs;       /* all of them, for cat_find */
};
/* A TLV by its tag, with or without the comprehension bit. False if it is missing or there twice. */
bool cat_find(struct bytes tlvs, uint8_t tag, struct bytes *value);

/* An ENVELOPE of timer expiration or event download. */
enum sw cat_envelope(struct card *, uint8_t tag, struct bytes tlvs);

enum sw cmd_fetch(struct command *);
enum sw cmd_terminal_response(struct command *);
enum sw cmd_terminal_profile(struct command *);

#endif
