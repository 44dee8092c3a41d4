/* SPDX-License-Identifier: Apache-2.0 */
/* HSS: authentication vectors from the keys of the cards that this operator ordered (TS 33.102 6.3). */
#include <string.h>

#include "apdu/birth.h"
#include "apdu/base/hex.h"
#include "apdu/tlv.h"
#include "crypto/guarded/aka.h"
#include "crypto/common/rng.h"
#include "provisioning/operator.h"

enum { TRIPLETS_MAX = 5 };

/* AMF with the separation bit: good for EPS, 5G and EAP-AKA' (TS 33.401 6.1.1), and no network looks at it elsewhere. */
static const uint8_t amf[AMF_LEN] = { 0x80, 0x00 };

static enum status load(struct db *db, const char *imsi, struct aka_subscriber *s)
{
	SECRET_LARGE secrets = { 0 };
	struct db_card card;
	char iccid[21];
	SECRET_LARGE record = { 0 };
	struct buf b = { record.data, 0, sizeof record.data, false };

	TRY(db_card_by_imsi(db, imsi, iccid));
	TRY(db_card_get(db, iccid, &card, &secrets));
	if (card.revoked != 0)
		return ERR_DENIED;
	TRY(aka_put(secret_large_bytes(&secrets), &b));
	return aka_parse(buf_bytes(&b), s);
}

enum status hss_vector(struct db *db, const char *imsi, struct hss_vector *v)
{
	AKA_SUBSCRIBER s = { 0 };
	AKA_KEYS keys = { 0 };
	uint8_t sqn[SQN_LEN];
	uint64_t next;

	TRY(load(db, imsi, &s));
	TRY(db_hss_next_sqn(db, imsi, &next));
	bytes_from_uint(next, sqn, sizeof sqn);
	TRY(rng_fill(&rng_system, v->rand, sizeof v->rand));
	TRY(aka_autn(&s, v->rand, sqn, amf, &keys, v->autn));
	memcpy(v->ck, keys.ck, sizeof v->ck);
	memcpy(v->ik, keys.ik, sizeof v->ik);
	memcpy(v->res, keys.res, sizeof v->res);
	v->sqn = next;
	v->ck_len = s.ck_len;
	v->ik_len = s.ik_len;
	v->res_len = s.res_len;
	return OK;
}

static enum status hss_triplet(
        struct db *db, const char *imsi, uint8_t rand[static 16], uint8_t sres[static 4], uint8_t kc[static 8])
{
	AKA_SUBSCRIBER s = { 0 };
	AKA_KEYS keys = { 0 };

	TRY(load(db, imsi, &s));
	TRY(rng_fill(&rng_system, rand, RAND_LEN));
	TRY(aka_f2345(&s, rand, &keys));
	aka_gsm(&s, &keys, sres, kc);
	return OK;
}

enum status hss_resynchronise(struct db *db, const char *imsi, const uint8_t auts[static 14], const uint8_t rand[static 16])
{
	AKA_SUBSCRIBER s = { 0 };
	uint8_t sqn_ms[SQN_LEN];

	TRY(load(db, imsi, &s));
	TRY(aka_auts_open(&s, rand, auts, sqn_ms));
	return db_hss_set_sqn(db, imsi, bytes_uint(BYTES_OF(sqn_ms)));
}

static struct bytes word(struct bytes *in)
{
	struct bytes w = { in->p, 0 };
	struct bytes skipped;

	while (w.n < in->n && in->p[w.n] != ' ')
		w.n++;
	(void)!bytes_take(in, w.n < in->n ? w.n + 1 : w.n, &skipped);
	return w;
}

static void put_text(struct buf *b, const char *text)
{
	buf_put(b, bytes_str(text));
}

static void put_hex(struct buf *b, const char *before, const uint8_t *p, size_t n)
{
	char text[2 * 32 + 1];

	put_text(b, before);
	put_text(b, hex_encode((struct bytes){ p, n }, text));
	secret_clean(text, sizeof text);
}

static enum status aka_request(struct db *db, const char *imsi, struct bytes rest, struct buf *out)
{
	struct hss_vector v = { 0 };
	enum status st;

	(void)rest;
	put_text(out, "AKA-RESP-AUTH ");
	put_text(out, imsi);
	if ((st = hss_vector(db, imsi, &v)) != OK) {
		put_text(out, " FAILURE");
	} else {
		put_hex(out, " ", v.rand, sizeof v.rand);
		put_hex(out, " ", v.autn, sizeof v.autn);
		put_hex(out, " ", v.ik, v.ik_len);
		put_hex(out, " ", v.ck, v.ck_len);
		put_hex(out, " ", v.res, v.res_len);
	}
	secret_clean(&v, sizeof v);
	return st;
}

static enum status auts_request(struct db *db, const char *imsi, struct bytes rest, struct buf *out)
{
	uint8_t auts[AUTS_LEN], rand[RAND_LEN];
	struct buf a = BUF_OF(auts), r = BUF_OF(rand);

	(void)out; /* the protocol has no answer to this one */
	if (hex_decode(word(&rest), &a) != OK || hex_decode(word(&rest), &r) != OK || a.len != AUTS_LEN || r.len != RAND_LEN)
		return ERR_MALFORMED;
	return hss_resynchronise(db, imsi, auts, rand);
}

static enum status sim_request(struct db *db, const char *imsi, struct bytes rest, struct buf *out)
{
	struct bytes count = word(&rest);
	unsigned n = count.n == 1 && count.p[0] >= '1' && count.p[0] <= '0' + TRIPLETS_MAX ? count.p[0] - '0' : 0;
	uint8_t rand[RAND_LEN], sres[4], kc[8];
	enum status st = n == 0 ? ERR_MALFORMED : OK;
	size_t start;

	put_text(out, "SIM-RESP-AUTH ");
	put_text(out, imsi);
	start = out->len;
	for (unsigned i = 0; i < n && st == OK; i++) {
		if ((st = hss_triplet(db, imsi, rand, sres, kc)) != OK)
			break;
		put_hex(out, " ", kc, sizeof kc);
		put_hex(out, ":", sres, sizeof sres);
		put_hex(out, ":", rand, sizeof rand);
	}
	if (st != OK) {
		out->len = start;
		put_text(out, " FAILURE");
	}
	secret_clean(kc, sizeof kc);
	return st;
}

static const struct request {
	const char *name;
	enum status (*run)(struct db *, const char *imsi, struct bytes rest, struct buf *out);
} requests[] = {
	{ "AKA-REQ-AUTH", aka_request },
	{ "AKA-AUTS", auts_request },
	{ "SIM-REQ-AUTH", sim_request },
};

void hss_datagram(struct db *db, struct bytes in, struct buf *answer)
{
	struct bytes name = word(&in), digits = word(&in);
	char imsi[IMSI_MAX + 1] = "";

	if (digits.n == 0 || digits.n > IMSI_MAX)
		return;
	memcpy(imsi, digits.p, digits.n);
	if (strspn(imsi, "0123456789") != digits.n)
		return;
	for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
		if (!bytes_equal(name, bytes_str(requests[i].name)) || db_begin(db) != OK)
			continue;
		/* A vector that is not remembered as used must not be seen by anybody. */
		if (requests[i].run(db, imsi, in, answer) != OK)
			(void)!db_rollback(db);
		else if (db_commit(db) != OK)
			answer->len = 0;
		return;
	}
}
