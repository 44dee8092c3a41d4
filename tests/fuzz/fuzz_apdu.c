/* A stream of APDUs (one-octet lengths) against a born card: always an answer of at least two octets. A length of FF makes the
 * basic channel an administrator's, FE resets the card. */
#include <stdlib.h>
#include <string.h>

#include "apdu/hex.h"
#include "card/io/birth.h"

/* A store of one process: the records birth made, and nothing durable. */
struct row {
	struct record_name name;
	uint8_t value[RECORD_MAX];
	size_t n;
};
static struct store_backend backend;
static struct row rows[160];
static size_t count, born;
static uint8_t saved[sizeof rows];

static struct row *find(struct bytes name)
{
	for (size_t i = 0; i < count; i++)
		if (bytes_equal(name_bytes(&rows[i].name), name))
			return &rows[i];
	return NULL;
}

static enum status load(struct store_backend *b, struct bytes name, struct buf *out)
{
	const struct row *r = find(name);

	(void)b;
	if (r == NULL)
		return ERR_NOT_FOUND;
	buf_put(out, (struct bytes){ r->value, r->n });
	return buf_status(out);
}

static enum status next(struct store_backend *b, struct bytes prefix, struct bytes after, struct record_name *out)
{
	(void)b;
	for (size_t i = 0; i < count; i++) {
		struct bytes name = name_bytes(&rows[i].name);

		if (name.n >= prefix.n && memcmp(name.p, prefix.p, prefix.n) == 0 &&
		        (after.n == 0 || memcmp(name.p, after.p, name.n < after.n ? name.n : after.n) > 0)) {
			*out = rows[i].name;
			return OK;
		}
	}
	return ERR_NOT_FOUND;
}

static enum status write_rows(struct store_backend *b, const struct store_change *c, size_t n)
{
	(void)b;
	for (size_t i = 0; i < n; i++) {
		struct row *r = find(c[i].name);

		if (r == NULL) {
			if (count == sizeof rows / sizeof *rows)
				return ERR_NO_SPACE;
			r = &rows[count++];
			r->name.n = c[i].name.n;
			memcpy(r->name.text, c[i].name.p, c[i].name.n);
		}
		r->n = c[i].value.n;
		if (r->n > 0)
			memcpy(r->value, c[i].value.p, r->n);
	}
	return OK;
}

static struct card card;
static struct card_work work;
static struct card_env env;
static struct secret_large secrets;

static void birth(void)
{
	struct order o = { .who = { .iccid = "8900101000000000017", .imsi = "001010000000001", .pin1_enabled = true } };

	backend = (struct store_backend){ load, next, write_rows };
	env = (struct card_env){ .backend = &backend, .rng = &rng_system, .work = &work };
	if (bcd_encode(o.who.iccid, env.card_id, sizeof env.card_id) != OK)
		abort();
	memcpy(o.card_id, env.card_id, sizeof o.card_id);
	if (birth_test_secrets(&o, &secrets, NULL, 0) != OK ||
	        profile_install(&card, &env, &o.who, secret_large_bytes(&secrets), NULL, 0) != OK)
		abort();
	born = count;
	memcpy(saved, rows, sizeof rows);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static uint8_t response[APDU_RESPONSE_MAX];
	struct bytes in = { data, n }, command;
	uint64_t len;

	if (born == 0)
		birth();
	memcpy(rows, saved, sizeof rows);
	count = born;
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
