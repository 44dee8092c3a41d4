/* SPDX-License-Identifier: Apache-2.0 */
/* group_service.h - what waits for a card, fetched by its phone by HTTPS (GBA, TLS-PSK or HTTP Digest): group records and
 * I_MESSAGEs.
 *
 *   GET  /outbox/v1/next       200 with the oldest item, its number in X-Item; 204: nothing
 *   GET  /outbox/v1/wait/N     the same, answered when there is something, which is how the server pushes; 204: nothing in N
 *                              seconds (at most HTTP_HOLD_SECONDS)
 *   POST /outbox/v1/done/ITEM  the card has it, or (ITEM/SW) refuses it: 204, and it does not come again
 *                              400: N, ITEM or SW is no number (decimal, hex, hex), whatever it begins with
 *   POST /groups/v1/vouched    what a card vouches for (join.h): 204, or 403 with a sentence */
#ifndef PROVISIONING_SERVICES_GROUP_SERVICE_H
#define PROVISIONING_SERVICES_GROUP_SERVICE_H

#include "apdu/push.h"
#include "provisioning/gba/bsf.h"

enum { OUTBOX_ITEM_MAX = PUSH_MAX };

struct group_service {
	struct db *db;
	const char *naf; /* our FQDN, as UEs make their keys for it */
	uint8_t body[OUTBOX_ITEM_MAX];
	char item[20], header[UA_DIGEST_HEADER];
};
void group_service_request(struct group_service *, uint64_t now, const struct http_request *, struct http_reply *);
/* Whether something has come for anybody within the last seconds. */
bool group_service_news(struct group_service *, uint64_t now);

#endif
