/* clock.h - the time of the servers. */
#ifndef PROVISIONING_CLOCK_H
#define PROVISIONING_CLOCK_H

#include <stdint.h>

/* Milliseconds since 1970. */
uint64_t clock_ms(void);

#endif
