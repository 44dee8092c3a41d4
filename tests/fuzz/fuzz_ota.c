/* SPDX-License-Identifier: Apache-2.0 */
/* OTA: short messages, command and response packets, scripts. Nothing that was not MACed is ever accepted. */
#include <stdlib.h>

#include "ota/packet.h"
#include "ota/script.h"
#include "ota/sms.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const uint8_t key[16] = { 0x5A };
	const struct ota_keys k = { .kvn = 1, .kic = BYTES_OF(key), .kid = BYTES_OF(key) };
	static struct secret_large plain;
	struct bytes whole = { data, n }, packet, script = whole;
	struct ota_response r;
	struct ota_command c;
	static struct sms_assembly assembly;
	struct expanded_script expanded;
	struct expanded_answer answer;
	struct expanded_item item;
	enum expanded_fault fault;
	struct sms_part part;
	struct command_apdu a;
	bool secured;

	if (sms_deliver_parse(whole, &part) != OK || sms_assemble(&assembly, &part, &packet) != OK)
		packet = whole;
	(void)!sms_submit_parse(whole, &part);
	if (expanded_open(whole, &expanded) == OK)
		while (expanded_next(&expanded, &item, &fault) == OK)
			;
	(void)!expanded_answer_parse(whole, &answer);
	if (ota_command_open(&k, packet, &plain, &c) == OK && (c.spi1 & SPI1_INTEGRITY) == SPI1_CC)
		abort(); /* the fuzzer does not know the key */
	if (ota_response_open(&k, SPI2_DEFAULT, whole, &plain, &r, &secured) == OK && secured)
		abort();
	while (script_next(&script, &a) == OK)
		;
	return 0;
}
