/* SPDX-License-Identifier: Apache-2.0 */
#include "card/applets/prose/prose.h"

static const struct bytes time_name = { (const uint8_t *)"time", 4 };

enum status prose_time_read(struct applet *a, uint64_t *floor, uint64_t *latest)
{
	SECRET_LARGE record = { 0 };
	struct bytes in;

	TRY(applet_get(a, time_name, &record));
	in = secret_large_bytes(&record);
	if (!bytes_take_uint(&in, 8, floor) || !bytes_take_uint(&in, 8, latest) || in.n != 0)
		return ERR_MALFORMED;
	if (prose_state(a)->latest > *latest)
		*latest = prose_state(a)->latest;
	return OK;
}

enum status prose_time_effective(struct applet *a, uint64_t *out)
{
	uint64_t floor, latest;

	TRY(prose_time_read(a, &floor, &latest));
	*out = latest > floor ? latest : floor;
	return OK;
}

static enum status write_time(struct applet *a, uint64_t floor, uint64_t latest)
{
	uint8_t raw[16];
	struct buf b = BUF_OF(raw);

	buf_put_uint(&b, 8, floor);
	buf_put_uint(&b, 8, latest);
	return applet_put(a, time_name, buf_bytes(&b));
}

enum status prose_time_judge(struct applet *a, uint64_t phone_time, uint64_t *effective)
{
	uint64_t floor, latest;

	TRY(prose_time_read(a, &floor, &latest));
	*effective = phone_time > latest ? phone_time : latest;
	*effective = floor > *effective ? floor : *effective;
	return OK;
}

enum status prose_time_accept(struct applet *a, uint64_t phone_time, uint64_t *effective)
{
	struct prose_state *s = prose_state(a);
	uint64_t floor, latest, durable;
	SECRET_LARGE record = { 0 };

	TRY(prose_time_judge(a, phone_time, effective));
	TRY(prose_time_read(a, &floor, &latest));
	TRY(applet_get(a, time_name, &record));
	durable = bytes_uint((struct bytes){ record.data + 8, 8 });
	s->latest = phone_time > latest ? phone_time : latest;
	/* With the answer's commit, so before a code leaves; a clock that only goes writes once a minute. */
	return s->latest - durable > PROSE_CODE_WINDOW ? write_time(a, floor, s->latest) : OK;
}

bool prose_time_in_window(struct applet *a, uint64_t t)
{
	uint64_t latest = prose_state(a)->latest;

	return (t > latest ? t - latest : latest - t) <= PROSE_CODE_WINDOW;
}

enum status prose_time_set_floor(struct applet *a, uint64_t new_floor)
{
	uint64_t floor, latest;

	TRY(prose_time_read(a, &floor, &latest));
	if (new_floor < floor || new_floor - floor > PROSE_FLOOR_STEP_MAX)
		return ERR_DENIED;
	prose_state(a)->latest = 0;
	return write_time(a, new_floor, new_floor);
}
