/* SPDX-License-Identifier: Apache-2.0 */
/* frames.h - what functions leave on the stack when they return, in builds with FRAMES=1 (tests/frames): each function of the
 * product calls a hook then, which looks into its frame for every value that a secret has ever had. */
#ifndef TESTS_SUPPORT_FRAMES_H
#define TESTS_SUPPORT_FRAMES_H

#include <stdbool.h>
#include <stddef.h>

/* A secret: twelve octets in a row of it, from each fourth one on, may be left in no frame from now on. One that is shorter,
 * and octets of few values, are not looked for. */
void frames_learn(const void *octets, size_t n);
/* Whether a window of what was learned is there. */
bool frames_found(const void *octets, size_t n);
/* How many functions have returned and been looked at. */
size_t frames_returned(void);
/* A function that leaves this in its frame, or not: the hooks are called as for the product's. */
void frames_plant(const char secret[static 17], bool wiped);

#endif
