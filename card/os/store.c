/* SPDX-License-Identifier: Apache-2.0 */
#include "card/os/store.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void store_init(struct store *s, struct store_backend *backend, struct store_work *work)
{
	*s = (struct store){ .backend = backend, .work = work };
}

struct bytes name_bytes(const struct record_name *n)
{
	return (struct bytes){ n->text, n->n };
}

struct record_name name_format(const char *format, ...)
{
	struct record_name name = { 0 };
	char text[RECORD_NAME_MAX + 1];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (n > 0 && n <= RECORD_NAME_MAX) {
		name.n = (size_t)n;
		memcpy(name.text, text, name.n);
	}
	return name;
}

enum status view_name(const struct store_view *v, struct bytes name, struct record_name *out)
{
	struct buf b = { out->text, 0, sizeof out->text, false };

	buf_put(&b, name_bytes(&v->prefix));
	buf_put(&b, name);
	out->n = b.len;
	return b.failed ? ERR_BUG : OK;
}

static const struct store_pending *find_pending(const struct store *s, struct bytes name)
{
	for (size_t i = s->count; i > 0; i--)
		if (bytes_equal(name_bytes(&s->work->pending[i - 1].name), name))
			return &s->work->pending[i - 1];
	return NULL;
}

enum status store_get(struct store *s, struct bytes name, struct buf *out)
{
	const struct store_pending *p = find_pending(s, name);

	if (p == NULL)
		return s->backend->load(s->backend, name, out);
	if (p->erase)
		return ERR_NOT_FOUND;
	buf_put(out, (struct bytes){ s->work->arena + p->at, p->n });
	return buf_status(out);
}

enum status store_get_secret(struct store *s, struct bytes name, struct secret *out)
{
	struct buf b = { out->data, 0, sizeof out->data, false };
	enum status st = store_get(s, name, &b);

	out->len = b.len;
	if (st != OK)
		secret_wipe(out);
	return st;
}

enum status store_get_large(struct store *s, struct bytes name, struct secret_large *out)
{
	struct buf b = { out->data, 0, sizeof out->data, false };
	enum status st = store_get(s, name, &b);

	out->len = b.len;
	if (st != OK)
		secret_large_wipe(out);
	return st;
}

static bool has_prefix(struct bytes name, struct bytes prefix)
{
	return name.n >= prefix.n && bytes_equal((struct bytes){ name.p, prefix.n }, prefix);
}

static int compare(struct bytes a, struct bytes b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int c = n > 0 ? memcmp(a.p, b.p, n) : 0;

	return c != 0 ? c : a.n < b.n ? -1 : a.n > b.n;
}

enum status store_next(struct store *s, struct bytes prefix, struct bytes after, struct record_name *out)
{
	struct record_name from = { 0 }, candidate;
	struct buf b = { from.text, 0, sizeof from.text, false };
	bool found = false;
	enum status st;

	buf_put(&b, after);
	from.n = b.len;
	/* The backend's next name that is not erased here. */
	while ((st = s->backend->next(s->backend, prefix, name_bytes(&from), &candidate)) == OK) {
		const struct store_pending *p = find_pending(s, name_bytes(&candidate));

		if (p == NULL || !p->erase) {
			*out = candidate;
			found = true;
			break;
		}
		from = candidate;
	}
	if (st != OK && st != ERR_NOT_FOUND)
		return st;
	for (size_t i = 0; i < s->count; i++) {
		struct bytes name = name_bytes(&s->work->pending[i].name);

		if (has_prefix(name, prefix) && compare(name, after) > 0 && !find_pending(s, name)->erase &&
		        (!found || compare(name, name_bytes(out)) < 0)) {
			*out = s->work->pending[i].name;
			found = true;
		}
	}
	return found ? OK : ERR_NOT_FOUND;
}

static enum status append(struct store *s, struct bytes name, struct bytes value, bool erase)
{
	struct store_pending *p = &s->work->pending[s->count];

	if (name.n == 0 || name.n > RECORD_NAME_MAX)
		return ERR_BUG;
	if (s->count == STORE_PENDING_MAX || value.n > RECORD_MAX || STORE_ARENA - s->used < value.n) {
		s->failed = true;
		return ERR_NO_SPACE;
	}
	p->name.n = name.n;
	memcpy(p->name.text, name.p, name.n);
	p->at = s->used;
	p->n = value.n;
	p->erase = erase;
	if (value.n > 0)
		memmove(s->work->arena + s->used, value.p, value.n);
	s->used += value.n;
	s->count++;
	return OK;
}

enum status store_put(struct store *s, struct bytes name, struct bytes value)
{
	return append(s, name, value, false);
}

enum status store_erase(struct store *s, struct bytes name)
{
	return append(s, name, (struct bytes){ 0 }, true);
}

enum status store_put_now(struct store *s, struct bytes name, struct bytes value)
{
	const struct store_change change = { name, value, false };

	if (find_pending(s, name) != NULL)
		return ERR_BUG;
	return s->backend->write(s->backend, &change, 1);
}

enum status store_spend(struct store *s, struct bytes name, struct bytes value)
{
	const struct store_change change = { name, value, false };

	if (s->backend->spend == NULL)
		return store_put_now(s, name, value);
	return find_pending(s, name) != NULL ? ERR_BUG : s->backend->spend(s->backend, &change);
}

struct store_mark store_savepoint(const struct store *s)
{
	return (struct store_mark){ s->count, s->used };
}

void store_rollback_to(struct store *s, struct store_mark m)
{
	secret_clean(s->work->arena + m.used, s->used - m.used);
	s->count = m.count;
	s->used = m.used;
	s->failed = false;
}

void store_abort(struct store *s)
{
	secret_clean(s->work->arena, s->used <= STORE_ARENA ? s->used : STORE_ARENA);
	s->count = s->used = 0;
	s->failed = false;
}

enum status store_commit(struct store *s)
{
	struct store_change changes[STORE_PENDING_MAX];
	size_t n = 0;
	enum status st;

	if (s->failed) {
		store_abort(s);
		return ERR_NO_SPACE;
	}
	for (size_t i = 0; i < s->count; i++) {
		const struct store_pending *p = &s->work->pending[i];

		if (find_pending(s, name_bytes(&p->name)) == p) /* the last word on this name */
			changes[n++] =
			        (struct store_change){ name_bytes(&p->name), { s->work->arena + p->at, p->n }, p->erase };
	}
	st = n > 0 ? s->backend->write(s->backend, changes, n) : OK;
	store_abort(s);
	return st;
}
