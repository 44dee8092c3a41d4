/* SPDX-License-Identifier: Apache-2.0 */
/* limit.h - how often one source may ask: a token bucket for each IPv4 address or IPv6 /64, in a table of fixed size, so that a
 * flood takes no memory. When a place is needed, the source that has asked least loses its record and begins anew. */
#ifndef PROVISIONING_HTTP_LIMIT_H
#define PROVISIONING_HTTP_LIMIT_H

#include <sys/socket.h>

#include "apdu/base/bytes.h"

enum { LIMIT_BURST_SECONDS = 4 }; /* a source that was quiet may ask this many seconds' worth at once */

struct limit;
/* NULL: no memory, or no random numbers for the table's secret. */
struct limit *limit_new(unsigned per_second);
void limit_free(struct limit **);
/* Take one token. now: milliseconds of a clock that never goes back. False: none left. NULL never refuses. Sources that are not
 * IP share one bucket. */
MUST_USE bool limit_take(struct limit *, const struct sockaddr *source, uint64_t now);

#endif
