/* SPDX-License-Identifier: Apache-2.0 */
/* esme.h - our SMPP client: one connection to a message centre as transceiver, taken up again when it is lost, slower when the
 * centre says so. */
#ifndef PROVISIONING_CAMPAIGN_ESME_H
#define PROVISIONING_CAMPAIGN_ESME_H

#include "ota/smpp/smpp_session.h"

enum { ESME_WINDOW_MAX = 512, ESME_QUEUE_MAX = 2048 };

struct esme_options {
	const char *host, *port;          /* NULL host: 127.0.0.1 */
	const char *system_id, *password; /* up to 15 and 8 characters */
	const char *system_type;          /* up to 12; NULL: "" */
	const char *address;              /* our own number: where messages come from and answers go */
	enum smpp_command bind;           /* 0: transceiver */
	unsigned window;                  /* requests without a response at most */
};

/* A short message; who identifies it to the caller. */
struct esme_message {
	char to[21], who[21];
	uint64_t counter;
	uint64_t valid; /* seconds; 0: the centre's own limit */
	uint8_t esm_class, pid, dcs;
	size_t len;
	uint8_t data[140];
};

struct esme;
enum { ESME_DELIVERED_MAX = 64 };
/* What the caller hears. delivered: a message for us. settle: after at most ESME_DELIVERED_MAX of these; true: they are safe
 * here; false: not now, the centre keeps them and sends them again. refused: the centre will not take a message of ours. */
struct esme_handler {
	void *context;
	void (*delivered)(void *, const struct smpp_pdu *);
	bool (*settle)(void *);
	void (*refused)(void *, const struct esme_message *, uint32_t status);
};

struct esme *esme_new(const struct esme_options *, const struct esme_handler *);
void esme_free(struct esme **); /* says good-bye first */

size_t esme_room(const struct esme *); /* messages that may be queued now; 0 while the link is down or throttled */
/* False: no room. */
MUST_USE bool esme_send(struct esme *, const struct esme_message *);
size_t esme_unsent(const struct esme *); /* queued or without the centre's response */

/* Wait up to ms for something to happen, and do what is due. The reason why the link is down, or NULL. */
const char *esme_run(struct esme *, int ms);

#endif
