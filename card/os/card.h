/* SPDX-License-Identifier: Apache-2.0 */
/* card.h - libprose-card: a whole card without I/O. The caller supplies memory, random octets and a store backend.
 *
 *   struct card *card = ...;                      (all zero at first; about 12 KiB)
 *   struct card_work *work = ...;                 (about 750 KiB; cards that never run at the same time share one)
 *   card_power_on(card, &env);                    (load; cold reset)
 *   card_transmit(card, c_apdu, &r_apdu);         (any number of times)
 *   card_reset(card);                             (warm reset: volatile state is gone)
 *   card_power_off(card);                         (wipes RAM, and frees what sessions kept on the heap)
 */
#ifndef CARD_OS_CARD_H
#define CARD_OS_CARD_H

#include "apdu/apdu.h"
#include "apdu/aids.h"
#include "card/os/applet.h"
#include "card/os/cat/cat.h"
#include "card/os/files/file.h"
#include "card/os/kept.h"
#include "crypto/common/rng.h"

enum { CHANNELS = 20, CHANNEL_SCRIPT = CHANNELS, CHAIN_MAX = 8192 };
/* CHAIN_MAX: data of a chain of commands; one octet more: 6700, and the chain is gone. */
_Static_assert((int)CHAIN_MAX >= (int)FILE_CONTENT_MAX, "a file fits a chain of commands");
_Static_assert((int)CHAIN_MAX >= (int)PROSE_REQUEST_MAX, "a command of the ProSe applet fits a chain");

/* What one command needs while it runs, and no longer. */
struct card_work {
	uint8_t answer[APDU_RESPONSE_MAX];
	struct store_work store;
};

struct card_env {
	struct store_backend *backend;
	struct card_work *work;
	struct rng *rng;
	struct sakke_ring *ring;      /* tables of receiver keys that last; NULL: none */
	uint8_t card_id[CARD_ID_LEN]; /* ICCID as in EF_ICCID */
};

/* What belongs to one logical channel. */
struct channel {
	bool open;
	bool adm; /* a script of a security domain: satisfies ADM1 */
	uint8_t number;
	uint8_t df, ef, adf; /* indexes; ef may be FILE_NONE, and adf, the active application, too */
	uint8_t record;      /* pointer, 0: undefined */
	uint32_t object;     /* tag that RETRIEVE DATA is giving out, 0: none */
	uint16_t object_at, object_before;
	struct applet *applet; /* selected application, or NULL */
	void *session;         /* its class's channel_len octets */
	/* PINs verified on this channel, one bit each, in pin.c's order: while an application with PIN states of its own was
	 * selected, and otherwise, which counts for the whole card (TS 102 221 9.5). */
	uint8_t pins_own, pins_here;
	struct kept waiting; /* for GET RESPONSE, from waiting_at on */
	size_t waiting_at;
	struct kept chain; /* what a chain of commands has brought so far */
	uint8_t chain_header[4];
	bool chaining;
	struct kept transfer; /* what SET DATA has brought so far of one object, for the file transfer_file */
	size_t transfer_total;
	uint8_t transfer_file;
};

struct card {
	struct card_env env;
	struct store store;
	struct file_system fs;
	struct channel channel[CHANNELS + 1]; /* the last one runs scripts */
	struct applet applet[APPLETS_MAX];
	size_t applet_count;
	bool registry_dirty;   /* RAM is ahead of the store */
	uint8_t life;          /* enum card_life */
	uint8_t pins_verified; /* one bit a PIN, in pin.c's order */
	bool terminal_profile; /* seen since reset */
	struct cat cat;
	struct suspension *suspension; /* SUSPEND UICC has been answered; or NULL */
};

/* ATR: T=0 only, eight channels or more, extended lengths (spec uicc.md section 1). */
extern const struct bytes card_atr;

/* Load the card and reset it. ERR_NOT_FOUND if the store holds no card, other errors for a damaged one. */
MUST_USE enum status card_power_on(struct card *, const struct card_env *);
void card_reset(struct card *);
void card_power_off(struct card *);

/* Run one command APDU; append the response APDU (data and SW). Never fails: what goes wrong is a status word. */
void card_transmit(struct card *, struct bytes command, struct buf *response);

/* Inside the card: run one command on a channel without 61xx, chaining or commit. Used by card_transmit and by scripts. */
enum sw card_dispatch(struct card *, struct channel *, const struct command_apdu *, struct buf *rsp);

/* The only bridge from enum status to enum sw, for cases where no specification asks for a particular word. */
enum sw sw_of(enum status);
/* The verdict of what was looked at; not of what could not be: that is this card's failure. */
enum sw sw_verdict(enum status, enum sw wrong);

#endif
