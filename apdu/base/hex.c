/* SPDX-License-Identifier: Apache-2.0 */
#include "apdu/base/hex.h"

#include <string.h>

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

enum status hex_decode(struct bytes text, struct buf *out)
{
	for (size_t i = 0; i < text.n; i++) {
		int hi, lo;

		if (strchr(" \t\r\n", text.p[i]) != NULL && text.p[i] != 0)
			continue;
		hi = hex_digit(text.p[i]);
		lo = i + 1 < text.n ? hex_digit(text.p[i + 1]) : -1;
		if (hi < 0 || lo < 0)
			return ERR_MALFORMED;
		buf_put_u8(out, (uint8_t)(hi << 4 | lo));
		i++;
	}
	return buf_status(out);
}

char *hex_encode(struct bytes in, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < in.n; i++) {
		out[2 * i] = digits[in.p[i] >> 4];
		out[2 * i + 1] = digits[in.p[i] & 15];
	}
	out[2 * in.n] = 0;
	return out;
}

static const char base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(struct bytes in, struct buf *out)
{
	struct bytes group;

	while (in.n > 0) {
		size_t n = in.n < 3 ? in.n : 3;
		uint32_t v;

		if (!bytes_take(&in, n, &group))
			return;
		v = (uint32_t)bytes_uint(group) << (8 * (3 - n));
		for (size_t i = 0; i < 4; i++)
			buf_put_u8(out, (uint8_t)(i <= n ? base64_digits[v >> (18 - 6 * i) & 63] : '='));
	}
}

enum status base64_decode(struct bytes text, struct buf *out)
{
	struct bytes group;

	while (text.n > 0) {
		uint32_t v = 0;
		size_t pad = 0;

		if (!bytes_take(&text, 4, &group))
			return ERR_MALFORMED;
		for (size_t i = 0; i < 4; i++) {
			const char *at = group.p[i] != 0 ? strchr(base64_digits, group.p[i]) : NULL;

			if (group.p[i] == '=' && i >= 2 && text.n == 0) {
				pad++;
				v <<= 6;
			} else if (at != NULL && pad == 0) {
				v = v << 6 | (uint32_t)(at - base64_digits);
			} else {
				return ERR_MALFORMED;
			}
		}
		if (pad > 0 && (v & (pad == 1 ? 0xFFU : 0xFFFFU)) != 0)
			return ERR_MALFORMED;
		buf_put_uint(out, 3 - pad, v >> (8 * pad));
	}
	return buf_status(out);
}

enum status bcd_encode(const char *digits, uint8_t *out, size_t n)
{
	size_t len = strlen(digits);

	if (len > 2 * n)
		return ERR_NO_SPACE;
	memset(out, 0xFF, n);
	for (size_t i = 0; i < len; i++) {
		if (digits[i] < '0' || digits[i] > '9')
			return ERR_MALFORMED;
		if (i % 2 == 0)
			out[i / 2] = (uint8_t)(0xF0 | (digits[i] - '0'));
		else
			out[i / 2] = (uint8_t)((digits[i] - '0') << 4 | (out[i / 2] & 0x0F));
	}
	return OK;
}

enum status bcd_decode(struct bytes in, char *out)
{
	size_t len = 0;

	for (size_t i = 0; i < 2 * in.n; i++) {
		unsigned digit = i % 2 == 0 ? in.p[i / 2] & 0x0FU : in.p[i / 2] >> 4;

		if (digit == 15)
			break;
		if (digit > 9)
			return ERR_MALFORMED;
		out[len++] = (char)('0' + digit);
	}
	out[len] = 0;
	return OK;
}

enum status imsi_encode(const char *digits, uint8_t out[static EF_IMSI_LEN])
{
	size_t n = strlen(digits), octets = (n + 2) / 2;
	char padded[IMSI_MAX + 2] = "0";

	if (n < 6 || n > IMSI_MAX)
		return ERR_MALFORMED;
	memcpy(padded + 1, digits, n + 1);
	memset(out, 0xFF, EF_IMSI_LEN);
	TRY(bcd_encode(padded, out + 1, octets));
	out[0] = (uint8_t)octets;
	out[1] = (uint8_t)((out[1] & 0xF0) | (n % 2 == 1 ? 9 : 1));
	return OK;
}

enum status imsi_decode(struct bytes content, char digits[static IMSI_MAX + 1])
{
	size_t n;

	if (content.n < EF_IMSI_LEN || content.p[0] < 4 || content.p[0] > 8)
		return ERR_MALFORMED;
	n = 2U * content.p[0] - ((content.p[1] & 15) == 9 ? 1 : 2);
	for (size_t i = 0; i < n; i++) {
		uint8_t octet = content.p[1 + (i + 1) / 2], nibble = i % 2 == 0 ? octet >> 4 : octet & 15;

		if (nibble > 9)
			return ERR_MALFORMED;
		digits[i] = (char)('0' + nibble);
	}
	digits[n] = 0;
	return OK;
}

uint8_t bcd_swapped(unsigned n)
{
	return (uint8_t)((n % 10) << 4 | n / 10 % 10);
}
