/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/frames.h"

#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WINDOW = 12, STEP = 4, LIKELY_BITS = 18, TABLE = 1 << 16, DEPTH = 512, DEAD = 4096, OURS = 512, PAINT = 0xA5, FEW = 5 };

/* The windows, by their first four octets; a bit in `likely` for each of those. */
static uint8_t windows[TABLE][WINDOW], likely[1 << (LIKELY_BITS - 3)];
static bool taken[TABLE];
static size_t known;

static uint32_t mixed(const uint8_t *p)
{
	uint32_t x;

	memcpy(&x, p, sizeof x);
	return x * UINT32_C(2654435761);
}

/* The place of a window, or where it would stand. */
static size_t place(const uint8_t *p)
{
	size_t i = mixed(p) % TABLE;

	while (taken[i] && memcmp(windows[i], p, WINDOW) != 0)
		i = (i + 1) % TABLE;
	return i;
}

/* Few values make up a small number, or what nobody has chosen. */
static bool flat(const uint8_t *p)
{
	size_t different = 0;

	for (size_t i = 0; i < WINDOW; i++)
		different += memchr(p, p[i], i) == NULL ? 1 : 0;
	return different < FEW;
}

void frames_learn(const void *octets, size_t n)
{
	const uint8_t *const p = octets;

	for (size_t at = 0; at + WINDOW <= n; at += STEP) {
		const size_t i = place(p + at), bit = mixed(p + at) >> (32 - LIKELY_BITS);

		if (taken[i] || flat(p + at) || known == TABLE / 2)
			continue;
		memcpy(windows[i], p + at, WINDOW);
		taken[i] = true;
		known++;
		likely[bit / 8] |= (uint8_t)(1 << bit % 8);
	}
}

bool frames_found(const void *octets, size_t n)
{
	const uint8_t *const p = octets;

	for (size_t at = 0; at + WINDOW <= n; at++) {
		const size_t bit = mixed(p + at) >> (32 - LIKELY_BITS);

		if ((likely[bit / 8] & 1 << bit % 8) != 0 && taken[place(p + at)])
			return true;
	}
	return false;
}

/* ---- the hooks ------------------------------------------------------------------------------------------------------- */

/* What libraries have left lies in some frames from the beginning, and is not that function's. */
static _Thread_local struct {
	const uint8_t *end;
	bool soiled;
} running[DEPTH];
static _Thread_local size_t depth;
static _Thread_local size_t returned;

size_t frames_returned(void)
{
	return returned;
}

void __cyg_profile_func_enter(void *function, void *caller);
void __cyg_profile_func_exit(void *function, void *caller);

/* The end of the frame of the function that called a hook (x86-64, arm64); its beginning is the hook's. */
static const uint8_t *frame_end(const uint8_t *hook)
{
	return *(const uint8_t *const *)(const void *)hook;
}

/* Nothing lives there. */
static void paint_below(uint8_t *hook)
{
	memset(hook - OURS - DEAD, PAINT, DEAD);
}

void __cyg_profile_func_enter(void *function, void *caller)
{
	uint8_t *const hook = __builtin_frame_address(0);
	const uint8_t *const end = frame_end(hook);

	(void)function;
	(void)caller;
	while (depth > 0 && running[depth - 1].end <= end)
		depth--; /* left by longjmp */
	if (depth < DEPTH) {
		running[depth].end = end;
		running[depth].soiled = frames_found(hook, (size_t)(end - hook));
		depth++;
	}
	paint_below(hook);
}

static void stop(const void *function)
{
	Dl_info at = { 0 };

	(void)dladdr(function, &at);
	(void)fprintf(stderr, "frames: %s (%#zx) returns and leaves a secret in its frame\n",
	        at.dli_sname != NULL ? at.dli_sname : "a static function",
	        (size_t)((const char *)function - (const char *)at.dli_fbase));
	abort();
}

void __cyg_profile_func_exit(void *function, void *caller)
{
	uint8_t *const hook = __builtin_frame_address(0);
	const uint8_t *const end = frame_end(hook);

	(void)caller;
	while (depth > 0 && running[depth - 1].end < end)
		depth--;
	if (depth > 0 && running[depth - 1].end == end) {
		depth--;
		returned += running[depth].soiled ? 0 : 1;
		if (!running[depth].soiled && frames_found(hook, (size_t)(end - hook)))
			stop(function);
	}
	paint_below(hook);
}

__attribute__((noinline)) void frames_plant(const char secret[static 17], bool wiped)
{
	volatile char here[17];

	__cyg_profile_func_enter(NULL, NULL);
	for (size_t i = 0; i < sizeof here; i++)
		here[i] = secret[i];
	for (size_t i = 0; wiped && i < sizeof here; i++)
		here[i] = 0;
	__cyg_profile_func_exit(NULL, NULL);
}
