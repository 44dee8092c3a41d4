/* SPDX-License-Identifier: Apache-2.0 */
/* Security domains (GlobalPlatform 2.3): SCP03 for local administration, GET DATA, PUT KEY; with domain_content.c the same
 * commands in scripts of the domain's TAR. An administrator is somebody whose MAC is right. */
#include <string.h>

#include "apdu/birth.h"
#include "apdu/tlv.h"
#include "card/applets/remote/agent.h"
#include "card/applets/domain/domain.h"
#include "card/applets/remote/rfm.h"
#include "ota/gp_key.h"
#include "ota/http_admin.h"
#include "ota/scp03.h"

enum { INS_INITIALIZE_UPDATE = 0x50, INS_EXTERNAL_AUTHENTICATE = 0x82 };
enum { CLA_SECURE = 0x04, CLA_GP = 0x80, SCP_RECORD_LEN = 1 + 3 * DOMAIN_KEY_LEN, SEQUENCE_LEN = 3, DIVERSIFICATION_LEN = 10 };
enum {
	SCP03_ID = 0x03,
	SCP03_I_RANDOM = 0x60,
	SCP03_I_COUNTER = 0x70,
	KVN_SCP03_FIRST = 0x30,
	KVN_SCP03_LAST = 0x3F,
	KVN_SCP80_LAST = 0x0F
};
enum { SEQUENCE_MAX = 0xFFFFFF };
enum { PUT_KEY_SEVERAL = 0x80, KEY_LEN = DOMAIN_KEY_LEN };
enum {
	TAG_IIN = 0x42,
	TAG_CIN = 0x45,
	TAG_CARD_DATA = 0x66,
	TAG_SEQUENCE = 0xC1,
	TAG_KEY_INFORMATION = 0xE0,
	TAG_KEY_DATA = 0xC0
};
enum { TAG_FCI = 0x6F, TAG_FCI_AID = 0x84, TAG_FCI_PROPRIETARY = 0xA5, TAG_LONGEST_DATA = 0x9F65, LONGEST_DATA = 255 };
enum { IIN_LEN = 4 };

static const struct bytes scp_name = { (const uint8_t *)"scp", 3 };
static const struct bytes sequence_name = { (const uint8_t *)"seq", 3 };

/* Parameters: BIRTH_ISD_ENC and so on. A domain that is installed without keys gets them by STORE DATA from its own domain; a
 * BIRTH_OTA_KVN, KIC and KID are its first set for secured packets. */
static enum status take_keys(struct applet *a, struct bytes parameters)
{
	SECRET record = { 0 };
	struct buf b = { record.data, 0, SCP_RECORD_LEN, false };
	struct ota_keys ota = { .kic_type = KEY_AES, .kid_type = KEY_AES };
	struct bytes key, kvn;

	buf_put_u8(&b, BIRTH_ISD_KVN);
	for (uint32_t tag = BIRTH_ISD_ENC; tag <= BIRTH_ISD_DEK; tag++) {
		TRY(tlv_find(parameters, tag, &key));
		if (key.n != KEY_LEN)
			return ERR_MALFORMED;
		buf_put(&b, key);
	}
	TRY(buf_status(&b));
	TRY(applet_put(a, scp_name, buf_bytes(&b)));
	if (tlv_find(parameters, BIRTH_PSK, &key) == OK)
		TRY(agent_put_key(a, KVN_PSK_FIRST, key));
	if (domain_is_issuer(a) || tlv_find(parameters, BIRTH_OTA_KVN, &kvn) != OK)
		return OK; /* the issuer's sets are with the remote file management */
	TRY(tlv_find(parameters, BIRTH_OTA_KIC, &ota.kic));
	TRY(tlv_find(parameters, BIRTH_OTA_KID, &ota.kid));
	ota.kvn = kvn.n == 1 ? kvn.p[0] : 0;
	return rfm_keys_put(a, &ota);
}

static enum status domain_install(struct applet *a, struct bytes parameters)
{
	return parameters.n > 0 ? take_keys(a, parameters) : OK;
}

static enum status domain_store_data(struct applet *a, struct bytes data)
{
	SECRET_LARGE record = { 0 };

	/* First keys only: whoever has them replaces them by PUT KEY, and nobody else. */
	if (applet_get(a, scp_name, &record) != ERR_NOT_FOUND)
		return ERR_DENIED;
	return take_keys(a, data);
}

struct domain_state *domain_state(const struct command *c)
{
	return c->channel->number == CHANNEL_SCRIPT ? c->applet->transient : c->channel->session;
}

static void end_session(const struct command *c)
{
	secret_clean(domain_state(c), sizeof(struct domain_state));
}

/* A security error in it: not what is in clear is answered now. */
static enum sw abort_session(const struct command *c)
{
	struct domain_state *s = domain_state(c);
	bool was_open = s->session.level != 0 || s->aborted;

	end_session(c);
	s->aborted = was_open;
	return SW_SECURITY_NOT_SATISFIED;
}

static struct scp03_keys keys_of(const struct secret_large *record)
{
	return (struct scp03_keys){ { record->data + 1, KEY_LEN }, { record->data + 1 + KEY_LEN, KEY_LEN } };
}

static struct bytes dek_of(const struct secret_large *record)
{
	return (struct bytes){ record->data + 1 + 2 * KEY_LEN, KEY_LEN };
}

/* The counter of the last challenge that was answered. ERR_NOT_FOUND: challenges are random. */
static enum status load_sequence(struct applet *a, uint32_t *out)
{
	SECRET_LARGE stored = { 0 };

	TRY(applet_get(a, sequence_name, &stored));
	*out = (uint32_t)bytes_uint(secret_large_bytes(&stored));
	return OK;
}

/* Nothing is written: whoever asks has proved nothing, and the same challenge again is good until it has been answered. */
static enum sw make_challenge(struct applet *a, const struct scp03_keys *keys, struct domain_state *s)
{
	uint32_t last;
	enum status st = load_sequence(a, &last);

	s->sequence = st == OK ? last + 1 : 0;
	if (st == ERR_NOT_FOUND)
		st = rng_fill(a->card->env.rng, s->card, sizeof s->card);
	else if (st == OK && s->sequence > SEQUENCE_MAX)
		return SW_CONDITIONS_NOT_SATISFIED; /* until PUT KEY (Amendment D 6.2.2.1) */
	else if (st == OK)
		st = scp03_challenge(keys, s->sequence, (struct bytes){ a->aid, a->aid_len }, SCP03_S8, s->card);
	return sw_of(st);
}

/* A new session: the old one is gone, whatever becomes of this. */
static enum sw initialize_update(struct command *c)
{
	SECRET_LARGE record = { 0 };
	struct domain_state *s = domain_state(c);
	uint8_t cryptogram[SCP03_S8];
	struct scp03_keys keys;
	enum sw sw;

	end_session(c);
	if (c->p2 != 0)
		return SW_WRONG_P1P2;
	if (c->data.n != SCP03_S8)
		return SW_WRONG_LENGTH;
	if (applet_get(c->applet, scp_name, &record) != OK || (c->p1 != 0 && c->p1 != record.data[0]))
		return SW_REFERENCE_NOT_FOUND; /* or no keys yet */
	keys = keys_of(&record);
	memcpy(s->host, c->data.p, sizeof s->host);
	if ((sw = make_challenge(c->applet, &keys, s)) != SW_OK)
		return sw;
	if (scp03_open(&s->session, &keys, s->host, s->card, SCP03_S8) != OK ||
	        scp03_cryptogram(&s->session, true, s->host, s->card, cryptogram) != OK)
		return SW_TECHNICAL_PROBLEM;
	buf_put(c->rsp, (struct bytes){ c->card->env.card_id, DIVERSIFICATION_LEN });
	buf_put_u8(c->rsp, record.data[0]);
	buf_put_u8(c->rsp, SCP03_ID);
	buf_put_u8(c->rsp, s->sequence != 0 ? SCP03_I_COUNTER : SCP03_I_RANDOM);
	buf_put(c->rsp, BYTES_OF(s->card));
	buf_put(c->rsp, BYTES_OF(cryptogram));
	if (s->sequence != 0)
		buf_put_uint(c->rsp, SEQUENCE_LEN, s->sequence);
	return SW_OK;
}

/* The challenge has been answered: no session of it can be opened again, not even after a power cut. */
static enum sw spend_challenge(struct applet *a, const struct domain_state *s)
{
	uint8_t raw[SEQUENCE_LEN];
	uint32_t last;

	if (s->sequence == 0)
		return SW_OK;
	if (load_sequence(a, &last) != OK || last >= s->sequence)
		return SW_CONDITIONS_NOT_SATISFIED; /* the key set has been replaced since, or another channel was faster */
	bytes_from_uint(s->sequence, raw, sizeof raw);
	return applet_put_now(a, sequence_name, BYTES_OF(raw)) == OK ? SW_OK : SW_MEMORY_PROBLEM;
}

/* data: without its MAC, which has been right. */
static enum sw external_authenticate(struct command *c)
{
	static const uint8_t levels[] = { 0x01, 0x03, 0x11, 0x13, 0x33 };
	struct domain_state *s = domain_state(c);
	uint8_t expected[SCP03_S8];
	enum sw sw;

	if (s->session.level != 0)
		return SW_CONDITIONS_NOT_SATISFIED; /* an answer to INITIALIZE UPDATE, and to nothing else */
	if (memchr(levels, c->p1, sizeof levels) == NULL || c->p2 != 0) {
		end_session(c);
		return SW_WRONG_P1P2;
	}
	if (scp03_cryptogram(&s->session, false, s->host, s->card, expected) != OK ||
	        !secret_equals(BYTES_OF(expected), c->data)) {
		end_session(c);
		return SW_AUTHENTICATION_FAILED;
	}
	if ((sw = spend_challenge(c->applet, s)) != SW_OK) {
		end_session(c);
		return sw;
	}
	s->session.level = c->p1;
	return SW_OK;
}

static void put_key_information(struct buf *b, uint8_t index, uint8_t kvn, uint8_t type, size_t len)
{
	tlv_put(b, TAG_KEY_DATA, (struct bytes){ (const uint8_t[]){ index, kvn, type, (uint8_t)len }, 4 });
}

static uint8_t gp_type(uint8_t type)
{
	return type == KEY_AES || type == 0 ? GP_KEY_AES : GP_KEY_3DES;
}

static enum sw key_information(struct command *c, struct buf *out)
{
	struct applet *rfm = domain_ota_keys(c->card, c->applet);

	for (uint8_t kvn = 1; rfm != NULL && kvn <= KVN_SCP80_LAST; kvn++) {
		RFM_KEYS k = { 0 };

		if (rfm_keys_load(rfm, kvn, &k) != OK)
			continue;
		put_key_information(out, 1, kvn, gp_type(k.keys.kic_type), k.keys.kic.n);
		put_key_information(out, 2, kvn, gp_type(k.keys.kid_type), k.keys.kid.n);
	}
	{
		SECRET_LARGE record = { 0 };

		for (uint8_t i = 1; applet_get(c->applet, scp_name, &record) == OK && i <= 3; i++)
			put_key_information(out, i, record.data[0], GP_KEY_AES, KEY_LEN);
	}
	return SW_OK;
}

/* The issuer's number is the beginning of the ICCID, seven digits; the card's among the issuer's is the whole ICCID. */
static enum sw put_digits(const struct command *c, size_t n, uint8_t last, struct buf *out)
{
	uint8_t digits[CARD_ID_LEN];

	if (!domain_is_issuer(c->applet))
		return SW_REFERENCE_NOT_FOUND;
	for (size_t i = 0; i < n; i++)
		digits[i] = (uint8_t)(c->card->env.card_id[i] << 4 | c->card->env.card_id[i] >> 4);
	digits[n - 1] |= last;
	buf_put(out, (struct bytes){ digits, n });
	return SW_OK;
}

static enum sw issuer_number(struct command *c, struct buf *out)
{
	return put_digits(c, IIN_LEN, 0x0F, out);
}

static enum sw card_number(struct command *c, struct buf *out)
{
	return put_digits(c, CARD_ID_LEN, 0, out);
}

/* H.2: a GlobalPlatform card, of 2.3.1, told apart by both numbers, SCP03 with its i. */
static enum sw card_data(struct command *c, struct buf *out)
{
	static const uint8_t head[] = { 0x73, 0x2F, 0x06, 0x07, 0x2A, 0x86, 0x48, 0x86, 0xFC, 0x6B, 0x01, 0x60, 0x0C, 0x06,
		0x0A, 0x2A, 0x86, 0x48, 0x86, 0xFC, 0x6B, 0x02, 0x02, 0x03, 0x01, 0x63, 0x09, 0x06, 0x07, 0x2A, 0x86, 0x48,
		0x86, 0xFC, 0x6B, 0x03, 0x64, 0x0B, 0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xFC, 0x6B, 0x04, SCP03_ID };
	uint32_t counter;

	buf_put(out, BYTES_OF(head));
	buf_put_u8(out, load_sequence(c->applet, &counter) == OK ? SCP03_I_COUNTER : SCP03_I_RANDOM);
	return SW_OK;
}

static enum sw sequence_counter(struct command *c, struct buf *out)
{
	uint32_t counter;
	enum status st = load_sequence(c->applet, &counter);

	if (st != OK)
		return st == ERR_NOT_FOUND ? SW_REFERENCE_NOT_FOUND : sw_of(st);
	buf_put_uint(out, SEQUENCE_LEN, counter);
	return SW_OK;
}

/* What a Security Domain shall have (11.3.2.1); of the ISO class, the value alone. */
static enum sw get_data(struct command *c)
{
	static const struct {
		uint8_t tag;
		enum sw (*put)(struct command *, struct buf *out);
	} objects[] = { { TAG_IIN, issuer_number }, { TAG_CIN, card_number }, { TAG_CARD_DATA, card_data },
		{ TAG_SEQUENCE, sequence_counter }, { TAG_KEY_INFORMATION, key_information } };

	uint8_t raw[255];
	struct buf b = BUF_OF(raw);
	enum sw sw = SW_REFERENCE_NOT_FOUND;

	for (size_t i = 0; i < sizeof objects / sizeof *objects; i++)
		if (c->p1 == 0 && c->p2 == objects[i].tag)
			sw = objects[i].put(c, &b);
	if (sw != SW_OK)
		return sw;
	if ((c->cla & CLA_GP) != 0)
		tlv_put(c->rsp, c->p2, buf_bytes(&b));
	else
		buf_put(c->rsp, buf_bytes(&b));
	return b.failed ? SW_TECHNICAL_PROBLEM : SW_OK;
}

static enum sw take_key(struct bytes *in, struct bytes dek, struct secret *key, struct buf *kcvs)
{
	enum status st = gp_key_take(in, dek, key, kcvs);

	if (st == ERR_CRYPTO)
		return SW_SECURITY_NOT_SATISFIED; /* the check value (11.8.3.2) */
	return st == ERR_DENIED ? SW_FUNCTION_NOT_SUPPORTED : sw_of(st);
}

static enum sw put_scp80(struct command *c, uint8_t kvn, struct bytes dek, struct bytes in, struct buf *kcvs)
{
	SECRET kic = { 0 };
	SECRET kid = { 0 };
	RFM_KEYS old = { 0 };
	struct applet *rfm = domain_ota_keys(c->card, c->applet);
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

/* The domain's own keys: all three together, and from the next session on, whose challenges are random. */
static enum sw put_scp03(struct command *c, uint8_t kvn, const struct secret_large *old, struct bytes in, struct buf *kcvs)
{
	SECRET_LARGE record = { 0 };
	struct buf b = { record.data, 0, SCP_RECORD_LEN, false };
	uint32_t counter;
	enum status st;
	enum sw sw;

	if (c->p1 == 0 && kvn != old->data[0])
		return SW_NO_MEMORY; /* there is one set, which another replaces */
	if (c->p1 != old->data[0] || (c->p2 & ~PUT_KEY_SEVERAL) != 1)
		return SW_REFERENCE_NOT_FOUND;
	buf_put_u8(&b, kvn);
	for (int i = 0; i < 3; i++) {
		SECRET key = { 0 };

		if ((sw = take_key(&in, dek_of(old), &key, kcvs)) != SW_OK)
			return sw;
		if (key.len != KEY_LEN)
			return SW_WRONG_DATA;
		buf_put(&b, secret_bytes(&key));
	}
	if (in.n != 0)
		return SW_WRONG_DATA;
	if (load_sequence(c->applet, &counter) == OK && (st = applet_erase(c->applet, sequence_name)) != OK)
		return sw_of(st);
	return sw_of(applet_put(c->applet, scp_name, buf_bytes(&b)));
}

/* The key that load files for this domain are signed with (C.6). */
static enum sw put_dap(struct command *c, struct bytes dek, struct bytes in, struct buf *kcvs)
{
	SECRET key = { 0 };
	enum sw sw = take_key(&in, dek, &key, kcvs);

	if (sw != SW_OK)
		return sw;
	return in.n == 0 && key.len == KEY_LEN ? sw_of(applet_put(c->applet, BYTES_STR("dap"), secret_bytes(&key)))
	                                       : SW_WRONG_DATA;
}

/* A pre-shared key of SCP81 (Amendment B): it has no check value. */
static enum sw put_psk(struct command *c, uint8_t kvn, struct bytes dek, struct bytes in)
{
	SECRET key = { 0 };
	enum status st = gp_psk_take(&in, dek, &key);

	if (st != OK || in.n != 0)
		return st == ERR_DENIED ? SW_FUNCTION_NOT_SUPPORTED : SW_WRONG_DATA;
	return sw_of(agent_put_key(c->applet, kvn, secret_bytes(&key)));
}

/* P1: the key set that is replaced, 0 for a new one; P2: the first key's number, 80 for several (11.8). */
static enum sw put_key(struct command *c)
{
	SECRET_LARGE record = { 0 };
	uint8_t raw[3 * GP_KCV_LEN];
	struct buf kcvs = BUF_OF(raw);
	struct bytes in = c->data;
	uint64_t kvn;
	enum sw sw;

	if (applet_get(c->applet, scp_name, &record) != OK)
		return SW_CONDITIONS_NOT_SATISFIED; /* no DEK yet */
	if (!bytes_take_uint(&in, 1, &kvn))
		return SW_WRONG_LENGTH;
	if (kvn >= 1 && kvn <= KVN_SCP80_LAST)
		sw = put_scp80(c, (uint8_t)kvn, dek_of(&record), in, &kcvs);
	else if (kvn >= KVN_SCP03_FIRST && kvn <= KVN_SCP03_LAST)
		sw = put_scp03(c, (uint8_t)kvn, &record, in, &kcvs);
	else if (kvn >= KVN_PSK_FIRST && kvn <= KVN_PSK_LAST)
		sw = put_psk(c, (uint8_t)kvn, dek_of(&record), in);
	else if (kvn == KVN_DAP)
		sw = put_dap(c, dek_of(&record), in, &kcvs);
	else
		return SW_REFERENCE_NOT_FOUND;
	if (sw != SW_OK)
		return sw;
	buf_put_u8(c->rsp, (uint8_t)kvn);
	buf_put(c->rsp, buf_bytes(&kcvs));
	return SW_OK;
}

static const struct domain_command {
	uint8_t ins;
	bool administrator;
	enum sw (*handler)(struct command *);
} commands[] = {
	{ INS_INITIALIZE_UPDATE, false, initialize_update },
	{ INS_EXTERNAL_AUTHENTICATE, false, external_authenticate },
	{ INS_GET_DATA, false, get_data },
	{ INS_PUT_KEY, true, put_key },
	{ INS_GET_STATUS, true, domain_get_status },
	{ INS_SET_STATUS, true, domain_set_status },
	{ INS_INSTALL, true, domain_install_command },
	{ INS_LOAD, true, domain_load },
	{ INS_DELETE, true, domain_delete },
	{ INS_STORE_DATA, true, domain_store_data_command },
};

/* In a session every command carries its MAC; a wrong one ends the session. The answer is protected as its level asks. */
static enum sw secured(struct command *c, const struct domain_command *row)
{
	SECRET_LARGE plain = { 0 };
	struct domain_state *s = domain_state(c);
	struct command_apdu a = { .cla = c->cla, .ins = c->ins, .p1 = c->p1, .p2 = c->p2, .data = c->data };
	struct command inner = *c;
	uint8_t raw[DOMAIN_ANSWER_MAX];
	struct buf answer = BUF_OF(raw);
	enum sw sw;

	if (scp03_unwrap(&s->session, &a, &plain) != OK)
		return abort_session(c);
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
	const struct domain_state *s = domain_state(c);
	const struct domain_command *row = NULL;

	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		if (commands[i].ins == c->ins)
			row = &commands[i];
	if (row == NULL)
		return SW_INS_NOT_SUPPORTED;
	if (c->channel->number == CHANNEL_SCRIPT) /* the packet has proved who sends it; sessions are for terminals */
		return row->administrator || c->ins == INS_GET_DATA ? row->handler(c) : SW_INS_NOT_SUPPORTED;
	if ((c->cla & CLA_SECURE) != 0)
		return row->ins == INS_INITIALIZE_UPDATE ? SW_CONDITIONS_NOT_SATISFIED : secured(c, row);
	if ((s->session.level != 0 || s->aborted) && c->ins != INS_INITIALIZE_UPDATE)
		return abort_session(c);
	if (c->ins == INS_EXTERNAL_AUTHENTICATE || (row->administrator && !c->channel->adm))
		return SW_SECURITY_NOT_SATISFIED;
	return row->handler(c);
}

#define ROW(ins, name)                                                                                                         \
	{                                                                                                                      \
		0x80, 0x80, ins, 0xFF, 0xFF, CASE_4, 0, 255, NEEDS_NOTHING, process, name                                      \
	}
static const struct command_row rows[] = {
	ROW(INS_INITIALIZE_UPDATE, "INITIALIZE UPDATE"),
	ROW(INS_EXTERNAL_AUTHENTICATE, "EXTERNAL AUTHENTICATE"),
	ROW(INS_GET_DATA, "GET DATA"),
	{ 0x00, 0x80, INS_GET_DATA, 0xFF, 0xFF, CASE_2, 0, 0, NEEDS_NOTHING, process, "GET DATA" },
	ROW(INS_GET_STATUS, "GET STATUS"),
	ROW(INS_SET_STATUS, "SET STATUS"),
	ROW(INS_PUT_KEY, "PUT KEY"),
	ROW(INS_INSTALL, "INSTALL"),
	ROW(INS_LOAD, "LOAD"),
	ROW(INS_DELETE, "DELETE"),
	ROW(INS_STORE_DATA, "STORE DATA"),
};

/* What a Security Domain says of itself (11.9.3.1). */
static void put_fci(const struct applet *a, struct buf *out)
{
	uint8_t raw[2 + AID_MAX + 2 + 4], longest[4];
	struct buf b = BUF_OF(raw), proprietary = BUF_OF(longest);

	tlv_put(&b, TAG_FCI_AID, (struct bytes){ a->aid, a->aid_len });
	tlv_put_uint(&proprietary, TAG_LONGEST_DATA, 1, LONGEST_DATA);
	tlv_put(&b, TAG_FCI_PROPRIETARY, buf_bytes(&proprietary));
	tlv_put(out, TAG_FCI, buf_bytes(&b));
}

/* Selected again, its session is over (Amendment D 5.6). A locked card says so (11.9.3.2). */
static enum sw domain_select(struct applet *a, struct command *c)
{
	if (c->channel->applet == a)
		secret_clean(c->channel->session, sizeof(struct domain_state));
	if ((c->p2 & P2_RETURN_MASK) != P2_NO_DATA)
		put_fci(a, c->rsp);
	return a->card->life == CARD_LOCKED ? SW_FILE_DEACTIVATED : SW_OK;
}

const struct applet_class domain_class = {
	.name = "SD",
	.rows = rows,
	.row_count = sizeof rows / sizeof *rows,
	.transient_len = sizeof(struct domain_state),
	.channel_len = sizeof(struct domain_state),
	.secure_messaging = true,
	.install = domain_install,
	.select = domain_select,
	.store_data = domain_store_data,
};
