/* SPDX-License-Identifier: Apache-2.0 */
/* What counts an image's epochs, as the verbs name it. */
#include <stdio.h>

#include "card/io/cli/cli.h"

int cli_open_counter(const char *verb, const struct arguments *a, struct counter **out)
{
	char reason[256];

	*out = NULL;
	return a->counter == NULL || counter_open(a->counter, out, reason, sizeof reason) == OK
	               ? 0
	               : cli_refuse(verb, reason, IMAGE_COUNTER_SILENT);
}

void cli_close_counter(struct counter **c)
{
	if (*c != NULL)
		(*c)->close(*c);
	*c = NULL;
}

int verb_counter(struct arguments *a)
{
	struct counter *counter = NULL;
	struct image_options o;
	struct image *image;
	int rc;

	if (a->count != 1 || a->end == (a->counter != NULL))
		return cli_refuse("counter", "needs IMAGE, and --counter SOURCE or --end", EXIT_USAGE);
	if ((rc = cli_open_image("counter", a, a->words[0], &image, &o)) != 0)
		return rc;
	if ((rc = cli_open_counter("counter", a, &counter)) == 0)
		rc = cli_report_open(
		        "counter", &o, a->end ? epoch_end(image_backend(image)) : epoch_begin(image_backend(image), counter));
	image_close(&image);
	cli_close_counter(&counter);
	return rc;
}
