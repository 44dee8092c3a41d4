/* SPDX-License-Identifier: Apache-2.0 */
/* What comes from the network to the key server and from it: KMS XML both ways, HTTP Digest, enrolment codes. What is read of a
 * request is written and read again as the same. */
#include <stdlib.h>
#include <string.h>

#include "crypto/network/enrol.h"
#include "crypto/network/http_digest.h"
#include "protocols/pc3/kms_xml.h"

static void request_again(const struct kms_request *q)
{
	static uint8_t raw[KMS_XML_MAX];
	struct buf b = BUF_OF(raw);
	struct kms_request again;

	if (kms_request_put(q, &b) != OK || kms_request_parse(buf_bytes(&b), &again) != OK ||
	        strcmp(again.user_uri, q->user_uri) != 0 || strcmp(again.kms_uri, q->kms_uri) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct kms_received r;
	struct bytes in = { data, n };
	struct kms_certificate_info c;
	struct kms_request q;
	struct http_digest d;
	struct secret code;
	char text[1024];

	if (kms_request_parse(in, &q) == OK)
		request_again(&q);
	if (kms_response_parse(in, &r) == OK && r.is_signed && r.signature.signed_info_len == 0)
		abort();
	if (kms_certificate_parse(in, &c) == OK && (c.period == 0 || c.pub_enc_key[0] != 4))
		abort();
	if (enrol_code(in, &code) == OK && code.len != ENROL_CODE_LEN)
		abort();
	if (n < sizeof text) {
		memcpy(text, data, n);
		text[n] = 0;
		(void)!http_digest_parse(text, &d);
	}
	return 0;
}
