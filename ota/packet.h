/* SPDX-License-Identifier: Apache-2.0 */
/* packet.h - command and response packets of TS 102 225 in the SMS-PP profile (3GPP 31.115), pure: keys and counters are
 * arguments. Every combination of SPI1 and SPI2 that can be protected with RC, CC or nothing, ciphered or not; 3DES with two
 * and three keys, AES with 128, 192 and 256 bits. Single DES, DES-ECB, digital signatures and proprietary algorithms are
 * recognised and refused. */
#ifndef OTA_PACKET_H
#define OTA_PACKET_H

#include "apdu/base/secret.h"

enum { OTA_TAR_LEN = 3, OTA_CC_MAX = 8, OTA_PACKET_MAX = 2048, OTA_COUNTER_LEN = 5 };
#define OTA_COUNTER_BLOCKED UINT64_C(0xFFFFFFFFFF)

/* SPI1 and SPI2 (5.1.1). */
enum ota_spi {
	SPI1_INTEGRITY = 0x03, /* mask */
	SPI1_RC = 0x01,
	SPI1_CC = 0x02,
	SPI1_DS = 0x03,
	SPI1_CIPHERED = 0x04,
	SPI1_COUNTER = 0x18, /* mask */
	SPI1_COUNTER_UNCHECKED = 0x08,
	SPI1_COUNTER_HIGHER = 0x10,
	SPI1_COUNTER_STRICT = 0x18,
	SPI1_RFU = 0xE0,
	SPI1_DEFAULT = SPI1_CC | SPI1_CIPHERED | SPI1_COUNTER_HIGHER, /* 16 */
	SPI2_POR = 0x03,                                              /* mask */
	SPI2_POR_ALWAYS = 0x01,
	SPI2_POR_ON_ERROR = 0x02,
	SPI2_POR_INTEGRITY = 0x0C, /* mask */
	SPI2_POR_RC = 0x04,
	SPI2_POR_CC = 0x08,
	SPI2_POR_CIPHERED = 0x10,
	SPI2_POR_SUBMIT = 0x20,
	SPI2_DEFAULT = SPI2_POR_ALWAYS | SPI2_POR_CC | SPI2_POR_CIPHERED /* 19: by delivery report */
};

/* The lower nibble of KIc and KID (5.1.2, 5.1.3). With SPI1_RC the KID's is a CRC. */
enum ota_algorithm { KEY_DES = 0x01, KEY_AES = 0x02, KEY_3DES_2 = 0x05, KEY_3DES_3 = 0x09, KID_CRC16 = 0x01, KID_CRC32 = 0x05 };

/* The algorithm that people write as aes, 3des-2 or 3des-3; 0 for anything else, NULL too. */
uint8_t ota_algorithm_named(const char *name);

enum ota_rsc { /* table 5; 0B and 0C of 31.115 */
	RSC_OK = 0x00,
	RSC_CC_FAILED = 0x01,
	RSC_COUNTER_LOW = 0x02,
	RSC_COUNTER_HIGH = 0x03,
	RSC_COUNTER_BLOCKED = 0x04,
	RSC_CIPHERING_ERROR = 0x05,
	RSC_SECURITY_ERROR = 0x06,
	RSC_NO_MEMORY = 0x07,
	RSC_MORE_TIME = 0x08,
	RSC_TAR_UNKNOWN = 0x09,
	RSC_LEVEL_TOO_LOW = 0x0A,
	RSC_BY_SUBMIT = 0x0B,
	RSC_BY_USSD = 0x0C
};
/* A few words for people. */
const char *ota_rsc_text(uint8_t rsc);

/* One key set. A type of 0 is AES, a cc_len of 0 is 8: the octets of an AES key's CC (4 or 8) are an attribute of the key. */
struct ota_keys {
	uint8_t kvn; /* 1..15 */
	struct bytes kic, kid;
	uint8_t kic_type, kid_type; /* enum ota_algorithm */
	uint8_t cc_len;
};

struct ota_command {
	uint8_t spi1, spi2, kic, kid;
	uint8_t tar[OTA_TAR_LEN];
	uint64_t counter;
	struct bytes data;
};

/* Why a header cannot be used with these keys (NULL: with any), or NULL: a sentence that names the field. */
const char *ota_command_fault(const struct ota_keys *, const struct ota_command *);

/* Append the packet (CPL first). ERR_DENIED where ota_command_fault has something to say. */
MUST_USE enum status ota_command_build(const struct ota_keys *, const struct ota_command *, struct buf *out);

/* The clear part: SPI, KIc, KID, TAR; lengths checked against each other. Says nothing about authenticity. */
MUST_USE enum status ota_command_peek(struct bytes packet, struct ota_command *out);

/* Decrypt into plain, check RC or CC, then fill out (data is a view into plain). One error, ERR_CRYPTO, for everything that can
 * be wrong before the MAC is right, after the same number of block cipher calls for packets of the same length and header. What
 * has neither CC nor cipher opens for anybody: the caller decides what it accepts. */
MUST_USE enum status ota_command_open(
        const struct ota_keys *, struct bytes packet, struct secret_large *plain, struct ota_command *out);

/* The work of opening this packet with keys that are nobody's, of the algorithms that its header names (AES where it names
 * none): for headers that lead to no key set. */
void ota_command_pretend(struct bytes packet, struct secret_large *plain);

struct ota_response {
	uint8_t tar[OTA_TAR_LEN];
	uint64_t counter;
	uint8_t rsc;
	struct bytes data;
};

/* Append a response packet behind UDH 02 71 00, secured as spi2 asks. keys NULL: unsecured, counter zero. */
MUST_USE enum status ota_response_build(
        const struct ota_keys *keys, uint8_t spi2, const struct ota_response *, struct buf *out);

/* The user data of an SMS-SUBMIT as a response packet again: behind 02 71 00. */
void ota_response_put(struct buf *, struct bytes user_data);
bool ota_is_response(struct bytes packet); /* begins so */

/* Check and open a response packet (with its 02 71 00). *secured tells whether a CC was there and right. */
MUST_USE enum status ota_response_open(const struct ota_keys *, uint8_t spi2, struct bytes packet, struct secret_large *plain,
        struct ota_response *out, bool *secured);

#endif
