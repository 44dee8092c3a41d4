/* SPDX-License-Identifier: Apache-2.0 */
#include "card/io/image/key_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apdu/base/disk.h"
#include "apdu/base/hex.h"
#include "apdu/base/text.h"
#include "crypto/common/hash.h"
#include "crypto/common/rng.h"

enum { KEY_LEN = 32, TEXT_MAX = 80 };

static enum status fail(enum status st, char *reason, size_t n, const char *what, const char *source)
{
	(void)snprintf(reason, n, "%s: %s", source, what);
	return st;
}

static bool same_folder(const char *a, const char *b)
{
	char pa[PATH_MAX], pb[PATH_MAX], *sa, *sb;

	if (realpath(a, pa) == NULL)
		return false;
	if (realpath(b, pb) == NULL) { /* the image need not exist yet: its folder counts */
		char copy[PATH_MAX];

		(void)snprintf(copy, sizeof copy, "%s", b);
		sb = strrchr(copy, '/');
		if (sb != NULL)
			*sb = 0;
		if (realpath(sb != NULL ? copy : ".", pb) == NULL || strlen(pb) + 2 > sizeof pb)
			return false;
		memcpy(pb + strlen(pb), "/", 2);
	}
	sa = strrchr(pa, '/');
	sb = strrchr(pb, '/');
	return sa != NULL && sb != NULL && sa - pa == sb - pb && strncmp(pa, pb, (size_t)(sa - pa)) == 0;
}

static enum status read_key(int fd, struct secret *key)
{
	SECRET_LARGE text = { 0 };
	struct buf b = { key->data, 0, KEY_LEN, false };
	ssize_t n = read(fd, text.data, TEXT_MAX);

	if (n < 0)
		return disk_status(errno);
	if (n == KEY_LEN)
		return secret_set(key, (struct bytes){ text.data, KEY_LEN });
	if (n < 2 * KEY_LEN || hex_decode((struct bytes){ text.data, (size_t)n }, &b) != OK || b.len != KEY_LEN)
		return ERR_MALFORMED;
	key->len = KEY_LEN;
	return OK;
}

/* What read_key has said of a source. */
static enum status judge(enum status st, char *reason, size_t n, const char *source)
{
	const char *why = status_failed(st) ? status_text(st) : "does not hold 32 octets or 64 hex digits";

	return st == OK ? OK : fail(st, reason, n, why, source);
}

enum status key_file_read(const char *source, const char *image, struct secret *key, char *reason, size_t n)
{
	char path[PATH_MAX];
	struct stat info;
	enum status st;
	int fd;

	if (strncmp(source, "fd:", 3) == 0) {
		long long given;

		if (!text_number(source + 3, &given) || given < 0 || given > INT_MAX)
			return fail(ERR_MALFORMED, reason, n, "is not the number of an open file", source);
		st = read_key((int)given, key);
		return judge(st, reason, n, source);
	}
	if (strncmp(source, "credential:", 11) == 0) {
		const char *dir = getenv("CREDENTIALS_DIRECTORY");

		if (dir == NULL || strchr(source + 11, '/') != NULL)
			return fail(ERR_NOT_FOUND, reason, n, "no systemd credential of that name", source);
		(void)snprintf(path, sizeof path, "%s/%s", dir, source + 11);
	} else {
		(void)snprintf(path, sizeof path, "%s", source);
		if (image != NULL && same_folder(path, image))
			return fail(
			        ERR_DENIED, reason, n, "the key must not lie in the image's folder: move it elsewhere", source);
	}
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &info) != 0) {
		if (fd >= 0)
			(void)close(fd);
		return fail(ERR_NOT_FOUND, reason, n, disk_text(errno), source);
	}
	if ((info.st_mode & 077) != 0) {
		(void)close(fd);
		return fail(ERR_DENIED, reason, n, "others may read this key file: chmod 600 it", source);
	}
	st = read_key(fd, key);
	(void)close(fd);
	return judge(st, reason, n, source);
}

enum status key_file_insecure(struct secret *key)
{
	key->len = KEY_LEN;
	return sha256((struct bytes[]){ BYTES_STR("prose-card insecure test key") }, 1, key->data);
}

enum status key_file_create(const char *path)
{
	SECRET key = { 0 };
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	enum status st;

	if (fd < 0)
		return errno == EEXIST ? ERR_DENIED : disk_status(errno);
	if ((st = rng_secret(&rng_system, &key, KEY_LEN)) == OK && (write(fd, key.data, KEY_LEN) != KEY_LEN || fsync(fd) != 0))
		st = disk_status(errno);
	(void)close(fd);
	if (st != OK)
		(void)unlink(path);
	return st;
}

enum status file_shred(const char *path)
{
	static const uint8_t zeros[4096];
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	struct stat info;
	bool ok = fd >= 0 && fstat(fd, &info) == 0;

	for (off_t done = 0; ok && done < info.st_size; done += (off_t)sizeof zeros)
		ok = write(fd, zeros, sizeof zeros) == (ssize_t)sizeof zeros;
	ok = ok && fsync(fd) == 0;
	if (fd >= 0)
		(void)close(fd);
	return ok && unlink(path) == 0 ? OK : disk_status(errno);
}
