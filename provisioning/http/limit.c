/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/http/limit.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/common/rng.h"

enum { SETS = 16384, WAYS = 4, TOKEN = 1000 };

struct bucket {
	uint64_t source; /* 0: empty */
	uint32_t at;     /* milliseconds, when `tokens` was right */
	uint32_t tokens; /* thousandths */
};
struct limit {
	uint64_t secret[3]; /* nobody outside can tell which sources share a set */
	uint32_t rate, full;
	struct bucket set[SETS][WAYS];
};

struct limit *limit_new(unsigned per_second)
{
	struct limit *l = calloc(1, sizeof *l);

	if (l != NULL && rng_fill(&rng_system, (uint8_t *)l->secret, sizeof l->secret) != OK)
		limit_free(&l);
	if (l == NULL)
		return NULL;
	l->rate = per_second < 1000000 ? per_second : 1000000; /* so that thousandths fit */
	l->full = l->rate * LIMIT_BURST_SECONDS * TOKEN;
	return l;
}

void limit_free(struct limit **l)
{
	free(*l);
	*l = NULL;
}

static uint64_t address_of(const struct sockaddr *from)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)from;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)from;

	if (from->sa_family == AF_INET)
		return ntohl(v4->sin_addr.s_addr);
	if (from->sa_family != AF_INET6)
		return 0;
	if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
		return bytes_uint((struct bytes){ v6->sin6_addr.s6_addr + 12, 4 });
	return bytes_uint((struct bytes){ v6->sin6_addr.s6_addr, 8 });
}

/* Mixed with the secret, one to one: two sources never share a bucket, only a set. */
static uint64_t mix(const struct limit *l, uint64_t x)
{
	for (int i = 0; i < 3; i++) {
		x = (x ^ l->secret[i]) * (l->secret[(i + 1) % 3] | 1U);
		x ^= x >> 32U;
	}
	return x != 0 ? x : 1;
}

static uint32_t tokens_at(const struct limit *l, const struct bucket *b, uint32_t now)
{
	uint64_t n = (uint64_t)b->tokens + (uint64_t)(uint32_t)(now - b->at) * l->rate;

	return b->source == 0 || n > l->full ? l->full : (uint32_t)n;
}

bool limit_take(struct limit *l, const struct sockaddr *source, uint64_t now)
{
	struct bucket *set, *best;
	uint32_t at = (uint32_t)now;
	uint64_t name;

	if (l == NULL)
		return true;
	name = mix(l, address_of(source));
	set = l->set[name % SETS];
	best = &set[0];
	for (int i = 0; i < WAYS && best->source != name; i++)
		if (set[i].source == name || tokens_at(l, &set[i], at) > tokens_at(l, best, at))
			best = &set[i];
	if (best->source != name)
		*best = (struct bucket){ .source = name, .at = at, .tokens = l->full };
	best->tokens = tokens_at(l, best, at);
	best->at = at;
	if (best->tokens < TOKEN)
		return false;
	best->tokens -= TOKEN;
	return true;
}
