/* SPDX-License-Identifier: Apache-2.0 */
#include "card/io/image/secret_table.h"

#include "apdu/birth.h"
#include "apdu/prose.h"
#include "apdu/tlv.h"
#include "crypto/guarded/aka.h"

const struct secret_row secret_rows[] = {
	{ "K", "a0/k", AKA_TAG_K, 0, 0, false },
	{ "OPc", "a0/k", AKA_TAG_OPC, 0, 0, false },
	{ "Ks", "a0/ks", 0, RAND_LEN, 32, false },
	{ "Ks_int_NAF", "a0/naf/", 0, 0, 32, false },
	{ "OTA KIc", "a2/key/", OTA_KEY_KIC, 0, 0, false },
	{ "OTA KID", "a2/key/", OTA_KEY_KID, 0, 0, false },
	{ "ISD ENC", "a3/scp", 0, 1, 16, false },
	{ "ISD MAC", "a3/scp", 0, 17, 16, false },
	{ "ISD DEK", "a3/scp", 0, 33, 16, false },
	{ "PSK", "a3/psk/", 0, 0, 0, false },
	{ "TrK", "a1/trk", 0, 1, 32, false },
	{ "InK", "a1/trk", 0, 33, 32, false },
	{ "RSK x", "a1/ks/", KEYSET_RSK, 1, 128, false },
	{ "RSK y", "a1/ks/", KEYSET_RSK, 129, 128, false },
	{ "SSK", "a1/ks/", KEYSET_SSK, 0, 32, false },
	{ "GMK", "a1/gmk/", 0, 28, GMK_LEN, false },
	{ "ProSe Application Key", "a1/d/", DISC_APPLICATION_KEY, 0, 0, false },
	{ "DUSK", "a1/d/", DISC_DUSK, 0, 0, false },
	{ "DUIK", "a1/d/", DISC_DUIK, 0, 0, false },
};
const size_t secret_row_count = sizeof secret_rows / sizeof *secret_rows;

static enum status find_value(const struct secret_row *r, struct bytes content, struct bytes *out)
{
	struct tlv t;

	*out = content;
	if (r->tag == 0)
		return OK;
	/* A discovery record begins with name and validity, whose tags overlap the payload's: skip what is 90, 84 and 85 there.
	 */
	for (int i = 0; i < 3 && content.n > 0 && content.p[0] == TAG_NAME; i++)
		for (int k = 0; k < 3; k++)
			TRY(tlv_next(&content, &t));
	return tlv_find(content, r->tag, out);
}

enum status secret_row_value(const struct secret_row *r, struct bytes content, struct bytes *out)
{
	struct bytes value, skipped;

	TRY(find_value(r, content, &value));
	if (!bytes_take(&value, r->at, &skipped) || !bytes_take(&value, r->len != 0 ? r->len : value.n, out))
		return ERR_NOT_FOUND;
	return OK;
}
