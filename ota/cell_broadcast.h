/* SPDX-License-Identifier: Apache-2.0 */
/* cell_broadcast.h - secured packets in cell broadcast pages (TS 23.041 9.4.1.2, 31.115 clause 5, 31.111 7.1.1.3): 88 octets
 * each, for every card of an area at once, never answered. */
#ifndef OTA_CELL_BROADCAST_H
#define OTA_CELL_BROADCAST_H

#include "ota/sms.h"

enum {
	CB_PAGE_LEN = 88,
	CB_CONTENT_LEN = 82,
	CB_PAGES_MAX = 15,
	CB_SECURED_FIRST = 0x1080, /* message identifiers of secured packets for the card */
	CB_SECURED_LAST = 0x10FF,
	CB_DCS_CLASS_2 = 0x96 /* with a header, 8 bits, class 2 */
};

/* Pages that a packet of n octets takes; 0: more than there can be. */
unsigned cb_pages(size_t n);
/* Append page `number` (1...) of a packet. ERR_NO_SPACE: no such page; ERR_MALFORMED: an identifier out of the range. */
MUST_USE enum status cb_page_put(
        struct buf *, struct bytes packet, uint16_t message_identifier, uint16_t serial_number, unsigned number);
/* One page as a part for sms_assemble; the packet then ends where its CPL says (cb_packet_end), zeros follow. ERR_NOT_FOUND:
 * not for the card; ERR_MALFORMED. */
MUST_USE enum status cb_page_parse(struct bytes page, struct sms_part *out);
MUST_USE enum status cb_packet_end(struct bytes *packet);

/* Append the data of an ENVELOPE (CELL BROADCAST DOWNLOAD). */
void cb_envelope_put(struct buf *, struct bytes page);

#endif
