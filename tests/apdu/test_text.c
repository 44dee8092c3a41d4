/* SPDX-License-Identifier: Apache-2.0 */
/* Texts in fields of a fixed size, and options of the command line that are longer than their field. */
#include <limits.h>
#include <string.h>

#include "apdu/base/text.h"
#include "tests/support/support.h"

struct options {
	const char *name, *password;
};

static const struct text_limit limits[] = { { "name", offsetof(struct options, name), 4 },
	{ "password", offsetof(struct options, password), 8 } };

static bool hold(const char *name, const char *password, char sentence[80])
{
	const struct options o = { name, password };

	strcpy(sentence, "untouched");
	return text_limits_hold(limits, 2, &o, sentence, 80);
}

START_TEST(a_text_is_there_whole_or_not_at_all)
{
	char field[8];

	memset(field, 'x', sizeof field);
	ck_assert(text_put(field, 4, "%s", "abc"));
	ck_assert_str_eq(field, "abc");
	ck_assert_int_eq(field[4], 'x');
	ck_assert(!text_put(field, 4, "%s", "abcd"));
	ck_assert_str_eq(field, "");
	ck_assert_int_eq(field[4], 'x'); /* nothing behind the field, either */
	ck_assert(text_put(field, 4, "%d-%d", 1, 2));
	ck_assert(!text_put(field, 4, "%d-%d", 10, 2));
	ck_assert(text_put(field, 1, "%s", ""));
	ck_assert(!text_put(field, 0, "%s", ""));
}
END_TEST

START_TEST(an_option_longer_than_its_field_is_named)
{
	char sentence[80];

	ck_assert(hold(NULL, NULL, sentence));
	ck_assert(hold("abcd", "12345678", sentence));
	ck_assert_str_eq(sentence, "untouched");
	ck_assert(!hold("abcd", "123456789", sentence));
	ck_assert_str_eq(sentence, "--password has 9 characters: at most 8 fit");
	ck_assert(!hold("abcde", NULL, sentence));
	ck_assert_str_eq(sentence, "--name has 5 characters: at most 4 fit");
}
END_TEST

START_TEST(a_number_is_all_of_a_text_or_none_of_it)
{
	static const char *const bad[] = { "", " ", "abc", "1x", " 1", "1 ", "0x10", "1.5", "--1", "9223372036854775808",
		"-9223372036854775809" };
	long long n;

	ck_assert(text_number("0", &n) && n == 0);
	ck_assert(text_number("-17", &n) && n == -17);
	ck_assert(text_number("9223372036854775807", &n) && n == LLONG_MAX);
	ck_assert(text_number("-9223372036854775808", &n) && n == LLONG_MIN);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		ck_assert_msg(!text_number(bad[i], &n), "\"%s\" is taken", bad[i]);
}
END_TEST

static const char *json(const char *text)
{
	static char out[TEXT_JSON(40)];

	return text_json(text, out, sizeof out);
}

START_TEST(a_text_is_a_string_of_json_whatever_it_holds)
{
	char small[8];

	ck_assert_str_eq(json(""), "\"\"");
	ck_assert_str_eq(json("sip:a@b"), "\"sip:a@b\"");
	ck_assert_str_eq(json("a\"b\\c"), "\"a\\\"b\\\\c\"");
	ck_assert_str_eq(json("\n\x01\x1F\x7F"), "\"\\u000A\\u0001\\u001F\\u007F\"");
	ck_assert_str_eq(json("\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80"), "\"\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80\"");
	/* Cut, longer than it need be, half of a pair, beyond the last, and what begins nothing. */
	ck_assert_str_eq(json("\xC3"), "\"\\uFFFD\"");
	ck_assert_str_eq(json("\xC3z"), "\"\\uFFFDz\"");
	ck_assert_str_eq(json("\xC1\x81"), "\"\\uFFFD\\uFFFD\"");
	ck_assert_str_eq(json("\xE0\x9F\xBF"), "\"\\uFFFD\\uFFFD\\uFFFD\"");
	ck_assert_str_eq(json("\xED\xA0\x80"), "\"\\uFFFD\\uFFFD\\uFFFD\"");
	ck_assert_str_eq(json("\xF0\x8F\xBF\xBF"), "\"\\uFFFD\\uFFFD\\uFFFD\\uFFFD\"");
	ck_assert_str_eq(json("\xF4\x90\x80\x80"), "\"\\uFFFD\\uFFFD\\uFFFD\\uFFFD\"");
	ck_assert_str_eq(json("\xF5\x80\xFF"), "\"\\uFFFD\\uFFFD\\uFFFD\"");
	/* What does not fit is cut between characters. */
	ck_assert_str_eq(text_json("abcde", small, sizeof small), "\"abcde\"");
	ck_assert_str_eq(text_json("abcdef", small, sizeof small), "\"abcde\"");
	ck_assert_str_eq(text_json("abcd\"", small, sizeof small), "\"abcd\"");
	ck_assert_str_eq(text_json("abc\"d", small, sizeof small), "\"abc\\\"\"");
	ck_assert_str_eq(text_json("\n", small, sizeof small), "\"\"");
}
END_TEST

Suite *suite_text(void)
{
	Suite *s = suite_create("text");
	TCase *t = tcase_create("text");

	tcase_add_test(t, a_text_is_there_whole_or_not_at_all);
	tcase_add_test(t, an_option_longer_than_its_field_is_named);
	tcase_add_test(t, a_number_is_all_of_a_text_or_none_of_it);
	tcase_add_test(t, a_text_is_a_string_of_json_whatever_it_holds);
	suite_add_tcase(s, t);
	return s;
}
