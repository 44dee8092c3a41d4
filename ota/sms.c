#include "ota/sms.h"

#include "apdu/tlv.h"

enum { MTI_DELIVER_UDHI = 0x40, PID_USIM_DOWNLOAD = 0x7F, DCS_CLASS_2 = 0xF6, IE_SECURITY_HEADER = 0x70 };

static const uint8_t originator[] = { 0x08, 0x81, 0x21, 0x43, 0x65, 0x87 };
static const uint8_t time_stamp[] = { 0x62, 0x11, 0x12, 0x00, 0x00, 0x00, 0x00 };

enum status sms_deliver_put(struct buf *b, struct bytes packet)
{
	if (packet.n > SMS_PACKET_MAX)
		return ERR_NO_SPACE;
	buf_put_u8(b, MTI_DELIVER_UDHI);
	buf_put(b, BYTES_OF(originator));
	buf_put_u8(b, PID_USIM_DOWNLOAD);
	buf_put_u8(b, DCS_CLASS_2);
	buf_put(b, BYTES_OF(time_stamp));
	buf_put_u8(b, (uint8_t)(3 + packet.n));
	buf_put(b, (struct bytes){ (const uint8_t[]){ 0x02, IE_SECURITY_HEADER, 0x00 }, 3 });
	buf_put(b, packet);
	return buf_status(b);
}

enum status sms_deliver_parse(struct bytes in, struct bytes *packet)
{
	uint64_t first, digits, pid, dcs, udl, udhl, ie, ie_len;
	struct bytes skipped, udh;
	bool secured = false;

	if (!bytes_take_uint(&in, 1, &first) || !bytes_take_uint(&in, 1, &digits) ||
	        !bytes_take(&in, 1 + (size_t)(digits + 1) / 2, &skipped) || !bytes_take_uint(&in, 1, &pid) ||
	        !bytes_take_uint(&in, 1, &dcs) || !bytes_take(&in, 7, &skipped) || !bytes_take_uint(&in, 1, &udl))
		return ERR_TRUNCATED;
	if ((first & 0x43) != MTI_DELIVER_UDHI || pid != PID_USIM_DOWNLOAD || (dcs != DCS_CLASS_2 && dcs != 0x16))
		return ERR_NOT_FOUND;
	if (udl != in.n || !bytes_take_uint(&in, 1, &udhl) || !bytes_take(&in, (size_t)udhl, &udh))
		return ERR_MALFORMED;
	while (udh.n > 0) {
		if (!bytes_take_uint(&udh, 1, &ie) || !bytes_take_uint(&udh, 1, &ie_len) ||
		        !bytes_take(&udh, (size_t)ie_len, &skipped))
			return ERR_MALFORMED;
		secured = secured || ie == IE_SECURITY_HEADER;
	}
	*packet = in;
	return secured ? OK : ERR_NOT_FOUND;
}

void sms_envelope_put(struct buf *b, struct bytes tpdu)
{
	static const uint8_t devices[] = { 0x83, 0x81 }, address[] = { 0x91, 0x21, 0x43, 0x65, 0x87, 0x09 };
	uint8_t raw[SMS_TPDU_MAX + 32];
	struct buf body = BUF_OF(raw);

	tlv_put(&body, 0x82, BYTES_OF(devices));
	tlv_put(&body, 0x06, BYTES_OF(address));
	tlv_put(&body, 0x8B, tpdu);
	if (body.failed)
		b->failed = true;
	else
		tlv_put(b, 0xD1, buf_bytes(&body));
}
