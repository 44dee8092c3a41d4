/* SPDX-License-Identifier: Apache-2.0 */
/* SMPP: PDUs, and a session that is fed the same octets in two slices; what was taken can be put again. */
#include <stdlib.h>
#include <string.h>

#include "ota/smpp/smpp_session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct smpp_session s;
	struct bytes in = { data, n };
	struct smpp_pdu p, q;
	size_t room, first = n / 2;

	while (smpp_take(&in, &p) == OK) {
		uint8_t raw[2 * SMPP_PDU_MAX];
		struct buf b = BUF_OF(raw);
		struct bytes again;

		smpp_receipt_parse(&p);
		if (p.message.n > SMPP_MESSAGE_MAX) /* message_payload: not ours to send */
			continue;
		smpp_put(&b, &p);
		again = buf_bytes(&b);
		if (b.failed || smpp_take(&again, &q) != OK || q.sequence != p.sequence || !bytes_equal(q.message, p.message))
			abort();
	}
	smpp_session_start(&s, 0);
	for (int half = 0; half < 2; half++) {
		uint8_t *at = smpp_session_room(&s, &room);
		size_t take = half == 0 ? first : n - first;

		if (take > room)
			return 0;
		if (take > 0)
			memcpy(at, data + (half == 0 ? 0 : first), take);
		smpp_session_received(&s, take, 0);
		while (smpp_session_next(&s, &p) == OK)
			;
	}
	return 0;
}
