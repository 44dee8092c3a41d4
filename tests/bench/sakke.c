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
#include "tests/bench/figure.h"
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

static void keep(double *best, double us)
{
	*best = *best == 0 ? us : least(*best, us);
}

#define TIMED(best, code)                                                                                                      \
	do {                                                                                                                   \
		double from_ = now();                                                                                          \
		must((code), #code);                                                                                           \
		keep(&(best), now() - from_);                                                                                  \
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
	keep(&a->multiply, (now() - from) / N);
	/* What a signature cannot do without: [k]G, its affine x, an inverse in constant time. */
	from = now();
	must(EC_POINT_mul(a->p256, a->b, a->k, NULL, NULL, a->ctx) == 1 &&
	                EC_POINT_get_affine_coordinates(a->p256, a->b, a->x, NULL, a->ctx) == 1 &&
	                BN_mod_exp_mont_consttime(a->x, a->k, a->less_two, a->order, a->ctx, a->mont_order) == 1,
	        "P-256");
	keep(&a->sign, now() - from);
	/* What a verification cannot do without: [a]G + [b]PVT + [c]KPAK and its affine x. */
	from = now();
	must(EC_POINT_mul(a->p256, a->b, a->k, a->a, a->k, a->ctx) == 1 &&
	                EC_POINT_mul(a->p256, a->c, NULL, a->a, a->k, a->ctx) == 1 &&
	                EC_POINT_add(a->p256, a->c, a->c, a->b, a->ctx) == 1 &&
	                EC_POINT_get_affine_coordinates(a->p256, a->c, a->x, NULL, a->ctx) == 1,
	        "P-256");
	keep(&a->verify, now() - from);
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
	keep(&all, now() - from);
	keep(&us[MEMBER], all / MANY);
	must(memcmp(data[MANY - 1], in->data, sizeof in->data) == 0, "the batch's last");
	TIMED(us[VALIDATE], sakke_validate(in->zp, in->id, secret_large_bytes(&in->rsk)) == OK);
	TIMED(us[ENCAPSULATE_ONCE], sakke_encapsulate(in->zp, in->id, &in->ssv, data[0]) == OK);
	TIMED(us[DECAPSULATE_ONCE],
	        sakke_decapsulate(in->zp, in->id, secret_large_bytes(&in->rsk), BYTES_OF(in->data), &out) == OK);
	sakke_kms_close(&k);
	sakke_receiver_close(&r);
}

/* Two batches' work by n processes, in microseconds. */
static double by_processes(const struct input *in, int n)
{
	const double from = now();

	(void)fflush(NULL); /* or each child writes our figures again */
	for (int i = 0; i < n; i++)
		if (fork() == 0) {
			static uint8_t data[2 * MANY][SAKKE_DATA_LEN];
			struct bytes ids[2 * MANY];
			struct sakke_kms *k;

			for (int m = 0; m < 2 * MANY; m++)
				ids[m] = in->id;
			_exit(sakke_kms_open(in->zp, &k) == OK &&
			                        sakke_kms_encapsulate_many(k, (size_t)(2 * MANY / n), ids, &in->ssv, data) == OK
			                ? 0
			                : 1);
		}
	for (int i = 0; i < n; i++) {
		int status = 1;

		must(wait(&status) > 0 && status == 0, "a process");
	}
	return now() - from;
}

static void processes_figure(const struct input *in)
{
	double one = 1e12, two = 1e12;

	for (int r = 0; r < 3; r++) {
		one = least(one, by_processes(in, 1));
		two = least(two, by_processes(in, 2));
	}
	figure("a batch by one process", one / 1e3, "ms", one / two, "two processes");
}

static void sakke_figures(const double openssl[FIGURES], const double best[FIGURES], double multiply)
{
	char text[100];

	(void)printf("M is one BN_mod_mul_montgomery of 1024 bits, %.0f ns; a KMS's tables: %zu KiB\n", multiply * 1e3,
	        sakke_kms_size() / 1024);
	for (int f = 0; f < FIGURES; f++) {
		if (figures[f].aim > 0)
			(void)snprintf(text, sizeof text, "M (aim %.0f)", figures[f].aim);
		else
			(void)snprintf(text, sizeof text, "M");
		figure(figures[f].name, best[f] / 1e3, "ms", best[f] / multiply, text);
	}
	for (int f = 0; f < FIGURES; f++) {
		(void)snprintf(text, sizeof text, "%s, by BN", figures[f].name);
		figure(text, openssl[f] / 1e3, "ms", openssl[f] / best[f], "ours");
	}
}

static void wolf_figures(const double best[FIGURES], const struct wolf_times *w)
{
	const struct {
		const char *name;
		double theirs, ours;
		const char *against;
	} rows[] = {
		{ "decapsulate, libwolfssl", w->decapsulate, best[DECAPSULATE], "ours (aim 7)" },
		{ "encapsulate, libwolfssl", w->encapsulate, best[ENCAPSULATE], "ours (aim 12)" },
		{ "encapsulate again, libwolfssl", w->encapsulate_again, best[ENCAPSULATE], "ours" },
		{ "encapsulate many, libwolfssl", w->encapsulate, best[MEMBER], "ours (aim 18)" },
		{ "encapsulate many again, libwolfssl", w->encapsulate_again, best[MEMBER], "ours" },
		{ "validate, libwolfssl", w->validate, best[VALIDATE], "ours" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		figure(rows[i].name, rows[i].theirs / 1e3, "ms", rows[i].theirs / rows[i].ours, rows[i].against);
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
	if (ways == 1)
		(void)printf("no kernel for this processor\n");
	sakke_figures(us[0], us[ways - 1], anchor.multiply);
	wolf_figures(us[ways - 1], &w);
	processes_figure(&in);
	figure("ECCSI sign", sign, "us", sign / anchor.sign, "OpenSSL's bare P-256 operations");
	figure("ECCSI verify", verify, "us", verify / anchor.verify, "OpenSSL's bare P-256 operations");
	figure("ECCSI sign, libwolfssl", w.sign, "us", w.sign / sign, "ours");
	figure("ECCSI verify, libwolfssl", w.verify, "us", w.verify / verify, "ours");
	anchors_close(&anchor);
	return 0;
}
