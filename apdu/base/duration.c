/* SPDX-License-Identifier: Apache-2.0 */
#include "apdu/base/duration.h"

static const uint32_t unit[] = { 1, 60, 3600, 86400, 864000 };
enum { UNITS = sizeof unit / sizeof *unit };

void duration_put(struct buf *b, uint32_t seconds)
{
	uint32_t n;
	uint8_t i = 0;

	while (i < UNITS - 1 && seconds > 255 * unit[i])
		i++;
	n = seconds / unit[i] + (seconds % unit[i] != 0 ? 1 : 0);
	buf_put_u8(b, i);
	buf_put_u8(b, (uint8_t)(n < 255 ? n : 255));
}

uint32_t duration_seconds(const uint8_t duration[static DURATION_LEN])
{
	return duration[0] < UNITS ? unit[duration[0]] * duration[1] : 0;
}
