/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/campaign/courier.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "apdu/base/hex.h"
#include "apdu/base/text.h"

enum { ICCID_TEXT = 24, REQUEST_MAX = 32768, RESPONSE_MAX = 512 };

struct courier {
	pid_t pid;
	int fd;
};

/* ---- words ---------------------------------------------------------------------------------------------------------- */

/* $ICCID and so on, or ${ICCID}: moves `at` behind the name. NULL: another name. */
static const char *variable(const char **at, const struct courier_job *job)
{
	const struct {
		const char *name, *value;
	} rows[] = { { "ICCID", job->iccid }, { "IN", job->in }, { "OUT", job->out } };
	const bool braces = **at == '{';
	const char *name = *at + (braces ? 1 : 0);
	const size_t n = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		if (strlen(rows[i].name) != n || strncmp(rows[i].name, name, n) != 0 || (braces && name[n] != '}'))
			continue;
		*at = name + n + (braces ? 1 : 0);
		return rows[i].value;
	}
	return NULL;
}

/* One word, from *at on; a zero behind it. */
static enum status word(const char **at, const struct courier_job *job, struct buf *out)
{
	char quote = 0;

	for (; **at != 0 && (quote != 0 || **at != ' '); ++*at) {
		const char c = **at;

		if (c == quote || (quote == 0 && (c == '"' || c == '\''))) {
			quote = c == quote ? 0 : c;
		} else if (c == '$' && quote != '\'') {
			const char *value;

			++*at;
			if ((value = variable(at, job)) == NULL)
				return ERR_MALFORMED;
			buf_put(out, bytes_str(value));
			--*at;
		} else if (quote == 0 && strchr(";&|<>()`\\*?~#\n\t", c) != NULL) {
			return ERR_MALFORMED;
		} else {
			buf_put_u8(out, (uint8_t)c);
		}
	}
	buf_put_u8(out, 0);
	return quote != 0 ? ERR_MALFORMED : buf_status(out);
}

enum status courier_words(const char *command, const struct courier_job *job, char memory[static COURIER_TEXT_MAX],
        char *words[static COURIER_WORDS_MAX + 1])
{
	struct buf b = { (uint8_t *)memory, 0, COURIER_TEXT_MAX, false };
	size_t n = 0;

	for (command += strspn(command, " "); *command != 0; command += strspn(command, " ")) {
		if (n == COURIER_WORDS_MAX)
			return ERR_NO_SPACE;
		words[n++] = memory + b.len;
		TRY(word(&command, job, &b));
	}
	words[n] = NULL;
	return n > 0 ? OK : ERR_MALFORMED;
}

/* ---- one packet ----------------------------------------------------------------------------------------------------- */

static bool run(const char *command, const struct courier_job *job)
{
	char memory[COURIER_TEXT_MAX], *words[COURIER_WORDS_MAX + 1];
	int status = -1;
	pid_t pid;

	if (courier_words(command, job, memory, words) != OK || (pid = fork()) < 0)
		return false;
	if (pid == 0) {
		(void)signal(SIGPIPE, SIG_DFL);
		if (setenv("ICCID", job->iccid, 1) == 0 && setenv("IN", job->in, 1) == 0 && setenv("OUT", job->out, 1) == 0)
			(void)execvp(words[0], words);
		(void)fprintf(stderr, "prose-net: %s: %s\n", words[0], strerror(errno));
		_exit(127);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool write_messages(const char *path, struct bytes messages)
{
	FILE *f = fopen(path, "wex");
	bool ok = f != NULL && fwrite(messages.p, messages.n, 1, f) == 1;

	return f != NULL && fclose(f) == 0 && ok;
}

/* No file: no answer. */
static bool read_response(const char *path, struct buf *response)
{
	FILE *f = fopen(path, "re");
	char text[2 * RESPONSE_MAX] = "";
	bool ok = true;

	if (f == NULL)
		return true;
	if (fgets(text, sizeof text, f) != NULL)
		ok = hex_decode(bytes_str(text), response) == OK;
	(void)fclose(f);
	return ok;
}

enum status courier_deliver(const char *command, const char *iccid, struct bytes messages, struct buf *response)
{
	char folder[] = "/tmp/prose-ota.XXXXXX", in[sizeof folder + 4], out[sizeof folder + 4];
	const struct courier_job job = { iccid, in, out };
	bool ok;

	if (mkdtemp(folder) == NULL)
		return ERR_IO;
	(void)snprintf(in, sizeof in, "%s/in", folder);
	(void)snprintf(out, sizeof out, "%s/out", folder);
	ok = write_messages(in, messages) && run(command, &job) && read_response(out, response);
	(void)unlink(in);
	(void)unlink(out);
	(void)rmdir(folder);
	return ok ? OK : ERR_IO;
}

/* ---- from a process of its own -------------------------------------------------------------------------------------- */

/* A request is the ICCID in ICCID_TEXT octets and the messages; its answer a status in one octet and the response. */
static void serve(const char *command, int fd)
{
	static uint8_t request[REQUEST_MAX];
	uint8_t answer[1 + RESPONSE_MAX];
	ssize_t n;

	while ((n = recv(fd, request, sizeof request, 0)) > ICCID_TEXT) {
		struct buf response = { answer + 1, 0, RESPONSE_MAX, false };

		request[ICCID_TEXT - 1] = 0;
		answer[0] = (uint8_t)courier_deliver(command, (const char *)request,
		        (struct bytes){ request + ICCID_TEXT, (size_t)n - ICCID_TEXT }, &response);
		if (send(fd, answer, 1 + response.len, MSG_NOSIGNAL) < 0)
			return;
	}
}

struct courier *courier_start(const char *command)
{
	struct courier *c = calloc(1, sizeof *c);
	int ends[2];

	if (c == NULL || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
		free(c);
		return NULL;
	}
	c->fd = ends[0];
	if ((c->pid = fork()) == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
		(void)close(ends[0]);
		serve(command, ends[1]);
		_exit(0);
	}
	(void)close(ends[1]);
	if (c->pid < 0)
		courier_end(&c);
	return c;
}

enum status courier_ask(struct courier *c, const char *iccid, struct bytes messages, struct buf *response)
{
	static uint8_t request[REQUEST_MAX];
	uint8_t answer[1 + RESPONSE_MAX];
	ssize_t n;

	if (messages.n == 0 || messages.n > sizeof request - ICCID_TEXT || strlen(iccid) >= ICCID_TEXT)
		return ERR_NO_SPACE;
	memset(request, 0, ICCID_TEXT);
	memcpy(request, iccid, strlen(iccid));
	memcpy(request + ICCID_TEXT, messages.p, messages.n);
	if (send(c->fd, request, ICCID_TEXT + messages.n, MSG_NOSIGNAL) < 0)
		return ERR_IO;
	while ((n = recv(c->fd, answer, sizeof answer, 0)) < 0 && errno == EINTR)
		;
	if (n < 1 || answer[0] != OK)
		return ERR_IO;
	buf_put(response, (struct bytes){ answer + 1, (size_t)n - 1 });
	return buf_status(response);
}

void courier_end(struct courier **c)
{
	if (*c == NULL)
		return;
	(void)close((*c)->fd);
	if ((*c)->pid > 0)
		while (waitpid((*c)->pid, NULL, 0) < 0 && errno == EINTR)
			;
	free(*c);
	*c = NULL;
}
