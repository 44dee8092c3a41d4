/* SPDX-License-Identifier: Apache-2.0 */
#include "host/lib/eap/eap_message.h"

enum { VALUE_LEN = 16 /* of AT_MAC, AT_IV and AT_NONCE_S */ };

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

static bool take_attribute(struct eap_message *m, uint8_t type, struct bytes v)
{
	uint64_t number;
	struct bytes copy = v;

	switch (type) {
	case AT_RAND: return fixed_value(v, 16, &m->rand);
	case AT_AUTN: return fixed_value(v, 16, &m->autn);
	case AT_MAC: return fixed_value(v, VALUE_LEN, &m->mac);
	case AT_IV: return fixed_value(v, VALUE_LEN, &m->iv);
	case AT_NONCE_S: return fixed_value(v, VALUE_LEN, &m->nonce_s);
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
			m->kdf_ok = number == EAP_KDF_AKA_PRIME;
		return true;
	default: return type >= AT_SKIPPABLE;
	}
}

bool eap_take_attributes(struct eap_message *m, struct bytes in)
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

bool eap_parse(struct bytes packet, struct eap_message *m)
{
	struct bytes in = packet, head;

	*m = (struct eap_message){ .packet = packet };
	if (!bytes_take(&in, EAP_AKA_HEADER_LEN, &head))
		return false;
	m->id = head.p[1];
	m->subtype = head.p[5];
	return eap_take_attributes(m, in);
}

void eap_begin(struct buf *b, uint8_t method, uint8_t id, enum subtype subtype)
{
	buf_put(b, (struct bytes){
	                   (const uint8_t[]){ EAP_RESPONSE, id, 0, 0, method, (uint8_t)subtype, 0, 0 }, EAP_AKA_HEADER_LEN });
}

void eap_put(struct buf *b, enum attribute type, unsigned head, struct bytes value)
{
	size_t padded = (4 + value.n + 3) / 4 * 4;

	buf_put_u8(b, (uint8_t)type);
	buf_put_u8(b, (uint8_t)(padded / 4));
	buf_put_uint(b, 2, head);
	buf_put(b, value);
	buf_put_zeros(b, padded - 4 - value.n);
}

void eap_end(struct buf *b)
{
	if (b->failed)
		return;
	b->p[2] = (uint8_t)(b->len >> 8);
	b->p[3] = (uint8_t)b->len;
}
