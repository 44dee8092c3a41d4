/* SPDX-License-Identifier: Apache-2.0 */
#include "apdu/sealed.h"

#include "apdu/aids.h"

void sealed_put_header(struct buf *b, const struct sealed_header *h)
{
	tlv_put_uint(b, 0x80, 1, SEALED_VERSION);
	tlv_put(b, 0x81, h->domain);
	tlv_put(b, 0x82, h->card_id);
	tlv_put_uint(b, 0x83, 1, h->trk_id);
	tlv_put_uint(b, 0x84, 1, h->kind);
	tlv_put(b, 0x85, h->name);
	tlv_put_uint(b, 0x86, 8, h->sequence);
	tlv_put_uint(b, 0x87, 8, h->not_before);
	tlv_put_uint(b, 0x88, 8, h->not_after);
}

enum status sealed_parse(struct bytes in, struct sealed *out)
{
	static const struct {
		size_t min, max;
	} limits[] = {
		{ 1, 1 },
		{ 5, AID_MAX },
		{ CARD_ID_LEN, CARD_ID_LEN },
		{ 1, 1 },
		{ 1, 1 },
		{ 1, SEALED_NAME_MAX },
		{ 8, 8 },
		{ 8, 8 },
		{ 8, 8 },
		{ SEALED_IV_LEN + SEALED_TAG_LEN + 1, SEALED_MAX },
		{ SEALED_MAC_LEN, SEALED_MAC_LEN },
	};
	struct bytes value[sizeof limits / sizeof *limits];
	struct bytes rest, body;
	struct tlv t;

	TRY(tlv_next(&in, &t));
	if (t.tag != TAG_SEALED || in.n != 0)
		return ERR_MALFORMED;
	body = rest = t.value;
	*out = (struct sealed){ 0 };
	for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
		if (i == 9)
			out->aad = (struct bytes){ body.p, body.n - rest.n };
		if (i == 10)
			out->maced = (struct bytes){ body.p, body.n - rest.n };
		TRY(tlv_next(&rest, &t));
		if (t.tag != 0x80 + i || t.value.n < limits[i].min || t.value.n > limits[i].max)
			return ERR_MALFORMED;
		value[i] = t.value;
	}
	if (rest.n != 0 || value[0].p[0] != SEALED_VERSION)
		return ERR_MALFORMED;
	out->header = (struct sealed_header){
		.domain = value[1],
		.card_id = value[2],
		.trk_id = value[3].p[0],
		.kind = (enum sealed_kind)value[4].p[0],
		.name = value[5],
		.sequence = bytes_uint(value[6]),
		.not_before = bytes_uint(value[7]),
		.not_after = bytes_uint(value[8]),
	};
	out->ciphertext = value[9];
	out->mac = value[10];
	return OK;
}
