/* SPDX-License-Identifier: Apache-2.0 */
/* failure.h - why a call of libcrypto's has failed, from its queue of errors, which is empty afterwards. */
#ifndef CRYPTO_COMMON_FAILURE_H
#define CRYPTO_COMMON_FAILURE_H

#include "apdu/base/status.h"

/* Of a call that only computes: ERR_NO_MEMORY, or ERR_LIBRARY. */
MUST_USE enum status crypto_failed(void);
/* Of one that also judges what it is given: ERR_NO_MEMORY, or else ERR_CRYPTO. */
MUST_USE enum status crypto_refused(void);

#endif
