/* SPDX-License-Identifier: Apache-2.0 */
/* The EAP peer before any authenticator: packets (two-octet lengths) in any order never crash it, never make it answer more
 * than it was given room for, and never end in success, for nobody here knows the keys. */
#include <stdlib.h>
#include <string.h>

#include "apdu/base/bytes.h"
#include "host/lib/prose-ue.h"

/* A card that answers AUTHENTICATE with the same keys always, and 9000 to everything else. */
static enum prose_result transmit(void *context, const uint8_t *c, size_t c_len, uint8_t *r, size_t *n)
{
	static const uint8_t ok[] = { 0x90, 0x00 };
	uint8_t answer[60] = { 0xDB, 8 };
	size_t len = 2;

	(void)context;
	memcpy(answer, ok, 2);
	if (c_len > 1 && c[1] == 0x70) {
		answer[0] = 1;
		memcpy(answer + 1, ok, 2);
		len = 3;
	} else if (c_len > 1 && c[1] == 0x88) {
		memset(answer, 0x5A, sizeof answer);
		answer[0] = 0xDB;
		answer[1] = 8;
		answer[10] = answer[27] = 16;
		memcpy(answer + 44, ok, 2);
		len = 46;
	}
	if (len > *n)
		return PROSE_NO_SPACE;
	memcpy(r, answer, len);
	*n = len;
	return PROSE_OK;
}

static void close_nothing(void *context)
{
	(void)context;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct prose_card *card;
	struct prose_transport t = { NULL, transmit, NULL, NULL, NULL, close_nothing };
	struct bytes in = { data, n }, packet;
	uint8_t answer[PROSE_EAP_PACKET_MAX];
	struct prose_eap *e;
	uint64_t len;

	if (card == NULL && prose_card_open(t, NULL, &card) != PROSE_OK)
		abort();
	if (prose_eap_new(card, n % 2 == 0 ? PROSE_EAP_AKA : PROSE_EAP_AKA_PRIME, "0001010000000001@example.org", NULL, &e) !=
	        PROSE_OK)
		abort();
	while (bytes_take_uint(&in, 2, &len) && bytes_take(&in, (size_t)len, &packet)) {
		size_t room = sizeof answer;
		uint8_t *copy = malloc(packet.n + 1); /* a sanitizer sees what is read beyond */

		if (copy == NULL)
			abort();
		if (packet.n > 0)
			memcpy(copy, packet.p, packet.n);
		(void)!prose_eap_packet(e, copy, packet.n, answer, &room);
		free(copy);
		if (room > sizeof answer || prose_eap_state(e) == PROSE_EAP_SUCCESS)
			abort();
	}
	prose_eap_free(&e);
	return 0;
}
