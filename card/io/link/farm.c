/* SPDX-License-Identifier: Apache-2.0 */
#include "card/io/link/farm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "apdu/aids.h"
#include "apdu/base/hex.h"
#include "card/io/image/epoch.h"
#include "card/io/image/image_file.h"
#include "card/io/image/image_migration.h"
#include "crypto/guarded/sakke_ring.h"

enum { BATCH = 500, EVENTS = 64, RETRY_MS = 500, NAME_MAX_LEN = 32 };

struct slot {
	struct card card;
	struct image *image;
	struct client *client; /* who has it, or NULL */
};

enum { RING = 16 }; /* receiver keys in frequent use */

struct farm {
	struct image_file *file;
	struct slot *slot;
	size_t count;
	struct card_work work;
	struct sakke_ring *ring; /* all cards' */
	uint8_t frame[2 + APDU_RESPONSE_MAX];
};

/* One connection: a reader's (its card is fixed) or a client's of the socket. One message is read, run and answered at a time.
 */
struct client {
	int fd;
	bool reader;
	struct slot *slot;
	uint8_t head[2];
	size_t head_n;
	uint8_t *message; /* heap, while one is being read */
	size_t message_n, message_len;
	uint8_t *answer; /* heap, what the socket did not take at once */
	size_t answer_at, answer_len;
	struct client *next;
};

struct service {
	struct farm *farm;
	const struct farm_service *options;
	int poll, listener;
	struct client *clients; /* of the socket */
	struct client *readers; /* an array */
};

/* One card in the file, on memory that every birth uses again. */
static enum status birth(const struct farm_birth *b, struct image_file *file, char *reason, size_t n)
{
	static struct card card;
	static struct card_work work;
	SECRET_LARGE secrets = { 0 };
	struct card_env env = { .rng = &rng_system, .work = &work };
	const struct order *o = b->first;
	struct image *image;
	enum status st;

	TRY(birth_test_secrets(o, &secrets, reason, n));
	if (image_open_card(&image, file, b->key, o->card_id, true) != IMAGE_OK)
		return ERR_IO;
	env.backend = image_backend(image);
	memcpy(env.card_id, o->card_id, sizeof env.card_id);
	st = profile_install(&card, &env, &o->who, secret_large_bytes(&secrets), reason, n);
	card_power_off(&card);
	image_close(&image);
	return st == OK && b->list != NULL ? birth_list_line(b->list, o, secret_large_bytes(&secrets)) : st;
}

/* All of them, BATCH to a transaction. */
static enum status births(const struct farm_birth *b, struct image_file *file, char *reason, size_t n)
{
	if (b->list != NULL)
		TRY(birth_list_head(b->list));
	for (size_t i = 0; i < b->count; i++) {
		if (i % BATCH == 0 && !image_file_begin_batch(file))
			return ERR_IO;
		if (order_advance(b->first, i > 0 ? 1 : 0) != OK) {
			(void)snprintf(reason, n, "card %zu: the profile's ICCID or IMSI cannot be counted on that far", i);
			return ERR_NO_SPACE;
		}
		TRY(birth(b, file, reason, n));
		if (((i + 1) % BATCH == 0 || i + 1 == b->count) && !image_file_end_batch(file))
			return ERR_IO;
		if (b->progress != NULL)
			b->progress(i + 1, b->count);
	}
	return OK;
}

enum image_error farm_create(const struct farm_birth *b, char *reason, size_t n)
{
	struct image_options io = { .path = b->path, .key = b->key, .create = true, .insecure_test_key = b->insecure_test_key };
	struct image_file *file;
	enum image_error e;
	enum status st;

	if (b->first->keys == KEYS_SEEDED)
		(void)snprintf(io.seed, sizeof io.seed, "%s", b->first->seed);
	if ((e = image_file_open_upgraded(&file, &io)) != IMAGE_OK)
		return e;
	st = births(b, file, reason, n);
	image_file_close(&file);
	if (st == OK)
		return IMAGE_OK;
	(void)unlink(b->path);
	if (reason[0] == 0)
		(void)snprintf(reason, n, "the image could not be written");
	return IMAGE_IO;
}

enum image_error farm_open(struct farm **out, struct image_options *o)
{
	struct farm *f = calloc(1, sizeof *f);
	enum image_error e = IMAGE_IO;

	*out = f;
	if (f == NULL)
		return e;
	if ((e = image_file_open_upgraded(&f->file, o)) == IMAGE_OK &&
	        (f->slot = calloc(image_file_count(f->file), sizeof *f->slot)) == NULL)
		e = IMAGE_IO;
	if (e == IMAGE_OK && sakke_ring_new(RING, false, &f->ring) != OK)
		e = IMAGE_IO;
	for (; e == IMAGE_OK && f->count < image_file_count(f->file); f->count++) {
		struct slot *s = &f->slot[f->count];
		struct card_env env = { .rng = &rng_system, .work = &f->work, .ring = f->ring };
		uint64_t epoch;

		memcpy(env.card_id, image_file_card(f->file, f->count), sizeof env.card_id);
		if ((e = image_open_card(&s->image, f->file, o->key, env.card_id, false)) != IMAGE_OK)
			break;
		env.backend = image_backend(s->image);
		if (epoch_read(env.backend, &epoch)) {
			e = IMAGE_COUNTER_WANTED;
			break;
		}
		if (card_power_on(&s->card, &env) != OK)
			e = IMAGE_NOT_IMAGE;
	}
	if (e != IMAGE_OK)
		farm_close(out);
	return e;
}

void farm_close(struct farm **farm)
{
	struct farm *f = *farm;

	if (f == NULL)
		return;
	for (size_t i = 0; i < f->count; i++) {
		card_power_off(&f->slot[i].card);
		image_close(&f->slot[i].image);
	}
	sakke_ring_free(&f->ring);
	free(f->slot);
	image_file_close(&f->file);
	secret_clean(f, sizeof *f);
	free(f);
	*farm = NULL;
}

size_t farm_count(const struct farm *f)
{
	return f->count;
}

static bool watch(const struct service *s, struct client *c, uint32_t events, int operation)
{
	struct epoll_event e = { .events = events, .data = { .ptr = c } };

	return epoll_ctl(s->poll, operation, c->fd, &e) == 0;
}

static void drop_message(struct client *c)
{
	if (c->message != NULL)
		secret_clean(c->message, c->message_len);
	free(c->message);
	c->message = NULL;
	c->message_n = c->message_len = c->head_n = 0;
}

static void drop_answer(struct client *c)
{
	if (c->answer != NULL)
		secret_clean(c->answer, c->answer_len);
	free(c->answer);
	c->answer = NULL;
	c->answer_at = c->answer_len = 0;
}

static void disconnect(struct client *c)
{
	drop_message(c);
	drop_answer(c);
	if (c->fd >= 0)
		(void)close(c->fd);
	c->fd = -1;
	if (c->slot != NULL) {
		card_reset(&c->slot->card);
		c->slot->client = NULL;
	}
	c->slot = NULL;
}

/* The card that a client's first message names, if nobody has it. */
static struct slot *find_slot(struct farm *f, struct bytes name)
{
	char text[NAME_MAX_LEN + 1] = "", *end;
	uint8_t id[CARD_ID_LEN];
	struct slot *found = NULL;

	if (name.n == 0 || name.n > NAME_MAX_LEN)
		return NULL;
	memcpy(text, name.p, name.n);
	if (text[0] == '#') {
		unsigned long long i = strtoull(text + 1, &end, 10);

		found = text[1] >= '0' && text[1] <= '9' && *end == 0 && i < f->count ? &f->slot[i] : NULL;
	} else if (bcd_encode(text, id, sizeof id) == OK) {
		for (size_t i = 0; i < f->count && found == NULL; i++)
			if (bytes_equal(BYTES_OF(f->slot[i].card.env.card_id), BYTES_OF(id)))
				found = &f->slot[i];
	}
	return found != NULL && found->client == NULL ? found : NULL;
}

/* Send what the socket takes and keep the rest. */
static bool send_answer(const struct service *s, struct client *c, struct bytes frame)
{
	ssize_t n = frame.n > 0 ? send(c->fd, frame.p, frame.n, MSG_NOSIGNAL | MSG_DONTWAIT) : 0;

	if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
		return false;
	if (n < 0)
		n = 0;
	if ((size_t)n == frame.n)
		return true;
	c->answer_len = frame.n - (size_t)n;
	if ((c->answer = malloc(c->answer_len)) == NULL)
		return false;
	memcpy(c->answer, frame.p + n, c->answer_len);
	return watch(s, c, EPOLLOUT, EPOLL_CTL_MOD);
}

static bool send_rest(const struct service *s, struct client *c)
{
	ssize_t n = send(c->fd, c->answer + c->answer_at, c->answer_len - c->answer_at, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EWOULDBLOCK;
	c->answer_at += (size_t)n;
	if (c->answer_at < c->answer_len)
		return true;
	drop_answer(c);
	return watch(s, c, EPOLLIN, EPOLL_CTL_MOD);
}

/* A whole message. False: the connection ends. */
static bool take_message(struct service *s, struct client *c, struct bytes message)
{
	struct farm *f = s->farm;
	struct buf frame = BUF_OF(f->frame);
	bool attached = c->slot != NULL, ok;

	if (attached) {
		vpcd_answer(&c->slot->card, message, &frame);
	} else {
		c->slot = find_slot(f, message);
		buf_put_uint(&frame, 2, c->slot != NULL ? card_atr.n : 0);
		if (c->slot != NULL) {
			c->slot->client = c;
			buf_put(&frame, card_atr);
		}
	}
	ok = !frame.failed && send_answer(s, c, buf_bytes(&frame));
	secret_clean(f->frame, frame.len);
	return ok && c->slot != NULL;
}

/* Read what is there; run a message when it is whole. False: the connection ends. */
static bool readable(struct service *s, struct client *c)
{
	bool head = c->head_n < 2;
	uint8_t *to = head ? c->head + c->head_n : c->message + c->message_n;
	ssize_t n;
	bool ok;

	if (c->reader)
		vpcd_quick(c->fd);
	n = recv(c->fd, to, head ? 2 - c->head_n : c->message_len - c->message_n, MSG_DONTWAIT);
	if (n <= 0)
		return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
	if (head) {
		c->head_n += (size_t)n;
		c->message_len = (size_t)(c->head[0] << 8 | c->head[1]);
		if (c->head_n < 2)
			return true;
		if (c->message_len > 0)
			return (c->message = malloc(c->message_len)) != NULL;
		c->head_n = 0;
		return true;
	}
	c->message_n += (size_t)n;
	if (c->message_n < c->message_len)
		return true;
	ok = take_message(s, c, (struct bytes){ c->message, c->message_len });
	drop_message(c);
	return ok;
}

/* Another user's process, or no memory: closed without a word. */
static void accept_client(struct service *s)
{
	int fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct ucred peer;
	socklen_t n = sizeof peer;
	struct client *c;

	if (fd < 0)
		return;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) != 0 || peer.uid != geteuid() ||
	        (c = calloc(1, sizeof *c)) == NULL) {
		(void)close(fd);
		return;
	}
	c->fd = fd;
	if (!watch(s, c, EPOLLIN, EPOLL_CTL_ADD)) {
		disconnect(c);
		free(c);
		return;
	}
	c->next = s->clients;
	s->clients = c;
}

static void forget_client(struct service *s, struct client *c)
{
	struct client **at = &s->clients;

	disconnect(c);
	if (c->reader)
		return;
	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	free(c);
}

static void join_readers(struct service *s)
{
	for (size_t i = 0; i < s->options->readers; i++) {
		struct client *c = &s->readers[i];
		struct vpcd_options o = s->options->reader;

		o.port = (uint16_t)(o.port + i);
		if (c->fd >= 0 || s->farm->slot[i].client != NULL || (c->fd = vpcd_dial(&o)) < 0)
			continue;
		c->slot = &s->farm->slot[i];
		c->slot->client = c;
		card_reset(&c->slot->card);
		if (!watch(s, c, EPOLLIN, EPOLL_CTL_ADD))
			disconnect(c);
		else if (!o.quiet)
			(void)fprintf(stderr, "prose-card: card %zu in the reader at %s:%u\n", i, o.host, (unsigned)o.port);
	}
}

static enum status listen_at(struct service *s, const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	mode_t before = umask(0177);
	int rc;

	if (strlen(path) >= sizeof a.sun_path || (s->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) < 0) {
		(void)umask(before);
		return ERR_IO;
	}
	memcpy(a.sun_path, path, strlen(path) + 1);
	/* A socket that nobody answers at is left from a process that was killed. */
	if (connect(s->listener, (const struct sockaddr *)&a, sizeof a) != 0 && errno == ECONNREFUSED)
		(void)unlink(path);
	rc = bind(s->listener, (const struct sockaddr *)&a, sizeof a);
	(void)umask(before);
	if (rc != 0)
		return errno == EADDRINUSE || errno == EINVAL ? ERR_DENIED : ERR_IO;
	return listen(s->listener, 128) == 0 ? OK : ERR_IO;
}

static void serve_events(struct service *s, volatile sig_atomic_t *stop)
{
	while (*stop == 0) {
		struct epoll_event events[EVENTS];
		int n;

		join_readers(s);
		n = epoll_wait(s->poll, events, EVENTS, s->options->readers > 0 ? RETRY_MS : -1);
		for (int i = 0; i < n; i++) {
			struct client *c = events[i].data.ptr;

			if (c == NULL)
				accept_client(s);
			else if ((events[i].events & EPOLLOUT) != 0 ? !send_rest(s, c) : !readable(s, c))
				forget_client(s, c);
		}
	}
}

enum status farm_serve(struct farm *f, const struct farm_service *o, volatile sig_atomic_t *stop)
{
	struct service s = { .farm = f, .options = o, .poll = epoll_create1(EPOLL_CLOEXEC), .listener = -1 };
	struct epoll_event e = { .events = EPOLLIN };
	enum status st = OK;

	s.readers = calloc(o->readers + 1, sizeof *s.readers);
	if (s.poll < 0 || s.readers == NULL || o->readers > f->count)
		st = ERR_IO;
	for (size_t i = 0; s.readers != NULL && i < o->readers; i++)
		s.readers[i] = (struct client){ .fd = -1, .reader = true };
	if (st == OK && o->socket != NULL && (st = listen_at(&s, o->socket)) == OK &&
	        epoll_ctl(s.poll, EPOLL_CTL_ADD, s.listener, &e) != 0)
		st = ERR_IO;
	if (st == OK)
		serve_events(&s, stop);
	while (s.clients != NULL)
		forget_client(&s, s.clients);
	for (size_t i = 0; s.readers != NULL && i < o->readers; i++)
		disconnect(&s.readers[i]);
	free(s.readers);
	if (s.listener >= 0 && st == OK)
		(void)unlink(o->socket);
	if (s.listener >= 0)
		(void)close(s.listener);
	if (s.poll >= 0)
		(void)close(s.poll);
	return st;
}
