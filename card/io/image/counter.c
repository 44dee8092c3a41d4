/* SPDX-License-Identifier: Apache-2.0 */
#include "card/io/image/counter.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <tss2/tss2_esys.h>
#include <tss2/tss2_tctildr.h>

enum { COUNTER_LEN = 8 };

static enum status say(char *reason, size_t n, const char *format, ...) __attribute__((format(printf, 3, 4)));
static enum status say(char *reason, size_t n, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(reason, n, format, args);
	va_end(args);
	return ERR_IO;
}

/* ---- a file ---------------------------------------------------------------------------------------------------------------
 */

struct file_counter {
	struct counter counter; /* first */
	int fd;
};

static enum status file_read(struct counter *c, uint64_t *out)
{
	const struct file_counter *f = (const struct file_counter *)(const void *)c;
	uint8_t raw[COUNTER_LEN];
	ssize_t n = pread(f->fd, raw, sizeof raw, 0);

	if (n != 0 && n != (ssize_t)sizeof raw)
		return ERR_IO;
	*out = n == 0 ? 0 : bytes_uint(BYTES_OF(raw));
	return OK;
}

static enum status file_increment(struct counter *c)
{
	const struct file_counter *f = (const struct file_counter *)(const void *)c;
	uint8_t raw[COUNTER_LEN];
	uint64_t value;

	TRY(file_read(c, &value));
	bytes_from_uint(value + 1, raw, sizeof raw);
	return pwrite(f->fd, raw, sizeof raw, 0) == (ssize_t)sizeof raw && fdatasync(f->fd) == 0 ? OK : ERR_IO;
}

static void file_close(struct counter *c)
{
	struct file_counter *f = (struct file_counter *)(void *)c;

	(void)close(f->fd);
	free(f);
}

static enum status file_open(const char *path, struct counter **out, char *reason, size_t n)
{
	struct file_counter *f = calloc(1, sizeof *f);
	uint64_t value;

	if (f == NULL)
		return ERR_NO_SPACE;
	f->counter = (struct counter){ file_read, file_increment, file_close };
	if ((f->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600)) < 0 || file_read(&f->counter, &value) != OK) {
		if (f->fd >= 0)
			(void)close(f->fd);
		free(f);
		return say(reason, n, "the counter file %s cannot be used: it must be writable, and empty or of %d octets",
		        path, (int)COUNTER_LEN);
	}
	*out = &f->counter;
	return OK;
}

/* ---- a TPM ----------------------------------------------------------------------------------------------------------------
 */

/* The functions of tpm2-tss that are used, taken by name when a TPM is named. */
#define TSS_FUNCTIONS(F)                                                                                                       \
	F(tctildr, Tss2_TctiLdr_Initialize)                                                                                    \
	F(tctildr, Tss2_TctiLdr_Finalize)                                                                                      \
	F(esys, Esys_Initialize)                                                                                               \
	F(esys, Esys_Finalize)                                                                                                 \
	F(esys, Esys_TR_FromTPMPublic)                                                                                         \
	F(esys, Esys_NV_Increment)                                                                                             \
	F(esys, Esys_NV_Read)                                                                                                  \
	F(esys, Esys_Free)
#define TSS_MEMBER(library, name) __typeof__(&(name)) name; /* NOLINT(bugprone-macro-parentheses): a declaration */

struct tpm_counter {
	struct counter counter; /* first */
	void *tctildr, *esys;   /* libraries */
	TSS2_TCTI_CONTEXT *tcti;
	ESYS_CONTEXT *context;
	ESYS_TR index;
	struct {
		TSS_FUNCTIONS(TSS_MEMBER)
	} tss;
};

static struct tpm_counter *tpm_of(struct counter *c)
{
	return (struct tpm_counter *)(void *)c;
}

static TSS2_RC nv_read(struct tpm_counter *t, uint64_t *out)
{
	TPM2B_MAX_NV_BUFFER *data = NULL;
	TSS2_RC rc = t->tss.Esys_NV_Read(
	        t->context, t->index, t->index, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, COUNTER_LEN, 0, &data);

	if (rc == TSS2_RC_SUCCESS && data->size != COUNTER_LEN)
		rc = TSS2_ESYS_RC_BAD_SIZE;
	if (rc == TSS2_RC_SUCCESS)
		*out = bytes_uint((struct bytes){ data->buffer, COUNTER_LEN });
	t->tss.Esys_Free(data);
	return rc;
}

static TSS2_RC nv_increment(struct tpm_counter *t)
{
	return t->tss.Esys_NV_Increment(t->context, t->index, t->index, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE);
}

static enum status tpm_read(struct counter *c, uint64_t *out)
{
	return nv_read(tpm_of(c), out) == TSS2_RC_SUCCESS ? OK : ERR_IO;
}

static enum status tpm_increment(struct counter *c)
{
	return nv_increment(tpm_of(c)) == TSS2_RC_SUCCESS ? OK : ERR_IO;
}

static void tpm_close(struct counter *c)
{
	struct tpm_counter *t = tpm_of(c);

	if (t->context != NULL)
		t->tss.Esys_Finalize(&t->context);
	if (t->tcti != NULL)
		t->tss.Tss2_TctiLdr_Finalize(&t->tcti);
	if (t->esys != NULL)
		(void)dlclose(t->esys);
	if (t->tctildr != NULL)
		(void)dlclose(t->tctildr);
	free(t);
}

static bool load_tss(struct tpm_counter *t)
{
	void *symbol;

	(void)setenv("TSS2_LOG", "all+none", 0); /* the sentence is ours; who wants theirs sets it */
	t->tctildr = dlopen("libtss2-tctildr.so.0", RTLD_NOW | RTLD_LOCAL);
	t->esys = dlopen("libtss2-esys.so.0", RTLD_NOW | RTLD_LOCAL);
	if (t->tctildr == NULL || t->esys == NULL)
		return false;
#define TSS_LOAD(library, name)                                                                                                \
	if ((symbol = dlsym(t->library, #name)) == NULL)                                                                       \
		return false;                                                                                                  \
	memcpy(&t->tss.name, &symbol, sizeof symbol);
	TSS_FUNCTIONS(TSS_LOAD)
	return true;
}

/* TPM 2.0 part 3, 31.6: an NV counter that has never been incremented cannot be read. */
static TSS2_RC first_value(struct tpm_counter *t)
{
	uint64_t value;
	TSS2_RC rc = nv_read(t, &value);

	return rc == TPM2_RC_NV_UNINITIALIZED ? nv_increment(t) : rc;
}

static enum status tpm_connect(struct tpm_counter *t, uint32_t index, const char *tcti, char *reason, size_t n)
{
	TSS2_RC rc;

	if (!load_tss(t))
		return say(reason, n, "the libraries of tpm2-tss (libtss2-esys.so.0, libtss2-tctildr.so.0) are not installed");
	if (t->tss.Tss2_TctiLdr_Initialize(tcti, &t->tcti) != TSS2_RC_SUCCESS ||
	        t->tss.Esys_Initialize(&t->context, t->tcti, NULL) != TSS2_RC_SUCCESS)
		return say(reason, n, "no TPM answers at %s", tcti);
	if (t->tss.Esys_TR_FromTPMPublic(t->context, index, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &t->index) !=
	        TSS2_RC_SUCCESS)
		return say(
		        reason, n, "the TPM has no NV index 0x%08x: define a counter there (tpm2_nvdefine)", (unsigned)index);
	if ((rc = first_value(t)) != TSS2_RC_SUCCESS)
		return say(reason, n,
		        "the TPM's NV index 0x%08x is no counter of 8 octets that authread and authwrite open (0x%x)",
		        (unsigned)index, (unsigned)rc);
	return OK;
}

static enum status tpm_open(const char *name, struct counter **out, char *reason, size_t n)
{
	static const char usual[] = "device:/dev/tpmrm0";
	struct tpm_counter *t;
	char *end;
	unsigned long long index = strtoull(name, &end, 16); /* wider than an index where long has 32 bits, too */
	enum status st;

	if (end == name || index > UINT32_MAX || (*end != 0 && *end != ','))
		return say(reason, n, "tpm: wants the hexadecimal NV index of a counter, and may have a TCTI behind a comma");
	if ((t = calloc(1, sizeof *t)) == NULL)
		return ERR_NO_SPACE;
	t->counter = (struct counter){ tpm_read, tpm_increment, tpm_close };
	if ((st = tpm_connect(t, (uint32_t)index, *end == ',' ? end + 1 : usual, reason, n)) == OK)
		*out = &t->counter;
	else
		tpm_close(&t->counter);
	return st;
}

enum status counter_open(const char *source, struct counter **out, char *reason, size_t n)
{
	*out = NULL;
	if (strncmp(source, "tpm:", 4) == 0)
		return tpm_open(source + 4, out, reason, n);
	if (strncmp(source, "file:", 5) == 0 && source[5] != 0)
		return file_open(source + 5, out, reason, n);
	return say(reason, n, "a counter is tpm:INDEX[,TCTI], or file:PATH for tests");
}
