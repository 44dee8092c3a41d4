/* SHA1_Transform is the compression function that FIPS 186-2 calls G; OpenSSL 3 has it under "deprecated" only. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "crypto/eap_prf.h"

#include <string.h>

#include <openssl/sha.h>

enum { PARTS_MAX = 6 };

static void put_word(uint8_t *out, SHA_LONG v)
{
	for (int i = 3; i >= 0; i--, v >>= 8)
		out[i] = (uint8_t)v;
}

/* G(t, c): the state after one compression of c padded with zeros, without SHA-1's own padding. */
static bool g(const uint8_t c[SHA1_LEN], uint8_t out[SHA1_LEN])
{
	uint8_t block[64] = { 0 };
	SHA_CTX ctx;

	memcpy(block, c, SHA1_LEN);
	if (SHA1_Init(&ctx) != 1)
		return false;
	SHA1_Transform(&ctx, block);
	put_word(out, ctx.h0);
	put_word(out + 4, ctx.h1);
	put_word(out + 8, ctx.h2);
	put_word(out + 12, ctx.h3);
	put_word(out + 16, ctx.h4);
	secret_clean(block, sizeof block);
	secret_clean(&ctx, sizeof ctx);
	return true;
}

enum status prf_fips_186_2(const uint8_t key[static SHA1_LEN], uint8_t *out, size_t n)
{
	uint8_t x[SHA1_LEN], w[SHA1_LEN];

	memcpy(x, key, sizeof x);
	while (n > 0) {
		size_t take = n < SHA1_LEN ? n : SHA1_LEN;
		unsigned carry = 1; /* x = 1 + x + w mod 2^160 */

		if (!g(x, w))
			return ERR_CRYPTO;
		memcpy(out, w, take);
		out += take;
		n -= take;
		for (int i = SHA1_LEN - 1; i >= 0; i--, carry >>= 8) {
			carry += (unsigned)x[i] + w[i];
			x[i] = (uint8_t)carry;
		}
	}
	secret_clean(x, sizeof x);
	secret_clean(w, sizeof w);
	return OK;
}

enum status prf_prime(struct bytes key, const struct bytes *parts, size_t count, uint8_t *out, size_t n)
{
	struct bytes in[PARTS_MAX + 2];
	uint8_t t[SHA256_LEN], i = 0;

	if (count > PARTS_MAX)
		return ERR_BUG;
	in[0] = (struct bytes){ t, 0 }; /* T0 is empty */
	memcpy(in + 1, parts, count * sizeof *parts);
	while (n > 0) {
		size_t take = n < SHA256_LEN ? n : SHA256_LEN;

		i++;
		in[count + 1] = (struct bytes){ &i, 1 };
		TRY(hmac_sha256(key, in, count + 2, t));
		in[0].n = sizeof t;
		memcpy(out, t, take);
		out += take;
		n -= take;
	}
	secret_clean(t, sizeof t);
	return OK;
}

enum status eap_mac(bool prime, struct bytes key, const struct bytes *parts, size_t count, uint8_t out[static 16])
{
	uint8_t mac[SHA256_LEN];

	TRY(prime ? hmac_sha256(key, parts, count, mac) : hmac_sha1(key, parts, count, mac));
	memcpy(out, mac, 16);
	return OK;
}
