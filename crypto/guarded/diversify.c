/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/guarded/diversify.h"

#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <string.h>

#include "crypto/common/failure.h"

/* OpenSSL's parameters are not const. */
static void *unconst(const void *p)
{
	return (void *)p;
}

enum status key_diversify(struct bytes master, const char *label, struct bytes context, uint8_t *out, size_t n)
{
	EVP_KDF *kdf;
	EVP_KDF_CTX *c;
	OSSL_PARAM params[] = { OSSL_PARAM_utf8_string(OSSL_KDF_PARAM_MODE, unconst("counter"), 0),
		OSSL_PARAM_utf8_string(OSSL_KDF_PARAM_MAC, unconst("HMAC"), 0),
		OSSL_PARAM_utf8_string(OSSL_KDF_PARAM_DIGEST, unconst("SHA256"), 0),
		OSSL_PARAM_octet_string(OSSL_KDF_PARAM_KEY, unconst(master.p), master.n),
		OSSL_PARAM_octet_string(OSSL_KDF_PARAM_SALT, unconst(label), strlen(label)),
		OSSL_PARAM_octet_string(OSSL_KDF_PARAM_INFO, unconst(context.p), context.n), OSSL_PARAM_END };
	bool ok;

	if (master.n < DIVERSIFY_MASTER_MIN)
		return ERR_MALFORMED;
	for (size_t i = 0; i < 3; i++)
		params[i].data_size = strlen(params[i].data);
	kdf = EVP_KDF_fetch(NULL, "KBKDF", NULL);
	c = kdf != NULL ? EVP_KDF_CTX_new(kdf) : NULL;
	ok = c != NULL && EVP_KDF_derive(c, out, n, params) == 1;
	EVP_KDF_CTX_free(c);
	EVP_KDF_free(kdf);
	return ok ? OK : crypto_failed();
}
