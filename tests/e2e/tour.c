/* SPDX-License-Identifier: Apache-2.0 */
/* Every function of libprose-ue over a card in the same process, each of its calls failing once: allocations and libcrypto
 * (faults.so), sends and receives, exchanges with the card that never arrive or whose answers do not, and libcrypto inside the
 * card. Each time in a process of its own: the call says why it has failed, the card is as before or as after one of the
 * commands, no block that was given back holds a key, the session goes on, and the same call made again does its work.
 * usage: tour all PLANTED|every       so many of the calls of each kind at each stop, or all
 *        tour KIND STOP/N             this one alone
 *        tour visits                  the functions that the stops have called, a line each */
#include "tests/e2e/tour.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crypto/common/hash.h"
#include "tests/e2e/faults.h"
#include "tests/support/support.h"

enum { STATES_MAX = 256, SECRETS_MAX = 32, VISITS_MAX = 128, PATIENCE_S = 60, NONE_LEFT = 3, BROKEN = 4 };

enum kind { MALLOC, EVP, READ, WRITE, LOST, UNANSWERED, CARD, KINDS };
static const struct {
	const char *name;
	int counted; /* by faults.so; -1: here */
	int error;
	enum prose_result says;
} kinds[KINDS] = { [MALLOC] = { "malloc", FAULT_MALLOC, ENOMEM, PROSE_NO_MEMORY },
	[EVP] = { "evp", FAULT_EVP, ENOMEM, PROSE_NO_MEMORY },
	[READ] = { "read", FAULT_READ, EIO, PROSE_IO },
	[WRITE] = { "write", FAULT_WRITE, EIO, PROSE_IO },
	[LOST] = { "lost", -1, 0, PROSE_IO },
	[UNANSWERED] = { "unanswered", -1, 0, PROSE_IO },
	[CARD] = { "card", FAULT_EVP, ENOMEM, PROSE_REFUSED } };

extern struct rig *tour_rig;
static enum kind kind;

/* Of one call, without a fault: what all its processes know. */
static struct golden {
	unsigned calls[KINDS];
	size_t states, secrets, visits;
	uint8_t state[STATES_MAX][SHA256_LEN];
	struct {
		uint8_t octet[80];
		size_t n;
	} secret[SECRETS_MAX];
	const char *visit[VISITS_MAX]; /* of all stops */
} * golden;
static struct control *control, own_control;
static struct {
	bool on, golden, leaked;
	unsigned nth, exchanges;
	bool planted;
} now;

/* What tests/support asserts, outside libcheck. */
void _mark_point(const char *file, int line)
{
	(void)file, (void)line;
}

void _ck_assert_failed(const char *file, int line, const char *expression, const char *message, ...)
{
	va_list values;

	va_start(values, message);
	fprintf(stderr, "%s:%d: %s: ", file, line, expression);
	if (message != NULL)
		(void)vfprintf(stderr, message, values);
	va_end(values);
	abort();
}

/* ---- what fails ----------------------------------------------------------------------------------------------------- */

bool tour_pause(void)
{
	bool was = control->armed != 0;

	control->armed = 0;
	return was;
}

void tour_resume(bool was)
{
	control->armed = was;
}

static bool fails_here(enum kind k)
{
	bool fails = now.on && kind == k && now.exchanges == now.nth;

	now.planted = now.planted || fails;
	return fails;
}

static void state_of(uint8_t out[static SHA256_LEN])
{
	static const struct bytes nothing = { (const uint8_t *)"", 0 };
	const struct store_mem *m = &tour_rig->store;
	uint8_t sum[SHA256_LEN] = { 0 }, one[SHA256_LEN];

	/* In whatever order the rows stand. */
	for (size_t i = 0; i < m->count; i++) {
		const struct bytes parts[] = { name_bytes(&m->row[i].name), { (const uint8_t *)"", 1 },
			m->row[i].n > 0 ? (struct bytes){ m->row[i].value, m->row[i].n } : nothing };

		ck_assert_int_eq(sha256(parts, 3, one), OK);
		for (size_t k = 0; k < sizeof sum; k++)
			sum[k] ^= one[k];
	}
	memcpy(out, sum, sizeof sum);
}

static void keep_state(void)
{
	if (now.golden && golden->states < STATES_MAX)
		state_of(golden->state[golden->states++]);
}

bool tour_carry(const uint8_t *command, size_t command_len, uint8_t *response, size_t *n)
{
	bool was = tour_pause(), lost, unanswered;
	struct buf b = { response, 0, *n, false };

	now.exchanges++;
	lost = fails_here(LOST);
	unanswered = fails_here(UNANSWERED);
	control->armed = now.on && kind == CARD;
	if (!lost)
		card_transmit(&tour_rig->card, (struct bytes){ command, command_len }, &b);
	control->armed = 0;
	keep_state();
	*n = lost || unanswered ? 0 : b.len;
	tour_resume(was);
	return !lost && !unanswered;
}

/* ---- what is given back --------------------------------------------------------------------------------------------- */

void tour_secret(const uint8_t *p, size_t n)
{
	if (!now.golden || golden->secrets == SECRETS_MAX || n > sizeof golden->secret->octet)
		return;
	memcpy(golden->secret[golden->secrets].octet, p, n);
	golden->secret[golden->secrets++].n = n;
}

void __libc_free(void *);
void free(void *p)
{
	if (p != NULL && now.on && !now.golden && control->armed)
		for (size_t i = 0; i < golden->secrets; i++)
			now.leaked = now.leaked ||
			             memmem(p, malloc_usable_size(p), golden->secret[i].octet, golden->secret[i].n) != NULL;
	__libc_free(p);
}

void tour_visit(const char *function)
{
	size_t i = 0;

	while (i < golden->visits && strcmp(golden->visit[i], function) != 0)
		i++;
	if (i == golden->visits && i < VISITS_MAX)
		golden->visit[golden->visits++] = function;
}

/* ---- one call ------------------------------------------------------------------------------------------------------- */

static void plan(unsigned nth)
{
	now = (__typeof__(now)){ .on = true, .golden = nth == 0, .nth = nth };
	memset(control->count, 0, sizeof control->count);
	control->kind = kinds[kind].counted >= 0 ? (uint32_t)kinds[kind].counted : 0;
	control->n = kinds[kind].counted >= 0 ? nth : 0;
	control->error = kinds[kind].error;
	control->planted = 0;
	if (now.golden) {
		golden->states = golden->secrets = 0;
		keep_state();
	}
}

static enum prose_result run(const struct stop *s)
{
	enum prose_result r;

	control->armed = kind != CARD;
	r = s->go();
	control->armed = 0;
	now.on = false;
	return r;
}

/* In the card is counted when nothing else is. */
static void count_calls(void)
{
	for (unsigned k = 0; k < KINDS; k++)
		if ((k == CARD) == (kind == CARD))
			golden->calls[k] = kinds[k].counted >= 0 ? control->count[kinds[k].counted] : now.exchanges;
}

static int broken(const struct stop *s, unsigned nth, const char *what, enum prose_result r)
{
	printf("  %s %s/%u: %s: %s", kinds[kind].name, s->name, nth, what, prose_result_text(r));
	if (tour_card != NULL)
		printf(" (%s, %04X)", prose_card_error(tour_card), prose_card_status(tour_card));
	printf("\n");
	return BROKEN;
}

static bool state_is_known(void)
{
	uint8_t state[SHA256_LEN];
	bool known = false;

	state_of(state);
	for (size_t i = 0; i < golden->states; i++)
		known = known || memcmp(golden->state[i], state, sizeof state) == 0;
	return known;
}

/* What the card could not compute is nobody's mistake. */
static bool cause_is_right(const struct stop *s, enum prose_result r)
{
	unsigned sw = tour_card != NULL ? prose_card_status(tour_card) : 0;

	if (r == s->expected)
		return true;
	if (kind == CARD)
		return r == PROSE_REFUSED && (sw == SW_TECHNICAL_PROBLEM || sw == SW_MEMORY_PROBLEM);
	return r == kinds[kind].says || (kind == MALLOC && r == PROSE_LIBRARY); /* it does not always tell */
}

static int faulty(const struct stop *s, unsigned nth)
{
	struct prose_state state;
	enum prose_result r;

	plan(nth);
	r = run(s);
	if (!(kinds[kind].counted >= 0 ? control->planted != 0 : now.planted))
		return NONE_LEFT;
	if (!cause_is_right(s, r))
		return broken(s, nth, "the wrong cause", r);
	if (!s->unlike && !state_is_known())
		return broken(s, nth, "the card is between two states", r);
	if (tour_card != NULL && (r = prose_state_read(tour_card, &state)) != PROSE_OK)
		return broken(s, nth, "the session does not go on", r);
	r = run(s);
	if (r != s->expected && r != s->again)
		return broken(s, nth, "made again", r);
	control->armed = now.on = true;
	prose_card_close(&tour_card);
	control->armed = now.on = false;
	return now.leaked ? broken(s, nth, "a key in memory that was given back", r) : 0;
}

static int honest(const struct stop *s)
{
	enum prose_result r;

	plan(0);
	r = run(s);
	count_calls();
	return r == s->expected ? 0 : broken(s, 0, "without a fault", r);
}

/* In a process of its own; its exit status. */
static int apart(int (*what)(const struct stop *, unsigned), const struct stop *s, unsigned nth)
{
	pid_t pid;
	int status = 0;

	(void)fflush(stdout);
	if ((pid = fork()) == 0) {
		(void)alarm(PATIENCE_S);
		status = what(s, nth);
		(void)fflush(stdout);
		_exit(status);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return BROKEN;
	if (WIFEXITED(status) &&
	        (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == NONE_LEFT || WEXITSTATUS(status) == BROKEN))
		return WEXITSTATUS(status);
	printf("  %s %s/%u: ended with %d\n", kinds[kind].name, s->name, nth,
	        WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
	return BROKEN;
}

static int honest_apart(const struct stop *s, unsigned nth)
{
	(void)nth;
	return honest(s);
}

/* ---- the tour ------------------------------------------------------------------------------------------------------- */

static struct {
	unsigned calls, planted, broken;
} sum[KINDS];

static void plant_at(const struct stop *s, unsigned most)
{
	const unsigned count = golden->calls[kind];

	sum[kind].calls += count;
	for (unsigned i = 0; i < count && i < most; i++) {
		unsigned n = count <= most ? i + 1 : 1 + i * (count - 1) / (most > 1 ? most - 1 : 1);
		int rc = apart(faulty, s, n);

		sum[kind].planted += rc != NONE_LEFT ? 1 : 0;
		sum[kind].broken += rc == BROKEN ? 1 : 0;
	}
}

static bool plant_each_kind_at(const struct stop *s, unsigned most)
{
	for (kind = 0; kind < KINDS; kind++) {
		if ((kind == 0 || kind == CARD) && apart(honest_apart, s, 0) != 0)
			return false;
		plant_at(s, most);
	}
	kind = 0;
	return true;
}

static void *shared(const char *path, size_t n)
{
	int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED | (path == NULL ? MAP_ANONYMOUS : 0), fd, 0);

	if (fd >= 0)
		(void)close(fd);
	return p != MAP_FAILED ? p : NULL;
}

static int tour(unsigned most)
{
	int rc = 0;

	for (size_t i = 0; i < stop_count; i++) {
		if ((most > 0 && !plant_each_kind_at(&stops[i], most)) || honest(&stops[i]) != 0)
			return BROKEN;
		now.on = now.golden = false;
	}
	for (unsigned k = 0; most > 0 && k < KINDS; k++) {
		printf("NOTE tour     %-10s %5u calls at %zu stops, %5u faults planted%s\n", kinds[k].name, sum[k].calls,
		        stop_count, sum[k].planted, sum[k].broken > 0 ? ", some BROKEN" : "");
		rc = sum[k].broken > 0 || sum[k].planted == 0 ? BROKEN : rc;
	}
	return rc;
}

static int alone(const char *at, unsigned nth)
{
	for (size_t i = 0; i < stop_count; i++) {
		if (strncmp(at, stops[i].name, strlen(stops[i].name)) == 0 && at[strlen(stops[i].name)] == '/') {
			control->show = 1;
			return apart(honest_apart, &stops[i], 0) == 0 ? apart(faulty, &stops[i], nth) : BROKEN;
		}
		if (honest(&stops[i]) != 0)
			return BROKEN;
		now.on = now.golden = false;
	}
	return NONE_LEFT;
}

int main(int argc, char **argv)
{
	const bool visits = argc == 2 && strcmp(argv[1], "visits") == 0, all = argc == 3 && strcmp(argv[1], "all") == 0;
	int rc;

	golden = shared(NULL, sizeof *golden);
	control = getenv("FAULTS") != NULL ? shared(getenv("FAULTS"), sizeof *control) : &own_control;
	while (!visits && !all && argc == 3 && kind < KINDS && strcmp(argv[1], kinds[kind].name) != 0)
		kind++;
	if (golden == NULL || control == NULL || kind == KINDS || argc < 2 || (argc == 2 && !visits))
		return 2;
	control->armed = control->show = 0;
	(void)signal(SIGPIPE, SIG_IGN);
	tour_set_up();
	if (visits || all)
		rc = tour(visits ? 0 : strcmp(argv[2], "every") == 0 ? UINT32_MAX : (unsigned)strtoul(argv[2], NULL, 10));
	else
		rc = alone(argv[2], strchr(argv[2], '/') != NULL ? (unsigned)strtoul(strchr(argv[2], '/') + 1, NULL, 10) : 0);
	for (size_t i = 0; visits && i < golden->visits; i++)
		printf("%s\n", golden->visit[i]);
	tour_close();
	return rc;
}
