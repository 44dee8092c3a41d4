/* SPDX-License-Identifier: Apache-2.0 */
/* campaign.h - one job for many cards (campaign.c: what people decide and see; campaign_engine.h: what servers do). Any number
 * of servers share a database. A counter is taken and remembered before its packet leaves, so that none is sent twice, and
 * every card that was claimed comes back when its answer does not.
 *
 * After silence nobody knows whether the card ran the packet. It is then asked, with a higher counter, for what it should hold
 * now (STEP_PROBE): the answer tells, and the old packet can never run afterwards. So an update happens once however often
 * messages are lost. Jobs that may run twice are simply sent again. */
#ifndef PROVISIONING_CAMPAIGN_CAMPAIGN_H
#define PROVISIONING_CAMPAIGN_CAMPAIGN_H

#include <stdio.h>

#include "apdu/aids.h"
#include "provisioning/campaign/job.h"
#include "provisioning/operator.h"

enum { CAMPAIGN_NAME_MAX = 40, CAMPAIGN_REASON_MAX = 160, CAMPAIGN_HTTPS_MAX = 21, STAGES_MAX = 8 };

enum campaign_state {
	CAMPAIGN_RUNNING = 1,
	CAMPAIGN_PAUSED,
	CAMPAIGN_STOPPED, /* too many cards failed */
	CAMPAIGN_FINISHED,
	CAMPAIGN_CANCELLED
};
enum task_state { TASK_OPEN = 0, TASK_DONE, TASK_FAILED, TASK_EXPIRED, TASK_CANCELLED };
const char *campaign_state_text(enum campaign_state);
const char *task_state_text(enum task_state);

struct campaign_order {
	const char *name, *job; /* job: the JSON text of job.h */
	const char *cards;      /* a file, one ICCID a line; NULL: see like and group */
	const char *like;       /* ICCIDs of this SQL LIKE pattern; NULL with the others: all cards */
	const char *group;      /* cards of this group's members */
	const char *stages;     /* "10,1%,100%": cards or per cent, up to and including each stage */
	unsigned abort;         /* per mille of a stage's cards that may fail; above it the campaign stops */
	unsigned rate;          /* messages a second over all servers; 0: as fast as they go */
	unsigned retries;       /* messages to one card before giving up */
	unsigned answer;        /* seconds to wait for the first answer; twice as long each time, up to eight times */
	uint64_t valid;         /* seconds until what is still open expires */
	uint8_t spi2;
	const char *https; /* A.B.C.D:PORT where the cards call for the job; NULL: it comes by short messages */
};
/* ERR_MALFORMED, ERR_NOT_FOUND (a card that is not known), ERR_DENIED (the name is taken), with a sentence. *cards: how many.
 */
MUST_USE enum status campaign_create(
        struct db *, const struct campaign_order *, uint64_t now, uint64_t *cards, char *reason, size_t n);

struct campaign {
	char name[CAMPAIGN_NAME_MAX + 1], reason[CAMPAIGN_REASON_MAX];
	enum campaign_state state;
	unsigned stage, stages, abort, rate, retries, answer;
	uint64_t created, expires;                      /* ms */
	uint64_t total, done, failed, messages;         /* of all stages */
	uint64_t stage_total, stage_done, stage_failed; /* of the current one */
	uint8_t spi2;
	char https[CAMPAIGN_HTTPS_MAX + 1]; /* "": by short messages */
};
MUST_USE enum status campaign_get(struct db *, const char *name, struct campaign *);
MUST_USE enum status campaign_each(struct db *, bool running_only, void (*each)(void *, const struct campaign *), void *);
/* The folders of sealed objects that jobs of campaigns which are not over name, at most `max`. */
enum { CAMPAIGN_FOLDER_MAX = 256 };
MUST_USE enum status campaign_folders(struct db *, char (*folders)[CAMPAIGN_FOLDER_MAX], size_t max, size_t *count);
/* Pause, go on, cancel. After a stop, going on means to the end, whatever fails. ERR_DENIED: it is over, or that already. */
MUST_USE enum status campaign_set_state(struct db *, const char *name, enum campaign_state);

struct campaign_result {
	char iccid[21], reason[CAMPAIGN_REASON_MAX];
	enum task_state state;
	unsigned stage, tries;
};
MUST_USE enum status campaign_results(
        struct db *, const char *name, void (*each)(void *, const struct campaign_result *), void *);
/* A card's whole history, in order. */
MUST_USE enum status campaign_history(
        struct db *, const char *iccid, void (*each)(void *, uint64_t at, const char *campaign, const char *what), void *);

/* ---- for servers ---------------------------------------------------------------------------------------------------- */

struct engine; /* remembers the jobs that it has read */
struct engine *engine_new(struct db *);
void engine_free(struct engine **);
/* Packets go to a reader, not to a number: cards without one are served, too. */
void engine_deliver_by_hand(struct engine *);

/* One secured packet that has to go out now. */
struct campaign_packet {
	char iccid[21], msisdn[21];
	uint64_t counter, expires; /* ms */
	struct bytes packet;       /* valid during the call */
};
/* Claim up to limit cards whose time has come and make their packets. One transaction; each is called after it is durable.
 * *count: how many. */
MUST_USE enum status engine_claim(struct engine *, uint64_t now, unsigned limit,
        void (*each)(void *, const struct campaign_packet *), void *, unsigned *count);

/* A transaction for several answers. engine_end commits if st is OK, else rolls back and returns st. */
MUST_USE enum status engine_begin(struct engine *);
MUST_USE enum status engine_end(struct engine *, enum status st);
/* Between engine_begin and engine_end: a response packet (with its 02 71 00) that came from a number. Answers of strangers are
 * noted and otherwise ignored. */
MUST_USE enum status engine_answer(struct engine *, uint64_t now, const char *msisdn, struct bytes response);
MUST_USE enum status engine_answer_of(struct engine *, uint64_t now, const char *iccid, struct bytes response);
/* The message centre refused a packet for good, or could not deliver it; why goes into the report. Between engine_begin and
 * engine_end. */
MUST_USE enum status engine_undeliverable(struct engine *, uint64_t now, const char *iccid, uint64_t counter, const char *why);

/* A card has called by HTTPS: the script that it gets, and for which TAR. ERR_NOT_FOUND: nothing. Between engine_begin and
 * engine_end, as is its answer with the status that its request has. */
MUST_USE enum status engine_call(
        struct engine *, uint64_t now, const char *iccid, uint8_t tar[static TAR_LEN], struct buf *script);
MUST_USE enum status engine_call_answer(
        struct engine *, uint64_t now, const char *iccid, const char *status, struct bytes answer);

/* Go on to the next stage, stop, expire, finish. One transaction. *open: campaigns that still run. */
MUST_USE enum status engine_turn(struct engine *, uint64_t now, unsigned *open);

/* The packet that a campaign has for this card, which need not be in it: for a twin, a virtual card whose keys are known here.
 * Takes a counter of that card. ERR_DENIED: the job goes by HTTPS. */
MUST_USE enum status engine_twin(struct engine *, uint64_t now, const char *name, const char *iccid, struct buf *packet);

/* The packets that a card would get, and what they cost: nothing is sent and no counter taken. */
struct campaign_cost {
	uint64_t cards, without_number, without_objects; /* without_objects: of a "sealed" job, cards that it has nothing for */
	uint64_t messages;                               /* short messages, answers not counted */
};
MUST_USE enum status campaign_cost(struct db *, const char *name, struct campaign_cost *);

#endif
