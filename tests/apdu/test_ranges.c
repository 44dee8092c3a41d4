/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers of the ProSe applet's interface: none twice, each in the range of its purpose; and docs/ says the same. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apdu/prose.h"
#include "apdu/push.h"
#include "apdu/sealed.h"
#include "card/os/card.h"
#include "provisioning/db/sql.h"
#include "provisioning/gba/bsf.h"
#include "tests/support/support.h"

enum { NAMES_MAX = 200, TEXT_MAX = 1 << 16 };

/* Who has which numbers. A name that begins with `prefix` lies here, and here no other does; "": what there is of old. The rows
 * of docs/prose-applet.md, "Ranges", begin with these words and numbers. */
static const struct range {
	const char *what, *prefix;
	unsigned first, last;
} ranges[] = {
	{ "INS", "INS_PROSE_", 0x10, 0x34 },
	{ "INS", "INS_PROSE_TGK_", 0x36, 0x3E },
	{ "INS", "INS_PROSE_WATCH_", 0x40, 0x4E },
	{ "INS", "INS_PROSE_LINK_", 0x52, 0x5E },
	{ "INS", "INS_PROSE_OWNER_", 0xB4, 0xBE },
	{ "INS", "INS_PROSE_USAGE_", 0x02, 0x0E },
	{ "tag", "TAG_", 0x80, 0xA2 },
	{ "tag", "TAG_", 0x9F1F, 0x9F2F },
	{ "tag", "TAG_WATCH_", 0x9F30, 0x9F3F },
	{ "tag", "TAG_LINK_", 0x9F40, 0x9F4F },
	{ "tag", "TAG_OWNER_", 0x9F50, 0x9F5F },
	{ "tag", "TAG_USAGE_", 0x9F60, 0x9F67 },
	{ "tag", "TAG_TGK_", 0x9F68, 0x9F6F },
	{ "SW", "SW_PROSE_", 0x9C01, 0x9C1F },
	{ "SW", "SW_PROSE_WATCH_", 0x9C20, 0x9C2F },
	{ "SW", "SW_PROSE_LINK_", 0x9C30, 0x9C3F },
	{ "SW", "SW_PROSE_OWNER_", 0x9C40, 0x9C4F },
	{ "SW", "SW_PROSE_USAGE_", 0x9C50, 0x9C5F },
	{ "SW", "SW_PROSE_TGK_", 0x9C60, 0x9C6F },
	{ "kind", "SEALED_", 0x01, 0x0F },
	{ "kind", "SEALED_WATCH_", 0x10, 0x17 },
	{ "kind", "SEALED_LINK_", 0x18, 0x1F },
	{ "kind", "SEALED_OWNER_", 0x20, 0x27 },
	{ "kind", "SEALED_USAGE_", 0x28, 0x2B },
	{ "kind", "SEALED_TGK_", 0x2C, 0x2F },
};
enum { RANGES = sizeof ranges / sizeof *ranges };

struct named {
	char name[64];
	unsigned value;
};

static const char *text_of(const char *path)
{
	static char text[TEXT_MAX];
	FILE *f = fopen(path, "re");
	size_t n = f != NULL ? fread(text, 1, sizeof text - 1, f) : 0;

	ck_assert_msg(f != NULL && n > 0 && n < sizeof text - 1, "%s", path);
	(void)fclose(f);
	text[n] = 0;
	return text;
}

/* The constants of an enum in a header, whose lines are NAME or NAME = NUMBER. */
static size_t read_enum(const char *path, const char *name, struct named *out)
{
	char head[80];
	const char *at;
	unsigned next = 0;
	size_t n = 0;

	(void)snprintf(head, sizeof head, "enum %s {\n", name);
	at = strstr(text_of(path), head);
	ck_assert_msg(at != NULL, "no enum %s in %s", name, path);
	for (at += strlen(head); *at != '}'; at = strchr(at, '\n') + 1) {
		const int found = sscanf(at, " %63[A-Z0-9_] = %i", out[n].name, (int *)&next);

		if (found < 1)
			continue;
		ck_assert_uint_lt(n, NAMES_MAX);
		out[n++].value = next++;
	}
	ck_assert_uint_gt(n, 0);
	return n;
}

/* The range of a name: the one with the longest prefix. */
static bool in_its_range(const char *what, const struct named *c)
{
	size_t longest = 0;
	bool inside = false;

	for (size_t i = 0; i < RANGES; i++) {
		const size_t n = strlen(ranges[i].prefix);

		if (strcmp(ranges[i].what, what) != 0 || strncmp(c->name, ranges[i].prefix, n) != 0 || n < longest)
			continue;
		inside = (n == longest && inside) || (c->value >= ranges[i].first && c->value <= ranges[i].last);
		longest = n;
	}
	return inside;
}

static void check_enum(const char *what, const char *path, const char *name, const char *prefix)
{
	static struct named all[NAMES_MAX];
	const size_t n = read_enum(path, name, all);

	for (size_t i = 0; i < n; i++) {
		if (strncmp(all[i].name, prefix, strlen(prefix)) != 0)
			continue;
		ck_assert_msg(in_its_range(what, &all[i]), "%s = %X is outside of its range", all[i].name, all[i].value);
		ck_assert_msg(strcmp(what, "INS") != 0 || all[i].value % 2 == 0, "%s is odd", all[i].name);
		for (size_t j = 0; j < i; j++)
			ck_assert_msg(all[i].value != all[j].value, "%s and %s are one", all[i].name, all[j].name);
	}
}

START_TEST(assigned_numbers_lie_in_their_ranges)
{
	check_enum("INS", "apdu/prose.h", "prose_instruction", "");
	check_enum("tag", "apdu/prose.h", "prose_tag", "");
	check_enum("SW", "apdu/sw.h", "sw", "SW_PROSE_");
	check_enum("kind", "apdu/sealed.h", "sealed_kind", "");
}
END_TEST

/* Ranges that are not begun yet touch no other, no class byte (6x, 9x), and no command of class 80 of the card's or a domain's.
 */
START_TEST(ranges_do_not_overlap)
{
	static const uint8_t others[] = { 0x50, 0x70, 0x76, 0x78, 0x82, 0xAA, 0xC2, 0xCA, 0xCB, 0xD4, 0xD8, 0xDB, 0xE2, 0xE4,
		0xE6, 0xE8, 0xF0, 0xF2 };

	for (size_t i = 0; i < RANGES; i++) {
		ck_assert_uint_le(ranges[i].first, ranges[i].last);
		for (size_t j = 0; j < i; j++)
			ck_assert_msg(strcmp(ranges[i].what, ranges[j].what) != 0 || ranges[i].first > ranges[j].last ||
			                      ranges[j].first > ranges[i].last,
			        "%s %X and %X", ranges[i].what, ranges[i].first, ranges[j].first);
		for (unsigned ins = ranges[i].first; strcmp(ranges[i].what, "INS") == 0 && ins <= ranges[i].last; ins++) {
			ck_assert(ins >> 4 != 6 && ins >> 4 != 9);
			ck_assert_ptr_null(memchr(others, (int)ins, sizeof others));
		}
	}
}
END_TEST

#define LIMIT(name)                                                                                                            \
	{                                                                                                                      \
#name, (size_t)(name)                                                                                          \
	}

START_TEST(the_documents_say_the_same)
{
	static const struct {
		const char *name;
		size_t value;
	} limits[] = { LIMIT(FILE_CONTENT_MAX), LIMIT(PROSE_REQUEST_MAX), LIMIT(HTTP_BODY_MAX), LIMIT(HTTP_HEAD_MAX),
		LIMIT(HTTP_LIFE_SECONDS), LIMIT(HTTP_HOLD_SECONDS), LIMIT(HTTP_PATIENCE_SECONDS), LIMIT(APPLET_RECORD_MAX),
		LIMIT(APPLETS_MAX), LIMIT(RECORD_MAX), LIMIT(CHAIN_MAX), LIMIT(SEALED_MAX), LIMIT(SEALED_OBJECT_MAX),
		LIMIT(PROSE_SESSIONS_MAX), LIMIT(PROSE_PACKET_MAX), LIMIT(PROSE_SRTP_PACKET_MAX), LIMIT(PUSH_MAX),
		LIMIT(SQL_STATEMENTS_MAX), LIMIT(GMK_EXCLUDED_MAX), LIMIT(GMK_REVOKED_MAX), LIMIT(BSF_CHALLENGE_SECONDS),
		LIMIT(BSF_CHALLENGES_MAX), LIMIT(BSF_CHALLENGES_TOTAL), LIMIT(BSF_VECTORS_PER_SECOND) };
	const char *text = text_of("docs/prose-applet.md");
	char row[80];

	for (size_t i = 0; i < RANGES; i++) {
		(void)snprintf(row, sizeof row, "\n| %s | %02X-%02X | `%s` |", ranges[i].what, ranges[i].first, ranges[i].last,
		        ranges[i].prefix);
		ck_assert_msg(strstr(text, row) != NULL, "docs/prose-applet.md lacks %s", row + 1);
	}
	text = text_of("docs/limits.md");
	for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
		(void)snprintf(row, sizeof row, "| `%s` | %zu |", limits[i].name, limits[i].value);
		ck_assert_msg(strstr(text, row) != NULL, "docs/limits.md lacks %s", row);
	}
}
END_TEST

TCase *tcase_ranges(void)
{
	TCase *t = tcase_create("ranges");

	tcase_add_test(t, assigned_numbers_lie_in_their_ranges);
	tcase_add_test(t, ranges_do_not_overlap);
	tcase_add_test(t, the_documents_say_the_same);
	return t;
}
