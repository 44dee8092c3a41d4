/* applet.h - applets as constant classes with Java Card's verbs, and the row of a command table. */
#ifndef CARD_OS_APPLET_H
#define CARD_OS_APPLET_H

#include "apdu/apdu.h"
#include "card/os/store.h"
#include "crypto/rng.h"

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
	size_t transient_len;  /* octets of session state, zero after reset and when the applet is left */
	enum status (*install)(struct applet *, struct bytes parameters); /* once, at birth */
	enum sw (*select)(struct applet *, struct command *);             /* may be NULL */
	enum status (*uninstall)(struct applet *);                        /* may be NULL */
	/* Toolkit events (cat.h); may be NULL. What it returns is for nobody: the terminal's command has succeeded anyway. */
	enum status (*toolkit)(struct applet *, const struct cat_event *);
	/* SMS-PP download: the TPDU of an ENVELOPE, answer into rsp; NULL unless the class handles secured packets. */
	enum sw (*envelope)(struct applet *, struct bytes tpdu, struct buf *rsp);
};

struct applet {
	const struct applet_class *class;
	struct card *card;
	struct store_view view; /* this instance's records, and no others */
	uint8_t aid[16];
	size_t aid_len;
	void *transient; /* class->transient_len octets, wiped by reset */
};

/* Every class this card can instantiate, in order of their numbers in the registry record. */
extern const struct applet_class *const applet_classes[];
extern const size_t applet_class_count;

/* Instances: read from the registry record at power-on; added at birth. */
MUST_USE enum status applet_registry_load(struct card *);
void applet_registry_drop(struct card *); /* frees the instances' memory */
MUST_USE enum status applet_add(struct card *, unsigned class_number, struct bytes aid, struct bytes parameters);
/* Zero the session state. */
void applet_forget(struct applet *);
struct applet *applet_by_aid(struct card *, struct bytes prefix);

/* Store access through the instance's view. */
MUST_USE enum status applet_get(struct applet *, struct bytes name, struct secret_large *out);
MUST_USE enum status applet_put(struct applet *, struct bytes name, struct bytes value);
MUST_USE enum status applet_erase(struct applet *, struct bytes name);
MUST_USE enum status applet_put_now(struct applet *, struct bytes name, struct bytes value);
/* Names come back without the view's prefix. */
MUST_USE enum status applet_next(struct applet *, struct bytes prefix, struct bytes after, struct record_name *out);

#endif
