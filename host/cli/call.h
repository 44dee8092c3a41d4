/* SPDX-License-Identifier: Apache-2.0 */
/* call.h - the two halves of `prose-ue call`. */
#ifndef HOST_CLI_CALL_H
#define HOST_CLI_CALL_H

#include "host/cli/cli.h"

int call_join(struct arguments *);

#endif
