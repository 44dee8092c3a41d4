/* SPDX-License-Identifier: Apache-2.0 */
/* A program that loads what prose-card loads and does nothing: the reference of its start. */
#include <jansson.h>
#include <openssl/crypto.h>
#include <sqlite3.h>

int main(void)
{
	return OpenSSL_version_num() != 0 && sqlite3_libversion_number() != 0 ? 0 : 1;
}
