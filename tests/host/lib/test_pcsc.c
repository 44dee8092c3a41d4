/* SPDX-License-Identifier: Apache-2.0 */
/* host/lib/transport/pcsc.c against a pcscd of our own making: the functions of winscard.h answer what a test has written down.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <winscard.h>

#include "host/lib/prose-ue.h"
#include "tests/support/support.h"

static struct {
	LONG establish, connect;
	LONG off;           /* what a card says that another client has powered off, or reset; 0: it is on */
	bool off_for_ever;  /* nothing powers it up */
	unsigned power_ups; /* reconnections that did */
	unsigned disturbed; /* resets and power cuts of a card that was on, which others may have open */
	bool established;
} pcscd;

const SCARD_IO_REQUEST g_rgSCardT0Pci, g_rgSCardT1Pci;

LONG SCardEstablishContext(DWORD scope, LPCVOID reserved1, LPCVOID reserved2, LPSCARDCONTEXT context)
{
	(void)scope, (void)reserved1, (void)reserved2;
	*context = 1;
	pcscd.established = pcscd.establish == SCARD_S_SUCCESS;
	return pcscd.establish;
}

LONG SCardReleaseContext(SCARDCONTEXT context)
{
	(void)context;
	pcscd.established = false;
	return SCARD_S_SUCCESS;
}

LONG SCardListReaders(SCARDCONTEXT context, LPCSTR groups, LPSTR readers, LPDWORD n)
{
	static const char names[] = "Card 0 00 00\0";

	(void)context, (void)groups;
	if (readers != NULL)
		memcpy(readers, names, sizeof names);
	*n = sizeof names;
	return SCARD_S_SUCCESS;
}

LONG SCardConnect(SCARDCONTEXT context, LPCSTR reader, DWORD mode, DWORD protocols, LPSCARDHANDLE card, LPDWORD protocol)
{
	(void)context, (void)reader, (void)mode, (void)protocols;
	*card = 1;
	*protocol = SCARD_PROTOCOL_T0;
	return pcscd.connect;
}

LONG SCardReconnect(SCARDHANDLE card, DWORD mode, DWORD protocols, DWORD initialization, LPDWORD protocol)
{
	(void)card, (void)mode, (void)protocols;
	*protocol = SCARD_PROTOCOL_T0;
	pcscd.disturbed += initialization != SCARD_LEAVE_CARD && pcscd.off == SCARD_S_SUCCESS ? 1 : 0;
	if (pcscd.off_for_ever)
		return pcscd.off;
	if (initialization == SCARD_UNPOWER_CARD)
		pcscd.power_ups++;
	if (initialization == SCARD_UNPOWER_CARD || pcscd.off == SCARD_W_RESET_CARD)
		pcscd.off = SCARD_S_SUCCESS;
	return pcscd.connect;
}

LONG SCardDisconnect(SCARDHANDLE card, DWORD disposition)
{
	(void)card;
	pcscd.disturbed += disposition != SCARD_LEAVE_CARD ? 1 : 0;
	return SCARD_S_SUCCESS;
}

LONG SCardBeginTransaction(SCARDHANDLE card)
{
	(void)card;
	return pcscd.off == SCARD_W_RESET_CARD ? pcscd.off : SCARD_S_SUCCESS; /* it does not look at the power */
}

LONG SCardEndTransaction(SCARDHANDLE card, DWORD disposition)
{
	(void)card;
	pcscd.disturbed += disposition != SCARD_LEAVE_CARD ? 1 : 0;
	return SCARD_S_SUCCESS;
}

LONG SCardTransmit(SCARDHANDLE card, const SCARD_IO_REQUEST *send_pci, LPCBYTE command, DWORD command_len,
        SCARD_IO_REQUEST *receive_pci, LPBYTE response, LPDWORD n)
{
	(void)card, (void)send_pci, (void)command, (void)command_len, (void)receive_pci;
	if (pcscd.off != SCARD_S_SUCCESS)
		return pcscd.off;
	memcpy(response, "\x6D\0", 2); /* a card with nothing in it */
	*n = 2;
	return SCARD_S_SUCCESS;
}

/* What both ways in say, and that neither leaves a context or names behind. */
static enum prose_result both_say(void)
{
	struct prose_transport t;
	char *names = NULL;
	enum prose_result r = prose_pcsc_open(NULL, &t), listed = prose_pcsc_readers(&names);

	if (pcscd.establish != SCARD_S_SUCCESS) {
		ck_assert_int_eq(listed, r);
		ck_assert_ptr_null(names);
	}
	free(names);
	ck_assert(!pcscd.established);
	return r;
}

START_TEST(a_pcscd_that_turns_us_away_is_not_a_missing_one)
{
	char path[] = "/tmp/prose-pcscd.XXXXXX";
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	(void)close(fd);
	(void)unlink(path);
	memcpy(at.sun_path, path, sizeof path);
	ck_assert_int_eq(setenv("PCSCLITE_CSOCK_NAME", path, 1), 0);
	pcscd.establish = SCARD_F_COMM_ERROR;
	ck_assert_int_eq(both_say(), PROSE_NOT_LET_IN);
	pcscd.establish = SCARD_W_SECURITY_VIOLATION;
	ck_assert_int_eq(both_say(), PROSE_NOT_LET_IN);
	pcscd.establish = SCARD_E_SERVICE_STOPPED;
	ck_assert_int_eq(both_say(), PROSE_NO_READER);
	pcscd.establish = SCARD_E_NO_SERVICE;
	ck_assert_int_eq(both_say(), PROSE_NO_READER);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(fd, (const struct sockaddr *)&at, sizeof at), 0);
	ck_assert_int_eq(both_say(), PROSE_NO_READER); /* left behind by a pcscd that is gone */
	ck_assert_int_eq(listen(fd, 5), 0);
	ck_assert_int_eq(both_say(), PROSE_NOT_LET_IN); /* it hung up before the question */
	(void)close(fd);
	(void)unlink(path);
	pcscd.establish = SCARD_S_SUCCESS;
	pcscd.connect = SCARD_W_SECURITY_VIOLATION; /* may ask pcscd, may not use the card */
	ck_assert_int_eq(both_say(), PROSE_NOT_LET_IN);
	pcscd.connect = SCARD_E_NO_SMARTCARD;
	ck_assert_int_eq(both_say(), PROSE_NO_CARD);
	ck_assert_ptr_nonnull(strstr(prose_result_text(PROSE_NOT_LET_IN), "pcscd does not let this user in: polkit"));
}
END_TEST

static struct prose_card *open_card(void)
{
	struct prose_transport t;
	struct prose_card *c;

	memset(&pcscd, 0, sizeof pcscd);
	ck_assert_int_eq(prose_pcsc_open("Card", &t), PROSE_OK);
	ck_assert_int_eq(prose_card_open(t, NULL, &c), PROSE_OK);
	return c;
}

static enum prose_result status_command(struct prose_card *c)
{
	uint8_t answer[2] = { 0 };
	size_t n = sizeof answer;
	enum prose_result r = prose_apdu(c, (const uint8_t *)"\x80\xF2\0\0", 4, answer, &n);

	if (r == PROSE_OK)
		ck_assert_mem_eq(answer, "\x6D\0", 2);
	return r;
}

static const LONG offs[] = { SCARD_W_UNPOWERED_CARD, SCARD_W_UNRESPONSIVE_CARD, SCARD_E_PROTO_MISMATCH, SCARD_W_RESET_CARD };

/* Also where a transaction begins all the same, and the card's first command is refused. */
START_TEST(a_card_powered_off_by_another_client_comes_back)
{
	struct prose_card *c = open_card();

	pcscd.off = offs[_i];
	ck_assert_int_eq(status_command(c), PROSE_OK);
	ck_assert_uint_eq(pcscd.power_ups, offs[_i] == SCARD_W_RESET_CARD ? 0 : 1);
	ck_assert_int_eq(status_command(c), PROSE_OK);
	ck_assert_uint_le(pcscd.power_ups, 1); /* once was enough: other clients lose what they had selected */
	pcscd.off = offs[_i];
	pcscd.off_for_ever = true;
	ck_assert_int_ne(status_command(c), PROSE_OK);
	pcscd.off_for_ever = false; /* somebody has put it right */
	ck_assert_int_eq(status_command(c), PROSE_OK);
	prose_card_close(&c);
	ck_assert_uint_eq(pcscd.disturbed, 0);
}
END_TEST

/* Others may have the card open: what we do from beginning to end resets nothing. */
START_TEST(we_leave_the_card_as_it_is)
{
	struct prose_card *c = open_card();

	ck_assert_int_eq(status_command(c), PROSE_OK);
	pcscd.off = SCARD_W_RESET_CARD; /* by another */
	ck_assert_int_eq(status_command(c), PROSE_OK);
	prose_card_close(&c);
	ck_assert_uint_eq(pcscd.disturbed, 0);
	ck_assert_uint_eq(pcscd.power_ups, 0);
}
END_TEST

Suite *suite_pcsc(void)
{
	Suite *s = suite_create("pcsc");
	TCase *t = tcase_create("pcsc");

	tcase_add_loop_test(t, a_card_powered_off_by_another_client_comes_back, 0, sizeof offs / sizeof *offs);
	tcase_add_test(t, we_leave_the_card_as_it_is);
	tcase_add_test(t, a_pcscd_that_turns_us_away_is_not_a_missing_one);
	suite_add_tcase(s, t);
	return s;
}
