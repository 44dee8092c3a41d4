/* SPDX-License-Identifier: Apache-2.0 */
/* duration.h - the two octets in which SUSPEND UICC counts time (TS 102 221 11.1.22): a unit and how many of it. */
#ifndef APDU_BASE_DURATION_H
#define APDU_BASE_DURATION_H

#include "apdu/base/bytes.h"

enum { DURATION_LEN = 2 };

/* The unit that loses nothing, or as little as possible; never less than was asked for, up to 255 times ten days. */
void duration_put(struct buf *, uint32_t seconds);
/* 0 for a unit that there is not. */
uint32_t duration_seconds(const uint8_t duration[static DURATION_LEN]);

#endif
