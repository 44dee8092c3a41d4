/* SPDX-License-Identifier: Apache-2.0 */
/* leakcheck - the leak oracle. Copies the memory of phone-side processes and searches copies, files, logs and traces for every
 * secret that `prose-card dump --secrets` lists: any 12 consecutive octets, raw and reversed, in hex of both cases, in base64
 * at its three offsets, and in AES key schedules.
 *
 *   leakcheck snapshot PID FILE        copy all writable memory of a process
 *   leakcheck run DIR -- CMD...        run CMD, copy its memory at its end into DIR, pass its exit status on
 *   leakcheck scan SECRETS.json... -- PATH...   search; exit 1 on a find (or, with --expect, on none)
 *   leakcheck selftest                 plant every form in every kind of place and find each */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <openssl/aes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "apdu/base/hex.h"

enum { WINDOW = 12, SECRET_LEN_MAX = 512, FILTER_BITS = 1 << 22, TABLE_SIZE = 1 << 20, BLOCK = 1 << 20, NAME_MAX_LEN = 64 };

/* One thing to look for: `n` octets, made of a secret in some form. */
struct pattern {
	uint8_t octets[2 * WINDOW];
	uint8_t n;
	uint16_t secret;
	char form[10];
};

struct secret_name {
	char text[NAME_MAX_LEN];
	bool found;
};

static struct pattern *table; /* open addressing on the first 8 octets */
static uint8_t *filter;
static struct secret_name names[4096];
static size_t name_count, pattern_count;
static unsigned long finds;

static uint32_t hash(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof v);
	return (uint32_t)((v * UINT64_C(0x9E3779B97F4A7C15)) >> 32);
}

static void add_window(const uint8_t *p, size_t n, uint16_t secret, const char *form)
{
	uint32_t h = hash(p), i = h % TABLE_SIZE;

	while (table[i].n != 0) {
		if (table[i].n == n && memcmp(table[i].octets, p, n) == 0)
			return;
		i = (i + 1) % TABLE_SIZE;
	}
	memcpy(table[i].octets, p, n);
	table[i].n = (uint8_t)n;
	table[i].secret = secret;
	(void)snprintf(table[i].form, sizeof table[i].form, "%s", form);
	filter[h % FILTER_BITS / 8] |= (uint8_t)(1U << h % 8);
	pattern_count++;
	if (pattern_count > TABLE_SIZE / 2) {
		(void)fprintf(stderr, "leakcheck: too many secrets\n");
		exit(2);
	}
}

static void add_windows(const uint8_t *p, size_t len, size_t n, uint16_t secret, const char *form)
{
	for (size_t i = 0; i + n <= len; i++)
		add_window(p + i, n, secret, form);
}

static void add_text_forms(const uint8_t *secret, size_t n, uint16_t id)
{
	char hex[2 * SECRET_LEN_MAX + 1];
	uint8_t shifted[SECRET_LEN_MAX + 2], text[4 * SECRET_LEN_MAX];

	(void)hex_encode((struct bytes){ secret, n }, hex);
	add_windows((const uint8_t *)hex, 2 * n, 2 * WINDOW, id, "hex");
	for (char *c = hex; *c != 0; c++)
		if (*c >= 'a')
			*c = (char)(*c - 'a' + 'A');
	add_windows((const uint8_t *)hex, 2 * n, 2 * WINDOW, id, "HEX");
	for (size_t at = 0; at < 3; at++) {
		struct buf b = BUF_OF(text);
		size_t from = (8 * at + 5) / 6, to;

		memset(shifted, 0, at);
		memcpy(shifted + at, secret, n);
		base64_encode((struct bytes){ shifted, at + n }, &b);
		to = 8 * (at + n) / 6; /* characters that the secret alone determines */
		if (to > from)
			add_windows(text + from, to - from, 4 * WINDOW / 3, id, "base64");
	}
}

static void add_schedule(const uint8_t *secret, size_t n, uint16_t id)
{
	AES_KEY key;
	uint8_t octets[sizeof key.rd_key];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
	if ((n == 16 || n == 32) && AES_set_encrypt_key(secret, (int)(8 * n), &key) == 0) {
#pragma GCC diagnostic pop
		size_t len = 16U * (unsigned)(key.rounds + 1);

		memcpy(octets, key.rd_key, len);
		for (size_t i = n; i + 16 <= len; i += 16) {
			add_windows(octets + i, 16, WINDOW, id, "schedule");
			for (size_t w = 0; w < 16; w += 4) { /* words in the other byte order */
				uint8_t *p = octets + i + w, t;

				t = p[0], p[0] = p[3], p[3] = t;
				t = p[1], p[1] = p[2], p[2] = t;
			}
			add_windows(octets + i, 16, WINDOW, id, "schedule");
		}
	}
}

static void add_secret(const char *name, const uint8_t *secret, size_t n)
{
	uint8_t reversed[SECRET_LEN_MAX];
	uint16_t id = (uint16_t)name_count;

	if (n < WINDOW || n > SECRET_LEN_MAX || name_count == sizeof names / sizeof *names)
		return;
	(void)snprintf(names[name_count++].text, NAME_MAX_LEN, "%s", name);
	for (size_t i = 0; i < n; i++)
		reversed[i] = secret[n - 1 - i];
	add_windows(secret, n, WINDOW, id, "raw");
	add_windows(reversed, n, WINDOW, id, "reversed");
	add_text_forms(secret, n, id);
	add_schedule(secret, n, id);
}

static void start(void)
{
	table = calloc(TABLE_SIZE, sizeof *table);
	filter = calloc(FILTER_BITS / 8 + 1, 1);
	if (table == NULL || filter == NULL)
		exit(2);
}

/* Look at one position; report the first find of each secret in a place. */
static void look(const uint8_t *p, size_t left, const char *where, uint64_t offset)
{
	uint32_t h = hash(p);

	if ((filter[h % FILTER_BITS / 8] & 1U << h % 8) == 0)
		return;
	for (uint32_t i = h % TABLE_SIZE; table[i].n != 0; i = (i + 1) % TABLE_SIZE) {
		if (table[i].n > left || memcmp(table[i].octets, p, table[i].n) != 0)
			continue;
		finds++;
		if (!names[table[i].secret].found)
			(void)printf("FOUND %s (%s) in %s at %" PRIu64 "\n", names[table[i].secret].text, table[i].form, where,
			        offset);
		names[table[i].secret].found = true;
	}
}

static uint64_t scanned;

static void scan_octets(const uint8_t *p, size_t n, const char *where, uint64_t offset, bool last)
{
	size_t end = last ? (n >= 8 ? n - 8 + 1 : 0) : n - 2 * WINDOW;

	for (size_t i = 0; i < end; i++)
		look(p + i, n - i, where, offset + i);
	scanned += n;
}

static int scan_file(const char *path)
{
	static uint8_t block[BLOCK + 2 * WINDOW];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint64_t offset = 0;
	size_t kept = 0;
	ssize_t n;

	if (fd < 0)
		return -1;
	while ((n = read(fd, block + kept, BLOCK)) > 0) {
		size_t have = kept + (size_t)n;

		if (have > 2 * WINDOW) {
			scan_octets(block, have, path, offset, false);
			memmove(block, block + have - 2 * WINDOW, 2 * WINDOW);
			offset += have - 2 * WINDOW;
			kept = 2 * WINDOW;
		} else {
			kept = have;
		}
	}
	scan_octets(block, kept, path, offset, true);
	(void)close(fd);
	return n == 0 ? 0 : -1;
}

static int scan_path(const char *path)
{
	char child[PATH_MAX];
	struct stat info;
	struct dirent *e;
	DIR *d;
	int rc = 0;

	if (lstat(path, &info) != 0)
		return -1;
	if (S_ISREG(info.st_mode))
		return scan_file(path);
	if (!S_ISDIR(info.st_mode) || (d = opendir(path)) == NULL)
		return S_ISDIR(info.st_mode) ? -1 : 0;
	while ((e = readdir(d)) != NULL) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		(void)snprintf(child, sizeof child, "%s/%s", path, e->d_name);
		rc |= scan_path(child);
	}
	(void)closedir(d);
	return rc;
}

static int load_secrets(const char *path)
{
	json_t *root = json_load_file(path, 0, NULL), *list = json_object_get(root, "secrets"), *s;
	size_t i;

	if (!json_is_array(list))
		return -1;
	json_array_foreach (list, i, s) {
		uint8_t raw[SECRET_LEN_MAX];
		struct buf b = BUF_OF(raw);
		char name[NAME_MAX_LEN];
		const char *hex = json_string_value(json_object_get(s, "hex"));

		if (json_is_true(json_object_get(s, "leaves_card")) || hex == NULL || hex_decode(bytes_str(hex), &b) != OK)
			continue;
		(void)snprintf(name, sizeof name, "%s of %s", json_string_value(json_object_get(s, "key")), path);
		add_secret(name, raw, b.len);
	}
	json_decref(root);
	return 0;
}

static int scan(int argc, char **argv)
{
	bool expect = argc > 0 && strcmp(argv[0], "--expect") == 0;
	int i = expect ? 1 : 0, rc = 0;

	start();
	for (; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (load_secrets(argv[i]) != 0) {
			(void)fprintf(stderr, "leakcheck: %s: no list of secrets\n", argv[i]);
			return 2;
		}
	}
	if (name_count == 0) {
		(void)fprintf(stderr, "leakcheck: nothing to search for\n");
		return 2;
	}
	for (i++; i < argc; i++) {
		if (scan_path(argv[i]) != 0) {
			(void)fprintf(stderr, "leakcheck: %s: cannot be read: counts as a failure\n", argv[i]);
			rc = 1;
		}
	}
	(void)printf("%zu secrets, %zu patterns, %.1f MB searched: %s\n", name_count, pattern_count, (double)scanned / 1e6,
	        finds == 0 ? "nothing found" : "FOUND");
	return rc != 0 ? rc : (finds == 0) == expect ? 1 : 0;
}

/* All writable memory: heap, stack, data, anonymous. A region that cannot be read is a failure, but for the kernel's own. */
static int snapshot(pid_t pid, const char *path)
{
	static uint8_t block[1 << 16];
	char maps[64], mem[64], line[512];
	FILE *regions, *out;
	int fd, rc = 0;

	(void)snprintf(maps, sizeof maps, "/proc/%d/maps", (int)pid);
	(void)snprintf(mem, sizeof mem, "/proc/%d/mem", (int)pid);
	regions = fopen(maps, "re");
	fd = open(mem, O_RDONLY | O_CLOEXEC);
	out = fopen(path, "we");
	if (regions == NULL || fd < 0 || out == NULL) {
		(void)fprintf(stderr, "leakcheck: process %d cannot be read: %s\n", (int)pid, strerror(errno));
		return 1;
	}
	while (fgets(line, sizeof line, regions) != NULL) {
		unsigned long long from, to;
		char perms[5];

		if (sscanf(line, "%llx-%llx %4s", &from, &to, perms) != 3 || perms[1] != 'w' || strstr(line, "[vv") != NULL)
			continue;
		if (perms[0] != 'r')
			rc = 1;
		for (unsigned long long at = from; at < to; at += sizeof block) {
			size_t want = to - at < sizeof block ? (size_t)(to - at) : sizeof block;
			ssize_t n = pread(fd, block, want, (off_t)at);

			if (n != (ssize_t)want)
				rc = 1;
			for (size_t i = 0; n > 0 && i < (size_t)n; i++)
				if (block[i] != 0) { /* untouched pages are left out */
					(void)fwrite(block, 1, (size_t)n, out);
					break;
				}
		}
	}
	(void)fclose(regions);
	(void)close(fd);
	if (fclose(out) != 0)
		rc = 1;
	if (rc != 0)
		(void)fprintf(stderr, "leakcheck: a region of process %d cannot be read\n", (int)pid);
	return rc;
}

static int run(const char *folder, char **command)
{
	char path[PATH_MAX], self[PATH_MAX], preload[PATH_MAX + 8];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	pid_t pid;
	int status, stops = 0;

	self[n > 0 ? n : 0] = 0;
	(void)snprintf(preload, sizeof preload, "%s-hold.so", self);
	pid = fork();
	if (pid == 0) {
		(void)setenv("LD_PRELOAD", preload, 1);
		(void)execvp(command[0], command);
		_exit(127);
	}
	for (;;) {
		if (waitpid(pid, &status, WUNTRACED) != pid)
			return 126;
		if (!WIFSTOPPED(status))
			return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
		(void)snprintf(path, sizeof path, "%s/stop%d-%d.mem", folder, stops++, (int)pid);
		if (snapshot(pid, path) != 0) {
			(void)kill(pid, SIGKILL);
			return 126;
		}
		(void)kill(pid, SIGCONT);
	}
}

/* Places for the self-test. */
static uint8_t data_place[256] = { 1 }, bss_place[256];

static void plant(uint8_t *at, int form, const uint8_t *secret, size_t n)
{
	char text[256];
	struct buf b = { (uint8_t *)text, 0, sizeof text, false };
	AES_KEY key;

	switch (form) {
	case 0: memcpy(at, secret, n); break;
	case 1:
		for (size_t i = 0; i < n; i++)
			at[i] = secret[n - 1 - i];
		break;
	case 2: memcpy(at, hex_encode((struct bytes){ secret, n }, text), 2 * n); break;
	case 3:
		(void)hex_encode((struct bytes){ secret, n }, text);
		for (size_t i = 0; i < 2 * n; i++)
			at[i] = (uint8_t)(text[i] >= 'a' ? text[i] - 32 : text[i]);
		break;
	case 4:
	case 5:
	case 6: {
		uint8_t shifted[64] = "xy";

		memcpy(shifted + form - 4, secret, n);
		base64_encode((struct bytes){ shifted, n + (size_t)form - 4 }, &b);
		memcpy(at, text, b.len);
		explicit_bzero(shifted, sizeof shifted);
		break;
	}
	case 7:
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
		(void)AES_set_encrypt_key(secret, (int)(8 * n), &key);
#pragma GCC diagnostic pop
		memcpy(at, (const uint8_t *)key.rd_key + 32, 48);
		break;
	default: memcpy(at, secret + 2, WINDOW); break; /* a piece of it */
	}
	explicit_bzero(text, sizeof text);
	explicit_bzero(&key, sizeof key);
}

/* Only the planted form may be left: every other copy is wiped. */
static void hold_planted(int place, int form, uint8_t *secret, size_t n)
{
	volatile uint8_t stack_place[256] = { 0 };
	uint8_t *heap = calloc(1, 4096);

	switch (place) {
	case 0: plant(heap + 512, form, secret, n); break;
	case 1: plant((uint8_t *)(uintptr_t)stack_place, form, secret, n); break;
	case 2: plant(data_place, form, secret, n); break;
	case 3: plant(bss_place, form, secret, n); break;
	default:
		plant(heap + 512, form, secret, n);
		free(heap);
		break;
	}
	explicit_bzero(secret, 32);
	(void)raise(SIGSTOP);
	_exit(stack_place[0] == 255 && heap == NULL ? 1 : 0);
}

static int selftest(void)
{
	static const char *const places[] = { "heap", "stack", "data", "bss", "freed memory" };
	char path[] = "/tmp/leakcheck.XXXXXX";
	int fd = mkstemp(path), failed = 0, tried = 0;

	if (fd < 0)
		return 2;
	(void)close(fd);
	for (int place = 0; place < 5; place++) {
		for (int form = 0; form < 9; form++) {
			uint8_t secret[32];
			pid_t pid;
			int status, random = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
			size_t n = form == 7 ? 16 : 32;

			if (random < 0 || read(random, secret, sizeof secret) != (ssize_t)sizeof secret)
				return 2;
			(void)close(random);
			start();
			name_count = pattern_count = 0;
			finds = 0;
			if ((pid = fork()) == 0)
				hold_planted(place, form, secret, n); /* the child has no pattern table */
			(void)waitpid(pid, &status, WUNTRACED);
			if (snapshot(pid, path) != 0)
				failed++;
			(void)kill(pid, SIGKILL);
			(void)waitpid(pid, &status, 0);
			add_secret("planted", secret, n);
			names[0].found = true; /* no line for each */
			(void)scan_file(path);
			tried++;
			if (finds == 0) {
				(void)fprintf(stderr, "leakcheck: form %d in %s was not found\n", form, places[place]);
				failed++;
			}
			free(table);
			free(filter);
		}
	}
	(void)unlink(path);
	(void)fprintf(stderr, "selftest: %d plants, %d missed\n", tried, failed);
	return failed == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "snapshot") == 0)
		return snapshot((pid_t)atoi(argv[2]), argv[3]);
	if (argc > 4 && strcmp(argv[1], "run") == 0 && strcmp(argv[3], "--") == 0)
		return run(argv[2], argv + 4);
	if (argc > 3 && strcmp(argv[1], "scan") == 0)
		return scan(argc - 2, argv + 2);
	if (argc == 2 && strcmp(argv[1], "selftest") == 0)
		return selftest();
	(void)fprintf(
	        stderr, "usage: leakcheck snapshot PID FILE | run DIR -- CMD... | scan SECRETS... -- PATH... | selftest\n");
	return 2;
}
