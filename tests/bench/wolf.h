/* SPDX-License-Identifier: Apache-2.0 */
/* wolf.h - the same SAKKE and ECCSI work done by Debian's libwolfssl, as a speed anchor and a second opinion. Test only. */
#ifndef TESTS_BENCH_WOLF_H
#define TESTS_BENCH_WOLF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wolf_times {
	double encapsulate, encapsulate_again;      /* the latter to an identity whose point it keeps */
	double decapsulate, validate, sign, verify; /* least microseconds */
};

/* What ours made: z and Z, RSK, KSAK and KPAK, SSK and PVT for one identity; ssv and the data it was encapsulated in. */
struct wolf_input {
	const uint8_t *z, *zp, *rsk, *ksak, *kpak, *ssk, *pvt, *id, *ssv, *data, *signature, *message;
	size_t z_n, id_n, message_n;
};

/* False when libwolfssl disagrees with us anywhere. */
bool wolf_run(const struct wolf_input *, int rounds, struct wolf_times *);

#endif
