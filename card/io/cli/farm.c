/* SPDX-License-Identifier: Apache-2.0 */
/* prose-card farm: make the cards if asked to, open the image, serve. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "card/io/cli/cli.h"
#include "card/io/link/farm.h"

enum { FARM_MAX = 1000000 };

static void progress(size_t done, size_t count)
{
	if (isatty(STDERR_FILENO) != 0 && (done % 100 == 0 || done == count))
		(void)fprintf(stderr, "\rprose-card: card %zu of %zu is born%s", done, count, done == count ? "\n" : "");
}

/* A list holds keys: a new file of mode 0600. */
static FILE *open_list(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	return fd >= 0 ? fdopen(fd, "w") : NULL;
}

static int make(const struct arguments *a, const char *image, struct order *o, struct bytes key)
{
	struct farm_birth b = { image, key, a->insecure, a->cards, o, NULL, a->quiet ? NULL : progress };
	char reason[512] = "";
	enum image_error e;

	o->keys = a->seed != NULL ? KEYS_SEEDED : KEYS_RANDOM;
	o->seed = a->seed;
	if (a->insecure && strncmp(o->who.imsi, "00101", 5) != 0)
		return cli_refuse("farm", "--insecure-test-key is for cards of PLMN 001-01", EXIT_USAGE);
	if (a->list != NULL && (b.list = open_list(a->list)) == NULL)
		return cli_refuse("farm", "--list FILE cannot be written, or exists", EXIT_REFUSED);
	e = farm_create(&b, reason, sizeof reason);
	if (b.list != NULL && fclose(b.list) != 0 && e == IMAGE_OK)
		e = IMAGE_IO;
	if (e != IMAGE_OK && b.list != NULL)
		(void)unlink(a->list);
	if (e == IMAGE_OK)
		return 0;
	if (e == IMAGE_BUSY)
		return cli_refuse("farm", "the image exists already: leave --count away to run it", (int)e);
	return cli_refuse("farm", reason[0] != 0 ? reason : image_error_text(e), reason[0] != 0 ? EXIT_REFUSED : (int)e);
}

static int serve(const struct arguments *a, const char *image, struct bytes key)
{
	struct image_options io = { .path = image, .key = key };
	struct farm_service s = { .socket = a->socket != NULL ? a->socket : "farm.sock", .readers = a->readers };
	struct rlimit files;
	struct farm *farm;
	enum status st;
	int rc;

	if (vpcd_parse(a->reader != NULL ? a->reader : "127.0.0.1:35963", &s.reader) != OK ||
	        a->readers + s.reader.port > UINT16_MAX)
		return cli_refuse("farm", "--reader needs ADDRESS:PORT, with room for the ports of --readers", EXIT_USAGE);
	s.reader.quiet = a->quiet;
	if ((rc = cli_report_open("farm", &io, farm_open(&farm, &io))) != 0)
		return rc;
	if (a->readers > farm_count(farm)) {
		farm_close(&farm);
		return cli_refuse("farm", "--readers is more than the image has cards", EXIT_USAGE);
	}
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) { /* a descriptor for each client */
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	if (!a->quiet)
		(void)fprintf(stderr, "prose-card: %zu cards at %s\n", farm_count(farm), s.socket);
	if ((rc = cli_sandbox(a, SANDBOX_CARD_FARM, "farm", image, s.socket)) != 0) {
		farm_close(&farm);
		return rc;
	}
	st = farm_serve(farm, &s, &cli_stop);
	farm_close(&farm);
	if (st == OK)
		return 0;
	return cli_refuse("farm",
	        st == ERR_DENIED ? "the socket's path is taken: another farm, or a file" : "the socket cannot be made",
	        EXIT_FAILURE);
}

static int run(const struct arguments *a, const char *profile, const char *image)
{
	SECRET key = { 0 };
	char reason[512] = "";
	struct order o = { 0 };
	int rc = cli_load_key("farm", a, image, &key);

	if (rc == 0 && a->cards > 0) {
		if (order_read(profile, &o, reason, sizeof reason) != OK)
			rc = cli_refuse("farm", reason, EXIT_REFUSED);
		else
			rc = make(a, image, &o, secret_bytes(&key));
		order_free(&o);
	}
	return rc != 0 ? rc : serve(a, image, secret_bytes(&key));
}

/* Cards that are gone afterwards. */
static int run_passing(struct arguments *a, const char *profile)
{
	char folder[] = "/tmp/prose-farm.XXXXXX", path[64];
	int rc;

	if (a->image_key != NULL)
		return cli_refuse("farm", "--image-key goes with an IMAGE", EXIT_USAGE);
	if (mkdtemp(folder) == NULL)
		return cli_refuse("farm", "no temporary folder can be made in /tmp", EXIT_FAILURE);
	(void)snprintf(path, sizeof path, "%s/farm.img", folder);
	a->leave = "/tmp";
	a->insecure = true;
	rc = run(a, profile, path);
	(void)unlink(path);
	(void)rmdir(folder);
	return rc;
}

int verb_farm(struct arguments *a)
{
	if (a->count > (a->cards > 0 ? 2 : 1) || (a->cards == 0 && a->count == 0) || a->cards > FARM_MAX)
		return cli_refuse("farm", "needs IMAGE, or --count N (up to 1,000,000) [PROFILE] [IMAGE]", EXIT_USAGE);
	if (a->cards == 0 && (a->seed != NULL || a->list != NULL))
		return cli_refuse("farm", "--seed and --list go with --count", EXIT_USAGE);
	if (a->seed != NULL && (a->seed[0] == 0 || strlen(a->seed) > SEED_MAX))
		return cli_refuse("farm", "--seed needs 1 to 64 characters", EXIT_USAGE);
	cli_harden();
	if (a->cards == 0)
		return run(a, NULL, a->words[0]);
	return a->count == 2 ? run(a, a->words[0], a->words[1]) : run_passing(a, a->count == 1 ? a->words[0] : NULL);
}
