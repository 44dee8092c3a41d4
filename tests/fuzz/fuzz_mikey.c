/* SPDX-License-Identifier: Apache-2.0 */
/* MIKEY: every view the parser hands out lies inside the message, and opening never crashes. */
#include <stdlib.h>

#include "protocols/mikey/keys/psk.h"
#include "protocols/mikey/keys/sakke_message.h"

static void inside(struct bytes whole, struct bytes part)
{
	if (part.n > 0 && (part.p < whole.p || part.n > whole.n || part.p - whole.p > (ptrdiff_t)(whole.n - part.n)))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const uint8_t key[16];
	struct bytes whole = { data, n }, ext;
	struct secret gsk = { 0 }, salt = { 0 };
	static struct secret_large plain;
	struct key_parameters parameters;
	uint32_t id;
	struct mikey m;

	if (mikey_parse(whole, &m) != OK)
		return 0;
	inside(whole, m.rand);
	inside(whole, m.signature);
	inside(whole, m.sakke.data);
	inside(whole, m.kemac.data);
	inside(whole, m.kemac.mac);
	for (size_t i = 0; i < MIKEY_ROLES; i++)
		inside(whole, m.role[i]);
	(void)!mikey_psk_gmk_id(&m, &id);
	(void)!mikey_psk_ssrc(&m, &id);
	if (m.header.data_type == MIKEY_PSK_INIT)
		(void)!mikey_psk_open(BYTES_OF(key), &m, &gsk, &salt);
	if (mikey_ext(&m, MIKEY_EXT_KEY_PARAMETERS, &ext) == OK)
		(void)!key_parameters_open(BYTES_OF(key), ext, &plain, &parameters);
	return 0;
}
