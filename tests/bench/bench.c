/* SPDX-License-Identifier: Apache-2.0 */
/* Figures as ratios against a reference measured in the same run, blocks interleaved. Runs inside `prose-card reader`, with our
 * card in the first slot and echo_card in the second. usage: bench quick|full PROGRAMS FOLDER, with a card.img and a cold.img
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sqlite3.h>

#include "apdu/base/hex.h"
#include "card/io/link/farm.h"
#include "card/io/image/key_file.h"
#include "card/io/image/store_sqlite.h"
#include "crypto/common/aes.h"
#include "crypto/guarded/aka.h"
#include "crypto/guarded/discovery.h"
#include "host/lib/prose-ue.h"
#include "ota/packet.h"
#include "tests/bench/figure.h"
#include "tests/support/rows.h"

enum { BLOCK = 500 };

static double now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* Median round trip of a block of one command, in microseconds. */
static double block(const struct prose_transport *t, struct bytes command)
{
	static double us[BLOCK];
	uint8_t answer[300];

	for (int i = 0; i < BLOCK; i++) {
		size_t n = sizeof answer;
		double from = now();

		if (t->transmit(t->context, command.p, command.n, answer, &n) != PROSE_OK || n < 12)
			exit(1);
		us[i] = now() - from;
	}
	qsort(us, BLOCK, sizeof *us, by_value);
	return us[BLOCK / 2];
}

static const char *programs, *folder;

static const char *path_of(const char *in, const char *name, char out[512])
{
	(void)snprintf(out, 512, "%s/%s", in, name);
	return out;
}

/* Blocks of ours and of the echo card's in turn. */
static void link_figure(const char *name, const struct prose_transport *ours, const struct prose_transport *echo,
        struct bytes command, int blocks)
{
	double a = 1e12, b = 1e12;

	for (int i = 0; i < blocks; i++) {
		a = least(a, block(ours, command));
		b = least(b, block(echo, command));
	}
	figure(name, a, "us", a / b, "echo card");
}

/* The card in a reader, once pcscd has seen it. */
static void reader_open(const char *name, struct prose_transport *t)
{
	for (int waited = 0; prose_pcsc_open(name, t) != PROSE_OK; waited++) {
		if (waited == 6000) {
			(void)fprintf(stderr, "bench: no card in reader %s\n", name);
			exit(1);
		}
		(void)poll(NULL, 0, 10);
	}
}

static void link_figures(int blocks)
{
	static const uint8_t select[] = { 0x00, 0xA4, 0x00, 0x0C, 0x02, 0x2F, 0xE2 };
	static const uint8_t select_fcp[] = { 0x00, 0xA4, 0x00, 0x04, 0x02, 0x2F, 0xE2, 0x00 };
	static const uint8_t read_binary[] = { 0x00, 0xB0, 0x00, 0x00, 0x0A };
	struct prose_transport ours, echo;
	uint8_t answer[300];
	size_t n = sizeof answer;

	reader_open("Card 0 00 00", &ours);
	reader_open("Card 0 00 01", &echo);
	if (ours.transmit(ours.context, select, sizeof select, answer, &n) != PROSE_OK)
		exit(1);
	link_figure("READ BINARY over PC/SC, p50", &ours, &echo, BYTES_OF(read_binary), blocks);
	link_figure("SELECT with FCP over PC/SC, p50", &ours, &echo, BYTES_OF(select_fcp), blocks);
	ours.close(ours.context);
	echo.close(echo.context);
}

/* What any card must do at least: take the header apart, look the instruction up in a table, copy the answer out. Volatile, so
 * that nothing of it is computed before the run. */
static volatile uint8_t file_content[64];
struct bare_row {
	uint8_t ins;
	size_t (*run)(const uint8_t *command, uint8_t *out);
};

static size_t bare_read(const uint8_t *command, uint8_t *out)
{
	size_t offset = (size_t)(command[2] << 8 | command[3]), n = command[4];

	for (size_t i = 0; i < n && offset + i < sizeof file_content; i++)
		out[i] = file_content[offset + i];
	return n;
}

static size_t bare_select(const uint8_t *command, uint8_t *out)
{
	uint8_t fcp[32] = { 0x62, 30, 0x82, 2, 0x41, 0x21, 0x83, 2 };

	memcpy(fcp + 8, command + 5, 2);
	memcpy(out, fcp, sizeof fcp);
	return sizeof fcp;
}

static double bare_loop(const uint8_t *command, size_t n)
{
	static const struct bare_row rows[] = { { 0xF2, bare_read }, { 0xD6, bare_read }, { 0xB2, bare_read },
		{ 0xDC, bare_read }, { 0xA2, bare_read }, { 0x32, bare_read }, { 0xCB, bare_read }, { 0xDB, bare_read },
		{ 0xB0, bare_read }, { 0xA4, bare_select } };
	static uint8_t response[512];
	volatile const uint8_t *input = command;
	double t = now();

	for (int i = 0; i < 20000; i++) {
		uint8_t c[16];
		size_t len = 0;

		for (size_t k = 0; k < n; k++)
			c[k] = input[k];
		for (size_t k = 0; k < sizeof rows / sizeof *rows; k++)
			if (rows[k].ins == c[1] && (c[0] & 0x80) == 0) {
				len = rows[k].run(c, response);
				break;
			}
		response[len] = 0x90;
		response[len + 1] = 0x00;
		__asm__ volatile("" ::"r"(response) : "memory");
	}
	return (now() - t) / 20000;
}

/* SELECT by file id with FCP. */
static void select_figure(struct card *card, int rounds)
{
	static const uint8_t select[] = { 0x00, 0xA4, 0x00, 0x04, 0x02, 0x2F, 0xE2, 0x00 };
	static uint8_t response[APDU_RESPONSE_MAX];
	double best = 1e12, bare = 1e12;

	for (int r = 0; r < rounds; r++) {
		double t = now();

		for (int i = 0; i < 10000; i++) {
			struct buf b = BUF_OF(response);

			card_transmit(card, BYTES_OF(select), &b);
			if (b.len < 20)
				exit(1);
		}
		best = least(best, (now() - t) / 10000);
		bare = least(bare, bare_loop(select, sizeof select));
	}
	figure("SELECT with FCP, card alone", 1e6 / best, "APDU/s", best / bare, "a bare parse-dispatch-copy loop's time");
}

/* A bare SQLite commit of as many octets as AUTHENTICATE writes, WAL and synchronous=FULL, in the same folder. */
static double bare_commit(sqlite3 *db)
{
	double t = now();

	if (sqlite3_exec(db, "BEGIN; UPDATE t SET v=randomblob(220) WHERE k=1; UPDATE t SET v=randomblob(40) WHERE k=2; COMMIT",
	            NULL, NULL, NULL) != SQLITE_OK)
		exit(1);
	return now() - t;
}

/* AUTHENTICATE 3G on the real store: one commit each. The subscriber is the test card's. */
static void authenticate_figure(struct card *card, int rounds, bool durable)
{
	static const char k[] = "465b5ce8b199b49faa5f0a2ee238a6bc", opc[] = "cd63cb71954a9f4e48a5994e37a02baf";
	static const uint8_t usim[] = { 0x00, 0xA4, 0x04, 0x0C, 0x07, 0xA0, 0x00, 0x00, 0x00, 0x87, 0x10, 0x02 };
	static uint8_t response[APDU_RESPONSE_MAX];
	uint8_t raw[2][16], rand[16] = { 1 }, amf[2] = { 0x80, 0 }, command[39] = { 0x00, 0x88, 0x00, 0x81, 0x22, 0x10 };
	struct buf kb = BUF_OF(raw[0]), ob = BUF_OF(raw[1]), b = BUF_OF(response);
	double ours = 1e12, bare = 1e12, milenage = 1e12;
	struct aka_subscriber s;
	struct aka_keys keys;
	uint64_t seq = 1;
	char path[512];
	sqlite3 *db;

	aka_defaults(&s, AKA_MILENAGE);
	if (hex_decode(bytes_str(k), &kb) != OK || hex_decode(bytes_str(opc), &ob) != OK ||
	        sqlite3_open(path_of(folder, "bare.db", path), &db) != SQLITE_OK ||
	        sqlite3_exec(db,
	                "PRAGMA journal_mode=WAL; PRAGMA locking_mode=EXCLUSIVE; PRAGMA synchronous=FULL; DROP TABLE IF EXISTS t;"
	                "CREATE TABLE t(k INTEGER PRIMARY KEY, v BLOB); INSERT INTO t VALUES(1,''),(2,'')",
	                NULL, NULL, NULL) != SQLITE_OK)
		exit(1);
	memcpy(s.k, raw[0], 16);
	memcpy(s.opc, raw[1], 16);
	card_transmit(card, BYTES_OF(usim), &b);
	memcpy(command + 6, rand, 16);
	command[22] = 16;
	for (int r = 0; r < rounds * (durable ? 50 : 500); r++, seq++) {
		uint8_t sqn[SQN_LEN];
		double t;

		bytes_from_uint(seq << 5, sqn, sizeof sqn);
		t = now();
		if (aka_autn(&s, rand, sqn, amf, &keys, command + 23) != OK)
			exit(1);
		milenage = least(milenage, now() - t);
		b.len = 0;
		t = now();
		card_transmit(card, BYTES_OF(command), &b);
		ours = least(ours, now() - t);
		if (b.len != 2 || response[0] != 0x61)
			exit(1);
		bare = durable ? least(bare, bare_commit(db)) : 0;
	}
	(void)sqlite3_close(db);
	if (durable)
		figure("AUTHENTICATE 3G, durable", 1e6 / ours, "a second", bare / ours, "bare SQLite commits a second");
	else
		figure("AUTHENTICATE 3G, store in memory", 1e6 / ours, "a second", ours / milenage,
		        "bare Milenage's time, f1 to f5*");
}

/* APDUs a second without any reader: the card alone, READ BINARY of ten octets. */
static void card_figures(int rounds)
{
	static const uint8_t select[] = { 0x00, 0xA4, 0x00, 0x0C, 0x02, 0x2F, 0xE2 };
	static const uint8_t read_binary[] = { 0x00, 0xB0, 0x00, 0x00, 0x0A };
	static struct card card;
	static struct card_work work;
	static struct rows memory;
	static uint8_t response[APDU_RESPONSE_MAX];
	char path[512];
	struct image_options o = { .path = path_of(folder, "alone.img", path), .create = true };
	struct order order = { .who = { .iccid = "8900101000000000017", .imsi = "001010000000001" } };
	struct card_env env = { .rng = &rng_system, .work = &work };
	struct secret key = { 0 };
	static struct secret_large secrets;
	struct image *image;
	double best = 1e12, bare = 1e12;

	if (key_file_insecure(&key) != OK || bcd_encode(order.who.iccid, order.card_id, sizeof order.card_id) != OK ||
	        birth_test_secrets(&order, &secrets, NULL, 0) != OK)
		exit(1);
	o.key = secret_bytes(&key);
	memcpy(o.card_id, order.card_id, sizeof o.card_id);
	memcpy(env.card_id, order.card_id, sizeof env.card_id);
	if (image_open(&image, &o) != IMAGE_OK)
		exit(1);
	env.backend = image_backend(image);
	if (profile_install(&card, &env, &order.who, secret_large_bytes(&secrets), NULL, 0) != OK ||
	        card_power_on(&card, &env) != OK)
		exit(1);
	for (int r = 0; r < rounds; r++) {
		struct buf b = BUF_OF(response);
		double t;

		card_transmit(&card, BYTES_OF(select), &b);
		t = now();
		for (int i = 0; i < 20000; i++) {
			b.len = 0;
			card_transmit(&card, BYTES_OF(read_binary), &b);
			if (b.len != 12)
				exit(1);
		}
		best = least(best, (now() - t) / 20000);
		bare = least(bare, bare_loop(read_binary, sizeof read_binary));
	}
	figure("READ BINARY, card alone", 1e6 / best, "APDU/s", best / bare, "a bare parse-dispatch-copy loop's time");
	select_figure(&card, rounds);
	authenticate_figure(&card, rounds > 9 ? 9 : rounds, true);
	card_power_off(&card);
	image_close(&image);
	rows_init(&memory); /* AUTHENTICATE without a disk */
	env.backend = &memory.backend;
	if (profile_install(&card, &env, &order.who, secret_large_bytes(&secrets), NULL, 0) != OK ||
	        card_power_on(&card, &env) != OK)
		exit(1);
	authenticate_figure(&card, rounds > 9 ? 9 : rounds, false);
	card_power_off(&card);
	rows_free(&memory);
}

/* Resident memory of this process, in KiB. */
static double resident(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	long size, pages = 0;

	if (f == NULL || fscanf(f, "%ld %ld", &size, &pages) != 2)
		exit(1);
	(void)fclose(f);
	return (double)pages * (double)sysconf(_SC_PAGESIZE) / 1024;
}

/* Every row of a farm's image, read by SQLite and thrown away. */
static double bare_scan(const char *path)
{
	sqlite3_stmt *s;
	sqlite3 *db;
	double t = now();
	int rc;

	if (sqlite3_open(path, &db) != SQLITE_OK ||
	        sqlite3_prepare_v2(db, "SELECT name, generation, data FROM record", -1, &s, NULL) != SQLITE_OK)
		exit(1);
	while ((rc = sqlite3_step(s)) == SQLITE_ROW)
		if (sqlite3_column_blob(s, 2) == NULL)
			exit(1);
	if (rc != SQLITE_DONE)
		exit(1);
	(void)sqlite3_finalize(s);
	(void)sqlite3_close(db);
	return now() - t;
}

/* A farm: opened with every record checked, and the memory of each further card. In a process of its own, for clean memory. */
static void farm_figure(bool quick)
{
	char path[512];
	struct secret key = { 0 };
	struct order order;
	struct farm_birth birth = { path_of(folder, "farm.img", path), { 0 }, true, quick ? 1000 : 10000, &order, NULL, NULL };
	struct image_options io = { .path = path };
	char reason[256] = "";
	double took = 1e12, scan, before, after = 0;
	struct farm *farm;

	if (key_file_insecure(&key) != OK || order_read(NULL, &order, reason, sizeof reason) != OK)
		exit(1);
	order.keys = KEYS_RANDOM;
	birth.key = io.key = secret_bytes(&key);
	if (farm_create(&birth, reason, sizeof reason) != IMAGE_OK)
		exit(1);
	order_free(&order);
	scan = bare_scan(path);
	before = resident();
	for (int i = 0; i < 3; i++) {
		double t;

		scan = least(scan, bare_scan(path));
		t = now();
		if (farm_open(&farm, &io) != IMAGE_OK)
			exit(1);
		took = least(took, now() - t);
		after = i == 0 ? resident() : after; /* later ones find memory that the first has left */
		farm_close(&farm);
	}
	figure(quick ? "farm of 1,000 cards opened" : "farm of 10,000 cards opened", took / 1e6, "s", took / scan,
	        "SQLite reading every row");
	figure("memory of a farm's card", (after - before) / (double)birth.count, "KiB",
	        (after - before) / (double)birth.count / 64, "the aim of 64 KiB");
}

static void code_figures(int rounds)
{
	static const uint8_t key[32] = { 1 };
	uint8_t code[23], digest[32];
	double ours = 1e12, raw = 1e12;

	for (int r = 0; r < rounds; r++) {
		double t = now();
		unsigned len;

		for (uint32_t i = 0; i < 20000; i++)
			if (discovery_tr21_code(
			            &prose_profile_default, BYTES_OF(key), BYTES_STR("0123456789abcdef"), i, code) != OK)
				exit(1);
		ours = least(ours, (now() - t) / 20000), t = now();
		for (uint32_t i = 0; i < 20000; i++)
			(void)HMAC(EVP_sha256(), key, sizeof key, (const uint8_t *)&i, sizeof i, digest, &len);
		raw = least(raw, (now() - t) / 20000);
	}
	figure("discovery codes", 1e6 / ours, "codes/s", ours / raw, "one-shot HMAC()'s time");
}

/* A packet with 100 octets of script, built and opened, against AES-CBC and CMAC of the same octets by OpenSSL, set up once. */
static void packet_figures(int rounds)
{
	static const uint8_t key[2][16] = { { 1 }, { 2 } }, content[100] = { 3 };
	const struct ota_keys k = { .kvn = 1, .kic = BYTES_OF(key[0]), .kid = BYTES_OF(key[1]) };
	struct ota_command c = { 0x16, 0x19, 0x12, 0x12, { 0xB0, 0, 0 }, 1, BYTES_OF(content) }, out;
	static struct secret_large plain;
	double build = 1e12, opening = 1e12, raw = 1e12;
	EVP_CIPHER_CTX *cbc = EVP_CIPHER_CTX_new();
	EVP_MAC *cmac = EVP_MAC_fetch(NULL, "CMAC", NULL);
	EVP_MAC_CTX *mac = EVP_MAC_CTX_new(cmac);
	char name[] = "AES-128-CBC";
	const OSSL_PARAM params[] = { OSSL_PARAM_construct_utf8_string("cipher", name, 0), OSSL_PARAM_construct_end() };
	uint8_t raw_octets[256], tag[16], iv[16] = { 0 };
	enum { N = 5000 };

	if (cbc == NULL || mac == NULL || EVP_EncryptInit_ex(cbc, EVP_aes_128_cbc(), NULL, key[0], iv) != 1)
		exit(1);
	for (int r = 0; r < rounds; r++) {
		struct buf b = BUF_OF(raw_octets);
		double t = now();

		for (int i = 0; i < N; i++) {
			b.len = 0;
			if (ota_command_build(&k, &c, &b) != OK)
				exit(1);
		}
		build = least(build, (now() - t) / N), t = now();
		for (int i = 0; i < N; i++)
			if (ota_command_open(&k, buf_bytes(&b), &plain, &out) != OK)
				exit(1);
		opening = least(opening, (now() - t) / N), t = now();
		for (int i = 0; i < N; i++) {
			size_t n = sizeof tag;
			int len;

			if (EVP_EncryptInit_ex(cbc, NULL, NULL, NULL, iv) != 1 ||
			        EVP_EncryptUpdate(cbc, raw_octets, &len, raw_octets, 128) != 1 ||
			        EVP_MAC_init(mac, key[1], sizeof key[1], params) != 1 ||
			        EVP_MAC_update(mac, raw_octets, 144) != 1 || EVP_MAC_final(mac, tag, &n, sizeof tag) != 1)
				exit(1);
		}
		raw = least(raw, (now() - t) / N);
	}
	EVP_MAC_CTX_free(mac);
	EVP_MAC_free(cmac);
	EVP_CIPHER_CTX_free(cbc);
	figure("OTA packets built", 1e6 / build, "a second", build / raw, "OpenSSL's AES-CBC and CMAC of those octets");
	figure("OTA packets opened", 1e6 / opening, "a second", opening / raw, "OpenSSL's AES-CBC and CMAC of those octets");
}

/* Wall time of a program, in microseconds; *peak: its largest resident memory in KiB. */
static double run_program(char *const argv[], double *peak)
{
	struct rusage use;
	double t;
	int status;
	pid_t pid;

	(void)fflush(NULL); /* or the child writes our figures again */
	t = now();
	pid = fork();

	if (pid == 0) {
		if (freopen("/dev/null", "w", stdout) != NULL)
			(void)execv(argv[0], argv);
		_exit(127);
	}
	if (pid < 0 || wait4(pid, &status, 0, &use) != pid || status != 0)
		exit(1);
	*peak = least(*peak, (double)use.ru_maxrss);
	return now() - t;
}

/* From nothing to a card whose every record is authenticated, against a program that only loads the libraries. */
static void start_figure(int rounds)
{
	char card[512], empty[512], path[512];
	char info[] = "info", key[] = "--insecure-test-key";
	char *ours_argv[] = { card, info, key, path, NULL }, *empty_argv[] = { empty, NULL };
	double ours = 1e12, nothing = 1e12, memory_ours = 1e12, memory_nothing = 1e12;

	(void)path_of(programs, "prose-card", card);
	(void)path_of(programs, "empty", empty);
	(void)path_of(folder, "cold.img", path);
	for (int i = 0; i < 5 * rounds; i++) {
		nothing = least(nothing, run_program(empty_argv, &memory_nothing));
		ours = least(ours, run_program(ours_argv, &memory_ours));
	}
	figure("start, image opened and checked", ours / 1e3, "ms", ours / nothing, "a program that loads the libraries");
	figure("memory of one card", memory_ours / 1024, "MiB", (memory_ours - memory_nothing) / 3072,
	        "the aim: those libraries and 3 MiB");
}

int main(int argc, char **argv)
{
	const bool quick = argc == 4 && strcmp(argv[1], "quick") == 0;
	const int rounds = quick ? 7 : 21;

	if (argc != 4)
		return 2;
	programs = argv[2];
	folder = argv[3];
	link_figures(rounds);
	start_figure(rounds);
	card_figures(rounds);
	farm_figure(quick);
	code_figures(rounds);
	packet_figures(rounds);
	return 0;
}
