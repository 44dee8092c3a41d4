/* SPDX-License-Identifier: Apache-2.0 */
/* hold.so: preloaded into a program, it stops the process at its very end, so that its memory, freed blocks included, can be
 * copied before it goes (leakcheck run). With LEAKCHECK_HOLD_SEAL set it also stops in the middle of the first sealing, where
 * an operator process must hold secrets: the leak check's positive control. */
#include <dlfcn.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

__attribute__((destructor)) static void hold(void)
{
	(void)raise(SIGSTOP);
}

int EVP_EncryptFinal_ex(void *ctx, unsigned char *out, int *n);
int EVP_EncryptFinal_ex(void *ctx, unsigned char *out, int *n)
{
	static int (*real)(void *, unsigned char *, int *);

	if (real == NULL) {
		void *symbol = dlsym(RTLD_NEXT, "EVP_EncryptFinal_ex");

		memcpy(&real, &symbol, sizeof real);
		if (getenv("LEAKCHECK_HOLD_SEAL") != NULL)
			(void)raise(SIGSTOP);
	}
	return real(ctx, out, n);
}
