/* SPDX-License-Identifier: Apache-2.0 */
/* once.h - what all operations share and is made at the first one; where that failed for want of memory, at the next. */
#ifndef CRYPTO_COMMON_ONCE_H
#define CRYPTO_COMMON_ONCE_H

#include <pthread.h>
#include <stdbool.h>

struct once {
	pthread_mutex_t lock;
	bool ready;
};
#define ONCE_NOT_YET                                                                                                           \
	{                                                                                                                      \
		PTHREAD_MUTEX_INITIALIZER, false                                                                               \
	}

/* Whether it is there; `make` leaves nothing behind when it fails. Several threads may ask at once. */
bool once_ready(struct once *, bool (*make)(void));

#endif
