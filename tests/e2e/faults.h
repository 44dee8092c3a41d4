/* SPDX-License-Identifier: Apache-2.0 */
/* faults.h - what faults.so, tests/e2e/plant and tests/e2e/tour.c share: 32-bit numbers in a file that all of them map. */
#ifndef TESTS_E2E_FAULTS_H
#define TESTS_E2E_FAULTS_H

#include <stdbool.h>
#include <stdint.h>

enum fault_kind { FAULT_MALLOC, FAULT_SQLITE, FAULT_EVP, FAULT_READ, FAULT_WRITE, FAULT_FSYNC, FAULT_SCARD, FAULT_KINDS };

struct control {
	uint32_t kind, n; /* the call that fails; 0: none, only count */
	int32_t error;    /* errno */
	uint32_t waits;   /* until it is armed; otherwise main does that */
	uint32_t armed, planted;
	uint32_t show; /* say who made the call that failed */
	uint32_t count[FAULT_KINDS];
};

/* Of faults.so; NULL in a program that runs without it. Nothing fails any more in this process. */
__attribute__((weak)) void faults_leave(void);

#endif
