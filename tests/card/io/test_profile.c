/* SPDX-License-Identifier: Apache-2.0 */
/* Profiles: what they say is what the card has, what is wrong is named with its place, and a dump makes the same card again. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apdu/files.h"
#include "apdu/tlv.h"
#include "card/io/birth/birth.h"
#include "tests/support/support.h"

static char reason[512];

/* Install a profile given as text on an empty store; the status, and reason. */
static enum status install(const char *text, struct rig *r, struct order *o)
{
	static struct secret_large secrets;
	struct bytes all = bytes_str(text);
	json_t *root;

	reason[0] = 0;
	*o = (struct order){ .who = { .iccid = "8900101000000000017",
		                     .imsi = "001010000000001",
		                     .pin1_enabled = true,
		                     .path = "p.json",
		                     .text = all } };
	if ((root = profile_parse(text, all.n, "p.json", reason, sizeof reason)) == NULL)
		return ERR_MALFORMED;
	o->who.profile = root;
	ck_assert_int_eq(bcd_encode(o->who.iccid, o->card_id, sizeof o->card_id), OK);
	store_mem_init(&r->store);
	r->env = (struct card_env){ .backend = &r->store.backend, .rng = &rng_system, .work = &rig_work };
	memcpy(r->env.card_id, o->card_id, sizeof o->card_id);
	if (birth_test_secrets(o, &secrets, reason, sizeof reason) != OK)
		return ERR_DENIED;
	return profile_install(&r->card, &r->env, &o->who, secret_large_bytes(&secrets), reason, sizeof reason);
}

static struct rig *scratch(void)
{
	struct rig *r = calloc(1, sizeof *r);

	ck_assert_ptr_nonnull(r);
	return r;
}

START_TEST(profiles_are_checked)
{
	static const struct {
		const char *text, *says;
	} bad[] = {
		{ "{\n\"files\": [\n", "p.json:3:" },
		{ "[]", "p.json:1" },
		{ "{\"files\": 7}", "must be a list" },
		{ "{\"files\": [\n{\"path\": \"2F00\", \"type\": \"linear\"}]}",
		        "p.json:2: files[0] (2F00): \"access\" must be" },
		{ "{\"files\": [\n\n{\"path\": \"2F00\", \"type\": \"row\"}]}", "p.json:3: files[0] (2F00): \"type\" must be" },
		{ "{\"files\": [{\"path\": \"2G00\", \"type\": \"df\"}]}", "\"path\" must be" },
		{ "{\"files\": [{\"path\": \"7F10/2F00\", \"type\": \"df\", \"access\": \"pin\"}]}", "not in the list before" },
		{ "{\"files\": [{\"path\": \"2F06\", \"type\": \"df\", \"access\": \"pin\"}]}", "there already" },
		{ "{\"files\": [{\"path\": \"2F00\", \"type\": \"transparent\", \"access\": \"pin\"}]}",
		        "\"size\" must be a number" },
		{ "{\"files\": [{\"path\": \"2F00\", \"type\": \"transparent\", \"access\": \"pin\", \"size\": 2, \"content\": \"010203\"}]}",
		        "\"content\" must be hex" },
		{ "{\"files\": [{\"path\": \"2F00\", \"type\": \"linear\", \"access\": \"pin\", \"record\": 2, \"records\": 1,"
		  " \"content\": [\"01\", \"02\"]}]}",
		        "at most 1 records" },
		{ "{\"files\": [{\"path\": \"2F00\", \"type\": \"transparent\", \"access\": \"pin\", \"size\": 9, \"field\": \"imei\"}]}",
		        "\"field\" must be" },
		{ "{\"files\": [{\"path\": \"2F00\", \"type\": \"transparent\", \"access\": \"pin\", \"size\": 9, \"sfi\": 6}]}",
		        "used twice" },
		{ "{\"services\": [0]}", "\"services\"[0] must be" },
		{ "{\"keys\": {\"k\": \"00\"}}", "k: must be 16 octets" },
		{ "{\"keys\": {\"pin1\": \"123\"}}", "pin1: must be 4 to 8 digits" },
		{ "{\"keys\": {\"algorithm\": \"comp128\"}}", "algorithm: must be" },
	};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct rig *r = scratch();
		struct order o;

		ck_assert_int_ne(install(bad[i].text, r, &o), OK);
		ck_assert_msg(strstr(reason, bad[i].says) != NULL, "%s\nsays: %s\nnot:  %s", bad[i].text, reason, bad[i].says);
		json_decref((json_t *)(uintptr_t)o.who.profile);
		rig_free(&r);
	}
}
END_TEST

START_TEST(keys_in_clear_are_for_the_test_network_only)
{
	static struct secret_large secrets;
	struct order o = { .who = { .iccid = "8900101000000000017", .imsi = "262010000000001" } };

	ck_assert_int_eq(birth_test_secrets(&o, &secrets, reason, sizeof reason), ERR_DENIED);
	ck_assert_ptr_nonnull(strstr(reason, "001-01"));
}
END_TEST

/* Every algorithm that a profile can name makes a card that opens; OP gives the OPc that is published for it. */
START_TEST(algorithms_of_profiles)
{
	static const char *const texts[] = {
		"{\"keys\": {\"k\": \"465b5ce8b199b49faa5f0a2ee238a6bc\", \"op\": \"cdc202d5123e20f62b6d676ac72cb318\"}}",
		"{\"keys\": {\"algorithm\": \"tuak\", \"k\": \"abababababababababababababababab\", \"res_length\": 4,"
		" \"op\": \"5555555555555555555555555555555555555555555555555555555555555555\"}}",
		"{\"keys\": {\"algorithm\": \"xor\"}}",
	};
	static const char *const topc[] = { "cd63cb71954a9f4e48a5994e37a02baf",
		"bd04d9530e87513c5d837ac2ad954623a8e2330c115305a73eb45d1f40cccbff", NULL };

	for (size_t i = 0; i < 3; i++) {
		struct rig *r = scratch();
		struct order o;
		bool found = topc[i] == NULL;

		ck_assert_msg(install(texts[i], r, &o) == OK, "%s", reason);
		for (size_t k = 0; k < r->store.count && !found; k++)
			found = memmem(r->store.row[k].value, r->store.row[k].n, hex(topc[i]).p, hex(topc[i]).n) != NULL;
		ck_assert(found);
		json_decref((json_t *)(uintptr_t)o.who.profile);
		rig_free(&r);
	}
}
END_TEST

START_TEST(a_dump_makes_the_same_card)
{
	struct rig *r = rig_new(), *again = scratch();
	json_t *profile = profile_of_card(&r->card), *second;
	char *text = json_dumps(profile, 0);
	struct order o;

	ck_assert_ptr_nonnull(text);
	ck_assert_msg(install(text, again, &o) == OK, "%s", reason);
	rig_reboot(again);
	second = profile_of_card(&again->card);
	ck_assert(json_equal(profile, second));
	json_decref(profile);
	json_decref(second);
	json_decref((json_t *)(uintptr_t)o.who.profile);
	free(text);
	rig_free(&r);
	rig_free(&again);
}
END_TEST

/* The names people type are those of the standard profile, and clients get an FCP that they can read: at most 98 octets. */
START_TEST(names_and_templates)
{
	struct rig *r = rig_new();
	struct bytes text = profile_standard();
	json_t *root = profile_parse((const char *)text.p, text.n, "standard", reason, sizeof reason), *file;
	size_t i;

	json_array_foreach (json_object_get(root, "files"), i, file) {
		const char *path = json_string_value(json_object_get(file, "path")), *name = ef_names[i + 1].path;
		bool usim = strncmp(path, "7FF0", 4) == 0;

		ck_assert_msg(strcmp(usim ? path + 4 : path, usim ? name + 4 : name) == 0, "%s is not %s", path, name);
		ck_assert_str_eq(json_string_value(json_object_get(file, "name")), ef_names[i + 1].name);
	}
	ck_assert_uint_eq(i + 1, ef_name_count);
	ck_assert_uint_eq(rig_send(r, "00A4040C10A0000000871002FFFFFFFF8907090000"), 0x9000);
	for (i = 0; i < ef_name_count; i++) {
		char command[64], fids[40] = "";
		size_t n = 0;

		for (const char *p = ef_names[i].path; *p != 0; p++)
			if (*p != '/')
				fids[n++] = *p;
		(void)snprintf(command, sizeof command, "00A40804%02X%s00", (unsigned)(n / 2), fids);
		ck_assert_msg(rig_send(r, command) == 0x9000, "%s", ef_names[i].path);
		ck_assert_uint_le(rig_data().n, 98);
		ck_assert_uint_eq(rig_data().p[1], rig_data().n - 2); /* a length of one octet */
	}
	json_decref(root);
	rig_free(&r);
}
END_TEST

Suite *suite_profile(void)
{
	Suite *s = suite_create("profile");
	TCase *t = tcase_create("profile");

	tcase_add_test(t, profiles_are_checked);
	tcase_add_test(t, keys_in_clear_are_for_the_test_network_only);
	tcase_add_test(t, algorithms_of_profiles);
	tcase_add_test(t, a_dump_makes_the_same_card);
	tcase_add_test(t, names_and_templates);
	suite_add_tcase(s, t);
	return s;
}
