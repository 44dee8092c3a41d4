/* SPDX-License-Identifier: Apache-2.0 */
/* worker.h - a campaign server: claims cards, sends their packets by SMPP or by hand, matches answers. Several may share a
 * database. */
#ifndef PROVISIONING_CAMPAIGN_WORKER_H
#define PROVISIONING_CAMPAIGN_WORKER_H

#include <signal.h>

#include "ota/sms.h"
#include "provisioning/campaign/campaign.h"
#include "provisioning/campaign/courier.h"
#include "provisioning/campaign/esme.h"

struct worker_options {
	struct esme_options smsc; /* port NULL: no short messages from here */
	bool separate;            /* bind as transmitter and as receiver: centres that have no transceivers */
	struct courier *courier;  /* instead of SMPP: a command takes each packet to its card; or NULL */
	const char *https;        /* ADDRESS:PORT where cards call; NULL: none do */
	bool once;                /* return when no campaign runs */
	bool quiet;               /* no sentences on stderr */
};

/* Until *stop, or with once until nothing is left to do. ERR_IO: the database is gone for good; ERR_DENIED: cannot listen. */
MUST_USE enum status worker_run(struct db *, const struct worker_options *, volatile sig_atomic_t *stop);

/* Append a packet's SMS-DELIVERs, one a line in hex. */
enum { WORKER_MESSAGES_MAX = SMS_PARTS_MAX * (2 * SMS_TPDU_MAX + 2) };
MUST_USE enum status worker_messages(struct bytes packet, uint8_t reference, struct buf *out);

#endif
