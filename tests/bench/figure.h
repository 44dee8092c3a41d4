/* SPDX-License-Identifier: Apache-2.0 */
/* figure.h - what a program of `make bench` has measured: a value, and its ratio to a reference of the same run. */
#ifndef TESTS_BENCH_FIGURE_H
#define TESTS_BENCH_FIGURE_H

/* One line to read, and one for tests/bench/run in the file that $FIGURES names. Ends the program if it is no number. */
void figure(const char *name, double value, const char *unit, double ratio, const char *against);
double least(double a, double b);

#endif
