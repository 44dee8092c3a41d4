/* SPDX-License-Identifier: Apache-2.0 */
/* clock.h - the time of the servers. */
#ifndef PROVISIONING_CAMPAIGN_CLOCK_H
#define PROVISIONING_CAMPAIGN_CLOCK_H

#include <stdint.h>

/* Milliseconds since 1970. */
uint64_t clock_ms(void);

#endif
