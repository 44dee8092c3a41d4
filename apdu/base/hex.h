/* SPDX-License-Identifier: Apache-2.0 */
/* hex.h - text encodings of octets: hexadecimal and base64 (RFC 4648 section 4). */
#ifndef APDU_BASE_HEX_H
#define APDU_BASE_HEX_H

#include "apdu/base/bytes.h"

/* Append the octets that the hex digits in text stand for; blanks between octets are skipped.
 * ERR_MALFORMED on any other character or an odd number of digits. */
MUST_USE enum status hex_decode(struct bytes text, struct buf *out);

/* Write 2n lower-case digits and a zero into out, which holds at least 2n + 1 characters. Returns out. */
char *hex_encode(struct bytes in, char *out);

/* Append base64 with padding. */
void base64_encode(struct bytes in, struct buf *out);

/* Append what the base64 text stands for. ERR_MALFORMED on anything but complete, padded groups. Not constant-time. */
MUST_USE enum status base64_decode(struct bytes text, struct buf *out);

/* ICCID or IMSI digits to nibble-swapped BCD padded with F (ITU E.118, 3GPP 31.102 4.2.2); out gets n octets. */
MUST_USE enum status bcd_encode(const char *digits, uint8_t *out, size_t n);

/* The digits of nibble-swapped BCD up to the first F, with a zero; out holds 2n + 1 characters. ERR_MALFORMED on A..E. */
MUST_USE enum status bcd_decode(struct bytes in, char *out);

/* Content of EF_IMSI (TS 31.102 4.2.2) from 6 to 15 digits, and back: length, parity nibble (9 odd, 1 even), swapped digits.
 * digits holds 16 characters. ERR_MALFORMED otherwise. */
enum { IMSI_MAX = 15, EF_IMSI_LEN = 9 };
MUST_USE enum status imsi_encode(const char *digits, uint8_t out[static EF_IMSI_LEN]);
MUST_USE enum status imsi_decode(struct bytes content, char digits[static IMSI_MAX + 1]);

/* A number below 100 as two digits, the lower half first (23.040 9.1.2.3): 25 is 52. */
uint8_t bcd_swapped(unsigned n);

#endif
