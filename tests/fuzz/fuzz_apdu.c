/* A stream of APDUs (one-octet lengths) against a born card: always an answer of at least two octets. A length of FF makes the
 * basic channel an administrator's, FE resets the card. */
#include <stdlib.h>
#include <string.h>

#include "apdu/hex.h"
#include "card/io/birth.h"
#include "tests/support/rows.h"

static struct rows store, born;
static struct card card;
static struct card_work work;
static struct card_env env;
static struct secret_large secrets;

static void birth(void)
{
	struct order o = { .who = { .iccid = "8900101000000000017", .imsi = "001010000000001", .pin1_enabled = true } };

	rows_init(&store);
	rows_init(&born);
	env = (struct card_env){ .backend = &store.backend, .rng = &rng_system, .work = &work };
	if (bcd_encode(o.who.iccid, env.card_id, sizeof env.card_id) != OK)
		abort();
	memcpy(o.card_id, env.card_id, sizeof o.card_id);
	if (birth_test_secrets(&o, &secrets, NULL, 0) != OK ||
	        profile_install(&card, &env, &o.who, secret_large_bytes(&secrets), NULL, 0) != OK)
		abort();
	rows_copy(&born, &store);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static uint8_t response[APDU_RESPONSE_MAX];
	struct bytes in = { data, n }, command;
	uint64_t len;

	if (born.count == 0)
		birth();
	rows_copy(&store, &born);
	if (card_power_on(&card, &env) != OK)
		abort();
	while (bytes_take_uint(&in, 1, &len)) {
		struct buf b = BUF_OF(response);

		if (len == 0xFF)
			card.channel[0].adm = true;
		if (len == 0xFE)
			card_reset(&card);
		if (len >= 0xFE)
			continue;
		if (!bytes_take(&in, (size_t)len, &command))
			break;

		card_transmit(&card, command, &b);
		if (b.failed || b.len < 2)
			abort();
	}
	return 0;
}
