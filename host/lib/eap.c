/* The peer of EAP-AKA (RFC 4187) and EAP-AKA' (RFC 9048). The card answers RAND and AUTN; everything else is here: identities,
 * keys, AT_MAC, encrypted attributes, fast re-authentication, notifications. */
#include <stdlib.h>
#include <string.h>

#include "apdu/ids.h"
#include "apdu/secret.h"
#include "crypto/aes.h"
#include "crypto/eap_prf.h"
#include "crypto/rng.h"
#include "host/lib/prose-ue.h"

enum { CODE_REQUEST = 1, CODE_RESPONSE, CODE_SUCCESS, CODE_FAILURE, TYPE_IDENTITY = 1, TYPE_NAK = 3, HEADER_LEN = 8 };
enum subtype {
	CHALLENGE = 1,
	AUTHENTICATION_REJECT = 2,
	SYNCHRONIZATION_FAILURE = 4,
	IDENTITY = 5,
	NOTIFICATION = 12,
	REAUTHENTICATION = 13,
	CLIENT_ERROR = 14
};
enum attribute {
	AT_RAND = 1,
	AT_AUTN = 2,
	AT_RES = 3,
	AT_AUTS = 4,
	AT_PADDING = 6,
	AT_PERMANENT_ID_REQ = 10,
	AT_MAC = 11,
	AT_NOTIFICATION = 12,
	AT_ANY_ID_REQ = 13,
	AT_IDENTITY = 14,
	AT_FULLAUTH_ID_REQ = 17,
	AT_COUNTER = 19,
	AT_COUNTER_TOO_SMALL = 20,
	AT_NONCE_S = 21,
	AT_CLIENT_ERROR_CODE = 22,
	AT_KDF_INPUT = 23,
	AT_KDF = 24,
	AT_IV = 129,
	AT_ENCR_DATA = 130,
	AT_NEXT_PSEUDONYM = 132,
	AT_NEXT_REAUTH_ID = 133,
	AT_CHECKCODE = 134,
	AT_SKIPPABLE = 128 /* from here on unknown ones are ignored */
};
enum {
	ID_MAX = 253,
	MAC_LEN = 16,
	NONCE_LEN = 16,
	K_ENCR_LEN = 16,
	EXPANDED_MAX = 16 + 32 + 32 + 64 + 64,
	FULL_PRIME = 208,
	FULL_AKA = 160,
	KDF_AKA_PRIME = 1,
	NOTIFY_SUCCESS = 0x8000,
	NOTIFY_BEFORE_CHALLENGE = 0x4000
};

struct prose_eap {
	struct prose_card *card;
	bool prime;
	enum prose_eap_state state;
	bool challenged, reauthenticated; /* of this run */
	char permanent[ID_MAX + 1], pseudonym[ID_MAX + 1], reauth_id[ID_MAX + 1], network_name[ID_MAX + 1];
	char identity[ID_MAX + 1]; /* the one the keys are made for */
	struct {
		uint8_t mk[SHA1_LEN], k_encr[K_ENCR_LEN], k_aut[32], k_re[32], msk[PROSE_MSK], emsk[PROSE_MSK];
	} key;
	uint16_t counter;
	/* What the checkcode is over: the identity packets of this run, both ways. */
	uint8_t identities[2048];
	size_t identities_len;
};

/* A received packet, taken apart. Views into it. */
struct message {
	struct bytes packet;
	uint8_t id, subtype;
	struct bytes rand, autn, mac, iv, encrypted, kdf_input, checkcode, next_pseudonym, next_reauth_id, nonce_s, counter;
	bool any_id, fullauth_id, permanent_id, has_checkcode, has_notification, kdf_ok;
	unsigned notification, kdfs;
};

static size_t k_aut_len(const struct prose_eap *e)
{
	return e->prime ? 32 : 16;
}

/* Attributes that hold two octets and then their value: its length, or something reserved. */
static bool sized_value(struct bytes v, struct bytes *out)
{
	uint64_t n;

	return bytes_take_uint(&v, 2, &n) && bytes_take(&v, (size_t)n, out);
}

static bool fixed_value(struct bytes v, size_t n, struct bytes *out)
{
	struct bytes reserved;

	return bytes_take(&v, 2, &reserved) && v.n == n && bytes_take(&v, n, out);
}

static bool take_attribute(struct message *m, uint8_t type, struct bytes v)
{
	uint64_t number;
	struct bytes copy = v;

	switch (type) {
	case AT_RAND: return fixed_value(v, 16, &m->rand);
	case AT_AUTN: return fixed_value(v, 16, &m->autn);
	case AT_MAC: return fixed_value(v, MAC_LEN, &m->mac);
	case AT_IV: return fixed_value(v, AES_BLOCK, &m->iv);
	case AT_NONCE_S: return fixed_value(v, NONCE_LEN, &m->nonce_s);
	case AT_ENCR_DATA: return bytes_take_uint(&v, 2, &number) && bytes_take(&v, v.n, &m->encrypted);
	case AT_KDF_INPUT: return sized_value(v, &m->kdf_input);
	case AT_NEXT_PSEUDONYM: return sized_value(v, &m->next_pseudonym);
	case AT_NEXT_REAUTH_ID: return sized_value(v, &m->next_reauth_id);
	case AT_CHECKCODE:
		m->has_checkcode = true;
		return bytes_take_uint(&v, 2, &number) && bytes_take(&v, v.n, &m->checkcode);
	case AT_COUNTER: return bytes_take(&v, 2, &m->counter);
	case AT_PERMANENT_ID_REQ: return m->permanent_id = true;
	case AT_FULLAUTH_ID_REQ: return m->fullauth_id = true;
	case AT_ANY_ID_REQ: return m->any_id = true;
	case AT_PADDING: return true;
	case AT_NOTIFICATION:
		m->has_notification = bytes_take_uint(&copy, 2, &number);
		m->notification = (unsigned)number;
		return m->has_notification;
	case AT_KDF:
		if (!bytes_take_uint(&copy, 2, &number))
			return false;
		if (m->kdfs++ == 0)
			m->kdf_ok = number == KDF_AKA_PRIME;
		return true;
	default: return type >= AT_SKIPPABLE;
	}
}

static bool take_attributes(struct message *m, struct bytes in)
{
	while (in.n > 0) {
		uint64_t type, words;
		struct bytes v;

		if (!bytes_take_uint(&in, 1, &type) || !bytes_take_uint(&in, 1, &words) || words == 0 ||
		        !bytes_take(&in, (size_t)words * 4 - 2, &v) || !take_attribute(m, (uint8_t)type, v))
			return false;
	}
	return true;
}

static bool parse(struct bytes packet, struct message *m)
{
	struct bytes in = packet, head;

	*m = (struct message){ .packet = packet };
	if (!bytes_take(&in, HEADER_LEN, &head))
		return false;
	m->id = head.p[1];
	m->subtype = head.p[5];
	return take_attributes(m, in);
}

/* An answer being built: header first, attributes after, length and AT_MAC at the end. */
static void begin(const struct prose_eap *e, const struct message *m, enum subtype subtype, struct buf *b)
{
	buf_put(b, (struct bytes){ (const uint8_t[]){ CODE_RESPONSE, m->id, 0, 0,
	                                   e->prime ? PROSE_EAP_AKA_PRIME : PROSE_EAP_AKA, (uint8_t)subtype, 0, 0 },
	                   HEADER_LEN });
}

static void put_attribute(struct buf *b, uint8_t type, unsigned head, struct bytes value)
{
	size_t padded = (4 + value.n + 3) / 4 * 4;

	buf_put_u8(b, type);
	buf_put_u8(b, (uint8_t)(padded / 4));
	buf_put_uint(b, 2, head);
	buf_put(b, value);
	buf_put_zeros(b, padded - 4 - value.n);
}

static void set_length(struct buf *b)
{
	if (b->failed)
		return;
	b->p[2] = (uint8_t)(b->len >> 8);
	b->p[3] = (uint8_t)b->len;
}

static enum status finish_with_mac(const struct prose_eap *e, struct buf *b, struct bytes extra)
{
	static const uint8_t zero[MAC_LEN];

	put_attribute(b, AT_MAC, 0, BYTES_OF(zero));
	set_length(b);
	TRY(buf_status(b));
	return eap_mac(e->prime, (struct bytes){ e->key.k_aut, k_aut_len(e) }, (struct bytes[]){ buf_bytes(b), extra }, 2,
	        b->p + b->len - MAC_LEN);
}

static bool mac_is_right(const struct prose_eap *e, const struct message *m, struct bytes extra)
{
	uint8_t copy[PROSE_EAP_PACKET_MAX], mac[MAC_LEN];

	if (m->mac.n != MAC_LEN || m->packet.n > sizeof copy)
		return false;
	memcpy(copy, m->packet.p, m->packet.n);
	memset(copy + (m->mac.p - m->packet.p), 0, MAC_LEN);
	return eap_mac(e->prime, (struct bytes){ e->key.k_aut, k_aut_len(e) }, (struct bytes[]){ { copy, m->packet.n }, extra },
	               2, mac) == OK &&
	       secret_equals(BYTES_OF(mac), m->mac);
}

/* AT_ENCR_DATA's attributes go into the same message; plain is their memory. */
static bool open_encrypted(const struct prose_eap *e, struct message *m, uint8_t plain[PROSE_EAP_PACKET_MAX])
{
	if (m->encrypted.n == 0)
		return true;
	if (m->iv.n != AES_BLOCK || m->encrypted.n % AES_BLOCK != 0 || m->encrypted.n > PROSE_EAP_PACKET_MAX ||
	        aes_cbc_iv_decrypt(BYTES_OF(e->key.k_encr), m->iv.p, m->encrypted, plain) != OK)
		return false;
	return take_attributes(m, (struct bytes){ plain, m->encrypted.n });
}

static void keep_identity(char *out, struct bytes value)
{
	if (value.n > ID_MAX)
		return;
	memcpy(out, value.p, value.n);
	out[value.n] = 0;
}

static void keep_identities(struct prose_eap *e, const struct message *m)
{
	/* A pseudonym and a re-authentication identity are good once; without new ones there are none (RFC 4187 4.1.1.7). */
	e->reauth_id[0] = 0;
	if (m->next_pseudonym.n > 0)
		keep_identity(e->pseudonym, m->next_pseudonym);
	if (m->next_reauth_id.n > 0)
		keep_identity(e->reauth_id, m->next_reauth_id);
}

static enum status full_keys(struct prose_eap *e, const struct message *m, const struct prose_aka *k)
{
	uint8_t expanded[EXPANDED_MAX], primed[SHA256_LEN], key[SHA256_LEN], joined[SHA256_LEN];
	struct bytes id = bytes_str(e->identity), in = { expanded, e->prime ? FULL_PRIME : FULL_AKA };
	bool ok;

	if (k->ck_len != 16 || k->ik_len != 16)
		return ERR_MALFORMED;
	if (!e->prime) {
		TRY(sha1((struct bytes[]){ id, { k->ik, 16 }, { k->ck, 16 } }, 3, e->key.mk));
		TRY(prf_fips_186_2(e->key.mk, expanded, FULL_AKA));
	} else {
		memcpy(joined, k->ck, 16);
		memcpy(joined + 16, k->ik, 16);
		TRY(kdf_33220(BYTES_OF(joined), 0x20, (struct bytes[]){ m->kdf_input, { m->autn.p, 6 } }, 2, primed));
		memcpy(key, primed + 16, 16); /* IK' || CK' */
		memcpy(key + 16, primed, 16);
		TRY(prf_prime(BYTES_OF(key), (struct bytes[]){ BYTES_STR("EAP-AKA'"), id }, 2, expanded, FULL_PRIME));
	}
	ok = bytes_take_copy(&in, e->key.k_encr, K_ENCR_LEN) && bytes_take_copy(&in, e->key.k_aut, k_aut_len(e)) &&
	     (!e->prime || bytes_take_copy(&in, e->key.k_re, 32)) && bytes_take_copy(&in, e->key.msk, PROSE_MSK) &&
	     bytes_take_copy(&in, e->key.emsk, PROSE_MSK);
	secret_clean(expanded, sizeof expanded);
	secret_clean(primed, sizeof primed);
	secret_clean(joined, sizeof joined);
	secret_clean(key, sizeof key);
	return ok ? OK : ERR_BUG;
}

static enum status reauth_keys(struct prose_eap *e, const struct message *m)
{
	uint8_t expanded[2 * PROSE_MSK], xkey[SHA1_LEN];
	struct bytes id = bytes_str(e->identity);

	if (e->prime) {
		TRY(prf_prime(BYTES_OF(e->key.k_re),
		        (struct bytes[]){ BYTES_STR("EAP-AKA' re-auth"), id, m->counter, m->nonce_s }, 4, expanded,
		        sizeof expanded));
	} else {
		TRY(sha1((struct bytes[]){ id, m->counter, m->nonce_s, BYTES_OF(e->key.mk) }, 4, xkey));
		TRY(prf_fips_186_2(xkey, expanded, sizeof expanded));
	}
	memcpy(e->key.msk, expanded, PROSE_MSK);
	memcpy(e->key.emsk, expanded + PROSE_MSK, PROSE_MSK);
	secret_clean(expanded, sizeof expanded);
	secret_clean(xkey, sizeof xkey);
	return OK;
}

/* AT_CHECKCODE over the identity packets of this run; empty if there were none (RFC 4187 10.13). */
static enum status checkcode(const struct prose_eap *e, uint8_t out[SHA256_LEN], size_t *n)
{
	const struct bytes all = { e->identities, e->identities_len };

	*n = all.n == 0 ? 0 : e->prime ? SHA256_LEN : SHA1_LEN;
	return all.n == 0 ? OK : e->prime ? sha256(&all, 1, out) : sha1(&all, 1, out);
}

static bool checkcode_is_right(const struct prose_eap *e, const struct message *m)
{
	uint8_t own[SHA256_LEN];
	size_t n;

	return !m->has_checkcode ||
	       (checkcode(e, own, &n) == OK && n == m->checkcode.n && secret_equals((struct bytes){ own, n }, m->checkcode));
}

static enum prose_result give_up(struct prose_eap *e, const struct message *m, enum subtype subtype, struct buf *out)
{
	begin(e, m, subtype, out);
	if (subtype == CLIENT_ERROR)
		put_attribute(out, AT_CLIENT_ERROR_CODE, 0, (struct bytes){ 0 }); /* 0: unable to process packet */
	set_length(out);
	e->state = PROSE_EAP_FAILURE;
	return PROSE_OK;
}

static enum prose_result on_synchronisation(
        const struct prose_eap *e, const struct message *m, const struct prose_aka *k, struct buf *out)
{
	begin(e, m, SYNCHRONIZATION_FAILURE, out);
	buf_put_u8(out, AT_AUTS);
	buf_put_u8(out, 4);
	buf_put(out, BYTES_OF(k->auts));
	if (e->prime)
		put_attribute(out, AT_KDF, KDF_AKA_PRIME, (struct bytes){ 0 });
	set_length(out);
	return PROSE_OK;
}

static enum prose_result answer_challenge(struct prose_eap *e, struct message *m, const struct prose_aka *k, struct buf *out)
{
	uint8_t plain[PROSE_EAP_PACKET_MAX], code[SHA256_LEN];
	enum prose_result r = PROSE_OK;
	size_t n = 0;

	if (full_keys(e, m, k) != OK || !mac_is_right(e, m, (struct bytes){ 0 }) || !open_encrypted(e, m, plain) ||
	        !checkcode_is_right(e, m)) {
		r = give_up(e, m, CLIENT_ERROR, out);
	} else {
		keep_identities(e, m);
		begin(e, m, CHALLENGE, out);
		put_attribute(out, AT_RES, (unsigned)(8 * k->res_len), (struct bytes){ k->res, k->res_len });
		if (m->has_checkcode && checkcode(e, code, &n) == OK)
			put_attribute(out, AT_CHECKCODE, 0, (struct bytes){ code, n });
		r = finish_with_mac(e, out, (struct bytes){ 0 }) == OK ? PROSE_OK : PROSE_FORMAT;
		e->challenged = r == PROSE_OK;
		e->counter = 0;
	}
	secret_clean(plain, sizeof plain);
	return r;
}

static enum prose_result on_challenge(struct prose_eap *e, struct message *m, struct buf *out)
{
	struct prose_aka k;
	enum prose_result r;

	if (m->rand.n != 16 || m->autn.n != 16 || m->mac.n != MAC_LEN)
		return give_up(e, m, CLIENT_ERROR, out);
	if (e->prime) {
		/* One key derivation function exists; the network must be the one we are told to expect; AMF's separation bit.
		 */
		if (!m->kdf_ok || m->kdf_input.n == 0 || (m->autn.p[6] & 0x80) == 0 ||
		        (e->network_name[0] != 0 && !bytes_equal(m->kdf_input, bytes_str(e->network_name))))
			return give_up(e, m, AUTHENTICATION_REJECT, out);
	}
	r = prose_authenticate(e->card, m->rand.p, m->autn.p, &k);
	if (r == PROSE_REFUSED && prose_card_status(e->card) == 0x9862)
		return give_up(e, m, AUTHENTICATION_REJECT, out);
	if (r != PROSE_OK) {
		e->state = PROSE_EAP_FAILURE;
		return r;
	}
	r = k.synchronisation_failure ? on_synchronisation(e, m, &k, out) : answer_challenge(e, m, &k, out);
	secret_clean(&k, sizeof k);
	return r;
}

static enum prose_result on_reauthentication(struct prose_eap *e, struct message *m, struct buf *out)
{
	uint8_t plain[PROSE_EAP_PACKET_MAX], inner_raw[AES_BLOCK], iv[AES_BLOCK], sealed[AES_BLOCK];
	struct buf inner = BUF_OF(inner_raw);
	struct bytes nonce;
	bool too_small;

	if (e->reauth_id[0] == 0 || strcmp(e->identity, e->reauth_id) != 0 || !mac_is_right(e, m, (struct bytes){ 0 }) ||
	        !open_encrypted(e, m, plain) || m->counter.n != 2 || m->nonce_s.n != NONCE_LEN || !checkcode_is_right(e, m))
		return give_up(e, m, CLIENT_ERROR, out);
	nonce = m->nonce_s;
	too_small = bytes_uint(m->counter) <= e->counter;
	put_attribute(&inner, AT_COUNTER, (unsigned)bytes_uint(m->counter), (struct bytes){ 0 });
	if (too_small)
		put_attribute(&inner, AT_COUNTER_TOO_SMALL, 0, (struct bytes){ 0 });
	buf_put_u8(&inner, AT_PADDING);
	buf_put_u8(&inner, (uint8_t)((sizeof inner_raw - inner.len + 1) / 4));
	buf_put_zeros(&inner, sizeof inner_raw - inner.len);
	if (inner.failed || rng_fill(&rng_system, iv, sizeof iv) != OK ||
	        aes_cbc_iv_encrypt(BYTES_OF(e->key.k_encr), iv, BYTES_OF(inner_raw), sealed) != OK)
		return PROSE_FORMAT;
	begin(e, m, REAUTHENTICATION, out);
	put_attribute(out, AT_IV, 0, BYTES_OF(iv));
	put_attribute(out, AT_ENCR_DATA, 0, BYTES_OF(sealed));
	if (finish_with_mac(e, out, nonce) != OK)
		return PROSE_FORMAT;
	if (too_small) {
		e->reauth_id[0] = 0; /* the server goes on with a full authentication */
		return PROSE_OK;
	}
	e->counter = (uint16_t)bytes_uint(m->counter);
	if (reauth_keys(e, m) != OK)
		return PROSE_FORMAT;
	keep_identities(e, m);
	e->challenged = e->reauthenticated = true;
	secret_clean(plain, sizeof plain);
	return PROSE_OK;
}

static enum prose_result on_notification(struct prose_eap *e, struct message *m, struct buf *out)
{
	bool after = (m->notification & NOTIFY_BEFORE_CHALLENGE) == 0;

	if (!m->has_notification || (after && (!e->challenged || !mac_is_right(e, m, (struct bytes){ 0 }))))
		return give_up(e, m, CLIENT_ERROR, out);
	begin(e, m, NOTIFICATION, out);
	if (m->notification != NOTIFY_SUCCESS)
		e->challenged = false; /* the server says that it has failed: no success may follow */
	if (after)
		return finish_with_mac(e, out, (struct bytes){ 0 }) == OK ? PROSE_OK : PROSE_FORMAT;
	set_length(out);
	return PROSE_OK;
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

static enum prose_result on_identity(struct prose_eap *e, const struct message *m, struct buf *out)
{
	const char *id = identity_for(e, m->any_id, m->fullauth_id);

	if (!m->any_id && !m->fullauth_id && !m->permanent_id)
		return give_up(e, m, CLIENT_ERROR, out);
	(void)memmove(e->identity, id, strlen(id) + 1);
	begin(e, m, IDENTITY, out);
	put_attribute(out, AT_IDENTITY, (unsigned)strlen(id), bytes_str(id));
	set_length(out);
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
	buf_put(out, (struct bytes){ (const uint8_t[]){ CODE_RESPONSE, id, 0, 0, TYPE_IDENTITY }, 5 });
	buf_put(out, bytes_str(identity));
	set_length(out);
	return PROSE_OK;
}

static enum prose_result on_request(struct prose_eap *e, struct bytes packet, struct buf *out)
{
	uint8_t type = packet.p[4];
	struct message m;

	if (type == TYPE_IDENTITY)
		return on_eap_identity(e, packet.p[1], out);
	if (type != (e->prime ? PROSE_EAP_AKA_PRIME : PROSE_EAP_AKA)) {
		buf_put(out, (struct bytes){ (const uint8_t[]){ CODE_RESPONSE, packet.p[1], 0, 6, TYPE_NAK,
		                                     e->prime ? PROSE_EAP_AKA_PRIME : PROSE_EAP_AKA },
		                     6 });
		return PROSE_OK;
	}
	if (!parse(packet, &m))
		return packet.n >= HEADER_LEN ? give_up(e, &m, CLIENT_ERROR, out) : PROSE_FORMAT;
	switch (m.subtype) {
	case CHALLENGE: return on_challenge(e, &m, out);
	case IDENTITY: return on_identity(e, &m, out);
	case REAUTHENTICATION: return on_reauthentication(e, &m, out);
	case NOTIFICATION: return on_notification(e, &m, out);
	default: return give_up(e, &m, CLIENT_ERROR, out);
	}
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
	case CODE_SUCCESS:
		e->state = e->state == PROSE_EAP_RUNNING && e->challenged ? PROSE_EAP_SUCCESS : PROSE_EAP_FAILURE;
		return PROSE_OK;
	case CODE_FAILURE: e->state = PROSE_EAP_FAILURE; return PROSE_OK;
	case CODE_REQUEST: break;
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
	uint8_t raw[9], ad[8];
	char digits[17];
	size_t n = sizeof raw, ad_len = sizeof ad, count = 0, mnc;
	enum prose_result r = prose_file_read(e->card, imsi_path, 2, raw, &n);
	struct buf b = { (uint8_t *)e->permanent, 0, ID_MAX, false };

	if (r == PROSE_OK)
		r = prose_file_read(e->card, ad_path, 2, ad, &ad_len);
	if (r != PROSE_OK)
		return r;
	if (n != 9 || raw[0] < 3 || raw[0] > 8 || ad_len < 4 || ((mnc = ad[3] & 15U) != 2 && mnc != 3))
		return PROSE_FORMAT;
	for (size_t i = 1; i < 2U * raw[0]; i++) {
		unsigned nibble = i % 2 == 1 ? raw[1 + i / 2] >> 4 : raw[1 + i / 2] & 15U;

		if (nibble < 10)
			digits[count++] = (char)('0' + nibble);
	}
	buf_put_u8(&b, e->prime ? '6' : '0');
	buf_put(&b, (struct bytes){ (const uint8_t *)digits, count });
	buf_put(&b, BYTES_STR("@wlan.mnc"));
	if (mnc == 2)
		buf_put_u8(&b, '0');
	buf_put(&b, (struct bytes){ (const uint8_t *)digits + 3, mnc });
	buf_put(&b, BYTES_STR(".mcc"));
	buf_put(&b, (struct bytes){ (const uint8_t *)digits, 3 });
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
		return PROSE_NO_SPACE;
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
