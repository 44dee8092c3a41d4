/* What comes from the network to the key server and from it: KMS XML both ways, HTTP Digest, enrolment codes. What is read of a
 * request is written and read again as the same. */
#include <stdlib.h>
#include <string.h>

#include "crypto/enrol.h"
#include "crypto/http_digest.h"
#include "mikey/kms_xml.h"

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
	static uint8_t objects_raw[KMS_OBJECTS_MAX];
	struct buf objects = BUF_OF(objects_raw);
	struct bytes in = { data, n };
	struct kms_request q;
	struct kms_response r;
	struct http_digest d;
	struct secret code;
	char text[1024];

	if (kms_request_parse(in, &q) == OK)
		request_again(&q);
	if (kms_response_parse(in, &r, &objects) == OK && objects.len > sizeof objects_raw)
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
