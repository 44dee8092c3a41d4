/* SPDX-License-Identifier: Apache-2.0 */
/* What a key management service may not lose, to look for it elsewhere: a line "z HEX" and "ksak HEX".
 * usage: kms-secrets STATE MASTER-KEY-FILE */
#include <stdio.h>

#include "provisioning/keys/kms.h"

static void show(const char *name, struct bytes b)
{
	(void)printf("%s ", name);
	for (size_t i = 0; i < b.n; i++)
		(void)printf("%02x", b.p[i]);
	(void)putchar('\n');
}

int main(int argc, char **argv)
{
	KMS kms = { 0 };
	char reason[512] = "usage: kms-secrets STATE MASTER-KEY-FILE";
	struct db *db = argc == 3 ? db_open(argv[1], argv[2], reason, sizeof reason) : NULL;
	enum status st;

	if (db == NULL) {
		(void)fprintf(stderr, "kms-secrets: %s\n", reason);
		return 1;
	}
	if ((st = kms_load(db, &kms)) == OK) {
		show("z", secret_large_bytes(&kms.z));
		show("ksak", secret_bytes(&kms.ksak));
	}
	db_close(&db);
	return st != OK;
}
