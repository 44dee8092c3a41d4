/* SPDX-License-Identifier: Apache-2.0 */
/* applet.h - applets as constant classes with Java Card's verbs, and the row of a command table. */
#ifndef CARD_OS_APPLET_H
#define CARD_OS_APPLET_H

#include "apdu/apdu.h"
#include "card/os/store.h"
#include "crypto/common/rng.h"

/* APPLETS_MAX: instances on a card. One more: INSTALL is 6A84, and nothing of it is left.
 * APPLET_RECORD_MAX: a record of an instance's, for it is read into a secret that wipes itself. One octet more: the put is
 * ERR_NO_SPACE (6A84), and the old record stays. */
enum { APPLETS_MAX = 16, APPLET_RECORD_MAX = SECRET_LARGE_MAX };
_Static_assert((int)APPLET_RECORD_MAX <= (int)RECORD_MAX, "the store takes every record of an applet");

struct card;
struct cat_event;
struct channel;
struct applet;

enum apdu_case { CASE_1 = 1, CASE_2, CASE_3, CASE_4 };
enum needs { NEEDS_NOTHING, NEEDS_PIN };

/* One command as a handler sees it: lengths and class already checked, never 61xx or chaining. */
struct command {
	uint8_t cla, ins, p1, p2;
	struct bytes data;
	size_t ne; /* 0 if no Le was sent */
	bool has_le, extended;
	struct buf *rsp;
	struct card *card;
	struct channel *channel;
	struct applet *applet; /* of applet rows, else NULL */
};

struct command_row {
	uint8_t cla, mask;
	uint8_t ins;
	uint8_t p1_mask, p2_mask; /* bits that may be set; others give 6A86 */
	enum apdu_case apdu_case;
	size_t lc_min, lc_max;
	enum needs needs;
	enum sw (*handler)(struct command *);
	const char *name;
};

struct applet_class {
	const char *name;
	struct bytes aid; /* default instance AID */
	const struct command_row *rows;
	size_t row_count;
	bool secure_messaging; /* takes CLA 84: the applet checks the MAC itself */
	bool own_pins;         /* its commands need a PIN that was verified on their channel */
	size_t transient_len;  /* octets of the instance's memory, zero after a reset; whoever selects or leaves it, it stays */
	size_t undo_len;       /* of these, the first ones: a command that is refused leaves them as they were */
	size_t channel_len;    /* octets of each channel that has it selected, zero when it is selected there */
	enum status (*install)(struct applet *, struct bytes parameters); /* once, at birth */
	enum sw (*select)(struct applet *, struct command *);             /* may be NULL */
	enum status (*uninstall)(struct applet *);                        /* may be NULL */
	void (*forget)(struct applet *);                                  /* may be NULL: before its memory is wiped */
	/* May be NULL: what is on the heap and belongs to one of the two states only, to be freed in the one that is not kept.
	 */
	void (*settle)(void *kept, void *dropped);
	void (*idle)(struct applet *); /* may be NULL: the last channel has left it */
	/* Toolkit events (cat.h); may be NULL. What it returns is for nobody: the terminal's command has succeeded anyway. */
	enum status (*toolkit)(struct applet *, const struct cat_event *);
	/* Personalisation by the instance's security domain (GlobalPlatform 2.3, 7.3.3): the whole of what STORE DATA brought;
	 * may be NULL. */
	enum status (*store_data)(struct applet *, struct bytes data);
	/* The TPDU or the cell broadcast page of an ENVELOPE (its tag: D1, D2), answer into rsp; NULL unless the class handles
	 * secured packets. */
	enum sw (*envelope)(struct applet *, uint8_t tag, struct bytes data, struct buf *rsp);
};

/* Life cycle of an instance, and privileges as three octets (GlobalPlatform 2.3, 11.1.1 and 11.1.2). */
enum applet_life { LIFE_INSTALLED = 0x03, LIFE_SELECTABLE = 0x07, LIFE_PERSONALIZED = 0x0F, LIFE_LOCKED = 0x80 /* bit */ };
enum applet_privilege {
	PRIVILEGE_SECURITY_DOMAIN = 0x800000,
	PRIVILEGE_DAP = 0x400000,
	PRIVILEGE_AUTHORIZED_MANAGEMENT = 0x004000,
	PRIVILEGE_GLOBAL_DELETE = 0x001000,
	PRIVILEGE_GLOBAL_LOCK = 0x000800,
	PRIVILEGE_GLOBAL_REGISTRY = 0x000400,
	PRIVILEGES_OF_ISSUER = PRIVILEGE_SECURITY_DOMAIN | PRIVILEGE_AUTHORIZED_MANAGEMENT | PRIVILEGE_GLOBAL_DELETE |
	                       PRIVILEGE_GLOBAL_LOCK | PRIVILEGE_GLOBAL_REGISTRY
};
/* SELECT's P2: what the answer has. */
enum { P2_NO_DATA = 0x0C, P2_RETURN_MASK = 0x0C };
/* Of the card (5.1.1), in the life of its issuer's domain, which else is an instance's. */
enum card_life { CARD_SECURED = 0x0F, CARD_LOCKED = 0x7F, CARD_TERMINATED = 0xFF };
enum { DOMAIN_ISSUER = 0xFF, DOMAIN_SELF = 0xFE };

struct applet {
	const struct applet_class *class; /* of a free slot: one that does nothing */
	struct card *card;
	struct store_view view; /* this instance's records, and no others */
	uint8_t aid[16];
	size_t aid_len;  /* 0: a free slot */
	void *transient; /* class->transient_len octets, wiped by reset */
	void *before;    /* its first class->undo_len octets before the command that runs; NULL: none does */
	uint8_t domain;  /* slot of its security domain, or DOMAIN_ISSUER */
	uint8_t life;    /* enum applet_life */
	bool sovereign;  /* a domain whose instances nobody else may touch but to lock or delete them */
	uint32_t privileges;
	bool has_tar;
	uint8_t tar[3], msl; /* toolkit applications reference, and its minimum security level as an SPI1 */
};

/* Every class this card can instantiate, in order of their numbers in the registry record. */
extern const struct applet_class *const applet_classes[];
extern const size_t applet_class_count;

/* Instances live in slots, which number their records: read from the registry record at power-on, and again when a change of it
 * is thrown away. Channels that stood in an instance that is gone stand nowhere then. */
MUST_USE enum status applet_registry_load(struct card *);
void applet_registry_drop(struct card *); /* frees the instances' memory */
struct applet_order {
	unsigned class_number;
	struct bytes aid;
	uint8_t domain, life, msl;
	bool sovereign;
	uint32_t privileges;
	const uint8_t *tar; /* three octets, or NULL */
};
/* A new instance in the first free slot. ERR_NO_SPACE: there is none; other errors of its install: nothing is left of it. */
MUST_USE enum status applet_create(struct card *, const struct applet_order *, struct bytes parameters);
/* At birth: the issuer's, selectable. */
MUST_USE enum status applet_add(struct card *, unsigned class_number, struct bytes aid, struct bytes parameters);
/* With all its records. reserve: nobody may take its AID again. */
MUST_USE enum status applet_delete(struct card *, struct applet *, bool reserve);
bool applet_reserved(struct card *, struct bytes aid);
/* Write the registry after a change of life or domain. */
MUST_USE enum status applet_registry_save(struct card *);
struct applet *applet_issuer(struct card *); /* NULL: a card without the issuer's domain */
/* What SELECT means by an AID or its beginning. The issuer's domain goes by no name, too (GlobalPlatform 2.3.1, 11.9.2.3), and
 * by the AID that pySim knows for it. */
struct applet *applet_by_name(struct card *, struct bytes name);
uint8_t applet_slot(const struct applet *);
bool applet_selectable(const struct applet *);
/* Select it on a channel. ERR_NO_SPACE: the channel stays where it was. */
MUST_USE enum status applet_enter(struct channel *, struct applet *);
/* The channel leaves its instance: what is the channel's is gone, and what is the instance's users' if it was the last. */
void applet_exit(struct channel *);
/* The same, without a word to the instance. */
void channel_forget(struct channel *);
/* Nobody stands in it any more, and it forgets everything. */
void applet_leave(struct applet *);
struct applet *applet_by_tar(struct card *, const uint8_t tar[static 3]);
struct applet *applet_named(struct card *, struct bytes aid); /* the whole AID */
/* Zero its memory. */
void applet_forget(struct applet *);
/* A command of the instance's begins, the first one since applets_settle. ERR_NO_SPACE: it must not run. */
MUST_USE enum status applet_begin(struct applet *);
/* What commands have done to the memory of instances stays, or has not happened. */
void applets_settle(struct card *, bool kept);
struct applet *applet_by_aid(struct card *, struct bytes prefix);

/* Store access through the instance's view. */
MUST_USE enum status applet_get(struct applet *, struct bytes name, struct secret_large *out);
MUST_USE enum status applet_put(struct applet *, struct bytes name, struct bytes value);
MUST_USE enum status applet_erase(struct applet *, struct bytes name);
MUST_USE enum status applet_put_now(struct applet *, struct bytes name, struct bytes value);
MUST_USE enum status applet_spend(struct applet *, struct bytes name, struct bytes value);
/* Names come back without the view's prefix. */
MUST_USE enum status applet_next(struct applet *, struct bytes prefix, struct bytes after, struct record_name *out);

#endif
