/* SPDX-License-Identifier: Apache-2.0 */
/* prose-net hss and serve hss: vectors one at a time, or for hostapd. */
#include <stdio.h>

#include "apdu/base/hex.h"
#include "provisioning/cli/net.h"
#include "provisioning/cli/serve.h"

int hss_new_vector(struct arguments *a)
{
	struct hss_vector v = { 0 };
	char text[65];
	enum status st;

	if (a->count != 1)
		return net_fail("hss vector", NULL, "needs IMSI", EXIT_USAGE);
	if ((st = hss_vector(a->db, a->words[0], &v)) == OK) {
		(void)printf("SQN  %llu\n", (unsigned long long)v.sqn);
		(void)printf("RAND %s\n", hex_encode(BYTES_OF(v.rand), text));
		(void)printf("AUTN %s\n", hex_encode(BYTES_OF(v.autn), text));
		(void)printf("RES  %s\n", hex_encode((struct bytes){ v.res, v.res_len }, text));
		(void)printf("CK   %s\n", hex_encode((struct bytes){ v.ck, v.ck_len }, text));
		(void)printf("IK   %s\n", hex_encode((struct bytes){ v.ik, v.ik_len }, text));
	}
	secret_clean(&v, sizeof v);
	secret_clean(text, sizeof text);
	if (st == ERR_DENIED)
		return net_fail("hss vector", a->words[0], "its card is revoked: there are no vectors any more", EXIT_REFUSED);
	return net_report("hss vector", a->words[0], st);
}

int hss_resync(struct arguments *a)
{
	uint8_t rand[16], auts[14];
	struct buf r = BUF_OF(rand), s = BUF_OF(auts);
	enum status st;

	if (a->count != 3 || hex_decode(bytes_str(a->words[1]), &r) != OK || hex_decode(bytes_str(a->words[2]), &s) != OK ||
	        r.len != sizeof rand || s.len != sizeof auts)
		return net_fail("hss resync", NULL, "needs IMSI, RAND (16 octets) and AUTS (14 octets) in hex", EXIT_USAGE);
	if ((st = hss_resynchronise(a->db, a->words[0], auts, rand)) == ERR_CRYPTO)
		return net_fail("hss resync", a->words[0], "this AUTS is not that card's answer to this RAND", EXIT_REFUSED);
	if (st == ERR_DENIED)
		return net_fail("hss resync", a->words[0], "its card is revoked", EXIT_REFUSED);
	return net_report("hss resync", a->words[0], st);
}

int hss_serve(struct arguments *a)
{
	if (a->socket == NULL)
		return net_fail("serve hss", NULL, "needs --socket PATH", EXIT_USAGE);
	return serve_hss(a, a->db, a->socket);
}
