/* SPDX-License-Identifier: Apache-2.0 */
/* faults.so: preloaded into a program, it lets the Nth call of one kind fail, as the file that FAULTS names says (struct
 * control, which tests/e2e/plant and tests/e2e/tour.c write and read). What a program dies of is said by the names of the first
 * frames. */
#include "tests/e2e/faults.h"

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { FRAMES = 40, SQLITE_NOMEM_RC = 7 };

static struct control *control;
static __thread bool inside; /* what we call ourselves does not count */

void faults_leave(void)
{
	control = NULL;
}

/* One call of this kind: whether it is the one that fails. */
static bool planned(enum fault_kind kind)
{
	if (control == NULL || !control->armed || inside)
		return false;
	if (__atomic_add_fetch(&control->count[kind], 1, __ATOMIC_RELAXED) != control->n || control->kind != kind)
		return false;
	control->planted++;
	if (control->show != 0)
		raise(SIGTRAP);
	errno = control->error;
	return true;
}

static void *real_of(const char *name)
{
	void *symbol;

	inside = true;
	symbol = dlsym(RTLD_NEXT, name);
	inside = false;
	return symbol;
}

/* The first frames behind the handler's and the kernel's, an object and a name each. */
static void say_frames(const char *word, int first)
{
	void *frame[FRAMES];
	int n;

	inside = true;
	n = backtrace(frame, FRAMES);
	(void)dprintf(STDERR_FILENO, "%s", word);
	for (int i = first; i < n && i < first + 24; i++) {
		Dl_info info = { 0 };
		const char *file = dladdr(frame[i], &info) != 0 && info.dli_fname != NULL ? strrchr(info.dli_fname, '/') : NULL;

		(void)dprintf(STDERR_FILENO, " %s:%s+%lx", file != NULL ? file + 1 : "program",
		        info.dli_sname != NULL ? info.dli_sname : "?",
		        (unsigned long)((char *)frame[i] - (char *)info.dli_fbase));
	}
	(void)dprintf(STDERR_FILENO, "\n");
	inside = false;
}

static void crashed(int signal)
{
	say_frames("CRASH", signal == SIGABRT ? 5 : 3);
	_exit(128 + signal);
}

static void shown(int signal)
{
	(void)signal;
	say_frames("PLANTED", 4);
}

__attribute__((constructor)) static void set_up(void)
{
	const char *path = getenv("FAULTS");
	int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *p = fd >= 0 ? mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;
	void *frame[1];

	if (fd >= 0)
		(void)close(fd);
	if (p == MAP_FAILED)
		return;
	(void)backtrace(frame, 1); /* which loads libgcc_s */
	(void)signal(SIGSEGV, crashed);
	(void)signal(SIGBUS, crashed);
	(void)signal(SIGFPE, crashed);
	(void)signal(SIGILL, crashed);
	(void)signal(SIGABRT, crashed);
	(void)signal(SIGTRAP, shown);
	control = p;
}

/* Constructors of libraries have run: from here on it counts, unless it waits to be armed. */
int __libc_start_main(int (*start)(int, char **, char **), int argc, char **argv, void (*init)(void), void (*fini)(void),
        void (*rtld_fini)(void), void *stack_end);
int __libc_start_main(int (*start)(int, char **, char **), int argc, char **argv, void (*init)(void), void (*fini)(void),
        void (*rtld_fini)(void), void *stack_end)
{
	int (*real)(int (*)(int, char **, char **), int, char **, void (*)(void), void (*)(void), void (*)(void), void *);
	void *symbol = real_of("__libc_start_main");

	memcpy(&real, &symbol, sizeof real);
	if (control != NULL && control->waits == 0)
		control->armed = 1;
	return real(start, argc, argv, init, fini, rtld_fini, stack_end);
}

/* ---- memory --------------------------------------------------------------------------------------------------------- */

void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);

void *malloc(size_t n)
{
	return planned(FAULT_MALLOC) ? NULL : __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
	return planned(FAULT_MALLOC) ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
	return planned(FAULT_MALLOC) ? NULL : __libc_realloc(p, n);
}

/* ---- files and sockets ---------------------------------------------------------------------------------------------- */

#define FAIL(kind, type, name, parameters, arguments)                                                                          \
	type name parameters;                                                                                                  \
	type name parameters                                                                                                   \
	{                                                                                                                      \
		static type(*real) parameters;                                                                                 \
		if (real == NULL) {                                                                                            \
			void *symbol = real_of(#name);                                                                         \
			memcpy(&real, &symbol, sizeof real);                                                                   \
		}                                                                                                              \
		return planned(kind) ? (type)-1 : real arguments;                                                              \
	}

FAIL(FAULT_READ, ssize_t, read, (int fd, void *data, size_t n), (fd, data, n))
FAIL(FAULT_READ, ssize_t, pread64, (int fd, void *data, size_t n, off64_t at), (fd, data, n, at))
FAIL(FAULT_READ, ssize_t, recv, (int fd, void *data, size_t n, int flags), (fd, data, n, flags))
FAIL(FAULT_READ, ssize_t, readv, (int fd, const struct iovec *v, int n), (fd, v, n))
FAIL(FAULT_READ, ssize_t, recvfrom, (int fd, void *data, size_t n, int flags, __SOCKADDR_ARG from, socklen_t *len),
        (fd, data, n, flags, from, len))
FAIL(FAULT_READ, ssize_t, recvmsg, (int fd, struct msghdr *m, int flags), (fd, m, flags))
FAIL(FAULT_WRITE, ssize_t, writev, (int fd, const struct iovec *v, int n), (fd, v, n))
FAIL(FAULT_WRITE, ssize_t, sendto, (int fd, const void *data, size_t n, int flags, __CONST_SOCKADDR_ARG to, socklen_t len),
        (fd, data, n, flags, to, len))
FAIL(FAULT_WRITE, ssize_t, sendmsg, (int fd, const struct msghdr *m, int flags), (fd, m, flags))
FAIL(FAULT_WRITE, ssize_t, write, (int fd, const void *data, size_t n), (fd, data, n))
FAIL(FAULT_WRITE, ssize_t, pwrite64, (int fd, const void *data, size_t n, off64_t at), (fd, data, n, at))
FAIL(FAULT_WRITE, ssize_t, send, (int fd, const void *data, size_t n, int flags), (fd, data, n, flags))
FAIL(FAULT_WRITE, int, ftruncate64, (int fd, off64_t n), (fd, n))
FAIL(FAULT_WRITE, int, posix_fallocate64, (int fd, off64_t at, off64_t n), (fd, at, n))
FAIL(FAULT_FSYNC, int, fsync, (int fd), (fd))
FAIL(FAULT_FSYNC, int, fdatasync, (int fd), (fd))

/* What stdio has buffered is written inside the C library: the file is closed, and not all of it is there. */
int fclose(FILE *f)
{
	static int (*real)(FILE *);
	void *symbol;
	bool failed = f != stdin && planned(FAULT_WRITE);
	int error = errno, rc;

	if (real == NULL) {
		symbol = real_of("fclose");
		memcpy(&real, &symbol, sizeof real);
	}
	rc = real(f);
	if (failed)
		errno = error;
	return failed ? EOF : rc;
}

/* Whether who calls this function is in the same library: what it does inside is its own. */
static bool within(long (*function)(long, long, long, long, long, long, long, long), const void *caller)
{
	Dl_info a, b;
	const void *p;

	memcpy(&p, &function, sizeof p);
	return control != NULL && dladdr(p, &a) != 0 && dladdr(caller, &b) != 0 && a.dli_fbase == b.dli_fbase;
}

/* ---- libraries: whatever the arguments of a function are, the processor hands on eight of them -------------------------- */

#define PASS(kind, failure, name)                                                                                              \
	long name(long, long, long, long, long, long, long, long);                                                             \
	long name(long a, long b, long c, long d, long e, long f, long g, long h)                                              \
	{                                                                                                                      \
		static long (*real)(long, long, long, long, long, long, long, long);                                           \
		if (real == NULL) {                                                                                            \
			void *symbol = real_of(#name);                                                                         \
			memcpy(&real, &symbol, sizeof real);                                                                   \
		}                                                                                                              \
		return !within(real, __builtin_return_address(0)) && planned(kind) ? failed_##kind(failure)                    \
		                                                                   : real(a, b, c, d, e, f, g, h);             \
	}

/* As OpenSSL fails: with the reason in its queue. */
static long failed_FAULT_EVP(long failure)
{
	void (*fresh)(void), (*set)(int, int, const char *, ...);
	void *symbol = real_of("ERR_new");

	inside = true;
	memcpy(&fresh, &symbol, sizeof fresh);
	symbol = dlsym(RTLD_NEXT, "ERR_set_error");
	memcpy(&set, &symbol, sizeof set);
	fresh();
	set(ERR_LIB_EVP, ERR_R_MALLOC_FAILURE, NULL);
	inside = false;
	return failure;
}

static long failed_FAULT_SQLITE(long failure)
{
	return failure;
}

static long failed_FAULT_SCARD(long failure)
{
	return failure;
}

#define EVP(name) PASS(FAULT_EVP, 0, name)
#define EVP_NEGATIVE(name) PASS(FAULT_EVP, -1, name)
/* EVP_DecryptFinal_ex is left out: that it fails is how a wrong tag looks, and no more can be told from outside. */
EVP(EVP_CIPHER_CTX_ctrl)
EVP(EVP_CIPHER_CTX_new)
EVP(EVP_CIPHER_CTX_set_padding)
EVP(EVP_CIPHER_fetch)
EVP(EVP_CipherInit_ex)
EVP(EVP_CipherUpdate)
EVP(EVP_DecryptUpdate)
EVP(EVP_DigestFinalXOF)
EVP(EVP_DigestFinal_ex)
EVP(EVP_DigestInit_ex)
EVP(EVP_DigestUpdate)
EVP(EVP_EncryptFinal_ex)
EVP(EVP_EncryptUpdate)
EVP(EVP_KDF_CTX_new)
EVP(EVP_KDF_derive)
EVP(EVP_KDF_fetch)
EVP(EVP_MAC_CTX_new)
EVP(EVP_MAC_fetch)
EVP(EVP_MAC_final)
EVP(EVP_MAC_init)
EVP(EVP_MAC_update)
EVP(EVP_MD_CTX_new)
EVP(EVP_PKEY_CTX_new)
EVP(EVP_PKEY_CTX_new_from_name)
EVP(EVP_PKEY_CTX_set_rsa_padding)
EVP(EVP_PKEY_Q_keygen)
EVP(EVP_PKEY_assign)
EVP(EVP_PKEY_decrypt)
EVP(EVP_PKEY_decrypt_init)
EVP(EVP_PKEY_derive)
EVP(EVP_PKEY_derive_init)
EVP(EVP_PKEY_derive_set_peer)
EVP(EVP_PKEY_encrypt)
EVP(EVP_PKEY_encrypt_init)
EVP(EVP_PKEY_fromdata)
EVP(EVP_PKEY_fromdata_init)
EVP(EVP_PKEY_get1_EC_KEY)
EVP(EVP_PKEY_get_bn_param)
EVP(EVP_PKEY_get_octet_string_param)
EVP(EVP_PKEY_get_raw_public_key)
EVP(EVP_PKEY_new)
EVP(EVP_PKEY_new_raw_private_key)
EVP(EVP_PKEY_new_raw_public_key)
EVP(EVP_PKEY_sign)
EVP(EVP_PKEY_sign_init)
EVP_NEGATIVE(EVP_PKEY_verify)
EVP(EVP_PKEY_verify_init)
EVP(RAND_priv_bytes)

#define LITE(name) PASS(FAULT_SQLITE, SQLITE_NOMEM_RC, name)
LITE(sqlite3_bind_blob)
LITE(sqlite3_bind_int)
LITE(sqlite3_bind_int64)
LITE(sqlite3_bind_text)
LITE(sqlite3_exec)
LITE(sqlite3_prepare_v2)
LITE(sqlite3_step)

#define CARD(name) PASS(FAULT_SCARD, 0x80100006L, name) /* SCARD_E_NO_MEMORY */
CARD(SCardEstablishContext)
CARD(SCardListReaders)
CARD(SCardConnect)
CARD(SCardReconnect)
CARD(SCardStatus)
CARD(SCardGetStatusChange)
CARD(SCardBeginTransaction)
CARD(SCardEndTransaction)
CARD(SCardTransmit)
CARD(SCardDisconnect)
CARD(SCardReleaseContext)
