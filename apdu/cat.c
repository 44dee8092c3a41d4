/* SPDX-License-Identifier: Apache-2.0 */
#include "apdu/cat.h"

#include "apdu/tlv.h"

enum { BEARER_DEFAULT = 0x03, TCP_CLIENT = 0x02, ADDRESS_IPV4 = 0x21 };

void cat_tcp_client_put(struct buf *b, uint16_t buffer, const uint8_t address[static 4], uint16_t port)
{
	const uint8_t destination[5] = { ADDRESS_IPV4, address[0], address[1], address[2], address[3] };
	const uint8_t transport[3] = { TCP_CLIENT, (uint8_t)(port >> 8), (uint8_t)port };

	tlv_put_uint(b, CAT_TAG_BEARER, 1, BEARER_DEFAULT);
	tlv_put_uint(b, CAT_TAG_BUFFER_SIZE, 2, buffer);
	tlv_put(b, CAT_TAG_TRANSPORT_LEVEL, BYTES_OF(transport));
	tlv_put(b, CAT_TAG_OTHER_ADDRESS, BYTES_OF(destination));
}
