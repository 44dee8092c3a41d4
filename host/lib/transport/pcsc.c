/* SPDX-License-Identifier: Apache-2.0 */
/* The PC/SC transport: the only file of the phone side that includes winscard.h. */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include <winscard.h>

#include "host/lib/prose-ue.h"

enum { RECONNECTS_MAX = 8 };

struct pcsc {
	SCARDCONTEXT context;
	SCARDHANDLE card;
	DWORD protocol;
	LONG lost; /* why the last command was not sent: another client has powered the card off */
	char reader[MAX_READERNAME + 1];
};

static enum prose_result result_of(LONG rc)
{
	switch (rc) {
	case SCARD_S_SUCCESS: return PROSE_OK;
	case SCARD_W_RESET_CARD: return PROSE_RESET;
	case SCARD_E_NO_SERVICE:
	case SCARD_E_UNKNOWN_READER:
	case SCARD_E_NO_READERS_AVAILABLE:
	case SCARD_E_READER_UNAVAILABLE: return PROSE_NO_READER;
	case SCARD_E_NO_SMARTCARD:
	case SCARD_W_REMOVED_CARD:
	case SCARD_W_UNPOWERED_CARD: return PROSE_NO_CARD;
	case SCARD_W_SECURITY_VIOLATION: return PROSE_NOT_LET_IN;
	case SCARD_E_INSUFFICIENT_BUFFER: return PROSE_NO_SPACE;
	case SCARD_E_NO_MEMORY: return PROSE_NO_MEMORY;
	default: return PROSE_IO;
	}
}

/* The protocol is wrong while pcscd has not heard yet what a card speaks that somebody is powering up. */
static bool is_off(LONG rc)
{
	return rc == SCARD_W_UNPOWERED_CARD || rc == SCARD_W_UNRESPONSIVE_CARD || rc == SCARD_E_PROTO_MISMATCH;
}

static enum prose_result pcsc_transmit(void *context, const uint8_t *c, size_t c_len, uint8_t *r, size_t *n)
{
	struct pcsc *p = context;
	DWORD room = *n;
	LONG rc = SCardTransmit(
	        p->card, p->protocol == SCARD_PROTOCOL_T1 ? SCARD_PCI_T1 : SCARD_PCI_T0, c, c_len, NULL, r, &room);

	*n = rc == SCARD_S_SUCCESS ? room : 0;
	p->lost = is_off(rc) ? rc : SCARD_S_SUCCESS;
	return is_off(rc) ? PROSE_RESET : result_of(rc);
}

/* Another client's turn; longer each time. */
static void wait_for_others(int turn)
{
	const struct timespec t = { 0, turn * 10000000L };

	if (turn > 0)
		(void)nanosleep(&t, NULL);
}

/* After another client's reset the handle is dead until we reconnect; the caller restores what was lost. */
static enum prose_result pcsc_begin(void *context)
{
	struct pcsc *p = context;
	/* pcscd (1.9.9 and 2.3.3, by their source) begins without a look at the power. Its
	 * SCardDisconnect tells others of a reset before it has powered the card off; who
	 * reconnects in between hears at each command that the protocol is wrong. */
	LONG rc = p->lost != SCARD_S_SUCCESS ? p->lost : SCardBeginTransaction(p->card);
	bool reset = false;

	for (int i = 0; i < RECONNECTS_MAX && (rc == SCARD_W_RESET_CARD || is_off(rc)); i++) {
		wait_for_others(i);
		rc = SCardReconnect(p->card, SCARD_SHARE_SHARED, SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1,
		        is_off(rc) ? SCARD_UNPOWER_CARD : SCARD_LEAVE_CARD, &p->protocol);
		if (rc == SCARD_S_SUCCESS) {
			reset = true;
			p->lost = SCARD_S_SUCCESS;
			rc = SCardBeginTransaction(p->card);
		}
	}
	return rc == SCARD_S_SUCCESS && reset ? PROSE_RESET : result_of(rc);
}

static void pcsc_end(void *context)
{
	struct pcsc *p = context;

	(void)SCardEndTransaction(p->card, SCARD_LEAVE_CARD);
}

/* Other clients may have the card open: here and elsewhere it is left as it is, and powered up only when pcscd says that it is
 * off. */
static void pcsc_close(void *context)
{
	struct pcsc *p = context;

	(void)SCardDisconnect(p->card, SCARD_LEAVE_CARD);
	(void)SCardReleaseContext(p->context);
	free(p);
}

static enum prose_result list_readers(SCARDCONTEXT context, char **names)
{
	DWORD n = 0;
	LONG rc = SCardListReaders(context, NULL, NULL, &n);

	*names = NULL;
	if (rc == SCARD_S_SUCCESS && n > 0) {
		if ((*names = calloc(1, n + 1)) == NULL)
			return PROSE_NO_MEMORY;
		rc = SCardListReaders(context, NULL, *names, &n);
	}
	if (rc == SCARD_S_SUCCESS && n > 0)
		return PROSE_OK;
	free(*names);
	*names = NULL;
	return rc == SCARD_E_NO_MEMORY ? PROSE_NO_MEMORY : PROSE_NO_READER;
}

/* Does anybody listen where the client library looks for pcscd? */
static bool pcscd_listens(void)
{
	const char *path = secure_getenv("PCSCLITE_CSOCK_NAME");
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool listens = false;

	if (path == NULL)
		path = "/run/pcscd/pcscd.comm";
	if (fd >= 0 && strlen(path) < sizeof at.sun_path) {
		memcpy(at.sun_path, path, strlen(path));
		listens = connect(fd, (const struct sockaddr *)&at, sizeof at) == 0;
	}
	if (fd >= 0)
		(void)close(fd);
	return listens;
}

/* A pcscd that polkit tells to refuse us hangs up before its first answer. The client library calls that a communication error,
 * or, where pcscd was faster than its question, no service. At the card it is SCARD_W_SECURITY_VIOLATION. */
static enum prose_result establish(SCARDCONTEXT *context)
{
	switch (SCardEstablishContext(SCARD_SCOPE_SYSTEM, NULL, NULL, context)) {
	case SCARD_S_SUCCESS: return PROSE_OK;
	case SCARD_F_COMM_ERROR:
	case SCARD_W_SECURITY_VIOLATION: return PROSE_NOT_LET_IN;
	case SCARD_E_NO_MEMORY: return PROSE_NO_MEMORY;
	case SCARD_E_NO_SERVICE: return pcscd_listens() ? PROSE_NOT_LET_IN : PROSE_NO_READER;
	default: return PROSE_NO_READER;
	}
}

enum prose_result prose_pcsc_readers(char **names)
{
	SCARDCONTEXT context;
	enum prose_result r = establish(&context);

	*names = NULL;
	if (r != PROSE_OK)
		return r;
	r = list_readers(context, names);
	(void)SCardReleaseContext(context);
	return r;
}

/* pcscd 1.9.9 can lose track of a card that one client powered off while another connected: every connection then fails as
 * unpowered until somebody powers the card up through a direct connection. */
static LONG power_up(struct pcsc *p, const char *name)
{
	LONG rc = SCardConnect(p->context, name, SCARD_SHARE_DIRECT, 0, &p->card, &p->protocol);

	if (rc != SCARD_S_SUCCESS)
		return rc;
	rc = SCardReconnect(
	        p->card, SCARD_SHARE_SHARED, SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1, SCARD_UNPOWER_CARD, &p->protocol);
	if (rc != SCARD_S_SUCCESS)
		(void)SCardDisconnect(p->card, SCARD_LEAVE_CARD);
	return rc;
}

static LONG connect_shared(struct pcsc *p, const char *name)
{
	LONG rc = SCARD_W_UNPOWERED_CARD;

	for (int i = 0; i < RECONNECTS_MAX && is_off(rc); i++) {
		wait_for_others(i);
		rc = SCardConnect(
		        p->context, name, SCARD_SHARE_SHARED, SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1, &p->card, &p->protocol);
		if (is_off(rc))
			rc = power_up(p, name);
	}
	return rc;
}

static enum prose_result connect_first(struct pcsc *p, const char *wanted)
{
	char *names;
	enum prose_result r = list_readers(p->context, &names);

	if (r == PROSE_OK)
		r = PROSE_NO_READER; /* unless one has that name */
	for (const char *name = names; name != NULL && *name != 0; name += strlen(name) + 1) {
		if (wanted != NULL && strncmp(name, wanted, strlen(wanted)) != 0)
			continue;
		r = result_of(connect_shared(p, name));
		if (r == PROSE_OK || r == PROSE_NO_MEMORY)
			break;
	}
	free(names);
	return r;
}

enum prose_result prose_pcsc_open(const char *reader, struct prose_transport *out)
{
	struct pcsc *p = calloc(1, sizeof *p);
	enum prose_result r;

	if (p == NULL)
		return PROSE_NO_MEMORY;
	if ((r = establish(&p->context)) != PROSE_OK) {
		free(p);
		return r;
	}
	if ((r = connect_first(p, reader)) != PROSE_OK) {
		(void)SCardReleaseContext(p->context);
		free(p);
		return r;
	}
	*out = (struct prose_transport){ p, pcsc_transmit, pcsc_begin, pcsc_end, NULL, pcsc_close };
	return PROSE_OK;
}
