/* SPDX-License-Identifier: Apache-2.0 */
/* campaign_engine.h - inside the campaign servers' side: campaign_run.c (sums, tasks, stages), campaign_send.c (claims and
 * packets), campaign_answer.c (what a card said), campaign_http.c (cards that call). */
#ifndef PROVISIONING_CAMPAIGN_CAMPAIGN_ENGINE_H
#define PROVISIONING_CAMPAIGN_CAMPAIGN_ENGINE_H

#include "provisioning/campaign/campaign.h"
#include "provisioning/db/sql.h"

/* Written so that no planner takes one of the indexes of open tasks for a row whose key is given: they look small to it and
 * need not be. */
#define STILL_OPEN "state+0=0"

enum { JOBS_CACHED = 8, SUMS_MAX = 16, RUNNING_MAX = 16 };
enum task_step { STEP_UPDATE = 0, STEP_PROBE = 1, STEP_CALLED = 2 /* the card has the script, by HTTPS */ };

struct engine {
	struct db *db;
	bool by_hand;
	struct {
		char name[CAMPAIGN_NAME_MAX + 1];
		struct job job;
	} cached[JOBS_CACHED];
	unsigned next;
	/* What this transaction adds to the stages' sums; written last, in one order, so that servers never wait for one
	 * another in a circle. */
	struct sum {
		char campaign[CAMPAIGN_NAME_MAX + 1];
		uint64_t stage, done, failed, messages;
	} sum[SUMS_MAX];
	size_t sums;
	/* Campaigns as this transaction has read them. */
	struct campaign campaign[RUNNING_MAX];
	size_t campaigns;
};

struct task {
	char iccid[21], campaign[CAMPAIGN_NAME_MAX + 1], hint[CAMPAIGN_REASON_MAX];
	char msisdn[21]; /* of a claimed one */
	unsigned step, tries, lows, piece;
	uint64_t counter; /* that is not answered yet; 0: none */
	uint64_t updated; /* of the last message that could change the card */
};

struct running {
	struct campaign list[RUNNING_MAX];
	size_t count;
};
MUST_USE enum status engine_running(struct engine *, struct running *);

/* Read once a transaction. */
MUST_USE enum status engine_campaign(struct engine *, const char *name, struct campaign *out);
/* A campaign's job never changes. */
MUST_USE enum status engine_job(struct engine *, const char *name, const struct job **out);
/* What this transaction adds to a stage; NULL: too many stages in one transaction. */
struct sum *engine_sum(struct engine *, const char *campaign, uint64_t stage);

/* Into the card's history. */
MUST_USE enum status task_note(struct engine *, uint64_t now, const struct task *, const char *what);
/* A card is through: once, whoever else thinks so too. */
MUST_USE enum status task_finish(struct engine *, uint64_t now, const struct task *, enum task_state, const char *reason);
/* Come back to this card at `due`, as the task stands now. */
MUST_USE enum status task_again(struct engine *, const struct task *, uint64_t due);

/* The message that this card owes an answer to, its row locked. ERR_NOT_FOUND. */
MUST_USE enum status task_outstanding(struct engine *, const char *iccid, struct task *);
/* How long to wait now, in ms. */
uint64_t task_patience(const struct campaign *, const struct task *);

/* campaign_http.c - A.B.C.D:PORT; the packet that makes a card call (ERR_NOT_FOUND: it has no key for that), and what its
 * answer means. */
bool campaign_https_address(const char *text, uint8_t address[static 4], uint16_t *port);
MUST_USE enum status http_trigger(struct engine *, const struct campaign *, struct task *, struct buf *packet);
MUST_USE enum status http_answer_to_trigger(struct engine *, uint64_t now, struct task *, unsigned sw);
bool http_may_run_twice(const struct job *);

#endif
