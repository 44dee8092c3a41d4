/* SPDX-License-Identifier: Apache-2.0 */
/* Card content management with an administrator's rights: scripts of the card manager's TAR, each a two-octet length and
 * octets. The top bit of the length throws away what the script did. The card starts again afterwards, and the issuer's domain
 * and the USIM are there. */
#include "apdu/aids.h"
#include "card/applets/remote/rfm.h"
#include "tests/fuzz/born.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static uint8_t answer_memory[4096];
	struct bytes in = { data, n }, script;
	uint64_t len;
	bool ok;

	power_on_newborn();
	while (bytes_take_uint(&in, 2, &len)) {
		struct buf answer = BUF_OF(answer_memory);

		if (!bytes_take(&in, (size_t)(len & 0x7FF), &script))
			break;
		rfm_run_script(&card, rfm_target_built_in((const uint8_t *)TAR_CARD_MANAGER), script, &ok, &answer);
		if (answer.failed || answer.len < 3)
			abort();
		if ((len & 0x8000) != 0) { /* thrown away: RAM follows */
			store_abort(&card.store);
			if (applet_registry_load(&card) != OK)
				abort();
		} else if (store_commit(&card.store) != OK) {
			abort();
		}
	}
	if (card_power_on(&card, &env) != OK || applet_by_aid(&card, BYTES_STR(AID_ISD)) == NULL ||
	        applet_by_aid(&card, BYTES_STR(AID_USIM)) == NULL)
		abort();
	return 0;
}
