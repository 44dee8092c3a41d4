/* SPDX-License-Identifier: Apache-2.0 */
/* cat.h - the numbers of the card application toolkit (TS 102 223 clauses 8 and 9). */
#ifndef APDU_CAT_H
#define APDU_CAT_H

#include "apdu/base/bytes.h"

/* Types of proactive commands (9.4). */
enum cat_type {
	CAT_REFRESH = 0x01,
	CAT_MORE_TIME = 0x02,
	CAT_POLL_INTERVAL = 0x03,
	CAT_SET_UP_EVENT_LIST = 0x05,
	CAT_SEND_SHORT_MESSAGE = 0x13,
	CAT_PROVIDE_LOCAL_INFORMATION = 0x26,
	CAT_TIMER_MANAGEMENT = 0x27,
	CAT_OPEN_CHANNEL = 0x40,
	CAT_CLOSE_CHANNEL = 0x41,
	CAT_RECEIVE_DATA = 0x42,
	CAT_SEND_DATA = 0x43
};

/* Tags with the comprehension bit (9.3); a terminal may send them without it. */
enum cat_tag {
	CAT_TAG_PROACTIVE = 0xD0,
	CAT_TAG_SMS_PP_DOWNLOAD = 0xD1,
	CAT_TAG_CELL_BROADCAST = 0xD2,
	CAT_TAG_MENU_SELECTION = 0xD3,
	CAT_TAG_EVENT_DOWNLOAD = 0xD6,
	CAT_TAG_TIMER_EXPIRATION = 0xD7,
	CAT_TAG_DETAILS = 0x81,
	CAT_TAG_DEVICES = 0x82,
	CAT_TAG_RESULT = 0x83,
	CAT_TAG_DURATION = 0x84,
	CAT_TAG_ADDRESS = 0x86,
	CAT_TAG_TPDU = 0x8B,
	CAT_TAG_CELL_BROADCAST_PAGE = 0x8C,
	CAT_TAG_FILE_LIST = 0x92,
	CAT_TAG_LOCATION = 0x93,
	CAT_TAG_IMEI = 0x94,
	CAT_TAG_EVENT_LIST = 0x99,
	CAT_TAG_TIMER = 0xA4,
	CAT_TAG_TIMER_VALUE = 0xA5,
	CAT_TAG_DATE_TIME = 0xA6,
	CAT_TAG_BEARER = 0xB5,
	CAT_TAG_CHANNEL_DATA = 0xB6,
	CAT_TAG_CHANNEL_DATA_LENGTH = 0xB7,
	CAT_TAG_CHANNEL_STATUS = 0xB8,
	CAT_TAG_BUFFER_SIZE = 0xB9,
	CAT_TAG_TRANSPORT_LEVEL = 0xBC,
	CAT_TAG_OTHER_ADDRESS = 0xBE,
	CAT_TAG_NETWORK_ACCESS_NAME = 0xC7,
	CAT_COMPREHENSION = 0x80
};

/* What OPEN CHANNEL says of a TCP client over the default bearer (6.6.27.4): buffer in octets, an IPv4 address, a port. */
void cat_tcp_client_put(struct buf *, uint16_t buffer, const uint8_t address[static 4], uint16_t port);

enum cat_device { DEVICE_UICC = 0x81, DEVICE_TERMINAL = 0x82, DEVICE_NETWORK = 0x83, DEVICE_CHANNEL_0 = 0x20 };

/* Events (8.25) that an applet may ask for. */
enum cat_event_code { EVENT_LOCATION_STATUS = 0x03, EVENT_DATA_AVAILABLE = 0x09, EVENT_CHANNEL_STATUS = 0x0A, EVENTS_MAX = 32 };

/* Qualifier of PROVIDE LOCAL INFORMATION (8.6). */
enum cat_information { INFORMATION_LOCATION = 0x00, INFORMATION_IMEI = 0x01, INFORMATION_DATE_TIME = 0x03 };
/* Qualifier of TIMER MANAGEMENT. */
enum cat_timer_action { TIMER_START = 0x00, TIMER_DEACTIVATE = 0x01, TIMER_GET = 0x02 };
enum { CAT_TIMERS = 8, CAT_CHANNELS = 7 };

/* General results below 0x20 are successes of some kind (8.12). */
enum cat_result {
	RESULT_OK = 0x00,
	RESULT_BUSY = 0x20,
	RESULT_TIMER_CONTRADICTION = 0x24,
	RESULT_BEYOND_CAPABILITIES = 0x30,
	RESULT_BIP_ERROR = 0x3A
};

#endif
