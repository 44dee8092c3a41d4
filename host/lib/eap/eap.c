/* SPDX-License-Identifier: Apache-2.0 */
/* The peer of EAP-AKA (RFC 4187) and EAP-AKA' (RFC 9048). The card answers RAND and AUTN; everything else is here: identities,
 * keys, AT_MAC, encrypted attributes, fast re-authentication, notifications. */
#include <stdlib.h>
#include <string.h>

#include "apdu/base/hex.h"
#include "apdu/files.h"
#include "apdu/base/secret.h"
#include "apdu/sw.h"
#include "crypto/common/aes.h"
#include "crypto/common/eap_keys.h"
#include "crypto/common/rng.h"
#include "host/lib/eap/eap_message.h"
#include "host/lib/session.h"

enum { ID_MAX = 253, NONCE_LEN = 16, NOTIFY_SUCCESS = 0x8000, NOTIFY_BEFORE_CHALLENGE = 0x4000 };

struct prose_eap {
	struct prose_card *card;
	bool prime;
	enum prose_eap_state state;
	bool challenged, reauthenticated; /* of this run */
	char permanent[ID_MAX + 1], pseudonym[ID_MAX + 1], reauth_id[ID_MAX + 1], network_name[ID_MAX + 1];
	char identity[ID_MAX + 1]; /* the one the keys are made for */
	struct eap_keys key;
	uint16_t counter;
	/* What the checkcode is over: the identity packets of this run, both ways. */
	uint8_t identities[2048];
	size_t identities_len;
};

static uint8_t method(const struct prose_eap *e)
{
	return e->prime ? PROSE_EAP_AKA_PRIME : PROSE_EAP_AKA;
}

static void begin(const struct prose_eap *e, const struct eap_message *m, enum subtype subtype, struct buf *b)
{
	eap_begin(b, method(e), m->id, subtype);
}

static enum status finish_with_mac(const struct prose_eap *e, struct buf *b, struct bytes extra)
{
	static const uint8_t zero[EAP_MAC_LEN];

	eap_put(b, AT_MAC, 0, BYTES_OF(zero));
	eap_end(b);
	TRY(buf_status(b));
	return eap_keys_mac(&e->key, buf_bytes(b), extra, b->p + b->len - EAP_MAC_LEN);
}

static enum status check_mac(const struct prose_eap *e, const struct eap_message *m)
{
	uint8_t copy[PROSE_EAP_PACKET_MAX], mac[EAP_MAC_LEN];

	if (m->mac.n != EAP_MAC_LEN || m->packet.n > sizeof copy)
		return ERR_MALFORMED;
	memcpy(copy, m->packet.p, m->packet.n);
	memset(copy + (m->mac.p - m->packet.p), 0, EAP_MAC_LEN);
	TRY(eap_keys_mac(&e->key, (struct bytes){ copy, m->packet.n }, (struct bytes){ 0 }, mac));
	return secret_equals(BYTES_OF(mac), m->mac) ? OK : ERR_CRYPTO;
}

/* AT_ENCR_DATA's attributes go into the same message; plain is their memory. */
static enum status open_encrypted(const struct prose_eap *e, struct eap_message *m, uint8_t plain[PROSE_EAP_PACKET_MAX])
{
	if (m->encrypted.n == 0)
		return OK;
	if (m->iv.n != AES_BLOCK || m->encrypted.n % AES_BLOCK != 0 || m->encrypted.n > PROSE_EAP_PACKET_MAX)
		return ERR_MALFORMED;
	TRY(aes_cbc_iv_decrypt(BYTES_OF(e->key.k_encr), m->iv.p, m->encrypted, plain));
	return eap_take_attributes(m, (struct bytes){ plain, m->encrypted.n }) ? OK : ERR_MALFORMED;
}

static void keep_identity(char *out, struct bytes value)
{
	if (value.n > ID_MAX)
		return;
	memcpy(out, value.p, value.n);
	out[value.n] = 0;
}

static void keep_identities(struct prose_eap *e, const struct eap_message *m)
{
	/* A pseudonym and a re-authentication identity are good once; without new ones there are none (RFC 4187 4.1.1.7). */
	e->reauth_id[0] = 0;
	if (m->next_pseudonym.n > 0)
		keep_identity(e->pseudonym, m->next_pseudonym);
	if (m->next_reauth_id.n > 0)
		keep_identity(e->reauth_id, m->next_reauth_id);
}

/* AT_CHECKCODE over the identity packets of this run; empty if there were none (RFC 4187 10.13). */
static enum status checkcode(const struct prose_eap *e, uint8_t out[SHA256_LEN], size_t *n)
{
	const struct bytes all = { e->identities, e->identities_len };

	*n = all.n == 0 ? 0 : e->prime ? SHA256_LEN : SHA1_LEN;
	return all.n == 0 ? OK : e->prime ? sha256(&all, 1, out) : sha1(&all, 1, out);
}

static enum status check_checkcode(const struct prose_eap *e, const struct eap_message *m)
{
	uint8_t own[SHA256_LEN];
	size_t n;

	if (!m->has_checkcode)
		return OK;
	TRY(checkcode(e, own, &n));
	return n == m->checkcode.n && secret_equals((struct bytes){ own, n }, m->checkcode) ? OK : ERR_CRYPTO;
}

/* The next run is a full one: the keys of a re-authentication may have been overwritten, or the server has lost them. */
static void fail(struct prose_eap *e)
{
	e->state = PROSE_EAP_FAILURE;
	e->reauth_id[0] = 0;
}

static enum prose_result give_up(struct prose_eap *e, const struct eap_message *m, enum subtype subtype, struct buf *out)
{
	begin(e, m, subtype, out);
	if (subtype == CLIENT_ERROR)
		eap_put(out, AT_CLIENT_ERROR_CODE, 0, (struct bytes){ 0 }); /* 0: unable to process packet */
	eap_end(out);
	fail(e);
	return PROSE_OK;
}

/* What is wrong with the packet the server hears; what is wrong here, the caller. */
static enum prose_result refuse(struct prose_eap *e, const struct eap_message *m, enum status st, struct buf *out)
{
	if (!status_failed(st))
		return give_up(e, m, CLIENT_ERROR, out);
	fail(e);
	return session_result(st);
}

static enum prose_result on_synchronisation(
        const struct prose_eap *e, const struct eap_message *m, const struct prose_aka *k, struct buf *out)
{
	begin(e, m, SYNCHRONIZATION_FAILURE, out);
	buf_put_u8(out, AT_AUTS);
	buf_put_u8(out, 4);
	buf_put(out, BYTES_OF(k->auts));
	if (e->prime)
		eap_put(out, AT_KDF, EAP_KDF_AKA_PRIME, (struct bytes){ 0 });
	eap_end(out);
	return PROSE_OK;
}

/* Keys from what the card says; then the packet under them. */
static enum status open_challenge(
        struct prose_eap *e, struct eap_message *m, const struct prose_aka *k, uint8_t plain[PROSE_EAP_PACKET_MAX])
{
	if (k->ck_len != 16 || k->ik_len != 16)
		return ERR_MALFORMED;
	TRY(eap_keys_full(
	        &e->key, e->prime, bytes_str(e->identity), k->ck, k->ik, m->kdf_input, (struct bytes){ m->autn.p, 6 }));
	TRY(check_mac(e, m));
	TRY(open_encrypted(e, m, plain));
	return check_checkcode(e, m);
}

static enum status put_response(
        const struct prose_eap *e, const struct eap_message *m, const struct prose_aka *k, struct buf *out)
{
	uint8_t code[SHA256_LEN];
	size_t n = 0;

	begin(e, m, CHALLENGE, out);
	eap_put(out, AT_RES, (unsigned)(8 * k->res_len), (struct bytes){ k->res, k->res_len });
	if (m->has_checkcode) {
		TRY(checkcode(e, code, &n));
		eap_put(out, AT_CHECKCODE, 0, (struct bytes){ code, n });
	}
	return finish_with_mac(e, out, (struct bytes){ 0 });
}

static enum prose_result answer_challenge(
        struct prose_eap *e, struct eap_message *m, const struct prose_aka *k, struct buf *out)
{
	uint8_t plain[PROSE_EAP_PACKET_MAX];
	enum prose_result r = PROSE_OK;
	enum status st = open_challenge(e, m, k, plain);

	if (st != OK) {
		r = refuse(e, m, st, out);
	} else if ((st = put_response(e, m, k, out)) != OK) {
		fail(e);
		r = session_result(st);
	} else {
		keep_identities(e, m);
		e->challenged = true;
		e->counter = 0;
	}
	secret_clean(plain, sizeof plain);
	return r;
}

static enum prose_result on_challenge(struct prose_eap *e, struct eap_message *m, struct buf *out)
{
	struct prose_aka k;
	enum prose_result r;

	if (m->rand.n != 16 || m->autn.n != 16 || m->mac.n != EAP_MAC_LEN)
		return give_up(e, m, CLIENT_ERROR, out);
	if (e->prime) {
		/* One key derivation function exists; the network must be the one we are told to expect; AMF's separation bit.
		 */
		if (!m->kdf_ok || m->kdf_input.n == 0 || (m->autn.p[6] & 0x80) == 0 ||
		        (e->network_name[0] != 0 && !bytes_equal(m->kdf_input, bytes_str(e->network_name))))
			return give_up(e, m, AUTHENTICATION_REJECT, out);
	}
	r = prose_authenticate(e->card, m->rand.p, m->autn.p, &k);
	if (r == PROSE_REFUSED && prose_card_status(e->card) == SW_AKA_MAC)
		return give_up(e, m, AUTHENTICATION_REJECT, out);
	if (r != PROSE_OK) {
		fail(e);
		return r;
	}
	r = k.synchronisation_failure ? on_synchronisation(e, m, &k, out) : answer_challenge(e, m, &k, out);
	secret_clean(&k, sizeof k);
	return r;
}

static enum status open_reauthentication(struct prose_eap *e, struct eap_message *m, uint8_t plain[PROSE_EAP_PACKET_MAX])
{
	if (e->reauth_id[0] == 0 || strcmp(e->identity, e->reauth_id) != 0)
		return ERR_DENIED;
	TRY(check_mac(e, m));
	TRY(open_encrypted(e, m, plain));
	return m->counter.n == 2 && m->nonce_s.n == NONCE_LEN ? check_checkcode(e, m) : ERR_MALFORMED;
}

static enum status put_reauthentication(const struct prose_eap *e, const struct eap_message *m, bool too_small, struct buf *out)
{
	uint8_t inner_raw[AES_BLOCK], iv[AES_BLOCK], sealed[AES_BLOCK];
	struct buf inner = BUF_OF(inner_raw);

	eap_put(&inner, AT_COUNTER, (unsigned)bytes_uint(m->counter), (struct bytes){ 0 });
	if (too_small)
		eap_put(&inner, AT_COUNTER_TOO_SMALL, 0, (struct bytes){ 0 });
	buf_put_u8(&inner, AT_PADDING);
	buf_put_u8(&inner, (uint8_t)((sizeof inner_raw - inner.len + 1) / 4));
	buf_put_zeros(&inner, sizeof inner_raw - inner.len);
	TRY(buf_status(&inner));
	TRY(rng_fill(&rng_system, iv, sizeof iv));
	TRY(aes_cbc_iv_encrypt(BYTES_OF(e->key.k_encr), iv, BYTES_OF(inner_raw), sealed));
	begin(e, m, REAUTHENTICATION, out);
	eap_put(out, AT_IV, 0, BYTES_OF(iv));
	eap_put(out, AT_ENCR_DATA, 0, BYTES_OF(sealed));
	return finish_with_mac(e, out, m->nonce_s);
}

static enum status reauthenticate(struct prose_eap *e, const struct eap_message *m, struct buf *out)
{
	bool too_small = bytes_uint(m->counter) <= e->counter;

	TRY(put_reauthentication(e, m, too_small, out));
	if (too_small) {
		e->reauth_id[0] = 0; /* the server goes on with a full authentication */
		return OK;
	}
	TRY(eap_keys_fast(&e->key, bytes_str(e->identity), m->counter, m->nonce_s));
	e->counter = (uint16_t)bytes_uint(m->counter);
	keep_identities(e, m);
	e->challenged = e->reauthenticated = true;
	return OK;
}

static enum prose_result on_reauthentication(struct prose_eap *e, struct eap_message *m, struct buf *out)
{
	uint8_t plain[PROSE_EAP_PACKET_MAX];
	enum status st = open_reauthentication(e, m, plain);
	enum prose_result r = PROSE_OK;

	if (st != OK) {
		r = refuse(e, m, st, out);
	} else if ((st = reauthenticate(e, m, out)) != OK) {
		fail(e);
		r = session_result(st);
	}
	secret_clean(plain, sizeof plain);
	return r;
}

static enum prose_result on_notification(struct prose_eap *e, struct eap_message *m, struct buf *out)
{
	bool after = (m->notification & NOTIFY_BEFORE_CHALLENGE) == 0;
	enum status st = OK;

	if (!m->has_notification || (after && !e->challenged))
		return give_up(e, m, CLIENT_ERROR, out);
	if (after && (st = check_mac(e, m)) != OK)
		return refuse(e, m, st, out);
	begin(e, m, NOTIFICATION, out);
	if (m->notification != NOTIFY_SUCCESS)
		e->challenged = false; /* the server says that it has failed: no success may follow */
	if (!after) {
		eap_end(out);
		return PROSE_OK;
	}
	if ((st = finish_with_mac(e, out, (struct bytes){ 0 })) != OK)
		fail(e);
	return session_result(st);
}

static const char *identity_for(const struct prose_eap *e, bool any, bool full)
{
	if (any && e->reauth_id[0] != 0)
		return e->reauth_id;
	return (any || full) && e->pseudonym[0] != 0 ? e->pseudonym : e->permanent;
}

static void remember(struct prose_eap *e, struct bytes packet)
{
	if (packet.n > sizeof e->identities - e->identities_len)
		return;
	memcpy(e->identities + e->identities_len, packet.p, packet.n);
	e->identities_len += packet.n;
}

static enum prose_result on_identity(struct prose_eap *e, const struct eap_message *m, struct buf *out)
{
	const char *id = identity_for(e, m->any_id, m->fullauth_id);

	if (!m->any_id && !m->fullauth_id && !m->permanent_id)
		return give_up(e, m, CLIENT_ERROR, out);
	(void)memmove(e->identity, id, strlen(id) + 1);
	begin(e, m, IDENTITY, out);
	eap_put(out, AT_IDENTITY, (unsigned)strlen(id), bytes_str(id));
	eap_end(out);
	remember(e, m->packet);
	remember(e, buf_bytes(out));
	return PROSE_OK;
}

/* EAP's own identity request begins a run. */
static enum prose_result on_eap_identity(struct prose_eap *e, uint8_t id, struct buf *out)
{
	const char *identity = identity_for(e, true, true);

	e->state = PROSE_EAP_RUNNING;
	e->challenged = e->reauthenticated = false;
	e->identities_len = 0;
	(void)memmove(e->identity, identity, strlen(identity) + 1);
	buf_put(out, (struct bytes){ (const uint8_t[]){ EAP_RESPONSE, id, 0, 0, EAP_TYPE_IDENTITY }, 5 });
	buf_put(out, bytes_str(identity));
	eap_end(out);
	return PROSE_OK;
}

static enum prose_result on_request(struct prose_eap *e, struct bytes packet, struct buf *out)
{
	uint8_t type = packet.p[4];
	struct eap_message m;

	if (type == EAP_TYPE_IDENTITY)
		return on_eap_identity(e, packet.p[1], out);
	if (type != method(e)) {
		buf_put(out,
		        (struct bytes){ (const uint8_t[]){ EAP_RESPONSE, packet.p[1], 0, 6, EAP_TYPE_NAK, method(e) }, 6 });
		return PROSE_OK;
	}
	if (!eap_parse(packet, &m))
		return packet.n >= EAP_AKA_HEADER_LEN ? give_up(e, &m, CLIENT_ERROR, out) : PROSE_FORMAT;
	switch (m.subtype) {
	case CHALLENGE: return on_challenge(e, &m, out);
	case IDENTITY: return on_identity(e, &m, out);
	case REAUTHENTICATION: return on_reauthentication(e, &m, out);
	case NOTIFICATION: return on_notification(e, &m, out);
	default: return give_up(e, &m, CLIENT_ERROR, out);
	}
}

/* Nobody signs these: out of turn they are passed over (RFC 3748 4.2). */
static enum prose_result on_success(struct prose_eap *e)
{
	if (e->state != PROSE_EAP_RUNNING || !e->challenged)
		return PROSE_FORMAT;
	e->state = PROSE_EAP_SUCCESS;
	return PROSE_OK;
}

static enum prose_result on_failure(struct prose_eap *e)
{
	if (e->state != PROSE_EAP_RUNNING && e->state != PROSE_EAP_FAILURE)
		return PROSE_FORMAT;
	fail(e);
	return PROSE_OK;
}

enum prose_result prose_eap_packet(
        struct prose_eap *e, const uint8_t *request, size_t n, uint8_t *response, size_t *response_len)
{
	struct buf out = { response, 0, *response_len, false };
	struct bytes packet = { request, n };
	enum prose_result r;

	*response_len = 0;
	/* Octets beyond EAP's own length are link padding. */
	if (n < 4 || n > PROSE_EAP_PACKET_MAX || (packet.n = (size_t)(request[2] << 8 | request[3])) > n || packet.n < 4)
		return PROSE_FORMAT;
	switch (request[0]) {
	case EAP_SUCCESS: return on_success(e);
	case EAP_FAILURE: return on_failure(e);
	case EAP_REQUEST: break;
	default: return PROSE_FORMAT;
	}
	if (packet.n < 5)
		return PROSE_FORMAT;
	r = on_request(e, packet, &out);
	if (r == PROSE_OK && out.failed)
		r = PROSE_NO_SPACE;
	*response_len = r == PROSE_OK ? out.len : 0;
	return r;
}

/* "0" or "6", the IMSI, and the realm of TS 23.003 14.2 with an MNC of three digits. */
static enum prose_result permanent_identity(struct prose_eap *e)
{
	static const uint16_t imsi_path[] = { FID_CURRENT_ADF, FID_IMSI }, ad_path[] = { FID_CURRENT_ADF, FID_AD };
	uint8_t raw[EF_IMSI_LEN], ad[8];
	char imsi[IMSI_MAX + 1];
	size_t n = sizeof raw, ad_len = sizeof ad, mnc;
	enum prose_result r = prose_file_read(e->card, imsi_path, 2, raw, &n);
	struct buf b = { (uint8_t *)e->permanent, 0, ID_MAX, false };

	if (r == PROSE_OK)
		r = prose_file_read(e->card, ad_path, 2, ad, &ad_len);
	if (r != PROSE_OK)
		return r;
	if (imsi_decode((struct bytes){ raw, n }, imsi) != OK || ad_len < 4 || ((mnc = ad[3] & 15U) != 2 && mnc != 3))
		return PROSE_FORMAT;
	buf_put_u8(&b, e->prime ? '6' : '0');
	buf_put(&b, bytes_str(imsi));
	buf_put(&b, BYTES_STR("@wlan.mnc"));
	if (mnc == 2)
		buf_put_u8(&b, '0');
	buf_put(&b, (struct bytes){ (const uint8_t *)imsi + 3, mnc });
	buf_put(&b, BYTES_STR(".mcc"));
	buf_put(&b, (struct bytes){ (const uint8_t *)imsi, 3 });
	buf_put(&b, BYTES_STR(".3gppnetwork.org"));
	return b.failed ? PROSE_NO_SPACE : PROSE_OK;
}

enum prose_result prose_eap_new(struct prose_card *card, enum prose_eap_method method, const char *identity,
        const char *network_name, struct prose_eap **out)
{
	struct prose_eap *e = calloc(1, sizeof *e);
	enum prose_result r = PROSE_OK;

	*out = NULL;
	if (e == NULL)
		return PROSE_NO_MEMORY;
	e->card = card;
	e->prime = method == PROSE_EAP_AKA_PRIME;
	if ((identity != NULL && strlen(identity) > ID_MAX) || (network_name != NULL && strlen(network_name) > ID_MAX) ||
	        (method != PROSE_EAP_AKA && method != PROSE_EAP_AKA_PRIME))
		r = PROSE_FORMAT;
	else if (identity != NULL)
		keep_identity(e->permanent, bytes_str(identity));
	else
		r = permanent_identity(e);
	if (r == PROSE_OK && network_name != NULL)
		keep_identity(e->network_name, bytes_str(network_name));
	if (r != PROSE_OK)
		prose_eap_free(&e);
	*out = e;
	return r;
}

void prose_eap_free(struct prose_eap **eap)
{
	if (*eap == NULL)
		return;
	secret_clean(*eap, sizeof **eap);
	free(*eap);
	*eap = NULL;
}

enum prose_eap_state prose_eap_state(const struct prose_eap *e)
{
	return e->state;
}

enum prose_result prose_eap_keys(const struct prose_eap *e, uint8_t msk[64], uint8_t emsk[64], bool *reauthenticated)
{
	if (e->state != PROSE_EAP_SUCCESS)
		return PROSE_NOT_FOUND;
	memcpy(msk, e->key.msk, PROSE_MSK);
	memcpy(emsk, e->key.emsk, PROSE_MSK);
	*reauthenticated = e->reauthenticated;
	return PROSE_OK;
}
