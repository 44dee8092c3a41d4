/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a fuzz target over kept inputs, one in hex a line: replay FILE. Without libFuzzer, so that `make check` can. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apdu/base/hex.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int main(int argc, char **argv)
{
	static char line[1 << 20];
	unsigned count = 0;
	FILE *f = argc == 2 ? fopen(argv[1], "r") : NULL;

	if (f == NULL) {
		(void)fprintf(stderr, "usage: replay CORPUS.hex\n");
		return 2;
	}
	while (fgets(line, sizeof line, f) != NULL) {
		size_t n = strcspn(line, "\n");
		uint8_t *data = malloc(n / 2 + 1);
		struct buf b = { data, 0, n / 2, false };

		if (data == NULL || hex_decode((struct bytes){ (const uint8_t *)line, n }, &b) != OK)
			return 2;
		(void)LLVMFuzzerTestOneInput(data, b.len);
		free(data);
		count++;
	}
	(void)fclose(f);
	(void)printf("%s: %u inputs replayed\n", argv[1], count);
	return count > 0 ? 0 : 1;
}
