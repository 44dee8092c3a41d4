/* SPDX-License-Identifier: Apache-2.0 */
#include "protocols/mikey/message.h"

enum { SIGN_ECCSI = 2 };

/* What the top bit means: set, 1968 to 2036 (era 0); clear, 2036 to 2104 (era 1, RFC 5905 6). */
#define ERA_0_SECOND_HALF UINT64_C(0x80000000)

uint64_t mikey_ntp(uint64_t unix_seconds)
{
	return (unix_seconds + MIKEY_NTP_TO_UNIX) << 32;
}

uint64_t mikey_unix(uint64_t ntp)
{
	uint64_t seconds = mikey_order(ntp) >> 32;

	seconds += ERA_0_SECOND_HALF;
	return seconds >= MIKEY_NTP_TO_UNIX ? seconds - MIKEY_NTP_TO_UNIX : 0;
}

uint64_t mikey_order(uint64_t ntp)
{
	return ntp ^ UINT64_C(1) << 63;
}

static bool take_u8(struct bytes *in, uint8_t *out)
{
	uint64_t v;

	if (!bytes_take_uint(in, 1, &v))
		return false;
	*out = (uint8_t)v;
	return true;
}

/* A two-octet length and that many octets. */
static bool take_long(struct bytes *in, struct bytes *out)
{
	struct bytes rest = *in;
	uint64_t n;

	if (!bytes_take_uint(&rest, 2, &n) || !bytes_take(&rest, (size_t)n, out))
		return false;
	*in = rest;
	return true;
}

static enum status parse_map(struct bytes *in, struct mikey_header *h)
{
	struct bytes start = *in, skipped;
	uint8_t spi_len, policies;

	switch (h->map_type) {
	case MIKEY_MAP_SRTP:
		if (!bytes_take(in, 9U * h->cs_count, &h->map))
			return ERR_TRUNCATED;
		return OK;
	case MIKEY_MAP_EMPTY: return OK;
	case MIKEY_MAP_GENERIC:
		for (unsigned i = 0; i < h->cs_count; i++) {
			if (!bytes_take(in, 2, &skipped) || !take_u8(in, &policies) ||
			        !bytes_take(in, policies & 0x7FU, &skipped) || !take_long(in, &skipped) ||
			        !take_u8(in, &spi_len) || !bytes_take(in, spi_len, &skipped))
				return ERR_TRUNCATED;
		}
		h->map = (struct bytes){ start.p, start.n - in->n };
		return OK;
	default: return ERR_MALFORMED;
	}
}

static enum status parse_header(struct bytes *in, struct mikey_header *h, uint8_t *next)
{
	uint8_t version, flags;
	uint64_t csb_id;

	if (!take_u8(in, &version) || !take_u8(in, &h->data_type) || !take_u8(in, next) || !take_u8(in, &flags) ||
	        !bytes_take_uint(in, 4, &csb_id) || !take_u8(in, &h->cs_count) || !take_u8(in, &h->map_type))
		return ERR_TRUNCATED;
	h->prf = flags & 0x7F;
	h->answer_wanted = (flags & 0x80) != 0;
	h->csb_id = (uint32_t)csb_id;
	if (version != 1 || h->prf > MIKEY_PRF_SHA256 || (h->data_type != MIKEY_PSK_INIT && h->data_type != MIKEY_SAKKE))
		return ERR_MALFORMED;
	return parse_map(in, h);
}

static enum status set_once(struct bytes *slot, struct bytes value)
{
	if (slot->p != NULL)
		return ERR_MALFORMED;
	*slot = value;
	return OK;
}

static enum status parse_time(struct bytes *in, struct mikey *m)
{
	struct bytes value;
	uint8_t type;

	if (!take_u8(in, &type))
		return ERR_TRUNCATED;
	if (type > 1) /* NTP-UTC and NTP; counters have no use here */
		return ERR_MALFORMED;
	if (!bytes_take(in, 8, &value))
		return ERR_TRUNCATED;
	m->time = bytes_uint(value);
	return set_once(&m->time_octets, value);
}

static enum status parse_rand(struct bytes *in, struct mikey *m)
{
	struct bytes value;
	uint8_t n;

	if (!take_u8(in, &n) || !bytes_take(in, n, &value))
		return ERR_TRUNCATED;
	return n < MIKEY_RAND_MIN ? ERR_MALFORMED : set_once(&m->rand, value);
}

static enum status parse_id(struct bytes *in, struct mikey *m)
{
	struct bytes value;
	uint8_t type;

	if (!take_u8(in, &type) || !take_long(in, &value))
		return ERR_TRUNCATED;
	return set_once(m->id[0].p == NULL ? &m->id[0] : &m->id[1], value);
}

static enum status parse_idr(struct bytes *in, struct mikey *m)
{
	struct bytes value;
	uint8_t role, type;

	if (!take_u8(in, &role) || !take_u8(in, &type) || !take_long(in, &value))
		return ERR_TRUNCATED;
	return role < 1 || role >= MIKEY_ROLES ? ERR_MALFORMED : set_once(&m->role[role], value);
}

static enum status parse_sp(struct bytes *in, struct mikey *m)
{
	struct bytes value, check;
	uint8_t number, type;

	if (!take_u8(in, &number) || !take_u8(in, &type) || !take_long(in, &value))
		return ERR_TRUNCATED;
	for (check = value; check.n > 0;) {
		struct bytes v;
		uint8_t t, n;

		if (!take_u8(&check, &t) || !take_u8(&check, &n) || !bytes_take(&check, n, &v))
			return ERR_MALFORMED;
	}
	if (m->sp.p == NULL)
		m->sp = value;
	return OK;
}

static enum status parse_ext(struct bytes *in, struct mikey *m)
{
	struct bytes value;
	uint8_t type;

	if (!take_u8(in, &type) || !take_long(in, &value))
		return ERR_TRUNCATED;
	if (m->ext_count == MIKEY_EXT_MAX)
		return ERR_MALFORMED;
	m->ext[m->ext_count].type = type;
	m->ext[m->ext_count++].data = value;
	return OK;
}

static enum status parse_kemac(struct bytes whole, struct bytes *in, struct mikey *m)
{
	struct bytes value;

	if (m->kemac.data.p != NULL)
		return ERR_MALFORMED;
	if (!take_u8(in, &m->kemac.encr) || !take_long(in, &value) || !take_u8(in, &m->kemac.mac_alg))
		return ERR_TRUNCATED;
	m->kemac.data = value;
	m->kemac.maced = (struct bytes){ whole.p, whole.n - in->n };
	switch (m->kemac.mac_alg) {
	case MIKEY_MAC_HMAC_SHA1: return bytes_take(in, 20, &m->kemac.mac) ? OK : ERR_TRUNCATED;
	case MIKEY_MAC_HMAC_SHA256: return bytes_take(in, 32, &m->kemac.mac) ? OK : ERR_TRUNCATED;
	default: return ERR_MALFORMED; /* NULL must not be used without outer protection (4.2.4) */
	}
}

static enum status parse_sakke(struct bytes *in, struct mikey *m)
{
	struct bytes value;

	if (!take_u8(in, &m->sakke.params) || !take_u8(in, &m->sakke.id_scheme) || !take_long(in, &value))
		return ERR_TRUNCATED;
	return set_once(&m->sakke.data, value);
}

/* No next-payload octet here: a signature always ends the message. */
static enum status parse_sign(struct bytes whole, struct bytes *in, struct mikey *m)
{
	uint64_t head;

	if (!bytes_take_uint(in, 2, &head))
		return ERR_TRUNCATED;
	m->signed_part = (struct bytes){ whole.p, whole.n - in->n };
	if (head >> 12 != SIGN_ECCSI || (head & 0xFFF) != MIKEY_ECCSI_LEN)
		return ERR_MALFORMED;
	return bytes_take(in, MIKEY_ECCSI_LEN, &m->signature) ? OK : ERR_TRUNCATED;
}

enum status mikey_parse(struct bytes in, struct mikey *out)
{
	struct bytes whole = in;
	uint8_t next, this;

	*out = (struct mikey){ 0 };
	TRY(parse_header(&in, &out->header, &next));
	while (next != MIKEY_LAST) {
		this = next;
		if (this == MIKEY_SIGN) {
			TRY(parse_sign(whole, &in, out));
			break;
		}
		if (out->kemac.data.p != NULL)
			return ERR_MALFORMED; /* only SIGN may follow KEMAC */
		if (!take_u8(&in, &next))
			return ERR_TRUNCATED;
		switch (this) {
		case MIKEY_T: TRY(parse_time(&in, out)); break;
		case MIKEY_RAND: TRY(parse_rand(&in, out)); break;
		case MIKEY_ID: TRY(parse_id(&in, out)); break;
		case MIKEY_IDR: TRY(parse_idr(&in, out)); break;
		case MIKEY_SP: TRY(parse_sp(&in, out)); break;
		case MIKEY_EXT: TRY(parse_ext(&in, out)); break;
		case MIKEY_KEMAC: TRY(parse_kemac(whole, &in, out)); break;
		case MIKEY_SAKKE_PAYLOAD: TRY(parse_sakke(&in, out)); break;
		default: return ERR_MALFORMED;
		}
	}
	if (in.n != 0 || out->time_octets.p == NULL || out->rand.p == NULL)
		return ERR_MALFORMED;
	if (out->header.data_type == MIKEY_SAKKE)
		return out->sakke.data.p != NULL && out->signature.p != NULL && out->kemac.data.p == NULL ? OK : ERR_MALFORMED;
	return out->kemac.data.p != NULL && out->sakke.data.p == NULL ? OK : ERR_MALFORMED;
}

enum status mikey_ext(const struct mikey *m, uint8_t type, struct bytes *out)
{
	for (size_t i = 0; i < m->ext_count; i++) {
		if (m->ext[i].type == type) {
			*out = m->ext[i].data;
			return OK;
		}
	}
	return ERR_NOT_FOUND;
}

void mikey_put_header(struct buf *b, const struct mikey_header *h, enum mikey_payload next)
{
	buf_put_u8(b, 1);
	buf_put_u8(b, h->data_type);
	buf_put_u8(b, (uint8_t)next);
	buf_put_u8(b, (uint8_t)(h->prf | (h->answer_wanted ? 0x80 : 0)));
	buf_put_uint(b, 4, h->csb_id);
	buf_put_u8(b, h->cs_count);
	buf_put_u8(b, h->map_type);
	buf_put(b, h->map);
}

void mikey_put_time(struct buf *b, uint64_t ntp, enum mikey_payload next)
{
	buf_put_u8(b, (uint8_t)next);
	buf_put_u8(b, 0); /* NTP-UTC */
	buf_put_uint(b, 8, ntp);
}

void mikey_put_rand(struct buf *b, struct bytes rand, enum mikey_payload next)
{
	buf_put_u8(b, (uint8_t)next);
	buf_put_u8(b, (uint8_t)rand.n);
	buf_put(b, rand);
}

static void put_long(struct buf *b, struct bytes v)
{
	buf_put_uint(b, 2, v.n);
	buf_put(b, v);
}

void mikey_put_id(struct buf *b, struct bytes uri, enum mikey_payload next)
{
	buf_put_u8(b, (uint8_t)next);
	buf_put_u8(b, 1); /* URI */
	put_long(b, uri);
}

void mikey_put_idr(struct buf *b, enum mikey_role role, struct bytes uri, enum mikey_payload next)
{
	buf_put_u8(b, (uint8_t)next);
	buf_put_u8(b, (uint8_t)role);
	buf_put_u8(b, 1);
	put_long(b, uri);
}

void mikey_put_sp(struct buf *b, struct bytes parameters, enum mikey_payload next)
{
	buf_put_u8(b, (uint8_t)next);
	buf_put_u8(b, 0); /* policy number */
	buf_put_u8(b, 0); /* SRTP */
	put_long(b, parameters);
}

void mikey_put_ext(struct buf *b, enum mikey_ext type, struct bytes data, enum mikey_payload next)
{
	buf_put_u8(b, (uint8_t)next);
	buf_put_u8(b, (uint8_t)type);
	put_long(b, data);
}

void mikey_put_sign_header(struct buf *b)
{
	buf_put_uint(b, 2, (uint64_t)SIGN_ECCSI << 12 | MIKEY_ECCSI_LEN);
}
