/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/common/once.h"

bool once_ready(struct once *o, bool (*make)(void))
{
	bool ready;

	if (pthread_mutex_lock(&o->lock) != 0)
		return false;
	ready = o->ready = o->ready || make();
	(void)pthread_mutex_unlock(&o->lock);
	return ready;
}
