/* SPDX-License-Identifier: Apache-2.0 */
/* prose-net card: orders, vendors' lists, transport keys, time. */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "apdu/base/hex.h"
#include "apdu/files.h"
#include "apdu/tlv.h"
#include "crypto/guarded/diversify.h"
#include "provisioning/cli/net.h"
#include "provisioning/keys/join.h"
#include "provisioning/db/master.h"

static int refuse_known(struct arguments *a)
{
	struct db_card card = { 0 };
	char why[DB_SENTENCE_MAX];

	(void)snprintf(card.iccid, sizeof card.iccid, "%s", a->card);
	(void)snprintf(card.imsi, sizeof card.imsi, "%s", a->imsi);
	if (db_card_conflict(a->db, &card, why) != OK || strcmp(why, "is known already") == 0)
		return net_report("card new", a->card, ERR_DENIED);
	return net_fail("card new", a->card, why, EXIT_REFUSED);
}

int card_new(struct arguments *a)
{
	struct buf cms = BUF_OF(net_output);
	struct pin_letter letter = { 0 };
	char path[PATH_MAX], text[256];
	enum status st;

	if (a->algorithm != NULL && strcmp(a->algorithm, "milenage") != 0 && strcmp(a->algorithm, "tuak") != 0)
		return net_fail("card new", a->algorithm, "--algorithm is milenage or tuak", EXIT_USAGE);
	if (a->card == NULL || a->imsi == NULL || a->maker == NULL || a->out == NULL || (a->without_keys && a->kms == NULL))
		return net_fail("card new", NULL,
		        "needs --card ICCID, --imsi, --maker-cert and --out DIR; --no-transport-keys needs --kms", EXIT_USAGE);
	if (a->kms != NULL &&
	        (a->kms[0] == 0 || strlen(a->kms) > EF_PROSE_KMS_NAME_MAX || a->kms[strcspn(a->kms, "\"\\ /:")] != 0))
		return net_fail("card new", a->kms, "--kms is a host's name", EXIT_USAGE);
	st = order_new(a->db, a->card, a->imsi, a->algorithm != NULL && strcmp(a->algorithm, "tuak") == 0,
	        a->without_keys ? a->kms : NULL, net_now(), a->maker, &cms, &letter);
	if (st == ERR_CRYPTO)
		return net_fail("card new", a->maker, "is not a certificate to encrypt to", EXIT_REFUSED);
	if (st == ERR_DENIED)
		return refuse_known(a);
	if (st != OK)
		return st == ERR_MALFORMED ? net_fail("card new", NULL, "an ICCID has 18 to 20 digits, an IMSI 15", EXIT_USAGE)
		                           : net_report("card new", a->card, st);
	(void)mkdir(a->out, 0700);
	(void)snprintf(path, sizeof path, "%s/%s.secrets", a->out, a->card);
	st = net_write_file(path, buf_bytes(&cms));
	(void)snprintf(path, sizeof path, "%s/%s.json", a->out, a->card);
	(void)snprintf(text, sizeof text, "{\"iccid\": \"%s\", \"imsi\": \"%s\", \"pin1_enabled\": true%s%s%s}\n", a->card,
	        a->imsi, a->kms != NULL ? ", \"kms\": \"" : "", a->kms != NULL ? a->kms : "", a->kms != NULL ? "\"" : "");
	if (st == OK)
		st = net_write_file(path, bytes_str(text));
	(void)snprintf(path, sizeof path, "%s/%s.pin", a->out, a->card);
	(void)snprintf(text, sizeof text, "%s\n", letter.pin1);
	if (st == OK)
		st = net_write_file(path, bytes_str(text));
	(void)snprintf(path, sizeof path, "%s/%s.letter", a->out, a->card);
	(void)snprintf(text, sizeof text, "card %s\nPIN1 %s\nPUK1 %s\nPIN2 %s\nPUK2 %s\n", a->card, letter.pin1, letter.puk1,
	        letter.pin2, letter.puk2);
	if (st == OK)
		st = net_write_file(path, bytes_str(text));
	secret_clean(&letter, sizeof letter);
	secret_clean(text, sizeof text);
	return net_report("card new", a->out, st);
}

int card_import(struct arguments *a)
{
	SECRET_LARGE line = { 0 };
	SECRET batch = { 0 };
	struct buf b = { batch.data, 0, sizeof batch.data, false };
	char reason[256] = "";
	size_t cards = 0;

	if (a->count != 1)
		return net_fail("card import", NULL, "needs FILE", EXIT_USAGE);
	if (a->derive != NULL && (secret_line(a->derive, &line) != OK || hex_decode(secret_large_bytes(&line), &b) != OK ||
	                                 b.len < DIVERSIFY_MASTER_MIN))
		return net_fail("card import", a->derive, "must be a 0600 file: the batch's secret in hex, 16 to 64 octets",
		        EXIT_REFUSED);
	if (list_import(a->db, a->words[0], a->map, buf_bytes(&b), net_now(), &cards, reason, sizeof reason) != OK)
		return net_fail("card import", NULL, reason, EXIT_REFUSED);
	(void)printf("%zu card%s\n", cards, cards == 1 ? "" : "s");
	return 0;
}

int card_naf(struct arguments *a)
{
	struct buf b = BUF_OF(net_output);
	enum status st;

	if (a->card == NULL || a->name == NULL || a->count != 0)
		return net_fail("card naf", NULL, "needs --card ICCID and --name FQDN", EXIT_USAGE);
	st = join_naf(a->db, net_now(), a->card, a->name, a->out == NULL, &b);
	if (st == OK && a->out != NULL)
		st = net_write_file(a->out, buf_bytes(&b));
	return net_report("card naf", a->card, st);
}

int card_transport(struct arguments *a)
{
	struct buf b = BUF_OF(net_output);
	enum status st;

	if (a->card == NULL || a->count != 0)
		return net_fail("card transport", NULL, "needs --card ICCID", EXIT_USAGE);
	st = a->name != NULL ? join_push(a->db, net_now(), a->card, a->name, NULL, a->out == NULL, &b)
	                     : order_new_transport_keys(a->db, a->card, net_now(), NULL, &b);
	if (st == ERR_DENIED)
		return net_fail("card transport", a->card, "the last new keys are still on their way", EXIT_REFUSED);
	if (st == OK && a->out != NULL)
		st = net_write_file(a->out, buf_bytes(&b));
	return net_report("card transport", a->card, st);
}

int card_time(struct arguments *a)
{
	uint8_t raw[16];
	struct buf payload = BUF_OF(raw), b = BUF_OF(net_output);
	enum status st;

	if (a->card == NULL || a->out == NULL)
		return net_fail("card time", NULL, "needs --card ICCID and --out FILE", EXIT_USAGE);
	tlv_put_uint(&payload, TIME_FLOOR, 8, net_now());
	st = operator_seal(a->db, a->card, SEALED_TIME, BYTES_STR("time"), 0, UINT64_MAX, buf_bytes(&payload), &b);
	if (st == OK)
		st = net_write_file(a->out, buf_bytes(&b));
	return net_report("card time", a->card, st);
}
