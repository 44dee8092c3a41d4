/* SPDX-License-Identifier: Apache-2.0 */
/* The USIM (TS 31.102 clause 7): AUTHENTICATE in its contexts. Its file tree belongs to the operating system. */
#include "card/applets/usim/usim.h"

#include <string.h>

#include "apdu/birth.h"
#include "apdu/files.h"
#include "apdu/tlv.h"
#include "crypto/guarded/gba.h"

enum {
	CONTEXT_GSM = 0x80,
	CONTEXT_3G = 0x81,
	CONTEXT_VGCS = 0x82,
	CONTEXT_GBA = 0x84,
	CONTEXT_MBMS = 0x85,
	CONTEXT_LOCAL = 0x86
};
enum { TAG_SUCCESS = 0xDB, TAG_SYNCHRONISATION = 0xDC, DELTA_BITS = 28 };

static const struct bytes key_name = { (const uint8_t *)"k", 1 };

/* Six octets of SEQ, or what stands for them. */
static enum status take_limit(struct bytes in, uint32_t tag, uint64_t otherwise, uint64_t *out)
{
	struct bytes v;
	enum status st = tlv_find(in, tag, &v);

	if (st != OK && st != ERR_NOT_FOUND)
		return st;
	if (st == OK && v.n != 6)
		return ERR_MALFORMED;
	*out = st == OK ? bytes_uint(v) : otherwise;
	return OK;
}

/* The record "k". */
static enum status load(struct applet *a, struct aka_subscriber *s, struct usim_limits *l)
{
	SECRET_LARGE record = { 0 };
	struct bytes in;

	TRY(applet_get(a, key_name, &record));
	in = secret_large_bytes(&record);
	TRY(take_limit(in, AKA_TAG_DELTA, 1ULL << DELTA_BITS, &l->delta));
	TRY(take_limit(in, AKA_TAG_AGE_LIMIT, 0, &l->age_limit));
	return aka_parse(in, s);
}

/* Parameters: BIRTH_K, BIRTH_OPC unless the algorithm has none, BIRTH_AKA unless it is plain Milenage. */
static enum status usim_install(struct applet *a, struct bytes parameters)
{
	SECRET_LARGE record = { 0 };
	AKA_SUBSCRIBER s = { 0 };
	struct buf b = { record.data, 0, sizeof record.data, false };
	struct usim_limits l;

	TRY(aka_put(parameters, &b));
	TRY(applet_put(a, key_name, buf_bytes(&b)));
	TRY(load(a, &s, &l)); /* refuses a card that could not authenticate */
	return usim_sqn_init(a);
}

uint8_t usim_file(struct applet *a, uint16_t fid)
{
	uint8_t adf = file_by_aid(&a->card->fs, (struct bytes){ a->aid, a->aid_len }, FILE_NONE);

	return adf == FILE_NONE ? FILE_NONE : file_child(&a->card->fs, adf, fid);
}

bool usim_service(struct applet *a, enum usim_service service)
{
	uint8_t raw[RECORD_MAX], index = usim_file(a, FID_UST);
	struct buf b = BUF_OF(raw);
	size_t at = (size_t)(service - 1) / 8;

	return index != FILE_NONE && file_read(&a->card->fs, index, &b) == OK && at < b.len &&
	       (raw[at] >> (service - 1) % 8 & 1) != 0;
}

enum sw usim_authenticate(struct applet *a, struct aka_subscriber *s, struct bytes rand, struct bytes autn, bool gba,
        struct aka_keys *keys, bool *synchronised, struct buf *rsp)
{
	uint8_t sqn[SQN_LEN], amf[AMF_LEN], mac[AKA_MAC_MAX], expected[AKA_MAC_MAX], sqn_ms[SQN_LEN], auts[AUTS_LEN];
	struct usim_limits l;
	enum status st;
	bool right;

	*synchronised = false;
	if ((st = load(a, s, &l)) != OK)
		return sw_of(st);
	if (rand.n != RAND_LEN || autn.n != (size_t)SQN_LEN + AMF_LEN + s->mac_len || (gba && s->mac_len != MAC_LEN))
		return SW_WRONG_LENGTH;
	if ((st = aka_f2345(s, rand.p, keys)) != OK)
		return sw_of(st);
	for (size_t i = 0; i < SQN_LEN; i++)
		sqn[i] = autn.p[i] ^ keys->ak[i];
	memcpy(amf, autn.p + SQN_LEN, AMF_LEN);
	memcpy(mac, autn.p + SQN_LEN + AMF_LEN, s->mac_len);
	if ((gba && (st = gba_u_mac((struct bytes){ keys->ik, s->ik_len }, mac)) != OK) ||
	        (st = aka_f1(s, rand.p, sqn, amf, expected, NULL)) != OK)
		return sw_of(st);
	right = secret_equals((struct bytes){ expected, s->mac_len }, (struct bytes){ mac, s->mac_len });
	secret_clean(expected, sizeof expected); /* the MAC that a forger lacks */
	if (!right)
		return SW_AKA_MAC; /* and never AUTS: that would be an oracle */
	st = usim_sqn_accept(a, &l, sqn, sqn_ms);
	if (st == OK) {
		*synchronised = true;
		return SW_OK;
	}
	if (st != ERR_DENIED || (st = aka_auts_build(s, rand.p, sqn_ms, auts)) != OK)
		return sw_of(st);
	tlv_put(rsp, TAG_SYNCHRONISATION, BYTES_OF(auts));
	return SW_OK;
}

static void put_field(struct buf *b, const uint8_t *p, size_t n)
{
	buf_put_u8(b, (uint8_t)n);
	buf_put(b, (struct bytes){ p, n });
}

static enum sw authenticate_3g(struct command *c)
{
	AKA_SUBSCRIBER s = { 0 };
	AKA_KEYS keys = { 0 };
	struct bytes in = c->data, rand, autn;
	bool synchronised;
	enum sw sw;

	if (!bytes_take_field(&in, &rand) || !bytes_take_field(&in, &autn) || in.n != 0)
		return SW_WRONG_LENGTH;
	sw = usim_authenticate(c->applet, &s, rand, autn, false, &keys, &synchronised, c->rsp);
	if (sw == SW_OK && synchronised) {
		uint8_t sres[4], kc[8];

		aka_gsm(&s, &keys, sres, kc);
		buf_put_u8(c->rsp, TAG_SUCCESS);
		put_field(c->rsp, keys.res, s.res_len);
		put_field(c->rsp, keys.ck, s.ck_len);
		put_field(c->rsp, keys.ik, s.ik_len);
		if (usim_service(c->applet, SERVICE_GSM_ACCESS))
			put_field(c->rsp, kc, sizeof kc);
		secret_clean(kc, sizeof kc);
	}
	return sw;
}

static enum sw authenticate_gsm(struct command *c)
{
	AKA_SUBSCRIBER s = { 0 };
	AKA_KEYS keys = { 0 };
	struct bytes in = c->data, rand;
	struct usim_limits l;
	uint8_t sres[4], kc[8];
	enum status st;

	if (!bytes_take_field(&in, &rand) || in.n != 0 || rand.n != RAND_LEN)
		return SW_WRONG_LENGTH;
	if ((st = load(c->applet, &s, &l)) != OK || (st = aka_f2345(&s, rand.p, &keys)) != OK)
		return sw_of(st);
	aka_gsm(&s, &keys, sres, kc);
	put_field(c->rsp, sres, sizeof sres);
	put_field(c->rsp, kc, sizeof kc);
	secret_clean(kc, sizeof kc);
	return SW_OK;
}

static enum sw no_context(struct command *c)
{
	(void)c;
	return SW_AKA_CONTEXT;
}

/* Contexts of even and odd INS. A context whose service EF_UST does not have is answered 9864. */
static const struct context {
	uint8_t ins, p2;
	uint8_t service; /* 0: always there */
	enum sw (*handler)(struct command *);
} contexts[] = {
	{ INS_AUTHENTICATE, CONTEXT_3G, 0, authenticate_3g },
	{ INS_AUTHENTICATE, CONTEXT_GSM, SERVICE_GSM_CONTEXT, authenticate_gsm },
	{ INS_AUTHENTICATE, CONTEXT_GBA, SERVICE_GBA, usim_gba },
	{ INS_AUTHENTICATE, CONTEXT_VGCS, SERVICE_VGCS_SECURITY, no_context },
	{ INS_AUTHENTICATE_ODD, CONTEXT_MBMS, SERVICE_MBMS, no_context },
	{ INS_AUTHENTICATE_ODD, CONTEXT_LOCAL, SERVICE_LOCAL_KEY, no_context },
};

static enum sw usim_authenticate_command(struct command *c)
{
	for (size_t i = 0; i < sizeof contexts / sizeof *contexts; i++)
		if (contexts[i].ins == c->ins && contexts[i].p2 == c->p2)
			return contexts[i].service == 0 || usim_service(c->applet, contexts[i].service) ? contexts[i].handler(c)
			                                                                                : SW_AKA_CONTEXT;
	return SW_WRONG_P1P2;
}

static const struct command_row usim_rows[] = {
	{ 0x00, 0x80, INS_AUTHENTICATE, 0x00, 0x87, CASE_4, 1, 255, NEEDS_PIN, usim_authenticate_command, "AUTHENTICATE" },
	{ 0x00, 0x80, INS_AUTHENTICATE_ODD, 0xFF, 0x87, CASE_4, 0, 255, NEEDS_PIN, usim_authenticate_command, "AUTHENTICATE" },
	{ 0x80, 0x80, INS_GET_IDENTITY, 0x00, 0x03, CASE_2, 0, 0, NEEDS_PIN, usim_get_identity, "GET IDENTITY" },
};

const struct applet_class usim_class = {
	.name = "USIM",
	.rows = usim_rows,
	.row_count = sizeof usim_rows / sizeof *usim_rows,
	.install = usim_install,
};
