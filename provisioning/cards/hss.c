/* SPDX-License-Identifier: Apache-2.0 */
/* HSS: authentication vectors from the keys of the cards that this operator ordered (TS 33.102 6.3). */
#include <string.h>

#include "apdu/birth.h"
#include "apdu/base/hex.h"
#include "apdu/tlv.h"
#include "crypto/guarded/aka.h"
#include "crypto/common/rng.h"
#include "provisioning/keeper/requests.h"
#include "provisioning/operator.h"

enum { TRIPLETS_MAX = 5, SRES_LEN = 4, KC_LEN = 8 };

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

/* ---- what servers ask the keeper ------------------------------------------------------------------------------------ */

/* IMSI: sqn, RAND, AUTN, CK, IK and RES, fields of one octet of length. */
static enum status answer_vector(const struct desk *d, struct bytes in, struct buf *out)
{
	struct hss_vector v = { 0 };
	char imsi[IMSI_MAX + 1];
	enum status st;

	TRY(keeper_take_text(&in, imsi, sizeof imsi));
	if ((st = in.n == 0 ? hss_vector(d->db, imsi, &v) : ERR_MALFORMED) == OK) {
		const struct bytes field[] = { BYTES_OF(v.rand), BYTES_OF(v.autn), { v.ck, v.ck_len }, { v.ik, v.ik_len },
			{ v.res, v.res_len } };

		for (size_t i = 0; i < sizeof field / sizeof *field; i++) {
			buf_put_u8(out, (uint8_t)field[i].n);
			buf_put(out, field[i]);
		}
	}
	secret_clean(&v, sizeof v);
	return st;
}
const struct keeper_request hss_ask_vector = { ASK_VECTOR, "vector", KEEPER_HSS, 1 + IMSI_MAX, KEEPER_WRITES, answer_vector };

/* How many, IMSI: RAND, SRES and Kc of each. */
static enum status answer_triplets(const struct desk *d, struct bytes in, struct buf *out)
{
	uint8_t rand[RAND_LEN], sres[SRES_LEN], kc[KC_LEN];
	char imsi[IMSI_MAX + 1];
	enum status st = OK;
	uint64_t n;

	if (!bytes_take_uint(&in, 1, &n) || n == 0 || n > TRIPLETS_MAX)
		return ERR_MALFORMED;
	TRY(keeper_take_text(&in, imsi, sizeof imsi));
	for (; in.n == 0 && st == OK && n > 0; n--) {
		st = hss_triplet(d->db, imsi, rand, sres, kc);
		buf_put(out, BYTES_OF(rand));
		buf_put(out, BYTES_OF(sres));
		buf_put(out, BYTES_OF(kc));
	}
	secret_clean(kc, sizeof kc);
	return n == 0 ? st : st != OK ? st : ERR_MALFORMED;
}
const struct keeper_request hss_ask_triplets = { ASK_TRIPLETS, "triplets", KEEPER_HSS, 2 + IMSI_MAX, KEEPER_WRITES,
	answer_triplets };

/* IMSI, RAND, AUTS: nothing. */
static enum status answer_resynchronisation(const struct desk *d, struct bytes in, struct buf *out)
{
	uint8_t rand[RAND_LEN], auts[AUTS_LEN];
	char imsi[IMSI_MAX + 1];

	(void)out;
	TRY(keeper_take_text(&in, imsi, sizeof imsi));
	if (!bytes_take_copy(&in, rand, sizeof rand) || !bytes_take_copy(&in, auts, sizeof auts) || in.n != 0)
		return ERR_MALFORMED;
	return hss_resynchronise(d->db, imsi, auts, rand);
}
const struct keeper_request hss_ask_resynchronisation = { ASK_RESYNCHRONISATION, "resynchronisation", KEEPER_HSS,
	1 + IMSI_MAX + RAND_LEN + AUTS_LEN, KEEPER_WRITES, answer_resynchronisation };

/* ---- hostapd -------------------------------------------------------------------------------------------------------- */

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

static void put_hex(struct buf *b, const char *before, struct bytes octets)
{
	char text[2 * 32 + 1];

	put_text(b, before);
	put_text(b, hex_encode(octets, text));
	secret_clean(text, sizeof text);
}

static enum status aka_request(struct db *db, const char *imsi, struct bytes rest, struct buf *out)
{
	enum { RAND_AT, AUTN_AT, CK_AT, IK_AT, RES_AT, FIELDS };
	static const int order[FIELDS] = { RAND_AT, AUTN_AT, IK_AT, CK_AT, RES_AT };
	SECRET_LARGE answer = { 0 };
	uint8_t raw[1 + IMSI_MAX];
	struct buf question = BUF_OF(raw), a = { answer.data, 0, sizeof answer.data, false };
	struct bytes left, field[FIELDS];
	enum status st;

	(void)rest;
	put_text(out, "AKA-RESP-AUTH ");
	put_text(out, imsi);
	keeper_put_text(&question, imsi);
	st = keeper_ask(db, 0, &hss_ask_vector, buf_bytes(&question), &a);
	left = buf_bytes(&a);
	for (int i = 0; st == OK && i < FIELDS; i++)
		st = bytes_take_field(&left, &field[i]) && field[i].n <= 32 ? OK : ERR_IO;
	for (int i = 0; st == OK && i < FIELDS; i++)
		put_hex(out, " ", field[order[i]]);
	if (st != OK)
		put_text(out, " FAILURE");
	return st;
}

static enum status auts_request(struct db *db, const char *imsi, struct bytes rest, struct buf *out)
{
	uint8_t auts[AUTS_LEN], rand[RAND_LEN], raw[1 + IMSI_MAX + RAND_LEN + AUTS_LEN];
	struct buf a = BUF_OF(auts), r = BUF_OF(rand), question = BUF_OF(raw), nothing = { 0 };

	(void)out; /* the protocol has no answer to this one */
	if (hex_decode(word(&rest), &a) != OK || hex_decode(word(&rest), &r) != OK || a.len != AUTS_LEN || r.len != RAND_LEN)
		return ERR_MALFORMED;
	keeper_put_text(&question, imsi);
	buf_put(&question, BYTES_OF(rand));
	buf_put(&question, BYTES_OF(auts));
	return keeper_ask(db, 0, &hss_ask_resynchronisation, buf_bytes(&question), &nothing);
}

static enum status sim_request(struct db *db, const char *imsi, struct bytes rest, struct buf *out)
{
	struct bytes count = word(&rest), left, rand, sres, kc;
	unsigned n = count.n == 1 && count.p[0] >= '1' && count.p[0] <= '0' + TRIPLETS_MAX ? count.p[0] - '0' : 0;
	SECRET_LARGE answer = { 0 };
	uint8_t raw[2 + IMSI_MAX];
	struct buf question = BUF_OF(raw), a = { answer.data, 0, sizeof answer.data, false };
	enum status st;

	put_text(out, "SIM-RESP-AUTH ");
	put_text(out, imsi);
	buf_put_u8(&question, (uint8_t)n);
	keeper_put_text(&question, imsi);
	st = keeper_ask(db, 0, &hss_ask_triplets, buf_bytes(&question), &a);
	if (st == OK && a.len != (size_t)n * (RAND_LEN + SRES_LEN + KC_LEN))
		st = ERR_IO;
	if (st != OK)
		put_text(out, " FAILURE");
	left = st == OK ? buf_bytes(&a) : (struct bytes){ 0 };
	while (bytes_take(&left, RAND_LEN, &rand) && bytes_take(&left, SRES_LEN, &sres) && bytes_take(&left, KC_LEN, &kc)) {
		put_hex(out, " ", kc);
		put_hex(out, ":", sres);
		put_hex(out, ":", rand);
	}
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
	for (size_t i = 0; i < sizeof requests / sizeof *requests; i++)
		if (bytes_equal(name, bytes_str(requests[i].name)))
			(void)!requests[i].run(db, imsi, in, answer);
}
