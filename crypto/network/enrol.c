/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/network/enrol.h"

#include <stdio.h>
#include <string.h>

#include "apdu/base/hex.h"
#include "crypto/common/hash.h"

enum { NAME_LEN = 8 };

void enrol_text(const struct secret *code, char text[static ENROL_CODE_TEXT])
{
	struct buf b = { (uint8_t *)text, 0, ENROL_CODE_TEXT, false };
	char hex[5];

	for (size_t i = 0; i < ENROL_CODE_LEN; i += 2) {
		if (i > 0)
			buf_put_u8(&b, '-');
		buf_put(&b, bytes_str(hex_encode((struct bytes){ code->data + i, 2 }, hex)));
	}
	buf_put_u8(&b, 0);
	secret_clean(hex, sizeof hex);
}

enum status enrol_code(struct bytes text, struct secret *code)
{
	SECRET digits = { 0 };
	struct buf b = { code->data, 0, ENROL_CODE_LEN, false };
	enum status st;

	for (size_t i = 0; i < text.n; i++) {
		if (strchr("- \t\r\n", text.p[i]) != NULL && text.p[i] != 0)
			continue;
		if (digits.len == 2 * ENROL_CODE_LEN)
			return ERR_MALFORMED;
		digits.data[digits.len++] = text.p[i];
	}
	if (digits.len != 2 * ENROL_CODE_LEN)
		return ERR_MALFORMED;
	st = hex_decode(secret_bytes(&digits), &b);
	code->len = st == OK ? b.len : 0;
	return st;
}

enum status enrol_key(const struct secret *code, char identity[static ENROL_IDENTITY_MAX], struct secret *key)
{
	const struct bytes parts[] = { BYTES_STR("prose-uicc enrolment name"), secret_bytes(code) };
	const struct bytes label = BYTES_STR("prose-uicc enrolment key");
	uint8_t hash[SHA256_LEN];
	char hex[2 * NAME_LEN + 1];

	TRY(sha256(parts, 2, hash));
	(void)snprintf(identity, ENROL_IDENTITY_MAX, "%s%s", ENROL_PREFIX, hex_encode((struct bytes){ hash, NAME_LEN }, hex));
	key->len = ENROL_KEY_LEN;
	return hmac_sha256(secret_bytes(code), &label, 1, key->data);
}
