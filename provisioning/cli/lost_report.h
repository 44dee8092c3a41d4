/* SPDX-License-Identifier: Apache-2.0 */
/* lost_report.h - what `card revoke` says: a lost card's state in the database, as JSON, and the same as lines of text. */
#ifndef PROVISIONING_CLI_LOST_REPORT_H
#define PROVISIONING_CLI_LOST_REPORT_H

#include <jansson.h>

#include "provisioning/keys/lost.h"

enum { LOST_CAMPAIGN_MAX = 40 };
/* "revoke ICCID": what the names of the campaigns that tell the card begin with. */
void lost_campaign_name(const char *iccid, char out[static LOST_CAMPAIGN_MAX + 1]);

/* Of a card that is revoked; json_decref it. NULL unless OK. */
MUST_USE enum status lost_report(struct db *, uint64_t now, const char *iccid, json_t **out);
/* How it reads, at 80 columns. */
void lost_report_print(const json_t *);

#endif
