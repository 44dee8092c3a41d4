/* A transport that writes what another one carries: one line an APDU, PIN commands (INS 20..2C) blanked. */
#include <stdio.h>
#include <stdlib.h>

#include "host/lib/prose-ue.h"

struct trace {
	struct prose_transport inner;
	FILE *file;
};

static void put(FILE *f, char mark, const uint8_t *p, size_t n, size_t shown)
{
	(void)fputc(mark, f);
	for (size_t i = 0; i < n; i++) {
		if (i < shown)
			(void)fprintf(f, "%02x", p[i]);
		else
			(void)fputs("..", f);
	}
	(void)fputc('\n', f);
}

static enum prose_result trace_transmit(void *context, const uint8_t *c, size_t c_len, uint8_t *r, size_t *n)
{
	struct trace *t = context;
	enum prose_result result = t->inner.transmit(t->inner.context, c, c_len, r, n);
	bool pin = c_len > 1 && (c[0] & 0x80) == 0 && c[1] >= 0x20 && c[1] <= 0x2C;

	put(t->file, '>', c, c_len, pin ? 5 : c_len);
	put(t->file, '<', r, *n, *n);
	(void)fflush(t->file);
	return result;
}

static enum prose_result trace_begin(void *context)
{
	struct trace *t = context;

	return t->inner.begin != NULL ? t->inner.begin(t->inner.context) : PROSE_OK;
}

static void trace_end(void *context)
{
	struct trace *t = context;

	if (t->inner.end != NULL)
		t->inner.end(t->inner.context);
}

static enum prose_result trace_reset(void *context)
{
	struct trace *t = context;

	(void)fputs("reset\n", t->file);
	return t->inner.reset != NULL ? t->inner.reset(t->inner.context) : PROSE_IO;
}

static void trace_close(void *context)
{
	struct trace *t = context;

	if (t->inner.close != NULL)
		t->inner.close(t->inner.context);
	(void)fclose(t->file);
	free(t);
}

enum prose_result prose_trace_open(struct prose_transport inner, const char *path, struct prose_transport *out)
{
	struct trace *t = calloc(1, sizeof *t);

	if (t == NULL || (t->file = fopen(path, "ae")) == NULL) {
		free(t);
		return PROSE_NO_SPACE;
	}
	t->inner = inner;
	*out = (struct prose_transport){ NULL, trace_transmit, trace_begin, trace_end, trace_reset, trace_close };
	out->context = t;
	return PROSE_OK;
}
