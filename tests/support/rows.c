/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/rows.h"

#include <stdlib.h>
#include <string.h>

struct row *rows_find(struct rows *r, struct bytes name)
{
	for (size_t i = 0; i < r->count; i++)
		if (bytes_equal(name_bytes(&r->row[i].name), name))
			return &r->row[i];
	return NULL;
}

static struct rows *rows_of(struct store_backend *b)
{
	return (struct rows *)(void *)b;
}

static enum status load(struct store_backend *b, struct bytes name, struct buf *out)
{
	const struct row *r = rows_find(rows_of(b), name);

	if (r == NULL)
		return ERR_NOT_FOUND;
	buf_put(out, (struct bytes){ r->value, r->n });
	return buf_status(out);
}

static int compare(struct bytes a, struct bytes b)
{
	int c = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);

	return c != 0 ? c : (int)a.n - (int)b.n;
}

static enum status next(struct store_backend *b, struct bytes prefix, struct bytes after, struct record_name *out)
{
	const struct rows *r = rows_of(b);
	const struct record_name *best = NULL;

	for (size_t i = 0; i < r->count; i++) {
		struct bytes name = name_bytes(&r->row[i].name);

		if (name.n >= prefix.n && (prefix.n == 0 || memcmp(name.p, prefix.p, prefix.n) == 0) &&
		        (after.n == 0 || compare(name, after) > 0) && (best == NULL || compare(name, name_bytes(best)) < 0))
			best = &r->row[i].name;
	}
	if (best == NULL)
		return ERR_NOT_FOUND;
	*out = *best;
	return OK;
}

static void set(struct row *r, struct bytes value)
{
	uint8_t *copy = malloc(value.n + 1);

	if (copy == NULL)
		abort();
	if (value.n > 0)
		memcpy(copy, value.p, value.n);
	free(r->value);
	r->value = copy;
	r->n = value.n;
}

static enum status write_rows(struct store_backend *b, const struct store_change *c, size_t n)
{
	struct rows *all = rows_of(b);

	for (size_t i = 0; i < n; i++) {
		struct row *r = rows_find(all, c[i].name);

		if (all->on_write != NULL)
			all->on_write(&c[i]);
		if (c[i].erase) {
			if (r != NULL) {
				free(r->value);
				*r = all->row[--all->count];
				all->row[all->count] = (struct row){ 0 };
			}
			continue;
		}
		if (r == NULL) {
			if (all->count == ROWS_MAX)
				return ERR_NO_SPACE;
			r = &all->row[all->count++];
			r->name.n = c[i].name.n;
			memcpy(r->name.text, c[i].name.p, c[i].name.n);
		}
		set(r, c[i].value);
	}
	return OK;
}

void rows_init(struct rows *r)
{
	*r = (struct rows){ .backend = { load, next, write_rows } };
}

void rows_free(struct rows *r)
{
	while (r->count > 0) {
		free(r->row[--r->count].value);
		r->row[r->count] = (struct row){ 0 };
	}
}

void rows_copy(struct rows *to, const struct rows *from)
{
	rows_free(to);
	for (; to->count < from->count; to->count++) {
		to->row[to->count].name = from->row[to->count].name;
		set(&to->row[to->count], (struct bytes){ from->row[to->count].value, from->row[to->count].n });
	}
}
