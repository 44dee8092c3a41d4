/* The issuer security domain (GlobalPlatform 2.3): SCP03 for local administration, GET DATA, GET STATUS, PUT KEY; the same
 * commands in scripts of the card manager's TAR. An administrator is somebody whose MAC is right.
 *
 * Records: scp   KVN || ENC || MAC || DEK, AES-128
 *          seq   the SCP03 sequence counter, 3 octets, written by put_now before a challenge leaves */
#include <string.h>

#include "apdu/birth.h"
#include "apdu/tlv.h"
#include "card/applets/rfm.h"
#include "ota/gp_key.h"
#include "ota/scp03.h"

enum { INS_INITIALIZE_UPDATE = 0x50, INS_EXTERNAL_AUTHENTICATE = 0x82, INS_GET_STATUS = 0xF2 };
enum { CLA_SECURE = 0x04, KEY_LEN = 16, SCP_RECORD_LEN = 1 + 3 * KEY_LEN, SEQUENCE_LEN = 3, DIVERSIFICATION_LEN = 10 };
enum { SCP03_ID = 0x03, SCP03_I = 0x70, KVN_SCP03_FIRST = 0x30, KVN_SCP03_LAST = 0x3F, KVN_SCP80_LAST = 0x0F };
enum { PUT_KEY_SEVERAL = 0x80, LIFE_SELECTABLE = 0x07 };
enum { TAG_KEY_INFORMATION = 0xE0, TAG_KEY_DATA = 0xC0, TAG_APPLICATION = 0xE3, TAG_AID = 0x4F, TAG_LIFE = 0x9F70 };

static const struct bytes scp_name = { (const uint8_t *)"scp", 3 };
static const struct bytes sequence_name = { (const uint8_t *)"seq", 3 };

struct isd_state {
	struct scp03 session; /* level 0 until EXTERNAL AUTHENTICATE */
	uint8_t host[SCP03_S8], card[SCP03_S8];
};

static enum status isd_install(struct applet *a, struct bytes parameters)
{
	static const uint8_t zero[SEQUENCE_LEN];
	SECRET
	record = { 0 };
	struct buf b = { record.data, 0, SCP_RECORD_LEN, false };
	struct bytes key;

	buf_put_u8(&b, BIRTH_ISD_KVN);
	for (uint32_t tag = BIRTH_ISD_ENC; tag <= BIRTH_ISD_DEK; tag++) {
		TRY(tlv_find(parameters, tag, &key));
		if (key.n != KEY_LEN)
			return ERR_MALFORMED;
		buf_put(&b, key);
	}
	TRY(buf_status(&b));
	TRY(applet_put(a, scp_name, buf_bytes(&b)));
	return applet_put(a, sequence_name, BYTES_OF(zero));
}

static struct scp03_keys keys_of(const struct secret_large *record)
{
	return (struct scp03_keys){ { record->data + 1, KEY_LEN }, { record->data + 1 + KEY_LEN, KEY_LEN } };
}

static struct bytes dek_of(const struct secret_large *record)
{
	return (struct bytes){ record->data + 1 + 2 * KEY_LEN, KEY_LEN };
}

/* A new session: the old one is gone, whatever becomes of this. */
static enum sw initialize_update(struct command *c)
{
	SECRET_LARGE
	record = { 0 };
	SECRET_LARGE
	stored = { 0 };
	struct isd_state *s = c->applet->transient;
	uint8_t cryptogram[SCP03_S8], next[SEQUENCE_LEN];
	struct scp03_keys keys;
	uint64_t sequence;

	applet_forget(c->applet);
	if (c->p2 != 0)
		return SW_WRONG_P1P2;
	if (c->data.n != SCP03_S8)
		return SW_WRONG_LENGTH;
	if (applet_get(c->applet, scp_name, &record) != OK || applet_get(c->applet, sequence_name, &stored) != OK)
		return SW_TECHNICAL_PROBLEM;
	if (c->p1 != 0 && c->p1 != record.data[0])
		return SW_REFERENCE_NOT_FOUND;
	sequence = bytes_uint(secret_large_bytes(&stored)) + 1;
	if (sequence > 0xFFFFFF)
		return SW_METHOD_BLOCKED; /* no challenge twice */
	bytes_from_uint(sequence, next, sizeof next);
	keys = keys_of(&record);
	memcpy(s->host, c->data.p, sizeof s->host);
	if (applet_put_now(c->applet, sequence_name, BYTES_OF(next)) != OK)
		return SW_MEMORY_PROBLEM;
	if (scp03_challenge(
	            &keys, (uint32_t)sequence, (struct bytes){ c->applet->aid, c->applet->aid_len }, SCP03_S8, s->card) != OK ||
	        scp03_open(&s->session, &keys, s->host, s->card, SCP03_S8) != OK ||
	        scp03_cryptogram(&s->session, true, s->host, s->card, cryptogram) != OK)
		return SW_TECHNICAL_PROBLEM;
	buf_put(c->rsp, (struct bytes){ c->card->env.card_id, DIVERSIFICATION_LEN });
	buf_put(c->rsp, (struct bytes){ (const uint8_t[]){ record.data[0], SCP03_ID, SCP03_I }, 3 });
	buf_put(c->rsp, BYTES_OF(s->card));
	buf_put(c->rsp, BYTES_OF(cryptogram));
	buf_put(c->rsp, BYTES_OF(next));
	return SW_OK;
}

/* data: without its MAC, which has been right. */
static enum sw external_authenticate(struct command *c)
{
	static const uint8_t levels[] = { 0x01, 0x03, 0x11, 0x13, 0x33 };
	struct isd_state *s = c->applet->transient;
	uint8_t expected[SCP03_S8];

	if (memchr(levels, c->p1, sizeof levels) == NULL || c->p2 != 0) {
		applet_forget(c->applet);
		return SW_WRONG_P1P2;
	}
	if (scp03_cryptogram(&s->session, false, s->host, s->card, expected) != OK ||
	        !secret_equals(BYTES_OF(expected), c->data)) {
		applet_forget(c->applet);
		return SW_AUTHENTICATION_FAILED;
	}
	s->session.level = c->p1;
	return SW_OK;
}

static struct applet *rfm_of(struct card *card)
{
	for (size_t i = 0; i < card->applet_count; i++)
		if (card->applet[i].class == &rfm_class)
			return &card->applet[i];
	return NULL;
}

static void put_key_information(struct buf *b, uint8_t index, uint8_t kvn, uint8_t type, size_t len)
{
	tlv_put(b, TAG_KEY_DATA, (struct bytes){ (const uint8_t[]){ index, kvn, type, (uint8_t)len }, 4 });
}

static uint8_t gp_type(uint8_t type)
{
	return type == KEY_AES || type == 0 ? GP_KEY_AES : GP_KEY_3DES;
}

/* GET DATA of the key information template; nothing else is kept here. */
static enum sw get_data(struct command *c)
{
	struct applet *rfm = rfm_of(c->card);
	uint8_t raw[255];
	struct buf b = BUF_OF(raw);

	if (c->p1 != 0 || c->p2 != TAG_KEY_INFORMATION)
		return SW_REFERENCE_NOT_FOUND;
	for (uint8_t kvn = 1; rfm != NULL && kvn <= KVN_SCP80_LAST; kvn++) {
		RFM_KEYS
		k = { 0 };

		if (rfm_keys_load(rfm, kvn, &k) != OK)
			continue;
		put_key_information(&b, 1, kvn, gp_type(k.keys.kic_type), k.keys.kic.n);
		put_key_information(&b, 2, kvn, gp_type(k.keys.kid_type), k.keys.kid.n);
	}
	{
		SECRET_LARGE
		record = { 0 };

		for (uint8_t i = 1; applet_get(c->applet, scp_name, &record) == OK && i <= 3; i++)
			put_key_information(&b, i, record.data[0], GP_KEY_AES, KEY_LEN);
	}
	tlv_put(c->rsp, TAG_KEY_INFORMATION, buf_bytes(&b));
	return b.failed ? SW_TECHNICAL_PROBLEM : SW_OK;
}

/* GET STATUS in TLV form (P2 02): the domain itself (P1 80) or the applications (P1 40). */
static enum sw get_status(struct command *c)
{
	bool domain = c->p1 == 0x80;

	if ((c->p1 != 0x80 && c->p1 != 0x40) || c->p2 != 0x02)
		return SW_WRONG_P1P2;
	if (c->data.n != 2 || c->data.p[0] != TAG_AID || c->data.p[1] != 0)
		return SW_WRONG_DATA; /* selection by AID is for cards with more of them */
	for (size_t i = 0; i < c->card->applet_count; i++) {
		const struct applet *a = &c->card->applet[i];
		uint8_t raw[40];
		struct buf b = BUF_OF(raw);

		if ((a == c->applet) != domain)
			continue;
		tlv_put(&b, TAG_AID, (struct bytes){ a->aid, a->aid_len });
		tlv_put_uint(&b, TAG_LIFE, 1, LIFE_SELECTABLE);
		tlv_put(c->rsp, TAG_APPLICATION, buf_bytes(&b));
	}
	return SW_OK;
}

static enum sw take_key(struct bytes *in, struct bytes dek, struct secret *key, struct buf *kcvs)
{
	enum status st = gp_key_take(in, dek, key, kcvs);

	return st == ERR_DENIED ? SW_FUNCTION_NOT_SUPPORTED : sw_of(st);
}

static enum sw put_scp80(struct command *c, uint8_t kvn, struct bytes dek, struct bytes in, struct buf *kcvs)
{
	SECRET
	kic = { 0 };
	SECRET
	kid = { 0 };
	RFM_KEYS
	old = { 0 };
	struct applet *rfm = rfm_of(c->card);
	bool exists = rfm != NULL && rfm_keys_load(rfm, kvn, &old) == OK;
	struct ota_keys k = { .kvn = kvn, .kic_type = KEY_AES, .kid_type = KEY_AES };
	enum sw sw;

	if (rfm == NULL || exists != (c->p1 != 0) || (c->p1 != 0 && c->p1 != kvn) || (c->p2 & ~PUT_KEY_SEVERAL) != 1)
		return SW_REFERENCE_NOT_FOUND;
	if ((sw = take_key(&in, dek, &kic, kcvs)) != SW_OK || (sw = take_key(&in, dek, &kid, kcvs)) != SW_OK)
		return sw;
	if (in.n != 0)
		return SW_WRONG_DATA;
	k.kic = secret_bytes(&kic);
	k.kid = secret_bytes(&kid);
	if (exists && secret_equals(k.kic, old.keys.kic) && secret_equals(k.kid, old.keys.kid))
		return SW_OK; /* the same again: its counter is not set back */
	return sw_of(rfm_keys_put(rfm, &k));
}

/* The domain's own keys: all three together, and from the next session on. */
static enum sw put_scp03(struct command *c, uint8_t kvn, const struct secret_large *old, struct bytes in, struct buf *kcvs)
{
	SECRET_LARGE
	record = { 0 };
	struct buf b = { record.data, 0, SCP_RECORD_LEN, false };
	enum sw sw;

	if (c->p1 != old->data[0] || (c->p2 & ~PUT_KEY_SEVERAL) != 1)
		return SW_REFERENCE_NOT_FOUND;
	buf_put_u8(&b, kvn);
	for (int i = 0; i < 3; i++) {
		SECRET
		key = { 0 };

		if ((sw = take_key(&in, dek_of(old), &key, kcvs)) != SW_OK)
			return sw;
		if (key.len != KEY_LEN)
			return SW_WRONG_DATA;
		buf_put(&b, secret_bytes(&key));
	}
	if (in.n != 0)
		return SW_WRONG_DATA;
	return sw_of(applet_put(c->applet, scp_name, buf_bytes(&b)));
}

/* P1: the key set that is replaced, 0 for a new one; P2: the first key's number, 80 for several (11.8). */
static enum sw put_key(struct command *c)
{
	SECRET_LARGE
	record = { 0 };
	uint8_t raw[3 * GP_KCV_LEN];
	struct buf kcvs = BUF_OF(raw);
	struct bytes in = c->data;
	uint64_t kvn;
	enum sw sw;

	if (applet_get(c->applet, scp_name, &record) != OK)
		return SW_TECHNICAL_PROBLEM;
	if (!bytes_take_uint(&in, 1, &kvn))
		return SW_WRONG_LENGTH;
	if (kvn >= 1 && kvn <= KVN_SCP80_LAST)
		sw = put_scp80(c, (uint8_t)kvn, dek_of(&record), in, &kcvs);
	else if (kvn >= KVN_SCP03_FIRST && kvn <= KVN_SCP03_LAST)
		sw = put_scp03(c, (uint8_t)kvn, &record, in, &kcvs);
	else
		return SW_REFERENCE_NOT_FOUND;
	if (sw != SW_OK)
		return sw;
	buf_put_u8(c->rsp, (uint8_t)kvn);
	buf_put(c->rsp, buf_bytes(&kcvs));
	return SW_OK;
}

static const struct isd_command {
	uint8_t ins;
	bool administrator;
	enum sw (*handler)(struct command *);
} commands[] = {
	{ INS_INITIALIZE_UPDATE, false, initialize_update },
	{ INS_EXTERNAL_AUTHENTICATE, false, external_authenticate },
	{ INS_GET_DATA, false, get_data },
	{ INS_GET_STATUS, true, get_status },
	{ INS_PUT_KEY, true, put_key },
};

/* In a session every command carries its MAC; a wrong one ends the session. The answer is protected as its level asks. */
static enum sw secured(struct command *c, const struct isd_command *row)
{
	SECRET_LARGE
	plain = { 0 };
	struct isd_state *s = c->applet->transient;
	struct command_apdu a = { .cla = c->cla, .ins = c->ins, .p1 = c->p1, .p2 = c->p2, .data = c->data };
	struct command inner = *c;
	uint8_t raw[512];
	struct buf answer = BUF_OF(raw);
	enum sw sw;

	if (scp03_unwrap(&s->session, &a, &plain) != OK) {
		applet_forget(c->applet);
		return SW_SECURITY_NOT_SATISFIED;
	}
	inner.data = a.data;
	if (row->ins == INS_EXTERNAL_AUTHENTICATE)
		return row->handler(&inner);
	inner.rsp = &answer;
	sw = row->handler(&inner);
	if (!sw_commits(sw))
		return sw;
	if (answer.failed || scp03_wrap_response(&s->session, buf_bytes(&answer), (uint16_t)sw, c->rsp) != OK)
		return SW_TECHNICAL_PROBLEM;
	return sw;
}

static enum sw process(struct command *c)
{
	const struct isd_state *s = c->applet->transient;
	const struct isd_command *row = NULL;

	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		if (commands[i].ins == c->ins)
			row = &commands[i];
	if (row == NULL)
		return SW_INS_NOT_SUPPORTED;
	if (c->channel->number == CHANNEL_SCRIPT) /* the packet has proved who sends it; sessions are for terminals */
		return row->administrator || c->ins == INS_GET_DATA ? row->handler(c) : SW_INS_NOT_SUPPORTED;
	if ((c->cla & CLA_SECURE) != 0)
		return row->ins == INS_INITIALIZE_UPDATE ? SW_CONDITIONS_NOT_SATISFIED : secured(c, row);
	if (c->ins == INS_EXTERNAL_AUTHENTICATE || (row->administrator && !c->channel->adm) ||
	        (s->session.level != 0 && c->ins != INS_INITIALIZE_UPDATE))
		return SW_SECURITY_NOT_SATISFIED;
	return row->handler(c);
}

static const struct command_row rows[] = {
	{ 0x80, 0x80, INS_INITIALIZE_UPDATE, 0xFF, 0xFF, CASE_4, 1, 255, NEEDS_NOTHING, process, "INITIALIZE UPDATE" },
	{ 0x80, 0x80, INS_EXTERNAL_AUTHENTICATE, 0xFF, 0xFF, CASE_4, 1, 255, NEEDS_NOTHING, process, "EXTERNAL AUTHENTICATE" },
	{ 0x80, 0x80, INS_GET_DATA, 0xFF, 0xFF, CASE_4, 0, 255, NEEDS_NOTHING, process, "GET DATA" },
	{ 0x80, 0x80, INS_GET_STATUS, 0xFF, 0xFF, CASE_4, 0, 255, NEEDS_NOTHING, process, "GET STATUS" },
	{ 0x80, 0x80, INS_PUT_KEY, 0xFF, 0xFF, CASE_4, 1, 255, NEEDS_NOTHING, process, "PUT KEY" },
};

const struct applet_class isd_class = {
	.name = "ISD",
	.rows = rows,
	.row_count = sizeof rows / sizeof *rows,
	.transient_len = sizeof(struct isd_state),
	.secure_messaging = true,
	.install = isd_install,
};
