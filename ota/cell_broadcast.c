/* SPDX-License-Identifier: Apache-2.0 */
#include "ota/cell_broadcast.h"

#include "apdu/cat.h"
#include "apdu/tlv.h"

/* The header of the first page is that of a short message: one element, 70, empty. */
static const uint8_t header[] = { 0x02, 0x70, 0x00 };
enum { HEADER_LEN = sizeof header, CPL_LEN = 2 };

unsigned cb_pages(size_t n)
{
	size_t pages = (n + HEADER_LEN + CB_CONTENT_LEN - 1) / CB_CONTENT_LEN;

	return pages <= CB_PAGES_MAX ? (unsigned)pages : 0;
}

enum status cb_page_put(struct buf *b, struct bytes packet, uint16_t id, uint16_t serial, unsigned number)
{
	unsigned total = cb_pages(packet.n);
	size_t at = number > 1 ? (size_t)(number - 1) * CB_CONTENT_LEN - HEADER_LEN : 0, room = CB_CONTENT_LEN, n;

	if (number < 1 || number > total)
		return ERR_NO_SPACE;
	if (id < CB_SECURED_FIRST || id > CB_SECURED_LAST)
		return ERR_MALFORMED;
	buf_put_uint(b, 2, serial);
	buf_put_uint(b, 2, id);
	buf_put_u8(b, CB_DCS_CLASS_2);
	buf_put_u8(b, (uint8_t)(number << 4 | total));
	if (number == 1) {
		buf_put(b, BYTES_OF(header));
		room -= HEADER_LEN;
	}
	n = packet.n - at < room ? packet.n - at : room;
	buf_put(b, (struct bytes){ packet.p + at, n });
	buf_put_zeros(b, room - n);
	return buf_status(b);
}

enum status cb_page_parse(struct bytes page, struct sms_part *out)
{
	uint64_t serial, id, dcs, parameter;
	struct bytes head;

	*out = (struct sms_part){ 0 };
	if (page.n != CB_PAGE_LEN || !bytes_take_uint(&page, 2, &serial) || !bytes_take_uint(&page, 2, &id) ||
	        !bytes_take_uint(&page, 1, &dcs) || !bytes_take_uint(&page, 1, &parameter))
		return ERR_MALFORMED;
	if (id < CB_SECURED_FIRST || id > CB_SECURED_LAST)
		return ERR_NOT_FOUND;
	out->reference = (uint16_t)serial;
	out->number = (uint8_t)(parameter >> 4);
	out->total = (uint8_t)(parameter & 0x0F);
	if (out->number < 1 || out->number > out->total)
		return ERR_MALFORMED;
	if (out->number == 1 && (!bytes_take(&page, HEADER_LEN, &head) || !bytes_equal(head, BYTES_OF(header))))
		return ERR_MALFORMED;
	out->secured = out->number == 1;
	out->payload = page;
	return OK;
}

enum status cb_packet_end(struct bytes *packet)
{
	struct bytes left = *packet;
	uint64_t cpl;

	if (!bytes_take_uint(&left, CPL_LEN, &cpl) || cpl > left.n)
		return ERR_MALFORMED;
	packet->n = CPL_LEN + (size_t)cpl;
	return OK;
}

void cb_envelope_put(struct buf *b, struct bytes page)
{
	static const uint8_t devices[] = { DEVICE_NETWORK, DEVICE_UICC };
	uint8_t raw[CB_PAGE_LEN + 16];
	struct buf body = BUF_OF(raw);

	tlv_put(&body, CAT_TAG_DEVICES, BYTES_OF(devices));
	tlv_put(&body, CAT_TAG_CELL_BROADCAST_PAGE, page);
	if (body.failed)
		b->failed = true;
	else
		tlv_put(b, CAT_TAG_CELL_BROADCAST, buf_bytes(&body));
}
