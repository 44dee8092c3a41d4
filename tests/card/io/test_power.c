/* SPDX-License-Identifier: Apache-2.0 */
/* Power fails at any write or sync of the real card image, unsynced sectors dropped or torn, while a real command runs.
 * Laws: every record is as before or as after; only a try or a counter may be spent alone; what was answered is durable. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "card/io/image/store_sqlite.h"
#include "protocols/mikey/message.h"
#include "tests/card/io/vfs_cut.h"
#include "tests/support/operator.h"

static char master[96], working[96];
static const uint8_t image_key[32] = { 9 };

struct trial {
	const char *name;
	unsigned (*act)(struct rig *);
	unsigned sw;
	const char *spends; /* end of the name of the record that put_now writes first, or NULL */
};

static unsigned verify_wrong(struct rig *r)
{
	return rig_send(r, "002000010839393939FFFFFFFF");
}
static unsigned verify_right(struct rig *r)
{
	return rig_send(r, "002000010831323334FFFFFFFF");
}
static unsigned update(struct rig *r)
{
	ck_assert_uint_eq(rig_send(r, "00A4040C10A0000000871002FFFFFFFF8907090000"), 0x9000);
	ck_assert_uint_eq(rig_send(r, "00A4080C067FFF5F904F09"), 0x9000);
	return rig_send(r, "00D6000002BEEF");
}
static struct bytes group_object, gmk_message;
static unsigned install_group(struct rig *r)
{
	return install(r, group_object);
}
static unsigned import_gmk(struct rig *r)
{
	return import(r, NOW, gmk_message);
}
static unsigned authenticate(struct rig *r)
{
	/* SQN 32 of the test subscriber, RAND of TS 35.208 set 1 */
	ck_assert_uint_eq(rig_send(r, "00A4040C10A0000000871002FFFFFFFF8907090000"), 0x9000);
	return rig_send_bytes(r, rig_authenticate(r, 32));
}
static unsigned increase(struct rig *r)
{
	ck_assert_uint_eq(rig_send(r, "00A4040C10A0000000871002FFFFFFFF8907090000"), 0x9000);
	ck_assert_uint_eq(rig_send(r, "00A4000C026F39"), 0x9000);
	return rig_send(r, "80320000010100");
}
static unsigned create_file(struct rig *r)
{
	r->card.channel[0].adm = true;
	return rig_send(r, "00E000001962178202412183022F998A01058B032F0601800200108801A8");
}
static unsigned delete_tree(struct rig *r)
{
	r->card.channel[0].adm = true;
	return rig_send(r, "00E40000027F10");
}
static unsigned change_pin(struct rig *r)
{
	return rig_send(r, "002400011031323334FFFFFFFF35363738FFFFFFFF");
}
static unsigned ota_script(struct rig *r)
{
	return rig_send_bytes(r, rig_ota(r, 5, "B05F90",
	                                 "00A40004024F0500D6000004AABBCCDD"
	                                 "00A40004024F0600D6000004AABBCCDD"));
}

static const struct trial trials[] = {
	{ "VERIFY, wrong", verify_wrong, 0x63C2, "pin/01/t" },
	{ "VERIFY, right", verify_right, 0x9000, "pin/01/t" },
	{ "CHANGE PIN", change_pin, 0x9000, "pin/01/t" },
	{ "AUTHENTICATE", authenticate, 0x9000, NULL },
	{ "INCREASE", increase, 0x9000, NULL },
	{ "CREATE FILE", create_file, 0x9000, NULL },
	{ "DELETE FILE", delete_tree, 0x9000, NULL },
	{ "UPDATE BINARY", update, 0x9000, NULL },
	{ "sealed object", install_group, 0x9000, NULL },
	{ "IMPORT GMK", import_gmk, 0x9000, NULL },
	{ "OTA script", ota_script, 0x9000, "cnt/01" },
};

static struct image *open_image(const char *path, const char *vfs, bool create)
{
	struct image_options o = { .path = path, .vfs = vfs, .key = BYTES_OF(image_key), .create = create };
	struct image *im;

	if (create)
		ck_assert_int_eq(bcd_encode(ICCID_1, o.card_id, sizeof o.card_id), OK);
	ck_assert_int_eq(image_open(&im, &o), IMAGE_OK);
	return im;
}

static void copy_master(void)
{
	static char block[1 << 20];
	char wal[120];
	FILE *in = fopen(master, "r"), *out = fopen(working, "w");
	size_t n;

	ck_assert(in != NULL && out != NULL);
	while ((n = fread(block, 1, sizeof block, in)) > 0)
		ck_assert_uint_eq(fwrite(block, 1, n, out), n);
	(void)fclose(in);
	ck_assert_int_eq(fclose(out), 0);
	(void)snprintf(wal, sizeof wal, "%s-wal", working);
	(void)unlink(wal);
}

/* All records of an image into a model store. */
static void snapshot(const char *path, struct store_mem *m)
{
	static uint8_t raw[RECORD_MAX];
	struct image *im = open_image(path, NULL, false);
	struct store_backend *b = image_backend(im);
	struct record_name name = { 0 };

	store_mem_init(m);
	while (b->next(b, (struct bytes){ 0 }, name_bytes(&name), &name) == OK) {
		struct buf value = BUF_OF(raw);

		ck_assert_int_eq(b->load(b, name_bytes(&name), &value), OK);
		ck_assert_int_eq(
		        m->backend.write(&m->backend, &(struct store_change){ name_bytes(&name), buf_bytes(&value), false }, 1),
		        OK);
	}
	image_close(&im);
}

/* m is `before` except for the one record that the command may spend, which is as spent or as after. */
static bool only_spent(const struct store_mem *before, const struct store_mem *m, const char *spends)
{
	struct store_mem copy;
	bool equal;
	size_t tail = spends != NULL ? strlen(spends) : 0;

	if (spends == NULL)
		return false;
	store_mem_copy(&copy, before);
	for (size_t i = 0; i < m->count; i++) {
		struct bytes name = name_bytes(&m->row[i].name);

		if (name.n >= tail && memcmp(name.p + name.n - tail, spends, tail) == 0)
			ck_assert_int_eq(copy.backend.write(&copy.backend,
			                         &(struct store_change){ name, { m->row[i].value, m->row[i].n }, false }, 1),
			        OK);
	}
	equal = store_mem_equal(&copy, m);
	store_mem_free(&copy);
	return equal;
}

/* A store that leaves a put_now to the next commit, which a wrong PIN never has: the mistake that the sweep must notice. */
struct late_backend {
	struct store_backend backend;
	struct store_backend *real;
	const char *late;
};

static enum status late_load(struct store_backend *b, struct bytes name, struct buf *out)
{
	struct store_backend *real = ((struct late_backend *)(void *)b)->real;

	return real->load(real, name, out);
}

static enum status late_next(struct store_backend *b, struct bytes prefix, struct bytes after, struct record_name *out)
{
	struct store_backend *real = ((struct late_backend *)(void *)b)->real;

	return real->next(real, prefix, after, out);
}

static enum status late_write(struct store_backend *b, const struct store_change *c, size_t n)
{
	struct late_backend *l = (struct late_backend *)(void *)b;

	if (n == 1 && l->late != NULL && bytes_equal(c->name, bytes_str(l->late)))
		return OK;
	return l->real->write(l->real, c, n);
}

/* How many of all cuts of one trial broke a law. */
static unsigned sweep(const struct trial *t, const char *pragma, const char *late)
{
	struct store_mem before, after, now;
	struct image *im;
	struct rig *r;
	unsigned broken = 0;

	copy_master();
	im = open_image(working, NULL, false);
	r = rig_on(image_backend(im), true);
	ck_assert(t->act == verify_wrong || verify_right(r) == 0x9000);
	ck_assert_msg(t->act(r) == t->sw, "%s", t->name);
	rig_free(&r);
	image_close(&im);
	snapshot(master, &before);
	snapshot(working, &after);
	for (int torn = 0; torn < 2; torn++) {
		for (long cut = 0; cut < 500; cut++) {
			struct late_backend l = { { late_load, late_next, late_write }, NULL, late };
			bool reached, is_old, is_new;
			unsigned sw;

			copy_master();
			vfs_cut_arm(-1, false);
			im = open_image(working, "cut", false);
			l.real = image_backend(im);
			if (pragma != NULL)
				vfs_cut_pragma(pragma);
			r = rig_on(&l.backend, true);
			ck_assert(
			        late != NULL || t->act == verify_wrong || t->act == verify_right || verify_right(r) == 0x9000);
			vfs_cut_arm(cut, torn != 0);
			sw = t->act(r);
			reached = vfs_cut_operations() <= cut;
			vfs_cut_arm(0, torn != 0); /* the power goes at the latest right after the answer */
			rig_free(&r);
			image_close(&im);
			vfs_cut_arm(-1, false);
			snapshot(working, &now);
			is_old = store_mem_equal(&now, &before);
			is_new = store_mem_equal(&now, &after);
			if (!(is_old || is_new || only_spent(&before, &now, t->spends)) || (sw == t->sw && !is_new))
				broken++;
			store_mem_free(&now);
			if (reached)
				break;
		}
	}
	store_mem_free(&before);
	store_mem_free(&after);
	return broken;
}

static void setup(void)
{
	static uint8_t kept_message[MIKEY_MESSAGE_MAX], kept_group[4096];
	struct image *im;
	struct rig *r;

	open_operator();
	(void)snprintf(master, sizeof master, "build/test-power.%d.master", (int)getpid());
	(void)snprintf(working, sizeof working, "build/test-power.%d.img", (int)getpid());
	im = open_image(master, NULL, true);
	r = rig_on(image_backend(im), false);
	make_known(r);
	provision(r);
	gmk_message = rekey(NOW, NOW, NOW + 1000);
	memcpy(kept_message, gmk_message.p, gmk_message.n);
	gmk_message.p = kept_message;
	objects = BUF_OF(object_memory);
	ck_assert_int_eq(group_record(db, GROUP, ALICE, 1, &objects), OK);
	memcpy(kept_group, objects.p, objects.len);
	group_object = (struct bytes){ kept_group, objects.len };
	rig_free(&r);
	image_close(&im);
	vfs_cut_register();
}

static void teardown(void)
{
	char command[256];

	(void)snprintf(command, sizeof command, "rm -f %s* %s*", master, working);
	ck_assert_int_eq(system(command), 0);
	close_operator();
}

START_TEST(power_cuts_of_real_commands_on_the_real_store)
{
	ck_assert_msg(sweep(&trials[_i], NULL, NULL) == 0, "%s", trials[_i].name);
}
END_TEST

START_TEST(the_sweep_notices_a_store_that_does_not_sync)
{
	ck_assert_uint_gt(sweep(&trials[7], "PRAGMA synchronous=OFF", NULL), 0);
}
END_TEST

START_TEST(the_sweep_notices_a_late_put_now)
{
	ck_assert_uint_gt(sweep(&trials[0], NULL, "pin/01/t"), 0);
}
END_TEST

Suite *suite_power(void)
{
	Suite *s = suite_create("power");
	TCase *t = tcase_create("power");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, power_cuts_of_real_commands_on_the_real_store, 0, (int)(sizeof trials / sizeof *trials));
	tcase_add_test(t, the_sweep_notices_a_store_that_does_not_sync);
	tcase_add_test(t, the_sweep_notices_a_late_put_now);
	suite_add_tcase(s, t);
	return s;
}
