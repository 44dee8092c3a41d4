/* SPDX-License-Identifier: Apache-2.0 */
/* SAKKE and ECCSI as multiples of OpenSSL's own operations and of Debian's libwolfssl, in turn, least times of all rounds. The
 * anchor is one multiplication of 1024 bits by BN_mod_mul_montgomery. usage: bench_sakke ROUNDS */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/obj_mac.h>

#include "crypto/guarded/eccsi.h"
#include "crypto/guarded/fp1024.h"
#include "crypto/guarded/fp1024_way.h"
#include "crypto/guarded/sakke.h"
#include "crypto/guarded/sakke_set1.h"
#include "tests/bench/wolf.h"

enum { MANY = 256, WAYS = 2 };

enum what {
	DECAPSULATE,
	ENCAPSULATE,
	EXTRACT,
	MEMBER,
	DECAPSULATE_ONCE,
	ENCAPSULATE_ONCE,
	VALIDATE,
	OPEN_KMS,
	OPEN_RECEIVER,
	FIGURES
};

static const struct {
	const char *name;
	double aim; /* in multiplications; 0: none */
} figures[FIGURES] = {
	[DECAPSULATE] = { "decapsulate, RSK's tables ready", 7500 },
	[ENCAPSULATE] = { "encapsulate to a new identity", 4800 },
	[EXTRACT] = { "extract an RSK", 2200 },
	[MEMBER] = { "a GMK to many members, each", 3400 },
	[DECAPSULATE_ONCE] = { "decapsulate, without tables", 0 },
	[ENCAPSULATE_ONCE] = { "encapsulate, without tables", 0 },
	[VALIDATE] = { "validate an RSK, without tables", 0 },
	[OPEN_KMS] = { "make a KMS's tables", 0 },
	[OPEN_RECEIVER] = { "validate an RSK, make its tables", 0 },
};

static double now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	(void)fprintf(stderr, "bench: %s failed\n", what);
	exit(1);
}

static void least(double *best, double us)
{
	if (*best == 0 || us < *best)
		*best = us;
}

#define TIMED(best, code)                                                                                                      \
	do {                                                                                                                   \
		double from_ = now();                                                                                          \
		must((code), #code);                                                                                           \
		least(&(best), now() - from_);                                                                                 \
	} while (0)

/* ---- anchors ------------------------------------------------------------------------------------------------------------- */

struct anchors {
	double multiply, sign, verify;
	BN_CTX *ctx;
	BN_MONT_CTX *mont, *mont_order;
	BIGNUM *p, *x, *y, *k, *order, *less_two;
	EC_GROUP *p256;
	EC_POINT *a, *b, *c;
};

static void anchors_open(struct anchors *a)
{
	*a = (struct anchors){ .ctx = BN_CTX_new(),
		.mont = BN_MONT_CTX_new(),
		.p = BN_bin2bn(prime_p, 128, NULL),
		.x = BN_new(),
		.y = BN_new(),
		.k = BN_new(),
		.order = BN_new(),
		.less_two = BN_new(),
		.mont_order = BN_MONT_CTX_new(),
		.p256 = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1) };
	must(BN_MONT_CTX_set(a->mont, a->p, a->ctx) == 1 && BN_rand_range(a->x, a->p) == 1 && BN_rand_range(a->y, a->p) == 1,
	        "an anchor");
	a->a = EC_POINT_new(a->p256);
	a->b = EC_POINT_new(a->p256);
	a->c = EC_POINT_new(a->p256);
	must(EC_GROUP_get_order(a->p256, a->order, a->ctx) == 1 && BN_rand_range(a->k, a->order) == 1 &&
	                BN_MONT_CTX_set(a->mont_order, a->order, a->ctx) == 1 && BN_copy(a->less_two, a->order) != NULL &&
	                BN_sub_word(a->less_two, 2) == 1 && EC_POINT_mul(a->p256, a->a, a->k, NULL, NULL, a->ctx) == 1,
	        "an anchor");
}

static void anchors_close(struct anchors *a)
{
	BN_free(a->p);
	BN_free(a->x);
	BN_free(a->y);
	BN_free(a->k);
	BN_free(a->order);
	BN_free(a->less_two);
	BN_MONT_CTX_free(a->mont_order);
	EC_POINT_free(a->a);
	EC_POINT_free(a->b);
	EC_POINT_free(a->c);
	EC_GROUP_free(a->p256);
	BN_MONT_CTX_free(a->mont);
	BN_CTX_free(a->ctx);
}

static void anchors_run(struct anchors *a)
{
	double from = now();
	enum { N = 500 };

	for (int i = 0; i < N; i++)
		must(BN_mod_mul_montgomery(a->x, a->x, a->y, a->mont, a->ctx) == 1, "BN_mod_mul_montgomery");
	least(&a->multiply, (now() - from) / N);
	/* What a signature cannot do without: [k]G, its affine x, an inverse in constant time. */
	from = now();
	must(EC_POINT_mul(a->p256, a->b, a->k, NULL, NULL, a->ctx) == 1 &&
	                EC_POINT_get_affine_coordinates(a->p256, a->b, a->x, NULL, a->ctx) == 1 &&
	                BN_mod_exp_mont_consttime(a->x, a->k, a->less_two, a->order, a->ctx, a->mont_order) == 1,
	        "P-256");
	least(&a->sign, now() - from);
	/* What a verification cannot do without: [a]G + [b]PVT + [c]KPAK and its affine x. */
	from = now();
	must(EC_POINT_mul(a->p256, a->b, a->k, a->a, a->k, a->ctx) == 1 &&
	                EC_POINT_mul(a->p256, a->c, NULL, a->a, a->k, a->ctx) == 1 &&
	                EC_POINT_add(a->p256, a->c, a->c, a->b, a->ctx) == 1 &&
	                EC_POINT_get_affine_coordinates(a->p256, a->c, a->x, NULL, a->ctx) == 1,
	        "P-256");
	least(&a->verify, now() - from);
	must(BN_rand_range(a->x, a->p) == 1, "an anchor");
}

/* ---- ours ------------------------------------------------------------------------------------------------------------------
 */

struct input {
	struct secret_large z, rsk;
	struct secret ssv, ksak, ssk;
	uint8_t zp[SAKKE_POINT_LEN], data[SAKKE_DATA_LEN], kpak[65], pvt[65], hs[32], sig[129];
	struct bytes id;
};

static void run(const struct input *in, double us[FIGURES])
{
	static uint8_t data[MANY][SAKKE_DATA_LEN];
	static struct secret_large rsk;
	struct bytes ids[MANY];
	struct sakke_kms *k;
	struct sakke_receiver *r;
	struct secret out = { 0 };
	double from, all = 0;

	for (int i = 0; i < MANY; i++)
		ids[i] = in->id;
	TIMED(us[OPEN_KMS], sakke_kms_open(in->zp, &k) == OK);
	TIMED(us[OPEN_RECEIVER], sakke_receiver_open(in->zp, in->id, secret_large_bytes(&in->rsk), &r) == OK);
	for (int i = 0; i < 3; i++) {
		TIMED(us[DECAPSULATE], sakke_receiver_decapsulate(r, BYTES_OF(in->data), &out) == OK);
		TIMED(us[ENCAPSULATE], sakke_kms_encapsulate(k, in->id, &in->ssv, data[0]) == OK);
		TIMED(us[EXTRACT], sakke_kms_extract(k, &in->z, in->id, &rsk) == OK);
	}
	from = now();
	must(sakke_kms_encapsulate_many(k, MANY, ids, &in->ssv, data) == OK, "a batch");
	least(&all, now() - from);
	least(&us[MEMBER], all / MANY);
	must(memcmp(data[MANY - 1], in->data, sizeof in->data) == 0, "the batch's last");
	TIMED(us[VALIDATE], sakke_validate(in->zp, in->id, secret_large_bytes(&in->rsk)) == OK);
	TIMED(us[ENCAPSULATE_ONCE], sakke_encapsulate(in->zp, in->id, &in->ssv, data[0]) == OK);
	TIMED(us[DECAPSULATE_ONCE],
	        sakke_decapsulate(in->zp, in->id, secret_large_bytes(&in->rsk), BYTES_OF(in->data), &out) == OK);
	sakke_kms_close(&k);
	sakke_receiver_close(&r);
}

/* How much faster two processes are than one. */
static double two_cores(const struct input *in)
{
	double took[2];

	for (int n = 1; n <= 2; n++) {
		double from = now();

		for (int i = 0; i < n; i++)
			if (fork() == 0) {
				static uint8_t data[2 * MANY][SAKKE_DATA_LEN];
				struct bytes ids[2 * MANY];
				struct sakke_kms *k;

				for (int m = 0; m < 2 * MANY; m++)
					ids[m] = in->id;
				_exit(sakke_kms_open(in->zp, &k) == OK && sakke_kms_encapsulate_many(k, (size_t)(2 * MANY / n),
				                                                  ids, &in->ssv, data) == OK
				                ? 0
				                : 1);
			}
		for (int i = 0; i < n; i++) {
			int status = 1;

			must(wait(&status) > 0 && status == 0, "a process");
		}
		took[n - 1] = now() - from;
	}
	return took[0] / took[1];
}

int main(int argc, char **argv)
{
	static struct input in = { .ssv = { .len = 16, .data = { 1, 2, 3 } } };
	static double us[WAYS][FIGURES];
	struct anchors anchor;
	struct wolf_times w = { 0 };
	double sign = 0, verify = 0;
	const int rounds = argc > 1 ? atoi(argv[1]) : 20, ways = fp_has_kernel() ? 2 : 1;

	in.id = BYTES_STR("bench identity of thirty-two oct");
	anchors_open(&anchor);
	must(sakke_kms_new(&rng_system, &in.z, in.zp) == OK && sakke_extract(&in.z, in.id, &in.rsk) == OK &&
	                sakke_encapsulate(in.zp, in.id, &in.ssv, in.data) == OK &&
	                eccsi_kms_new(&rng_system, &in.ksak, in.kpak) == OK &&
	                eccsi_extract(&rng_system, &in.ksak, in.kpak, in.id, &in.ssk, in.pvt) == OK &&
	                eccsi_validate(in.kpak, in.id, &in.ssk, in.pvt, in.hs) == OK &&
	                eccsi_sign(&rng_system, in.hs, &in.ssk, in.pvt, in.id, in.sig) == OK,
	        "keys");
	for (int i = 0; i < rounds; i++) {
		const struct wolf_input wolf = { in.z.data, in.zp, in.rsk.data, in.ksak.data, in.kpak, in.ssk.data, in.pvt,
			in.id.p, in.ssv.data, in.data, in.sig, in.id.p, in.z.len, in.id.n, in.id.n };

		for (int way = 0; way < ways; way++) {
			anchors_run(&anchor);
			fp_use(way == 0 ? FP_OPENSSL : FP_KERNEL);
			run(&in, us[way]);
		}
		fp_use(FP_AUTOMATIC);
		for (int k = 0; k < 20; k++) {
			anchors_run(&anchor);
			TIMED(sign, eccsi_sign(&rng_system, in.hs, &in.ssk, in.pvt, in.id, in.sig) == OK);
			TIMED(verify, eccsi_verify(in.kpak, in.id, in.id, BYTES_OF(in.sig)) == OK);
		}
		must(wolf_run(&wolf, 1, &w), "libwolfssl");
	}
	(void)printf("SAKKE; M is one multiplication by BN_mod_mul_montgomery, %.0f ns%s\n", anchor.multiply * 1e3,
	        ways == 1 ? "; no kernel for this processor" : "");
	(void)printf("  %-34s %9s %8s %6s %16s\n", "", "ms", "M", "aim", "OpenSSL's field");
	for (int f = 0; f < FIGURES; f++) {
		const double best = us[ways - 1][f];

		(void)printf("  %-34s %9.3f %8.0f ", figures[f].name, best / 1e3, best / anchor.multiply);
		if (figures[f].aim > 0)
			(void)printf("%6.0f ", figures[f].aim);
		else
			(void)printf("%6s ", "");
		(void)printf("%14.2f x\n", us[0][f] / best);
	}
	(void)printf("  against libwolfssl: decapsulate %.1f x (aim 7), encapsulate %.1f x (aim 12; %.1f x\n"
	             "  when it knows the identity), a batch %.1f x (aim 18; %.1f x), validate %.1f x as fast\n",
	        w.decapsulate / us[ways - 1][DECAPSULATE], w.encapsulate / us[ways - 1][ENCAPSULATE],
	        w.encapsulate_again / us[ways - 1][ENCAPSULATE], w.encapsulate / us[ways - 1][MEMBER],
	        w.encapsulate_again / us[ways - 1][MEMBER], w.validate / us[ways - 1][VALIDATE]);
	(void)printf("  two processes on two cores make a batch %.2f x as fast as one; tables: %zu KiB a KMS\n", two_cores(&in),
	        sakke_kms_size() / 1024);
	(void)printf(
	        "ECCSI: sign %.0f us, %.2f x OpenSSL's bare P-256 operations; verify %.0f us, %.2f x; %.1f and %.1f x as fast"
	        " as libwolfssl\n",
	        sign, sign / anchor.sign, verify, verify / anchor.verify, w.sign / sign, w.verify / verify);
	anchors_close(&anchor);
	return 0;
}
