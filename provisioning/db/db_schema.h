/* SPDX-License-Identifier: Apache-2.0 */
/* db_schema.h - the operator's tables, as a new database gets them (campaign_schema.h has those of campaigns). Secrets are
 * wrapped; times are seconds since 1970. An older database gets them by migrations (migration.c): whoever changes a table here
 * changes SCHEMA_VERSION and adds a row there; the suite `migration` compares the two ways. */
#ifndef PROVISIONING_DB_DB_SCHEMA_H
#define PROVISIONING_DB_DB_SCHEMA_H

#include <stddef.h>

#include "provisioning/db/campaign_schema.h"

#define SCHEMA_VERSION 10
#define SCHEMA_TEXT_OF(n) #n
#define SCHEMA_TEXT(n) SCHEMA_TEXT_OF(n)

static const char *const schema[] = {
	"CREATE TABLE IF NOT EXISTS meta(name TEXT PRIMARY KEY, value BYTEA NOT NULL);"
	"CREATE TABLE IF NOT EXISTS card(iccid TEXT PRIMARY KEY, imsi TEXT NOT NULL, msisdn TEXT NOT NULL DEFAULT '',"
	" secrets BYTEA NOT NULL, ota_counter BIGINT NOT NULL DEFAULT 0, sequence BIGINT NOT NULL DEFAULT 0,"
	" revoked BIGINT NOT NULL DEFAULT 0, duplicate_of TEXT NOT NULL DEFAULT '');"
	"CREATE TABLE IF NOT EXISTS kms(uri TEXT PRIMARY KEY, period BIGINT NOT NULL, period_offset BIGINT NOT NULL,"
	" keys BYTEA NOT NULL);"
	"CREATE TABLE IF NOT EXISTS users(uri TEXT PRIMARY KEY, iccid TEXT NOT NULL REFERENCES card(iccid),"
	" revoked BIGINT NOT NULL DEFAULT 0, installed BIGINT NOT NULL DEFAULT 0);"
	"CREATE TABLE IF NOT EXISTS grp(uri TEXT PRIMARY KEY, manager TEXT NOT NULL, policy BIGINT NOT NULL,"
	" issued BIGINT NOT NULL DEFAULT 0, floor BIGINT NOT NULL DEFAULT 0);"
	"CREATE TABLE IF NOT EXISTS member(grp TEXT NOT NULL REFERENCES grp(uri), uri TEXT NOT NULL REFERENCES users(uri),"
	" PRIMARY KEY(grp, uri));"
	"CREATE TABLE IF NOT EXISTS gmk(grp TEXT NOT NULL REFERENCES grp(uri), id BIGINT NOT NULL, not_before BIGINT NOT NULL,"
	" not_after BIGINT NOT NULL, key BYTEA NOT NULL, number BIGINT NOT NULL DEFAULT 0, PRIMARY KEY(grp, id));"
	"CREATE TABLE IF NOT EXISTS expelled(grp TEXT NOT NULL REFERENCES grp(uri), uri TEXT NOT NULL,"
	" number BIGINT NOT NULL DEFAULT 0, strict BIGINT NOT NULL DEFAULT 0, PRIMARY KEY(grp, uri));"
	"CREATE TABLE IF NOT EXISTS discovery(name TEXT PRIMARY KEY, profile BIGINT NOT NULL, slot_seconds BIGINT NOT NULL,"
	" keys BYTEA NOT NULL);"
	"CREATE TABLE IF NOT EXISTS hss(imsi TEXT PRIMARY KEY, sqn BIGINT NOT NULL);"
	"CREATE TABLE IF NOT EXISTS gba(btid TEXT PRIMARY KEY, imsi TEXT NOT NULL, impi TEXT NOT NULL, keys BYTEA NOT NULL,"
	" expires BIGINT NOT NULL, confirmed BIGINT NOT NULL);"
	"CREATE INDEX IF NOT EXISTS gba_expires ON gba(expires);"
	"CREATE TABLE IF NOT EXISTS outbox(id BIGINT PRIMARY KEY, iccid TEXT NOT NULL REFERENCES card(iccid), at BIGINT NOT NULL,"
	" kind BIGINT NOT NULL, grp TEXT NOT NULL, uri TEXT NOT NULL, gmk BIGINT NOT NULL, body BYTEA NOT NULL,"
	" fetched BIGINT NOT NULL DEFAULT 0, confirmed BIGINT NOT NULL DEFAULT 0, refused BIGINT NOT NULL DEFAULT 0);"
	"CREATE INDEX IF NOT EXISTS outbox_card ON outbox(iccid, at) WHERE confirmed=0;"
	"CREATE INDEX IF NOT EXISTS outbox_group ON outbox(grp);"
	"CREATE INDEX IF NOT EXISTS outbox_at ON outbox(at) WHERE confirmed=0;"
	"CREATE TABLE IF NOT EXISTS kms_log(n BIGINT PRIMARY KEY, at BIGINT NOT NULL, iccid TEXT NOT NULL, uri TEXT NOT NULL,"
	" period BIGINT NOT NULL, hash BYTEA NOT NULL);"
	"CREATE INDEX IF NOT EXISTS kms_log_uri ON kms_log(uri, n);"
	"CREATE TABLE IF NOT EXISTS external_kms(uri TEXT PRIMARY KEY, domain TEXT UNIQUE NOT NULL, period BIGINT NOT NULL,"
	" period_offset BIGINT NOT NULL, keys BYTEA NOT NULL);"
	"CREATE TABLE IF NOT EXISTS guest(grp TEXT NOT NULL REFERENCES grp(uri), uri TEXT NOT NULL, PRIMARY KEY(grp, uri));"
	"CREATE TABLE IF NOT EXISTS permission(plmn TEXT NOT NULL, iccid TEXT NOT NULL, rights BIGINT NOT NULL,"
	" valid BIGINT NOT NULL, radio BYTEA NOT NULL, PRIMARY KEY(plmn, iccid));"
	"CREATE TABLE IF NOT EXISTS joinable(grp TEXT PRIMARY KEY REFERENCES grp(uri), owner TEXT NOT NULL, naf TEXT NOT NULL,"
	" listed BIGINT NOT NULL);"
	"CREATE TABLE IF NOT EXISTS invited(grp TEXT NOT NULL, uri TEXT NOT NULL, PRIMARY KEY(grp, uri));"
	"CREATE TABLE IF NOT EXISTS vouched(card TEXT NOT NULL, nonce BIGINT NOT NULL, expires BIGINT NOT NULL,"
	" PRIMARY KEY(card, nonce));"
	"CREATE TABLE IF NOT EXISTS enrol(id TEXT PRIMARY KEY, iccid TEXT NOT NULL REFERENCES card(iccid), uri TEXT NOT NULL,"
	" expires BIGINT NOT NULL, key BYTEA NOT NULL, used BIGINT NOT NULL DEFAULT 0);"
	"CREATE UNIQUE INDEX IF NOT EXISTS card_imsi ON card(imsi) WHERE duplicate_of='';"
	"CREATE INDEX IF NOT EXISTS card_duplicate ON card(duplicate_of) WHERE duplicate_of<>'';"
	"CREATE UNIQUE INDEX IF NOT EXISTS kms_one ON kms((uri IS NOT NULL));"
	"CREATE UNIQUE INDEX IF NOT EXISTS card_msisdn ON card(msisdn) WHERE msisdn<>'';",
	CAMPAIGN_SCHEMA,
	"INSERT INTO meta VALUES('schema', '" SCHEMA_TEXT(SCHEMA_VERSION) "') ON CONFLICT DO NOTHING;",
	NULL,
};

#endif
