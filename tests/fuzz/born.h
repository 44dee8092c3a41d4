/* SPDX-License-Identifier: Apache-2.0 */
/* born.h - a test card for fuzz targets, in memory, born once and put back for every input. */
#ifndef TESTS_FUZZ_BORN_H
#define TESTS_FUZZ_BORN_H

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "apdu/base/hex.h"
#include "card/io/birth/birth.h"
#include "tests/support/rows.h"

static struct rows store, born;
static struct card card;
static struct card_work work;
static struct card_env env;
static struct secret_large secrets;

static void birth(void)
{
	struct order o = { .who = { .iccid = "8900101000000000017", .imsi = "001010000000001", .pin1_enabled = true } };

	static const char profile[] = "{\"permission\": \"open\"}"; /* so that inputs reach discovery's codes */

	o.who.profile = profile_parse(profile, sizeof profile - 1, NULL, NULL, 0);
	rows_init(&store);
	rows_init(&born);
	env = (struct card_env){ .backend = &store.backend, .rng = &rng_system, .work = &work };
	if (bcd_encode(o.who.iccid, env.card_id, sizeof env.card_id) != OK)
		abort();
	memcpy(o.card_id, env.card_id, sizeof o.card_id);
	if (birth_test_secrets(&o, &secrets, NULL, 0) != OK ||
	        profile_install(&card, &env, &o.who, secret_large_bytes(&secrets), NULL, 0) != OK)
		abort();
	json_decref((json_t *)o.who.profile);
	rows_copy(&born, &store);
}

/* The card as it was at birth, powered on. */
static void power_on_newborn(void)
{
	if (born.count == 0)
		birth();
	rows_copy(&store, &born);
	if (card_power_on(&card, &env) != OK)
		abort();
}

#endif
