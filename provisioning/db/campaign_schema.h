/* SPDX-License-Identifier: Apache-2.0 */
/* campaign_schema.h - the tables of campaigns (campaign.h); db.c makes them with its own. Times are milliseconds since 1970.
 *
 * A task is one card's part of a campaign. While it is open (state 0), `due` is when somebody has to act: send what comes next,
 * or, if `counter` is not 0, give up waiting for the answer to that counter. A claim moves `due` on, which keeps others away:
 * there are no locks to lose when a server dies. stage has the sums, so that nobody counts rows. */
#ifndef PROVISIONING_DB_CAMPAIGN_SCHEMA_H
#define PROVISIONING_DB_CAMPAIGN_SCHEMA_H

#define CAMPAIGN_SCHEMA                                                                                                                         \
	"CREATE TABLE IF NOT EXISTS campaign(name TEXT PRIMARY KEY, job TEXT NOT NULL, state BIGINT NOT NULL,"                                  \
	" reason TEXT NOT NULL DEFAULT '', created BIGINT NOT NULL, stage BIGINT NOT NULL, stages BIGINT NOT NULL,"                             \
	" rate BIGINT NOT NULL, retries BIGINT NOT NULL, answer BIGINT NOT NULL, expires BIGINT NOT NULL,"                                      \
	" abort BIGINT NOT NULL, spi2 BIGINT NOT NULL, https TEXT NOT NULL, second BIGINT NOT NULL DEFAULT 0, used BIGINT NOT NULL DEFAULT 0);" \
	"CREATE TABLE IF NOT EXISTS stage(campaign TEXT NOT NULL REFERENCES campaign(name), stage BIGINT NOT NULL,"                             \
	" total BIGINT NOT NULL, done BIGINT NOT NULL DEFAULT 0, failed BIGINT NOT NULL DEFAULT 0,"                                             \
	" messages BIGINT NOT NULL DEFAULT 0, PRIMARY KEY(campaign, stage));"                                                                   \
	"CREATE TABLE IF NOT EXISTS task(campaign TEXT NOT NULL REFERENCES campaign(name), iccid TEXT NOT NULL"                                 \
	" REFERENCES card(iccid), stage BIGINT NOT NULL DEFAULT 0, state BIGINT NOT NULL DEFAULT 0,"                                            \
	" step BIGINT NOT NULL DEFAULT 0, tries BIGINT NOT NULL DEFAULT 0, lows BIGINT NOT NULL DEFAULT 0,"                                     \
	" piece BIGINT NOT NULL DEFAULT 0, due BIGINT NOT NULL, counter BIGINT NOT NULL DEFAULT 0,"                                             \
	" updated BIGINT NOT NULL DEFAULT 0, reason TEXT NOT NULL DEFAULT '', PRIMARY KEY(campaign, iccid));"                                   \
	"CREATE INDEX IF NOT EXISTS task_due ON task(campaign, stage, due, iccid) WHERE state=0;"                                               \
	"CREATE INDEX IF NOT EXISTS task_card ON task(iccid) WHERE state=0 AND counter>0;"                                                      \
	"CREATE TABLE IF NOT EXISTS event(iccid TEXT NOT NULL, at BIGINT NOT NULL, campaign TEXT NOT NULL, what TEXT NOT NULL);"                \
	"CREATE INDEX IF NOT EXISTS event_card ON event(iccid, at);"

#endif
