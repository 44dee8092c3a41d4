/* SPDX-License-Identifier: Apache-2.0 */
/* counter.h - what counts epochs: an NV counter of a TPM 2.0, or a file (for tests: whoever can put an image back can put a
 * file back). */
#ifndef CARD_IO_IMAGE_COUNTER_H
#define CARD_IO_IMAGE_COUNTER_H

#include "card/io/image/epoch.h"

/* Open "tpm:INDEX" or "tpm:INDEX,TCTI" (INDEX: of an NV counter, in hexadecimal; TCTI as the tools of tpm2-tss take it, such as
 * swtpm:path=SOCKET or device:/dev/tpmrm0, which is the default), or "file:PATH". Whose increments and reads need only the
 * index's own authorisation, which is empty. A counter that has never counted is moved to its first value; a file that does
 * not exist begins at 0. The libraries of tpm2-tss are loaded here. ERR_IO or ERR_MALFORMED, with a sentence in reason.
 * *out goes to its close. */
MUST_USE enum status counter_open(const char *source, struct counter **out, char *reason, size_t n);

#endif
