/* packet.h - command and response packets of TS 102 225 in the SMS-PP profile (3GPP 31.115), pure: keys and counters are
 * arguments. This version speaks AES-CBC with AES-CMAC of 8 octets, ciphered, counter present; everything else is refused. */
#ifndef OTA_PACKET_H
#define OTA_PACKET_H

#include "apdu/secret.h"

enum { OTA_TAR_LEN = 3, OTA_CC_LEN = 8, OTA_PACKET_MAX = 1024, OTA_COUNTER_MAX_BITS = 40 };
#define OTA_COUNTER_BLOCKED UINT64_C(0xFFFFFFFFFF)

/* SPI1 and SPI2 (5.1.1). */
enum ota_spi {
	SPI1_CC = 0x02,
	SPI1_CIPHERED = 0x04,
	SPI1_COUNTER_HIGHER = 0x10,
	SPI1_COUNTER_STRICT = 0x18,
	SPI1_DEFAULT = SPI1_CC | SPI1_CIPHERED | SPI1_COUNTER_HIGHER, /* 16 */
	SPI2_POR_ALWAYS = 0x01,
	SPI2_POR_ON_ERROR = 0x02,
	SPI2_POR_CC = 0x08,
	SPI2_POR_CIPHERED = 0x10,
	SPI2_POR_SUBMIT = 0x20,
	SPI2_DEFAULT = SPI2_POR_ALWAYS | SPI2_POR_CC | SPI2_POR_CIPHERED /* 19: by delivery report */
};
enum { KEY_AES = 0x02 };

enum ota_rsc { /* table 5 */
	RSC_OK = 0x00,
	RSC_CC_FAILED = 0x01,
	RSC_COUNTER_LOW = 0x02,
	RSC_COUNTER_HIGH = 0x03,
	RSC_COUNTER_BLOCKED = 0x04,
	RSC_SECURITY_ERROR = 0x06,
	RSC_NO_MEMORY = 0x07,
	RSC_TAR_UNKNOWN = 0x09,
	RSC_LEVEL_TOO_LOW = 0x0A
};

struct ota_keys {
	uint8_t kvn;      /* 1..15 */
	struct bytes kic; /* AES key, 16, 24 or 32 */
	struct bytes kid;
};

struct ota_command {
	uint8_t spi1, spi2, kic, kid;
	uint8_t tar[OTA_TAR_LEN];
	uint64_t counter;
	struct bytes data;
};

/* Append the packet (CPL first). ERR_BUG for an SPI1 this version does not speak. */
MUST_USE enum status ota_command_build(const struct ota_keys *, const struct ota_command *, struct buf *out);

/* The clear part: SPI, KIc, KID, TAR; lengths checked against each other. Says nothing about authenticity. */
MUST_USE enum status ota_command_peek(struct bytes packet, struct ota_command *out);

/* Decrypt into plain, check the CC, then fill out (data is a view into plain). One error, ERR_CRYPTO, for everything that
 * can be wrong before the MAC is right, after the same work. */
MUST_USE enum status ota_command_open(
        const struct ota_keys *, struct bytes packet, struct secret_large *plain, struct ota_command *out);

struct ota_response {
	uint8_t tar[OTA_TAR_LEN];
	uint64_t counter;
	uint8_t rsc;
	struct bytes data;
};

/* Append a response packet behind UDH 02 71 00, secured as spi2 asks. keys NULL: unsecured, counter zero. */
MUST_USE enum status ota_response_build(
        const struct ota_keys *keys, uint8_t spi2, const struct ota_response *, struct buf *out);

/* Check and open a response packet (with its 02 71 00). *secured tells whether a CC was there and right. */
MUST_USE enum status ota_response_open(const struct ota_keys *, uint8_t spi2, struct bytes packet, struct secret_large *plain,
        struct ota_response *out, bool *secured);

#endif
