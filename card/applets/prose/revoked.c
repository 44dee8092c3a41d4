/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of the revoked, one a KMS, like a CRL: they come sealed, their numbers only grow, and they survive the power. */
#include <string.h>

#include "apdu/tlv.h"
#include "card/applets/prose/prose.h"

static enum status name_of(struct bytes kms_uri, struct record_name *out)
{
	uint8_t digest[DIGEST_LEN];

	TRY(prose_digest(&kms_uri, 1, digest));
	*out = prose_record_name("rv", digest);
	return OK;
}

enum sw prose_not_revoked(struct applet *a, const struct mikey_kms *kms, struct bytes uid)
{
	SECRET_LARGE record = { 0 };
	struct record_name name;
	struct bytes uids, each, first;
	enum status st;

	if ((st = name_of(kms->uri, &name)) != OK)
		return sw_of(st);
	if ((st = applet_get(a, name_bytes(&name), &record)) != OK)
		return st == ERR_NOT_FOUND ? SW_OK : sw_of(st);
	if (tlv_find(secret_large_bytes(&record), REVOKED_UIDS, &uids) != OK || !bytes_take(&uid, REVOKED_UID_LEN, &first))
		return sw_of(ERR_MALFORMED);
	while (bytes_take(&uids, REVOKED_UID_LEN, &each))
		if (bytes_equal(each, first))
			return SW_PROSE_REVOKED;
	return SW_OK;
}

static bool is_known(struct applet *a, struct bytes kms_uri)
{
	KMS_CERTIFICATE own = { 0 };
	SECRET_LARGE record = { 0 };
	uint8_t digest[DIGEST_LEN];
	struct record_name name;

	if (prose_load_kms(a, &own) == OK && bytes_equal(own.kms.uri, kms_uri))
		return true;
	if (prose_digest(&kms_uri, 1, digest) != OK)
		return false;
	name = prose_record_name("kx", digest);
	return applet_get(a, name_bytes(&name), &record) == OK;
}

enum sw prose_install_revoked(struct applet *a, struct bytes payload)
{
	SECRET_LARGE old = { 0 };
	struct bytes kms, number, uids, last;
	struct record_name name;
	enum status st;

	if (tlv_find(payload, REVOKED_KMS, &kms) != OK || tlv_find(payload, REVOKED_NUMBER, &number) != OK || number.n != 8 ||
	        tlv_find(payload, REVOKED_UIDS, &uids) != OK || uids.n % REVOKED_UID_LEN != 0 ||
	        uids.n > REVOKED_MAX * REVOKED_UID_LEN)
		return SW_WRONG_DATA;
	if (!is_known(a, kms))
		return SW_PROSE_NOT_PROVISIONED;
	if ((st = name_of(kms, &name)) != OK)
		return sw_of(st);
	st = applet_get(a, name_bytes(&name), &old);
	if (st == OK && bytes_equal(secret_large_bytes(&old), payload))
		return SW_OK; /* it comes with each key set */
	if (st == OK && tlv_find(secret_large_bytes(&old), REVOKED_NUMBER, &last) == OK &&
	        bytes_uint(number) <= bytes_uint(last))
		return SW_PROSE_REPLAY;
	if (st != OK && st != ERR_NOT_FOUND)
		return sw_of(st);
	return sw_of(applet_put(a, name_bytes(&name), payload));
}
