/* SPDX-License-Identifier: Apache-2.0 */
/* scp81.h - the server that cards call (GlobalPlatform 2.3 Amendment B): a card proves its pre-shared key, whose identity is
 * its ICCID, and gets the scripts of its campaigns. */
#ifndef PROVISIONING_CAMPAIGN_SCP81_H
#define PROVISIONING_CAMPAIGN_SCP81_H

#include "provisioning/campaign/campaign.h"

struct scp81;
/* Listen at ADDRESS:PORT. NULL with a sentence. */
struct scp81 *scp81_new(struct db *, struct engine *, const char *where, char *reason, size_t n);
void scp81_free(struct scp81 **);
unsigned scp81_port(const struct scp81 *);
/* Wait at most ms, and answer the cards that have called. */
void scp81_run(struct scp81 *, int ms);

#endif
