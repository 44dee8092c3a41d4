/* SPDX-License-Identifier: Apache-2.0 */
#include "ota/sms.h"

#include <string.h>

#include "apdu/base/hex.h"
#include "apdu/tlv.h"

enum { UDHI = 0x40, DELIVER = 0x40, SUBMIT = 0x41, MTI_MASK = 0x43, DCS_CLASS_2_OLD = 0x16 };
enum { IE_COMMAND = 0x70, IE_RESPONSE = 0x71, IE_CONCATENATION_8 = 0x00, IE_CONCATENATION_16 = 0x08, TIME_STAMP_LEN = 7 };

static const uint8_t originator[] = { 0x08, 0x81, 0x21, 0x43, 0x65, 0x87 };
static const uint8_t time_stamp[TIME_STAMP_LEN] = { 0x62, 0x11, 0x12, 0x00, 0x00, 0x00, 0x00 };

unsigned sms_parts(size_t n)
{
	size_t parts = n <= SMS_PACKET_MAX ? 1 : 1 + (n - SMS_FIRST_PART + SMS_NEXT_PART - 1) / SMS_NEXT_PART;

	return parts <= SMS_PARTS_MAX ? (unsigned)parts : 0;
}

/* User data of one part; the header IE is 70 for commands, 71 for responses. */
static enum status user_data(struct buf *b, uint8_t ie, struct bytes packet, uint8_t reference, unsigned number)
{
	unsigned total = sms_parts(packet.n);
	uint8_t raw[8];
	struct buf udh = BUF_OF(raw);
	struct bytes skipped, part = packet;

	if (total == 0 || number < 1 || number > total)
		return ERR_NO_SPACE;
	if (number > 1 && !bytes_take(&part, SMS_FIRST_PART + (size_t)(number - 2) * SMS_NEXT_PART, &skipped))
		return ERR_BUG;
	if (total > 1 && part.n > (number == 1 ? SMS_FIRST_PART : SMS_NEXT_PART))
		part.n = number == 1 ? SMS_FIRST_PART : SMS_NEXT_PART;
	buf_put_u8(&udh, 0);
	if (number == 1)
		buf_put(&udh, (struct bytes){ (const uint8_t[]){ ie, 0x00 }, 2 });
	if (total > 1)
		buf_put(&udh,
		        (struct bytes){
		                (const uint8_t[]){ IE_CONCATENATION_8, 3, reference, (uint8_t)total, (uint8_t)number }, 5 });
	raw[0] = (uint8_t)(udh.len - 1);
	buf_put(b, buf_bytes(&udh));
	buf_put(b, part);
	return buf_status(b);
}

enum status sms_user_data_part(struct buf *b, struct bytes packet, uint8_t reference, unsigned number)
{
	return user_data(b, IE_COMMAND, packet, reference, number);
}

/* UDL and user data. */
static enum status put_user_data(struct buf *b, uint8_t ie, struct bytes packet, uint8_t reference, unsigned number)
{
	uint8_t raw[SMS_USER_DATA_MAX];
	struct buf data = BUF_OF(raw);

	TRY(user_data(&data, ie, packet, reference, number));
	buf_put_u8(b, (uint8_t)data.len);
	buf_put(b, buf_bytes(&data));
	return buf_status(b);
}

/* Length in digits, type, digits (23.040 9.1.2.5); a leading + is an international number. */
static enum status put_address(struct buf *b, const char *digits)
{
	uint8_t raw[10];
	bool international = digits[0] == '+';
	size_t n = strlen(digits += international ? 1 : 0);

	if (n == 0 || n > 20 || bcd_encode(digits, raw, (n + 1) / 2) != OK)
		return ERR_MALFORMED;
	buf_put_u8(b, (uint8_t)n);
	buf_put_u8(b, international ? 0x91 : 0x81);
	buf_put(b, (struct bytes){ raw, (n + 1) / 2 });
	return buf_status(b);
}

enum status sms_address_digits(struct bytes address, char out[21])
{
	char text[64];
	uint64_t n, type;

	if (!bytes_take_uint(&address, 1, &n) || !bytes_take_uint(&address, 1, &type) || n > 20 || address.n != (n + 1) / 2 ||
	        (type & 0x70) == 0x50 || bcd_decode(address, text) != OK || strlen(text) < n)
		return ERR_MALFORMED;
	memcpy(out, text, (size_t)n);
	out[n] = 0;
	return OK;
}

enum status sms_deliver_from(struct buf *b, const char *from, uint8_t pid, uint8_t dcs, bool udhi, struct bytes data)
{
	if (data.n > SMS_USER_DATA_MAX)
		return ERR_NO_SPACE;
	buf_put_u8(b, (uint8_t)(udhi ? DELIVER : DELIVER & ~UDHI));
	TRY(put_address(b, from));
	buf_put_u8(b, pid);
	buf_put_u8(b, dcs);
	buf_put(b, BYTES_OF(time_stamp));
	buf_put_u8(b, (uint8_t)data.n);
	buf_put(b, data);
	return buf_status(b);
}

enum status sms_deliver_part(struct buf *b, struct bytes packet, uint8_t reference, unsigned number)
{
	buf_put_u8(b, DELIVER);
	buf_put(b, BYTES_OF(originator));
	buf_put_u8(b, SMS_PID_USIM_DOWNLOAD);
	buf_put_u8(b, SMS_DCS_CLASS_2);
	buf_put(b, BYTES_OF(time_stamp));
	return put_user_data(b, IE_COMMAND, packet, reference, number);
}

enum status sms_deliver_put(struct buf *b, struct bytes packet)
{
	return packet.n <= SMS_PACKET_MAX ? sms_deliver_part(b, packet, 0, 1) : ERR_NO_SPACE;
}

enum status sms_submit_part(struct buf *b, struct bytes address, struct bytes response, uint8_t reference, unsigned number)
{
	struct bytes udh;

	if (!bytes_take(&response, 3, &udh)) /* 02 71 00: put_user_data has its own */
		return ERR_MALFORMED;
	buf_put_u8(b, SUBMIT);
	buf_put_u8(b, 0); /* the terminal numbers its messages */
	buf_put(b, address);
	buf_put_u8(b, 0x00);
	buf_put_u8(b, SMS_DCS_CLASS_2);
	return put_user_data(b, IE_RESPONSE, response, reference, number);
}

/* IEs by their TLVs, in any order (23.040 9.2.3.24). */
static enum status parse_header(struct bytes udh, struct sms_part *out)
{
	uint64_t ie, len;
	struct bytes v;

	while (udh.n > 0) {
		if (!bytes_take_uint(&udh, 1, &ie) || !bytes_take_uint(&udh, 1, &len) || !bytes_take(&udh, (size_t)len, &v))
			return ERR_MALFORMED;
		if (ie == IE_COMMAND || ie == IE_RESPONSE)
			out->secured = true;
		if ((ie == IE_CONCATENATION_8 && v.n != 3) || (ie == IE_CONCATENATION_16 && v.n != 4))
			return ERR_MALFORMED;
		if (ie == IE_CONCATENATION_8 || ie == IE_CONCATENATION_16) {
			out->reference = (uint16_t)bytes_uint((struct bytes){ v.p, v.n - 2 });
			out->total = v.p[v.n - 2];
			out->number = v.p[v.n - 1];
		}
	}
	return out->number >= 1 && out->number <= out->total ? OK : ERR_MALFORMED;
}

static enum status parse_user_data(struct bytes in, struct sms_part *out)
{
	uint64_t udl, udhl;
	struct bytes udh;

	out->total = out->number = 1;
	if (!bytes_take_uint(&in, 1, &udl))
		return ERR_TRUNCATED;
	out->user_data = in;
	if (udl != in.n || udl > SMS_USER_DATA_MAX || !bytes_take_uint(&in, 1, &udhl) || !bytes_take(&in, (size_t)udhl, &udh))
		return ERR_MALFORMED;
	TRY(parse_header(udh, out));
	out->payload = in;
	return out->secured || out->total > 1 ? OK : ERR_NOT_FOUND;
}

/* Length in digits, type, digits: a view of all of it. */
static bool take_address(struct bytes *in, struct bytes *out)
{
	size_t n = in->n > 0 ? 2 + (size_t)(in->p[0] + 1) / 2 : 0;

	return n > 0 && bytes_take(in, n, out);
}

enum status sms_deliver_parse(struct bytes in, struct sms_part *out)
{
	uint64_t first, pid, dcs;
	struct bytes skipped;

	*out = (struct sms_part){ 0 };
	if (!bytes_take_uint(&in, 1, &first) || !take_address(&in, &out->address) || !bytes_take_uint(&in, 1, &pid) ||
	        !bytes_take_uint(&in, 1, &dcs) || !bytes_take(&in, TIME_STAMP_LEN, &skipped))
		return ERR_TRUNCATED;
	if ((first & MTI_MASK) != DELIVER || pid != SMS_PID_USIM_DOWNLOAD || (dcs != SMS_DCS_CLASS_2 && dcs != DCS_CLASS_2_OLD))
		return ERR_NOT_FOUND;
	return parse_user_data(in, out);
}

enum status sms_submit_parse(struct bytes in, struct sms_part *out)
{
	uint64_t first, reference, pid, dcs;

	*out = (struct sms_part){ 0 };
	if (!bytes_take_uint(&in, 1, &first) || !bytes_take_uint(&in, 1, &reference) || !take_address(&in, &out->address) ||
	        !bytes_take_uint(&in, 1, &pid) || !bytes_take_uint(&in, 1, &dcs))
		return ERR_TRUNCATED;
	if ((first & MTI_MASK) != SUBMIT)
		return ERR_NOT_FOUND;
	return parse_user_data(in, out);
}

enum status sms_assemble(struct sms_assembly *a, const struct sms_part *part, struct bytes *packet)
{
	size_t n = 0;

	if (part->total == 1) {
		*packet = part->payload;
		return part->secured ? OK : ERR_MALFORMED;
	}
	if (part->total > SMS_PARTS_MAX || part->payload.n > SMS_USER_DATA_MAX || part->secured != (part->number == 1)) {
		*a = (struct sms_assembly){ 0 };
		return ERR_MALFORMED;
	}
	if (part->reference != a->reference || part->total != a->total)
		*a = (struct sms_assembly){ .reference = part->reference, .total = part->total };
	memcpy(a->memory + (size_t)(part->number - 1) * SMS_USER_DATA_MAX, part->payload.p, part->payload.n);
	a->len[part->number - 1] = (uint8_t)part->payload.n;
	a->have |= (uint16_t)(1U << (part->number - 1));
	if (a->have != (1U << a->total) - 1)
		return ERR_NOT_FOUND;
	for (unsigned i = 0; i < a->total; i++) {
		memmove(a->memory + n, a->memory + (size_t)i * SMS_USER_DATA_MAX, a->len[i]);
		n += a->len[i];
	}
	a->total = 0; /* the next part begins another message */
	a->have = 0;
	*packet = (struct bytes){ a->memory, n };
	return OK;
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
