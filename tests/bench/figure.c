/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/figure.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

void figure(const char *name, double value, const char *unit, double ratio, const char *against)
{
	const char *path = getenv("FIGURES");
	FILE *out;

	(void)printf("%-46s %11.2f %-8s %7.2f x %s\n", name, value, unit, ratio, against);
	(void)fflush(stdout);
	if (!isfinite(value) || !isfinite(ratio) || ratio <= 0) {
		(void)fprintf(stderr, "%s: \"%s\" is no figure\n", program_invocation_short_name, name);
		exit(1);
	}
	if (path == NULL)
		return;
	if ((out = fopen(path, "ae")) == NULL ||
	        fprintf(out,
	                "{\"program\": \"%s\", \"name\": \"%s\", \"value\": %.4f, \"unit\": \"%s\", \"ratio\": %.4f, \"against\": \"%s\"}\n",
	                program_invocation_short_name, name, value, unit, ratio, against) < 0 ||
	        fclose(out) != 0) {
		perror(path);
		exit(1);
	}
}

double least(double a, double b)
{
	return a < b ? a : b;
}
